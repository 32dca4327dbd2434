// SPDX-License-Identifier: MIT OR Apache-2.0
//! Console sessions as transcripts, over a kernel in memory that speaks the real
//! bytes. Lines that begin with `> ` are typed, the others are the replies.
#![allow(missing_docs)]

use std::path::PathBuf;
use std::time::Duration;

use nl31_agent::boot::Boot;
use nl31_agent::console::{Console, PROMPT, Peer};
use nl31_agent::device::Devices;
use nl31_netlink::{Client, FakeKernel};
use nl31_route::DeviceName;
use proptest::prelude::*;

/// `lo` is 1, `eth0` is 2, `eth1` is 3 but unknown to the kernel.
struct TestDevices;

const DEVICES: [&str; 3] = ["lo", "eth0", "eth1"];

impl Devices for TestDevices {
    fn index(&self, name: &DeviceName) -> Option<u32> {
        DEVICES
            .iter()
            .position(|&device| device == name.as_str())
            .map(|at| at as u32 + 1)
    }

    fn name(&self, index: u32) -> Option<DeviceName> {
        DEVICES
            .get(index as usize - 1)
            .map(|name| name.parse().unwrap())
    }

    fn names(&self, each: &mut dyn FnMut(&str)) {
        DEVICES.iter().for_each(|name| each(name));
    }
}

struct Session {
    console: Console<FakeKernel>,
    failures: u64,
}

impl Session {
    fn new(interactive: bool) -> Self {
        let mut session = Self::without_kernel(interactive);
        let client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
        session.console.attach(client);
        session.console.start();
        session.types("");
        session
    }

    fn without_kernel(interactive: bool) -> Self {
        Self {
            console: Console::new(
                Box::new(TestDevices),
                None,
                if interactive {
                    Peer::Line
                } else {
                    Peer::Script
                },
            ),
            failures: 0,
        }
    }

    fn kernel(&mut self) -> &mut FakeKernel {
        self.console.client().unwrap().transport()
    }

    /// Types bytes as the serial line brings them, and gives what comes back.
    fn types(&mut self, bytes: impl AsRef<[u8]>) -> String {
        let mut rest = bytes.as_ref();
        let mut replies = Vec::new();
        loop {
            let (now, later) = rest.split_at(rest.len().min(self.console.wants()));
            self.console.feed(now);
            rest = later;
            let more = self.console.work();
            let out = self.console.out();
            let len = out.pending().len();
            replies.extend_from_slice(out.pending());
            out.consume(len);
            if !more && len == 0 && rest.is_empty() {
                assert_eq!(self.console.out().dropped(), 0);
                return String::from_utf8(replies).unwrap();
            }
        }
    }

    /// Delivers the events of the fake kernel.
    fn hears(&mut self) -> String {
        while let Some(event) = self.kernel().event() {
            self.console.event(&event);
        }
        self.types("")
    }

    /// Plays a transcript: types its `> ` lines and compares the replies.
    #[track_caller]
    fn plays(&mut self, transcript: &str) {
        let mut played = String::new();
        for line in transcript
            .lines()
            .map(|line| line.strip_prefix("        ").unwrap_or(line))
        {
            if let Some(typed) = line.strip_prefix("> ") {
                played.push_str(&format!("> {typed}\n"));
                played.push_str(&self.types(format!("{typed}\n")));
            }
        }
        let expected: String = transcript
            .lines()
            .map(|line| line.strip_prefix("        ").unwrap_or(line))
            .filter(|line| !line.is_empty())
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(
            played, expected,
            "\n--- played:\n{played}\n--- expected:\n{expected}"
        );
        assert_eq!(
            self.console.failures() - self.failures,
            played.matches("\nE").count() as u64
        );
        self.failures = self.console.failures();
    }
}

#[test]
fn a_route_is_added_read_changed_and_deleted() {
    Session::new(false).plays(
        "
        > greet hello
        hello, port 1234: hello
        I200 greeted as port 1234
        > ping
        I200 the kernel is alive
        > route add 10.0.0.0/8 via 192.0.2.1 dev eth0 metric 10
        I200 added 10.0.0.0/8
        > route get 10.1.2.3
        10.0.0.0/8 via 192.0.2.1 dev eth0 metric 10
        I200 found
        > route change 10.0.0.0/8 via 192.0.2.2 metric 10
        I200 changed 10.0.0.0/8
        > route replace blackhole 2001:db8::/32 proto static
        I200 replaced 2001:db8::/32
        > route show
        10.0.0.0/8 via 192.0.2.2 metric 10
        blackhole 2001:db8::/32 proto static
        I200 2 routes
        > route del 10.0.0.0/8
        I200 deleted 10.0.0.0/8
        > route get 10.1.2.3
        E404 no route to 10.1.2.3/32
        ",
    );
}

