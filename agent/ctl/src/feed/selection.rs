// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which routes a feed carries. Of the board's routes, it owns those of the same protocols.

use std::ops::RangeInclusive;
use std::str::FromStr;

use nl31_route::{Family, Prefix, Protocol};

use super::rtnetlink::RouteMessage;

/// Linux's main table.
pub const MAIN: u32 = 254;

/// Most routes unless told otherwise; some 250 MB.
pub const MAX_ROUTES: usize = 2_000_000;

/// Protocols that routing daemons have: zebra, bird, babel, and FRR's numbers. The routes of
/// the kernel, of DHCP and of a person have others.
const DAEMONS: [RangeInclusive<u8>; 3] = [11..=12, 42..=42, 186..=199];

/// Prefix lengths of one family, as `--lengths4` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    first: u8,
    last: u8,
}

/// `LENGTH` or `FIRST-LAST`.
impl FromStr for Lengths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| {
            let number = text.parse::<u8>().ok().filter(|&len| len <= 128);
            number.ok_or("expected a prefix length like 24, or two like 8-24".to_string())
        };
        let (first, last) = (number(first)?, number(last)?);
        match first <= last {
            true => Ok(Self { first, last }),
            false => Err(format!("{first} is more than {last}")),
        }
    }
}

impl Lengths {
    fn has(self, len: u8) -> bool {
        (self.first..=self.last).contains(&len)
    }
}

/// Which routes are carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Routes of this table of the sender.
    pub table: u32,
    /// Routes of these protocols; if there are none, of all that daemons have.
    pub protocols: Vec<Protocol>,
    /// IPv4 prefixes of these lengths.
    pub lengths4: Option<Lengths>,
    /// IPv6 prefixes of these lengths.
    pub lengths6: Option<Lengths>,
    /// Most routes; others are passed over.
    pub max_routes: usize,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            table: MAIN,
            protocols: Vec::new(),
            lengths4: None,
            lengths6: None,
            max_routes: MAX_ROUTES,
        }
    }
}

impl Selection {
    /// Whether routes of this protocol are carried, and owned on the board.
    pub fn has_protocol(&self, protocol: Protocol) -> bool {
        match self.protocols.is_empty() {
            true => DAEMONS.iter().any(|range| range.contains(&protocol.0)),
            false => self.protocols.contains(&protocol),
        }
    }

    /// Whether a prefix of this length is carried.
    pub fn has_length(&self, prefix: Prefix) -> bool {
        let lengths = match prefix.family() {
            Family::V4 => self.lengths4,
            Family::V6 => self.lengths6,
        };
        lengths.is_none_or(|lengths| lengths.has(prefix.len()))
    }

    /// Whether a route of the sender's table is carried.
    pub fn has(&self, route: &RouteMessage) -> bool {
        self.has_protocol(Protocol(route.protocol)) && self.has_length(route.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn daemons_routes_are_carried_and_no_others() {
        let all = Selection::default();
        for name in ["zebra", "bird", "bgp", "ospf", "isis", "babel", "196"] {
            assert!(all.has_protocol(name.parse().unwrap()), "{name}");
        }
        for name in ["unspec", "kernel", "boot", "static", "ra", "dhcp"] {
            assert!(!all.has_protocol(name.parse().unwrap()), "{name}");
        }
        let bgp = Selection {
            protocols: vec![Protocol(186)],
            ..all
        };
        assert!(bgp.has_protocol(Protocol(186)));
        assert!(!bgp.has_protocol(Protocol(188)));
    }

    #[test]
    fn lengths_are_one_or_a_range() {
        let selection = Selection {
            lengths4: Some("8-24".parse().unwrap()),
            lengths6: Some("48".parse().unwrap()),
            ..Selection::default()
        };
        let has = |text: &str| selection.has_length(text.parse().unwrap());
        assert!(has("10.0.0.0/8") && has("192.0.2.0/24") && has("2001:db8::/48"));
        assert!(!has("0.0.0.0/0") && !has("192.0.2.1/32") && !has("2001:db8::/32"));
        for wrong in ["", "129", "24-8", "8-", "x"] {
            assert!(wrong.parse::<Lengths>().is_err(), "{wrong}");
        }
    }
}
