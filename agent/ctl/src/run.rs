// SPDX-License-Identifier: MIT OR Apache-2.0
//! Carries one command out, in a session of its own, or in several where sessions are
//! lost.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use nl31_wire::limits::GREETING_MAX;
use nl31_wire::{Request, Response};
use serde_json::json;

use crate::arguments::{Arguments, Command};
use crate::commands::feed::Feed;
use crate::commands::file::RouteFile;
use crate::commands::follow::{Follow, INTERVAL};
use crate::commands::import::Imported;
use crate::commands::lines::Lines;
use crate::commands::load::{self, Mode};
use crate::commands::metrics;
use crate::commands::metrics::http::Server;
use crate::commands::monitor::{PACE, monitor, text};
use crate::commands::save::{IN_MEMORY, save, save_there, save_to};
use crate::commands::{apply, console, import, info, route, shell};
use crate::connect::Connector;
use crate::error::Error;
use crate::interrupt;
use crate::link::{Event, Link};
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
    if matches!(
        arguments.command,
        Command::Monitor | Command::Shell { .. } | Command::Log { follow: true }
    ) {
        interrupt::watch_output();
    }
    // A file is read before a port is opened, and once, though a session be lost.
    let mut imported = match &arguments.command {
        Command::Import(import) => match import::import(import, &mut out)? {
            Imported::Written => return Ok(()),
            Imported::Routes(routes) => Some((import, routes)),
        },
        _ => None,
    };
    let mut connector = Connector::new(arguments)?;
    let mut lines = match &arguments.command {
        Command::Shell { line } if line.is_empty() => Some(Lines::new()?),
        _ => None,
    };
    let mut feed = match &arguments.command {
        Command::Feed(arguments) => Some(Feed::start(arguments, &mut out)?),
        _ => None,
    };
    let mut follow = match &arguments.command {
        Command::Log { follow: true } => Some(Follow::default()),
        _ => None,
    };
    if let Command::Metrics {
        listen: Some(address),
        ..
    } = arguments.command
    {
        return serve_metrics(address, &mut connector, &mut out);
    }
    let mut link = connector.open()?;
    if let Some(text) = link.agent().warning() {
        out.warn(&text);
    }
    let mut result = connector.unlock(&mut link);
    loop {
        result = result.and_then(
            |()| match (&mut lines, &mut feed, &mut follow, &mut imported) {
                (Some(lines), ..) => console_result(shell::shell(&mut link, lines, &mut out)),
                (_, Some(feed), ..) => feed.run(&mut link, &mut out),
                (.., Some(follow), _) => follow.run(&mut link, INTERVAL, &mut out),
                (.., Some((import, routes))) => import::load(&mut link, import, routes, &mut out),
                _ => execute(&arguments.command, &mut link, &mut out),
            },
        );
        match result {
            Err(error) if may_repeat(&arguments.command, &error, lines.as_ref(), &out) => {
                // Its serial line is locked.
                drop(link);
                link = connector.reopen(error, &out)?;
                result = resume(&arguments.command, lines.as_ref(), &mut out);
            }
            // The agent answers nothing more once it restarts the appliance.
            Ok(()) if matches!(arguments.command, Command::Reboot { .. }) => return Ok(()),
            result => return end(link, result, &out),
        }
    }
}

/// Answers requests for metrics. Between them the line is its console's.
fn serve_metrics(
    address: SocketAddr,
    connector: &mut Connector,
    out: &mut Output<'_>,
) -> Result<(), Error> {
    let failed = |error| Error::Port(address.to_string(), error);
    let server = Server::bind(address).map_err(failed)?;
    let address = server.address().map_err(failed)?;
    out.say(format_args!("answering http://{address}/metrics"))?;
    out.flush_now()?;
    let mut damaged = 0;
    server.serve(&mut || {
        let mut link = connector.open()?;
        let mut text = String::new();
        let result = connector.unlock(&mut link).and_then(|()| {
            text = metrics::collect(&mut link, &mut damaged, out)?;
            Ok(())
        });
        end(link, result, out)?;
        Ok(text)
    })
}

