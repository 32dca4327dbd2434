// SPDX-License-Identifier: MIT OR Apache-2.0
//! Built things, kept by the content they were built from. A folder appears under
//! its final name only when it is complete; who builds holds a file lock.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
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
        // somebody else was first, with the same content
        Err(_) if dir.is_dir() => Ok(fs::remove_dir_all(&temporary)?),
        Err(error) => {
            let _ = fs::remove_dir_all(&temporary);
            Err(error).with_context(|| format!("cannot create {}", dir.display()))
        }
    }
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

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// Refuses to go on when the file system of `dir` has less than `mib` MiB left.
pub fn require_space(dir: &Path, mib: u64, what: &str) -> Result<()> {
    let stat = nix::sys::statvfs::statvfs(dir)
        .with_context(|| format!("cannot tell the free space of {}", dir.display()))?;
    let free = stat.blocks_available() * stat.fragment_size() / (1024 * 1024);
    if free < mib {
        bail!(
            "{what} needs {mib} MiB in {}, which has {free} MiB left; free some, or set \
             XDG_CACHE_HOME (kernels) or CARGO_TARGET_DIR (images) to a larger file system",
            dir.display()
        );
    }
    Ok(())
}
