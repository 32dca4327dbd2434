// SPDX-License-Identifier: MIT OR Apache-2.0
//! A bad line: nothing is accepted that was not sent, what was not hit arrives, and a
//! session goes on. `NL31_SEED` is for other noise than that of every day.

use nl31_wire::limits::{FRAME_MAX, RAW_MAX, SILENCE_MS, WINDOW};
use nl31_wire::{
    Client, Deframer, Heard, ItemsBuffer, Line, News, Op, Packer, Request, Response, RetryPolicy,
    SCHEMA, Server, Silence, Task, Unpacker, Verdict,
};

const FRAMES: u32 = 200_000;

/// Of a thousand frames so many are hit, in turn.
const RATES: [usize; 5] = [1, 10, 50, 100, 300];

/// SplitMix64: the same numbers everywhere and for ever.
struct Random(u64);

impl Random {
    /// Shown where a test fails.
    fn seeded() -> Self {
        let seed = std::env::var("NL31_SEED").unwrap_or("31".into());
        println!("NL31_SEED={seed}");
        Self(seed.parse().expect("NL31_SEED is a number"))
    }

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
        match random.below(6) {
            0 => drop(frame.remove(at)),
            1 => frame[at] ^= 1 << random.below(8),
            2 => frame.insert(at, random.next() as u8),
            // A break.
            3 => frame.insert(at, 0),
            // All that is left of it is lost.
            4 => frame.truncate(at),
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
    let mut random = Random::seeded();
    let mut deframer = Deframer::new();
    let (mut hit, mut accepted, mut rejected) = (0, 0, 0);
    // The last frame of which anything has come, if it has not arrived: it may lack no
    // more than its end.
    let mut before = None::<Vec<u8>>;
    for number in 0..FRAMES {
        let sent = frame(number, &mut random);
        let mut line = sent.clone();
        let rate = RATES[number as usize * RATES.len() / FRAMES as usize];
        let damaged = random.below(1000) < rate;
        if damaged {
            hit += 1;
            damage(&mut line, &mut random);
        }
        let mut arrived = false;
        let nothing = line.is_empty();
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
                    if before.as_deref() == Some(&again[..len]) {
                        before = None;
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
        if !nothing {
            before = (!arrived).then_some(sent);
        }
    }
    assert!(hit > FRAMES / 12 && rejected > hit / 2, "{hit} {rejected}");
    assert!(accepted >= FRAMES - hit);
}

/// The same on a line that people type on too: noise is never taken for text, unless
/// all there is between a delimiter and silence is Enter.
#[test]
fn noise_is_never_typed_text() {
    let mut random = Random::seeded();
    let mut line = Line::new();
    let mut persons = 0;
    for number in 0..FRAMES / 4 {
        while !line.frames() {
            for byte in frame(number, &mut random) {
                line.byte(byte);
            }
        }
        line.byte(0);
        let mut bytes = frame(number, &mut random);
        if random.below(10) < 3 {
            damage(&mut bytes, &mut random);
        }
        let pause = random.below(bytes.len() + 1);
        for (at, &byte) in bytes.iter().enumerate() {
            let taken = line.frames();
            let text = matches!(line.byte(byte), Heard::Text(_));
            assert!(!text || !taken);
            if at == pause && line.silence() == Silence::Person {
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

/// The agent's end of a line. It carries out what it is sent, once and in order.
struct Agent<'a> {
    line: Line,
    server: Server,
    /// Carries out a request; gives the frame of the answer.
    carry_out: &'a mut dyn FnMut(&Request<'_>, &mut Server) -> Vec<u8>,
    hellos: u32,
}

impl Agent<'_> {
    /// Takes what comes, gives what it says to that.
    fn hear(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut said = Vec::new();
        for &byte in bytes {
            let reason = match self.line.byte(byte) {
                Heard::Nothing => continue,
                // A hello whose delimiter is lost; whatever is typed is no command's line.
                Heard::Text(typed) => {
                    assert_eq!(self.hellos, 0, "{typed:x?} was taken for text");
                    continue;
                }
                Heard::Bad(_) => nl31_wire::Reason::DAMAGED,
                Heard::Frame(frame) => match self.server.accept(&frame) {
                    Verdict::Ignore => panic!("{frame:?} is no request"),
                    Verdict::Refuse(reason) => reason,
                    Verdict::Repeat(answer) => {
                        said.push(answer.to_vec());
                        continue;
                    }
                    Verdict::Open => {
                        self.hellos += 1;
                        assert_eq!(self.hellos, 1, "a second hello was carried out");
                        said.push(self.server.answer(&welcome()).unwrap().to_vec());
                        continue;
                    }
                    Verdict::Execute => {
                        let request = Request::decode(&frame).expect("only requests are sent");
                        said.push((self.carry_out)(&request, &mut self.server));
                        continue;
                    }
                },
            };
            let mut out = [0; FRAME_MAX];
            let len = self.server.nak(reason, &mut out);
            said.push(out[..len].to_vec());
        }
        said
    }
}

fn welcome() -> Response<'static> {
    Response::Welcome {
        boot: 1,
        schema: SCHEMA,
        raw_max: RAW_MAX as u16,
        window: WINDOW as u8,
        items_max: 128,
        agent: "",
    }
}

/// A session of `requests` requests over a line that hits `rate` of a thousand frames in each
/// direction: `ask` makes the request of a number, `answered` takes the answers in order.
fn session(
    random: &mut Random,
    rate: usize,
    requests: u32,
    ask: &mut dyn FnMut(&mut Client, &mut Random),
    carry_out: &mut dyn FnMut(&Request<'_>, &mut Server) -> Vec<u8>,
    answered: &mut dyn FnMut(&Response<'_>),
) {
    let mut agent = Agent {
        line: Line::new(),
        server: Server::new(),
        carry_out,
        hellos: 0,
    };
    let retry = RetryPolicy {
        timeout_ms: 1000,
        attempts: 20,
    };
    let (session, first) = (random.next() as u32, random.next() as u16);
    let mut client = Client::new(session, first, retry);
    let mut deframer = Deframer::new();
    // On their way to the client, behind each other.
    let mut coming = std::collections::VecDeque::<Vec<u8>>::new();
    let (mut asked, mut answers, mut frames) = (0, 0, 0u32);
    let mut now = 0u32;
    let mut hit = |frame: &[u8], random: &mut Random| {
        frames += 1;
        let mut frame = frame.to_vec();
        if random.below(1000) < rate {
            damage(&mut frame, random);
        }
        frame
    };
    while answers < requests {
        while client.room() > 0 && asked < requests {
            ask(&mut client, random);
            asked += 1;
        }
        match client.poll(now) {
            Task::Send(bytes) => {
                let heard = hit(bytes, random);
                // Ten bits a byte at 115200 baud.
                now = now.wrapping_add(bytes.len() as u32 * 10 / 115 + 1);
                coming.extend(agent.hear(&heard));
                continue;
            }
            Task::Wait(wait) if coming.is_empty() => {
                now = now.wrapping_add(wait);
                if wait >= SILENCE_MS {
                    let ended = agent.line.silence();
                    assert_ne!(ended, Silence::Person, "noise was taken for a person");
                }
                continue;
            }
            Task::Wait(_) => {}
            other => panic!("{rate}: {other:?} after {answers} answers"),
        }
        let bytes = hit(&coming.pop_front().unwrap(), random);
        for byte in bytes {
            let Some(Ok(frame)) = deframer.byte(byte) else {
                continue;
            };
            match client.frame(&frame, now) {
                News::Answer(id, Response::Welcome { .. }) => assert_eq!(id, first),
                News::Answer(_, response) => {
                    answered(&response);
                    answers += 1;
                }
                News::Nothing => {}
                other => panic!("{rate}: {other:?} after {answers} answers"),
            }
        }
    }
    let again = frames - 2 * requests;
    assert!(again as usize > requests as usize * rate / 1000, "{again}");
}

/// Both ends, and noise in both directions: every request is carried out once, in order,
/// and gets its own answer.
#[test]
fn a_session_over_a_bad_line_does_each_thing_once() {
    let mut random = Random::seeded();
    for rate in RATES {
        let requests = FRAMES / RATES.len() as u32;
        let (mut asked, mut executed, mut answered) = (0, 0, 0);
        session(
            &mut random,
            rate,
            requests,
            &mut |client, random| {
                let padding = "x".repeat(random.below(8) * random.below(8));
                let text = format!("route flush all # {padding} {asked}");
                client.push(&Request::Line { text: &text }).unwrap();
                asked += 1;
            },
            &mut |request, server| {
                let Request::Line { text } = request else {
                    panic!("{request:?} was not sent")
                };
                let number = text.split(' ').next_back().unwrap();
                assert_eq!(number.parse(), Ok(executed), "not the next one");
                executed += 1;
                let text = number.as_bytes();
                let answer = Response::Output { text, last: true };
                server.answer(&answer).unwrap().to_vec()
            },
            &mut |response| {
                let text = answered.to_string();
                let text = text.as_bytes();
                let own = Response::Output { text, last: true };
                assert_eq!(*response, own, "another's answer");
                answered += 1;
            },
        );
        assert_eq!(executed, requests);
    }
}

/// Packed routes in both directions: what both ends have learned stays the same however often
/// frames are sent.
#[test]
fn packed_routes_over_a_bad_line_arrive_once_and_in_order() {
    let route = |number: u32| {
        // Some steps are wide, some routes the same prefix by another path.
        let prefix = number / 3 * 2 + number % 3 * 256 * (number / 100 % 50);
        let prefix = nl31_route::Prefix::new(std::net::IpAddr::V4((prefix << 8).into()), 24);
        nl31_route::Spec {
            prefix: prefix.ok(),
            gateway: Some([192, 0, 2, (number / 7 % 200) as u8].into()),
            ..Default::default()
        }
    };
    let mut random = Random::seeded();
    for rate in RATES {
        let (mut sent, mut executed, mut arrived) = (0, 0, 0);
        let (mut client_packer, mut client_unpacker) = (Packer::new(), Unpacker::new());
        let (mut agent_packer, mut agent_unpacker) = (Packer::new(), Unpacker::new());
        session(
            &mut random,
            rate,
            600,
            &mut |client, random| {
                // An answer has no room for as many as a request.
                for _ in 0..random.below(60) {
                    client_packer.push(Op::Append, &route(sent)).unwrap();
                    sent += 1;
                }
                let (count, packed) = client_packer.finish();
                let request = Request::PackedChange { count, packed };
                client.push(&request).unwrap();
                client_packer.next_frame();
            },
            &mut |request, server| {
                let &Request::PackedChange { count, packed } = request else {
                    panic!("{request:?} was not sent")
                };
                for item in agent_unpacker.unpack(count, packed) {
                    assert_eq!(item.expect("what was sent").route, route(executed));
                    agent_packer.push(Op::Add, &route(executed)).unwrap();
                    executed += 1;
                }
                let (count, packed) = agent_packer.finish();
                let answer = Response::PackedRoutes {
                    count,
                    packed,
                    last: false,
                    interrupted: false,
                };
                let answer = server.answer(&answer).unwrap().to_vec();
                agent_packer.next_frame();
                answer
            },
            &mut |response| {
                let &Response::PackedRoutes { count, packed, .. } = response else {
                    panic!("{response:?} was not said")
                };
                for item in client_unpacker.unpack(count, packed) {
                    assert_eq!(item.expect("what was said").route, route(arrived));
                    arrived += 1;
                }
            },
        );
        assert!(sent > 10_000 && (executed, arrived) == (sent, sent));
    }
}
