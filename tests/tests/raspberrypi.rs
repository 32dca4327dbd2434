// SPDX-License-Identifier: MIT OR Apache-2.0
//! The card of the Raspberry Pi in QEMU's Raspberry Pi 3 B: the board's kernel, device
//! tree, command line, serial line and partitions, but not its firmware.

use nl31_lab::console::render;
use nl31_lab::disk::Board;
use nl31_lab::{Disk, DiskImage, Guest};

/// QEMU takes cards of a power of two.
const CARD: u64 = 512 << 20;

/// What the boot said of /data.
fn said(guest: &Guest) -> Vec<String> {
    let screen = render(guest.console.transcript());
    let about = |line: &String| line.find("* data: ").map(|at| line[at..].to_owned());
    screen.iter().filter_map(about).collect()
}

/// The second partition.
fn root(card: &Disk) -> Vec<u8> {
    let place = card.partition(2).expect("a second partition");
    let root = card.extract(place).expect("its content");
    std::fs::read(root.path()).expect("its content")
}

fn succeeds(guest: &mut Guest, line: &str) -> String {
    let reply = guest.command(line).expect("a reply");
    assert!(reply.succeeded(), "{line}: {reply}");
    reply.to_string()
}

#[test]
fn a_card_boots_keeps_what_is_saved_and_is_made_anew_by_a_factory_reset() {
    let image = DiskImage::build(Board::RaspberryPi).expect("an image");
    let card = Disk::flashed(&image.file()).expect("a card");
    card.grow(CARD).expect("to make it larger");
    let flashed = root(&card);
    assert!(flashed.starts_with(b"hsqs"), "a squashfs");
    let boot = || Guest::boot_raspberry_pi(&image, &card).expect("a prompt");
    let made = "* data: made a file system on /dev/mmcblk0p3";

    let mut guest = boot();
    assert_eq!(said(&guest), [made]);
    succeeds(&mut guest, "route add 10.0.0.0/8 via 192.0.2.1");
    succeeds(&mut guest, "save");
    drop(guest);

    let mut guest = boot();
    assert_eq!(said(&guest), [""; 0]);
    let found = succeeds(&mut guest, "route get 10.1.2.3");
    assert!(found.contains("10.0.0.0/8 via 192.0.2.1"), "{found}");
    succeeds(&mut guest, "factory-reset");
    drop(guest);

    let mut guest = boot();
    let asked = "* data: factory reset, asked for by /data/nl31/factory-reset";
    assert_eq!(said(&guest), [asked, made]);
    let gone = guest.command("route get 10.1.2.3").expect("a reply");
    assert!(!gone.succeeded(), "{gone}");
    drop(guest);
    assert!(root(&card) == flashed, "the root is read-only");
}
