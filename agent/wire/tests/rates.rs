// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many bytes a route takes on the line.

use nl31_route::{DeviceName, Spec, Syntax};
use nl31_wire::limits::FRAME_MAX;
use nl31_wire::{ItemsBuffer, Op, Request};

fn spec(text: &str) -> Spec<DeviceName> {
    Syntax::CONFIG.parse(text, 0).unwrap().spec
}

/// Bytes on the line of all these routes, `batch` in a frame at most.
fn bytes(routes: impl Iterator<Item = String>, batch: usize) -> usize {
    let mut out = [0; FRAME_MAX];
    let mut buffer = ItemsBuffer::default();
    let mut total = 0;
    let mut send = |buffer: &mut ItemsBuffer| {
        total += Request::Change {
            items: buffer.items(),
        }
        .encode(1, &mut out)
        .unwrap();
        buffer.clear();
    };
    for route in routes {
        let route = spec(&route);
        if buffer.len() == batch || buffer.push(Op::Add, &route).is_err() {
            send(&mut buffer);
            buffer.push(Op::Add, &route).unwrap();
        }
    }
    send(&mut buffer);
    total
}

/// Prefixes with nothing in common, in no order: the worst case.
fn scattered(number: u32) -> u32 {
    number.wrapping_mul(0x9e37_79b1)
}

#[test]
fn one_add_is_some_20_bytes() {
    let one = |text: &str| bytes(std::iter::once(text.to_string()), 1);
    assert_eq!(one("10.0.0.0/8 via 192.0.2.1"), 20);
    assert_eq!(one("10.1.2.0/24 via 192.0.2.1"), 22);
    assert_eq!(one("blackhole 10.1.2.0/24"), 18);
    assert_eq!(one("10.1.2.0/24 dev eth0 metric 10"), 24);
}

/// 115200 baud are 11520 bytes a second: 7.6 bytes a route are 1,500 routes/s.
#[test]
fn a_batch_takes_few_bytes_a_route() {
    let per_route = |count: u32, bytes: usize| bytes as f64 / f64::from(count);
    let host = |number| {
        let address = std::net::Ipv4Addr::from_bits(scattered(number));
        format!("{address}/32 via 192.0.2.1")
    };
    let batch = per_route(4800, bytes((0..4800).map(host), 48));
    assert!(batch < 5.5, "{batch}");
    // Every one by another of four gateways.
    let gateways = |number: u32| {
        let address = std::net::Ipv4Addr::from_bits(scattered(number) & 0xffff_ff00);
        format!("{address}/24 via 192.0.2.{}", 1 + number % 4)
    };
    let batch = per_route(10_000, bytes((0..10_000).map(gateways), usize::MAX));
    assert!(batch < 5.5, "{batch}");
    // In order, as a table is dumped or saved.
    let sorted = |number: u32| format!("10.{}.{}.0/24 via 192.0.2.1", number / 256, number % 256);
    let batch = per_route(10_000, bytes((0..10_000).map(sorted), usize::MAX));
    assert!(batch < 2.3, "{batch}");
    let six = |number: u32| format!("2001:db8:{:x}::/48 via fe80::1", number);
    let batch = per_route(10_000, bytes((0..10_000).map(six), usize::MAX));
    assert!(batch < 2.9, "{batch}");
}
