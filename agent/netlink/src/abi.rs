// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers of protocol 31 and of netlink itself, from the kernel's
//! `kmod/include/uapi/linux/nl31.h`, which says what each means, and from
//! `linux/netlink.h`.
#![allow(missing_docs)]

/// The netlink protocol.
pub const NETLINK_NL31: isize = 31;
/// Version of the ABI that this crate speaks.
pub const ABI_VERSION: u32 = 1;
/// Longest greeting in bytes.
pub const TEXT_MAX: usize = 255;

/// Bytes of `struct nlmsghdr`.
pub const HEADER_LEN: usize = 16;
/// Bytes of `struct nlattr`.
pub const ATTRIBUTE_HEADER_LEN: usize = 4;

pub const NLMSG_NOOP: u16 = 1;
pub const NLMSG_ERROR: u16 = 2;
pub const NLMSG_DONE: u16 = 3;
pub const MSG_GREET: u16 = 16;
pub const MSG_NEWROUTE: u16 = 17;
pub const MSG_DELROUTE: u16 = 18;
pub const MSG_GETROUTE: u16 = 19;
pub const MSG_NEWTABLE: u16 = 20;
pub const MSG_GETTABLE: u16 = 21;
pub const MSG_NEWPORT: u16 = 22;
pub const MSG_DELPORT: u16 = 23;
pub const MSG_GETPORT: u16 = 24;

/// Multicast group of changes.
pub const GROUP_ROUTE: u32 = 1;

pub const NLM_F_REQUEST: u16 = 0x01;
pub const NLM_F_MULTI: u16 = 0x02;
pub const NLM_F_ACK: u16 = 0x04;
pub const NLM_F_DUMP_INTR: u16 = 0x10;
pub const NLM_F_DUMP_FILTERED: u16 = 0x20;
// The meaning of the higher bits depends on the kind of request.
pub const NLM_F_DUMP: u16 = 0x300;
pub const NLM_F_ATOMIC: u16 = 0x400;
pub const NLM_F_REPLACE: u16 = 0x100;
pub const NLM_F_EXCL: u16 = 0x200;
pub const NLM_F_CREATE: u16 = 0x400;
pub const NLM_F_APPEND: u16 = 0x800;
pub const NLM_F_NONREC: u16 = 0x100;
pub const NLM_F_BULK: u16 = 0x200;
pub const NLM_F_CAPPED: u16 = 0x100;
pub const NLM_F_ACK_TLVS: u16 = 0x200;

/// Bits of an attribute's type that are not its number (`NLA_F_NESTED`,
/// `NLA_F_NET_BYTEORDER`).
pub const NLA_TYPE_MASK: u16 = 0x3fff;

pub const NLMSGERR_ATTR_MSG: u16 = 1;
pub const NLMSGERR_ATTR_OFFS: u16 = 2;
pub const NLMSGERR_ATTR_COOKIE: u16 = 3;

pub const GREET_TEXT: u16 = 1;
pub const GREET_PORTID: u16 = 2;
pub const GREET_VERSION: u16 = 3;
pub const GREET_ABI: u16 = 4;

pub const ROUTE_DST: u16 = 1;
pub const ROUTE_DST_LEN: u16 = 2;
pub const ROUTE_TYPE: u16 = 3;
pub const ROUTE_GATEWAY: u16 = 4;
pub const ROUTE_OIF: u16 = 5;
pub const ROUTE_METRIC: u16 = 6;
pub const ROUTE_PROTOCOL: u16 = 7;
pub const ROUTE_GENERATION: u16 = 8;
pub const ROUTE_OIF_NAME: u16 = 10;
pub const ROUTE_FLAGS: u16 = 11;

pub const FLAG_LINKDOWN: u32 = 1;
pub const FLAG_DEAD: u32 = 2;
pub const FLAG_STANDBY: u32 = 4;

pub const PORT_IFINDEX: u16 = 1;
pub const PORT_IFNAME: u16 = 2;
pub const PORT_FORWARDING: u16 = 3;
pub const PORT_URPF: u16 = 4;
pub const PORT_RECEIVED: u16 = 5;
pub const PORT_FORWARDED: u16 = 6;
pub const PORT_HANDED_UP: u16 = 7;
pub const PORT_DROP_URPF: u16 = 8;
pub const PORT_DROP_NO_ROUTE: u16 = 9;
pub const PORT_DROP_BLACKHOLE: u16 = 10;
pub const PORT_DROP_UNREACHABLE: u16 = 11;
pub const PORT_DROP_PROHIBIT: u16 = 12;
pub const PORT_DROP_TTL: u16 = 13;
pub const PORT_DROP_TOO_BIG: u16 = 14;
pub const PORT_DROP_POLICY: u16 = 15;
pub const PORT_DROP_OTHER: u16 = 16;

pub const TABLE_GENERATION: u16 = 1;
pub const TABLE_ROUTES4: u16 = 2;
pub const TABLE_ROUTES6: u16 = 3;
pub const TABLE_PATHS4: u16 = 4;
pub const TABLE_PATHS6: u16 = 5;
pub const TABLE_NEXTHOPS: u16 = 6;
pub const TABLE_BYTES4: u16 = 7;
pub const TABLE_BYTES6: u16 = 8;
pub const TABLE_NEXTHOP_BYTES: u16 = 9;
pub const TABLE_MAX_ROUTES: u16 = 10;
pub const TABLE_LOOKUPS: u16 = 11;
pub const TABLE_HITS: u16 = 12;
pub const TABLE_MISSES: u16 = 13;
pub const TABLE_ERRORS: u16 = 14;
pub const TABLE_MULTIPATH: u16 = 16;

/// Length rounded up to netlink's alignment.
pub const fn align(len: usize) -> usize {
    (len + 3) & !3
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    /// The enumerators of the kernel's header, without their `NL31_`.
    fn header() -> BTreeMap<String, u32> {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../kmod/include/uapi/linux/nl31.h"
        );
        let text = std::fs::read_to_string(path).unwrap();
        let mut numbers = BTreeMap::new();
        let mut next = 0;
        for line in text.lines() {
            if line.starts_with("enum ") {
                next = 0;
            }
            let Some(enumerator) = line.strip_prefix("\tNL31_") else {
                continue;
            };
            let code = enumerator.split([',', '/']).next().unwrap();
            let (name, value) = code.split_once('=').unwrap_or((code, ""));
            // NL31_X_MAX is computed from another enumerator.
            let value = value.trim();
            match value.parse() {
                Ok(number) => next = number,
                Err(_) if value.is_empty() => {}
                Err(_) => continue,
            }
            numbers.insert(name.trim().to_owned(), next);
            next += 1;
        }
        numbers
    }

    #[test]
    fn numbers_are_those_of_the_kernel_header() {
        let header = header();
        let source = include_str!("abi.rs");
        let mut checked = 0;
        for line in source.lines().filter_map(|l| l.strip_prefix("pub const ")) {
            let (name, value) = line.split_once(": ").unwrap();
            let families = ["MSG_", "GREET_", "ROUTE_", "FLAG_", "PORT_", "TABLE_"];
            if !families.iter().any(|family| name.starts_with(family)) {
                continue;
            }
            let value = value.split("= ").nth(1).unwrap().trim_end_matches(';');
            assert_eq!(header.get(name), Some(&value.parse().unwrap()), "{name}");
            checked += 1;
        }
        assert!(checked > 54, "{checked}");
    }
}
