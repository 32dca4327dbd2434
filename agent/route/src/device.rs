// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of network devices.

use core::fmt;
use core::str::FromStr;

/// Longest device name in bytes: `IFNAMSIZ` of `linux/if.h` without its NUL.
pub const DEVICE_NAME_MAX: usize = 15;

/// Longest text form of a device name in bytes: each byte as `\xHH`.
pub const DEVICE_TEXT_MAX: usize = DEVICE_NAME_MAX * 4;

/// Name of a network device, by the rules of `dev_valid_name()` in
/// `net/core/dev.c`: 1 to 15 bytes of any value, neither `.` nor `..`, without
/// NUL, `/`, `:` and white space.
///
/// Linux takes bytes that a terminal or a config must not see as they are. In text,
/// `\xHH` stands for such a byte and for a backslash; ASCII's visible characters and the
/// letters and digits of other scripts stand for themselves. The text is read back as
/// the same name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DeviceName(heapless::Vec<u8, DEVICE_NAME_MAX, u8>);

/// The text is not a name that a network device can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a device name has 1 to {DEVICE_NAME_MAX} bytes, without / and :; \\xHH stands for a byte")]
pub struct InvalidDeviceName;

impl DeviceName {
    /// The name of these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidDeviceName> {
        // 0xa0 is Latin-1's no-break space, which the kernel's isspace() knows too.
        let forbidden = |byte: &u8| matches!(byte, 0 | b'/' | b':' | b'\t'..=b'\r' | b' ' | 0xa0);
        if matches!(bytes, b"" | b"." | b"..") || bytes.iter().any(forbidden) {
            return Err(InvalidDeviceName);
        }
        heapless::Vec::from_slice(bytes)
            .map(Self)
            .map_err(|_| InvalidDeviceName)
    }

    /// The name as the kernel has it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The text form, see [`DeviceName`].
impl FromStr for DeviceName {
    type Err = InvalidDeviceName;

    fn from_str(text: &str) -> Result<Self, InvalidDeviceName> {
        let mut bytes = heapless::Vec::<u8, DEVICE_NAME_MAX, u8>::new();
        let mut rest = text.as_bytes();
        while let Some((&byte, behind)) = rest.split_first() {
            let (byte, behind) = match (byte, behind) {
                (b'\\', [b'x', high, low, behind @ ..]) => {
                    (hex_digit(*high)? << 4 | hex_digit(*low)?, behind)
                }
                (b'\\', _) => return Err(InvalidDeviceName),
                _ => (byte, behind),
            };
            bytes.push(byte).map_err(|_| InvalidDeviceName)?;
            rest = behind;
        }
        Self::from_bytes(&bytes)
    }
}

fn hex_digit(digit: u8) -> Result<u8, InvalidDeviceName> {
    let value = char::from(digit).to_digit(16).ok_or(InvalidDeviceName)?;
    Ok(value as u8)
}

/// The text form, see [`DeviceName`].
impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c != '\\' && (c.is_ascii_graphic() || c.is_alphanumeric()) {
                    fmt::Write::write_char(f, c)?;
                } else {
                    escape(f, c.encode_utf8(&mut [0; 4]).as_bytes())?;
                }
            }
            escape(f, chunk.invalid())?;
        }
        Ok(())
    }
}

fn escape(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
}

impl fmt::Debug for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;
    use std::vec::Vec;

    #[test]
    fn names_are_those_the_kernel_takes() {
        for good in ["e", "eth0", "eth0.100", "123456789012345", "wörld", "#wan"] {
            let name: DeviceName = good.parse().unwrap();
            assert_eq!(name.as_bytes(), good.as_bytes());
            assert_eq!(name.to_string(), good);
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
            "a\u{b}b",
            "a\\",
            "a\\x",
            "a\\x1",
            "a\\x1g",
            "a\\n",
            "\\x00",
            "a\\x2fb",
            "a\\x20b",
            // Its second byte is white space to the kernel.
            "à",
        ] {
            assert_eq!(bad.parse::<DeviceName>(), Err(InvalidDeviceName), "{bad:?}");
        }
    }

    #[test]
    fn bytes_that_a_terminal_must_not_see_are_escaped() {
        for (bytes, text) in [
            (&b"ifb-pp\x01"[..], r"ifb-pp\x01"),
            (b"abc\xffdef", r"abc\xffdef"),
            (b"a\x1b[2Jb", r"a\x1b[2Jb"),
            (b"a\\x41", r"a\x5cx41"),
            ("\u{202e}gol".as_bytes(), r"\xe2\x80\xaegol"),
            (b"\x7f", r"\x7f"),
        ] {
            let name = DeviceName::from_bytes(bytes).unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(text.parse(), Ok(name));
        }
    }

    proptest! {
        #[test]
        fn the_text_of_any_name_is_one_visible_word_and_the_same_name(
            bytes in proptest::collection::vec(any::<u8>(), 1..=DEVICE_NAME_MAX))
        {
            let bytes: Vec<u8> = bytes;
            if let Ok(name) = DeviceName::from_bytes(&bytes) {
                let text = name.to_string();
                prop_assert!(text.len() <= DEVICE_TEXT_MAX);
                prop_assert!(!text.contains(|c: char| c.is_whitespace() || c.is_control()));
                prop_assert_eq!(text.parse(), Ok(name));
            }
        }
    }
}
