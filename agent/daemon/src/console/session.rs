// SPDX-License-Identifier: MIT OR Apache-2.0
//! A session on the serial line: bytes of the terminal in, replies out.
//!
//! The reply to a command is any number of data lines and then one status line,
//! see [`codes`]. Notices begin with `* `. Data lines are in the config's syntax and never
//! look like a status line.
//!
//! The only wait is that for the kernel's answer to one request. Long work (a list of
//! routes, the config at boot) advances a little with each call of [`Console::work`], so
//! keys are read meanwhile. While a command runs, input waits in a queue of fixed size, and
//! then in the terminal's.

use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::Instant;

use nl31_netlink::{Client, Transport};

use super::changes::Changes;
use super::commit::Commit;
use super::config::Save;
use super::dialogue::Dialogue;
use super::diff::{CandidateDiff, ConfigDiff};
use super::editor::{DRAWN_MAX, Editor, LINE_MAX, Line, Request};
use super::info::Topic;
use super::intake::{Intake, Verdict};
use super::links::LinkList;
use super::lock::{self, Lock};
use super::overview::Overview;
use super::ports::PortList;
use super::probe::Probing;
use super::prompt::{PROMPT, Shown};
use super::shared::Shared;
use super::show::Show;
use crate::candidate::edit_log::Candidate;
use crate::config::boot::Boot;
use crate::config::file::BYTE_ORDER_MARK;
use crate::config::load::Loading;
use crate::config::settings::file::Configured;
use crate::grammar::{Log, codes};
use crate::platform::devices::Devices;
use crate::platform::output::Output;

/// Bytes typed ahead.
const INPUT_MAX: usize = 4096;

/// More bytes typed ahead than this come from a paste: see [`Console::keep_up`].
const PASTED: usize = 512;

/// Bytes of the longest reply of a single step: `help`.
pub(super) const REPLY_MAX: usize = 6 * 1024;
const _: () = assert!(REPLY_MAX > DRAWN_MAX);

/// Bytes of the longest route with its line end, as text or JSON.
const ROUTE_MAX: usize = 304;

/// Lines of a long reply in one step: they fit the output together with a status line.
pub(super) const LINES_PER_STEP: usize = REPLY_MAX / ROUTE_MAX - 1;

/// The other end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A script: each line is a command; no prompt, no echo.
    Script,
    /// A person, who ends the session with Ctrl-D.
    Shell,
    /// A person on the serial line, which has no end.
    Line,
}

/// The work of a command that takes several steps.
pub(super) enum Running {
    /// Nothing: the prompt is shown.
    Nothing,
    /// The command waits for the config to be loaded.
    Held(Box<Line>),
    /// A page is full: a key continues or ends the command.
    Paused(Box<Running>),
    Show(Box<Show>),
    Ports(Box<PortList>),
    Links(Box<LinkList>),
    /// `ping` or `traceroute`, which wait for answers of the network.
    Probe(Box<Probing>),
    /// `show`, which measures for a second.
    Overview(Box<Overview>),
    /// The configured settings, from this one on.
    Config(Box<(Configured, usize)>),
    /// A log, from this line on.
    Log(Log, u64),
    /// Help on this, from this line on.
    Help(Topic, usize),
    Commit(Box<Commit>),
    CandidateDiff(Box<CandidateDiff>),
    ConfigDiff(Box<ConfigDiff>),
    Save(Box<Save>),
    Load(Box<Loading>),
}

