// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes of settings, all of them or none, together with a transaction of routes.
//!
//! What can be refused is done before the routes are published. Only then does forwarding
//! begin on new ports: they would answer with errors for a table that is not there yet.
//!
//! ```text
//! open, stage…, prepare, apply, (publish the routes), finish
//!                          └ or take_back ┘
//! ```

use std::io;
use std::path::Path;

use nix::libc;
use nl31_netlink::{Client, Error, Load, Op, PortSpec, Transport};
use nl31_route::DeviceName;

use super::error::{CHANGES_MAX, Left, SettingError, SettingErrorKind};
use super::file::{Configured, Locked};
use super::kernel::{KernelState, is_gone, make, make_of_config, restore, was, whole};
use crate::config::waiting::Waiting;
use crate::grammar::codes;
use crate::grammar::{Setting, SettingChange};
use crate::platform::devices::Devices;

/// What was before, to be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// What the kernel had.
    pub kernel: SettingChange,
    /// What was configured.
    pub configured: SettingChange,
}

/// The device for which a setting of a config waits.
fn missing<'a>(devices: &dyn Devices, setting: &'a Setting) -> Option<&'a DeviceName> {
    let device = match setting {
        Setting::VirtualLink(link) => link.parent()?,
        _ => setting.device()?,
    };
    Some(device).filter(|device| devices.index(device).is_none())
}

/// The error of a change that is refused before it is made.
fn refused(tag: u32, setting: &Setting, error: Error) -> SettingError {
    SettingError {
        tag: (tag > 0).then_some(tag),
        setting: Some(setting.clone()),
        ..error.into()
    }
}

/// A transaction of settings.
#[derive(Debug)]
pub struct Transaction {
    file: Locked,
    changes: Vec<(u32, SettingChange)>,
    /// Whether the staged settings replace all that are configured.
    replaces: bool,
    /// The state of each object before, see [`Transaction::prepare`].
    before: Vec<Before>,
    /// Whether the kernel sets multipath when it publishes the routes.
    is_multipath_pushed: bool,
    /// Ports on which forwarding begins at the end.
    starting: Vec<DeviceName>,
    waiting: Waiting,
    /// Links that the changes make, and those that they delete.
    made: Vec<DeviceName>,
    gone: Vec<DeviceName>,
}

impl Transaction {
    /// Begins with the file of the settings locked.
    pub fn open(path: &Path) -> Result<Self, SettingError> {
        Ok(Self {
            file: Locked::open(path)?,
            changes: Vec::new(),
            replaces: false,
            before: Vec::new(),
            is_multipath_pushed: false,
            starting: Vec::new(),
            waiting: Waiting::default(),
            made: Vec::new(),
            gone: Vec::new(),
        })
    }

    /// Adds a change of a device that exists, or that an earlier change makes.
    pub fn stage(
        &mut self,
        tag: u32,
        change: SettingChange,
        devices: &dyn Devices,
    ) -> Result<(), SettingError> {
        let settings = &mut self.file.configured.settings;
        let fault = |kind, change: SettingChange| SettingError {
            tag: Some(tag),
            setting: Some(change.setting),
            ..SettingError::new(kind)
        };
        let exists = |device: &DeviceName| {
            let is_there = devices.index(device).is_some() && !self.gone.contains(device);
            is_there || self.made.contains(device)
        };
        let is_configured = settings.find(&change.setting).is_some();
        let missing = match change.made {
            true => change.setting.needs().find(|device| !exists(device)),
            // What waits for a device may be ended without it.
            false => {
                let device = change.setting.device();
                device.filter(|device| !is_configured && !exists(device))
            }
        };
        if let Some(device) = missing {
            let kind = SettingErrorKind::NoDevice(device.clone());
            return Err(fault(kind, change));
        }
        let is_once = matches!(
            change.setting,
            Setting::Address(..) | Setting::VirtualLink(_)
        );
        if change.made && is_once && is_configured {
            return Err(fault(SettingErrorKind::Exists, change));
        }
        if change.made && settings.is_port_to_join(&change.setting) {
            return Err(fault(SettingErrorKind::IsPort, change));
        }
        let changes = settings.with_dependents(change.clone());
        if self.changes.len() + changes.len() > CHANGES_MAX {
            return Err(fault(SettingErrorKind::Full, change));
        }
        for change in changes {
            if let Err(limit) = settings.change(&change) {
                return Err(fault(SettingErrorKind::TooMany(limit), change));
            }
            if let Setting::VirtualLink(link) = &change.setting {
                let (to, from) = match change.made {
                    true => (&mut self.made, &mut self.gone),
                    false => (&mut self.gone, &mut self.made),
                };
                to.push(link.device.clone());
                from.retain(|device| *device != link.device);
            }
            self.changes.push((tag, change));
        }
        Ok(())
    }

