// SPDX-License-Identifier: MIT OR Apache-2.0
//! A model of what a routing daemon has said: maps, and each rule in its plainest form.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use nl31_ctl::feed::devices::Devices;
use nl31_ctl::feed::fpm::{HEADER, payload_len};
use nl31_ctl::feed::next_hops::{PATHS_MAX, PathHead};
use nl31_ctl::feed::rtnetlink::{BadMessage, Hop, Message, NextHop, RouteMessage, Via, messages};
use nl31_ctl::feed::selection::Selection;
use nl31_ctl::feed::shadow::Key;
use nl31_ctl::feed::source::Metrics;
use nl31_route::{DeviceName, Family, Path, PathKind, Protocol};

/// Paths of a route, in their order.
pub type Paths = Vec<Path<DeviceName>>;

/// What the board should have of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// What it has.
    Kept,
    /// No such route.
    Nothing,
    /// These paths.
    Paths(Paths),
}

/// What the source wants of a route.
#[derive(Clone, Debug)]
enum Wanted {
    Kept,
    Paths(Paths),
    Object(u32, Protocol),
}

/// The model.
pub struct Model {
    selection: Selection,
    metrics: Metrics,
    devices: Devices,
    /// What is wanted, and whether it was said since the last connection began.
    routes: BTreeMap<Key, (Wanted, bool)>,
    objects: HashMap<u32, NextHop>,
    /// Objects that were deleted, whose routes are still there.
    deleted: HashSet<u32>,
    swept: bool,
    /// Bytes of a frame that is not whole.
    stream: Vec<u8>,
    closed: bool,
}

impl Model {
    /// A source that has said nothing.
    pub fn new(selection: Selection, metrics: Metrics, devices: Devices) -> Self {
        Self {
            selection,
            metrics,
            devices,
            routes: BTreeMap::new(),
            objects: HashMap::new(),
            deleted: HashSet::new(),
            swept: false,
            stream: Vec::new(),
            closed: false,
        }
    }

    /// A connection begins.
    pub fn begin(&mut self) {
        self.stream.clear();
        self.closed = false;
        self.swept = false;
        self.settle();
        for key in self.keys() {
            let wanted = match self.expected(key) {
                Expected::Paths(paths) => Wanted::Paths(paths),
                Expected::Kept | Expected::Nothing => Wanted::Kept,
            };
            self.routes.insert(key, (wanted, false));
        }
        self.objects.clear();
    }

    /// What was not said in this connection is deleted.
    pub fn sweep(&mut self) {
        self.swept = true;
        self.routes.retain(|_, (_, said)| *said);
    }

