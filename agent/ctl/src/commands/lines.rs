// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines that a person types into the shell, or that come from a pipe.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use nix::libc::SIGINT;
use nix::sys::termios::{FlushArg, SetArg, Termios, tcflush, tcgetattr, tcsetattr};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::file::{Interruptible, stdin};
use crate::error::Error;
use crate::interrupt::{self, NOTICE};

/// A line of input, or the event that ended the wait for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A line, without its end.
    Line(String),
    /// Bytes that are not UTF-8 text.
    NotText,
}

/// Lines from standard input. A signal ends the wait for one, and so does a reader of
/// standard output that has gone.
pub enum Lines {
    /// From a person.
    Terminal(Terminal),
    /// From a program, or a file.
    Pipe(BufReader<Interruptible<File>>),
}

impl Lines {
    /// From what standard input is.
    pub fn new() -> Result<Self, Error> {
        let input = stdin().map_err(unreadable)?;
        match tcgetattr(&input) {
            Ok(settings) => Terminal::new(input, settings).map(Self::Terminal),
            Err(_) => Ok(Self::Pipe(BufReader::new(Interruptible(input)))),
        }
    }

    /// Whether a person types them.
    pub fn is_person(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// Discards what a person has typed ahead: it was meant for a session that is lost.
    pub fn discard_typed(&self) {
        if let Self::Terminal(terminal) = self {
            // Fails only if the terminal has gone.
            let _ = tcflush(&terminal.input, FlushArg::TCIFLUSH);
        }
    }

    /// The next line; `None` at the end.
    pub fn read(&mut self) -> Result<Option<Typed>, Error> {
        let reader = match self {
            Self::Terminal(terminal) => return terminal.read(),
            Self::Pipe(reader) => reader,
        };
        let read = piped(reader);
        interrupt::check()?;
        read.map_err(unreadable)
    }
}

/// Most bytes of a line that are read; the console refuses far shorter lines as too long.
const PIPED_MAX: u64 = 64 * 1024;

/// The next line of a pipe, or the first part of one that is too long.
fn piped(reader: &mut impl BufRead) -> io::Result<Option<Typed>> {
    let mut text = Vec::new();
    let len = reader.take(PIPED_MAX).read_until(b'\n', &mut text)?;
    if len as u64 == PIPED_MAX && !text.ends_with(b"\n") {
        // The rest of a long line is not a further line.
        reader.skip_until(b'\n')?;
    }
    let typed = match String::from_utf8(text) {
        Ok(mut text) => {
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
            Typed::Line(text)
        }
        Err(_) => Typed::NotText,
    };
    Ok((len > 0).then_some(typed))
}

fn unreadable(error: io::Error) -> Error {
    Error::File("standard input".into(), error)
}

/// A line editor, in a separate thread: no signal ends its wait for a key.
pub struct Terminal {
    input: File,
    /// The terminal's settings before the editor reads.
    settings: Termios,
    wanted: Sender<()>,
    edited: Receiver<Result<String, ReadlineError>>,
}

impl Terminal {
    fn new(input: File, settings: Termios) -> Result<Self, Error> {
        let mut editor = DefaultEditor::new().map_err(failed)?;
        // The editor has replaced the handler for Ctrl-C.
        interrupt::catch();
        let (wanted, wants) = channel();
        let (edits, edited) = channel();
        std::thread::spawn(
            move || {
                while wants.recv().is_ok() && edits.send(edit(&mut editor)).is_ok() {}
            },
        );
        Ok(Self {
            input,
            settings,
            wanted,
            edited,
        })
    }

    fn read(&mut self) -> Result<Option<Typed>, Error> {
        self.go_on()?;
        // Fails only if the thread has ended, which is seen below.
        let _ = self.wanted.send(());
        loop {
            match self.edited.recv_timeout(NOTICE) {
                Err(RecvTimeoutError::Timeout) => self.go_on()?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(unreadable(io::Error::other("the line editor has ended")));
                }
                Ok(edited) => {
                    // Ctrl-C after a line is meant for its command.
                    return match (interrupt::check(), edited) {
                        (Err(Error::Interrupted(signal)), _) if signal != SIGINT => {
                            Err(Error::Interrupted(signal))
                        }
                        (_, Ok(text)) => Ok(Some(Typed::Line(text))),
                        (_, Err(ReadlineError::Eof)) => Ok(None),
                        (_, Err(ReadlineError::Io(error)))
                            if error.kind() == io::ErrorKind::InvalidData =>
                        {
                            Ok(Some(Typed::NotText))
                        }
                        (_, Err(error)) => Err(failed(error)),
                    };
                }
            }
        }
    }

    /// Fails if a signal other than Ctrl-C was caught, or the terminal has gone. Ctrl-C drops a
    /// line: the editor takes it as a key, and a terminal without an editor sends it here.
    fn go_on(&self) -> Result<(), Error> {
        match interrupt::check() {
            Err(Error::Interrupted(SIGINT)) => interrupt::forget_ctrl_c(),
            Err(error) => {
                self.restore();
                return Err(error);
            }
            Ok(()) => {}
        }
        Ok(())
    }

    /// Restores the settings of the terminal while the editor still reads.
    fn restore(&self) {
        let theirs = tcgetattr(&self.input).is_ok_and(|now| now != self.settings);
        if theirs {
            // Both fail only if the terminal has gone.
            let _ = tcsetattr(&self.input, SetArg::TCSANOW, &self.settings);
            // The editor has switched bracketed paste on.
            let _ = io::stdout().write_all(b"\x1b[?2004l\n");
        }
    }
}

fn failed(error: ReadlineError) -> Error {
    unreadable(match error {
        ReadlineError::Io(error) => error,
        error => io::Error::other(error),
    })
}

/// Reads a line that is not dropped with Ctrl-C.
fn edit(editor: &mut DefaultEditor) -> Result<String, ReadlineError> {
    loop {
        match editor.readline("nl31> ") {
            Err(ReadlineError::Interrupted) => {}
            Ok(text) => {
                if !text.trim().is_empty() {
                    // Fails only without a history.
                    let _ = editor.add_history_entry(&text);
                }
                return Ok(text);
            }
            error => return error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piped_bytes_that_are_not_text_cost_their_line() {
        let mut reader = &b"ping\ncaf\xe9\nstats\n"[..];
        let typed: Vec<_> = std::iter::from_fn(|| piped(&mut reader).unwrap()).collect();
        let line = |text: &str| Typed::Line(text.into());
        assert_eq!(typed, [line("ping"), Typed::NotText, line("stats")]);
    }

    #[test]
    fn a_line_of_a_pipe_is_whole_or_too_long() {
        let long = "x".repeat(PIPED_MAX as usize);
        let text = format!("ping\r\n\n{long}route flush all\n{long}\nlast");
        let mut reader = BufReader::with_capacity(7, text.as_bytes());
        let mut next = || piped(&mut reader).unwrap();
        for expected in ["ping", "", &long, &long, "last"] {
            assert_eq!(next(), Some(Typed::Line(expected.into())));
        }
        assert_eq!(next(), None);
    }
}
