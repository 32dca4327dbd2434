// SPDX-License-Identifier: MIT OR Apache-2.0
//! `begin`, `diff`, `check`, `commit`: edits of a candidate.

use std::rc::Rc;

use nl31_agent::console::{Console, Peer};
use nl31_netlink::Device;
use nl31_route::DeviceName;

use crate::session::{Session, TestDevices, client, script};

#[test]
fn edits_wait_for_commit_and_apply_together() {
    let mut session = Session::new(false);
    session.plays(
        "
        > route add 10.0.0.0/8 dev eth0
        I200 added 10.0.0.0/8
        > begin
        I200 edits wait for `commit` from now on
        > route replace 10.0.0.0/8 via 192.0.2.1
        I200 edit 1
        > route add 11.0.0.0/8 dev eth0 metric 5
        I200 edit 2
        > route append 11.0.0.0/8 via 192.0.2.2 metric 5
        I200 edit 3
        > route show
        10.0.0.0/8 dev eth0
        I200 1 route
        > diff
        - 10.0.0.0/8 dev eth0
        + 10.0.0.0/8 via 192.0.2.1
        + 11.0.0.0/8 dev eth0 metric 5
        + 11.0.0.0/8 via 192.0.2.2 metric 5
        I200 4 differences from the table
        > check
        I200 every edit can be made
        > begin
        E423 edits are open already (3): `commit` or `rollback` ends them
        > commit
        I200 committed 3 edits
        > route show
        10.0.0.0/8 via 192.0.2.1
        11.0.0.0/8 dev eth0 metric 5
        11.0.0.0/8 via 192.0.2.2 metric 5
        I200 3 routes
        > commit
        E412 no edits are open: `begin` first
        > check
        E412 no edits are open: `begin` first
        ",
    );
}

#[test]
fn rollback_drops_edits() {
    let mut session = Session::new(false);
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > diff
        I200 no difference from the table
        > route add 10.0.0.0/8 dev eth0
        I200 edit 1
        > rollback
        I200 dropped 1 edit
        > rollback
        E412 no edits are open, and no commit waits to be confirmed
        > begin
        I200 edits wait for `commit` from now on
        > commit
        W204 there were no edits
        > route show
        I200 0 routes
        ",
    );
}

#[test]
fn invalid_edit_is_refused_and_not_kept() {
    let mut session = Session::new(false);
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > route add 10.0.0.1/8 dev eth0
          route add 10.0.0.1/8 dev eth0
                    ^^^^^^^^^^
        E400 column 11: bits are set beyond the prefix length; did you mean 10.0.0.0/8?
        > route add 10.0.0.0/8 dev eth7
          route add 10.0.0.0/8 dev eth7
                                   ^^^^
        E406 device eth7 does not exist
        > route flush 10.0.0.0/8 dev eth0
          route flush 10.0.0.0/8 dev eth0
                                         ^
        E400 column 32: after `begin`, flush takes a whole prefix, or `longer`; use `route del` for one path
        > commit confirmed
          commit confirmed
                          ^
        E400 column 17: expected seconds, from 1 to 86400
        > commit confirmed 0
          commit confirmed 0
                           ^
        E400 column 18: expected seconds, from 1 to 86400
        > commit
        W204 there were no edits
        ",
    );
}

#[test]
fn edit_that_became_impossible_is_named_nothing_changed() {
    let mut session = Session::new(false);
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > route add 10.0.0.0/8 dev eth0
        I200 edit 1
        > route add 11.0.0.0/8 dev eth0
        I200 edit 2
        ",
    );
    // Another socket adds the route first.
    let route: nl31_netlink::Route<DeviceName> = "11.0.0.0/8 via 192.0.2.1".parse().unwrap();
    let route = route.map_device(Device::Name);
    let client = session.console.client().unwrap();
    client.add(nl31_netlink::Add::Add, &route).unwrap();
    session.plays(
        "
        > diff
          route add 11.0.0.0/8 dev eth0
        E409 edit 2: 11.0.0.0/8: File exists (os error 17); nothing was changed
        > check
          route add 11.0.0.0/8 dev eth0
        E409 edit 2: prefix has a path of this metric; nothing was changed
        > commit
          route add 11.0.0.0/8 dev eth0
        E409 edit 2: prefix has a path of this metric; nothing was changed
        > route show
        11.0.0.0/8 via 192.0.2.1
        I200 1 route
        > rollback
        I200 dropped 2 edits
        > route add 12.0.0.0/8 dev eth0
        I200 added 12.0.0.0/8
        ",
    );
}

