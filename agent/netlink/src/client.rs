// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests and their answers.

use std::io;
use std::time::{Duration, Instant};

use nl31_route::{Prefix, Route, Spec};

use crate::abi::*;
use crate::device::Device;
use crate::error::{Error, ErrorKind, Op};
use crate::message::{self, Body, Greeting, KernelError, Malformed, Message, Table};
use crate::path_flags::PathFlags;
use crate::request::{Datagram, Request};

/// Moves datagrams to the kernel and messages back.
pub trait Transport {
    /// Sends one datagram.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// The next message of the kernel, or `None` when the deadline has passed
    /// without one. A deadline that has passed already asks without waiting.
    fn receive(&mut self, deadline: Instant) -> Result<Option<Message>, ReceiveError>;

    /// A way of its own to the same kernel, which ends with its owner; `None` where this
    /// is the only one.
    fn another(&self) -> io::Result<Option<Box<dyn Transport>>> {
        Ok(None)
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        (**self).send(datagram)
    }

    fn receive(&mut self, deadline: Instant) -> Result<Option<Message>, ReceiveError> {
        (**self).receive(deadline)
    }

    fn another(&self) -> io::Result<Option<Box<dyn Transport>>> {
        (**self).another()
    }
}

/// Why there is no next message.
#[derive(Debug)]
pub enum ReceiveError {
    /// Messages were lost: the receive buffer was full (`ENOBUFS`).
    Overrun,
    /// What was received is not of this protocol.
    Malformed(Malformed),
    /// The socket failed.
    Io(io::Error),
}

impl From<io::Error> for ReceiveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Malformed> for ReceiveError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

impl From<ReceiveError> for ErrorKind {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Overrun => Self::Overrun,
            ReceiveError::Malformed(error) => Self::Malformed(error),
            ReceiveError::Io(error) => Self::Io(error),
        }
    }
}

/// How a path is put into the table; the words are those of `ip route`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Add {
    /// Fails with `EEXIST` if the prefix has a path of this metric.
    Add,
    /// Takes the place of the first path of this metric, if there is one.
    Replace,
    /// The same, but fails with `ENOENT` if there is none.
    Change,
    /// Goes behind the paths of this metric; fails with `EEXIST` if exactly this
    /// path is there.
    Append,
}

impl Add {
    pub(crate) fn flags(self) -> u16 {
        match self {
            Self::Add => NLM_F_CREATE | NLM_F_EXCL,
            Self::Replace => NLM_F_CREATE | NLM_F_REPLACE,
            Self::Change => NLM_F_REPLACE,
            Self::Append => NLM_F_CREATE | NLM_F_APPEND,
        }
    }

    fn op(self) -> Op {
        match self {
            Self::Add => Op::Add,
            Self::Replace => Op::Replace,
            Self::Change => Op::Change,
            Self::Append => Op::Append,
        }
    }
}

/// A dump under way, see [`Client::next`]. Dropping it leaves the rest of it to be
/// skipped.
#[derive(Debug)]
pub struct Dump {
    seq: u32,
    interrupted: bool,
    /// When something of it was last heard.
    heard: Instant,
}

/// What came next in a dump.
#[derive(Debug)]
pub enum Step {
    /// A path, and why it is not in use.
    Route(Route<Device>, PathFlags),
    /// Nothing yet, see [`Client::poll_next`].
    Pending,
    /// The end.
    End {
        /// The table changed meanwhile: this is no picture of one moment.
        interrupted: bool,
    },
}

/// A part of a dump whose filter selects few takes as long as a look at the whole table.
const PARTS_PAUSE: u32 = 6;

/// Messages that one call of [`Client::skip`] reads.
const SKIPPED_MAX: usize = 256;

/// Asks the kernel, one request at a time.
///
/// Answers to requests that were given up are recognized by their sequence
/// numbers and skipped.
#[derive(Debug)]
pub struct Client<T> {
    transport: T,
    pub(crate) datagram: Datagram,
    next_seq: u32,
    timeout: Duration,
    /// Sequence number of the dump whose end was not seen yet. The kernel serves
    /// one dump a socket.
    open_dump: Option<u32>,
}

