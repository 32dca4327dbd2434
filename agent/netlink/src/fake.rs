// SPDX-License-Identifier: MIT OR Apache-2.0
//! A kernel in memory for tests: takes and gives the real bytes, as the ABI
//! header says, and can be told to fail.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::time::Instant;

use nix::libc;
use nl31_route::{DeviceName, PathKind, Prefix, PrefixError, Protocol, Route, Spec};

use crate::abi::*;
use crate::client::{Add, ReceiveError, Transport};
use crate::device::{Device, selects};
use crate::message::{self, Header, Message};
use crate::paths::{Conflict, Paths};
use crate::request::Datagram;
use crate::socket::Inbox;

type Table = BTreeMap<Prefix, Paths>;

/// Port id that the fake kernel gives its only socket.
const PORT: u32 = 1234;
/// Messages of a dump in one datagram.
const DUMP_BATCH: usize = 16;

/// Why a request is refused: error number, offset of the attribute in the
/// message, text.
type Refusal = (i32, Option<usize>, &'static str);

/// A network device of a [`FakeKernel`].
#[derive(Clone, Debug)]
pub struct FakeDevice {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: DeviceName,
    /// Whether it is up.
    pub up: bool,
}

impl FakeDevice {
    /// One that is up.
    pub fn new(index: u32, name: &str) -> Self {
        Self {
            index,
            name: name.parse().expect("the name of a device"),
            up: true,
        }
    }
}

/// A kernel in memory. As a [`Transport`] it is the socket too.
#[derive(Debug)]
pub struct FakeKernel {
    table: Table,
    generation: u64,
    /// Devices that exist, see [`FakeKernel::unplug`].
    pub devices: Vec<FakeDevice>,
    /// Whether the client may make changes.
    pub admin: bool,
    /// Most prefixes.
    pub max_routes: u32,
    /// Requests are taken and not answered.
    pub mute: bool,
    /// The next receive reports that messages were lost.
    pub overrun: bool,
    /// The next datagram is not taken.
    pub no_memory: bool,
    /// A change comes between the parts of the next dump.
    pub interrupt_dump: bool,
    /// Datagrams sent to it.
    pub datagrams: usize,
    transaction: Option<Transaction>,
    dump: Option<FakeDump>,
    out: VecDeque<Vec<u8>>,
    events: VecDeque<Vec<u8>>,
    inbox: Inbox,
}

#[derive(Debug)]
struct Transaction {
    before: Table,
    events: usize,
    generation: u64,
    changes: i32,
    failed: bool,
}

#[derive(Debug)]
struct FakeDump {
    seq: u32,
    /// The paths, each with its flags.
    routes: VecDeque<(Route<Device>, u32)>,
    filtered: bool,
    interrupted: bool,
}

impl Default for FakeKernel {
    fn default() -> Self {
        Self {
            table: Table::new(),
            generation: 0,
            devices: vec![FakeDevice::new(1, "lo"), FakeDevice::new(2, "eth0")],
            admin: true,
            max_routes: u32::MAX,
            mute: false,
            overrun: false,
            no_memory: false,
            interrupt_dump: false,
            datagrams: 0,
            transaction: None,
            dump: None,
            out: VecDeque::new(),
            events: VecDeque::new(),
            inbox: Inbox::default(),
        }
    }
}

impl Transport for FakeKernel {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        if std::mem::take(&mut self.no_memory) {
            return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        }
        self.datagrams += 1;
        let mut rest = datagram;
        while !rest.is_empty() {
            let (header, payload, next) = message::split(rest).expect("clients send whole headers");
            self.request(&header, payload);
            rest = &rest[next..];
        }
        if self.mute {
            self.out.clear();
        }
        Ok(())
    }

    fn receive(&mut self, _deadline: Instant) -> Result<Option<Message>, ReceiveError> {
        if std::mem::take(&mut self.overrun) {
            self.out.clear();
            self.dump = None;
            return Err(ReceiveError::Overrun);
        }
        loop {
            if let Some(message) = self.inbox.take()? {
                return Ok(Some(message));
            }
            if self.out.is_empty() {
                self.continue_dump();
            }
            let Some(datagram) = self.out.pop_front() else {
                return Ok(None);
            };
            self.inbox.put(&datagram);
        }
    }
}

impl FakeKernel {
    /// Whether a dump was not read to its end.
    pub fn dumps(&self) -> bool {
        self.dump.is_some()
    }

