// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links that are made and deleted: VLANs, bridges and dummies.

use std::fs;

use nl31_netlink::FakeDevice;

use crate::session::Session;

/// The device of a name.
fn device(session: &mut Session, name: &str) -> Option<FakeDevice> {
    let devices = &session.kernel().devices;
    let mut devices = devices.iter();
    let found = devices.find(|device| device.name.to_string() == name);
    found.cloned()
}

fn names(session: &mut Session) -> Vec<String> {
    let devices = &session.kernel().devices;
    devices
        .iter()
        .map(|device| device.name.to_string())
        .collect()
}

fn saved(session: &Session) -> String {
    let text = fs::read_to_string(session.folder.config()).unwrap();
    text.split_once('\n').unwrap().1.to_owned()
}

const ROUTER: &str = "link add br0 type bridge\n\
                      link add link eth0 name eth0.7 type vlan id 7\n\
                      link add link br0 name br0.9 type vlan id 9\n\
                      link set eth0.7 mtu 1400 master br0\n\
                      address add 192.0.2.1/24 dev br0\n\
                      address add 2001:db8::1/64 dev br0.9\n\
                      port set br0 urpf strict\n\
                      10.0.0.0/8 via 192.0.2.254 dev br0\n";

#[test]
fn links_are_made_shown_and_deleted() {
    let mut session = Session::new(false);
    session.plays(
        "
        > ip link add link eth0 name eth0.7 type vlan id 7
        I200 added link eth0.7
        > link add br0 type bridge
        I200 added link br0
        > link add name d0 type dummy
        I200 added link d0
        > link set eth0.7 master br0
        I200 link eth0.7
        > address add 192.0.2.1/24 dev br0
        I200 192.0.2.1/24 dev br0
        > link show eth0.7
        eth0.7 up carrier on mtu 1500 speed unknown mac 02:00:00:00:00:0a kind vlan id 7 over eth0 master br0 received 0 sent 0 received-bytes 0 sent-bytes 0
        I200 1 link
        > config show
        link add br0 type bridge
        link add d0 type dummy
        link add link eth0 name eth0.7 type vlan id 7
        link set eth0.7 master br0
        address add 192.0.2.1/24 dev br0
        I200 5 settings; `route show` lists the routes
        > link del d0
        I200 deleted link d0
        > ip link delete dev br0
        I200 deleted link br0, and 2 settings with it
        > config show
        link add link eth0 name eth0.7 type vlan id 7
        I200 1 setting; `route show` lists the routes
        ",
    );
    assert_eq!(names(&mut session), ["lo", "eth0", "eth0.7"]);
    let json = session.types("link show eth0.7 json\n");
    let kind = r#""addresses":[],"speed":null,"duplex":null,"kind":"vlan","id":7,"over":"eth0","received":0"#;
    assert!(json.contains(kind), "{json}");
    assert!(!session.types("link show eth0 json\n").contains("kind"));
}

#[test]
fn what_cannot_be_made_or_deleted_is_told_in_a_sentence() {
    let mut session = Session::new(false);
    session.plays(
        "
        > link add link usb0 name v type vlan id 7
          link add link usb0 name v type vlan id 7
                        ^^^^
        E406 device usb0 does not exist
        > link add link eth0 name v type vlan id 4095
          link add link eth0 name v type vlan id 4095
                                                 ^^^^
        E400 column 40: expected a number from 1 to 4094
        > link add a234567890123456 type dummy
          link add a234567890123456 type dummy
                   ^^^^^^^^^^^^^^^^
        E400 column 10: expected a name of 1 to 15 bytes, without %, / and :
        > link add eth0 type dummy
        E413 link eth0: a device of this name exists already
        > link add link eth0 name v type vlan id 7
        I200 added link v
        > link add link eth0 name v type vlan id 7
        E413 link v: the link is configured already
        > link add link eth0 name w type vlan id 7
        E413 link w: VLAN device already exists
        > link del eth0
        E422 link eth0: only a VLAN, bridge or dummy device can be deleted
        > link del usb0
          link del usb0
                   ^^^^
        E406 device usb0 does not exist
        > link set eth0 master br0
          link set eth0 master br0
                               ^^^
        E406 device br0 does not exist
        > link set eth0 master v
        E422 link eth0: the device cannot be a member of this master
        > link set v mtu 1600
        E422 link v: the device does not take this MTU
        > config show
        link add link eth0 name v type vlan id 7
        I200 1 setting; `route show` lists the routes
        ",
    );
    session.kernel().admin = false;
    session.plays(
        "
        > link del v
        E403 link v: CAP_NET_ADMIN is needed
        > link add d0 type dummy
        E403 link d0: CAP_NET_ADMIN is needed
        ",
    );
    assert_eq!(names(&mut session), ["lo", "eth0", "v"]);
}

