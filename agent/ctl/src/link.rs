// SPDX-License-Identifier: MIT OR Apache-2.0
//! A session with the agent, over any [`Port`].

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nl31_route::{DeviceName, Spec};
use nl31_wire::limits::{FRAME_MAX, SPEED_SILENCE_MS, speed_change_ms};
use nl31_wire::{Client, Item, News, Op, Request, Response, RetryPolicy, SCHEMA, Task};

use crate::error::{Error, Refused};
use crate::incoming::Incoming;
use crate::interrupt::{self, NOTICE};
use crate::journal::Journal;
use crate::port::Port;

/// How long an agent that has answered is waited for.
pub const SESSION: RetryPolicy = RetryPolicy {
    timeout_ms: 1000,
    attempts: 10,
};
/// How long an agent on a port that was named is waited for.
pub const OPENING: RetryPolicy = RetryPolicy {
    timeout_ms: 400,
    attempts: 10,
};
/// How long an agent on a port that may have none is waited for.
pub const LOOKING: RetryPolicy = RetryPolicy {
    timeout_ms: 400,
    attempts: 3,
};

/// How long an answer at a new speed of the line is waited for, and at the old one again.
const CONFIRMING: RetryPolicy = RetryPolicy {
    timeout_ms: 200,
    attempts: u8::MAX,
};
/// Each side goes back to the line's own speed after this time without a frame.
const SPEED_SILENCE: Duration = Duration::from_millis(SPEED_SILENCE_MS as u64);
/// After this time without a frame the agent has gone back, though it be slow.
const SPEED_GONE: Duration = Duration::from_millis(SPEED_SILENCE_MS as u64 + 500);

/// Pause before an agent is asked again that has nothing to say yet.
pub const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What the agent's welcome tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Another number each time the agent starts.
    pub boot: u64,
    /// Whether it knows the same messages as this program.
    pub same_schema: bool,
    /// Its version.
    pub version: String,
}

impl Agent {
    /// What a person should know before a request fails.
    pub fn warning(&self) -> Option<String> {
        let ours = env!("CARGO_PKG_VERSION");
        let theirs = &self.version;
        (!self.same_schema).then(|| {
            format!(
                "agent {theirs} and nl31ctl {ours} know different messages: some requests may fail"
            )
        })
    }
}

/// What a request can do to the appliance, for where its kind does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: a line of the console that only shows something.
    Reads,
    /// It may change something.
    Changes,
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
    /// A commit that was not confirmed was rolled back.
    RolledBack {
        /// Prefixes whose earlier paths were restored.
        prefixes: u32,
        /// Prefixes that were left as they are: the table was changed since the commit.
        lost: u32,
    },
}

/// Events that are kept until [`Link::event`] is called.
const EVENTS_MAX: usize = 100_000;

/// A session.
pub struct Link<P> {
    port: P,
    incoming: Incoming,
    client: Client,
    agent: Agent,
    start: Instant,
    /// Bytes that were received and not deframed yet.
    received: VecDeque<u8>,
    events: VecDeque<Event>,
    /// For each request in flight, whether it may have changed something if its answer
    /// does not come.
    changes: VecDeque<bool>,
    /// Changes wait for their commit.
    transaction: bool,
    /// Each part of the line or save that is open may change something.
    goes_on: bool,
    /// The session is being left: nothing interrupts that.
    leaving: bool,
    /// Bytes sent and heard so far.
    traffic: (u64, u64),
    journal: Option<Rc<Journal>>,
    /// The policy of the session.
    policy: RetryPolicy,
    speed: Speed,
}

/// The speed of the line, where another one than its own is wanted.
struct Speed {
    /// Wanted for lists and batches, and not refused yet.
    wanted: Option<u32>,
    /// The line's own, while it has the other.
    own: Option<u32>,
    /// When the last whole frame of the agent came.
    heard: Instant,
    /// Why the other one cannot be had.
    refused: Option<String>,
}

