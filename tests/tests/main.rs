// SPDX-License-Identifier: MIT OR Apache-2.0
//! The system tests: a module for each suite. `cargo test SUITE::` runs those of one.

mod bench;
mod boot;
mod build_id;
mod buildroot;
mod console;
mod dhcp;
mod disk;
mod feed;
mod forward;
mod kunit;
mod lab;
mod links;
mod memory;
mod microcontroller;
mod newcomer;
mod overlay;
mod post_build;
mod power_cut;
mod program;
mod protocol;
mod readme;
#[cfg(buildroot)]
mod rebuild;
mod resilience;
mod serial;
mod specification;
mod stamp;
mod transaction;
mod wire;
