// SPDX-License-Identifier: MIT OR Apache-2.0
//! The device of a command, and words with a fixed choice.

use nl31_route::{DeviceName, Keyword, Match, Value, Word, match_word, words};

use super::errors::{GrammarError, GrammarErrorKind};
use super::parse::nothing;

/// May stand before the name of a device.
pub(super) const DEV: &str = "dev";

/// A device alone.
pub(super) fn device(line: &str, start: usize) -> Result<DeviceName, GrammarError> {
    let (device, end) = first_device(line, start)?;
    nothing(line, end)?;
    Ok(device)
}

/// The device, after `dev` or without, and where its word ends.
pub(super) fn first_device(line: &str, start: usize) -> Result<(DeviceName, usize), GrammarError> {
    let mut words = words(line, start);
    let missing = || GrammarError::at_end(line, GrammarErrorKind::NoDevice);
    let mut word = words.next().ok_or_else(missing)?;
    if word.text == DEV {
        word = words.next().ok_or_else(missing)?;
    }
    let name = word.text.parse();
    let device = name.map_err(|_| GrammarError::at(word, GrammarErrorKind::NoDevice))?;
    Ok((device, word.column + word.text.len()))
}

/// The one of the words that `word` is, as its index.
pub(super) fn index_in(
    word: Word<'_>,
    keywords: &'static [Keyword],
    whole: bool,
) -> Result<usize, GrammarError> {
    let possible = keywords.iter().map(|keyword| keyword.word);
    match match_word(word.text, possible, !whole) {
        Match::One(index) => Ok(index),
        _ => Err(GrammarError::at(word, GrammarErrorKind::NotOneOf(keywords))),
    }
}

/// Whether the last word of a line, from `start` on, is the first of the two.
pub(super) fn switch(
    line: &str,
    start: usize,
    words: &'static [Keyword; 2],
    whole: bool,
) -> Result<bool, GrammarError> {
    let missing = || GrammarError::at_end(line, GrammarErrorKind::NotOneOf(words));
    let word = self::words(line, start).next().ok_or_else(missing)?;
    let index = index_in(word, words, whole)?;
    nothing(line, word.column + word.text.len())?;
    Ok(index == 0)
}

/// A device and `json`, or one of them, or nothing.
pub fn listed(
    line: &str,
    start: usize,
    json: &'static [Keyword],
) -> Result<(Option<DeviceName>, bool), GrammarError> {
    debug_assert!(json.iter().all(|keyword| keyword.value == Value::None));
    let mut words = words(line, start).peekable();
    let mut device = None;
    while let Some(word) = words.next() {
        if word.text == json[0].word {
            return match words.next() {
                None => Ok((device, true)),
                Some(excess) => Err(GrammarError::at(excess, GrammarErrorKind::Excess)),
            };
        }
        if device.is_some() {
            return Err(GrammarError::at(word, GrammarErrorKind::NotOneOf(json)));
        }
        let named = match words.next_if(|_| word.text == DEV) {
            Some(next) => next,
            None => word,
        };
        let name = named.text.parse();
        device = Some(name.map_err(|_| GrammarError::at(named, GrammarErrorKind::NoDevice))?);
    }
    Ok((device, false))
}
