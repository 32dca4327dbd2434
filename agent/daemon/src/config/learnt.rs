// SPDX-License-Identifier: MIT OR Apache-2.0
//! What DHCP has taught: the address of each lease in Linux, and its router as the default route
//! in the table. Both are marked with the protocol's number, which is how a later agent
//! finds them; neither is a setting, and neither is saved.

use std::net::{IpAddr, Ipv4Addr};

use nl31_netlink::rtnetlink::{InterfaceAddress, LinkAddress};
use nl31_netlink::{
    Add, Change, Client, Device, Error, Load, Mode, Path, PathKind, Prefix, Route, Spec, Transport,
};
use nl31_route::{DeviceName, Protocol};

use super::lease::{ClientState, Lease};
use super::settings::Settings;
use super::state::ConfigState;
use crate::grammar::Setting;
use crate::platform::devices::Devices;
use crate::platform::system;

/// Metric of a learnt route: configured routes with less go first.
pub const METRIC: u32 = 1024;

/// The devices whose addresses a server sets, and what their clients have.
pub fn clients(
    settings: &Settings,
    devices: &dyn Devices,
    state: &ConfigState,
    now: u64,
) -> Vec<(DeviceName, ClientState)> {
    let folder = state.files.leases();
    let names = settings.all().iter().filter_map(|setting| match setting {
        Setting::Dhcp(device) => Some(device.clone()),
        _ => None,
    });
    let state = |device: DeviceName| {
        let state = ClientState::read(&folder, &device, devices, now);
        (device, state)
    };
    names.map(state).collect()
}

/// The same, as they are told: a lease is bound once the kernel has its address, which is one of
/// `addresses`.
pub fn told(
    mut clients: Vec<(DeviceName, ClientState)>,
    devices: &dyn Devices,
    addresses: &[LinkAddress],
) -> Vec<(DeviceName, ClientState)> {
    for (device, state) in &mut clients {
        let index = devices.index(device);
        let has = |own: &LinkAddress, lease: &Lease| {
            own.address == lease.address && Some(own.index) == index
        };
        if let ClientState::Bound(lease) = state
            && !addresses.iter().any(|own| has(own, lease))
        {
            *state = ClientState::Leased(lease.clone());
        }
    }
    clients
}

/// Keeps what the kernel has equal to the leases.
#[derive(Debug, Default)]
pub struct Learnt {
    /// What the log has of each client.
    logged: Vec<(DeviceName, ClientState)>,
    /// Nothing is learnt, and an earlier agent has left nothing.
    is_empty: bool,
}

impl Learnt {
    /// Compares the leases with the kernel, and changes what differs. Gives whether a device
    /// has a client, so that leases may come and go.
    pub fn renew<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &dyn Devices,
        state: &ConfigState,
    ) -> Result<bool, Error> {
        let now = system::seconds_since_boot();
        let settings = state.configured()?.settings;
        let clients = clients(&settings, devices, state, now);
        let is_used = !clients.is_empty();
        if !is_used && self.is_empty {
            return Ok(false);
        }
        let leases: Vec<(u32, &Lease)> = clients
            .iter()
            .filter_map(|(device, state)| match state {
                ClientState::Bound(lease) => Some((devices.index(device)?, lease)),
                _ => None,
            })
            .collect();
        renew_addresses(client, devices, &settings, &leases)?;
        renew_routes(client, state, &leases)?;
        self.log(clients);
        self.is_empty = !is_used;
        Ok(is_used)
    }

    /// Logs what has changed.
    fn log(&mut self, clients: Vec<(DeviceName, ClientState)>) {
        let before = std::mem::replace(&mut self.logged, clients);
        let of = |all: &[(DeviceName, ClientState)], device: &DeviceName| {
            let found = all.iter().find(|(other, _)| other == device);
            found.map(|(_, state)| state.clone())
        };
        for (device, state) in &before {
            let now = of(&self.logged, device);
            if let ClientState::Bound(lease) = state
                && !matches!(now, Some(ClientState::Bound(_)))
            {
                log::warn!("DHCP on {device}: lost the lease of {}", lease.address);
            }
        }
        for (device, state) in &self.logged {
            let before = of(&before, device);
            match (state, before) {
                (ClientState::Bound(lease), Some(ClientState::Bound(before)))
                    if lease.to_string() == before.to_string()
                        && lease.refused_router == before.refused_router => {}
                (ClientState::Bound(lease), _) => {
                    log::info!("DHCP on {device}: leased {lease}");
                    if let Some(router) = lease.refused_router {
                        log::warn!(
                            "DHCP on {device}: the router {router} is refused: it must be another \
                             host of the network of {}",
                            lease.address
                        );
                    }
                }
                (ClientState::Refused(error), before) if before.as_ref() != Some(state) => {
                    log::warn!("DHCP on {device}: the lease is refused: {error}");
                }
                _ => {}
            }
        }
    }
}

