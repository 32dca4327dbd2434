// SPDX-License-Identifier: MIT OR Apache-2.0
//! A bad line: nothing is accepted that was not sent, and what was not hit arrives.

use nl31_wire::limits::FRAME_MAX;
use nl31_wire::{Deframer, Heard, ItemsBuffer, Line, Op, Request};

const FRAMES: u32 = 200_000;

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

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Request number `number` as it is sent; the number is in it, not only in its id.
fn frame(number: u32, random: &mut Random) -> Vec<u8> {
    let mut out = [0; FRAME_MAX];
    let text;
    let mut changes = ItemsBuffer::default();
    let request = match random.below(4) {
        0 => Request::Hello { session: number },
        1 => {
            text = format!("route flush all # {number}");
            Request::Line { text: &text }
        }
        _ => {
            let metric = format!("blackhole 10.0.0.0/8 metric {number}");
            let first = nl31_route::Syntax::CONFIG.parse(&metric, 0).unwrap().spec;
            changes.push(Op::Add, &first).unwrap();
            for _ in 0..random.below(100) {
                let address = (random.next() as u32) & 0xffff_ff00;
                let prefix = nl31_route::Prefix::new(std::net::IpAddr::V4(address.into()), 24);
                let route = nl31_route::Spec {
                    prefix: prefix.ok(),
                    ..first.clone()
                };
                changes.push(Op::Add, &route).unwrap();
            }
            Request::Change {
                items: changes.items(),
            }
        }
    };
    let len = request.encode(number as u16, &mut out).unwrap();
    out[..len].to_vec()
}

/// Does to a frame what a line may do.
fn damage(frame: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(frame.len());
        match random.below(5) {
            0 => drop(frame.remove(at)),
            1 => frame[at] ^= 1 << random.below(8),
            2 => frame.insert(at, random.next() as u8),
            // A break.
            3 => frame.insert(at, 0),
            _ => {
                let text = b"[   12.345678] usb 1-1: new high-speed USB device\r\n";
                frame.splice(at..at, text.iter().copied());
            }
        }
        if frame.is_empty() {
            return;
        }
    }
}

#[test]
fn what_was_not_sent_is_never_accepted() {
    let mut random = Random(31);
    let mut deframer = Deframer::new();
    // 0.1 % to 30 % of the frames, in turn.
    let rates = [1, 10, 50, 100, 300];
    let (mut hit, mut accepted, mut rejected) = (0, 0, 0);
    // The frame before, if it has not arrived: it may lack no more than its end.
    let mut before = Vec::new();
    for number in 0..FRAMES {
        let sent = frame(number, &mut random);
        let mut line = sent.clone();
        let rate = rates[number as usize * rates.len() / FRAMES as usize];
        let damaged = random.below(1000) < rate;
        if damaged {
            hit += 1;
            damage(&mut line, &mut random);
        }
        let mut arrived = false;
        for byte in line {
            match deframer.byte(byte) {
                None => {}
                Some(Err(_)) => rejected += 1,
                Some(Ok(frame)) => {
                    // Damage may leave a frame whole, but never make another one.
                    let request = Request::decode(&frame).expect("only requests were sent");
                    let mut again = [0; FRAME_MAX];
                    let len = request.encode(frame.id, &mut again).unwrap();
                    accepted += 1;
                    if again[..len] == before[..] {
                        before.clear();
                        continue;
                    }
                    assert_eq!(again[..len], sent[..], "frame {number}");
                    assert!(!arrived, "frame {number} came twice");
                    arrived = true;
                }
            }
        }
        // The link is in step again with the next delimiter.
        assert!(arrived || damaged, "frame {number} was lost without damage");
        before = if arrived { Vec::new() } else { sent };
    }
    assert!(hit > FRAMES / 12 && rejected > hit / 2, "{hit} {rejected}");
    assert!(accepted >= FRAMES - hit);
}

/// The same on a line that people type on too: noise is never taken for text, unless
/// all there is between a delimiter and silence is Enter.
#[test]
fn noise_is_never_typed_text() {
    let mut random = Random(310);
    let mut line = Line::new();
    let mut persons = 0;
    for number in 0..FRAMES / 4 {
        line.byte(0);
        let mut bytes = frame(number, &mut random);
        if random.below(10) < 3 {
            damage(&mut bytes, &mut random);
        }
        let pause = random.below(bytes.len() + 1);
        for (at, &byte) in bytes.iter().enumerate() {
            let text = matches!(line.byte(byte), Heard::Text(_));
            assert!(!text || !line.frames());
            if at == pause && line.silence() {
                persons += 1;
                let typed = bytes[..=at].rsplit(|&byte| byte == 0).next().unwrap();
                assert!(
                    typed.iter().all(|byte| matches!(byte, b'\r' | b'\n')),
                    "{typed:?}"
                );
            }
        }
    }
    assert!(persons < 20, "{persons}");
}
