// SPDX-License-Identifier: MIT OR Apache-2.0
//! `apply`: makes the table equal to a file, with the fewest changes, all at once.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use indicatif::ProgressBar;
use nl31_route::{DeviceName, Path, Prefix, Protocol, Route, Spec, append_index, path_diff};
use nl31_wire::{Op, Request};
use serde_json::json;

use super::file::RouteFile;
use super::list::{generation, list};
use super::load::{Batches, transaction};
use super::route::{json, whole};
use super::settings;
use crate::error::Error;
use crate::link::Link;
use crate::output::{Output, counted};
use crate::port::Port;

/// Most attempts while the table keeps changing.
pub const ATTEMPTS: usize = 5;

/// The agent's codes for a change that fits another table: no such route, an existing
/// route, several paths.
pub const OUTDATED: [u16; 3] = [404, 409, 410];

/// Every prefix with its paths, in the order in which they are used.
pub type Table = BTreeMap<Prefix, Vec<Path<DeviceName>>>;

/// The changes of one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The prefix.
    pub prefix: Prefix,
    /// First delete all its paths.
    pub clear: bool,
    /// Then append these.
    pub append: Vec<Path<DeviceName>>,
    /// For a person: the paths that will be gone, and those that will be new.
    pub gone: Vec<Path<DeviceName>>,
    /// See `gone`.
    pub new: Vec<Path<DeviceName>>,
}

/// Adds a route behind those of its metric.
pub fn insert(table: &mut Table, route: Route<DeviceName>) {
    let paths = table.entry(route.prefix).or_default();
    paths.insert(append_index(paths, route.path.metric), route.path);
}

/// The changes that turn `now` into `wanted`.
pub fn difference(now: &Table, wanted: &Table) -> Vec<Step> {
    let mut steps = Vec::new();
    let none = Vec::new();
    let prefixes = now
        .keys()
        .chain(wanted.keys().filter(|prefix| !now.contains_key(prefix)));
    for &prefix in prefixes {
        let (before, after) = (
            now.get(&prefix).unwrap_or(&none),
            wanted.get(&prefix).unwrap_or(&none),
        );
        if before == after {
            continue;
        }
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        path_diff(prefix, before, after, &mut |sign, route| match sign {
            '-' => gone.push(route.path),
            _ => new.push(route.path),
        });
        // Appending alone will do if it leads to the wanted order. Otherwise the prefix is
        // deleted and built again; readers see neither step.
        let mut appended = Table::from([(prefix, before.clone())]);
        new.iter().for_each(|path| {
            insert(
                &mut appended,
                Route {
                    prefix,
                    path: path.clone(),
                },
            )
        });
        let clear = appended[&prefix] != *after;
        let append = if clear { after.clone() } else { new.clone() };
        steps.push(Step {
            prefix,
            clear,
            append,
            gone,
            new,
        });
    }
    steps
}

/// The changes, and the number of the table's last change for which they were planned.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The changes.
    pub steps: Vec<Step>,
    /// The lines of settings that will be gone (`-`), and those that will be new (`+`).
    pub settings: Vec<(char, String)>,
    generation: u64,
}

/// The table as it was at one moment, and the number of its last change.
fn running<P: Port>(link: &mut Link<P>) -> Result<(Table, u64), Error> {
    for _ in 0..ATTEMPTS {
        let before = generation(link)?;
        let mut table = Table::new();
        let changed = list(link, &Spec::default(), false, &mut |route| {
            // The agent keeps what DHCP has taught.
            if route.path.protocol != Protocol::DHCP {
                insert(&mut table, route);
            }
            Ok(())
        })?;
        if !changed && generation(link)? == before {
            return Ok((table, before));
        }
    }
    Err(Error::Changing)
}

/// The changes that make the table equal to a file.
pub fn plan<P: Port>(link: &mut Link<P>, file: &mut RouteFile) -> Result<Plan, Error> {
    let mut wanted = Table::new();
    let path = file.path().to_path_buf();
    file.read(&mut |line, route| {
        let twice = wanted
            .get(&route.prefix)
            .is_some_and(|paths| paths.contains(&route.path));
        if twice {
            let text = "an earlier line has the same route".into();
            return Err(Error::Line(path.clone(), line, 1, text));
        }
        insert(&mut wanted, route);
        Ok(())
    })?;
    let settings = settings::difference(link, file)?;
    let (now, generation) = running(link)?;
    Ok(Plan {
        settings,
        steps: difference(&now, &wanted),
        generation,
    })
}

/// Carries a plan out, all at once, unless others have changed the table meanwhile. With
/// `confirm`, the agent rolls it back unless it is confirmed within so many seconds.
pub fn apply<P: Port>(
    link: &mut Link<P>,
    file: &RouteFile,
    plan: &Plan,
    confirm: Option<u32>,
    bar: &ProgressBar,
) -> Result<(), Error> {
    let steps = &plan.steps;
    if steps.is_empty() && plan.settings.is_empty() {
        return Ok(());
    }
    let changes = |step: &Step| step.append.len() + usize::from(step.clear);
    bar.set_length(steps.iter().map(changes).sum::<usize>() as u64);
    let push = |batches: &mut Batches<'_, P>| {
        if !plan.settings.is_empty() {
            batches.settings(file, true)?;
        }
        for (tag, step) in steps.iter().enumerate() {
            if step.clear {
                let spec = Spec {
                    prefix: Some(step.prefix),
                    ..Spec::default()
                };
                batches.push(tag, Op::DeletePrefix, &spec)?;
            }
            for path in &step.append {
                let route = Route {
                    prefix: step.prefix,
                    path: path.clone(),
                };
                batches.push(tag, Op::Append, &whole(&route))?;
            }
        }
        Ok(())
    };
    let begin = match confirm {
        Some(seconds) => Request::BeginConfirmed { seconds },
        None => Request::Begin { replace: false },
    };
    match transaction(link, &begin, Some(plan.generation), bar, push) {
        Ok(_) => Ok(()),
        // Others have changed the table before the first change.
        Err((_, Error::Refused(refused)))
            if OUTDATED.contains(&refused.code)
                && generation(link).is_ok_and(|now| now != plan.generation) =>
        {
            Err(Error::Changing)
        }
        Err((Some(tag), Error::Refused(mut refused))) => {
            refused.text = format!("{}: {}", steps[tag].prefix, refused.text);
            Err(Error::Refused(refused))
        }
        Err((_, error)) => Err(error),
    }
}

