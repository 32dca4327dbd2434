// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which format a source has, by its first bytes.

use std::fmt;
use std::io::{self, Read};

use clap::ValueEnum;
use nl31_route::Prefix;

use super::mrt;

/// Bytes that tell the format: a config of FRR may have much before its first route.
const START: u64 = 64 * 1024;

/// What a source was written by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A RIB dump of a BGP daemon or collector (RFC 6396, TABLE_DUMP_V2).
    Mrt,
    /// `ip route` and `ip -6 route`
    Ip,
    /// `ip -json route`
    IpJson,
    /// `birdc show route`
    Bird,
    /// A config of FRR: its `ip route` and `ipv6 route` statements.
    Frr,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// Reads the bytes that tell the format.
pub fn start(source: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    source.take(START).read_to_end(&mut start)?;
    Ok(start)
}

impl Format {
    /// The format of a source that starts so.
    pub fn of(start: &[u8]) -> Option<Self> {
        if mrt::is_mrt(start) {
            return Some(Self::Mrt);
        }
        let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
        let mut first = start.iter().filter(|byte| !byte.is_ascii_whitespace());
        if first.next() == Some(&b'[') && matches!(first.next(), Some(b'{' | b']')) {
            return Some(Self::IpJson);
        }
        start.split(|&byte| byte == b'\n').find_map(Self::of_line)
    }

    fn of_line(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let words: Vec<_> = line.split_ascii_whitespace().take(8).collect();
        let is_prefix = |word: &str| word.parse::<Prefix>().is_ok();
        match words[..] {
            ["BIRD", _, "ready."] => Some(Self::Bird),
            ["Table", name] if name.ends_with(':') => Some(Self::Bird),
            ["frr", "version" | "defaults", ..] | ["Current", "configuration:"] => Some(Self::Frr),
            ["ip" | "ipv6", "route", word, _, ..] if word != "add" => Some(Self::Frr),
            [first, ref rest @ ..] if is_prefix(first) => {
                let is_bird = rest.iter().any(|word| word.starts_with('['));
                Some(if is_bird { Self::Bird } else { Self::Ip })
            }
            ["default", ..] => Some(Self::Ip),
            [kind, word, ..] if is_kind(kind) && (word == "default" || is_prefix(word)) => {
                Some(Self::Ip)
            }
            _ => None,
        }
    }
}

/// Whether a line of `ip route` may begin with this word.
fn is_kind(word: &str) -> bool {
    let other = ["local", "broadcast", "anycast", "multicast", "throw"];
    let mut kinds = nl31_route::PathKind::ALL.iter().map(|kind| kind.word());
    other.contains(&word) || kinds.any(|kind| kind == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_tells_the_format() {
        for (text, format) in [
            ("default via 192.0.2.1 dev eth0\n", Format::Ip),
            ("\n# comment\n10.0.0.0/8 dev eth0 scope link\n", Format::Ip),
            ("local 192.0.2.12 dev eth0 table local\n", Format::Ip),
            ("blackhole default dev lo\n", Format::Ip),
            ("[{\"dst\":\"default\"}]", Format::IpJson),
            (" [ ]\n", Format::IpJson),
            ("BIRD 2.0.12 ready.\n", Format::Bird),
            ("Access restricted\nTable master4:\n", Format::Bird),
            (
                "10.0.0.0/8  unicast [bgp1 10:20:30.123] * (100)\n",
                Format::Bird,
            ),
            (
                "10.0.0.0/8  via 192.0.2.1 on eth0 [bgp1 2020-01-01] * (100)\n",
                Format::Bird,
            ),
            ("\nCurrent configuration:\n!\n", Format::Frr),
            ("hostname r1\nip route 10.0.0.0/8 192.0.2.1\n", Format::Frr),
            ("ipv6 route 2001:db8::/32 blackhole\n", Format::Frr),
        ] {
            assert_eq!(Format::of(text.as_bytes()), Some(format), "{text}");
        }
        for text in [
            "",
            "\0",
            "hello\n",
            "[1]",
            "ip route add 10.0.0.0/8 dev eth0",
        ] {
            assert_eq!(Format::of(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Format::IpJson.to_string(), "ip-json");
    }
}
