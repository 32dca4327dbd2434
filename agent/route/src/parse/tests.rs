// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines that are read, and the errors of others.

use super::*;
use crate::Path;
use crate::{Protocol, Value};
use proptest::prelude::*;
use std::string::{String, ToString};
use std::{format, vec};

const CONSOLE: Syntax = Syntax {
    flags: &[Keyword {
        word: "longer",
        value: Value::None,
        help: "",
    }],
    abbreviations: true,
};

fn route(text: &str) -> Route<DeviceName> {
    text.parse()
        .unwrap_or_else(|error: ParseError| panic!("{text}: {error}"))
}

/// Column, length and text of the error of a config line.
fn error(text: &str) -> (usize, usize, String) {
    let error = text.parse::<Route<DeviceName>>().unwrap_err();
    (error.column, error.len, error.to_string())
}

#[test]
fn every_part_is_read() {
    let route = route("unicast 10.0.0.0/8 via 192.0.2.1 dev eth0 metric 4294967295 proto bgp");
    assert_eq!(route.prefix, "10.0.0.0/8".parse().unwrap());
    assert_eq!(route.path.kind, PathKind::Unicast);
    assert_eq!(route.path.gateway, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(route.path.device, Some("eth0".parse().unwrap()));
    assert_eq!(route.path.metric, u32::MAX);
    assert_eq!(route.path.protocol, Protocol(186));
}

#[test]
fn order_is_free_and_printing_is_canonical() {
    for (text, printed) in [
        (
            "proto 4 dev eth0 10.0.0.0/8",
            "10.0.0.0/8 dev eth0 proto static",
        ),
        ("192.0.2.7 via 192.0.2.1", "192.0.2.7/32 via 192.0.2.1"),
        ("default via 192.0.2.1", "0.0.0.0/0 via 192.0.2.1"),
        ("default via fe80::1 dev eth0", "::/0 via fe80::1 dev eth0"),
        ("default dev eth0", "0.0.0.0/0 dev eth0"),
        ("blackhole 2001:DB8::/32", "blackhole 2001:db8::/32"),
        ("prohibit ::/0 metric 0 proto 0", "prohibit ::/0"),
        ("10.0.0.0/8 dev via", "10.0.0.0/8 dev via"),
    ] {
        assert_eq!(route(text).to_string(), printed);
        assert_eq!(route(printed).to_string(), printed);
    }
}

#[test]
fn errors_name_the_place_and_the_way_out() {
    for (text, column, len, message) in [
        (
            "",
            0,
            0,
            "a prefix is missing, like 10.0.0.0/8, 2001:db8::/32 or default",
        ),
        (
            "10.1.0.0/8 dev e",
            0,
            10,
            "bits are set beyond the prefix length; did you mean 10.0.0.0/8?",
        ),
        (
            "10.0.0.0/33 dev e",
            9,
            2,
            "the length of an IPv4 prefix is a number from 0 to 32",
        ),
        (
            "2001:db8::/129 dev e",
            11,
            3,
            "the length of an IPv6 prefix is a number from 0 to 128",
        ),
        (
            "10.0.0.0/ dev e",
            9,
            0,
            "the length of an IPv4 prefix is a number from 0 to 32",
        ),
        (
            "10/8 dev e",
            0,
            2,
            "expected a prefix like 10.0.0.0/8 or 2001:db8::/32, an address, or default",
        ),
        (
            "10.0.0.0/8",
            10,
            0,
            "the next hop is missing: write via ADDRESS, dev NAME or both (or start with blackhole)",
        ),
        (
            "10.0.0.0/8 via",
            14,
            0,
            "the line ends here; expected an address like 192.0.2.1 or 2001:db8::1",
        ),
        (
            "10.0.0.0/8 via eth0",
            15,
            4,
            "expected an address like 192.0.2.1 or 2001:db8::1",
        ),
        (
            "10.0.0.0/8 via fe80::1",
            15,
            7,
            "this gateway is IPv6; an IPv4 prefix needs one like 192.0.2.1",
        ),
        (
            "2001:db8::/32 via 192.0.2.1",
            18,
            9,
            "this gateway is IPv4; an IPv6 prefix needs one like 2001:db8::1",
        ),
        (
            "10.0.0.0/8 dev 1234567890123456",
            15,
            16,
            "a device name has 1 to 15 bytes, without / and :; \\xHH stands for a byte",
        ),
        (
            "10.0.0.0/8 dev e metric -1",
            24,
            2,
            "expected a number from 0 to 4294967295",
        ),
        (
            "10.0.0.0/8 dev e metric 4294967296",
            24,
            10,
            "expected a number from 0 to 4294967295",
        ),
        (
            "10.0.0.0/8 dev e proto me",
            23,
            2,
            "expected a protocol like static or bgp, or a number from 0 to 255",
        ),
        (
            "10.0.0.0/8 dev e dev f",
            17,
            3,
            "dev is given twice; remove one",
        ),
        (
            "10.0.0.0/8 11.0.0.0/8 dev e",
            11,
            10,
            "the prefix is given twice; remove one",
        ),
        (
            "default ::/0 dev e",
            8,
            4,
            "the prefix is given twice; remove one",
        ),
        (
            "blackhole prohibit ::/0",
            10,
            8,
            "the kind of route is given twice; remove one",
        ),
        (
            "blackhole ::/0 dev e",
            19,
            1,
            "a route of kind blackhole has no next hop: remove via and dev, or the word blackhole",
        ),
        (
            "10.0.0.0/8 vai 192.0.2.1",
            11,
            3,
            "expected via, dev, metric or proto",
        ),
        ("10.0.0.0/8 dev e x", 17, 1, "expected via, metric or proto"),
        (
            "10.0.0.0/8 v 192.0.2.1",
            11,
            1,
            "expected via, dev, metric or proto",
        ),
        (
            "add 10.0.0.0/8",
            0,
            3,
            "expected a prefix like 10.0.0.0/8, unicast, blackhole, unreachable, prohibit, via, dev, metric or proto",
        ),
    ] {
        assert_eq!(error(text), (column, len, message.to_string()), "{text:?}");
    }
}

#[test]
fn lines_that_iproute2_lists_are_taken_without_what_only_lists_have() {
    for (listed, taken, passed_over) in [
        (
            "default via 192.0.2.1 dev eth0 proto dhcp metric 100",
            "0.0.0.0/0 via 192.0.2.1 dev eth0 metric 100 proto dhcp",
            "",
        ),
        (
            "203.0.113.0/24 dev eth0 scope link metric 1000",
            "203.0.113.0/24 dev eth0 metric 1000",
            "scope",
        ),
        (
            "198.51.100.0/25 dev docker0 protocol kernel scope link linkdown",
            "198.51.100.0/25 dev docker0 proto kernel",
            "scope, linkdown",
        ),
        (
            "unreachable 2001:db8:a00::/40 dev lo metric 1024 error -113 pref medium",
            "unreachable 2001:db8:a00::/40 metric 1024",
            "pref, error, dev lo",
        ),
        (
            "2001:db8:15:6::/64 dev ppp0 proto ra metric 1024 expires 1209483sec pref medium",
            "2001:db8:15:6::/64 dev ppp0 metric 1024 proto ra",
            "pref, expires",
        ),
        (
            "2001:db8::/32 via inet6 fe80::1 dev eth0 onlink",
            "2001:db8::/32 via fe80::1 dev eth0",
            "onlink",
        ),
    ] {
        let parsed = Syntax::CONFIG.parse(listed, 0).unwrap();
        assert_eq!(parsed.route().unwrap().to_string(), taken);
        assert_eq!(parsed.passed_over().to_string(), passed_over, "{listed}");
        assert_eq!(parsed.passed_over().is_empty(), passed_over.is_empty());
    }
}

#[test]
fn what_iproute2_means_and_nl31_has_not_is_refused_with_the_way_out() {
    for (line, column, len, why) in [
        (
            "192.0.2.0/24 dev eth0 scope link src 192.0.2.12",
            33,
            3,
            "nl31 does not choose source addresses",
        ),
        (
            "broadcast 192.0.2.255 dev eth0 table local",
            0,
            9,
            "Linux keeps the broadcast routes itself",
        ),
        ("10.0.0.0/8 dev eth0 table 100", 20, 5, "nl31 has one table"),
        (
            "2001:db8::/48 nexthop via fe80::1 dev e",
            14,
            7,
            "write a line for each path",
        ),
        (
            "default via fe80::1 dev e mtu 1492",
            26,
            3,
            "nl31 has no MTU of a route",
        ),
        (
            "10.0.0.0/8 via inet6 fe80::1 dev e",
            21,
            7,
            "this gateway is IPv6",
        ),
        (
            "10.0.0.0/8 dev e scope",
            17,
            5,
            "the value of this word is missing",
        ),
        ("10.0.0.0/8 via inet", 19, 0, "the line ends here"),
        (
            "unreachable 10.0.0.0/8 dev eth0",
            27,
            4,
            "a route of kind unreachable has no next hop",
        ),
    ] {
        let (at, bytes, text) = error(line);
        assert_eq!((at, bytes), (column, len), "{line}: {text}");
        assert!(text.starts_with(why), "{line}: {text}");
    }
}

#[test]
fn columns_count_from_the_start_of_the_line() {
    let line = "route add 10.0.0.0/8 via x";
    assert_eq!(Syntax::CONFIG.parse(line, 9).unwrap_err().column, 25);
    let parsed = Syntax::CONFIG
        .parse("route add 10.0.0.0/8 dev eth0", 9)
        .unwrap();
    assert_eq!(parsed.span(Part::Device), Some((25, 4)));
    assert_eq!(parsed.span(Part::Metric), None);
}

#[test]
fn abbreviations_stand_for_one_word_only() {
    let parsed = CONSOLE.parse("bl 10.0.0.0/8 m 5 p static lo", 0).unwrap();
    assert_eq!(parsed.flags, 1);
    assert_eq!(
        parsed.route().unwrap().to_string(),
        "blackhole 10.0.0.0/8 metric 5 proto static"
    );
    for ambiguous in ["un 10.0.0.0/8", "p 10.0.0.0/8"] {
        let error = CONSOLE.parse(ambiguous, 0).unwrap_err();
        assert!(
            matches!(error.kind, ParseErrorKind::Ambiguous(_)),
            "{ambiguous}: {error:?}"
        );
    }
    assert_eq!(
        CONSOLE.parse("d eth0", 0).unwrap().span(Part::Device),
        Some((2, 4))
    );
    assert!(CONSOLE.parse("beef::/16 dev e", 0).unwrap().route().is_ok());
}

#[test]
fn a_filter_may_say_less_than_a_route() {
    let parsed = CONSOLE.parse("dev eth0 blackhole", 0).unwrap();
    assert_eq!(parsed.spec.prefix, None);
    assert!(parsed.prefix().is_err());
    assert!(!CONSOLE.parse("", 0).unwrap().spec.has_path());
}

fn any_route() -> impl Strategy<Value = Route<DeviceName>> {
    let address = |v6: bool, bits: u128| match v6 {
        true => IpAddr::V6(bits.into()),
        false => IpAddr::V4((bits as u32).into()),
    };
    let parts = (
        any::<bool>(),
        any::<u128>(),
        0..=128u8,
        0..4usize,
        proptest::option::of(any::<u128>()),
        proptest::option::of("[a-z]{1,12}[0-9.]{0,3}"),
        any::<u32>(),
        any::<u8>(),
    );
    parts.prop_map(
        move |(v6, bits, len, kind, gateway, device, metric, protocol)| {
            let len = if v6 { len } else { len.min(32) };
            let prefix = match Prefix::new(address(v6, bits), len) {
                Ok(prefix) | Err(PrefixError::HostBits(prefix)) => prefix,
                Err(error) => panic!("{error}"),
            };
            let mut path = Path {
                kind: PathKind::ALL[kind],
                gateway: gateway.map(|bits| address(v6, bits)),
                device: device.map(|name| name.parse().unwrap()),
                metric,
                protocol: Protocol(protocol),
            };
            if path.kind != PathKind::Unicast {
                (path.gateway, path.device) = (None, None);
            } else if path.gateway.is_none() && path.device.is_none() {
                path.device = Some("eth0".parse().unwrap());
            }
            Route { prefix, path }
        },
    )
}

proptest! {
    #[test]
    fn a_printed_route_is_the_same_route(route in any_route()) {
        prop_assert_eq!(route.to_string().parse(), Ok(route));
    }

    #[test]
    fn any_line_is_read_or_its_error_lies_within(line in "\\PC{0,60}") {
        if let Err(error) = CONSOLE.parse(&line, 0).and_then(|parsed| parsed.route()) {
            prop_assert!(line.is_char_boundary(error.column));
            prop_assert!(line.is_char_boundary(error.column + error.len));
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn lines_of_words_never_panic(words in proptest::collection::vec(
        prop_oneof![
            Just("via"), Just("dev"), Just("metric"), Just("proto"), Just("default"), Just("un"),
            Just("blackhole"), Just("10.0.0.0/8"), Just("::1"), Just("7"), Just("longer"), Just("é"),
        ], 0..8))
    {
        let line = format!(" {}", words.join(" "));
        let _ = CONSOLE.parse(&line, 1).and_then(|parsed| parsed.route());
    }
}
