// SPDX-License-Identifier: MIT OR Apache-2.0
//! The real client and the agent's real session, over a line in memory that may be
//! bad, and a kernel in memory that speaks the real bytes.
#![allow(missing_docs)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use nl31_agent::candidate::confirmed_commit::{self, RolledBack};
use nl31_agent::config::locations::Files;
use nl31_agent::console::access::{Access, LineLock};
use nl31_agent::console::shared::Shared;
use nl31_agent::frames::host::Host;
use nl31_agent::frames::session::Program;
use nl31_agent::grammar::codes;
use nl31_agent::platform::devices::Devices;
use nl31_ctl::commands::apply::{apply, plan};
use nl31_ctl::commands::file::{NewFile, RouteFile};
use nl31_ctl::commands::list::{generation, list};
use nl31_ctl::commands::load::{Mode, load};
use nl31_ctl::commands::monitor::{Pace, monitor};
use nl31_ctl::commands::save::{save, save_there, save_to};
use nl31_ctl::commands::{console, route, shell};
use nl31_ctl::error::{Error, Refused};
use nl31_ctl::link::{Event, Link};
use nl31_ctl::output::Output;
use nl31_ctl::port::Port;
use nl31_netlink::{Client, Device, FakeKernel, Message, ReceiveError, Transport};
use nl31_route::{DeviceName, Route, Spec, Syntax};
use nl31_wire::limits::{FRAME_MAX, VERSION};
use nl31_wire::{
    Deframer, Frame, Heard, ItemsBuffer, Line, Op, Packer, Request, Response, RetryPolicy, code,
};

/// `lo` is 1, `eth0` is 2.
struct TestDevices;

