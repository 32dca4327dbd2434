// SPDX-License-Identifier: MIT OR Apache-2.0
//! The settings that are configured: what the lines of the config and of the console have
//! made, and nothing that the kernel has learnt otherwise.

pub mod arrivals;
pub mod error;
pub mod file;
pub mod kernel;
pub mod transaction;

use std::fmt;

use nl31_netlink::rtnetlink::{LinkSpec, Master};
use nl31_route::DeviceName;

use crate::grammar::{HostName, Setting, SettingChange};

/// Most virtual links that are configured.
pub const VIRTUAL_LINKS_MAX: usize = 256;
/// Most links that are configured.
pub const LINKS_MAX: usize = 128;
/// Most addresses that are configured.
pub const ADDRESSES_MAX: usize = 512;
/// Most ports that are configured.
pub const PORTS_MAX: usize = 128;
/// Most devices that have a DHCP client: each is a process (S30dhcp).
pub const DHCP_MAX: usize = 16;

/// The configured settings, each object once, in the order in which a config has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    all: Vec<Setting>,
}

/// A setting beyond the limit of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    kind: &'static str,
    max: usize,
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} {} are configured", self.max, self.kind)
    }
}

/// The place of a setting's kind in a config, and its limit.
fn kind(setting: &Setting) -> (u8, TooMany) {
    let (place, kind, max) = match setting {
        Setting::HostName(_) => (0, "host name", 1),
        Setting::Multipath => (1, "multipath", 1),
        Setting::VirtualLink(_) => (2, "virtual links", VIRTUAL_LINKS_MAX),
        Setting::Link(_) => (3, "links", LINKS_MAX),
        Setting::Address(..) => (4, "addresses", ADDRESSES_MAX),
        Setting::Port(_) => (5, "ports", PORTS_MAX),
        Setting::Dhcp(_) => (6, "DHCP clients", DHCP_MAX),
    };
    (place, TooMany { kind, max })
}

/// Most devices below a device, as Linux has it; it also ends a circle.
const DEPTH_MAX: usize = 8;

/// The place of a setting of `all` in a config: behind what it needs. A link is behind those
/// below it, as its MTU is at most theirs, and it goes up after them.
pub(super) fn place<'a>(
    setting: &'a Setting,
    all: impl Iterator<Item = &'a Setting> + Clone,
) -> (u8, usize) {
    let depth = match setting {
        Setting::VirtualLink(link) => depth(&link.device, all),
        Setting::Link(spec) => depth(&spec.device, all),
        Setting::HostName(_)
        | Setting::Multipath
        | Setting::Address(..)
        | Setting::Port(_)
        | Setting::Dhcp(_) => 0,
    };
    (kind(setting).0, depth)
}

/// The number of devices below a device.
fn depth<'a>(mut device: &'a DeviceName, all: impl Iterator<Item = &'a Setting> + Clone) -> usize {
    for depth in 0..DEPTH_MAX {
        let mut links = all.clone().filter_map(|setting| match setting {
            Setting::VirtualLink(link) => Some(link),
            _ => None,
        });
        let link = links.find(|link| link.device == *device);
        match link.and_then(|link| link.parent()) {
            Some(parent) => device = parent,
            None => return depth,
        }
    }
    DEPTH_MAX
}

/// The setting as it is configured: without a master is the same as to name none.
fn configured(setting: &Setting) -> Option<Setting> {
    let Setting::Link(spec) = setting else {
        return Some(setting.clone());
    };
    let spec = LinkSpec {
        master: spec.master.clone().filter(|master| *master != Master::None),
        ..spec.clone()
    };
    let is_empty = spec == LinkSpec::of(spec.device.clone());
    (!is_empty).then_some(Setting::Link(spec))
}

impl Settings {
    /// Each setting.
    pub fn all(&self) -> &[Setting] {
        &self.all
    }

    /// The setting of the same object.
    pub fn find(&self, setting: &Setting) -> Option<&Setting> {
        self.all.iter().find(|other| other.is_same(setting))
    }

    /// The name of this host.
    pub fn host_name(&self) -> Option<&HostName> {
        self.all.iter().find_map(|setting| match setting {
            Setting::HostName(name) => Some(name),
            _ => None,
        })
    }

