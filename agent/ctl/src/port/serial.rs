// SPDX-License-Identifier: MIT OR Apache-2.0
//! A serial line of this machine.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc;
use nix::sys::termios::{
    BaudRate, ControlFlags, FlushArg, InputFlags, SetArg, Termios, cfmakeraw, cfsetspeed, tcflush,
    tcgetattr, tcsetattr,
};

use super::{Port, receive, send};

mod ioctl {
    use nix::libc;

    nix::ioctl_none_bad!(tiocexcl, libc::TIOCEXCL);
    nix::ioctl_none_bad!(tiocnxcl, libc::TIOCNXCL);
}

/// A serial line in raw mode, locked for this program. Dropping it restores the settings
/// of the line.
#[derive(Debug)]
pub struct Serial {
    file: Flock<File>,
    saved: Termios,
}

impl Serial {
    /// Opens a line with 8 bits, no parity and no flow control.
    pub fn open(path: &Path, baud: u32) -> io::Result<Self> {
        let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path)?;
        let saved = tcgetattr(&file)?;
        // TIOCEXCL does not keep root out; the lock is what other programs check, too.
        let locked = Flock::lock(file, FlockArg::LockExclusiveNonblock);
        let file = locked.map_err(|(_, error)| match error {
            Errno::EWOULDBLOCK => {
                io::Error::new(io::ErrorKind::ResourceBusy, "another program uses the line")
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
        // Three wires: the modem's control lines mean nothing.
        raw.control_flags.remove(ControlFlags::CRTSCTS);
        raw.control_flags
            .insert(ControlFlags::CREAD | ControlFlags::CLOCAL);
        cfsetspeed(&mut raw, rate(baud)?)?;
        tcsetattr(&*file, SetArg::TCSANOW, &raw)?;
        // Answers to the program before this one.
        tcflush(&*file, FlushArg::TCIFLUSH)?;
        Ok(Self { file, saved })
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        // Fails only if the device was removed.
        let _ = tcsetattr(&*self.file, SetArg::TCSANOW, &self.saved);
        // SAFETY: the request takes no argument, and the descriptor is open.
        let _ = unsafe { ioctl::tiocnxcl(self.file.as_raw_fd()) };
    }
}

/// Parses a bit rate; fails if the kernel has no such rate.
pub fn baud(text: &str) -> Result<u32, String> {
    let baud = text
        .parse()
        .map_err(|_| "a bit rate is a number".to_string())?;
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
            let text = "a bit rate is one of 9600, 19200, 38400, 57600, 115200, 230400, 460800, \
                        921600, 1000000 and 1500000";
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