    /// The table, a path a line.
    pub fn routes(&self) -> Vec<Route<Device>> {
        routes(&self.table)
    }

    /// A device goes, and the paths over its index with it. Those over its name wait.
    pub fn unplug(&mut self, name: &str) {
        let gone = self
            .devices
            .iter()
            .position(|device| device.name.as_bytes() == name.as_bytes());
        let gone = self.devices.remove(gone.expect("the device is there"));
        let index = Device::Index(gone.index);
        for route in self.routes() {
            if route.path.device.as_ref() == Some(&index) {
                let filter = Spec {
                    device: Some(index.clone()),
                    ..Spec::default()
                };
                if let Some(paths) = self.table.get_mut(&route.prefix) {
                    paths.delete_all(&filter, &mut |_| None);
                }
                self.notify(MSG_DELROUTE, 0, route);
            }
        }
        self.table.retain(|_, paths| !paths.all().is_empty());
    }

    /// The next event that the multicast group would have got.
    pub fn event(&mut self) -> Option<Message> {
        let bytes = self.events.pop_front()?;
        Some(message::decode(&bytes).expect("own events can be read").0)
    }

    /// A message to the client that it did not ask for.
    pub fn inject(&mut self, datagram: Vec<u8>) {
        self.out.push_back(datagram);
    }

    /// The socket with the open transaction is closed, and what it had changed is dropped.
    pub fn hang_up(&mut self) {
        if let Some(mut transaction) = self.transaction.take().filter(|open| !open.failed) {
            self.take_back(&mut transaction);
        }
    }

    fn take_back(&mut self, transaction: &mut Transaction) {
        self.table = std::mem::take(&mut transaction.before);
        self.events.truncate(transaction.events);
        self.generation = transaction.generation;
    }

    /// What everybody reads while a transaction is open.
    fn published(&self) -> &Table {
        match &self.transaction {
            Some(transaction) if !transaction.failed => &transaction.before,
            _ => &self.table,
        }
    }

    fn request(&mut self, header: &Header, payload: &[u8]) {
        let in_transaction = header.flags & NLM_F_MULTI != 0;
        if in_transaction && self.transaction.is_none() {
            self.transaction = Some(Transaction {
                before: self.table.clone(),
                events: self.events.len(),
                generation: self.generation,
                changes: 0,
                failed: false,
            });
        }
        if in_transaction && header.kind == NLMSG_DONE {
            let transaction = self.transaction.take().expect("opened above");
            if !transaction.failed {
                self.reply(header, NLMSG_DONE, 0, |out| {
                    out.put(&transaction.changes.to_ne_bytes())
                });
            }
            return;
        }
        if self
            .transaction
            .as_ref()
            .is_some_and(|transaction| in_transaction && transaction.failed)
        {
            return;
        }
        let result = if header.flags & NLM_F_REQUEST == 0 {
            Err((libc::EINVAL, None, "NLM_F_REQUEST is not set"))
        } else {
            self.dispatch(header, payload)
        };
        match result {
            Ok(()) => {
                if let Some(transaction) = self.transaction.as_mut().filter(|_| in_transaction) {
                    transaction.changes += 1;
                } else if header.flags & NLM_F_ACK != 0 {
                    self.ack(header, payload, (0, None, ""));
                }
            }
            Err(refusal) => {
                if let Some(mut transaction) = self.transaction.take_if(|_| in_transaction) {
                    transaction.failed = true;
                    self.take_back(&mut transaction);
                    self.transaction = Some(transaction);
                }
                self.ack(header, payload, refusal);
            }
        }
    }

