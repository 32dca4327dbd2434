// SPDX-License-Identifier: MIT OR Apache-2.0
//! One end of a socket pair whose other end QEMU holds: a serial line, a virtio port
//! or QMP. Handed down as an open file, so there is no path, no listener and no byte
//! lost before a reader connects.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// The lab's end.
pub struct Channel {
    stream: UnixStream,
    open: bool,
}

impl Channel {
    /// A channel, and the end for QEMU.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok((
            Self {
                stream: ours,
                open: true,
            },
            theirs.into(),
        ))
    }

    /// False once QEMU has closed its end.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Appends what has arrived to `to`, without waiting; the number of bytes.
    pub fn drain(&mut self, to: &mut Vec<u8>) -> usize {
        let mut buffer = [0; 64 * 1024];
        let mut count = 0;
        while self.open {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.open = false,
                Ok(read) => {
                    to.extend_from_slice(&buffer[..read]);
                    count += read;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.open = false,
            }
        }
        count
    }

    /// Sends as much of `bytes` as goes without waiting; the number of bytes. None go once
    /// QEMU has closed its end.
    pub fn send(&mut self, bytes: &[u8]) -> usize {
        while self.open && !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(count) => return count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.open = false,
            }
        }
        0
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
