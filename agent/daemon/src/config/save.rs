// SPDX-License-Identifier: MIT OR Apache-2.0
//! Saves the configured settings and the running table as the config: a snapshot, read and written a part at a time, so
//! the memory does not grow with the table. The table includes routes that wait for a
//! device, so they are saved too.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use nix::libc;
use nl31_netlink::{Client, Device, Dump, Error, Route, Step, Transport};

use super::saved_form::SavedForm;
use super::state::ConfigState;
use crate::platform::atomic_file::Replacement;
use crate::platform::devices::{Cached, Devices};

/// Routes in one step.
const ROUTES_PER_STEP: usize = 256;
/// Most tries if the table changes too much for a snapshot.
const TRIES: u32 = 5;

/// A save in progress.
#[derive(Debug)]
pub struct Saving {
    file: Option<Replacement>,
    dump: Dump,
    form: SavedForm,
    paths: u64,
    /// The settings that were written, and their revision.
    settings: u64,
    revision: u64,
    tries: u32,
}

/// Why a save failed. The old file is intact.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The kernel failed.
    #[error("{}", .0.kind)]
    Kernel(#[from] Error),
    /// The file failed.
    #[error("the config cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// The result of a step of a save.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    Busy,
    /// Wait for the kernel's next part.
    Waiting,
    /// So many paths are saved.
    Saved(u64),
}

impl Saving {
    /// Begins a save as the config.
    pub fn begin<T: Transport>(
        client: &mut Client<T>,
        state: &ConfigState,
    ) -> Result<Self, SaveError> {
        if !state.resident
            && let Err(error) = Replacement::create(&state.files.loaded_marker())
            && error.kind() == io::ErrorKind::ResourceBusy
        {
            // The resident agent is loading the config.
            return Err(busy());
        }
        let mut file = Replacement::create(&state.files.config)?;
        writeln!(file, "# saved by nl31-agent {}", env!("CARGO_PKG_VERSION"))?;
        let configured = state.configured()?;
        let settings = configured.settings.all();
        for setting in settings {
            writeln!(file, "{setting}")?;
        }
        Ok(Self {
            settings: settings.len() as u64,
            revision: configured.revision,
            file: Some(file),
            dump: client.snapshot()?,
            form: SavedForm::default(),
            paths: 0,
            tries: 1,
        })
    }

    /// Paths written so far.
    pub fn paths(&self) -> u64 {
        self.paths
    }

    /// Settings written.
    pub fn settings(&self) -> u64 {
        self.settings
    }

    /// The save is complete: records what is saved. What is in memory only still counts as
    /// unsaved: a reboot loses it.
    pub fn record(&self, state: &ConfigState) {
        if state.files.outlives_reboot(&state.files.config) {
            let generation = self.dump.generation();
            state.set_saved(generation.map(|generation| (generation, self.revision)));
        }
        let path = state.files.config.display();
        log::info!("routes saved to {path}: {}", self.paths);
    }

