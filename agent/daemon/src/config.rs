// SPDX-License-Identifier: MIT OR Apache-2.0
//! The config: lines with the arguments of `route add`.
//!
//! A file is read line by line into one transaction of the kernel's. So a mistake
//! anywhere applies nothing, and the memory it takes does not grow with the file.
//! Where a table is not to be replaced but completed there is no transaction: then
//! the file is read twice, once to check all of it, once to apply it.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use nix::libc;
use nl31_netlink::{Add, Change, Client, Load, Loaded, Mode, Route, Transport};
use nl31_route::{DeviceName, ParseErrorKind, Parsed, Part, Syntax, without_comment};

use crate::device::{Cached, Devices};
use crate::mark::Late;

/// Longest line in bytes, with what is behind `#`.
const LINE_MAX: usize = 512;

/// What editors of some systems put before the first line.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Lines handled before the serial line is looked after again.
const LINES_PER_STEP: usize = 512;

/// What is wrong with a config. Shown as `FILE:LINE:COLUMN: what`, counted from 1.
#[derive(Debug)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Line and column from 1, if a place in the file is at fault. Columns count
    /// bytes.
    pub place: Option<(u32, usize)>,
    /// What is wrong.
    pub kind: ConfigErrorKind,
}

/// What is wrong with a config.
#[derive(Debug)]
pub enum ConfigErrorKind {
    /// The file cannot be read.
    Io(io::Error),
    /// A line is longer than 512 bytes.
    LineTooLong,
    /// A line is no UTF-8.
    NoText,
    /// A line is no route.
    Parse(ParseErrorKind),
    /// There is no such device.
    NoDevice(DeviceName),
    /// The kernel refused.
    Kernel(nl31_netlink::Error),
}

/// The lines of a file, one at a time in a buffer of fixed size.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<File>,
    /// Of fixed capacity: that of the longest line with its end.
    line: Vec<u8>,
    number: u32,
}

/// A column from 0, and what is wrong there.
pub type Fault = (usize, ConfigErrorKind);

impl Lines {
    /// Opens a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Others may block, or have no end.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        File::open(path).map(Self::of)
    }

    /// Those of a file that is not there.
    pub fn none() -> io::Result<Self> {
        File::open("/dev/null").map(Self::of)
    }

    fn of(file: File) -> Self {
        Self {
            reader: BufReader::new(file),
            line: Vec::with_capacity(LINE_MAX + 1),
            number: 0,
        }
    }

    /// The line, without its end.
    pub fn bytes(&self) -> &[u8] {
        &self.line
    }

    /// The same as text; empty if it is none.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.line).unwrap_or_default()
    }

    /// The number of the line, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// More lines than there can be: each has a byte, and the file this many.
    fn most(&self) -> u32 {
        let bytes = self
            .reader
            .get_ref()
            .metadata()
            .map_or(0, |file| file.len());
        u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Reads the next line; says whether there was one.
    pub fn advance(&mut self) -> Result<bool, Fault> {
        self.line.clear();
        self.number = self.number.saturating_add(1);
        let mut reader = (&mut self.reader).take(LINE_MAX as u64 + 1);
        reader
            .read_until(b'\n', &mut self.line)
            .map_err(|error| (0, ConfigErrorKind::Io(error)))?;
        if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
            // Spaces, so that columns stay what they are.
            self.line[..BYTE_ORDER_MARK.len()].fill(b' ');
        }
        if self.line.ends_with(b"\n") {
            self.line.pop();
            return Ok(true);
        }
        if self.line.len() > LINE_MAX {
            return Err((LINE_MAX, ConfigErrorKind::LineTooLong));
        }
        Ok(!self.line.is_empty())
    }

    /// What the line says, unless it is empty or a comment.
    pub fn parse(&self) -> Result<Option<Parsed>, Fault> {
        let line = std::str::from_utf8(&self.line)
            .map_err(|error| (error.valid_up_to(), ConfigErrorKind::NoText))?;
        let line = without_comment(line);
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let fault =
            |error: nl31_route::ParseError| (error.column, ConfigErrorKind::Parse(error.kind));
        let parsed = Syntax::CONFIG.parse(line, 0).map_err(fault)?;
        parsed.check_route().map_err(fault)?;
        Ok(Some(parsed))
    }

    /// The route of the line if it is over one of these devices.
    pub fn over(&self, devices: &[DeviceName]) -> Option<Route<DeviceName>> {
        let route = self.parse().ok()??.route().ok()?;
        let device = route.path.device.as_ref()?;
        devices.contains(device).then_some(route)
    }

    /// The route of the line; with `only`, if it has this device.
    fn route(
        &self,
        devices: &mut Cached<'_>,
        only: Option<&DeviceName>,
    ) -> Result<Option<Route<u32>>, Fault> {
        let Some(parsed) = self.parse()? else {
            return Ok(None);
        };
        if only.is_some() && parsed.spec.device.as_ref() != only {
            return Ok(None);
        }
        let device = parsed.span(Part::Device);
        let spec = devices.indexed(parsed.spec).map_err(|name| {
            (
                device.map_or(0, |(column, _)| column),
                ConfigErrorKind::NoDevice(name),
            )
        })?;
        let prefix = spec.prefix.expect("parse() checked that it is a route");
        Ok(Some(Route {
            prefix,
            path: spec.path(),
        }))
    }
}

