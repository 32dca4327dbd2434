// SPDX-License-Identifier: MIT OR Apache-2.0
//! Buildroot on the external tree: fetched, configured for a board and built, outside the
//! working tree's sources.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::host;
use crate::image;
use crate::progress::Step;

/// The release that the tree is tested with.
pub const RELEASE: &str = "2026.02.3";

/// What its tag must name. A tag can be moved, a commit's id is made from its content.
pub const COMMIT: &str = "679b9ead7620bbf193620d1ebf56f53c1764d37a";

/// Where it is fetched from.
pub const REPOSITORY: &str = "https://gitlab.com/buildroot.org/buildroot.git";

/// Kernel and root filesystem of an image for QEMU, together.
const MEMORY_IMAGE_LIMIT: u64 = 6 << 20;

/// The disk image of a board.
const DISK_IMAGE_LIMIT: u64 = 64 << 20;

/// What post-image.sh leaves, by board.
const DISK_IMAGES: &[&str] = &["disk.img", "sdcard.img"];

/// How much of a failed build is shown; the rest is in its log.
const SHOWN_LINES: usize = 30;

/// The external tree.
pub fn tree() -> PathBuf {
    crate::project().join("buildroot")
}

/// The boards that have a configuration.
pub fn boards() -> Result<Vec<String>> {
    let configs = tree().join("configs");
    let mut boards = Vec::new();
    for entry in
        fs::read_dir(&configs).with_context(|| format!("cannot list {}", configs.display()))?
    {
        let name = entry?.file_name().to_string_lossy().into_owned();
        match board_of(&name) {
            Some(board) => boards.push(board.to_owned()),
            None => bail!("configs/{name} is no nl31_BOARD_defconfig"),
        }
    }
    boards.sort();
    Ok(boards)
}

fn board_of(name: &str) -> Option<&str> {
    name.strip_prefix("nl31_")?.strip_suffix("_defconfig")
}

/// A board, a Buildroot to build it with, and where.
pub struct Build {
    board: String,
    buildroot: PathBuf,
    output: PathBuf,
}

impl Build {
    /// Of `board`, also named as its configuration is. Without `buildroot`, a checkout or
    /// an unpacked release, with the pinned release, which is fetched once; without
    /// `output` in target/buildroot/BOARD.
    pub fn new(board: &str, buildroot: Option<&Path>, output: Option<&Path>) -> Result<Self> {
        let board = board_of(board).unwrap_or(board);
        let boards = boards()?;
        if !boards.iter().any(|known| known == board) {
            bail!("no board {board}; there are {}", boards.join(", "));
        }
        let output = match output {
            Some(dir) => std::path::absolute(dir)?,
            None => cache::target()?.join("buildroot").join(board),
        };
        // the agent's package copies the working tree but for target/
        let project = fs::canonicalize(crate::project())?;
        if output.starts_with(&project) && !output.starts_with(project.join("target")) {
            bail!(
                "--output: {} is in the working tree; name a folder outside it",
                output.display()
            );
        }
        host::require(host::BUILDROOT)?;
        let buildroot = match buildroot {
            Some(dir) => {
                version(dir)?;
                fs::canonicalize(dir)?
            }
            None => release()?,
        };
        Ok(Self {
            board: board.to_owned(),
            buildroot,
            output,
        })
    }

    /// Configures where that is due, and builds. Returns the folder with the images.
    pub fn run(&self) -> Result<PathBuf> {
        self.configure()?;
        let log = self.output.join("lab.log");
        let step = Step::new("buildroot");
        step.say(&format!("building; the log is {}", log.display()));
        self.logged(&[], &log, &step)?;
        step.done("built");
        Ok(self.output.join("images"))
    }

    /// Configures where that is due, and runs make with `args` on this terminal.
    pub fn make(&self, args: &[String]) -> Result<bool> {
        self.configure()?;
        let status = self.command().args(args).status();
        Ok(status.context("cannot run make")?.success())
    }

    /// As make would: where there is no configuration, or the board's is newer.
    fn configure(&self) -> Result<()> {
        let name = format!("nl31_{}_defconfig", self.board);
        let config = self.output.join(".config");
        if let Ok(text) = fs::read_to_string(&config) {
            let fragment = format!("/board/{}/linux.fragment", self.board);
            if !text.contains(&fragment) {
                bail!(
                    "{} is configured, but not for {}: remove it, or name another folder with \
                     --output",
                    self.output.display(),
                    self.board
                );
            }
            let changed = |file: &Path| file.metadata().and_then(|meta| meta.modified());
            if changed(&config)? >= changed(&tree().join("configs").join(&name))? {
                return Ok(());
            }
        }
        fs::create_dir_all(&self.output)
            .with_context(|| format!("cannot create {}", self.output.display()))?;
        let step = Step::new("buildroot");
        step.say(&format!("configuring {name}"));
        self.logged(&[&name], &self.output.join("lab.log"), &step)
    }

