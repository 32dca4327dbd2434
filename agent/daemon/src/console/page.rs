// SPDX-License-Identifier: MIT OR Apache-2.0
//! Long output a page at a time, where a person reads it on a terminal of known height:
//! it says so itself, or `terminal` did. Space shows the next page, Enter a further line,
//! `q` ends it. Any other key does too, and is the first one at the prompt, so that
//! nothing of a paste is lost.

use nl31_netlink::Transport;

use super::session::{Console, Running};

/// What stands below a page.
const MORE: &[u8] = b"--more--";
const ERASE: &[u8] = b"\r        \r";

/// The keys that mean something below a page.
const KEYS: &[u8] = b" \r\nqQ";

impl<T: Transport> Console<T> {
    /// Whether long output pauses.
    pub(super) fn pages(&self) -> bool {
        self.rows > 1 && self.interactive()
    }

    /// Whether the next line of output would scroll the first one away.
    pub(super) fn page_is_full(&self) -> bool {
        self.pages()
            && self.printed >= self.rows - 1
            // What is pasted wants no pages.
            && self.input.iter().all(|byte| KEYS.contains(byte))
    }

    /// Holds a command until a key comes. Gives that this needs waiting.
    pub(super) fn pause(&mut self, running: Running) -> bool {
        self.running = Running::Paused(Box::new(running));
        self.draw_more();
        false
    }

    pub(super) fn draw_more(&mut self) {
        self.out.raw(MORE);
    }

    pub(super) fn erase_more(&mut self) {
        self.out.raw(ERASE);
    }

    /// Takes a key below a page; says whether the command goes on.
    pub(super) fn page_key(&mut self) -> bool {
        let rows = if self.stop {
            // What follows Ctrl-C is no key of the page.
            self.rows
        } else {
            match self.input.pop_front() {
                Some(b' ') => self.rows,
                Some(b'\r' | b'\n') => 2,
                Some(byte) => {
                    self.stop = true;
                    if !KEYS.contains(&byte) {
                        let _ = self.input.push_front(byte);
                    }
                    self.rows
                }
                None => return false,
            }
        };
        self.erase_more();
        self.printed = self.rows.saturating_sub(rows);
        true
    }
}
