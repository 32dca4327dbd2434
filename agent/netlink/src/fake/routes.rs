// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests on routes.

use std::net::IpAddr;

use nix::libc;
use nl31_route::{DeviceName, PathKind, Prefix, PrefixError, Protocol, Route, Spec};

use super::*;
use crate::device::selects;
use crate::paths::Conflict;

impl FakeKernel {
    /// Reads route attributes strictly.
    pub(super) fn spec(payload: &[u8]) -> Result<Spec<Device>, Refusal> {
        let mut spec = Spec::default();
        let (mut address, mut len) = (None, None);
        for attribute in message::attributes(payload) {
            let attribute = attribute.map_err(|_| (libc::EINVAL, None, "malformed attribute"))?;
            let at = Some(HEADER_LEN + attribute.offset);
            let bad = |_| (libc::EINVAL, at, "wrong length");
            let bytes = attribute.payload;
            let number = || message::array(bytes).map(u32::from_ne_bytes).map_err(bad);
            let byte = || message::array(bytes).map(u8::from_ne_bytes).map_err(bad);
            match attribute.kind {
                ROUTE_DST => address = Some((message::address(bytes).map_err(bad)?, at)),
                ROUTE_DST_LEN => len = Some((byte()?, at)),
                ROUTE_TYPE => {
                    let kind = PathKind::try_from(byte()?);
                    spec.kind = Some(kind.map_err(|()| (libc::EINVAL, at, "unknown route type"))?);
                }
                ROUTE_GATEWAY => {
                    let gateway = message::address(bytes).map_err(bad)?;
                    if !is_host(gateway) {
                        let text = "the gateway is not the address of a host";
                        return Err((libc::EINVAL, at, text));
                    }
                    spec.gateway = Some(gateway);
                }
                ROUTE_OIF => spec.device = Some(Device::Index(number()?)),
                ROUTE_OIF_NAME => {
                    let name = message::device_name(bytes)
                        .map_err(|_| (libc::EINVAL, at, "not the name of a device"))?;
                    spec.device = Some(Device::Name(name));
                }
                ROUTE_METRIC => spec.metric = Some(number()?),
                ROUTE_PROTOCOL => spec.protocol = Some(Protocol(byte()?)),
                _ => return Err((libc::EINVAL, at, "unknown attribute")),
            }
        }
        if let Some((address, at)) = address {
            spec.prefix = Some(match len {
                None => Prefix::host(address),
                Some((len, len_at)) => Prefix::new(address, len).map_err(|error| match error {
                    PrefixError::HostBits(_) => {
                        (libc::EINVAL, at, "bits set beyond the prefix length")
                    }
                    _ => (libc::EINVAL, len_at, "prefix length too long"),
                })?,
            });
        }
        Ok(spec)
    }

    /// A path over an index needs its device; one over a name waits for it.
    pub(super) fn check_device(&self, payload: &[u8], spec: &Spec<Device>) -> Result<(), Refusal> {
        let Some(Device::Index(index)) = spec.device else {
            return Ok(());
        };
        if self.devices.iter().any(|device| device.index == index) {
            return Ok(());
        }
        let mut given = message::attributes(payload).flatten();
        let oif = given.find(|attribute| attribute.kind == ROUTE_OIF);
        let at = oif.map(|oif| HEADER_LEN + oif.offset);
        Err((libc::ENODEV, at, "no such device"))
    }

    pub(super) fn new_route(&mut self, header: &Header, spec: Spec<Device>) -> Result<(), Refusal> {
        let prefix = spec
            .prefix
            .ok_or((libc::EINVAL, None, "destination is missing"))?;
        let path = spec.path();
        let known = self.table.contains_key(&prefix);
        if !known && self.table.len() >= self.max_routes as usize {
            return Err((libc::ENOSPC, None, "table is full"));
        }
        let (how, exists) = match (header.flags & NLM_F_REPLACE, header.flags & NLM_F_APPEND) {
            (0, 0) => (Add::Add, "prefix has a path of this metric"),
            (0, _) => (Add::Append, "path is there"),
            _ if header.flags & NLM_F_CREATE == 0 => (Add::Change, "path is there"),
            _ => (Add::Replace, "path is there"),
        };
        let paths = self.table.entry(prefix).or_default();
        let result = paths.add(how, path.clone()).map_err(|conflict| {
            let text = match conflict {
                Conflict::Exists => exists,
                Conflict::Missing => "no such path",
                Conflict::Several | Conflict::TooMany => "",
            };
            (conflict.errno(false), None, text)
        });
        if paths.all().is_empty() {
            self.table.remove(&prefix);
        }
        let flags = if result? { NLM_F_REPLACE } else { 0 };
        self.notify(MSG_NEWROUTE, flags, Route { prefix, path });
        Ok(())
    }

    pub(super) fn del_route(
        &mut self,
        header: &Header,
        spec: &Spec<Device>,
    ) -> Result<(), Refusal> {
        let bulk = header.flags & NLM_F_BULK != 0;
        let mut gone = Vec::new();
        let mut index_of = |name: &DeviceName| index_of(&self.devices, name);
        if bulk {
            for (&prefix, paths) in &mut self.table {
                if spec.prefix.is_none_or(|filter| filter.covers(prefix)) {
                    let paths = paths.delete_all(spec, &mut index_of).into_iter();
                    gone.extend(paths.map(|path| Route { prefix, path }));
                }
            }
        } else {
            let prefix = spec
                .prefix
                .ok_or((libc::EINVAL, None, "destination is missing"))?;
            let missing = (libc::ESRCH, None, "");
            let paths = self.table.get_mut(&prefix).ok_or(missing)?;
            let before = paths.clone();
            if spec.has_path() || header.flags & NLM_F_NONREC != 0 {
                paths.delete(spec, &mut index_of).map_err(|conflict| {
                    let text = match conflict {
                        Conflict::Several => "prefix has several paths",
                        _ => "",
                    };
                    (conflict.errno(true), None, text)
                })?;
            } else if paths.delete_all(spec, &mut index_of).is_empty() {
                return Err((libc::ESRCH, None, ""));
            }
            let left = paths.all();
            let before = before.all().iter().filter(|path| !left.contains(path));
            gone.extend(before.cloned().map(|path| Route { prefix, path }));
        }
        self.table.retain(|_, paths| !paths.all().is_empty());
        for route in gone {
            self.notify(MSG_DELROUTE, 0, route);
        }
        Ok(())
    }

