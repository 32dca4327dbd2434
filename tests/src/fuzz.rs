// SPDX-License-Identifier: MIT OR Apache-2.0
//! Coverage-guided fuzzing: the programs in fuzz/, built with what counts where they go, each
//! from its corpus on. One of them runs as the init of a kernel, which tells it by KCOV where it
//! went.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cache::{self, Key};
use crate::progress::Step;
use crate::{host, kernel};

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

/// How long a kernel may take beside the time that it is to run for: to boot, and for the
/// input that hangs.
const KERNEL_MORE: Duration = Duration::from_secs(120);
/// How long a corpus may take to be minimized.
const MINIMIZE_MAX: Duration = Duration::from_secs(600);

/// What a kernel's file says of its last input: a length, then the input.
const LAST_INPUT_SIZE: usize = 4096;

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum World {
    /// Here.
    Host,
    /// As init of user-mode Linux, whose root is this machine's.
    Kernel,
}

/// A program that feeds something with any bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name of the program, and of the folder with its corpus.
    pub name: &'static str,
    /// Longest input.
    max_len: usize,
    world: World,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    on_host("batch", 2048),
    on_host("config", 2048),
    on_host("console", 512),
    on_host("editor", 1024),
    on_host("feed", 2048),
    on_host("frame", 2048),
    on_host("grammar", 256),
    on_host("import", 2048),
    Target {
        name: "kernel",
        max_len: 1024,
        world: World::Kernel,
    },
    on_host("lpm", 512),
    on_host("module", 1024),
];

const fn on_host(name: &'static str, max_len: usize) -> Target {
    Target {
        name,
        max_len,
        world: World::Host,
    }
}

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
    let programs = Programs::build(targets)?;
    let step = Step::new("fuzz");
    let left = Mutex::new(targets.iter());
    let outcomes = Mutex::new(Vec::new());
    let next = || left.lock().expect("no thread panics").next();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let outcome = target.run(&programs, time);
                    outcomes.lock().expect("no thread panics").push(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("no thread panics");
    let mut outcomes: Vec<_> = outcomes.into_iter().collect::<Result<_>>()?;
    outcomes.sort_by_key(|outcome| outcome.target.name);
    step.done("done");
    Ok(outcomes)
}

