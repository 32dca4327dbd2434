// SPDX-License-Identifier: MIT OR Apache-2.0
//! The prefixes that the edits of a candidate affect: in address order, a chunk at a time,
//! with their paths before and after.

use std::io;

use nl31_netlink::{Change, Client, Conflict, Error, Paths, Prefix, Transport};
use nl31_route::DeviceName;

use crate::candidate::edit::{self, Edit, Fault};
use crate::candidate::edit_log::Candidate;
use crate::config::file::ConfigErrorKind;
use crate::config::settings::{Settings, TooMany};
use crate::platform::devices::{Cached, Devices};

/// Prefixes in a chunk.
pub const CHUNK: usize = 512;

/// Most paths that the `flush`es of a candidate may delete in a preview.
pub const FLUSHED_MAX: usize = 65_536;

/// Paths that each flush counts as besides, for its socket and dump.
const FLUSH: usize = 64;

/// A prefix that edits affect.
#[derive(Debug)]
pub struct AffectedPrefix {
    /// The prefix.
    pub prefix: Prefix,
    /// Its paths in the kernel's table.
    pub before: Paths,
    /// Its paths after the edits.
    pub after: Paths,
}

/// Why the result of the edits cannot be computed.
#[derive(Debug)]
pub enum PreviewError {
    /// An edit is not valid any more.
    Edit(u32, Fault),
    /// An edit cannot be made.
    Conflict(u32, Prefix, Conflict),
    /// With this edit the flushes delete more than [`FLUSHED_MAX`] paths.
    TooMany(u32),
    /// With this edit there are too many settings.
    Full(u32, TooMany),
    /// The kernel failed.
    Kernel(Error),
    /// The file of the candidate failed.
    Io(io::Error),
}

impl From<Error> for PreviewError {
    fn from(error: Error) -> Self {
        Self::Kernel(error)
    }
}

/// The next affected prefixes above `last`, at most [`CHUNK`], with their paths before the
/// edits.
pub fn before<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    candidate: &Candidate,
    last: Option<Prefix>,
) -> Result<Vec<AffectedPrefix>, PreviewError> {
    let mut chunk: Vec<Prefix> = Vec::with_capacity(CHUNK + 1);
    let mut offer = |prefix| {
        if last.is_some_and(|last| prefix <= last) {
            return;
        }
        let Err(at) = chunk.binary_search(&prefix) else {
            return;
        };
        if at < CHUNK {
            chunk.insert(at, prefix);
            chunk.truncate(CHUNK);
        }
    };
    let mut left = FLUSHED_MAX;
    each(candidate, devices, &mut |number, change| match change {
        Change::Add(_, route) => {
            offer(route.prefix);
            Ok(())
        }
        Change::Delete(spec) | Change::DeletePrefix(spec) => {
            spec.prefix.into_iter().for_each(&mut offer);
            Ok(())
        }
        Change::DeleteAll(spec) => {
            left = left.saturating_sub(FLUSH);
            let all = left > 0
                && client.visit(&spec, &mut |route| {
                    offer(route.prefix);
                    left = left.saturating_sub(1);
                    left > 0
                })?;
            all.then_some(()).ok_or(PreviewError::TooMany(number))
        }
    })?;
    let mut affected = Vec::with_capacity(chunk.len());
    for prefix in chunk {
        let before = client.paths(prefix)?;
        affected.push(AffectedPrefix {
            prefix,
            after: before.clone(),
            before,
        });
    }
    Ok(affected)
}

/// Applies the edits to the paths of a chunk.
pub fn after(
    affected: &mut [AffectedPrefix],
    devices: &dyn Devices,
    candidate: &Candidate,
) -> Result<(), PreviewError> {
    let mut cached = Cached::new(devices);
    let mut index_of = |name: &DeviceName| cached.index(name);
    each(candidate, devices, &mut |number, change| {
        let prefix = match &change {
            Change::Add(_, route) => Some(route.prefix),
            Change::Delete(spec) | Change::DeletePrefix(spec) => spec.prefix,
            Change::DeleteAll(spec) => {
                for affected in affected.iter_mut() {
                    if spec.prefix.is_none_or(|all| all.covers(affected.prefix)) {
                        affected.after.delete_all(spec, &mut index_of);
                    }
                }
                None
            }
        };
        let Some(prefix) = prefix else { return Ok(()) };
        let Ok(at) = affected.binary_search_by(|affected| affected.prefix.cmp(&prefix)) else {
            return Ok(());
        };
        let paths = &mut affected[at].after;
        let made = match change {
            Change::Add(how, route) => paths.add(how, route.path).map(|_| ()),
            Change::Delete(spec) => paths.delete(&spec, &mut index_of),
            Change::DeletePrefix(spec) if paths.delete_all(&spec, &mut index_of).is_empty() => {
                Err(Conflict::Missing)
            }
            Change::DeletePrefix(_) | Change::DeleteAll(_) => Ok(()),
        };
        made.map_err(|conflict| PreviewError::Conflict(number, prefix, conflict))
    })
}

/// The settings after the edits.
pub fn settings(
    mut settings: Settings,
    devices: &dyn Devices,
    candidate: &Candidate,
) -> Result<Settings, PreviewError> {
    each_edit(candidate, devices, &mut |number, edit| match edit {
        Edit::Route(_) => Ok(()),
        Edit::Setting(change) => {
            let changes = settings.with_dependents(change);
            let changed = changes
                .iter()
                .try_for_each(|change| settings.change(change));
            changed.map_err(|limit| PreviewError::Full(number, limit))
        }
    })?;
    Ok(settings)
}

/// Calls `each` with every edit of routes and its number.
fn each(
    candidate: &Candidate,
    devices: &dyn Devices,
    each: &mut dyn FnMut(u32, Change) -> Result<(), PreviewError>,
) -> Result<(), PreviewError> {
    each_edit(candidate, devices, &mut |number, edit| match edit {
        Edit::Route(change) => each(number, change),
        Edit::Setting(_) => Ok(()),
    })
}

/// Calls `each` with every edit and its number.
fn each_edit(
    candidate: &Candidate,
    devices: &dyn Devices,
    each: &mut dyn FnMut(u32, Edit) -> Result<(), PreviewError>,
) -> Result<(), PreviewError> {
    let mut devices = Cached::with_made(devices, candidate.made());
    let mut lines = candidate.lines().map_err(PreviewError::Io)?;
    loop {
        match lines.advance() {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err((_, ConfigErrorKind::Io(error))) => return Err(PreviewError::Io(error)),
            Err(_) => return Err(PreviewError::Io(io::ErrorKind::InvalidData.into())),
        }
        let number = lines.number();
        let edit = edit::reread(lines.text(), &mut devices);
        each(
            number,
            edit.map_err(|fault| PreviewError::Edit(number, fault))?,
        )?;
    }
}