impl<T: Transport> Client<T> {
    /// Longest wait for an answer, or for the next part of one. The kernel answers
    /// at once; this only bounds what a fault can cost.
    pub const TIMEOUT: Duration = Duration::from_secs(5);

    /// A client over a transport.
    pub fn new(transport: T) -> Self {
        Self::with_timeout(transport, Self::TIMEOUT)
    }

    /// A client that gives up after `timeout`.
    pub fn with_timeout(transport: T, timeout: Duration) -> Self {
        Self {
            transport,
            datagram: Datagram::new(Datagram::ONE),
            next_seq: 1,
            timeout,
            open_dump: None,
        }
    }

    /// The transport.
    pub fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    /// Another client of the same kernel, for a look into a dump: the kernel forgets the
    /// rest with its socket, and what this one has still to hear stays where it is. `None`
    /// where this is the only one.
    pub fn another(&self) -> Result<Option<Client<Box<dyn Transport>>>, Error> {
        let other = self.transport.another()?;
        Ok(other.map(|transport| Client::with_timeout(transport, self.timeout)))
    }

    /// Asks whether the kernel's side is alive.
    pub fn ping(&mut self) -> Result<(), Error> {
        let seq = self.request(Op::Ping, &Request::Noop, 0)?;
        match self.answer(Op::Ping, seq)? {
            Body::Done(_) => Ok(()),
            other => Err(refused(Op::Ping, seq, other)),
        }
    }

    /// Says hello; the kernel's answer names this client.
    pub fn greet(&mut self, text: Option<&str>) -> Result<Greeting, Error> {
        let seq = self.request(Op::Greet, &Request::Greet(text), 0)?;
        match self.answer(Op::Greet, seq)? {
            Body::Greeting(greeting) => Ok(greeting),
            other => Err(refused(Op::Greet, seq, other)),
        }
    }

    /// Puts a path into the table.
    pub fn add(&mut self, how: Add, route: &Route<Device>) -> Result<(), Error> {
        self.acked(how.op(), &Request::NewRoute(route), how.flags())
    }

    /// Takes a path out of the table: the first of the prefix that has all that
    /// `spec` says; or, if it says nothing of the path, the prefix with its only
    /// path. Fails with `ESRCH` if there is none and `ENOTEMPTY` if the prefix
    /// has several.
    pub fn delete(&mut self, spec: &Spec<Device>) -> Result<(), Error> {
        let guard = if spec.has_path() { 0 } else { NLM_F_NONREC };
        self.acked(Op::Delete, &Request::DelRoute(spec), guard)
    }

    /// Takes a prefix with all its paths out of the table.
    pub fn delete_prefix(&mut self, prefix: Prefix) -> Result<(), Error> {
        let spec = Spec {
            prefix: Some(prefix),
            ..Spec::default()
        };
        self.acked(Op::Delete, &Request::DelRoute(&spec), 0)
    }

    /// Takes out every path that has all that `spec` says; its prefix stands for
    /// all that it covers.
    pub fn delete_all(&mut self, spec: &Spec<Device>) -> Result<(), Error> {
        self.acked(Op::Delete, &Request::DelRoute(spec), NLM_F_BULK)
    }

    /// The path in use for an address, or for all of a prefix.
    pub fn lookup(&mut self, prefix: Prefix) -> Result<Route<Device>, Error> {
        let spec = Spec {
            prefix: Some(prefix),
            ..Spec::default()
        };
        let seq = self.request(Op::Lookup, &Request::GetRoute(&spec), 0)?;
        match self.answer(Op::Lookup, seq)? {
            Body::NewRoute(message) => Ok(message.route),
            other => Err(refused(Op::Lookup, seq, other)),
        }
    }

    /// The table's counters.
    pub fn table(&mut self) -> Result<Table, Error> {
        let seq = self.request(Op::Table, &Request::GetTable, 0)?;
        match self.answer(Op::Table, seq)? {
            Body::Table(table) => Ok(table),
            other => Err(refused(Op::Table, seq, other)),
        }
    }

