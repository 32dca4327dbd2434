// SPDX-License-Identifier: MIT OR Apache-2.0
//! A guest: an image in a running machine, at its prompt.

use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::json;

use crate::arch::Arch;
use crate::cable::{Cable, Quality, Traffic};
use crate::cache::{self, Key};
use crate::console::{self, Console, Reply};
use crate::cpio::Archive;
use crate::device_tree;
use crate::disk::{Disk, DiskImage};
use crate::exec::{Output, Request};
use crate::image::Image;
use crate::klog::KernelLog;
use crate::progress::Step;
use crate::qemu::{
    Drive, FIRMWARE_VARIABLES, Lab, MEMORY_MIB, Machine, Qemu, Watchdog, accelerator,
};
use crate::rootfs;

/// A guest that has said nothing for this many times the length of a boot hangs. The
/// boot was measured on this machine, perhaps in a quieter minute.
const SILENCE_IN_BOOTS: u32 = 20;

/// Until a boot has been measured.
const SILENCE_AT_FIRST: Duration = Duration::from_secs(180);

/// What UEFI firmware itself needs.
const FIRMWARE_MEMORY_MIB: u32 = 256;

/// What QEMU's Raspberry Pi 3 has, and cannot have less of.
const RASPBERRY_PI_MEMORY_MIB: u32 = 1024;

/// A command may think for longer than a console.
const EXEC_FACTOR: u32 = 10;

/// How a guest differs from the image as it is.
#[derive(Default, Clone)]
pub struct Setup {
    /// The content of /etc/nl31/routes.conf.
    pub config: Option<String>,
    /// A folder of the host for /mnt/share, read-only.
    pub share: Option<PathBuf>,
    /// Memory, where it is not what the image promises to run in.
    pub memory_mib: Option<u32>,
    /// With a watchdog that fires after 4 seconds; for [`Guest::boot`].
    pub watchdog: bool,
}

/// A running guest. It ends when dropped, and with the thread that started it.
pub struct Guest {
    qemu: Qemu,
    /// The agent's console.
    pub console: Console,
    log: KernelLog,
    /// How much of the console's transcript has been searched for a panic.
    checked: usize,
    /// A complaint of the kernel has been returned as an error.
    reported: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    silence: Duration,
    boot: Duration,
    share: Share,
}

enum Share {
    None,
    Offered,
    Mounted,
}

impl Guest {
    /// A guest with the lab's channels, at its prompt. Boots once for each image and
    /// config; after that the saved state is restored.
    /// (An image that is not the lab's boots each time.)
    pub fn start(image: &Image, setup: &Setup) -> Result<Self> {
        if image.lab_kernel().is_none() {
            return Self::boot(image, setup);
        }
        let state = State::of(image, setup)?;
        let step = Step::new("guest");
        let lock = cache::lock(&state.dir.with_extension("lock"), &step)?;
        if !state.dir.is_dir() {
            state.save(image, setup)?;
        }
        drop(lock);
        let boot = Duration::from_millis(fs::read_to_string(state.dir.join("boot-ms"))?.parse()?);
        let mut guest = Self::launch(image, setup, Some(&state.dir.join("state")), boot)?;
        guest.exec("true").context("restoring a saved guest")?;
        Ok(guest)
    }

    /// A guest with the lab's channels, booted to its prompt.
    pub fn boot(image: &Image, setup: &Setup) -> Result<Self> {
        let mut guest = Self::launch(image, setup, None, Duration::ZERO)?;
        guest.await_boot()?;
        guest
            .exec("true")
            .context("the lab's service in the guest")?;
        Ok(guest)
    }

    /// The image as it ships, with nothing of the lab in it but perhaps a config, booted
    /// to its prompt. There is no [`Guest::exec`], and no channel for the kernel's log but
    /// the console.
    pub fn boot_shipped(image: &Image, config: Option<&str>) -> Result<Self> {
        let mut guest = Self::launch_shipped(image, config)?;
        guest.await_boot()?;
        Ok(guest)
    }

    /// As [`Guest::boot_shipped`], without waiting for the prompt.
    pub fn launch_shipped(image: &Image, config: Option<&str>) -> Result<Self> {
        let initrd = initrd(image, config, None)?;
        let machine = Machine {
            initrd: Some(initrd.path()),
            append: "panic_on_warn=1",
            ..Machine::new(image.arch(), image.kernel())
        };
        Self::on(Qemu::start(&machine)?, Duration::ZERO, Share::None)
    }

