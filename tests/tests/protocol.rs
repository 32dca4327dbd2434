// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel answers on the wire, as a client sees it that is written from the
//! ABI's header alone.

use nix::libc;
use nl31_lab::{Arch, Guest, Image, Setup, client};

const REQUEST: u16 = 1;
const ACK: u16 = 4;
const REPLACE: u16 = 0x100;
const EXCL: u16 = 0x200;
const CREATE: u16 = 0x400;

const NOOP: u16 = 1;
const GREET: u16 = 16;
const NEWROUTE: u16 = 17;
const DELROUTE: u16 = 18;
const GETROUTE: u16 = 19;

const DST: u16 = 1;
const DST_LEN: u16 = 2;
const GATEWAY: u16 = 4;
const OIF: u16 = 5;

/// A message, in the byte order of the guest, which is the host's.
fn message(kind: u16, flags: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, payload) in attributes {
        body.extend_from_slice(&(4 + payload.len() as u16).to_ne_bytes());
        body.extend_from_slice(&kind.to_ne_bytes());
        body.extend_from_slice(payload);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&7u32.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn add(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    message(NEWROUTE, REQUEST | ACK | CREATE | EXCL, attributes)
}

/// A route that is right: 10.0.0.0/8 via 192.0.2.1.
fn good() -> Vec<u8> {
    add(&[
        (DST, &[10, 0, 0, 0]),
        (DST_LEN, &[8]),
        (GATEWAY, &[192, 0, 2, 1]),
    ])
}

nl31_lab::on_each_architecture! {
    a_route_is_added_looked_up_and_deleted
    each_malformed_request_has_its_error_and_changes_nothing
    whoever_may_not_administer_the_network_may_read_but_not_change
}

fn guest(arch: Arch) -> Guest {
    let share = Some(client::build(arch).expect("the client"));
    Guest::start(
        Image::shared_for(arch),
        &Setup {
            share,
            ..Setup::default()
        },
    )
    .expect("a guest")
}

fn client(guest: &mut Guest, arguments: &str) -> String {
    let output = guest
        .exec(&format!("/mnt/share/nl31 {arguments}"))
        .expect("to run the client");
    assert_eq!(
        output.status,
        0,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("text")
        .trim_end()
        .to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn send(guest: &mut Guest, datagram: &[u8]) -> String {
    client(guest, &format!("send {}", hex(datagram)))
}

/// Sends what is wrong: the kernel must answer once, with `errno` and a text, and the table
/// must stay as it is.
fn refused(guest: &mut Guest, what: &str, datagram: &[u8], errno: i32) {
    let before = client(guest, "dump");
    let answer = send(guest, datagram);
    let sign = format!("error {errno} ");
    assert!(
        answer.starts_with(&sign) && answer.contains("text "),
        "{what}: {answer}"
    );
    assert_eq!(answer.lines().count(), 1, "{what}: {answer}");
    assert_eq!(client(guest, "dump"), before, "{what}");
}

fn a_route_is_added_looked_up_and_deleted(arch: Arch) {
    let mut guest = guest(arch);
    assert_eq!(send(&mut guest, &good()), "error 0");
    let found = send(
        &mut guest,
        &message(GETROUTE, REQUEST, &[(DST, &[10, 1, 2, 3])]),
    );
    assert!(
        found.starts_with("10.0.0.0/8 type 1 via 192.0.2.1"),
        "{found}"
    );
    let delete = message(
        DELROUTE,
        REQUEST | ACK,
        &[(DST, &[10, 0, 0, 0]), (DST_LEN, &[8])],
    );
    assert_eq!(send(&mut guest, &delete), "error 0");
    assert_eq!(client(&mut guest, "dump"), "");
}

fn each_malformed_request_has_its_error_and_changes_nothing(arch: Arch) {
    let mut guest = guest(arch);
    assert_eq!(send(&mut guest, &good()), "error 0");
    let dst: (u16, &[u8]) = (DST, &[11, 0, 0, 0]);
    let dst6: (u16, &[u8]) = (
        DST,
        &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    let via: (u16, &[u8]) = (GATEWAY, &[192, 0, 2, 1]);
    let mut beyond = add(&[dst, (DST_LEN, &[8]), via]);
    beyond[0] += 4;
    let mut trailing = add(&[dst, (DST_LEN, &[8]), via]);
    trailing.extend_from_slice(&[1, 2, 3, 4]);
    trailing[0] += 4;

    let wrong: &[(&str, Vec<u8>, i32)] = &[
        ("unknown type", message(99, REQUEST, &[]), libc::EOPNOTSUPP),
        ("no REQUEST", message(GREET, 0, &[]), libc::EINVAL),
        (
            "a control type without REQUEST",
            message(NOOP, 0, &[]),
            libc::EINVAL,
        ),
        ("truncated header", good()[..12].to_vec(), libc::EINVAL),
        ("length beyond the datagram", beyond, libc::EINVAL),
        (
            "length below a header",
            [&[8, 0, 0, 0], &good()[4..]].concat(),
            libc::EINVAL,
        ),
        ("trailing bytes", trailing, libc::EINVAL),
        (
            "host bits set",
            add(&[(DST, &[11, 0, 0, 1]), (DST_LEN, &[8]), via]),
            libc::EINVAL,
        ),
        (
            "prefix length 33",
            add(&[dst, (DST_LEN, &[33]), via]),
            libc::EINVAL,
        ),
        (
            "prefix length 129",
            add(&[dst6, (DST_LEN, &[129]), (OIF, &[1, 0, 0, 0])]),
            libc::EINVAL,
        ),
        (
            "gateway of the other family",
            add(&[dst, (DST_LEN, &[8]), (GATEWAY, &[9; 16])]),
            libc::EINVAL,
        ),
        (
            "address of 5 bytes",
            add(&[(DST, &[11, 0, 0, 0, 0]), (DST_LEN, &[8]), via]),
            libc::EINVAL,
        ),
        ("no destination", add(&[(DST_LEN, &[8]), via]), libc::EINVAL),
        (
            "neither gateway nor device",
            add(&[dst, (DST_LEN, &[8])]),
            libc::EINVAL,
        ),
        (
            "unknown attribute",
            add(&[dst, (DST_LEN, &[8]), via, (77, &[])]),
            libc::EINVAL,
        ),
        (
            "unknown device",
            add(&[dst, (DST_LEN, &[8]), (OIF, &[99, 0, 0, 0])]),
            libc::ENODEV,
        ),
        ("a prefix that is there", good(), libc::EEXIST),
        (
            "change of what is not there",
            message(NEWROUTE, REQUEST | REPLACE, &[dst, (DST_LEN, &[8]), via]),
            libc::ENOENT,
        ),
        (
            "deletion of what is not there",
            message(DELROUTE, REQUEST, &[dst, (DST_LEN, &[8])]),
            libc::ESRCH,
        ),
        (
            "address without a route",
            message(GETROUTE, REQUEST, &[(DST, &[11, 0, 0, 1])]),
            libc::ENETUNREACH,
        ),
    ];
    for (what, datagram, errno) in wrong {
        refused(&mut guest, what, datagram, *errno);
    }
}

fn whoever_may_not_administer_the_network_may_read_but_not_change(arch: Arch) {
    let mut guest = guest(arch);
    assert_eq!(send(&mut guest, &good()), "error 0");
    let table = client(&mut guest, "dump");
    assert_eq!(client(&mut guest, "as 65534 dump"), table);
    let greeted = client(
        &mut guest,
        &format!("as 65534 send {}", hex(&message(GREET, REQUEST, &[]))),
    );
    assert!(
        greeted.starts_with(&format!("message {GREET} ")),
        "{greeted}"
    );

    let attributes: &[(u16, &[u8])] = &[(DST, &[10, 0, 0, 0]), (DST_LEN, &[8])];
    for change in [good(), message(DELROUTE, REQUEST, attributes)] {
        let answer = client(&mut guest, &format!("as 65534 send {}", hex(&change)));
        assert!(
            answer.starts_with(&format!("error {} ", libc::EPERM)),
            "{answer}"
        );
    }
    assert_eq!(client(&mut guest, "dump"), table);
}
