// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands of the agent's console: `version`, `log`, `diff`, `confirm`, `rollback`,
//! `reboot`, `factory-reset`. Their data lines are passed on, as text or the agent's JSON;
//! their status line tells whether they succeeded.

use nl31_wire::{Request, Response};
use serde_json::json;

use crate::error::{Error, Status};
use crate::link::{Effect, Link, POLL_INTERVAL};
use crate::output::Output;
use crate::port::Port;

/// The console's code for a commit that was confirmed and not saved.
const UNSAVED: u16 = 207;

/// Executes a line of the console, and calls `each` with every line of its data. Gives its
/// status, or that as an error. Lines that were not asked for are warnings.
fn ask<P: Port>(
    link: &mut Link<P>,
    text: &str,
    effect: Effect,
    out: &mut Output<'_>,
    each: &mut dyn FnMut(&mut Output<'_>, &str) -> Result<(), Error>,
) -> Result<Status, Error> {
    let mut request = Request::Line { text };
    let mut line = Vec::new();
    let mut held = None;
    loop {
        let part = link.call_with(&request, effect, |response| match response {
            Response::Output { text, last } => Ok((text.to_vec(), last)),
            _ => Err(Error::Unexpected),
        });
        let (bytes, last) = part?;
        for &byte in &bytes {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            let complete = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            // The last line is the status, so each one waits for the next.
            if let Some(before) = held.replace(complete) {
                pass(&before, out, each)?;
            }
        }
        if last {
            break;
        }
        if bytes.is_empty() {
            std::thread::sleep(POLL_INTERVAL);
        }
        request = Request::Next {};
    }
    let status = held.as_deref().and_then(Status::parse);
    let status = status.ok_or(Error::Unexpected)?;
    match status.severity {
        'E' => Err(Error::Console(status)),
        _ if status.code == UNSAVED => Err(Error::Console(status)),
        'W' => {
            out.warn(&status.to_string());
            Ok(status)
        }
        _ => Ok(status),
    }
}

fn pass(
    line: &str,
    out: &mut Output<'_>,
    each: &mut dyn FnMut(&mut Output<'_>, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    match line.strip_prefix("* ") {
        Some(notice) => {
            out.warn(notice);
            Ok(())
        }
        None => each(out, line),
    }
}

/// Calls `each` with every line of the data of a command that only reads.
pub fn read<P: Port>(
    link: &mut Link<P>,
    command: &str,
    out: &mut Output<'_>,
    each: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let each = &mut |_: &mut Output<'_>, line: &str| {
        each(line);
        Ok(())
    };
    ask(link, command, Effect::Reads, out, each).map(|_| ())
}

/// The same, where `each` prints, and may fail.
pub fn each<P: Port>(
    link: &mut Link<P>,
    command: &str,
    out: &mut Output<'_>,
    each: &mut dyn FnMut(&mut Output<'_>, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    ask(link, command, Effect::Reads, out, each).map(|_| ())
}

/// Prints the data of a command that only reads.
pub fn show<P: Port>(link: &mut Link<P>, command: &str, out: &mut Output<'_>) -> Result<(), Error> {
    let command = match out.is_json() {
        true => format!("{command} json"),
        false => command.into(),
    };
    let status = ask(link, &command, Effect::Reads, out, &mut |out, line| {
        out.line(format_args!("{line}"))
    })?;
    match command.as_str() {
        // The status reports an empty result.
        "diff" => out.say(format_args!("{}", status.text)),
        _ => Ok(()),
    }
}

/// Prints the versions of the agent's side and of this program.
pub fn version<P: Port>(link: &mut Link<P>, out: &mut Output<'_>) -> Result<(), Error> {
    let ours = env!("CARGO_PKG_VERSION");
    if !out.is_json() {
        out.line(format_args!("nl31ctl {ours}"))?;
        return show(link, "version", out);
    }
    ask(
        link,
        "version json",
        Effect::Reads,
        out,
        &mut |out, line| {
            let value = serde_json::from_str::<serde_json::Value>(line);
            let mut value = value.map_err(|_| Error::Unexpected)?;
            value["nl31ctl"] = json!(ours);
            out.line(format_args!("{value}"))
        },
    )
    .map(|_| ())
}

/// Executes a command that changes something, and prints its status.
pub fn execute<P: Port>(
    link: &mut Link<P>,
    command: &str,
    out: &mut Output<'_>,
) -> Result<(), Error> {
    let status = ask(link, command, Effect::Changes, out, &mut |out, line| {
        // None of these commands has data; print the data that a newer agent may send.
        out.warn(line);
        Ok(())
    })?;
    if out.is_json() {
        let value = json!({ "code": status.code, "text": status.text });
        return out.line(format_args!("{value}"));
    }
    out.say(format_args!("{}", status.text))
}
