// SPDX-License-Identifier: MIT OR Apache-2.0
//! The board's watchdog: hardware that resets the board when it is not fed in time.
//!
//! It is fed from the main loop, so one that hangs feeds nothing, and only while the
//! receiver thread still answers. An agent that ends in order stops it; one that
//! crashes leaves it running, and init has the time limit to start the next one.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc::{self, c_int};

/// Where the driver does not tell its time limit.
const LIMIT: Duration = Duration::from_secs(4);
/// Most time between two meals, so that a receiver that hangs is noticed.
const LONGEST: Duration = Duration::from_secs(10);

mod ioctl {
    // WDIOC_GETTIMEOUT
    nix::ioctl_read!(get_timeout, b'W', 7, nix::libc::c_int);
}

/// An open watchdog. It is running.
#[derive(Debug)]
pub struct Watchdog {
    file: File,
    /// A quarter of the time limit: three meals may be late.
    interval: Duration,
    due: Instant,
    /// The receiver's count of its rounds when it was last looked at.
    beat: Option<u32>,
    hungry: bool,
}

impl Watchdog {
    /// Opens a watchdog, which starts it. `None` if the board has none.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
        {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut seconds: c_int = 0;
        // SAFETY: `seconds` is what the request fills, and outlives the call.
        let told = unsafe { ioctl::get_timeout(file.as_raw_fd(), &mut seconds) };
        let limit = match u64::try_from(seconds) {
            Ok(seconds @ 1..) if told.is_ok() => Duration::from_secs(seconds),
            _ => LIMIT,
        };
        log::info!("watchdog: resets the board after {} s", limit.as_secs());
        Ok(Some(Self {
            file,
            interval: (limit / 4).min(LONGEST),
            due: Instant::now(),
            beat: None,
            hungry: false,
        }))
    }

    /// When it is to be fed next.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Feeds it if it is time to, and the receiver, where there is one, has turned since
    /// the last time; says whether it was time. `beat` counts the receiver's rounds.
    pub fn feed(&mut self, beat: Option<u32>) -> bool {
        let now = Instant::now();
        if now < self.due {
            return false;
        }
        self.due = now + self.interval;
        let alive = beat.is_none() || beat != self.beat;
        self.beat = beat;
        if !alive {
            if !self.hungry {
                log::error!("watchdog: not fed, the receiver hangs");
            }
            self.hungry = true;
            return true;
        }
        self.hungry = false;
        if let Err(error) = self.file.write(b"\0") {
            log::error!("watchdog: {error}");
        }
        true
    }

    /// Stops it: the agent ends in order.
    pub fn stop(mut self) {
        // By the letter that a process which dies does not write.
        if let Err(error) = self.file.write(b"V") {
            log::error!("watchdog: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Device(std::path::PathBuf);

    impl Device {
        fn new(name: &str) -> Self {
            let name = format!("nl31-watchdog-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::write(&path, "").unwrap();
            Self(path)
        }

        fn meals(&self) -> Vec<u8> {
            fs::read(&self.0).unwrap()
        }
    }

    impl Drop for Device {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    /// As if that time had passed.
    fn later(watchdog: &mut Watchdog) {
        watchdog.due = Instant::now();
    }

    #[test]
    fn is_fed_in_time_while_the_receiver_turns() {
        let device = Device::new("fed");
        let mut watchdog = Watchdog::open(&device.0).unwrap().unwrap();
        assert!(watchdog.feed(Some(1)));
        assert!(!watchdog.feed(Some(2)), "too early");
        assert!(watchdog.due() <= Instant::now() + LIMIT / 4);
        for beat in 2..5 {
            later(&mut watchdog);
            watchdog.feed(Some(beat));
        }
        assert_eq!(device.meals(), [0; 4]);
        watchdog.stop();
        assert_eq!(device.meals(), [0, 0, 0, 0, b'V']);
    }

    #[test]
    fn starves_when_the_receiver_hangs_and_not_when_there_is_none() {
        let device = Device::new("hungry");
        let mut watchdog = Watchdog::open(&device.0).unwrap().unwrap();
        let beats = [Some(7), Some(7), Some(7), None, None, Some(0), Some(0)];
        for beat in beats {
            later(&mut watchdog);
            watchdog.feed(beat);
        }
        assert_eq!(device.meals().len(), 4);
        drop(watchdog);
        assert!(!device.meals().contains(&b'V'));
    }

    #[test]
    fn a_board_may_have_none() {
        let nowhere = Path::new("/nonexistent/watchdog");
        assert!(Watchdog::open(nowhere).unwrap().is_none());
    }
}
