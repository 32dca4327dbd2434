// SPDX-License-Identifier: MIT OR Apache-2.0
//! kmod/nl31.yaml and kmod/README.md say what the kernel does: programs that know nothing
//! else of the protocol work by the one, the bytes in the other are those it sends.

use std::path::Path;

use nl31_lab::progress::Step;
use nl31_lab::{Guest, Image, Setup, host, kernel, project, wire};

/// Memory for Python.
const MEMORY_MIB: u32 = 256;

/// Runs a Python program of this machine in the guest, in a network namespace of its own.
fn python(packages: &[&str], program: &str, arguments: &[&Path]) -> String {
    host::require(packages).expect("the packages");
    let setup = Setup {
        share: Some("/".into()),
        memory_mib: Some(MEMORY_MIB),
        ..Setup::default()
    };
    let mut guest = Guest::start(Image::shared(), &setup).expect("a guest");
    let program = project().join("tests/clients").join(program);
    let mut command = format!(
        "mount -t proc proc /mnt/share/proc && \
         chroot /mnt/share /usr/bin/unshare --net /usr/bin/python3 '{}'",
        program.display()
    );
    for argument in arguments {
        command += &format!(" '{}'", argument.display());
    }
    let output = guest.exec(&command).expect("to run Python");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status, 0, "{said}{errors}");
    said
}

#[test]
fn linuxs_own_tool_does_every_operation_of_the_specification() {
    let linux = kernel::unpacked_source(&Step::new("ynl")).expect("the source of Linux");
    let spec = project().join("kmod/nl31.yaml");
    let packages = ["python3-minimal", "python3-yaml", "python3-jsonschema"];
    let said = python(&packages, "ynl.py", &[&linux, &spec]);
    assert!(
        said.contains("12 operations and 3 events by the specification"),
        "{said}"
    );
}

#[test]
fn pyroute2_speaks_to_it() {
    let said = python(&["python3-pyroute2"], "pyroute2_client.py", &[]);
    assert!(
        said.contains("changes, a lookup, a dump and events"),
        "{said}"
    );
}

#[test]
fn the_bytes_in_the_readme_are_those_that_the_kernel_sends() {
    let setup = Setup {
        share: Some(wire::build().expect("the program")),
        ..Setup::default()
    };
    let mut guest = Guest::start(Image::shared(), &setup).expect("a guest");
    let output = guest
        .exec(&format!("{} --examples", wire::COMMAND))
        .expect("to run the program");
    assert_eq!(
        output.status,
        0,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let examples = String::from_utf8(output.stdout).expect("text");
    let readme = std::fs::read_to_string(project().join("kmod/README.md")).expect("the README");
    assert!(
        readme.ends_with(&examples),
        "put this at the end of kmod/README.md instead of its examples:\n{examples}"
    );
}
