// SPDX-License-Identifier: MIT OR Apache-2.0
//! Brings the config into the kernel when the agent starts.
//!
//! The kernel holds the truth. A config is loaded once for each life of the
//! kernel's table: the agent then leaves a [`Mark`]. An agent that finds its mark,
//! and that table no younger than it, changes nothing: what was added or deleted on
//! the console since then stays so, however the last agent ended.
//!
//! Routes over a device that is not there yet are left out, and added when it comes.
//!
//! Without the mark (first start, or the last agent was killed before it could
//! leave one) an empty table is filled in one transaction, all or nothing. Into a
//! table that is not empty the routes that are missing are added, and no others
//! are touched.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nl31_netlink::{Client, Error, Loaded, Mode, Transport};
use nl31_route::DeviceName;

use crate::config::{ConfigError, Loading};
use crate::device::Devices;
use crate::files::{Files, Replacement};
use crate::mark::{Late, Mark};

/// Where the kernel tells of the module.
const MODULE: &str = "/sys/module/nl31";

/// The configs to try, and where the mark is.
#[derive(Debug)]
pub struct Boot {
    /// In order; the first one that is there and has no mistake is loaded.
    configs: Vec<Config>,
    mark: PathBuf,
    /// Held while the table is not what it is to be: another agent is not to save it.
    unmarked: Option<Replacement>,
    /// The kernel's folder for the module.
    module: PathBuf,
    state: State,
    /// Configs that were refused.
    refused: usize,
    late: Option<Late>,
}

#[derive(Debug)]
struct Config {
    path: PathBuf,
    /// Where a copy of it is kept once it was loaded.
    good: Option<PathBuf>,
    /// It was asked for: that it is not there is a mistake.
    asked_for: bool,
}

#[derive(Debug)]
enum State {
    /// The kernel was not asked yet.
    Start,
    /// The config of this index comes next, in this mode.
    Next(usize, Mode),
    Loading(usize, Mode, Box<Loading>),
    /// It is loaded, and a copy of it is being kept.
    Keeping(Box<Keeping>),
    /// As [`State::Loading`] with only the routes over this device.
    Late(DeviceName, Box<Loading>),
    Done,
}

/// What a step of the boot has to tell.
#[derive(Debug)]
pub enum News {
    /// Nothing; there is more to do.
    None,
    /// The mark was there; the table has so many paths.
    Kept(u64),
    /// A config was loaded.
    Loaded(PathBuf, Loaded),
    /// The routes over a device were loaded that came late.
    Late(DeviceName, Loaded),
    /// A config was refused; the next one is tried.
    Refused(ConfigError),
    /// They were not, and are waited for no more.
    NotLate(ConfigError),
    /// There is no config, or none that could be loaded.
    Empty,
    /// The kernel failed; the boot starts over when it is called again.
    Failed(Error),
}

impl Boot {
    /// With the configs among `files`.
    pub fn new(files: &Files) -> Self {
        let other = |path: &PathBuf| Config {
            path: path.clone(),
            good: None,
            asked_for: false,
        };
        let own = Config {
            good: Some(files.good.clone()),
            asked_for: files.factory.is_none(),
            ..other(&files.config)
        };
        let mut configs = vec![own, other(&files.good)];
        configs.extend(files.factory.iter().map(other));
        Self {
            configs,
            mark: files.mark(),
            unmarked: None,
            module: MODULE.into(),
            state: State::Start,
            refused: 0,
            late: None,
        }
    }

    /// Whether the table is what it is to be.
    pub fn done(&self) -> bool {
        matches!(self.state, State::Done | State::Keeping(_))
    }

