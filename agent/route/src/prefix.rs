// SPDX-License-Identifier: MIT OR Apache-2.0
//! Address prefixes.

use core::cmp::Ordering;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Bits of an address, which is the longest prefix length.
    pub fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// An address and how many of its leading bits count; the others are 0.
///
/// Ordered as the kernel dumps: IPv4 first, then by address, then by length.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: IpAddr,
    len: u8,
}

/// Why text or numbers are not a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The part before the `/` is not an address.
    #[error("expected an address like 192.0.2.1 or 2001:db8::1")]
    Address,
    /// The part after the `/` is not a number from 0 to [`Family::bits`].
    #[error("the length of an {0} prefix is a number from 0 to {max}", max = .0.bits())]
    Length(Family),
    /// Bits beyond the prefix length are set; with the prefix without them.
    #[error("bits are set beyond the prefix length; did you mean {0}?")]
    HostBits(Prefix),
}

impl Prefix {
    /// All of IPv4.
    pub const DEFAULT4: Self = Self {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        len: 0,
    };
    /// All of IPv6.
    pub const DEFAULT6: Self = Self {
        address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        len: 0,
    };

    /// The prefix of `len` bits, unless `len` is too long or other bits are set.
    pub fn new(address: IpAddr, len: u8) -> Result<Self, PrefixError> {
        let family = Family::of(address);
        if len > family.bits() {
            return Err(PrefixError::Length(family));
        }
        let prefix = Self {
            address: truncate(address, len),
            len,
        };
        if prefix.address == address {
            Ok(prefix)
        } else {
            Err(PrefixError::HostBits(prefix))
        }
    }

    /// The prefix that is this address alone.
    pub fn host(address: IpAddr) -> Self {
        Self {
            address,
            len: Family::of(address).bits(),
        }
    }

    /// Its first address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// Its length in bits.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> u8 {
        self.len
    }

    /// Its family.
    pub fn family(self) -> Family {
        Family::of(self.address)
    }

    /// Whether every address of `other` is in this prefix too.
    pub fn covers(self, other: Self) -> bool {
        self.family() == other.family()
            && self.len <= other.len
            && truncate(other.address, self.len) == self.address
    }
}

/// The first `len` bits of an address, the others 0. `len` fits the family.
fn truncate(address: IpAddr, len: u8) -> IpAddr {
    match address {
        IpAddr::V4(a) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & mask))
        }
        IpAddr::V6(a) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & mask))
        }
    }
}

impl PartialOrd for Prefix {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Prefix {
    fn cmp(&self, other: &Self) -> Ordering {
        self.address
            .cmp(&other.address)
            .then(self.len.cmp(&other.len))
    }
}

/// `ADDRESS/LENGTH`, or an address for the prefix that is this address alone.
impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| PrefixError::Address)?;
        match len {
            None => Ok(Self::host(address)),
            Some(len) => {
                let len =
                    super::parse::number(len).ok_or(PrefixError::Length(Family::of(address)))?;
                Self::new(address, len)
            }
        }
    }
}

/// Always `ADDRESS/LENGTH`, which says the family of a default route too.
impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn text_round_trips() {
        for text in [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "192.0.2.1/32",
            "::/0",
            "2001:db8::/32",
            "::1/128",
        ] {
            assert_eq!(prefix(text).to_string(), text);
        }
        assert_eq!(prefix("192.0.2.1").to_string(), "192.0.2.1/32");
        assert_eq!(prefix("2001:db8::1").to_string(), "2001:db8::1/128");
    }

    #[test]
    fn bad_text_says_what_is_wrong() {
        let error = |text: &str| text.parse::<Prefix>().unwrap_err();
        for text in [
            "",
            "/8",
            "10/8",
            "10.0.0/8",
            "300.0.0.0/8",
            "010.0.0.0/8",
            "2001:db8/32",
            "x",
        ] {
            assert_eq!(error(text), PrefixError::Address, "{text:?}");
        }
        for text in [
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(error(text), PrefixError::Length(Family::V4), "{text:?}");
        }
        assert_eq!(error("2001:db8::/129"), PrefixError::Length(Family::V6));
        assert_eq!(
            error("10.0.0.1/8"),
            PrefixError::HostBits(prefix("10.0.0.0/8"))
        );
        assert_eq!(error("1.0.0.0/0"), PrefixError::HostBits(Prefix::DEFAULT4));
        assert_eq!(
            error("2001:db8::1/127"),
            PrefixError::HostBits(prefix("2001:db8::/127"))
        );
    }

    #[test]
    fn covers_what_starts_with_it() {
        assert!(Prefix::DEFAULT4.covers(prefix("255.0.0.0/8")));
        assert!(prefix("10.0.0.0/8").covers(prefix("10.0.0.0/8")));
        assert!(prefix("10.0.0.0/8").covers(prefix("10.255.0.1")));
        assert!(!prefix("10.0.0.0/8").covers(prefix("11.0.0.0/8")));
        assert!(!prefix("10.0.0.0/8").covers(prefix("10.0.0.0/7")));
        assert!(!Prefix::DEFAULT4.covers(Prefix::DEFAULT6));
        assert!(prefix("2001:db8::/127").covers(prefix("2001:db8::1")));
    }

    #[test]
    fn order_is_that_of_a_dump() {
        let sorted = [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "10.0.0.0/9",
            "10.1.0.0/16",
            "::/0",
            "::/8",
        ];
        assert!(sorted.map(prefix).is_sorted());
    }
}
