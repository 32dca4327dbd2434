// SPDX-License-Identifier: MIT OR Apache-2.0
//! The device of a path, and whether a path has all that a filter says.

use std::fmt;

use nl31_route::{DeviceName, Path, Spec};

/// The device of a path, as the kernel keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// `NL31_ROUTE_OIF_NAME`: whichever device has this name. There need not be one: the
    /// path waits for it.
    Name(DeviceName),
    /// `NL31_ROUTE_OIF`: the device of this index. The path is deleted with it.
    Index(u32),
}

/// The name; or `if` and the index, as `ip link` writes a device without a name.
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Index(index) => write!(f, "if{index}"),
        }
    }
}

/// Tells the index of the device that has a name, if there is one.
pub type IndexOf<'a> = dyn FnMut(&DeviceName) -> Option<u32> + 'a;

/// Whether a path has all that a filter says, by the kernel's rules; the prefix is not
/// looked at. The index of a device selects the paths over its name too, a name does not
/// select those over an index.
pub fn selects(filter: &Spec<Device>, path: &Path<Device>, index_of: &mut IndexOf<'_>) -> bool {
    let device = match (&filter.device, &path.device) {
        (Some(Device::Index(index)), Some(Device::Name(name))) => index_of(name) == Some(*index),
        (None, _) => true,
        (wanted, device) => wanted == device,
    };
    device
        && filter.kind.is_none_or(|kind| kind == path.kind)
        && (filter.gateway.is_none() || filter.gateway == path.gateway)
        && filter.metric.is_none_or(|metric| metric == path.metric)
        && (filter.protocol).is_none_or(|protocol| protocol == path.protocol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nl31_route::Route;

    #[test]
    fn an_index_selects_the_paths_over_its_name_and_a_name_only_those_over_the_name() {
        let route: Route<DeviceName> = "10.0.0.0/8 dev eth0".parse().unwrap();
        let name = Device::Name("eth0".parse().unwrap());
        let index = Device::Index(2);
        let path = |device: &Device| route.clone().map_device(|_| device.clone()).path;
        let mut index_of = |name: &DeviceName| (name.as_bytes() == b"eth0").then_some(2);
        for (wanted, device, selected) in [
            (&name, &name, true),
            (&index, &index, true),
            (&index, &name, true),
            (&name, &index, false),
            (&Device::Index(1), &name, false),
        ] {
            let filter = Spec {
                device: Some(wanted.clone()),
                ..Spec::default()
            };
            let found = selects(&filter, &path(device), &mut index_of);
            assert_eq!(found, selected, "{wanted:?} of {device:?}");
        }
        assert!(selects(&Spec::default(), &path(&name), &mut index_of));
    }
}
