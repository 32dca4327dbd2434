// SPDX-License-Identifier: MIT OR Apache-2.0
//! A session on the serial line: bytes of the terminal in, replies out.
//!
//! The reply to a command is any number of data lines and then one status line,
//! see [`codes`]. What was not asked for begins with `* `. Data lines are
//! in the config's syntax and never look like a status line.
//!
//! Nothing here waits but for the kernel's answer to one request. Long work (a
//! list of routes, the config at boot) goes on a little each time
//! [`Console::work`] is called, so keys are heard meanwhile. While a command runs,
//! what is typed ahead waits in a queue of fixed size, and then in the terminal's.

mod candidate;
mod complete;
mod config;
mod info;
mod lock;
mod page;
mod routes;
mod show;

use std::fmt::{self, Write as _};
use std::rc::Rc;

use nl31_netlink::abi::NLM_F_REPLACE;
use nl31_netlink::{Body, Client, Error, ErrorKind, Message, Transport};
use nl31_route::DeviceName;

use crate::boot::{Boot, News};
use crate::candidate::Candidate;
use crate::changes::Changes;
use crate::codes::{self, Code};
use crate::columns::columns;
use crate::config::Loading;
use crate::device::{Cached, Devices};
use crate::edit::{self, Fault};
use crate::editor::{DRAWN_MAX, Editor, LINE_MAX, Line, Request};
use crate::grammar::{self, Action, Arguments, Command, GrammarError};
use crate::output::Output;
use crate::shared::Shared;

use candidate::{CandidateDiff, Commit, Purpose};
use config::{ConfigDiff, Save};
use info::Topic;
use lock::Lock;
use show::Show;

/// What the prompt looks like.
pub const PROMPT: &str = "nl31> ";

/// Bytes typed ahead.
const INPUT_MAX: usize = 4096;

/// More typed ahead than this is no person's: see [`Console::keep_up`].
const PASTED: usize = 512;

/// Room in the output that the longest reply of a single step takes: `help`.
const REPLY_MAX: usize = 6 * 1024;
const _: () = assert!(REPLY_MAX > DRAWN_MAX);

/// A route with its line's end, as text or JSON, is shorter.
const ROUTE_MAX: usize = 256;

/// Lines of a long reply before the serial line is looked after again: those that the
/// output has room for, with a status line.
const LINES_PER_STEP: usize = REPLY_MAX / ROUTE_MAX - 1;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A script: each line is a command; no prompt, no echo.
    Script,
    /// A person, who ends the session with Ctrl-D.
    Shell,
    /// Whoever is on the serial line, which has no end.
    Line,
}

/// What goes on after a command's line.
enum Running {
    /// Nothing: the prompt is there.
    Nothing,
    /// The command waits for the config to be loaded.
    Held(Box<Line>),
    /// A page is full, and a key is waited for.
    Paused(Box<Running>),
    Show(Box<Show>),
    /// The log, from this line on.
    Log(u64),
    /// Help on this, from this line on.
    Help(Topic, usize),
    Commit(Box<Commit>),
    CandidateDiff(Box<CandidateDiff>),
    ConfigDiff(Box<ConfigDiff>),
    Save(Box<Save>),
    Load(Box<Loading>),
}

/// A session, over the kernel if it is there.
pub struct Console<T> {
    client: Option<Client<T>>,
    devices: Rc<dyn Devices>,
    boot: Option<Boot>,
    peer: Peer,
    shared: Rc<Shared>,
    lock: Lock,
    candidate: Option<Candidate>,
    editor: Editor,
    /// Columns and rows that the terminal told of itself; 0 if it does not.
    told: (usize, usize),
    /// Rows of the terminal; 0 if they are not known.
    rows: usize,
    /// Rows of output since the command, or since the last page.
    printed: usize,
    /// The prompt was drawn: from then on there is a line to be kept.
    prompted: bool,
    /// The line of a script, as far as it has come.
    script: heapless::Vec<u8, LINE_MAX>,
    script_overflowed: bool,
    input: heapless::Deque<u8, INPUT_MAX>,
    /// A paste is coming in: the line is not shown.
    hurried: bool,
    out: Output,
    running: Running,
    /// What is running waits for the kernel.
    waiting: bool,
    stop: bool,
    monitoring: bool,
    /// Events were lost, and the table is to be asked for its generation.
    behind: bool,
    ended: bool,
    commands: u64,
    failures: u64,
    changes: Changes,
}

