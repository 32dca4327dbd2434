// SPDX-License-Identifier: MIT OR Apache-2.0
//! The settings that are configured: what the lines of the config and of the console have
//! made, and nothing that the kernel has learnt otherwise.

pub mod arrivals;
pub mod error;
pub mod file;
pub mod kernel;
pub mod transaction;

use std::fmt;

use crate::grammar::{HostName, Setting, SettingChange};

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
        Setting::Link(_) => (1, "links", LINKS_MAX),
        Setting::Address(..) => (2, "addresses", ADDRESSES_MAX),
        Setting::Port(_) => (3, "ports", PORTS_MAX),
        Setting::Dhcp(_) => (4, "DHCP clients", DHCP_MAX),
    };
    (place, TooMany { kind, max })
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
        let (place, limit) = kind(setting);
        let same = self.all.iter_mut().find(|other| other.is_same(setting));
        if let Some(same) = same {
            same.merge(setting);
            return Ok(());
        }
        let of_kind = self.all.iter().filter(|other| kind(other).0 == place);
        if of_kind.count() == limit.max {
            return Err(limit);
        }
        let at = self.all.partition_point(|other| kind(other).0 <= place);
        self.all.insert(at, setting.clone());
        Ok(())
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
            "hostname r2",
            "address add 192.0.2.1/24 dev eth1",
        ] {
            settings.change(&made(line)).unwrap();
        }
        let all = [
            "hostname r2",
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
        assert_eq!(lines(&settings)[3..], ["port set eth0", "dhcp eth1 on"]);
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
