// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text form of routes: words, their columns, and what may stand where.
//!
//! Columns are byte offsets from 0 into the whole line, so that a caret can be
//! drawn under the place.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use crate::{DeviceName, Family, InvalidDeviceName, PathKind, Prefix, PrefixError, Route, Spec};

/// A word of a line and where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// Column of its first byte.
    pub column: usize,
    /// Its text, never empty.
    pub text: &'a str,
}

/// The words of `line` from byte `start` on: what ASCII white space separates.
pub fn words(line: &str, start: usize) -> impl Iterator<Item = Word<'_>> + Clone {
    line[start..]
        .split_ascii_whitespace()
        .map(move |text| Word {
            // Both are parts of one string, so the difference is the offset.
            column: text.as_ptr() as usize - line.as_ptr() as usize,
            text,
        })
}

/// A line of a file of routes without its comment, which begins where a `#` begins a word.
/// The name of a device may begin with one, too.
pub fn without_comment(line: &str) -> &str {
    // Few lines have one.
    if !line.contains('#') {
        return line;
    }
    let mut before = "";
    for word in words(line, 0) {
        if word.text.starts_with('#') && before != "dev" {
            return &line[..word.column];
        }
        before = word.text;
    }
    line
}

/// What a word stands for among the words that are possible at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// None of them.
    None,
    /// The one of this index.
    One(usize),
    /// More than one of them starts so.
    Many,
}

/// Finds `word` in `possible`: the same word, or with `abbreviations` the only
/// one that starts with it.
pub fn match_word<'a>(
    word: &str,
    possible: impl Iterator<Item = &'a str>,
    abbreviations: bool,
) -> Match {
    let mut found = Match::None;
    for (index, candidate) in possible.enumerate() {
        if candidate == word {
            return Match::One(index);
        }
        if abbreviations && !word.is_empty() && candidate.starts_with(word) {
            found = if found == Match::None {
                Match::One(index)
            } else {
                Match::Many
            };
        }
    }
    found
}

/// What follows a keyword.
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
}

impl Value {
    /// What to write there, for a person: `an address`.
    pub fn expected(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Address => "an address like 192.0.2.1 or 2001:db8::1",
            Self::Device => "the name of a device like eth0",
            Self::Number => "a number from 0 to 4294967295",
            Self::Protocol => "a protocol like static or bgp, or a number from 0 to 255",
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
        }
    }
}

/// A word with a meaning of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// The word.
    pub word: &'static str,
    /// What follows it.
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

const KINDS: usize = PathKind::ALL.len();

/// The words of [`Syntax::parse`]: the kinds of [`PathKind::ALL`], then those
/// that a value follows.
const KEYWORDS: [Keyword; KINDS + 4] = [
    Keyword {
        word: PathKind::Unicast.word(),
        value: Value::None,
        help: "send it on (what a route does unless told)",
    },
    Keyword {
        word: PathKind::Blackhole.word(),
        value: Value::None,
        help: "drop it silently",
    },
    Keyword {
        word: PathKind::Unreachable.word(),
        value: Value::None,
        help: "drop it and answer: host unreachable",
    },
    Keyword {
        word: PathKind::Prohibit.word(),
        value: Value::None,
        help: "drop it and answer: prohibited",
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
        help: "the lowest is in use; 0 unless told",
    },
    Keyword {
        word: "proto",
        value: Value::Protocol,
        help: "who installed it",
    },
];

/// The part each of [`KEYWORDS`] gives.
const PARTS: [Part; KINDS + 4] = [
    Part::Kind,
    Part::Kind,
    Part::Kind,
    Part::Kind,
    Part::Gateway,
    Part::Device,
    Part::Metric,
    Part::Protocol,
];

/// The words that may stand in the arguments of a command on routes.
#[derive(Debug, PartialEq, Eq)]
pub struct Syntax {
    /// Words without a value that the command takes besides those of a route;
    /// at most 8.
    pub flags: &'static [Keyword],
    /// Whether the start of a word stands for it where only one starts so.
    pub abbreviations: bool,
}

/// A line of [`Syntax::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The parts that were given.
    pub spec: Spec<DeviceName>,
    /// Bit `i` says that flag `i` of [`Syntax::flags`] was given.
    pub flags: u8,
    spans: [Option<Span>; 6],
    end: usize,
}

/// In 32 bits: results are moved about for each line of a config, and no line is longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    column: u32,
    len: u32,
}

