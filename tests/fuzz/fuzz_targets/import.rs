// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes as a file to import, of the format that the first byte names, or that its content
//! does: a route that is taken is one of a config, all is counted, and what is told is bounded.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use nl31_ctl::import::format::Format;
use nl31_ctl::import::intake::LISTED_MAX;
use nl31_ctl::import::{Options, import};
use nl31_route::{DeviceName, Route};

fuzz_target!(|data: &[u8]| {
    let Some((&how, source)) = data.split_first() else {
        return;
    };
    let format = match how & 7 {
        1 => Some(Format::Mrt),
        2 => Some(Format::Ip),
        3 => Some(Format::IpJson),
        4 => Some(Format::Bird),
        5 => Some(Format::Frr),
        _ => None,
    };
    let mut next_hops = Vec::new();
    if how & 8 != 0 && matches!(format, None | Some(Format::Mrt)) {
        for text in ["64496=192.0.2.9", "192.0.2.1=fe80::9%eth1"] {
            next_hops.push(text.parse().expect("a right next hop"));
        }
    }
    let options = Options { format, next_hops };
    let (mut routes, mut told) = (0, 0);
    let mut take = |route: &Route<DeviceName>| {
        routes += 1;
        let text = route.to_string();
        let read: Route<DeviceName> = text.parse().expect("a line of a config");
        assert_eq!(read, *route, "{text}");
        Ok(())
    };
    let mut tell = |text: &str| {
        told += 1;
        assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
    };
    let counts = import(Path::new("f"), source, &options, &mut take, &mut tell);
    assert!(told <= LISTED_MAX + 1);
    if let Ok(counts) = counts {
        assert_eq!(counts.routes, routes);
        assert_eq!(counts.skipped.min(LISTED_MAX + 1), told);
    }
});