const DEVICES: [&str; 2] = ["lo", "eth0"];

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
struct Kernel(Rc<RefCell<FakeKernel>>, Rc<Shared>);

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
    fn with_folder(folder: &Path) -> Self {
        let files = Files::new(Some(&folder.join("routes.conf")), &folder.join("run"));
        Self(Rc::default(), Rc::new(Shared::new(files, true, false)))
    }

    fn routes(&self) -> Vec<String> {
        let routes = self.0.borrow().routes();
        routes.iter().map(ToString::to_string).collect()
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    /// By `NL31_SEED`, for other noise than that of every day; shown where a test fails.
    fn seeded(more: u64) -> Self {
        let seed = std::env::var("NL31_SEED").unwrap_or("0".into());
        println!("NL31_SEED={seed}");
        Self(more.wrapping_add(seed.parse().expect("NL31_SEED is a number")))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

/// The agent's end of a line, and the line.
struct Wire {
    kernel: Kernel,
    line: Line,
    program: Program<Kernel>,
    text: Vec<u8>,
    heard: VecDeque<u8>,
    /// One byte of so many is hit; 0 for none.
    noise: u64,
    random: Random,
    hits: u64,
    unplugged: bool,
    /// The agent does not know packed messages.
    older: bool,
}

/// Shared, so that a test can look at the agent while the client has the line.
#[derive(Clone)]
struct TestPort(Rc<RefCell<Wire>>);

impl Wire {
    fn damaged(&mut self, bytes: &[u8]) -> Vec<u8> {
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

    fn hear(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match self.line.byte(byte) {
                Heard::Nothing => {}
                Heard::Text(typed) => self.text.extend(typed),
                Heard::Frame(frame) => {
                    assert!(!self.older || frame.kind <= 0x13, "{frame:?}");
                    self.program.frame(Ok(&frame));
                }
                Heard::Bad(error) => self.program.frame(Err(error)),
            }
            if self.program.left() {
                self.line.leave();
            }
        }
        self.answer();
    }

    fn answer(&mut self) {
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
fn of_older_agent(answers: &[u8]) -> Vec<u8> {
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
        let bytes = wire.damaged(bytes);
        wire.hear(&bytes);
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.heard.is_empty() {
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
    fn new(noise: u64) -> Self {
        Self::to(Kernel::default(), noise)
    }

    fn to(kernel: Kernel, noise: u64) -> Self {
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
        })))
    }

    fn open(&self) -> Link<Self> {
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

    fn kernel(&self) -> Kernel {
        self.0.borrow().kernel.clone()
    }

    fn routes(&self) -> Vec<String> {
        self.kernel().routes()
    }

    /// Has the agent hear of what happened in the kernel.
    fn tell(&self) {
        let mut wire = self.0.borrow_mut();
        loop {
            let event = wire.kernel.0.borrow_mut().event();
            let Some(event) = event else { break };
            wire.program.event(&event);
        }
    }
}

fn spec(text: &str) -> Spec<DeviceName> {
    Syntax::CONFIG.parse(text, 0).unwrap().spec
}

fn change(link: &mut Link<TestPort>, op: Op, text: &str) -> Result<u32, u16> {
    route::change(link, op, &spec(text)).map_err(|error| error.code().unwrap())
}

fn listed(link: &mut Link<TestPort>, filter: &str, longer: bool) -> Vec<String> {
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
struct TestFile(PathBuf);

impl TestFile {
    fn new(name: &str, lines: &[String]) -> Self {
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
fn routes(file: &TestFile) -> RouteFile {
    RouteFile::open(&file.0).unwrap()
}

/// Routes with nothing in common, each by one of four gateways.
fn scattered(count: u32) -> Vec<String> {
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

fn sorted(mut routes: Vec<String>) -> Vec<String> {
    routes.sort();
    routes
}

#[test]
fn routes_are_changed_in_the_words_of_ip_route() {
    let port = TestPort::new(0);
    let mut link = port.open();
    assert_eq!(
        change(&mut link, Op::Add, "10.0.0.0/8 via 192.0.2.1"),
        Ok(1)
    );
    assert_eq!(
        change(&mut link, Op::Add, "10.0.0.0/8 via 192.0.2.9"),
        Err(409)
    );
    assert_eq!(change(&mut link, Op::Append, "10.0.0.0/8 dev eth0"), Ok(1));
    assert_eq!(change(&mut link, Op::Delete, "10.0.0.0/8"), Err(410));
    assert_eq!(change(&mut link, Op::Delete, "10.0.0.0/8 dev eth0"), Ok(1));
    assert_eq!(
        change(&mut link, Op::Replace, "10.0.0.0/8 via 192.0.2.2"),
        Ok(1)
    );
    assert_eq!(
        change(&mut link, Op::Change, "11.0.0.0/8 via 192.0.2.2"),
        Err(404)
    );
    assert_eq!(
        change(&mut link, Op::Add, "12.0.0.0/8 dev nothere"),
        Err(406)
    );
    assert_eq!(
        change(
            &mut link,
            Op::Add,
            "blackhole 2001:db8::/32 metric 9 proto bgp"
        ),
        Ok(1)
    );
    let all = [
        "10.0.0.0/8 via 192.0.2.2",
        "blackhole 2001:db8::/32 metric 9 proto bgp",
    ];
    assert_eq!(listed(&mut link, "", false), all);
    assert_eq!(port.routes(), all);
    let found = route::get(&mut link, "10.1.2.3".parse().unwrap()).unwrap();
    assert_eq!(found.to_string(), all[0]);
    let error = route::get(&mut link, "11.1.2.3".parse().unwrap()).unwrap_err();
    assert_eq!((error.code(), error.status()), (Some(404), 3));
    link.leave().unwrap();
    assert!(!port.0.borrow().line.frames());
    assert!(port.0.borrow().text.is_empty());
}

#[test]
fn a_frame_is_made_whole_or_not_at_all() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let mut buffer = ItemsBuffer::default();
    for text in [
        "10.0.0.0/8 dev lo",
        "11.0.0.0/8 dev lo",
        "10.0.0.0/8 dev eth0",
    ] {
        buffer.push(Op::Add, &spec(text)).unwrap();
    }
    let error = link
        .call(
            &Request::Change {
                items: buffer.items(),
            },
            |_| Ok(()),
        )
        .unwrap_err();
    assert!(
        matches!(
            &error,
            Error::Refused(Refused {
                code: 409,
                index: Some(2),
                ..
            })
        ),
        "{error}"
    );
    assert!(port.routes().is_empty());
}

#[test]
fn filters_and_flush_mean_what_the_console_means() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let all = [
        "10.0.0.0/8 dev lo",
        "10.1.0.0/16 dev lo",
        "10.2.0.0/16 dev eth0",
        "11.0.0.0/8 dev lo",
    ];
    for text in all {
        change(&mut link, Op::Add, text).unwrap();
    }
    assert_eq!(listed(&mut link, "10.0.0.0/8", false), all[..1]);
    assert_eq!(listed(&mut link, "10.0.0.0/8", true), all[..3]);
    assert_eq!(listed(&mut link, "10.0.0.0/8 dev eth0", true), all[2..3]);
    let mut flush = |filter: &str, longer: bool, all: bool| {
        let filter = if filter.is_empty() {
            Spec::default()
        } else {
            spec(filter)
        };
        let filter = ItemsBuffer::filter(&filter);
        let request = Request::Flush {
            filter: filter.items(),
            longer,
            all,
        };
        link.done(&request).map_err(|error| error.code().unwrap())
    };
    assert_eq!(flush("", false, false), Err(400));
    assert_eq!(flush("10.0.0.0/8", false, true), Err(400));
    assert_eq!(flush("10.0.0.0/8", false, false), Ok(()));
    assert_eq!(port.routes(), all[1..]);
    assert_eq!(flush("10.0.0.0/8 dev eth0", true, false), Ok(()));
    assert_eq!(flush("12.0.0.0/8", false, false), Ok(()));
    assert_eq!(port.routes(), [all[1], all[3]]);
    assert_eq!(flush("", false, true), Ok(()));
    assert!(port.routes().is_empty());
}

#[test]
fn ten_thousand_routes_arrive_over_a_bad_line() {
    let lines = scattered(10_000);
    let file = TestFile::new("noise", &lines);
    for (mode, noise) in [
        (Mode::Frames, 2000),
        (Mode::Add, 1000),
        (Mode::Replace, 500),
    ] {
        let port = TestPort::new(noise);
        let mut link = port.open();
        let count = load(&mut link, &mut routes(&file), mode, &ProgressBar::hidden()).unwrap();
        assert_eq!(count, lines.len() as u64);
        assert_eq!(sorted(port.routes()), lines);
        assert!(port.0.borrow().hits > 5, "the line was too good");
        // Every one was added once: twice would have failed, as it was there.
        assert_eq!(sorted(listed(&mut link, "", false)), lines);
        link.leave().unwrap();
        assert!(port.0.borrow().text.is_empty());
    }
}

/// 115200 baud are 11,520 bytes a second; 1,500 routes/s are 7.6 bytes a route.
#[test]
fn a_load_takes_few_bytes_a_route() {
    let lines = scattered(10_000);
    let file = TestFile::new("bytes", &lines);
    for mode in [Mode::Add, Mode::Frames] {
        let port = TestPort::new(0);
        let mut link = port.open();
        let before = link.traffic();
        load(&mut link, &mut routes(&file), mode, &ProgressBar::hidden()).unwrap();
        let (sent, heard) = link.traffic();
        let routes = lines.len() as f64;
        let (sent, heard) = (
            (sent - before.0) as f64 / routes,
            (heard - before.1) as f64 / routes,
        );
        assert!(sent < 4.5, "{sent} bytes a route there");
        assert!(heard < 0.2, "{heard} bytes a route back");
        // A list, in the other direction.
        let before = link.traffic();
        assert_eq!(listed(&mut link, "", false).len(), lines.len());
        let heard = (link.traffic().1 - before.1) as f64 / routes;
        assert!(heard < 6.0, "{heard} bytes a route listed");
    }
}

/// Many peers: each frame would have to say the paths of its routes again.
#[test]
fn a_load_over_many_next_hops_takes_few_bytes_too() {
    let hop = |(number, line): (usize, String)| {
        let prefix = line.split(' ').next().unwrap();
        let (hop, metric) = (1 + number * 7 % 48, 10 + number * 7 % 48);
        format!("{prefix} via 192.0.2.{hop} dev eth0 metric {metric}")
    };
    let mut lines: Vec<_> = scattered(10_000).into_iter().enumerate().map(hop).collect();
    // The order of the paths of a prefix is kept.
    lines.push("1.0.0.0/8 via 192.0.2.9 dev eth0 metric 7".into());
    lines.push("1.0.0.0/8 via 192.0.2.1 dev eth0 metric 7".into());
    let file = TestFile::new("many-hops", &lines);
    let port = TestPort::new(0);
    let mut link = port.open();
    let before = link.traffic().0;
    load(
        &mut link,
        &mut routes(&file),
        Mode::Add,
        &ProgressBar::hidden(),
    )
    .unwrap();
    let sent = (link.traffic().0 - before) as f64 / lines.len() as f64;
    assert!(sent < 6.5, "{sent} bytes a route");
    assert_eq!(
        listed(&mut link, "1.0.0.0/8", false),
        lines[lines.len() - 2..]
    );
    lines.sort();
    assert_eq!(sorted(port.routes()), lines);
}

/// Runs of /24 with a hole now and then, by some next hops, as a real table has.
fn like_a_table(count: u32) -> Vec<String> {
    let lines = (0..count).map(|number| {
        let at = (1 << 16) + number + number / 50 * 7;
        let prefix = std::net::Ipv4Addr::from_bits(at << 8);
        format!("{prefix}/24 via 192.0.2.{}", 1 + number / 90 % 30)
    });
    lines.collect()
}

#[test]
fn sorted_routes_take_less_than_a_byte_in_both_directions() {
    let lines = like_a_table(20_000);
    let file = TestFile::new("packed", &lines);
    let port = TestPort::new(0);
    let mut link = port.open();
    let traffic = |link: &Link<TestPort>| {
        let (sent, heard) = link.traffic();
        (sent + heard) as f64 / lines.len() as f64
    };
    for mode in [Mode::Add, Mode::Replace] {
        let before = traffic(&link);
        load(&mut link, &mut routes(&file), mode, &ProgressBar::hidden()).unwrap();
        let loaded = traffic(&link) - before;
        assert!(loaded < 0.7, "{loaded} bytes a route loaded");
    }
    let before = traffic(&link);
    assert_eq!(listed(&mut link, "", false), lines);
    let listed = traffic(&link) - before;
    assert!(listed < 0.7, "{listed} bytes a route listed");
    // Applied over an empty table.
    let before = traffic(&link);
    load(
        &mut link,
        &mut routes(&TestFile::new("packed-none", &[])),
        Mode::Replace,
        &ProgressBar::hidden(),
    )
    .unwrap();
    let plan = plan(&mut link, &mut routes(&file)).unwrap();
    apply(&mut link, &plan, None, &ProgressBar::hidden()).unwrap();
    let applied = traffic(&link) - before;
    assert!(applied < 0.7, "{applied} bytes a route applied");
    assert_eq!(port.routes(), lines);
}

#[test]
fn an_agent_of_before_is_sent_plain_batches_and_lists() {
    let lines = scattered(3000);
    let file = TestFile::new("older", &lines);
    let port = TestPort::new(0);
    port.0.borrow_mut().older = true;
    let mut link = port.open();
    assert!(!link.can_pack());
    load(
        &mut link,
        &mut routes(&file),
        Mode::Replace,
        &ProgressBar::hidden(),
    )
    .unwrap();
    assert_eq!(sorted(listed(&mut link, "", false)), lines);
    let none = TestFile::new("older-none", &[]);
    let plan = plan(&mut link, &mut routes(&none)).unwrap();
    apply(&mut link, &plan, None, &ProgressBar::hidden()).unwrap();
    assert!(port.routes().is_empty());
}

#[test]
fn packed_changes_belong_to_a_transaction_and_fail_it_where_they_are_bad() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let mut packer = Packer::new();
    for text in like_a_table(300) {
        packer.push(Op::Add, &spec(&text)).unwrap();
    }
    // The 258th again.
    packer
        .push(Op::Add, &spec(&like_a_table(258)[257]))
        .unwrap();
    let (count, packed) = packer.finish();
    let refused = |link: &mut Link<TestPort>, count, packed: &[u8]| {
        let request = Request::PackedChange { count, packed };
        match link.call(&request, |_| Ok(())) {
            Err(Error::Refused(refused)) => (refused.code, refused.index),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&mut link, count, packed), (code::NOT_OPEN, None));
    assert_eq!(change(&mut link, Op::Add, "10.0.0.0/8 dev lo"), Ok(1));
    for (count, packed, why) in [
        (count, packed, (409, Some(300))),
        (count, &packed[..20], (code::BAD_MESSAGE, None)),
        (2049, packed, (code::BAD_MESSAGE, Some(0))),
        (3, packed, (code::BAD_MESSAGE, Some(3))),
    ] {
        link.done(&Request::Begin { replace: true }).unwrap();
        let (code, index) = refused(&mut link, count, packed);
        assert_eq!(code, why.0);
        assert!(why.1.is_none_or(|why| index == Some(why)), "{index:?}");
        assert_eq!(
            refused(&mut link, count, packed),
            (code::TRANSACTION_FAILED, None)
        );
        assert_eq!(
            code_of(link.done(&Request::Commit {})),
            code::TRANSACTION_FAILED
        );
        port.kernel().0.borrow_mut().hang_up();
        assert_eq!(port.routes(), ["10.0.0.0/8 dev lo"]);
    }
    // What a transaction has learned ends with it; plain changes may come between.
    for _ in 0..2 {
        link.done(&Request::Begin { replace: true }).unwrap();
        let mut packer = Packer::new();
        for part in like_a_table(300).chunks(100) {
            for text in part {
                packer.push(Op::Add, &spec(text)).unwrap();
            }
            let (count, packed) = packer.finish();
            let request = Request::PackedChange { count, packed };
            link.call(&request, |response| {
                assert_eq!(response, Response::Changed { count: 100 });
                Ok(())
            })
            .unwrap();
            packer.next_frame();
            assert_eq!(change(&mut link, Op::Replace, "10.0.0.0/8 dev lo"), Ok(1));
        }
        let committed = |response: Response<'_>| Ok(matches!(response, Response::Changed { .. }));
        assert!(link.call(&Request::Commit {}, committed).unwrap());
        assert_eq!(listed(&mut link, "", false).len(), 301);
    }
}

#[test]
fn a_transaction_that_fails_changes_nothing() {
    let mut lines = scattered(3000);
    let port = TestPort::new(0);
    let mut link = port.open();
    // Appending exactly this one fails, with frames on their way behind it.
    let there = lines[700].clone();
    change(&mut link, Op::Add, &there).unwrap();
    let file = TestFile::new("fails", &lines);
    let error = load(
        &mut link,
        &mut routes(&file),
        Mode::Add,
        &ProgressBar::hidden(),
    )
    .unwrap_err();
    assert_eq!((error.code(), error.status()), (Some(409), 4));
    assert!(
        error
            .to_string()
            .starts_with(&format!("{}:701: E409 ", file.0.display())),
        "{error}"
    );
    assert_eq!(port.routes(), std::slice::from_ref(&there));
    // The same as a replacement of the table is none of its business.
    let count = load(
        &mut link,
        &mut routes(&file),
        Mode::Replace,
        &ProgressBar::hidden(),
    )
    .unwrap();
    assert_eq!(count, lines.len() as u64);
    assert_eq!(sorted(port.routes()), lines);
    // A line that cannot be read is found before anything is sent.
    lines[2000] = "10.0.0.1/8 dev lo".into();
    let file = TestFile::new("fails-too", &lines);
    let error = RouteFile::open(&file.0).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("{}:2001:1: ", file.0.display())),
        "{error}"
    );
    assert_eq!(error.status(), 6);
    assert_eq!(port.routes().len(), 3000);
}

/// What follows in a transaction that has failed is not made, by itself either.
#[track_caller]
fn has_failed_up_to_its_commit(link: &mut Link<TestPort>, port: &TestPort) {
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

#[test]
fn changes_name_a_device_that_is_there_and_filters_reach_paths_over_its_index() {
    let port = TestPort::new(0);
    let mut link = port.open();
    assert_eq!(change(&mut link, Op::Add, "10.0.0.0/8 dev usb0"), Err(406));
    assert_eq!(change(&mut link, Op::Add, "10.0.0.0/8 dev eth0"), Ok(1));
    let route = |text: &str| text.parse::<Route<DeviceName>>().unwrap();
    let by_index = route("11.0.0.0/8 dev eth0").map_device(|_| Device::Index(2));
    // One that waits, as after the load of a config.
    let waits = route("12.0.0.0/8 dev usb0").map_device(Device::Name);
    let mut client = port.kernel().connect().unwrap();
    for route in [by_index, waits] {
        client.add(nl31_netlink::Add::Add, &route).unwrap();
    }
    let both = ["10.0.0.0/8 dev eth0", "11.0.0.0/8 dev eth0"];
    assert_eq!(listed(&mut link, "dev eth0", true), both);
    let waiting = listed(&mut link, "dev usb0", true);
    assert_eq!(waiting, ["12.0.0.0/8 dev usb0"]);
    for text in [both[0], both[1], "12.0.0.0/8 dev usb0"] {
        assert_eq!(change(&mut link, Op::Delete, text), Ok(1));
    }
    assert!(port.routes().is_empty());
}

#[test]
fn a_transaction_that_was_begun_while_the_config_is_loaded_goes_on() {
    let port = TestPort::new(0);
    let mut link = port.open();
    link.done(&Request::Begin { replace: false }).unwrap();
    assert_eq!(change(&mut link, Op::Add, "10.0.0.0/8 dev lo"), Ok(1));
    port.kernel().1.config.booting.set(true);
    assert_eq!(change(&mut link, Op::Add, "11.0.0.0/8 dev lo"), Ok(1));
    link.call(&Request::Commit {}, |_| Ok(())).unwrap();
    assert_eq!(port.routes().len(), 2);
    assert_eq!(change(&mut link, Op::Add, "12.0.0.0/8 dev lo"), Err(423));
}

#[test]
fn transactions_are_opened_and_closed_in_order() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let code = |result: Result<(), Error>| result.unwrap_err().code().unwrap();
    assert_eq!(
        code(link.call(&Request::Commit {}, |_| Ok(()))),
        code::NOT_OPEN
    );
    assert_eq!(code(link.done(&Request::Next {})), code::NOT_OPEN);
    link.done(&Request::Begin { replace: false }).unwrap();
    assert_eq!(
        code(link.done(&Request::Begin { replace: false })),
        code::IN_TRANSACTION
    );
    // Nor is anything flushed beside it.
    let empty = ItemsBuffer::default();
    let flush = Request::Flush {
        filter: empty.items(),
        longer: false,
        all: true,
    };
    assert_eq!(code(link.done(&flush)), code::IN_TRANSACTION);
    link.done(&Request::Abort {}).unwrap();
    link.done(&Request::Begin { replace: false }).unwrap();
    assert_eq!(change(&mut link, Op::Delete, "10.0.0.0/8"), Err(404));
    assert_eq!(code(link.done(&flush)), code::TRANSACTION_FAILED);
    has_failed_up_to_its_commit(&mut link, &port);
    // Items that cannot be read fail a transaction too.
    link.done(&Request::Begin { replace: false }).unwrap();
    let bad = Request::Change {
        items: nl31_wire::Items::new(&[0xff]),
    };
    assert_eq!(code(link.call(&bad, |_| Ok(()))), code::BAD_MESSAGE);
    assert_eq!(
        change(&mut link, Op::Add, "11.0.0.0/8 dev lo"),
        Err(code::TRANSACTION_FAILED)
    );
    link.done(&Request::Abort {}).unwrap();
}

#[test]
fn a_message_that_cannot_be_read_fails_its_transaction() {
    // Begin, then a change with a byte too many; and a Begin that is none.
    for (begin, too_many) in [(0, true), (2, false)] {
        let port = TestPort::new(0);
        let mut wire = port.0.borrow_mut();
        let mut id = 256;
        let mut ask = |kind, body: &[u8]| {
            let frame = Frame {
                version: VERSION,
                id,
                kind,
                body,
            };
            id += 1;
            wire.program.frame(Ok(&frame));
        };
        let mut good = ItemsBuffer::default();
        good.push(Op::Add, &spec("10.0.0.0/8 dev lo")).unwrap();
        let mut body = vec![good.items().bytes().len() as u8];
        body.extend(good.items().bytes());
        ask(0x01, &[7]);
        ask(0x0c, &[begin]);
        ask(0x04, &body);
        if too_many {
            body.push(0xff);
            ask(0x04, &body);
        }
        ask(0x0d, &[]);
        drop(wire);
        // With the agent's socket for it an open transaction goes.
        port.kernel().0.borrow_mut().hang_up();
        assert!(port.routes().is_empty());
    }
}

#[test]
fn a_request_ends_the_list_or_output_of_before() {
    let port = TestPort::new(0);
    let file = TestFile::new("ended-from", &scattered(1000));
    let mut link = port.open();
    load(
        &mut link,
        &mut routes(&file),
        Mode::Add,
        &ProgressBar::hidden(),
    )
    .unwrap();
    // Also one that cannot begin.
    let all = ItemsBuffer::default();
    let dump = Request::Dump {
        filter: all.items(),
        longer: true,
    };
    link.call(&dump, |_| Ok(())).unwrap();
    let refused = Request::Dump {
        filter: nl31_wire::Items::new(&[0xff]),
        longer: true,
    };
    let code = |result: Result<(), Error>| result.unwrap_err().code().unwrap();
    assert_eq!(code(link.call(&refused, |_| Ok(()))), code::BAD_MESSAGE);
    assert_eq!(
        code(link.call(&Request::Next {}, |_| Ok(()))),
        code::NOT_OPEN
    );

    link.call(&Request::Line { text: "help" }, |_| Ok(()))
        .unwrap();
    let mut said = Vec::new();
    shell::line(&mut link, "ping", &mut said).unwrap();
    assert_eq!(said, b"I200 the kernel is alive\n");
}

#[test]
fn nothing_is_changed_before_the_config_is_loaded() {
    let port = TestPort::new(0);
    let booting = |booting| port.kernel().1.config.booting.set(booting);
    let mut link = port.open();
    let code = |result: Result<(), Error>| result.unwrap_err().code().unwrap();
    booting(true);
    assert_eq!(change(&mut link, Op::Add, "10.0.0.0/8 dev lo"), Err(423));
    // What is on its way behind a Begin does not become changes by themselves.
    assert_eq!(code(link.done(&Request::Begin { replace: true })), 423);
    booting(false);
    has_failed_up_to_its_commit(&mut link, &port);
}

#[test]
fn a_prefix_is_deleted_whole_whatever_path_was_said_before() {
    let port = TestPort::new(0);
    let mut link = port.open();
    for path in ["dev lo", "dev eth0", "via 192.0.2.1"] {
        change(&mut link, Op::Append, &format!("10.0.0.0/8 {path}")).unwrap();
    }
    let mut items = ItemsBuffer::default();
    items.push(Op::Add, &spec("11.0.0.0/8 dev eth0")).unwrap();
    // The operation, and a prefix of one byte: the path holds on.
    let mut bytes = items.items().bytes().to_vec();
    bytes.extend([0xd5, 8, 10]);
    let change = Request::Change {
        items: nl31_wire::Items::new(&bytes),
    };
    link.call(&change, |_| Ok(())).unwrap();
    assert_eq!(port.routes(), ["11.0.0.0/8 dev eth0"]);
}

#[test]
fn a_console_over_frames_is_told_that_it_missed_events() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let mut said = Vec::new();
    assert!(!port.0.borrow().program.subscribes());
    shell::line(&mut link, "monitor on", &mut said).unwrap();
    assert!(port.0.borrow().program.subscribes());
    let kernel = port.kernel();
    let route: Route<DeviceName> = "10.0.0.0/8 dev lo".parse().unwrap();
    let route = route.map_device(nl31_netlink::Device::Name);
    let mut client = kernel.connect().unwrap();
    // More than it has room for while nobody asks for what it says.
    for _ in 0..1000 {
        client.add(nl31_netlink::Add::Add, &route).unwrap();
        client.delete_prefix(route.prefix).unwrap();
        while let Some(event) = kernel.0.borrow_mut().event() {
            port.0.borrow_mut().program.event(&event);
        }
    }
    for _ in 0..2 {
        shell::line(&mut link, "ping", &mut said).unwrap();
    }
    let said = String::from_utf8(said).unwrap();
    let shown = said.matches("10.0.0.0/8").count();
    assert!((1..2000).contains(&shown), "{shown}");
    let lost = format!("* {} changes came too fast to be shown", 2000 - shown);
    assert!(said.contains(&lost), "{said}");
}

