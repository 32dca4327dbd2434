// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names and indices of network devices.

use nix::net::if_::{if_indextoname, if_nameindex, if_nametoindex};
use nl31_netlink::{Device, Route, Spec};
use nl31_route::DeviceName;

use super::link_speed::LinkSpeed;

/// Maps names of network devices to indices and back.
pub trait Devices {
    /// Index of the device of this name.
    fn index(&self, name: &DeviceName) -> Option<u32>;
    /// Name of the device of this index.
    fn name(&self, index: u32) -> Option<DeviceName>;
    /// Calls `each` with the text form of every device's name.
    fn names(&self, each: &mut dyn FnMut(&str));
    /// Speed and duplex of the device of this name.
    fn speed(&self, _name: &DeviceName) -> LinkSpeed {
        LinkSpeed::default()
    }
}

/// The devices of this network namespace.
#[derive(Debug)]
pub struct SystemDevices;

impl Devices for SystemDevices {
    fn index(&self, name: &DeviceName) -> Option<u32> {
        if_nametoindex(name.as_bytes()).ok()
    }

    fn name(&self, index: u32) -> Option<DeviceName> {
        DeviceName::from_bytes(if_indextoname(index).ok()?.to_bytes()).ok()
    }

    fn names(&self, each: &mut dyn FnMut(&str)) {
        let Ok(interfaces) = if_nameindex() else {
            return;
        };
        for interface in &interfaces {
            if let Ok(name) = DeviceName::from_bytes(interface.name().to_bytes()) {
                each(&name.to_string());
            }
        }
    }

    fn speed(&self, name: &DeviceName) -> LinkSpeed {
        LinkSpeed::of(name)
    }
}

/// Caches look-ups: lists of routes name few devices many times. For one list only, as
/// devices are added, removed and renamed.
pub struct Cached<'a> {
    devices: &'a dyn Devices,
    /// Devices that edits make.
    made: &'a [DeviceName],
    /// Names with their indices; `None` for a missing device.
    known: heapless::Deque<(Option<u32>, DeviceName), 8>,
}

impl<'a> Cached<'a> {
    /// An empty cache.
    pub fn new(devices: &'a dyn Devices) -> Self {
        Self::with_made(devices, &[])
    }

    /// An empty cache; the devices of `made` are made by the changes before.
    pub fn with_made(devices: &'a dyn Devices, made: &'a [DeviceName]) -> Self {
        Self {
            devices,
            made,
            known: heapless::Deque::new(),
        }
    }

    /// Whether there is a device of this name, or the changes before make one.
    pub fn exists(&mut self, name: &DeviceName) -> bool {
        self.index(name).is_some() || self.made.contains(name)
    }

    /// The devices without the cache.
    pub fn devices(&self) -> &'a dyn Devices {
        self.devices
    }

    /// Index of the device of this name.
    pub fn index(&mut self, name: &DeviceName) -> Option<u32> {
        if let Some((index, _)) = self.known.iter().find(|(_, known)| known == name) {
            return *index;
        }
        let index = self.devices.index(name);
        self.remember(index, name.clone());
        index
    }

    /// Name of the device of this index.
    pub fn name(&mut self, index: u32) -> Option<DeviceName> {
        if let Some((_, name)) = self.known.iter().find(|(known, _)| *known == Some(index)) {
            return Some(name.clone());
        }
        let name = self.devices.name(index)?;
        self.remember(Some(index), name.clone());
        Some(name)
    }

    /// The route with its device's name, for output. A missing device is shown as `if` and its
    /// index, as in `ip link`.
    pub fn named(&mut self, route: Route<Device>) -> Route<DeviceName> {
        route.map_device(|device| match device {
            Device::Name(name) => name,
            Device::Index(index) => self.name(index).unwrap_or_else(|| {
                let text = Device::Index(index).to_string();
                text.parse().expect("a short word is a device name")
            }),
        })
    }

    /// The filter for the kernel. The index of a device selects the paths over its name and
    /// over its index; where no device has the name, paths that wait for it are selected.
    pub fn filter(&mut self, filter: Spec<DeviceName>) -> Spec<Device> {
        filter.map_device(|name| match self.index(&name) {
            Some(index) => Device::Index(index),
            None => Device::Name(name),
        })
    }

    fn remember(&mut self, index: Option<u32>, name: DeviceName) {
        if self.known.is_full() {
            self.known.pop_front();
        }
        let _ = self.known.push_back((index, name));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::cell::Cell;

    /// `lo` is 1, `eth0` is 2.
    #[derive(Default)]
    pub(crate) struct TestDevices {
        asked: Cell<usize>,
    }

    const DEVICES: [&str; 2] = ["lo", "eth0"];

    impl Devices for TestDevices {
        fn index(&self, name: &DeviceName) -> Option<u32> {
            self.asked.set(self.asked.get() + 1);
            DEVICES
                .iter()
                .position(|&device| device.as_bytes() == name.as_bytes())
                .map(|at| at as u32 + 1)
        }

        fn name(&self, index: u32) -> Option<DeviceName> {
            self.asked.set(self.asked.get() + 1);
            DEVICES
                .get(index as usize - 1)
                .map(|name| name.parse().unwrap())
        }

        fn names(&self, each: &mut dyn FnMut(&str)) {
            DEVICES.iter().for_each(|name| each(name));
        }
    }

    #[test]
    fn asks_once_for_each_device() {
        let devices = TestDevices::default();
        let mut cached = Cached::new(&devices);
        for _ in 0..3 {
            assert_eq!(cached.index(&"eth0".parse().unwrap()), Some(2));
            assert_eq!(cached.name(2), "eth0".parse().ok());
            assert_eq!(cached.index(&"usb0".parse().unwrap()), None);
        }
        assert_eq!(devices.asked.get(), 2);
    }

    #[test]
    fn a_device_that_is_gone_has_its_index_for_a_name() {
        let devices = TestDevices::default();
        let mut cached = Cached::new(&devices);
        let route: Route<DeviceName> = "10.0.0.0/8 dev x".parse().unwrap();
        for (index, name) in [(2, "eth0"), (7, "if7")] {
            let route = route.clone().map_device(|_| Device::Index(index));
            let named = format!("10.0.0.0/8 dev {name}");
            assert_eq!(cached.named(route).to_string(), named);
        }
    }

    #[test]
    fn a_filter_has_the_index_of_a_device_that_is_there() {
        let devices = TestDevices::default();
        let mut cached = Cached::new(&devices);
        let mut filter = |name: &str| {
            let name = Some(name.parse().unwrap());
            let filter = Spec {
                device: name,
                ..Spec::default()
            };
            cached.filter(filter).device
        };
        assert_eq!(filter("eth0"), Some(Device::Index(2)));
        let usb0 = Device::Name("usb0".parse().unwrap());
        assert_eq!(filter("usb0"), Some(usb0));
    }

    #[test]
    fn knows_the_loopback_device_of_this_machine() {
        let index = SystemDevices.index(&"lo".parse().unwrap()).unwrap();
        assert_eq!(SystemDevices.name(index).unwrap().to_string(), "lo");
        assert_eq!(
            SystemDevices.index(&"no-such-device".parse().unwrap()),
            None
        );
        let mut found = false;
        SystemDevices.names(&mut |name| found |= name == "lo");
        assert!(found);
    }
}
