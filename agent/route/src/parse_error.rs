// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors in the text of a route: the mistake, its place, and the remedy.

use core::fmt;

use crate::keyword::{KEYWORDS, KINDS, Part, Value};
use crate::{Family, InvalidDeviceName, Keyword, PathKind, PrefixError};

/// A mistake in a line, and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ParseError {
    /// Byte offset into the line, from 0.
    pub column: usize,
    /// Number of wrong bytes from there on; 0 at the end of the line.
    pub len: usize,
    /// The mistake. Its text is for a person and names the remedy.
    pub kind: ParseErrorKind,
}

/// A mistake in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// The word is not possible here.
    #[error("expected {0}")]
    UnknownWord(Possible),
    /// Several of the possible words start with this word.
    #[error("ambiguous; write more of the word: expected {0}")]
    Ambiguous(Possible),
    /// The line ends behind a keyword that needs a value.
    #[error("the line ends here; expected {}", .0.expected())]
    NoValue(Value),
    /// The value behind a keyword has the wrong form.
    #[error("expected {}", .0.expected())]
    BadValue(Value),
    /// The word behind `dev` cannot be the name of a device.
    #[error("{InvalidDeviceName}")]
    BadDevice,
    /// The word is not a prefix.
    #[error(fmt = bad_prefix)]
    BadPrefix(PrefixError),
    /// There is no prefix.
    #[error("a prefix is missing, like 10.0.0.0/8, 2001:db8::/32 or default")]
    NoPrefix,
    /// The line has the word already, or a word that excludes it.
    #[error("{} is given twice; remove one", .0.name())]
    Twice(Part),
    /// The gateway has this family, the prefix the other one.
    #[error(fmt = gateway_family)]
    GatewayFamily(Family),
    /// This kind of path drops packets, so it has neither gateway nor device.
    #[error("a route of kind {kind} has no next hop: remove via and dev, or the word {kind}", kind = .0.word())]
    NextHopOfKind(PathKind),
    /// A unicast path without gateway and device.
    #[error(
        "the next hop is missing: write via ADDRESS, dev NAME or both (or start with blackhole)"
    )]
    NoNextHop,
    /// A word of iproute2 for a feature that nl31 lacks; the text names the remedy.
    #[error("{0}")]
    Refused(&'static str),
    /// A word of iproute2's lists without its value.
    #[error("the value of this word is missing; remove the word")]
    NoListedValue,
}

/// The words that were possible at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Possible {
    pub(crate) prefix: bool,
    /// Bit `i` says that `KEYWORDS[i]` is possible.
    pub(crate) keywords: u8,
    pub(crate) flags: &'static [Keyword],
    /// Bit `i` says that `flags[i]` is possible.
    pub(crate) unused: u8,
}

impl Possible {
    fn words(&self) -> impl Iterator<Item = &'static str> + Clone {
        let set = |bits: u8| move |&(index, _): &(usize, &Keyword)| bits & (1 << index) != 0;
        // The kinds are listed only while the line has no prefix.
        let first = if self.prefix { 0 } else { KINDS };
        let keywords = KEYWORDS
            .iter()
            .enumerate()
            .skip(first)
            .filter(set(self.keywords));
        let flags = self.flags.iter().enumerate().filter(set(self.unused));
        let prefix = self.prefix.then_some("a prefix like 10.0.0.0/8");
        prefix
            .into_iter()
            .chain(keywords.chain(flags).map(|(_, keyword)| keyword.word))
    }
}

impl fmt::Debug for Possible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.words()).finish()
    }
}

impl fmt::Display for Possible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.words().peekable();
        if words.peek().is_none() {
            return f.write_str("the end of the line");
        }
        let mut first = true;
        while let Some(word) = words.next() {
            if !first {
                f.write_str(if words.peek().is_some() { ", " } else { " or " })?;
            }
            f.write_str(word)?;
            first = false;
        }
        Ok(())
    }
}

fn bad_prefix(error: &PrefixError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        // The word may also be `default`.
        PrefixError::Address => f.write_str(
            "expected a prefix like 10.0.0.0/8 or 2001:db8::/32, an address, or default",
        ),
        error => fmt::Display::fmt(error, f),
    }
}

fn gateway_family(gateway: &Family, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (prefix, example) = match gateway {
        Family::V4 => (Family::V6, "2001:db8::1"),
        Family::V6 => (Family::V4, "192.0.2.1"),
    };
    write!(
        f,
        "this gateway is {gateway}; an {prefix} prefix needs one like {example}"
    )
}
