// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes of the table as they happen, and events that are lost.

use nl31_netlink::{Add, Device, Route};
use nl31_route::DeviceName;

use crate::session::{Session, client, screen, script};

#[test]
fn monitor_shows_changes_until_off() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\n");
    assert_eq!(session.hears(), "");
    session.plays("> monitor\nI200 monitor on");
    session.types(
        "route replace 10.0.0.0/8 via 192.0.2.1\nroute del 10.0.0.0/8\nroute add ::/0 dev eth0\n",
    );
    assert_eq!(
        session.hears(),
        "* replaced 10.0.0.0/8 via 192.0.2.1\n* deleted 10.0.0.0/8 via 192.0.2.1\n* added ::/0 dev eth0\n"
    );
    session.plays("> monitor off\nI200 monitor off");
    session.types("route flush all\n");
    assert_eq!(session.hears(), "");
}

#[test]
fn lost_events_are_counted_from_table() {
    let mut session = Session::new(false);
    session.types("monitor on\nroute add 10.0.0.0/8 dev eth0\n");
    session.hears();
    session.types("route add 11.0.0.0/8 dev eth0\nroute add 12.0.0.0/8 dev eth0\n");
    while session.kernel().event().is_some() {}
    session.console.events_lost();
    assert_eq!(
        session.types(""),
        "* 2 changes arrived too fast to be shown; see `route show`\n"
    );
    assert!(session.types("stats\n").contains("\nevents-lost 2\n"));
}

#[test]
fn changes_between_two_clients_of_one_table_count_as_lost() {
    let mut session = Session::new(false);
    session.types("monitor on\nroute add 10.0.0.0/8 dev eth0\n");
    session.hears();
    // The agent opens the kernel again; the table is the same, three changes further on.
    session.console.detach();
    let mut again = client();
    for text in ["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8", "13.0.0.0/8"] {
        let route: Route<DeviceName> = format!("{text} dev eth0").parse().unwrap();
        again
            .add(Add::Add, &route.map_device(Device::Name))
            .unwrap();
    }
    session.console.attach(again);
    assert_eq!(
        session.types(""),
        "* 3 changes arrived too fast to be shown; see `route show`\n"
    );
    // A module that was loaded again begins a table of its own.
    session.console.detach();
    session.console.attach(client());
    assert_eq!(session.types(""), "");
}

#[test]
fn paused_list_stays_complete_when_events_are_lost() {
    let mut session = Session::new(true);
    session.types(script(100));
    session.types("monitor on\r");
    session.types("terminal 50\r");
    let mut list = session.types("route show\r");
    assert!(list.ends_with("--more--"), "{list:?}");
    session.console.events_lost();
    while list.ends_with("--more--") {
        list += &session.types(" ");
    }
    assert_eq!(list.matches(" dev eth0\r\n").count(), 100, "{list:?}");
    assert!(list.contains("I200 100 routes"), "{list:?}");
}

#[test]
fn monitor_reports_gap_and_drops_late_event() {
    let mut session = Session::new(false);
    session.types("monitor on\nroute add 10.0.0.0/8 dev eth0\nroute add 11.0.0.0/8 dev eth0\n");
    let late = session.kernel().event().unwrap();
    assert_eq!(
        session.hears(),
        "* 1 change arrived too fast to be shown; see `route show`\n\
         * added 11.0.0.0/8 dev eth0\n"
    );
    session.console.event(&late);
    assert_eq!(session.types(""), "");
    let stats = session.types("stats\n");
    assert!(
        stats.contains("\nevents-received 1\nevents-lost 1\n"),
        "{stats}"
    );
}

#[test]
fn monitor_tells_of_changed_settings() {
    let mut session = Session::new(false);
    session.types("monitor on\nmultipath on\n");
    assert_eq!(
        session.hears(),
        "* table changed: limit 4294967295 routes, multipath on\n"
    );
    session.types("multipath on\n");
    assert_eq!(session.hears(), "");
}

#[test]
fn monitor_ended_by_program_is_reported() {
    let mut session = Session::new(true);
    session.types("monitor\r");
    session.console.restart();
    let said = session.types("");
    assert!(
        said.contains("* `monitor` is off: a program or another terminal"),
        "{said:?}"
    );
    session.console.restart();
    assert!(!session.types("").contains("took the line"));
    session.types("monitor\r");
    let said = session.types("exit\r");
    assert!(
        !session.console.monitors() && said.contains("I200"),
        "{said:?}"
    );
}

#[test]
fn notice_keeps_unfinished_line() {
    let mut session = Session::new(true);
    session.types("monitor on\rroute add 10.0.0.0/8 dev eth0\rroute sh");
    let event = session.hears();
    assert_eq!(
        screen(&format!("nl31> route sh{event}")),
        ["* added 10.0.0.0/8 dev eth0", "nl31> route sh"]
    );
    assert!(
        session
            .types("ow\r")
            .contains("10.0.0.0/8 dev eth0\r\nI200 1 route\r\n")
    );
}
