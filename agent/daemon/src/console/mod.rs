// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sessions with people: a text console on the serial line, or on standard input and output.
//!
//! [`session`] reads the input; the files of the commands carry it out. [`shared`] is the
//! state that all sessions of one agent share, those of programs too.

pub mod access;
mod boot;
mod changes;
mod commit;
mod complete;
mod config;
mod dialogue;
mod diff;
mod dispatch;
pub mod editor;
mod info;
mod intake;
mod json;
mod links;
mod lock;
mod neighbours;
mod notices;
mod overview;
mod page;
mod ping;
mod ports;
mod probe;
mod prompt;
mod reply;
mod routes;
mod session;
mod settings;
mod setup;
pub mod shared;
mod show;
mod traceroute;

pub use prompt::PROMPT;
pub(crate) use reply::Reason;
pub use session::{Console, Peer};
