// SPDX-License-Identifier: MIT OR Apache-2.0
//! MRT dumps, written here by RFC 6396.

use std::net::IpAddr;

use nl31_route::Prefix;

use super::*;

/// A record of TABLE_DUMP_V2.
pub fn record(subtype: u16, body: &[u8]) -> Vec<u8> {
    typed(13, subtype, body)
}

fn typed(kind: u16, subtype: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = 1_700_000_000_u32.to_be_bytes().to_vec();
    bytes.extend(kind.to_be_bytes());
    bytes.extend(subtype.to_be_bytes());
    bytes.extend((body.len() as u32).to_be_bytes());
    bytes.extend(body);
    bytes
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

/// A PEER_INDEX_TABLE; peers with numbers of two or four bytes.
pub fn peers(peers: &[(&str, u32)]) -> Vec<u8> {
    let mut body = vec![192, 0, 2, 250, 0, 4];
    body.extend(b"view");
    body.extend((peers.len() as u16).to_be_bytes());
    for (address, number) in peers {
        let address: IpAddr = address.parse().unwrap();
        let long = *number > u16::MAX.into();
        body.push(u8::from(address.is_ipv6()) | u8::from(long) << 1);
        body.extend([10, 0, 0, 1]);
        body.extend(octets(address));
        match long {
            true => body.extend(number.to_be_bytes()),
            false => body.extend((*number as u16).to_be_bytes()),
        }
    }
    record(1, &body)
}

fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    let len = value.len();
    match u8::try_from(len) {
        Ok(len) => [&[0x40, kind, len], value].concat(),
        Err(_) => [&[0x50, kind, (len >> 8) as u8, len as u8], value].concat(),
    }
}

/// ORIGIN, an AS_PATH of this length and a next hop.
pub fn attributes(path_len: u8, next_hop: &str) -> Vec<u8> {
    let mut path = vec![2, path_len];
    (0..path_len).for_each(|index| path.extend(u32::from(index).to_be_bytes()));
    let next_hop = octets(next_hop.parse().unwrap());
    let next_hop = match next_hop.len() {
        4 => attribute(3, &next_hop),
        len => attribute(14, &[&[len as u8], &next_hop[..]].concat()),
    };
    [attribute(1, &[0]), attribute(2, &path), next_hop].concat()
}

/// The body of a RIB record.
fn body(prefix: &str, entries: &[(u16, Vec<u8>)], path_id: bool) -> Vec<u8> {
    let prefix: Prefix = prefix.parse().unwrap();
    let mut body = vec![0, 0, 0, 7, prefix.len()];
    body.extend(&octets(prefix.address())[..usize::from(prefix.len().div_ceil(8))]);
    body.extend((entries.len() as u16).to_be_bytes());
    for (peer, attributes) in entries {
        body.extend(peer.to_be_bytes());
        body.extend(1_700_000_000_u32.to_be_bytes());
        if path_id {
            body.extend([0, 0, 0, 9]);
        }
        body.extend((attributes.len() as u16).to_be_bytes());
        body.extend(attributes);
    }
    body
}

/// A RIB record of the prefix's family.
pub fn rib(prefix: &str, entries: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let subtype = if prefix.contains(':') { 4 } else { 2 };
    record(subtype, &body(prefix, entries, false))
}

fn two_peers() -> Vec<u8> {
    peers(&[("192.0.2.1", 64496), ("2001:db8::2", 4_200_000_000)])
}

fn options(next_hops: &[&str]) -> Options {
    let next_hops = next_hops.iter().map(|hop| hop.parse().unwrap());
    Options {
        format: None,
        next_hops: next_hops.collect(),
    }
}

#[test]
fn the_shortest_path_wins_then_the_first_entry() {
    let dump = [
        two_peers(),
        rib(
            "10.0.0.0/8",
            &[
                (0, attributes(3, "192.0.2.1")),
                (1, attributes(2, "192.0.2.2")),
            ],
        ),
        rib(
            "11.0.0.0/9",
            &[
                (1, attributes(2, "192.0.2.2")),
                (0, attributes(2, "192.0.2.1")),
            ],
        ),
        rib("0.0.0.0/0", &[(0, attributes(0, "192.0.2.1"))]),
        rib("2001:db8:8000::/33", &[(1, attributes(1, "2001:db8::2"))]),
        record(
            8,
            &body("12.0.0.0/8", &[(0, attributes(1, "192.0.2.1"))], true),
        ),
        record(
            10,
            &body("::/0", &[(0, attributes(1, "2001:db8::1"))], true),
        ),
    ];
    let (routes, told, counts) = found(&dump.concat()[..], &Options::default());
    let expected = [
        "10.0.0.0/8 via 192.0.2.2 proto bgp",
        "11.0.0.0/9 via 192.0.2.2 proto bgp",
        "0.0.0.0/0 via 192.0.2.1 proto bgp",
        "2001:db8:8000::/33 via 2001:db8::2 proto bgp",
        "12.0.0.0/8 via 192.0.2.1 proto bgp",
        "::/0 via 2001:db8::1 proto bgp",
    ];
    assert_eq!(routes, expected);
    assert_eq!(told, [""; 0]);
    assert_eq!(counts.unwrap().routes, 6);
}

