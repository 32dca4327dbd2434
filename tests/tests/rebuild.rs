// SPDX-License-Identifier: MIT OR Apache-2.0
//! A second build contains what was edited after the first: Buildroot's own make decides, on
//! an external tree whose packages build nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nl31_lab::project;

use crate::stamp::{long_ago, set_time};

fn append(path: &Path, text: &str) {
    let content = fs::read_to_string(path).expect("text") + text;
    fs::write(path, content).expect("to write");
}

/// A copy of what Buildroot builds from, and an output folder.
struct Tree(tempfile::TempDir);

/// What a make built again.
#[derive(Debug, PartialEq)]
struct Built {
    agent: bool,
    kernel: bool,
}

impl Tree {
    /// Configured for `board`.
    fn new(board: &str) -> Self {
        let tree = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(tree.project("")).expect("to make a folder");
        let parts = [
            "agent",
            "board",
            "buildroot",
            "kmod",
            "rootfs-overlay",
            "Cargo.toml",
            "Cargo.lock",
            "LICENSE-APACHE",
            "LICENSE-GPL-2.0",
            "LICENSE-MIT",
            "LICENSE-SYSCALL-NOTE",
        ];
        let mut copy = Command::new("cp");
        copy.arg("-a").args(parts.map(|part| project().join(part)));
        let copied = copy.arg(tree.project("")).status().expect("to run cp");
        assert!(copied.success());
        // Of a kernel, what configures it: as if from nothing but the fragments.
        let kernel = tree.0.path().join("kernel");
        fs::create_dir_all(kernel.join("net")).expect("to make a folder");
        fs::create_dir_all(kernel.join("include/uapi/linux")).expect("to make a folder");
        let makefile = "allnoconfig:\n\tcp $(KCONFIG_ALLCONFIG) .config\n\
                        olddefconfig:\n\tsed -i '/=n$$/d' .config\nconfig:\n";
        fs::write(kernel.join("Makefile"), makefile).expect("to write");
        for name in ["net/Makefile", "System.map", "vmlinux"] {
            fs::write(kernel.join(name), name).expect("to write");
        }
        let menu = "source \"net/netlink/Kconfig\"\n";
        fs::write(kernel.join("net/Kconfig"), menu).expect("to write");
        tree.make(&[&format!("nl31_{board}_defconfig")]);
        tree
    }

    fn project(&self, name: &str) -> PathBuf {
        self.0.path().join("project").join(name)
    }

    fn output(&self, name: &str) -> PathBuf {
        self.0.path().join("output").join(name)
    }

    fn make(&self, args: &[&str]) {
        let mut make = Command::new("make");
        make.env_remove("MAKEFLAGS")
            .env_remove("NL31_BUILD_ID")
            .args(["-s", "--no-print-directory", "-C"])
            .arg(std::env::var_os("BUILDROOT_DIR").expect("BUILDROOT_DIR"))
            .arg(format!("O={}", self.output("").display()))
            .arg(format!(
                "BR2_EXTERNAL={}/buildroot",
                self.project("").display()
            ))
            .args(args);
        let output = make.output().expect("to run make");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        // Buildroot goes on without its lists of what a package installed.
        assert!(!said.contains("No such file"), "{said}");
    }

    /// Makes agent and kernel, where Buildroot finds that due.
    fn build(&self) -> Built {
        let build = |package: &str| format!("touch {}", self.0.path().join(package).display());
        let extract = format!(
            "LINUX_EXTRACT_CMDS=cp -a {}/kernel/. $(@D)",
            self.0.path().display()
        );
        self.make(&[
            "nl31-agent",
            "linux",
            &format!("NL31_AGENT_BUILD_CMDS={}", build("agent")),
            &format!("LINUX_BUILD_CMDS={}", build("linux")),
            &extract,
            // What needs a compiler, the network or a whole kernel is left out.
            "NL31_AGENT_FINAL_DEPENDENCIES=",
            "NL31_AGENT_FINAL_DOWNLOAD_DEPENDENCIES=",
            "NL31_AGENT_VENDOR=true",
            "NL31_AGENT_INSTALL_TARGET_CMDS=true",
            "LINUX_FINAL_DEPENDENCIES=",
            "LINUX_FINAL_EXTRACT_DEPENDENCIES=",
            "LINUX_FINAL_PATCH_DEPENDENCIES=nl31-kmod",
            "LINUX_FINAL_DOWNLOAD_DEPENDENCIES=",
            "LINUX_KCONFIG_DEPENDENCIES=",
            "LINUX_MAIN_DOWNLOAD=",
            "LINUX_ALL_DOWNLOADS=",
            "LINUX_ADDITIONAL_DOWNLOADS=",
            "LINUX_TRY_PATCH_TIMECONST=true",
            "LINUX_INSTALL_TARGET_CMDS=true",
            "LINUX_INSTALL_IMAGES_CMDS=true",
            "check_bin_arch=true",
        ]);
        let is_built = |package: &str| fs::remove_file(self.0.path().join(package)).is_ok();
        Built {
            agent: is_built("agent"),
            kernel: is_built("linux"),
        }
    }

