// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whatever happens to the agent, it is back and the table is right.

use nl31_lab::{Guest, Image, Setup};

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

/// Waits for the prompt of an agent that was started anew.
fn await_agent(guest: &mut Guest, before: &str) -> String {
    let other = format!(
        "while now=$(pidof nl31-agent); [ -z \"$now\" -o \"$now\" = {before} ]; do sleep 0.1; \
         done; echo $now"
    );
    let pid = shell(guest, &other).trim().to_owned();
    let pinged = guest.command("ping").expect("a reply");
    assert!(pinged.succeeded(), "{pinged}");
    pid
}

#[test]
fn the_agent_keeps_one_capability_and_a_filter() {
    let mut guest = guest();
    let status = shell(&mut guest, "cat /proc/$(pidof nl31-agent)/status");
    for line in [
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
fn a_killed_agent_is_back_and_its_log_says_so() {
    let mut guest = guest();
    let added = guest
        .command("route add 10.0.0.0/8 dev lo")
        .expect("a reply");
    assert!(added.succeeded(), "{added}");
    let before = shell(&mut guest, "pidof nl31-agent").trim().to_owned();
    shell(&mut guest, &format!("kill -9 {before}"));
    await_agent(&mut guest, &before);
    let shown = guest.command("route show").expect("a reply");
    assert_eq!(shown.data().collect::<Vec<_>>(), ["10.0.0.0/8 dev lo"]);
    let log = guest.command("log").expect("a reply").to_string();
    assert!(
        log.contains("the agent before this one has ended: it was killed"),
        "{log}"
    );
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
    for signal in ["0", "KILL", "TERM"] {
        let before = shell(&mut guest, "pidof nl31-agent").trim().to_owned();
        shell(&mut guest, &format!("kill -{signal} {before}; sleep 5"));
        if signal != "0" {
            await_agent(&mut guest, &before);
        }
        assert!(!guest.starved().expect("QEMU"), "signal {signal}");
    }
    shell(&mut guest, "kill -STOP $(pidof nl31-agent)");
    let fired = guest.wait("the watchdog", 1, |guest| {
        Ok(guest.starved()?.then_some(()))
    });
    fired.expect("a reset");
}
