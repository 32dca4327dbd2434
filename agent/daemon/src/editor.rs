// SPDX-License-Identifier: MIT OR Apache-2.0
//! The line editor: bytes of a terminal in, bytes for it out.
//!
//! It draws with printable characters, CR, backspace and BEL alone, and never
//! asks the terminal anything, so it works on whatever hangs on a serial line. A
//! line longer than the terminal is wide is shown in part, around the cursor;
//! `<` and `>` stand for what is hidden.

use crate::columns::{SECOND, cells, columns, is_wide};
use crate::history::History;
use crate::keys::{Key, KeyDecoder};
use crate::output::Output;

/// Longest line in bytes.
pub const LINE_MAX: usize = 512;

/// What a terminal is taken for that does not say how wide it is.
const WIDTH_UNKNOWN: usize = 80;
/// Widest and narrowest row that is drawn.
const WIDTH_MAX: usize = 240;
const WIDTH_MIN: usize = 20;

/// Most bytes that one byte of input makes the editor write: a row that is drawn
/// anew in characters of 4 bytes, and the way back of the cursor.
pub const DRAWN_MAX: usize = WIDTH_MAX * 4 + 2 * WIDTH_MAX + 16;

/// A line of text.
pub type Line = heapless::String<LINE_MAX>;

/// What a key asks of the editor's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Enter: take [`Editor::line`], then call [`Editor::prompt`].
    Execute,
    /// Tab: complete what is left of the cursor.
    Complete,
    /// `?`: explain what may stand at the cursor, or insert it.
    Help,
    /// Ctrl-C: the line was given up and the cursor is on a new one.
    Cancel,
    /// Ctrl-D on an empty line.
    End,
}

#[derive(Debug)]
struct Search {
    /// What is searched for.
    text: heapless::String<64>,
    /// Which line it was found in, see [`History::get`].
    found: Option<usize>,
}

/// One line and its history.
#[derive(Debug)]
pub struct Editor {
    keys: KeyDecoder,
    line: Line,
    /// Byte offset of the cursor.
    cursor: usize,
    /// Something was typed that did not fit.
    overflowed: bool,
    killed: Line,
    history: History,
    /// The line of the history that is being shown, and what was typed before.
    recalled: Option<usize>,
    draft: Line,
    search: Option<Search>,
    prompt: &'static str,
    width: usize,
    /// Columns of the line that are hidden to the left.
    hidden: usize,
    /// What the terminal shows, column by column, and the column of its cursor.
    row: heapless::Vec<char, WIDTH_MAX>,
    column: usize,
}

impl Editor {
    /// An editor with an empty line and nothing drawn.
    pub fn new(prompt: &'static str) -> Self {
        Self {
            keys: KeyDecoder::default(),
            line: Line::new(),
            cursor: 0,
            overflowed: false,
            killed: Line::new(),
            history: History::default(),
            recalled: None,
            draft: Line::new(),
            search: None,
            prompt,
            width: WIDTH_UNKNOWN,
            hidden: 0,
            row: heapless::Vec::new(),
            column: 0,
        }
    }

    /// Begins anew, nothing being drawn; the history stays.
    pub fn restart(&mut self) {
        self.reset();
        self.keys = KeyDecoder::default();
        self.search = None;
        self.row.clear();
        self.column = 0;
    }

    /// The same without the history: somebody else may come.
    pub fn forget(&mut self) {
        *self = Self {
            width: self.width,
            ..Self::new(self.prompt)
        };
    }

    /// Sets how many columns the terminal has; 0 if it does not say.
    pub fn set_width(&mut self, columns: usize) {
        self.width = match columns {
            0 => WIDTH_UNKNOWN,
            columns => columns.clamp(WIDTH_MIN, WIDTH_MAX),
        };
    }

    /// How many columns the terminal has, or is taken to have.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The whole line.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// The line left of the cursor.
    pub fn left(&self) -> &str {
        &self.line[..self.cursor]
    }

    /// Whether more was typed than fits a line, so that the line is not what was
    /// meant.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Column at which a byte of the line is shown, if the whole line is.
    pub fn shown_at(&self, offset: usize) -> Option<usize> {
        let all = self.prompt.len() + columns(&self.line);
        (all < self.width).then(|| self.prompt.len() + columns(&self.line[..offset]))
    }

    /// Begins a new line: draws the prompt.
    pub fn prompt(&mut self, out: &mut Output) {
        self.reset();
        self.refresh(out);
    }

