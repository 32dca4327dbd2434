// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text form of routes: its grammar.

use core::net::IpAddr;
use core::str::FromStr;

use crate::iproute2::{Foreign, LISTED_DEVICE, PassedOver, foreign};
use crate::keyword::{KEYWORDS, KINDS, PARTS, PROTOCOL, Part};
use crate::words::{Match, Word, match_word, words};
use crate::{
    DeviceName, Family, InvalidDeviceName, Keyword, ParseError, ParseErrorKind, PathKind, Possible,
    Prefix, PrefixError, Route, Spec,
};

/// The words that may stand in the arguments of a command on routes.
#[derive(Debug, PartialEq, Eq)]
pub struct Syntax {
    /// Words without a value that the command takes besides those of a route;
    /// at most 8.
    pub flags: &'static [Keyword],
    /// Whether an unambiguous start of a word stands for the word.
    pub abbreviations: bool,
}

/// A line of [`Syntax::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The parts that were given.
    pub spec: Spec<DeviceName>,
    /// Bit `i` says that flag `i` of [`Syntax::flags`] was given.
    pub flags: u8,
    /// Bit `i` says that word `i` of [`LISTED`] was ignored.
    listed: u8,
    spans: [Option<Span>; 6],
    end: usize,
}

/// In 32 bits: results are moved about for each line of a config, and no line is longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    column: u32,
    len: u32,
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
            listed: 0,
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
            // Behind the prefix no kind is possible, so kinds do not make an abbreviation
            // ambiguous.
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
                Match::None if word.text == "protocol" => PROTOCOL,
                Match::None => match foreign(word.text) {
                    Foreign::Listed(listed, has_value) => {
                        if has_value && words.next().is_none() {
                            return error(ParseErrorKind::NoListedValue);
                        }
                        parsed.listed |= 1 << listed;
                        continue;
                    }
                    Foreign::Refused(why) => return error(ParseErrorKind::Refused(why)),
                    Foreign::Unknown => {
                        return error(ParseErrorKind::UnknownWord(possible()));
                    }
                },
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
            let mut value = words.next();
            // iproute2 lists a gateway of the other family as `via inet6 ADDRESS`.
            if part == Part::Gateway
                && let Some(Word {
                    text: "inet" | "inet6",
                    ..
                }) = value
            {
                value = words.next();
            }
            let Some(value) = value else {
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
        parsed.pass_over_listed_device();
        if default {
            // The word `default` has no family; the gateway decides it.
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
    /// The ignored words of iproute2's lists in the line.
    pub fn passed_over(&self) -> PassedOver {
        PassedOver(self.listed)
    }

    /// A blackhole, unreachable or prohibit route has no device; iproute2 lists it with the
    /// loopback device.
    fn pass_over_listed_device(&mut self) {
        let nowhere = !matches!(self.spec.kind, None | Some(PathKind::Unicast));
        if nowhere && (self.spec.device.as_ref()).is_some_and(|name| name.as_bytes() == b"lo") {
            self.spec.device = None;
            self.spans[Part::Device as usize] = None;
            self.listed |= 1 << LISTED_DEVICE;
        }
    }

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

/// Whether a word is meant as a prefix: no keyword contains these characters.
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

#[cfg(test)]
mod tests;
