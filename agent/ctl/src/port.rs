// SPDX-License-Identifier: MIT OR Apache-2.0
//! Moving bytes to the agent and back: a serial line, a TCP connection to one, or the
//! agent's local socket.

pub mod bit_rate;
mod serial;
mod tcp;

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

pub use serial::{Serial, baud};
pub use tcp::Address;

/// Where the agent listens on the appliance itself.
pub const SOCKET: &str = "/run/nl31.sock";

/// Longest time for which a port may refuse to take a byte.
const STALLED: Duration = Duration::from_secs(10);

/// One place where an agent can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The agent's socket on this machine.
    Socket(PathBuf),
    /// A serial line of this machine.
    Serial(PathBuf),
    /// A serial line behind a TCP port: a console server's, or QEMU's.
    Tcp(Address),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) | Self::Serial(path) => path.display().fmt(f),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

impl Place {
    /// Opens it. The bit rate is that of a serial line of this machine.
    pub fn open(&self, baud: u32) -> io::Result<Box<dyn Port>> {
        Ok(match self {
            Self::Socket(path) => Box::new(socket(path)?),
            Self::Serial(path) => Box::new(Serial::open(path, baud)?),
            Self::Tcp(address) => Box::new(address.connect()?),
        })
    }
}

/// Moves bytes.
pub trait Port {
    /// Sends all bytes. Fails with `TimedOut` if the port takes none for 10 seconds.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Receives what has come, and waits for at most `wait` if nothing has. Gives the
    /// number of bytes, which is 0 after a signal and after the wait.
    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize>;

    /// Bits a second of a serial line of this machine.
    fn speed(&self) -> io::Result<u32> {
        Err(io::Error::new(io::ErrorKind::Unsupported, NO_SPEED))
    }

    /// Sets them. Fails if the line makes others of them, which stay.
    fn set_speed(&mut self, _baud: u32) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, NO_SPEED))
    }
}

const NO_SPEED: &str = "the connection is not a serial line of this machine";

impl Port for UnixStream {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        send(self, bytes)
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        receive(self, buffer, wait)
    }
}

impl<P: Port + ?Sized> Port for Box<P> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        (**self).send(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        (**self).receive(buffer, wait)
    }

    fn speed(&self) -> io::Result<u32> {
        (**self).speed()
    }

    fn set_speed(&mut self, baud: u32) -> io::Result<()> {
        (**self).set_speed(baud)
    }
}

/// Opens the agent's socket.
pub fn socket(path: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn send<F: Write + AsFd>(file: &mut F, mut bytes: &[u8]) -> io::Result<()> {
    let mut deadline = Instant::now() + STALLED;
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => {
                bytes = &bytes[len..];
                deadline = Instant::now() + STALLED;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                // A signal does not end the send: half a frame would make `Leave` unreadable.
                wait_for(file.as_fd(), PollFlags::POLLOUT, left)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn receive<F: Read + AsFd>(file: &mut F, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
    let deadline = Instant::now() + wait;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if !wait_for(file.as_fd(), PollFlags::POLLIN, left)? {
            return Ok(0);
        }
        match file.read(buffer) {
            Ok(0) => {
                let text = "the other end has closed the connection";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
            Ok(len) => return Ok(len),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                ) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether a descriptor becomes ready within `wait`; a signal ends the wait.
pub fn wait_for(fd: BorrowedFd<'_>, flags: PollFlags, wait: Duration) -> io::Result<bool> {
    let wait = PollTimeout::try_from(wait.as_millis()).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(fd, flags)], wait) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use nix::libc;
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    use super::*;

    extern "C" fn nothing(_: libc::c_int) {}

    #[test]
    fn send_goes_on_after_a_signal() {
        let signal = Signal::SIGUSR1;
        let action = SigAction::new(
            SigHandler::Handler(nothing),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing.
        unsafe { sigaction(signal, &action) }.unwrap();
        let (mut near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        // SAFETY: it always succeeds.
        let sender = unsafe { libc::pthread_self() };
        let bytes = vec![7; 1 << 20];
        let wanted = bytes.len();
        let reader = std::thread::spawn(move || {
            for _ in 0..10 {
                std::thread::sleep(Duration::from_millis(10));
                // SAFETY: the thread waits for this one.
                unsafe { libc::pthread_kill(sender, signal as libc::c_int) };
            }
            let mut heard = vec![0; wanted];
            far.read_exact(&mut heard).unwrap();
            heard
        });
        let sent = Port::send(&mut near, &bytes);
        // Or the reader would wait for the rest.
        drop(near);
        sent.unwrap();
        assert!(reader.join().unwrap() == bytes);
    }
}
