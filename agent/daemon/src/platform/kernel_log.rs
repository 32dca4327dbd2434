// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's log, `/dev/kmsg` (Documentation/ABI/testing/dev-kmsg of Linux), opened
//! while the agent is root: with `kernel.dmesg_restrict` its own user may not open it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, PoisonError};

use nix::libc;

const DEVICE: &str = "/dev/kmsg";

/// Longest line in bytes; the rest is cut.
const LINE_MAX: usize = 255;

/// Longest record: `CONSOLE_EXT_LOG_MAX` of Linux 6.1; later ones are shorter.
const RECORD_MAX: usize = 8192;

/// Words for the severities of syslog(3), 0 to 7.
const LEVELS: [&str; 8] = [
    "EMERG", "ALERT", "CRIT", "ERROR", "WARN", "NOTICE", "INFO", "DEBUG",
];

/// A line of the log, in the form of the agent's own log.
pub type KernelLine = heapless::String<LINE_MAX>;

struct Log {
    file: File,
    /// Number of the record behind the last one read.
    next: u64,
}

static LOG: Mutex<Option<Log>> = Mutex::new(None);

/// Opens the log, for all sessions.
pub fn open() -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(DEVICE)?;
    *LOG.lock().unwrap_or_else(PoisonError::into_inner) = Some(Log { file, next: 0 });
    Ok(())
}

/// The first line from number `from` on that the kernel still has, and its number. `None`
/// at the end of the log.
pub fn line(from: u64) -> io::Result<Option<(u64, KernelLine)>> {
    let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    let log = log.as_mut().ok_or(ErrorKind::PermissionDenied)?;
    if log.next != from {
        // Another listing has read meanwhile, or this one begins.
        log.file.seek(SeekFrom::Start(0))?;
    }
    let mut record = [0; RECORD_MAX];
    loop {
        match log.file.read(&mut record) {
            Ok(len) => {
                let Some((number, line)) = parse(&record[..len]) else {
                    continue;
                };
                log.next = number + 1;
                if number >= from {
                    return Ok(Some((number, line)));
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            // The kernel has overwritten the next record; it goes on with the oldest one.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// `PRIORITY,NUMBER,MICROSECONDS,…;TEXT` and a line end, before lines of keys.
fn parse(record: &[u8]) -> Option<(u64, KernelLine)> {
    let record = String::from_utf8_lossy(record);
    let (head, text) = record.split_once(';')?;
    let mut fields = head.split(',');
    let priority: usize = fields.next()?.parse().ok()?;
    let number = fields.next()?.parse().ok()?;
    let micros: u64 = fields.next()?.parse().ok()?;
    let text = text.lines().next().unwrap_or("");
    let mut line = KernelLine::new();
    let (seconds, millis) = (micros / 1_000_000, micros / 1000 % 1000);
    let whole = format!("[{seconds:5}.{millis:03}] {} {text}", LEVELS[priority % 8]);
    for c in whole.chars() {
        if line.push(c).is_err() {
            break;
        }
    }
    Some((number, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_has_number_uptime_level_and_first_line_of_text() {
        let record = b"6,339,5140900,-;NET: Registered PF_INET\n SUBSYSTEM=net\n";
        let (number, line) = parse(record).unwrap();
        assert_eq!(number, 339);
        assert_eq!(line, "[    5.140] INFO NET: Registered PF_INET");
        // Of user space: the facility is in the higher bits.
        let (_, line) = parse(b"12,1,0,-;x").unwrap();
        assert_eq!(line, "[    0.000] WARN x");
        for bad in [&b""[..], b"6,x,1;a", b"6,1", b"6,1,2"] {
            assert_eq!(parse(bad), None);
        }
    }

    #[test]
    fn long_text_is_cut() {
        let record = format!("0,7,0,-;{}", "\u{e9}".repeat(LINE_MAX));
        let (_, line) = parse(record.as_bytes()).unwrap();
        assert!(line.len() >= LINE_MAX - 1);
    }
}
