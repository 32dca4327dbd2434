// SPDX-License-Identifier: MIT OR Apache-2.0
//! What protocol 31 has to do, as plainly as can be: written from kmod/README.md, with a sorted
//! map as the table.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::{self, Attributes, Header, flag, kind};

/// Sockets that a script has.
pub const SOCKETS: usize = 3;
/// Devices have indices from 1 to this.
pub const DEVICES: usize = 4;
/// Most paths of a prefix.
const PATHS_MAX: usize = 64;
/// Limit of a new table.
const MAX_ROUTES: u32 = 4 << 20;

/// Orders as a dump does: IPv4 first, by address, a shorter one before what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    v6: bool,
    address: [u8; 16],
    len: u8,
}

impl Prefix {
    fn bits(&self) -> u8 {
        if self.v6 { 128 } else { 32 }
    }

    fn bit(&self, nr: u8) -> bool {
        self.address[usize::from(nr / 8)] & (0x80 >> (nr % 8)) != 0
    }

    fn covers(&self, other: &Self) -> bool {
        self.v6 == other.v6
            && self.len <= other.len
            && (0..self.len).all(|nr| self.bit(nr) == other.bit(nr))
    }
}

/// One way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    /// Lowest first.
    pub metric: u32,
    kind: u8,
    gateway: Vec<u8>,
    oif: u32,
    /// Of its device, instead of `oif`; empty for none.
    name: Vec<u8>,
    protocol: u8,
}

/// A path of a prefix.
pub type Route = (Prefix, Path);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: Path,
    /// Which of the devices that had its index one after the other; it is dead when that is gone.
    life: u32,
}

/// Sizes of a route's attributes by their type.
const ROUTE_SIZES: [(usize, usize); 13] = [
    (0, 0),
    (4, 16),
    (1, 1),
    (1, 1),
    (4, 16),
    (4, 4),
    (4, 4),
    (1, 1),
    (8, 8),
    // 0, which is not taken for a refusal
    (0, 1),
    (2, 16),
    (4, 4),
    (4, 4),
];
const GENERATION: usize = 8;
const PAD: usize = 9;
const NAME: usize = 10;
const FLAGS: usize = 11;
const TABLE: usize = 12;

/// What a table holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    routes: BTreeMap<Prefix, Vec<Place>>,
    max_routes: u32,
}

/// A route message: its prefix if it has one, its path, and the attributes that were given.
#[derive(Clone, Debug)]
pub struct Filter {
    prefix: Option<Prefix>,
    path: Path,
    given: u32,
}

/// Transaction of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    None,
    Open {
        count: u32,
        echo: bool,
        last: Header,
    },
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Device {
    Absent,
    Down,
    Up,
}

/// The devices that there are, and were.
#[derive(Clone, Debug)]
struct Devices {
    state: [Device; DEVICES + 1],
    /// How many of this index are gone.
    lives: [u32; DEVICES + 1],
    names: [Vec<u8>; DEVICES + 1],
}

impl Devices {
    fn at(&self, index: u32) -> Option<usize> {
        let index = usize::try_from(index).ok()?;
        (index <= DEVICES).then_some(index)
    }

    fn state(&self, index: u32) -> Device {
        self.at(index)
            .map_or(Device::Absent, |index| self.state[index])
    }

    fn life(&self, index: u32) -> u32 {
        self.at(index).map_or(0, |index| self.lives[index])
    }

    /// Index of the device that has this name now, or 0.
    fn named(&self, name: &[u8]) -> u32 {
        let there = |&index: &usize| {
            self.state[index] != Device::Absent && self.names[index].as_slice() == name
        };
        (1..=DEVICES).find(there).unwrap_or(0) as u32
    }

    /// The index that a path's device has now.
    fn index(&self, path: &Path) -> u32 {
        if path.name.is_empty() {
            path.oif
        } else {
            self.named(&path.name)
        }
    }

    fn is_dead(&self, place: &Place) -> bool {
        place.life != self.life(place.path.oif)
    }

    fn is_usable(&self, place: &Place) -> bool {
        let path = &place.path;
        let without = path.oif == 0 && path.name.is_empty();
        !self.is_dead(place) && (without || self.state(self.index(path)) == Device::Up)
    }
}

