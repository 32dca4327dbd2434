// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors and their exit statuses.

use std::fmt;
use std::io;
use std::path::PathBuf;

use nl31_wire::limits::VERSION;

/// Exit statuses, as the manual lists them. 2 is clap's, for arguments that are wrong.
pub const STATUSES: &str = "\
0  done
1  the agent or the kernel refused the request, or --strict a file
2  the arguments are wrong
3  there is no such route or device
4  the route exists already
5  no agent answers, or the line cannot be used
6  a file cannot be read, written or understood
7  the link was lost while a change was under way: check whether it was made
8  the table kept changing: try again";

/// The variable with the PIN where `--pin-file` does not name a file. The PIN is not an
/// argument: every user of this machine can read those.
pub const PIN: &str = "NL31_PIN";

/// The agent's code for a line that waits for its PIN.
pub const LOCKED: u16 = 401;

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The agent answered that it failed.
    #[error("{0}")]
    Refused(Refused),
    /// The arguments are wrong.
    #[error("{0}")]
    Usage(String),
    /// The line or socket of this name cannot be used.
    #[error("{0}: {1}")]
    Port(String, #[source] io::Error),
    /// No port was named, or several have an agent.
    #[error("{0}")]
    NoPort(String),
    /// Nothing answers.
    #[error(
        "the agent does not answer: does it run, is it on this line, and is the bit rate right \
         (--baud)?"
    )]
    NoAnswer,
    /// The agent was restarted, or another client has taken the line.
    #[error("the session ended: the agent was restarted, or another user has taken the line")]
    SessionLost,
    /// Other clients changed the table during each attempt.
    #[error("the table kept changing: try again")]
    Changing,
    /// A command of the console ended with this status.
    #[error("{0}")]
    Console(Status),
    /// A line of the console failed with this code; the console has printed why.
    #[error("the console answered E{0}")]
    Said(u16),
    /// The link failed while a change was in flight.
    #[error("{0}; whether the last change was made is not known")]
    Unknown(#[source] Box<Error>),
    /// The agent speaks another version.
    #[error("the agent speaks version {0} of the protocol; this nl31ctl speaks {VERSION}")]
    Version(u8),
    /// The agent's answer does not belong to the request.
    #[error("the agent's answer cannot be understood")]
    Unexpected,
    /// This signal ends the program.
    #[error("interrupted")]
    Interrupted(i32),
    /// The reader of standard output has closed it.
    #[error("the reader of the output has closed it")]
    Closed,
    /// A file cannot be read or written.
    #[error("{path}: {1}", path = .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The agent refused a line of a file: file, line from 1, code, reason.
    #[error("{path}:{1}: {3}", path = .0.display())]
    RefusedLine(PathBuf, usize, u16, String),
    /// A file cannot be read any further: file, offset of a byte, decompressed, reason.
    #[error("{path}: byte {1}: {2}", path = .0.display())]
    Offset(PathBuf, u64, String),
    /// So many places of a file are not understood, which `--strict` refuses.
    #[error("{path}: {1} not understood; --strict takes nothing of such a file", path = .0.display())]
    NotUnderstood(PathBuf, String),
    /// A line of a file is wrong: file, line and column from 1, reason.
    #[error("{path}:{1}:{2}: {3}", path = .0.display())]
    Line(PathBuf, usize, usize, String),
}

/// The error of a failed write to standard output: its reader has usually exited.
pub fn output(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Error::Closed,
        _ => Error::File("standard output".into(), error),
    }
}

/// The status line of a command of the console: `E404 no such route`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `I`, `W` or `E`.
    pub severity: char,
    /// One of the console's codes.
    pub code: u16,
    /// For a person.
    pub text: String,
}

impl Status {
    /// Reads a line; `None` if it is not a status line.
    pub fn parse(line: &str) -> Option<Self> {
        let (code, text) = line.split_once(' ')?;
        let severity = code
            .chars()
            .next()
            .filter(|c| matches!(c, 'I' | 'W' | 'E'))?;
        let digits = &code[1..];
        let is_code = digits.len() == 3 && digits.bytes().all(|digit| digit.is_ascii_digit());
        Some(Self {
            severity,
            code: digits.parse().ok().filter(|_| is_code)?,
            text: text.into(),
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            severity,
            code,
            text,
        } = self;
        write!(f, "{severity}{code} {text}")
    }
}

/// The agent's error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// One of the console's codes, or of `nl31_wire::code`.
    pub code: u16,
    /// Which change of the frame, from 0.
    pub index: Option<u16>,
    /// For a person.
    pub text: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, text, .. } = self;
        match *code {
            LOCKED => write!(f, "E{code} {text} (--pin-file, or {PIN})"),
            // Done, with a warning.
            200..300 => write!(f, "W{code} {text}"),
            _ => write!(f, "E{code} {text}"),
        }
    }
}

impl Error {
    /// The exit status, see [`STATUSES`].
    pub fn status(&self) -> u8 {
        match self {
            Self::Refused(Refused { code, .. })
            | Self::RefusedLine(_, _, code, _)
            | Self::Console(Status { code, .. })
            | Self::Said(code) => match code {
                404 | 406 => 3,
                409 => 4,
                _ => 1,
            },
            Self::Version(_) | Self::Unexpected | Self::NotUnderstood(..) => 1,
            Self::Usage(_) => 2,
            Self::Port(..) | Self::NoPort(_) | Self::NoAnswer | Self::SessionLost => 5,
            Self::File(..) | Self::Line(..) | Self::Offset(..) => 6,
            Self::Unknown(_) => 7,
            Self::Changing => 8,
            Self::Closed => 0,
            // As shells count it, see `interrupt::end`.
            Self::Interrupted(signal) => 128 + *signal as u8,
        }
    }

    /// Whether the agent has ended the session.
    pub fn is_session_lost(&self) -> bool {
        match self {
            Self::SessionLost => true,
            Self::Unknown(error) => error.is_session_lost(),
            _ => false,
        }
    }

    /// The error, whether a change was in flight or not.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Unknown(error) => error,
            error => error,
        }
    }

    /// Whether the link failed and no change was in flight: the command may be carried out
    /// anew in another session.
    pub fn is_link_lost(&self) -> bool {
        matches!(self, Self::Port(..) | Self::NoAnswer | Self::SessionLost)
    }

    /// The code that the agent gave, if it gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(Refused { code, .. })
            | Self::RefusedLine(_, _, code, _)
            | Self::Console(Status { code, .. })
            | Self::Said(code) => Some(*code),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_has_a_severity_and_three_digits() {
        let status = Status::parse("W204 nothing to do").unwrap();
        assert_eq!((status.severity, status.code), ('W', 204));
        assert_eq!(status.to_string(), "W204 nothing to do");
        for line in ["", "E40 x", "E4O4 x", "X404 x", "E404", "éE404 x", "E+04 x"] {
            assert_eq!(Status::parse(line), None, "{line}");
        }
    }
}