    /// A PC that starts from a disk with the lab's image on it, at its prompt. `append` is
    /// added to the kernel's command line.
    pub fn boot_disk(image: &DiskImage, drive: Drive, append: &str) -> Result<Self> {
        Self::boot_pc(image, drive, append, None)
    }

    /// The same, with a chipset whose watchdog fires after 4 seconds.
    pub fn boot_disk_watched(image: &DiskImage, drive: Drive) -> Result<Self> {
        Self::boot_pc(
            image,
            drive,
            "iTCO_wdt.heartbeat=4",
            Some(Watchdog::Chipset),
        )
    }

    fn boot_pc(
        image: &DiskImage,
        drive: Drive,
        append: &str,
        watchdog: Option<Watchdog>,
    ) -> Result<Self> {
        let nothing = tempfile::tempdir()?;
        let kernel = image.lab_kernel();
        let machine = Machine {
            drive: Some(drive),
            append: &format!("panic_on_warn=1 {append}"),
            lab: Some(Lab::Virtio(nothing.path())),
            watchdog,
            ..Machine::new(Arch::X86_64, &kernel)
        };
        let mut guest = Self::on(Qemu::start(&machine)?, Duration::ZERO, Share::None)?;
        guest.await_boot()?;
        Ok(guest)
    }

    /// A PC with the image that ships on its disk, the file `disk`, without waiting for the
    /// prompt.
    pub fn launch_disk(image: &DiskImage, disk: &Path) -> Result<Self> {
        let kernel = image.kernel();
        let machine = Machine {
            drive: Some(Drive::new(disk)),
            ..Machine::new(Arch::X86_64, &kernel)
        };
        Self::on(Qemu::start(&machine)?, Duration::ZERO, Share::None)
    }

    /// A PC with UEFI firmware, which starts the image that ships from `disk`. Without
    /// waiting for the prompt.
    pub fn launch_firmware(image: &DiskImage, disk: &Disk) -> Result<Self> {
        let variables = tempfile::NamedTempFile::new()?;
        fs::copy(FIRMWARE_VARIABLES, &variables)
            .with_context(|| format!("no {FIRMWARE_VARIABLES}, of the package ovmf"))?;
        let kernel = image.kernel();
        let machine = Machine {
            drive: Some(Drive::new(disk.path())),
            firmware: Some(variables.path()),
            memory_mib: FIRMWARE_MEMORY_MIB,
            ..Machine::new(Arch::X86_64, &kernel)
        };
        Self::on(Qemu::start(&machine)?, Duration::ZERO, Share::None)
    }

    /// A Raspberry Pi 3 B that starts from `card`, at its prompt. QEMU has none of its
    /// firmware: kernel, device tree and command line are handed over. Nor does it have the
    /// watchdog's clock, and resets the board as soon as it is started: it is taken away.
    pub fn boot_raspberry_pi(image: &DiskImage, card: &Disk) -> Result<Self> {
        let tree = tempfile::NamedTempFile::new()?;
        let whole = image.dir().join("bcm2837-rpi-3-b.dtb");
        device_tree::disable(&whole, "/soc/watchdog@7e100000", tree.path())?;
        let line = fs::read_to_string(image.dir().join("rpi-firmware/cmdline.txt"))?;
        let kernel = image.kernel();
        let machine = Machine {
            drive: Some(Drive::new(card.path())),
            raspberry_pi: Some(tree.path()),
            append: line.trim(),
            memory_mib: RASPBERRY_PI_MEMORY_MIB,
            ..Machine::new(Arch::Aarch64, &kernel)
        };
        let mut guest = Self::on(Qemu::start(&machine)?, Duration::ZERO, Share::None)?;
        guest.await_boot()?;
        Ok(guest)
    }

    fn launch(image: &Image, setup: &Setup, state: Option<&Path>, boot: Duration) -> Result<Self> {
        let nothing = tempfile::tempdir()?;
        let (lab, packed) = match image.lab_kernel() {
            Some(_) => {
                let folder = setup.share.as_deref().unwrap_or(nothing.path());
                (Lab::Virtio(folder), None)
            }
            None => (Lab::Network, setup.share.as_deref()),
        };
        let initrd = initrd(image, setup.config.as_deref(), Some(packed))?;
        let machine = Machine {
            initrd: Some(initrd.path()),
            append: match setup.watchdog {
                true => "panic_on_warn=1 i6300esb.heartbeat=4",
                false => "panic_on_warn=1",
            },
            lab: Some(lab),
            memory_mib: setup.memory_mib.unwrap_or(MEMORY_MIB),
            state,
            watchdog: setup.watchdog.then_some(Watchdog::Card),
            ..Machine::new(image.arch(), image.lab_kernel().unwrap_or(image.kernel()))
        };
        let share = if setup.share.is_some() && packed.is_none() {
            Share::Offered
        } else {
            Share::None
        };
        Self::on(Qemu::start(&machine)?, boot, share)
    }

