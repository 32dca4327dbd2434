// SPDX-License-Identifier: MIT OR Apache-2.0
//! What of a config waits for missing devices: routes in the kernel, settings in the agent.

use std::fmt;

use nl31_route::DeviceName;

/// Most devices that a notice names.
const NAMED_MAX: usize = 8;

/// The number of waiting routes and settings, and their devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    routes: u64,
    settings: u64,
    devices: heapless::Vec<DeviceName, NAMED_MAX>,
    /// There are more devices than named.
    more: bool,
}

impl Waiting {
    /// Counts a route that waits for this device.
    pub fn add(&mut self, device: &DeviceName) {
        self.routes += 1;
        self.name(device);
    }

    /// Counts a setting that waits for this device.
    pub fn add_setting(&mut self, device: &DeviceName) {
        self.settings += 1;
        self.name(device);
    }

    /// Adds what waits elsewhere.
    pub fn join(&mut self, other: &Self) {
        self.routes += other.routes;
        self.settings += other.settings;
        other.devices.iter().for_each(|device| self.name(device));
        self.more |= other.more;
    }

    fn name(&mut self, device: &DeviceName) {
        if !self.devices.contains(device) {
            self.more |= self.devices.push(device.clone()).is_err();
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.routes + self.settings == 0
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count| if count == 1 { "" } else { "s" };
        if self.routes > 0 {
            write!(f, "{} route{}", self.routes, plural(self.routes))?;
        }
        if self.settings > 0 {
            let and = if self.routes > 0 { " and " } else { "" };
            write!(f, "{and}{} setting{}", self.settings, plural(self.settings))?;
        }
        let verb = match self.routes + self.settings {
            1 => "waits",
            _ => "wait",
        };
        write!(f, " {verb} for a missing device: ")?;
        for (index, device) in self.devices.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{device}")?;
        }
        f.write_str(if self.more { " and others" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_devices_are_named_and_all_routes_counted() {
        let mut waiting = Waiting::default();
        assert!(waiting.is_empty());
        waiting.add(&"usb0".parse().unwrap());
        let one = "1 route waits for a missing device: usb0";
        assert_eq!(waiting.to_string(), one);
        for number in (0..100).chain(0..100) {
            waiting.add(&format!("usb{number}").parse().unwrap());
        }
        assert_eq!(
            waiting.to_string(),
            "201 routes wait for a missing device: \
             usb0, usb1, usb2, usb3, usb4, usb5, usb6, usb7 and others"
        );
    }
}
