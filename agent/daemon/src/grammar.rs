// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can be said to the agent: one table, from which lines are parsed,
//! completed and explained, and the README's list is made.

use std::fmt;

use nl31_netlink::abi::TEXT_MAX;
use nl31_route::{Keyword, Match, Protocol, Syntax, Value, Word, match_word, words};

use crate::device::Devices;
use crate::undo::SECONDS_MAX;

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Action {
    Greet,
    Ping,
    RouteAdd,
    RouteReplace,
    RouteChange,
    RouteAppend,
    RouteDel,
    RouteGet,
    RouteShow,
    RouteFlush,
    Begin,
    Diff,
    Check,
    Commit,
    Confirm,
    Rollback,
    Save,
    Load,
    FactoryReset,
    Monitor,
    Stats,
    Log,
    Version,
    Help,
    Terminal,
    Exit,
    Reboot,
}

impl Action {
    /// Whether it is about routes, so that it waits until the config is loaded.
    pub fn waits_for_config(self) -> bool {
        !matches!(
            self,
            Self::Greet
                | Self::Ping
                | Self::Monitor
                | Self::Stats
                | Self::Log
                | Self::Version
                | Self::Help
                | Self::Terminal
                | Self::Exit
                | Self::Reboot
        )
    }

    /// Whether it is written out, so that no slip of a key does it.
    fn is_written_out(self) -> bool {
        matches!(self, Self::FactoryReset | Self::Reboot)
    }

    /// Whether it changes nothing, neither routes nor files.
    pub fn reads(self) -> bool {
        matches!(
            self,
            Self::Greet
                | Self::Ping
                | Self::RouteGet
                | Self::RouteShow
                | Self::Diff
                | Self::Monitor
                | Self::Stats
                | Self::Log
                | Self::Version
                | Self::Help
                | Self::Terminal
                | Self::Exit
        )
    }
}

