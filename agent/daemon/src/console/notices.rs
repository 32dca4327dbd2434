// SPDX-License-Identifier: MIT OR Apache-2.0
//! Unsolicited lines: changes of the table, and notices.

use std::fmt;

use nl31_netlink::abi::NLM_F_REPLACE;
use nl31_netlink::{Body, Message, Transport};

use super::editor::Editor;
use super::info::on_off;
use super::session::{Console, Running};
use crate::platform::devices::Cached;

impl<T: Transport> Console<T> {
    /// Passes on an event of the kernel.
    pub fn event(&mut self, message: &Message) {
        let (verb, event) = match &message.body {
            Body::NewRoute(event) if message.header.flags & NLM_F_REPLACE != 0 => {
                ("replaced", event)
            }
            Body::NewRoute(event) => ("added", event),
            Body::DelRoute(event) => ("deleted", event),
            Body::Table(table) => {
                if self.monitoring {
                    let (limit, multipath) = (table.max_routes, on_off(table.multipath));
                    self.notice(format_args!(
                        "table changed: limit {limit} routes, multipath {multipath}"
                    ));
                }
                return;
            }
            _ => return,
        };
        let Some(lost) = event
            .generation
            .and_then(|number| self.changes.hear(number))
        else {
            return;
        };
        self.show_lost(lost);
        if self.monitoring {
            let route = Cached::new(&*self.devices).named(event.route.clone());
            self.notice(format_args!("{verb} {route}"));
        }
    }

    /// Events were lost. The agent keeps no copy of the table, so it only has to learn the
    /// table's generation.
    pub fn events_lost(&mut self) {
        self.behind = true;
        self.catch_up();
    }

    /// An event was not shown because the output was full.
    pub fn missed(&mut self) {
        self.behind = true;
    }

    /// Asks for the table's generation once no command runs: the request would skip answers
    /// that a command or the boot waits for.
    pub(super) fn catch_up(&mut self) {
        if !self.behind || !matches!(self.running, Running::Nothing) || self.boot_goes_on() {
            return;
        }
        self.behind = false;
        let now = self.client.as_mut().and_then(|client| client.table().ok());
        let Some(now) = now else { return };
        let lost = self.changes.catch_up(now.generation);
        self.show_lost(lost);
        let lost = self.changes.lost();
        log::warn!("changes arrive faster than they are read; {lost} lost so far");
    }

    pub(super) fn show_lost(&mut self, lost: u64) {
        let changes = match lost {
            0 => return,
            1 => "change",
            _ => "changes",
        };
        if self.monitoring {
            self.notice(format_args!(
                "{lost} {changes} arrived too fast to be shown; see `route show`"
            ));
        }
    }

    /// Whether the prompt is shown.
    pub(super) fn is_at_prompt(&self) -> bool {
        self.prompted && matches!(self.running, Running::Nothing)
    }

    /// Prints a notice.
    pub fn notice(&mut self, text: fmt::Arguments<'_>) {
        let at_prompt = self.is_at_prompt();
        let at_page = matches!(self.running, Running::Paused(_));
        if at_prompt && self.is_locked() {
            self.out.raw(b"\r\n");
        } else if at_prompt {
            self.draw(Editor::erase);
        } else if at_page {
            self.erase_more();
        }
        self.data(format_args!("* {text}"));
        if at_prompt && self.is_locked() {
            self.ask_for_pin();
        } else if at_prompt {
            self.renew_prompt_below_notice();
            self.draw(Editor::redraw);
        } else if at_page {
            self.draw_more();
        }
    }
}