impl<P: Port> Link<P> {
    /// Says hello on a port of this name: as patiently as `looking`, and then in the
    /// session as `then`.
    pub fn open(
        port: P,
        name: &str,
        looking: RetryPolicy,
        then: RetryPolicy,
    ) -> Result<Self, Error> {
        let random = RandomState::new().hash_one(Instant::now());
        let (session, first) = (random as u32, (random >> 32) as u16);
        let mut link = Self {
            port,
            incoming: Incoming::new(),
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
            journal: None,
            policy: then,
            speed: Speed {
                wanted: None,
                own: None,
                heard: Instant::now(),
                refused: None,
            },
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
        link.client.set_retry_policy(then);
        Ok(link)
    }

    /// Has requests and answers logged from now on.
    pub fn set_journal(&mut self, journal: Rc<Journal>) {
        self.journal = Some(journal);
    }

    /// The agent.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Whether batches and lists may be packed. Agents with other messages get the plain form,
    /// which all have.
    pub fn can_pack(&self) -> bool {
        self.agent.same_schema
    }

    /// Bytes sent and received so far.
    pub fn traffic(&self) -> (u64, u64) {
        self.traffic
    }

    /// Frames that the line has damaged on their way here so far, and other bytes that were none.
    pub fn damaged(&self) -> u64 {
        self.incoming.damaged()
    }

    /// Wants this speed of the line for lists and batches, see [`Link::hurry`].
    pub fn want_speed(&mut self, baud: u32) {
        self.speed.wanted = Some(baud);
    }

    /// Why the wanted speed cannot be had; once.
    pub fn speed_refused(&mut self) -> Option<String> {
        self.speed.refused.take()
    }

    /// Has the line take the wanted speed, if there is one, and the line and the agent can. No
    /// request may be in flight.
    pub fn hurry(&mut self) -> Result<(), Error> {
        let (Some(baud), None) = (self.speed.wanted, self.speed.own) else {
            return Ok(());
        };
        let own = match self.port.speed() {
            Ok(own) => own,
            Err(error) => return self.stays_slow(error.to_string()),
        };
        // A line that cannot have it is not worth a question.
        let tried = self.port.set_speed(baud);
        self.port.set_speed(own).map_err(port_error)?;
        if let Err(error) = tried {
            return self.stays_slow(error.to_string());
        }
        match self.done(&Request::Speed { baud }) {
            Ok(()) => {}
            Err(Error::Refused(refused)) => return self.stays_slow(refused.text),
            Err(error) => return Err(error),
        }
        self.port.set_speed(baud).map_err(port_error)?;
        self.speed.own = Some(own);
        self.confirm_speed(own)
    }

    /// Gives the line its own speed back. No request may be in flight.
    pub fn unhurry(&mut self) -> Result<(), Error> {
        self.go_back_when_idle()?;
        let Some(own) = self.speed.own else {
            return Ok(());
        };
        // A lost answer to this request does not mean that the other speed fails.
        let wanted = self.speed.wanted.take();
        let fast = wanted.unwrap_or(own);
        let done = self.done(&Request::Speed { baud: own });
        self.speed.wanted = wanted;
        match done {
            Ok(()) | Err(Error::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        if self.speed.own.is_some() {
            self.own_speed()?;
        }
        self.confirm_speed(fast)
    }

    fn stays_slow(&mut self, why: String) -> Result<(), Error> {
        self.speed.wanted = None;
        self.speed.refused = Some(why);
        Ok(())
    }

    /// Asks for an answer at the new speed, which falls back if none comes.
    fn confirm_speed(&mut self, before: u32) -> Result<(), Error> {
        std::thread::sleep(2 * Duration::from_millis(speed_change_ms(before).into()));
        self.speed.heard = Instant::now();
        self.client.set_retry_policy(CONFIRMING);
        let confirmed = self.done(&Request::Ping {});
        self.client.set_retry_policy(self.policy);
        match confirmed {
            // The kernel is not there, or the line is locked: it is an answer.
            Ok(()) | Err(Error::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives this side of the line its own speed; the agent does so after a silence.
    fn own_speed(&mut self) -> Result<(), Error> {
        match self.speed.own.take() {
            Some(own) => self.port.set_speed(own).map_err(port_error),
            None => Ok(()),
        }
    }

    /// The agent goes back after a silence: so does this side before, and waits until the agent
    /// has.
    fn go_back_when_idle(&mut self) -> Result<(), Error> {
        let silence = self.speed.heard.elapsed();
        if self.speed.own.is_none() || self.pending() > 0 || silence < SPEED_SILENCE / 2 {
            return Ok(());
        }
        self.own_speed()?;
        std::thread::sleep(SPEED_GONE.saturating_sub(silence));
        Ok(())
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

    /// Sends a request and waits for its answer.
    pub fn call<R>(
        &mut self,
        request: &Request<'_>,
        take: impl FnOnce(Response<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.call_with(request, Effect::Changes, take)
    }

    /// The same for a line, or the next part of one, of this effect.
    pub fn call_with<R>(
        &mut self,
        request: &Request<'_>,
        effect: Effect,
        take: impl FnOnce(Response<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.submit_with(request, effect)?;
        self.answer(take)
    }

    /// Sends a request that is answered with Done.
    pub fn done(&mut self, request: &Request<'_>) -> Result<(), Error> {
        self.call(request, |response| match response {
            Response::Done {} => Ok(()),
            _ => Err(Error::Unexpected),
        })
    }

    /// Sends a request without waiting for its answer.
    pub fn submit(&mut self, request: &Request<'_>) -> Result<(), Error> {
        self.submit_with(request, Effect::Changes)
    }

    fn submit_with(&mut self, request: &Request<'_>, effect: Effect) -> Result<(), Error> {
        self.go_back_when_idle()?;
        let under_way =
            self.changes.contains(&true) || self.goes_on && matches!(request, Request::Next {});
        self.client
            .push(request)
            .map_err(|full| Error::Usage(format!("request: {full}")))?;
        if let Some(journal) = &self.journal {
            journal.request(request);
        }
        match request {
            Request::Begin { .. } | Request::BeginConfirmed { .. } => self.transaction = true,
            Request::Commit {} | Request::Abort {} => self.transaction = false,
            _ => {}
        }
        self.goes_on = match request {
            Request::Line { .. } => effect == Effect::Changes,
            Request::Save {} => true,
            Request::Next {} => self.goes_on,
            _ => false,
        };
        self.changes.push_back(match request {
            Request::Change { .. } | Request::PackedChange { .. } => !self.transaction,
            Request::Line { .. } => effect == Effect::Changes,
            Request::Flush { .. } | Request::Commit {} | Request::Save {} => true,
            _ => false,
        });
        // At once, so that the line is busy while the next request is made.
        self.send_due().map_err(|error| unknown(under_way, error))
    }

    /// Waits for the answer to the oldest request in flight.
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
            // An answer that tells whether something was changed is waited for.
            if !self.changes.contains(&true) {
                self.check()?;
            }
            while let Some(byte) = self.received.pop_front() {
                let journal = self.journal.as_deref();
                let Some(frame) = self.incoming.byte(byte, journal) else {
                    continue;
                };
                let now = self.start.elapsed().as_millis() as u32;
                self.speed.heard = Instant::now();
                match self.client.frame(&frame, now) {
                    News::Answer(_, response) => {
                        if let Some(journal) = journal {
                            journal.response(&response);
                        }
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
                    News::Unasked(response) => keep_event(&mut self.events, &response, journal),
                    News::Nothing => {}
                    News::NoSession => return Err(Error::SessionLost),
                    News::Version(version) => return Err(Error::Version(version)),
                    News::Unreadable => return Err(Error::Unexpected),
                }
            }
            // A send may have taken longer than the time limit: what came meanwhile is heard
            // before the limit counts.
            self.receive(Duration::ZERO)?;
            if !self.received.is_empty() {
                continue;
            }
            if self.speed.own.is_some() && self.speed.heard.elapsed() >= SPEED_SILENCE {
                if let Some(wanted) = self.speed.wanted.take() {
                    self.speed.refused = Some(format!("no answer came at {wanted} baud"));
                }
                self.own_speed()?;
            }
            let now = self.start.elapsed().as_millis() as u32;
            match self.client.poll(now) {
                Task::Wait(wait) => self.receive(Duration::from_millis(wait.into()))?,
                Task::GiveUp => return Err(Error::NoAnswer),
                Task::Idle => return Err(Error::Usage("nothing was asked".into())),
                Task::Send(bytes) => {
                    self.traffic.0 += bytes.len() as u64;
                    self.port.send(bytes).map_err(port_error)?;
                }
            }
        }
    }

    fn send_due(&mut self) -> Result<(), Error> {
        let now = self.start.elapsed().as_millis() as u32;
        while let Some(bytes) = self.client.due(now) {
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

    /// The next event, if one comes within `wait`. No request may be in flight.
    pub fn event(&mut self, wait: Duration) -> Result<Option<Event>, Error> {
        let deadline = Instant::now() + wait;
        loop {
            self.check()?;
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            while let Some(byte) = self.received.pop_front() {
                let journal = self.journal.as_deref();
                let Some(frame) = self.incoming.byte(byte, journal) else {
                    continue;
                };
                let now = self.start.elapsed().as_millis() as u32;
                if let News::Unasked(response) = self.client.frame(&frame, now) {
                    keep_event(&mut self.events, &response, journal);
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

    /// Fails if the program has to end.
    pub fn check(&self) -> Result<(), Error> {
        match self.leaving {
            true => Ok(()),
            false => interrupt::check(),
        }
    }

    /// Returns a line to its console though the session is lost.
    pub fn give_back(mut self) {
        self.farewell(0);
    }

    /// Sends one `Leave`, whether there is a session or not.
    fn farewell(&mut self, id: u16) {
        if self.speed.own.is_some() && self.own_speed().is_ok() {
            std::thread::sleep(SPEED_GONE);
        }
        let mut bytes = [0; FRAME_MAX];
        if let Ok(len) = (Request::Leave {}).encode(id, &mut bytes)
            && self.port.send(&bytes[..len]).is_ok()
        {
            // Gives the bytes time to leave the UART.
            let _ = self.port.receive(&mut bytes, NOTICE);
        }
    }

    /// Takes the answers in flight, and ends the list or output that is open.
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

    /// Ends the session, so that a serial line returns to its console. The agent drops what
    /// is open.
    pub fn leave(mut self) -> Result<(), Error> {
        self.leaving = true;
        self.drain()?;
        self.unhurry()?;
        match self.done(&Request::Leave {}) {
            // The agent has left the session, and its answer was lost.
            Err(Error::SessionLost) => Ok(()),
            result => result,
        }
    }
}

/// Marks an error of the link if a change was in flight, which may have been made.
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

fn keep_event(events: &mut VecDeque<Event>, response: &Response<'_>, journal: Option<&Journal>) {
    if let Some(journal) = journal {
        journal.response(response);
    }
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
