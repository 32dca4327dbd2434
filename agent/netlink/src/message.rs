// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel sends, from bytes: replies, events and acks.
//!
//! Every length is checked against what was received. Attributes and messages
//! that are not known are skipped: a newer kernel may send more.

use std::fmt;
use std::net::IpAddr;

use nl31_route::{DeviceName, Path, PathKind, Prefix, Protocol, Route};

use crate::abi::*;
use crate::device::Device;
use crate::path_flags::PathFlags;

/// Text of the kernel, cut to what is worth showing.
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
    /// `NLMSG_DONE`: of a ping, a dump, or a transaction with the number of its
    /// changes.
    Done(i32),
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
    /// Number of the change, in events.
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
}

/// Bytes that are no message of protocol 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong with them.
    pub reason: &'static str,
}

impl Malformed {
    const fn new(reason: &'static str) -> Self {
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
                return Ok(Body::Done(0));
            };
            match i32::from_ne_bytes(array(value)?) {
                count @ 0.. => Body::Done(count),
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

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> Message {
        let (message, next) = decode(bytes).unwrap();
        assert_eq!(next, bytes.len());
        message
    }

    #[track_caller]
    fn malformed(bytes: &[u8]) -> &'static str {
        decode(bytes).unwrap_err().reason
    }

    #[test]
    fn greeting_of_a_kernel() {
        let bytes = b"\x40\0\0\0\x10\0\0\0\x07\0\0\0\xd2\x04\0\0\
            \x14\0\x01\0hello, port 1234\
            \x08\0\x02\0\xd2\x04\0\0\x0a\0\x03\x000.1.0\0\0\0\x08\0\x04\0\x01\0\0\0";
        let message = message(bytes);
        assert_eq!(
            message.header,
            Header {
                kind: 16,
                flags: 0,
                seq: 7,
                port: 1234
            }
        );
        let Body::Greeting(greeting) = message.body else {
            panic!()
        };
        assert_eq!(greeting.text, "hello, port 1234");
        assert_eq!((greeting.port, greeting.abi), (1234, 1));
        assert_eq!(greeting.version, "0.1.0");
    }

    #[test]
    fn event_of_a_route() {
        // Number 9 of the attributes is the padding before a 64-bit one.
        let bytes = b"\x50\0\0\0\x11\0\0\x01\0\0\0\0\0\0\0\0\
            \x08\0\x01\0\x0a\0\0\0\x05\0\x02\0\x08\0\0\0\x05\0\x03\0\x01\0\0\0\
            \x08\0\x04\0\xc0\0\x02\x01\x08\0\x05\0\x02\0\0\0\x08\0\x06\0\x0a\0\0\0\
            \x04\0\x09\0\x0c\0\x08\0\x2a\0\0\0\0\0\0\0";
        let message = message(bytes);
        assert_eq!(message.header.flags, NLM_F_REPLACE);
        let Body::NewRoute(event) = message.body else {
            panic!()
        };
        assert_eq!(event.generation, Some(42));
        assert_eq!(
            event.route.to_string(),
            "10.0.0.0/8 via 192.0.2.1 dev if2 metric 10"
        );
        assert!(event.flags.is_empty());
    }

    #[test]
    fn path_of_a_dump_by_the_name_of_its_device() {
        // With the index besides, flags with a bit that is not known, and number 99.
        let bytes = b"\x40\0\0\0\x11\0\x02\0\x01\0\0\0\0\0\0\0\
            \x08\0\x01\0\x0a\0\0\0\x05\0\x02\0\x08\0\0\0\x08\0\x05\0\x02\0\0\0\
            \x09\0\x0b\0eth0\0\0\0\0\x08\0\x0c\0\x83\0\0\0\x04\0\x63\0";
        let Body::NewRoute(message) = message(bytes).body else {
            panic!()
        };
        let name = Device::Name("eth0".parse().unwrap());
        assert_eq!(message.route.path.device, Some(name));
        assert!(message.flags.is_dead() && message.flags.is_linkdown());
        assert!(!message.flags.is_standby());
    }

    #[test]
    fn counters_of_a_table() {
        let bytes = b"\x34\0\0\0\x14\0\0\0\x01\0\0\0\0\0\0\0\
            \x0c\0\x01\0\x05\0\0\0\0\0\0\0\x08\0\x02\0\x03\0\0\0\x0c\0\x0e\0\x01\0\0\0\0\0\0\0\
            \x04\0\x7f\0";
        let Body::Table(table) = message(bytes).body else {
            panic!()
        };
        assert_eq!(
            table,
            Table {
                generation: 5,
                routes4: 3,
                errors: 1,
                ..Table::default()
            }
        );
    }

