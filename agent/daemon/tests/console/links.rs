// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links and addresses: set, shown, saved and committed with ports and routes.

use std::fs;

use nl31_netlink::FakeDevice;

use crate::session::Session;

fn device(session: &mut Session) -> FakeDevice {
    let mut devices = session.kernel().devices.iter();
    let eth0 = devices.find(|device| device.index == 2);
    eth0.expect("eth0 is there").clone()
}

fn addresses(session: &mut Session) -> Vec<String> {
    let device = device(session);
    device.addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn another_length_of_an_ipv6_address_is_refused_until_the_first_is_deleted() {
    let mut session = Session::new(false);
    session.plays(
        "
        > address add 2001:db8::1/64 dev eth0
        I200 2001:db8::1/64 dev eth0
        > address add 2001:db8::1/48 dev eth0
        E408 2001:db8::1/48 dev eth0: the device has this address as 2001:db8::1/64: delete that first
        > config show
        address add 2001:db8::1/64 dev eth0
        I200 1 setting; `route show` lists the routes
        > address del 2001:db8::1/48 dev eth0
        E405 2001:db8::1/48 dev eth0: the device has no such address
        > begin
        I200 edits wait for `commit` from now on
        > address del 2001:db8::1/64 dev eth0
        I200 edit 1
        > address add 2001:db8::1/48 dev eth0
        I200 edit 2
        > commit
        I200 committed 2 edits
        > address add 192.0.2.1/24 dev eth0
        I200 192.0.2.1/24 dev eth0
        > address add 192.0.2.1/32 dev eth0
        I200 192.0.2.1/32 dev eth0
        ",
    );
    let all = ["2001:db8::1/48", "192.0.2.1/24", "192.0.2.1/32"];
    assert_eq!(addresses(&mut session), all);
}

#[test]
fn links_and_addresses_are_set_and_shown() {
    let mut session = Session::new(false);
    session.plays(
        "
        > link set eth0 mtu 1400
        I200 link eth0
        > ip addr add 192.0.2.1/24 dev eth0
        I200 192.0.2.1/24 dev eth0
        > address add 2001:db8::1/64 dev eth0
        I200 2001:db8::1/64 dev eth0
        > link show eth0
        eth0 up carrier on mtu 1400 speed unknown mac 02:00:00:00:00:02 address 192.0.2.1/24 address 2001:db8::1/64 received 0 sent 0 received-bytes 0 sent-bytes 0
        I200 1 link
        > ip addr show dev eth0
        192.0.2.1/24 dev eth0
        2001:db8::1/64 dev eth0
        I200 2 addresses
        > address show lo json
        I200 0 addresses
        > address show json
        {\"address\":\"192.0.2.1\",\"len\":24,\"dev\":\"eth0\"}
        {\"address\":\"2001:db8::1\",\"len\":64,\"dev\":\"eth0\"}
        I200 2 addresses
        > address del 192.0.2.1/24 dev eth0
        I200 eth0 has no address 192.0.2.1/24 any more
        > config show
        link set eth0 mtu 1400
        address add 2001:db8::1/64 dev eth0
        I200 2 settings; `route show` lists the routes
        ",
    );
    let json = session.types("link show eth0 json\n");
    let start = r#"{"dev":"eth0","up":true,"carrier":true,"mtu":1400,"mac":"02:00:00:00:00:02","addresses":["2001:db8::1/64"],"speed":null,"duplex":null,"received":0,"#;
    assert!(json.starts_with(start), "{json}");
}

#[test]
fn link_errors_name_their_place_or_the_kernels_reason() {
    let mut session = Session::new(false);
    session.plays(
        "
        > link set eth0
          link set eth0
                       ^
        E400 column 14: expected up, down, mtu, address, master or nomaster
        > link set eth0 address 01:00:5e:00:00:01
          link set eth0 address 01:00:5e:00:00:01
                                ^^^^^^^^^^^^^^^^^
        E400 column 23: a multicast address is that of no device: the first byte must be even
        > link set eth0 address 192.0.2.1
          link set eth0 address 192.0.2.1
                                ^^^^^^^^^
        E400 column 23: expected a MAC address like 02:00:00:00:00:01
        > link set lo address 02:00:00:00:00:09
        E422 link lo: the device has no MAC address to change
        > address add 192.0.2.1 dev eth0
          address add 192.0.2.1 dev eth0
                      ^^^^^^^^^
        E400 column 13: expected an address with its length, like 192.0.2.1/24
        > address add 192.0.2.1/24 dev usb0
          address add 192.0.2.1/24 dev usb0
                                       ^^^^
        E406 device usb0 does not exist
        > link set eth1 up
        E406 link eth1: no such device
        > link set eth0 mtu 9001
        E422 link eth0: mtu greater than device maximum
        > address add 224.0.0.1/24 dev eth0
          address add 224.0.0.1/24 dev eth0
                      ^^^^^^^^^^^^
        E400 column 13: no device can have this address
        > address add ::1/128 dev eth0
        E422 ::1/128 dev eth0: the address does not suit the device
        > address del 192.0.2.1/24 dev eth0
        E405 192.0.2.1/24 dev eth0: the device has no such address
        > address add 192.0.2.1/24 dev eth0
        I200 192.0.2.1/24 dev eth0
        > address add 192.0.2.1/24 dev eth0
        E408 192.0.2.1/24 dev eth0: the address is configured already
        > link show usb0
        E406 device usb0 does not exist
        > config show
        address add 192.0.2.1/24 dev eth0
        I200 1 setting; `route show` lists the routes
        ",
    );
    session.kernel().admin = false;
    session.plays(
        "
        > link set eth0 down
        E403 link eth0: CAP_NET_ADMIN is needed
        ",
    );
    assert!(device(&mut session).up);
}

/// The MAC addresses of eth0 and of the links that were made.
fn macs(session: &mut Session) -> Vec<String> {
    let devices = session.kernel().devices.iter();
    let devices = devices.filter(|device| device.index > 1);
    let told = devices.map(|device| format!("{} {:02x?}", device.name, device.mac));
    told.collect()
}

#[test]
fn mac_address_is_saved_and_rolled_back() {
    let mut session = Session::new(false);
    let (own, set) = (
        ["eth0 [02, 00, 00, 00, 00, 02]"],
        ["eth0 [02, 00, 00, 00, 00, 0a]"],
    );
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > link set eth0 mtu 1400
        I200 edit 1
        > ip link set eth0 address 02:00:00:00:00:0A
        I200 edit 2
        > commit confirmed 60
        I200 committed 2 edits, for 60 s: `confirm` keeps and saves them
        ",
    );
    assert_eq!(macs(&mut session), set);
    session.types("rollback\n");
    assert_eq!(macs(&mut session), own);
    // A later edit fails.
    session.types("begin\nlink set eth0 address 02:00:00:00:00:0a\nport set lo\n");
    assert!(session.types("commit\n").contains("E422 edit 2"));
    assert_eq!(macs(&mut session), own);
    session.types("rollback\n");

    // A driver that takes it only while the link is down.
    session.types("address add 2001:db8::1/64 dev eth0\n");
    session.kernel().devices[1].keeps_mac_while_up = true;
    session.plays(
        "
        > link set eth0 address 02:00:00:00:00:0a
        I200 link eth0
        > save
        I200 saved 0 routes and 2 settings
        ",
    );
    let is_as_saved = |session: &mut Session| {
        assert_eq!(macs(session), set);
        assert!(device(session).up);
        assert_eq!(addresses(session), ["2001:db8::1/64"]);
    };
    is_as_saved(&mut session);
    let text = fs::read_to_string(session.folder.config()).unwrap();
    let text = text.split_once('\n').unwrap().1;
    let saved = "link set eth0 address 02:00:00:00:00:0a\naddress add 2001:db8::1/64 dev eth0\n";
    assert_eq!(text, saved);
    session.types("load\n");
    is_as_saved(&mut session);
    let mut session = Session::boots(saved);
    session.types("");
    is_as_saved(&mut session);
}

/// Linux derives the MAC address of a bridge from its members until it is set.
#[test]
fn mac_address_that_is_not_set_is_not_restored() {
    let mut session = Session::new(false);
    session.types("link add br0 type bridge\n");
    session.types("begin\nlink set br0 mtu 1400\nlink set eth0 master br0\n");
    session.types("commit confirmed 60\n");
    let changed = [2, 0, 0, 0, 0, 0xbb];
    let br0 = session.kernel().devices.last_mut().unwrap();
    (br0.mac, br0.keeps_mac_while_up) = (changed, true);
    session.types("rollback\n");
    let br0 = session.kernel().devices.last().unwrap();
    assert_eq!((br0.mtu, br0.mac, br0.up), (1500, changed, true));
}

/// Linux deletes the IPv6 addresses of a link that goes down.
#[test]
fn configured_addresses_outlive_a_link_that_goes_down() {
    let mut session = Session::new(false);
    session.types("address add 2001:db8::1/64 dev eth0\nlink set eth0 down\nlink set eth0 up\n");
    assert_eq!(addresses(&mut session), ["2001:db8::1/64"]);
}

#[test]
fn saved_router_comes_back_with_the_boot() {
    let text = "link set eth0 up mtu 1400\n\
                address add 192.0.2.1/24 dev eth0\n\
                address add 2001:db8::1/64 dev eth0\n\
                port set eth0 urpf strict\n\
                10.0.0.0/8 via 192.0.2.254 dev eth0\n";
    let mut session = Session::new(false);
    // In another order than the config's.
    session.types(
        "port set eth0 urpf strict\n\
         address add 192.0.2.1/24 dev eth0\naddress add 2001:db8::1/64 dev eth0\n\
         route add 10.0.0.0/8 via 192.0.2.254 dev eth0\nlink set eth0 mtu 1400 up\n",
    );
    session.plays(
        "
        > save
        I200 saved 1 route and 4 settings
        ",
    );
    let saved = fs::read_to_string(session.folder.config()).unwrap();
    assert_eq!(saved.split_once('\n').unwrap().1, text);

    let mut session = Session::boots(text);
    let told = session.types("");
    assert!(
        told.contains("loaded 1 route and 4 settings from"),
        "{told}"
    );
    let eth0 = device(&mut session);
    assert_eq!((eth0.up, eth0.mtu), (true, 1400));
    assert_eq!(addresses(&mut session), ["192.0.2.1/24", "2001:db8::1/64"]);
    assert_eq!(session.kernel().ports.len(), 1);
    assert_eq!(session.table().len(), 1);
    session.plays_with_file(
        "
        > diff
        I200 no difference from FILE
        ",
    );
}

#[test]
fn commit_that_fails_takes_links_and_addresses_back() {
    let mut session = Session::new(false);
    session.types("address add 192.0.2.1/24 dev eth0\naddress add 2001:db8::1/64 dev eth0\n");
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > link set eth0 mtu 1400 down
        I200 edit 1
        > address del 192.0.2.1/24 dev eth0
        I200 edit 2
        > address add 192.0.2.2/24 dev eth0
        I200 edit 3
        > port set lo
        I200 edit 4
        > commit
          port set lo
        E422 edit 4: port lo: the loopback device cannot be a port; nothing was changed
        ",
    );
    let eth0 = device(&mut session);
    assert_eq!((eth0.up, eth0.mtu), (true, 1500));
    let mut left = addresses(&mut session);
    left.sort();
    assert_eq!(left, ["192.0.2.1/24", "2001:db8::1/64"]);
    session.types("rollback\nbegin\nlink set eth0 down\naddress del 192.0.2.1/24 dev eth0\n");
    session.types("commit confirmed 60\n");
    assert!(!device(&mut session).up);
    session.types("rollback\n");
    assert!(device(&mut session).up);
    let mut left = addresses(&mut session);
    left.sort();
    assert_eq!(left, ["192.0.2.1/24", "2001:db8::1/64"]);
}

/// Linux deletes the other addresses of a network with its first one.
#[test]
fn configured_addresses_outlive_the_first_of_their_network() {
    let mut session = Session::new(false);
    for last in [1, 5] {
        session.types(format!("address add 192.0.2.{last}/24 dev eth0\n"));
    }
    session.types("begin\naddress del 192.0.2.1/24 dev eth0\naddress add 192.0.2.9/24 dev eth0\n");
    session.types("commit confirmed 60\n");
    assert_eq!(addresses(&mut session), ["192.0.2.9/24", "192.0.2.5/24"]);
    session.plays(
        "
        > rollback
        I200 rolled back: restored the paths of 0 prefixes and 3 settings
        ",
    );
    let mut left = addresses(&mut session);
    left.sort();
    assert_eq!(left, ["192.0.2.1/24", "192.0.2.5/24"]);
}

#[test]
fn load_ends_addresses_that_it_does_not_name() {
    let mut session = Session::new(false);
    session.types("address add 192.0.2.1/24 dev eth0\nlink set eth0 mtu 1400\n");
    fs::write(
        session.folder.config(),
        "address add 192.0.2.2/24 dev eth0\naddress add 192.0.2.3/24 dev usb0\n",
    )
    .unwrap();
    session.plays_with_file(
        "
        > load
        * 1 setting waits for a missing device: usb0
        I200 loaded 0 routes and 2 settings from FILE
        ",
    );
    assert_eq!(addresses(&mut session), ["192.0.2.2/24"]);
    let text: String = (0..513)
        .map(|n| format!("address add 10.0.{}.{}/8 dev eth0\n", n / 256, n % 256))
        .collect();
    fs::write(session.folder.config(), text).unwrap();
    session.plays_with_file(
        "
        > load
        E507 FILE:513:1: at most 512 addresses are configured
        ",
    );
    assert_eq!(addresses(&mut session), ["192.0.2.2/24"]);
}

#[test]
fn neighbours_are_shown_as_iproute2_has_them() {
    let mut session = Session::new(false);
    let eth0 = &mut session.kernel().devices[1];
    // The last one is NOARP, which is no neighbour.
    for (address, state) in [("192.0.2.254", 2), ("fe80::1", 4), ("224.0.0.22", 0x40)] {
        let mac = [2, 0, 0, 0, 0, 9];
        eth0.neighbours.push((address.parse().unwrap(), mac, state));
    }
    session.plays(
        "
        > ip neigh
        192.0.2.254 dev eth0 lladdr 02:00:00:00:00:09 reachable
        fe80::1 dev eth0 lladdr 02:00:00:00:00:09 stale
        I200 2 neighbours
        > neighbour show lo
        I200 0 neighbours
        > neighbour show eth0 json
        {\"dst\":\"192.0.2.254\",\"dev\":\"eth0\",\"lladdr\":\"02:00:00:00:00:09\",\"state\":\"reachable\"}
        {\"dst\":\"fe80::1\",\"dev\":\"eth0\",\"lladdr\":\"02:00:00:00:00:09\",\"state\":\"stale\"}
        I200 2 neighbours
        ",
    );
}

#[test]
fn neighbours_are_deleted_but_the_permanent_ones_not_flushed() {
    let mut session = Session::new(false);
    let eth0 = &mut session.kernel().devices[1];
    let learnt = [("192.0.2.1", 2), ("192.0.2.2", 4), ("fe80::1", 0x20)];
    for (address, state) in learnt
        .into_iter()
        .chain([("192.0.2.9", 0x80), ("224.0.0.22", 0x40)])
    {
        let mac = [2, 0, 0, 0, 0, 9];
        eth0.neighbours.push((address.parse().unwrap(), mac, state));
    }
    session.plays(
        "
        > ip neigh del 192.0.2.1 dev eth0
        I200 deleted neighbour 192.0.2.1 dev eth0
        > neighbour del 192.0.2.1 dev eth0
        E415 192.0.2.1 dev eth0: the device has no such neighbour
        > neighbour del 192.0.2.1 dev usb0
          neighbour del 192.0.2.1 dev usb0
                                      ^^^^
        E406 device usb0 does not exist
        > neighbour del eth0
          neighbour del eth0
                        ^^^^
        E400 column 15: expected an address like 192.0.2.1 or 2001:db8::1
        > neighbour flush eth0
          neighbour flush eth0
                          ^^^^
        E400 column 17: expected dev
        > neighbour flush dev lo
        I200 deleted 0 neighbours
        > ip neigh flush dev eth0
        I200 deleted 2 neighbours
        > neighbour show
        192.0.2.9 dev eth0 lladdr 02:00:00:00:00:09 permanent
        I200 1 neighbour
        > neighbour del 192.0.2.9 dev eth0
        I200 deleted neighbour 192.0.2.9 dev eth0
        > begin
        I200 edits wait for `commit` from now on
        > neighbour flush
        I200 deleted 0 neighbours
        > commit
        W204 there were no edits
        ",
    );
    // Neither learnt nor set, but of the address itself.
    assert_eq!(session.kernel().devices[1].neighbours.len(), 1);
    session.kernel().admin = false;
    session.plays(
        "
        > neighbour del 192.0.2.9 dev eth0
        E403 192.0.2.9 dev eth0: CAP_NET_ADMIN is needed
        ",
    );
}