    fn dispatch(&mut self, header: &Header, payload: &[u8]) -> Result<(), Refusal> {
        if matches!(header.kind, MSG_NEWROUTE | MSG_DELROUTE | MSG_NEWTABLE) && !self.admin {
            return Err((libc::EPERM, None, "CAP_NET_ADMIN is needed"));
        }
        if matches!(header.kind, MSG_NEWROUTE | MSG_DELROUTE | MSG_NEWTABLE)
            && self.transaction.is_some()
            && header.flags & NLM_F_MULTI == 0
        {
            return Err((libc::EBUSY, None, "a transaction is open"));
        }
        match header.kind {
            NLMSG_NOOP => {
                self.reply(header, NLMSG_DONE, 0, |out| out.put(&0i32.to_ne_bytes()));
                Ok(())
            }
            MSG_GREET => self.greet(header, payload),
            MSG_NEWROUTE => {
                let spec = Self::spec(payload)?;
                self.check_device(payload, &spec)?;
                self.new_route(header, spec)
            }
            MSG_DELROUTE => {
                let spec = Self::spec(payload)?;
                self.del_route(header, &spec)
            }
            MSG_GETROUTE => {
                let spec = Self::spec(payload)?;
                self.get_route(header, spec)
            }
            MSG_NEWTABLE => {
                if header.flags & NLM_F_REPLACE != 0 {
                    self.table.clear();
                    self.generation += 1;
                }
                Ok(())
            }
            MSG_GETTABLE => {
                self.table(header);
                Ok(())
            }
            _ => Err((libc::EOPNOTSUPP, None, "unknown message type")),
        }
    }

    fn greet(&mut self, header: &Header, payload: &[u8]) -> Result<(), Refusal> {
        let mut text = String::from("world");
        for attribute in message::attributes(payload).map(|attribute| attribute.expect("whole")) {
            assert_eq!(attribute.kind, GREET_TEXT);
            let bytes = attribute
                .payload
                .strip_suffix(b"\0")
                .unwrap_or(attribute.payload);
            text = String::from_utf8_lossy(bytes).into_owned();
        }
        let text = format!("hello, port {PORT}: {text}");
        self.reply(header, MSG_GREET, 0, |out| {
            out.string(GREET_TEXT, &text)?;
            out.attribute(GREET_PORTID, &PORT.to_ne_bytes())?;
            out.string(GREET_VERSION, "0.0-fake")?;
            out.attribute(GREET_ABI, &ABI_VERSION.to_ne_bytes())
        });
        Ok(())
    }

    /// Reads route attributes strictly.
    fn spec(payload: &[u8]) -> Result<Spec<Device>, Refusal> {
        let mut spec = Spec::default();
        let (mut address, mut len) = (None, None);
        for attribute in message::attributes(payload) {
            let attribute = attribute.map_err(|_| (libc::EINVAL, None, "malformed attribute"))?;
            let at = Some(HEADER_LEN + attribute.offset);
            let bad = |_| (libc::EINVAL, at, "wrong length");
            let bytes = attribute.payload;
            let number = || message::array(bytes).map(u32::from_ne_bytes).map_err(bad);
            let byte = || message::array(bytes).map(u8::from_ne_bytes).map_err(bad);
            match attribute.kind {
                ROUTE_DST => address = Some((message::address(bytes).map_err(bad)?, at)),
                ROUTE_DST_LEN => len = Some((byte()?, at)),
                ROUTE_TYPE => {
                    let kind = PathKind::try_from(byte()?);
                    spec.kind = Some(kind.map_err(|()| (libc::EINVAL, at, "unknown route type"))?);
                }
                ROUTE_GATEWAY => {
                    let gateway = message::address(bytes).map_err(bad)?;
                    if !is_host(gateway) {
                        let text = "the gateway is not the address of a host";
                        return Err((libc::EINVAL, at, text));
                    }
                    spec.gateway = Some(gateway);
                }
                ROUTE_OIF => spec.device = Some(Device::Index(number()?)),
                ROUTE_OIF_NAME => {
                    let name = message::device_name(bytes)
                        .map_err(|_| (libc::EINVAL, at, "not the name of a device"))?;
                    spec.device = Some(Device::Name(name));
                }
                ROUTE_METRIC => spec.metric = Some(number()?),
                ROUTE_PROTOCOL => spec.protocol = Some(Protocol(byte()?)),
                _ => return Err((libc::EINVAL, at, "unknown attribute")),
            }
        }
        if let Some((address, at)) = address {
            spec.prefix = Some(match len {
                None => Prefix::host(address),
                Some((len, len_at)) => Prefix::new(address, len).map_err(|error| match error {
                    PrefixError::HostBits(_) => {
                        (libc::EINVAL, at, "bits set beyond the prefix length")
                    }
                    _ => (libc::EINVAL, len_at, "prefix length too long"),
                })?,
            });
        }
        Ok(spec)
    }

