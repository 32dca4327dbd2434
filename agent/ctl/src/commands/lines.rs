// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lines that are typed into the shell, or that come from a pipe.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use nix::libc::SIGINT;
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::file::{Interruptible, stdin};
use crate::error::Error;
use crate::interrupt::{self, NOTICE};

/// Lines from standard input. A signal ends the wait for one.
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

    /// Whether a person is there.
    pub fn is_person(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// The next one, without its end; or none, if there are no more.
    pub fn read(&mut self) -> Result<Option<String>, Error> {
        let reader = match self {
            Self::Terminal(terminal) => return terminal.read(),
            Self::Pipe(reader) => reader,
        };
        let read = piped(reader);
        interrupt::check()?;
        read.map_err(unreadable)
    }
}

/// Bytes of a line that are looked at; the console takes far fewer, and says so.
const PIPED_MAX: u64 = 64 * 1024;

/// The next line of a pipe, or the first part of one that is too long.
fn piped(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut text = Vec::new();
    let len = reader.take(PIPED_MAX).read_until(b'\n', &mut text)?;
    if len as u64 == PIPED_MAX && !text.ends_with(b"\n") {
        // The rest is no line.
        reader.skip_until(b'\n')?;
    }
    let mut text = String::from_utf8(text).map_err(io::Error::other)?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok((len > 0).then_some(text))
}

fn unreadable(error: io::Error) -> Error {
    Error::File("standard input".into(), error)
}

/// An editor. It has a thread of its own, as it goes on with its line whatever signal comes.
pub struct Terminal {
    input: File,
    /// As it is where the editor does not read.
    settings: Termios,
    wanted: Sender<()>,
    edited: Receiver<Result<String, ReadlineError>>,
}

impl Terminal {
    fn new(input: File, settings: Termios) -> Result<Self, Error> {
        let mut editor = DefaultEditor::new().map_err(failed)?;
        // The editor catches Ctrl-C for itself.
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

    fn read(&mut self) -> Result<Option<String>, Error> {
        self.go_on()?;
        // Fails only if the thread has died, which is seen below.
        let _ = self.wanted.send(());
        loop {
            match self.edited.recv_timeout(NOTICE) {
                Err(RecvTimeoutError::Timeout) => self.go_on()?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(unreadable(io::Error::other("the editor has died")));
                }
                Ok(edited) => {
                    // Ctrl-C behind a line is for what it does.
                    return match (interrupt::check(), edited) {
                        (Err(Error::Interrupted(signal)), _) if signal != SIGINT => {
                            Err(Error::Interrupted(signal))
                        }
                        (_, Ok(text)) => Ok(Some(text)),
                        (_, Err(ReadlineError::Eof)) => Ok(None),
                        (_, Err(error)) => Err(failed(error)),
                    };
                }
            }
        }
    }

    /// Fails if a signal was caught other than Ctrl-C, which gives a line up and ends nothing:
    /// where there is an editor it is a key, and on a terminal that cannot have one it comes here.
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

    /// Takes the terminal out of the hands of the editor, which still reads.
    fn restore(&self) {
        let theirs = tcgetattr(&self.input).is_ok_and(|now| now != self.settings);
        if theirs {
            // They fail only on a terminal that is gone.
            let _ = tcsetattr(&self.input, SetArg::TCSANOW, &self.settings);
            // It had what is pasted put into brackets.
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

/// A line that was not given up with Ctrl-C.
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
    fn a_line_of_a_pipe_is_whole_or_too_long() {
        let long = "x".repeat(PIPED_MAX as usize);
        let text = format!("ping\r\n\n{long}route flush all\n{long}\nlast");
        let mut reader = BufReader::with_capacity(7, text.as_bytes());
        let mut next = || piped(&mut reader).unwrap();
        for expected in ["ping", "", &long, &long, "last"] {
            assert_eq!(next().as_deref(), Some(expected));
        }
        assert_eq!(next(), None);
    }
}
