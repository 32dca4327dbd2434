// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the README shows is what the product prints. With NL31_UPDATE_README set, the
//! README is brought up to date instead of compared.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use nl31_lab::Image;

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
        "the README is out of date; NL31_UPDATE_README=1 cargo test --test readme updates it"
    );
}

/// A port id is another one each time.
fn without_port(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("port ") {
        result.push_str(before);
        result.push_str("port 47");
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    result + rest
}

#[test]
fn the_session_is_one_that_cargo_qemu_has() {
    const BEGIN: &str = "<!-- a session; a test has it again -->\n```console\n";
    const END: &str = "```\n";

    let session = {
        let _lock = README.lock();
        part(BEGIN, END)
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
        BEGIN,
        END,
        &without_port(&String::from_utf8_lossy(&output.stdout)),
    );
}

#[test]
fn the_commands_are_those_of_the_grammar() {
    hold(
        "<!-- nl31-agent --print-commands; a test compares -->\n",
        "<!-- end -->\n",
        &nl31_agent::grammar::markdown().to_string(),
    );
}
