// SPDX-License-Identifier: MIT OR Apache-2.0
//! The prompt: the name of the board, and the state of its table.
//!
//! ```text
//! NAME[(edit N)][*][!]>
//! ```
//!
//! and a blank. NAME is the configured host name, or that of the board, or `nl31`; N counts the open
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

/// What of the prompt is asked for once a command: notices, which may be many, keep it.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// The host name; empty where the board has none.
    name: heapless::String<NAME_MAX>,
    /// The mark of unsaved changes.
    unsaved: bool,
}

impl<T: Transport> Console<T> {
    /// Lets the editor draw the current prompt, marked by the kernel's answer.
    pub(super) fn renew_prompt(&mut self) {
        // A paste shows no prompt.
        if !self.hurried {
            self.renew_name();
        }
        // During the boot this request would skip answers of the load.
        let asks = !self.hurried && !self.boot_goes_on();
        self.shown.unsaved = asks && self.has_unsaved_changes() == Some(true);
        self.set_prompt();
    }

    fn renew_name(&mut self) {
        let name = &mut self.shown.name;
        name.clear();
        let mut show = |text: &str| {
            let _ = name.push_str(&text[..text.len().min(NAME_MAX)]);
        };
        if let Some(configured) = self.shared.config.host_name() {
            show(configured.as_str());
        } else if self.shared.appliance
            && let Some(name) = system::host_name()
        {
            show(&name);
        }
    }

    /// Lets the editor draw the current prompt below a notice. The generation is that of the
    /// last event, and a mark stays until the next command: so a flood of events neither asks
    /// the kernel nor reads files.
    pub(super) fn renew_prompt_below_notice(&mut self) {
        if !self.shown.unsaved
            && let Some(last) = self.changes.last()
        {
            self.shown.unsaved = self.shared.config.is_unsaved(last);
        }
        self.set_prompt();
    }

    fn set_prompt(&mut self) {
        if let Some(question) = self.question() {
            return self.editor.set_prompt(&question);
        }
        let shown = &self.shown;
        let name = if shown.name.is_empty() {
            NAME
        } else {
            &shown.name
        };
        let mut text = heapless::String::<PROMPT_MAX>::new();
        let _ = text.push_str(name);
        if let Some(candidate) = &self.candidate {
            let _ = write!(text, "(edit {})", candidate.edits());
        }
        if shown.unsaved {
            let _ = text.push('*');
        }
        if self.shared.left().is_some() {
            let _ = text.push('!');
        }
        let _ = text.push_str("> ");
        self.editor.set_prompt(&text);
    }
}
