// SPDX-License-Identifier: MIT OR Apache-2.0
//! Static programs of this project for the guest, by plain cargo. Where rustup has the
//! target's standard library, rust-lld links the program without a cross compiler. Where
//! it does not, as for 32-bit Arm, the library is built with the program, from rust-src,
//! and linked with musl from Debian's package for that architecture.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nix::fcntl::Flock;

use crate::arch::Arch;
use crate::progress::Step;
use crate::{cache, cost, debian};

/// Builds the binary of one of the project's packages for the guest.
pub fn static_binary(arch: Arch, package: &'static str) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--release", "--package", package]);
    static_executable(build, arch, package)
}

/// Builds a file of one of the project's packages' `tests/`, to be run in the guest.
pub fn static_test(arch: Arch, package: &'static str, test: &str) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["test", "--no-run", "--package", package, "--test", test]);
    // It is run from memory.
    build.env("CARGO_PROFILE_DEV_STRIP", "symbols");
    static_executable(build, arch, package)
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn static_executable(mut build: Command, arch: Arch, package: &'static str) -> Result<PathBuf> {
    let target = arch.rust_target();
    let step = Step::new(package);
    build
        .current_dir(crate::project())
        .args(["--locked", "--target", target])
        .args(["--message-format", "json-render-diagnostics", "--quiet"]);
    if !require_std(target, &step)? {
        with_std(&mut build, arch, &step)?;
    }
    let started = Instant::now();
    let mut child = build
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let mut binary = None;
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let message: serde_json::Value = serde_json::from_str(&line?)?;
        if message["fresh"] == false {
            step.at(&format!(
                "building {}",
                message["target"]["name"].as_str().unwrap_or_default()
            ));
        }
        if let Some(path) = message["executable"].as_str() {
            binary = Some(PathBuf::from(path));
        }
    }
    let (status, taken) = cost::wait(&mut child)?;
    if !status.success() {
        bail!("{package} does not build ({status}); the compiler's messages are above");
    }
    cost::record(
        "program",
        &format!("{package}-{}", arch.name()),
        started.elapsed(),
        taken,
    );
    step.done("built");
    binary.with_context(|| format!("cargo built no binary for {package}"))
}

/// Builds a library of this project for a target that has no operating system.
pub fn bare_library(target: &str, package: &'static str) -> Result<()> {
    let step = Step::new(package);
    if !require_std(target, &step)? {
        bail!("rustup target add {target} failed");
    }
    let status = cargo()
        .current_dir(crate::project())
        .args(["build", "--release", "--locked", "--quiet"])
        .args(["--package", package, "--target", target])
        .stdin(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("{package} does not build for {target} ({status})");
    }
    step.done("built");
    Ok(())
}

/// Checks all of the project with the oldest compiler that Cargo.toml promises, which rustup
/// installs.
pub fn check_with_oldest_compiler() -> Result<()> {
    let version = env!("CARGO_PKG_RUST_VERSION");
    let step = Step::new("oldest compiler");
    step.say(&format!("checking with Rust {version}"));
    {
        let _lock = rustup_lock(&step)?;
        let installed = Command::new("rustup")
            .args(["--quiet", "toolchain", "install", version])
            .args(["--profile", "minimal", "--no-self-update"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !installed.context("cannot run rustup")?.success() {
            bail!("rustup toolchain install {version} failed");
        }
    }
    let status = Command::new("rustup")
        .current_dir(crate::project())
        .args(["run", version, "cargo", "check", "--locked", "--quiet"])
        .args(["--workspace", "--all-targets"])
        .env("CARGO_TARGET_DIR", cache::local()?.join("oldest"))
        .stdin(Stdio::null())
        .status()
        .context("cannot run rustup")?;
    if !status.success() {
        bail!("the project does not build with Rust {version} ({status})");
    }
    step.done("checked");
    Ok(())
}

/// Whether the toolchain has the standard library of `target`.
fn has_std(target: &str) -> bool {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output();
    output.is_ok_and(|output| {
        output.status.success()
            && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

/// Has rustup add the standard library of `target` where it lacks; false where it is not
/// to be had.
fn require_std(target: &str, step: &Step) -> Result<bool> {
    let _lock = rustup_lock(step)?;
    if has_std(target) {
        return Ok(true);
    }
    step.say(&format!("adding the Rust target {target}"));
    // its own messages would be taken for an error of ours
    let added = Command::new("rustup")
        .args(["--quiet", "target", "add", target])
        .stderr(Stdio::null())
        .status();
    match added {
        Ok(status) => Ok(status.success()),
        Err(error) => {
            bail!("the Rust target {target} is missing, and rustup cannot be run: {error}")
        }
    }
}

/// Two at once could each find half of what the other installs.
fn rustup_lock(step: &Step) -> Result<Flock<File>> {
    cache::lock(&cache::shared()?.join("rustup.lock"), step)
}

/// Has cargo build the standard library as well. That takes a nightly compiler, or a
/// stable one that is told to be one.
fn with_std(build: &mut Command, arch: Arch, step: &Step) -> Result<()> {
    step.say("rustup does not have it; building it from rust-src");
    {
        let _lock = rustup_lock(step)?;
        let added = Command::new("rustup")
            .args(["--quiet", "component", "add", "rust-src"])
            .status();
        if !added.is_ok_and(|status| status.success()) {
            bail!("rustup component add rust-src failed");
        }
    }
    let libraries = libraries(arch)?;
    let dir = libraries.display();
    let gcc = format!("{}gcc", arch.cross());
    let name = arch.rust_target().replace('-', "_").to_uppercase();
    // musl's start files and library instead of gcc's, behind what rustc names: -lc and
    // -lgcc once more, for what the start files and libc itself refer to
    let flags = [
        "-Clink-self-contained=no".to_owned(),
        "-Crelocation-model=static".to_owned(),
        format!("-Lnative={dir}"),
        format!("-Clink-args=-nostdlib -static -no-pie {dir}/crt1.o {dir}/crti.o"),
        format!("-Clink-args=-lc -lgcc {dir}/crtn.o"),
    ];
    build
        .args(["-Zbuild-std=std,panic_abort"])
        // RUSTC_BOOTSTRAP differs from other builds, and wherever it differs cargo runs build
        // scripts again, and builds anew all that depends on one
        .arg("--target-dir")
        .arg(cache::local()?.join("with-std"))
        .env("RUSTC_BOOTSTRAP", "1")
        .env(format!("CARGO_TARGET_{name}_LINKER"), gcc)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    Ok(())
}

/// A folder with what a static program is linked with: musl's files, and gcc's unwinder
/// under the name that Rust looks for.
fn libraries(arch: Arch) -> Result<PathBuf> {
    let musl = debian::unpacked("musl-dev", arch)?;
    let gcc = format!("{}gcc", arch.cross());
    let output = Command::new(&gcc)
        .arg("-print-file-name=libgcc_eh.a")
        .output()
        .with_context(|| format!("cannot run {gcc}"))?;
    let unwinder = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    let dir = cache::local()?.join(format!("musl-{}", arch.name()));
    fs::create_dir_all(&dir)?;
    let files = cache::files_below(&musl, &|file| {
        file.extension().is_some_and(|end| end == "o" || end == "a")
    })?;
    for file in files {
        let name = file.file_name().context("a file has a name")?;
        fs::copy(&file, dir.join(name))?;
    }
    fs::copy(&unwinder, dir.join("libunwind.a"))
        .with_context(|| format!("cannot copy {}", unwinder.display()))?;
    Ok(dir)
}
