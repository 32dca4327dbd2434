// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `ip route` and `ip -6 route` print, with `-details` and `-oneline` too. A prefix with
//! several next hops has a line of its own and one for each of them, or all in one line.

use std::io::BufRead;

use nl31_route::{Syntax, words};

use super::intake::{Intake, Place};
use super::lines::each_line;
use crate::error::Error;

/// Words that say nothing to a router with one table, and whether a value follows: what the
/// host itself sends from, what its TCP begins with, what a switch does.
const IGNORED: [(&str, bool); 20] = [
    ("src", true),
    ("nhid", true),
    ("weight", true),
    ("advmss", true),
    ("hoplimit", true),
    ("window", true),
    ("rtt", true),
    ("rttvar", true),
    ("rto_min", true),
    ("reordering", true),
    ("initcwnd", true),
    ("initrwnd", true),
    ("quickack", true),
    ("congctl", true),
    ("cache", false),
    ("notify", false),
    ("offload", false),
    ("rt_offload", false),
    ("trap", false),
    ("rt_trap", false),
];

/// The names of the table that Linux routes by.
const MAIN: [&str; 2] = ["main", "254"];

/// Reads a list to its end.
pub fn read(input: &mut dyn BufRead, intake: &mut Intake<'_>) -> Result<(), Error> {
    let mut open = None;
    each_line(input, intake, &mut |number, line, intake| {
        let first = words(line, 0).next();
        let is_next_hop = line.starts_with([' ', '\t'])
            && first.is_some_and(|word| matches!(word.text, "nexthop" | "\\"));
        if !is_next_hop {
            end(open.take(), intake)?;
            open = Some(Entry::new(number));
        }
        match &mut open {
            Some(entry) => entry.line(number, line, intake),
            None => intake.skip(Place::Line(number, 1), &"a next hop without a prefix"),
        }
    })?;
    end(open, intake)
}

/// The words of one prefix.
struct Entry {
    number: u64,
    prefix: String,
    has_next_hops: bool,
}

impl Entry {
    fn new(number: u64) -> Self {
        Self {
            number,
            prefix: String::new(),
            has_next_hops: false,
        }
    }

    /// Takes the prefix and what belongs to all its next hops, and each next hop.
    fn line(&mut self, number: u64, line: &str, intake: &mut Intake<'_>) -> Result<(), Error> {
        let mut next_hop: Option<String> = None;
        for word in words(line, 0) {
            match word.text {
                // `-oneline` prints it for the end of a line.
                "\\" => {}
                "nexthop" => {
                    self.next_hop(number, next_hop.take(), intake)?;
                    next_hop = Some(String::new());
                }
                text => {
                    let words = next_hop.as_mut().unwrap_or(&mut self.prefix);
                    *words += text;
                    *words += " ";
                }
            }
        }
        self.next_hop(number, next_hop, intake)
    }

    fn next_hop(
        &mut self,
        number: u64,
        next_hop: Option<String>,
        intake: &mut Intake<'_>,
    ) -> Result<(), Error> {
        let Some(next_hop) = next_hop else {
            return Ok(());
        };
        self.has_next_hops = true;
        let line = format!("{}{next_hop}", self.prefix);
        route(Place::Line(number, 1), &line, intake)
    }
}

/// Takes the route of a prefix that has no next hops of its own.
fn end(entry: Option<Entry>, intake: &mut Intake<'_>) -> Result<(), Error> {
    match entry {
        Some(entry) if !entry.has_next_hops => {
            route(Place::Line(entry.number, 1), &entry.prefix, intake)
        }
        _ => Ok(()),
    }
}

/// Takes the route of a line, as `ip route` prints it.
pub fn route(place: Place, line: &str, intake: &mut Intake<'_>) -> Result<(), Error> {
    let mut kept = String::new();
    // Only lists of IPv6 have it.
    let mut before = "";
    let is_v6 = words(line, 0).any(|word| {
        let before = std::mem::replace(&mut before, word.text);
        word.text == "pref" && before != "dev"
    });
    let mut words = words(line, 0).map(|word| word.text).peekable();
    while let Some(word) = words.next() {
        if word == "table" && words.peek().is_some_and(|name| MAIN.contains(name)) {
            words.next();
            continue;
        }
        if let Some((ignored, has_value)) = IGNORED.iter().find(|(ignored, _)| *ignored == word) {
            if *has_value {
                words.next();
            }
            intake.ignore(ignored);
            continue;
        }
        let is_default = word == "default" && is_v6;
        kept += if is_default { "::/0" } else { word };
        kept += " ";
        // The value of these may be called as another word.
        if matches!(word, "dev" | "via")
            && let Some(value) = words.next()
        {
            kept += value;
            kept += " ";
        }
    }
    let parsed = Syntax::CONFIG.parse(kept.trim_end(), 0);
    match parsed.and_then(|parsed| Ok((parsed.passed_over(), parsed.route()?))) {
        Ok((passed_over, route)) => {
            intake.pass_over(passed_over);
            intake.route(place, &route)
        }
        Err(error) => {
            // In a line with words removed a column would mislead.
            let wrong = kept.get(error.column..error.column + error.len);
            match wrong.filter(|wrong| !wrong.is_empty()) {
                Some(wrong) => intake.skip(place, &format!("{}: {error}", wrong.escape_debug())),
                None => intake.skip(place, &error),
            }
        }
    }
}
