// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loads a config into the kernel's table, a few lines at a step.
//!
//! The file is read line by line into one transaction of the kernel. So a mistake anywhere
//! applies nothing, and the memory does not grow with the file. In [`Mode::Missing`] the
//! agent adds to a table and opens no transaction: it reads the file twice, once to check all
//! of it, once to apply it.

use std::io;
use std::path::{Path, PathBuf};

use nl31_netlink::{Add, Change, Client, Device, Load, Loaded, Mode, Transport};
use nl31_route::PassedOver;

use super::file::{ConfigError, ConfigErrorKind, Entry, Fault, Lines};
use super::locations::Files;
use super::settings::Settings;
use super::settings::error::{CHANGES_MAX, Left, SettingError, SettingErrorKind};
use super::settings::transaction::Transaction;
use super::waiting::Waiting;
use crate::grammar::{Setting, SettingChange};
use crate::platform::devices::{Cached, Devices};

/// Lines handled in one step.
const LINES_PER_STEP: usize = 512;

/// A load of a config in progress, a few lines at a step.
#[derive(Debug)]
pub struct Loading {
    path: PathBuf,
    mode: Mode,
    lines: Lines,
    /// The lines are only checked. What [`Mode::Missing`] applies stays, so all lines are
    /// checked before the first one is applied.
    checking: bool,
    load: Option<Box<Load>>,
    waiting: Waiting,
    /// The lines of settings so far, with their numbers.
    settings: Vec<(u32, Setting)>,
    /// The same, each object once.
    configured: Settings,
    /// The file of the configured settings.
    settings_file: PathBuf,
    /// The kernel has the settings; they can be taken back until the end.
    transaction: Option<Box<Transaction>>,
    left: Left,
    /// The table's generation and the revision of the settings after the load.
    state: Option<(u64, u64)>,
}

impl Loading {
    /// Opens a config; its settings replace those of `files`.
    pub fn open(path: &Path, mode: Mode, files: &Files) -> Result<Self, ConfigError> {
        let lines = Lines::open(path).map_err(|error| ConfigError {
            path: path.into(),
            place: None,
            kind: ConfigErrorKind::Io(error),
        })?;
        Ok(Self {
            path: path.into(),
            mode,
            lines,
            checking: mode == Mode::Missing,
            load: None,
            waiting: Waiting::default(),
            settings: Vec::new(),
            configured: Settings::default(),
            settings_file: files.settings(),
            transaction: None,
            left: Left::default(),
            state: None,
        })
    }

    /// The routes and settings so far whose devices are missing.
    pub fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// The number of settings.
    pub fn settings(&self) -> u64 {
        self.configured.all().len() as u64
    }

    /// Settings that the kernel refused after the routes were published; or that could not be
    /// taken back, after an error.
    pub fn left(&self) -> &Left {
        &self.left
    }

    /// The table's generation and the revision of the settings directly after the load; `None`
    /// before, or if the kernel did not tell it.
    pub fn state(&self) -> Option<(u64, u64)> {
        self.state
    }

    /// Aborts the load; nothing is applied, but for what is logged.
    pub fn abort<T: Transport>(&mut self, client: &mut Client<T>, devices: &dyn Devices) {
        self.take_back(client, devices);
        if let Some(load) = &mut self.load
            && let Err(error) = load.abort(client)
        {
            log::error!("{}: {error}", self.path.display());
        }
    }

