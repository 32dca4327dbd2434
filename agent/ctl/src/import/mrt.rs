// SPDX-License-Identifier: MIT OR Apache-2.0
//! MRT RIB dumps: TABLE_DUMP_V2 of RFC 6396, and RFC 8050's entries with path identifiers.
//!
//! A reader of our own, which has one entry of a record in memory at a time and looks at three
//! attributes of it. `bgpkit-parser` has the whole record, and makes objects of every attribute
//! of every peer.
//!
//! One route is taken of each prefix. It is not the one that BGP would choose: local
//! preferences and the session's kind are not known here. The shortest AS path wins, then the
//! first `--next-hop`, then the first entry.

use std::io::{self, BufRead};
use std::net::IpAddr;

use nl31_route::{
    DeviceName, Family, Path, PathKind, Prefix, PrefixError, Protocol, Route, is_host,
};

use super::intake::{Intake, Place};
use super::next_hop::{NextHop, Peer};
use crate::error::Error;

/// The types of RFC 6396, and their names where they are told.
const TYPES: [(u16, &str); 9] = [
    (11, "OSPFv2"),
    (12, "TABLE_DUMP"),
    (TABLE_DUMP_V2, "TABLE_DUMP_V2"),
    (16, "BGP4MP"),
    (17, "BGP4MP_ET"),
    (32, "ISIS"),
    (33, "ISIS_ET"),
    (48, "OSPFv3"),
    (49, "OSPFv3_ET"),
];

const TABLE_DUMP_V2: u16 = 13;

const HEADER_LEN: u64 = 12;

/// Peers that a message names at most.
const PEERS_NAMED: usize = 10;

const LEFT_OUT: &str = "prefixes that no peer of --next-hop has a route for";

/// Whether a source that starts so is of MRT.
pub fn is_mrt(start: &[u8]) -> bool {
    match start.get(4..12) {
        Some(&[high, low, 0, subtype, ..]) => {
            let kind = u16::from_be_bytes([high, low]);
            subtype < 32 && TYPES.iter().any(|&(known, _)| known == kind)
        }
        _ => false,
    }
}

