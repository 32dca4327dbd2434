// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compressed sources. The `.bz2` files are made by libbz2.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// Two streams, the first one of two blocks.
const LIST: &[u8] = include_bytes!("list.bz2");

/// Runs of bytes, of up to 600.
const RUNS: &[u8] = include_bytes!("runs.bz2");

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn bunzip2(data: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut reader = super::super::compression::open(data)?;
    reader.read_to_end(&mut all).map(|_| all)
}

fn list() -> Vec<String> {
    let line = |i: u32| {
        let (high, low, hop) = (i >> 8, i & 255, 1 + i % 7);
        format!("10.{high}.{low}.0/24 via 192.0.2.{hop} dev eth0")
    };
    (0..4000).map(line).collect()
}

#[test]
fn bzip2_gives_what_was_compressed() {
    assert_eq!(found(LIST, &Options::default()).0, list());
    let (mut state, mut runs) = (1_u32, Vec::new());
    for index in 0..400 {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
        let max = if index % 2 == 0 { 6 } else { 600 };
        let len = 1 + (state >> 8) as usize % max;
        runs.extend(std::iter::repeat_n((state >> 16) as u8, len));
    }
    assert!(bunzip2(RUNS).unwrap() == runs);
}

#[test]
fn bzip2_that_is_cut_or_damaged_is_an_error() {
    for len in 10..RUNS.len() {
        let error = bunzip2(&RUNS[..len]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{len}");
    }
    let whole = bunzip2(RUNS).unwrap();
    for byte in (10..RUNS.len()).step_by(7) {
        let mut bytes = RUNS.to_vec();
        bytes[byte] ^= 1 << (byte % 8);
        // The length of a code that no symbol has is of no effect.
        assert!(!bunzip2(&bytes).is_ok_and(|all| all != whole), "{byte}");
    }
}

#[test]
fn gzip_gives_all_its_members() {
    let lines = list().join("\n");
    let both = [gzip(lines.as_bytes()), gzip(b"\n::/0 dev e\n")].concat();
    let (routes, _, counts) = found(&both[..], &Options::default());
    assert_eq!((routes.len(), counts.unwrap().skipped), (4001, 0));
}

#[test]
fn gzip_that_is_cut_or_damaged_is_an_error() {
    let whole = gzip(list().join("\n").as_bytes());
    for len in [whole.len() - 1, whole.len() / 2, 12, 3] {
        let (_, _, counts) = found(&whole[..len], &Options::default());
        assert_eq!(counts.unwrap_err().status(), 6, "{len}");
    }
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 4;
    let (_, _, counts) = found(&damaged[..], &Options::default());
    assert_eq!(counts.unwrap_err().status(), 6);
}

#[test]
fn a_bomb_needs_no_memory() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(b"::/0 dev e\n").unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..8 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let (routes, told, counts) = found(&bomb[..], &Options::default());
    assert_eq!(routes, ["::/0 dev e"]);
    assert_eq!(told, ["f:2:1: the line is longer than 65536 bytes"]);
    assert!(counts.is_ok());
}

#[test]
fn other_compressions_are_named() {
    let (_, _, counts) = found(&b"\xfd7zXZ\0rest"[..], &Options::default());
    let error = counts.unwrap_err().to_string();
    assert_eq!(
        error,
        "f: byte 0: compressed by xz: pipe the output of xzcat to `-`"
    );
}