/// What may follow a command's words.
#[derive(Debug)]
pub enum Arguments {
    /// Nothing.
    None,
    /// Text up to the end of the line, or nothing.
    Text,
    /// One of these words, or nothing.
    Word(&'static [Keyword]),
    /// An address or prefix.
    Address(&'static Syntax),
    /// The words of a route, from its prefix on.
    Route(&'static Syntax),
    /// Any words of a route, or none.
    Filter(&'static Syntax),
    /// The words of a command, or `codes`, or nothing.
    Command,
    /// `confirmed` and seconds, or nothing.
    Confirmed,
    /// The path of a file, or nothing.
    File,
    /// Rows and columns of a terminal, or rows, or nothing.
    Size,
}

/// A command.
#[derive(Debug)]
pub struct Command {
    /// Its words, one or two.
    pub words: &'static [&'static str],
    /// What it does.
    pub action: Action,
    /// What follows.
    pub arguments: Arguments,
    /// One line for a person.
    pub help: &'static str,
}

const fn flag(word: &'static str, help: &'static str) -> Keyword {
    Keyword {
        word,
        value: Value::None,
        help,
    }
}

/// The words of a route, which may be abbreviated.
static ROUTE: Syntax = Syntax {
    flags: &[],
    abbreviations: true,
};

/// The same with the flags [`LONGER`] and [`JSON`].
static SHOW: Syntax = Syntax {
    flags: &[LONGER_WORD, JSON_WORD],
    abbreviations: true,
};

/// The same with the flags [`LONGER`] and [`ALL`].
static FLUSH: Syntax = Syntax {
    flags: &[LONGER_WORD, flag("all", "every route there is")],
    abbreviations: true,
};

/// An address with the flag [`GET_JSON`].
static GET: Syntax = Syntax {
    flags: &[JSON_WORD],
    abbreviations: false,
};

const JSON_WORD: Keyword = flag("json", "as JSON, one object a line");

const LONGER_WORD: Keyword = flag("longer", "with all longer prefixes inside of this one");

/// Bit of the word `longer` in [`nl31_route::Parsed::flags`].
pub const LONGER: u8 = 1;
/// Bit of the word `all`.
pub const ALL: u8 = 2;
/// Bit of the word `json` of `route show`.
pub const JSON: u8 = 2;
/// Bit of the word `json` of `route get`.
pub const GET_JSON: u8 = 1;

static AS_JSON: [Keyword; 1] = [JSON_WORD];

/// What `commit` may be followed by.
pub const CONFIRMED: Keyword = Keyword {
    word: "confirmed",
    value: Value::Number,
    help: "take it back after so many seconds, unless `confirm` comes",
};

static ON_OFF: [Keyword; 2] = [
    flag("on", "show changes as they happen"),
    flag("off", "no more"),
];

/// Word of `help` for the table of codes.
pub const CODES: &str = "codes";

macro_rules! commands {
    ($($($word:literal)+ => $action:ident, $arguments:expr, $help:literal;)*) => {
        /// Every command there is.
        pub static COMMANDS: &[Command] = &[$(Command {
            words: &[$($word),+],
            action: Action::$action,
            arguments: $arguments,
            help: $help,
        }),*];
    };
}

commands! {
    "greet" => Greet, Arguments::Text, "say hello to the kernel; it answers and names this client";
    "ping" => Ping, Arguments::None, "ask whether the kernel's side is alive";
    "route" "add" => RouteAdd, Arguments::Route(&ROUTE), "add a route; fails if the prefix has one of this metric";
    "route" "replace" => RouteReplace, Arguments::Route(&ROUTE), "put a route in place of the one of this metric, or add it";
    "route" "change" => RouteChange, Arguments::Route(&ROUTE), "put a route in place of the one of this metric, which must be there";
    "route" "append" => RouteAppend, Arguments::Route(&ROUTE), "add a further path behind those of this metric";
    "route" "del" => RouteDel, Arguments::Route(&ROUTE), "delete a route; name the path if the prefix has several";
    "route" "get" => RouteGet, Arguments::Address(&GET), "show the route in use for an address";
    "route" "show" => RouteShow, Arguments::Filter(&SHOW), "list routes: all, or those that have what is given";
    "route" "flush" => RouteFlush, Arguments::Filter(&FLUSH), "delete all routes that have what is given";
    "begin" => Begin, Arguments::None, "collect edits: add, replace, change, append, del and flush wait for `commit`";
    "diff" => Diff, Arguments::None, "what the edits would change; without edits, how the table differs from the saved config";
    "check" => Check, Arguments::None, "ask the kernel whether it would take all edits, and change nothing";
    "commit" => Commit, Arguments::Confirmed, "make all edits at once, or none of them";
    "confirm" => Confirm, Arguments::None, "keep what `commit confirmed` did, and save the table as the config";
    "rollback" => Rollback, Arguments::None, "drop the edits; without edits, take `commit confirmed` back at once";
    "save" => Save, Arguments::None, "save the table as the config that the next boot begins with";
    "load" => Load, Arguments::File, "put a config in place of the whole table: the saved one, or that of a file";
    "factory-reset" => FactoryReset, Arguments::None, "delete the saved config, so that the next boot begins with the factory's";
    "monitor" => Monitor, Arguments::Word(&ON_OFF), "show changes of the table as they happen, until `monitor off`";
    "stats" => Stats, Arguments::Word(&AS_JSON), "counters of the table and the agent";
    "log" => Log, Arguments::None, "the agent's log, the last lines";
    "version" => Version, Arguments::None, "versions of the agent, the image and the kernel module; host name, boot";
    "help" => Help, Arguments::Command, "list the commands, or explain one, or the reply codes";
    "terminal" => Terminal, Arguments::Size, "how many rows and columns the terminal has, so that long output pauses; 0 if it is not known";
    "exit" => Exit, Arguments::None, "lock the line if it has a PIN, or end the session";
    "reboot" => Reboot, Arguments::None, "restart the appliance; what was not saved is lost";
}

/// What other tools call our words.
static SYNONYMS: [(&str, &str); 4] = [
    ("delete", "del"),
    ("list", "show"),
    ("ls", "show"),
    ("quit", "exit"),
];

/// Stands before `route` in lines that were written for iproute2.
const IP: &str = "ip";

/// Most rows and columns that a terminal is taken to have.
const SIZE_MAX: usize = 999;

/// A line that is not understood.
#[derive(Debug, PartialEq, Eq)]
pub struct GrammarError {
    /// Byte offset into the line.
    pub column: usize,
    /// Bytes that are wrong; 0 at the end of the line.
    pub len: usize,
    /// What is wrong and what to do.
    pub kind: GrammarErrorKind,
}

/// Why a line is not understood.
#[derive(Debug, PartialEq, Eq)]
pub enum GrammarErrorKind {
    /// No command has this word here; the words before it.
    Unknown(Level),
    /// The same, but it is the second word of a command with these words.
    Second(&'static [&'static str]),
    /// The command has this word, which is not to be abbreviated.
    Short(&'static str),
    /// More than one command has a word that starts so: with as many bytes of this word.
    Ambiguous(Level, &'static str, usize),
    /// The command goes on.
    Incomplete(Level),
    /// The command takes nothing more.
    Excess,
    /// Not one of the words of the argument.
    NotOneOf(&'static [Keyword]),
    /// `confirmed` without seconds.
    NoSeconds,
    /// Not a number of rows or columns.
    NoSize,
}

/// How far into the table a line has come: the commands that are still possible
/// are those that share their first `depth` words with the one at `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    index: usize,
    depth: usize,
    /// Behind [`IP`]: only commands on routes.
    ip: bool,
}

impl Level {
    const TOP: Self = Self {
        index: 0,
        depth: 0,
        ip: false,
    };

    fn commands(self) -> impl Iterator<Item = (usize, &'static Command)> {
        let before = &COMMANDS[self.index].words[..self.depth];
        COMMANDS
            .iter()
            .enumerate()
            .filter(move |(_, command)| command.words.len() > self.depth)
            .filter(move |(_, command)| &command.words[..self.depth] == before)
            .filter(move |(_, command)| !self.ip || command.words.len() > 1)
    }

    /// The words that may come next, each with the index of its first command.
    fn words(self) -> impl Iterator<Item = (usize, &'static str)> {
        let mut last = "";
        // Commands that share a word stand together in the table.
        self.commands().filter_map(move |(index, command)| {
            let word = command.words[self.depth];
            let new = word != last;
            last = word;
            new.then_some((index, word))
        })
    }
}

/// Finds the command of a line: with its index in [`COMMANDS`], and the byte where
/// its arguments start. `None` if the line is empty.
pub fn command(line: &str) -> Result<Option<(&'static Command, usize)>, GrammarError> {
    let mut level = Level::TOP;
    for word in words(line, 0) {
        level = descend(level, word)?;
        let command = &COMMANDS[level.index];
        if level.depth == command.words.len() {
            let full = command.words[level.depth - 1];
            if command.action.is_written_out() && word.text != full {
                return Err(GrammarError {
                    column: word.column,
                    len: word.text.len(),
                    kind: GrammarErrorKind::Short(full),
                });
            }
            return Ok(Some((command, word.column + word.text.len())));
        }
    }
    if level == Level::TOP {
        return Ok(None);
    }
    let column = line.trim_ascii_end().len();
    Err(GrammarError {
        column,
        len: 0,
        kind: GrammarErrorKind::Incomplete(level),
    })
}

fn descend(level: Level, word: Word<'_>) -> Result<Level, GrammarError> {
    let error = |kind| GrammarError {
        column: word.column,
        len: word.text.len(),
        kind,
    };
    if level == Level::TOP && word.text == IP {
        return Ok(Level { ip: true, ..level });
    }
    let synonym = SYNONYMS.iter().find(|(theirs, _)| *theirs == word.text);
    let text = synonym.map_or(word.text, |&(_, ours)| ours);
    match match_word(text, level.words().map(|(_, word)| word), true) {
        Match::One(nth) => {
            let (index, _) = level.words().nth(nth).expect("it was just found there");
            Ok(Level {
                index,
                depth: level.depth + 1,
                ..level
            })
        }
        Match::None => {
            let second = |command: &&Command| command.words.get(1) == Some(&text);
            let second = COMMANDS.iter().find(second).filter(|_| level.depth == 0);
            Err(error(match second {
                Some(command) => GrammarErrorKind::Second(command.words),
                None => GrammarErrorKind::Unknown(level),
            }))
        }
        Match::Many => {
            let mut words = level.words().map(|(_, word)| word);
            let first = words.find(|possible| possible.starts_with(word.text));
            let (first, len) = (first.unwrap_or_default(), word.text.len());
            Err(error(GrammarErrorKind::Ambiguous(level, first, len)))
        }
    }
}

/// The one word that may follow a command, as its index in `keywords`.
pub fn one_of(
    line: &str,
    start: usize,
    keywords: &'static [Keyword],
) -> Result<Option<usize>, GrammarError> {
    let mut words = words(line, start);
    let Some(word) = words.next() else {
        return Ok(None);
    };
    let error = |word: Word<'_>, kind| GrammarError {
        column: word.column,
        len: word.text.len(),
        kind,
    };
    if let Some(excess) = words.next() {
        return Err(error(excess, GrammarErrorKind::Excess));
    }
    match match_word(word.text, keywords.iter().map(|keyword| keyword.word), true) {
        Match::One(index) => Ok(Some(index)),
        _ => Err(error(word, GrammarErrorKind::NotOneOf(keywords))),
    }
}

/// The seconds behind `commit`, if there are any.
pub fn confirmed(line: &str, start: usize) -> Result<Option<u32>, GrammarError> {
    let mut words = words(line, start);
    let Some(word) = words.next() else {
        return Ok(None);
    };
    let error = |word: Word<'_>, kind| GrammarError {
        column: word.column,
        len: word.text.len(),
        kind,
    };
    if match_word(word.text, [CONFIRMED.word].into_iter(), true) != Match::One(0) {
        return Err(error(word, GrammarErrorKind::NotOneOf(&[CONFIRMED])));
    }
    let Some(word) = words.next() else {
        return Err(GrammarError {
            column: line.trim_ascii_end().len(),
            len: 0,
            kind: GrammarErrorKind::NoSeconds,
        });
    };
    if let Some(excess) = words.next() {
        return Err(error(excess, GrammarErrorKind::Excess));
    }
    let digits = word.text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = word.text.parse().ok().filter(|_| digits);
    match seconds {
        Some(seconds) if (1..=SECONDS_MAX).contains(&seconds) => Ok(Some(seconds)),
        _ => Err(error(word, GrammarErrorKind::NoSeconds)),
    }
}

/// The rows and columns behind `terminal`, those that are there.
pub fn size(line: &str, start: usize) -> Result<[Option<usize>; 2], GrammarError> {
    let mut size = [None; 2];
    for (index, word) in words(line, start).enumerate() {
        let error = |kind| GrammarError {
            column: word.column,
            len: word.text.len(),
            kind,
        };
        let slot = size.get_mut(index);
        let slot = slot.ok_or_else(|| error(GrammarErrorKind::Excess))?;
        let number = word.text.parse().ok().filter(|&number| number <= SIZE_MAX);
        *slot = Some(number.ok_or_else(|| error(GrammarErrorKind::NoSize))?);
    }
    Ok(size)
}

/// The one word that may follow a command as it stands.
pub fn one_word(line: &str, start: usize) -> Result<Option<&str>, GrammarError> {
    let mut words = words(line, start);
    let word = words.next();
    match words.next() {
        None => Ok(word.map(|word| word.text)),
        Some(excess) => Err(GrammarError {
            column: excess.column,
            len: excess.text.len(),
            kind: GrammarErrorKind::Excess,
        }),
    }
}

/// Refuses anything behind a command that takes nothing.
pub fn nothing(line: &str, start: usize) -> Result<(), GrammarError> {
    match words(line, start).next() {
        None => Ok(()),
        Some(word) => Err(GrammarError {
            column: word.column,
            len: line.trim_ascii_end().len() - word.column,
            kind: GrammarErrorKind::Excess,
        }),
    }
}

/// Something that may stand at a place of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The word, or a placeholder like `PREFIX`.
    pub text: &'a str,
    /// One line for a person; may be empty.
    pub help: &'a str,
    /// Whether `text` itself may be typed there.
    pub literal: bool,
}

/// Calls `each` with all that may stand where `left`, the line left of the cursor,
/// ends. A word that is begun is not looked at: the caller keeps what starts so.
/// Gives the column of that word, or the end.
///
/// `devices` names the network devices.
pub fn candidates(left: &str, devices: &dyn Devices, each: &mut dyn FnMut(Candidate<'_>)) -> usize {
    let begun = left
        .rfind(|c: char| c.is_ascii_whitespace())
        .map_or(0, |space| space + 1);
    let mut before = words(&left[..begun], 0);
    let mut level = Level::TOP;
    let mut literal = |text: &str, help: &str| {
        each(Candidate {
            text,
            help,
            literal: true,
        })
    };
    let arguments = loop {
        let command = &COMMANDS[level.index];
        if level.depth > 0 && level.depth == command.words.len() {
            break &command.arguments;
        }
        let Some(word) = before.next() else {
            for (index, word) in level.words() {
                let command = &COMMANDS[index];
                let group = command.words.len() > level.depth + 1;
                literal(word, if group { "…" } else { command.help });
            }
            return begun;
        };
        match descend(level, word) {
            Ok(next) => level = next,
            Err(_) => return begun,
        }
    };
    match arguments {
        Arguments::None => {}
        Arguments::Text => each(Candidate {
            text: "TEXT",
            help: "up to 255 bytes",
            literal: false,
        }),
        Arguments::Word(keywords) => {
            if before.next().is_none() {
                keywords
                    .iter()
                    .for_each(|keyword| literal(keyword.word, keyword.help));
            }
        }
        Arguments::Address(syntax) => {
            let json = &syntax.flags[0];
            match (before.next(), before.next()) {
                (None, _) => each(Candidate {
                    text: "ADDRESS",
                    help: "an address like 192.0.2.1, or a prefix",
                    literal: false,
                }),
                (Some(_), None) => literal(json.word, json.help),
                _ => {}
            }
        }
        Arguments::Confirmed => match (before.next(), before.next()) {
            (None, _) => literal(CONFIRMED.word, CONFIRMED.help),
            (Some(_), None) => each(Candidate {
                text: "SECONDS",
                help: "from 1 to 86400",
                literal: false,
            }),
            _ => {}
        },
        Arguments::File => {
            if before.next().is_none() {
                each(Candidate {
                    text: "FILE",
                    help: "a path like /data/nl31/routes.conf",
                    literal: false,
                });
            }
        }
        Arguments::Size => {
            if let Some(text) = ["ROWS", "COLUMNS"].get(before.count()) {
                each(Candidate {
                    text,
                    help: "from 0 to 999",
                    literal: false,
                });
            }
        }
        Arguments::Command => {
            let mut level = Level::TOP;
            let mut first = true;
            for word in before {
                let Ok(next) = descend(level, word) else {
                    return begun;
                };
                level = next;
                first = false;
                if level.depth == COMMANDS[level.index].words.len() {
                    return begun;
                }
            }
            for (index, word) in level.words() {
                literal(word, COMMANDS[index].help);
            }
            if first {
                literal(CODES, "the codes that replies begin with");
            }
        }
        Arguments::Route(syntax) | Arguments::Filter(syntax) => {
            route_candidates(syntax, before, devices, each);
        }
    }
    begun
}

fn route_candidates<'a>(
    syntax: &'static Syntax,
    mut before: impl Iterator<Item = Word<'a>>,
    devices: &dyn Devices,
    each: &mut dyn FnMut(Candidate<'_>),
) {
    let all = || Syntax::keywords().iter().chain(syntax.flags);
    // One bit for each of `all`, and whether the prefix was there.
    let mut used = 0u32;
    let mut prefix = false;
    while let Some(word) = before.next() {
        // Behind the prefix, the kinds stand in no abbreviation's way.
        let possible = all().enumerate().map(|(index, keyword)| {
            let over = prefix && kinds() & (1 << index) != 0;
            if over { "" } else { keyword.word }
        });
        let found = match_word(word.text, possible, syntax.abbreviations);
        let Match::One(index) = found else {
            prefix = true;
            continue;
        };
        used |= 1 << index;
        let value = all()
            .nth(index)
            .map_or(Value::None, |keyword| keyword.value);
        if value != Value::None && before.next().is_none() {
            match value {
                Value::Device => devices.names(&mut |text| {
                    each(Candidate {
                        text,
                        help: "",
                        literal: true,
                    });
                }),
                Value::Protocol => Protocol::names().for_each(|text| {
                    each(Candidate {
                        text,
                        help: "",
                        literal: true,
                    });
                }),
                Value::Address | Value::Number | Value::None => each(Candidate {
                    text: value.placeholder(),
                    help: value.expected(),
                    literal: false,
                }),
            }
            return;
        }
    }
    if !prefix {
        let help = "like 10.0.0.0/8 or 2001:db8::/32";
        each(Candidate {
            text: "PREFIX",
            help,
            literal: false,
        });
        each(Candidate {
            text: "default",
            help: "every address",
            literal: true,
        });
    }
    for (index, keyword) in all().enumerate() {
        let kind = keyword.value == Value::None && index < Syntax::keywords().len();
        // One kind at most, and only before the prefix.
        let kinds_over = prefix || used & kinds() != 0;
        if used & (1 << index) == 0 && !(kind && kinds_over) {
            each(Candidate {
                text: keyword.word,
                help: keyword.help,
                literal: true,
            });
        }
    }
}

/// The bits of the kinds among [`Syntax::keywords`].
fn kinds() -> u32 {
    let keywords = Syntax::keywords().iter().enumerate();
    keywords
        .filter(|(_, keyword)| keyword.value == Value::None)
        .fold(0, |bits, (i, _)| bits | 1 << i)
}

/// Whether `?` at the end of `left` is text and no question.
pub fn in_text(left: &str) -> bool {
    let comment = left.trim_ascii_start().starts_with('#');
    comment
        || matches!(
            command(left),
            Ok(Some((Command { arguments: Arguments::Text, .. }, start))) if start < left.len()
        )
}

/// How the command is written.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words.iter().enumerate() {
            write!(f, "{}{word}", if index > 0 { " " } else { "" })?;
        }
        match &self.arguments {
            Arguments::None => Ok(()),
            Arguments::Text => f.write_str(" [TEXT]"),
            Arguments::Word(keywords) => alternatives(f, keywords.iter()),
            Arguments::Address(syntax) => write!(f, " ADDRESS [{}]", syntax.flags[0].word),
            Arguments::Confirmed => write!(f, " [{} SECONDS]", CONFIRMED.word),
            Arguments::File => f.write_str(" [FILE]"),
            Arguments::Size => f.write_str(" [ROWS [COLUMNS]]"),
            Arguments::Command => write!(f, " [COMMAND|{CODES}]"),
            Arguments::Route(syntax) => route_synopsis(f, syntax, " PREFIX"),
            Arguments::Filter(syntax) => route_synopsis(f, syntax, " [PREFIX]"),
        }
    }
}

