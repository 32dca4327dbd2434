// SPDX-License-Identifier: MIT OR Apache-2.0
//! A session with the agent, over any [`Port`].

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use nl31_route::{DeviceName, Spec};
use nl31_wire::limits::FRAME_MAX;
use nl31_wire::{Client, Deframer, Item, News, Op, Patience, Request, Response, SCHEMA, Task};

use crate::error::{Error, Refused};
use crate::interrupt::{self, NOTICE};
use crate::port::Port;

/// How long an agent is waited for that was there.
pub const PATIENCE: Patience = Patience {
    timeout_ms: 1000,
    attempts: 10,
};
/// How long one is waited for on a port that was named.
pub const OPENING: Patience = Patience {
    timeout_ms: 400,
    attempts: 10,
};
/// How long one is looked for on a port that may have none.
pub const LOOKING: Patience = Patience {
    timeout_ms: 400,
    attempts: 3,
};

/// Pause where the agent has nothing to say yet.
pub const PAUSE: Duration = Duration::from_millis(20);

/// What the agent says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its run.
    pub boot: u64,
    /// Whether it knows the same messages as this program.
    pub same_schema: bool,
    /// Its version.
    pub version: String,
}

impl Agent {
    /// What a person should know of it before anything fails.
    pub fn warning(&self) -> Option<String> {
        let ours = env!("CARGO_PKG_VERSION");
        let theirs = &self.version;
        (!self.same_schema).then(|| {
            format!(
                "agent {theirs} has other messages than nl31ctl {ours}: not all may be understood"
            )
        })
    }
}

/// Something that was not asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The table changed.
    Change {
        /// Number of the change.
        generation: u64,
        /// What was done.
        op: Op,
        /// With which route.
        route: Spec<DeviceName>,
    },
    /// Some were lost.
    Lost,
    /// A commit that waited for its confirmation was taken back.
    RolledBack {
        /// Prefixes that have their paths of before again.
        prefixes: u32,
        /// Paths of before whose device is gone.
        lost: u32,
    },
}

/// Events kept until somebody asks for them.
const EVENTS_MAX: usize = 100_000;

/// A session.
pub struct Link<P> {
    port: P,
    deframer: Deframer,
    client: Client,
    agent: Agent,
    start: Instant,
    /// What was received and not looked at yet.
    received: VecDeque<u8>,
    events: VecDeque<Event>,
    /// For each request on its way, whether it may have changed something when its
    /// answer does not come.
    changes: VecDeque<bool>,
    /// Changes wait for their commit.
    transaction: bool,
    /// What is open may change something with each of its parts: a line, or a save.
    goes_on: bool,
    /// The session ends, whatever else is wanted.
    leaving: bool,
    /// Bytes sent and heard so far.
    traffic: (u64, u64),
}

impl<P: Port> Link<P> {
    /// Says hello.
    pub fn open(port: P, name: &str, looking: Patience, then: Patience) -> Result<Self, Error> {
        let random = RandomState::new().hash_one(Instant::now());
        let (session, first) = (random as u32, (random >> 32) as u16);
        let mut link = Self {
            port,
            deframer: Deframer::new(),
            client: Client::new(session, first, looking),
            agent: Agent {
                boot: 0,
                same_schema: false,
                version: String::new(),
            },
            start: Instant::now(),
            received: VecDeque::new(),
            events: VecDeque::new(),
            changes: VecDeque::from([false]),
            transaction: false,
            goes_on: false,
            leaving: false,
            traffic: (0, 0),
        };
        let opened = link
            .answer(|response| match response {
                Response::Welcome {
                    boot,
                    schema,
                    agent,
                    ..
                } => Ok(Agent {
                    boot,
                    same_schema: schema == SCHEMA,
                    version: agent.into(),
                }),
                _ => Err(Error::Unexpected),
            })
            .map_err(|error| match error {
                Error::Port(_, error) => Error::Port(name.into(), error),
                error => error,
            });
        if let Err(Error::Interrupted(_) | Error::Closed) = opened {
            link.farewell(first.wrapping_add(1));
        }
        link.agent = opened?;
        link.client.set_patience(then);
        Ok(link)
    }

