// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sources with bytes that were changed, left out and repeated: no reader panics, a route that
//! is taken is one of a config, and all is counted.

use nl31_route::{DeviceName, Route};
use proptest::prelude::*;

use super::*;

fn sources() -> [Vec<u8>; 6] {
    let entries = [
        (0, super::mrt::attributes(3, "192.0.2.1")),
        (1, super::mrt::attributes(2, "192.0.2.2")),
    ];
    let dump = [
        super::mrt::peers(&[("192.0.2.1", 64496), ("2001:db8::2", 4_200_000_000)]),
        super::mrt::rib("10.0.0.0/8", &entries),
        super::mrt::rib(
            "2001:db8::/32",
            &[(1, super::mrt::attributes(1, "2001:db8::2"))],
        ),
        super::mrt::rib("11.128.0.0/9", &entries),
    ];
    [
        dump.concat(),
        b"default via 192.0.2.1 dev eth0 proto dhcp src 192.0.2.9 metric 100\n\
          2001:db8:aa::/48 metric 32 pref medium\n\
          \tnexthop via 2001:db8:2::2 dev eth1 weight 1\n"
            .to_vec(),
        br#"[{"dst":"default","gateway":"192.0.2.1","dev":"eth0","flags":[]},
            {"dst":"::/0","metric":3,"nexthops":[{"gateway":"fe80::1","dev":"a\"","weight":1}]}]"#
            .to_vec(),
        b"BIRD 2.0.12 ready.\nTable master4:\n\
          10.0.0.0/8  unicast [bgp1 10:20:30.123] * (100) [AS64512i]\n\tvia 192.0.2.1 on eth0\n\
          \x20           unicast [bgp2 10:20:30.123] (100)\n\tdev eth1\n"
            .to_vec(),
        b"frr version 8.4\nip route 10.0.0.0 255.0.0.0 192.0.2.1 eth0 20 tag 7\n\
          vrf red\n ip route 10.0.0.0/8 blackhole\nexit-vrf\n"
            .to_vec(),
        include_bytes!("list.bz2").to_vec(),
    ]
}

proptest! {
    #[test]
    fn no_damage_makes_a_reader_panic_or_give_what_is_no_route(
        index in 0_usize..6,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 0..6),
        forced in prop::option::of(0_usize..5),
    ) {
        let mut source = sources()[index].clone();
        for (place, byte, how) in damage {
            let at = place.index(source.len() + 1);
            match how {
                0 if at < source.len() => source[at] = byte,
                1 => source.truncate(at),
                2 => source.insert(at, byte),
                _ => {
                    let part = source[at..].iter().take(byte.into()).copied().collect::<Vec<_>>();
                    source.splice(at..at, part);
                }
            }
        }
        use Format::{Bird, Frr, Ip, IpJson, Mrt};
        let format = forced.map(|index| [Mrt, Ip, IpJson, Bird, Frr][index]);
        let options = Options { format, next_hops: Vec::new() };
        let (routes, told, counts) = found(&source[..], &options);
        for route in &routes {
            let read = route.parse::<Route<DeviceName>>().map(|read| read.to_string());
            prop_assert_eq!(read.as_ref(), Ok(route));
        }
        if let Ok(counts) = counts {
            prop_assert_eq!(counts.routes, routes.len() as u64);
            prop_assert_eq!(counts.skipped.min(21), told.len() as u64);
        }
    }
}
