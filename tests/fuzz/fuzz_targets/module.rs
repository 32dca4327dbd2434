// SPDX-License-Identifier: MIT OR Apache-2.0
//! All of kmod/ in user space: loaded, any datagrams, devices that come and go, memory that is
//! short, unloaded. It has to say what the model says, and to leave nothing behind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nl31_fuzz::module::Module;
use nl31_fuzz::{exchange, script};

fuzz_target!(|data: &[u8]| {
    let Some((&fail, script)) = data.split_first() else {
        return;
    };
    if let Some(mut module) = Module::load(fail & 0x1f) {
        exchange::play(&mut module, &script::read(script));
        module.unload();
    }
});
