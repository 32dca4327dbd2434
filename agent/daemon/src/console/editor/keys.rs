// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys from the bytes of a terminal.
//!
//! Decodes UTF-8 and the escape sequences that terminals send for keys. Every other escape
//! sequence is dropped to its end (ECMA-48, section 5), so that a terminal's reports and
//! pasted colours never become text.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character that can be shown.
    Char(char),
    /// A letter with Ctrl, as the upper-case letter.
    Ctrl(char),
    /// A key with Alt, or behind Esc.
    Alt(char),
    /// Enter
    Enter,
    /// Tab
    Tab,
    /// Backspace
    Backspace,
    /// Delete
    Delete,
    /// Cursor left
    Left,
    /// Cursor right
    Right,
    /// Cursor left by a word
    WordLeft,
    /// Cursor right by a word
    WordRight,
    /// Cursor up
    Up,
    /// Cursor down
    Down,
    /// Home
    Home,
    /// End
    End,
    /// Bytes that are not UTF-8
    Invalid,
}

/// Longest escape sequence in bytes; a longer one is not a key.
const SEQUENCE_MAX: usize = 64;
/// Longest control string (title, clipboard, answer of the terminal) in bytes.
const STRING_MAX: usize = 4096;

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Ground,
    /// Behind ESC
    Escape,
    /// Behind ESC `[`: the first number, whether a second one follows, and the length so far
    Csi {
        number: u16,
        second: u16,
        parameters: u8,
        len: usize,
    },
    /// Behind ESC `O`
    Ss3,
    /// Behind ESC and a byte from space to `/`: one more byte follows
    Intermediate,
    /// In a key or a mouse report of fixed length: the number of bytes that follow
    Fixed(u8),
    /// In a string that ends with BEL or ESC `\`
    String { escape: bool, len: usize },
}

/// Turns bytes into keys, one byte at a time.
#[derive(Debug, Default)]
pub struct KeyDecoder {
    state: State,
    /// Bytes of an incomplete character.
    utf8: heapless::Vec<u8, 4>,
}

impl KeyDecoder {
    /// Takes the next byte; returns the key that the byte completes.
    pub fn byte(&mut self, byte: u8) -> Option<Key> {
        match self.state {
            State::Ground => self.ground(byte),
            State::Escape => self.escape(byte),
            State::Csi { .. } => self.csi(byte),
            State::Ss3 => {
                self.state = State::Ground;
                match byte {
                    b'A' => Some(Key::Up),
                    b'B' => Some(Key::Down),
                    b'C' => Some(Key::Right),
                    b'D' => Some(Key::Left),
                    b'F' => Some(Key::End),
                    b'H' => Some(Key::Home),
                    b'M' => Some(Key::Enter),
                    0..0x20 => self.byte(byte),
                    _ => None,
                }
            }
            State::Intermediate => {
                self.state = State::Ground;
                if byte < 0x20 { self.byte(byte) } else { None }
            }
            // A control byte ends the sequence: it is not part of one.
            State::Fixed(_) if byte < 0x20 => {
                self.state = State::Ground;
                self.byte(byte)
            }
            State::Fixed(left) => {
                self.state = match left {
                    0..=1 => State::Ground,
                    _ => State::Fixed(left - 1),
                };
                None
            }
            State::String { escape, len } => {
                let ended = byte == 0x07 || (escape && byte == b'\\');
                // An end of a line shows that the bytes before were not a control string.
                let broken = matches!(byte, b'\r' | b'\n' | 0x03) || len >= STRING_MAX;
                self.state = if ended || broken {
                    State::Ground
                } else {
                    State::String {
                        escape: byte == 0x1b,
                        len: len + 1,
                    }
                };
                if broken { self.byte(byte) } else { None }
            }
        }
    }

    fn ground(&mut self, byte: u8) -> Option<Key> {
        if !self.utf8.is_empty() || byte >= 0x80 {
            return self.multibyte(byte);
        }
        match byte {
            // The caller has reduced CR LF to CR.
            b'\r' | b'\n' => Some(Key::Enter),
            b'\t' => Some(Key::Tab),
            0x08 | 0x7f => Some(Key::Backspace),
            0x1b => {
                self.state = State::Escape;
                None
            }
            1..=0x1a => Some(Key::Ctrl(char::from(byte + 0x40))),
            0x20..0x7f => Some(Key::Char(char::from(byte))),
            _ => None,
        }
    }

