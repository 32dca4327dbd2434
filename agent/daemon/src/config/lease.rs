// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a DHCP server has leased to a device. The image's client, BusyBox's udhcpc, leaves it in
//! a file with the name of the device, by its script `lease.script`:
//!
//! ```text
//! address 192.0.2.10
//! subnet 255.255.255.0
//! router 192.0.2.1
//! server 192.0.2.1
//! seconds 3600
//! since 1234
//! ```
//!
//! `since` counts seconds from the boot. The other values are the server's; any host on the link
//! can be one, so they are checked here once more.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::str::FromStr;

use nl31_netlink::rtnetlink::InterfaceAddress;
use nl31_route::DeviceName;

use crate::platform::devices::Devices;

/// Most bytes of a file that are read; six lines are shorter.
const FILE_MAX: u64 = 512;

/// Shortest prefix of a network: a longer mask would take what belongs to others.
const LEN_MIN: u32 = 8;

/// Seconds of a lease without an end (RFC 2131).
const INFINITE: u32 = u32::MAX;

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The address with the length of its network's prefix.
    pub address: InterfaceAddress,
    /// The first router, inside of the network.
    pub router: Option<Ipv4Addr>,
    /// The first router, if it is refused.
    pub refused_router: Option<Ipv4Addr>,
    /// The server.
    pub server: Option<Ipv4Addr>,
    /// When it ends, in seconds since the boot.
    pub until: Option<u64>,
}

/// Why a lease is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseError {
    /// The file is not as the script writes it.
    Form,
    /// The server gave no subnet mask, or one that is not a prefix length from /8 to /32.
    Subnet,
    /// Not an address for a host of the network.
    Address(Ipv4Addr),
    /// The lease lasts 0 seconds.
    NoTime,
}

impl fmt::Display for LeaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("the value of an option is malformed"),
            Self::Subnet => f.write_str("the server gave no subnet mask from /8 to /32"),
            Self::Address(address) => {
                write!(f, "a host of its network cannot have the address {address}")
            }
            Self::NoTime => f.write_str("the lease lasts 0 seconds"),
        }
    }
}

/// What the DHCP client of a device has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientState {
    /// The device does not exist.
    Deferred,
    /// No lease.
    Searching,
    /// A lease that is not used.
    Refused(LeaseError),
    /// A lease whose address the kernel does not have.
    Leased(Lease),
    /// A lease.
    Bound(Lease),
}

impl ClientState {
    /// Reads the state of a device, `now` seconds after the boot.
    pub fn read(folder: &Path, device: &DeviceName, devices: &dyn Devices, now: u64) -> Self {
        if devices.index(device).is_none() {
            return Self::Deferred;
        }
        let mut text = String::new();
        let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(device.as_bytes());
        let read = File::open(folder.join(name));
        let read = read.and_then(|file| file.take(FILE_MAX).read_to_string(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Self::Refused(LeaseError::Form);
            }
            Err(_) => return Self::Searching,
        }
        match text.parse::<Lease>() {
            Ok(lease) if lease.until.is_some_and(|until| until <= now) => Self::Searching,
            Ok(lease) => Self::Bound(lease),
            Err(error) => Self::Refused(error),
        }
    }

    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Deferred => "deferred",
            Self::Searching => "searching",
            Self::Refused(_) => "refused",
            Self::Leased(_) => "leased",
            Self::Bound(_) => "bound",
        }
    }

    /// Its lease, if it has one that is used.
    pub fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Leased(lease) | Self::Bound(lease) => Some(lease),
            Self::Deferred | Self::Searching | Self::Refused(_) => None,
        }
    }

    /// The line for a person, `now` seconds after the boot.
    pub fn line(&self, now: u64) -> impl fmt::Display {
        struct Line<'a>(&'a ClientState, u64);
        impl fmt::Display for Line<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Self(state, now) = self;
                f.write_str(state.word())?;
                if let ClientState::Refused(error) = state {
                    write!(f, ": {error}")?;
                }
                let Some(lease) = state.lease() else {
                    return Ok(());
                };
                write!(f, " {lease}")?;
                if let Some(router) = lease.refused_router {
                    write!(f, " refused-gateway {router}")?;
                }
                match lease.seconds(*now) {
                    Some(seconds) => write!(f, " seconds {seconds}"),
                    None => Ok(()),
                }
            }
        }
        Line(self, now)
    }
}

