// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links without hardware that are made and deleted: VLANs, bridges and dummies.

use nix::libc;
use nl31_route::DeviceName;

use super::link::{Link, head};
use super::message::KINDS;
use crate::abi::*;
use crate::client::Client;
use crate::error::{Error, Op};
use crate::message::{Attribute, Malformed, array, attributes};
use crate::transport::Transport;

/// Least number of a VLAN; 0 and 4095 have other meanings (IEEE 802.1Q).
pub const VLAN_ID_MIN: u16 = 1;
/// Greatest number of a VLAN.
pub const VLAN_ID_MAX: u16 = 4094;

/// Attributes within `IFLA_LINKINFO`, see `linux/if_link.h`.
pub(crate) const INFO_KIND: u16 = 1;
pub(crate) const INFO_DATA: u16 = 2;
/// Attribute within the data of a VLAN.
pub(crate) const INFO_VLAN_ID: u16 = 1;

/// The kernel's word for a kind of link; a longer one is not kept.
pub(super) type Kind = heapless::String<16>;

/// Bytes of the longest `IFLA_LINKINFO` that is sent.
const INFO_MAX: usize = 32;

/// A virtual link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualLink {
    /// Its name.
    pub device: DeviceName,
    /// Its kind.
    pub kind: LinkKind,
}

/// A kind of virtual link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// The packets with a VLAN number of another device (IEEE 802.1Q).
    Vlan {
        /// The other device.
        parent: DeviceName,
        /// The number.
        id: u16,
    },
    /// A switch of its member devices.
    Bridge,
    /// A device that drops what is sent.
    Dummy,
}

impl LinkKind {
    /// The kernel's word, and iproute2's.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Vlan { .. } => "vlan",
            Self::Bridge => "bridge",
            Self::Dummy => "dummy",
        }
    }
}

impl VirtualLink {
    /// The device that it is over.
    pub fn parent(&self) -> Option<&DeviceName> {
        match &self.kind {
            LinkKind::Vlan { parent, .. } => Some(parent),
            LinkKind::Bridge | LinkKind::Dummy => None,
        }
    }

    /// The link, if it is of one of these kinds. `links` name the device that it is over.
    pub fn of(link: &Link, links: &[Link]) -> Option<Self> {
        let kind = match (link.kind.as_str(), link.vlan) {
            ("vlan", Some(id)) => {
                let parent = links
                    .iter()
                    .find(|other| Some(other.index) == link.parent)?;
                let parent = parent.device.clone();
                LinkKind::Vlan { parent, id }
            }
            ("bridge", _) => LinkKind::Bridge,
            ("dummy", _) => LinkKind::Dummy,
            _ => return None,
        };
        Some(Self {
            device: link.device.clone(),
            kind,
        })
    }
}

/// The kind of a link, and the number of a VLAN, in `IFLA_LINKINFO`.
pub(crate) fn kind_and_vlan(payload: &[u8]) -> Result<(Kind, Option<u16>), Malformed> {
    let (mut kind, mut data) = (Kind::new(), None);
    for attribute in attributes(payload) {
        let attribute = attribute?;
        match attribute.kind {
            INFO_KIND => {
                let text = attribute.payload.strip_suffix(b"\0");
                let text = std::str::from_utf8(text.unwrap_or(attribute.payload));
                let text = text.map_err(|_| Malformed::new("kind of a link that is no text"))?;
                kind = Kind::try_from(text).unwrap_or_default();
            }
            INFO_DATA => data = Some(attribute.payload),
            _ => {}
        }
    }
    let mut vlan = None;
    for attribute in attributes(data.filter(|_| kind == "vlan").unwrap_or_default()) {
        let Attribute { kind, payload, .. } = attribute?;
        if kind == INFO_VLAN_ID {
            vlan = Some(u16::from_ne_bytes(array(payload)?));
        }
    }
    Ok((kind, vlan))
}

