// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state of the config that all sessions of an agent share.

use std::cell::Cell;
use std::fs;
use std::io;

use super::locations::Files;
use super::settings::file::Configured;
use crate::grammar::HostName;
use crate::platform::atomic_file::{remove, write_whole};

/// The shared state. Only the main thread uses it.
#[derive(Debug)]
pub struct ConfigState {
    /// The files.
    pub files: Files,
    /// Whether this is the resident agent, which can roll a commit back later; another agent
    /// ends with its input.
    pub resident: bool,
    /// The config is not loaded yet, so the table must not be saved.
    pub booting: Cell<bool>,
}

impl ConfigState {
    /// Nothing is loaded yet.
    pub fn new(files: Files, resident: bool) -> Self {
        Self {
            files,
            resident,
            booting: Cell::new(false),
        }
    }

    /// The configured settings.
    pub fn configured(&self) -> io::Result<Configured> {
        Configured::read(&self.files.settings())
    }

    /// The configured name of this host.
    pub fn host_name(&self) -> Option<HostName> {
        self.configured().ok()?.settings.host_name().cloned()
    }

    /// Records that the next boot loads the table of this generation and the settings of this
    /// revision; `None` if unknown.
    pub fn set_saved(&self, saved: Option<(u64, u64)>) {
        let path = self.files.saved_generation();
        let written = match saved {
            Some((generation, revision)) => {
                write_whole(&path, &mut format!("{generation} {revision}").as_bytes())
            }
            None => remove(&path),
        };
        if let Err(error) = written {
            log::warn!("{}: {error}", path.display());
        }
    }

    /// Keeps what is saved so when a change that no config has takes the table from one
    /// generation to another.
    pub fn follow(&self, before: u64, after: u64) {
        let saved = fs::read_to_string(self.files.saved_generation()).ok();
        let saved = saved.as_ref().and_then(|text| text.trim().split_once(' '));
        if let Some((table, revision)) = saved
            && table.parse() == Ok(before)
            && let Ok(revision) = revision.parse()
        {
            self.set_saved(Some((after, revision)));
        }
    }

    /// Whether the settings, or a table of this generation, have changes that a reboot loses.
    /// `false` where nothing was loaded or saved, or the user deleted the saved config.
    pub fn is_unsaved(&self, generation: u64) -> bool {
        let saved = fs::read_to_string(self.files.saved_generation()).ok();
        let saved = saved.as_ref().and_then(|text| text.trim().split_once(' '));
        let Some((table, revision)) = saved else {
            return false;
        };
        let differs = |saved: &str, now: u64| saved.parse().is_ok_and(|saved: u64| saved != now);
        differs(table, generation)
            || self
                .configured()
                .is_ok_and(|configured| differs(revision, configured.revision))
    }
}
