// SPDX-License-Identifier: MIT OR Apache-2.0
//! The line editor: bytes of a terminal in, a line and its drawing out.

pub mod display_width;
mod history;
mod keys;
mod line_editor;

pub use line_editor::{DRAWN_MAX, Editor, LINE_MAX, Line, Request};
