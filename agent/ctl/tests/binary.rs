// SPDX-License-Identifier: MIT OR Apache-2.0
//! The real `nl31ctl` and the real agent, on a pty and on the control socket. Whether
//! this machine's kernel has the module is of no matter here.
#![allow(missing_docs)]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{Pid, ttyname};
use nl31_agent::event_loop::{self, Options};
use nl31_agent::platform::bit_rate::{bit_rate, set_bit_rate};
use nl31_agent::platform::log_ring;
use nl31_agent::platform::serial::Choice;
use nl31_ctl::discovery::find;
use nl31_wire::limits::{FRAME_MAX, SILENCE_MS};
use nl31_wire::{Deframer, Frame, Request, Response, code};

/// A machine under load may take this long for anything; what is longer is a hang.
const HANG_MS: u16 = 60_000;

/// An agent on a line of its own, in a thread that lasts as long as the tests. Two
/// ptys and two copiers between them make the line, so that each side has a terminal.
struct Line {
    folder: PathBuf,
    /// The host's end.
    port: PathBuf,
    /// The agent's end, and the host's.
    ends: [File; 2],
}

fn pty() -> (File, File, PathBuf) {
    let pty = openpty(None, None).unwrap();
    let mut settings = tcgetattr(&pty.slave).unwrap();
    cfmakeraw(&mut settings);
    tcsetattr(&pty.slave, SetArg::TCSANOW, &settings).unwrap();
    let path = ttyname(&pty.slave).unwrap();
    (pty.master.into(), pty.slave.into(), path)
}

fn copy(from: &File, to: &File) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = from.read(&mut buffer) {
            to.write_all(&buffer[..len]).unwrap();
        }
    });
}

impl Line {
    fn new(name: &str) -> Self {
        Self::with_access(name, "")
    }

    /// A line with such a file of what it may do.
    fn with_access(name: &str, access: &str) -> Self {
        Self::with_copiers(name, access, |theirs, ours, _| {
            copy(theirs, ours);
            copy(ours, theirs);
        })
    }

    /// A line whose bytes are carried by what this starts with both masters and both ends.
    fn with_copiers(
        name: &str,
        access: &str,
        start: impl FnOnce(&File, &File, [&File; 2]),
    ) -> Self {
        let name = format!("nl31ctl-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let config = folder.join("routes.conf");
        File::create(&config).unwrap();
        std::fs::write(folder.join("console.conf"), access).unwrap();
        let (theirs, their_end, device) = pty();
        let (ours, our_end, port) = pty();
        start(&theirs, &ours, [&their_end, &our_end]);
        let options = Options {
            serial: Choice::Device(device),
            config: Some(config),
            run: folder.join("run"),
            access: folder.join("console.conf"),
            watchdog: None,
        };
        std::thread::spawn(|| {
            event_loop::run(options)
                .map_err(|error| error.to_string())
                .unwrap()
        });
        Self {
            folder,
            port,
            ends: [their_end, our_end],
        }
    }

    fn ctl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nl31ctl"));
        command
            .arg("--serial")
            .arg(&self.port)
            .args(arguments)
            .output()
            .unwrap()
    }

