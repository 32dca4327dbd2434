// SPDX-License-Identifier: MIT OR Apache-2.0
//! The static routes of an FRR config: its `ip route` and `ipv6 route` statements. A distance
//! above 1, FRR's own, becomes the metric: of a prefix's routes the lowest one is in use in
//! both.

use std::io::BufRead;
use std::net::{IpAddr, Ipv4Addr};

use nl31_route::{DeviceName, Family, Path, PathKind, Prefix, PrefixError, Protocol, Route, words};

use super::intake::{Intake, Place};
use super::lines::each_line;
use crate::error::Error;

/// `RTPROT_STATIC`
const STATIC: Protocol = Protocol(4);

/// Statements that a config has besides.
const LEFT_OUT: &str = "lines of the config that are no routes";

/// Reads a config to its end.
pub fn read(input: &mut dyn BufRead, intake: &mut Intake<'_>) -> Result<(), Error> {
    let mut in_vrf = false;
    each_line(input, intake, &mut |number, line, intake| {
        let texts: Vec<&str> = words(line, 0).map(|word| word.text).collect();
        let column = words(line, 0).next().map_or(0, |word| word.column);
        let place = Place::Line(number, column + 1);
        // What belongs to a statement is indented.
        in_vrf &= column > 0;
        let (family, rest) = match texts[..] {
            ["ip", "route", ref rest @ ..] => (Family::V4, rest),
            ["ipv6", "route", ref rest @ ..] => (Family::V6, rest),
            _ => {
                in_vrf |= matches!(texts[..], ["vrf", _]);
                if !texts[0].starts_with('!') {
                    intake.leave_out(LEFT_OUT);
                }
                return Ok(());
            }
        };
        if in_vrf {
            return intake.skip(place, &"a route of a VRF; nl31 has one table");
        }
        match route(family, rest) {
            Ok(route) => intake.route(place, &route),
            Err(text) => intake.skip(place, &text),
        }
    })
}

/// Reads `PREFIX|ADDRESS MASK {GATEWAY [DEVICE]|DEVICE|KIND} [DISTANCE] [tag N] [onlink]`.
fn route(family: Family, texts: &[&str]) -> Result<Route<DeviceName>, String> {
    let mut rest = texts.iter().copied().peekable();
    let prefix = prefix(family, &mut rest)?;
    let mut path = Path {
        kind: PathKind::Unicast,
        gateway: None,
        device: None,
        metric: 0,
        protocol: STATIC,
    };
    let hop = rest.next().ok_or("the next hop is missing")?;
    match hop.parse::<IpAddr>() {
        Ok(gateway) if Family::of(gateway) != family => {
            return Err(format!(
                "{gateway}: an {family} prefix needs a gateway of {family}"
            ));
        }
        Ok(gateway) => path.gateway = Some(gateway),
        Err(_) => match hop {
            "blackhole" | "Null0" | "null0" => path.kind = PathKind::Blackhole,
            // zebra installs it as unreachable.
            "reject" => path.kind = PathKind::Unreachable,
            "from" => return Err("nl31 does not choose routes by source".into()),
            device => path.device = Some(name(device)?),
        },
    }
    let mut may_name_device = path.gateway.is_some();
    while let Some(word) = rest.next() {
        match word {
            "tag" => drop(rest.next().ok_or("the number of the tag is missing")?),
            "onlink" => {}
            "label" | "table" | "vrf" | "nexthop-vrf" | "color" | "segments" | "bfd" => {
                return Err(format!("{word}: nl31 has it not"));
            }
            distance if distance.bytes().all(|byte| byte.is_ascii_digit()) => {
                let distance: u8 = distance
                    .parse()
                    .ok()
                    .filter(|distance| *distance > 0)
                    .ok_or("a distance is a number from 1 to 255")?;
                path.metric = match distance {
                    1 => 0,
                    distance => distance.into(),
                };
            }
            device if may_name_device => path.device = Some(name(device)?),
            word => return Err(format!("{}: not understood", word.escape_debug())),
        }
        may_name_device = false;
    }
    Ok(Route { prefix, path })
}

/// Reads a prefix, or an address and a mask. FRR clears the bits behind the length.
fn prefix<'a>(
    family: Family,
    rest: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
) -> Result<Prefix, String> {
    let text = rest.next().ok_or("the prefix is missing")?;
    let read = match rest.peek().map(|mask| mask.parse::<Ipv4Addr>()) {
        Some(Ok(mask)) if family == Family::V4 && !text.contains('/') => {
            let len = mask.to_bits().leading_ones();
            if mask.to_bits().count_ones() != len {
                return Err(format!("{mask} is not a mask"));
            }
            rest.next();
            let address: Result<Ipv4Addr, _> = text.parse();
            let address = address.map_err(|_| PrefixError::Address);
            address.and_then(|address| Prefix::new(address.into(), len as u8))
        }
        _ if !text.contains('/') => Err(PrefixError::Address),
        _ => text.parse(),
    };
    match read {
        Ok(prefix) | Err(PrefixError::HostBits(prefix)) if prefix.family() == family => Ok(prefix),
        Ok(_) | Err(PrefixError::HostBits(_)) => Err(format!("not an {family} prefix")),
        Err(PrefixError::Address) => Err(format!("{}: not a prefix", text.escape_debug())),
        Err(error) => Err(error.to_string()),
    }
}

fn name(text: &str) -> Result<DeviceName, String> {
    let name = DeviceName::from_bytes(text.as_bytes());
    name.map_err(|error| format!("{}: {error}", text.escape_debug()))
}
