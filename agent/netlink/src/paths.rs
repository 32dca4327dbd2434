// SPDX-License-Identifier: MIT OR Apache-2.0
//! The effect of a change on the paths of a prefix, by the rules of the kernel's table, for
//! previews.

use nix::libc;
use nl31_route::{Path, Spec, append_index};

use crate::change::Add;
use crate::device::{Device, IndexOf, selects};

/// Paths that a prefix can have.
pub const PATHS_MAX: usize = 64;

/// The paths of one prefix: by metric, those of one metric as they were appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths(Vec<Path<Device>>);

/// Why a change cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A path of this metric, or exactly this path, exists.
    Exists,
    /// No path of this metric to change, or no path to delete.
    Missing,
    /// Several paths match.
    Several,
    /// A prefix has at most 64 paths.
    TooMany,
}

impl Conflict {
    /// The kernel's error number for it.
    pub fn errno(self, deleting: bool) -> i32 {
        match self {
            Self::Exists => libc::EEXIST,
            Self::Missing if deleting => libc::ESRCH,
            Self::Missing => libc::ENOENT,
            Self::Several => libc::ENOTEMPTY,
            Self::TooMany => libc::E2BIG,
        }
    }
}

impl Paths {
    /// The paths, the one in use first.
    pub fn all(&self) -> &[Path<Device>] {
        &self.0
    }

    /// Inserts a path by its metric, after those of the same metric.
    pub fn append(&mut self, path: Path<Device>) {
        self.0.insert(append_index(&self.0, path.metric), path);
    }

    /// Adds a path; gives whether it replaced another one.
    pub fn add(&mut self, how: Add, path: Path<Device>) -> Result<bool, Conflict> {
        let same = self.0.iter().position(|other| *other == path);
        let first = self.0.iter().position(|other| other.metric == path.metric);
        match (how, first) {
            (Add::Add, Some(_)) => return Err(Conflict::Exists),
            (Add::Append, _) if same.is_some() => return Err(Conflict::Exists),
            (Add::Change, None) => return Err(Conflict::Missing),
            (Add::Replace | Add::Change, Some(index)) => {
                if same.is_some_and(|same| same != index) {
                    return Err(Conflict::Exists);
                }
                self.0[index] = path;
                return Ok(true);
            }
            _ => {}
        }
        if self.0.len() >= PATHS_MAX {
            return Err(Conflict::TooMany);
        }
        self.append(path);
        Ok(false)
    }

    /// Takes the first path out that has all that `spec` says; if it says nothing of
    /// the path, the only one.
    pub fn delete(
        &mut self,
        spec: &Spec<Device>,
        index_of: &mut IndexOf<'_>,
    ) -> Result<(), Conflict> {
        if !spec.has_path() && self.0.len() > 1 {
            return Err(Conflict::Several);
        }
        let found = self.0.iter().position(|path| selects(spec, path, index_of));
        self.0.remove(found.ok_or(Conflict::Missing)?);
        Ok(())
    }

    /// Takes all out that have what `spec` says; gives them.
    pub fn delete_all(
        &mut self,
        spec: &Spec<Device>,
        index_of: &mut IndexOf<'_>,
    ) -> Vec<Path<Device>> {
        let paths = self.0.drain(..);
        let (gone, kept) = paths.partition(|path| selects(spec, path, index_of));
        self.0 = kept;
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nl31_route::{PathKind, Protocol};

    fn path(metric: u32, device: u32) -> Path<Device> {
        Path {
            kind: PathKind::Unicast,
            gateway: None,
            device: Some(Device::Index(device)),
            metric,
            protocol: Protocol::UNSPEC,
        }
    }

    fn paths(all: &[(u32, u32)]) -> Paths {
        Paths(
            all.iter()
                .map(|&(metric, device)| path(metric, device))
                .collect(),
        )
    }

    #[test]
    fn paths_stand_in_the_order_of_their_metrics_and_then_of_their_coming() {
        let mut list = Paths::default();
        for (metric, device) in [(5, 1), (1, 1), (5, 2), (1, 2)] {
            list.add(Add::Append, path(metric, device)).unwrap();
        }
        assert_eq!(list, paths(&[(1, 1), (1, 2), (5, 1), (5, 2)]));
        assert_eq!(list.add(Add::Append, path(5, 1)), Err(Conflict::Exists));
        assert_eq!(list.add(Add::Add, path(5, 3)), Err(Conflict::Exists));
        assert_eq!(list.add(Add::Change, path(7, 3)), Err(Conflict::Missing));
        assert_eq!(list.add(Add::Replace, path(7, 3)), Ok(false));
        assert_eq!(list.add(Add::Replace, path(5, 3)), Ok(true));
        assert_eq!(list.add(Add::Replace, path(5, 3)), Ok(true));
        assert_eq!(list.add(Add::Replace, path(5, 2)), Err(Conflict::Exists));
        assert_eq!(list, paths(&[(1, 1), (1, 2), (5, 3), (5, 2), (7, 3)]));
    }

    #[test]
    fn a_prefix_has_only_so_many() {
        let mut list = Paths::default();
        for metric in 0..PATHS_MAX as u32 {
            list.add(Add::Add, path(metric, 1)).unwrap();
        }
        assert_eq!(list.add(Add::Add, path(100, 1)), Err(Conflict::TooMany));
        assert_eq!(list.add(Add::Replace, path(5, 2)), Ok(true));
    }

    #[test]
    fn a_deletion_says_which_where_there_are_several() {
        let none: &mut IndexOf<'_> = &mut |_| None;
        let any = Spec::default();
        let of_device = |device| Spec {
            device: Some(Device::Index(device)),
            ..Spec::default()
        };
        let mut list = paths(&[(1, 1), (1, 2), (5, 1)]);
        assert_eq!(list.delete(&any, none), Err(Conflict::Several));
        assert_eq!(list.delete(&of_device(3), none), Err(Conflict::Missing));
        list.delete(&of_device(1), none).unwrap();
        assert_eq!(list, paths(&[(1, 2), (5, 1)]));
        assert_eq!(list.delete_all(&of_device(2), none), [path(1, 2)]);
        list.delete(&any, none).unwrap();
        assert_eq!(list.delete(&any, none), Err(Conflict::Missing));
    }
}
