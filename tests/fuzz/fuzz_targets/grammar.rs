// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any line: an error points into it, a route that is read is the same when it is written
//! and read again, and what is offered at its end is understood there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nl31_agent::grammar::{self, Arguments, GrammarErrorKind};
use nl31_fuzz::devices::TwoDevices;
use nl31_route::{DeviceName, ParseErrorKind, Part, Route};

/// Whether the line is wrong as far as it goes; one that only goes on is not.
fn wrong(line: &str) -> bool {
    let place = |column: usize, len: usize, text: String| {
        assert!(
            line.get(column..column + len).is_some(),
            "{column}+{len} of {line:?}"
        );
        assert!(!text.is_empty());
    };
    let (command, start) = match grammar::command(line) {
        Ok(Some(found)) => found,
        Ok(None) => return false,
        Err(error) => {
            place(error.column, error.len, error.kind.to_string());
            return !matches!(error.kind, GrammarErrorKind::Incomplete(_));
        }
    };
    assert!(line.is_char_boundary(start));
    let word = match &command.arguments {
        Arguments::None => grammar::nothing(line, start).err(),
        Arguments::Word(keywords) => grammar::one_of(line, start, keywords).err(),
        Arguments::Route(syntax) | Arguments::Filter(syntax) => {
            let parsed = match syntax.parse(line, start) {
                Ok(parsed) => parsed,
                Err(error) => {
                    place(error.column, error.len, error.to_string());
                    return !matches!(error.kind, ParseErrorKind::NoValue(_));
                }
            };
            for part in [
                Part::Kind,
                Part::Prefix,
                Part::Gateway,
                Part::Device,
                Part::Metric,
                Part::Protocol,
            ] {
                if let Some((column, len)) = parsed.span(part) {
                    assert!(len > 0 && line.get(column..column + len).is_some());
                }
            }
            match parsed.route() {
                Ok(route) => {
                    let text = route.to_string();
                    assert_eq!(
                        text.parse::<Route<DeviceName>>().as_ref(),
                        Ok(&route),
                        "{text}"
                    );
                }
                Err(error) => {
                    place(error.column, error.len, error.to_string());
                }
            }
            None
        }
        _ => None,
    };
    if let Some(error) = &word {
        place(error.column, error.len, error.kind.to_string());
    }
    word.is_some()
}

fuzz_target!(|line: &str| {
    wrong(line);

    let mut offered = Vec::new();
    let begun = grammar::suggestions(line, &TwoDevices, &mut |candidate| {
        assert!(!candidate.text.is_empty());
        if candidate.literal {
            offered.push(candidate.text.to_owned());
        }
    });
    let before = &line[..begun];
    let word = &line[begun..];
    // that a value is missing is told before what is wrong further left
    let left = before.trim_end().rsplit_once(char::is_whitespace);
    let left = left.map_or("", |(left, _)| left);
    if wrong(before) || wrong(left) || grammar::in_text(before) {
        return;
    }
    for text in offered.iter().filter(|text| text.starts_with(word)) {
        let more = format!("{before}{text}");
        assert!(!wrong(&more), "{text:?} is offered behind {before:?}");
    }
});