    /// Whether [`Boot::step`] has nothing more to do.
    pub fn ended(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Starts over: the kernel's side is new.
    pub fn restart(&mut self) {
        self.state = State::Start;
        self.refused = 0;
        self.late = None;
    }

    /// The devices whose routes wait for them.
    pub fn waits_for(&self) -> &[DeviceName] {
        self.late.as_ref().map_or(&[], |late| &late.devices)
    }

    /// Another table is there now, in which this waits for a device.
    pub fn replace<T: Transport>(&mut self, client: &mut Client<T>, late: Option<Late>) {
        if self.late.is_some() || late.is_some() {
            self.late = late;
            self.leave_mark(client);
        }
    }

    /// Looks whether a device has come; then there is more to do.
    pub fn look_for_devices<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &dyn Devices,
    ) {
        let (State::Done, Some(late)) = (&self.state, &mut self.late) else {
            return;
        };
        let mut names = late.devices.iter();
        let Some(come) = names.position(|name| devices.index(name).is_some()) else {
            return;
        };
        let name = late.devices.swap_remove(come);
        // Another agent may have put another table there.
        let waits = |late: Late| late.devices.contains(&name);
        if Mark::read(&self.mark).is_some_and(|mark| !mark.late.is_some_and(waits)) {
            self.late = None;
            return;
        }
        match Loading::open(&late.config, Mode::Missing) {
            Ok(loading) => {
                let loading = loading.without_absent().only(name.clone());
                self.state = State::Late(name, Box::new(loading));
            }
            Err(error) => {
                log::error!("{error}");
                self.leave_mark(client);
            }
        }
    }

    /// Goes on for a moment.
    pub fn step<T: Transport>(&mut self, client: &mut Client<T>, devices: &dyn Devices) -> News {
        match std::mem::replace(&mut self.state, State::Start) {
            State::Start => {
                let table = match client.table() {
                    Ok(table) => table,
                    Err(error) => return News::Failed(error),
                };
                let paths = u64::from(table.paths4) + u64::from(table.paths6);
                let mark = Mark::read(&self.mark);
                if let Some(mark) = mark
                    .filter(|mark| mark.life == self.life() && mark.generation <= table.generation)
                {
                    self.late = mark.late;
                    self.state = State::Done;
                    return News::Kept(paths);
                }
                // One that failed may have begun before.
                self.unmarked = None;
                self.unmarked = Replacement::create(&self.mark).ok();
                let mode = if paths == 0 {
                    Mode::Transaction
                } else {
                    Mode::Missing
                };
                self.state = State::Next(0, mode);
                News::None
            }
            State::Next(index, mode) => {
                let Some(config) = self.configs.get(index) else {
                    self.state = State::Done;
                    self.unmarked = None;
                    // A config that was refused may be better when the agent is
                    // started again.
                    if self.refused == 0 {
                        self.leave_mark(client);
                    }
                    return News::Empty;
                };
                if !config.asked_for && !config.path.exists() {
                    self.state = State::Next(index + 1, mode);
                    return News::None;
                }
                match Loading::open(&config.path, mode) {
                    Ok(loading) => {
                        let loading = Box::new(loading.without_absent());
                        self.state = State::Loading(index, mode, loading);
                        News::None
                    }
                    Err(error) => self.refuse(index, mode, error),
                }
            }
            State::Loading(index, mode, mut loading) => match loading.step(client, devices) {
                Ok(None) => {
                    self.state = State::Loading(index, mode, loading);
                    News::None
                }
                Ok(Some(loaded)) => {
                    self.late = loading.late();
                    self.leave_mark(client);
                    let Config { path, good, .. } = &self.configs[index];
                    let good = good.as_ref().map(|good| Keeping::begin(path, good));
                    self.state = match good {
                        Some(keeping) => State::Keeping(Box::new(keeping)),
                        None => State::Done,
                    };
                    News::Loaded(path.clone(), loaded)
                }
                Err(error) if error.is_of_config() => self.refuse(index, mode, error),
                Err(error) => match error.kind {
                    crate::config::ConfigErrorKind::Kernel(error) => News::Failed(error),
                    _ => self.refuse(index, mode, error),
                },
            },
            State::Keeping(mut keeping) => {
                self.state = match keeping.step() {
                    Ok(false) => State::Keeping(keeping),
                    Ok(true) => State::Done,
                    Err(error) => {
                        log::warn!("{}: {error}", keeping.good.display());
                        State::Done
                    }
                };
                News::None
            }
            State::Late(name, mut loading) => match loading.step(client, devices) {
                Ok(None) => {
                    self.state = State::Late(name, loading);
                    News::None
                }
                Ok(Some(loaded)) => {
                    self.state = State::Done;
                    // It has gone again meanwhile.
                    if loading.late().is_some() {
                        self.wait_again(name);
                        return News::None;
                    }
                    self.leave_mark(client);
                    News::Late(name, loaded)
                }
                Err(error) => {
                    self.state = State::Done;
                    if !error.is_of_config() {
                        // This passes, and the next look finds the device again.
                        log::info!("{name} has come, but {error}");
                        self.wait_again(name);
                        return News::None;
                    }
                    self.leave_mark(client);
                    News::NotLate(error)
                }
            },
            State::Done => {
                self.state = State::Done;
                News::None
            }
        }
    }

