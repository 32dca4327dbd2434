// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many routes in few bytes: a path is encoded once for all prefixes that have it, and a
//! prefix omits the bytes that it shares with the previous one.

use core::net::IpAddr;

use nl31_route::{DeviceName, Prefix, Spec};
use serde::{Deserialize, Serialize};

use crate::limits::{BODY_MAX, PATHS_MAX};

mod decode;
mod encode;

pub use decode::Iter;
pub(crate) use decode::path_from_bytes;
pub use encode::ItemsBuffer;
pub(crate) use encode::{PathBytes, path_bytes};

/// What is done with a route; the words are those of `ip route`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Op {
    /// Fails if the prefix has a path of this metric.
    #[default]
    Add,
    /// Takes the place of the first path of this metric, if there is one.
    Replace,
    /// The same, but fails if there is none.
    Change,
    /// Goes behind the paths of this metric; fails if exactly this path is there.
    Append,
    /// The first path that has all that is said; if nothing is said of the path,
    /// the prefix, which then must have only one.
    Delete,
    /// The prefix with all its paths.
    DeletePrefix,
}

impl Op {
    /// In the order of their tags.
    pub const ALL: [Self; 6] = [
        Self::Add,
        Self::Replace,
        Self::Change,
        Self::Append,
        Self::Delete,
        Self::DeletePrefix,
    ];
}

/// One change, or one route of a list, which are all [`Op::Add`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What is done.
    pub op: Op,
    /// The route. Its prefix is always there.
    pub route: Spec<DeviceName>,
}

impl Item {
    /// The prefix.
    pub fn prefix(&self) -> Prefix {
        self.route.prefix.expect("an item is made of a prefix")
    }
}

/// Most bytes of [`Items`]; a body has room for them and what else it says.
pub const ITEMS_BYTES: usize = BODY_MAX - 16;

const TAG_V4: u8 = 0x00;
const TAG_V6: u8 = 0x21;
const TAG_SHARED: u8 = 0xb0;
const TAG_PATH_AGAIN: u8 = 0xc0;
const TAG_OP: u8 = 0xd0;
const TAG_PATH: u8 = 0xe0;

const KIND: u8 = 0x07;
const GATEWAY_V4: u8 = 0x08;
const GATEWAY_V6: u8 = 0x10;
const DEVICE: u8 = 0x20;
const METRIC: u8 = 0x40;
const PROTOCOL: u8 = 0x80;

/// The state that both sides keep within one frame.
#[derive(Clone, Debug, Default)]
struct State {
    op: Op,
    path: Spec<DeviceName>,
    paths: heapless::Vec<Spec<DeviceName>, PATHS_MAX>,
    /// Where the next path goes.
    next: usize,
    last: Option<Prefix>,
}

impl State {
    fn define(&mut self, path: Spec<DeviceName>) {
        if let Err(path) = self.paths.push(path.clone()) {
            self.paths[self.next] = path;
        }
        self.next = (self.next + 1) % PATHS_MAX;
        self.path = path;
    }
}

/// Bytes that are not items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset} of the items")]
pub struct BadItems {
    /// Byte from the start of the items.
    pub offset: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

/// Routes as a frame carries them: bytes that may be wrong, see [`Items::iter`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    /// Items that came from elsewhere.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// One after the other; ends after the first error.
    pub fn iter(self) -> Iter<'a> {
        Iter {
            bytes: self.0,
            at: 0,
            count: 0,
            state: State::default(),
        }
    }

    /// Looks at all of them, so that nothing is begun that cannot be ended; gives
    /// their number.
    pub fn check(self) -> Result<usize, BadItems> {
        self.iter()
            .try_fold(0, |count, item| item.map(|_| count + 1))
    }

    /// As a filter: what is said of the path, and at most one prefix. No bytes are
    /// the filter that everything passes.
    pub fn filter(self) -> Result<Spec<DeviceName>, BadItems> {
        let mut iter = self.iter();
        let filter = match iter.next() {
            Some(item) => item?.route,
            None => iter.state.path.clone(),
        };
        if iter.state.op != Op::Add || iter.at != self.0.len() {
            let reason = "a filter is a path and one prefix at most";
            return Err(BadItems {
                offset: iter.at,
                reason,
            });
        }
        Ok(filter)
    }
}

/// The bytes of an address, and how many there are.
fn octets(address: IpAddr) -> ([u8; 16], usize) {
    match address {
        IpAddr::V4(address) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&address.octets());
            (octets, 4)
        }
        IpAddr::V6(address) => (address.octets(), 16),
    }
}

#[cfg(test)]
pub(crate) mod tests;
