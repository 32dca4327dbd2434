// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ctrl-C and its like: the session ends first, so that no transaction stays open and
//! the line is the console's again, and then the program.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use nix::libc::{SIGINT, c_int};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};

use crate::error::Error;

/// How soon a signal is noticed where nothing comes.
pub const NOTICE: Duration = Duration::from_millis(100);

static CAUGHT: AtomicI32 = AtomicI32::new(0);

extern "C" fn caught(signal: c_int) {
    if signal == SIGINT {
        // The shell forgets this one, and no other with it.
        let _ = CAUGHT.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed);
    } else {
        CAUGHT.store(signal, Ordering::Relaxed);
    }
}

/// Sets what a signal does; gives what it did before.
fn handle(signal: Signal, handler: SigHandler, flags: SaFlags) -> SigHandler {
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY: the handler does nothing but store a number.
    let before = unsafe { sigaction(signal, &action) };
    before.expect("these signals can be caught").handler()
}

/// Catches the next signal that wants the program to end. One more of them ends it at
/// once.
pub fn catch() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let before = handle(signal, SigHandler::Handler(caught), SaFlags::SA_RESETHAND);
        // As nohup and a shell's `&` want it.
        if let SigHandler::SigIgn = before {
            handle(signal, before, SaFlags::empty());
        }
    }
}

/// Catches the next one where Ctrl-C has stopped what it was for.
pub fn forget_ctrl_c() {
    let _ = CAUGHT.compare_exchange(SIGINT, 0, Ordering::Relaxed, Ordering::Relaxed);
    catch();
}

/// Fails if a signal was caught.
pub fn check() -> Result<(), Error> {
    match CAUGHT.load(Ordering::Relaxed) {
        0 => Ok(()),
        signal => Err(Error::Interrupted(signal)),
    }
}

/// Ends the program by a signal that was caught, so that a shell knows why.
pub fn end(signal: i32) {
    if let Ok(signal) = Signal::try_from(signal) {
        handle(signal, SigHandler::SigDfl, SaFlags::empty());
        // Fails never, or the program just goes on to its end.
        let _ = raise(signal);
    }
}
