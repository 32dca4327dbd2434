// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes files atomically: after a power cut there is the old file or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Mode of each written file: a user who cannot open a file cannot hold its lock and block a
/// save.
pub const MODE: u32 = 0o600;

/// Bytes written between two syncs, so that the last sync is short.
const SYNC_EVERY: usize = 512 * 1024;

/// The folder of a file.
pub(crate) fn folder(path: &Path) -> &Path {
    // The parent of a bare name is empty.
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Syncs the folder of a file.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

/// Removes a file if it exists.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A new version of a file, which replaces the old one when complete. Dropping it keeps the
/// old one. A lock keeps other sessions and agents from writing the file too.
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

    /// Creates the new version of `path`, and its folder if missing.
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
        // Remove the content that a killed agent left.
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

    /// Replaces the old file durably.
    pub fn finish(mut self) -> io::Result<()> {
        self.spill()?;
        let file = self.file.take().expect("it is open until now");
        file.sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        sync_folder(&self.path)
    }
}

/// Locks an open file; `None` if it is not at `path` any more: the previous holder of the
/// lock has put it into place, so it must not be overwritten.
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
            // A file that stays is overwritten by the next one.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Writes a file atomically.
pub fn write_whole(path: &Path, content: &mut impl Read) -> io::Result<()> {
    let mut file = Replacement::create(path)?;
    io::copy(content, &mut file)?;
    file.finish()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A temporary folder of a test; deleted when dropped.
    pub(crate) struct Folder(pub PathBuf);

    impl Folder {
        pub(crate) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nl31-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

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
        // A killed agent leaves a part of the file, and no lock.
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