    /// The words of iproute2's lists that were ignored so far.
    pub fn passed_over(&self) -> PassedOver {
        self.lines.passed_over()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Loads some lines. `Some` at the end. An error ends the load: nothing is applied (with
    /// [`Mode::Missing`], nothing more).
    pub fn step<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &dyn Devices,
    ) -> Result<Option<Loaded>, ConfigError> {
        let result = self.lines(client, &mut Cached::new(devices));
        result.map_err(|(column, kind)| {
            if is_kernel(&kind) {
                self.take_back(client, devices);
            } else {
                // Abort the transaction; if that fails too, the kernel drops it at its
                // time limit.
                self.abort(client, devices);
            }
            let whole_file = matches!(kind, ConfigErrorKind::Io(_));
            let mut place = (!whole_file).then_some((self.lines.number(), column + 1));
            if let (ConfigErrorKind::Kernel(error), Some(load)) = (&kind, &self.load) {
                // The sequence number tells the line.
                place = load.tag(error).map(|line| (line, 1));
            }
            if let ConfigErrorKind::Setting(error) = &kind {
                place = error.tag.map(|line| (line, 1));
            }
            ConfigError {
                path: self.path.clone(),
                place,
                kind,
            }
        })
    }

    fn lines<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &mut Cached<'_>,
    ) -> Result<Option<Loaded>, Fault> {
        for _ in 0..LINES_PER_STEP {
            let more = self.lines.advance()?;
            let entry = if more { self.lines.parse()? } else { None };
            let route = match entry {
                // The lines were checked with the settings in a first pass.
                Some(Entry::Setting(_)) if self.transaction.is_some() => None,
                Some(Entry::Setting(setting)) => {
                    self.add_setting(setting)?;
                    None
                }
                Some(Entry::Route(parsed)) => {
                    Some(parsed.route().expect("parse() checked that it is a route"))
                }
                None => None,
            };
            // Before the routes are published, so that both can be taken back.
            if !more && self.transaction.is_none() && !self.make_settings(client, devices)? {
                return Ok(None);
            }
            if self.checking {
                if !more {
                    self.lines =
                        Lines::open(&self.path).map_err(|error| (0, ConfigErrorKind::Io(error)))?;
                    self.checking = false;
                }
                continue;
            }
            let load = self
                .load
                .get_or_insert_with(|| Box::new(Load::new(client, self.mode, self.lines.most())));
            let done = match route {
                _ if !more => load.finish(client).map(Some),
                Some(route) => {
                    if let Some(device) = &route.path.device
                        && devices.index(device).is_none()
                    {
                        self.waiting.add(device);
                    }
                    let change = Change::Add(Add::Append, route.map_device(Device::Name));
                    let pushed = load.push(client, self.lines.number(), &change);
                    pushed.map(|()| None)
                }
                None => Ok(None),
            };
            let generation = load.generation();
            if let Some(loaded) = done.map_err(|error| (0, ConfigErrorKind::Kernel(error)))? {
                let revision = self.transaction.as_ref().map(|made| made.revision());
                self.state = generation.zip(revision);
                self.finish_settings(client);
                return Ok(Some(loaded));
            }
        }
        Ok(None)
    }

    fn add_setting(&mut self, setting: Setting) -> Result<(), Fault> {
        let fault = |kind| {
            let error = SettingError::of_line(self.lines.number(), kind);
            (0, ConfigErrorKind::Setting(Box::new(error)))
        };
        if self.settings.len() == CHANGES_MAX {
            return Err(fault(SettingErrorKind::Full));
        }
        let change = SettingChange::make(setting.clone());
        let changed = self.configured.change(&change);
        changed.map_err(|limit| fault(SettingErrorKind::TooMany(limit)))?;
        self.settings.push((self.lines.number(), setting));
        Ok(())
    }

    /// Has the kernel take the settings; gives `false` if another session changes some, so that
    /// this one has to try again.
    fn make_settings<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &Cached<'_>,
    ) -> Result<bool, Fault> {
        let made = (|| {
            let mut transaction = Transaction::open(&self.settings_file)?;
            transaction.replace(&self.settings)?;
            transaction.prepare(client, &self.settings_file, self.load.as_deref_mut())?;
            transaction.apply(client, devices.devices())?;
            Ok(transaction)
        })();
        match made {
            Ok(transaction) => {
                self.waiting.join(transaction.waiting());
                self.transaction = Some(Box::new(transaction));
                Ok(true)
            }
            Err(SettingError {
                kind: SettingErrorKind::Io(error),
                ..
            }) if error.kind() == io::ErrorKind::ResourceBusy => Ok(false),
            Err(error) => Err((0, ConfigErrorKind::Setting(Box::new(error)))),
        }
    }

    /// The routes are published.
    fn finish_settings<T: Transport>(&mut self, client: &mut Client<T>) {
        if let Some(transaction) = self.transaction.take() {
            self.left = transaction.finish(client);
        }
    }

    fn take_back<T: Transport>(&mut self, client: &mut Client<T>, devices: &dyn Devices) {
        if let Some(mut transaction) = self.transaction.take() {
            self.left = transaction.take_back(client, devices);
            if !self.left.is_empty() {
                log::error!("{}{}", self.path.display(), self.left);
            }
        }
    }
}