/// The payload of `IFLA_LINKINFO`.
pub(crate) fn info(kind: &str, vlan: Option<u16>) -> heapless::Vec<u8, INFO_MAX> {
    let mut info = heapless::Vec::new();
    let mut add = |attribute: u16, payload: &[u8]| {
        let len = (ATTRIBUTE_HEADER_LEN + payload.len()) as u16;
        let _ = info.extend_from_slice(&len.to_ne_bytes());
        let _ = info.extend_from_slice(&attribute.to_ne_bytes());
        let _ = info.extend_from_slice(payload);
        while info.len() % 4 > 0 {
            let _ = info.push(0);
        }
    };
    add(INFO_KIND, kind.as_bytes());
    if let Some(id) = vlan {
        let [a, b] = id.to_ne_bytes();
        let [c, d] = (ATTRIBUTE_HEADER_LEN as u16 + 2).to_ne_bytes();
        let [e, f] = INFO_VLAN_ID.to_ne_bytes();
        add(INFO_DATA, &[c, d, e, f, a, b, 0, 0]);
    }
    info
}

impl<T: Transport> Client<T> {
    /// Makes a link; `parent`: index of the device that it is over. Fails with `EEXIST` if there
    /// is a device of its name, or a VLAN of its number over that device.
    pub fn add_link(&mut self, link: &VirtualLink, parent: Option<u32>) -> Result<(), Error> {
        let vlan = match link.kind {
            LinkKind::Vlan { id, .. } => Some(id),
            _ => None,
        };
        self.rtnetlink(
            Op::LinkAdd,
            KINDS.new_link,
            NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
            &|request| {
                request.put(&head(0, 0, 0))?;
                request.terminated(libc::IFLA_IFNAME, link.device.as_bytes())?;
                if let Some(parent) = parent {
                    request.attribute(libc::IFLA_LINK, &parent.to_ne_bytes())?;
                }
                request.attribute(libc::IFLA_LINKINFO, &info(link.kind.word(), vlan))
            },
            &mut |_, _| Ok(()),
        )
    }

    /// Deletes the link of this index; the kernel refuses that of hardware.
    pub fn delete_link(&mut self, index: u32) -> Result<(), Error> {
        self.rtnetlink(
            Op::LinkDelete,
            KINDS.del_link,
            NLM_F_ACK,
            &|request| request.put(&head(index, 0, 0)),
            &mut |_, _| Ok(()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read_as_written() {
        for (kind, vlan) in [("vlan", Some(4094)), ("bridge", None), ("dummy", None)] {
            let (read, id) = kind_and_vlan(&info(kind, vlan)).unwrap();
            assert_eq!((read.as_str(), id), (kind, vlan));
        }
        // As iproute2 sends it, with the NUL of the kind; and data of another kind.
        let bytes = b"\x09\0\x01\0vlan\0\0\0\0\x0c\0\x02\0\x06\0\x01\0\x07\0\0\0";
        let (kind, vlan) = kind_and_vlan(bytes).unwrap();
        assert_eq!((kind.as_str(), vlan), ("vlan", Some(7)));
        let (kind, vlan) = kind_and_vlan(&info("macsec", Some(7))).unwrap();
        assert_eq!((kind.as_str(), vlan), ("macsec", None));
    }

    #[test]
    fn cut_info_is_malformed_or_has_no_vlan() {
        let whole = info("vlan", Some(7));
        for len in 0..whole.len() {
            if let Ok((_, vlan)) = kind_and_vlan(&whole[..len]) {
                assert!(vlan.is_none() || len + 2 >= whole.len(), "{len}");
            }
        }
        assert!(kind_and_vlan(b"\x05\0\x01\0\xff").is_err());
        let short = b"\x08\0\x01\0vlan\x09\0\x02\0\x05\0\x01\0\x07";
        assert!(kind_and_vlan(short).is_err());
    }
}
