// SPDX-License-Identifier: MIT OR Apache-2.0
//! Packets follow the table: two neighbours, each in a network namespace of its own, reach
//! each other over ports that are set on the console.

use nl31_lab::{Guest, Image, Reply, Setup};

/// Neighbour `a` is behind `a0`. Neighbour `b` is behind `b0` and `c0`, and has addresses
/// that Linux on the router has no route to.
const NEIGHBOURS: &str = r#"
set -e
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
# neighbour NAME: a process that keeps the namespace
neighbour() {
	unshare --net sleep 100000 </dev/null >/dev/null 2>&1 &
	echo $! >/run/$1
	while [ /proc/$!/ns/net -ef /proc/self/ns/net ]; do sleep 0.1; done
	in_ $1 ip link set lo up
	in_ $1 sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'
}
# in_ NAME COMMAND…
in_() {
	name=$1
	shift
	nsenter --net=/proc/$(cat /run/$name)/ns/net "$@"
}
# cable NAME DEVICE NUMBER: 10.NUMBER.0.0/24 and fd00:NUMBER::/64, the router being 1
cable() {
	ip link add $2 type veth
	# both neighbours' ends of `b` are in one namespace
	peer=$2-peer
	ip link set $(ls /sys/class/net | grep '^veth') name $peer
	ip link set $peer netns $(cat /run/$1)
	ip address add 10.$3.0.1/24 dev $2
	ip -6 address add fd00:$3::1/64 dev $2
	ip link set $2 up
	in_ $1 ip address add 10.$3.0.2/24 dev $peer
	in_ $1 ip -6 address add fd00:$3::2/64 dev $peer
	in_ $1 ip link set $peer up
}
neighbour a
neighbour b
cable a a0 1
cable b b0 2
cable b c0 3
in_ a ip route add default via 10.1.0.1
in_ a ip -6 route add default via fd00:1::1
in_ b ip route add default via 10.2.0.1
in_ b ip -6 route add default via fd00:2::1
in_ b ip address add 192.0.2.1/32 dev lo
in_ b ip -6 address add 2001:db8::1/128 dev lo
"#;

/// Neighbour `c` behind `b`, which forwards: 10.4.0.2 and fd00:4::2.
const BEHIND_B: &str = r#"
set -e
in_() {
	name=$1
	shift
	nsenter --net=/proc/$(cat /run/$name)/ns/net "$@"
}
unshare --net sleep 100000 </dev/null >/dev/null 2>&1 &
echo $! >/run/c
while [ /proc/$!/ns/net -ef /proc/self/ns/net ]; do sleep 0.1; done
ip link add d0 type veth
ip link set $(ls /sys/class/net | grep '^veth') name d0-peer
ip link set d0 netns $(cat /run/b)
ip link set d0-peer netns $(cat /run/c)
in_ c sh -c 'echo 0 >/proc/sys/net/ipv6/conf/d0-peer/accept_dad'
in_ b sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
in_ b ip address add 10.4.0.1/24 dev d0
in_ b ip -6 address add fd00:4::1/64 dev d0
in_ b ip link set d0 up
in_ c ip address add 10.4.0.2/24 dev d0-peer
in_ c ip -6 address add fd00:4::2/64 dev d0-peer
in_ c ip link set d0-peer up
in_ c ip route add default via 10.4.0.1
in_ c ip -6 route add default via fd00:4::1
"#;

/// What `a` runs.
fn from_a(guest: &mut Guest, command: &str) -> (i32, String) {
    let command = format!("nsenter --net=/proc/$(cat /run/a)/ns/net {command} 2>&1");
    let output = guest.exec(&command).expect("to run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status, text)
}

fn succeeds(guest: &mut Guest, line: &str) -> Reply {
    let reply = guest.command(line).expect("a reply");
    assert!(reply.succeeded(), "{line}: {reply}");
    reply
}

#[track_caller]
fn reaches(guest: &mut Guest, address: &str) {
    let (status, text) = from_a(guest, &format!("ping -c 3 -W 5 {address}"));
    assert_eq!(status, 0, "{address}: {text}");
}

/// A count of `port show`.
fn count(guest: &mut Guest, device: &str, name: &str) -> u64 {
    let ports = succeeds(guest, "port show");
    let start = format!("{device} forwarding ");
    let port = ports.lines.iter().find(|line| line.starts_with(&start));
    let mut words = port.expect("the port").split(' ');
    words.find(|word| *word == name);
    words
        .next()
        .map_or(0, |count| count.parse().expect("a number"))
}

/// Runs a script in the guest.
#[track_caller]
fn runs(guest: &mut Guest, script: &str) {
    let ran = guest.exec(script).expect("to run");
    let errors = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status, 0, "{errors}");
}

