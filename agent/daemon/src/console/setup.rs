// SPDX-License-Identifier: MIT OR Apache-2.0
//! The questions of `setup`. Its outcome is lines that the person could have typed: edits, `diff`
//! and a `commit confirmed`, see [`super::dialogue`].

use std::net::IpAddr;

use nl31_netlink::rtnetlink::InterfaceAddress;
use nl31_route::{DeviceName, Family, Prefix, PrefixError, is_host};

use crate::grammar::{Named, Setting, setting};

/// Links that it asks about.
pub const LINKS_MAX: usize = 8;

/// Addresses that an answer gives to a link.
const ADDRESSES_MAX: usize = 4;

/// Seconds within which `confirm` has to come.
const CONFIRM_SECONDS: u32 = 300;

/// Answers that stand for what they say.
const NONE: &str = "none";
const KEEP: &str = "keep";
const DHCP: &str = "dhcp";

/// A link, as it is configured and as it is wanted.
#[derive(Debug)]
struct Link {
    device: DeviceName,
    was: Addressing,
    wanted: Addressing,
    was_port: bool,
    wants_port: bool,
}

/// Where the addresses of a link come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Addressing {
    dhcp: bool,
    addresses: Vec<InterfaceAddress>,
}

impl Addressing {
    fn is_none(&self) -> bool {
        !self.dhcp && self.addresses.is_empty()
    }

    /// As it is answered.
    fn text(&self) -> String {
        if self.is_none() {
            return NONE.to_owned();
        }
        let mut words: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        if self.dhcp {
            words.insert(0, DHCP.to_owned());
        }
        words.join(" ")
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut addressing = Self::default();
        for word in text.split_ascii_whitespace().filter(|word| *word != NONE) {
            if word == DHCP {
                addressing.dhcp = true;
                continue;
            }
            let address: InterfaceAddress = word.parse().map_err(|_| {
                format!("{word:?} is not an address with its length, like 192.0.2.1/24")
            })?;
            if !is_host(address.address()) {
                return Err(format!("{address} is not the address of a host"));
            }
            if addressing.addresses.contains(&address) {
                return Err(format!("{address} is given twice"));
            }
            if addressing.addresses.len() == ADDRESSES_MAX {
                return Err(format!(
                    "`setup` takes {ADDRESSES_MAX} addresses of a link; add others by `address add`"
                ));
            }
            addressing.addresses.push(address);
        }
        Ok(addressing)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    HostName,
    Addresses(usize),
    Port(usize),
    Gateway(Family),
    Agreement,
}

/// The questions that are open, and the answers.
#[derive(Debug)]
pub struct Setup {
    name: String,
    wanted_name: Option<String>,
    links: Vec<Link>,
    gateways: Vec<(IpAddr, DeviceName)>,
    question: Question,
}

impl Setup {
    /// The first question: of a board with this host name, these links and settings.
    pub fn new(name: &str, links: Vec<DeviceName>, settings: &[Setting]) -> Self {
        let links = links.into_iter().take(LINKS_MAX).map(|device| {
            let mut was = Addressing::default();
            let mut was_port = false;
            for setting in settings {
                match setting {
                    Setting::Address(address, on) if *on == device => was.addresses.push(*address),
                    Setting::Port(port) => was_port |= port.device == device,
                    Setting::Dhcp(on) => was.dhcp |= *on == device,
                    _ => {}
                }
            }
            Link {
                wanted: was.clone(),
                was,
                was_port,
                wants_port: was_port,
                device,
            }
        });
        Self {
            name: name.to_owned(),
            wanted_name: None,
            links: links.collect(),
            gateways: Vec::new(),
            question: Question::HostName,
        }
    }

