// SPDX-License-Identifier: MIT OR Apache-2.0
//! The real binary on a real terminal line, a pty, and on pipes. Whether this
//! machine's kernel has the module is of no matter here.
#![allow(missing_docs)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{InputFlags, LocalFlags, Termios, tcgetattr};
use nix::unistd::{Pid, ttyname};
use nl31_wire::Request;
use nl31_wire::limits::FRAME_MAX;

/// A machine under load may take this long for anything; what is longer is a hang.
const HANG_MS: u16 = 60_000;

/// A folder of its own for each test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nl31-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn agent(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nl31-agent"));
    let config = folder.0.join("routes.conf");
    File::create(&config).unwrap();
    command
        .arg("--config")
        .arg(config)
        .arg("--run")
        .arg(folder.0.join("run"));
    command
}

/// An agent that serves a pty.
struct Line {
    /// Our end.
    terminal: File,
    /// The agent's end, kept open so that its settings can be looked at.
    end: File,
    agent: Child,
    heard: String,
    folder: Folder,
}

impl Line {
    fn new(name: &str) -> Self {
        Self::of_size(name, None)
    }

    /// On a terminal that says how large it is.
    fn of_size(name: &str, size: Option<&Winsize>) -> Self {
        let folder = Folder::new(name);
        let pty = openpty(size, None).unwrap();
        let path = ttyname(&pty.slave).unwrap();
        let agent = agent(&folder).arg("--serial").arg(path).spawn().unwrap();
        let (terminal, end) = (File::from(pty.master), File::from(pty.slave));
        Self {
            terminal,
            end,
            agent,
            heard: String::new(),
            folder,
        }
    }

    fn types(&mut self, bytes: &[u8]) {
        self.terminal.write_all(bytes).unwrap();
    }

    /// Reads until `text` was heard behind what was heard before; gives all up to
    /// its end.
    #[track_caller]
    fn hears(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.heard.find(text) {
                let rest = self.heard.split_off(at + text.len());
                return std::mem::replace(&mut self.heard, rest);
            }
            let mut fds = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN)];
            let ready = poll(&mut fds, PollTimeout::from(HANG_MS)).unwrap();
            assert!(ready > 0, "no {text:?} in {:?}", self.heard);
            let mut buffer = [0; 4096];
            let len = self.terminal.read(&mut buffer).unwrap();
            self.heard
                .push_str(&String::from_utf8_lossy(&buffer[..len]));
        }
    }

    fn settings(&self) -> Termios {
        tcgetattr(&self.end).unwrap()
    }

    fn ends_by(&mut self, signal: Signal) -> i32 {
        kill(Pid::from_raw(self.agent.id() as i32), signal).unwrap();
        self.agent.wait().unwrap().code().unwrap()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

#[test]
fn a_session_on_a_line() {
    let mut line = Line::new("session");
    line.hears("nl31> ");
    line.types(b"help codes\r");
    let reply = line.hears("I200 help\r\nnl31> ");
    assert!(
        reply.starts_with("help codes\r\n  I200  done\r\n"),
        "{reply:?}"
    );
    // A carriage return, erased keys, a cursor key, completion.
    line.types(b"helq\x7fp coXdes\x1b[D\x1b[D\x1b[D\x08\x1b[F\r");
    line.hears("I200 help\r\nnl31> ");
    line.types(b"nonsense\r");
    line.hears("nonsense\r\n      ^^^^^^^^\r\nE400 column 1: no such command");
}

/// A telnet client sends CR NUL for Enter; Ctrl-Space sends a NUL.
#[test]
fn a_nul_among_typed_text_takes_no_line_away() {
    let mut line = Line::new("nul");
    line.hears("nl31> ");
    for typed in [
        &b"help codes\r\0"[..],
        b"\0help\0 codes\r\0",
        b"help codes\r\0",
    ] {
        line.types(typed);
        let reply = line.hears("I200 help\r\nnl31> ");
        assert!(reply.starts_with("help codes\r\n"), "{reply:?}");
    }
}

/// A cable whose wires touch.
#[test]
fn session_that_begins_behind_a_repeated_farewell_goes_on() {
    let mut line = Line::new("farewell");
    line.hears("nl31> ");
    let frame = |id, request: Request<'_>| {
        let mut bytes = [0; FRAME_MAX];
        let len = request.encode(id, &mut bytes).unwrap();
        bytes[..len].to_vec()
    };
    // A client's farewell that came late, and at once the next client.
    let bytes = [
        frame(1, Request::Leave {}),
        frame(7, Request::Hello { session: 9 }),
    ];
    line.types(&bytes.concat());
    let welcome = line.hears(env!("CARGO_PKG_VERSION"));
    line.types(&frame(8, Request::Line { text: "help codes" }));
    let output = line.hears("I200  done");
    assert!(!(welcome + &output).contains("nl31> "), "{output:?}");
}