    /// Bytes of the connection.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.stream.extend(bytes);
        while !self.closed {
            let Some(header) = self.stream.first_chunk::<HEADER>() else {
                return;
            };
            let Ok(len) = payload_len(*header) else {
                self.closed = true;
                return;
            };
            if self.stream.len() < HEADER + len {
                return;
            }
            let rest = self.stream.split_off(HEADER + len);
            let frame = std::mem::replace(&mut self.stream, rest);
            for message in messages(&frame[HEADER..]) {
                match message {
                    Ok(message) => {
                        survives(&message);
                        self.message(message);
                    }
                    Err(BadMessage::Content(_)) => {}
                    Err(BadMessage::Length) => self.closed = true,
                }
            }
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::NewRoute(route, append) => self.new_route(&route, append),
            Message::DeleteRoute(route) => self.delete_route(&route),
            Message::NewNextHop(id, mut next_hop) => {
                if let NextHop::Group(members) = &mut next_hop {
                    members.truncate(PATHS_MAX);
                }
                self.objects.insert(id, next_hop);
            }
            Message::DeleteNextHop(id) => {
                if self.objects.remove(&id).is_some() {
                    self.deleted.insert(id);
                }
            }
            Message::Done(_) | Message::Error(_) | Message::Other(_) => {}
        }
    }

    fn new_route(&mut self, route: &RouteMessage, append: bool) {
        if route.table != self.selection.table {
            return;
        }
        let key = (route.prefix, route.metric.unwrap_or(0));
        let is_v4 = route.prefix.family() == Family::V4;
        match self.metrics {
            Metrics::Each if append && is_v4 && self.routes.contains_key(&key) => return,
            Metrics::Each => {}
            Metrics::One => self
                .routes
                .retain(|other, _| other.0 != key.0 || *other == key),
        }
        self.routes.remove(&key);
        if !self.selection.has(route) {
            return;
        }
        let head = head(key, route.protocol);
        let wanted = match (PathKind::try_from(route.kind), &route.via) {
            (Ok(PathKind::Unicast), Via::Object(id)) => {
                // The object's end came before the route; it has to do with others.
                self.deleted.remove(id);
                Wanted::Object(*id, head.protocol)
            }
            (Ok(PathKind::Unicast), Via::Hops(hops)) => {
                match head.through(hops, &mut self.devices) {
                    Ok(paths) => Wanted::Paths(paths),
                    Err(_) => return,
                }
            }
            (Ok(kind), _) => Wanted::Paths(vec![head.drops(kind)]),
            (Err(()), _) => return,
        };
        self.routes.insert(key, (wanted, true));
    }

    fn delete_route(&mut self, route: &RouteMessage) {
        if route.table != self.selection.table {
            return;
        }
        let key = (route.prefix, route.metric.unwrap_or(0));
        if self.metrics == Metrics::One {
            self.routes.retain(|other, _| other.0 != key.0);
            return;
        }
        let left = match (self.routes.get(&key), &route.via) {
            (Some((Wanted::Paths(paths), _)), Via::Hops(hops))
                if route.prefix.family() == Family::V6 =>
            {
                let head = head(key, route.protocol);
                let gone = head.through(hops, &mut self.devices).unwrap_or_default();
                let mut left = paths.clone();
                left.retain(|path| !gone.contains(path));
                // Of one path alone Linux may say less than it has.
                if gone.is_empty() || paths.len() <= gone.len() {
                    left.clear();
                }
                left
            }
            _ => Vec::new(),
        };
        match left.is_empty() {
            true => self.routes.remove(&key),
            false => self.routes.insert(key, (Wanted::Paths(left), true)),
        };
    }

    /// The routes of objects that were deleted go.
    pub fn settle(&mut self) {
        for id in std::mem::take(&mut self.deleted) {
            if !self.objects.contains_key(&id) {
                let is_of =
                    |wanted: &Wanted| matches!(wanted, Wanted::Object(object, _) if *object == id);
                self.routes.retain(|_, (wanted, _)| !is_of(wanted));
            }
        }
    }

    /// The board's routes are not known any more.
    pub fn forget_board(&mut self) {
        self.routes
            .retain(|_, (wanted, _)| !matches!(wanted, Wanted::Kept));
    }

    /// The board has this route.
    pub fn board_has(&mut self, key: Key) {
        if !self.swept {
            self.routes.entry(key).or_insert((Wanted::Kept, false));
        }
    }

    /// Prefixes and metrics of all routes.
    pub fn keys(&self) -> Vec<Key> {
        self.routes.keys().copied().collect()
    }

    /// How many routes the source wants.
    pub fn routes(&self) -> usize {
        let is_wanted = |(wanted, _): &&(Wanted, bool)| !matches!(wanted, Wanted::Kept);
        self.routes.values().filter(is_wanted).count()
    }

    /// What the board should have.
    pub fn expected(&mut self, key: Key) -> Expected {
        match self.routes.get(&key) {
            None => Expected::Nothing,
            Some((Wanted::Kept, _)) => Expected::Kept,
            Some((Wanted::Paths(paths), _)) => Expected::Paths(paths.clone()),
            Some(&(Wanted::Object(id, protocol), _)) => self.of_object(head(key, protocol.0), id),
        }
    }

    fn of_object(&mut self, head: PathHead, id: u32) -> Expected {
        let hops = match self.objects.get(&id) {
            None => return Expected::Kept,
            Some(NextHop::Blackhole) => return drops(head),
            Some(NextHop::Hop(hop)) => vec![*hop],
            Some(NextHop::Group(members)) => {
                let members = members.iter().filter_map(|id| self.objects.get(id));
                let members: Vec<_> = members.collect();
                if members.contains(&&NextHop::Blackhole) {
                    return drops(head);
                }
                let hop = |object: &&NextHop| match object {
                    NextHop::Hop(hop) => Some(*hop),
                    _ => None,
                };
                members.iter().filter_map(hop).collect()
            }
        };
        match head.through(&hops, &mut self.devices) {
            Ok(paths) => Expected::Paths(paths),
            Err(_) => Expected::Nothing,
        }
    }
}