/// Whether a command whose session was lost may be carried out anew. The agent carries a
/// request out at most once in a session; in another session only a request may be sent
/// again that the agent cannot have carried out. [`Error::Unknown`] tells of one that it
/// may have.
fn may_repeat(command: &Command, error: &Error, lines: Option<&Lines>, out: &Output<'_>) -> bool {
    match (command, lines) {
        // A person reads what became of the last line. In a script the next line may rely
        // on edits that went with the session.
        (_, Some(lines)) => lines.is_person() && error.cause().is_link_lost(),
        // Lists the table anew, whether the last change was made or not.
        (Command::Feed(_), _) => error.cause().is_link_lost(),
        (Command::Monitor | Command::Log { follow: true }, _) => error.is_link_lost(),
        // Frames before the last one were carried out.
        (Command::Load { frames: true, .. }, _) => false,
        // What was printed cannot be taken back.
        _ => error.is_link_lost() && !out.has_begun(),
    }
}

/// Reports what was lost while there was no session.
fn resume(command: &Command, lines: Option<&Lines>, out: &mut Output<'_>) -> Result<(), Error> {
    if let Some(lines) = lines {
        lines.discard_typed();
        out.warn("open edits are dropped, and `monitor` is off");
    }
    match command {
        Command::Monitor => {
            let text = text(Event::Lost, out.is_json());
            out.line(format_args!("{text}"))
        }
        _ => Ok(()),
    }
}

/// Ends the session, so that the line returns to its console.
fn end<P: Port>(
    mut link: Link<P>,
    result: Result<(), Error>,
    out: &Output<'_>,
) -> Result<(), Error> {
    if let Some(why) = link.speed_refused() {
        out.warn(&format!("the line keeps its own speed: {why}"));
    }
    match result {
        Err(error) if error.is_session_lost() => {
            link.give_back();
            Err(error)
        }
        // Without a line or an agent, the answer cannot be sent.
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
        Command::Metrics { textfile, .. } => metrics::execute(link, textfile.as_deref(), out),
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
            let mut routes = RouteFile::open(file)?;
            out.passed_over(routes.passed_over());
            load::execute(link, &mut routes, mode, file, out)
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
                None => match save_there(link, &bar) {
                    Err(Error::Refused(refused)) if refused.code == IN_MEMORY => {
                        bar.finish_and_clear();
                        out.warn(&refused.to_string());
                        let value = json!({ "code": refused.code, "text": refused.text });
                        return match out.is_json() {
                            true => out.line(format_args!("{value}")),
                            false => Ok(()),
                        };
                    }
                    count => (count, "the appliance's config".into()),
                },
            };
            bar.finish_and_clear();
            out.count("saved", count?, &format_args!("to {place}"))
        }
        Command::Apply {
            file,
            dry_run,
            confirm,
        } => apply::execute(link, file, *dry_run, *confirm, out),
        Command::Diff => console::show(link, "diff", out),
        Command::Log { follow: false } => console::show(link, "log", out),
        Command::Version => console::version(link, out),
        Command::Confirm => console::execute(link, "confirm", out),
        Command::Rollback => console::execute(link, "rollback", out),
        Command::Reboot { now: false } => console::execute(link, "reboot", out),
        Command::Reboot { now: true } => console::execute(link, "reboot now", out),
        Command::FactoryReset => console::execute(link, "factory-reset", out),
        Command::Shell { line } => console_result(shell::line(link, &line.join(" "), out)),
        Command::Import(_) | Command::Ports | Command::Generate(_) => {
            unreachable!("carried out without a session")
        }
        Command::Feed(_) | Command::Log { follow: true } => {
            unreachable!("carried out over several sessions")
        }
    }
}

/// The error of a console command, whose output has the reason.
fn console_result(failed: Result<shell::Failed, Error>) -> Result<(), Error> {
    failed?.map_or(Ok(()), |code| Err(Error::Said(code)))
}

fn paths<P: Port>(link: &mut Link<P>) -> Result<Option<u64>, Error> {
    link.call(&Request::Table {}, |response| match response {
        Response::Counters { paths4, paths6, .. } => {
            Ok(Some(u64::from(paths4) + u64::from(paths6)))
        }
        _ => Ok(None),
    })
}
