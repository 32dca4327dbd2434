// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--next-hop PEER=ADDRESS[%DEVICE]`: whose routes of an MRT dump are taken, and by which
//! gateway.

use std::net::IpAddr;
use std::str::FromStr;

use nl31_route::DeviceName;

/// A peer of the collector that made an MRT dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// By the address of its session.
    Address(IpAddr),
    /// All of an autonomous system.
    As(u32),
}

/// One `--next-hop`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Whose routes.
    pub peer: Peer,
    /// The gateway by which they go; only those of its family.
    pub gateway: IpAddr,
    /// The device, which a link-local gateway needs.
    pub device: Option<DeviceName>,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let digits = match text.get(..2) {
            Some(prefix) if prefix.eq_ignore_ascii_case("as") => &text[2..],
            _ => text,
        };
        let number = digits
            .parse()
            .ok()
            .filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        number
            .map(Self::As)
            .ok_or_else(|| "a peer is an address or an AS number like 64496".into())
    }
}

impl FromStr for NextHop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((peer, hop)) = text.split_once('=') else {
            return Err("write PEER=ADDRESS, like 64496=192.0.2.1".into());
        };
        let (gateway, device) = match hop.split_once('%') {
            Some((gateway, device)) => (gateway, Some(device)),
            None => (hop, None),
        };
        let device = device.map(str::parse).transpose();
        Ok(Self {
            peer: peer.parse()?,
            gateway: gateway
                .parse()
                .map_err(|_| "a gateway is an address, like 192.0.2.1 or fe80::1%eth0")?,
            device: device.map_err(|error: nl31_route::InvalidDeviceName| error.to_string())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_addresses_or_numbers_and_gateways_may_have_a_device() {
        let read = |text: &str| text.parse::<NextHop>();
        let hop = read("AS64496=192.0.2.1").unwrap();
        assert_eq!((hop.peer, &hop.device), (Peer::As(64496), &None));
        assert_eq!(read("64496=192.0.2.1"), Ok(hop));
        let hop = read("2001:db8::9=fe80::1%eth0").unwrap();
        assert_eq!(hop.peer, Peer::Address("2001:db8::9".parse().unwrap()));
        assert_eq!(hop.gateway, "fe80::1".parse::<IpAddr>().unwrap());
        assert_eq!(hop.device, "eth0".parse().ok());
        for wrong in [
            "",
            "=",
            "64496",
            "=192.0.2.1",
            "64496=",
            "+1=192.0.2.1",
            "AS=192.0.2.1",
            "4294967296=192.0.2.1",
            "x=192.0.2.1",
            "64496=eth0",
            "64496=192.0.2.1%",
            "é=1",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
