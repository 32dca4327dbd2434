// SPDX-License-Identifier: MIT OR Apache-2.0
//! A script played to a kernel and to the model, with all that the kernel says compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::{self, Attributes, HEADER_LEN, Header, flag, kind};
use crate::model::{self, Answer, Model, Path, Prefix, Route, SOCKETS};
use crate::script::{Device, Step};

/// Something that speaks protocol 31, with an empty table. Sockets 0 to [`SOCKETS`] - 1 are those
/// of the script; [`LISTENER`] joined the group of events, [`OBSERVER`] asks what was done.
pub trait Kernel {
    /// Port id of a socket.
    fn port(&self, socket: usize) -> u32;
    /// Whether a socket asked for texts, and for errors with the header only.
    fn options(&self, socket: usize) -> (bool, bool);
    /// Sends a datagram while the allocation of this number from then on fails, 0 for none. False
    /// if it could not be sent.
    fn send(&mut self, socket: usize, datagram: &[u8], fail: u8) -> bool;
    /// Whether an allocation has failed since, and makes an end of that.
    fn failed(&mut self) -> bool;
    /// The next datagram, if there is one, or an error number.
    fn receive(&mut self, socket: usize) -> Result<Option<Vec<u8>>, i32>;
    /// Closes a socket and opens another one.
    fn reopen(&mut self, socket: usize);
    /// Whether a device is there, and up.
    fn device(&self, index: usize) -> Option<bool>;
    /// What a device is called when it is there.
    fn device_name(&self, index: usize) -> Vec<u8>;
    /// Does something to a device; false if it cannot.
    fn set_device(&mut self, index: usize, change: Device) -> bool;
    /// Lets time pass for transactions to expire; false if it cannot.
    fn idle(&mut self) -> bool;
    /// Lets a grace period pass.
    fn grace(&mut self);
    /// What the sockets may do; false if it cannot.
    fn admin(&mut self, admin: bool) -> bool;
}

/// Hears of all changes.
pub const LISTENER: usize = SOCKETS;
/// Asks what the table holds.
pub const OBSERVER: usize = SOCKETS + 1;

/// A message from the kernel.
#[derive(Clone, Debug)]
struct Message {
    header: Header,
    payload: Vec<u8>,
}

/// A dump that goes on while other answers come.
#[derive(Clone, Debug)]
struct Dump {
    seq: u32,
    expected: Vec<Route>,
    got: Vec<Route>,
    interrupted: bool,
    atomic: bool,
    /// That its first message says.
    generation: Option<u64>,
}

/// What a socket was sent and has not received the answers of.
#[derive(Clone, Debug, Default)]
struct Pending {
    answers: Vec<(Header, Vec<u8>, Answer)>,
    echoing: BTreeSet<u32>,
    dumps: Vec<Dump>,
}

/// What a listener makes of events alone: the paths of each prefix, in their order.
#[derive(Clone, Debug, Default)]
struct Replica(BTreeMap<Prefix, Vec<Path>>);

impl Replica {
    fn event(&mut self, header: &Header, (prefix, path): Route) {
        let paths = self.0.entry(prefix).or_default();
        let place = match (header.kind, header.flags) {
            (kind::DELROUTE, 0) => paths.iter().position(|other| *other == path).map(|at| {
                paths.remove(at);
            }),
            (kind::NEWROUTE, flag::CREATE) => {
                let end = paths.partition_point(|other| other.metric <= path.metric);
                paths.insert(end, path.clone());
                Some(())
            }
            (kind::NEWROUTE, flag::REPLACE) => {
                let same = paths.iter().position(|other| other.metric == path.metric);
                same.map(|at| paths[at] = path.clone())
            }
            event => panic!("an event of type and flags {event:?}"),
        };
        assert!(place.is_some(), "{header:?} of {path:?}, but {paths:?}");
        if paths.is_empty() {
            self.0.remove(&prefix);
        }
    }

