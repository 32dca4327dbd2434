// SPDX-License-Identifier: MIT OR Apache-2.0
//! `link show`, `address show` and `neighbour show`: what Linux has, configured or learnt.

use std::fmt::{self, Write as _};
use std::vec;

use nl31_netlink::rtnetlink::{Link, LinkAddress, Neighbour};
use nl31_netlink::{Client, Error, Op, Transport};
use nl31_route::{DeviceName, Keyword};

use super::json::Quoted;
use super::reply::{Counted, Reason};
use super::session::{Console, LINES_PER_STEP, Running};
use crate::grammar::{self, Action, codes};

/// Addresses that the line of a link shows.
const SHOWN_MAX: usize = 8;

/// A list of links, addresses or neighbours, being shown.
#[derive(Debug)]
pub(super) struct LinkList {
    what: What,
    json: bool,
    shown: u64,
}

#[derive(Debug)]
enum What {
    Links(vec::IntoIter<Link>, Vec<LinkAddress>),
    Addresses(vec::IntoIter<LinkAddress>, Vec<Link>),
    Neighbours(vec::IntoIter<Neighbour>, Vec<Link>),
}

/// A hardware address: `02:00:00:00:00:01`.
struct Mac<'a>(&'a [u8]);

impl fmt::Display for Mac<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl<T: Transport> Console<T> {
    pub(super) fn start_links(
        &mut self,
        line: &str,
        start: usize,
        json: &'static [Keyword],
        action: Action,
    ) {
        let (device, json) = match grammar::listed(line, start, json) {
            Ok(listed) => listed,
            Err(error) => return self.misspelled(line, &error),
        };
        let read = self.ask(|client| read(client, device.as_ref(), action));
        let what = match read {
            Ok(read) => read,
            Err(error) => match (&device, codes::Code::of(&error)) {
                (Some(device), codes::NO_DEVICE) => {
                    return self.failed(&error, format_args!("device {device} does not exist"));
                }
                _ => return self.failed(&error, format_args!("{}", Reason(&error))),
            },
        };
        self.running = Running::Links(Box::new(LinkList {
            what,
            json,
            shown: 0,
        }));
    }

    /// Shows some more links or addresses.
    pub(super) fn links(&mut self, mut list: Box<LinkList>) {
        if std::mem::take(&mut self.stop) {
            return self.status(codes::STOPPED, format_args!("stopped"));
        }
        // A link with its addresses takes the room of several routes.
        for _ in 0..LINES_PER_STEP / 4 {
            if self.page_is_full() {
                self.pause(Running::Links(list));
                return;
            }
            let LinkList { what, json, shown } = &mut *list;
            let more = match what {
                What::Links(links, addresses) => links.next().map(|link| {
                    let own = addresses.iter().filter(|own| own.index == link.index);
                    match json {
                        true => self.link_json(&link, own),
                        false => self.link(&link, own),
                    }
                }),
                What::Neighbours(neighbours, links) => neighbours.next().map(|neighbour| {
                    let device = name(links, neighbour.index);
                    self.neighbour(&neighbour, &device, *json);
                }),
                What::Addresses(addresses, links) => addresses.next().map(|address| {
                    let device = name(links, address.index);
                    let address = address.address;
                    match json {
                        true => self.data(format_args!(
                            "{{\"address\":\"{}\",\"len\":{},\"dev\":{}}}",
                            address.address(),
                            address.len(),
                            Quoted(&device)
                        )),
                        false => self.data(format_args!("{address} dev {device}")),
                    }
                }),
            };
            if more.is_none() {
                let count = match what {
                    What::Links(..) => Counted(*shown, "link").to_string(),
                    What::Addresses(..) if *shown == 1 => "1 address".into(),
                    What::Addresses(..) => format!("{shown} addresses"),
                    What::Neighbours(..) => Counted(*shown, "neighbour").to_string(),
                };
                return self.status(codes::DONE, format_args!("{count}"));
            }
            *shown += 1;
        }
        self.running = Running::Links(list);
    }

    fn neighbour(&mut self, neighbour: &Neighbour, device: &str, json: bool) {
        let Neighbour {
            address,
            mac,
            state,
            ..
        } = neighbour;
        let mac = Mac(mac);
        match json {
            true => self.data(format_args!(
                "{{\"dst\":\"{address}\",\"dev\":{},\"lladdr\":\"{mac}\",\"state\":\"{state}\"}}",
                Quoted(device)
            )),
            false if mac.0.is_empty() => {
                self.data(format_args!("{address} dev {device} {state}"));
            }
            false => self.data(format_args!("{address} dev {device} lladdr {mac} {state}")),
        }
    }