#[test]
fn commands_may_be_abbreviated_where_that_is_clear() {
    Session::new(false).plays(
        "
        > r ad default v 192.0.2.1 d eth0 m 5
        I200 added 0.0.0.0/0
        > r s d eth0
        0.0.0.0/0 via 192.0.2.1 dev eth0 metric 5
        I200 1 route
        > r a 10.0.0.0/8 dev eth0
          r a 10.0.0.0/8 dev eth0
            ^
        E400 column 3: ambiguous, write more of it: expected add, replace, change, append, del, get, show or flush
        ",
    );
}

#[test]
fn empty_lines_and_comments_are_no_commands() {
    Session::new(false)
        .plays("> \n>  \t \n> # nothing\n> #ping\n> ping\nI200 the kernel is alive\n");
}

#[test]
fn a_wrong_line_gets_a_caret_and_changes_nothing() {
    let mut session = Session::new(false);
    session.plays(
        "
        > rout
        E400 column 5: expected add, replace, change, append, del, get, show or flush
        "
        .replace(
            "        E400",
            "          rout\n              ^\n        E400",
        )
        .as_str(),
    );
    session.plays(
        "
        > reboot
          reboot
          ^^^^^^
        E400 column 1: expected greet, ping, route, monitor, stats, log, version or help
        > ping me
          ping me
               ^^
        E400 column 6: expected the end of the line
        > route add
          route add
                   ^
        E400 column 10: a prefix is missing, like 10.0.0.0/8, 2001:db8::/32 or default
        > route add 10.0.0.1/8 dev eth0
          route add 10.0.0.1/8 dev eth0
                    ^^^^^^^^^^
        E400 column 11: bits are set beyond the prefix length, did you mean 10.0.0.0/8?
        > route add 10.0.0.0/33 dev eth0
          route add 10.0.0.0/33 dev eth0
                             ^^
        E400 column 20: the length of an IPv4 prefix is a number from 0 to 32
        > route add 2001:db8::/129 dev eth0
          route add 2001:db8::/129 dev eth0
                               ^^^
        E400 column 22: the length of an IPv6 prefix is a number from 0 to 128
        > route add 10.0.0.0/8 via 2001:db8::1
          route add 10.0.0.0/8 via 2001:db8::1
                                   ^^^^^^^^^^^
        E400 column 26: this gateway is IPv6, an IPv4 prefix needs one like 192.0.2.1
        > route add 10.0.0.0/8 dev eth7
          route add 10.0.0.0/8 dev eth7
                                   ^^^^
        E406 there is no device eth7
        > route add blackhole 10.0.0.0/8 dev eth0
          route add blackhole 10.0.0.0/8 dev eth0
                                             ^^^^
        E400 column 36: blackhole leads nowhere: remove via and dev, or the word blackhole
        > route get 10.0.0.1 via 192.0.2.1
          route get 10.0.0.1 via 192.0.2.1
                                 ^^^^^^^^^
        E400 column 24: expected an address alone
        > monitor maybe
          monitor maybe
                  ^^^^^
        E400 column 9: expected on or off
        > help nothing
          help nothing
               ^^^^^^^
        E400 column 6: expected greet, ping, route, monitor, stats, log, version or help
        > route show
        I200 0 routes
        ",
    );
    let reply = session.types(b"route add \xff\n");
    assert_eq!(reply, "E400 the line is not UTF-8 text\n");
    let reply = session.types(format!("greet {}\nping\n", "x".repeat(600)));
    assert_eq!(
        reply,
        "E414 the line is longer than 512 bytes\nI200 the kernel is alive\n"
    );
    let reply = session.types(format!("greet {}\n", "x".repeat(256)));
    assert_eq!(reply, "E414 a greeting has at most 255 bytes\n");
}

