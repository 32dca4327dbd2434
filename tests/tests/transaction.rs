// SPDX-License-Identifier: MIT OR Apache-2.0
//! Edits are made at once or not at all, a commit without its confirmation is taken back,
//! and the config is saved and loaded whole, over the real kernel.

use std::time::Instant;

use nl31_lab::console::is_prompt;
use nl31_lab::qemu::Drive;
use nl31_lab::{Disk, DiskImage, Guest, Image, Reply, Setup};

const CONFIG: &str = "/data/nl31/routes.conf";

fn guest() -> Guest {
    Guest::start(Image::shared(), &Setup::default()).expect("a guest")
}

#[track_caller]
fn succeeds(guest: &mut Guest, line: &str) -> Reply {
    let reply = guest.command(line).expect("a reply");
    assert!(reply.succeeded(), "{line}: {reply}");
    reply
}

#[track_caller]
fn all_succeed(guest: &mut Guest, lines: &[&str]) {
    for line in lines {
        succeeds(guest, line);
    }
}

#[track_caller]
fn data(guest: &mut Guest, line: &str) -> Vec<String> {
    succeeds(guest, line).data().map(str::to_owned).collect()
}

/// What a shell command in the guest prints; it must succeed.
#[track_caller]
fn shell(guest: &mut Guest, command: &str) -> String {
    let output = guest.exec(command).expect("to run a command");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status, 0, "{command}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Kilobytes that the agent has taken at most.
fn peak(guest: &mut Guest) -> u32 {
    let peak = "sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$(pidof nl31-agent)/status";
    shell(guest, peak).trim().parse().expect("a number")
}

/// Adds a table, saves it, and commits changes that are to be confirmed within `seconds`;
/// gives the table before.
fn commits(guest: &mut Guest, seconds: u32) -> Vec<String> {
    all_succeed(
        guest,
        &[
            "route add 10.0.0.0/8 dev eth0 metric 5",
            "route append 10.0.0.0/8 via 192.0.2.1 metric 5",
            "route add 11.0.0.0/8 dev eth0",
            "save",
        ],
    );
    let before = data(guest, "route show");
    all_succeed(
        guest,
        &[
            "begin",
            "route flush 10.0.0.0/8",
            "route replace 11.0.0.0/8 via 192.0.2.1",
            "route add 2001:db8::/32 dev eth0",
        ],
    );
    assert_eq!(
        data(guest, "diff"),
        [
            "- 10.0.0.0/8 dev eth0 metric 5",
            "- 10.0.0.0/8 via 192.0.2.1 metric 5",
            "- 11.0.0.0/8 dev eth0",
            "+ 11.0.0.0/8 via 192.0.2.1",
            "+ 2001:db8::/32 dev eth0",
        ]
    );
    assert_eq!(data(guest, "route show"), before);
    all_succeed(guest, &["check", &format!("commit confirmed {seconds}")]);
    before
}

fn is_taken_back(guest: &mut Guest, before: &[String]) {
    guest
        .expect("that the commit is taken back", |screen| {
            let told = "* not confirmed in time; rolled back: restored the paths of 3 prefixes";
            let told = screen.iter().any(|line| line.starts_with(told));
            // Whole, with the prompt behind it.
            (told && is_prompt(screen.last()?)).then_some(())
        })
        .expect("a notice");
    assert_eq!(data(guest, "route show"), before);
}

#[test]
fn a_commit_that_is_not_confirmed_is_taken_back() {
    let mut guest = guest();
    let before = commits(&mut guest, 2);
    is_taken_back(&mut guest, &before);
    // Nothing of it was ever in the config.
    let saved = shell(&mut guest, &format!("grep -v '^#' {CONFIG}"));
    assert_eq!(saved.lines().collect::<Vec<_>>(), before);
    let late = guest.command("confirm").expect("a reply");
    assert!(!late.succeeded(), "{late}");
}

#[test]
fn a_commit_is_taken_back_though_the_agent_was_killed_meanwhile() {
    let mut guest = guest();
    let before = commits(&mut guest, 6);
    shell(&mut guest, "kill -9 $(pidof nl31-agent)");
    is_taken_back(&mut guest, &before);
}

/// Whenever the agent is killed, a commit that is not confirmed is gone in the end: also
/// between the moment from which it is to be taken back and the one at which it is made.
#[test]
fn a_commit_is_taken_back_whenever_the_agent_was_killed() {
    const MOMENTS: u32 = 8;
    let mut guest = guest();
    let before = commits(&mut guest, 600);
    succeeds(&mut guest, "rollback");
    let edits = [
        "begin",
        "route flush 10.0.0.0/8",
        "route add 12.0.0.0/8 dev eth0",
    ];
    all_succeed(&mut guest, &edits);
    let started = Instant::now();
    succeeds(&mut guest, "commit confirmed 600");
    let whole = started.elapsed();
    succeeds(&mut guest, "rollback");
    assert_eq!(data(&mut guest, "route show"), before);
    for moment in 0..=MOMENTS {
        all_succeed(&mut guest, &edits);
        let agent = shell(&mut guest, "pidof nl31-agent").trim().to_owned();
        guest.console.type_bytes(b"commit confirmed 1\r");
        let pause = (whole * moment / MOMENTS).as_micros();
        let other = format!(
            "usleep {pause}; kill -9 {agent}; while now=$(pidof nl31-agent); \
             [ -z \"$now\" -o \"$now\" = {agent} ]; do usleep 100000; done"
        );
        shell(&mut guest, &other);
        // What of the line it has not read the next one has.
        succeeds(&mut guest, "ping");
        shell(
            &mut guest,
            "while [ -e /run/nl31/undo ]; do usleep 100000; done",
        );
        // Edits that were not committed are there again.
        guest.command("rollback").expect("a reply");
        let after = data(&mut guest, "route show");
        assert_eq!(after, before, "killed after {pause} us");
    }
}

/// Nothing of it is on the disk before `confirm`, so the power that fails is a rollback.
#[test]
fn a_commit_that_is_not_confirmed_is_gone_after_a_power_cut() {
    let disk = Disk::flashed(&DiskImage::shared().lab_file()).expect("a disk");
    let boot = || {
        let drive = Drive::new(disk.path());
        Guest::boot_disk(DiskImage::shared(), drive, "").expect("a prompt")
    };
    let mut guest = boot();
    let before = commits(&mut guest, 600);
    assert_ne!(data(&mut guest, "route show"), before);
    drop(guest);
    let mut guest = boot();
    assert_eq!(data(&mut guest, "route show"), before);
    let nothing = guest.command("confirm").expect("a reply");
    assert!(!nothing.succeeded(), "{nothing}");
    let lines = [
        "begin",
        "route flush 10.0.0.0/8",
        "commit confirmed 600",
        "confirm",
    ];
    all_succeed(&mut guest, &lines);
    let after = data(&mut guest, "route show");
    assert_ne!(after, before);
    drop(guest);
    assert_eq!(data(&mut boot(), "route show"), after);
}

#[test]
fn a_commit_that_is_confirmed_stays_and_is_the_config() {
    let mut guest = guest();
    let before = commits(&mut guest, 600);
    let after = data(&mut guest, "route show");
    assert_ne!(after, before);
    succeeds(&mut guest, "confirm");
    let saved = shell(&mut guest, &format!("grep -v '^#' {CONFIG}"));
    assert_eq!(saved.lines().collect::<Vec<_>>(), after);
    assert_eq!(data(&mut guest, "diff"), [""; 0]);
}

#[test]
fn edits_outlive_an_agent_that_is_killed() {
    let mut guest = guest();
    all_succeed(&mut guest, &["begin", "route add 10.0.0.0/8 dev eth0"]);
    shell(&mut guest, "kill -9 $(pidof nl31-agent)");
    guest
        .expect("the next agent", |screen| {
            let told = "* open edits: 1, see `diff`; `commit` or `rollback` ends them";
            screen.iter().any(|line| line == told).then_some(())
        })
        .expect("a notice");
    succeeds(&mut guest, "commit");
    assert_eq!(data(&mut guest, "route show"), ["10.0.0.0/8 dev eth0"]);
}

#[test]
fn an_edit_that_the_kernel_refuses_is_named_and_nothing_is_changed() {
    let mut guest = guest();
    all_succeed(
        &mut guest,
        &[
            "begin",
            "route add 10.0.0.0/8 dev eth0",
            "route del 11.0.0.0/8",
        ],
    );
    for command in ["check", "commit"] {
        let refused = guest.command(command).expect("a reply");
        let status = refused.lines.last().expect("a status");
        assert!(status.starts_with("E404 edit 2: "), "{refused}");
    }
    assert_eq!(data(&mut guest, "route show"), [""; 0]);
    succeeds(&mut guest, "rollback");
    // The kernel's transaction is closed too.
    succeeds(&mut guest, "route add 12.0.0.0/8 dev eth0");
}

#[test]
fn a_large_config_is_loaded_and_saved_and_compared_in_the_same_memory() {
    let mut guest = guest();
    let make = |routes: u32| {
        format!(
            "awk 'BEGIN {{ for (i = 0; i < {routes}; i++) printf \"%d.%d.%d.0/24 via 192.0.2.%d\\n\", \
             1 + i / 65536, i / 256 % 256, i % 256, 1 + i % 50 }}' >/tmp/routes.conf"
        )
    };
    let all = ["load /tmp/routes.conf", "save", "diff", "load"];
    shell(&mut guest, &make(1000));
    all_succeed(&mut guest, &all);
    let before = peak(&mut guest);
    shell(&mut guest, &make(100_000));
    all_succeed(&mut guest, &all);
    let after = peak(&mut guest);
    assert!(after <= before + 64, "{before} kB, then {after} kB");
    let same = format!("grep -v '^#' {CONFIG} | cmp - /tmp/routes.conf");
    shell(&mut guest, &same);
}

#[test]
fn a_reboot_begins_with_what_was_saved_by_asking_init() {
    let mut guest = guest();
    // Init's first words go over the prompt that ends the reply.
    let reply = guest.command("reboot").map(|reply| reply.to_string());
    let reply = reply.unwrap_or_else(|error| error.to_string());
    assert!(reply.contains("I200 restarting"), "{reply}");
    // Init's shutdown ends the agent, and then QEMU, which is told not to restart.
    let end = guest.expect("what never comes", |_| None::<()>);
    let error = end.expect_err("an end").to_string();
    assert!(error.contains("the guest ended"), "{error}");
}
