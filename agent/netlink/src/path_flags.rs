// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a path is not in use.

use crate::abi::{FLAG_DEAD, FLAG_LINKDOWN, FLAG_STANDBY};

/// Why a path is not in use, see `enum nl31_route_flag`; empty for one that is, and in
/// messages that are not of a dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathFlags(pub(crate) u32);

impl PathFlags {
    /// Whether there is none: the path is in use.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the path's device is down, or not there.
    pub fn is_linkdown(self) -> bool {
        self.0 & FLAG_LINKDOWN != 0
    }

    /// Whether the path's device is not there.
    pub fn is_dead(self) -> bool {
        self.0 & FLAG_DEAD != 0
    }

    /// Whether another path of the prefix, before this one, is in use.
    pub fn is_standby(self) -> bool {
        self.0 & FLAG_STANDBY != 0
    }
}