#[test]
fn what_the_kernel_refuses_is_explained_at_its_place() {
    let mut session = Session::new(false);
    session.plays(
        "
        > route add 10.0.0.0/8 dev eth1
          route add 10.0.0.0/8 dev eth1
                                   ^^^^
        E406 no such device
        > route add 10.0.0.0/8 dev eth0
        I200 added 10.0.0.0/8
        > route add 10.0.0.0/8 via 192.0.2.1
        E409 10.0.0.0/8 has a route of metric 0 already, `route replace` takes its place
        > route append 10.0.0.0/8 dev eth0
        E409 10.0.0.0/8 has exactly this path already
        > route change 11.0.0.0/8 dev eth0
        E404 no such route: 11.0.0.0/8 of metric 0
        > route del 11.0.0.0/8
        E404 no such route: 11.0.0.0/8
        > route append 10.0.0.0/8 via 192.0.2.1
        I200 appended 10.0.0.0/8
        > route del 10.0.0.0/8
        E410 10.0.0.0/8 has several paths: say via, dev or metric, or `route flush 10.0.0.0/8`
        > route del 10.0.0.0/8 via 192.0.2.1
        I200 deleted 10.0.0.0/8
        > route show
        10.0.0.0/8 dev eth0
        I200 1 route
        ",
    );
    session.kernel().max_routes = 1;
    session.plays("> route add 11.0.0.0/8 dev eth0\nE507 table is full");
    session.kernel().admin = false;
    session.plays("> route del 10.0.0.0/8\nE403 CAP_NET_ADMIN is needed");
    session.kernel().mute = true;
    session.plays("> ping\nE504 the kernel did not answer in time");
    session.kernel().mute = false;
    session.kernel().overrun = true;
    session.plays("> ping\nE500 answers of the kernel were lost (receive buffer full)\n> ping\nI200 the kernel is alive");
}

#[test]
fn routes_are_shown_by_what_they_have() {
    let mut session = Session::new(false);
    session.types(
        "route add 10.0.0.0/8 dev eth0\nroute add 10.1.0.0/16 via 192.0.2.1\nroute add 10.1.0.0/16 dev eth0 metric 9\n\
         route add blackhole 10.1.2.0/24 proto bgp\nroute add ::/0 dev eth0\n",
    );
    session.plays(
        "
        > route show 10.1.0.0/16
        10.1.0.0/16 via 192.0.2.1
        10.1.0.0/16 dev eth0 metric 9
        I200 2 routes
        > route show 10.1.0.0/16 longer
        10.1.0.0/16 via 192.0.2.1
        10.1.0.0/16 dev eth0 metric 9
        blackhole 10.1.2.0/24 proto bgp
        I200 3 routes
        > route show dev eth0
        10.0.0.0/8 dev eth0
        10.1.0.0/16 dev eth0 metric 9
        ::/0 dev eth0
        I200 3 routes
        > route show blackhole
        blackhole 10.1.2.0/24 proto bgp
        I200 1 route
        > route show via 192.0.2.1
        10.1.0.0/16 via 192.0.2.1
        I200 1 route
        > route show default
        I200 0 routes
        > route show proto 186 metric 0
        blackhole 10.1.2.0/24 proto bgp
        I200 1 route
        ",
    );
    session.kernel().interrupt_dump = true;
    session.plays("> route show ::/0\n::/0 dev eth0\nW205 1 route, the table changed meanwhile");
}

#[test]
fn a_shown_route_can_be_typed_again() {
    let mut session = Session::new(false);
    let routes = "blackhole 10.1.2.0/24 metric 5 proto bgp\n::/0 via fe80::1 dev eth0\nprohibit 2001:db8::/32\n";
    for route in routes.lines() {
        session.types(format!("route add {route}\n"));
    }
    assert_eq!(
        session.types("route show\n"),
        format!("{routes}I200 3 routes\n")
    );
}

#[test]
fn a_flush_must_be_told_what() {
    let mut session = Session::new(false);
    let fill = "route add 10.0.0.0/8 dev eth0\nroute append 10.0.0.0/8 via 192.0.2.1\n\
        route append 10.0.0.0/8 via 192.0.2.2\nroute add 10.1.0.0/16 dev eth0\nroute add ::/0 dev eth0\n";
    session.types(fill);
    session.plays(
        "
        > route flush
          route flush
                     ^
        E400 column 12: say what to delete, like a prefix or dev eth0, or `all`
        > route flush all dev eth0
          route flush all dev eth0
                                  ^
        E400 column 25: `all` stands alone: leave it out, or the rest
        > route flush 10.0.0.0/8 dev lo
        W204 no route was like that
        > route flush 10.0.0.0/8 dev eth0
        I200 flushed
        > route show 10.0.0.0/8 longer
        10.0.0.0/8 via 192.0.2.1
        10.0.0.0/8 via 192.0.2.2
        10.1.0.0/16 dev eth0
        I200 3 routes
        > route flush 10.0.0.0/8
        I200 flushed
        > route flush 10.0.0.0/8
        W204 no route was like that
        > route flush dev eth0
        I200 flushed
        > route show
        I200 0 routes
        ",
    );
    session.types(fill);
    session.plays(
        "
        > route flush 10.0.0.0/8 longer
        I200 flushed
        > route flush all
        I200 flushed
        > route flush all
        W204 no route was like that
        ",
    );
}

