// SPDX-License-Identifier: MIT OR Apache-2.0
use super::super::fpm::payload_len;
use super::super::rtnetlink::{Hop, NextHop};
use super::*;

fn source(metrics: Metrics) -> Source {
    let selection = Selection {
        max_routes: 3,
        ..Selection::default()
    };
    let mut source = Source::new(selection, metrics, Devices::new(Vec::new()));
    source.shadow.board_is_known();
    source
}

fn route(prefix: &str, metric: Option<u32>, gateway: &str) -> RouteMessage {
    let hop = Hop {
        gateway: gateway.parse().ok(),
        ..Hop::default()
    };
    RouteMessage {
        prefix: prefix.parse().unwrap(),
        table: 254,
        protocol: 186,
        kind: 1,
        metric,
        via: Via::Hops(vec![hop]),
    }
}

fn add(source: &mut Source, route: RouteMessage) {
    source.message(Message::NewRoute(route, false));
}

/// Makes all changes; gives the paths that the board has then.
fn made(source: &mut Source) -> Vec<String> {
    let mut paths = Vec::new();
    while source.has_more() {
        let changes = source.take(10, false);
        for change in &changes {
            for path in change.after.iter().flat_map(|list| list.iter()) {
                let prefix = change.key.0;
                let path = path.clone();
                paths.push(Route { prefix, path }.to_string());
            }
        }
        source.shadow.made(changes);
    }
    paths
}

#[test]
fn forwarding_table_has_one_route_a_prefix() {
    let mut source = source(Metrics::One);
    add(&mut source, route("10.0.0.0/8", Some(20), "192.0.2.1"));
    add(&mut source, route("10.0.0.0/8", Some(5), "192.0.2.2"));
    assert_eq!(
        made(&mut source),
        ["10.0.0.0/8 via 192.0.2.2 metric 5 proto bgp"]
    );
    assert_eq!(source.shadow.routes(), 1);
    source.message(Message::DeleteRoute(route("10.0.0.0/8", None, "")));
    assert!(made(&mut source).is_empty());
    assert!(source.shadow.is_empty());
}

#[test]
fn linuxs_table_has_one_for_each_metric() {
    let mut source = source(Metrics::Each);
    add(&mut source, route("10.0.0.0/8", Some(20), "192.0.2.1"));
    add(&mut source, route("10.0.0.0/8", None, "192.0.2.2"));
    // Behind another one of its metric it is not used.
    let behind = route("10.0.0.0/8", None, "192.0.2.3");
    source.message(Message::NewRoute(behind, true));
    let both = [
        "10.0.0.0/8 via 192.0.2.2 proto bgp",
        "10.0.0.0/8 via 192.0.2.1 metric 20 proto bgp",
    ];
    assert_eq!(made(&mut source), both);
    source.message(Message::DeleteRoute(route("10.0.0.0/8", None, "")));
    made(&mut source);
    assert_eq!(source.shadow.metrics("10.0.0.0/8".parse().unwrap()), [20]);
}

#[test]
fn one_of_several_ipv6_paths_goes_alone() {
    let mut source = source(Metrics::Each);
    let by = |gateways: &[&str]| {
        let mut route = route("2001:db8::/32", Some(1024), "");
        let hop = |gateway: &&str| Hop {
            gateway: gateway.parse().ok(),
            ..Hop::default()
        };
        route.via = Via::Hops(gateways.iter().map(hop).collect());
        route
    };
    add(&mut source, by(&["2001:db8::1", "2001:db8::2"]));
    assert_eq!(made(&mut source).len(), 2);
    source.message(Message::DeleteRoute(by(&["2001:db8::1"])));
    let left = "2001:db8::/32 via 2001:db8::2 metric 1024 proto bgp";
    assert_eq!(made(&mut source), [left]);
    source.message(Message::DeleteRoute(by(&["2001:db8::2"])));
    made(&mut source);
    assert!(source.shadow.is_empty());
}

#[test]
fn routes_of_other_tables_are_not_carried() {
    let mut source = source(Metrics::One);
    let mut other = route("10.0.0.0/8", Some(20), "192.0.2.1");
    other.table = 10;
    add(&mut source, other.clone());
    assert!(source.shadow.is_empty());
    add(&mut source, route("10.0.0.0/8", Some(20), "192.0.2.1"));
    source.message(Message::DeleteRoute(other));
    assert_eq!(source.shadow.routes(), 1);
}

