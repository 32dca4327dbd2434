// SPDX-License-Identifier: MIT OR Apache-2.0
//! A DHCP server sets address and default route of a link: made, saved as one line, back after
//! a power cut, taken away with the lease.

use nl31_lab::qemu::Drive;
use nl31_lab::{Disk, DiskImage, Guest, Reply};

/// A DHCP server at the other end of `wan0`, in a network namespace of its own.
const SERVER: &str = r#"
set -e
unshare --net sleep 100000 </dev/null >/dev/null 2>&1 &
echo $! >/run/isp
while [ /proc/$!/ns/net -ef /proc/self/ns/net ]; do sleep 0.1; done
ip link add wan0 type veth
ip link set $(ls /sys/class/net | grep '^veth') name isp0
ip link set isp0 netns $(cat /run/isp)
in_isp="nsenter --net=/proc/$(cat /run/isp)/ns/net"
$in_isp ip link set lo up
$in_isp ip address add 192.0.2.1/24 dev isp0
$in_isp ip link set isp0 up
"#;

/// Starts the server with another router in its offers; `ROUTER` is replaced.
const SERVE: &str = r#"
set -e
in_isp="nsenter --net=/proc/$(cat /run/isp)/ns/net"
[ ! -e /run/isp.pid ] || kill $(cat /run/isp.pid)
rm -f /run/isp.leases
touch /run/isp.leases
cat >/run/isp.conf <<END
start 192.0.2.10
end 192.0.2.10
interface isp0
lease_file /run/isp.leases
pidfile /run/isp.pid
option subnet 255.255.255.0
option router ROUTER
option lease 864000
END
$in_isp udhcpd -f /run/isp.conf </dev/null >/dev/null 2>&1 &
"#;

const ROUTE: &str = "0.0.0.0/0 via 192.0.2.1 dev wan0 metric 1024 proto dhcp";

fn boot(disk: &Disk) -> Guest {
    Guest::boot_disk(DiskImage::shared(), Drive::new(disk.path()), "").expect("a prompt")
}

fn succeeds(guest: &mut Guest, line: &str) -> Reply {
    let reply = guest.command(line).expect("a reply");
    assert!(reply.succeeded(), "{line}: {reply}");
    reply
}

