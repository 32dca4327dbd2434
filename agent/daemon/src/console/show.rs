// SPDX-License-Identifier: MIT OR Apache-2.0
//! `route show`: streams the kernel's dump.

use std::rc::Rc;

use nl31_netlink::{Client, Device, Dump, PathFlags, Prefix, Route, Step, Transport};
use nl31_route::{DeviceName, PassedOver, Syntax};

use super::reply::{Reason, count_routes};
use super::session::{Console, LINES_PER_STEP, Running};
use crate::console::json::JsonListed;
use crate::grammar::codes;
use crate::grammar::{self, COUNT, JSON, LONGER};
use crate::platform::devices::Cached;

/// Routes counted in one step.
const COUNTED_PER_STEP: usize = 1024;

/// A list in progress.
pub(super) struct Show {
    dump: Dump,
    /// A separate client, for a dump that is not read to its end, or slowly.
    own: Option<Client<Box<dyn Transport>>>,
    /// Only paths of exactly this prefix, which come first.
    exactly: Option<Prefix>,
    json: bool,
    /// Count the routes; do not list them.
    count: bool,
    shown: u64,
    /// The device of the filter, if it does not exist.
    missing: Option<DeviceName>,
    passed_over: PassedOver,
}

/// The words after a path that its device keeps from use: those of `ip route`, which
/// `route add` ignores.
fn state(flags: PathFlags) -> &'static str {
    match (flags.is_dead(), flags.is_linkdown()) {
        (true, _) => " dead linkdown",
        (false, true) => " linkdown",
        (false, false) => "",
    }
}

impl<T: Transport> Console<T> {
    pub(super) fn start_show(&mut self, syntax: &'static Syntax, line: &str, start: usize) {
        let mut parsed = match grammar::route_words(syntax, line, start) {
            Ok(parsed) => parsed,
            Err(error) => return self.faulty(line, &error.into()),
        };
        grammar::within_family(&mut parsed, line, start);
        let devices = Rc::clone(&self.devices);
        let spec = Cached::new(&*devices).filter(parsed.spec.clone());
        let missing = match &spec.device {
            Some(Device::Name(name)) => Some(name.clone()),
            _ => None,
        };
        let longer = parsed.flags & LONGER != 0;
        let exactly = spec.prefix.filter(|_| !longer);
        // A list that may pause must not block the console's client.
        let apart = exactly.is_some() || self.pages();
        let started = self.ask(|client| {
            let mut own = match apart {
                true => client.another()?,
                false => None,
            };
            let dump = match &mut own {
                Some(own) => own.dump(&spec)?,
                None => client.dump(&spec)?,
            };
            Ok((own, dump))
        });
        match started {
            Ok((own, dump)) => {
                self.running = Running::Show(Box::new(Show {
                    dump,
                    own,
                    exactly,
                    json: parsed.flags & JSON != 0,
                    count: parsed.flags & COUNT != 0,
                    shown: 0,
                    missing,
                    passed_over: parsed.passed_over(),
                }));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    /// Shows further routes; gives `false` if the caller has to wait.
    pub(super) fn show(&mut self, mut show: Box<Show>) -> bool {
        if std::mem::take(&mut self.stop) {
            let shown = count_routes(show.shown);
            self.status(codes::STOPPED, format_args!("stopped after {shown}"));
            return true;
        }
        let devices = Rc::clone(&self.devices);
        let mut devices = Cached::new(&*devices);
        let lines = if show.count {
            COUNTED_PER_STEP
        } else {
            LINES_PER_STEP
        };
        for _ in 0..lines {
            if !show.count && self.page_is_full() {
                return self.pause(Running::Show(show));
            }
            let next = match (&mut show.own, &mut self.client) {
                // Its next part is there when it is asked for.
                (Some(own), _) => own.next(&mut show.dump),
                (None, Some(client)) => client.poll_next(&mut show.dump),
                (None, None) => return false,
            };
            let beyond = |route: &Route<Device>| show.exactly.is_some_and(|p| p != route.prefix);
            match next {
                Ok(Step::Route(route, flags)) if !beyond(&route) => {
                    show.shown += 1;
                    if show.count {
                        continue;
                    }
                    let route = devices.named(route);
                    match show.json {
                        true => self.data(format_args!("{}", JsonListed(&route, flags))),
                        false => self.data(format_args!("{route}{}", state(flags))),
                    }
                }
                Ok(Step::Pending) => {
                    self.running = Running::Show(show);
                    return false;
                }
                Ok(Step::Route(..) | Step::End { interrupted: false }) => {
                    if let (0, Some(name)) = (show.shown, &show.missing) {
                        self.status(
                            codes::NO_DEVICE,
                            format_args!("device {name} does not exist"),
                        );
                        return true;
                    }
                    let shown = count_routes(show.shown);
                    self.done(show.passed_over, format_args!("{shown}"));
                    return true;
                }
                Ok(Step::End { interrupted: true }) => {
                    let shown = count_routes(show.shown);
                    self.status(
                        codes::INTERRUPTED,
                        format_args!("{shown}; the table changed meanwhile"),
                    );
                    return true;
                }
                Err(error) => {
                    let shown = count_routes(show.shown);
                    self.failed(&error, format_args!("{} after {shown}", Reason(&error)));
                    return true;
                }
            }
        }
        self.running = Running::Show(show);
        true
    }
}
