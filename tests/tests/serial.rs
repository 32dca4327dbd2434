// SPDX-License-Identifier: MIT OR Apache-2.0
//! `nl31ctl` at the other end of the cable: frames over the guest's UART.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nl31_lab::cable::{BYTES_115200, Cable, Quality, Traffic};
use nl31_lab::console::is_prompt;
use nl31_lab::{Arch, Guest, Image, Setup, cross, host, prefixes};

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
        // a shell that runs the tests in the background has Ctrl-C ignored
        let mut command = Command::new("env");
        command.arg("--default-signal=INT").arg(&self.nl31ctl);
        // These tests show how a session ends; a lost one stays lost.
        command.args(["--reconnect", "0"]);
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
            let at = screen.last().is_some_and(|line| is_prompt(line));
            (at && screen.len() > 1).then_some(())
        };
        // Not at once: an Enter right behind a frame is taken for a part of one.
        let mut presses = (0..20).map(|_| thread::sleep(Duration::from_millis(500)));
        let mut pressed = false;
        let prompted = self.guest.wait("the prompt", 1, |guest| {
            let there = prompt(&guest.console.screen()).filter(|()| pressed);
            if there.is_none() && presses.next().is_some() {
                guest.console.type_line(b"");
                pressed = true;
            }
            Ok(there)
        });
        prompted.expect("a prompt");
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

/// What `agent/wire/README.md` says is enough to write a client.
#[test]
fn a_client_written_from_the_page_alone_gets_what_it_promises() {
    host::require(&["python3"]).expect("Python");
    let client = nl31_lab::project().join("tests/clients/frames.py");
    let mut desk = Desk::new();
    for damaged in [0, 10] {
        let quality = Quality {
            rate: None,
            damaged,
        };
        let cable = desk.guest.plug(quality).expect("a cable");
        let mut python = Command::new("/usr/bin/python3");
        python.arg(&client).arg(cable.path());
        if damaged > 0 {
            python.arg("--noise");
        }
        let said = python.output().expect("to run Python");
        let traffic = desk.unplug(cable);
        assert!(said.status.success(), "{damaged}: {said:?}");
        assert_eq!(traffic.hits > 0, damaged > 0, "{traffic:?}");
        assert_eq!(desk.types("route show"), [""; 0]);
    }
}

