// SPDX-License-Identifier: MIT OR Apache-2.0
//! Test results as the kernel prints them (Documentation/dev-tools/ktap.rst in its source),
//! read without mercy: what is missing has failed.

use anyhow::{Result, bail};

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Results {
    /// Names of the tests that passed, those that hold others included.
    pub passed: Vec<String>,
    /// The same for those that failed.
    pub failed: Vec<String>,
    /// The same for those that were skipped.
    pub skipped: Vec<String>,
    /// From lines `# CASE: figure NAME=VALUE NAME=VALUE`: `CASE_NAME` and the value.
    pub figures: Vec<(String, String)>,
}

/// A list of results that is not complete yet.
struct List {
    indent: usize,
    plan: Option<usize>,
    seen: usize,
    name: String,
}

/// Reads the output of a kernel from its first line `KTAP version 1` on. An error says
/// that the run did not come to its end or that its results do not add up.
pub fn parse(output: &str) -> Result<Results> {
    let mut results = Results::default();
    let mut open: Vec<List> = Vec::new();
    let mut ended = false;

    for line in output.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if text == "KTAP version 1" {
            if ended {
                bail!("a second list of results begins after the end of the first");
            }
            if open.last().is_some_and(|list| indent <= list.indent) {
                bail!(
                    "{}: a list begins before the last one has ended",
                    path(&open)
                );
            }
            open.push(List {
                indent,
                plan: None,
                seen: 0,
                name: String::new(),
            });
            continue;
        }
        let Some(list) = open.last_mut() else {
            continue;
        };
        if let Some(name) = text.strip_prefix("# Subtest: ") {
            name.clone_into(&mut list.name);
        } else if let Some(plan) = text.strip_prefix("1..").and_then(|n| n.parse().ok()) {
            list.plan = Some(plan);
        } else if let Some((case, figures)) = text
            .strip_prefix("# ")
            .and_then(|text| text.split_once(": figure "))
        {
            let figures = figures.split_whitespace();
            results.figures.extend(
                figures
                    .filter_map(|pair| pair.split_once('='))
                    .map(|(name, value)| (format!("{case}_{name}"), value.to_owned())),
            );
        } else if let Some((passed, rest)) = result(text) {
            close(&mut open, indent)?;
            let place = path(&open);
            let Some(list) = open.last_mut() else {
                bail!("a result outside of any list: {text}");
            };
            list.seen += 1;
            let (number, name) = rest.split_once(' ').unwrap_or((rest, ""));
            if number.parse() != Ok(list.seen) {
                bail!("result {} of {place:?} has number {number}", list.seen);
            }
            let (name, directive) = name.split_once(" # ").unwrap_or((name, ""));
            let name = format!("{place}{name}");
            if directive.starts_with("SKIP") {
                results.skipped.push(name);
            } else if passed {
                results.passed.push(name);
            } else {
                results.failed.push(name);
            }
            ended = open.len() == 1 && open[0].plan == Some(open[0].seen);
        }
    }
    if !ended {
        bail!(match open.last() {
            None => "no results at all".to_owned(),
            Some(list) => format!(
                "the results end in {:?} after {} of {}",
                path(&open),
                list.seen,
                list.plan.map_or("?".to_owned(), |plan| plan.to_string())
            ),
        });
    }
    if results.passed.is_empty() && results.failed.is_empty() {
        bail!("no test has run");
    }
    Ok(results)
}

fn result(text: &str) -> Option<(bool, &str)> {
    if let Some(rest) = text.strip_prefix("ok ") {
        return Some((true, rest));
    }
    Some((false, text.strip_prefix("not ok ")?))
}

/// Ends the lists within the one at `indent`; each must be as long as it was announced.
/// Lists of parameters are not announced.
fn close(open: &mut Vec<List>, indent: usize) -> Result<()> {
    while let Some(list) = open.last().filter(|list| list.indent > indent) {
        let whole = match list.plan {
            Some(plan) => plan == list.seen,
            None => open.len() > 2 && list.seen > 0,
        };
        if !whole {
            bail!(
                "{}: {} results, announced were {:?}",
                path(open),
                list.seen,
                list.plan
            );
        }
        open.pop();
    }
    Ok(())
}

fn path(open: &[List]) -> String {
    open.iter()
        .filter(|list| !list.name.is_empty())
        .map(|list| format!("{}.", list.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
boot
KTAP version 1
1..2
    KTAP version 1
    # Subtest: one
    # module: nl31
    1..2
        KTAP version 1
        # Subtest: twice
        ok 1 IPv4
        ok 2 IPv6
    # twice: pass:2 fail:0 skip:0 total:2
    ok 1 twice
    # b: figure bytes=12.1 ns=3
    ok 2 b # SKIP no file
# one: pass:1 fail:0 skip:1 total:2
ok 1 one
    KTAP version 1
    # Subtest: two
    1..1
    # EXPECTATION FAILED at here
    not ok 1 c
not ok 2 two
";

    #[test]
    fn results_and_figures_are_read() {
        let results = parse(GOOD).unwrap();
        assert_eq!(
            results.passed,
            ["one.twice.IPv4", "one.twice.IPv6", "one.twice", "one"]
        );
        assert_eq!(results.skipped, ["one.b"]);
        assert_eq!(results.failed, ["two.c", "two"]);
        assert_eq!(results.figures[0], ("b_bytes".into(), "12.1".into()));
        assert_eq!(results.figures[1], ("b_ns".into(), "3".into()));
    }

    #[test]
    fn what_is_missing_has_failed() {
        for (cut, _) in GOOD.match_indices('\n') {
            // whole only with the last line
            assert_eq!(parse(&GOOD[..cut]).is_ok(), cut + 1 == GOOD.len(), "{cut}");
        }
        for line in [
            "        ok 1 IPv4\n",
            "    ok 1 twice\n",
            "    1..2\n",
            "1..2\n",
        ] {
            parse(&GOOD.replacen(line, "", 1)).expect_err(line);
        }
        parse("KTAP version 1\n1..0\n").unwrap_err();
        parse("").unwrap_err();
    }
}
