// SPDX-License-Identifier: MIT OR Apache-2.0
//! An image: a kernel and a root filesystem that is loaded beside it. The lab's own come
//! with a second kernel, which has the drivers for the lab's channels; those that Buildroot
//! made run as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::cache::{self, Key};
use crate::progress::Step;
use crate::rootfs::Parts;
use crate::{cost, forecast, host};

/// Names an image that Buildroot made, for tests: its folder `images`.
pub const VARIABLE: &str = "NL31_IMAGE";

/// What Buildroot calls kernels, and the root filesystem that goes with them.
const KERNELS: &[(&str, Arch)] = &[
    ("bzImage", Arch::X86_64),
    ("Image.gz", Arch::Aarch64),
    ("Image", Arch::Aarch64),
    ("zImage", Arch::Armv7),
];
const ROOTFS: &[&str] = &["rootfs.cpio.gz", "rootfs.cpio.xz", "rootfs.cpio"];

/// An image. The lab's is a folder with `kernel`, `rootfs.cpio.xz`, `nl31-agent` and
/// `kernel-lab`; saved states of its guests go there too, and with it.
pub struct Image {
    dir: PathBuf,
    arch: Arch,
    kernel: PathBuf,
    rootfs: PathBuf,
    lab_kernel: Option<PathBuf>,
}

impl Image {
    /// The image of this checkout, with what has changed built anew.
    pub fn build(arch: Arch) -> Result<Self> {
        host::require(&[host::KERNEL, host::IMAGE, arch.packages()].concat())?;
        let kernels = [
            ("kernel", arch.shipped_kernel().build()?.image()),
            ("kernel-lab", arch.lab_kernel().build()?.image()),
        ];
        let lab = cache::local()?;
        // from here on: what is hashed must be what is packed
        let _lock = cache::lock(&lab.join("image.lock"), &Step::new("image"))?;
        let parts = Parts::build(arch)?;
        let mut key = Key::default();
        key.add("rootfs", parts.key()?);
        for (name, path) in &kernels {
            key.add(name, path.to_string_lossy().as_bytes());
        }
        let dir = lab.join(format!("image-{}-{}", arch.name(), key.name()));
        if !dir.is_dir() {
            cache::require_space(&lab, 64, "the image")?;
            cache::publish(&dir, |dir| {
                for (name, path) in &kernels {
                    fs::copy(path, dir.join(name))
                        .with_context(|| format!("cannot copy {}", path.display()))?;
                }
                fs::copy(&parts.agent, dir.join("nl31-agent")).context("cannot copy the agent")?;
                parts.pack(&dir.join("rootfs.cpio.xz"))
            })?;
        }
        cache::touch(&dir);
        cache::prune(&lab, &format!("image-{}-", arch.name()), 3)?;
        Ok(Self {
            kernel: dir.join("kernel"),
            rootfs: dir.join("rootfs.cpio.xz"),
            lab_kernel: Some(dir.join("kernel-lab")),
            dir,
            arch,
        })
    }

    /// The image in `dir`, the folder `images` of a Buildroot build.
    pub fn open(dir: &Path) -> Result<Self> {
        let (arch, kernel, rootfs) = find(dir)?;
        host::require(&[host::IMAGE, arch.packages()].concat())?;
        Ok(Self {
            dir: dir.to_owned(),
            arch,
            kernel,
            rootfs,
            lab_kernel: None,
        })
    }

    /// The image for PCs, built once in a process.
    pub fn shared() -> &'static Self {
        Self::shared_for(Arch::X86_64)
    }

    /// The image for `arch`, built once in a process; or the one that [`VARIABLE`] names.
    pub fn shared_for(arch: Arch) -> &'static Self {
        static IMAGES: [OnceLock<Image>; Arch::ALL.len()] =
            [const { OnceLock::new() }; Arch::ALL.len()];
        let build = || {
            let image = match std::env::var_os(VARIABLE) {
                Some(dir) => Self::open(Path::new(&dir)),
                None => {
                    forecast::before_tests();
                    Self::build(arch)
                }
            };
            let image = image.unwrap_or_else(|error| panic!("no image: {error:#}"));
            assert_eq!(image.arch, arch, "{VARIABLE} is for another architecture");
            image
        };
        cost::shared(|| IMAGES[arch as usize].get_or_init(build))
    }

    /// What it runs on.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The kernel that ships.
    pub fn kernel(&self) -> &Path {
        &self.kernel
    }

    /// The kernel with drivers for the lab's channels, if there is one.
    pub fn lab_kernel(&self) -> Option<&Path> {
        self.lab_kernel.as_deref()
    }

    /// The root filesystem.
    pub fn rootfs(&self) -> &Path {
        &self.rootfs
    }

    /// The agent's binary, which is in the root filesystem too. Only the lab's images have
    /// it.
    pub fn agent(&self) -> PathBuf {
        self.dir.join("nl31-agent")
    }
}

/// Kernel and root filesystem in `dir`, the folder `images` of a Buildroot build.
pub(crate) fn find(dir: &Path) -> Result<(Arch, PathBuf, PathBuf)> {
    let there = |name: &str| Some(dir.join(name)).filter(|path| path.is_file());
    let kernel = KERNELS
        .iter()
        .find_map(|(name, arch)| Some((there(name)?, *arch)));
    let rootfs = ROOTFS.iter().find_map(|name| there(name));
    let (Some((kernel, arch)), Some(rootfs)) = (kernel, rootfs) else {
        bail!(
            "{} needs a kernel (bzImage, Image.gz, Image or zImage) and its root filesystem \
             (rootfs.cpio.gz): name the folder images of a Buildroot build for QEMU",
            dir.display()
        );
    };
    Ok((arch, kernel, rootfs))
}