    fn on(mut qemu: Qemu, boot: Duration, share: Share) -> Result<Self> {
        let (ours, _) = crate::channel::Channel::pair()?;
        let console = Console::new(std::mem::replace(&mut qemu.console, ours));
        let silence = if boot.is_zero() {
            SILENCE_AT_FIRST
        } else {
            boot * SILENCE_IN_BOOTS
        };
        let (log, stdout, stderr) = Default::default();
        Ok(Self {
            qemu,
            console,
            log,
            checked: 0,
            reported: false,
            stdout,
            stderr,
            silence,
            boot,
            share,
        })
    }

    /// Waits for the first prompt.
    pub fn await_boot(&mut self) -> Result<()> {
        let started = Instant::now();
        self.wait("the first prompt", 1, |guest| {
            Ok(guest.console.at_prompt().then_some(()))
        })?;
        self.boot = started.elapsed();
        self.silence = self.boot * SILENCE_IN_BOOTS;
        Ok(())
    }

    /// How long the boot took, from QEMU's start to the prompt, when it was measured.
    pub fn boot_time(&self) -> Duration {
        self.boot
    }

    /// Types `line` at the prompt and returns the agent's reply.
    pub fn command(&mut self, line: &str) -> Result<Reply> {
        self.command_bytes(line.as_bytes())
    }

    /// As [`Guest::command`], for what need not be text.
    pub fn command_bytes(&mut self, line: &[u8]) -> Result<Reply> {
        self.console.type_line(line);
        let what = format!("the reply to {:?}", String::from_utf8_lossy(line));
        self.wait(&what, 1, |guest| Ok(guest.console.reply(line)))
    }

    /// Waits until the console's screen, since something was typed last, satisfies `done`.
    pub fn expect<T>(
        &mut self,
        what: &str,
        mut done: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T> {
        self.wait(what, 1, |guest| Ok(done(&guest.console.screen())))
    }

    /// Has `end`, a command of the guest's shell, end the agent, and waits until the next
    /// agent has greeted at the console: a command that is typed before has the greeting
    /// within its reply.
    pub fn replace_agent(&mut self, end: &str) -> Result<()> {
        self.console.forget();
        let output = self.exec(end)?;
        if output.status != 0 {
            bail!("`{end}`: {}", String::from_utf8_lossy(&output.stderr));
        }
        self.await_agent()
    }

    /// Waits until an agent has greeted since something was typed last.
    pub fn await_agent(&mut self) -> Result<()> {
        let what = "the next agent's greeting";
        self.wait(what, 1, |guest| {
            Ok(guest.console.is_greeted().then_some(()))
        })
    }

    /// Runs `command` in the guest's shell, as root.
    pub fn exec(&mut self, command: &str) -> Result<Output> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let status = self.exec_into(command, &mut stdout, &mut stderr)?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }

    /// As [`Guest::exec`], with output passed on as it comes. Returns the exit status.
    pub fn exec_into(
        &mut self,
        command: &str,
        stdout: &mut dyn Write,
        stderr: &mut dyn Write,
    ) -> Result<i32> {
        if let Share::Offered = self.share {
            self.share = Share::Mounted;
            let options = "trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro";
            let mount = format!("mkdir -p /mnt/share && mount -t 9p -o {options} share /mnt/share");
            let mounted = self.exec(&mount)?;
            if mounted.status != 0 {
                bail!(
                    "cannot mount the share: {}",
                    String::from_utf8_lossy(&mounted.stderr)
                );
            }
        }
        let (request, line) = Request::new(command)?;
        let mut unsent = line.into_bytes();
        let (mut status, mut finished) = (None, false);
        self.wait(&format!("the end of `{command}`"), EXEC_FACTOR, |guest| {
            let lab = guest
                .qemu
                .lab
                .as_mut()
                .context("a shipped image runs no commands")?;
            let sent = lab.request.send(&unsent);
            unsent.drain(..sent);
            if let Some(said) = request.pass(&mut guest.stdout, stdout)? {
                status = Some(Request::status(&said)?);
            }
            finished |= request.pass(&mut guest.stderr, stderr)?.is_some();
            Ok(status.filter(|_| finished))
        })
    }

