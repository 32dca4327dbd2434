// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a person at the serial console can rely on.

use nl31_lab::{Arch, Guest, Image, Reply, Setup, Severity};

nl31_lab::on_each_architecture! {
    a_route_can_be_added_read_changed_and_deleted
    a_route_that_is_shown_can_be_typed_again
    a_wrong_line_is_pointed_at_and_changes_nothing
    what_the_kernel_refuses_is_told_and_changes_nothing
    a_line_of_any_length_and_any_bytes_gets_its_answer
    only_the_agent_writes_to_the_console
    from_power_on_only_the_agent_is_heard
}

fn guest(arch: Arch) -> Guest {
    Guest::start(Image::shared_for(arch), &Setup::default()).expect("a guest")
}

fn reply(guest: &mut Guest, line: &str) -> Reply {
    guest.command(line).expect("a reply")
}

fn succeeds(guest: &mut Guest, line: &str) -> Reply {
    let reply = reply(guest, line);
    assert!(reply.succeeded(), "{line}: {reply}");
    reply
}

/// The error that `line` gives, which must leave the table as it is.
fn refused(guest: &mut Guest, line: &str) -> Reply {
    let before = succeeds(guest, "route show");
    let answer = reply(guest, line);
    let severity = answer.status.as_ref().map(|status| status.severity);
    assert_eq!(severity, Some(Severity::Error), "{line}: {answer}");
    let after = succeeds(guest, "route show");
    assert_eq!(
        before.data().collect::<Vec<_>>(),
        after.data().collect::<Vec<_>>(),
        "{line}"
    );
    answer
}

fn shown(guest: &mut Guest) -> Vec<String> {
    succeeds(guest, "route show")
        .data()
        .map(str::to_owned)
        .collect()
}

fn a_route_can_be_added_read_changed_and_deleted(arch: Arch) {
    let mut guest = guest(arch);
    succeeds(
        &mut guest,
        "route add 10.0.0.0/8 via 192.0.2.1 dev eth0 metric 10",
    );
    succeeds(&mut guest, "route add 2001:db8::/32 via fe80::1 dev eth0");
    let routes = shown(&mut guest);
    assert_eq!(routes.len(), 2, "{routes:?}");
    assert!(
        routes[0].starts_with("10.0.0.0/8 via 192.0.2.1 dev eth0 metric 10"),
        "{routes:?}"
    );
    assert!(
        routes[1].starts_with("2001:db8::/32 via fe80::1 dev eth0"),
        "{routes:?}"
    );

    succeeds(
        &mut guest,
        "route change 10.0.0.0/8 via 192.0.2.2 dev eth0 metric 10",
    );
    let found = succeeds(&mut guest, "route get 10.1.2.3");
    assert!(
        found.data().any(|line| line.contains("via 192.0.2.2")),
        "{found}"
    );

    succeeds(&mut guest, "route del 10.0.0.0/8");
    succeeds(&mut guest, "route del 2001:db8::/32");
    assert_eq!(shown(&mut guest), [""; 0]);
}

fn a_route_that_is_shown_can_be_typed_again(arch: Arch) {
    let mut guest = guest(arch);
    for line in [
        "10.0.0.0/8 via 192.0.2.1 dev eth0 metric 10",
        "2001:db8::/32 via fe80::1 dev eth0",
    ] {
        succeeds(&mut guest, &format!("route add {line}"));
    }
    let before = shown(&mut guest);
    succeeds(&mut guest, "route flush all");
    assert_eq!(shown(&mut guest), [""; 0]);
    for line in &before {
        succeeds(&mut guest, &format!("route add {line}"));
    }
    assert_eq!(shown(&mut guest), before);
}