#[test]
fn changes_are_shown_while_monitoring() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\n");
    assert_eq!(session.hears(), "");
    session.plays("> monitor\nI200 monitor on");
    session.types(
        "route replace 10.0.0.0/8 via 192.0.2.1\nroute del 10.0.0.0/8\nroute add ::/0 dev eth0\n",
    );
    assert_eq!(
        session.hears(),
        "* replaced 10.0.0.0/8 via 192.0.2.1\n* deleted 10.0.0.0/8 via 192.0.2.1\n* added ::/0 dev eth0\n"
    );
    session.plays("> monitor off\nI200 monitor off");
    session.types("route flush all\n");
    assert_eq!(session.hears(), "");
}

#[test]
fn lost_events_are_counted_from_the_table() {
    let mut session = Session::new(false);
    session.types("monitor on\nroute add 10.0.0.0/8 dev eth0\n");
    session.hears();
    session.types("route add 11.0.0.0/8 dev eth0\nroute add 12.0.0.0/8 dev eth0\n");
    while session.kernel().event().is_some() {}
    session.console.events_lost();
    assert_eq!(
        session.types(""),
        "* 2 changes came too fast to be shown, see `route show`\n"
    );
    assert!(session.types("stats\n").contains("\nevents-lost 2\n"));
}

#[test]
fn without_the_module_the_console_is_there_and_says_so() {
    let mut session = Session::without_kernel(false);
    let absent = "E503 the kernel has no netlink protocol 31: the nl31 module is not there\n";
    for command in [
        "ping",
        "greet",
        "route show",
        "route get ::1",
        "route flush all",
        "stats",
    ] {
        assert_eq!(session.types(format!("{command}\n")), absent, "{command}");
    }
    assert!(session.types("help\n").ends_with("I200 help\n"));
    let client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
    session.console.attach(client);
    assert_eq!(session.types("ping\n"), "I200 the kernel is alive\n");
    session.console.detach();
    assert_eq!(session.types("ping\n"), absent);
}

#[test]
fn help_explains_every_command_and_code() {
    let mut session = Session::new(false);
    let all = session.types("help\n");
    for command in nl31_agent::grammar::COMMANDS {
        assert!(all.contains(command.help), "{}", command.help);
        let one = session.types(format!("help {}\n", command.words.join(" ")));
        assert!(one.starts_with(&format!("  {command}\n")), "{one}");
        assert!(one.ends_with("I200 help\n"));
    }
    let codes = session.types("help codes\n");
    for code in nl31_agent::codes::ALL {
        assert!(codes.contains(&format!("  {code}  {}\n", code.meaning)));
    }
    assert!(session.types("help route\n").contains("route flush"));
    assert!(
        session
            .types("version\n")
            .contains("module 0.0-fake abi 1\nI200 version\n")
    );
    assert!(session.types("log\n").ends_with("I200 log\n"));
}

/// The commands of a long script, and how often each reply comes.
fn script(lines: u32) -> String {
    (0..lines)
        .map(|i| format!("route add 10.{}.{}.0/24 dev eth0\n", i / 256, i % 256))
        .collect()
}

#[test]
fn a_paste_of_thousands_of_lines_loses_nothing() {
    for interactive in [false, true] {
        let mut session = Session::new(interactive);
        let replies = session.types(script(10_000));
        assert_eq!(replies.matches("I200 added").count(), 10_000);
        assert_eq!(session.kernel().routes().len(), 10_000);
    }
}

/// What a terminal shows that knows CR, LF and backspace.
fn screen(bytes: &str) -> Vec<String> {
    let mut rows = vec![Vec::new()];
    let mut column = 0;
    for c in bytes.chars() {
        let row: &mut Vec<char> = rows.last_mut().unwrap();
        match c {
            '\r' => column = 0,
            '\n' => rows.push(Vec::new()),
            '\x08' => column -= 1,
            '\x07' => {}
            c => {
                row.resize(row.len().max(column + 1), ' ');
                row[column] = c;
                column += 1;
            }
        }
    }
    rows.iter()
        .map(|row| row.iter().collect::<String>().trim_end().to_string())
        .collect()
}

