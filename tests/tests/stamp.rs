// SPDX-License-Identifier: MIT OR Apache-2.0
//! buildroot/stamp.sh, which tells Buildroot's make that sources have changed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use nl31_lab::project;

/// Older than anything here.
pub fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

/// Sets a file's time of modification.
pub fn set_time(path: &Path, time: SystemTime) {
    let file = fs::File::options().write(true).open(path).expect("a file");
    file.set_modified(time).expect("to set a time");
}

#[test]
fn stamp_changes_with_content_names_and_text_only() {
    let dir = tempfile::tempdir().expect("a folder");
    let (stamp, sources) = (dir.path().join("stamps/stamp"), dir.path().join("sources"));
    fs::create_dir_all(sources.join("target")).expect("to make a folder");
    let file = |name: &str| sources.join(name);
    fs::write(file("a"), "1").expect("to write");
    // Whether the stamp is newer than one of long ago.
    let is_renewed = |text: &str| {
        if stamp.exists() {
            set_time(&stamp, long_ago());
        }
        let mut command = Command::new(project().join("buildroot/stamp.sh"));
        let status = command.arg(&stamp).arg(text).arg(&sources).status();
        assert!(status.expect("to run").success());
        let modified = stamp.metadata().and_then(|stamp| stamp.modified());
        modified.expect("a time") != long_ago()
    };
    assert!(is_renewed("x"));
    assert!(!is_renewed("x"));
    assert!(is_renewed("y"));
    // As an older file comes out of an archive.
    fs::write(file("a"), "2").expect("to write");
    set_time(&file("a"), long_ago());
    assert!(is_renewed("y"));
    fs::rename(file("a"), file("b")).expect("to rename");
    assert!(is_renewed("y"));
    // What was built there is no source.
    for built in ["target/b", "b.o"] {
        fs::write(file(built), "").expect("to write");
    }
    assert!(!is_renewed("y"));
    fs::remove_file(file("b")).expect("to remove");
    fs::write(file("c"), "").expect("to write");
    assert!(is_renewed("y"));
}