    /// Waits until `done` returns something, taking in what the guest says. An error tells
    /// of a guest that ended, hangs or whose kernel complains.
    pub fn wait<T>(
        &mut self,
        what: &str,
        patience: u32,
        mut done: impl FnMut(&mut Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let mut progress = Instant::now();
        loop {
            if let Some(result) = done(self)? {
                self.check_kernel()?;
                return Ok(result);
            }
            let moved = self.pump(Duration::from_millis(200))?;
            if moved > 0 {
                progress = Instant::now();
            }
            self.check_kernel()?;
            // What it said last is to be looked at first.
            if moved == 0 && !self.console.channel().is_open() {
                let status = self
                    .qemu
                    .ended()
                    .map_or("is gone".into(), |end| end.to_string());
                bail!(
                    "waiting for {what}: the guest ended (QEMU: {status})\n{}",
                    self.tail()
                );
            }
            if progress.elapsed() > self.silence * patience {
                let seconds = progress.elapsed().as_secs();
                bail!(
                    "waiting for {what}: nothing for {seconds} s\n{}{}",
                    self.tail(),
                    self.processor()
                );
            }
        }
    }

    /// Where a guest stands that says nothing any more: whether it goes round in circles,
    /// sleeps, or is stopped.
    fn processor(&mut self) -> String {
        let mut text = String::new();
        for query in ["info status", "info registers", "info registers"] {
            let answer = self.qemu.qmp.human(query);
            let answer = answer.unwrap_or_else(|error| format!("{error:#}"));
            text += &format!("--- {query}\n{}\n", answer.trim_end());
            std::thread::sleep(Duration::from_millis(300));
        }
        text
    }

    /// Takes in what the guest has said, waiting up to `limit` for something; the number
    /// of bytes moved.
    fn pump(&mut self, limit: Duration) -> Result<usize> {
        // What was typed goes first: nothing would come before.
        let mut moved = self.console.pump();
        let mut fds = vec![PollFd::new(
            self.console.channel().as_fd(),
            PollFlags::POLLIN,
        )];
        if let Some(lab) = &self.qemu.lab {
            for channel in [&lab.kmsg, &lab.stdout, &lab.stderr] {
                fds.push(PollFd::new(channel.as_fd(), PollFlags::POLLIN));
            }
        }
        match poll(&mut fds, PollTimeout::try_from(limit)?) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => bail!("cannot wait for the guest: {error}"),
        }
        drop(fds);
        moved += self.console.pump();
        if let Some(lab) = &mut self.qemu.lab {
            moved += lab.kmsg.drain(self.log.bytes());
            moved += lab.stdout.drain(&mut self.stdout);
            moved += lab.stderr.drain(&mut self.stderr);
        }
        Ok(moved)
    }

    /// An error if the kernel has complained.
    fn check_kernel(&mut self) -> Result<()> {
        if let Some(trouble) = self.log.trouble().map(str::to_owned) {
            self.reported = true;
            bail!("the kernel complains: {trouble}\n{}", self.tail());
        }
        let panicked = b"Kernel panic - not syncing";
        let console = self.console.transcript();
        let fresh = &console[self.checked..];
        self.checked = console.len().saturating_sub(panicked.len());
        if fresh
            .windows(panicked.len())
            .any(|window| window == panicked)
        {
            self.reported = true;
            // the rest of what it has to say
            while self.console.channel().is_open() && self.pump(Duration::from_secs(5))? > 0 {}
            bail!("the kernel panicked\n{}", self.tail());
        }
        Ok(())
    }

    /// Puts a terminal line of this machine in place of the console, up to
    /// [`Guest::unplug`].
    pub fn plug(&mut self, quality: Quality) -> Result<Cable> {
        self.console.pump();
        Cable::plug(self.console.channel_mut(), quality)
    }

    /// Gives the console back; tells what has gone over the cable.
    pub fn unplug(&mut self, cable: Cable) -> Traffic {
        cable.unplug(self.console.channel_mut())
    }

    /// Whether the watchdog has fired, and stopped the machine.
    pub fn starved(&mut self) -> Result<bool> {
        let answer = self.qemu.qmp.call("query-status", json!({}))?;
        Ok(answer["status"] == "watchdog")
    }

