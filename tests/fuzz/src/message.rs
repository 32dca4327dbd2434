// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages of protocol 31 as bytes: headers and attributes.

/// Bytes of a header.
pub const HEADER_LEN: usize = 16;

/// Types of messages.
#[allow(missing_docs)]
pub mod kind {
    pub const NOOP: u16 = 1;
    pub const ERROR: u16 = 2;
    pub const DONE: u16 = 3;
    pub const GREET: u16 = 16;
    pub const NEWROUTE: u16 = 17;
    pub const DELROUTE: u16 = 18;
    pub const GETROUTE: u16 = 19;
    pub const NEWTABLE: u16 = 20;
    pub const GETTABLE: u16 = 21;
}

/// Flags of messages.
#[allow(missing_docs)]
pub mod flag {
    pub const REQUEST: u16 = 1;
    pub const MULTI: u16 = 2;
    pub const ACK: u16 = 4;
    pub const ECHO: u16 = 8;
    pub const DUMP_INTR: u16 = 0x10;
    pub const REPLACE: u16 = 0x100;
    pub const EXCL: u16 = 0x200;
    pub const CREATE: u16 = 0x400;
    pub const APPEND: u16 = 0x800;
    pub const NONREC: u16 = 0x100;
    pub const BULK: u16 = 0x200;
    pub const DUMP: u16 = 0x300;
    pub const ATOMIC: u16 = 0x400;
    pub const CAPPED: u16 = 0x100;
    pub const ACK_TLVS: u16 = 0x200;
}

/// `struct nlmsghdr`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of the message, header included
    pub len: u32,
    /// See [`kind`]
    pub kind: u16,
    /// See [`flag`]
    pub flags: u16,
    /// Sequence number
    pub seq: u32,
    /// Port id
    pub port: u32,
}

impl Header {
    /// The header that `bytes` begin with, if it is whole.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        let word = |at: usize| {
            u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let half = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        Some(Self {
            len: word(0),
            kind: half(4),
            flags: half(6),
            seq: word(8),
            port: word(12),
        })
    }

    /// As bytes.
    pub fn write(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..4].copy_from_slice(&self.len.to_ne_bytes());
        bytes[4..6].copy_from_slice(&self.kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&self.flags.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.seq.to_ne_bytes());
        bytes[12..].copy_from_slice(&self.port.to_ne_bytes());
        bytes
    }
}

/// Header, payload and what is behind, or what there is of a header.
pub type First<'a> = Result<(Header, &'a [u8], &'a [u8]), Option<Header>>;

/// The first message of some bytes: header, payload, and what is behind it. `Err` if its length
/// makes no sense, with the header if that is whole.
pub fn first(bytes: &[u8]) -> First<'_> {
    let header = Header::read(bytes).ok_or(None)?;
    let len = header.len as usize;
    let payload = bytes.get(HEADER_LEN..len).ok_or(Some(header))?;
    let behind = bytes.len().min(len.next_multiple_of(4));
    Ok((header, payload, &bytes[behind..]))
}

/// In the place of sizes: attributes are in it.
pub const NESTED: (usize, usize) = (0, usize::MAX);

const NLA_F_NESTED: usize = 0x8000;

/// Attributes of a message, by type; of those that are there twice, the last.
#[derive(Debug)]
pub struct Attributes<'a> {
    values: [Option<&'a [u8]>; 17],
    zeros: u32,
}

impl<'a> Attributes<'a> {
    /// Reads them strictly. `sizes` has the least and the greatest size for each type; 0 and 0 for
    /// those that are refused.
    pub fn parse(mut rest: &'a [u8], sizes: &[(usize, usize)]) -> Option<Self> {
        let mut values = [None; 17];
        let mut zeros = 0;
        while rest.len() >= 4 {
            let len = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
            let kind = usize::from(u16::from_ne_bytes([rest[2], rest[3]]));
            let value = rest.get(4..len)?;
            let nested = kind.wrapping_sub(NLA_F_NESTED);
            let kind = if sizes.get(nested) == Some(&NESTED) {
                nested
            } else {
                kind
            };
            let &(least, greatest) = sizes.get(kind)?;
            if greatest == 0 || !(least..=greatest).contains(&value.len()) {
                return None;
            }
            values[kind] = Some(value);
            if value.iter().all(|&byte| byte == 0) {
                zeros |= 1 << kind;
            }
            rest = &rest[len.next_multiple_of(4).min(rest.len())..];
        }
        rest.is_empty().then_some(Self { values, zeros })
    }

    /// Their values, by type.
    pub fn values(&self) -> &[Option<&'a [u8]>; 17] {
        &self.values
    }

    /// Whether one of this type is 0, the last or one before it.
    pub fn has_zero(&self, kind: u32) -> bool {
        self.zeros & (1 << kind) != 0
    }

    /// A bit for each that is there.
    pub fn given(&self) -> u32 {
        let there = self
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| value.is_some());
        there.fold(0, |bits, (kind, _)| bits | 1 << kind)
    }
}
