// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compiles the module's C files for user space, as they are: against the headers in shim/,
//! with ASan, UBSan and what counts coverage.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Targets that have the module in them.
const TARGETS: [&str; 2] = ["lpm", "module"];

/// What needs Linux's IP around it, which is for target `kernel`; shim/ip.c is in its place.
const IP: [&str; 7] = [
    "adjacency_dst",
    "flow",
    "forward",
    "mirror",
    "mirror_event",
    "netdev",
    "receive",
];

/// What finds faults in C.
const SANITIZERS: [&str; 3] = [
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
];

/// Headers of the kernel that programs include, too, by the same name.
const UAPI: [&str; 2] = ["linux/netlink.h", "linux/types.h"];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let kmod = Path::new("../../kmod");
    let include = out.join("include");
    for dir in [kmod, Path::new("shim")] {
        println!("cargo::rerun-if-changed={}", dir.display());
    }

    let mut module = with_extension(kmod, "c");
    module.retain(|file| {
        !IP.iter()
            .any(|name| file.file_stem() == Some(name.as_ref()))
    });
    for file in module.iter().chain(&with_extension(kmod, "h")) {
        forward(file, &include);
    }
    // gnu11 as the kernel, and its view of what aliases what
    let mut code = cc::Build::new();
    code.files(&module)
        .include(&include)
        .include("shim")
        .include(kmod.join("include"))
        .include(kmod.join("include/uapi"))
        .std("gnu11")
        .opt_level(1)
        .debug(true)
        .cargo_metadata(false)
        .flags(["-fno-strict-aliasing", "-fwrapv", "-funsigned-char"])
        // arrays in a trie of a few dozen prefixes, too
        .define("LPM_ARRAY_MIN", "4")
        .define("LPM_ARRAY_KEEP", "3")
        // what shim/kernel.h has not is to be told of by the compiler
        .flags([
            "-Wno-sign-compare",
            "-Wno-unused-parameter",
            "-Werror=implicit-function-declaration",
        ])
        .flags(SANITIZERS)
        .flag("-fsanitize-coverage=trace-pc,trace-cmp");
    code.compile("nl31");

    let mut world = cc::Build::new();
    world
        .files(with_extension(Path::new("shim"), "c"))
        .include(&include)
        .include("shim")
        .include(kmod)
        .include(kmod.join("include"))
        .include(kmod.join("include/uapi"))
        .std("gnu11")
        .opt_level(1)
        .debug(true)
        .cargo_metadata(false)
        .flags([
            "-fno-strict-aliasing",
            "-Wno-sign-compare",
            "-Wno-unused-parameter",
        ])
        .flags(SANITIZERS);
    world.compile("shim");

    for target in TARGETS {
        // the one calls the other, both ways
        for argument in [
            "-Wl,--start-group".into(),
            out.join("libnl31.a").display().to_string(),
            out.join("libshim.a").display().to_string(),
            "-Wl,--end-group".into(),
            SANITIZERS[0].into(),
            // libFuzzer has one that gives up
            "-Wl,--wrap=__sanitizer_cov_trace_pc".into(),
        ] {
            println!("cargo::rustc-link-arg-bin={target}={argument}");
        }
    }
}

fn with_extension(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("to read a folder").path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|end| end == extension));
    files.sort();
    files
}

/// Makes each header of the kernel that `file` includes lead to the shim's.
fn forward(file: &Path, include: &Path) {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    for line in text.lines() {
        let name = line
            .strip_prefix("#include <")
            .and_then(|rest| rest.strip_suffix('>'));
        let Some(name) = name.filter(|name| !name.starts_with("uapi/")) else {
            continue;
        };
        let header = include.join(name);
        fs::create_dir_all(header.parent().expect("a header is in a folder"))
            .expect("to make a folder");
        let mut lines = "#include <kernel.h>\n".to_owned();
        if UAPI.contains(&name) {
            lines.insert_str(0, &format!("#include_next <{name}>\n"));
        }
        fs::write(&header, lines).expect("to write a header");
    }
}
