// SPDX-License-Identifier: MIT OR Apache-2.0
use std::collections::HashSet;
use std::sync::Arc;

use nl31_route::{DeviceName, Route};

use super::*;

fn paths(text: &str) -> PathList {
    let route: Route<DeviceName> = format!("10.0.0.0/8 {text}").parse().unwrap();
    Arc::new(vec![route.path])
}

fn key(text: &str) -> Key {
    (text.parse().unwrap(), 20)
}

fn none(_: Key, _: u32, _: Protocol) -> Resolved {
    Resolved::Unknown
}

const BGP: Protocol = Protocol(186);

/// The board's table is known, and is empty.
fn shadow() -> Shadow {
    let mut shadow = Shadow::default();
    shadow.board_is_known();
    shadow
}

/// Makes all changes; gives them as `prefix before>after`.
fn settle(shadow: &mut Shadow) -> Vec<String> {
    let mut texts = Vec::new();
    while shadow.backlog() > 0 {
        let changes = shadow.take(2, false, none);
        let text = |list: &Option<PathList>| match list {
            Some(paths) => paths[0].device.as_ref().unwrap().to_string(),
            None => "-".into(),
        };
        for change in &changes {
            let (before, after) = (text(&change.before), text(&change.after));
            texts.push(format!("{} {before}>{after}", change.key.0));
        }
        shadow.made(changes);
    }
    texts
}

fn set(shadow: &mut Shadow, prefix: &str, path: &str) {
    assert!(shadow.set(key(prefix), Wanted::Paths(paths(path)), 100));
}

#[test]
fn changes_of_a_route_are_sent_once() {
    let mut shadow = shadow();
    set(&mut shadow, "10.0.0.0/8", "dev a");
    set(&mut shadow, "10.0.0.0/8", "dev b");
    set(&mut shadow, "9.0.0.0/8", "dev a");
    set(&mut shadow, "11.0.0.0/8", "dev a");
    shadow.delete(key("11.0.0.0/8"));
    assert_eq!(shadow.routes(), 2);
    assert_eq!(settle(&mut shadow), ["9.0.0.0/8 ->a", "10.0.0.0/8 ->b"]);
    assert_eq!(shadow.len(), 2);
    set(&mut shadow, "10.0.0.0/8", "dev b");
    assert!(settle(&mut shadow).is_empty());
    shadow.delete(key("10.0.0.0/8"));
    assert_eq!(settle(&mut shadow), ["10.0.0.0/8 b>-"]);
    assert_eq!((shadow.len(), shadow.routes()), (1, 1));
}

#[test]
fn deletion_waits_for_a_route_in_its_place() {
    let mut shadow = shadow();
    set(&mut shadow, "10.0.0.0/8", "dev a");
    settle(&mut shadow);
    shadow.delete(key("10.0.0.0/8"));
    assert!(shadow.take(9, false, none).is_empty());
    set(&mut shadow, "10.0.0.0/8", "dev b");
    assert_eq!(settle(&mut shadow), ["10.0.0.0/8 a>b"]);
    // What was said and not read may be that route.
    shadow.delete(key("10.0.0.0/8"));
    for _ in 0..HELD_MAX {
        assert!(shadow.take(9, true, none).is_empty());
    }
    assert_eq!(shadow.take(9, true, none).len(), 1);
}

#[test]
fn change_while_another_one_is_made_is_not_lost() {
    let mut shadow = shadow();
    set(&mut shadow, "10.0.0.0/8", "dev a");
    settle(&mut shadow);
    set(&mut shadow, "10.0.0.0/8", "dev b");
    let changes = shadow.take(9, false, none);
    set(&mut shadow, "10.0.0.0/8", "dev a");
    shadow.made(changes);
    assert_eq!(settle(&mut shadow), ["10.0.0.0/8 b>a"]);
    // What was not made is made later.
    set(&mut shadow, "10.0.0.0/8", "dev c");
    let changes = shadow.take(9, false, none);
    assert_eq!(shadow.backlog(), 0);
    shadow.not_made(&changes);
    assert_eq!(settle(&mut shadow), ["10.0.0.0/8 a>c"]);
}

#[test]
fn routes_that_are_not_said_again_are_swept() {
    let mut shadow = shadow();
    set(&mut shadow, "10.0.0.0/8", "dev a");
    set(&mut shadow, "11.0.0.0/8", "dev a");
    settle(&mut shadow);
    shadow.begin_epoch(none);
    set(&mut shadow, "11.0.0.0/8", "dev a");
    assert!(settle(&mut shadow).is_empty());
    assert_eq!(shadow.sweep(), 1);
    assert_eq!(settle(&mut shadow), ["10.0.0.0/8 a>-"]);
    assert_eq!(shadow.routes(), 1);
}

