// SPDX-License-Identifier: MIT OR Apache-2.0
//! A QEMU process: the board, its channels to the lab, and an end with the lab's own.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::fcntl::{FcntlArg, FdFlag, Flock, FlockArg, fcntl};
use nix::sys::{prctl, signal::Signal};
use serde_json::{Value, json};

use crate::arch::Arch;
use crate::cache;
use crate::channel::Channel;
use crate::cost;
use crate::qmp::{self, Qmp};

/// What the image promises to run in.
pub const MEMORY_MIB: u32 = 64;

/// UEFI firmware for a PC, of Debian's package ovmf, and its variables as they are at first.
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// The firmware's variables on a new machine.
pub const FIRMWARE_VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// Guests at a time, at the least, whatever number of tests and processes wants one; on a machine
/// with more processors, one for each.
const GUESTS_MIN: usize = 2;

/// A machine to start.
pub struct Machine<'a> {
    /// What it emulates.
    pub arch: Arch,
    /// The kernel.
    pub kernel: &'a Path,
    /// The initramfs.
    pub initrd: Option<&'a Path>,
    /// The disk.
    pub drive: Option<Drive<'a>>,
    /// A file for the variables of UEFI firmware. It then starts what is on the disk, and
    /// `kernel` only tells whether KVM works.
    pub firmware: Option<&'a Path>,
    /// The device tree of a Raspberry Pi 3, which it then is: `drive` is its card, and
    /// nothing else is plugged in.
    pub raspberry_pi: Option<&'a Path>,
    /// Added to the kernel's command line.
    pub append: &'a str,
    /// With the lab's own channels for the log and for commands.
    pub lab: Option<Lab<'a>>,
    /// Its memory.
    pub memory_mib: u32,
    /// State to start with instead of booting; of a machine that is the same otherwise.
    pub state: Option<&'a Path>,
    /// Its watchdog.
    pub watchdog: Option<Watchdog>,
}

impl<'a> Machine<'a> {
    /// One that boots `kernel`, with what the image promises to run in.
    pub fn new(arch: Arch, kernel: &'a Path) -> Self {
        Self {
            arch,
            kernel,
            initrd: None,
            drive: None,
            firmware: None,
            raspberry_pi: None,
            append: "",
            lab: None,
            memory_mib: MEMORY_MIB,
            state: None,
            watchdog: None,
        }
    }
}

/// A watchdog, which does not reset the machine but stops it.
#[derive(Clone, Copy)]
pub enum Watchdog {
    /// On a card.
    Card,
    /// Of a PC's chipset.
    Chipset,
}

/// How the lab's channels get into a machine.
#[derive(Clone, Copy)]
pub enum Lab<'a> {
    /// As virtio ports, and the folder as 9p: what the lab's kernels have drivers for.
    Virtio(&'a Path),
    /// As TCP ports of a host that QEMU's network has: what every kernel can reach.
    Network,
}

/// The host with the ports; guest/S50lab knows it too.
const LAB_HOST: &str = "10.0.2.100";

/// A disk of a machine.
#[derive(Clone, Copy)]
pub struct Drive<'a> {
    /// Its content, which the guest changes.
    pub file: &'a Path,
    /// Where to log each write and flush: a new file, see [`crate::write_log`].
    pub log: Option<&'a Path>,
    /// Requests that fail. Not with a log.
    pub faults: &'a [Fault],
    /// A second disk beside it.
    pub beside: Option<&'a Path>,
}

impl<'a> Drive<'a> {
    /// A disk that works.
    pub fn new(file: &'a Path) -> Self {
        Self {
            file,
            log: None,
            faults: &[],
            beside: None,
        }
    }

    /// As QEMU's -blockdev takes it.
    fn blockdev(&self) -> Value {
        let disk = json!({ "driver": "file", "filename": self.file });
        let mut node = match self.log {
            Some(log) => json!({
                "driver": "blklogwrites",
                "file": disk,
                "log": { "driver": "file", "filename": log },
            }),
            None if self.faults.is_empty() => json!({ "driver": "raw", "file": disk }),
            None => {
                let faults: Vec<Value> = self.faults.iter().map(Fault::rule).collect();
                json!({ "driver": "blkdebug", "image": disk, "inject-error": faults })
            }
        };
        node["node-name"] = json!("disk");
        node
    }
}

