// SPDX-License-Identifier: MIT OR Apache-2.0
//! `route`, and routes on the command line and as output.

use std::net::IpAddr;

use nl31_route::{
    DeviceName, Keyword, Parsed, Path, Prefix, Protocol, Route, Spec, Syntax, Value as Argument,
};
use nl31_wire::{BadItems, Item, ItemsBuffer, Op, Request, Response};
use serde_json::{Value, json};

use super::list::list;
use crate::arguments::RouteCommand;
use crate::error::Error;
use crate::link::Link;
use crate::output::Output;
use crate::port::Port;

const fn flag(word: &'static str, help: &'static str) -> Keyword {
    Keyword {
        word,
        value: Argument::None,
        help,
    }
}

static ROUTE: Syntax = Syntax {
    flags: &[],
    abbreviations: false,
};
/// The filter of a list of routes.
pub static FILTER: Syntax = Syntax {
    flags: &[
        flag("longer", "with all longer prefixes inside of this one"),
        flag("all", "every route"),
    ],
    abbreviations: false,
};
const LONGER: u8 = 1;
const ALL: u8 = 2;

/// Carries one of the `route` commands out.
pub fn execute<P: Port>(
    link: &mut Link<P>,
    command: &RouteCommand,
    out: &mut Output<'_>,
) -> Result<(), Error> {
    let (op, verb, words) = match command {
        RouteCommand::Add(words) => (Op::Add, "added", words),
        RouteCommand::Replace(words) => (Op::Replace, "replaced", words),
        RouteCommand::Change(words) => (Op::Change, "changed", words),
        RouteCommand::Append(words) => (Op::Append, "appended", words),
        RouteCommand::Del(words) => (Op::Delete, "deleted", words),
        RouteCommand::Get { address } => {
            let found = get(link, prefix(address)?)?;
            return print(out, &found);
        }
        RouteCommand::Show(filter) => {
            let parsed = parse(&FILTER, &filter.words)?;
            let longer = parsed.flags & LONGER != 0;
            let changed = list(link, &parsed.spec, longer, &mut |route| print(out, &route))?;
            if changed {
                out.warn("the table changed while it was listed");
            }
            return Ok(());
        }
        RouteCommand::Flush(filter) => {
            let parsed = parse(&FILTER, &filter.words)?;
            let (longer, all) = (parsed.flags & LONGER != 0, parsed.flags & ALL != 0);
            if all != (parsed.spec == Spec::default()) {
                let text = "name what to delete, like a prefix or dev eth0, or `all` alone";
                return Err(Error::Usage(text.into()));
            }
            let filter = ItemsBuffer::filter(&parsed.spec);
            link.done(&Request::Flush {
                filter: filter.items(),
                longer,
                all,
            })?;
            return out.say(format_args!("flushed"));
        }
    };
    let line = words.words.join(" ");
    let parsed = parse(&ROUTE, &words.words)?;
    let checked = match op {
        Op::Delete => parsed.prefix().map(|_| ()),
        _ => parsed.route().map(|_| ()),
    };
    checked.map_err(|error| usage(&line, &error))?;
    out.passed_over(parsed.passed_over());
    let spec = match (op, parsed.route()) {
        // A deletion must not name more of the path than was typed.
        (Op::Delete, _) | (_, Err(_)) => Spec {
            prefix: parsed.prefix().ok(),
            ..parsed.spec
        },
        (_, Ok(route)) => whole(&route),
    };
    change(link, op, &spec)?;
    match spec.prefix {
        Some(prefix) => out.say(format_args!("{verb} {prefix}")),
        None => Ok(()),
    }
}

fn print(out: &mut Output<'_>, route: &Route<DeviceName>) -> Result<(), Error> {
    out.either(|| json(route), route)
}

/// The route that an item describes.
pub fn route(item: Item) -> Route<DeviceName> {
    Route {
        prefix: item.prefix(),
        path: item.route.path(),
    }
}

/// The routes of a part of a list.
pub fn routes(
    items: impl Iterator<Item = Result<Item, BadItems>>,
) -> Result<Vec<Route<DeviceName>>, Error> {
    items
        .map(|item| item.map(route).map_err(|_| Error::Unexpected))
        .collect()
}

/// The parts of a route; parts with default values are left out.
pub fn whole(route: &Route<DeviceName>) -> Spec<DeviceName> {
    let Path {
        kind,
        gateway,
        device,
        metric,
        protocol,
    } = route.path.clone();
    Spec {
        kind: Some(kind).filter(|&kind| kind != Default::default()),
        prefix: Some(route.prefix),
        gateway,
        device,
        metric: Some(metric).filter(|&metric| metric != 0),
        protocol: Some(protocol).filter(|&protocol| protocol != Protocol::UNSPEC),
    }
}

/// As iproute2's JSON has it.
pub fn json(route: &Route<DeviceName>) -> Value {
    let path = &route.path;
    let mut value = json!({
        "type": path.kind.word(),
        "dst": route.prefix.to_string(),
        "metric": path.metric,
        "protocol": path.protocol.to_string(),
    });
    if let Some(gateway) = path.gateway {
        value["gateway"] = json!(gateway.to_string());
    }
    if let Some(device) = &path.device {
        value["dev"] = json!(device.to_string());
    }
    value
}

/// Reads arguments as one line; the error shows where it is wrong.
pub fn parse(syntax: &'static Syntax, words: &[String]) -> Result<Parsed, Error> {
    let line = words.join(" ");
    syntax.parse(&line, 0).map_err(|error| usage(&line, &error))
}

/// An error in arguments, with a caret under the place.
pub fn usage(line: &str, error: &nl31_route::ParseError) -> Error {
    let indent = line[..error.column].chars().count();
    let len = line[error.column..error.column + error.len]
        .chars()
        .count()
        .max(1);
    Error::Usage(format!("{error}\n  {line}\n  {:indent$}{:^<len$}", "", ""))
}

/// Makes one change.
pub fn change<P: Port>(link: &mut Link<P>, op: Op, spec: &Spec<DeviceName>) -> Result<u32, Error> {
    let mut buffer = ItemsBuffer::default();
    buffer
        .push(op, spec)
        .map_err(|_| Error::Usage("a route needs a prefix".into()))?;
    link.call(
        &Request::Change {
            items: buffer.items(),
        },
        |response| match response {
            Response::Changed { count } => Ok(count),
            _ => Err(Error::Unexpected),
        },
    )
}

/// The route in use for an address or prefix.
pub fn get<P: Port>(link: &mut Link<P>, prefix: Prefix) -> Result<Route<DeviceName>, Error> {
    let filter = ItemsBuffer::filter(&Spec {
        prefix: Some(prefix),
        ..Spec::default()
    });
    let found = link.call(
        &Request::Lookup {
            prefix: filter.items(),
        },
        |response| match response {
            Response::Routes { items, .. } => routes(items.iter()),
            _ => Err(Error::Unexpected),
        },
    )?;
    found.into_iter().next().ok_or(Error::Unexpected)
}

/// Reads an address or prefix.
pub fn prefix(text: &str) -> Result<Prefix, Error> {
    match text {
        "default" => {
            Ok(Prefix::host(IpAddr::from([0; 4]))).and_then(|host| Prefix::new(host.address(), 0))
        }
        text => text.parse(),
    }
    .map_err(|error| Error::Usage(format!("{text}: {error}")))
}
