// SPDX-License-Identifier: MIT OR Apache-2.0
//! The output buffer of a terminal.

use std::fmt;

use super::printable::printable;

/// Capacity of an [`Output`]. The longest single reply, `help` of everything,
/// takes a third of it.
pub const OUTPUT_MAX: usize = 16 * 1024;

/// The output buffer of a terminal, of fixed size.
///
/// A writer asks for [`Output::room`] first. Text that does not fit is dropped whole and
/// counted, so that a fault becomes visible and takes no memory.
#[derive(Debug)]
pub struct Output {
    bytes: heapless::Vec<u8, OUTPUT_MAX>,
    start: usize,
    /// End lines with CR LF, as terminals in raw mode need.
    crlf: bool,
    /// Discards added text.
    muted: bool,
    dropped: usize,
}

impl Output {
    /// An empty buffer.
    pub fn new(crlf: bool) -> Self {
        Self {
            bytes: heapless::Vec::new(),
            start: 0,
            crlf,
            muted: false,
            dropped: 0,
        }
    }

    /// The bytes to send.
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Removes the first `count` bytes.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
        if self.start == self.bytes.len() {
            self.clear();
        }
    }

    /// Drops the bytes that were not sent.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }

    /// Whether `bytes` more fit.
    pub fn room(&self, bytes: usize) -> bool {
        OUTPUT_MAX - self.pending().len() >= bytes
    }

    /// Sets whether added text is discarded.
    pub fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Bytes that did not fit so far.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Ends a line.
    pub fn end_line(&mut self) {
        self.raw(if self.crlf { b"\r\n" } else { b"\n" });
    }

    /// Adds bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        if self.muted {
            return;
        }
        if self.bytes.len() + bytes.len() > OUTPUT_MAX && self.start > 0 {
            self.bytes.copy_within(self.start.., 0);
            self.bytes.truncate(self.bytes.len() - self.start);
            self.start = 0;
        }
        if self.bytes.extend_from_slice(bytes).is_err() {
            self.dropped += bytes.len();
        }
    }
}

/// A part of a line, made printable. See [`Output::end_line`].
impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c| printable(c) != c) {
            let (before, from) = rest.split_at(at);
            let mut chars = from.chars();
            let c = chars.next().map_or('?', printable);
            self.raw(before.as_bytes());
            self.raw(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest = chars.as_str();
        }
        self.raw(rest.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn lines_end_as_the_terminal_wants() {
        let mut output = Output::new(true);
        output.end_line();
        assert_eq!(output.pending(), b"\r\n");
        let mut output = Output::new(false);
        output.end_line();
        assert_eq!(output.pending(), b"\n");
    }

    #[test]
    fn text_neither_steers_the_terminal_nor_ends_a_line() {
        let mut output = Output::new(true);
        write!(output, "\x1b[2Ja\tb\r\nI200 caf\u{e9}\u{9b}").unwrap();
        assert_eq!(output.pending(), "?[2Ja b??I200 caf\u{e9}?".as_bytes());
    }

    #[test]
    fn room_comes_back_as_bytes_are_sent() {
        let mut output = Output::new(false);
        output.raw(&[b'x'; OUTPUT_MAX]);
        assert!(!output.room(1));
        output.raw(b"lost");
        assert_eq!(output.dropped(), 4);
        output.consume(10);
        output.raw(&[b'y'; 10]);
        assert_eq!(output.dropped(), 4);
        assert_eq!(output.pending().len(), OUTPUT_MAX);
        assert!(output.pending().ends_with(&[b'y'; 10]));
        output.consume(OUTPUT_MAX);
        assert!(output.pending().is_empty());
    }
}