/// Reads a dump to its end.
pub fn read(
    input: &mut dyn BufRead,
    next_hops: &[NextHop],
    intake: &mut Intake<'_>,
) -> Result<(), Error> {
    let mut record = Record {
        input,
        offset: 0,
        left: 0,
    };
    let mut peers = None;
    loop {
        let start = record.offset;
        let result = record.begin().and_then(|header| match header {
            Some(header) => {
                let route = body(header, &mut record, next_hops, &mut peers, intake)?;
                match record.left {
                    0 => Ok(Some(route)),
                    left => wrong(format!("the record has {left} bytes too many")),
                }
            }
            None => Ok(None),
        });
        let place = Place::Byte(start);
        let ended = match result {
            Ok(None) => return Ok(()),
            Ok(Some(None)) => Ok(()),
            Ok(Some(Some(route))) => intake.route(place, &route).map_err(Fault::Error),
            Err(Fault::Wrong(text)) => intake.skip(place, &text).map_err(Fault::Error),
            Err(fault) => Err(fault),
        };
        match ended.and_then(|()| record.pass_over(record.left)) {
            Ok(()) => {}
            Err(Fault::Read(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let text = format!("the file ends inside this record: {error}");
                return Err(intake.error(place, &text));
            }
            Err(Fault::Read(error)) => return Err(intake.unreadable(record.offset, error)),
            Err(Fault::Wrong(text)) => intake.skip(place, &text)?,
            Err(Fault::Error(error)) => return Err(error),
        }
    }
}

/// Why a record ended.
enum Fault {
    /// Its content; the next record can be read.
    Wrong(String),
    /// The source.
    Read(io::Error),
    /// For the whole import.
    Error(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

fn wrong<T>(text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Wrong(text.into()))
}

/// What is left of a record.
struct Record<'a> {
    input: &'a mut dyn BufRead,
    /// From the start of the source.
    offset: u64,
    left: u64,
}

/// Type and subtype.
struct Header(u16, u16);

impl Record<'_> {
    /// Reads the header of the next record; `None` at the end.
    fn begin(&mut self) -> Result<Option<Header>, Fault> {
        if self.input.fill_buf().map_err(Fault::Read)?.is_empty() {
            return Ok(None);
        }
        self.left = HEADER_LEN;
        let _time: [u8; 4] = self.bytes()?;
        let header = Header(self.u16()?, self.u16()?);
        self.left = self.u32()?.into();
        Ok(Some(header))
    }

    /// Reads into all of `buffer`.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Fault> {
        let len = buffer.len() as u64;
        if len > self.left {
            return wrong("the record is shorter than what it has to hold");
        }
        self.input.read_exact(buffer).map_err(Fault::Read)?;
        self.left -= len;
        self.offset += len;
        Ok(())
    }

    fn bytes<const LEN: usize>(&mut self) -> Result<[u8; LEN], Fault> {
        let mut bytes = [0; LEN];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8, Fault> {
        self.bytes().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, Fault> {
        self.bytes().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.bytes().map(u32::from_be_bytes)
    }

    fn pass_over(&mut self, len: u64) -> Result<(), Fault> {
        if len > self.left {
            return wrong("the record is shorter than what it has to hold");
        }
        let mut wanted = len;
        while wanted > 0 {
            let available = self.input.fill_buf().map_err(Fault::Read)?.len();
            if available == 0 {
                return Err(Fault::Read(io::ErrorKind::UnexpectedEof.into()));
            }
            let passed = available.min(usize::try_from(wanted).unwrap_or(usize::MAX));
            self.input.consume(passed);
            self.left -= passed as u64;
            self.offset += passed as u64;
            wanted -= passed as u64;
        }
        Ok(())
    }

    fn address(&mut self, is_v6: bool) -> Result<IpAddr, Fault> {
        match is_v6 {
            true => self.bytes::<16>().map(IpAddr::from),
            false => self.bytes::<4>().map(IpAddr::from),
        }
    }
}

/// Reads the body of a record; gives the route that it tells.
fn body(
    Header(kind, subtype): Header,
    record: &mut Record<'_>,
    next_hops: &[NextHop],
    peers: &mut Option<Peers>,
    intake: &mut Intake<'_>,
) -> Result<Option<Route<DeviceName>>, Fault> {
    if kind != TABLE_DUMP_V2 {
        let known = TYPES.iter().find(|&&(known, _)| known == kind);
        let text = match known {
            Some((_, name)) => format!("a record of type {name}; only TABLE_DUMP_V2 is read"),
            None => format!("a record of the unknown type {kind}"),
        };
        return wrong(text);
    }
    let (family, has_path_id) = match subtype {
        1 => {
            // Should this one be wrong, another one's numbers do not fit what follows.
            *peers = None;
            *peers = Some(Peers::read(record, next_hops)?);
            return Ok(None);
        }
        2 => (Family::V4, false),
        4 => (Family::V6, false),
        8 => (Family::V4, true),
        10 => (Family::V6, true),
        _ => {
            return wrong(match subtype {
                3 | 5 | 9 | 11 => "multicast routes".into(),
                6 | 12 => "RIB_GENERIC: routes of another address family".into(),
                7 => "GEO_PEER_TABLE: where the peers are".into(),
                _ => format!("a record of the unknown subtype {subtype}"),
            });
        }
    };
    let Some(peers) = peers else {
        return wrong("routes without a PEER_INDEX_TABLE before them");
    };
    prefix(record, family, has_path_id, next_hops, peers, intake)
}

/// The peers of a dump, by their numbers: for each family, which of `--next-hop` is for them.
struct Peers(Vec<[Option<u16>; 2]>);

impl Peers {
    fn read(record: &mut Record<'_>, next_hops: &[NextHop]) -> Result<Self, Fault> {
        let _collector = record.u32()?;
        let view = record.u16()?;
        record.pass_over(view.into())?;
        let count = record.u16()?;
        let mut peers = Vec::new();
        let mut named = Vec::new();
        let mut found = vec![false; next_hops.len()];
        for _ in 0..count {
            let kind = record.u8()?;
            let _id = record.u32()?;
            let address = record.address(kind & 1 != 0)?;
            let number = match kind & 2 != 0 {
                true => record.u32()?,
                false => record.u16()?.into(),
            };
            if named.len() < PEERS_NAMED {
                named.push(format!("{address} (AS {number})"));
            }
            let mut hops = [None; 2];
            for (index, hop) in next_hops.iter().enumerate() {
                let is_this = match hop.peer {
                    Peer::Address(peer) => peer == address,
                    Peer::As(peer) => peer == number,
                };
                if is_this {
                    found[index] = true;
                    let slot = &mut hops[Family::of(hop.gateway) as usize];
                    *slot = slot.or(u16::try_from(index).ok());
                }
            }
            peers.push(hops);
        }
        if let Some(index) = found.iter().position(|found| !found) {
            let peer = match next_hops[index].peer {
                Peer::Address(address) => address.to_string(),
                Peer::As(number) => format!("AS {number}"),
            };
            let more = if peers.len() > named.len() {
                ", ..."
            } else {
                ""
            };
            let named = named.join(", ");
            let text = format!("--next-hop: the dump has no peer {peer}; it has {named}{more}");
            return Err(Fault::Error(Error::Usage(text)));
        }
        Ok(Self(peers))
    }
}

/// A route that may be taken: the lowest one is.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    path_len: u32,
    next_hop: u16,
}

