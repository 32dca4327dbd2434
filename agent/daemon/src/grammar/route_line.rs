// SPDX-License-Identifier: MIT OR Apache-2.0
//! The words of a route in a command line, with the family of `ip -4` and `ip -6`.

use nl31_route::{Family, ParseError, ParseErrorKind, Parsed, Part, Prefix, Syntax, words};

use super::parse::{IP, family_option};
use super::table::LONGER;

/// Reads the words of a route from byte `start` on. After `ip -6`, `default` is `::/0`, and a
/// prefix or gateway of the other family is an error; likewise after `ip -4`.
pub fn route_words(syntax: &Syntax, line: &str, start: usize) -> Result<Parsed, ParseError> {
    let mut parsed = syntax.parse(line, start)?;
    let Some(family) = family(line, start) else {
        return Ok(parsed);
    };
    let Some((column, len)) = parsed.span(Part::Prefix) else {
        return Ok(parsed);
    };
    if &line[column..column + len] == "default" && parsed.spec.gateway.is_none() {
        parsed.spec.prefix = Some(every_address(family));
    }
    match parsed.spec.prefix {
        Some(prefix) if prefix.family() != family => Err(ParseError {
            column,
            len,
            kind: ParseErrorKind::Refused(match family {
                Family::V4 => {
                    "`ip -4` takes IPv4 prefixes alone: remove -4, or write another prefix"
                }
                Family::V6 => {
                    "`ip -6` takes IPv6 prefixes alone: remove -6, or write another prefix"
                }
            }),
        }),
        _ => Ok(parsed),
    }
}

/// Limits a list or a flush to the family of `ip -6` or `ip -4`: without a prefix it is
/// `::/0 longer` or its like.
pub fn within_family(parsed: &mut Parsed, line: &str, start: usize) {
    if let Some(family) = family(line, start)
        && parsed.spec.prefix.is_none()
    {
        parsed.spec.prefix = Some(every_address(family));
        parsed.flags |= LONGER;
    }
}

fn every_address(family: Family) -> Prefix {
    match family {
        Family::V4 => Prefix::DEFAULT4,
        Family::V6 => Prefix::DEFAULT6,
    }
}

/// The family given after `ip`.
fn family(line: &str, start: usize) -> Option<Family> {
    let mut before = words(&line[..start], 0).map(|word| word.text);
    let ip = before.next() == Some(IP);
    before.filter(|_| ip).filter_map(family_option).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        let syntax = Syntax {
            flags: &[],
            abbreviations: true,
        };
        let start = line.find("add").map_or(0, |at| at + 3);
        match route_words(&syntax, line, start) {
            Ok(parsed) => parsed
                .spec
                .prefix
                .map_or_else(String::new, |prefix| prefix.to_string()),
            Err(error) => format!("{}+{} {error}", error.column, error.len),
        }
    }

    #[test]
    fn the_family_behind_ip_decides_what_default_is() {
        for (line, prefix) in [
            ("ip -6 route add default dev eth0", "::/0"),
            ("ip -4 route add default dev eth0", "0.0.0.0/0"),
            ("ip route add default dev eth0", "0.0.0.0/0"),
            ("ip -6 ro add blackhole default", "::/0"),
            ("ip -6 route add 2001:db8::/32 dev eth0", "2001:db8::/32"),
            ("ip -4 -6 route add default via fe80::1 dev eth0", "::/0"),
        ] {
            assert_eq!(read(line), prefix, "{line}");
        }
        for (line, place) in [
            ("ip -6 route add 10.0.0.0/8 dev eth0", "16+10"),
            ("ip -4 route add 2001:db8::/32 dev eth0", "16+13"),
            ("ip -6 route add default via 192.0.2.1", "16+7"),
        ] {
            assert!(
                read(line).starts_with(&format!("{place} `ip -")),
                "{}",
                read(line)
            );
        }
    }
}
