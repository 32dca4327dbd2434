// SPDX-License-Identifier: MIT OR Apache-2.0
//! Limits of command arguments.

use nl31_netlink::abi::TEXT_MAX;
use nl31_wire::limits::CONFIRM_MAX;

/// Longest text of a greeting.
pub const GREETING_MAX: usize = TEXT_MAX;

/// Longest time to confirm a commit.
pub const CONFIRM_SECONDS_MAX: u32 = CONFIRM_MAX;

/// Smallest and largest MTU: that of IPv4, and that of the loopback device.
pub const MTU_MIN: u32 = 68;
/// See [`MTU_MIN`].
pub const MTU_MAX: u32 = 65_536;

/// Most echo requests of one `ping`.
pub const PROBES_MAX: u32 = 100_000;

/// Most bytes of an echo request behind its ICMP header: it fills a packet of 9,000 bytes.
pub const PROBE_SIZE_MAX: u16 = 8_972;

/// Most rows and columns of a terminal.
pub const TERMINAL_SIZE_MAX: usize = 999;
