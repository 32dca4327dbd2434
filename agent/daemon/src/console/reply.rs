// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replies: data lines, carets below the command, one status line.

use std::fmt::{self, Write as _};

use nl31_netlink::{Client, Error, ErrorKind, Transport};
use nl31_route::PassedOver;

use super::editor::Editor;
use super::editor::display_width::columns;
use super::session::{Console, Running};
use crate::candidate::edit::Fault;
use crate::grammar::GrammarError;
pub(crate) use crate::grammar::codes::Reason;
use crate::grammar::codes::{self, Code};
use crate::platform::output::Output;

impl<T: Transport> Console<T> {
    /// Asks the kernel, if it is connected.
    pub(super) fn ask<R>(
        &mut self,
        ask: impl FnOnce(&mut Client<T>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        match &mut self.client {
            Some(client) => ask(client),
            None => Err(Error {
                op: nl31_netlink::Op::Open,
                seq: 0,
                kind: ErrorKind::Absent,
            }),
        }
    }

    /// Prints why a line is not an edit, with a caret.
    pub(super) fn faulty(&mut self, line: &str, fault: &Fault) {
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

    /// Prints that the kernel is not connected.
    pub(super) fn absent(&mut self) {
        self.status(codes::ABSENT, format_args!("{}", ErrorKind::Absent));
    }

    pub(super) fn misspelled(&mut self, line: &str, error: &GrammarError) {
        self.caret(line, error.column, error.len);
        self.status(
            codes::SYNTAX,
            format_args!("column {}: {}", error.column + 1, error.kind),
        );
    }

    /// Draws carets under a part of the line. The line is printed again if the terminal does
    /// not show it as typed.
    pub(super) fn caret(&mut self, line: &str, column: usize, len: usize) {
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

    pub(super) fn failed(&mut self, error: &Error, text: fmt::Arguments<'_>) {
        log::debug!("{error}");
        self.status(Code::of(error), text);
    }

    /// Ends a command's reply.
    pub(super) fn status(&mut self, code: Code, text: fmt::Arguments<'_>) {
        if code.severity == codes::Severity::Error {
            self.failures += 1;
        } else {
            self.intake.succeeded();
        }
        self.data(format_args!("{code} {text}"));
        self.ready();
    }

    /// Ends the reply of a successful command, with the words that were ignored.
    pub(super) fn done(&mut self, passed_over: PassedOver, text: fmt::Arguments<'_>) {
        match passed_over.is_empty() {
            true => self.status(codes::DONE, text),
            false => self.status(
                codes::PASSED_OVER,
                format_args!("{text}; ignored: {passed_over}"),
            ),
        }
    }

    /// Prepares for the next command.
    pub(super) fn ready(&mut self) {
        self.running = Running::Nothing;
        self.stop = false;
        if self.interactive() && !self.ended {
            self.prompt();
        }
    }

    /// Draws the prompt on an empty row.
    pub(super) fn prompt(&mut self) {
        match self.is_locked() {
            true => self.ask_for_pin(),
            false => {
                self.renew_prompt();
                self.draw(Editor::prompt)
            }
        }
    }

    /// Lets the editor draw, unless the line is hidden now.
    pub(super) fn draw<R>(&mut self, draw: impl FnOnce(&mut Editor, &mut Output) -> R) -> R {
        self.out.mute(self.hurried);
        let result = draw(&mut self.editor, &mut self.out);
        self.out.mute(false);
        result
    }

    /// A line of a reply.
    pub(super) fn data(&mut self, line: fmt::Arguments<'_>) {
        let before = self.out.pending().len();
        let _ = write!(self.out, "{line}");
        self.out.end_line();
        let columns = (self.out.pending().len() - before).saturating_sub(2);
        self.printed += 1 + columns.saturating_sub(1) / self.editor.width();
    }

    /// A part of a line.
    pub(super) fn part(&mut self, text: fmt::Arguments<'_>) {
        let _ = write!(self.out, "{text}");
    }
}

/// `1 route`, `2 routes`.
pub(super) struct Counted(pub(super) u64, pub(super) &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, what) = self;
        write!(f, "{count} {what}{}", if *count == 1 { "" } else { "s" })
    }
}

/// ` and 2 settings`; nothing for 0.
pub(super) struct And(pub(super) u64);

impl fmt::Display for And {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " and {}", Counted(count, "setting")),
        }
    }
}

pub(super) fn count_routes(count: u64) -> Counted {
    Counted(count, "route")
}