fn alternatives<'a>(
    f: &mut fmt::Formatter<'_>,
    keywords: impl Iterator<Item = &'a Keyword>,
) -> fmt::Result {
    for (index, keyword) in keywords.enumerate() {
        write!(f, "{}{}", if index == 0 { " [" } else { "|" }, keyword.word)?;
    }
    f.write_str("]")
}

fn route_synopsis(f: &mut fmt::Formatter<'_>, syntax: &Syntax, prefix: &str) -> fmt::Result {
    let (kinds, others): (Vec<_>, Vec<_>) = Syntax::keywords()
        .iter()
        .partition(|keyword| keyword.value == Value::None);
    alternatives(f, kinds.into_iter())?;
    f.write_str(prefix)?;
    for keyword in syntax.flags {
        write!(f, " [{}]", keyword.word)?;
    }
    for keyword in others {
        write!(f, " [{} {}]", keyword.word, keyword.value.placeholder())?;
    }
    Ok(())
}

impl fmt::Display for GrammarErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, words: &mut dyn Iterator<Item = &'static str>| {
            let mut words = words.peekable();
            let mut first = true;
            while let Some(word) = words.next() {
                let separator = match (first, words.peek()) {
                    (true, _) => "",
                    (false, Some(_)) => ", ",
                    (false, None) => " or ",
                };
                write!(f, "{separator}{word}")?;
                first = false;
            }
            Ok(())
        };
        match self {
            Self::Unknown(level) | Self::Incomplete(level) => f
                .write_str("expected ")
                .and_then(|()| list(f, &mut level.words().map(|(_, word)| word))),
            Self::Short(word) => write!(f, "write it out: {word}"),
            Self::Second(words) => {
                f.write_str("no such command, did you mean")?;
                words.iter().try_for_each(|word| write!(f, " {word}"))?;
                f.write_str("?")
            }
            Self::Ambiguous(level, word, len) => {
                f.write_str("ambiguous, write more of it: ")?;
                let words = level.words().map(|(_, word)| word);
                list(
                    f,
                    &mut words.filter(|other| other.starts_with(&word[..*len])),
                )
            }
            Self::Excess => f.write_str("expected the end of the line"),
            Self::NoSize => write!(f, "expected a number from 0 to {SIZE_MAX}"),
            Self::NoSeconds => write!(f, "expected seconds, from 1 to {SECONDS_MAX}"),
            Self::NotOneOf(keywords) => {
                f.write_str("expected ")?;
                list(f, &mut keywords.iter().map(|keyword| keyword.word))
            }
        }
    }
}

