// SPDX-License-Identifier: MIT OR Apache-2.0
//! Follows the leases of DHCP clients, which root's service leaves in files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nl31_netlink::Error;

use super::agent::Agent;
use crate::config::learnt::Learnt;
use crate::frames::host::{Host, System};
use crate::platform::devices::SystemDevices;

/// Between two looks at the files.
const INTERVAL: Duration = Duration::from_secs(1);

/// Between two looks at the settings, which another agent may change.
const IDLE: Duration = Duration::from_secs(5);

/// When to look next.
pub(super) struct Leases {
    learnt: Learnt,
    at: Instant,
    /// Inode of the file with the settings, which each change replaces.
    settings: Option<u64>,
    failed: Option<String>,
}

impl Leases {
    /// The first look is due at once.
    pub(super) fn new() -> Self {
        Self {
            learnt: Learnt::default(),
            at: Instant::now(),
            settings: None,
            failed: None,
        }
    }
}

impl Agent {
    /// Makes what has been leased, when the config is loaded.
    pub(super) fn renew_leases(&mut self) {
        let ready = self.console.attached() && !self.console.booting();
        let Some(leases) = self.leases.as_mut().filter(|_| ready) else {
            return;
        };
        let settings = fs::metadata(self.shared.config.files.settings());
        let settings = settings.map(|file| file.ino()).ok();
        if leases.at > Instant::now() && leases.settings == settings {
            return;
        }
        leases.settings = settings;
        // A new client: the console's may be in the middle of a list.
        let host = System(Rc::clone(&self.shared));
        let renewed = host.connect().and_then(|mut client| {
            let state = &self.shared.config;
            leases.learnt.renew(&mut client, &SystemDevices, state)
        });
        let interval = match &renewed {
            Ok(false) => IDLE,
            _ => INTERVAL,
        };
        leases.at = Instant::now() + interval;
        let failed = renewed.err().as_ref().map(Error::to_string);
        if leases.failed != failed
            && let Some(failed) = &failed
        {
            log::warn!("DHCP: leases are not made yet: {failed}");
        }
        leases.failed = failed;
    }

    /// When to look next.
    pub(super) fn leases_due(&self) -> Option<Instant> {
        self.leases.as_ref().map(|leases| leases.at)
    }
}
