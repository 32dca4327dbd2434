// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(test)]
extern crate std;

mod client;
pub mod code;
mod frame;
mod items;
pub mod limits;
mod line;
mod message;
mod packed;
mod server;

pub use client::{Client, News, RetryPolicy, Task};
pub use frame::{DELIMITER, Deframer, Frame, FrameError, Full};
pub use items::{BadItems, ITEMS_BYTES, Item, Items, ItemsBuffer, Iter, Op};
pub use line::{Heard, Line, Silence};
pub use message::{BadMessage, RESPONSE, Reason, Request, Response, SCHEMA, UNASKED};
pub use packed::{Packer, Unpacked, Unpacker};
pub use server::{Server, Verdict};
