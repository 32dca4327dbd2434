// SPDX-License-Identifier: MIT OR Apache-2.0
//! Linux's own rtnetlink, as far as a router needs it: links, their addresses, neighbours, and
//! that links have changed.
//!
//! The few messages are written here: a program that sends and reads these four by the crates
//! netlink-packet-core and netlink-packet-route is some 490 KB larger.

mod address;
mod events;
mod link;
mod mac_address;
mod message;
mod neighbour;
mod socket;
mod virtual_link;

#[cfg(any(test, feature = "fake-kernel"))]
pub(crate) use address::{IFA_PROTO, head as address_head, octets};
pub use address::{InterfaceAddress, InvalidAddress, LinkAddress};
pub use events::LinkEvents;
#[cfg(any(test, feature = "fake-kernel"))]
pub(crate) use link::head as link_head;
pub use link::{Link, LinkCounters, LinkSpec, Mac, Master};
pub use mac_address::{InvalidMac, MacAddress};
#[cfg(any(test, feature = "fake-kernel"))]
pub(crate) use message::KINDS;
#[cfg(any(test, feature = "fake-kernel"))]
pub(crate) use neighbour::{NDA_DST, NDA_LLADDR, head as neighbour_head};
pub use neighbour::{NEIGHBOURS_MAX, Neighbour};
pub use socket::exchange;
pub use virtual_link::{LinkKind, VLAN_ID_MAX, VLAN_ID_MIN, VirtualLink};
#[cfg(any(test, feature = "fake-kernel"))]
pub(crate) use virtual_link::{info, kind_and_vlan};