#[test]
fn saved_links_come_back_and_are_found_again() {
    let mut session = Session::new(false);
    // In another order than the config's.
    session.types(
        "link add link eth0 name eth0.7 type vlan id 7\nlink set eth0.7 mtu 1400\n\
         link add br0 type bridge\naddress add 192.0.2.1/24 dev br0\n\
         port set br0 urpf strict\nlink add link br0 name br0.9 type vlan id 9\n\
         link set eth0.7 master br0\naddress add 2001:db8::1/64 dev br0.9\n\
         route add 10.0.0.0/8 via 192.0.2.254 dev br0\nsave\n",
    );
    assert_eq!(saved(&session), ROUTER);

    let mut session = Session::boots(ROUTER);
    let told = session.types("");
    assert!(
        told.contains("loaded 1 route and 7 settings from"),
        "{told}"
    );
    let vlan = device(&mut session, "eth0.7").unwrap();
    let bridge = device(&mut session, "br0").unwrap();
    assert_eq!((vlan.up, vlan.mtu), (true, 1400));
    assert_eq!(vlan.master, Some(bridge.index));
    assert_eq!(bridge.addresses.len(), 1);
    assert_eq!(session.kernel().ports.len(), 1);
    // What is there already stays.
    session.plays_with_file(
        "
        > diff
        I200 no difference from FILE
        > load
        I200 loaded 1 route and 7 settings from FILE
        ",
    );
    assert_eq!(device(&mut session, "br0").unwrap().index, bridge.index);
    let names = names(&mut session);
    assert_eq!(names, ["lo", "eth0", "br0", "eth0.7", "br0.9"]);
}

#[test]
fn load_ends_links_and_members_that_it_does_not_name() {
    let mut session = Session::boots(ROUTER);
    session.types("");
    let config = session.folder.config();
    fs::write(&config, "link add br0 type dummy\nlink set eth0 up\n").unwrap();
    session.plays_with_file(
        "
        > load
        I200 loaded 0 routes and 2 settings from FILE
        ",
    );
    assert_eq!(names(&mut session), ["lo", "eth0", "br0"]);
    let kind = device(&mut session, "br0").unwrap().kind.unwrap().0;
    assert_eq!(kind, "dummy");
    let (twice, twice_path) = ("link add a type dummy\nlink add a type bridge\n", 2);
    fs::write(&config, twice).unwrap();
    session.plays_with_file(&format!(
        "
        > load
        E413 FILE:{twice_path}:1: link a: the link is configured already
        "
    ));
    // The second VLAN of a number is refused, and the first one taken back.
    let text = "link add link eth0 name a type vlan id 7\n\
                link add link eth0 name b type vlan id 7\n";
    fs::write(&config, text).unwrap();
    session.plays_with_file(
        "
        > load
        E413 FILE:2:1: link b: VLAN device already exists
        ",
    );
    assert_eq!(names(&mut session), ["lo", "eth0", "br0"]);
    let kind = device(&mut session, "br0").unwrap().kind.unwrap().0;
    assert_eq!(kind, "dummy");
}

