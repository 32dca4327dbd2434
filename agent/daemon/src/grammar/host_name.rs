// SPDX-License-Identifier: MIT OR Apache-2.0
//! The name of this host: labels of RFC 1123, as long as Linux keeps it.

use std::fmt;
use std::str::FromStr;

use nl31_route::words;

use super::errors::{GrammarError, GrammarErrorKind};
use super::parse::nothing;
use crate::platform::system::HOST_NAME_MAX;

/// Longest label.
const LABEL_MAX: usize = 63;

/// The name of a host: labels joined by dots, each of letters, digits and hyphens inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(Box<str>);

impl HostName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = GrammarErrorKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_label = |label: &str| {
            let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (1..=LABEL_MAX).contains(&label.len())
                && label.bytes().all(inside)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        match text.len() <= HOST_NAME_MAX && text.split('.').all(is_label) {
            true => Ok(Self(text.into())),
            false => Err(GrammarErrorKind::NoHostName),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name alone.
pub(super) fn host_name(line: &str, start: usize) -> Result<HostName, GrammarError> {
    let missing = || GrammarError::at_end(line, GrammarErrorKind::NoHostName);
    let word = words(line, start).next().ok_or_else(missing)?;
    let name = word.text.parse();
    let name = name.map_err(|kind| GrammarError::at(word, kind))?;
    nothing(line, word.column + word.text.len())?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_name_has_labels_of_rfc_1123() {
        let longest = format!("{}.{}", "a".repeat(60), "b".repeat(3));
        for good in ["a", "7", "router-7", "R1.example.net", "3com", &longest] {
            assert_eq!(good.parse::<HostName>().unwrap().to_string(), good);
        }
        let label = "a".repeat(LABEL_MAX + 1);
        let long = format!("{longest}b");
        for bad in [
            "", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a_b", "a b", "é", "a/b", "$(a)",
            "a\x1b", &label, &long,
        ] {
            assert!(bad.parse::<HostName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn mistake_in_host_name_names_its_place() {
        let read = |line| {
            let error = host_name(line, 8).unwrap_err();
            (error.column, error.len)
        };
        assert_eq!(read("hostname"), (8, 0));
        assert_eq!(read("hostname  a_b"), (10, 3));
        assert_eq!(read("hostname a b"), (11, 1));
        assert_eq!(host_name("hostname r1", 8).unwrap().as_str(), "r1");
    }
}
