// SPDX-License-Identifier: MIT OR Apache-2.0
//! Routes are changed one by one, in the words of `ip route`, and listed by filters.

use nl31_agent::frames::host::Host;
use nl31_ctl::commands::route;
use nl31_ctl::error::Error;
use nl31_netlink::Device;
use nl31_route::{DeviceName, Route, Spec};
use nl31_wire::limits::ITEMS_MAX;
use nl31_wire::{Items, ItemsBuffer, Op, Request, Response, code};

use crate::rig::{TestPort, change, has_failed_up_to_its_commit, listed, spec};

#[test]
fn routes_are_changed_in_the_words_of_ip_route() {
    let port = TestPort::new(0);
    let mut link = port.open();
    assert_eq!(
        change(&mut link, Op::Add, "10.0.0.0/8 via 192.0.2.1"),
        Ok(1)
    );
    assert_eq!(
        change(&mut link, Op::Add, "10.0.0.0/8 via 192.0.2.9"),
        Err(409)
    );
    assert_eq!(change(&mut link, Op::Append, "10.0.0.0/8 dev eth0"), Ok(1));
    assert_eq!(change(&mut link, Op::Delete, "10.0.0.0/8"), Err(410));
    assert_eq!(change(&mut link, Op::Delete, "10.0.0.0/8 dev eth0"), Ok(1));
    assert_eq!(
        change(&mut link, Op::Replace, "10.0.0.0/8 via 192.0.2.2"),
        Ok(1)
    );
    assert_eq!(
        change(&mut link, Op::Change, "11.0.0.0/8 via 192.0.2.2"),
        Err(404)
    );
    assert_eq!(
        change(&mut link, Op::Add, "12.0.0.0/8 dev nothere"),
        Err(406)
    );
    assert_eq!(
        change(
            &mut link,
            Op::Add,
            "blackhole 2001:db8::/32 metric 9 proto bgp"
        ),
        Ok(1)
    );
    let all = [
        "10.0.0.0/8 via 192.0.2.2",
        "blackhole 2001:db8::/32 metric 9 proto bgp",
    ];
    assert_eq!(listed(&mut link, "", false), all);
    assert_eq!(port.routes(), all);
    let found = route::get(&mut link, "10.1.2.3".parse().unwrap()).unwrap();
    assert_eq!(found.to_string(), all[0]);
    let error = route::get(&mut link, "11.1.2.3".parse().unwrap()).unwrap_err();
    assert_eq!((error.code(), error.status()), (Some(404), 3));
    link.leave().unwrap();
    assert!(!port.0.borrow().line.frames());
    assert!(port.0.borrow().text.is_empty());
}

#[test]
fn filters_and_flush_mean_what_the_console_means() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let all = [
        "10.0.0.0/8 dev lo",
        "10.1.0.0/16 dev lo",
        "10.2.0.0/16 dev eth0",
        "11.0.0.0/8 dev lo",
    ];
    for text in all {
        change(&mut link, Op::Add, text).unwrap();
    }
    assert_eq!(listed(&mut link, "10.0.0.0/8", false), all[..1]);
    assert_eq!(listed(&mut link, "10.0.0.0/8", true), all[..3]);
    assert_eq!(listed(&mut link, "10.0.0.0/8 dev eth0", true), all[2..3]);
    let mut flush = |filter: &str, longer: bool, all: bool| {
        let filter = if filter.is_empty() {
            Spec::default()
        } else {
            spec(filter)
        };
        let filter = ItemsBuffer::filter(&filter);
        let request = Request::Flush {
            filter: filter.items(),
            longer,
            all,
        };
        link.done(&request).map_err(|error| error.code().unwrap())
    };
    assert_eq!(flush("", false, false), Err(400));
    assert_eq!(flush("10.0.0.0/8", false, true), Err(400));
    assert_eq!(flush("10.0.0.0/8", false, false), Ok(()));
    assert_eq!(port.routes(), all[1..]);
    assert_eq!(flush("10.0.0.0/8 dev eth0", true, false), Ok(()));
    assert_eq!(flush("12.0.0.0/8", false, false), Ok(()));
    assert_eq!(port.routes(), [all[1], all[3]]);
    assert_eq!(flush("", false, true), Ok(()));
    assert!(port.routes().is_empty());
}

