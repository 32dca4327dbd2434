// SPDX-License-Identifier: MIT OR Apache-2.0
//! `nl31ctl`: drives an nl31 appliance from another machine over its serial line, or
//! on the appliance itself over its local socket. It never parses the console's text:
//! it speaks the frames of `nl31-wire`.
//!
//! From the top down: [`arguments`] is the command line, [`manual`] its page, [`completion`]
//! what a shell offers,
//! [`run`] carries one command out, [`commands`] are the commands and [`output`] what
//! they print, [`connect`] opens a session where the user wants it and [`discovery`]
//! finds the serial lines, [`feed`] follows a routing daemon, [`import`] reads the routes of
//! other programs, [`open_metrics`] is a format of counters, [`link`] is a session with the
//! agent, [`journal`] its log, [`incoming`] finds its frames, [`port`] moves bytes.

pub mod arguments;
pub mod commands;
pub mod completion;
pub mod connect;
pub mod discovery;
pub mod error;
pub mod feed;
pub mod import;
pub mod incoming;
pub mod interrupt;
pub mod journal;
pub mod link;
pub mod manual;
pub mod open_metrics;
pub mod output;
pub mod port;
pub mod run;

pub use error::Error;
pub use link::Link;