fn is_kernel(kind: &ConfigErrorKind) -> bool {
    matches!(kind, ConfigErrorKind::Kernel(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::LINE_MAX;
    use crate::platform::atomic_file::tests::Folder;
    use crate::platform::devices::tests::TestDevices;
    use nl31_netlink::FakeKernel;
    use std::time::Duration;

    fn client() -> Client<FakeKernel> {
        Client::with_timeout(FakeKernel::default(), Duration::ZERO)
    }

    fn files(path: &Path) -> Files {
        Files::new(Some(path), &path.with_extension("run"))
    }

    fn open(path: &str) -> Result<Loading, ConfigError> {
        let path = Path::new(path);
        Loading::open(path, Mode::Transaction, &files(path))
    }

    fn load(client: &mut Client<FakeKernel>, path: &Path, mode: Mode) -> Result<Loaded, String> {
        let mut run = || {
            let mut loading = Loading::open(path, mode, &files(path))?;
            loop {
                if let Some(loaded) = loading.step(client, &TestDevices::default())? {
                    return Ok(loaded);
                }
            }
        };
        run()
            .map_err(|error: ConfigError| error.to_string().replace(path.to_str().unwrap(), "FILE"))
    }

    /// So many lines.
    fn many(count: u32) -> String {
        let line = |i: u32| format!("10.{}.{}.0/24 via 192.0.2.1\n", i / 256, i % 256);
        (0..count).map(line).collect()
    }

    #[track_caller]
    fn refused(name: &str, text: impl AsRef<[u8]>, message: &str) {
        let folder = Folder::new(name);
        let path = folder.file("routes.conf", text);
        let mut client = client();
        assert_eq!(
            load(&mut client, &path, Mode::Transaction),
            Err(message.into())
        );
        assert!(client.transport().routes().is_empty());
        assert_eq!(client.transport().event(), None);
        client.ping().unwrap();
    }

    #[test]
    fn comments_and_empty_lines_are_skipped() {
        let folder = Folder::new("comments");
        let path = folder.file(
            "routes.conf",
            "# routes\n\n10.0.0.0/8 via 192.0.2.1 dev eth0 # uplink\r\n \t\n  blackhole 2001:db8::/32\n#",
        );
        let mut client = client();
        let loaded = load(&mut client, &path, Mode::Transaction);
        assert_eq!(
            loaded,
            Ok(Loaded {
                added: 2,
                present: 0
            })
        );
        let routes: Vec<_> = client
            .transport()
            .routes()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            routes,
            [
                "10.0.0.0/8 via 192.0.2.1 dev eth0",
                "blackhole 2001:db8::/32"
            ]
        );
    }

    #[test]
    fn files_of_other_systems_are_read_too() {
        let folder = Folder::new("byte-order-mark");
        let text = "\u{feff}10.0.0.0/8 dev eth0\r\n\t11.0.0.0/8\tdev\teth0\r\n";
        let path = folder.file("routes.conf", text);
        let loaded = load(&mut client(), &path, Mode::Transaction);
        let added = loaded.map(|loaded| loaded.added);
        assert_eq!(added, Ok(2));
        refused(
            "mark",
            "\u{feff}x",
            "FILE:1:4: expected a prefix like 10.0.0.0/8, unicast, \
            blackhole, unreachable, prohibit, via, dev, metric or proto",
        );
    }

    #[test]
    fn what_is_no_text_is_refused_at_its_place() {
        let long = "10.0.0.0/8 dev eth0 ".to_owned() + &"x".repeat(1 << 20);
        refused(
            "huge",
            long,
            "FILE:1:513: the line is longer than 512 bytes",
        );
        refused(
            "nul",
            "10.0.0.0/8\0 dev eth0",
            "FILE:1:10: the length of an IPv4 prefix is a number from 0 to 32",
        );
        refused(
            "utf16",
            b"\xff\xfe1\x000\0",
            "FILE:1:1: the line is not UTF-8 text",
        );
    }

    #[test]
    fn a_comment_may_be_long_and_in_any_encoding() {
        let folder = Folder::new("comment");
        let long = [b"10.0.0.0/8 dev eth0 # ".as_slice(), &[b'x'; 600]].concat();
        let latin = b"\n# caf\xe9\n11.0.0.0/8 dev eth0 # \xe4\n".as_slice();
        let huge = [b"#".as_slice(), &[0xe9; 100_000], b"\n12.0.0.0/8 dev eth0"].concat();
        let path = folder.file("routes.conf", [&long, latin, &huge].concat());
        let loaded = load(&mut client(), &path, Mode::Transaction);
        assert_eq!(loaded.map(|loaded| loaded.added), Ok(3));
        let text = format!("10.0.0.0/8 dev eth0 {} # no comment", " ".repeat(LINE_MAX));
        refused(
            "padded",
            text,
            "FILE:1:513: the line is longer than 512 bytes",
        );
    }

    #[test]
    fn words_of_lists_are_passed_over_and_known() {
        let folder = Folder::new("passed-over");
        let text = "10.0.0.0/8 dev eth0 scope link\n11.0.0.0/8 dev eth0 pref medium linkdown\n";
        let path = folder.file("routes.conf", text);
        for mode in [Mode::Transaction, Mode::Missing] {
            let mut client = client();
            let mut loading = Loading::open(&path, mode, &files(&path)).unwrap();
            while loading
                .step(&mut client, &TestDevices::default())
                .unwrap()
                .is_none()
            {}
            assert_eq!(loading.passed_over().to_string(), "scope, pref, linkdown");
        }
    }

    #[test]
    fn an_empty_config_is_one() {
        let folder = Folder::new("empty");
        for text in ["", "\n", "# nothing"] {
            let path = folder.file("routes.conf", text);
            assert_eq!(
                load(&mut client(), &path, Mode::Transaction),
                Ok(Loaded::default())
            );
        }
    }

    #[test]
    fn a_line_of_512_bytes_is_read_with_and_without_its_end() {
        let folder = Folder::new("longest");
        let line = format!("{:<LINE_MAX$}", "blackhole 10.0.0.0/8");
        for (text, added) in [
            (line.clone(), 1),
            (format!("{line}\n"), 1),
            (format!("{line}\nblackhole 11.0.0.0/8\n"), 2),
        ] {
            let path = folder.file("routes.conf", text);
            let loaded = load(&mut client(), &path, Mode::Transaction);
            assert_eq!(loaded, Ok(Loaded { added, present: 0 }));
        }
        let message = "FILE:1:513: the line is longer than 512 bytes";
        refused("longer", format!("{line} "), message);
        refused("longer", format!("{line} \n"), message);
    }

    #[test]
    fn a_mistake_names_its_place_and_nothing_is_applied() {
        refused(
            "host-bits",
            "10.0.0.0/8 dev eth0\n 10.1.2.3/8 dev eth0\n",
            "FILE:2:2: bits are set beyond the prefix length; did you mean 10.0.0.0/8?",
        );
        refused(
            "length",
            "10.0.0.0/33 dev eth0",
            "FILE:1:10: the length of an IPv4 prefix is a number from 0 to 32",
        );
        refused(
            "word",
            "\n\n10.0.0.0/8 vai 192.0.2.1",
            "FILE:3:12: expected via, dev, metric or proto",
        );
        refused(
            "utf8",
            b"10.0.0.0/8 \xff",
            "FILE:1:12: the line is not UTF-8 text",
        );
        let long = format!("10.0.0.0/8 dev eth0\n{}", "x".repeat(LINE_MAX + 1));
        refused(
            "long",
            long,
            "FILE:2:513: the line is longer than 512 bytes",
        );
        refused(
            "late",
            format!("{}x", many(2000)),
            "FILE:2001:1: expected a prefix like 10.0.0.0/8, unicast, blackhole, unreachable, prohibit, \
             via, dev, metric or proto",
        );
    }

    #[test]
    fn what_the_kernel_refuses_names_its_line() {
        refused(
            "twice",
            "10.0.0.0/8 dev eth0\n\n# again\n10.0.0.0/8 dev eth0\n11.0.0.0/8 dev eth0\n",
            "FILE:4:1: path is there (File exists (os error 17))",
        );
    }

    #[test]
    fn routes_over_a_hundred_devices_that_are_not_there_are_loaded_and_wait() {
        let folder = Folder::new("absent");
        let line = |i: u32| format!("10.{i}.0.0/16 dev usb{i}\n");
        let text = (0..100).map(line).collect::<String>() + "11.0.0.0/8 dev eth0\n";
        let path = folder.file("routes.conf", &text);
        for mode in [Mode::Transaction, Mode::Missing] {
            let mut client = client();
            let mut loading = Loading::open(&path, mode, &files(&path)).unwrap();
            let loaded = loop {
                let step = loading.step(&mut client, &TestDevices::default());
                if let Some(loaded) = step.unwrap() {
                    break loaded;
                }
            };
            assert_eq!(loaded.added, 101);
            let told = loading.waiting().to_string();
            assert!(told.starts_with("100 routes wait "), "{told}");
            let routes = client.transport().routes();
            let table: String = routes.iter().map(|route| format!("{route}\n")).collect();
            assert_eq!(table, text);
        }
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let error = open("/dev/zero").unwrap_err();
        assert_eq!(error.to_string(), "/dev/zero: not a regular file");
    }

    #[test]
    fn no_file_is_an_error() {
        let error = open("/proc/none").unwrap_err();
        assert_eq!(
            error.to_string(),
            "/proc/none: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn what_is_only_completed_is_checked_whole_before() {
        let folder = Folder::new("changes");
        let path = folder.file("routes.conf", format!("{}nonsense\n", many(2000)));
        let mut client = client();
        let error = load(&mut client, &path, Mode::Missing).unwrap_err();
        assert!(error.starts_with("FILE:2001:1: "), "{error}");
        assert!(client.transport().routes().is_empty());
        client.ping().unwrap();
    }

    #[test]
    fn a_large_config_is_loaded_in_steps() {
        let folder = Folder::new("large");
        let path = folder.file("routes.conf", many(5000));
        let mut client = client();
        assert_eq!(
            load(&mut client, &path, Mode::Transaction),
            Ok(Loaded {
                added: 5000,
                present: 0
            })
        );
        assert_eq!(
            load(&mut client, &path, Mode::Missing),
            Ok(Loaded {
                added: 0,
                present: 5000
            })
        );
        assert_eq!(client.transport().routes().len(), 5000);
    }
}
