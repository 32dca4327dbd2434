// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values for shell completions besides the words of the command line: serial lines, and the
//! keywords, devices and protocols of a route. Completing opens no line: the devices
//! are those of this machine, which are the appliance's where the agent runs.

use std::ffi::{OsStr, OsString};
use std::fs;

use clap_complete::CompletionCandidate;
use clap_complete::engine::{PathCompleter, ValueCompleter};
use nl31_route::{Protocol, Syntax};

use crate::commands::route::FILTER;
use crate::discovery::candidates;

/// Devices of this machine.
const DEVICES: &str = "/sys/class/net";

/// `--serial`.
pub fn serial(current: &OsStr) -> Vec<CompletionCandidate> {
    let mut lines = vec![
        offer("auto", "the line on which an agent answers"),
        offer("tcp://", "HOST:PORT of a console server"),
    ];
    for port in candidates() {
        let help = port.product.or(port.driver).unwrap_or_default();
        lines.extend(port.id.map(|id| offer(id, &help)));
        lines.push(offer(port.path, &help));
    }
    let mut found = matching(lines, current);
    if found.is_empty() {
        found = PathCompleter::any().complete(current);
    }
    found
}

/// A word of a route that is changed.
pub fn route(current: &OsStr) -> Vec<CompletionCandidate> {
    words(&previous(), current, false)
}

/// A word of a filter.
pub fn filter(current: &OsStr) -> Vec<CompletionCandidate> {
    words(&previous(), current, true)
}

fn words(previous: &str, current: &OsStr, is_filter: bool) -> Vec<CompletionCandidate> {
    let offered = match previous {
        "dev" => {
            let devices = fs::read_dir(DEVICES).into_iter().flatten().flatten();
            devices
                .map(|device| offer(device.file_name(), ""))
                .collect()
        }
        "proto" => Protocol::names().map(|name| offer(name, "")).collect(),
        "via" | "metric" => Vec::new(),
        _ => {
            let flags = FILTER.flags.iter().filter(|_| is_filter);
            let keywords = Syntax::keywords().iter().chain(flags);
            keywords
                .map(|keyword| offer(keyword.word, keyword.help))
                .collect()
        }
    };
    matching(offered, current)
}

fn offer(value: impl Into<OsString>, help: &str) -> CompletionCandidate {
    let help = Some(help).filter(|help| !help.is_empty());
    CompletionCandidate::new(value).help(help.map(|help| help.to_string().into()))
}

fn matching(mut offered: Vec<CompletionCandidate>, current: &OsStr) -> Vec<CompletionCandidate> {
    let begun = current.as_encoded_bytes();
    offered.retain(|one| one.get_value().as_encoded_bytes().starts_with(begun));
    offered
}

/// The word before the one that is completed. The shell passes all words behind `--`, and
/// the number of the one in a variable unless it is the last.
fn previous() -> String {
    let words: Vec<_> = std::env::args_os()
        .skip_while(|word| word != "--")
        .skip(1)
        .collect();
    let number = std::env::var("_CLAP_COMPLETE_INDEX").ok();
    let number = number.and_then(|text| text.parse().ok());
    let number: usize = number.unwrap_or(words.len().saturating_sub(1));
    let word = number.checked_sub(1).and_then(|before| words.get(before));
    word.map(|word| word.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(previous: &str, current: &str, is_filter: bool) -> Vec<String> {
        let offered = words(previous, OsStr::new(current), is_filter);
        let text = |one: &CompletionCandidate| one.get_value().to_string_lossy().into_owned();
        offered.iter().map(text).collect()
    }

    #[test]
    fn a_word_of_a_route_is_a_keyword_or_its_value() {
        assert_eq!(offered("10.0.0.0/8", "v", false), ["via"]);
        assert_eq!(offered("add", "bl", false), ["blackhole"]);
        assert_eq!(offered("dev", "l", false), ["lo"]);
        assert_eq!(offered("proto", "bg", false), ["bgp"]);
        assert!(offered("via", "", false).is_empty());
        assert!(offered("10.0.0.0/8", "lo", false).is_empty());
        assert_eq!(offered("10.0.0.0/8", "lo", true), ["longer"]);
    }
}
