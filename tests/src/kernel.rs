// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kernels, built from the distribution's source with nl31 in it.
//!
//! A kernel is a name and a list of config fragments on top of allnoconfig. Its
//! outcome is kept under a key of all that went in. The source and the object files
//! are kept as well, so that a change in kmod/ or a fragment compiles only what
//! depends on it: that much is make's own work.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::fcntl::Flock;

use crate::arch::Arch;
use crate::cache::{self, Key};
use crate::progress::Step;
use crate::{cost, forecast, host};

/// Debian's package with the source; the series is the product's.
const PACKAGE: &str = "linux-source-6.12";

/// Fails for a fragment's line that is not in a config; Buildroot's build calls it too.
const CHECK_FRAGMENTS: &str = "buildroot/linux/check-fragments.sh";

/// Free space, in MiB, without which a build is not begun.
const MAKE_NEEDS_MIB: u64 = 1024;

/// Variables that would change what make does; the lab's builds do not depend on the
/// shell they are started from.
const FOREIGN: &[&str] = &[
    "ARCH",
    "CROSS_COMPILE",
    "INSTALL_MOD_PATH",
    "KAFLAGS",
    "KBUILD_OUTPUT",
    "KCFLAGS",
    "KCONFIG_ALLCONFIG",
    "KCONFIG_CONFIG",
    "LDFLAGS",
    "LOCALVERSION",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
    "O",
];

/// A kernel to build.
pub struct Spec {
    /// Part of the name in the cache.
    pub name: &'static str,
    /// Kernels with the same one share their object files. Worth it where the
    /// configurations differ in a few options only.
    pub objects: &'static str,
    /// What make calls the architecture.
    pub arch: &'static str,
    /// What the compiler's name begins with, if not the host's.
    pub cross: &'static str,
    /// What make builds, and where that is in its folder.
    pub target: (&'static str, &'static str),
    /// Config fragments, relative to the project.
    pub fragments: &'static [&'static str],
    /// nl31 is a module of it.
    pub module: bool,
    /// Seconds of a processor that it takes to build, about, where the project is made: from
    /// nothing; or, where it shares the objects of another, what it takes more.
    pub work: u32,
}

impl Arch {
    /// The kernel that ships for QEMU's machine.
    pub const fn shipped_kernel(self) -> Spec {
        match self {
            Self::X86_64 => Spec {
                name: "qemu_x86_64",
                objects: "qemu_x86_64",
                arch: "x86_64",
                cross: self.cross(),
                target: ("bzImage", "arch/x86/boot/bzImage"),
                fragments: &[
                    "board/common/linux.fragment",
                    "board/common/linux-hardening.fragment",
                    "board/common/linux-x86_64.fragment",
                    "board/qemu_x86_64/linux.fragment",
                ],
                module: false,
                work: 530,
            },
            Self::Aarch64 => Spec {
                name: "qemu_aarch64",
                objects: "qemu_aarch64",
                arch: "arm64",
                cross: self.cross(),
                target: ("Image.gz", "arch/arm64/boot/Image.gz"),
                fragments: &[
                    "board/common/linux.fragment",
                    "board/common/linux-hardening.fragment",
                    "board/common/linux-aarch64.fragment",
                    "board/qemu_aarch64/linux.fragment",
                ],
                module: false,
                work: 540,
            },
            Self::Armv7 => Spec {
                name: "qemu_armv7",
                objects: "qemu_armv7",
                arch: "arm",
                cross: self.cross(),
                target: ("zImage", "arch/arm/boot/zImage"),
                fragments: &[
                    "board/common/linux.fragment",
                    "board/common/linux-hardening.fragment",
                    "board/common/linux-armv7.fragment",
                    "board/qemu_armv7/linux.fragment",
                ],
                module: false,
                work: 450,
            },
        }
    }

    /// What ships, and what the lab's channels into the guest need.
    pub const fn lab_kernel(self) -> Spec {
        match self {
            Self::X86_64 => Spec {
                name: "lab",
                work: 50,
                fragments: &[
                    "board/common/linux.fragment",
                    "board/common/linux-hardening.fragment",
                    "board/common/linux-x86_64.fragment",
                    "board/qemu_x86_64/linux.fragment",
                    "tests/linux/lab.fragment",
                ],
                ..self.shipped_kernel()
            },
            Self::Aarch64 => Spec {
                name: "lab_aarch64",
                work: 50,
                fragments: &[
                    "board/common/linux.fragment",
                    "board/common/linux-hardening.fragment",
                    "board/common/linux-aarch64.fragment",
                    "board/qemu_aarch64/linux.fragment",
                    "tests/linux/lab.fragment",
                ],
                ..self.shipped_kernel()
            },
            Self::Armv7 => Spec {
                name: "lab_armv7",
                work: 50,
                fragments: &[
                    "board/common/linux.fragment",
                    "board/common/linux-hardening.fragment",
                    "board/common/linux-armv7.fragment",
                    "board/qemu_armv7/linux.fragment",
                    "tests/linux/lab.fragment",
                ],
                ..self.shipped_kernel()
            },
        }
    }
}