#[test]
fn edits_may_name_the_links_that_they_make() {
    let mut session = Session::new(false);
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > address add 192.0.2.1/24 dev v
          address add 192.0.2.1/24 dev v
                                       ^
        E406 device v does not exist
        > link add link eth0 name v type vlan id 7
        I200 edit 1
        > address add 192.0.2.1/24 dev v
        I200 edit 2
        > route add 10.0.0.0/8 via 192.0.2.254 dev v
        I200 edit 3
        > port set v
        I200 edit 4
        > diff
        + link add link eth0 name v type vlan id 7
        + address add 192.0.2.1/24 dev v
        + port set v
        + 10.0.0.0/8 via 192.0.2.254 dev v
        I200 4 differences from the table
        > check
        I200 every edit can be made
        > commit
        I200 committed 4 edits
        > begin
        I200 edits wait for `commit` from now on
        > link del v
        I200 edit 1
        > diff
        - link add link eth0 name v type vlan id 7
        - address add 192.0.2.1/24 dev v
        - port set v
        I200 3 differences from the table
        > address add 192.0.2.2/24 dev v
        I200 edit 2
        > commit
          address add 192.0.2.2/24 dev v
        E406 edit 2: device v does not exist; nothing was changed
        > rollback
        I200 dropped 2 edits
        > begin
        I200 edits wait for `commit` from now on
        > link del eth0
        I200 edit 1
        > check
          link del eth0
        E422 edit 1: link eth0: only a VLAN, bridge or dummy device can be deleted; nothing was changed
        ",
    );
    assert_eq!(names(&mut session), ["lo", "eth0", "v"]);
}

#[test]
fn commit_that_fails_or_is_not_confirmed_restores_links() {
    let mut session = Session::boots(ROUTER);
    session.types("");
    // Not configured, and yet gone with the link.
    let eth0 = &mut session.kernel().devices;
    let at = eth0
        .iter()
        .position(|device| device.name.to_string() == "br0.9");
    eth0[at.unwrap()]
        .addresses
        .push("198.51.100.1/24".parse().unwrap());
    let state = |session: &mut Session| {
        let mut devices: Vec<_> = session.kernel().devices.clone();
        devices.sort_by_key(|device| device.name.to_string());
        let name = |index: u32| {
            let found = devices.iter().find(|device| device.index == index);
            found.map(|device| device.name.to_string())
        };
        let mut all = Vec::new();
        for device in &devices {
            let kind = device.kind.clone();
            let kind = kind.map(|(kind, id, over)| (kind, id, over.and_then(name)));
            let mut addresses: Vec<_> = device.addresses.iter().map(ToString::to_string).collect();
            addresses.sort();
            let master = device.master.and_then(name);
            all.push((device.name.to_string(), device.mtu, kind, master, addresses));
        }
        let ports = &session.kernel().ports;
        let ports: Vec<_> = ports.iter().map(|port| port.device.to_string()).collect();
        (all, ports)
    };
    let before = state(&mut session);
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > link add d0 type dummy
        I200 edit 1
        > link del br0
        I200 edit 2
        > port set lo
        I200 edit 3
        > commit
          port set lo
        E422 edit 3: port lo: the loopback device cannot be a port; nothing was changed
        > rollback
        I200 dropped 3 edits
        ",
    );
    assert_eq!(state(&mut session), before);
    session.types("begin\nlink add d0 type dummy\nlink del br0\nlink del eth0.7\n");
    session.types("commit confirmed 60\n");
    assert_eq!(names(&mut session), ["lo", "eth0", "d0"]);
    assert!(
        session
            .types("config show\n")
            .starts_with("link add d0 type dummy\nI200 1 ")
    );
    session.types("rollback\n");
    assert_eq!(state(&mut session), before);
    session.plays_with_file(
        "
        > diff
        I200 no difference from FILE
        ",
    );
}

