// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two FRR with a BGP session between them; the second one's zebra connects to the feed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nl31_lab::{host, prefixes};
use serde_json::Value;

use super::{Board, Feed, Router, connect};

/// Prefixes that the first one announces.
const PREFIXES: usize = 50_000;

const SHELL: &str = r#"
start() {
	program=$1
	shift
	/usr/lib/frr/$program -f "$PWD/$program.conf" -i "$PWD/$program.pid" -z "$PWD/zebra.api" \
		--vty_socket "$PWD" -u frr -g frr -P 0 "$@" >>"$program.log" 2>&1 &
}
ip link set lo up
while read -r line; do eval "$line"; done
"#;

/// A router with FRR.
fn router(folder: PathBuf, zebra: &str, bgpd: &str) -> Router {
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("zebra.conf"), zebra).expect("to write");
    fs::write(folder.join("bgpd.conf"), bgpd).expect("to write");
    let id = |option: &str| -> u32 {
        let output = Command::new("id").args([option, "frr"]).output();
        let text = String::from_utf8(output.expect("id").stdout).expect("UTF-8");
        text.trim().parse().expect("the user of the package frr")
    };
    chown(&folder, Some(id("-u")), Some(id("-g"))).expect("to give the folder to FRR");
    Router::new(folder, SHELL)
}

/// What FRR answers, in JSON.
fn show(router: &Router, what: &str) -> Option<Value> {
    let output = Command::new("vtysh")
        .arg("--vty_socket")
        .arg(&router.folder)
        .args(["-c", &format!("show {what} json")])
        .output();
    serde_json::from_slice(&output.expect("vtysh").stdout).ok()
}

/// FRR's routes of bgp, as the board lists them.
fn routes(router: &Router) -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    for family in ["ip", "ipv6"] {
        let Some(Value::Object(found)) = show(router, &format!("{family} route bgp")) else {
            continue;
        };
        for (prefix, of_prefix) in found {
            for hop in of_prefix[0]["nexthops"].as_array().into_iter().flatten() {
                let gateway = hop["ip"].as_str().expect("a gateway");
                let rest = "dev eth0 metric 20 proto bgp";
                routes.insert(format!("{prefix} via {gateway} {rest}"));
            }
        }
    }
    routes
}

const FIRST: &str = "\
router bgp 64500
 bgp router-id 192.0.2.254
 no bgp ebgp-requires-policy
 neighbor 192.0.2.1 remote-as 64512
 neighbor 192.0.2.1 timers connect 1
 address-family ipv4 unicast
  redistribute kernel
 exit-address-family
 address-family ipv6 unicast
  redistribute kernel
  neighbor 192.0.2.1 activate
 exit-address-family
";

const SECOND: &str = "\
router bgp 64512
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 neighbor 192.0.2.254 remote-as 64500
 neighbor 192.0.2.254 timers connect 1
 address-family ipv6 unicast
  neighbor 192.0.2.254 activate
 exit-address-family
";

/// The two, connected; the first one has the prefixes in its kernel.
fn routers(folder: &Path) -> (Router, Router) {
    let mut first = router(folder.join("first"), "hostname first\n", FIRST);
    let fpm = "hostname second\nfpm address 127.0.0.1\n";
    let mut second = router(folder.join("second"), fpm, SECOND);
    let lines: String = prefixes::made(PREFIXES)
        .iter()
        .map(|prefix| format!("route add blackhole {prefix}\n"))
        .collect();
    fs::write(first.folder.join("routes"), lines).expect("to write the routes");
    connect(&mut first, &mut second);
    first.run("ip -batch routes");
    first.run("start zebra; sleep 1; start bgpd");
    second.run("start zebra -M dplane_fpm_nl; sleep 1; start bgpd");
    (first, second)
}

#[track_caller]
fn settled(
    board: &mut Board,
    second: &Router,
    feed: &Feed,
    expected: impl Fn(usize) -> bool,
) -> usize {
    let said = || feed.said() + &second.logs(&["zebra.log", "bgpd.log"]);
    super::settled(board, || routes(second), expected, said)
}

#[test]
#[ignore = "5 minutes, and FRR: .ci/run runs it"]
fn table_of_bgp_is_on_the_board_after_every_failure() {
    host::require(&["frr", "iproute2"]).expect("the packages");
    let folder = tempfile::tempdir().expect("a folder");
    // FRR's user has to get there.
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("to open the folder");
    let mut board = Board::start(folder.path());
    let (_first, mut second) = routers(folder.path());
    let mut feed = board.feed(&second, &["--fpm", "--sweep-after", "20"]);
    // Some of the prefixes are of kinds that a kernel or FRR does not take.
    let most = |count: usize| count > PREFIXES * 9 / 10;
    let count = settled(&mut board, &second, &feed, most);
    let all = |now: usize| now == count;
    // bgpd is killed, and started again.
    second.run("kill -9 $(cat bgpd.pid)");
    settled(&mut board, &second, &feed, |now| now == 0);
    second.run("start bgpd");
    settled(&mut board, &second, &feed, all);
    // zebra goes: the table stays. It comes back with a table of its own.
    second.run("kill -9 $(cat bgpd.pid) $(cat zebra.pid)");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(board.routes().len(), count);
    second.run("start zebra -M dplane_fpm_nl; sleep 1; start bgpd");
    settled(&mut board, &second, &feed, all);
    board.unplug();
    std::thread::sleep(Duration::from_secs(3));
    board.plug();
    settled(&mut board, &second, &feed, all);
    board.cut_power();
    settled(&mut board, &second, &feed, all);
    feed.is_running();
    board.unplug();
}