#[test]
fn events_come_over_the_line() {
    let mut desk = Desk::new();
    let cable = desk.guest.plug(Quality::default()).expect("a cable");
    let mut monitor = desk.command(&cable, &["--json", "monitor"]);
    let mut monitor = monitor.stdout(Stdio::piped()).spawn().expect("nl31ctl");
    let mut events = BufReader::new(monitor.stdout.take().expect("piped")).lines();
    // Changed over and over, as nothing tells when the monitor has begun.
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

/// Over a slow line it takes a while, so that it can be ended before its end.
const SLOW: Quality = Quality {
    rate: Some(BYTES_115200 / 4),
    damaged: 0,
};

impl Desk {
    /// A load of a table that has begun: its transaction keeps others out.
    fn begins(&mut self, cable: &Cable, arguments: &[&str]) -> Child {
        let (table, _) = self.table(ROUTES);
        let mut load = self.command(cable, arguments);
        let load = load.arg(text(&table)).spawn().expect("nl31ctl");
        let kept_out = "until echo 'route del 10.0.0.0/8' | nl31-agent --serial - | \
                        grep -q '^E423'; do true; done";
        assert_eq!(self.guest.exec(kept_out).expect("to wait").status, 0);
        load
    }
}

#[test]
fn ctrl_c_ends_a_load_and_changes_nothing() {
    let mut desk = Desk::new();
    desk.types("route add 192.0.2.0/24 dev lo");
    for arguments in [&["load"][..], &["load", "--replace"]] {
        let cable = desk.guest.plug(SLOW).expect("a cable");
        let mut load = desk.begins(&cable, arguments);
        let pid = Pid::from_raw(load.id().cast_signed());
        kill(pid, Signal::SIGINT).expect("to interrupt it");
        let status = load.wait().expect("its end");
        assert_eq!(status.signal(), Some(Signal::SIGINT as i32), "{status}");
        desk.unplug(cable);
        // At once, and not when the kernel has lost its patience.
        assert_eq!(desk.types("route show"), ["192.0.2.0/24 dev lo"]);
        desk.types("route replace 192.0.2.0/24 dev lo");
    }
}

#[test]
fn ctrl_c_in_a_shell_stops_the_command_and_not_the_shell() {
    let mut desk = Desk::new();
    let cable = desk.guest.plug(SLOW).expect("a cable");
    let (table, _) = desk.table(ROUTES);
    desk.succeeds(&cable, &["load", text(&table)]);
    let pty = openpty(None, None).expect("a pty");
    let end = || Stdio::from(pty.slave.try_clone().expect("a descriptor"));
    let shell = desk.command(&cable, &["shell"]);
    // Ctrl-C is a signal where the terminal is the session's.
    let mut person = Command::new("setsid");
    person.args(["--ctty", "--wait"]).arg(shell.get_program());
    person.args(shell.get_args());
    person.stdin(end()).stdout(end()).stderr(end());
    let mut person = person.spawn().expect("setsid, of the package util-linux");
    let mut terminal = Terminal::on(pty.master.into());
    let mut does = |typed: &[u8], wanted: &str| {
        let before = terminal.count(wanted);
        terminal.file.write_all(typed).expect("to type");
        let heard = |_: &mut Guest| Ok((terminal.count(wanted) > before).then_some(()));
        desk.guest.wait(wanted, 1, heard).expect("what was asked");
    };
    does(b"", "> ");
    does(b"begin\r", "I200 edits wait for `commit` from now on\r\n");
    does(b"route flush all\r", "I200 edit 1\r\n");
    does(b"route show\r", " dev eth0 metric ");
    does(b"\x03", "stopped; open edits stay open\r\n");
    does(b"ping\r", "I200 the kernel is alive\r\n");
    does(b"rollback\r", "I200 dropped 1 edit\r\n");
    terminal.file.write_all(b"\x04").expect("to type");
    let status = person.wait().expect("its end");
    assert!(status.success(), "{status}");
    assert!(terminal.count(" dev eth0 metric ") < ROUTES / 2);
    desk.unplug(cable);
}

/// The rest of the frames comes to an agent that has not heard of them, and whose line is
/// a console's at first.
#[test]
fn an_agent_killed_within_a_load_over_the_line_changes_nothing() {
    let mut desk = Desk::new();
    desk.types("route add 192.0.2.0/24 dev lo");
    for pause in ["0", "0.3", "0.7"] {
        let cable = desk.guest.plug(SLOW).expect("a cable");
        let mut load = desk.begins(&cable, &["load", "--replace"]);
        let killed = format!("sleep {pause}; kill -9 $(pidof nl31-agent)");
        desk.guest.exec(&killed).expect("to kill it");
        let status = load.wait().expect("its end");
        // The session is over; and nothing that is not known, as it was not committed.
        assert_eq!(status.code(), Some(5), "{status}");
        desk.unplug(cable);
        assert_eq!(desk.types("route show"), ["192.0.2.0/24 dev lo"]);
    }
}

/// A person's terminal, with all that it has heard.
struct Terminal {
    file: File,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// At this machine's end of a cable.
    fn open(cable: &Cable) -> Self {
        let mut options = File::options();
        let file = options.read(true).write(true).open(cable.path());
        Self::on(file.expect("the terminal"))
    }

    fn on(file: File) -> Self {
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let (its, mut input) = (Arc::clone(&heard), file.try_clone().expect("a descriptor"));
        // As a terminal does it: nothing waits for a reader.
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match input.read(&mut buffer) {
                    Ok(len @ 1..) => its.lock().unwrap().extend(&buffer[..len]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    // The cable is gone.
                    _ => return,
                }
            }
        });
        Self { file, heard }
    }

    /// How often a text was heard.
    fn count(&self, text: &str) -> usize {
        let heard = self.heard.lock().unwrap();
        String::from_utf8_lossy(&heard).matches(text).count()
    }
}