/// A session; its kernel may be absent.
pub struct Console<T> {
    pub(super) client: Option<Client<T>>,
    pub(super) devices: Rc<dyn Devices>,
    pub(super) boot: Option<Boot>,
    pub(super) peer: Peer,
    pub(super) shared: Rc<Shared>,
    pub(super) lock: Lock,
    pub(super) candidate: Option<Candidate>,
    /// `setup` asks, or types.
    pub(super) dialogue: Option<Box<Dialogue>>,
    pub(super) editor: Editor,
    /// Columns and rows that the terminal reports; 0 if it does not.
    pub(super) told: (usize, usize),
    /// Rows of the terminal; 0 if unknown.
    pub(super) rows: usize,
    /// Rows of output since the command, or since the last page.
    pub(super) printed: usize,
    /// What the prompt shows besides what is open.
    pub(super) shown: Shown,
    /// The prompt was drawn: from then on a notice has to keep the line.
    pub(super) prompted: bool,
    /// The line of a script, as far as it has arrived.
    pub(super) script: heapless::Vec<u8, LINE_MAX>,
    pub(super) script_overflowed: bool,
    pub(super) input: heapless::Deque<u8, INPUT_MAX>,
    pub(super) intake: Intake,
    /// A paste is arriving: the line is not shown.
    pub(super) hurried: bool,
    pub(super) out: Output,
    pub(super) running: Running,
    /// The running command waits for the kernel.
    pub(super) waiting: bool,
    pub(super) stop: bool,
    pub(super) monitoring: bool,
    /// What [`Console::suspend`] ended, not reported to the terminal yet.
    interrupted: Option<&'static str>,
    /// Events were lost, and the table's generation is to be read.
    pub(super) behind: bool,
    pub(super) ended: bool,
    pub(super) commands: u64,
    pub(super) failures: u64,
    pub(super) changes: Changes,
}

