// SPDX-License-Identifier: MIT OR Apache-2.0
//! Brings the config into the kernel when the agent starts.
//!
//! Its settings are made before its routes are published, and forwarding on ports begins
//! after. Settings of a missing device are made when it comes.
//!
//! The kernel holds the truth. A config is loaded once for each instance of the module:
//! the agent then writes a [`LoadedMarker`]. An agent that finds a marker of this module
//! instance, with a generation that the table has reached, changes nothing: changes since
//! the load persist, however the last agent ended.
//!
//! Routes over a missing device are loaded too: the kernel keeps them, and uses them
//! whenever a device of that name exists.
//!
//! Without a marker (first start, or the last agent was killed before it wrote one) an
//! empty table is filled in one transaction, all or nothing. To a table that has routes,
//! the missing routes are added; the existing ones stay.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nl31_netlink::{Client, Error, Loaded, Mode, Transport};
use nl31_route::PassedOver;

use super::backup::BackupCopy;
use super::file::{self, ConfigError, ConfigErrorKind};
use super::load::Loading;
use super::locations::Files;
use super::marker::LoadedMarker;
use super::settings::error::SettingErrorKind;
use super::waiting::Waiting;
use crate::platform::atomic_file::Replacement;
use crate::platform::devices::Devices;

/// The module's folder in sysfs.
const MODULE: &str = "/sys/module/nl31";

/// The load of a config at boot.
#[derive(Debug)]
pub struct Boot {
    /// In order; the first one that exists and has no mistake is loaded.
    configs: Vec<Config>,
    files: Files,
    marker: PathBuf,
    /// Held while the table is incomplete: another agent must not save it.
    unmarked: Option<Replacement>,
    /// The kernel's folder for the module.
    module: PathBuf,
    state: State,
    /// Configs that were refused.
    refused: usize,
}

#[derive(Debug)]
struct Config {
    path: PathBuf,
    /// Path of its backup copy.
    good: Option<PathBuf>,
    /// The agent writes it.
    saved: bool,
    /// Named explicitly: a missing file is an error.
    asked_for: bool,
}

#[derive(Debug)]
enum State {
    /// The table was not read yet.
    Start,
    /// The config of this index is loaded next, in this mode.
    Next(usize, Mode),
    Loading(usize, Mode, Box<Loading>),
    /// The config is loaded; its backup copy is being made.
    BackingUp(Box<BackupCopy>),
    Done,
}

/// A config that was loaded.
#[derive(Debug)]
pub struct LoadedConfig {
    /// The file.
    pub path: PathBuf,
    /// Its routes.
    pub routes: Loaded,
    /// The number of its settings.
    pub settings: u64,
    /// What waits for missing devices.
    pub waiting: Waiting,
    /// Words of it that were ignored.
    pub passed_over: PassedOver,
    /// Settings that the kernel refused at the end, in words.
    pub left: String,
    /// The table's generation and the revision of the settings directly after the load.
    pub state: Option<(u64, u64)>,
}

/// The result of a step of the boot.
#[derive(Debug)]
pub enum News {
    /// Nothing to report; call again.
    None,
    /// The marker was found; the table has so many paths.
    Kept(u64),
    /// A config was loaded.
    Loaded(Box<LoadedConfig>),
    /// A config was refused; the next one follows.
    Refused(ConfigError),
    /// There is no config, or none that could be loaded.
    Empty,
    /// The kernel failed; the boot starts over when it is called again.
    Failed(Error),
}

impl Boot {
    /// A boot with the configs of `files`.
    pub fn new(files: &Files) -> Self {
        let other = |path: &PathBuf| Config {
            path: path.clone(),
            good: None,
            saved: true,
            asked_for: false,
        };
        let own = Config {
            good: Some(files.good.clone()),
            asked_for: files.factory.is_none(),
            ..other(&files.config)
        };
        let mut configs = vec![own, other(&files.good)];
        configs.extend(files.factory.iter().map(|path| Config {
            saved: false,
            ..other(path)
        }));
        Self {
            configs,
            marker: files.loaded_marker(),
            files: files.clone(),
            unmarked: None,
            module: MODULE.into(),
            state: State::Start,
            refused: 0,
        }
    }

