// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measures nl31's table beside Linux's own, in one guest, by the same program
//! (clients/bench.c) with the same requests.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::prefixes::Prefix;
use crate::progress::Step;
use crate::{Arch, Guest, Image, Setup, client};

/// Memory for both tables of a full Internet: Linux's takes 164 bytes a route for IPv4 and
/// 760 for IPv6.
const MEMORY_MIB: u32 = 1024;

const FAMILIES: &[&str] = &["IPv4", "IPv6"];

/// Ends the agent, which listens to the events: nothing else is to have a part in this.
const NO_AGENT: &str = "sed -i /nl31-agent/d /etc/inittab && kill -HUP 1 && \
     while killall nl31-agent 2>/dev/null; do sleep 1; done; true";

/// What is compared, in the order of the table.
const MEASURES: &[Measure] = &[
    Measure {
        name: "add_batched",
        says: "add, batches of 500",
        lower: false,
        goal: 8.0,
    },
    Measure {
        name: "add_listened",
        says: "add, batches of 500, with a listener",
        lower: false,
        goal: 1.0,
    },
    Measure {
        name: "add_acked",
        says: "add, each acknowledged",
        lower: false,
        goal: 1.0,
    },
    Measure {
        name: "dump",
        says: "dump",
        lower: false,
        goal: 3.0,
    },
    Measure {
        name: "get",
        says: "look an address up",
        lower: true,
        goal: 1.0,
    },
    Measure {
        name: "delete_acked",
        says: "delete, each acknowledged",
        lower: false,
        goal: 1.0,
    },
    Measure {
        name: "delete_all",
        says: "delete all",
        lower: false,
        goal: 10.0,
    },
    Measure {
        name: "noop",
        says: "round trip of NLMSG_NOOP",
        lower: true,
        goal: 1.0,
    },
    Measure {
        name: "memory_available",
        says: "memory, by MemAvailable",
        lower: true,
        goal: 1.0,
    },
];

/// Something measured of both tables.
struct Measure {
    /// As the program calls it.
    name: &'static str,
    /// For a person.
    says: &'static str,
    /// Less is better.
    lower: bool,
    /// How many times better nl31 is to be.
    goal: f64,
}

/// What nl31 alone can tell: bytes of its table for a route, by family.
const MEMORY_GOALS: &[f64] = &[16.0, 32.0];

/// A row of the comparison.
struct Row {
    family: &'static str,
    says: &'static str,
    name: &'static str,
    unit: String,
    rtnetlink: f64,
    nl31: f64,
    ratio: f64,
    goal: f64,
}

/// What was measured.
pub struct Bench {
    runs: usize,
    routes: [usize; 2],
    rows: Vec<Row>,
    /// Bytes a route of nl31's tables, as it tells itself.
    bytes: Vec<f64>,
    /// Medians of what only nl31 does: family, measure, unit, value.
    alone: Vec<(&'static str, String, String, f64)>,
    /// The whole table in a guest of the memory that the image promises to run in.
    load: BTreeMap<String, f64>,
}

/// What the runs gave for a measure, and its unit.
type Values = BTreeMap<String, (String, Vec<f64>)>;

/// Medians of a measure, and its unit.
type Medians = BTreeMap<String, (String, f64)>;

impl Bench {
    /// Measures each table `runs` times with `table`, one family after the other.
    pub fn run(image: &Image, table: &[Prefix], runs: usize) -> Result<Self> {
        let share = share(table)?;
        let setup = Setup {
            share: Some(share.path().to_owned()),
            memory_mib: Some(MEMORY_MIB),
            ..Setup::default()
        };
        let step = Step::new("bench");
        let mut bench = Self {
            runs,
            routes: [false, true].map(|six| {
                table
                    .iter()
                    .filter(|prefix| prefix.address.is_ipv6() == six)
                    .count()
            }),
            rows: Vec::new(),
            bytes: Vec::new(),
            alone: Vec::new(),
            load: BTreeMap::new(),
        };
        let mut guest = Guest::start(image, &setup)?;
        guest.exec(NO_AGENT)?;
        for (number, family) in FAMILIES.iter().enumerate() {
            if bench.routes[number] == 0 {
                continue;
            }
            // in turns, so that what else this machine does falls on both
            let (mut nl31, mut rtnetlink) = (Values::new(), Values::new());
            for run in 1..=runs {
                step.say(&format!("{family}, run {run} of {runs}"));
                measure(&mut guest, &format!("nl31 /mnt/share/{family}"), &mut nl31)?;
                measure(
                    &mut guest,
                    &format!("rtnetlink /mnt/share/{family}"),
                    &mut rtnetlink,
                )?;
            }
            let (nl31, rtnetlink) = (medians(nl31), medians(rtnetlink));
            bench.compare(family, &nl31, &rtnetlink)?;
        }
        drop(guest);

        step.say("the whole table in the memory of the image");
        let mut guest = Guest::start(
            image,
            &Setup {
                memory_mib: None,
                ..setup
            },
        )?;
        let mut load = Values::new();
        measure(&mut guest, "load /mnt/share/all", &mut load)?;
        bench.load = medians(load)
            .into_iter()
            .map(|(name, (_, value))| (name, value))
            .collect();
        let loaded = bench.load["routes4"] + bench.load["routes6"];
        if loaded != table.len() as f64 {
            bail!("{loaded} of {} routes are in the table", table.len());
        }
        step.done("measured");
        Ok(bench)
    }

