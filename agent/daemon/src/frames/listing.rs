// SPDX-License-Identifier: MIT OR Apache-2.0
//! Look-up of one route by address, and lists of routes in parts.

use nl31_netlink::{Client, Device, Dump, Prefix, Route, Spec, Step};
use nl31_route::{DeviceName, PathKind, Protocol};
use nl31_wire::{Items, ItemsBuffer, Op, Packer, Response};

use super::host::Host;
use super::refusal::{Refusal, Refused};
use super::session::{Open, Program};
use crate::grammar::codes;
use crate::platform::devices::Cached;

pub(super) struct List<T> {
    client: Client<T>,
    dump: Dump,
    /// Only paths of exactly this prefix.
    exactly: Option<Prefix>,
    /// A route that did not fit the previous part.
    held: Option<Spec<DeviceName>>,
    /// Packs the parts of a packed list.
    packer: Option<Box<Packer>>,
}

impl<H: Host> Program<H> {
    pub(super) fn lookup(&mut self, prefix: Items<'_>) -> Refused<()> {
        let spec = self.filter(prefix)?;
        let Some(prefix) = spec.prefix.filter(|_| !spec.has_path()) else {
            let what = format_args!("a look-up takes one prefix alone");
            return Err(Refusal::new(codes::SYNTAX.number, what));
        };
        let route = self.ask(|client| client.lookup(prefix));
        let route = route.map_err(|refusal| match refusal.code == codes::NO_ROUTE.number {
            true => Refusal::new(refusal.code, format_args!("no route to {prefix}")),
            false => refusal,
        })?;
        let mut buffer = ItemsBuffer::default();
        let route = Cached::new(&*self.devices).named(route);
        buffer
            .push(Op::Add, &to_spec(route))
            .expect("one route has room");
        self.answer(&Response::Routes {
            items: buffer.items(),
            last: true,
            interrupted: false,
        });
        Ok(())
    }

    pub(super) fn dump(
        &mut self,
        filter: Items<'_>,
        longer: bool,
        packer: Option<Box<Packer>>,
    ) -> Refused<()> {
        self.open = Open::Nothing;
        let spec = self.filter(filter)?;
        let mut client = self.host.connect()?;
        let dump = client.dump(&spec)?;
        let exactly = spec.prefix.filter(|_| !longer);
        self.open = Open::List(Box::new(List {
            client,
            dump,
            exactly,
            held: None,
            packer,
        }));
        self.next()
    }

    pub(super) fn next_routes(&mut self, mut list: Box<List<H::Transport>>) -> Refused<()> {
        let mut buffer = ItemsBuffer::default();
        let (mut last, mut interrupted) = (false, false);
        let mut devices = Cached::new(&*self.devices);
        loop {
            let route = match list.held.take() {
                Some(route) => route,
                None => match list.client.poll_next(&mut list.dump)? {
                    Step::Route(route, _) => to_spec(devices.named(route)),
                    Step::Pending => break,
                    Step::End {
                        interrupted: changed,
                    } => {
                        (last, interrupted) = (true, changed);
                        break;
                    }
                },
            };
            if list.exactly.is_some() && list.exactly != route.prefix {
                // The paths of the prefix itself come first.
                last = true;
                break;
            }
            let pushed = match &mut list.packer {
                Some(packer) => packer.push(Op::Add, &route),
                None => buffer.push(Op::Add, &route),
            };
            if pushed.is_err() {
                list.held = Some(route);
                break;
            }
        }
        match &mut list.packer {
            Some(packer) => {
                let (count, packed) = packer.finish();
                self.answer(&Response::PackedRoutes {
                    count,
                    packed,
                    last,
                    interrupted,
                });
                packer.next_frame();
            }
            None => self.answer(&Response::Routes {
                items: buffer.items(),
                last,
                interrupted,
            }),
        }
        if !last {
            self.open = Open::List(list);
        }
        Ok(())
    }

    pub(super) fn filter(&self, items: Items<'_>) -> Refused<Spec<Device>> {
        Ok(Cached::new(&*self.devices).filter(items.filter()?))
    }
}

/// The parts of a route that differ from the defaults.
pub(super) fn to_spec(route: Route<DeviceName>) -> Spec<DeviceName> {
    let path = route.path;
    Spec {
        kind: Some(path.kind).filter(|&kind| kind != PathKind::Unicast),
        prefix: Some(route.prefix),
        gateway: path.gateway,
        device: path.device,
        metric: Some(path.metric).filter(|&metric| metric != 0),
        protocol: Some(path.protocol).filter(|&protocol| protocol != Protocol::UNSPEC),
    }
}
