// SPDX-License-Identifier: MIT OR Apache-2.0
//! A line of text, its cursor, and the text that was killed last. Draws nothing.

/// Longest line in bytes.
pub const LINE_MAX: usize = 512;

/// A line of text.
pub type Line = heapless::String<LINE_MAX>;

/// See the module.
#[derive(Debug, Default)]
pub struct LineBuffer {
    text: Line,
    /// Byte offset of the cursor.
    cursor: usize,
    /// Typed text did not fit and was dropped.
    overflowed: bool,
    kill_buffer: Line,
}

impl LineBuffer {
    /// The whole line.
    pub fn text(&self) -> &Line {
        &self.text
    }

    /// The line left of the cursor.
    pub fn left(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Whether typed text did not fit, so that the line is incomplete.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Empties the line; keeps the killed text.
    pub fn clear(&mut self) {
        self.text.clear();
        self.cursor = 0;
        self.overflowed = false;
    }

    /// Replaces the line; moves the cursor to its end.
    pub fn set(&mut self, line: &Line) {
        self.text.clone_from(line);
        self.cursor = self.text.len();
        self.overflowed = false;
    }

    /// Inserts typed text at the cursor; returns whether the text fits.
    pub fn insert(&mut self, text: &str) -> bool {
        let fits = self.insert_text(text);
        self.overflowed |= !fits;
        fits
    }

    /// Inserts the killed text; returns whether it fits.
    pub fn yank(&mut self) -> bool {
        let killed = self.kill_buffer.clone();
        self.insert_text(&killed)
    }

    /// Deletes the character at the cursor.
    pub fn delete_after(&mut self) {
        self.delete(self.cursor, self.after(self.cursor));
    }

    /// Deletes the character left of the cursor.
    pub fn delete_before(&mut self) {
        self.delete(self.before(self.cursor), self.cursor);
    }

    /// Moves the cursor by a character.
    pub fn move_left(&mut self) {
        self.cursor = self.before(self.cursor);
    }

    /// Moves the cursor by a character.
    pub fn move_right(&mut self) {
        self.cursor = self.after(self.cursor);
    }

    /// Moves the cursor to the start of the line.
    pub fn move_to_start(&mut self) {
        self.cursor = 0;
    }

    /// Moves the cursor to the end of the line.
    pub fn move_to_end(&mut self) {
        self.cursor = self.text.len();
    }

    /// Moves the cursor by a word.
    pub fn move_word_left(&mut self) {
        self.cursor = self.word_start();
    }

    /// Moves the cursor by a word.
    pub fn move_word_right(&mut self) {
        self.cursor = self.word_end();
    }

    /// Kills the text right of the cursor.
    pub fn kill_to_end(&mut self) {
        self.kill(self.cursor, self.text.len());
    }

    /// Kills the text left of the cursor.
    pub fn kill_to_start(&mut self) {
        self.kill(0, self.cursor);
    }

    /// Kills the text back to the previous space.
    pub fn kill_to_space(&mut self) {
        self.kill(self.space_before(), self.cursor);
    }

    /// Kills the word left of the cursor.
    pub fn kill_word_before(&mut self) {
        self.kill(self.word_start(), self.cursor);
    }

    /// Kills the word right of the cursor.
    pub fn kill_word_after(&mut self) {
        self.kill(self.cursor, self.word_end());
    }

    /// Swaps the characters around the cursor; at the end the last two.
    pub fn transpose(&mut self) {
        let at = if self.cursor == self.text.len() {
            self.before(self.cursor)
        } else {
            self.cursor
        };
        let (from, to) = (self.before(at), self.after(at));
        if from == at {
            return;
        }
        let mut swapped = heapless::String::<8>::new();
        let _ = swapped.push_str(&self.text[at..to]);
        let _ = swapped.push_str(&self.text[from..at]);
        self.delete(from, to);
        self.insert_text(&swapped);
    }

    fn insert_text(&mut self, text: &str) -> bool {
        let tail: Line = match self.text[self.cursor..].try_into() {
            Ok(tail) if self.text.len() + text.len() <= LINE_MAX => tail,
            _ => return false,
        };
        self.text.truncate(self.cursor);
        // The check above says that both fit.
        let _ = self.text.push_str(text);
        let _ = self.text.push_str(&tail);
        self.cursor += text.len();
        true
    }

    fn delete(&mut self, from: usize, to: usize) {
        let tail = Line::try_from(&self.text[to..]).unwrap_or_default();
        self.text.truncate(from);
        let _ = self.text.push_str(&tail);
        self.cursor = from;
        // An empty line is complete: the dropped text belonged to the deleted text.
        self.overflowed &= !self.text.is_empty();
    }

    fn kill(&mut self, from: usize, to: usize) {
        if from < to {
            self.kill_buffer = Line::try_from(&self.text[from..to]).unwrap_or_default();
            // The end of the text may have been dropped.
            if self.overflowed {
                self.kill_buffer.clear();
            }
            self.delete(from, to);
        }
    }

    fn before(&self, at: usize) -> usize {
        self.text[..at]
            .char_indices()
            .next_back()
            .map_or(0, |(index, _)| index)
    }

    fn after(&self, at: usize) -> usize {
        at + self.text[at..].chars().next().map_or(0, char::len_utf8)
    }

    /// Start of the word left of the cursor; see [`in_word`].
    fn word_start(&self) -> usize {
        let left = self.left().trim_end_matches(|c| !in_word(c));
        left.trim_end_matches(in_word).len()
    }

    fn word_end(&self) -> usize {
        let right = self.text[self.cursor..].trim_start_matches(|c| !in_word(c));
        self.text.len() - right.trim_start_matches(in_word).len()
    }

    /// Start of the text between the previous space and the cursor.
    fn space_before(&self) -> usize {
        self.left().trim_end().trim_end_matches(|c| c != ' ').len()
    }
}

/// Whether a character is part of a word, for the keys that move by words.
fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii()
}