    fn multibyte(&mut self, byte: u8) -> Option<Key> {
        if !self.utf8.is_empty() && byte & 0xc0 != 0x80 {
            // Not a continuation byte: the incomplete character is dropped; the byte counts
            // by itself.
            self.utf8.clear();
            let key = self.ground(byte);
            return key.or(Some(Key::Invalid));
        }
        // At most 4 bytes: the fourth is either the last one or an error below.
        let _ = self.utf8.push(byte);
        let key = match std::str::from_utf8(&self.utf8) {
            // A byte order mark is not a key.
            Ok("\u{feff}") => None,
            Ok(text) => text.chars().next().map(|c| match c {
                // C1 controls: a terminal might execute them.
                c if c.is_control() => Key::Invalid,
                c => Key::Char(c),
            }),
            Err(error) if error.error_len().is_none() => return None,
            Err(_) => Some(Key::Invalid),
        };
        self.utf8.clear();
        key
    }

    fn escape(&mut self, byte: u8) -> Option<Key> {
        self.state = State::Ground;
        match byte {
            b'[' => {
                self.state = State::Csi {
                    number: 0,
                    second: 0,
                    parameters: 0,
                    len: 0,
                };
                None
            }
            b'O' => {
                self.state = State::Ss3;
                None
            }
            // DCS, SOS, OSC, PM, APC
            b'P' | b'X' | b']' | b'^' | b'_' => {
                self.state = State::String {
                    escape: false,
                    len: 0,
                };
                None
            }
            0x1b => {
                self.state = State::Escape;
                None
            }
            0x20..=0x2f => {
                self.state = State::Intermediate;
                None
            }
            0x7f | 0x08 => Some(Key::Alt('\x7f')),
            0x30..0x7f => Some(Key::Alt(char::from(byte))),
            // The previous ESC was the Esc key.
            _ => self.byte(byte),
        }
    }

    fn csi(&mut self, byte: u8) -> Option<Key> {
        let State::Csi {
            mut number,
            mut second,
            mut parameters,
            len,
        } = self.state
        else {
            return None;
        };
        match byte {
            b'0'..=b'9' => {
                let field = if parameters == 0 {
                    &mut number
                } else {
                    &mut second
                };
                *field = field
                    .saturating_mul(10)
                    .saturating_add(u16::from(byte - b'0'));
            }
            b';' => parameters = parameters.saturating_add(1),
            // A function key of the Linux console: `ESC [ [ A` is F1.
            b'[' if len == 0 => {
                self.state = State::Fixed(1);
                return None;
            }
            // A mouse report of X10: button, column and row, a byte each.
            b'M' if len == 0 => {
                self.state = State::Fixed(3);
                return None;
            }
            0x20..=0x3f => {}
            0x40..=0x7e => {
                self.state = State::Ground;
                let modified = parameters == 1 && matches!(second, 3 | 5);
                return match (byte, number) {
                    (b'A', _) => Some(Key::Up),
                    (b'B', _) => Some(Key::Down),
                    (b'C', _) if modified => Some(Key::WordRight),
                    (b'D', _) if modified => Some(Key::WordLeft),
                    (b'C', _) => Some(Key::Right),
                    (b'D', _) => Some(Key::Left),
                    (b'F', _) | (b'~', 4 | 8) => Some(Key::End),
                    (b'H', _) | (b'~', 1 | 7) => Some(Key::Home),
                    (b'~', 3) => Some(Key::Delete),
                    _ => None,
                };
            }
            _ => {
                // A control byte or a byte above 0x7f ends the sequence.
                self.state = State::Ground;
                return self.byte(byte);
            }
        }
        self.state = if len >= SEQUENCE_MAX {
            State::Ground
        } else {
            State::Csi {
                number,
                second,
                parameters,
                len: len + 1,
            }
        };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = KeyDecoder::default();
        bytes
            .iter()
            .filter_map(|&byte| decoder.byte(byte))
            .collect()
    }

