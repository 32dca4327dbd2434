// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mark in `/run`, which a reboot empties: the config was loaded into this
//! kernel's table, and routes over these devices wait for them.
//!
//! Lines of text: the table's generation and the module's life, the config, and a name
//! for each device; the last two only where there are such.

use std::fs;
use std::io;
use std::path::Path;

use super::deferred::{DeferredRoutes, MISSING_DEVICES_MAX};
use crate::platform::atomic_file::write_whole;

/// See the module.
#[derive(Debug)]
pub struct Mark {
    /// Of the table when it was left.
    pub generation: u64,
    /// The module's, see `Boot`.
    pub life: u64,
    /// What waits.
    pub deferred: Option<DeferredRoutes>,
}

impl Mark {
    /// The one that was left, if it was.
    pub fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let mut lines = text.lines();
        let (generation, life) = lines.next()?.split_once(' ')?;
        let config = lines.next();
        Some(Self {
            generation: generation.parse().ok()?,
            life: life.parse().ok()?,
            deferred: config.map(|config| DeferredRoutes {
                config: config.into(),
                devices: lines
                    .filter_map(|name| name.parse().ok())
                    .take(MISSING_DEVICES_MAX)
                    .collect(),
            }),
        })
    }

    /// Leaves it.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = format!("{} {}\n", self.generation, self.life);
        if let Some(deferred) = &self.deferred {
            text += &format!("{}\n", deferred.config.display());
            deferred
                .devices
                .iter()
                .for_each(|name| text += &format!("{name}\n"));
        }
        write_whole(path, &mut text.as_bytes())
    }
}