#[test]
fn route_that_a_board_cannot_have_takes_the_old_one_away() {
    let mut source = source(Metrics::One);
    add(&mut source, route("10.0.0.0/8", Some(20), "192.0.2.1"));
    add(&mut source, route("11.0.0.0/8", Some(20), "192.0.2.1"));
    made(&mut source);
    add(&mut source, route("10.0.0.0/8", Some(20), "2001:db8::1"));
    let mut multicast = route("11.0.0.0/8", Some(20), "192.0.2.1");
    multicast.kind = 5;
    add(&mut source, multicast.clone());
    add(&mut source, multicast);
    assert!(made(&mut source).is_empty());
    assert!(source.shadow.is_empty());
    let counts: Vec<u64> = source.counts().passed_over.values().copied().collect();
    assert_eq!(counts, [1, 2]);
    let notices = source.take_notices();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(notices[0].contains("10.0.0.0/8: a gateway of the other family"));
}

#[test]
fn routes_beyond_the_limit_are_counted() {
    let mut source = source(Metrics::One);
    for number in 0..10 {
        add(
            &mut source,
            route(&format!("{number}.0.0.0/8"), Some(20), "192.0.2.1"),
        );
    }
    assert_eq!(source.shadow.routes(), 3);
    assert_eq!(source.counts().passed_over.values().sum::<u64>(), 7);
    assert_eq!(source.take_notices().len(), 1);
}

#[test]
fn objects_of_another_connection_are_others() {
    let mut source = source(Metrics::One);
    let by = |source: &mut Source, id| {
        let mut route = route("10.0.0.0/8", Some(20), "");
        route.via = Via::Object(id);
        add(source, route);
    };
    let hop = |gateway: &str| {
        NextHop::Hop(Hop {
            gateway: gateway.parse().ok(),
            ..Hop::default()
        })
    };
    by(&mut source, 1);
    assert!(made(&mut source).is_empty(), "it waits for its object");
    source.message(Message::NewNextHop(1, hop("192.0.2.1")));
    let first = "10.0.0.0/8 via 192.0.2.1 metric 20 proto bgp";
    assert_eq!(made(&mut source), [first]);
    source.begin();
    source.message(Message::NewNextHop(1, hop("192.0.2.9")));
    source.message(Message::NewNextHop(2, hop("192.0.2.1")));
    by(&mut source, 2);
    assert!(made(&mut source).is_empty(), "as it was");
    source.message(Message::NewNextHop(2, hop("192.0.2.2")));
    assert_eq!(made(&mut source), [first.replace("2.1 ", "2.2 ")]);
}

#[test]
fn zebra_is_told_of_routes_that_a_board_cannot_have() {
    let mut source = source(Metrics::One);
    source.shadow.answer();
    add(&mut source, route("10.0.0.0/8", Some(20), "2001:db8::1"));
    announce(&mut source, 1, "2001:db8::1");
    add_by_object(&mut source, "11.0.0.0/8", 1);
    add(&mut source, route("12.0.0.0/8", Some(20), "192.0.2.1"));
    made(&mut source);
    let told = |source: &mut Source| {
        let answers = source.shadow.answers().unwrap().take(9);
        let text = answers
            .iter()
            .map(|answer| (answer.key.0.to_string(), answer.is_installed));
        text.collect::<Vec<_>>()
    };
    let expected = [
        ("10.0.0.0/8".to_owned(), false),
        ("11.0.0.0/8".to_owned(), false),
        ("12.0.0.0/8".to_owned(), true),
    ];
    assert_eq!(told(&mut source), expected);
    // The board has it when the object is another one, and not before.
    announce(&mut source, 1, "192.0.2.1");
    let changes = source.take(9, false);
    assert!(told(&mut source).is_empty());
    source.shadow.made(changes);
    assert_eq!(told(&mut source), [("11.0.0.0/8".to_owned(), true)]);
    // Of what was said in another connection zebra is told when it says it again.
    source.begin();
    source.shadow.forget_board();
    source.shadow.board_is_known();
    made(&mut source);
    assert!(told(&mut source).is_empty());
    add(&mut source, route("11.0.0.0/8", Some(20), "192.0.2.1"));
    made(&mut source);
    assert_eq!(told(&mut source), [("11.0.0.0/8".to_owned(), true)]);
    // A route that is deleted needs no answer.
    add(&mut source, route("12.0.0.0/8", Some(20), "192.0.2.1"));
    source.take(9, false);
    source.message(Message::DeleteRoute(route("12.0.0.0/8", None, "")));
    assert!(told(&mut source).is_empty());
}

