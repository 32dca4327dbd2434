// SPDX-License-Identifier: MIT OR Apache-2.0
//! The connection of a client to the kernel.

use std::io;
use std::time::Instant;

use crate::error::ErrorKind;
use crate::message::{Malformed, Message};

/// Moves datagrams to the kernel and messages back.
pub trait Transport {
    /// Sends one datagram.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// The next message of the kernel, or `None` when the deadline has passed
    /// without one. A deadline that has passed already asks without waiting.
    fn receive(&mut self, deadline: Instant) -> Result<Option<Message>, ReceiveError>;

    /// Sends a request of rtnetlink to the same kernel, and calls `each` with the datagrams of
    /// its answer, until that gives `true`.
    fn rtnetlink(
        &mut self,
        _request: &[u8],
        _each: &mut dyn FnMut(&[u8]) -> bool,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// A second connection to the same kernel, closed when dropped; `None` if there can be
    /// only one.
    fn another(&self) -> io::Result<Option<Box<dyn Transport>>> {
        Ok(None)
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        (**self).send(datagram)
    }

    fn receive(&mut self, deadline: Instant) -> Result<Option<Message>, ReceiveError> {
        (**self).receive(deadline)
    }

    fn rtnetlink(&mut self, request: &[u8], each: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<()> {
        (**self).rtnetlink(request, each)
    }

    fn another(&self) -> io::Result<Option<Box<dyn Transport>>> {
        (**self).another()
    }
}

/// Why a receive failed.
#[derive(Debug)]
pub enum ReceiveError {
    /// Messages were lost: the receive buffer was full (`ENOBUFS`).
    Overrun,
    /// What was received is not of this protocol.
    Malformed(Malformed),
    /// The socket failed.
    Io(io::Error),
}

impl From<io::Error> for ReceiveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Malformed> for ReceiveError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

impl From<ReceiveError> for ErrorKind {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Overrun => Self::Overrun,
            ReceiveError::Malformed(error) => Self::Malformed(error),
            ReceiveError::Io(error) => Self::Io(error),
        }
    }
}
