// SPDX-License-Identifier: MIT OR Apache-2.0
//! Routing tables for tests: made ones, whose prefix lengths are distributed as in the
//! Internet's, and real ones from a file.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::random::SplitMix;

/// Prefixes of each length in a full table of October 2025 (the project gaissmai/bart's
/// test data).
const LENGTHS_4: &[(u8, u32)] = &[
    (8, 16),
    (9, 13),
    (10, 38),
    (11, 103),
    (12, 299),
    (13, 581),
    (14, 1203),
    (15, 2100),
    (16, 13490),
    (17, 8235),
    (18, 13798),
    (19, 24870),
    (20, 42611),
    (21, 50750),
    (22, 108_623),
    (23, 96510),
    (24, 537_698),
    (25, 20),
    (26, 3),
    (27, 11),
    (28, 18),
    (29, 17),
    (30, 3),
    (31, 3),
    (32, 886),
];
const LENGTHS_6: &[(u8, u32)] = &[
    (16, 1),
    (19, 1),
    (20, 16),
    (21, 3),
    (22, 7),
    (23, 8),
    (24, 30),
    (25, 8),
    (26, 15),
    (27, 20),
    (28, 193),
    (29, 4371),
    (30, 650),
    (31, 284),
    (32, 22548),
    (33, 2926),
    (34, 2603),
    (35, 1043),
    (36, 5996),
    (37, 880),
    (38, 1617),
    (39, 1377),
    (40, 13418),
    (41, 903),
    (42, 2301),
    (43, 1001),
    (44, 14365),
    (45, 1553),
    (46, 3039),
    (47, 3153),
    (48, 75488),
    (49, 11),
    (50, 3),
    (52, 1),
    (55, 1),
    (56, 24),
    (58, 20),
    (60, 2),
    (64, 184),
    (112, 2),
    (122, 1),
    (124, 4),
    (125, 9),
    (126, 19),
    (127, 42),
    (128, 6),
];

/// A prefix without bits beyond its length. Ordered as the kernel dumps: IPv4 first, by
/// address, the shorter first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// Its address.
    pub address: IpAddr,
    /// Its length in bits.
    pub length: u8,
}

impl Prefix {
    /// `address` without the bits beyond `length`, which fits the family.
    pub fn new(address: IpAddr, length: u8) -> Self {
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        };
        Self { address, length }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// A route in the console's words: `PREFIX via GATEWAY dev eth0 metric METRIC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Where to.
    pub prefix: Prefix,
    /// The next hop, of the prefix's family.
    pub gateway: IpAddr,
    /// Its metric.
    pub metric: u32,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{} via {} dev eth0 metric {}",
            self.prefix, self.gateway, self.metric
        )
    }
}

/// Gives each prefix one of some dozens of next hops, as a real table has.
pub fn routes(prefixes: &[Prefix]) -> Vec<Route> {
    let route = |(number, prefix): (usize, &Prefix)| {
        let hop = 1 + (number % 48) as u16;
        let gateway = match prefix.address {
            IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, hop as u8).into(),
            IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, hop).into(),
        };
        Route {
            prefix: *prefix,
            gateway,
            metric: 10 + (number % 5) as u32,
        }
    };
    prefixes.iter().enumerate().map(route).collect()
}

/// The agent's config for `routes`.
pub fn config(routes: &[Route]) -> String {
    routes.iter().map(|route| format!("{route}\n")).collect()
}

/// `count` prefixes, the same each time, in order of address. As in the Internet, 85 of
/// 100 are IPv4, and about half of them lie within another.
pub fn made(count: usize) -> Vec<Prefix> {
    let mut random = SplitMix(31);
    let mut chosen = BTreeSet::new();
    let mut covering: Vec<Prefix> = Vec::new();
    while chosen.len() < count {
        let four = random.below(100) < 85;
        let length = random.length(if four { LENGTHS_4 } else { LENGTHS_6 });
        let inside = covering
            .get(random.below(covering.len().max(1) as u64 * 2) as usize)
            .filter(|outer| outer.address.is_ipv4() == four && outer.length < length);
        let prefix = Prefix::new(random.address(four, inside), length);
        if chosen.insert(prefix) {
            covering.push(prefix);
        }
    }
    chosen.into_iter().collect()
}

