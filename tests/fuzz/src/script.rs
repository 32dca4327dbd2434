// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a fuzzer's bytes say: datagrams for the kernel, most of them well formed, and what
//! happens around it.

use crate::message::{HEADER_LEN, Header, flag, kind};
use crate::model::{DEVICES, SOCKETS};

/// A step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A datagram.
    Send {
        /// From this socket.
        socket: usize,
        /// What is sent.
        datagram: Vec<u8>,
        /// Which allocation from then on fails; 0 for none.
        fail: u8,
        /// Do not receive for now.
        hold: bool,
    },
    /// The socket is closed, and another one takes its place.
    Reopen(usize),
    /// The device appears; goes up or down; goes away.
    Device(usize, Device),
    /// Time for a transaction to expire.
    Idle,
    /// Readers are done with old versions.
    Grace,
    /// The sockets may, or may not, change anything.
    Admin(bool),
}

/// What becomes of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Device {
    Up,
    Down,
    Gone,
}

/// Bytes that are used up from the front.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        byte
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }

    fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.next(), self.next()])
    }
}

/// Types and the upper flags that go with them; repeated for what is to be frequent.
const REQUESTS: [(u16, u16); 32] = [
    (kind::NEWROUTE, flag::CREATE | flag::EXCL),
    (kind::NEWROUTE, flag::CREATE | flag::APPEND),
    (kind::NEWROUTE, flag::CREATE | flag::REPLACE),
    (kind::NEWROUTE, flag::REPLACE),
    (kind::NEWROUTE, flag::CREATE),
    (kind::NEWROUTE, flag::CREATE | flag::EXCL),
    (kind::NEWROUTE, flag::CREATE | flag::APPEND),
    (kind::NEWROUTE, flag::CREATE | flag::REPLACE),
    (kind::NEWROUTE, flag::CREATE | flag::APPEND),
    (kind::NEWROUTE, flag::CREATE | flag::APPEND),
    (kind::NEWROUTE, flag::CREATE | flag::EXCL | flag::APPEND),
    (kind::DELROUTE, 0),
    (kind::DELROUTE, flag::NONREC),
    (kind::DELROUTE, flag::BULK),
    (kind::DELROUTE, 0),
    (kind::DELROUTE, flag::BULK | flag::NONREC),
    (kind::GETROUTE, 0),
    (kind::GETROUTE, flag::DUMP),
    (kind::GETROUTE, flag::DUMP | flag::ATOMIC),
    (kind::GETROUTE, 0),
    (kind::GETROUTE, 0x100),
    (kind::GETROUTE, 0x200),
    (kind::NEWTABLE, flag::REPLACE),
    (kind::NEWTABLE, 0),
    (kind::GETTABLE, 0),
    (kind::GREET, 0),
    (kind::NOOP, 0),
    (kind::DONE, 0),
    (kind::DONE, 0),
    (kind::ERROR, 0),
    (0, 0),
    (UNKNOWN, 0),
];

/// A kind that there is none of.
const UNKNOWN: u16 = 25;

/// Of ports, which the model knows nothing of: clients/mangle.c sends these.
const PORTS: std::ops::RangeInclusive<u16> = 22..=24;

/// Replaces what is of a kind in [`PORTS`], message by message as the kernel sees them.
fn without_ports(mut datagram: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while let Some(header) = datagram.get_mut(at..at + HEADER_LEN) {
        let len = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        if PORTS.contains(&kind) {
            header[4..6].copy_from_slice(&UNKNOWN.to_ne_bytes());
        }
        if len < HEADER_LEN {
            break;
        }
        at = at.saturating_add(len.next_multiple_of(4));
    }
    datagram
}

/// Reads a script; every sequence of bytes is one.
pub fn read(bytes: &[u8]) -> Vec<Step> {
    let mut bytes = Bytes(bytes);
    let mut steps = Vec::new();
    let mut datagram = Vec::new();
    let mut seq = 0;
    while !bytes.0.is_empty() {
        let what = bytes.next();
        match what {
            0..=0x9f => {
                seq += 1;
                message(&mut bytes, what, seq, &mut datagram);
            }
            0xa0..=0xcf => {
                let how = bytes.next();
                steps.push(Step::Send {
                    socket: usize::from(what) % SOCKETS,
                    datagram: without_ports(std::mem::take(&mut datagram)),
                    fail: if how & 0x80 != 0 { how & 0x1f } else { 0 },
                    hold: how & 0x40 != 0,
                });
            }
            0xd0..=0xd7 => {
                let len = datagram
                    .len()
                    .saturating_sub(usize::from(bytes.next() % 32));
                datagram.truncate(len);
            }
            0xd8..=0xdb => {
                // one byte of what there is becomes another one
                let at = usize::from(bytes.word());
                let value = bytes.next();
                if !datagram.is_empty() {
                    let at = at % datagram.len();
                    datagram[at] = value;
                }
            }
            0xdc..=0xdf => {
                let len = usize::from(bytes.next());
                datagram.extend(bytes.take(len));
            }
            0xe0..=0xe3 => steps.push(Step::Reopen(usize::from(what) % SOCKETS)),
            0xe4..=0xf3 => {
                let index = usize::from(what - 0xe4) % DEVICES + 1;
                let change = [Device::Up, Device::Down, Device::Gone];
                let change = change[usize::from(bytes.next()) % change.len()];
                steps.push(Step::Device(index, change));
            }
            0xf4..=0xf7 => steps.push(Step::Idle),
            0xf8..=0xfb => steps.push(Step::Grace),
            0xfc..=0xff => steps.push(Step::Admin(what & 1 != 0)),
        }
    }
    steps.push(Step::Send {
        socket: 0,
        datagram: without_ports(datagram),
        fail: 0,
        hold: false,
    });
    steps
}

