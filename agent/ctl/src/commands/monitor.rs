// SPDX-License-Identifier: MIT OR Apache-2.0
//! `monitor`: changes of the table as they happen.

use std::io::Write;
use std::time::{Duration, Instant};

use nl31_wire::{Op, Request};
use serde_json::json;

use super::list::generation;
use super::route;
use crate::error::{Error, LOCKED, output};
use crate::link::{Event, Link};
use crate::port::Port;

/// How often the agent is asked whether it is still there.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// After this time without an event.
    pub silence: Duration,
    /// After this time even if events come: the agent locks a line with a PIN on which it
    /// receives nothing for ten minutes.
    pub longest: Duration,
}

/// The pace of the command.
pub const PACE: Pace = Pace {
    silence: Duration::from_secs(10),
    longest: Duration::from_secs(60),
};

/// Prints changes to `out` until the link fails, or `out`.
pub fn monitor<P: Port>(
    link: &mut Link<P>,
    pace: Pace,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut say = |event| {
        writeln!(out, "{}", text(event, as_json))
            .and_then(|()| out.flush())
            .map_err(output)
    };
    link.done(&Request::Subscribe { on: true })?;
    let mut asked = Instant::now();
    let mut seen = Seen::default();
    loop {
        let event = link.event(pace.silence)?;
        let mut lost = match &event {
            Some(Event::Change { generation, .. }) => seen.change(*generation),
            Some(Event::Lost) => {
                seen = Seen::default();
                false
            }
            Some(Event::RolledBack { .. }) | None => false,
        };
        if event.is_none() || asked.elapsed() >= pace.longest {
            asked = Instant::now();
            match generation(link) {
                Ok(generation) if event.is_none() => lost = seen.silence(generation),
                Ok(_) => {}
                // A locked line sends no events.
                Err(Error::Refused(refused)) if refused.code != LOCKED => {}
                Err(error) => return Err(error),
            }
        }
        if lost {
            say(Event::Lost)?;
        }
        if let Some(event) = event {
            say(event)?;
        }
    }
}

/// Which changes were received. An event that the line has damaged is not sent again.
#[derive(Debug, Default)]
struct Seen {
    /// The number of the last one.
    last: Option<u64>,
    /// The number of the table's last change at the last silence.
    table: Option<u64>,
}

impl Seen {
    /// Takes an event; gives whether changes before it were lost.
    fn change(&mut self, generation: u64) -> bool {
        self.table = None;
        let before = self.last.replace(generation);
        before.is_some_and(|before| generation > before + 1)
    }

    /// Takes the number of the table's last change after a silence; gives whether changes
    /// were lost. Changes since the silence before may still be in flight.
    fn silence(&mut self, generation: u64) -> bool {
        let before = self.table.replace(generation);
        let lost = matches!((self.last, before), (Some(last), Some(before)) if before > last);
        if lost || self.last.is_none() {
            self.last = before;
        }
        lost
    }
}

/// A line for an event.
pub fn text(event: Event, as_json: bool) -> String {
    match event {
        Event::Change {
            generation,
            op,
            route: spec,
        } => {
            let verb = match op {
                Op::Replace => "replaced",
                Op::Delete | Op::DeletePrefix => "deleted",
                _ => "added",
            };
            let item = nl31_wire::Item { op, route: spec };
            let route = route::route(item);
            if as_json {
                let mut value = route::json(&route);
                value["event"] = json!(verb);
                value["generation"] = json!(generation);
                value.to_string()
            } else {
                format!("{verb} {route}")
            }
        }
        Event::RolledBack { prefixes, lost } if as_json => {
            json!({ "event": "rolled-back", "prefixes": prefixes, "lost": lost }).to_string()
        }
        Event::RolledBack { prefixes, lost } => format!(
            "a commit was rolled back: restored the paths of {prefixes} prefixes; left {lost} \
             prefixes as they are, because the table was changed since the commit"
        ),
        Event::Lost if as_json => json!({ "event": "lost" }).to_string(),
        Event::Lost => "some changes were lost and are not shown".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_between_events_is_a_loss() {
        let mut seen = Seen::default();
        assert!(!seen.change(7));
        assert!(!seen.change(8));
        assert!(seen.change(10));
        assert!(!seen.change(11));
    }

    #[test]
    fn a_last_event_that_does_not_come_is_a_loss_told_once() {
        let mut seen = Seen::default();
        seen.change(7);
        assert!(!seen.silence(7));
        // The event may still be in flight.
        assert!(!seen.silence(8));
        assert!(seen.silence(8));
        assert!(!seen.silence(8));
        assert!(!seen.change(9));
    }

    #[test]
    fn losses_before_the_first_event_are_found_too() {
        let mut seen = Seen::default();
        assert!(!seen.silence(5));
        assert!(!seen.silence(5));
        assert!(!seen.silence(6));
        assert!(seen.silence(6));
        assert!(!seen.change(7));
    }
}
