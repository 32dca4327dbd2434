// SPDX-License-Identifier: MIT OR Apache-2.0
//! Long output: pages of a terminal, and Ctrl-C.

use std::fs;

use crate::session::{Session, screen, script};

#[test]
fn long_output_pauses_at_each_page() {
    let mut session = Session::new(true);
    session.console.set_size(80, 10);
    session.types(script(100));
    let line = |i: usize| format!("10.0.{i}.0/24 dev eth0");
    let page = session.types("route show\r");
    let mut expected = vec!["nl31> route show".to_string()];
    expected.extend((0..9).map(line));
    expected.push("--more--".into());
    assert_eq!(screen(&format!("nl31> {page}")), expected);
    // Enter shows a further line, space a further page; the mark goes away.
    assert_eq!(screen(&session.types("\r")), [line(9), "--more--".into()]);
    expected = (10..19).map(line).collect();
    expected.push("--more--".into());
    assert_eq!(screen(&session.types(" ")), expected);
    let end = session.types("q");
    assert_eq!(screen(&end), ["W206 stopped after 19 routes", "nl31>"]);
    // Any other key ends it too, and is not lost.
    session.types("route show\r");
    let end = session.types("x");
    assert_eq!(screen(&end), ["W206 stopped after 9 routes", "nl31> x"]);
    session.types("\x15");
    // So does help, and goes on where it was.
    for (topic, first, last) in [
        ("", "  greet", "`help COMMAND` tells more"),
        ("codes", "  I200  done", "  E507  "),
        ("route", "  route add ", "      delete all routes"),
        ("route add", "  route add ", "    proto"),
    ] {
        let mut help = session.types(format!("help {topic}\r"));
        let mut pages = 1;
        while help.ends_with("--more--") {
            help.truncate(help.len() - "--more--".len());
            help += session.types(" ").trim_start_matches("\r        \r");
            pages += 1;
        }
        let lines: Vec<_> = help.lines().skip(1).collect();
        assert!(lines[0].starts_with(first), "{topic}: {help}");
        let [.., end, status, _] = lines[..] else {
            panic!("{topic}: {help}");
        };
        assert!(end.starts_with(last), "{topic}: {help}");
        assert_eq!(status, "I200 help");
        // Long lines take two rows.
        assert!(pages >= (lines.len() - 2).div_ceil(9), "{topic}: {help}");
        assert!(pages > 1 || topic == "route add", "{topic}");
    }
    // A terminal that does not say it can be told of.
    session.console.set_size(0, 0);
    let told = session.types("terminal 10\r");
    assert!(told.contains("I200 10 rows of 80 columns\r\n"), "{told}");
    assert!(session.types("route show\r").ends_with("--more--"));
    session.types("q");
    let unknown = session.types("terminal 10 1000\r");
    assert!(
        unknown.contains("column 13: expected a number from 0 to 999"),
        "{unknown}"
    );
    // Short output does not pause, and what the terminal does not know neither.
    assert!(!session.types("route show 10.0.5.0/24\r").contains("more"));
    session.console.set_size(0, 0);
    assert!(
        session
            .types("route show\r")
            .ends_with("I200 100 routes\r\nnl31> ")
    );
}

#[test]
fn keys_after_ctrl_c_at_page_are_kept() {
    let mut session = Session::new(true);
    session.types("terminal 5\r");
    assert!(session.types("help\r").ends_with("--more--"));
    let typed = session.types("\x03version\r");
    assert!(typed.ends_with("I200 version\r\nnl31> "), "{typed:?}");
}

#[test]
fn ctrl_c_stops_list_and_drops_typed_ahead() {
    let mut session = Session::new(true);
    session.types(script(5_000));
    session.console.feed(b"route show\rping\r");
    session.console.work();
    session.console.feed(b"\x03");
    let reply = session.types("ping\r");
    assert!(
        reply.starts_with("^C\r\n"),
        "no route that was not sent: {reply}"
    );
    let status: Vec<_> = reply.lines().filter(|line| line.contains("20")).collect();
    assert!(
        status
            .iter()
            .any(|line| line.starts_with("W206 stopped after ")),
        "{reply}"
    );
    assert_eq!(reply.matches("I200 the kernel is alive").count(), 1);
    // The rest of the stopped list does not come into the next one.
    assert!(
        session
            .types("route show 10.0.7.0/24\r")
            .ends_with("10.0.7.0/24 dev eth0\r\nI200 1 route\r\nnl31> ")
    );
}

#[test]
fn stopped_list_releases_dump_in_kernel() {
    let mut session = Session::new(true);
    session.types(script(5_000));
    for command in ["route show", "save"] {
        session.console.feed(format!("{command}\r").as_bytes());
        session.console.work();
        session.console.feed(b"\x03");
        session.console.work();
        assert!(session.kernel().dumps(), "{command}");
        // Without further input.
        session.types("");
        assert!(!session.kernel().dumps(), "{command}");
    }
}

#[test]
fn ctrl_c_during_load_or_save_changes_nothing() {
    for (command, reply) in [
        ("load", "W206 stopped; the table is unchanged"),
        ("save", "W206 stopped; the saved config is unchanged"),
        ("commit", "W206 stopped; nothing was changed"),
        ("diff", "W206 stopped"),
    ] {
        let mut session = Session::new(true);
        let config = script(5000).replace("route add ", "");
        fs::write(session.folder.config(), &config).unwrap();
        session.types("route add 99.0.0.0/8 dev lo\r");
        if command == "save" {
            session.types(script(5000));
        } else if command == "commit" {
            session.types(format!("begin\r{}", script(5000)));
        }
        let before = session.table();
        session.console.feed(format!("{command}\r").as_bytes());
        session.console.work();
        session.console.work();
        session.console.feed(b"\x03");
        let out = session.types("");
        assert!(out.contains(reply), "{command}: {out}");
        assert_eq!(session.table(), before);
        assert_eq!(fs::read_to_string(session.folder.config()).unwrap(), config);
        assert!(
            session
                .types("rollback\rroute del 99.0.0.0/8\r")
                .contains("I200 deleted")
        );
    }
}
