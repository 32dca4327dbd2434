// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames of FRR's forwarding plane manager: version, type, length, and rtnetlink messages.

/// Bytes of the header: version, type, and the length of the frame as 16 bits, highest first.
pub const HEADER: usize = 4;
const VERSION: u8 = 1;
const NETLINK: u8 = 1;
const PROTOBUF: u8 = 2;

/// Why a stream has no frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Not version 1.
    #[error("a frame of version {0}; this program reads version {VERSION}")]
    Version(u8),
    /// The frame has no netlink messages.
    #[error("a frame of type {0}, not of netlink{hint}", hint = hint(*.0))]
    Type(u8),
    /// The length has no room for the header.
    #[error("a frame of length {0}")]
    Length(u16),
}

fn hint(kind: u8) -> &'static str {
    match kind {
        PROTOBUF => "; start zebra with `-M dplane_fpm_nl`",
        _ => "",
    }
}

/// The header of a frame with so many bytes behind it, which has to be less than 64 KiB.
pub fn header(len: usize) -> [u8; HEADER] {
    let [high, low] = ((HEADER + len) as u16).to_be_bytes();
    [VERSION, NETLINK, high, low]
}

/// Checks a header; gives the number of bytes behind it.
pub fn payload_len(header: [u8; HEADER]) -> Result<usize, BadFrame> {
    let [version, kind, high, low] = header;
    if version != VERSION {
        return Err(BadFrame::Version(version));
    }
    if kind != NETLINK {
        return Err(BadFrame::Type(kind));
    }
    let len = u16::from_be_bytes([high, low]);
    usize::from(len)
        .checked_sub(HEADER)
        .ok_or(BadFrame::Length(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_has_version_type_and_length() {
        assert_eq!(payload_len([1, 1, 0, 4]), Ok(0));
        assert_eq!(payload_len(header(300)), Ok(300));
        assert_eq!(payload_len([1, 1, 0xff, 0xff]), Ok(0xffff - 4));
        assert_eq!(payload_len([2, 1, 0, 4]), Err(BadFrame::Version(2)));
        assert_eq!(payload_len([1, 1, 0, 3]), Err(BadFrame::Length(3)));
        let protobuf = payload_len([1, 2, 0, 9]).unwrap_err();
        assert!(protobuf.to_string().contains("dplane_fpm_nl"), "{protobuf}");
    }
}