#[test]
fn board_is_compared_and_its_own_routes_go_with_the_sweep() {
    let mut shadow = Shadow::default();
    set(&mut shadow, "10.0.0.0/8", "dev a");
    set(&mut shadow, "11.0.0.0/8", "dev a");
    assert!(
        shadow.take(9, false, none).is_empty(),
        "the board is not known"
    );
    shadow.board_has(key("10.0.0.0/8"), paths("dev a"));
    shadow.board_has(key("12.0.0.0/8"), paths("dev c"));
    shadow.board_is_known();
    assert_eq!(settle(&mut shadow), ["11.0.0.0/8 ->a"]);
    assert_eq!((shadow.len(), shadow.routes()), (3, 2));
    assert_eq!(shadow.sweep(), 1);
    assert_eq!(settle(&mut shadow), ["12.0.0.0/8 c>-"]);
    // Another table, when all of the source is known.
    shadow.forget_board();
    shadow.board_has(key("11.0.0.0/8"), paths("dev c"));
    shadow.board_has(key("13.0.0.0/8"), paths("dev c"));
    shadow.board_is_known();
    assert_eq!(
        settle(&mut shadow),
        ["10.0.0.0/8 ->a", "11.0.0.0/8 c>a", "13.0.0.0/8 c>-"]
    );
}

#[test]
fn object_is_asked_for_when_its_route_is_sent() {
    let mut shadow = shadow();
    shadow.set(key("10.0.0.0/8"), Wanted::Object(7, BGP), 100);
    assert!(shadow.take(9, false, none).is_empty());
    assert_eq!(shadow.backlog(), 0, "it waits for the object");
    let named =
        |name: &'static str| move |_: Key, _: u32, _: Protocol| Resolved::Paths(paths(name));
    let changed = |id| Changed {
        all: HashSet::from([id]),
        ..Changed::default()
    };
    shadow.objects_changed(&changed(7));
    let changes = shadow.take(9, false, named("dev a"));
    assert_eq!(changes[0].after, Some(paths("dev a")));
    shadow.made(changes);
    shadow.objects_changed(&changed(8));
    assert_eq!(shadow.backlog(), 0);
    // Another source may give its objects the same numbers.
    shadow.begin_epoch(named("dev a"));
    shadow.objects_changed(&changed(7));
    assert_eq!(shadow.backlog(), 0);
    shadow.set(key("10.0.0.0/8"), Wanted::Object(7, BGP), 100);
    assert!(shadow.take(9, false, named("dev a")).is_empty());
    shadow.objects_changed(&Changed {
        gone: HashSet::from([7]),
        ..changed(7)
    });
    assert_eq!(settle(&mut shadow), ["10.0.0.0/8 a>-"]);
}

#[test]
fn routes_beyond_the_limit_are_refused() {
    let mut shadow = shadow();
    let wanted = || Wanted::Paths(paths("dev a"));
    assert!(shadow.set(key("10.0.0.0/8"), wanted(), 1));
    assert!(!shadow.set(key("11.0.0.0/8"), wanted(), 1));
    assert!(shadow.set(key("10.0.0.0/8"), wanted(), 1));
    assert_eq!(shadow.len(), 1);
}

#[test]
fn limit_counts_the_routes_of_the_source_alone() {
    let mut shadow = Shadow::default();
    let wanted = || Wanted::Paths(paths("dev a"));
    for prefix in ["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"] {
        shadow.board_has(key(prefix), paths("dev b"));
    }
    shadow.board_is_known();
    assert!(shadow.set(key("13.0.0.0/8"), wanted(), 2), "an old table");
    assert!(shadow.set(key("11.0.0.0/8"), wanted(), 2));
    assert!(!shadow.set(key("12.0.0.0/8"), wanted(), 2));
    assert_eq!(shadow.routes(), 2);
    shadow.sweep();
    settle(&mut shadow);
    assert_eq!(shadow.len(), 2);
}

#[test]
fn routes_that_come_and_go_without_a_board_leave_nothing() {
    let mut shadow = shadow();
    shadow.forget_board();
    for number in 0..100 {
        let prefix = format!("{number}.0.0.0/8");
        set(&mut shadow, &prefix, "dev a");
        shadow.delete(key(&prefix));
    }
    assert!(shadow.is_empty());
    assert_eq!(shadow.backlog(), 0);
}

#[test]
fn no_part_of_the_table_waits_for_another_one() {
    let mut shadow = shadow();
    let mut sent = Vec::new();
    for prefix in ["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"] {
        set(&mut shadow, prefix, "dev a");
    }
    for path in ["dev b", "dev c"] {
        let changes = shadow.take(1, false, none);
        sent.push(changes[0].key.0.to_string());
        shadow.made(changes);
        set(&mut shadow, "10.0.0.0/8", path);
    }
    assert_eq!(sent, ["10.0.0.0/8", "11.0.0.0/8"]);
    assert_eq!(settle(&mut shadow).len(), 2);
}
