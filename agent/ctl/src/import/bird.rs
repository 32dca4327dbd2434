// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `birdc show route` prints, of BIRD 2 and 1, with `all` or without. Of each prefix the
//! route that BIRD uses is taken, which it marks with `*`.

use std::io::BufRead;
use std::net::IpAddr;

use nl31_route::{DeviceName, Path, PathKind, Prefix, Protocol, Route, words};

use super::intake::{Intake, Place};
use super::lines::each_line;
use crate::error::Error;

/// `RTPROT_BIRD`
const BIRD: Protocol = Protocol(12);

const LEFT_OUT: &str = "routes that BIRD does not use, without *";

/// Reads a list to its end.
pub fn read(input: &mut dyn BufRead, intake: &mut Intake<'_>) -> Result<(), Error> {
    let mut state = State::default();
    each_line(input, intake, &mut |number, line, intake| {
        state.line(number, line, intake)
    })?;
    state.end(intake)
}

/// Where in the list the reader is.
#[derive(Default)]
struct State {
    /// Of the last line that had one: the routes that follow are of it, too.
    prefix: Option<Prefix>,
    open: Option<Open>,
}

/// A route whose next hops may follow.
struct Open {
    place: Place,
    prefix: Prefix,
    kind: PathKind,
    is_used: bool,
    /// A next hop or a reason against one was found.
    has_next_hop: bool,
}

impl State {
    fn line(&mut self, number: u64, line: &str, intake: &mut Intake<'_>) -> Result<(), Error> {
        let texts: Vec<&str> = words(line, 0).map(|word| word.text).collect();
        let column = words(line, 0).next().map_or(0, |word| word.column);
        let place = Place::Line(number, column + 1);
        match texts[..] {
            ["BIRD", _, "ready."] | ["Access", "restricted"] => self.end(intake),
            ["Table", name] if name.ends_with(':') => {
                self.end(intake)?;
                self.prefix = None;
                Ok(())
            }
            _ if line.starts_with('\t') => self.detail(place, &texts, intake),
            [prefix, ref rest @ ..] if !line.starts_with(' ') => {
                self.end(intake)?;
                self.prefix = prefix.parse().ok();
                match self.prefix {
                    Some(prefix) => self.route(place, prefix, rest, intake),
                    None => {
                        let text = format!("{} is not a prefix", prefix.escape_debug());
                        intake.skip(place, &text)
                    }
                }
            }
            ref rest => {
                self.end(intake)?;
                match self.prefix {
                    Some(prefix) => self.route(place, prefix, rest, intake),
                    None => intake.skip(place, &"a route without a prefix"),
                }
            }
        }
    }

    /// Reads what follows a prefix: `KIND [PROTOCOL TIME] * (PREFERENCE) [ATTRIBUTES]`, and in
    /// place of the kind its next hop in BIRD 1.
    fn route(
        &mut self,
        place: Place,
        prefix: Prefix,
        texts: &[&str],
        intake: &mut Intake<'_>,
    ) -> Result<(), Error> {
        let Some(open) = texts.iter().position(|text| text.starts_with('[')) else {
            return intake.skip(place, &"expected the protocol in brackets");
        };
        let (what, rest) = texts.split_at(open);
        let Some(close) = rest.iter().position(|text| text.ends_with(']')) else {
            return intake.skip(place, &"expected the protocol in brackets");
        };
        let kind = match what {
            ["unicast" | "multipath"] | ["via" | "dev", ..] => PathKind::Unicast,
            ["blackhole"] => PathKind::Blackhole,
            ["unreachable"] => PathKind::Unreachable,
            ["prohibit" | "prohibited"] => PathKind::Prohibit,
            _ => {
                let what = what.join(" ");
                let text = format!("{}: not a kind of route that nl31 has", what.escape_debug());
                return intake.skip(place, &text);
            }
        };
        let is_used = rest.get(close + 1) == Some(&"*");
        if !is_used {
            intake.leave_out(LEFT_OUT);
        }
        self.open = Some(Open {
            place,
            prefix,
            kind,
            is_used,
            has_next_hop: false,
        });
        match what {
            ["via" | "dev", ..] => self.next_hop(place, what, intake),
            _ => Ok(()),
        }
    }

    /// Reads a line that belongs to a route.
    fn detail(
        &mut self,
        place: Place,
        texts: &[&str],
        intake: &mut Intake<'_>,
    ) -> Result<(), Error> {
        match texts {
            ["via" | "dev", ..] => self.next_hop(place, texts, intake),
            // `all` lists attributes, like `Type: BGP univ`, `BGP.origin: IGP`, and a long one's
            // further lines.
            _ => Ok(()),
        }
    }

    fn next_hop(
        &mut self,
        place: Place,
        texts: &[&str],
        intake: &mut Intake<'_>,
    ) -> Result<(), Error> {
        let Some(open) = &mut self.open else {
            // That of a route that is told already.
            return Ok(());
        };
        open.has_next_hop = true;
        if !open.is_used {
            return Ok(());
        }
        match path(open.kind, texts) {
            Ok(path) => {
                if path
                    .gateway
                    .is_some_and(|gateway| gateway.is_ipv6() != open.prefix.address().is_ipv6())
                {
                    let text = "the gateway is of the other address family";
                    return intake.skip(place, &text);
                }
                let route = Route {
                    prefix: open.prefix,
                    path,
                };
                if texts.contains(&"weight") {
                    intake.ignore("weight");
                }
                intake.route(place, &route)
            }
            Err(text) => intake.skip(place, &text),
        }
    }

    /// Ends a route: one that leads nowhere has no next hop.
    fn end(&mut self, intake: &mut Intake<'_>) -> Result<(), Error> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        match open.kind {
            _ if open.has_next_hop || !open.is_used => Ok(()),
            PathKind::Unicast => intake.skip(open.place, &"the next hop is missing"),
            kind => {
                let path = Path {
                    kind,
                    gateway: None,
                    device: None,
                    metric: 0,
                    protocol: BIRD,
                };
                let prefix = open.prefix;
                intake.route(open.place, &Route { prefix, path })
            }
        }
    }
}

/// Reads `via ADDRESS on DEVICE` or `dev DEVICE`, and what follows.
fn path(kind: PathKind, texts: &[&str]) -> Result<Path<DeviceName>, String> {
    if kind != PathKind::Unicast {
        return Err("a route that leads nowhere has a next hop".into());
    }
    let (gateway, device, rest) = match texts {
        ["via", gateway, "on", device, rest @ ..] => (Some(*gateway), *device, rest),
        ["dev", device, rest @ ..] => (None, *device, rest),
        _ => return Err("expected via ADDRESS on DEVICE, or dev DEVICE".into()),
    };
    let mut rest = rest.iter();
    while let Some(&word) = rest.next() {
        match word {
            "onlink" => {}
            "weight" => drop(rest.next()),
            word => return Err(format!("{}: nl31 has it not", word.escape_debug())),
        }
    }
    let gateway = gateway.map(|gateway| {
        let address: Result<IpAddr, _> = gateway.parse();
        address.map_err(|_| format!("{} is not an address", gateway.escape_debug()))
    });
    Ok(Path {
        kind,
        gateway: gateway.transpose()?,
        device: Some(DeviceName::from_bytes(device.as_bytes()).map_err(|error| error.to_string())?),
        metric: 0,
        protocol: BIRD,
    })
}
