// SPDX-License-Identifier: MIT OR Apache-2.0
//! The course of `traceroute ADDRESS`: three requests for each number of hops, one after the
//! other, until the address itself replies.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::ping::Milliseconds;
use crate::platform::icmp_echo::{Answer, AnswerKind};

/// Most hops that are looked at.
pub(super) const HOPS_MAX: u8 = 30;

/// Requests for each hop.
const TRIES: u8 = 3;

/// Time for an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a traceroute has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The address replied, after this number of hops.
    Reached(u8),
    /// A router does not send packets on to the address.
    Rejected(&'static str),
    /// No reply within [`HOPS_MAX`] hops.
    TooFar,
}

/// Requests with a growing TTL, and their answers.
#[derive(Debug)]
pub(super) struct Traceroute {
    hop: u8,
    tries: u8,
    sequence: u16,
    /// When the request was sent that waits for its answer.
    sent: Option<Instant>,
    due: Instant,
    line: String,
    /// The last router that the line names.
    router: Option<IpAddr>,
    reached: bool,
    rejected: Option<&'static str>,
    end: Option<End>,
}

impl Traceroute {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            hop: 1,
            tries: 0,
            sequence: 0,
            sent: None,
            due: now,
            line: String::new(),
            router: None,
            reached: false,
            rejected: None,
            end: None,
        }
    }

    /// When there is something to do without an answer.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The TTL and the number of the request that is to be sent now.
    pub(super) fn to_send(&self) -> Option<(u8, u16)> {
        let waits = self.sent.is_some() || self.end.is_some();
        (!waits).then_some((self.hop, self.sequence + 1))
    }

    /// The request is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.sequence += 1;
        self.sent = Some(now);
        self.due = now + PATIENCE;
    }

    /// Takes an answer; gives the line of a hop that is complete.
    pub(super) fn answered(&mut self, answer: &Answer, now: Instant) -> Option<String> {
        let at = self.sent.filter(|_| answer.sequence == self.sequence)?;
        if let Some(from) = answer.from.filter(|from| self.router != Some(*from)) {
            let _ = write!(self.line, " {from}");
            self.router = Some(from);
        }
        let time = Milliseconds(now.saturating_duration_since(at));
        let _ = write!(self.line, " {time} ms");
        match answer.kind {
            AnswerKind::Reply { .. } => self.reached = true,
            AnswerKind::TimeExceeded => {}
            AnswerKind::Error(text) => self.rejected = Some(text),
        }
        self.tried(now)
    }

    /// Gives a request up whose time is over; gives the line of a hop that is complete.
    pub(super) fn expire(&mut self, now: Instant) -> Option<String> {
        if self.sent.is_none() || now < self.due {
            return None;
        }
        self.line.push_str(" *");
        self.tried(now)
    }

    /// How it has ended.
    pub(super) fn end(&self) -> Option<End> {
        self.end
    }

    fn tried(&mut self, now: Instant) -> Option<String> {
        self.sent = None;
        self.due = now;
        self.tries += 1;
        if self.tries < TRIES {
            return None;
        }
        let line = format!("{:>2}{}", self.hop, std::mem::take(&mut self.line));
        self.end = match self.rejected {
            _ if self.reached => Some(End::Reached(self.hop)),
            Some(text) => Some(End::Rejected(text)),
            None => (self.hop == HOPS_MAX).then_some(End::TooFar),
        };
        self.hop += 1;
        self.tries = 0;
        self.router = None;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(traceroute: &Traceroute, last: u8, kind: AnswerKind) -> Answer {
        Answer {
            sequence: traceroute.sequence,
            from: Some([192, 0, 2, last].into()),
            kind,
        }
    }

    const REPLY: AnswerKind = AnswerKind::Reply {
        bytes: 56,
        ttl: None,
    };

    #[test]
    fn each_hop_has_a_line_with_its_routers_and_times() {
        let begin = Instant::now();
        let mut traceroute = Traceroute::new(begin);
        let mut lines = Vec::new();
        for (hop, last, kind) in [
            (1, 1, AnswerKind::TimeExceeded),
            (1, 1, AnswerKind::TimeExceeded),
            (1, 2, AnswerKind::TimeExceeded),
            (2, 9, REPLY),
            (2, 9, REPLY),
            (2, 9, REPLY),
        ] {
            assert_eq!(traceroute.to_send().unwrap().0, hop);
            traceroute.sent(begin);
            assert_eq!(traceroute.to_send(), None);
            let answer = answer(&traceroute, last, kind);
            let late = Answer {
                sequence: answer.sequence - 1,
                ..answer
            };
            assert_eq!(traceroute.answered(&late, begin), None);
            lines.extend(traceroute.answered(&answer, begin + Duration::from_millis(2)));
        }
        assert_eq!(
            lines,
            [
                " 1 192.0.2.1 2.00 ms 2.00 ms 192.0.2.2 2.00 ms",
                " 2 192.0.2.9 2.00 ms 2.00 ms 2.00 ms"
            ]
        );
        assert_eq!(traceroute.end(), Some(End::Reached(2)));
        assert_eq!(traceroute.to_send(), None);
    }

    #[test]
    fn silent_hops_are_stars_and_thirty_of_them_are_the_end() {
        let mut now = Instant::now();
        let mut traceroute = Traceroute::new(now);
        let mut lines = Vec::new();
        while traceroute.end().is_none() {
            traceroute.sent(now);
            assert_eq!(traceroute.expire(now), None);
            now = traceroute.due();
            lines.extend(traceroute.expire(now));
        }
        assert_eq!(traceroute.end(), Some(End::TooFar));
        assert_eq!((lines.len(), &*lines[29]), (30, "30 * * *"));
    }

    #[test]
    fn router_that_rejects_packets_ends_it() {
        let now = Instant::now();
        let mut traceroute = Traceroute::new(now);
        for _ in 0..TRIES {
            traceroute.sent(now);
            let kind = AnswerKind::Error("prohibited");
            let answer = answer(&traceroute, 1, kind);
            traceroute.answered(&answer, now);
        }
        assert_eq!(traceroute.end(), Some(End::Rejected("prohibited")));
    }
}
