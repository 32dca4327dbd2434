// SPDX-License-Identifier: MIT OR Apache-2.0
//! Disk images of boards, made as Buildroot has them made: board/common/post-image.sh with
//! the board's genimage.cfg. And disks for guests, copies of them that they may write to.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use nix::unistd::{Whence, lseek};

use crate::arch::Arch;
use crate::cache::{self, Key};
use crate::progress::Step;
use crate::rootfs::Parts;
use crate::{cost, device_tree, forecast, host, kernel};

const POST_IMAGE: &str = "board/common/post-image.sh";

/// What ships for the Raspberry Pi.
const RASPBERRY_PI: kernel::Spec = kernel::Spec {
    name: "raspberrypi_64",
    objects: "raspberrypi_64",
    work: 1200,
    target: ("Image", "arch/arm64/boot/Image"),
    fragments: &[
        "board/common/linux.fragment",
        "board/common/linux-hardening.fragment",
        "board/common/linux-aarch64.fragment",
        "board/common/linux-disk.fragment",
        "board/raspberrypi_64/linux.fragment",
    ],
    ..Arch::Aarch64.shipped_kernel()
};

/// Its device trees, as the kernel's source names them.
const DEVICE_TREES: &[&str] = &[
    "broadcom/bcm2711-rpi-4-b",
    "broadcom/bcm2837-rpi-3-a-plus",
    "broadcom/bcm2837-rpi-3-b",
    "broadcom/bcm2837-rpi-3-b-plus",
    "broadcom/bcm2837-rpi-zero-2-w",
];

/// Files of its firmware, which is not free: there are stand-ins for them on the card.
const FIRMWARE: &[&str] = &[
    "bootcode.bin",
    "fixup.dat",
    "fixup4.dat",
    "start.elf",
    "start4.elf",
];

/// The smallest disk that the board's README asks for.
const DISK_SIZE: u64 = 512_000_000;

/// Bytes in a sector.
pub const SECTOR: u64 = 512;

/// A board that boots from a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Board {
    /// PCs.
    Pc,
    /// Raspberry Pi 3, 4 and Zero 2 W.
    RaspberryPi,
}

impl Board {
    /// Its folder in `board/`.
    fn name(self) -> &'static str {
        match self {
            Self::Pc => "pc_x86_64",
            Self::RaspberryPi => "raspberrypi_64",
        }
    }

    fn arch(self) -> Arch {
        match self {
            Self::Pc => Arch::X86_64,
            Self::RaspberryPi => Arch::Aarch64,
        }
    }

    /// What the disk takes beside the root file system, as folders: what ships, and where
    /// there is a kernel with what the lab's channels need, `lab` with that.
    fn kernels(self) -> Result<Vec<(&'static str, PathBuf)>> {
        Ok(match self {
            Self::Pc => vec![
                ("", kernel::PC.build()?.image()),
                ("lab", kernel::PC_LAB.build()?.image()),
            ],
            Self::RaspberryPi => vec![("", RASPBERRY_PI.build()?.image())],
        })
    }

    /// Puts the files into `dir` that the boot loader reads beside the kernel.
    fn boot_files(self, dir: &Path) -> Result<()> {
        if self == Self::Pc {
            return Ok(());
        }
        for name in DEVICE_TREES {
            let file = Path::new(name).file_name().context("a file has a name")?;
            device_tree::compile(self.arch(), name, &dir.join(file).with_extension("dtb"))?;
        }
        let firmware = dir.join("rpi-firmware");
        fs::create_dir(&firmware)?;
        for name in FIRMWARE {
            fs::write(firmware.join(name), format!("stands in for {name}"))?;
        }
        for name in ["cmdline.txt", "config.txt"] {
            fs::copy(
                crate::project().join("board").join(self.name()).join(name),
                firmware.join(name),
            )?;
        }
        Ok(())
    }
}

/// A folder with what Buildroot's folder `images` has for a board: the kernel, `disk.img` or
/// `sdcard.img`, its `.bmap` and `.sha256`. For PCs, in `lab/` the same with what the lab's
/// channels need.
pub struct DiskImage {
    board: Board,
    dir: PathBuf,
}

