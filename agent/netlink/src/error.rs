// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can go wrong with a request.

use std::fmt;
use std::io;

use crate::{KernelError, Malformed};

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Op {
    Open,
    Ping,
    Greet,
    Add,
    Replace,
    Change,
    Append,
    Delete,
    Lookup,
    Dump,
    Table,
    Load,
}

/// A request that failed: what was asked, under which number, and why.
#[derive(Debug)]
pub struct Error {
    /// What was asked.
    pub op: Op,
    /// Sequence number of the request; 0 before there was one.
    pub seq: u32,
    /// Why it failed.
    pub kind: ErrorKind,
}

/// Why a request failed.
#[derive(Debug)]
pub enum ErrorKind {
    /// The kernel does not have protocol 31: the module is not there.
    Absent,
    /// The kernel refused.
    Kernel(Box<KernelError>),
    /// No answer within the client's time limit.
    TimedOut,
    /// Answers were lost because they were not read fast enough. Whether a change
    /// was made is not known.
    Overrun,
    /// The kernel's answer is not of this protocol.
    Malformed(Malformed),
    /// The answer is of another kind than the request.
    Unexpected,
    /// The socket failed.
    Io(io::Error),
}

impl Error {
    /// The error number, if the kernel refused the request.
    pub fn errno(&self) -> Option<i32> {
        match &self.kind {
            ErrorKind::Kernel(error) => Some(error.errno),
            _ => None,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Ping => "ping",
            Self::Greet => "greet",
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Change => "change",
            Self::Append => "append",
            Self::Delete => "delete",
            Self::Lookup => "look-up",
            Self::Dump => "dump",
            Self::Table => "table",
            Self::Load => "load",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (request {}): {}", self.op, self.seq, self.kind)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => {
                f.write_str("the kernel has no netlink protocol 31: the nl31 module is not there")
            }
            Self::Kernel(error) => error.fmt(f),
            Self::TimedOut => f.write_str("the kernel did not answer in time"),
            Self::Overrun => f.write_str("answers of the kernel were lost (receive buffer full)"),
            Self::Malformed(error) => write!(f, "the kernel's answer cannot be read: {error}"),
            Self::Unexpected => f.write_str("the kernel answered with something else"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// The kernel's text, or else the error number's, and where.
impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = io::Error::from_raw_os_error(self.errno);
        if self.text.is_empty() {
            write!(f, "{errno}")?;
        } else {
            write!(f, "{} ({errno})", self.text)?;
        }
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ErrorKind::Io(error) => Some(error),
            ErrorKind::Malformed(error) => Some(error),
            _ => None,
        }
    }
}