/// Why a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// EINVAL or ERANGE.
    Malformed,
    /// This one.
    Error(i32),
}

impl Refusal {
    /// Whether this error number says so.
    pub fn is(self, error: i32) -> bool {
        match self {
            Self::Malformed => error == libc::EINVAL || error == libc::ERANGE,
            Self::Error(number) => error == number,
        }
    }
}

/// What answers a message.
#[derive(Clone, Debug)]
pub enum Answer {
    /// `NLMSG_ERROR`
    Error(Refusal),
    /// `NLMSG_ERROR` with 0
    Ack,
    /// `NLMSG_DONE` with a number
    Done(u32),
    /// A greeting that repeats the text
    Greeting(Vec<u8>),
    /// The path in use
    Route(Route),
    /// What the table holds: prefixes and paths of either family, and the limit; and how many
    /// distinct lists of paths there are, unless a transaction has some of its own
    Table([u32; 5], Option<u32>),
    /// A dump of these
    Dump(Vec<Route>),
}

/// The kernel.
#[derive(Clone, Debug)]
pub struct Model {
    table: Table,
    /// With the changes of the transaction that is open.
    edited: Option<Table>,
    transactions: [Transaction; SOCKETS],
    /// The rest of a transaction of a datagram is passed over.
    discarding: bool,
    devices: Devices,
    /// Whether the sockets may change anything.
    pub admin: bool,
}

type Result<T> = std::result::Result<T, Refusal>;

fn refuse<T>(error: i32) -> Result<T> {
    Err(Refusal::Error(error))
}

const MALFORMED: Refusal = Refusal::Malformed;

impl Filter {
    /// Reads a route message as the kernel does: strictly.
    fn parse(payload: &[u8]) -> Result<Self> {
        let mut sizes = ROUTE_SIZES;
        for answered in [GENERATION, PAD, FLAGS] {
            sizes[answered] = (0, 0);
        }
        let attributes = Attributes::parse(payload, &sizes).ok_or(MALFORMED)?;
        if attributes.given() & (1 << 5) != 0 && attributes.given() & (1 << NAME) != 0 {
            return Err(MALFORMED);
        }
        Self::read(&attributes)
    }

    fn read(attributes: &Attributes<'_>) -> Result<Self> {
        let [
            _,
            dst,
            len,
            kind,
            gateway,
            oif,
            metric,
            protocol,
            _,
            _,
            name,
            ..,
        ] = *attributes.values();
        let prefix = match (dst, len) {
            (Some(dst), len) => Some(prefix(dst, len.map(|len| len[0])).ok_or(MALFORMED)?),
            (None, Some(_)) => return Err(MALFORMED),
            (None, None) => None,
        };
        if let Some(kind) = kind
            && ![1, 6, 7, 8].contains(&kind[0])
        {
            return Err(MALFORMED);
        }
        if let Some(gateway) = gateway {
            let family = match gateway.len() {
                4 => false,
                16 => true,
                _ => return Err(MALFORMED),
            };
            let multicast = if family {
                gateway[0] == 0xff
            } else {
                gateway[0] & 0xf0 == 0xe0
            };
            let nobody = gateway.iter().all(|&byte| byte == 0) || gateway == [0xff; 4];
            if prefix.is_some_and(|prefix| prefix.v6 != family) || multicast || nobody {
                return Err(MALFORMED);
            }
        }
        let number = |value: Option<&[u8]>| {
            value.map_or(0, |value| {
                u32::from_ne_bytes(value.try_into().expect("4 bytes"))
            })
        };
        let is_name = |name: &[u8]| {
            name.split_last()
                .is_some_and(|(&end, name)| end == 0 && is_name(name))
        };
        if (oif.is_some() && number(oif) == 0)
            || name.is_some_and(|name| !is_name(name))
            || number(attributes.values()[TABLE]) != 0
        {
            return Err(MALFORMED);
        }
        Ok(Self {
            prefix,
            path: Path {
                metric: number(metric),
                kind: kind.map_or(0, |kind| kind[0]),
                gateway: gateway.unwrap_or_default().to_vec(),
                oif: number(oif),
                name: name.map_or(Vec::new(), |name| name[..name.len() - 1].to_vec()),
                protocol: protocol.map_or(0, |protocol| protocol[0]),
            },
            given: attributes.given(),
        })
    }