    /// Waits for QEMU to end, as it does when the machine restarts, whatever the kernel has
    /// complained of before.
    pub fn await_end(&mut self) -> Result<()> {
        self.reported = true;
        while self.console.channel().is_open() {
            if self.pump(self.silence)? == 0 && self.console.channel().is_open() {
                bail!("the guest says nothing and does not end\n{}", self.tail());
            }
        }
        Ok(())
    }

    /// Waits for a quiet guest, and fails if the kernel has complained up to here.
    pub fn settle(&mut self) -> Result<()> {
        while self.pump(Duration::from_millis(100))? > 0 {}
        self.check_kernel()
    }

    /// The last that is known of the guest, for an error.
    pub fn tail(&mut self) -> String {
        let screen = console::render(self.console.transcript());
        let lines = &screen[screen.len().saturating_sub(60)..];
        let mut text = format!("--- last lines of its console\n{}\n", lines.join("\n"));
        let log = self.log.tail(30);
        if !log.is_empty() {
            text += &format!("--- last lines of its kernel's log\n{log}\n");
        }
        let qemu = self.qemu.said();
        if !qemu.is_empty() {
            text += &format!("--- QEMU said\n{qemu}\n");
        }
        text
    }
}

impl Drop for Guest {
    /// A test that has passed all the same fails if the kernel complained meanwhile.
    fn drop(&mut self) {
        if !self.reported
            && !std::thread::panicking()
            && let Err(error) = self.settle()
        {
            panic!("{error:#}");
        }
    }
}

/// The initramfs: the image's, then what the lab adds. Small enough to be written anew
/// for each guest. `lab`: the lab's service, and a folder to be /mnt/share where the guest
/// cannot mount it.
fn initrd(
    image: &Image,
    config: Option<&str>,
    lab: Option<Option<&Path>>,
) -> Result<tempfile::NamedTempFile> {
    let mut bytes = fs::read(image.rootfs())?;
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let mut added = Archive::default();
    if let Some(share) = lab {
        let (path, content) = rootfs::LAB_SERVICE;
        added.file(path, 0o755, content);
        if image.lab_kernel().is_none() {
            let busybox = fs::read(rootfs::busybox(image.arch())?)?;
            added.file(rootfs::LAB_BUSYBOX, 0o755, &busybox);
        }
        if let Some(share) = share {
            added.dir("mnt", 0o755);
            added.dir("mnt/share", 0o755);
            added.tree_in("mnt/share", share)?;
        }
    }
    if let Some(config) = config {
        added.file("etc/nl31/routes.conf", 0o644, config.as_bytes());
    }
    bytes.extend_from_slice(&added.finish());
    let mut file = tempfile::NamedTempFile::new().context("cannot make a temporary file")?;
    file.write_all(&bytes)
        .context("cannot write an initramfs")?;
    Ok(file)
}

/// The saved state of a guest that stands at its prompt.
struct State {
    dir: PathBuf,
}

impl State {
    fn of(image: &Image, setup: &Setup) -> Result<Self> {
        let mut key = Key::default();
        key.add("config", setup.config.as_deref().unwrap_or_default());
        key.add("is a config", [u8::from(setup.config.is_some())]);
        key.add("memory", format!("{:?}", setup.memory_mib));
        key.add("accelerator", accelerator(image.arch(), image.kernel())?);
        for source in [
            include_str!("guest.rs"),
            include_str!("qemu.rs"),
            include_str!("../guest/S50lab"),
        ] {
            key.add("recipe", source);
        }
        let qemu = image.arch().qemu();
        let version = std::process::Command::new(qemu).arg("--version").output();
        let version = version.with_context(|| format!("cannot run {qemu}"))?;
        key.add("qemu", version.stdout);
        Ok(Self {
            dir: image.dir().join(format!("state-{}", key.name())),
        })
    }

    fn save(&self, image: &Image, setup: &Setup) -> Result<()> {
        cache::require_space(image.dir(), 256, "saving a guest's state")?;
        // the share is no part of the state: it is mounted when a command needs it
        let setup = Setup {
            share: None,
            ..setup.clone()
        };
        cache::publish(&self.dir, |dir| {
            let mut guest = Guest::boot(image, &setup)?;
            guest.settle()?;
            guest.qemu.qmp.save(&dir.join("state"))?;
            fs::write(dir.join("boot-ms"), guest.boot.as_millis().to_string())?;
            Ok(())
        })
    }
}
