// SPDX-License-Identifier: MIT OR Apache-2.0
//! Settings in the kernel: made, ended, and restored.

use std::cmp::Reverse;
use std::net::IpAddr;

use nix::libc;
use nl31_netlink::rtnetlink::{Link, LinkAddress, LinkSpec, MacAddress, Master, VirtualLink};
use nl31_netlink::{Client, Error, Op, Port, PortSpec, Protocol, Transport, Urpf};
use nl31_route::DeviceName;

use super::error::Left;
use super::place;
use crate::grammar::codes;
use crate::grammar::{Setting, SettingChange};
use crate::platform::devices::Devices;

/// Restores what the kernel had where it differs; gives how much that was and what failed. What
/// was not there before ends first: with an address Linux deletes others of its network. What was
/// there is made in the order of a config, else the last one first.
pub fn restore<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    before: &[SettingChange],
) -> (usize, Left) {
    let (mut count, mut left) = (0, Left::default());
    for made in [false, true] {
        let now = KernelState::read(client, before.iter()).ok();
        let mut changes = Vec::new();
        for was in before.iter().rev() {
            let now = now.as_ref().map(|now| now.was(&was.setting));
            let is_other = now.as_ref().is_none_or(|now| now.made && now != was);
            if !made && was.made && is_other && matches!(was.setting, Setting::VirtualLink(_)) {
                // A link of another kind has its name.
                changes.push(SettingChange::end(was.setting.clone()));
            } else if was.made == made && now.is_none_or(|now| now.made != made || is_other) {
                changes.push(was.clone());
                count += 1;
            }
        }
        let key = |change: &SettingChange| {
            let all = before.iter().map(|was| &was.setting);
            place(&change.setting, all)
        };
        match made {
            true => changes.sort_by_cached_key(key),
            false => changes.sort_by_cached_key(|change| Reverse(key(change))),
        }
        left.join(make_all(client, devices, changes.iter()));
    }
    (count, left)
}

/// Makes changes, as far as they can be; gives those that failed. What is gone is no failure.
pub(super) fn make_all<'a, T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    changes: impl Iterator<Item = &'a SettingChange>,
) -> Left {
    let mut left = Left::default();
    for change in changes {
        if let Err(error) = make_of_config(client, devices, change)
            && !is_gone(&error)
        {
            left.add(&change.setting, &codes::Reason(&error));
        }
    }
    left
}

/// Makes one change. A link that ends stays as it is, but for its master: there is no state
/// before it.
pub(super) fn make<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    change: &SettingChange,
) -> Result<(), Error> {
    let index = |device, op| devices.index(device).ok_or(Error::no_device(op));
    match &change.setting {
        Setting::HostName(_) | Setting::Dhcp(_) => Ok(()),
        Setting::Multipath => client.set_multipath(change.made),
        Setting::VirtualLink(link) if change.made => add(client, devices, link),
        Setting::VirtualLink(link) => {
            let there = virtual_link(client, devices, link)?;
            let (index, _) = there.ok_or(Error::no_device(Op::LinkDelete))?;
            client.delete_link(index)
        }
        Setting::Link(spec) => {
            let master = match &spec.master {
                None => None,
                Some(Master::Device(master)) if change.made => {
                    let missing = || {
                        let text = "the device that is to be its master does not exist";
                        Error::known(Op::Master, libc::ENODEV, text)
                    };
                    Some(devices.index(master).ok_or_else(missing)?)
                }
                Some(_) => Some(0),
            };
            if change.made {
                let index = index(&spec.device, Op::Link)?;
                if let Some(mac) = spec.mac {
                    set_mac(client, index, &spec.device, mac)?;
                }
                return client.set_link(index, spec, master);
            }
            if master.is_none() {
                return Ok(());
            }
            let nothing = LinkSpec::of(spec.device.clone());
            client.set_link(index(&spec.device, Op::Link)?, &nothing, master)
        }
        Setting::Address(address, device) => match change.made {
            true => {
                let index = index(device, Op::AddressAdd)?;
                client.add_address(index, *address, Protocol::UNSPEC)
            }
            false => {
                let index = index(device, Op::AddressDelete)?;
                client.delete_address(index, *address)
            }
        },
        Setting::Port(spec) if change.made => client.set_port(spec),
        Setting::Port(spec) => client.delete_port(&spec.device),
    }
}

/// Gives a link another MAC address; where the driver takes it only while the link is down, the
/// link goes down for it.
fn set_mac<T: Transport>(
    client: &mut Client<T>,
    index: u32,
    device: &DeviceName,
    mac: MacAddress,
) -> Result<(), Error> {
    match client.set_mac(index, mac) {
        Err(error) if error.errno() == Some(libc::EBUSY) => {}
        set => return set,
    }
    let links = client.links()?;
    let link = links.iter().find(|link| link.index == index);
    if link.is_some_and(|link| link.mac[..] == mac.octets()) {
        return Ok(());
    }
    let switch = |up| LinkSpec {
        up: Some(up),
        ..LinkSpec::of(device.clone())
    };
    client.set_link(index, &switch(false), None)?;
    let set = client.set_mac(index, mac);
    let up = client.set_link(index, &switch(true), None);
    set.and(up)
}