    fn has(&self, attribute: u32) -> bool {
        self.given & (1 << attribute) != 0
    }

    fn has_path(&self) -> bool {
        self.given & (0b1111_1000 | 1 << NAME) != 0
    }

    fn selects(&self, path: &Path, devices: &Devices) -> bool {
        let want = &self.path;
        (!self.has(3) || want.kind == path.kind)
            && (!self.has(4) || want.gateway == path.gateway)
            && (!self.has(5) || want.oif == devices.index(path))
            && (!self.has(NAME as u32) || want.name == path.name)
            && (!self.has(6) || want.metric == path.metric)
            && (!self.has(7) || want.protocol == path.protocol)
    }

    fn covers(&self, prefix: &Prefix) -> bool {
        self.prefix.is_none_or(|own| own.covers(prefix))
    }

    fn named(&self) -> Result<Prefix> {
        self.prefix.ok_or(MALFORMED)
    }
}

/// As `dev_valid_name()`.
fn is_name(name: &[u8]) -> bool {
    let wrong =
        |byte: &u8| matches!(byte, 0 | b'/' | b':' | b' ' | 0xa0) || (9..=13).contains(byte);
    !name.is_empty() && name != b"." && name != b".." && !name.iter().any(wrong)
}

fn prefix(dst: &[u8], len: Option<u8>) -> Option<Prefix> {
    let v6 = match dst.len() {
        4 => false,
        16 => true,
        _ => return None,
    };
    let mut address = [0; 16];
    address[..dst.len()].copy_from_slice(dst);
    let mut prefix = Prefix {
        v6,
        address,
        len: 0,
    };
    prefix.len = len.unwrap_or(prefix.bits());
    let right =
        prefix.len <= prefix.bits() && (prefix.len..prefix.bits()).all(|nr| !prefix.bit(nr));
    right.then_some(prefix)
}

/// Reads a route that the kernel tells of.
pub fn route(payload: &[u8]) -> (Route, Option<u64>) {
    let attributes = Attributes::parse(payload, &ROUTE_SIZES).expect("well-formed attributes");
    let generation = attributes.values()[GENERATION];
    let generation = generation.map(|bytes| u64::from_ne_bytes(bytes.try_into().expect("8 bytes")));
    let mut filter = Filter::read(&attributes).expect("a route like those that are taken");
    if !filter.path.name.is_empty() {
        // what the name stands for at the moment
        filter.path.oif = 0;
    }
    assert!(filter.path.kind != 0 && filter.has(2) && filter.has(6) && filter.has(7));
    ((filter.prefix.expect("a prefix"), filter.path), generation)
}

impl Table {
    fn new() -> Self {
        Self {
            routes: BTreeMap::new(),
            max_routes: MAX_ROUTES,
        }
    }

    /// Removes the paths for which `doomed` says so.
    fn remove(&mut self, doomed: impl Fn(&Place) -> bool) {
        self.routes.retain(|_, places| {
            places.retain(|place| !doomed(place));
            !places.is_empty()
        });
    }

    /// The paths of a prefix but for those that are dead.
    fn living(&self, prefix: &Prefix, devices: &Devices) -> Vec<Place> {
        let places = self.routes.get(prefix).into_iter().flatten();
        let living = places.filter(|place| !devices.is_dead(place));
        living.cloned().collect()
    }

    fn set(&mut self, prefix: Prefix, places: Vec<Place>) {
        if places.is_empty() {
            self.routes.remove(&prefix);
        } else {
            self.routes.insert(prefix, places);
        }
    }