#[test]
fn next_hop_chooses_peers_by_address_and_number_for_its_family() {
    let dump = [
        two_peers(),
        rib(
            "10.0.0.0/8",
            &[
                (0, attributes(3, "0.0.0.0")),
                (1, attributes(2, "192.0.2.2")),
            ],
        ),
        rib("11.0.0.0/8", &[(1, attributes(2, "192.0.2.2"))]),
        rib(
            "2001:db8::/32",
            &[(0, attributes(1, "::")), (1, attributes(1, "::"))],
        ),
    ]
    .concat();
    let of = |next_hops: &[&str]| {
        let (routes, told, counts) = found(&dump[..], &options(next_hops));
        assert_eq!(told, [""; 0]);
        (routes, counts.unwrap().left_out)
    };
    let (routes, left_out) = of(&["192.0.2.1=198.51.100.1"]);
    assert_eq!(routes, ["10.0.0.0/8 via 198.51.100.1 proto bgp"]);
    let text = "prefixes that no peer of --next-hop has a route for";
    assert_eq!(left_out, [(text, 2)]);
    // The same path lengths: the peer that is named first.
    let both = [
        "AS4200000000=fe80::2%eth1",
        "64496=198.51.100.1",
        "64496=fe80::1%eth0",
        "2001:db8::2=198.51.100.2",
    ];
    let (routes, left_out) = of(&both);
    let expected = [
        "10.0.0.0/8 via 198.51.100.2 proto bgp",
        "11.0.0.0/8 via 198.51.100.2 proto bgp",
        "2001:db8::/32 via fe80::2 dev eth1 proto bgp",
    ];
    assert_eq!(routes, expected);
    assert!(left_out.is_empty());
    let (_, _, counts) = found(&dump[..], &options(&["64999=198.51.100.1"]));
    let error = counts.unwrap_err();
    assert_eq!(error.status(), 2);
    let text = "--next-hop: the dump has no peer AS 64999; it has 192.0.2.1 (AS 64496), \
                2001:db8::2 (AS 4200000000)";
    assert_eq!(error.to_string(), text);
}

#[test]
fn sets_count_once_confederations_not_at_all_and_both_forms_of_reach_are_read() {
    let as_ = |numbers: u8| vec![0; 4 * usize::from(numbers)];
    let path = [&[3, 5], &as_(5)[..], &[1, 9], &as_(9)].concat();
    let hop = "2001:db8::1".parse().unwrap();
    let full = [
        &[0, 2, 1, 32],
        &octets(hop)[..],
        &[0xfe; 16],
        &[0, 32, 0x20],
    ]
    .concat();
    let short = [attribute(2, &path), attribute(14, &full)].concat();
    let long: Vec<u8> = [vec![2, 255], as_(255)].concat();
    let long = [attribute(2, &long), attribute(14, &full)].concat();
    let dump = [
        two_peers(),
        rib("::/0", &[(1, attributes(2, "2001:db8::2")), (0, short)]),
        rib("::/1", &[(0, long)]),
    ];
    let (routes, told, _) = found(&dump.concat()[..], &Options::default());
    assert_eq!(
        routes,
        [
            "::/0 via 2001:db8::1 proto bgp",
            "::/1 via 2001:db8::1 proto bgp"
        ]
    );
    assert_eq!(told, [""; 0]);
}

