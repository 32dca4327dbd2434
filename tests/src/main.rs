// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `cargo lab`, and `cargo qemu`, which is `cargo lab qemu`.

use std::io::{IsTerminal, Write, stderr, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use nl31_lab::agent_bench::{self, AgentBench};
use nl31_lab::bench::Bench;
use nl31_lab::disk::Board;
use nl31_lab::figures::{AGENT_LIMIT, Boot, Sizes};
use nl31_lab::forward_bench::ForwardBench;
use nl31_lab::ktap::Results;
use nl31_lab::prefixes::Prefix;
use nl31_lab::{
    Arch, Disk, DiskImage, Guest, Image, Setup, attach, buildroot, cache, check, cross,
    debug_kernel, feed, fuzz, host, image, kernel, kunit, prefixes,
};

/// Builds the nl31 image from distribution packages and boots it in QEMU.
///
/// It is the image that Buildroot makes but for the compiler of the kernel and of BusyBox.
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
        /// What to build it for.
        #[arg(long, value_enum, default_value_t)]
        arch: Arch,
        /// The disk image of PCs instead, without a measured boot.
        #[arg(long, conflicts_with_all = ["arch", "prefixes", "routes"])]
        disk: bool,
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
    Qemu {
        /// What to emulate.
        #[arg(long, value_enum, default_value_t)]
        arch: Arch,
        /// Boot what Buildroot made: its folder `images`.
        #[arg(long, value_name = "DIR", conflicts_with = "arch")]
        image: Option<PathBuf>,
        /// Boot a PC from a disk instead of from memory. It is FILE, which is made if it is
        /// not there, or else gone when QEMU ends.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["arch", "image"])]
        disk: Option<Option<PathBuf>>,
    },
    /// Builds a board's image with Buildroot, prints where it is and its sizes, one
    /// `name=value` a line, and fails if one is above its limit.
    Buildroot {
        /// The board: buildroot/configs/nl31_NAME_defconfig.
        #[arg(long, value_name = "NAME")]
        board: String,
        /// A checkout of Buildroot or an unpacked release, instead of fetching the release
        /// that the tree is tested with.
        #[arg(long, value_name = "DIR")]
        buildroot: Option<PathBuf>,
        /// Where to build [default: target/buildroot/NAME].
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
        /// Instead of building all, run make there with these arguments: `-- menuconfig`.
        #[arg(last = true, value_name = "MAKE ARGS")]
        make: Vec<String>,
    },
    /// Builds the agent alone, static, and prints where it is.
    Agent {
        /// What to build it for.
        #[arg(long, value_enum, default_value_t)]
        arch: Arch,
    },
    /// Runs the system tests on an image that Buildroot made, or torments nl31 as a module of a
    /// kernel that finds bugs, on two processors.
    Test {
        /// The image: Buildroot's folder `images`.
        #[arg(long, value_name = "DIR", required_unless_present = "debug_kernel")]
        image: Option<PathBuf>,
        /// With KASAN, lockdep, UBSAN, kmemleak and fault injection.
        #[arg(long, conflicts_with = "image")]
        debug_kernel: bool,
        /// How many malformed datagrams to send to the debug kernel.
        #[arg(long, requires = "debug_kernel")]
        datagrams: Option<u32>,
        /// What the random numbers of the tests come from, instead of what they always do.
        #[arg(long, requires = "debug_kernel")]
        seed: Option<u32>,
        /// Of what is done to the debug kernel, these steps only.
        #[arg(value_name = "STEP", requires = "debug_kernel")]
        steps: Vec<String>,
    },
    /// Boots the image and runs a shell command in it as root; exits with its status, or with 125
    /// if the lab itself failed.
    Exec {
        /// What to emulate.
        #[arg(long, value_enum, default_value_t)]
        arch: Arch,
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
        /// Measure forwarding instead, in user-mode Linux; --runs does not count.
        #[arg(long, conflicts_with = "agent")]
        forward: bool,
        /// Measure the agent instead: loads over a serial line and from a file, the echo of
        /// keys, memory.
        #[arg(long)]
        agent: bool,
        /// With --agent: commands after which its memory is looked at.
        #[arg(long, default_value_t = 10_000)]
        commands: usize,
    },
    /// Checks the shell scripts and kmod/ (shellcheck, checkpatch, coccinelle, sparse, W=1 builds,
    /// its header alone).
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
        /// How many packets are forwarded by the table and by Linux, and compared.
        #[arg(long)]
        packets: Option<u32>,
        /// What the random numbers of the tests come from, instead of what they always do.
        #[arg(long)]
        seed: Option<u32>,
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
    /// Builds all kernels that .ci/run boots, in the order in which it needs them.
    Kernels,
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
        // lost if standard error is closed
        let _ = writeln!(stderr(), "lab: {error:#}");
        ExitCode::from(failure)
    })
}

