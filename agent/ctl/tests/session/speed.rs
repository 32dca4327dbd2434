// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lists and batches use the wanted speed of the line, and nothing else does.

use crate::rig::{OWN_SPEED, TestFile, TestPort, listed, load_file, scattered};

const FAST: u32 = 921_600;

#[test]
fn lists_and_batches_are_carried_at_wanted_speed() {
    let port = TestPort::new(0);
    port.0.borrow_mut().program.set_line_with_speed(true);
    let mut link = port.open();
    link.want_speed(FAST);
    // A few frames are sent at the line's own speed.
    let lines = scattered(20_000);
    load_file(&mut link, &TestFile::new("few", &lines[..100]));
    assert_eq!(port.0.borrow().fast, 0);
    let before = link.traffic().0;
    let rest = TestFile::new("many", &lines[100..]);
    load_file(&mut link, &rest);
    let sent = (link.traffic().0 - before) as usize;
    let fast = std::mem::take(&mut port.0.borrow_mut().fast);
    assert!(fast > sent / 2 && fast < sent, "{fast} of {sent} bytes");
    assert_eq!(port.0.borrow().speeds, [OWN_SPEED; 2]);
    assert_eq!(listed(&mut link, "", true), port.routes());
    assert_eq!(port.routes().len(), lines.len());
    assert!(port.0.borrow().fast > 0);
    assert_eq!(port.0.borrow().speeds, [OWN_SPEED; 2]);
    assert_eq!(link.speed_refused(), None);
    link.leave().unwrap();
}

#[test]
fn refused_speed_is_told_once_and_the_line_used_as_it_is() {
    let port = TestPort::new(0);
    let mut link = port.open();
    link.want_speed(FAST);
    let lines = scattered(20_000);
    load_file(&mut link, &TestFile::new("slow", &lines));
    let why = link.speed_refused().unwrap();
    assert_eq!(why, "this connection has no speed");
    assert_eq!(listed(&mut link, "", true).len(), lines.len());
    assert_eq!(link.speed_refused(), None);
    let wire = port.0.borrow();
    assert_eq!((wire.fast, wire.speeds), (0, [OWN_SPEED; 2]));
}
