// SPDX-License-Identifier: MIT OR Apache-2.0
//! `monitor`: changes of the table as they happen.

use std::io::Write;
use std::time::Duration;

use nl31_wire::{Op, Request};
use serde_json::json;

use crate::error::Error;
use crate::link::{Event, Link};
use crate::port::Port;
use crate::route;

/// Silence after which it is made sure that the agent is still there.
const SILENCE: Duration = Duration::from_secs(10);

/// Prints changes to `out` until the link fails, or `out`.
pub fn monitor<P: Port>(
    link: &mut Link<P>,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    link.done(&Request::Subscribe { on: true })?;
    loop {
        let Some(event) = link.event(SILENCE)? else {
            match link.call(&Request::Table {}, |_| Ok(())) {
                // Any answer will do.
                Ok(()) | Err(Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
            continue;
        };
        let line = text(event, as_json);
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            // Nobody reads on.
            return Ok(());
        }
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
            "a commit was rolled back: {prefixes} prefixes have their paths of before, {lost} \
             paths whose device is gone are not back"
        ),
        Event::Lost if as_json => json!({ "event": "lost" }).to_string(),
        Event::Lost => "changes came too fast to be shown".into(),
    }
}
