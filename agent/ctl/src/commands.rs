// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the commands do, over an open [`Link`](crate::Link). [`file`] reads and writes
//! files of routes, and [`lines`] what is typed into the shell.

pub mod apply;
pub mod console;
pub mod file;
pub mod info;
pub mod lines;

pub mod list;
pub mod load;
pub mod monitor;
pub mod route;
pub mod save;
pub mod settings;
pub mod shell;
