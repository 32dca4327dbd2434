// SPDX-License-Identifier: MIT OR Apache-2.0
//! The agent's side of a session: every request is carried out at most once, and in
//! the order in which it was sent.

use crate::frame::{Frame, Full};
use crate::limits::{FRAME_MAX, VERSION, WINDOW};
use crate::message::{RESPONSE, Reason, Request, Response};

/// How to handle a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Close the last session's list, output or transaction; then as [`Verdict::Execute`].
    Open,
    /// Carry it out, then [`Server::answer`] it.
    Execute,
    /// It was carried out before: send the same answer again.
    Repeat(&'a [u8]),
    /// Send [`Server::nak`].
    Refuse(Reason),
    /// Not a request: do not answer, or two agents would answer each other without end.
    Ignore,
}

#[derive(Clone, Debug)]
struct Answer {
    bytes: [u8; FRAME_MAX],
    len: usize,
}

/// A session, or none yet.
#[derive(Clone, Debug)]
pub struct Server {
    /// The hello that began it: its session and its id.
    session: Option<(u32, u16)>,
    /// The id of the next request.
    expected: u16,
    /// Answers to the last requests; the index of an answer is its id modulo the window.
    answers: [Answer; WINDOW],
    /// The number of answers of this session.
    kept: usize,
}

