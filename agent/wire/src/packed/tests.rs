// SPDX-License-Identifier: MIT OR Apache-2.0
//! Golden bytes, wrong bytes, and what both ends of any sequence of frames agree in.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use nl31_route::{DeviceName, Spec};
use proptest::prelude::*;

use super::*;
use crate::frame::Full;
use crate::items::tests::any_spec;
use crate::items::{ITEMS_BYTES, Item, Op};
use crate::limits::PACKED_MAX;

fn spec(text: &str) -> Spec<DeviceName> {
    nl31_route::Syntax::CONFIG.parse(text, 0).unwrap().spec
}

type Frames = Vec<(u16, Vec<u8>)>;

/// Frames of these items, each as full as it can be.
fn pack(items: &[(Op, Spec<DeviceName>)]) -> Frames {
    let mut packer = Packer::new();
    let mut frames = Frames::new();
    let mut end = |packer: &mut Packer| {
        let (count, bytes) = packer.finish();
        frames.push((count, bytes.to_vec()));
        packer.next_frame();
    };
    for (op, route) in items {
        if packer.push(*op, route).is_err() {
            end(&mut packer);
            packer.push(*op, route).unwrap();
        }
    }
    end(&mut packer);
    frames
}

fn unpack(frames: &Frames) -> Result<Vec<Item>, String> {
    let mut unpacker = Unpacker::new();
    let mut items = Vec::new();
    for (count, bytes) in frames {
        for item in unpacker.unpack(*count, bytes) {
            items.push(item.map_err(|error| error.to_string())?);
        }
    }
    Ok(items)
}

/// What arrives of an item: the path of a deletion of a prefix does not count.
fn arrives((op, route): &(Op, Spec<DeviceName>)) -> Item {
    let route = match op {
        Op::DeletePrefix => Spec {
            prefix: route.prefix,
            ..Spec::default()
        },
        _ => route.clone(),
    };
    Item { op: *op, route }
}

/// Items that have something in common with those before, as those of a table have, and
/// others.
fn any_items() -> impl Strategy<Value = Vec<(Op, Spec<DeviceName>)>> {
    let paths = proptest::collection::vec(any_spec(), 1..80);
    let item = (
        0..6usize,
        any_spec(),
        any::<proptest::sample::Index>(),
        0..4u8,
    );
    (
        paths,
        proptest::collection::vec(item, 0..250),
        any::<bool>(),
    )
        .prop_map(|(paths, items, sorted)| {
            let mut last = None;
            let mut items: Vec<_> = items
                .into_iter()
                .map(|(op, route, path, how)| {
                    let prefix = match how {
                        0 => last.or(route.prefix),
                        _ => route.prefix,
                    };
                    last = prefix;
                    let route = Spec {
                        prefix,
                        ..path.get(&paths).clone()
                    };
                    (Op::ALL[op], route)
                })
                .collect();
            if sorted {
                items.sort_by_key(|(_, route)| route.prefix);
            }
            items
        })
}

proptest! {
    #[test]
    fn any_items_arrive(items in any_items()) {
        let frames = pack(&items);
        prop_assert!(frames.iter().all(|(_, bytes)| bytes.len() <= ITEMS_BYTES));
        prop_assert_eq!(unpack(&frames), Ok(items.iter().map(arrives).collect()));
    }

    #[test]
    fn any_bytes_are_taken(
        frames in proptest::collection::vec(
            (0..3000u16, proptest::collection::vec(any::<u8>(), 0..ITEMS_BYTES)), 1..4))
    {
        let mut unpacker = Unpacker::new();
        for (count, bytes) in &frames {
            let mut errors = 0;
            for item in unpacker.unpack(*count, bytes) {
                match item {
                    Ok(_) => prop_assert_eq!(errors, 0),
                    Err(error) => {
                        errors += 1;
                        prop_assert!(error.offset <= bytes.len());
                    }
                }
            }
            prop_assert!(errors <= 1);
        }
    }
}

#[test]
fn a_full_frame_keeps_what_it_has() {
    let route = |number: u32| {
        spec(&format!(
            "2001:db8:{:x}::/48 via fe80::{number:x} dev eth{number} metric {number}",
            number.wrapping_mul(0x9e37) & 0xffff
        ))
    };
    let mut packer = Packer::new();
    let mut twin = Packer::new();
    let mut sent = 0;
    for _ in 0..30 {
        while packer.push(Op::Add, &route(sent)).is_ok() {
            // The twin has never seen the item that did not fit.
            twin.push(Op::Add, &route(sent)).unwrap();
            sent += 1;
        }
        assert!(packer.len() >= 8);
        assert_eq!(packer.finish(), twin.finish());
        packer.next_frame();
        twin.next_frame();
    }
    assert_eq!(packer.push(Op::Add, &Spec::default()), Err(Full));
    assert!(packer.is_empty());
}

