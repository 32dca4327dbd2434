// SPDX-License-Identifier: MIT OR Apache-2.0
//! A console session over a kernel in memory, driven by transcripts.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nl31_agent::config::boot::Boot;
use nl31_agent::config::locations::Files;
use nl31_agent::console::shared::Shared;
use nl31_agent::console::{Console, PROMPT, Peer};
use nl31_agent::platform::devices::Devices;
use nl31_netlink::{Client, FakeKernel, FakeLinks};
use nl31_route::DeviceName;

/// `lo` is 1, `eth0` is 2, `eth1` is 3 but unknown to the kernel; and the links that were made.
#[derive(Default)]
pub struct TestDevices(FakeLinks);

const DEVICES: [&str; 3] = ["lo", "eth0", "eth1"];

impl Devices for TestDevices {
    fn index(&self, name: &DeviceName) -> Option<u32> {
        DEVICES
            .iter()
            .position(|&device| device.as_bytes() == name.as_bytes())
            .map(|at| at as u32 + 1)
            .or_else(|| {
                let made = self.0.borrow();
                let found = made.iter().find(|(made, _)| made == name);
                found.map(|(_, index)| *index)
            })
    }

    fn name(&self, index: u32) -> Option<DeviceName> {
        DEVICES
            .get(index as usize - 1)
            .map(|name| name.parse().unwrap())
            .or_else(|| {
                let made = self.0.borrow();
                let found = made.iter().find(|(_, made)| *made == index);
                found.map(|(name, _)| name.clone())
            })
    }

    fn names(&self, each: &mut dyn FnMut(&str)) {
        DEVICES.iter().for_each(|name| each(name));
    }
}

