// SPDX-License-Identifier: MIT OR Apache-2.0
//! The words of a route's text, and the values that follow them.

use crate::PathKind;

/// The value that follows a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    None,
    /// An address.
    Address,
    /// The name of a device.
    Device,
    /// A number of 32 bits.
    Number,
    /// A protocol's name or number.
    Protocol,
    /// The MAC address of a device.
    Mac,
}

impl Value {
    /// A description of the value for a person: `an address`.
    pub fn expected(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Address => "an address like 192.0.2.1 or 2001:db8::1",
            Self::Device => "the name of a device like eth0",
            Self::Number => "a number from 0 to 4294967295",
            Self::Protocol => "a protocol like static or bgp, or a number from 0 to 255",
            Self::Mac => "a MAC address like 02:00:00:00:00:01",
        }
    }

    /// Its placeholder in a synopsis, empty for [`Value::None`].
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Address => "ADDRESS",
            Self::Device => "NAME",
            Self::Number => "NUMBER",
            Self::Protocol => "NAME|NUMBER",
            Self::Mac => "MAC",
        }
    }
}

/// A word with a meaning of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// The word.
    pub word: &'static str,
    /// The value that follows it.
    pub value: Value,
    /// One line for a person.
    pub help: &'static str,
}

/// The parts of a route's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `unicast`, `blackhole`, `unreachable` or `prohibit`
    Kind,
    /// The prefix
    Prefix,
    /// The address behind `via`
    Gateway,
    /// The name behind `dev`
    Device,
    /// The number behind `metric`
    Metric,
    /// The name or number behind `proto`
    Protocol,
}

impl Part {
    /// Name of the part in an error.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kind => "the kind of route",
            Self::Prefix => "the prefix",
            Self::Gateway => "via",
            Self::Device => "dev",
            Self::Metric => "metric",
            Self::Protocol => "proto",
        }
    }
}

pub(crate) const KINDS: usize = PathKind::ALL.len();

/// The words of [`Syntax::parse`]: the kinds of [`PathKind::ALL`], then those
/// that a value follows.
pub(crate) const KEYWORDS: [Keyword; KINDS + 4] = [
    Keyword {
        word: PathKind::Unicast.word(),
        value: Value::None,
        help: "forward packets; the default",
    },
    Keyword {
        word: PathKind::Blackhole.word(),
        value: Value::None,
        help: "drop packets silently",
    },
    Keyword {
        word: PathKind::Unreachable.word(),
        value: Value::None,
        help: "drop packets; answer: host unreachable",
    },
    Keyword {
        word: PathKind::Prohibit.word(),
        value: Value::None,
        help: "drop packets; answer: prohibited",
    },
    Keyword {
        word: "via",
        value: Value::Address,
        help: "the next router",
    },
    Keyword {
        word: "dev",
        value: Value::Device,
        help: "the device to send from",
    },
    Keyword {
        word: "metric",
        value: Value::Number,
        help: "the lowest metric is in use; default 0",
    },
    Keyword {
        word: "proto",
        value: Value::Protocol,
        help: "origin of the route",
    },
];

/// The last of [`KEYWORDS`], which iproute2 also knows as `protocol`.
pub(crate) const PROTOCOL: usize = KINDS + 3;

/// The part each of [`KEYWORDS`] gives.
pub(crate) const PARTS: [Part; KINDS + 4] = [
    Part::Kind,
    Part::Kind,
    Part::Kind,
    Part::Kind,
    Part::Gateway,
    Part::Device,
    Part::Metric,
    Part::Protocol,
];