    fn text(bytes: &[u8]) -> String {
        let mut decoder = KeyDecoder::default();
        let keys = bytes.iter().filter_map(|&byte| decoder.byte(byte));
        keys.map(|key| if let Key::Char(c) = key { c } else { '.' })
            .collect()
    }

    #[test]
    fn every_line_end_is_one_enter() {
        assert_eq!(keys(b"\r"), [Key::Enter]);
        assert_eq!(keys(b"\n"), [Key::Enter]);
        assert_eq!(keys(b"\r\r"), [Key::Enter; 2]);
    }

    #[test]
    fn keys_of_the_usual_terminals() {
        assert_eq!(keys(b"\x1b[A\x1bOA\x1b[1;2A"), [Key::Up; 3]);
        assert_eq!(keys(b"\x1b[H\x1b[1~\x1b[7~\x1bOH"), [Key::Home; 4]);
        assert_eq!(keys(b"\x1b[F\x1b[4~\x1b[8~\x1bOF"), [Key::End; 4]);
        assert_eq!(keys(b"\x1b[3~\x1b[3;5~"), [Key::Delete; 2]);
        assert_eq!(keys(b"\x1b[1;5D\x1b[1;3C"), [Key::WordLeft, Key::WordRight]);
        assert_eq!(keys(b"\x1bb\x1b\x7f"), [Key::Alt('b'), Key::Alt('\x7f')]);
        assert_eq!(
            keys(b"\x01\x1a\x7f\x08\t"),
            [
                Key::Ctrl('A'),
                Key::Ctrl('Z'),
                Key::Backspace,
                Key::Backspace,
                Key::Tab,
            ]
        );
    }

    #[test]
    fn characters_are_utf8() {
        assert_eq!(text("aé€😀".as_bytes()), "aé€😀");
        assert_eq!(text("\u{feff}a".as_bytes()), "a");
        assert_eq!(text(b"\xffa"), ".a");
        assert_eq!(text(b"\xc3a"), "a");
        assert_eq!(keys(b"\xe2\x82\r"), [Key::Enter]);
        assert_eq!(keys(b"\xc0\xaf"), [Key::Invalid, Key::Invalid]);
        assert_eq!(keys(b"\xed\xa0\x80"), [Key::Invalid, Key::Invalid]);
        assert_eq!(keys(b"\xc2\x9b"), [Key::Invalid]);
    }

    #[test]
    fn reports_and_soup_are_no_text() {
        for soup in [
            b"\x1b[24;80R".as_slice(),
            b"\x1b[?1;2c",
            b"\x1b[0;31;40m",
            b"\x1b[200~",
            b"\x1b]0;title\x07",
            b"\x1b]52;c;Zm9v\x1b\\",
            b"\x1bP1$r0m\x1b\\",
            b"\x1b(B",
            b"\x1b#8",
            b"\x1b[99999999999999999999z",
            b"\0\x1c\x1f",
            b"\x1b[[A",
            b"\x1b[[E",
            b"\x1b[M !!",
            b"\x1b[M\x23\xff\xff",
            b"\x1b[<0;12;7M",
        ] {
            assert_eq!(keys(soup), [], "{soup:?}");
            assert_eq!(text(&[soup, b"x"].concat()), "x", "{soup:?}");
        }
    }

    #[test]
    fn a_sequence_cut_short_costs_no_more_than_itself() {
        assert_eq!(keys(b"\x1b[\r"), [Key::Enter]);
        assert_eq!(keys(b"\x1b\r"), [Key::Enter]);
        assert_eq!(keys(b"\x1b]never ended\r"), [Key::Enter]);
        assert_eq!(keys(b"\x1b[12\x03"), [Key::Ctrl('C')]);
        assert_eq!(keys(b"\x1b[[\r"), [Key::Enter]);
        assert_eq!(keys(b"\x1b[M!\x03"), [Key::Ctrl('C')]);
        let long = [b"\x1b[".as_slice(), &[b'1'; 200]].concat();
        assert!(text(&long).len() < 200);
        let endless = [b"\x1b]".as_slice(), &[b'x'; STRING_MAX + 10]].concat();
        assert!(!text(&endless).is_empty());
    }
}
