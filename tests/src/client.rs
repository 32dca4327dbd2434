// SPDX-License-Identifier: MIT OR Apache-2.0
//! The client that checks the agent's and the kernel's work without sharing a line with
//! either but the ABI's header: clients/nl31.c, a static program for the guest.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::{self, Key};

/// A folder with the program `nl31` in it, to be shared with a guest.
pub fn build() -> Result<PathBuf> {
    let project = crate::project();
    let source = project.join("tests/clients/nl31.c");
    let headers = project.join("kmod/include/uapi");
    let mut key = Key::default();
    key.add("recipe", include_str!("client.rs"));
    key.add_file(project, &source)?
        .add_file(project, &headers.join("linux/nl31.h"))?;
    let lab = cache::local()?;
    let dir = lab.join(format!("client-{}", key.name()));
    if !dir.is_dir() {
        cache::publish(&dir, |dir| {
            let output = Command::new("gcc")
                .args(["-static", "-O2", "-Wall", "-Wextra", "-Werror", "-I"])
                .arg(&headers)
                .arg("-o")
                .arg(dir.join("nl31"))
                .arg(&source)
                .output()
                .context("cannot run gcc")?;
            if !output.status.success() {
                bail!(
                    "the client does not build:\n{}",
                    String::from_utf8_lossy(&output.stderr)
                );
            }
            // tempfile made it for its owner only; a program in the guest is for everyone
            use std::os::unix::fs::PermissionsExt;
            Ok(fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?)
        })?;
        cache::prune(&lab, "client-", 2)?;
    }
    Ok(dir)
}
