// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many packed routes a second a line of 115200 baud takes, with all that goes with them
//! in both directions. `NL31_PREFIXES` names a file with one prefix a line, gzip'd or not, to measure instead
//! of the made table; `--nocapture` shows the figures.

use std::io::Read;
use std::net::IpAddr;

use flate2::read::MultiGzDecoder;
use nl31_route::{DeviceName, Family, Prefix, Spec};
use nl31_wire::limits::{FRAME_MAX, ITEMS_MAX};
use nl31_wire::{ItemsBuffer, Op, Packer, Request, Response, Unpacker};

/// Bytes a second at 115200 baud: ten bits a byte.
const LINE: f64 = 11_520.0;

/// Routes a second that a table takes at least.
const GOAL: f64 = 15_000.0;

/// SplitMix64: the same numbers everywhere and for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// From `low` to `high`, both included.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }
}

/// Allocations one behind the other with gaps, and runs of longer prefixes in half of them,
/// as the Internet's table has. `unit` is the length of most prefixes.
fn made(family: Family, unit: u8, start: u64, count: usize) -> Vec<Prefix> {
    let mut random = Random(31);
    let prefix = |at: u64, len: u8| {
        let bits = family.bits() - unit;
        let address = match family {
            Family::V4 => IpAddr::V4(((at as u32) << bits).into()),
            Family::V6 => IpAddr::V6((u128::from(at) << bits).into()),
        };
        Prefix::new(address, len).unwrap()
    };
    let mut table = Vec::new();
    let mut at = start;
    while table.len() < count {
        let above = [0, 0, 0, 0, 1, 2, 2, 3, 4, 6][random.between(0, 9) as usize];
        let size = 1 << above;
        at = at.next_multiple_of(size);
        table.push(prefix(at, unit - above as u8));
        let end = at + size;
        if above > 0 && random.between(0, 1) == 0 {
            while at < end {
                table.push(prefix(at, unit));
                at += [1, 1, 1, 2, 4, 7][random.between(0, 5) as usize];
            }
        }
        at = end;
        if random.between(0, 3) == 0 {
            let magnitude = random.between(1, 12);
            at += random.between(1, 1 << magnitude);
        }
    }
    table
}

fn table() -> Vec<Prefix> {
    let Ok(file) = std::env::var("NL31_PREFIXES") else {
        let mut table = made(Family::V4, 24, 0x0001_0000, 60_000);
        table.extend(made(Family::V6, 48, 0x2001_0000_0000, 12_000));
        return table;
    };
    let bytes = std::fs::read(&file).expect("NL31_PREFIXES is a file");
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let read = MultiGzDecoder::new(&*bytes).read_to_string(&mut text);
        read.expect("the file is whole");
    } else {
        text = String::from_utf8(bytes).expect("the file is text");
    }
    let mut table: Vec<Prefix> = text.lines().map(|line| line.parse().unwrap()).collect();
    table.sort();
    table.dedup();
    table
}

/// Gives the prefixes one of 30 next hops each, in runs of 1 to 200.
fn routes(table: &[Prefix]) -> Vec<Spec<DeviceName>> {
    let mut random = Random(30);
    let (mut left, mut hop) = (0, 0);
    let mut route = |&prefix: &Prefix| {
        if left == 0 {
            (left, hop) = (random.between(1, 200), random.between(1, 30));
        }
        left -= 1;
        let gateway = match prefix.family() {
            Family::V4 => format!("192.0.2.{hop}"),
            Family::V6 => format!("2001:db8::{hop}"),
        };
        Spec {
            prefix: Some(prefix),
            gateway: Some(gateway.parse().unwrap()),
            ..Spec::default()
        }
    };
    table.iter().map(&mut route).collect()
}

/// What goes with a frame of `count` routes.
type Exchange = fn(u16, u16, &[u8]) -> usize;

fn frame(request: &Request<'_>, id: u16) -> usize {
    request.encode(id, &mut [0; FRAME_MAX]).unwrap()
}

