// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many routes in few bytes: a path is said once for all prefixes that have it, and
//! a prefix leaves out what it shares with the one before.

use core::fmt;
use core::net::IpAddr;

use nl31_route::{DeviceName, Family, PathKind, Prefix, Protocol, Spec};
use serde::{Deserialize, Serialize};

use crate::frame::Full;
use crate::limits::{BODY_MAX, ITEMS_MAX, PATHS_MAX};

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

/// What both sides remember within one frame.
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

/// Bytes that are no items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadItems {
    /// Byte from the start of the items.
    pub offset: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

impl fmt::Display for BadItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} of the items", self.reason, self.offset)
    }
}

impl core::error::Error for BadItems {}

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

/// See [`Items::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    at: usize,
    count: usize,
    state: State,
}

impl Iter<'_> {
    /// Where the next item starts.
    pub fn offset(&self) -> usize {
        self.at
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let bytes = self.bytes[self.at..]
            .first_chunk::<N>()
            .ok_or("more bytes were expected")?;
        self.at += N;
        Ok(*bytes)
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn item(&mut self) -> Result<Option<Item>, &'static str> {
        while self.at < self.bytes.len() {
            let tag = self.byte()?;
            let prefix = match tag {
                TAG_V4..=0x20 => self.prefix(Family::V4, tag, [0; 16], 0)?,
                TAG_V6..=0xa1 => self.prefix(Family::V6, tag - TAG_V6, [0; 16], 0)?,
                TAG_SHARED..=0xbf => {
                    let last = self.state.last.ok_or("there is no prefix before")?;
                    let shared = usize::from(tag - TAG_SHARED);
                    let (octets, _) = octets(last.address());
                    self.prefix(last.family(), last.len(), octets, shared)?
                }
                TAG_PATH_AGAIN..=0xc7 => {
                    let index = usize::from(tag - TAG_PATH_AGAIN);
                    let path = self.state.paths.get(index).ok_or("there is no such path")?;
                    self.state.path = path.clone();
                    continue;
                }
                TAG_OP..=0xd5 => {
                    self.state.op = Op::ALL[usize::from(tag - TAG_OP)];
                    continue;
                }
                TAG_PATH => {
                    let path = self.path()?;
                    self.state.define(path);
                    continue;
                }
                _ => return Err("unknown tag"),
            };
            self.count += 1;
            if self.count > ITEMS_MAX {
                return Err("more items than a frame may have");
            }
            self.state.last = Some(prefix);
            let route = Spec {
                prefix: Some(prefix),
                ..self.state.path.clone()
            };
            return Ok(Some(Item {
                op: self.state.op,
                route,
            }));
        }
        Ok(None)
    }

    fn prefix(
        &mut self,
        family: Family,
        len: u8,
        mut octets: [u8; 16],
        shared: usize,
    ) -> Result<Prefix, &'static str> {
        let used = usize::from(len).div_ceil(8);
        if shared > used {
            return Err("more bytes are shared than the prefix has");
        }
        octets[shared..].fill(0);
        for octet in &mut octets[shared..used] {
            *octet = self.byte()?;
        }
        let address: IpAddr = match family {
            Family::V4 => [octets[0], octets[1], octets[2], octets[3]].into(),
            Family::V6 => octets.into(),
        };
        Prefix::new(address, len).map_err(|_| "bits are set beyond the prefix length")
    }

    fn path(&mut self) -> Result<Spec<DeviceName>, &'static str> {
        let said = self.byte()?;
        let kind = match said & KIND {
            0 => None,
            number => Some(
                *PathKind::ALL
                    .get(usize::from(number) - 1)
                    .ok_or("unknown kind of path")?,
            ),
        };
        let gateway = match said & (GATEWAY_V4 | GATEWAY_V6) {
            0 => None,
            GATEWAY_V4 => Some(IpAddr::from(self.take::<4>()?)),
            GATEWAY_V6 => Some(IpAddr::from(self.take::<16>()?)),
            _ => return Err("a gateway has one family"),
        };
        let device = if said & DEVICE == 0 {
            None
        } else {
            Some(self.device()?)
        };
        let metric = if said & METRIC == 0 {
            None
        } else {
            Some(self.number()?)
        };
        let protocol = if said & PROTOCOL == 0 {
            None
        } else {
            Some(Protocol(self.byte()?))
        };
        Ok(Spec {
            kind,
            prefix: None,
            gateway,
            device,
            metric,
            protocol,
        })
    }

    fn device(&mut self) -> Result<DeviceName, &'static str> {
        let len = usize::from(self.byte()?);
        let name = self
            .bytes
            .get(self.at..self.at + len)
            .ok_or("more bytes were expected")?;
        self.at += len;
        DeviceName::from_bytes(name).map_err(|_| "not the name of a device")
    }

    fn number(&mut self) -> Result<u32, &'static str> {
        let rest = &self.bytes[self.at..];
        let (number, behind) = postcard::take_from_bytes(rest).map_err(|_| "not a number")?;
        self.at += rest.len() - behind.len();
        Ok(number)
    }
}

