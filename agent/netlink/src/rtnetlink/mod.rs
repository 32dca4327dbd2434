// SPDX-License-Identifier: MIT OR Apache-2.0
//! Linux's own rtnetlink, as far as a router needs it.

mod events;

pub use events::LinkEvents;
