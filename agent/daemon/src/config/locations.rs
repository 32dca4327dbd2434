// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the config and the files of the run folder are.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::platform::atomic_file::{MODE, folder, remove, sync_folder};

/// The config that the appliance's owner made.
const OWN: &str = "/data/nl31/routes.conf";

/// The config that the image came with.
const FACTORY: &str = "/etc/nl31/routes.conf";

/// Where things are.
#[derive(Clone, Debug)]
pub struct Files {
    /// The config that `save` writes and a boot reads.
    pub config: PathBuf,
    /// A copy of the last one that was loaded without a mistake.
    pub good: PathBuf,
    /// The config of the image.
    pub factory: Option<PathBuf>,
    /// Folder for what lasts until the next boot.
    pub run: PathBuf,
}

impl Files {
    /// Those of the appliance, or of a config of its own.
    pub fn new(config: Option<&Path>, run: &Path) -> Self {
        let own = config.unwrap_or(Path::new(OWN));
        Self {
            config: own.into(),
            good: own.with_extension("good"),
            factory: config.is_none().then(|| FACTORY.into()),
            run: run.into(),
        }
    }

    /// The edits since `begin`.
    pub fn candidate(&self) -> PathBuf {
        self.run.join("candidate")
    }

    /// What takes a commit back that is not confirmed.
    pub fn undo(&self) -> PathBuf {
        self.run.join("undo")
    }

    /// Says that the config was loaded into this kernel's table.
    pub fn loaded_marker(&self) -> PathBuf {
        self.run.join("loaded")
    }

    /// The config that the next boot begins with, unless it has a mistake.
    pub fn saved(&self) -> &Path {
        let candidates = [&self.config, &self.good];
        let own = candidates.into_iter().find(|path| path.exists());
        own.or(self.factory.as_ref().filter(|path| path.exists()))
            .unwrap_or(&self.config)
    }

    /// Calls `each` with the configs that there may be.
    pub fn each(&self, each: &mut dyn FnMut(&Path)) {
        let all = [&self.config, &self.good].into_iter().chain(&self.factory);
        all.for_each(|path| each(path));
    }

    /// The table's generation that is saved, see `ConfigState::is_unsaved`.
    pub fn saved_generation(&self) -> PathBuf {
        self.run.join("saved")
    }

    /// Has the next boot make the data partition anew, on an appliance. In the agent's own
    /// folder: the partition's top folder is root's.
    fn reset_mark(&self) -> Option<PathBuf> {
        let appliance = self.factory.is_some();
        appliance.then(|| folder(&self.config).join("factory-reset"))
    }

    /// Takes back a factory reset that was asked for: it would delete what is saved from
    /// here on.
    pub fn cancel_reset(&self) -> io::Result<()> {
        match self.reset_mark().filter(|mark| mark.exists()) {
            Some(mark) => remove(&mark).and_then(|()| sync_folder(&mark)),
            None => Ok(()),
        }
    }

    /// Deletes all that the owner saved. The mark comes first: where it cannot be written
    /// nothing is deleted, and after a power cut the next boot does the rest.
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
            // It was never there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced,
        }
    }
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
        // The next boot makes the partition anew, unless something is saved again.
        let mark = folder.0.join("nl31/factory-reset");
        assert!(mark.exists());
        files.cancel_reset().unwrap();
        assert!(!mark.exists());
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
        // A folder of this name is in the way, for root too.
        fs::create_dir(folder.0.join("nl31/factory-reset")).unwrap();
        files.forget().unwrap_err();
        assert!(own.exists());
    }
}
