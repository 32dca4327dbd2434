// SPDX-License-Identifier: MIT OR Apache-2.0
//! One line for people and programs: tells typed text from frames.

use crate::frame::{DELIMITER, Deframer, Frame, FrameError};

/// The meaning of a byte of the line.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// Nothing yet.
    Nothing,
    /// Typed: this byte, and before it one that could have begun a frame.
    Text(&'a [u8]),
    /// A frame. The first one behind text takes the line, see [`Line::frames`].
    Frame(Frame<'a>),
    /// Bytes on a line that carries frames, and that are no frame.
    Bad(FrameError),
}

/// The bytes before a silence, see [`Line::silence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing, or half a frame.
    Nothing,
    /// This byte was typed behind a delimiter; it is not part of a frame.
    Text(u8),
    /// A person has pressed Enter; the line carries text from now on.
    Person,
}

/// Highest version of a frame that can take a line of text. The second byte behind the
/// delimiter is the version; no key but Ctrl with a letter from A to G sends such a byte.
const VERSION_MAX: u8 = 7;

/// The agent's end of a line that starts with text.
///
/// The first valid frame takes the line: from then on nothing is ever taken for typed
/// text. A delimiter alone, as Ctrl-Space, a telnet client's Enter (CR NUL) or noise
/// sends it, takes nothing: two bytes behind it that no frame begins with, or a silence,
/// are text again.
///
/// Two things give a taken line back: a program that says [`Leave`](crate::Request::Leave),
/// see [`Line::leave`]; and a person who presses Enter, and nothing else, where a program
/// is silent before and behind it, see [`Line::silence`]. Before it too, as a frame may
/// begin with a code byte that is a carriage return, and halt there.
#[derive(Clone, Debug, Default)]
pub struct Line {
    deframer: Deframer,
    mode: Mode,
    /// Typed bytes that are returned together.
    text: [u8; 2],
    /// No byte arrived since the last silence.
    quiet: bool,
    /// Only Enter arrived since then.
    enter: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// Typed text.
    #[default]
    Text,
    /// Behind a delimiter among text.
    Delimiter,
    /// Behind a delimiter and this byte, which is a frame's code byte or typed.
    CodeByte(u8),
    /// Among text, in what begins like a frame.
    Candidate,
    /// Frames.
    Frames,
}

impl Line {
    /// A line that carries text.
    pub const fn new() -> Self {
        Self {
            deframer: Deframer::new(),
            mode: Mode::Text,
            text: [0; 2],
            quiet: false,
            enter: false,
        }
    }

    /// Whether the line carries frames.
    pub fn frames(&self) -> bool {
        self.mode == Mode::Frames
    }

    /// Whether bytes arrived that [`Line::silence`] decides on.
    pub fn begun(&self) -> bool {
        match self.mode {
            Mode::Text => false,
            Mode::Frames => !self.quiet,
            Mode::Delimiter | Mode::CodeByte(_) | Mode::Candidate => true,
        }
    }

