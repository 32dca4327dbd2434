// SPDX-License-Identifier: MIT OR Apache-2.0
//! What all sessions of an agent have in common.

use std::cell::Cell;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

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
    /// The whole table was replaced, and what waits for a device does not know yet.
    pub replaced: Cell<bool>,
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
            replaced: Cell::new(false),
            reboot: Cell::new(false),
        }
    }

    /// The table was saved as the config.
    pub fn saved(&self, paths: u64) {
        log::info!("saved {paths} routes to {}", self.files.config.display());
        self.files.keep();
    }

    /// The routes of the config that wait for a device, and so are in no table.
    pub fn late(&self) -> Option<Late> {
        let mark = Mark::read(&self.files.mark())?;
        mark.late.filter(|_| !self.replaced.get())
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

/// Has init reboot the machine, by BusyBox's way to ask for that.
pub fn reboot() -> std::io::Result<()> {
    Ok(kill(Pid::from_raw(1), Signal::SIGTERM)?)
}
