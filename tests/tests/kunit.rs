// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests inside the kernel; more of them, and on a debug kernel, with `cargo lab kunit`.

use nl31_lab::kunit;

#[test]
fn the_suites_in_the_kernel_pass() {
    let results = kunit::run(&kunit::Options::default()).expect("a run to its end");
    assert_eq!(results.failed, Vec::<String>::new());
    // those that want a real table
    assert!(
        results.skipped.iter().all(|name| name.contains(".real_")),
        "{:?}",
        results.skipped
    );
    assert!(results.passed.iter().any(|name| name == "nl31_lpm"));
}