    fn terminal(&self) -> File {
        let mut options = File::options();
        options.read(true).write(true).open(&self.port).unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("run.sock")
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn check(output: &Output, status: i32, out: &str, errors: &str) {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{stdout}{stderr}");
    assert!(stdout.contains(out), "{stdout:?}");
    assert!(stderr.contains(errors), "{stderr:?}");
}

/// Types until `wanted` is heard: again and again where that is what a person would do.
fn says(terminal: &mut File, typed: &[u8], wanted: &str, again: bool) {
    let mut heard = String::new();
    terminal.write_all(typed).unwrap();
    let wait = if again {
        2 * SILENCE_MS as u16
    } else {
        HANG_MS
    };
    for _ in 0..HANG_MS / wait.min(HANG_MS) {
        loop {
            if heard.contains(wanted) {
                return;
            }
            let mut fds = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, PollTimeout::from(wait)).unwrap() == 0 {
                break;
            }
            let mut buffer = [0; 4096];
            let len = terminal.read(&mut buffer).unwrap();
            heard.push_str(&text(&buffer[..len]));
        }
        terminal.write_all(typed).unwrap();
    }
    panic!("no {wanted:?} in {heard:?}");
}

#[test]
fn a_program_and_a_person_share_the_serial_line() {
    let line = Line::new("serial");
    check(
        &line.ctl(&["shell", "help", "codes"]),
        0,
        "I200  done\n",
        "",
    );
    check(&line.ctl(&["shell", "nonsense"]), 1, "E400 column 1", "");
    // The line is the console's again.
    let mut terminal = line.terminal();
    says(&mut terminal, b"", "nl31> ", false);
    says(&mut terminal, b"help codes\r", "I200 help\r\nnl31> ", false);
    // A program that dies leaves the line taken, until a person presses Enter.
    terminal_breaks(&line);
    says(&mut terminal, b"\r", "nl31> ", true);
    check(
        &line.ctl(&["--json", "shell", "help"]),
        0,
        "I200 help\n",
        "",
    );
}

#[test]
fn a_line_with_a_pin_is_closed_until_a_person_types_it_or_a_program_does() {
    // By Python's hashlib.
    let pin = "pin 2 07070707070707070707070707070707 \
               a969f071d2e4a3a03e2822e38baa1b6ca2900d76bd19cc9aa5084d802c1e1902";
    let line = Line::with_access("pin", pin);
    check(&line.ctl(&["shell", "help"]), 1, "", "the line is locked");
    let (right, wrong) = (line.folder.join("right"), line.folder.join("wrong"));
    std::fs::write(&right, "4711\n").unwrap();
    std::fs::write(&wrong, "4712\n").unwrap();
    let with = |file: &PathBuf| line.ctl(&["--pin-file", file.to_str().unwrap(), "shell", "help"]);
    check(&with(&right), 0, "I200 help\n", "");
    check(&with(&right), 0, "I200 help\n", "");
    // It was open for that program alone.
    check(&line.ctl(&["shell", "help"]), 1, "", "the line is locked");
    check(&with(&wrong), 1, "", "E401 wrong PIN; try again in 1 s");
    // The right one comes too early, and is not looked at.
    check(&with(&right), 1, "", "E401 wrong PIN; try again in 1 s");
    std::thread::sleep(Duration::from_secs(1));
    let mut terminal = line.terminal();
    says(&mut terminal, b"4711\r", "I200 unlocked", true);
    drop(terminal);
    check(&line.ctl(&["shell", "help"]), 0, "I200 help\n", "");
    check(&line.ctl(&["shell", "help"]), 0, "I200 help\n", "");
}

#[test]
fn a_line_that_is_read_only_is_so_for_programs() {
    let line = Line::with_access("read-only", "read-only\n");
    let refused = "E403 this line is read-only\n";
    check(&line.ctl(&["shell", "save"]), 1, refused, "");
    check(&line.ctl(&["shell", "help"]), 0, "I200 help\n", "");
    let change = line.ctl(&["route", "add", "10.0.0.0/8", "dev", "lo"]);
    assert_ne!(change.status.code(), Some(0));
    assert!(
        text(&change.stderr).contains("this line is read-only"),
        "{change:?}"
    );
}

#[test]
fn ctrl_c_gives_the_line_back_and_no_other_gets_it_before() {
    let line = Line::new("interrupted");
    check(&line.ctl(&["shell", "help"]), 0, "I200 help\n", "");
    let start = || {
        // Without a hangup; with Ctrl-C, which a shell has ignored in its background.
        Command::new("env")
            .args(["--default-signal=INT", "nohup"])
            .arg(env!("CARGO_BIN_EXE_nl31ctl"))
            .arg("--serial")
            .arg(&line.port)
            .arg("monitor")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut monitor = start();
    let busy = loop {
        let output = line.ctl(&["shell", "help"]);
        if output.status.code() != Some(0) {
            break output;
        }
        // One of the two has the line.
        if monitor.try_wait().unwrap().is_some() {
            monitor = start();
        }
    };
    check(&busy, 5, "", "another program uses the line");
    let pid = Pid::from_raw(monitor.id() as i32);
    kill(pid, Signal::SIGHUP).unwrap();
    check(&line.ctl(&["ping"]), 5, "", "another program uses the line");
    kill(pid, Signal::SIGINT).unwrap();
    let status = monitor.wait().unwrap();
    assert_eq!(status.signal(), Some(Signal::SIGINT as i32), "{status}");
    // Without Enter.
    let mut terminal = line.terminal();
    says(&mut terminal, b"help codes\r", "I200 help\r\nnl31> ", false);
}

/// `nl31ctl shell`, gone with its test.
struct Shell(Child);

impl Shell {
    fn new(line: &Line, terminal: &str, input: Stdio, output: Stdio) -> Self {
        let standard = [input, output, Stdio::inherit()];
        Self::on(line.port.to_str().unwrap(), terminal, standard)
    }

    /// On a line of this name.
    fn on(serial: &str, terminal: &str, [input, output, errors]: [Stdio; 3]) -> Self {
        let mut command = Command::new("env");
        command
            // A shell that runs the tests in the background has it ignored.
            .arg("--default-signal=INT,TERM,HUP")
            .arg(format!("TERM={terminal}"))
            .arg(env!("CARGO_BIN_EXE_nl31ctl"))
            .args(["--serial", serial, "shell"])
            .stderr(errors);
        Self(command.stdin(input).stdout(output).spawn().unwrap())
    }

    fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).unwrap();
    }

