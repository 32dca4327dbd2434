// SPDX-License-Identifier: MIT OR Apache-2.0
//! The board's table follows a table of Linux.

use std::process::Command;
use std::sync::Arc;

use nl31_ctl::feed::kernel_table::KernelTable;
use nl31_ctl::feed::selection::Selection;
use nl31_ctl::feed::source::Metrics;

use crate::feed::Rig;
use crate::rig::TestPort;

/// Set where the test runs in a network namespace of its own.
const INSIDE: &str = "NL31_TEST_NETWORK";

#[track_caller]
fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    assert!(
        status.expect("ip, of the package iproute2").success(),
        "{arguments}"
    );
}

/// Runs itself again in a namespace whose routes no other process uses.
#[test]
fn board_follows_linuxs_table() {
    if std::env::var_os(INSIDE).is_some() {
        return follow();
    }
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "kernel_table::board_follows_linuxs_table"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare, of the package util-linux");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = text + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

fn follow() {
    // The rig listens there.
    ip("link set lo up");
    ip("link add v0 type veth peer name v1");
    ip("link set v1 up");
    ip("link set v0 up");
    ip("address add 192.0.2.1/24 dev v0");
    ip("route add 10.0.0.0/8 via 192.0.2.2 dev v0 proto bird table 100");
    ip("route add 11.0.0.0/8 dev v0 proto bird table 100 metric 5");
    ip("route add 12.0.0.0/8 dev v0 proto static table 100");
    ip("route add 13.0.0.0/8 dev v0 proto bird");
    let selection = Selection {
        table: 100,
        ..Selection::default()
    };
    let mut rig = Rig::reading(selection, Metrics::Each, TestPort::new(0));
    let _reader = KernelTable::start(Arc::clone(&rig.shared)).unwrap();
    rig.until(&[
        "10.0.0.0/8 via 192.0.2.2 dev eth0 proto bird",
        "11.0.0.0/8 dev eth0 metric 5 proto bird",
    ]);
    ip("route replace 10.0.0.0/8 via 192.0.2.3 dev v0 proto bird table 100");
    ip("route add blackhole 10.0.0.0/8 proto bird table 100 metric 9");
    ip("route del 11.0.0.0/8 proto bird table 100");
    ip("-6 route add 2001:db8::/32 dev v0 proto bird table 100 metric 7");
    let end = "2001:db8::/32 dev eth0 metric 7 proto bird";
    rig.until(&[
        "10.0.0.0/8 via 192.0.2.3 dev eth0 proto bird",
        "blackhole 10.0.0.0/8 metric 9 proto bird",
        end,
    ]);
    // Linux drops the IPv4 routes of a device silently.
    ip("link set v0 down");
    rig.run(|routes| routes.iter().all(|route| !route.contains("192.0.2.3")));
    ip("link set v0 up");
    ip("route add 14.0.0.0/8 dev v0 proto bird table 100");
    rig.run(|routes| routes.iter().any(|route| route.starts_with("14.0.0.0/8")));
}