/// Takes away learnt addresses without a lease, and then adds those that are missing: an
/// address beside another of its network would go with it.
fn renew_addresses<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    settings: &Settings,
    leases: &[(u32, &Lease)],
) -> Result<(), Error> {
    let leased = |own: &LinkAddress| {
        let mut leases = leases.iter();
        leases.any(|(index, lease)| (*index, lease.address) == (own.index, own.address))
    };
    let configured: Vec<(u32, InterfaceAddress)> = settings
        .all()
        .iter()
        .filter_map(|setting| match setting {
            Setting::Address(address, device) => Some((devices.index(device)?, *address)),
            _ => None,
        })
        .collect();
    let present = client.addresses()?;
    let learnt = present.iter().filter(|own| own.protocol == Protocol::DHCP);
    let mut gone = false;
    for own in learnt.filter(|own| !leased(own)) {
        if configured.contains(&(own.index, own.address)) {
            continue;
        }
        client.delete_address(own.index, own.address)?;
        gone = true;
    }
    let present = if gone { client.addresses()? } else { present };
    let missing = |index: u32, address: InterfaceAddress| {
        let mut present = present.iter();
        !present.any(|own| (own.index, own.address) == (index, address))
    };
    for &(index, address) in configured.iter().filter(|_| gone) {
        if missing(index, address) {
            client.add_address(index, address, Protocol::UNSPEC)?;
        }
    }
    for (index, lease) in leases {
        if missing(*index, lease.address) {
            client.add_address(*index, lease.address, Protocol::DHCP)?;
        }
    }
    Ok(())
}

