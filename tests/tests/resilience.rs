// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whatever happens to the agent, it is back and the table is right.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use nl31_lab::cable::Quality;
use nl31_lab::{Guest, Image, Setup, cross, prefixes};

fn guest() -> Guest {
    Guest::start(Image::shared(), &Setup::default()).expect("a guest")
}

/// What a shell command in the guest prints; it must succeed.
#[track_caller]
fn shell(guest: &mut Guest, command: &str) -> String {
    let output = guest.exec(command).expect("to run a command");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status, 0, "{command}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Ends the agent by a signal, and waits for the next one.
fn replace_agent(guest: &mut Guest, signal: &str) {
    let end = format!("kill -{signal} $(pidof nl31-agent)");
    guest.replace_agent(&end).expect("the next agent");
}

#[test]
fn agent_has_a_user_of_its_own_one_capability_and_a_filter() {
    let mut guest = guest();
    let status = shell(&mut guest, "cat /proc/$(pidof nl31-agent)/status");
    for line in [
        "Uid:\t31\t31\t31\t31",
        "Gid:\t31\t31\t31\t31",
        "CapInh:\t0000000000000000",
        "CapPrm:\t0000000000001000",
        "CapEff:\t0000000000001000",
        "CapBnd:\t0000000000000000",
        "CapAmb:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(
            status.lines().any(|is| is == line),
            "no {line} in\n{status}"
        );
    }
}

#[test]
fn sandbox_denies_the_image_the_disk_and_memory() {
    let share = tempfile::tempdir().expect("a folder");
    let tests = cross::static_test(Image::shared().arch(), "nl31-agent", "sandbox");
    fs::copy(tests.expect("the tests"), share.path().join("tests")).expect("to share them");
    let setup = Setup {
        share: Some(share.path().to_owned()),
        ..Setup::default()
    };
    let mut guest = Guest::start(Image::shared(), &setup).expect("a guest");
    let run = "/mnt/share/tests --include-ignored --test-threads 1 >/tmp/said 2>&1; \
               echo $?; cat /tmp/said";
    let said = shell(&mut guest, run);
    assert!(
        said.starts_with("0\n") && said.contains("0 ignored"),
        "{said}"
    );
    // The agent of the image is in the same one, with what root had opened for it.
    let log = guest.command("log").expect("a reply").to_string();
    assert!(!log.contains("cannot give up"), "{log}");
    assert!(!log.to_lowercase().contains("landlock"), "{log}");
}

#[test]
fn second_resident_agent_is_refused_in_the_image() {
    let mut guest = guest();
    let second = "nl31-agent --serial /dev/ttyS0 2>&1; echo $?";
    let said = shell(&mut guest, second);
    assert!(said.contains("another agent (process "), "{said}");
    assert!(said.ends_with("\n2\n"), "{said}");
    assert!(guest.command("ping").expect("a reply").succeeded());
}

#[test]
fn a_killed_agent_is_back_and_its_log_says_so() {
    let mut guest = guest();
    let added = guest
        .command("route add 10.0.0.0/8 dev lo")
        .expect("a reply");
    assert!(added.succeeded(), "{added}");
    replace_agent(&mut guest, "KILL");
    let shown = guest.command("route show").expect("a reply");
    assert_eq!(shown.data().collect::<Vec<_>>(), ["10.0.0.0/8 dev lo"]);
    let log = guest.command("log").expect("a reply").to_string();
    assert!(
        log.contains("the previous agent has ended: it was killed"),
        "{log}"
    );
}

#[test]
fn an_agent_on_a_pipe_leaves_the_boot_to_the_resident_one() {
    let mut guest = guest();
    // As it is while the resident one has not come to its config yet.
    let config = "mkdir -p /data/nl31; echo '10.0.0.0/8 dev lo' >/data/nl31/routes.conf; \
                  rm /run/nl31/loaded; echo 'route show' | nl31-agent --serial -";
    assert_eq!(shell(&mut guest, config), "I200 0 routes\n");
    shell(&mut guest, "[ ! -e /run/nl31/loaded ]");
    // It has the same saved config all the same.
    let load = "echo load | nl31-agent --serial -";
    let loaded = "I200 loaded 1 route from /data/nl31/routes.conf\n";
    assert_eq!(shell(&mut guest, load), loaded);
}

#[test]
fn the_watchdog_is_fed_by_an_agent_that_lives() {
    let setup = Setup {
        watchdog: true,
        ..Setup::default()
    };
    let mut guest = Guest::boot(Image::shared(), &setup).expect("a guest");
    let log = guest.command("log").expect("a reply").to_string();
    assert!(log.contains("resets the board after 4 s"), "{log}");
    // Three times its limit, by its own clock; a crash and an end in order on the way.
    for signal in [None, Some("KILL"), Some("TERM")] {
        if let Some(signal) = signal {
            replace_agent(&mut guest, signal);
        }
        shell(&mut guest, "sleep 5");
        assert!(!guest.starved().expect("QEMU"), "signal {signal:?}");
    }
    shell(&mut guest, "kill -STOP $(pidof nl31-agent)");
    await_watchdog(&mut guest);
}

