// SPDX-License-Identifier: MIT OR Apache-2.0
//! The two ends of the line, the line between them, and the files of a test.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use nl31_agent::config::locations::Files;
use nl31_agent::console::shared::Shared;
use nl31_agent::frames::host::Host;
use nl31_agent::frames::session::Program;
use nl31_agent::platform::devices::Devices;
use nl31_ctl::commands::apply::{Plan, apply};
use nl31_ctl::commands::file::RouteFile;
use nl31_ctl::commands::list::list;
use nl31_ctl::commands::load::{Mode, load};
use nl31_ctl::commands::{route, shell};
use nl31_ctl::error::Error;
use nl31_ctl::link::Link;
use nl31_ctl::output::Output;
use nl31_ctl::port::Port;
use nl31_netlink::{Client, FakeKernel, Message, ReceiveError, Transport};
use nl31_route::{DeviceName, Spec, Syntax};
use nl31_wire::limits::FRAME_MAX;
use nl31_wire::{Deframer, Heard, Line, Op, Request, Response, RetryPolicy, code};

/// `lo` is 1, `eth0` is 2.
pub(crate) struct TestDevices;

pub(crate) const DEVICES: [&str; 2] = ["lo", "eth0"];

impl Devices for TestDevices {
    fn index(&self, name: &DeviceName) -> Option<u32> {
        let at = DEVICES
            .iter()
            .position(|&device| device.as_bytes() == name.as_bytes())?;
        Some(at as u32 + 1)
    }

    fn name(&self, index: u32) -> Option<DeviceName> {
        DEVICES.get(index as usize - 1)?.parse().ok()
    }

    fn names(&self, each: &mut dyn FnMut(&str)) {
        DEVICES.iter().for_each(|name| each(name));
    }
}

/// One kernel for all clients of a session, and the agent's files.
#[derive(Clone)]
pub(crate) struct Kernel(pub(crate) Rc<RefCell<FakeKernel>>, pub(crate) Rc<Shared>);

impl Default for Kernel {
    fn default() -> Self {
        Self::with_folder(Path::new("/no/such"))
    }
}

impl Transport for Kernel {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().send(datagram)
    }

    fn receive(&mut self, deadline: Instant) -> Result<Option<Message>, ReceiveError> {
        self.0.borrow_mut().receive(deadline)
    }

    fn rtnetlink(&mut self, request: &[u8], each: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<()> {
        self.0.borrow_mut().rtnetlink(request, each)
    }
}

impl Host for Kernel {
    type Transport = Self;

    fn connect(&self) -> Result<Client<Self>, nl31_netlink::Error> {
        // With the last one's socket the kernel drops its dump; here all have one.
        while let Ok(Some(_)) = self.0.borrow_mut().receive(Instant::now()) {}
        Ok(Client::with_timeout(self.clone(), Duration::ZERO))
    }

    fn devices(&self) -> Box<dyn Devices> {
        Box::new(TestDevices)
    }

    fn shared(&self) -> Rc<Shared> {
        Rc::clone(&self.1)
    }
}

impl Kernel {
    pub(crate) fn with_folder(folder: &Path) -> Self {
        let files = Files::new(Some(&folder.join("routes.conf")), &folder.join("run"));
        Self(Rc::default(), Rc::new(Shared::new(files, true, false)))
    }

    pub(crate) fn routes(&self) -> Vec<String> {
        let routes = self.0.borrow().routes();
        routes.iter().map(ToString::to_string).collect()
    }
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// By `NL31_SEED`, for other noise than that of every day; shown where a test fails.
    pub(crate) fn seeded(more: u64) -> Self {
        let seed = std::env::var("NL31_SEED").unwrap_or("0".into());
        println!("NL31_SEED={seed}");
        Self(more.wrapping_add(seed.parse().expect("NL31_SEED is a number")))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

/// The agent's end of a line, and the line.
pub(crate) struct Wire {
    pub(crate) kernel: Kernel,
    pub(crate) line: Line,
    pub(crate) program: Program<Kernel>,
    pub(crate) text: Vec<u8>,
    pub(crate) heard: VecDeque<u8>,
    /// One byte of so many is hit; 0 for none.
    pub(crate) noise: u64,
    pub(crate) random: Random,
    pub(crate) hits: u64,
    pub(crate) unplugged: bool,
    /// The agent does not know packed messages.
    pub(crate) older: bool,
    /// The speeds of both ends, the agent's first; bytes get lost where they differ.
    pub(crate) speeds: [u32; 2],
    /// Bytes that were carried at another speed than the line's own.
    pub(crate) fast: usize,
}

/// The speed of a line.
pub(crate) const OWN_SPEED: u32 = 115_200;

/// Shared, so that a test can look at the agent while the client has the line.
#[derive(Clone)]
pub(crate) struct TestPort(pub(crate) Rc<RefCell<Wire>>);

impl Wire {
    pub(crate) fn damaged(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut damaged = Vec::new();
        for &byte in bytes {
            if self.noise == 0 || !self.random.next().is_multiple_of(self.noise) {
                damaged.push(byte);
                continue;
            }
            self.hits += 1;
            match self.random.next() % 5 {
                0 => {}
                1 => damaged.push(byte ^ 1 << (self.random.next() % 8)),
                2 => damaged.extend([byte, self.random.next() as u8]),
                3 => damaged.extend([byte, 0]),
                _ => damaged.extend(b"[   12.345678] eth0: link is up\r\n"),
            }
        }
        damaged
    }

    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match self.line.byte(byte) {
                Heard::Nothing => {}
                Heard::Text(typed) => self.text.extend(typed),
                Heard::Frame(frame) => {
                    assert!(!self.older || frame.kind <= 0x13, "{frame:?}");
                    self.program.frame(Ok(&frame));
                    if self.program.asks_for_speed().is_some() {
                        self.program.answer_speed(Ok(()));
                    }
                }
                Heard::Bad(error) => self.program.frame(Err(error)),
            }
        }
        self.answer();
        if let Some(speed) = self.program.take_speed() {
            self.speeds[0] = speed;
        }
        if self.program.left() {
            self.line.leave();
            self.program.reset();
        }
    }