/// What is wrong with a line, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Byte offset into the line, from 0.
    pub column: usize,
    /// Bytes from there on that are wrong; 0 at the end of the line.
    pub len: usize,
    /// What is wrong. Its text is for a person and says what to do.
    pub kind: ParseErrorKind,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// The word is none of those that are possible here.
    UnknownWord(Possible),
    /// More than one of the possible words starts so.
    Ambiguous(Possible),
    /// The line ends behind a keyword that needs a value.
    NoValue(Value),
    /// The value behind a keyword has not its form.
    BadValue(Value),
    /// The name behind `dev` cannot be one.
    BadDevice,
    /// The word is not a prefix.
    BadPrefix(PrefixError),
    /// There is no prefix.
    NoPrefix,
    /// The word, or one that excludes it, was there before.
    Twice(Part),
    /// The gateway is of this family, the prefix of the other.
    GatewayFamily(Family),
    /// This kind of path leads nowhere, so it has neither gateway nor device.
    NextHopOfKind(PathKind),
    /// A unicast path without gateway and device.
    NoNextHop,
}

/// The words that were possible at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Possible {
    prefix: bool,
    /// Bit `i` says that `KEYWORDS[i]` is possible.
    keywords: u8,
    flags: &'static [Keyword],
    /// Bit `i` says that `flags[i]` is possible.
    unused: u8,
}

impl Syntax {
    /// The arguments of a config line: no abbreviations, nothing besides.
    pub const CONFIG: Self = Self {
        flags: &[],
        abbreviations: false,
    };

    /// The words of a route, each once.
    pub const fn keywords() -> &'static [Keyword] {
        &KEYWORDS
    }

    /// Reads `line` from byte `start` on.
    pub fn parse(&self, line: &str, start: usize) -> Result<Parsed, ParseError> {
        let mut parsed = Parsed {
            spec: Spec::default(),
            flags: 0,
            spans: [None; 6],
            end: line.trim_ascii_end().len().max(start),
        };
        let mut default = false;
        let mut words = words(line, start);
        while let Some(word) = words.next() {
            let error = |kind| {
                Err(ParseError {
                    column: word.column,
                    len: word.text.len(),
                    kind,
                })
            };
            let possible = || self.possible(&parsed);
            let prefix_known = default || parsed.spec.prefix.is_some();
            if word.text == "default" && !prefix_known {
                default = true;
                parsed.spans[Part::Prefix as usize] = Some(word.into());
                continue;
            }
            // Behind the prefix, the kinds stand in no abbreviation's way.
            let first = if prefix_known { KINDS } else { 0 };
            let all = KEYWORDS[first..]
                .iter()
                .chain(self.flags)
                .map(|keyword| keyword.word);
            let index = match match_word(word.text, all, self.abbreviations) {
                Match::One(index) => first + index,
                Match::Many => return error(ParseErrorKind::Ambiguous(possible())),
                Match::None if looks_like_prefix(word.text) => {
                    if prefix_known {
                        return error(ParseErrorKind::Twice(Part::Prefix));
                    }
                    parsed.spec.prefix = Some(prefix(word)?);
                    parsed.spans[Part::Prefix as usize] = Some(word.into());
                    continue;
                }
                Match::None => return error(ParseErrorKind::UnknownWord(possible())),
            };
            if let Some(flag) = index.checked_sub(KEYWORDS.len()) {
                parsed.flags |= 1 << flag;
                continue;
            }
            let part = PARTS[index];
            if parsed.spans[part as usize].is_some() {
                return error(ParseErrorKind::Twice(part));
            }
            if part == Part::Kind {
                parsed.spec.kind = Some(PathKind::ALL[index]);
                parsed.spans[part as usize] = Some(word.into());
                continue;
            }
            let wanted = KEYWORDS[index].value;
            let Some(value) = words.next() else {
                return Err(ParseError {
                    column: parsed.end,
                    len: 0,
                    kind: ParseErrorKind::NoValue(wanted),
                });
            };
            let bad = |kind| ParseError {
                column: value.column,
                len: value.text.len(),
                kind,
            };
            let bad_value = bad(ParseErrorKind::BadValue(wanted));
            let spec = &mut parsed.spec;
            match part {
                Part::Gateway => spec.gateway = Some(value.text.parse().map_err(|_| bad_value)?),
                Part::Device => {
                    let name = value.text.parse();
                    spec.device =
                        Some(name.map_err(|InvalidDeviceName| bad(ParseErrorKind::BadDevice))?);
                }
                Part::Metric => spec.metric = Some(number(value.text).ok_or(bad_value)?),
                Part::Protocol => spec.protocol = Some(value.text.parse().map_err(|()| bad_value)?),
                Part::Kind | Part::Prefix => unreachable!("has no value"),
            }
            parsed.spans[part as usize] = Some(value.into());
        }
        if default {
            // The word does not say its family; a gateway does.
            parsed.spec.prefix = Some(match parsed.spec.gateway {
                Some(IpAddr::V6(_)) => Prefix::DEFAULT6,
                _ => Prefix::DEFAULT4,
            });
        }
        parsed.check_family()?;
        Ok(parsed)
    }

    fn possible(&self, parsed: &Parsed) -> Possible {
        let mut keywords = 0;
        for (index, part) in PARTS.iter().enumerate() {
            if parsed.spans[*part as usize].is_none() {
                keywords |= 1 << index;
            }
        }
        Possible {
            prefix: parsed.spans[Part::Prefix as usize].is_none(),
            keywords,
            flags: self.flags,
            unused: !parsed.flags,
        }
    }
}

