// SPDX-License-Identifier: MIT OR Apache-2.0
//! The conformance cases of protocol 31 against the running kernel. By hand, some of them:
//! `cargo lab exec --share target/lab/wire-… -- 'cd /mnt/share && ./ld.so --library-path .
//! ./nl31-wire "dump*"'`.

use nl31_lab::{Guest, Image, Setup, wire};

#[test]
fn the_kernel_does_all_that_the_protocol_says() {
    let share = Some(wire::build().expect("the program"));
    let setup = Setup {
        share,
        ..Setup::default()
    };
    let mut guest = Guest::start(Image::shared(), &setup).expect("a guest");
    let output = guest.exec(wire::COMMAND).expect("to run the cases");
    let tap = String::from_utf8_lossy(&output.stdout);

    // a line `1..COUNT` before the first case says how many there are
    let count = tap.lines().find_map(|line| line.strip_prefix("1.."));
    let count: usize = count.and_then(|count| count.parse().ok()).expect("a plan");
    let passed = tap.lines().filter(|line| line.starts_with("ok ")).count();
    let rest: Vec<&str> = tap
        .lines()
        .filter(|line| !line.starts_with("ok "))
        .collect();
    assert!(
        output.status == 0 && passed == count && count > 0,
        "{passed} of {count} passed:\n{}\n{}",
        rest.join("\n"),
        String::from_utf8_lossy(&output.stderr)
    );
}
