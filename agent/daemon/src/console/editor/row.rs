// SPDX-License-Identifier: MIT OR Apache-2.0
//! The row of the terminal that shows the line: its content, and changes of it in as few bytes
//! as possible.
//!
//! Of a line wider than the terminal, the row shows the part around the cursor; `<` and `>`
//! mark the hidden parts.

use super::display_width::{SECOND, cells, columns, is_wide};
use crate::platform::output::Output;

/// Assumed number of columns of a terminal that does not report it.
const WIDTH_UNKNOWN: usize = 80;
/// Widest row that is drawn.
const WIDTH_MAX: usize = 240;
/// Narrowest row that is drawn.
pub(super) const WIDTH_MIN: usize = 20;

/// Most bytes that the editor writes for one byte of input: it redraws a row of characters of
/// 4 bytes, and moves the cursor back.
pub const DRAWN_MAX: usize = WIDTH_MAX * 4 + 2 * WIDTH_MAX + 16;

/// Longest prompt in bytes.
pub const PROMPT_MAX: usize = 96;

type Prompt = heapless::String<PROMPT_MAX>;

/// See the module.
#[derive(Debug)]
pub struct Row {
    prompt: Prompt,
    width: usize,
    /// Columns of the line that are hidden to the left.
    hidden: usize,
    /// The character in each column of the terminal's row, and the column of its cursor.
    shown: heapless::Vec<char, WIDTH_MAX>,
    column: usize,
}

impl Row {
    /// An empty row of a terminal of unknown width.
    pub fn new(prompt: &str) -> Self {
        Self {
            prompt: Prompt::try_from(prompt).unwrap_or_default(),
            width: WIDTH_UNKNOWN,
            hidden: 0,
            shown: heapless::Vec::new(),
            column: 0,
        }
    }

    /// Sets the text before the line, unless it is longer than [`PROMPT_MAX`].
    pub fn set_prompt(&mut self, prompt: &str) {
        self.prompt = Prompt::try_from(prompt).unwrap_or_default();
    }

    /// The text before the line: a short prompt on a narrow terminal.
    pub fn prompt(&self) -> &str {
        match self.prompt.len() + WIDTH_MIN / 2 <= self.width {
            true => &self.prompt,
            false => "> ",
        }
    }

    /// Sets the number of the terminal's columns; 0 if the terminal does not report it.
    pub fn set_width(&mut self, columns: usize) {
        self.width = match columns {
            0 => WIDTH_UNKNOWN,
            columns => columns.clamp(WIDTH_MIN, WIDTH_MAX),
        };
    }

    /// The number of the terminal's columns, or the assumed number.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Column at which a byte of the line is shown; `None` unless the whole line is shown.
    pub fn shown_at(&self, line: &str, offset: usize) -> Option<usize> {
        let all = self.prompt().len() + columns(line);
        (all < self.width).then(|| self.prompt().len() + columns(&line[..offset]))
    }

    /// Shows the next line from its start.
    pub fn show_from_start(&mut self) {
        self.hidden = 0;
    }

    /// Records that the cursor is at the start of an empty row.
    pub fn forget(&mut self) {
        self.shown.clear();
        self.column = 0;
    }

    /// Clears the row for other output.
    pub fn erase(&mut self, out: &mut Output) {
        self.draw(&[], 0, out);
        out.raw(b"\r");
    }

    /// Shows a search for `text` in the history, and the line found.
    pub fn show_search(&mut self, text: &str, found: &str, out: &mut Output) {
        let mut row = heapless::Vec::<char, WIDTH_MAX>::new();
        let parts = ["(search) ", text, ": ", found];
        for c in parts.into_iter().flat_map(cells).take(self.drawable()) {
            let _ = row.push(c);
        }
        mend(&mut row);
        let cursor = ("(search) ".len() + columns(text)).min(row.len());
        self.draw(&row, cursor, out);
    }

    /// Shows the line; `left` is its part left of the cursor.
    pub fn show_line(&mut self, line: &str, left: &str, out: &mut Output) {
        let mut row = heapless::Vec::<char, WIDTH_MAX>::new();
        let room = self.drawable() - self.prompt().len();
        let cursor = columns(left);
        let length = columns(line);
        if length <= room {
            self.hidden = 0;
        } else if cursor < self.hidden + 2 || cursor + 2 > self.hidden + room {
            // Scroll by half a row, so that not every further key redraws the row.
            self.hidden = cursor
                .saturating_sub(room / 2)
                .min(length + 1 - room.min(length));
        }
        let _ = self.prompt().chars().try_for_each(|c| row.push(c));
        let shown = cells(line).skip(self.hidden).take(room);
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
        let column = self.prompt().len() + cursor - self.hidden;
        self.draw(&row, column, out);
    }

    /// The last column stays empty: some terminals wrap after a character there.
    fn drawable(&self) -> usize {
        self.width - 1
    }

    /// Changes the terminal's row to `row` in as few bytes as possible.
    fn draw(&mut self, row: &[char], cursor: usize, out: &mut Output) {
        let same = self
            .shown
            .iter()
            .zip(row)
            .take_while(|(old, new)| old == new)
            .count();
        if same < row.len() || same < self.shown.len() {
            self.move_to(same, out);
            write(&row[same..], out);
            self.column = row.len();
            for _ in row.len()..self.shown.len() {
                out.raw(b" ");
                self.column += 1;
            }
            self.shown.clear();
            let _ = self.shown.extend_from_slice(row);
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
            let passed = self.shown.get(self.column..column);
            write(passed.unwrap_or_default(), out);
        }
        self.column = column;
    }
}

/// Writes the characters of some columns.
fn write(cells: &[char], out: &mut Output) {
    for &c in cells.iter().filter(|&&c| c != SECOND) {
        out.raw(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Removes halves of wide characters, which the ends of the row have cut.
fn mend(row: &mut [char]) {
    for at in 0..row.len() {
        let whole = row.get(at + 1) == Some(&SECOND);
        let begun = at > 0 && is_wide(row[at - 1]);
        if is_wide(row[at]) && !whole || row[at] == SECOND && !begun {
            row[at] = ' ';
        }
    }
}
