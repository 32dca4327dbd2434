// SPDX-License-Identifier: MIT OR Apache-2.0
//! The conformance cases of protocol 31 in wire/, a C program with libmnl, made ready to
//! run in a guest.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::{self, Key};
use crate::host;

/// What building the program takes.
const PACKAGES: &[&str] = &["gcc", "libc6-dev", "libmnl-dev"];

/// The command that runs the cases in a guest that shares the folder of [`build`];
/// patterns for names of cases may follow.
pub const COMMAND: &str = "cd /mnt/share && ./ld.so --library-path . ./nl31-wire";

/// A folder with the program, the libraries it is linked with and their loader: a guest
/// has none of them.
pub fn build() -> Result<PathBuf> {
    host::require(PACKAGES)?;
    let project = crate::project();
    let headers = project.join("kmod/include/uapi");
    let is_source = |file: &Path| file.extension().is_some_and(|end| end == "c" || end == "h");
    let mut sources = cache::files_below(&project.join("tests/wire"), &is_source)?;
    sources.sort();
    let mut key = Key::default();
    key.add("recipe", include_str!("wire.rs"));
    key.add_file(project, &headers.join("linux/nl31.h"))?;
    for source in &sources {
        key.add_file(project, source)?;
    }
    let lab = cache::local()?;
    let dir = lab.join(format!("wire-{}", key.name()));
    if !dir.is_dir() {
        cache::publish(&dir, |dir| {
            let program = dir.join("nl31-wire");
            compile(&sources, &headers, &program)?;
            copy_libraries(&program, dir)?;
            // tempfile made it for its owner only; a program in the guest is for everyone
            Ok(fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?)
        })?;
        cache::prune(&lab, "wire-", 2)?;
    }
    Ok(dir)
}

fn compile(sources: &[PathBuf], headers: &Path, program: &Path) -> Result<()> {
    let output = Command::new("gcc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(headers)
        .arg("-o")
        .arg(program)
        .args(
            sources
                .iter()
                .filter(|file| file.extension().is_some_and(|end| end == "c")),
        )
        .arg("-lmnl")
        .output()
        .context("cannot run gcc")?;
    if !output.status.success() {
        bail!(
            "tests/wire does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// Copies what ldd names, the loader as `ld.so`.
fn copy_libraries(program: &Path, to: &Path) -> Result<()> {
    let output = Command::new("ldd")
        .arg(program)
        .output()
        .context("cannot run ldd")?;
    let list = String::from_utf8(output.stdout)?;
    for line in list.lines() {
        let Some(path) = line.split_whitespace().find(|word| word.starts_with('/')) else {
            continue; // the kernel's own
        };
        let path = Path::new(path);
        let name = path.file_name().context("a library without a name")?;
        let name = if name.to_string_lossy().starts_with("ld-") {
            "ld.so".as_ref()
        } else {
            name
        };
        fs::copy(path, to.join(name)).with_context(|| format!("cannot copy {}", path.display()))?;
    }
    if !to.join("ld.so").is_file() {
        bail!("ldd names no loader for {}:\n{list}", program.display());
    }
    Ok(())
}