    pub(crate) fn answer(&mut self) {
        let out = self.program.out();
        let answers = out.pending().to_vec();
        out.consume(answers.len());
        let answers = match self.older {
            true => of_older_agent(&answers),
            false => answers,
        };
        let answers = self.damaged(&answers);
        self.heard.extend(answers);
    }
}

/// The same answers, a Welcome with the schema of an agent of before.
pub(crate) fn of_older_agent(answers: &[u8]) -> Vec<u8> {
    let mut deframer = Deframer::new();
    let mut older = Vec::new();
    for &byte in answers {
        let Some(frame) = deframer.byte(byte) else {
            continue;
        };
        let frame = frame.unwrap();
        let mut response = Response::decode(&frame).unwrap();
        if let Response::Welcome { schema, .. } = &mut response {
            *schema = 0x8c94_f5c1;
        }
        let mut out = [0; FRAME_MAX];
        let len = response.encode(frame.id, &mut out).unwrap();
        older.extend(&out[..len]);
    }
    older
}

impl Port for TestPort {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut wire = self.0.borrow_mut();
        if wire.unplugged {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if wire.speeds[0] != wire.speeds[1] {
            return Ok(());
        }
        if wire.speeds[0] != OWN_SPEED {
            wire.fast += bytes.len();
        }
        let bytes = wire.damaged(bytes);
        wire.hear(&bytes);
        Ok(())
    }

    fn speed(&self) -> io::Result<u32> {
        Ok(self.0.borrow().speeds[1])
    }

    fn set_speed(&mut self, baud: u32) -> io::Result<()> {
        self.0.borrow_mut().speeds[1] = baud;
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.heard.is_empty() && !wait.is_zero() {
            // Silence of this length gives half a frame up, as on a real line.
            std::thread::sleep(wait);
            wire.line.silence();
        }
        let len = wire.heard.len().min(buffer.len());
        for place in &mut buffer[..len] {
            *place = wire.heard.pop_front().unwrap();
        }
        Ok(len)
    }
}

impl TestPort {
    /// A line on which one byte of `noise` is hit; 0 for none.
    pub(crate) fn new(noise: u64) -> Self {
        Self::to(Kernel::default(), noise)
    }

    pub(crate) fn to(kernel: Kernel, noise: u64) -> Self {
        Self(Rc::new(RefCell::new(Wire {
            program: Program::new(kernel.clone(), 7),
            kernel,
            line: Line::new(),
            text: Vec::new(),
            heard: VecDeque::new(),
            noise,
            random: Random::seeded(noise),
            hits: 0,
            unplugged: false,
            older: false,
            speeds: [OWN_SPEED; 2],
            fast: 0,
        })))
    }

    pub(crate) fn open(&self) -> Link<Self> {
        // A good line loses nothing, so a slow machine must not be taken for a loss.
        let timeout_ms = if self.0.borrow().noise == 0 {
            60_000
        } else {
            20
        };
        let retry = RetryPolicy {
            timeout_ms,
            attempts: u8::MAX,
        };
        Link::open(self.clone(), "test", retry, retry).unwrap()
    }

    pub(crate) fn kernel(&self) -> Kernel {
        self.0.borrow().kernel.clone()
    }

    pub(crate) fn routes(&self) -> Vec<String> {
        self.kernel().routes()
    }

    /// Has the agent hear of what happened in the kernel.
    pub(crate) fn tell(&self) {
        let mut wire = self.0.borrow_mut();
        loop {
            let event = wire.kernel.0.borrow_mut().event();
            let Some(event) = event else { break };
            wire.program.event(&event);
        }
    }
}