    /// The folder in which Buildroot builds a package.
    fn builds(&self, package: &str) -> PathBuf {
        let folders = fs::read_dir(self.output("build")).expect("the folder");
        let mut folders = folders.map(|folder| folder.expect("a folder").path());
        let is_it = |folder: &PathBuf| {
            let name = folder.file_name().expect("a name").to_string_lossy();
            name.starts_with(&format!("{package}-"))
        };
        folders.find(is_it).expect("the package's folder")
    }
}

#[test]
fn what_was_edited_is_built_again_and_nothing_else() {
    let tree = Tree::new("qemu_x86_64");
    let same = |name: &str, package: &str, copy: &str| {
        let is = fs::read(tree.builds(package).join(copy)).expect("a copy");
        is == fs::read(tree.project(name)).expect("the source")
    };
    let [nothing, agent, both] = [(false, false), (true, false), (true, true)]
        .map(|(agent, kernel)| Built { agent, kernel });
    assert_eq!(tree.build(), both);
    // Beside the image, for the addresses of a panic.
    for name in ["System.map", "vmlinux"] {
        let symbols = tree.output("images/symbols").join(name);
        assert_eq!(fs::read_to_string(symbols).expect("symbols"), name);
    }
    assert_eq!(tree.build(), nothing);

    // Without a history the build is named for all sources, so the agent is in each build.
    let source = "agent/route/src/lib.rs";
    append(&tree.project(source), "// edited\n");
    assert_eq!(tree.build(), agent);
    assert!(same(source, "nl31-agent", source));

    append(&tree.project("kmod/table.c"), "/* edited */\n");
    assert_eq!(tree.build(), both);
    assert!(same("kmod/table.c", "linux", "net/nl31/table.c"));

    // Files of another commit, out of an archive: with an older time.
    for name in [source, "kmod/table.c"] {
        append(&tree.project(name), "/* edited again */\n");
        set_time(&tree.project(name), long_ago());
    }
    assert_eq!(tree.build(), both);
    assert!(same(source, "nl31-agent", source));
    assert!(same("kmod/table.c", "linux", "net/nl31/table.c"));

    let fragment = tree.project("board/qemu_x86_64/linux.fragment");
    append(&fragment, "CONFIG_ANOTHER=y\n");
    set_time(&fragment, long_ago());
    assert_eq!(tree.build(), both);
    let config = fs::read_to_string(tree.builds("linux").join(".config")).expect("text");
    assert!(config.lines().any(|line| line == "CONFIG_ANOTHER=y"));

    // What is gone is gone.
    let (gone, left) = ("agent/gone.rs", "kmod/gone.c");
    for name in [gone, left] {
        fs::write(tree.project(name), "").expect("to write");
    }
    assert_eq!(tree.build(), both);
    for name in [gone, left] {
        fs::remove_file(tree.project(name)).expect("to remove");
    }
    assert_eq!(tree.build(), both);
    assert!(!tree.builds("nl31-agent").join(gone).exists());
    assert!(!tree.builds("linux").join("net/nl31/gone.c").exists());
    assert_eq!(tree.build(), nothing);
}

#[test]
fn edited_settings_of_the_firmware_reach_the_card() {
    let tree = Tree::new("raspberrypi_64");
    let build = || {
        tree.make(&[
            "rpi-firmware",
            // The firmware itself is not free, and is left out.
            "RPI_FIRMWARE_FINAL_DEPENDENCIES=",
            "RPI_FIRMWARE_FINAL_DOWNLOAD_DEPENDENCIES=",
            "RPI_FIRMWARE_FINAL_EXTRACT_DEPENDENCIES=",
            "RPI_FIRMWARE_MAIN_DOWNLOAD=",
            "RPI_FIRMWARE_ALL_DOWNLOADS=",
            "RPI_FIRMWARE_ADDITIONAL_DOWNLOADS=",
            "RPI_FIRMWARE_EXTRACT_CMDS=true",
            "RPI_FIRMWARE_INSTALL_BIN=true",
            "check_bin_arch=true",
        ]);
    };
    build();
    for name in ["config.txt", "cmdline.txt"] {
        let source = tree.project("board/raspberrypi_64").join(name);
        append(&source, "edited\n");
        set_time(&source, long_ago());
        build();
        let card = tree.output("images/rpi-firmware").join(name);
        let is = fs::read_to_string(card).expect("a copy");
        assert!(is.ends_with("edited\n"), "{name}: {is}");
    }
}
