// SPDX-License-Identifier: MIT OR Apache-2.0
//! What each format gives, and what is told of the rest.

mod compressed;
mod damaged;
mod mrt;

use super::*;

/// Routes, what was told, and the counts.
type Found = (Vec<String>, Vec<String>, Result<Counts, Error>);

fn found(source: impl Read, options: &Options) -> Found {
    let (mut routes, mut told) = (Vec::new(), Vec::new());
    let take = &mut |route: &nl31_route::Route<nl31_route::DeviceName>| {
        routes.push(route.to_string());
        Ok(())
    };
    let tell = &mut |text: &str| told.push(text.to_owned());
    let counts = import(Path::new("f"), source, options, take, tell);
    (routes, told, counts)
}

fn text(text: &str) -> Found {
    found(text.as_bytes(), &Options::default())
}

#[track_caller]
fn check(source: &str, routes: &[&str], told: &[&str]) -> Counts {
    let (are_routes, are_told, counts) = text(source);
    assert_eq!(are_routes, routes);
    assert_eq!(are_told, told);
    let counts = counts.unwrap();
    assert_eq!(counts.routes, routes.len() as u64);
    assert_eq!(counts.skipped, told.len() as u64);
    counts
}

#[test]
fn ip_route_of_a_desktop_gives_all_but_local_routes() {
    let counts = check(
        "default via 192.0.2.1 dev eth0 proto dhcp metric 100\n\
         203.0.113.0/24 dev eth0 scope link metric 1000\n\
         198.51.100.0/25 dev docker0 proto kernel scope link src 198.51.100.1 linkdown\n\
         192.0.2.0/24 dev eth0 table main proto kernel scope link src 192.0.2.12 metric 100\n\
         broadcast 192.0.2.255 dev eth0 table local proto kernel scope link src 192.0.2.12\n\
         unicast 10.0.0.0/8 via 192.0.2.9 dev src proto 200 onlink\n\
         10.9.0.0/16 via inet6 fe80::1 dev eth0\n",
        &[
            "0.0.0.0/0 via 192.0.2.1 dev eth0 metric 100 proto dhcp",
            "203.0.113.0/24 dev eth0 metric 1000",
            "198.51.100.0/25 dev docker0 proto kernel",
            "192.0.2.0/24 dev eth0 metric 100 proto kernel",
            "10.0.0.0/8 via 192.0.2.9 dev src proto 200",
        ],
        &[
            "f:5:1: broadcast: Linux keeps the broadcast routes itself; leave this line out",
            "f:7:1: fe80::1: this gateway is IPv6; an IPv4 prefix needs one like 192.0.2.1",
        ],
    );
    assert_eq!(counts.ignored, ["src"]);
    assert!(counts.passed_over.to_string().contains("scope"));
}

#[test]
fn ip_6_route_tells_the_family_of_default_and_next_hops_have_their_lines() {
    check(
        "unreachable ::ffff:0.0.0.0/96 dev lo metric 1024 error -113 pref medium\n\
         2001:db8:15:6::/64 dev ppp0 proto ra metric 1024 expires 1209483sec pref medium\n\
         default dev wg0 metric 1024 pref medium\n\
         2001:db8:aa::/48 proto bird metric 32 pref medium\n\
         \tnexthop via 2001:db8:2::2 dev eth1 weight 1 \n\
         \tnexthop via 2001:db8:6::2 dev eth3 weight 1 \n\
         2001:db8:bb::/48 metric 9 pref medium \\\tnexthop via fe80::1 dev eth1 weight 1 \\\tnexthop via fe80::2 dev eth2 weight 1\n\
         default via fe80::1 dev ppp0 proto ra metric 1024 mtu 1492 pref medium\n",
        &[
            "unreachable ::ffff:0.0.0.0/96 metric 1024",
            "2001:db8:15:6::/64 dev ppp0 metric 1024 proto ra",
            "::/0 dev wg0 metric 1024",
            "2001:db8:aa::/48 via 2001:db8:2::2 dev eth1 metric 32 proto bird",
            "2001:db8:aa::/48 via 2001:db8:6::2 dev eth3 metric 32 proto bird",
            "2001:db8:bb::/48 via fe80::1 dev eth1 metric 9",
            "2001:db8:bb::/48 via fe80::2 dev eth2 metric 9",
        ],
        &["f:8:1: mtu: nl31 has no MTU of a route; set it on the link, and remove mtu"],
    );
}

