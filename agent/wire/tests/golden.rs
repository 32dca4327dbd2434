// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bytes of version 1. They never change: what is in the field speaks them. A new
//! message gets a new line here.

use nl31_wire::limits::{FRAME_MAX, VERSION};
use nl31_wire::{Deframer, Items, Reason, Request, Response, SCHEMA};

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

fn unhex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

const ID: u16 = 0x0102;
const V4: &[u8] = &[0xe0, 0x08, 192, 0, 2, 1, 8, 10];

/// Every request, and its frame with id 0x0102.
fn requests() -> Vec<(Request<'static>, &'static str)> {
    let items = Items::new(V4);
    let none = Items::default();
    vec![
        (
            Request::Hello {
                session: 0x12345678,
            },
            "00 0e 01 02 01 01 f8 ac d1 91 01 50 e4 03 e6 00",
        ),
        (Request::Ping {}, "00 09 01 02 01 02 f2 5b d4 28 00"),
        (
            Request::Greet { text: "hi" },
            "00 0c 01 02 01 03 02 68 69 ee fc 11 19 00",
        ),
        (
            Request::Change { items },
            "00 09 01 02 01 04 08 e0 08 c0 09 02 01 08 0a ee 36 f5 71 00",
        ),
        (
            Request::Flush {
                filter: none,
                longer: false,
                all: true,
            },
            "00 05 01 02 01 05 01 06 01 82 91 ac 64 00",
        ),
        (
            Request::Flush {
                filter: items,
                longer: true,
                all: false,
            },
            "00 09 01 02 01 05 08 e0 08 c0 06 02 01 08 0a 01 05 4c a9 74 4a 00",
        ),
        (
            Request::Lookup {
                prefix: Items::new(&[0x20, 192, 0, 2, 1]),
            },
            "00 08 01 02 01 06 05 20 c0 07 02 01 c5 7c 85 93 00",
        ),
        (
            Request::Dump {
                filter: none,
                longer: false,
            },
            "00 05 01 02 01 07 01 05 1a 06 8d 61 00",
        ),
        (
            Request::Line { text: "ping" },
            "00 0e 01 02 01 08 04 70 69 6e 67 e0 a3 7e da 00",
        ),
        (Request::Next {}, "00 09 01 02 01 09 c9 f0 5d b1 00"),
        (Request::Stop {}, "00 09 01 02 01 0a 3d 03 0d a2 00"),
        (Request::Table {}, "00 09 01 02 01 0b 3e 80 66 50 00"),
        (
            Request::Begin { replace: true },
            "00 0a 01 02 01 0c 01 01 89 b0 46 00",
        ),
        (Request::Commit {}, "00 09 01 02 01 0d d6 67 c7 76 00"),
        (Request::Abort {}, "00 09 01 02 01 0e 22 94 97 65 00"),
        (
            Request::Subscribe { on: true },
            "00 0a 01 02 01 0f 01 98 21 57 72 00",
        ),
        (Request::Leave {}, "00 09 01 02 01 10 6a ec b1 d9 00"),
        (Request::Save {}, "00 09 01 02 01 11 69 6f da 2b 00"),
        (
            Request::Unlock { pin: "4711" },
            "00 0e 01 02 01 12 04 34 37 31 31 d4 70 74 7f 00",
        ),
        (
            Request::BeginConfirmed { seconds: 60 },
            "00 0a 01 02 01 13 3c 1f 77 c7 11 00",
        ),
        (
            Request::PackedChange {
                count: 300,
                packed: &[0xea, 0x01],
            },
            "00 0e 01 02 01 14 ac 02 02 ea 01 28 64 1c 54 00",
        ),
        (
            Request::PackedDump {
                filter: items,
                longer: true,
            },
            "00 09 01 02 01 15 08 e0 08 c0 0a 02 01 08 0a 01 f1 78 ce 25 00",
        ),
        (
            Request::Setting {
                replace: true,
                line: "port set eth0",
            },
            "00 18 01 02 01 16 01 0d 70 6f 72 74 20 73 65 74 20 65 74 68 30 92 fe 6d 30 00",
        ),
        (
            Request::Speed { baud: 921_600 },
            "00 0c 01 02 01 17 80 a0 38 fb ff 91 75 00",
        ),
    ]
}