/// Reads a prefix and its entries; chooses one.
fn prefix(
    record: &mut Record<'_>,
    family: Family,
    has_path_id: bool,
    next_hops: &[NextHop],
    peers: &Peers,
    intake: &mut Intake<'_>,
) -> Result<Option<Route<DeviceName>>, Fault> {
    let _number = record.u32()?;
    let len = record.u8()?;
    if len > family.bits() {
        return wrong(format!("an {family} prefix of the length {len}"));
    }
    let mut address = [0; 16];
    record.fill(&mut address[..usize::from(len.div_ceil(8))])?;
    let address = match family {
        Family::V4 => IpAddr::from([address[0], address[1], address[2], address[3]]),
        Family::V6 => IpAddr::from(address),
    };
    let prefix = match Prefix::new(address, len) {
        // The bits behind the length may have any value.
        Ok(prefix) | Err(PrefixError::HostBits(prefix)) => prefix,
        Err(error) => return wrong(error.to_string()),
    };
    let mut best: Option<(Rank, IpAddr, Option<DeviceName>)> = None;
    let mut unusable = None;
    let mut told = false;
    let mut attributes = Vec::new();
    for _ in 0..record.u16()? {
        let place = Place::Byte(record.offset);
        let peer = record.u16()?;
        let _originated = record.u32()?;
        if has_path_id {
            record.u32()?;
        }
        let len = record.u16()?;
        let Some(hops) = peers.0.get(usize::from(peer)) else {
            record.pass_over(len.into())?;
            intake.skip(
                place,
                &format!("{prefix} of peer {peer}, which there is not"),
            )?;
            told = true;
            continue;
        };
        let hop = hops[family as usize];
        if hop.is_none() && !next_hops.is_empty() {
            record.pass_over(len.into())?;
            continue;
        }
        attributes.resize(usize::from(len), 0);
        record.fill(&mut attributes)?;
        let attributes = match Attributes::read(&attributes) {
            Ok(attributes) => attributes,
            Err(text) => {
                intake.skip(place, &format!("{prefix} of peer {peer}: {text}"))?;
                told = true;
                continue;
            }
        };
        let (gateway, device) = match hop {
            Some(hop) => {
                let hop = &next_hops[usize::from(hop)];
                (hop.gateway, hop.device.clone())
            }
            None => match attributes.gateway(family) {
                Ok(gateway) => (gateway, None),
                Err(text) => {
                    unusable = Some(text);
                    continue;
                }
            },
        };
        let rank = Rank {
            path_len: attributes.path_len,
            next_hop: hop.unwrap_or(0),
        };
        if best.as_ref().is_none_or(|(best, ..)| rank < *best) {
            best = Some((rank, gateway, device));
        }
    }
    match (best, unusable) {
        (Some((_, gateway, device)), _) => Ok(Some(Route {
            prefix,
            path: Path {
                kind: PathKind::Unicast,
                gateway: Some(gateway),
                device,
                metric: 0,
                protocol: BGP,
            },
        })),
        (None, Some(text)) => wrong(format!("{prefix}: {text}")),
        (None, None) => {
            if !told {
                intake.leave_out(match next_hops.is_empty() {
                    true => "prefixes without a route",
                    false => LEFT_OUT,
                });
            }
            Ok(None)
        }
    }
}

