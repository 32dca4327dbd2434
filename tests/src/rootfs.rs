// SPDX-License-Identifier: MIT OR Apache-2.0
//! The root filesystem: BusyBox, the overlay, the agent and the board's last hand on
//! them, packed as an initramfs or, for a disk, as a squashfs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::cache::{self, Key};
use crate::cpio::Archive;
use crate::progress::Step;
use crate::{cross, debian};

/// Where BusyBox is, in the image and in Debian's package.
const BUSYBOX: &str = "/bin/busybox";
const POST_BUILD: &str = "board/common/post-build.sh";

/// What that runs.
const BUILD_ID: &str = "board/common/build-id.sh";

/// What S10data runs, which only images with a disk have.
const E2FSPROGS: &[&str] = &["/sbin/e2fsck", "/sbin/mke2fs"];

/// Debian's packages with it, and with the libraries that it needs.
const E2FSPROGS_PACKAGES: &[&str] = &[
    "e2fsprogs",
    "libblkid1",
    "libc6",
    "libcom-err2",
    "libext2fs2",
    "libuuid1",
];

/// The lab's own service in the guest, and where it goes.
pub const LAB_SERVICE: (&str, &[u8]) = ("etc/init.d/S50lab", include_bytes!("../guest/S50lab"));

/// Where it finds a BusyBox with all applets, in an image whose own was not made for it.
/// (One that is called otherwise takes its name for an applet.)
pub const LAB_BUSYBOX: &str = "busybox-lab";

/// What goes into a root filesystem.
pub struct Parts {
    arch: Arch,
    /// The agent's binary, static.
    pub agent: PathBuf,
    /// BusyBox, static.
    busybox: PathBuf,
}

impl Parts {
    /// Builds the agent and finds BusyBox.
    pub fn build(arch: Arch) -> Result<Self> {
        Ok(Self {
            arch,
            agent: cross::static_binary(arch, "nl31-agent")?,
            busybox: busybox(arch)?,
        })
    }

    /// Names all that a root filesystem depends on.
    pub fn key(&self) -> Result<String> {
        let project = crate::project();
        let mut key = Key::default();
        key.add(
            "recipe",
            concat!(include_str!("rootfs.rs"), include_str!("cpio.rs")),
        );
        key.add_file(project, &self.agent)?;
        key.add_file(project, &self.busybox)?;
        for script in [POST_BUILD, BUILD_ID] {
            key.add_file(project, &project.join(script))?;
        }
        for file in cache::files_below(&project.join("rootfs-overlay"), &|_| true)? {
            key.add_file(project, &file)?;
        }
        Ok(key.name())
    }

