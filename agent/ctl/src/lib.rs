// SPDX-License-Identifier: MIT OR Apache-2.0
//! `nl31ctl`: drives an nl31 appliance from another machine over its serial line, or
//! on the appliance itself over its local socket. Never scrapes the console: it talks
//! the frames of `nl31-wire`.
//!
//! [`cli`] are the arguments, [`port`] moves bytes, [`link`] is a session with the
//! agent; the other modules are what the commands do.

pub mod apply;
pub mod cli;
pub mod error;
pub mod file;
pub mod interrupt;
pub mod lines;
pub mod link;
pub mod list;
pub mod load;
pub mod monitor;
pub mod port;
pub mod route;
pub mod save;
pub mod shell;

pub use error::Error;
pub use link::Link;