/// What ships for PCs, which boot from a disk.
pub const PC: Spec = Spec {
    name: "pc_x86_64",
    objects: "pc_x86_64",
    work: 740,
    fragments: &[
        "board/common/linux.fragment",
        "board/common/linux-hardening.fragment",
        "board/common/linux-x86_64.fragment",
        "board/common/linux-disk.fragment",
        "board/pc_x86_64/linux.fragment",
    ],
    ..Arch::X86_64.shipped_kernel()
};

/// The same, and what the lab's channels need.
pub const PC_LAB: Spec = Spec {
    name: "lab_pc",
    work: 60,
    fragments: &[
        "board/common/linux.fragment",
        "board/common/linux-hardening.fragment",
        "board/common/linux-x86_64.fragment",
        "board/common/linux-disk.fragment",
        "board/pc_x86_64/linux.fragment",
        "tests/linux/lab.fragment",
    ],
    ..PC
};

/// User-mode Linux, a program: for the tests inside the kernel.
pub const UML: Spec = Spec {
    name: "uml",
    objects: "uml",
    arch: "um",
    cross: "",
    target: ("linux", "linux"),
    fragments: &["tests/linux/uml.fragment"],
    module: false,
    work: 400,
};

/// The same with what finds bugs.
pub const UML_DEBUG: Spec = Spec {
    name: "debug-uml",
    objects: "debug-uml",
    work: 900,
    fragments: &["tests/linux/uml.fragment", "tests/linux/uml-debug.fragment"],
    ..UML
};

/// The same with coverage for a fuzzer that runs in it.
pub const UML_KCOV: Spec = Spec {
    name: "kcov-uml",
    objects: "kcov-uml",
    work: 430,
    fragments: &["tests/linux/uml.fragment", "tests/linux/uml-kcov.fragment"],
    ..UML
};

/// A PC's with two processors and what finds bugs, and nl31 as a module.
pub const DEBUG: Spec = Spec {
    name: "debug",
    objects: "debug",
    work: 800,
    fragments: &["tests/linux/debug.fragment"],
    module: true,
    ..Arch::X86_64.shipped_kernel()
};

/// What `cargo test` boots, in the order of its need.
pub const IN_TESTS: &[Spec] = &[
    Arch::X86_64.shipped_kernel(),
    Arch::X86_64.lab_kernel(),
    PC,
    PC_LAB,
    UML,
];

/// What .ci/run boots.
pub const IN_CI: &[Spec] = &[
    Arch::X86_64.shipped_kernel(),
    Arch::X86_64.lab_kernel(),
    PC,
    PC_LAB,
    UML,
    Arch::Aarch64.shipped_kernel(),
    Arch::Aarch64.lab_kernel(),
    Arch::Armv7.shipped_kernel(),
    Arch::Armv7.lab_kernel(),
    DEBUG,
    UML_KCOV,
];

/// What a module is in its folder, and how it is kept.
const MODULE: (&str, &str) = ("net/nl31/nl31.ko", "nl31.ko");

/// A built kernel: a folder with the kernel, `config` and `System.map`, and the module
/// where nl31 is one.
pub struct Kernel {
    dir: PathBuf,
    name: &'static str,
}

impl Kernel {
    /// The image to boot.
    pub fn image(&self) -> PathBuf {
        self.dir.join(self.name)
    }

    /// nl31, where it is a module.
    pub fn module(&self) -> PathBuf {
        self.dir.join(MODULE.1)
    }
}