    /// It has died by this signal, and the line is the console's without Enter.
    #[track_caller]
    fn has_left(&mut self, line: &Line, signal: Signal) {
        let deadline = Instant::now() + Duration::from_millis(HANG_MS.into());
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "{signal} is lost");
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(status.signal(), Some(signal as i32), "{status}");
        let mut terminal = line.terminal();
        says(&mut terminal, b"help codes\r", "I200 help\r\nnl31> ", false);
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Fails if it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_signal_ends_a_shell_that_waits_for_a_pipe() {
    let line = Line::new("shell-pipe");
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut shell = Shell::new(&line, "dumb", Stdio::piped(), Stdio::piped());
        let mut pipe = shell.0.stdin.take().unwrap();
        pipe.write_all(b"help\n").unwrap();
        let mut out = BufReader::new(shell.0.stdout.take().unwrap());
        let mut said = String::new();
        while !said.ends_with("I200 help\n") {
            assert_ne!(out.read_line(&mut said).unwrap(), 0, "{said}");
        }
        shell.send(signal);
        shell.has_left(&line, signal);
    }
    // Every line of a pipe is executed, whatever the others are, and its last line need
    // have no end.
    let file = line.folder.join("lines");
    std::fs::write(
        &file,
        b"\xef\xbb\xbfhelp\thelp\r\ncaf\xe9\nnonsense\r\n\n\x1b[A\nhelp",
    )
    .unwrap();
    let file = File::open(file).unwrap();
    let mut shell = Shell::new(&line, "dumb", file.into(), Stdio::piped());
    let mut said = String::new();
    let mut out = shell.0.stdout.take().unwrap();
    out.read_to_string(&mut said).unwrap();
    let statuses = said.lines().filter(|line| line.starts_with(['I', 'E']));
    let statuses: Vec<_> = statuses
        .map(|line| line.split_once(' ').unwrap().0)
        .collect();
    assert_eq!(statuses, ["I200", "E400", "E400", "E400", "I200"], "{said}");
    assert!(said.contains("E400 the line is not UTF-8 text\n"), "{said}");
    assert!(!said.contains("nl31> "), "{said}");
    assert_eq!(shell.0.wait().unwrap().code(), Some(1));
}

#[test]
fn monitor_and_shell_end_with_the_reader_of_their_output() {
    let line = Line::new("reader");
    for (command, ready) in [("monitor", None), ("shell", Some("help\n"))] {
        let mut ctl = Command::new(env!("CARGO_BIN_EXE_nl31ctl"));
        ctl.arg("--serial").arg(&line.port).arg(command);
        let mut ctl = ctl
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = ctl.stdin.take().unwrap();
        let mut output = ctl.stdout.take().unwrap();
        if let Some(text) = ready {
            input.write_all(text.as_bytes()).unwrap();
            output.read_exact(&mut [0; 1]).unwrap();
        }
        // Nothing is printed from now on, and standard input stays open.
        drop(output);
        let status = ctl.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{command}");
        drop(input);
    }
}

#[test]
fn a_signal_ends_a_shell_that_a_person_types_into() {
    let line = Line::new("shell-person");
    // The editor tells the terminal where it begins to read, and where it ends.
    let (begins, again) = ("\x1b[?2004h", "\x1b[?2004l\r\n\x1b[?2004h");
    for (terminal, prompt) in [("xterm", begins), ("dumb", "nl31> ")] {
        for signal in [Signal::SIGTERM, Signal::SIGHUP] {
            let pty = openpty(None, None).unwrap();
            let settings = tcgetattr(&pty.slave).unwrap();
            let mut person = File::from(pty.master);
            let end = || pty.slave.try_clone().unwrap().into();
            let mut shell = Shell::new(&line, terminal, end(), end());
            says(&mut person, b"", prompt, false);
            let done = format!("I200 help\r\n{prompt}");
            says(&mut person, b"help\r", &done, false);
            // Ctrl-C gives this line up, and the shell goes on.
            says(&mut person, b"nonsense", "nonsense", false);
            match terminal {
                "dumb" => shell.send(Signal::SIGINT),
                _ => says(&mut person, b"\x03", again, false),
            }
            says(&mut person, b"half a line", "half a line", false);
            shell.send(signal);
            shell.has_left(&line, signal);
            assert_eq!(tcgetattr(&pty.slave).unwrap(), settings);
        }
    }
}

