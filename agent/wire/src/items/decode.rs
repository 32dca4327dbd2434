// SPDX-License-Identifier: MIT OR Apache-2.0
//! Items from bytes.

use core::net::IpAddr;

use nl31_route::{DeviceName, Family, PathKind, Prefix, Protocol, Spec};

use super::*;
use crate::limits::ITEMS_MAX;

/// See [`Items::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) count: usize,
    pub(super) state: State,
}

impl Iter<'_> {
    /// Where the next item starts.
    pub fn offset(&self) -> usize {
        self.at
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let bytes = self.bytes[self.at..]
            .first_chunk::<N>()
            .ok_or("more bytes were expected")?;
        self.at += N;
        Ok(*bytes)
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn item(&mut self) -> Result<Option<Item>, &'static str> {
        while self.at < self.bytes.len() {
            let tag = self.byte()?;
            let prefix = match tag {
                TAG_V4..=0x20 => self.prefix(Family::V4, tag, [0; 16], 0)?,
                TAG_V6..=0xa1 => self.prefix(Family::V6, tag - TAG_V6, [0; 16], 0)?,
                TAG_SHARED..=0xbf => {
                    let last = self
                        .state
                        .last
                        .ok_or("no item before this one has a prefix")?;
                    let shared = usize::from(tag - TAG_SHARED);
                    let (octets, _) = octets(last.address());
                    self.prefix(last.family(), last.len(), octets, shared)?
                }
                TAG_PATH_AGAIN..=0xc7 => {
                    let index = usize::from(tag - TAG_PATH_AGAIN);
                    let path = self
                        .state
                        .paths
                        .get(index)
                        .ok_or("the list of recent paths is shorter")?;
                    self.state.path = path.clone();
                    continue;
                }
                TAG_OP..=0xd5 => {
                    self.state.op = Op::ALL[usize::from(tag - TAG_OP)];
                    continue;
                }
                TAG_PATH => {
                    let path = self.path()?;
                    self.state.define(path);
                    continue;
                }
                _ => return Err("unknown tag"),
            };
            self.count += 1;
            if self.count > ITEMS_MAX {
                return Err("more items than a frame may have");
            }
            self.state.last = Some(prefix);
            let route = Spec {
                prefix: Some(prefix),
                ..self.state.path.clone()
            };
            return Ok(Some(Item {
                op: self.state.op,
                route,
            }));
        }
        Ok(None)
    }

    fn prefix(
        &mut self,
        family: Family,
        len: u8,
        mut octets: [u8; 16],
        shared: usize,
    ) -> Result<Prefix, &'static str> {
        let used = usize::from(len).div_ceil(8);
        if shared > used {
            return Err("more bytes are shared than the prefix has");
        }
        octets[shared..].fill(0);
        for octet in &mut octets[shared..used] {
            *octet = self.byte()?;
        }
        let address: IpAddr = match family {
            Family::V4 => [octets[0], octets[1], octets[2], octets[3]].into(),
            Family::V6 => octets.into(),
        };
        Prefix::new(address, len).map_err(|_| "bits are set beyond the prefix length")
    }

    fn path(&mut self) -> Result<Spec<DeviceName>, &'static str> {
        let said = self.byte()?;
        let kind = match said & KIND {
            0 => None,
            number => Some(
                *PathKind::ALL
                    .get(usize::from(number) - 1)
                    .ok_or("unknown kind of path")?,
            ),
        };
        let gateway = match said & (GATEWAY_V4 | GATEWAY_V6) {
            0 => None,
            GATEWAY_V4 => Some(IpAddr::from(self.take::<4>()?)),
            GATEWAY_V6 => Some(IpAddr::from(self.take::<16>()?)),
            _ => return Err("a gateway has one family"),
        };
        let device = if said & DEVICE == 0 {
            None
        } else {
            Some(self.device()?)
        };
        let metric = if said & METRIC == 0 {
            None
        } else {
            Some(self.number()?)
        };
        let protocol = if said & PROTOCOL == 0 {
            None
        } else {
            Some(Protocol(self.byte()?))
        };
        Ok(Spec {
            kind,
            prefix: None,
            gateway,
            device,
            metric,
            protocol,
        })
    }

    fn device(&mut self) -> Result<DeviceName, &'static str> {
        let len = usize::from(self.byte()?);
        let name = self
            .bytes
            .get(self.at..self.at + len)
            .ok_or("more bytes were expected")?;
        self.at += len;
        DeviceName::from_bytes(name).map_err(|_| "not the name of a device")
    }

    fn number(&mut self) -> Result<u32, &'static str> {
        let rest = &self.bytes[self.at..];
        let (number, behind) = postcard::take_from_bytes(rest).map_err(|_| "not a number")?;
        self.at += rest.len() - behind.len();
        Ok(number)
    }
}

/// A path from the bytes of [`path_bytes`](super::path_bytes), all of them.
pub(crate) fn path_from_bytes(bytes: &[u8]) -> Result<Spec<DeviceName>, &'static str> {
    let mut iter = Items(bytes).iter();
    let path = iter.path()?;
    match iter.at == bytes.len() {
        true => Ok(path),
        false => Err("more bytes than the path takes"),
    }
}

impl Iterator for Iter<'_> {
    type Item = Result<Item, BadItems>;

    fn next(&mut self) -> Option<Self::Item> {
        self.item()
            .map_err(|reason| {
                let offset = core::mem::replace(&mut self.at, self.bytes.len());
                BadItems { offset, reason }
            })
            .transpose()
    }
}
