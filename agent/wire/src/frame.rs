// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames: bytes of the line in, frames out, and back.

use crc::{CRC_32_ISCSI, Crc, Digest, NoTable};
use postcard::ser_flavors::Flavor;

use crate::limits::{CRC_LEN, HEADER_LEN, RAW_MAX, VERSION};

/// CRC-32C. Bit by bit it is still a hundred times faster than the line, and takes no
/// table of 1 KiB.
pub(crate) const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISCSI);

/// The delimiter at both ends of a frame; never inside one.
pub const DELIMITER: u8 = 0;

/// A frame whose CRC is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Version of the protocol it is of.
    pub version: u8,
    /// Number of the request that this is, or answers.
    pub id: u16,
    /// Kind of its message.
    pub kind: u8,
    /// The message itself.
    pub body: &'a [u8],
}

/// Bytes between two delimiters that are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No COBS, too short, or the CRC is wrong.
    #[error("a frame was damaged on the line")]
    Damaged,
    /// Longer than [`RAW_MAX`] bytes.
    #[error("a frame is longer than {RAW_MAX} bytes")]
    TooLong,
}

/// Extracts frames from the bytes of a line. Returns only bytes between two delimiters whose
/// CRC is right.
#[derive(Clone, Debug)]
pub struct Deframer {
    raw: [u8; RAW_MAX],
    len: usize,
    /// Bytes up to the next code byte.
    block: u8,
    /// The current block ends with a zero byte, unless the frame ends there.
    zero: bool,
    /// Bytes arrived since the last delimiter.
    begun: bool,
    overflow: bool,
}

impl Default for Deframer {
    fn default() -> Self {
        Self::new()
    }
}

impl Deframer {
    /// A deframer that has seen a delimiter.
    pub const fn new() -> Self {
        Self {
            raw: [0; RAW_MAX],
            len: 0,
            block: 0,
            zero: false,
            begun: false,
            overflow: false,
        }
    }

    /// Drops the incomplete frame.
    pub fn reset(&mut self) {
        self.len = 0;
        self.block = 0;
        self.zero = false;
        self.begun = false;
        self.overflow = false;
    }

    /// Whether a frame is incomplete.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// Takes the next byte of the line.
    pub fn byte(&mut self, byte: u8) -> Option<Result<Frame<'_>, FrameError>> {
        if byte == DELIMITER {
            return self.end();
        }
        self.begun = true;
        if self.block > 0 {
            self.block -= 1;
            self.push(byte);
            return None;
        }
        if self.zero {
            self.push(0);
        }
        self.block = byte - 1;
        self.zero = byte < 0xff;
        None
    }

    fn push(&mut self, byte: u8) {
        match self.raw.get_mut(self.len) {
            Some(place) => {
                *place = byte;
                self.len += 1;
            }
            // The rest is decoded to find the end, but not stored.
            None => self.overflow = true,
        }
    }

    fn end(&mut self) -> Option<Result<Frame<'_>, FrameError>> {
        let (len, begun, whole, overflow) = (self.len, self.begun, self.block == 0, self.overflow);
        self.reset();
        if !begun {
            return None;
        }
        if overflow {
            return Some(Err(FrameError::TooLong));
        }
        let frame = whole.then(|| parse(&self.raw[..len])).flatten();
        Some(frame.ok_or(FrameError::Damaged))
    }
}

fn parse(raw: &[u8]) -> Option<Frame<'_>> {
    let (covered, crc) = raw.split_last_chunk::<CRC_LEN>()?;
    if CRC.checksum(covered) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (&[version, low, high, kind], body) = covered.split_first_chunk::<HEADER_LEN>()?;
    let id = u16::from_le_bytes([low, high]);
    Some(Frame {
        version,
        id,
        kind,
        body,
    })
}

/// There is no room for the frame, or it is longer than a frame may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame does not fit the buffer")]
pub struct Full;

/// Writes one frame; a postcard flavor, so that a body is never stored on its own.
pub(crate) struct FrameWriter<'a> {
    out: &'a mut [u8],
    len: usize,
    /// Where the code byte of the open block is.
    code_at: usize,
    /// The code byte of the open block; `0xff` if none is open.
    code: u8,
    raw: usize,
    digest: Digest<'static, u32, NoTable>,
}

static CRC_SHARED: Crc<u32, NoTable> = CRC;

impl<'a> FrameWriter<'a> {
    /// Writes the head of a frame to the start of `out`.
    pub(crate) fn new(out: &'a mut [u8], id: u16, kind: u8) -> Result<Self, Full> {
        let mut writer = Self {
            out,
            len: 0,
            code_at: 0,
            code: 0xff,
            raw: 0,
            digest: CRC_SHARED.digest(),
        };
        writer.put(DELIMITER)?;
        let [low, high] = id.to_le_bytes();
        for byte in [VERSION, low, high, kind] {
            writer.covered(byte)?;
        }
        Ok(writer)
    }

    /// Ends the frame; gives its length.
    pub(crate) fn end(mut self) -> Result<usize, Full> {
        for byte in self.digest.clone().finalize().to_le_bytes() {
            self.stuffed(byte)?;
        }
        self.out[self.code_at] = self.code;
        self.put(DELIMITER)?;
        Ok(self.len)
    }

    fn covered(&mut self, byte: u8) -> Result<(), Full> {
        self.digest.update(&[byte]);
        self.stuffed(byte)
    }

    fn stuffed(&mut self, byte: u8) -> Result<(), Full> {
        self.raw += 1;
        if self.raw > RAW_MAX {
            return Err(Full);
        }
        // A full block is closed once another byte follows.
        if self.code == 0xff {
            if self.raw > 1 {
                self.out[self.code_at] = 0xff;
            }
            self.open()?;
        }
        if byte == 0 {
            self.out[self.code_at] = self.code;
            return self.open();
        }
        self.code += 1;
        self.put(byte)
    }

