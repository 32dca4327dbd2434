// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the fuzzers of nl31 share. A target is a program in `fuzz_targets/`: it takes any
//! bytes, does with them what they say, and panics where the outcome is wrong. Its corpus
//! is in `corpus/`.

pub mod devices;
pub mod exchange;
pub mod feed;
pub mod kernel;
pub mod message;
pub mod model;
pub mod module;
pub mod script;
pub mod terminal;