#[test]
fn nothing_is_saved_before_the_config_is_loaded() {
    let folder = std::env::temp_dir().join(format!("nl31ctl-{}-booting", std::process::id()));
    let kernel = Kernel::with_folder(&folder);
    kernel.1.config.booting.set(true);
    let port = TestPort::to(kernel, 0);
    let mut link = port.open();
    let error = save_there(&mut link, &ProgressBar::hidden()).unwrap_err();
    assert_eq!(error.code(), Some(423), "{error}");
    // A line waits, as it does on the console.
    let part = |link: &mut Link<TestPort>, request: &Request<'_>| {
        link.call(request, |response| Ok(format!("{response:?}")))
            .unwrap()
    };
    let said = part(&mut link, &Request::Line { text: "save" });
    assert!(said.contains("text: [], last: false"), "{said}");
    assert!(!folder.join("routes.conf").exists());
    port.kernel().1.config.booting.set(false);
    let said = part(&mut link, &Request::Next {});
    assert!(said.contains("last: true"), "{said}");
    assert!(folder.join("routes.conf").exists());
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn an_unplugged_line_leaves_open_only_what_was_on_its_way() {
    let mut buffer = ItemsBuffer::default();
    buffer.push(Op::Add, &spec("10.0.0.0/8 dev lo")).unwrap();
    let change = Request::Change {
        items: buffer.items(),
    };
    for (before, then, status) in [
        (None, Request::Ping {}, 5),
        // Half a frame is no change.
        (None, change, 5),
        (Some(Request::Ping {}), Request::Ping {}, 5),
        (Some(change), Request::Ping {}, 7),
        (Some(Request::Line { text: "ping" }), Request::Next {}, 7),
    ] {
        let port = TestPort::new(0);
        let mut link = port.open();
        if let Some(before) = before {
            link.submit(&before).unwrap();
        }
        port.0.borrow_mut().unplugged = true;
        let error = link.submit(&then).unwrap_err();
        assert_eq!(error.status(), status, "{before:?} {then:?}: {error}");
    }
}