impl Lease {
    /// The seconds that are left of it, `now` seconds after the boot; `None` without an end.
    pub fn seconds(&self, now: u64) -> Option<u64> {
        self.until.map(|until| until.saturating_sub(now))
    }
}

/// What it gives, without its time.
impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if let Some(router) = self.router {
            write!(f, " via {router}")?;
        }
        match self.server {
            Some(server) => write!(f, " server {server}"),
            None => Ok(()),
        }
    }
}

/// The value of an option that may be missing.
fn value<T: FromStr>(text: &str, name: &str) -> Result<Option<T>, LeaseError> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let parsed = value.map(|value| value.parse().map_err(|_| LeaseError::Form));
    parsed.transpose()
}

/// The length of a mask's prefix.
fn len(mask: Ipv4Addr) -> Result<u32, LeaseError> {
    let (ones, zeros) = (
        mask.to_bits().leading_ones(),
        mask.to_bits().trailing_zeros(),
    );
    match ones + zeros == 32 && ones >= LEN_MIN {
        true => Ok(ones),
        false => Err(LeaseError::Subnet),
    }
}

/// Whether a host of a network with this length can have the address.
fn is_host(address: Ipv4Addr, len: u32) -> bool {
    // 0.0.0.0/8 is this network, and from 224.0.0.0 on none is a host's.
    let unicast = (1..224).contains(&address.octets()[0]) && !address.is_loopback();
    let inside = u32::MAX.checked_shr(len).unwrap_or(0);
    let host = address.to_bits() & inside;
    // A /31 has two hosts, a /32 one.
    unicast && (len > 30 || (host != 0 && host != inside))
}

impl FromStr for Lease {
    type Err = LeaseError;