#[test]
fn changes_name_a_device_that_is_there_and_filters_reach_paths_over_its_index() {
    let port = TestPort::new(0);
    let mut link = port.open();
    assert_eq!(change(&mut link, Op::Add, "10.0.0.0/8 dev usb0"), Err(406));
    assert_eq!(change(&mut link, Op::Add, "10.0.0.0/8 dev eth0"), Ok(1));
    let route = |text: &str| text.parse::<Route<DeviceName>>().unwrap();
    let by_index = route("11.0.0.0/8 dev eth0").map_device(|_| Device::Index(2));
    // One that waits, as after the load of a config.
    let waits = route("12.0.0.0/8 dev usb0").map_device(Device::Name);
    let mut client = port.kernel().connect().unwrap();
    for route in [by_index, waits] {
        client.add(nl31_netlink::Add::Add, &route).unwrap();
    }
    let both = ["10.0.0.0/8 dev eth0", "11.0.0.0/8 dev eth0"];
    assert_eq!(listed(&mut link, "dev eth0", true), both);
    let waiting = listed(&mut link, "dev usb0", true);
    assert_eq!(waiting, ["12.0.0.0/8 dev usb0"]);
    for text in [both[0], both[1], "12.0.0.0/8 dev usb0"] {
        assert_eq!(change(&mut link, Op::Delete, text), Ok(1));
    }
    assert!(port.routes().is_empty());
}

#[test]
fn nothing_is_changed_before_the_config_is_loaded() {
    let port = TestPort::new(0);
    let booting = |booting| port.kernel().1.config.booting.set(booting);
    let mut link = port.open();
    let code = |result: Result<(), Error>| result.unwrap_err().code().unwrap();
    booting(true);
    assert_eq!(change(&mut link, Op::Add, "10.0.0.0/8 dev lo"), Err(423));
    // What is on its way behind a Begin does not become changes by themselves.
    assert_eq!(code(link.done(&Request::Begin { replace: true })), 423);
    booting(false);
    has_failed_up_to_its_commit(&mut link, &port);
}

#[test]
fn a_prefix_is_deleted_whole_whatever_path_was_said_before() {
    let port = TestPort::new(0);
    let mut link = port.open();
    for path in ["dev lo", "dev eth0", "via 192.0.2.1"] {
        change(&mut link, Op::Append, &format!("10.0.0.0/8 {path}")).unwrap();
    }
    let mut items = ItemsBuffer::default();
    items.push(Op::Add, &spec("11.0.0.0/8 dev eth0")).unwrap();
    // The operation, and a prefix of one byte: the path holds on.
    let mut bytes = items.items().bytes().to_vec();
    bytes.extend([0xd5, 8, 10]);
    let change = Request::Change {
        items: nl31_wire::Items::new(&bytes),
    };
    link.call(&change, |_| Ok(())).unwrap();
    assert_eq!(port.routes(), ["11.0.0.0/8 dev eth0"]);
}

#[test]
fn change_with_an_item_too_many_or_something_behind_the_last_one_changes_nothing() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let blackhole = [0xe0, 2];
    let items = |count: usize| {
        let prefixes = (1..=count as u8).flat_map(|octet| [8, octet]);
        blackhole.into_iter().chain(prefixes).collect::<Vec<u8>>()
    };
    let mut unknown = items(ITEMS_MAX);
    unknown.push(0xff);
    for bytes in [items(ITEMS_MAX + 1), items(200), unknown] {
        let items = Items::new(&bytes);
        match link.call(&Request::Change { items }, |_| Ok(())) {
            Err(Error::Refused(refused)) => {
                let index = Some(ITEMS_MAX as u16);
                assert_eq!((refused.code, refused.index), (code::BAD_MESSAGE, index));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(port.routes(), [""; 0]);
    }
    let most = items(ITEMS_MAX);
    let items = Items::new(&most);
    let changed = link.call(&Request::Change { items }, |answer| match answer {
        Response::Changed { count } => Ok(count),
        other => panic!("{other:?}"),
    });
    assert_eq!(changed.unwrap(), ITEMS_MAX as u32);
    assert_eq!(port.routes().len(), ITEMS_MAX);
}

#[test]
fn speed_of_nothing_is_refused() {
    let port = TestPort::new(0);
    port.0.borrow_mut().program.set_line_with_speed(true);
    let mut link = port.open();
    match link.call(&Request::Speed { baud: 0 }, |_| Ok(())) {
        Err(Error::Refused(refused)) => assert_eq!(refused.code, code::NO_SPEED),
        other => panic!("{other:?}"),
    }
}
