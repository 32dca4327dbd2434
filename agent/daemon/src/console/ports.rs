// SPDX-License-Identifier: MIT OR Apache-2.0
//! `port`: which devices forward, and what they have forwarded.

use std::vec;

use nl31_netlink::{Client, Port, Transport};

use super::json::Quoted;
use super::reply::{Counted, Reason};
use super::session::{Console, LINES_PER_STEP, Running};
use crate::grammar::codes;

/// A list of ports, being shown.
#[derive(Debug)]
pub(super) struct PortList {
    left: vec::IntoIter<Port>,
    json: bool,
    shown: u64,
}

impl<T: Transport> Console<T> {
    pub(super) fn start_ports(&mut self, json: bool) {
        match self.ask(Client::ports) {
            Ok(ports) => {
                self.running = Running::Ports(Box::new(PortList {
                    left: ports.into_iter(),
                    json,
                    shown: 0,
                }));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    /// Shows some more ports.
    pub(super) fn ports(&mut self, mut list: Box<PortList>) {
        if std::mem::take(&mut self.stop) {
            return self.status(codes::STOPPED, format_args!("stopped"));
        }
        // A port takes the room of several routes.
        for _ in 0..LINES_PER_STEP / 3 {
            if self.page_is_full() {
                self.pause(Running::Ports(list));
                return;
            }
            let Some(port) = list.left.next() else {
                let ports = Counted(list.shown, "port");
                return self.status(codes::DONE, format_args!("{ports}"));
            };
            self.show_port(&port, list.json);
            list.shown += 1;
        }
        self.running = Running::Ports(list);
    }

    fn show_port(&mut self, port: &Port, json: bool) {
        let forwarding = if port.forwarding { "on" } else { "off" };
        let urpf = port.urpf;
        if json {
            let device = port.device.to_string();
            self.part(format_args!(
                "{{\"dev\":{},\"forwarding\":{},\"urpf\":\"{urpf}\"",
                Quoted(&device),
                port.forwarding
            ));
            for (name, count) in port.counters.named() {
                self.part(format_args!(",\"{name}\":{count}"));
            }
            return self.data(format_args!("}}"));
        }
        self.part(format_args!(
            "{} forwarding {forwarding} urpf {urpf}",
            port.device
        ));
        for (name, count) in port.counters.named() {
            // Reasons that dropped nothing are left out.
            if count > 0 || !name.starts_with("drop") {
                self.part(format_args!(" {name} {count}"));
            }
        }
        self.data(format_args!(""));
    }
}
