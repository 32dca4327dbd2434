// SPDX-License-Identifier: MIT OR Apache-2.0
//! When a failed operation is tried again.

use std::time::{Duration, Instant};

/// Time of the next try: soon after the first failure, then less often.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) at: Instant,
    pub(super) pause: Duration,
}

impl Retry {
    pub(super) const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(5);

    pub(super) fn now() -> Self {
        Self {
            at: Instant::now(),
            pause: Self::FIRST,
        }
    }

    pub(super) fn due(&self) -> bool {
        Instant::now() >= self.at
    }

    pub(super) fn later(&mut self) {
        self.at = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(Self::LONGEST);
    }
}
