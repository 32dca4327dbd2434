// SPDX-License-Identifier: MIT OR Apache-2.0
//! Routes over devices that are absent, go or come back.

use std::fs;

use nl31_netlink::{Device, FakeDevice};
use nl31_route::DeviceName;

use crate::session::Session;

#[test]
fn routes_over_missing_device_wait_and_are_saved() {
    const CONFIG: &str = "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev usb0\n12.0.0.0/8 dev usb1 # later\n";
    let mut session = Session::boots(CONFIG);
    let told = session.types("");
    let waits = "* 2 routes wait for a missing device: usb0, usb1\n";
    assert!(told.contains(waits), "{told}");
    session.plays_with_file(
        "
        > route show
        10.0.0.0/8 dev eth0
        11.0.0.0/8 dev usb0 dead linkdown
        12.0.0.0/8 dev usb1 dead linkdown
        I200 3 routes
        > save
        I200 saved 3 routes
        > diff
        I200 no difference from FILE
        > route flush all
        I200 flushed
        > load
        * 2 routes wait for a missing device: usb0, usb1
        I200 loaded 3 routes from FILE
        > route del 11.0.0.0/8 dev usb0
        I200 deleted 11.0.0.0/8
        > route flush dev usb1
        I200 flushed
        > save
        I200 saved 1 route
        ",
    );
    let saved = fs::read_to_string(session.folder.config()).unwrap();
    assert!(saved.ends_with("\n10.0.0.0/8 dev eth0\n"), "{saved}");
}

#[test]
fn device_removed_and_added_again_keeps_routes() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\nroute add 10.0.0.0/8 via 192.0.2.1 metric 5\n");
    let by_index: nl31_netlink::Route<DeviceName> = "11.0.0.0/8 dev eth0".parse().unwrap();
    let by_index = by_index.map_device(|_| Device::Index(2));
    let client = session.console.client().unwrap();
    client.add(nl31_netlink::Add::Add, &by_index).unwrap();
    session.plays(
        r#"
        > route show json
        {"type":"unicast","dst":"10.0.0.0/8","dev":"eth0","metric":0,"protocol":"unspec"}
        {"type":"unicast","dst":"10.0.0.0/8","gateway":"192.0.2.1","metric":5,"protocol":"unspec","flags":["standby"]}
        {"type":"unicast","dst":"11.0.0.0/8","dev":"eth0","metric":0,"protocol":"unspec"}
        I200 3 routes
        > route show dev eth0
        10.0.0.0/8 dev eth0
        11.0.0.0/8 dev eth0
        I200 2 routes
        "#,
    );
    session.kernel().devices[1].up = false;
    session.plays(
        "
        > route show dev eth0
        10.0.0.0/8 dev eth0 linkdown
        11.0.0.0/8 dev eth0 linkdown
        I200 2 routes
        ",
    );
    session.kernel().unplug("eth0");
    session.plays(
        r#"
        > route show json
        {"type":"unicast","dst":"10.0.0.0/8","dev":"eth0","metric":0,"protocol":"unspec","flags":["dead","linkdown"]}
        {"type":"unicast","dst":"10.0.0.0/8","gateway":"192.0.2.1","metric":5,"protocol":"unspec"}
        I200 2 routes
        > route get 10.0.0.1
        10.0.0.0/8 via 192.0.2.1 metric 5
        I200 found
        > save
        I200 saved 2 routes
        "#,
    );
    let saved = fs::read_to_string(session.folder.config()).unwrap();
    assert!(saved.contains("\n10.0.0.0/8 dev eth0\n"), "{saved}");
    session.kernel().devices.push(FakeDevice::new(7, "eth0"));
    session.plays(
        "
        > route get 10.0.0.1
        10.0.0.0/8 dev eth0
        I200 found
        ",
    );
    // What a list shows of a path may be typed.
    session.types("route flush all\n");
    session.types("route add 10.0.0.0/8 dev eth0 dead linkdown\n");
    assert_eq!(session.table(), ["10.0.0.0/8 dev eth0"]);
}

#[test]
fn unknown_device_name_is_refused() {
    let mut session = Session::new(false);
    session.plays(
        "
        > route add 10.0.0.0/8 dev eth0
        I200 added 10.0.0.0/8
        > route show dev eth7
        E406 device eth7 does not exist
        > route del 10.0.0.0/8 dev eth7
          route del 10.0.0.0/8 dev eth7
                                   ^^^^
        E406 device eth7 does not exist
        > route flush dev eth7
          route flush dev eth7
                          ^^^^
        E406 device eth7 does not exist
        > route flush 10.0.0.0/8 dev eth7
          route flush 10.0.0.0/8 dev eth7
                                     ^^^^
        E406 device eth7 does not exist
        ",
    );
}

#[test]
fn rollback_restores_path_whose_device_is_gone() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\n");
    session.types("begin\nroute replace 10.0.0.0/8 dev lo\ncommit confirmed 60\n");
    session.kernel().unplug("eth0");
    session.plays(
        "
        > rollback
        I200 rolled back: restored the paths of 1 prefix
        > route show
        10.0.0.0/8 dev eth0 dead linkdown
        I200 1 route
        ",
    );
}

#[test]
fn edits_flush_paths_named_by_device_index() {
    let mut session = Session::new(false);
    let by_index: nl31_netlink::Route<DeviceName> = "11.0.0.0/8 dev eth0".parse().unwrap();
    let by_index = by_index.map_device(|_| Device::Index(2));
    let client = session.console.client().unwrap();
    client.add(nl31_netlink::Add::Add, &by_index).unwrap();
    session.types("route add 10.0.0.0/8 dev eth0\n");
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > route flush dev eth0
        I200 edit 1
        > diff
        - 10.0.0.0/8 dev eth0
        - 11.0.0.0/8 dev eth0
        I200 2 differences from the table
        > commit
        I200 committed 1 edit
        > route show
        I200 0 routes
        ",
    );
}
