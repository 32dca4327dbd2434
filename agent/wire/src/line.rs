// SPDX-License-Identifier: MIT OR Apache-2.0
//! One line for people and programs: tells typed text from frames.

use crate::frame::{DELIMITER, Deframer, Frame, FrameError};

/// What a byte of the line turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// Nothing yet.
    Nothing,
    /// Typed.
    Text(u8),
    /// A program begins to talk: no echo, no prompt, no text from now on.
    Program,
    /// A frame.
    Frame(Frame<'a>),
    /// Bytes that are no frame.
    Bad(FrameError),
}

/// The agent's end of a line that starts with text.
///
/// A delimiter switches to frames, where nothing is ever taken for typed text. Two
/// things switch back: a program that says [`Leave`](crate::Request::Leave), see
/// [`Line::leave`]; and a person who presses Enter, and nothing else, where a program
/// is silent, see [`Line::silence`].
#[derive(Clone, Debug, Default)]
pub struct Line {
    deframer: Deframer,
    frames: bool,
    /// What came since the last delimiter or silence is Enter alone.
    enter: bool,
}

impl Line {
    /// A line that carries text.
    pub const fn new() -> Self {
        Self {
            deframer: Deframer::new(),
            frames: false,
            enter: true,
        }
    }

    /// Whether the line carries frames.
    pub fn frames(&self) -> bool {
        self.frames
    }

    /// Whether something has come that [`Line::silence`] puts an end to.
    pub fn begun(&self) -> bool {
        self.frames && self.deframer.begun()
    }

    /// Takes the next byte.
    pub fn byte(&mut self, byte: u8) -> Heard<'_> {
        if !self.frames {
            if byte != DELIMITER {
                return Heard::Text(byte);
            }
            self.frames = true;
            self.forget();
            return Heard::Program;
        }
        if byte == DELIMITER {
            self.enter = true;
        } else {
            self.enter &= matches!(byte, b'\r' | b'\n');
        }
        match self.deframer.byte(byte) {
            None => Heard::Nothing,
            Some(Ok(frame)) => Heard::Frame(frame),
            Some(Err(error)) => Heard::Bad(error),
        }
    }

    /// Nothing came for [`SILENCE_MS`](crate::limits::SILENCE_MS): gives half a frame
    /// up. Says whether it was a person, and the line now carries text.
    pub fn silence(&mut self) -> bool {
        let person = self.begun() && self.enter;
        if person {
            self.frames = false;
        }
        self.forget();
        person
    }

    /// From now on the line carries text.
    pub fn leave(&mut self) {
        self.frames = false;
        self.forget();
    }

    fn forget(&mut self) {
        self.deframer.reset();
        self.enter = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Request;
    use crate::limits::FRAME_MAX;
    use std::string::String;
    use std::vec::Vec;

    fn ping() -> Vec<u8> {
        let mut out = [0; FRAME_MAX];
        let len = Request::Ping {}.encode(7, &mut out).unwrap();
        out[..len].to_vec()
    }

    /// What is heard: text as it is, `[` for the switch, `P` a frame, `!` a bad one.
    fn hear(line: &mut Line, bytes: &[u8]) -> String {
        let mut heard = String::new();
        for &byte in bytes {
            match line.byte(byte) {
                Heard::Nothing => {}
                Heard::Text(byte) => heard.push(byte.into()),
                Heard::Program => heard.push('['),
                Heard::Frame(frame) => {
                    assert_eq!((frame.id, frame.kind), (7, 2));
                    heard.push('P');
                }
                Heard::Bad(_) => heard.push('!'),
            }
        }
        heard
    }

    #[test]
    fn a_program_takes_over_and_leaves() {
        let mut line = Line::new();
        assert_eq!(hear(&mut line, b"ping\r"), "ping\r");
        assert_eq!(hear(&mut line, &ping()), "[P");
        assert_eq!(hear(&mut line, &ping()), "P");
        assert_eq!(hear(&mut line, b"kernel text\r\n"), "");
        assert_eq!(hear(&mut line, &ping()), "!P");
        line.leave();
        assert_eq!(hear(&mut line, b"x"), "x");
    }

    #[test]
    fn a_person_presses_enter() {
        let mut line = Line::new();
        hear(&mut line, &ping());
        assert!(!line.begun());
        assert!(!line.silence());
        // Nothing that is typed meanwhile is executed.
        assert_eq!(hear(&mut line, b"route flush all\r"), "");
        assert!(line.begun());
        assert!(!line.silence());
        assert_eq!(hear(&mut line, b"\r\n"), "");
        assert!(line.silence());
        assert!(!line.frames());
        assert_eq!(hear(&mut line, b"ping\r"), "ping\r");
    }

    #[test]
    fn no_frame_cut_short_looks_like_enter() {
        let mut out = [0; FRAME_MAX];
        let text = "route flush all\r\r\r";
        for id in (0..=u16::MAX).step_by(7) {
            let len = Request::Line { text }.encode(id, &mut out).unwrap();
            for end in 1..len {
                // The COBS code may be a carriage return; the version behind it is none.
                if end == 2 {
                    continue;
                }
                let mut line = Line::new();
                hear_all(&mut line, &out[..end]);
                assert!(!line.silence());
            }
        }
        fn hear_all(line: &mut Line, bytes: &[u8]) {
            for &byte in bytes {
                line.byte(byte);
            }
        }
    }

    #[test]
    fn half_a_frame_then_silence_costs_that_frame() {
        let mut line = Line::new();
        let frame = ping();
        assert_eq!(hear(&mut line, &frame[..frame.len() / 2]), "[");
        assert!(!line.silence());
        assert_eq!(hear(&mut line, &frame[1..]), "P");
    }
}
