// SPDX-License-Identifier: MIT OR Apache-2.0
//! The running kernel, in user-mode Linux: any datagrams on real sockets, allocations that
//! fail, devices that go up and down. It has to say what the model says. This program is its init.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use nl31_fuzz::kernel::{Machine, be_init};
use nl31_fuzz::{exchange, script};

const COUNTERS: usize = 1 << 15;

/// libFuzzer looks for this section.
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static mut REACHED: [u8; COUNTERS] = [0; COUNTERS];

thread_local! {
    static MACHINE: RefCell<Option<Machine>> = const { RefCell::new(None) };
}

fuzz_target!(
    init: be_init(),
    |data: &[u8]| {
        MACHINE.with_borrow_mut(|machine| {
            let machine = machine.get_or_insert_default();
            machine.begin(data);
            exchange::play(machine, &script::read(data));
            machine.end(|address| {
                let at = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49;
                // SAFETY: libFuzzer looks at it between runs only, and there is one thread
                unsafe { REACHED[at as usize] = REACHED[at as usize].saturating_add(1) };
            });
        });
    }
);
