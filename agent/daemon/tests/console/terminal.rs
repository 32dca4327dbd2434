// SPDX-License-Identifier: MIT OR Apache-2.0
//! A person at a terminal: echo, prompt, completion, help.

use std::fs;
use std::time::Duration;

use nl31_agent::console::{PROMPT, Peer};

use crate::session::{Folder, Session, screen, shows};

#[test]
fn typed_line_gets_echo_prompt_and_crlf() {
    let mut session = Session::without_kernel(true);
    session.console.start();
    assert!(session.types("").ends_with("\r\nnl31> "));
    let mut session = Session::new(true);
    assert_eq!(
        session.types("ping\r"),
        "ping\r\nI200 the kernel is alive\r\nnl31> "
    );
    assert_eq!(session.types("\r\n"), "\r\nnl31> ");
    shows(
        &mut session,
        "route add 10.0.0.0/33 dev eth0\r",
        &[
            "nl31> route add 10.0.0.0/33 dev eth0",
            "                         ^^",
            "E400 column 20: the length of an IPv4 prefix is a number from 0 to 32",
            "nl31>",
        ],
    );
    // A line that is shown in part is shown again above its caret.
    let reply = screen(&session.types(format!("greet {}\x01x\x05\r", "y".repeat(100))));
    assert_eq!(
        reply[1..],
        [
            format!("  xgreet {}", "y".repeat(100)).as_str(),
            "  ^^^^^^",
            "E400 column 1: no such command: `help` lists them",
            "nl31>",
        ]
    );
}

#[test]
fn full_line_rings_bell_once() {
    let mut session = Session::new(true);
    let said = session.presses(&"y".repeat(520));
    assert_eq!(said.matches('\x07').count(), 1);
    assert!(session.types("\r").contains("E414 "));
}

#[test]
fn line_feed_long_after_carriage_return_is_enter() {
    let mut session = Session::new(true);
    let now = std::time::Instant::now();
    for (bytes, seconds, prompts) in [(b"\r", 0, 1), (b"\n", 0, 0), (b"\r", 1, 1), (b"\n", 3, 1)] {
        session
            .console
            .feed_at(bytes, now + Duration::from_secs(seconds));
        assert_eq!(
            session.types("").matches(PROMPT).count(),
            prompts,
            "{seconds}"
        );
    }
}

#[test]
fn tab_completes_and_lists() {
    let mut session = Session::new(true);
    shows(&mut session, "gr\t\x15", &["nl31>"]);
    shows(
        &mut session,
        "rou\tsh\tdev e\t",
        &["nl31> route show dev eth"],
    );
    shows(
        &mut session,
        "\t",
        &["nl31>", "  eth0", "  eth1", "nl31> route show dev eth"],
    );
    shows(
        &mut session,
        "0 proto st\t\r",
        &["nl31> 0 proto static", "I200 0 routes", "nl31>"],
    );
    shows(
        &mut session,
        "route add 10.0.0.0/8 via \t",
        &[
            "nl31> route add 10.0.0.0/8 via",
            "  ADDRESS      an address like 192.0.2.1 or 2001:db8::1",
            "nl31> route add 10.0.0.0/8 via",
        ],
    );
}

#[test]
fn tab_completes_prefixes_of_table() {
    let mut session = Session::new(true);
    session.types(
        "route add 10.0.0.0/8 dev eth0\rroute add 10.16.0.0/12 dev eth0\r\
         route add 10.16.7.0/24 dev eth0\rroute append 10.16.7.0/24 dev lo\r\
         route add 2001:db8::/32 dev eth0\rroute add 11.0.0.0/8 dev eth0\r",
    );
    shows(
        &mut session,
        "route del 10.16.7\t",
        &["nl31> route del 10.16.7.0/24"],
    );
    // Up to where it is clear, then the list.
    session.types("\x15");
    shows(
        &mut session,
        "route get 10.1\t",
        &["nl31> route get 10.16."],
    );
    shows(
        &mut session,
        "\t",
        &[
            "nl31>",
            "  ADDRESS      an address like 192.0.2.1, or a prefix",
            "  10.16.0.0/12",
            "  10.16.7.0/24",
            "nl31> route get 10.16.",
        ],
    );
    session.types("\x15");
    assert!(session.types("route show 2001:\t").ends_with("db8::/32 "));
    // A shorter one, whose text begins so too.
    session.types("\x15route add 8.0.0.0/5 dev eth0\r");
    assert!(session.types("route show 8.\t").ends_with("0.0.0/5 "));
    session.types("\x15");
    // A route that is added is not to be there.
    assert!(!session.types("route add 10.16.7\t").contains("10.16.7.0"));
}