fn drops(head: PathHead) -> Expected {
    Expected::Paths(vec![head.drops(PathKind::Blackhole)])
}

fn head((prefix, metric): Key, protocol: u8) -> PathHead {
    PathHead {
        prefix,
        metric,
        protocol: Protocol(protocol),
    }
}

/// A message that is understood means the same when it is written plainly.
fn survives(message: &Message) {
    let written = match message {
        Message::NewRoute(route, append) => {
            let flags = if *append { 0x800 } else { 0 };
            write(24, flags, &route_payload(route))
        }
        Message::DeleteRoute(route) => write(25, 0, &route_payload(route)),
        Message::NewNextHop(id, next_hop) => write(104, 0, &next_hop_payload(*id, next_hop)),
        Message::DeleteNextHop(id) => write(105, 0, &[vec![0; 8], number(1, *id)].concat()),
        Message::Done(_) | Message::Error(_) | Message::Other(_) => return,
    };
    let read: Vec<_> = messages(&written).collect();
    assert_eq!(read, [Ok(message.clone())]);
}

fn write(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let len = (16 + payload.len()) as u32;
    let head = [kind.to_ne_bytes(), flags.to_ne_bytes()].concat();
    [&len.to_ne_bytes()[..], &head, &[0; 8], payload].concat()
}

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + payload.len()).expect("inputs are short");
    let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn number(kind: u16, number: u32) -> Vec<u8> {
    attribute(kind, &number.to_ne_bytes())
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 2 } else { 10 }
}

fn route_payload(route: &RouteMessage) -> Vec<u8> {
    let address = route.prefix.address();
    let head = [family(address), route.prefix.len(), 0, 0];
    let more = [0, route.protocol, 0, route.kind, 0, 0, 0, 0];
    let mut payload = [&head[..], &more].concat();
    payload.extend(attribute(1, &octets(address)));
    payload.extend(number(15, route.table));
    if let Some(metric) = route.metric {
        payload.extend(number(6, metric));
    }
    payload.extend(match &route.via {
        Via::Object(id) => number(30, *id),
        Via::Hops(hops) => attribute(9, &hops.iter().flat_map(part).collect::<Vec<_>>()),
    });
    payload
}

/// A hop of several.
fn part(hop: &Hop) -> Vec<u8> {
    let mut attributes = Vec::new();
    if let Some(device) = hop.device {
        attributes.extend(number(4, device));
    }
    if let Some(gateway) = hop.gateway {
        let family = u16::from(family(gateway)).to_ne_bytes();
        attributes.extend(attribute(18, &[&family[..], &octets(gateway)].concat()));
    }
    if hop.encapsulates {
        attributes.extend(attribute(22, &[]));
    }
    let len = (8 + attributes.len()) as u16;
    [&len.to_ne_bytes()[..], &[0; 6], &attributes].concat()
}

fn next_hop_payload(id: u32, next_hop: &NextHop) -> Vec<u8> {
    let mut head = vec![0; 8];
    let mut attributes = number(1, id);
    match next_hop {
        NextHop::Blackhole => attributes.extend(attribute(4, &[])),
        NextHop::Group(members) => {
            let member = |id: &u32| [id.to_ne_bytes(), [0; 4]].concat();
            let members: Vec<u8> = members.iter().flat_map(member).collect();
            attributes.extend(attribute(2, &members));
        }
        NextHop::Hop(hop) => {
            if let Some(device) = hop.device {
                attributes.extend(number(5, device));
            }
            if let Some(gateway) = hop.gateway {
                head[0] = family(gateway);
                attributes.extend(attribute(6, &octets(gateway)));
            }
            if hop.encapsulates {
                attributes.extend(attribute(8, &[]));
            }
        }
    }
    [head, attributes].concat()
}
