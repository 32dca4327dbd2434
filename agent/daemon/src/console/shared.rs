// SPDX-License-Identifier: MIT OR Apache-2.0
//! What all sessions of an agent have in common.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::candidate::confirmed_commit::{self, RolledBack};
use crate::config::locations::Files;
use crate::config::state::ConfigState;

/// How long a reboot waits for answers that terminals and programs do not take.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// See the module. Everything happens on the main thread.
#[derive(Debug)]
pub struct Shared {
    /// The config.
    pub config: ConfigState,
    /// Whether this is the appliance, which may be rebooted.
    pub appliance: bool,
    /// Until when a commit may be confirmed here, by [`confirmed_commit::now`].
    pub unconfirmed: Cell<Option<u64>>,
    /// One was taken back, and programs do not know yet.
    pub rolled_back: Cell<Option<RolledBack>>,
    /// A session asked for a reboot, which waits for the sessions' output until then at most.
    pub reboot: Cell<Option<Instant>>,
}

impl Shared {
    /// With a commit that waits for its confirmation since an agent before.
    pub fn new(files: Files, resident: bool, appliance: bool) -> Self {
        let unconfirmed = if resident {
            confirmed_commit::until(&files.undo())
        } else {
            None
        };
        Self {
            config: ConfigState::new(files, resident),
            appliance,
            unconfirmed: Cell::new(unconfirmed),
            rolled_back: Cell::new(None),
            reboot: Cell::new(None),
        }
    }

    /// Milliseconds that are left to confirm a commit.
    pub fn left(&self) -> Option<u64> {
        let until = match self.config.resident {
            true => self.unconfirmed.get(),
            // It is the resident agent's, and can come and go.
            false => confirmed_commit::until(&self.config.files.undo()),
        };
        Some(until?.saturating_sub(confirmed_commit::now()))
    }

    /// Has the agent restart the machine once the answer is sent.
    pub fn ask_for_reboot(&self) {
        self.reboot.set(Some(Instant::now() + ANSWER_LIMIT));
    }

    /// A commit was taken back.
    pub fn rolled_back(&self, done: RolledBack) {
        self.unconfirmed.set(None);
        self.rolled_back.set(Some(done));
    }

    /// A commit stays although it was not confirmed: another table is there now.
    pub fn forget_unconfirmed(&self) -> bool {
        let waited = self.unconfirmed.take().is_some();
        if waited && let Err(error) = confirmed_commit::disarm(&self.config.files.undo()) {
            log::warn!("{}: {error}", self.config.files.undo().display());
        }
        waited
    }
}
