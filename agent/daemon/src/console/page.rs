// SPDX-License-Identifier: MIT OR Apache-2.0
//! Long output a page at a time, for a person whose terminal has a known height: reported by
//! the terminal, or set by `terminal`. Space shows the next page, Enter the next line, `q`
//! ends the output. Any other key ends it too and goes to the prompt, so that no byte of a
//! paste is lost.

use nl31_netlink::Transport;

use super::session::{Console, Running};

/// The line below a page.
const MORE: &[u8] = b"--more--";
const ERASE: &[u8] = b"\r        \r";

/// The keys that are handled below a page.
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
            // A paste is not paged.
            && self.input.iter().all(|byte| KEYS.contains(byte))
    }

    /// Suspends a command until a key arrives. Gives `false`: the caller has to wait.
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

    /// Handles a key below a page; gives whether the command continues.
    pub(super) fn page_key(&mut self) -> bool {
        let rows = if self.stop {
            // Keys after Ctrl-C go to the prompt.
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
