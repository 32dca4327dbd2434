// SPDX-License-Identifier: MIT OR Apache-2.0
//! `greet`, `ping`, `stats` and `ports`: one answer, or none of the agent's.

use nl31_wire::{Request, Response};
use serde_json::json;

use crate::discovery::candidates;
use crate::error::Error;
use crate::link::Link;
use crate::output::Output;
use crate::port::Port;

/// Prints the table's counters.
pub fn stats<P: Port>(link: &mut Link<P>, out: &mut Output<'_>) -> Result<(), Error> {
    link.call(&Request::Table {}, |response| {
        let Response::Counters {
            generation,
            routes4,
            routes6,
            paths4,
            paths6,
            nexthops,
            bytes4,
            bytes6,
            nexthop_bytes,
            max_routes,
            lookups,
            hits,
            misses,
            errors,
        } = response
        else {
            return Err(Error::Unexpected);
        };
        let counters: [(&str, u64); 14] = [
            ("routes-ipv4", routes4.into()),
            ("routes-ipv6", routes6.into()),
            ("paths-ipv4", paths4.into()),
            ("paths-ipv6", paths6.into()),
            ("next-hops", nexthops.into()),
            ("bytes-ipv4", bytes4),
            ("bytes-ipv6", bytes6),
            ("bytes-next-hops", nexthop_bytes),
            ("limit", max_routes.into()),
            ("generation", generation),
            ("lookups", lookups),
            ("hits", hits),
            ("misses", misses),
            ("errors", errors),
        ];
        if out.is_json() {
            let object: serde_json::Map<_, _> = counters
                .iter()
                .map(|&(name, value)| (name.into(), json!(value)))
                .collect();
            return out.line(format_args!("{}", serde_json::Value::Object(object)));
        }
        counters
            .iter()
            .try_for_each(|(name, value)| out.line(format_args!("{name} {value}")))
    })
}

/// Prints the kernel's answer to a greeting.
pub fn greet<P: Port>(link: &mut Link<P>, text: &str, out: &mut Output<'_>) -> Result<(), Error> {
    link.call(&Request::Greet { text }, |response| match response {
        Response::Greeting {
            port,
            abi,
            version,
            text,
        } => {
            let value = || json!({ "text": text, "port": port, "module": version, "abi": abi });
            out.either(value, &text)
        }
        _ => Err(Error::Unexpected),
    })
}

/// Tells whether the agent and the kernel's side answer.
pub fn ping<P: Port>(link: &mut Link<P>, out: &mut Output<'_>) -> Result<(), Error> {
    link.done(&Request::Ping {})?;
    let version = &link.agent().version;
    if out.is_json() {
        return out.line(format_args!("{}", json!({ "agent": version })));
    }
    out.say(format_args!("agent {version} and the kernel answer"))
}

/// Prints the serial lines that have hardware.
pub fn ports(out: &mut Output<'_>) -> Result<(), Error> {
    for port in candidates() {
        let id = port.id.map(|path| path.display().to_string());
        let mut text = port.path.display().to_string();
        for more in [&port.product, &port.driver, &id].into_iter().flatten() {
            text = format!("{text}  {more}");
        }
        let mut value = json!({ "port": port.path.display().to_string() });
        for (name, field) in [
            ("id", id),
            ("product", port.product),
            ("driver", port.driver),
        ] {
            if let Some(field) = field {
                value[name] = json!(field);
            }
        }
        out.either(|| value, &text)?;
    }
    Ok(())
}
