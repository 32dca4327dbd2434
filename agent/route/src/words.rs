// SPDX-License-Identifier: MIT OR Apache-2.0
//! The words of a line, and their columns: byte offsets from 0 into the whole line, so
//! that a caret can be drawn under the place.

/// A word of a line and where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// Column of its first byte.
    pub column: usize,
    /// Its text, never empty.
    pub text: &'a str,
}

/// Words that begin the lines of settings in a config; its other lines are routes.
pub const SETTINGS: [&str; 6] = ["hostname", "multipath", "link", "address", "port", "dhcp"];

/// The words of `line` from byte `start` on, separated by ASCII white space.
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

/// The possible words that a word matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// None of them.
    None,
    /// The one of this index.
    One(usize),
    /// Several of them start with the word.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

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
}