impl Parsed {
    /// The prefix, which the line must have.
    pub fn prefix(&self) -> Result<Prefix, ParseError> {
        self.spec.prefix.ok_or(ParseError {
            column: self.end,
            len: 0,
            kind: ParseErrorKind::NoPrefix,
        })
    }

    /// The route, which the line must describe.
    pub fn route(&self) -> Result<Route<DeviceName>, ParseError> {
        let prefix = self.check_route()?;
        let path = self.spec.clone().path();
        Ok(Route { prefix, path })
    }

    /// Whether the line describes a route; gives its prefix.
    pub fn check_route(&self) -> Result<Prefix, ParseError> {
        let prefix = self.prefix()?;
        let kind = self.spec.kind.unwrap_or_default();
        let next_hop = [Part::Gateway, Part::Device].map(|part| self.spans[part as usize]);
        match next_hop
            .into_iter()
            .flatten()
            .min_by_key(|span| span.column)
        {
            Some(span) if kind != PathKind::Unicast => Err(ParseError {
                column: span.column as usize,
                len: span.len as usize,
                kind: ParseErrorKind::NextHopOfKind(kind),
            }),
            None if kind == PathKind::Unicast => Err(ParseError {
                column: self.end,
                len: 0,
                kind: ParseErrorKind::NoNextHop,
            }),
            _ => Ok(prefix),
        }
    }

    /// Column and length of a part's value, if it was given.
    pub fn span(&self, part: Part) -> Option<(usize, usize)> {
        self.spans[part as usize].map(|span| (span.column as usize, span.len as usize))
    }

    fn check_family(&self) -> Result<(), ParseError> {
        let (Some(prefix), Some(gateway)) = (self.spec.prefix, self.spec.gateway) else {
            return Ok(());
        };
        let family = Family::of(gateway);
        match self.spans[Part::Gateway as usize] {
            Some(span) if family != prefix.family() => Err(ParseError {
                column: span.column as usize,
                len: span.len as usize,
                kind: ParseErrorKind::GatewayFamily(family),
            }),
            _ => Ok(()),
        }
    }
}

/// The arguments of `route add`, as in a config.
impl FromStr for Route<DeviceName> {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Syntax::CONFIG.parse(text, 0)?.route()
    }
}

/// A number in decimal digits alone: unlike [`str::parse`] without a sign.
pub(crate) fn number<T: FromStr>(text: &str) -> Option<T> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// Whether a word was meant as a prefix: no keyword has these.
fn looks_like_prefix(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) || word.contains(['.', ':', '/'])
}

fn prefix(word: Word<'_>) -> Result<Prefix, ParseError> {
    word.text.parse().map_err(|error| {
        // Point at the part that is wrong: the address or the length.
        let slash = word.text.find('/');
        let (from, to) = match (error, slash) {
            (PrefixError::Length(_), Some(slash)) => (slash + 1, word.text.len()),
            (PrefixError::Address, Some(slash)) if slash > 0 => (0, slash),
            _ => (0, word.text.len()),
        };
        ParseError {
            column: word.column + from,
            len: to - from,
            kind: ParseErrorKind::BadPrefix(error),
        }
    })
}

impl From<Word<'_>> for Span {
    fn from(word: Word<'_>) -> Self {
        Self {
            column: word.column as u32,
            len: word.text.len() as u32,
        }
    }
}

