// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links and addresses of the fake kernel: rtnetlink in the real bytes.

use nl31_route::Protocol;

use super::*;
use crate::message::{array, attributes};
use crate::rtnetlink::{IFA_PROTO, KINDS};

/// Largest MTU of a device.
const MTU_MAX: u32 = 9000;

impl FakeKernel {
    /// Answers a request of rtnetlink.
    pub(super) fn answer_rtnetlink(&mut self, request: &[u8], each: &mut dyn FnMut(&[u8]) -> bool) {
        let (header, payload, _) = message::split(request).expect("clients send whole headers");
        assert_ne!(header.flags & NLM_F_REQUEST, 0);
        let before = self.out.len();
        let changes = [
            KINDS.set_link,
            KINDS.new_link,
            KINDS.del_link,
            KINDS.new_address,
            KINDS.del_address,
            KINDS.del_neighbour,
        ];
        let result = if changes.contains(&header.kind) && !self.admin {
            Err((libc::EPERM, None, ""))
        } else if header.kind == KINDS.get_link {
            self.dump_links(&header);
            Ok(false)
        } else if header.kind == KINDS.get_address {
            self.dump_addresses(&header);
            Ok(false)
        } else if header.kind == KINDS.get_neighbour {
            self.dump_neighbours(&header);
            Ok(false)
        } else if header.kind == KINDS.del_neighbour {
            self.del_neighbour(payload).map(|()| true)
        } else if header.kind == KINDS.set_link {
            self.set_link(payload).map(|()| true)
        } else if header.kind == KINDS.new_link {
            self.new_link(payload).map(|()| true)
        } else if header.kind == KINDS.del_link {
            self.del_link(payload).map(|()| true)
        } else {
            self.change_address(&header, payload).map(|()| true)
        };
        match result {
            Ok(true) => self.ack(&header, payload, (0, None, "")),
            Ok(false) => self.reply(&header, NLMSG_DONE, NLM_F_MULTI, |out| {
                out.put(&0i32.to_ne_bytes())
            }),
            Err(refusal) => self.ack(&header, payload, refusal),
        }
        for datagram in self.out.split_off(before) {
            if each(&datagram) {
                return;
            }
        }
        panic!("the answer has an end");
    }

    fn device_at(&mut self, payload: &[u8]) -> Result<&mut FakeDevice, Refusal> {
        let index = u32::from_ne_bytes(array(&payload[4..8]).unwrap());
        let mut devices = self.devices.iter_mut();
        let found = devices.find(|device| device.index == index);
        found.ok_or((libc::ENODEV, None, ""))
    }

    fn set_link(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let (head, rest) = payload.split_at(16);
        let [flags, changed] = [8, 12].map(|at| head[at] & libc::IFF_UP as u8);
        let devices = self.devices.clone();
        let at = |index| devices.iter().find(|device| device.index == index);
        let device = self.device_at(payload)?;
        let below = device.kind.as_ref().and_then(|(_, _, parent)| *parent);
        let below = below.and_then(at);
        for attribute in attributes(rest).map(|attribute| attribute.expect("whole")) {
            if attribute.kind == libc::IFLA_MASTER {
                let index = u32::from_ne_bytes(array(attribute.payload).unwrap());
                let bridge = at(index).and_then(|master| master.kind.as_ref());
                if index > 0 && bridge.is_none_or(|(kind, ..)| kind != "bridge") {
                    return Err((libc::EOPNOTSUPP, None, ""));
                }
                device.master = Some(index).filter(|index| *index > 0);
                continue;
            }
            if attribute.kind == libc::IFLA_ADDRESS {
                if device.up && device.keeps_mac_while_up {
                    return Err((libc::EBUSY, None, ""));
                }
                device.mac = array(attribute.payload).unwrap();
                continue;
            }
            assert_eq!(attribute.kind, libc::IFLA_MTU);
            let mtu = u32::from_ne_bytes(array(attribute.payload).unwrap());
            if mtu > MTU_MAX {
                return Err((libc::EINVAL, None, "mtu greater than device maximum"));
            }
            if below.is_some_and(|below| mtu > below.mtu) {
                return Err((libc::ERANGE, None, ""));
            }
            device.mtu = mtu;
        }
        if changed != 0 {
            if flags != 0 && below.is_some_and(|below| !below.up) {
                return Err((libc::ENETDOWN, None, ""));
            }
            device.up = flags != 0;
            if !device.up {
                // As Linux does: IPv6 addresses go when the device goes down.
                device
                    .addresses
                    .retain(|address| address.address().is_ipv4());
            }
            // And a VLAN goes up and down with the device below it.
            let (index, up) = (device.index, device.up);
            let mut over = Vec::new();
            for device in &self.devices {
                let parent = device.kind.as_ref().and_then(|(_, _, parent)| *parent);
                if parent == Some(index) {
                    over.push(device.index);
                }
            }
            for index in over {
                let flags = if up { libc::IFF_UP as u32 } else { 0 };
                let changed = libc::IFF_UP as u32;
                self.set_link(&crate::rtnetlink::link_head(index, flags, changed))?;
            }
        }
        Ok(())
    }