#[test]
fn what_is_not_understood_costs_its_record_or_entry_alone() {
    let good = || rib("10.0.0.0/8", &[(0, attributes(1, "192.0.2.1"))]);
    let mut short = body("11.0.0.0/8", &[(0, attributes(1, "192.0.2.1"))], false);
    short.pop();
    let mut long = body("11.0.0.0/8", &[(0, attributes(1, "192.0.2.1"))], false);
    long.push(0);
    for (bytes, reason) in [
        (
            record(2, &short),
            "byte 35: the record is shorter than what it has to hold",
        ),
        (record(2, &long), "byte 35: the record has 1 bytes too many"),
        (
            record(2, &[0, 0, 0, 1, 33]),
            "byte 35: an IPv4 prefix of the length 33",
        ),
        (
            record(2, &[]),
            "byte 35: the record is shorter than what it has to hold",
        ),
        (record(3, &short), "byte 35: multicast routes"),
        (
            record(6, &short),
            "byte 35: RIB_GENERIC: routes of another address family",
        ),
        (
            record(99, &short),
            "byte 35: a record of the unknown subtype 99",
        ),
        (
            typed(12, 1, &short),
            "byte 35: a record of type TABLE_DUMP; only TABLE_DUMP_V2 is read",
        ),
        (
            typed(16, 4, &short),
            "byte 35: a record of type BGP4MP; only TABLE_DUMP_V2 is read",
        ),
        (
            typed(999, 4, &short),
            "byte 35: a record of the unknown type 999",
        ),
        (
            rib("11.0.0.0/8", &[(7, attributes(1, "192.0.2.1"))]),
            "byte 55: 11.0.0.0/8 of peer 7, which there is not",
        ),
        (
            rib("11.0.0.0/8", &[(0, vec![0x40, 3, 9])]),
            "byte 55: 11.0.0.0/8 of peer 0: an attribute is longer than all",
        ),
        (
            rib("11.0.0.0/8", &[(0, attribute(2, &[2, 3, 0]))]),
            "byte 55: 11.0.0.0/8 of peer 0: a wrong AS_PATH",
        ),
        (
            rib("11.0.0.0/8", &[(0, attributes(1, "0.0.0.0"))]),
            "byte 35: 11.0.0.0/8: the next hop 0.0.0.0 is not the address of a host",
        ),
        (
            rib("11.0.0.0/8", &[(0, attributes(1, "2001:db8::1"))]),
            "byte 35: 11.0.0.0/8: no next hop is IPv4: use --next-hop PEER=ADDRESS",
        ),
        (
            rib("2001:db8::/32", &[(0, attributes(1, "fe80::1"))]),
            "byte 35: 2001:db8::/32: the next hop fe80::1 is link-local: use --next-hop PEER=fe80::1%DEVICE",
        ),
        (
            rib("11.0.0.0/8", &[(0, attribute(1, &[0]))]),
            "byte 35: 11.0.0.0/8: the entry has no next hop",
        ),
    ] {
        let dump = [peers(&[("192.0.2.1", 64496)]), bytes, good()].concat();
        let (routes, told, counts) = found(&dump[..], &Options::default());
        assert_eq!(told, [format!("f: {reason}")]);
        assert_eq!(routes, ["10.0.0.0/8 via 192.0.2.1 proto bgp"], "{reason}");
        assert_eq!(counts.unwrap().skipped, 1);
    }
    let (_, told, _) = found(&good()[..], &Options::default());
    assert_eq!(
        told,
        ["f: byte 0: routes without a PEER_INDEX_TABLE before them"]
    );
}

#[test]
fn a_dump_cut_anywhere_but_between_records_is_an_error() {
    let parts = [
        two_peers(),
        rib("10.0.0.0/8", &[(0, attributes(1, "192.0.2.1"))]),
    ];
    let dump = parts.concat();
    for len in 12..dump.len() {
        let (routes, _, counts) = found(&dump[..len], &Options::default());
        assert_eq!(routes, [""; 0]);
        if len == parts[0].len() {
            assert!(counts.is_ok());
            continue;
        }
        let start = if len < parts[0].len() {
            0
        } else {
            parts[0].len()
        };
        let error = counts.unwrap_err();
        let text = format!("f: byte {start}: the file ends inside this record");
        assert!(error.to_string().starts_with(&text), "{error}");
        assert_eq!(error.status(), 6);
    }
}

#[test]
fn a_record_of_four_gigabytes_is_passed_over_in_constant_memory() {
    let mut header = record(99, &[]);
    header[8..].fill(0xff);
    let record = header.chain(std::io::repeat(0).take(u32::MAX.into()));
    let last = rib("10.0.0.0/8", &[(0, attributes(1, "192.0.2.1"))]);
    let peers = two_peers();
    let source = peers.chain(record).chain(&last[..]);
    let (routes, told, _) = found(source, &Options::default());
    assert_eq!(routes, ["10.0.0.0/8 via 192.0.2.1 proto bgp"]);
    assert_eq!(told, ["f: byte 60: a record of the unknown subtype 99"]);
}
