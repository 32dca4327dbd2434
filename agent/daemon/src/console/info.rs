// SPDX-License-Identifier: MIT OR Apache-2.0
//! `greet`, `ping`, `multipath`, `stats`, `version`, `log` and `help`.

use std::fmt;

use nl31_netlink::{Client, Transport};
use nl31_route::Syntax;

use super::json::{JsonLog, Quoted};
use super::reply::Reason;
use super::session::{Console, LINES_PER_STEP, Running};
use crate::grammar::codes;
use crate::grammar::{self, Arguments, COMMANDS, Command, GREETING_MAX, GrammarError, Log};
use crate::platform::{kernel_log, log_ring, system};

/// Topic of the help.
#[derive(Clone, Copy, Debug)]
pub(super) enum Topic {
    Commands,
    Codes,
    /// The commands that begin with this word.
    Group(&'static str),
    Command(&'static Command),
}

impl<T: Transport> Console<T> {
    pub(super) fn greet(&mut self, text: &str) {
        if text.len() > GREETING_MAX {
            return self.status(
                codes::TOO_LONG,
                format_args!("a greeting has at most {GREETING_MAX} bytes"),
            );
        }
        let text = Some(text).filter(|text| !text.is_empty());
        match self.ask(|client| client.greet(text)) {
            Ok(greeting) => {
                // Indented if it looks like a status line.
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

    pub(super) fn ping(&mut self) {
        match self.ask(Client::ping) {
            Ok(()) => self.status(codes::DONE, format_args!("the kernel is alive")),
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    /// Tells whether paths share the load.
    pub(super) fn show_multipath(&mut self) {
        match self.ask(Client::table) {
            Ok(table) => {
                let multipath = on_off(table.multipath);
                self.status(codes::DONE, format_args!("multipath {multipath}"));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    pub(super) fn stats(&mut self, json: bool) {
        match self.ask(Client::table) {
            Ok(table) => {
                let bytes = table.bytes4 + table.bytes6 + table.nexthop_bytes;
                let lines: [(&str, u64); 17] = [
                    ("routes-ipv4", table.routes4.into()),
                    ("routes-ipv6", table.routes6.into()),
                    ("paths-ipv4", table.paths4.into()),
                    ("paths-ipv6", table.paths6.into()),
                    ("next-hops", table.nexthops.into()),
                    ("bytes", bytes),
                    ("limit", table.max_routes.into()),
                    ("multipath", table.multipath.into()),
                    ("generation", table.generation),
                    ("lookups", table.lookups),
                    ("hits", table.hits),
                    ("misses", table.misses),
                    ("errors", table.errors),
                    ("events-received", self.changes.received()),
                    ("events-lost", self.changes.lost()),
                    ("commands", self.commands),
                    ("commands-failed", self.failures),
                ];
                for (number, (name, value)) in lines.into_iter().enumerate() {
                    let comma = if number + 1 < lines.len() { "," } else { "}" };
                    match json {
                        true if number == 0 => {
                            self.part(format_args!("{{\"{name}\":{value}{comma}"))
                        }
                        true => self.part(format_args!("\"{name}\":{value}{comma}")),
                        false => self.data(format_args!("{name} {value}")),
                    }
                }
                if json {
                    self.data(format_args!(""));
                }
                self.status(codes::DONE, format_args!("stats"));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    pub(super) fn version(&mut self, json: bool) {
        let mut separator = "{";
        // Each line is a name and its value; as JSON, all are one object.
        let mut tell = |console: &mut Self, line: fmt::Arguments<'_>| {
            if !json {
                return console.data(line);
            }
            let line = line.to_string();
            let (name, value) = line.split_once(' ').unwrap_or((&line, ""));
            console.part(format_args!(
                "{separator}{}:{}",
                Quoted(name),
                Quoted(value)
            ));
            separator = ",";
        };
        // Buildroot names the commit, as it does for the image.
        match option_env!("NL31_BUILD_ID") {
            Some(build) => tell(
                self,
                format_args!("agent {} {build}", env!("CARGO_PKG_VERSION")),
            ),
            None => tell(self, format_args!("agent {}", env!("CARGO_PKG_VERSION"))),
        }
        let host = self.host_name();
        system::describe(host.as_deref(), |line| tell(self, line));
        if let Some(unsaved) = self.has_unsaved_changes() {
            let changes = if unsaved { "unsaved" } else { "none" };
            tell(self, format_args!("changes {changes}"));
        }
        if self.shared.config.files.in_memory {
            tell(self, format_args!("storage memory, lost at a reboot"));
        }
        let greeted = self.ask(|client| client.greet(None));
        if let Ok(greeting) = &greeted {
            let (version, abi) = (&greeting.version, greeting.abi);
            if json {
                tell(self, format_args!("module {version}"));
                tell(self, format_args!("abi {abi}"));
            } else {
                tell(self, format_args!("module {version} abi {abi}"));
            }
        }
        if json {
            self.data(format_args!("}}"));
        }
        match greeted {
            Ok(_) => self.status(codes::DONE, format_args!("version")),
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    /// Shows lines of a log from number `next` on.
    pub(super) fn log(&mut self, log: Log, mut next: u64) {
        if std::mem::take(&mut self.stop) {
            return self.status(codes::STOPPED, format_args!("stopped"));
        }
        for _ in 0..LINES_PER_STEP / 2 {
            if self.page_is_full() {
                self.pause(Running::Log(log, next));
                return;
            }
            let number = match log {
                Log::Agent | Log::AgentJson | Log::AgentFrom => {
                    log_ring::line(next).map(|(number, text)| {
                        match log {
                            Log::Agent => self.data(format_args!("{text}")),
                            _ => self.data(format_args!("{}", JsonLog(number, &text))),
                        }
                        number
                    })
                }
                Log::Kernel => match kernel_log::line(next) {
                    Ok(line) => line.map(|(number, text)| {
                        self.data(format_args!("{text}"));
                        number
                    }),
                    Err(error) => {
                        return self.status(
                            codes::of_io(&error),
                            format_args!("the kernel's log cannot be read: {error}"),
                        );
                    }
                },
            };
            let Some(number) = number else {
                if log == Log::AgentFrom {
                    let next = next.min(log_ring::next());
                    self.data(format_args!("{{\"next\":{next}}}"));
                }
                return self.status(codes::DONE, format_args!("log"));
            };
            next = number + 1;
        }
        self.running = Running::Log(log, next);
    }

    /// Shows help from line `next` on.
    pub(super) fn help_on(&mut self, topic: Topic, mut next: usize) {
        if std::mem::take(&mut self.stop) {
            return self.status(codes::STOPPED, format_args!("stopped"));
        }
        for _ in 0..LINES_PER_STEP {
            if self.page_is_full() {
                self.pause(Running::Help(topic, next));
                return;
            }
            if !self.help_line(topic, next) {
                return self.status(codes::DONE, format_args!("help"));
            }
            next += 1;
        }
        self.running = Running::Help(topic, next);
    }

    /// Shows a line of help, if there is a line of this number.
    fn help_line(&mut self, topic: Topic, number: usize) -> bool {
        match topic {
            Topic::Commands if number == COMMANDS.len() => self.data(format_args!(
                "`help COMMAND` tells more, `help codes` explains the replies"
            )),
            Topic::Commands => {
                let Some(command) = COMMANDS.get(number) else {
                    return false;
                };
                let widest = |command: &Command| command.words.join(" ").len();
                let width = COMMANDS.iter().map(widest).max().unwrap_or(0);
                let words = command.words.join(" ");
                self.data(format_args!("  {words:width$}  {}", command.help));
            }
            Topic::Codes => match codes::ALL.get(number) {
                Some(code) => self.data(format_args!("  {code}  {}", code.meaning)),
                None => return false,
            },
            Topic::Group(word) => {
                let mut group = COMMANDS.iter().filter(|command| command.words[0] == word);
                match group.nth(number / 2) {
                    Some(command) if number.is_multiple_of(2) => {
                        self.data(format_args!("  {command}"));
                    }
                    Some(command) => self.data(format_args!("      {}", command.help)),
                    None => return false,
                }
            }
            Topic::Command(command) => match (number, &command.arguments) {
                (0, _) => self.data(format_args!("  {command}")),
                (1, _) => self.data(format_args!("  {}", command.help)),
                (_, Arguments::Route(syntax) | Arguments::Filter(syntax)) => {
                    let mut keywords = Syntax::keywords().iter().chain(syntax.flags);
                    match keywords.nth(number - 2) {
                        Some(keyword) => {
                            self.data(format_args!("    {:12} {}", keyword.word, keyword.help));
                        }
                        None => return false,
                    }
                }
                _ => return false,
            },
        }
        true
    }

    pub(super) fn help(&mut self, line: &str, start: usize) {
        let words = line[start..].trim();
        // The topic is parsed as a command line; its columns count from its own start.
        let offset = line.len() - line[start..].trim_start().len();
        let topic = match grammar::command(&line[offset..]) {
            _ if words == grammar::CODES => Topic::Codes,
            Ok(None) => Topic::Commands,
            Ok(Some((command, _))) => Topic::Command(command),
            Err(GrammarError {
                kind: grammar::GrammarErrorKind::Incomplete(_),
                ..
            }) => {
                let mut group = COMMANDS.iter().map(|command| command.words[0]);
                group
                    .find(|word| word.starts_with(words))
                    .map_or(Topic::Commands, Topic::Group)
            }
            Err(mut error) => {
                error.column += offset;
                return self.misspelled(line, &error);
            }
        };
        self.running = Running::Help(topic, 0);
    }
}

pub(super) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Whether a line looks like a status line.
fn is_status(line: &str) -> bool {
    let bytes = line.as_bytes();
    matches!(bytes, [b'I' | b'W' | b'E', a, b, c, b' ', ..] if [a, b, c].iter().all(|d| d.is_ascii_digit()))
}