    fn del_neighbour(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let own = attributes(&payload[12..])
            .map(|attribute| attribute.expect("whole"))
            .find(|attribute| attribute.kind == crate::rtnetlink::NDA_DST);
        let own = message::address(own.expect("clients name the address").payload).unwrap();
        let device = self.device_at(payload)?;
        let before = device.neighbours.len();
        device.neighbours.retain(|(address, ..)| *address != own);
        match device.neighbours.len() < before {
            true => Ok(()),
            false => Err((libc::ENOENT, None, "")),
        }
    }

    fn new_link(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let (_, rest) = payload.split_at(16);
        let (mut name, mut parent, mut info) = (None, None, None);
        for attribute in attributes(rest).map(|attribute| attribute.expect("whole")) {
            match attribute.kind {
                libc::IFLA_IFNAME => name = message::device_name(attribute.payload).ok(),
                libc::IFLA_LINK => {
                    parent = Some(u32::from_ne_bytes(array(attribute.payload).unwrap()));
                }
                libc::IFLA_LINKINFO => {
                    info = crate::rtnetlink::kind_and_vlan(attribute.payload).ok();
                }
                other => panic!("attribute {other}"),
            }
        }
        let (kind, vlan) = info.expect("clients name the kind");
        let name = name.expect("clients name the link");
        let kind = (kind.to_string(), vlan, parent);
        let mut devices = self.devices.iter();
        if devices.any(|device| device.name == name) {
            return Err((libc::EEXIST, None, ""));
        }
        if vlan.is_some() {
            let mut devices = self.devices.iter();
            let below = devices.find(|device| Some(device.index) == parent);
            below.ok_or((libc::ENODEV, None, ""))?;
            if self
                .devices
                .iter()
                .any(|device| device.kind.as_ref() == Some(&kind))
            {
                return Err((libc::EEXIST, None, "VLAN device already exists"));
            }
        }
        let indices = self.devices.iter().map(|device| device.index);
        // Behind those that tests know without the kernel.
        let index = indices.max().unwrap_or_default().max(9) + 1;
        self.made.borrow_mut().push((name.clone(), index));
        self.devices.push(FakeDevice {
            up: false,
            kind: Some(kind),
            ..FakeDevice::new(index, &name.to_string())
        });
        Ok(())
    }

    fn del_link(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let device = self.device_at(payload)?;
        if device.kind.is_none() {
            return Err((libc::EOPNOTSUPP, None, ""));
        }
        let name = device.name.to_string();
        self.unplug(&name);
        Ok(())
    }

