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
/// is silent before and behind it, see [`Line::silence`]. Before it too, as a frame may
/// begin with a code byte that is a carriage return, and halt there.
#[derive(Clone, Debug, Default)]
pub struct Line {
    deframer: Deframer,
    frames: bool,
    /// Nothing came since the last silence.
    quiet: bool,
    /// What came since then is Enter alone.
    enter: bool,
}

impl Line {
    /// A line that carries text.
    pub const fn new() -> Self {
        Self {
            deframer: Deframer::new(),
            frames: false,
            quiet: false,
            enter: false,
        }
    }

    /// Whether the line carries frames.
    pub fn frames(&self) -> bool {
        self.frames
    }

    /// Whether something has come that [`Line::silence`] puts an end to.
    pub fn begun(&self) -> bool {
        self.frames && !self.quiet
    }

    /// Takes the next byte.
    pub fn byte(&mut self, byte: u8) -> Heard<'_> {
        if !self.frames {
            if byte != DELIMITER {
                return Heard::Text(byte);
            }
            self.frames = true;
            self.forget(false);
            return Heard::Program;
        }
        self.enter = (self.quiet || self.enter) && matches!(byte, b'\r' | b'\n');
        self.quiet = false;
        match self.deframer.byte(byte) {
            None => Heard::Nothing,
            Some(Ok(frame)) => Heard::Frame(frame),
            Some(Err(error)) => Heard::Bad(error),
        }
    }

    /// Nothing came for [`SILENCE_MS`](crate::limits::SILENCE_MS): gives half a frame
    /// up. Says whether it was a person, and the line now carries text.
    pub fn silence(&mut self) -> bool {
        let person = self.frames && self.enter;
        if person {
            self.frames = false;
        }
        self.forget(true);
        person
    }

    /// From now on the line carries text.
    pub fn leave(&mut self) {
        self.frames = false;
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
        assert!(line.begun());
        // Behind a frame without a pause it is none.
        assert_eq!(hear(&mut line, b"\r"), "");
        assert!(!line.silence());
        assert!(!line.begun());
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
        let mut returns = 0;
        for id in (0..=u16::MAX).step_by(7) {
            // The code byte of the shorter one is a carriage return, mostly.
            let text = ["route flush all\r\r\r", "\r\r\r"][usize::from(id % 2)];
            let len = Request::Line { text }.encode(id, &mut out).unwrap();
            returns += u32::from(out[1] == b'\r');
            for end in 1..len {
                let mut line = Line::new();
                hear_all(&mut line, &ping());
                line.silence();
                hear_all(&mut line, &out[..end]);
                assert!(!line.silence());
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
        /// A person is whoever presses Enter between two silences, and nobody else.
        #[test]
        fn only_enter_between_silences_is_a_person(
            bytes in proptest::collection::vec(
                prop_oneof![Just(None), Just(Some(0)), Just(Some(b'\r')), Just(Some(b'\n')), Just(Some(b'x'))],
                0..200,
            )
        ) {
            let mut line = Line::new();
            // What came since the last silence, and whether there was one within frames.
            let (mut since, mut quiet, mut frames) = (Vec::new(), false, false);
            for byte in bytes {
                let Some(byte) = byte else {
                    let enter = since.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
                    let person = frames && quiet && !since.is_empty() && enter;
                    prop_assert_eq!(line.begun(), frames && !(quiet && since.is_empty()));
                    prop_assert_eq!(line.silence(), person);
                    (quiet, frames) = (frames, frames && !person);
                    since.clear();
                    prop_assert!(!line.begun());
                    continue;
                };
                let text = line.byte(byte) == Heard::Text(byte);
                prop_assert_eq!(text, !frames && byte != 0);
                if !frames && byte == 0 {
                    (frames, quiet) = (true, false);
                    since.clear();
                }
                since.push(byte);
            }
            prop_assert_eq!(line.frames(), frames);
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