    fn routes(&self) -> Vec<Route> {
        let routes = self.0.iter();
        let routes = routes
            .flat_map(|(&prefix, paths)| paths.iter().map(move |path| (prefix, path.clone())));
        routes.collect()
    }

    fn from(routes: Vec<Route>) -> Self {
        let mut replica = Self::default();
        for (prefix, path) in routes {
            replica.0.entry(prefix).or_default().push(path);
        }
        replica
    }
}

struct Exchange<'a, K> {
    kernel: &'a mut K,
    model: Model,
    pending: [Pending; SOCKETS],
    /// What the listener knows, by its events.
    heard: Replica,
    generation: Option<u64>,
    max_routes: u32,
}

/// Plays a script. Panics where the kernel does what the model does not.
pub fn play(kernel: &mut impl Kernel, steps: &[Step]) {
    let mut model = Model::default();
    for index in 1..=model::DEVICES {
        model.set_name(index, &kernel.device_name(index));
        if let Some(up) = kernel.device(index) {
            model.set_device(index, Some(up));
        }
    }
    let max_routes = model.max_routes();
    let mut exchange = Exchange {
        kernel,
        model,
        pending: Default::default(),
        heard: Replica::default(),
        generation: None,
        max_routes,
    };
    let shown = std::env::var_os("NL31_FUZZ_SHOW").is_some();
    for step in steps {
        if shown {
            eprintln!("{step:02x?}");
        }
        exchange.step(step);
    }
    for socket in 0..SOCKETS {
        exchange.receive(socket);
    }
    exchange.compare();
}

