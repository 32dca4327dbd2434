// SPDX-License-Identifier: MIT OR Apache-2.0
//! `show` alone: the router on one page.

use std::time::Instant;

use crate::session::Session;

/// Waits for the time at which the running command goes on, and gives what it says then.
fn later(session: &mut Session) -> String {
    let due = session.console.timer().expect("the command waits");
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
    session.types("")
}

#[test]
fn page_has_links_ports_table_and_what_is_not_saved() {
    let mut session = Session::new(false);
    for line in [
        "address add 192.0.2.1/24 dev eth0",
        "save",
        "port set eth0",
        "route add 10.0.0.0/8 via 192.0.2.9 dev eth0",
    ] {
        assert!(session.types(format!("{line}\n")).contains("I200"));
    }
    assert_eq!(session.types("show\n"), "");
    let page = later(&mut session);
    for line in [
        "changes unsaved",
        "routes ipv4 1 ipv6 0 bytes ",
        "link eth0 up carrier on address 192.0.2.1/24 receives 0/s 0 bit/s sends 0/s 0 bit/s",
        "port eth0 forwarding on forwards 0/s forwarded 0",
        "I200 overview",
    ] {
        assert!(
            page.lines().any(|is| is.starts_with(line)),
            "{line}: {page}"
        );
    }
    assert_eq!(session.console.timer(), None);
}

#[test]
fn ctrl_c_ends_the_wait() {
    let mut session = Session::new(true);
    session.types("show\r");
    assert!(session.console.timer().is_some());
    assert!(session.types("\x03").contains("W206 stopped"));
    assert_eq!(session.console.timer(), None);
}