    /// Takes the next byte.
    pub fn byte(&mut self, byte: u8) -> Heard<'_> {
        match (self.mode, byte) {
            (Mode::Text, DELIMITER) => {
                self.forget(false);
                self.mode = Mode::Delimiter;
                Heard::Nothing
            }
            (Mode::Text, _) => {
                self.text[0] = byte;
                Heard::Text(&self.text[..1])
            }
            (Mode::Delimiter, DELIMITER) => Heard::Nothing,
            (Mode::Delimiter, _) => {
                self.mode = Mode::CodeByte(byte);
                self.deframer.byte(byte);
                Heard::Nothing
            }
            // A code byte of 1 would make the version 0.
            (Mode::CodeByte(2..), 1..=VERSION_MAX) => {
                self.mode = Mode::Candidate;
                self.deframer.byte(byte);
                Heard::Nothing
            }
            (Mode::CodeByte(first), _) => {
                self.forget(false);
                self.text = [first, byte];
                // A delimiter can begin the next frame.
                let typed = match byte {
                    DELIMITER => {
                        self.mode = Mode::Delimiter;
                        1
                    }
                    _ => {
                        self.mode = Mode::Text;
                        2
                    }
                };
                Heard::Text(&self.text[..typed])
            }
            (Mode::Candidate, _) => match self.deframer.byte(byte) {
                None => Heard::Nothing,
                Some(Ok(frame)) => {
                    self.mode = Mode::Frames;
                    Heard::Frame(frame)
                }
                // Its end may be the next one's begin.
                Some(Err(_)) => {
                    self.mode = Mode::Delimiter;
                    Heard::Nothing
                }
            },
            (Mode::Frames, _) => {
                let pressed = matches!(byte, b'\r' | b'\n') || (byte == DELIMITER && self.enter);
                self.enter = (self.quiet || self.enter) && pressed;
                self.quiet = false;
                match self.deframer.byte(byte) {
                    None => Heard::Nothing,
                    Some(Ok(frame)) => Heard::Frame(frame),
                    Some(Err(error)) => Heard::Bad(error),
                }
            }
        }
    }

    /// Nothing came for [`SILENCE_MS`](crate::limits::SILENCE_MS): gives half a frame
    /// up, and says what has ended. A line that no frame has taken carries text again.
    pub fn silence(&mut self) -> Silence {
        let ended = match self.mode {
            Mode::CodeByte(byte) => Silence::Text(byte),
            Mode::Frames if self.enter => Silence::Person,
            _ => Silence::Nothing,
        };
        if self.mode != Mode::Frames || ended == Silence::Person {
            self.mode = Mode::Text;
        }
        self.forget(true);
        ended
    }

    /// From now on the line carries text.
    pub fn leave(&mut self) {
        self.mode = Mode::Text;
        self.forget(false);
    }

    fn forget(&mut self, quiet: bool) {
        self.deframer.reset();
        self.quiet = quiet;
        self.enter = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Request;
    use crate::limits::FRAME_MAX;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    fn ping() -> Vec<u8> {
        let mut out = [0; FRAME_MAX];
        let len = Request::Ping {}.encode(7, &mut out).unwrap();
        out[..len].to_vec()
    }

    /// What is heard: text as it is, `P` a frame, `!` a bad one.
    fn hear(line: &mut Line, bytes: &[u8]) -> String {
        let mut heard = String::new();
        for &byte in bytes {
            match line.byte(byte) {
                Heard::Nothing => {}
                Heard::Text(typed) => heard.extend(typed.iter().map(|&byte| char::from(byte))),
                Heard::Frame(frame) => {
                    assert_eq!((frame.id, frame.kind), (7, 2));
                    heard.push('P');
                }
                Heard::Bad(_) => heard.push('!'),
            }
        }
        heard
    }

    /// A line that a program has taken.
    fn taken() -> Line {
        let mut line = Line::new();
        assert_eq!(hear(&mut line, &ping()), "P");
        line
    }

    #[test]
    fn the_first_frame_takes_the_line_until_leave() {
        let mut line = Line::new();
        assert_eq!(hear(&mut line, b"ping\r"), "ping\r");
        assert!(!line.frames());
        assert_eq!(hear(&mut line, &ping()), "P");
        assert!(line.frames());
        assert_eq!(hear(&mut line, &ping()), "P");
        assert_eq!(hear(&mut line, b"kernel text\r\n"), "");
        assert_eq!(hear(&mut line, &ping()), "!P");
        line.leave();
        assert_eq!(hear(&mut line, b"x"), "x");
    }

    #[test]
    fn a_delimiter_without_a_frame_leaves_the_text_whole() {
        for (bytes, typed) in [
            (&b"\0ping\r"[..], "ping\r"),
            (b"pi\0ng\r", "ping\r"),
            (b"ping\r\0route show\r\0", "ping\rroute show\r"),
            (b"ping\r\0\r\0\r\0x\r", "ping\r\r\rx\r"),
            (b"\0\0\0\0ab", "ab"),
            (b"\0a\0b\0cd", "abcd"),
        ] {
            let mut line = Line::new();
            let mut heard = hear(&mut line, bytes);
            if let Silence::Text(byte) = line.silence() {
                heard.push(byte.into());
            }
            assert_eq!(heard, typed, "{bytes:?}");
            assert!(!line.begun() && !line.frames());
        }
    }

    #[test]
    fn a_silence_gives_the_key_behind_a_delimiter() {
        let mut line = Line::new();
        assert_eq!(hear(&mut line, b"\0\r"), "");
        assert!(line.begun());
        assert_eq!(line.silence(), Silence::Text(b'\r'));
        assert_eq!(line.silence(), Silence::Nothing);
        assert_eq!(hear(&mut line, b"x"), "x");
    }

    #[test]
    fn a_damaged_first_frame_takes_nothing_and_the_next_one_does() {
        let mut line = Line::new();
        let mut bad = ping();
        bad[5] ^= 1;
        assert_eq!(hear(&mut line, &bad), "");
        assert!(!line.frames());
        assert_eq!(hear(&mut line, &ping()), "P");
        // Or half of one, and a silence.
        let mut line = Line::new();
        let half = ping().len() / 2;
        assert_eq!(hear(&mut line, &ping()[..half]), "");
        assert_eq!(line.silence(), Silence::Nothing);
        assert_eq!(hear(&mut line, b"x"), "x");
        assert_eq!(hear(&mut line, &ping()), "P");
    }

    #[test]
    fn every_frame_can_take_a_line() {
        let mut out = [0; FRAME_MAX];
        for id in (0..=u16::MAX).step_by(11) {
            let len = Request::Ping {}.encode(id, &mut out).unwrap();
            let mut line = Line::new();
            let heard = out[..len]
                .iter()
                .filter(|&&byte| line.byte(byte) != Heard::Nothing);
            assert_eq!(heard.count(), 1, "{id}");
        }
    }

    #[test]
    fn a_person_presses_enter() {
        for enter in [&b"\r\n"[..], b"\r", b"\r\0", b"\n"] {
            let mut line = taken();
            assert!(line.begun());
            // Behind a frame without a pause it is none.
            assert_eq!(hear(&mut line, b"\r"), "");
            assert_eq!(line.silence(), Silence::Nothing);
            assert!(!line.begun());
            // Nothing that is typed meanwhile is executed.
            assert_eq!(hear(&mut line, b"route flush all\r"), "");
            assert!(line.begun());
            assert_eq!(line.silence(), Silence::Nothing);
            hear(&mut line, enter);
            assert_eq!(line.silence(), Silence::Person, "{enter:?}");
            assert!(!line.frames());
            assert_eq!(hear(&mut line, b"ping\r"), "ping\r");
        }
    }

    #[test]
    fn no_frame_cut_short_looks_like_enter() {
        let mut out = [0; FRAME_MAX];
        let mut returns = 0;
        for id in (0..=u16::MAX).step_by(7) {
            // The code byte of the shorter one is a carriage return, mostly.
            let text = ["route flush all\r\r\r", "\r\r\r"][usize::from(id % 2)];
            let len = Request::Line { text }.encode(id, &mut out).unwrap();
            returns += u32::from(out[1] == b'\r');
            for end in 1..len {
                let mut line = taken();
                line.silence();
                hear_all(&mut line, &out[..end]);
                assert_eq!(line.silence(), Silence::Nothing);
                hear_all(&mut line, &out[end..len]);
                assert!(line.frames());
            }
        }
        assert!(returns > 0);
        fn hear_all(line: &mut Line, bytes: &[u8]) {
            for &byte in bytes {
                line.byte(byte);
            }
        }
    }

    proptest! {
        /// Only Enter between two silences counts as a person.
        #[test]
        fn only_enter_between_silences_gives_a_taken_line_back(
            bytes in proptest::collection::vec(
                prop_oneof![Just(None), Just(Some(b'\r')), Just(Some(b'\n')), Just(Some(b'x'))],
                0..200,
            )
        ) {
            let mut line = taken();
            // What came since the last silence, and whether there was one within frames.
            let (mut since, mut quiet) = (std::vec![b'P'], false);
            for byte in bytes {
                if !line.frames() {
                    break;
                }
                let Some(byte) = byte else {
                    let enter = since.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
                    let person = quiet && !since.is_empty() && enter;
                    prop_assert_eq!(line.begun(), !(quiet && since.is_empty()));
                    prop_assert_eq!(line.silence() == Silence::Person, person);
                    quiet = true;
                    since.clear();
                    prop_assert!(!line.begun());
                    continue;
                };
                prop_assert_eq!(line.byte(byte), Heard::Nothing);
                since.push(byte);
            }
        }

        /// Whatever is typed among delimiters is heard, in its order.
        #[test]
        fn typed_text_survives_delimiters(
            bytes in proptest::collection::vec(
                prop_oneof![Just(None), Just(Some(0)), Just(Some(b'\r')), (0x20..0x7f_u8).prop_map(Some)],
                0..200,
            )
        ) {
            let mut line = Line::new();
            let (mut heard, mut typed) = (Vec::new(), Vec::new());
            for byte in bytes.into_iter().chain([None]) {
                match byte {
                    None => if let Silence::Text(byte) = line.silence() {
                        heard.push(byte);
                    },
                    Some(byte) => {
                        if byte != 0 {
                            typed.push(byte);
                        }
                        if let Heard::Text(text) = line.byte(byte) {
                            heard.extend_from_slice(text);
                        }
                    }
                }
            }
            prop_assert_eq!(heard, typed);
            prop_assert!(!line.frames());
        }
    }

    #[test]
    fn half_a_frame_then_silence_costs_that_frame() {
        let mut line = taken();
        let frame = ping();
        assert_eq!(hear(&mut line, &frame[..frame.len() / 2]), "");
        assert_eq!(line.silence(), Silence::Nothing);
        assert_eq!(hear(&mut line, &frame[1..]), "P");
    }
}
