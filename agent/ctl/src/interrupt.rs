// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ends the program early: on signals such as Ctrl-C, and when the reader of standard output has
//! exited. The session ends before the program does, so that no transaction stays open
//! and the line returns to its console.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use nix::libc::{SIGINT, c_int};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};

use crate::error::Error;

/// How soon a signal is noticed while nothing is received.
pub const NOTICE: Duration = Duration::from_millis(100);

static CAUGHT: AtomicI32 = AtomicI32::new(0);
static OUTPUT_WATCHED: AtomicBool = AtomicBool::new(false);

extern "C" fn caught(signal: c_int) {
    if signal == SIGINT {
        // The shell forgets a Ctrl-C; it must not hide another signal.
        let _ = CAUGHT.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed);
    } else {
        CAUGHT.store(signal, Ordering::Relaxed);
    }
}

/// Sets the handler of a signal; gives the one before.
fn handle(signal: Signal, handler: SigHandler, flags: SaFlags) -> SigHandler {
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY: the handler only stores a number.
    let before = unsafe { sigaction(signal, &action) };
    before.expect("these signals can be caught").handler()
}

/// Catches the next signal that ends the program. A second one ends it at once.
pub fn catch() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let before = handle(signal, SigHandler::Handler(caught), SaFlags::SA_RESETHAND);
        // nohup and a shell's `&` have it ignored.
        if let SigHandler::SigIgn = before {
            handle(signal, before, SaFlags::empty());
        }
    }
}

/// Catches the next signal after a Ctrl-C that has stopped a command of the shell.
pub fn forget_ctrl_c() {
    let _ = CAUGHT.compare_exchange(SIGINT, 0, Ordering::Relaxed, Ordering::Relaxed);
    catch();
}

/// Makes [`check`] fail once the reader of standard output has exited, even before a write:
/// for commands that only print and may wait without end.
pub fn watch_output() {
    OUTPUT_WATCHED.store(true, Ordering::Relaxed);
}

/// Whether the reader of the output is gone; poll() tells that without a write.
fn output_is_closed() -> bool {
    let out = io::stdout();
    let mut fds = [PollFd::new(out.as_fd(), PollFlags::empty())];
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
    poll(&mut fds, PollTimeout::ZERO).is_ok()
        && fds[0].revents().is_some_and(|now| now.intersects(gone))
}

/// Fails if a signal was caught, or the reader of a watched output has gone.
pub fn check() -> Result<(), Error> {
    match CAUGHT.load(Ordering::Relaxed) {
        0 if OUTPUT_WATCHED.load(Ordering::Relaxed) && output_is_closed() => Err(Error::Closed),
        0 => Ok(()),
        signal => Err(Error::Interrupted(signal)),
    }
}

/// Waits for this time; fails as soon as [`check`] does.
pub fn pause(time: Duration) -> Result<(), Error> {
    let end = Instant::now() + time;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(NOTICE));
    }
}

/// Ends the program by the signal that was caught, so that a shell sees the cause.
pub fn end(signal: i32) {
    if let Ok(signal) = Signal::try_from(signal) {
        handle(signal, SigHandler::SigDfl, SaFlags::empty());
        // Should it fail, the program exits with the status of the signal.
        let _ = raise(signal);
    }
}
