// SPDX-License-Identifier: MIT OR Apache-2.0
//! A client's side of a session: keeps several requests in flight and retransmits requests
//! that the line has lost.

use crate::frame::{Frame, Full};
use crate::limits::{FRAME_MAX, RAW_MAX, VERSION, WINDOW};
use crate::message::{Reason, Request, Response, UNASKED};

/// When a client sends requests again, and when it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Milliseconds from the last byte sent or received until all unanswered requests
    /// are sent again.
    pub timeout_ms: u32,
    /// Number of such times in a row, without a frame of the agent, after which the
    /// client gives up.
    pub attempts: u8,
}

/// Most transmissions of one frame, even if the agent answers others. On a line that damages
/// half of all frames in both directions, one frame of 3 * 10^12 needs more.
const SENDS_MAX: u8 = 100;

/// The next action, see [`Client::poll`].
#[derive(Debug, PartialEq, Eq)]
pub enum Task<'a> {
    /// Send these bytes, then poll again.
    Send(&'a [u8]),
    /// Wait for a frame, at most so many milliseconds, then poll again.
    Wait(u32),
    /// No request is in flight.
    Idle,
    /// The agent does not answer. Whether the first request in flight was carried out is
    /// not known.
    GiveUp,
}

/// The meaning of a frame, see [`Client::frame`].
#[derive(Debug, PartialEq, Eq)]
pub enum News<'a> {
    /// The answer to the request of this id, the oldest one in flight.
    Answer(u16, Response<'a>),
    /// An unsolicited response.
    Unasked(Response<'a>),
    /// Nothing new.
    Nothing,
    /// The session is over: the agent was restarted, or another client has taken the
    /// line. Whether the requests in flight were carried out is not known.
    NoSession,
    /// The agent speaks another version of the protocol.
    Version(u8),
    /// The agent's answer cannot be understood.
    Unreadable,
}

#[derive(Clone, Debug)]
struct Slot {
    bytes: heapless::Vec<u8, FRAME_MAX>,
    due: bool,
    sends: u8,
}

/// The client's state of a session. Times are milliseconds of a monotonic clock, and may wrap
/// around.
#[derive(Clone, Debug)]
pub struct Client {
    slots: heapless::Deque<Slot, WINDOW>,
    /// Id of the oldest slot.
    first: u16,
    retry: RetryPolicy,
    deadline: u32,
    /// Time limits that expired since the last frame of the agent.
    silences: u8,
    /// When all requests in flight were last marked for retransmission, and whether the oldest
    /// request is the same since.
    went_back: Option<u32>,
    welcome: bool,
    raw_max: usize,
    window: usize,
}

impl Client {
    /// A session that begins with a hello in flight. `session` and `first` are to
    /// be chosen at random.
    pub fn new(session: u32, first: u16, retry: RetryPolicy) -> Self {
        let mut client = Self {
            slots: heapless::Deque::new(),
            first,
            retry,
            deadline: 0,
            silences: 0,
            went_back: None,
            welcome: false,
            raw_max: RAW_MAX,
            window: 1,
        };
        client
            .push(&Request::Hello { session })
            .expect("a hello is short");
        client
    }

    /// Sets the policy from now on.
    pub fn set_retry_policy(&mut self, retry: RetryPolicy) {
        self.retry = retry;
    }

    /// Requests that may be given to [`Client::push`] now. Before the agent has
    /// answered the hello there are none.
    pub fn room(&self) -> usize {
        self.window.saturating_sub(self.slots.len())
    }

    /// Requests in flight.
    pub fn pending(&self) -> usize {
        self.slots.len()
    }

    /// Queues a request to be sent; gives its id. Fails if there is no room, or the
    /// frame is longer than the agent takes.
    pub fn push(&mut self, request: &Request<'_>) -> Result<u16, Full> {
        if self.room() == 0 {
            return Err(Full);
        }
        let id = self.first.wrapping_add(self.slots.len() as u16);
        let mut bytes = heapless::Vec::from_array([0; FRAME_MAX]);
        let len = request.encode(id, &mut bytes)?;
        if len > self.raw_max + self.raw_max.div_ceil(254) + 2 {
            return Err(Full);
        }
        bytes.truncate(len);
        self.slots
            .push_back(Slot {
                bytes,
                due: true,
                sends: 0,
            })
            .map_err(|_| Full)?;
        Ok(id)
    }

    /// The next frame of those that are due, without regard to the time limit: a caller that has
    /// not read what came meanwhile sends these alone.
    pub fn due(&mut self, now: u32) -> Option<&[u8]> {
        let slot = self.slots.iter_mut().find(|slot| slot.due)?;
        if slot.sends >= SENDS_MAX {
            return None;
        }
        slot.due = false;
        slot.sends += 1;
        self.deadline = now.wrapping_add(self.retry.timeout_ms);
        Some(&slot.bytes)
    }

    /// The next action. Call [`Client::frame`] for all that has come first, also for what came
    /// during a send: a time limit that has expired counts as the silence of the agent.
    pub fn poll(&mut self, now: u32) -> Task<'_> {
        if self.slots.is_empty() {
            return Task::Idle;
        }
        let due = self.slots.iter().any(|slot| slot.due);
        if !due {
            let left = self.deadline.wrapping_sub(now);
            if left > 0 && left <= self.retry.timeout_ms {
                return Task::Wait(left);
            }
            self.silences = self.silences.saturating_add(1);
            self.send_again(now);
        }
        if self.silences >= self.retry.attempts {
            return Task::GiveUp;
        }
        match self.due(now) {
            Some(bytes) => Task::Send(bytes),
            None => Task::GiveUp,
        }
    }

    fn send_again(&mut self, now: u32) {
        self.went_back = Some(now);
        self.slots.iter_mut().for_each(|slot| slot.due = true);
    }

    /// The same because of what was heard: once for what is one loss, as all that was
    /// behind the lost frame is complained of too.
    fn lost(&mut self, now: u32) {
        let pause = self.retry.timeout_ms / 4;
        if self
            .went_back
            .is_none_or(|before| now.wrapping_sub(before) >= pause)
        {
            self.send_again(now);
        }
    }

    /// Takes a frame of the agent.
    pub fn frame<'f>(&mut self, frame: &Frame<'f>, now: u32) -> News<'f> {
        if frame.version != VERSION {
            return News::Version(frame.version);
        }
        let response = match Response::decode(frame) {
            Ok(response) => response,
            // A newer agent may send kinds that this version does not know.
            Err(_) if frame.kind >= UNASKED => return News::Nothing,
            Err(_) => return News::Unreadable,
        };
        self.silences = 0;
        if frame.kind >= UNASKED {
            return News::Unasked(response);
        }
        let place = usize::from(frame.id.wrapping_sub(self.first));
        if let Response::Nak { reason } = response {
            match reason {
                Reason::NO_SESSION if self.welcome && !self.slots.is_empty() => {
                    return News::NoSession;
                }
                Reason::VERSION => return News::Version(frame.version),
                _ => self.lost(now),
            }
            return News::Nothing;
        }
        if place >= self.slots.len() {
            return News::Nothing;
        }
        if place > 0 {
            // Answers arrive in order, so the previous answer was lost.
            self.lost(now);
            return News::Nothing;
        }
        self.slots.pop_front();
        self.first = self.first.wrapping_add(1);
        self.went_back = None;
        self.deadline = now.wrapping_add(self.retry.timeout_ms);
        if let (
            false,
            Response::Welcome {
                raw_max, window, ..
            },
        ) = (self.welcome, response)
        {
            self.welcome = true;
            self.raw_max = RAW_MAX.min(raw_max.into());
            self.window = usize::from(window).clamp(1, WINDOW);
        }
        News::Answer(frame.id, response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Server, Verdict};
    use crate::{Deframer, SCHEMA};
    use std::vec::Vec;

    const RETRY: RetryPolicy = RetryPolicy {
        timeout_ms: 1000,
        attempts: 3,
    };

    fn welcome() -> Response<'static> {
        let (raw_max, window, items_max) = (RAW_MAX as u16, WINDOW as u8, 128);
        Response::Welcome {
            boot: 1,
            schema: SCHEMA,
            raw_max,
            window,
            items_max,
            agent: "0",
        }
    }

    /// Hands one frame over.
    fn with_frame<R>(bytes: &[u8], mut f: impl FnMut(&Frame<'_>) -> R) -> R {
        let mut deframer = Deframer::new();
        for &byte in bytes {
            if let Some(frame) = deframer.byte(byte) {
                return f(&frame.unwrap());
            }
        }
        panic!("no frame");
    }

    fn sent(client: &mut Client, now: u32) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while let Task::Send(bytes) = client.poll(now) {
            all.push(bytes.to_vec());
        }
        all
    }

    fn answer(id: u16, response: &Response<'_>) -> Vec<u8> {
        let mut out = [0; FRAME_MAX];
        let len = response.encode(id, &mut out).unwrap();
        out[..len].to_vec()
    }

    fn take(client: &mut Client, bytes: &[u8], now: u32) -> bool {
        with_frame(bytes, |frame| {
            matches!(client.frame(frame, now), News::Answer(..))
        })
    }

    fn open(first: u16) -> Client {
        let mut client = Client::new(9, first, RETRY);
        assert_eq!(client.room(), 0);
        assert_eq!(sent(&mut client, 0).len(), 1);
        assert!(take(&mut client, &answer(first, &welcome()), 0));
        assert_eq!(client.room(), WINDOW);
        client
    }

    #[test]
    fn a_window_of_requests_is_answered_in_order() {
        let mut client = open(u16::MAX - 1);
        for _ in 0..WINDOW {
            client.push(&Request::Ping {}).unwrap();
        }
        assert_eq!(client.push(&Request::Ping {}), Err(Full));
        assert_eq!(sent(&mut client, 5).len(), WINDOW);
        assert_eq!(client.poll(105), Task::Wait(900));
        for id in [u16::MAX, 0, 1, 2] {
            assert!(take(&mut client, &answer(id, &Response::Done {}), 6));
            // A second Nak of the same loss has no effect.
            assert!(!take(&mut client, &answer(id, &Response::Done {}), 6));
        }
        assert_eq!(client.poll(7), Task::Idle);
    }

    #[test]
    fn what_is_lost_is_sent_again() {
        for news in [
            answer(2, &Response::Done {}),
            answer(
                1,
                &Response::Nak {
                    reason: Reason::DAMAGED,
                },
            ),
            answer(
                1,
                &Response::Nak {
                    reason: Reason(200),
                },
            ),
        ] {
            let mut client = open(0);
            for _ in 0..WINDOW {
                client.push(&Request::Ping {}).unwrap();
            }
            let first = sent(&mut client, 0);
            assert!(!take(&mut client, &news, 10));
            assert_eq!(sent(&mut client, 10), first);
            // The agent also sends a Nak for each frame behind the lost one.
            assert!(!take(&mut client, &news, 20));
            assert_eq!(sent(&mut client, 20), [[0; 0]; 0]);
            // Again lost: the time limit, and then the end.
            assert_eq!(sent(&mut client, 1010), first);
            assert_eq!(sent(&mut client, 2010), first);
            assert_eq!(client.poll(3010), Task::GiveUp);
        }
    }

    #[test]
    fn an_agent_that_complains_is_given_more_time_but_not_for_ever() {
        let nak = answer(
            1,
            &Response::Nak {
                reason: Reason::DAMAGED,
            },
        );
        let mut client = open(0);
        client.push(&Request::Ping {}).unwrap();
        assert_eq!(sent(&mut client, 0).len(), 1);
        let mut now = 0;
        for _ in 1..SENDS_MAX {
            now += 500;
            take(&mut client, &nak, now);
            assert_eq!(sent(&mut client, now).len(), 1);
        }
        take(&mut client, &nak, now + 500);
        assert_eq!(client.poll(now + 500), Task::GiveUp);
    }

    #[test]
    fn the_end_of_a_session_is_told() {
        let mut client = Client::new(9, 0, RETRY);
        let nak = answer(
            0,
            &Response::Nak {
                reason: Reason::NO_SESSION,
            },
        );
        sent(&mut client, 0);
        // The hello is still in flight.
        assert!(!take(&mut client, &nak, 1));
        assert_eq!(sent(&mut client, 1).len(), 1);
        assert!(take(&mut client, &answer(0, &welcome()), 2));
        client.push(&Request::Ping {}).unwrap();
        sent(&mut client, 3);
        assert!(with_frame(&nak, |frame| client.frame(frame, 4) == News::NoSession));
    }

    #[test]
    fn both_sides_agree_over_a_bad_line() {
        // One of three frames is lost in each direction.
        let mut random = 1u64;
        let mut lost = move || {
            random = random
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (random >> 33).is_multiple_of(3)
        };
        let retry = RetryPolicy {
            timeout_ms: 1000,
            attempts: u8::MAX,
        };
        let mut client = Client::new(9, 65000, retry);
        let mut server = Server::new();
        let (mut executed, mut answered, mut asked) = (Vec::new(), 0u32, 0u32);
        let mut now = 0u32;
        while answered < 3000 {
            while client.room() > 0 && asked < 3000 {
                client
                    .push(&Request::Greet {
                        text: &std::format!("{asked}"),
                    })
                    .unwrap();
                asked += 1;
            }
            let (bytes, wait) = match client.poll(now) {
                Task::Send(bytes) => (Some(bytes.to_vec()), 1),
                Task::Wait(wait) => (None, wait),
                other => panic!("{other:?}"),
            };
            now = now.wrapping_add(wait);
            let Some(bytes) = bytes.filter(|_| !lost()) else {
                continue;
            };
            let mut nak = [0; FRAME_MAX];
            let reply = with_frame(&bytes, |frame| match server.accept(frame) {
                Verdict::Open => server.answer(&welcome()).unwrap().to_vec(),
                Verdict::Execute => {
                    let Ok(Request::Greet { text }) = Request::decode(frame) else {
                        panic!()
                    };
                    executed.push(text.parse::<u32>().unwrap());
                    server.answer(&Response::Done {}).unwrap().to_vec()
                }
                Verdict::Repeat(bytes) => bytes.to_vec(),
                Verdict::Refuse(reason) => {
                    let len = server.nak(reason, &mut nak);
                    nak[..len].to_vec()
                }
                Verdict::Ignore => panic!(),
            });
            if !lost() {
                let welcome = !client.welcome;
                let took = take(&mut client, &reply, now);
                answered += u32::from(took && !welcome);
            }
        }
        assert!(executed.into_iter().eq(0..3000));
    }
}
