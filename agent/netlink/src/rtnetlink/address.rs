// SPDX-License-Identifier: MIT OR Apache-2.0
//! Addresses of links.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use nix::libc;
use nl31_route::Protocol;

use super::message::KINDS;
use crate::abi::*;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Op};
use crate::message::{Attribute, Malformed, address, attributes};
use crate::transport::Transport;

/// Addresses that [`Client::addresses`] gives at most.
pub const ADDRESSES_MAX: usize = 4096;

/// Bytes of `struct ifaddrmsg`.
pub(crate) const HEAD: usize = 8;

/// The origin of an address, from `linux/if_addr.h`; the kernel only keeps it.
pub(crate) const IFA_PROTO: u16 = 11;

/// An address with the length of its network's prefix, like 192.0.2.1/24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InterfaceAddress {
    address: IpAddr,
    len: u8,
}

/// Not an address with a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidAddress;

impl InterfaceAddress {
    /// The address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The length.
    pub fn len(&self) -> u8 {
        self.len
    }

    /// Whether the prefix is `/0`.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// An address; the length is one of its family.
    pub fn new(address: IpAddr, len: u8) -> Result<Self, InvalidAddress> {
        let max = if address.is_ipv4() { 32 } else { 128 };
        match len <= max {
            true => Ok(Self { address, len }),
            false => Err(InvalidAddress),
        }
    }
}

impl FromStr for InterfaceAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (address, len) = text.split_once('/').ok_or(InvalidAddress)?;
        let digits = !len.is_empty() && len.bytes().all(|byte| byte.is_ascii_digit());
        let len = len.parse().ok().filter(|_| digits).ok_or(InvalidAddress)?;
        Self::new(address.parse().map_err(|_| InvalidAddress)?, len)
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

/// An address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkAddress {
    /// Index of the device.
    pub index: u32,
    /// The address.
    pub address: InterfaceAddress,
    /// Its origin, by the numbers of routes.
    pub protocol: Protocol,
}

/// The address in a message; `None` if it is of another family.
fn decode(payload: &[u8]) -> Result<Option<LinkAddress>, Malformed> {
    let (&[family, len, _, _, a, b, c, d], rest) = payload
        .split_first_chunk::<HEAD>()
        .ok_or(Malformed::new("address without a head"))?;
    if ![libc::AF_INET, libc::AF_INET6].contains(&i32::from(family)) {
        return Ok(None);
    }
    let (mut local, mut other, mut protocol) = (None, None, Protocol::UNSPEC);
    for attribute in attributes(rest) {
        let Attribute { kind, payload, .. } = attribute?;
        match kind {
            // The own address of IPv4; that of the peer is IFA_ADDRESS.
            libc::IFA_LOCAL => local = Some(address(payload)?),
            libc::IFA_ADDRESS => other = Some(address(payload)?),
            IFA_PROTO => protocol = Protocol(*payload.first().unwrap_or(&0)),
            _ => {}
        }
    }
    let own = local.or(other);
    let own = own.ok_or(Malformed::new("address without one"))?;
    let invalid = |_| Malformed::new("address with an impossible length");
    Ok(Some(LinkAddress {
        index: u32::from_ne_bytes([a, b, c, d]),
        address: InterfaceAddress::new(own, len).map_err(invalid)?,
        protocol,
    }))
}

/// `struct ifaddrmsg`.
pub(crate) fn head(family: u8, len: u8, scope: u8, index: u32) -> [u8; HEAD] {
    let [a, b, c, d] = index.to_ne_bytes();
    [family, len, 0, scope, a, b, c, d]
}

/// The bytes of an address.
pub(crate) fn octets(address: IpAddr) -> heapless::Vec<u8, 16> {
    match address {
        IpAddr::V4(address) => heapless::Vec::from_slice(&address.octets()),
        IpAddr::V6(address) => heapless::Vec::from_slice(&address.octets()),
    }
    .expect("an address has at most 16 bytes")
}