/// Half a frame, and nothing more.
fn terminal_breaks(line: &Line) {
    let mut program = File::options().write(true).open(&line.port).unwrap();
    program.write_all(b"\0half a fra").unwrap();
}

#[test]
fn the_socket_is_its_owners_and_bounded() {
    let line = Line::new("socket");
    // It is there when the agent serves the line.
    check(&line.ctl(&["shell", "help"]), 0, "I200 help\n", "");
    let mode = std::fs::metadata(line.socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let ctl = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nl31ctl"));
        command
            .arg("--socket")
            .arg(line.socket())
            .args(arguments)
            .output()
            .unwrap()
    };
    check(&ctl(&["shell", "help", "codes"]), 0, "I200  done\n", "");
    // Two at once, on line and socket, and more than there are places for.
    let crowd: Vec<_> = (0..10)
        .map(|_| std::os::unix::net::UnixStream::connect(line.socket()).unwrap())
        .collect();
    check(&line.ctl(&["shell", "help"]), 0, "I200 help\n", "");
    drop(crowd);
    check(&ctl(&["shell", "help"]), 0, "I200 help\n", "");
}

#[test]
fn exit_statuses() {
    let ctl = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_nl31ctl"))
            .args(arguments)
            .output()
            .unwrap()
    };
    check(&ctl(&["nonsense"]), 2, "", "unrecognized subcommand");
    check(
        &ctl(&["--socket", "/nonexistent", "ping"]),
        5,
        "",
        "/nonexistent: ",
    );
    check(
        &ctl(&["--serial", "/dev/null", "ping"]),
        5,
        "",
        "/dev/null: ",
    );
    let output = ctl(&["--json", "--socket", "/nonexistent", "ping"]);
    check(&output, 5, "", "\"status\":5");
    for (arguments, text) in [
        (&["nonsense"][..], "unrecognized subcommand"),
        (&["route"], "a command is missing"),
        (&[], "subcommand"),
        (&["--baud", "1", "ping"], "a bit rate is one of"),
    ] {
        let output = ctl(&[&["--json"], arguments].concat());
        check(&output, 2, "", text);
        let said: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(said["status"], 2, "{said}");
        assert!(said["code"].is_null(), "{said}");
    }
    check(&ctl(&["--json", "--help"]), 0, "Output with --json", "");
    check(&ctl(&["nonsense", "--", "--json"]), 2, "", "error: ");
    // Though no terminal takes the reason.
    let status = Command::new(env!("CARGO_BIN_EXE_nl31ctl"))
        .args(["--socket", "/nonexistent", "ping"])
        .stderr(File::options().write(true).open("/dev/full").unwrap())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(5));
    check(&ctl(&["generate", "man"]), 0, "Exit status", "");
    let line = Line::new("statuses");
    check(
        &line.ctl(&["load", "/nonexistent"]),
        6,
        "",
        "/nonexistent: ",
    );
    check(
        &line.ctl(&["load", "/dev/zero"]),
        6,
        "",
        "/dev/zero:1:1: the line is longer",
    );
    check(
        &line.ctl(&["route", "add", "10.0.0.1/8", "dev", "lo"]),
        2,
        "",
        "^^^^^^^^^^",
    );
    check(
        &line.ctl(&["route", "add", "10.0.0.0/8", "dev", "no-such"]),
        3,
        "",
        "E406",
    );
    check(&line.ctl(&["route", "flush"]), 2, "", "`all`");
}

#[test]
fn the_one_line_with_an_agent_is_found() {
    let line = Line::new("find");
    // A line without an agent; and one that sends back what it gets.
    let (_silent, _silent_end, silent) = pty();
    let (echoes, _echoes_end, echo) = pty();
    copy(&echoes, &echoes);
    let nowhere = PathBuf::from("/nonexistent/tty");
    let others = [silent, echo, nowhere];
    let mut ports = others.to_vec();
    ports.push(line.port.clone());
    assert_eq!(find(&ports, 115_200).unwrap(), line.port);
    let error = find(&others, 115_200).unwrap_err();
    assert_eq!(error.status(), 5);
    assert!(error.to_string().contains("no agent answers"), "{error}");
    let another = Line::new("find-another");
    ports.push(another.port.clone());
    let error = find(&ports, 115_200).unwrap_err();
    assert!(error.to_string().contains("agents answer on "), "{error}");
}

