// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sessions with programs: frames over the serial line and the local control socket.

pub mod control_socket;
pub mod session;