    /// Writes the root filesystem to `to`, an xz'd cpio.
    pub fn pack(&self, to: &Path) -> Result<()> {
        let step = Step::new("root filesystem");
        let work = tempfile::tempdir().context("cannot make a temporary folder")?;
        let root = self.assemble(work.path())?;
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

    /// Writes the root filesystem of a board with a disk to `to`, a squashfs; with the lab's
    /// service in it, if asked for.
    pub fn pack_for_disk(&self, to: &Path, lab: bool) -> Result<()> {
        let step = Step::new("root filesystem");
        let work = tempfile::tempdir().context("cannot make a temporary folder")?;
        let root = self.assemble(work.path())?;
        match self.arch {
            Arch::X86_64 => {
                for program in E2FSPROGS {
                    install_with_libraries(Path::new(program), &root)?;
                }
            }
            arch => install_unpacked(arch, &root)?,
        }
        if lab {
            let (path, content) = LAB_SERVICE;
            let path = root.join(path);
            fs::write(&path, content)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        let packed = Command::new("mksquashfs")
            .arg(&root)
            .arg(to)
            .args(["-noappend", "-all-root", "-comp", "xz", "-no-progress"])
            .args(["-mkfs-time", "0", "-all-time", "0"])
            .output()
            .context("cannot run mksquashfs")?;
        if !packed.status.success() {
            let said = String::from_utf8_lossy(&packed.stderr);
            bail!("mksquashfs failed ({}):\n{said}", packed.status);
        }
        step.done("packed");
        Ok(())
    }

    /// Puts all files together below `work`; returns the folder.
    fn assemble(&self, work: &Path) -> Result<PathBuf> {
        let root = work.join("target");
        for dir in [
            "bin", "data", "dev", "proc", "run", "sbin", "sys", "tmp", "usr/bin", "usr/sbin",
        ] {
            fs::create_dir_all(root.join(dir))?;
        }
        install_busybox(&self.busybox, &root)?;
        copy_tree(&crate::project().join("rootfs-overlay"), &root)?;
        install(&self.agent, &root.join("usr/sbin/nl31-agent"))?;
        post_build(&root, work, &self.key()?)?;
        Ok(root)
    }
}

/// Debian's BusyBox, static.
pub fn busybox(arch: Arch) -> Result<PathBuf> {
    match arch {
        Arch::X86_64 => Ok(PathBuf::from(BUSYBOX)),
        _ => Ok(debian::unpacked("busybox-static", arch)?.join("bin/busybox")),
    }
}

/// BusyBox under each of its names. The host's tells them: it is of the same source and
/// configuration as those for other architectures.
fn install_busybox(busybox: &Path, root: &Path) -> Result<()> {
    let output = Command::new(BUSYBOX)
        .arg("--list-full")
        .output()
        .with_context(|| format!("cannot run {BUSYBOX}, of the package busybox-static"))?;
    install(busybox, &root.join("bin/busybox"))?;
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

/// Copies a program of the host to the same place, and the libraries that it needs.
fn install_with_libraries(program: &Path, root: &Path) -> Result<()> {
    let output = Command::new("ldd")
        .arg(program)
        .output()
        .context("cannot run ldd")?;
    let list = String::from_utf8(output.stdout)?;
    let libraries = list
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    for file in libraries.map(Path::new).chain([program]) {
        let to = root.join(file.strip_prefix("/")?);
        fs::create_dir_all(to.parent().context("a file has a folder")?)?;
        // it may be a name of BusyBox, a link
        let _ = fs::remove_file(&to);
        install(file, &to)?;
    }
    Ok(())
}

/// Copies [`E2FSPROGS`] for another architecture, and the libraries that they need to
/// where its loader looks as well.
fn install_unpacked(arch: Arch, root: &Path) -> Result<()> {
    let mut files = Vec::new();
    for package in E2FSPROGS_PACKAGES {
        let dir = debian::unpacked(package, arch)?;
        files.extend(cache::files_below(&dir, &|_| true)?);
    }
    let find = |end: &Path| {
        let found = files.iter().find(|file| file.ends_with(end));
        found.with_context(|| format!("no {} in {E2FSPROGS_PACKAGES:?}", end.display()))
    };
    fs::create_dir_all(root.join("lib"))?;
    let mut libraries = Vec::new();
    for program in E2FSPROGS {
        let path = Path::new(program).strip_prefix("/")?;
        let _ = fs::remove_file(root.join(path));
        let from = find(path)?;
        install(from, &root.join(path))?;
        libraries.extend(libraries_of(from)?);
    }
    while let Some(library) = libraries.pop() {
        let to = root.join("lib").join(&library);
        if !to.exists() {
            let from = find(Path::new(&library))?;
            install(from, &to)?;
            libraries.extend(libraries_of(from)?);
        }
    }
    Ok(())
}

/// The libraries that a program or library of any architecture names.
fn libraries_of(file: &Path) -> Result<Vec<String>> {
    let output = Command::new("readelf").arg("-d").arg(file).output();
    let output = output.context("cannot run readelf, of the package binutils")?;
    let list = String::from_utf8(output.stdout)?;
    let needed = list.lines().filter(|line| line.contains("(NEEDED)"));
    let name = |line: &str| Some(line.split_once('[')?.1.trim_end_matches(']').to_owned());
    Ok(needed.filter_map(name).collect())
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
fn post_build(root: &Path, work: &Path, build: &str) -> Result<()> {
    let binaries = work.join("images");
    fs::create_dir(&binaries)?;
    let output = Command::new(crate::project().join(POST_BUILD))
        .arg(root)
        .env("TARGET_DIR", root)
        .env("BINARIES_DIR", &binaries)
        .env("HOST_DIR", "/usr")
        .env("NL31_BUILD_ID", format!("lab-{build}"))
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