#[test]
fn a_line_is_named_by_the_variable_or_behind_a_tcp_port() {
    let line = Line::new("named");
    let ctl = |serial: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nl31ctl"));
        command.env("NL31_SERIAL", serial).args(arguments).output()
    };
    let help = ["shell", "help"];
    let port = line.port.to_str().unwrap();
    check(&ctl(port, &help).unwrap(), 0, "I200 help\n", "");
    // An option has precedence over the variable.
    let other = ctl(port, &["--socket", "/nonexistent", "ping"]).unwrap();
    check(&other, 5, "", "/nonexistent: ");
    check(&ctl("tcp://board", &help).unwrap(), 2, "", "NL31_SERIAL: ");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let terminal = line.terminal();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let stream = File::from(OwnedFd::from(stream));
        copy(&terminal, &stream);
        copy(&stream, &terminal);
    });
    check(&ctl(&address, &help).unwrap(), 0, "I200 help\n", "");
    server.join().unwrap();
    check(
        &ctl(&address, &help).unwrap(),
        5,
        "",
        &format!("{address}: "),
    );
}

/// Whether a text is like `2026-01-31T23:59:59.999Z`.
fn is_time(text: &str) -> bool {
    let form = "dddd-dd-ddTdd:dd:dd.dddZ";
    let digit = |(c, form): (char, char)| c == form || form == 'd' && c.is_ascii_digit();
    text.len() == form.len() && text.chars().zip(form.chars()).all(digit)
}

/// A console server before a line. It closes its first connection when the client has sent
/// so many frames, the last of which it keeps.
fn console_server(line: &Line, frames: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let mut terminal = line.terminal();
    let mut left = Some(2 * frames);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            loop {
                let mut fds = [
                    PollFd::new(stream.as_fd(), PollFlags::POLLIN),
                    PollFd::new(terminal.as_fd(), PollFlags::POLLIN),
                ];
                poll(&mut fds, PollTimeout::NONE).unwrap();
                let [there, back] = fds.map(|fd| fd.any().unwrap());
                if there {
                    let Ok(len @ 1..) = stream.read(&mut buffer) else {
                        break;
                    };
                    let delimiters = buffer[..len].iter().filter(|&&byte| byte == 0).count();
                    left = left.map(|left| left.saturating_sub(delimiters));
                    if left == Some(0) {
                        left = None;
                        break;
                    }
                    terminal.write_all(&buffer[..len]).unwrap();
                }
                if back {
                    let len = terminal.read(&mut buffer).unwrap();
                    if stream.write_all(&buffer[..len]).is_err() {
                        break;
                    }
                }
            }
        }
    });
    address
}

#[test]
fn a_lost_session_is_opened_again_for_what_was_not_carried_out() {
    let line = Line::new("reconnect");
    let log = line.folder.join("log");
    let ctl = |address: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nl31ctl"));
        command
            .arg("--serial")
            .arg(address)
            .arg("--log")
            .arg(&log)
            .args(arguments);
        command.output().unwrap()
    };
    // A look-up changes nothing: it is repeated, and fails as it does on a good line.
    let lookup = ["route", "get", "192.0.2.1"];
    let direct = line.ctl(&lookup);
    let server = console_server(&line, 2);
    let again = ctl(&server, &lookup);
    check(&again, direct.status.code().unwrap(), "", "reconnected\n");
    assert!(
        text(&again.stderr).ends_with(&text(&direct.stderr)),
        "{again:?}"
    );
    let log = std::fs::read_to_string(&log).unwrap();
    let sessions = log
        .lines()
        .filter(|line| line.contains(" - session on tcp://"));
    assert_eq!(sessions.count(), 2, "{log}");
    let stamped = |line: &str| line.split(' ').next().is_some_and(is_time);
    assert!(log.lines().all(stamped), "{log}");
    assert_eq!(log.matches(" > Lookup 192.0.2.1/32\n").count(), 2, "{log}");
    // A line of the console may have been executed; the client cannot tell.
    let server = console_server(&line, 2);
    let unknown = ctl(&server, &["shell", "help"]);
    check(&unknown, 7, "", "is not known");
    // Without another session the error is that of the first one.
    let server = console_server(&line, 2);
    let lost = ctl(&server, &["--reconnect", "0", "route", "get", "192.0.2.1"]);
    check(&lost, 5, "", "closed the connection");
}

#[test]
fn a_persons_shell_goes_on_after_its_session_was_lost() {
    let line = Line::new("shell-reconnect");
    let server = console_server(&line, 2);
    let pty = openpty(None, None).unwrap();
    let mut person = File::from(pty.master);
    let end = || Stdio::from(pty.slave.try_clone().unwrap());
    let shell = Shell::on(&server, "dumb", [end(), end(), end()]);
    says(&mut person, b"", "nl31> ", false);
    let told = "open edits are dropped";
    says(&mut person, b"help\r", told, false);
    says(&mut person, b"help\r", "I200 help\r\nnl31> ", false);
    drop(shell);
}