pub(crate) fn spec(text: &str) -> Spec<DeviceName> {
    Syntax::CONFIG.parse(text, 0).unwrap().spec
}

pub(crate) fn change(link: &mut Link<TestPort>, op: Op, text: &str) -> Result<u32, u16> {
    route::change(link, op, &spec(text)).map_err(|error| error.code().unwrap())
}

pub(crate) fn listed(link: &mut Link<TestPort>, filter: &str, longer: bool) -> Vec<String> {
    let filter = if filter.is_empty() {
        Spec::default()
    } else {
        spec(filter)
    };
    let mut routes = Vec::new();
    let changed = list(link, &filter, longer, &mut |route| {
        routes.push(route.to_string());
        Ok(())
    });
    assert!(!changed.unwrap());
    routes
}

/// A file of its own for each test, gone with it.
pub(crate) struct TestFile(pub(crate) PathBuf);

impl TestFile {
    pub(crate) fn new(name: &str, lines: &[String]) -> Self {
        let name = format!("nl31ctl-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, lines.join("\n")).unwrap();
        Self(path)
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The routes of a file without a mistake.
pub(crate) fn routes(file: &TestFile) -> RouteFile {
    RouteFile::open(&file.0).unwrap()
}

/// Adds the routes and settings of a file.
#[track_caller]
pub(crate) fn load_file(link: &mut Link<TestPort>, file: &TestFile) {
    load(link, &mut routes(file), Mode::Add, &ProgressBar::hidden()).unwrap();
}

/// Carries out a plan that was made for a file.
pub(crate) fn apply_file(
    link: &mut Link<TestPort>,
    file: &TestFile,
    plan: &Plan,
    confirm: Option<u32>,
) -> Result<(), Error> {
    apply(link, &routes(file), plan, confirm, &ProgressBar::hidden())
}

/// Routes with nothing in common, each by one of four gateways.
pub(crate) fn scattered(count: u32) -> Vec<String> {
    let mut lines: Vec<_> = (0..count)
        .map(|number| {
            let address = std::net::Ipv4Addr::from_bits(number.wrapping_mul(0x9e37_79b1) & !0xff);
            format!("{address}/24 via 192.0.2.{}", 1 + number % 4)
        })
        .collect();
    lines.sort();
    lines.dedup_by(|a, b| a.split(' ').next() == b.split(' ').next());
    lines
}

pub(crate) fn sorted(mut routes: Vec<String>) -> Vec<String> {
    routes.sort();
    routes
}

/// Runs of /24 with a hole now and then, by some next hops, as a real table has.
pub(crate) fn like_a_table(count: u32) -> Vec<String> {
    let lines = (0..count).map(|number| {
        let at = (1 << 16) + number + number / 50 * 7;
        let prefix = std::net::Ipv4Addr::from_bits(at << 8);
        format!("{prefix}/24 via 192.0.2.{}", 1 + number / 90 % 30)
    });
    lines.collect()
}

/// What follows in a transaction that has failed is not made, by itself either.
#[track_caller]
pub(crate) fn has_failed_up_to_its_commit(link: &mut Link<TestPort>, port: &TestPort) {
    assert_eq!(
        change(link, Op::Add, "10.0.0.0/8 dev lo"),
        Err(code::TRANSACTION_FAILED)
    );
    let committed = link.call(&Request::Commit {}, |_| Ok(()));
    assert_eq!(
        committed.unwrap_err().code(),
        Some(code::TRANSACTION_FAILED)
    );
    assert!(port.routes().is_empty());
    assert_eq!(change(link, Op::Add, "10.0.0.0/8 dev lo"), Ok(1));
}

/// What a line of the console answers.
pub(crate) fn says(link: &mut Link<TestPort>, line: &str) -> String {
    let mut out = Vec::new();
    shell::line(link, line, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A port to an agent with a folder, gone with the test.
pub(crate) fn with_folder(name: &str) -> (TestPort, TestFolder) {
    let name = format!("nl31ctl-{}-{name}", std::process::id());
    let folder = TestFolder(std::env::temp_dir().join(name));
    (TestPort::to(Kernel::with_folder(&folder.0), 0), folder)
}

pub(crate) struct TestFolder(pub(crate) PathBuf);

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn code_of(result: Result<(), Error>) -> u16 {
    result.unwrap_err().code().unwrap()
}

/// What a command prints with --json, one value a line.
pub(crate) fn printed(
    command: impl FnOnce(&mut Output<'_>) -> Result<(), Error>,
) -> Result<Vec<serde_json::Value>, Error> {
    let mut text = Vec::new();
    command(&mut Output::new(&mut text, true, false))?;
    let text = String::from_utf8(text).unwrap();
    let read = |line: &str| serde_json::from_str(line).unwrap();
    Ok(text.lines().map(read).collect())
}
