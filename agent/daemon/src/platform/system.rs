// SPDX-License-Identifier: MIT OR Apache-2.0
//! Identifies this machine and this boot: the image, the host name, and the kernel's random
//! number of the boot.

use std::fmt;
use std::fs::File;
use std::io::Read;

use nix::time::{ClockId, clock_gettime};

const OS_RELEASE: &str = "/etc/os-release";
const HOSTNAME: &str = "/proc/sys/kernel/hostname";
const MEMORY: &str = "/proc/meminfo";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Longest name of a host, as in `utsname`.
pub const HOST_NAME_MAX: usize = 64;

/// Most bytes read of a file.
const FILE_MAX: usize = 512;

/// Passes a line for each to `tell`: `image VERSION BUILD` (on an image of this project
/// only), `host NAME` of the name that is given, `boot ID`, `uptime DAYSd HH:MM:SS`, `memory
/// KIB KiB of KIB available`. What cannot be read has no line.
pub fn describe(host: Option<&str>, mut tell: impl FnMut(fmt::Arguments)) {
    let mut bytes = [0; FILE_MAX];
    if let Some(release) = read(OS_RELEASE, &mut bytes)
        && field(release, "ID") == Some("nl31")
        && let Some(version) = field(release, "VERSION_ID")
        && let Some(build) = field(release, "BUILD_ID")
    {
        tell(format_args!("image {version} {build}"));
    }
    if let Some(name) = host {
        tell(format_args!("host {name}"));
    }
    if let Some(boot) = read(BOOT_ID, &mut bytes).and_then(|text| word(text.trim_ascii())) {
        tell(format_args!("boot {boot}"));
    }
    if let Ok(uptime) = clock_gettime(ClockId::CLOCK_BOOTTIME) {
        let seconds = uptime.tv_sec();
        let (minutes, days) = (seconds / 60, seconds / 86_400);
        let (hour, minute, second) = (minutes / 60 % 24, minutes % 60, seconds % 60);
        tell(format_args!(
            "uptime {days}d {hour:02}:{minute:02}:{second:02}"
        ));
    }
    if let Some((available, total)) = memory() {
        tell(format_args!("memory {available} KiB of {total} available"));
    }
}

/// Seconds since the boot, also while suspended.
pub fn seconds_since_boot() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME);
    now.map_or(0, |now| now.tv_sec() as u64)
}

/// Memory that programs can still get, and all of it, in KiB.
fn memory() -> Option<(u64, u64)> {
    let mut bytes = [0; FILE_MAX];
    let text = std::str::from_utf8(read(MEMORY, &mut bytes)?).ok()?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some((field("MemAvailable:")?, field("MemTotal:")?))
}

/// The board's name, if it has one.
pub fn host_name() -> Option<heapless::String<HOST_NAME_MAX>> {
    let mut bytes = [0; FILE_MAX];
    let name = word(read(HOSTNAME, &mut bytes)?.trim_ascii())?;
    heapless::String::try_from(name)
        .ok()
        .filter(|name| name != "(none)" && name != "localhost")
}

/// The first bytes of a file.
fn read<'a>(path: &str, bytes: &'a mut [u8; FILE_MAX]) -> Option<&'a [u8]> {
    let length = File::open(path).ok()?.read(bytes).ok()?;
    Some(&bytes[..length])
}

/// The value of the line `NAME=VALUE`.
fn field<'a>(text: &'a [u8], name: &str) -> Option<&'a str> {
    let mut lines = text.split(|&byte| byte == b'\n');
    let value = |line: &'a [u8]| line.strip_prefix(name.as_bytes())?.strip_prefix(b"=");
    word(lines.find_map(value)?)
}

/// `text`, if it is printable: a host name may have any bytes.
fn word(text: &[u8]) -> Option<&str> {
    let graphic = !text.is_empty() && text.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(text).ok().filter(|_| graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = b"NAME=nl31\nVERSION_ID=0.1.0\nID=nl31\nBUILD_ID=a b\nX=";
        assert_eq!(field(text, "ID"), Some("nl31"));
        assert_eq!(field(text, "VERSION_ID"), Some("0.1.0"));
        assert_eq!(field(text, "VERSION"), None);
        for unfit in ["BUILD_ID", "X", "GONE"] {
            assert_eq!(field(text, unfit), None, "{unfit}");
        }
    }

    #[test]
    fn a_name_that_would_steer_the_terminal_is_not_shown() {
        assert_eq!(word(b"router-7"), Some("router-7"));
        for unfit in ["", "a b", "\x1b[2J", "é"] {
            assert_eq!(word(unfit.as_bytes()), None, "{unfit:?}");
        }
    }

    #[test]
    fn this_machine_has_memory() {
        let (available, total) = memory().expect("the kernel tells");
        assert!(available <= total && total > 16 * 1024);
    }

    #[test]
    fn this_machine_has_a_boot() {
        let mut lines = Vec::new();
        describe(Some("router-7"), |line| lines.push(line.to_string()));
        for name in ["host router-7", "boot ", "uptime ", "memory "] {
            assert!(lines.iter().any(|line| line.starts_with(name)), "{lines:?}");
        }
    }
}
