// SPDX-License-Identifier: GPL-2.0-only
//! kmod/lpm_*.c in user space beside a list of prefixes that is looked through from end to end:
//! see shim/lpm_model.c.
#![no_main]

use libfuzzer_sys::fuzz_target;

unsafe extern "C" {
    fn shim_lpm(data: *const u8, size: usize);
}

fuzz_target!(|data: &[u8]| {
    // SAFETY: it reads `size` bytes from `data`, and keeps neither
    unsafe { shim_lpm(data.as_ptr(), data.len()) }
});
