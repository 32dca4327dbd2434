// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tab and `?`: what may stand at the cursor.

use std::fmt::Write as _;

use nl31_netlink::Transport;

use super::Console;
use crate::editor::Line;
use crate::grammar;

/// Candidates listed for `?` and Tab.
const CANDIDATES_MAX: usize = 40;

impl<T: Transport> Console<T> {
    /// Lists what may stand at the cursor, or takes the `?` as text.
    pub(super) fn explain(&mut self) {
        let left = self.editor.left();
        if grammar::in_text(left) {
            self.editor.insert("?", &mut self.out);
            return;
        }
        let left = Line::try_from(left).unwrap_or_default();
        self.editor.leave(&mut self.out);
        self.list(&left);
        self.editor.redraw(&mut self.out);
    }

    /// Completes the word at the cursor as far as it is clear, else lists what it
    /// could be.
    pub(super) fn complete(&mut self) {
        let left = Line::try_from(self.editor.left()).unwrap_or_default();
        let begun = left
            .rfind(|c: char| c.is_ascii_whitespace())
            .map_or(0, |space| space + 1);
        let word = &left[begun..];
        let mut common: Option<heapless::String<64>> = None;
        let mut count = 0;
        grammar::candidates(&left, &*self.devices, &mut |candidate| {
            if !candidate.literal || !candidate.text.starts_with(word) {
                return;
            }
            count += 1;
            match &mut common {
                None => common = heapless::String::try_from(candidate.text).ok(),
                Some(common) => {
                    let same = common.chars().zip(candidate.text.chars());
                    let same = same
                        .take_while(|(a, b)| a == b)
                        .map(|(a, _)| a.len_utf8())
                        .sum();
                    common.truncate(same);
                }
            }
        });
        let common = common.unwrap_or_default();
        let rest = common.get(word.len()..).unwrap_or("");
        let mut text = heapless::String::<65>::new();
        let _ = text.push_str(rest);
        if count == 1 {
            let _ = text.push(' ');
        }
        if text.is_empty() {
            self.editor.leave(&mut self.out);
            self.list(&left);
            self.editor.redraw(&mut self.out);
        } else {
            self.editor.insert(&text, &mut self.out);
        }
    }

    /// Lists what may stand where `left` ends.
    fn list(&mut self, left: &str) {
        let begun = left
            .rfind(|c: char| c.is_ascii_whitespace())
            .map_or(0, |space| space + 1);
        let word = &left[begun..];
        let mut listed = 0;
        let out = &mut self.out;
        grammar::candidates(left, &*self.devices, &mut |candidate| {
            if candidate.literal && !candidate.text.starts_with(word) {
                return;
            }
            listed += 1;
            if listed <= CANDIDATES_MAX {
                let _ = match candidate.help {
                    "" => writeln!(out, "  {}", candidate.text),
                    help => writeln!(out, "  {:12} {help}", candidate.text),
                };
            }
        });
        if listed > CANDIDATES_MAX {
            self.data(format_args!("  and {} more", listed - CANDIDATES_MAX));
        } else if listed == 0 {
            self.data(format_args!("  nothing is expected here"));
        }
    }
}
