// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo qemu` with its input not a terminal, through the real binary and the image as
//! it ships.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use nl31_lab::{DiskImage, Image};

const SESSION: &str = "greet hello\nroute add 10.0.0.0/8 via 192.0.2.1 dev eth0 metric 10\n\
    route get 10.1.2.3\nroute show\nroute del 10.0.0.0/8\n";

fn qemu(input: &[u8]) -> Output {
    Image::shared();
    qemu_with(&[], input)
}

fn qemu_with(args: &[&OsStr], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lab"))
        .arg("qemu")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("to run the lab");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(input)
        .expect("to write its input");
    child.wait_with_output().expect("its end")
}

fn transcript(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).expect("a transcript in UTF-8");
    assert!(
        !text.contains(['\r', '\x1b']),
        "a transcript has no control characters: {text:?}"
    );
    text
}

#[test]
fn a_session_is_answered_line_by_line_and_exits_with_0() {
    let output = qemu(SESSION.as_bytes());
    let text = transcript(&output);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let replies: Vec<&str> = text.split("nl31> ").skip(1).collect();
    let typed: Vec<&str> = replies
        .iter()
        .filter_map(|reply| reply.lines().next())
        .collect();
    assert_eq!(typed, SESSION.lines().collect::<Vec<_>>(), "{text}");
    for reply in &replies {
        assert_eq!(
            reply.lines().filter(|line| line.starts_with("I2")).count(),
            1,
            "{text}"
        );
    }
    assert!(replies[0].contains("hello"), "{text}");
    for reply in &replies[2..4] {
        assert!(
            reply.contains("10.0.0.0/8 via 192.0.2.1 dev eth0 metric 10"),
            "{text}"
        );
    }
}

#[test]
fn a_wrong_line_makes_it_exit_with_1_and_the_rest_is_still_answered() {
    let output = qemu(b"ping\nroute add 10.0.0.0/33 via 192.0.2.1\nping\n");
    let text = transcript(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(
        text.lines().filter(|line| line.starts_with("I2")).count(),
        2,
        "{text}"
    );
    assert_eq!(
        text.lines().filter(|line| line.starts_with('E')).count(),
        1,
        "{text}"
    );
}

#[test]
fn line_ends_of_any_kind_and_empty_lines_are_taken() {
    let output = qemu(b"\r\nping\r\n\n   \nping");
    let text = transcript(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(text.matches("nl31> ").count(), 5, "{text}");
    assert_eq!(
        text.lines().filter(|line| line.starts_with("I2")).count(),
        2,
        "{text}"
    );
}

#[test]
fn a_disk_is_made_where_there_is_none_and_keeps_what_is_saved() {
    DiskImage::shared();
    let dir = tempfile::tempdir().expect("a folder");
    let disk = dir.path().join("disk");
    let session = |input: &[u8]| {
        let output = qemu_with(&["--disk".as_ref(), disk.as_ref()], input);
        let text = transcript(&output);
        assert_eq!(output.status.code(), Some(0), "{text}");
        text
    };
    session(b"route add 10.0.0.0/8 via 192.0.2.1 dev eth0\nsave\n");
    let text = session(b"route show\n");
    assert!(text.contains("10.0.0.0/8 via 192.0.2.1 dev eth0"), "{text}");
}