#[test]
fn what_is_no_file_is_not_replaced_by_one() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let error = save(&mut link, Path::new("/dev/null"), &ProgressBar::hidden()).unwrap_err();
    assert_eq!(error.status(), 6, "{error}");
    // What a link leads to is.
    let file = TestFile::new("linked", &["old".into()]);
    let link_to_it = file.0.with_extension("link");
    std::os::unix::fs::symlink(&file.0, &link_to_it).unwrap();
    save(&mut link, &link_to_it, &ProgressBar::hidden()).unwrap();
    assert!(link_to_it.is_symlink());
    assert_eq!(std::fs::read_to_string(&file.0).unwrap(), "");
    std::fs::remove_file(link_to_it).unwrap();
}

#[test]
fn a_save_leaves_nothing_but_its_file_and_touches_no_other_one() {
    let folder = std::env::temp_dir().join(format!("nl31ctl-{}-beside", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, theirs) = (folder.join("table"), folder.join("table.new"));
    std::fs::write(&theirs, "theirs").unwrap();
    let port = TestPort::new(0);
    let mut link = port.open();
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    let names = || {
        let entries = std::fs::read_dir(&folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        sorted(names.collect())
    };
    port.kernel().0.borrow_mut().interrupt_dump = true;
    save(&mut link, &file, &ProgressBar::hidden()).unwrap();
    assert_eq!(names(), ["table", "table.new"]);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "10.0.0.0/8 dev lo\n"
    );
    // What cannot take its place is gone, too, and so is what is begun anew and then given up.
    let whole = NewFile::create(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let error = whole.finish().unwrap_err();
    assert_eq!(error.status(), 6, "{error}");
    let mut again = NewFile::create(&folder.join("another")).unwrap();
    again.restart().unwrap();
    assert_eq!(names().len(), 3);
    drop(again);
    assert_eq!(names(), ["table", "table.new"]);
    assert_eq!(std::fs::read_to_string(&theirs).unwrap(), "theirs");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_table_becomes_what_the_file_says() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let before = [
        "10.0.0.0/8 dev lo",
        "10.0.0.0/8 dev eth0",
        "11.0.0.0/8 dev lo",
        "::/0 dev lo",
    ];
    for text in before {
        change(&mut link, Op::Append, text).unwrap();
    }
    let wanted = [
        "10.0.0.0/8 dev eth0",
        "10.0.0.0/8 dev lo",
        "12.0.0.0/8 dev lo",
        "::/0 dev lo",
    ];
    let file = TestFile::new("apply", &wanted.map(String::from));
    let planned = plan(&mut link, &mut routes(&file)).unwrap();
    assert_eq!(port.routes(), before, "planning changes nothing");
    assert_eq!(planned.steps.len(), 3);
    // Only their order differs, which is shown by all of them.
    let reordered = &planned.steps[0];
    assert_eq!((reordered.gone.len(), reordered.new.len()), (2, 2));
    // Somebody else is faster: what was planned may be wrong now.
    let other = TestPort::to(port.kernel(), 0);
    change(&mut other.open(), Op::Append, "13.0.0.0/8 dev lo").unwrap();
    let faster = port.routes();
    let stale = apply(&mut link, &planned, None, &ProgressBar::hidden());
    assert!(matches!(stale, Err(Error::Changing)), "{stale:?}");
    // With the agent's socket for it the transaction goes.
    port.kernel().0.borrow_mut().hang_up();
    assert_eq!(port.routes(), faster);
    let again = plan(&mut link, &mut routes(&file)).unwrap();
    apply(&mut link, &again, None, &ProgressBar::hidden()).unwrap();
    assert_eq!(port.routes(), wanted);
    assert!(
        plan(&mut link, &mut routes(&file))
            .unwrap()
            .steps
            .is_empty()
    );
}

#[test]
fn a_plan_that_somebody_was_faster_with_is_outdated_and_not_wrong() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let other = TestPort::to(port.kernel(), 0);
    let mut other = other.open();
    let there = "10.0.0.0/8 dev lo";
    let wanted = "11.0.0.0/8 dev lo";
    let file = TestFile::new("outdated", &[wanted.into()]);
    for (op, faster) in [(Op::Delete, there), (Op::Add, wanted)] {
        change(&mut link, Op::Add, there).unwrap();
        let planned = plan(&mut link, &mut routes(&file)).unwrap();
        change(&mut other, op, faster).unwrap();
        let left = port.routes();
        let stale = apply(&mut link, &planned, None, &ProgressBar::hidden());
        assert!(matches!(stale, Err(Error::Changing)), "{stale:?}");
        assert_eq!(port.routes(), left);
        let again = plan(&mut link, &mut routes(&file)).unwrap();
        apply(&mut link, &again, None, &ProgressBar::hidden()).unwrap();
        assert_eq!(port.routes(), [wanted]);
        change(&mut link, Op::Delete, wanted).unwrap();
    }
    // A mistake of the file is one, whoever changes the table.
    let file = TestFile::new("outdated-wrong", &["11.0.0.0/8 dev no-such".into()]);
    let planned = plan(&mut link, &mut routes(&file)).unwrap();
    change(&mut other, Op::Add, there).unwrap();
    let error = apply(&mut link, &planned, None, &ProgressBar::hidden()).unwrap_err();
    assert_eq!(error.code(), Some(406), "{error}");
}

#[test]
fn what_is_saved_is_loaded_again() {
    let lines = scattered(1000);
    let file = TestFile::new("saved-from", &lines);
    let port = TestPort::new(3000);
    let mut link = port.open();
    load(
        &mut link,
        &mut routes(&file),
        Mode::Add,
        &ProgressBar::hidden(),
    )
    .unwrap();
    let saved = TestFile::new("saved", &[]);
    assert_eq!(
        save(&mut link, &saved.0, &ProgressBar::hidden()).unwrap(),
        lines.len() as u64
    );
    let text = std::fs::read_to_string(&saved.0).unwrap();
    assert_eq!(sorted(text.lines().map(String::from).collect()), lines);
    let other = TestPort::new(0);
    load(
        &mut other.open(),
        &mut routes(&saved),
        Mode::Add,
        &ProgressBar::hidden(),
    )
    .unwrap();
    assert_eq!(other.routes(), port.routes());
    // A table that changes while it is saved is saved again.
    port.kernel().0.borrow_mut().interrupt_dump = true;
    assert_eq!(
        save(&mut link, &saved.0, &ProgressBar::hidden()).unwrap(),
        lines.len() as u64
    );
    assert_eq!(std::fs::read_to_string(&saved.0).unwrap(), text);
}

#[test]
fn a_file_of_any_editor_is_read_and_what_is_no_text_is_named() {
    let read = |bytes: &[u8]| {
        let file = TestFile::new("bytes", &[]);
        std::fs::write(&file.0, bytes).unwrap();
        let port = TestPort::new(0);
        let mut link = port.open();
        let opened = RouteFile::open(&file.0);
        let result = opened
            .and_then(|mut file| load(&mut link, &mut file, Mode::Add, &ProgressBar::hidden()));
        let said = result.map_err(|error| {
            assert_eq!(error.status(), 6, "{error}");
            let text = error.to_string();
            text[file.0.as_os_str().len()..].to_string()
        });
        (said, port.routes())
    };
    let route = "10.0.0.0/8 dev lo".to_string();
    let bytes = b"\xef\xbb\xbf10.0.0.0/8 dev lo # one\r\n\r\n# none\r\n";
    assert_eq!(read(bytes), (Ok(1), vec![route]));
    assert_eq!(read(b""), (Ok(0), vec![]));
    let no = |bytes| read(bytes).0.unwrap_err();
    assert!(no(b"\x1f\x8b\x08\0").starts_with(":1:1: the file is compressed"));
    assert!(no(b"10.0.0.0/8 dev lo\nblackhole \xff").starts_with(":2:11: the line is not UTF-8"));
    assert!(no(b"10.0.0.0/8 dev lo\0\n").starts_with(":1:"));
    // What only iproute2's lists have is passed over, and told.
    let listed = TestFile::new("listed", &["10.0.0.0/8 dev lo scope link linkdown".into()]);
    assert!(!routes(&listed).passed_over().is_empty());
    // A comment may be in Latin-1, and long.
    let comment = [b"blackhole ::/0 # caf\xe9 ", &[b'x'; 5000][..], b"\n"].concat();
    assert_eq!(read(&comment), (Ok(1), vec!["blackhole ::/0".to_string()]));
    assert!(no(b"blackhole ::/0 caf\xe9 # x").starts_with(":1:19: "));
}

#[test]
fn a_reader_that_goes_away_ends_a_list() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let lines = scattered(5000);
    let file = TestFile::new("closed", &lines);
    load(
        &mut link,
        &mut routes(&file),
        Mode::Add,
        &ProgressBar::hidden(),
    )
    .unwrap();
    let mut listed = 0;
    let before = link.traffic().1;
    let result = list(&mut link, &Spec::default(), false, &mut |_| {
        listed += 1;
        match listed {
            10 => Err(Error::Closed),
            _ => Ok(()),
        }
    });
    assert!(matches!(result, Err(Error::Closed)));
    let few = 8 * FRAME_MAX as u64;
    assert!(listed == 10 && link.traffic().1 - before < few);
    // Nothing of it is left.
    assert_eq!(change(&mut link, Op::Add, "blackhole ::/0"), Ok(1));
    let mut text = Vec::new();
    save_to(&mut link, &mut text, &ProgressBar::hidden()).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.lines().eq(port.routes()));
}

