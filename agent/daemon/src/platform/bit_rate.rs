// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bit rate of a terminal as a number: also one that has no name in termios.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `struct termios2` of `asm-generic/termbits.h`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Termios2 {
    iflag: u32,
    oflag: u32,
    cflag: u32,
    lflag: u32,
    line: u8,
    cc: [u8; 19],
    ispeed: u32,
    ospeed: u32,
}

/// The bits of the rate in `cflag`, and those that say that it stands in `ospeed`.
const CBAUD: u32 = 0o10_017;
const BOTHER: u32 = 0o10_000;
/// Where the bits of the rate of the input are; 0 is that of the output.
const IBSHIFT: u32 = 16;

mod ioctl {
    use super::Termios2;

    nix::ioctl_read!(tcgets2, b'T', 0x2a, Termios2);
    nix::ioctl_write_ptr!(tcsets2, b'T', 0x2b, Termios2);
}

fn settings(terminal: &impl AsFd) -> io::Result<Termios2> {
    let mut settings = Termios2::default();
    // SAFETY: `settings` is what the request fills, and outlives the call.
    unsafe { ioctl::tcgets2(terminal.as_fd().as_raw_fd(), &raw mut settings) }?;
    Ok(settings)
}

/// The bit rate of the output.
pub fn bit_rate(terminal: &impl AsFd) -> io::Result<u32> {
    Ok(settings(terminal)?.ospeed)
}

/// Sets the bit rate. Fails if the driver makes one of it that is more than 2 % off, which stays
/// set.
pub fn set_bit_rate(terminal: &impl AsFd, rate: u32) -> io::Result<()> {
    let mut settings = settings(terminal)?;
    settings.cflag &= !(CBAUD | CBAUD << IBSHIFT);
    settings.cflag |= BOTHER;
    (settings.ispeed, settings.ospeed) = (rate, rate);
    // SAFETY: the request reads `settings`, which outlives the call.
    unsafe { ioctl::tcsets2(terminal.as_fd().as_raw_fd(), &raw const settings) }?;
    let real = bit_rate(terminal)?;
    if real.abs_diff(rate) > rate / 50 {
        let text = format!("the line makes {real} baud of {rate}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}