/// Makes a setting of a config. Where a device goes down or gets a smaller MTU, Linux does the
/// same to the VLANs over it. What is configured of them is made as far as that leaves it, else
/// a config that was saved could not be loaded.
pub(super) fn make_of_config<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    change: &SettingChange,
) -> Result<(), Error> {
    let made = make(client, devices, change);
    let (Setting::Link(spec), Err(error)) = (&change.setting, &made) else {
        return made;
    };
    let limits = [libc::ENETDOWN, libc::EINVAL, libc::ERANGE];
    if !error.errno().is_some_and(|errno| limits.contains(&errno)) {
        return made;
    }
    let links = client.links()?;
    let named = |name: &DeviceName| links.iter().find(|link| link.device == *name);
    let own = named(&spec.device).and_then(|link| VirtualLink::of(link, &links));
    let below = own.as_ref().and_then(VirtualLink::parent).and_then(named);
    let Some(below) = below else {
        return made;
    };
    let within = LinkSpec {
        up: spec.up.filter(|up| !up || below.up),
        mtu: spec.mtu.map(|mtu| mtu.min(below.mtu)),
        ..spec.clone()
    };
    if within == *spec {
        return made;
    }
    make(client, devices, &SettingChange::make(Setting::Link(within)))
}

/// Makes a virtual link and switches it on, as init does with every link; one that is there
/// already stays as it is.
fn add<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    link: &VirtualLink,
) -> Result<(), Error> {
    let exists = || {
        let text = "a device of this name exists already";
        Error::known(Op::LinkAdd, libc::EEXIST, text)
    };
    if devices.index(&link.device).is_some() {
        let there = virtual_link(client, devices, link)?;
        let is_same = there.is_some_and(|(_, there)| there == *link);
        return is_same.then_some(()).ok_or_else(exists);
    }
    let parent = match link.parent() {
        Some(parent) => {
            let index = devices.index(parent);
            Some(index.ok_or(Error::no_device(Op::LinkAdd))?)
        }
        None => None,
    };
    client.add_link(link, parent)?;
    let Some(index) = devices.index(&link.device) else {
        return Ok(());
    };
    let up = LinkSpec {
        up: Some(true),
        ..LinkSpec::of(link.device.clone())
    };
    match client.set_link(index, &up, None) {
        // A VLAN goes up with the device below it.
        Err(error) if error.errno() == Some(libc::ENETDOWN) => Ok(()),
        switched_on => switched_on,
    }
}

/// The virtual link of a name, with its index.
fn virtual_link<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    link: &VirtualLink,
) -> Result<Option<(u32, VirtualLink)>, Error> {
    if devices.index(&link.device).is_none() {
        return Ok(None);
    }
    let links = client.links()?;
    let there = links.iter().find(|there| there.device == link.device);
    Ok(there.and_then(|there| Some((there.index, VirtualLink::of(there, &links)?))))
}

/// Whether the object or its device does not exist.
pub(super) fn is_gone(error: &Error) -> bool {
    match (error.op, error.errno()) {
        (Op::AddressDelete, Some(libc::EADDRNOTAVAIL)) => true,
        (_, errno) => matches!(errno, Some(libc::ENODEV | libc::ESRCH)),
    }
}

/// What the kernel has of the kinds that changes touch.
pub(super) struct KernelState {
    links: Vec<Link>,
    addresses: Vec<LinkAddress>,
    ports: Vec<Port>,
    multipath: bool,
    /// Devices whose MAC address changes. That of others is not restored: Linux derives the one of
    /// a bridge or VLAN from other devices until it is set.
    macs: Vec<DeviceName>,
}

