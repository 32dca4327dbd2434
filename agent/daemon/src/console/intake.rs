// SPDX-License-Identifier: MIT OR Apache-2.0
//! Filters the bytes that arrive at a person's console: CR LF is one line end, and the
//! console's own output is dropped.
//!
//! A line whose transmitter is connected to its receiver, and a terminal that echoes what it
//! receives, send the console's output back. If it were taken for commands, each reply would
//! cause another one, without end. Two signs tell such bytes from keys: a line that begins with the
//! prompt or with a status code, and more keys without Enter than a line has room for. After
//! either, all bytes are dropped until the line is quiet for [`QUIET`], or Ctrl-C.

use std::time::{Duration, Instant};

use crate::grammar::codes;

/// A LF this long after a CR is a separate key. On the slowest line it takes 33 ms.
const LINE_END: Duration = Duration::from_millis(250);

/// A silence that ends the dropping of bytes.
const QUIET: Duration = Duration::from_secs(1);

/// More keys than this without Enter and silence do not come from a person: twice a full line.
const KEYS_MAX: u32 = 2 * super::editor::LINE_MAX as u32;

/// Longest prompt, plus one byte.
const BEGIN_MAX: usize = 128;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// The start of the arriving line, as long as a prompt.
    begin: heapless::Vec<u8, BEGIN_MAX>,
    /// Keys that drew something since the last Enter.
    drawn: u32,
    deaf: bool,
    /// The dropping was reported to the terminal.
    told: bool,
    last: Option<(u8, Instant)>,
}

/// How to treat a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Take,
    Drop,
    /// The byte, and those that arrived with it, are the console's own output.
    Echo,
}

impl Intake {
    /// Takes the next byte, which arrived `now`; the terminal shows one of these prompts.
    pub(super) fn byte(&mut self, byte: u8, now: Instant, prompts: [&str; 2]) -> Verdict {
        let before = self.last.replace((byte, now));
        let pause = before.map_or(Duration::MAX, |(_, at)| now.duration_since(at));
        if pause >= QUIET {
            self.drawn = 0;
        }
        if self.deaf && (pause >= QUIET || byte == 0x03) {
            self.deaf = false;
            self.begin.clear();
        }
        if self.deaf {
            return Verdict::Drop;
        }
        match byte {
            b'\n' if pause < LINE_END && before.is_some_and(|(byte, _)| byte == b'\r') => {
                Verdict::Drop
            }
            b'\r' | b'\n' => {
                self.begin.clear();
                Verdict::Take
            }
            _ => {
                let _ = self.begin.push(byte);
                let own = |prompt: &str| self.begin == prompt.as_bytes();
                if prompts.into_iter().any(own) || is_status(&self.begin) {
                    self.deafen();
                    return Verdict::Echo;
                }
                Verdict::Take
            }
        }
    }

    /// Counts a key that drew something, or Enter. Gives whether there were more keys without
    /// Enter than a person types.
    pub(super) fn drew(&mut self, enter: bool) -> bool {
        self.drawn = if enter { 0 } else { self.drawn + 1 };
        let loops = self.drawn > KEYS_MAX;
        if loops {
            self.deafen();
        }
        loops
    }

    /// Whether to report the dropping: once until a command succeeds.
    pub(super) fn tells(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }

    /// A command has succeeded: the line carries a person's input.
    pub(super) fn succeeded(&mut self) {
        self.told = false;
    }

    fn deafen(&mut self) {
        self.deaf = true;
        self.drawn = 0;
        self.begin.clear();
    }
}

/// Whether this is the code of a status line with the blank after it.
fn is_status(text: &[u8]) -> bool {
    let [severity, a, b, c, b' '] = *text else {
        return false;
    };
    let known = |code: &codes::Code| code.to_string().as_bytes() == [severity, a, b, c];
    [a, b, c].iter().all(u8::is_ascii_digit) && codes::ALL.iter().any(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that pass of those that arrive `pause` apart.
    fn taken(intake: &mut Intake, bytes: &[u8], at: &mut Instant, pause: Duration) -> String {
        let mut taken = String::new();
        for &byte in bytes {
            *at += pause;
            match intake.byte(byte, *at, ["nl31> ", "PIN: "]) {
                Verdict::Take => taken.push(char::from(byte)),
                Verdict::Drop => {}
                Verdict::Echo => taken.push('!'),
            }
        }
        taken
    }

    #[test]
    fn cr_lf_is_one_enter_and_lf_after_a_pause_another() {
        let (mut intake, mut now) = (Intake::default(), Instant::now());
        let slow = Duration::from_millis(33);
        assert_eq!(
            taken(&mut intake, b"a\r\nb\n\r", &mut now, slow),
            "a\rb\n\r"
        );
        let mut after = |bytes: &[u8], pause| taken(&mut intake, bytes, &mut now, pause);
        assert_eq!(after(b"\n", Duration::from_secs(2)), "\n");
        assert_eq!(after(b"\r\n\n", Duration::ZERO), "\r\n");
    }

    #[test]
    fn own_output_deafens_until_the_line_is_quiet() {
        let (mut intake, mut now) = (Intake::default(), Instant::now());
        let fast = Duration::from_micros(100);
        for own in ["nl31> ", "PIN: ", "E400 ", "W204 "] {
            let bytes = format!("ping\r\n{own}route flush all\r\nroute flush all\r");
            let heard = taken(&mut intake, bytes.as_bytes(), &mut now, fast);
            assert_eq!(heard, format!("ping\r{}!", &own[..own.len() - 1]));
            now += QUIET;
        }
        assert_eq!(taken(&mut intake, b"ping\r", &mut now, fast), "ping\r");
        let heard = taken(&mut intake, b"nl31> x\x03y", &mut now, fast);
        assert_eq!(heard, "nl31>!\x03y", "Ctrl-C ends it");
        for other in ["E999 ", "I200s", "nl32> ", " nl31> "] {
            let heard = taken(&mut intake, format!("\r{other}").as_bytes(), &mut now, fast);
            assert_eq!(heard, format!("\r{other}"));
        }
    }

    #[test]
    fn keys_without_end_and_without_enter_are_no_persons() {
        let mut intake = Intake::default();
        for _ in 0..KEYS_MAX {
            assert!(!intake.drew(false));
        }
        assert!(!intake.drew(true));
        for _ in 0..KEYS_MAX {
            assert!(!intake.drew(false));
        }
        assert!(intake.drew(false));
        assert!(intake.tells() && !intake.tells());
    }
}