/// Every response, and its frame with id 0x0102.
fn responses() -> Vec<(Response<'static>, &'static str)> {
    let items = Items::new(V4);
    vec![
        (
            Response::Nak {
                reason: Reason::FRAME_TOO_LONG,
            },
            "00 0a 01 02 01 80 01 9c d1 ed 6e 00",
        ),
        (
            Response::Welcome {
                boot: 0x0102_0304_0506_0708,
                schema: 0x0a0b_0c0d,
                raw_max: 504,
                window: 4,
                items_max: 128,
                agent: "0.1.0",
            },
            "00 21 01 02 01 81 88 8e 98 a8 c0 e0 80 81 01 8d 98 ac 50 f8 03 04 80 01 05 30 2e 31 2e 30 8c e0 16 7f 00",
        ),
        (Response::Done {}, "00 09 01 02 01 82 8a 60 22 aa 00"),
        (
            Response::Failed {
                code: 409,
                index: Some(3),
                offset: Some(300),
                text: "no",
            },
            "00 13 01 02 01 83 99 03 01 03 01 ac 02 02 6e 6f e5 50 a8 bf 00",
        ),
        (
            Response::Failed {
                code: 404,
                index: None,
                offset: None,
                text: "",
            },
            "00 07 01 02 01 83 94 03 01 01 05 67 97 f3 fe 00",
        ),
        (
            Response::Greeting {
                port: 1234,
                abi: 1,
                version: "1.0",
                text: "hello",
            },
            "00 16 01 02 01 84 d2 09 01 03 31 2e 30 05 68 65 6c 6c 6f 5f 84 84 7e 00",
        ),
        (
            Response::Changed { count: 48 },
            "00 0a 01 02 01 85 30 85 e2 4d f1 00",
        ),
        (
            Response::Routes {
                items,
                last: true,
                interrupted: false,
            },
            "00 09 01 02 01 86 08 e0 08 c0 06 02 01 08 0a 01 05 84 15 a8 d0 00",
        ),
        (
            Response::Output {
                text: b"I200\n",
                last: true,
            },
            "00 10 01 02 01 87 05 49 32 30 30 0a 01 ff 1c 62 db 00",
        ),
        (
            Response::Counters {
                generation: 1 << 40,
                routes4: 2,
                routes6: 3,
                paths4: 4,
                paths6: 5,
                nexthops: 6,
                bytes4: 7,
                bytes6: 8,
                nexthop_bytes: 9,
                max_routes: u32::MAX,
                lookups: 11,
                hits: 12,
                misses: 13,
                errors: 14,
            },
            "00 20 01 02 01 88 80 80 80 80 80 20 02 03 04 05 06 07 08 09 ff ff ff ff 0f 0b 0c 0d 0e 8b eb 4f e3 00",
        ),
        (
            Response::Event {
                generation: 300,
                item: items,
            },
            "00 0b 01 02 01 c0 ac 02 08 e0 08 c0 09 02 01 08 0a 8c 30 2b 1f 00",
        ),
        (Response::Lost {}, "00 09 01 02 01 c1 c2 8e 09 f8 00"),
        (
            Response::Saving {
                routes: 300,
                last: true,
            },
            "00 0c 01 02 01 89 ac 02 01 ce 2c c3 50 00",
        ),
        (
            Response::RolledBack {
                prefixes: 300,
                lost: 1,
            },
            "00 0c 01 02 01 c2 ac 02 01 f6 99 03 6f 00",
        ),
        (
            Response::PackedRoutes {
                count: 300,
                packed: &[0xea, 0x01],
                last: true,
                interrupted: false,
            },
            "00 0b 01 02 01 8a ac 02 02 ea 01 01 05 57 7c 29 e7 00",
        ),
    ]
}

#[track_caller]
fn check(frame: &[u8], golden: &str, wrong: &mut Vec<String>) {
    if hex(frame) != golden {
        wrong.push(hex(frame));
    }
}

#[test]
fn bytes_never_change() {
    let mut out = [0; FRAME_MAX];
    let mut wrong = Vec::new();
    for (request, golden) in requests() {
        let len = request.encode(ID, &mut out).unwrap();
        check(&out[..len], golden, &mut wrong);
    }
    for (response, golden) in responses() {
        let len = response.encode(ID, &mut out).unwrap();
        check(&out[..len], golden, &mut wrong);
    }
    assert_eq!(
        wrong, [""; 0],
        "version {VERSION} says these bytes otherwise"
    );
}

#[test]
fn bytes_are_understood() {
    let decode = |golden: &str, f: &dyn Fn(&nl31_wire::Frame<'_>)| {
        let mut deframer = Deframer::new();
        let mut frames = 0;
        for byte in unhex(golden) {
            if let Some(frame) = deframer.byte(byte) {
                let frame = frame.unwrap();
                assert_eq!(frame.id, ID);
                f(&frame);
                frames += 1;
            }
        }
        assert_eq!(frames, 1);
    };
    for (request, golden) in requests() {
        decode(golden, &|frame| {
            assert_eq!(Request::decode(frame), Ok(request))
        });
    }
    for (response, golden) in responses() {
        decode(golden, &|frame| {
            assert_eq!(Response::decode(frame), Ok(response))
        });
    }
}

/// Every kind that there is has its bytes above.
#[test]
fn every_kind_is_here() {
    let known = |kind: u8, decode: &dyn Fn(&nl31_wire::Frame<'_>) -> bool| {
        decode(&nl31_wire::Frame {
            version: VERSION,
            id: 0,
            kind,
            body: &[],
        })
    };
    for kind in 0..=255 {
        let request = known(kind, &|frame| {
            !matches!(Request::decode(frame), Err(nl31_wire::BadMessage::Kind(_)))
        });
        assert_eq!(
            request,
            requests().iter().any(|(request, _)| request.kind() == kind)
        );
        let response = known(kind, &|frame| {
            !matches!(Response::decode(frame), Err(nl31_wire::BadMessage::Kind(_)))
        });
        assert_eq!(
            response,
            responses()
                .iter()
                .any(|(response, _)| response.kind() == kind)
        );
        assert!(!(request && response));
    }
}

/// The set of messages may grow; then this number changes with it.
#[test]
fn the_schema_is_that_of_these_messages() {
    assert_eq!(format!("{SCHEMA:08x}"), "73d7e3ff");
}

/// What is behind the body, or short of it, is refused.
#[test]
fn bodies_are_taken_whole() {
    for (request, golden) in requests() {
        with_body(golden, |frame, body| {
            for len in 0..body.len() {
                let cut = nl31_wire::Frame {
                    body: &body[..len],
                    ..*frame
                };
                assert!(Request::decode(&cut).is_err(), "{request:?} {len}");
            }
            let longer = [body, &[0]].concat();
            let longer = nl31_wire::Frame {
                body: &longer,
                ..*frame
            };
            assert!(Request::decode(&longer).is_err(), "{request:?}");
        });
    }
}

fn with_body(golden: &str, f: impl Fn(&nl31_wire::Frame<'_>, &[u8])) {
    let mut deframer = Deframer::new();
    for byte in unhex(golden) {
        if let Some(frame) = deframer.byte(byte) {
            let frame = frame.unwrap();
            f(&frame, frame.body);
        }
    }
}
