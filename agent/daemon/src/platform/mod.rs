// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine: terminal, kernel sockets, network devices, watchdog, files, log and
//! sandbox.

pub mod atomic_file;
pub mod bit_rate;
pub mod devices;
pub mod exit_reason;
pub mod icmp_echo;
pub mod instance;
pub mod kernel_log;
pub mod link_speed;
pub mod log_ring;
pub mod output;
pub mod printable;
pub mod reboot;
pub mod receiver;
pub mod sandbox;
pub mod serial;
pub mod system;
pub mod watchdog;
