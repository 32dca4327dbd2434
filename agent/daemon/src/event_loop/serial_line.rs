// SPDX-License-Identifier: MIT OR Apache-2.0
//! The serial line: reopened after a hangup, shared by a person and a program.

use std::io;
use std::time::{Duration, Instant};

use nl31_wire::limits::SILENCE_MS;
use nl31_wire::{Heard, Line, Silence};

use super::agent::Agent;
use super::line_speed::LineSpeed;
use super::retry::Retry;
use super::stall::{self, Stall};
use crate::platform::serial::{Input, Serial};

/// Longest gap within a program's frame.
pub(super) const SILENCE: Duration = Duration::from_millis(SILENCE_MS as u64);

/// How long a line with a PIN stays unlocked without input.
const IDLE: Duration = Duration::from_secs(600);

impl Agent {
    /// Time until an unlocked line is locked again for want of input.
    pub(super) fn idle(&self) -> Option<Duration> {
        let lockable = self.serial.is_some() && self.console.locks_when_idle();
        lockable.then(|| IDLE.saturating_sub(self.heard.max(self.worked).elapsed()))
    }

    /// Returns to text after a program has left, or when a person types.
    pub(super) fn give_line_back(&mut self) {
        if self.program.left() && !self.program.pending() {
            if !self.speed.is_own() {
                // The answer may be on its way at the other one.
                return;
            }
            self.line.leave();
        } else if !self.line.begun() || self.heard.elapsed() < SILENCE {
            return;
        } else {
            match self.line.silence() {
                Silence::Nothing => return,
                Silence::Text(byte) => return self.console.feed(&[byte]),
                Silence::Person => {}
            }
        }
        self.own_speed();
        self.program.reset();
        self.console.restart();
    }

    pub(super) fn open_serial(&mut self) {
        match Serial::open(&self.options.serial) {
            Ok(serial) => {
                log::info!("serial line is open");
                let (columns, rows) = serial.size();
                self.console.set_size(columns, rows);
                self.program.set_line_with_speed(serial.is_terminal());
                self.serial = Some(serial);
                self.serial_retry = Retry::now();
                self.console.restart();
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied && self.confined {
                    // A new device belongs to root: the next agent opens it before it gives
                    // up root.
                    log::warn!("serial line: {error}: starting over as root");
                    self.terminated = true;
                }
                if self.serial_retry.pause == Retry::FIRST {
                    log::error!("serial line: {error}");
                }
                self.serial_retry.later();
            }
        }
    }

    /// Closes a line that failed; it is opened again later.
    pub(super) fn hung_up(&mut self) {
        if self.options.serial.is_standard() {
            self.console.end_of_input();
            return;
        }
        log::warn!("serial line hung up");
        // The next user may be another person.
        self.console.lock();
        self.serial = None;
        self.speed = LineSpeed::default();
        self.stall = Stall::default();
        self.line = Line::new();
        self.program.reset();
        self.serial_retry.later();
    }

    pub(super) fn write(&mut self) {
        if self.serial.is_none() {
            // No reader is left; events must not wait for room in this output.
            self.console.out().clear();
        }
        while let Some(serial) = &mut self.serial {
            let mut out = self.console.out();
            if self.line.frames() {
                // No reader is left.
                out.clear();
                self.program.tells();
                out = self.program.out();
            }
            if out.pending().is_empty() {
                return;
            }
            match serial.write(out.pending()) {
                Ok(0) => {
                    let pending = out.pending().len();
                    let held = !self.options.serial.is_standard();
                    if held && self.stall.blocked(pending, Instant::now()) {
                        out.clear();
                    }
                    return;
                }
                Ok(len) => {
                    out.consume(len);
                    self.tell_of_stall();
                }
                Err(error) => {
                    log::warn!("serial line: {error}");
                    out.clear();
                    // No reader of the replies is left: skip the remaining commands.
                    self.terminated = self.options.serial.is_standard();
                    self.hung_up();
                    return;
                }
            }
            if self.options.serial.is_standard() {
                // One short write; poll() then tells whether the line takes more.
                return;
            }
        }
    }

    /// The line takes output again: reports how much was dropped.
    pub(super) fn tell_of_stall(&mut self) {
        let dropped = self.stall.took();
        if dropped == 0 {
            return;
        }
        let seconds = stall::LIMIT.as_secs();
        log::warn!("serial line: took no output for {seconds} s; {dropped} bytes were dropped");
        if !self.line.frames() {
            self.console.notice(format_args!(
                "the terminal took no output for {seconds} s; {dropped} bytes were dropped"
            ));
        }
    }

    /// Bytes that may be read from the serial line.
    pub(super) fn wants(&self) -> usize {
        if self.line.frames() {
            return self.program.wants();
        }
        if self.console.input_ended() {
            return 0;
        }
        self.console.wants().min(self.program.wants())
    }

    /// Handles bytes of the serial line.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        if !self.serial.as_ref().is_some_and(Serial::is_terminal) {
            return self.console.feed(bytes);
        }
        for &byte in bytes {
            let text = !self.line.frames();
            match self.line.byte(byte) {
                Heard::Nothing => {}
                Heard::Text(typed) => self.console.feed(typed),
                Heard::Frame(frame) => {
                    if text {
                        // A program's first frame: no echo, no prompt, no text from now on.
                        self.console.suspend();
                    }
                    self.program.frame(Ok(&frame));
                    self.agree_on_speed();
                }
                Heard::Bad(error) => self.program.frame(Err(error)),
            }
        }
        // Only now: bytes that arrived during a frame's work are not preceded by a silence.
        self.heard = Instant::now();
    }

    pub(super) fn read(&mut self) {
        // Bytes after a program's Bye belong to a person.
        self.give_line_back();
        let mut buffer = [0; 1024];
        let room = self.wants().min(buffer.len());
        let Some(serial) = &mut self.serial else {
            return;
        };
        match serial.read(&mut buffer[..room]) {
            Ok(Input::Bytes(len)) => self.hear(&buffer[..len]),
            Ok(Input::Nothing) => {}
            Ok(Input::End) => self.hung_up(),
            Err(error) => {
                log::warn!("serial line: {error}");
                self.hung_up();
            }
        }
    }
}
