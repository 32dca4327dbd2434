// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any file as a config: either all its routes are in the kernel, or none, and then the error
//! names the first line that is wrong, or one before that the kernel refuses. Of a file with
//! settings: where it is an error, no route is there, and no link that it made.
#![no_main]

use std::collections::BTreeMap;
use std::io::{Seek, Write};
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nl31_agent::config::file::ConfigErrorKind;
use nl31_agent::config::load::Loading;
use nl31_agent::config::locations::Files;
use nl31_fuzz::devices::WithLinks;
use nl31_netlink::{Client, Device, FakeKernel, Mode};
use nl31_route::{DeviceName, Prefix, Route, SETTINGS};

const LINE_MAX: usize = 512;

type Table = BTreeMap<Prefix, Vec<nl31_route::Path<Device>>>;

/// The route of a line; `Err` where it is wrong.
fn route(line: &[u8]) -> Result<Option<Route<Device>>, ()> {
    // a comment may be of any length and encoding; a device may be called as one begins
    let read = &line[..line.len().min(LINE_MAX + 1)];
    let (mut comment, mut before, mut at) = (None, &b""[..], 0);
    for word in read.split(|byte| byte.is_ascii_whitespace()) {
        if word.starts_with(b"#") && before != b"dev" {
            comment = Some(at);
            break;
        }
        if !word.is_empty() {
            before = word;
        }
        at += word.len() + 1;
    }
    if comment.is_none() && line.len() > LINE_MAX {
        return Err(());
    }
    let line = std::str::from_utf8(&line[..comment.unwrap_or(line.len())]).map_err(|_| ())?;
    if line.bytes().all(|byte| byte.is_ascii_whitespace()) {
        return Ok(None);
    }
    let route: Route<DeviceName> = line.parse().map_err(|_| ())?;
    Ok(Some(route.map_device(Device::Name)))
}

/// Adds a path behind those of the same metric; says whether it is a new one.
fn add(table: &mut Table, route: Route<Device>) -> bool {
    let paths = table.entry(route.prefix).or_default();
    if paths.contains(&route.path) {
        return false;
    }
    let at = paths.partition_point(|path| path.metric <= route.path.metric);
    paths.insert(at, route.path);
    true
}

/// Whether the kernel takes the address for that of a host.
fn is_host(gateway: IpAddr) -> bool {
    match gateway {
        IpAddr::V4(gateway) => {
            gateway.octets()[0] != 0 && !gateway.is_multicast() && !gateway.is_broadcast()
        }
        IpAddr::V6(gateway) => !gateway.is_unspecified() && !gateway.is_multicast(),
    }
}

/// Whether a line may be a setting.
fn is_setting(line: &[u8]) -> bool {
    let mut words = line.split(|byte| byte.is_ascii_whitespace());
    let first = words.find(|word| !word.is_empty()).unwrap_or_default();
    SETTINGS.iter().any(|setting| setting.as_bytes() == first)
}

fuzz_target!(|data: &[u8]| {
    let Some((&how, text)) = data.split_first() else {
        return;
    };
    let mode = if how & 1 == 0 {
        Mode::Transaction
    } else {
        Mode::Missing
    };
    let mut kernel = FakeKernel::default();
    if how & 2 != 0 {
        kernel.max_routes = u32::from(how >> 2);
    }
    let max_routes = kernel.max_routes as usize;

    let file = memfd_create("routes.conf", MFdFlags::MFD_CLOEXEC).expect("a file in memory");
    let mut file = std::fs::File::from(file);
    file.write_all(text).expect("to write to memory");
    file.rewind().expect("to rewind it");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());

    let mut client = Client::with_timeout(kernel, Duration::ZERO);
    // made by the first config with settings that is loaded
    let run = std::env::temp_dir().join(format!("nl31-fuzz-config-{}", std::process::id()));
    let files = Files::new(Some(path.as_ref()), &run);
    let mut loading = Loading::open(path.as_ref(), mode, &files).expect("to open it");
    let devices = WithLinks(Rc::clone(&client.transport().made));
    let outcome = loop {
        match loading.step(&mut client, &devices) {
            Ok(None) => {}
            Ok(Some(loaded)) => break Ok(loaded),
            Err(error) => break Err(error),
        }
    };
    let loaded: Vec<Route<Device>> = client.transport().routes();

    let mut text = text.to_vec();
    if text.starts_with("\u{feff}".as_bytes()) {
        text[..3].fill(b' ');
    }
    let mut lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    if lines.last() == Some(&&b""[..]) {
        lines.pop();
    }
    if lines.iter().any(|line| is_setting(line)) {
        if let (Mode::Transaction, Err(error)) = (mode, &outcome) {
            assert!(loaded.is_empty(), "{error}, and yet something was applied");
        }
        if let Err(error) = &outcome {
            let left = devices.0.borrow();
            assert!(left.is_empty(), "{error}, and yet {left:?} are there");
        }
        let _ = std::fs::remove_dir_all(&run);
        return;
    }
    let wrong = lines.iter().position(|line| route(line).is_err());
    // in a transaction the kernel gets the lines in batches, and may object to an earlier one
    let by_kernel =
        matches!(&outcome, Err(error) if matches!(error.kind, ConfigErrorKind::Kernel(_)));
    if let Some(wrong) = wrong.filter(|_| mode == Mode::Missing || !by_kernel) {
        let error = outcome.expect_err("a line is wrong");
        assert!(!by_kernel, "{error}");
        let (line, column) = error.place.expect("a place in the file");
        assert_eq!(line as usize, wrong + 1, "{error}");
        assert!((1..=lines[wrong].len() + 1).contains(&column), "{error}");
        assert!(loaded.is_empty(), "{error}, and yet something was applied");
        return;
    }

    // what the kernel does with them, line by line
    let mut table = Table::new();
    let mut refused = None;
    let (mut added, mut present) = (0, 0);
    for (index, line) in lines.iter().enumerate() {
        let Some(route) = route(line).expect("lines before it are right") else {
            continue;
        };
        let full = table.len() >= max_routes && !table.contains_key(&route.prefix);
        if full || !route.path.gateway.is_none_or(is_host) {
            refused = Some(index);
            break;
        }
        if add(&mut table, route) {
            added += 1;
        } else {
            present += 1;
            if mode == Mode::Transaction {
                refused = Some(index);
                break;
            }
        }
    }
    match (refused, outcome) {
        (None, Ok(counted)) => {
            assert_eq!((counted.added, counted.present), (added, present));
            let all: Vec<_> = table
                .iter()
                .flat_map(|(&prefix, paths)| {
                    paths
                        .iter()
                        .cloned()
                        .map(move |path| Route { prefix, path })
                })
                .collect();
            assert_eq!(loaded, all);
        }
        (Some(index), Err(error)) => {
            assert!(matches!(error.kind, ConfigErrorKind::Kernel(_)), "{error}");
            assert_eq!(error.place, Some((index as u32 + 1, 1)), "{error}");
            if mode == Mode::Transaction {
                assert!(loaded.is_empty(), "{error}, and yet something was applied");
            }
        }
        (refused, outcome) => panic!("{outcome:?}, though the kernel refuses {refused:?}"),
    }
});
