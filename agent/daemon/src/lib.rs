// SPDX-License-Identifier: MIT OR Apache-2.0
//! The resident agent of nl31: loads the config, then serves the serial console.
//!
//! - [`console`] is a session: [`editor`] turns keys into lines (which take so many
//!   [`columns`]), [`grammar`] lines
//!   into commands, [`codes`] are what replies begin with.
//! - [`program`] is the same for programs: frames in, frames out. [`control`] is the
//!   local socket that carries them too.
//! - [`boot`] brings a [`config`] into the kernel, [`save`] the kernel's table into
//!   the config; [`files`] says where it is, and a [`mark`] what was loaded of it.
//! - [`candidate`] keeps the [`edit`]s of a transaction, [`touched`] follows what they
//!   do, [`undo`] takes a commit back that nobody confirms. [`shared`] is what all
//!   sessions have in common.
//! - [`serial`] is the terminal, [`receiver`] the thread that hears the kernel, and
//!   [`agent`] the loop that ties them together. The rest does no input or output,
//!   so it is tested without either.
//! - [`privileges`] are given up before anything is heard, see [`sandbox`]; [`last_words`]
//!   tell the next agent why this one ended; an [`instance`] is the only one of its run
//!   folder. [`watchdog`] is pinged while all is well, and a [`reboot`] is passed on to init.

pub mod access;
pub mod agent;
pub mod boot;
pub mod candidate;
pub mod changes;
pub mod codes;
pub mod columns;
pub mod config;
pub mod console;
pub mod control;
pub mod device;
pub mod difference;
pub mod edit;
pub mod editor;
pub mod files;
pub mod flush;
pub mod grammar;
pub mod history;
pub mod instance;
pub mod json;
pub mod keys;
pub mod last_words;
pub mod log_ring;
pub mod mark;
pub mod output;
pub mod privileges;
pub mod program;
pub mod reboot;
pub mod receiver;
pub mod sandbox;
pub mod save;
pub mod serial;
pub mod shared;
pub mod sorted;
pub mod system;
pub mod touched;
pub mod undo;
pub mod watchdog;