    /// Whether a config was refused before the one that was loaded.
    pub fn fell_back(&self) -> bool {
        self.refused > 0
    }

    /// The mark has never said otherwise.
    fn wait_again(&mut self, name: DeviceName) {
        if let Some(late) = &mut self.late {
            let _ = late.devices.push(name);
        }
    }

    fn refuse(&mut self, index: usize, mode: Mode, error: ConfigError) -> News {
        self.refused += 1;
        self.state = State::Next(index + 1, mode);
        News::Refused(error)
    }

    /// Another number each time the module is loaded, whose folder is then made anew; 0
    /// in a kernel without such a folder, which has nl31 built in.
    fn life(&self) -> u64 {
        self.module.metadata().map_or(0, |folder| folder.ino())
    }

    fn leave_mark<T: Transport>(&mut self, client: &mut Client<T>) {
        self.unmarked = None;
        let result = client
            .table()
            .map_err(|error| error.to_string())
            .and_then(|table| {
                let mark = Mark {
                    generation: table.generation,
                    life: self.life(),
                    late: self.late.clone(),
                };
                mark.write(&self.mark).map_err(|error| error.to_string())
            });
        if let Err(error) = result {
            // The next agent then compares the table with the config.
            log::warn!("{}: {error}", self.mark.display());
        }
    }
}

/// Keeps a copy of a config that was loaded, for the boot after the one that
/// breaks it, a part at a time. Writes nothing if the copy is the same: this is flash.
#[derive(Debug)]
struct Keeping {
    path: PathBuf,
    good: PathBuf,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Open,
    /// Are they the same?
    Compare(File, File),
    Copy(File, Replacement),
}

/// Bytes of a config that are compared or copied in one step.
const KEPT_PER_STEP: u64 = 32 * 1024;

impl Keeping {
    fn begin(path: &Path, good: &Path) -> Self {
        Self {
            path: path.into(),
            good: good.into(),
            work: Work::Open,
        }
    }

