// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the README shows is what the product prints. With NL31_UPDATE_README set, the
//! README is brought up to date instead of compared.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use nl31_lab::console::{PROMPT, is_prompt};
use nl31_lab::{Guest, Image, Setup, picture};

/// The tests change parts of one file.
static README: Mutex<()> = Mutex::new(());

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"))
}

/// Text of the README behind `begin` and up to `end`.
fn part(begin: &str, end: &str) -> String {
    let text = std::fs::read_to_string(path()).expect("to read the README");
    let (_, rest) = text.split_once(begin).expect("the part to begin");
    let (part, _) = rest.split_once(end).expect("the part to end");
    part.to_owned()
}

/// Holds a part of the README to what it ought to be.
fn hold(begin: &str, end: &str, ought: &str) {
    let _lock = README.lock();
    let is = part(begin, end);
    if is != ought && std::env::var_os("NL31_UPDATE_README").is_some() {
        let text = std::fs::read_to_string(path()).expect("to read the README");
        let text = text.replacen(
            &format!("{begin}{is}{end}"),
            &format!("{begin}{ought}{end}"),
            1,
        );
        std::fs::write(path(), text).expect("to write the README");
        return;
    }
    assert_eq!(
        is, ought,
        "the README is out of date; NL31_UPDATE_README=1 cargo test readme:: updates it"
    );
}

/// A port id is another one each time.
fn without_port(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("port ") {
        result.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let has_number = rest.len() < after.len();
        result.push_str(if has_number { "port 47" } else { "port " });
    }
    result + rest
}

#[test]
fn the_session_is_one_that_cargo_qemu_has() {
    cargo_qemu_has("<!-- a session; a test has it again -->\n```console\n");
}

#[test]
fn the_router_is_one_that_cargo_qemu_is() {
    cargo_qemu_has("<!-- a router; a test has it again -->\n```console\n");
}

/// What is typed from `begin` on gets the same replies.
fn cargo_qemu_has(begin: &str) {
    const END: &str = "```\n";

    let session = {
        let _lock = README.lock();
        part(begin, END)
    };
    let lines: String = session
        .lines()
        .filter_map(|line| line.strip_prefix("nl31> "))
        .map(|line| line.to_owned() + "\n")
        .collect();
    assert!(!lines.is_empty());

    Image::shared();
    let mut child = Command::new(env!("CARGO_BIN_EXE_lab"))
        .arg("qemu")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("to run the lab");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(lines.as_bytes())
        .expect("to write its input");
    let output = child.wait_with_output().expect("its end");
    hold(
        begin,
        END,
        &without_port(&String::from_utf8_lossy(&output.stdout)),
    );
}

#[test]
fn the_commands_are_those_of_the_grammar() {
    hold(
        "<!-- the grammar; a test compares -->\n",
        "<!-- end -->\n",
        &nl31_agent::grammar::markdown().to_string(),
    );
}

/// What is typed in the picture of the console. A `?` at the end is not followed by Enter,
/// and what it has explained is cleared.
const SCRIPT: &[&str] = &[
    "route add 10.0.0.0/8 via 192.0.2.1 dev eth0",
    "route add 10.0.0.0/8 dev eth0 metrik 10",
    "route append ?",
    "begin",
    "route append 10.0.0.0/8 via 192.0.2.2 dev eth0 metric 20",
    "route add blackhole 2001:db8:bad::/48",
    "diff",
    "commit confirmed 60",
    "confirm",
    "route get 10.1.2.3",
    "route show json",
];

#[test]
fn the_picture_is_of_the_console_as_it_is() {
    let mut guest = Guest::start(Image::shared(), &Setup::default()).expect("a guest");
    let mut lines = Vec::new();
    for line in SCRIPT {
        lines.push(format!("{PROMPT}{line}"));
        if let Some(before) = line.strip_suffix('?') {
            guest.console.type_bytes(line.as_bytes());
            let explained = |screen: &[String]| {
                let prompt = screen.last()?.strip_suffix(before)?;
                (screen.len() > 1 && is_prompt(prompt))
                    .then(|| screen[1..screen.len() - 1].to_vec())
            };
            lines.extend(
                guest
                    .expect("an explanation", explained)
                    .expect("an explanation"),
            );
            guest.console.type_bytes(b"\x15");
        } else {
            lines.extend(guest.command(line).expect("a reply").lines);
        }
    }
    let picture = picture::svg("a session at the console", &lines);
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/console.svg"));
    if std::env::var_os("NL31_UPDATE_README").is_some() {
        std::fs::write(&path, &picture).expect("to write the picture");
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        is, picture,
        "the picture is out of date; NL31_UPDATE_README=1 cargo test readme:: updates it"
    );
}
