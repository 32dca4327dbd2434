// SPDX-License-Identifier: MIT OR Apache-2.0
//! The real client and the agent's real session, over a line in memory that may be
//! bad, and a kernel in memory that speaks the real bytes.
#![allow(missing_docs)]

mod batches;
mod changes;
mod console;
mod feed;
mod files;
mod follow;
mod kernel_table;
mod link;
mod metrics;
mod monitor;
mod rig;
mod settings;
mod speed;
mod transactions;
mod zebra;
