// SPDX-License-Identifier: MIT OR Apache-2.0
//! Packed batches: items coded by an adaptive binary arithmetic coder, whose models are kept
//! over the frames of one transaction or one list.
//!
//! The models are those of [`model`], the coder that of [`coder`]. Both ends do the same
//! steps in the same order, so [`Model::code`](model::Model::code) is written once for both.

mod coder;
mod decode;
mod encode;
mod model;

pub use decode::{Unpacked, Unpacker};
pub use encode::Packer;

#[cfg(test)]
mod tests;
