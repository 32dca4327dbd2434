// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state of the config that all sessions of an agent share.

use std::cell::Cell;
use std::fs;

use super::locations::Files;
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

    /// Records the generation of the table that the next boot loads; `None` if unknown.
    pub fn set_saved(&self, generation: Option<u64>) {
        let path = self.files.saved_generation();
        let written = match generation {
            Some(generation) => write_whole(&path, &mut generation.to_string().as_bytes()),
            None => remove(&path),
        };
        if let Err(error) = written {
            log::warn!("{}: {error}", path.display());
        }
    }

    /// Whether a table of this generation has changes that a reboot loses. `false` where nothing
    /// was loaded or saved, or the user deleted the saved config.
    pub fn is_unsaved(&self, generation: u64) -> bool {
        let saved = fs::read_to_string(self.files.saved_generation()).ok();
        let saved = saved.and_then(|text| text.trim().parse::<u64>().ok());
        saved.is_some_and(|saved| saved != generation)
    }

    /// The table of this generation was saved as the config.
    pub fn saved(&self, paths: u64, generation: u64) {
        self.set_saved(Some(generation));
        log::info!("routes saved to {}: {paths}", self.files.config.display());
    }
}
