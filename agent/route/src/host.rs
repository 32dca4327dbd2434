// SPDX-License-Identifier: MIT OR Apache-2.0
//! Addresses that a gateway can have.

use core::net::IpAddr;

/// Whether the kernel accepts the address as that of a host: not unspecified, not in 0.0.0.0/8,
/// neither multicast nor broadcast.
pub fn is_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.octets()[0] != 0 && !address.is_multicast() && !address.is_broadcast()
        }
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unicast_addresses_are_those_of_hosts() {
        for host in ["192.0.2.1", "255.255.255.254", "::1", "fe80::1"] {
            assert!(is_host(host.parse().unwrap()), "{host}");
        }
        for other in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "ff02::1",
        ] {
            assert!(!is_host(other.parse().unwrap()), "{other}");
        }
    }
}