    /// Goes on with a part; says whether it was the last.
    fn step(&mut self) -> io::Result<bool> {
        match &mut self.work {
            Work::Open => match File::open(&self.good) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.copy()?,
                good => self.work = Work::Compare(File::open(&self.path)?, good?),
            },
            Work::Compare(path, good) => {
                let [here, there] = [path, good].map(|file| {
                    let mut part = Vec::new();
                    file.take(KEPT_PER_STEP).read_to_end(&mut part)?;
                    Ok::<_, io::Error>(part)
                });
                let (here, there) = (here?, there?);
                if here != there {
                    self.copy()?;
                } else if here.is_empty() {
                    return Ok(true);
                }
            }
            Work::Copy(path, copy) => {
                if io::copy(&mut path.take(KEPT_PER_STEP), copy)? == 0
                    && let Work::Copy(_, copy) = std::mem::replace(&mut self.work, Work::Open)
                {
                    copy.finish()?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn copy(&mut self) -> io::Result<()> {
        let copy = Replacement::create(&self.good)?;
        self.work = Work::Copy(File::open(&self.path)?, copy);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::Folder;
    use crate::device::tests::TestDevices;
    use nl31_netlink::{FakeKernel, Spec};
    use std::fs;
    use std::time::Duration;

    type Kernel = Client<FakeKernel>;

    fn kernel() -> Kernel {
        Client::with_timeout(FakeKernel::default(), Duration::ZERO)
    }

    fn routes(kernel: &mut Kernel) -> Vec<String> {
        kernel
            .transport()
            .routes()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Starts an agent: what it has to tell.
    fn start(folder: &Folder, kernel: &mut Kernel) -> Vec<String> {
        start_with(folder, kernel, Path::new("/"))
    }

    fn start_with(folder: &Folder, kernel: &mut Kernel, module: &Path) -> Vec<String> {
        let config = folder.0.join("routes.conf");
        let mut boot = Boot::new(&Files::new(Some(&config), &folder.0.join("run")));
        boot.module = module.into();
        let mut news = Vec::new();
        while !boot.ended() {
            let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
            news.push(match boot.step(kernel, &TestDevices::default()) {
                News::None => continue,
                News::Kept(paths) => format!("kept {paths}"),
                News::Loaded(path, loaded) => {
                    format!("loaded {} {}+{}", name(&path), loaded.added, loaded.present)
                }
                News::Late(device, loaded) => format!("late {device} {}", loaded.added),
                News::NotLate(error) => error.to_string(),
                News::Refused(error) => format!("refused {} {:?}", name(&error.path), error.place),
                News::Empty => "empty".into(),
                News::Failed(error) => {
                    news.push(error.kind.to_string());
                    break;
                }
            });
        }
        news
    }

    #[test]
    fn a_config_is_loaded_once_and_the_console_has_the_last_word() {
        let folder = Folder::new("boot-once");
        folder.file("routes.conf", "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev eth0\n");
        let mut kernel = kernel();
        assert_eq!(start(&folder, &mut kernel), ["loaded routes.conf 2+0"]);
        let ten = Spec {
            prefix: Some("10.0.0.0/8".parse().unwrap()),
            ..Spec::default()
        };
        kernel.delete(&ten).unwrap();
        assert_eq!(start(&folder, &mut kernel), ["kept 1"]);
        assert_eq!(routes(&mut kernel), ["11.0.0.0/8 dev 2"]);
    }

    #[test]
    fn without_the_mark_only_what_is_missing_is_added() {
        let folder = Folder::new("boot-killed");
        folder.file("routes.conf", "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev eth0\n");
        let mut kernel = kernel();
        start(&folder, &mut kernel);
        fs::remove_file(folder.0.join("run/loaded")).unwrap();
        while kernel.transport().event().is_some() {}
        assert_eq!(start(&folder, &mut kernel), ["loaded routes.conf 0+2"]);
        assert!(
            kernel.transport().event().is_none(),
            "nothing was right and changed"
        );
    }

    #[test]
    fn a_new_table_is_filled_again() {
        let folder = Folder::new("boot-new-table");
        folder.file("routes.conf", "10.0.0.0/8 dev eth0\n");
        start(&folder, &mut kernel());
        assert_eq!(start(&folder, &mut kernel()), ["loaded routes.conf 1+0"]);
    }

    #[test]
    fn a_new_table_gets_what_was_saved_since_the_agent_started() {
        let folder = Folder::new("boot-saved-since");
        let factory = folder.file("factory.conf", "10.0.0.0/8 dev eth0\n");
        let files = Files {
            factory: Some(factory),
            ..Files::new(
                Some(&folder.0.join("nl31/routes.conf")),
                &folder.0.join("run"),
            )
        };
        fs::create_dir(folder.0.join("nl31")).unwrap();
        let mut boot = Boot::new(&files);
        boot.module = "/".into();
        let mut loads = || {
            boot.restart();
            let mut kernel = kernel();
            while !boot.ended() {
                boot.step(&mut kernel, &TestDevices::default());
            }
            routes(&mut kernel)
        };
        assert_eq!(loads(), ["10.0.0.0/8 dev 2"]);
        folder.file("nl31/routes.conf", "11.0.0.0/8 dev eth0\n");
        assert_eq!(loads(), ["11.0.0.0/8 dev 2"]);
        files.forget().unwrap();
        assert_eq!(loads(), ["10.0.0.0/8 dev 2"]);
    }

    /// `lo` is 1, `eth0` is 2, and now `usb0` is 1 too.
    struct MoreDevices;

    impl Devices for MoreDevices {
        fn index(&self, name: &DeviceName) -> Option<u32> {
            match name.as_bytes() {
                b"usb0" => Some(1),
                _ => TestDevices::default().index(name),
            }
        }

        fn name(&self, index: u32) -> Option<DeviceName> {
            TestDevices::default().name(index)
        }

        fn names(&self, each: &mut dyn FnMut(&str)) {
            TestDevices::default().names(each);
        }
    }

    #[test]
    fn routes_over_a_device_that_comes_late_are_loaded_when_it_does() {
        let folder = Folder::new("boot-late");
        let text =
            "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev usb0\n12.0.0.0/8 dev usb1\n13.0.0.0/8 dev eth0\n";
        let config = folder.file("routes.conf", text);
        let mut kernel = kernel();
        assert_eq!(start(&folder, &mut kernel), ["loaded routes.conf 2+0"]);
        // Nothing that was deleted since comes back with them.
        let thirteen = Spec {
            prefix: Some("13.0.0.0/8".parse().unwrap()),
            ..Spec::default()
        };
        kernel.delete(&thirteen).unwrap();
        // An agent that was killed meanwhile still waits.
        let mut boot = Boot::new(&Files::new(Some(&config), &folder.0.join("run")));
        boot.module = "/".into();
        assert!(matches!(
            boot.step(&mut kernel, &MoreDevices),
            News::Kept(1)
        ));
        assert_eq!(boot.waits_for().len(), 2);
        boot.look_for_devices(&mut kernel, &TestDevices::default());
        assert!(boot.done());
        boot.look_for_devices(&mut kernel, &MoreDevices);
        let mut late = Vec::new();
        while !boot.done() {
            if let News::Late(device, loaded) = boot.step(&mut kernel, &MoreDevices) {
                late.push((device.to_string(), loaded.added));
            }
        }
        assert_eq!(late, [("usb0".to_string(), 1)]);
        assert_eq!(boot.waits_for().len(), 1);
        // Another table takes the place of the one that they wait for, and that lasts.
        boot.replace(&mut kernel, None);
        assert!(boot.waits_for().is_empty());
        let mut next = Boot::new(&Files::new(Some(&config), &folder.0.join("run")));
        next.module = "/".into();
        assert!(matches!(
            next.step(&mut kernel, &MoreDevices),
            News::Kept(2)
        ));
        assert!(next.waits_for().is_empty());
        assert_eq!(
            routes(&mut kernel),
            ["10.0.0.0/8 dev 2", "11.0.0.0/8 dev 1"]
        );
        assert_eq!(start(&folder, &mut kernel), ["kept 2"]);
    }

    #[test]
    fn a_device_that_is_gone_again_is_waited_for_as_before() {
        let folder = Folder::new("boot-late-again");
        let config = folder.file("routes.conf", "11.0.0.0/8 dev usb0\n");
        let files = Files::new(Some(&config), &folder.0.join("run"));
        let mut kernel = kernel();
        let mut boot = Boot::new(&files);
        let step = |boot: &mut Boot, kernel: &mut Kernel, devices: &dyn Devices| {
            let mut told = Vec::new();
            while !boot.ended() {
                if let News::Late(device, loaded) = boot.step(kernel, devices) {
                    told.push((device.to_string(), loaded.added));
                }
            }
            told
        };
        step(&mut boot, &mut kernel, &TestDevices::default());
        for _ in 0..2 {
            boot.look_for_devices(&mut kernel, &MoreDevices);
            assert!(!boot.ended());
            // As it was pulled out before its line was read.
            assert_eq!(step(&mut boot, &mut kernel, &TestDevices::default()), []);
            assert_eq!(boot.waits_for().len(), 1);
            let late = Mark::read(&files.mark()).unwrap().late.unwrap();
            assert_eq!(late.devices.len(), 1);
        }
        boot.look_for_devices(&mut kernel, &MoreDevices);
        let told = step(&mut boot, &mut kernel, &MoreDevices);
        assert_eq!(told, [("usb0".to_string(), 1)]);
    }

    #[test]
    fn a_device_whose_config_is_gone_is_waited_for_no_more() {
        let folder = Folder::new("boot-late-gone");
        let config = folder.file("routes.conf", "11.0.0.0/8 dev usb0\n");
        let files = Files::new(Some(&config), &folder.0.join("run"));
        let mut kernel = kernel();
        let mut boot = Boot::new(&files);
        while !boot.ended() {
            boot.step(&mut kernel, &TestDevices::default());
        }
        assert_eq!(boot.waits_for().len(), 1);
        fs::remove_file(config).unwrap();
        boot.look_for_devices(&mut kernel, &MoreDevices);
        assert!(boot.waits_for().is_empty());
        // A save asks the mark.
        assert!(
            Mark::read(&files.mark())
                .unwrap()
                .late
                .unwrap()
                .devices
                .is_empty()
        );
    }

    #[test]
    fn a_module_that_was_loaded_again_is_known_whatever_its_generation() {
        let folder = Folder::new("boot-module");
        folder.file("routes.conf", "10.0.0.0/8 dev eth0\n");
        let [first, second] = ["first", "second"].map(|name| {
            let path = folder.0.join(name);
            fs::create_dir(&path).unwrap();
            path
        });
        let loaded = ["loaded routes.conf 1+0"];
        assert_eq!(start_with(&folder, &mut kernel(), &first), loaded);
        // Somebody has filled the new table already, beyond the old one's generation.
        let mut kernel = kernel();
        for text in ["11.0.0.0/8 dev eth0", "12.0.0.0/8 dev eth0"] {
            let route: nl31_netlink::Route<nl31_route::DeviceName> = text.parse().unwrap();
            let route = route.with_device(Some(2));
            kernel.add(nl31_netlink::Add::Add, &route).unwrap();
        }
        assert_eq!(start_with(&folder, &mut kernel, &second), loaded);
        assert_eq!(start_with(&folder, &mut kernel, &second), ["kept 3"]);
    }

    #[test]
    fn a_bad_config_boots_with_the_last_good_one() {
        let folder = Folder::new("boot-good");
        folder.file("routes.conf", "10.0.0.0/8 dev eth0\n");
        start(&folder, &mut kernel());
        folder.file("routes.conf", "11.0.0.0/8 dev eth0\nnonsense\n");
        let mut kernel = kernel();
        assert_eq!(
            start(&folder, &mut kernel),
            ["refused routes.conf Some((2, 1))", "loaded routes.good 1+0"]
        );
        assert_eq!(routes(&mut kernel), ["10.0.0.0/8 dev 2"]);
        // Repaired, but the table is the console's now until the next boot.
        folder.file("routes.conf", "11.0.0.0/8 dev eth0\n");
        assert_eq!(start(&folder, &mut kernel), ["kept 1"]);
    }

    #[test]
    fn a_bad_config_without_a_good_one_boots_empty() {
        let folder = Folder::new("boot-bad");
        folder.file("routes.conf", "nonsense\n");
        let mut kernel = kernel();
        assert_eq!(
            start(&folder, &mut kernel),
            ["refused routes.conf Some((1, 1))", "empty"]
        );
        assert!(routes(&mut kernel).is_empty());
        folder.file("routes.conf", "10.0.0.0/8 dev eth0\n");
        assert_eq!(start(&folder, &mut kernel), ["loaded routes.conf 1+0"]);
    }

    #[test]
    fn the_copy_is_written_only_when_it_differs() {
        let folder = Folder::new("boot-copy");
        let path = folder.file("routes.conf", "10.0.0.0/8 dev eth0\n");
        let good = folder.0.join("routes.good");
        let keep = |path: &Path, good: &Path| {
            let mut keeping = Keeping::begin(path, good);
            let mut steps = 1;
            while !keeping.step().unwrap() {
                steps += 1;
            }
            steps
        };
        keep(&path, &good);
        let inode = |path: &Path| path.metadata().unwrap().ino();
        let first = inode(&good);
        keep(&path, &good);
        assert_eq!(inode(&good), first, "the same was written again");
        // In parts, however long it is; the difference may be at its end.
        let long = "# not very long\n".repeat(20_000);
        folder.file("routes.conf", &long);
        assert!(keep(&path, &good) > long.len() / KEPT_PER_STEP as usize);
        assert_eq!(fs::read_to_string(&good).unwrap(), long);
        let longer = format!("{long}#\n");
        folder.file("routes.conf", &longer);
        keep(&path, &good);
        assert_eq!(fs::read_to_string(&good).unwrap(), longer);
    }

    #[test]
    fn a_kernel_that_fails_is_asked_again() {
        let folder = Folder::new("boot-fails");
        folder.file("routes.conf", "10.0.0.0/8 dev eth0\n");
        let mut kernel = kernel();
        kernel.transport().mute = true;
        assert_eq!(
            start(&folder, &mut kernel),
            ["the kernel did not answer in time"]
        );
        kernel.transport().mute = false;
        assert_eq!(start(&folder, &mut kernel), ["loaded routes.conf 1+0"]);
    }
}
