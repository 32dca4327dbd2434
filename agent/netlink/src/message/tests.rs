// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages from the bytes of the kernel.

use super::*;

fn message(bytes: &[u8]) -> Message {
    let (message, next) = decode(bytes).unwrap();
    assert_eq!(next, bytes.len());
    message
}

#[track_caller]
fn malformed(bytes: &[u8]) -> &'static str {
    decode(bytes).unwrap_err().reason
}

#[test]
fn greeting_of_a_kernel() {
    let bytes = b"\x40\0\0\0\x10\0\0\0\x07\0\0\0\xd2\x04\0\0\
        \x14\0\x01\0hello, port 1234\
        \x08\0\x02\0\xd2\x04\0\0\x0a\0\x03\x000.1.0\0\0\0\x08\0\x04\0\x01\0\0\0";
    let message = message(bytes);
    assert_eq!(
        message.header,
        Header {
            kind: 16,
            flags: 0,
            seq: 7,
            port: 1234
        }
    );
    let Body::Greeting(greeting) = message.body else {
        panic!()
    };
    assert_eq!(greeting.text, "hello, port 1234");
    assert_eq!((greeting.port, greeting.abi), (1234, 1));
    assert_eq!(greeting.version, "0.1.0");
}

#[test]
fn event_of_a_route() {
    // Number 9 of the attributes is the padding before a 64-bit one.
    let bytes = b"\x50\0\0\0\x11\0\0\x01\0\0\0\0\0\0\0\0\
        \x08\0\x01\0\x0a\0\0\0\x05\0\x02\0\x08\0\0\0\x05\0\x03\0\x01\0\0\0\
        \x08\0\x04\0\xc0\0\x02\x01\x08\0\x05\0\x02\0\0\0\x08\0\x06\0\x0a\0\0\0\
        \x04\0\x09\0\x0c\0\x08\0\x2a\0\0\0\0\0\0\0";
    let message = message(bytes);
    assert_eq!(message.header.flags, NLM_F_REPLACE);
    let Body::NewRoute(event) = message.body else {
        panic!()
    };
    assert_eq!(event.generation, Some(42));
    assert_eq!(
        event.route.to_string(),
        "10.0.0.0/8 via 192.0.2.1 dev if2 metric 10"
    );
    assert!(event.flags.is_empty());
}

#[test]
fn path_of_a_dump_by_the_name_of_its_device() {
    // With the index besides, flags with a bit that is not known, and number 99.
    let bytes = b"\x40\0\0\0\x11\0\x02\0\x01\0\0\0\0\0\0\0\
        \x08\0\x01\0\x0a\0\0\0\x05\0\x02\0\x08\0\0\0\x08\0\x05\0\x02\0\0\0\
        \x09\0\x0a\0eth0\0\0\0\0\x08\0\x0b\0\x83\0\0\0\x04\0\x63\0";
    let Body::NewRoute(message) = message(bytes).body else {
        panic!()
    };
    let name = Device::Name("eth0".parse().unwrap());
    assert_eq!(message.route.path.device, Some(name));
    assert!(message.flags.is_dead() && message.flags.is_linkdown());
    assert!(!message.flags.is_standby());
}

#[test]
fn counters_of_a_table() {
    let bytes = b"\x34\0\0\0\x14\0\0\0\x01\0\0\0\0\0\0\0\
        \x0c\0\x01\0\x05\0\0\0\0\0\0\0\x08\0\x02\0\x03\0\0\0\x0c\0\x0e\0\x01\0\0\0\0\0\0\0\
        \x04\0\x7f\0";
    let Body::Table(table) = message(bytes).body else {
        panic!()
    };
    assert_eq!(
        table,
        Table {
            generation: 5,
            routes4: 3,
            errors: 1,
            ..Table::default()
        }
    );
}

fn done(count: i32, generation: Option<u64>) -> Body {
    Body::Done { count, generation }
}

#[test]
fn done_with_and_without_its_number() {
    assert_eq!(
        message(b"\x10\0\0\0\x03\0\0\0\x01\0\0\0\0\0\0\0").body,
        done(0, None)
    );
    let counted = b"\x14\0\0\0\x03\0\x02\0\x01\0\0\0\0\0\0\0\x07\0\0\0";
    assert_eq!(message(counted).body, done(7, None));
    let dumped =
        b"\x20\0\0\0\x03\0\x02\x02\x01\0\0\0\0\0\0\0\0\0\0\0\x0c\0\x03\0\x05\0\0\0\0\0\0\0";
    assert_eq!(message(dumped).body, done(0, Some(5)));
    let failed = b"\x14\0\0\0\x03\0\x02\0\x01\0\0\0\0\0\0\0\xf4\xff\xff\xff";
    let Body::Error(error) = message(failed).body else {
        panic!()
    };
    assert_eq!(error.errno, 12);
}

