// SPDX-License-Identifier: MIT OR Apache-2.0
//! The language of the console: commands, and the codes of the replies.

pub mod codes;
mod table;

pub use table::*;