    fn visible(&self) -> impl Iterator<Item = Route> + '_ {
        self.routes.iter().flat_map(|(&prefix, places)| {
            let paths = places.iter().map(|place| &place.path);
            paths.map(move |path| (prefix, path.clone()))
        })
    }

    fn new_route(&mut self, flags: u16, payload: &[u8], devices: &Devices) -> Result<()> {
        let how = flags & (flag::CREATE | flag::EXCL | flag::REPLACE | flag::APPEND);
        let (create, append) = (how & flag::CREATE != 0, how & flag::APPEND != 0);
        let replace = how & flag::REPLACE != 0;
        let known = [
            flag::CREATE,
            flag::CREATE | flag::EXCL,
            flag::CREATE | flag::REPLACE,
            flag::REPLACE,
            flag::CREATE | flag::APPEND,
        ];
        if !known.contains(&how) {
            return Err(MALFORMED);
        }
        let Filter {
            prefix, mut path, ..
        } = Filter::parse(payload)?;
        let prefix = prefix.ok_or(MALFORMED)?;
        path.kind = path.kind.max(1);
        let next_hop = !path.gateway.is_empty() || path.oif != 0 || !path.name.is_empty();
        if (path.kind == 1) != next_hop {
            return Err(MALFORMED);
        }
        if path.oif != 0 && devices.state(path.oif) == Device::Absent {
            return refuse(libc::ENODEV);
        }

        let full = self.routes.len() >= self.max_routes as usize;
        let there = self.routes.contains_key(&prefix);
        let mut places = self.living(&prefix, devices);
        let same = |place: &Place| place.path.metric == path.metric;
        let same = places.iter().position(same);
        let equal = places.iter().position(|place| place.path == path);
        let end = places.partition_point(|place| place.path.metric <= path.metric);
        let life = devices.life(path.oif);
        let place = Place { path, life };
        if append && equal.is_some() {
            return refuse(libc::EEXIST);
        }
        if replace {
            match (same, equal) {
                (Some(same), Some(equal)) if same == equal => {
                    self.set(prefix, places);
                    return Ok(());
                }
                (_, Some(_)) => return refuse(libc::EEXIST),
                (Some(same), None) => {
                    places[same] = place;
                    self.set(prefix, places);
                    return Ok(());
                }
                (None, None) if !create => return refuse(libc::ENOENT),
                (None, None) => {}
            }
        } else if !append && same.is_some() {
            return refuse(libc::EEXIST);
        }
        if !there && full {
            return refuse(libc::ENOSPC);
        }
        if places.len() >= PATHS_MAX {
            return refuse(libc::E2BIG);
        }
        places.insert(end, place);
        self.set(prefix, places);
        Ok(())
    }

    fn del_route(&mut self, flags: u16, payload: &[u8], devices: &Devices) -> Result<()> {
        let filter = Filter::parse(payload)?;
        if flags & flag::BULK != 0 {
            if filter.given & !(1 << TABLE) == 0 {
                self.routes.clear();
                return Ok(());
            }
            let prefixes: Vec<Prefix> = self.routes.keys().copied().collect();
            for prefix in prefixes.iter().filter(|prefix| filter.covers(prefix)) {
                let living = self.living(prefix, devices);
                let mut left = living.clone();
                left.retain(|place| !filter.selects(&place.path, devices));
                if left.len() != living.len() {
                    self.set(*prefix, left);
                }
            }
            return Ok(());
        }
        let prefix = filter.named()?;
        let mut places = self.living(&prefix, devices);
        if places.is_empty() {
            return refuse(libc::ESRCH);
        }
        if filter.has_path() {
            let selected = |place: &Place| filter.selects(&place.path, devices);
            let Some(at) = places.iter().position(selected) else {
                return refuse(libc::ESRCH);
            };
            places.remove(at);
            self.set(prefix, places);
            return Ok(());
        }
        if places.len() > 1 && flags & flag::NONREC != 0 {
            return refuse(libc::ENOTEMPTY);
        }
        self.routes.remove(&prefix);
        Ok(())
    }

    fn new_table(&mut self, flags: u16, payload: &[u8]) -> Result<()> {
        let mut sizes = [(0, 0); 17];
        sizes[10] = (4, 4);
        sizes[16] = (1, 1);
        let attributes = Attributes::parse(payload, &sizes).ok_or(MALFORMED)?;
        let limit = attributes.values()[10];
        let limit = limit.map(|bytes| u32::from_ne_bytes(bytes.try_into().expect("4 bytes")));
        let multipath = attributes.values()[16].map(|bytes| bytes[0]);
        let replace = flags & flag::REPLACE != 0;
        if attributes.has_zero(10)
            || multipath > Some(1)
            || flags & (flag::CREATE | flag::EXCL | flag::APPEND) != 0
            || (limit.is_none() && multipath.is_none() && !replace)
        {
            return Err(MALFORMED);
        }
        if replace {
            self.routes.clear();
        }
        self.max_routes = limit.unwrap_or(self.max_routes);
        Ok(())
    }

    fn change(&mut self, header: &Header, payload: &[u8], devices: &Devices) -> Result<()> {
        match header.kind {
            kind::NEWROUTE => self.new_route(header.flags, payload, devices),
            kind::DELROUTE => self.del_route(header.flags, payload, devices),
            _ => self.new_table(header.flags, payload),
        }
    }

    fn lookup(&self, payload: &[u8], devices: &Devices) -> Result<Route> {
        let filter = Filter::parse(payload)?;
        let address = filter.named()?;
        if filter.has_path() {
            return Err(MALFORMED);
        }
        let usable = |place: &&Place| devices.is_usable(place);
        let found = self
            .routes
            .iter()
            .filter(|(prefix, _)| prefix.covers(&address));
        let found = found.filter_map(|(&prefix, places)| {
            let place = places.iter().find(usable)?;
            Some((prefix, place.path.clone()))
        });
        found
            .max_by_key(|(prefix, _)| prefix.len)
            .ok_or(Refusal::Error(libc::ENETUNREACH))
    }

    fn lists(&self) -> u32 {
        let lists = self.routes.values();
        let lists = lists.map(|places| {
            places
                .iter()
                .map(|place| (&place.path, place.life))
                .collect::<Vec<_>>()
        });
        lists.collect::<BTreeSet<_>>().len() as u32
    }

    fn figures(&self) -> [u32; 5] {
        let mut figures = [0, 0, 0, 0, self.max_routes];
        for (prefix, places) in &self.routes {
            figures[usize::from(prefix.v6)] += 1;
            figures[2 + usize::from(prefix.v6)] += places.len() as u32;
        }
        figures
    }
}