impl Possible {
    fn words(&self) -> impl Iterator<Item = &'static str> + Clone {
        let set = |bits: u8| move |&(index, _): &(usize, &Keyword)| bits & (1 << index) != 0;
        // The kinds are only named where nothing else was said yet.
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

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownWord(possible) => write!(f, "expected {possible}"),
            Self::Ambiguous(possible) => {
                write!(f, "ambiguous, write more of it: expected {possible}")
            }
            Self::NoValue(value) => write!(f, "the line ends here, expected {}", value.expected()),
            Self::BadValue(value) => write!(f, "expected {}", value.expected()),
            Self::BadDevice => write!(f, "{InvalidDeviceName}"),
            Self::BadPrefix(PrefixError::Address) => f.write_str(
                "expected a prefix like 10.0.0.0/8 or 2001:db8::/32, an address, or default",
            ),
            Self::BadPrefix(error) => write!(f, "{error}"),
            Self::NoPrefix => {
                f.write_str("a prefix is missing, like 10.0.0.0/8, 2001:db8::/32 or default")
            }
            Self::Twice(part) => {
                let what = match part {
                    Part::Kind => "the kind of route",
                    Part::Prefix => "the prefix",
                    Part::Gateway => "via",
                    Part::Device => "dev",
                    Part::Metric => "metric",
                    Part::Protocol => "proto",
                };
                write!(f, "{what} is given twice, remove one")
            }
            Self::GatewayFamily(family) => {
                let (prefix, example) = match family {
                    Family::V4 => (Family::V6, "2001:db8::1"),
                    Family::V6 => (Family::V4, "192.0.2.1"),
                };
                write!(
                    f,
                    "this gateway is {family}, an {prefix} prefix needs one like {example}"
                )
            }
            Self::NextHopOfKind(kind) => {
                let kind = kind.word();
                write!(
                    f,
                    "{kind} leads nowhere: remove via and dev, or the word {kind}"
                )
            }
            Self::NoNextHop => f.write_str(
                "where to is missing: via ADDRESS, dev NAME or both (or start with blackhole)",
            ),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.kind, f)
    }
}