/// A request to a disk that fails, each time.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// `read`, `write` or `flush`.
    pub request: &'static str,
    /// If it touches this sector; otherwise all.
    pub sector: Option<u64>,
    /// What the host's system call would say; the guest is told of an error.
    pub errno: i32,
}

impl Fault {
    fn rule(&self) -> Value {
        let mut rule = json!({
            "event": "none",
            "iotype": self.request,
            "errno": self.errno,
        });
        if let Some(sector) = self.sector {
            rule["sector"] = json!(sector);
        }
        rule
    }
}

/// A running machine. It ends when this is dropped, and with the thread that
/// started it.
pub struct Qemu {
    child: Child,
    messages: File,
    /// The monitor.
    pub qmp: Qmp,
    /// The serial console.
    pub console: Channel,
    /// The lab's own channels.
    pub lab: Option<LabChannels>,
    _slot: Flock<File>,
}

/// The ports of [`crate::exec`] and [`crate::klog`].
pub struct LabChannels {
    /// Records of the kernel's log.
    pub kmsg: Channel,
    /// Commands to the guest.
    pub request: Channel,
    /// Their standard output.
    pub stdout: Channel,
    /// Their standard error.
    pub stderr: Channel,
}

impl LabChannels {
    /// Makes each with its number, from 1, and its name.
    fn new(mut port: impl FnMut(u8, &str) -> Result<Channel>) -> Result<Self> {
        Ok(Self {
            kmsg: port(1, "kmsg")?,
            request: port(2, "request")?,
            stdout: port(3, "stdout")?,
            stderr: port(4, "stderr")?,
        })
    }
}

impl Qemu {
    /// Starts `machine`, waiting while too many others run.
    pub fn start(machine: &Machine) -> Result<Self> {
        cost::begin();
        let slot = slot()?;
        let mut messages = tempfile::tempfile().context("cannot make a temporary file")?;
        let mut board = Board::new(
            machine.arch,
            match machine.raspberry_pi {
                None => machine.arch.machine(),
                Some(_) => "raspi3b",
            },
            accelerator(machine.arch, machine.kernel)?,
            machine.memory_mib,
        );
        // A crash ends the machine, and shows the whole log on the console first. On a host
        // that is busy the timer's check at boot fails, which would be such a crash.
        let console = match machine.raspberry_pi {
            None => format!("console={} ", machine.arch.console()),
            // the board's own command line names it
            Some(_) => String::new(),
        };
        let append = format!(
            "{console}quiet no_timer_check panic=-1 oops=panic panic_print=32 {}",
            machine.append
        );
        match machine.firmware {
            Some(variables) => {
                for (file, readonly) in [(Path::new(FIRMWARE), "on"), (variables, "off")] {
                    let file = file.display();
                    let drive = format!("if=pflash,format=raw,readonly={readonly},file={file}");
                    board.arg("-drive", drive);
                }
            }
            None => {
                board
                    .arg("-kernel", machine.kernel)
                    .arg("-append", append.trim_end());
            }
        }
        if let Some(initrd) = machine.initrd {
            board.arg("-initrd", initrd);
        }
        let lab = match machine.raspberry_pi {
            None => board.virtual_devices(machine)?,
            Some(tree) => {
                board.raspberry_pi_devices(machine, tree)?;
                None
            }
        };
        let console = board.chardev("console")?;
        board.arg("-serial", "chardev:console");
        let qmp = board.chardev("qmp")?;
        board.arg("-mon", "chardev=qmp,mode=control");
        if let Some(state) = machine.state {
            board.arg("-incoming", qmp::incoming(state)?);
        }

        let child = board.spawn(&messages)?;
        let mut child = Reaper(Some(child));
        match Qmp::new(qmp) {
            Ok(qmp) => {
                let child = child.0.take().expect("not taken yet");
                let mut qemu = Self {
                    child,
                    messages,
                    qmp,
                    console,
                    lab,
                    _slot: slot,
                };
                if machine.state.is_some() {
                    qemu.qmp.resume()?;
                }
                Ok(qemu)
            }
            Err(error) => {
                drop(child);
                Err(error.context(said(&mut messages)))
            }
        }
    }

    /// Its exit status, once it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// What QEMU wrote to its own standard output and error.
    pub fn said(&mut self) -> String {
        said(&mut self.messages)
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a QEMU that did not come up.
struct Reaper(Option<Child>);

impl Drop for Reaper {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            end(child);
        }
    }
}