#[test]
fn tab_completes_config_files() {
    let mut session = Session::new(true);
    let config = session.folder.config();
    fs::write(&config, "").unwrap();
    let said = session.presses("load /\t");
    assert!(
        screen(&said)[0].ends_with(config.to_str().unwrap()),
        "{said:?}"
    );
}

#[test]
fn question_mark_explains_at_any_point() {
    let mut session = Session::new(true);
    shows(
        &mut session,
        "mon?",
        &[
            "nl31> mon",
            "  monitor      show changes of the table as they happen, until `monitor off`",
            "nl31> mon",
        ],
    );
    shows(
        &mut session,
        "itor ?\x15",
        &[
            "nl31> itor",
            "  on           show changes as they happen",
            "  off          stop showing them",
            "nl31>",
        ],
    );
    shows(
        &mut session,
        "save ?\x15",
        &["nl31> save", "  nothing is expected here", "nl31>"],
    );
    shows(
        &mut session,
        "greet how are you?\r",
        &[
            "nl31> greet how are you?",
            "hello, port 1234: how are you?",
            "I200 greeted as port 1234",
            "nl31>",
        ],
    );
}

#[test]
fn prompt_marks_edits_unsaved_changes_unconfirmed_commit() {
    let mut session = Session::new(true);
    let prompts = |said: String| screen(&said).last().unwrap().clone();
    let typed = [
        ("save\r", "nl31>"),
        ("route add 10.0.0.0/8 dev eth0\r", "nl31*>"),
        ("begin\r", "nl31(edit 0)*>"),
        ("route add 11.0.0.0/8 dev eth0\r", "nl31(edit 1)*>"),
        ("commit confirmed 600\r", "nl31*!>"),
        ("confirm\r", "nl31>"),
        ("route del 10.0.0.0/8\r", "nl31*>"),
        ("load\r", "nl31>"),
        ("route del 10.0.0.0/8\r", "nl31*>"),
        ("factory-reset\r", "nl31>"),
        ("hostname r1\r", "r1>"),
        ("begin\r", "r1(edit 0)>"),
        ("hostname r2\r", "r1(edit 1)>"),
        ("commit\r", "r2>"),
    ];
    for (line, prompt) in typed {
        assert_eq!(prompts(session.types(line)), prompt, "{line}");
    }
    // A caret stands where the line is, and a narrow terminal keeps room for it.
    session.types("begin\r");
    let said = screen(&session.types("pong\r"));
    assert_eq!(said[1], "            ^^^^", "{said:?}");
    session.console.set_size(20, 0);
    assert_eq!(prompts(session.types("\r")), ">");
}

#[test]
fn ctrl_d_ends_shell_but_not_serial_line() {
    for (peer, ends) in [(Peer::Shell, true), (Peer::Line, false)] {
        let mut session = Session::with(Folder::new(), peer, None);
        // What follows was meant for a session that is over.
        let typed = session.types("x\x04\x03\x04ping\r");
        assert_eq!(session.console.input_ended(), ends);
        assert_eq!(typed.contains("ping"), !ends, "{typed:?}");
    }
}

#[test]
fn line_returned_by_program_keeps_history_and_size() {
    let mut session = Session::new(true);
    session.console.set_size(40, 0);
    session.types("ping\r");
    session.types("terminal 24 100\r");
    session.types("unfinished");
    session.console.suspend();
    session.console.restart();
    let back = session.types("");
    assert!(back.ends_with("\r\nnl31> "), "{back:?}");
    let again = session.types("\x1b[A\x1b[A\r");
    assert!(again.contains("I200 the kernel is alive"), "{again:?}");
    let size = session.types("terminal\r");
    assert!(
        size.contains("I200 40 columns; long output does not pause"),
        "{size:?}"
    );
}