impl SplitMix {
    fn length(&mut self, distribution: &[(u8, u32)]) -> u8 {
        let total: u32 = distribution.iter().map(|(_, count)| count).sum();
        let mut at = self.below(total.into());
        for &(length, count) in distribution {
            match at.checked_sub(count.into()) {
                Some(rest) => at = rest,
                None => return length,
            }
        }
        unreachable!("the counts add up to the total")
    }

    /// A unicast address, within `inside` if there is one.
    fn address(&mut self, four: bool, inside: Option<&Prefix>) -> IpAddr {
        if four {
            let unicast = (self.number() as u32 % 0xdf00_0000).saturating_add(0x0100_0000);
            Ipv4Addr::from_bits(match inside {
                Some(Prefix {
                    address: IpAddr::V4(outer),
                    length,
                }) => {
                    outer.to_bits() | unicast & u32::MAX.checked_shr((*length).into()).unwrap_or(0)
                }
                _ => unicast,
            })
            .into()
        } else {
            let low = u128::from(self.number()) << 64 | u128::from(self.number());
            let unicast = 0b001 << 125 | low >> 3;
            Ipv6Addr::from_bits(match inside {
                Some(Prefix {
                    address: IpAddr::V6(outer),
                    length,
                }) => {
                    outer.to_bits() | unicast & u128::MAX.checked_shr((*length).into()).unwrap_or(0)
                }
                _ => unicast,
            })
            .into()
        }
    }
}

/// The prefixes in `file`, one a line, gzip'd or not.
pub fn read(file: &Path) -> Result<Vec<Prefix>> {
    let name = file.display();
    let mut raw = BufReader::new(File::open(file).with_context(|| format!("cannot open {name}"))?);
    let zipped = raw.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let reader: Box<dyn Read> = if zipped {
        Box::new(flate2::read::MultiGzDecoder::new(raw))
    } else {
        Box::new(raw)
    };
    let mut prefixes = Vec::new();
    for (number, line) in BufReader::new(reader).lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {name}"))?;
        match parse(&line) {
            Some(prefix) => prefixes.push(prefix),
            None => bail!("{name}:{}: {line:?} is not a prefix", number + 1),
        }
    }
    Ok(prefixes)
}

fn parse(line: &str) -> Option<Prefix> {
    let (address, length) = line.trim().split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    (length <= if address.is_ipv4() { 32 } else { 128 }).then(|| Prefix::new(address, length))
}

/// `count` of them, evenly spread over the list.
pub fn sample(prefixes: &[Prefix], count: usize) -> Vec<Prefix> {
    let count = count.min(prefixes.len());
    (0..count)
        .map(|number| prefixes[number * prefixes.len() / count])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_table_is_the_same_each_time_and_has_the_real_ones_shape() {
        let table = made(10_000);
        assert_eq!(table, made(10_000));
        let share = |wanted: &dyn Fn(&Prefix) -> bool| {
            table.iter().filter(|prefix| wanted(prefix)).count() * 100 / table.len()
        };
        assert!((84..=86).contains(&share(&|prefix| prefix.address.is_ipv4())));
        // 59.6 % of the IPv4 part are /24, 47.1 % of the IPv6 part /48
        assert!((49..=52).contains(&share(&|p| p.address.is_ipv4() && p.length == 24)));
        assert!((6..=8).contains(&share(&|p| p.address.is_ipv6() && p.length == 48)));
    }

    #[test]
    fn a_sample_is_spread_over_the_list() {
        let table = made(1000);
        assert_eq!(
            sample(&table, 4),
            [table[0], table[250], table[500], table[750]]
        );
        assert_eq!(sample(&table, 2000), table);
    }
}