#[test]
fn routes_that_the_kernel_would_refuse_are_told() {
    let (routes, told, _) = text(
        "\tnexthop via 192.0.2.1\n10.0.0.0/8 via 192.0.2.1\n10.0.0.0/8 via 192.0.2.1\n\
         11.0.0.0/8 via 224.0.0.1\n12.0.0.0/8\nhello \u{1b}[2J\n13.0.0.0/8 dev e \u{1b}[2J\n",
    );
    assert_eq!(routes, ["10.0.0.0/8 via 192.0.2.1"]);
    let expected = [
        "f:1:1: a next hop without a prefix",
        "f:3:1: the same route is there twice",
        "f:4:1: the gateway 224.0.0.1 is not the address of a host",
        "f:5:1: the next hop is missing: ",
        "f:6:1: hello: expected a prefix like 10.0.0.0/8",
        "f:7:1: \\u{1b}[2J: expected ",
    ];
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn ip_json_gives_the_same_as_its_text() {
    let counts = check(
        r#"[{"dst":"default","gateway":"192.0.2.1","dev":"eth0","protocol":"dhcp","metric":100,"flags":[]},
{},{"dst":"2001:db8::/32","gateway":"fe80::1","dev":"e\"0","metric":1024,"flags":["linkdown"],"pref":"medium"},
{"dst":"default","dev":"wg0","metric":1024,"flags":[],"pref":"medium"},
{"type":"unreachable","dst":"10.0.0.0/8","dev":"lo","error":-113,"flags":[]},
{"dst":"10.1.0.0/16","protocol":"bird","flags":[],"nexthops":[{"gateway":"192.0.2.2","dev":"eth1","weight":1,"flags":[]},{"via":{"family":"inet6","host":"fe80::9"},"dev":"eth2","weight":1,"flags":[]}]},
{"dst":"10.2.0.0/16","dev":"eth0","scope":"link","metrics":[{"mtu":1400}]},
{"dst":"10.3.0.0/16 via 192.0.2.1"},{"dst":7.5},{"dst":"10.4.0.0/16","new":1},[1],{"dst":"10.5.0.0/16","dev":"eth0","table":"vrf"}]
[ ]
"#,
        &[
            "0.0.0.0/0 via 192.0.2.1 dev eth0 metric 100 proto dhcp",
            "2001:db8::/32 via fe80::1 dev e\"0 metric 1024",
            "::/0 dev wg0 metric 1024",
            "unreachable 10.0.0.0/8",
            "10.1.0.0/16 via 192.0.2.2 dev eth1 proto bird",
        ],
        &[
            "f: byte 359: fe80::9: this gateway is IPv6; an IPv4 prefix needs one like 192.0.2.1",
            "f: byte 562: mtu: nl31 has no MTU of a route; set it on the link, and remove mtu",
            "f: byte 638: the value \"10.3.0.0/16 via 192.0.2.1\" is not one word",
            "f: byte 674: 7.5: expected a prefix like 10.0.0.0/8 or 2001:db8::/32, an address, or default",
            "f: byte 686: the unknown key \"new\"",
            "f: byte 716: not an object",
            "f: byte 720: table: nl31 has one table; leave out routes of others, and the words table NAME",
        ],
    );
    assert_eq!(counts.ignored, ["flags", "error", "weight", "scope"]);
}

