// SPDX-License-Identifier: MIT OR Apache-2.0
//! The disk image of PCs: what it is, what outlives a reboot, and that no disk, however
//! bad, keeps the appliance from its prompt.

use std::path::Path;
use std::sync::OnceLock;

use nix::libc;
use nl31_lab::console::render;
use nl31_lab::qemu::{Drive, Fault};
use nl31_lab::{Disk, DiskImage, Guest, Severity, disk};

/// The config that [`used`] has, and what shows that it was loaded.
const CONFIG: &str = "10.0.0.0/8 via 192.0.2.1 dev eth0 metric 10\n";
const ADDRESS: &str = "10.1.2.3";

/// Where ext4 has its superblock, and how long that is.
const SUPERBLOCK: u64 = 1024;

/// A disk that was just flashed.
fn flashed() -> Disk {
    Disk::flashed(&DiskImage::shared().lab_file()).expect("a disk")
}

/// A disk that has booted before, with [`CONFIG`] in /data.
fn used() -> Disk {
    static USED: OnceLock<Disk> = OnceLock::new();
    let used = USED.get_or_init(|| {
        let disk = flashed();
        let mut guest = boot(&disk, "");
        sh(
            &mut guest,
            &format!("printf '{CONFIG}' >/data/nl31/routes.conf"),
        );
        power_off(guest);
        disk
    });
    Disk::copy(used.path()).expect("a disk")
}

fn boot(disk: &Disk, append: &str) -> Guest {
    boot_drive(Drive::new(disk.path()), append)
}

fn boot_drive(drive: Drive, append: &str) -> Guest {
    Guest::boot_disk(DiskImage::shared(), drive, append).expect("a prompt")
}