    /// Starts a dump of every path that has all that `spec` says; its prefix
    /// stands for all that it covers.
    pub fn dump(&mut self, spec: &Spec<Device>) -> Result<Dump, Error> {
        self.start_dump(spec, NLM_F_DUMP)
    }

    /// Starts a dump of the whole table as it is now, whatever changes meanwhile. It
    /// fails with `ESTALE` where too much changes for that.
    pub fn snapshot(&mut self) -> Result<Dump, Error> {
        self.start_dump(&Spec::default(), NLM_F_DUMP | NLM_F_ATOMIC)
    }

    fn start_dump(&mut self, spec: &Spec<Device>, flags: u16) -> Result<Dump, Error> {
        // The kernel answers EBUSY while another dump of the socket is open.
        while self.open_dump.is_some() {
            self.receive(Op::Dump, 0, self.deadline())?;
        }
        let seq = self.request(Op::Dump, &Request::GetRoute(spec), flags)?;
        self.open_dump = Some(seq);
        Ok(Dump {
            seq,
            interrupted: false,
            heard: Instant::now(),
        })
    }

    /// The next path of a dump; waits for it.
    pub fn next(&mut self, dump: &mut Dump) -> Result<Step, Error> {
        match self.step(dump, self.deadline())? {
            Step::Pending => Err(Error {
                op: Op::Dump,
                seq: dump.seq,
                kind: ErrorKind::TimedOut,
            }),
            step => Ok(step),
        }
    }

    /// The next path of a dump if it is there already. Fails when nothing has come for
    /// six times as long as this client waits for an answer.
    pub fn poll_next(&mut self, dump: &mut Dump) -> Result<Step, Error> {
        let step = self.step(dump, Instant::now())?;
        if matches!(step, Step::Pending) && dump.heard.elapsed() > self.timeout * PARTS_PAUSE {
            self.open_dump = None;
            return Err(Error {
                op: Op::Dump,
                seq: dump.seq,
                kind: ErrorKind::TimedOut,
            });
        }
        Ok(step)
    }

    /// Reads on in a dump that was given up, as far as it is there; gives whether there is
    /// more to read at once, or `None` when it is over. The kernel keeps what it dumps
    /// until then, and serves no other dump.
    pub fn skip(&mut self) -> Result<Option<bool>, Error> {
        for _ in 0..SKIPPED_MAX {
            if self.open_dump.is_none() {
                return Ok(None);
            }
            if self.try_receive(Op::Dump, 0, Instant::now())?.is_none() {
                return Ok(Some(false));
            }
        }
        Ok(Some(true))
    }

    fn step(&mut self, dump: &mut Dump, deadline: Instant) -> Result<Step, Error> {
        loop {
            let received = match self.try_receive(Op::Dump, dump.seq, deadline) {
                Err(error) => {
                    // What is left of it may have been lost with its end.
                    self.open_dump = None;
                    return Err(error);
                }
                Ok(received) => received,
            };
            let Some(message) = received else {
                return Ok(Step::Pending);
            };
            if message.header.seq != dump.seq {
                continue;
            }
            // Now, or a little later where it was waited for: no clock is read for it.
            dump.heard = deadline;
            dump.interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
            return match message.body {
                Body::NewRoute(message) => Ok(Step::Route(message.route, message.flags)),
                Body::Done(_) => Ok(Step::End {
                    interrupted: dump.interrupted,
                }),
                other => Err(refused(Op::Dump, dump.seq, other)),
            };
        }
    }

    /// The attribute of the last request that an error's offset points at.
    pub fn attribute_at(&self, offset: u32) -> Option<u16> {
        let (_, payload, _) = message::split(self.datagram.bytes()).ok()?;
        let wanted = (offset as usize).checked_sub(HEADER_LEN)?;
        let found = message::attributes(payload)
            .flatten()
            .find(|attribute| attribute.offset == wanted);
        found.map(|attribute| attribute.kind)
    }