#[test]
fn a_json_list_that_ends_early_or_is_none_is_an_error() {
    for (source, error) in [
        (
            "[{\"dst\":\"default\",\"dev\":\"e\"},",
            "f: byte 29: the file ends inside the list",
        ),
        (
            "[{\"dst\":\"}]",
            "f: byte 11: the file ends inside the list",
        ),
        ("[{}] x", "f: byte 5: expected a list of objects"),
        ("[{},2]", "f: byte 4: expected a list of objects"),
    ] {
        let (_, _, counts) = text(source);
        assert_eq!(counts.unwrap_err().to_string(), error, "{source}");
    }
    let long = format!(
        "[{{\"a\":\"{}\"}},{{\"dst\":\"::/0\",\"dev\":\"e\"}}]",
        "x".repeat(70_000)
    );
    let (routes, told, _) = text(&long);
    assert_eq!(routes, ["::/0 dev e"]);
    assert_eq!(told, ["f: byte 1: the object is longer than 65536 bytes"]);
}

#[test]
fn bird_2_and_1_give_the_routes_that_they_use() {
    let counts = check(
        "BIRD 2.0.12 ready.\nTable master4:\n\
         0.0.0.0/0            unicast [static1 2023-01-01] * (200)\n\tvia 192.0.2.1 on eth0\n\
         10.0.0.0/8           unicast [bgp1 10:20:30.123 from 192.0.2.1] * (100) [AS64512i]\n\
         \tvia 192.0.2.1 on eth0\n\tType: BGP univ\n\tBGP.as_path: 64512\n\
         \u{20}                    unicast [bgp2 10:20:30.123] (100) [AS64513i]\n\tvia 192.0.2.2 on eth1\n\
         192.168.0.0/16       blackhole [static1 2023-01-01] * (200)\n\
         198.51.100.0/24      unicast [ospf1 2023-01-01] * I (150/20) [192.0.2.9]\n\
         \tvia 192.0.2.1 on eth0 weight 1\n\tvia 192.0.2.2 on eth1 weight 2\n\
         192.0.2.0/24         unicast [direct1 10:00:00.000] * (240)\n\tdev eth0\n\
         203.0.113.0/24       unicast [l3vpn1 10:00:00.000] * (100)\n\tvia 192.0.2.1 on eth0 mpls 100\n\n\
         Table master6:\n2001:db8::/32        unreachable [static2 2023-01-01] * (200)\n\
         11.0.0.0/8 via 192.0.2.7 on eth0 [bgp1 2017-01-01] * (100) [AS64512i]\n\
         11.1.0.0/16 multipath [static1 2017-01-01] * (200)\n\tvia 192.0.2.8 on eth0 weight 1\n\
         11.2.0.0/16 dev eth1 [direct1 2017-01-01] * (240)\n\
         64496:1 10.0.0.0/8   unicast [x 2017-01-01] * (240)\n\
         11.3.0.0/16          unicast [x 2017-01-01] * (240)\n",
        &[
            "0.0.0.0/0 via 192.0.2.1 dev eth0 proto bird",
            "10.0.0.0/8 via 192.0.2.1 dev eth0 proto bird",
            "blackhole 192.168.0.0/16 proto bird",
            "198.51.100.0/24 via 192.0.2.1 dev eth0 proto bird",
            "198.51.100.0/24 via 192.0.2.2 dev eth1 proto bird",
            "192.0.2.0/24 dev eth0 proto bird",
            "unreachable 2001:db8::/32 proto bird",
            "11.0.0.0/8 via 192.0.2.7 dev eth0 proto bird",
            "11.1.0.0/16 via 192.0.2.8 dev eth0 proto bird",
            "11.2.0.0/16 dev eth1 proto bird",
        ],
        &[
            "f:18:2: mpls: nl31 has it not",
            "f:26:1: 64496:1 is not a prefix",
            "f:27:1: the next hop is missing",
        ],
    );
    assert_eq!(
        counts.left_out,
        [("routes that BIRD does not use, without *", 1)]
    );
    assert_eq!(counts.ignored, ["weight"]);
}

