// SPDX-License-Identifier: MIT OR Apache-2.0
//! The PIN: a locked line accepts nothing else.

use std::rc::Rc;

use nl31_netlink::Transport;

use super::session::Console;
use crate::console::access::{LineLock, PIN_MAX, PinCheck};
use crate::console::editor::{Key, KeyDecoder};
use crate::grammar::codes;

/// The prompt of a locked line; the PIN is not echoed.
pub(super) const PROMPT: &str = "PIN: ";

/// The lock of a line.
#[derive(Debug, Default)]
pub(super) struct Lock {
    pub(super) line_lock: Rc<LineLock>,
    keys: KeyDecoder,
    typed: heapless::String<PIN_MAX>,
    /// The input cannot be the PIN: too long, or not text.
    spoiled: bool,
    /// A PIN was tried.
    tried: bool,
}

impl Lock {
    /// Forgets a half typed PIN.
    pub(super) fn forget(&mut self) {
        self.typed.clear();
        self.spoiled = false;
    }
}

impl<T: Transport> Console<T> {
    /// Sets the lock of this line. To be called before [`Console::start`].
    pub fn set_line_lock(&mut self, line_lock: Rc<LineLock>) {
        self.lock.line_lock = line_lock;
    }

    /// Locks the line if it has a PIN. Edits stay; the unfinished line is dropped.
    pub fn lock(&mut self) {
        if !self.lock.line_lock.lock() {
            return;
        }
        self.editor.forget();
        self.suspend();
        self.data(format_args!(""));
        self.notice(format_args!("locked"));
    }

    /// Whether the line waits for the PIN.
    pub fn is_locked(&self) -> bool {
        self.lock.line_lock.is_locked()
    }

    /// Whether a PIN was tried since the last call: the caller then discards the input that
    /// arrived during the check.
    pub fn pin_tried(&mut self) -> bool {
        std::mem::take(&mut self.lock.tried)
    }

    /// Whether there is a PIN and it was typed.
    pub fn locks_when_idle(&self) -> bool {
        self.lock.line_lock.is_unlocked()
    }

    /// Whether every change is refused here.
    pub fn is_read_only(&self) -> bool {
        self.lock.line_lock.is_read_only()
    }

    pub(super) fn ask_for_pin(&mut self) {
        self.out.raw(PROMPT.as_bytes());
    }

    /// Handles a byte while the line is locked.
    pub(super) fn pin_key(&mut self, byte: u8) {
        let lock = &mut self.lock;
        match lock.keys.byte(byte) {
            // Enter alone is not an attempt.
            Some(Key::Enter) if lock.typed.is_empty() && !lock.spoiled => {}
            Some(Key::Enter) => self.try_pin(),
            Some(Key::Backspace) => {
                lock.typed.pop();
            }
            Some(Key::Ctrl('C' | 'U')) => lock.forget(),
            Some(Key::Char(c)) => lock.spoiled |= lock.typed.push(c).is_err(),
            Some(Key::Invalid) => lock.spoiled = true,
            _ => {}
        }
    }

    fn try_pin(&mut self) {
        let typed = std::mem::take(&mut self.lock.typed);
        let spoiled = std::mem::take(&mut self.lock.spoiled);
        self.data(format_args!(""));
        let pin: &[u8] = if spoiled { b"" } else { typed.as_bytes() };
        let check = self.lock.line_lock.check_pin(pin);
        // The check takes a while and shows nothing. A PIN that is typed once more meanwhile
        // must not become a command, which would be echoed and kept in the history.
        self.input.clear();
        self.lock.tried = true;
        let code = match check {
            PinCheck::Right => {
                log::info!("the PIN was typed on the serial line");
                codes::DONE
            }
            _ => codes::LOCKED_OUT,
        };
        self.status(code, format_args!("{check}"));
    }
}
