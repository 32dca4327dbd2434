// SPDX-License-Identifier: MIT OR Apache-2.0
//! The console over frames.

use indicatif::ProgressBar;
use nl31_agent::frames::host::Host;
use nl31_agent::grammar::codes;
use nl31_ctl::commands::save::save_there;
use nl31_ctl::commands::{console, shell};
use nl31_route::{DeviceName, Route};
use nl31_wire::{Op, code};

use crate::rig::{TestPort, change, printed, with_folder};

#[test]
fn a_console_over_frames_is_told_that_it_missed_events() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let mut said = Vec::new();
    assert!(!port.0.borrow().program.subscribes());
    shell::line(&mut link, "monitor on", &mut said).unwrap();
    assert!(port.0.borrow().program.subscribes());
    let kernel = port.kernel();
    let route: Route<DeviceName> = "10.0.0.0/8 dev lo".parse().unwrap();
    let route = route.map_device(nl31_netlink::Device::Name);
    let mut client = kernel.connect().unwrap();
    // More events than the agent has room for, while the client does not fetch its output.
    for _ in 0..1000 {
        client.add(nl31_netlink::Add::Add, &route).unwrap();
        client.delete_prefix(route.prefix).unwrap();
        while let Some(event) = kernel.0.borrow_mut().event() {
            port.0.borrow_mut().program.event(&event);
        }
    }
    for _ in 0..2 {
        shell::line(&mut link, "ping", &mut said).unwrap();
    }
    let said = String::from_utf8(said).unwrap();
    let shown = said.matches("10.0.0.0/8").count();
    assert!((1..2000).contains(&shown), "{shown}");
    let lost = format!("* {} changes arrived too fast to be shown", 2000 - shown);
    assert!(said.contains(&lost), "{said}");
}

#[test]
fn the_console_talks_over_frames() {
    for noise in [0, 2000] {
        let port = TestPort::new(noise);
        let mut link = port.open();
        let mut says = |line: &str| {
            let mut out = Vec::new();
            shell::line(&mut link, line, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(says("ping"), "I200 the kernel is alive\n");
        assert_eq!(
            says("route add 10.0.0.0/8 dev eth0"),
            "I200 added 10.0.0.0/8\n"
        );
        assert!(says("route add 10.0.0.0/8 dev eth0").starts_with("E409 "));
        assert!(says("nonsense").contains("E400 column 1"));
        for number in 0..500 {
            let line = format!("route add 11.{}.{}.0/24 dev lo", number / 256, number % 256);
            assert!(says(&line).starts_with("I200 "));
        }
        let shown = says("route show");
        assert_eq!(shown.lines().count(), 502);
        assert!(shown.ends_with("\nI200 501 routes\n"));
        assert!(says("help codes").ends_with("\nI200 help\n"));
        let long = "x".repeat(495);
        let refused = shell::line(&mut link, &long, &mut Vec::new()).unwrap_err();
        assert_eq!(refused.code(), Some(414));
    }
}

#[test]
fn the_codes_of_frames_are_none_of_the_console() {
    let console: Vec<_> = codes::ALL.iter().map(|code| code.number).collect();
    assert!(code::ALL.iter().all(|(code, _)| !console.contains(code)));
}

#[test]
fn commands_of_the_console_print_json() {
    let (port, _folder) = with_folder("console-json");
    let mut link = port.open();
    let versions = printed(|out| console::version(&mut link, out)).unwrap();
    let [version] = &versions[..] else {
        panic!("{versions:?}");
    };
    for name in ["nl31ctl", "agent", "host", "boot", "module", "abi"] {
        assert!(version[name].is_string(), "{version}");
    }
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    save_there(&mut link, &ProgressBar::hidden()).unwrap();
    change(&mut link, Op::Replace, "10.0.0.0/8 dev eth0").unwrap();
    let changes = printed(|out| console::show(&mut link, "diff", out)).unwrap();
    let changes: Vec<_> = changes
        .iter()
        .map(|route| (route["change"].as_str(), route["dev"].as_str()))
        .collect();
    let expected = [(Some("-"), Some("lo")), (Some("+"), Some("eth0"))];
    assert_eq!(changes, expected);
    let done = printed(|out| console::execute(&mut link, "factory-reset", out)).unwrap();
    assert_eq!(done[0]["code"], 200, "{done:?}");
    for (command, code) in [("rollback", 412), ("confirm", 412), ("reboot", 403)] {
        let error = printed(|out| console::execute(&mut link, command, out)).unwrap_err();
        assert_eq!((error.code(), error.status()), (Some(code), 1), "{error}");
    }
}
