// SPDX-License-Identifier: MIT OR Apache-2.0
//! Carries one command out, in a session of its own.

use std::io::Write;
use std::path::Path;

use nl31_wire::limits::GREETING_MAX;
use nl31_wire::{Request, Response};

use crate::arguments::{Arguments, Command};
use crate::commands::load::{Mode, load};
use crate::commands::monitor::{PACE, monitor};
use crate::commands::save::{save, save_there, save_to};
use crate::commands::{apply, info, route, shell};
use crate::connect::Connector;
use crate::error::Error;
use crate::interrupt;
use crate::link::Link;
use crate::manual::generate;
use crate::output::Output;
use crate::port::Port;

/// Carries a command out; `out` is standard output.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Error> {
    let mut out = Output::new(out, arguments.json, arguments.quiet);
    match &arguments.command {
        Command::Generate(what) => return generate(what, &mut out),
        Command::Ports => return info::ports(&mut out),
        // Checked before a port is opened, so that a mistake costs no time.
        Command::Greet { text: Some(text) } if text.len() > GREETING_MAX => {
            let text = format!("a greeting has at most {GREETING_MAX} bytes");
            return Err(Error::Usage(text));
        }
        _ => {}
    }
    interrupt::catch();
    if matches!(arguments.command, Command::Monitor | Command::Shell { .. }) {
        interrupt::watch_output();
    }
    let connector = Connector::new(arguments)?;
    let mut link = connector.open()?;
    if let Some(text) = link.agent().warning() {
        out.warn(&text);
    }
    let unlocked = connector.unlock(&mut link);
    let result = unlocked.and_then(|()| execute(&arguments.command, &mut link, &mut out));
    end(link, result)
}

/// Ends the session, so that the line returns to its console.
fn end<P: Port>(link: Link<P>, result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_session_lost() => {
            link.give_back();
            Err(error)
        }
        // There is no line or no agent to say it to.
        Err(
            error @ (Error::Port(..) | Error::NoAnswer | Error::Unknown(_) | Error::Version(_)),
        ) => Err(error),
        result => {
            let left = link.leave();
            match result {
                Err(Error::Closed) => left,
                result => result.and(left),
            }
        }
    }
}

fn execute<P: Port>(
    command: &Command,
    link: &mut Link<P>,
    out: &mut Output<'_>,
) -> Result<(), Error> {
    match command {
        Command::Greet { text } => info::greet(link, text.as_deref().unwrap_or_default(), out),
        Command::Ping => info::ping(link, out),
        Command::Route(command) => route::execute(link, command, out),
        Command::Stats => info::stats(link, out),
        Command::Monitor => {
            let json = out.is_json();
            monitor(link, PACE, json, out)
        }
        Command::Load {
            file,
            replace,
            frames,
        } => {
            let mode = match (replace, frames) {
                (true, _) => Mode::Replace,
                (_, true) => Mode::Frames,
                _ => Mode::Add,
            };
            let bar = out.bar("load");
            let count = load(link, file, mode, &bar);
            bar.finish_and_clear();
            out.count("loaded", count?, &format_args!("from {}", file.display()))
        }
        Command::Save { file } => {
            let bar = out.bar("save");
            if let Some(count) = paths(link)? {
                bar.set_length(count);
            }
            let (count, place) = match file {
                // The text is the output: no count beside it.
                Some(file) if file == Path::new("-") => return save_to(link, out, &bar),
                Some(file) => (save(link, file, &bar), file.display().to_string()),
                None => (save_there(link, &bar), "the appliance's config".into()),
            };
            bar.finish_and_clear();
            out.count("saved", count?, &format_args!("to {place}"))
        }
        Command::Apply { file, dry_run } => apply::execute(link, file, *dry_run, out),
        Command::Shell { line } => {
            let failed = match line.is_empty() {
                true => shell::shell(link, out)?,
                false => shell::line(link, &line.join(" "), out)?,
            };
            failed.map_or(Ok(()), |code| Err(Error::Said(code)))
        }
        Command::Ports | Command::Generate(_) => unreachable!("carried out without a session"),
    }
}

fn paths<P: Port>(link: &mut Link<P>) -> Result<Option<u64>, Error> {
    link.call(&Request::Table {}, |response| match response {
        Response::Counters { paths4, paths6, .. } => {
            Ok(Some(u64::from(paths4) + u64::from(paths6)))
        }
        _ => Ok(None),
    })
}