impl<T: Transport> Console<T> {
    /// A session that has printed nothing yet, see [`Console::start`].
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
            dialogue: None,
            editor: Editor::new(PROMPT),
            told: (0, 0),
            rows: 0,
            printed: 0,
            shown: Shown::default(),
            prompted: false,
            script: heapless::Vec::new(),
            script_overflowed: false,
            input: heapless::Deque::new(),
            intake: Intake::default(),
            hurried: false,
            out: Output::new(peer != Peer::Script),
            running: Running::Nothing,
            waiting: false,
            stop: false,
            monitoring: false,
            interrupted: None,
            behind: false,
            ended: false,
            commands: 0,
            failures: 0,
            changes: Changes::default(),
        }
    }

    /// Prints the greeting. The prompt follows when the config is loaded, or at the first key.
    pub fn start(&mut self) {
        if self.is_locked() {
            self.data(format_args!(""));
            self.data(format_args!("nl31 agent"));
        } else if self.interactive() {
            self.data(format_args!(""));
            self.data(format_args!(
                "nl31 agent {}: help lists the commands; Tab and ? complete and explain them",
                env!("CARGO_PKG_VERSION")
            ));
        }
        if self.peer == Peer::Line && self.candidate.is_none() {
            self.candidate = Candidate::resume(&self.shared.config.files.candidate());
        }
        let open = self.interactive() && !self.is_locked();
        if let Some(what) = self.interrupted.take_if(|_| open) {
            self.notice(format_args!(
                "{what}: a program or another terminal took the line"
            ));
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
                "a commit waits for `confirm`; it is rolled back in {seconds} s"
            ));
        }
    }

    /// Another user takes the line: drops the running command.
    pub fn suspend(&mut self) {
        if self.works() {
            self.interrupted = Some("the running command was stopped");
        } else if self.dialogue.is_some() {
            self.interrupted = Some("`setup` was stopped");
        } else if self.monitoring {
            self.interrupted = Some("`monitor` is off");
        }
        match std::mem::replace(&mut self.running, Running::Nothing) {
            Running::Commit(mut commit) => self.abandon(&mut commit.load),
            Running::Load(mut loading) => {
                if let Some(client) = &mut self.client {
                    loading.abort(client, &*self.devices);
                }
            }
            _ => {}
        }
        self.dialogue = None;
        self.stop = false;
        self.monitoring = false;
        self.input.clear();
        self.hurried = false;
        self.out.clear();
        self.editor.restart();
        self.lock.forget();
        // The next user's terminal has an unknown size; a script could not answer at the
        // end of a page.
        let (columns, rows) = self.told;
        self.set_size(columns, rows);
        self.prompted = false;
    }

    /// The line has a terminal again, the same or another one.
    pub fn restart(&mut self) {
        self.suspend();
        self.start();
    }

    /// Sets the terminal's columns and rows; 0 if the terminal does not report them.
    pub fn set_size(&mut self, columns: usize, rows: usize) {
        self.told = (columns, rows);
        self.editor.set_width(columns);
        self.rows = rows;
    }

    /// Connects the kernel.
    pub fn attach(&mut self, mut client: Client<T>) {
        let now = client.table().ok().map(|table| table.generation);
        let lost = match (self.changes.last(), now) {
            (Some(last), Some(now)) if now >= last => self.changes.catch_up(now),
            // The first table, or another one than before.
            _ => {
                self.changes.begin(now);
                0
            }
        };
        self.client = Some(client);
        self.show_lost(lost);
        if let Some(boot) = &mut self.boot {
            boot.restart();
        }
        self.tell_of_boot();
    }

    /// Disconnects the kernel.
    pub fn detach(&mut self) {
        self.client = None;
        if !matches!(
            self.running,
            Running::Nothing
                | Running::Log(..)
                | Running::Help(..)
                | Running::Ports(_)
                | Running::Links(_)
                | Running::Config(_)
                | Running::Probe(_)
                | Running::Overview(_)
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

    /// Whether the session has prompt, echo and line editor.
    pub(super) fn interactive(&self) -> bool {
        self.peer != Peer::Script
    }

    /// Whether changes of the table are shown.
    pub fn monitors(&self) -> bool {
        self.monitoring
    }

    /// Whether the kernel is connected.
    pub fn attached(&self) -> bool {
        self.client.is_some()
    }

    /// The kernel's client.
    pub fn client(&mut self) -> Option<&mut Client<T>> {
        self.client.as_mut()
    }

    /// Bytes that [`Console::feed`] accepts now.
    pub fn wants(&self) -> usize {
        INPUT_MAX - self.input.len()
    }

    /// Takes input. Bytes beyond [`Console::wants`] are lost.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.feed_at(bytes, Instant::now());
    }

    /// The same, with the time of arrival.
    pub fn feed_at(&mut self, bytes: &[u8], now: Instant) {
        for &byte in bytes {
            if self.interactive() {
                let prompts = [self.editor.prompt_text(), lock::PROMPT];
                match self.intake.byte(byte, now, prompts) {
                    Verdict::Take => {}
                    Verdict::Drop => continue,
                    Verdict::Echo => {
                        self.ignore_own_output();
                        continue;
                    }
                }
            }
            let running = !matches!(self.running, Running::Nothing);
            if byte == 0x03 && self.interactive() && running {
                // As a terminal does: drop keys typed ahead and output not sent.
                self.stop = true;
                self.input.clear();
                if !self.out.pending().is_empty() {
                    self.out.clear();
                    self.out.raw(b"^C\r\n");
                }
                continue;
            }
            let _ = self.input.push_back(byte);
        }
    }

    /// The input has ended.
    pub fn end_of_input(&mut self) {
        self.ended = true;
    }

    /// Whether the input has ended.
    pub fn input_ended(&self) -> bool {
        self.ended
    }

    /// Whether the input has ended and all of it is done.
    pub fn finished(&self) -> bool {
        self.ended
            && self.input.is_empty()
            && matches!(self.running, Running::Nothing)
            && self.script.is_empty()
            && self.out.pending().is_empty()
    }

    /// Whether every command is done; output may still wait.
    pub fn idle(&self) -> bool {
        self.input.is_empty() && matches!(self.running, Running::Nothing) && !self.types()
    }

    /// Whether a command continues without a key.
    pub fn works(&self) -> bool {
        !matches!(self.running, Running::Nothing | Running::Paused(_))
    }

    /// Commands that failed.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// The output to the terminal.
    pub fn out(&mut self) -> &mut Output {
        &mut self.out
    }

    /// Where `ping` and `traceroute` read the answers for which they wait.
    pub fn waits_for_network(&self) -> Option<BorrowedFd<'_>> {
        match &self.running {
            Running::Probe(probing) if self.out.room(REPLY_MAX) => Some(probing.ready()),
            _ => None,
        }
    }

    /// When the running command goes on by itself.
    pub fn timer(&self) -> Option<Instant> {
        match &self.running {
            Running::Probe(probing) if self.out.room(REPLY_MAX) => Some(probing.due()),
            Running::Overview(overview) => overview.due(),
            _ => None,
        }
    }

    /// Whether [`Console::work`] waits for the kernel's messages.
    pub fn waits_for_kernel(&self) -> bool {
        self.waiting && self.out.room(REPLY_MAX)
    }

    /// Whether the output has room for a notice.
    pub fn listens(&self) -> bool {
        self.out.room(REPLY_MAX)
    }

    /// Does a step of the pending work; gives whether there is more that needs no wait.
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
                    if self.type_next() {
                        // The events of this command go before the next one.
                        return true;
                    }
                    match self.input.pop_front() {
                        Some(byte) => {
                            let commands = self.commands;
                            self.byte(byte);
                            if self.commands != commands {
                                // The events of this command go before the next one.
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
                Running::Log(log, next) => self.log(log, next),
                Running::Probe(probing) => {
                    if !self.probe(probing) {
                        return booting;
                    }
                }
                Running::Overview(overview) => {
                    if !self.overview(overview) {
                        return booting;
                    }
                }
                Running::Ports(list) => self.ports(list),
                Running::Links(list) => self.links(list),
                Running::Config(list) => self.config_show(list),
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
                    // Keys and events are handled between the steps.
                    return more || booting;
                }
            }
        }
        booting
    }

    /// Reads the rest of a list that the user stopped, while the console has no other work;
    /// gives `false` if the caller has to wait.
    pub(super) fn skip(&mut self) -> bool {
        let left = self.ask(Client::skip).ok().flatten();
        self.waiting = left == Some(false);
        left == Some(true)
    }

    /// Whether work waits only for a call of [`Console::work`], after it had to stop for a
    /// full output.
    pub fn may_go_on(&self) -> bool {
        self.out.room(REPLY_MAX)
            && match self.running {
                Running::Nothing => !self.input.is_empty() || self.types() || self.boot_goes_on(),
                Running::Paused(_) => self.stop || !self.input.is_empty() || self.boot_goes_on(),
                Running::Probe(_) | Running::Overview(_) => {
                    let due = self.timer().is_none_or(|due| due <= Instant::now());
                    self.stop || due || self.boot_goes_on()
                }
                // The kernel's answers wake it.
                _ => !self.waiting || self.stop || self.boot_goes_on(),
            }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        if self.is_locked() {
            return self.pin_key(byte);
        }
        if self.interactive() {
            let before = self.out.pending().len();
            let request = self.draw(|editor, out| editor.byte(byte, out));
            let enter = matches!(request, Some(Request::Execute | Request::Cancel));
            let drew = self.out.pending().len() > before;
            if (drew || enter) && self.intake.drew(enter) {
                return self.ignore_own_output();
            }
            match request {
                None => {}
                Some(Request::Execute) if self.is_asking() => self.answered(),
                Some(Request::Cancel) if self.is_asking() => self.stop_setup(),
                Some(Request::End) if self.is_asking() => {
                    self.draw(Editor::leave);
                    self.stop_setup();
                }
                Some(Request::Complete | Request::Help) if self.is_asking() => {
                    self.draw(Editor::leave);
                    self.explain_question();
                    self.draw(Editor::redraw);
                }
                Some(Request::Execute) => self.entered(),
                // In a paste a tab separates words and completes nothing.
                Some(Request::Complete) if self.hurried || self.goes_on() => self.insert(" "),
                Some(Request::Help) if self.hurried => self.insert("?"),
                Some(Request::Complete) => self.complete(),
                Some(Request::Help) => self.explain(),
                Some(Request::Cancel) => self.prompt(),
                Some(Request::End) if self.peer == Peer::Shell => {
                    // The rest was meant for the session that has ended.
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
        // A byte order mark, which some editors put before the first line.
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
        let line = std::str::from_utf8(bytes)
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

    /// Whether further input follows a tab, so that the tab belongs to a paste.
    fn goes_on(&self) -> bool {
        self.input.iter().any(|&byte| byte != b'\t')
    }

    /// Drops arrived bytes of this console's own output, and reports that once.
    fn ignore_own_output(&mut self) {
        self.input.clear();
        self.lock.forget();
        if self.is_at_prompt() && !self.is_locked() {
            self.draw(Editor::erase);
            self.editor.restart();
            self.draw(Editor::redraw);
        }
        if self.intake.tells() {
            log::warn!("the console's own output comes back on its line");
            self.notice(format_args!(
                "input is ignored until the line is quiet for 1 s: the line returns this console's output"
            ));
        }
    }

    pub(super) fn insert(&mut self, text: &str) {
        self.draw(|editor, out| editor.insert(text, out));
    }

    /// Shows only the replies while a paste arrives. Replies, prompt and echo together are longer
    /// than the paste; over a line without flow control, bytes of the paste would be lost.
    pub(super) fn keep_up(&mut self) {
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
}
