// SPDX-License-Identifier: MIT OR Apache-2.0
//! What all sessions of an agent share of the config: its files, whether the boot still
//! loads it, and which of its routes wait for a device.

use std::cell::{Cell, RefCell};

use super::deferred::{DeferredRoutes, MissingDevices};
use super::locations::Files;
use super::marker::Mark;

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
    /// Another table is there, with what waits for a device in it, and the boot does not
    /// know yet.
    pub replaced: RefCell<Option<Option<DeferredRoutes>>>,
}

impl ConfigState {
    /// Nothing is loaded yet, and nothing waits.
    pub fn new(files: Files, resident: bool) -> Self {
        Self {
            files,
            resident,
            booting: Cell::new(false),
            replaced: RefCell::default(),
        }
    }

    /// The table was saved as the config, with the routes that wait for these devices.
    pub fn saved(&self, paths: u64, deferred: &MissingDevices) {
        if self.resident && !deferred.is_empty() {
            // They are there now, and wherever they were may go.
            self.replace(Some(DeferredRoutes {
                config: self.files.config.clone(),
                devices: deferred.clone(),
            }));
        }
        log::info!("routes saved to {}: {paths}", self.files.config.display());
    }

    /// The routes of the config that wait for a device, and so are in no table.
    pub fn deferred(&self) -> Option<DeferredRoutes> {
        match Mark::read(&self.files.mark()) {
            Some(mark) => mark.deferred,
            None => self.replaced.borrow().clone().flatten(),
        }
    }

    /// Another table is there now, in which this waits for a device.
    pub fn replace(&self, deferred: Option<DeferredRoutes>) {
        let path = self.files.mark();
        if let Some(mark) = Mark::read(&path) {
            // At once, for the next agent and for others: the resident one looks there
            // before it adds what has waited, too.
            let deferred = deferred.clone();
            if let Err(error) = (Mark { deferred, ..mark }).write(&path) {
                log::warn!("{}: {error}", path.display());
            }
        }
        if self.resident {
            *self.replaced.borrow_mut() = Some(deferred);
        }
    }
}
