// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bytes on their way to the terminal.

use std::fmt;

/// Capacity of an [`Output`]. The longest single reply, `help` of everything,
/// takes a third of it.
pub const OUTPUT_MAX: usize = 16 * 1024;

/// Bytes on their way to the terminal, in a buffer of fixed size.
///
/// Whoever writes asks for [`Output::room`] first. What does not fit all the same
/// is dropped whole and counted, so that a fault here shows and costs no memory.
#[derive(Debug)]
pub struct Output {
    bytes: heapless::Vec<u8, OUTPUT_MAX>,
    start: usize,
    /// End lines with CR LF, as terminals in raw mode need.
    crlf: bool,
    /// What is added goes nowhere.
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

    /// What is to be sent.
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Takes the first `count` bytes off.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
        if self.start == self.bytes.len() {
            self.clear();
        }
    }

    /// Forgets what was not sent.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }

    /// Whether `bytes` more fit.
    pub fn room(&self, bytes: usize) -> bool {
        OUTPUT_MAX - self.pending().len() >= bytes
    }

    /// Lets what is added go nowhere, or no more.
    pub fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Bytes that did not fit so far.
    pub fn dropped(&self) -> usize {
        self.dropped
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

/// Text, in which a LF ends a line.
impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !self.crlf {
            self.raw(text.as_bytes());
            return Ok(());
        }
        for part in text.split_inclusive('\n') {
            match part.strip_suffix('\n') {
                Some(line) => {
                    self.raw(line.as_bytes());
                    self.raw(b"\r\n");
                }
                None => self.raw(part.as_bytes()),
            }
        }
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
        write!(output, "a\nb").unwrap();
        assert_eq!(output.pending(), b"a\r\nb");
        let mut output = Output::new(false);
        write!(output, "a\nb").unwrap();
        assert_eq!(output.pending(), b"a\nb");
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
