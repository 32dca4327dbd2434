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

use std::fmt::{self, Write as _};

use nl31_netlink::abi::{
    NLM_F_REPLACE, ROUTE_DST, ROUTE_DST_LEN, ROUTE_GATEWAY, ROUTE_METRIC, ROUTE_OIF,
    ROUTE_PROTOCOL, ROUTE_TYPE,
};
use nl31_netlink::{
    Add, Body, Client, Dump, Error, ErrorKind, Message, Prefix, Route, Spec, Step, Transport,
};
use nl31_route::{Parsed, Part, Syntax};

use crate::boot::{Boot, News};
use crate::codes::{self, Code};
use crate::device::{Cached, Devices};
use crate::editor::{DRAWN_MAX, Editor, LINE_MAX, Line, Request};
use crate::flush::flush;
use crate::grammar::{
    self, ALL, Action, Arguments, COMMANDS, Command, GREETING_MAX, GrammarError, LONGER,
};
use crate::log_ring;
use crate::output::Output;

/// What the prompt looks like.
pub const PROMPT: &str = "nl31> ";

/// Bytes typed ahead.
const INPUT_MAX: usize = 4096;

/// Room in the output that the longest reply of a single step takes: `help`.
const REPLY_MAX: usize = 6 * 1024;
const _: () = assert!(REPLY_MAX > DRAWN_MAX);

/// Lines of a long reply before the serial line is looked after again.
const LINES_PER_STEP: usize = 64;

/// Candidates listed for `?` and Tab.
const CANDIDATES_MAX: usize = 40;

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
#[derive(Debug)]
enum Running {
    /// Nothing: the prompt is there.
    Nothing,
    /// The command waits for the config to be loaded.
    Held(Box<Line>),
    Show(Show),
    /// The log, from this line on.
    Log(u64),
}

#[derive(Debug)]
struct Show {
    dump: Dump,
    /// Only paths of this very prefix.
    exactly: Option<Prefix>,
    shown: u64,
}

/// Events since the start.
#[derive(Debug, Default)]
struct Events {
    received: u64,
    lost: u64,
    /// Generation of the last one.
    generation: Option<u64>,
}

/// A session, over the kernel if it is there.
pub struct Console<T> {
    client: Option<Client<T>>,
    devices: Box<dyn Devices>,
    boot: Option<Boot>,
    peer: Peer,
    editor: Editor,
    /// The prompt was drawn: from then on there is a line to be kept.
    prompted: bool,
    /// The line of a script, as far as it has come.
    script: heapless::Vec<u8, LINE_MAX>,
    script_overflowed: bool,
    input: heapless::Deque<u8, INPUT_MAX>,
    out: Output,
    running: Running,
    stop: bool,
    monitoring: bool,
    ended: bool,
    commands: u64,
    failures: u64,
    events: Events,
}

impl<T: Transport> Console<T> {
    /// A session that says nothing yet, see [`Console::start`].
    pub fn new(devices: Box<dyn Devices>, boot: Option<Boot>, peer: Peer) -> Self {
        Self {
            client: None,
            devices,
            boot,
            peer,
            editor: Editor::new(PROMPT),
            prompted: false,
            script: heapless::Vec::new(),
            script_overflowed: false,
            input: heapless::Deque::new(),
            out: Output::new(peer != Peer::Script),
            running: Running::Nothing,
            stop: false,
            monitoring: false,
            ended: false,
            commands: 0,
            failures: 0,
            events: Events::default(),
        }
    }

    /// Greets whoever is at the terminal. The prompt follows when the config is
    /// loaded, or at the first key.
    pub fn start(&mut self) {
        if self.interactive() {
            self.data(format_args!(
                "\nnl31 agent {}: help lists the commands, Tab and ? help with them",
                env!("CARGO_PKG_VERSION")
            ));
        }
    }

    /// Somebody else has the line: drops what is under way.
    pub fn suspend(&mut self) {
        self.running = Running::Nothing;
        self.stop = false;
        self.monitoring = false;
        self.input.clear();
        self.out.clear();
        self.editor = Editor::new(PROMPT);
        self.prompted = false;
    }

    /// The terminal is another one, or the same one back again.
    pub fn restart(&mut self) {
        self.suspend();
        self.start();
    }

