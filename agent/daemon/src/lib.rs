// SPDX-License-Identifier: MIT OR Apache-2.0
//! The resident agent of nl31: loads the config, then serves the serial console.
//!
//! Its rooms, each of which uses only those below it (`tests/rooms.rs` checks that):
//!
//! - [`event_loop`]: the main thread, one poll over everything.
//! - [`frames`]: sessions with programs.
//! - [`console`]: sessions with people, and the state that all sessions share.
//! - [`candidate`]: edits, commits and their roll-back.
//! - [`config`]: its file, load at boot, save.
//! - [`grammar`]: commands and reply codes.
//! - [`platform`]: the machine.

pub mod candidate;
pub mod config;
pub mod console;
pub mod event_loop;
pub mod frames;
pub mod grammar;
pub mod platform;
