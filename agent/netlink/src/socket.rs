// SPDX-License-Identifier: MIT OR Apache-2.0
//! The netlink socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Instant;

use netlink_sys::SocketAddr;
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use crate::abi::*;
use crate::message::{self, Malformed, Message};
use crate::rtnetlink;
use crate::transport::{ReceiveError, Transport};

/// The kernel builds datagrams of a dump of up to this many bytes
/// (`NLMSG_GOODSIZE` and what `netlink_dump()` makes of a larger buffer).
const RECEIVE_MAX: usize = 32 * 1024;

/// Room for about 1,300 acks: enough for the answers to one [`Datagram`] of a
/// load and for a burst of events.
///
/// [`Datagram`]: crate::Datagram
const RECEIVE_BUFFER: usize = 1024 * 1024;

/// A socket of protocol 31. Its reads never wait; [`Socket::wait`] does.
#[derive(Debug)]
pub struct Socket {
    socket: netlink_sys::Socket,
    port: u32,
}

impl Socket {
    /// Opens a socket for requests. Fails with `EPROTONOSUPPORT` when the module
    /// is not there.
    pub fn open() -> io::Result<Self> {
        let mut socket = netlink_sys::Socket::new(NETLINK_NL31)?;
        let port = socket.bind_auto()?.port_number();
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        let socket = Self { socket, port };
        // Only CAP_NET_ADMIN may go beyond net.core.rmem_max.
        setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER)
            .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER))?;
        Ok(socket)
    }

    /// Opens a socket that receives the kernel's events.
    pub fn open_events() -> io::Result<Self> {
        let socket = Self::open()?;
        socket.socket.add_membership(GROUP_ROUTE)?;
        Ok(socket)
    }

    /// The port id that the kernel knows this socket by.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Sends one datagram to the kernel, which handles it before this returns.
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        let sent = self.socket.send_to(datagram, &SocketAddr::new(0, 0), 0)?;
        if sent == datagram.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }

    /// Waits until there is something to receive or the deadline has passed; says
    /// whether there is.
    pub fn wait(&self, deadline: Instant) -> io::Result<bool> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Round up, so that the last millisecond is not spent spinning.
            let timeout = PollTimeout::try_from(left.as_millis() + u128::from(!left.is_zero()))
                .unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], timeout) {
                Ok(0) if Instant::now() < deadline => {}
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor belongs to `self.socket`, which alone can close
        // it, and lives as long as the borrow of `self`.
        unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) }
    }
}

/// One received datagram at a time, taken apart message by message.
#[derive(Debug)]
pub struct Inbox {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            buffer: vec![0; RECEIVE_MAX].into(),
            start: 0,
            end: 0,
        }
    }
}

impl Inbox {
    /// The next message of the datagram at hand.
    pub fn take(&mut self) -> Result<Option<Message>, Malformed> {
        if self.start == self.end {
            return Ok(None);
        }
        match message::decode(&self.buffer[self.start..self.end]) {
            Ok((message, next)) => {
                self.start += next;
                Ok(Some(message))
            }
            Err(error) => {
                // What follows cannot be told apart any more.
                self.start = self.end;
                Err(error)
            }
        }
    }

    /// Receives a datagram in place of the one at hand; says whether there was
    /// one. Datagrams that another process sent are dropped: anyone may send to
    /// a netlink port.
    pub fn fill(&mut self, socket: &Socket) -> Result<bool, ReceiveError> {
        loop {
            (self.start, self.end) = (0, 0);
            // MSG_TRUNC: the whole length even if it does not fit.
            let flags = libc::MSG_TRUNC | libc::MSG_DONTWAIT;
            let result = socket.socket.recv_from(&mut &mut self.buffer[..], flags);
            let (len, sender) = match result {
                Ok(received) => received,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return Ok(false),
                    Some(libc::EINTR) => continue,
                    Some(libc::ENOBUFS) => return Err(ReceiveError::Overrun),
                    _ => return Err(ReceiveError::Io(error)),
                },
            };
            if sender.port_number() != 0 {
                continue;
            }
            if len > self.buffer.len() {
                let reason = "datagram is longer than the receive buffer";
                return Err(ReceiveError::Malformed(Malformed { reason }));
            }
            self.end = len;
            return Ok(true);
        }
    }

    /// Takes over a datagram that did not come from a socket.
    #[cfg(any(test, feature = "fake-kernel"))]
    pub(crate) fn put(&mut self, datagram: &[u8]) {
        self.buffer[..datagram.len()].copy_from_slice(datagram);
        (self.start, self.end) = (0, datagram.len());
    }
}

/// A socket that its owner reads.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    inbox: Inbox,
}

impl Connection {
    /// Opens a socket for requests.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            socket: Socket::open()?,
            inbox: Inbox::default(),
        })
    }

    /// Opens a socket that receives the kernel's events.
    pub fn open_events() -> io::Result<Self> {
        Ok(Self {
            socket: Socket::open_events()?,
            inbox: Inbox::default(),
        })
    }

    /// The socket.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }
}

impl Transport for Connection {
    fn rtnetlink(&mut self, request: &[u8], each: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<()> {
        rtnetlink::exchange(request, each)
    }

    fn another(&self) -> io::Result<Option<Box<dyn Transport>>> {
        Ok(Some(Box::new(Self::open()?)))
    }

    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send(datagram)
    }

    fn receive(&mut self, deadline: Instant) -> Result<Option<Message>, ReceiveError> {
        loop {
            if let Some(message) = self.inbox.take()? {
                return Ok(Some(message));
            }
            if !self.inbox.fill(&self.socket)? && !self.socket.wait(deadline)? {
                return Ok(None);
            }
        }
    }
}
