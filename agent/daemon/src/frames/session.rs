// SPDX-License-Identifier: MIT OR Apache-2.0
//! A session with a program: frames in, frames out, as `nl31-wire` specifies them.
//!
//! A request is carried out when its frame arrives, and answered at once. Long work (a
//! list, a console command) advances by a part with each request for the next part. So the
//! program's window is the only queue, and no session waits for a slow program.

use std::io;
use std::rc::Rc;

use nl31_netlink::abi::NLM_F_REPLACE;
use nl31_netlink::{Body, Client, Error, ErrorKind, Message};
use nl31_wire::limits::{FRAME_MAX, ITEMS_MAX, RAW_MAX, WINDOW};
use nl31_wire::{
    BadMessage, Frame, FrameError, ItemsBuffer, Op, Reason, Request, Response, SCHEMA, Server,
    Verdict, code,
};

use super::changes::Changes;
use super::command::stop;
use super::host::Host;
use super::listing::{List, to_spec};
use super::refusal::{Refusal, Refused, Text, locked};
use crate::candidate::confirmed_commit::RolledBack;
use crate::config::save::Saving;
use crate::console::Console;
use crate::console::access::{LineLock, PinCheck};
use crate::grammar::{GREETING_MAX, codes};
use crate::platform::devices::{Cached, Devices};
use crate::platform::output::{OUTPUT_MAX, Output};

/// The shortest request and its delimiter take this many bytes, the longest answer
/// [`FRAME_MAX`].
const REQUEST_MIN: usize = 10;

/// Work that spans requests.
pub(super) enum Open<T> {
    Nothing,
    List(Box<List<T>>),
    Text(Box<Console<T>>),
    Save(Box<(Client<T>, Saving)>),
}

/// A session with a program.
pub struct Program<H: Host> {
    pub(super) host: H,
    pub(super) boot: u64,
    pub(super) devices: Box<dyn Devices>,
    pub(super) server: Server,
    pub(super) out: Output,
    pub(super) client: Option<Client<H::Transport>>,
    pub(super) changes: Changes<H::Transport>,
    pub(super) open: Open<H::Transport>,
    /// Part of the text was not fetched yet.
    pub(super) unfetched: bool,
    pub(super) subscribed: bool,
    /// Events were lost, and the program was not told yet.
    pub(super) lost: bool,
    /// A commit was rolled back, and the program was not told yet.
    pub(super) rolled_back: Option<RolledBack>,
    pub(super) left: bool,
    pub(super) line_lock: Rc<LineLock>,
    /// This session has unlocked the line.
    pub(super) unlocked: bool,
    pub(super) speed: Speed,
}

/// The speed of the line, which the owner of the session changes.
#[derive(Debug, Default)]
pub(super) struct Speed {
    /// The line has one.
    is_there: bool,
    /// Asked for, and not answered yet.
    asked: Option<u32>,
    /// The last one whose answer was Done.
    agreed: Option<u32>,
    /// The line is to have it once the output is sent.
    next: Option<u32>,
}

impl<H: Host> Program<H> {
    /// Waits for a hello. `boot` is the same for all sessions of one run of the
    /// agent.
    pub fn new(host: H, boot: u64) -> Self {
        Self {
            devices: host.devices(),
            host,
            boot,
            server: Server::new(),
            out: Output::new(false),
            client: None,
            changes: Changes::Single,
            open: Open::Nothing,
            unfetched: false,
            subscribed: false,
            lost: false,
            rolled_back: None,
            left: false,
            line_lock: Rc::default(),
            unlocked: false,
            speed: Speed::default(),
        }
    }

    /// Sets whether the line has a speed that a program may change. Its owner then asks
    /// [`Program::asks_for_speed`] and [`Program::take_speed`] after each frame.
    pub fn set_line_with_speed(&mut self, is_there: bool) {
        self.speed.is_there = is_there;
    }

    /// The speed that the last frame asked for; [`Program::answer_speed`] has to follow.
    pub fn asks_for_speed(&self) -> Option<u32> {
        self.speed.asked
    }

    /// Answers: the line can have the speed, or why it cannot.
    pub fn answer_speed(&mut self, tried: io::Result<()>) {
        let asked = self.speed.asked.take();
        match tried {
            Ok(()) => {
                (self.speed.agreed, self.speed.next) = (asked, asked);
                self.answer(&Response::Done {});
            }
            Err(error) => {
                self.speed.agreed = None;
                let text = Text::of(error);
                self.answer(&Response::Failed {
                    code: code::NO_SPEED,
                    index: None,
                    offset: None,
                    text: &text.0,
                });
            }
        }
    }