    fn acked(&mut self, op: Op, request: &Request<'_>, flags: u16) -> Result<(), Error> {
        let seq = self.request(op, request, flags | NLM_F_ACK)?;
        match self.answer(op, seq)? {
            Body::Ack => Ok(()),
            other => Err(refused(op, seq, other)),
        }
    }

    fn request(&mut self, op: Op, request: &Request<'_>, flags: u16) -> Result<u32, Error> {
        let seq = self.reserve(1);
        self.datagram.clear();
        self.datagram
            .push(request, flags, seq)
            .expect("any one request fits");
        self.transport
            .send(self.datagram.bytes())
            .map_err(|error| io_error(op, seq, error))?;
        Ok(seq)
    }

    /// The first of `count` sequence numbers for use. Never 0, which is that of
    /// events.
    pub(crate) fn reserve(&mut self, count: u32) -> u32 {
        let last = self.next_seq.checked_add(count);
        let first = if last.is_some() { self.next_seq } else { 1 };
        self.next_seq = first + count;
        first
    }

    pub(crate) fn send(&mut self, op: Op, seq: u32, datagram: &[u8]) -> Result<(), Error> {
        self.transport
            .send(datagram)
            .map_err(|error| io_error(op, seq, error))
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Waits for the answer to a request.
    fn answer(&mut self, op: Op, seq: u32) -> Result<Body, Error> {
        let deadline = self.deadline();
        loop {
            let message = self.receive(op, seq, deadline)?;
            if message.header.seq == seq {
                return Ok(message.body);
            }
        }
    }

    /// Waits for the next message, whatever it belongs to.
    pub(crate) fn receive(
        &mut self,
        op: Op,
        seq: u32,
        deadline: Instant,
    ) -> Result<Message, Error> {
        let received = self.try_receive(op, seq, deadline)?;
        received.ok_or(Error {
            op,
            seq,
            kind: ErrorKind::TimedOut,
        })
    }

    pub(crate) fn try_receive(
        &mut self,
        op: Op,
        seq: u32,
        deadline: Instant,
    ) -> Result<Option<Message>, Error> {
        let received = loop {
            let received = self.transport.receive(deadline);
            // The kernel had no memory for the first part of a dump and makes us receive,
            // so that it can try again.
            if !matches!(&received, Ok(Some(message)) if message.body == Body::Noop) {
                break received;
            }
        };
        if let Ok(Some(message)) = &received {
            let ends = matches!(message.body, Body::Done(_) | Body::Error(_) | Body::Ack);
            if ends && self.open_dump == Some(message.header.seq) {
                self.open_dump = None;
            }
        }
        received.map_err(|error| {
            // The end of a dump may be among what was lost.
            self.open_dump = None;
            Error {
                op,
                seq,
                kind: error.into(),
            }
        })
    }
}

/// The error of an answer that is not the one hoped for.
pub(crate) fn refused(op: Op, seq: u32, body: Body) -> Error {
    let kind = match body {
        Body::Error(error) => ErrorKind::Kernel(Box::new(error)),
        _ => ErrorKind::Unexpected,
    };
    Error { op, seq, kind }
}

pub(crate) fn io_error(op: Op, seq: u32, error: io::Error) -> Error {
    let kind = match error.raw_os_error() {
        // The module went away below an open socket.
        Some(nix::libc::ECONNREFUSED | nix::libc::EPROTONOSUPPORT) => ErrorKind::Absent,
        _ => ErrorKind::Io(error),
    };
    Error { op, seq, kind }
}

impl From<io::Error> for Error {
    /// A socket that could not be opened.
    fn from(error: io::Error) -> Self {
        io_error(Op::Open, 0, error)
    }
}

impl KernelError {
    /// Whether the kernel refused for this reason.
    pub fn is(&self, errno: i32) -> bool {
        self.errno == errno
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FakeKernel;
    use nix::libc;
    use nl31_route::{DeviceName, Syntax};

    fn client() -> Client<FakeKernel> {
        Client::with_timeout(FakeKernel::default(), Duration::ZERO)
    }

    /// A kernel that says nothing.
    struct Mute;

    impl Transport for Mute {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }

        fn receive(&mut self, _: Instant) -> Result<Option<Message>, ReceiveError> {
            Ok(None)
        }
    }