/// Replaces the corpora by the fewest inputs that reach all that they, and what was found since,
/// reach. Files with a name of a person's choice stay.
pub fn minimize(targets: &[Target]) -> Result<()> {
    let programs = Programs::build(targets)?;
    for target in targets {
        let work = target.work()?;
        let corpus = target.corpus();
        let smallest = work.join("smallest");
        let _ = fs::remove_dir_all(&smallest);
        fs::create_dir_all(&smallest)?;
        let folders = [&smallest, &corpus, &work.join("corpus")];
        let arguments = ["-merge=1", "-use_counters=0"].map(str::to_owned);
        let run = target.execute(&programs, &arguments, &folders, MINIMIZE_MAX)?;
        if !run.succeeded {
            bail!("{} cannot be minimized:\n{}", target.name, fault(&run.said));
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

/// What runs.
struct Programs {
    /// Folder of the targets.
    dir: PathBuf,
    /// For those that run in a kernel.
    linux: Option<PathBuf>,
}

impl Programs {
    /// Builds all programs, and the kernel if one of `targets` wants it.
    fn build(targets: &[Target]) -> Result<Self> {
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
        let mut linux = None;
        if targets.iter().any(|target| target.world == World::Kernel) {
            host::require(host::IMAGE)?;
            linux = Some(kernel::UML_KCOV.build()?.image());
        }
        Ok(Self {
            dir: target.join(PLATFORM).join("release"),
            linux,
        })
    }
}

/// How a program ended, and what it said.
struct Run {
    succeeded: bool,
    said: String,
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

    fn run(&self, programs: &Programs, time: Duration) -> Result<Outcome> {
        let seconds = time.as_secs();
        let arguments = [
            format!("-max_total_time={seconds}"),
            // From the same inputs the same way, so that CI is. What a run finds stays, and
            // the next one goes on from there another way.
            "-seed=31".to_owned(),
            "-print_final_stats=1".to_owned(),
        ];
        let folders = [&self.work()?.join("corpus"), &self.corpus()];
        let run = self.execute(programs, &arguments, &folders, time + KERNEL_MORE)?;
        let mut outcome = Outcome::read(*self, &run.said);
        if !run.succeeded {
            let log = self.log()?;
            outcome.found = Some(format!("{}\nmore in {}", fault(&run.said), log.display()));
        } else if outcome.runs == 0 {
            bail!(
                "{} has tried nothing; see {}",
                self.name,
                self.log()?.display()
            );
        }
        Ok(outcome)
    }

    fn log(&self) -> Result<PathBuf> {
        Ok(self.work()?.join("log"))
    }

    /// Runs the program with these arguments and folders with inputs. One that runs here ends by
    /// itself; a kernel is given up after `limit`.
    fn execute(
        &self,
        programs: &Programs,
        arguments: &[String],
        folders: &[&PathBuf],
        limit: Duration,
    ) -> Result<Run> {
        let work = self.work()?;
        let program = programs.dir.join(self.name);
        let last_input = work.join("last-input");
        let mut command = match (self.world, &programs.linux) {
            (World::Kernel, Some(linux)) => {
                fs::write(&last_input, [0; LAST_INPUT_SIZE])?;
                as_init(linux, &program, &last_input)
            }
            _ => Command::new(&program),
        };
        command
            .arg(format!("-max_len={}", self.max_len))
            .arg(format!("-timeout={}", INPUT_MAX.as_secs()))
            .arg(format!("-artifact_prefix={}/", work.display()))
            .args(arguments)
            .args(folders)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null());
        let log = self.log()?;
        match self.world {
            World::Host => {
                let status = command
                    .stdout(Stdio::null())
                    .stderr(File::create(&log)?)
                    .status()
                    .with_context(|| format!("cannot run {}", program.display()))?;
                Ok(Run {
                    succeeded: status.success(),
                    said: read(&log)?,
                })
            }
            World::Kernel => {
                command.stdout(File::create(&log)?).stderr(Stdio::null());
                let ended = ends_within(&mut command, limit)?;
                let mut said = read(&log)?;
                let trouble = if said.contains("Kernel panic") {
                    Some("the kernel panicked".to_owned())
                } else if !ended {
                    Some(format!("it has not ended after {limit:?}"))
                } else {
                    None
                };
                if let Some(trouble) = &trouble {
                    let input = keep_last_input(&last_input, &work)?;
                    said += &format!("\n{trouble}\nthe last input is in {}\n", input.display());
                }
                Ok(Run {
                    succeeded: trouble.is_none() && said.contains(ENDED_WELL),
                    said,
                })
            }
        }
    }
}

/// What the program says as init when its child has ended with 0.
const ENDED_WELL: &str = "nl31-fuzz: status 0\n";

/// A kernel with `program` as init; what follows are its arguments. `root=` and `console=` are
/// there because the kernel would add its own behind these.
fn as_init(linux: &Path, program: &Path, last_input: &Path) -> Command {
    let mut command = Command::new(linux);
    command
        .args(["mem=256M", "root=98:0", "rootfstype=hostfs", "rootflags=/"])
        .args(["rw", "console=tty0", "con0=fd:0,fd:1", "con=null"])
        .args(["panic=-1", "panic_on_warn=1", "oops=panic"])
        .args(["slub_debug=FZP", "kunit.enable=0"])
        .arg(format!("iomem=mmapper,{}", last_input.display()))
        .arg(format!("init={}", program.display()))
        .arg("--");
    command
}

/// Runs it, and kills it after `limit`; whether it has ended by itself.
fn ends_within(command: &mut Command, limit: Duration) -> Result<bool> {
    let mut child = command.spawn().context("cannot run the kernel")?;
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(true)
}

/// What the kernel was given when it died, in a file of its own.
fn keep_last_input(file: &Path, work: &Path) -> Result<PathBuf> {
    let bytes = fs::read(file)?;
    let (size, rest) = bytes.split_first_chunk().context("an empty file")?;
    let size = u32::from_ne_bytes(*size) as usize;
    let input = rest.get(..size).context("a length beyond the file")?;
    let mut key = Key::default();
    key.add("input", input);
    let kept = work.join(format!("crash-{}", key.name()));
    fs::write(&kept, input)?;
    Ok(kept)
}

fn read(log: &Path) -> Result<String> {
    let text = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    Ok(String::from_utf8_lossy(&text).replace('\r', ""))
}

impl Outcome {
    /// What libFuzzer says at the end: `stat::NAME: VALUE`, and lines of its progress, with
    /// `ft: FEATURES` in them.
    fn read(target: Target, said: &str) -> Self {
        let stat = |name: &str| {
            let value = said.lines().find_map(|line| {
                let value = line.strip_prefix("stat::")?.strip_prefix(name)?;
                value.strip_prefix(':')?.trim().parse().ok()
            });
            value.unwrap_or(0)
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