impl<T: Transport> Console<T> {
    /// A session that says nothing yet, see [`Console::start`].
    pub fn new(
        devices: Box<dyn Devices>,
        boot: Option<Boot>,
        peer: Peer,
        shared: Rc<Shared>,
    ) -> Self {
        Self {
            client: None,
            devices: devices.into(),
            boot,
            peer,
            shared,
            lock: Lock::default(),
            candidate: None,
            editor: Editor::new(PROMPT),
            told: (0, 0),
            rows: 0,
            printed: 0,
            prompted: false,
            script: heapless::Vec::new(),
            script_overflowed: false,
            input: heapless::Deque::new(),
            hurried: false,
            out: Output::new(peer != Peer::Script),
            running: Running::Nothing,
            waiting: false,
            stop: false,
            monitoring: false,
            behind: false,
            ended: false,
            commands: 0,
            failures: 0,
            changes: Changes::default(),
        }
    }

    /// Greets whoever is at the terminal. The prompt follows when the config is
    /// loaded, or at the first key.
    pub fn start(&mut self) {
        if self.is_locked() {
            self.data(format_args!("\nnl31 agent"));
        } else if self.interactive() {
            self.data(format_args!(
                "\nnl31 agent {}: help lists the commands, Tab and ? help with them",
                env!("CARGO_PKG_VERSION")
            ));
        }
        if self.peer == Peer::Line && self.candidate.is_none() {
            self.candidate = Candidate::resume(&self.shared.files.candidate());
        }
        if let Some(candidate) = self.candidate.as_ref().filter(|_| self.interactive()) {
            let edits = candidate.edits();
            self.notice(format_args!(
                "open edits: {edits}, see `diff`; `commit` or `rollback` ends them"
            ));
        }
        if let Some(left) = self.shared.left().filter(|_| self.interactive()) {
            let seconds = left.div_ceil(1000);
            self.notice(format_args!(
                "a commit waits for `confirm`, or is taken back in {seconds} s"
            ));
        }
    }

    /// Somebody else has the line: drops what is under way.
    pub fn suspend(&mut self) {
        match std::mem::replace(&mut self.running, Running::Nothing) {
            Running::Commit(mut commit) => self.abandon(&mut commit.load),
            Running::Load(mut loading) => {
                if let Some(client) = &mut self.client {
                    loading.abort(client);
                }
            }
            _ => {}
        }
        self.stop = false;
        self.monitoring = false;
        self.input.clear();
        self.hurried = false;
        self.out.clear();
        self.editor.restart();
        self.lock.forget();
        // Who comes next has not said how large the terminal is: a script would not
        // know what to do at the end of a page.
        let (columns, rows) = self.told;
        self.set_size(columns, rows);
        self.prompted = false;
    }

    /// The terminal is another one, or the same one back again.
    pub fn restart(&mut self) {
        self.suspend();
        self.start();
    }

    /// How many columns and rows the terminal has; 0 if it does not say.
    pub fn set_size(&mut self, columns: usize, rows: usize) {
        self.told = (columns, rows);
        self.editor.set_width(columns);
        self.rows = rows;
    }

    /// The kernel's side is there.
    pub fn attach(&mut self, mut client: Client<T>) {
        let table = client.table().ok();
        self.changes.begin(table.map(|table| table.generation));
        self.client = Some(client);
        if let Some(boot) = &mut self.boot {
            boot.restart();
            self.shared.replaced.take();
        }
        self.tell_of_boot();
    }

