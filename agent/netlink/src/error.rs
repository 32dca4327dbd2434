// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors of requests.

use std::fmt;
use std::io;

use crate::{KernelError, Malformed};

/// The operation of a request.
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
    Port,
    Link,
    LinkAdd,
    LinkDelete,
    Master,
    Mac,
    Address,
    AddressAdd,
    AddressDelete,
    Neighbour,
    Load,
}

/// An error of a request: operation, sequence number and reason.
#[derive(Debug, thiserror::Error)]
#[error("{op} (request {seq}): {kind}")]
pub struct Error {
    /// The operation.
    pub op: Op,
    /// Sequence number of the request; 0 before there was one.
    pub seq: u32,
    /// The reason.
    pub kind: ErrorKind,
}

/// The reason of an error.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// The kernel does not have protocol 31: the module is missing.
    #[error("the kernel has no netlink protocol 31: the nl31 module is missing")]
    Absent,
    /// The kernel refused.
    #[error("{0}")]
    Kernel(Box<KernelError>),
    /// No answer within the client's time limit.
    #[error("the kernel did not answer in time")]
    TimedOut,
    /// Answers were lost because they were not read fast enough. Whether a change
    /// was made is not known.
    #[error("answers of the kernel were lost (receive buffer full)")]
    Overrun,
    /// The kernel's answer is not of this protocol.
    #[error("the kernel's answer cannot be read: {0}")]
    Malformed(#[source] Malformed),
    /// The answer is of another kind than the request.
    #[error("the kernel answered with something else")]
    Unexpected,
    /// The socket failed.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl Error {
    /// An error of a device that does not exist.
    pub fn no_device(op: Op) -> Self {
        Self::known(op, nix::libc::ENODEV, "no such device")
    }

    /// An error that is found before the kernel is asked, as the kernel would tell it.
    pub fn known(op: Op, errno: i32, text: &str) -> Self {
        let kind = ErrorKind::Kernel(Box::new(KernelError {
            errno,
            offset: None,
            text: text.try_into().unwrap_or_default(),
        }));
        Self { op, seq: 0, kind }
    }

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
            Self::Port => "port",
            Self::Link => "link",
            Self::LinkAdd => "link add",
            Self::LinkDelete => "link delete",
            Self::Master => "master",
            Self::Mac => "MAC address",
            Self::Address => "address",
            Self::AddressAdd => "address add",
            Self::AddressDelete => "address delete",
            Self::Neighbour => "neighbour",
            Self::Load => "load",
        })
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