    /// The agent.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Bytes sent and received so far.
    pub fn traffic(&self) -> (u64, u64) {
        self.traffic
    }

    /// The port.
    pub fn port(&mut self) -> &mut P {
        &mut self.port
    }

    /// Requests that may be submitted before an answer has to be taken.
    pub fn room(&self) -> usize {
        self.client.room()
    }

    /// Requests whose answers are still to be taken.
    pub fn pending(&self) -> usize {
        self.client.pending()
    }

    /// Asks, and takes the answer.
    pub fn call<R>(
        &mut self,
        request: &Request<'_>,
        take: impl FnOnce(Response<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.submit(request)?;
        self.answer(take)
    }

    /// Asks for something that has no more to say than that it is done.
    pub fn done(&mut self, request: &Request<'_>) -> Result<(), Error> {
        self.call(request, |response| match response {
            Response::Done {} => Ok(()),
            _ => Err(Error::Unexpected),
        })
    }

    /// Puts a request on its way.
    pub fn submit(&mut self, request: &Request<'_>) -> Result<(), Error> {
        let under_way =
            self.changes.contains(&true) || self.goes_on && matches!(request, Request::Next {});
        self.client
            .push(request)
            .map_err(|full| Error::Usage(format!("request: {full}")))?;
        match request {
            Request::Begin { .. } => self.transaction = true,
            Request::Commit {} | Request::Abort {} => self.transaction = false,
            _ => {}
        }
        self.goes_on = match request {
            Request::Line { .. } | Request::Save {} => true,
            Request::Next {} => self.goes_on,
            _ => false,
        };
        self.changes.push_back(match request {
            Request::Change { .. } => !self.transaction,
            Request::Flush { .. }
            | Request::Commit {}
            | Request::Line { .. }
            | Request::Save {} => true,
            _ => false,
        });
        // Out with it, so that the line is busy while the next one is made.
        self.send_due().map_err(|error| unknown(under_way, error))
    }

    /// Waits for the answer to the oldest request on its way.
    pub fn answer<R>(
        &mut self,
        take: impl FnOnce(Response<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.wait_answer(take)
            .map_err(|error| unknown(self.goes_on || self.changes.contains(&true), error))
    }

    fn wait_answer<R>(
        &mut self,
        take: impl FnOnce(Response<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        loop {
            // What may have been changed is to be known before.
            if !self.changes.contains(&true) {
                self.check()?;
            }
            while let Some(byte) = self.received.pop_front() {
                let now = self.start.elapsed().as_millis() as u32;
                // What is no frame is kernel messages or a frame that is sent again.
                let Some(Ok(frame)) = self.deframer.byte(byte) else {
                    continue;
                };
                if frame.kind < nl31_wire::RESPONSE {
                    // An echo of our own.
                    continue;
                }
                match self.client.frame(&frame, now) {
                    News::Answer(_, response) => {
                        self.changes.pop_front();
                        return match response {
                            Response::Failed {
                                code, index, text, ..
                            } => Err(Error::Refused(Refused {
                                code,
                                index,
                                text: text.into(),
                            })),
                            response => take(response),
                        };
                    }
                    News::Unasked(response) => keep_event(&mut self.events, &response),
                    News::Nothing => {}
                    News::NoSession => return Err(Error::SessionLost),
                    News::Version(version) => return Err(Error::Version(version)),
                    News::Unreadable => return Err(Error::Unexpected),
                }
            }
            self.send_due()?;
            let now = self.start.elapsed().as_millis() as u32;
            match self.client.poll(now) {
                Task::Wait(wait) => self.receive(Duration::from_millis(wait.into()))?,
                Task::GiveUp => return Err(Error::NoAnswer),
                Task::Idle => return Err(Error::Usage("nothing was asked".into())),
                // The time limit passed since the line above: it is for the next round.
                Task::Send(bytes) => {
                    self.traffic.0 += bytes.len() as u64;
                    self.port.send(bytes).map_err(port_error)?;
                }
            }
        }
    }

    fn send_due(&mut self) -> Result<(), Error> {
        let now = self.start.elapsed().as_millis() as u32;
        while let Task::Send(bytes) = self.client.poll(now) {
            self.traffic.0 += bytes.len() as u64;
            self.port.send(bytes).map_err(port_error)?;
        }
        Ok(())
    }

    fn receive(&mut self, wait: Duration) -> Result<(), Error> {
        let mut buffer = [0; 4096];
        let wait = wait.min(NOTICE);
        let len = self.port.receive(&mut buffer, wait).map_err(port_error)?;
        self.traffic.1 += len as u64;
        self.received.extend(&buffer[..len]);
        Ok(())
    }

    /// The next event, if there is one within so long. To be called when nothing is
    /// on its way.
    pub fn event(&mut self, wait: Duration) -> Result<Option<Event>, Error> {
        let deadline = Instant::now() + wait;
        loop {
            self.check()?;
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            while let Some(byte) = self.received.pop_front() {
                let Some(Ok(frame)) = self.deframer.byte(byte) else {
                    continue;
                };
                let now = self.start.elapsed().as_millis() as u32;
                if let News::Unasked(response) = self.client.frame(&frame, now) {
                    keep_event(&mut self.events, &response);
                }
            }
            if !self.events.is_empty() {
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            self.receive(left)?;
            if self.received.is_empty() && left.is_zero() {
                return Ok(None);
            }
        }
    }

    /// Fails if the program is to end.
    pub fn check(&self) -> Result<(), Error> {
        match self.leaving {
            true => Ok(()),
            false => interrupt::check(),
        }
    }

    /// Gives a line back whose session is over.
    pub fn give_back(mut self) {
        self.farewell(0);
    }

    /// Says once that this program leaves, whether there is a session or not.
    fn farewell(&mut self, id: u16) {
        let mut bytes = [0; FRAME_MAX];
        if let Ok(len) = (Request::Leave {}).encode(id, &mut bytes)
            && self.port.send(&bytes[..len]).is_ok()
        {
            // Until it is out, or at least for a moment.
            let _ = self.port.receive(&mut bytes, NOTICE);
        }
    }

    /// Takes what is on its way, and ends the list or output that is open.
    pub fn stop(&mut self) -> Result<(), Error> {
        self.drain()?;
        self.done(&Request::Stop {})
    }

    fn drain(&mut self) -> Result<(), Error> {
        while self.pending() > 0 {
            match self.answer(|_| Ok(())) {
                Ok(()) | Err(Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends the session, so that a serial line returns to its console. What is open is
    /// dropped.
    pub fn leave(mut self) -> Result<(), Error> {
        self.leaving = true;
        self.drain()?;
        match self.done(&Request::Leave {}) {
            // Its answer was lost, and it is over.
            Err(Error::SessionLost) => Ok(()),
            result => result,
        }
    }
}

/// What was under way when the link failed may have been made or not.
fn unknown(under_way: bool, error: Error) -> Error {
    match error {
        Error::Port(..) | Error::NoAnswer | Error::SessionLost if under_way => {
            Error::Unknown(Box::new(error))
        }
        error => error,
    }
}

fn port_error(error: std::io::Error) -> Error {
    Error::Port("the line".into(), error)
}

fn keep_event(events: &mut VecDeque<Event>, response: &Response<'_>) {
    let event = match response {
        Response::Event { generation, item } => match item.iter().next() {
            Some(Ok(Item { op, route })) => Event::Change {
                generation: *generation,
                op,
                route,
            },
            _ => return,
        },
        Response::Lost {} => Event::Lost,
        &Response::RolledBack { prefixes, lost } => Event::RolledBack { prefixes, lost },
        _ => return,
    };
    if events.len() == EVENTS_MAX {
        events.clear();
        events.push_back(Event::Lost);
    }
    events.push_back(event);
}
