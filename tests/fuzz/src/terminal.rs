// SPDX-License-Identifier: MIT OR Apache-2.0
//! A terminal that understands only what the agent may send it: text, CR, LF, backspace
//! and BEL. Anything else is a fault.

use nl31_agent::console::editor::display_width::cells;

/// What it shows.
#[derive(Debug, Default)]
pub struct Terminal {
    row: Vec<char>,
    column: usize,
    /// Bytes of a character that is not complete.
    part: Vec<u8>,
}

impl Terminal {
    /// Takes what was sent.
    pub fn write(&mut self, bytes: &[u8]) {
        self.part.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.part);
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => {
                assert!(error.error_len().is_none(), "the output is no UTF-8");
                self.part = bytes[error.valid_up_to()..].to_vec();
                std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("it was just checked")
            }
        };
        text.chars().for_each(|c| self.char(c));
    }

    fn char(&mut self, c: char) {
        match c {
            '\r' => self.column = 0,
            '\n' => self.row.clear(),
            '\x08' => {
                self.column = self
                    .column
                    .checked_sub(1)
                    .expect("a backspace in column 0 goes nowhere");
            }
            '\x07' => {}
            c => {
                assert!(!c.is_control(), "{c:?} was sent to the terminal");
                for cell in cells(c.encode_utf8(&mut [0; 4])) {
                    if self.row.len() <= self.column {
                        self.row.resize(self.column + 1, ' ');
                    }
                    self.row[self.column] = cell;
                    self.column += 1;
                }
            }
        }
    }

    /// The row of the cursor, column by column as in [`cells`].
    pub fn row(&self) -> String {
        self.row.iter().collect()
    }

    /// Where the cursor is, from 0.
    pub fn column(&self) -> usize {
        self.column
    }

    /// Characters in the row so far, blanks at its end included.
    pub fn width(&self) -> usize {
        self.row.len()
    }
}
