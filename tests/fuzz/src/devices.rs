// SPDX-License-Identifier: MIT OR Apache-2.0
//! The network devices that there are.

use nl31_agent::platform::devices::Devices;
use nl31_netlink::FakeLinks;
use nl31_route::DeviceName;

/// Names, by index from 1 on; the fake kernel knows the same indices.
const NAMES: [&str; 2] = ["lo", "eth0"];

/// `lo` and `eth0`.
#[derive(Debug)]
pub struct TwoDevices;

impl Devices for TwoDevices {
    fn index(&self, name: &DeviceName) -> Option<u32> {
        let index = NAMES
            .iter()
            .position(|known| known.as_bytes() == name.as_bytes())?;
        Some(index as u32 + 1)
    }

    fn name(&self, index: u32) -> Option<DeviceName> {
        let name = NAMES.get(usize::try_from(index).ok()?.checked_sub(1)?)?;
        name.parse().ok()
    }

    fn names(&self, each: &mut dyn FnMut(&str)) {
        NAMES.into_iter().for_each(each);
    }
}

/// `lo`, `eth0`, and the links that the fake kernel has made.
#[derive(Debug)]
pub struct WithLinks(pub FakeLinks);

impl Devices for WithLinks {
    fn index(&self, name: &DeviceName) -> Option<u32> {
        let links = self.0.borrow();
        let made = links.iter().find(|(made, _)| made == name);
        TwoDevices.index(name).or(made.map(|(_, index)| *index))
    }

    fn name(&self, index: u32) -> Option<DeviceName> {
        let links = self.0.borrow();
        let made = links.iter().find(|(_, made)| *made == index);
        TwoDevices
            .name(index)
            .or(made.map(|(name, _)| name.clone()))
    }

    fn names(&self, each: &mut dyn FnMut(&str)) {
        TwoDevices.names(each);
    }
}
