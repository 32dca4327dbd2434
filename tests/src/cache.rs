// SPDX-License-Identifier: MIT OR Apache-2.0
//! Built things, kept by the content they were built from. A folder appears under
//! its final name only when it is complete; its builder holds a file lock.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use nix::fcntl::{FcntlArg, FdFlag, Flock, FlockArg, fcntl};
use nix::sys::{prctl, signal::Signal};
use sha2::{Digest, Sha256};

use crate::progress::Step;

/// Where kernels are kept, which take minutes to build: shared by all checkouts,
/// `$XDG_CACHE_HOME/nl31` or `~/.cache/nl31`.
pub fn shared() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    create(base.join("nl31"))
}

/// Where the images of this checkout are kept: `target/lab`.
pub fn local() -> Result<PathBuf> {
    create(target()?.join("lab"))
}

/// Where all is built that belongs to this checkout: cargo's `target`.
pub fn target() -> Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => Ok(std::path::absolute(dir)?),
        None => Ok(crate::project().join("target")),
    }
}

fn create(dir: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

/// The name of a content: every part that a result depends on goes in.
#[derive(Clone, Default)]
pub struct Key(Sha256);

impl Key {
    /// Adds a part. Length and label keep neighbours apart.
    pub fn add(&mut self, label: &str, content: impl AsRef<[u8]>) -> &mut Self {
        let content = content.as_ref();
        self.0.update(format!("{label}\0{}\0", content.len()));
        self.0.update(content);
        self
    }

    /// Adds a file under its name relative to `base`, with its mode's x bit.
    pub fn add_file(&mut self, base: &Path, file: &Path) -> Result<&mut Self> {
        use std::os::unix::fs::PermissionsExt;
        let name = file.strip_prefix(base).unwrap_or(file);
        let executable = file
            .metadata()
            .map(|meta| meta.permissions().mode() & 0o100 != 0);
        let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(self.add(&format!("{} {}", name.display(), executable?), content))
    }

    /// 64 bits of the digest, in hexadecimal.
    pub fn name(&self) -> String {
        self.0
            .clone()
            .finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// Every regular file below `dir` that `wanted` takes, sorted by path.
pub fn files_below(dir: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut left = vec![dir.to_path_buf()];
    while let Some(dir) = left.pop() {
        let entries =
            fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                left.push(entry.path());
            } else if wanted(&entry.path()) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// An exclusive lock on `file`, held until it is dropped; the kernel drops it with
/// the process. Says on `step` that it waits for another one.
pub fn lock(file: &Path, step: &Step) -> Result<Flock<File>> {
    let open = || File::options().create(true).append(true).open(file);
    let handle = open().with_context(|| format!("cannot open {}", file.display()))?;
    let handle = match Flock::lock(handle, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => return Ok(lock),
        Err((handle, nix::Error::EWOULDBLOCK)) => handle,
        Err((_, error)) => bail!("cannot lock {}: {error}", file.display()),
    };
    step.say("waiting for another to end");
    Flock::lock(handle, FlockArg::LockExclusive)
        .map_err(|(_, error)| anyhow::anyhow!("cannot lock {}: {error}", file.display()))
}

/// Makes the folder `dir` with what `fill` puts into it: under a temporary name
/// beside it until all is there, so that a half-written one is never found.
pub fn publish(dir: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let parent = dir.parent().context("a cache folder has a parent")?;
    let temporary = tempfile::Builder::new()
        .prefix(".part-")
        .tempdir_in(parent)?;
    fill(temporary.path())?;
    let temporary = temporary.keep();
    match fs::rename(&temporary, dir) {
        Ok(()) => Ok(()),
        // another process was first, with the same content
        Err(_) if dir.is_dir() => Ok(fs::remove_dir_all(&temporary)?),
        Err(error) => {
            let _ = fs::remove_dir_all(&temporary);
            Err(error).with_context(|| format!("cannot create {}", dir.display()))
        }
    }
}

/// Has `command`, and what it runs, hold the lock too, and end with the builder. So the lock outlives
/// a builder that is killed, until the last process that it began has ended.
pub fn hold(command: &mut Command, lock: &Flock<File>) -> Result<()> {
    let lock = lock.as_raw_fd();
    // SAFETY: between fork and exec only prctl and fcntl are called, which are safe there, on a descriptor
    // that is open as long as the caller's lock; nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            // make passes it on to its jobs, and removes what they have written half
            prctl::set_pdeathsig(Signal::SIGTERM)?;
            let lock = BorrowedFd::borrow_raw(lock);
            fcntl(lock, FcntlArg::F_SETFD(FdFlag::empty()))?;
            Ok(())
        });
    }
    Ok(())
}

/// Lets `build` go on from what earlier ones left in `dir`. It trusts each file that is newer than
/// what it was made from. A file that was just being written when the machine, the builder or the
/// space on the disk came to an end is newer, too; after that all begins from nothing.
pub fn resume<T>(
    dir: &Path,
    mib: u64,
    what: &str,
    step: &Step,
    build: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let building = dir.with_extension("building");
    if building.exists() {
        step.say("the last build was interrupted; starting from nothing");
        remove(dir)?;
    }
    fs::create_dir_all(dir)?;
    require_space(dir, mib, what)?;
    fs::write(&building, "")?;
    let outcome = build();
    if outcome.is_ok() || free(dir)? >= FULL_MIB {
        fs::remove_file(&building)?;
    }
    outcome
}

/// Marks `dir` as used now, for [`prune`].
pub fn touch(dir: &Path) {
    // only an order of removal hangs on it
    let _ = File::open(dir).and_then(|handle| handle.set_modified(SystemTime::now()));
}

/// Removes all but the `keep` last used folders in `parent` whose names start with
/// `prefix`, and what interrupted builders left.
pub fn prune(parent: &Path, prefix: &str, keep: usize) -> Result<()> {
    let mut dirs = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let Ok(meta) = entry.metadata() else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        let age = SystemTime::now()
            .duration_since(meta.modified()?)
            .unwrap_or_default();
        if meta.is_dir() && name.starts_with(".part-") && age.as_secs() > 24 * 3600 {
            remove(&entry.path())?;
        } else if meta.is_dir() && name.starts_with(prefix) {
            dirs.push((age, entry.path()));
        }
    }
    dirs.sort();
    dirs.iter().skip(keep).try_for_each(|(_, dir)| remove(dir))
}