fn a_wrong_line_is_pointed_at_and_changes_nothing(arch: Arch) {
    let mut guest = guest(arch);
    succeeds(&mut guest, "route add 10.0.0.0/8 via 192.0.2.1 dev eth0");
    let wrong = [
        ("rout3 add 10.0.0.0/8", "rout3"),
        ("route add 10.0.0.0/33 via 192.0.2.1", "10.0.0.0/33"),
        (
            "route add 2001:db8::/129 via fe80::1 dev eth0",
            "2001:db8::/129",
        ),
        ("route add 10.0.0.1/8 via 192.0.2.1", "10.0.0.1/8"),
        ("route add 11.0.0.0/8 via fe80::1 dev eth0", "fe80::1"),
        ("route add 11.0.0.0/8 via 192.0.2.1 metric x", "x"),
        (
            "route add 11.0.0.0/8 via 192.0.2.1 metric 4294967296",
            "4294967296",
        ),
    ];
    for (line, word) in wrong {
        let reply = refused(&mut guest, line);
        // the caret stands below the word, as far right as prompt and line put it
        let caret = reply.data().find_map(|line| line.find('^'));
        // The route above is not saved.
        let column = "nl31*> ".len() + line.rfind(word).expect("the word is in the line");
        let place = column..column + word.len();
        assert!(
            caret.is_some_and(|caret| place.contains(&caret)),
            "{line}: {reply}"
        );
    }
}

fn what_the_kernel_refuses_is_told_and_changes_nothing(arch: Arch) {
    let mut guest = guest(arch);
    succeeds(&mut guest, "route add 10.0.0.0/8 via 192.0.2.1 dev eth0");
    refused(&mut guest, "route add 10.0.0.0/8 via 192.0.2.2 dev eth0");
    refused(&mut guest, "route change 11.0.0.0/8 via 192.0.2.2 dev eth0");
    refused(&mut guest, "route del 11.0.0.0/8");
    refused(&mut guest, "route get 11.0.0.1");
    refused(&mut guest, "route add 11.0.0.0/8 dev eth7");
}

fn a_line_of_any_length_and_any_bytes_gets_its_answer(arch: Arch) {
    let mut guest = guest(arch);
    refused(&mut guest, &"x".repeat(100_000));
    let reply = guest
        .command_bytes(b"route add \xff\xfe\x80")
        .expect("a reply");
    assert!(!reply.succeeded(), "{reply}");
    succeeds(&mut guest, "ping");
}

fn only_the_agent_writes_to_the_console(arch: Arch) {
    let mut guest = guest(arch);
    // the worst that is not a crash: an error of the kernel, and a program at /dev/console's level
    let said = guest
        .exec("echo '<3>nl31-lab: chatter' >/dev/kmsg")
        .expect("to run");
    assert_eq!(said.status, 0);
    let log = guest
        .exec("dmesg | grep -c 'nl31-lab: chatter'")
        .expect("to run");
    assert_eq!(log.stdout, b"1\n", "the kernel's log has it");
    succeeds(&mut guest, "ping");
    let console = String::from_utf8_lossy(guest.console.transcript()).into_owned();
    assert!(!console.contains("chatter"), "{console}");
    let log = succeeds(&mut guest, "log kernel");
    let told = log
        .lines
        .iter()
        .any(|line| line.ends_with("ERROR nl31-lab: chatter"));
    assert!(told, "{log}");
}

fn from_power_on_only_the_agent_is_heard(arch: Arch) {
    let guest = Guest::boot_shipped(Image::shared_for(arch), None).expect("a boot");
    let screen = nl31_lab::console::render(guest.console.transcript());
    // an image that runs from memory has nothing to say about a disk
    let chatter = |line: &&String| {
        ["[", "* data:"].iter().any(|start| line.starts_with(start))
            || ["init", "login"].iter().any(|word| line.contains(word))
    };
    assert_eq!(screen.iter().find(chatter), None, "{screen:#?}");
    assert_eq!(
        screen
            .iter()
            .filter(|line| line.starts_with("nl31> "))
            .count(),
        1,
        "{screen:#?}"
    );
}