#[test]
fn what_is_stopped_in_the_shell_leaves_the_edits_that_wait() {
    let folder = std::env::temp_dir().join(format!("nl31ctl-{}-stopped", std::process::id()));
    let port = TestPort::to(Kernel::with_folder(&folder), 0);
    let file = TestFile::new("stopped-from", &scattered(3000));
    let mut link = port.open();
    load(
        &mut link,
        &mut routes(&file),
        Mode::Add,
        &ProgressBar::hidden(),
    )
    .unwrap();
    let line = |link: &mut Link<TestPort>, text: &str| {
        let mut out = Vec::new();
        shell::line(link, text, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert!(line(&mut link, "begin").starts_with("I200 "));
    assert_eq!(line(&mut link, "route flush all"), "I200 edit 1\n");
    for _ in 0..2 {
        let part = link.call(&Request::Line { text: "route show" }, |response| {
            Ok(format!("{response:?}"))
        });
        let part = part.unwrap();
        assert!(part.contains("last: false"), "{part}");
        link.stop().unwrap();
    }
    assert_eq!(port.kernel().routes().len(), 3000);
    assert_eq!(line(&mut link, "commit"), "I200 committed 1 edit\n");
    assert!(port.kernel().routes().is_empty());
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn the_table_is_saved_as_the_config() {
    let folder = std::env::temp_dir().join(format!("nl31ctl-{}-config", std::process::id()));
    let config = folder.join("routes.conf");
    let lines = scattered(3000);
    let file = TestFile::new("config-from", &lines);
    let saved = || {
        let text = std::fs::read_to_string(&config).unwrap();
        sorted(text.lines().skip(1).map(String::from).collect())
    };
    for noise in [0, 1000] {
        let port = TestPort::to(Kernel::with_folder(&folder), noise);
        let mut link = port.open();
        load(
            &mut link,
            &mut routes(&file),
            Mode::Add,
            &ProgressBar::hidden(),
        )
        .unwrap();
        let count = save_there(&mut link, &ProgressBar::hidden()).unwrap();
        assert_eq!(count, lines.len() as u64);
        assert_eq!(saved(), lines);

        // Stopped on its way, it leaves what was saved before.
        change(
            &mut link,
            Op::DeletePrefix,
            lines[0].split(' ').next().unwrap(),
        )
        .unwrap();
        let part = link.call(&Request::Save {}, |response| Ok(format!("{response:?}")));
        assert!(part.unwrap().contains("last: false"));
        // Nor does another session write into the same file meanwhile.
        let other = TestPort::to(Kernel::with_folder(&folder), 0);
        let refused = save_there(&mut other.open(), &ProgressBar::hidden()).unwrap_err();
        assert_eq!(refused.code(), Some(codes::LOCKED.number), "{refused}");
        link.done(&Request::Stop {}).unwrap();
        assert_eq!(saved(), lines);
        // A commit that waits to be confirmed is no config yet.
        let shared = port.kernel().shared();
        shared
            .unconfirmed
            .set(Some(confirmed_commit::now() + 60_000));
        let refused = save_there(&mut link, &ProgressBar::hidden()).unwrap_err();
        assert_eq!(refused.code(), Some(codes::LOCKED.number), "{refused}");
        shared.unconfirmed.set(None);
        assert_eq!(saved(), lines);
        assert_eq!(
            save_there(&mut link, &ProgressBar::hidden()).unwrap(),
            lines.len() as u64 - 1
        );
        assert_eq!(saved(), lines[1..]);
    }
    let full = TestPort::to(Kernel::with_folder(Path::new("/dev/null")), 0);
    let refused = save_there(&mut full.open(), &ProgressBar::hidden()).unwrap_err();
    assert_eq!(refused.code(), Some(codes::FILE.number), "{refused}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn who_subscribes_is_told_of_a_commit_that_is_taken_back() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let done = RolledBack { prefixes: 300 };
    let tell = || port.0.borrow_mut().program.rolled_back(done);
    tell();
    link.done(&Request::Subscribe { on: true }).unwrap();
    assert_eq!(link.event(Duration::ZERO).unwrap(), None);
    tell();
    port.0.borrow_mut().answer();
    let event = link.event(Duration::ZERO).unwrap().unwrap();
    let Event::RolledBack { prefixes, lost } = event else {
        panic!("{event:?}");
    };
    assert_eq!((prefixes, lost), (300, 0));
    // In a shell it comes with the next command.
    let mut out = Vec::new();
    shell::line(&mut link, "ping", &mut out).unwrap();
    tell();
    shell::line(&mut link, "ping", &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines[1..],
        [
            "* rolled back: restored the paths of 300 prefixes",
            "I200 the kernel is alive"
        ]
    );
}

#[test]
fn the_console_talks_over_frames() {
    for noise in [0, 2000] {
        let port = TestPort::new(noise);
        let mut link = port.open();
        let mut says = |line: &str| {
            let mut out = Vec::new();
            shell::line(&mut link, line, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(says("ping"), "I200 the kernel is alive\n");
        assert_eq!(
            says("route add 10.0.0.0/8 dev eth0"),
            "I200 added 10.0.0.0/8\n"
        );
        assert!(says("route add 10.0.0.0/8 dev eth0").starts_with("E409 "));
        assert!(says("nonsense").contains("E400 column 1"));
        for number in 0..500 {
            let line = format!("route add 11.{}.{}.0/24 dev lo", number / 256, number % 256);
            assert!(says(&line).starts_with("I200 "));
        }
        let shown = says("route show");
        assert_eq!(shown.lines().count(), 502);
        assert!(shown.ends_with("\nI200 501 routes\n"));
        assert!(says("help codes").ends_with("\nI200 help\n"));
        let long = "x".repeat(495);
        let refused = shell::line(&mut link, &long, &mut Vec::new()).unwrap_err();
        assert_eq!(refused.code(), Some(414));
    }
}

#[test]
fn events_arrive_in_order_and_losses_are_told() {
    let port = TestPort::new(0);
    let mut link = port.open();
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    port.tell();
    link.done(&Request::Subscribe { on: true }).unwrap();
    change(&mut link, Op::Replace, "10.0.0.0/8 dev eth0 metric 0").unwrap();
    change(&mut link, Op::Add, "blackhole ::/0").unwrap();
    change(&mut link, Op::Delete, "10.0.0.0/8").unwrap();
    port.tell();
    port.0.borrow_mut().answer();
    let mut generations = Vec::new();
    let mut heard = Vec::new();
    while let Some(event) = link.event(Duration::ZERO).unwrap() {
        if let Event::Change { generation, .. } = event {
            generations.push(generation);
        }
        heard.push(nl31_ctl::commands::monitor::text(event, false));
    }
    let expected = [
        "replaced 10.0.0.0/8 dev eth0",
        "added blackhole ::/0",
        "deleted 10.0.0.0/8 dev eth0",
    ];
    assert_eq!(heard, expected);
    assert!(generations.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    // Faster than the line takes them: some are dropped, answers are not.
    for number in 0..1000 {
        let line = format!("11.{}.{}.0/24 dev lo", number / 256, number % 256);
        let added = Client::with_timeout(port.kernel(), Duration::ZERO).add(
            nl31_netlink::Add::Add,
            &line
                .parse::<Route<DeviceName>>()
                .unwrap()
                .map_device(nl31_netlink::Device::Name),
        );
        added.unwrap();
    }
    port.tell();
    assert_eq!(port.0.borrow_mut().program.out().dropped(), 0);
    port.0.borrow_mut().answer();
    assert!(port.0.borrow_mut().program.tells());
    link.done(&Request::Ping {}).unwrap();
    let mut all = Vec::new();
    while let Some(event) = link.event(Duration::ZERO).unwrap() {
        all.push(event);
    }
    assert!((10..1000).contains(&all.len()), "{}", all.len());
    assert_eq!(all.last(), Some(&Event::Lost));
}

/// Something happens whenever the client waits, so many times; then the line is locked.
struct Busy {
    port: TestPort,
    events: u64,
}

impl Port for Busy {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.port.send(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        if self.port.0.borrow().heard.is_empty() {
            let Some(events) = self.events.checked_sub(1) else {
                // What is not understood lets nobody in.
                let file = TestFile::new("busy-access", &["pin".into()]);
                let line_lock = Rc::new(LineLock::new(Access::read(&file.0)));
                self.port.0.borrow_mut().program.set_line_lock(line_lock);
                return self.port.receive(buffer, wait);
            };
            self.events = events;
            std::thread::sleep(Duration::from_millis(1));
            let add = nl31_netlink::Add::Replace;
            let route = "10.0.0.0/8 dev lo".parse::<Route<DeviceName>>().unwrap();
            Client::with_timeout(self.port.kernel(), Duration::ZERO)
                .add(add, &route.map_device(nl31_netlink::Device::Name))
                .unwrap();
            self.port.tell();
            self.port.0.borrow_mut().answer();
        }
        self.port.receive(buffer, wait)
    }
}

#[test]
fn who_watches_is_heard_of_while_things_happen_and_told_that_the_line_is_locked() {
    let retry = RetryPolicy {
        timeout_ms: 60_000,
        attempts: 1,
    };
    let busy = Busy {
        port: TestPort::new(0),
        events: 200,
    };
    let mut link = Link::open(busy, "test", retry, retry).unwrap();
    let before = link.traffic().0;
    generation(&mut link).unwrap();
    let request = link.traffic().0 - before;
    let pace = Pace {
        silence: Duration::from_millis(1),
        longest: Duration::from_millis(20),
    };
    let mut out = Vec::new();
    let before = link.traffic().0;
    let error = monitor(&mut link, pace, false, &mut out).unwrap_err();
    assert_eq!(error.code(), Some(codes::LOCKED_OUT.number), "{error}");
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out.lines().count(), 200, "{out}");
    let requests = (link.traffic().0 - before) / request;
    assert!(requests > 6, "{requests}");
}

#[test]
fn a_session_that_is_over_is_noticed() {
    let port = TestPort::new(0);
    let mut first = port.open();
    first.done(&Request::Ping {}).unwrap();
    let mut second = port.open();
    // The line is the second one's; the first one changes nothing any more.
    assert!(matches!(
        first.done(&Request::Ping {}),
        Err(Error::SessionLost)
    ));
    let add = spec("10.0.0.0/8 dev lo");
    // (Its hello would be needed; nothing is repeated behind its back.)
    let error = route::change(&mut first, Op::Add, &add).unwrap_err();
    assert_eq!(error.status(), 7, "{error}");
    assert!(port.routes().is_empty());
    second.done(&Request::Ping {}).unwrap();
    // The agent is started anew.
    let kernel = port.kernel();
    port.0.borrow_mut().program = Program::new(kernel, 8);
    assert!(matches!(
        second.done(&Request::Ping {}),
        Err(Error::SessionLost)
    ));
    assert_eq!(port.open().agent().boot, 8);
}

#[test]
fn a_link_that_is_lost_in_the_middle_of_a_line_leaves_unknown_what_it_did() {
    let port = TestPort::to(Kernel::default(), 0);
    let file = TestFile::new("lost-from", &scattered(3000));
    for (request, status) in [
        (Request::Line { text: "route show" }, 7),
        (
            Request::Dump {
                filter: ItemsBuffer::default().items(),
                longer: true,
            },
            5,
        ),
    ] {
        let mut link = port.open();
        load(
            &mut link,
            &mut routes(&file),
            Mode::Replace,
            &ProgressBar::hidden(),
        )
        .unwrap();
        link.call(&request, |_| Ok(())).unwrap();
        let other = port.open();
        let error = link.call(&Request::Next {}, |_| Ok(())).unwrap_err();
        assert_eq!(error.status(), status, "{error}");
        other.leave().unwrap();
    }
}

#[test]
fn an_agent_with_other_messages_is_told_of() {
    let mut agent = TestPort::new(0).open().agent().clone();
    assert_eq!(agent.warning(), None);
    agent.same_schema = false;
    let warning = agent.warning().unwrap();
    assert!(warning.contains(&agent.version), "{warning}");
}

#[test]
fn a_farewell_whose_answer_is_lost_gives_the_line_back_again() {
    let port = TestPort::new(0);
    let link = port.open();
    link.leave().unwrap();
    let mut wire = port.0.borrow_mut();
    assert!(!wire.line.frames());
    let mut again = [0; FRAME_MAX];
    let len = Request::Leave {}.encode(7, &mut again).unwrap();
    wire.hear(&again[..len]);
    assert!(!wire.line.frames());
    assert!(!wire.heard.is_empty(), "it is not answered");
    // Nothing but a farewell does that, nor that of a session that is over.
    let len = Request::Ping {}.encode(8, &mut again).unwrap();
    wire.hear(&again[..len]);
    assert!(wire.line.frames());
    drop(wire);
    let mut link = port.open();
    let len = Request::Leave {}.encode(9, &mut again).unwrap();
    port.clone().send(&again[..len]).unwrap();
    assert!(port.0.borrow().line.frames());
    port.0.borrow_mut().heard.clear();
    link.done(&Request::Ping {}).unwrap();
}

#[test]
fn a_line_without_an_agent_is_given_up() {
    struct Silent;
    impl Port for Silent {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }
        fn receive(&mut self, _: &mut [u8], wait: Duration) -> io::Result<usize> {
            std::thread::sleep(wait);
            Ok(0)
        }
    }
    let retry = RetryPolicy {
        timeout_ms: 5,
        attempts: 3,
    };
    let error = Link::open(Silent, "silent", retry, retry).err().unwrap();
    assert_eq!(error.status(), 5, "{error}");
}

#[test]
fn the_codes_of_frames_are_none_of_the_console() {
    let console: Vec<_> = codes::ALL.iter().map(|code| code.number).collect();
    assert!(code::ALL.iter().all(|(code, _)| !console.contains(code)));
}

/// What a line of the console answers.
fn says(link: &mut Link<TestPort>, line: &str) -> String {
    let mut out = Vec::new();
    shell::line(link, line, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A port to an agent with a folder, gone with the test.
fn with_folder(name: &str) -> (TestPort, TestFolder) {
    let name = format!("nl31ctl-{}-{name}", std::process::id());
    let folder = TestFolder(std::env::temp_dir().join(name));
    (TestPort::to(Kernel::with_folder(&folder.0), 0), folder)
}

struct TestFolder(PathBuf);

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn code_of(result: Result<(), Error>) -> u16 {
    result.unwrap_err().code().unwrap()
}

#[test]
fn a_transaction_to_be_confirmed_is_rolled_back_or_kept() {
    let (port, folder) = with_folder("confirmed");
    let mut link = port.open();
    let before = [
        "10.0.0.0/8 dev lo",
        "10.0.0.0/8 dev eth0",
        "11.0.0.0/8 dev lo",
    ];
    for text in before {
        change(&mut link, Op::Append, text).unwrap();
    }
    let commit = |link: &mut Link<TestPort>| {
        link.done(&Request::BeginConfirmed { seconds: 60 }).unwrap();
        assert_eq!(change(link, Op::DeletePrefix, "10.0.0.0/8"), Ok(1));
        // A prefix is recorded once, as it was before the transaction.
        assert_eq!(change(link, Op::Append, "10.0.0.0/8 dev eth0"), Ok(1));
        assert_eq!(change(link, Op::Add, "12.0.0.0/8 dev lo"), Ok(1));
        assert!(port.kernel().1.left().is_none());
        let count = link.call(&Request::Commit {}, |response| Ok(format!("{response:?}")));
        assert_eq!(count.unwrap(), "Changed { count: 3 }");
        assert!(port.kernel().1.left().is_some());
    };
    commit(&mut link);
    let after = [
        "10.0.0.0/8 dev eth0",
        "11.0.0.0/8 dev lo",
        "12.0.0.0/8 dev lo",
    ];
    assert_eq!(port.routes(), after);
    let said = says(&mut link, "rollback");
    assert!(said.starts_with("I200 "), "{said}");
    assert_eq!(port.routes(), before);
    assert!(port.kernel().1.left().is_none());

    commit(&mut link);
    let said = says(&mut link, "confirm");
    assert!(
        said.starts_with("I200 confirmed and saved 3 routes"),
        "{said}"
    );
    let saved = std::fs::read_to_string(folder.0.join("routes.conf")).unwrap();
    assert!(after.iter().all(|route| saved.contains(route)), "{saved}");
}

#[test]
fn commit_of_replacement_counts_it_as_one_change_more() {
    let port = TestPort::new(0);
    let mut link = port.open();
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    for (added, count) in [(1, 2), (0, 1)] {
        link.done(&Request::Begin { replace: true }).unwrap();
        if added == 1 {
            change(&mut link, Op::Add, "11.0.0.0/8 dev lo").unwrap();
        }
        let committed = link.call(&Request::Commit {}, |response| Ok(format!("{response:?}")));
        assert_eq!(committed.unwrap(), format!("Changed {{ count: {count} }}"));
        assert_eq!(port.routes().len(), added);
    }
}

#[test]
fn a_table_is_not_replaced_while_a_commit_waits() {
    let (port, _folder) = with_folder("waits");
    let mut link = port.open();
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    link.done(&Request::BeginConfirmed { seconds: 60 }).unwrap();
    change(&mut link, Op::Delete, "10.0.0.0/8").unwrap();
    link.call(&Request::Commit {}, |_| Ok(())).unwrap();
    let empty = ItemsBuffer::default();
    let prefix = ItemsBuffer::filter(&spec("12.0.0.0/8 dev lo"));
    let refused = [
        Request::Begin { replace: true },
        Request::BeginConfirmed { seconds: 60 },
        Request::Flush {
            filter: empty.items(),
            longer: false,
            all: true,
        },
        Request::Flush {
            filter: prefix.items(),
            longer: true,
            all: false,
        },
        Request::Save {},
    ];
    for request in refused {
        let refused = code_of(link.call(&request, |_| Ok(())));
        assert_eq!(refused, 423, "{request:?}");
        link.done(&Request::Abort {}).unwrap();
    }
    for line in ["route flush all", "route flush dev lo", "load", "save"] {
        let said = says(&mut link, line);
        assert!(said.starts_with("E423 "), "{line}: {said}");
    }
    // What is not the whole table may be changed.
    change(&mut link, Op::Add, "12.0.0.0/8 dev lo").unwrap();
    let exactly = Request::Flush {
        filter: prefix.items(),
        longer: false,
        all: false,
    };
    link.done(&exactly).unwrap();
    says(&mut link, "rollback");
    assert_eq!(port.routes(), ["10.0.0.0/8 dev lo"]);
    let file = TestFile::new("waits-from", &scattered(10));
    load(
        &mut link,
        &mut routes(&file),
        Mode::Replace,
        &ProgressBar::hidden(),
    )
    .unwrap();
}

#[test]
fn a_transaction_to_be_confirmed_that_fails_leaves_nothing_to_roll_back() {
    let (port, _folder) = with_folder("confirmed-fails");
    let mut link = port.open();
    for seconds in [0, 86_401] {
        let code = code_of(link.done(&Request::BeginConfirmed { seconds }));
        assert_eq!(code, 400);
        link.done(&Request::Abort {}).unwrap();
    }
    // One prefix more than a roll-back takes.
    let lines: Vec<_> = (0..=4096)
        .map(|number| format!("10.{}.{}.0/24 dev lo", number / 256, number % 256))
        .collect();
    link.done(&Request::BeginConfirmed { seconds: 60 }).unwrap();
    let mut failed = Ok(1);
    for line in &lines {
        failed = change(&mut link, Op::Add, line);
        if failed.is_err() {
            break;
        }
    }
    assert_eq!(failed, Err(507));
    assert_eq!(
        code_of(link.call(&Request::Commit {}, |_| Ok(()))),
        code::TRANSACTION_FAILED
    );
    port.kernel().0.borrow_mut().hang_up();
    assert!(port.routes().is_empty());
    assert!(port.kernel().1.left().is_none());
    // One that the kernel refuses.
    link.done(&Request::BeginConfirmed { seconds: 60 }).unwrap();
    assert_eq!(change(&mut link, Op::Delete, "10.0.0.0/8"), Err(404));
    has_failed_up_to_its_commit(&mut link, &port);
    assert!(port.kernel().1.left().is_none());
    // One without a change.
    link.done(&Request::BeginConfirmed { seconds: 60 }).unwrap();
    link.call(&Request::Commit {}, |_| Ok(())).unwrap();
    assert!(port.kernel().1.left().is_none());
}

/// What a command prints with --json, one value a line.
fn printed(
    command: impl FnOnce(&mut Output<'_>) -> Result<(), Error>,
) -> Result<Vec<serde_json::Value>, Error> {
    let mut text = Vec::new();
    command(&mut Output::new(&mut text, true, false))?;
    let text = String::from_utf8(text).unwrap();
    let read = |line: &str| serde_json::from_str(line).unwrap();
    Ok(text.lines().map(read).collect())
}

#[test]
fn commands_of_the_console_print_json() {
    let (port, _folder) = with_folder("console-json");
    let mut link = port.open();
    let versions = printed(|out| console::version(&mut link, out)).unwrap();
    let [version] = &versions[..] else {
        panic!("{versions:?}");
    };
    for name in ["nl31ctl", "agent", "host", "boot", "module", "abi"] {
        assert!(version[name].is_string(), "{version}");
    }
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    save_there(&mut link, &ProgressBar::hidden()).unwrap();
    change(&mut link, Op::Replace, "10.0.0.0/8 dev eth0").unwrap();
    let changes = printed(|out| console::show(&mut link, "diff", out)).unwrap();
    let changes: Vec<_> = changes
        .iter()
        .map(|route| (route["change"].as_str(), route["dev"].as_str()))
        .collect();
    let expected = [(Some("-"), Some("lo")), (Some("+"), Some("eth0"))];
    assert_eq!(changes, expected);
    let done = printed(|out| console::execute(&mut link, "factory-reset", out)).unwrap();
    assert_eq!(done[0]["code"], 200, "{done:?}");
    for (command, code) in [("rollback", 412), ("confirm", 412), ("reboot", 403)] {
        let error = printed(|out| console::execute(&mut link, command, out)).unwrap_err();
        assert_eq!((error.code(), error.status()), (Some(code), 1), "{error}");
    }
}

#[test]
fn what_is_applied_until_it_is_confirmed_is_kept_by_confirm_alone() {
    let (port, _folder) = with_folder("apply-confirm");
    let mut link = port.open();
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    let file = TestFile::new("apply-confirm-from", &["11.0.0.0/8 dev lo".into()]);
    for (command, kept) in [
        ("rollback", "10.0.0.0/8 dev lo"),
        ("confirm", "11.0.0.0/8 dev lo"),
    ] {
        let planned = plan(&mut link, &mut routes(&file)).unwrap();
        apply(&mut link, &planned, Some(60), &ProgressBar::hidden()).unwrap();
        assert_eq!(port.routes(), ["11.0.0.0/8 dev lo"]);
        printed(|out| console::execute(&mut link, command, out)).unwrap();
        assert_eq!(port.routes(), [kept]);
        assert!(port.kernel().1.left().is_none());
    }
}

#[test]
fn a_lost_link_leaves_no_doubt_about_a_command_that_reads() {
    let (port, _folder) = with_folder("reads");
    for (reads, status) in [(true, 5), (false, 7)] {
        let mut link = port.open();
        let _other = port.open();
        let error = printed(|out| match reads {
            true => console::show(&mut link, "diff", out),
            false => console::execute(&mut link, "rollback", out),
        });
        assert_eq!(error.unwrap_err().status(), status);
    }
}
