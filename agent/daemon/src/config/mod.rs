// SPDX-License-Identifier: MIT OR Apache-2.0
//! The config: its file, how it is loaded at boot and saved.

pub mod boot;
pub mod file;
pub mod marker;
pub mod save;
pub mod sorted;
