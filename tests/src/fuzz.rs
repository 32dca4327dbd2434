// SPDX-License-Identifier: MIT OR Apache-2.0
//! Coverage-guided fuzzing: the programs in fuzz/, built with what counts where they go, each
//! from its corpus on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::progress::Step;
use crate::{cache, host};

/// What building the programs takes beside cargo.
const PACKAGES: &[&str] = &["g++", "gcc", "libc6-dev"];

/// The platform that the programs are built for. Naming it keeps the counters out of build
/// scripts and macros.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// As cargo-fuzz builds them, but with a stable compiler; and with the linker's default
/// libraries, for ASan's, which has to be the first.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdefault-linker-libraries";

/// An input that takes so long has found something, too.
const INPUT_MAX: Duration = Duration::from_secs(20);

/// A program that feeds something with any bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name of the program, and of the folder with its corpus.
    pub name: &'static str,
    /// Longest input.
    max_len: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "config",
        max_len: 2048,
    },
    Target {
        name: "console",
        max_len: 512,
    },
    Target {
        name: "editor",
        max_len: 1024,
    },
    Target {
        name: "frame",
        max_len: 2048,
    },
    Target {
        name: "grammar",
        max_len: 256,
    },
    Target {
        name: "lpm",
        max_len: 512,
    },
];

/// How a run of a target went.
#[derive(Debug)]
pub struct Outcome {
    /// Which target.
    pub target: Target,
    /// Inputs tried.
    pub runs: u64,
    /// Inputs a second.
    pub per_second: u64,
    /// What libFuzzer tells apart in what was reached.
    pub features: u64,
    /// What it found, with the file that shows it.
    pub found: Option<String>,
}

/// The targets of these names, or all where there is no name.
pub fn select(names: &[String]) -> Result<Vec<Target>> {
    if names.is_empty() {
        return Ok(TARGETS.to_vec());
    }
    let find = |name: &String| {
        let all: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        let found = TARGETS.iter().find(|target| target.name == name);
        found
            .copied()
            .with_context(|| format!("there is no target {name}, only {}", all.join(", ")))
    };
    names.iter().map(find).collect()
}

