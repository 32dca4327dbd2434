// SPDX-License-Identifier: MIT OR Apache-2.0
//! nl31 tormented where bugs show: as a module of a kernel with KASAN, lockdep, UBSAN,
//! kmemleak and fault injection, on two processors. guest/debug-init runs the steps one
//! after the other; each prints its results as KTAP on the console.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cpio::Archive;
use crate::cross::static_binary;
use crate::ktap::{self, Results};
use crate::progress::Step;
use crate::unattended::{self, tail};
use crate::{Arch, client, host, kernel, qemu, wire};

/// What runs, in this order: a name, and the argument it takes if any. In all it is a few
/// minutes without hardware acceleration. `leaks` looks at what the others have left.
const STEPS: &[(&str, Option<u32>)] = &[
    ("kunit", None),
    ("wire", None),
    ("fail_nth", None),
    ("fail_port", Some(7)),
    ("mangle", Some(20_000)),
    ("contend", Some(30)),
    ("vanish", Some(60)),
    ("device_gone", None),
    ("forward", Some(120)),
    ("rtnl", None),
    ("memcg", None),
    ("reload", Some(100)),
    ("agent", Some(5)),
    ("leaks", None),
];

/// What it takes beside a kernel.
const PACKAGES: &[&str] = &["busybox-static", "qemu-system-x86"];

/// Programs that the steps of their names run.
const CLIENTS: &[&str] = &[
    "contend",
    "device_gone",
    "fail_nth",
    "fail_port",
    "forward",
    "mangle",
    "memcg",
    "reload",
    "rtnl",
    "vanish",
];

/// What to run.
#[derive(Default)]
pub struct Options {
    /// These steps only, or all.
    pub steps: Vec<String>,
    /// Malformed datagrams to send, instead of a few.
    pub datagrams: Option<u32>,
    /// What the random numbers of the tests come from, instead of what they always do.
    pub seed: Option<u32>,
}

impl Options {
    /// The steps as guest/debug-init takes them.
    fn arguments(&self) -> Result<Vec<String>> {
        if let Some(step) = self
            .steps
            .iter()
            .find(|step| !STEPS.iter().any(|(name, _)| name == step))
        {
            let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
            bail!("there is no step {step:?}; there are {}", names.join(", "));
        }
        let wanted = |name: &str| self.steps.is_empty() || self.steps.iter().any(|s| s == name);
        Ok(STEPS
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|&(name, argument)| match (name, argument) {
                ("mangle", usual) => format!("{name}:{}", self.datagrams.or(usual).unwrap_or(0)),
                (_, Some(argument)) => format!("{name}:{argument}"),
                (_, None) => name.to_owned(),
            })
            .collect())
    }
}

/// Builds the kernel and runs the steps in one guest. An error if it did not come to its end
/// or the kernel complained; tests that failed are in the results, as `STEP.TEST`.
pub fn run(options: &Options) -> Result<Results> {
    let steps = options.arguments()?;
    host::require(host::KERNEL)?;
    host::require(PACKAGES)?;
    let kernel = kernel::DEBUG.build()?;
    let mut initrd = tempfile::NamedTempFile::new()?;
    initrd.write_all(&root(&kernel.module())?.finish())?;
    // Caches stay apart, to be counted. A busy host is no stall. What takes long is for UML, which is not emulated.
    let seed = options.seed.map(|seed| format!("seed={seed}"));
    let append = format!(
        "console=ttyS0 quiet no_timer_check panic=-1 oops=panic panic_on_warn=1 slab_nomerge \
         rcupdate.rcu_cpu_stall_timeout=300 watchdog_thresh=60 kunit.enable=1 kunit.filter_glob=nl31_* kunit.filter=speed>slow {} -- {}",
        seed.unwrap_or_default(),
        steps.join(" ")
    );
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args(["-nodefaults", "-no-user-config", "-no-reboot"])
        .args(["-display", "none", "-serial", "stdio", "-machine", "q35"])
        .args(["-accel", qemu::accelerator(Arch::X86_64, &kernel.image())?])
        // KASAN takes an eighth of the memory, and keeps back some of what is freed. The
        // firmware's table of processors, for a kernel without ACPI, has one a socket.
        .args([
            "-cpu",
            "max,erms=off,fsrm=off",
            "-smp",
            "2,sockets=2",
            "-m",
            "1024",
        ])
        .arg("-kernel")
        .arg(kernel.image())
        .arg("-initrd")
        .arg(initrd.path())
        .args(["-append", &append]);
    let step = Step::new("debug kernel");
    let output = unattended::run(&mut command, &step)?;
    let results = collect(&output, steps.len())?;
    step.done("done");
    Ok(results)
}