#[test]
fn a_frame_has_a_limit_of_items() {
    let route = spec("10.0.0.0/8 via 192.0.2.1");
    let mut packer = Packer::new();
    for _ in 0..PACKED_MAX {
        packer.push(Op::Append, &route).unwrap();
    }
    assert_eq!(packer.push(Op::Append, &route), Err(Full));
    let (count, bytes) = packer.finish();
    assert_eq!(usize::from(count), PACKED_MAX);
    let bytes = bytes.to_vec();
    let first = |count| {
        let mut unpacker = Unpacker::new();
        unpacker.unpack(count, &bytes).next().unwrap()
    };
    assert!(first(count).is_ok());
    let error = first(count + 1).unwrap_err().to_string();
    assert!(
        error.starts_with("more items than a frame may have"),
        "{error}"
    );
}

#[test]
fn bytes_short_or_left_over_are_named() {
    let items = ["10.0.0.0/8 via 192.0.2.1", "10.1.0.0/16 via 192.0.2.1"];
    let frames = pack(&items.map(|text| (Op::Add, spec(text))));
    let [(count, bytes)] = &frames[..] else {
        panic!("{frames:?}")
    };
    let error = |count: u16, bytes: &[u8]| unpack(&Frames::from([(count, bytes.to_vec())]));
    let short = error(*count, &bytes[..bytes.len() - 5]).unwrap_err();
    assert!(short.starts_with("more bytes"), "{short}");
    let longer = [bytes, &[0; 5][..]].concat();
    let longer = error(*count, &longer).unwrap_err();
    assert!(
        longer.starts_with("more bytes than the items take"),
        "{longer}"
    );
    let all = error(u16::MAX >> 5, bytes).unwrap_err();
    assert!(all.contains("at byte"), "{all}");
}

#[test]
fn the_edges_of_the_addresses_can_be_packed() {
    let prefixes = [
        "0.0.0.0/0",
        "0.0.0.0/32",
        "255.255.255.255/32",
        "255.255.255.254/31",
        "128.0.0.0/1",
        "::/0",
        "::/128",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127",
        "8000::/1",
    ];
    let mut items = Vec::new();
    for one in prefixes {
        for other in prefixes {
            for prefix in [one, other] {
                items.push((Op::Add, spec(&format!("blackhole {prefix}"))));
            }
        }
    }
    assert_eq!(
        unpack(&pack(&items)),
        Ok(items.iter().map(arrives).collect())
    );
}

/// These bytes never change: what is in the field speaks them.
#[test]
fn golden_bytes() {
    let first = [
        (Op::Add, "10.1.0.0/24 via 192.0.2.1"),
        (Op::Add, "10.1.1.0/24 via 192.0.2.1"),
        (Op::Add, "10.1.2.0/23 via 192.0.2.1"),
        (Op::Add, "10.1.3.0/24 via 192.0.2.2"),
        (Op::Add, "10.1.64.0/18 via 192.0.2.1"),
        (Op::Append, "10.1.64.0/18 via 192.0.2.2 metric 300"),
        (Op::Add, "blackhole 2001:db8::/32"),
        (Op::Add, "blackhole 2001:db8:0:1::/64"),
    ];
    let second = [
        (Op::Add, "blackhole 2001:db8:0:2::/64"),
        (Op::DeletePrefix, "2001:db8:8000::/33"),
        (Op::Replace, "2001:db8:8000::/33 dev eth0 proto bgp"),
        (Op::Delete, "::/0"),
    ];
    let mut packer = Packer::new();
    let mut unpacker = Unpacker::new();
    let mut frame = |items: &[(Op, &str)]| {
        for (op, text) in items {
            packer.push(*op, &spec(text)).unwrap();
        }
        let (count, bytes) = packer.finish();
        let arrived: Vec<_> = unpacker.unpack(count, bytes).collect();
        let sent = items
            .iter()
            .map(|(op, text)| Ok(arrives(&(*op, spec(text)))));
        assert_eq!(arrived, sent.collect::<Vec<_>>());
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        packer.next_frame();
        hex.join(" ")
    };
    assert_eq!(
        frame(&first),
        "e9 c1 ea ff 7f c0 3a f7 3f ff fd fe d9 e3 42 cf 43 ae 33 71 e0 4f d1 90 63 a3 b3 8e 36 e5 80 cb f5 64 0b 4f 44 13 95 a7 a4 1e 08 05 28 bc"
    );
    assert_eq!(
        frame(&second),
        "a3 1c 08 36 c9 3c 25 01 1b ab 32 ee ad c7 14 fd 02"
    );
}

/// More paths than are remembered, used again soon and late.
#[test]
fn forgotten_paths_arrive_again() {
    let mut items = Vec::new();
    for number in 0..2000u32 {
        let hop = (number * number) % 700;
        let text = format!(
            "10.{}.{}.0/24 via 10.0.0.1 metric {hop}",
            number >> 8,
            number & 255
        );
        items.push((Op::Append, spec(&text)));
    }
    let frames = pack(&items);
    assert!(frames.len() > 3);
    assert_eq!(unpack(&frames), Ok(items.iter().map(arrives).collect()));
}

#[test]
fn both_ends_fit_a_small_memory() {
    let (packer, unpacker) = (size_of::<Packer>(), size_of::<Unpacker>());
    assert!(packer <= 18 * 1024, "{packer}");
    assert!(unpacker <= 17 * 1024, "{unpacker}");
}
