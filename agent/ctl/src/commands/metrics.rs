// SPDX-License-Identifier: MIT OR Apache-2.0
//! `metrics`: what the appliance counts, for Prometheus.

pub mod http;

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nl31_wire::{Request, Response};
use serde_json::Value;

use super::console;
use crate::error::Error;
use crate::link::Link;
use crate::open_metrics::{Exposition, Kind};
use crate::output::Output;
use crate::port::Port;

/// Prints the metrics, or replaces a file by them, at once or not at all.
pub fn execute<P: Port>(
    link: &mut Link<P>,
    file: Option<&Path>,
    out: &mut Output<'_>,
) -> Result<(), Error> {
    let text = collect(link, &mut 0, out)?;
    match file {
        Some(file) => replace(file, &text).map_err(|error| Error::File(file.into(), error)),
        None => out.line(format_args!("{}", text.trim_end())),
    }
}

fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // A collector reads as another user; names that do not end with `.prom` it passes over.
    let mut new = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

/// Asks the appliance, and gives the text. Adds to `damaged` what this session's line has damaged.
pub fn collect<P: Port>(
    link: &mut Link<P>,
    damaged: &mut u64,
    out: &mut Output<'_>,
) -> Result<String, Error> {
    let mut text = Exposition::default();
    system(link, out, &mut text)?;
    table(link, &mut text)?;
    ports(&objects(link, "port show json", out)?, &mut text);
    links(&objects(link, "link show json", out)?, &mut text);
    // Last, as it counts what came before.
    *damaged += link.damaged();
    text.family(
        "nl31_line_damaged_frames",
        Kind::Counter,
        "Frames of the agent that the line has damaged since nl31ctl was started.",
    );
    text.sample(&[], *damaged);
    Ok(text.finish())
}

/// What `version` tells of the machine. The page `show` tells more, and takes a second to measure
/// rates.
fn system<P: Port>(
    link: &mut Link<P>,
    out: &mut Output<'_>,
    text: &mut Exposition,
) -> Result<(), Error> {
    let objects = objects(link, "version json", out)?;
    let told = |name: &str| objects.first()?[name].as_str();
    let agent = link.agent().version.clone();
    let labels = ["image", "host", "boot"].map(|name| Some((name, told(name)?)));
    let labels: Vec<_> = [Some(("agent", agent.as_str()))]
        .into_iter()
        .chain(labels)
        .flatten()
        .collect();
    text.family(
        "nl31_appliance",
        Kind::Gauge,
        "1, with what the appliance is.",
    );
    text.sample(&labels, 1);
    if let Some(uptime) = told("uptime").and_then(seconds) {
        text.family("nl31_uptime_seconds", Kind::Gauge, "Time since the boot.");
        text.sample(&[], uptime);
    }
    if let Some((available, all)) = told("memory").and_then(memory) {
        text.family("nl31_memory_bytes", Kind::Gauge, "Memory of the appliance.");
        text.sample(&[("kind", "available")], available);
        text.sample(&[("kind", "all")], all);
    }
    if let Some(changes) = told("changes") {
        let help = "1 while the table or a setting differs from the saved config.";
        text.family("nl31_unsaved_changes", Kind::Gauge, help);
        text.sample(&[], u8::from(changes == "unsaved"));
    }
    Ok(())
}

/// The seconds of `3d 04:05:06`.
fn seconds(text: &str) -> Option<u64> {
    let (days, time) = text.split_once("d ")?;
    let time: Vec<u64> = time
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [hours, minutes, seconds] = time[..] else {
        return None;
    };
    let days = days.parse::<u64>().ok()?;
    Some(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
}

/// The bytes of `1234 KiB of 5678 available`.
fn memory(text: &str) -> Option<(u64, u64)> {
    let (available, all) = text.strip_suffix(" available")?.split_once(" KiB of ")?;
    let bytes = |text: &str| text.parse::<u64>().ok()?.checked_mul(1024);
    Some((bytes(available)?, bytes(all)?))
}

fn table<P: Port>(link: &mut Link<P>, text: &mut Exposition) -> Result<(), Error> {
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
            lookups: _,
            hits,
            misses,
            errors,
        } = response
        else {
            return Err(Error::Unexpected);
        };
        let families = |text: &mut Exposition, ipv4: u64, ipv6: u64| {
            text.sample(&[("family", "ipv4")], ipv4);
            text.sample(&[("family", "ipv6")], ipv6);
        };
        text.family("nl31_routes", Kind::Gauge, "Prefixes in the table.");
        families(text, routes4.into(), routes6.into());
        text.family(
            "nl31_routes_limit",
            Kind::Gauge,
            "Most prefixes of the table.",
        );
        text.sample(&[], max_routes);
        text.family("nl31_paths", Kind::Gauge, "Paths of the prefixes.");
        families(text, paths4.into(), paths6.into());
        text.family("nl31_path_lists", Kind::Gauge, "Distinct lists of paths.");
        text.sample(&[], nexthops);
        text.family("nl31_table_bytes", Kind::Gauge, "Memory of the table.");
        text.sample(&[("part", "ipv4")], bytes4);
        text.sample(&[("part", "ipv6")], bytes6);
        text.sample(&[("part", "path_lists")], nexthop_bytes);
        text.family("nl31_table_changes", Kind::Counter, "Changes of the table.");
        text.sample(&[], generation);
        text.family("nl31_lookups", Kind::Counter, "Addresses looked up.");
        text.sample(&[("result", "hit")], hits);
        text.sample(&[("result", "miss")], misses);
        let help = "Requests to the kernel that failed.";
        text.family("nl31_failed_requests", Kind::Counter, help);
        text.sample(&[], errors);
        Ok(())
    })
}

