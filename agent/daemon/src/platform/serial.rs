// SPDX-License-Identifier: MIT OR Apache-2.0
//! The terminal: a serial device, or standard input and output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::libc;
use nix::sys::termios::{
    ControlFlags, FlushArg, InputFlags, SetArg, SpecialCharacterIndices, Termios, cfmakeraw,
    tcflush, tcgetattr, tcsetattr,
};

use super::bit_rate::{bit_rate, set_bit_rate};
use super::sandbox::User;

/// File in which the kernel lists its consoles; the last one is `/dev/console`.
const ACTIVE_CONSOLES: &str = "/sys/class/tty/console/active";

/// The terminal to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The kernel's console.
    Auto,
    /// Standard input and output.
    Standard,
    /// This device.
    Device(PathBuf),
}

impl Choice {
    /// Whether this is standard input and output.
    pub fn is_standard(&self) -> bool {
        matches!(self, Self::Standard)
    }
}

impl FromStr for Choice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "-" => Self::Standard,
            path => Self::Device(path.into()),
        })
    }
}

/// An open terminal, pipe or file. A terminal is in raw mode, and restored when dropped.
#[derive(Debug)]
pub struct Serial {
    input: Port,
    /// `None` if input and output are the same.
    output: Option<Port>,
    saved: Option<Termios>,
    /// Path for reopening a device after a hangup.
    path: Option<PathBuf>,
}

#[derive(Debug)]
enum Port {
    Device(File),
    Stdin(io::Stdin),
    Stdout(io::Stdout),
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Device(file) => file.as_fd(),
            Self::Stdin(stdin) => stdin.as_fd(),
            Self::Stdout(stdout) => stdout.as_fd(),
        }
    }
}

/// The result of a read.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// So many bytes.
    Bytes(usize),
    /// No bytes now.
    Nothing,
    /// The line was hung up, or the input has ended.
    End,
}

impl Serial {
    /// Opens a terminal and puts it into raw mode.
    pub fn open(choice: &Choice) -> io::Result<Self> {
        let mut serial = match choice {
            Choice::Standard => Self {
                input: Port::Stdin(io::stdin()),
                output: Some(Port::Stdout(io::stdout())),
                saved: None,
                path: None,
            },
            Choice::Auto => Self::open_device(&active_console()?)?,
            Choice::Device(path) => Self::open_device(path)?,
        };
        serial.make_raw()?;
        Ok(serial)
    }