    fn link<'a>(&mut self, link: &Link, addresses: impl Iterator<Item = &'a LinkAddress>) {
        let state = if link.up { "up" } else { "down" };
        let carrier = if link.carrier { "on" } else { "off" };
        self.part(format_args!(
            "{} {state} carrier {carrier} mtu {}",
            link.device, link.mtu
        ));
        let speed = self.devices.speed(&link.device);
        match speed.megabits {
            Some(megabits) => self.part(format_args!(" speed {megabits}")),
            None => self.part(format_args!(" speed unknown")),
        }
        if let Some(duplex) = speed.duplex {
            self.part(format_args!(" duplex {duplex}"));
        }
        if !link.mac.is_empty() {
            self.part(format_args!(" mac {}", Mac(&link.mac)));
        }
        if !link.kind.is_empty() {
            self.part(format_args!(" kind {}", link.kind));
        }
        if let Some((id, parent)) = link.vlan.zip(link.parent) {
            let parent = self.device_text(parent);
            self.part(format_args!(" id {id} over {parent}"));
        }
        if let Some(master) = link.master {
            let master = self.device_text(master);
            self.part(format_args!(" master {master}"));
        }
        let mut left = 0;
        for (number, own) in addresses.enumerate() {
            match number < SHOWN_MAX {
                true => self.part(format_args!(" address {}", own.address)),
                false => left += 1,
            }
        }
        if left > 0 {
            self.part(format_args!(" more-addresses {left}"));
        }
        for (name, count) in link.counters.named() {
            // Errors that never came are left out.
            let is_error = name.ends_with("errors") || name.ends_with("dropped");
            if count > 0 || !is_error {
                self.part(format_args!(" {name} {count}"));
            }
        }
        self.data(format_args!(""));
    }

    /// The name of the device of this index.
    fn device_text(&self, index: u32) -> String {
        let name = self.devices.name(index);
        name.map_or_else(|| format!("if{index}"), |name| name.to_string())
    }

    fn link_json<'a>(&mut self, link: &Link, addresses: impl Iterator<Item = &'a LinkAddress>) {
        let device = link.device.to_string();
        let mut shown = String::new();
        for own in addresses.take(SHOWN_MAX) {
            let comma = if shown.is_empty() { "" } else { "," };
            let _ = write!(shown, "{comma}\"{}\"", own.address);
        }
        self.part(format_args!(
            "{{\"dev\":{},\"up\":{},\"carrier\":{},\"mtu\":{},\"mac\":\"{}\",\"addresses\":[{shown}]",
            Quoted(&device),
            link.up,
            link.carrier,
            link.mtu,
            Mac(&link.mac)
        ));
        let speed = self.devices.speed(&link.device);
        match speed.megabits {
            Some(megabits) => self.part(format_args!(",\"speed\":{megabits}")),
            None => self.part(format_args!(",\"speed\":null")),
        }
        match speed.duplex {
            Some(duplex) => self.part(format_args!(",\"duplex\":\"{duplex}\"")),
            None => self.part(format_args!(",\"duplex\":null")),
        }
        if !link.kind.is_empty() {
            self.part(format_args!(",\"kind\":{}", Quoted(&link.kind)));
        }
        if let Some((id, parent)) = link.vlan.zip(link.parent) {
            let parent = self.device_text(parent);
            self.part(format_args!(",\"id\":{id},\"over\":{}", Quoted(&parent)));
        }
        if let Some(master) = link.master {
            let master = self.device_text(master);
            self.part(format_args!(",\"master\":{}", Quoted(&master)));
        }
        for (name, count) in link.counters.named() {
            self.part(format_args!(",\"{name}\":{count}"));
        }
        self.data(format_args!("}}"));
    }
}

/// The device of this index.
fn name(links: &[Link], index: u32) -> String {
    let link = links.iter().find(|link| link.index == index);
    link.map_or_else(|| format!("if{index}"), |link| link.device.to_string())
}

/// What a command lists, of all links or of one.
fn read<T: Transport>(
    client: &mut Client<T>,
    device: Option<&DeviceName>,
    action: Action,
) -> Result<What, Error> {
    let mut links = client.links()?;
    if let Some(device) = device {
        links.retain(|link| link.device == *device);
        links.first().ok_or(Error::no_device(Op::Link))?;
    }
    let is_listed = |index| device.is_none() || links.iter().any(|link| link.index == index);
    if action == Action::NeighbourShow {
        let mut neighbours = client.neighbours()?;
        neighbours.retain(|neighbour| is_listed(neighbour.index));
        return Ok(What::Neighbours(neighbours.into_iter(), links));
    }
    let mut addresses = client.addresses()?;
    addresses.retain(|address| is_listed(address.index));
    Ok(match action {
        Action::AddressShow => What::Addresses(addresses.into_iter(), links),
        _ => What::Links(links.into_iter(), addresses),
    })
}
