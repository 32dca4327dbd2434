// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys in, and what a terminal then shows.

use super::*;
use crate::console::editor::display_width::cells;
use crate::console::editor::line_buffer::LINE_MAX;
use crate::console::editor::row::{DRAWN_MAX, WIDTH_MIN};
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
        prop_assert!(bench.editor.left().len() == line.len());
        let shown: Vec<char> = bench.row().chars().skip(2).collect();
        let tail: Vec<char> = cells(line.trim_end()).collect();
        // Behind `<` may be half of a character.
        let cut = if shown.first() == Some(&'<') { 2 } else { 0 };
        let shown = shown.get(cut..).unwrap_or_default();
        prop_assert!(tail.ends_with(shown), "{:?} {:?}", tail, shown);
        prop_assert_eq!(bench.out.dropped(), 0);
    }
}
