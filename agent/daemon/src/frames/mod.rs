// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sessions with programs: frames over the serial line and the local control socket.

mod changes;
mod command;
pub mod control_socket;
pub mod host;
mod listing;
mod refusal;
mod saving;
pub mod session;
