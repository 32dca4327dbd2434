// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo qemu` with standard input not a terminal: types its lines one at a time and
//! writes a transcript.

use std::io::{BufRead, Write};

use anyhow::Result;

use crate::console::PROMPT;
use crate::guest::Guest;

/// Feeds `input` to the agent of `guest`, one line after the other's reply, and writes
/// each prompt, line and reply to `transcript`. True if no line failed.
pub fn feed(guest: &mut Guest, input: impl BufRead, transcript: &mut impl Write) -> Result<bool> {
    let mut succeeded = true;
    for line in input.split(b'\n') {
        let line = line?;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        transcript.write_all(&[PROMPT.as_bytes(), line].concat())?;
        transcript.write_all(b"\n")?;
        transcript.flush()?;
        let reply = guest.command_bytes(line)?;
        succeeded &= reply.succeeded();
        write!(transcript, "{reply}")?;
        transcript.flush()?;
    }
    Ok(succeeded)
}
