// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state that all sessions of an agent share.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::candidate::confirmed_commit::{self, RolledBack};
use crate::config::locations::Files;
use crate::config::state::ConfigState;

/// How long a reboot waits for answers to be sent.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// The shared state. Only the main thread uses it.
#[derive(Debug)]
pub struct Shared {
    /// The config.
    pub config: ConfigState,
    /// Whether this is the appliance, which may be rebooted.
    pub appliance: bool,
    /// Deadline for confirming a commit, on the clock of [`confirmed_commit::now`].
    pub unconfirmed: Cell<Option<u64>>,
    /// A commit was rolled back, and programs were not told yet.
    pub rolled_back: Cell<Option<RolledBack>>,
    /// Deadline of a requested reboot, which waits for the sessions' output.
    pub reboot: Cell<Option<Instant>>,
}

impl Shared {
    /// The state, with an unconfirmed commit of an earlier agent.
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

    /// Milliseconds left to confirm a commit.
    pub fn left(&self) -> Option<u64> {
        let until = match self.config.resident {
            true => self.unconfirmed.get(),
            // The commit is the resident agent's and can change at any time.
            false => confirmed_commit::until(&self.config.files.undo()),
        };
        Some(until?.saturating_sub(confirmed_commit::now()))
    }

    /// Requests a restart of the machine, after the answer is sent.
    pub fn ask_for_reboot(&self) {
        self.reboot.set(Some(Instant::now() + ANSWER_LIMIT));
    }

    /// Records that a commit was rolled back.
    pub fn rolled_back(&self, done: RolledBack) {
        self.unconfirmed.set(None);
        self.rolled_back.set(Some(done));
    }

    /// Drops an unconfirmed commit without a roll-back: its table was replaced.
    pub fn forget_unconfirmed(&self) -> bool {
        let waited = self.unconfirmed.take().is_some();
        if waited && let Err(error) = confirmed_commit::disarm(&self.config.files.undo()) {
            log::warn!("{}: {error}", self.config.files.undo().display());
        }
        waited
    }
}
