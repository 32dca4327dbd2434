// SPDX-License-Identifier: MIT OR Apache-2.0
//! The socket of one request.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use netlink_sys::SocketAddr;
use netlink_sys::protocols::NETLINK_ROUTE;
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Longest datagram of a dump, see the socket of protocol 31.
const RECEIVE_MAX: usize = 32 * 1024;

/// Longest wait for an answer; the kernel answers at once.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends a request and calls `each` with the datagrams of its answer, until that gives `true`.
pub fn exchange(request: &[u8], each: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut socket = netlink_sys::Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.set_cap_ack(true)?;
    socket.set_ext_ack(true)?;
    socket.send_to(request, &SocketAddr::new(0, 0), 0)?;
    let deadline = Instant::now() + TIMEOUT;
    let mut buffer = vec![0; RECEIVE_MAX];
    loop {
        // MSG_TRUNC: the whole length even if it does not fit.
        let flags = libc::MSG_TRUNC | libc::MSG_DONTWAIT;
        match socket.recv_from(&mut &mut buffer[..], flags) {
            // Any process may send to the socket; only the kernel answers.
            Ok((_, sender)) if sender.port_number() != 0 => {}
            Ok((len, _)) if len > buffer.len() => return Err(io::ErrorKind::InvalidData.into()),
            Ok((len, _)) => {
                if each(&buffer[..len]) {
                    return Ok(());
                }
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN) => wait(&socket, deadline)?,
                Some(libc::EINTR) => {}
                _ => return Err(error),
            },
        }
    }
}

fn wait(socket: &netlink_sys::Socket, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
    // SAFETY: the descriptor belongs to `socket`, which outlives the borrow.
    let fd = unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) };
    match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