impl DiskImage {
    /// The image of this checkout, with what has changed built anew.
    pub fn build(board: Board) -> Result<Self> {
        let arch = board.arch();
        let packages = [host::KERNEL, host::IMAGE, host::DISK, arch.packages()].concat();
        host::require(&packages)?;
        if board != Board::Pc {
            host::require(device_tree::PACKAGES)?;
        }
        let kernels = board.kernels()?;
        let local = cache::local()?;
        let step = Step::new("disk");
        let _lock = cache::lock(&local.join("image.lock"), &step)?;
        let parts = Parts::build(arch)?;
        let project = crate::project();
        let mut key = Key::default();
        key.add("recipe", include_str!("disk.rs"));
        key.add("rootfs", parts.key()?);
        for (_, kernel) in &kernels {
            key.add("kernel", kernel.to_string_lossy().as_bytes());
        }
        key.add_file(project, &project.join(POST_IMAGE))?;
        for file in cache::files_below(&project.join("board").join(board.name()), &|_| true)? {
            key.add_file(project, &file)?;
        }
        let dir = local.join(format!("disk-{}-{}", board.name(), key.name()));
        if !dir.is_dir() {
            cache::require_space(&local, 256, "the disk image")?;
            cache::publish(&dir, |dir| {
                for (folder, kernel) in &kernels {
                    let dir = dir.join(folder);
                    fs::create_dir_all(&dir)?;
                    fs::copy(
                        kernel,
                        dir.join(kernel.file_name().context("a kernel has a name")?),
                    )?;
                    board.boot_files(&dir)?;
                    parts.pack_for_disk(&dir.join("rootfs.squashfs"), *folder == "lab")?;
                    post_image(board, &dir)?;
                }
                Ok(())
            })?;
        }
        cache::touch(&dir);
        cache::prune(&local, &format!("disk-{}-", board.name()), 2)?;
        Ok(Self { board, dir })
    }

    /// The image for PCs, built once in a process.
    pub fn shared() -> &'static Self {
        static IMAGE: OnceLock<DiskImage> = OnceLock::new();
        let build = || {
            forecast::before_tests();
            Self::build(Board::Pc).unwrap_or_else(|error| panic!("no image: {error:#}"))
        };
        cost::shared(|| IMAGE.get_or_init(build))
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is flashed.
    pub fn file(&self) -> PathBuf {
        self.dir.join(match self.board {
            Board::Pc => "disk.img",
            Board::RaspberryPi => "sdcard.img",
        })
    }

    /// The kernel on it.
    pub fn kernel(&self) -> PathBuf {
        self.dir.join(match self.board {
            Board::Pc => "bzImage",
            Board::RaspberryPi => "Image",
        })
    }

    /// The image with the lab's service on it.
    pub fn lab_file(&self) -> PathBuf {
        self.dir.join("lab/disk.img")
    }

    /// The kernel on that.
    pub fn lab_kernel(&self) -> PathBuf {
        self.dir.join("lab/bzImage")
    }
}

