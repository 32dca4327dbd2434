// SPDX-License-Identifier: MIT OR Apache-2.0
//! Items to bytes.

use core::net::IpAddr;

use heapless::LenType;
use nl31_route::{DeviceName, Family, PathKind, Prefix, Spec};

use super::*;
use crate::frame::Full;
use crate::limits::ITEMS_MAX;

/// Longest item: operation, path with a name of 15 bytes and an IPv6 gateway, and
/// an IPv6 prefix.
const ITEM_MAX: usize = 1 + (1 + PATH_BYTES) + 17;

/// Longest path without its tag: flags, IPv6 gateway, name of 15 bytes, metric, protocol.
const PATH_BYTES: usize = 1 + 16 + 16 + 5 + 1;

/// See [`path_bytes`].
pub(crate) type PathBytes = heapless::Vec<u8, PATH_BYTES, u8>;

type Scratch = heapless::Vec<u8, ITEM_MAX>;

/// Collects items for one frame.
#[derive(Clone, Debug, Default)]
pub struct ItemsBuffer {
    bytes: heapless::Vec<u8, ITEMS_BYTES>,
    count: usize,
    state: State,
}

impl ItemsBuffer {
    /// A filter, see [`Items::filter`].
    pub fn filter(filter: &Spec<DeviceName>) -> Self {
        let mut buffer = Self::default();
        let mut scratch = Scratch::new();
        let path = Spec {
            prefix: None,
            ..filter.clone()
        };
        if path != Spec::default() {
            put_path(&mut scratch, &path);
        }
        if let Some(prefix) = filter.prefix {
            put_prefix(&mut scratch, prefix, None);
        }
        let _ = buffer.bytes.extend_from_slice(&scratch);
        buffer
    }

    /// What was collected.
    pub fn items(&self) -> Items<'_> {
        Items(&self.bytes)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds a change; nothing if there is no room for it. A route without a prefix
    /// is none, and is taken for one that has no room.
    pub fn push(&mut self, op: Op, route: &Spec<DeviceName>) -> Result<(), Full> {
        let prefix = route.prefix.ok_or(Full)?;
        if self.count == ITEMS_MAX {
            return Err(Full);
        }
        let mut scratch = Scratch::new();
        if op != self.state.op {
            put(&mut scratch, &[TAG_OP + op as u8]);
        }
        let path = Spec {
            prefix: None,
            ..route.clone()
        };
        let known = self.state.paths.iter().position(|known| *known == path);
        let change = path != self.state.path;
        match known {
            _ if !change => {}
            Some(index) => put(&mut scratch, &[TAG_PATH_AGAIN + index as u8]),
            None => put_path(&mut scratch, &path),
        }
        put_prefix(&mut scratch, prefix, self.state.last);
        self.bytes.extend_from_slice(&scratch).map_err(|_| Full)?;
        self.count += 1;
        self.state.op = op;
        self.state.last = Some(prefix);
        match known {
            _ if !change => {}
            Some(_) => self.state.path = path,
            None => self.state.define(path),
        }
        Ok(())
    }
}

fn put<const N: usize, L: LenType>(out: &mut heapless::Vec<u8, N, L>, bytes: &[u8]) {
    out.extend_from_slice(bytes)
        .expect("ITEM_MAX is the longest item, PATH_BYTES the longest path");
}

fn put_path(out: &mut Scratch, path: &Spec<DeviceName>) {
    put(out, &[TAG_PATH]);
    put(out, &path_bytes(path));
}

/// A path without its tag: flags, and what they announce.
pub(crate) fn path_bytes(path: &Spec<DeviceName>) -> PathBytes {
    let mut bytes = PathBytes::new();
    let out = &mut bytes;
    let index = |kind| PathKind::ALL.iter().position(|&known| known == kind);
    let kind = path.kind.and_then(index).map_or(0, |index| index as u8 + 1);
    let flag = |said: bool, flag: u8| if said { flag } else { 0 };
    let said = kind
        | flag(matches!(path.gateway, Some(IpAddr::V4(_))), GATEWAY_V4)
        | flag(matches!(path.gateway, Some(IpAddr::V6(_))), GATEWAY_V6)
        | flag(path.device.is_some(), DEVICE)
        | flag(path.metric.is_some(), METRIC)
        | flag(path.protocol.is_some(), PROTOCOL);
    put(out, &[said]);
    if let Some(gateway) = path.gateway {
        let (octets, len) = octets(gateway);
        put(out, &octets[..len]);
    }
    if let Some(device) = &path.device {
        let name = device.as_bytes();
        put(out, &[name.len() as u8]);
        put(out, name);
    }
    if let Some(metric) = path.metric {
        let mut varint = [0; 5];
        let varint = postcard::to_slice(&metric, &mut varint).expect("5 bytes hold 32 bits");
        put(out, varint);
    }
    if let Some(protocol) = path.protocol {
        put(out, &[protocol.0]);
    }
    bytes
}

fn put_prefix(out: &mut Scratch, prefix: Prefix, last: Option<Prefix>) {
    let (bytes, _) = octets(prefix.address());
    let used = usize::from(prefix.len()).div_ceil(8);
    let alike = |last: &Prefix| last.family() == prefix.family() && last.len() == prefix.len();
    let shared = last.filter(alike).map_or(0, |last| {
        let (before, _) = octets(last.address());
        let pairs = bytes[..used].iter().zip(&before);
        // A tag has room for 15.
        pairs
            .take_while(|(byte, before)| byte == before)
            .count()
            .min(15)
    });
    let tag = match (shared, prefix.family()) {
        (0, Family::V4) => TAG_V4 + prefix.len(),
        (0, Family::V6) => TAG_V6 + prefix.len(),
        _ => TAG_SHARED + shared as u8,
    };
    put(out, &[tag]);
    put(out, &bytes[shared..used]);
}
