// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two BIRD with a BGP session between them; the second one keeps a table of its Linux, which the
//! feed follows.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nl31_lab::host;
use nl31_lab::prefixes::{self, Prefix};
use serde_json::Value;

use super::{Board, Feed, HANG, Router, connect};

/// Prefixes that the first one announces.
const PREFIXES: usize = 2_000;

/// Paths of the routes that the second one has by itself: two of several paths, and a blackhole.
const OWN: usize = 5;

const SHELL: &str = r#"
start() {
	bird -f -c "$PWD/bird.conf" -s "$PWD/bird.ctl" -P "$PWD/bird.pid" >>bird.log 2>&1 &
}
ip link set lo up
while read -r line; do eval "$line"; done
"#;

const FIRST: &str = "\
log stderr all;
router id 192.0.2.254;
protocol device {}
protocol static {
	ipv4;
	include \"routes4\";
}
protocol static {
	ipv6;
	include \"routes6\";
}
protocol bgp board {
	local 192.0.2.254 as 64500;
	neighbor 192.0.2.1 as 64512;
	connect delay time 1;
	connect retry time 1;
	error wait time 1, 2;
	ipv4 { import none; export all; };
	ipv6 { import none; export all; next hop address 2001:db8:ffff::254; };
}
";

const SECOND: &str = "\
log stderr all;
router id 192.0.2.1;
protocol device {}
protocol static {
	ipv4;
	route 203.0.113.0/24 via 192.0.2.253 via 192.0.2.254;
	route 198.51.100.0/24 blackhole;
}
protocol static {
	ipv6;
	route 2001:db8:fffe::/48 via 2001:db8:ffff::253 via 2001:db8:ffff::254;
}
protocol kernel board4 {
	kernel table 100;
	merge paths yes;
	ipv4 { import none; export all; };
}
protocol kernel board6 {
	kernel table 100;
	merge paths yes;
	ipv6 { import none; export all; };
}
protocol bgp peer {
	local 192.0.2.1 as 64512;
	neighbor 192.0.2.254 as 64500;
	connect delay time 1;
	connect retry time 1;
	error wait time 1, 2;
	ipv4 { import all; export none; };
	ipv6 { import all; export none; };
}
";

/// A router with BIRD.
fn router(folder: &Path, config: &str) -> Router {
    fs::create_dir(folder).expect("a folder");
    fs::write(folder.join("bird.conf"), config).expect("to write");
    Router::new(folder.to_owned(), SHELL)
}

/// What the first one announces: these prefixes, by its second address if they are in `moved`.
fn announce(first: &Router, prefixes: &[Prefix], moved: &[Prefix]) {
    let (mut four, mut six) = (String::new(), String::new());
    for prefix in prefixes {
        let (lines, second) = match prefix.address.is_ipv4() {
            true => (&mut four, "192.0.2.253"),
            false => (&mut six, "2001:db8:ffff::253"),
        };
        let by = match moved.contains(prefix) {
            true => format!(" {{ bgp_next_hop = {second}; }}"),
            false => String::new(),
        };
        *lines += &format!("route {prefix} blackhole{by};\n");
    }
    fs::write(first.folder.join("routes4"), four).expect("to write");
    fs::write(first.folder.join("routes6"), six).expect("to write");
}

/// The routes of BIRD's table in Linux, as the board lists them.
fn routes(router: &Router) -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    for family in ["-4", "-6"] {
        let output = router
            .command(Path::new("ip"))
            .args([family, "-json", "route", "show", "table", "100"])
            .output();
        // Linux makes the table when BIRD installs the first route.
        let found: Vec<Value> =
            serde_json::from_slice(&output.expect("ip").stdout).unwrap_or_default();
        for route in found {
            let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
            let mut prefix = text(&route, "dst");
            if prefix == "default" {
                prefix = if family == "-4" { "0.0.0.0/0" } else { "::/0" }.to_owned();
            } else if !prefix.contains('/') {
                prefix += if family == "-4" { "/32" } else { "/128" };
            }
            let end = format!(
                "metric {} proto {}",
                route["metric"],
                text(&route, "protocol")
            );
            if text(&route, "type") == "blackhole" {
                routes.insert(format!("blackhole {prefix} {end}"));
                continue;
            }
            let one = vec![route.clone()];
            for hop in route["nexthops"].as_array().unwrap_or(&one) {
                assert_eq!(text(hop, "dev"), "veth0", "{route}");
                let gateway = text(hop, "gateway");
                routes.insert(format!("{prefix} via {gateway} dev eth0 {end}"));
            }
        }
    }
    routes
}

#[track_caller]
fn settled(board: &mut Board, second: &Router, feed: &Feed, count: usize) -> BTreeSet<String> {
    let said = || feed.said() + &second.logs(&["bird.log"]);
    super::settled(board, || routes(second), |now| now == count, said);
    routes(second)
}

#[test]
#[ignore = "a minute, and BIRD: .ci/run runs it"]
fn table_that_bird_keeps_in_linux_is_on_the_board() {
    host::require(&["bird2", "iproute2"]).expect("the packages");
    let folder = tempfile::tempdir().expect("a folder");
    let mut board = Board::start(folder.path());
    let mut first = router(&folder.path().join("first"), FIRST);
    let mut second = router(&folder.path().join("second"), SECOND);
    connect(&mut first, &mut second);
    first.run("ip address add 192.0.2.253/24 dev veth0");
    // BIRD does not take routes within 127.0.0.0/8.
    let mut all = prefixes::made(PREFIXES);
    all.retain(|prefix| !prefix.address.is_loopback());
    let count = all.len() + OWN;
    announce(&first, &all, &[]);
    first.run("start");
    second.run("start");
    let mut feed = board.feed(&second, &["--table", "100"]);
    let before = settled(&mut board, &second, &feed, count);
    // A tenth goes the other way.
    let (moved, stays) = all.split_at(all.len() / 10);
    announce(&first, &all, moved);
    first.run("birdc -s bird.ctl configure >/dev/null");
    let deadline = Instant::now() + HANG;
    while before.difference(&routes(&second)).count() < moved.len() {
        assert!(Instant::now() < deadline, "{}", first.logs(&["bird.log"]));
        std::thread::sleep(Duration::from_millis(100));
    }
    settled(&mut board, &second, &feed, count);
    // It is withdrawn.
    announce(&first, stays, &[]);
    first.run("birdc -s bird.ctl configure >/dev/null");
    settled(&mut board, &second, &feed, count - moved.len());
    // BIRD is killed: its routes stay in Linux. It comes back, and has some of them no more.
    second.run("kill -9 $(cat bird.pid)");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(board.routes(), routes(&second));
    let half = &stays[..stays.len() / 2];
    announce(&first, half, &[]);
    first.run("birdc -s bird.ctl configure >/dev/null");
    second.run("start");
    settled(&mut board, &second, &feed, half.len() + OWN);
    // BIRD ends, and takes its routes along.
    second.run("birdc -s bird.ctl down >/dev/null");
    settled(&mut board, &second, &feed, 0);
    announce(&first, &all, &[]);
    first.run("birdc -s bird.ctl configure >/dev/null");
    second.run("start");
    settled(&mut board, &second, &feed, count);
    board.cut_power();
    settled(&mut board, &second, &feed, count);
    feed.is_running();
    board.unplug();
}
