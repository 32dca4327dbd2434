// SPDX-License-Identifier: MIT OR Apache-2.0
//! Console sessions as transcripts, over a kernel in memory that speaks the real
//! bytes. Lines that begin with `> ` are typed, the others are the replies.
#![allow(missing_docs)]

mod any_input;
mod commands;
mod config;
mod confirmed_commit;
mod devices;
mod edits;
mod iproute2;
mod links;
mod lock;
mod monitor;
mod overview;
mod page;
mod paste;
mod ports;
mod session;
mod settings;
mod setup;
mod terminal;
mod virtual_links;
