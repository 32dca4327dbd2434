// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many of the table's changes were heard of, and how many were not.
//!
//! The kernel numbers the changes without a gap, and says in the table's description
//! which was the last one. So what was lost is known exactly, wherever it was lost.

/// The changes since a table was first looked at.
#[derive(Debug, Default)]
pub struct Changes {
    /// Number of the last one that is known of.
    last: Option<u64>,
    received: u64,
    lost: u64,
}

impl Changes {
    /// A table that has come as far as `last`.
    pub fn begin(&mut self, last: Option<u64>) {
        self.last = last;
    }

    /// Change `number` was told. Gives how many before it were not; `None` if it counts
    /// as lost already, or was before the beginning.
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

    /// The table has come as far as `last`. Gives how many changes were not told.
    pub fn catch_up(&mut self, last: u64) -> u64 {
        let lost = last.saturating_sub(self.last.unwrap_or(last));
        self.last = self.last.max(Some(last));
        self.lost += lost;
        lost
    }

    /// Number of the last change that is known of.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// Changes that were told.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Changes that were not.
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
        assert_eq!(changes.hear(7), Some(0), "nobody knows what was before it");
    }
}
