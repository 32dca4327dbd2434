// SPDX-License-Identifier: MIT OR Apache-2.0
//! The way to the agent: a serial line or its local socket.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{
    BaudRate, ControlFlags, FlushArg, InputFlags, SetArg, Termios, cfmakeraw, cfsetspeed, tcflush,
    tcgetattr, tcsetattr,
};

/// Where the agent listens on the appliance itself.
pub const SOCKET: &str = "/run/nl31.sock";

/// Longest that a line may refuse to take a byte.
const STALLED: Duration = Duration::from_secs(10);

/// Moves bytes.
pub trait Port {
    /// Sends all of it.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// What has come; waits at most so long for something, and gives 0 if nothing
    /// does.
    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize>;
}

mod ioctl {
    use nix::libc;

    nix::ioctl_none_bad!(tiocexcl, libc::TIOCEXCL);
    nix::ioctl_none_bad!(tiocnxcl, libc::TIOCNXCL);
}

/// A serial line in raw mode, for this program alone; it is as it was when this is dropped.
#[derive(Debug)]
pub struct Serial {
    file: Flock<File>,
    saved: Termios,
}

impl Serial {
    /// Opens a line, 8 bits without parity.
    pub fn open(path: &Path, baud: u32) -> io::Result<Self> {
        let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path)?;
        let saved = tcgetattr(&file)?;
        // Root may open what is open for one alone, so it asks too, as other programs do.
        let locked = Flock::lock(file, FlockArg::LockExclusiveNonblock);
        let file = locked.map_err(|(_, error)| match error {
            Errno::EWOULDBLOCK => {
                io::Error::new(io::ErrorKind::ResourceBusy, "another program has the line")
            }
            error => error.into(),
        })?;
        // SAFETY: the request takes no argument, and the descriptor is open.
        unsafe { ioctl::tiocexcl(file.as_raw_fd()) }?;
        let mut raw = saved.clone();
        cfmakeraw(&mut raw);
        raw.input_flags
            .remove(InputFlags::IXON | InputFlags::IXOFF | InputFlags::IXANY);
        raw.input_flags.insert(InputFlags::IGNBRK);
        // Three wires: nothing on the others is waited for.
        raw.control_flags.remove(ControlFlags::CRTSCTS);
        raw.control_flags
            .insert(ControlFlags::CREAD | ControlFlags::CLOCAL);
        cfsetspeed(&mut raw, rate(baud)?)?;
        tcsetattr(&*file, SetArg::TCSANOW, &raw)?;
        // What was said to somebody else.
        tcflush(&*file, FlushArg::TCIFLUSH)?;
        Ok(Self { file, saved })
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        // Fails only on a line that is gone.
        let _ = tcsetattr(&*self.file, SetArg::TCSANOW, &self.saved);
        // SAFETY: the request takes no argument, and the descriptor is open.
        let _ = unsafe { ioctl::tiocnxcl(self.file.as_raw_fd()) };
    }
}

/// Reads a bit rate that a line may have.
pub fn baud(text: &str) -> Result<u32, String> {
    let baud = text.parse().map_err(|_| "a rate is a number".to_string())?;
    rate(baud).map(|_| baud).map_err(|error| error.to_string())
}

fn rate(baud: u32) -> io::Result<BaudRate> {
    Ok(match baud {
        9600 => BaudRate::B9600,
        19200 => BaudRate::B19200,
        38400 => BaudRate::B38400,
        57600 => BaudRate::B57600,
        115_200 => BaudRate::B115200,
        230_400 => BaudRate::B230400,
        460_800 => BaudRate::B460800,
        921_600 => BaudRate::B921600,
        1_000_000 => BaudRate::B1000000,
        1_500_000 => BaudRate::B1500000,
        _ => {
            let text = "a rate is one of 9600, 19200, 38400, 57600, 115200, 230400, 460800, \
                        921600, 1000000 and 1500000 baud";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
    })
}

impl Port for Serial {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        send(&mut *self.file, bytes)
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        receive(&mut *self.file, buffer, wait)
    }
}

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
                // A signal ends the wait too: half a frame would make the farewell unreadable.
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
                let text = "the other end is gone";
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

/// Whether it is ready; a signal ends the wait.
pub fn wait_for(fd: BorrowedFd<'_>, flags: PollFlags, wait: Duration) -> io::Result<bool> {
    let wait = PollTimeout::try_from(wait.as_millis()).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(fd, flags)], wait) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Serial lines that an appliance may hang on, by the kernel's list of terminals with
/// hardware behind them. Not this machine's own console, where somebody may log in.
pub fn candidates() -> Vec<PathBuf> {
    let mut ports = Vec::new();
    let consoles = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    for entry in fs::read_dir("/sys/class/tty")
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let usual = ["ttyUSB", "ttyACM", "ttyAMA", "ttyS"]
            .iter()
            .any(|kind| text.starts_with(kind));
        // Most of the ttyS are names without a chip: their type is 0.
        let kind = fs::read_to_string(entry.path().join("type"));
        let real = kind.map_or(true, |kind| kind.trim() != "0");
        let console = consoles
            .split_ascii_whitespace()
            .any(|console| console == text);
        if usual && real && !console && entry.path().join("device").exists() {
            ports.push(Path::new("/dev").join(name));
        }
    }
    ports.sort();
    ports
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    use super::*;

    extern "C" fn nothing(_: libc::c_int) {}

    #[test]
    fn a_signal_does_not_end_what_waits_for_room() {
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