fn is_change(kind: u16) -> bool {
    [kind::NEWROUTE, kind::DELROUTE, kind::NEWTABLE].contains(&kind)
}

/// The flags that have a meaning.
fn known_flags(kind: u16) -> u16 {
    let all = flag::REQUEST | flag::ACK | flag::MULTI;
    let change = all | flag::ECHO;
    match kind {
        kind::DONE => change,
        kind::NEWROUTE | kind::NEWTABLE => {
            change | flag::CREATE | flag::EXCL | flag::REPLACE | flag::APPEND
        }
        kind::DELROUTE => change | flag::NONREC | flag::BULK,
        kind::GETROUTE => all | flag::DUMP | flag::ATOMIC,
        kind::GETTABLE => all | flag::DUMP,
        kind::NOOP | kind::GREET => all,
        _ => u16::MAX,
    }
}

fn check_flags(header: &Header) -> Result<()> {
    let unknown = header.flags & !known_flags(header.kind);
    if header.flags & flag::REQUEST == 0 || unknown != 0 {
        return Err(MALFORMED);
    }
    Ok(())
}

fn greeting(payload: &[u8]) -> Result<Vec<u8>> {
    let sizes = &[(0, 0), (1, 256), (0, 0), (0, 0), (0, 0)];
    let attributes = Attributes::parse(payload, sizes).ok_or(MALFORMED)?;
    let text = attributes.values()[1].unwrap_or_default();
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    if text.len() > 255 {
        Err(MALFORMED)
    } else {
        Ok(text.to_vec())
    }
}

impl Default for Model {
    fn default() -> Self {
        Self {
            table: Table::new(),
            edited: None,
            transactions: [Transaction::None; SOCKETS],
            discarding: false,
            devices: Devices {
                state: [Device::Absent; DEVICES + 1],
                lives: [0; DEVICES + 1],
                names: Default::default(),
            },
            admin: true,
        }
    }
}

impl Model {
    /// What everybody sees, in the order of a dump.
    pub fn routes(&self) -> Vec<Route> {
        self.table.visible().collect()
    }

    /// The limit for prefixes.
    pub fn max_routes(&self) -> u32 {
        self.table.max_routes
    }

    /// Whether a device's paths wait to be removed.
    pub fn has_dead_paths(&self) -> bool {
        let tables = [Some(&self.table), self.edited.as_ref()];
        let mut places = tables
            .into_iter()
            .flatten()
            .flat_map(|table| table.routes.values());
        places.any(|places| places.iter().any(|place| self.devices.is_dead(place)))
    }