fn run(subject: Subject) -> Result<ExitCode> {
    match subject {
        Subject::Image { disk: true, .. } => disk_image(),
        Subject::Image {
            arch,
            prefixes,
            routes,
            ..
        } => image(arch, &prefixes, routes),
        Subject::Qemu { arch, image, disk } => qemu(
            arch,
            image.as_deref(),
            disk.as_ref().map(|file| file.as_deref()),
        ),
        Subject::Buildroot {
            board,
            buildroot,
            output,
            make,
        } => {
            let build = buildroot::Build::new(&board, buildroot.as_deref(), output.as_deref())?;
            run_buildroot(&build, &make)
        }
        Subject::Agent { arch } => {
            host::require(arch.packages())?;
            let agent = cross::static_binary(arch, "nl31-agent")?;
            println!("{}", agent.display());
            Ok(ExitCode::SUCCESS)
        }
        Subject::Test {
            image: Some(image), ..
        } => test(&image),
        Subject::Test {
            datagrams,
            seed,
            steps,
            ..
        } => report(&debug_kernel::run(&debug_kernel::Options {
            steps,
            datagrams,
            seed,
        })?),
        Subject::Exec {
            arch,
            share,
            command,
        } => exec(arch, share, &command.join(" ")),
        Subject::Bench {
            prefixes,
            routes,
            runs,
            json,
            agent: false,
            forward: false,
            ..
        } => bench(&prefixes, routes, runs, json),
        Subject::Bench {
            prefixes,
            routes,
            json,
            forward: true,
            ..
        } => bench_forward(&prefixes, routes, json),
        Subject::Bench {
            runs,
            json,
            commands,
            ..
        } => bench_agent(runs, json, commands),
        Subject::Check => check::all().map(|()| ExitCode::SUCCESS),
        Subject::Kunit {
            prefixes,
            filter,
            debug,
            datagrams,
            packets,
            seed,
        } => run_kunit(&kunit::Options {
            prefixes,
            filter,
            debug: debug.then_some(datagrams),
            packets,
            seed,
        }),
        Subject::Fuzz {
            target,
            seconds,
            minimize,
        } => run_fuzz(&target, Duration::from_secs(seconds), minimize),
        Subject::Kernels => {
            for spec in kernel::IN_CI {
                host::require(&spec.packages())?;
                spec.build()?;
            }
            Ok(ExitCode::SUCCESS)
        }
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
    let bench = Bench::run(&Image::build(Arch::X86_64)?, &table, runs)?;
    let chart = cache::local()?.join("bench.svg");
    std::fs::write(&chart, bench.svg())?;
    if json {
        print!("{}", bench.json());
    } else {
        println!("{bench}\nchart: {}", chart.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn bench_forward(files: &[PathBuf], count: usize, json: bool) -> Result<ExitCode> {
    let bench = ForwardBench::run(&table(files, count)?)?;
    if json {
        print!("{}", bench.json()?);
    } else {
        print!("{bench}");
    }
    Ok(ExitCode::SUCCESS)
}

fn bench_agent(runs: usize, json: bool, commands: usize) -> Result<ExitCode> {
    let options = agent_bench::Options {
        line: 20_000,
        file: 200_000,
        routes: 1_000_000,
        commands,
        runs,
    };
    let bench = AgentBench::run(&Image::build(Arch::X86_64)?, &options)?;
    if json {
        print!("{}", bench.json());
    } else {
        print!("{bench}");
    }
    Ok(ExitCode::SUCCESS)
}

fn image(arch: Arch, files: &[PathBuf], count: usize) -> Result<ExitCode> {
    let table = table(files, count)?;
    let image = Image::build(arch)?;
    println!("image={}", image.dir().display());
    println!("{}", Sizes::of(&image)?);
    let routes = prefixes::routes(&prefixes::sample(&table, count));
    println!("{}", Boot::measure(&image, &routes)?);
    Ok(ExitCode::SUCCESS)
}

fn disk_image() -> Result<ExitCode> {
    let image = DiskImage::build(Board::Pc)?;
    println!("image={}", image.file().display());
    println!("image_bytes={}", image.file().metadata()?.len());
    println!("kernel_bytes={}", image.kernel().metadata()?.len());
    Ok(ExitCode::SUCCESS)
}

fn qemu(arch: Arch, image: Option<&Path>, disk: Option<Option<&Path>>) -> Result<ExitCode> {
    let mut guest;
    // gone only when the guest is
    let mut _disk = None;
    if let Some(file) = disk {
        let image = DiskImage::build(Board::Pc)?;
        let path = match file {
            Some(file) => {
                if !file.exists() {
                    Disk::flashed(&image.file())?.keep(file)?;
                }
                file
            }
            None => _disk.insert(Disk::flashed(&image.file())?).path(),
        };
        guest = Guest::launch_disk(&image, path)?;
    } else {
        let image = match image {
            Some(dir) => Image::open(dir)?,
            None => Image::build(arch)?,
        };
        guest = Guest::launch_shipped(&image, None)?;
    }
    if stdin().is_terminal() {
        attach::attach(guest.console.channel_mut())?;
        return Ok(ExitCode::SUCCESS);
    }
    guest.await_boot()?;
    let succeeded = feed::feed(&mut guest, stdin().lock(), &mut stdout().lock())?;
    Ok(if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn run_buildroot(build: &buildroot::Build, make: &[String]) -> Result<ExitCode> {
    if !make.is_empty() {
        return Ok(if build.make(make)? {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let images = build.run()?;
    let product = buildroot::Product::of(&images)?;
    println!("images={}", images.display());
    let agent = build.agent().metadata()?.len();
    println!("agent_bytes={agent}");
    for (file, bytes) in &product.files {
        let name = file.file_name().unwrap_or_default().display();
        println!("{name}_bytes={bytes}");
    }
    println!("bytes={}", product.bytes());
    println!("limit_bytes={}", product.limit);
    if product.bytes() > product.limit {
        bail!(
            "the image is {} bytes above its limit",
            product.bytes() - product.limit
        );
    }
    if agent > AGENT_LIMIT {
        bail!("the agent has {agent} bytes, which is above its limit of {AGENT_LIMIT}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Tests that need network devices which only the lab's kernel can make.
const LAB_KERNEL_ONLY: &[&str] = &["a_route_whose_device_goes_is_kept"];

/// Those that boot an image and drive it, on an image that is given.
fn test(dir: &Path) -> Result<ExitCode> {
    let dir = std::fs::canonicalize(dir).with_context(|| format!("no {}", dir.display()))?;
    let image = Image::open(&dir)?;
    let bytes = image.kernel().metadata()?.len() + image.rootfs().metadata()?.len();
    println!("kernel_and_rootfs_bytes={bytes}");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tests = Command::new(cargo);
    tests
        .current_dir(nl31_lab::project())
        .env(image::VARIABLE, &dir)
        .args(["test", "--locked", "--package", "nl31-lab"])
        .args(["--test", "system", "--"]);
    for suite in ["boot", "console", "program", "protocol"] {
        tests.arg(format!("{suite}::{}::", image.arch().name()));
    }
    tests.arg("--include-ignored");
    for name in LAB_KERNEL_ONLY {
        tests.args(["--skip", name]);
    }
    let status = tests.status().context("cannot run cargo")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn exec(arch: Arch, share: Option<PathBuf>, command: &str) -> Result<ExitCode> {
    if let Some(dir) = &share {
        std::fs::read_dir(dir).with_context(|| format!("cannot share {}", dir.display()))?;
    }
    let share = share.map(std::fs::canonicalize).transpose()?;
    let image = Image::build(arch)?;
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
    // a table that is given must be used
    let unused = options.prefixes.is_some() && results.skipped.iter().any(|n| n.contains(".real_"));
    let outcome = report(&results)?;
    Ok(if unused { ExitCode::FAILURE } else { outcome })
}

fn report(results: &Results) -> Result<ExitCode> {
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
    Ok(if results.failed.is_empty() {
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
