// SPDX-License-Identifier: MIT OR Apache-2.0
//! `setup`: questions to a person, whose answers become edits that wait for `confirm`.

use nl31_netlink::FakeDevice;

use crate::session::Session;

fn eth0(session: &mut Session) -> FakeDevice {
    let mut devices = session.kernel().devices.iter();
    let eth0 = devices.find(|device| device.index == 2);
    eth0.expect("eth0 is there").clone()
}

fn addresses(session: &mut Session) -> Vec<String> {
    let addresses = eth0(session).addresses;
    addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn answers_become_a_commit_that_waits_for_confirm() {
    let mut session = Session::new(true);
    let asked = session.types("setup\r");
    assert!(asked.contains("Ctrl-C ends and changes nothing"), "{asked}");
    let name = asked.lines().last().unwrap().to_owned();
    assert!(name.starts_with("host name ["), "{asked}");
    // Enter alone keeps the name.
    let asked = session.types("\r");
    assert!(asked.ends_with("eth0 addresses [none]: "), "{asked}");
    let asked = session.types("192.0.2.1/24 2001:db8::1/64\r");
    assert!(asked.ends_with("eth0 is a port [yes]: "), "{asked}");
    let asked = session.types("\r");
    assert!(
        asked.ends_with("IPv4 default route via [keep]: "),
        "{asked}"
    );
    let asked = session.types("192.0.2.254\r");
    assert!(
        asked.ends_with("IPv6 default route via [keep]: "),
        "{asked}"
    );
    let asked = session.types("\r");
    let follow = [
        "  begin",
        "  address add 192.0.2.1/24 dev eth0",
        "  address add 2001:db8::1/64 dev eth0",
        "  port set eth0",
        "  route replace 0.0.0.0/0 via 192.0.2.254 dev eth0",
        "  diff",
        "  commit confirmed 300",
        "carry out [yes]: ",
    ];
    let shown: Vec<_> = asked.lines().rev().take(follow.len()).collect();
    assert!(shown.iter().rev().eq(&follow), "{asked}");
    // Nothing of it is done before.
    assert_eq!(addresses(&mut session), [""; 0]);

    let typed = session.types("\r");
    assert!(typed.ends_with("!> "), "{typed}");
    for line in &follow[..7] {
        assert!(
            typed.contains(&format!("> {}\r\n", line.trim())),
            "{line}: {typed}"
        );
    }
    assert_eq!(addresses(&mut session), ["192.0.2.1/24", "2001:db8::1/64"]);
    assert_eq!(session.table(), ["0.0.0.0/0 via 192.0.2.254 dev eth0"]);

    // Asked again, it offers what is there; with it nothing is to be done.
    session.types("confirm\rsetup\r\r");
    let again = session.types("\r\r\r\r");
    assert!(again.contains("W204 "), "{again}");
}

#[test]
fn link_may_have_its_addresses_from_dhcp() {
    let mut session = Session::new(true);
    session.types("setup\r\rdhcp\r\r\rconfirm\r");
    let config = session.types("config show\r");
    for line in ["port set eth0\r\n", "dhcp eth0 on\r\n"] {
        assert!(config.contains(line), "{line}: {config}");
    }
    // The default route comes with the lease, so it is not asked for.
    let asked = session.types("setup\r\r");
    assert!(asked.ends_with("eth0 addresses [dhcp]: "), "{asked}");
    let asked = session.types("none\r");
    assert!(asked.contains("\r\n  dhcp eth0 off\r\n"), "{asked}");
}

#[test]
fn commit_of_setup_is_rolled_back() {
    let mut session = Session::new(true);
    session.types("setup\r\r192.0.2.1/24\rno\r\r\r");
    assert_eq!(addresses(&mut session), ["192.0.2.1/24"]);
    let rolled = session.types("rollback\r");
    assert!(rolled.contains("I200 "), "{rolled}");
    assert_eq!(addresses(&mut session), [""; 0]);
}

#[test]
fn wrong_answer_is_explained_and_asked_for_again() {
    let mut session = Session::new(true);
    session.types("setup\r\r");
    for (answer, why) in [
        ("192.0.2.1", "is not an address with its length"),
        ("224.0.0.1/24", "is not the address of a host"),
        ("192.0.2.1/24 192.0.2.1/24", "is given twice"),
        (
            "1.0.0.1/8 1.0.0.2/8 1.0.0.3/8 1.0.0.4/8 1.0.0.5/8",
            "4 addresses",
        ),
    ] {
        let said = session.types(format!("{answer}\r"));
        assert!(said.contains(why), "{answer}: {said}");
        assert!(said.ends_with("eth0 addresses [none]: "), "{said}");
    }
    session.types("192.0.2.1/24\r");
    let said = session.types("perhaps\r");
    assert!(said.contains("answer `yes` or `no`"), "{said}");
    session.types("yes\r");
    for (answer, why) in [
        (
            "198.51.100.1",
            "no link has an address whose network contains",
        ),
        ("192.0.2.1", "own address"),
        ("2001:db8::1", "is not the IPv4 address"),
    ] {
        let said = session.types(format!("{answer}\r"));
        assert!(said.contains(why), "{answer}: {said}");
    }
    // `?` and Tab explain the question.
    let explained = session.presses("?\t");
    assert_eq!(
        explained.matches("The next router for").count(),
        2,
        "{explained}"
    );
}

#[test]
fn setup_that_ends_early_changes_nothing() {
    for end in ["\x03", "\x04"] {
        let mut session = Session::new(true);
        session.types("setup\r\r192.0.2.1/24\r");
        let ended = session.types(end);
        assert!(ended.contains("W206 `setup` has stopped"), "{ended}");
        assert!(ended.ends_with("nl31> "), "{ended}");
        assert_eq!(addresses(&mut session), [""; 0]);
        assert!(session.types("ping\r").contains("I200 "));
    }
}

/// The kernel refuses the commit: its error is the last word, and the edits are there to be seen.
#[test]
fn setup_stops_at_the_first_error() {
    let mut session = Session::new(true);
    session.types("setup\r\r192.0.2.1/24\r\r\r");
    session.kernel().admin = false;
    let typed = session.types("\r");
    assert!(typed.contains("E403 "), "{typed}");
    assert!(typed.contains("* `setup` has stopped at an error; `rollback` drops its edits"));
    assert_eq!(addresses(&mut session), [""; 0]);
}

#[test]
fn setup_asks_people_alone_and_no_one_with_open_edits() {
    let mut session = Session::new(false);
    session.plays(
        "
        > setup
        E403 `setup` asks a person; a program sends the settings
        ",
    );
    let mut session = Session::new(true);
    session.types("begin\r");
    assert!(
        session
            .types("setup\r")
            .contains("E423 edits are open already")
    );
}

#[test]
fn line_that_is_taken_ends_setup() {
    let mut session = Session::new(true);
    session.types("setup\r\r");
    session.console.restart();
    let shown = session.types("");
    assert!(
        shown.contains("* `setup` was stopped: a program or another terminal"),
        "{shown}"
    );
    assert!(shown.ends_with("nl31> "), "{shown}");
}
