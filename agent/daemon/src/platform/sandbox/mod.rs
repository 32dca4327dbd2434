// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sandbox of the started agent: a separate user, one capability, the files that the agent
//! writes, and the system calls of [`system_calls`]. An attacker who finds a
//! fault in the agent and runs code in it can change routes, these files and the terminal;
//! the rest of the machine stays as it is.
//!
//! The user is the owner of the run folder, which the image's start script makes: so all
//! agents of an appliance have the same user, and the numbers are in one place. Where root
//! owns the folder, or root did not start the agent, the user stays.
//!
//! Landlock limits writing only. File permissions limit reading, as `load` takes any path.

pub mod system_calls;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use caps::{CapSet, Capability, CapsHashSet};
use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use nix::unistd::{Gid, Uid, chown, fchown, setgroups, setresgid, setresuid};

/// The newest rights requested; a kernel without some of them enforces the others.
const LANDLOCK: ABI = ABI::V6;

/// A user that root becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    uid: Uid,
    gid: Gid,
}

impl User {
    /// The owner of the run folder; `None` if the agent keeps its user.
    pub fn of(run: &Path) -> Option<Self> {
        let folder = fs::symlink_metadata(run).ok()?;
        let user = Self {
            uid: Uid::from_raw(folder.uid()),
            gid: Gid::from_raw(folder.gid()),
        };
        let changes = Uid::effective().is_root() && !user.uid.is_root();
        changes.then_some(user)
    }

    /// Makes the user the owner of an open file, so that the user can reopen a terminal after a
    /// hangup.
    pub fn own(self, file: impl AsFd) -> io::Result<()> {
        Ok(fchown(file, Some(self.uid), Some(self.gid))?)
    }
}

/// The files that the agent may write.
#[derive(Clone, Copy, Debug)]
pub struct Writable<'a> {
    /// Folders in which files are made, replaced and removed.
    pub folders: &'a [&'a Path],
    /// The device of the terminal.
    pub terminal: Option<&'a Path>,
}

/// Enters the sandbox, irreversibly. To be called while the process has one thread. Applies
/// every part even if another fails; the first failure is the result.
pub fn enter(user: Option<User>, writable: Writable<'_>) -> io::Result<()> {
    for folder in writable.folders.iter().filter(|folder| !folder.exists()) {
        if let Err(error) = create_folder(folder, user) {
            log::warn!("{}: {error}", folder.display());
        }
    }
    let parts = [
        drop_privileges(user),
        limit_files(writable),
        system_calls::restrict(),
    ];
    parts.into_iter().collect()
}

/// Makes a folder before the sandbox forbids it.
fn create_folder(path: &Path, user: Option<User>) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    match user {
        Some(User { uid, gid }) => Ok(chown(path, Some(uid), Some(gid))?),
        None => Ok(()),
    }
}

/// Becomes the user, and keeps `CAP_NET_ADMIN` if the process has it: changes of routes and
/// large receive buffers need it. No capability is ambient or inheritable, as no program
/// can be started that would inherit it.
fn drop_privileges(user: Option<User>) -> io::Result<()> {
    let mut kept = CapsHashSet::new();
    if caps::has_cap(None, CapSet::Permitted, Capability::CAP_NET_ADMIN).map_err(failed)? {
        kept.insert(Capability::CAP_NET_ADMIN);
    }
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).map_err(failed)? {
        caps::clear(None, CapSet::Bounding).map_err(failed)?;
    }
    caps::clear(None, CapSet::Ambient).map_err(failed)?;
    if let Some(User { uid, gid }) = user {
        caps::securebits::set_keepcaps(true).map_err(failed)?;
        setgroups(&[])?;
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
        caps::securebits::set_keepcaps(false).map_err(failed)?;
    }
    // An effective capability has to be permitted.
    caps::clear(None, CapSet::Effective).map_err(failed)?;
    caps::set(None, CapSet::Permitted, &kept).map_err(failed)?;
    caps::set(None, CapSet::Effective, &kept).map_err(failed)?;
    caps::clear(None, CapSet::Inheritable).map_err(failed)
}

fn limit_files(writable: Writable<'_>) -> io::Result<()> {
    let reads = AccessFs::ReadFile | AccessFs::ReadDir;
    let handled: BitFlags<AccessFs> = AccessFs::from_all(LANDLOCK) & !reads;
    let in_folder =
        AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(handled)
        .and_then(|ruleset| ruleset.scope(Scope::from_all(LANDLOCK)))
        .and_then(Ruleset::create)
        .map_err(failed)?;
    let terminal = writable
        .terminal
        .map(|path| (path, AccessFs::WriteFile | AccessFs::IoctlDev));
    let folders = writable.folders.iter().map(|&path| (path, in_folder));
    for (path, access) in folders.chain(terminal) {
        match PathFd::new(path) {
            Ok(file) => {
                ruleset = ruleset
                    .add_rule(PathBeneath::new(file, access))
                    .map_err(failed)?;
            }
            Err(error) => log::warn!("{}: not writable: {error}", path.display()),
        }
    }
    match ruleset.restrict_self().map_err(failed)?.ruleset {
        RulesetStatus::FullyEnforced => {}
        RulesetStatus::PartiallyEnforced => {
            log::info!("the kernel's Landlock is older than this agent: it limits less");
        }
        RulesetStatus::NotEnforced => {
            log::warn!("the kernel has no Landlock: file permissions alone limit the agent");
        }
    }
    Ok(())
}

fn failed(error: impl std::error::Error) -> io::Error {
    io::Error::other(error.to_string())
}
