// SPDX-License-Identifier: MIT OR Apache-2.0
//! The agent's memory does not grow with the table, nor with what it has done.
//! `cargo lab bench --agent` measures the same with a million routes.

use nl31_lab::Image;
use nl31_lab::agent_bench::Memory;
use nl31_lab::figures;

const ROUTES: usize = 50_000;
const COMMANDS: usize = 2000;

/// KiB, as the design promises for any size of the table.
const FLAT: i64 = 64;

#[test]
fn the_agent_takes_the_same_memory_for_any_table_and_at_any_age() {
    let memory = Memory::measure(Image::shared(), ROUTES, COMMANDS).expect("to measure");
    let (routes, commands) = memory.grown();
    assert!(
        routes <= FLAT,
        "{routes} KiB more with {ROUTES} routes: {memory:?}"
    );
    assert!(
        commands <= FLAT,
        "{commands} KiB more after {COMMANDS} commands: {memory:?}"
    );
    assert!(
        memory.at_first.resident <= figures::RESIDENT_LIMIT as i64,
        "{memory:?}"
    );
}