#[test]
fn edits_flush_by_filter() {
    let mut session = Session::new(false);
    session.types(
        "route add 10.0.0.0/8 dev eth0\nroute append 10.0.0.0/8 via 192.0.2.1\n\
         route add 10.1.0.0/16 dev eth0\nroute add ::/0 dev eth0\nroute add 12.0.0.0/8 via 192.0.2.1\n",
    );
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > route add 13.0.0.0/8 dev eth0
        I200 edit 1
        > route flush dev eth0
        I200 edit 2
        > route flush 12.0.0.0/8
        I200 edit 3
        > route add 12.0.0.0/8 dev lo
        I200 edit 4
        > diff
        - 10.0.0.0/8 dev eth0
        - 10.1.0.0/16 dev eth0
        - 12.0.0.0/8 via 192.0.2.1
        + 12.0.0.0/8 dev lo
        - ::/0 dev eth0
        I200 5 differences from the table
        > commit
        I200 committed 4 edits
        > route show
        10.0.0.0/8 via 192.0.2.1
        12.0.0.0/8 dev lo
        I200 2 routes
        ",
    );
}

#[test]
fn diff_equals_what_commit_changes() {
    let mut session = Session::new(false);
    // Many more prefixes than are looked at together, named in no order.
    session.types(script(1500));
    let before = session.types("route show\n");
    session.types("begin\n");
    for i in (0..3000).rev() {
        let prefix = format!("10.{}.{}.0/24", i / 256, i % 256);
        let edit = match i % 3 {
            0 if i < 1500 => format!("route del {prefix}\n"),
            1 => format!("route replace {prefix} via 192.0.2.1\n"),
            _ => format!("route append {prefix} via 192.0.2.2\n"),
        };
        assert!(session.types(&edit).starts_with("I200 edit "));
    }
    let diff = session.types("diff\n");
    assert!(
        session
            .types("commit\n")
            .starts_with("I200 committed 3000 edits")
    );
    let after = session.types("route show\n");
    let lines = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with("I200"))
            .map(str::to_owned)
            .collect()
    };
    let (before, after) = (lines(&before), lines(&after));
    let mut expected: Vec<String> = Vec::new();
    expected.extend(
        before
            .iter()
            .filter(|line| !after.contains(line))
            .map(|line| format!("- {line}")),
    );
    expected.extend(
        after
            .iter()
            .filter(|line| !before.contains(line))
            .map(|line| format!("+ {line}")),
    );
    expected.sort();
    let mut found = lines(&diff);
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn second_session_cannot_open_edits() {
    let mut session = Session::new(false);
    session.types("begin\n");
    let shared = Rc::clone(&session.shared);
    let mut other = Console::new(Box::new(TestDevices::default()), None, Peer::Script, shared);
    other.attach(client());
    other.feed(b"begin\nroute add 10.0.0.0/8 dev eth0\n");
    while other.work() {}
    assert_eq!(
        String::from_utf8_lossy(other.out().pending()),
        "E423 another session has edits open\nI200 added 10.0.0.0/8\n"
    );
    session.types("rollback\n");
    other.feed(b"begin\n");
    while other.work() {}
    assert!(
        other
            .out()
            .pending()
            .ends_with(b"I200 edits wait for `commit` from now on\n")
    );
}