    /// The speed that the line is to have once the output is sent; once for each answer.
    pub fn take_speed(&mut self) -> Option<u32> {
        self.speed.next.take()
    }

    /// Sets the lock of the line; without one the program may do everything.
    pub fn set_line_lock(&mut self, line_lock: Rc<LineLock>) {
        self.line_lock = line_lock;
    }

    /// Ends everything that is open, as after a hangup.
    pub fn reset(&mut self) {
        self.close();
        self.server.close();
        self.out.clear();
        self.left = false;
    }

    pub(super) fn close(&mut self) {
        self.client = None;
        self.changes = Changes::Single;
        self.open = Open::Nothing;
        self.subscribed = false;
        self.lost = false;
        self.rolled_back = None;
        let is_there = self.speed.is_there;
        self.speed = Speed {
            is_there,
            ..Speed::default()
        };
        if std::mem::take(&mut self.unlocked) {
            self.line_lock.lock();
        }
    }

    /// The bytes to send.
    pub fn out(&mut self) -> &mut Output {
        &mut self.out
    }

    /// Whether there are bytes to send.
    pub fn pending(&self) -> bool {
        !self.out.pending().is_empty()
    }

    /// Bytes of frames whose answers fit the output.
    pub fn wants(&self) -> usize {
        let room = OUTPUT_MAX - self.out.pending().len();
        room.saturating_sub(FRAME_MAX) * REQUEST_MIN / FRAME_MAX
    }

    /// Whether the program has left, and no other one has said hello since. Its last answer may
    /// not be sent yet.
    pub fn left(&self) -> bool {
        self.left
    }

    /// Handles the bytes between two delimiters.
    pub fn frame(&mut self, frame: Result<&Frame<'_>, FrameError>) {
        let reason = match frame {
            Err(FrameError::TooLong) => Reason::FRAME_TOO_LONG,
            Err(FrameError::Damaged) => Reason::DAMAGED,
            Ok(frame) => match self.server.accept(frame) {
                Verdict::Ignore => return,
                Verdict::Repeat(bytes) => {
                    // The answer was lost, and the client has not changed its speed: the line is
                    // back, or will be, and both begin again.
                    if let Ok(Request::Speed { baud }) = Request::decode(frame)
                        && self.speed.agreed == Some(baud)
                    {
                        self.speed.next = Some(baud);
                    }
                    return self.out.raw(bytes);
                }
                Verdict::Open => {
                    self.left = false;
                    self.close();
                    return self.execute(frame);
                }
                Verdict::Execute => return self.execute(frame),
                Verdict::Refuse(reason) => {
                    // A repeated Bye, whose answer was lost: a line that is back to text
                    // stays so.
                    let leave = matches!(Request::decode(frame), Ok(Request::Leave {}));
                    self.left |= leave && !self.server.is_open();
                    reason
                }
            },
        };
        let mut bytes = [0; FRAME_MAX];
        let len = self.server.nak(reason, &mut bytes);
        self.out.raw(&bytes[..len]);
    }

    /// Whether the program or its console wants the events.
    pub fn subscribes(&self) -> bool {
        self.subscribed || matches!(&self.open, Open::Text(console) if console.monitors())
    }

    /// Passes on an event of the kernel.
    pub fn event(&mut self, message: &Message) {
        if let Open::Text(console) = &mut self.open {
            match console.listens() {
                true => console.event(message),
                false => console.missed(),
            }
        }
        if !self.subscribed {
            return;
        }
        let (op, event) = match &message.body {
            Body::NewRoute(event) if message.header.flags & NLM_F_REPLACE != 0 => {
                (Op::Replace, event)
            }
            Body::NewRoute(event) => (Op::Add, event),
            Body::DelRoute(event) => (Op::Delete, event),
            _ => return,
        };
        if !self.tells() {
            self.lost = true;
            return;
        }
        let mut buffer = ItemsBuffer::default();
        let route = Cached::new(&*self.devices).named(event.route.clone());
        buffer
            .push(op, &to_spec(route))
            .expect("one route has room");
        let item = buffer.items();
        let generation = event.generation.unwrap_or(0);
        self.tell(&Response::Event { generation, item });
    }

    /// Tells that events were lost.
    pub fn events_lost(&mut self) {
        if let Open::Text(console) = &mut self.open {
            console.events_lost();
        }
        self.lost |= self.subscribed;
        self.tells();
    }