    fn compare(&mut self, family: &'static str, nl31: &Medians, linux: &Medians) -> Result<()> {
        for measure in MEASURES {
            let name = measure.name;
            let lacks = || format!("the program has not measured {name}");
            let (unit, ours) = nl31.get(name).with_context(lacks)?;
            let (_, theirs) = linux.get(name).with_context(lacks)?;
            self.rows.push(Row {
                family,
                says: measure.says,
                name,
                unit: unit.clone(),
                rtnetlink: *theirs,
                nl31: *ours,
                ratio: if measure.lower {
                    theirs / ours
                } else {
                    ours / theirs
                },
                goal: measure.goal,
            });
        }
        self.bytes
            .push(nl31.get("memory_told").context("no memory told")?.1);
        for (name, (unit, value)) in nl31 {
            if !linux.contains_key(name) {
                self.alone
                    .push((family, name.clone(), unit.clone(), *value));
            }
        }
        Ok(())
    }

    /// JSON, a line a row.
    pub fn json(&self) -> String {
        let mut lines = String::new();
        let mut line = |value| writeln!(lines, "{value}").expect("to write to a string");
        for row in &self.rows {
            line(json!({
                "family": row.family, "measure": row.name, "unit": row.unit,
                "rtnetlink": row.rtnetlink, "nl31": row.nl31, "ratio": row.ratio,
                "goal": row.goal, "runs": self.runs,
                "routes": self.routes[usize::from(row.family == FAMILIES[1])],
            }));
        }
        for (family, measure, unit, value) in &self.alone {
            line(json!({"family": family, "measure": measure, "unit": unit, "nl31": value}));
        }
        for (measure, value) in &self.load {
            line(json!({"memory_mib": crate::qemu::MEMORY_MIB, "measure": measure, "nl31": value}));
        }
        lines
    }