/// A temporary folder for one session; deleted when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("nl31-console-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn config(&self) -> PathBuf {
        self.0.join("routes.conf")
    }

    pub fn files(&self) -> Files {
        Files::new(Some(&self.config()), &self.0.join("run"))
    }

    pub fn shared(&self) -> Rc<Shared> {
        Rc::new(Shared::new(self.files(), true, false))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn client() -> Client<FakeKernel> {
    Client::with_timeout(FakeKernel::default(), Duration::ZERO)
}

pub struct Session {
    pub console: Console<FakeKernel>,
    pub shared: Rc<Shared>,
    pub folder: Folder,
    /// The links that the kernel has made.
    pub made: FakeLinks,
}

impl Session {
    pub fn new(interactive: bool) -> Self {
        let mut session = Self::without_kernel(interactive);
        session.attach();
        session.console.start();
        session.types("");
        session
    }

    pub fn without_kernel(interactive: bool) -> Self {
        let peer = if interactive {
            Peer::Line
        } else {
            Peer::Script
        };
        Self::with(Folder::new(), peer, None)
    }

    pub fn with(folder: Folder, peer: Peer, boot: Option<Boot>) -> Self {
        let (shared, made) = (folder.shared(), FakeLinks::default());
        let devices = Box::new(TestDevices(Rc::clone(&made)));
        Self {
            console: Console::new(devices, boot, peer, Rc::clone(&shared)),
            shared,
            folder,
            made,
        }
    }

    /// Attaches a kernel whose links the session knows.
    fn attach(&mut self) {
        let mut client = client();
        client.transport().made = Rc::clone(&self.made);
        self.console.attach(client);
    }

    /// A session that boots with a config.
    pub fn boots(config: &str) -> Self {
        let folder = Folder::new();
        fs::write(folder.config(), config).unwrap();
        let boot = Boot::new(&folder.files());
        let mut session = Self::with(folder, Peer::Script, Some(boot));
        session.attach();
        session
    }

    /// The session of a second agent beside the resident one, with its own kernel.
    pub fn guest(&self) -> Self {
        let mut guest = Self::new(false);
        guest.shared = Rc::new(Shared::new(self.folder.files(), false, false));
        let shared = Rc::clone(&guest.shared);
        guest.console = Console::new(Box::new(TestDevices::default()), None, Peer::Script, shared);
        guest.console.attach(client());
        guest
    }

    /// The table, a path a line.
    pub fn table(&mut self) -> Vec<String> {
        self.kernel()
            .routes()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Plays a transcript in which FILE stands for the config.
    #[track_caller]
    pub fn plays_with_file(&mut self, transcript: &str) {
        let path = self.folder.config().display().to_string();
        self.plays(&transcript.replace("FILE", &path));
    }

    pub fn kernel(&mut self) -> &mut FakeKernel {
        self.console.client().unwrap().transport()
    }

    /// Types bytes as the serial line brings them, and gives what comes back.
    pub fn types(&mut self, bytes: impl AsRef<[u8]>) -> String {
        let mut rest = bytes.as_ref();
        let mut replies = Vec::new();
        loop {
            let (now, later) = rest.split_at(rest.len().min(self.console.wants()));
            self.console.feed(now);
            rest = later;
            let more = self.console.work();
            let out = self.console.out();
            let len = out.pending().len();
            replies.extend_from_slice(out.pending());
            out.consume(len);
            if !more && len == 0 && rest.is_empty() {
                assert_eq!(self.console.out().dropped(), 0);
                return String::from_utf8(replies).unwrap();
            }
        }
    }

    /// Types keys as a person does, one after the other.
    pub fn presses(&mut self, keys: &str) -> String {
        keys.chars()
            .map(|key| self.types(key.encode_utf8(&mut [0; 4])))
            .collect()
    }

    /// Sends what comes back to the console again, changed by `echo`, until it is silent.
    /// Gives how many bytes that were.
    pub fn loops(&mut self, bytes: &str, echo: impl Fn(&str) -> String) -> usize {
        let (mut circulates, mut total) = (self.types(bytes), 0);
        while !circulates.is_empty() {
            total += circulates.len();
            assert!(total < 100_000, "{circulates:?}");
            circulates = self.types(echo(&circulates));
        }
        total
    }

    /// Delivers the events of the fake kernel.
    pub fn hears(&mut self) -> String {
        while let Some(event) = self.kernel().event() {
            self.console.event(&event);
        }
        self.types("")
    }

    /// Plays a transcript: types its `> ` lines and compares the replies.
    #[track_caller]
    pub fn plays(&mut self, transcript: &str) {
        let mut played = String::new();
        let failures = self.console.failures();
        for line in transcript
            .lines()
            .map(|line| line.strip_prefix("        ").unwrap_or(line))
        {
            if let Some(typed) = line.strip_prefix("> ") {
                played.push_str(&format!("> {typed}\n"));
                played.push_str(&self.types(format!("{typed}\n")));
            }
        }
        let expected: String = transcript
            .lines()
            .map(|line| line.strip_prefix("        ").unwrap_or(line))
            .filter(|line| !line.is_empty())
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(
            played, expected,
            "\n--- played:\n{played}\n--- expected:\n{expected}"
        );
        assert_eq!(
            self.console.failures() - failures,
            played.matches("\nE").count() as u64
        );
    }
}

/// The commands of a long script, and how often each reply comes.
pub fn script(lines: u32) -> String {
    (0..lines)
        .map(|i| format!("route add 10.{}.{}.0/24 dev eth0\n", i / 256, i % 256))
        .collect()
}

/// What a terminal shows that knows CR, LF and backspace.
pub fn screen(bytes: &str) -> Vec<String> {
    let mut rows = vec![Vec::new()];
    let mut column = 0;
    for c in bytes.chars() {
        let row: &mut Vec<char> = rows.last_mut().unwrap();
        match c {
            '\r' => column = 0,
            '\n' => rows.push(Vec::new()),
            '\x08' => column -= 1,
            '\x07' => {}
            c => {
                row.resize(row.len().max(column + 1), ' ');
                row[column] = c;
                column += 1;
            }
        }
    }
    rows.iter()
        .map(|row| row.iter().collect::<String>().trim_end().to_string())
        .collect()
}

#[track_caller]
pub fn shows(session: &mut Session, keys: &str, expected: &[&str]) {
    let typed = session.presses(keys);
    assert_eq!(screen(&format!("{PROMPT}{typed}")), expected, "{keys:?}");
}
