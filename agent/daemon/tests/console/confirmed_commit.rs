// SPDX-License-Identifier: MIT OR Apache-2.0
//! `commit confirmed`, `confirm`, `rollback`.

use std::fs;

use nl31_agent::candidate::confirmed_commit::{self, LaterChanges};

use crate::session::{Session, TestDevices, script};

#[test]
fn confirmed_commit_stays_and_is_saved() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\nsave\nbegin\nroute change 10.0.0.0/8 dev lo\n");
    assert_eq!(
        session.types("commit confirmed 60\n"),
        "I200 committed 1 edit, for 60 s: `confirm` keeps and saves them\n"
    );
    // Flash has the old one until then.
    let saved = |session: &Session| fs::read_to_string(session.folder.config()).unwrap();
    assert!(saved(&session).ends_with("\n10.0.0.0/8 dev eth0\n"));
    for refused in ["save", "load"] {
        let reply = session.types(format!("{refused}\n"));
        assert!(reply.starts_with("E423 a commit waits "), "{reply}");
    }
    session.plays(
        "
        > confirm
        I200 confirmed and saved 1 route
        > confirm
        E412 no commit waits to be confirmed
        > rollback
        E412 no edits are open, and no commit waits to be confirmed
        ",
    );
    assert!(saved(&session).ends_with("\n10.0.0.0/8 dev lo\n"));
    assert_eq!(session.shared.left(), None);
}

#[test]
fn confirm_stopped_while_saving_is_still_confirmed() {
    let mut session = Session::new(true);
    session.types("begin\rroute add 10.0.0.0/8 dev eth0\rcommit confirmed 60\r");
    session.console.feed(b"confirm\r");
    session.console.work();
    session.console.feed(b"\x03");
    let stopped = session.types("");
    assert!(
        stopped.contains("W207 confirmed but not saved: stopped\r\n"),
        "{stopped:?}"
    );
    let again = session.types("confirm\r");
    assert!(again.contains("E412 no commit waits"), "{again:?}");
}

#[test]
fn rollback_restores_paths_despite_later_changes() {
    let mut session = Session::new(false);
    session.types(
        "route add 10.0.0.0/8 dev eth0\nroute append 10.0.0.0/8 via 192.0.2.1\n\
         route add 11.0.0.0/8 dev eth0\nroute add 12.0.0.0/8 dev eth0\n",
    );
    let before = session.table();
    session.types(
        "begin\nroute flush 10.0.0.0/8\nroute add 13.0.0.0/8 dev eth0\nroute del 11.0.0.0/8\n\
         commit confirmed 60\n",
    );
    assert!(session.shared.left().is_some());
    assert_eq!(
        session.table(),
        ["12.0.0.0/8 dev eth0", "13.0.0.0/8 dev eth0"]
    );
    session
        .types("route add 10.0.0.0/8 dev lo\nroute del 13.0.0.0/8\nroute add 14.0.0.0/8 dev lo\n");
    // Another agent takes over after a kill, and finds what to take back.
    let found = session.folder.shared();
    assert_eq!(found.unconfirmed.get(), session.shared.unconfirmed.get());
    session.plays(
        "
        > rollback
        I200 rolled back: restored the paths of 2 prefixes
        > rollback
        E412 no edits are open, and no commit waits to be confirmed
        ",
    );
    assert_eq!(session.table()[..4], before);
    assert_eq!(session.table()[4..], ["14.0.0.0/8 dev lo"]);
    assert!(session.folder.shared().unconfirmed.get().is_none());
}

#[test]
fn confirmed_commit_above_limit_changes_nothing() {
    let mut session = Session::new(false);
    session.types(script(4097));
    let before = session.table();
    session.types("begin\nroute flush all\n");
    assert_eq!(
        session.types("commit confirmed 60\n"),
        "E507 a commit to be confirmed takes at most 4096 prefixes: commit in parts\n"
    );
    assert_eq!(session.table(), before);
    assert_eq!(session.shared.left(), None);
    session.plays("> commit\nI200 committed 1 edit\n> route show\nI200 0 routes");
}