#[test]
fn a_monitor_goes_on_after_its_session_was_lost() {
    let line = Line::new("monitor-reconnect");
    let server = console_server(&line, 2);
    let mut ctl = Command::new(env!("CARGO_BIN_EXE_nl31ctl"));
    ctl.args(["--json", "--serial", &server, "monitor"]);
    let mut ctl = ctl
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut output = BufReader::new(ctl.stdout.take().unwrap());
    output.read_line(&mut first).unwrap();
    assert_eq!(first, "{\"event\":\"lost\"}\n");
    // It waits for events until its reader goes.
    drop(output);
    assert_eq!(ctl.wait().unwrap().code(), Some(0));
}

#[test]
fn followed_log_goes_on_after_lost_session_until_its_reader_exits() {
    log_ring::init();
    let line = Line::new("follow");
    log::info!("before the first request");
    // The connection is lost with the second request for the log.
    let server = console_server(&line, 3);
    let journal = line.folder.join("journal");
    let mut ctl = Command::new(env!("CARGO_BIN_EXE_nl31ctl"));
    ctl.args(["--serial", &server, "--log"]).arg(&journal);
    let mut ctl = ctl
        .args(["log", "--follow"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let has_begun = || {
        let journal = std::fs::read_to_string(&journal).unwrap_or_default();
        journal.contains("< Output {\"next\":")
    };
    while !has_begun() {
        assert_eq!(ctl.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut output = BufReader::new(ctl.stdout.take().unwrap());
    for marker in ["over the lost session", "in the new session"] {
        log::info!("{marker}");
        let mut line = String::new();
        while !line.contains(marker) {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "{marker}");
            assert!(!line.contains("before the first request"), "{line}");
        }
    }
    drop(output);
    assert_eq!(ctl.wait().unwrap().code(), Some(0));
}

#[test]
fn completions_know_commands_lines_and_devices() {
    let offered = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nl31ctl"));
        command
            .env("COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", words.len().to_string());
        let output = command
            .args(["--", "nl31ctl"])
            .args(words)
            .output()
            .unwrap();
        check(&output, 0, "", "");
        text(&output.stdout)
    };
    assert!(offered(&["mon"]).contains("monitor"));
    assert!(offered(&["--serial", "a"]).contains("auto"));
    assert!(offered(&["--serial", "/dev/nul"]).contains("/dev/null"));
    assert_eq!(
        offered(&["route", "add", "10.0.0.0/8", "dev", "l"]).trim(),
        "lo"
    );
    assert!(offered(&["route", "show", "lon"]).contains("longer"));
}

#[test]
fn the_log_and_versions_are_told_without_a_kernel_too() {
    // The agent's program begins with this.
    log_ring::init();
    let line = Line::new("log");
    let log = line.ctl(&["--json", "log"]);
    check(&log, 0, "agent 0.1.0 started", "");
    for line in text(&log.stdout).lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            value["uptime"].is_f64() && value["level"].is_string(),
            "{line}"
        );
    }
    check(&line.ctl(&["log"]), 0, "] INFO agent ", "");
    let version = line.ctl(&["version"]);
    assert!(text(&version.stdout).contains("\nagent "), "{version:?}");
    let reboot = line.ctl(&["--json", "reboot"]);
    check(&reboot, 1, "", "\"code\":403");
}

#[test]
fn ports_are_listed_as_text_and_json() {
    let list = |option: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nl31ctl"));
        let output = command.args([option, "ports"]).output().unwrap();
        check(&output, 0, "", "");
        text(&output.stdout)
            .lines()
            .map(String::from)
            .collect::<Vec<_>>()
    };
    let (lines, objects) = (list("-q"), list("--json"));
    assert_eq!(lines.len(), objects.len());
    for (line, object) in lines.iter().zip(objects) {
        let value: serde_json::Value = serde_json::from_str(&object).unwrap();
        assert_eq!(line.split("  ").next(), value["port"].as_str(), "{line}");
    }
}

