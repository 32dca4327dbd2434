// SPDX-License-Identifier: MIT OR Apache-2.0
//! rtnetlink messages about routes and next hops, read from bytes that may be wrong.
//!
//! The crate netlink-packet-route 0.34 has no next-hop objects (`RTM_NEWNEXTHOP`,
//! `RTA_NH_ID`), without which zebra's groups cannot be read, and decodes every attribute into
//! memory of its own. What a feed needs of the format is this page. Nothing is allocated but
//! the hops, of which a message of 64 KiB has at most a few thousand.

use std::net::IpAddr;

use nix::libc;
use nl31_route::{Family, Prefix};

/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Bytes of `struct rtmsg`.
const ROUTE_HEADER: usize = 12;
/// Bytes of `struct nhmsg`.
const NEXT_HOP_HEADER: usize = 8;
/// Bytes of `struct rtnexthop`.
const MULTIPATH_HEADER: usize = 8;
/// Bytes of `struct nexthop_grp`.
const MEMBER: usize = 8;

const RTM_NEWNEXTHOP: u16 = 104;
const RTM_DELNEXTHOP: u16 = 105;
const RTA_VIA: u16 = 18;
const RTA_ENCAP: u16 = 22;
const RTA_NH_ID: u16 = 30;
const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_ENCAP: u16 = 8;
/// Flags of an attribute's kind: nested, and network byte order.
const KIND_MASK: u16 = 0x3fff;
const RTM_F_CLONED: u32 = 0x200;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `RTM_NEWROUTE`, and whether it goes behind the routes of its metric (`NLM_F_APPEND`).
    NewRoute(RouteMessage, bool),
    /// `RTM_DELROUTE`.
    DeleteRoute(RouteMessage),
    /// `RTM_NEWNEXTHOP`.
    NewNextHop(u32, NextHop),
    /// `RTM_DELNEXTHOP`.
    DeleteNextHop(u32),
    /// `NLMSG_DONE`: the end of a dump; and whether the table has changed meanwhile.
    Done(bool),
    /// `NLMSG_ERROR`, with the positive error number; 0 is an ack.
    Error(i32),
    /// Any other kind.
    Other(u16),
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMessage {
    /// Where to.
    pub prefix: Prefix,
    /// `RTA_TABLE`, or `rtm_table`.
    pub table: u32,
    /// `RTPROT_*`
    pub protocol: u8,
    /// `RTN_*`
    pub kind: u8,
    /// `RTA_PRIORITY`.
    pub metric: Option<u32>,
    /// Which way.
    pub via: Via,
}

/// Which way a route goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// These hops; there may be none.
    Hops(Vec<Hop>),
    /// The next-hop object of this number.
    Object(u32),
}

/// One hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// The next router; none if the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The sender's index of the device.
    pub device: Option<u32>,
    /// The packet is to be encapsulated, with a label for instance.
    pub encapsulates: bool,
}

/// A next-hop object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// A hop.
    Hop(Hop),
    /// Packets are dropped.
    Blackhole,
    /// The objects of these numbers. Their weights are not read: the table has none.
    Group(Vec<u32>),
}

/// Why bytes are not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// The length of a message is not right, so that the next one is not found.
    #[error("an rtnetlink message has a wrong length")]
    Length,
    /// The message is skipped: its content is wrong, or cannot be expressed.
    #[error("{0}")]
    Content(&'static str),
}

/// The messages of a frame or datagram. After [`BadMessage::Length`] there are no more.
pub fn messages(bytes: &[u8]) -> impl Iterator<Item = Result<Message, BadMessage>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let len = u32_at(rest, 0).map_or(0, |len| len as usize);
        if len < HEADER || len > rest.len() {
            rest = &[];
            return Some(Err(BadMessage::Length));
        }
        let (message, _) = rest.split_at(len);
        rest = rest.get(align(len)..).unwrap_or_default();
        Some(read(message))
    })
}

