// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a long step is doing, on standard error: a spinner on a terminal, now and
//! then a line elsewhere. Written past the test harness's capture, so that who runs
//! `cargo test` sees why it takes its time.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cost;

/// How often a step says something where it cannot overwrite its line.
const LINE_EVERY: Duration = Duration::from_secs(20);

/// One step. It appears with its first message, so that a step with nothing to do
/// is not seen.
pub struct Step {
    name: &'static str,
    started: Instant,
    bar: Option<ProgressBar>,
    said: Cell<Option<Instant>>,
}

impl Step {
    /// A step called `name`.
    pub fn new(name: &'static str) -> Self {
        cost::begin();
        let bar = stderr().is_terminal().then(|| {
            let style = "{spinner} {prefix} {msg} ({elapsed})";
            let style = ProgressStyle::with_template(style).expect("a constant template");
            ProgressBar::no_length().with_prefix(name).with_style(style)
        });
        Self {
            name,
            started: Instant::now(),
            bar,
            said: Cell::new(None),
        }
    }

    /// Says something that must be seen.
    pub fn say(&self, text: &str) {
        self.said.set(Some(Instant::now()));
        match &self.bar {
            Some(bar) => {
                bar.enable_steady_tick(Duration::from_millis(100));
                bar.set_message(text.to_owned());
            }
            None => line(&format!("{}: {text}", self.name)),
        }
    }

    /// Says where it is; what comes too fast for the reader is dropped.
    pub fn at(&self, text: &str) {
        let due = self
            .said
            .get()
            .is_none_or(|said| said.elapsed() > LINE_EVERY);
        if self.bar.is_some() || due {
            self.say(&match self.bar {
                Some(_) => text.to_owned(),
                None => format!("{text} ({} s)", self.started.elapsed().as_secs()),
            });
        }
    }

    /// The step is over. Silent if it never said anything.
    pub fn done(self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.said.get().is_some() {
            line(&format!(
                "{}: {text} ({} s)",
                self.name,
                self.started.elapsed().as_secs()
            ));
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(text: &str) {
    // lost if standard error is closed
    let _ = writeln!(stderr(), "{text}");
}
