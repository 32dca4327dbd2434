// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links: the devices of Linux, their state and their counters.

use nix::libc;
use nl31_route::DeviceName;

use super::mac_address::MacAddress;
use super::message::KINDS;
use super::virtual_link::{Kind, kind_and_vlan};
use crate::abi::*;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Op};
use crate::message::{Attribute, Malformed, array, attributes, device_name};
use crate::transport::Transport;

/// Links that [`Client::links`] gives at most.
pub const LINKS_MAX: usize = 1024;

/// Bytes of `struct ifinfomsg`.
pub(crate) const HEAD: usize = 16;

/// A hardware address; a longer one is not kept.
pub type Mac = heapless::Vec<u8, 8>;

/// The settings of a link that a request names; others keep their value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSpec {
    /// The device.
    pub device: DeviceName,
    /// Whether it is switched on.
    pub up: Option<bool>,
    /// Largest packet in bytes.
    pub mtu: Option<u32>,
    /// Its MAC address.
    pub mac: Option<MacAddress>,
    /// The bridge that it is a member of.
    pub master: Option<Master>,
}

impl LinkSpec {
    /// Names no setting of the device.
    pub fn of(device: DeviceName) -> Self {
        Self {
            device,
            up: None,
            mtu: None,
            mac: None,
            master: None,
        }
    }
}

/// The bridge of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Master {
    /// None.
    None,
    /// The device of this name.
    Device(DeviceName),
}

/// A link, as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Index of the device.
    pub index: u32,
    /// Its name.
    pub device: DeviceName,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether there is something at the other end.
    pub carrier: bool,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// The hardware address; empty where there is none.
    pub mac: Mac,
    /// The kernel's word for the kind of a virtual link; empty for hardware.
    pub kind: Kind,
    /// The number of a VLAN.
    pub vlan: Option<u16>,
    /// Index of the device that it is over, like that of a VLAN.
    pub parent: Option<u32>,
    /// Index of the device that it is a member of.
    pub master: Option<u32>,
    /// Its packets.
    pub counters: LinkCounters,
}

/// Packets of a link since it exists, see `struct rtnl_link_stats64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters([u64; 8]);

impl LinkCounters {
    /// The names, in the order of the kernel's structure.
    const NAMES: [&'static str; 8] = [
        "received",
        "sent",
        "received-bytes",
        "sent-bytes",
        "receive-errors",
        "send-errors",
        "receive-dropped",
        "send-dropped",
    ];

    /// The counters with their names.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Self::NAMES.into_iter().zip(self.0)
    }
}

/// The link in a message.
fn decode(payload: &[u8]) -> Result<Link, Malformed> {
    let (head, rest) = payload
        .split_first_chunk::<HEAD>()
        .ok_or(Malformed::new("link without a head"))?;
    let word = |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (index, flags) = (word(4), word(8));
    let mut device = None;
    let mut mtu = 0;
    let mut mac = Mac::new();
    let (mut kind, mut vlan) = (Kind::new(), None);
    let (mut parent, mut master) = (None, None);
    let mut counters = LinkCounters::default();
    for attribute in attributes(rest) {
        let Attribute {
            kind: attribute,
            payload,
            ..
        } = attribute?;
        match attribute {
            libc::IFLA_IFNAME => device = Some(device_name(payload)?),
            libc::IFLA_MTU => mtu = u32::from_ne_bytes(array(payload)?),
            libc::IFLA_ADDRESS => {
                mac = Mac::from_slice(payload).unwrap_or_default();
            }
            libc::IFLA_LINKINFO => (kind, vlan) = kind_and_vlan(payload)?,
            libc::IFLA_LINK => parent = index_of(payload)?,
            libc::IFLA_MASTER => master = index_of(payload)?,
            libc::IFLA_STATS64 => {
                let numbers = payload.chunks_exact(8);
                for (counter, bytes) in counters.0.iter_mut().zip(numbers) {
                    *counter = u64::from_ne_bytes(array(bytes)?);
                }
            }
            _ => {}
        }
    }
    Ok(Link {
        index,
        device: device.ok_or(Malformed::new("link without a name"))?,
        up: flags & libc::IFF_UP as u32 != 0,
        carrier: flags & libc::IFF_LOWER_UP as u32 != 0,
        mtu,
        mac,
        kind,
        vlan,
        parent,
        master,
        counters,
    })
}

/// The index of another device; 0 is none.
fn index_of(payload: &[u8]) -> Result<Option<u32>, Malformed> {
    let index = u32::from_ne_bytes(array(payload)?);
    Ok(Some(index).filter(|index| *index > 0))
}

/// `struct ifinfomsg`.
pub(crate) fn head(index: u32, flags: u32, changed: u32) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    head[8..12].copy_from_slice(&flags.to_ne_bytes());
    head[12..16].copy_from_slice(&changed.to_ne_bytes());
    head
}

impl<T: Transport> Client<T> {
    /// All links, the first [`LINKS_MAX`], in the order of their indices.
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        let mut links = Vec::new();
        self.rtnetlink(
            Op::Link,
            KINDS.get_link,
            NLM_F_DUMP,
            &|request| request.put(&head(0, 0, 0)),
            &mut |kind, payload| {
                if kind == KINDS.new_link && links.len() < LINKS_MAX {
                    links.push(decode(payload).map_err(|error| Error {
                        op: Op::Link,
                        seq: 0,
                        kind: ErrorKind::Malformed(error),
                    })?);
                }
                Ok(())
            },
        )?;
        Ok(links)
    }

    /// Gives the link of this index another MAC address. Some drivers refuse that with `EBUSY`
    /// while the link is up.
    pub fn set_mac(&mut self, index: u32, mac: MacAddress) -> Result<(), Error> {
        self.rtnetlink(
            Op::Mac,
            KINDS.set_link,
            NLM_F_ACK,
            &|request| {
                request.put(&head(index, 0, 0))?;
                request.attribute(libc::IFLA_ADDRESS, &mac.octets())
            },
            &mut |_, _| Ok(()),
        )
    }

    /// Changes what `spec` names of the link of this index, but for its MAC address, and for its
    /// master: that of index `master`, where 0 is none.
    pub fn set_link(
        &mut self,
        index: u32,
        spec: &LinkSpec,
        master: Option<u32>,
    ) -> Result<(), Error> {
        let op = match (master, spec.mtu) {
            (Some(_), None) => Op::Master,
            _ => Op::Link,
        };
        let up = libc::IFF_UP as u32;
        let (flags, changed) = match spec.up {
            Some(true) => (up, up),
            Some(false) => (0, up),
            None => (0, 0),
        };
        self.rtnetlink(
            op,
            KINDS.set_link,
            NLM_F_ACK,
            &|request| {
                request.put(&head(index, flags, changed))?;
                if let Some(mtu) = spec.mtu {
                    request.attribute(libc::IFLA_MTU, &mtu.to_ne_bytes())?;
                }
                match master {
                    Some(master) => request.attribute(libc::IFLA_MASTER, &master.to_ne_bytes()),
                    None => Ok(()),
                }
            },
            &mut |_, _| Ok(()),
        )
    }
}