/// Reads a message, whose length is that of the header or more.
fn read(message: &[u8]) -> Result<Message, BadMessage> {
    let kind = u16_at(message, 4).unwrap_or_default();
    let flags = u16_at(message, 6).unwrap_or_default();
    let payload = &message[HEADER..];
    match kind {
        libc::RTM_NEWROUTE => {
            let append = flags & libc::NLM_F_APPEND as u16 != 0;
            Ok(Message::NewRoute(route(payload)?, append))
        }
        libc::RTM_DELROUTE => Ok(Message::DeleteRoute(route(payload)?)),
        RTM_NEWNEXTHOP => next_hop(payload),
        RTM_DELNEXTHOP => Ok(Message::DeleteNextHop(next_hop_id(payload)?)),
        _ if kind == libc::NLMSG_DONE as u16 => {
            let interrupted = flags & libc::NLM_F_DUMP_INTR as u16 != 0;
            Ok(Message::Done(interrupted))
        }
        _ if kind == libc::NLMSG_ERROR as u16 => {
            let error = u32_at(payload, 0).ok_or(BadMessage::Content("a short error"))?;
            Ok(Message::Error((error as i32).saturating_neg()))
        }
        kind => Ok(Message::Other(kind)),
    }
}

fn route(payload: &[u8]) -> Result<RouteMessage, BadMessage> {
    let Some((header, rest)) = payload.split_at_checked(ROUTE_HEADER) else {
        return Err(BadMessage::Content("a short route"));
    };
    let family = family(header[0])?;
    let flags = u32_at(header, 8).unwrap_or_default();
    if header[2] != 0 {
        return Err(BadMessage::Content("a route that depends on the source"));
    }
    if header[3] != 0 {
        return Err(BadMessage::Content("a route that depends on the TOS"));
    }
    if flags & RTM_F_CLONED != 0 {
        return Err(BadMessage::Content("a route of the cache"));
    }
    let mut address = match family {
        Family::V4 => IpAddr::from([0; 4]),
        Family::V6 => IpAddr::from([0; 16]),
    };
    let (mut table, mut metric, mut object) = (u32::from(header[4]), None, None);
    let mut hop = Hop::default();
    let mut several = None;
    for attribute in attributes(rest) {
        let (kind, bytes) = attribute?;
        match kind {
            libc::RTA_DST => address = read_address(family, bytes)?,
            libc::RTA_TABLE => table = number(bytes)?,
            libc::RTA_PRIORITY => metric = Some(number(bytes)?),
            RTA_NH_ID => object = Some(number(bytes)?),
            libc::RTA_MULTIPATH => several = Some(multipath(family, bytes)?),
            _ => hop_attribute(family, kind, bytes, &mut hop)?,
        }
    }
    let prefix = Prefix::new(address, header[1]);
    let prefix = prefix
        .map_err(|_| BadMessage::Content("a destination with a wrong length or bits beyond it"))?;
    // Linux names the object and lists the hops, too; zebra only does the former.
    let via = match (object, several) {
        (_, Some(hops)) => Via::Hops(hops),
        (Some(id), None) if hop == Hop::default() => Via::Object(id),
        (None, None) if hop == Hop::default() => Via::Hops(Vec::new()),
        (_, None) => Via::Hops(vec![hop]),
    };
    Ok(RouteMessage {
        prefix,
        table,
        protocol: header[5],
        kind: header[7],
        metric,
        via,
    })
}

/// Takes an attribute of a hop, which a route and each part of `RTA_MULTIPATH` may have.
fn hop_attribute(family: Family, kind: u16, bytes: &[u8], hop: &mut Hop) -> Result<(), BadMessage> {
    match kind {
        libc::RTA_OIF => hop.device = Some(number(bytes)?),
        libc::RTA_GATEWAY => hop.gateway = given(read_address(family, bytes)?),
        RTA_VIA => {
            let (first, rest) = bytes
                .split_at_checked(2)
                .ok_or(BadMessage::Content("a short gateway"))?;
            let family = u16::from_ne_bytes([first[0], first[1]]);
            let family = self::family(u8::try_from(family).unwrap_or(0))?;
            hop.gateway = given(read_address(family, rest)?);
        }
        RTA_ENCAP => hop.encapsulates = true,
        _ => {}
    }
    Ok(())
}