impl KernelState {
    pub(super) fn read<'a, T: Transport>(
        client: &mut Client<T>,
        changes: impl Iterator<Item = &'a SettingChange>,
    ) -> Result<Self, Error> {
        let (mut others, mut ports, mut multipath) = (false, false, false);
        let mut macs = Vec::new();
        for change in changes {
            if let Setting::Link(spec) = &change.setting
                && spec.mac.is_some()
            {
                macs.push(spec.device.clone());
            }
            match change.setting {
                Setting::Port(_) => ports = true,
                Setting::VirtualLink(_) => (others, ports) = (true, true),
                Setting::Link(_) | Setting::Address(..) => others = true,
                Setting::Multipath => multipath = true,
                Setting::HostName(_) | Setting::Dhcp(_) => {}
            }
        }
        Ok(Self {
            multipath: multipath && client.table()?.multipath,
            macs,
            links: if others { client.links()? } else { Vec::new() },
            addresses: if others {
                client.addresses()?
            } else {
                Vec::new()
            },
            ports: if ports { client.ports()? } else { Vec::new() },
        })
    }

    /// The object of a setting, as the kernel has it.
    pub(super) fn was(&self, setting: &Setting) -> SettingChange {
        let mut links = self.links.iter();
        let link = links.find(|link| setting.device() == Some(&link.device));
        let found = match setting {
            Setting::HostName(_) | Setting::Dhcp(_) => None,
            Setting::Multipath => self.multipath.then_some(Setting::Multipath),
            Setting::VirtualLink(_) => {
                let link = link.and_then(|link| VirtualLink::of(link, &self.links));
                link.map(Setting::VirtualLink)
            }
            Setting::Link(_) => link.map(|link| self.link(link)),
            Setting::Address(address, _) => {
                let mut all = self.addresses.iter();
                let there = link.is_some_and(|link| {
                    all.any(|other| other.index == link.index && other.address == *address)
                });
                there.then(|| setting.clone())
            }
            Setting::Port(spec) => {
                let port = self.ports.iter().find(|port| port.device == spec.device);
                port.map(port_of)
            }
        };
        was(setting, found)
    }

    fn link(&self, link: &Link) -> Setting {
        let mut links = self.links.iter();
        let master = links.find(|other| Some(other.index) == link.master);
        Setting::Link(LinkSpec {
            device: link.device.clone(),
            up: Some(link.up),
            mtu: Some(link.mtu),
            mac: match self.macs.contains(&link.device) {
                true => link.mac.as_slice().try_into().ok(),
                false => None,
            },
            master: Some(match master {
                Some(master) => Master::Device(master.device.clone()),
                None => Master::None,
            }),
        })
    }

    /// Whether a link exists and has no MAC address that could be restored.
    pub(super) fn lacks_mac(&self, device: &DeviceName) -> bool {
        let mut links = self.links.iter();
        let link = links.find(|link| link.device == *device);
        link.is_some_and(|link| MacAddress::try_from(link.mac.as_slice()).is_err())
    }

    /// What goes with a virtual link: its state, its addresses and its port, the VLANs over it
    /// with theirs, and that others are its members. Linux makes link-local addresses by itself.
    pub(super) fn with_link(&self, device: &DeviceName) -> Vec<Setting> {
        let mut gone: Vec<&Link> = Vec::new();
        loop {
            let is_over = |link: &Link| match VirtualLink::of(link, &self.links) {
                Some(own) if own.device == *device => true,
                Some(own) => {
                    let mut parents = gone.iter();
                    parents.any(|parent| own.parent() == Some(&parent.device))
                }
                None => false,
            };
            let is_known = |link: &Link| gone.iter().any(|known| known.index == link.index);
            let mut links = self.links.iter();
            match links.find(|link| !is_known(link) && is_over(link)) {
                Some(link) => gone.push(link),
                None => break,
            }
        }
        let mut all = Vec::new();
        let of = |index| gone.iter().find(|link| link.index == index);
        for link in &self.links {
            if of(link.index).is_some() {
                all.extend(VirtualLink::of(link, &self.links).map(Setting::VirtualLink));
                all.push(self.link(link));
            } else if link.master.and_then(of).is_some() {
                all.push(self.link(link));
            }
        }
        for own in &self.addresses {
            let is_link_local = match own.address.address() {
                IpAddr::V6(address) => address.is_unicast_link_local(),
                IpAddr::V4(_) => false,
            };
            if let Some(link) = of(own.index).filter(|_| !is_link_local) {
                all.push(Setting::Address(own.address, link.device.clone()));
            }
        }
        for port in &self.ports {
            if of(port.index).is_some() {
                all.push(port_of(port));
            }
        }
        all
    }
}

fn port_of(port: &Port) -> Setting {
    Setting::Port(PortSpec {
        device: port.device.clone(),
        forwarding: Some(port.forwarding),
        urpf: Some(port.urpf),
    })
}

pub(super) fn was(setting: &Setting, found: Option<Setting>) -> SettingChange {
    match found {
        Some(found) => SettingChange::make(found),
        None => SettingChange::end(setting.clone()),
    }
}

/// The setting with the defaults of what it does not name.
pub(super) fn whole(setting: &Setting) -> Setting {
    match setting {
        Setting::Port(spec) => Setting::Port(PortSpec {
            forwarding: Some(spec.forwarding.unwrap_or(true)),
            urpf: Some(spec.urpf.unwrap_or(Urpf::Off)),
            device: spec.device.clone(),
        }),
        Setting::Link(spec) => Setting::Link(LinkSpec {
            master: Some(spec.master.clone().unwrap_or(Master::None)),
            ..spec.clone()
        }),
        Setting::HostName(_)
        | Setting::Multipath
        | Setting::VirtualLink(_)
        | Setting::Address(..)
        | Setting::Dhcp(_) => setting.clone(),
    }
}