impl<K: Kernel> Exchange<'_, K> {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Send {
                socket,
                datagram,
                fail,
                hold,
            } => {
                // what happens to a purge that fails is not the model's, and which message had
                // no memory is told by its number
                let unclear = self.model.has_dead_paths() || !are_numbered(datagram);
                let fail = if unclear { 0 } else { *fail };
                if fail == 0 {
                    self.send(*socket, datagram);
                    if !hold {
                        self.receive(*socket);
                    }
                } else {
                    self.receive(*socket);
                    self.send_failing(*socket, datagram, fail);
                }
                self.listen();
            }
            Step::Reopen(socket) => self.reopen(*socket),
            Step::Device(index, change) => {
                let there = self.model.has_device(*index);
                // only one that is there can go; it comes by going up or down
                if (there || *change != Device::Gone) && self.kernel.set_device(*index, *change) {
                    let state = (*change != Device::Gone).then_some(*change == Device::Up);
                    self.model.set_device(*index, state);
                }
                self.listen();
            }
            Step::Idle => {
                if self.kernel.idle()
                    && let Some((socket, last)) = self.model.idle()
                {
                    let answer = Answer::Error(model::Refusal::Error(libc::ETIMEDOUT));
                    // only the header of what it names is there
                    let asked = Header { len: 0, ..last };
                    let pending = &mut self.pending[socket].answers;
                    pending.push((asked, Vec::new(), answer));
                }
                self.listen();
            }
            Step::Grace => self.kernel.grace(),
            Step::Admin(admin) => {
                if self.kernel.admin(*admin) {
                    self.model.admin = *admin;
                }
            }
        }
    }

    fn reopen(&mut self, socket: usize) {
        self.kernel.reopen(socket);
        self.model.close(socket);
        self.pending[socket] = Pending::default();
        self.listen();
    }

    /// Has the model say what a datagram does. `short` are the messages that memory was short for.
    fn expect(
        model: &mut Model,
        pending: &mut Pending,
        socket: usize,
        datagram: &[u8],
        short: &dyn Fn(usize) -> bool,
    ) {
        model.begin();
        for (index, message) in model::split(datagram).into_iter().enumerate() {
            let (header, payload) = match message {
                Ok(message) => message,
                Err(header) => {
                    model.malformed(socket, header.as_ref());
                    // a header that is cut off is filled up with zeros
                    let answer = Answer::Error(model::Refusal::Malformed);
                    let header = header.unwrap_or(Header {
                        len: 0,
                        kind: 0,
                        flags: 0,
                        seq: cut_seq(datagram),
                        port: 0,
                    });
                    pending.answers.push((header, Vec::new(), answer));
                    return;
                }
            };
            if header.flags & flag::ECHO != 0 {
                pending.echoing.insert(header.seq);
            }
            let echoes = model.echoes(socket);
            for answer in model.message(socket, &header, payload, short(index)) {
                if echoes && matches!(answer, Answer::Done(_)) {
                    pending.echoing.insert(header.seq);
                }
                pending.answers.push((header, payload.to_vec(), answer));
            }
        }
    }

    fn send(&mut self, socket: usize, datagram: &[u8]) {
        if self.kernel.send(socket, datagram, 0) {
            let pending = &mut self.pending[socket];
            Self::expect(&mut self.model, pending, socket, datagram, &|_| false);
        }
    }

    /// One allocation fails, in whatever is done for one of the messages. It says so, and nothing
    /// of it is done; or its answer is lost, and the socket is told.
    fn send_failing(&mut self, socket: usize, datagram: &[u8], fail: u8) {
        let before = self.model.clone();
        if !self.kernel.send(socket, datagram, fail) {
            self.kernel.failed();
            return;
        }
        let (messages, lost) = self.messages(socket);
        let failed = self.kernel.failed();
        let mut trouble = BTreeSet::new();
        for message in &messages {
            if message.header.kind == kind::ERROR && error_of(message) == -libc::ENOMEM {
                assert!(failed, "no memory, though no allocation failed");
                trouble.insert(message.header.seq);
            }
        }
        let woken = messages
            .iter()
            .any(|message| message.header.kind == kind::NOOP);
        if !lost && !woken {
            let all = model::split(datagram);
            let short = |index: usize| {
                let header = all[index].as_ref().map(|(header, _)| *header);
                header.is_ok_and(|header| trouble.contains(&header.seq))
            };
            let mut model = before;
            let pending = &mut self.pending[socket];
            Self::expect(&mut model, pending, socket, datagram, &short);
            self.model = model;
            self.answered(socket, messages);
            return;
        }
        assert!(failed, "something was lost, though no allocation failed");
        // with its socket its transaction goes, which no listener sees
        self.kernel.reopen(socket);
        self.pending[socket] = Pending::default();
        let count = model::split(datagram).len();
        let now = self.dump();
        let candidate = std::iter::once(None)
            .chain((0..count).map(Some))
            .find_map(|which| {
                let mut model = before.clone();
                let mut pending = Pending::default();
                Self::expect(&mut model, &mut pending, socket, datagram, &|index| {
                    Some(index) == which
                });
                model.close(socket);
                (model.routes() == now).then_some(model)
            });
        self.model = candidate.expect("all of it was done, or all but one message");
    }

    /// All that a socket has; whether it was told that something is missing.
    fn messages(&mut self, socket: usize) -> (Vec<Message>, bool) {
        let mut messages = Vec::new();
        let mut lost = false;
        loop {
            match self.kernel.receive(socket) {
                Ok(None) => return (messages, lost),
                Ok(Some(datagram)) => {
                    let mut rest = &datagram[..];
                    while !rest.is_empty() {
                        let (header, payload, behind) =
                            message::first(rest).expect("a well-formed message");
                        let payload = payload.to_vec();
                        messages.push(Message { header, payload });
                        rest = behind;
                    }
                }
                Err(error) => {
                    assert_eq!(error, libc::ENOBUFS, "another error than that");
                    assert!(!lost, "an error that does not end");
                    lost = true;
                }
            }
        }
    }

    fn receive(&mut self, socket: usize) {
        let (messages, lost) = self.messages(socket);
        assert!(!lost, "something was lost, though nothing failed");
        self.answered(socket, messages);
    }

    /// Compares what came with what had to.
    fn answered(&mut self, socket: usize, messages: Vec<Message>) {
        let port = self.kernel.port(socket);
        let options = self.kernel.options(socket);
        let Pending {
            answers,
            echoing,
            dumps,
        } = std::mem::take(&mut self.pending[socket]);
        assert!(dumps.is_empty());
        let mut dumps: Vec<Dump> = Vec::new();
        let mut answers = answers.into_iter().peekable();
        for message in messages {
            let Message { header, payload } = &message;
            assert_eq!(header.port, port, "{message:?}");
            // parts of a dump come between the answers to what was sent behind it
            if header.flags & flag::MULTI != 0
                && let Some(dump) = dumps.iter_mut().find(|dump| dump.seq == header.seq)
            {
                dump.interrupted |= header.flags & flag::DUMP_INTR != 0;
                if header.kind == kind::DONE {
                    assert_eq!(payload[..4], [0; 4], "a dump ends with an error");
                    let over = dumps.iter().position(|dump| dump.seq == header.seq);
                    let over = dumps.remove(over.expect("it was just found"));
                    check_dump(&over, cookie(payload), options.0);
                } else {
                    assert_eq!(header.kind, kind::NEWROUTE);
                    dump.got.push(model::route(payload).0);
                }
                continue;
            }
            if is_event(
                &message,
                answers.peek().map(|(asked, _, answer)| (asked.seq, answer)),
            ) {
                assert!(
                    echoing.contains(&header.seq),
                    "an event that no message asked for: {message:?}"
                );
                continue;
            }
            let (asked, body, answer) = answers
                .next()
                .unwrap_or_else(|| panic!("no message asked for {message:?}"));
            assert_eq!(header.seq, asked.seq, "{message:?} for {answer:?}");
            // a second dump on a socket whose first is not read yet
            if let Answer::Dump(_) = answer
                && !dumps.is_empty()
                && header.kind == kind::ERROR
            {
                assert_eq!(error_of(&message), -libc::EBUSY);
                continue;
            }
            match &answer {
                Answer::Dump(expected) => {
                    let mut dump = Dump {
                        seq: header.seq,
                        expected: expected.clone(),
                        got: Vec::new(),
                        interrupted: header.flags & flag::DUMP_INTR != 0,
                        atomic: asked.flags & flag::ATOMIC != 0,
                        generation: None,
                    };
                    assert!(header.flags & flag::MULTI != 0, "{message:?}");
                    if header.kind == kind::DONE {
                        check_dump(&dump, cookie(payload), options.0);
                    } else {
                        let (route, generation) = model::route(payload);
                        dump.got.push(route);
                        dump.generation = generation;
                        dumps.push(dump);
                    }
                }
                _ => check(&message, &asked, &body, &answer, options),
            }
        }
        assert!(answers.next().is_none(), "an answer is missing");
        assert!(dumps.is_empty(), "a dump does not end");
    }

    /// What the table holds, asked for on a socket of its own.
    fn dump(&mut self) -> Vec<Route> {
        let header = Header {
            len: HEADER_LEN as u32,
            kind: kind::GETROUTE,
            flags: flag::REQUEST | flag::DUMP,
            seq: 1,
            port: 0,
        };
        assert!(self.kernel.send(OBSERVER, &header.write(), 0));
        let (messages, lost) = self.messages(OBSERVER);
        assert!(!lost);
        let (done, routes) = messages.split_last().expect("an answer");
        assert_eq!(done.header.kind, kind::DONE, "{done:?}");
        routes
            .iter()
            .map(|message| model::route(&message.payload).0)
            .collect()
    }

    fn compare(&mut self) {
        assert_eq!(self.dump(), self.model.routes());
        self.listen();
    }

    /// The events since the last time bring what was heard to what there is now.
    fn listen(&mut self) {
        let (messages, lost) = self.messages(LISTENER);
        for Message { header, payload } in &messages {
            assert_eq!((header.port, header.seq), (0, 0));
            if header.kind == kind::NEWTABLE {
                self.max_routes = table(payload).0[4];
                continue;
            }
            let (route, generation) = model::route(payload);
            let generation = generation.expect("an event has a number");
            if let Some(last) = self.generation
                && !lost
            {
                assert_eq!(generation, last + 1, "an event is missing");
            }
            self.generation = Some(generation);
            if !lost {
                self.heard.event(header, route);
            }
        }
        if lost {
            self.generation = None;
            self.heard = Replica::from(self.model.routes());
        } else {
            assert_eq!(
                self.heard.routes(),
                self.model.routes(),
                "the events tell something else"
            );
            assert_eq!(
                self.max_routes,
                self.model.max_routes(),
                "no error told of the limit"
            );
        }
        self.max_routes = self.model.max_routes();
    }
}

