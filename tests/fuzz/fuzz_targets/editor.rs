// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any keys at any width: what the terminal shows is the line, the cursor is where it
//! belongs, and a key costs no more output than it may.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nl31_agent::console::editor::display_width::{SECOND, cells, columns as columns_of, is_wide};
use nl31_agent::console::editor::{DRAWN_MAX, Editor, Request};
use nl31_agent::platform::output::Output;
use nl31_fuzz::terminal::Terminal;

const PROMPT: &str = "> ";
/// How a row begins while the history is searched.
const SEARCHING: &str = "(search) ";

fuzz_target!(|data: &[u8]| {
    let Some((&width, keys)) = data.split_first() else {
        return;
    };
    let mut editor = Editor::new(PROMPT);
    let mut out = Output::new(true);
    let mut terminal = Terminal::default();
    editor.set_width(width.into());
    // the documented limits of a row
    let columns = match width {
        0 => 80,
        width => usize::from(width).clamp(20, 240),
    };
    editor.prompt(&mut out);
    for &key in keys {
        let request = editor.byte(key, &mut out);
        match request {
            Some(Request::Execute) => {
                editor.remember();
                editor.prompt(&mut out);
            }
            Some(Request::Cancel) => editor.prompt(&mut out),
            Some(Request::Help) => {
                editor.insert("?", &mut out);
            }
            // what the console does with its lists
            Some(Request::Complete) => {
                editor.leave(&mut out);
                editor.redraw(&mut out);
            }
            Some(Request::End) => {
                editor.erase(&mut out);
                editor.redraw(&mut out);
            }
            None => {}
        }
        assert!(out.pending().len() <= DRAWN_MAX || request.is_some());
        terminal.write(out.pending());
        out.clear();

        assert!(terminal.width() < columns + "^C".len());
        let line = editor.line();
        assert!(line.starts_with(editor.left()));
        let row = terminal.row();
        let row = row.trim_end_matches(' ');
        if row.starts_with(SEARCHING.trim_end()) {
            continue;
        }
        let shown = row.get(PROMPT.len()..).unwrap_or("");
        if editor.shown_at(0).is_some() {
            // the blanks that the terminal has, and no other white space
            assert!(shown.chars().eq(cells(line.trim_end_matches(' '))));
            assert_eq!(
                Some(terminal.column()),
                editor.shown_at(editor.left().len())
            );
            continue;
        }
        // a part of it, around the cursor; where it is cut there is a sign
        let cut: Vec<char> = shown.chars().collect();
        let all: Vec<char> = cells(line).collect();
        let at = terminal
            .column()
            .checked_sub(PROMPT.len())
            .expect("behind the prompt");
        let before = columns_of(editor.left());
        let hidden = before
            .checked_sub(at)
            .expect("no more is shown than there is");
        for (index, &c) in cut.iter().enumerate() {
            let first = index == 0 && hidden > 0 && c == '<';
            let last = index + PROMPT.len() + 2 == columns && c == '>';
            let there = all.get(hidden + index);
            let half = c == ' ' && there.is_some_and(|&c| c == SECOND || is_wide(c));
            assert!(
                first || last || half || there == Some(&c),
                "{row:?}, {line:?}"
            );
        }
    }
    assert_eq!(out.dropped(), 0);
});
