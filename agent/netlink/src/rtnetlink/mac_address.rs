// SPDX-License-Identifier: MIT OR Apache-2.0
//! The MAC address of one Ethernet device (IEEE 802).

use std::fmt;
use std::str::FromStr;

/// An address that a device can have: of 48 bits, neither that of a group nor all zeros.
/// Its text is `02:00:00:00:00:01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacAddress([u8; 6]);

/// The reason why a text or some bytes are not a [`MacAddress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMac {
    /// Not six bytes.
    #[error("expected a MAC address like 02:00:00:00:00:01")]
    Form,
    /// The lowest bit of the first byte is set.
    #[error("a multicast address is that of no device: the first byte must be even")]
    Multicast,
    /// All bits are 0.
    #[error("all zeros are the address of no device")]
    Zero,
}

impl MacAddress {
    /// Its bytes.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl TryFrom<&[u8]> for MacAddress {
    type Error = InvalidMac;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidMac> {
        let octets: [u8; 6] = bytes.try_into().map_err(|_| InvalidMac::Form)?;
        match octets {
            [0, 0, 0, 0, 0, 0] => Err(InvalidMac::Zero),
            [first, ..] if first & 1 != 0 => Err(InvalidMac::Multicast),
            octets => Ok(Self(octets)),
        }
    }
}

impl FromStr for MacAddress {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Self, InvalidMac> {
        let mut octets = heapless::Vec::<u8, 6>::new();
        for part in text.split(':') {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
            let octet = u8::from_str_radix(part, 16).ok().filter(|_| digits);
            let octet = octet.ok_or(InvalidMac::Form)?;
            octets.push(octet).map_err(|_| InvalidMac::Form)?;
        }
        octets.as_slice().try_into()
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_address_is_that_of_one_device() {
        for text in ["02:00:00:00:00:01", "fe:dc:ba:98:76:54"] {
            let upper: MacAddress = text.to_uppercase().parse().unwrap();
            assert_eq!(upper.to_string(), text);
        }
        for (text, error) in [
            ("", InvalidMac::Form),
            ("02:00:00:00:00", InvalidMac::Form),
            ("02:00:00:00:00:01:02", InvalidMac::Form),
            ("2:0:0:0:0:1", InvalidMac::Form),
            ("02:00:00:00:00:+1", InvalidMac::Form),
            ("02-00-00-00-00-01", InvalidMac::Form),
            ("02:00:00:00:00:0é", InvalidMac::Form),
            ("01:00:5e:00:00:01", InvalidMac::Multicast),
            ("ff:ff:ff:ff:ff:ff", InvalidMac::Multicast),
            ("00:00:00:00:00:00", InvalidMac::Zero),
        ] {
            assert_eq!(text.parse::<MacAddress>(), Err(error), "{text}");
        }
        let of = |bytes: &[u8]| MacAddress::try_from(bytes);
        assert_eq!(of(&[0; 8]), Err(InvalidMac::Form));
        assert_eq!(
            of(&[2, 0, 0, 0, 0, 1]).unwrap().octets(),
            [2, 0, 0, 0, 0, 1]
        );
    }
}
