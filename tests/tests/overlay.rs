// SPDX-License-Identifier: MIT OR Apache-2.0
//! buildroot/drop-overlay-files.sh, by which a second build has no file that the overlay lacks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nl31_lab::project;

fn write(path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("to make folders");
    fs::write(path, "").expect("to write");
}

#[test]
fn file_that_left_the_overlay_leaves_the_image_and_no_other_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    // As Buildroot does, before it copies the overlays.
    let drop_files = |overlays: &[&str]| {
        let script = project().join("buildroot/drop-overlay-files.sh");
        let mut command = Command::new(script);
        command.arg(path("list")).arg(path("target"));
        command.args(overlays.iter().map(|name| path(name)));
        let output = command.output().expect("to run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).expect("text")
    };
    let in_target = |name: &str| path("target").join(name).exists();

    // What a package installed, and what came from two overlays.
    for name in ["bin/busybox", "etc/kept", "etc/nl31/a file", "etc/moved"] {
        write(&path("target").join(name));
    }
    for name in ["etc/kept", "etc/nl31/a file", "etc/moved"] {
        write(&path("overlay").join(name));
    }
    fs::create_dir(path("another")).expect("to make a folder");
    for _ in 0..2 {
        assert_eq!(drop_files(&["overlay", "another"]), "");
    }

    fs::remove_file(path("overlay/etc/nl31/a file")).expect("to remove");
    write(&path("another/etc/moved"));
    fs::remove_file(path("overlay/etc/moved")).expect("to remove");
    let said = drop_files(&["overlay", "another"]);
    assert_eq!(
        said,
        "etc/nl31/a file is in no overlay any more: removed from the image\n"
    );
    assert!(!in_target("etc/nl31/a file"));
    for name in ["bin/busybox", "etc/kept", "etc/moved"] {
        assert!(in_target(name), "{name}");
    }

    // An overlay that a configuration names no longer.
    assert_eq!(drop_files(&["overlay"]).lines().count(), 1);
    assert!(!in_target("etc/moved") && in_target("etc/kept"));
}
