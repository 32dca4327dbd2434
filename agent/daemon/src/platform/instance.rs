// SPDX-License-Identifier: MIT OR Apache-2.0
//! One resident agent for each run folder: a second one would take over the control
//! socket and the exit reason of the first, and delete both when it ends.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc;

/// The file in the run folder that a resident agent locks. It holds its process number.
const LOCK: &str = "lock";

/// The lock of the resident agent; the kernel releases it when the agent ends or is killed.
#[derive(Debug)]
pub struct Instance {
    _lock: Flock<File>,
}

impl Instance {
    /// Locks the run folder, and makes it if missing. `AddrInUse` if another agent has the
    /// lock.
    pub fn claim(run: &Path) -> io::Result<Self> {
        create_private_folder(run)?;
        let path = run.join(LOCK);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            // Other users must not open the file: they could hold the lock.
            .mode(0o600)
            // Root opens the file in a folder of the agent's user.
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)?;
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((file, Errno::EWOULDBLOCK)) => return Err(in_use(run, file)),
            Err((_, error)) => return Err(error.into()),
        };
        lock.set_len(0)?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(Self { _lock: lock })
    }
}

fn in_use(run: &Path, lock: File) -> io::Error {
    let mut holder = String::new();
    // A number of at most ten digits.
    let _ = lock.take(10).read_to_string(&mut holder);
    let run = run.display();
    let text = match holder.trim_ascii() {
        "" => format!("another agent serves {run}: stop it, or use another folder with --run"),
        pid => format!(
            "another agent (process {pid}) serves {run}: stop it, or use another folder with --run"
        ),
    };
    io::Error::new(io::ErrorKind::AddrInUse, text)
}

/// Makes a folder that only its owner may enter.
fn create_private_folder(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::atomic_file::tests::Folder;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn claim_is_refused_with_the_holders_number_until_it_is_released() {
        let folder = Folder::new("instance");
        let run = folder.0.join("run/nl31");
        let first = Instance::claim(&run).unwrap();
        let error = Instance::claim(&run).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let holder = format!("(process {})", std::process::id());
        assert!(error.to_string().contains(&holder), "{error}");
        drop(first);
        Instance::claim(&run).unwrap();
    }

    #[test]
    fn claim_writes_through_no_link() {
        let folder = Folder::new("instance-link");
        let run = folder.0.join("nl31");
        drop(Instance::claim(&run).unwrap());
        let target = folder.file("target", "precious");
        fs::remove_file(run.join(LOCK)).unwrap();
        std::os::unix::fs::symlink(&target, run.join(LOCK)).unwrap();
        Instance::claim(&run).unwrap_err();
        assert_eq!(fs::read_to_string(target).unwrap(), "precious");
    }

    #[test]
    fn claim_makes_files_that_no_other_user_can_open() {
        let folder = Folder::new("instance-mode");
        let run = folder.0.join("nl31");
        let _instance = Instance::claim(&run).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&run), mode(&run.join(LOCK))), (0o700, 0o600));
    }
}