    fn command(&self) -> Command {
        let mut make = Command::new("make");
        // what cargo and rustup set for the lab is not for the agent's build, and the
        // lab's libraries are not for Buildroot's programs
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO") || text.starts_with("RUST") {
                make.env_remove(&name);
            }
        }
        for name in ["LD_LIBRARY_PATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"] {
            make.env_remove(name);
        }
        if nix::unistd::geteuid().is_root() {
            // the host's tar refuses to be configured by root; a container has no other user
            make.env("FORCE_UNSAFE_CONFIGURE", "1");
        }
        make.arg("--no-print-directory")
            .arg("-C")
            .arg(&self.buildroot)
            .arg(format!("O={}", self.output.display()))
            .arg(format!("BR2_EXTERNAL={}", tree().display()));
        make
    }

    /// Runs make with `args`, its output in `log`, Buildroot's own messages on `step`.
    fn logged(&self, args: &[&str], log: &Path, step: &Step) -> Result<()> {
        let mut file =
            File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let (output, to) = std::io::pipe()?;
        let mut make = self.command();
        // without a terminal's escapes
        make.args(args).env("TERM", "dumb").stdin(Stdio::null());
        make.stdout(to.try_clone()?).stderr(to);
        let mut child = make.spawn().context("cannot run make")?;
        // it holds the pipe's other end
        drop(make);

        let mut last = VecDeque::new();
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            file.write_all(&line)?;
            file.write_all(b"\n")?;
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some(message) = line.strip_prefix(">>> ") {
                step.at(message.trim());
            }
            if last.len() == SHOWN_LINES {
                last.pop_front();
            }
            last.push_back(line);
        }
        let status = child.wait()?;
        if !status.success() {
            bail!(
                "Buildroot failed ({status}), with these last lines; all are in {}\n{}",
                log.display(),
                Vec::from(last).join("\n")
            );
        }
        Ok(())
    }

    /// The agent in the root filesystem.
    pub fn agent(&self) -> PathBuf {
        self.output.join("target/usr/sbin/nl31-agent")
    }
}

/// What a board boots from, and how large it may be.
pub struct Product {
    /// The files and their sizes in bytes.
    pub files: Vec<(PathBuf, u64)>,
    /// What they may have together, in bytes.
    pub limit: u64,
}

impl Product {
    /// The one in `images`.
    pub fn of(images: &Path) -> Result<Self> {
        let disk = DISK_IMAGES.iter().map(|name| images.join(name));
        let (files, limit) = match disk.into_iter().find(|disk| disk.is_file()) {
            Some(disk) => (vec![disk], DISK_IMAGE_LIMIT),
            None => {
                let (_, kernel, rootfs) = image::find(images)?;
                (vec![kernel, rootfs], MEMORY_IMAGE_LIMIT)
            }
        };
        let sized = files.into_iter().map(|file| {
            let size = file.metadata()?.len();
            anyhow::Ok((file, size))
        });
        Ok(Self {
            files: sized.collect::<Result<_>>()?,
            limit,
        })
    }

    /// The size in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, size)| size).sum()
    }
}

/// The version of the Buildroot in `dir`.
fn version(dir: &Path) -> Result<String> {
    let makefile = dir.join("Makefile");
    let text = fs::read_to_string(&makefile)
        .with_context(|| format!("{} is no Buildroot", dir.display()))?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("export BR2_VERSION := "));
    match version {
        Some(version) => Ok(version.trim().to_owned()),
        None => bail!(
            "{} is no Buildroot: no BR2_VERSION in it",
            makefile.display()
        ),
    }
}

/// A checkout of [`RELEASE`] in the cache, fetched where it is not there yet.
fn release() -> Result<PathBuf> {
    let shared = cache::shared()?;
    let dir = shared.join(format!("buildroot-{RELEASE}"));
    let step = Step::new("buildroot");
    let _lock = cache::lock(&shared.join(format!("buildroot-{RELEASE}.lock")), &step)?;
    if !dir.is_dir() {
        cache::require_space(&shared, 512, "Buildroot")?;
        step.say(&format!("fetching {RELEASE} from {REPOSITORY}"));
        cache::publish(&dir, fetch)?;
        step.done("fetched");
    }
    let commit = git(&dir, &["rev-parse", "HEAD"])?;
    let changes = git(&dir, &["status", "--porcelain", "--untracked-files=no"])?;
    if commit != COMMIT || !changes.is_empty() {
        bail!(
            "{} is not as it was fetched: remove it, or name it with --buildroot if that is \
             meant",
            dir.display()
        );
    }
    Ok(dir)
}

/// Checks [`RELEASE`] out into `dir`, without its history.
fn fetch(dir: &Path) -> Result<()> {
    let tag = format!("refs/tags/{RELEASE}");
    git(dir, &["init", "--quiet"])?;
    let fetched = git(
        dir,
        &[
            // a line that is dead must end
            "-c",
            "http.lowSpeedLimit=1000",
            "-c",
            "http.lowSpeedTime=30",
            "fetch",
            "--quiet",
            "--depth=1",
            REPOSITORY,
            &format!("{tag}:{tag}"),
        ],
    );
    if let Err(error) = fetched {
        bail!(
            "Buildroot {RELEASE} cannot be fetched from {REPOSITORY} ({error}). Where there is \
             no network, pass --buildroot DIR, a checkout or an unpacked release, and set \
             BR2_DL_DIR to a folder with all that it downloads (see buildroot/README.md)"
        );
    }
    let commit = git(dir, &["rev-parse", &format!("{tag}^{{commit}}")])?;
    if commit != COMMIT {
        bail!("the tag {RELEASE} of {REPOSITORY} names {commit}; it must be {COMMIT}");
    }
    git(dir, &["checkout", "--quiet", "--detach", COMMIT])?;
    Ok(())
}

/// What git says in `dir`, without the newline at its end.
fn git(dir: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .args(["-c", "advice.detachedHead=false"])
        .args(args)
        .current_dir(dir)
        // this folder's repository, and git asks for no password
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .output()
        .context("cannot run git")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("git: {}", said.lines().next().unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}
