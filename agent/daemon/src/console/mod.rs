// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sessions with people: a text console on the serial line, or on standard input and output.
//!
//! [`session`] takes what is typed, the files of the commands carry it out. [`shared`]
//! is the state that all sessions of one agent have in common, those of programs too.

pub mod access;
mod changes;
mod commit;
mod complete;
mod config;
pub mod editor;
mod info;
mod json;
mod lock;
mod page;
mod routes;
mod session;
pub mod shared;
mod show;

pub(crate) use session::Reason;
pub use session::{Console, PROMPT, Peer};
