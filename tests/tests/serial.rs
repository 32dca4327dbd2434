// SPDX-License-Identifier: MIT OR Apache-2.0
//! `nl31ctl` at the other end of the cable: frames over the guest's UART.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nl31_lab::cable::{Cable, Quality, Traffic};
use nl31_lab::console::PROMPT;
use nl31_lab::{Arch, Guest, Image, Setup, cross, prefixes};

/// Routes in a table that is loaded.
const ROUTES: usize = 10_000;
/// And over a bad line.
const FEWER: usize = 2000;

struct Desk {
    guest: Guest,
    nl31ctl: PathBuf,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            nl31ctl: cross::static_binary(Arch::X86_64, "nl31-ctl").expect("nl31ctl"),
            guest: Guest::start(Image::shared(), &Setup::default()).expect("a guest"),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// A file with a made table; its lines in order.
    fn table(&self, count: usize) -> (PathBuf, Vec<String>) {
        let routes = prefixes::routes(&prefixes::made(count));
        let mut lines: Vec<String> = routes.iter().map(ToString::to_string).collect();
        let path = self.folder.path().join("table");
        fs::write(&path, lines.join("\n") + "\n").expect("to write the table");
        lines.sort_unstable();
        (path, lines)
    }

    fn command(&self, cable: &Cable, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.nl31ctl);
        command.arg("--serial").arg(cable.path()).args(arguments);
        command
    }

    fn ctl(&self, cable: &Cable, arguments: &[&str]) -> Output {
        let mut command = self.command(cable, arguments);
        command.output().expect("to run nl31ctl")
    }

    #[track_caller]
    fn succeeds(&self, cable: &Cable, arguments: &[&str]) -> String {
        let output = self.ctl(cable, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Unplugs the cable; a person gets the console with Enter, whether the last program
    /// was heard to leave or not.
    fn unplug(&mut self, cable: Cable) -> Traffic {
        let traffic = self.guest.unplug(cable);
        let prompt = |screen: &[String]| {
            let at = screen.last().is_some_and(|line| line == PROMPT);
            (at && screen.len() > 1).then_some(())
        };
        self.guest.console.type_line(b"");
        self.guest.expect("the prompt", prompt).expect("a prompt");
        self.guest.console.type_line(b"ping");
        let answered = |screen: &[String]| {
            let said = screen.iter().any(|line| line.starts_with("I200 "));
            prompt(screen).filter(|()| said)
        };
        self.guest.expect("an answer", answered).expect("an answer");
        traffic
    }

    /// Types a command at the console; it must succeed.
    #[track_caller]
    fn types(&mut self, line: &str) -> Vec<String> {
        let reply = self.guest.command(line).expect("a reply");
        assert!(reply.succeeded(), "{reply}");
        reply.data().map(str::to_owned).collect()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_program_has_the_line_and_gives_it_back() {
    let mut desk = Desk::new();
    desk.types("route add 192.0.2.0/24 dev lo");
    let cable = desk.guest.plug(Quality::default()).expect("a cable");

    let greeting = desk.succeeds(&cable, &["greet", "over the cable"]);
    assert!(greeting.contains("over the cable"), "{greeting}");
    let get = ["shell", "route", "get", "192.0.2.1"];
    let found = desk.succeeds(&cable, &get);
    assert!(found.starts_with("192.0.2.0/24 dev lo"), "{found}");
    assert!(found.contains("\nI200 "), "{found}");
    desk.succeeds(&cable, &["route", "del", "192.0.2.0/24"]);
    let missing = desk.ctl(&cable, &get);
    assert_eq!(missing.status.code(), Some(3), "{missing:?}");
    let said = String::from_utf8_lossy(&missing.stdout);
    assert!(said.starts_with("E404 "), "{said}");

    let (table, lines) = desk.table(ROUTES);
    desk.succeeds(&cable, &["load", text(&table)]);
    let shown = desk.succeeds(&cable, &["route", "show"]);
    assert_eq!(sorted(&shown), lines);

    let traffic = desk.unplug(cable);
    assert!(
        traffic.sent > ROUTES as u64 && traffic.received > ROUTES as u64,
        "{traffic:?}"
    );
    assert_eq!(desk.types("route show 192.0.2.0/24"), [""; 0]);
}

#[test]
fn events_come_over_the_line() {
    let mut desk = Desk::new();
    let cable = desk.guest.plug(Quality::default()).expect("a cable");
    let mut monitor = desk.command(&cable, &["--json", "monitor"]);
    let mut monitor = monitor.stdout(Stdio::piped()).spawn().expect("nl31ctl");
    let mut events = BufReader::new(monitor.stdout.take().expect("piped")).lines();
    // Changed over and over, as nobody tells when the monitor has begun.
    let script = "while true; do echo 'route replace 10.0.0.0/8 dev lo'; \
                  echo 'route del 10.0.0.0/8'; sleep 0.2; done | nl31-agent --serial - >/dev/null &";
    desk.guest.exec(script).expect("to change routes");
    let mut generations = Vec::new();
    while generations.len() < 10 {
        let line = events.next().expect("an event").expect("UTF-8");
        let event: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(event["dst"], "10.0.0.0/8", "{line}");
        generations.push(event["generation"].as_u64().expect("a number"));
    }
    let first = generations[0];
    assert_eq!(generations, (first..first + 10).collect::<Vec<_>>());
    monitor.kill().expect("to end it");
    monitor.wait().expect("its end");
    desk.unplug(cable);
}

#[test]
fn noise_costs_time_and_nothing_else() {
    let mut desk = Desk::new();
    let (table, lines) = desk.table(FEWER);
    for damaged in [1, 30, 300] {
        desk.types("route flush all");
        let quality = Quality {
            rate: None,
            damaged,
        };
        let cable = desk.guest.plug(quality).expect("a cable");
        desk.succeeds(&cable, &["load", text(&table)]);
        let shown = desk.succeeds(&cable, &["route", "show"]);
        let traffic = desk.unplug(cable);
        assert!(traffic.hits > 0 || damaged == 1, "{damaged}: {traffic:?}");
        assert!(
            sorted(&shown) == lines,
            "{damaged} of 1000 damaged: another table"
        );
        assert_eq!(desk.types("route show").len(), FEWER);
    }
}
