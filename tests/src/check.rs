// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checks of what the Rust compiler does not see: shell scripts, and kmod/ by the
//! kernel's own measures; and the licences of the crates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};

use crate::progress::Step;
use crate::{cache, host, kernel, licences};

/// Kernel series whose headers the module must build against.
const SERIES: &[&str] = &["6.1.", "6.12."];

/// All checks, the cheapest first.
pub fn all() -> Result<()> {
    host::require(host::KERNEL)?;
    host::require(host::CHECK)?;
    let step = Step::new("check");
    step.say("shellcheck");
    shellcheck()?;
    step.say("licences and duplicates of crates");
    licences::check()?;
    step.say("the UAPI header by itself");
    uapi()?;
    for series in SERIES {
        step.say(&format!("module against {series} at W=1, with sparse"));
        module(series)?;
    }
    step.say("checkpatch --strict");
    let source = kernel::unpacked_source(&step)?;
    checkpatch(&source)?;
    step.say("coccinelle");
    coccinelle(&source)?;
    step.done("passed");
    Ok(())
}

fn shellcheck() -> Result<()> {
    let mut scripts = Vec::new();
    for dir in [
        ".ci",
        "board",
        "buildroot",
        "kmod",
        "rootfs-overlay",
        "tests/guest",
    ] {
        let dir = crate::project().join(dir);
        if dir.is_dir() {
            scripts.extend(cache::files_below(&dir, &is_script)?);
        }
    }
    passes(
        Command::new("shellcheck").arg("--").args(&scripts),
        "shellcheck",
    )
}

/// The UAPI header compiles alone, as old C and C++, for 64 and 32 bits. It has numbers
/// only, so there is no layout to compare.
fn uapi() -> Result<()> {
    let include = crate::project().join("kmod/include/uapi");
    for language in ["-xc", "-xc++"] {
        for bits in ["-m64", "-m32"] {
            passes(
                Command::new("gcc")
                    .args([
                        language,
                        bits,
                        "-ansi",
                        "-Wall",
                        "-Wextra",
                        "-pedantic-errors",
                    ])
                    .args(["-Werror", "-fsyntax-only", "-I"])
                    .arg(&include)
                    // asm/ of the kernel, which gcc does not look for with -m32
                    .args(["-idirafter", "/usr/include/x86_64-linux-gnu"])
                    .arg(include.join("linux/nl31.h")),
                &format!("gcc {language} {bits}"),
            )?;
        }
    }
    Ok(())
}

fn is_script(file: &Path) -> bool {
    let content = fs::read(file).unwrap_or_default();
    let first = content
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    first.starts_with(b"#!") && (first.ends_with(b"sh") || first.ends_with(b"bash"))
}

fn checkpatch(source: &Path) -> Result<()> {
    let mut files = kernel::kmod_files()?;
    files.retain(|file| file.extension().is_some_and(|end| end == "c" || end == "h"));
    let mut checkpatch = Command::new("perl");
    checkpatch.current_dir(source);
    checkpatch.args([
        "scripts/checkpatch.pl",
        "--strict",
        "--no-summary",
        "--show-types",
        "--file",
    ]);
    passes(checkpatch.args(&files), "checkpatch")
}

/// The kernel's semantic checks that do not run: they want an OCaml compiler, 400 MB of packages.
/// The first is about one driver's data; what the second finds, sparse finds too.
const NOT_RUN: &[&str] = &["api/check_bq27xxx_data.cocci", "null/badzero.cocci"];

/// Runs the kernel's semantic checks (scripts/coccinelle) over kmod/, as `make coccicheck` does in
/// its mode `report`: what they print are findings.
fn coccinelle(source: &Path) -> Result<()> {
    let rules = source.join("scripts/coccinelle");
    let is_rule = |file: &Path| {
        file.extension().is_some_and(|end| end == "cocci")
            && !NOT_RUN.iter().any(|name| file.ends_with(name))
    };
    let scripts = cache::files_below(&rules, &is_rule)?;
    if scripts.len() < 50 {
        bail!("only {} checks in {}", scripts.len(), rules.display());
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = String::new();
        while let Some(script) = scripts.get(next.fetch_add(1, Ordering::Relaxed)) {
            found += &semantic_check(source, script)?;
        }
        anyhow::Ok(found)
    };
    let found: String = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..std::thread::available_parallelism()?.get())
            .map(|_| scope.spawn(work))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"))
            .collect::<Result<_>>()
    })?;
    if !found.is_empty() {
        bail!("coccinelle found something:\n{found}");
    }
    Ok(())
}

/// What one check says about kmod/.
fn semantic_check(source: &Path, script: &Path) -> Result<String> {
    let text = fs::read_to_string(script)?;
    // as coccicheck reads them
    let options = text.lines().find_map(|line| line.split_once("Options:"));
    let output = Command::new("spatch")
        .current_dir(source)
        .args(["-D", "report", "--very-quiet", "--no-show-diff"])
        .args(
            options
                .map_or("", |(_, options)| options)
                .split_whitespace(),
        )
        .args(["-I", "include", "--cocci-file"])
        .arg(script)
        .arg("--dir")
        .arg(crate::project().join("kmod"))
        .output()
        .context("cannot run spatch, of the package coccinelle")?;
    if !output.status.success() {
        bail!(
            "spatch failed with {}:\n{}",
            script.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Builds kmod/ out of tree, in a folder of its own, and takes no warning.
fn module(series: &str) -> Result<()> {
    let headers = headers(series)?;
    let work = tempfile::tempdir()?;
    for file in kernel::kmod_files()? {
        let copy = work
            .path()
            .join(file.strip_prefix(crate::project().join("kmod"))?);
        fs::create_dir_all(copy.parent().context("a file has a folder")?)?;
        fs::copy(&file, copy).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    let output = Command::new("make")
        .env_remove("MAKEFLAGS")
        .arg("-C")
        .arg(&headers)
        .arg(format!("M={}", work.path().display()))
        .args(["CONFIG_NL31=m", "W=1", "C=2", "CHECK=sparse", "modules"])
        .output()
        .context("cannot run make")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || messages.to_lowercase().contains("warning") {
        bail!(
            "kmod/ does not build cleanly against {}:\n{messages}",
            headers.display()
        );
    }
    Ok(())
}

/// The newest installed headers of `series`.
fn headers(series: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/usr/src")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(&format!("linux-headers-{series}")) && name.ends_with("-amd64") {
            found.push(PathBuf::from("/usr/src").join(name));
        }
    }
    found.sort();
    found
        .pop()
        .with_context(|| format!("no kernel headers {series}x-amd64 in /usr/src"))
}

fn passes(command: &mut Command, name: &str) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!(
            "{name} found something:\n{}",
            String::from_utf8_lossy(&said)
        );
    }
    Ok(())
}
