// SPDX-License-Identifier: MIT OR Apache-2.0
//! The figures that the product promises, measured: sizes, time to the prompt, memory.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::guest::{Guest, Setup};
use crate::image::Image;
use crate::prefixes::{self, Route};
use crate::qemu;

/// What the agent's binary may have, in bytes.
pub const AGENT_LIMIT: u64 = 1024 * 1024;

/// What the agent may have resident, its binary's pages included, in KiB.
pub const RESIDENT_LIMIT: u64 = 2048;

/// Sizes in bytes.
pub struct Sizes {
    /// The agent's binary.
    pub agent: u64,
    /// The kernel that ships.
    pub kernel: u64,
    /// The root filesystem, the agent in it.
    pub rootfs: u64,
}

impl Sizes {
    /// Those of `image`.
    pub fn of(image: &Image) -> Result<Self> {
        let size = |path: &Path| {
            let meta = path
                .metadata()
                .with_context(|| format!("cannot find {}", path.display()))?;
            anyhow::Ok(meta.len())
        };
        Ok(Self {
            agent: size(&image.agent())?,
            kernel: size(image.kernel())?,
            rootfs: size(image.rootfs())?,
        })
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "agent_bytes={}", self.agent)?;
        writeln!(f, "kernel_bytes={}", self.kernel)?;
        writeln!(f, "rootfs_bytes={}", self.rootfs)?;
        write!(f, "kernel_and_rootfs_bytes={}", self.kernel + self.rootfs)
    }
}

/// A boot with routes in the config.
pub struct Boot {
    /// Routes in the config.
    pub routes: usize,
    /// From QEMU's start to the prompt, of the image as it ships.
    pub prompt: Duration,
    /// The guest's own clock at the prompt, which starts when the kernel does. It runs on
    /// while the host is busy with something else.
    pub guest: Duration,
    /// The agent's resident memory in KiB once the routes are loaded.
    pub agent_resident_kib: u64,
    /// `tcg` or `kvm`.
    pub accelerator: &'static str,
}

impl Boot {
    /// Boots `image` with `routes`.
    pub fn measure(image: &Image, routes: &[Route]) -> Result<Self> {
        let config = prefixes::config(routes);
        let prompt = Guest::boot_shipped(image, Some(&config))?.boot_time();
        let setup = Setup {
            config: Some(config),
            ..Setup::default()
        };
        let mut guest = Guest::boot(image, &setup)?;
        let uptime = uptime(&mut guest)?;
        let agent_resident_kib = resident_kib(&mut guest)?;
        Ok(Self {
            routes: routes.len(),
            prompt,
            guest: uptime,
            agent_resident_kib,
            accelerator: qemu::accelerator(image.arch(), image.kernel())?,
        })
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "accelerator={}", self.accelerator)?;
        writeln!(f, "boot_routes={}", self.routes)?;
        writeln!(f, "boot_to_prompt_ms={}", self.prompt.as_millis())?;
        writeln!(f, "guest_clock_at_prompt_ms={}", self.guest.as_millis())?;
        write!(f, "agent_resident_kib={}", self.agent_resident_kib)
    }
}

/// The clock of `guest`.
fn uptime(guest: &mut Guest) -> Result<Duration> {
    let output = guest.exec("cat /proc/uptime")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds = text.split(' ').next().unwrap_or_default();
    Ok(Duration::from_secs_f64(
        seconds
            .parse()
            .with_context(|| format!("/proc/uptime is {text:?}"))?,
    ))
}

/// The resident memory of the agent in `guest`, in KiB.
pub fn resident_kib(guest: &mut Guest) -> Result<u64> {
    let output = guest.exec("cat /proc/$(pidof nl31-agent)/status")?;
    let status = String::from_utf8_lossy(&output.stdout);
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    match line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .map(str::parse)
    {
        Some(Ok(kib)) => Ok(kib),
        _ => bail!(
            "the agent does not run: {}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}