    /// Makes or ends a setting.
    pub fn change(&mut self, change: &SettingChange) -> Result<(), TooMany> {
        let setting = &change.setting;
        if !change.made {
            self.all.retain(|other| !other.is_same(setting));
            return Ok(());
        }
        let (_, limit) = kind(setting);
        if let Some(at) = self.all.iter().position(|other| other.is_same(setting)) {
            let mut same = self.all.remove(at);
            same.merge(setting);
            if let Some(same) = configured(&same) {
                self.all.insert(at, same);
            }
            self.sort_by_links(setting);
            return Ok(());
        }
        let Some(new) = configured(setting) else {
            return Ok(());
        };
        let of_kind = self.all.iter().filter(|other| kind(other).1 == limit);
        if of_kind.count() == limit.max {
            return Err(limit);
        }
        let all = || self.all.iter().chain([&new]);
        let own = place(&new, all());
        let at = self.all.partition_point(|other| place(other, all()) <= own);
        self.all.insert(at, new);
        self.sort_by_links(setting);
        Ok(())
    }

    /// Puts settings behind a virtual link that has come or changed, if they need it.
    fn sort_by_links(&mut self, changed: &Setting) {
        let Setting::VirtualLink(link) = changed else {
            return;
        };
        let needs = |other: &Setting| match other {
            Setting::VirtualLink(other) => other.parent() == Some(&link.device),
            other => other.device() == Some(&link.device),
        };
        if self.all.iter().any(needs) {
            let all = self.all.clone();
            self.all
                .sort_by_cached_key(|setting| place(setting, all.iter()));
        }
    }

    /// Whether the setting makes a port a member of a bridge. The kernel takes that, but no port
    /// of a member: so the config could not be loaded.
    pub(super) fn is_port_to_join(&self, setting: &Setting) -> bool {
        let Setting::Link(LinkSpec {
            device,
            master: Some(Master::Device(_)),
            ..
        }) = setting
        else {
            return false;
        };
        let mut all = self.all.iter();
        all.any(|other| matches!(other, Setting::Port(port) if port.device == *device))
    }

    /// The device, and those of the VLANs over it.
    pub fn over(&self, device: &DeviceName) -> Vec<DeviceName> {
        let mut over = vec![device.clone()];
        for setting in &self.all {
            if let Setting::VirtualLink(link) = setting
                && link.parent().is_some_and(|parent| over.contains(parent))
                && !over.contains(&link.device)
            {
                over.push(link.device.clone());
            }
        }
        over
    }

    /// The changes that a change means: with a virtual link end its settings, the VLANs over it
    /// and theirs, and its members leave it. In the order in which they can be made.
    pub fn with_dependents(&self, change: SettingChange) -> Vec<SettingChange> {
        let gone = match &change.setting {
            Setting::VirtualLink(link) if !change.made => self.over(&link.device),
            _ => return vec![change],
        };
        let mut changes = Vec::new();
        for setting in self.all.iter().rev() {
            let device = setting.device();
            if device.is_some_and(|device| gone.contains(device)) {
                changes.push(SettingChange::end(setting.clone()));
            } else if let Setting::Link(spec) = setting
                && let Some(Master::Device(master)) = &spec.master
                && gone.contains(master)
            {
                changes.push(SettingChange::make(Setting::Link(LinkSpec {
                    master: Some(Master::None),
                    ..LinkSpec::of(spec.device.clone())
                })));
            }
        }
        if self.find(&change.setting).is_none() {
            changes.push(change);
        }
        changes
    }

    /// Restores what was configured of an object.
    pub fn restore(&mut self, was: &SettingChange) -> Result<(), TooMany> {
        if was.made
            && let Some(same) = self
                .all
                .iter_mut()
                .find(|other| other.is_same(&was.setting))
        {
            *same = was.setting.clone();
            self.sort_by_links(&was.setting);
            return Ok(());
        }
        self.change(was)
    }

