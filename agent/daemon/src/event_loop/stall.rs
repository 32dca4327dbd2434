// SPDX-License-Identifier: MIT OR Apache-2.0
//! A terminal that takes no output: flow control holds the line, or an adapter has no
//! reader. Such a line must not hold up the agent's other work for ever.

use std::time::{Duration, Instant};

/// The agent drops its output after the line took nothing for so long.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// Whether the serial line takes output. See the module.
#[derive(Debug, Default)]
pub(super) struct Stall {
    /// Since when the line has taken nothing of the pending output.
    since: Option<Instant>,
    /// Bytes dropped since the line last took some.
    dropped: usize,
}

impl Stall {
    /// The line has taken bytes; gives the number of bytes dropped before.
    pub(super) fn took(&mut self) -> usize {
        std::mem::take(self).dropped
    }

    /// The line has taken nothing of `pending` bytes. Says whether the caller is to drop
    /// them; from then on until [`Stall::took`] it is.
    pub(super) fn blocked(&mut self, pending: usize, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let expired = now.duration_since(since) >= LIMIT;
        if expired {
            self.dropped += pending;
        }
        expired
    }

    /// Whether output was dropped since the line last took some.
    pub(super) fn has_dropped(&self) -> bool {
        self.dropped > 0
    }

    /// When pending output will be dropped; `None` where the line takes output.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_dropped_from_the_limit_on_until_the_line_takes_some() {
        let (mut stall, start) = (Stall::default(), Instant::now());
        assert_eq!(stall.deadline(), None);
        assert!(!stall.blocked(5, start));
        assert!(!stall.blocked(5, start + LIMIT / 2));
        assert_eq!(stall.deadline(), Some(start + LIMIT));
        assert!(stall.blocked(5, start + LIMIT));
        assert!(stall.blocked(7, start + LIMIT * 2));
        assert_eq!(stall.took(), 12);
        assert_eq!(stall.deadline(), None);
        assert!(!stall.blocked(5, start + LIMIT * 2));
        assert_eq!(stall.took(), 0);
    }
}
