// SPDX-License-Identifier: MIT OR Apache-2.0
//! The line editor: bytes of a terminal in, a line and its drawing out.
//!
//! The editor draws only with printable characters, CR, backspace and BEL, and sends no query
//! to the terminal, so it works on every terminal.

pub mod display_width;
mod history;
mod keys;
mod line_buffer;
mod line_editor;
mod row;

pub use keys::{Key, KeyDecoder};
pub use line_buffer::{LINE_MAX, Line};
pub use line_editor::{Editor, Request};
pub use row::{DRAWN_MAX, PROMPT_MAX};