    /// What a device is called, whenever it is there.
    pub fn set_name(&mut self, index: usize, name: &[u8]) {
        self.devices.names[index] = name.to_vec();
    }

    /// A device is there, or changes; it is told only of one that goes up, down or away.
    pub fn set_device(&mut self, index: usize, state: Option<bool>) {
        self.devices.state[index] = match state {
            None => Device::Absent,
            Some(false) => Device::Down,
            Some(true) => Device::Up,
        };
        if state.is_none() {
            self.devices.lives[index] += 1;
            self.purge();
        }
    }

    /// Whether there is a device of this index.
    pub fn has_device(&self, index: usize) -> bool {
        self.devices.state[index] != Device::Absent
    }

    fn purge(&mut self) {
        if self.edited.is_none() {
            let Self { table, devices, .. } = self;
            table.remove(|place| devices.is_dead(place));
        }
    }

    /// A transaction that waits for so long fails; its socket, and the message that is named.
    pub fn idle(&mut self) -> Option<(usize, Header)> {
        let open = self.transactions.iter().enumerate();
        let mut open = open.filter_map(|(socket, transaction)| match transaction {
            Transaction::Open { last, .. } => Some((socket, *last)),
            _ => None,
        });
        let open = open.next_back();
        if let Some((socket, _)) = open {
            self.end(socket, Transaction::Failed);
        }
        open
    }

    /// A datagram begins.
    pub fn begin(&mut self) {
        self.discarding = false;
    }

    /// The socket is closed.
    pub fn close(&mut self, socket: usize) {
        self.end(socket, Transaction::None);
    }

    fn end(&mut self, socket: usize, state: Transaction) {
        if let Transaction::Open { .. } = self.transactions[socket] {
            self.edited = None;
        }
        self.transactions[socket] = state;
        self.purge();
    }

    /// Whether a transaction of this socket echoes.
    pub fn echoes(&self, socket: usize) -> bool {
        matches!(
            self.transactions[socket],
            Transaction::Open { echo: true, .. }
        )
    }

    /// The rest of a datagram makes no sense; the header that it begins with, if it is whole.
    pub fn malformed(&mut self, socket: usize, header: Option<&Header>) {
        let open = matches!(self.transactions[socket], Transaction::Open { .. });
        let done = header.is_some_and(|header| header.kind == kind::DONE);
        let marked = header.is_some_and(|header| header.flags & flag::MULTI != 0);
        if !open && !self.admin {
            return;
        }
        if done {
            self.close(socket);
        } else if open || marked {
            self.end(socket, Transaction::Failed);
        }
    }

    /// Takes a message; gives what answers it. `short`: it fails for want of memory.
    pub fn message(
        &mut self,
        socket: usize,
        header: &Header,
        payload: &[u8],
        short: bool,
    ) -> Vec<Answer> {
        if header.kind == kind::ERROR {
            return Vec::new();
        }
        if header.flags & flag::MULTI != 0 || header.kind == kind::DONE {
            return self.transact(socket, header, payload, short);
        }
        match self.single(header, payload, short) {
            Err(refusal) => vec![Answer::Error(refusal)],
            Ok(answer) => {
                let over = matches!(answer, Some(Answer::Done(_) | Answer::Dump(_)));
                let ack = header.flags & flag::ACK != 0 && !over;
                answer
                    .into_iter()
                    .chain(ack.then_some(Answer::Ack))
                    .collect()
            }
        }
    }

    fn single(&mut self, header: &Header, payload: &[u8], short: bool) -> Result<Option<Answer>> {
        check_flags(header)?;
        if short {
            return refuse(libc::ENOMEM);
        }
        if is_change(header.kind) {
            if !self.admin {
                return refuse(libc::EPERM);
            }
            if self.edited.is_some() {
                return refuse(libc::EBUSY);
            }
            self.table.change(header, payload, &self.devices)?;
            return Ok(None);
        }
        let dump = header.flags & flag::DUMP != 0;
        Ok(Some(match header.kind {
            kind::NOOP if payload.is_empty() => Answer::Done(0),
            kind::NOOP => return Err(MALFORMED),
            kind::GREET => Answer::Greeting(greeting(payload)?),
            kind::GETTABLE => {
                Attributes::parse(payload, &[(0, 0); 16]).ok_or(MALFORMED)?;
                if dump {
                    return refuse(libc::EOPNOTSUPP);
                }
                let lists = self.edited.is_none().then(|| self.table.lists());
                Answer::Table(self.table.figures(), lists)
            }
            kind::GETROUTE if dump => {
                let filter = Filter::parse(payload)?;
                let routes = self.table.visible();
                let routes = routes.filter(|(prefix, path)| {
                    filter.covers(prefix) && filter.selects(path, &self.devices)
                });
                Answer::Dump(routes.collect())
            }
            kind::GETROUTE => Answer::Route(self.table.lookup(payload, &self.devices)?),
            _ => return refuse(libc::EOPNOTSUPP),
        }))
    }