    /// Replaces all settings by those of a config; devices may be missing.
    pub fn replace(&mut self, settings: &[(u32, Setting)]) -> Result<(), SettingError> {
        self.replaces = true;
        let configured = &mut self.file.configured.settings;
        let before = std::mem::take(configured);
        for (tag, setting) in settings {
            let fault = |kind| SettingError {
                tag: Some(*tag),
                setting: Some(setting.clone()),
                ..SettingError::new(kind)
            };
            let is_link = matches!(setting, Setting::VirtualLink(_));
            let other = configured.find(setting).filter(|other| *other != setting);
            if is_link && other.is_some() {
                return Err(fault(SettingErrorKind::Exists));
            }
            let changed = configured.change(&SettingChange::make(setting.clone()));
            changed.map_err(|limit| fault(SettingErrorKind::TooMany(limit)))?;
        }
        // Against the order in which they were made. A link of another kind takes the place of
        // one of its name.
        let gone = before.all().iter().rev();
        let gone = gone.filter(|setting| match configured.find(setting) {
            Some(now) => matches!(now, Setting::VirtualLink(_)) && now != *setting,
            None => true,
        });
        let gone = gone.map(|setting| (0, SettingChange::end(setting.clone())));
        self.changes = gone.collect();
        self.changes.extend(configured.all().iter().map(|setting| {
            let tag = settings.iter().rfind(|(_, line)| line.is_same(setting));
            let tag = tag.map_or(0, |(tag, _)| *tag);
            (tag, SettingChange::make(whole(setting)))
        }));
        Ok(())
    }

    /// The revision of the configured settings, from [`Transaction::apply`] on with the changes.
    pub fn revision(&self) -> u64 {
        self.file.configured.revision
    }

