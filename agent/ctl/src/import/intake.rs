// SPDX-License-Identifier: MIT OR Apache-2.0
//! Takes what the readers find: routes, and what they do not understand.

use std::fmt::{self, Display};
use std::io;
use std::path::Path as FilePath;

use nl31_route::{DeviceName, PassedOver, Path, Prefix, Route, is_host};

use crate::error::Error;
use crate::interrupt;
use crate::output::counted;

/// What is not understood is listed up to this number; the rest is counted.
pub const LISTED_MAX: u64 = 20;

/// The kernel's limit of `nl31_table`, at first.
const ROUTES_MAX: u64 = 4 << 20;

/// The kernel's limit of a prefix.
const PATHS_MAX: usize = 64;

/// Called with each route.
pub type Take<'a> = dyn FnMut(&Route<DeviceName>) -> Result<(), Error> + 'a;

/// Where in the source a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line and a column, both from 1.
    Line(u64, usize),
    /// A byte from 0 of the data, decompressed.
    Byte(u64),
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line, column) => write!(f, "{line}:{column}"),
            Self::Byte(byte) => write!(f, "byte {byte}"),
        }
    }
}

/// What was found in a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Routes that were taken.
    pub routes: u64,
    /// Lines or records that were not understood.
    pub skipped: u64,
    /// What was left out on purpose, by the text that says what it is; each with its number.
    pub left_out: Vec<(&'static str, u64)>,
    /// Words that mean nothing here.
    pub ignored: Vec<&'static str>,
    /// Such words of iproute2's lists.
    pub passed_over: PassedOver,
}

/// Takes what a reader finds.
pub struct Intake<'a> {
    path: &'a FilePath,
    take: &'a mut Take<'a>,
    tell: &'a mut dyn FnMut(&str),
    counts: Counts,
    /// The paths of the last prefix, to find a route that is there twice.
    last: Option<(Prefix, Vec<Path<DeviceName>>)>,
}

impl<'a> Intake<'a> {
    /// Nothing is found yet.
    pub fn new(path: &'a FilePath, take: &'a mut Take<'_>, tell: &'a mut dyn FnMut(&str)) -> Self {
        Self {
            path,
            take,
            tell,
            counts: Counts::default(),
            last: None,
        }
    }

    /// Takes a route, unless the table cannot have it.
    pub fn route(&mut self, place: Place, route: &Route<DeviceName>) -> Result<(), Error> {
        interrupt::check()?;
        if let Some(wrong) = wrong_gateway(&route.path) {
            return self.skip(place, &wrong);
        }
        let paths = match &mut self.last {
            Some((prefix, paths)) if *prefix == route.prefix => paths,
            last => {
                let mut paths = last.take().map_or_else(Vec::new, |(_, paths)| paths);
                paths.clear();
                &mut last.insert((route.prefix, paths)).1
            }
        };
        if paths.contains(&route.path) {
            return self.skip(place, &"the same route is there twice");
        }
        if paths.len() == PATHS_MAX {
            let text = format!("a prefix has at most {PATHS_MAX} paths");
            return self.skip(place, &text);
        }
        if self.counts.routes == ROUTES_MAX {
            let text = format!("more than {ROUTES_MAX} routes, the most that a table has");
            return Err(self.error(place, &text));
        }
        paths.push(route.path.clone());
        self.counts.routes += 1;
        (self.take)(route)
    }

    /// Tells that something is not understood, and goes on.
    pub fn skip(&mut self, place: Place, reason: &dyn Display) -> Result<(), Error> {
        interrupt::check()?;
        self.counts.skipped += 1;
        if self.counts.skipped <= LISTED_MAX {
            let text = self.error(place, reason).to_string();
            (self.tell)(&text);
        }
        Ok(())
    }

    /// Counts something that is understood and not wanted.
    pub fn leave_out(&mut self, what: &'static str) {
        let counts = &mut self.counts.left_out;
        match counts.iter_mut().find(|(text, _)| *text == what) {
            Some((_, count)) => *count += 1,
            None => counts.push((what, 1)),
        }
    }

    /// Notes a word that is ignored.
    pub fn ignore(&mut self, word: &'static str) {
        if !self.counts.ignored.contains(&word) {
            self.counts.ignored.push(word);
        }
    }

    /// Notes words of iproute2's lists that are ignored.
    pub fn pass_over(&mut self, words: PassedOver) {
        self.counts.passed_over = self.counts.passed_over.and(words);
    }

    /// The error of something that makes the whole source useless.
    pub fn error(&self, place: Place, reason: &dyn Display) -> Error {
        let path = self.path.into();
        match place {
            Place::Line(line, column) => {
                let line = usize::try_from(line).unwrap_or(usize::MAX);
                Error::Line(path, line, column, reason.to_string())
            }
            Place::Byte(byte) => Error::Offset(path, byte, reason.to_string()),
        }
    }

    /// The error of a source that cannot be read any further; `read` bytes of it were.
    pub fn unreadable(&self, read: u64, error: io::Error) -> Error {
        unreadable(self.path, read, error)
    }

    /// Tells how many were not listed; gives the counts.
    pub fn finish(self) -> Counts {
        if self.counts.skipped > LISTED_MAX {
            let more = counted(
                self.counts.skipped - LISTED_MAX,
                "further place",
                "further places",
            );
            let text = format!("{}: not understood in {more}", self.path.display());
            (self.tell)(&text);
        }
        self.counts
    }
}

/// The error of a source that cannot be read any further.
pub fn unreadable(path: &FilePath, read: u64, error: io::Error) -> Error {
    // A signal ends the wait for data with an error of its own.
    if let Err(interrupted) = interrupt::check() {
        return interrupted;
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            Error::Offset(path.into(), read, error.to_string())
        }
        _ => Error::File(path.into(), error),
    }
}

/// Why the kernel refuses a gateway.
fn wrong_gateway(path: &Path<DeviceName>) -> Option<String> {
    let gateway = path.gateway.filter(|&gateway| !is_host(gateway))?;
    Some(format!(
        "the gateway {gateway} is not the address of a host"
    ))
}
