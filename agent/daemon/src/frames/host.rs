// SPDX-License-Identifier: MIT OR Apache-2.0
//! The environment of a session with a program.

use std::rc::Rc;

use nl31_netlink::{Client, Connection, Error, Transport};

use crate::console::shared::Shared;
use crate::platform::devices::{Devices, SystemDevices};

/// The kernel, the devices and the shared state of a session.
pub trait Host {
    /// The transport to the kernel.
    type Transport: Transport;
    /// Opens a new client: no other request may come between those of a list or transaction.
    fn connect(&self) -> Result<Client<Self::Transport>, Error>;
    /// The network devices.
    fn devices(&self) -> Box<dyn Devices>;
    /// The state that all sessions share.
    fn shared(&self) -> Rc<Shared>;
}

/// This machine.
#[derive(Clone, Debug)]
pub struct System(pub Rc<Shared>);

impl Host for System {
    // The serial console's type too, so that the console's code is compiled once.
    type Transport = Box<dyn Transport>;

    fn connect(&self) -> Result<Client<Box<dyn Transport>>, Error> {
        Ok(Client::new(Box::new(Connection::open()?)))
    }

    fn devices(&self) -> Box<dyn Devices> {
        Box::new(SystemDevices)
    }

    fn shared(&self) -> Rc<Shared> {
        Rc::clone(&self.0)
    }
}