#[track_caller]
fn shows(session: &mut Session, keys: &str, expected: &[&str]) {
    let typed = session.types(keys);
    assert_eq!(screen(&format!("{PROMPT}{typed}")), expected, "{keys:?}");
}

#[test]
fn a_person_gets_echo_prompt_and_crlf() {
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
            "E400 column 1: expected greet, ping, route, monitor, stats, log, version or help",
            "nl31>",
        ]
    );
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
fn a_question_mark_explains_at_any_point() {
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
            "  off          no more",
            "nl31>",
        ],
    );
    shows(
        &mut session,
        "ping ?\x15",
        &["nl31> ping", "  nothing is expected here", "nl31>"],
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
fn a_notice_leaves_what_is_being_typed() {
    let mut session = Session::new(true);
    session.types("monitor on\rroute add 10.0.0.0/8 dev eth0\rroute sh");
    let event = session.hears();
    assert_eq!(
        screen(&format!("nl31> route sh{event}")),
        ["* added 10.0.0.0/8 dev eth0", "nl31> route sh"]
    );
    assert!(
        session
            .types("ow\r")
            .contains("10.0.0.0/8 dev eth0\r\nI200 1 route\r\n")
    );
}

#[test]
fn ctrl_c_stops_a_long_list_and_drops_what_was_typed_ahead() {
    let mut session = Session::new(true);
    session.types(script(5_000));
    session.console.feed(b"route show\rping\r");
    session.console.work();
    session.console.feed(b"\x03");
    let reply = session.types("ping\r");
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
fn ctrl_d_ends_a_shell_and_not_the_serial_line() {
    for (peer, ends) in [(Peer::Shell, true), (Peer::Line, false)] {
        let mut console = Console::<FakeKernel>::new(Box::new(TestDevices), None, peer);
        console.feed(b"x\x04\x03\x04");
        console.work();
        assert_eq!(console.input_ended(), ends);
    }
}

#[test]
fn a_data_line_never_looks_like_a_status_line() {
    let mut session = Session::new(false);
    for text in ["E404 x", "I200 done", "* x"] {
        let reply = session.types(format!("greet {text}\n"));
        assert_eq!(
            reply
                .lines()
                .filter(|line| line.starts_with("I200"))
                .count(),
            1,
            "{reply}"
        );
    }
}

#[test]
fn commands_on_routes_wait_for_the_config() {
    let folder = std::env::temp_dir().join(format!("nl31-console-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let config = folder.join("routes.conf");
    std::fs::write(&config, script(3_000).replace("route add ", "")).unwrap();
    let boot = Boot::new(Some(&config), &folder.join("run"));
    let mut console = Console::new(Box::new(TestDevices), Some(boot), Peer::Script);
    console.attach(Client::with_timeout(FakeKernel::default(), Duration::ZERO));
    let mut session = Session {
        console,
        failures: 0,
    };
    let replies = session.types("ping\nroute show 10.0.7.0/24\n");
    let path = config.display();
    let expected = format!(
        "I200 the kernel is alive\n* loaded 3000 routes from {path}\n10.0.7.0/24 dev eth0\nI200 1 route\n"
    );
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(replies, expected);
}

#[test]
fn a_bad_config_is_told_and_the_console_works() {
    let folder = std::env::temp_dir().join(format!("nl31-console-bad-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let config: PathBuf = folder.join("routes.conf");
    std::fs::write(&config, "10.0.0.0/8 dev eth0\n10.0.0.0/8 via\n").unwrap();
    let boot = Boot::new(Some(&config), &folder.join("run"));
    let mut console = Console::new(Box::new(TestDevices), Some(boot), Peer::Script);
    console.attach(Client::with_timeout(FakeKernel::default(), Duration::ZERO));
    let mut session = Session {
        console,
        failures: 0,
    };
    let replies = session.types("route show\n");
    let path = config.display();
    let expected = format!(
        "* config not loaded: {path}:2:15: the line ends here, expected an address like 192.0.2.1 or 2001:db8::1\n\
         * no config is loaded, the table is as it was\nI200 0 routes\n"
    );
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(replies, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_survived_and_each_command_gets_one_status_line(
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
    fn lines_of_commands_get_one_status_line_each(
        lines in proptest::collection::vec(
            proptest::sample::select(vec![
                "ping", "greet hi", "route", "route add 10.0.0.0/8 dev eth0", "route del 10.0.0.0/8",
                "route show", "route flush all", "route get 10.0.0.1", "stats", "help", "nonsense",
                "monitor", "log", "version", "route add 10.0.0.0/8 via",
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
