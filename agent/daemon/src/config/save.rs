// SPDX-License-Identifier: MIT OR Apache-2.0
//! Saves the running table as the config: a picture of one moment, read and written
//! a part at a time, so that it takes no memory however large the table is. Behind it
//! come the routes of the config that still wait for a device.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use nix::libc;
use nl31_netlink::{Client, Dump, Error, Route, Step, Transport};
use nl31_route::DeviceName;

use super::deferred::MissingDevices;
use super::file::{ConfigErrorKind, Lines};
use super::state::ConfigState;
use crate::platform::atomic_file::Replacement;
use crate::platform::devices::{Cached, Devices};

/// Routes in one step.
const ROUTES_PER_STEP: usize = 256;
/// How often a table that changed too much meanwhile is begun again.
const TRIES: u32 = 5;

/// A save under way.
#[derive(Debug)]
pub struct Saving {
    file: Option<Replacement>,
    dump: Dump,
    /// The table is written; now comes what waits.
    dumped: bool,
    /// The config with the routes that wait for these devices.
    config: Lines,
    deferred: MissingDevices,
    paths: u64,
    tries: u32,
}

/// Why nothing was saved. The file of before is there.
#[derive(Debug)]
pub enum SaveError {
    /// The kernel failed.
    Kernel(Error),
    /// The file failed.
    Io(io::Error),
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(error) => error.kind.fmt(f),
            Self::Io(error) => write!(f, "the config cannot be written: {error}"),
        }
    }
}

impl From<Error> for SaveError {
    fn from(error: Error) -> Self {
        Self::Kernel(error)
    }
}

/// What the config of before does not let be read.
impl From<ConfigErrorKind> for SaveError {
    fn from(kind: ConfigErrorKind) -> Self {
        Self::Io(match kind {
            ConfigErrorKind::Io(error) => error,
            _ => io::Error::other("the one of before has a line that is too long"),
        })
    }
}

impl From<io::Error> for SaveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What a step of a save has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    Busy,
    /// The kernel's next part is to be waited for.
    Waiting,
    /// So many paths are saved.
    Saved(u64),
}

impl Saving {
    /// Begins to save as the config.
    pub fn begin<T: Transport>(
        client: &mut Client<T>,
        state: &ConfigState,
    ) -> Result<Self, SaveError> {
        if !state.resident
            && let Err(error) = Replacement::create(&state.files.mark())
            && error.kind() == io::ErrorKind::ResourceBusy
        {
            // The resident agent is loading the config.
            return Err(busy());
        }
        let mut file = Replacement::create(&state.files.config)?;
        writeln!(file, "# saved by nl31-agent {}", env!("CARGO_PKG_VERSION"))?;
        let (config, deferred) = match state.deferred() {
            Some(deferred) if deferred.config.exists() => {
                (Lines::open(&deferred.config)?, deferred.devices)
            }
            // A config that was deleted has taken them with it.
            _ => (Lines::none()?, MissingDevices::new()),
        };
        Ok(Self {
            file: Some(file),
            dump: client.snapshot()?,
            dumped: false,
            config,
            deferred,
            paths: 0,
            tries: 1,
        })
    }

    /// Paths written so far.
    pub fn paths(&self) -> u64 {
        self.paths
    }

    /// The devices whose routes wait for them, and are saved too.
    pub fn deferred(&self) -> &MissingDevices {
        &self.deferred
    }

    /// Goes on with a part. After an error it is over. `unconfirmed` says whether a commit
    /// waits for its confirmation.
    pub fn step<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &dyn Devices,
        state: &ConfigState,
        unconfirmed: &dyn Fn() -> bool,
    ) -> Result<Progress, SaveError> {
        let mut devices = Cached::new(devices);
        for _ in 0..ROUTES_PER_STEP {
            if self.dumped {
                if !self.config.advance().map_err(|(_, kind)| kind)? {
                    state.files.cancel_reset()?;
                    self.file.take().map_or(Ok(()), Replacement::finish)?;
                    return Ok(Progress::Saved(self.paths));
                }
                if let Some(route) = self.config.over(&self.deferred) {
                    self.write(&route)?;
                }
                continue;
            }
            match client.poll_next(&mut self.dump) {
                Ok(Step::Route(route)) => {
                    let route = devices.named(route);
                    // It has come, and its routes are about to.
                    if (route.path.device.as_ref()).is_some_and(|name| self.deferred.contains(name))
                    {
                        return Err(busy());
                    }
                    self.write(&route)?;
                }
                Ok(Step::Pending) => return Ok(Progress::Waiting),
                Ok(Step::End { interrupted: false }) => self.dumped = true,
                Ok(Step::End { interrupted: true }) => {
                    self.again(client, state, unconfirmed, None)?
                }
                Err(error) if error.errno() == Some(libc::ESTALE) => {
                    self.again(client, state, unconfirmed, Some(error))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Progress::Busy)
    }

    fn write(&mut self, route: &Route<DeviceName>) -> io::Result<()> {
        let mut line = heapless::String::<256>::new();
        writeln!(line, "{route}").expect("a route is shorter");
        self.paths += 1;
        let file = self.file.as_mut().expect("it is open until the end");
        file.write_all(line.as_bytes())
    }

    fn again<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        state: &ConfigState,
        unconfirmed: &dyn Fn() -> bool,
        error: Option<Error>,
    ) -> Result<(), SaveError> {
        // What is in the table now may be a commit that nobody has confirmed yet.
        if self.tries == TRIES || unconfirmed() {
            return Err(error.map_or_else(busy, SaveError::Kernel));
        }
        // Both have the same temporary name.
        self.file = None;
        *self = Self {
            tries: self.tries + 1,
            ..Self::begin(client, state)?
        };
        Ok(())
    }
}