    /// A path over an index needs its device; one over a name waits for it.
    fn check_device(&self, payload: &[u8], spec: &Spec<Device>) -> Result<(), Refusal> {
        let Some(Device::Index(index)) = spec.device else {
            return Ok(());
        };
        if self.devices.iter().any(|device| device.index == index) {
            return Ok(());
        }
        let mut given = message::attributes(payload).flatten();
        let oif = given.find(|attribute| attribute.kind == ROUTE_OIF);
        let at = oif.map(|oif| HEADER_LEN + oif.offset);
        Err((libc::ENODEV, at, "no such device"))
    }

    fn new_route(&mut self, header: &Header, spec: Spec<Device>) -> Result<(), Refusal> {
        let prefix = spec
            .prefix
            .ok_or((libc::EINVAL, None, "destination is missing"))?;
        let path = spec.path();
        let known = self.table.contains_key(&prefix);
        if !known && self.table.len() >= self.max_routes as usize {
            return Err((libc::ENOSPC, None, "table is full"));
        }
        let (how, exists) = match (header.flags & NLM_F_REPLACE, header.flags & NLM_F_APPEND) {
            (0, 0) => (Add::Add, "prefix has a path of this metric"),
            (0, _) => (Add::Append, "path is there"),
            _ if header.flags & NLM_F_CREATE == 0 => (Add::Change, "path is there"),
            _ => (Add::Replace, "path is there"),
        };
        let paths = self.table.entry(prefix).or_default();
        let result = paths.add(how, path.clone()).map_err(|conflict| {
            let text = match conflict {
                Conflict::Exists => exists,
                Conflict::Missing => "no such path",
                Conflict::Several | Conflict::TooMany => "",
            };
            (conflict.errno(false), None, text)
        });
        if paths.all().is_empty() {
            self.table.remove(&prefix);
        }
        let flags = if result? { NLM_F_REPLACE } else { 0 };
        self.notify(MSG_NEWROUTE, flags, Route { prefix, path });
        Ok(())
    }

    fn del_route(&mut self, header: &Header, spec: &Spec<Device>) -> Result<(), Refusal> {
        let bulk = header.flags & NLM_F_BULK != 0;
        let mut gone = Vec::new();
        let mut index_of = |name: &DeviceName| index_of(&self.devices, name);
        if bulk {
            for (&prefix, paths) in &mut self.table {
                if spec.prefix.is_none_or(|filter| filter.covers(prefix)) {
                    let paths = paths.delete_all(spec, &mut index_of).into_iter();
                    gone.extend(paths.map(|path| Route { prefix, path }));
                }
            }
        } else {
            let prefix = spec
                .prefix
                .ok_or((libc::EINVAL, None, "destination is missing"))?;
            let missing = (libc::ESRCH, None, "");
            let paths = self.table.get_mut(&prefix).ok_or(missing)?;
            let before = paths.clone();
            if spec.has_path() || header.flags & NLM_F_NONREC != 0 {
                paths.delete(spec, &mut index_of).map_err(|conflict| {
                    let text = match conflict {
                        Conflict::Several => "prefix has several paths",
                        _ => "",
                    };
                    (conflict.errno(true), None, text)
                })?;
            } else if paths.delete_all(spec, &mut index_of).is_empty() {
                return Err((libc::ESRCH, None, ""));
            }
            let left = paths.all();
            let before = before.all().iter().filter(|path| !left.contains(path));
            gone.extend(before.cloned().map(|path| Route { prefix, path }));
        }
        self.table.retain(|_, paths| !paths.all().is_empty());
        for route in gone {
            self.notify(MSG_DELROUTE, 0, route);
        }
        Ok(())
    }

    fn get_route(&mut self, header: &Header, spec: Spec<Device>) -> Result<(), Refusal> {
        if header.flags & NLM_F_DUMP == 0 {
            let wanted = spec
                .prefix
                .ok_or((libc::EINVAL, None, "destination is missing"))?;
            let covering = self
                .published()
                .iter()
                .filter(|(prefix, _)| prefix.covers(wanted));
            let usable = covering.filter_map(|(&prefix, paths)| {
                let path = (paths.all().iter())
                    .find(|path| unusable(&self.devices, path.device.as_ref()) == 0)?;
                let path = path.clone();
                Some(Route { prefix, path })
            });
            let route = usable.max_by_key(|route| route.prefix.len()).ok_or((
                libc::ENETUNREACH,
                None,
                "",
            ))?;
            let devices = self.devices.clone();
            self.reply(header, MSG_NEWROUTE, 0, |out| {
                put_route(out, &route, &devices)
            });
            return Ok(());
        }
        if self.dump.is_some() {
            return Err((libc::EBUSY, None, "a dump is under way"));
        }
        let mut index_of = |name: &DeviceName| index_of(&self.devices, name);
        let mut in_use = None;
        let all = routes(self.published()).into_iter().map(|route| {
            let mut flags = unusable(&self.devices, route.path.device.as_ref());
            if flags == 0 {
                let standby = in_use.replace(route.prefix) == Some(route.prefix);
                flags = if standby { FLAG_STANDBY } else { 0 };
            }
            (route, flags)
        });
        let routes = all.filter(|(route, _)| {
            spec.prefix.is_none_or(|prefix| prefix.covers(route.prefix))
                && selects(&spec, &route.path, &mut index_of)
        });
        self.dump = Some(FakeDump {
            seq: header.seq,
            routes: routes.collect(),
            filtered: spec != Spec::default(),
            interrupted: std::mem::take(&mut self.interrupt_dump),
        });
        Ok(())
    }