fn multipath(family: Family, mut bytes: &[u8]) -> Result<Vec<Hop>, BadMessage> {
    let mut hops = Vec::new();
    while !bytes.is_empty() {
        let len = u16_at(bytes, 0).map_or(0, usize::from);
        let index = u32_at(bytes, 4);
        let (Some(part), Some(index)) = (bytes.get(MULTIPATH_HEADER..len), index) else {
            return Err(BadMessage::Content("a hop of wrong length"));
        };
        let mut hop = Hop {
            device: Some(index).filter(|&index| index != 0),
            ..Hop::default()
        };
        for attribute in attributes(part) {
            let (kind, bytes) = attribute?;
            hop_attribute(family, kind, bytes, &mut hop)?;
        }
        hops.push(hop);
        bytes = bytes.get(align(len)..).unwrap_or_default();
    }
    Ok(hops)
}

fn next_hop(payload: &[u8]) -> Result<Message, BadMessage> {
    let Some((header, rest)) = payload.split_at_checked(NEXT_HOP_HEADER) else {
        return Err(BadMessage::Content("a short next hop"));
    };
    let (mut id, mut group, mut blackhole) = (None, None, false);
    let mut hop = Hop::default();
    for attribute in attributes(rest) {
        let (kind, bytes) = attribute?;
        match kind {
            NHA_ID => id = Some(number(bytes)?),
            NHA_GROUP => {
                let members = bytes.chunks_exact(MEMBER);
                if !members.remainder().is_empty() {
                    return Err(BadMessage::Content("a group of wrong length"));
                }
                group = Some(members.filter_map(|member| u32_at(member, 0)).collect());
            }
            NHA_BLACKHOLE => blackhole = true,
            NHA_OIF => hop.device = Some(number(bytes)?),
            NHA_GATEWAY => hop.gateway = given(read_address(family(header[0])?, bytes)?),
            NHA_ENCAP => hop.encapsulates = true,
            _ => {}
        }
    }
    let id = id.ok_or(BadMessage::Content("a next hop without a number"))?;
    let next_hop = match (group, blackhole) {
        (Some(members), _) => NextHop::Group(members),
        (None, true) => NextHop::Blackhole,
        (None, false) => NextHop::Hop(hop),
    };
    Ok(Message::NewNextHop(id, next_hop))
}

fn next_hop_id(payload: &[u8]) -> Result<u32, BadMessage> {
    let attributes = attributes(payload.get(NEXT_HOP_HEADER..).unwrap_or_default());
    for attribute in attributes {
        if let (NHA_ID, bytes) = attribute? {
            return number(bytes);
        }
    }
    Err(BadMessage::Content("a next hop without a number"))
}

/// Kinds and payloads. Ends after the first error.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), BadMessage>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let len = u16_at(rest, 0).map_or(0, usize::from);
        let kind = u16_at(rest, 2).unwrap_or_default() & KIND_MASK;
        let Some(payload) = rest.get(4..len) else {
            rest = &[];
            return Some(Err(BadMessage::Content("an attribute of wrong length")));
        };
        rest = rest.get(align(len)..).unwrap_or_default();
        Some(Ok((kind, payload)))
    })
}

fn family(number: u8) -> Result<Family, BadMessage> {
    match i32::from(number) {
        libc::AF_INET => Ok(Family::V4),
        libc::AF_INET6 => Ok(Family::V6),
        _ => Err(BadMessage::Content("neither IPv4 nor IPv6")),
    }
}

fn read_address(family: Family, bytes: &[u8]) -> Result<IpAddr, BadMessage> {
    let address = match family {
        Family::V4 => <[u8; 4]>::try_from(bytes).map(IpAddr::from),
        Family::V6 => <[u8; 16]>::try_from(bytes).map(IpAddr::from),
    };
    address.map_err(|_| BadMessage::Content("an address of wrong length"))
}

/// A gateway; 0.0.0.0 and :: mean that the destination is on the link.
fn given(gateway: IpAddr) -> Option<IpAddr> {
    Some(gateway).filter(|gateway| !gateway.is_unspecified())
}

fn number(bytes: &[u8]) -> Result<u32, BadMessage> {
    let bytes = bytes.try_into().map(u32::from_ne_bytes);
    bytes.map_err(|_| BadMessage::Content("a number of wrong length"))
}

fn align(len: usize) -> usize {
    len.next_multiple_of(4)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests;