    /// Draws the line anew, the cursor being at the start of an empty row.
    pub fn redraw(&mut self, out: &mut Output) {
        self.row.clear();
        self.column = 0;
        self.refresh(out);
    }

    /// Wipes the row, so that something else can be printed there.
    pub fn erase(&mut self, out: &mut Output) {
        self.draw(&[], 0, out);
        out.raw(b"\r");
    }

    /// Goes to the row below the line.
    pub fn leave(&mut self, out: &mut Output) {
        out.raw(b"\r\n");
        self.row.clear();
        self.column = 0;
    }

    /// Puts the line into the history.
    pub fn remember(&mut self) {
        self.history.add(&self.line);
    }

    /// Inserts text at the cursor; says whether it fits.
    pub fn insert(&mut self, text: &str, out: &mut Output) -> bool {
        let fits = self.insert_text(text);
        self.overflowed |= !fits;
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
        match key {
            Key::Char('?') => return Some(Request::Help),
            Key::Char(c) => {
                self.insert(c.encode_utf8(&mut [0; 4]), out);
                return None;
            }
            Key::Enter => {
                // A row that is shown in part is of no use above the reply.
                self.cursor = self.line.len();
                self.refresh(out);
                self.leave(out);
                return Some(Request::Execute);
            }
            Key::Tab => return Some(Request::Complete),
            Key::Ctrl('C') => {
                self.cursor = self.line.len();
                self.refresh(out);
                out.raw(b"^C");
                self.leave(out);
                self.reset();
                return Some(Request::Cancel);
            }
            Key::Ctrl('D') if self.line.is_empty() => return Some(Request::End),
            Key::Ctrl('D') | Key::Delete => self.delete(self.cursor, self.after(self.cursor)),
            Key::Backspace => self.delete(self.before(self.cursor), self.cursor),
            Key::Left | Key::Ctrl('B') => self.cursor = self.before(self.cursor),
            Key::Right | Key::Ctrl('F') => self.cursor = self.after(self.cursor),
            Key::Home | Key::Ctrl('A') => self.cursor = 0,
            Key::End | Key::Ctrl('E') => self.cursor = self.line.len(),
            Key::WordLeft | Key::Alt('b') => self.cursor = self.word_start(),
            Key::WordRight | Key::Alt('f') => self.cursor = self.word_end(),
            Key::Ctrl('K') => self.kill(self.cursor, self.line.len()),
            Key::Ctrl('U') => self.kill(0, self.cursor),
            Key::Ctrl('W') => self.kill(self.space_before(), self.cursor),
            Key::Alt('\x7f') => self.kill(self.word_start(), self.cursor),
            Key::Alt('d') => self.kill(self.cursor, self.word_end()),
            Key::Ctrl('Y') => {
                let killed = self.killed.clone();
                if !self.insert_text(&killed) {
                    out.raw(b"\x07");
                }
            }
            Key::Ctrl('T') => self.transpose(),
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

    /// A key during a search in the history; says whether it was part of it.
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
                // Any other key takes what was found, and acts on it.
                let found = search.found.and_then(|found| self.history.get(found));
                if let Some(found) = found {
                    self.line.clone_from(found);
                    self.cursor = self.line.len();
                    self.overflowed = false;
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
        self.line.clear();
        self.cursor = 0;
        self.overflowed = false;
        self.recalled = None;
        self.hidden = 0;
    }

    fn insert_text(&mut self, text: &str) -> bool {
        let tail: Line = match self.line[self.cursor..].try_into() {
            Ok(tail) if self.line.len() + text.len() <= LINE_MAX => tail,
            _ => return false,
        };
        self.line.truncate(self.cursor);
        // Both fit: that was just asked.
        let _ = self.line.push_str(text);
        let _ = self.line.push_str(&tail);
        self.cursor += text.len();
        true
    }

    fn delete(&mut self, from: usize, to: usize) {
        let tail = Line::try_from(&self.line[to..]).unwrap_or_default();
        self.line.truncate(from);
        let _ = self.line.push_str(&tail);
        self.cursor = from;
        // What was lost was a part of this.
        self.overflowed &= !self.line.is_empty();
    }

    fn kill(&mut self, from: usize, to: usize) {
        if from < to {
            self.killed = Line::try_from(&self.line[from..to]).unwrap_or_default();
            // It may miss its end.
            if self.overflowed {
                self.killed.clear();
            }
            self.delete(from, to);
        }
    }

    /// Swaps the characters around the cursor; at the end the last two.
    fn transpose(&mut self) {
        let at = if self.cursor == self.line.len() {
            self.before(self.cursor)
        } else {
            self.cursor
        };
        let (from, to) = (self.before(at), self.after(at));
        if from == at {
            return;
        }
        let mut swapped = heapless::String::<8>::new();
        let _ = swapped.push_str(&self.line[at..to]);
        let _ = swapped.push_str(&self.line[from..at]);
        self.delete(from, to);
        self.insert_text(&swapped);
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
        let overflowed = std::mem::take(&mut self.overflowed);
        if self.recalled.is_none() {
            self.draft.clone_from(&self.line);
            // Who leaves a line that misses its end comes back to none.
            if overflowed {
                self.draft.clear();
            }
        }
        self.recalled = next;
        self.line = line;
        self.cursor = self.line.len();
    }

    fn before(&self, at: usize) -> usize {
        self.line[..at]
            .char_indices()
            .next_back()
            .map_or(0, |(index, _)| index)
    }

    fn after(&self, at: usize) -> usize {
        at + self.line[at..].chars().next().map_or(0, char::len_utf8)
    }

    /// Start of the word left of the cursor; see [`in_word`].
    fn word_start(&self) -> usize {
        let left = self.left().trim_end_matches(|c| !in_word(c));
        left.trim_end_matches(in_word).len()
    }

    fn word_end(&self) -> usize {
        let right = self.line[self.cursor..].trim_start_matches(|c| !in_word(c));
        self.line.len() - right.trim_start_matches(in_word).len()
    }

    /// Start of what stands between spaces left of the cursor.
    fn space_before(&self) -> usize {
        self.left().trim_end().trim_end_matches(|c| c != ' ').len()
    }

    /// Makes the terminal show the line.
    fn refresh(&mut self, out: &mut Output) {
        let mut row = heapless::Vec::<char, WIDTH_MAX>::new();
        // The last column stays free: writing there wraps on some terminals.
        let width = self.width - 1;
        if let Some(search) = &self.search {
            let found = search.found.and_then(|found| self.history.get(found));
            let found = found.map_or("", |line| line.as_str());
            let text = ["(search) ", search.text.as_str(), ": ", found];
            for c in text.into_iter().flat_map(cells).take(width) {
                let _ = row.push(c);
            }
            mend(&mut row);
            let cursor = ("(search) ".len() + columns(&search.text)).min(row.len());
            return self.draw(&row, cursor, out);
        }
        let room = width - self.prompt.len();
        let cursor = columns(self.left());
        let length = columns(&self.line);
        if length <= room {
            self.hidden = 0;
        } else if cursor < self.hidden + 2 || cursor + 2 > self.hidden + room {
            // Half a row at a time, so that typing on does not draw it all each time.
            self.hidden = cursor
                .saturating_sub(room / 2)
                .min(length + 1 - room.min(length));
        }
        for c in self.prompt.chars() {
            let _ = row.push(c);
        }
        let shown = cells(&self.line).skip(self.hidden).take(room);
        for (index, c) in shown.enumerate() {
            let more_left = index == 0 && self.hidden > 0;
            let more_right = index + 1 == room && self.hidden + room < length;
            let c = if more_left {
                '<'
            } else if more_right {
                '>'
            } else {
                c
            };
            let _ = row.push(c);
        }
        mend(&mut row);
        let column = self.prompt.len() + cursor - self.hidden;
        self.draw(&row, column, out);
    }

    /// Changes what the terminal shows into `row` with as few bytes as it takes.
    fn draw(&mut self, row: &[char], cursor: usize, out: &mut Output) {
        let same = self
            .row
            .iter()
            .zip(row)
            .take_while(|(old, new)| old == new)
            .count();
        if same < row.len() || same < self.row.len() {
            self.move_to(same, out);
            write(&row[same..], out);
            self.column = row.len();
            for _ in row.len()..self.row.len() {
                out.raw(b" ");
                self.column += 1;
            }
            self.row.clear();
            let _ = self.row.extend_from_slice(row);
        }
        self.move_to(cursor, out);
    }

    fn move_to(&mut self, column: usize, out: &mut Output) {
        if column == 0 && self.column > 0 {
            out.raw(b"\r");
        } else {
            for _ in column..self.column {
                out.raw(b"\x08");
            }
            let passed = self.row.get(self.column..column);
            write(passed.unwrap_or_default(), out);
        }
        self.column = column;
    }
}

/// Writes what is shown in some columns.
fn write(cells: &[char], out: &mut Output) {
    for &c in cells.iter().filter(|&&c| c != SECOND) {
        out.raw(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Takes halves of characters out, which the ends of a row have cut.
fn mend(row: &mut [char]) {
    for at in 0..row.len() {
        let whole = row.get(at + 1) == Some(&SECOND);
        let begun = at > 0 && is_wide(row[at - 1]);
        if is_wide(row[at]) && !whole || row[at] == SECOND && !begun {
            row[at] = ' ';
        }
    }
}

/// Whether a character is part of a word, for the keys that move by words.
fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A terminal that knows only what the editor may use.
    struct Terminal {
        rows: Vec<Vec<char>>,
        column: usize,
        bells: usize,
    }

    struct Bench {
        editor: Editor,
        terminal: Terminal,
        out: Output,
        requests: Vec<Request>,
        lines: Vec<String>,
        sent: usize,
    }

    impl Terminal {
        fn write(&mut self, bytes: &[u8]) {
            for c in std::str::from_utf8(bytes).unwrap().chars() {
                let row = self.rows.last_mut().unwrap();
                match c {
                    '\r' => self.column = 0,
                    '\n' => self.rows.push(Vec::new()),
                    '\x08' => self.column = self.column.checked_sub(1).expect("left of the screen"),
                    '\x07' => self.bells += 1,
                    c => {
                        assert!(!c.is_control(), "{c:?}");
                        for c in cells(c.encode_utf8(&mut [0; 4])) {
                            if row.len() <= self.column {
                                row.resize(self.column + 1, ' ');
                            }
                            row[self.column] = c;
                            self.column += 1;
                        }
                    }
                }
            }
        }
    }

    impl Bench {
        fn new(width: usize) -> Self {
            let terminal = Terminal {
                rows: vec![vec![]],
                column: 0,
                bells: 0,
            };
            let mut bench = Self {
                editor: Editor::new("> "),
                terminal,
                out: Output::new(true),
                requests: vec![],
                lines: vec![],
                sent: 0,
            };
            bench.editor.set_width(width);
            bench.editor.prompt(&mut bench.out);
            bench.flush();
            bench
        }

        fn flush(&mut self) {
            self.terminal.write(self.out.pending());
            self.sent += self.out.pending().len();
            self.out.clear();
        }

        fn keys(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
            for &byte in bytes.as_ref() {
                let request = self.editor.byte(byte, &mut self.out);
                assert!(
                    self.out.pending().len() <= DRAWN_MAX,
                    "{}",
                    self.out.pending().len()
                );
                match request {
                    Some(Request::Execute) => {
                        self.lines.push(self.editor.line().to_string());
                        self.editor.remember();
                        self.editor.prompt(&mut self.out);
                    }
                    Some(Request::Cancel) => self.editor.prompt(&mut self.out),
                    Some(Request::Help) => {
                        self.editor.insert("?", &mut self.out);
                    }
                    _ => {}
                }
                self.requests.extend(request);
                self.flush();
            }
            self
        }

        fn row(&self) -> String {
            let row: String = self.terminal.rows.last().unwrap().iter().collect();
            row.trim_end().to_string()
        }

        /// The row with `|` where the cursor is.
        fn screen(&self) -> String {
            let mut row = self.terminal.rows.last().unwrap().clone();
            row.resize(row.len().max(self.terminal.column), ' ');
            row.insert(self.terminal.column, '|');
            row.iter().collect::<String>().trim_end().to_string()
        }
    }

    #[track_caller]
    fn shows(keys: &str, screen: &str) {
        assert_eq!(Bench::new(80).keys(keys).screen(), screen, "{keys:?}");
    }

    #[test]
    fn typing_and_moving() {
        shows("abc", "> abc|");
        shows("abc\x1b[D\x02x", "> ax|bc");
        shows("abc\x01x\x05y", "> xabcy|");
        shows("abc\x1b[H\x06\x1b[Cx\x1b[Fy", "> abxcy|");
        shows("abc\x7f\x08", "> a|");
        shows("abc\x01\x04\x1b[3~", "> |c");
        shows("äö€\x02\x02x", "> äx|ö€");
        shows("äö\x7f", "> ä|");
        shows("\x02\x06\x7f", "> |");
    }

    #[test]
    fn words() {
        shows(
            "route add 10.0.0.0/8\x1bb\x1bb!",
            "> route add 10.0.0.!|0/8",
        );
        shows("one two\x01\x1bf!", "> one!| two");
        shows("one two three\x1bb\x1b\x7f", "> one |three");
        shows("one two three\x01\x1bd", "> | two three");
        shows("one two\x1b[1;5Dx\x1b[1;5Cy", "> one xtwoy|");
    }

    #[test]
    fn characters_of_two_columns_and_of_none() {
        shows("a路b\x02\x02x", "> ax|路\0b");
        shows("路由\x7fx\x01y", "> y|路\0x");
        shows("e\u{301}\x7fx", "> ex|");
        let mut bench = Bench::new(20);
        bench.keys("路".repeat(12));
        assert_eq!(bench.screen().chars().next_back(), Some('|'));
        assert!(bench.terminal.rows.iter().all(|row| row.len() < 20));
        bench.keys("\x01x");
        assert!(
            bench.screen().starts_with("> x|路\0路\0"),
            "{}",
            bench.screen()
        );
    }

    #[test]
    fn killing_and_yanking() {
        shows("one two\x17", "> one |");
        shows("one two  \x17", "> one |");
        shows("one two\x17\x19\x19", "> one twotwo|");
        shows("one two\x15x\x19", "> xone two|");
        shows("one two\x01\x06\x0b\x19", "> one two|");
        shows("ab\x14", "> ba|");
        shows("abc\x01\x06\x14", "> ba|c");
        shows("aé\x14", "> éa|");
        shows("a\x14", "> a|");
    }

    #[test]
    fn the_history_is_walked_and_keeps_the_draft() {
        shows("one\rtwo\rdraft\x1b[A", "> two|");
        shows("one\rtwo\rdraft\x10\x10", "> one|");
        shows("one\rtwo\rdraft\x10\x10\x10", "> one|");
        shows("one\rtwo\rdraft\x10\x10\x0e\x0e", "> draft|");
        shows("one\rtwo\r\x10!\r\x10\x10", "> two|");
    }

    #[test]
    fn the_history_is_searched() {
        let lines = "route add 1\rroute del 2\rgreet\r";
        shows(
            &format!("{lines}\x12ro"),
            "> (search) ro|: route del 2".trim_start_matches("> "),
        );
        shows(&format!("{lines}\x12ro\x12"), "(search) ro|: route add 1");
        shows(&format!("{lines}\x12ro\x12\x1b[D!"), "> route add !|1");
        shows(&format!("{lines}x\x12ro\x07"), "> x|");
        shows(&format!("{lines}x\x12zz\r"), "> |");
        shows(
            &format!("{lines}\x12zz\x7f\x7fadd"),
            "(search) add|: route add 1",
        );
        let mut bench = Bench::new(80);
        bench.keys(lines).keys("\x12add\r");
        assert_eq!(bench.lines.last().unwrap(), "route add 1");
    }

    #[test]
    fn requests_reach_the_owner() {
        let mut bench = Bench::new(80);
        bench.keys("a\t?\r\x04x\x04\x03");
        assert_eq!(
            bench.requests,
            [
                Request::Complete,
                Request::Help,
                Request::Execute,
                Request::End,
                Request::Cancel
            ]
        );
        assert_eq!(bench.lines, ["a?"]);
        let rows: Vec<String> = bench
            .terminal
            .rows
            .iter()
            .map(|row| row.iter().collect())
            .collect();
        assert_eq!(rows, ["> a?", "> x^C", "> "]);
    }

    #[test]
    fn a_long_line_is_shown_around_the_cursor() {
        let mut bench = Bench::new(20);
        bench.keys("abcdefghijklmnopqrstuvwxyz");
        assert_eq!(bench.editor.line(), "abcdefghijklmnopqrstuvwxyz");
        assert!(
            bench.row().ends_with("wxyz") && bench.row().starts_with("> <"),
            "{}",
            bench.row()
        );
        bench.keys("\x01");
        assert_eq!(bench.screen(), "> |abcdefghijklmnop>");
        bench.keys("\x1b[C".repeat(13));
        assert!(bench.terminal.column < 19);
        bench.keys("\x0b");
        assert_eq!(bench.editor.line(), "abcdefghijklm");
        assert_eq!(bench.row(), "> abcdefghijklm");
        assert!(bench.terminal.rows.iter().all(|row| row.len() < 20));
    }

    #[test]
    fn no_width_is_taken_for_80_columns() {
        let mut bench = Bench::new(0);
        bench.keys("x".repeat(200));
        assert!(bench.terminal.rows.iter().all(|row| row.len() < 80));
        assert_eq!(bench.editor.line().len(), 200);
        bench.editor.set_width(1);
        bench.keys("\x0c");
        assert!(bench.row().len() < WIDTH_MIN);
    }

    #[test]
    fn a_line_too_long_is_not_taken_for_another() {
        let mut bench = Bench::new(80);
        bench.keys("x".repeat(LINE_MAX));
        assert!(!bench.editor.overflowed());
        bench.keys("y");
        assert!(bench.editor.overflowed());
        assert!(bench.terminal.bells > 0);
        bench.keys("\x7f");
        assert!(bench.editor.overflowed(), "what was lost is still missing");
        bench.keys("\x03");
        assert!(!bench.editor.overflowed());
        // Nor is what was killed of it kept.
        bench.keys("x".repeat(LINE_MAX + 1));
        bench.keys("\x15\x19");
        assert_eq!(bench.editor.line(), "");
        // Nor is another line taken for it.
        for other in ["\x15ping", "\x1b[A", "\x12p\x1b[C"] {
            bench.keys("ping\r");
            bench.editor.remember();
            bench.editor.prompt(&mut bench.out);
            bench.keys("x".repeat(LINE_MAX + 1));
            assert!(bench.editor.overflowed());
            bench.keys(other);
            assert_eq!(bench.editor.line(), "ping");
            assert!(!bench.editor.overflowed(), "{other:?}");
            bench.keys("\x03");
        }
        bench.keys("\x10");
        bench.keys("x".repeat(LINE_MAX));
        assert!(bench.editor.overflowed(), "also one of the history");
        bench.keys("\x0e");
        assert!(!bench.editor.overflowed());
        bench.keys("\x03");
    }

    #[test]
    fn typing_costs_one_byte_a_key() {
        let mut bench = Bench::new(80);
        bench.keys("");
        bench.sent = 0;
        bench.keys("route add 10.0.0.0/8");
        assert_eq!(bench.sent, 20);
        bench.sent = 0;
        bench.keys("\x1b[D\x1b[D\x1b[C");
        assert_eq!(bench.sent, 3);
    }

    #[test]
    fn other_output_leaves_the_line_as_it_was() {
        let mut bench = Bench::new(80);
        bench.keys("abc\x02");
        bench.editor.erase(&mut bench.out);
        bench.out.raw(b"* event\r\n");
        bench.editor.redraw(&mut bench.out);
        bench.flush();
        assert_eq!(bench.terminal.rows[0].iter().collect::<String>(), "* event");
        assert_eq!(bench.screen(), "> ab|c");
    }

    proptest! {
        #[test]
        fn any_bytes_keep_screen_and_line_the_same(
            keys in proptest::collection::vec(
                prop_oneof![
                    4 => any::<u8>().prop_map(|byte| vec![byte]),
                    4 => (0x20..0x7fu8).prop_map(|byte| vec![byte]),
                    4 => proptest::sample::select(b"\x01\x02\x04\x05\x06\x08\x0b\x0c\x0e\x10\x12\x14\x15\x17\x19\x1b[DACBHF\r".to_vec())
                        .prop_map(|byte| vec![byte]),
                    1 => proptest::sample::select(vec!["é", "路", "😀", "\u{301}"])
                        .prop_map(|text| text.as_bytes().to_vec()),
                ],
                0..300,
            ),
            width in 0..100usize,
        ) {
            let mut bench = Bench::new(width);
            bench.keys(keys.concat());
            let limit = if width == 0 { 80 } else { width.max(WIDTH_MIN) };
            prop_assert!(bench.terminal.rows.iter().all(|row| row.len() < limit + 2));
            // Ends any search and shows the end of the line.
            bench.keys(b"\x1b]\x07\x07\x05");
            let line = bench.editor.line();
            prop_assert!(bench.editor.cursor == line.len());
            let shown: Vec<char> = bench.row().chars().skip(2).collect();
            let tail: Vec<char> = cells(line.trim_end()).collect();
            // Behind `<` may be half of a character.
            let cut = if shown.first() == Some(&'<') { 2 } else { 0 };
            let shown = shown.get(cut..).unwrap_or_default();
            prop_assert!(tail.ends_with(shown), "{:?} {:?}", tail, shown);
            prop_assert_eq!(bench.out.dropped(), 0);
        }
    }
}