/// Whether each message has a sequence number of its own.
fn are_numbered(datagram: &[u8]) -> bool {
    let mut numbers = BTreeSet::new();
    let messages = model::split(datagram);
    let mut headers = messages.iter().flatten().map(|(header, _)| header);
    headers.all(|header| numbers.insert(header.seq))
}

/// The sequence number in a header that is cut off.
fn cut_seq(datagram: &[u8]) -> u32 {
    let mut rest = datagram;
    while let Ok((_, _, behind)) = message::first(rest) {
        rest = behind;
    }
    let mut header = [0; HEADER_LEN];
    let len = rest.len().min(HEADER_LEN);
    header[..len].copy_from_slice(&rest[..len]);
    Header::read(&header).expect("it is whole now").seq
}

fn error_of(message: &Message) -> i32 {
    i32::from_ne_bytes(message.payload[..4].try_into().expect("4 bytes"))
}

fn is_event(message: &Message, next: Option<(u32, &Answer)>) -> bool {
    match message.header.kind {
        kind::NEWROUTE => {
            message.header.flags & flag::MULTI == 0 && model::route(&message.payload).1.is_some()
        }
        kind::DELROUTE => true,
        kind::NEWTABLE => {
            !matches!(next, Some((seq, Answer::Table(..))) if seq == message.header.seq)
        }
        _ => false,
    }
}

