// SPDX-License-Identifier: MIT OR Apache-2.0
//! What all sessions of an agent share of the config: its files, and whether the boot
//! still loads it.

use std::cell::Cell;
use std::fs;

use super::locations::Files;
use crate::platform::atomic_file::{remove, write_whole};

/// See the module. Everything happens on the main thread.
#[derive(Debug)]
pub struct ConfigState {
    /// Where things are.
    pub files: Files,
    /// Whether this agent stays, so that it can take a commit back later; another one
    /// ends with its input.
    pub resident: bool,
    /// The config is not loaded yet, and the table not what is to be saved.
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

    /// The table of this generation is what the next boot begins with; `None` if that is not
    /// known any more.
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

    /// Whether a table of this generation has changes that a reboot loses. Not where nothing
    /// was loaded or saved, or the saved config was deleted on purpose.
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
