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

use super::bit_rate::{bit_rate, set_bit_rate};
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
    let named = RATES.iter().find(|(number, _)| *number == baud);
    named.map(|(_, rate)| *rate).ok_or_else(|| {
        let rates: Vec<_> = RATES.iter().map(|(number, _)| number.to_string()).collect();
        let text = format!("a bit rate is one of {}", rates.join(", "));
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}

/// Those that termios has.
const RATES: [(u32, BaudRate); 30] = [
    (50, BaudRate::B50),
    (75, BaudRate::B75),
    (110, BaudRate::B110),
    (134, BaudRate::B134),
    (150, BaudRate::B150),
    (200, BaudRate::B200),
    (300, BaudRate::B300),
    (600, BaudRate::B600),
    (1200, BaudRate::B1200),
    (1800, BaudRate::B1800),
    (2400, BaudRate::B2400),
    (4800, BaudRate::B4800),
    (9600, BaudRate::B9600),
    (19_200, BaudRate::B19200),
    (38_400, BaudRate::B38400),
    (57_600, BaudRate::B57600),
    (115_200, BaudRate::B115200),
    (230_400, BaudRate::B230400),
    (460_800, BaudRate::B460800),
    (500_000, BaudRate::B500000),
    (576_000, BaudRate::B576000),
    (921_600, BaudRate::B921600),
    (1_000_000, BaudRate::B1000000),
    (1_152_000, BaudRate::B1152000),
    (1_500_000, BaudRate::B1500000),
    (2_000_000, BaudRate::B2000000),
    (2_500_000, BaudRate::B2500000),
    (3_000_000, BaudRate::B3000000),
    (3_500_000, BaudRate::B3500000),
    (4_000_000, BaudRate::B4000000),
];

impl Port for Serial {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        send(&mut *self.file, bytes)
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        receive(&mut *self.file, buffer, wait)
    }

    fn speed(&self) -> io::Result<u32> {
        bit_rate(&*self.file)
    }

    fn set_speed(&mut self, baud: u32) -> io::Result<()> {
        set_bit_rate(&*self.file, baud)
    }
}