fn answer(response: &Response<'_>, id: u16) -> usize {
    response.encode(id, &mut [0; FRAME_MAX]).unwrap()
}

/// Bytes on the line in both directions of all these routes.
fn packed_bytes(routes: &[Spec<DeviceName>], exchange: Exchange) -> usize {
    let (mut packer, mut unpacker) = (Packer::new(), Unpacker::new());
    let mut total = 0;
    let mut id = 0u16;
    let mut arrived = routes.iter();
    let mut send = |packer: &mut Packer| {
        let (count, packed) = packer.finish();
        id = id.wrapping_add(1);
        total += exchange(id, count, packed);
        for item in unpacker.unpack(count, packed) {
            assert_eq!(Some(&item.unwrap().route), arrived.next());
        }
        packer.next_frame();
    };
    for route in routes {
        if packer.push(Op::Append, route).is_err() {
            send(&mut packer);
            packer.push(Op::Append, route).unwrap();
        }
    }
    send(&mut packer);
    assert_eq!(arrived.next(), None);
    total
}

fn plain_bytes(routes: &[Spec<DeviceName>]) -> usize {
    let mut buffer = ItemsBuffer::default();
    let mut total = 0;
    let mut id = 0u16;
    let mut send = |buffer: &mut ItemsBuffer| {
        id = id.wrapping_add(1);
        let items = buffer.items();
        let count = buffer.len() as u32;
        total += frame(&Request::Change { items }, id) + answer(&Response::Changed { count }, id);
        buffer.clear();
    };
    for route in routes {
        if buffer.len() == ITEMS_MAX || buffer.push(Op::Append, route).is_err() {
            send(&mut buffer);
            buffer.push(Op::Append, route).unwrap();
        }
    }
    send(&mut buffer);
    total
}

/// A frame of changes and its answer.
fn change(id: u16, count: u16, packed: &[u8]) -> usize {
    let changed = Response::Changed {
        count: count.into(),
    };
    frame(&Request::PackedChange { count, packed }, id) + answer(&changed, id)
}

/// A part of a list and its request.
fn list(id: u16, count: u16, packed: &[u8]) -> usize {
    let routes = Response::PackedRoutes {
        count,
        packed,
        last: false,
        interrupted: false,
    };
    frame(&Request::Next {}, id) + answer(&routes, id)
}

#[test]
fn packed_table_exceeds_15000_routes_a_second() {
    let table = table();
    let (four, six): (Vec<_>, Vec<_>) = table
        .iter()
        .partition(|prefix| prefix.family() == Family::V4);
    for (name, table) in [("IPv4", &four), ("IPv6", &six), ("both", &table)] {
        let routes = routes(table);
        let bytes = |way: &str, bytes: usize| {
            let each = bytes as f64 / routes.len() as f64;
            let rate = LINE / each;
            println!(
                "{name}, {} routes, {way}: {each:.3} B, {rate:.0}/s",
                routes.len()
            );
            rate
        };
        bytes("plain changes", plain_bytes(&routes));
        assert!(bytes("packed changes", packed_bytes(&routes, change)) >= GOAL);
        assert!(bytes("packed list", packed_bytes(&routes, list)) >= GOAL);
    }
}

/// Prefixes in no order, each with a path of its own, still take fewer bytes than as plain
/// items.
#[test]
fn packed_scattered_routes_take_fewer_bytes_than_plain() {
    let mut random = Random(1);
    let scattered: Vec<Prefix> = (0..5000)
        .map(|_| {
            let address = (random.next() as u32) << 8;
            Prefix::new(IpAddr::V4(address.into()), 24).unwrap()
        })
        .collect();
    let mut routes = routes(&scattered);
    for (metric, route) in routes.iter_mut().enumerate() {
        if metric % 4 == 0 {
            route.metric = Some(metric as u32);
        }
    }
    let (packed, plain) = (packed_bytes(&routes, change), plain_bytes(&routes));
    println!("scattered: {packed} B packed, {plain} B plain");
    assert!(packed < plain);
}