    fn from_str(text: &str) -> Result<Self, LeaseError> {
        let own: Ipv4Addr = value(text, "address")?.ok_or(LeaseError::Form)?;
        let seconds: u32 = value(text, "seconds")?.ok_or(LeaseError::Form)?;
        let since: u64 = value(text, "since")?.ok_or(LeaseError::Form)?;
        let len = len(value(text, "subnet")?.ok_or(LeaseError::Subnet)?)?;
        if !is_host(own, len) {
            return Err(LeaseError::Address(own));
        }
        if seconds == 0 {
            return Err(LeaseError::NoTime);
        }
        let router: Option<Ipv4Addr> = value(text, "router")?;
        let network = |address: Ipv4Addr| u64::from(address.to_bits()) >> (32 - len);
        let reached = |router: &Ipv4Addr| {
            *router != own && is_host(*router, len) && network(*router) == network(own)
        };
        let address = InterfaceAddress::new(IpAddr::V4(own), len as u8);
        Ok(Self {
            address: address.map_err(|_| LeaseError::Subnet)?,
            router: router.filter(reached),
            refused_router: router.filter(|router| !reached(router)),
            server: value(text, "server")?,
            until: (seconds != INFINITE).then(|| since.saturating_add(seconds.into())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::atomic_file::tests::Folder;
    use crate::platform::devices::tests::TestDevices;

    const LEASE: &str = "address 192.0.2.10\nsubnet 255.255.255.0\nrouter 192.0.2.1\n\
                         server 192.0.2.2\nseconds 3600\nsince 100\n";

    /// The lease with another value in one line.
    fn with(line: &str) -> Result<Lease, LeaseError> {
        let name = line.split(' ').next().unwrap();
        let lines = LEASE.lines().filter(|other| !other.starts_with(name));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        (text + line).parse()
    }

    #[test]
    fn lease_has_the_values_of_its_file() {
        let lease: Lease = LEASE.parse().unwrap();
        let text = "192.0.2.10/24 via 192.0.2.1 server 192.0.2.2";
        assert_eq!(
            (lease.to_string().as_str(), lease.until),
            (text, Some(3700))
        );
        let endless = with("seconds 4294967295").unwrap();
        assert_eq!(endless.until, None);
        let alone = "address 10.0.0.1\nsubnet 255.0.0.0\nseconds 1\nsince 0\n";
        assert_eq!(alone.parse::<Lease>().unwrap().to_string(), "10.0.0.1/8");
    }

    #[test]
    fn lying_server_is_refused_with_the_reason() {
        let address = |text: &str| LeaseError::Address(text.parse().unwrap());
        for (line, error) in [
            ("address 192.0.2.10;reboot", LeaseError::Form),
            ("address 192.0.2.999", LeaseError::Form),
            ("address", LeaseError::Form),
            ("address 0.0.0.0", address("0.0.0.0")),
            ("address 0.1.2.3", address("0.1.2.3")),
            ("address 127.0.0.1", address("127.0.0.1")),
            ("address 224.0.0.1", address("224.0.0.1")),
            ("address 255.255.255.255", address("255.255.255.255")),
            ("address 192.0.2.0", address("192.0.2.0")),
            ("address 192.0.2.255", address("192.0.2.255")),
            ("subnet 255.0.255.0", LeaseError::Subnet),
            ("subnet 0.0.0.0", LeaseError::Subnet),
            ("subnet 254.0.0.0", LeaseError::Subnet),
            ("subnet", LeaseError::Subnet),
            ("subnet 24", LeaseError::Form),
            ("router 2001:db8::1", LeaseError::Form),
            ("seconds 0", LeaseError::NoTime),
            ("seconds -1", LeaseError::Form),
            ("seconds 4294967296", LeaseError::Form),
            ("seconds", LeaseError::Form),
            ("since", LeaseError::Form),
        ] {
            assert_eq!(with(line), Err(error), "{line}");
        }
        assert_eq!("".parse::<Lease>(), Err(LeaseError::Form));
    }

    #[test]
    fn router_outside_of_the_network_is_refused_alone() {
        for router in [
            "203.0.113.1",
            "192.0.2.10",
            "192.0.2.0",
            "192.0.2.255",
            "0.0.0.0",
        ] {
            let lease = with(&format!("router {router}")).unwrap();
            let refused = Some(router.parse().unwrap());
            assert_eq!((lease.router, lease.refused_router), (None, refused));
        }
        let subnet = "address 192.0.2.10\nrouter 192.0.2.11\nseconds 1\nsince 0\nsubnet ";
        let lease: Lease = format!("{subnet}255.255.255.254").parse().unwrap();
        assert_eq!(lease.refused_router, None);
        let lease: Lease = format!("{subnet}255.255.255.255").parse().unwrap();
        assert_eq!(lease.router, None);
    }

    #[test]
    fn state_is_that_of_the_device_and_its_file() {
        let folder = Folder::new("lease");
        let state = |device: &str, now| {
            let device = device.parse().unwrap();
            let state = ClientState::read(&folder.0, &device, &TestDevices::default(), now);
            state.line(now).to_string()
        };
        assert_eq!(state("usb0", 0), "deferred");
        assert_eq!(state("eth0", 0), "searching");
        folder.file("eth0", LEASE);
        let bound = "bound 192.0.2.10/24 via 192.0.2.1 server 192.0.2.2 seconds";
        assert_eq!(state("eth0", 100), format!("{bound} 3600"));
        assert_eq!(state("eth0", 3699), format!("{bound} 1"));
        assert_eq!(state("eth0", 3700), "searching", "its time is over");
        folder.file("eth0", format!("{}{LEASE}", "x".repeat(FILE_MAX as usize)));
        let refused = "refused: the value of an option is malformed";
        assert_eq!(state("eth0", 100), refused);
        std::fs::write(folder.0.join("eth0"), b"address \xff").unwrap();
        assert_eq!(state("eth0", 100), refused);
    }
}
