// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel sends, from bytes: replies, events and acks.
//!
//! Every length is checked against what was received. Attributes and messages
//! that are not known are skipped: a newer kernel may send more.

use std::net::IpAddr;

use nl31_route::{DeviceName, Path, PathKind, Prefix, Protocol, Route};

use crate::abi::*;
use crate::device::Device;
use crate::path_flags::PathFlags;
use crate::port::{self, Port};

/// Text of the kernel, cut at its capacity.
pub type KernelText = heapless::String<128>;

/// `struct nlmsghdr` without its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Message type
    pub kind: u16,
    /// `NLM_F_*`
    pub flags: u16,
    /// Of the request that this answers; 0 in an event
    pub seq: u32,
    /// Of the socket that asked; 0 in an event
    pub port: u32,
}

/// One message of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its header
    pub header: Header,
    /// Its content
    pub body: Body,
}

/// Content of a message.
// The largest one sizes all: that is wanted, messages wait in bounded queues.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `NLMSG_NOOP`: nothing, to be passed over.
    Noop,
    /// `NLMSG_DONE`: the end of a ping, a dump or a transaction.
    Done {
        /// Number of changes of the transaction.
        count: i32,
        /// Number of the last change that the dump of routes shows.
        generation: Option<u64>,
    },
    /// `NLMSG_ERROR` with error 0.
    Ack,
    /// `NLMSG_ERROR`, or `NLMSG_DONE` of a dump that failed.
    Error(KernelError),
    /// `NL31_MSG_GREET`
    Greeting(Greeting),
    /// `NL31_MSG_NEWROUTE`
    NewRoute(RouteMessage),
    /// `NL31_MSG_DELROUTE`
    DelRoute(RouteMessage),
    /// `NL31_MSG_NEWTABLE`
    Table(Table),
    /// `NL31_MSG_NEWPORT`
    Port(Box<Port>),
    /// A message type that this crate does not know.
    Other,
}

/// Why the kernel refused a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelError {
    /// The error number, above 0.
    pub errno: i32,
    /// Byte of the request that it is about, from the start of its header.
    pub offset: Option<u32>,
    /// What the kernel says; may be empty.
    pub text: KernelText,
}

/// Answer to a greeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// The kernel's greeting.
    pub text: heapless::String<TEXT_MAX>,
    /// Port id of the socket that greeted.
    pub port: u32,
    /// Version of the module.
    pub version: heapless::String<32>,
    /// Version of its ABI.
    pub abi: u32,
}

/// A path as an answer or in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMessage {
    /// The path and its prefix.
    pub route: Route<Device>,
    /// Why the path is not in use, in dumps.
    pub flags: PathFlags,
    /// Number of the change, in events; in the first message of a dump, that of the last
    /// change that the dump shows.
    pub generation: Option<u64>,
}

/// The table's counters, see `enum nl31_table_attr`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Table {
    pub generation: u64,
    pub routes4: u32,
    pub routes6: u32,
    pub paths4: u32,
    pub paths6: u32,
    pub nexthops: u32,
    pub bytes4: u64,
    pub bytes6: u64,
    pub nexthop_bytes: u64,
    pub max_routes: u32,
    pub lookups: u64,
    pub hits: u64,
    pub misses: u64,
    pub errors: u64,
    /// Whether paths of the same metric share the load.
    pub multipath: bool,
}

/// Bytes that are not a message of protocol 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Malformed {
    /// The reason.
    pub reason: &'static str,
}

impl Malformed {
    pub(crate) const fn new(reason: &'static str) -> Self {
        Self { reason }
    }
}

/// Takes the first message off a datagram: the message, and where the next one
/// starts.
pub fn decode(datagram: &[u8]) -> Result<(Message, usize), Malformed> {
    let (header, payload, next) = split(datagram)?;
    let body = body(&header, payload)?;
    Ok((Message { header, body }, next))
}

/// Header, payload and the offset of what follows of the first message.
pub(crate) fn split(datagram: &[u8]) -> Result<(Header, &[u8], usize), Malformed> {
    let header = datagram
        .get(..HEADER_LEN)
        .ok_or(Malformed::new("less than a header"))?;
    let len = u32_at(header, 0) as usize;
    if len < HEADER_LEN {
        return Err(Malformed::new("length is shorter than the header"));
    }
    let payload = datagram
        .get(HEADER_LEN..len)
        .ok_or(Malformed::new("length is beyond the end"))?;
    let header = Header {
        kind: u16::from_ne_bytes([header[4], header[5]]),
        flags: u16::from_ne_bytes([header[6], header[7]]),
        seq: u32_at(header, 8),
        port: u32_at(header, 12),
    };
    // The last message need not be padded.
    Ok((header, payload, align(len).min(datagram.len())))
}

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'a> {
    pub kind: u16,
    pub payload: &'a [u8],
    /// Where it starts in the bytes that were split.
    pub offset: usize,
}

