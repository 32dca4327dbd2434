// SPDX-License-Identifier: MIT OR Apache-2.0
//! Power cuts. QEMU logs each write and flush of a guest's disk; from the log come disks as
//! a cut at any point leaves them, with any part of what was not flushed yet. On each the
//! config that was saved last must be there: the newest that was acknowledged, or the one
//! that was just being saved.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use nl31_lab::qemu::Drive;
use nl31_lab::random::{self, SplitMix};
use nl31_lab::write_log::{self, Entry, PowerCuts};
use nl31_lab::{Disk, DiskImage, Guest, cost, host};

/// Points at which the power is cut: in the first boot, in each save, in a factory reset.
const CUTS_IN_BOOT: usize = 80;
const CUTS_IN_SAVE: usize = 10;
const CUTS_IN_RESET: usize = 80;

/// Saves; each third is the confirmation of a commit.
const SAVES: usize = 12;

/// At every so many points a guest boots; the others are judged by e2fsck and debugfs.
const BOOT_EVERY: usize = 40;

const BLOCK: u64 = 4096;
const CONFIG: &str = "/nl31/routes.conf";

/// A guest's life with a disk.
struct Life {
    before: Disk,
    entries: Vec<Entry>,
    saves: Vec<Save>,
}

/// What was saved, and how many entries the log had before and after.
struct Save {
    asked: usize,
    acknowledged: usize,
    content: String,
}

/// Boots from `disk` with a log, and does things with the guest.
fn live(disk: &Disk, act: impl FnOnce(&mut Guest, &dyn Fn() -> usize) -> Vec<Save>) -> Life {
    let before = Disk::copy(disk.path()).expect("a copy");
    let log = tempfile::NamedTempFile::new().expect("a file");
    let drive = Drive {
        log: Some(log.path()),
        ..Drive::new(disk.path())
    };
    let mut guest = Guest::boot_disk(DiskImage::shared(), drive, "").expect("a prompt");
    let logged = || write_log::read(log.path()).expect("a log").len();
    let saves = act(&mut guest, &logged);
    drop(guest);
    let entries = write_log::read(log.path()).expect("a log");
    Life {
        before,
        entries,
        saves,
    }
}

fn command(guest: &mut Guest, line: &str) {
    let reply = guest.command(line).expect("a reply");
    assert!(reply.succeeded(), "{line}: {reply}");
}

/// What a cut left of /data.
#[derive(Debug, PartialEq)]
enum Left {
    /// Nothing: the next boot makes the file system.
    Nothing,
    /// A sound file system, with or without a config.
    Sound(Option<String>),
}

/// The partition for /data, alone.
fn data(disk: &Disk) -> Disk {
    let place = disk.partition(3).expect("a third partition");
    disk.extract(place).expect("its content")
}

/// Judges a partition by the rules of S10data, with the same e2fsck. Only a superblock that
/// was cut, its first sector written and its second not, may need more than a journal's replay.
fn left(data: &Disk, number: usize) -> Left {
    let file = File::open(data.path()).expect("the partition");
    let end = file.metadata().expect("its size").len();
    let read = |offset: u64, length: usize| {
        let mut buffer = vec![0; length];
        file.read_exact_at(&mut buffer, offset).expect("to read");
        buffer
    };
    let mark = read(end - BLOCK, 38);
    let half_made = mark.starts_with(b"nl31: a file system is being made");
    let made = mark.starts_with(b"nl31: a file system is made");
    let start = read(0, 64 << 10);
    let flashed = start.chunks(16).all(|line| line == b"nl31: blank yet\n");
    let blank = start.iter().all(|byte| [0, 0xFF].contains(byte));
    if half_made || flashed || blank && !made {
        return Left::Nothing;
    }
    let check = |how: &str| {
        let output = cost::output(Command::new("e2fsck").arg(how).arg(data.path()));
        let output = output.expect("to run e2fsck");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code().is_some_and(|code| code < 4), said)
    };
    let (sound, said) = check("-p");
    assert!(
        sound || number % 4 == 3,
        "what a cut leaves needs no repair:\n{said}"
    );
    let (sound, said) = check("-fy");
    assert!(sound, "{said}");
    Left::Sound(content(data, CONFIG))
}

