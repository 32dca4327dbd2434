// SPDX-License-Identifier: MIT OR Apache-2.0
//! Golden bytes, wrong bytes and filters of items.

use super::*;
use crate::frame::Full;
use crate::limits::ITEMS_MAX;
use nl31_route::{PathKind, Protocol};
use proptest::prelude::*;
use std::string::{String, ToString};
use std::vec::Vec;

fn spec(text: &str) -> Spec<DeviceName> {
    nl31_route::Syntax::CONFIG.parse(text, 0).unwrap().spec
}

fn push(buffer: &mut ItemsBuffer, op: Op, text: &str) {
    buffer.push(op, &spec(text)).unwrap();
}

#[test]
fn golden_bytes() {
    let mut buffer = ItemsBuffer::default();
    push(&mut buffer, Op::Add, "10.1.0.0/24 via 192.0.2.1");
    push(&mut buffer, Op::Add, "10.1.1.0/24 via 192.0.2.1");
    push(
        &mut buffer,
        Op::Add,
        "10.2.0.0/16 dev eth0 metric 300 proto bgp",
    );
    push(&mut buffer, Op::Replace, "0.0.0.0/0 via 192.0.2.1");
    push(&mut buffer, Op::Append, "blackhole 2001:db8::/32");
    push(&mut buffer, Op::Append, "blackhole 2001:db9::/32");
    push(&mut buffer, Op::Delete, "2001:db8::1/128");
    push(
        &mut buffer,
        Op::DeletePrefix,
        "2001:db8::1/128 via 2001:db8::2",
    );
    #[rustfmt::skip]
    let expected = [
        0xe0, 0x08, 192, 0, 2, 1, 24, 10, 1, 0,
        0xb2, 1,
        0xe0, 0xe0, 4, b'e', b't', b'h', b'0', 0xac, 0x02, 186, 16, 10, 2,
        0xd1, 0xc0, 0,
        0xd3, 0xe0, 0x02, 0x41, 0x20, 0x01, 0x0d, 0xb8,
        0xb3, 0xb9,
        0xd4, 0xe0, 0x00, 0xa1, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
        0xd5, 0xe0, 0x10, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0xbf, 1,
    ];
    assert_eq!(buffer.items().bytes(), expected);
    assert_eq!(buffer.items().check(), Ok(8));
}

#[test]
fn bad_bytes_are_named() {
    let bad = |bytes: &[u8]| {
        let error = Items(bytes).check().unwrap_err();
        (
            error.offset,
            error.to_string().split(" at ").next().unwrap().to_string(),
        )
    };
    let reason = |offset: usize, text: &str| (offset, String::from(text));
    assert_eq!(bad(&[8, 10, 9, 10]), reason(4, "more bytes were expected"));
    assert_eq!(bad(&[8]), reason(1, "more bytes were expected"));
    assert_eq!(
        bad(&[7, 1]),
        reason(2, "bits are set beyond the prefix length")
    );
    assert_eq!(
        bad(&[0xb0]),
        reason(1, "no item before this one has a prefix")
    );
    assert_eq!(
        bad(&[8, 10, 0xb2]),
        reason(3, "more bytes are shared than the prefix has")
    );
    assert_eq!(
        bad(&[0xc0, 0]),
        reason(1, "the list of recent paths is shorter")
    );
    assert_eq!(bad(&[0xa2]), reason(1, "unknown tag"));
    assert_eq!(bad(&[0xd6]), reason(1, "unknown tag"));
    assert_eq!(bad(&[0xff]), reason(1, "unknown tag"));
    assert_eq!(bad(&[0xe0, 5]), reason(2, "unknown kind of path"));
    assert_eq!(bad(&[0xe0, 0x18]), reason(2, "a gateway has one family"));
    assert_eq!(
        bad(&[0xe0, 0x20, 1, b'/']),
        reason(4, "not the name of a device")
    );
    assert_eq!(
        bad(&[0xe0, 0x20, 200, b'a']),
        reason(3, "more bytes were expected")
    );
    assert_eq!(
        bad(&[0xe0, 0x40, 0xff, 0xff, 0xff, 0xff, 0xff]),
        reason(2, "not a number")
    );
    assert_eq!(
        bad(&[0; ITEMS_MAX + 1]).1,
        "more items than a frame may have"
    );
    assert_eq!(Items(&[0; ITEMS_MAX]).check(), Ok(ITEMS_MAX));
}

