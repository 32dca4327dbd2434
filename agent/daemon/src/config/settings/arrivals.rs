// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes the settings of devices that have come, as the kernel does with routes by itself.

use std::fmt;
use std::io;
use std::path::Path;

use nl31_netlink::{Client, Transport};
use nl31_route::DeviceName;

use super::error::Left;
use super::file::{Configured, Locked};
use super::kernel::{make_all, whole};
use crate::grammar::SettingChange;
use crate::platform::devices::Devices;

/// A device that has come.
#[derive(Debug)]
pub struct Arrival {
    /// The device.
    pub device: DeviceName,
    /// Its settings.
    pub settings: u64,
    /// Those that could not be made.
    pub left: Left,
}

/// A sentence for a person.
impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            device, settings, ..
        } = self;
        let s = if *settings == 1 { "" } else { "s" };
        write!(f, "device {device} appeared: {settings} setting{s} made")?;
        match self.left.is_empty() {
            true => Ok(()),
            false => write!(f, ", except {}", self.left.text()),
        }
    }
}

/// Makes the settings of the devices that have come since this was last called. Those of a
/// device that is away are made when it comes back. `ResourceBusy`: another session changes
/// settings; call again.
pub fn make_arrived<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    path: &Path,
) -> io::Result<Vec<Arrival>> {
    // Without a lock: most events are of devices without settings.
    let is_current = |configured: &Configured| {
        let names = configured.devices();
        let mut names = names.iter();
        names.all(|name| configured.applied(name) == devices.index(name))
    };
    if is_current(&Configured::read(path)?) {
        return Ok(Vec::new());
    }
    let mut file = Locked::open(path)?;
    let mut arrivals = Vec::new();
    for device in file.configured.devices() {
        let index = devices.index(&device);
        if index == file.configured.applied(&device) {
            continue;
        }
        if index.is_some() {
            let settings = file.configured.settings.all().iter();
            let settings = settings.filter(|setting| setting.arrives_with() == Some(&device));
            let changes: Vec<_> = settings
                .map(|setting| SettingChange::make(whole(setting)))
                .collect();
            arrivals.push(Arrival {
                settings: changes.len() as u64,
                left: make_all(client, devices, changes.iter()),
                device: device.clone(),
            });
        }
        file.configured.set_applied(&device, index);
    }
    file.write()?;
    file.finish()?;
    Ok(arrivals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::transaction::Transaction;
    use crate::grammar::setting;
    use crate::platform::atomic_file::tests::Folder;
    use nl31_netlink::{FakeDevice, FakeKernel, FakeLinks};
    use std::rc::Rc;
    use std::time::Duration;

    /// Devices that come and go.
    struct Plugged(FakeLinks);

    impl Devices for Plugged {
        fn index(&self, name: &DeviceName) -> Option<u32> {
            let all = self.0.borrow();
            let found = all.iter().find(|(other, _)| other == name);
            found.map(|(_, index)| *index)
        }

        fn name(&self, index: u32) -> Option<DeviceName> {
            let all = self.0.borrow();
            let found = all.iter().find(|(_, other)| *other == index);
            found.map(|(name, _)| name.clone())
        }

        fn names(&self, _: &mut dyn FnMut(&str)) {}
    }

    #[test]
    fn settings_are_made_whenever_their_device_comes() {
        let folder = Folder::new("arrivals");
        let path = folder.0.join("settings");
        let devices = Plugged(FakeLinks::default());
        let mut client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
        let mut transaction = Transaction::open(&path).unwrap();
        let port = setting("port set usb0 urpf loose").unwrap().unwrap();
        let link = setting("link set usb0 mtu 1400").unwrap().unwrap();
        let address = setting("address add 192.0.2.1/24 dev usb0")
            .unwrap()
            .unwrap();
        let settings = [(1, link), (2, address), (3, port)];
        transaction.replace(&settings).unwrap();
        transaction.prepare(&mut client, &path, None).unwrap();
        transaction.apply(&mut client, &devices).unwrap();
        let told = transaction.waiting().to_string();
        assert_eq!(told, "3 settings wait for a missing device: usb0");
        assert!(transaction.finish(&mut client).is_empty());
        assert!(client.ports().unwrap().is_empty());

        for index in [7, 8] {
            let told = |client: &mut Client<FakeKernel>| {
                let arrivals = make_arrived(client, &devices, &path).unwrap();
                let told = arrivals.iter().map(ToString::to_string);
                told.collect::<Vec<_>>()
            };
            assert_eq!(told(&mut client), [""; 0], "it is away");
            devices
                .0
                .borrow_mut()
                .push(("usb0".parse().unwrap(), index));
            let kernel = client.transport();
            kernel.devices.push(FakeDevice::new(index, "usb0"));
            assert_eq!(told(&mut client), ["device usb0 appeared: 3 settings made"]);
            assert_eq!(told(&mut client), [""; 0], "they are made once");
            let ports = client.ports().unwrap();
            assert_eq!((ports.len(), ports[0].forwarding), (1, true));
            assert_eq!(ports[0].urpf.to_string(), "loose");
            let device = client.transport().devices.last().unwrap();
            assert_eq!((device.mtu, device.addresses.len()), (1400, 1));
            devices.0.borrow_mut().clear();
            client.transport().unplug("usb0");
            assert!(client.ports().unwrap().is_empty());
        }
        let configured = Configured::read(&path).unwrap();
        assert_eq!(configured.revision, 1, "nothing is unsaved by it");
    }

    #[test]
    fn vlan_comes_with_the_device_below_it() {
        let folder = Folder::new("arrivals-vlan");
        let path = folder.0.join("settings");
        let devices = Plugged(FakeLinks::default());
        let mut client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
        client.transport().made = Rc::clone(&devices.0);
        let mut transaction = Transaction::open(&path).unwrap();
        let settings = [
            "link add link usb0 name usb0.7 type vlan id 7",
            "link add link usb0.7 name qinq type vlan id 9",
            "address add 192.0.2.1/24 dev qinq",
        ];
        let settings = settings.map(|line| (1, setting(line).unwrap().unwrap()));
        transaction.replace(&settings).unwrap();
        transaction.prepare(&mut client, &path, None).unwrap();
        transaction.apply(&mut client, &devices).unwrap();
        assert!(transaction.finish(&mut client).is_empty());

        for index in [7, 8] {
            let told = |client: &mut Client<FakeKernel>| {
                let arrivals = make_arrived(client, &devices, &path).unwrap();
                let told = arrivals.iter().map(ToString::to_string);
                told.collect::<Vec<_>>()
            };
            assert_eq!(told(&mut client), [""; 0], "it is away");
            let usb0 = ("usb0".parse().unwrap(), index);
            devices.0.borrow_mut().push(usb0);
            let kernel = client.transport();
            kernel.devices.push(FakeDevice::new(index, "usb0"));
            assert_eq!(
                told(&mut client),
                [
                    "device usb0 appeared: 1 setting made",
                    "device usb0.7 appeared: 1 setting made",
                    "device qinq appeared: 1 setting made",
                ]
            );
            assert_eq!(told(&mut client), [""; 0], "they are made once");
            let qinq = client.transport().devices.last().unwrap();
            assert_eq!((qinq.up, qinq.addresses.len()), (true, 1));
            client.transport().unplug("usb0");
            assert_eq!(client.transport().devices.len(), 2);
        }
    }
}
