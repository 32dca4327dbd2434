// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tells that devices have changed; not how, as a reader asks for their state anyway.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use netlink_sys::protocols::NETLINK_ROUTE;
use nix::libc;

/// Datagrams that one call of [`LinkEvents::drain`] reads.
const DRAINED_MAX: usize = 64;

/// A socket of the group `RTNLGRP_LINK`.
#[derive(Debug)]
pub struct LinkEvents {
    socket: netlink_sys::Socket,
}

impl LinkEvents {
    /// Opens the socket; its reads never wait.
    pub fn open() -> io::Result<Self> {
        let mut socket = netlink_sys::Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.add_membership(libc::RTNLGRP_LINK)?;
        Ok(Self { socket })
    }

    /// Reads some of the events that have arrived; gives whether there were any, or some were
    /// lost.
    pub fn drain(&self) -> io::Result<bool> {
        let mut changed = false;
        // Their content is not read, so a datagram may be cut.
        let mut buffer = [0; 64];
        for _ in 0..DRAINED_MAX {
            match self
                .socket
                .recv_from(&mut &mut buffer[..], libc::MSG_DONTWAIT)
            {
                Ok(_) => changed = true,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => break,
                    Some(libc::EINTR) => {}
                    Some(libc::ENOBUFS) => changed = true,
                    _ => return Err(error),
                },
            }
        }
        Ok(changed)
    }
}

impl AsFd for LinkEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor belongs to `self.socket`, which alone can close it, and lives
        // as long as the borrow of `self`.
        unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_socket_has_no_events() {
        let events = LinkEvents::open().unwrap();
        assert!(!events.drain().unwrap());
    }
}
