// SPDX-License-Identifier: MIT OR Apache-2.0
//! `route add|replace|append|change|del|get|flush`, one at a time.

use nl31_netlink::abi::{
    ROUTE_DST, ROUTE_DST_LEN, ROUTE_GATEWAY, ROUTE_METRIC, ROUTE_OIF, ROUTE_OIF_NAME,
    ROUTE_PROTOCOL, ROUTE_TYPE,
};
use nl31_netlink::{Add, Client, Error, ErrorKind, Transport};
use nl31_route::{ParseErrorKind, Parsed, Part, Syntax};

use super::reply::Reason;
use super::session::Console;
use crate::candidate::edit::{self, Fault};
use crate::candidate::flush::flush;
use crate::console::json::Json;
use crate::grammar::codes::{self, Code};
use crate::grammar::{self, GET_JSON, LONGER};
use crate::platform::devices::Cached;

impl<T: Transport> Console<T> {
    pub(super) fn add(&mut self, how: Add, syntax: &'static Syntax, line: &str, start: usize) {
        let devices = &mut Cached::new(&*self.devices);
        let (parsed, route) = match edit::route(syntax, line, start, devices) {
            Ok(read) => read,
            Err(fault) => return self.faulty(line, &fault),
        };
        let prefix = route.prefix;
        let metric = route.path.metric;
        match self.ask(|client| client.add(how, &route)) {
            Ok(()) => {
                let verb = match how {
                    Add::Add => "added",
                    Add::Replace => "replaced",
                    Add::Change => "changed",
                    Add::Append => "appended",
                };
                self.done(parsed.passed_over(), format_args!("{verb} {prefix}"));
            }
            Err(error) => {
                self.point(line, &parsed, &error);
                match (Code::of(&error), how) {
                    (codes::EXISTS, Add::Append) => {
                        self.failed(&error, format_args!("{prefix} has exactly this path already"));
                    }
                    (codes::EXISTS, Add::Add) => self.failed(&error, format_args!(
                        "{prefix} has a route of metric {metric} already; `route replace` replaces it"
                    )),
                    (codes::NO_ROUTE, _) => self.failed(&error, format_args!(
                        "no such route: {prefix} of metric {metric}"
                    )),
                    _ => self.failed(&error, format_args!("{}", Reason(&error))),
                }
            }
        }
    }

    pub(super) fn delete(&mut self, syntax: &'static Syntax, line: &str, start: usize) {
        let devices = &mut Cached::new(&*self.devices);
        let (parsed, spec) = match edit::path(syntax, line, start, devices) {
            Ok(read) => read,
            Err(fault) => return self.faulty(line, &fault),
        };
        let Some(prefix) = spec.prefix else { return };
        match self.ask(|client| client.delete(&spec)) {
            Ok(()) => self.done(parsed.passed_over(), format_args!("deleted {prefix}")),
            Err(error) if self.finds_no_device(line, &parsed, &error) => {}
            Err(error) => {
                self.point(line, &parsed, &error);
                match Code::of(&error) {
                    codes::NO_ROUTE => self.failed(&error, format_args!("no such route: {prefix}")),
                    codes::SEVERAL => self.failed(&error, format_args!(
                        "{prefix} has several paths: say via, dev or metric, or `route flush {prefix}`"
                    )),
                    _ => self.failed(&error, format_args!("{}", Reason(&error))),
                }
            }
        }
    }

