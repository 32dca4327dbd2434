// SPDX-License-Identifier: MIT OR Apache-2.0
//! One cable sets up a router: what is typed of links, addresses, ports and routes is saved,
//! and comes back after the power was cut; a VLAN, a bridge and multipath, too.

use nl31_lab::console::is_prompt;
use nl31_lab::qemu::Drive;
use nl31_lab::{Disk, DiskImage, Guest, Image, Reply, Setup};

/// What is typed, in another order than that of the config.
const TYPED: [&str; 16] = [
    "port set eth0 urpf loose",
    "address add 192.0.2.1/24 dev eth0",
    "address add 2001:db8::1/64 dev eth0",
    "link set eth0 mtu 1400",
    "link set eth0 address 02:00:00:00:00:77",
    "route add 10.0.0.0/8 via 192.0.2.254 dev eth0",
    "route add 2001:db8:1::/48 via 2001:db8::2 dev eth0",
    "link add link eth0 name eth0.7 type vlan id 7",
    "address add 203.0.113.1/24 dev eth0.7",
    "port set eth0.7",
    "link add link eth0 name eth0.8 type vlan id 8",
    "link add br0 type bridge",
    "link set eth0.8 master br0",
    "address add 10.9.0.1/24 dev br0",
    "port set br0",
    "multipath on",
];

/// The settings as they are saved.
const SETTINGS: [&str; 13] = [
    "multipath on",
    "link add br0 type bridge",
    "link add link eth0 name eth0.7 type vlan id 7",
    "link add link eth0 name eth0.8 type vlan id 8",
    "link set eth0 mtu 1400 address 02:00:00:00:00:77",
    "link set eth0.8 master br0",
    "address add 192.0.2.1/24 dev eth0",
    "address add 2001:db8::1/64 dev eth0",
    "address add 203.0.113.1/24 dev eth0.7",
    "address add 10.9.0.1/24 dev br0",
    "port set eth0 urpf loose",
    "port set eth0.7",
    "port set br0",
];

fn boot(disk: &Disk) -> Guest {
    Guest::boot_disk(DiskImage::shared(), Drive::new(disk.path()), "").expect("a prompt")
}

fn succeeds(guest: &mut Guest, line: &str) -> Reply {
    let reply = guest.command(line).expect("a reply");
    assert!(reply.succeeded(), "{line}: {reply}");
    reply
}

