// SPDX-License-Identifier: MIT OR Apache-2.0
//! A zebra that speaks the forwarding plane manager's protocol to the feed under test.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use nl31_route::Prefix;

const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const NEW_NEXT_HOP: u16 = 104;
const DELETE_NEXT_HOP: u16 = 105;

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let len = (4 + payload.len()) as u16;
    let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn number(kind: u16, number: u32) -> Vec<u8> {
    attribute(kind, &number.to_ne_bytes())
}

fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
    let len = (16 + payload.len()) as u32;
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0; 10]);
    bytes.extend(payload);
    bytes
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 2 } else { 10 }
}

/// A message about a route of this `RTPROT_*` and `RTN_*`, with what zebra says of each.
fn route(message_kind: u16, protocol: u8, kind: u8, prefix: &str, rest: &[u8]) -> Vec<u8> {
    let prefix: Prefix = prefix.parse().unwrap();
    let address = prefix.address();
    let mut payload = vec![family(address), prefix.len(), 0, 0, 254, protocol, 0, kind];
    payload.extend([0; 4]);
    payload.extend(attribute(1, &octets(address)));
    payload.extend(number(6, 20));
    payload.extend(rest);
    message(message_kind, &payload)
}

pub(crate) const BGP: u8 = 186;

/// A route of bgp by a gateway.
pub(crate) fn via(prefix: &str, gateway: &str) -> Vec<u8> {
    by(BGP, prefix, gateway)
}

/// A route of this protocol by a gateway.
pub(crate) fn by(protocol: u8, prefix: &str, gateway: &str) -> Vec<u8> {
    let gateway = attribute(5, &octets(gateway.parse().unwrap()));
    route(NEW_ROUTE, protocol, 1, prefix, &gateway)
}

/// A route of this `RTN_*` without a hop.
pub(crate) fn of_kind(kind: u8, prefix: &str) -> Vec<u8> {
    route(NEW_ROUTE, BGP, kind, prefix, &[])
}

/// A route by a next-hop object.
pub(crate) fn object(prefix: &str, id: u32) -> Vec<u8> {
    route(NEW_ROUTE, BGP, 1, prefix, &number(30, id))
}

/// The end of a route.
pub(crate) fn delete(prefix: &str) -> Vec<u8> {
    route(DELETE_ROUTE, BGP, 0, prefix, &[])
}

/// A next-hop object that is a gateway.
pub(crate) fn hop(id: u32, gateway: &str) -> Vec<u8> {
    let gateway: IpAddr = gateway.parse().unwrap();
    let mut payload = vec![family(gateway), 0, BGP, 0, 0, 0, 0, 0];
    payload.extend(number(1, id));
    payload.extend(attribute(6, &octets(gateway)));
    message(NEW_NEXT_HOP, &payload)
}

/// A next-hop object that is a group.
pub(crate) fn group(id: u32, members: &[u32]) -> Vec<u8> {
    let mut payload = vec![0, 0, BGP, 0, 0, 0, 0, 0];
    payload.extend(number(1, id));
    let member = |member: &u32| [&member.to_ne_bytes()[..], &[0; 4]].concat();
    let members: Vec<u8> = members.iter().flat_map(member).collect();
    payload.extend(attribute(2, &members));
    message(NEW_NEXT_HOP, &payload)
}

/// The end of a next-hop object.
pub(crate) fn delete_hop(id: u32) -> Vec<u8> {
    let mut payload = vec![0; 8];
    payload.extend(number(1, id));
    message(DELETE_NEXT_HOP, &payload)
}

/// A frame of these messages.
pub(crate) fn frame(messages: &[Vec<u8>]) -> Vec<u8> {
    let payload = messages.concat();
    let len = (4 + payload.len()) as u16;
    let mut bytes = vec![1, 1];
    bytes.extend(len.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A connection.
pub(crate) struct Zebra(TcpStream);

impl Zebra {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Self(stream)
    }

    /// Sends bytes; those that a closed connection does not take are lost.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Sends a frame.
    pub(crate) fn say(&mut self, messages: &[Vec<u8>]) {
        self.0.write_all(&frame(messages)).unwrap();
    }

    /// Reads answers about IPv4 routes until the last ones about these prefixes, which end with an
    /// octet, are that the board has them, or has refused them.
    #[track_caller]
    pub(crate) fn is_told(&mut self, expected: &[(&str, bool)]) {
        let mut told = BTreeMap::new();
        while !expected
            .iter()
            .all(|(prefix, is_installed)| told.get(*prefix) == Some(is_installed))
        {
            let mut frame = [0; 56];
            let read = self.0.read_exact(&mut frame);
            read.unwrap_or_else(|error| panic!("{error}; was told {told:?}"));
            assert_eq!(frame[..4], [1, 1, 0, 56]);
            let (len, first) = (frame[21], frame[36]);
            let is_installed = match u32::from_ne_bytes(frame[28..32].try_into().unwrap()) {
                0x4000 => true,
                0x2000_0000 => false,
                flags => panic!("{flags:#x}"),
            };
            told.insert(format!("{first}.0.0.0/{len}"), is_installed);
        }
    }

    /// Whether the feed closes the connection.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(len) => len == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