fn busy() -> SaveError {
    let text = "the table is being changed, try again";
    io::Error::new(io::ErrorKind::ResourceBusy, text).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::deferred::DeferredRoutes;
    use crate::config::locations::Files;
    use crate::config::marker::Mark;
    use crate::platform::atomic_file::tests::Folder;
    use crate::platform::devices::tests::TestDevices;
    use nl31_netlink::{Add, FakeKernel};
    use std::fs;
    use std::time::Duration;

    /// Saves a table of one route over `eth0`, as routes over this device wait.
    fn save(folder: &Folder, deferred: &str) -> Result<String, String> {
        let config = folder.0.join("routes.conf");
        let files = Files::new(Some(&config), &folder.0.join("run"));
        let mark = Mark {
            generation: 0,
            life: 0,
            deferred: Some(DeferredRoutes {
                config: config.clone(),
                devices: MissingDevices::from_iter([deferred.parse().unwrap()]),
            }),
        };
        mark.write(&files.mark()).unwrap();
        let state = ConfigState::new(files, true);
        let mut client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
        let route: Route<DeviceName> = "10.0.0.0/8 dev eth0".parse().unwrap();
        let route = route.with_device(Some(2));
        client.add(Add::Add, &route).unwrap();
        let mut saving = Saving::begin(&mut client, &state).map_err(|error| error.to_string())?;
        let devices = TestDevices::default();
        while !matches!(
            saving
                .step(&mut client, &devices, &state, &|| false)
                .map_err(|error| error.to_string())?,
            Progress::Saved(_)
        ) {}
        let saved = fs::read_to_string(&config).unwrap();
        Ok(saved.split_once('\n').unwrap().1.to_owned())
    }

    #[test]
    fn what_waits_comes_behind_the_table_and_nothing_else_of_the_config() {
        let folder = Folder::new("save-late");
        let text = "11.0.0.0/8 dev usb0 # late\n12.0.0.0/8 dev usb1\n\nnonsense\n13.0.0.0/8 via 192.0.2.1 dev usb0 metric 5";
        folder.file("routes.conf", text);
        for _ in 0..2 {
            let saved = "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev usb0\n13.0.0.0/8 via 192.0.2.1 dev usb0 metric 5\n";
            assert_eq!(save(&folder, "usb0").as_deref(), Ok(saved));
        }
    }

    #[test]
    fn a_device_that_has_just_come_has_its_routes_added_first() {
        let folder = Folder::new("save-come");
        let text = "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev eth0\n";
        let config = folder.file("routes.conf", text);
        let why = save(&folder, "eth0").unwrap_err();
        assert!(
            why.ends_with("the table is being changed, try again"),
            "{why}"
        );
        assert_eq!(fs::read_to_string(config).unwrap(), text);
    }

    #[test]
    fn nothing_is_saved_without_what_waits_in_a_config_that_cannot_be_read() {
        let folder = Folder::new("save-unread");
        let text = "x".repeat(600) + "\n11.0.0.0/8 dev usb0\n";
        let config = folder.file("routes.conf", &text);
        let why = save(&folder, "usb0").unwrap_err();
        assert!(why.ends_with("a line that is too long"), "{why}");
        assert_eq!(fs::read_to_string(&config).unwrap(), text);
        // One that was deleted has nothing that waits.
        fs::remove_file(config).unwrap();
        assert_eq!(
            save(&folder, "usb0").as_deref(),
            Ok("10.0.0.0/8 dev eth0\n")
        );
    }
}
