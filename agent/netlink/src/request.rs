// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests as bytes.

use std::net::IpAddr;

use nl31_route::{DeviceName, PathKind, Prefix, Protocol, Route, Spec};

use crate::abi::*;
use crate::device::Device;
use crate::port::PortSpec;

/// What is asked of the kernel. Flags, sequence number and port id are those of
/// the header, see [`Datagram::push`].
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// Are you there?
    Noop,
    /// End of a transaction.
    Done,
    /// Say hello, with at most [`TEXT_MAX`] bytes; what is longer is cut.
    Greet(Option<&'a str>),
    /// Put a path into the table.
    NewRoute(&'a Route<Device>),
    /// Take paths out of the table.
    DelRoute(&'a Spec<Device>),
    /// Look up an address, or dump.
    GetRoute(&'a Spec<Device>),
    /// Set what the table takes and does.
    NewTable {
        /// `NL31_TABLE_MAX_ROUTES`
        max_routes: Option<u32>,
        /// `NL31_TABLE_MULTIPATH`
        multipath: Option<bool>,
    },
    /// Ask for the table's counters.
    GetTable,
    /// Make a device a port, or change it.
    NewPort(&'a PortSpec),
    /// End a port.
    DelPort(&'a DeviceName),
    /// Ask for all ports.
    GetPorts,
}

impl Request<'_> {
    /// The message type.
    pub fn kind(&self) -> u16 {
        match self {
            Self::Noop => NLMSG_NOOP,
            Self::Done => NLMSG_DONE,
            Self::Greet(_) => MSG_GREET,
            Self::NewRoute(_) => MSG_NEWROUTE,
            Self::DelRoute(_) => MSG_DELROUTE,
            Self::GetRoute(_) => MSG_GETROUTE,
            Self::NewTable { .. } => MSG_NEWTABLE,
            Self::GetTable => MSG_GETTABLE,
            Self::NewPort(_) => MSG_NEWPORT,
            Self::DelPort(_) => MSG_DELPORT,
            Self::GetPorts => MSG_GETPORT,
        }
    }
}

/// The datagram has no room for a further message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Requests that are sent together, in a buffer of fixed size.
#[derive(Debug)]
pub struct Datagram {
    bytes: Box<[u8]>,
    len: usize,
}

impl Datagram {
    /// Room for any one request.
    pub const ONE: usize = 512;

    /// An empty datagram with room for `capacity` bytes.
    pub fn new(capacity: usize) -> Self {
        Self {
            bytes: vec![0; capacity].into(),
            len: 0,
        }
    }

    /// What was pushed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets what was pushed.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a request, or nothing when it does not fit. `NLM_F_REQUEST` is added
    /// to `flags`. The port id is left 0: the kernel knows the sender.
    pub fn push(&mut self, request: &Request<'_>, flags: u16, seq: u32) -> Result<(), Full> {
        let start = self.len;
        let result = self.encode(request, flags | NLM_F_REQUEST, seq);
        if result.is_err() {
            self.len = start;
        }
        result
    }

    /// Adds a message of another protocol.
    pub(crate) fn raw(
        &mut self,
        kind: u16,
        flags: u16,
        seq: u32,
        payload: &dyn Fn(&mut Self) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let start = self.len;
        let mut header = [0; HEADER_LEN];
        header[4..6].copy_from_slice(&kind.to_ne_bytes());
        header[6..8].copy_from_slice(&flags.to_ne_bytes());
        header[8..12].copy_from_slice(&seq.to_ne_bytes());
        self.put_array(header)?;
        payload(self)?;
        let len = u32::try_from(self.len - start).map_err(|_| Full)?;
        self.bytes[start..start + 4].copy_from_slice(&len.to_ne_bytes());
        Ok(())
    }

    /// Sets flags in the header of the message that starts at byte `offset`.
    pub(crate) fn set_flags(&mut self, offset: usize, flags: u16) {
        let at = offset + 6;
        let old = u16::from_ne_bytes([self.bytes[at], self.bytes[at + 1]]);
        self.bytes[at..at + 2].copy_from_slice(&(old | flags).to_ne_bytes());
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn encode(&mut self, request: &Request<'_>, flags: u16, seq: u32) -> Result<(), Full> {
        let start = self.len;
        let mut header = [0; HEADER_LEN];
        header[4..6].copy_from_slice(&request.kind().to_ne_bytes());
        header[6..8].copy_from_slice(&flags.to_ne_bytes());
        header[8..12].copy_from_slice(&seq.to_ne_bytes());
        self.put_array(header)?;
        match *request {
            Request::Noop | Request::GetTable | Request::GetPorts => {}
            Request::Done => self.put(&0i32.to_ne_bytes())?,
            Request::Greet(text) => {
                if let Some(text) = text {
                    let mut end = text.len().min(TEXT_MAX);
                    while !text.is_char_boundary(end) {
                        end -= 1;
                    }
                    self.string(GREET_TEXT, &text[..end])?;
                }
            }
            Request::NewRoute(route) => self.route(route)?,
            Request::NewPort(spec) => self.port(spec)?,
            Request::DelPort(device) => self.terminated(PORT_IFNAME, device.as_bytes())?,
            Request::DelRoute(spec) | Request::GetRoute(spec) => self.spec(spec)?,
            Request::NewTable {
                max_routes,
                multipath,
            } => {
                if let Some(max) = max_routes {
                    self.word(TABLE_MAX_ROUTES, 4, max.to_ne_bytes())?;
                }
                if let Some(multipath) = multipath {
                    self.byte(TABLE_MULTIPATH, multipath.into())?;
                }
            }
        }
        let len = u32::try_from(self.len - start).map_err(|_| Full)?;
        self.bytes[start..start + 4].copy_from_slice(&len.to_ne_bytes());
        Ok(())
    }

    fn port(&mut self, spec: &PortSpec) -> Result<(), Full> {
        self.terminated(PORT_IFNAME, spec.device.as_bytes())?;
        if let Some(forwarding) = spec.forwarding {
            self.byte(PORT_FORWARDING, forwarding.into())?;
        }
        if let Some(urpf) = spec.urpf {
            self.byte(PORT_URPF, urpf as u8)?;
        }
        Ok(())
    }

    fn route(&mut self, route: &Route<Device>) -> Result<(), Full> {
        let path = &route.path;
        self.spec(&Spec {
            // What the kernel assumes anyway is left out: loads are long.
            kind: Some(path.kind).filter(|&kind| kind != PathKind::Unicast),
            prefix: Some(route.prefix),
            gateway: path.gateway,
            device: path.device.clone(),
            metric: Some(path.metric).filter(|&metric| metric != 0),
            protocol: Some(path.protocol).filter(|&protocol| protocol != Protocol::UNSPEC),
        })
    }

    fn spec(&mut self, spec: &Spec<Device>) -> Result<(), Full> {
        if let Some(prefix) = spec.prefix {
            self.prefix(prefix)?;
        }
        if let Some(kind) = spec.kind {
            self.byte(ROUTE_TYPE, kind as u8)?;
        }
        if let Some(gateway) = spec.gateway {
            self.address(ROUTE_GATEWAY, gateway)?;
        }
        match &spec.device {
            None => {}
            Some(Device::Name(name)) => self.terminated(ROUTE_OIF_NAME, name.as_bytes())?,
            Some(Device::Index(index)) => self.word(ROUTE_OIF, 4, index.to_ne_bytes())?,
        }
        if let Some(metric) = spec.metric {
            self.word(ROUTE_METRIC, 4, metric.to_ne_bytes())?;
        }
        if let Some(protocol) = spec.protocol {
            self.byte(ROUTE_PROTOCOL, protocol.0)?;
        }
        Ok(())
    }

    fn prefix(&mut self, prefix: Prefix) -> Result<(), Full> {
        self.address(ROUTE_DST, prefix.address())?;
        self.byte(ROUTE_DST_LEN, prefix.len())
    }

    fn address(&mut self, kind: u16, address: IpAddr) -> Result<(), Full> {
        match address {
            IpAddr::V4(address) => self.word(kind, 4, address.octets()),
            IpAddr::V6(address) => self.attribute(kind, &address.octets()),
        }
    }

    /// Strings end with a NUL, as the kernel's `NLA_NUL_STRING` wants.
    pub(crate) fn string(&mut self, kind: u16, text: &str) -> Result<(), Full> {
        self.terminated(kind, text.as_bytes())
    }

    pub(crate) fn terminated(&mut self, kind: u16, bytes: &[u8]) -> Result<(), Full> {
        self.attribute_header(kind, bytes.len() + 1)?;
        self.put(bytes)?;
        self.put(&[0])?;
        self.pad()
    }

    pub(crate) fn attribute(&mut self, kind: u16, payload: &[u8]) -> Result<(), Full> {
        self.attribute_header(kind, payload.len())?;
        self.put(payload)?;
        self.pad()
    }

    fn byte(&mut self, kind: u16, payload: u8) -> Result<(), Full> {
        self.word(kind, 1, [payload, 0, 0, 0])
    }

    /// An attribute whose payload and padding have 4 bytes, in one piece: a load has
    /// millions of them.
    fn word(&mut self, kind: u16, len: u16, payload: [u8; 4]) -> Result<(), Full> {
        let [a, b] = (ATTRIBUTE_HEADER_LEN as u16 + len).to_ne_bytes();
        let [c, d] = kind.to_ne_bytes();
        let [e, f, g, h] = payload;
        self.put_array([a, b, c, d, e, f, g, h])
    }

    fn attribute_header(&mut self, kind: u16, payload: usize) -> Result<(), Full> {
        let len = u16::try_from(ATTRIBUTE_HEADER_LEN + payload).map_err(|_| Full)?;
        self.put(&len.to_ne_bytes())?;
        self.put(&kind.to_ne_bytes())
    }

    fn pad(&mut self) -> Result<(), Full> {
        let len = align(self.len) - self.len;
        self.put(&[0; 3][..len])
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.len + bytes.len();
        self.bytes
            .get_mut(self.len..end)
            .ok_or(Full)?
            .copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// The same where the length is known beforehand, which is faster.
    fn put_array<const N: usize>(&mut self, bytes: [u8; N]) -> Result<(), Full> {
        let room = self.bytes.get_mut(self.len..).ok_or(Full)?;
        *room.first_chunk_mut().ok_or(Full)? = bytes;
        self.len += N;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nl31_route::DeviceName;

    fn route(text: &str) -> Route<Device> {
        let route: Route<DeviceName> = text.parse().unwrap();
        route.map_device(Device::Name)
    }

    /// Golden bytes are those of a little-endian machine.
    #[cfg(target_endian = "little")]
    #[track_caller]
    fn golden(request: Request<'_>, flags: u16, bytes: &[u8]) {
        let mut datagram = Datagram::new(Datagram::ONE);
        datagram.push(&request, flags, 0x0403_0201).unwrap();
        assert_eq!(datagram.bytes(), bytes);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn requests_without_attributes() {
        golden(
            Request::Noop,
            0,
            b"\x10\0\0\0\x01\0\x01\0\x01\x02\x03\x04\0\0\0\0",
        );
        golden(
            Request::Greet(None),
            0,
            b"\x10\0\0\0\x10\0\x01\0\x01\x02\x03\x04\0\0\0\0",
        );
        golden(
            Request::GetTable,
            0,
            b"\x10\0\0\0\x15\0\x01\0\x01\x02\x03\x04\0\0\0\0",
        );
        golden(
            Request::Done,
            NLM_F_MULTI,
            b"\x14\0\0\0\x03\0\x03\0\x01\x02\x03\x04\0\0\0\0\0\0\0\0",
        );
        golden(
            Request::GetRoute(&Spec::default()),
            NLM_F_DUMP,
            b"\x10\0\0\0\x13\0\x01\x03\x01\x02\x03\x04\0\0\0\0",
        );
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_greeting_ends_with_nul_and_padding() {
        golden(
            Request::Greet(Some("hello")),
            0,
            b"\x1c\0\0\0\x10\0\x01\0\x01\x02\x03\x04\0\0\0\0\x0a\0\x01\0hello\0\0\0",
        );
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn routes_carry_what_is_not_assumed() {
        golden(
            Request::NewRoute(&route("10.0.0.0/8 via 192.0.2.1")),
            NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
            b"\x28\0\0\0\x11\0\x05\x06\x01\x02\x03\x04\0\0\0\0\
              \x08\0\x01\0\x0a\0\0\0\x05\0\x02\0\x08\0\0\0\x08\0\x04\0\xc0\0\x02\x01",
        );
        golden(
            Request::NewRoute(&route("blackhole 2001:db8::/32 metric 258 proto bgp")),
            NLM_F_CREATE | NLM_F_APPEND | NLM_F_MULTI,
            b"\x44\0\0\0\x11\0\x03\x0c\x01\x02\x03\x04\0\0\0\0\
              \x14\0\x01\0\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0\
              \x05\0\x02\0\x20\0\0\0\x05\0\x03\0\x06\0\0\0\
              \x08\0\x06\0\x02\x01\0\0\x05\0\x07\0\xba\0\0\0",
        );
        golden(
            Request::DelRoute(&Spec {
                device: Some(Device::Index(2)),
                ..Spec::default()
            }),
            NLM_F_BULK,
            b"\x18\0\0\0\x12\0\x01\x02\x01\x02\x03\x04\0\0\0\0\x08\0\x05\0\x02\0\0\0",
        );
        golden(
            Request::NewRoute(&route("10.0.0.0/8 dev eth0")),
            NLM_F_CREATE | NLM_F_EXCL,
            b"\x2c\0\0\0\x11\0\x01\x06\x01\x02\x03\x04\0\0\0\0\
              \x08\0\x01\0\x0a\0\0\0\x05\0\x02\0\x08\0\0\0\x09\0\x0a\0eth0\0\0\0\0",
        );
        golden(
            Request::NewTable {
                max_routes: Some(1000),
                multipath: None,
            },
            NLM_F_REPLACE,
            b"\x18\0\0\0\x14\0\x01\x01\x01\x02\x03\x04\0\0\0\0\x08\0\x0a\0\xe8\x03\0\0",
        );
        golden(
            Request::NewTable {
                max_routes: None,
                multipath: Some(true),
            },
            0,
            b"\x18\0\0\0\x14\0\x01\0\x01\x02\x03\x04\0\0\0\0\x05\0\x10\0\x01\0\0\0",
        );
    }

    #[test]
    fn a_full_datagram_keeps_what_it_has() {
        let mut datagram = Datagram::new(50);
        datagram.push(&Request::Noop, 0, 1).unwrap();
        let before = datagram.bytes().to_vec();
        let route = route("10.0.0.0/8 via 192.0.2.1 dev eth0");
        assert_eq!(datagram.push(&Request::NewRoute(&route), 0, 2), Err(Full));
        assert_eq!(datagram.bytes(), before);
        datagram.push(&Request::Noop, 0, 3).unwrap();
        assert_eq!(datagram.bytes().len(), 32);
    }

    #[test]
    fn any_one_request_fits() {
        let mut datagram = Datagram::new(Datagram::ONE);
        let text = "é".repeat(200);
        datagram.push(&Request::Greet(Some(&text)), 0, 1).unwrap();
        // 127 letters of two bytes fit into 255; 4 + 254 + 1, aligned.
        assert_eq!(datagram.bytes().len(), HEADER_LEN + 260);
        datagram.clear();
        let everything = Spec {
            kind: Some(PathKind::Unicast),
            prefix: Some(Prefix::DEFAULT6),
            gateway: Some(Prefix::DEFAULT6.address()),
            device: Some(Device::Name("a-long-name-123".parse().unwrap())),
            metric: Some(1),
            protocol: Some(Protocol(3)),
        };
        datagram
            .push(&Request::DelRoute(&everything), 0, 1)
            .unwrap();
    }
}