    /// How wide the terminal is; 0 if it does not say.
    pub fn set_width(&mut self, columns: usize) {
        self.editor.set_width(columns);
    }

    /// The kernel's side is there.
    pub fn attach(&mut self, client: Client<T>) {
        self.client = Some(client);
        if let Some(boot) = &mut self.boot {
            boot.restart();
        }
    }

    /// The kernel's side is gone.
    pub fn detach(&mut self) {
        self.client = None;
        if matches!(self.running, Running::Show(_)) {
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
        matches!(self.running, Running::Show(_)) && self.out.room(REPLY_MAX)
    }

    /// Whether there is room to tell of something.
    pub fn listens(&self) -> bool {
        self.out.room(REPLY_MAX)
    }

    /// Goes on with what there is to do; says whether there is more that needs no
    /// waiting for.
    pub fn work(&mut self) -> bool {
        let booting = self.boot_step();
        if self.interactive() && !self.prompted && !(booting && self.input.is_empty()) {
            self.prompted = true;
            self.editor.prompt(&mut self.out);
        }
        while self.out.room(REPLY_MAX) {
            match std::mem::replace(&mut self.running, Running::Nothing) {
                Running::Nothing => match self.input.pop_front() {
                    Some(byte) => {
                        let commands = self.commands;
                        self.byte(byte);
                        if self.commands != commands {
                            // Events of this command belong before the next one.
                            return true;
                        }
                    }
                    None if self.ended && !self.script.is_empty() => self.byte(b'\n'),
                    None => return booting,
                },
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
                Running::Show(show) => {
                    if !self.show(show) {
                        return booting;
                    }
                    return true;
                }
                Running::Log(next) => self.log(next),
            }
        }
        booting
    }

    /// A change that the kernel tells of.
    pub fn event(&mut self, message: &Message) {
        self.events.received += 1;
        let (verb, event) = match &message.body {
            Body::NewRoute(event) if message.header.flags & NLM_F_REPLACE != 0 => {
                ("replaced", event)
            }
            Body::NewRoute(event) => ("added", event),
            Body::DelRoute(event) => ("deleted", event),
            Body::Table(table) => {
                self.events.generation = Some(table.generation);
                if self.monitoring {
                    self.notice(format_args!("limit changed: {} routes", table.max_routes));
                }
                return;
            }
            _ => return,
        };
        self.events.generation = event.generation.or(self.events.generation);
        if self.monitoring {
            let route = Cached::new(&*self.devices).named(event.route);
            self.notice(format_args!("{verb} {route}"));
        }
    }

    /// Events were lost. The agent keeps no copy of the table, so to be right again
    /// is to learn how far the table has come.
    pub fn events_lost(&mut self) {
        let now = self.client.as_mut().and_then(|client| client.table().ok());
        let Some(now) = now else { return };
        let lost = self
            .events
            .generation
            .map(|last| now.generation.saturating_sub(last));
        self.events.generation = Some(now.generation);
        self.events.lost += lost.unwrap_or(1);
        log::warn!("{} events were lost", lost.unwrap_or(1));
        if self.monitoring {
            match lost {
                Some(lost) => self.notice(format_args!(
                    "{lost} changes came too fast to be shown, see `route show`"
                )),
                None => self.notice(format_args!(
                    "changes came too fast to be shown, see `route show`"
                )),
            }
        }
    }

    /// Tells something that was not asked for.
    pub fn notice(&mut self, text: fmt::Arguments<'_>) {
        let at_prompt = self.prompted && matches!(self.running, Running::Nothing);
        if at_prompt {
            self.editor.erase(&mut self.out);
        }
        self.data(format_args!("* {text}"));
        if at_prompt {
            self.editor.redraw(&mut self.out);
        }
    }

    /// Whether there is work that waits for nothing but a call of
    /// [`Console::work`]: it had to stop while the output was full.
    pub fn may_go_on(&self) -> bool {
        self.out.room(REPLY_MAX)
            && match self.running {
                Running::Nothing => !self.input.is_empty() || self.booting(),
                Running::Log(_) => true,
                // Woken by the kernel's answers.
                Running::Show(_) => self.stop || self.booting(),
                Running::Held(_) => true,
            }
    }

    /// Whether the config is being loaded.
    pub fn booting(&self) -> bool {
        self.client.is_some() && self.boot.as_ref().is_some_and(|boot| !boot.done())
    }

    /// Goes on loading the config; says whether there is more to do.
    fn boot_step(&mut self) -> bool {
        if !self.booting() || !self.out.room(REPLY_MAX) {
            return false;
        }
        let (Some(client), Some(mut boot)) = (&mut self.client, self.boot.take()) else {
            return false;
        };
        let news = boot.step(client, &*self.devices);
        let instead = if boot.fell_back() { " instead" } else { "" };
        let mut failed = false;
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
                let added = Count(u64::from(loaded.added));
                match loaded.present {
                    0 => self.notice(format_args!("loaded {added} from {path}{instead}")),
                    present => self.notice(format_args!(
                        "loaded {added} from {path}{instead}, {present} were there"
                    )),
                }
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
        let more = !failed && !boot.done();
        self.boot = Some(boot);
        more
    }

    fn byte(&mut self, byte: u8) {
        if self.interactive() {
            match self.editor.byte(byte, &mut self.out) {
                None => {}
                Some(Request::Execute) => self.entered(),
                Some(Request::Complete) => self.complete(),
                Some(Request::Help) => self.explain(),
                Some(Request::Cancel) => self.editor.prompt(&mut self.out),
                Some(Request::End) if self.peer == Peer::Shell => {
                    self.editor.leave(&mut self.out);
                    self.ended = true;
                }
                Some(Request::End) => {}
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
        if matches!(
            command.arguments,
            Arguments::Route(_) | Arguments::Filter(_) | Arguments::Address
        ) && self.booting()
        {
            self.running = Running::Held(Box::new(line.clone()));
            return;
        }
        self.commands += 1;
        self.run(command, line, start);
    }

    fn run(&mut self, command: &'static Command, line: &str, start: usize) {
        if matches!(command.arguments, Arguments::None)
            && let Err(error) = grammar::nothing(line, start)
        {
            return self.misspelled(line, &error);
        }
        match (command.action, &command.arguments) {
            (Action::Greet, _) => self.greet(line[start..].trim()),
            (Action::Ping, _) => self.ping(),
            (Action::RouteAdd, Arguments::Route(syntax)) => self.add(Add::Add, syntax, line, start),
            (Action::RouteReplace, Arguments::Route(syntax)) => {
                self.add(Add::Replace, syntax, line, start);
            }
            (Action::RouteChange, Arguments::Route(syntax)) => {
                self.add(Add::Change, syntax, line, start);
            }
            (Action::RouteAppend, Arguments::Route(syntax)) => {
                self.add(Add::Append, syntax, line, start);
            }
            (Action::RouteDel, Arguments::Route(syntax)) => self.delete(syntax, line, start),
            (Action::RouteGet, _) => self.get(line, start),
            (Action::RouteShow, Arguments::Filter(syntax)) => self.start_show(syntax, line, start),
            (Action::RouteFlush, Arguments::Filter(syntax)) => self.flush(syntax, line, start),
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
            (Action::Stats, _) => self.stats(),
            (Action::Log, _) => self.running = Running::Log(0),
            (Action::Version, _) => self.version(),
            (Action::Help, _) => self.help(line, start),
            (action, arguments) => unreachable!("{action:?} does not take {arguments:?}"),
        }
    }

    fn greet(&mut self, text: &str) {
        if text.len() > GREETING_MAX {
            let text = format_args!("a greeting has at most {GREETING_MAX} bytes");
            return self.status(codes::TOO_LONG, text);
        }
        let text = Some(text).filter(|text| !text.is_empty());
        match self.ask(|client| client.greet(text)) {
            Ok(greeting) => {
                // Indented if it could be taken for a status line.
                let indent = if is_status(&greeting.text) { " " } else { "" };
                self.data(format_args!("{indent}{}", greeting.text));
                self.status(
                    codes::DONE,
                    format_args!("greeted as port {}", greeting.port),
                );
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    fn ping(&mut self) {
        match self.ask(Client::ping) {
            Ok(()) => self.status(codes::DONE, format_args!("the kernel is alive")),
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    fn add(&mut self, how: Add, syntax: &'static Syntax, line: &str, start: usize) {
        let parsed = match syntax.parse(line, start).and_then(|parsed| {
            parsed.route()?;
            Ok(parsed)
        }) {
            Ok(parsed) => parsed,
            Err(error) => return self.misread(line, &error),
        };
        let Some((prefix, spec)) = self.indexed(line, &parsed) else {
            return;
        };
        let route = Route {
            prefix,
            path: spec.path(),
        };
        let metric = route.path.metric;
        match self.ask(|client| client.add(how, &route)) {
            Ok(()) => {
                let verb = match how {
                    Add::Add => "added",
                    Add::Replace => "replaced",
                    Add::Change => "changed",
                    Add::Append => "appended",
                };
                self.status(codes::DONE, format_args!("{verb} {prefix}"));
            }
            Err(error) => {
                self.point(line, &parsed, &error);
                match (Code::of(&error), how) {
                    (codes::EXISTS, Add::Append) => {
                        self.failed(&error, format_args!("{prefix} has exactly this path already"));
                    }
                    (codes::EXISTS, _) => self.failed(&error, format_args!(
                        "{prefix} has a route of metric {metric} already, `route replace` takes its place"
                    )),
                    (codes::NO_ROUTE, _) => self.failed(&error, format_args!(
                        "no such route: {prefix} of metric {metric}"
                    )),
                    _ => self.failed(&error, format_args!("{}", Reason(&error))),
                }
            }
        }
    }

    fn delete(&mut self, syntax: &'static Syntax, line: &str, start: usize) {
        let parsed = match syntax.parse(line, start).and_then(|parsed| {
            parsed.prefix()?;
            Ok(parsed)
        }) {
            Ok(parsed) => parsed,
            Err(error) => return self.misread(line, &error),
        };
        let Some((prefix, spec)) = self.indexed(line, &parsed) else {
            return;
        };
        match self.ask(|client| client.delete(&spec)) {
            Ok(()) => self.status(codes::DONE, format_args!("deleted {prefix}")),
            Err(error) => {
                self.point(line, &parsed, &error);
                match Code::of(&error) {
                    codes::NO_ROUTE => self.failed(&error, format_args!("no such route: {prefix}")),
                    codes::SEVERAL => self.failed(&error, format_args!(
                        "{prefix} has several paths: say via, dev or metric, or `route flush {prefix}`"
                    )),
                    _ => self.failed(&error, format_args!("{}", Reason(&error))),
                }
            }
        }
    }

    fn get(&mut self, line: &str, start: usize) {
        static ADDRESS: Syntax = Syntax {
            flags: &[],
            abbreviations: false,
        };
        let parsed = match ADDRESS.parse(line, start).and_then(|parsed| {
            parsed.prefix()?;
            Ok(parsed)
        }) {
            Ok(parsed) => parsed,
            Err(error) => return self.misread(line, &error),
        };
        let named = [
            Part::Kind,
            Part::Gateway,
            Part::Device,
            Part::Metric,
            Part::Protocol,
        ];
        if let Some((column, len)) = named.into_iter().find_map(|part| parsed.span(part)) {
            self.caret(line, column, len);
            let text = format_args!("column {}: expected an address alone", column + 1);
            return self.status(codes::SYNTAX, text);
        }
        let Ok(prefix) = parsed.prefix() else { return };
        match self.ask(|client| client.lookup(prefix)) {
            Ok(route) => {
                let route = Cached::new(&*self.devices).named(route);
                self.data(format_args!("{route}"));
                self.status(codes::DONE, format_args!("found"));
            }
            Err(error) if Code::of(&error) == codes::NO_ROUTE => {
                self.failed(&error, format_args!("no route to {prefix}"));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    fn start_show(&mut self, syntax: &'static Syntax, line: &str, start: usize) {
        let parsed = match syntax.parse(line, start) {
            Ok(parsed) => parsed,
            Err(error) => return self.misread(line, &error),
        };
        let Some(spec) = self.filter(line, &parsed) else {
            return;
        };
        let exactly = if parsed.flags & LONGER == 0 {
            spec.prefix
        } else {
            None
        };
        match self.ask(|client| client.dump(&spec)) {
            Ok(dump) => {
                self.running = Running::Show(Show {
                    dump,
                    exactly,
                    shown: 0,
                })
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    /// Shows some more routes; says whether that needs no waiting.
    fn show(&mut self, mut show: Show) -> bool {
        if std::mem::take(&mut self.stop) {
            self.status(
                codes::STOPPED,
                format_args!("stopped after {}", Count(show.shown)),
            );
            return true;
        }
        let mut devices = Cached::new(&*self.devices);
        for _ in 0..LINES_PER_STEP {
            let Some(client) = &mut self.client else {
                return false;
            };
            match client.poll_next(&mut show.dump) {
                Ok(Step::Route(route)) => {
                    if show.exactly.is_none_or(|prefix| prefix == route.prefix) {
                        show.shown += 1;
                        let _ = writeln!(self.out, "{}", devices.named(route));
                    }
                }
                Ok(Step::Pending) => {
                    self.running = Running::Show(show);
                    return false;
                }
                Ok(Step::End { interrupted: false }) => {
                    self.status(codes::DONE, format_args!("{}", Count(show.shown)));
                    return true;
                }
                Ok(Step::End { interrupted: true }) => {
                    let text = format_args!("{}, the table changed meanwhile", Count(show.shown));
                    self.status(codes::INTERRUPTED, text);
                    return true;
                }
                Err(error) => {
                    self.failed(
                        &error,
                        format_args!("{} after {}", Reason(&error), Count(show.shown)),
                    );
                    return true;
                }
            }
        }
        self.running = Running::Show(show);
        true
    }

    fn flush(&mut self, syntax: &'static Syntax, line: &str, start: usize) {
        let parsed = match syntax.parse(line, start) {
            Ok(parsed) => parsed,
            Err(error) => return self.misread(line, &error),
        };
        let Some(spec) = self.filter(line, &parsed) else {
            return;
        };
        let all = parsed.flags & ALL != 0;
        if all != (spec == Spec::default()) {
            let column = line.trim_ascii_end().len();
            self.caret(line, column, 0);
            let what = if all {
                "`all` stands alone: leave it out, or the rest"
            } else {
                "say what to delete, like a prefix or dev eth0, or `all`"
            };
            return self.status(codes::SYNTAX, format_args!("column {}: {what}", column + 1));
        }
        let longer = parsed.flags & LONGER != 0;
        let before = self.ask(Client::table).map(|table| table.generation);
        let result = self.ask(|client| flush(client, &spec, longer));
        match result {
            Ok(()) => {
                // Each path gone is one change. Others may change the table too,
                // so this says no more than whether there was something.
                match (before, self.ask(Client::table)) {
                    (Ok(before), Ok(after)) if after.generation == before => {
                        self.status(codes::NOTHING, format_args!("no route was like that"));
                    }
                    _ => self.status(codes::DONE, format_args!("flushed")),
                }
            }
            Err(error) if Code::of(&error) == codes::NO_ROUTE => {
                self.status(codes::NOTHING, format_args!("no route was like that"));
            }
            Err(error) => {
                self.point(line, &parsed, &error);
                self.failed(&error, format_args!("{}", Reason(&error)));
            }
        }
    }

    fn stats(&mut self) {
        match self.ask(Client::table) {
            Ok(table) => {
                let bytes = table.bytes4 + table.bytes6 + table.nexthop_bytes;
                let lines: [(&str, u64); 16] = [
                    ("routes-ipv4", table.routes4.into()),
                    ("routes-ipv6", table.routes6.into()),
                    ("paths-ipv4", table.paths4.into()),
                    ("paths-ipv6", table.paths6.into()),
                    ("next-hops", table.nexthops.into()),
                    ("bytes", bytes),
                    ("limit", table.max_routes.into()),
                    ("generation", table.generation),
                    ("lookups", table.lookups),
                    ("hits", table.hits),
                    ("misses", table.misses),
                    ("errors", table.errors),
                    ("events-received", self.events.received),
                    ("events-lost", self.events.lost),
                    ("commands", self.commands),
                    ("commands-failed", self.failures),
                ];
                for (name, value) in lines {
                    self.data(format_args!("{name} {value}"));
                }
                self.status(codes::DONE, format_args!("stats"));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    fn version(&mut self) {
        self.data(format_args!("agent {}", env!("CARGO_PKG_VERSION")));
        match self.ask(|client| client.greet(None)) {
            Ok(greeting) => {
                self.data(format_args!(
                    "module {} abi {}",
                    greeting.version, greeting.abi
                ));
                self.status(codes::DONE, format_args!("version"));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    /// Shows lines of the log from number `next` on.
    fn log(&mut self, mut next: u64) {
        if std::mem::take(&mut self.stop) {
            return self.status(codes::STOPPED, format_args!("stopped"));
        }
        for _ in 0..LINES_PER_STEP / 2 {
            let Some((number, text)) = log_ring::line(next) else {
                return self.status(codes::DONE, format_args!("log"));
            };
            self.data(format_args!("{text}"));
            next = number + 1;
        }
        self.running = Running::Log(next);
    }

    fn help(&mut self, line: &str, start: usize) {
        let topic = line[start..].trim();
        if topic.is_empty() {
            let widest = |command: &Command| command.words.join(" ").len();
            let width = COMMANDS.iter().map(widest).max().unwrap_or(0);
            for command in COMMANDS {
                let words = command.words.join(" ");
                self.data(format_args!("  {words:width$}  {}", command.help));
            }
            self.data(format_args!(
                "`help COMMAND` tells more, `help codes` explains the replies"
            ));
            return self.status(codes::DONE, format_args!("help"));
        }
        if topic == grammar::CODES {
            for code in codes::ALL {
                self.data(format_args!("  {code}  {}", code.meaning));
            }
            return self.status(codes::DONE, format_args!("help"));
        }
        // The topic is a command's line, so its columns are those of this line
        // less what stands before it.
        let offset = line.len() - line[start..].trim_start().len();
        match grammar::command(&line[offset..]) {
            Ok(Some((command, _))) => {
                self.data(format_args!("  {command}"));
                self.data(format_args!("  {}", command.help));
                if let Arguments::Route(syntax) | Arguments::Filter(syntax) = command.arguments {
                    for keyword in Syntax::keywords().iter().chain(syntax.flags) {
                        self.data(format_args!("    {:12} {}", keyword.word, keyword.help));
                    }
                }
                self.status(codes::DONE, format_args!("help"));
            }
            Err(GrammarError {
                kind: grammar::GrammarErrorKind::Incomplete(_),
                ..
            }) => {
                // All commands of a group.
                for command in COMMANDS
                    .iter()
                    .filter(|command| command.words[0].starts_with(topic))
                {
                    self.data(format_args!("  {command}"));
                    self.data(format_args!("      {}", command.help));
                }
                self.status(codes::DONE, format_args!("help"));
            }
            Err(mut error) => {
                error.column += offset;
                self.misspelled(line, &error);
            }
            Ok(None) => self.status(codes::DONE, format_args!("help")),
        }
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

    /// The prefix and the rest with the device's index; complains if there is no
    /// such device.
    fn indexed(&mut self, line: &str, parsed: &Parsed) -> Option<(Prefix, Spec<u32>)> {
        let spec = self.filter(line, parsed)?;
        Some((spec.prefix?, spec))
    }

    fn filter(&mut self, line: &str, parsed: &Parsed) -> Option<Spec<u32>> {
        match Cached::new(&*self.devices).indexed(parsed.spec.clone()) {
            Ok(spec) => Some(spec),
            Err(name) => {
                if let Some((column, len)) = parsed.span(Part::Device) {
                    self.caret(line, column, len);
                }
                self.status(codes::NO_DEVICE, format_args!("there is no device {name}"));
                None
            }
        }
    }

    /// Draws a caret under the part that the kernel objects to.
    fn point(&mut self, line: &str, parsed: &Parsed, error: &Error) {
        let ErrorKind::Kernel(kernel) = &error.kind else {
            return;
        };
        let attribute = kernel
            .offset
            .and_then(|offset| self.client.as_ref()?.attribute_at(offset));
        let part = match attribute {
            Some(ROUTE_DST | ROUTE_DST_LEN) => Part::Prefix,
            Some(ROUTE_TYPE) => Part::Kind,
            Some(ROUTE_GATEWAY) => Part::Gateway,
            Some(ROUTE_OIF) => Part::Device,
            Some(ROUTE_METRIC) => Part::Metric,
            Some(ROUTE_PROTOCOL) => Part::Protocol,
            _ => return,
        };
        if let Some((column, len)) = parsed.span(part) {
            self.caret(line, column, len);
        }
    }

    fn misread(&mut self, line: &str, error: &nl31_route::ParseError) {
        self.caret(line, error.column, error.len);
        self.status(
            codes::SYNTAX,
            format_args!("column {}: {error}", error.column + 1),
        );
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
        let shown = if self.interactive() {
            self.editor.shown_at(column)
        } else {
            None
        };
        let indent = shown.unwrap_or_else(|| {
            self.data(format_args!("  {line}"));
            2 + line[..column].chars().count()
        });
        let len = line[column..column + len].chars().count().max(1);
        self.data(format_args!("{:indent$}{:^<len$}", "", ""));
    }

    /// Lists what may stand at the cursor, or takes the `?` as text.
    fn explain(&mut self) {
        let left = self.editor.left();
        if grammar::in_text(left) {
            self.editor.insert("?", &mut self.out);
            return;
        }
        let left = Line::try_from(left).unwrap_or_default();
        self.editor.leave(&mut self.out);
        self.list(&left);
        self.editor.redraw(&mut self.out);
    }

    /// Completes the word at the cursor as far as it is clear, else lists what it
    /// could be.
    fn complete(&mut self) {
        let left = Line::try_from(self.editor.left()).unwrap_or_default();
        let begun = left
            .rfind(|c: char| c.is_ascii_whitespace())
            .map_or(0, |space| space + 1);
        let word = &left[begun..];
        let mut common: Option<heapless::String<64>> = None;
        let mut count = 0;
        grammar::candidates(&left, &*self.devices, &mut |candidate| {
            if !candidate.literal || !candidate.text.starts_with(word) {
                return;
            }
            count += 1;
            match &mut common {
                None => common = heapless::String::try_from(candidate.text).ok(),
                Some(common) => {
                    let same = common.chars().zip(candidate.text.chars());
                    let same = same
                        .take_while(|(a, b)| a == b)
                        .map(|(a, _)| a.len_utf8())
                        .sum();
                    common.truncate(same);
                }
            }
        });
        let common = common.unwrap_or_default();
        let rest = common.get(word.len()..).unwrap_or("");
        let mut text = heapless::String::<65>::new();
        let _ = text.push_str(rest);
        if count == 1 {
            let _ = text.push(' ');
        }
        if text.is_empty() {
            self.editor.leave(&mut self.out);
            self.list(&left);
            self.editor.redraw(&mut self.out);
        } else {
            self.editor.insert(&text, &mut self.out);
        }
    }

    /// Lists what may stand where `left` ends.
    fn list(&mut self, left: &str) {
        let begun = left
            .rfind(|c: char| c.is_ascii_whitespace())
            .map_or(0, |space| space + 1);
        let word = &left[begun..];
        let mut listed = 0;
        let out = &mut self.out;
        grammar::candidates(left, &*self.devices, &mut |candidate| {
            if candidate.literal && !candidate.text.starts_with(word) {
                return;
            }
            listed += 1;
            if listed <= CANDIDATES_MAX {
                let _ = match candidate.help {
                    "" => writeln!(out, "  {}", candidate.text),
                    help => writeln!(out, "  {:12} {help}", candidate.text),
                };
            }
        });
        if listed > CANDIDATES_MAX {
            self.data(format_args!("  and {} more", listed - CANDIDATES_MAX));
        } else if listed == 0 {
            self.data(format_args!("  nothing is expected here"));
        }
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
        if self.interactive() {
            self.editor.prompt(&mut self.out);
        }
    }

    fn data(&mut self, line: fmt::Arguments<'_>) {
        let _ = writeln!(self.out, "{line}");
    }
}

/// Whether a line looks like a status line.
fn is_status(line: &str) -> bool {
    let bytes = line.as_bytes();
    matches!(bytes, [b'I' | b'W' | b'E', a, b, c, b' ', ..] if [a, b, c].iter().all(|d| d.is_ascii_digit()))
}

/// Why a request failed, for a person: the kernel's own words where it has some.
/// The log has the rest.
struct Reason<'a>(&'a Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            ErrorKind::Kernel(error) if !error.text.is_empty() => f.write_str(&error.text),
            kind => kind.fmt(f),
        }
    }
}

/// `1 route`, `2 routes`.
struct Count(u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} route{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}
