// SPDX-License-Identifier: MIT OR Apache-2.0
//! Brings the config into the kernel when the agent starts.
//!
//! The kernel holds the truth. A config is loaded once for each life of the
//! kernel's table: the agent then leaves a [`Mark`]. An agent that finds its mark,
//! and that table no younger than it, changes nothing: what was added or deleted on
//! the console since then stays so, however the last agent ended.
//!
//! Routes over a device that is not there are loaded too: the kernel keeps them, and uses
//! them whenever there is a device of that name.
//!
//! Without the mark (first start, or the last agent was killed before it could
//! leave one) an empty table is filled in one transaction, all or nothing. Into a
//! table that is not empty the routes that are missing are added, and no others
//! are touched.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nl31_netlink::{Client, Error, Loaded, Mode, Transport};
use nl31_route::PassedOver;

use super::backup::Keeping;
use super::file::{self, ConfigError, ConfigErrorKind};
use super::load::Loading;
use super::locations::Files;
use super::marker::Mark;
use super::waiting::Waiting;
use crate::platform::atomic_file::Replacement;
use crate::platform::devices::Devices;

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
}

#[derive(Debug)]
struct Config {
    path: PathBuf,
    /// Where a copy of it is kept once it was loaded.
    good: Option<PathBuf>,
    /// The agent writes it.
    saved: bool,
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
    Done,
}

/// What a step of the boot has to tell.
#[derive(Debug)]
pub enum News {
    /// Nothing; there is more to do.
    None,
    /// The mark was there; the table has so many paths.
    Kept(u64),
    /// A config was loaded, with routes whose devices are not there; and these of its words
    /// passed over.
    Loaded(PathBuf, Loaded, Waiting, PassedOver),
    /// A config was refused; the next one is tried.
    Refused(ConfigError),
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
            mark: files.mark(),
            unmarked: None,
            module: MODULE.into(),
            state: State::Start,
            refused: 0,
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
                if mark.is_some_and(|mark| {
                    mark.life == self.life() && mark.generation <= table.generation
                }) {
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
                let opened = match config.saved && !config.asked_for {
                    true => file::refuse_empty(&config.path),
                    false => Ok(()),
                };
                match opened.and_then(|()| Loading::open(&config.path, mode)) {
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
                    self.leave_mark(client);
                    let Config { path, good, .. } = &self.configs[index];
                    let good = good.as_ref().map(|good| Keeping::begin(path, good));
                    self.state = match good {
                        Some(keeping) => State::Keeping(Box::new(keeping)),
                        None => State::Done,
                    };
                    let waiting = loading.waiting().clone();
                    News::Loaded(path.clone(), loaded, waiting, loading.passed_over())
                }
                Err(error) if error.is_of_config() => self.refuse(index, mode, error),
                Err(error) => match error.kind {
                    ConfigErrorKind::Kernel(error) => News::Failed(error),
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
                };
                mark.write(&self.mark).map_err(|error| error.to_string())
            });
        if let Err(error) = result {
            // The next agent then compares the table with the config.
            log::warn!("{}: {error}", self.mark.display());
        }
    }
}

#[cfg(test)]
mod tests;
