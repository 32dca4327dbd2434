// SPDX-License-Identifier: MIT OR Apache-2.0
//! `show` alone: the router on one page. The rates are those of the second that it takes.

use std::fmt::{self, Write as _};
use std::time::{Duration, Instant};
use std::vec;

use nl31_netlink::rtnetlink::{Link, LinkAddress};
use nl31_netlink::{Client, Error, Port, Transport};

use super::reply::Reason;
use super::session::{Console, LINES_PER_STEP, Running};
use crate::config::learnt;
use crate::grammar::codes;
use crate::platform::system;

/// Between the two looks at the counters.
const INTERVAL: Duration = Duration::from_secs(1);

/// Links and ports that have a line, and addresses in that of a link.
const LINES_MAX: usize = 16;
const ADDRESSES_MAX: usize = 4;

/// The page: being measured, or being shown.
#[derive(Debug)]
pub(super) enum Overview {
    /// What the counters were at this time.
    Measured(Instant, Counted),
    /// The lines that are left.
    Shown(vec::IntoIter<String>),
}

/// What has counters.
#[derive(Debug)]
pub(super) struct Counted {
    links: Vec<Link>,
    ports: Vec<Port>,
}

impl Counted {
    fn read<T: Transport>(client: &mut Client<T>) -> Result<Self, Error> {
        Ok(Self {
            links: client.links()?,
            ports: client.ports()?,
        })
    }
}

impl Overview {
    /// When the second look is due.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::Measured(begun, _) => Some(*begun + INTERVAL),
            Self::Shown(_) => None,
        }
    }
}

