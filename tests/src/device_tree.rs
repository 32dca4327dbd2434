// SPDX-License-Identifier: MIT OR Apache-2.0
//! Device trees of boards: compiled from the kernel's source as its own build does, looked
//! into and changed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::kernel;
use crate::progress::Step;

/// Debian packages for it.
pub const PACKAGES: &[&str] = &["device-tree-compiler", "gcc"];

/// Compiles the device tree `name`, a path below the architecture's `dts` without its
/// ending, to the file `to`.
pub fn compile(arch: Arch, name: &str, to: &Path) -> Result<()> {
    let source = kernel::unpacked_source(&Step::new("device tree"))?;
    let trees = match arch {
        Arch::X86_64 => bail!("PCs have no device tree"),
        Arch::Aarch64 => source.join("arch/arm64/boot/dts"),
        Arch::Armv7 => source.join("arch/arm/boot/dts"),
    };
    let file = trees.join(name).with_extension("dts");
    let expanded = tempfile::NamedTempFile::new()?;
    let mut expand = Command::new("cpp");
    expand
        .args([
            "-nostdinc",
            "-undef",
            "-D__DTS__",
            "-x",
            "assembler-with-cpp",
            "-I",
        ])
        .arg(source.join("scripts/dtc/include-prefixes"))
        .arg(&file)
        .stdout(expanded.reopen()?);
    run(&mut expand, "cpp")?;
    let mut compile = Command::new("dtc");
    // what it warns of is the kernel's to mend
    compile.args(["-q", "-I", "dts", "-O", "dtb", "-o"]).arg(to);
    // its own includes are relative to the file that cpp has read
    compile
        .arg("-i")
        .arg(file.parent().context("a file has a folder")?);
    run(compile.arg(expanded.path()), "dtc")?;
    Ok(())
}

/// A property of a node, as text; an error if there is none.
pub fn text(tree: &Path, node: &str, property: &str) -> Result<String> {
    let mut get = Command::new("fdtget");
    get.args(["-t", "s"])
        .arg(tree)
        .args([node, property])
        .stdout(Stdio::piped());
    Ok(run(&mut get, "fdtget")?.trim_end().to_owned())
}

/// Takes a device away: a copy of `tree` in `to`, in which `node` is disabled.
pub fn disable(tree: &Path, node: &str, to: &Path) -> Result<()> {
    fs::copy(tree, to).with_context(|| format!("cannot copy {}", tree.display()))?;
    let mut put = Command::new("fdtput");
    put.args(["-t", "s"])
        .arg(to)
        .args([node, "status", "disabled"]);
    run(&mut put, "fdtput").map(drop)
}

/// Runs `command` and returns what it printed.
fn run(command: &mut Command, name: &str) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .and_then(|child| child.wait_with_output())
        .with_context(|| format!("cannot run {name}, of the packages {PACKAGES:?}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed ({}):\n{said}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
