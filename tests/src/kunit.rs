// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests inside the kernel, under user-mode Linux: a kernel that is a program of the
//! host and runs at its speed. KUnit suites (kmod/test/), and, on a kernel with KASAN,
//! lockdep and failslab, the clients that torment it (clients/fail_nth.c, clients/
//! mangle.c) as its only process.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cpio::Archive;
use crate::ktap::{self, Results};
use crate::progress::Step;
use crate::{host, kernel, klog, prefixes};

/// A kernel that says nothing for so long hangs; the longest test takes a tenth of it.
const SILENCE_MAX: Duration = Duration::from_secs(600);

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
    for (client, argument) in [("fail_nth", None), ("mangle", Some(datagrams))] {
        let mut archive = Archive::default();
        archive.dir("dev", 0o755);
        archive.device("dev/console", 0o600, 5, 1);
        archive.file("init", 0o755, &compile(client)?);
        let mut arguments = vec!["kunit.enable=0".to_owned(), "--".to_owned()];
        arguments.extend(argument.map(|number| number.to_string()));
        let more = boot(&linux, client, archive, &arguments)?;
        let named = |names: Vec<String>| names.into_iter().map(move |n| format!("{client}.{n}"));
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
    let mut child = Command::new(linux)
        .arg(MEMORY)
        .arg(format!("initrd={}", initrd.path().display()))
        .args(["con0=fd:0,fd:1", "con=null", "panic=-1", "panic_on_warn=1"])
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", linux.display()))?;

    let stdout = child.stdout.take().expect("piped");
    let (sender, lines) = mpsc::sync_channel(1024);
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let mut output = String::new();
    let hangs = loop {
        match lines.recv_timeout(SILENCE_MAX) {
            Ok(line) => {
                if line.trim_start().starts_with("ok ") {
                    step.at(line.trim());
                }
                output += &line;
                output.push('\n');
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break false,
            Err(mpsc::RecvTimeoutError::Timeout) => break true,
        }
    };
    if hangs {
        child.kill()?;
    }
    child.wait()?;

    let tail = || {
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    };
    if hangs {
        bail!(
            "{name}: the kernel has said nothing for {} s\n{}",
            SILENCE_MAX.as_secs(),
            tail()
        );
    }
    if let Some(trouble) = output.lines().find(|line| klog::is_trouble(line)) {
        bail!("{name}: the kernel complains: {trouble}\n{}", tail());
    }
    let results = ktap::parse(&output).with_context(|| format!("{name}:\n{}", tail()))?;
    for line in output.lines().filter(|_| !results.failed.is_empty()) {
        step.say(line);
    }
    step.done("done");
    Ok(results)
}

/// A client as a static program.
fn compile(client: &str) -> Result<Vec<u8>> {
    let project = crate::project();
    let dir = tempfile::tempdir()?;
    let output = Command::new("gcc")
        .args(["-static", "-O2", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(project.join("kmod/include/uapi"))
        .arg("-o")
        .arg(dir.path().join(client))
        .arg(project.join(format!("tests/clients/{client}.c")))
        .output()
        .context("cannot run gcc")?;
    if !output.status.success() {
        bail!(
            "{client}.c does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(fs::read(dir.path().join(client))?)
}