#[test]
fn table_flush_is_refused_while_commit_unconfirmed() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\nroute add 11.0.0.0/8 dev eth0\n");
    session.types("begin\nroute del 10.0.0.0/8\ncommit confirmed 60\n");
    for flush in ["all", "dev eth0", "0.0.0.0/0 longer"] {
        let refused = session.types(format!("route flush {flush}\n"));
        assert!(
            refused.starts_with("E423 a commit waits "),
            "{flush}: {refused}"
        );
    }
    // One prefix is what a roll-back leaves alone, or takes back by itself.
    assert_eq!(session.types("route flush 11.0.0.0/8\n"), "I200 flushed\n");
    session.types("rollback\n");
    assert_eq!(session.types("route flush all\n"), "I200 flushed\n");
}

#[test]
fn load_is_refused_if_a_commit_waits_since_it_began() {
    let mut session = Session::new(false);
    let line = |i: u32| format!("10.{}.{}.0/24 dev eth0\n", i / 256, i % 256);
    let config: String = (0..2000).map(line).collect();
    fs::write(session.folder.config(), config).unwrap();
    session.types("route add 99.0.0.0/8 dev eth0\n");
    let before = session.table();
    session.console.feed(b"load\n");
    session.console.work();
    session.console.work();
    let deadline = confirmed_commit::now() + 60_000;
    session.shared.unconfirmed.set(Some(deadline));
    let refused = session.types("");
    assert!(refused.starts_with("E423 a commit waits "), "{refused}");
    assert_eq!(session.table(), before);
    session.shared.unconfirmed.set(None);
    assert!(
        session
            .types("load\n")
            .starts_with("I200 loaded 2000 routes")
    );
}

#[test]
fn second_agent_leaves_unconfirmed_commit_alone() {
    let mut session = Session::new(false);
    session.types("begin\nroute add 10.0.0.0/8 dev eth0\ncommit confirmed 60\n");
    let mut guest = session.guest();
    for refused in ["save", "load"] {
        let reply = guest.types(format!("{refused}\n"));
        assert!(reply.starts_with("E423 a commit waits "), "{reply}");
        assert!(reply.contains("on the serial console"), "{reply}");
    }
    assert!(!session.folder.config().exists());
    session.types("rollback\n");
    assert_eq!(guest.types("save\n"), "I200 saved 0 routes\n");
}

#[test]
fn rollback_without_edits_takes_back_the_commit_that_waits() {
    let mut session = Session::new(false);
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > route add 10.0.0.0/8 dev eth0
        I200 edit 1
        > commit confirmed 60
        I200 committed 1 edit, for 60 s: `confirm` keeps and saves them
        > begin
        I200 edits wait for `commit` from now on
        > route add 11.0.0.0/8 dev eth0
        I200 edit 1
        > rollback
        I200 dropped 1 edit; a commit waits for `confirm`: `rollback` again rolls it back
        > begin
        I200 edits wait for `commit` from now on
        > rollback
        I200 rolled back: restored the paths of 1 prefix
        ",
    );
    assert!(session.table().is_empty());
}

#[test]
fn deadline_leaves_what_later_command_changed() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\nroute add 11.0.0.0/8 dev eth0\n");
    session.types(
        "begin\nroute change 10.0.0.0/8 dev lo\nroute change 11.0.0.0/8 dev lo\n\
         commit confirmed 60\n",
    );
    session.types("route append 10.0.0.0/8 via 192.0.2.1\n");
    let files = session.folder.files();
    let client = session.console.client().unwrap();
    let devices = TestDevices::default();
    let done = confirmed_commit::roll_back(client, &devices, &files, LaterChanges::Keep);
    assert_eq!(done.unwrap().left, 1);
    assert_eq!(
        session.table(),
        [
            "10.0.0.0/8 dev lo",
            "10.0.0.0/8 via 192.0.2.1",
            "11.0.0.0/8 dev eth0"
        ]
    );
}
