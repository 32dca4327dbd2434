// SPDX-License-Identifier: MIT OR Apache-2.0
//! The origin of a path.

use core::fmt;
use core::str::FromStr;

/// The origin of a path, by the numbers of `RTPROT_*` in `linux/rtnetlink.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// The origin is not specified.
    pub const UNSPEC: Self = Self(0);

    /// A DHCP client.
    pub const DHCP: Self = Self(16);

    /// The numbers that have a name; the names are those of iproute2.
    const NAMES: [(u8, &'static str); 23] = [
        (0, "unspec"),
        (1, "redirect"),
        (2, "kernel"),
        (3, "boot"),
        (4, "static"),
        (8, "gated"),
        (9, "ra"),
        (10, "mrt"),
        (11, "zebra"),
        (12, "bird"),
        (13, "dnrouted"),
        (14, "xorp"),
        (15, "ntk"),
        (16, "dhcp"),
        (17, "mrouted"),
        (18, "keepalived"),
        (42, "babel"),
        (99, "openr"),
        (186, "bgp"),
        (187, "isis"),
        (188, "ospf"),
        (189, "rip"),
        (192, "eigrp"),
    ];

    /// All names, for completion.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|&(_, name)| name)
    }
}

/// A name of [`Protocol::names`], or a number from 0 to 255.
impl FromStr for Protocol {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match Self::NAMES.iter().find(|&&(_, name)| name == text) {
            Some(&(number, _)) => Ok(Self(number)),
            None => super::parse::number(text).map(Self).ok_or(()),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.binary_search_by_key(&self.0, |&(number, _)| number) {
            Ok(index) => f.pad(Self::NAMES[index].1),
            Err(_) => fmt::Display::fmt(&self.0, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn every_number_survives_its_text() {
        for number in 0..=255 {
            let protocol = Protocol(number);
            assert_eq!(protocol.to_string().parse(), Ok(protocol));
        }
        assert_eq!(Protocol(186).to_string(), "bgp");
        assert_eq!(Protocol(200).to_string(), "200");
    }

    #[test]
    fn other_text_is_refused() {
        for bad in ["", "256", "-1", "+1", "Static", "nobody"] {
            assert_eq!(bad.parse::<Protocol>(), Err(()), "{bad:?}");
        }
    }
}
