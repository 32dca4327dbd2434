// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a source was compressed by, by its first bytes. Decompression needs constant memory,
//! however much it gives.

use std::io::{self, Cursor, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;

/// Bytes that tell the compression.
const START: u64 = 10;

/// What the first block of bzip2 begins with behind `BZh` and a digit: those of pi.
const BZIP2_BLOCK: &[u8] = &[0x31, 0x41, 0x59, 0x26, 0x53, 0x59];

/// The data of `source`, decompressed if it is compressed.
pub fn open<'a>(mut source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut start = Vec::new();
    (&mut source).take(START).read_to_end(&mut start)?;
    let other = match start[..] {
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(("xz", "xzcat")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(("zstd", "zstdcat")),
        _ => None,
    };
    if let Some((name, program)) = other {
        let text = format!("compressed by {name}: pipe the output of {program} to `-`");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let is_gzip = start.starts_with(b"\x1f\x8b");
    let is_bzip2 = start.starts_with(b"BZh") && start.get(4..) == Some(BZIP2_BLOCK);
    let source = Cursor::new(start).chain(source);
    Ok(match (is_gzip, is_bzip2) {
        (true, _) => Box::new(MultiGzDecoder::new(source)),
        (_, true) => Box::new(MultiBzDecoder::new(source)),
        _ => Box::new(source),
    })
}
