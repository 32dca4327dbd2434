// SPDX-License-Identifier: MIT OR Apache-2.0
//! The commands, over an open [`Link`](crate::Link). [`file`] reads and writes files of routes;
//! [`lines`] reads the lines that a user types into the shell.

pub mod apply;
pub mod console;
pub mod feed;
pub mod file;
pub mod follow;
pub mod import;
pub mod info;
pub mod lines;

pub mod list;
pub mod load;
pub mod metrics;
pub mod monitor;
pub mod route;
pub mod save;
pub mod settings;
pub mod shell;