/// Removes a folder, if it is there.
pub fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// A build that fails with less space than this, in MiB, has failed for want of it.
const FULL_MIB: u64 = 64;

/// Free space of the file system of `dir`, in MiB.
fn free(dir: &Path) -> Result<u64> {
    let stat = nix::sys::statvfs::statvfs(dir)
        .with_context(|| format!("cannot tell the free space of {}", dir.display()))?;
    Ok(stat.blocks_available() * stat.fragment_size() / (1024 * 1024))
}

/// Refuses to go on when the file system of `dir` has less than `mib` MiB left.
pub fn require_space(dir: &Path, mib: u64, what: &str) -> Result<()> {
    let free = free(dir)?;
    if free < mib {
        bail!(
            "{what} needs {mib} MiB in {}, which has {free} MiB left; free some, or set \
             XDG_CACHE_HOME (kernels) or CARGO_TARGET_DIR (images) to a larger file system",
            dir.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).expect("a folder");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        names.sort();
        names
    }

    /// Builds in `dir/objects` as kernels are built, but without make.
    fn resumed<T>(dir: &Path, build: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        let objects = dir.join("objects");
        resume(&objects, 0, "a test", &Step::new("test"), || {
            build(&objects)
        })
    }

    #[test]
    fn a_full_disk_leaves_no_folder_and_the_next_builder_makes_it() {
        let parent = folder();
        let dir = parent.path().join("built");
        let full = publish(&dir, |dir| {
            fs::write(dir.join("half"), "of it")?;
            // fails as a file on a full disk does
            Ok(File::options()
                .write(true)
                .open("/dev/full")?
                .write_all(b"rest")?)
        });
        let error = full.expect_err("no space").downcast::<io::Error>();
        assert_eq!(error.expect("its cause").kind(), io::ErrorKind::StorageFull);
        assert_eq!(names(parent.path()), [""; 0]);
        publish(&dir, |dir| Ok(fs::write(dir.join("whole"), "")?)).expect("to be built");
        assert_eq!(names(&dir), ["whole"]);
    }

    #[test]
    fn too_little_space_is_told_with_what_to_do_before_anything_is_built() {
        let parent = folder();
        let error = resume(
            &parent.path().join("objects"),
            u64::MAX,
            "a test",
            &Step::new("test"),
            || {
                panic!("it is built");
                #[expect(unreachable_code)]
                Ok(())
            },
        );
        let error = error.expect_err("no space").to_string();
        assert!(error.contains("XDG_CACHE_HOME"), "{error}");
        // and is no build that was interrupted
        resumed(parent.path(), |_| Ok(())).expect("to be built");
    }

    #[test]
    fn a_build_goes_on_from_what_one_that_ended_left() {
        let parent = folder();
        resumed(parent.path(), |objects| {
            Ok(fs::write(objects.join("a.o"), "")?)
        })
        .expect("built");
        // a fault in a source
        resumed(parent.path(), |objects| {
            fs::write(objects.join("b.o"), "")?;
            bail!("does not compile");
            #[expect(unreachable_code)]
            Ok(())
        })
        .expect_err("a fault");
        let found = resumed(parent.path(), |objects| Ok(names(objects))).expect("built");
        assert_eq!(found, ["a.o", "b.o"]);
    }

    #[test]
    fn a_build_after_one_that_was_killed_begins_from_nothing() {
        let parent = folder();
        let killed = std::panic::catch_unwind(|| {
            resumed(parent.path(), |objects| -> Result<()> {
                fs::write(objects.join("half.o"), "").expect("to write");
                std::panic::resume_unwind(Box::new("ends here"));
            })
        });
        killed.expect_err("it ended");
        let found = resumed(parent.path(), |objects| Ok(names(objects))).expect("built");
        assert_eq!(found, [""; 0]);
        resumed(parent.path(), |objects| {
            Ok(fs::write(objects.join("a.o"), "")?)
        })
        .expect("built");
        let found = resumed(parent.path(), |objects| Ok(names(objects))).expect("built");
        assert_eq!(found, ["a.o"]);
    }

    #[test]
    fn who_comes_second_waits_for_the_first_and_for_all_that_it_began() {
        let parent = folder();
        let file = parent.path().join("lock");
        let ended = parent.path().join("ended");
        let held = lock(&file, &Step::new("test")).expect("the lock");
        // what it began goes on behind it, as make's compilers do when make is killed
        let mut began = Command::new("sh");
        began.args(["-c", "(sleep 0.3; : >\"$0\") &"]).arg(&ended);
        hold(&mut began, &held).expect("to hold");
        assert!(began.status().expect("a shell").success());
        // as the kernel closes it for a process that is killed
        nix::unistd::close(held.as_raw_fd()).expect("to close");
        std::mem::forget(held);
        lock(&file, &Step::new("test")).expect("the lock");
        assert!(ended.exists());
    }

    #[test]
    fn of_two_who_build_the_same_at_once_either_leaves_it_whole() {
        let parent = folder();
        let dir = parent.path().join("built");
        let filled = AtomicUsize::new(0);
        let build = || {
            publish(&dir, |dir| {
                fs::write(dir.join("a"), "")?;
                filled.fetch_add(1, Ordering::SeqCst);
                // both are at work before one is done
                while filled.load(Ordering::SeqCst) < 2 {
                    std::thread::yield_now();
                }
                Ok(fs::write(dir.join("b"), "")?)
            })
        };
        std::thread::scope(|scope| {
            for builder in [scope.spawn(build), scope.spawn(build)] {
                builder.join().expect("no panic").expect("to be built");
            }
        });
        assert_eq!(names(parent.path()), ["built"]);
        assert_eq!(names(&dir), ["a", "b"]);
    }

    #[test]
    fn what_older_versions_left_is_removed_and_what_is_used_is_kept() {
        let parent = folder();
        for (name, age) in [
            ("kernel-a-old", 3),
            ("kernel-a-used", 1),
            ("kernel-b-other", 9),
            (".part-x", 30),
        ] {
            let dir = parent.path().join(name);
            fs::create_dir(&dir).expect("a folder");
            let then = SystemTime::now() - std::time::Duration::from_secs(age * 3600);
            let handle = File::open(&dir).expect("the folder");
            handle.set_modified(then).expect("a time");
        }
        prune(parent.path(), "kernel-a-", 1).expect("to prune");
        assert_eq!(names(parent.path()), ["kernel-a-used", "kernel-b-other"]);
    }
}
