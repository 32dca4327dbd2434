// SPDX-License-Identifier: MIT OR Apache-2.0
//! Follows a routing table of this machine: a dump, then Linux's notifications; and another dump
//! where some of them were lost, or a device has changed, with which Linux drops routes silently.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::libc;
use nix::poll::PollFlags;
use nix::sys::socket::{setsockopt, sockopt};

use super::rtnetlink::{Message, messages};
use super::shared::Shared;
use crate::port::wait_for;

/// How soon the thread notices that it is to end.
const NOTICE: Duration = Duration::from_millis(100);
/// How long devices have to be quiet before the table is dumped again.
const SETTLED: Duration = Duration::from_secs(1);
/// Pause before a dump that has failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Longest wait for a part of a dump.
const DUMP: Duration = Duration::from_secs(10);
/// Longest datagram of a dump, see `netlink_dump()`.
const DATAGRAM_MAX: usize = 32 * 1024;
/// Bytes of notifications that wait to be read.
const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct KernelTable {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl KernelTable {
    /// Begins to follow the table that the source selects.
    pub fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let events = Events::open()?;
        let ends = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&ends);
        let thread = std::thread::spawn(move || follow(&events, &shared, &theirs));
        Ok(Self {
            ends,
            thread: Some(thread),
        })
    }
}

impl Drop for KernelTable {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn follow(events: &Events, shared: &Shared, ends: &AtomicBool) {
    let is_over = || ends.load(Ordering::SeqCst);
    let mut buffer = vec![0; DATAGRAM_MAX];
    let mut dump_at = Some(Instant::now());
    while !is_over() {
        if dump_at.is_some_and(|at| Instant::now() >= at) {
            dump_at = match dump(shared, &mut buffer) {
                Ok(true) => None,
                Ok(false) => Some(Instant::now()),
                Err(error) => {
                    shared
                        .lock()
                        .notice(format!("cannot dump the table: {error}"));
                    Some(Instant::now() + RETRY)
                }
            };
        }
        match events.receive(&mut buffer) {
            Ok(Some(datagram)) => {
                // An event of a device has a kind of its own.
                let is_other = |message| matches!(message, Ok(Message::Other(_)));
                if messages(datagram).any(is_other) {
                    dump_at = Some(Instant::now() + SETTLED);
                } else if shared.lock().source.bytes(datagram).is_err() {
                    dump_at = Some(Instant::now());
                }
                shared.wake();
            }
            Ok(None) => {}
            Err(error) => {
                let text = match error.raw_os_error() {
                    Some(libc::ENOBUFS) => "notifications were lost".into(),
                    _ => error.to_string(),
                };
                shared
                    .lock()
                    .notice(format!("{text}: the table is read again"));
                dump_at = Some(Instant::now());
            }
        }
    }
}

/// Reads all routes into the source, and sweeps what is not among them. Gives `false` if the
/// table has changed so that some may be missing.
fn dump(shared: &Shared, buffer: &mut [u8]) -> io::Result<bool> {
    {
        let mut state = shared.lock();
        state.source.begin();
        state.peer = Some(format!("table {}", state.source.selection().table));
    }
    for family in [libc::AF_INET, libc::AF_INET6] {
        if !dump_family(family as u8, shared, buffer)? {
            return Ok(false);
        }
    }
    shared.lock().source.shadow().sweep();
    shared.wake();
    Ok(true)
}

fn dump_family(family: u8, shared: &Shared, buffer: &mut [u8]) -> io::Result<bool> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    let mut request = Vec::new();
    request.extend(28u32.to_ne_bytes());
    request.extend(libc::RTM_GETROUTE.to_ne_bytes());
    request.extend(((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16).to_ne_bytes());
    request.extend([0; 8]);
    request.push(family);
    request.extend([0; 11]);
    socket.send_to(&request, &SocketAddr::new(0, 0), 0)?;
    loop {
        let Some(datagram) = receive(&socket, buffer, DUMP)? else {
            return Err(io::ErrorKind::TimedOut.into());
        };
        // The end may stand behind routes.
        let taken = shared.lock().source.bytes(datagram);
        taken.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        shared.wake();
        for message in messages(datagram) {
            match message {
                Ok(Message::Done(interrupted)) => return Ok(!interrupted),
                Ok(Message::Error(error)) => return Err(io::Error::from_raw_os_error(error)),
                _ => {}
            }
        }
    }
}

/// Notifications of routes and devices.
struct Events(Socket);

impl Events {
    fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        for group in [
            libc::RTNLGRP_LINK,
            libc::RTNLGRP_IPV4_ROUTE,
            libc::RTNLGRP_IPV6_ROUTE,
        ] {
            socket.add_membership(group)?;
        }
        // Only CAP_NET_ADMIN may go beyond net.core.rmem_max.
        setsockopt(&fd(&socket), sockopt::RcvBufForce, &RECEIVE_BUFFER)
            .or_else(|_| setsockopt(&fd(&socket), sockopt::RcvBuf, &RECEIVE_BUFFER))?;
        Ok(Self(socket))
    }

    fn receive<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
        receive(&self.0, buffer, NOTICE)
    }
}

fn fd(socket: &Socket) -> BorrowedFd<'_> {
    // SAFETY: the descriptor belongs to `socket`, which outlives the borrow.
    unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) }
}

/// The kernel's next datagram, if one comes in time.
fn receive<'a>(
    socket: &Socket,
    buffer: &'a mut [u8],
    wait: Duration,
) -> io::Result<Option<&'a [u8]>> {
    let deadline = Instant::now() + wait;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if !wait_for(fd(socket).as_fd(), PollFlags::POLLIN, left)? && left.is_zero() {
            return Ok(None);
        }
        // MSG_TRUNC: the whole length even if it does not fit.
        let flags = libc::MSG_TRUNC | libc::MSG_DONTWAIT;
        match socket.recv_from(&mut &mut buffer[..], flags) {
            // Any process may send to the socket; only the kernel's word counts.
            Ok((_, sender)) if sender.port_number() != 0 => {}
            Ok((len, _)) if len > buffer.len() => return Err(io::ErrorKind::InvalidData.into()),
            Ok((len, _)) => return Ok(Some(&buffer[..len])),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR) => {}
                _ => return Err(error),
            },
        }
    }
}
