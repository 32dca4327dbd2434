// SPDX-License-Identifier: MIT OR Apache-2.0
//! The architectures that images are built for, and what each is called by whom.

use clap::ValueEnum;

/// An architecture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Arch {
    /// 64-bit PCs.
    #[default]
    #[value(name = "x86_64")]
    X86_64,
    /// 64-bit Arm.
    Aarch64,
    /// 32-bit Arm with an ARMv7-A core and hardware floating point.
    Armv7,
}

impl Arch {
    /// All of them.
    pub const ALL: &[Self] = &[Self::X86_64, Self::Aarch64, Self::Armv7];

    /// Its name, as in `nl31_qemu_NAME_defconfig`.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
            Self::Armv7 => "armv7",
        }
    }

    /// What Debian calls it.
    pub fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
            Self::Armv7 => "armhf",
        }
    }

    /// The Rust target of static programs.
    pub fn rust_target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-musl",
            Self::Aarch64 => "aarch64-unknown-linux-musl",
            Self::Armv7 => "armv7-unknown-linux-musleabihf",
        }
    }

    /// What the names of its compiler and binutils begin with; the host's own for PCs.
    pub const fn cross(self) -> &'static str {
        match self {
            Self::X86_64 => "",
            Self::Aarch64 => "aarch64-linux-gnu-",
            Self::Armv7 => "arm-linux-gnueabihf-",
        }
    }

    /// Debian packages for building and booting, beside those that all take.
    pub fn packages(self) -> &'static [&'static str] {
        match self {
            Self::X86_64 => &["qemu-system-x86"],
            Self::Aarch64 => &[
                "gcc-aarch64-linux-gnu",
                "libc6-dev-arm64-cross",
                "qemu-system-arm",
            ],
            Self::Armv7 => &[
                "gcc-arm-linux-gnueabihf",
                "libc6-dev-armhf-cross",
                "qemu-system-arm",
            ],
        }
    }

    /// The program that emulates it.
    pub fn qemu(self) -> &'static str {
        match self {
            Self::X86_64 => "qemu-system-x86_64",
            Self::Aarch64 => "qemu-system-aarch64",
            Self::Armv7 => "qemu-system-arm",
        }
    }

    /// The machine that QEMU emulates.
    pub fn machine(self) -> &'static str {
        match self {
            Self::X86_64 => "q35",
            Self::Aarch64 | Self::Armv7 => "virt",
        }
    }

    /// The processor, where it is emulated.
    pub fn cpu(self) -> &'static str {
        match self {
            // TCG copies byte by byte where the processor says that it copies strings fast
            Self::X86_64 => "max,erms=off,fsrm=off",
            Self::Aarch64 => "cortex-a53",
            Self::Armv7 => "cortex-a7",
        }
    }

    /// The serial line, the kernel's console.
    pub fn console(self) -> &'static str {
        match self {
            Self::X86_64 => "ttyS0",
            Self::Aarch64 | Self::Armv7 => "ttyAMA0",
        }
    }
}

/// Makes tests of functions that take an [`Arch`]: each on each architecture, in a module
/// of the architecture's name. Those on Arm take kernels and programs of their own, which double
/// the time of a first run: they are there for `--ignored`, as .ci/run has them.
#[macro_export]
macro_rules! on_each_architecture {
    ($($test:ident)*) => {
        mod x86_64 {
            $(#[test] fn $test() { super::$test($crate::Arch::X86_64) })*
        }
        mod aarch64 {
            $(
                #[test]
                #[ignore = "takes another kernel: cargo test aarch64:: -- --ignored"]
                fn $test() { super::$test($crate::Arch::Aarch64) }
            )*
        }
        mod armv7 {
            $(
                #[test]
                #[ignore = "takes another kernel: cargo test armv7:: -- --ignored"]
                fn $test() { super::$test($crate::Arch::Armv7) }
            )*
        }
    };
}