    fn open(&mut self) -> Result<(), Full> {
        self.code_at = self.len;
        self.code = 1;
        self.put(0)
    }

    fn put(&mut self, byte: u8) -> Result<(), Full> {
        *self.out.get_mut(self.len).ok_or(Full)? = byte;
        self.len += 1;
        Ok(())
    }
}

impl Flavor for FrameWriter<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.covered(byte)
            .map_err(|Full| postcard::Error::SerializeBufferFull)
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{BODY_MAX, FRAME_MAX};
    use proptest::prelude::*;
    use std::vec::Vec;

    fn encode(id: u16, kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = [0xaa; FRAME_MAX];
        let mut writer = FrameWriter::new(&mut out, id, kind).unwrap();
        body.iter().for_each(|&byte| writer.covered(byte).unwrap());
        let len = writer.end().unwrap();
        out[..len].to_vec()
    }

    type Decoded = Result<(u16, u8, Vec<u8>), FrameError>;

    /// What comes out of these bytes, bodies and errors.
    fn decode(bytes: &[u8]) -> Vec<Decoded> {
        let mut deframer = Deframer::new();
        let mut all = Vec::new();
        for &byte in bytes {
            if let Some(result) = deframer.byte(byte) {
                all.push(result.map(|frame| (frame.id, frame.kind, frame.body.to_vec())));
            }
        }
        all
    }

    #[test]
    fn bytes_of_a_frame() {
        // CRC-32C of 01 02 01 02 is 0x69b4b6d6 by an implementation bit by bit.
        let crc = crc_bitwise(&[1, 2, 1, 2]).to_le_bytes();
        let mut expected = std::vec![0, 9, 1, 2, 1, 2];
        expected.extend(crc);
        expected.push(0);
        assert!(!crc.contains(&0));
        assert_eq!(encode(0x0102, 2, b""), expected);
    }

    /// CRC-32C as RFC 3720 says it, slow and plain.
    fn crc_bitwise(bytes: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for &byte in bytes {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 {
                    crc >> 1 ^ 0x82f6_3b78
                } else {
                    crc >> 1
                };
            }
        }
        !crc
    }

    #[test]
    fn crc_is_crc_32c() {
        assert_eq!(CRC.checksum(b"123456789"), 0xe306_9283);
        assert_eq!(crc_bitwise(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn the_longest_frame_fits_and_no_longer_one() {
        for byte in [0, 1, 0xff] {
            let body = [byte; BODY_MAX];
            let frame = encode(1, 1, &body);
            assert!(frame.len() <= FRAME_MAX);
            assert_eq!(decode(&frame), [Ok((1, 1, body.to_vec()))]);
        }
        assert!((0..=255).any(|byte| encode(1, 1, &[byte; BODY_MAX]).len() == FRAME_MAX));
        let mut out = [0; FRAME_MAX + 10];
        let mut writer = FrameWriter::new(&mut out, 1, 1).unwrap();
        let mut all = true;
        for _ in 0..BODY_MAX + 1 {
            all &= writer.covered(7).is_ok();
        }
        assert!(!all || writer.end().is_err());
    }

    #[test]
    fn a_frame_too_long_is_dropped_to_its_end() {
        let mut line = std::vec![0];
        for _ in 0..10 {
            line.push(0xff);
            line.extend([7; 254]);
        }
        // What would be a frame of its own if the tail were looked at.
        let good = encode(5, 1, b"x");
        line.extend(&good[1..]);
        line.extend(&good);
        let decoded = decode(&line);
        assert_eq!(
            decoded,
            [Err(FrameError::TooLong), Ok((5, 1, b"x".to_vec()))]
        );
    }

    #[test]
    fn frames_may_share_a_delimiter() {
        let mut line = encode(1, 1, b"a");
        line.extend(&encode(2, 1, b"b")[1..]);
        let ids: Vec<_> = decode(&line)
            .into_iter()
            .map(|frame| frame.unwrap().0)
            .collect();
        assert_eq!(ids, [1, 2]);
    }

    #[test]
    fn an_output_too_small_is_full() {
        let whole = encode(1, 1, b"hello");
        for room in 0..whole.len() {
            let mut out = std::vec![0; room];
            let ended = FrameWriter::new(&mut out, 1, 1).and_then(|mut writer| {
                b"hello".iter().try_for_each(|&byte| writer.covered(byte))?;
                writer.end()
            });
            assert_eq!(ended, Err(Full), "{room}");
        }
    }

    proptest! {
        #[test]
        fn any_body_survives(
            id: u16,
            kind: u8,
            body in proptest::collection::vec(prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 0..=BODY_MAX),
        ) {
            let frame = encode(id, kind, &body);
            prop_assert_eq!(frame[1..frame.len() - 1].iter().position(|&byte| byte == 0), None);
            prop_assert_eq!(decode(&frame), [Ok((id, kind, body))]);
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            // A frame of any length must not be found by chance, nor anything panic.
            prop_assert!(decode(&bytes).iter().all(Result::is_err));
        }

        #[test]
        fn one_wrong_bit_is_seen(
            body in proptest::collection::vec(any::<u8>(), 0..=BODY_MAX),
            at: proptest::sample::Index,
            bit in 0..8u8,
        ) {
            let mut frame = encode(7, 1, &body);
            let inner = frame.len() - 2;
            frame[1 + at.index(inner)] ^= 1 << bit;
            prop_assert!(decode(&frame).iter().all(Result::is_err));
        }
    }
}