/// Devices that a config names and that are not there yet; more than that are an
/// error.
pub type Absent = heapless::Vec<DeviceName, ABSENT_MAX>;

/// More than a small router has of VLANs and sessions that are set up after the boot.
pub const ABSENT_MAX: usize = 64;

/// A config on its way into the kernel, a few lines at a step.
#[derive(Debug)]
pub struct Loading {
    path: PathBuf,
    mode: Mode,
    lines: Lines,
    /// The lines are only looked at. What [`Mode::Missing`] applies stays, so none of it
    /// is applied before all was looked at.
    checking: bool,
    load: Option<Box<Load>>,
    /// Only routes over this device are loaded.
    only: Option<DeviceName>,
    /// The devices that are not there, if routes over such may be left out.
    absent: Option<Absent>,
}

impl Loading {
    /// Opens a config.
    pub fn open(path: &Path, mode: Mode) -> Result<Self, ConfigError> {
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
            only: None,
            absent: None,
        })
    }

    /// Leaves out routes over devices that are not there, see [`Loading::late`].
    pub fn without_absent(mut self) -> Self {
        self.absent = Some(Absent::new());
        self
    }

    /// Loads only the routes over this device.
    pub fn only(mut self, device: DeviceName) -> Self {
        self.only = Some(device);
        self
    }

    /// Whether the routes over a device that is not there may be left out.
    fn leaves_out(&mut self, device: &DeviceName) -> bool {
        let Some(absent) = &mut self.absent else {
            return false;
        };
        absent.contains(device) || absent.push(device.clone()).is_ok()
    }

    /// The devices whose routes were left out, and wait for them.
    pub fn late(&self) -> Option<Late> {
        let devices = self.absent.clone().filter(|absent| !absent.is_empty())?;
        Some(Late {
            config: self.path.clone(),
            devices,
        })
    }

    /// Gives it up; nothing is applied.
    pub fn abort<T: Transport>(&mut self, client: &mut Client<T>) {
        if let Some(load) = &mut self.load
            && let Err(error) = load.abort(client)
        {
            log::error!("{}: {error}", self.path.display());
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Goes on for some lines. `Some` at the end; an error is the end too, and
    /// then nothing is applied (with [`Mode::Missing`], nothing more).
    pub fn step<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &dyn Devices,
    ) -> Result<Option<Loaded>, ConfigError> {
        let result = self.lines(client, &mut Cached::new(devices));
        result.map_err(|(column, kind)| {
            if !is_kernel(&kind) {
                // Leave nothing half done; if that fails too, the kernel's own time
                // limit does it.
                self.abort(client);
            }
            let whole_file = matches!(kind, ConfigErrorKind::Io(_));
            let mut place = (!whole_file).then_some((self.lines.number, column + 1));
            if let (ConfigErrorKind::Kernel(error), Some(load)) = (&kind, &self.load) {
                // The sequence number tells the line.
                place = load.tag(error).map(|line| (line, 1));
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
            let route = match self.lines.route(devices, self.only.as_ref()) {
                _ if !more => None,
                Err((column, ConfigErrorKind::NoDevice(name))) => {
                    if !self.leaves_out(&name) {
                        return Err((column, ConfigErrorKind::NoDevice(name)));
                    }
                    None
                }
                route => route?,
            };
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
                    let change = Change::Add(Add::Append, route);
                    let pushed = load.push(client, self.lines.number, &change);
                    pushed.map(|()| None)
                }
                None => Ok(None),
            };
            if let Some(loaded) = done.map_err(|error| (0, ConfigErrorKind::Kernel(error)))? {
                return Ok(Some(loaded));
            }
        }
        Ok(None)
    }
}