/// The generation that the end of a dump tells.
fn cookie(payload: &[u8]) -> Option<u64> {
    let sizes = [(0, 0), (2, 256), (0, 0), (8, 8)];
    let attributes = Attributes::parse(&payload[4..], &sizes).expect("well-formed attributes");
    let value = attributes.values()[3]?;
    Some(u64::from_ne_bytes(value.try_into().expect("8 bytes")))
}

fn check_dump(dump: &Dump, end: Option<u64>, ext_ack: bool) {
    assert_eq!(end.is_some(), ext_ack, "the end tells no generation");
    assert_eq!(dump.generation.is_some(), !dump.got.is_empty());
    if !dump.interrupted && ext_ack && !dump.got.is_empty() {
        assert_eq!(dump.generation, end, "a change is not told");
    }
    if dump.atomic {
        assert!(!dump.interrupted, "a snapshot was interrupted");
    }
    if !dump.interrupted {
        assert_eq!(dump.got, dump.expected);
    } else {
        // no prefix twice, and in order
        assert!(
            dump.got
                .is_sorted_by_key(|(prefix, path)| (*prefix, path.metric))
        );
    }
}

/// Prefixes and paths of either family, and the limit; distinct lists of paths.
fn table(payload: &[u8]) -> ([u32; 5], u32) {
    let wide = [1, 7, 8, 9, 11, 12, 13, 14];
    let size = |kind| match kind {
        kind if wide.contains(&kind) => (8, 8),
        // padding
        15 => (0, 1),
        // multipath
        16 => (1, 1),
        _ => (4, 4),
    };
    let sizes: Vec<_> = (0..17).map(size).collect();
    let attributes = Attributes::parse(payload, &sizes).expect("well-formed attributes");
    let number = |kind: usize| {
        let value = attributes.values()[kind].expect("all of them");
        u32::from_ne_bytes(value.try_into().expect("4 bytes"))
    };
    ([2, 3, 4, 5, 10].map(number), number(6))
}