/// The objects that a line of the console lists.
fn objects<P: Port>(
    link: &mut Link<P>,
    line: &str,
    out: &mut Output<'_>,
) -> Result<Vec<Value>, Error> {
    let mut objects = Vec::new();
    let mut failed = false;
    console::read(
        link,
        line,
        out,
        &mut |line| match serde_json::from_str(line) {
            Ok(object) => objects.push(object),
            Err(_) => failed = true,
        },
    )?;
    match failed {
        true => Err(Error::Unexpected),
        false => Ok(objects),
    }
}

/// A family with a sample of each device that tells this field.
fn each(
    objects: &[Value],
    field: &str,
    (name, kind, help): (&'static str, Kind, &str),
    text: &mut Exposition,
) {
    text.family(name, kind, help);
    for object in objects {
        let value = match &object[field] {
            Value::Bool(value) => u64::from(*value),
            value => match value.as_u64() {
                Some(value) => value,
                None => continue,
            },
        };
        text.sample(&[("dev", device(object))], value);
    }
}

fn device(object: &Value) -> &str {
    object["dev"].as_str().unwrap_or_default()
}

fn ports(ports: &[Value], text: &mut Exposition) {
    use Kind::{Counter, Gauge};
    for (field, family) in [
        (
            "forwarding",
            ("nl31_port_forwarding", Gauge, "1 if the port forwards."),
        ),
        (
            "received",
            ("nl31_port_received_packets", Counter, "Packets received."),
        ),
        (
            "forwarded",
            ("nl31_port_forwarded_packets", Counter, "Packets forwarded."),
        ),
        (
            "handed-up",
            (
                "nl31_port_handed_up_packets",
                Counter,
                "Packets given to the appliance itself.",
            ),
        ),
    ] {
        each(ports, field, family, text);
    }
    let help = "Packets dropped, by the reason.";
    text.family("nl31_port_dropped_packets", Counter, help);
    for port in ports {
        // A newer agent may have more reasons.
        for (name, count) in port.as_object().into_iter().flatten() {
            if let (Some(reason), Some(count)) = (name.strip_prefix("drop-"), count.as_u64()) {
                let reason = reason.replace('-', "_");
                text.sample(&[("dev", device(port)), ("reason", &reason)], count);
            }
        }
    }
}

fn links(links: &[Value], text: &mut Exposition) {
    use Kind::{Counter, Gauge};
    for (field, family) in [
        ("up", ("nl31_link_up", Gauge, "1 if the link is set up.")),
        (
            "carrier",
            ("nl31_link_carrier", Gauge, "1 if the link has a carrier."),
        ),
        (
            "mtu",
            ("nl31_link_mtu_bytes", Gauge, "Longest packet of the link."),
        ),
        (
            "received",
            ("nl31_link_received_packets", Counter, "Packets received."),
        ),
        (
            "received-bytes",
            ("nl31_link_received_bytes", Counter, "Bytes received."),
        ),
        (
            "receive-errors",
            ("nl31_link_receive_errors", Counter, "Packets damaged."),
        ),
        (
            "receive-dropped",
            (
                "nl31_link_receive_dropped",
                Counter,
                "Packets received and dropped.",
            ),
        ),
        ("sent", ("nl31_link_sent_packets", Counter, "Packets sent.")),
        (
            "sent-bytes",
            ("nl31_link_sent_bytes", Counter, "Bytes sent."),
        ),
        (
            "send-errors",
            (
                "nl31_link_send_errors",
                Counter,
                "Packets that could not be sent.",
            ),
        ),
        (
            "send-dropped",
            (
                "nl31_link_send_dropped",
                Counter,
                "Packets dropped before they were sent.",
            ),
        ),
    ] {
        each(links, field, family, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_and_memory_are_read_as_the_agent_tells_them() {
        assert_eq!(seconds("3d 04:05:06"), Some(273_906));
        assert_eq!(seconds("04:05:06"), None);
        assert_eq!(memory("2 KiB of 3 available"), Some((2048, 3072)));
        assert_eq!(memory("2 MiB of 3 available"), None);
    }

    #[test]
    fn file_is_replaced_as_a_whole_and_readable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nl31.prom");
        for text in ["longer than the other\n", "short\n"] {
            replace(&file, text).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o600, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("no/such"), "").is_err());
    }
}