fn add_by_object(source: &mut Source, prefix: &str, id: u32) {
    let mut route = route(prefix, Some(20), "");
    route.via = Via::Object(id);
    add(source, route);
}

fn announce(source: &mut Source, id: u32, gateway: &str) {
    let hop = Hop {
        gateway: gateway.parse().ok(),
        ..Hop::default()
    };
    source.message(Message::NewNextHop(id, NextHop::Hop(hop)));
}

#[test]
fn object_that_changed_before_the_connection_ended_reaches_the_board() {
    let mut source = source(Metrics::One);
    announce(&mut source, 1, "192.0.2.1");
    add_by_object(&mut source, "10.0.0.0/8", 1);
    made(&mut source);
    announce(&mut source, 1, "192.0.2.2");
    source.begin();
    // The same without an object: it is as it was wanted, and not as the board has it.
    add(&mut source, route("10.0.0.0/8", Some(20), "192.0.2.2"));
    let changed = "10.0.0.0/8 via 192.0.2.2 metric 20 proto bgp";
    assert_eq!(made(&mut source), [changed]);
}

#[test]
fn route_said_after_the_end_of_its_object_waits_for_it() {
    let mut source = source(Metrics::One);
    announce(&mut source, 1, "192.0.2.1");
    add_by_object(&mut source, "10.0.0.0/8", 1);
    made(&mut source);
    source.message(Message::DeleteNextHop(1));
    add_by_object(&mut source, "10.0.0.0/8", 1);
    add_by_object(&mut source, "11.0.0.0/8", 1);
    assert!(made(&mut source).is_empty(), "they wait for it");
    assert_eq!(source.shadow.routes(), 2);
    announce(&mut source, 1, "192.0.2.2");
    let both = [
        "10.0.0.0/8 via 192.0.2.2 metric 20 proto bgp",
        "11.0.0.0/8 via 192.0.2.2 metric 20 proto bgp",
    ];
    assert_eq!(made(&mut source), both);
    // With the end of the object alone they go.
    source.message(Message::DeleteNextHop(1));
    made(&mut source);
    assert!(source.shadow.is_empty());
}

#[test]
fn route_appended_to_one_that_is_being_deleted_is_used() {
    let mut source = source(Metrics::Each);
    add(&mut source, route("10.0.0.0/8", None, "192.0.2.1"));
    made(&mut source);
    source.message(Message::DeleteRoute(route("10.0.0.0/8", None, "")));
    let appended = route("10.0.0.0/8", None, "192.0.2.2");
    source.message(Message::NewRoute(appended, true));
    assert_eq!(made(&mut source), ["10.0.0.0/8 via 192.0.2.2 proto bgp"]);
}

/// What zebra 8.4.4 has said: a connected route with its next hop, and a route of bgp with
/// another one.
#[test]
fn frames_of_zebra_are_understood() {
    let frames = [
        "0101002c280000006800010500000000759c4fa402000b000000000008000100030000000800050002000000",
        "01010038340000001800010500000000759c4fa402180000fe0200010000000008000100c00002000800060014\
         00000008001e0003000000",
        "01010034300000006800010500000000759c4fa402000b0000000000080001000700000008000600c00002fe08\
         00050002000000",
        "01010038340000001800010500000000759c4fa402180000feba000100000000080001000a0120000800060014\
         00000008001e0007000000",
    ];
    let devices = Devices::with_names(Vec::new(), |index| match index {
        2 => "veth0".parse().ok(),
        _ => None,
    });
    let mut source = Source::new(Selection::default(), Metrics::One, devices);
    source.shadow.board_is_known();
    for frame in frames {
        let digits: Vec<char> = frame.chars().collect();
        let byte = |pair: &[char]| {
            let text: String = pair.iter().collect();
            u8::from_str_radix(&text, 16).unwrap()
        };
        let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
        let (header, payload) = bytes.split_first_chunk().unwrap();
        assert_eq!(payload_len(*header), Ok(payload.len()));
        assert_eq!(source.bytes(payload), Ok(1));
    }
    let route = "10.1.32.0/24 via 192.0.2.254 dev veth0 metric 20 proto bgp";
    assert_eq!(made(&mut source), [route]);
}