fn end(child: &mut Child) {
    // fails only if it has ended already
    let _ = child.kill();
    let _ = cost::wait(child);
}

fn said(messages: &mut File) -> String {
    use std::io::Seek;
    let mut text = Vec::new();
    let _ = messages.rewind();
    let _ = messages.read_to_end(&mut text);
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// The command line.
struct Board {
    arch: Arch,
    command: Command,
    inherited: Vec<OwnedFd>,
}

impl Board {
    fn new(arch: Arch, machine: &str, accelerator: &str, memory_mib: u32) -> Self {
        let mut board = Self {
            arch,
            command: Command::new(arch.qemu()),
            inherited: Vec::new(),
        };
        board.command.args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ]);
        board.arg("-machine", machine).arg("-accel", accelerator);
        let cpu = match accelerator {
            "tcg" => arch.cpu(),
            _ => "max",
        };
        board.arg("-cpu", cpu).arg("-m", memory_mib.to_string());
        board
    }

    fn arg(&mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> &mut Self {
        self.command.arg(name).arg(value);
        self
    }

    /// A character device that is a channel to us.
    fn chardev(&mut self, name: &str) -> Result<Channel> {
        let (ours, theirs) = Channel::pair().context("cannot make a socket pair")?;
        self.arg(
            "-chardev",
            format!("socket,id={name},fd={}", theirs.as_raw_fd()),
        );
        self.inherited.push(theirs);
        Ok(ours)
    }

    /// What a virtual machine or PC has plugged in; the lab's channels, if it has them.
    fn virtual_devices(&mut self, machine: &Machine) -> Result<Option<LabChannels>> {
        if let Some(drive) = &machine.drive {
            self.arg("-blockdev", drive.blockdev().to_string());
            // with werror=enospc, the default, QEMU would stop the machine
            self.arg(
                "-device",
                "virtio-blk-pci,drive=disk,werror=report,rerror=report",
            );
            if let Some(file) = drive.beside {
                let disk = json!({ "driver": "file", "filename": file });
                let node = json!({ "driver": "raw", "file": disk, "node-name": "beside" });
                self.arg("-blockdev", node.to_string());
                self.arg("-device", "virtio-blk-pci,drive=beside");
            }
        }
        // A guest that is restored is told to announce itself. Linux's driver does so in a
        // work that waits for RTNL, and closing the device under RTNL waits for that work:
        // `ip link set eth0 down` soon after would wait for ever (virtnet_close()).
        self.arg(
            "-device",
            "virtio-net-pci,netdev=net,romfile=,guest_announce=off,speed=1000,duplex=full",
        );
        let mut netdev = "user,id=net,restrict=on".to_owned();
        let lab = match machine.lab {
            None => None,
            Some(Lab::Virtio(share)) => Some(self.virtio(share)?),
            Some(Lab::Network) => Some(LabChannels::new(|port, name| {
                netdev += &format!(",guestfwd=tcp:{LAB_HOST}:{port}-chardev:{name}");
                self.chardev(name)
            })?),
        };
        self.arg("-netdev", netdev);
        if machine.lab.is_none() {
            // a router has two
            self.arg("-device", "virtio-net-pci,netdev=second,romfile=");
            self.arg("-netdev", "user,id=second,restrict=on");
        }
        match machine.watchdog {
            None => {}
            Some(Watchdog::Card) => {
                self.arg("-device", "i6300esb");
            }
            // it is always there, and at first a pin of the board forbids it to reset
            Some(Watchdog::Chipset) => {
                self.arg("-global", "ICH9-LPC.noreboot=false");
            }
        }
        if machine.watchdog.is_some() {
            self.arg("-action", "watchdog=pause");
        }
        Ok(lab)
    }

    /// The card of a Raspberry Pi, and the first of its two serial lines, which is not the
    /// console.
    fn raspberry_pi_devices(&mut self, machine: &Machine, tree: &Path) -> Result<()> {
        let drive = machine.drive.context("a Raspberry Pi has a card")?;
        self.arg("-dtb", tree);
        let card = drive.file.display().to_string().replace(',', ",,");
        self.arg("-drive", format!("if=sd,format=raw,file={card}"));
        self.arg("-serial", "null");
        Ok(())
    }

    fn virtio(&mut self, share: &Path) -> Result<LabChannels> {
        let share = share
            .to_str()
            .with_context(|| format!("{} is not UTF-8", share.display()))?;
        self.arg("-device", "virtio-serial-pci");
        let channels = LabChannels::new(|_, name| {
            let channel = self.chardev(name)?;
            self.arg(
                "-device",
                format!("virtserialport,chardev={name},name=nl31.{name}"),
            );
            Ok(channel)
        })?;
        let path = share.replace(',', ",,");
        self.arg(
            "-fsdev",
            format!("local,id=share,path={path},security_model=none,readonly=on"),
        );
        self.arg("-device", "virtio-9p-pci,fsdev=share,mount_tag=share");
        Ok(channels)
    }

    fn spawn(mut self, messages: &File) -> Result<Child> {
        self.command.stdin(Stdio::null());
        self.command
            .stdout(messages.try_clone()?)
            .stderr(messages.try_clone()?);
        let fds: Vec<RawFd> = self.inherited.iter().map(AsRawFd::as_raw_fd).collect();
        let lab = nix::unistd::getpid();
        // SAFETY: between fork and exec only fcntl, prctl and getppid are called, which
        // are safe there, and nothing is allocated.
        unsafe {
            self.command.pre_exec(move || {
                prctl::set_pdeathsig(Signal::SIGKILL)?;
                if nix::unistd::getppid() != lab {
                    return Err(std::io::ErrorKind::BrokenPipe.into());
                }
                for &fd in &fds {
                    let fd = std::os::fd::BorrowedFd::borrow_raw(fd);
                    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
                }
                Ok(())
            });
        }
        self.command
            .spawn()
            .with_context(|| format!("cannot run {}", self.arch.qemu()))
    }
}