    /// The number of changes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there are no changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The settings that wait for a device.
    pub fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Reads what the changes touch, before them. Uses another socket, as this client may wait
    /// for the answer to a transaction of routes. That transaction, `load`, takes what is a setting
    /// of the table: no other socket may change the table while it is open.
    pub fn prepare<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        path: &Path,
        load: Option<&mut Load>,
    ) -> Result<(), SettingError> {
        self.before.clear();
        if self.changes.is_empty() {
            return Ok(());
        }
        match client.another()? {
            Some(mut other) => self.prepare_with(&mut other, path)?,
            None => self.prepare_with(client, path)?,
        }
        let Some(load) = load else { return Ok(()) };
        self.is_multipath_pushed = true;
        let mut changes = self.changes.iter();
        let last = changes.rfind(|(_, change)| change.setting == Setting::Multipath);
        match last {
            Some((tag, change)) => Ok(load.set_multipath(client, *tag, change.made)?),
            None => Ok(()),
        }
    }

    /// What was before the changes.
    pub fn before(&self) -> &[Before] {
        &self.before
    }

    fn prepare_with<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        path: &Path,
    ) -> Result<(), SettingError> {
        let kernel = KernelState::read(client, self.changes.iter().map(|(_, change)| change))?;
        // The locked file still has the old content.
        let configured = Configured::read(path)?.settings;
        let mut before: Vec<Before> = Vec::new();
        let mut add = |setting: &Setting| {
            let mut seen = before.iter();
            if !seen.any(|before| before.kernel.setting.is_same(setting)) {
                before.push(Before {
                    kernel: kernel.was(setting),
                    configured: was(setting, configured.find(setting).cloned()),
                });
            }
        };
        for (_, SettingChange { setting, made }) in &self.changes {
            // Addresses go with their link or one below it, and with another address of the
            // network.
            let takes = match (setting, setting.device()) {
                (Setting::VirtualLink(_) | Setting::Link(_), Some(device)) => {
                    configured.over(device)
                }
                (Setting::Address(_, device), _) => vec![device.clone()],
                _ => Vec::new(),
            };
            if let Setting::VirtualLink(link) = setting
                && !made
            {
                kernel.with_link(&link.device).iter().for_each(&mut add);
            }
            for other in configured.all() {
                if matches!(other, Setting::Address(_, device) if takes.contains(device)) {
                    add(other);
                }
            }
            add(setting);
        }
        self.before = before;
        self.check_macs(&kernel)?;
        self.check_deleted()
    }

    /// Refuses a MAC address for a device that has none.
    fn check_macs(&self, kernel: &KernelState) -> Result<(), SettingError> {
        for (tag, SettingChange { setting, made }) in &self.changes {
            if let Setting::Link(spec) = setting
                && *made
                && spec.mac.is_some()
                && kernel.lacks_mac(&spec.device)
            {
                let text = "the device has no MAC address to change";
                let error = Error::known(Op::Mac, libc::EOPNOTSUPP, text);
                return Err(refused(*tag, setting, error));
            }
        }
        Ok(())
    }

    /// Refuses to delete a device that was not made.
    fn check_deleted(&self) -> Result<(), SettingError> {
        for (at, (tag, change)) in self.changes.iter().enumerate() {
            let (setting, false) = (&change.setting, change.made) else {
                continue;
            };
            let Setting::VirtualLink(link) = setting else {
                continue;
            };
            let mut before = self.before.iter();
            let was = before.find(|before| before.kernel.setting.is_same(setting));
            let was_there = was.is_some_and(|was| was.kernel.made || was.configured.made);
            let mut earlier = self.changes[..at].iter();
            if !was_there && !earlier.any(|(_, earlier)| earlier.makes(&link.device)) {
                let text = "only a VLAN, bridge or dummy device can be deleted";
                let error = Error::known(Op::LinkDelete, libc::EOPNOTSUPP, text);
                return Err(refused(*tag, setting, error));
            }
        }
        Ok(())
    }

    /// Makes the changes, all but that forwarding begins; after [`Transaction::prepare`]. If one
    /// fails, those before it are taken back.
    pub fn apply<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &dyn Devices,
    ) -> Result<(), SettingError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        match client.another()? {
            Some(mut other) => self.apply_with(&mut other, devices),
            None => self.apply_with(client, devices),
        }
    }

    fn apply_with<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &dyn Devices,
    ) -> Result<(), SettingError> {
        // Linux deletes the IPv6 addresses of a link that goes down or gets an MTU below theirs,
        // and those of an IPv4 network with its first one.
        let mut renewed: Vec<DeviceName> = Vec::new();
        for (tag, change) in std::mem::take(&mut self.changes) {
            if change.made
                && self.replaces
                && let Some(device) = missing(devices, &change.setting)
            {
                self.waiting.add_setting(device);
                continue;
            }
            let made = match &change.setting {
                Setting::Port(spec) if change.made => self.set_port(client, spec.clone()),
                Setting::Multipath if self.is_multipath_pushed => Ok(()),
                _ if change.made && self.replaces => make_of_config(client, devices, &change),
                _ if change.made => make(client, devices, &change),
                _ => self.end(client, devices, &change),
            };
            if let Err(error) = made {
                let left = self.take_back(client, devices);
                return Err(SettingError {
                    tag: (tag > 0).then_some(tag),
                    setting: Some(change.setting),
                    left,
                    ..error.into()
                });
            }
            let renews = match &change.setting {
                Setting::Link(spec) => change.made && spec.up != Some(false),
                Setting::Address(..) => !change.made,
                Setting::HostName(_)
                | Setting::Multipath
                | Setting::VirtualLink(_)
                | Setting::Port(_)
                | Setting::Dhcp(_) => false,
            };
            if let Some(device) = change.setting.device()
                && renews
            {
                renewed.extend(self.file.configured.settings.over(device));
                renewed.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
                renewed.dedup();
            }
        }
        for device in renewed {
            if let Err(error) = self.renew_addresses(client, devices, &device) {
                return Err(SettingError {
                    left: self.take_back(client, devices),
                    ..error.into()
                });
            }
        }
        self.write(devices).map_err(|error| SettingError {
            left: self.take_back(client, devices),
            ..error.into()
        })
    }

    fn set_port<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        mut spec: PortSpec,
    ) -> Result<(), Error> {
        let port = Setting::Port(spec.clone());
        let mut all = self.before.iter();
        let before = all.find(|before| before.kernel.setting.is_same(&port));
        let forwards = before.is_some_and(|before| match &before.kernel.setting {
            Setting::Port(port) => before.kernel.made && port.forwarding == Some(true),
            _ => false,
        });
        let is_new = before.is_some_and(|before| !before.kernel.made);
        let begins = self.starting.contains(&spec.device);
        if !forwards && spec.forwarding.unwrap_or(is_new) {
            if !begins {
                self.starting.push(spec.device.clone());
            }
            spec.forwarding = Some(false);
        } else if spec.forwarding == Some(false) {
            self.starting.retain(|device| *device != spec.device);
        }
        client.set_port(&spec)
    }

    fn end<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &dyn Devices,
        change: &SettingChange,
    ) -> Result<(), Error> {
        let setting = &change.setting;
        if let Setting::Port(spec) = setting {
            self.starting.retain(|device| *device != spec.device);
        }
        let configured =
            |before: &Before| before.configured.made && before.configured.setting.is_same(setting);
        match make(client, devices, change) {
            // It went with its device, or another program has ended it.
            Err(error) if is_gone(&error) && self.before.iter().any(configured) => Ok(()),
            ended => ended,
        }
    }

    /// Adds the configured addresses of a device again, as far as they have gone.
    fn renew_addresses<T: Transport>(
        &self,
        client: &mut Client<T>,
        devices: &dyn Devices,
        device: &DeviceName,
    ) -> Result<(), Error> {
        for setting in self.file.configured.settings.all() {
            if matches!(setting, Setting::Address(..)) && setting.device() == Some(device) {
                match make(client, devices, &SettingChange::make(setting.clone())) {
                    Err(error) if !is_gone(&error) => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Restores what was before; gives what could not be restored. The configured settings are
    /// unchanged.
    pub fn take_back<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &dyn Devices,
    ) -> Left {
        let before = std::mem::take(&mut self.before);
        let kernel: Vec<_> = before.iter().map(|before| before.kernel.clone()).collect();
        restore(client, devices, &kernel).1
    }

    /// Writes the configured settings beside the file.
    fn write(&mut self, devices: &dyn Devices) -> io::Result<()> {
        let configured = &mut self.file.configured;
        let differs = self.before.iter().any(
            |Before {
                 configured: was, ..
             }| {
                let now = configured.settings.find(&was.setting);
                now != Some(&was.setting).filter(|_| was.made)
            },
        );
        configured.revision += u64::from(differs);
        for Before { kernel, .. } in &self.before {
            let Some(device) = kernel.setting.arrives_with() else {
                continue;
            };
            let settings = configured.settings.all().iter();
            let mut others = settings.filter(|setting| setting.arrives_with() == Some(device));
            // The others of the device may still have to be made after it came back.
            let all = others.all(|other| {
                let mut touched = self.before.iter();
                touched.any(|before| before.kernel.setting.is_same(other))
            });
            if all {
                configured.set_applied(device, devices.index(device));
            }
        }
        self.file.write()
    }

    /// Begins forwarding on new ports, and puts the configured settings into place; gives what
    /// failed.
    pub fn finish<T: Transport>(self, client: &mut Client<T>) -> Left {
        let mut left = Left::default();
        for device in self.starting {
            let spec = PortSpec {
                device,
                forwarding: Some(true),
                urpf: None,
            };
            if let Err(error) = client.set_port(&spec)
                && !is_gone(&error)
            {
                left.add(&Setting::Port(spec), &codes::Reason(&error));
            }
        }
        if !self.before.is_empty()
            && let Err(error) = self.file.finish()
        {
            left.add_text(format_args!("the file of the settings: {error}"));
        }
        left
    }
}
