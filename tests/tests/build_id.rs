// SPDX-License-Identifier: MIT OR Apache-2.0
//! board/common/build-id.sh, which names what an image is made from, in a copy of the project's
//! folders.

use std::fs;
use std::path::Path;
use std::process::Command;

use nl31_lab::project;

/// What an image is made from.
const SOURCES: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "agent/main.rs",
    "buildroot/Config.in",
    "kmod/table.c",
    "rootfs-overlay/etc/inittab",
];

const SCRIPT: &str = "board/common/build-id.sh";

/// Writes a file and its folders.
fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("to make folders");
    fs::write(path, content).expect("to write");
}

/// Makes the project in `dir`, without a history.
fn make_project(dir: &Path) {
    for name in SOURCES {
        write(&dir.join(name), name);
    }
    let script = dir.join(SCRIPT);
    fs::create_dir_all(script.parent().expect("a folder")).expect("to make folders");
    fs::copy(project().join(SCRIPT), script).expect("to copy");
}

/// Runs `command` in a place of its own; what it printed.
fn run(command: &mut Command) -> String {
    for name in ["GIT_DIR", "GIT_WORK_TREE", "NL31_BUILD_ID"] {
        command.env_remove(name);
    }
    let output = command.output().expect("to run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

/// What the script names the project in `dir`: alone, and the same where Buildroot builds a package,
/// which is to find no history.
fn name(dir: &Path) -> String {
    let script = || Command::new(dir.join(SCRIPT));
    let name = run(script().current_dir("/"));
    let output = script().env("GIT_DIR", ".").output().expect("to run");
    let of_package = String::from_utf8(output.stdout).expect("text");
    assert_eq!(of_package.trim(), name);
    name
}

/// Makes a repository of all files in `dir`, and returns the commit's name.
fn commit(dir: &Path) -> String {
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=n", "-c", "user.email=e"]);
        run(git.arg("-C").arg(dir).args(args))
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "all"]);
    git(&["rev-parse", "--short=12", "HEAD"])
}

#[test]
fn checkout_is_named_for_its_commit_and_called_dirty_when_anything_of_the_image_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    make_project(dir);
    write(&dir.join(".gitignore"), "*.o\n");
    let clean = commit(dir);
    let dirty = format!("{clean}-dirty");
    assert_eq!(name(dir), clean);

    // What no image contains.
    for built in ["kmod/table.o", "notes.txt"] {
        write(&dir.join(built), "");
    }
    assert_eq!(name(dir), clean);

    // A file of the builder's own, as the hash of the console's PIN is.
    let own = dir.join("rootfs-overlay/etc/nl31/console.conf");
    write(&own, "read-only\n");
    assert_eq!(name(dir), dirty);
    fs::remove_file(own).expect("to remove");
    assert_eq!(name(dir), clean);

    write(&dir.join("kmod/table.c"), "edited");
    assert_eq!(name(dir), dirty);
}

#[test]
fn tree_without_a_history_is_named_for_its_content_in_a_repository_of_others_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("nl31");
    make_project(&dir);
    let alone = name(&dir);
    assert_eq!(alone.len(), 12, "{alone}");

    // The project was unpacked into a folder that has a history, without this tree in it.
    write(&folder.path().join(".gitignore"), "/nl31/\n");
    commit(folder.path());
    assert_eq!(name(&dir), alone);

    write(&dir.join("rootfs-overlay/a file"), "");
    let more = name(&dir);
    assert!(more.len() == 12 && more != alone, "{more}");
    // The hash leaves out the output of cargo.
    write(&dir.join("agent/target/nl31-agent"), "");
    assert_eq!(name(&dir), more);
}
