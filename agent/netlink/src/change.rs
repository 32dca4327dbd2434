// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes of the table, and their requests.

use nl31_route::{Route, Spec};

use crate::abi::*;
use crate::device::Device;
use crate::error::Op;
use crate::request::Request;

/// How a path is added to the table; the words are those of `ip route`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Add {
    /// Fails with `EEXIST` if the prefix has a path of this metric.
    Add,
    /// Replaces the first path of this metric, if there is one.
    Replace,
    /// Replaces the first path of this metric; fails with `ENOENT` if there is none.
    Change,
    /// Goes after the paths of this metric; fails with `EEXIST` if exactly this path
    /// exists.
    Append,
}

impl Add {
    pub(crate) fn flags(self) -> u16 {
        match self {
            Self::Add => NLM_F_CREATE | NLM_F_EXCL,
            Self::Replace => NLM_F_CREATE | NLM_F_REPLACE,
            Self::Change => NLM_F_REPLACE,
            Self::Append => NLM_F_CREATE | NLM_F_APPEND,
        }
    }

    pub(crate) fn op(self) -> Op {
        match self {
            Self::Add => Op::Add,
            Self::Replace => Op::Replace,
            Self::Change => Op::Change,
            Self::Append => Op::Append,
        }
    }
}

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    /// Adds a path.
    Add(Add, Route<Device>),
    /// Deletes a path, as [`crate::Client::delete`].
    Delete(Spec<Device>),
    /// Deletes the matching paths of the prefix: with the prefix alone, all its paths, as
    /// [`crate::Client::delete_prefix`].
    DeletePrefix(Spec<Device>),
    /// Deletes every path that matches `spec`, as [`crate::Client::delete_all`].
    DeleteAll(Spec<Device>),
}

impl Change {
    pub(crate) fn request(&self) -> (Request<'_>, u16) {
        match self {
            Self::Add(how, route) => (Request::NewRoute(route), how.flags()),
            Self::Delete(spec) if !spec.has_path() => (Request::DelRoute(spec), NLM_F_NONREC),
            Self::Delete(spec) | Self::DeletePrefix(spec) => (Request::DelRoute(spec), 0),
            Self::DeleteAll(spec) => (Request::DelRoute(spec), NLM_F_BULK),
        }
    }
}