    fn continue_dump(&mut self) {
        let Some(mut dump) = self.dump.take() else {
            return;
        };
        let mut flags = NLM_F_MULTI;
        flags |= if dump.filtered {
            NLM_F_DUMP_FILTERED
        } else {
            0
        };
        flags |= if dump.interrupted { NLM_F_DUMP_INTR } else { 0 };
        let mut datagram = Datagram::new(DUMP_BATCH * 128);
        let ended = dump.routes.is_empty();
        if ended {
            encode(&mut datagram, NLMSG_DONE, flags, dump.seq, PORT, |out| {
                out.put(&[0; 4])
            });
        }
        for (route, path_flags) in dump.routes.drain(..dump.routes.len().min(DUMP_BATCH)) {
            encode(&mut datagram, MSG_NEWROUTE, flags, dump.seq, PORT, |out| {
                put_route(out, &route, &self.devices)?;
                match path_flags {
                    0 => Ok(()),
                    flags => out.attribute(ROUTE_FLAGS, &flags.to_ne_bytes()),
                }
            });
        }
        self.out.push_back(datagram.bytes().to_vec());
        self.dump = (!ended).then_some(dump);
    }

    fn table(&mut self, header: &Header) {
        let count = |v4: bool| {
            let of_family = self
                .published()
                .iter()
                .filter(|(prefix, _)| prefix.address().is_ipv4() == v4);
            of_family.fold((0u32, 0u32), |(routes, paths), (_, list)| {
                (routes + 1, paths + list.all().len() as u32)
            })
        };
        let ((routes4, paths4), (routes6, paths6)) = (count(true), count(false));
        let generation = match &self.transaction {
            Some(transaction) if !transaction.failed => transaction.generation,
            _ => self.generation,
        };
        let max_routes = self.max_routes;
        self.reply(header, MSG_NEWTABLE, 0, |out| {
            out.attribute(TABLE_GENERATION, &generation.to_ne_bytes())?;
            out.attribute(TABLE_ROUTES4, &routes4.to_ne_bytes())?;
            out.attribute(TABLE_ROUTES6, &routes6.to_ne_bytes())?;
            out.attribute(TABLE_PATHS4, &paths4.to_ne_bytes())?;
            out.attribute(TABLE_PATHS6, &paths6.to_ne_bytes())?;
            out.attribute(TABLE_MAX_ROUTES, &max_routes.to_ne_bytes())
        });
    }

    fn notify(&mut self, kind: u16, flags: u16, route: Route<Device>) {
        self.generation += 1;
        let generation = self.generation;
        let mut datagram = Datagram::new(Datagram::ONE);
        encode(&mut datagram, kind, flags, 0, 0, |out| {
            put_route(out, &route, &self.devices)?;
            out.attribute(ROUTE_GENERATION, &generation.to_ne_bytes())
        });
        self.events.push_back(datagram.bytes().to_vec());
    }

    fn reply(
        &mut self,
        header: &Header,
        kind: u16,
        flags: u16,
        payload: impl FnOnce(&mut Datagram) -> Result<(), crate::Full>,
    ) {
        let mut datagram = Datagram::new(1024);
        encode(&mut datagram, kind, flags, header.seq, PORT, payload);
        self.out.push_back(datagram.bytes().to_vec());
    }

