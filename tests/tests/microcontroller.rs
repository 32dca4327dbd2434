// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a microcontroller needs to drive the appliance builds for one.

use nl31_lab::cross;

/// A Cortex-M4 or M7, which has neither `std` nor an allocator.
const TARGET: &str = "thumbv7em-none-eabihf";

#[test]
fn routes_and_frames_build_for_a_cortex_m() {
    for package in ["nl31-route", "nl31-wire"] {
        cross::bare_library(TARGET, package).expect("to build it");
    }
}