    /// Tells that a commit was rolled back.
    pub fn rolled_back(&mut self, done: RolledBack) {
        if let Open::Text(console) = &mut self.open {
            // The half of the output that events do not use has room for it.
            console.notice(format_args!("{done}"));
        }
        if self.subscribed {
            self.rolled_back = Some(done);
            self.tells();
        }
    }

    /// Whether an event can be sent: the line is not locked, and half of the output is free,
    /// as that half is kept for answers. Reports lost events first.
    pub fn tells(&mut self) -> bool {
        let room = !self.line_lock.is_locked() && self.out.room(OUTPUT_MAX / 2);
        if room && std::mem::take(&mut self.lost) {
            self.tell(&Response::Lost {});
        }
        if room && let Some(RolledBack { prefixes, left, .. }) = self.rolled_back.take() {
            let (prefixes, lost) = (prefixes as u32, left as u32);
            self.tell(&Response::RolledBack { prefixes, lost });
        }
        room
    }

    pub(super) fn tell(&mut self, response: &Response<'_>) {
        let mut bytes = [0; FRAME_MAX];
        let len = response.encode(0, &mut bytes).expect("an event is short");
        self.out.raw(&bytes[..len]);
    }

    pub(super) fn answer(&mut self, response: &Response<'_>) {
        let broken = Response::Failed {
            code: codes::BROKEN.number,
            index: None,
            offset: None,
            text: "the answer is longer than a frame",
        };
        if let Ok(answer) = self.server.answer(response) {
            return self.out.raw(answer);
        }
        let answer = self.server.answer(&broken).expect("it is short");
        self.out.raw(answer);
    }

    pub(super) fn execute(&mut self, frame: &Frame<'_>) {
        let result = match Request::decode(frame) {
            Ok(request) => self.request(&request),
            Err(_) if self.line_lock.is_locked() => Err(locked()),
            Err(error) => {
                let code = match error {
                    BadMessage::Kind(_) => code::UNKNOWN_KIND,
                    _ => code::BAD_MESSAGE,
                };
                Err(Refusal::new(code, error))
            }
        };
        if let Err(refusal) = result {
            self.fail_transaction(frame.kind);
            let number = |number: Option<usize>| number.and_then(|n| u16::try_from(n).ok());
            self.answer(&Response::Failed {
                code: refusal.code,
                index: number(refusal.index),
                offset: number(refusal.offset),
                text: &refusal.text.0,
            });
        }
    }

    /// Refuses a request that the program may not make.
    pub(super) fn permit(&self, request: &Request<'_>) -> Refused<()> {
        let session = matches!(
            request,
            Request::Hello { .. } | Request::Unlock { .. } | Request::Leave {}
        );
        if self.line_lock.is_locked() && !session {
            return Err(locked());
        }
        let changes = matches!(
            request,
            Request::Change { .. }
                | Request::PackedChange { .. }
                | Request::Flush { .. }
                | Request::Begin { .. }
                | Request::BeginConfirmed { .. }
                | Request::Commit {}
                | Request::Save {}
                | Request::Setting { .. }
        );
        if self.line_lock.is_read_only() && changes {
            let what = format_args!("this line is read-only");
            return Err(Refusal::new(codes::DENIED.number, what));
        }
        // The change would get into the load, or the answer show an incomplete table.
        let alone = matches!(self.changes, Changes::Single);
        if changes && alone && self.host.shared().config.booting.get() {
            let what = format_args!("the config of the boot is being loaded: try again");
            return Err(Refusal::new(codes::LOCKED.number, what));
        }
        Ok(())
    }

