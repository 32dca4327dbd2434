// SPDX-License-Identifier: MIT OR Apache-2.0
//! A serial cable from this machine to a guest's UART: a terminal line for programs that
//! want one, as slow and as bad as is asked for.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;

use crate::channel::Channel;
use crate::random::SplitMix;

/// Bytes a second at 115200 baud: ten bits each.
pub const BYTES_115200: u32 = 11_520;

/// Bytes on their way in one direction, as many as a terminal line holds.
const BUFFER: usize = 4096;

/// Bytes that go at once on a slow cable.
const PORTION: usize = 32;

/// What a cable is like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quality {
    /// Bytes a second in each direction; none for as fast as it goes.
    pub rate: Option<u32>,
    /// Of a thousand frames so many are hit, in each direction.
    pub damaged: u64,
}

/// What has gone over a cable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes to the guest, before the noise.
    pub sent: u64,
    /// Bytes from the guest, before the noise.
    pub received: u64,
    /// Times that the noise has hit.
    pub hits: u64,
}

/// A cable that is plugged in.
pub struct Cable {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Channel, Traffic)>,
    /// The far end of what the guest has in place of its line meanwhile.
    _placeholder: OwnedFd,
}

impl Cable {
    /// Takes `line` from its owner, up to [`Cable::unplug`].
    pub(crate) fn plug(line: &mut Channel, quality: Quality) -> Result<Self> {
        let pty = openpty(None, None).context("cannot open a pty")?;
        let path = ttyname(&pty.slave)?;
        // A program that opens it gets bytes as they are; no other process holds it open.
        let mut raw = tcgetattr(&pty.slave)?;
        cfmakeraw(&mut raw);
        tcsetattr(&pty.slave, SetArg::TCSANOW, &raw)?;
        drop(pty.slave);
        fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;

        let (ours, placeholder) = Channel::pair()?;
        let mut carrier = Carrier {
            line: std::mem::replace(line, ours),
            terminal: pty.master.into(),
            to_guest: Direction::new(quality, 1),
            from_guest: Direction::new(quality, 2),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let its = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !its.load(Ordering::Acquire) && carrier.line.is_open() {
                carrier.carry();
            }
            let traffic = Traffic {
                sent: carrier.to_guest.taken,
                received: carrier.from_guest.taken,
                hits: carrier.to_guest.hits + carrier.from_guest.hits,
            };
            (carrier.line, traffic)
        });
        Ok(Self {
            path,
            stop,
            thread,
            _placeholder: placeholder,
        })
    }

    /// The terminal line at this machine's end.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the line back to `owner`.
    pub(crate) fn unplug(self, owner: &mut Channel) -> Traffic {
        self.stop.store(true, Ordering::Release);
        let (line, traffic) = self.thread.join().expect("the cable's thread");
        *owner = line;
        traffic
    }
}

struct Carrier {
    line: Channel,
    terminal: File,
    to_guest: Direction,
    from_guest: Direction,
}

impl Carrier {
    /// Moves what can be moved; waits a moment if that is nothing.
    fn carry(&mut self) {
        let mut moved = false;
        let mut buffer = [0; BUFFER];
        let room = self.to_guest.room();
        match self.terminal.read(&mut buffer[..room]) {
            Ok(len) => {
                moved |= len > 0;
                self.to_guest.take(&buffer[..len]);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // No program has it open; what the guest says is lost, as on a real line.
            Err(_) => self.from_guest.waiting.clear(),
        }
        let due = self.to_guest.due();
        let sent = self.line.send(&self.to_guest.waiting[..due]);
        moved |= self.to_guest.sent(sent);

        if self.from_guest.room() > 0 {
            let mut received = Vec::new();
            moved |= self.line.drain(&mut received) > 0;
            self.from_guest.take(&received);
        }
        let due = self.from_guest.due();
        let sent = self.terminal.write(&self.from_guest.waiting[..due]);
        moved |= self.from_guest.sent(sent.unwrap_or(0));
        if !moved {
            self.wait();
        }
    }

    fn wait(&self) {
        let pause = Duration::from_millis(2);
        let paced = self.to_guest.paced() || self.from_guest.paced();
        let mut fds = [
            PollFd::new(self.line.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN),
        ];
        // A line that no program has open is always ready, for nothing.
        let hangup = match poll(&mut fds, PollTimeout::ZERO) {
            Ok(_) => fds[1]
                .revents()
                .is_some_and(|flags| flags.contains(PollFlags::POLLHUP)),
            Err(_) => true,
        };
        if paced || hangup {
            return thread::sleep(pause);
        }
        let _ = poll(&mut fds, PollTimeout::from(20u16));
    }
}

/// One direction of a cable.
struct Direction {
    waiting: Vec<u8>,
    rate: Option<u32>,
    /// When the line is done with what was sent.
    free: Instant,
    damaged: u64,
    random: SplitMix,
    /// Bytes up to the next hit.
    hit_in: Option<u64>,
    taken: u64,
    hits: u64,
}

impl Direction {
    fn new(quality: Quality, seed: u64) -> Self {
        Self {
            waiting: Vec::new(),
            rate: quality.rate,
            free: Instant::now(),
            damaged: quality.damaged,
            random: SplitMix(seed),
            hit_in: None,
            taken: 0,
            hits: 0,
        }
    }

