// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts the table's changes that were received, and those that were lost.
//!
//! The kernel numbers the changes without a gap, and the table's description has the last
//! number. So the number of lost changes is exact, wherever they were lost.

/// The changes since the first description of a table.
#[derive(Debug, Default)]
pub struct Changes {
    /// Number of the last known change.
    last: Option<u64>,
    received: u64,
    lost: u64,
}

impl Changes {
    /// A table whose last change is `last`.
    pub fn begin(&mut self, last: Option<u64>) {
        self.last = last;
    }

    /// Change `number` was received. Gives how many changes before it were lost; `None` if
    /// this one counts as lost already, or is older than the first description.
    pub fn hear(&mut self, number: u64) -> Option<u64> {
        let lost = match self.last {
            Some(last) => number.checked_sub(last)?.checked_sub(1)?,
            None => 0,
        };
        self.last = Some(number);
        self.received += 1;
        self.lost += lost;
        Some(lost)
    }

    /// The table's last change is `last`. Gives how many changes were lost.
    pub fn catch_up(&mut self, last: u64) -> u64 {
        let lost = last.saturating_sub(self.last.unwrap_or(last));
        self.last = self.last.max(Some(last));
        self.lost += lost;
        lost
    }

    /// Number of the last known change.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// Changes that were received.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Changes that were lost.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_counts_once_as_told_or_lost() {
        let mut changes = Changes::default();
        changes.begin(Some(10));
        assert_eq!(changes.hear(10), None, "before the beginning");
        assert_eq!(changes.hear(11), Some(0));
        assert_eq!(changes.hear(15), Some(3), "12 to 14");
        assert_eq!(changes.catch_up(17), 2);
        assert_eq!(changes.hear(16), None, "counted as lost");
        assert_eq!(changes.hear(18), Some(0));
        assert_eq!(changes.catch_up(18), 0);
        assert_eq!(changes.catch_up(12), 0, "an answer that is older");
        assert_eq!((changes.received(), changes.lost()), (3, 5));
    }

    #[test]
    fn a_table_that_begins_anew_is_counted_from_there() {
        let mut changes = Changes::default();
        changes.begin(Some(10));
        changes.begin(Some(0));
        assert_eq!(changes.hear(1), Some(0));
        changes.begin(None);
        assert_eq!(
            changes.hear(7),
            Some(0),
            "the changes before it are unknown"
        );
    }
}
