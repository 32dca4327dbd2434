// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why settings are refused, and what of them could not be taken back.

use std::fmt::{self, Write as _};
use std::io;

use nl31_netlink::Error;
use nl31_route::DeviceName;

use super::TooMany;
use crate::grammar::Setting;
use crate::grammar::codes::{self, Code};

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
    /// The address or the virtual link is configured already.
    Exists,
    /// The device is a port, and is to be a member of a bridge.
    IsPort,
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

    pub(super) fn new(kind: SettingErrorKind) -> Self {
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
            SettingErrorKind::Exists => match self.setting {
                Some(Setting::VirtualLink(_)) => codes::HAS_LINK,
                _ => codes::HAS_ADDRESS,
            },
            SettingErrorKind::IsPort => codes::REFUSED,
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
        if let (
            Some(setting),
            SettingErrorKind::Kernel(_) | SettingErrorKind::Exists | SettingErrorKind::IsPort,
        ) = (&self.setting, &self.kind)
        {
            write!(f, "{}: ", setting.name())?;
        }
        match &self.kind {
            SettingErrorKind::Full => {
                write!(f, "at most {CHANGES_MAX} settings change at once")?;
            }
            SettingErrorKind::TooMany(limit) => limit.fmt(f)?,
            SettingErrorKind::NoDevice(device) => write!(f, "device {device} does not exist")?,
            SettingErrorKind::Exists => match self.setting {
                Some(Setting::VirtualLink(_)) => f.write_str("the link is configured already")?,
                _ => f.write_str("the address is configured already")?,
            },
            SettingErrorKind::IsPort => f.write_str(
                "the device is a port, which no member of a bridge can be: `port del` first",
            )?,
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

    pub(super) fn add(&mut self, setting: &Setting, error: &dyn fmt::Display) {
        self.add_text(format_args!("{}: {error}", setting.name()));
    }

    pub(super) fn join(&mut self, other: Self) {
        if !other.is_empty() {
            self.add_text(format_args!("{}", other.0));
        }
    }

    pub(super) fn add_text(&mut self, text: fmt::Arguments<'_>) {
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
            false => write!(f, "; not restored: {}", self.0),
        }
    }
}
