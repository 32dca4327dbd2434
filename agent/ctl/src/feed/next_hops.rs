// SPDX-License-Identifier: MIT OR Apache-2.0
//! Next-hop objects of the sender, by their numbers, and the paths that hops stand for.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use nl31_route::{DeviceName, Family, Path, PathKind, Prefix, Protocol, is_host};

use super::devices::{BoardDevice, Devices};
use super::rtnetlink::{Hop, NextHop};

/// Most paths that a prefix of the board may have.
pub const PATHS_MAX: usize = 64;

/// Most objects; a sender with more of them is not believed.
pub const OBJECTS_MAX: usize = 1 << 17;

/// What a route says of each of its paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathHead {
    /// Where the route leads to.
    pub prefix: Prefix,
    /// Its metric.
    pub metric: u32,
    /// What installed it, by the numbers of RTPROT_*.
    pub protocol: Protocol,
}

impl PathHead {
    /// A path that drops packets.
    pub fn drops(self, kind: PathKind) -> Path<DeviceName> {
        Path {
            kind,
            gateway: None,
            device: None,
            metric: self.metric,
            protocol: self.protocol,
        }
    }

    /// The paths that hops stand for, each once and at most [`PATHS_MAX`] of them. Hops of
    /// which the board cannot have a path are left out; if there are no others, the reason is
    /// given.
    pub fn through(
        self,
        hops: &[Hop],
        devices: &mut Devices,
    ) -> Result<Vec<Path<DeviceName>>, &'static str> {
        let mut paths = Vec::new();
        let mut reason = "a route without a next hop";
        for hop in hops {
            match self.path(hop, devices) {
                Ok(path) if paths.len() < PATHS_MAX && !paths.contains(&path) => paths.push(path),
                Ok(_) => {}
                Err(error) => reason = error,
            }
        }
        match paths.is_empty() {
            true => Err(reason),
            false => Ok(paths),
        }
    }

    fn path(self, hop: &Hop, devices: &mut Devices) -> Result<Path<DeviceName>, &'static str> {
        if hop.encapsulates {
            return Err("a next hop with a label or another encapsulation");
        }
        let device = match hop.device.map(|index| devices.find(index)) {
            Some(BoardDevice::Named(name)) => Some(name),
            Some(BoardDevice::Unknown) if hop.gateway.is_none() => {
                return Err("a device whose name is not known here: use --map INDEX=NAME");
            }
            Some(BoardDevice::None | BoardDevice::Unknown) | None => None,
        };
        match hop.gateway {
            Some(gateway) if Family::of(gateway) != self.prefix.family() => {
                return Err("a gateway of the other family");
            }
            Some(gateway) if !is_host(gateway) => {
                return Err("a gateway with a multicast or unspecified address");
            }
            Some(gateway) if device.is_none() && is_link_local(gateway) => {
                return Err("a link-local gateway without a device");
            }
            None if device.is_none() => return Err("a next hop without gateway and device"),
            _ => {}
        }
        Ok(Path {
            gateway: hop.gateway,
            device,
            ..self.drops(PathKind::Unicast)
        })
    }
}

fn is_link_local(gateway: IpAddr) -> bool {
    match gateway {
        IpAddr::V4(_) => false,
        IpAddr::V6(gateway) => gateway.is_unicast_link_local(),
    }
}

/// The objects.
#[derive(Debug, Default)]
pub struct NextHops {
    objects: HashMap<u32, NextHop>,
    changed: HashSet<u32>,
    /// Of the changed ones, those whose routes go.
    gone: HashSet<u32>,
}

/// See [`NextHops::take_changed`].
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Objects that have come, changed or gone, and the groups that have one of them.
    pub all: HashSet<u32>,
    /// Those of them that were deleted, and that no route has named since.
    pub gone: HashSet<u32>,
}

impl NextHops {
    /// Adds an object, or puts it in place of the one of this number. Gives whether there was
    /// room.
    pub fn set(&mut self, id: u32, mut next_hop: NextHop) -> bool {
        if let NextHop::Group(members) = &mut next_hop {
            members.truncate(PATHS_MAX);
        }
        if self.objects.get(&id) == Some(&next_hop) {
            return true;
        }
        if self.objects.len() >= OBJECTS_MAX && !self.objects.contains_key(&id) {
            return false;
        }
        self.objects.insert(id, next_hop);
        self.changed.insert(id);
        self.gone.remove(&id);
        true
    }

    /// Deletes an object.
    pub fn delete(&mut self, id: u32) {
        if self.objects.remove(&id).is_some() {
            self.changed.insert(id);
            self.gone.insert(id);
        }
    }

    /// A route names the object. If it was deleted and is announced only later, the route
    /// waits for it, and does not go with those that named it before.
    pub fn await_object(&mut self, id: u32) {
        self.gone.remove(&id);
    }

    /// Whether [`NextHops::take_changed`] has some.
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What has changed since the last call.
    pub fn take_changed(&mut self) -> Changed {
        let mut all = std::mem::take(&mut self.changed);
        if !all.is_empty() {
            let groups = self.objects.iter().filter(|(_, object)| match object {
                NextHop::Group(members) => members.iter().any(|id| all.contains(id)),
                _ => false,
            });
            let groups: Vec<u32> = groups.map(|(&id, _)| id).collect();
            all.extend(groups);
        }
        let gone = std::mem::take(&mut self.gone);
        Changed { all, gone }
    }

