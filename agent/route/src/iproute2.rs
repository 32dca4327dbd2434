// SPDX-License-Identifier: MIT OR Apache-2.0
//! Words of iproute2 that nl31 does not have. Words of iproute2's lists are ignored; words that
//! change the meaning of a route are refused.

use core::fmt;

/// Words of iproute2's lists that only describe the state of a route: [`Syntax::parse`] ignores
/// them, and the value behind those that have one.
pub(crate) const LISTED: [(&str, bool); 7] = [
    ("scope", true),
    ("pref", true),
    ("expires", true),
    ("error", true),
    ("dead", false),
    ("linkdown", false),
    ("onlink", false),
];

/// The device that iproute2 lists for a blackhole, unreachable or prohibit route.
pub(crate) const LISTED_DEVICE: usize = LISTED.len();

/// Words of iproute2 that change the meaning of a route in ways that nl31 lacks; and why a
/// line with one is refused.
pub(crate) const REFUSED: [(&str, &str); 17] = [
    (
        "table",
        "nl31 has one table; leave out routes of others, and the words table NAME",
    ),
    (
        "src",
        "nl31 does not choose source addresses; remove src and the address",
    ),
    (
        "from",
        "nl31 does not choose routes by source; leave this route out",
    ),
    (
        "tos",
        "nl31 does not choose routes by type of service; leave this route out",
    ),
    (
        "dsfield",
        "nl31 does not choose routes by type of service; leave this route out",
    ),
    (
        "nexthop",
        "write a line for each path: the first with add, the others with append",
    ),
    (
        "weight",
        "nl31 does not share load among paths by weight; remove it",
    ),
    (
        "nhid",
        "nl31 has no next hop objects; write via ADDRESS and dev NAME",
    ),
    (
        "encap",
        "nl31 does not encapsulate packets; leave this route out",
    ),
    (
        "mtu",
        "nl31 has no MTU of a route; set it on the link, and remove mtu",
    ),
    ("advmss", "nl31 has no MSS of a route; remove it"),
    ("hoplimit", "nl31 has no hop limit of a route; remove it"),
    (
        "local",
        "Linux keeps the local routes itself; leave this line out",
    ),
    (
        "broadcast",
        "Linux keeps the broadcast routes itself; leave this line out",
    ),
    (
        "anycast",
        "Linux keeps the anycast routes itself; leave this line out",
    ),
    (
        "multicast",
        "nl31 does not route multicast; leave this line out",
    ),
    (
        "throw",
        "nl31 has one table, and no other to go on with; leave this line out",
    ),
];

/// The ignored words of iproute2's lists in a line. Empty for most lines; displayed with commas
/// between the words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassedOver(pub(crate) u8);

impl PassedOver {
    /// Whether no word was ignored.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The words of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = LISTED.iter().map(|&(word, _)| word).chain(["dev lo"]);
        let mut separator = "";
        for (index, word) in words.enumerate() {
            if self.0 & 1 << index != 0 {
                write!(f, "{separator}{word}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// A word of iproute2 that nl31 does not have.
pub(crate) enum Foreign {
    /// Of [`LISTED`], and whether a value follows.
    Listed(usize, bool),
    /// Of [`REFUSED`], and why.
    Refused(&'static str),
    Unknown,
}

pub(crate) fn foreign(word: &str) -> Foreign {
    if let Some(index) = LISTED.iter().position(|&(listed, _)| listed == word) {
        return Foreign::Listed(index, LISTED[index].1);
    }
    match REFUSED.iter().find(|&&(refused, _)| refused == word) {
        Some(&(_, why)) => Foreign::Refused(why),
        None => Foreign::Unknown,
    }
}