    /// Calls `each` with the settings that differ: `-` those of `self`, `+` those of `after`.
    pub fn difference(&self, after: &Self, each: &mut dyn FnMut(char, &Setting)) {
        for setting in self.all.iter().filter(|own| !after.all.contains(own)) {
            each('-', setting);
        }
        for setting in after.all.iter().filter(|new| !self.all.contains(new)) {
            each('+', setting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::setting;

    fn made(line: &str) -> SettingChange {
        SettingChange::make(setting(line).unwrap().unwrap())
    }

    fn lines(settings: &Settings) -> Vec<String> {
        settings.all().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_object_is_configured_once() {
        let mut settings = Settings::default();
        for line in [
            "dhcp eth1 on",
            "port set eth1",
            "dhcp eth1 on",
            "port set eth0 urpf strict",
            "port set eth1 forwarding off",
            "address add 192.0.2.1/24 dev eth1",
            "hostname r1",
            "link set eth1 up",
            "multipath on",
            "hostname r2",
            "multipath on",
            "address add 192.0.2.1/24 dev eth1",
        ] {
            settings.change(&made(line)).unwrap();
        }
        let all = [
            "hostname r2",
            "multipath on",
            "link set eth1 up",
            "address add 192.0.2.1/24 dev eth1",
            "port set eth1 forwarding off",
            "port set eth0 urpf strict",
            "dhcp eth1 on",
        ];
        assert_eq!(lines(&settings), all);
        let before = settings.clone();
        let mut differs = Vec::new();
        let end = SettingChange::end(made("port set eth1").setting);
        settings.change(&end).unwrap();
        settings.change(&made("port set eth0 urpf off")).unwrap();
        before.difference(&settings, &mut |sign, setting| {
            differs.push(format!("{sign} {setting}"));
        });
        assert_eq!(
            differs,
            [
                "- port set eth1 forwarding off",
                "- port set eth0 urpf strict",
                "+ port set eth0 urpf off"
            ]
        );
        settings.restore(&made("port set eth0")).unwrap();
        assert_eq!(lines(&settings)[4..], ["port set eth0", "dhcp eth1 on"]);
    }

    #[test]
    fn settings_stand_behind_what_they_need() {
        let wanted = [
            "link add br0 type bridge",
            "link add link br0 name br0.7 type vlan id 7",
            "link add link br0.7 name qinq type vlan id 9",
            "link set eth1 master br0",
            "link set br0 mtu 1400",
            "link set br0.7 mtu 1400",
            "link set qinq mtu 1400",
            "address add 192.0.2.1/24 dev qinq",
            "port set qinq",
        ];
        // The MTUs of the links in one order, and the rest in any.
        for order in [
            [0, 1, 2, 3, 4, 5, 6, 7, 8],
            [8, 7, 3, 6, 5, 4, 2, 1, 0],
            [6, 3, 5, 1, 4, 0, 8, 7, 2],
            [3, 5, 2, 6, 4, 1, 7, 0, 8],
        ] {
            let mut settings = Settings::default();
            for at in order {
                settings.change(&made(wanted[at])).unwrap();
            }
            assert_eq!(lines(&settings), wanted, "{order:?}");
        }
        // A circle is no endless loop.
        let mut settings = Settings::default();
        for line in [
            "link add link b name a type vlan id 1",
            "link add link a name b type vlan id 1",
            "link set a up",
        ] {
            settings.change(&made(line)).unwrap();
        }
        let a = "a".parse().unwrap();
        assert_eq!((lines(&settings).len(), settings.over(&a).len()), (3, 2));
    }

    #[test]
    fn with_a_link_end_its_settings_and_those_over_it() {
        let mut settings = Settings::default();
        for line in [
            "link add br0 type bridge",
            "link add link br0 name br0.7 type vlan id 7",
            "link set eth1 up master br0",
            "link set eth2 master br0",
            "link set br0 up",
            "address add 192.0.2.1/24 dev br0.7",
            "address add 192.0.2.2/24 dev eth0",
            "port set br0.7",
        ] {
            settings.change(&made(line)).unwrap();
        }
        let del = SettingChange::end(made("link add br0 type dummy").setting);
        let changes = settings.with_dependents(del);
        let told = changes.iter().map(|change| {
            let sign = if change.made { '+' } else { '-' };
            format!("{sign}{}", change.setting)
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                "-port set br0.7",
                "-address add 192.0.2.1/24 dev br0.7",
                "-link set br0 up",
                "+link set eth2 nomaster",
                "+link set eth1 nomaster",
                "-link add link br0 name br0.7 type vlan id 7",
                "-link add br0 type bridge",
            ]
        );
        for change in &changes {
            settings.change(change).unwrap();
        }
        let left = ["link set eth1 up", "address add 192.0.2.2/24 dev eth0"];
        assert_eq!(lines(&settings), left);
    }

    #[test]
    fn limit_is_told_and_keeps_what_is_there() {
        let mut settings = Settings::default();
        for number in 0..PORTS_MAX {
            let line = format!("port set e{number}");
            settings.change(&made(&line)).unwrap();
        }
        settings.change(&made("port set e0 urpf loose")).unwrap();
        let error = settings.change(&made("port set x")).unwrap_err();
        assert_eq!(error.to_string(), "at most 128 ports are configured");
        assert_eq!(settings.all().len(), PORTS_MAX);
    }
}
