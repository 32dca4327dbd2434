// SPDX-License-Identifier: MIT OR Apache-2.0
//! Buildroot's last step on the root filesystem, board/common/post-build.sh, on a folder
//! that stands in for one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nl31_lab::project;

/// The build that the stand-in is of.
const BUILD: &str = "0123456789ab";

/// A root filesystem with what the script asks for, gone with it.
struct Target(tempfile::TempDir);

impl Target {
    fn new() -> Self {
        let target = Self(tempfile::tempdir().expect("a folder"));
        target.has(
            "usr/sbin/nl31-agent",
            &format!("a program of build {BUILD}\n"),
        );
        let agent = target.path("usr/sbin/nl31-agent");
        fs::set_permissions(agent, fs::Permissions::from_mode(0o755)).expect("to set a mode");
        target.has("etc/inittab", "::sysinit:/etc/init.d/rcS\n");
        target.has("etc/nl31/routes.conf", "");
        target
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn has(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("to make a folder");
        fs::write(path, content).expect("to write");
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("text")
    }

    /// Runs the script for `build`.
    fn finish(&self, build: &str) -> Output {
        let script = project().join("board/common/post-build.sh");
        let mut command = Command::new(script);
        command.arg(self.0.path()).env("NL31_BUILD_ID", build);
        command
            .current_dir(Path::new("/"))
            .output()
            .expect("to run")
    }

    fn is_finished(&self) {
        let output = self.finish(BUILD);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
}

#[test]
fn host_name_edited_on_windows_loses_its_cr() {
    let target = Target::new();
    target.has("etc/hostname", "router-7\r\n");
    for _ in 0..2 {
        target.is_finished();
        assert_eq!(target.text("etc/hostname"), "router-7\n");
    }
}

#[test]
fn agent_of_another_build_is_refused() {
    let target = Target::new();
    target.is_finished();
    let release = target.text("etc/os-release");
    assert!(release.contains(&format!("\nBUILD_ID={BUILD}\n")));
    let output = target.finish("ba9876543210");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("nl31-agent is not of build ba9876543210"),
        "{said}"
    );
    // The lab's images are named for their content, the agent's program included.
    assert!(target.finish("lab-ba9876543210").status.success());
}

/// Edits that are taken back while make runs leave an agent with them.
#[test]
fn agent_whose_build_only_begins_with_the_images_name_is_refused() {
    let target = Target::new();
    for (tag, more) in [(BUILD, "-dirty"), ("v0.1.0", "-12-g0123456789ab")] {
        let longer = format!("{tag}{more}");
        target.has("usr/sbin/nl31-agent", &format!("of build {longer}\n"));
        let output = target.finish(tag);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(&format!("not of build {tag}:")),
            "{said}"
        );
        assert!(target.finish(&longer).status.success(), "{longer}");
    }
}

/// A folder that Buildroot made before the image was without modules has it.
#[test]
fn script_that_loads_modules_is_removed() {
    let target = Target::new();
    target.has("etc/init.d/S11modules", "");
    target.has("etc/init.d/S10data", "");
    target.is_finished();
    assert!(!target.path("etc/init.d/S11modules").exists());
    assert!(target.path("etc/init.d/S10data").exists());
}