/// The guest's root filesystem.
fn root(module: &Path) -> Result<Archive> {
    let mut archive = Archive::default();
    for dir in [
        "bin", "cgroup", "clients", "debug", "dev", "proc", "sys", "tmp", "wire",
    ] {
        archive.dir(dir, 0o755);
    }
    archive.device("dev/console", 0o600, 5, 1);
    archive.device("dev/null", 0o666, 1, 3);
    archive.file("bin/busybox", 0o755, &std::fs::read("/bin/busybox")?);
    for name in [
        "cat", "echo", "grep", "insmod", "mkdir", "mount", "pidof", "reboot", "rm", "rmmod", "sed",
        "sh", "sleep",
    ] {
        archive.symlink(&format!("bin/{name}"), "busybox");
    }
    let script = crate::project().join("tests/guest/debug-init");
    archive.file("init", 0o755, &std::fs::read(script)?);
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    };
    archive.file("nl31.ko", 0o644, &read(module)?);
    for name in CLIENTS {
        archive.file(&format!("clients/{name}"), 0o755, &client::compiled(name)?);
    }
    for (package, name) in [("nl31-agent", "nl31-agent"), ("nl31-ctl", "nl31ctl")] {
        let binary = read(&static_binary(Arch::X86_64, package)?)?;
        archive.file(&format!("bin/{name}"), 0o755, &binary);
    }
    for entry in std::fs::read_dir(wire::build()?)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        archive.file(&format!("wire/{name}"), 0o755, &read(&entry.path())?);
    }
    Ok(archive)
}

/// The results of all steps.
fn collect(output: &str, count: usize) -> Result<Results> {
    let mut all = Results::default();
    let mut seen = 0;
    for part in output.split(unattended::BEGIN).skip(1) {
        let Some((report, end)) = part.split_once(unattended::END) else {
            bail!("the guest ended within a step\n{}", tail(part));
        };
        let name = report.lines().next().unwrap_or_default().trim();
        let results = ktap::parse(report).with_context(|| format!("{name}:\n{}", tail(report)))?;
        let status = end.lines().next().unwrap_or_default().trim();
        if results.failed.is_empty() && status != format!("{name} 0") {
            bail!("{name} ended with {status:?}:\n{}", tail(report));
        }
        if !results.failed.is_empty() {
            eprintln!("{report}");
        }
        let named = |names: Vec<String>| names.into_iter().map(move |n| format!("{name}.{n}"));
        all.passed.extend(named(results.passed));
        all.failed.extend(named(results.failed));
        all.skipped.extend(named(results.skipped));
        all.figures.extend(results.figures);
        seen += 1;
    }
    if seen != count {
        bail!("{seen} steps of {count} have run\n{}", tail(output));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
booting
=== begin one
KTAP version 1
1..1
ok 1 first
=== end one 0
=== begin two
KTAP version 1
1..1
# second: figure n=3
ok 1 second
=== end two 0
";

    #[test]
    fn results_are_those_of_all_steps() {
        let results = collect(GOOD, 2).unwrap();
        assert_eq!(results.passed, ["one.first", "two.second"]);
        let bad = GOOD.replace("ok 1 second", "not ok 1 second");
        assert_eq!(collect(&bad, 2).unwrap().failed, ["two.second"]);
    }

    #[test]
    fn a_step_that_is_missing_or_ends_badly_is_an_error() {
        collect(GOOD, 3).unwrap_err();
        collect(&GOOD.replace("=== end two 0\n", ""), 2).unwrap_err();
        collect(&GOOD.replace("end two 0", "end two 1"), 2).unwrap_err();
        collect(&GOOD.replace("ok 1 first\n", ""), 2).unwrap_err();
        collect("", 1).unwrap_err();
    }

    #[test]
    fn the_steps_are_those_asked_for() {
        let options = Options {
            steps: vec!["mangle".into(), "wire".into()],
            datagrams: Some(7),
            seed: None,
        };
        assert_eq!(options.arguments().unwrap(), ["wire", "mangle:7"]);
        let options = Options {
            steps: vec!["no such".into()],
            ..options
        };
        options.arguments().unwrap_err();
    }
}