/// Runs a command in the guest's shell, which must succeed; its output.
fn sh(guest: &mut Guest, command: &str) -> String {
    let output = guest.exec(command).expect("to run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status, 0, "{command}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Everything is on the disk before the guest is gone. The agent may just be keeping a copy
/// of the config that it has loaded.
fn power_off(mut guest: Guest) {
    sh(
        &mut guest,
        "until umount /data 2>/dev/null; do sleep 1; done",
    );
}

/// What the boot said of /data.
fn said(guest: &Guest) -> Vec<String> {
    let screen = render(guest.console.transcript());
    let lines = screen.into_iter();
    lines.filter(|line| line.starts_with("* data: ")).collect()
}

#[track_caller]
fn assert_said(guest: &Guest, what: &str) {
    let said = said(guest);
    assert!(said.iter().any(|line| line.contains(what)), "{said:?}");
}

/// Whether the route of [`CONFIG`] is in the table. The prompt is there before the config is
/// loaded to its end.
fn has_config(guest: &mut Guest) -> bool {
    let reply = guest.command(&format!("route get {ADDRESS}"));
    reply.expect("a reply").succeeded()
}

/// Offset of /data's first byte.
fn data(disk: &Disk) -> u64 {
    disk.partition(3).expect("a third partition").start
}

#[test]
fn the_first_boot_makes_data_and_later_ones_keep_it() {
    let disk = flashed();
    let mut guest = boot(&disk, "");
    let told = "* data: making a file system on /dev/vda3; on a slow card this takes minutes";
    assert_eq!(
        said(&guest),
        [told, "* data: made a file system on /dev/vda3"]
    );
    assert!(!has_config(&mut guest));
    drop(guest);
    let mut guest = boot(&used(), "");
    assert_eq!(said(&guest), [""; 0]);
    assert!(has_config(&mut guest));
}

/// bmaptool leaves out what is a hole in the image.
#[test]
fn flashing_again_starts_data_anew() {
    let disk = used();
    disk.flash_mapped(&DiskImage::shared().lab_file())
        .expect("to flash");
    let mut guest = boot(&disk, "");
    assert_said(&guest, "made a file system on /dev/vda3");
    assert!(!has_config(&mut guest));
}

/// As a disk comes from its factory.
#[test]
fn a_partition_of_zeros_is_blank() {
    let disk = flashed();
    disk.write(data(&disk), &[0; 64 << 10]).expect("to write");
    let guest = boot(&disk, "");
    assert_said(&guest, "made a file system on /dev/vda3");
}

#[test]
fn the_root_is_read_only_and_says_what_it_was_made_from() {
    let mut guest = boot(&used(), "");
    let mounts = sh(&mut guest, "cat /proc/mounts");
    let root = mounts.lines().find(|line| line.contains(" / squashfs "));
    let root = root.expect("a squashfs");
    for option in [" ro,", ",nosuid,", ",nodev,"] {
        assert!(root.contains(option), "{option}: {mounts}");
    }
    let version = guest.command("version").expect("a reply").to_string();
    assert!(!version.contains("\nstorage "), "{version}");
    let refused = guest.exec("touch /etc/new").expect("to run");
    assert_ne!(refused.status, 0);
    let release = sh(&mut guest, "cat /etc/os-release");
    for field in ["ID=nl31", "VERSION_ID=", "BUILD_ID=lab-"] {
        assert!(
            release.lines().any(|line| line.starts_with(field)),
            "{release}"
        );
    }
}

/// The driver is not enough: another makes its device.
#[test]
fn the_chipsets_watchdog_is_fed() {
    let disk = used();
    let mut guest =
        Guest::boot_disk_watched(DiskImage::shared(), Drive::new(disk.path())).expect("a prompt");
    let log = guest.command("log").expect("a reply").to_string();
    assert!(log.contains("resets the board after 4 s"), "{log}");
    // three times its limit, by its own clock
    sh(&mut guest, "sleep 12");
    assert!(!guest.starved().expect("QEMU"));
    sh(&mut guest, "kill -STOP $(pidof nl31-agent)");
    let fired = guest.wait("the watchdog", 1, |guest| {
        Ok(guest.starved()?.then_some(()))
    });
    fired.expect("a reset");
}

#[test]
fn a_name_in_data_is_the_hosts() {
    let disk = used();
    let mut guest = boot(&disk, "");
    let told = |guest: &mut Guest| guest.command("version").expect("a reply").to_string();
    assert!(told(&mut guest).contains("host nl31\n"));
    let first = told(&mut guest);
    sh(
        &mut guest,
        r"printf '# edited on Windows\r\n\r\nrouter-7\r\n' >/data/nl31/hostname",
    );
    power_off(guest);
    let mut guest = boot(&disk, "");
    assert!(told(&mut guest).contains("host router-7\n"));
    // and it is another boot
    let boot_of = |told: &str| {
        told.lines()
            .find(|line| line.starts_with("boot "))
            .map(str::to_owned)
    };
    assert_ne!(
        boot_of(&first).expect("a boot"),
        boot_of(&told(&mut guest)).expect("a boot")
    );

    // One that is typed goes before it, and reaches the kernel by a service of root's.
    assert!(guest.command("hostname r-8").expect("a reply").succeeded());
    let taken = guest.wait("the kernel's name", 1, |guest| {
        let name = guest.exec("hostname")?.stdout;
        Ok((name == b"r-8\n").then_some(()))
    });
    taken.expect("a name");
    assert!(guest.command("save").expect("a reply").succeeded());
    // Its process is killed: nothing is shut down.
    drop(guest);
    let mut guest = boot(&disk, "");
    assert!(told(&mut guest).contains("host r-8\n"));
}

#[test]
fn a_lost_superblock_is_repaired_and_the_config_kept() {
    for garbage in [0, 0xA5] {
        let disk = used();
        let wiped = [garbage; 1024];
        disk.write(data(&disk) + SUPERBLOCK, &wiped)
            .expect("to write");
        let mut guest = boot(&disk, "");
        assert_said(&guest, "repaired /dev/vda3");
        assert!(has_config(&mut guest), "superblock of {garbage:#x}");
    }
}

/// What a flash card reads as whose first block was lost in a power cut.
#[test]
fn a_lost_start_is_repaired_and_the_config_kept() {
    for lost in [0, 0xFF] {
        let disk = used();
        disk.write(data(&disk), &[lost; 64 << 10])
            .expect("to write");
        let mut guest = boot(&disk, "");
        assert_said(&guest, "repaired /dev/vda3; what was lost is in /data/");
        assert!(has_config(&mut guest), "a start of {lost:#x}");
        let log = sh(&mut guest, "cat /data/nl31/e2fsck.log");
        assert!(log.contains("FILE SYSTEM WAS MODIFIED"), "{log}");
    }
}

#[test]
fn data_beyond_repair_is_told_left_alone_and_made_anew_by_a_factory_reset() {
    let disk = used();
    let start = data(&disk);
    let noise: Vec<u8> = (0..64u32 << 20)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for part in 0..3 {
        disk.write(start + part * (64 << 20), &noise)
            .expect("to write");
    }
    let mut guest = boot(&disk, "");
    assert_said(
        &guest,
        "/dev/vda3 is damaged beyond repair; nothing is kept",
    );
    assert!(!has_config(&mut guest));
    drop(guest);
    let mut guest = boot(&disk, "nl31.factory-reset");
    assert_said(
        &guest,
        "factory reset, asked for on the kernel's command line",
    );
    assert_said(&guest, "made a file system on /dev/vda3");
    sh(&mut guest, "touch /data/nl31/new");
}

#[test]
fn a_full_disk_is_told_and_its_config_loaded() {
    let disk = used();
    let mut guest = boot(&disk, "");
    let fill = "dd if=/dev/zero of=/data/filler bs=1M 2>&1 | grep 'No space left'";
    sh(&mut guest, fill);
    power_off(guest);
    let mut guest = boot(&disk, "");
    assert_said(&guest, "/dev/vda3 is full");
    assert!(has_config(&mut guest));

    // a save is refused, and leaves what was saved before
    assert_save_fails(&mut guest, 507);
    assert_eq!(sh(&mut guest, "cat /data/nl31/routes.conf"), CONFIG);
    sh(&mut guest, "rm /data/filler");
    let saved = guest.command("save").expect("a reply");
    assert!(saved.succeeded(), "{saved}");
    assert_ne!(sh(&mut guest, "cat /data/nl31/routes.conf"), CONFIG);
}

/// Changes the table, and is told that it cannot be saved, by this code.
fn assert_save_fails(guest: &mut Guest, code: u16) {
    let added = guest.command("route add 203.0.113.0/24 via 192.0.2.1 dev eth0");
    let added = added.expect("a reply");
    assert!(added.succeeded(), "{added}");
    let saved = guest.command("save").expect("a reply");
    let status = saved.status.as_ref().expect("a status");
    assert_eq!(
        (status.severity, status.code),
        (Severity::Error, code),
        "{saved}"
    );
    assert!(guest.command("ping").expect("a reply").succeeded());
}

/// Flashed with the same image, so that the kernel takes either for its root.
#[test]
fn second_disk_with_same_signature_is_told_and_neither_is_touched() {
    let (disk, beside) = (used(), used());
    let drive = |append: &str| {
        let drive = Drive {
            beside: Some(beside.path()),
            ..Drive::new(disk.path())
        };
        boot_drive(drive, append)
    };
    for append in ["", "nl31.factory-reset"] {
        let mut guest = drive(append);
        assert_said(&guest, "the disks vda and vdb have the same signature");
        assert_said(&guest, "nothing is read, kept or reset");
        assert!(!has_config(&mut guest));
        assert_save_fails(&mut guest, 424);
        drop(guest);
    }
    let mut guest = boot(&disk, "");
    assert_eq!(said(&guest), [""; 0]);
    assert!(has_config(&mut guest));
    drop(guest);

    // Nor is a disk of another board, or a blank one, taken for a second.
    beside.write(440, b"b3ln").expect("to write");
    assert!(has_config(&mut drive("")));
    beside.write(0, &[0; 512]).expect("to write");
    assert!(has_config(&mut drive("")));
}

#[test]
fn a_missing_partition_is_told() {
    let disk = used();
    disk.write(446 + 2 * 16, &[0; 16]).expect("to write");
    let mut guest = boot(&disk, "");
    assert_said(
        &guest,
        "the disk vda has no third partition; nothing is kept",
    );
    assert!(!has_config(&mut guest));
}

#[test]
fn a_disk_that_fails_is_told_and_leads_to_a_prompt() {
    let fault = |request, sector, errno| Fault {
        request,
        sector,
        errno,
    };
    let eio = libc::EIO;
    let sector = |disk: &Disk| data(disk) / 512;

    // a first boot that cannot write
    for errno in [eio, libc::ENOSPC] {
        let faults = [fault("write", None, errno)];
        let disk = flashed();
        let drive = Drive {
            faults: &faults,
            ..Drive::new(disk.path())
        };
        let guest = boot_drive(drive, "");
        assert_said(
            &guest,
            "cannot make a file system on /dev/vda3; nothing is kept",
        );
    }

    // a later boot that cannot write: what is there is read
    for request in ["write", "flush"] {
        let faults = [fault(request, None, eio)];
        let disk = used();
        let drive = Drive {
            faults: &faults,
            ..Drive::new(disk.path())
        };
        let mut guest = boot_drive(drive, "");
        assert!(has_config(&mut guest), "{request}: {:?}", said(&guest));
        assert_save_fails(&mut guest, 424);
    }

    // the superblock cannot be read
    let disk = used();
    let faults = [fault("read", Some(sector(&disk) + SUPERBLOCK / 512), eio)];
    let drive = Drive {
        faults: &faults,
        ..Drive::new(disk.path())
    };
    let guest = boot_drive(drive, "");
    assert!(!said(&guest).is_empty());
}

#[test]
fn a_config_that_does_not_parse_is_named_and_leads_to_a_prompt() {
    let disk = used();
    let mut guest = boot(&disk, "");
    let wrong = "printf '10.0.0.0/8 via nonsense\\n' >/data/nl31/routes.conf";
    sh(&mut guest, wrong);
    power_off(guest);
    let guest = boot(&disk, "");
    let screen = render(guest.console.transcript());
    let place = "/data/nl31/routes.conf:1:16:";
    assert!(
        screen.iter().any(|line| line.contains(place)),
        "{screen:#?}"
    );
}

#[test]
fn a_factory_reset_asked_for_by_a_file_or_a_command_leaves_nothing() {
    let disk = used();
    for (command, file) in [
        (false, "/data/factory-reset"),
        (true, "/data/nl31/factory-reset"),
    ] {
        let mut guest = boot(&disk, "");
        sh(
            &mut guest,
            &format!("printf '{CONFIG}' >/data/nl31/routes.conf"),
        );
        match command {
            // The agent's user makes the file, and root's script finds it.
            true => {
                let reply = guest.command("factory-reset").expect("a reply");
                assert!(reply.succeeded(), "{reply}");
                sh(&mut guest, &format!("[ -e {file} ]"));
            }
            false => drop(sh(&mut guest, &format!("touch {file}"))),
        }
        power_off(guest);
        let mut guest = boot(&disk, "");
        assert_said(&guest, &format!("factory reset, asked for by {file}"));
        assert!(!has_config(&mut guest));
        assert_eq!(sh(&mut guest, "ls -A /data/nl31"), "");
        let saved = guest.command("save").expect("a reply");
        assert!(saved.succeeded(), "{saved}");
        power_off(guest);
        let guest = boot(&disk, "");
        assert_eq!(said(&guest), [""; 0]);
    }
}

/// From the same files, at another time, comes the same image.
#[test]
fn the_image_depends_on_its_files_only() {
    let image = DiskImage::shared();
    let again = tempfile::tempdir().expect("a folder");
    for file in ["bzImage", "rootfs.squashfs"] {
        std::fs::copy(image.dir().join(file), again.path().join(file)).expect("a copy");
    }
    disk::post_image(disk::Board::Pc, again.path()).expect("an image");
    for file in ["disk.img", "disk.img.bmap", "disk.img.sha256"] {
        let read = |dir: &Path| std::fs::read(dir.join(file)).expect("to read");
        assert!(read(image.dir()) == read(again.path()), "{file} differs");
    }
}

/// By the kernel's own settings: what firmware starts has nothing of the lab on its command
/// line.
#[test]
fn a_root_that_is_damaged_restarts_the_board() {
    nl31_lab::host::require(&["ovmf"]).expect("packages");
    let image = DiskImage::shared();
    let disk = Disk::flashed(&image.file()).expect("a disk");
    let root = disk.partition(2).expect("a second partition");
    disk.write(root.start, &[0; 4096]).expect("to write");
    let mut guest = Guest::launch_firmware(image, &disk).expect("a start");
    let error = guest.await_boot().expect_err("no root").to_string();
    assert!(error.contains("Unable to mount root fs"), "{error}");
    guest.await_end().expect("a restart");
}

#[test]
fn uefi_firmware_starts_the_disk() {
    nl31_lab::host::require(&["ovmf"]).expect("packages");
    let image = DiskImage::shared();
    let disk = Disk::flashed(&image.file()).expect("a disk");
    let mut guest = Guest::launch_firmware(image, &disk).expect("a start");
    guest.await_boot().expect("a prompt");
    assert_said(&guest, "made a file system on /dev/vda3");
    assert!(guest.command("ping").expect("a reply").succeeded());
}