#[test]
fn a_paste_of_ten_thousand_lines_loses_nothing_at_115200_baud() {
    let mut desk = Desk::new();
    let quality = Quality {
        rate: Some(BYTES_115200),
        damaged: 0,
    };
    let cable = desk.guest.plug(quality).expect("a cable");
    let mut terminal = Terminal::open(&cable);
    let (table, lines) = desk.table(ROUTES);
    let table = fs::read_to_string(table).expect("the table");
    let typed: String = table
        .lines()
        .map(|line| format!("route add {line}\r"))
        .collect();
    terminal.file.write_all(typed.as_bytes()).expect("to type");
    let mut before = 0;
    loop {
        let now = terminal.count("I200 added ");
        if now == ROUTES {
            break;
        }
        assert_eq!(terminal.count("E4"), 0, "a line was not understood");
        // Slow is no loss; nothing more is.
        let more = desk.guest.wait("the paste", 1, |_| {
            Ok((terminal.count("I200 added ") > now).then_some(()))
        });
        more.unwrap_or_else(|error| panic!("{before}, then {now} routes: {error}"));
        before = now;
    }
    drop(terminal);
    desk.unplug(cable);
    assert_eq!(sorted(&desk.types("route show").join("\n")), lines);
}

#[test]
fn a_line_that_hangs_up_is_back_for_people_and_programs() {
    let mut desk = Desk::new();
    desk.types("route add 192.0.2.0/24 dev lo");
    desk.types("monitor on");
    // A session's leader that ends hangs its terminal up, as a modem does.
    let hang_up = "setsid sh -c ': </dev/ttyS0'";
    for times in 1..=3 {
        let banner = |screen: &[String]| {
            let there = |line: &String| line.starts_with("nl31 agent ");
            (screen.iter().any(there) && is_prompt(screen.last()?)).then_some(())
        };
        desk.guest.console.type_bytes(b"half a comm");
        desk.guest.exec(hang_up).expect("to hang up");
        desk.guest
            .expect("a new session", banner)
            .unwrap_or_else(|error| panic!("{times}: {error}"));
        // Nothing of the session before is left: neither what was typed nor the monitor.
        let said = desk
            .guest
            .command("route append 192.0.2.0/24 via 192.0.2.1");
        let said = said.expect("a reply");
        assert_eq!(said.lines.len(), 1, "{said}");
        assert!(said.succeeded(), "{said}");
        desk.types("route del 192.0.2.0/24 via 192.0.2.1");
        desk.types("monitor on");
    }
    let cable = desk.guest.plug(Quality::default()).expect("a cable");
    desk.succeeds(&cable, &["ping"]);
    desk.guest.exec(hang_up).expect("to hang up");
    let shown = desk.succeeds(&cable, &["route", "show"]);
    assert_eq!(shown, "192.0.2.0/24 dev lo\n");
    desk.unplug(cable);
}

#[test]
fn programs_on_line_and_socket_work_at_the_same_time() {
    let share = tempfile::tempdir().expect("a folder");
    let nl31ctl = cross::static_binary(Arch::X86_64, "nl31-ctl").expect("nl31ctl");
    fs::copy(&nl31ctl, share.path().join("nl31ctl")).expect("to share nl31ctl");
    let setup = Setup {
        share: Some(share.path().to_owned()),
        ..Setup::default()
    };
    let mut desk = Desk {
        nl31ctl,
        guest: Guest::start(Image::shared(), &setup).expect("a guest"),
        folder: tempfile::tempdir().expect("a folder"),
    };
    let (table, lines) = desk.table(2 * FEWER);
    let all = fs::read_to_string(&table).expect("the table");
    let all: Vec<_> = all.lines().collect();
    let (one, other) = all.split_at(FEWER);
    fs::write(&table, one.join("\n")).expect("to write a half");
    fs::write(share.path().join("table"), other.join("\n")).expect("to write a half");

    let cable = desk.guest.plug(Quality::default()).expect("a cable");
    let mut line = desk.command(&cable, &["load", "--frames", text(&table)]);
    let mut line = line.spawn().expect("nl31ctl");
    let socket = "cd /mnt/share && ./nl31ctl load --frames table && ./nl31ctl route show | wc -l";
    let socket = desk.guest.exec(socket).expect("to run nl31ctl");
    assert_eq!(
        socket.status,
        0,
        "{}",
        String::from_utf8_lossy(&socket.stderr)
    );
    assert!(line.wait().expect("nl31ctl").success());
    let shown = desk.succeeds(&cable, &["route", "show"]);
    assert!(sorted(&shown) == lines, "another table");
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