/// `RTPROT_BGP`
const BGP: Protocol = Protocol(186);

/// What is needed of a route's attributes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Attributes {
    /// By the rules of RFC 4271, 9.1.2.2: a set counts as one AS, a confederation not at all.
    path_len: u32,
    next_hop: Option<IpAddr>,
    /// Of MP_REACH_NLRI.
    reach: Option<IpAddr>,
}

impl Attributes {
    fn read(mut rest: &[u8]) -> Result<Self, &'static str> {
        let mut attributes = Self::default();
        while !rest.is_empty() {
            let (kind, value);
            (kind, value, rest) = attribute(rest).ok_or("an attribute is longer than all")?;
            match kind {
                2 => attributes.path_len = path_len(value).ok_or("a wrong AS_PATH")?,
                3 => attributes.next_hop = Some(address(value).ok_or("a wrong NEXT_HOP")?),
                14 => attributes.reach = Some(reach(value).ok_or("a wrong MP_REACH_NLRI")?),
                _ => {}
            }
        }
        Ok(attributes)
    }

    /// The route's own next hop.
    fn gateway(&self, family: Family) -> Result<IpAddr, String> {
        let hops = [self.next_hop, self.reach];
        let of_family = |hop: &IpAddr| Family::of(*hop) == family;
        match hops.into_iter().flatten().find(of_family) {
            Some(hop) if !is_host(hop) => {
                Err(format!("the next hop {hop} is not the address of a host"))
            }
            Some(IpAddr::V6(hop)) if hop.is_unicast_link_local() => Err(format!(
                "the next hop {hop} is link-local: use --next-hop PEER={hop}%DEVICE"
            )),
            Some(hop) => Ok(hop),
            None if self.next_hop.or(self.reach).is_some() => Err(format!(
                "no next hop is {family}: use --next-hop PEER=ADDRESS"
            )),
            None => Err("the entry has no next hop".into()),
        }
    }
}

/// Takes an attribute off: its type, its value, and what follows.
fn attribute(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[flags, kind], rest) = bytes.split_first_chunk()?;
    let (len, rest) = match flags & 0x10 != 0 {
        true => {
            let (len, rest) = rest.split_first_chunk()?;
            (u16::from_be_bytes(*len), rest)
        }
        false => {
            let (&len, rest) = rest.split_first()?;
            (len.into(), rest)
        }
    };
    let (value, rest) = rest.split_at_checked(len.into())?;
    Some((kind, value, rest))
}

fn path_len(mut rest: &[u8]) -> Option<u32> {
    let mut len = 0;
    while let Some((&[kind, count], behind)) = rest.split_first_chunk() {
        (_, rest) = behind.split_at_checked(4 * usize::from(count))?;
        len += match kind {
            1 => 1,
            2 => u32::from(count),
            3 | 4 => 0,
            _ => return None,
        };
    }
    rest.is_empty().then_some(len)
}

/// The next hop of MP_REACH_NLRI: alone, as RFC 6396 has it, or behind the address family, as
/// some programs write it.
fn reach(value: &[u8]) -> Option<IpAddr> {
    let rest = match value {
        [0, _, _, rest @ ..] => rest,
        _ => value,
    };
    let (&len, rest) = rest.split_first()?;
    match (len, rest.get(..usize::from(len))?) {
        // A global address, and a link-local one.
        (32, both) => address(&both[..16]),
        (_, one) => address(one),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v6.or_else(|_| v4()).ok()
}