#[test]
fn a_line_that_returns_the_output_falls_silent() {
    let mut line = Line::new("loop");
    line.hears("nl31> ");
    line.types(b"x\r");
    let mut total = 0;
    loop {
        let mut fds = [PollFd::new(line.terminal.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(2000u16)).unwrap() == 0 {
            break;
        }
        let mut buffer = [0; 4096];
        let len = line.terminal.read(&mut buffer).unwrap();
        line.types(&buffer[..len]);
        total += len;
        assert!(total < 1 << 20, "it goes on for ever");
    }
    line.types(b"help codes\r");
    line.hears("I200 help\r\nnl31> ");
}

#[test]
fn the_line_is_raw_while_served_and_put_back_as_it_was() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let pty = openpty(None, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let mut line = Line::new(&format!("raw-{signal}"));
        line.hears("nl31> ");
        let raw = line.settings();
        assert!(
            !raw.local_flags
                .intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
        );
        assert!(
            !raw.input_flags
                .intersects(InputFlags::IXON | InputFlags::IXOFF | InputFlags::ICRNL)
        );
        assert_eq!(line.ends_by(signal), 0);
        let after = line.settings();
        assert_eq!(after.local_flags, before.local_flags);
        assert_eq!(after.input_flags, before.input_flags);
        assert_eq!(after.output_flags, before.output_flags);
    }
}

#[test]
fn a_paste_loses_nothing() {
    let mut line = Line::new("paste");
    line.hears("nl31> ");
    let mut terminal = line.terminal.try_clone().unwrap();
    let typing = std::thread::spawn(move || {
        for i in 0..3000 {
            terminal
                .write_all(format!("nonsense{i:04}\r").as_bytes())
                .unwrap();
        }
    });
    for i in 0..3000 {
        let reply = line.hears("E400 column 1: ");
        assert!(
            reply.contains(&format!("nonsense{i:04}\r\n")),
            "{i}: {reply:?}"
        );
    }
    typing.join().unwrap();
}

#[test]
fn output_that_had_to_wait_comes_without_a_further_key() {
    let mut line = Line::new("wait");
    line.hears("nl31> ");
    // More replies than fit any buffer, while they are not read.
    line.types("help\r".repeat(500).as_bytes());
    for _ in 0..500 {
        line.hears("I200 help\r\n");
    }
    line.hears("nl31> ");
}

#[test]
fn output_that_a_terminal_never_takes_is_dropped_and_counted() {
    let mut line = Line::new("stall");
    line.hears("nl31> ");
    // More replies than all buffers hold, and longer than the agent waits for a reader.
    line.types("help\r".repeat(500).as_bytes());
    sleep(Duration::from_secs(12));
    line.hears("* the terminal took no output for 10 s; ");
    line.hears(" bytes were dropped\r\n");
    // The line works again; where output is waiting, it is answered without an echo.
    line.types(b"\x15help codes\r");
    line.hears("\r\n  E503 ");
    line.hears("I200 help\r\n");
}

