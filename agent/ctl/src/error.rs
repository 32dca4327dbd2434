// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can go wrong, and the exit status for it.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Exit statuses, as the manual lists them. 2 is clap's, for arguments that are wrong.
pub const STATUSES: &str = "\
0  done
1  the agent or the kernel refused the request
2  the arguments are wrong
3  there is no such route or device
4  the route is there already
5  no agent answers, or the line cannot be used
6  a file cannot be read, written or understood
7  the link was lost while a change was under way: look whether it was made
8  others kept changing the table: try again";

/// The agent's code for a line that waits for its PIN.
pub const LOCKED: u16 = 401;

/// A command that failed.
#[derive(Debug)]
pub enum Error {
    /// The agent answered that it failed.
    Refused(Refused),
    /// The arguments are wrong.
    Usage(String),
    /// The line or socket cannot be used.
    Port(String, io::Error),
    /// No port was named, and which one it is cannot be told.
    NoPort(String),
    /// Nothing answers.
    NoAnswer,
    /// The agent was restarted, or somebody else has taken the line.
    SessionLost,
    /// The table was changed by somebody else each time it was tried.
    Changing,
    /// A line of the console failed with this code; the console has said why.
    Said(u16),
    /// The link failed while a change was under way.
    Unknown(Box<Error>),
    /// The agent speaks another version.
    Version(u8),
    /// The agent's answer is none to the request.
    Unexpected,
    /// This signal wants the program to end.
    Interrupted(i32),
    /// Nobody reads the output any more.
    Closed,
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// The agent refused a line of a file: file, line from 1, code, what.
    RefusedLine(PathBuf, usize, u16, String),
    /// A line of a file is wrong: file, line and column from 1, what.
    Line(PathBuf, usize, usize, String),
}

/// What it means that standard output cannot be written: mostly that nobody reads it.
pub fn output(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Error::Closed,
        _ => Error::File("standard output".into(), error),
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

impl Error {
    /// The exit status, see [`STATUSES`].
    pub fn status(&self) -> u8 {
        match self {
            Self::Refused(Refused { code, .. })
            | Self::RefusedLine(_, _, code, _)
            | Self::Said(code) => match code {
                404 | 406 => 3,
                409 => 4,
                _ => 1,
            },
            Self::Version(_) | Self::Unexpected => 1,
            Self::Usage(_) => 2,
            Self::Port(..) | Self::NoPort(_) | Self::NoAnswer | Self::SessionLost => 5,
            Self::File(..) | Self::Line(..) => 6,
            Self::Unknown(_) => 7,
            Self::Changing => 8,
            Self::Closed => 0,
            // As a shell tells it, see `interrupt::end`.
            Self::Interrupted(signal) => 128 + *signal as u8,
        }
    }

    /// Whether the agent knows of no session any more.
    pub fn is_session_lost(&self) -> bool {
        match self {
            Self::SessionLost => true,
            Self::Unknown(error) => error.is_session_lost(),
            _ => false,
        }
    }

    /// The code that the agent gave, if it did.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(Refused { code, .. })
            | Self::RefusedLine(_, _, code, _)
            | Self::Said(code) => Some(*code),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) if refused.code == LOCKED => {
                let Refused { code, text, .. } = refused;
                write!(f, "E{code} {text} (--pin-file, or NL31_PIN)")
            }
            Self::Refused(refused) => write!(f, "E{} {}", refused.code, refused.text),
            Self::Usage(text) | Self::NoPort(text) => f.write_str(text),
            Self::Port(port, error) => write!(f, "{port}: {error}"),
            Self::NoAnswer => f.write_str(
                "the agent does not answer: does it run, is this its line, and is its rate right \
                 (--baud)?",
            ),
            Self::SessionLost => f.write_str(
                "the session is over: the agent was restarted, or another program has the line",
            ),
            Self::Changing => f.write_str("others kept changing the table meanwhile"),
            Self::Said(code) => write!(f, "the console has answered E{code}"),
            Self::Unknown(error) => {
                write!(f, "{error}; whether the last change was made is not known")
            }
            Self::Version(version) => {
                write!(
                    f,
                    "the agent speaks version {version} of the protocol, this is another"
                )
            }
            Self::Interrupted(_) => f.write_str("interrupted"),
            Self::Closed => f.write_str("nobody reads the output"),
            Self::Unexpected => f.write_str("the agent's answer cannot be understood"),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::RefusedLine(path, line, _, text) => {
                write!(f, "{}:{line}: {text}", path.display())
            }
            Self::Line(path, line, column, text) => {
                write!(f, "{}:{line}:{column}: {text}", path.display())
            }
        }
    }
}

impl std::error::Error for Error {}