/// Makes a disk image in `images` from what is there, calling the board's script as
/// Buildroot does.
pub fn post_image(board: Board, images: &Path) -> Result<()> {
    let project = crate::project();
    let output = Command::new(project.join(POST_IMAGE))
        .arg(images)
        .arg(project.join("board").join(board.name()))
        .env("BINARIES_DIR", images)
        // what Buildroot sets for builds that can be repeated
        .env("SOURCE_DATE_EPOCH", "1000000000")
        .current_dir(project)
        .output()
        .with_context(|| format!("cannot run {POST_IMAGE}"))?;
    if !output.status.success() {
        bail!(
            "{POST_IMAGE} failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// What the `.bmap` beside `image` lists, in bytes.
pub fn mapped(image: &Path) -> Result<Vec<Range<u64>>> {
    let mut map = image.as_os_str().to_owned();
    map.push(".bmap");
    let map = fs::read_to_string(&map).with_context(|| format!("no {}", map.display()))?;
    let value = |line: &str, tag: &str| {
        let (_, value) = line.trim().strip_prefix(tag)?.split_once('>')?;
        Some(value.split('<').next()?.trim().to_owned())
    };
    let block = map.lines().find_map(|line| value(line, "<BlockSize"));
    let block: u64 = block.context("no BlockSize")?.parse()?;
    let ranges = map.lines().filter_map(|line| value(line, "<Range"));
    ranges
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((&range, &range));
            Ok(first.parse::<u64>()? * block..(last.parse::<u64>()? + 1) * block)
        })
        .collect()
}

/// A disk with an image on it, in a file that is gone with it.
pub struct Disk {
    file: tempfile::TempPath,
}

impl Disk {
    /// A disk of the smallest size, flashed with `image`.
    pub fn flashed(image: &Path) -> Result<Self> {
        let disk = Self::copy(image)?;
        disk.grow(DISK_SIZE)?;
        Ok(disk)
    }

    /// A copy of a disk.
    pub fn copy(of: &Path) -> Result<Self> {
        let file = tempfile::NamedTempFile::new_in(cache::local()?)?.into_temp_path();
        Self::copy_to(of, &file)?;
        Ok(Self { file })
    }

    /// What was never written takes no space.
    fn copy_to(from: &Path, to: &Path) -> Result<()> {
        let copied = Command::new("cp")
            .args(["--sparse=always", "--reflink=auto", "--"])
            .args([from, to])
            .status()
            .context("cannot run cp")?;
        if !copied.success() {
            bail!("cannot copy {} to {}", from.display(), to.display());
        }
        Ok(())
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.file
    }

    /// Leaves it to the user, as `file`.
    pub fn keep(self, file: &Path) -> Result<()> {
        Self::copy_to(&self.file, file)
    }

    /// Makes it larger.
    pub fn grow(&self, bytes: u64) -> Result<()> {
        Ok(File::options()
            .write(true)
            .open(&self.file)?
            .set_len(bytes)?)
    }

    /// Where a partition is, by its number from 1, in bytes.
    pub fn partition(&self, number: u64) -> Result<Range<u64>> {
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(446 + 16 * (number - 1)))?;
        let mut entry = [0; 16];
        file.read_exact(&mut entry)?;
        let field =
            |at: usize| u64::from(u32::from_le_bytes(entry[at..at + 4].try_into().expect("4")));
        let (start, sectors) = (field(8), field(12));
        if sectors == 0 {
            bail!("{} has no partition {number}", self.file.display());
        }
        Ok(start * SECTOR..(start + sectors) * SECTOR)
    }

    /// Writes `image` to it as `bmaptool copy` does: what its `.bmap` lists, and nothing else.
    pub fn flash_mapped(&self, image: &Path) -> Result<()> {
        let content = fs::read(image)?;
        for place in mapped(image)? {
            let start = usize::try_from(place.start)?;
            let end = usize::try_from(place.end)?.min(content.len());
            self.write(place.start, &content[start..end])?;
        }
        Ok(())
    }

    /// A part of it as a disk of its own.
    pub fn extract(&self, place: Range<u64>) -> Result<Self> {
        let from = File::open(&self.file)?;
        let to = tempfile::NamedTempFile::new_in(cache::local()?)?;
        to.as_file().set_len(place.end - place.start)?;
        let mut at = place.start;
        // from one piece that was ever written to the next
        while let Ok(start) = lseek(&from, i64::try_from(at)?, Whence::SeekData) {
            let end = lseek(&from, start, Whence::SeekHole)?;
            let (start, end) = (u64::try_from(start)?, u64::try_from(end)?.min(place.end));
            if start >= end {
                break;
            }
            let mut bytes = vec![0; usize::try_from(end - start)?];
            from.read_exact_at(&mut bytes, start)?;
            to.as_file().write_all_at(&bytes, start - place.start)?;
            at = end;
        }
        Ok(Self {
            file: to.into_temp_path(),
        })
    }

    /// Writes `bytes` at `offset`.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let file = File::options().write(true).open(&self.file)?;
        Ok(file.write_all_at(bytes, offset)?)
    }
}
