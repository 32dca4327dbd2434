// SPDX-License-Identifier: MIT OR Apache-2.0
//! Dumps: the table, a path at a time.

use std::time::Instant;

use nl31_route::{Prefix, Route, Spec};

use super::{Client, refused};
use crate::abi::*;
use crate::device::Device;
use crate::error::{Error, ErrorKind, Op};
use crate::message::Body;
use crate::path_flags::PathFlags;
use crate::paths::Paths;
use crate::request::Request;
use crate::transport::Transport;

/// A dump in progress, see [`Client::next`]. After it is dropped, the client skips its rest.
#[derive(Debug)]
pub struct Dump {
    seq: u32,
    interrupted: bool,
    generation: Option<u64>,
    /// When its last message arrived.
    heard: Instant,
}

/// The next step of a dump.
#[derive(Debug)]
pub enum Step {
    /// A path, with the reasons if it is not in use.
    Route(Route<Device>, PathFlags),
    /// Nothing yet, see [`Client::poll_next`].
    Pending,
    /// The end.
    End {
        /// The table changed meanwhile: this is not a snapshot.
        interrupted: bool,
    },
}

/// Time limit of a part of a dump, in client timeouts: with a selective filter the kernel
/// may walk the whole table for one part.
const PART_TIMEOUT_FACTOR: u32 = 6;

/// Messages that one call of [`Client::skip`] reads.
const SKIPPED_MAX: usize = 256;

impl Dump {
    /// Number of the last change that the dump shows; `None` before its first step. A dump that
    /// the table changed under shows later ones too, in part.
    pub fn generation(&self) -> Option<u64> {
        self.generation
    }
}

impl<T: Transport> Client<T> {
    /// Starts a dump of every path that matches `spec`; its prefix selects every prefix that it
    /// covers.
    pub fn dump(&mut self, spec: &Spec<Device>) -> Result<Dump, Error> {
        self.start_dump(spec, NLM_F_DUMP)
    }

    /// Starts a snapshot of the whole table. It fails with `ESTALE` if too much changes
    /// meanwhile.
    pub fn snapshot(&mut self) -> Result<Dump, Error> {
        self.start_dump(&Spec::default(), NLM_F_DUMP | NLM_F_ATOMIC)
    }

    /// Reads a dump that was dropped to its end: the kernel answers EBUSY while another dump
    /// of the socket is open.
    pub(crate) fn end_open_dump(&mut self) -> Result<(), Error> {
        while self.open_dump.is_some() {
            self.receive(Op::Dump, 0, self.deadline())?;
        }
        Ok(())
    }

    /// The paths of a prefix. Uses another socket, as this client may wait for a transaction's
    /// answer.
    pub fn paths(&mut self, prefix: Prefix) -> Result<Paths, Error> {
        let spec = Spec {
            prefix: Some(prefix),
            ..Spec::default()
        };
        let mut paths = Paths::default();
        // The prefix itself comes first; stop at the prefixes that it covers.
        self.visit(&spec, &mut |route| {
            let wanted = route.prefix == prefix;
            if wanted {
                paths.append(route.path);
            }
            wanted
        })?;
        Ok(paths)
    }

    /// Calls `each` with the paths that match `spec`, until it gives `false`; gives whether all
    /// were visited. Uses another socket, as [`Client::paths`] does.
    pub fn visit(
        &mut self,
        spec: &Spec<Device>,
        each: &mut dyn FnMut(Route<Device>) -> bool,
    ) -> Result<bool, Error> {
        match self.another()? {
            Some(mut other) => other.visit_here(spec, each),
            None => self.visit_here(spec, each),
        }
    }

    fn visit_here(
        &mut self,
        spec: &Spec<Device>,
        each: &mut dyn FnMut(Route<Device>) -> bool,
    ) -> Result<bool, Error> {
        let mut dump = self.dump(spec)?;
        while let Step::Route(route, _) = self.next(&mut dump)? {
            if !each(route) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn start_dump(&mut self, spec: &Spec<Device>, flags: u16) -> Result<Dump, Error> {
        self.end_open_dump()?;
        let seq = self.request(Op::Dump, &Request::GetRoute(spec), flags)?;
        self.open_dump = Some(seq);
        Ok(Dump {
            seq,
            interrupted: false,
            generation: None,
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

    /// The next path of a dump if it has arrived. Fails when nothing arrived for six times the
    /// client's timeout.
    pub fn poll_next(&mut self, dump: &mut Dump) -> Result<Step, Error> {
        let step = self.step(dump, Instant::now())?;
        if matches!(step, Step::Pending)
            && dump.heard.elapsed() > self.timeout * PART_TIMEOUT_FACTOR
        {
            self.open_dump = None;
            return Err(Error {
                op: Op::Dump,
                seq: dump.seq,
                kind: ErrorKind::TimedOut,
            });
        }
        Ok(step)
    }

    /// Reads the available rest of an abandoned dump; gives whether to call again at once, or
    /// `None` at the end. Until then the kernel pins the dumped table and serves no other
    /// dump.
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
                    // The end of the dump may be lost too.
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
            // The deadline instead of the present: saves reading the clock for each path.
            dump.heard = deadline;
            dump.interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
            return match message.body {
                Body::NewRoute(message) => {
                    dump.generation = dump.generation.or(message.generation);
                    Ok(Step::Route(message.route, message.flags))
                }
                Body::Done { generation, .. } => {
                    dump.generation = dump.generation.or(generation);
                    Ok(Step::End {
                        interrupted: dump.interrupted,
                    })
                }
                other => Err(refused(Op::Dump, dump.seq, other)),
            };
        }
    }
}