#[test]
fn frr_statements_give_their_routes() {
    let counts = check(
        "frr version 8.4.4\nhostname r1\n!\n\
         ip route 10.1.2.3/8 192.0.2.1\n\
         ip route 172.16.0.0 255.240.0.0 192.0.2.2 eth0 20 tag 7\n\
         ip route 10.9.0.0/16 eth1 200\n\
         ip route 192.168.0.0/16 Null0\n\
         ip route 192.168.1.0/24 reject 254\n\
         ipv6 route 2001:db8::/32 fe80::1 eth0 onlink\n\
         ipv6 route ::/0 2001:db8::1 1\n\
         ip route 10.0.0.0 255.0.255.0 192.0.2.1\n\
         ip route 10.0.0.0/8 192.0.2.1 vrf red\n\
         ip route 10.0.0.0/8 fe80::1\n\
         ip route 10.0.0.0/8 192.0.2.1 256\n\
         ip route ::/0 192.0.2.1\n\
         ip route 10.0.0.0/8\n\
         vrf red\n ip route 10.0.0.0/8 192.0.2.1\nexit-vrf\n\
         router bgp 64496\n neighbor 192.0.2.9 remote-as 64497\n",
        &[
            "10.0.0.0/8 via 192.0.2.1 proto static",
            "172.16.0.0/12 via 192.0.2.2 dev eth0 metric 20 proto static",
            "10.9.0.0/16 dev eth1 metric 200 proto static",
            "blackhole 192.168.0.0/16 proto static",
            "unreachable 192.168.1.0/24 metric 254 proto static",
            "2001:db8::/32 via fe80::1 dev eth0 proto static",
            "::/0 via 2001:db8::1 proto static",
        ],
        &[
            "f:11:1: 255.0.255.0 is not a mask",
            "f:12:1: vrf: nl31 has it not",
            "f:13:1: fe80::1: an IPv4 prefix needs a gateway of IPv4",
            "f:14:1: a distance is a number from 1 to 255",
            "f:15:1: not an IPv4 prefix",
            "f:16:1: the next hop is missing",
            "f:18:2: a route of a VRF; nl31 has one table",
        ],
    );
    assert_eq!(
        counts.left_out,
        [("lines of the config that are no routes", 6)]
    );
}

#[test]
fn what_is_told_is_bounded_and_the_rest_counted() {
    let (_, told, counts) = text(&format!("::/0 dev e\n{}", "hello\n".repeat(1000)));
    assert_eq!(told.len(), 21);
    assert_eq!(told[20], "f: not understood in 980 further places");
    assert_eq!(counts.unwrap().skipped, 1000);
}

#[test]
fn endless_and_binary_lines_are_skipped_in_bounded_memory() {
    let endless = std::io::repeat(b'x').take(3 << 20);
    let source = "::/0 dev e\n"
        .as_bytes()
        .chain(endless)
        .chain(&b"\n\xff\n::/1 dev e"[..]);
    let (routes, told, _) = found(source, &Options::default());
    assert_eq!(routes, ["::/0 dev e", "::/1 dev e"]);
    let expected = [
        "f:2:1: the line is longer than 65536 bytes",
        "f:3:1: the line is not UTF-8 text",
    ];
    assert_eq!(told, expected);
}

#[test]
fn an_unknown_format_and_a_next_hop_without_mrt_are_refused() {
    let (_, _, counts) = text("hello\n");
    let error = counts.unwrap_err();
    assert_eq!(
        error.to_string(),
        "f: byte 0: the format is not recognised; --format names it"
    );
    let options = Options {
        format: None,
        next_hops: vec!["64496=192.0.2.1".parse().unwrap()],
    };
    let (_, _, counts) = found(&b"::/0 dev e\n"[..], &options);
    assert_eq!(counts.unwrap_err().status(), 2);
}
