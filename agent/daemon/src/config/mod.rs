// SPDX-License-Identifier: MIT OR Apache-2.0
//! The config: its file, how it is loaded at boot and saved.

pub mod backup;
pub mod boot;
pub mod departures;
pub mod file;
pub mod learnt;
pub mod lease;
pub mod load;
pub mod locations;
pub mod marker;
mod runs;
pub mod save;
pub mod saved_form;
pub mod settings;
pub mod sorted;
pub mod state;
pub mod waiting;
