// SPDX-License-Identifier: MIT OR Apache-2.0
//! The agent's log is followed over several sessions, and what is missing of it is told.

use nl31_agent::frames::session::Program;
use nl31_agent::platform::log_ring;
use nl31_ctl::commands::follow::Follow;
use nl31_ctl::link::Link;
use nl31_ctl::output::Output;

use crate::rig::{TestPort, printed};

/// Lines that the agent keeps.
const KEPT: usize = 64;

fn asked(follow: &mut Follow, link: &mut Link<TestPort>) -> Vec<String> {
    let mut out = Vec::new();
    let mut output = Output::new(&mut out, false, false);
    follow.ask(link, &mut output).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The lines that this test logs; other tests log, too.
fn ours(lines: &[String]) -> Vec<&str> {
    let marked = lines
        .iter()
        .filter_map(|line| line.split_once("] INFO ours "));
    marked.map(|(_, text)| text).collect()
}

#[test]
fn log_is_followed_and_gaps_are_told() {
    log_ring::init();
    let port = TestPort::new(0);
    let mut link = port.open();
    let mut follow = Follow::default();
    log::info!("ours before");
    assert_eq!(asked(&mut follow, &mut link), [""; 0]);
    log::info!("ours 1");
    log::info!("ours 2");
    let lines = asked(&mut follow, &mut link);
    assert_eq!(ours(&lines), ["1", "2"], "{lines:?}");
    // In another session it goes on.
    log::info!("ours 3");
    drop(link);
    let mut link = port.open();
    let lines = asked(&mut follow, &mut link);
    assert_eq!(ours(&lines), ["3"], "{lines:?}");
    // More at once than the agent keeps.
    for number in 0..KEPT + 100 {
        log::info!("ours {number}");
    }
    let lines = asked(&mut follow, &mut link);
    let (count, text) = lines[0].split_once(' ').unwrap();
    assert_eq!(text, "lines of the log were lost and cannot be shown");
    assert!(count.parse::<usize>().unwrap() >= 100, "{count}");
    let last = (KEPT + 99).to_string();
    assert_eq!(ours(&lines).last(), Some(&last.as_str()), "{lines:?}");
    // Another run of the agent, whose log begins with what it still has here.
    log::info!("ours new");
    let kernel = port.kernel();
    port.0.borrow_mut().program = Program::new(kernel, 8);
    let mut link = port.open();
    let values = printed(|out| follow.ask(&mut link, out)).unwrap();
    assert_eq!(values[0]["event"], "restarted");
    assert_eq!(values[1]["event"], "lost");
    assert!(values[1]["lines"].as_u64() >= Some(100), "{}", values[1]);
    let numbers: Vec<_> = values[2..]
        .iter()
        .map(|value| value["number"].as_u64().unwrap())
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "{numbers:?}"
    );
    assert!(
        values.iter().any(|value| value["text"] == "ours new"),
        "{values:?}"
    );
}
