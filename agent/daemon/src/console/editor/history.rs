// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lines typed before.

use super::line_buffer::Line;

/// Lines kept.
const LINES: usize = 32;

/// The last lines typed, without empty ones and repetitions.
#[derive(Debug, Default)]
pub struct History {
    lines: heapless::Deque<Line, LINES>,
}

impl History {
    /// Adds a line; drops the oldest line if the history is full.
    pub fn add(&mut self, line: &Line) {
        if line.trim().is_empty() || self.lines.back() == Some(line) {
            return;
        }
        if self.lines.is_full() {
            self.lines.pop_front();
        }
        let _ = self.lines.push_back(line.clone());
    }

    /// A line; 0 is the newest.
    pub fn get(&self, index: usize) -> Option<&Line> {
        self.lines.iter().rev().nth(index)
    }

    /// The newest line that contains `text`, from `index` to older lines.
    pub fn find(&self, text: &str, index: usize) -> Option<usize> {
        let text = text.as_bytes();
        let found = |line: &Line| {
            // Lines are short, and the standard library's search is long.
            text.is_empty() || line.as_bytes().windows(text.len()).any(|part| part == text)
        };
        (index..self.lines.len()).find(|&index| self.get(index).is_some_and(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(lines: &[&str]) -> History {
        let mut history = History::default();
        lines
            .iter()
            .for_each(|&line| history.add(&line.try_into().unwrap()));
        history
    }

    #[test]
    fn newest_first_without_repetitions() {
        let history = history(&["a", "b", "b", " ", "", "a"]);
        let all: Vec<_> = (0..).map_while(|index| history.get(index)).collect();
        assert_eq!(all, ["a", "b", "a"]);
    }

    #[test]
    fn the_oldest_go_first() {
        let many: Vec<String> = (0..LINES + 5).map(|i| i.to_string()).collect();
        let history = history(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(history.get(LINES - 1).unwrap(), "5");
        assert!(history.get(LINES).is_none());
    }

    #[test]
    fn finds_older_lines_one_after_the_other() {
        let history = history(&["route a", "greet", "route b"]);
        assert_eq!(history.find("route", 0), Some(0));
        assert_eq!(history.find("route", 1), Some(2));
        assert_eq!(history.find("route", 3), None);
        assert_eq!(history.find("x", 0), None);
    }
}
