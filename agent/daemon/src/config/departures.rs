// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds devices that have gone and whose routes wait for them in the kernel.

use std::fmt;

use nl31_netlink::{Client, Device, Error, Spec, Step, Transport};
use nl31_route::DeviceName;

use crate::platform::devices::Devices;

/// Most devices that are watched; a device beyond them goes without a notice.
const DEVICES_MAX: usize = 512;

/// The devices that existed at the last look.
#[derive(Debug)]
pub struct Departures {
    known: Vec<DeviceName>,
}

/// A device that has gone and has routes.
#[derive(Debug, PartialEq, Eq)]
pub struct Departure(pub DeviceName);

/// A sentence for a person.
impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(device) = self;
        write!(
            f,
            "device {device} disappeared: its routes wait for it, see `route show dev {device}`"
        )
    }
}

impl Departures {
    /// Watches the devices that exist now.
    pub fn new(devices: &dyn Devices) -> Self {
        Self {
            known: existing(devices),
        }
    }

    /// The devices that have gone since the last call and have routes, each once. After an error
    /// the next call finds them again.
    pub fn take<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &dyn Devices,
    ) -> Result<Vec<Departure>, Error> {
        let now = existing(devices);
        let mut departures = Vec::new();
        for device in &self.known {
            if now.contains(device) || devices.index(device).is_some() {
                continue;
            }
            // A client for each device: the dump is not read to its end.
            let has_routes = match client.another()? {
                Some(mut other) => has_routes(&mut other, device),
                None => has_routes(client, device),
            };
            if has_routes? {
                departures.push(Departure(device.clone()));
            }
        }
        self.known = now;
        Ok(departures)
    }
}

fn existing(devices: &dyn Devices) -> Vec<DeviceName> {
    let mut all = Vec::new();
    devices.names(&mut |name| {
        if all.len() < DEVICES_MAX {
            all.extend(name.parse::<DeviceName>());
        }
    });
    all
}

/// Whether paths name this device.
fn has_routes<T: Transport>(client: &mut Client<T>, device: &DeviceName) -> Result<bool, Error> {
    let mut dump = client.dump(&Spec {
        device: Some(Device::Name(device.clone())),
        ..Spec::default()
    })?;
    Ok(matches!(client.next(&mut dump)?, Step::Route(..)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nl31_netlink::{Add, FakeKernel, Route};
    use std::cell::RefCell;
    use std::time::Duration;

    /// Names of devices that exist.
    struct Plugged(RefCell<Vec<&'static str>>);

    impl Devices for Plugged {
        fn index(&self, name: &DeviceName) -> Option<u32> {
            let all = self.0.borrow();
            let found = all.iter().position(|other| *other == name.to_string());
            found.map(|at| at as u32 + 1)
        }

        fn name(&self, _: u32) -> Option<DeviceName> {
            None
        }

        fn names(&self, each: &mut dyn FnMut(&str)) {
            self.0.borrow().iter().for_each(|name| each(name));
        }
    }

    #[test]
    fn departed_device_with_routes_is_told_once() {
        let devices = Plugged(RefCell::new(vec!["lo", "eth0", "usb0"]));
        let mut client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
        for text in ["10.0.0.0/8 dev usb0", "11.0.0.0/8 dev usb1"] {
            let route: Route<DeviceName> = text.parse().unwrap();
            let route = route.map_device(Device::Name);
            client.add(Add::Add, &route).unwrap();
        }
        let mut departures = Departures::new(&devices);
        let mut told = |client: &mut Client<FakeKernel>| {
            let all = departures.take(client, &devices);
            all.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let expected =
            ["device usb0 disappeared: its routes wait for it, see `route show dev usb0`"];
        assert_eq!(told(&mut client).unwrap(), [""; 0], "all are there");
        devices.0.borrow_mut().truncate(1);
        client.transport().overrun = true;
        told(&mut client).unwrap_err();
        assert_eq!(told(&mut client).unwrap(), expected, "eth0 has no routes");
        assert_eq!(told(&mut client).unwrap(), [""; 0], "it is told once");
        devices.0.borrow_mut().push("usb0");
        assert_eq!(told(&mut client).unwrap(), [""; 0]);
        devices.0.borrow_mut().pop();
        assert_eq!(told(&mut client).unwrap(), expected, "it has gone again");
    }
}