    pub(super) fn get(&mut self, syntax: &'static Syntax, line: &str, start: usize) {
        let parsed = match grammar::route_words(syntax, line, start) {
            Ok(parsed) => parsed,
            Err(error) if matches!(error.kind, ParseErrorKind::Refused(_)) => {
                let (column, len) = (error.column, error.len);
                self.caret(line, column, len);
                return self.status(
                    codes::SYNTAX,
                    format_args!(
                        "column {}: routes are looked up by destination alone: write the address only",
                        column + 1
                    ),
                );
            }
            Err(error) => return self.faulty(line, &error.into()),
        };
        let named = [
            Part::Kind,
            Part::Gateway,
            Part::Device,
            Part::Metric,
            Part::Protocol,
        ];
        if let Some((column, len)) = named.into_iter().find_map(|part| parsed.span(part)) {
            self.caret(line, column, len);
            return self.status(
                codes::SYNTAX,
                format_args!("column {}: expected an address alone", column + 1),
            );
        }
        let Ok(prefix) = parsed.prefix() else {
            let what = "an address is missing, like 192.0.2.1 or 2001:db8::1";
            return self.faulty(line, &Fault::At(line.trim_ascii_end().len(), what));
        };
        match self.ask(|client| client.lookup(prefix)) {
            Ok(route) => {
                let route = Cached::new(&*self.devices).named(route);
                match parsed.flags & GET_JSON {
                    0 => self.data(format_args!("{route}")),
                    _ => self.data(format_args!("{}", Json(&route))),
                }
                self.done(parsed.passed_over(), format_args!("found"));
            }
            Err(error) if Code::of(&error) == codes::NO_ROUTE => {
                self.failed(&error, format_args!("no route to {prefix}"));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    pub(super) fn flush(&mut self, syntax: &'static Syntax, line: &str, start: usize) {
        let devices = &mut Cached::new(&*self.devices);
        let (parsed, spec) = match edit::flush(syntax, line, start, devices) {
            Ok(read) => read,
            Err(fault) => return self.faulty(line, &fault),
        };
        let longer = parsed.flags & LONGER != 0;
        // The roll-back of that commit would put old routes into the flushed table.
        if (longer || spec.prefix.is_none()) && self.is_unconfirmed() {
            return;
        }
        let before = self.ask(Client::table).map(|table| table.generation);
        let result = self.ask(|client| flush(client, &spec, longer));
        match result {
            Ok(()) => {
                // Each deleted path is one change. Other sockets change the table too, so
                // the difference only tells whether paths were deleted.
                match (before, self.ask(Client::table)) {
                    (Ok(before), Ok(after)) if after.generation == before => {
                        let devices = &mut Cached::new(&*self.devices);
                        if let Some(fault) = edit::missing_device(&parsed, devices) {
                            return self.faulty(line, &fault);
                        }
                        self.status(codes::NOTHING, format_args!("no route matches"));
                    }
                    _ => self.done(parsed.passed_over(), format_args!("flushed")),
                }
            }
            Err(error) if self.finds_no_device(line, &parsed, &error) => {}
            Err(error) if Code::of(&error) == codes::NO_ROUTE => {
                self.status(codes::NOTHING, format_args!("no route matches"));
            }
            Err(error) => {
                self.point(line, &parsed, &error);
                self.failed(&error, format_args!("{}", Reason(&error)));
            }
        }
    }

    /// Prints that no route was found because the device of the line does not exist, if that
    /// is the reason.
    fn finds_no_device(&mut self, line: &str, parsed: &Parsed, error: &Error) -> bool {
        let devices = &mut Cached::new(&*self.devices);
        match edit::missing_device(parsed, devices) {
            Some(fault) if Code::of(error) == codes::NO_ROUTE => {
                self.faulty(line, &fault);
                true
            }
            _ => false,
        }
    }

    /// Draws a caret under the part that the kernel refused.
    fn point(&mut self, line: &str, parsed: &Parsed, error: &Error) {
        let ErrorKind::Kernel(kernel) = &error.kind else {
            return;
        };
        let attribute = kernel
            .offset
            .and_then(|offset| self.client.as_ref()?.attribute_at(offset));
        let part = match attribute {
            Some(ROUTE_DST | ROUTE_DST_LEN) => Part::Prefix,
            Some(ROUTE_TYPE) => Part::Kind,
            Some(ROUTE_GATEWAY) => Part::Gateway,
            Some(ROUTE_OIF | ROUTE_OIF_NAME) => Part::Device,
            Some(ROUTE_METRIC) => Part::Metric,
            Some(ROUTE_PROTOCOL) => Part::Protocol,
            _ => return,
        };
        if let Some((column, len)) = parsed.span(part) {
            self.caret(line, column, len);
        }
    }
}