    fn change_address(&mut self, header: &Header, payload: &[u8]) -> Result<(), Refusal> {
        let added = header.kind == KINDS.new_address;
        let (head, rest) = payload.split_at(8);
        let attribute = |kind| {
            let mut all = attributes(rest).map(|attribute| attribute.expect("whole"));
            all.find(|attribute| attribute.kind == kind)
        };
        let own = attribute(libc::IFA_LOCAL).expect("clients name the address");
        let own = message::address(own.payload).unwrap();
        let leased = attribute(IFA_PROTO).is_some_and(|own| own.payload == [Protocol::DHCP.0]);
        let address: InterfaceAddress = format!("{own}/{}", head[1]).parse().unwrap();
        let device = self.device_at(payload)?;
        // Linux finds an IPv6 address without looking at the length, and keeps the old length.
        let mut all = device.addresses.iter();
        let is_same = |other: &InterfaceAddress| match own.is_ipv6() {
            true => other.address() == own,
            false => *other == address,
        };
        let there = all.any(is_same);
        if added && there && header.flags & NLM_F_EXCL != 0 {
            return Err((libc::EEXIST, None, ""));
        }
        if added && own.is_ipv6() && own.is_loopback() && device.name.as_bytes() != b"lo" {
            return Err((libc::EADDRNOTAVAIL, None, ""));
        }
        device.leased.retain(|other| *other != address);
        device.leased.extend(leased.then_some(address));
        let at = device.addresses.iter().position(|other| *other == address);
        match (at, added) {
            (None, true) if !there => device.addresses.push(address),
            (_, true) => {}
            (Some(at), false) => {
                device.addresses.remove(at);
                // As Linux does: with the first address of an IPv4 network go its others.
                let same = |other: &InterfaceAddress| {
                    let network = |address: InterfaceAddress| match address.address() {
                        IpAddr::V4(own) => {
                            let host_bits = 32 - address.len().max(1);
                            Some((own.to_bits() >> host_bits, address.len()))
                        }
                        IpAddr::V6(_) => None,
                    };
                    network(*other).is_some() && network(*other) == network(address)
                };
                let first = !device.addresses[..at].iter().any(same);
                device.addresses.retain(|other| !(first && same(other)));
            }
            (None, false) => return Err((libc::EADDRNOTAVAIL, None, "")),
        }
        Ok(())
    }

    fn dump_links(&mut self, header: &Header) {
        for device in self.devices.clone() {
            self.reply(header, KINDS.new_link, NLM_F_MULTI, |out| {
                let up = (libc::IFF_UP | libc::IFF_LOWER_UP) as u32;
                let flags = if device.up { up } else { 0 };
                out.put(&crate::rtnetlink::link_head(device.index, flags, 0))?;
                out.terminated(libc::IFLA_IFNAME, device.name.as_bytes())?;
                out.attribute(libc::IFLA_MTU, &device.mtu.to_ne_bytes())?;
                out.attribute(libc::IFLA_ADDRESS, &device.mac)?;
                if let Some((kind, vlan, parent)) = &device.kind {
                    if let Some(parent) = parent {
                        out.attribute(libc::IFLA_LINK, &parent.to_ne_bytes())?;
                    }
                    out.attribute(libc::IFLA_LINKINFO, &crate::rtnetlink::info(kind, *vlan))?;
                }
                if let Some(master) = device.master {
                    out.attribute(libc::IFLA_MASTER, &master.to_ne_bytes())?;
                }
                out.attribute(libc::IFLA_STATS64, &[0; 200])
            });
        }
    }

    fn dump_neighbours(&mut self, header: &Header) {
        use crate::rtnetlink::{NDA_DST, NDA_LLADDR, neighbour_head, octets};
        for device in self.devices.clone() {
            for (address, mac, state) in device.neighbours {
                self.reply(header, KINDS.new_neighbour, NLM_F_MULTI, |out| {
                    let family = if address.is_ipv4() {
                        libc::AF_INET
                    } else {
                        libc::AF_INET6
                    };
                    out.put(&neighbour_head(family as u8, device.index, state))?;
                    out.attribute(NDA_DST, &octets(address))?;
                    out.attribute(NDA_LLADDR, &mac)
                });
            }
        }
    }

    fn dump_addresses(&mut self, header: &Header) {
        for device in self.devices.clone() {
            for address in device.addresses {
                let leased = device.leased.contains(&address);
                self.reply(header, KINDS.new_address, NLM_F_MULTI, |out| {
                    let v4 = address.address().is_ipv4();
                    let family = if v4 { libc::AF_INET } else { libc::AF_INET6 };
                    let head = crate::rtnetlink::address_head(
                        family as u8,
                        address.len(),
                        0,
                        device.index,
                    );
                    out.put(&head)?;
                    let octets = crate::rtnetlink::octets(address.address());
                    out.attribute(libc::IFA_ADDRESS, &octets)?;
                    if v4 {
                        out.attribute(libc::IFA_LOCAL, &octets)?;
                    }
                    match leased {
                        true => out.attribute(IFA_PROTO, &[Protocol::DHCP.0]),
                        false => Ok(()),
                    }
                });
            }
        }
    }
}
