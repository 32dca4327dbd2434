// SPDX-License-Identifier: MIT OR Apache-2.0
//! Settings in the kernel: made, ended, and restored.

use nix::libc;
use nl31_netlink::rtnetlink::{Link, LinkAddress, LinkSpec};
use nl31_netlink::{Client, Error, Op, Port, PortSpec, Protocol, Transport, Urpf};

use super::error::Left;
use crate::grammar::codes;
use crate::grammar::{Setting, SettingChange};
use crate::platform::devices::Devices;

/// Restores what the kernel had, the last one first, where it differs; gives how much that was
/// and what failed. What was not there before ends first: with an address Linux deletes others
/// of its network.
pub fn restore<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    before: &[SettingChange],
) -> (usize, Left) {
    let (mut count, mut left) = (0, Left::default());
    for made in [false, true] {
        let now = KernelState::read(client, before.iter()).ok();
        let differs = |was: &&SettingChange| {
            let now = now.as_ref().map(|now| now.was(&was.setting));
            was.made == made && now.is_none_or(|now| now.made != made || made && now != **was)
        };
        let changes = before.iter().rev().filter(differs);
        let changes = changes.inspect(|_| count += 1);
        left.join(make_all(client, devices, changes));
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
        if let Err(error) = make(client, devices, change)
            && !is_gone(&error)
        {
            left.add(&change.setting, &codes::Reason(&error));
        }
    }
    left
}

/// Makes one change. A link that ends stays as it is: there is no state before it.
pub(super) fn make<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    change: &SettingChange,
) -> Result<(), Error> {
    let index = |device, op| devices.index(device).ok_or(Error::no_device(op));
    match &change.setting {
        Setting::HostName(_) | Setting::Dhcp(_) => Ok(()),
        Setting::Link(spec) if change.made => client.set_link(index(&spec.device, Op::Link)?, spec),
        Setting::Link(_) => Ok(()),
        Setting::Address(address, device) => {
            let index = index(device, Op::Address)?;
            match change.made {
                true => client.add_address(index, *address, Protocol::UNSPEC),
                false => client.delete_address(index, *address),
            }
        }
        Setting::Port(spec) if change.made => client.set_port(spec),
        Setting::Port(spec) => client.delete_port(&spec.device),
    }
}

/// Whether the object or its device does not exist.
pub(super) fn is_gone(error: &Error) -> bool {
    matches!(
        error.errno(),
        Some(libc::ENODEV | libc::ESRCH | libc::EADDRNOTAVAIL)
    )
}

/// What the kernel has of the kinds that changes touch.
pub(super) struct KernelState {
    links: Vec<Link>,
    addresses: Vec<LinkAddress>,
    ports: Vec<Port>,
}

impl KernelState {
    pub(super) fn read<'a, T: Transport>(
        client: &mut Client<T>,
        changes: impl Iterator<Item = &'a SettingChange>,
    ) -> Result<Self, Error> {
        let (mut others, mut ports) = (false, false);
        for change in changes {
            match change.setting {
                Setting::Port(_) => ports = true,
                Setting::Link(_) | Setting::Address(..) => others = true,
                Setting::HostName(_) | Setting::Dhcp(_) => {}
            }
        }
        Ok(Self {
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
            Setting::Link(_) => link.map(|link| {
                Setting::Link(LinkSpec {
                    device: link.device.clone(),
                    up: Some(link.up),
                    mtu: Some(link.mtu),
                })
            }),
            Setting::Address(address, _) => {
                let mut all = self.addresses.iter();
                let there = link.is_some_and(|link| {
                    all.any(|other| other.index == link.index && other.address == *address)
                });
                there.then(|| setting.clone())
            }
            Setting::Port(spec) => {
                let port = self.ports.iter().find(|port| port.device == spec.device);
                port.map(|port| {
                    Setting::Port(PortSpec {
                        device: port.device.clone(),
                        forwarding: Some(port.forwarding),
                        urpf: Some(port.urpf),
                    })
                })
            }
        };
        was(setting, found)
    }
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
        Setting::HostName(_) | Setting::Link(_) | Setting::Address(..) | Setting::Dhcp(_) => {
            setting.clone()
        }
    }
}
