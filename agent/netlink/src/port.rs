// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ports: devices whose incoming packets the kernel forwards by the table.

use std::fmt;

use nl31_route::DeviceName;

use crate::abi::*;
use crate::client::Client;
use crate::error::{Error, Op};
use crate::message::{Attribute, Body, Malformed, array, attributes, device_name};
use crate::request::Request;
use crate::transport::Transport;

/// Ports that [`Client::ports`] gives at most.
pub const PORTS_MAX: usize = 1024;

/// The check of a packet's source address (RFC 3704).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Urpf {
    /// No check.
    #[default]
    Off,
    /// There is a route to the source.
    Loose,
    /// The path in use to the source leads over the port.
    Strict,
    /// A path to the source leads over the port.
    Feasible,
}

impl Urpf {
    /// The modes, by their numbers in the kernel.
    pub const ALL: [Self; 4] = [Self::Off, Self::Loose, Self::Strict, Self::Feasible];

    /// The word for the mode.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Loose => "loose",
            Self::Strict => "strict",
            Self::Feasible => "feasible",
        }
    }
}

impl fmt::Display for Urpf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The settings of a port that a request names; others keep their value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSpec {
    /// The device.
    pub device: DeviceName,
    /// Whether its packets are forwarded.
    pub forwarding: Option<bool>,
    /// The check of source addresses.
    pub urpf: Option<Urpf>,
}

/// Packets of a port since it is one, see `enum nl31_port_attr`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PortCounters {
    pub received: u64,
    pub forwarded: u64,
    pub handed_up: u64,
    pub drop_urpf: u64,
    pub drop_no_route: u64,
    pub drop_blackhole: u64,
    pub drop_unreachable: u64,
    pub drop_prohibit: u64,
    pub drop_ttl: u64,
    pub drop_too_big: u64,
    pub drop_policy: u64,
    pub drop_other: u64,
}

impl PortCounters {
    /// The counters with their names, in the kernel's order.
    pub fn named(&self) -> [(&'static str, u64); 12] {
        [
            ("received", self.received),
            ("forwarded", self.forwarded),
            ("handed-up", self.handed_up),
            ("drop-urpf", self.drop_urpf),
            ("drop-no-route", self.drop_no_route),
            ("drop-blackhole", self.drop_blackhole),
            ("drop-unreachable", self.drop_unreachable),
            ("drop-prohibit", self.drop_prohibit),
            ("drop-ttl", self.drop_ttl),
            ("drop-too-big", self.drop_too_big),
            ("drop-policy", self.drop_policy),
            ("drop-other", self.drop_other),
        ]
    }
}

/// A port, as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Index of the device.
    pub index: u32,
    /// Its name.
    pub device: DeviceName,
    /// Whether its packets are forwarded.
    pub forwarding: bool,
    /// The check of source addresses.
    pub urpf: Urpf,
    /// Its packets.
    pub counters: PortCounters,
}

/// The port in a message.
pub(crate) fn decode(payload: &[u8]) -> Result<Port, Malformed> {
    let (mut index, mut device) = (None, None);
    let (mut forwarding, mut urpf) = (false, Urpf::Off);
    let mut counters = PortCounters::default();
    for attribute in attributes(payload) {
        let Attribute { kind, payload, .. } = attribute?;
        let counter = match kind {
            PORT_IFINDEX => {
                index = Some(u32::from_ne_bytes(array(payload)?));
                continue;
            }
            PORT_IFNAME => {
                device = Some(device_name(payload)?);
                continue;
            }
            PORT_FORWARDING => {
                forwarding = array(payload)? != [0];
                continue;
            }
            PORT_URPF => {
                let [mode] = array(payload)?;
                let known = Urpf::ALL.get(usize::from(mode));
                urpf = *known.ok_or(Malformed::new("port with an unknown check of sources"))?;
                continue;
            }
            PORT_RECEIVED => &mut counters.received,
            PORT_FORWARDED => &mut counters.forwarded,
            PORT_HANDED_UP => &mut counters.handed_up,
            PORT_DROP_URPF => &mut counters.drop_urpf,
            PORT_DROP_NO_ROUTE => &mut counters.drop_no_route,
            PORT_DROP_BLACKHOLE => &mut counters.drop_blackhole,
            PORT_DROP_UNREACHABLE => &mut counters.drop_unreachable,
            PORT_DROP_PROHIBIT => &mut counters.drop_prohibit,
            PORT_DROP_TTL => &mut counters.drop_ttl,
            PORT_DROP_TOO_BIG => &mut counters.drop_too_big,
            PORT_DROP_POLICY => &mut counters.drop_policy,
            PORT_DROP_OTHER => &mut counters.drop_other,
            _ => continue,
        };
        *counter = u64::from_ne_bytes(array(payload)?);
    }
    Ok(Port {
        index: index.ok_or(Malformed::new("port without an index"))?,
        device: device.ok_or(Malformed::new("port without a name"))?,
        forwarding,
        urpf,
        counters,
    })
}

impl<T: Transport> Client<T> {
    /// Makes a device a port, or changes what `spec` names of one.
    pub fn set_port(&mut self, spec: &PortSpec) -> Result<(), Error> {
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.acked(Op::Port, &Request::NewPort(spec), flags)
    }

    /// Ends a port. Fails with `ESRCH` if the device is none.
    pub fn delete_port(&mut self, device: &DeviceName) -> Result<(), Error> {
        self.acked(Op::Port, &Request::DelPort(device), 0)
    }

    /// All ports, the first [`PORTS_MAX`], in the order of their devices' indices.
    pub fn ports(&mut self) -> Result<Vec<Port>, Error> {
        self.end_open_dump()?;
        let seq = self.request(Op::Port, &Request::GetPorts, NLM_F_DUMP)?;
        self.open_dump = Some(seq);
        let mut ports = Vec::new();
        let deadline = self.deadline();
        loop {
            let message = self.receive(Op::Port, seq, deadline)?;
            if message.header.seq != seq {
                continue;
            }
            match message.body {
                Body::Port(port) if ports.len() < PORTS_MAX => ports.push(*port),
                Body::Port(_) => {}
                Body::Done { .. } => return Ok(ports),
                other => return Err(super::client::refused(Op::Port, seq, other)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeKernel;
    use std::time::Duration;

    fn spec(device: &str, forwarding: Option<bool>, urpf: Option<Urpf>) -> PortSpec {
        PortSpec {
            device: device.parse().unwrap(),
            forwarding,
            urpf,
        }
    }

    #[test]
    fn ports_are_made_changed_listed_and_ended() {
        let mut client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
        assert_eq!(client.ports().unwrap(), []);
        client.set_port(&spec("eth0", None, None)).unwrap();
        let urpf = Some(Urpf::Strict);
        client.set_port(&spec("eth0", None, urpf)).unwrap();
        let ports = client.ports().unwrap();
        assert_eq!(ports.len(), 1);
        assert_eq!(ports[0].device.to_string(), "eth0");
        assert!(ports[0].forwarding);
        assert_eq!(ports[0].urpf, Urpf::Strict);
        client.set_port(&spec("eth0", Some(false), None)).unwrap();
        assert!(!client.ports().unwrap()[0].forwarding);
        let absent = client.set_port(&spec("usb0", None, None)).unwrap_err();
        assert_eq!(absent.errno(), Some(nix::libc::ENODEV));
        client.delete_port(&"eth0".parse().unwrap()).unwrap();
        let none = client.delete_port(&"eth0".parse().unwrap()).unwrap_err();
        assert_eq!(none.errno(), Some(nix::libc::ESRCH));
    }
}
