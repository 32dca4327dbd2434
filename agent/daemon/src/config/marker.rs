// SPDX-License-Identifier: MIT OR Apache-2.0
//! The marker file in `/run`, which a reboot empties. It says that the config was loaded
//! into the table of this module instance.
//!
//! One line of text: the table's generation and the module instance.

use std::fs;
use std::io;
use std::path::Path;

use crate::platform::atomic_file::write_whole;

/// The content of the marker file.
#[derive(Debug)]
pub struct LoadedMarker {
    /// The table's generation when the marker was written.
    pub generation: u64,
    /// The module instance, see `Boot`.
    pub module_instance: u64,
}

impl LoadedMarker {
    /// Reads the marker; `None` where there is none or it is damaged.
    pub fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (generation, module_instance) = text.lines().next()?.split_once(' ')?;
        Some(Self {
            generation: generation.parse().ok()?,
            module_instance: module_instance.parse().ok()?,
        })
    }

    /// Replaces the file atomically.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = format!("{} {}\n", self.generation, self.module_instance);
        write_whole(path, &mut text.as_bytes())
    }
}