/// The commands and codes as Markdown, for the README.
pub fn markdown() -> impl fmt::Display {
    struct Markdown;
    impl fmt::Display for Markdown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            writeln!(f, "| command | does |\n| --- | --- |")?;
            for command in COMMANDS {
                let synopsis = command.to_string().replace('|', "\\|");
                writeln!(f, "| `{synopsis}` | {} |", command.help)?;
            }
            writeln!(f, "\n| code | means |\n| --- | --- |")?;
            for code in crate::codes::ALL {
                writeln!(f, "| `{code}` | {} |", code.meaning)?;
            }
            Ok(())
        }
    }
    Markdown
}

/// Longest text of a greeting.
pub const GREETING_MAX: usize = TEXT_MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::tests::TestDevices;
    use proptest::prelude::*;

    fn found(line: &str) -> Result<Option<(Action, usize)>, String> {
        match command(line) {
            Ok(found) => Ok(found.map(|(command, start)| (command.action, start))),
            Err(error) => Err(format!("{}+{}: {}", error.column, error.len, error.kind)),
        }
    }

    fn offered(left: &str) -> (usize, String) {
        let mut all = Vec::new();
        let begun = candidates(left, &TestDevices::default(), &mut |candidate| {
            all.push(candidate.text.to_string())
        });
        (begun, all.join(" "))
    }

    #[test]
    fn commands_are_found_by_their_words() {
        assert_eq!(found(""), Ok(None));
        assert_eq!(found("  \t"), Ok(None));
        assert_eq!(found("ping"), Ok(Some((Action::Ping, 4))));
        assert_eq!(
            found(" route  add 10.0.0.0/8"),
            Ok(Some((Action::RouteAdd, 11)))
        );
        for command in COMMANDS {
            let line = command.words.join(" ");
            assert_eq!(found(&line), Ok(Some((command.action, line.len()))));
        }
    }

    #[test]
    fn abbreviations_are_unique_or_refused() {
        assert_eq!(found("rou sh"), Ok(Some((Action::RouteShow, 6))));
        assert_eq!(found("h"), Ok(Some((Action::Help, 1))));
        assert_eq!(found("reb"), Err("0+3: write it out: reboot".into()));
        assert_eq!(found("f"), Err("0+1: write it out: factory-reset".into()));
        assert_eq!(
            found("ro show"),
            Err("0+2: ambiguous, write more of it: route or rollback".into())
        );
        assert_eq!(
            found("rou a"),
            Err("4+1: ambiguous, write more of it: add or append".into())
        );
    }

    #[test]
    fn lines_for_other_tools_are_understood_or_answered_with_ours() {
        for (line, action) in [
            ("ip route add default via 192.0.2.1", Action::RouteAdd),
            ("ip r show", Action::RouteShow),
            ("ip ro ls", Action::RouteShow),
            ("route delete 10.0.0.0/8", Action::RouteDel),
            ("route list", Action::RouteShow),
            ("quit", Action::Exit),
        ] {
            let found = command(line).map(|found| found.unwrap().0.action);
            assert_eq!(found, Ok(action), "{line}");
        }
        let second = "0+4: no such command, did you mean route show?";
        assert_eq!(found("show route"), Err(second.into()));
        assert_eq!(found("ip addr"), Err("3+4: expected route".into()));
        assert_eq!(found("ip"), Err("2+0: expected route".into()));
        assert!(found("route quit").unwrap_err().contains("expected add"));
    }

    #[test]
    fn errors_say_what_was_expected_where() {
        let top = "expected greet, ping, route, begin, diff, check, commit, confirm, rollback, save, load, \
            factory-reset, monitor, stats, log, version, help, terminal, exit or reboot";
        assert_eq!(found("foo bar"), Err(format!("0+3: {top}")));
        assert_eq!(
            found("route  "),
            Err("5+0: expected add, replace, change, append, del, get, show or flush".into())
        );
        assert_eq!(nothing("ping a b ", 4).unwrap_err().column, 5);
        assert_eq!(nothing("ping a b ", 4).unwrap_err().len, 3);
        let error = one_of("monitor x", 7, &ON_OFF).unwrap_err();
        assert_eq!(error.kind.to_string(), "expected on or off");
        assert_eq!(one_of("monitor of", 7, &ON_OFF), Ok(Some(1)));
        let seconds =
            |line| confirmed(line, 6).map_err(|error| (error.column, error.kind.to_string()));
        assert_eq!(seconds("commit"), Ok(None));
        assert_eq!(seconds("commit conf 86400"), Ok(Some(86_400)));
        for (line, column) in [
            ("commit confirmed", 16),
            ("commit confirmed +5", 17),
            ("commit confirmed 86401", 17),
        ] {
            assert_eq!(
                seconds(line),
                Err((column, "expected seconds, from 1 to 86400".into()))
            );
        }
        assert_eq!(seconds("commit now"), Err((7, "expected confirmed".into())));
        assert_eq!(one_of("monitor on x", 7, &ON_OFF).unwrap_err().column, 11);
    }

    #[test]
    fn every_place_offers_what_may_stand_there() {
        assert_eq!(
            offered(""),
            (
                0,
                "greet ping route begin diff check commit confirm rollback save load factory-reset \
                 monitor stats log version help terminal exit reboot"
                    .into()
            )
        );
        assert_eq!(offered("ro").0, 0);
        assert_eq!(
            offered("route "),
            (6, "add replace change append del get show flush".into())
        );
        assert_eq!(offered("rou sh dev "), (11, "lo eth0".into()));
        assert_eq!(
            offered("route add 10.0.0.0/8 "),
            (21, "via dev metric proto".into())
        );
        assert_eq!(offered("route add 10.0.0.0/8 via "), (25, "ADDRESS".into()));
        assert_eq!(
            offered("route add 10.0.0.0/8 via 192.0.2.1 d").1,
            "dev metric proto"
        );
        assert_eq!(
            offered("route show "),
            (
                11,
                "PREFIX default unicast blackhole unreachable prohibit via dev metric proto longer json"
                    .into()
            )
        );
        assert_eq!(
            offered("route show blackhole ").1,
            "PREFIX default via dev metric proto longer json"
        );
        for proto in ["proto", "pro"] {
            let left = format!("route add 10.0.0.0/8 {proto} ");
            assert!(offered(&left).1.contains("static"), "{left}");
        }
        assert_eq!(offered("monitor "), (8, "on off".into()));
        assert_eq!(offered("monitor on "), (11, "".into()));
        assert_eq!(
            offered("help route "),
            (11, "add replace change append del get show flush".into())
        );
        assert!(offered("help ").1.ends_with("reboot codes"));
        assert_eq!(offered("commit "), (7, "confirmed".into()));
        assert_eq!(offered("commit confirmed "), (17, "SECONDS".into()));
        assert_eq!(offered("load "), (5, "FILE".into()));
        assert_eq!(offered("terminal 24 "), (12, "COLUMNS".into()));
        assert_eq!(offered("ip "), (3, "route".into()));
        assert_eq!(offered("route get 10.0.0.1 "), (19, "json".into()));
        assert_eq!(offered("ping "), (5, "".into()));
        assert_eq!(offered("nonsense "), (9, "".into()));
    }

    #[test]
    fn a_question_mark_is_text_where_text_is() {
        assert!(in_text("greet how are you"));
        assert!(in_text("greet "));
        assert!(in_text("# why"));
        for question in ["", "greet", "route ", "ping "] {
            assert!(!in_text(question), "{question:?}");
        }
    }

    #[test]
    fn synopses() {
        let synopsis = |line: &str| command(line).unwrap().unwrap().0.to_string();
        assert_eq!(synopsis("ping"), "ping");
        assert_eq!(synopsis("monitor"), "monitor [on|off]");
        assert_eq!(
            synopsis("route flush"),
            "route flush [unicast|blackhole|unreachable|prohibit] [PREFIX] [longer] [all] \
             [via ADDRESS] [dev NAME] [metric NUMBER] [proto NAME|NUMBER]"
        );
    }

    proptest! {
        #[test]
        fn any_line_is_answered(line in "[a-z0-9 ./:?éß]{0,60}") {
            if let Err(error) = command(&line) {
                prop_assert!(line.is_char_boundary(error.column + error.len));
                prop_assert!(!error.kind.to_string().is_empty());
            }
            let (begun, _) = offered(&line);
            prop_assert!(line.is_char_boundary(begun));
        }

        #[test]
        fn what_is_offered_is_understood(
            choices in proptest::collection::vec(any::<proptest::sample::Index>(), 1..8),
        ) {
            let mut line = String::new();
            for choice in choices {
                let offered = offered(&line).1;
                let words: Vec<_> = offered.split(' ').filter(|word| !word.is_empty()).collect();
                if words.is_empty() {
                    break;
                }
                let word = match *choice.get(&words) {
                    "PREFIX" => "10.0.0.0/8",
                    "ADDRESS" => "192.0.2.1",
                    "NUMBER" => "7",
                    "TEXT" => "hi",
                    "SECONDS" => "60",
                    "FILE" => "/data/x",
                    "ROWS" | "COLUMNS" => "24",
                    word => word,
                };
                line.push_str(word);
                line.push(' ');
            }
            match command(&line) {
                Ok(Some((Command { arguments: Arguments::Route(syntax) | Arguments::Filter(syntax), .. }, start))) => {
                    // The last keyword may lack its value.
                    if let Err(error) = syntax.parse(&line, start) {
                        prop_assert!(matches!(error.kind, nl31_route::ParseErrorKind::NoValue(_)), "{line}: {error}");
                    }
                }
                Ok(_) => {}
                Err(error) => prop_assert!(matches!(error.kind, GrammarErrorKind::Incomplete(_)), "{line}: {:?}", error),
            }
        }
    }
}
