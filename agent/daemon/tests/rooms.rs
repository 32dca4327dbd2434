// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rooms of the daemon use one another in one downward order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From the top down. A room uses those behind it, and none before it.
const ROOMS: [&str; 7] = [
    "event_loop",
    "frames",
    "console",
    "candidate",
    "config",
    "grammar",
    "platform",
];

/// Rooms whose files are one type each, its methods spread over the files by their subject:
/// so these name one another.
const ONE_TYPE: [&str; 3] = ["event_loop", "frames", "console"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file below a folder, by its module path.
fn modules(folder: &Path, path: &[String], all: &mut BTreeMap<Vec<String>, String>) {
    for entry in fs::read_dir(folder).expect("to read a folder of sources") {
        let file = entry.expect("an entry").path();
        let name = file.file_stem().expect("a name").to_string_lossy();
        let mut path = path.to_vec();
        if name != "mod" {
            path.push(name.into_owned());
        }
        if file.is_dir() {
            modules(&file, &path, all);
        } else {
            let text = fs::read_to_string(&file).expect("to read a source");
            all.insert(path, text);
        }
    }
}

fn daemon() -> BTreeMap<Vec<String>, String> {
    let mut all = BTreeMap::new();
    modules(&source(), &[], &mut all);
    all
}

/// The module paths that a text names behind `prefix`: `a::b` and `a::{b, c}` alike.
fn named(text: &str, prefix: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(prefix) {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &text[at + prefix.len()..];
        let head: String = rest
            .chars()
            .take_while(|&c| c.is_alphanumeric() || c == '_' || c == ':')
            .collect();
        let path: Vec<String> = head
            .split("::")
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        match rest[head.len()..].strip_prefix('{') {
            Some(list) => {
                let list = &list[..list.find('}').expect("the list's end")];
                for word in list
                    .split(',')
                    .map(str::trim)
                    .filter(|word| !word.is_empty())
                {
                    let word = word.split("::").next().expect("a first part");
                    let mut path = path.clone();
                    if word != "self" {
                        path.push(word.trim_matches('{').to_owned());
                    }
                    found.push(path);
                }
            }
            None => found.push(path),
        }
    }
    found
}

#[test]
fn each_room_is_in_the_order() {
    let rooms: BTreeSet<String> = fs::read_dir(source())
        .expect("to read the sources")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .map(|path| {
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(rooms, ROOMS.map(str::to_owned).into());
}

#[test]
fn no_room_uses_one_above_it() {
    let place = |room: &str| ROOMS.iter().position(|&other| other == room);
    let mut uses = 0;
    for (module, text) in daemon() {
        let Some(own) = module.first().and_then(|room| place(room)) else {
            continue;
        };
        for path in named(&text, "crate::") {
            let room = path.first().expect("a room");
            let Some(other) = place(room) else {
                panic!("{}: crate::{room} is no room", module.join("::"));
            };
            assert!(
                other >= own,
                "{} uses {}, which is above it",
                module.join("::"),
                path.join("::")
            );
            uses += usize::from(other > own);
        }
    }
    assert!(
        uses > 100,
        "{uses} uses found: does this test still read them?"
    );
}

/// A graph of what uses what in a room, or in a folder of it.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// The files and folders just inside of `folder`, and which of the others each uses.
fn uses_within(folder: &[&str]) -> Uses {
    let depth = folder.len();
    let inside = |module: &[String]| {
        module.len() > depth && module.iter().zip(folder).all(|(own, room)| own == room)
    };
    let daemon = daemon();
    let names: BTreeSet<&String> = daemon
        .keys()
        .filter(|module| inside(module))
        .map(|module| &module[depth])
        .collect();
    let full = format!("crate::{}::", folder.join("::"));
    let mut uses = Uses::new();
    for (module, text) in daemon.iter().filter(|(module, _)| inside(module)) {
        let own = &module[depth];
        let used = uses.entry(own.clone()).or_default();
        let mut paths = named(text, &full);
        if module.len() == depth + 1 {
            paths.extend(named(text, "super::"));
        }
        let others = paths.iter().filter_map(|path| path.first());
        used.extend(
            others
                .filter(|&name| names.contains(name) && name != own)
                .cloned(),
        );
    }
    uses
}

/// Takes away what uses nothing that is left, until nothing is left but circles.
fn circles(mut uses: Uses) -> Uses {
    while let Some(lowest) = uses
        .iter()
        .find(|(_, used)| used.is_empty())
        .map(|(name, _)| name.clone())
    {
        uses.remove(&lowest);
        for used in uses.values_mut() {
            used.remove(&lowest);
        }
    }
    uses
}

#[test]
fn no_files_of_a_room_use_one_another_in_a_circle() {
    let mut folders: Vec<Vec<&str>> = ROOMS
        .iter()
        .filter(|room| !ONE_TYPE.contains(room))
        .map(|&room| vec![room])
        .collect();
    folders.push(vec!["console", "editor"]);
    for folder in folders {
        let uses = uses_within(&folder);
        assert!(uses.len() > 3, "{folder:?}: {uses:?}");
        let circles = circles(uses);
        assert!(circles.is_empty(), "{folder:?}: {circles:?}");
    }
}

#[test]
fn the_editor_uses_nothing_of_the_console() {
    for (module, text) in daemon() {
        if !module.starts_with(&["console".into(), "editor".into()]) {
            continue;
        }
        for path in named(&text, "crate::console::") {
            assert_eq!(path[0], "editor", "{}", module.join("::"));
        }
        assert!(!text.contains("super::super::"), "{}", module.join("::"));
    }
}

#[test]
fn a_use_is_found_however_it_is_written() {
    let paths = |text| -> Vec<String> {
        let paths = named(text, "crate::");
        paths.iter().map(|path| path.join("::")).collect()
    };
    assert_eq!(paths("use crate::a::b;"), ["a::b"]);
    assert_eq!(paths("use crate::{a, b::c};"), ["a", "b"]);
    assert_eq!(paths("use crate::a::{self, b, C};"), ["a", "a::b", "a::C"]);
    assert_eq!(paths("let x = crate::a::f(); // nl31_crate::x"), ["a::f"]);
    let circle = Uses::from([
        ("a".into(), ["b".into()].into()),
        ("b".into(), ["a".into(), "c".into()].into()),
        ("c".into(), [].into()),
    ]);
    assert_eq!(circles(circle).len(), 2);
}