    /// What the question means, in lines above it.
    pub fn explanation(&self) -> Vec<String> {
        match self.question {
            Question::HostName => vec!["The name of this router.".to_owned()],
            Question::Addresses(link) => vec![format!(
                "Addresses of {}: up to {ADDRESSES_MAX} as ADDRESS/LENGTH, `dhcp`, or `none`.",
                self.links[link].device
            )],
            Question::Port(link) => vec![format!(
                "Is {} a port: are packets that come in on it forwarded? `yes` or `no`.",
                self.links[link].device
            )],
            Question::Gateway(family) => vec![format!(
                "The next router for all other {family} destinations, or `keep` for no change."
            )],
            Question::Agreement => {
                let mut lines = vec!["These commands follow if you say `yes`:".to_owned()];
                lines.extend(self.lines().into_iter().map(|line| format!("  {line}")));
                lines
            }
        }
    }

    /// The question, with the answer that Enter alone gives.
    pub fn prompt(&self) -> String {
        match self.question {
            Question::HostName => format!("host name [{}]: ", self.name),
            Question::Addresses(link) => {
                let link = &self.links[link];
                format!("{} addresses [{}]: ", link.device, link.was.text())
            }
            Question::Port(link) => format!("{} is a port [yes]: ", self.links[link].device),
            Question::Gateway(family) => format!("{family} default route via [{KEEP}]: "),
            Question::Agreement => "carry out [yes]: ".to_owned(),
        }
    }

    /// Takes an answer and goes on to the next question. Gives whether that was the last one.
    ///
    /// # Errors
    /// A sentence for the person; the question stays.
    pub fn answer(&mut self, text: &str) -> Result<bool, String> {
        let text = text.trim();
        match self.question {
            Question::HostName => self.answer_name(text)?,
            Question::Addresses(link) if !text.is_empty() => {
                self.links[link].wanted = Addressing::parse(text)?;
            }
            Question::Port(link) => self.links[link].wants_port = yes(text)?,
            Question::Gateway(family) if !matches!(text, "" | KEEP | NONE) => {
                let gateway = self.gateway(family, text)?;
                self.gateways.push(gateway);
            }
            Question::Agreement => {
                return match yes(text)? {
                    true => Ok(true),
                    false => Err("Ctrl-C ends `setup` and changes nothing".to_owned()),
                };
            }
            _ => {}
        }
        self.question = self.next();
        Ok(false)
    }

    fn answer_name(&mut self, text: &str) -> Result<(), String> {
        self.wanted_name = None;
        if !text.is_empty() && text != self.name {
            let line = format!("hostname {text}");
            setting(&line).map_err(|error| error.kind.to_string())?;
            self.wanted_name = Some(text.to_owned());
        }
        Ok(())
    }

    /// The gateway and the link behind which it is.
    fn gateway(&self, family: Family, text: &str) -> Result<(IpAddr, DeviceName), String> {
        let address: IpAddr = text
            .parse()
            .ok()
            .filter(|address| Family::of(*address) == family && is_host(*address))
            .ok_or_else(|| format!("{text:?} is not the {family} address of a router"))?;
        let host = Prefix::host(address);
        for link in &self.links {
            if link
                .wanted
                .addresses
                .iter()
                .any(|own| own.address() == address)
            {
                return Err(format!("{address} is this router's own address"));
            }
            let is_in = |own: &InterfaceAddress| network(*own).is_some_and(|net| net.covers(host));
            if link.wanted.addresses.iter().any(is_in) {
                return Ok((address, link.device.clone()));
            }
        }
        Err(format!(
            "no link has an address whose network contains {address}"
        ))
    }

    /// The question behind the present one.
    fn next(&self) -> Question {
        let next_link = |link: usize| match link < self.links.len() {
            true => Question::Addresses(link),
            false => self.next_gateway(None),
        };
        match self.question {
            Question::HostName => next_link(0),
            // A link without addresses stays what it is.
            Question::Addresses(link) if self.links[link].wanted.is_none() => next_link(link + 1),
            Question::Addresses(link) => Question::Port(link),
            Question::Port(link) => next_link(link + 1),
            Question::Gateway(family) => self.next_gateway(Some(family)),
            Question::Agreement => Question::Agreement,
        }
    }