#[test]
fn filters() {
    for text in [
        "10.0.0.0/8",
        "blackhole 10.0.0.0/8",
        "10.0.0.0/8 dev eth0 metric 0",
    ] {
        let filter = spec(text);
        assert_eq!(ItemsBuffer::filter(&filter).items().filter(), Ok(filter));
    }
    let filter = Spec {
        metric: Some(0),
        ..Spec::default()
    };
    assert_eq!(ItemsBuffer::filter(&filter).items().filter(), Ok(filter));
    assert!(
        ItemsBuffer::filter(&Spec::default())
            .items()
            .bytes()
            .is_empty()
    );
    assert_eq!(Items(&[]).filter(), Ok(Spec::default()));
    for bad in [
        &[0, 0][..],
        &[0xd1, 0],
        &[0xd1],
        &[0, 0xff],
        &[0xff],
        &[0, 0xe0, 0],
    ] {
        assert!(Items(bad).filter().is_err(), "{bad:?}");
    }
}

#[test]
fn a_full_buffer_keeps_what_it_has() {
    let mut buffer = ItemsBuffer::default();
    let mut count = 0u32;
    let route = |count: u32| {
        spec(&std::format!(
            "2001:db8:{count:x}::1 via fe80::{count:x} dev eth{count} metric {count}"
        ))
    };
    while buffer.push(Op::Add, &route(count)).is_ok() {
        count += 1;
    }
    assert!((8..20).contains(&count));
    let items: Vec<_> = buffer
        .items()
        .iter()
        .map(|item| item.unwrap().route)
        .collect();
    assert_eq!(items, (0..count).map(route).collect::<Vec<_>>());
    assert_eq!(buffer.push(Op::Add, &Spec::default()), Err(Full));
    buffer.clear();
    for _ in 0..ITEMS_MAX {
        push(&mut buffer, Op::Add, "0.0.0.0/0 via 192.0.2.1");
    }
    assert_eq!(
        buffer.push(Op::Add, &spec("0.0.0.0/0 via 192.0.2.1")),
        Err(Full)
    );
}

pub(crate) fn any_spec() -> impl Strategy<Value = Spec<DeviceName>> {
    let prefix = (any::<bool>(), any::<u128>(), 0..=128u8).prop_map(|(four, bits, len)| {
        if four {
            let len = len % 33;
            let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
            Prefix::new(IpAddr::V4(((bits as u32) & 0x0303_ffff & mask).into()), len).unwrap()
        } else {
            let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
            Prefix::new(IpAddr::V6((bits & mask).into()), len).unwrap()
        }
    });
    let gateway = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        Just([192, 0, 2, 1].into()),
    ];
    (
        proptest::option::of(0..4usize),
        prefix,
        proptest::option::of(gateway),
        proptest::option::of("[a-z]{1,15}"),
        proptest::option::of(any::<u32>()),
        proptest::option::of(any::<u8>()),
    )
        .prop_map(|(kind, prefix, gateway, device, metric, protocol)| Spec {
            kind: kind.map(|index| PathKind::ALL[index]),
            prefix: Some(prefix),
            gateway,
            device: device.map(|name| name.parse().unwrap()),
            metric,
            protocol: protocol.map(Protocol),
        })
}

proptest! {
    #[test]
    fn any_items_survive(
        paths in proptest::collection::vec(any_spec(), 1..12),
        items in proptest::collection::vec((0..6usize, any_spec(), any::<proptest::sample::Index>()), 0..200),
    ) {
        let mut buffer = ItemsBuffer::default();
        let mut expected = Vec::new();
        for (op, route, path) in items {
            let route = Spec { prefix: route.prefix, ..path.get(&paths).clone() };
            if buffer.push(Op::ALL[op], &route).is_ok() {
                expected.push(Item { op: Op::ALL[op], route });
            }
        }
        let items: Result<Vec<_>, _> = buffer.items().iter().collect();
        prop_assert_eq!(items, Ok(expected));
    }

    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..ITEMS_BYTES)) {
        let items = Items(&bytes);
        let count = items.iter().take_while(Result::is_ok).count();
        prop_assert!(count <= ITEMS_MAX);
        prop_assert_eq!(items.iter().count(), count + usize::from(items.check().is_err()));
        let _ = items.filter();
    }
}
