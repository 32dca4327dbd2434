// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors of a command line.

use std::fmt;

use nl31_netlink::rtnetlink::{InvalidMac, VLAN_ID_MAX, VLAN_ID_MIN};
use nl31_route::{DEVICE_NAME_MAX, Keyword, Value, Word};

use super::level::Level;
use super::limits::{
    CONFIRM_SECONDS_MAX, MTU_MAX, MTU_MIN, PROBE_SIZE_MAX, PROBES_MAX, TERMINAL_SIZE_MAX,
};
use crate::platform::system::HOST_NAME_MAX;

/// An error of a command line.
#[derive(Debug, PartialEq, Eq)]
pub struct GrammarError {
    /// Byte offset into the line.
    pub column: usize,
    /// Bytes that are wrong; 0 at the end of the line.
    pub len: usize,
    /// The reason and the remedy.
    pub kind: GrammarErrorKind,
}

impl GrammarError {
    /// An error of one word.
    pub(super) fn at(word: Word<'_>, kind: GrammarErrorKind) -> Self {
        Self {
            column: word.column,
            len: word.text.len(),
            kind,
        }
    }

    /// Something is missing at the end of the line.
    pub(super) fn at_end(line: &str, kind: GrammarErrorKind) -> Self {
        Self {
            column: line.trim_ascii_end().len(),
            len: 0,
            kind,
        }
    }
}

/// The reason of an error.
#[derive(Debug, PartialEq, Eq)]
pub enum GrammarErrorKind {
    /// No command has this word here; the words before it.
    Unknown(Level),
    /// The word is the second word of the command with these words.
    Second(&'static [&'static str]),
    /// This word must not be abbreviated.
    Short(&'static str),
    /// Several commands have a word that starts so: with as many bytes of this word.
    Ambiguous(Level, &'static str, usize),
    /// The command needs a further word.
    Incomplete(Level),
    /// The command takes nothing more.
    Excess,
    /// Not one of the words of the argument.
    NotOneOf(&'static [Keyword]),
    /// `confirmed` without seconds.
    NoSeconds,
    /// Not a number of rows or columns.
    NoSize,
    /// Not the name of a device.
    NoDevice,
    /// Not an address with its length.
    NoAddress,
    /// An address that no host can have.
    NoHostAddress,
    /// Not an MTU.
    NoMtu,
    /// Not the MAC address of a device.
    NoMac(InvalidMac),
    /// A device whose name cannot be handed to a DHCP client.
    NoPlainDevice,
    /// Not the name of a host.
    NoHostName,
    /// Not the name of a new link.
    NoLinkName,
    /// Not the number of a VLAN.
    NoVlanId,
    /// A VLAN without the device that it is over.
    NoParent,
    /// Another link with one.
    Parent,
    /// Not an address without a length.
    NoHost,
    /// An IPv4 address where an IPv6 address is meant, or the reverse.
    OtherFamily,
    /// A link-local address without a device.
    NoLink,
    /// Not a number of echo requests.
    NoCount,
    /// Not a size of an echo request.
    NoProbeSize,
    /// Not the number of a line of the log.
    NoLogLine,
}

impl From<InvalidMac> for GrammarErrorKind {
    fn from(error: InvalidMac) -> Self {
        Self::NoMac(error)
    }
}

impl fmt::Display for GrammarErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, words: &mut dyn Iterator<Item = &'static str>| {
            let mut words = words.peekable();
            let mut first = true;
            while let Some(word) = words.next() {
                let separator = match (first, words.peek()) {
                    (true, _) => "",
                    (false, Some(_)) => ", ",
                    (false, None) => " or ",
                };
                write!(f, "{separator}{word}")?;
                first = false;
            }
            Ok(())
        };
        match self {
            Self::Unknown(Level::TOP) => f.write_str("no such command: `help` lists them"),
            Self::Unknown(level) | Self::Incomplete(level) => f
                .write_str("expected ")
                .and_then(|()| list(f, &mut level.words().map(|(_, word)| word))),
            Self::Short(word) => write!(f, "write the word in full: {word}"),
            Self::Second(words) => {
                f.write_str("no such command; did you mean")?;
                words.iter().try_for_each(|word| write!(f, " {word}"))?;
                f.write_str("?")
            }
            Self::Ambiguous(level, word, len) => {
                f.write_str("ambiguous; write more of the word: ")?;
                let words = level.words().map(|(_, word)| word);
                list(
                    f,
                    &mut words.filter(|other| other.starts_with(&word[..*len])),
                )
            }
            Self::Excess => f.write_str("expected the end of the line"),
            Self::NoDevice => f.write_str("expected the name of a device"),
            Self::NoAddress => {
                f.write_str("expected an address with its length, like 192.0.2.1/24")
            }
            Self::NoHostAddress => f.write_str("no device can have this address"),
            Self::NoMac(error) => error.fmt(f),
            Self::NoMtu => write!(f, "expected bytes, from {MTU_MIN} to {MTU_MAX}"),
            Self::NoPlainDevice => f.write_str("expected a device whose name has no \\xHH"),
            Self::NoHostName => write!(
                f,
                "expected a name of at most {HOST_NAME_MAX} characters: letters, digits, and between them - and ."
            ),
            Self::NoLinkName => write!(
                f,
                "expected a name of 1 to {DEVICE_NAME_MAX} bytes, without %, / and :"
            ),
            Self::NoVlanId => write!(f, "expected a number from {VLAN_ID_MIN} to {VLAN_ID_MAX}"),
            Self::NoParent => f.write_str(
                "a VLAN needs the device that it is over: write link and its name before type",
            ),
            Self::Parent => f.write_str("only a VLAN is over another device"),
            Self::NoHost => {
                write!(f, "expected {}", Value::Address.expected())
            }
            Self::OtherFamily => {
                f.write_str("expected an address of the same family as the destination")
            }
            Self::NoLink => f.write_str(
                "a link-local address needs its link: add dev and the name of the device",
            ),
            Self::NoCount => write!(f, "expected a number of packets, from 1 to {PROBES_MAX}"),
            Self::NoProbeSize => write!(f, "expected bytes, from 0 to {PROBE_SIZE_MAX}"),
            Self::NoLogLine => f.write_str("expected the number of a line"),
            Self::NoSize => write!(f, "expected a number from 0 to {TERMINAL_SIZE_MAX}"),
            Self::NoSeconds => write!(f, "expected seconds, from 1 to {CONFIRM_SECONDS_MAX}"),
            Self::NotOneOf(keywords) => {
                f.write_str("expected ")?;
                list(f, &mut keywords.iter().map(|keyword| keyword.word))
            }
        }
    }
}
