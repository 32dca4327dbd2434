// SPDX-License-Identifier: MIT OR Apache-2.0
//! A kernel in memory for tests: takes and gives the real bytes, as the ABI
//! header says, and can be told to fail.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use nix::libc;
use nl31_route::{DeviceName, Prefix, Route, Spec};

use crate::abi::*;
use crate::change::Add;
use crate::device::Device;
use crate::message::{self, Header, Message};
use crate::paths::Paths;
use crate::port::Port;
use crate::request::Datagram;
use crate::rtnetlink::InterfaceAddress;
use crate::socket::Inbox;
use crate::transport::{ReceiveError, Transport};

mod encode;
mod links;
mod ports;
mod routes;

use encode::{encode, put_header, put_route};
use routes::routes;

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
    /// Its largest packet.
    pub mtu: u32,
    /// Its addresses.
    pub addresses: Vec<InterfaceAddress>,
    /// Those of them that a DHCP client has added.
    pub leased: Vec<InterfaceAddress>,
    /// Its neighbours: address, hardware address, and the kernel's number of the state.
    pub neighbours: Vec<(IpAddr, [u8; 6], u16)>,
    /// The kind of a virtual link, the number of a VLAN and the index of the device below it.
    pub kind: Option<(String, Option<u16>, Option<u32>)>,
    /// Index of the bridge that it is a member of.
    pub master: Option<u32>,
    /// Its MAC address, and whether it takes another one only while it is down.
    pub mac: [u8; 6],
    /// See [`FakeDevice::mac`].
    pub keeps_mac_while_up: bool,
}

/// Names and indices of the virtual links of a [`FakeKernel`], for a test that maps one to the other.
pub type FakeLinks = Rc<RefCell<Vec<(DeviceName, u32)>>>;

