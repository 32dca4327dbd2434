// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arguments, and what each command does.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use nl31_route::{DeviceName, Keyword, Route, Spec, Syntax, Value};
use nl31_wire::limits::GREETING_MAX;
use nl31_wire::{ItemsBuffer, Op, Patience, Request, Response};
use serde_json::json;

use crate::apply::{ATTEMPTS, Plan, Step, apply, plan};
use crate::error::{Error, STATUSES, output};
use crate::interrupt;
use crate::link::{LOOKING, Link, OPENING, PATIENCE};
use crate::list::list;
use crate::load::{Mode, load};
use crate::monitor::{PACE, monitor};
use crate::port::{self, Port, SOCKET, Serial};
use crate::route;
use crate::save::{save, save_there, save_to};
use crate::shell;

/// Drives an nl31 appliance over its serial line or its local socket.
///
/// Without --serial and --socket the local socket is used if there is one, and else
/// the one serial line on which an agent answers.
#[derive(Debug, Parser)]
#[command(version, name = "nl31ctl", after_help = exit_help())]
pub struct Arguments {
    /// Serial line to the appliance.
    #[arg(long, value_name = "PATH", conflicts_with = "socket", global = true)]
    serial: Option<PathBuf>,

    /// Socket of the agent on this machine.
    #[arg(long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,

    /// Bit rate of the serial line.
    #[arg(long, value_name = "BAUD", value_parser = port::baud, default_value_t = 115_200,
          global = true)]
    baud: u32,

    /// File with the PIN of a serial line that has one. Without it the variable
    /// NL31_PIN is taken, if there is one.
    #[arg(long, value_name = "PATH", global = true)]
    pin_file: Option<PathBuf>,

    /// Print JSON, one object a line: see the end of this page.
    #[arg(long, global = true)]
    json: bool,

    /// No progress bar and nothing but what was asked for.
    #[arg(long, short, global = true)]
    quiet: bool,

    #[command(subcommand)]
    command: Command,
}

