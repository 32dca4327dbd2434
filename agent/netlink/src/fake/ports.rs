// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ports of the fake kernel.

use super::*;
use crate::message::{array, attributes, device_name};
use crate::port::{Port, PortCounters, Urpf};

impl FakeKernel {
    pub(super) fn new_port(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let name = port_name(payload);
        let device = self.devices.iter().find(|device| device.name == name);
        let index = device.ok_or((libc::ENODEV, None, "no such device"))?.index;
        if index == 1 {
            return Err((libc::EINVAL, None, "the loopback device cannot be a port"));
        }
        let at = match self.ports.iter().position(|port| port.index == index) {
            Some(at) => at,
            None => {
                self.ports.push(Port {
                    index,
                    device: name,
                    forwarding: true,
                    urpf: Urpf::Off,
                    counters: PortCounters::default(),
                });
                self.ports.len() - 1
            }
        };
        for attribute in attributes(payload).map(|attribute| attribute.expect("whole")) {
            match attribute.kind {
                PORT_FORWARDING if self.refuses_forwarding && attribute.payload == [1] => {
                    return Err((libc::ENOMEM, None, "out of memory"));
                }
                PORT_FORWARDING => {
                    self.ports[at].forwarding = array(attribute.payload).unwrap() == [1];
                }
                PORT_URPF => {
                    let [mode] = array(attribute.payload).unwrap();
                    self.ports[at].urpf = Urpf::ALL[usize::from(mode)];
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn del_port(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let name = port_name(payload);
        let before = self.ports.len();
        self.ports.retain(|port| port.device != name);
        if self.ports.len() == before {
            return Err((libc::ESRCH, None, "the device is no port"));
        }
        Ok(())
    }

    pub(super) fn dump_ports(&mut self, header: &Header) {
        for port in self.ports.clone() {
            self.reply(header, MSG_NEWPORT, NLM_F_MULTI, |out| {
                out.attribute(PORT_IFINDEX, &port.index.to_ne_bytes())?;
                out.terminated(PORT_IFNAME, port.device.as_bytes())?;
                out.attribute(PORT_FORWARDING, &[port.forwarding.into()])?;
                out.attribute(PORT_URPF, &[port.urpf as u8])?;
                (PORT_RECEIVED..)
                    .zip(port.counters.named())
                    .try_for_each(|(kind, (_, count))| out.attribute(kind, &count.to_ne_bytes()))
            });
        }
        self.reply(header, NLMSG_DONE, NLM_F_MULTI, |out| {
            out.put(&0i32.to_ne_bytes())
        });
    }
}

/// The device that a request names.
fn port_name(payload: &[u8]) -> DeviceName {
    let mut all = attributes(payload).map(|attribute| attribute.expect("whole"));
    let name = all.find(|attribute| attribute.kind == PORT_IFNAME);
    device_name(name.expect("clients name the device").payload).expect("a name")
}