impl Spec {
    /// The kernel, built if it is not in the cache.
    pub fn build(&self) -> Result<Kernel> {
        let cache = cache::shared()?;
        let version = source_version()?;
        let compiler = compiler_version(self.cross)?;
        let step = Step::new("kernel");
        loop {
            let key = self.key(&version, &compiler)?;
            let dir = cache.join(format!("kernel-{}-{key}", self.name));
            if self.is_whole(&dir) {
                cache::touch(&dir);
                step.done(&format!("built {}", self.name));
                return Ok(Kernel {
                    dir,
                    name: self.target.0,
                });
            }
            let lock = cache::lock(&cache.join("kernel.lock"), &step)?;
            if self.is_whole(&dir) {
                continue;
            }
            cache::remove(&dir)?;
            step.say(&format!(
                "building {} from {PACKAGE} {version}: {} at most",
                self.name,
                forecast::time(self.work)?
            ));
            let source = source(&cache, &version, &step)?;
            let mut objects = Key::default();
            objects.add("source", &version).add("compiler", &compiler);
            let objects = cache.join(format!("objects-{}-{}", self.objects, objects.name()));
            let (started, from_nothing) = (Instant::now(), !objects.is_dir());
            let outcome = self.compile(&source, &objects, &step, &lock);
            if self.key(&version, &compiler)? != key {
                // what has been built has no name then
                step.say("the sources have changed meanwhile; building again");
                continue;
            }
            let taken = outcome?;
            self.publish(&objects, &dir)?;
            cost::record("kernel", self.name, started.elapsed(), taken);
            if from_nothing && self.name == self.objects {
                forecast::learn(self, taken)?;
            }
            cache::touch(&objects);
            cache::prune(&cache, &format!("kernel-{}-", self.name), 8)?;
            cache::prune(&cache, &format!("objects-{}-", self.objects), 1)?;
            cache::prune(&cache, "linux-", 1)?;
        }
    }

    /// Names everything the outcome depends on: source, compiler, fragments, kmod/, and
    /// how this file builds them.
    fn key(&self, version: &str, compiler: &str) -> Result<String> {
        let project = crate::project();
        let mut key = Key::default();
        key.add("source", version)
            .add("compiler", compiler)
            .add("recipe", include_str!("kernel.rs"));
        if self.arch == UML.arch {
            key.add("registers", include_str!("uml_registers.rs"));
        }
        for fragment in self.fragments {
            key.add_file(project, &project.join(fragment))?;
        }
        for file in kmod_files()? {
            key.add_file(project, &file)?;
        }
        Ok(key.name())
    }

    /// Debian packages that building it takes.
    pub fn packages(&self) -> Vec<&'static str> {
        let arch = Arch::ALL.iter().find(|arch| arch.cross() == self.cross);
        [host::KERNEL, arch.map_or(&[], |arch| arch.packages())].concat()
    }

    /// Whether it is in the cache.
    pub fn is_built(&self) -> Result<bool> {
        let (version, compiler) = (source_version()?, compiler_version(self.cross)?);
        let key = self.key(&version, &compiler)?;
        let dir = cache::shared()?.join(format!("kernel-{}-{key}", self.name));
        Ok(self.is_whole(&dir))
    }

    fn is_whole(&self, dir: &Path) -> bool {
        let last = if self.module { MODULE.1 } else { "System.map" };
        dir.join(self.target.0).is_file() && dir.join(last).is_file()
    }

    /// Builds into `objects`; returns the time that it took of processors.
    fn compile(
        &self,
        source: &Path,
        objects: &Path,
        step: &Step,
        lock: &Flock<File>,
    ) -> Result<Duration> {
        cache::resume(objects, MAKE_NEEDS_MIB, "building a kernel", step, || {
            self.configure_and_make(source, objects, step, lock)
        })
    }

    fn configure_and_make(
        &self,
        source: &Path,
        objects: &Path,
        step: &Step,
        lock: &Flock<File>,
    ) -> Result<Duration> {
        let script = crate::project().join("kmod/add-to-kernel.sh");
        run(Command::new(script).arg(source), "kmod/add-to-kernel.sh")?;
        if self.arch == UML.arch {
            crate::uml_registers::mend(source)?;
        }

        let mut wanted = String::new();
        for fragment in self.fragments {
            wanted += &fs::read_to_string(crate::project().join(fragment))
                .with_context(|| format!("cannot read {fragment}"))?;
        }
        let merged = objects.join("fragments");
        fs::write(&merged, &wanted)?;
        let mut configure = self.make(source, objects);
        configure
            .arg("allnoconfig")
            .env("KCONFIG_ALLCONFIG", &merged);
        run(&mut configure, "make allnoconfig")?;
        // Kconfig drops what it does not know and what depends on something absent, without
        // a word
        let mut check = Command::new(crate::project().join(CHECK_FRAGMENTS));
        check.current_dir(crate::project());
        check.arg(objects.join(".config")).args(self.fragments);
        run(&mut check, CHECK_FRAGMENTS)?;

        let jobs = std::thread::available_parallelism()?.get();
        let mut build = self.make(source, objects);
        build.arg(format!("-j{jobs}")).arg(self.target.0);
        if self.module {
            build.arg("modules");
        }
        cache::hold(&mut build, lock)?;
        run_showing(&mut build, step)
    }

    /// Copies what a build left in `objects` to the cache.
    fn publish(&self, objects: &Path, dir: &Path) -> Result<()> {
        cache::publish(dir, |dir| {
            let mut files = vec![
                (self.target.1, self.target.0),
                (".config", "config"),
                ("System.map", "System.map"),
            ];
            if self.module {
                files.push(MODULE);
            }
            for (from, to) in files {
                fs::copy(objects.join(from), dir.join(to))
                    .with_context(|| format!("cannot copy {from} into {}", dir.display()))?;
            }
            Ok(())
        })
    }

    /// make in `source`, with a clean environment and output that does not depend on who
    /// builds where and when.
    fn make(&self, source: &Path, objects: &Path) -> Command {
        let mut make = Command::new("make");
        for name in FOREIGN {
            make.env_remove(name);
        }
        make.arg("-C")
            .arg(source)
            .arg(format!("O={}", objects.display()))
            .arg(format!("ARCH={}", self.arch))
            .arg(format!("CROSS_COMPILE={}", self.cross))
            .args([
                "KBUILD_BUILD_TIMESTAMP=1970-01-01 00:00:00 UTC",
                "KBUILD_BUILD_USER=nl31",
                "KBUILD_BUILD_HOST=lab",
                "KBUILD_BUILD_VERSION=1",
            ]);
        make.stdin(Stdio::null());
        make
    }
}

