// SPDX-License-Identifier: MIT OR Apache-2.0
//! The backup copy of the last config that was loaded without a mistake.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::platform::atomic_file::Replacement;

/// Makes the backup copy, a part at a time. Writes nothing if the copy is the same, to
/// spare the flash.
#[derive(Debug)]
pub(super) struct BackupCopy {
    path: PathBuf,
    pub(super) good: PathBuf,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Open,
    /// Compares the config with its copy.
    Compare(File, File),
    Copy(File, Replacement),
}

/// Bytes of a config that are compared or copied in one step.
const KEPT_PER_STEP: u64 = 32 * 1024;

impl BackupCopy {
    pub(super) fn begin(path: &Path, good: &Path) -> Self {
        Self {
            path: path.into(),
            good: good.into(),
            work: Work::Open,
        }
    }

    /// Goes on with a part; says whether it was the last.
    pub(super) fn step(&mut self) -> io::Result<bool> {
        match &mut self.work {
            Work::Open => match File::open(&self.good) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.copy()?,
                good => self.work = Work::Compare(File::open(&self.path)?, good?),
            },
            Work::Compare(path, good) => {
                let [here, there] = [path, good].map(|file| {
                    let mut part = Vec::new();
                    file.take(KEPT_PER_STEP).read_to_end(&mut part)?;
                    Ok::<_, io::Error>(part)
                });
                let (here, there) = (here?, there?);
                if here != there {
                    self.copy()?;
                } else if here.is_empty() {
                    return Ok(true);
                }
            }
            Work::Copy(path, copy) => {
                if io::copy(&mut path.take(KEPT_PER_STEP), copy)? == 0
                    && let Work::Copy(_, copy) = std::mem::replace(&mut self.work, Work::Open)
                {
                    copy.finish()?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn copy(&mut self) -> io::Result<()> {
        let copy = Replacement::create(&self.good)?;
        self.work = Work::Copy(File::open(&self.path)?, copy);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::atomic_file::tests::Folder;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_copy_is_written_only_when_it_differs() {
        let folder = Folder::new("boot-copy");
        let path = folder.file("routes.conf", "10.0.0.0/8 dev eth0\n");
        let good = folder.0.join("routes.good");
        let keep = |path: &Path, good: &Path| {
            let mut backup_copy = BackupCopy::begin(path, good);
            let mut steps = 1;
            while !backup_copy.step().unwrap() {
                steps += 1;
            }
            steps
        };
        keep(&path, &good);
        let inode = |path: &Path| path.metadata().unwrap().ino();
        let first = inode(&good);
        keep(&path, &good);
        assert_eq!(inode(&good), first, "the same was written again");
        // In parts, however long it is; the difference may be at its end.
        let long = "# not very long\n".repeat(20_000);
        folder.file("routes.conf", &long);
        assert!(keep(&path, &good) > long.len() / KEPT_PER_STEP as usize);
        assert_eq!(fs::read_to_string(&good).unwrap(), long);
        let longer = format!("{long}#\n");
        folder.file("routes.conf", &longer);
        keep(&path, &good);
        assert_eq!(fs::read_to_string(&good).unwrap(), longer);
    }
}