/// The attributes of a payload.
pub(crate) fn attributes(payload: &[u8]) -> impl Iterator<Item = Result<Attribute<'_>, Malformed>> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let rest = payload.get(offset..).filter(|rest| !rest.is_empty())?;
        let result = (|| {
            let header = rest
                .get(..ATTRIBUTE_HEADER_LEN)
                .ok_or(Malformed::new("less than an attribute's header"))?;
            let len = u16::from_ne_bytes([header[0], header[1]]) as usize;
            if len < ATTRIBUTE_HEADER_LEN {
                return Err(Malformed::new("attribute is shorter than its header"));
            }
            let payload = rest
                .get(ATTRIBUTE_HEADER_LEN..len)
                .ok_or(Malformed::new("attribute reaches beyond the end"))?;
            let kind = u16::from_ne_bytes([header[2], header[3]]) & NLA_TYPE_MASK;
            let attribute = Attribute {
                kind,
                payload,
                offset,
            };
            offset += align(len);
            Ok(attribute)
        })();
        if result.is_err() {
            offset = usize::MAX;
        }
        Some(result)
    })
}

fn body(header: &Header, payload: &[u8]) -> Result<Body, Malformed> {
    Ok(match header.kind {
        NLMSG_NOOP => Body::Noop,
        NLMSG_DONE => {
            // A bare DONE, without the int of a dump, answers a ping.
            let Some(value) = payload.get(..4) else {
                return Ok(Body::Done {
                    count: 0,
                    generation: None,
                });
            };
            match i32::from_ne_bytes(array(value)?) {
                count @ 0.. => Body::Done {
                    count,
                    generation: cookie(header, &payload[4..])?,
                },
                error => Body::Error(kernel_error(header, error, &payload[4..])?),
            }
        }
        NLMSG_ERROR => {
            let value = payload
                .get(..4)
                .ok_or(Malformed::new("ack without its error"))?;
            let request = payload
                .get(4..4 + HEADER_LEN)
                .ok_or(Malformed::new("ack without its header"))?;
            match i32::from_ne_bytes(array(value)?) {
                0 => Body::Ack,
                error => {
                    // Unless capped, the whole request lies before the attributes.
                    let embedded = match header.flags & NLM_F_CAPPED {
                        0 => align((u32_at(request, 0) as usize).max(HEADER_LEN)),
                        _ => HEADER_LEN,
                    };
                    let tlvs = match header.flags & NLM_F_ACK_TLVS {
                        0 => &[],
                        _ => payload
                            .get(4 + embedded..)
                            .ok_or(Malformed::new("ack is shorter than its request"))?,
                    };
                    Body::Error(kernel_error(header, error, tlvs)?)
                }
            }
        }
        MSG_GREET => Body::Greeting(greeting(payload)?),
        MSG_NEWROUTE => Body::NewRoute(route(payload)?),
        MSG_DELROUTE => Body::DelRoute(route(payload)?),
        MSG_NEWTABLE => Body::Table(table(payload)?),
        MSG_NEWPORT => Body::Port(Box::new(port::decode(payload)?)),
        _ => Body::Other,
    })
}

fn kernel_error(header: &Header, error: i32, tlvs: &[u8]) -> Result<KernelError, Malformed> {
    let mut result = KernelError {
        errno: error.saturating_neg(),
        offset: None,
        text: KernelText::new(),
    };
    if header.flags & NLM_F_ACK_TLVS == 0 {
        return Ok(result);
    }
    for attribute in attributes(tlvs) {
        let attribute = attribute?;
        match attribute.kind {
            NLMSGERR_ATTR_MSG => result.text = string(attribute.payload),
            NLMSGERR_ATTR_OFFS => {
                result.offset = Some(u32::from_ne_bytes(array(attribute.payload)?));
            }
            _ => {}
        }
    }
    Ok(result)
}

/// The u64 that an answer carries in `NLMSGERR_ATTR_COOKIE`.
fn cookie(header: &Header, tlvs: &[u8]) -> Result<Option<u64>, Malformed> {
    if header.flags & NLM_F_ACK_TLVS == 0 {
        return Ok(None);
    }
    for attribute in attributes(tlvs) {
        let attribute = attribute?;
        if attribute.kind == NLMSGERR_ATTR_COOKIE {
            return Ok(Some(u64::from_ne_bytes(array(attribute.payload)?)));
        }
    }
    Ok(None)
}

fn greeting(payload: &[u8]) -> Result<Greeting, Malformed> {
    let mut greeting = Greeting::default();
    for attribute in attributes(payload) {
        let Attribute { kind, payload, .. } = attribute?;
        match kind {
            GREET_TEXT => greeting.text = string(payload),
            GREET_PORTID => greeting.port = u32::from_ne_bytes(array(payload)?),
            GREET_VERSION => greeting.version = string(payload),
            GREET_ABI => greeting.abi = u32::from_ne_bytes(array(payload)?),
            _ => {}
        }
    }
    Ok(greeting)
}