/// Carries `apply` out.
pub fn execute<P: Port>(
    link: &mut Link<P>,
    file: &FilePath,
    dry_run: bool,
    confirm: Option<u32>,
    out: &mut Output<'_>,
) -> Result<(), Error> {
    let mut file = RouteFile::open(file)?;
    out.passed_over(file.passed_over());
    let Plan {
        steps, settings, ..
    } = attempt(link, &mut file, dry_run, confirm, out)?;
    if dry_run || out.is_json() {
        for (sign, line) in &settings {
            let value = || json!({ "change": sign.to_string(), "setting": line });
            out.either(value, &format_args!("{sign} {line}"))?;
        }
        print(&steps, out)?;
    }
    if steps.is_empty() && settings.is_empty() {
        return out.say(format_args!("the table equals the file already"));
    }
    let gone: usize = steps.iter().map(|step| step.gone.len()).sum();
    let new: usize = steps.iter().map(|step| step.new.len()).sum();
    let would = if dry_run { "would be " } else { "" };
    let prefixes = counted(steps.len() as u64, "prefix", "prefixes");
    let new = counted(new as u64, "route", "routes");
    let lines = match settings.len() as u64 {
        0 => String::new(),
        count => format!(
            ", {}",
            counted(count, "line of settings", "lines of settings")
        ),
    };
    out.say(format_args!(
        "{would}changed: {prefixes}, {new} new, {gone} gone{lines}"
    ))?;
    match confirm.filter(|_| !dry_run) {
        Some(seconds) => out.say(format_args!(
            "rolled back in {seconds} s unless `nl31ctl confirm` keeps and saves it"
        )),
        None => Ok(()),
    }
}

/// Plans and applies; plans again if the table has changed meanwhile.
fn attempt<P: Port>(
    link: &mut Link<P>,
    file: &mut RouteFile,
    dry_run: bool,
    confirm: Option<u32>,
    out: &Output<'_>,
) -> Result<Plan, Error> {
    for _ in 0..ATTEMPTS {
        let plan = plan(link, file)?;
        if dry_run {
            return Ok(plan);
        }
        let bar = out.bar("apply");
        let applied = apply(link, file, &plan, confirm, &bar);
        bar.finish_and_clear();
        match applied {
            Err(Error::Changing) => {}
            result => return result.map(|()| plan),
        }
    }
    Err(Error::Changing)
}

fn print(steps: &[Step], out: &mut Output<'_>) -> Result<(), Error> {
    for step in steps {
        let gone = step.gone.iter().map(|path| ("-", path));
        for (sign, path) in gone.chain(step.new.iter().map(|path| ("+", path))) {
            let route = Route {
                prefix: step.prefix,
                path: path.clone(),
            };
            let value = || {
                let mut value = json(&route);
                value["change"] = json!(sign);
                value
            };
            out.either(value, &format_args!("{sign} {route}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(lines: &[&str]) -> Table {
        let mut table = Table::new();
        lines
            .iter()
            .for_each(|line| insert(&mut table, line.parse().unwrap()));
        table
    }

    /// Clears and appends, as words.
    fn steps(now: &[&str], wanted: &[&str]) -> Vec<String> {
        let mut words = Vec::new();
        for step in difference(&table(now), &table(wanted)) {
            if step.clear {
                words.push(format!("clear {}", step.prefix));
            }
            for path in step.append {
                words.push(format!(
                    "append {}",
                    Route {
                        prefix: step.prefix,
                        path
                    }
                ));
            }
        }
        words
    }

    const A: &str = "10.0.0.0/8 via 192.0.2.1";
    const B: &str = "10.0.0.0/8 via 192.0.2.2";
    const C: &str = "10.0.0.0/8 dev eth0 metric 5";

    #[test]
    fn only_what_differs_is_done() {
        assert!(steps(&[A, B, C], &[C, A, B]).is_empty());
        assert_eq!(steps(&[], &[A]), [format!("append {A}")]);
        assert_eq!(steps(&[A], &[]), ["clear 10.0.0.0/8"]);
        assert_eq!(steps(&[A, C], &[A, B, C]), [format!("append {B}")]);
        assert_eq!(
            steps(&[A], &[A, "11.0.0.0/8 dev lo"]),
            ["append 11.0.0.0/8 dev lo"]
        );
    }

    #[test]
    fn the_order_of_equal_paths_matters() {
        let anew = [
            "clear 10.0.0.0/8".into(),
            format!("append {B}"),
            format!("append {A}"),
        ];
        assert_eq!(steps(&[A, B], &[B, A]), anew);
        assert_eq!(steps(&[A], &[B, A]), anew);
        assert_eq!(
            steps(&[A, B], &[B]),
            ["clear 10.0.0.0/8".into(), format!("append {B}")]
        );
    }
}
