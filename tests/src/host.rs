// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the lab needs on the machine it runs on: Debian packages and a Rust target.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::progress::Step;

/// What building a kernel takes.
pub const KERNEL: &[&str] = &[
    "bc",
    "bison",
    "flex",
    "gcc",
    "libc6-dev",
    "libelf-dev",
    "linux-source-6.12",
    "make",
    "xz-utils",
];

/// What packing a root filesystem takes beside it.
pub const IMAGE: &[&str] = &["busybox-static"];

/// What making a disk image takes beside it, and looking into one.
pub const DISK: &[&str] = &[
    "bmap-tools",
    "dosfstools",
    "e2fsprogs",
    "genimage",
    "mtools",
    "squashfs-tools",
];

/// What Buildroot takes that no other of its packages brings.
pub const BUILDROOT: &[&str] = &[
    "bc",
    "bzip2",
    "cpio",
    "file",
    "g++",
    "gcc",
    "git",
    "libc6-dev",
    "make",
    "patch",
    "perl",
    "python3",
    "rsync",
    "unzip",
    "wget",
    "xz-utils",
];

/// What `lab check` takes beside the kernel's.
pub const CHECK: &[&str] = &[
    "coccinelle",
    "g++",
    // Coccinelle loads Python by the name that only this package gives the library
    "libpython3-dev",
    "linux-headers-6.12-amd64",
    "linux-headers-amd64",
    "perl",
    "shellcheck",
    "sparse",
];

/// Sees to it that the packages are installed. As root it installs what lacks; others
/// are told the one command that does.
pub fn require(packages: &[&str]) -> Result<()> {
    let list = lacking(packages)?.join(" ");
    if list.is_empty() {
        return Ok(());
    }
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "these Debian packages are missing; install them and try again:\n    \
             sudo apt-get install --no-install-recommends {list}"
        );
    }

    let step = Step::new("packages");
    // apt does not wait for another; what that one installs may be what lacks here
    let _lock = cache::lock(&cache::shared()?.join("packages.lock"), &step)?;
    let lacking = lacking(packages)?;
    if lacking.is_empty() {
        return Ok(());
    }
    let list = lacking.join(" ");
    step.say(&format!("installing {list}"));
    if !lists_present() {
        apt(&step, &["update"])?;
    }
    if !apt_knows(&lacking)? {
        // the lists may be older than the packages
        apt(&step, &["update"])?;
    }
    if !apt_knows(&lacking)? {
        bail!(
            "this distribution does not offer all of {list}; the lab needs Debian 12 with its \
             security updates"
        );
    }
    // nor does it wait for the system's own updates, unless it is told to
    let mut install = vec!["install", "--yes", "--no-install-recommends"];
    install.extend(["--option", "DPkg::Lock::Timeout=600"]);
    install.extend(&lacking);
    apt(&step, &install)?;
    step.done("installed");
    Ok(())
}

fn lacking<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(packages)
        .output()
        .context("cannot run dpkg-query; the lab works on Debian and its derivatives")?;
    let known = String::from_utf8_lossy(&output.stdout);
    let installed = |package: &&str| {
        known
            .lines()
            .any(|line| line == format!("{package} installed"))
    };
    Ok(packages
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect())
}

fn lists_present() -> bool {
    let lists = std::fs::read_dir("/var/lib/apt/lists");
    lists.is_ok_and(|dir| {
        dir.flatten()
            .any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
    })
}

fn apt_knows(packages: &[&str]) -> Result<bool> {
    let output = Command::new("apt-get")
        .args(["install", "--simulate", "--no-install-recommends"])
        .args(packages)
        .output()
        .context("cannot run apt-get")?;
    Ok(output.status.success())
}

fn apt(step: &Step, args: &[&str]) -> Result<()> {
    let mut child = Command::new("apt-get")
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run apt-get")?;
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        step.at(line?.trim());
    }
    let status = child.wait()?;
    if !status.success() {
        bail!(
            "apt-get {} failed ({status}); its messages are above",
            args[0]
        );
    }
    Ok(())
}