impl Iterator for Iter<'_> {
    type Item = Result<Item, BadItems>;

    fn next(&mut self) -> Option<Self::Item> {
        self.item()
            .map_err(|reason| {
                let offset = core::mem::replace(&mut self.at, self.bytes.len());
                BadItems { offset, reason }
            })
            .transpose()
    }
}

/// Longest item: operation, path with a name of 15 bytes and an IPv6 gateway, and
/// an IPv6 prefix.
const ITEM_MAX: usize = 1 + (2 + 16 + 16 + 5 + 1) + 17;

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

fn put(out: &mut Scratch, bytes: &[u8]) {
    out.extend_from_slice(bytes)
        .expect("ITEM_MAX is the longest item");
}

fn put_path(out: &mut Scratch, path: &Spec<DeviceName>) {
    let index = |kind| PathKind::ALL.iter().position(|&known| known == kind);
    let kind = path.kind.and_then(index).map_or(0, |index| index as u8 + 1);
    let flag = |said: bool, flag: u8| if said { flag } else { 0 };
    let said = kind
        | flag(matches!(path.gateway, Some(IpAddr::V4(_))), GATEWAY_V4)
        | flag(matches!(path.gateway, Some(IpAddr::V6(_))), GATEWAY_V6)
        | flag(path.device.is_some(), DEVICE)
        | flag(path.metric.is_some(), METRIC)
        | flag(path.protocol.is_some(), PROTOCOL);
    put(out, &[TAG_PATH, said]);
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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn spec(text: &str) -> Spec<DeviceName> {
        nl31_route::Syntax::CONFIG.parse(text, 0).unwrap().spec
    }

    fn push(buffer: &mut ItemsBuffer, op: Op, text: &str) {
        buffer.push(op, &spec(text)).unwrap();
    }

    #[test]
    fn golden_bytes() {
        let mut buffer = ItemsBuffer::default();
        push(&mut buffer, Op::Add, "10.1.0.0/24 via 192.0.2.1");
        push(&mut buffer, Op::Add, "10.1.1.0/24 via 192.0.2.1");
        push(
            &mut buffer,
            Op::Add,
            "10.2.0.0/16 dev eth0 metric 300 proto bgp",
        );
        push(&mut buffer, Op::Replace, "0.0.0.0/0 via 192.0.2.1");
        push(&mut buffer, Op::Append, "blackhole 2001:db8::/32");
        push(&mut buffer, Op::Append, "blackhole 2001:db9::/32");
        push(&mut buffer, Op::Delete, "2001:db8::1/128");
        push(
            &mut buffer,
            Op::DeletePrefix,
            "2001:db8::1/128 via 2001:db8::2",
        );
        #[rustfmt::skip]
        let expected = [
            0xe0, 0x08, 192, 0, 2, 1, 24, 10, 1, 0,
            0xb2, 1,
            0xe0, 0xe0, 4, b'e', b't', b'h', b'0', 0xac, 0x02, 186, 16, 10, 2,
            0xd1, 0xc0, 0,
            0xd3, 0xe0, 0x02, 0x41, 0x20, 0x01, 0x0d, 0xb8,
            0xb3, 0xb9,
            0xd4, 0xe0, 0x00, 0xa1, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
            0xd5, 0xe0, 0x10, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0xbf, 1,
        ];
        assert_eq!(buffer.items().bytes(), expected);
        assert_eq!(buffer.items().check(), Ok(8));
    }

    #[test]
    fn bad_bytes_are_named() {
        let bad = |bytes: &[u8]| {
            let error = Items(bytes).check().unwrap_err();
            (
                error.offset,
                error.to_string().split(" at ").next().unwrap().to_string(),
            )
        };
        let reason = |offset: usize, text: &str| (offset, String::from(text));
        assert_eq!(bad(&[8, 10, 9, 10]), reason(4, "more bytes were expected"));
        assert_eq!(bad(&[8]), reason(1, "more bytes were expected"));
        assert_eq!(
            bad(&[7, 1]),
            reason(2, "bits are set beyond the prefix length")
        );
        assert_eq!(bad(&[0xb0]), reason(1, "there is no prefix before"));
        assert_eq!(
            bad(&[8, 10, 0xb2]),
            reason(3, "more bytes are shared than the prefix has")
        );
        assert_eq!(bad(&[0xc0, 0]), reason(1, "there is no such path"));
        assert_eq!(bad(&[0xa2]), reason(1, "unknown tag"));
        assert_eq!(bad(&[0xd6]), reason(1, "unknown tag"));
        assert_eq!(bad(&[0xff]), reason(1, "unknown tag"));
        assert_eq!(bad(&[0xe0, 5]), reason(2, "unknown kind of path"));
        assert_eq!(bad(&[0xe0, 0x18]), reason(2, "a gateway has one family"));
        assert_eq!(
            bad(&[0xe0, 0x20, 1, b'/']),
            reason(4, "not the name of a device")
        );
        assert_eq!(
            bad(&[0xe0, 0x20, 200, b'a']),
            reason(3, "more bytes were expected")
        );
        assert_eq!(
            bad(&[0xe0, 0x40, 0xff, 0xff, 0xff, 0xff, 0xff]),
            reason(2, "not a number")
        );
        assert_eq!(
            bad(&[0; ITEMS_MAX + 1]).1,
            "more items than a frame may have"
        );
        assert_eq!(Items(&[0; ITEMS_MAX]).check(), Ok(ITEMS_MAX));
    }

    #[test]
    fn filters() {
        for text in [
            "10.0.0.0/8",
            "blackhole 10.0.0.0/8",
            "10.0.0.0/8 dev eth0 metric 0",
        ] {
            let filter = spec(text);
            assert_eq!(ItemsBuffer::filter(&filter).items().filter(), Ok(filter));
        }
        let filter = Spec {
            metric: Some(0),
            ..Spec::default()
        };
        assert_eq!(ItemsBuffer::filter(&filter).items().filter(), Ok(filter));
        assert!(
            ItemsBuffer::filter(&Spec::default())
                .items()
                .bytes()
                .is_empty()
        );
        assert_eq!(Items(&[]).filter(), Ok(Spec::default()));
        for bad in [
            &[0, 0][..],
            &[0xd1, 0],
            &[0xd1],
            &[0, 0xff],
            &[0xff],
            &[0, 0xe0, 0],
        ] {
            assert!(Items(bad).filter().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_full_buffer_keeps_what_it_has() {
        let mut buffer = ItemsBuffer::default();
        let mut count = 0u32;
        let route = |count: u32| {
            spec(&std::format!(
                "2001:db8:{count:x}::1 via fe80::{count:x} dev eth{count} metric {count}"
            ))
        };
        while buffer.push(Op::Add, &route(count)).is_ok() {
            count += 1;
        }
        assert!((8..20).contains(&count));
        let items: Vec<_> = buffer
            .items()
            .iter()
            .map(|item| item.unwrap().route)
            .collect();
        assert_eq!(items, (0..count).map(route).collect::<Vec<_>>());
        assert_eq!(buffer.push(Op::Add, &Spec::default()), Err(Full));
        buffer.clear();
        for _ in 0..ITEMS_MAX {
            push(&mut buffer, Op::Add, "0.0.0.0/0 via 192.0.2.1");
        }
        assert_eq!(
            buffer.push(Op::Add, &spec("0.0.0.0/0 via 192.0.2.1")),
            Err(Full)
        );
    }

    fn any_spec() -> impl Strategy<Value = Spec<DeviceName>> {
        let prefix = (any::<bool>(), any::<u128>(), 0..=128u8).prop_map(|(four, bits, len)| {
            if four {
                let len = len % 33;
                let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
                Prefix::new(IpAddr::V4(((bits as u32) & 0x0303_ffff & mask).into()), len).unwrap()
            } else {
                let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
                Prefix::new(IpAddr::V6((bits & mask).into()), len).unwrap()
            }
        });
        let gateway = prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<[u8; 16]>().prop_map(IpAddr::from),
            Just([192, 0, 2, 1].into()),
        ];
        (
            proptest::option::of(0..4usize),
            prefix,
            proptest::option::of(gateway),
            proptest::option::of("[a-z]{1,15}"),
            proptest::option::of(any::<u32>()),
            proptest::option::of(any::<u8>()),
        )
            .prop_map(|(kind, prefix, gateway, device, metric, protocol)| Spec {
                kind: kind.map(|index| PathKind::ALL[index]),
                prefix: Some(prefix),
                gateway,
                device: device.map(|name| name.parse().unwrap()),
                metric,
                protocol: protocol.map(Protocol),
            })
    }

    proptest! {
        #[test]
        fn any_items_survive(
            paths in proptest::collection::vec(any_spec(), 1..12),
            items in proptest::collection::vec((0..6usize, any_spec(), any::<proptest::sample::Index>()), 0..200),
        ) {
            let mut buffer = ItemsBuffer::default();
            let mut expected = Vec::new();
            for (op, route, path) in items {
                let route = Spec { prefix: route.prefix, ..path.get(&paths).clone() };
                if buffer.push(Op::ALL[op], &route).is_ok() {
                    expected.push(Item { op: Op::ALL[op], route });
                }
            }
            let items: Result<Vec<_>, _> = buffer.items().iter().collect();
            prop_assert_eq!(items, Ok(expected));
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..ITEMS_BYTES)) {
            let items = Items(&bytes);
            let count = items.iter().take_while(Result::is_ok).count();
            prop_assert!(count <= ITEMS_MAX);
            prop_assert_eq!(items.iter().count(), count + usize::from(items.check().is_err()));
            let _ = items.filter();
        }
    }
}
