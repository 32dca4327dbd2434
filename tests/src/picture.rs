// SPDX-License-Identifier: MIT OR Apache-2.0
//! A picture of a console, from what it said.

use std::fmt::Write;

use crate::Severity;
use crate::console::{PROMPT, Status};

/// Pixels of a character, and of a line.
const CHARACTER: f64 = 8.4;
const LINE: f64 = 19.0;
const MARGIN: f64 = 14.0;

const BACKGROUND: &str = "#14191f";
const TEXT: &str = "#d5dbe1";
const TYPED: &str = "#ffffff";
const QUIET: &str = "#7f8c99";
const DONE: &str = "#6fcf97";
const WARNING: &str = "#f2c94c";
const ERROR: &str = "#ff7a6b";

/// An SVG of these lines: prompts, what was typed, and status lines in their colours.
pub fn svg(title: &str, lines: &[String]) -> String {
    let columns = lines.iter().map(|line| line.chars().count()).max();
    let width = 2.0 * MARGIN + CHARACTER * columns.unwrap_or(0) as f64;
    let height = 2.0 * MARGIN + LINE * lines.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"14\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n",
        escaped(title)
    );
    for (number, line) in lines.iter().enumerate() {
        let y = MARGIN + LINE * (number as f64 + 0.75);
        let mut at = 0;
        for (part, colour) in coloured(line) {
            let x = MARGIN + CHARACTER * at as f64;
            let len = part.chars().count();
            at += len;
            if part.trim().is_empty() {
                continue;
            }
            let length = CHARACTER * len as f64;
            // The length keeps columns in line whatever font there is.
            writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\" textLength=\"{length:.1}\" \
                 xml:space=\"preserve\">{}</text>",
                escaped(part)
            )
            .expect("to write to a string");
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn coloured(line: &str) -> Vec<(&str, &'static str)> {
    if let Some(typed) = line.strip_prefix(PROMPT) {
        return vec![(PROMPT, QUIET), (typed, TYPED)];
    }
    let colour = match Status::parse(line).map(|status| status.severity) {
        Some(Severity::Information) => DONE,
        Some(Severity::Warning) => WARNING,
        Some(Severity::Error) => ERROR,
        None if line.trim().chars().all(|c| c == '^') => ERROR,
        None => TEXT,
    };
    vec![(line, colour)]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_line_has_its_colour() {
        let lines = [
            "nl31> a <b>",
            "      ^",
            "E400 no",
            "I200 yes",
            "10.0.0.0/8",
        ];
        let svg = svg("x", &lines.map(String::from));
        for (text, colour) in [
            ("nl31> ", QUIET),
            ("a &lt;b>", TYPED),
            ("      ^", ERROR),
            ("E400 no", ERROR),
            ("I200 yes", DONE),
            ("10.0.0.0/8", TEXT),
        ] {
            let line = svg
                .lines()
                .find(|line| line.contains(&format!(">{text}</text>")));
            assert!(
                line.is_some_and(|line| line.contains(colour)),
                "{text}: {svg}"
            );
        }
    }
}
