// SPDX-License-Identifier: MIT OR Apache-2.0
//! The prompt: the name of the board, and the state of its table.
//!
//! ```text
//! NAME[(edit N)][*][!]>
//! ```
//!
//! and a blank. NAME is the host name, or `nl31` where the board has none; N counts the open
//! edits; `*` marks changes that are not saved; `!` marks a commit that waits for `confirm`.
//! A script finds it by the pattern `^[^ ()]+(\(edit [0-9]+\))?\*?!?> $`.

use std::fmt::Write as _;

use nl31_netlink::Transport;

use super::editor::PROMPT_MAX;
use super::session::Console;
use crate::platform::system;

/// The prompt while the board has no name and nothing is open.
pub const PROMPT: &str = "nl31> ";

/// The name in [`PROMPT`].
const NAME: &str = "nl31";

/// Longer names are cut.
const NAME_MAX: usize = 32;

impl<T: Transport> Console<T> {
    /// Lets the editor draw the current prompt, marked by the kernel's answer.
    pub(super) fn renew_prompt(&mut self) {
        // During the boot this request would skip answers of the load; a paste shows no prompt.
        let asks = !self.hurried && !self.boot_goes_on();
        let unsaved = asks && self.has_unsaved_changes() == Some(true);
        self.set_prompt(unsaved);
    }

    /// The same with the mark of the last event, without asking the kernel for each of many
    /// events.
    pub(super) fn renew_prompt_below_notice(&mut self) {
        let last = self.changes.last();
        let unsaved = last.is_some_and(|last| self.shared.config.is_unsaved(last));
        self.set_prompt(unsaved);
    }

    fn set_prompt(&mut self, unsaved: bool) {
        let name = match self.shared.appliance {
            true => system::host_name(),
            false => None,
        };
        let name = name.as_deref().unwrap_or(NAME);
        let mut text = heapless::String::<PROMPT_MAX>::new();
        let _ = text.push_str(&name[..name.len().min(NAME_MAX)]);
        if let Some(candidate) = &self.candidate {
            let _ = write!(text, "(edit {})", candidate.edits());
        }
        if unsaved {
            let _ = text.push('*');
        }
        if self.shared.left().is_some() {
            let _ = text.push('!');
        }
        let _ = text.push_str("> ");
        self.editor.set_prompt(&text);
    }
}