fn is_kernel(kind: &ConfigErrorKind) -> bool {
    matches!(kind, ConfigErrorKind::Kernel(_))
}

impl ConfigError {
    /// Whether the config itself is at fault, so that another one may do.
    pub fn is_of_config(&self) -> bool {
        match &self.kind {
            ConfigErrorKind::Kernel(error) => match error.errno() {
                // These pass: another's transaction, memory, a pause too long, a device
                // that has gone since it was looked for.
                Some(
                    libc::EBUSY | libc::ENOMEM | libc::ENOBUFS | libc::ETIMEDOUT | libc::ENODEV,
                ) => false,
                errno => errno.is_some(),
            },
            _ => true,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        f.write_str(" ")?;
        match &self.kind {
            ConfigErrorKind::Io(error) => error.fmt(f),
            ConfigErrorKind::LineTooLong => write!(f, "the line is longer than {LINE_MAX} bytes"),
            ConfigErrorKind::NoText => f.write_str("the line is not UTF-8 text"),
            ConfigErrorKind::Parse(kind) => kind.fmt(f),
            ConfigErrorKind::NoDevice(name) => write!(f, "there is no device {name}"),
            ConfigErrorKind::Kernel(error) => error.kind.fmt(f),
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::device::tests::TestDevices;
    use nl31_netlink::FakeKernel;
    use std::time::Duration;

    /// A folder of its own for each test, gone with it.
    pub(crate) struct Folder(pub PathBuf);

    impl Folder {
        pub(crate) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nl31-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
            let path = self.0.join(name);
            std::fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn client() -> Client<FakeKernel> {
        Client::with_timeout(FakeKernel::default(), Duration::ZERO)
    }

    fn load(client: &mut Client<FakeKernel>, path: &Path, mode: Mode) -> Result<Loaded, String> {
        let mut run = || {
            let mut loading = Loading::open(path, mode)?;
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
            ["10.0.0.0/8 via 192.0.2.1 dev 2", "blackhole 2001:db8::/32"]
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
        let long = "10.0.0.0/8 dev eth0 #".to_owned() + &"x".repeat(1 << 20);
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
        let line = format!("{:<LINE_MAX$}", "blackhole 10.0.0.0/8 #");
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
            "FILE:2:2: bits are set beyond the prefix length, did you mean 10.0.0.0/8?",
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
            "device",
            "10.0.0.0/8 dev eth7",
            "FILE:1:16: there is no device eth7",
        );
        refused(
            "utf8",
            b"10.0.0.0/8 \xff",
            "FILE:1:12: the line is not UTF-8 text",
        );
        let long = format!("10.0.0.0/8 dev eth0\n# {}", "x".repeat(LINE_MAX));
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
    fn routes_over_devices_that_are_not_there_may_be_left_out_for_later() {
        let folder = Folder::new("absent");
        let text = "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev usb0\n12.0.0.0/8 via 192.0.2.1 dev usb0\n";
        let path = folder.file("routes.conf", text);
        let mut client = client();
        let mut load = |loading: Loading| {
            let mut loading = loading;
            loop {
                if let Some(loaded) = loading.step(&mut client, &TestDevices::default()).unwrap() {
                    return (
                        loaded.added,
                        loading.late().map_or(0, |late| late.devices.len()),
                    );
                }
            }
        };
        let open = || Loading::open(&path, Mode::Missing).unwrap();
        assert_eq!(load(open().without_absent()), (1, 1));
        assert_eq!(load(open().only("lo".parse().unwrap())), (0, 0));
        // There is an end to how many can be waited for.
        let many: String = (0..=ABSENT_MAX)
            .map(|i| format!("10.{i}.0.0/16 dev usb{i}\n"))
            .collect();
        let path = folder.file("many.conf", many);
        let mut loading = Loading::open(&path, Mode::Missing)
            .unwrap()
            .without_absent();
        let error = loading
            .step(&mut client, &TestDevices::default())
            .unwrap_err();
        assert_eq!(error.place, Some((ABSENT_MAX as u32 + 1, 18)));
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let error = Loading::open(Path::new("/dev/zero"), Mode::Transaction).unwrap_err();
        assert_eq!(error.to_string(), "/dev/zero: it is no regular file");
    }

    #[test]
    fn no_file_is_an_error() {
        let error = Loading::open(Path::new("/no/such"), Mode::Transaction).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/no/such: No such file or directory (os error 2)"
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
