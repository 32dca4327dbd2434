// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bit rate of a terminal as a number: also one that has no name in termios.

use std::io;
use std::os::fd::AsFd;

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// The bit rate of the output.
pub fn bit_rate(terminal: &impl AsFd) -> io::Result<u32> {
    Ok(tcgetattr(terminal)?.output_speed())
}

/// Sets the bit rate. Fails if the driver makes one of it that is more than 2 % off, which stays
/// set.
pub fn set_bit_rate(terminal: &impl AsFd, rate: u32) -> io::Result<()> {
    let mut settings = tcgetattr(terminal)?;
    settings.set_speed(rate)?;
    tcsetattr(terminal, OptionalActions::Now, &settings)?;
    let real = bit_rate(terminal)?;
    if real.abs_diff(rate) > rate / 50 {
        let text = format!("the line makes {real} baud of {rate}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}
