// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a feed prints: notices, and now and then a line of its counters if they have changed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::Error;
use crate::feed::shared::Shared;
use crate::output::Output;

/// Counters of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counters {
    peer: Option<String>,
    routes: usize,
    backlog: usize,
    sent: u64,
    set_aside: u64,
    passed_over: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Status {
    interval: Duration,
    counters: Counters,
    /// The last line, and when it was printed.
    shown: Option<(Counters, Instant)>,
    /// What was refused since then is told once.
    told: Option<String>,
}

impl Status {
    /// A line at most so often.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            counters: Counters::default(),
            shown: None,
            told: None,
        }
    }

    /// So many more routes were sent.
    pub fn sent(&mut self, count: u64) {
        self.counters.sent += count;
        self.told = None;
    }

    /// So many routes were refused by the board.
    pub fn set_aside(&mut self, count: u64) {
        self.counters.set_aside += count;
    }

    /// Prints a notice, unless it was the last one and nothing was sent since.
    pub fn notice(&mut self, text: &str, out: &mut Output<'_>) -> Result<(), Error> {
        if self.told.as_deref() == Some(text) {
            return Ok(());
        }
        self.told = Some(text.into());
        match out.is_json() {
            true => out.line(format_args!("{}", json!({ "notice": text })))?,
            false => out.say(format_args!("{text}"))?,
        }
        out.flush_now()
    }

    /// Prints the counters, if they have changed and it is time.
    pub fn show(&mut self, shared: &Shared, out: &mut Output<'_>) -> Result<(), Error> {
        let since = self.shown.as_ref().map(|(_, at)| at.elapsed());
        if since.is_some_and(|since| since < self.interval) {
            return Ok(());
        }
        {
            let mut state = shared.lock();
            self.counters.peer = state.peer.clone();
            self.counters.routes = state.source.shadow().routes();
            self.counters.backlog = state.source.shadow().backlog();
            self.counters.passed_over = state.source.counts().passed_over.values().sum();
        }
        let now = Instant::now();
        let before = self.shown.replace((self.counters.clone(), now));
        if before.as_ref().map(|(before, _)| before) == Some(&self.counters) {
            return Ok(());
        }
        let rate = before.map_or(0, |(before, at)| {
            let seconds = now.duration_since(at).as_secs_f64();
            ((self.counters.sent - before.sent) as f64 / seconds) as u64
        });
        match out.is_json() {
            true => out.line(format_args!("{}", self.counters.json(rate)))?,
            false => out.say(format_args!("{}", self.counters.text(rate)))?,
        }
        out.flush_now()
    }
}

impl Counters {
    fn json(&self, rate: u64) -> Value {
        json!({
            "source": self.peer,
            "routes": self.routes,
            "backlog": self.backlog,
            "sent": self.sent,
            "rate": rate,
            "passed-over": self.passed_over,
            "set-aside": self.set_aside,
        })
    }

    fn text(&self, rate: u64) -> String {
        let source = match &self.peer {
            Some(_) => "connected",
            None => "not connected",
        };
        let Self {
            routes,
            backlog,
            sent,
            ..
        } = self;
        let mut text =
            format!("{source}: {routes} routes, {backlog} waiting, {sent} sent, {rate}/s");
        for (count, what) in [
            (self.passed_over, "passed over"),
            (self.set_aside, "set aside"),
        ] {
            if count > 0 {
                text += &format!(", {count} {what}");
            }
        }
        text
    }
}
