// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table's paths in the form of a config: with device names.

use nl31_netlink::{Device, Path, Prefix, Protocol, Route};
use nl31_route::DeviceName;

use crate::platform::devices::Cached;

/// Filters the paths of a dump, prefix by prefix.
#[derive(Debug, Default)]
pub struct SavedForm {
    prefix: Option<Prefix>,
    /// The paths of the current prefix; the kernel limits their number.
    paths: Vec<Path<DeviceName>>,
}

impl SavedForm {
    /// The next path of a dump as a line of a config. `None` if it does not belong into a
    /// config: its device was given by index and is gone, so the kernel is about to delete the
    /// path; DHCP has taught it; or an earlier path of the prefix reads the same, such as one by the device's name
    /// and one by its index.
    pub fn next(
        &mut self,
        route: Route<Device>,
        devices: &mut Cached<'_>,
    ) -> Option<Route<DeviceName>> {
        if route.path.protocol == Protocol::DHCP {
            return None;
        }
        if let Some(Device::Index(index)) = route.path.device {
            devices.name(index)?;
        }
        if self.prefix.replace(route.prefix) != Some(route.prefix) {
            self.paths.clear();
        }
        let route = devices.named(route);
        if self.paths.contains(&route.path) {
            return None;
        }
        self.paths.push(route.path.clone());
        Some(route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::devices::tests::TestDevices;

    #[test]
    fn each_path_is_there_once_by_the_name_of_its_device() {
        let devices = TestDevices::default();
        let mut devices = Cached::new(&devices);
        let mut form = SavedForm::default();
        let mut next = |text: &str| {
            let route: Route<DeviceName> = text.parse().unwrap();
            // As if the digits behind `#` were an index.
            let route = route.map_device(|name| {
                let index = name
                    .as_bytes()
                    .strip_prefix(b"#")
                    .map(|digit| digit[0] - b'0');
                index.map_or(Device::Name(name), |index| Device::Index(index.into()))
            });
            form.next(route, &mut devices)
                .map(|route| route.to_string())
        };
        for (text, expected) in [
            ("10.0.0.0/8 dev #2", Some("10.0.0.0/8 dev eth0")),
            ("10.0.0.0/8 dev usb0", Some("10.0.0.0/8 dev usb0")),
            ("10.0.0.0/8 dev eth0", None),
            ("10.0.0.0/8 dev #7", None),
            ("10.0.0.0/8 dev lo proto dhcp", None),
            (
                "10.0.0.0/8 dev eth0 metric 5",
                Some("10.0.0.0/8 dev eth0 metric 5"),
            ),
            ("11.0.0.0/8 dev eth0", Some("11.0.0.0/8 dev eth0")),
        ] {
            assert_eq!(next(text).as_deref(), expected, "{text}");
        }
    }
}