#[test]
fn requests_for_metrics_have_sessions_of_their_own() {
    let line = Line::new("metrics");
    let mut terminal = line.terminal();
    says(&mut terminal, b"\r", "nl31> ", true);
    let mut ctl = Command::new(env!("CARGO_BIN_EXE_nl31ctl"))
        .arg("--serial")
        .arg(&line.port)
        .args(["metrics", "--listen=127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    let mut out = BufReader::new(ctl.stdout.take().unwrap());
    out.read_line(&mut told).unwrap();
    let address = told.trim().strip_prefix("answering http://").unwrap();
    let address = address.strip_suffix("/metrics").unwrap();
    for _ in 0..2 {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        // Without the kernel's side the agent has nothing to tell.
        let status = answer.split(' ').nth(1);
        assert!(matches!(status, Some("200" | "503")), "{answer}");
        says(&mut terminal, b"\r", "nl31> ", true);
    }
    kill(Pid::from_raw(ctl.id() as i32), Signal::SIGTERM).unwrap();
    let end = ctl.wait().unwrap();
    assert_eq!(end.signal(), Some(Signal::SIGTERM as i32));
}

const OWN: u32 = 115_200;
const FAST: u32 = 921_600;

/// What a line with two speeds has carried.
#[derive(Default)]
struct Carried {
    /// Whole frames at the other speed.
    fast: u32,
    /// Frames that were lost as the test wanted.
    lost: u32,
    /// Speeds of the frames of kind Speed that have reached the agent.
    asked: Vec<u32>,
}

/// Which frame is lost, once.
#[derive(Clone, Copy)]
enum Lost {
    Nothing,
    /// The request for this speed.
    Request(u32),
    /// The answer to it.
    Answer(u32),
    /// The request that confirms this speed, the next one behind it.
    Confirmation(u32),
    /// The answer to that.
    Confirmed(u32),
    /// Everything at the other speed.
    Fast,
}

/// Carries frames one way as a cable does: what is sent at one speed and read at another is lost,
/// and so is what `loses` says.
fn carry(
    from: &File,
    to: &File,
    ends: [&File; 2],
    carried: &Arc<Mutex<Carried>>,
    mut loses: impl FnMut(&Frame<'_>, u32) -> bool + Send + 'static,
) {
    let [mut from, mut to] = [from, to].map(|file| file.try_clone().unwrap());
    let ends = ends.map(|file| file.try_clone().unwrap());
    let carried = Arc::clone(carried);
    std::thread::spawn(move || {
        let mut deframer = Deframer::new();
        let mut held = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = from.read(&mut buffer) {
            for &byte in &buffer[..len] {
                held.push(byte);
                let speeds = ends.each_ref().map(|end| bit_rate(end).unwrap());
                match deframer.byte(byte) {
                    Some(Ok(frame)) => {
                        if speeds[0] != speeds[1] {
                            held.clear();
                            continue;
                        }
                        let mut carried = carried.lock().unwrap();
                        if loses(&frame, speeds[0]) {
                            carried.lost += 1;
                            held.clear();
                            continue;
                        }
                        carried.fast += u32::from(speeds[0] == FAST);
                        if let Ok(Request::Speed { baud }) = Request::decode(&frame) {
                            carried.asked.push(baud);
                        }
                    }
                    Some(Err(_)) => {}
                    // Text.
                    None if !held.contains(&0) => {}
                    None => continue,
                }
                to.write_all(&held).unwrap();
                held.clear();
            }
        }
    });
}

/// A line with two speeds that loses a frame.
fn line_with_speeds(name: &str, lost: Lost) -> (Line, Arc<Mutex<Carried>>) {
    let carried = Arc::new(Mutex::new(Carried::default()));
    let both = Arc::clone(&carried);
    let line = Line::with_copiers(name, "", |theirs, ours, ends| {
        for end in ends {
            set_bit_rate(end, OWN).unwrap();
        }
        // The id of the answer that is to be lost, and whether the next request is.
        let answer = Arc::new(Mutex::new(None));
        let of_request = Arc::clone(&answer);
        let (mut is_next, mut done) = (false, false);
        carry(ours, theirs, ends, &both, move |frame, speed| {
            let asked = match Request::decode(frame) {
                Ok(Request::Speed { baud }) => Some(baud),
                _ => None,
            };
            let hit = match lost {
                Lost::Fast => return speed == FAST,
                _ if done => return false,
                Lost::Nothing => false,
                Lost::Request(baud) => asked == Some(baud),
                Lost::Answer(baud) => {
                    if asked == Some(baud) {
                        *of_request.lock().unwrap() = Some(frame.id);
                        done = true;
                    }
                    false
                }
                Lost::Confirmation(_) => is_next && asked.is_none(),
                Lost::Confirmed(_) => {
                    if is_next && asked.is_none() {
                        *of_request.lock().unwrap() = Some(frame.id);
                        done = true;
                    }
                    false
                }
            };
            if let Lost::Confirmation(baud) | Lost::Confirmed(baud) = lost {
                is_next |= asked == Some(baud);
            }
            done |= hit;
            hit
        });
        carry(theirs, ours, ends, &both, move |frame, speed| match lost {
            Lost::Fast => speed == FAST,
            _ => {
                let mut answer = answer.lock().unwrap();
                let hit = *answer == Some(frame.id);
                if hit {
                    *answer = None;
                }
                hit
            }
        });
    });
    (line, carried)
}

#[track_caller]
fn lists_at_other_speed(name: &str, lost: Lost) {
    let (line, carried) = line_with_speeds(name, lost);
    let mut terminal = line.terminal();
    says(&mut terminal, b"\r", "nl31> ", true);
    let slow = line.ctl(&["route", "show"]);
    let baud = FAST.to_string();
    let fast = line.ctl(&["--baud", &baud, "route", "show"]);
    // Without the kernel's side both fail in the same way.
    assert_eq!(slow.status.code(), fast.status.code(), "{fast:?}");
    assert_eq!(slow.stdout, fast.stdout);
    let carried = carried.lock().unwrap();
    let told = text(&fast.stderr).contains("the line keeps its own speed: no answer came at");
    match lost {
        Lost::Fast => assert!(told && carried.lost > 0 && carried.fast == 0, "{fast:?}"),
        _ => {
            assert!(!told, "{fast:?}");
            assert_eq!(carried.lost, u32::from(!matches!(lost, Lost::Nothing)));
            assert!(carried.fast >= 4, "{}", carried.fast);
            assert_eq!(carried.asked.first(), Some(&FAST));
            assert_eq!(carried.asked.last(), Some(&OWN));
        }
    }
    drop(carried);
    // Both have their own speed, and the line is its console's.
    for end in &line.ends {
        assert_eq!(bit_rate(end).unwrap(), OWN);
    }
    says(&mut terminal, b"\r", "nl31> ", true);
}

#[test]
fn list_is_read_at_other_speed_and_line_gets_its_own_back() {
    lists_at_other_speed("speed", Lost::Nothing);
}

#[test]
fn line_that_loses_everything_at_other_speed_goes_on_at_its_own() {
    lists_at_other_speed("speed-none", Lost::Fast);
}

#[test]
fn each_frame_of_agreement_may_be_lost() {
    std::thread::scope(|scope| {
        for (number, lost) in [
            Lost::Request(FAST),
            Lost::Answer(FAST),
            Lost::Confirmation(FAST),
            Lost::Confirmed(FAST),
            Lost::Request(OWN),
            Lost::Answer(OWN),
            Lost::Confirmation(OWN),
            Lost::Confirmed(OWN),
        ]
        .into_iter()
        .enumerate()
        {
            scope.spawn(move || lists_at_other_speed(&format!("speed-{number}"), lost));
        }
    });
}

#[test]
fn killed_client_leaves_line_with_its_own_speed() {
    let (line, carried) = line_with_speeds("speed-killed", Lost::Nothing);
    let mut terminal = line.terminal();
    says(&mut terminal, b"\r", "nl31> ", true);
    let frame = |id, request: Request<'_>| {
        let mut bytes = [0; FRAME_MAX];
        let len = request.encode(id, &mut bytes).unwrap();
        bytes[..len].to_vec()
    };
    terminal
        .write_all(&frame(1, Request::Hello { session: 7 }))
        .unwrap();
    terminal
        .write_all(&frame(2, Request::Speed { baud: FAST }))
        .unwrap();
    let has = |speed: u32| {
        let deadline = Instant::now() + Duration::from_millis(HANG_MS.into());
        while bit_rate(&line.ends[0]).unwrap() != speed {
            assert!(Instant::now() < deadline, "it is not {speed}");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    has(FAST);
    assert_eq!(carried.lock().unwrap().asked, [FAST]);
    has(OWN);
    says(&mut terminal, b"\r", "nl31> ", true);
}

#[test]
fn connection_without_speed_is_told_and_used_as_it_is() {
    let line = Line::new("speed-socket");
    says(&mut line.terminal(), b"\r", "nl31> ", true);
    let socket = line.socket();
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    let mut send = |id, request: Request<'_>| {
        let mut bytes = [0; FRAME_MAX];
        let len = request.encode(id, &mut bytes).unwrap();
        stream.write_all(&bytes[..len]).unwrap();
        let mut deframer = Deframer::new();
        loop {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            if let Some(frame) = deframer.byte(byte[0]) {
                return match Response::decode(&frame.unwrap()).unwrap() {
                    Response::Failed { code, .. } => code,
                    _ => 0,
                };
            }
        }
    };
    assert_eq!(send(1, Request::Hello { session: 7 }), 0);
    assert_eq!(send(2, Request::Speed { baud: FAST }), code::NO_SPEED);
}