    #[test]
    fn a_dump_is_not_waited_for_without_end() {
        let mut client = Client::new(Mute);
        let mut dump = client.dump(&Spec::default()).unwrap();
        assert!(matches!(client.poll_next(&mut dump), Ok(Step::Pending)));
        let mut client = Client::with_timeout(Mute, Duration::ZERO);
        let mut dump = client.dump(&Spec::default()).unwrap();
        let error = client.poll_next(&mut dump).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::TimedOut), "{error}");
        // Nor by the next one.
        client.dump(&Spec::default()).unwrap();
    }

    fn route(text: &str) -> Route<Device> {
        let route: Route<DeviceName> = text.parse().unwrap();
        route.map_device(Device::Name)
    }

    fn spec(text: &str) -> Spec<Device> {
        let spec = Syntax::CONFIG.parse(text, 0).unwrap().spec;
        spec.map_device(Device::Name)
    }

    fn table(client: &mut Client<FakeKernel>) -> Vec<String> {
        client
            .transport()
            .routes()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn dumped(client: &mut Client<FakeKernel>, filter: &str) -> (Vec<String>, bool) {
        let mut dump = client.dump(&spec(filter)).unwrap();
        let mut routes = Vec::new();
        loop {
            match client.next(&mut dump).unwrap() {
                Step::Route(route, _) => routes.push(route.to_string()),
                Step::Pending => unreachable!(),
                Step::End { interrupted } => return (routes, interrupted),
            }
        }
    }

    #[test]
    fn greets_and_pings() {
        let mut client = client();
        let greeting = client.greet(Some("hé")).unwrap();
        assert_eq!(greeting.text, "hello, port 1234: hé");
        assert_eq!((greeting.port, greeting.abi), (1234, ABI_VERSION));
        client.ping().unwrap();
    }

    #[test]
    fn changes_have_the_meaning_of_ip_route() {
        let mut client = client();
        client
            .add(Add::Add, &route("10.0.0.0/8 via 192.0.2.1"))
            .unwrap();
        let error = client
            .add(Add::Add, &route("10.0.0.0/8 via 192.0.2.2"))
            .unwrap_err();
        assert_eq!(error.errno(), Some(libc::EEXIST));
        client
            .add(Add::Replace, &route("10.0.0.0/8 via 192.0.2.2"))
            .unwrap();
        client
            .add(Add::Append, &route("10.0.0.0/8 dev eth0"))
            .unwrap();
        let error = client
            .add(Add::Change, &route("10.0.0.0/8 dev eth0 metric 5"))
            .unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENOENT));
        client
            .add(Add::Add, &route("blackhole 10.0.0.0/8 metric 5"))
            .unwrap();
        assert_eq!(
            table(&mut client),
            [
                "10.0.0.0/8 via 192.0.2.2",
                "10.0.0.0/8 dev eth0",
                "blackhole 10.0.0.0/8 metric 5"
            ]
        );

        assert_eq!(
            client.delete(&spec("10.0.0.0/8")).unwrap_err().errno(),
            Some(libc::ENOTEMPTY)
        );
        client.delete(&spec("10.0.0.0/8 dev eth0")).unwrap();
        assert_eq!(
            client.delete(&spec("11.0.0.0/8")).unwrap_err().errno(),
            Some(libc::ESRCH)
        );
        client.delete_prefix("10.0.0.0/8".parse().unwrap()).unwrap();
        assert!(table(&mut client).is_empty());
    }

    #[test]
    fn an_error_says_what_the_kernel_said() {
        let mut client = client();
        client.transport().devices.clear();
        let route = route("10.0.0.0/8 dev eth0").map_device(|_| Device::Index(2));
        let error = client.add(Add::Add, &route).unwrap_err();
        assert_eq!(error.op, Op::Add);
        assert_eq!(
            error.to_string(),
            "add (request 1): no such device (No such device (os error 19)) at byte 32"
        );
    }

    #[test]
    fn looks_up_the_longest_match() {
        let mut client = client();
        for text in [
            "default via 192.0.2.1",
            "10.0.0.0/8 dev eth0",
            "10.1.0.0/16 dev eth0",
        ] {
            client.add(Add::Add, &route(text)).unwrap();
        }
        let mut found = |text: &str| client.lookup(text.parse().unwrap()).map(|r| r.to_string());
        assert_eq!(found("10.1.2.3").unwrap(), "10.1.0.0/16 dev eth0");
        assert_eq!(found("10.2.0.0/15").unwrap(), "10.0.0.0/8 dev eth0");
        assert_eq!(found("11.0.0.1").unwrap(), "0.0.0.0/0 via 192.0.2.1");
        assert_eq!(found("::1").unwrap_err().errno(), Some(libc::ENETUNREACH));
    }

    #[test]
    fn a_path_by_name_waits_for_its_device_and_one_by_index_goes_with_it() {
        let mut client = client();
        let name = route("10.0.0.0/8 dev eth0");
        let index = route("11.0.0.0/8 dev eth0").map_device(|_| Device::Index(2));
        let behind = route("10.0.0.0/8 via 192.0.2.1 metric 5");
        for route in [&name, &index, &behind] {
            client.add(Add::Append, route).unwrap();
        }
        let dump = |client: &mut Client<FakeKernel>, device: Option<Device>| {
            let filter = Spec {
                device,
                ..Spec::default()
            };
            let mut dump = client.dump(&filter).unwrap();
            let mut found = Vec::new();
            while let Step::Route(route, flags) = client.next(&mut dump).unwrap() {
                found.push((route, flags.0));
            }
            found
        };
        assert_eq!(
            dump(&mut client, None),
            [
                (name.clone(), 0),
                (behind.clone(), FLAG_STANDBY),
                (index.clone(), 0)
            ]
        );
        // The index selects both.
        let both = [(name.clone(), 0), (index, 0)];
        assert_eq!(dump(&mut client, Some(Device::Index(2))), both);
        client.transport().unplug("eth0");
        let gone = FLAG_DEAD | FLAG_LINKDOWN;
        let left = [(name.clone(), gone), (behind.clone(), 0)];
        assert_eq!(dump(&mut client, None), left);
        assert_eq!(dump(&mut client, name.path.device.clone()), left[..1]);
        let address = "10.0.0.1".parse().unwrap();
        assert_eq!(client.lookup(address).unwrap(), behind);
        let again = crate::FakeDevice::new(7, "eth0");
        client.transport().devices.push(again);
        assert_eq!(client.lookup(address).unwrap(), name);
    }

    #[test]
    fn dumps_are_streamed_and_filtered() {
        let mut client = client();
        for i in 0..100u8 {
            client
                .add(Add::Add, &route(&format!("10.{i}.0.0/16 via 192.0.2.1")))
                .unwrap();
        }
        client
            .add(Add::Add, &route("blackhole 10.0.0.0/8"))
            .unwrap();
        assert_eq!(dumped(&mut client, "").0.len(), 101);
        assert_eq!(dumped(&mut client, "blackhole").0, ["blackhole 10.0.0.0/8"]);
        assert_eq!(
            dumped(&mut client, "10.64.0.0/10 via 192.0.2.1").0.len(),
            36
        );
        client.transport().interrupt_dump = true;
        assert!(dumped(&mut client, "").1);
        assert_eq!(dumped(&mut client, "192.0.2.0/24"), (vec![], false));
    }

    #[test]
    fn a_dump_given_up_does_not_disturb_what_follows() {
        let mut client = client();
        for i in 0..100u8 {
            client
                .add(Add::Add, &route(&format!("10.{i}.0.0/16 dev eth0")))
                .unwrap();
        }
        let mut dump = client.dump(&Spec::default()).unwrap();
        client.next(&mut dump).unwrap();
        assert_eq!(client.greet(None).unwrap().text, "hello, port 1234: world");
        assert_eq!(dumped(&mut client, "").0.len(), 100);
        client.dump(&Spec::default()).unwrap();
        assert_eq!(dumped(&mut client, "").0.len(), 100);
    }

    #[test]
    fn a_flush_takes_what_the_filter_names() {
        let mut client = client();
        for text in [
            "10.0.0.0/8 dev eth0",
            "10.1.0.0/16 dev eth0",
            "10.1.0.0/24 via 192.0.2.1",
        ] {
            client.add(Add::Add, &route(text)).unwrap();
        }
        client.delete_all(&spec("10.1.0.0/16 dev eth0")).unwrap();
        assert_eq!(
            table(&mut client),
            ["10.0.0.0/8 dev eth0", "10.1.0.0/24 via 192.0.2.1"]
        );
        client.delete_all(&Spec::default()).unwrap();
        assert!(table(&mut client).is_empty());
    }

    #[test]
    fn answers_to_others_are_skipped_and_silence_ends() {
        let mut client = client();
        // A DONE for request 99, which this client never made.
        let mut stray = Datagram::new(Datagram::ONE);
        stray.push(&Request::Done, 0, 99).unwrap();
        client.transport().inject(stray.bytes().to_vec());
        client.ping().unwrap();

        client.transport().mute = true;
        let error = client.ping().unwrap_err();
        assert!(matches!(error.kind, ErrorKind::TimedOut), "{error}");
    }

    #[test]
    fn a_noop_answers_nothing_and_is_passed_over() {
        let mut client = client();
        let mut noop = Datagram::new(Datagram::ONE);
        noop.push(&Request::Noop, 0, 1).unwrap();
        client.transport().inject(noop.bytes().to_vec());
        let mut dump = client.dump(&Spec::default()).unwrap();
        let step = client.next(&mut dump).unwrap();
        assert!(matches!(step, Step::End { .. }), "{step:?}");
    }

    #[test]
    fn damage_and_loss_are_errors_and_pass() {
        let mut client = client();
        client.transport().inject(vec![1, 2, 3]);
        let error = client.ping().unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Malformed(_)), "{error}");
        client.transport().overrun = true;
        let error = client.ping().unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Overrun), "{error}");
        client.ping().unwrap();
        // Lost with the end of a dump: the next one must not wait for that end.
        client.dump(&Spec::default()).unwrap();
        client.transport().overrun = true;
        client.ping().unwrap_err();
        assert_eq!(dumped(&mut client, "").0.len(), 0);
    }

    #[test]
    fn numbers_of_requests_never_are_that_of_events() {
        let mut client = client();
        client.next_seq = u32::MAX - 2;
        for _ in 0..5 {
            client.ping().unwrap();
            assert_ne!(client.next_seq, 0);
        }
        client.next_seq = u32::MAX - 2;
        assert_eq!(client.reserve(100), 1);
    }

    #[test]
    fn changes_need_the_capability() {
        let mut client = client();
        client.transport().admin = false;
        let error = client
            .add(Add::Add, &route("10.0.0.0/8 dev eth0"))
            .unwrap_err();
        assert_eq!(error.errno(), Some(libc::EPERM));
        client.greet(None).unwrap();
    }

    #[test]
    fn counts_the_table() {
        let mut client = client();
        client.add(Add::Add, &route("10.0.0.0/8 dev eth0")).unwrap();
        client
            .add(Add::Append, &route("10.0.0.0/8 via 192.0.2.1"))
            .unwrap();
        client.add(Add::Add, &route("::/0 dev eth0")).unwrap();
        let table = client.table().unwrap();
        assert_eq!(
            (table.routes4, table.paths4, table.routes6, table.paths6),
            (1, 2, 1, 1)
        );
        assert_eq!(table.generation, 3);
    }
}
