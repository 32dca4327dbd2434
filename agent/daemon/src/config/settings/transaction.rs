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

use std::fmt::{self, Write as _};
use std::io;
use std::path::Path;

use nix::libc;
use nl31_netlink::{Client, Error, Port, PortSpec, Transport, Urpf};
use nl31_route::DeviceName;

use super::TooMany;
use super::file::Locked;
use crate::config::waiting::Waiting;
use crate::grammar::codes::{self, Code};
use crate::grammar::{Setting, SettingChange};
use crate::platform::devices::Devices;

/// Most changes in one transaction.
pub const CHANGES_MAX: usize = 1024;

/// Why a setting cannot be made. Nothing is changed, but for what `left` says.
#[derive(Debug)]
pub struct SettingError {
    /// The tag of the change, if it is one of them.
    pub tag: Option<u32>,
    /// What the change is about.
    pub setting: Option<Setting>,
    /// The reason.
    pub kind: SettingErrorKind,
    /// What could not be taken back.
    pub left: Left,
}

/// The reason of a [`SettingError`].
#[derive(Debug)]
pub enum SettingErrorKind {
    /// There are [`CHANGES_MAX`] changes.
    Full,
    /// The limit of its kind is reached.
    TooMany(TooMany),
    /// The device does not exist.
    NoDevice(DeviceName),
    /// The kernel refused.
    Kernel(Error),
    /// The file of the settings failed.
    Io(io::Error),
}

impl SettingError {
    /// An error of a line of a config.
    pub fn of_line(line: u32, kind: SettingErrorKind) -> Self {
        Self {
            tag: Some(line),
            ..Self::new(kind)
        }
    }

    fn new(kind: SettingErrorKind) -> Self {
        Self {
            tag: None,
            setting: None,
            kind,
            left: Left::default(),
        }
    }

    /// The code of the reply.
    pub fn code(&self) -> Code {
        match &self.kind {
            SettingErrorKind::Full | SettingErrorKind::TooMany(_) => codes::FULL,
            SettingErrorKind::NoDevice(_) => codes::NO_DEVICE,
            SettingErrorKind::Kernel(error) => Code::of(error),
            SettingErrorKind::Io(error) => codes::of_io(error),
        }
    }
}

impl From<io::Error> for SettingError {
    fn from(error: io::Error) -> Self {
        Self::new(SettingErrorKind::Io(error))
    }
}

impl From<Error> for SettingError {
    fn from(error: Error) -> Self {
        Self::new(SettingErrorKind::Kernel(error))
    }
}

/// The object and the reason.
impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(setting), SettingErrorKind::Kernel(_)) = (&self.setting, &self.kind) {
            write!(f, "{}: ", setting.name())?;
        }
        match &self.kind {
            SettingErrorKind::Full => {
                write!(f, "at most {CHANGES_MAX} settings change at once")?;
            }
            SettingErrorKind::TooMany(limit) => limit.fmt(f)?,
            SettingErrorKind::NoDevice(device) => write!(f, "device {device} does not exist")?,
            SettingErrorKind::Kernel(error) => codes::Reason(error).fmt(f)?,
            SettingErrorKind::Io(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                f.write_str("another session changes settings: try again")?;
            }
            SettingErrorKind::Io(error) => write!(f, "the file of the settings: {error}")?,
        }
        self.left.fmt(f)
    }
}

/// What could not be taken back or finished, in words; empty if all was.
#[derive(Debug, Default)]
pub struct Left(String);

/// Most bytes of [`Left`].
const LEFT_MAX: usize = 512;

impl Left {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, setting: &Setting, error: &dyn fmt::Display) {
        self.add_text(format_args!("{}: {error}", setting.name()));
    }

    fn add_text(&mut self, text: fmt::Arguments<'_>) {
        if self.0.len() < LEFT_MAX {
            let separator = if self.0.is_empty() { "" } else { ", " };
            let _ = write!(self.0, "{separator}{text}");
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The end of an error's sentence.
impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_empty() {
            true => Ok(()),
            false => write!(f, "; not taken back: {}", self.0),
        }
    }
}

/// What was before, to be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// What the kernel had.
    pub kernel: SettingChange,
    /// What was configured.
    pub configured: SettingChange,
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
    /// Ports on which forwarding begins at the end.
    starting: Vec<DeviceName>,
    waiting: Waiting,
}

impl Transaction {
    /// Begins with the file of the settings locked.
    pub fn open(path: &Path) -> Result<Self, SettingError> {
        Ok(Self {
            file: Locked::open(path)?,
            changes: Vec::new(),
            replaces: false,
            before: Vec::new(),
            starting: Vec::new(),
            waiting: Waiting::default(),
        })
    }

