// SPDX-License-Identifier: MIT OR Apache-2.0
//! Output of a command: results to standard output as text or JSON, warnings and
//! progress to standard error.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use nl31_route::PassedOver;
use serde_json::{Value, json};

use crate::error::{Error, output};

/// Standard output and its format.
pub struct Output<'a> {
    out: &'a mut dyn Write,
    json: bool,
    quiet: bool,
    /// The command has printed output: repeating it would print the output twice.
    begun: bool,
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun = true;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<'a> Output<'a> {
    /// Output that has printed nothing.
    pub fn new(out: &'a mut dyn Write, json: bool, quiet: bool) -> Self {
        Self {
            out,
            json,
            quiet,
            begun: false,
        }
    }

    /// Whether JSON is wanted.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether something was printed.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Prints a line.
    pub fn line(&mut self, text: fmt::Arguments<'_>) -> Result<(), Error> {
        writeln!(self, "{text}").map_err(output)
    }

    /// Sends what was printed on its way, for a command that goes on.
    pub fn flush_now(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(output)
    }

    /// Prints one form of a result: JSON, or text.
    pub fn either(
        &mut self,
        value: impl FnOnce() -> Value,
        text: &dyn Display,
    ) -> Result<(), Error> {
        match self.json {
            true => self.line(format_args!("{}", value())),
            false => self.line(format_args!("{text}")),
        }
    }

    /// Confirms to a person that something is done.
    pub fn say(&mut self, text: fmt::Arguments<'_>) -> Result<(), Error> {
        match self.quiet || self.json {
            true => Ok(()),
            false => self.line(text),
        }
    }

    /// Tells how many routes were loaded or saved.
    pub fn count(&mut self, done: &str, count: u64, place: &dyn Display) -> Result<(), Error> {
        if self.json {
            return self.line(format_args!("{}", json!({ done: count })));
        }
        let routes = counted(count, "route", "routes");
        self.say(format_args!("{done} {routes} {place}"))
    }

    /// Prints a note that is not an error.
    pub fn warn(&self, text: &str) {
        let mut errors = io::stderr();
        // A warning that cannot be printed is not a reason to fail.
        let _ = match self.json {
            true => writeln!(errors, "{}", json!({ "warning": text })),
            false => writeln!(errors, "nl31ctl: {text}"),
        };
    }

    /// Prints which words of iproute2's lists were ignored.
    pub fn passed_over(&self, words: PassedOver) {
        if !words.is_empty() {
            self.warn(&format!("ignored words: {words}"));
        }
    }

    /// A progress bar of routes, hidden unless a person watches.
    pub fn bar(&self, name: &'static str) -> ProgressBar {
        if self.quiet || self.json || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = "{msg} {wide_bar} {pos}/{len} routes, {per_sec}, {eta}";
        let style = ProgressStyle::with_template(style).expect("the template is valid");
        ProgressBar::new(0).with_style(style).with_message(name)
    }
}

/// `1 route`, `2 routes`.
pub fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}
