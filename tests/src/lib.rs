// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lab of nl31: it builds the appliance's image from distribution packages,
//! boots it in QEMU and drives it. What it builds is not a Buildroot image, but
//! shares everything with one but the compiler of the kernel and of BusyBox.
//!
//! A test starts a [`Guest`] from an [`Image`], types at its [`Console`] and runs
//! shell commands in it with [`Guest::exec`]. A kernel that complains fails the
//! test, whatever the test was about.

pub mod agent_bench;
pub mod arch;
pub mod attach;
pub mod bench;
pub mod buildroot;
pub mod cable;
pub mod cache;
pub mod channel;
pub mod check;
pub mod client;
pub mod console;
pub mod cost;
pub mod cpio;
pub mod cross;
pub mod debian;
pub mod debug_kernel;
pub mod device_tree;
pub mod disk;
pub mod exec;
pub mod feed;
pub mod figures;
pub mod forecast;
pub mod forward_bench;
pub mod fuzz;
pub mod guest;
pub mod host;
pub mod image;
pub mod kernel;
pub mod klog;
pub mod ktap;
pub mod kunit;
pub mod licences;
pub mod picture;
pub mod prefixes;
pub mod progress;
pub mod qemu;
pub mod qmp;
pub mod random;
pub mod rootfs;
pub mod uml_registers;
pub mod unattended;
pub mod wire;
pub mod write_log;

pub use arch::Arch;
pub use console::{Console, Reply, Severity};
pub use disk::{Disk, DiskImage};
pub use exec::Output;
pub use guest::{Guest, Setup};
pub use image::Image;

use std::path::Path;

/// The checkout that this lab was built from.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ has a parent")
}
