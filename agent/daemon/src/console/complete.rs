// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tab and `?`: suggestions for the word at the cursor.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nl31_netlink::{Client, Prefix, Spec, Step, Transport};

use super::session::Console;
use crate::config::locations::Files;
use crate::console::editor::{Editor, LINE_MAX, Line};
use crate::grammar::{self, Action, Suggestion};
use crate::platform::devices::Devices;

/// Most suggestions listed for `?` and Tab.
const CANDIDATES_MAX: usize = 40;

impl<T: Transport> Console<T> {
    /// Lists the suggestions at the cursor, or inserts the `?` as text.
    pub(super) fn explain(&mut self) {
        let left = Line::try_from(self.editor.left()).unwrap_or_default();
        if grammar::in_text(&left) {
            return self.insert("?");
        }
        self.draw(Editor::leave);
        self.list(&left);
        self.draw(Editor::redraw);
    }

    /// Completes the word at the cursor as far as it is unique, else lists the suggestions.
    pub(super) fn complete(&mut self) {
        let left = Line::try_from(self.editor.left()).unwrap_or_default();
        let begun = left
            .rfind(|c: char| c.is_ascii_whitespace())
            .map_or(0, |space| space + 1);
        let word = &left[begun..];
        let mut common: Option<heapless::String<LINE_MAX>> = None;
        let mut count = 0;
        let booting = self.booting();
        let client = self.client.as_mut().filter(|_| !booting);
        offers(
            client,
            &*self.devices,
            &self.shared.config.files,
            &left,
            &mut |suggestion| {
                if !suggestion.literal || !suggestion.text.starts_with(word) {
                    return;
                }
                count += 1;
                match &mut common {
                    None => common = heapless::String::try_from(suggestion.text).ok(),
                    Some(common) => {
                        let same = common.chars().zip(suggestion.text.chars());
                        let same = same
                            .take_while(|(a, b)| a == b)
                            .map(|(a, _)| a.len_utf8())
                            .sum();
                        common.truncate(same);
                    }
                }
            },
        );
        let common = common.unwrap_or_default();
        let rest = common.get(word.len()..).unwrap_or("");
        let mut text = heapless::String::<{ LINE_MAX + 1 }>::new();
        let _ = text.push_str(rest);
        if count == 1 {
            let _ = text.push(' ');
        }
        if text.is_empty() {
            self.draw(Editor::leave);
            self.list(&left);
            self.draw(Editor::redraw);
        } else {
            self.insert(&text);
        }
    }

    /// Lists the suggestions for the end of `left`.
    fn list(&mut self, left: &str) {
        let begun = left
            .rfind(|c: char| c.is_ascii_whitespace())
            .map_or(0, |space| space + 1);
        let word = &left[begun..];
        let mut listed = 0;
        let booting = self.booting();
        let client = self.client.as_mut().filter(|_| !booting);
        let out = &mut self.out;
        offers(
            client,
            &*self.devices,
            &self.shared.config.files,
            left,
            &mut |suggestion| {
                if suggestion.literal && !suggestion.text.starts_with(word) {
                    return;
                }
                listed += 1;
                if listed <= CANDIDATES_MAX {
                    let _ = match suggestion.help {
                        "" => write!(out, "  {}", suggestion.text),
                        help => write!(out, "  {:12} {help}", suggestion.text),
                    };
                    out.end_line();
                }
            },
        );
        if listed > CANDIDATES_MAX {
            self.data(format_args!("  and {} more", listed - CANDIDATES_MAX));
        } else if listed == 0 {
            self.data(format_args!("  nothing is expected here"));
        }
    }
}

