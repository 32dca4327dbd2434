// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--log`: sent and received messages with time stamps, to find the cause of a failure. A line begins with the time in UTC and with `>` for a request,
//! `<` for a message of the agent, `!` for bytes that are not a frame, like a message of the
//! kernel on the same line, and `-` for the session itself.

use std::fmt::{Arguments, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::SystemTime;

use nl31_route::{DeviceName, Spec};
use nl31_wire::{Items, Request, Response};

use crate::commands::route::route;

/// Most bytes between two frames that are shown.
const GARBAGE_MAX: usize = 512;

/// An open log file.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

impl Journal {
    /// Appends to a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().append(true).create(true).open(path)?;
        Ok(Self { file })
    }

    /// Writes one line.
    fn line(&self, sign: char, text: Arguments<'_>) {
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        let mut line = format!("{time} {sign} ");
        for c in text.to_string().chars() {
            // Escapes control characters, for the terminal that later shows the file.
            match c.is_control() {
                true => line.extend(c.escape_default()),
                false => line.push(c),
            }
        }
        line.push('\n');
        // One write, so that lines of two programs do not mix. A failed write, as on a full
        // disk, does not end the command.
        let _ = (&self.file).write_all(line.as_bytes());
    }

    /// Logs the state of the session.
    pub fn session(&self, text: Arguments<'_>) {
        self.line('-', text);
    }

    /// Logs a request without its PIN.
    pub fn request(&self, request: &Request<'_>) {
        match *request {
            Request::Change { items } => self.line('>', format_args!("Change{}", changes(items))),
            Request::Flush {
                filter,
                longer,
                all,
            } => {
                let filter = self::filter(filter);
                self.line(
                    '>',
                    format_args!("Flush{filter} longer: {longer} all: {all}"),
                );
            }
            Request::Dump { filter, longer } => {
                self.line(
                    '>',
                    format_args!("Dump{} longer: {longer}", self::filter(filter)),
                );
            }
            Request::PackedDump { filter, longer } => {
                self.line(
                    '>',
                    format_args!("PackedDump{} longer: {longer}", self::filter(filter)),
                );
            }
            // Decoding the items would need the models of the session.
            Request::PackedChange { count, packed } => {
                let bytes = packed.len();
                self.line(
                    '>',
                    format_args!("PackedChange {count} changes in {bytes} bytes"),
                );
            }
            Request::Lookup { prefix } => {
                self.line('>', format_args!("Lookup{}", filter(prefix)));
            }
            Request::Unlock { .. } => self.line('>', format_args!("Unlock")),
            _ => self.line('>', format_args!("{request:?}")),
        }
    }

    /// Logs an answer or an unsolicited message.
    pub fn response(&self, response: &Response<'_>) {
        match *response {
            Response::Output { text, last } => {
                for line in text.split_inclusive(|&byte| byte == b'\n') {
                    let line = line.strip_suffix(b"\n").unwrap_or(line);
                    let line = String::from_utf8_lossy(line);
                    self.line('<', format_args!("Output {line}"));
                }
                if text.is_empty() {
                    self.line('<', format_args!("Output, last: {last}"));
                }
            }
            Response::Routes {
                items,
                last,
                interrupted,
            } => {
                let routes = changes(items);
                self.line(
                    '<',
                    format_args!("Routes{routes} last: {last} interrupted: {interrupted}"),
                );
            }
            Response::PackedRoutes {
                count,
                packed,
                last,
                interrupted,
            } => {
                let bytes = packed.len();
                self.line(
                    '<',
                    format_args!(
                        "PackedRoutes {count} routes in {bytes} bytes last: {last} \
                         interrupted: {interrupted}"
                    ),
                );
            }
            Response::Event { generation, item } => {
                self.line('<', format_args!("Event {generation}{}", changes(item)));
            }
            _ => self.line('<', format_args!("{response:?}")),
        }
    }

    /// Logs bytes that are not a frame.
    fn garbage(&self, bytes: &[u8]) {
        for line in bytes.split(|&byte| byte == b'\n') {
            let line = line.trim_ascii();
            if !line.is_empty() {
                self.line('!', format_args!("{}", String::from_utf8_lossy(line)));
            }
        }
    }
}

/// The items as operations with routes.
fn changes(items: Items<'_>) -> String {
    let mut text = String::new();
    for item in items.iter() {
        // Writing to a string does not fail.
        let _ = match item {
            Ok(item) => {
                let op = item.op;
                write!(text, " {op:?} {};", route(item))
            }
            Err(error) => write!(text, " {error};"),
        };
    }
    text
}

/// A filter as words.
fn filter(items: Items<'_>) -> String {
    let Ok(spec) = items.filter() else {
        return " unreadable".into();
    };
    let Spec::<DeviceName> {
        kind,
        prefix,
        gateway,
        device,
        metric,
        protocol,
    } = spec;
    let mut text = String::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text = format!("{text}{name} {value}");
        }
    };
    add("", kind.map(|kind| kind.word().into()));
    add("", prefix.map(|prefix| prefix.to_string()));
    add(" via", gateway.map(|gateway| gateway.to_string()));
    add(" dev", device.map(|device| device.to_string()));
    add(" metric", metric.map(|metric| metric.to_string()));
    add(" proto", protocol.map(|protocol| protocol.to_string()));
    text
}

/// The bytes since the last frame.
#[derive(Debug, Default)]
pub struct Garbage(Vec<u8>);

impl Garbage {
    /// Keeps a byte, unless there are many already.
    pub fn push(&mut self, byte: u8) {
        if self.0.len() < GARBAGE_MAX && byte != 0 {
            self.0.push(byte);
        }
    }

    /// The bytes were a frame.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// The bytes were not a frame.
    pub fn tell(&mut self, journal: &Journal) {
        journal.garbage(&self.0);
        self.0.clear();
    }
}
