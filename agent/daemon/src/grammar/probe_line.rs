// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arguments of `ping` and `traceroute`.

use std::net::IpAddr;

use nl31_route::{DeviceName, Keyword, Word, words};

use super::device_word::index_in;
use super::errors::{GrammarError, GrammarErrorKind};
use super::limits::{PROBE_SIZE_MAX, PROBES_MAX};

/// Echo requests to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The address.
    pub destination: IpAddr,
    /// The source address; otherwise Linux chooses it.
    pub from: Option<IpAddr>,
    /// The device that they leave by; otherwise the route decides.
    pub device: Option<DeviceName>,
    /// How many, if the line says so.
    pub count: Option<u32>,
    /// Bytes behind the ICMP header, if the line says so.
    pub size: Option<u16>,
}

/// Reads the arguments, of which `keywords` has the words behind the address in the order of
/// `ping`; `None` if there are none, which is right if they are `optional`.
pub fn probe(
    line: &str,
    start: usize,
    keywords: &'static [Keyword],
    optional: bool,
) -> Result<Option<Probe>, GrammarError> {
    let mut words = words(line, start);
    let Some(first) = words.next() else {
        return match optional {
            true => Ok(None),
            false => Err(GrammarError::at_end(line, GrammarErrorKind::NoHost)),
        };
    };
    let address = |word: Word<'_>| -> Result<IpAddr, GrammarError> {
        let kind = GrammarErrorKind::NoHost;
        word.text.parse().map_err(|_| GrammarError::at(word, kind))
    };
    let mut probe = Probe {
        destination: address(first)?,
        from: None,
        device: None,
        count: None,
        size: None,
    };
    while let Some(word) = words.next() {
        let index = index_in(word, keywords, false)?;
        let kind = || match index {
            0 => GrammarErrorKind::NoHost,
            1 => GrammarErrorKind::NoDevice,
            2 => GrammarErrorKind::NoCount,
            _ => GrammarErrorKind::NoProbeSize,
        };
        let missing = || GrammarError::at_end(line, kind());
        let value = words.next().ok_or_else(missing)?;
        let wrong = || GrammarError::at(value, kind());
        let digits = value.text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |max: u32| {
            let number = value.text.parse().ok().filter(|_| digits);
            number
                .filter(|&number: &u32| number <= max)
                .ok_or_else(wrong)
        };
        match index {
            0 => {
                let from = address(value)?;
                if from.is_ipv4() != probe.destination.is_ipv4() {
                    return Err(GrammarError::at(value, GrammarErrorKind::OtherFamily));
                }
                probe.from = Some(from);
            }
            1 => probe.device = Some(value.text.parse().map_err(|_| wrong())?),
            2 => {
                let count = number(PROBES_MAX)?;
                probe.count = Some(Some(count).filter(|&count| count > 0).ok_or_else(wrong)?);
            }
            _ => probe.size = Some(number(PROBE_SIZE_MAX.into())? as u16),
        }
    }
    match probe.destination {
        IpAddr::V6(address) if address.is_unicast_link_local() && probe.device.is_none() => {
            Err(GrammarError::at(first, GrammarErrorKind::NoLink))
        }
        _ => Ok(Some(probe)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::table::{PING, TRACEROUTE};

    #[test]
    fn words_behind_the_address_come_in_any_order() {
        let read = |line| probe(line, 4, &PING, true).unwrap().unwrap();
        assert_eq!(probe("ping ", 4, &PING, true), Ok(None));
        let plain = read("ping 192.0.2.1");
        assert_eq!(plain.destination.to_string(), "192.0.2.1");
        assert_eq!((plain.count, plain.size), (None, None));
        let all = read("ping 2001:db8::1 size 0 count 7 dev eth0 from ::1");
        assert_eq!((all.count, all.size), (Some(7), Some(0)));
        assert_eq!(all.from.unwrap().to_string(), "::1");
        assert_eq!(all.device.unwrap().to_string(), "eth0");
        assert_eq!(read("ping ::1 c 1").count, Some(1));
    }

    #[test]
    fn mistake_names_its_place() {
        let count = "expected a number of packets, from 1 to 100000";
        let size = "expected bytes, from 0 to 8972";
        for (line, column, text) in [
            (
                "ping eth0",
                5,
                "expected an address like 192.0.2.1 or 2001:db8::1",
            ),
            (
                "ping fe80::1 count 1",
                5,
                "a link-local address needs its link: add dev and the name of the device",
            ),
            ("ping ::1 x", 9, "expected from, dev, count or size"),
            ("ping ::1 count", 14, count),
            ("ping ::1 count 0", 15, count),
            ("ping ::1 count +1", 15, count),
            ("ping ::1 count 100001", 15, count),
            ("ping ::1 size 8973", 14, size),
            ("ping ::1 dev", 12, "expected the name of a device"),
            (
                "ping ::1 from 192.0.2.1",
                14,
                "expected an address of the same family as the destination",
            ),
        ] {
            let error = probe(line, 4, &PING, true).unwrap_err();
            assert_eq!(
                (error.column, error.kind.to_string()),
                (column, text.into()),
                "{line}"
            );
        }
        assert_eq!(
            probe("traceroute ", 10, &TRACEROUTE, false)
                .unwrap_err()
                .column,
            10
        );
        let error = probe("traceroute ::1 count 1", 10, &TRACEROUTE, false).unwrap_err();
        assert_eq!(
            (error.column, error.kind.to_string()),
            (15, "expected from or dev".into())
        );
    }
}
