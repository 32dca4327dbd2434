// SPDX-License-Identifier: MIT OR Apache-2.0
//! `save`, `load`, `factory-reset`, and `diff` against the saved config.

use std::path::Path;

use nl31_netlink::{ErrorKind, Mode, Transport};

use super::reply::{And, Reason, count_routes};
use super::session::{Console, Running};
use crate::config::file::{ConfigError, ConfigErrorKind, refuse_empty};
use crate::config::load::Loading;
use crate::config::save::{Progress, SaveError, Saving};
use crate::grammar;
use crate::grammar::codes::{self, Code};

/// A save in progress.
#[derive(Debug)]
pub(super) struct Save {
    saving: Saving,
    /// The save belongs to a `confirm`.
    confirms: bool,
}

impl<T: Transport> Console<T> {
    pub(super) fn start_save(&mut self, confirms: bool) {
        let Some(client) = &mut self.client else {
            return match confirms {
                true => self.confirmed_but(format_args!("{}", ErrorKind::Absent)),
                false => self.absent(),
            };
        };
        match Saving::begin(client, &self.shared.config) {
            Ok(saving) => self.running = Running::Save(Box::new(Save { saving, confirms })),
            Err(error) => self.save_failed(&error, confirms),
        }
    }

    /// Saves further routes; gives `false` if the caller has to wait.
    pub(super) fn save(&mut self, mut save: Box<Save>) -> bool {
        if std::mem::take(&mut self.stop) {
            match save.confirms {
                true => self.confirmed_but(format_args!("stopped")),
                false => self.status(
                    codes::STOPPED,
                    format_args!("stopped; the saved config is unchanged"),
                ),
            }
            return true;
        }
        let Some(client) = &mut self.client else {
            return false;
        };
        match save
            .saving
            .step(client, &*self.devices, &self.shared.config, &|| {
                self.shared.left().is_some()
            }) {
            Ok(Progress::Saved(paths)) => {
                save.saving.record(&self.shared.config);
                let confirmed = if save.confirms { "confirmed and " } else { "" };
                let (code, lost) = match self.shared.config.files.in_memory {
                    true => (codes::IN_MEMORY, " in memory only: a reboot loses them"),
                    false => (codes::DONE, ""),
                };
                self.status(
                    code,
                    format_args!(
                        "{confirmed}saved {}{}{lost}",
                        count_routes(paths),
                        And(save.saving.settings())
                    ),
                );
            }
            Ok(progress) => {
                self.running = Running::Save(save);
                return progress == Progress::Busy;
            }
            Err(error) => self.save_failed(&error, save.confirms),
        }
        true
    }

    fn save_failed(&mut self, error: &SaveError, confirms: bool) {
        let path = self.shared.config.files.config.display().to_string();
        let (code, text) = match error {
            SaveError::Kernel(error) => (Code::of(error), format!("{}", Reason(error))),
            SaveError::Io(error) => (codes::of_io(error), format!("{path}: {error}")),
        };
        log::error!("not saved: {text}");
        match confirms {
            true => self.confirmed_but(format_args!("{text}")),
            false => self.status(code, format_args!("not saved: {text}")),
        }
    }

    /// Ends a `confirm` that has confirmed the commit but not saved it.
    fn confirmed_but(&mut self, why: std::fmt::Arguments<'_>) {
        self.status(
            codes::UNSAVED,
            format_args!("confirmed but not saved: {why}"),
        );
    }

    pub(super) fn start_load(&mut self, line: &str, start: usize) {
        let file = match grammar::one_word(line, start) {
            Ok(file) => file,
            Err(error) => return self.misspelled(line, &error),
        };
        if self.candidate.is_some() {
            let text = format_args!("edits are open: `commit` or `rollback` them first");
            return self.status(codes::LOCKED, text);
        }
        if self.is_unconfirmed() {
            return;
        }
        if self.client.is_none() {
            return self.absent();
        }
        let path = file.map_or(self.shared.config.files.saved(), Path::new);
        let saved = match file {
            Some(_) => Ok(()),
            None => refuse_empty(path),
        };
        match saved.and_then(|()| Loading::open(path, Mode::Replace, &self.shared.config.files)) {
            Ok(loading) => self.running = Running::Load(Box::new(loading)),
            Err(error) => self.config_failed(&error),
        }
    }

    /// Loads further lines.
    pub(super) fn load(&mut self, mut loading: Box<Loading>) {
        let Some(client) = &mut self.client else {
            return;
        };
        if std::mem::take(&mut self.stop) {
            loading.abort(client, &*self.devices);
            return self.status(
                codes::STOPPED,
                format_args!("stopped; the table is unchanged"),
            );
        }
        // Another session has committed since the load began. Its roll-back would put old routes
        // into the new table.
        if self.shared.left().is_some() {
            loading.abort(client, &*self.devices);
            self.is_unconfirmed();
            return;
        }
        match loading.step(client, &*self.devices) {
            Ok(None) => self.running = Running::Load(loading),
            Ok(Some(loaded)) => {
                let files = &self.shared.config.files;
                if loading.path() == files.saved() && files.outlives_reboot(loading.path()) {
                    self.shared.config.set_saved(loading.state());
                }
                if !loading.waiting().is_empty() {
                    self.data(format_args!("* {}", loading.waiting()));
                }
                let path = loading.path().display();
                let routes = count_routes(loaded.added.into());
                log::info!("{path}: {routes} replace the table");
                let passed_over = loading.passed_over();
                if !passed_over.is_empty() {
                    log::warn!("{path}: ignored: {passed_over}");
                }
                let settings = And(loading.settings());
                if !loading.left().is_empty() {
                    let left = loading.left().text();
                    log::error!("{path}: {left}");
                    return self.status(
                        codes::PARTLY,
                        format_args!("loaded {routes}{settings} from {path}, except: {left}"),
                    );
                }
                self.done(
                    passed_over,
                    format_args!("loaded {routes}{settings} from {path}"),
                );
            }
            Err(error) => {
                if !loading.left().is_empty() {
                    let left = loading.left().text();
                    self.data(format_args!("* not restored: {left}"));
                }
                self.config_failed(&error);
            }
        }
    }

    pub(super) fn config_failed(&mut self, error: &ConfigError) {
        let code = match &error.kind {
            ConfigErrorKind::Kernel(error) => Code::of(error),
            ConfigErrorKind::Setting(error) => error.code(),
            _ => codes::FILE,
        };
        self.status(code, format_args!("{error}"));
    }

    pub(super) fn factory_reset(&mut self) {
        match self.shared.config.files.forget() {
            Ok(()) => {
                self.shared.config.set_saved(None);
                log::warn!("the saved config was deleted");
                self.status(codes::DONE, format_args!(
                    "the next boot starts with factory settings; the table is unchanged, and `save` keeps it"
                ));
            }
            Err(error) => {
                let path = self.shared.config.files.config.display().to_string();
                self.status(codes::of_io(&error), format_args!("{path}: {error}"));
            }
        }
    }
}