impl FakeDevice {
    /// One that is up.
    pub fn new(index: u32, name: &str) -> Self {
        Self {
            index,
            name: name.parse().expect("the name of a device"),
            up: true,
            mtu: 1500,
            addresses: Vec::new(),
            leased: Vec::new(),
            neighbours: Vec::new(),
            kind: None,
            master: None,
            mac: match name {
                "lo" => [0; 6],
                _ => [2, 0, 0, 0, 0, index as u8],
            },
            keeps_mac_while_up: false,
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
    /// Those of them that were made.
    pub made: FakeLinks,
    /// Devices that are ports.
    pub ports: Vec<Port>,
    /// Whether the client may make changes.
    pub admin: bool,
    /// No port begins to forward.
    pub refuses_forwarding: bool,
    /// Most prefixes.
    pub max_routes: u32,
    /// Whether paths of the same metric share the load.
    pub multipath: bool,
    /// Requests are taken and not answered.
    pub mute: bool,
    /// The next receive reports that messages were lost.
    pub overrun: bool,
    /// The next datagram is not taken.
    pub no_memory: bool,
    /// A change comes between the parts of the next dump.
    pub interrupt_dump: bool,
    /// Another socket's change directly before the next dump or behind the next datagram that
    /// ends a transaction.
    pub change_between: Option<Route<Device>>,
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
    multipath: bool,
    changes: i32,
    failed: bool,
}

#[derive(Debug)]
struct FakeDump {
    seq: u32,
    /// That of the table which it shows.
    generation: u64,
    /// Its first message was made.
    has_told: bool,
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
            made: FakeLinks::default(),
            ports: Vec::new(),
            admin: true,
            refuses_forwarding: false,
            max_routes: u32::MAX,
            multipath: false,
            mute: false,
            overrun: false,
            no_memory: false,
            interrupt_dump: false,
            change_between: None,
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
        let mut ends_transaction = false;
        while !rest.is_empty() {
            let (header, payload, next) = message::split(rest).expect("clients send whole headers");
            ends_transaction |= header.kind == NLMSG_DONE;
            self.request(&header, payload);
            rest = &rest[next..];
        }
        if ends_transaction {
            self.change_by_other();
        }
        if self.mute {
            self.out.clear();
        }
        Ok(())
    }

    fn rtnetlink(&mut self, request: &[u8], each: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<()> {
        self.answer_rtnetlink(request, each);
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

    /// The same as readers see it, without the changes of an open transaction.
    pub fn published_routes(&self) -> Vec<Route<Device>> {
        routes(self.published())
    }

    /// A device goes, and the paths over its index and its port with it. Those over its name wait.
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
        self.ports.retain(|port| port.index != gone.index);
        self.made
            .borrow_mut()
            .retain(|(_, index)| *index != gone.index);
        for device in &mut self.devices {
            device.master = device.master.filter(|master| *master != gone.index);
        }
        // With a device go the VLANs over it.
        let over = |device: &&FakeDevice| {
            let parent = device.kind.as_ref().and_then(|(_, _, parent)| *parent);
            parent == Some(gone.index)
        };
        while let Some(device) = self.devices.iter().find(over) {
            let name = device.name.to_string();
            self.unplug(&name);
        }
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

    /// Closes the socket with the open transaction, which drops its changes.
    pub fn hang_up(&mut self) {
        if let Some(mut transaction) = self.transaction.take().filter(|open| !open.failed) {
            self.take_back(&mut transaction);
        }
    }

    fn take_back(&mut self, transaction: &mut Transaction) {
        self.table = std::mem::take(&mut transaction.before);
        self.events.truncate(transaction.events);
        self.generation = transaction.generation;
        self.multipath = transaction.multipath;
    }

    /// What everybody reads while a transaction is open.
    fn published(&self) -> &Table {
        match &self.transaction {
            Some(transaction) if !transaction.failed => &transaction.before,
            _ => &self.table,
        }
    }

    /// Makes the change of another socket.
    fn change_by_other(&mut self) {
        if let Some(route) = self.change_between.take() {
            let paths = self.table.entry(route.prefix).or_default();
            paths
                .add(Add::Append, route.path.clone())
                .expect("the path is new");
            self.notify(MSG_NEWROUTE, 0, route);
        }
    }

    fn published_generation(&self) -> u64 {
        match &self.transaction {
            Some(transaction) if !transaction.failed => transaction.generation,
            _ => self.generation,
        }
    }

    fn request(&mut self, header: &Header, payload: &[u8]) {
        let in_transaction = header.flags & NLM_F_MULTI != 0;
        if in_transaction && self.transaction.is_none() {
            self.transaction = Some(Transaction {
                before: self.table.clone(),
                events: self.events.len(),
                generation: self.generation,
                multipath: self.multipath,
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
        let changes = matches!(
            header.kind,
            MSG_NEWROUTE | MSG_DELROUTE | MSG_NEWTABLE | MSG_NEWPORT | MSG_DELPORT
        );
        if changes && !self.admin {
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
                self.set_multipath(payload);
                Ok(())
            }
            MSG_GETTABLE => {
                self.table(header);
                Ok(())
            }
            MSG_NEWPORT => self.new_port(payload),
            MSG_DELPORT => self.del_port(payload),
            MSG_GETPORT => {
                self.dump_ports(header);
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

    fn set_multipath(&mut self, payload: &[u8]) {
        let given = message::attributes(payload)
            .map(|attribute| attribute.expect("whole"))
            .find(|attribute| attribute.kind == TABLE_MULTIPATH);
        let Some(given) = given else { return };
        let on = given.payload != [0];
        if std::mem::replace(&mut self.multipath, on) == on {
            return;
        }
        let mut datagram = Datagram::new(1024);
        let body = self.table_body(on);
        encode(&mut datagram, MSG_NEWTABLE, 0, 0, 0, body);
        self.events.push_back(datagram.bytes().to_vec());
    }

    fn table(&mut self, header: &Header) {
        let published = match &self.transaction {
            Some(transaction) if !transaction.failed => transaction.multipath,
            _ => self.multipath,
        };
        let body = self.table_body(published);
        self.reply(header, MSG_NEWTABLE, 0, body);
    }

    fn table_body(
        &self,
        multipath: bool,
    ) -> impl FnOnce(&mut Datagram) -> Result<(), crate::Full> + use<> {
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
        let generation = self.published_generation();
        let max_routes = self.max_routes;
        move |out| {
            out.attribute(TABLE_GENERATION, &generation.to_ne_bytes())?;
            out.attribute(TABLE_ROUTES4, &routes4.to_ne_bytes())?;
            out.attribute(TABLE_ROUTES6, &routes6.to_ne_bytes())?;
            out.attribute(TABLE_PATHS4, &paths4.to_ne_bytes())?;
            out.attribute(TABLE_PATHS6, &paths6.to_ne_bytes())?;
            out.attribute(TABLE_MAX_ROUTES, &max_routes.to_ne_bytes())?;
            out.attribute(TABLE_MULTIPATH, &[multipath.into()])
        }
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
