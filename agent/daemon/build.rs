// SPDX-License-Identifier: MIT OR Apache-2.0
//! Leaves the tables for unwinding out of the agent that is flashed, 94 KB, and the
//! unwinder, 65 KB. Its release profile ends a panic with an abort, so only the ready-made
//! standard library brings them, for backtraces that need symbols it has not got either.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=no-unwind.ld");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let is = |name, value| env::var(name).as_deref() == Ok(value);
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_ENV", "musl") {
        return;
    }
    // A linker by itself, or a C compiler that hands on what is marked for it.
    let bare = env::var("RUSTC_LINKER").is_ok_and(|linker| linker.contains("lld"));
    let mark = if bare { "" } else { "-Wl," };
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo::rustc-link-arg-bins={mark}-T{folder}/no-unwind.ld");
    println!("cargo::rustc-link-arg-bins={mark}--no-eh-frame-hdr");
}
