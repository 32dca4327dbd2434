// SPDX-License-Identifier: MIT OR Apache-2.0
//! The PIN of a line, and lines that are read-only.

use std::fs;
use std::rc::Rc;
use std::time::Duration;

use nl31_agent::console::Peer;
use nl31_agent::console::access::{Access, LineLock};
use nl31_netlink::Device;
use nl31_route::DeviceName;

use crate::session::{Folder, Session, client};

/// By Python's hashlib, with two rounds: the usual number takes long without
/// optimisation.
const PIN_4711: &str = "pin 2 07070707070707070707070707070707 \
     a969f071d2e4a3a03e2822e38baa1b6ca2900d76bd19cc9aa5084d802c1e1902";

/// A line that asks for the PIN 4711.
pub fn locked() -> Session {
    let mut session = Session::with(Folder::new(), Peer::Line, None);
    let file = session.folder.0.join("console.conf");
    fs::write(&file, PIN_4711).unwrap();
    let line_lock = LineLock::new(Access::read(&file));
    session.console.set_line_lock(Rc::new(line_lock));
    session.console.attach(client());
    session.console.start();
    session
}

#[test]
fn locked_line_accepts_only_pin_and_hides_it() {
    let mut session = locked();
    assert_eq!(session.types(""), "\r\nnl31 agent\r\nPIN: ");
    // Neither editor nor completion nor history are there.
    assert_eq!(session.types("\t\x1b[A\x04\x15"), "");
    assert_eq!(
        session.types("47\x7f7x\x7f11\r"),
        "\r\nI200 unlocked until `exit` or Ctrl-D\r\nnl31> "
    );
    assert!(
        session
            .types("ping\r")
            .ends_with("I200 the kernel is alive\r\nnl31> ")
    );
    session.types("monitor\r");
    // The input is forgotten, and `monitor` is off.
    assert_eq!(session.types("rou\x15\x04"), "\r\n* locked\r\nPIN: ");
    assert_eq!(
        session.types("ping\r\r\r"),
        "\r\nE401 wrong PIN; try again in 1 s\r\nPIN: "
    );
    // The right one is not looked at before its time, and is after it.
    let early = session.types("4711\r");
    assert!(
        early.contains("E401 wrong PIN; try again in 1 s"),
        "{early:?}"
    );
    while !session.types("4711\r").contains("I200 unlocked") {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!session.types("\x1b[A").contains("ping"));
}

#[test]
fn pin_is_read_as_keys() {
    for typed in [
        "\x1b[200~4711\x1b[201~\r",
        "4711\r\n",
        "4\x1b[D711\r",
        "47\u{e9}\x7f11\n",
    ] {
        let mut session = locked();
        session.types("");
        assert_eq!(
            session.types(typed),
            "\r\nI200 unlocked until `exit` or Ctrl-D\r\nnl31> ",
            "{typed:?}"
        );
    }
    let mut session = locked();
    session.types("");
    assert!(session.types(b"4711\xff\r").contains("E401 "));
}

#[test]
fn input_during_pin_check_is_no_command() {
    let mut session = locked();
    session.types("");
    assert_eq!(
        session.types("4711\r4711\rping\r"),
        "\r\nI200 unlocked until `exit` or Ctrl-D\r\nnl31> "
    );
    assert_eq!(session.types("\x1b[A"), "\x07", "nothing in the history");
}

#[test]
fn half_typed_pin_is_forgotten_with_line() {
    let mut session = locked();
    session.types("4711");
    session.console.lock();
    session.console.restart();
    assert!(session.types("\r").ends_with("PIN: "));
    session.types("noise");
    session.console.suspend();
    session.console.restart();
    let unlocked = session.types("4711\r");
    assert!(unlocked.contains("I200 unlocked"), "{unlocked:?}");
}

#[test]
fn exit_ends_session_or_locks_line() {
    for (peer, reply) in [
        (Peer::Script, "I200 the session ends\n"),
        (Peer::Shell, "I200 the session ends\r\n"),
        (
            Peer::Line,
            "I200 no PIN is set; the line stays unlocked\r\nnl31> ",
        ),
    ] {
        let mut session = Session::with(Folder::new(), peer, None);
        let typed = session.types("exit\nping\n");
        assert!(typed.ends_with(reply), "{typed:?}");
        assert_eq!(session.console.input_ended(), peer != Peer::Line);
    }
    let mut session = locked();
    session.types("4711\r");
    session.types("monitor\r");
    let exit = session.types("quit\r");
    assert!(exit.ends_with("I200 locked\r\nPIN: "), "{exit:?}");
    // Neither the history nor the monitor outlive it.
    assert!(session.types("4711\r").ends_with("nl31> "));
    assert_eq!(session.types("\x1b[A"), "\x07");
    let route: nl31_netlink::Route<DeviceName> = "10.0.0.0/8 dev eth0".parse().unwrap();
    let client = session.console.client().unwrap();
    client
        .add(nl31_netlink::Add::Add, &route.map_device(Device::Name))
        .unwrap();
    assert_eq!(session.hears(), "");
}

#[test]
fn read_only_line_changes_nothing() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\n");
    let line_lock = LineLock::new(Access::without_pin(true));
    session.console.set_line_lock(Rc::new(line_lock));
    for line in [
        "route add 11.0.0.0/8 dev eth0",
        "route replace 11.0.0.0/8 dev eth0",
        "route change 10.0.0.0/8 dev lo",
        "route append 10.0.0.0/8 dev lo",
        "route del 10.0.0.0/8",
        "route flush all",
        "begin",
        "check",
        "commit",
        "confirm",
        "rollback",
        "save",
        "load",
        "factory-reset",
        "reboot",
    ] {
        assert_eq!(
            session.types(format!("{line}\n")),
            "E403 this line is read-only\n"
        );
    }
    session.plays("> route show\n10.0.0.0/8 dev eth0\nI200 1 route");
    assert!(!session.folder.config().exists());
}