    fn open_device(path: &Path) -> io::Result<Self> {
        let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path)?;
        Ok(Self {
            input: Port::Device(file),
            output: None,
            saved: None,
            path: Some(path.into()),
        })
    }

    /// The device; `None` for standard input and output.
    pub fn device(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Makes a user the owner of the device, so that this user can reopen it. Standard input
    /// and output keep their owner.
    pub fn give_to(&self, user: User) -> io::Result<()> {
        match self.path {
            Some(_) => user.own(&self.input),
            None => Ok(()),
        }
    }

    /// Whether the input may come from a person.
    pub fn is_terminal(&self) -> bool {
        self.saved.is_some()
    }

    fn make_raw(&mut self) -> io::Result<()> {
        let saved = match tcgetattr(&self.input) {
            Ok(saved) => saved,
            // A pipe or a file.
            Err(_) if self.output.is_some() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut raw = saved.clone();
        // Bit rate, parity and hardware flow control stay as the kernel set them.
        let kept = raw.control_flags & (ControlFlags::CSIZE | ControlFlags::PARENB);
        cfmakeraw(&mut raw);
        raw.control_flags
            .remove(ControlFlags::CSIZE | ControlFlags::PARENB);
        raw.control_flags
            .insert(kept | ControlFlags::CREAD | ControlFlags::CLOCAL);
        // The end of a terminal program must not hang up the line.
        raw.control_flags.remove(ControlFlags::HUPCL);
        // No XON/XOFF: Ctrl-S must not stop the console, and frames are binary. A break is
        // ignored.
        raw.input_flags
            .remove(InputFlags::IXON | InputFlags::IXOFF | InputFlags::IXANY);
        raw.input_flags.insert(InputFlags::IGNBRK);
        raw.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        raw.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        // Without waiting for output: a line stopped by Ctrl-S would block for ever, and this
        // call restarts it.
        tcsetattr(&self.input, SetArg::TCSANOW, &raw)?;
        self.saved = Some(saved);
        Ok(())
    }

    /// Bits a second, of a terminal.
    pub fn speed(&self) -> io::Result<u32> {
        bit_rate(&self.input)
    }

    /// Sets the bits a second. After an error they are not what they were.
    pub fn set_speed(&mut self, baud: u32) -> io::Result<()> {
        set_bit_rate(&self.input, baud)
    }

    /// Fails if the terminal cannot have this speed; its own stays.
    pub fn try_speed(&mut self, baud: u32) -> io::Result<()> {
        let own = self.speed()?;
        let tried = self.set_speed(baud);
        self.set_speed(own)?;
        tried
    }

    /// Bytes that the driver has not sent yet; 0 if it does not tell.
    pub fn unsent(&self) -> usize {
        let mut count = 0;
        // SAFETY: `count` is what the request fills, and outlives the call.
        match unsafe { ioctl::tiocoutq(self.output().as_raw_fd(), &raw mut count) } {
            Ok(_) => usize::try_from(count).unwrap_or(0),
            Err(_) => 0,
        }
    }

    /// Discards unread input of a terminal.
    pub fn discard_input(&self) {
        if self.is_terminal() {
            // Fails only after a hangup.
            let _ = tcflush(&self.input, FlushArg::TCIFLUSH);
        }
    }

    /// The input.
    pub fn input(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }

    /// The output.
    pub fn output(&self) -> BorrowedFd<'_> {
        self.output.as_ref().unwrap_or(&self.input).as_fd()
    }

    /// Columns and rows of the terminal; 0 if it does not report them, as over a serial line.
    pub fn size(&self) -> (usize, usize) {
        window_size(self.output().as_raw_fd())
    }

    /// Reads available bytes. Poll standard input first.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Input> {
        let result = match &mut self.input {
            Port::Device(file) => file.read(buffer),
            // Not through `io::Stdin`: its buffer would hide bytes from poll().
            port => nix::unistd::read(port.as_fd(), buffer).map_err(io::Error::from),
        };
        match result {
            Ok(0) => Ok(Input::End),
            Ok(len) => Ok(Input::Bytes(len)),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR) => Ok(Input::Nothing),
                Some(libc::EIO) => Ok(Input::End),
                _ => Err(error),
            },
        }
    }

    /// Writes without waiting; gives the number of bytes, which may be 0.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Standard output may be blocking: a short write after poll() does not block.
        let short = &bytes[..bytes.len().min(512)];
        let result = match &mut self.input {
            Port::Device(file) => file.write(bytes),
            _ => nix::unistd::write(self.output(), short).map_err(io::Error::from),
        };
        match result {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => Ok(0),
            result => result,
        }
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        if let Some(saved) = &self.saved {
            // Fails only after a hangup.
            let _ = tcsetattr(&self.input, SetArg::TCSANOW, saved);
        }
    }
}

fn active_console() -> io::Result<PathBuf> {
    let consoles = fs::read_to_string(ACTIVE_CONSOLES)?;
    let name = consoles.split_ascii_whitespace().last().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "the kernel has no console: use --serial PATH",
        )
    })?;
    Ok(Path::new("/dev").join(name))
}

mod ioctl {
    use nix::libc;

    nix::ioctl_read_bad!(tiocgwinsz, libc::TIOCGWINSZ, libc::winsize);
    nix::ioctl_read_bad!(tiocoutq, libc::TIOCOUTQ, libc::c_int);
}

fn window_size(fd: RawFd) -> (usize, usize) {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: `size` is what the request fills, and outlives the call.
    match unsafe { ioctl::tiocgwinsz(fd, &mut size) } {
        Ok(_) => (size.ws_col.into(), size.ws_row.into()),
        Err(_) => (0, 0),
    }
}
