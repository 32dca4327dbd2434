// SPDX-License-Identifier: MIT OR Apache-2.0
//! Neighbours: the hardware addresses that Linux has learnt of hosts behind its links.

use std::net::IpAddr;

use nix::libc;

use super::address::octets;
use super::link::Mac;
use super::message::KINDS;
use crate::abi::*;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Op};
use crate::message::{Attribute, Malformed, address, attributes};
use crate::transport::Transport;

/// Neighbours that [`Client::neighbours`] gives at most; as many as Linux keeps of a family.
pub const NEIGHBOURS_MAX: usize = 1024;

/// Bytes of `struct ndmsg`.
pub(crate) const HEAD: usize = 12;

/// Attributes of a neighbour, see `linux/neighbour.h`.
pub(crate) const NDA_DST: u16 = 1;
pub(crate) const NDA_LLADDR: u16 = 2;

/// States of a neighbour, see `linux/neighbour.h`; the others need no neighbour.
const STATES: [(u16, &str); 7] = [
    (0x01, "incomplete"),
    (0x02, "reachable"),
    (0x04, "stale"),
    (0x08, "delay"),
    (0x10, "probe"),
    (0x20, "failed"),
    (0x80, "permanent"),
];

/// A neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Index of the device.
    pub index: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its hardware address; empty where it is not known.
    pub mac: Mac,
    /// The state, in iproute2's word.
    pub state: &'static str,
}

impl Neighbour {
    /// Whether it was set, not learnt.
    pub fn is_permanent(&self) -> bool {
        self.state == "permanent"
    }
}

/// The neighbour in a message; `None` if there is none to show.
fn decode(payload: &[u8]) -> Result<Option<Neighbour>, Malformed> {
    let (head, rest) = payload
        .split_first_chunk::<HEAD>()
        .ok_or(Malformed::new("neighbour without a head"))?;
    let flags = u16::from_ne_bytes([head[8], head[9]]);
    let state = STATES.iter().find(|(bit, _)| flags & bit != 0);
    let (mut own, mut mac) = (None, Mac::new());
    for attribute in attributes(rest) {
        let Attribute { kind, payload, .. } = attribute?;
        match kind {
            NDA_DST => own = address(payload).ok(),
            NDA_LLADDR => mac = Mac::from_slice(payload).unwrap_or_default(),
            _ => {}
        }
    }
    Ok(own.zip(state).map(|(address, (_, state))| Neighbour {
        index: u32::from_ne_bytes([head[4], head[5], head[6], head[7]]),
        address,
        mac,
        state,
    }))
}

/// `struct ndmsg`.
pub(crate) fn head(family: u8, index: u32, state: u16) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[0] = family;
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    head[8..10].copy_from_slice(&state.to_ne_bytes());
    head
}

impl<T: Transport> Client<T> {
    /// All neighbours, the first [`NEIGHBOURS_MAX`].
    pub fn neighbours(&mut self) -> Result<Vec<Neighbour>, Error> {
        let mut neighbours = Vec::new();
        self.rtnetlink(
            Op::Neighbour,
            KINDS.get_neighbour,
            NLM_F_DUMP,
            &|request| request.put(&head(libc::AF_UNSPEC as u8, 0, 0)),
            &mut |kind, payload| {
                if kind != KINDS.new_neighbour || neighbours.len() == NEIGHBOURS_MAX {
                    return Ok(());
                }
                let decoded = decode(payload).map_err(|error| Error {
                    op: Op::Neighbour,
                    seq: 0,
                    kind: ErrorKind::Malformed(error),
                })?;
                neighbours.extend(decoded);
                Ok(())
            },
        )?;
        Ok(neighbours)
    }

    /// Has the kernel forget a neighbour. Fails with `ENOENT` if there is none such.
    pub fn delete_neighbour(&mut self, index: u32, address: IpAddr) -> Result<(), Error> {
        let family = match address {
            IpAddr::V4(_) => libc::AF_INET,
            IpAddr::V6(_) => libc::AF_INET6,
        };
        self.rtnetlink(
            Op::Neighbour,
            KINDS.del_neighbour,
            NLM_F_ACK,
            &|request| {
                request.put(&head(family as u8, index, 0))?;
                request.attribute(NDA_DST, &octets(address))
            },
            &mut |_, _| Ok(()),
        )
    }
}
