// SPDX-License-Identifier: MIT OR Apache-2.0
//! What all sessions of an agent share of the config: its files, and whether the boot
//! still loads it.

use std::cell::Cell;

use super::locations::Files;

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

    /// The table was saved as the config.
    pub fn saved(&self, paths: u64) {
        log::info!("routes saved to {}: {paths}", self.files.config.display());
    }
}
