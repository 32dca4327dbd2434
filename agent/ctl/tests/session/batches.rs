// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many routes in few bytes, over a line that damages them.

use indicatif::ProgressBar;
use nl31_ctl::commands::apply::plan;
use nl31_ctl::commands::load::{Mode, load};
use nl31_ctl::error::{Error, Refused};
use nl31_ctl::link::Link;
use nl31_wire::{ItemsBuffer, Op, Request};

use crate::rig::{
    TestFile, TestPort, apply_file, like_a_table, listed, load_file, routes, scattered, sorted,
    spec,
};

#[test]
fn a_frame_is_made_whole_or_not_at_all() {
    let port = TestPort::new(0);
    let mut link = port.open();
    let mut buffer = ItemsBuffer::default();
    for text in [
        "10.0.0.0/8 dev lo",
        "11.0.0.0/8 dev lo",
        "10.0.0.0/8 dev eth0",
    ] {
        buffer.push(Op::Add, &spec(text)).unwrap();
    }
    let error = link
        .call(
            &Request::Change {
                items: buffer.items(),
            },
            |_| Ok(()),
        )
        .unwrap_err();
    assert!(
        matches!(
            &error,
            Error::Refused(Refused {
                code: 409,
                index: Some(2),
                ..
            })
        ),
        "{error}"
    );
    assert!(port.routes().is_empty());
}

#[test]
fn ten_thousand_routes_arrive_over_a_bad_line() {
    let lines = scattered(10_000);
    let file = TestFile::new("noise", &lines);
    for (mode, noise) in [
        (Mode::Frames, 2000),
        (Mode::Add, 1000),
        (Mode::Replace, 500),
    ] {
        let port = TestPort::new(noise);
        let mut link = port.open();
        let count = load(&mut link, &mut routes(&file), mode, &ProgressBar::hidden()).unwrap();
        assert_eq!(count, lines.len() as u64);
        assert_eq!(sorted(port.routes()), lines);
        assert!(port.0.borrow().hits > 5, "the line was too good");
        // Every one was added once: twice would have failed, as it was there.
        assert_eq!(sorted(listed(&mut link, "", false)), lines);
        link.leave().unwrap();
        assert!(port.0.borrow().text.is_empty());
    }
}

/// 115200 baud are 11,520 bytes a second; 1,500 routes/s are 7.6 bytes a route.
#[test]
fn a_load_takes_few_bytes_a_route() {
    let lines = scattered(10_000);
    let file = TestFile::new("bytes", &lines);
    for mode in [Mode::Add, Mode::Frames] {
        let port = TestPort::new(0);
        let mut link = port.open();
        let before = link.traffic();
        load(&mut link, &mut routes(&file), mode, &ProgressBar::hidden()).unwrap();
        let (sent, heard) = link.traffic();
        let routes = lines.len() as f64;
        let (sent, heard) = (
            (sent - before.0) as f64 / routes,
            (heard - before.1) as f64 / routes,
        );
        assert!(sent < 4.5, "{sent} bytes a route there");
        assert!(heard < 0.2, "{heard} bytes a route back");
        // A list, in the other direction.
        let before = link.traffic();
        assert_eq!(listed(&mut link, "", false).len(), lines.len());
        let heard = (link.traffic().1 - before.1) as f64 / routes;
        assert!(heard < 6.0, "{heard} bytes a route listed");
    }
}

/// Many peers: each frame would have to say the paths of its routes again.
#[test]
fn a_load_over_many_next_hops_takes_few_bytes_too() {
    let hop = |(number, line): (usize, String)| {
        let prefix = line.split(' ').next().unwrap();
        let (hop, metric) = (1 + number * 7 % 48, 10 + number * 7 % 48);
        format!("{prefix} via 192.0.2.{hop} dev eth0 metric {metric}")
    };
    let mut lines: Vec<_> = scattered(10_000).into_iter().enumerate().map(hop).collect();
    // The order of the paths of a prefix is kept.
    lines.push("1.0.0.0/8 via 192.0.2.9 dev eth0 metric 7".into());
    lines.push("1.0.0.0/8 via 192.0.2.1 dev eth0 metric 7".into());
    let file = TestFile::new("many-hops", &lines);
    let port = TestPort::new(0);
    let mut link = port.open();
    let before = link.traffic().0;
    load_file(&mut link, &file);
    let sent = (link.traffic().0 - before) as f64 / lines.len() as f64;
    assert!(sent < 6.5, "{sent} bytes a route");
    assert_eq!(
        listed(&mut link, "1.0.0.0/8", false),
        lines[lines.len() - 2..]
    );
    lines.sort();
    assert_eq!(sorted(port.routes()), lines);
}

#[test]
fn sorted_routes_take_less_than_a_byte_in_both_directions() {
    let lines = like_a_table(20_000);
    let file = TestFile::new("packed", &lines);
    let port = TestPort::new(0);
    let mut link = port.open();
    let traffic = |link: &Link<TestPort>| {
        let (sent, heard) = link.traffic();
        (sent + heard) as f64 / lines.len() as f64
    };
    for mode in [Mode::Add, Mode::Replace] {
        let before = traffic(&link);
        load(&mut link, &mut routes(&file), mode, &ProgressBar::hidden()).unwrap();
        let loaded = traffic(&link) - before;
        assert!(loaded < 0.7, "{loaded} bytes a route loaded");
    }
    let before = traffic(&link);
    assert_eq!(listed(&mut link, "", false), lines);
    let listed = traffic(&link) - before;
    assert!(listed < 0.7, "{listed} bytes a route listed");
    // Applied over an empty table.
    let before = traffic(&link);
    load(
        &mut link,
        &mut routes(&TestFile::new("packed-none", &[])),
        Mode::Replace,
        &ProgressBar::hidden(),
    )
    .unwrap();
    let plan = plan(&mut link, &mut routes(&file)).unwrap();
    apply_file(&mut link, &file, &plan, None).unwrap();
    let applied = traffic(&link) - before;
    assert!(applied < 0.7, "{applied} bytes a route applied");
    assert_eq!(port.routes(), lines);
}

#[test]
fn an_agent_of_before_is_sent_plain_batches_and_lists() {
    let lines = scattered(3000);
    let file = TestFile::new("older", &lines);
    let port = TestPort::new(0);
    port.0.borrow_mut().older = true;
    let mut link = port.open();
    assert!(!link.can_pack());
    load(
        &mut link,
        &mut routes(&file),
        Mode::Replace,
        &ProgressBar::hidden(),
    )
    .unwrap();
    assert_eq!(sorted(listed(&mut link, "", false)), lines);
    let none = TestFile::new("older-none", &[]);
    let plan = plan(&mut link, &mut routes(&none)).unwrap();
    apply_file(&mut link, &none, &plan, None).unwrap();
    assert!(port.routes().is_empty());
}