impl<T: Transport> Client<T> {
    /// All addresses, the first [`ADDRESSES_MAX`].
    pub fn addresses(&mut self) -> Result<Vec<LinkAddress>, Error> {
        let mut addresses = Vec::new();
        self.rtnetlink(
            Op::Address,
            KINDS.get_address,
            NLM_F_DUMP,
            &|request| request.put(&head(0, 0, 0, 0)),
            &mut |kind, payload| {
                if kind != KINDS.new_address || addresses.len() == ADDRESSES_MAX {
                    return Ok(());
                }
                let decoded = decode(payload).map_err(|error| Error {
                    op: Op::Address,
                    seq: 0,
                    kind: ErrorKind::Malformed(error),
                })?;
                addresses.extend(decoded);
                Ok(())
            },
        )?;
        Ok(addresses)
    }

    /// Gives a link an address of this origin, also if it has it already.
    pub fn add_address(
        &mut self,
        index: u32,
        address: InterfaceAddress,
        protocol: Protocol,
    ) -> Result<(), Error> {
        let (op, kind) = (Op::AddressAdd, KINDS.new_address);
        let create = NLM_F_ACK | NLM_F_CREATE;
        // Linux tells IPv6 addresses apart without their lengths: with NLM_F_REPLACE alone it
        // would keep the old length, and acknowledge.
        if address.address().is_ipv6() {
            let flags = create | NLM_F_EXCL;
            match self.change_address(op, kind, flags, index, address, protocol) {
                Err(error) if error.errno() == Some(libc::EEXIST) => {}
                added => return added,
            }
            let own = |own: &&LinkAddress| {
                (own.index, own.address.address()) == (index, address.address())
            };
            let present = self.addresses()?;
            if let Some(other) = present.iter().find(own)
                && other.address != address
            {
                let text = format!(
                    "the device has this address as {}: delete that first",
                    other.address
                );
                return Err(Error::known(op, libc::EEXIST, &text));
            }
        }
        let flags = create | NLM_F_REPLACE;
        self.change_address(op, kind, flags, index, address, protocol)
    }

    /// Takes an address of a link away. Fails with `EADDRNOTAVAIL` if it has none such.
    pub fn delete_address(&mut self, index: u32, address: InterfaceAddress) -> Result<(), Error> {
        let any = Protocol::UNSPEC;
        let kind = KINDS.del_address;
        self.change_address(Op::AddressDelete, kind, NLM_F_ACK, index, address, any)
    }

    fn change_address(
        &mut self,
        op: Op,
        kind: u16,
        flags: u16,
        index: u32,
        address: InterfaceAddress,
        protocol: Protocol,
    ) -> Result<(), Error> {
        let own = address.address();
        let family = if own.is_ipv4() {
            libc::AF_INET
        } else {
            libc::AF_INET6
        };
        let scope = if own.is_loopback() {
            libc::RT_SCOPE_HOST
        } else {
            libc::RT_SCOPE_UNIVERSE
        };
        self.rtnetlink(
            op,
            kind,
            flags,
            &|request| {
                request.put(&head(family as u8, address.len(), scope, index))?;
                request.attribute(libc::IFA_LOCAL, &octets(own))?;
                request.attribute(libc::IFA_ADDRESS, &octets(own))?;
                match protocol {
                    Protocol::UNSPEC => Ok(()),
                    Protocol(number) => request.attribute(IFA_PROTO, &[number]),
                }
            },
            &mut |_, _| Ok(()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_has_a_length_of_its_family() {
        for good in ["192.0.2.1/24", "0.0.0.0/0", "2001:db8::1/64", "fe80::1/128"] {
            let address: InterfaceAddress = good.parse().unwrap();
            assert_eq!(address.to_string(), good);
        }
        for bad in [
            "",
            "/",
            "192.0.2.1",
            "192.0.2.1/",
            "192.0.2.1/33",
            "192.0.2.1/+1",
            "::1/129",
            "::/1/2",
            "192.0.2/24",
        ] {
            assert_eq!(
                bad.parse::<InterfaceAddress>(),
                Err(InvalidAddress),
                "{bad}"
            );
        }
    }
}
