// SPDX-License-Identifier: MIT OR Apache-2.0
//! The PIN: until it is typed, nothing else is heard on the line.

use std::rc::Rc;

use nl31_netlink::Transport;

use super::session::Console;
use crate::console::access::{Attempt, Gate, NotThePin, PIN_MAX};
use crate::grammar::codes;

/// Where the PIN is typed, unseen.
const PROMPT: &[u8] = b"PIN: ";

/// The lock of a line.
#[derive(Debug, Default)]
pub(super) struct Lock {
    pub(super) gate: Rc<Gate>,
    typed: heapless::Vec<u8, PIN_MAX>,
    too_long: bool,
}

impl Lock {
    /// Forgets what was typed of a PIN.
    pub(super) fn forget(&mut self) {
        self.typed.clear();
        self.too_long = false;
    }
}

impl<T: Transport> Console<T> {
    /// Says who may do what here. To be called before [`Console::start`].
    pub fn set_gate(&mut self, gate: Rc<Gate>) {
        self.lock.gate = gate;
    }

    /// Asks for the PIN from now on, if there is one. Edits stay; what was typed is
    /// forgotten.
    pub fn lock(&mut self) {
        if !self.lock.gate.lock() {
            return;
        }
        self.editor.forget();
        self.suspend();
        self.data(format_args!(""));
        self.notice(format_args!("locked"));
    }

    /// Whether a PIN is to be typed first.
    pub fn is_locked(&self) -> bool {
        self.lock.gate.is_locked()
    }

    /// Whether there is a PIN, and it was typed.
    pub fn locks_when_idle(&self) -> bool {
        self.lock.gate.is_unlocked()
    }

    /// Whether nothing may be changed here.
    pub fn is_read_only(&self) -> bool {
        self.lock.gate.is_read_only()
    }

    pub(super) fn ask_for_pin(&mut self) {
        self.out.raw(PROMPT);
    }

    /// Takes a key of the PIN.
    pub(super) fn pin_key(&mut self, byte: u8) {
        let lock = &mut self.lock;
        match byte {
            // A line's end that follows another one is no empty PIN.
            b'\r' | b'\n' if lock.typed.is_empty() => {}
            b'\r' | b'\n' => self.try_pin(),
            0x08 | 0x7f => {
                lock.typed.pop();
            }
            0x03 | 0x15 => lock.forget(),
            0x20.. => lock.too_long |= lock.typed.push(byte).is_err(),
            _ => {}
        }
    }

    fn try_pin(&mut self) {
        let typed = std::mem::take(&mut self.lock.typed);
        let too_long = std::mem::take(&mut self.lock.too_long);
        self.data(format_args!(""));
        let pin: &[u8] = if too_long { b"" } else { &typed };
        match self.lock.gate.attempt(pin) {
            Attempt::Right => {
                log::info!("the PIN was typed on the serial line");
                self.status(codes::DONE, format_args!("unlocked until `exit` or Ctrl-D"));
            }
            Attempt::Wrong(pause) => {
                self.status(codes::LOCKED_OUT, format_args!("{}", NotThePin(pause)));
            }
        }
    }
}
