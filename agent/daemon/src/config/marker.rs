// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mark in `/run`, which a reboot empties: the config was loaded into this
//! kernel's table.
//!
//! A line of text: the table's generation and the module's life.

use std::fs;
use std::io;
use std::path::Path;

use crate::platform::atomic_file::write_whole;

/// See the module.
#[derive(Debug)]
pub struct Mark {
    /// Of the table when it was left.
    pub generation: u64,
    /// The module's, see `Boot`.
    pub life: u64,
}

impl Mark {
    /// The one that was left, if it was.
    pub fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (generation, life) = text.lines().next()?.split_once(' ')?;
        Some(Self {
            generation: generation.parse().ok()?,
            life: life.parse().ok()?,
        })
    }

    /// Leaves it.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = format!("{} {}\n", self.generation, self.life);
        write_whole(path, &mut text.as_bytes())
    }
}
