// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's packages for another architecture, unpacked and not installed. apt gets
//! package lists of its own for that: the system's stay as they are, and nothing needs to
//! be root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::cache;
use crate::progress::Step;

/// The folder with the files of `package` for `arch`, of the newest version that was
/// known when it was first asked for.
pub fn unpacked(package: &str, arch: Arch) -> Result<PathBuf> {
    let cache = cache::shared()?;
    let step = Step::new("package");
    let dir = cache.join(format!("debian-{package}-{}", arch.debian()));
    let _lock = cache::lock(&cache.join("debian.lock"), &step)?;
    if dir.is_dir() {
        return Ok(dir);
    }
    step.say(&format!("fetching {package} for {}", arch.debian()));
    let lists = cache.join("debian-lists");
    fs::create_dir_all(lists.join("partial"))?;
    // A list that fails to come leaves the others: what counts is the package.
    let update = apt(&lists, arch).args(["--quiet", "update"]).output();
    let update = update.context("cannot run apt-get")?;
    cache::publish(&dir, |dir| {
        let download = apt(&lists, arch)
            .current_dir(dir)
            .args(["--quiet", "download"])
            .arg(format!("{package}:{}", arch.debian()))
            .output()?;
        if !download.status.success() {
            bail!(
                "apt-get cannot download {package}:{}:\n{}{}",
                arch.debian(),
                String::from_utf8_lossy(&update.stderr),
                String::from_utf8_lossy(&download.stderr)
            );
        }
        let archives = cache::files_below(dir, &|file| {
            file.extension().is_some_and(|end| end == "deb")
        })?;
        let archive = archives.first().context("apt-get downloaded nothing")?;
        let status = Command::new("dpkg-deb")
            .arg("--extract")
            .arg(archive)
            .arg(dir)
            .status()
            .context("cannot run dpkg-deb")?;
        if !status.success() {
            bail!("dpkg-deb cannot unpack {}", archive.display());
        }
        Ok(fs::remove_file(archive)?)
    })?;
    step.done("fetched");
    Ok(dir)
}

/// apt-get, with lists for `arch` in a folder of its own.
fn apt(lists: &Path, arch: Arch) -> Command {
    let mut apt = Command::new("apt-get");
    for option in [
        format!("APT::Architectures::={}", arch.debian()),
        format!("Dir::State::lists={}", lists.display()),
        "Dir::Cache::pkgcache=".to_owned(),
        "Dir::Cache::srcpkgcache=".to_owned(),
        // as root it would fetch as a user who cannot write there
        "APT::Sandbox::User=root".to_owned(),
    ] {
        apt.arg("-o").arg(option);
    }
    apt
}
