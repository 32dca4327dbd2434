// SPDX-License-Identifier: MIT OR Apache-2.0
//! Refusals of a program's requests.

use std::fmt::{self, Write as _};

use nl31_netlink::{Error, ErrorKind};
use nl31_route::DeviceName;
use nl31_wire::limits::ERROR_MAX;
use nl31_wire::{BadItems, code};

use crate::config::save::SaveError;
use crate::config::settings::error::SettingError;
use crate::console::Reason;
use crate::grammar::codes::{self, Code};
use crate::platform::printable::printable;

/// Why a request was refused.
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) index: Option<usize>,
    pub(super) offset: Option<usize>,
    pub(super) text: Box<Text>,
}

pub(super) type Refused<T> = Result<T, Refusal>;

impl Refusal {
    pub(super) fn new(code: u16, text: impl fmt::Display) -> Self {
        Self {
            code,
            index: None,
            offset: None,
            text: Text::of(text),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        log::debug!("{error}");
        let offset = match &error.kind {
            ErrorKind::Kernel(kernel) => kernel.offset.map(|offset| offset as usize),
            _ => None,
        };
        Self {
            offset,
            ..Self::new(Code::of(&error).number, Reason(&error))
        }
    }
}

impl From<SaveError> for Refusal {
    fn from(error: SaveError) -> Self {
        log::error!("not saved: {error}");
        match error {
            SaveError::Kernel(error) => error.into(),
            SaveError::Io(ref io) => Self::new(codes::of_io(io).number, error),
        }
    }
}

impl From<SettingError> for Refusal {
    fn from(error: SettingError) -> Self {
        log::debug!("{error:?}");
        Self::new(error.code().number, error)
    }
}

impl From<BadItems> for Refusal {
    fn from(error: BadItems) -> Self {
        Self {
            offset: Some(error.offset),
            ..Self::new(code::BAD_MESSAGE, error)
        }
    }
}

pub(super) fn locked() -> Refusal {
    let what = format_args!("the line is locked: enter its PIN first");
    Refusal::new(codes::LOCKED_OUT.number, what)
}

pub(super) fn no_device(name: &DeviceName) -> Refusal {
    Refusal::new(
        codes::NO_DEVICE.number,
        format_args!("device {name} does not exist"),
    )
}

/// Text, cut at its capacity.
pub(super) struct Text(pub(super) heapless::String<ERROR_MAX>);

impl Text {
    pub(super) fn of(text: impl fmt::Display) -> Box<Self> {
        let mut cut = Box::new(Self(heapless::String::new()));
        // Fails where the text is cut.
        let _ = write!(cut, "{text}");
        cut
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars()
            .try_for_each(|c| self.0.push(printable(c)))
            .map_err(|_| fmt::Error)
    }
}
