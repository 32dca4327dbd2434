// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `cargo lab`, and `cargo qemu`, which is `cargo lab qemu`.

use std::io::{IsTerminal, Write, stderr, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use nl31_lab::bench::Bench;
use nl31_lab::figures::{Boot, Sizes};
use nl31_lab::prefixes::Prefix;
use nl31_lab::{Guest, Image, Setup, attach, cache, check, feed, fuzz, kunit, prefixes};

/// Builds the nl31 image from distribution packages and boots it in QEMU.
///
/// It is the image that Buildroot makes but for who compiled the kernel and BusyBox.
#[derive(Parser)]
#[command(name = "cargo lab")]
struct Arguments {
    #[command(subcommand)]
    command: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// Builds the image and prints its figures, one `name=value` a line.
    Image {
        /// Take the routes of the measured boot from these files (one prefix a line, gzip'd
        /// or not) instead of making them.
        #[arg(long, num_args = 1.., value_name = "FILE")]
        prefixes: Vec<PathBuf>,
        /// Routes in the config of the measured boot.
        #[arg(long, default_value_t = 1000)]
        routes: usize,
    },
    /// Builds the image and boots it with the console attached. With standard input not a
    /// terminal, types its lines and prints the replies: exits with 0 if each succeeded,
    /// with 1 if one failed, with 2 if the guest did not answer.
    Qemu,
    /// Boots the image and runs a shell command in it as root; exits with its status, or with 125
    /// if the lab itself failed.
    Exec {
        /// A folder for /mnt/share in the guest, read-only.
        #[arg(long, value_name = "DIR")]
        share: Option<PathBuf>,
        /// The command; several words are joined by spaces.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Measures nl31 beside Linux's own table, in one guest: a table with ratios, and a chart
    /// in target/lab/bench.svg.
    Bench {
        /// Take the routes from these files (one prefix a line, gzip'd or not) instead of
        /// making them.
        #[arg(long, num_args = 1.., value_name = "FILE")]
        prefixes: Vec<PathBuf>,
        /// Routes to make where no file is given.
        #[arg(long, default_value_t = 240_000)]
        routes: usize,
        /// How often to measure each.
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Print JSON, a line a measure, instead of the table.
        #[arg(long)]
        json: bool,
    },
    /// Checks the shell scripts and kmod/ (shellcheck, checkpatch, sparse, W=1 builds).
    Check,
    /// Runs the tests inside the kernel, under user-mode Linux, and prints their figures.
    Kunit {
        /// A routing table for the tests that take one (one prefix a line, gzip'd or not).
        #[arg(long, value_name = "FILE")]
        prefixes: Option<PathBuf>,
        /// Only these suites, or cases as SUITE.CASE.
        #[arg(long, value_name = "GLOB")]
        filter: Option<String>,
        /// On a kernel with KASAN, lockdep and fault injection; without --filter, then let
        /// each allocation of each request fail, and send malformed datagrams.
        #[arg(long)]
        debug: bool,
        /// How many datagrams, with --debug.
        #[arg(long, default_value_t = 100_000)]
        datagrams: u32,
    },
    /// Feeds the parsers, the editor and the module with any bytes, guided by what they reach.
    /// Exits with 1 if something was found.
    Fuzz {
        /// What to feed; all where none is named.
        target: Vec<String>,
        /// For how long, each.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Take what was found so far into the corpora in the repository, instead.
        #[arg(long)]
        minimize: bool,
    },
    /// Prints a made routing table, one prefix a line, the same each time.
    Prefixes {
        /// How many.
        count: usize,
    },
}

fn main() -> ExitCode {
    let subject = Arguments::parse().command;
    // a code that the command in the guest hardly has, as docker and timeout do
    let failure = if let Subject::Exec { .. } = subject {
        125
    } else {
        2
    };
    run(subject).unwrap_or_else(|error| {
        // nobody to tell if standard error is closed
        let _ = writeln!(stderr(), "lab: {error:#}");
        ExitCode::from(failure)
    })
}

fn run(subject: Subject) -> Result<ExitCode> {
    match subject {
        Subject::Image { prefixes, routes } => image(&prefixes, routes),
        Subject::Qemu => qemu(),
        Subject::Exec { share, command } => exec(share, &command.join(" ")),
        Subject::Bench {
            prefixes,
            routes,
            runs,
            json,
        } => bench(&prefixes, routes, runs, json),
        Subject::Check => check::all().map(|()| ExitCode::SUCCESS),
        Subject::Kunit {
            prefixes,
            filter,
            debug,
            datagrams,
        } => run_kunit(&kunit::Options {
            prefixes,
            filter,
            debug: debug.then_some(datagrams),
        }),
        Subject::Fuzz {
            target,
            seconds,
            minimize,
        } => run_fuzz(&target, Duration::from_secs(seconds), minimize),
        Subject::Prefixes { count } => {
            let mut out = stdout().lock();
            for prefix in prefixes::made(count) {
                writeln!(out, "{prefix}")?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The prefixes in `files`, or `count` made ones where there is no file.
fn table(files: &[PathBuf], count: usize) -> Result<Vec<Prefix>> {
    if files.is_empty() {
        return Ok(prefixes::made(count));
    }
    let mut table = Vec::new();
    for file in files {
        table.extend(prefixes::read(file)?);
    }
    Ok(table)
}

fn bench(files: &[PathBuf], count: usize, runs: usize, json: bool) -> Result<ExitCode> {
    if runs == 0 {
        bail!("--runs: at least 1");
    }
    let mut table = table(files, count)?;
    table.sort_unstable();
    table.dedup();
    let bench = Bench::run(&Image::build()?, &table, runs)?;
    let chart = cache::local()?.join("bench.svg");
    std::fs::write(&chart, bench.svg())?;
    if json {
        print!("{}", bench.json());
    } else {
        println!("{bench}\nchart: {}", chart.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn image(files: &[PathBuf], count: usize) -> Result<ExitCode> {
    let table = table(files, count)?;
    let image = Image::build()?;
    println!("image={}", image.dir().display());
    println!("{}", Sizes::of(&image)?);
    let routes = prefixes::routes(&prefixes::sample(&table, count));
    println!("{}", Boot::measure(&image, &routes)?);
    Ok(ExitCode::SUCCESS)
}

fn qemu() -> Result<ExitCode> {
    let image = Image::build()?;
    if stdin().is_terminal() {
        let mut guest = Guest::launch_shipped(&image, None)?;
        attach::attach(guest.console.channel_mut())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut guest = Guest::boot_shipped(&image, None)?;
    let succeeded = feed::feed(&mut guest, stdin().lock(), &mut stdout().lock())?;
    Ok(if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn exec(share: Option<PathBuf>, command: &str) -> Result<ExitCode> {
    if let Some(dir) = &share {
        std::fs::read_dir(dir).with_context(|| format!("cannot share {}", dir.display()))?;
    }
    let share = share.map(std::fs::canonicalize).transpose()?;
    let image = Image::build()?;
    let mut guest = Guest::start(
        &image,
        &Setup {
            share,
            ..Setup::default()
        },
    )?;
    let status = guest.exec_into(command, &mut stdout().lock(), &mut stderr().lock())?;
    stdout().flush()?;
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)))
}

fn run_kunit(options: &kunit::Options) -> Result<ExitCode> {
    let results = kunit::run(options)?;
    let mut out = stdout().lock();
    for (name, value) in &results.figures {
        writeln!(out, "{name}={value}")?;
    }
    for name in &results.skipped {
        writeln!(out, "skipped {name}")?;
    }
    for name in &results.failed {
        writeln!(out, "FAILED {name}")?;
    }
    writeln!(
        out,
        "{} passed, {} failed, {} skipped",
        results.passed.len(),
        results.failed.len(),
        results.skipped.len()
    )?;
    // a table that is given must be used
    let unused = options.prefixes.is_some() && results.skipped.iter().any(|n| n.contains(".real_"));
    Ok(if results.failed.is_empty() && !unused {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn run_fuzz(names: &[String], time: Duration, minimize: bool) -> Result<ExitCode> {
    let targets = fuzz::select(names)?;
    if minimize {
        fuzz::minimize(&targets)?;
        return Ok(ExitCode::SUCCESS);
    }
    if time.is_zero() {
        bail!("--seconds: at least 1");
    }
    let mut out = stdout().lock();
    let mut code = ExitCode::SUCCESS;
    for outcome in fuzz::run(&targets, time)? {
        writeln!(
            out,
            "{} runs={} runs_per_second={} features={}",
            outcome.target.name, outcome.runs, outcome.per_second, outcome.features
        )?;
        if let Some(found) = outcome.found {
            writeln!(out, "FOUND by {}:\n{found}", outcome.target.name)?;
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}