#[test]
fn long_output_pauses_where_the_terminal_says_how_high_it_is() {
    let size = Winsize {
        ws_row: 10,
        ws_col: 200,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let mut line = Line::of_size("page", Some(&size));
    line.hears("nl31> ");
    line.types(b"help\r");
    line.hears("help\r\n");
    let page = line.hears("--more--");
    assert_eq!(page.lines().count(), 10, "{page:?}");
    line.types(b" ");
    line.hears("--more--");
    line.types(b"q");
    line.hears("W206 stopped\r\nnl31> ");
}

#[test]
fn a_hangup_is_no_end() {
    let mut line = Line::new("hangup");
    line.hears("nl31> ");
    // The other end goes away for good: the agent waits for a line to come back.
    let other = openpty(None, None).unwrap();
    line.terminal = File::from(other.master);
    line.end = File::from(other.slave);
    assert_eq!(line.agent.try_wait().unwrap(), None);
    assert_eq!(line.ends_by(Signal::SIGTERM), 0);
}

fn piped(name: &str, arguments: &[&str], input: &[u8]) -> Output {
    let folder = Folder::new(name);
    let mut agent = agent(&folder)
        .args(["--serial", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = agent.stdin.take().unwrap();
    let input = input.to_vec();
    let typing = std::thread::spawn(move || {
        // The agent may end before it has read all.
        let _ = stdin.write_all(&input);
    });
    let output = agent.wait_with_output().unwrap();
    typing.join().unwrap();
    output
}

/// Output without what is told unasked.
fn replies(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.split_inclusive('\n')
        .filter(|line| !line.starts_with("* "))
        .collect()
}

#[test]
fn a_script_on_a_pipe_ends_with_its_verdict() {
    let output = piped("script", &[], b"# codes\nhelp exit\n");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        replies(&output),
        "  exit\n  lock the line if it has a PIN, or end the session\nI200 help\n"
    );

    let output = piped("failure", &[], b"nonsense\nhelp ping");
    assert_eq!(output.status.code(), Some(1));
    assert!(replies(&output).ends_with("I200 help\n"));

    let output = piped("empty", &[], b"");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(replies(&output), "");
}

#[test]
fn a_long_script_on_a_pipe_is_answered_line_by_line() {
    let output = piped("long", &[], "help ping\n".repeat(5000).as_bytes());
    assert_eq!(replies(&output).matches("I200 help\n").count(), 5000);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_ends_the_agent() {
    let folder = Folder::new("closed");
    let mut agent = agent(&folder)
        .args(["--serial", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(agent.stdout.take());
    let mut stdin = agent.stdin.take().unwrap();
    let _ = stdin.write_all("help\n".repeat(1000).as_bytes());
    // It ends although its input goes on.
    agent.wait().unwrap();
    drop(stdin);
}

#[test]
fn what_cannot_be_is_said() {
    let output = piped("option", &["--no-such-option"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("--no-such-option")
    );
}

#[test]
fn watchdog_is_pinged_only_while_agent_runs() {
    let folder = Folder::new("watchdog");
    let device = folder.0.join("watchdog");
    File::create(&device).unwrap();
    let pty = openpty(None, None).unwrap();
    let mut agent = agent(&folder);
    agent.arg("--watchdog").arg(&device);
    agent.arg("--serial").arg(ttyname(&pty.slave).unwrap());
    let mut agent = agent.spawn().unwrap();
    let pings = || std::fs::read(&device).unwrap().len();
    let await_pings = |count| {
        let deadline = Instant::now() + Duration::from_millis(HANG_MS.into());
        while pings() < count {
            assert!(Instant::now() < deadline, "the watchdog is not pinged");
            sleep(Duration::from_millis(20));
        }
    };
    await_pings(2);
    let pid = Pid::from_raw(agent.id() as i32);
    kill(pid, Signal::SIGSTOP).unwrap();
    sleep(Duration::from_millis(100));
    let stopped = pings();
    sleep(Duration::from_millis(1500));
    assert_eq!(pings(), stopped, "pinged by a stopped agent");
    kill(pid, Signal::SIGCONT).unwrap();
    await_pings(stopped + 1);
    kill(pid, Signal::SIGTERM).unwrap();
    agent.wait().unwrap();
    assert!(std::fs::read(&device).unwrap().ends_with(b"V"));
}

#[test]
fn resident_agent_ends_with_0_after_a_command_that_failed() {
    let mut line = Line::new("status");
    line.hears("nl31> ");
    line.types(b"nonsense\r");
    line.hears("E400 ");
    assert_eq!(line.ends_by(Signal::SIGTERM), 0);
}

#[test]
fn second_resident_agent_is_refused_and_leaves_the_first_alone() {
    let mut line = Line::new("second");
    line.hears("nl31> ");
    let pty = openpty(None, None).unwrap();
    let path = ttyname(&pty.slave).unwrap();
    let second = agent(&line.folder)
        .arg("--serial")
        .arg(path)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2));
    let errors = String::from_utf8(second.stderr).unwrap();
    let holder = format!("another agent (process {})", line.agent.id());
    assert!(errors.contains(&holder), "{errors}");
    assert!(line.folder.0.join("run.sock").exists());
    assert!(line.folder.0.join("run/exit-reason").exists());
    // An agent for a script works beside it.
    let script = agent(&line.folder)
        .args(["--serial", "-"])
        .stdin(Stdio::null())
        .output();
    assert!(script.unwrap().status.success());
    assert_eq!(line.ends_by(Signal::SIGTERM), 0);
}