/// What a command in the guest prints.
fn prints(guest: &mut Guest, command: &str) -> String {
    let output = guest.exec(command).expect("to run");
    assert_eq!(output.status, 0, "{command}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What Linux itself says of eth0.
fn linux(guest: &mut Guest) -> String {
    prints(guest, "ip address show dev eth0")
}

/// The indices of the links that were made.
const INDICES: &str = "cd /sys/class/net && cat br0/ifindex eth0.7/ifindex eth0.8/ifindex";

#[test]
fn saved_router_comes_back_after_power_cut() {
    let disk = Disk::flashed(&DiskImage::shared().lab_file()).expect("a disk");
    let mut guest = boot(&disk);
    for line in TYPED {
        succeeds(&mut guest, line);
    }
    assert!(linux(&mut guest).contains("mtu 1400"));
    succeeds(&mut guest, "save");
    // Not saved, so it is lost with the power.
    succeeds(&mut guest, "address add 198.51.100.1/24 dev eth0");
    // Its process is killed: nothing is shut down.
    drop(guest);

    let mut guest = boot(&disk);
    // Held until the config is loaded.
    let settings = succeeds(&mut guest, "config show");
    assert_eq!(settings.data().collect::<Vec<_>>(), SETTINGS);
    let no_difference = succeeds(&mut guest, "diff");
    assert_eq!(no_difference.data().count(), 0, "{no_difference}");
    let stats = succeeds(&mut guest, "stats");
    assert!(stats.data().any(|line| line == "multipath 1"), "{stats}");
    let shown = linux(&mut guest);
    for has in ["mtu 1400", "inet 192.0.2.1/24", "inet6 2001:db8::1/64"] {
        assert!(shown.contains(has), "{has}: {shown}");
    }
    assert!(!shown.contains("198.51.100.1"), "{shown}");
    let ports = succeeds(&mut guest, "port show");
    for port in [
        "eth0 forwarding on urpf loose ",
        "eth0.7 forwarding on ",
        "br0 forwarding on ",
    ] {
        let mut lines = ports.data();
        assert!(lines.any(|line| line.starts_with(port)), "{port}: {ports}");
    }
    for (device, kind) in [
        (
            "eth0.7",
            " kind vlan id 7 over eth0 address 203.0.113.1/24 ",
        ),
        ("eth0.8", " kind vlan id 8 over eth0 master br0 "),
        ("br0", " kind bridge address 10.9.0.1/24 "),
    ] {
        let shown = succeeds(&mut guest, &format!("link show {device}"));
        let up = format!("{device} up carrier on mtu 1400 ");
        assert!(shown.lines[0].starts_with(&up), "{shown}");
        assert!(shown.lines[0].contains(kind), "{shown}");
    }
    assert_eq!(prints(&mut guest, "ls /sys/class/net/br0/brif"), "eth0.8\n");
    let indices = prints(&mut guest, INDICES);
    let page = succeeds(&mut guest, "show");
    for line in [
        "changes none",
        "link eth0 up carrier on address 192.0.2.1/24 address 2001:db8::1/64 ",
        "port eth0 forwarding on forwards ",
    ] {
        assert!(page.data().any(|is| is.starts_with(line)), "{line}: {page}");
    }
    let route = succeeds(&mut guest, "route get 10.1.2.3");
    let route: Vec<_> = route.data().collect();
    assert_eq!(route, ["10.0.0.0/8 via 192.0.2.254 dev eth0"]);

    // A killed agent comes back, and changes nothing.
    guest
        .replace_agent("kill -9 $(pidof nl31-agent)")
        .expect("the next agent");
    let settings = succeeds(&mut guest, "config show");
    assert_eq!(settings.data().collect::<Vec<_>>(), SETTINGS);
    let listed = succeeds(&mut guest, "link show eth0");
    // QEMU's card has a speed, and the agent may read it.
    let shows = " mtu 1400 speed 1000 duplex full mac 02:00:00:00:00:77 ";
    assert!(listed.lines[0].contains(shows), "{listed}");
    assert_eq!(prints(&mut guest, INDICES), indices);

    // What the kernel refuses, and what it deletes with a link.
    for (line, code) in [
        ("link add link eth0 name v type vlan id 7", "E413 "),
        ("link add eth0 type dummy", "E413 "),
        ("link add all type dummy", "E422 "),
        ("link set br0 master br0", "E422 "),
        ("link set eth0.7 mtu 1500", "E422 "),
        ("link del eth0", "E422 "),
        ("link set lo address 02:00:00:00:00:01", "E422 "),
        ("link del nl31", "E422 "),
    ] {
        let reply = guest.command(line).expect("a reply");
        assert!(reply.to_string().contains(code), "{line}: {reply}");
    }
    let deleted = succeeds(&mut guest, "link del br0");
    assert!(
        deleted.to_string().contains("and 3 settings with it"),
        "{deleted}"
    );
    succeeds(&mut guest, "load");
    assert_eq!(prints(&mut guest, "ls /sys/class/net/br0/brif"), "eth0.8\n");
    let no_difference = succeeds(&mut guest, "diff");
    assert_eq!(no_difference.data().count(), 0, "{no_difference}");
}

/// A question of `setup`, by how it begins, and what a person answers; Enter alone to all others.
const ANSWERS: [(&str, &str); 3] = [
    ("host name [", "edge-1"),
    ("eth0 addresses [", "192.0.2.1/24 2001:db8::1/64"),
    ("IPv4 default route via [", "192.0.2.254"),
];

#[test]
fn setup_asks_for_a_router_and_types_its_lines() {
    let mut guest = Guest::start(Image::shared(), &Setup::default()).expect("a guest");
    guest.console.type_line(b"setup");
    loop {
        let last = guest.expect("a question, or the prompt", |screen| {
            let last = screen.last().filter(|_| screen.len() > 1)?;
            let asks = last.ends_with("]: ");
            let ended = is_prompt(last) && last.ends_with("!> ");
            (asks || ended).then(|| last.clone())
        });
        let last = last.expect("a question, or the prompt");
        if is_prompt(&last) {
            break;
        }
        let answer = ANSWERS.iter().find(|(begin, _)| last.starts_with(begin));
        let answer = answer.map_or("", |(_, answer)| answer);
        guest.console.type_line(answer.as_bytes());
    }
    // Kept as the config, on an image without a disk for this boot.
    succeeds(&mut guest, "confirm");
    let settings = succeeds(&mut guest, "config show");
    for line in [
        "address add 192.0.2.1/24 dev eth0",
        "address add 2001:db8::1/64 dev eth0",
        "port set eth0",
        "hostname edge-1",
    ] {
        assert!(
            settings.data().any(|shown| shown == line),
            "{line}: {settings}"
        );
    }
    let shown = linux(&mut guest);
    assert!(shown.contains("inet 192.0.2.1/24"), "{shown}");
    let route = succeeds(&mut guest, "route get 203.0.113.7");
    let route: Vec<_> = route.data().collect();
    assert_eq!(route, ["0.0.0.0/0 via 192.0.2.254 dev eth0"]);
}
