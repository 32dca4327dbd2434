// SPDX-License-Identifier: MIT OR Apache-2.0
//! What other tests rely on the lab for.

use std::process::Command;

use nl31_lab::{Guest, Image, Setup};

fn guest() -> Guest {
    Guest::start(Image::shared(), &Setup::default()).expect("a guest")
}

#[test]
fn a_command_in_the_guest_returns_its_status_and_both_outputs_as_they_are() {
    let mut guest = guest();
    let output = guest
        .exec("printf 'a\\0\\r\\n\\377'; echo problem >&2; exit 7")
        .expect("to run");
    assert_eq!(output.status, 7);
    assert_eq!(output.stdout, b"a\0\r\n\xff");
    assert_eq!(output.stderr, b"problem\n");
    let large = guest.exec("head -c 3000000 /dev/zero").expect("to run");
    assert!(large.stdout.len() == 3_000_000 && large.stdout.iter().all(|&byte| byte == 0));
}

#[test]
fn lab_exec_runs_a_command_with_a_folder_of_the_host_and_exits_with_its_status() {
    Image::shared();
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("file, with a comma"), "shared").expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["exec", "--share"])
        .arg(dir.path())
        .args([
            "--",
            "cat /mnt/share/*;",
            "touch /mnt/share/new",
            "||",
            "exit 3",
        ])
        .output()
        .expect("to run the lab");
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.stdout, b"shared");
    assert!(!dir.path().join("new").exists());
}

#[test]
fn a_kernel_that_complains_fails_whatever_waits() {
    let mut guest = guest();
    let outcome = guest
        .exec("echo 'WARNING: CPU: 0 PID: 1 at made/by.c:1' >/dev/kmsg; sleep 1")
        .map(|output| output.status);
    let error = format!("{:#}", outcome.expect_err("the complaint is noticed"));
    assert!(error.contains("made/by.c:1"), "{error}");
}

#[test]
fn a_guest_that_ends_is_reported_with_its_last_lines() {
    let mut guest = guest();
    let error = guest
        .exec("reboot -f; sleep 100")
        .expect_err("the end is noticed");
    let error = format!("{error:#}");
    assert!(error.contains("the guest ended"), "{error}");
}
