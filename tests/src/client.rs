// SPDX-License-Identifier: MIT OR Apache-2.0
//! Clients that share nothing with the agent or the kernel but the ABI's header, static
//! programs for the guest: clients/nl31.c checks what the two have done, clients/bench.c
//! measures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::cache::{self, Key};
use crate::host;

/// The programs.
const PROGRAMS: &[&str] = &["nl31", "bench"];

/// A folder with the programs for `arch` in it, to be shared with a guest.
pub fn build(arch: Arch) -> Result<PathBuf> {
    host::require(arch.packages())?;
    let project = crate::project();
    let source = |program| project.join(format!("tests/clients/{program}.c"));
    let headers = project.join("kmod/include/uapi");
    let mut key = Key::default();
    key.add("recipe", include_str!("client.rs"));
    key.add_file(project, &headers.join("linux/nl31.h"))?;
    for program in PROGRAMS {
        key.add_file(project, &source(program))?;
    }
    let lab = cache::local()?;
    let dir = lab.join(format!("client-{}-{}", arch.name(), key.name()));
    if !dir.is_dir() {
        cache::publish(&dir, |dir| {
            for program in PROGRAMS {
                compile(arch, &source(program), &headers, &dir.join(program))?;
            }
            // tempfile made it for its owner only; a program in the guest is for everyone
            use std::os::unix::fs::PermissionsExt;
            Ok(fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?)
        })?;
        cache::prune(&lab, &format!("client-{}-", arch.name()), 2)?;
    }
    Ok(dir)
}

/// Another of clients/, as the bytes of a static program.
pub fn compiled(name: &str) -> Result<Vec<u8>> {
    let project = crate::project();
    let dir = tempfile::tempdir()?;
    let program = dir.path().join(name);
    compile(
        Arch::X86_64,
        &project.join(format!("tests/clients/{name}.c")),
        &project.join("kmod/include/uapi"),
        &program,
    )?;
    Ok(fs::read(program)?)
}

fn compile(arch: Arch, source: &Path, headers: &Path, program: &Path) -> Result<()> {
    let gcc = format!("{}gcc", arch.cross());
    let output = Command::new(&gcc)
        .args(["-static", "-O2", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(headers)
        .arg("-o")
        .arg(program)
        .arg(source)
        .output()
        .with_context(|| format!("cannot run {gcc}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} does not build:\n{said}", source.display());
    }
    Ok(())
}
