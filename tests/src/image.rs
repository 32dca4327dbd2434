// SPDX-License-Identifier: MIT OR Apache-2.0
//! An image: a kernel and a root filesystem, and beside them the kernel with the
//! drivers for the lab's channels.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};

use crate::cache::{self, Key};
use crate::progress::Step;
use crate::rootfs::Parts;
use crate::{host, kernel};

/// A folder with `bzImage`, `rootfs.cpio.xz`, `nl31-agent` and `bzImage-lab`. Saved
/// states of its guests go there too, and with it.
pub struct Image {
    dir: PathBuf,
}

impl Image {
    /// The image of this checkout, with what has changed built anew.
    pub fn build() -> Result<Self> {
        host::require(host::IMAGE)?;
        let kernels = [
            ("bzImage", kernel::SHIPPED.build()?.image()),
            ("bzImage-lab", kernel::LAB.build()?.image()),
        ];
        let lab = cache::local()?;
        // from here on: what is hashed must be what is packed
        let _lock = cache::lock(&lab.join("image.lock"), &Step::new("image"))?;
        let parts = Parts::build()?;
        let mut key = Key::default();
        key.add("rootfs", parts.key()?);
        for (name, path) in &kernels {
            key.add(name, path.to_string_lossy().as_bytes());
        }
        let dir = lab.join(format!("image-{}", key.name()));
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
        cache::prune(&lab, "image-", 3)?;
        Ok(Self { dir })
    }

    /// [`Image::build`], once in a process.
    pub fn shared() -> &'static Self {
        static IMAGE: OnceLock<Image> = OnceLock::new();
        IMAGE.get_or_init(|| Self::build().unwrap_or_else(|error| panic!("no image: {error:#}")))
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The kernel that ships.
    pub fn kernel(&self) -> PathBuf {
        self.dir.join("bzImage")
    }

    /// The kernel with drivers for the lab's channels.
    pub fn lab_kernel(&self) -> PathBuf {
        self.dir.join("bzImage-lab")
    }

    /// The root filesystem.
    pub fn rootfs(&self) -> PathBuf {
        self.dir.join("rootfs.cpio.xz")
    }

    /// The agent's binary, which is in the root filesystem too.
    pub fn agent(&self) -> PathBuf {
        self.dir.join("nl31-agent")
    }
}