fn route(payload: &[u8]) -> Result<RouteMessage, Malformed> {
    let mut destination = None;
    let mut len = None;
    let mut generation = None;
    let mut flags = PathFlags::default();
    let (mut name, mut index) = (None, None);
    let mut path = Path {
        kind: PathKind::Unicast,
        gateway: None,
        device: None,
        metric: 0,
        protocol: Protocol::UNSPEC,
    };
    for attribute in attributes(payload) {
        let Attribute { kind, payload, .. } = attribute?;
        match kind {
            ROUTE_DST => destination = Some(address(payload)?),
            ROUTE_DST_LEN => len = Some(u8::from_ne_bytes(array(payload)?)),
            ROUTE_TYPE => {
                path.kind = PathKind::try_from(u8::from_ne_bytes(array(payload)?))
                    .map_err(|()| Malformed::new("route of an unknown type"))?;
            }
            ROUTE_GATEWAY => path.gateway = Some(address(payload)?),
            ROUTE_OIF => index = Some(u32::from_ne_bytes(array(payload)?)),
            ROUTE_OIF_NAME => name = Some(device_name(payload)?),
            ROUTE_METRIC => path.metric = u32::from_ne_bytes(array(payload)?),
            ROUTE_PROTOCOL => path.protocol = Protocol(u8::from_ne_bytes(array(payload)?)),
            ROUTE_GENERATION => generation = Some(u64::from_ne_bytes(array(payload)?)),
            ROUTE_FLAGS => flags = PathFlags(u32::from_ne_bytes(array(payload)?)),
            _ => {}
        }
    }
    let destination = destination.ok_or(Malformed::new("route without a destination"))?;
    let prefix = match len {
        None => Prefix::host(destination),
        Some(len) => Prefix::new(destination, len)
            .map_err(|_| Malformed::new("route whose prefix does not fit its length"))?,
    };
    // A path by name has the index of its device besides, while there is one.
    path.device = name.map(Device::Name).or(index.map(Device::Index));
    Ok(RouteMessage {
        route: Route { prefix, path },
        flags,
        generation,
    })
}

fn table(payload: &[u8]) -> Result<Table, Malformed> {
    let mut table = Table::default();
    for attribute in attributes(payload) {
        let Attribute { kind, payload, .. } = attribute?;
        let narrow = match kind {
            TABLE_ROUTES4 => &mut table.routes4,
            TABLE_ROUTES6 => &mut table.routes6,
            TABLE_PATHS4 => &mut table.paths4,
            TABLE_PATHS6 => &mut table.paths6,
            TABLE_NEXTHOPS => &mut table.nexthops,
            TABLE_MAX_ROUTES => &mut table.max_routes,
            TABLE_MULTIPATH => {
                table.multipath = array::<1>(payload)? != [0];
                continue;
            }
            _ => {
                let wide = match kind {
                    TABLE_GENERATION => &mut table.generation,
                    TABLE_BYTES4 => &mut table.bytes4,
                    TABLE_BYTES6 => &mut table.bytes6,
                    TABLE_NEXTHOP_BYTES => &mut table.nexthop_bytes,
                    TABLE_LOOKUPS => &mut table.lookups,
                    TABLE_HITS => &mut table.hits,
                    TABLE_MISSES => &mut table.misses,
                    TABLE_ERRORS => &mut table.errors,
                    _ => continue,
                };
                *wide = u64::from_ne_bytes(array(payload)?);
                continue;
            }
        };
        *narrow = u32::from_ne_bytes(array(payload)?);
    }
    Ok(table)
}

pub(crate) fn address(payload: &[u8]) -> Result<IpAddr, Malformed> {
    if let Ok(octets) = <[u8; 4]>::try_from(payload) {
        Ok(octets.into())
    } else if let Ok(octets) = <[u8; 16]>::try_from(payload) {
        Ok(octets.into())
    } else {
        Err(Malformed::new("address of neither 4 nor 16 bytes"))
    }
}

/// The name of a device, which ends with its only zero.
pub(crate) fn device_name(payload: &[u8]) -> Result<DeviceName, Malformed> {
    let name = payload.strip_suffix(b"\0").unwrap_or_default();
    DeviceName::from_bytes(name).map_err(|_| Malformed::new("not the name of a device"))
}

pub(crate) fn array<const N: usize>(payload: &[u8]) -> Result<[u8; N], Malformed> {
    payload
        .try_into()
        .map_err(|_| Malformed::new("attribute of a wrong length"))
}

/// Text up to its NUL and as much of it as fits. Bytes that are no text, and
/// control characters, become `?`: this ends on a terminal.
fn string<const N: usize>(payload: &[u8]) -> heapless::String<N> {
    let end = payload
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(payload.len());
    let mut text = heapless::String::new();
    for chunk in payload[..end].utf8_chunks() {
        let invalid = (!chunk.invalid().is_empty()).then_some('?');
        for c in chunk.valid().chars().chain(invalid) {
            let c = if c.is_control() { '?' } else { c };
            if text.push(c).is_err() {
                return text;
            }
        }
    }
    text
}

/// The word of 4 bytes at `offset`, which lies within `bytes`.
fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| bytes[offset + i]);
    u32::from_ne_bytes([a, b, c, d])
}

#[cfg(all(test, target_endian = "little"))]
mod tests;