/// Fuzzes each of the targets for so long, as many at a time as there are processors. What a run
/// finds stays in target/lab/fuzz, and the next one goes on from there.
pub fn run(targets: &[Target], time: Duration) -> Result<Vec<Outcome>> {
    let programs = build()?;
    let step = Step::new("fuzz");
    let left = Mutex::new(targets.iter());
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(target) = left.lock().expect("nobody panics").next() else {
                        break;
                    };
                    let outcome = target.run(&programs, time);
                    outcomes.lock().expect("nobody panics").push(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("nobody panics");
    let mut outcomes: Vec<_> = outcomes.into_iter().collect::<Result<_>>()?;
    outcomes.sort_by_key(|outcome| outcome.target.name);
    step.done("done");
    Ok(outcomes)
}

/// Replaces the corpora by the fewest inputs that reach all that they, and what was found since,
/// reach. Files that somebody named stay.
pub fn minimize(targets: &[Target]) -> Result<()> {
    let programs = build()?;
    for target in targets {
        let work = target.work()?;
        let corpus = target.corpus();
        let smallest = work.join("smallest");
        let _ = fs::remove_dir_all(&smallest);
        fs::create_dir_all(&smallest)?;
        let mut command = target.command(&programs)?;
        command.args(["-merge=1", "-use_counters=0"]);
        command.args([&smallest, &corpus, &work.join("corpus")]);
        let log = work.join("merge.log");
        command.stderr(File::create(&log)?);
        if !command.status()?.success() {
            bail!("{}: see {}", target.name, log.display());
        }
        for entry in fs::read_dir(&corpus)? {
            let entry = entry?;
            if is_digest(&entry.file_name().to_string_lossy()) {
                fs::remove_file(entry.path())?;
            }
        }
        for entry in fs::read_dir(&smallest)? {
            let entry = entry?;
            fs::copy(entry.path(), corpus.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// The names that libFuzzer gives.
fn is_digest(name: &str) -> bool {
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Builds all programs; gives their folder.
fn build() -> Result<PathBuf> {
    host::require(PACKAGES)?;
    let target = cache::local()?.join("fuzz");
    let step = Step::new("fuzzers");
    step.at("building");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--release"])
        .args(["--target", PLATFORM, "--target-dir"])
        .arg(&target)
        .current_dir(crate::project().join("tests/fuzz"))
        .env("RUSTFLAGS", FLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!(
            "tests/fuzz does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    step.done("built");
    Ok(target.join(PLATFORM).join("release"))
}

impl Target {
    /// The inputs in the repository.
    fn corpus(&self) -> PathBuf {
        crate::project().join("tests/fuzz/corpus").join(self.name)
    }

    /// Where what was found is kept, the log, and an input that shows a fault.
    fn work(&self) -> Result<PathBuf> {
        let work = cache::local()?.join("fuzz").join(self.name);
        fs::create_dir_all(work.join("corpus"))?;
        Ok(work)
    }

    fn command(&self, programs: &Path) -> Result<Command> {
        let mut command = Command::new(programs.join(self.name));
        command
            .arg(format!("-max_len={}", self.max_len))
            .arg(format!("-timeout={}", INPUT_MAX.as_secs()))
            .arg(format!("-artifact_prefix={}/", self.work()?.display()))
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Ok(command)
    }

    fn run(&self, programs: &Path, time: Duration) -> Result<Outcome> {
        let work = self.work()?;
        let log = work.join("log");
        let mut command = self.command(programs)?;
        command
            .arg(format!("-max_total_time={}", time.as_secs()))
            .arg("-print_final_stats=1")
            .args([work.join("corpus"), self.corpus()])
            .stderr(File::create(&log)?);
        let status = command
            .status()
            .with_context(|| format!("cannot run {}", self.name))?;
        let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        let mut outcome = Outcome::read(*self, &said);
        if !status.success() {
            outcome.found = Some(format!("{}\nmore in {}", fault(&said), log.display()));
        } else if outcome.runs == 0 {
            bail!("{} has tried nothing; see {}", self.name, log.display());
        }
        Ok(outcome)
    }
}

impl Outcome {
    /// What libFuzzer says at the end: `stat::NAME: VALUE`, and lines of its progress, with
    /// `ft: FEATURES` in them.
    fn read(target: Target, said: &str) -> Self {
        let stat = |name: &str| {
            let values = said.lines().filter_map(|line| {
                let value = line.strip_prefix("stat::")?.strip_prefix(name)?;
                value.strip_prefix(':')?.trim().parse().ok()
            });
            values.last().unwrap_or(0)
        };
        let features = said.lines().rev().find_map(|line| {
            let (_, rest) = line.split_once(" ft: ")?;
            rest.split(' ').next()?.parse().ok()
        });
        Self {
            target,
            runs: stat("number_of_executed_units"),
            per_second: stat("average_exec_per_sec"),
            features: features.unwrap_or(0),
            found: None,
        }
    }
}

/// What went wrong, without the progress before it.
fn fault(said: &str) -> String {
    let progress = |line: &&str| {
        line.starts_with('#') || line.starts_with("INFO:") || line.starts_with("\tNEW_FUNC")
    };
    let lines: Vec<_> = said.lines().filter(|line| !progress(line)).collect();
    let long = lines.len().saturating_sub(60);
    lines[long..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
INFO: Seed: 1
#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 26Mb
#1024\tpulse  cov: 20 ft: 35 corp: 4/9b lim: 11 exec/s: 512 rss: 28Mb
thread '<unnamed>' panicked at fuzz_targets/x.rs:1:1:
wrong
stat::number_of_executed_units: 2048
stat::average_exec_per_sec:     1024
";

    #[test]
    fn figures_are_read_from_what_libfuzzer_says() {
        let outcome = Outcome::read(TARGETS[0], SAID);
        assert_eq!(
            (outcome.runs, outcome.per_second, outcome.features),
            (2048, 1024, 35)
        );
        assert!(fault(SAID).starts_with("thread '<unnamed>' panicked"));
    }

    #[test]
    fn every_target_has_a_corpus_and_a_program() {
        let manifest = include_str!("../fuzz/Cargo.toml");
        for target in TARGETS {
            assert!(
                manifest.contains(&format!("name = \"{}\"", target.name)),
                "{}",
                target.name
            );
            let corpus = fs::read_dir(target.corpus()).map(Iterator::count);
            assert!(corpus.is_ok_and(|files| files > 0), "{}", target.name);
        }
        assert!(select(&["nonsense".into()]).is_err());
    }
}