    /// An ack as a socket with `NETLINK_CAP_ACK` and `NETLINK_EXT_ACK` gets it.
    fn ack(&mut self, header: &Header, payload: &[u8], (errno, offset, text): Refusal) {
        let mut flags = NLM_F_CAPPED;
        if offset.is_some() || !text.is_empty() {
            flags |= NLM_F_ACK_TLVS;
        }
        let len = (HEADER_LEN + payload.len()) as u32;
        let request = *header;
        self.reply(header, NLMSG_ERROR, flags, |out| {
            out.put(&(-errno).to_ne_bytes())?;
            put_header(out, len, &request)?;
            if !text.is_empty() {
                out.string(NLMSGERR_ATTR_MSG, text)?;
            }
            if let Some(offset) = offset {
                out.attribute(NLMSGERR_ATTR_OFFS, &(offset as u32).to_ne_bytes())?;
            }
            Ok(())
        });
    }
}

fn routes(table: &Table) -> Vec<Route<Device>> {
    let each = table.iter();
    each.flat_map(|(&prefix, paths)| {
        let paths = paths.all().iter().cloned();
        paths.map(move |path| Route { prefix, path })
    })
    .collect()
}

fn is_host(gateway: IpAddr) -> bool {
    let zero = match gateway {
        IpAddr::V4(gateway) => gateway.octets()[0] == 0 || gateway.is_broadcast(),
        IpAddr::V6(gateway) => gateway.is_unspecified(),
    };
    !zero && !gateway.is_multicast()
}

fn index_of(devices: &[FakeDevice], name: &DeviceName) -> Option<u32> {
    let found = devices.iter().find(|device| device.name == *name);
    found.map(|device| device.index)
}

/// The flags of a path that its device keeps from being used; 0 where it does not.
fn unusable(devices: &[FakeDevice], of_path: Option<&Device>) -> u32 {
    let found = match of_path {
        None => return 0,
        Some(Device::Name(name)) => devices.iter().find(|device| device.name == *name),
        Some(Device::Index(index)) => devices.iter().find(|device| device.index == *index),
    };
    match found {
        None => FLAG_LINKDOWN | FLAG_DEAD,
        Some(device) if !device.up => FLAG_LINKDOWN,
        Some(_) => 0,
    }
}

fn put_header(out: &mut Datagram, len: u32, header: &Header) -> Result<(), crate::Full> {
    out.put(&len.to_ne_bytes())?;
    out.put(&header.kind.to_ne_bytes())?;
    out.put(&header.flags.to_ne_bytes())?;
    out.put(&header.seq.to_ne_bytes())?;
    out.put(&header.port.to_ne_bytes())
}

/// A route as the kernel writes it: with every attribute that has a value.
fn put_route(
    out: &mut Datagram,
    route: &Route<Device>,
    devices: &[FakeDevice],
) -> Result<(), crate::Full> {
    let path = &route.path;
    let put_address = |out: &mut Datagram, kind, address| match address {
        IpAddr::V4(address) => out.attribute(kind, &address.octets()),
        IpAddr::V6(address) => out.attribute(kind, &address.octets()),
    };
    put_address(out, ROUTE_DST, route.prefix.address())?;
    out.attribute(ROUTE_DST_LEN, &[route.prefix.len()])?;
    out.attribute(ROUTE_TYPE, &[path.kind as u8])?;
    if let Some(gateway) = path.gateway {
        put_address(out, ROUTE_GATEWAY, gateway)?;
    }
    let index = match &path.device {
        None => None,
        Some(Device::Index(index)) => Some(*index),
        Some(Device::Name(name)) => {
            out.terminated(ROUTE_OIF_NAME, name.as_bytes())?;
            index_of(devices, name)
        }
    };
    if let Some(index) = index {
        out.attribute(ROUTE_OIF, &index.to_ne_bytes())?;
    }
    out.attribute(ROUTE_METRIC, &path.metric.to_ne_bytes())?;
    out.attribute(ROUTE_PROTOCOL, &[path.protocol.0])
}

fn encode(
    out: &mut Datagram,
    kind: u16,
    flags: u16,
    seq: u32,
    port: u32,
    payload: impl FnOnce(&mut Datagram) -> Result<(), crate::Full>,
) {
    let mut message = Datagram::new(1024);
    payload(&mut message).expect("fits");
    let len = (HEADER_LEN + message.bytes().len()) as u32;
    put_header(
        out,
        len,
        &Header {
            kind,
            flags,
            seq,
            port,
        },
    )
    .expect("fits");
    out.put(message.bytes()).expect("fits");
}