/// The content of a file in a file system.
fn content(data: &Disk, path: &str) -> Option<String> {
    let output = Command::new("debugfs")
        .args(["-R", &format!("cat {path}")])
        .arg(data.path())
        .output()
        .expect("to run debugfs");
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("File not found") {
        return None;
    }
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// Cuts the power as often as told within parts of the log, from one end of each to the
/// other. Calls `judge` with each cut's number, its place in the log, and the disk.
fn cut(life: &Life, parts: &[(Range<usize>, usize)], mut judge: impl FnMut(usize, usize, Disk)) {
    host::require(host::DISK).expect("packages");
    let mut cuts = PowerCuts::new(&life.before, &life.entries).expect("a disk");
    let seed = random::seed();
    println!("NL31_SEED={seed}");
    let mut random = SplitMix(seed);
    let mut number = 0;
    for (part, count) in parts {
        for index in 0..*count {
            let place = part.start + part.len() * index / (count - 1);
            let mut whole = false;
            let disk = cuts.at(place, |sector| match number % 4 {
                // nothing of what was not flushed, everything, some writes, some sectors
                0 => false,
                1 => true,
                2 => {
                    if sector == 0 {
                        whole = random.below(2) == 0;
                    }
                    whole
                }
                _ => random.below(2) == 0,
            });
            judge(number, place, disk.expect("a disk"));
            number += 1;
        }
    }
}

/// The configs that may be on the disk after a cut behind `count` entries; `None` is none.
fn allowed(saves: &[Save], count: usize) -> Vec<Option<&str>> {
    let sure = saves.iter().rposition(|save| save.acknowledged <= count);
    let first = sure.map_or(0, |index| index + 1);
    let under_way = saves[first..]
        .iter()
        .take_while(|save| save.asked < count)
        .map(|save| Some(save.content.as_str()));
    let sure = sure.map(|index| saves[index].content.as_str());
    [sure].into_iter().chain(under_way).collect()
}

#[test]
fn no_cut_loses_a_save_or_the_prompt() {
    let disk = Disk::flashed(&DiskImage::shared().lab_file()).expect("a disk");
    let life = live(&disk, |guest, logged| {
        let mut saves = Vec::new();
        for number in 0..SAVES {
            let route = format!("route add 10.{number}.0.0/16 via 192.0.2.1 dev eth0");
            // a commit that waits to be confirmed is not on the disk: a cut takes it back
            let confirmed = number % 3 == 2;
            if confirmed {
                command(guest, "begin");
                command(guest, &route);
                command(guest, "commit confirmed 600");
            } else {
                command(guest, &route);
            }
            let asked = logged();
            command(guest, if confirmed { "confirm" } else { "save" });
            let acknowledged = logged();
            let content = guest.exec(&format!("cat /data{CONFIG}")).expect("to run");
            saves.push(Save {
                asked,
                acknowledged,
                content: String::from_utf8(content.stdout).expect("text"),
            });
        }
        saves
    });
    for pair in life.saves.windows(2) {
        assert_ne!(pair[0].content, pair[1].content, "each save is another");
        assert!(pair[0].acknowledged < pair[1].acknowledged);
    }

    let mut parts = vec![(0..life.saves[0].asked, CUTS_IN_BOOT)];
    for save in &life.saves {
        parts.push((save.asked..save.acknowledged, CUTS_IN_SAVE));
    }
    let (mut made, mut last) = (0, 0);
    cut(&life, &parts, |number, count, disk| {
        let allowed = allowed(&life.saves, count);
        let left = left(&data(&disk), number);
        let config = match &left {
            Left::Nothing => None,
            Left::Sound(config) => config.as_deref(),
        };
        made += usize::from(left == Left::Nothing);
        assert!(
            allowed.contains(&config),
            "cut {number}, behind {count} of {} writes and flushes: {left:?} is none of {allowed:#?}",
            life.entries.len()
        );
        if number % BOOT_EVERY == BOOT_EVERY / 2 {
            boots_with(disk.path(), config);
        }
        last = number;
    });
    assert_eq!(last + 1, 200);
    assert!(made > 1, "some cuts are within the first boot");
}

/// A guest boots from the disk, and its table is the config.
fn boots_with(disk: &Path, config: Option<&str>) {
    let mut guest = Guest::boot_disk(DiskImage::shared(), Drive::new(disk), "").expect("a prompt");
    let wanted: Vec<&str> = config
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let reply = guest.command("route show").expect("a reply");
    assert!(reply.succeeded(), "{reply}");
    assert_eq!(reply.data().collect::<Vec<_>>(), wanted);
}

#[test]
fn a_factory_reset_that_is_cut_is_done_or_done_again() {
    let disk = Disk::flashed(&DiskImage::shared().lab_file()).expect("a disk");
    let mut guest =
        Guest::boot_disk(DiskImage::shared(), Drive::new(disk.path()), "").expect("a prompt");
    let prepare =
        format!("echo '# old' >/data{CONFIG} && touch /data/factory-reset && umount /data");
    let output = guest.exec(&prepare).expect("to run");
    assert_eq!(output.status, 0);
    drop(guest);

    let life = live(&disk, |_, _| Vec::new());
    let mut seen = [0; 3];
    let whole = 0..life.entries.len();
    cut(&life, &[(whole, CUTS_IN_RESET)], |number, count, disk| {
        let data = data(&disk);
        match left(&data, number) {
            Left::Nothing => seen[0] += 1,
            Left::Sound(None) => seen[1] += 1,
            Left::Sound(Some(_)) => {
                seen[2] += 1;
                assert!(
                    content(&data, "/factory-reset").is_some(),
                    "cut {number}, behind {count} entries: the old config without the mark"
                );
            }
        }
    });
    assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
}

#[test]
fn no_cut_brings_a_factory_reset_back_that_a_save_has_called_off() {
    let disk = Disk::flashed(&DiskImage::shared().lab_file()).expect("a disk");
    let life = live(&disk, |guest, logged| {
        command(guest, "route add 10.0.0.0/8 via 192.0.2.1 dev eth0");
        command(guest, "factory-reset");
        let asked = logged();
        command(guest, "save");
        let acknowledged = logged();
        let content = guest.exec(&format!("cat /data{CONFIG}")).expect("to run");
        vec![Save {
            asked,
            acknowledged,
            content: String::from_utf8(content.stdout).expect("text"),
        }]
    });
    let [save] = &life.saves[..] else {
        panic!("one save");
    };
    let behind = save.acknowledged..life.entries.len();
    cut(&life, &[(behind, CUTS_IN_SAVE)], |number, count, disk| {
        let data = data(&disk);
        let saved = Left::Sound(Some(save.content.clone()));
        assert_eq!(left(&data, number), saved, "cut {number}, behind {count}");
        let mark = content(&data, "/nl31/factory-reset");
        assert_eq!(mark, None, "cut {number}, behind {count} entries");
    });
}
