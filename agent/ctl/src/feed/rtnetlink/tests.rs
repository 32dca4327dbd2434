// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let len = (4 + payload.len()) as u16;
    let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn message(kind: u16, flags: u16, parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    let len = (HEADER + payload.len()) as u32;
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(payload);
    bytes
}

/// IPv4, /24, of zebra's bgp, in the main table.
const HEAD: [u8; 12] = [2, 24, 0, 0, 254, 186, 0, 1, 0, 0, 0, 0];

fn one(bytes: &[u8]) -> Result<Message, BadMessage> {
    let mut all = messages(bytes);
    let first = all.next().unwrap();
    assert!(all.next().is_none());
    first
}

fn route_with(parts: &[&[u8]]) -> Result<RouteMessage, BadMessage> {
    let mut all: Vec<&[u8]> = vec![&HEAD];
    let destination = attribute(libc::RTA_DST, &[192, 0, 2, 0]);
    all.push(&destination);
    all.extend(parts);
    match one(&message(libc::RTM_NEWROUTE, 0, &all))? {
        Message::NewRoute(route, false) => Ok(route),
        other => panic!("{other:?}"),
    }
}

#[test]
fn route_has_prefix_metric_and_hop() {
    let gateway = attribute(libc::RTA_GATEWAY, &[10, 0, 0, 1]);
    let device = attribute(libc::RTA_OIF, &7u32.to_ne_bytes());
    let metric = attribute(libc::RTA_PRIORITY, &20u32.to_ne_bytes());
    let unknown = attribute(999, &[1, 2, 3]);
    let route = route_with(&[&unknown, &gateway, &device, &metric]).unwrap();
    let hop = Hop {
        gateway: "10.0.0.1".parse().ok(),
        device: Some(7),
        encapsulates: false,
    };
    let expected = RouteMessage {
        prefix: "192.0.2.0/24".parse().unwrap(),
        table: 254,
        protocol: 186,
        kind: 1,
        metric: Some(20),
        via: Via::Hops(vec![hop]),
    };
    assert_eq!(route, expected);
    let id = attribute(RTA_NH_ID, &9u32.to_ne_bytes());
    assert_eq!(route_with(&[&id]).unwrap().via, Via::Object(9));
    // Linux says the hops of the object, too.
    let route = route_with(&[&id, &gateway, &device]).unwrap();
    assert_eq!(route.via, Via::Hops(vec![hop]));
}

#[test]
fn multipath_has_several_hops() {
    let part = |index: u32, last: u8| {
        let gateway = attribute(libc::RTA_GATEWAY, &[10, 0, 0, last]);
        let len = (MULTIPATH_HEADER + gateway.len()) as u16;
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend([0, 3]);
        bytes.extend(index.to_ne_bytes());
        bytes.extend(gateway);
        bytes
    };
    let several = attribute(libc::RTA_MULTIPATH, &[part(2, 1), part(0, 2)].concat());
    let Via::Hops(hops) = route_with(&[&several]).unwrap().via else {
        panic!()
    };
    let devices: Vec<_> = hops.iter().map(|hop| hop.device).collect();
    assert_eq!(devices, [Some(2), None]);
    let short = attribute(libc::RTA_MULTIPATH, &[4, 0, 0, 0, 1, 0, 0, 0]);
    assert!(route_with(&[&short]).is_err());
}

#[test]
fn next_hops_are_hops_groups_and_blackholes() {
    let id = attribute(NHA_ID, &9u32.to_ne_bytes());
    let head = [2, 0, 186, 0, 0, 0, 0, 0];
    let new = |parts: &[&[u8]]| {
        let mut all: Vec<&[u8]> = vec![&head, &id];
        all.extend(parts);
        one(&message(RTM_NEWNEXTHOP, 0, &all))
    };
    let mut members = Vec::new();
    for member in [3u32, 4] {
        members.extend(member.to_ne_bytes());
        members.extend([5, 0, 0, 0]);
    }
    let group = attribute(NHA_GROUP, &members);
    let expected = Message::NewNextHop(9, NextHop::Group(vec![3, 4]));
    assert_eq!(new(&[&group]), Ok(expected));
    assert!(new(&[&attribute(NHA_GROUP, &members[1..])]).is_err());
    let blackhole = attribute(NHA_BLACKHOLE, &[]);
    let expected = Message::NewNextHop(9, NextHop::Blackhole);
    assert_eq!(new(&[&blackhole]), Ok(expected));
    let delete = message(RTM_DELNEXTHOP, 0, &[&head, &id]);
    assert_eq!(one(&delete), Ok(Message::DeleteNextHop(9)));
    assert!(one(&message(RTM_DELNEXTHOP, 0, &[&head])).is_err());
}

#[test]
fn wrong_lengths_end_the_messages() {
    let good = message(
        libc::RTM_DELROUTE,
        0,
        &[&HEAD, &attribute(1, &[192, 0, 2, 0])],
    );
    for len in [0u32, 15, good.len() as u32 + 4, u32::MAX] {
        let mut bad = good.clone();
        bad[..4].copy_from_slice(&len.to_ne_bytes());
        let all: Vec<_> = messages(&[good.clone(), bad].concat()).collect();
        assert_eq!(all.len(), 2, "{len}");
        assert!(all[0].is_ok());
        assert_eq!(all[1], Err(BadMessage::Length));
    }
}

#[test]
fn what_a_board_cannot_have_is_named() {
    let with = |at: usize, value: u8| {
        let mut head = HEAD;
        head[at] = value;
        let destination = attribute(libc::RTA_DST, &[192, 0, 2, 0]);
        one(&message(libc::RTM_NEWROUTE, 0, &[&head, &destination])).unwrap_err()
    };
    assert!(with(0, 28).to_string().contains("neither IPv4 nor IPv6"));
    assert!(with(1, 33).to_string().contains("wrong length"));
    assert!(with(2, 8).to_string().contains("source"));
    assert!(with(3, 4).to_string().contains("TOS"));
}

/// Any bytes are read without a panic, and to their end.
#[test]
fn mutated_messages_are_read_to_their_end() {
    let gateway = attribute(libc::RTA_GATEWAY, &[10, 0, 0, 1]);
    let id = attribute(NHA_ID, &9u32.to_ne_bytes());
    let whole = [
        message(
            libc::RTM_NEWROUTE,
            0,
            &[&HEAD, &attribute(1, &[192, 0, 2, 0]), &gateway],
        ),
        message(RTM_NEWNEXTHOP, 0, &[&[2, 0, 186, 0, 0, 0, 0, 0], &id]),
        message(libc::RTM_DELROUTE, 0, &[&HEAD]),
    ]
    .concat();
    let mut state = 1u64;
    let mut random = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize
    };
    for _ in 0..200_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random() % 4 {
            let at = random() % bytes.len();
            bytes[at] = match random() % 3 {
                0 => random() as u8,
                1 => 0xff,
                _ => bytes[at].wrapping_add(1),
            };
        }
        bytes.truncate(random() % (bytes.len() + 1));
        assert!(messages(&bytes).count() <= bytes.len() / HEADER + 1);
    }
}
