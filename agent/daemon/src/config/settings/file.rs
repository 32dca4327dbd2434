// SPDX-License-Identifier: MIT OR Apache-2.0
//! The file in the run folder with the configured settings. It outlives a killed agent, and a
//! reboot empties the folder.
//!
//! ```text
//! revision 3
//! applied eth0 2
//! port set eth0 urpf strict
//! ```
//!
//! The revision counts changes. `applied` names a device whose settings the kernel has, with
//! the index that it has had then: a device that was away and came back has another one.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use nl31_route::DeviceName;

use super::Settings;
use crate::grammar::{Setting, SettingChange, setting};
use crate::platform::atomic_file::Replacement;

const REVISION: &str = "revision ";
const APPLIED: &str = "applied ";

/// Most bytes of the file; the limits of settings keep it below.
const BYTES_MAX: u64 = 256 * 1024;

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// The settings.
    pub settings: Settings,
    /// Number of changes so far.
    pub revision: u64,
    /// Devices whose settings the kernel has, and their indices.
    pub(super) applied: Vec<(DeviceName, u32)>,
}

impl Configured {
    /// Reads the file; a missing one is empty.
    pub fn read(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            file => file?,
        };
        let mut text = String::new();
        file.take(BYTES_MAX).read_to_string(&mut text)?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the file is damaged");
        let mut configured = Self::default();
        for line in text.lines() {
            if let Some(revision) = line.strip_prefix(REVISION) {
                configured.revision = revision.parse().map_err(|_| damaged())?;
            } else if let Some(applied) = line.strip_prefix(APPLIED) {
                let (name, index) = applied.split_once(' ').ok_or_else(damaged)?;
                let name = name.parse().map_err(|_| damaged())?;
                configured.set_applied(&name, Some(index.parse().map_err(|_| damaged())?));
            } else {
                let setting = setting(line).ok().flatten().ok_or_else(damaged)?;
                let change = SettingChange::make(setting);
                configured.settings.change(&change).map_err(|_| damaged())?;
            }
        }
        Ok(configured)
    }

    /// Index of a device whose settings the kernel has.
    pub(super) fn applied(&self, name: &DeviceName) -> Option<u32> {
        let found = self.applied.iter().find(|(other, _)| other == name);
        found.map(|(_, index)| *index)
    }

    pub(super) fn set_applied(&mut self, name: &DeviceName, index: Option<u32>) {
        self.applied.retain(|(other, _)| other != name);
        self.applied
            .extend(index.map(|index| (name.clone(), index)));
    }

    /// The devices whose arrival has settings made, each once.
    pub(super) fn devices(&self) -> Vec<DeviceName> {
        let mut devices = Vec::<DeviceName>::new();
        for device in self.settings.all().iter().filter_map(Setting::arrives_with) {
            if !devices.contains(device) {
                devices.push(device.clone());
            }
        }
        devices
    }

    fn write(&self, file: &mut Replacement) -> io::Result<()> {
        writeln!(file, "{REVISION}{}", self.revision)?;
        for (name, index) in &self.applied {
            writeln!(file, "{APPLIED}{name} {index}")?;
        }
        let mut settings = self.settings.all().iter();
        settings.try_for_each(|setting| writeln!(file, "{setting}"))
    }
}

/// The file while one session changes it; others are refused meanwhile.
#[derive(Debug)]
pub struct Locked {
    file: Replacement,
    /// The content as it is to become.
    pub configured: Configured,
}

impl Locked {
    /// Locks and reads the file. `ResourceBusy`: another session changes it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = Replacement::create(path)?;
        Ok(Self {
            file,
            configured: Configured::read(path)?,
        })
    }

    /// Writes the content; [`Locked::finish`] puts it into place.
    pub fn write(&mut self) -> io::Result<()> {
        // A device without settings needs no entry.
        let devices = self.configured.devices();
        self.configured
            .applied
            .retain(|(name, _)| devices.contains(name));
        self.configured.write(&mut self.file)?;
        self.file.flush()
    }

    /// Puts the file into place.
    pub fn finish(self) -> io::Result<()> {
        self.file.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::atomic_file::tests::Folder;

    #[test]
    fn content_is_read_as_written() {
        let folder = Folder::new("settings-file");
        let path = folder.0.join("settings");
        assert_eq!(Configured::read(&path).unwrap(), Configured::default());
        let mut locked = Locked::open(&path).unwrap();
        let busy = Locked::open(&path).unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::ResourceBusy);
        let port = setting("port set eth0 urpf loose").unwrap().unwrap();
        let content = &mut locked.configured;
        content.settings.change(&SettingChange::make(port)).unwrap();
        content.revision = 7;
        content.set_applied(&"eth0".parse().unwrap(), Some(2));
        content.set_applied(&"gone".parse().unwrap(), Some(3));
        locked.write().unwrap();
        locked.finish().unwrap();
        let read = Configured::read(&path).unwrap();
        assert_eq!((read.revision, read.settings.all().len()), (7, 1));
        assert_eq!(read.applied(&"eth0".parse().unwrap()), Some(2));
        assert_eq!(read.applied(&"gone".parse().unwrap()), None);
        folder.file("settings", "revision 1\nport sat eth0\n");
        assert!(Configured::read(&path).is_err());
    }
}