    /// Whether the table is what it is to be.
    pub fn done(&self) -> bool {
        matches!(self.state, State::Done | State::BackingUp(_))
    }

    /// Whether [`Boot::step`] has nothing more to do.
    pub fn ended(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Starts over: the kernel's side is new.
    pub fn restart(&mut self) {
        self.state = State::Start;
        self.refused = 0;
    }

    /// Does a bounded part of the work.
    pub fn step<T: Transport>(&mut self, client: &mut Client<T>, devices: &dyn Devices) -> News {
        match std::mem::replace(&mut self.state, State::Start) {
            State::Start => {
                let table = match client.table() {
                    Ok(table) => table,
                    Err(error) => return News::Failed(error),
                };
                let paths = u64::from(table.paths4) + u64::from(table.paths6);
                let marker = LoadedMarker::read(&self.marker);
                if marker.is_some_and(|marker| {
                    marker.module_instance == self.module_instance()
                        && marker.generation <= table.generation
                }) {
                    self.state = State::Done;
                    return News::Kept(paths);
                }
                // Release the one of an earlier attempt that failed.
                self.unmarked = None;
                self.unmarked = Replacement::create(&self.marker).ok();
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
                    // After a refusal the agent writes no marker, so that the next agent tries again.
                    if self.refused == 0 {
                        self.write_marker(client);
                    }
                    return News::Empty;
                };
                if !config.asked_for && !config.path.exists() {
                    self.state = State::Next(index + 1, mode);
                    return News::None;
                }
                let opened = match config.saved && !config.asked_for {
                    true => file::refuse_empty(&config.path),
                    false => Ok(()),
                };
                match opened.and_then(|()| Loading::open(&config.path, mode, &self.files)) {
                    Ok(loading) => {
                        let loading = Box::new(loading);
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
                    self.write_marker(client);
                    let Config { path, good, .. } = &self.configs[index];
                    let good = good.as_ref().map(|good| BackupCopy::begin(path, good));
                    self.state = match good {
                        Some(backup_copy) => State::BackingUp(Box::new(backup_copy)),
                        None => State::Done,
                    };
                    News::Loaded(Box::new(LoadedConfig {
                        path: path.clone(),
                        routes: loaded,
                        settings: loading.settings(),
                        waiting: loading.waiting().clone(),
                        passed_over: loading.passed_over(),
                        left: loading.left().text().to_owned(),
                        state: loading.state(),
                    }))
                }
                Err(error) if error.is_of_config() => self.refuse(index, mode, error),
                Err(error) => match error.kind {
                    ConfigErrorKind::Kernel(error) => News::Failed(error),
                    ConfigErrorKind::Setting(error) => match error.kind {
                        SettingErrorKind::Kernel(error) => News::Failed(error),
                        SettingErrorKind::Io(error) => News::Failed(error.into()),
                        kind => unreachable!("{kind:?} is of the config"),
                    },
                    _ => self.refuse(index, mode, error),
                },
            },
            State::BackingUp(mut backup_copy) => {
                self.state = match backup_copy.step() {
                    Ok(false) => State::BackingUp(backup_copy),
                    Ok(true) => State::Done,
                    Err(error) => {
                        log::warn!("{}: {error}", backup_copy.good.display());
                        State::Done
                    }
                };
                News::None
            }
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

    fn refuse(&mut self, index: usize, mode: Mode, error: ConfigError) -> News {
        self.refused += 1;
        self.state = State::Next(index + 1, mode);
        News::Refused(error)
    }

    /// Differs for each load of the module, as its folder in sysfs is new then; 0 for a
    /// module that is built in and has no folder.
    fn module_instance(&self) -> u64 {
        self.module.metadata().map_or(0, |folder| folder.ino())
    }

    fn write_marker<T: Transport>(&mut self, client: &mut Client<T>) {
        self.unmarked = None;
        let result = client
            .table()
            .map_err(|error| error.to_string())
            .and_then(|table| {
                let marker = LoadedMarker {
                    generation: table.generation,
                    module_instance: self.module_instance(),
                };
                marker
                    .write(&self.marker)
                    .map_err(|error| error.to_string())
            });
        if let Err(error) = result {
            // The next agent then compares the table with the config.
            log::warn!("{}: {error}", self.marker.display());
        }
    }
}

#[cfg(test)]
mod tests;
