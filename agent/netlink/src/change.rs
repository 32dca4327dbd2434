// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes of the table, and their requests.

use nl31_route::{Route, Spec};

use crate::abi::*;
use crate::device::Device;
use crate::error::Op;
use crate::request::Request;

/// How a path is put into the table; the words are those of `ip route`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Add {
    /// Fails with `EEXIST` if the prefix has a path of this metric.
    Add,
    /// Takes the place of the first path of this metric, if there is one.
    Replace,
    /// The same, but fails with `ENOENT` if there is none.
    Change,
    /// Goes behind the paths of this metric; fails with `EEXIST` if exactly this
    /// path is there.
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
    /// Puts a path into the table.
    Add(Add, Route<Device>),
    /// Takes a path out of the table, as [`crate::Client::delete`].
    Delete(Spec<Device>),
    /// Takes out what `spec` says: if that is the prefix alone, all its paths, as
    /// [`crate::Client::delete_prefix`].
    DeletePrefix(Spec<Device>),
    /// Takes out every path that has what `spec` says, as [`crate::Client::delete_all`].
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