/// Linux deletes the IPv6 addresses of a VLAN, too, when the device below it goes down.
#[test]
fn addresses_of_a_vlan_outlive_the_device_below_that_goes_down() {
    let mut session = Session::new(false);
    session.types("link add link eth0 name v type vlan id 7\naddress add 2001:db8::1/64 dev v\n");
    session.types("link set eth0 down\nlink set eth0 up\n");
    let vlan = device(&mut session, "v").unwrap();
    assert!(vlan.up);
    assert_eq!(vlan.addresses.len(), 1);
    session.types("link set eth0 down\nlink del v\nlink add link eth0 name v type vlan id 7\n");
    assert!(!device(&mut session, "v").unwrap().up);
}

#[test]
fn links_beyond_the_limit_are_refused() {
    let mut session = Session::new(false);
    let links = |count: u32| -> String {
        let line = |n: u32| format!("link add link eth0 name v{n} type vlan id {n}\n");
        (1..=count).map(line).collect()
    };
    fs::write(session.folder.config(), links(257)).unwrap();
    session.plays_with_file(
        "
        > load
        E507 FILE:257:1: at most 256 virtual links are configured
        ",
    );
    assert_eq!(names(&mut session).len(), 2);
    fs::write(session.folder.config(), links(256)).unwrap();
    session.plays_with_file(
        "
        > load
        I200 loaded 0 routes and 256 settings from FILE
        > link add d0 type dummy
        E507 at most 256 virtual links are configured
        ",
    );
    assert_eq!(names(&mut session).len(), 258);
}

#[test]
fn vlan_over_a_missing_device_waits() {
    let mut session = Session::boots(
        "link add link usb0 name usb0.7 type vlan id 7\naddress add 192.0.2.1/24 dev usb0.7\n",
    );
    let told = session.types("");
    let waits = "2 settings wait for a missing device: usb0, usb0.7";
    assert!(told.contains(waits), "{told}");
    session.plays(
        "
        > link del usb0.7
        I200 deleted link usb0.7, and 1 setting with it
        > config show
        I200 0 settings; `route show` lists the routes
        ",
    );
}

#[test]
fn port_does_not_become_a_member_of_a_bridge_so_that_the_config_can_be_loaded() {
    let mut session = Session::new(false);
    session.plays(
        "
        > link add br0 type bridge
        I200 added link br0
        > port set eth0
        I200 port eth0
        > link set eth0 master br0
        E422 link eth0: the device is a port, which no member of a bridge can be: `port del` first
        > config show
        link add br0 type bridge
        port set eth0
        I200 2 settings; `route show` lists the routes
        > begin
        I200 edits wait for `commit` from now on
        > port del eth0
        I200 edit 1
        > link set eth0 master br0
        I200 edit 2
        > commit
        I200 committed 2 edits
        > config show
        link add br0 type bridge
        link set eth0 master br0
        I200 2 settings; `route show` lists the routes
        ",
    );
}

#[test]
fn vlan_comes_back_as_far_as_the_device_below_it_allows() {
    // All of it can be typed: the VLAN first, then the device below it.
    let text = "link add link eth0 name v type vlan id 7\n\
                link set eth0 down mtu 1300\n\
                link set v up mtu 1400\n";
    let mut session = Session::boots(text);
    let told = session.types("");
    assert!(told.contains("loaded 0 routes and 3 settings"), "{told}");
    let vlan = |session: &mut Session| {
        let mut devices = session.kernel().devices.iter();
        let vlan = devices.find(|device| device.name.as_bytes() == b"v");
        vlan.map(|vlan| (vlan.up, vlan.mtu)).expect("v is there")
    };
    assert_eq!(vlan(&mut session), (false, 1300));
    // One that is typed is refused.
    session.plays(
        "
        > link set v mtu 1400
        E422 link v: the device does not take this MTU
        > link set v up
        E422 link v: the device below it is down
        > config show
        link add link eth0 name v type vlan id 7
        link set eth0 down mtu 1300
        link set v up mtu 1400
        I200 3 settings; `route show` lists the routes
        > link set eth0 up
        I200 link eth0
        ",
    );
    assert_eq!(vlan(&mut session), (true, 1300));
}
