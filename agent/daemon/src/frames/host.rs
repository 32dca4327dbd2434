// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a session with a program works on.

use std::rc::Rc;

use nl31_netlink::{Client, Connection, Error, Transport};

use crate::console::shared::Shared;
use crate::platform::devices::{Devices, SystemDevices};

/// What a session works on.
pub trait Host {
    /// The way to the kernel.
    type Transport: Transport;
    /// A client of its own: a list or transaction must not be mixed with anything.
    fn connect(&self) -> Result<Client<Self::Transport>, Error>;
    /// The network devices.
    fn devices(&self) -> Box<dyn Devices>;
    /// What all sessions have in common.
    fn shared(&self) -> Rc<Shared>;
}

/// This machine.
#[derive(Clone, Debug)]
pub struct System(pub Rc<Shared>);

impl Host for System {
    // The same as the serial console's, or all of the console would be there twice.
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
