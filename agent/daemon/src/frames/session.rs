// SPDX-License-Identifier: MIT OR Apache-2.0
//! A session with a program: frames in, frames out, as `nl31-wire` specifies them.
//!
//! A request is carried out when its frame comes, and answered at once. Long work (a
//! list, a console command) goes on a part with each request for the next part, so
//! the program's window is the only queue, and nobody waits for a slow one.

use std::fmt::{self, Write as _};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nl31_netlink::abi::NLM_F_REPLACE;
use nl31_netlink::{
    Add, Body, Change, Client, Connection, Dump, Error, ErrorKind, Failed, Message, Prefix, Route,
    Spec, Step, Transaction, Transport,
};
use nl31_route::{DeviceName, PathKind, Protocol};
use nl31_wire::limits::{BODY_MAX, ERROR_MAX, FRAME_MAX, GREETING_MAX, ITEMS_MAX, RAW_MAX, WINDOW};
use nl31_wire::{
    BadItems, BadMessage, Frame, FrameError, Item, Items, ItemsBuffer, Op, Reason, Request,
    Response, SCHEMA, Server, Verdict, code,
};

use crate::candidate::confirmed_commit::{self, Recorder, RolledBack};
use crate::candidate::flush::flush;
use crate::config::save::{Progress, SaveError, Saving};
use crate::console::access::{Access, Attempt, Gate, NotThePin};
use crate::console::shared::Shared;
use crate::console::{Console, Peer, Reason as Why};
use crate::grammar::codes::{self, Code};
use crate::platform::devices::{Cached, Devices, SystemDevices};
use crate::platform::output::{OUTPUT_MAX, Output};

/// What a session works on.
pub trait Host {
    /// The way to the kernel.
    type Transport: Transport;
    /// A client of its own: a list or transaction must not be mixed with anything.
    fn connect(&self) -> Result<Client<Self::Transport>, Error>;
    /// The network devices.
    fn devices(&self) -> Box<dyn Devices>;
    /// What all sessions have in common.
    fn shared(&self) -> Rc<Shared>;
}

/// This machine.
#[derive(Clone, Debug)]
pub struct System(pub Rc<Shared>);

impl Host for System {
    // The same as the serial console's, or all of the console would be there twice.
    type Transport = Box<dyn Transport>;

    fn connect(&self) -> Result<Client<Box<dyn Transport>>, Error> {
        Ok(Client::new(Box::new(Connection::open()?)))
    }

    fn devices(&self) -> Box<dyn Devices> {
        Box::new(SystemDevices)
    }

    fn shared(&self) -> Rc<Shared> {
        Rc::clone(&self.0)
    }
}

/// Bytes of console output in one part.
const TEXT_PART: usize = BODY_MAX - 3;

/// How long one part is worked on, though it be empty then: the agent has others to serve,
/// and a watchdog.
const PART_TIME: Duration = Duration::from_millis(20);

/// The shortest request and its delimiter take this many bytes, the longest answer
/// [`FRAME_MAX`].
const REQUEST_MIN: usize = 10;

/// What goes on from one request to the next.
enum Open<T> {
    Nothing,
    List(Box<List<T>>),
    Text(Box<Console<T>>),
    Save(Box<(Client<T>, Saving)>),
}

struct List<T> {
    client: Client<T>,
    dump: Dump,
    /// Only paths of this very prefix.
    exactly: Option<Prefix>,
    /// A route that found no room in the part before.
    held: Option<Route<u32>>,
}

enum Changes<T> {
    /// Each request takes effect by itself.
    Single,
    /// They wait for the commit.
    Together(Box<Together<T>>),
    /// One of those that waited failed, and all were dropped. What is on its way
    /// behind it must not take effect by itself.
    Failed,
}

/// A transaction of several requests.
struct Together<T> {
    client: Client<T>,
    transaction: Transaction,
    /// What rolls its commit back unless it is confirmed.
    recorder: Option<Recorder>,
}