fn sh(guest: &mut Guest, script: &str) -> String {
    let output = guest.exec(script).expect("to run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status, 0, "{script}: {text}{errors}");
    text
}

fn serve(guest: &mut Guest, router: &str) {
    sh(guest, &SERVE.replace("ROUTER", router));
}

/// Waits until `dhcp` has such a line, without the seconds that are left.
fn wait_for(guest: &mut Guest, wanted: &str) {
    let is_so = guest.wait(wanted, 2, |guest| {
        let reply = guest.command("dhcp")?;
        let mut lines = reply.data();
        let found = lines.any(|line| line.split(" seconds ").next() == Some(wanted));
        Ok(found.then_some(()))
    });
    is_so.expect("another lease");
}

const BOUND: &str = "wan0 bound 192.0.2.10/24 via 192.0.2.1 server 192.0.2.1";

/// Waits until the table has this default route, or none: the agent looks at leases each second.
fn wait_for_route(guest: &mut Guest, wanted: Option<&str>) {
    let is_so = guest.wait("the default route", 2, |guest| {
        let reply = guest.command("route get 203.0.113.7")?;
        let same = reply.succeeded() == wanted.is_some() && reply.data().eq(wanted);
        Ok(same.then_some(()))
    });
    is_so.expect("another default route");
}

/// The address and route of the lease, where Linux and the table have them.
fn assert_made(guest: &mut Guest) {
    wait_for_route(guest, Some(ROUTE));
    let addresses = succeeds(guest, "address show wan0").to_string();
    assert!(addresses.contains("192.0.2.10/24 dev wan0"), "{addresses}");
    let version = succeeds(guest, "version").to_string();
    assert!(version.contains("changes none"), "{version}");
}

#[test]
fn leased_router_comes_back_after_power_cut_and_leaves_with_the_lease() {
    let disk = Disk::flashed(&DiskImage::shared().lab_file()).expect("a disk");
    let mut guest = boot(&disk);
    sh(&mut guest, SERVER);
    succeeds(&mut guest, "dhcp wan0 on");
    wait_for(&mut guest, "wan0 searching");
    succeeds(&mut guest, "save");
    serve(&mut guest, "192.0.2.1");
    wait_for(&mut guest, BOUND);
    assert_made(&mut guest);
    assert_eq!(sh(&mut guest, "pidof udhcpc | wc -w"), "1\n");
    let page = succeeds(&mut guest, "show");
    let line = format!("dhcp {BOUND} seconds ");
    assert!(page.data().any(|is| is.starts_with(&line)), "{page}");
    let client = succeeds(&mut guest, "dhcp show json");
    let lease = [
        r#"{"dev":"wan0","state":"bound","address":"192.0.2.10","len":24,"#,
        r#""gateway":"192.0.2.1","server":"192.0.2.1","seconds":"#,
    ];
    assert!(client.lines[0].starts_with(&lease.concat()), "{client}");
    succeeds(&mut guest, "save");
    let file = sh(&mut guest, "grep -v '^#' /data/nl31/routes.conf");
    assert_eq!(file, "dhcp wan0 on\n");
    let no_difference = succeeds(&mut guest, "diff");
    assert_eq!(no_difference.data().count(), 0, "{no_difference}");
    // A killed agent finds what the one before it has made.
    guest
        .replace_agent("kill -9 $(pidof nl31-agent)")
        .expect("the next agent");
    assert_made(&mut guest);
    // Its process is killed: nothing is shut down.
    drop(guest);

    let mut guest = boot(&disk);
    // Held until the config is loaded; the device comes later.
    let settings = succeeds(&mut guest, "config show");
    assert_eq!(settings.data().collect::<Vec<_>>(), ["dhcp wan0 on"]);
    wait_for(&mut guest, "wan0 deferred");
    sh(&mut guest, SERVER);
    serve(&mut guest, "192.0.2.1");
    wait_for(&mut guest, BOUND);
    assert_made(&mut guest);

    // The lease is given back, and a server that lies gives the next one.
    serve(&mut guest, "203.0.113.1");
    sh(&mut guest, "kill -USR2 $(pidof udhcpc)");
    wait_for(&mut guest, "wan0 searching");
    wait_for_route(&mut guest, None);
    sh(&mut guest, "kill -USR1 $(pidof udhcpc)");
    let refused = "wan0 bound 192.0.2.10/24 server 192.0.2.1 refused-gateway 203.0.113.1";
    wait_for(&mut guest, refused);
    let refused = guest.wait("the refusal in the log", 2, |guest| {
        let log = guest.command("log")?.to_string();
        let is_told = log.contains("DHCP on wan0: the router 203.0.113.1 is refused");
        Ok(is_told.then_some(log))
    });
    let log = refused.expect("a refusal");
    for text in [
        "DHCP on wan0: leased 192.0.2.10/24 via 192.0.2.1 server 192.0.2.1",
        "DHCP on wan0: lost the lease of 192.0.2.10/24",
    ] {
        assert!(log.contains(text), "{text}: {log}");
    }
    let addresses = succeeds(&mut guest, "address show wan0").to_string();
    assert!(addresses.contains("192.0.2.10/24 dev wan0"), "{addresses}");
    wait_for_route(&mut guest, None);

    succeeds(&mut guest, "dhcp wan0 off");
    let addresses = succeeds(&mut guest, "address show wan0").to_string();
    assert!(!addresses.contains("192.0.2.10"), "{addresses}");
    let ended = guest.wait("the end of the client", 2, |guest| {
        let output = guest.exec("pidof udhcpc")?;
        Ok((output.status != 0).then_some(()))
    });
    ended.expect("no client");
    assert_eq!(succeeds(&mut guest, "dhcp").data().count(), 0);
}

/// The lab's BusyBox is shown to have the client above; Buildroot's has it by default.
#[test]
fn busybox_of_buildroot_keeps_the_client() {
    let fragment = include_str!("../../board/common/busybox.fragment");
    assert!(!fragment.contains("CONFIG_UDHCPC is not set"), "{fragment}");
}