const REQUEST: &[u8; 16] = b"\x14\0\0\0\x11\0\x05\0\x09\0\0\0\0\0\0\0";

#[test]
fn acks_with_extended_ack_capped_and_whole() {
    let ack = [
        b"\x24\0\0\0\x02\0\0\x01\x09\0\0\0\0\0\0\0\0\0\0\0".as_slice(),
        REQUEST,
    ]
    .concat();
    assert_eq!(message(&ack).body, Body::Ack);

    let tlvs = b"\x08\0\x02\0\x10\0\0\0\x08\0\x01\0bad\0";
    let capped = [
        b"\x34\0\0\0\x02\0\0\x03\x09\0\0\0\0\0\0\0\xea\xff\xff\xff".as_slice(),
        REQUEST,
        tlvs,
    ];
    let expected = KernelError {
        errno: 22,
        offset: Some(16),
        text: "bad".try_into().unwrap(),
    };
    assert_eq!(
        message(&capped.concat()).body,
        Body::Error(expected.clone())
    );

    // Not capped: the 4 bytes behind the request's header come along.
    let whole = [
        b"\x38\0\0\0\x02\0\0\x02\x09\0\0\0\0\0\0\0\xea\xff\xff\xff".as_slice(),
        REQUEST,
        b"\xff\xff\xff\xff",
        tlvs,
    ];
    assert_eq!(message(&whole.concat()).body, Body::Error(expected));
}

#[test]
fn text_of_the_kernel_is_made_fit_for_a_terminal() {
    assert_eq!(string::<8>(b"a\x1b[\xff\xc3\xa9b\0rest"), "a?[?\u{e9}b");
    assert_eq!(string::<4>("abcé".as_bytes()), "abc");
}

#[test]
fn damaged_messages_are_refused() {
    assert_eq!(malformed(b""), "less than a header");
    assert_eq!(malformed(&REQUEST[..15]), "less than a header");
    assert_eq!(malformed(REQUEST), "length is beyond the end");
    assert_eq!(
        malformed(b"\x0f\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0"),
        "length is shorter than the header"
    );
    for (payload, reason) in [
        (b"\x08\0\x01".as_slice(), "less than an attribute's header"),
        (b"\x03\0\x01\0", "attribute is shorter than its header"),
        (b"\x09\0\x01\0\0\0\0\0", "attribute reaches beyond the end"),
        (b"\x07\0\x01\0\0\0\0\0", "address of neither 4 nor 16 bytes"),
        (b"\x08\0\x02\0\0\0\0\0", "attribute of a wrong length"),
        (b"\x05\0\x02\0\x08\0\0\0", "route without a destination"),
        (b"\x05\0\x03\0\x02\0\0\0", "route of an unknown type"),
        (b"\x08\0\x0a\0eth0", "not the name of a device"),
        (b"\x08\0\x0a\0a/b\0", "not the name of a device"),
        (b"\x05\0\x0a\0\0\0\0\0", "not the name of a device"),
        (
            b"\x08\0\x01\0\x0a\0\0\x01\x05\0\x02\0\x08\0\0\0",
            "route whose prefix does not fit its length",
        ),
    ] {
        let len = (HEADER_LEN + payload.len()) as u32;
        let header = [&len.to_le_bytes()[..], b"\x11\0\0\0\x01\0\0\0\0\0\0\0"].concat();
        assert_eq!(malformed(&[&header, payload].concat()), reason);
    }
    for (kind, payload, reason) in [
        (2u8, b"\0\0\0".as_slice(), "ack without its error"),
        (2, b"\0\0\0\0\0\0\0\0", "ack without its header"),
    ] {
        let mut bytes = vec![0; HEADER_LEN];
        bytes[0] = (HEADER_LEN + payload.len()) as u8;
        bytes[4] = kind;
        bytes.extend_from_slice(payload);
        assert_eq!(malformed(&bytes), reason);
    }
}

#[test]
fn every_damaged_byte_is_survived() {
    let good = b"\x34\0\0\0\x02\0\0\x03\x09\0\0\0\0\0\0\0\xea\xff\xff\xff\
        \x14\0\0\0\x11\0\x05\0\x09\0\0\0\0\0\0\0\x08\0\x02\0\x10\0\0\0\x08\0\x01\0bad\0";
    for index in 0..good.len() {
        for value in 0..=255 {
            let mut bytes = good.to_vec();
            bytes[index] = value;
            let _ = decode(&bytes);
            let _ = decode(&bytes[..index]);
        }
    }
}
