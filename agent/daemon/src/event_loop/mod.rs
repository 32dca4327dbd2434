// SPDX-License-Identifier: MIT OR Apache-2.0
//! The main thread's loop, which ties everything below together.

mod agent;
mod arrivals;
mod kernel;
mod leases;
mod line_speed;
mod retry;
mod serial_line;
mod stall;
mod wait;

pub use agent::{Options, run};
