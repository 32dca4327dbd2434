// SPDX-License-Identifier: MIT OR Apache-2.0
//! The line editor: keys into edits of the line, its history and its row.

use super::history::History;
use super::keys::{Key, KeyDecoder};
use super::line_buffer::{Line, LineBuffer};
use super::row::Row;
use crate::platform::output::Output;

/// A request of a key to the editor's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Enter: take [`Editor::line`], then call [`Editor::prompt`].
    Execute,
    /// Tab: complete the word left of the cursor.
    Complete,
    /// `?`: explain which words are possible at the cursor, or insert `?`.
    Help,
    /// Ctrl-C: the line was dropped; the cursor is on a new row.
    Cancel,
    /// Ctrl-D on an empty line.
    End,
}

#[derive(Debug)]
struct Search {
    /// The text to search for.
    text: heapless::String<64>,
    /// Index of the line that contains the text, see [`History::get`].
    found: Option<usize>,
}

/// One line and its history.
#[derive(Debug)]
pub struct Editor {
    keys: KeyDecoder,
    buffer: LineBuffer,
    history: History,
    /// Index of the history's line that is shown, and the line that was typed before.
    recalled: Option<usize>,
    draft: Line,
    search: Option<Search>,
    row: Row,
}

impl Editor {
    /// An editor with an empty line and nothing drawn.
    pub fn new(prompt: &str) -> Self {
        Self {
            keys: KeyDecoder::default(),
            buffer: LineBuffer::default(),
            history: History::default(),
            recalled: None,
            draft: Line::new(),
            search: None,
            row: Row::new(prompt),
        }
    }

    /// Empties the line without drawing; keeps the history.
    pub fn restart(&mut self) {
        self.reset();
        self.keys = KeyDecoder::default();
        self.search = None;
        self.row.forget();
    }

    /// Empties the line and the history without drawing: the next user may be another person.
    pub fn forget(&mut self) {
        let width = self.width();
        *self = Self::new(self.prompt_text());
        self.set_width(width);
    }

    /// Sets the number of the terminal's columns; 0 if the terminal does not report it.
    pub fn set_width(&mut self, columns: usize) {
        self.row.set_width(columns);
    }

    /// The number of the terminal's columns, or the assumed number.
    pub fn width(&self) -> usize {
        self.row.width()
    }

    /// The whole line.
    pub fn line(&self) -> &Line {
        self.buffer.text()
    }

    /// The prompt.
    pub fn prompt_text(&self) -> &str {
        self.row.prompt()
    }

    /// Sets the prompt that is drawn next.
    pub fn set_prompt(&mut self, prompt: &str) {
        self.row.set_prompt(prompt);
    }

    /// The line left of the cursor.
    pub fn left(&self) -> &str {
        self.buffer.left()
    }

    /// Whether typed text did not fit, so that the line is incomplete.
    pub fn overflowed(&self) -> bool {
        self.buffer.overflowed()
    }

    /// Column at which a byte of the line is shown; `None` unless the whole line is shown.
    pub fn shown_at(&self, offset: usize) -> Option<usize> {
        self.row.shown_at(self.line(), offset)
    }

    /// Begins a new line: draws the prompt.
    pub fn prompt(&mut self, out: &mut Output) {
        self.reset();
        self.refresh(out);
    }

    /// Redraws the line; the cursor must be at the start of an empty row.
    pub fn redraw(&mut self, out: &mut Output) {
        self.row.forget();
        self.refresh(out);
    }

    /// Clears the row for other output.
    pub fn erase(&mut self, out: &mut Output) {
        self.row.erase(out);
    }

    /// Moves the cursor to the row below the line.
    pub fn leave(&mut self, out: &mut Output) {
        out.raw(b"\r\n");
        self.row.forget();
    }

    /// Puts the line into the history.
    pub fn remember(&mut self) {
        self.history.add(self.buffer.text());
    }

    /// Inserts text at the cursor; returns whether the text fits.
    pub fn insert(&mut self, text: &str, out: &mut Output) -> bool {
        let full = self.buffer.overflowed();
        let fits = self.buffer.insert(text);
        if !fits && full {
            // The line does not change: do not compute the row for each byte of a long paste.
            return false;
        }
        // Once: a serial line that echoes returns a BEL as a key.
        if !fits {
            out.raw(b"\x07");
        }
        self.refresh(out);
        fits
    }

    /// Takes the next byte of the terminal.
    pub fn byte(&mut self, byte: u8, out: &mut Output) -> Option<Request> {
        let key = self.keys.byte(byte)?;
        if self.search.is_some() && self.search_key(key, out) {
            return None;
        }
        self.key(key, out)
    }

