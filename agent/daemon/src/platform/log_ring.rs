// SPDX-License-Identifier: MIT OR Apache-2.0
//! The agent's log: its last lines, in memory. The agent never writes its log to the serial
//! line, which carries the dialogue with people and programs; the command `log` shows it.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use super::printable::printable;
use nix::time::{ClockId, clock_gettime};

/// Longest line in bytes; the rest is cut.
const LINE_MAX: usize = 160;
/// Lines kept.
const LINES: usize = 64;

/// A line of the log.
pub type LogLine = heapless::String<LINE_MAX>;

struct Ring {
    lines: heapless::Deque<LogLine, LINES>,
    /// Number of the first line in `lines`, counted from the start.
    first: u64,
}

static RING: Mutex<Ring> = Mutex::new(Ring {
    lines: heapless::Deque::new(),
    first: 0,
});

/// Directs the `log` crate's records to the ring. The environment variable `NL31_LOG` sets the
/// level; its syntax is that of `RUST_LOG`.
pub fn init() {
    let environment = env_logger::Env::default().filter_or("NL31_LOG", "info");
    // Only tests call this twice; the second call has no effect.
    let _ = env_logger::Builder::from_env(environment)
        .format(|line, record| {
            let uptime = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
            let (seconds, millis) = (uptime.tv_sec(), uptime.tv_nsec() / 1_000_000);
            writeln!(
                line,
                "[{seconds:5}.{millis:03}] {} {}",
                record.level(),
                record.args()
            )
        })
        .target(env_logger::Target::Pipe(Box::new(RingWriter)))
        .try_init();
}

/// The first line with number `from` or higher that the ring still has, and its number.
pub fn line(from: u64) -> Option<(u64, LogLine)> {
    let ring = RING.lock().unwrap_or_else(PoisonError::into_inner);
    let number = from.max(ring.first);
    let index = usize::try_from(number - ring.first).ok()?;
    ring.lines
        .iter()
        .nth(index)
        .map(|line| (number, line.clone()))
}

/// The number of the next line.
pub fn next() -> u64 {
    let ring = RING.lock().unwrap_or_else(PoisonError::into_inner);
    ring.first + ring.lines.len() as u64
}

struct RingWriter;

impl Write for RingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut ring = RING.lock().unwrap_or_else(PoisonError::into_inner);
        for text in bytes
            .split(|&byte| byte == b'\n')
            .filter(|text| !text.is_empty())
        {
            let mut line = LogLine::new();
            for c in String::from_utf8_lossy(text).chars() {
                if line.push(printable(c)).is_err() {
                    break;
                }
            }
            if ring.lines.is_full() {
                ring.lines.pop_front();
                ring.first += 1;
            }
            let _ = ring.lines.push_back(line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_lines() {
        init();
        for i in 0..2 * LINES {
            log::info!("line {i} {}\x1b", "x".repeat(200));
        }
        let mut next = 0;
        let mut lines = Vec::new();
        while let Some((number, line)) = line(next) {
            next = number + 1;
            lines.push(line);
        }
        assert_eq!(lines.len(), LINES);
        assert!(super::next() >= next && line(u64::MAX).is_none());
        assert!(
            lines
                .iter()
                .all(|line| line.len() <= LINE_MAX && !line.contains('\x1b'))
        );
        assert!(lines.iter().any(|line| line.contains("INFO line 127 ")));
    }
}
