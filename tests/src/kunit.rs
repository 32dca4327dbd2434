// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests inside the kernel, under user-mode Linux: a kernel that is a program of the
//! host and runs at its speed. KUnit suites (kmod/test/), and, on a kernel with KASAN,
//! lockdep and failslab, the clients that torment it (clients/fail_nth.c, fail_port.c,
//! mangle.c) as its only process.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cpio::Archive;
use crate::ktap::{self, Results};
use crate::progress::Step;
use crate::{client, host, kernel, prefixes, unattended};

/// Memory of the kernel. The host gives what is used.
const MEMORY: &str = "mem=1G";

/// What to run.
#[derive(Default)]
pub struct Options {
    /// A routing table, one prefix a line, gzip'd or not, for the tests that take one.
    pub prefixes: Option<PathBuf>,
    /// Suites, or cases as `SUITE.CASE`, by a glob.
    pub filter: Option<String>,
    /// Malformed datagrams to send to the debug kernel; `None`: only the suites, on a kernel
    /// of normal speed.
    pub debug: Option<u32>,
    /// Packets that are forwarded by the table and by Linux and compared, instead of a few.
    pub packets: Option<u32>,
    /// What the random numbers of the tests come from, instead of what they always do.
    pub seed: Option<u32>,
}

/// Builds the kernel and runs the tests. An error if a run did not come to its end or the
/// kernel complained; tests that failed are in the results.
pub fn run(options: &Options) -> Result<Results> {
    host::require(host::KERNEL)?;
    let spec = match options.debug {
        Some(_) => kernel::UML_DEBUG,
        None => kernel::UML,
    };
    let linux = spec.build()?.image();

    let mut archive = Archive::default();
    let filter = options.filter.as_deref().unwrap_or("nl31_*");
    let mut arguments = vec![
        "kunit.enable=1".to_owned(),
        "kunit_shutdown=poweroff".to_owned(),
        format!("kunit.filter_glob={filter}"),
    ];
    arguments.extend(options.seed.map(|seed| format!("nl31.seed={seed}")));
    arguments.extend(
        options
            .packets
            .map(|packets| format!("nl31.packets={packets}")),
    );
    if let Some(file) = &options.prefixes {
        let table: String = prefixes::read(file)?
            .iter()
            .map(|prefix| format!("{prefix}\n"))
            .collect();
        archive.file("prefixes", 0o444, table.as_bytes());
        arguments.push("nl31.prefixes=/prefixes".to_owned());
    }
    let mut results = boot(&linux, "kunit", archive, &arguments)?;
    let Some(datagrams) = options.debug.filter(|_| options.filter.is_none()) else {
        return Ok(results);
    };
    let malformed = [Some(datagrams), options.seed];
    for (name, numbers) in [
        ("fail_nth", &[][..]),
        ("fail_port", &[]),
        ("mangle", &malformed),
    ] {
        let mut archive = Archive::default();
        archive.dir("dev", 0o755);
        archive.device("dev/console", 0o600, 5, 1);
        archive.file("init", 0o755, &client::compiled(name)?);
        let mut arguments = vec!["kunit.enable=0".to_owned(), "--".to_owned()];
        arguments.extend(numbers.iter().flatten().map(ToString::to_string));
        let more = boot(&linux, name, archive, &arguments)?;
        let named = |names: Vec<String>| names.into_iter().map(move |n| format!("{name}.{n}"));
        results.passed.extend(named(more.passed));
        results.failed.extend(named(more.failed));
        results.skipped.extend(named(more.skipped));
        results.figures.extend(more.figures);
    }
    Ok(results)
}

/// Runs the kernel until it powers off.
fn boot(linux: &Path, name: &'static str, root: Archive, more: &[String]) -> Result<Results> {
    let step = Step::new(name);
    let mut initrd = tempfile::NamedTempFile::new()?;
    initrd.write_all(&root.finish())?;
    let mut command = Command::new(linux);
    command
        .arg(MEMORY)
        .arg(format!("initrd={}", initrd.path().display()))
        .args(["con0=fd:0,fd:1", "con=null", "panic=-1", "panic_on_warn=1"])
        .args(more);
    let output = unattended::run(&mut command, &step).context(name)?;
    let results =
        ktap::parse(&output).with_context(|| format!("{name}:\n{}", unattended::tail(&output)))?;
    for line in output.lines().filter(|_| !results.failed.is_empty()) {
        step.say(line);
    }
    step.done("done");
    Ok(results)
}
