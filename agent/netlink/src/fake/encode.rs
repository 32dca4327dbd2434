// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages of the fake kernel, to bytes.

use super::routes::index_of;
use super::*;

pub(super) fn put_header(out: &mut Datagram, len: u32, header: &Header) -> Result<(), crate::Full> {
    out.put(&len.to_ne_bytes())?;
    out.put(&header.kind.to_ne_bytes())?;
    out.put(&header.flags.to_ne_bytes())?;
    out.put(&header.seq.to_ne_bytes())?;
    out.put(&header.port.to_ne_bytes())
}

/// A route as the kernel writes it: with every attribute that has a value.
pub(super) fn put_route(
    out: &mut Datagram,
    route: &Route<Device>,
    devices: &[FakeDevice],
) -> Result<(), crate::Full> {
    let path = &route.path;
    let put_address = |out: &mut Datagram, kind, address| match address {
        IpAddr::V4(address) => out.attribute(kind, &address.octets()),
        IpAddr::V6(address) => out.attribute(kind, &address.octets()),
    };
    put_address(out, ROUTE_DST, route.prefix.address())?;
    out.attribute(ROUTE_DST_LEN, &[route.prefix.len()])?;
    out.attribute(ROUTE_TYPE, &[path.kind as u8])?;
    if let Some(gateway) = path.gateway {
        put_address(out, ROUTE_GATEWAY, gateway)?;
    }
    let index = match &path.device {
        None => None,
        Some(Device::Index(index)) => Some(*index),
        Some(Device::Name(name)) => {
            out.terminated(ROUTE_OIF_NAME, name.as_bytes())?;
            index_of(devices, name)
        }
    };
    if let Some(index) = index {
        out.attribute(ROUTE_OIF, &index.to_ne_bytes())?;
    }
    out.attribute(ROUTE_METRIC, &path.metric.to_ne_bytes())?;
    out.attribute(ROUTE_PROTOCOL, &[path.protocol.0])
}

pub(super) fn encode(
    out: &mut Datagram,
    kind: u16,
    flags: u16,
    seq: u32,
    port: u32,
    payload: impl FnOnce(&mut Datagram) -> Result<(), crate::Full>,
) {
    let mut message = Datagram::new(1024);
    payload(&mut message).expect("fits");
    let len = (HEADER_LEN + message.bytes().len()) as u32;
    put_header(
        out,
        len,
        &Header {
            kind,
            flags,
            seq,
            port,
        },
    )
    .expect("fits");
    out.put(message.bytes()).expect("fits");
}