    /// The kernel's side is gone.
    pub fn detach(&mut self) {
        self.client = None;
        if !matches!(
            self.running,
            Running::Nothing | Running::Log(_) | Running::Help(..)
        ) {
            if matches!(self.running, Running::Paused(_)) {
                self.erase_more();
            }
            self.running = Running::Nothing;
            self.status(
                codes::ABSENT,
                format_args!("the kernel's nl31 module went away"),
            );
        }
    }

    /// Whether there is a prompt, an echo and the line editor.
    fn interactive(&self) -> bool {
        self.peer != Peer::Script
    }

    /// Whether changes of the table are shown.
    pub fn monitors(&self) -> bool {
        self.monitoring
    }

    /// Whether the kernel's side is there.
    pub fn attached(&self) -> bool {
        self.client.is_some()
    }

    /// The kernel's side.
    pub fn client(&mut self) -> Option<&mut Client<T>> {
        self.client.as_mut()
    }

    /// Bytes that may be given to [`Console::feed`].
    pub fn wants(&self) -> usize {
        INPUT_MAX - self.input.len()
    }

    /// Takes what was typed. What is more than [`Console::wants`] is lost.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let running = !matches!(self.running, Running::Nothing);
            if byte == 0x03 && self.interactive() && running {
                // As a terminal does it: what was typed ahead is dropped too.
                self.stop = true;
                self.input.clear();
                continue;
            }
            let _ = self.input.push_back(byte);
        }
    }

    /// No more will be typed.
    pub fn end_of_input(&mut self) {
        self.ended = true;
    }

    /// Whether no more will be typed.
    pub fn input_ended(&self) -> bool {
        self.ended
    }

    /// Whether all that was typed is done and nothing more will be.
    pub fn finished(&self) -> bool {
        self.ended
            && self.input.is_empty()
            && matches!(self.running, Running::Nothing)
            && self.script.is_empty()
            && self.out.pending().is_empty()
    }

    /// Whether every command that was given is done; there may be output yet.
    pub fn idle(&self) -> bool {
        self.input.is_empty() && matches!(self.running, Running::Nothing)
    }

    /// Whether a command goes on without a key.
    pub fn works(&self) -> bool {
        !matches!(self.running, Running::Nothing | Running::Paused(_))
    }

    /// Commands that failed.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// What is to be sent to the terminal.
    pub fn out(&mut self) -> &mut Output {
        &mut self.out
    }

    /// Whether [`Console::work`] waits for the kernel's messages.
    pub fn waits_for_kernel(&self) -> bool {
        self.waiting && self.out.room(REPLY_MAX)
    }

    /// Whether there is room to tell of something.
    pub fn listens(&self) -> bool {
        self.out.room(REPLY_MAX)
    }

    /// Goes on with what there is to do; says whether there is more that needs no
    /// waiting for.
    pub fn work(&mut self) -> bool {
        let booting = self.boot_step();
        if self.interactive() && !self.prompted && !(self.booting() && self.input.is_empty()) {
            self.prompted = true;
            self.prompt();
        }
        self.waiting = false;
        while self.out.room(REPLY_MAX) {
            match std::mem::replace(&mut self.running, Running::Nothing) {
                Running::Nothing => {
                    self.catch_up();
                    self.keep_up();
                    match self.input.pop_front() {
                        Some(byte) => {
                            let commands = self.commands;
                            self.byte(byte);
                            if self.commands != commands {
                                // Events of this command belong before the next one.
                                return true;
                            }
                        }
                        None if self.ended && !self.script.is_empty() => self.byte(b'\n'),
                        None => return self.skip() || booting,
                    }
                }
                Running::Held(line) => {
                    if std::mem::take(&mut self.stop) {
                        self.status(codes::STOPPED, format_args!("stopped"));
                    } else if self.booting() {
                        self.running = Running::Held(line);
                        return booting;
                    } else {
                        self.execute(&line);
                    }
                }
                Running::Paused(inner) => {
                    if !self.stop && self.input.is_empty() {
                        self.running = Running::Paused(inner);
                        return booting;
                    }
                    self.running = match self.page_key() {
                        true => *inner,
                        false => Running::Paused(inner),
                    };
                }
                Running::Log(next) => self.log(next),
                Running::Help(topic, next) => self.help_on(topic, next),
                running => {
                    let more = match running {
                        Running::Show(show) => self.show(show),
                        Running::CandidateDiff(diff) => self.candidate_diff(diff),
                        Running::ConfigDiff(diff) => self.config_diff(diff),
                        Running::Save(save) => self.save(save),
                        Running::Commit(commit) => {
                            self.commit(commit);
                            true
                        }
                        Running::Load(loading) => {
                            self.load(loading);
                            true
                        }
                        _ => unreachable!("the others are handled above"),
                    };
                    self.waiting = !more && !matches!(self.running, Running::Paused(_));
                    // Keys and events are looked after between the steps.
                    return more || booting;
                }
            }
        }
        booting
    }

    /// Reads what is left of a list that was stopped, while there is nothing else to do;
    /// says whether that needs no waiting.
    fn skip(&mut self) -> bool {
        let left = self.ask(Client::skip).ok().flatten();
        self.waiting = left == Some(false);
        left == Some(true)
    }

    /// A change that the kernel tells of.
    pub fn event(&mut self, message: &Message) {
        let (verb, event) = match &message.body {
            Body::NewRoute(event) if message.header.flags & NLM_F_REPLACE != 0 => {
                ("replaced", event)
            }
            Body::NewRoute(event) => ("added", event),
            Body::DelRoute(event) => ("deleted", event),
            Body::Table(table) => {
                if self.monitoring {
                    self.notice(format_args!("limit changed: {} routes", table.max_routes));
                }
                return;
            }
            _ => return,
        };
        let Some(lost) = event
            .generation
            .and_then(|number| self.changes.hear(number))
        else {
            return;
        };
        self.show_lost(lost);
        if self.monitoring {
            let route = Cached::new(&*self.devices).named(event.route);
            self.notice(format_args!("{verb} {route}"));
        }
    }

    /// Events were lost. The agent keeps no copy of the table, so to be right again
    /// is to learn how far the table has come.
    pub fn events_lost(&mut self) {
        self.behind = true;
        self.catch_up();
    }

    /// An event was not told here, for want of room.
    pub fn missed(&mut self) {
        self.behind = true;
    }

    /// Asks how far the table has come, once nothing is under way: the answers that a
    /// command or the boot waits for would be passed over.
    fn catch_up(&mut self) {
        if !self.behind || !matches!(self.running, Running::Nothing) || self.boot_goes_on() {
            return;
        }
        self.behind = false;
        let now = self.client.as_mut().and_then(|client| client.table().ok());
        let Some(now) = now else { return };
        let lost = self.changes.catch_up(now.generation);
        self.show_lost(lost);
        let lost = self.changes.lost();
        log::warn!("changes come faster than they are read, {lost} were lost so far");
    }

    fn show_lost(&mut self, lost: u64) {
        let changes = match lost {
            0 => return,
            1 => "change",
            _ => "changes",
        };
        if self.monitoring {
            self.notice(format_args!(
                "{lost} {changes} came too fast to be shown, see `route show`"
            ));
        }
    }

    /// Tells something that was not asked for.
    pub fn notice(&mut self, text: fmt::Arguments<'_>) {
        let at_prompt = self.prompted && matches!(self.running, Running::Nothing);
        let at_page = matches!(self.running, Running::Paused(_));
        if at_prompt && self.is_locked() {
            self.out.raw(b"\r\n");
        } else if at_prompt {
            self.draw(Editor::erase);
        } else if at_page {
            self.erase_more();
        }
        self.data(format_args!("* {text}"));
        if at_prompt && self.is_locked() {
            self.ask_for_pin();
        } else if at_prompt {
            self.draw(Editor::redraw);
        } else if at_page {
            self.draw_more();
        }
    }

    /// Whether there is work that waits for nothing but a call of
    /// [`Console::work`]: it had to stop while the output was full.
    pub fn may_go_on(&self) -> bool {
        self.out.room(REPLY_MAX)
            && match self.running {
                Running::Nothing => !self.input.is_empty() || self.boot_goes_on(),
                Running::Paused(_) => self.stop || !self.input.is_empty() || self.boot_goes_on(),
                // Woken by the kernel's answers.
                _ => !self.waiting || self.stop || self.boot_goes_on(),
            }
    }

    /// Whether routes of the config wait for a device.
    pub fn waits_for_devices(&self) -> bool {
        let replaced = self.shared.replaced.borrow().is_some();
        let waits = |boot: &Boot| boot.done() && (replaced || !boot.waits_for().is_empty());
        self.attached() && self.boot.as_ref().is_some_and(waits)
    }

    /// Looks whether one of these devices has come, unless a command is under way.
    pub fn look_for_devices(&mut self) {
        let free = match &self.running {
            Running::Nothing => true,
            // Somebody may be away; and whose list has a client of its own loses nothing.
            Running::Paused(inner) => match &**inner {
                Running::Show(show) => show.has_own(),
                inner => matches!(inner, Running::Log(_) | Running::Help(..)),
            },
            _ => false,
        };
        if let (true, Some(boot), Some(client)) = (free, &mut self.boot, &mut self.client) {
            // What waits goes with the table that it was to come to.
            if self.shared.replaced.borrow().is_some() {
                boot.replace(client, self.shared.late());
                self.shared.replaced.take();
            }
            boot.look_for_devices(client, &*self.devices);
        }
    }

    /// Whether the config is being loaded.
    pub fn booting(&self) -> bool {
        self.client.is_some() && self.shared.booting.get()
    }

    fn tell_of_boot(&self) {
        if let Some(boot) = &self.boot {
            self.shared.booting.set(!boot.done());
        }
    }

    /// Whether the config is being loaded, or a copy of it kept, which nobody waits for.
    fn boot_goes_on(&self) -> bool {
        self.client.is_some() && self.boot.as_ref().is_some_and(|boot| !boot.ended())
    }

    /// Goes on loading the config; says whether there is more to do.
    fn boot_step(&mut self) -> bool {
        if !self.boot_goes_on() || !self.out.room(REPLY_MAX) {
            return false;
        }
        let (Some(client), Some(mut boot)) = (&mut self.client, self.boot.take()) else {
            return false;
        };
        let news = boot.step(client, &*self.devices);
        let instead = if boot.fell_back() { " instead" } else { "" };
        let mut failed = false;
        if matches!(news, News::Loaded(..)) && self.shared.forget_unconfirmed() {
            // Its edits went with the table.
            self.notice(format_args!(
                "the commit that waited for `confirm` is gone with the table"
            ));
        }
        match news {
            News::None => {}
            News::Kept(paths) => {
                log::info!("the config was loaded before; the table has {paths} paths");
            }
            News::Loaded(path, loaded) => {
                let path = path.display();
                log::info!(
                    "{path}: {} routes added, {} present",
                    loaded.added,
                    loaded.present
                );
                let added = count_routes(u64::from(loaded.added));
                match loaded.present {
                    0 => self.notice(format_args!("loaded {added} from {path}{instead}")),
                    present => self.notice(format_args!(
                        "loaded {added} from {path}{instead}, {present} were there"
                    )),
                }
                for device in boot.waits_for() {
                    log::warn!("{}", NotThere(device));
                    self.notice(format_args!("{}", NotThere(device)));
                }
            }
            News::Late(device, loaded) => {
                let added = count_routes(u64::from(loaded.added));
                log::info!("{device} has come: {added} added");
                self.notice(format_args!("{device} has come, loaded {added} over it"));
            }
            News::NotLate(error) => {
                log::error!("{error}");
                self.notice(format_args!("config not loaded: {error}"));
            }
            News::Refused(error) => {
                log::error!("{error}");
                self.notice(format_args!("config not loaded: {error}"));
            }
            News::Empty if boot.fell_back() => {
                self.notice(format_args!("no config is loaded, the table is as it was"));
            }
            News::Empty => log::info!("there is no config"),
            News::Failed(error) => {
                log::error!("config: {error}");
                self.notice(format_args!("config not loaded: {}", error.kind));
                failed = true;
            }
        }
        if failed {
            // Asked for again when the kernel's side is opened again.
            self.client = None;
        }
        let more = !failed && !boot.ended();
        self.boot = Some(boot);
        self.tell_of_boot();
        more
    }

    fn byte(&mut self, byte: u8) {
        if self.is_locked() {
            return self.pin_key(byte);
        }
        if self.interactive() {
            match self.draw(|editor, out| editor.byte(byte, out)) {
                None => {}
                Some(Request::Execute) => self.entered(),
                // What is pasted asks for nothing.
                Some(Request::Complete) if self.hurried => self.insert(" "),
                Some(Request::Help) if self.hurried => self.insert("?"),
                Some(Request::Complete) => self.complete(),
                Some(Request::Help) => self.explain(),
                Some(Request::Cancel) => self.prompt(),
                Some(Request::End) if self.peer == Peer::Shell => {
                    // What follows was meant for a session that is over.
                    self.input.clear();
                    self.draw(Editor::leave);
                    self.ended = true;
                }
                Some(Request::End) => self.lock(),
            }
            return;
        }
        if byte != b'\n' {
            self.script_overflowed |= self.script.push(byte).is_err();
            return;
        }
        let bytes = std::mem::take(&mut self.script);
        let line = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|line| Line::try_from(line).ok());
        if std::mem::take(&mut self.script_overflowed) {
            self.too_long();
        } else if let Some(line) = line {
            self.execute(&line);
        } else {
            self.commands += 1;
            self.status(codes::SYNTAX, format_args!("the line is not UTF-8 text"));
        }
    }

    fn insert(&mut self, text: &str) {
        self.draw(|editor, out| editor.insert(text, out));
    }

    fn entered(&mut self) {
        if self.editor.overflowed() {
            self.too_long();
            return;
        }
        self.editor.remember();
        let line = self.editor.line().clone();
        self.execute(&line);
    }

    fn too_long(&mut self) {
        self.commands += 1;
        self.status(
            codes::TOO_LONG,
            format_args!("the line is longer than {LINE_MAX} bytes"),
        );
    }

    fn execute(&mut self, line: &Line) {
        let (command, start) = match grammar::command(line) {
            Ok(Some(found)) if !line.trim_start().starts_with('#') => found,
            Err(_) if line.trim_start().starts_with('#') => return self.ready(),
            Ok(_) => return self.ready(),
            Err(error) => {
                self.commands += 1;
                return self.misspelled(line, &error);
            }
        };
        if command.action.waits_for_config() && self.booting() {
            self.running = Running::Held(Box::new(line.clone()));
            return;
        }
        self.commands += 1;
        self.printed = 0;
        self.run(command, line, start);
    }

    fn run(&mut self, command: &'static Command, line: &str, start: usize) {
        if matches!(command.arguments, Arguments::None)
            && let Err(error) = grammar::nothing(line, start)
        {
            return self.misspelled(line, &error);
        }
        if self.is_read_only() && !command.action.reads() {
            return self.status(codes::DENIED, format_args!("this line is read-only"));
        }
        if self.candidate.is_some() && edit::is_edit(command) {
            return self.edit(command, line, start);
        }
        match (command.action, &command.arguments) {
            (Action::Greet, _) => self.greet(line[start..].trim()),
            (Action::Ping, _) => self.ping(),
            (Action::RouteDel, Arguments::Route(syntax)) => self.delete(syntax, line, start),
            (action, Arguments::Route(syntax)) => {
                let how = edit::adds(action).expect("the others put a path into the table");
                self.add(how, syntax, line, start);
            }
            (Action::RouteGet, Arguments::Address(syntax)) => self.get(syntax, line, start),
            (Action::RouteShow, Arguments::Filter(syntax)) => self.start_show(syntax, line, start),
            (Action::RouteFlush, Arguments::Filter(syntax)) => self.flush(syntax, line, start),
            (Action::Begin, _) => self.begin(),
            (Action::Diff, _) if self.candidate.is_some() => {
                self.running = Running::CandidateDiff(Box::default());
            }
            (Action::Diff, _) => self.start_config_diff(),
            (Action::Check, _) => self.start_edits(Purpose::Check),
            (Action::Commit, _) => self.start_commit(line, start),
            (Action::Confirm, _) => self.confirm(),
            (Action::Rollback, _) => self.rollback(),
            (Action::Save, _) => {
                if !self.is_unconfirmed() {
                    self.start_save(false);
                }
            }
            (Action::Load, _) => self.start_load(line, start),
            (Action::FactoryReset, _) => self.factory_reset(),
            (Action::Monitor, Arguments::Word(words)) => {
                match grammar::one_of(line, start, words) {
                    Err(error) => self.misspelled(line, &error),
                    Ok(word) => {
                        self.monitoring = word.unwrap_or(0) == 0;
                        let state = words[usize::from(!self.monitoring)].word;
                        self.status(codes::DONE, format_args!("monitor {state}"));
                    }
                }
            }
            (Action::Stats, Arguments::Word(words)) => match grammar::one_of(line, start, words) {
                Err(error) => self.misspelled(line, &error),
                Ok(json) => self.stats(json.is_some()),
            },
            (Action::Log, _) => self.running = Running::Log(0),
            (Action::Version, _) => self.version(),
            (Action::Help, _) => self.help(line, start),
            (Action::Terminal, _) => self.terminal(line, start),
            (Action::Exit, _) => self.exit(),
            (Action::Reboot, _) => self.reboot(),
            (action, arguments) => unreachable!("{action:?} does not take {arguments:?}"),
        }
    }

    /// Takes the size of a terminal that does not tell it, as over a serial line.
    fn terminal(&mut self, line: &str, start: usize) {
        match grammar::size(line, start) {
            Err(error) => return self.misspelled(line, &error),
            Ok([rows, columns]) => {
                self.rows = rows.unwrap_or(self.rows);
                if let Some(columns) = columns {
                    self.editor.set_width(columns);
                }
            }
        }
        let columns = self.editor.width();
        match self.rows {
            0 => self.status(
                codes::DONE,
                format_args!("{columns} columns; long output does not pause"),
            ),
            rows => self.status(
                codes::DONE,
                format_args!("{rows} rows of {columns} columns"),
            ),
        }
    }

    fn exit(&mut self) {
        // What follows was meant for a session that is over.
        self.input.clear();
        self.hurried = false;
        self.monitoring = false;
        let (columns, rows) = self.told;
        self.set_size(columns, rows);
        if self.peer != Peer::Line {
            self.ended = true;
            self.status(codes::DONE, format_args!("the session ends"));
        } else if self.lock.gate.lock() {
            self.editor.forget();
            self.status(codes::DONE, format_args!("locked"));
        } else {
            let text = format_args!("this line has no PIN, it stays open");
            self.status(codes::DONE, text);
        }
    }

    fn reboot(&mut self) {
        if !self.shared.appliance {
            let text = format_args!("this agent does not run the machine that it is on");
            return self.status(codes::DENIED, text);
        }
        self.shared.reboot.set(true);
        self.status(codes::DONE, format_args!("restarting"));
    }

    /// Asks the kernel, if it is there.
    fn ask<R>(&mut self, ask: impl FnOnce(&mut Client<T>) -> Result<R, Error>) -> Result<R, Error> {
        match &mut self.client {
            Some(client) => ask(client),
            None => Err(Error {
                op: nl31_netlink::Op::Open,
                seq: 0,
                kind: ErrorKind::Absent,
            }),
        }
    }

    /// Says why a line is no edit, below its place.
    fn faulty(&mut self, line: &str, fault: &Fault) {
        let (column, len) = fault.place();
        self.caret(line, column, len);
        match fault {
            Fault::NoDevice(..) => self.status(codes::NO_DEVICE, format_args!("{fault}")),
            _ => self.status(
                codes::SYNTAX,
                format_args!("column {}: {fault}", column + 1),
            ),
        }
    }

    /// Says that there is no kernel to ask.
    fn absent(&mut self) {
        self.status(codes::ABSENT, format_args!("{}", ErrorKind::Absent));
    }

    fn misspelled(&mut self, line: &str, error: &GrammarError) {
        self.caret(line, error.column, error.len);
        self.status(
            codes::SYNTAX,
            format_args!("column {}: {}", error.column + 1, error.kind),
        );
    }

    /// Draws carets under a part of the line, which is shown again if the terminal
    /// does not show it as it was typed.
    fn caret(&mut self, line: &str, column: usize, len: usize) {
        let shown = if self.interactive() && !self.hurried {
            self.editor.shown_at(column)
        } else {
            None
        };
        let indent = shown.unwrap_or_else(|| {
            self.data(format_args!("  {line}"));
            2 + columns(&line[..column])
        });
        let len = columns(&line[column..column + len]).max(1);
        self.data(format_args!("{:indent$}{:^<len$}", "", ""));
    }

    fn failed(&mut self, error: &Error, text: fmt::Arguments<'_>) {
        log::debug!("{error}");
        self.status(Code::of(error), text);
    }

    /// Ends a command's reply.
    fn status(&mut self, code: Code, text: fmt::Arguments<'_>) {
        if code.severity == codes::Severity::Error {
            self.failures += 1;
        }
        self.data(format_args!("{code} {text}"));
        self.ready();
    }

    /// Is ready for the next command.
    fn ready(&mut self) {
        self.running = Running::Nothing;
        self.stop = false;
        if self.interactive() && !self.ended {
            self.prompt();
        }
    }

    /// Draws the prompt on an empty row.
    fn prompt(&mut self) {
        match self.is_locked() {
            true => self.ask_for_pin(),
            false => self.draw(Editor::prompt),
        }
    }

    /// Has the editor draw something, unless nothing of it is shown now.
    fn draw<R>(&mut self, draw: impl FnOnce(&mut Editor, &mut Output) -> R) -> R {
        self.out.mute(self.hurried);
        let result = draw(&mut self.editor, &mut self.out);
        self.out.mute(false);
        result
    }

    /// Shows only the replies while a paste comes in. With the prompt and the echo they
    /// are longer than what is pasted, so over a line without flow control some of that
    /// would be lost sooner or later.
    fn keep_up(&mut self) {
        if !self.interactive() || self.is_locked() {
            return;
        }
        if !self.hurried && self.input.len() >= PASTED {
            self.draw(Editor::leave);
            self.hurried = true;
        } else if self.hurried && self.input.is_empty() {
            self.hurried = false;
            self.draw(Editor::redraw);
        }
    }

    /// A line of a reply.
    fn data(&mut self, line: fmt::Arguments<'_>) {
        let before = self.out.pending().len();
        let _ = writeln!(self.out, "{line}");
        let columns = (self.out.pending().len() - before).saturating_sub(2);
        self.printed += 1 + columns.saturating_sub(1) / self.editor.width();
    }

    /// A part of a line.
    fn part(&mut self, text: fmt::Arguments<'_>) {
        let _ = write!(self.out, "{text}");
    }
}

/// Why a request failed, for a person: the kernel's own words where it has some.
/// The log has the rest.
pub(crate) struct Reason<'a>(pub(crate) &'a Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            ErrorKind::Kernel(error) if !error.text.is_empty() => f.write_str(&error.text),
            kind => kind.fmt(f),
        }
    }
}

/// Told of a device whose routes wait.
struct NotThere<'a>(&'a DeviceName);

impl fmt::Display for NotThere<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no device {} yet, its routes wait for it",
            self.0
        )
    }
}

/// `1 route`, `2 routes`.
struct Counted(u64, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, what) = self;
        write!(f, "{count} {what}{}", if *count == 1 { "" } else { "s" })
    }
}

fn count_routes(count: u64) -> Counted {
    Counted(count, "route")
}