    #[test]
    fn done_with_and_without_its_number() {
        assert_eq!(
            message(b"\x10\0\0\0\x03\0\0\0\x01\0\0\0\0\0\0\0").body,
            Body::Done(0)
        );
        let counted = b"\x14\0\0\0\x03\0\x02\0\x01\0\0\0\0\0\0\0\x07\0\0\0";
        assert_eq!(message(counted).body, Body::Done(7));
        let failed = b"\x14\0\0\0\x03\0\x02\0\x01\0\0\0\0\0\0\0\xf4\xff\xff\xff";
        let Body::Error(error) = message(failed).body else {
            panic!()
        };
        assert_eq!(error.errno, 12);
    }

    const REQUEST: &[u8; 16] = b"\x14\0\0\0\x11\0\x05\0\x09\0\0\0\0\0\0\0";

    #[test]
    fn acks_with_extended_ack_capped_and_whole() {
        let ack = [
            b"\x24\0\0\0\x02\0\0\x01\x09\0\0\0\0\0\0\0\0\0\0\0".as_slice(),
            REQUEST,
        ]
        .concat();
        assert_eq!(message(&ack).body, Body::Ack);

        let tlvs = b"\x08\0\x02\0\x10\0\0\0\x08\0\x01\0bad\0";
        let capped = [
            b"\x34\0\0\0\x02\0\0\x03\x09\0\0\0\0\0\0\0\xea\xff\xff\xff".as_slice(),
            REQUEST,
            tlvs,
        ];
        let expected = KernelError {
            errno: 22,
            offset: Some(16),
            text: "bad".try_into().unwrap(),
        };
        assert_eq!(
            message(&capped.concat()).body,
            Body::Error(expected.clone())
        );

        // Not capped: the 4 bytes behind the request's header come along.
        let whole = [
            b"\x38\0\0\0\x02\0\0\x02\x09\0\0\0\0\0\0\0\xea\xff\xff\xff".as_slice(),
            REQUEST,
            b"\xff\xff\xff\xff",
            tlvs,
        ];
        assert_eq!(message(&whole.concat()).body, Body::Error(expected));
    }

    #[test]
    fn text_of_the_kernel_is_made_fit_for_a_terminal() {
        assert_eq!(string::<8>(b"a\x1b[\xff\xc3\xa9b\0rest"), "a?[?\u{e9}b");
        assert_eq!(string::<4>("abcé".as_bytes()), "abc");
    }

    #[test]
    fn damaged_messages_are_refused() {
        assert_eq!(malformed(b""), "less than a header");
        assert_eq!(malformed(&REQUEST[..15]), "less than a header");
        assert_eq!(malformed(REQUEST), "length is beyond the end");
        assert_eq!(
            malformed(b"\x0f\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0"),
            "length is shorter than the header"
        );
        for (payload, reason) in [
            (b"\x08\0\x01".as_slice(), "less than an attribute's header"),
            (b"\x03\0\x01\0", "attribute is shorter than its header"),
            (b"\x09\0\x01\0\0\0\0\0", "attribute reaches beyond the end"),
            (b"\x07\0\x01\0\0\0\0\0", "address of neither 4 nor 16 bytes"),
            (b"\x08\0\x02\0\0\0\0\0", "attribute of a wrong length"),
            (b"\x05\0\x02\0\x08\0\0\0", "route without a destination"),
            (b"\x05\0\x03\0\x02\0\0\0", "route of an unknown type"),
            (b"\x08\0\x0b\0eth0", "not the name of a device"),
            (b"\x08\0\x0b\0a/b\0", "not the name of a device"),
            (b"\x05\0\x0b\0\0\0\0\0", "not the name of a device"),
            (
                b"\x08\0\x01\0\x0a\0\0\x01\x05\0\x02\0\x08\0\0\0",
                "route whose prefix does not fit its length",
            ),
        ] {
            let len = (HEADER_LEN + payload.len()) as u32;
            let header = [&len.to_le_bytes()[..], b"\x11\0\0\0\x01\0\0\0\0\0\0\0"].concat();
            assert_eq!(malformed(&[&header, payload].concat()), reason);
        }
        for (kind, payload, reason) in [
            (2u8, b"\0\0\0".as_slice(), "ack without its error"),
            (2, b"\0\0\0\0\0\0\0\0", "ack without its header"),
        ] {
            let mut bytes = vec![0; HEADER_LEN];
            bytes[0] = (HEADER_LEN + payload.len()) as u8;
            bytes[4] = kind;
            bytes.extend_from_slice(payload);
            assert_eq!(malformed(&bytes), reason);
        }
    }

    #[test]
    fn every_damaged_byte_is_survived() {
        let good = b"\x34\0\0\0\x02\0\0\x03\x09\0\0\0\0\0\0\0\xea\xff\xff\xff\
            \x14\0\0\0\x11\0\x05\0\x09\0\0\0\0\0\0\0\x08\0\x02\0\x10\0\0\0\x08\0\x01\0bad\0";
        for index in 0..good.len() {
            for value in 0..=255 {
                let mut bytes = good.to_vec();
                bytes[index] = value;
                let _ = decode(&bytes);
                let _ = decode(&bytes[..index]);
            }
        }
    }
}
