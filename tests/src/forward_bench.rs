// SPDX-License-Identifier: MIT OR Apache-2.0
//! What forwarding a packet takes, by nl31 and by Linux with the same routes in the same
//! kernel (kmod/test/forward_bench.c).

use std::fmt;
use std::io::Write;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::kunit;
use crate::prefixes::Prefix;

const SUITE: &str = "nl31_forward_bench";

/// Tables and destinations, in the order of the output: what the figures' names begin with,
/// how a person calls it, and how many times faster than Linux it is to be.
const MEASURES: &[(&str, &str, &str, f64)] = &[
    ("real_forward_ipv4_any", "IPv4", "any of the table", 3.0),
    (
        "real_forward_ipv4_popular_200000",
        "IPv4",
        "200,000 by Zipf's law",
        1.0,
    ),
    (
        "real_forward_ipv4_popular_1000",
        "IPv4",
        "1,000 by Zipf's law",
        1.6,
    ),
    ("small_forward_ipv4_any", "IPv4", "any of 200 routes", 1.0),
    ("real_forward_ipv6_any", "IPv6", "any of the table", 6.0),
    (
        "real_forward_ipv6_popular_200000",
        "IPv6",
        "200,000 by Zipf's law",
        1.0,
    ),
    (
        "real_forward_ipv6_popular_1000",
        "IPv6",
        "1,000 by Zipf's law",
        1.6,
    ),
    ("small_forward_ipv6_any", "IPv6", "any of 200 routes", 1.0),
];

/// What was measured.
pub struct ForwardBench {
    figures: Vec<(String, String)>,
}

impl ForwardBench {
    /// Measures with the routes of `table`, under user-mode Linux.
    pub fn run(table: &[Prefix]) -> Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        for prefix in table {
            writeln!(file, "{prefix}")?;
        }
        file.flush()?;
        let results = kunit::run(&kunit::Options {
            prefixes: Some(file.path().to_owned()),
            filter: Some(SUITE.to_owned()),
            ..kunit::Options::default()
        })?;
        if !results.failed.is_empty() || !results.skipped.is_empty() {
            bail!(
                "failed: {:?}; skipped: {:?}",
                results.failed,
                results.skipped
            );
        }
        Ok(Self {
            figures: results.figures,
        })
    }

    /// Of `measure`: nanoseconds by Linux and by nl31.
    fn nanoseconds(&self, measure: &str) -> Result<(f64, f64)> {
        let value = |by: &str| {
            let name = format!("{measure}_{by}_ns");
            let figure = self.figures.iter().find(|(figure, _)| *figure == name);
            let (_, value) = figure.with_context(|| format!("{name} was not measured"))?;
            anyhow::Ok(value.parse::<f64>()?)
        };
        Ok((value("linux")?, value("nl31")?))
    }

    /// A line of JSON a measure.
    pub fn json(&self) -> Result<String> {
        let mut lines = String::new();
        for (name, _, _, goal) in MEASURES {
            let (linux, nl31) = self.nanoseconds(name)?;
            let measure = json!({
                "name": name,
                "unit": "ns/packet",
                "linux": linux,
                "nl31": nl31,
                "times_faster": linux / nl31,
                "goal": goal,
            });
            lines += &format!("{measure}\n");
        }
        Ok(lines)
    }
}

impl fmt::Display for ForwardBench {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(
            f,
            "| packets to | | Linux, ns | nl31, ns | times faster | goal |"
        )?;
        writeln!(f, "| --- | --- | ---: | ---: | ---: | ---: |")?;
        for (name, family, says, goal) in MEASURES {
            let (linux, nl31) = self.nanoseconds(name).map_err(|_| fmt::Error)?;
            writeln!(
                f,
                "| {says} | {family} | {linux:.0} | {nl31:.0} | {:.1} | {goal:.1} |",
                linux / nl31
            )?;
        }
        Ok(())
    }
}