    /// Whether there is an object of this number.
    pub fn has(&self, id: u32) -> bool {
        self.objects.contains_key(&id)
    }

    /// The paths through an object, or why there are none.
    pub fn paths(
        &self,
        id: u32,
        head: PathHead,
        devices: &mut Devices,
    ) -> Result<Vec<Path<DeviceName>>, &'static str> {
        const MISSING: &str = "a next hop that was not announced";
        match self.objects.get(&id).ok_or(MISSING)? {
            NextHop::Blackhole => Ok(vec![head.drops(PathKind::Blackhole)]),
            NextHop::Hop(hop) => head.through(&[*hop], devices),
            NextHop::Group(members) => {
                let mut hops = Vec::new();
                for member in members {
                    match self.objects.get(member) {
                        Some(NextHop::Hop(hop)) => hops.push(*hop),
                        // Linux lets a blackhole be the only one of a group.
                        Some(NextHop::Blackhole) => {
                            return Ok(vec![head.drops(PathKind::Blackhole)]);
                        }
                        Some(NextHop::Group(_)) | None => {}
                    }
                }
                match hops.is_empty() {
                    true => Err(MISSING),
                    false => head.through(&hops, devices),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nl31_route::Route;

    fn devices() -> Devices {
        Devices::with_names(Vec::new(), |index| match index {
            2 => "eth0".parse().ok(),
            _ => None,
        })
    }

    fn head(prefix: &str) -> PathHead {
        PathHead {
            prefix: prefix.parse().unwrap(),
            metric: 20,
            protocol: Protocol(186),
        }
    }

    fn hop(gateway: &str, device: Option<u32>) -> Hop {
        Hop {
            gateway: gateway.parse().ok(),
            device,
            encapsulates: false,
        }
    }

    fn texts(head: PathHead, hops: &[Hop]) -> Result<Vec<String>, &'static str> {
        let paths = head.through(hops, &mut devices())?;
        let routes = paths.into_iter().map(|path| Route {
            prefix: head.prefix,
            path,
        });
        Ok(routes.map(|route| route.to_string()).collect())
    }

    #[test]
    fn a_hop_is_a_path_of_the_board() {
        let v4 = head("10.0.0.0/8");
        let end = "metric 20 proto bgp";
        let one = |hop| texts(v4, &[hop]).map(|texts| texts.concat());
        let via = format!("10.0.0.0/8 via 192.0.2.1 dev eth0 {end}");
        assert_eq!(one(hop("192.0.2.1", Some(2))), Ok(via));
        // The board finds a device for the gateway.
        let via = format!("10.0.0.0/8 via 192.0.2.1 {end}");
        assert_eq!(one(hop("192.0.2.1", Some(9))), Ok(via));
        assert!(one(hop("", Some(9))).unwrap_err().contains("--map"));
        for wrong in ["224.0.0.1", "2001:db8::1", "255.255.255.255", "0.0.0.1", ""] {
            assert!(one(hop(wrong, None)).is_err(), "{wrong}");
        }
        let v6 = head("2001:db8::/32");
        assert!(texts(v6, &[hop("fe80::1", Some(2))]).is_ok());
        assert!(texts(v6, &[hop("fe80::1", Some(9))]).is_err());
    }

    #[test]
    fn hops_are_taken_once_and_as_many_as_a_prefix_may_have() {
        let v4 = head("10.0.0.0/8");
        let first = hop("192.0.2.1", Some(2));
        let labelled = Hop {
            encapsulates: true,
            ..first
        };
        assert_eq!(texts(v4, &[first, labelled, first]).unwrap().len(), 1);
        assert!(texts(v4, &[labelled]).unwrap_err().contains("label"));
        let many: Vec<_> = (1..=100)
            .map(|number| hop(&format!("192.0.2.{number}"), None))
            .collect();
        assert_eq!(texts(v4, &many).unwrap().len(), PATHS_MAX);
    }

    #[test]
    fn a_changed_object_changes_its_groups() {
        let mut next_hops = NextHops::default();
        let v4 = head("10.0.0.0/8");
        next_hops.set(1, NextHop::Hop(hop("192.0.2.1", None)));
        next_hops.set(2, NextHop::Hop(hop("192.0.2.2", None)));
        next_hops.set(7, NextHop::Group(vec![1, 2, 3]));
        assert_eq!(next_hops.take_changed().all, HashSet::from([1, 2, 7]));
        assert_eq!(next_hops.paths(7, v4, &mut devices()).unwrap().len(), 2);
        next_hops.set(2, NextHop::Hop(hop("192.0.2.2", None)));
        assert!(
            next_hops.take_changed().all.is_empty(),
            "the same once more"
        );
        next_hops.delete(2);
        let changed = next_hops.take_changed();
        assert_eq!(changed.all, HashSet::from([2, 7]));
        assert_eq!(changed.gone, HashSet::from([2]));
        assert_eq!(next_hops.paths(7, v4, &mut devices()).unwrap().len(), 1);
        next_hops.set(1, NextHop::Blackhole);
        let paths = next_hops.paths(7, v4, &mut devices()).unwrap();
        assert_eq!(paths, [v4.drops(PathKind::Blackhole)]);
        assert!(next_hops.paths(9, v4, &mut devices()).is_err());
    }
}