/// A session with a program.
pub struct Program<H: Host> {
    host: H,
    boot: u64,
    devices: Box<dyn Devices>,
    server: Server,
    out: Output,
    client: Option<Client<H::Transport>>,
    changes: Changes<H::Transport>,
    open: Open<H::Transport>,
    /// There is more of the text than was fetched.
    unfetched: bool,
    subscribed: bool,
    /// Events were lost, and the program does not know yet.
    lost: bool,
    /// A commit was taken back, and the program does not know yet.
    rolled_back: Option<RolledBack>,
    left: bool,
    gate: Rc<Gate>,
    /// This session has unlocked it.
    unlocked: bool,
}

/// Why a request was not carried out.
struct Refusal {
    code: u16,
    index: Option<usize>,
    offset: Option<usize>,
    text: Box<Text>,
}

type Refused<T> = Result<T, Refusal>;

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
            gate: Rc::default(),
            unlocked: false,
        }
    }

    /// Says what the program may do: everything, unless told.
    pub fn set_gate(&mut self, gate: Rc<Gate>) {
        self.gate = gate;
    }

    /// Ends what is open, as when the line is unplugged.
    pub fn reset(&mut self) {
        self.close();
        self.server.close();
        self.out.clear();
        self.left = false;
    }

    fn close(&mut self) {
        self.client = None;
        self.changes = Changes::Single;
        self.open = Open::Nothing;
        self.subscribed = false;
        self.lost = false;
        self.rolled_back = None;
        if std::mem::take(&mut self.unlocked) {
            self.gate.lock();
        }
    }

    /// What is to be sent.
    pub fn out(&mut self) -> &mut Output {
        &mut self.out
    }

    /// Whether there is something to be sent.
    pub fn pending(&self) -> bool {
        !self.out.pending().is_empty()
    }

    /// Bytes of frames for whose answers there is room.
    pub fn wants(&self) -> usize {
        let room = OUTPUT_MAX - self.out.pending().len();
        room.saturating_sub(FRAME_MAX) * REQUEST_MIN / FRAME_MAX
    }

    /// Whether the program has left: once, when its answer is on its way.
    pub fn left(&mut self) -> bool {
        std::mem::take(&mut self.left)
    }

    /// Takes what came between two delimiters.
    pub fn frame(&mut self, frame: Result<&Frame<'_>, FrameError>) {
        let reason = match frame {
            Err(FrameError::TooLong) => Reason::FRAME_TOO_LONG,
            Err(FrameError::Damaged) => Reason::DAMAGED,
            Ok(frame) => match self.server.accept(frame) {
                Verdict::Ignore => return,
                Verdict::Repeat(bytes) => return self.out.raw(bytes),
                Verdict::Open => {
                    self.close();
                    return self.execute(frame);
                }
                Verdict::Execute => return self.execute(frame),
                Verdict::Refuse(reason) => {
                    // It was heard before, and the answer was lost: a line that is text
                    // again is not to be taken by this.
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

    /// Whether it wants the events, or its console does.
    pub fn subscribes(&self) -> bool {
        self.subscribed || matches!(&self.open, Open::Text(console) if console.monitors())
    }

    /// A change that the kernel tells of.
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
        let route = Cached::new(&*self.devices).named(event.route);
        buffer.push(op, &said(route)).expect("one route has room");
        let item = buffer.items();
        let generation = event.generation.unwrap_or(0);
        self.tell(&Response::Event { generation, item });
    }

    /// Events were lost on their way here.
    pub fn events_lost(&mut self) {
        if let Open::Text(console) = &mut self.open {
            console.events_lost();
        }
        self.lost |= self.subscribed;
        self.tells();
    }

    /// A commit was taken back.
    pub fn rolled_back(&mut self, done: RolledBack) {
        if let Open::Text(console) = &mut self.open {
            // What events leave of the output has room for it.
            console.notice(format_args!("{done}"));
        }
        if self.subscribed {
            self.rolled_back = Some(done);
            self.tells();
        }
    }

    /// Whether something can be told: the line is not locked, and there is room, half of
    /// which is kept for answers. Tells of what was lost first.
    pub fn tells(&mut self) -> bool {
        let room = !self.gate.is_locked() && self.out.room(OUTPUT_MAX / 2);
        if room && std::mem::take(&mut self.lost) {
            self.tell(&Response::Lost {});
        }
        if room && let Some(RolledBack { prefixes, lost }) = self.rolled_back.take() {
            let (prefixes, lost) = (prefixes as u32, lost as u32);
            self.tell(&Response::RolledBack { prefixes, lost });
        }
        room
    }

    fn tell(&mut self, response: &Response<'_>) {
        let mut bytes = [0; FRAME_MAX];
        let len = response.encode(0, &mut bytes).expect("an event is short");
        self.out.raw(&bytes[..len]);
    }

    fn answer(&mut self, response: &Response<'_>) {
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

    fn execute(&mut self, frame: &Frame<'_>) {
        let result = match Request::decode(frame) {
            Ok(request) => self.request(&request),
            Err(_) if self.gate.is_locked() => Err(locked()),
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

    /// Nothing of a transaction may take effect a part of which was refused.
    fn fail_transaction(&mut self, kind: u8) {
        let begins = [
            Request::Begin { replace: false },
            Request::BeginConfirmed { seconds: 0 },
        ];
        let begins = begins.iter().any(|request| request.kind() == kind);
        let empty = Items::default();
        let goes_on = kind == Request::Change { items: empty }.kind()
            && !matches!(self.changes, Changes::Single);
        if begins && matches!(self.changes, Changes::Single) || goes_on {
            self.changes = Changes::Failed;
        }
    }

    /// Refuses what the program may not do.
    fn permit(&self, request: &Request<'_>) -> Refused<()> {
        let session = matches!(
            request,
            Request::Hello { .. } | Request::Unlock { .. } | Request::Leave {}
        );
        if self.gate.is_locked() && !session {
            return Err(locked());
        }
        let changes = matches!(
            request,
            Request::Change { .. }
                | Request::Flush { .. }
                | Request::Begin { .. }
                | Request::BeginConfirmed { .. }
                | Request::Commit {}
                | Request::Save {}
        );
        if self.gate.is_read_only() && changes {
            let what = format_args!("this line is read-only");
            return Err(Refusal::new(codes::DENIED.number, what));
        }
        // It would get between, or be in a table that is not whole.
        let alone = matches!(self.changes, Changes::Single);
        if changes && alone && self.host.shared().booting.get() {
            let what = format_args!("the config of the boot is being loaded: try again");
            return Err(Refusal::new(codes::LOCKED.number, what));
        }
        Ok(())
    }

    /// Carries a request out and answers it, unless it is refused.
    fn request(&mut self, request: &Request<'_>) -> Refused<()> {
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
            Request::Flush {
                filter,
                longer,
                all,
            } => self.flush(filter, longer, all)?,
            Request::Lookup { prefix } => self.lookup(prefix)?,
            Request::Dump { filter, longer } => self.dump(filter, longer)?,
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
            Request::Commit {} => self.commit()?,
            Request::Abort {} => {
                // With its socket the kernel drops it.
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
        }
        Ok(())
    }

    fn greet(&mut self, text: &str) -> Refused<()> {
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

    fn change(&mut self, items: Items<'_>) -> Refused<()> {
        let changes = self.read_changes(items)?;
        let count = self.apply(&changes)?;
        self.answer(&Response::Changed { count });
        Ok(())
    }

    fn read_changes(&self, items: Items<'_>) -> Refused<heapless::Vec<Change, ITEMS_MAX>> {
        let mut changes = heapless::Vec::<Change, ITEMS_MAX>::new();
        let mut devices = Cached::new(&*self.devices);
        for item in items.iter() {
            let index = changes.len();
            let change = item
                .map_err(Refusal::from)
                .and_then(|item| change(item, &mut devices));
            let change = change.map_err(|refusal| Refusal {
                index: Some(index),
                ..refusal
            })?;
            changes
                .push(change)
                .unwrap_or_else(|_| unreachable!("items are at most ITEMS_MAX"));
        }
        Ok(changes)
    }

    /// Makes changes, or has them wait for the commit; gives their number.
    fn apply(&mut self, changes: &[Change]) -> Refused<u32> {
        match &mut self.changes {
            Changes::Single => {
                let mut index = None;
                self.ask(|client| {
                    let mut transaction = Transaction::begin(client, false)?;
                    transaction.push(client, changes).map_err(|failed| {
                        index = failed.index;
                        failed.error
                    })?;
                    transaction.commit(client)
                })
                .map_err(|refusal| Refusal { index, ..refusal })?;
            }
            Changes::Together(together) => {
                let Together {
                    client,
                    transaction,
                    ..
                } = &mut **together;
                transaction.push(client, changes)?;
                self.record(changes)?;
            }
            Changes::Failed => return Err(transaction_failed()),
        }
        Ok(changes.len() as u32)
    }

    /// Records the paths before the changes of a transaction that has to be confirmed.
    fn record(&mut self, changes: &[Change]) -> Refused<()> {
        let Changes::Together(together) = &mut self.changes else {
            return Ok(());
        };
        let Some(recorder) = &mut together.recorder else {
            return Ok(());
        };
        if self.client.is_none() {
            self.client = Some(self.host.connect()?);
        }
        let client = self.client.as_mut().expect("it is connected");
        let mut devices = Cached::new(&*self.devices);
        for (index, change) in changes.iter().enumerate() {
            let prefix = match change {
                Change::Add(_, route) => Some(route.prefix),
                Change::Delete(spec) | Change::DeletePrefix(spec) | Change::DeleteAll(spec) => {
                    spec.prefix
                }
            };
            let Some(prefix) = prefix else { continue };
            if !recorder.record(client, &mut devices, prefix)? {
                let max = confirmed_commit::PREFIXES_MAX;
                let what = format_args!("a commit to be confirmed has at most {max} prefixes");
                return Err(Refusal {
                    index: Some(index),
                    ..Refusal::new(codes::FULL.number, what)
                });
            }
        }
        Ok(())
    }

    /// Refuses to replace or save the whole table while a commit waits to be confirmed: a
    /// roll-back would put old routes into the new table, or leave the saved one with what
    /// was rolled back.
    fn permit_whole_table(&self) -> Refused<()> {
        match self.host.shared().left() {
            Some(left) => Err(unconfirmed(left)),
            None => Ok(()),
        }
    }

    fn flush(&mut self, filter: Items<'_>, longer: bool, all: bool) -> Refused<()> {
        match self.changes {
            Changes::Single => {}
            Changes::Together(..) => return Err(in_transaction()),
            Changes::Failed => return Err(transaction_failed()),
        }
        let spec = self.filter(filter)?;
        if all != (spec == Spec::default()) {
            let what = format_args!("`all` belongs to an empty filter, and to no other");
            return Err(Refusal::new(codes::SYNTAX.number, what));
        }
        if longer || spec.prefix.is_none() {
            self.permit_whole_table()?;
        }
        match self.ask(|client| flush(client, &spec, longer)) {
            Err(refusal) if refusal.code != codes::NO_ROUTE.number => return Err(refusal),
            _ => {}
        }
        if all {
            self.host.shared().replace(None);
        }
        self.answer(&Response::Done {});
        Ok(())
    }

    fn lookup(&mut self, prefix: Items<'_>) -> Refused<()> {
        let spec = self.filter(prefix)?;
        let Some(prefix) = spec.prefix.filter(|_| !spec.has_path()) else {
            let what = format_args!("a look-up takes one prefix alone");
            return Err(Refusal::new(codes::SYNTAX.number, what));
        };
        let route = self.ask(|client| client.lookup(prefix));
        let route = route.map_err(|refusal| match refusal.code == codes::NO_ROUTE.number {
            true => Refusal::new(refusal.code, format_args!("no route to {prefix}")),
            false => refusal,
        })?;
        let mut buffer = ItemsBuffer::default();
        let route = Cached::new(&*self.devices).named(route);
        buffer
            .push(Op::Add, &said(route))
            .expect("one route has room");
        self.answer(&Response::Routes {
            items: buffer.items(),
            last: true,
            interrupted: false,
        });
        Ok(())
    }

    fn dump(&mut self, filter: Items<'_>, longer: bool) -> Refused<()> {
        self.open = Open::Nothing;
        let spec = self.filter(filter)?;
        let mut client = self.host.connect()?;
        let dump = client.dump(&spec)?;
        let exactly = spec.prefix.filter(|_| !longer);
        self.open = Open::List(Box::new(List {
            client,
            dump,
            exactly,
            held: None,
        }));
        self.next()
    }

    fn line(&mut self, text: &str) -> Refused<()> {
        if text.contains(|c: char| c.is_control()) {
            let what = format_args!("a line of text has no control characters");
            return Err(Refusal::new(code::BAD_MESSAGE, what));
        }
        if !matches!(self.open, Open::Text(_)) {
            let mut console = Box::new(Console::new(
                self.host.devices(),
                None,
                Peer::Script,
                self.host.shared(),
            ));
            let access = Access::without_pin(self.gate.is_read_only());
            console.set_gate(Rc::new(Gate::new(access)));
            self.open = Open::Text(console);
        }
        if let Open::Text(console) = &mut self.open {
            // An idle one may be monitoring; one that is busy is stopped, and what was not
            // fetched of an output is dropped.
            if !console.idle() {
                stop(console);
            } else if std::mem::take(&mut self.unfetched) && !console.monitors() {
                console.out().clear();
            }
            if !console.attached() {
                match self.host.connect() {
                    Ok(client) => console.attach(client),
                    // Without a kernel the console says so by itself.
                    Err(error) => log::debug!("{error}"),
                }
            }
            console.feed(text.as_bytes());
            console.feed(b"\n");
        }
        self.next()
    }

    /// Answers with the next part of what is open.
    fn next(&mut self) -> Refused<()> {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {
                let what = format_args!("no list or output is open");
                Err(Refusal::new(code::NOT_OPEN, what))
            }
            Open::List(list) => self.next_routes(list),
            Open::Save(save) => self.next_saved(save),
            Open::Text(mut console) => {
                let started = Instant::now();
                while console.out().pending().len() < TEXT_PART
                    && console.work()
                    && started.elapsed() < PART_TIME
                {}
                let idle = console.idle();
                let pending = console.out().pending();
                let len = pending.len().min(TEXT_PART);
                let last = idle && len == pending.len();
                self.answer(&Response::Output {
                    text: &pending[..len],
                    last,
                });
                console.out().consume(len);
                self.unfetched = !last;
                self.open = Open::Text(console);
                Ok(())
            }
        }
    }

    fn next_routes(&mut self, mut list: Box<List<H::Transport>>) -> Refused<()> {
        let mut buffer = ItemsBuffer::default();
        let (mut last, mut interrupted) = (false, false);
        let mut devices = Cached::new(&*self.devices);
        loop {
            let route = match list.held.take() {
                Some(route) => route,
                None => match list.client.poll_next(&mut list.dump)? {
                    Step::Route(route) => route,
                    Step::Pending => break,
                    Step::End {
                        interrupted: changed,
                    } => {
                        (last, interrupted) = (true, changed);
                        break;
                    }
                },
            };
            if list.exactly.is_some_and(|prefix| prefix != route.prefix) {
                // Its paths come first.
                last = true;
                break;
            }
            if buffer.push(Op::Add, &said(devices.named(route))).is_err() {
                list.held = Some(route);
                break;
            }
        }
        if !last {
            self.open = Open::List(list);
        }
        self.answer(&Response::Routes {
            items: buffer.items(),
            last,
            interrupted,
        });
        Ok(())
    }

    fn save(&mut self) -> Refused<()> {
        self.open = Open::Nothing;
        self.permit_whole_table()?;
        let shared = self.host.shared();
        let mut client = self.host.connect()?;
        let saving = Saving::begin(&mut client, &shared)?;
        self.open = Open::Save(Box::new((client, saving)));
        self.next()
    }

    fn next_saved(&mut self, mut save: Box<(Client<H::Transport>, Saving)>) -> Refused<()> {
        let shared = self.host.shared();
        let (client, saving) = &mut *save;
        let last = matches!(
            saving.step(client, &*self.devices, &shared)?,
            Progress::Saved(_)
        );
        let routes = saving.paths();
        if last {
            shared.saved(routes, saving.late());
        } else {
            self.open = Open::Save(save);
        }
        self.answer(&Response::Saving { routes, last });
        Ok(())
    }

    fn unlock(&mut self, pin: &str) -> Refused<()> {
        if self.gate.is_locked() {
            match self.gate.attempt(pin.as_bytes()) {
                Attempt::Right => {
                    self.unlocked = true;
                    log::info!("a program has unlocked the serial line");
                }
                Attempt::Wrong(pause) => {
                    return Err(Refusal::new(codes::LOCKED_OUT.number, NotThePin(pause)));
                }
            }
        }
        self.answer(&Response::Done {});
        Ok(())
    }

    fn table(&mut self) -> Refused<()> {
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

    fn begin(&mut self, replace: bool, confirm: Option<u32>) -> Refused<()> {
        if !matches!(self.changes, Changes::Single) {
            return Err(in_transaction());
        }
        if replace || confirm.is_some() {
            self.permit_whole_table()?;
        }
        let recorder = match confirm {
            None => None,
            Some(seconds @ 1..=confirmed_commit::SECONDS_MAX) => {
                let path = self.host.shared().files.undo();
                let recorder = Recorder::begin(&path, seconds);
                Some(recorder.map_err(|error| file_failed(&path, &error))?)
            }
            Some(_) => {
                let max = confirmed_commit::SECONDS_MAX;
                let what = format_args!("the time to confirm is 1 to {max} seconds");
                return Err(Refusal::new(codes::SYNTAX.number, what));
            }
        };
        let mut client = self.host.connect()?;
        let transaction = Transaction::begin(&mut client, replace)?;
        self.changes = Changes::Together(Box::new(Together {
            client,
            transaction,
            recorder,
        }));
        self.answer(&Response::Done {});
        Ok(())
    }

    fn commit(&mut self) -> Refused<()> {
        match std::mem::replace(&mut self.changes, Changes::Single) {
            Changes::Single => Err(Refusal::new(
                code::NOT_OPEN,
                format_args!("no transaction is open"),
            )),
            Changes::Together(together) => {
                let Together {
                    mut client,
                    transaction,
                    recorder,
                } = *together;
                let shared = self.host.shared();
                let replaces = transaction.replaces();
                let confirms = recorder.is_some();
                if let Some(recorder) = recorder {
                    let until = recorder.arm();
                    let until = until.map_err(|error| file_failed(&shared.files.undo(), &error))?;
                    shared.unconfirmed.set(Some(until));
                }
                let count = match transaction.commit(&mut client) {
                    Ok(count) => count,
                    Err(error) => {
                        // If the kernel has refused it, there is nothing to roll back.
                        if confirms && error.errno().is_some() {
                            shared.forget_unconfirmed();
                        }
                        return Err(error.into());
                    }
                };
                if replaces {
                    shared.replace(None);
                }
                if confirms && count == 0 {
                    shared.forget_unconfirmed();
                }
                self.answer(&Response::Changed { count });
                Ok(())
            }
            Changes::Failed => Err(transaction_failed()),
        }
    }

    fn filter(&self, items: Items<'_>) -> Refused<Spec<u32>> {
        let filter = items.filter()?;
        Cached::new(&*self.devices)
            .indexed(filter)
            .map_err(no_device)
    }

    /// Asks the kernel. A client that failed is replaced by another one with the next
    /// request: what it has not heard must not be taken for a later answer.
    fn ask<R>(
        &mut self,
        ask: impl FnOnce(&mut Client<H::Transport>) -> Result<R, Error>,
    ) -> Refused<R> {
        if self.client.is_none() {
            self.connect()?;
        }
        let client = self.client.as_mut().expect("it is connected");
        ask(client).map_err(|error| self.refused(error))
    }

    // Not a part of `ask`, which is there once for each kind of request.
    fn connect(&mut self) -> Refused<()> {
        self.client = Some(self.host.connect()?);
        Ok(())
    }

    fn refused(&mut self, error: Error) -> Refusal {
        if !matches!(error.kind, ErrorKind::Kernel(_)) {
            self.client = None;
        }
        error.into()
    }
}

/// Ends the command that is under way, and with its socket the kernel's part of it. Edits
/// wait for their commit all the same.
fn stop<T: Transport>(console: &mut Console<T>) {
    console.suspend();
    console.detach();
}

/// The change that an item is.
fn change(item: Item, devices: &mut Cached<'_>) -> Refused<Change> {
    let prefix = item.prefix();
    let spec = devices.indexed(item.route).map_err(no_device)?;
    let route = Route {
        prefix,
        path: spec.path(),
    };
    Ok(match item.op {
        Op::Add => Change::Add(Add::Add, route),
        Op::Replace => Change::Add(Add::Replace, route),
        Op::Change => Change::Add(Add::Change, route),
        Op::Append => Change::Add(Add::Append, route),
        Op::Delete => Change::Delete(spec),
        // Whatever path was said for the items before.
        Op::DeletePrefix => Change::DeletePrefix(Spec {
            prefix: Some(prefix),
            ..Spec::default()
        }),
    })
}

/// What has to be said of a route; what is assumed anyway is left out.
fn said(route: Route<DeviceName>) -> Spec<DeviceName> {
    let path = route.path;
    Spec {
        kind: Some(path.kind).filter(|&kind| kind != PathKind::Unicast),
        prefix: Some(route.prefix),
        gateway: path.gateway,
        device: path.device,
        metric: Some(path.metric).filter(|&metric| metric != 0),
        protocol: Some(path.protocol).filter(|&protocol| protocol != Protocol::UNSPEC),
    }
}

fn locked() -> Refusal {
    let what = format_args!("the line is locked: it wants its PIN first");
    Refusal::new(codes::LOCKED_OUT.number, what)
}

fn unconfirmed(left: u64) -> Refusal {
    let seconds = left.div_ceil(1000);
    let what = format_args!("a commit waits {seconds} s more to be confirmed or rolled back");
    Refusal::new(codes::LOCKED.number, what)
}

fn file_failed(path: &Path, error: &io::Error) -> Refusal {
    let what = format_args!("{}: {error}", path.display());
    Refusal::new(codes::of_io(error).number, what)
}

fn in_transaction() -> Refusal {
    let what = format_args!("a transaction is open: commit or abort it first");
    Refusal::new(code::IN_TRANSACTION, what)
}

fn transaction_failed() -> Refusal {
    let what = format_args!("the transaction failed before and was dropped");
    Refusal::new(code::TRANSACTION_FAILED, what)
}

fn no_device(name: DeviceName) -> Refusal {
    Refusal::new(
        codes::NO_DEVICE.number,
        format_args!("there is no device {name}"),
    )
}

impl Refusal {
    fn new(code: u16, text: impl fmt::Display) -> Self {
        Self {
            code,
            index: None,
            offset: None,
            text: Text::of(text),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        log::debug!("{error}");
        let offset = match &error.kind {
            ErrorKind::Kernel(kernel) => kernel.offset.map(|offset| offset as usize),
            _ => None,
        };
        Self {
            offset,
            ..Self::new(Code::of(&error).number, Why(&error))
        }
    }
}

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Self {
        Self {
            index: failed.index,
            ..failed.error.into()
        }
    }
}

impl From<SaveError> for Refusal {
    fn from(error: SaveError) -> Self {
        log::error!("not saved: {error}");
        match error {
            SaveError::Kernel(error) => error.into(),
            SaveError::Io(ref io) => Self::new(codes::of_io(io).number, error),
        }
    }
}

impl From<BadItems> for Refusal {
    fn from(error: BadItems) -> Self {
        Self {
            offset: Some(error.offset),
            ..Self::new(code::BAD_MESSAGE, error)
        }
    }
}

/// Text that is cut where it is too long.
struct Text(heapless::String<ERROR_MAX>);

impl Text {
    fn of(text: impl fmt::Display) -> Box<Self> {
        let mut cut = Box::new(Self(heapless::String::new()));
        // Fails where it is cut.
        let _ = write!(cut, "{text}");
        cut
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars()
            .try_for_each(|c| self.0.push(c))
            .map_err(|_| fmt::Error)
    }
}