    /// Saves a part. An error ends the save. `unconfirmed`: whether a commit waits for its
    /// confirmation.
    pub fn step<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &dyn Devices,
        state: &ConfigState,
        unconfirmed: &dyn Fn() -> bool,
    ) -> Result<Progress, SaveError> {
        let mut devices = Cached::new(devices);
        for _ in 0..ROUTES_PER_STEP {
            match client.poll_next(&mut self.dump) {
                Ok(Step::Route(route, _)) => self.write(route, &mut devices)?,
                Ok(Step::Pending) => return Ok(Progress::Waiting),
                Ok(Step::End { interrupted: false }) => {
                    state.files.cancel_reset()?;
                    self.file.take().map_or(Ok(()), Replacement::finish)?;
                    return Ok(Progress::Saved(self.paths));
                }
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

    fn write(&mut self, route: Route<Device>, devices: &mut Cached<'_>) -> io::Result<()> {
        let Some(route) = self.form.next(route, devices) else {
            return Ok(());
        };
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
        // The table may hold a commit that is not confirmed yet.
        if self.tries == TRIES || unconfirmed() {
            return Err(error.map_or_else(busy, SaveError::Kernel));
        }
        // Both use the same temporary name.
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
    use crate::config::load::Loading;
    use crate::config::locations::Files;
    use crate::platform::atomic_file::tests::Folder;
    use crate::platform::devices::tests::TestDevices;
    use nl31_netlink::{Add, FakeDevice, FakeKernel, Mode};
    use nl31_route::DeviceName;
    use std::fs;
    use std::time::Duration;

    /// Saves the table; gives what is below the first line of the file.
    fn save(client: &mut Client<FakeKernel>, state: &ConfigState) -> String {
        let mut saving = Saving::begin(client, state).unwrap();
        let devices = TestDevices::default();
        loop {
            let progress = saving.step(client, &devices, state, &|| false).unwrap();
            if matches!(progress, Progress::Saved(_)) {
                break;
            }
        }
        let saved = fs::read_to_string(&state.files.config).unwrap();
        saved.split_once('\n').unwrap().1.to_owned()
    }

    #[test]
    fn a_route_whose_device_goes_is_saved_and_works_again_when_it_comes_back() {
        let folder = Folder::new("save-waits");
        let text = "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev usb0\n";
        let config = folder.file("routes.conf", text);
        let files = Files::new(Some(&config), &folder.0.join("run"));
        let state = ConfigState::new(files, true);
        let mut client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
        let mut loading = Loading::open(&config, Mode::Transaction, &state.files).unwrap();
        while loading
            .step(&mut client, &TestDevices::default())
            .unwrap()
            .is_none()
        {}
        assert_eq!(save(&mut client, &state), text);
        client.transport().unplug("eth0");
        let address = "10.0.0.1".parse().unwrap();
        client.lookup(address).unwrap_err();
        assert_eq!(save(&mut client, &state), text);
        for (index, name) in [(7, "eth0"), (8, "usb0")] {
            let device = FakeDevice::new(index, name);
            client.transport().devices.push(device);
        }
        assert_eq!(
            client.lookup(address).unwrap().to_string(),
            "10.0.0.0/8 dev eth0"
        );
        client.lookup("11.0.0.1".parse().unwrap()).unwrap();
        assert_eq!(save(&mut client, &state), text);
    }

    #[test]
    fn a_change_during_a_save_is_unsaved_unless_the_snapshot_has_it() {
        let folder = Folder::new("save-change");
        let files = Files::new(Some(&folder.0.join("routes.conf")), &folder.0.join("run"));
        fs::create_dir(&files.run).unwrap();
        let state = ConfigState::new(files, true);
        let mut client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
        let route = |text: &str| {
            let route: Route<DeviceName> = text.parse().unwrap();
            route.map_device(Device::Name)
        };
        let unsaved = |client: &mut Client<FakeKernel>| {
            let generation = client.table().unwrap().generation;
            state.is_unsaved(generation)
        };
        let devices = TestDevices::default();
        let run = |client: &mut Client<FakeKernel>, late: Option<&str>| {
            let mut saving = Saving::begin(client, &state).unwrap();
            if let Some(late) = late {
                client.add(Add::Append, &route(late)).unwrap();
            }
            while saving.step(client, &devices, &state, &|| false).unwrap() == Progress::Busy {}
            saving.record(&state);
        };
        run(&mut client, None);
        assert!(!unsaved(&mut client), "the table is empty");
        run(&mut client, Some("10.0.0.0/8 dev eth0"));
        assert!(unsaved(&mut client), "the snapshot was empty");
        client.transport().change_between = Some(route("11.0.0.0/8 dev eth0"));
        run(&mut client, None);
        assert!(!unsaved(&mut client), "the snapshot has the change");
        run(&mut client, Some("12.0.0.0/8 dev eth0"));
        assert!(unsaved(&mut client));
    }

    #[test]
    fn a_path_over_an_index_is_saved_by_name_and_once() {
        let folder = Folder::new("save-index");
        let files = Files::new(Some(&folder.0.join("routes.conf")), &folder.0.join("run"));
        let state = ConfigState::new(files, true);
        let mut client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
        let route: Route<DeviceName> = "10.0.0.0/8 dev eth0".parse().unwrap();
        for device in [Device::Index(2), Device::Name("eth0".parse().unwrap())] {
            let route = route.clone().map_device(|_| device);
            client.add(Add::Append, &route).unwrap();
        }
        assert_eq!(client.transport().routes().len(), 2);
        assert_eq!(save(&mut client, &state), "10.0.0.0/8 dev eth0\n");
    }
}
