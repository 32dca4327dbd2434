// SPDX-License-Identifier: MIT OR Apache-2.0
//! The course of `ping ADDRESS`: when a request is due, what its answer means.

use std::fmt::{self, Write as _};
use std::time::{Duration, Instant};

use crate::platform::icmp_echo::{Answer, AnswerKind};

/// From one request to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// Time for the answer to the last request.
const PATIENCE: Duration = Duration::from_secs(2);

/// Requests whose answers are waited for; an answer that comes later is not counted.
const OUTSTANDING_MAX: usize = 8;

/// Requests to one address, and their answers.
#[derive(Debug)]
pub(super) struct Ping {
    count: u32,
    sent: u32,
    received: u32,
    /// When the request of a sequence number modulo [`OUTSTANDING_MAX`] was sent.
    outstanding: [Option<Instant>; OUTSTANDING_MAX],
    due: Instant,
    shortest: Duration,
    longest: Duration,
    sum: Duration,
}

impl Ping {
    pub(super) fn new(count: u32, now: Instant) -> Self {
        Self {
            count,
            sent: 0,
            received: 0,
            outstanding: [None; OUTSTANDING_MAX],
            due: now,
            shortest: Duration::MAX,
            longest: Duration::ZERO,
            sum: Duration::ZERO,
        }
    }

    /// When there is something to do without an answer.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The number of the request that is to be sent now.
    pub(super) fn to_send(&self, now: Instant) -> Option<u16> {
        let is_due = self.sent < self.count && now >= self.due;
        is_due.then(|| sequence(self.sent + 1))
    }

    /// The request is sent, or cannot be. Writes about one before it that has no answer yet.
    pub(super) fn sent(&mut self, is_sent: bool, now: Instant, line: &mut String) {
        if self.sent > 0 && self.slot(sequence(self.sent)).is_some() {
            let _ = write!(line, "no answer yet to seq {}", sequence(self.sent));
        }
        self.sent += 1;
        *self.slot(sequence(self.sent)) = is_sent.then_some(now);
        self.due = now + INTERVAL;
        if self.sent == self.count {
            self.due = now + PATIENCE;
        }
    }

    /// Writes what an answer says; nothing if no request waits for it.
    pub(super) fn answered(&mut self, answer: &Answer, now: Instant, line: &mut String) {
        let Answer {
            sequence,
            from,
            kind,
        } = answer;
        let Some(at) = self.slot(*sequence).take() else {
            return;
        };
        let time = now.saturating_duration_since(at);
        if let AnswerKind::Reply { bytes, .. } = kind {
            let _ = write!(line, "{bytes} bytes ");
        }
        if let Some(from) = from {
            let _ = write!(line, "from {from} ");
        }
        let _ = write!(line, "seq {sequence} ");
        match kind {
            AnswerKind::Reply { ttl, .. } => {
                self.received += 1;
                self.shortest = self.shortest.min(time);
                self.longest = self.longest.max(time);
                self.sum += time;
                if let Some(ttl) = ttl {
                    let _ = write!(line, "ttl {ttl} ");
                }
                let _ = write!(line, "time {} ms", Milliseconds(time));
            }
            AnswerKind::TimeExceeded => line.push_str("the TTL was used up on the way"),
            AnswerKind::Error(text) => line.push_str(text),
        }
    }

    /// Whether all requests are sent and answered, or their time is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let is_sent = self.sent == self.count;
        is_sent && (now >= self.due || self.outstanding.iter().all(Option::is_none))
    }

    /// Whether the address has replied.
    pub(super) fn has_replies(&self) -> bool {
        self.received > 0
    }

    fn slot(&mut self, sequence: u16) -> &mut Option<Instant> {
        &mut self.outstanding[usize::from(sequence) % OUTSTANDING_MAX]
    }
}

/// The sequence number of the n-th request.
fn sequence(nth: u32) -> u16 {
    (nth & 0xffff) as u16
}

/// The statistics.
impl fmt::Display for Ping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, received, .. } = self;
        let lost = sent - received;
        let percent = (u64::from(lost) * 100).checked_div((*sent).into());
        write!(
            f,
            "{sent} sent, {received} received, {} % lost",
            percent.unwrap_or(0)
        )?;
        match self.sum.checked_div(*received) {
            None => Ok(()),
            Some(mean) => write!(
                f,
                "; round trip {}/{}/{} ms",
                Milliseconds(self.shortest),
                Milliseconds(mean),
                Milliseconds(self.longest)
            ),
        }
    }
}

/// A time with two digits behind the point.
pub(super) struct Milliseconds(pub(super) Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = (self.0.as_micros() + 5) / 10;
        write!(f, "{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(sequence: u16) -> Answer {
        Answer {
            sequence,
            from: Some([192, 0, 2, 1].into()),
            kind: AnswerKind::Reply {
                bytes: 56,
                ttl: Some(64),
            },
        }
    }

    #[test]
    fn requests_leave_one_a_second_and_replies_are_counted_once() {
        let begin = Instant::now();
        let after = |milliseconds| begin + Duration::from_millis(milliseconds);
        let mut ping = Ping::new(2, begin);
        let mut line = String::new();
        assert_eq!(ping.to_send(begin), Some(1));
        ping.sent(true, begin, &mut line);
        ping.answered(&reply(1), begin + Duration::from_micros(1234), &mut line);
        assert_eq!(line, "56 bytes from 192.0.2.1 seq 1 ttl 64 time 1.23 ms");
        line.clear();
        ping.answered(&reply(1), after(2), &mut line);
        ping.answered(&reply(2), after(2), &mut line);
        assert_eq!(line, "");
        assert_eq!(ping.to_send(after(999)), None);
        assert_eq!(ping.to_send(after(1000)), Some(2));
        ping.sent(true, after(1000), &mut line);
        assert_eq!(line, "");
        assert!(!ping.is_over(after(1001)));
        ping.answered(&reply(2), after(1003), &mut line);
        assert!(ping.is_over(after(1003)) && ping.has_replies());
        let all = "2 sent, 2 received, 0 % lost; round trip 1.23/2.12/3.00 ms";
        assert_eq!(ping.to_string(), all);
    }

    #[test]
    fn lost_request_is_told_and_the_last_one_has_its_time() {
        let begin = Instant::now();
        let mut ping = Ping::new(2, begin);
        let mut line = String::new();
        ping.sent(true, begin, &mut line);
        assert_eq!(line, "");
        ping.sent(true, begin + INTERVAL, &mut line);
        assert_eq!(line, "no answer yet to seq 1");
        line.clear();
        let kind = AnswerKind::Error("host unreachable");
        let answer = Answer { kind, ..reply(2) };
        ping.answered(&answer, begin + INTERVAL, &mut line);
        assert_eq!(line, "from 192.0.2.1 seq 2 host unreachable");
        assert!(!ping.is_over(begin + INTERVAL));
        assert!(ping.is_over(begin + INTERVAL + PATIENCE));
        assert!(!ping.has_replies());
        assert_eq!(ping.to_string(), "2 sent, 0 received, 100 % lost");
    }

    #[test]
    fn request_that_cannot_be_sent_is_lost_and_awaits_nothing() {
        let begin = Instant::now();
        let mut ping = Ping::new(1, begin);
        let mut line = String::new();
        assert_eq!(ping.to_string(), "0 sent, 0 received, 0 % lost");
        ping.sent(false, begin, &mut line);
        assert!(ping.is_over(begin));
        assert_eq!(ping.to_string(), "1 sent, 0 received, 100 % lost");
    }
}
