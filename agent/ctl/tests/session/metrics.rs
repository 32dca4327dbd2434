// SPDX-License-Identifier: MIT OR Apache-2.0
//! Metrics of the real agent, read by the grammar of OpenMetrics 1.0.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use nl31_ctl::commands::metrics::collect;
use nl31_ctl::journal::Journal;
use nl31_ctl::output::Output;
use nl31_netlink::PortCounters;
use nl31_wire::Op;

use crate::rig::{TestFile, TestPort, change, says, with_folder};

type Labels = BTreeMap<String, String>;

/// A family, as a reader of the format understands it.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    samples: Vec<(Labels, f64)>,
}

fn is_name(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !text.starts_with(|c: char| c.is_ascii_digit()) && !text.is_empty() && text.chars().all(rest)
}

/// Reads labels behind the opening brace; gives what follows the closing one.
fn labels(mut text: &str) -> (Labels, &str) {
    let mut labels = Labels::new();
    loop {
        let (name, rest) = text.split_once("=\"").expect("a label");
        assert!(is_name(name), "{name:?}");
        let mut value = String::new();
        let mut chars = rest.chars();
        loop {
            match chars.next().expect("an end of the value") {
                '"' => break,
                '\\' => value.push(match chars.next() {
                    Some('n') => '\n',
                    Some(c @ ('"' | '\\')) => c,
                    other => panic!("an escape {other:?}"),
                }),
                c => value.push(c),
            }
        }
        assert_eq!(labels.insert(name.into(), value), None, "{name} twice");
        match chars.next() {
            Some(',') => text = chars.as_str(),
            Some('}') => return (labels, chars.as_str()),
            other => panic!("{other:?} behind a label"),
        }
    }
}

/// Reads a text strictly: each family once, with its metadata before its samples; each sample
/// once, of the family that was begun last, with the suffix of its kind; the end.
fn read(text: &str) -> BTreeMap<String, Family> {
    let mut families = BTreeMap::<String, Family>::new();
    let body = text.strip_suffix("# EOF\n").expect("the end");
    let mut last = String::new();
    for line in body.strip_suffix('\n').expect("lines").split('\n') {
        if let Some(metadata) = line.strip_prefix("# ") {
            let mut words = metadata.splitn(3, ' ');
            let mut word = || words.next().expect("three words");
            let (what, name, value) = (word(), word(), word());
            assert!(is_name(name), "{line}");
            if what == "TYPE" {
                assert!(["gauge", "counter"].contains(&value), "{line}");
                assert!(
                    !name.ends_with("_total") && !name.ends_with("_info"),
                    "{line}"
                );
                let kind = value.into();
                let family = Family {
                    kind,
                    ..Family::default()
                };
                assert!(families.insert(name.into(), family).is_none(), "{line}");
                last = name.into();
            }
            assert_eq!(name, last, "{line}");
            assert!(
                families[name].samples.is_empty(),
                "{line} is behind a sample"
            );
            match what {
                "TYPE" => {}
                "HELP" => assert!(
                    !value.contains(['\\', '"']) && value.ends_with('.'),
                    "{line}"
                ),
                "UNIT" => assert!(name.ends_with(&format!("_{value}")), "{line}"),
                _ => panic!("{line}"),
            }
            continue;
        }
        let end = line.find(['{', ' ']).expect("a value");
        let (name, rest) = line.split_at(end);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest),
            None => (Labels::new(), rest),
        };
        let value: f64 = rest
            .strip_prefix(' ')
            .expect("a blank")
            .parse()
            .expect("a number");
        let family = families.get_mut(&last).expect("a family");
        let suffix = if family.kind == "counter" {
            "_total"
        } else {
            ""
        };
        assert_eq!(name, format!("{last}{suffix}"));
        assert!(value >= 0.0);
        let is_new = family.samples.iter().all(|(before, _)| *before != labels);
        assert!(is_new, "{line} twice");
        family.samples.push((labels, value));
    }
    families
}

#[track_caller]
fn value(families: &BTreeMap<String, Family>, name: &str, wanted: &[(&str, &str)]) -> f64 {
    let wanted: Labels = wanted
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let samples = &families[name].samples;
    let found = samples.iter().find(|(labels, _)| *labels == wanted);
    found
        .unwrap_or_else(|| panic!("no {wanted:?} in {samples:?}"))
        .1
}

#[test]
fn metrics_tell_what_the_appliance_counts() {
    let (port, _folder) = with_folder("metrics");
    let mut link = port.open();
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    change(&mut link, Op::Append, "10.0.0.0/8 dev eth0").unwrap();
    change(&mut link, Op::Add, "2001:db8::/32 dev lo").unwrap();
    let said = says(&mut link, "port set eth0");
    assert!(said.starts_with("I200"), "{said}");
    port.kernel().0.borrow_mut().ports[0].counters = PortCounters {
        received: 31,
        forwarded: 20,
        drop_no_route: 7,
        ..PortCounters::default()
    };
    let (mut out, mut damaged) = (Vec::new(), 0);
    let text = collect(
        &mut link,
        &mut damaged,
        &mut Output::new(&mut out, false, false),
    )
    .unwrap();
    assert!(out.is_empty() && damaged == 0);
    let families = read(&text);
    for (name, labels, wanted) in [
        ("nl31_routes", &[("family", "ipv4")][..], 1.0),
        ("nl31_routes", &[("family", "ipv6")], 1.0),
        ("nl31_paths", &[("family", "ipv4")], 2.0),
        ("nl31_port_forwarding", &[("dev", "eth0")], 1.0),
        ("nl31_port_received_packets", &[("dev", "eth0")], 31.0),
        ("nl31_port_forwarded_packets", &[("dev", "eth0")], 20.0),
        (
            "nl31_port_dropped_packets",
            &[("dev", "eth0"), ("reason", "no_route")],
            7.0,
        ),
        (
            "nl31_port_dropped_packets",
            &[("dev", "eth0"), ("reason", "ttl")],
            0.0,
        ),
        ("nl31_line_damaged_frames", &[], 0.0),
    ] {
        assert_eq!(
            value(&families, name, labels),
            wanted,
            "{name} {labels:?}\n{text}"
        );
    }
    // Those of this machine, and of the links of the fake kernel.
    let some: BTreeSet<_> = [
        "nl31_appliance",
        "nl31_uptime_seconds",
        "nl31_memory_bytes",
        "nl31_table_bytes",
        "nl31_table_changes",
        "nl31_lookups",
        "nl31_link_up",
        "nl31_link_received_bytes",
        "nl31_link_receive_errors",
    ]
    .into();
    for name in some {
        assert!(!families[name].samples.is_empty(), "{name}\n{text}");
    }
}

#[test]
fn scrape_asks_for_no_rates() {
    let file = TestFile::new("metrics-journal", &[]);
    let mut link = TestPort::new(0).open();
    link.set_journal(Rc::new(Journal::open(&file.0).unwrap()));
    let mut out = Vec::new();
    collect(&mut link, &mut 0, &mut Output::new(&mut out, false, false)).unwrap();
    let log = std::fs::read_to_string(&file.0).unwrap();
    let request = |line: &str| {
        line.split_once(" > ")
            .map(|(_, request)| request.to_owned())
    };
    let mut requests: Vec<_> = log.lines().filter_map(request).collect();
    // A list of many links comes in parts.
    requests.retain(|request| request != "Next");
    // The page that measures rates for a second is not among them.
    let expected = [
        "Line { text: \"version json\" }",
        "Table",
        "Line { text: \"port show json\" }",
        "Line { text: \"link show json\" }",
    ];
    assert_eq!(requests, expected);
}