    fn transact(
        &mut self,
        socket: usize,
        header: &Header,
        payload: &[u8],
        short: bool,
    ) -> Vec<Answer> {
        let done = header.kind == kind::DONE;
        if self.discarding {
            self.discarding = !done;
            return Vec::new();
        }
        if !self.admin {
            if let Transaction::Open { .. } = self.transactions[socket] {
                self.end(socket, Transaction::Failed);
            }
            self.discarding = !done;
            return vec![Answer::Error(Refusal::Error(libc::EPERM))];
        }
        if self.transactions[socket] == Transaction::Failed {
            if done {
                self.transactions[socket] = Transaction::None;
            }
            return Vec::new();
        }
        let result = if let Err(refusal) = check_flags(header) {
            Err(refusal)
        } else if done {
            self.commit(socket, payload, short)
        } else {
            self.add(socket, header, payload, short)
        };
        match result {
            Ok(answer) => answer.into_iter().collect(),
            Err(refusal) => {
                let next = if done {
                    Transaction::None
                } else {
                    Transaction::Failed
                };
                self.end(socket, next);
                vec![Answer::Error(refusal)]
            }
        }
    }

    fn commit(&mut self, socket: usize, payload: &[u8], short: bool) -> Result<Option<Answer>> {
        let count = match self.transactions[socket] {
            Transaction::Open { count, .. } => count,
            _ => return Err(MALFORMED),
        };
        if !payload.is_empty() && payload.len() != 4 {
            return Err(MALFORMED);
        }
        if short {
            return refuse(libc::ENOMEM);
        }
        if let Ok(value) = payload.try_into().map(i32::from_ne_bytes)
            && value < 0
        {
            self.end(socket, Transaction::None);
            return Ok(Some(Answer::Done(value as u32)));
        }
        self.table = self.edited.take().expect("a transaction is open");
        self.transactions[socket] = Transaction::None;
        self.purge();
        Ok(Some(Answer::Done(count)))
    }

    fn add(
        &mut self,
        socket: usize,
        header: &Header,
        payload: &[u8],
        short: bool,
    ) -> Result<Option<Answer>> {
        if !is_change(header.kind) {
            return Err(MALFORMED);
        }
        let (count, mut echo) = match self.transactions[socket] {
            Transaction::Open { count, echo, .. } => (count, echo),
            _ if self.edited.is_some() => return refuse(libc::EBUSY),
            _ => (0, false),
        };
        if short {
            return refuse(libc::ENOMEM);
        }
        echo |= header.flags & flag::ECHO != 0;
        let edited = self.edited.get_or_insert_with(|| self.table.clone());
        // from here on a failure has something to end
        let last = *header;
        self.transactions[socket] = Transaction::Open { count, echo, last };
        edited.change(header, payload, &self.devices)?;
        self.transactions[socket] = Transaction::Open {
            count: count + 1,
            echo,
            last,
        };
        Ok(None)
    }
}

/// A message, or the header of what makes no sense, if it is whole.
pub type Split<'a> = std::result::Result<(Header, &'a [u8]), Option<Header>>;

/// The messages of a datagram: each with its payload; at the end what makes no sense.
pub fn split(datagram: &[u8]) -> Vec<Split<'_>> {
    let mut messages = Vec::new();
    let mut rest = datagram;
    while !rest.is_empty() {
        match message::first(rest) {
            Ok((header, payload, behind)) => {
                messages.push(Ok((header, payload)));
                rest = behind;
            }
            Err(header) => {
                messages.push(Err(header));
                break;
            }
        }
    }
    messages
}