/// What is printed with --json.
const JSON: &str = "\
greet             {\"text\", \"port\", \"module\", \"abi\"}
ping              {\"agent\"}, its version
route get, show   a route: {\"type\", \"dst\", \"metric\", \"protocol\"}, and \"gateway\" and
                  \"dev\" if it has them, as `ip -json route` names them
stats             numbers by their names
monitor           a route with \"event\": \"added\", \"replaced\" or \"deleted\", and
                  \"generation\"; {\"event\": \"lost\"};
                  {\"event\": \"rolled-back\", \"prefixes\", \"lost\"}
load, save        {\"loaded\"} and {\"saved\"}, a number of routes; `save -` the text
apply             a route with \"change\": \"-\" or \"+\" for each that goes or comes
others            nothing; `shell` the console's text
on an error       to standard error: {\"error\", \"code\", \"status\"}; the code is the
                  agent's or null; {\"warning\"} if a table changed while it was
                  listed, or the agent is of another version";

fn exit_help() -> String {
    let indented =
        |text: &str| -> String { text.lines().map(|line| format!("\n  {line}")).collect() };
    format!(
        "Exit status:{}\n\nOutput with --json:{}",
        indented(STATUSES),
        indented(JSON)
    )
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say hello to the kernel; it answers and names the agent's socket.
    Greet {
        /// Up to 255 bytes.
        text: Option<String>,
    },
    /// Ask whether the agent and the kernel's side are alive.
    Ping,
    /// Read and change routes, in the words of `ip route`.
    #[command(subcommand)]
    Route(RouteCommand),
    /// Show the table's counters.
    Stats,
    /// Show changes of the table as they happen, until Ctrl-C.
    Monitor,
    /// Add the routes of a file, all or none of them.
    Load {
        /// Lines with the arguments of `route add`; `-` is standard input.
        file: PathBuf,
        /// Replace the whole table by them, at once.
        #[arg(long)]
        replace: bool,
        /// Add them frame by frame: what was added before an error stays.
        #[arg(long, conflicts_with = "replace")]
        frames: bool,
    },
    /// Save the table as the appliance's config, or write it to a file here, as it is at
    /// one moment.
    Save {
        /// What `load` and `apply` read; `-` is standard output. Without it the table is
        /// saved on the appliance, as the config that its next boot begins with.
        file: Option<PathBuf>,
    },
    /// Make the table what a file says, with the fewest changes, all at once.
    Apply {
        /// Lines with the arguments of `route add`; `-` is standard input.
        file: PathBuf,
        /// Only show what would be changed.
        #[arg(long)]
        dry_run: bool,
    },
    /// Talk to the agent's console.
    Shell {
        /// Execute this line alone.
        line: Vec<String>,
    },
    /// Print shell completions or the manual page.
    #[command(subcommand, hide = true)]
    Generate(Generate),
}

#[derive(Debug, Subcommand)]
enum RouteCommand {
    /// Add a route; fails if the prefix has one of this metric.
    Add(Words),
    /// Put a route in place of the one of this metric, or add it.
    Replace(Words),
    /// Put a route in place of the one of this metric, which must be there.
    Change(Words),
    /// Add a further path behind those of this metric.
    Append(Words),
    /// Delete a route; name the path if the prefix has several.
    Del(Words),
    /// Show the route in use for an address.
    Get {
        /// An address or prefix.
        address: String,
    },
    /// List routes: all, or those that have what is given.
    Show(Filter),
    /// Delete all routes that have what is given, or `all`.
    Flush(Filter),
}

#[derive(Args, Debug)]
struct Words {
    /// [KIND] PREFIX [via ADDRESS] [dev NAME] [metric NUMBER] [proto NAME|NUMBER]
    #[arg(value_name = "ROUTE")]
    words: Vec<String>,
}

#[derive(Args, Debug)]
struct Filter {
    /// [KIND] [PREFIX [longer]] [via ADDRESS] [dev NAME] [metric NUMBER] [proto NAME|NUMBER]; or, to
    /// flush every route, `all`
    #[arg(value_name = "FILTER")]
    words: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Generate {
    /// Completions for a shell.
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
    /// The manual page.
    Man,
}

const fn flag(word: &'static str, help: &'static str) -> Keyword {
    Keyword {
        word,
        value: Value::None,
        help,
    }
}

static ROUTE: Syntax = Syntax {
    flags: &[],
    abbreviations: false,
};
static FILTER: Syntax = Syntax {
    flags: &[
        flag("longer", "with all longer prefixes inside of this one"),
        flag("all", "every route there is"),
    ],
    abbreviations: false,
};
const LONGER: u8 = 1;
const ALL: u8 = 2;

impl Arguments {
    /// Whether errors are to be printed as JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Does what the arguments say; `out` is standard output.
    pub fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        if let Command::Generate(what) = &self.command {
            return generate(what, out);
        }
        // Before a port is opened, so that a mistake costs no time.
        if let Command::Greet { text: Some(text) } = &self.command
            && text.len() > GREETING_MAX
        {
            return Err(Error::Usage(format!(
                "a greeting has at most {GREETING_MAX} bytes"
            )));
        }
        let pin = self.pin()?;
        interrupt::catch();
        let mut link = self.connect()?;
        if let Some(text) = link.agent().warning() {
            self.warn(&text);
        }
        let unlocked = pin.map_or(Ok(()), |pin| link.done(&Request::Unlock { pin: &pin }));
        let result = unlocked.and_then(|()| self.execute(&mut link, out));
        match result {
            Err(error) if error.is_session_lost() => {
                link.give_back();
                Err(error)
            }
            // The line is not there any more to be left.
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

    fn connect(&self) -> Result<Link<Box<dyn Port>>, Error> {
        if let Some(path) = &self.serial {
            return open_serial(path, self.baud, OPENING);
        }
        let named = self.socket.as_deref();
        let path = named.unwrap_or(Path::new(SOCKET));
        if named.is_some() || path.exists() {
            let name = path.display().to_string();
            let stream = port::socket(path).map_err(|error| Error::Port(name.clone(), error))?;
            return Link::open(Box::new(stream), &name, OPENING, PATIENCE);
        }
        let path = find(&port::candidates(), self.baud)?;
        open_serial(&path, self.baud, OPENING)
    }

    /// The PIN, which is not an argument: everybody on the machine sees those.
    fn pin(&self) -> Result<Option<String>, Error> {
        let Some(path) = &self.pin_file else {
            return Ok(std::env::var("NL31_PIN").ok());
        };
        let text =
            std::fs::read_to_string(path).map_err(|error| Error::File(path.clone(), error))?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).into()))
    }

    fn bar(&self, what: &'static str) -> ProgressBar {
        if self.quiet || self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = "{msg} {wide_bar} {pos}/{len} routes, {per_sec}, {eta}";
        let style = ProgressStyle::with_template(style).expect("the template is right");
        ProgressBar::new(0).with_style(style).with_message(what)
    }

    /// Tells a person that it is done.
    fn say(&self, out: &mut dyn Write, text: std::fmt::Arguments<'_>) -> Result<(), Error> {
        match self.quiet || self.json {
            true => Ok(()),
            false => print(out, text),
        }
    }

    /// Tells of something that is no error.
    fn warn(&self, text: &str) {
        let mut errors = std::io::stderr();
        // It is no reason to fail that nobody hears of it.
        let _ = match self.json {
            true => writeln!(errors, "{}", json!({ "warning": text })),
            false => writeln!(errors, "nl31ctl: {text}"),
        };
    }

    /// Tells how many routes there were.
    fn count(
        &self,
        out: &mut dyn Write,
        done: &str,
        count: u64,
        place: &dyn std::fmt::Display,
    ) -> Result<(), Error> {
        if self.json {
            return print(out, format_args!("{}", json!({ done: count })));
        }
        self.say(
            out,
            format_args!("{done} {} {place}", counted(count, "route", "routes")),
        )
    }

    fn execute<P: Port>(&self, link: &mut Link<P>, out: &mut dyn Write) -> Result<(), Error> {
        match &self.command {
            Command::Greet { text } => {
                let text = text.as_deref().unwrap_or_default();
                link.call(&Request::Greet { text }, |response| match response {
                    Response::Greeting {
                        port,
                        abi,
                        version,
                        text,
                    } => {
                        if self.json {
                            let value = json!({
                                "text": text, "port": port, "module": version, "abi": abi,
                            });
                            print(out, format_args!("{value}"))
                        } else {
                            print(out, format_args!("{text}"))
                        }
                    }
                    _ => Err(Error::Unexpected),
                })
            }
            Command::Ping => {
                link.done(&Request::Ping {})?;
                let version = &link.agent().version;
                if self.json {
                    return print(out, format_args!("{}", json!({ "agent": version })));
                }
                self.say(
                    out,
                    format_args!("agent {version} and the kernel are alive"),
                )
            }
            Command::Route(command) => self.route(link, command, out),
            Command::Stats => self.stats(link, out),
            Command::Monitor => monitor(link, PACE, self.json, out),
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
                let bar = self.bar("load");
                let count = load(link, file, mode, &bar);
                bar.finish_and_clear();
                let count = count?;
                self.count(
                    out,
                    "loaded",
                    count,
                    &format_args!("from {}", file.display()),
                )
            }
            Command::Save { file } => {
                let bar = self.bar("save");
                if let Some(count) = paths(link)? {
                    bar.set_length(count);
                }
                let (count, place) = match file {
                    // It tells by itself how many there are.
                    Some(file) if file == Path::new("-") => return save_to(link, out, &bar),
                    Some(file) => (save(link, file, &bar), file.display().to_string()),
                    None => (save_there(link, &bar), "the appliance's config".into()),
                };
                bar.finish_and_clear();
                self.count(out, "saved", count?, &format_args!("to {place}"))
            }
            Command::Apply { file, dry_run } => {
                let plan = self.apply(link, file, *dry_run)?;
                let steps = &plan.steps;
                if *dry_run || self.json {
                    self.print_steps(steps, out)?;
                }
                let gone: usize = steps.iter().map(|step| step.gone.len()).sum();
                let new: usize = steps.iter().map(|step| step.new.len()).sum();
                if steps.is_empty() {
                    return self.say(out, format_args!("the table is as the file says already"));
                }
                let would = if *dry_run { "would be " } else { "" };
                let prefixes = counted(steps.len() as u64, "prefix", "prefixes");
                let new = counted(new as u64, "route", "routes");
                self.say(
                    out,
                    format_args!("{would}changed: {prefixes}, {new} new, {gone} gone"),
                )
            }
            Command::Shell { line } => {
                let failed = match line.is_empty() {
                    true => shell::shell(link, out)?,
                    false => shell::line(link, &line.join(" "), out)?,
                };
                failed.map_or(Ok(()), |code| Err(Error::Said(code)))
            }
            Command::Generate(what) => generate(what, out),
        }
    }

    /// Plans, and does it; plans again if the table has changed meanwhile.
    fn apply<P: Port>(
        &self,
        link: &mut Link<P>,
        file: &Path,
        dry_run: bool,
    ) -> Result<Plan, Error> {
        for _ in 0..ATTEMPTS {
            let plan = plan(link, file)?;
            if dry_run {
                return Ok(plan);
            }
            let bar = self.bar("apply");
            match apply(link, &plan, &bar) {
                // Standard input cannot be read twice.
                Err(Error::Changing) if file != Path::new("-") => bar.finish_and_clear(),
                result => {
                    bar.finish_and_clear();
                    return result.map(|()| plan);
                }
            }
        }
        Err(Error::Changing)
    }

    fn print_steps(&self, steps: &[Step], out: &mut dyn Write) -> Result<(), Error> {
        for step in steps {
            let gone = step.gone.iter().map(|path| ("-", path));
            for (sign, path) in gone.chain(step.new.iter().map(|path| ("+", path))) {
                let route = Route {
                    prefix: step.prefix,
                    path: path.clone(),
                };
                if self.json {
                    let mut value = route::json(&route);
                    value["change"] = json!(sign);
                    print(out, format_args!("{value}"))?;
                } else {
                    print(out, format_args!("{sign} {route}"))?;
                }
            }
        }
        Ok(())
    }

    fn route<P: Port>(
        &self,
        link: &mut Link<P>,
        command: &RouteCommand,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let (op, verb, words) = match command {
            RouteCommand::Add(words) => (Op::Add, "added", words),
            RouteCommand::Replace(words) => (Op::Replace, "replaced", words),
            RouteCommand::Change(words) => (Op::Change, "changed", words),
            RouteCommand::Append(words) => (Op::Append, "appended", words),
            RouteCommand::Del(words) => (Op::Delete, "deleted", words),
            RouteCommand::Get { address } => {
                let found = route::get(link, route::prefix(address)?)?;
                return self.print_route(out, &found);
            }
            RouteCommand::Show(filter) => {
                let parsed = route::parse(&FILTER, &filter.words)?;
                let longer = parsed.flags & LONGER != 0;
                let changed = list(link, &parsed.spec, longer, &mut |route| {
                    self.print_route(out, &route)
                })?;
                if changed {
                    self.warn("the table changed while it was listed");
                }
                return Ok(());
            }
            RouteCommand::Flush(filter) => {
                let parsed = route::parse(&FILTER, &filter.words)?;
                let (longer, all) = (parsed.flags & LONGER != 0, parsed.flags & ALL != 0);
                if all != (parsed.spec == Spec::default()) {
                    let text = "say what to delete, like a prefix or dev eth0, or `all` alone";
                    return Err(Error::Usage(text.into()));
                }
                let filter = ItemsBuffer::filter(&parsed.spec);
                link.done(&Request::Flush {
                    filter: filter.items(),
                    longer,
                    all,
                })?;
                return self.say(out, format_args!("flushed"));
            }
        };
        let line = words.words.join(" ");
        let parsed = route::parse(&ROUTE, &words.words)?;
        let checked = match op {
            Op::Delete => parsed.prefix().map(|_| ()),
            _ => parsed.route().map(|_| ()),
        };
        checked.map_err(|error| route::usage(&line, &error))?;
        let spec = match (op, parsed.route()) {
            // A deletion says no more than was said.
            (Op::Delete, _) | (_, Err(_)) => Spec {
                prefix: parsed.prefix().ok(),
                ..parsed.spec
            },
            (_, Ok(route)) => route::whole(&route),
        };
        route::change(link, op, &spec)?;
        match spec.prefix {
            Some(prefix) => self.say(out, format_args!("{verb} {prefix}")),
            None => Ok(()),
        }
    }

    fn print_route(&self, out: &mut dyn Write, route: &Route<DeviceName>) -> Result<(), Error> {
        if self.json {
            print(out, format_args!("{}", route::json(route)))
        } else {
            print(out, format_args!("{route}"))
        }
    }

    fn stats<P: Port>(&self, link: &mut Link<P>, out: &mut dyn Write) -> Result<(), Error> {
        link.call(&Request::Table {}, |response| {
            let Response::Counters {
                generation,
                routes4,
                routes6,
                paths4,
                paths6,
                nexthops,
                bytes4,
                bytes6,
                nexthop_bytes,
                max_routes,
                lookups,
                hits,
                misses,
                errors,
            } = response
            else {
                return Err(Error::Unexpected);
            };
            let counters: [(&str, u64); 14] = [
                ("routes-ipv4", routes4.into()),
                ("routes-ipv6", routes6.into()),
                ("paths-ipv4", paths4.into()),
                ("paths-ipv6", paths6.into()),
                ("next-hops", nexthops.into()),
                ("bytes-ipv4", bytes4),
                ("bytes-ipv6", bytes6),
                ("bytes-next-hops", nexthop_bytes),
                ("limit", max_routes.into()),
                ("generation", generation),
                ("lookups", lookups),
                ("hits", hits),
                ("misses", misses),
                ("errors", errors),
            ];
            if self.json {
                let object: serde_json::Map<_, _> = counters
                    .iter()
                    .map(|&(name, value)| (name.into(), json!(value)))
                    .collect();
                return print(out, format_args!("{}", serde_json::Value::Object(object)));
            }
            counters
                .iter()
                .try_for_each(|(name, value)| print(out, format_args!("{name} {value}")))
        })
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

fn open_serial(path: &Path, baud: u32, looking: Patience) -> Result<Link<Box<dyn Port>>, Error> {
    let name = path.display().to_string();
    let serial = Serial::open(path, baud).map_err(|error| Error::Port(name.clone(), error))?;
    Link::open(Box::new(serial), &name, looking, PATIENCE)
}

/// Says hello on each of these lines; gives the one on which an agent answers.
pub fn find(ports: &[PathBuf], baud: u32) -> Result<PathBuf, Error> {
    let (mut found, mut others) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let hello = |path| open_serial(path, baud, LOOKING).and_then(Link::leave);
        let tries: Vec<_> = ports
            .iter()
            .map(|path| scope.spawn(move || hello(path)))
            .collect();
        for (path, tried) in ports.iter().zip(tries) {
            let name = path.display();
            match tried.join().expect("it does not panic") {
                Ok(()) => found.push(path.clone()),
                Err(Error::NoAnswer) => others.push(format!("{name}: no answer")),
                Err(error @ Error::Port(..)) => others.push(error.to_string()),
                Err(error) => others.push(format!("{name}: {error}")),
            }
        }
    });
    interrupt::check()?;
    match &found[..] {
        [path] => Ok(path.clone()),
        [] if ports.is_empty() => Err(Error::NoPort(
            "there is no serial line here: say which with --serial PATH".into(),
        )),
        [] => Err(Error::NoPort(format!(
            "no agent answers on any serial line: say which with --serial PATH\n  {}",
            others.join("\n  ")
        ))),
        _ => {
            let names: Vec<_> = found
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            Err(Error::NoPort(format!(
                "agents answer on {}: say which one with --serial PATH",
                names.join(", ")
            )))
        }
    }
}

/// `1 route`, `2 routes`.
fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

fn print(out: &mut dyn Write, text: std::fmt::Arguments<'_>) -> Result<(), Error> {
    writeln!(out, "{text}").map_err(output)
}

fn generate(what: &Generate, out: &mut dyn Write) -> Result<(), Error> {
    let mut command = Arguments::command();
    // Completions can only be written to what takes everything.
    let mut text = Vec::new();
    match what {
        Generate::Completions { shell } => {
            clap_complete::generate(*shell, &mut command, "nl31ctl", &mut text);
        }
        Generate::Man => manual(command, &mut text).map_err(output)?,
    }
    let written = out.write_all(&text).and_then(|()| out.flush());
    match written.map_err(output) {
        Err(Error::Closed) => Ok(()),
        result => result,
    }
}

/// One page for all commands.
fn manual(command: clap::Command, out: &mut dyn Write) -> std::io::Result<()> {
    let man = clap_mangen::Man::new(command.clone());
    let mut out = out;
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    writeln!(out, ".SH COMMANDS")?;
    commands(&command, "nl31ctl", out)?;
    man.render_extra_section(&mut out)
}

fn commands(command: &clap::Command, name: &str, out: &mut dyn Write) -> std::io::Result<()> {
    for command in command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        let name = format!("{name} {}", command.get_name());
        if command.has_subcommands() {
            commands(command, &name, out)?;
            continue;
        }
        let help = command
            .clone()
            .disable_help_flag(true)
            .bin_name(&name)
            .render_long_help();
        // A line that begins with one of these is a request to roff.
        let text = help
            .to_string()
            .replace('\\', "\\e")
            .replace("\n.", "\n\\&.")
            .replace("\n'", "\n\\&'");
        write!(out, ".SS {name}\n.nf\n{text}.fi\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    const GENERATED: [Generate; 3] = [
        Generate::Man,
        Generate::Completions {
            shell: clap_complete::Shell::Bash,
        },
        Generate::Completions {
            shell: clap_complete::Shell::Zsh,
        },
    ];

    #[test]
    fn the_manual_and_completions_name_every_command() {
        for what in GENERATED {
            let mut out = Vec::new();
            generate(&what, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            for name in [
                "greet", "ping", "route", "monitor", "load", "save", "apply", "shell",
            ] {
                assert!(text.contains(name), "{what:?} {name}");
            }
        }
    }

    #[test]
    fn an_output_that_is_full_is_an_error_and_one_that_nobody_reads_is_none() {
        struct Fails(std::io::ErrorKind);
        impl Write for Fails {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        for what in GENERATED {
            let error = generate(&what, &mut Fails(std::io::ErrorKind::StorageFull)).unwrap_err();
            assert_eq!(error.status(), 6, "{what:?}: {error}");
            generate(&what, &mut Fails(std::io::ErrorKind::BrokenPipe)).unwrap();
        }
    }
}