    /// Adds a change of a device that exists.
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
        if self.changes.len() == CHANGES_MAX {
            return Err(fault(SettingErrorKind::Full, change));
        }
        let device = change.setting.device();
        // What waits for a device may be ended without it.
        let may_miss = !change.made && settings.find(&change.setting).is_some();
        if !may_miss && devices.index(device).is_none() {
            let kind = SettingErrorKind::NoDevice(device.clone());
            return Err(fault(kind, change));
        }
        if let Err(limit) = settings.change(&change) {
            return Err(fault(SettingErrorKind::TooMany(limit), change));
        }
        self.changes.push((tag, change));
        Ok(())
    }

    /// Replaces all settings by those of a config; devices may be missing.
    pub fn replace(&mut self, settings: &[(u32, Setting)]) -> Result<(), SettingError> {
        self.replaces = true;
        let configured = &mut self.file.configured.settings;
        let before = std::mem::take(configured);
        for (tag, setting) in settings {
            let change = SettingChange::make(setting.clone());
            configured.change(&change).map_err(|limit| SettingError {
                tag: Some(*tag),
                setting: Some(setting.clone()),
                ..SettingError::new(SettingErrorKind::TooMany(limit))
            })?;
        }
        // Against the order in which they were made.
        let gone = before.all().iter().rev();
        let gone = gone.filter(|setting| configured.find(setting).is_none());
        let gone = gone.map(|setting| (0, SettingChange::end(setting.clone())));
        self.changes = gone.collect();
        self.changes.extend(configured.all().iter().map(|setting| {
            let tag = settings.iter().rfind(|(_, line)| line.is_same(setting));
            let tag = tag.map_or(0, |(tag, _)| *tag);
            (tag, SettingChange::make(whole(setting)))
        }));
        Ok(())
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
    /// for the answer to a transaction of routes.
    pub fn prepare<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        path: &Path,
    ) -> Result<(), SettingError> {
        self.before.clear();
        if self.changes.is_empty() {
            return Ok(());
        }
        match client.another()? {
            Some(mut other) => self.prepare_with(&mut other, path),
            None => self.prepare_with(client, path),
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
        let ports = client.ports()?;
        // The locked file still has the old content.
        let configured = super::file::Configured::read(path)?.settings;
        for (_, SettingChange { setting, .. }) in &self.changes {
            let seen = &mut self.before.iter();
            if seen.any(|before| before.kernel.setting.is_same(setting)) {
                continue;
            }
            let was = |setting: &Setting, found: Option<Setting>| match found {
                Some(found) => SettingChange::make(found),
                None => SettingChange::end(setting.clone()),
            };
            let kernel = match setting {
                Setting::Port(spec) => was(setting, find(&ports, &spec.device).map(port_setting)),
            };
            self.before.push(Before {
                kernel,
                configured: was(setting, configured.find(setting).cloned()),
            });
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
        for (tag, change) in std::mem::take(&mut self.changes) {
            let device = change.setting.device();
            if change.made && self.replaces && devices.index(device).is_none() {
                self.waiting.add_setting(device);
                continue;
            }
            let made = match &change.setting {
                Setting::Port(spec) if change.made => self.set_port(client, spec.clone()),
                _ => self.end(client, &change.setting),
            };
            if let Err(error) = made {
                let left = self.take_back(client);
                return Err(SettingError {
                    tag: (tag > 0).then_some(tag),
                    setting: Some(change.setting),
                    left,
                    ..error.into()
                });
            }
        }
        self.write(devices).map_err(|error| SettingError {
            left: self.take_back(client),
            ..error.into()
        })
    }

    fn set_port<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        mut spec: PortSpec,
    ) -> Result<(), Error> {
        let before = |before: &&Before| before.kernel.setting.device() == &spec.device;
        let before = self.before.iter().find(before);
        let forwards = before.is_some_and(|before| {
            let Setting::Port(port) = &before.kernel.setting;
            before.kernel.made && port.forwarding == Some(true)
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
        setting: &Setting,
    ) -> Result<(), Error> {
        let Setting::Port(spec) = setting;
        self.starting.retain(|device| *device != spec.device);
        let configured =
            |before: &Before| before.configured.made && before.configured.setting.is_same(setting);
        match client.delete_port(&spec.device) {
            // It went with its device, or a program has ended it.
            Err(error) if is_gone(&error) && self.before.iter().any(configured) => Ok(()),
            ended => ended,
        }
    }

    /// Restores what was before; gives what could not be restored. The configured settings are
    /// unchanged.
    pub fn take_back<T: Transport>(&mut self, client: &mut Client<T>) -> Left {
        let before = std::mem::take(&mut self.before);
        let kernel = before.iter().rev().map(|before| &before.kernel);
        restore(client, kernel)
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
            let device = kernel.setting.device();
            let settings = configured.settings.all().iter();
            let mut others = settings.filter(|setting| setting.device() == device);
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

/// Makes changes, as far as they can be; gives those that failed. What is gone is no failure.
pub fn restore<'a, T: Transport>(
    client: &mut Client<T>,
    changes: impl Iterator<Item = &'a SettingChange>,
) -> Left {
    let mut left = Left::default();
    for change in changes {
        if let Err(error) = make(client, change)
            && !is_gone(&error)
        {
            left.add(&change.setting, &codes::Reason(&error));
        }
    }
    left
}

/// Makes one change.
pub(super) fn make<T: Transport>(
    client: &mut Client<T>,
    change: &SettingChange,
) -> Result<(), Error> {
    match &change.setting {
        Setting::Port(spec) if change.made => client.set_port(spec),
        Setting::Port(spec) => client.delete_port(&spec.device),
    }
}

/// Whether the object or its device does not exist.
pub(super) fn is_gone(error: &Error) -> bool {
    matches!(error.errno(), Some(libc::ENODEV | libc::ESRCH))
}

/// The setting with the defaults of what it does not name.
pub(super) fn whole(setting: &Setting) -> Setting {
    match setting {
        Setting::Port(spec) => Setting::Port(PortSpec {
            forwarding: Some(spec.forwarding.unwrap_or(true)),
            urpf: Some(spec.urpf.unwrap_or(Urpf::Off)),
            device: spec.device.clone(),
        }),
    }
}

fn find<'a>(ports: &'a [Port], device: &DeviceName) -> Option<&'a Port> {
    ports.iter().find(|port| port.device == *device)
}

fn port_setting(port: &Port) -> Setting {
    Setting::Port(PortSpec {
        device: port.device.clone(),
        forwarding: Some(port.forwarding),
        urpf: Some(port.urpf),
    })
}