/// Makes the learnt default routes those of the leases, in one transaction.
fn renew_routes<T: Transport>(
    client: &mut Client<T>,
    state: &ConfigState,
    leases: &[(u32, &Lease)],
) -> Result<(), Error> {
    let prefix = Prefix::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0).expect("the shortest prefix");
    let wanted = leases.iter().filter_map(|(index, lease)| {
        Some(Path {
            kind: PathKind::Unicast,
            gateway: Some(IpAddr::V4(lease.router?)),
            device: Some(Device::Index(*index)),
            metric: METRIC,
            protocol: Protocol::DHCP,
        })
    });
    let wanted: Vec<Path<Device>> = wanted.collect();
    let before = client.table()?.generation;
    let present = client.paths(prefix)?;
    let learnt = |path: &&Path<Device>| (path.protocol, path.metric) == (Protocol::DHCP, METRIC);
    let gone = present.all().iter().filter(learnt);
    let gone = gone.filter(|path| !wanted.contains(path)).map(|path| {
        Change::Delete(Spec {
            kind: Some(path.kind),
            prefix: Some(prefix),
            gateway: path.gateway,
            device: path.device.clone(),
            metric: Some(path.metric),
            protocol: Some(path.protocol),
        })
    });
    let new = wanted.iter().filter(|path| !present.all().contains(path));
    let new = new.map(|path| {
        let path = path.clone();
        Change::Add(Add::Append, Route { prefix, path })
    });
    let changes: Vec<Change> = gone.chain(new).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let mut load = Load::new(client, Mode::Transaction, 1);
    let mut pushed = changes
        .iter()
        .try_for_each(|change| load.push(client, 0, change));
    if pushed.is_ok() {
        pushed = load.finish(client).map(|_| ());
    }
    if let Err(error) = pushed {
        if let Err(error) = load.abort(client) {
            log::debug!("{error}");
        }
        return Err(error);
    }
    // Each path is a change of its own; where there were others, they are unsaved.
    let after = before + changes.len() as u64;
    if load.generation() == Some(after) {
        state.follow(before, after);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::locations::Files;
    use crate::config::settings::file::Locked;
    use crate::grammar::{SettingChange, setting};
    use crate::platform::atomic_file::tests::Folder;
    use crate::platform::devices::tests::TestDevices;
    use nl31_netlink::{FakeDevice, FakeKernel};
    use std::fs;
    use std::time::Duration;

    struct Rig {
        folder: Folder,
        state: ConfigState,
        client: Client<FakeKernel>,
        learnt: Learnt,
    }

    impl Rig {
        fn new(name: &str) -> Self {
            let folder = Folder::new(name);
            let files = Files::new(Some(&folder.0.join("routes.conf")), &folder.0.join("run"));
            fs::create_dir(&files.run).unwrap();
            fs::create_dir(files.leases()).unwrap();
            let mut client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
            client.transport().devices = vec![FakeDevice::new(2, "eth0")];
            Self {
                folder,
                state: ConfigState::new(files, true),
                client,
                learnt: Learnt::default(),
            }
        }

        fn configure(&self, line: &str, made: bool) {
            let mut file = Locked::open(&self.state.files.settings()).unwrap();
            let setting = setting(line).unwrap().unwrap();
            let change = SettingChange { setting, made };
            file.configured.settings.change(&change).unwrap();
            file.write().unwrap();
            file.finish().unwrap();
        }

        fn leases(&self, address: &str, router: &str) {
            let text = format!(
                "address {address}\nsubnet 255.255.255.0\nrouter {router}\nseconds 4294967295\nsince 0\n"
            );
            fs::write(self.state.files.leases().join("eth0"), text).unwrap();
        }

        /// Addresses and routes, after a look at the leases.
        fn has(&mut self) -> (Vec<String>, Vec<String>) {
            let devices = TestDevices::default();
            let renewed = self.learnt.renew(&mut self.client, &devices, &self.state);
            renewed.unwrap();
            let addresses = &self.client.transport().devices[0].addresses;
            let addresses = addresses.iter().map(ToString::to_string).collect();
            let routes = self.client.transport().routes();
            (addresses, routes.iter().map(ToString::to_string).collect())
        }
    }

    const NOTHING: (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());

    fn leased(address: &str, router: &str) -> (Vec<String>, Vec<String>) {
        let route = format!("0.0.0.0/0 via {router} dev if2 metric 1024 proto dhcp");
        (vec![format!("{address}/24")], vec![route])
    }

    #[test]
    fn lease_is_made_replaced_and_removed() {
        let mut rig = Rig::new("learnt");
        rig.leases("192.0.2.10", "192.0.2.1");
        assert_eq!(rig.has(), NOTHING, "DHCP is off");
        rig.configure("dhcp eth0 on", true);
        assert_eq!(rig.has(), leased("192.0.2.10", "192.0.2.1"));
        assert_eq!(rig.has(), leased("192.0.2.10", "192.0.2.1"));
        rig.leases("192.0.2.11", "192.0.2.2");
        assert_eq!(rig.has(), leased("192.0.2.11", "192.0.2.2"));
        rig.leases("192.0.2.11", "203.0.113.1");
        assert_eq!(rig.has(), (vec!["192.0.2.11/24".into()], Vec::new()));
        rig.leases("192.0.2.0", "192.0.2.1");
        assert_eq!(rig.has(), NOTHING, "the lease is refused");
        rig.leases("192.0.2.10", "192.0.2.1");
        rig.has();
        fs::remove_file(rig.state.files.leases().join("eth0")).unwrap();
        assert_eq!(rig.has(), NOTHING, "the lease is lost");
        rig.leases("192.0.2.10", "192.0.2.1");
        rig.has();
        rig.configure("dhcp eth0 on", false);
        // Another agent finds what the first one has made.
        rig.learnt = Learnt::default();
        assert_eq!(rig.has(), NOTHING, "DHCP is off again");
        assert!(rig.folder.0.exists());
    }

    #[test]
    fn configured_address_and_route_stay() {
        let mut rig = Rig::new("learnt-beside");
        let own: InterfaceAddress = "192.0.2.77/24".parse().unwrap();
        rig.configure("address add 192.0.2.77/24 dev eth0", true);
        rig.configure("address add 192.0.2.10/24 dev eth0", true);
        rig.configure("dhcp eth0 on", true);
        rig.leases("192.0.2.9", "192.0.2.1");
        rig.has();
        // They come after the learnt one, and go with it in Linux.
        rig.client.add_address(2, own, Protocol::UNSPEC).unwrap();
        let route: Route<DeviceName> = "0.0.0.0/0 via 192.0.2.254 dev eth0 proto static"
            .parse()
            .unwrap();
        let route = route.map_device(Device::Name);
        rig.client.add(Add::Add, &route).unwrap();
        rig.leases("192.0.2.10", "192.0.2.2");
        let (addresses, routes) = rig.has();
        assert_eq!(addresses, ["192.0.2.77/24", "192.0.2.10/24"]);
        assert_eq!(routes.len(), 2, "{routes:?}");
        rig.configure("dhcp eth0 on", false);
        let (addresses, routes) = rig.has();
        assert_eq!(addresses, ["192.0.2.77/24", "192.0.2.10/24"]);
        assert_eq!(routes, ["0.0.0.0/0 via 192.0.2.254 dev eth0 proto static"]);
    }

    #[test]
    fn learnt_route_is_no_unsaved_change_and_comes_back() {
        let mut rig = Rig::new("learnt-saved");
        rig.configure("dhcp eth0 on", true);
        let unsaved = |rig: &mut Rig| {
            let table = rig.client.table().unwrap();
            rig.state.is_unsaved(table.generation)
        };
        let generation = rig.client.table().unwrap().generation;
        rig.state.set_saved(Some((generation, 0)));
        rig.leases("192.0.2.10", "192.0.2.1");
        rig.has();
        assert!(!unsaved(&mut rig));
        rig.leases("192.0.2.11", "192.0.2.2");
        rig.has();
        assert!(!unsaved(&mut rig));
        // Another change is unsaved, and stays it.
        let all = Spec::default();
        rig.client.delete_all(&all).unwrap();
        assert!(unsaved(&mut rig));
        assert_eq!(rig.has(), leased("192.0.2.11", "192.0.2.2"));
        assert!(unsaved(&mut rig));
    }
}