    /// A chart: how many times better nl31 is, a bar a row, on a logarithmic scale.
    pub fn svg(&self) -> String {
        const LEFT: f64 = 330.0;
        const DECADE: f64 = 110.0;
        const ROW: f64 = 26.0;
        let x = |ratio: f64| LEFT + (ratio.clamp(0.1, 9999.0).log10() + 1.0) * DECADE;
        let height = ROW * (self.rows.len() + 3) as f64;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {height:.0}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <title>nl31 compared with Linux's own table over rtnetlink</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"18\" font-weight=\"bold\">times better than rtnetlink</text>\n",
            LEFT + 5.0 * DECADE + 60.0
        );
        let bottom = height - ROW;
        let mut add = |text: String| writeln!(svg, "{text}").expect("to write to a string");
        for (label, ratio) in [
            ("0.1", 0.1),
            ("1", 1.0),
            ("10", 10.0),
            ("100", 1e2),
            ("1000", 1e3),
        ] {
            let at = x(ratio);
            let stroke = if ratio == 1.0 { "black" } else { "lightgray" };
            add(format!(
                "<line x1=\"{at:.1}\" y1=\"28\" x2=\"{at:.1}\" y2=\"{bottom:.1}\" \
                 stroke=\"{stroke}\"/>"
            ));
            add(format!(
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
                bottom + 16.0
            ));
        }
        for (number, row) in self.rows.iter().enumerate() {
            let top = 34.0 + ROW * number as f64;
            let (from, to) = (x(1.0).min(x(row.ratio)), x(1.0).max(x(row.ratio)));
            let fill = if row.ratio >= row.goal {
                "#2a7f62"
            } else {
                "#b3541e"
            };
            let text = top + 14.0;
            add(format!(
                "<text x=\"{:.1}\" y=\"{text:.1}\" text-anchor=\"end\">{}, {}</text>",
                LEFT - 10.0,
                row.family,
                row.says
            ));
            add(format!(
                "<rect x=\"{from:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"18\" \
                 fill=\"{fill}\"/>",
                to - from
            ));
            add(format!(
                "<text x=\"{:.1}\" y=\"{text:.1}\">{:.1}</text>",
                to + 5.0,
                row.ratio
            ));
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl fmt::Display for Bench {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [four, six] = self.routes;
        writeln!(
            f,
            "{four} IPv4 and {six} IPv6 routes, medians of {} runs\n",
            self.runs
        )?;
        writeln!(
            f,
            "| | | unit | rtnetlink | nl31 | times better | goal |\n\
             | --- | --- | --- | ---: | ---: | ---: | ---: |"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {:.1} | {} |",
                row.family,
                row.says,
                row.unit,
                number(row.rtnetlink),
                number(row.nl31),
                row.ratio,
                row.goal
            )?;
        }
        let families = FAMILIES.iter().zip(&self.bytes).zip(MEMORY_GOALS);
        for ((family, bytes), goal) in families {
            let family = format!("| {family} | memory, as GETTABLE tells");
            writeln!(f, "{family} | B/route | | {bytes:.1} | | {goal} B |")?;
        }
        writeln!(f)?;
        for (family, measure, unit, value) in &self.alone {
            writeln!(
                f,
                "nl31 alone, {family}: {measure} {} {unit}",
                number(*value)
            )?;
        }
        let load = |name| self.load.get(name).copied().unwrap_or_default();
        writeln!(
            f,
            "\nThe whole table in a guest of {} MiB, in one transaction: {:.1} s, {:.1} B/route \
             IPv4, {:.1} B/route IPv6, {:.1} MiB still available.",
            crate::qemu::MEMORY_MIB,
            load("load"),
            load("bytes4") / load("routes4"),
            load("bytes6") / load("routes6"),
            load("available") / f64::from(1 << 20)
        )
    }
}

/// Three digits that count.
fn number(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// A folder with the program and the table, whole and a file a family.
fn share(table: &[Prefix]) -> Result<tempfile::TempDir> {
    let dir = tempfile::tempdir()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
    let write = |name: &str, wanted: &dyn Fn(&Prefix) -> bool| {
        let lines: String = table
            .iter()
            .filter(|prefix| wanted(prefix))
            .map(|prefix| format!("{prefix}\n"))
            .collect();
        fs::write(dir.path().join(name), lines)
    };
    write(FAMILIES[0], &|prefix| prefix.address.is_ipv4())?;
    write(FAMILIES[1], &|prefix| prefix.address.is_ipv6())?;
    write("all", &|_| true)?;
    let program: &Path = &client::build(Arch::X86_64)?.join("bench");
    fs::copy(program, dir.path().join("bench"))?;
    Ok(dir)
}

/// Runs the program in the guest; adds what it prints to `values`.
fn measure(guest: &mut Guest, arguments: &str, values: &mut Values) -> Result<()> {
    let output = guest.exec(&format!("/mnt/share/bench {arguments}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status != 0 {
        bail!(
            "bench {arguments}: {}\n{said}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    for line in said.lines() {
        let [name, unit, value] = line.split(' ').collect::<Vec<_>>()[..] else {
            bail!("the program said {line:?}");
        };
        let entry = values.entry(name.to_owned()).or_default();
        entry.0 = unit.to_owned();
        entry.1.push(value.parse()?);
    }
    Ok(())
}

fn medians(values: Values) -> Medians {
    let entry = |(name, (unit, values))| (name, (unit, median(values)));
    values.into_iter().map(entry).collect()
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![7.0]), 7.0);
    }
}
