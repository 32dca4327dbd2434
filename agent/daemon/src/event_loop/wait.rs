// SPDX-License-Identifier: MIT OR Apache-2.0
//! One poll for input, output, the kernel, signals and timers.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use super::agent::Agent;
use super::serial_line::SILENCE;
use crate::frames::control_socket::PROGRAMS_MAX;
use crate::platform::watchdog::Watchdog;

/// Interval of the check for a kernel that owes an answer.
const ANSWER_CHECK: Duration = Duration::from_secs(1);

impl Agent {
    /// Waits for something to do; handles input and signals.
    pub(super) fn wait(&mut self, busy: bool) -> io::Result<()> {
        let timeout = if busy {
            PollTimeout::ZERO
        } else {
            self.next_timer()
        };
        let pending = match self.line.frames() {
            true => self.program.pending(),
            false => !self.console.out().pending().is_empty(),
        };
        let stalled = self.stall.has_dropped();
        let wants = self.wants() > 0;
        let answers = self.console.waits_for_kernel();
        let listens = self.console.listens() || self.programs_subscribe();

        let mut fds = heapless::Vec::<PollFd, { 8 + PROGRAMS_MAX }>::new();
        let mut watch = |fd, flags| {
            let _ = fds.push(PollFd::new(fd, flags));
            fds.len() - 1
        };
        let signals = watch(self.signals.as_fd(), PollFlags::POLLIN);
        let (mut input, mut output, mut hangup) = (None, None, None);
        if let Some(serial) = &self.serial {
            if wants {
                input = Some(watch(serial.input(), PollFlags::POLLIN));
            }
            if pending || stalled {
                output = Some(watch(serial.output(), PollFlags::POLLOUT));
            } else if !wants {
                // No event is wanted; poll() reports a hangup anyway.
                hangup = Some(watch(serial.input(), PollFlags::empty()));
            }
        }
        if let Some(events) = &self.events {
            if listens {
                watch(events.ready().as_fd(), PollFlags::POLLIN);
            }
            if answers {
                watch(events.answers_ready().as_fd(), PollFlags::POLLIN);
            }
        }
        let links = self.arrivals.as_ref();
        let links = links.and_then(|arrivals| arrivals.events.as_ref());
        let links = links.map(|events| watch(events.as_fd(), PollFlags::POLLIN));
        if let Some(answers) = self.console.waits_for_network() {
            watch(answers, PollFlags::POLLIN);
        }
        let own = fds.len();
        if let Some(control) = &self.control {
            control.watch(&mut |fd, flags| {
                let _ = fds.push(PollFd::new(fd, flags));
            });
        }
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |index: usize| fds[index].any().unwrap_or(false);
        let signalled = ready(signals);
        let readable = input.is_some_and(ready);
        let writable = output.is_some_and(ready);
        let links = links.is_some_and(ready);
        let programs = (own..fds.len()).any(ready);
        let gone = hangup.is_some_and(ready) && !self.options.serial.is_standard();
        drop(fds);
        if signalled {
            self.signal()?;
        }
        if let Some(arrivals) = self.arrivals.as_mut().filter(|_| links) {
            arrivals.hear();
        }
        if writable && stalled {
            self.tell_of_stall();
        }
        if readable {
            self.read();
        } else if gone {
            self.hung_up();
        }
        if let Some(control) = self.control.as_mut().filter(|_| programs) {
            control.work();
        }
        Ok(())
    }

    pub(super) fn next_timer(&self) -> PollTimeout {
        let serial = self.serial.is_none().then_some(self.serial_retry.at);
        let kernel = (!self.console.attached()).then_some(self.kernel_retry.at);
        let silence = self.line.begun().then(|| self.heard + SILENCE);
        // Without a kernel, no commit can be rolled back and no route added.
        let ready = self.console.attached() && !self.console.booting();
        let undo = self.shared.left().filter(|_| ready);
        let undo =
            undo.map(|left| (Instant::now() + Duration::from_millis(left)).max(self.undo_retry.at));
        let idle = self.idle().map(|idle| Instant::now() + idle);
        let watchdog = self.watchdog.as_ref().map(Watchdog::due);
        // Notice a kernel that does not answer.
        let answer = self.console.waits_for_kernel();
        let answer = answer.then(|| Instant::now() + ANSWER_CHECK);
        // In the past where the line's output is dropped at once; then no output waits.
        let stall = self.stall.deadline().filter(|at| *at > Instant::now());
        let reboot = self.shared.reboot.get();
        let arrivals = self.arrivals_due().filter(|_| ready);
        let leases = self.leases_due().filter(|_| ready);
        let command = self.console.timer();
        let speed = self.speed.timer();
        let timers = [
            speed, serial, kernel, silence, undo, idle, watchdog, answer, stall, reboot, arrivals,
            leases, command,
        ];
        let timers = timers.into_iter().flatten();
        match timers.min() {
            None => PollTimeout::NONE,
            Some(at) => {
                let left = at.saturating_duration_since(Instant::now());
                PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX)
            }
        }
    }

    pub(super) fn signal(&mut self) -> io::Result<()> {
        while let Some(info) = self.signals.read_signal()? {
            if info.ssi_signo == Signal::SIGWINCH as u32 {
                if let Some(serial) = &self.serial {
                    let (columns, rows) = serial.size();
                    self.console.set_size(columns, rows);
                }
            } else {
                log::info!("ended by signal {}", info.ssi_signo);
                self.terminated = true;
            }
        }
        Ok(())
    }
}