    /// The question for a default route of the next family that has addresses.
    fn next_gateway(&self, last: Option<Family>) -> Question {
        let has = |family: Family| {
            let mut addresses = self.links.iter().flat_map(|link| &link.wanted.addresses);
            addresses.any(|address| Family::of(address.address()) == family)
        };
        match last {
            None if has(Family::V4) => Question::Gateway(Family::V4),
            None | Some(Family::V4) if has(Family::V6) => Question::Gateway(Family::V6),
            _ => Question::Agreement,
        }
    }

    /// Whether the open question is the last one.
    pub fn is_last(&self) -> bool {
        self.question == Question::Agreement
    }

    /// Whether the answers change anything.
    pub fn changes(&self) -> bool {
        !self.edits().is_empty()
    }

    /// The lines to type.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec!["begin".to_owned()];
        lines.extend(self.edits());
        lines.push("diff".to_owned());
        lines.push(format!("commit confirmed {CONFIRM_SECONDS}"));
        lines
    }

    fn edits(&self) -> Vec<String> {
        let mut edits = Vec::new();
        if let Some(name) = &self.wanted_name {
            edits.push(format!("hostname {name}"));
        }
        for link in &self.links {
            let (device, was, wanted) = (&link.device, &link.was, &link.wanted);
            for (verb, these, others) in [("del", was, wanted), ("add", wanted, was)] {
                for address in &these.addresses {
                    if !others.addresses.contains(address) {
                        edits.push(format!("address {verb} {address} dev {device}"));
                    }
                }
            }
            if link.wants_port != link.was_port {
                let verb = if link.wants_port { "set" } else { "del" };
                edits.push(format!("port {verb} {}", Named(device)));
            }
            if wanted.dhcp != was.dhcp {
                let state = if wanted.dhcp { "on" } else { "off" };
                edits.push(format!("dhcp {} {state}", Named(device)));
            }
        }
        for (gateway, device) in &self.gateways {
            let all = match Family::of(*gateway) {
                Family::V4 => Prefix::DEFAULT4,
                Family::V6 => Prefix::DEFAULT6,
            };
            edits.push(format!("route replace {all} via {gateway} dev {device}"));
        }
        edits
    }
}

/// `yes`, which Enter alone is too, or `no`.
fn yes(text: &str) -> Result<bool, String> {
    match text {
        "" | "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err("answer `yes` or `no`".to_owned()),
    }
}

/// The network of an address.
fn network(address: InterfaceAddress) -> Option<Prefix> {
    match Prefix::new(address.address(), address.len()) {
        Ok(prefix) | Err(PrefixError::HostBits(prefix)) => Some(prefix),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::{command, setting_change};

    #[test]
    fn lines_are_commands_whatever_a_link_is_called() {
        for name in ["eth0", "dev", "#wan", "json", "\\xff"] {
            let device: DeviceName = name.parse().unwrap();
            let mut setup = Setup::new("r1", vec![device.clone()], &[]);
            for answer in ["", "dhcp 192.0.2.1/24", "yes", "192.0.2.254"] {
                assert_eq!(setup.answer(answer), Ok(false), "{name}");
            }
            let edits = setup.edits();
            assert_eq!(edits.len(), 4, "{edits:?}");
            for line in &edits[..3] {
                let (command, end) = command(line).unwrap().unwrap();
                match setting_change(command, line, end, false) {
                    Ok(change) => assert_eq!(change.setting.device(), Some(&device), "{line}"),
                    // A DHCP client takes only some names, and the line says so.
                    Err(error) => assert!(
                        name.starts_with('\\') && line.starts_with("dhcp "),
                        "{line}: {}",
                        error.kind
                    ),
                }
            }
        }
    }
}
