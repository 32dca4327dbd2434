// SPDX-License-Identifier: MIT OR Apache-2.0
//! Paths of the configs and of the files in the run folder.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::statfs;

use crate::platform::atomic_file::{MODE, folder, remove, sync_folder};

/// The config of the appliance's owner.
const OWN: &str = "/data/nl31/routes.conf";

/// The config of the image.
const FACTORY: &str = "/etc/nl31/routes.conf";

/// `RAMFS_MAGIC` and `TMPFS_MAGIC` of linux/magic.h.
const MEMORY_FILE_SYSTEMS: [u32; 2] = [0x8584_58f6, 0x0102_1994];

/// Paths of the configs and of the run folder.
#[derive(Clone, Debug)]
pub struct Files {
    /// The config that `save` writes and a boot reads.
    pub config: PathBuf,
    /// The backup copy of the last config that was loaded without a mistake.
    pub good: PathBuf,
    /// The config of the image.
    pub factory: Option<PathBuf>,
    /// Folder for state that lasts until the next boot.
    pub run: PathBuf,
    /// The config is in memory: the appliance's image has no disk, so a reboot loses it.
    pub in_memory: bool,
}

impl Files {
    /// The paths of the appliance, or those of another config.
    pub fn new(config: Option<&Path>, run: &Path) -> Self {
        let own = config.unwrap_or(Path::new(OWN));
        Self {
            config: own.into(),
            good: own.with_extension("good"),
            factory: config.is_none().then(|| FACTORY.into()),
            run: run.into(),
            // A config that the user names may be anywhere.
            in_memory: config.is_none() && is_in_memory(folder(own)),
        }
    }

    /// Whether the next boot finds the config of this path as it is now.
    pub fn outlives_reboot(&self, path: &Path) -> bool {
        !self.in_memory || self.factory.as_deref() == Some(path)
    }

    /// The edits since `begin`.
    pub fn candidate(&self) -> PathBuf {
        self.run.join("candidate")
    }

    /// The undo file of an unconfirmed commit.
    pub fn undo(&self) -> PathBuf {
        self.run.join("undo")
    }

    /// The configured settings, see `settings::file`.
    pub fn settings(&self) -> PathBuf {
        self.run.join("settings")
    }

    /// The folder with the leases of DHCP clients, which root writes, see `lease`.
    pub fn leases(&self) -> PathBuf {
        self.run.with_extension("leases")
    }

    /// The marker of a loaded config, see `LoadedMarker`.
    pub fn loaded_marker(&self) -> PathBuf {
        self.run.join("loaded")
    }

    /// The config that the next boot tries first.
    pub fn saved(&self) -> &Path {
        let candidates = [&self.config, &self.good];
        let own = candidates.into_iter().find(|path| path.exists());
        own.or(self.factory.as_ref().filter(|path| path.exists()))
            .unwrap_or(&self.config)
    }

    /// Calls `each` with the paths of all possible configs.
    pub fn each(&self, each: &mut dyn FnMut(&Path)) {
        let all = [&self.config, &self.good].into_iter().chain(&self.factory);
        all.for_each(|path| each(path));
    }

    /// What is saved, see `ConfigState::is_unsaved`.
    pub fn saved_generation(&self) -> PathBuf {
        self.run.join("saved")
    }

    /// The file that lets the next boot of an appliance reformat the data partition. It is in
    /// the agent's folder, as the top folder of the partition belongs to root.
    fn reset_mark(&self) -> Option<PathBuf> {
        let appliance = self.factory.is_some();
        appliance.then(|| folder(&self.config).join("factory-reset"))
    }

    /// Cancels a requested factory reset, which would delete later saves.
    pub fn cancel_reset(&self) -> io::Result<()> {
        match self.reset_mark().filter(|mark| mark.exists()) {
            Some(mark) => remove(&mark).and_then(|()| sync_folder(&mark)),
            None => Ok(()),
        }
    }

    /// Deletes everything that the owner saved. The reset file is written first: if that fails
    /// nothing is deleted, and after a power cut the next boot completes the reset.
    pub fn forget(&self) -> io::Result<()> {
        if let Some(mark) = self.reset_mark() {
            let mut options = OpenOptions::new();
            options.write(true).create(true).mode(MODE);
            options.open(&mark)?.sync_all()?;
            sync_folder(&mark)?;
        }
        for path in [&self.config, &self.good] {
            remove(path)?;
        }
        match sync_folder(&self.config) {
            // The file did not exist.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced,
        }
    }
}

fn is_in_memory(folder: &Path) -> bool {
    let kind = statfs(folder).map(|found| found.filesystem_type().0 as u32);
    kind.is_ok_and(|kind| MEMORY_FILE_SYSTEMS.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::atomic_file::Replacement;
    use crate::platform::atomic_file::tests::Folder;
    use std::fs;
    use std::io::Write;

    #[test]
    fn the_config_and_the_copy_of_the_last_one_are_written_at_once() {
        let folder = Folder::new("replacement-both");
        let files = Files::new(Some(&folder.0.join("routes.conf")), &folder.0);
        let mut both = [&files.config, &files.good].map(|path| Replacement::create(path).unwrap());
        for (file, text) in both.iter_mut().zip(["own", "good"]) {
            file.write_all(text.as_bytes()).unwrap();
        }
        for file in both {
            file.finish().unwrap();
        }
        assert_eq!(fs::read_to_string(files.config).unwrap(), "own");
        assert_eq!(fs::read_to_string(files.good).unwrap(), "good");
    }

    #[test]
    fn the_saved_config_is_the_owners_or_else_the_factorys() {
        let folder = Folder::new("saved");
        let factory = folder.file("factory.conf", "");
        fs::create_dir(folder.0.join("nl31")).unwrap();
        let files = Files {
            factory: Some(factory.clone()),
            ..Files::new(Some(&folder.0.join("nl31/routes.conf")), &folder.0)
        };
        assert_eq!(files.saved(), factory);
        let good = folder.file("nl31/routes.good", "");
        assert_eq!(files.saved(), good);
        let own = folder.file("nl31/routes.conf", "");
        assert_eq!(files.saved(), own);
        files.forget().unwrap();
        assert_eq!(files.saved(), factory);
        files.forget().unwrap();
        // The next boot reformats the partition, unless a save cancels the reset.
        let mark = folder.0.join("nl31/factory-reset");
        assert!(mark.exists());
        files.cancel_reset().unwrap();
        assert!(!mark.exists());
    }

    #[test]
    fn only_disks_keep_files_over_reboot() {
        assert!(is_in_memory(Path::new("/dev/shm")));
        assert!(!is_in_memory(Path::new("/proc")));
        assert!(!is_in_memory(Path::new("/no/such")));
        let files = Files {
            in_memory: true,
            ..Files::new(None, Path::new("/run/nl31"))
        };
        assert!(files.outlives_reboot(Path::new(FACTORY)));
        assert!(!files.outlives_reboot(Path::new(OWN)));
    }

    #[test]
    fn forget_deletes_nothing_where_the_mark_cannot_be_written() {
        let folder = Folder::new("forget-mark");
        fs::create_dir(folder.0.join("nl31")).unwrap();
        let own = folder.file("nl31/routes.conf", "");
        let files = Files {
            factory: Some(folder.0.join("factory.conf")),
            ..Files::new(Some(&own), &folder.0)
        };
        // A folder of this name makes the write fail, for root too.
        fs::create_dir(folder.0.join("nl31/factory-reset")).unwrap();
        files.forget().unwrap_err();
        assert!(own.exists());
    }
}
