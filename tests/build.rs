// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests that need a checkout of Buildroot are there where `BUILDROOT_DIR` names one.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=BUILDROOT_DIR");
    println!("cargo::rustc-check-cfg=cfg(buildroot)");
    if std::env::var_os("BUILDROOT_DIR").is_some() {
        println!("cargo::rustc-cfg=buildroot");
    }
}
