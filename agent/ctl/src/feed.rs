// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a routing daemon says, as a shadow table on this machine.
//!
//! From the top down: [`listener`] takes zebra's connection and reads it whenever there is
//! something to read, [`kernel_table`] follows a table of this machine; [`source`] carries each message out on the [`shadow`] table, for which it
//! asks the [`selection`], the [`devices`] and the [`next_hops`]; [`answers`] are for zebra;
//! [`fpm`] finds frames in a stream, and [`rtnetlink`] reads the messages in them. `commands::feed` sends what differs
//! from the board's table.

pub mod answers;
pub mod devices;
pub mod fpm;
pub mod kernel_table;
pub mod listener;
pub mod next_hops;
pub mod path_list;
pub mod rtnetlink;
pub mod selection;
pub mod shadow;
pub mod shared;
pub mod source;
