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
        let changes = [KINDS.set_link, KINDS.new_address, KINDS.del_address];
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
        } else if header.kind == KINDS.set_link {
            self.set_link(payload).map(|()| true)
        } else {
            let added = header.kind == KINDS.new_address;
            self.change_address(payload, added).map(|()| true)
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
        let device = self.device_at(payload)?;
        for attribute in attributes(rest).map(|attribute| attribute.expect("whole")) {
            assert_eq!(attribute.kind, libc::IFLA_MTU);
            let mtu = u32::from_ne_bytes(array(attribute.payload).unwrap());
            if mtu > MTU_MAX {
                return Err((libc::EINVAL, None, "mtu greater than device maximum"));
            }
            device.mtu = mtu;
        }
        if changed != 0 {
            device.up = flags != 0;
            if !device.up {
                // As Linux does: IPv6 addresses go when the device goes down.
                device
                    .addresses
                    .retain(|address| address.address().is_ipv4());
            }
        }
        Ok(())
    }

    fn change_address(&mut self, payload: &[u8], added: bool) -> Result<(), Refusal> {
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
        device.leased.retain(|other| *other != address);
        device.leased.extend(leased.then_some(address));
        let at = device.addresses.iter().position(|other| *other == address);
        match (at, added) {
            (None, true) if own.is_multicast() => return Err((libc::EINVAL, None, "")),
            (None, true) => device.addresses.push(address),
            (Some(_), true) => {}
            (Some(at), false) => {
                device.addresses.remove(at);
                // As Linux does: with the first address of an IPv4 network go its others.
                let same = |other: &InterfaceAddress| {
                    let network = |address: InterfaceAddress| match address.address() {
                        IpAddr::V4(own) => {
                            Some((own.to_bits() >> (32 - head[1].max(1)), address.len()))
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
                out.attribute(libc::IFLA_ADDRESS, &[2, 0, 0, 0, 0, device.index as u8])?;
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