/// The files that kmod/add-to-kernel.sh takes, and itself.
pub fn kmod_files() -> Result<Vec<PathBuf>> {
    cache::files_below(&crate::project().join("kmod"), &|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let code = name.ends_with(".c") || name.ends_with(".h");
        (code && !name.ends_with(".mod.c"))
            || ["Kconfig", "Kbuild", "add-to-kernel.sh"].contains(&&*name)
    })
}

fn source_version() -> Result<String> {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${Version}", PACKAGE]);
    run(&mut query, "dpkg-query").with_context(|| format!("the package {PACKAGE} is missing"))
}

fn compiler_version(cross: &str) -> Result<String> {
    let gcc = format!("{cross}gcc");
    run(Command::new(&gcc).arg("--version"), &gcc)
}

/// The unpacked source.
pub fn unpacked_source(step: &Step) -> Result<PathBuf> {
    let cache = cache::shared()?;
    let version = source_version()?;
    let dir = source_dir(&cache, &version);
    if dir.is_dir() {
        // no need to wait for a kernel that is built from it
        return Ok(dir);
    }
    let _lock = cache::lock(&cache.join("kernel.lock"), step)?;
    source(&cache, &version, step)
}

fn source_dir(cache: &Path, version: &str) -> PathBuf {
    cache.join(format!("linux-{}", version.replace(['/', ':'], "_")))
}

/// The unpacked source, with nothing of ours in it yet or an older kmod/.
fn source(cache: &Path, version: &str, step: &Step) -> Result<PathBuf> {
    let dir = source_dir(cache, version);
    if dir.is_dir() {
        cache::touch(&dir);
        return Ok(dir);
    }
    let tarball = PathBuf::from(format!("/usr/src/{PACKAGE}.tar.xz"));
    if !tarball.is_file() {
        bail!(
            "{} is missing, though the package {PACKAGE} is installed; try\n    \
             apt-get install --reinstall {PACKAGE}",
            tarball.display()
        );
    }
    cache::require_space(cache, 3 * 1024, "the kernel's source")?;
    step.say(&format!("unpacking {}", tarball.display()));
    cache::publish(&dir, |dir| {
        let mut tar = Command::new("tar");
        tar.arg("-xf")
            .arg(&tarball)
            .arg("--strip-components=1")
            .arg("-C")
            .arg(dir);
        run(&mut tar, "tar").map(drop)
    })?;
    Ok(dir)
}

/// Runs `command` and returns its output; an error carries what it said.
fn run(command: &mut Command, name: &str) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!(
            "{name} failed ({}):\n{text}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(text)
}

/// Runs make, showing what it compiles; returns the time that it took of processors. An error carries what the compiler said.
fn run_showing(make: &mut Command, step: &Step) -> Result<Duration> {
    let mut child = make.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut errors = child.stderr.take().expect("piped");
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = errors.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let mut count = 0;
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        if let Some(object) = line?.strip_prefix("  CC      ") {
            count += 1;
            step.at(&format!("{count} files compiled, now {object}"));
        }
    }
    let (status, taken) = cost::wait(&mut child)?;
    let errors = errors.join().unwrap_or_default();
    if !status.success() {
        bail!("the kernel does not build ({status}):\n{errors}");
    }
    Ok(taken)
}