    fn room(&self) -> usize {
        BUFFER.saturating_sub(self.waiting.len())
    }

    fn take(&mut self, bytes: &[u8]) {
        self.taken += bytes.len() as u64;
        for &byte in bytes {
            // A frame has two of them.
            if byte == 0 && self.hit_in.is_none() && self.random.below(2000) < self.damaged {
                self.hit_in = Some(self.random.below(100));
            }
            match &mut self.hit_in {
                Some(0) => {
                    self.hit_in = None;
                    self.hit(byte);
                }
                Some(left) => {
                    *left -= 1;
                    self.waiting.push(byte);
                }
                None => self.waiting.push(byte),
            }
        }
    }

    /// A byte is lost, flipped or followed by one too many, or the kernel speaks.
    fn hit(&mut self, byte: u8) {
        self.hits += 1;
        match self.random.below(5) {
            0 => {}
            1 => self.waiting.push(byte ^ (1 << self.random.below(8))),
            2 => self.waiting.extend([byte, self.random.number() as u8]),
            3 => self.waiting.extend([byte, 0]),
            _ => self.waiting.extend(b"[   12.345678] eth0: link is up\r\n"),
        }
    }

    /// Bytes that may go now.
    fn due(&self) -> usize {
        match self.rate {
            None => self.waiting.len(),
            Some(_) if Instant::now() < self.free => 0,
            Some(_) => self.waiting.len().min(PORTION),
        }
    }

    fn paced(&self) -> bool {
        self.rate.is_some() && !self.waiting.is_empty()
    }

    fn sent(&mut self, count: usize) -> bool {
        self.waiting.drain(..count);
        if let Some(rate) = self.rate {
            // Behind the last byte, however late this thread has come: a UART does not pause
            // because a reader is busy. But no further back than its buffer.
            let late = Duration::from_millis(20);
            let start = self
                .free
                .max(Instant::now().checked_sub(late).unwrap_or(self.free));
            self.free = start + Duration::from_secs(1) * count as u32 / rate;
        }
        count > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cable_carries_both_ways_and_counts() {
        let (mut line, guest) = Channel::pair().expect("a channel");
        let mut guest = std::os::unix::net::UnixStream::from(guest);
        let cable = Cable::plug(&mut line, Quality::default()).expect("a cable");
        let mut end = File::options()
            .read(true)
            .write(true)
            .open(cable.path())
            .expect("its end");
        end.write_all(b"\0to the guest\0").expect("to write");
        let mut heard = [0; 14];
        guest.read_exact(&mut heard).expect("to read");
        assert_eq!(&heard, b"\0to the guest\0");
        guest.write_all(b"and back").expect("to write");
        let mut heard = [0; 8];
        end.read_exact(&mut heard).expect("to read");
        assert_eq!(&heard, b"and back");
        drop(end);
        let traffic = cable.unplug(&mut line);
        let all = Traffic {
            sent: 14,
            received: 8,
            hits: 0,
        };
        assert_eq!(traffic, all);
    }

    #[test]
    fn noise_hits_as_many_frames_as_are_asked_for() {
        let quality = Quality {
            rate: None,
            damaged: 300,
        };
        let mut direction = Direction::new(quality, 3);
        let mut frame = vec![1; 200];
        (frame[0], frame[199]) = (0, 0);
        (0..1000).for_each(|_| direction.take(&frame));
        assert!((220..330).contains(&direction.hits), "{}", direction.hits);
    }

    #[test]
    fn a_slow_cable_is_slow() {
        let quality = Quality {
            rate: Some(10_000),
            damaged: 0,
        };
        let mut direction = Direction::new(quality, 4);
        direction.take(&[1; 1000]);
        let started = Instant::now();
        while !direction.waiting.is_empty() {
            let due = direction.due();
            direction.sent(due);
        }
        assert!(started.elapsed() >= Duration::from_millis(70));
    }
}
