// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo qemu` on a terminal: the terminal is the serial line.

use std::io::{Read, Write, stdin, stdout};
use std::os::fd::AsFd;

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{self, SetArg, Termios};

use crate::channel::Channel;

/// Ctrl-], as telnet has it.
const QUIT: u8 = 0x1d;

/// The terminal in raw mode, for as long as this lives.
struct Raw(Termios);

impl Raw {
    fn new() -> Result<Self> {
        let before = termios::tcgetattr(stdin()).context("standard input is no terminal")?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(stdin(), SetArg::TCSANOW, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // nothing is left to be done if the terminal is gone
        let _ = termios::tcsetattr(stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

/// Passes bytes between the terminal and `console`, until Ctrl-] is typed or the guest
/// is off.
pub fn attach(console: &mut Channel) -> Result<()> {
    eprintln!("nl31 boots; Ctrl-] switches it off.");
    let raw = Raw::new()?;
    let outcome = pass(console);
    drop(raw);
    eprintln!();
    outcome
}

fn pass(console: &mut Channel) -> Result<()> {
    let mut unsent = Vec::new();
    let mut buffer = [0; 4096];
    while console.is_open() {
        let flags = if unsent.is_empty() {
            PollFlags::POLLIN
        } else {
            PollFlags::POLLIN | PollFlags::POLLOUT
        };
        let input = stdin();
        let mut fds = [
            PollFd::new(console.as_fd(), flags),
            PollFd::new(input.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => bail!("cannot wait for the terminal: {error}"),
        }
        let typed = fds[1].revents().is_some_and(|events| !events.is_empty());

        let mut shown = Vec::new();
        console.drain(&mut shown);
        stdout().write_all(&shown)?;
        stdout().flush()?;
        if typed && unsent.len() < buffer.len() {
            let count = input.lock().read(&mut buffer)?;
            if count == 0 || buffer[..count].contains(&QUIT) {
                return Ok(());
            }
            unsent.extend_from_slice(&buffer[..count]);
        }
        let sent = console.send(&unsent);
        unsent.drain(..sent);
    }
    Ok(())
}