/// All suggestions for the end of `left`: those of the grammar, prefixes of the table where
/// the command needs an existing one, and configs for `load`.
fn offers<T: Transport>(
    client: Option<&mut Client<T>>,
    devices: &dyn Devices,
    files: &Files,
    left: &str,
    each: &mut dyn FnMut(Suggestion<'_>),
) {
    let action = match grammar::command(left) {
        Ok(Some((command, _))) => Some(command.action),
        _ => None,
    };
    let placeholder = match action {
        Some(Action::RouteGet) => "ADDRESS",
        Some(
            Action::RouteReplace
            | Action::RouteChange
            | Action::RouteAppend
            | Action::RouteDel
            | Action::RouteShow
            | Action::RouteFlush,
        ) => "PREFIX",
        Some(Action::Load) => "FILE",
        _ => "",
    };
    let mut wanted = false;
    let begun = grammar::suggestions(left, devices, &mut |suggestion| {
        wanted |= !suggestion.literal && suggestion.text == placeholder;
        each(suggestion);
    });
    let word = &left[begun..];
    if wanted && action == Some(Action::Load) {
        return files.each(&mut |path| {
            if let Some(text) = path.to_str().filter(|_| path.exists()) {
                each(Suggestion {
                    text,
                    help: "",
                    literal: true,
                });
            }
        });
    }
    if let (true, Some(client), Some(begun)) = (wanted, client, Begun::of(word)) {
        each_prefix(client, &begun, word, each);
    }
}

/// Calls `each` with the prefixes of the table that begin with `word`.
fn each_prefix<T: Transport>(
    client: &mut Client<T>,
    begun: &Begun,
    word: &str,
    each: &mut dyn FnMut(Suggestion<'_>),
) {
    let mut offer = |prefix: Prefix| {
        let mut text = heapless::String::<48>::new();
        let fits = write!(text, "{prefix}").is_ok();
        if fits && text.starts_with(word) {
            each(Suggestion {
                text: &text,
                help: "",
                literal: true,
            });
        }
    };
    for prefix in begun.shorter() {
        match client.paths(prefix) {
            Ok(paths) if paths.all().is_empty() => {}
            Ok(_) => offer(prefix),
            Err(_) => return,
        }
    }
    let spec = Spec {
        prefix: Some(begun.whole),
        ..Spec::default()
    };
    let Ok(mut dump) = client.dump(&spec) else {
        return;
    };
    let mut last = None;
    while let Ok(Step::Route(route, _)) = client.next(&mut dump) {
        if last.replace(route.prefix) != Some(route.prefix) {
            offer(route.prefix);
        }
    }
}

/// The prefixes whose text may begin with a word.
struct Begun {
    /// The prefixes within this one, made of the complete parts of the address: few of a large
    /// table.
    whole: Prefix,
    /// From this length on also the prefixes whose remaining bits are 0; their text begins so
    /// too.
    shortest: u8,
}

impl Begun {
    /// `None` before the first complete part of an address: the kernel would have to dump the
    /// whole table.
    fn of(word: &str) -> Option<Self> {
        let (address, _) = word.split_once('/').unwrap_or((word, ""));
        let mut count = 0u32;
        if word.contains(':') {
            let mut groups = [0; 8];
            let whole = address.rsplit_once(':')?.0.split(':');
            // An empty part is the first colon of `::`.
            for group in whole.take_while(|group| !group.is_empty()) {
                *groups.get_mut(count as usize)? = u16::from_str_radix(group, 16).ok()?;
                count += 1;
            }
            let address = Ipv6Addr::from(groups);
            let shortest = 128 - address.to_bits().trailing_zeros();
            return Self::new(address.into(), 16 * count, shortest);
        }
        let mut octets = [0; 4];
        for octet in address.rsplit_once('.')?.0.split('.') {
            *octets.get_mut(count as usize)? = octet.parse().ok()?;
            count += 1;
        }
        let address = Ipv4Addr::from(octets);
        let shortest = 32 - address.to_bits().trailing_zeros();
        Self::new(address.into(), 8 * count, shortest)
    }

    fn new(address: IpAddr, len: u32, shortest: u32) -> Option<Self> {
        let len = u8::try_from(len).ok().filter(|&len| len > 0)?;
        Some(Self {
            whole: Prefix::new(address, len).ok()?,
            shortest: shortest as u8,
        })
    }

    fn shorter(&self) -> impl Iterator<Item = Prefix> {
        let address = self.whole.address();
        let lengths = self.shortest..self.whole.len();
        lengths.filter_map(move |len| Prefix::new(address, len).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_is_listed_without_what_is_not() {
        let begun = |word| {
            let begun = Begun::of(word)?;
            let shorter: Vec<_> = begun.shorter().map(|prefix| prefix.len()).collect();
            Some((begun.whole.to_string(), shorter))
        };
        for (word, whole, shorter) in [
            ("11.", "11.0.0.0/8", 8..8),
            ("10.", "10.0.0.0/8", 7..8),
            ("192.", "192.0.0.0/8", 2..8),
            ("0.", "0.0.0.0/8", 0..8),
            ("11.1", "11.0.0.0/8", 8..8),
            ("11.16.", "11.16.0.0/16", 12..16),
            ("11.0.0.0/8", "11.0.0.0/24", 8..24),
            ("11.1.3.0/", "11.1.3.0/24", 24..24),
            ("2001:", "2001::/16", 16..16),
            ("2001:db8:1", "2001:db8::/32", 29..32),
            ("2001:db9::/3", "2001:db9::/32", 32..32),
        ] {
            let expected = Some((whole.to_owned(), shorter.collect()));
            assert_eq!(begun(word), expected, "{word}");
        }
        for word in [
            "",
            "1",
            "10",
            "::",
            "x.",
            "256.",
            "1.2.3.4.5.",
            "default",
            "a/b",
        ] {
            assert_eq!(begun(word), None, "{word}");
        }
    }
}