fn message(bytes: &mut Bytes<'_>, what: u8, seq: u32, datagram: &mut Vec<u8>) {
    let (mut kind, mut flags) = REQUESTS[usize::from(what) % REQUESTS.len()];
    let how = bytes.next();
    if kind == 0 {
        kind = bytes.word();
        flags = bytes.word();
    }
    // the lower flags: a request is one unless bit 3 says otherwise
    flags ^= flag::REQUEST & !(u16::from(how) >> 3);
    for (bit, flag) in [(0, flag::ACK), (1, flag::MULTI), (2, flag::ECHO)] {
        if how & (1 << bit) != 0 {
            flags |= flag;
        }
    }
    let mut payload = Vec::new();
    for _ in 0..how >> 4 & 7 {
        match kind {
            kind::NEWROUTE | kind::DELROUTE | kind::GETROUTE => {
                route_attribute(bytes, &mut payload)
            }
            kind::NEWTABLE => {
                let limit = u32::from(bytes.next());
                attribute(&mut payload, 10, &limit.to_ne_bytes());
            }
            kind::GREET => {
                let len = usize::from(bytes.next());
                let text = bytes.take(len);
                attribute(&mut payload, 1, &text);
            }
            kind::DONE => payload.extend(bytes.take(4)),
            _ => raw_attribute(bytes, &mut payload),
        }
    }
    if how & 0x80 != 0 {
        raw_attribute(bytes, &mut payload);
    }
    datagram.resize(datagram.len().next_multiple_of(4), 0);
    let header = Header {
        len: (HEADER_LEN + payload.len()) as u32,
        kind,
        flags,
        seq,
        port: 0,
    };
    datagram.extend(header.write());
    datagram.extend(payload);
}

fn attribute(payload: &mut Vec<u8>, kind: u16, value: &[u8]) {
    payload.extend((4 + value.len() as u16).to_ne_bytes());
    payload.extend(kind.to_ne_bytes());
    payload.extend(value);
    payload.resize(payload.len().next_multiple_of(4), 0);
}

fn raw_attribute(bytes: &mut Bytes<'_>, payload: &mut Vec<u8>) {
    // mostly one that there is, of a length that it may have
    let what = bytes.next();
    let kind = if what < 0xc0 {
        u16::from(what & 15)
    } else {
        bytes.word()
    };
    let lens = [0, 1, 2, 4, 5, 8, 16, 20];
    let len = lens[usize::from(bytes.next()) % lens.len()];
    let value = bytes.take(len);
    attribute(payload, kind, &value);
}

/// An attribute of a route. Few different values, so that they meet.
fn route_attribute(bytes: &mut Bytes<'_>, payload: &mut Vec<u8>) {
    let what = bytes.next();
    match what & 7 {
        // a prefix, and its length
        0..=2 => {
            let v6 = what & 8 != 0;
            let bits = if v6 { 128 } else { 32 };
            let len = bytes.next() % (bits + 1);
            let mut address = [0; 16];
            // what is not said is one of four beginnings
            let begin: [u8; 4] = match what >> 4 & 3 {
                0 => [10, 0, 0, 0],
                1 => [0x20, 1, 0xd, 0xb8],
                2 => [0xff; 4],
                _ => [0; 4],
            };
            address[..4].copy_from_slice(&begin);
            let own = usize::from(what >> 6) * 2;
            let at = usize::from(len / 8).saturating_sub(own / 2).min(16 - own);
            let value = bytes.take(own);
            address[at..at + value.len()].copy_from_slice(&value);
            for nr in len..128 {
                address[usize::from(nr / 8)] &= !(0x80 >> (nr % 8));
            }
            attribute(payload, 1, if v6 { &address } else { &address[..4] });
            if what & 7 != 2 {
                attribute(payload, 2, &[len]);
            }
        }
        3 => {
            let gateway = what >> 3;
            if gateway & 16 == 0 {
                attribute(payload, 4, &[192, 0, 2, gateway]);
            } else {
                let mut address = [0; 16];
                address[0] = 0xfe;
                address[15] = gateway;
                attribute(payload, 4, &address);
            }
        }
        4 if what & 0x80 != 0 => {
            // the names of devices, there or not
            let names = [
                &b"a\0"[..],
                b"b\0",
                b"c\0",
                b"d\0",
                b"lo\0",
                b"e\0",
                b"",
                b".\0",
            ];
            attribute(payload, 10, names[usize::from(what >> 3) % names.len()]);
        }
        4 => attribute(payload, 5, &u32::from(what >> 3).to_ne_bytes()),
        5 => attribute(payload, 6, &u32::from(what >> 3).to_ne_bytes()),
        6 if what & 8 == 0 => attribute(payload, 3, &[what >> 4]),
        6 => attribute(payload, 7, &[what >> 4]),
        _ => raw_attribute(bytes, payload),
    }
}