/// VLAN 7 between the router and `a`; and what `b` sends to 198.51.100.1, an address of `a`,
/// comes by its second cable.
const VLAN_AND_BRIDGE: &str = r#"
set -e
in_() {
	name=$1
	shift
	nsenter --net=/proc/$(cat /run/$name)/ns/net "$@"
}
in_ a ip link add link a0-peer name a7 type vlan id 7
in_ a ip address add 10.7.0.2/24 dev a7
in_ a ip link set a7 up
in_ a ip route add 192.0.2.1/32 via 10.7.0.1
in_ a ip address add 198.51.100.1/32 dev lo
in_ b ip route add 198.51.100.1/32 via 10.3.0.1
"#;

#[test]
fn vlan_and_bridge_are_ports_as_their_devices_are() {
    let mut guest = Guest::start(Image::shared(), &Setup::default()).expect("a guest");
    runs(&mut guest, NEIGHBOURS);
    runs(&mut guest, VLAN_AND_BRIDGE);
    for line in [
        "begin",
        "link add link a0 name a0.7 type vlan id 7",
        "address add 10.7.0.1/24 dev a0.7",
        "port set a0.7",
        "route add 192.0.2.0/24 via 10.2.0.2 dev b0",
        "link add br0 type bridge",
        "link set c0 master br0",
        "address del 10.3.0.1/24 dev c0",
        "address add 10.3.0.1/24 dev br0",
        "port set br0",
        "route add 198.51.100.0/24 via 10.7.0.2 dev a0.7",
        "commit",
    ] {
        succeeds(&mut guest, line);
    }
    reaches(&mut guest, "192.0.2.1");
    assert!(count(&mut guest, "a0.7", "forwarded") >= 3);
    let from_b = "nsenter --net=/proc/$(cat /run/b)/ns/net ping -c 3 -W 5 198.51.100.1 2>&1";
    let output = guest.exec(from_b).expect("to run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status, 0, "{text}");
    assert!(count(&mut guest, "br0", "forwarded") >= 3);

    // The neighbour is met again after it was forgotten.
    let met = succeeds(&mut guest, "neighbour show a0.7");
    let neighbour = "10.7.0.2 dev a0.7 lladdr ";
    assert!(met.data().any(|line| line.starts_with(neighbour)), "{met}");
    succeeds(&mut guest, "neighbour del 10.7.0.2 dev a0.7");
    succeeds(&mut guest, "neighbour flush dev a0.7");
    reaches(&mut guest, "192.0.2.1");
    // An address without a neighbour entry.
    let unknown = guest
        .command("neighbour del 10.7.0.77 dev a0.7")
        .expect("a reply");
    assert!(unknown.to_string().contains("E415 "), "{unknown}");

    // Without the VLAN its port and its address are gone, and its route waits.
    let deleted = succeeds(&mut guest, "link del a0.7");
    assert!(
        deleted.to_string().contains("and 2 settings with it"),
        "{deleted}"
    );
    let (status, text) = from_a(&mut guest, "ping -c 1 -W 2 192.0.2.1");
    assert_ne!(status, 0, "{text}");
}

#[test]
fn packets_follow_the_table_from_port_to_port() {
    let mut guest = Guest::start(Image::shared(), &Setup::default()).expect("a guest");
    runs(&mut guest, NEIGHBOURS);

    // Without ports the table forwards nothing.
    succeeds(
        &mut guest,
        "route add 192.0.2.0/24 via 10.2.0.2 dev b0 metric 10",
    );
    succeeds(
        &mut guest,
        "route add 2001:db8::/32 via fd00:2::2 dev b0 metric 10",
    );
    let (status, text) = from_a(&mut guest, "ping -c 1 -W 2 192.0.2.1");
    assert_ne!(status, 0, "{text}");

    for device in ["a0", "b0", "c0"] {
        succeeds(&mut guest, &format!("port set {device}"));
    }
    reaches(&mut guest, "192.0.2.1");
    reaches(&mut guest, "2001:db8::1");
    assert!(count(&mut guest, "a0", "forwarded") >= 6);

    // The router answers for its hop.
    let (_, hops) = from_a(&mut guest, "traceroute -n -w 2 -q 1 192.0.2.1");
    let hops: Vec<_> = hops.lines().skip(1).collect();
    assert_eq!(hops.len(), 2, "{hops:?}");
    assert!(hops[0].contains(" 10.1.0.1 "), "{hops:?}");
    assert!(hops[1].contains(" 192.0.2.1 "), "{hops:?}");

    // Errors find their way to what only the table knows.
    succeeds(&mut guest, "route add 198.18.0.0/24 via 10.1.0.2 dev a0");
    succeeds(&mut guest, "route add 2001:db8:1::/48 via fd00:1::2 dev a0");
    let ready = "until ip route | grep -q 'default dev nl31'; do sleep 0.2; done";
    assert_eq!(guest.exec(ready).expect("to run").status, 0);
    for (source, address, router) in [
        ("198.18.0.1/32", "192.0.2.1", " 10."),
        ("2001:db8:1::1/128", "2001:db8::1", " fd00:"),
    ] {
        let (status, text) = from_a(&mut guest, &format!("ip address add {source} dev lo"));
        assert_eq!(status, 0, "{text}");
        let source = source.split('/').next().expect("an address");
        let command = format!("traceroute -n -w 2 -q 1 -s {source} {address}");
        let (_, hops) = from_a(&mut guest, &command);
        let hops: Vec<_> = hops.lines().skip(1).collect();
        assert!(hops[0].contains(router), "{hops:?}");
    }

    // The router itself reaches, by its table, what is behind its neighbour.
    let behind = guest.exec(BEHIND_B).expect("to run");
    let errors = String::from_utf8_lossy(&behind.stderr).into_owned();
    assert_eq!(behind.status, 0, "{errors}");
    for (line, address, router) in [
        (
            "route add 10.4.0.0/24 via 10.2.0.2 dev b0",
            "10.4.0.2",
            "10.2.0.2",
        ),
        (
            "route add fd00:4::/64 via fd00:2::2 dev b0",
            "fd00:4::2",
            "fd00:2::2",
        ),
    ] {
        succeeds(&mut guest, line);
        let replies = succeeds(&mut guest, &format!("ping {address} count 2 size 100"));
        let replies: Vec<_> = replies.data().collect();
        assert_eq!(replies.len(), 2, "{replies:?}");
        let reply = format!("100 bytes from {address} seq 1 ttl 63 time ");
        assert!(replies[0].starts_with(&reply), "{replies:?}");
        let hops = succeeds(&mut guest, &format!("traceroute {address}"));
        let hops: Vec<_> = hops.data().collect();
        assert_eq!(hops.len(), 2, "{hops:?}");
        assert!(hops[0].starts_with(&format!(" 1 {router} ")), "{hops:?}");
        assert!(hops[1].starts_with(&format!(" 2 {address} ")), "{hops:?}");
    }
    let silent = guest.command("ping 10.4.0.99 count 1").expect("a reply");
    assert!(
        silent
            .to_string()
            .contains("E411 10.4.0.99: 1 sent, 0 received"),
        "{silent}"
    );
    let foreign = guest
        .command("ping 10.4.0.2 from 10.9.9.9")
        .expect("a reply");
    assert!(
        foreign
            .to_string()
            .contains("E405 10.9.9.9 is not an address"),
        "{foreign}"
    );

    // TCP, and what the peer received of it. BusyBox's nc ends a connection with its input.
    let served = "nsenter --net=/proc/$(cat /run/b)/ns/net sh -c \
                  'sleep 100 | nc -l -p 7 >/tmp/received & sleep 0.5'";
    assert_eq!(guest.exec(served).expect("to run").status, 0);
    let (status, text) = from_a(
        &mut guest,
        "sh -c 'head -c 300000 /dev/urandom >/tmp/sent; nc -w 60 192.0.2.1 7 </tmp/sent'",
    );
    assert_eq!(status, 0, "{text}");
    let same = guest
        .exec("sleep 1; cmp /tmp/sent /tmp/received 2>&1")
        .expect("to run");
    assert_eq!(same.status, 0, "{}", String::from_utf8_lossy(&same.stdout));

    // A link goes down: the next path serves.
    for line in [
        "route append 192.0.2.0/24 via 10.3.0.2 dev c0 metric 20",
        "route append 2001:db8::/32 via fd00:3::2 dev c0 metric 20",
    ] {
        succeeds(&mut guest, line);
    }
    assert_eq!(guest.exec("ip link set b0 down").expect("to run").status, 0);
    let routes = "nsenter --net=/proc/$(cat /run/b)/ns/net sh -c \
                  'ip route replace default via 10.3.0.1; \
                   ip -6 route del default; ip -6 route add default via fd00:3::1'";
    assert_eq!(guest.exec(routes).expect("to run").status, 0);
    reaches(&mut guest, "192.0.2.1");
    reaches(&mut guest, "2001:db8::1");

    // What a route refuses is answered by its kind.
    succeeds(&mut guest, "route add prohibit 198.51.100.0/24");
    succeeds(&mut guest, "route add blackhole 203.0.113.0/24");
    for (address, name) in [
        ("198.51.100.1", "drop-prohibit"),
        ("203.0.113.1", "drop-blackhole"),
    ] {
        let (status, text) = from_a(&mut guest, &format!("ping -c 1 -W 1 {address}"));
        assert_ne!(status, 0, "{text}");
        assert_eq!(count(&mut guest, "a0", name), 1, "{address}");
    }

    // Without its port, a device is Linux's again.
    succeeds(&mut guest, "port del a0");
    let (status, text) = from_a(&mut guest, "ping -c 1 -W 2 192.0.2.1");
    assert_ne!(status, 0, "{text}");
}