    pub(super) fn get_route(&mut self, header: &Header, spec: Spec<Device>) -> Result<(), Refusal> {
        if header.flags & NLM_F_DUMP == 0 {
            let wanted = spec
                .prefix
                .ok_or((libc::EINVAL, None, "destination is missing"))?;
            let covering = self
                .published()
                .iter()
                .filter(|(prefix, _)| prefix.covers(wanted));
            let usable = covering.filter_map(|(&prefix, paths)| {
                let path = (paths.all().iter())
                    .find(|path| unusable(&self.devices, path.device.as_ref()) == 0)?;
                let path = path.clone();
                Some(Route { prefix, path })
            });
            let route = usable.max_by_key(|route| route.prefix.len()).ok_or((
                libc::ENETUNREACH,
                None,
                "",
            ))?;
            let devices = self.devices.clone();
            self.reply(header, MSG_NEWROUTE, 0, |out| {
                put_route(out, &route, &devices)
            });
            return Ok(());
        }
        if self.dump.is_some() {
            return Err((libc::EBUSY, None, "a dump is under way"));
        }
        self.change_by_other();
        let mut index_of = |name: &DeviceName| index_of(&self.devices, name);
        let mut in_use = None;
        let all = routes(self.published()).into_iter().map(|route| {
            let mut flags = unusable(&self.devices, route.path.device.as_ref());
            if flags == 0 {
                let standby = in_use.replace(route.prefix) == Some(route.prefix);
                flags = if standby { FLAG_STANDBY } else { 0 };
            }
            (route, flags)
        });
        let routes = all.filter(|(route, _)| {
            spec.prefix.is_none_or(|prefix| prefix.covers(route.prefix))
                && selects(&spec, &route.path, &mut index_of)
        });
        let generation = self.published_generation();
        self.dump = Some(FakeDump {
            seq: header.seq,
            generation,
            has_told: false,
            routes: routes.collect(),
            filtered: spec != Spec::default(),
            interrupted: std::mem::take(&mut self.interrupt_dump),
        });
        Ok(())
    }

    pub(super) fn continue_dump(&mut self) {
        let Some(mut dump) = self.dump.take() else {
            return;
        };
        let mut flags = NLM_F_MULTI;
        flags |= if dump.filtered {
            NLM_F_DUMP_FILTERED
        } else {
            0
        };
        flags |= if dump.interrupted { NLM_F_DUMP_INTR } else { 0 };
        let mut datagram = Datagram::new(DUMP_BATCH * 128);
        let ended = dump.routes.is_empty();
        if ended {
            let (flags, generation) = (flags | NLM_F_ACK_TLVS, dump.generation);
            encode(&mut datagram, NLMSG_DONE, flags, dump.seq, PORT, |out| {
                out.put(&[0; 4])?;
                out.attribute(NLMSGERR_ATTR_COOKIE, &generation.to_ne_bytes())
            });
        }
        for (route, path_flags) in dump.routes.drain(..dump.routes.len().min(DUMP_BATCH)) {
            let told = std::mem::replace(&mut dump.has_told, true);
            let generation = (!told).then_some(dump.generation);
            encode(&mut datagram, MSG_NEWROUTE, flags, dump.seq, PORT, |out| {
                put_route(out, &route, &self.devices)?;
                if path_flags != 0 {
                    out.attribute(ROUTE_FLAGS, &path_flags.to_ne_bytes())?;
                }
                generation.map_or(Ok(()), |generation| {
                    out.attribute(ROUTE_GENERATION, &generation.to_ne_bytes())
                })
            });
        }
        self.out.push_back(datagram.bytes().to_vec());
        self.dump = (!ended).then_some(dump);
    }
}

pub(super) fn routes(table: &Table) -> Vec<Route<Device>> {
    let each = table.iter();
    each.flat_map(|(&prefix, paths)| {
        let paths = paths.all().iter().cloned();
        paths.map(move |path| Route { prefix, path })
    })
    .collect()
}

fn is_host(gateway: IpAddr) -> bool {
    let zero = match gateway {
        IpAddr::V4(gateway) => gateway.octets()[0] == 0 || gateway.is_broadcast(),
        IpAddr::V6(gateway) => gateway.is_unspecified(),
    };
    !zero && !gateway.is_multicast()
}

pub(super) fn index_of(devices: &[FakeDevice], name: &DeviceName) -> Option<u32> {
    let found = devices.iter().find(|device| device.name == *name);
    found.map(|device| device.index)
}

/// The flags of a path that its device keeps from being used; 0 where it does not.
fn unusable(devices: &[FakeDevice], of_path: Option<&Device>) -> u32 {
    let found = match of_path {
        None => return 0,
        Some(Device::Name(name)) => devices.iter().find(|device| device.name == *name),
        Some(Device::Index(index)) => devices.iter().find(|device| device.index == *index),
    };
    match found {
        None => FLAG_LINKDOWN | FLAG_DEAD,
        Some(device) if !device.up => FLAG_LINKDOWN,
        Some(_) => 0,
    }
}
