// SPDX-License-Identifier: MIT OR Apache-2.0
//! Input and output faster than a person: pastes, scripts, slow lines, loops.

use std::time::Duration;

use nl31_agent::console::PROMPT;

use crate::lock::locked;
use crate::session::{Session, screen, script};

#[test]
fn paste_with_long_output_loses_no_command() {
    // In one piece, and a byte at a time, as a slow line brings it.
    let paste = "help\r# route flush all\rroute show\rroute add 11.0.0.0/8 dev eth0\r";
    for piece in [paste.len(), 1] {
        let mut session = Session::new(true);
        session.types(script(50));
        session.types("terminal 24 80\r");
        for bytes in paste.as_bytes().chunks(piece) {
            session.types(bytes);
        }
        let table = session.table();
        assert_eq!(table.len(), 51, "{piece}");
        assert!(table.contains(&"11.0.0.0/8 dev eth0".to_owned()), "{piece}");
    }
}

#[test]
fn slow_reader_gets_every_line_of_list() {
    const ROUTES: usize = 1200;
    for (command, piece) in [
        ("route show json", 512),
        ("route show", 4095),
        ("diff", 100),
    ] {
        let mut session = Session::new(false);
        let path = "via fe80::1234:5678:9abc:def0 dev eth0 metric 1024 proto static";
        let lines: String = (0..ROUTES)
            .map(|i| format!("route add 2001:db8:1111:2222:3333:4444:5555:{i:x}/128 {path}\n"))
            .collect();
        session.types(&lines);
        session.types(format!("{command}\n"));
        session.console.feed(command.as_bytes());
        session.console.feed(b"\n");
        let mut heard = Vec::new();
        loop {
            let more = session.console.work();
            let out = session.console.out();
            let len = out.pending().len().min(piece);
            heard.extend_from_slice(&out.pending()[..len]);
            out.consume(len);
            if !more && len == 0 {
                break;
            }
        }
        assert_eq!(session.console.out().dropped(), 0, "{command}");
        let heard = String::from_utf8(heard).unwrap();
        assert_eq!(
            heard.matches("2001:db8:1111:2222:3333:").count(),
            ROUTES,
            "{command}"
        );
    }
}

#[test]
fn paste_of_thousands_of_lines_loses_nothing() {
    for interactive in [false, true] {
        let mut session = Session::new(interactive);
        let replies = session.types(script(10_000));
        assert_eq!(replies.matches("I200 added").count(), 10_000);
        assert_eq!(session.kernel().routes().len(), 10_000);
    }
}

#[test]
fn paste_without_flow_control_loses_nothing() {
    let mut session = Session::new(true);
    // Both ways at the same rate, with the buffer of a terminal between.
    let mut buffer = std::collections::VecDeque::with_capacity(4096);
    for byte in script(10_000).bytes() {
        assert!(buffer.len() < 4096, "a byte is lost");
        buffer.push_back(byte);
        let len = buffer.len().min(session.console.wants());
        let taken: Vec<u8> = buffer.drain(..len).collect();
        session.console.feed(&taken);
        session.console.work();
        session.console.out().consume(1);
    }
    let rest: Vec<u8> = buffer.into_iter().collect();
    assert!(
        session
            .types(rest)
            .ends_with("I200 added 10.39.15.0/24\r\nnl31> ")
    );
    assert_eq!(session.kernel().routes().len(), 10_000);
    assert_eq!(
        session.types("ping\r"),
        "ping\r\nI200 the kernel is alive\r\nnl31> "
    );
}

#[test]
fn pasted_tabs_and_question_marks_open_no_help() {
    let line = |i: u32| format!("route\tadd\t10.{}.{}.0/24\tdev\teth0\r", i / 256, i % 256);
    let mut paste: String = (0..200).map(line).collect();
    paste += "# and now?\r";
    let mut session = Session::new(true);
    let replies = session.types(paste);
    assert_eq!(replies.matches("I200 added").count(), 200);
    assert!(!replies.contains("NAME"), "{replies}");
    assert!(!session.types("# why?").contains("help"));
}

#[test]
fn pasted_tab_separates_words() {
    let mut session = Session::new(true);
    let said = session.types("route add 10.2.0.0/16\tvia 192.0.2.1\r");
    assert!(said.contains("I200 added 10.2.0.0/16"), "{said:?}");
    let mut session = Session::new(false);
    session.plays("> route\tadd 10.2.0.0/16\tvia 192.0.2.1\nI200 added 10.2.0.0/16");
}

/// A terminal that echoes shows control characters with a caret.
fn cooked(bytes: &str) -> String {
    let mut echo = String::new();
    for c in bytes.chars() {
        match c {
            '\r' | '\n' => echo += "\r\n",
            '\x00'..' ' => echo.extend(['^', char::from(c as u8 + 0x40)]),
            c => echo.push(c),
        }
    }
    echo
}

#[test]
fn line_that_echoes_output_falls_silent() {
    for echo in [|bytes: &str| bytes.to_owned(), cooked] {
        for typed in [
            "\r",
            "x",
            "x\r",
            "ping\r",
            "help\r",
            "\x08",
            &"y".repeat(600),
        ] {
            let mut session = Session::new(true);
            session.loops(typed, echo);
            // And again, without another word of it.
            let pause = std::time::Instant::now() + Duration::from_secs(2);
            session.console.feed_at(b"\r", pause);
            let said = session.types("");
            assert!(!said.contains("ignored"), "{said:?}");
            session.loops(&echo(&said), echo);
        }
    }
    let mut session = locked();
    session.loops("", str::to_owned);
    session.loops("x\r", cooked);
}

#[test]
fn pasted_transcript_is_ignored_until_pause() {
    let mut session = Session::new(true);
    let said = session.types("nl31> route add 10.0.0.0/8 dev eth0\r\nI200 added 10.0.0.0/8\r\n");
    let notice = "* input is ignored until the line is quiet for 1 s: the line returns this console's output";
    assert_eq!(screen(&format!("{PROMPT}{said}")), [notice, "nl31>"]);
    assert!(session.table().is_empty());
    let pause = std::time::Instant::now() + Duration::from_secs(1);
    session.console.feed_at(b"ping\r", pause);
    assert!(session.types("").contains("I200 the kernel is alive"));
}
