// SPDX-License-Identifier: MIT OR Apache-2.0
//! The board's watchdog: hardware that resets the board when it is not pinged in time.
//!
//! The main loop pings it while the receive thread completes rounds, so a hang of either thread
//! ends the pings. Under init the watchdog is never stopped: an ending agent leaves it
//! running for the next one, which has to start within the time limit; no ping is sent during
//! a shutdown, so a hanging shutdown ends in a reset. An agent started by hand stops it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc::{self, c_int};

/// Time limit if the driver does not report it.
const LIMIT: Duration = Duration::from_secs(4);
/// Longest ping interval, so that a hanging receive thread is noticed.
const INTERVAL_MAX: Duration = Duration::from_secs(10);
/// Time for a shutdown, if the driver accepts the limit.
const SHUTDOWN: Duration = Duration::from_secs(60);
/// Written before the close, this stops the watchdog (the kernel's "magic close").
const MAGIC_CLOSE: &[u8] = b"V";

mod ioctl {
    // WDIOC_SETTIMEOUT
    nix::ioctl_readwrite!(set_timeout, b'W', 6, nix::libc::c_int);
    // WDIOC_GETTIMEOUT
    nix::ioctl_read!(get_timeout, b'W', 7, nix::libc::c_int);
}

/// An open, running watchdog.
#[derive(Debug)]
pub struct Watchdog {
    file: File,
    limit: Duration,
    /// A quarter of the time limit: three pings may be late.
    interval: Duration,
    due: Instant,
    /// The receive thread's count of rounds at the last ping.
    heartbeat: Option<u32>,
    /// The receive thread completed no round since the last ping.
    stalled: bool,
}

impl Watchdog {
    /// Opens and thereby starts a watchdog. `None` if the board has none.
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
            limit,
            interval: (limit / 4).min(INTERVAL_MAX),
            due: Instant::now(),
            heartbeat: None,
            stalled: false,
        }))
    }

    /// When the next ping is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Sends a ping if one is due and the receive thread, if any, has completed a round since
    /// the last ping; gives whether a ping was due. `heartbeat` counts the rounds.
    pub fn ping(&mut self, heartbeat: Option<u32>) -> bool {
        let now = Instant::now();
        if now < self.due {
            return false;
        }
        self.due = now + self.interval;
        let alive = heartbeat.is_none() || heartbeat != self.heartbeat;
        self.heartbeat = heartbeat;
        if !alive {
            if !self.stalled {
                log::error!("watchdog: not pinged: the receiver thread is stuck");
            }
            self.stalled = true;
            return true;
        }
        self.stalled = false;
        self.write(b"\0");
        true
    }

    /// Sets the time limit of a shutdown, and sends the last ping.
    pub fn allow_shutdown(&mut self) {
        if self.limit < SHUTDOWN {
            let mut seconds = SHUTDOWN.as_secs() as c_int;
            // SAFETY: `seconds` is what the request reads and fills, and outlives the call.
            let set = unsafe { ioctl::set_timeout(self.file.as_raw_fd(), &mut seconds) };
            if let Err(error) = set {
                let limit = self.limit.as_secs();
                log::warn!("watchdog: a shutdown has {limit} s, the driver keeps them: {error}");
            }
        }
        self.write(b"\0");
    }

    /// Stops the watchdog: no other process would ping it.
    pub fn stop(mut self) {
        self.write(MAGIC_CLOSE);
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.file.write(bytes) {
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

        fn written(&self) -> Vec<u8> {
            fs::read(&self.0).unwrap()
        }
    }

    impl Drop for Device {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    /// Simulates that this time has passed.
    fn later(watchdog: &mut Watchdog) {
        watchdog.due = Instant::now();
    }

    #[test]
    fn is_pinged_in_time_while_the_receiver_makes_rounds() {
        let device = Device::new("pinged");
        let mut watchdog = Watchdog::open(&device.0).unwrap().unwrap();
        assert!(watchdog.ping(Some(1)));
        assert!(!watchdog.ping(Some(2)), "too early");
        assert!(watchdog.due() <= Instant::now() + LIMIT / 4);
        for heartbeat in 2..5 {
            later(&mut watchdog);
            watchdog.ping(Some(heartbeat));
        }
        assert_eq!(device.written(), [0; 4]);
        watchdog.stop();
        assert_eq!(device.written(), [0, 0, 0, 0, b'V']);
    }

    #[test]
    fn is_not_pinged_while_the_receiver_is_stuck() {
        let device = Device::new("stuck");
        let mut watchdog = Watchdog::open(&device.0).unwrap().unwrap();
        let heartbeats = [Some(7), Some(7), Some(7), None, None, Some(0), Some(0)];
        for heartbeat in heartbeats {
            later(&mut watchdog);
            watchdog.ping(heartbeat);
        }
        assert_eq!(device.written().len(), 4);
        drop(watchdog);
        assert!(!device.written().contains(&b'V'));
    }

    #[test]
    fn a_shutdown_gets_one_last_ping_and_no_stop() {
        let device = Device::new("shutdown");
        let mut watchdog = Watchdog::open(&device.0).unwrap().unwrap();
        watchdog.allow_shutdown();
        drop(watchdog);
        assert_eq!(device.written(), [0]);
    }

    #[test]
    fn a_board_may_have_none() {
        let nowhere = Path::new("/nonexistent/watchdog");
        assert!(Watchdog::open(nowhere).unwrap().is_none());
    }
}
