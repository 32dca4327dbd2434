// SPDX-License-Identifier: MIT OR Apache-2.0
//! What all sessions of an agent have in common.

use std::cell::{Cell, RefCell};

use crate::config::Absent;
use crate::files::Files;
use crate::mark::{Late, Mark};
use crate::undo::{self, RolledBack};

/// See the module. Everything happens on the main thread.
#[derive(Debug)]
pub struct Shared {
    /// Where things are.
    pub files: Files,
    /// Whether this agent stays, so that it can take a commit back later; another one
    /// ends with its input.
    pub resident: bool,
    /// Whether this is the appliance, which may be rebooted.
    pub appliance: bool,
    /// Until when a commit may be confirmed here, by [`undo::now`].
    pub unconfirmed: Cell<Option<u64>>,
    /// One was taken back, and programs do not know yet.
    pub rolled_back: Cell<Option<RolledBack>>,
    /// The config is not loaded yet, and the table not what is to be saved.
    pub booting: Cell<bool>,
    /// Another table is there, with what waits for a device in it, and the boot does not
    /// know yet.
    pub replaced: RefCell<Option<Option<Late>>>,
    /// A reboot was asked for.
    pub reboot: Cell<bool>,
}

impl Shared {
    /// With a commit that waits for its confirmation since an agent before.
    pub fn new(files: Files, resident: bool, appliance: bool) -> Self {
        let unconfirmed = if resident {
            undo::until(&files.undo())
        } else {
            None
        };
        Self {
            files,
            resident,
            appliance,
            unconfirmed: Cell::new(unconfirmed),
            rolled_back: Cell::new(None),
            booting: Cell::new(false),
            replaced: RefCell::default(),
            reboot: Cell::new(false),
        }
    }

    /// The table was saved as the config, with the routes that wait for these devices.
    pub fn saved(&self, paths: u64, late: &Absent) {
        if self.resident && !late.is_empty() {
            // They are there now, and wherever they were may go.
            self.replace(Some(Late {
                config: self.files.config.clone(),
                devices: late.clone(),
            }));
        }
        log::info!("saved {paths} routes to {}", self.files.config.display());
    }

    /// The routes of the config that wait for a device, and so are in no table.
    pub fn late(&self) -> Option<Late> {
        match Mark::read(&self.files.mark()) {
            Some(mark) => mark.late,
            None => self.replaced.borrow().clone().flatten(),
        }
    }

    /// Another table is there now, in which this waits for a device.
    pub fn replace(&self, late: Option<Late>) {
        let path = self.files.mark();
        if let Some(mark) = Mark::read(&path) {
            // At once, for the next agent and for others: the resident one looks there
            // before it adds what has waited, too.
            let late = late.clone();
            if let Err(error) = (Mark { late, ..mark }).write(&path) {
                log::warn!("{}: {error}", path.display());
            }
        }
        if self.resident {
            *self.replaced.borrow_mut() = Some(late);
        }
    }

    /// Milliseconds that are left to confirm a commit.
    pub fn left(&self) -> Option<u64> {
        let until = match self.resident {
            true => self.unconfirmed.get(),
            // It is the resident agent's, and can come and go.
            false => undo::until(&self.files.undo()),
        };
        Some(until?.saturating_sub(undo::now()))
    }

    /// A commit was taken back.
    pub fn rolled_back(&self, done: RolledBack) {
        self.unconfirmed.set(None);
        self.rolled_back.set(Some(done));
    }

    /// A commit stays although it was not confirmed: another table is there now.
    pub fn forget_unconfirmed(&self) -> bool {
        let waited = self.unconfirmed.take().is_some();
        if waited && let Err(error) = undo::disarm(&self.files.undo()) {
            log::warn!("{}: {error}", self.files.undo().display());
        }
        waited
    }
}
