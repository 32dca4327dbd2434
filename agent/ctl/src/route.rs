// SPDX-License-Identifier: MIT OR Apache-2.0
//! Routes on the command line and as output.

use std::net::IpAddr;

use nl31_route::{DeviceName, Parsed, Path, Prefix, Protocol, Route, Spec, Syntax};
use nl31_wire::{Item, Items, ItemsBuffer, Op, Request, Response};
use serde_json::{Value, json};

use crate::error::Error;
use crate::link::Link;
use crate::port::Port;

/// The route that an item describes.
pub fn route(item: Item) -> Route<DeviceName> {
    Route {
        prefix: item.prefix(),
        path: item.route.path(),
    }
}

/// The routes of a part of a list.
pub fn routes(items: Items<'_>) -> Result<Vec<Route<DeviceName>>, Error> {
    items
        .iter()
        .map(|item| item.map(route).map_err(|_| Error::Unexpected))
        .collect()
}

/// A route with nothing left to be assumed.
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
            Response::Routes { items, .. } => routes(items),
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
