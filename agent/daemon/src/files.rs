// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the agent keeps what outlives it, and how files are written so that a
//! power cut leaves the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// The config that the appliance's owner made.
const OWN: &str = "/data/nl31/routes.conf";
/// The config that the image came with.
const FACTORY: &str = "/etc/nl31/routes.conf";

/// Of each file that is written: a user who cannot open a file cannot hold its lock, and
/// so cannot hold up a save.
pub(crate) const MODE: u32 = 0o600;

/// Bytes written before they are brought to flash, so that the last step is short.
const SYNC_EVERY: usize = 512 * 1024;

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
    pub fn mark(&self) -> PathBuf {
        self.run.join("loaded")
    }

    /// The config that the next boot begins with, unless it has a mistake.
    pub fn saved(&self) -> &Path {
        let candidates = [&self.config, &self.good];
        let own = candidates.into_iter().find(|path| path.exists());
        own.or(self.factory.as_ref().filter(|path| path.exists()))
            .unwrap_or(&self.config)
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

/// The folder of a file.
pub(crate) fn folder(path: &Path) -> &Path {
    // That of a name alone is empty.
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Brings to flash which files there are beside this one.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

/// Removes a file if it is there.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file that takes the place of another one when it is whole. Dropped before, it
/// is gone. One at a time: a lock keeps another session or agent from writing it too.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    temporary: PathBuf,
    file: Option<Flock<File>>,
    buffer: Vec<u8>,
    unsynced: usize,
}

impl Replacement {
    const BUFFER: usize = 8 * 1024;

    /// Begins a file that will be `path`; makes its folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder(path))?;
        // Not `with_extension`: `routes.conf` and `routes.good` are written at once.
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".new");
        let temporary = PathBuf::from(temporary);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(MODE);
        let file = loop {
            if let Some(file) = lock(options.open(&temporary)?, &temporary)? {
                break file;
            }
        };
        // What an agent that was killed has left.
        file.set_len(0)?;
        Ok(Self {
            path: path.into(),
            temporary,
            file: Some(file),
            buffer: Vec::with_capacity(Self::BUFFER),
            unsynced: 0,
        })
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = self.file.as_mut().expect("it is open until finish()");
        file.write_all(&self.buffer)?;
        self.unsynced += self.buffer.len();
        self.buffer.clear();
        if self.unsynced >= SYNC_EVERY {
            file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(())
    }

    /// Puts it into its place, also after a power cut.
    pub fn finish(mut self) -> io::Result<()> {
        self.spill()?;
        let file = self.file.take().expect("it is open until now");
        file.sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        sync_folder(&self.path)
    }
}

/// Locks a file, unless it is not at `path` any more: who had the lock may have put it
/// into its place since it was opened, and then it is the very one that is to be kept.
fn lock(file: File, path: &Path) -> io::Result<Option<Flock<File>>> {
    let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(file) => file,
        Err((_, Errno::EWOULDBLOCK)) => return Err(io::ErrorKind::ResourceBusy.into()),
        Err((_, error)) => return Err(error.into()),
    };
    let locked = file.metadata()?;
    match path.metadata() {
        Ok(there) if (there.dev(), there.ino()) == (locked.dev(), locked.ino()) => Ok(Some(file)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(None),
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > Self::BUFFER {
            self.spill()?;
        }
        let len = bytes.len().min(Self::BUFFER);
        self.buffer.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spill()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if self.file.is_some() {
            // A leftover is overwritten by the next one.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Writes a file that is there whole or not at all.
pub fn write_whole(path: &Path, content: &mut impl Read) -> io::Result<()> {
    let mut file = Replacement::create(path)?;
    io::copy(content, &mut file)?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::Folder;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_the_old_one_until_it_is_whole() {
        let folder = Folder::new("replacement");
        let path = folder.file("routes.conf", "old");
        let content = "x".repeat(3 * SYNC_EVERY + 5);
        let mut new = Replacement::create(&path).unwrap();
        new.write_all(content.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        drop(new);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
        let mut new = Replacement::create(&path).unwrap();
        new.write_all(content.as_bytes()).unwrap();
        new.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    #[test]
    fn two_do_not_write_one_file_at_the_same_time() {
        let folder = Folder::new("replacement-locked");
        let path = folder.file("routes.conf", "old");
        let mut first = Replacement::create(&path).unwrap();
        let second = Replacement::create(&path).map(drop).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::ResourceBusy);
        first.write_all(b"first").unwrap();
        first.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        // One that was killed leaves its part, and no lock.
        folder.file("routes.conf.new", "a longer part of something");
        write_whole(&path, &mut "second".as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
    }

    #[test]
    fn a_name_alone_is_of_a_file_in_this_folder() {
        assert_eq!(folder(Path::new("routes.conf")), Path::new("."));
        assert_eq!(folder(Path::new("/data/routes.conf")), Path::new("/data"));
        sync_folder(Path::new("routes.conf")).unwrap();
    }

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
    fn who_comes_as_another_ends_does_not_get_what_was_put_into_place() {
        let folder = Folder::new("replacement-late");
        let path = folder.file("routes.conf", "old");
        for finished in [true, false] {
            let mut first = Replacement::create(&path).unwrap();
            let temporary = first.temporary.clone();
            let late = File::open(&temporary).unwrap();
            first.write_all(b"first").unwrap();
            if finished {
                first.finish().unwrap();
            } else {
                drop(first);
            }
            assert!(lock(late, &temporary).unwrap().is_none());
        }
        write_whole(&path, &mut "second".as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
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

    #[test]
    fn written_files_cannot_be_opened_by_other_users() {
        let folder = Folder::new("file-mode");
        let path = folder.0.join("run/loaded");
        let new = Replacement::create(&path).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&new.temporary), 0o600);
        new.finish().unwrap();
        assert_eq!(mode(&path), 0o600);
    }
}
