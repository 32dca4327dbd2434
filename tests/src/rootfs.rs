// SPDX-License-Identifier: MIT OR Apache-2.0
//! The root filesystem: BusyBox, the overlay, the agent and the board's last hand on
//! them, packed as an initramfs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache::{self, Key};
use crate::cpio::Archive;
use crate::host;
use crate::progress::Step;

const TARGET: &str = "x86_64-unknown-linux-musl";
const BUSYBOX: &str = "/bin/busybox";
const POST_BUILD: &str = "board/common/post-build.sh";

/// What goes into a root filesystem.
pub struct Parts {
    /// The agent's binary, static.
    pub agent: PathBuf,
}

impl Parts {
    /// Builds the agent.
    pub fn build() -> Result<Self> {
        Ok(Self {
            agent: static_binary("nl31-agent")?,
        })
    }

    /// Names all that [`Parts::pack`] depends on.
    pub fn key(&self) -> Result<String> {
        let project = crate::project();
        let mut key = Key::default();
        key.add(
            "recipe",
            concat!(include_str!("rootfs.rs"), include_str!("cpio.rs")),
        );
        key.add_file(project, &self.agent)?;
        key.add_file(project, Path::new(BUSYBOX))?;
        key.add_file(project, &project.join(POST_BUILD))?;
        for file in cache::files_below(&project.join("rootfs-overlay"), &|_| true)? {
            key.add_file(project, &file)?;
        }
        Ok(key.name())
    }

    /// Writes the root filesystem to `to`, an xz'd cpio.
    pub fn pack(&self, to: &Path) -> Result<()> {
        let step = Step::new("root filesystem");
        let work = tempfile::tempdir().context("cannot make a temporary folder")?;
        let root = work.path().join("target");
        for dir in [
            "bin", "data", "dev", "proc", "run", "sbin", "sys", "tmp", "usr/bin", "usr/sbin",
        ] {
            fs::create_dir_all(root.join(dir))?;
        }
        install_busybox(&root)?;
        copy_tree(&crate::project().join("rootfs-overlay"), &root)?;
        install(&self.agent, &root.join("usr/sbin/nl31-agent"))?;
        post_build(&root, work.path())?;

        let mut archive = Archive::default();
        archive.tree(&root)?;
        // The kernel runs /init of an initramfs, and opens the console for it before
        // anything could be mounted.
        archive.symlink("init", "sbin/init");
        archive.device("dev/console", 0o600, 5, 1);
        fs::write(to, xz(&archive.finish())?)?;
        step.done("packed");
        Ok(())
    }
}

/// Builds the binary of one of the project's packages for the guest.
pub fn static_binary(package: &'static str) -> Result<PathBuf> {
    host::require_target(TARGET)?;
    let step = Step::new(package);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(cargo)
        .current_dir(crate::project())
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            package,
            "--target",
            TARGET,
        ])
        .args(["--message-format", "json-render-diagnostics", "--quiet"])
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
    let status = child.wait()?;
    if !status.success() {
        bail!("{package} does not build ({status}); the compiler's messages are above");
    }
    step.done("built");
    binary.with_context(|| format!("cargo built no binary for {package}"))
}

/// BusyBox under each of its names.
fn install_busybox(root: &Path) -> Result<()> {
    let output = Command::new(BUSYBOX)
        .arg("--list-full")
        .output()
        .with_context(|| format!("cannot run {BUSYBOX}, of the package busybox-static"))?;
    install(Path::new(BUSYBOX), &root.join("bin/busybox"))?;
    for name in String::from_utf8(output.stdout)?
        .lines()
        .filter(|name| *name != "bin/busybox")
    {
        symlink(BUSYBOX, root.join(name))
            .with_context(|| format!("cannot link {name}, a name of BusyBox"))?;
    }
    Ok(())
}

/// Copies a program or script.
fn install(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(0o755))?)
}

/// Copies the overlay. The umask of the checkout stays behind.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let executable = entry.metadata()?.permissions().mode() & 0o100 != 0;
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
        let mode = if executable { 0o755 } else { 0o644 };
        fs::set_permissions(&target, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Calls the board's script as Buildroot does.
fn post_build(root: &Path, work: &Path) -> Result<()> {
    let binaries = work.join("images");
    fs::create_dir(&binaries)?;
    let output = Command::new(crate::project().join(POST_BUILD))
        .arg(root)
        .env("TARGET_DIR", root)
        .env("BINARIES_DIR", &binaries)
        .env("HOST_DIR", "/usr")
        .current_dir(crate::project())
        .output()
        .with_context(|| format!("cannot run {POST_BUILD}"))?;
    if !output.status.success() {
        bail!(
            "{POST_BUILD} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// Compresses as the kernel can read it: its xz knows no CRC64.
fn xz(data: &[u8]) -> Result<Vec<u8>> {
    let mut child = Command::new("xz")
        .args(["--check=crc32", "--lzma2=preset=9e,dict=4MiB", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run xz")?;
    let mut input = child.stdin.take().expect("piped");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(data));
        child.wait_with_output()
    })?;
    if !output.status.success() {
        bail!("xz failed ({})", output.status);
    }
    Ok(output.stdout)
}
