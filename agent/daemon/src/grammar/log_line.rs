// SPDX-License-Identifier: MIT OR Apache-2.0
//! The arguments of `log`.

use nl31_route::{Keyword, Value, words};

use super::device_word::index_in;
use super::errors::{GrammarError, GrammarErrorKind};
use super::table::{JSON_WORD, flag};

/// The words of `log`: at most one of them.
pub(super) static LOGS: [Keyword; 3] = [
    JSON_WORD,
    flag("kernel", "the kernel's log"),
    Keyword {
        word: "from",
        value: Value::Number,
        help: "as JSON, from the line of this number on; then the number of the next line",
    },
];

/// Place of `from` in [`LOGS`].
pub(super) const FROM: usize = 2;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// The agent's log.
    Agent,
    /// The same as JSON.
    AgentJson,
    /// The same, from the line of a number on, and then the number of the next line.
    AgentFrom,
    /// The kernel's log.
    Kernel,
}

/// What `log` lists, and the number of the first line.
pub fn log(line: &str, start: usize) -> Result<(Log, u64), GrammarError> {
    let mut words = words(line, start);
    let Some(word) = words.next() else {
        return Ok((Log::Agent, 0));
    };
    let log = [Log::AgentJson, Log::Kernel, Log::AgentFrom][index_in(word, &LOGS, false)?];
    let mut first = 0;
    if log == Log::AgentFrom {
        let missing = || GrammarError::at_end(line, GrammarErrorKind::NoLogLine);
        let number = words.next().ok_or_else(missing)?;
        let digits = number.text.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = number.text.parse().ok().filter(|_| digits);
        let wrong = || GrammarError::at(number, GrammarErrorKind::NoLogLine);
        first = parsed.ok_or_else(wrong)?;
    }
    match words.next() {
        None => Ok((log, first)),
        Some(excess) => Err(GrammarError::at(excess, GrammarErrorKind::Excess)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_is_named_and_its_first_line() {
        for (line, expected) in [
            ("log", (Log::Agent, 0)),
            ("log j", (Log::AgentJson, 0)),
            ("log kernel", (Log::Kernel, 0)),
            ("log from 7", (Log::AgentFrom, 7)),
            ("log from 18446744073709551615", (Log::AgentFrom, u64::MAX)),
        ] {
            assert_eq!(log(line, 3), Ok(expected), "{line}");
        }
        let number = "expected the number of a line";
        for (line, column, text) in [
            ("log x", 4, "expected json, kernel or from"),
            ("log from", 8, number),
            ("log from +7", 9, number),
            ("log from 18446744073709551616", 9, number),
            ("log from 7 json", 11, "expected the end of the line"),
            ("log json kernel", 9, "expected the end of the line"),
        ] {
            let error = log(line, 3).unwrap_err();
            assert_eq!(
                (error.column, error.kind.to_string()),
                (column, text.into()),
                "{line}"
            );
        }
    }
}
