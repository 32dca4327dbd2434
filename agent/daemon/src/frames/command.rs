// SPDX-License-Identifier: MIT OR Apache-2.0
//! Console commands of a program: one line in, its output in parts.

use std::rc::Rc;
use std::time::{Duration, Instant};

use nl31_netlink::Transport;
use nl31_wire::limits::BODY_MAX;
use nl31_wire::{Response, code};

use super::host::Host;
use super::refusal::{Refusal, Refused};
use super::session::{Open, Program};
use crate::console::access::{Access, LineLock};
use crate::console::{Console, Peer};

/// Bytes of console output in one part.
const TEXT_PART: usize = BODY_MAX - 3;

/// Time for one part, which may be empty then: the agent has other sessions and a watchdog.
const PART_TIME: Duration = Duration::from_millis(20);

impl<H: Host> Program<H> {
    pub(super) fn line(&mut self, text: &str) -> Refused<()> {
        if text.contains(|c: char| c.is_control()) {
            let what = format_args!("a line of text has no control characters");
            return Err(Refusal::new(code::BAD_MESSAGE, what));
        }
        if !matches!(self.open, Open::Text(_)) {
            let mut console = Box::new(Console::new(
                self.host.devices(),
                None,
                Peer::Script,
                self.host.shared(),
            ));
            let access = Access::without_pin(self.line_lock.is_read_only());
            console.set_line_lock(Rc::new(LineLock::new(access)));
            self.open = Open::Text(console);
        }
        if let Open::Text(console) = &mut self.open {
            // An idle console may be monitoring. A running command is stopped, and the rest of
            // its output dropped.
            if !console.idle() {
                stop(console);
            } else if std::mem::take(&mut self.unfetched) && !console.monitors() {
                console.out().clear();
            }
            if !console.attached() {
                match self.host.connect() {
                    Ok(client) => console.attach(client),
                    // Without a kernel the console itself reports it.
                    Err(error) => log::debug!("{error}"),
                }
            }
            console.feed(text.as_bytes());
            console.feed(b"\n");
        }
        self.next()
    }

    /// Answers with the next part of a command's output.
    pub(super) fn next_text(&mut self, mut console: Box<Console<H::Transport>>) -> Refused<()> {
        let started = Instant::now();
        while console.out().pending().len() < TEXT_PART
            && console.work()
            && started.elapsed() < PART_TIME
        {}
        let idle = console.idle();
        let pending = console.out().pending();
        let len = pending.len().min(TEXT_PART);
        let last = idle && len == pending.len();
        self.answer(&Response::Output {
            text: &pending[..len],
            last,
        });
        console.out().consume(len);
        self.unfetched = !last;
        self.open = Open::Text(console);
        Ok(())
    }
}

/// Ends the running command; closing its socket ends the kernel's work for it. Open edits
/// stay.
pub(super) fn stop<T: Transport>(console: &mut Console<T>) {
    console.suspend();
    console.detach();
}
