// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random bytes and random commands: the console survives and answers each line once.

use proptest::prelude::*;

use crate::session::Session;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_leave_console_answering(
        bytes in proptest::collection::vec(
            prop_oneof![
                2 => any::<u8>(),
                4 => 0x20..0x7fu8,
                2 => proptest::sample::select(b"\r\n\t?\x03\x1b[A".to_vec()),
            ],
            0..600,
        ),
        interactive in any::<bool>(),
    ) {
        let mut session = Session::new(interactive);
        session.types(&bytes);
        // Ends whatever was begun: a search, a string, a line.
        session.types("\x07\x07\x03\r\n");
        let reply = session.types("ping\r\n");
        let status = reply.lines().filter(|line| line.starts_with("I200 ")).count();
        prop_assert_eq!(status, 1, "{:?}", reply);
    }

    #[test]
    fn each_command_gets_one_status_line(
        lines in proptest::collection::vec(
            proptest::sample::select(vec![
                "ping", "greet hi", "route", "route add 10.0.0.0/8 dev eth0", "route del 10.0.0.0/8",
                "route show", "route flush all", "route get 10.0.0.1", "stats", "help", "nonsense",
                "monitor", "log", "log from 0", "version", "route add 10.0.0.0/8 via", "begin", "diff", "check",
                "commit", "commit confirmed 9", "confirm", "rollback", "save", "load", "stats json",
                "factory-reset", "reboot",
            ]),
            0..20,
        ),
    ) {
        let mut session = Session::new(false);
        let script: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let replies = session.types(script);
        let is_status = |line: &&str| {
            line.len() > 5 && line.is_char_boundary(5) && matches!(line.as_bytes()[0], b'I' | b'W' | b'E')
                && line[1..4].bytes().all(|byte| byte.is_ascii_digit()) && line.as_bytes()[4] == b' '
        };
        prop_assert_eq!(replies.lines().filter(is_status).count(), lines.len(), "{}", replies);
    }
}

#[test]
fn line_of_any_length_gets_its_answer_however_fast_it_arrives() {
    for chunk in [1, 100, 600, 4000] {
        let mut session = Session::new(true);
        let mut left = 20_000;
        while left > 0 {
            let now = left.min(chunk);
            session.types("x".repeat(now));
            left -= now;
        }
        let reply = session.types("\r");
        assert!(reply.contains("E414 "), "{chunk}: {reply}");
        assert!(session.types("ping\r").contains("I200 "), "{chunk}");
    }
}