// Places follow each other when ids wrap around.
const _: () = assert!((u16::MAX as usize + 1).is_multiple_of(WINDOW));

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// Without a session.
    pub const fn new() -> Self {
        Self {
            session: None,
            expected: 0,
            answers: [const {
                Answer {
                    bytes: [0; FRAME_MAX],
                    len: 0,
                }
            }; WINDOW],
            kept: 0,
        }
    }

    /// Judges a frame.
    pub fn accept(&mut self, frame: &Frame<'_>) -> Verdict<'_> {
        if frame.kind >= RESPONSE {
            return Verdict::Ignore;
        }
        if frame.version != VERSION {
            return Verdict::Refuse(Reason::VERSION);
        }
        // A client without random numbers repeats its session number, with another id.
        if let Ok(Request::Hello { session }) = Request::decode(frame)
            && self.session != Some((session, frame.id))
        {
            self.session = Some((session, frame.id));
            self.expected = frame.id;
            self.kept = 0;
            return Verdict::Open;
        }
        if self.session.is_none() {
            return Verdict::Refuse(Reason::NO_SESSION);
        }
        if frame.id == self.expected {
            return Verdict::Execute;
        }
        let behind = usize::from(self.expected.wrapping_sub(frame.id));
        if behind <= self.kept {
            let answer = &self.answers[usize::from(frame.id) % WINDOW];
            return Verdict::Repeat(&answer.bytes[..answer.len]);
        }
        let ahead = usize::from(frame.id.wrapping_sub(self.expected));
        Verdict::Refuse(if ahead < WINDOW {
            Reason::MISSING
        } else {
            Reason::NO_SESSION
        })
    }

    /// The answer to the request that was just carried out, as bytes to send. After
    /// an error (a field is longer than its limit) another one is to be given.
    pub fn answer(&mut self, response: &Response<'_>) -> Result<&[u8], Full> {
        let answer = &mut self.answers[usize::from(self.expected) % WINDOW];
        answer.len = response.encode(self.expected, &mut answer.bytes)?;
        self.expected = self.expected.wrapping_add(1);
        self.kept = (self.kept + 1).min(WINDOW);
        Ok(&answer.bytes[..answer.len])
    }

    /// Writes a Nak with the id of the expected request and the reason; returns its length.
    pub fn nak(&self, reason: Reason, out: &mut [u8; FRAME_MAX]) -> usize {
        Response::Nak { reason }
            .encode(self.expected, out)
            .expect("a short frame has room")
    }

    /// Whether there is a session.
    pub fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Ends the session.
    pub fn close(&mut self) {
        self.session = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: u16, kind: u8, body: &[u8]) -> Frame<'_> {
        Frame {
            version: VERSION,
            id,
            kind,
            body,
        }
    }

    const HELLO: u8 = 1;
    const PING: u8 = 2;

    fn done(server: &mut Server) -> std::vec::Vec<u8> {
        server.answer(&Response::Done {}).unwrap().to_vec()
    }

    #[test]
    fn nothing_is_carried_out_without_a_session() {
        let mut server = Server::new();
        assert_eq!(
            server.accept(&frame(0, PING, b"")),
            Verdict::Refuse(Reason::NO_SESSION)
        );
        // A malformed hello opens no session.
        assert_eq!(
            server.accept(&frame(0, HELLO, b"")),
            Verdict::Refuse(Reason::NO_SESSION)
        );
        assert_eq!(server.accept(&frame(0, RESPONSE, b"\0")), Verdict::Ignore);
    }

    #[test]
    fn a_client_that_begins_again_with_its_number_has_another_session() {
        let mut server = Server::new();
        assert_eq!(server.accept(&frame(100, HELLO, b"\x07")), Verdict::Open);
        let welcome = done(&mut server);
        // Its answer was lost.
        assert_eq!(
            server.accept(&frame(100, HELLO, b"\x07")),
            Verdict::Repeat(&welcome)
        );
        assert_eq!(server.accept(&frame(101, PING, b"")), Verdict::Execute);
        done(&mut server);
        // Before those of the session, the next one, one of it, and beyond them.
        for id in [5000, 5001, 5000, 99, 105] {
            assert_eq!(server.accept(&frame(id, HELLO, b"\x07")), Verdict::Open);
            done(&mut server);
            let next = id.wrapping_add(1);
            assert_eq!(server.accept(&frame(next, PING, b"")), Verdict::Execute);
            done(&mut server);
        }
    }

    #[test]
    fn each_request_is_carried_out_once_and_in_order() {
        for first in [0, 100, u16::MAX - 5, u16::MAX] {
            let mut server = Server::new();
            assert_eq!(server.accept(&frame(first, HELLO, b"\x07")), Verdict::Open);
            done(&mut server);
            for step in 1..20u16 {
                let id = first.wrapping_add(step);
                let ahead = id.wrapping_add(1);
                assert_eq!(
                    server.accept(&frame(ahead, PING, b"")),
                    Verdict::Refuse(Reason::MISSING)
                );
                assert_eq!(server.accept(&frame(id, PING, b"")), Verdict::Execute);
                // Not answered yet: still the next one.
                assert_eq!(server.accept(&frame(id, PING, b"")), Verdict::Execute);
                let answer = done(&mut server);
                for back in 0..WINDOW as u16 {
                    let verdict = server.accept(&frame(id.wrapping_sub(back), PING, b""));
                    if back > step {
                        assert_eq!(verdict, Verdict::Refuse(Reason::NO_SESSION));
                    } else if back == 0 {
                        assert_eq!(verdict, Verdict::Repeat(&answer));
                    } else {
                        assert!(matches!(verdict, Verdict::Repeat(bytes) if bytes != answer));
                    }
                }
                for far in [WINDOW as u16, 1000, 40000] {
                    let verdict = server.accept(&frame(id.wrapping_sub(far), PING, b""));
                    assert_eq!(verdict, Verdict::Refuse(Reason::NO_SESSION));
                    let verdict = server.accept(&frame(id.wrapping_add(1 + far), PING, b""));
                    assert_eq!(verdict, Verdict::Refuse(Reason::NO_SESSION));
                }
            }
        }
    }

    #[test]
    fn a_hello_opens_once_for_each_client() {
        let mut server = Server::new();
        assert_eq!(server.accept(&frame(5, HELLO, b"\x07")), Verdict::Open);
        let welcome = done(&mut server);
        assert_eq!(
            server.accept(&frame(5, HELLO, b"\x07")),
            Verdict::Repeat(&welcome)
        );
        assert_eq!(server.accept(&frame(6, PING, b"")), Verdict::Execute);
        done(&mut server);
        assert_eq!(
            server.accept(&frame(5, HELLO, b"\x07")),
            Verdict::Repeat(&welcome)
        );
        // Another client, with the same ids.
        assert_eq!(server.accept(&frame(5, HELLO, b"\x08")), Verdict::Open);
        done(&mut server);
        assert_eq!(server.accept(&frame(6, PING, b"")), Verdict::Execute);
        done(&mut server);
        server.close();
        assert_eq!(
            server.accept(&frame(7, PING, b"")),
            Verdict::Refuse(Reason::NO_SESSION)
        );
    }

    #[test]
    fn another_version_is_named() {
        let mut server = Server::new();
        let other = Frame {
            version: 2,
            ..frame(5, HELLO, b"\x07")
        };
        assert_eq!(server.accept(&other), Verdict::Refuse(Reason::VERSION));
    }

    #[test]
    fn an_answer_too_long_leaves_the_request_open() {
        let mut server = Server::new();
        server.accept(&frame(5, HELLO, b"\x07"));
        let text = [b'x'; FRAME_MAX];
        assert_eq!(
            server.answer(&Response::Output {
                text: &text,
                last: true
            }),
            Err(Full)
        );
        assert_eq!(server.accept(&frame(5, HELLO, b"\x07")), Verdict::Execute);
        done(&mut server);
    }
}
