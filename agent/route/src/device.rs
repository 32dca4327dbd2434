// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of network devices.

use core::fmt;
use core::str::FromStr;

/// Longest device name in bytes: `IFNAMSIZ` of `linux/if.h` without its NUL.
pub const DEVICE_NAME_MAX: usize = 15;

/// Name of a network device, by the rules of `dev_valid_name()` in
/// `net/core/dev.c`: 1 to 15 bytes, neither `.` nor `..`, without `/`, `:` and
/// white space.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DeviceName(heapless::String<DEVICE_NAME_MAX, u8>);

/// The text is not a name that a network device can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDeviceName;

impl DeviceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceName {
    type Err = InvalidDeviceName;

    fn from_str(text: &str) -> Result<Self, InvalidDeviceName> {
        let valid = !matches!(text, "" | "." | "..")
            && !text
                .contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control());
        if !valid {
            return Err(InvalidDeviceName);
        }
        heapless::String::try_from(text)
            .map(Self)
            .map_err(|_| InvalidDeviceName)
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for InvalidDeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a device name has 1 to {DEVICE_NAME_MAX} bytes, without / and :"
        )
    }
}

impl core::error::Error for InvalidDeviceName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_the_kernel_takes() {
        for good in ["e", "eth0", "eth0.100", "123456789012345", "wörld"] {
            assert_eq!(good.parse::<DeviceName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            ".",
            "..",
            "1234567890123456",
            "a/b",
            "eth0:1",
            "a b",
            "a\tb",
            "a\x1b",
        ] {
            assert_eq!(bad.parse::<DeviceName>(), Err(InvalidDeviceName), "{bad:?}");
        }
    }
}