fn check(message: &Message, asked: &Header, body: &[u8], answer: &Answer, options: (bool, bool)) {
    let Message { header, payload } = message;
    match answer {
        Answer::Error(refusal) => {
            assert_eq!(header.kind, kind::ERROR, "{message:?} for {refusal:?}");
            let error = error_of(message);
            assert!(error < 0 && refusal.is(-error), "{error} for {refusal:?}");
            check_error(message, asked, body, options);
        }
        Answer::Ack => {
            assert_eq!(header.kind, kind::ERROR, "{message:?}");
            assert_eq!(error_of(message), 0);
        }
        Answer::Done(number) => {
            assert_eq!(header.kind, kind::DONE, "{message:?}");
            assert_eq!(payload[..], number.to_ne_bytes());
        }
        Answer::Greeting(text) => {
            assert_eq!(header.kind, kind::GREET, "{message:?}");
            let sizes = [(0, 0), (1, 600), (4, 4), (1, 64), (4, 4)];
            let attributes = Attributes::parse(payload, &sizes).expect("well-formed attributes");
            let said = attributes.values()[1].expect("a greeting");
            let said = said.strip_suffix(&[0]).expect("a string");
            let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
            assert!(said.starts_with(format!("hello, port {}", header.port).as_bytes()));
            assert!(said.ends_with(text));
        }
        Answer::Route(route) => {
            assert_eq!(header.kind, kind::NEWROUTE, "{message:?}");
            assert_eq!(&model::route(payload).0, route);
        }
        Answer::Table(figures, lists) => {
            assert_eq!(header.kind, kind::NEWTABLE, "{message:?}");
            let (found, found_lists) = table(payload);
            assert_eq!(&found, figures);
            assert_eq!(found_lists, lists.unwrap_or(found_lists));
        }
        Answer::Dump(_) => unreachable!("dumps are checked where they come"),
    }
}

/// An error embeds the request, and has a text and a place for a sender that asked for these.
fn check_error(message: &Message, asked: &Header, body: &[u8], (texts, capped): (bool, bool)) {
    let Message { header, payload } = message;
    // of a message whose length makes no sense there is only the header, whatever was asked for
    let whole = asked.len as usize == HEADER_LEN + body.len();
    let embedded = &payload[4..];
    if whole {
        assert_eq!(embedded[..HEADER_LEN], asked.write());
        assert_eq!(header.flags & flag::CAPPED != 0, capped, "{message:?}");
    } else {
        assert!(header.flags & flag::CAPPED != 0);
        assert_eq!(embedded[..4], (HEADER_LEN as u32).to_ne_bytes());
    }
    let mut rest = &embedded[HEADER_LEN..];
    if header.flags & flag::CAPPED == 0 {
        assert_eq!(rest[..body.len()], *body);
        rest = &rest[body.len().next_multiple_of(4)..];
    }
    if !texts && whole {
        assert!(rest.is_empty() && header.flags & flag::ACK_TLVS == 0);
        return;
    }
    assert!(
        header.flags & flag::ACK_TLVS != 0,
        "an error without a text: {message:?}"
    );
    let sizes = [
        (0, 0),
        (2, 256),
        (4, 4),
        (0, 0),
        message::NESTED,
        (4, 4),
        (4, 4),
    ];
    let attributes = Attributes::parse(rest, &sizes).expect("well-formed attributes");
    let text = attributes.values()[1].expect("a text");
    assert!(text.ends_with(&[0]) && std::str::from_utf8(text).is_ok());
    if let Some(offset) = attributes.values()[2] {
        let offset = u32::from_ne_bytes(offset.try_into().expect("4 bytes"));
        assert!(
            (HEADER_LEN as u32..asked.len).contains(&offset),
            "a place outside: {offset}"
        );
    }
}
