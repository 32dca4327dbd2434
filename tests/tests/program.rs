// SPDX-License-Identifier: MIT OR Apache-2.0
//! `nl31ctl` against the agent and the running kernel, over the agent's local socket.

use std::fs;

use nl31_lab::exec::Output;
use nl31_lab::{Arch, Guest, Image, Setup, cross, prefixes};

nl31_lab::on_each_architecture! {
    a_table_is_loaded_saved_and_applied
    a_load_with_a_route_that_is_there_changes_nothing
}

/// Routes in the table that is loaded.
const ROUTES: usize = 3000;

struct Board {
    guest: Guest,
    _share: tempfile::TempDir,
}

impl Board {
    /// A guest with `nl31ctl` and files of these names at /mnt/share.
    fn start(arch: Arch, files: &[(&str, &str)]) -> Self {
        let share = tempfile::tempdir().expect("a folder");
        let binary = cross::static_binary(arch, "nl31-ctl").expect("nl31ctl");
        fs::copy(binary, share.path().join("nl31ctl")).expect("to share nl31ctl");
        for (name, content) in files {
            fs::write(share.path().join(name), content).expect("to share a file");
        }
        let setup = Setup {
            share: Some(share.path().to_owned()),
            ..Setup::default()
        };
        let guest = Guest::start(Image::shared_for(arch), &setup).expect("a guest");
        Self {
            guest,
            _share: share,
        }
    }

    fn ctl(&mut self, arguments: &str) -> Output {
        let command = format!("cd /mnt/share && ./nl31ctl --quiet {arguments}");
        self.guest.exec(&command).expect("to run nl31ctl")
    }

    fn succeeds(&mut self, arguments: &str) -> String {
        let output = self.ctl(arguments);
        assert_eq!(
            output.status,
            0,
            "{arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

fn a_table_is_loaded_saved_and_applied(arch: Arch) {
    let routes = prefixes::routes(&prefixes::made(ROUTES));
    let mut lines: Vec<String> = routes.iter().map(ToString::to_string).collect();
    let table = lines.join("\n") + "\n";
    lines.sort_unstable();
    let less = lines[1..].join("\n") + "\n";
    let mut board = Board::start(arch, &[("table", &table), ("less", &less)]);

    assert!(board.succeeds("greet hello").contains("hello"));
    board.succeeds("load table");
    board.succeeds("save /tmp/saved");
    let saved = board.guest.exec("cat /tmp/saved").expect("to read it");
    let saved = String::from_utf8(saved.stdout).expect("UTF-8");
    let mut listed: Vec<&str> = saved.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, lines);

    // its reader takes the first line alone, which is no error
    let first = board.succeeds("route show | head -n 1");
    assert_eq!(first.lines().count(), 1);
    assert_eq!(board.succeeds("save -"), saved);

    // a file that says the same needs no change; one with a line less needs one
    board.succeeds("apply less");
    assert_eq!(board.succeeds("route show").lines().count(), ROUTES - 1);
    assert!(
        board
            .guest
            .command("ping")
            .expect("the console")
            .succeeded()
    );
}

#[test]
fn a_program_that_monitors_is_told_of_a_commit_that_is_taken_back() {
    let mut board = Board::start(Arch::X86_64, &[]);
    // What is the same as before is no event: only a deletion and an addition are.
    let monitor = "cd /mnt/share && (./nl31ctl --json monitor >/tmp/events 2>&1 &) && \
                   until [ -s /tmp/events ]; do ./nl31ctl -q route del 10.0.0.0/8 2>/dev/null; \
                   ./nl31ctl -q route add 10.0.0.0/8 dev lo; usleep 100000; done";
    board.guest.exec(monitor).expect("to run nl31ctl");
    let lines = ["begin", "route del 10.0.0.0/8", "commit confirmed 1"];
    for line in lines {
        let reply = board.guest.command(line).expect("a reply");
        assert!(reply.succeeded(), "{reply}");
    }
    let told = "until grep rolled-back /tmp/events; do usleep 100000; done";
    let told = board.guest.exec(told).expect("to wait");
    let event: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!((&event["prefixes"], &event["lost"]), (&1.into(), &0.into()));
    assert_eq!(board.succeeds("route show"), "10.0.0.0/8 dev lo\n");
}

fn a_load_with_a_route_that_is_there_changes_nothing(arch: Arch) {
    let table = "10.0.0.0/8 via 198.51.100.1\n192.0.2.0/24 via 198.51.100.1\n\
        11.0.0.0/8 via 198.51.100.1\n";
    let mut board = Board::start(arch, &[("table", table)]);
    board.succeeds("route add 192.0.2.0/24 via 198.51.100.1");
    let output = board.ctl("load table");
    assert_ne!(output.status, 0);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("table:2: "), "{said}");
    assert_eq!(
        board.succeeds("route show"),
        "192.0.2.0/24 via 198.51.100.1\n"
    );
}

#[test]
fn what_a_program_applies_is_kept_only_if_it_is_confirmed() {
    let files = [
        ("old", "10.0.0.0/8 dev lo\n"),
        ("new", "11.0.0.0/8 dev lo\n"),
    ];
    let mut board = Board::start(Arch::X86_64, &files);
    let json = |text: &str| -> serde_json::Value { serde_json::from_str(text).expect("JSON") };
    board.succeeds("load --replace old");
    board.succeeds("save");
    board.succeeds("apply --confirm 600 new");
    assert_eq!(board.succeeds("route show"), files[1].1);
    // Neither a new table nor a flush gets the routes of a roll-back.
    for refused in [
        "load --replace old",
        "route flush all",
        "save",
        "apply --confirm 9 old",
    ] {
        let output = board.ctl(refused);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status == 1 && said.contains("E423 "),
            "{refused}: {said}"
        );
    }
    let diff = board.succeeds("--json diff");
    assert_eq!(
        diff.lines()
            .map(|line| json(line)["change"].clone())
            .collect::<Vec<_>>(),
        ["-", "+"]
    );
    assert_eq!(json(&board.succeeds("--json rollback"))["code"], 200);
    assert_eq!(board.succeeds("route show"), files[0].1);
    // By itself, in time.
    board.succeeds("apply --confirm 1 new");
    let restored = "until ./nl31ctl route show | grep -q ^10; do usleep 100000; done";
    let output = board.guest.exec(&format!("cd /mnt/share && {restored}"));
    assert_eq!(output.expect("to wait").status, 0);
    board.succeeds("apply --confirm 600 new");
    board.succeeds("confirm");
    assert_eq!(board.succeeds("diff"), "");
    let version = json(&board.succeeds("--json version"));
    assert!(
        version["image"].is_string() && version["module"].is_string(),
        "{version}"
    );
    assert!(
        board
            .succeeds("--json log")
            .lines()
            .all(|line| json(line)["text"].is_string())
    );
}
