// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sends requests and waits for their answers.

use std::io;
use std::time::{Duration, Instant};

use nl31_route::{Prefix, Route, Spec};

use crate::abi::*;
use crate::change::Add;
use crate::device::Device;
use crate::error::{Error, ErrorKind, Op};
use crate::message::{self, Body, Greeting, KernelError, Message, Table};
use crate::request::{Datagram, Request};
use crate::transport::Transport;

mod dump;

pub use dump::{Dump, Step};

/// Asks the kernel, one request at a time.
///
/// Late answers to requests that timed out are recognized by their sequence numbers and
/// skipped.
#[derive(Debug)]
pub struct Client<T> {
    transport: T,
    datagram: Datagram,
    next_seq: u32,
    timeout: Duration,
    /// Sequence number of the dump that has not ended. The kernel serves one dump a
    /// socket.
    pub(crate) open_dump: Option<u32>,
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

    /// Another client of the same kernel, for a dump that is not read to its end: closing its
    /// socket ends the dump, and this client's answers stay queued. `None` if the transport
    /// has no second connection.
    pub fn another(&self) -> Result<Option<Client<Box<dyn Transport>>>, Error> {
        let other = self.transport.another()?;
        Ok(other.map(|transport| Client::with_timeout(transport, self.timeout)))
    }

    /// Checks that the kernel answers.
    pub fn ping(&mut self) -> Result<(), Error> {
        let seq = self.request(Op::Ping, &Request::Noop, 0)?;
        match self.answer(Op::Ping, seq)? {
            Body::Done { .. } => Ok(()),
            other => Err(refused(Op::Ping, seq, other)),
        }
    }

    /// Sends a greeting; the kernel's answer names this client.
    pub fn greet(&mut self, text: Option<&str>) -> Result<Greeting, Error> {
        let seq = self.request(Op::Greet, &Request::Greet(text), 0)?;
        match self.answer(Op::Greet, seq)? {
            Body::Greeting(greeting) => Ok(greeting),
            other => Err(refused(Op::Greet, seq, other)),
        }
    }

    /// Adds a path to the table.
    pub fn add(&mut self, how: Add, route: &Route<Device>) -> Result<(), Error> {
        self.acked(how.op(), &Request::NewRoute(route), how.flags())
    }

    /// Deletes a path: the first path of the prefix that matches `spec`; or, if `spec` has only
    /// the prefix, the prefix with its only path. Fails with `ESRCH` if there is none and `ENOTEMPTY` if the prefix
    /// has several.
    pub fn delete(&mut self, spec: &Spec<Device>) -> Result<(), Error> {
        let guard = if spec.has_path() { 0 } else { NLM_F_NONREC };
        self.acked(Op::Delete, &Request::DelRoute(spec), guard)
    }

    /// Deletes a prefix with all its paths.
    pub fn delete_prefix(&mut self, prefix: Prefix) -> Result<(), Error> {
        let spec = Spec {
            prefix: Some(prefix),
            ..Spec::default()
        };
        self.acked(Op::Delete, &Request::DelRoute(&spec), 0)
    }

    /// Deletes every path that matches `spec`; its prefix selects every prefix that it
    /// covers.
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

    /// Has the paths of a prefix that have the same metric share the load, or not.
    pub fn set_multipath(&mut self, on: bool) -> Result<(), Error> {
        let settings = Request::NewTable {
            max_routes: None,
            multipath: Some(on),
        };
        self.acked(Op::Table, &settings, 0)
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

    pub(crate) fn acked(&mut self, op: Op, request: &Request<'_>, flags: u16) -> Result<(), Error> {
        let seq = self.request(op, request, flags | NLM_F_ACK)?;
        match self.answer(op, seq)? {
            Body::Ack => Ok(()),
            other => Err(refused(op, seq, other)),
        }
    }

    pub(crate) fn request(
        &mut self,
        op: Op,
        request: &Request<'_>,
        flags: u16,
    ) -> Result<u32, Error> {
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
            let ends = matches!(message.body, Body::Done { .. } | Body::Error(_) | Body::Ack);
            if ends && self.open_dump == Some(message.header.seq) {
                self.open_dump = None;
            }
        }
        received.map_err(|error| {
            // The end of a dump may be lost too.
            self.open_dump = None;
            Error {
                op,
                seq,
                kind: error.into(),
            }
        })
    }
}

/// The error of an unwanted answer.
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
mod tests;