    fn key(&mut self, key: Key, out: &mut Output) -> Option<Request> {
        let buffer = &mut self.buffer;
        match key {
            Key::Char('?') => return Some(Request::Help),
            Key::Char(c) => {
                self.insert(c.encode_utf8(&mut [0; 4]), out);
                return None;
            }
            Key::Enter => {
                // Show the whole line above the reply, not the part around the cursor.
                buffer.move_to_end();
                self.refresh(out);
                self.leave(out);
                return Some(Request::Execute);
            }
            Key::Tab => return Some(Request::Complete),
            Key::Ctrl('C') => {
                buffer.move_to_end();
                self.refresh(out);
                out.raw(b"^C");
                self.leave(out);
                self.reset();
                return Some(Request::Cancel);
            }
            Key::Ctrl('D') if buffer.text().is_empty() => return Some(Request::End),
            Key::Ctrl('D') | Key::Delete => buffer.delete_after(),
            Key::Backspace => buffer.delete_before(),
            Key::Left | Key::Ctrl('B') => buffer.move_left(),
            Key::Right | Key::Ctrl('F') => buffer.move_right(),
            Key::Home | Key::Ctrl('A') => buffer.move_to_start(),
            Key::End | Key::Ctrl('E') => buffer.move_to_end(),
            Key::WordLeft | Key::Alt('b') => buffer.move_word_left(),
            Key::WordRight | Key::Alt('f') => buffer.move_word_right(),
            Key::Ctrl('K') => buffer.kill_to_end(),
            Key::Ctrl('U') => buffer.kill_to_start(),
            Key::Ctrl('W') => buffer.kill_to_space(),
            Key::Alt('\x7f') => buffer.kill_word_before(),
            Key::Alt('d') => buffer.kill_word_after(),
            Key::Ctrl('Y') => {
                if !buffer.yank() {
                    out.raw(b"\x07");
                }
            }
            Key::Ctrl('T') => buffer.transpose(),
            Key::Ctrl('L') => {
                out.raw(b"\r\n");
                self.redraw(out);
            }
            Key::Up | Key::Ctrl('P') => self.recall(true, out),
            Key::Down | Key::Ctrl('N') => self.recall(false, out),
            Key::Ctrl('R') => {
                self.search = Some(Search {
                    text: heapless::String::new(),
                    found: None,
                });
            }
            Key::Invalid => out.raw(b"\x07"),
            Key::Ctrl(_) | Key::Alt(_) => {}
        }
        self.refresh(out);
        None
    }

    /// Handles a key during a search in the history; returns whether the search takes the key.
    fn search_key(&mut self, key: Key, out: &mut Output) -> bool {
        let Some(search) = &mut self.search else {
            return false;
        };
        match key {
            Key::Char(c) => {
                if search.text.push(c).is_err() {
                    out.raw(b"\x07");
                }
            }
            Key::Backspace => {
                search.text.pop();
                search.found = None;
            }
            Key::Ctrl('R') => {
                let from = search.found.map_or(0, |found| found + 1);
                match self.history.find(&search.text, from) {
                    Some(found) => search.found = Some(found),
                    None => out.raw(b"\x07"),
                }
                self.refresh(out);
                return true;
            }
            Key::Ctrl('G' | 'C') => {
                self.search = None;
                self.refresh(out);
                return true;
            }
            _ => {
                // Any other key accepts the line found, and then acts on it.
                let found = search.found.and_then(|found| self.history.get(found));
                if let Some(found) = found {
                    self.buffer.set(found);
                }
                self.search = None;
                self.refresh(out);
                return false;
            }
        }
        let from = search.found.unwrap_or(0);
        match self.history.find(&search.text, from) {
            Some(found) => search.found = Some(found),
            None => {
                search.found = None;
                out.raw(b"\x07");
            }
        }
        self.refresh(out);
        true
    }

    fn reset(&mut self) {
        self.buffer.clear();
        self.recalled = None;
        self.row.show_from_start();
    }

    fn recall(&mut self, older: bool, out: &mut Output) {
        let next = match (self.recalled, older) {
            (None, true) => Some(0),
            (Some(index), true) => Some(index + 1),
            (Some(index), false) => index.checked_sub(1),
            (None, false) => return out.raw(b"\x07"),
        };
        let line = match next {
            Some(index) => match self.history.get(index) {
                Some(line) => line.clone(),
                None => return out.raw(b"\x07"),
            },
            None => self.draft.clone(),
        };
        if self.recalled.is_none() {
            self.draft.clone_from(self.buffer.text());
            // An incomplete line is not kept: the user gets an empty line instead.
            if self.buffer.overflowed() {
                self.draft.clear();
            }
        }
        self.recalled = next;
        self.buffer.set(&line);
    }

    /// Makes the terminal show the line.
    fn refresh(&mut self, out: &mut Output) {
        match &self.search {
            Some(search) => {
                let found = search.found.and_then(|found| self.history.get(found));
                let found = found.map_or("", |line| line.as_str());
                self.row.show_search(&search.text, found, out);
            }
            None => self
                .row
                .show_line(self.buffer.text(), self.buffer.left(), out),
        }
    }
}

#[cfg(test)]
mod tests;