/// A right to run one more guest on this machine. Its holder must not wait for another.
fn slot() -> Result<Flock<File>> {
    let dir = cache::local()?;
    let guests = std::thread::available_parallelism()?.get().max(GUESTS_MIN);
    loop {
        for number in 0..guests {
            let path = dir.join(format!("guest-{number}.lock"));
            let file = File::options().create(true).append(true).open(&path)?;
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err((_, nix::Error::EWOULDBLOCK)) => {}
                Err((_, error)) => bail!("cannot lock {}: {error}", path.display()),
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// KVM where it works, else TCG, as for everything that is not a PC. /dev/kvm can be there and open and yet hang every
/// guest, so it is tried, with `kernel` and once each time the host has
/// booted. `NL31_ACCEL` overrides.
pub fn accelerator(arch: Arch, kernel: &Path) -> Result<&'static str> {
    if arch != Arch::X86_64 {
        return Ok("tcg");
    }
    match std::env::var("NL31_ACCEL").as_deref() {
        Ok("kvm") => return Ok("kvm"),
        Ok("tcg") => return Ok("tcg"),
        Ok(other) => bail!("NL31_ACCEL is {other:?}; it can be kvm or tcg"),
        Err(_) => {}
    }
    if File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return Ok("tcg");
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let known = cache::shared()?.join("kvm-probe");
    let answer = fs::read_to_string(&known).unwrap_or_default();
    let works = match answer.strip_prefix(boot.trim()) {
        Some(works) => works.trim() == "works",
        None => {
            let works = probe_kvm(kernel)?;
            let word = if works { "works" } else { "hangs" };
            fs::write(known, format!("{} {word}\n", boot.trim()))?;
            works
        }
    };
    Ok(if works { "kvm" } else { "tcg" })
}

/// Boots `kernel` without a root filesystem: it gives up within a second, and so ends the
/// machine, or never. (Firmware alone proves nothing: it runs where kernels hang.)
fn probe_kvm(kernel: &Path) -> Result<bool> {
    let mut board = Board::new(Arch::X86_64, Arch::X86_64.machine(), "kvm", MEMORY_MIB);
    board.arg("-kernel", kernel).arg("-append", "panic=-1");
    let mut child = Reaper(Some(board.spawn(&tempfile::tempfile()?)?));
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(50));
        if let Some(status) = child
            .0
            .as_mut()
            .and_then(|child| child.try_wait().ok())
            .flatten()
        {
            return Ok(status.success());
        }
    }
    Ok(false)
}
