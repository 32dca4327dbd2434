// SPDX-License-Identifier: MIT OR Apache-2.0
//! `log --follow`: what the agent logs from now on, over several sessions.
//!
//! The agent numbers the lines of its log and keeps the last ones. They are asked for once in an
//! interval, from the first one that was not printed: so a lost session costs none of the lines
//! that the agent still has, and a gap between the numbers tells how many it has no more.

use std::time::Duration;

use serde_json::{Value, json};

use super::console;
use crate::error::Error;
use crate::interrupt;
use crate::link::Link;
use crate::output::{Output, counted};
use crate::port::Port;

/// Time between two requests.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// How far the log was printed.
#[derive(Debug, Default)]
pub struct Follow {
    /// The agent's run and the number of its next line; at first unknown.
    place: Option<(u64, u64)>,
}

impl Follow {
    /// Prints lines until the link fails, or `out`.
    pub fn run<P: Port>(
        &mut self,
        link: &mut Link<P>,
        interval: Duration,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        loop {
            self.ask(link, out)?;
            interrupt::pause(interval)?;
        }
    }

    /// Prints the lines since the last call; the first call prints none.
    pub fn ask<P: Port>(&mut self, link: &mut Link<P>, out: &mut Output<'_>) -> Result<(), Error> {
        let run = link.agent().boot;
        let mut next = match self.place {
            // Beyond the last line: the answer tells the next one.
            None => u64::MAX,
            Some((before, next)) if before == run => next,
            Some(_) => {
                restarted(out)?;
                0
            }
        };
        let is_first = self.place.is_none();
        let line = format!("log from {next}");
        console::each(link, &line, out, &mut |out, line| {
            let value: Value = serde_json::from_str(line).map_err(|_| Error::Unexpected)?;
            let number = |name: &str| value[name].as_u64();
            let (number, is_line) = match (number("number"), number("next")) {
                (Some(number), _) => (number, true),
                (None, Some(next)) => (next, false),
                (None, None) => return Err(Error::Unexpected),
            };
            match number.checked_sub(next) {
                Some(count @ 1..) => lost(count, out)?,
                Some(0) => {}
                None if is_first => {}
                None => return Err(Error::Unexpected),
            }
            next = number + u64::from(is_line);
            self.place = Some((run, next));
            match (is_line, out.is_json()) {
                (true, true) => out.line(format_args!("{line}")),
                (true, false) => out.line(format_args!("{}", text(&value))),
                (false, _) => Ok(()),
            }
        })?;
        out.flush_now()
    }
}

/// A line as the agent shows it to people.
fn text(value: &Value) -> String {
    let text = value["text"].as_str().unwrap_or_default();
    match (value["uptime"].as_f64(), value["level"].as_str()) {
        (Some(uptime), Some(level)) => format!("[{uptime:9.3}] {level} {text}"),
        _ => text.into(),
    }
}

fn lost(count: u64, out: &mut Output<'_>) -> Result<(), Error> {
    let lines = counted(count, "line of the log was", "lines of the log were");
    out.either(
        || json!({ "event": "lost", "lines": count }),
        &format_args!("{lines} lost and cannot be shown"),
    )
}

fn restarted(out: &mut Output<'_>) -> Result<(), Error> {
    out.either(
        || json!({ "event": "restarted" }),
        &"the agent was restarted: lines that it logged before may be missing",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_printed_as_the_agent_shows_it() {
        let line = json!({ "number": 7, "uptime": 12.345, "level": "INFO", "text": "a [b]" });
        assert_eq!(text(&line), "[   12.345] INFO a [b]");
        assert_eq!(text(&json!({ "number": 7, "text": "cut" })), "cut");
    }
}
