// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands on routes, their replies and their errors, one line at a time.

use std::time::Duration;

use nl31_netlink::{Client, FakeKernel};

use crate::session::Session;

#[test]
fn route_is_added_read_changed_and_deleted() {
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
fn unique_abbreviations_are_accepted_others_refused() {
    Session::new(false).plays(
        "
        > rou ad default v 192.0.2.1 d eth0 m 5
        I200 added 0.0.0.0/0
        > rou s d eth0
        0.0.0.0/0 via 192.0.2.1 dev eth0 metric 5
        I200 1 route
        > rou a 10.0.0.0/8 dev eth0
          rou a 10.0.0.0/8 dev eth0
              ^
        E400 column 5: ambiguous; write more of the word: add or append
        ",
    );
}

#[test]
fn byte_order_mark_before_command_is_ignored() {
    let mut session = Session::new(false);
    assert_eq!(
        session
            .types("\u{feff}ping\nping\n")
            .matches("I200")
            .count(),
        2
    );
    let mut session = Session::new(true);
    assert!(session.types("\u{feff}ping\r").contains("I200"));
}

#[test]
fn replace_by_existing_path_is_refused() {
    Session::new(false).plays(
        "
        > route add 10.0.0.0/8 via 192.0.2.1
        I200 added 10.0.0.0/8
        > route append 10.0.0.0/8 via 192.0.2.2
        I200 appended 10.0.0.0/8
        > route replace 10.0.0.0/8 via 192.0.2.2
        E409 path is there
        > terminal 1
        I200 1 row of 80 columns
        > terminal +5
          terminal +5
                   ^^
        E400 column 10: expected a number from 0 to 999
        ",
    );
}

#[test]
fn empty_lines_and_comments_get_no_reply() {
    Session::new(false)
        .plays("> \n>  \t \n> # nothing\n> #ping\n> ping\nI200 the kernel is alive\n");
}

#[test]
fn wrong_line_gets_caret_and_changes_nothing() {
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
        > restart
          restart
          ^^^^^^^
        E400 column 1: no such command: `help` lists them
        > ping me
          ping me
               ^^
        E400 column 6: expected an address like 192.0.2.1 or 2001:db8::1
        > route add
          route add
                   ^
        E400 column 10: a prefix is missing, like 10.0.0.0/8, 2001:db8::/32 or default
        > route add 10.0.0.1/8 dev eth0
          route add 10.0.0.1/8 dev eth0
                    ^^^^^^^^^^
        E400 column 11: bits are set beyond the prefix length; did you mean 10.0.0.0/8?
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
        E400 column 26: this gateway is IPv6; an IPv4 prefix needs one like 192.0.2.1
        > route add 10.0.0.0/8 dev eth7
          route add 10.0.0.0/8 dev eth7
                                   ^^^^
        E406 device eth7 does not exist
        > route add blackhole 10.0.0.0/8 dev eth0
          route add blackhole 10.0.0.0/8 dev eth0
                                             ^^^^
        E400 column 36: a route of kind blackhole has no next hop: remove via and dev, or the word blackhole
        > route get
          route get
                   ^
        E400 column 10: an address is missing, like 192.0.2.1 or 2001:db8::1
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
        E400 column 6: no such command: `help` lists them
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
fn kernel_refusal_gets_caret_and_reason() {
    let mut session = Session::new(false);
    session.plays(
        "
        > route add 10.0.0.0/8 via 224.0.0.1
          route add 10.0.0.0/8 via 224.0.0.1
                                   ^^^^^^^^^
        E422 the gateway is not the address of a host
        > route add 10.0.0.0/8 dev eth0
        I200 added 10.0.0.0/8
        > route add 10.0.0.0/8 via 192.0.2.1
        E409 10.0.0.0/8 has a route of metric 0 already; `route replace` replaces it
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
fn route_show_filters_by_prefix_device_gateway_protocol() {
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
    session.plays("> route show ::/0\n::/0 dev eth0\nW205 1 route; the table changed meanwhile");
}

#[test]
fn shown_route_can_be_typed_again() {
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
fn flush_needs_filter_and_deletes_matches() {
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
        E400 column 25: `all` takes no other words: remove it, or the others
        > route flush 10.0.0.0/8 dev lo
        W204 no route matches
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
        W204 no route matches
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
        W204 no route matches
        ",
    );
}

#[test]
fn show_aliases_and_route_counts_work() {
    let mut session = Session::new(false);
    session.plays(
        "
        > route add 10.0.0.0/8 dev eth0
        I200 added 10.0.0.0/8
        > route add 11.0.0.0/8 dev lo
        I200 added 11.0.0.0/8
        > show routes
        10.0.0.0/8 dev eth0
        11.0.0.0/8 dev lo
        I200 2 routes
        > show ip route dev lo
        11.0.0.0/8 dev lo
        I200 1 route
        > route show count
        I200 2 routes
        > route show dev eth0 count
        I200 1 route
        > shwo
          shwo
          ^^^^
        E400 column 1: no such command: `help` lists them
        ",
    );
    assert!(session.types("show version\n").ends_with("I200 version\n"));
    assert!(session.types("show log\n").ends_with("I200 log\n"));
}

#[test]
fn routes_and_stats_print_as_json() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 via 192.0.2.1 dev eth0\n");
    let route = r#"{"type":"unicast","dst":"10.0.0.0/8","gateway":"192.0.2.1","dev":"eth0","metric":0,"protocol":"unspec"}"#;
    assert_eq!(
        session.types("route show json\n"),
        format!("{route}\nI200 1 route\n")
    );
    assert_eq!(
        session.types("route get 10.1.1.1 json\n"),
        format!("{route}\nI200 found\n")
    );
    let stats = session.types("stats json\n");
    assert!(
        stats.starts_with(r#"{"routes-ipv4":1,"routes-ipv6":0,"#),
        "{stats}"
    );
    assert!(stats.ends_with("}\nI200 stats\n"), "{stats}");
}

#[test]
fn multipath_is_set_and_told() {
    let mut session = Session::new(false);
    session.plays(
        "
        > multipath
        I200 multipath off
        > multipath on
        I200 multipath on
        > multipath
        I200 multipath on
        > multipath maybe
          multipath maybe
                    ^^^^^
        E400 column 11: expected on or off
        ",
    );
    assert!(session.kernel().multipath);
    assert!(session.types("stats\n").contains("\nmultipath 1\n"));
    session.plays("> multipath off\nI200 multipath off");
    session.kernel().admin = false;
    session.plays("> multipath on\nE403 multipath: CAP_NET_ADMIN is needed");
    assert!(
        session
            .types("config show\n")
            .starts_with("I200 0 settings")
    );
}

#[test]
fn commands_without_kernel_module_answer_e503() {
    let mut session = Session::without_kernel(false);
    let absent = "E503 the kernel has no netlink protocol 31: the nl31 module is missing\n";
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
fn help_lists_every_command_and_code() {
    let mut session = Session::new(false);
    let all = session.types("help\n");
    for command in nl31_agent::grammar::COMMANDS {
        assert!(all.contains(command.help), "{}", command.help);
        let one = session.types(format!("help {}\n", command.words.join(" ")));
        assert!(one.starts_with(&format!("  {command}\n")), "{one}");
        assert!(one.ends_with("I200 help\n"));
    }
    let codes = session.types("help codes\n");
    for code in nl31_agent::grammar::codes::ALL {
        assert!(codes.contains(&format!("  {code}  {}\n", code.meaning)));
    }
    assert!(session.types("help route\n").contains("route flush"));
    assert!(
        session
            .types("version\n")
            .contains("module 0.0-fake abi 1\nI200 version\n")
    );
    assert!(session.types("log\n").ends_with("I200 log\n"));
    let line = "log from 18446744073709551615\n";
    let next = session.types(line).replace("I200 log\n", "");
    assert!(
        next.starts_with("{\"next\":") && next.lines().count() == 1,
        "{next}"
    );
}

#[test]
fn control_characters_in_foreign_text_are_replaced() {
    let mut session = Session::new(false);
    let said = session.types("greet a\x1b[2J\u{9b}31m\rI200\n");
    assert!(said.contains("a?[2J?31m?I200\n"), "{said:?}");
    let said = session.types("load /no/\x1b]0;such\x07\n");
    assert!(said.starts_with("E424 /no/?]0;such?: "), "{said:?}");
    let said = session.types("route\tadd\t10.0.0.1/8\tdev eth0\n");
    assert!(
        said.starts_with("  route add 10.0.0.1/8 dev eth0\n            ^"),
        "{said:?}"
    );
}

#[test]
fn data_line_never_looks_like_status_line() {
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

/// With `NL31_BUILD_ID` set for cargo, as Buildroot sets it.
#[test]
fn version_names_build_that_agent_was_compiled_for() {
    let told = Session::new(false).types("version\n");
    let ours = match option_env!("NL31_BUILD_ID") {
        Some(build) => format!("agent {} {build}\n", env!("CARGO_PKG_VERSION")),
        None => format!("agent {}\n", env!("CARGO_PKG_VERSION")),
    };
    assert!(told.starts_with(&ours), "{told}");
}