fn await_watchdog(guest: &mut Guest) {
    // A shutdown has 60 seconds, which are more than a fast guest may be silent for.
    let fired = guest.wait("the watchdog", 4, |guest| {
        Ok(guest.starved()?.then_some(()))
    });
    fired.expect("a reset");
}

#[test]
fn a_shutdown_that_hangs_ends_in_a_reset() {
    let setup = Setup {
        watchdog: true,
        ..Setup::default()
    };
    let mut guest = Guest::boot(Image::shared(), &setup).expect("a guest");
    shell(
        &mut guest,
        "printf '#!/bin/sh\\n[ \"$1\" = start ] || sleep 100000\\n' >/etc/init.d/S99hang && \
         chmod +x /etc/init.d/S99hang",
    );
    // Init's first words may go over the prompt that ends the reply.
    let _ = guest.command("reboot");
    await_watchdog(&mut guest);
}

/// Moments at which an agent is killed, over the time that its work takes.
const MOMENTS: u32 = 6;

/// A guest with `nl31ctl` and made tables of these sizes at /mnt/share.
fn guest_with_tables(sizes: &[usize]) -> (Guest, tempfile::TempDir) {
    let share = tempfile::tempdir().expect("a folder");
    let nl31ctl = cross::static_binary(Image::shared().arch(), "nl31-ctl").expect("nl31ctl");
    fs::copy(nl31ctl, share.path().join("nl31ctl")).expect("to share nl31ctl");
    for size in sizes {
        let routes = prefixes::routes(&prefixes::made(*size));
        let lines: String = routes.iter().map(|route| format!("{route}\n")).collect();
        fs::write(share.path().join(size.to_string()), lines).expect("to share a table");
    }
    let setup = Setup {
        share: Some(share.path().to_owned()),
        ..Setup::default()
    };
    let mut guest = Guest::start(Image::shared(), &setup).expect("a guest");
    // No program runs in /tmp; the root is memory, and takes one.
    shell(&mut guest, "cp /mnt/share/* /tmp && mv /tmp/nl31ctl /");
    (guest, share)
}

/// An agent that executes lines beside the resident one.
const ASIDE: &str = "nl31-agent --serial -";