impl<T: Transport> Console<T> {
    pub(super) fn start_overview(&mut self) {
        match self.ask(Counted::read) {
            Ok(counted) => {
                let overview = Overview::Measured(Instant::now(), counted);
                self.running = Running::Overview(Box::new(overview));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    /// Measures, or shows some more lines. Gives `false`: the caller has to wait.
    pub(super) fn overview(&mut self, overview: Box<Overview>) -> bool {
        if std::mem::take(&mut self.stop) {
            self.status(codes::STOPPED, format_args!("stopped"));
            return true;
        }
        let mut lines = match *overview {
            Overview::Shown(lines) => lines,
            Overview::Measured(begun, _) if begun.elapsed() < INTERVAL => {
                self.running = Running::Overview(overview);
                return false;
            }
            Overview::Measured(begun, before) => match self.look(begun, &before) {
                Ok(lines) => lines.into_iter(),
                Err(error) => {
                    self.failed(&error, format_args!("{}", Reason(&error)));
                    return true;
                }
            },
        };
        // A link with its addresses takes the room of two routes.
        for _ in 0..LINES_PER_STEP / 2 {
            if self.page_is_full() {
                return self.pause(Running::Overview(Box::new(Overview::Shown(lines))));
            }
            match lines.next() {
                Some(line) => self.data(format_args!("{line}")),
                None => {
                    self.status(codes::DONE, format_args!("overview"));
                    return true;
                }
            }
        }
        self.running = Running::Overview(Box::new(Overview::Shown(lines)));
        true
    }

    /// The lines of the page.
    fn look(&mut self, begun: Instant, before: &Counted) -> Result<Vec<String>, Error> {
        let table = self.ask(Client::table)?;
        let now = self.ask(Counted::read)?;
        let addresses = self.ask(Client::addresses)?;
        let took = begun.elapsed();
        let mut lines = Vec::new();
        let host = self.host_name();
        system::describe(host.as_deref(), |line| lines.push(line.to_string()));
        if let Some(unsaved) = self.has_unsaved_changes() {
            let changes = if unsaved { "unsaved" } else { "none" };
            lines.push(format!("changes {changes}"));
        }
        if self.shared.config.files.in_memory {
            lines.push("storage memory, lost at a reboot".to_owned());
        }
        lines.push(format!(
            "routes ipv4 {} ipv6 {} bytes {}",
            table.routes4,
            table.routes6,
            table.bytes4 + table.bytes6 + table.nexthop_bytes
        ));
        for link in now.links.iter().take(LINES_MAX) {
            let before = before.links.iter().find(|other| other.index == link.index);
            lines.push(link_line(link, before, took, &addresses));
        }
        more(&mut lines, now.links.len(), "link");
        for port in now.ports.iter().take(LINES_MAX) {
            let before = before.ports.iter().find(|other| other.index == port.index);
            lines.push(port_line(port, before, took));
        }
        more(&mut lines, now.ports.len(), "port");
        if let Ok(configured) = self.shared.config.configured() {
            let missing = |device: Option<_>| {
                device.is_some_and(|device| self.devices.index(device).is_none())
            };
            let now = system::seconds_since_boot();
            let settings = &configured.settings;
            let clients = learnt::clients(settings, &*self.devices, &self.shared.config, now);
            for (device, state) in learnt::told(clients, &*self.devices, &addresses) {
                lines.push(format!("dhcp {device} {}", state.line(now)));
            }
            let settings = configured.settings.all().iter();
            for setting in settings
                .filter(|setting| missing(setting.device()))
                .take(LINES_MAX)
            {
                lines.push(format!("deferred {setting}"));
            }
        }
        Ok(lines)
    }
}

/// A line about the objects that have none.
fn more(lines: &mut Vec<String>, count: usize, kind: &str) {
    if let Some(left) = count.checked_sub(LINES_MAX).filter(|left| *left > 0) {
        lines.push(format!("{kind}s-not-shown {left}, see `{kind} show`"));
    }
}

fn link_line(
    link: &Link,
    before: Option<&Link>,
    took: Duration,
    addresses: &[LinkAddress],
) -> String {
    let mut line = format!(
        "link {} {} carrier {}",
        link.device,
        if link.up { "up" } else { "down" },
        if link.carrier { "on" } else { "off" }
    );
    let own = addresses.iter().filter(|own| own.index == link.index);
    for address in own.clone().take(ADDRESSES_MAX) {
        let _ = write!(line, " address {}", address.address);
    }
    if let Some(left) = own
        .count()
        .checked_sub(ADDRESSES_MAX)
        .filter(|left| *left > 0)
    {
        let _ = write!(line, " more-addresses {left}");
    }
    let count = |link: &Link, wanted: &str| {
        let mut named = link.counters.named();
        named.find_map(|(name, count)| (name == wanted).then_some(count))
    };
    let grown = |name| {
        let before = before.and_then(|link| count(link, name));
        count(link, name)
            .zip(before)
            .map_or(0, |(now, before)| now.saturating_sub(before))
    };
    for (verb, packets, bytes) in [
        ("receives", "received", "received-bytes"),
        ("sends", "sent", "sent-bytes"),
    ] {
        let packets = per_second(grown(packets), took);
        let bits = Bits(per_second(grown(bytes).saturating_mul(8), took));
        let _ = write!(line, " {verb} {packets}/s {bits}/s");
    }
    for (name, count) in link.counters.named() {
        if count > 0 && (name.ends_with("errors") || name.ends_with("dropped")) {
            let _ = write!(line, " {name} {count}");
        }
    }
    line
}

fn port_line(port: &Port, before: Option<&Port>, took: Duration) -> String {
    let grown = before.map_or(0, |before| {
        let forwarded = port.counters.forwarded;
        forwarded.saturating_sub(before.counters.forwarded)
    });
    let forwarding = if port.forwarding { "on" } else { "off" };
    let mut line = format!("port {} forwarding {forwarding}", port.device);
    let _ = write!(
        line,
        " forwards {}/s forwarded {}",
        per_second(grown, took),
        port.counters.forwarded
    );
    for (name, count) in port.counters.named() {
        if count > 0 && name.starts_with("drop") {
            let _ = write!(line, " {name} {count}");
        }
    }
    line
}

/// `count` in `took`, for a second.
fn per_second(count: u64, took: Duration) -> u64 {
    let milliseconds = took.as_millis().max(1);
    let rate = (u128::from(count) * 1000 + milliseconds / 2) / milliseconds;
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// A number of bits: `960 bit`, `9.6 kbit`, `123 Mbit`.
struct Bits(u64);

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut unit = 1;
        for name in ["bit", "kbit", "Mbit"] {
            let (whole, tenth) = (self.0 / unit, self.0 / (unit / 10).max(1) % 10);
            match (whole, unit) {
                (0..1000, 1) => return write!(f, "{whole} {name}"),
                (0..100, _) => return write!(f, "{whole}.{tenth} {name}"),
                (100..1000, _) => return write!(f, "{whole} {name}"),
                _ => unit *= 1000,
            }
        }
        write!(f, "{}.{} Gbit", self.0 / unit, self.0 / (unit / 10) % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_their_unit_and_at_most_one_digit_behind_the_point() {
        for (bits, text) in [
            (0, "0 bit"),
            (999, "999 bit"),
            (1000, "1.0 kbit"),
            (99_960, "99.9 kbit"),
            (100_000, "100 kbit"),
            (12_345_678, "12.3 Mbit"),
            (2_500_000_000, "2.5 Gbit"),
            (u64::MAX, "18446744073.7 Gbit"),
        ] {
            assert_eq!(Bits(bits).to_string(), text);
        }
    }

    #[test]
    fn rate_is_that_of_the_time_that_it_took() {
        assert_eq!(per_second(3, Duration::from_millis(1500)), 2);
        assert_eq!(per_second(u64::MAX, Duration::ZERO), u64::MAX);
        assert_eq!(per_second(0, Duration::from_secs(1)), 0);
    }

    #[test]
    fn what_has_no_line_is_counted() {
        let mut lines = Vec::new();
        more(&mut lines, LINES_MAX, "link");
        assert!(lines.is_empty());
        more(&mut lines, LINES_MAX + 2, "port");
        assert_eq!(lines, ["ports-not-shown 2, see `port show`"]);
    }
}