    /// Carries a request out and answers it, unless it is refused.
    pub(super) fn request(&mut self, request: &Request<'_>) -> Refused<()> {
        self.permit(request)?;
        match *request {
            Request::Hello { .. } => self.answer(&Response::Welcome {
                boot: self.boot,
                schema: SCHEMA,
                raw_max: RAW_MAX as u16,
                window: WINDOW as u8,
                items_max: ITEMS_MAX as u16,
                agent: env!("CARGO_PKG_VERSION"),
            }),
            Request::Ping {} => {
                self.ask(Client::ping)?;
                self.answer(&Response::Done {});
            }
            Request::Greet { text } => self.greet(text)?,
            Request::Change { items } => self.change(items)?,
            Request::PackedChange { count, packed } => self.packed_change(count, packed)?,
            Request::Flush {
                filter,
                longer,
                all,
            } => self.flush(filter, longer, all)?,
            Request::Lookup { prefix } => self.lookup(prefix)?,
            Request::Dump { filter, longer } => self.dump(filter, longer, None)?,
            Request::PackedDump { filter, longer } => {
                self.dump(filter, longer, Some(Box::default()))?;
            }
            Request::Line { text } => self.line(text)?,
            Request::Next {} => self.next()?,
            Request::Stop {} => {
                match &mut self.open {
                    Open::Text(console) => stop(console),
                    open => *open = Open::Nothing,
                }
                self.answer(&Response::Done {});
            }
            Request::Table {} => self.table()?,
            Request::Begin { replace } => self.begin(replace, None)?,
            Request::BeginConfirmed { seconds } => self.begin(false, Some(seconds))?,
            Request::Setting { replace, line } => self.setting(replace, line)?,
            Request::Commit {} => self.commit()?,
            Request::Abort {} => {
                // Closing its socket drops the transaction.
                self.changes = Changes::Single;
                self.answer(&Response::Done {});
            }
            Request::Subscribe { on } => {
                self.subscribed = on;
                (self.lost, self.rolled_back) = (false, None);
                self.answer(&Response::Done {});
            }
            Request::Leave {} => {
                self.close();
                self.answer(&Response::Done {});
                self.server.close();
                self.left = true;
            }
            Request::Save {} => self.save()?,
            Request::Unlock { pin } => self.unlock(pin)?,
            Request::Speed { .. } if !self.speed.is_there => {
                let what = format_args!("this connection has no speed");
                return Err(Refusal::new(code::NO_SPEED, what));
            }
            // For termios it is a hangup.
            Request::Speed { baud: 0 } => {
                let what = format_args!("a line cannot run at 0 baud");
                return Err(Refusal::new(code::NO_SPEED, what));
            }
            Request::Speed { baud } => self.speed.asked = Some(baud),
        }
        Ok(())
    }

    pub(super) fn greet(&mut self, text: &str) -> Refused<()> {
        if text.len() > GREETING_MAX {
            return Err(Refusal::new(
                codes::TOO_LONG.number,
                format_args!("a greeting has at most {GREETING_MAX} bytes"),
            ));
        }
        let text = Some(text).filter(|text| !text.is_empty());
        let greeting = self.ask(|client| client.greet(text))?;
        self.answer(&Response::Greeting {
            port: greeting.port,
            abi: greeting.abi,
            version: &greeting.version,
            text: &greeting.text,
        });
        Ok(())
    }

    /// Answers with the next part of the open list or output.
    pub(super) fn next(&mut self) -> Refused<()> {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {
                let what = format_args!("no list or output is open");
                Err(Refusal::new(code::NOT_OPEN, what))
            }
            Open::List(list) => self.next_routes(list),
            Open::Save(save) => self.next_saved(save),
            Open::Text(console) => self.next_text(console),
        }
    }

    pub(super) fn unlock(&mut self, pin: &str) -> Refused<()> {
        if self.line_lock.is_locked() {
            match self.line_lock.check_pin(pin.as_bytes()) {
                PinCheck::Right => {
                    self.unlocked = true;
                    log::info!("a program has unlocked the serial line");
                }
                refused => return Err(Refusal::new(codes::LOCKED_OUT.number, refused)),
            }
        }
        self.answer(&Response::Done {});
        Ok(())
    }

    pub(super) fn table(&mut self) -> Refused<()> {
        let table = self.ask(Client::table)?;
        self.answer(&Response::Counters {
            generation: table.generation,
            routes4: table.routes4,
            routes6: table.routes6,
            paths4: table.paths4,
            paths6: table.paths6,
            nexthops: table.nexthops,
            bytes4: table.bytes4,
            bytes6: table.bytes6,
            nexthop_bytes: table.nexthop_bytes,
            max_routes: table.max_routes,
            lookups: table.lookups,
            hits: table.hits,
            misses: table.misses,
            errors: table.errors,
        });
        Ok(())
    }

    /// Asks the kernel. A client that failed is replaced with the next request: an answer that
    /// it missed must not be taken for a later one.
    pub(super) fn ask<R>(
        &mut self,
        ask: impl FnOnce(&mut Client<H::Transport>) -> Result<R, Error>,
    ) -> Refused<R> {
        if self.client.is_none() {
            self.connect()?;
        }
        let client = self.client.as_mut().expect("it is connected");
        ask(client).map_err(|error| self.refused(error))
    }

    // Not a part of `ask`, which is compiled once for each kind of request.
    pub(super) fn connect(&mut self) -> Refused<()> {
        self.client = Some(self.host.connect()?);
        Ok(())
    }

    pub(super) fn refused(&mut self, error: Error) -> Refusal {
        if !matches!(error.kind, ErrorKind::Kernel(_)) {
            self.client = None;
        }
        error.into()
    }
}