/// Paths in the table at one moment.
fn paths(guest: &mut Guest) -> usize {
    let stats = shell(guest, &format!("echo stats | {ASIDE}"));
    let counters = stats.lines().filter(|line| line.starts_with("paths-ipv"));
    let numbers = counters.filter_map(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
    numbers.sum()
}

#[test]
fn an_agent_killed_while_it_loads_its_config_leaves_all_or_nothing_and_starts_over() {
    const ROUTES: usize = 10_000;
    let (mut guest, _share) = guest_with_tables(&[ROUTES]);
    // From a table that is empty and an agent that has not loaded anything.
    let afresh = format!(
        "mkdir -p /data/nl31; mv -f /tmp/{ROUTES} /data/nl31/routes.conf 2>/dev/null; \
         echo 'route flush all' | {ASIDE} >/dev/null; rm -f /run/nl31/loaded; \
         kill -9 $(pidof nl31-agent)"
    );
    let loaded = "until [ -e /run/nl31/loaded ]; do usleep 20000; done";
    let started = Instant::now();
    shell(&mut guest, &format!("{afresh}; {loaded}"));
    let whole = started.elapsed();
    assert_eq!(paths(&mut guest), ROUTES);
    for moment in 0..MOMENTS {
        let pause = (whole * moment / MOMENTS).as_micros();
        let again = "kill -9 $(pidof nl31-agent); rm -f /run/nl31/loaded";
        shell(&mut guest, &format!("{afresh}; usleep {pause}; {again}"));
        let left = paths(&mut guest);
        assert!(
            left == 0 || left == ROUTES,
            "{left} routes after {pause} us"
        );
        shell(&mut guest, loaded);
        assert_eq!(paths(&mut guest), ROUTES, "killed after {pause} us");
    }
}

#[test]
fn an_agent_killed_while_a_program_replaces_the_table_leaves_the_old_or_the_new_one() {
    const OLD: usize = 3000;
    const NEW: usize = 10_000;
    let (mut guest, _share) = guest_with_tables(&[OLD, NEW]);
    let load = |size: usize| format!("/nl31ctl -q load --replace /tmp/{size}");
    shell(&mut guest, &load(OLD));
    let started = Instant::now();
    shell(&mut guest, &load(NEW));
    let whole = started.elapsed();
    let (mut old, mut new) = (0, 0);
    for moment in 0..=MOMENTS {
        let before = shell(&mut guest, &format!("{}; pidof nl31-agent", load(OLD)));
        let pause = whole * moment / MOMENTS + Duration::from_millis(1);
        guest.console.forget();
        let status = shell(
            &mut guest,
            &format!(
                "{} 2>/dev/null & ctl=$!; usleep {}; kill -9 {}; wait $ctl; echo $?",
                load(NEW),
                pause.as_micros(),
                before.trim()
            ),
        );
        guest.await_agent().expect("the next agent");
        match (paths(&mut guest), status.trim()) {
            // Refused, no answer, or not known.
            (OLD, "1" | "5" | "7") => old += 1,
            (NEW, "0" | "5" | "7") => new += 1,
            (left, status) => panic!("{left} routes and status {status} after {pause:?}"),
        }
    }
    assert!(old > 0, "never killed before its end: {old} old, {new} new");
}

/// Has a program write the events to /tmp/events.
fn begin_to_monitor(guest: &mut Guest) {
    shell(
        guest,
        "(/nl31ctl --json monitor >/tmp/events 2>&1 &) && until [ -s /tmp/events ]; do \
         printf 'route del 10.0.0.0/8\\nroute add 10.0.0.0/8 dev lo\\n' | \
         nl31-agent --serial - >/dev/null; usleep 100000; done",
    );
}

#[test]
fn a_console_that_takes_nothing_keeps_no_events_from_programs() {
    const ROUTES: usize = 20_000;
    let (mut guest, _share) = guest_with_tables(&[ROUTES]);
    begin_to_monitor(&mut guest);
    let monitored = guest.command("monitor").expect("a reply");
    assert!(monitored.succeeded(), "{monitored}");
    // At its other end is a terminal without a reader.
    let cable = guest.plug(Quality::default()).expect("a cable");
    let terminal = File::open(cable.path()).expect("the terminal");
    let changes = format!(
        "echo 'load /tmp/{ROUTES}' | {ASIDE} && \
         until grep -q '\"metric\": *7' /tmp/events; do \
         printf 'route del 10.0.0.0/8\\nroute add 10.0.0.0/8 dev lo metric 7\\n' | {ASIDE}; \
         usleep 100000; done"
    );
    shell(&mut guest, &changes);
    guest.unplug(cable);
    drop(terminal);
    // A terminal that reads again hears that it missed some: more than the agent had room
    // for, or all that the agent dropped after it had waited long enough for the line.
    guest
        .expect("what was lost", |screen| {
            let lost = |line: &String| {
                line.contains("changes arrived too fast to be shown")
                    || line.contains("the terminal took no output for")
            };
            screen.iter().any(lost).then_some(())
        })
        .expect("a notice");
}

#[test]
fn what_the_agent_did_not_hear_of_is_told_and_counted() {
    const ROUTES: usize = 10_000;
    let (mut guest, _share) = guest_with_tables(&[ROUTES]);
    let monitored = guest.command("monitor").expect("a reply");
    assert!(monitored.succeeded(), "{monitored}");
    begin_to_monitor(&mut guest);
    // More than its socket holds, while it does not read.
    let flood = format!(
        "kill -STOP $(pidof nl31-agent); echo 'load /tmp/{ROUTES}' | {ASIDE}; \
         kill -CONT $(pidof nl31-agent)"
    );
    let loaded = shell(&mut guest, &flood);
    assert!(
        loaded.contains(&format!("loaded {ROUTES} routes")),
        "{loaded}"
    );
    guest
        .expect("what was lost", |screen| {
            let lost = |line: &String| line.contains("changes arrived too fast to be shown");
            screen.iter().any(lost).then_some(())
        })
        .expect("a notice");
    shell(
        &mut guest,
        "until grep -q '\"lost\"' /tmp/events; do usleep 100000; done",
    );

    // Both go on from there, when what was on its way is out, and every change counts once.
    shell(
        &mut guest,
        &format!(
            "until tail -n 1 /tmp/events | grep -q '\"metric\": *7'; do \
             printf 'route del 10.0.0.0/8 metric 7\\nroute add 10.0.0.0/8 dev lo metric 7\\n' | \
             {ASIDE} >/dev/null; usleep 100000; done"
        ),
    );
    let stats = guest.command("stats").expect("a reply");
    let value = |name: &str| -> u64 {
        let mut words = stats.data().map(str::split_whitespace);
        let found = words.find_map(|mut words| (words.next()? == name).then(|| words.next()));
        found
            .flatten()
            .and_then(|value| value.parse().ok())
            .expect(name)
    };
    assert!(value("events-lost") > 0, "{stats}");
    assert_eq!(
        value("events-received") + value("events-lost"),
        value("generation"),
        "{stats}"
    );
    assert_eq!(paths(&mut guest), ROUTES + 1);
}