impl core::error::Error for ParseError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Path;
    use crate::Protocol;
    use proptest::prelude::*;
    use std::string::{String, ToString};
    use std::{format, vec, vec::Vec};

    const CONSOLE: Syntax = Syntax {
        flags: &[Keyword {
            word: "longer",
            value: Value::None,
            help: "",
        }],
        abbreviations: true,
    };

    fn route(text: &str) -> Route<DeviceName> {
        text.parse()
            .unwrap_or_else(|error: ParseError| panic!("{text}: {error}"))
    }

    /// Column, length and text of the error of a config line.
    fn error(text: &str) -> (usize, usize, String) {
        let error = text.parse::<Route<DeviceName>>().unwrap_err();
        (error.column, error.len, error.to_string())
    }

    #[test]
    fn a_comment_begins_with_a_word_that_is_no_devices_name() {
        let cases = [
            ("10.0.0.0/8 dev lo", "10.0.0.0/8 dev lo"),
            ("10.0.0.0/8 dev lo # one", "10.0.0.0/8 dev lo "),
            ("10.0.0.0/8 dev #wan # one", "10.0.0.0/8 dev #wan "),
            ("10.0.0.0/8 dev a#b", "10.0.0.0/8 dev a#b"),
            (" #none", " "),
        ];
        for (line, route) in cases {
            assert_eq!(without_comment(line), route);
        }
    }

    #[test]
    fn words_know_their_columns() {
        let all: Vec<_> = words("x  add\t10/8 ", 1)
            .map(|word| (word.column, word.text))
            .collect();
        assert_eq!(all, [(3, "add"), (7, "10/8")]);
    }

    #[test]
    fn every_part_is_read() {
        let route = route("unicast 10.0.0.0/8 via 192.0.2.1 dev eth0 metric 4294967295 proto bgp");
        assert_eq!(route.prefix, "10.0.0.0/8".parse().unwrap());
        assert_eq!(route.path.kind, PathKind::Unicast);
        assert_eq!(route.path.gateway, Some("192.0.2.1".parse().unwrap()));
        assert_eq!(route.path.device, Some("eth0".parse().unwrap()));
        assert_eq!(route.path.metric, u32::MAX);
        assert_eq!(route.path.protocol, Protocol(186));
    }

    #[test]
    fn order_is_free_and_printing_is_canonical() {
        for (text, printed) in [
            (
                "proto 4 dev eth0 10.0.0.0/8",
                "10.0.0.0/8 dev eth0 proto static",
            ),
            ("192.0.2.7 via 192.0.2.1", "192.0.2.7/32 via 192.0.2.1"),
            ("default via 192.0.2.1", "0.0.0.0/0 via 192.0.2.1"),
            ("default via fe80::1 dev eth0", "::/0 via fe80::1 dev eth0"),
            ("default dev eth0", "0.0.0.0/0 dev eth0"),
            ("blackhole 2001:DB8::/32", "blackhole 2001:db8::/32"),
            ("prohibit ::/0 metric 0 proto 0", "prohibit ::/0"),
            ("10.0.0.0/8 dev via", "10.0.0.0/8 dev via"),
        ] {
            assert_eq!(route(text).to_string(), printed);
            assert_eq!(route(printed).to_string(), printed);
        }
    }

    #[test]
    fn errors_name_the_place_and_the_way_out() {
        for (text, column, len, message) in [
            (
                "",
                0,
                0,
                "a prefix is missing, like 10.0.0.0/8, 2001:db8::/32 or default",
            ),
            (
                "10.1.0.0/8 dev e",
                0,
                10,
                "bits are set beyond the prefix length, did you mean 10.0.0.0/8?",
            ),
            (
                "10.0.0.0/33 dev e",
                9,
                2,
                "the length of an IPv4 prefix is a number from 0 to 32",
            ),
            (
                "2001:db8::/129 dev e",
                11,
                3,
                "the length of an IPv6 prefix is a number from 0 to 128",
            ),
            (
                "10.0.0.0/ dev e",
                9,
                0,
                "the length of an IPv4 prefix is a number from 0 to 32",
            ),
            (
                "10/8 dev e",
                0,
                2,
                "expected a prefix like 10.0.0.0/8 or 2001:db8::/32, an address, or default",
            ),
            (
                "10.0.0.0/8",
                10,
                0,
                "where to is missing: via ADDRESS, dev NAME or both (or start with blackhole)",
            ),
            (
                "10.0.0.0/8 via",
                14,
                0,
                "the line ends here, expected an address like 192.0.2.1 or 2001:db8::1",
            ),
            (
                "10.0.0.0/8 via eth0",
                15,
                4,
                "expected an address like 192.0.2.1 or 2001:db8::1",
            ),
            (
                "10.0.0.0/8 via fe80::1",
                15,
                7,
                "this gateway is IPv6, an IPv4 prefix needs one like 192.0.2.1",
            ),
            (
                "2001:db8::/32 via 192.0.2.1",
                18,
                9,
                "this gateway is IPv4, an IPv6 prefix needs one like 2001:db8::1",
            ),
            (
                "10.0.0.0/8 dev 1234567890123456",
                15,
                16,
                "a device name has 1 to 15 bytes, without / and :; \\xHH stands for a byte",
            ),
            (
                "10.0.0.0/8 dev e metric -1",
                24,
                2,
                "expected a number from 0 to 4294967295",
            ),
            (
                "10.0.0.0/8 dev e metric 4294967296",
                24,
                10,
                "expected a number from 0 to 4294967295",
            ),
            (
                "10.0.0.0/8 dev e proto me",
                23,
                2,
                "expected a protocol like static or bgp, or a number from 0 to 255",
            ),
            (
                "10.0.0.0/8 dev e dev f",
                17,
                3,
                "dev is given twice, remove one",
            ),
            (
                "10.0.0.0/8 11.0.0.0/8 dev e",
                11,
                10,
                "the prefix is given twice, remove one",
            ),
            (
                "default ::/0 dev e",
                8,
                4,
                "the prefix is given twice, remove one",
            ),
            (
                "blackhole prohibit ::/0",
                10,
                8,
                "the kind of route is given twice, remove one",
            ),
            (
                "blackhole ::/0 dev e",
                19,
                1,
                "blackhole leads nowhere: remove via and dev, or the word blackhole",
            ),
            (
                "10.0.0.0/8 vai 192.0.2.1",
                11,
                3,
                "expected via, dev, metric or proto",
            ),
            ("10.0.0.0/8 dev e x", 17, 1, "expected via, metric or proto"),
            (
                "10.0.0.0/8 v 192.0.2.1",
                11,
                1,
                "expected via, dev, metric or proto",
            ),
            (
                "add 10.0.0.0/8",
                0,
                3,
                "expected a prefix like 10.0.0.0/8, unicast, blackhole, unreachable, prohibit, via, dev, metric or proto",
            ),
        ] {
            assert_eq!(error(text), (column, len, message.to_string()), "{text:?}");
        }
    }

    #[test]
    fn columns_count_from_the_start_of_the_line() {
        let line = "route add 10.0.0.0/8 via x";
        assert_eq!(Syntax::CONFIG.parse(line, 9).unwrap_err().column, 25);
        let parsed = Syntax::CONFIG
            .parse("route add 10.0.0.0/8 dev eth0", 9)
            .unwrap();
        assert_eq!(parsed.span(Part::Device), Some((25, 4)));
        assert_eq!(parsed.span(Part::Metric), None);
    }

    #[test]
    fn abbreviations_stand_for_one_word_only() {
        let parsed = CONSOLE.parse("bl 10.0.0.0/8 m 5 p static lo", 0).unwrap();
        assert_eq!(parsed.flags, 1);
        assert_eq!(
            parsed.route().unwrap().to_string(),
            "blackhole 10.0.0.0/8 metric 5 proto static"
        );
        for ambiguous in ["un 10.0.0.0/8", "p 10.0.0.0/8"] {
            let error = CONSOLE.parse(ambiguous, 0).unwrap_err();
            assert!(
                matches!(error.kind, ParseErrorKind::Ambiguous(_)),
                "{ambiguous}: {error:?}"
            );
        }
        assert_eq!(
            CONSOLE.parse("d eth0", 0).unwrap().span(Part::Device),
            Some((2, 4))
        );
        assert!(CONSOLE.parse("beef::/16 dev e", 0).unwrap().route().is_ok());
    }

    #[test]
    fn a_filter_may_say_less_than_a_route() {
        let parsed = CONSOLE.parse("dev eth0 blackhole", 0).unwrap();
        assert_eq!(parsed.spec.prefix, None);
        assert!(parsed.prefix().is_err());
        assert!(!CONSOLE.parse("", 0).unwrap().spec.has_path());
    }

    fn any_route() -> impl Strategy<Value = Route<DeviceName>> {
        let address = |v6: bool, bits: u128| match v6 {
            true => IpAddr::V6(bits.into()),
            false => IpAddr::V4((bits as u32).into()),
        };
        let parts = (
            any::<bool>(),
            any::<u128>(),
            0..=128u8,
            0..4usize,
            proptest::option::of(any::<u128>()),
            proptest::option::of("[a-z]{1,12}[0-9.]{0,3}"),
            any::<u32>(),
            any::<u8>(),
        );
        parts.prop_map(
            move |(v6, bits, len, kind, gateway, device, metric, protocol)| {
                let len = if v6 { len } else { len.min(32) };
                let prefix = match Prefix::new(address(v6, bits), len) {
                    Ok(prefix) | Err(PrefixError::HostBits(prefix)) => prefix,
                    Err(error) => panic!("{error}"),
                };
                let mut path = Path {
                    kind: PathKind::ALL[kind],
                    gateway: gateway.map(|bits| address(v6, bits)),
                    device: device.map(|name| name.parse().unwrap()),
                    metric,
                    protocol: Protocol(protocol),
                };
                if path.kind != PathKind::Unicast {
                    (path.gateway, path.device) = (None, None);
                } else if path.gateway.is_none() && path.device.is_none() {
                    path.device = Some("eth0".parse().unwrap());
                }
                Route { prefix, path }
            },
        )
    }

    proptest! {
        #[test]
        fn a_printed_route_is_the_same_route(route in any_route()) {
            prop_assert_eq!(route.to_string().parse(), Ok(route));
        }

        #[test]
        fn any_line_is_read_or_its_error_lies_within(line in "\\PC{0,60}") {
            if let Err(error) = CONSOLE.parse(&line, 0).and_then(|parsed| parsed.route()) {
                prop_assert!(line.is_char_boundary(error.column));
                prop_assert!(line.is_char_boundary(error.column + error.len));
                prop_assert!(!error.to_string().is_empty());
            }
        }

        #[test]
        fn lines_of_words_never_panic(words in proptest::collection::vec(
            prop_oneof![
                Just("via"), Just("dev"), Just("metric"), Just("proto"), Just("default"), Just("un"),
                Just("blackhole"), Just("10.0.0.0/8"), Just("::1"), Just("7"), Just("longer"), Just("é"),
            ], 0..8))
        {
            let line = format!(" {}", words.join(" "));
            let _ = CONSOLE.parse(&line, 1).and_then(|parsed| parsed.route());
        }
    }
}
