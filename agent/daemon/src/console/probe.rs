// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ping ADDRESS` and `traceroute ADDRESS`: the requests leave as any packet of this router
//! does. Ctrl-C ends them.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use nix::libc;
use nl31_netlink::Transport;

use super::ping::Ping;
use super::reply::Counted;
use super::session::{Console, Running};
use super::traceroute::{End, HOPS_MAX, Traceroute};
use crate::grammar::Probe;
use crate::grammar::codes::{self, Code};
use crate::platform::icmp_echo::Echo;

/// Requests and bytes of each, unless the line says otherwise.
const COUNT: u32 = 5;
const SIZE: u16 = 56;

/// Answers that are read in one step.
const ANSWERS_PER_STEP: usize = 16;

/// Requests that are under way.
#[derive(Debug)]
pub(super) struct Probing {
    probe: Probe,
    echo: Echo,
    course: Course,
}

#[derive(Debug)]
enum Course {
    Ping(Ping),
    Traceroute(Traceroute),
}

impl Probing {
    /// When there is something to do without an answer.
    pub(super) fn due(&self) -> Instant {
        match &self.course {
            Course::Ping(ping) => ping.due(),
            Course::Traceroute(traceroute) => traceroute.due(),
        }
    }

    /// Readable when an answer has arrived.
    pub(super) fn ready(&self) -> BorrowedFd<'_> {
        self.echo.as_fd()
    }
}

impl<T: Transport> Console<T> {
    pub(super) fn start_ping(&mut self, probe: Probe) {
        let course = Course::Ping(Ping::new(probe.count.unwrap_or(COUNT), Instant::now()));
        self.start_probing(probe, course);
    }

    pub(super) fn start_traceroute(&mut self, probe: Probe) {
        let course = Course::Traceroute(Traceroute::new(Instant::now()));
        self.start_probing(probe, course);
    }

    fn start_probing(&mut self, probe: Probe, course: Course) {
        let index = match &probe.device {
            None => None,
            Some(name) => match self.devices.index(name) {
                Some(index) => Some((index, name.as_bytes())),
                None => {
                    return self.status(
                        codes::NO_DEVICE,
                        format_args!("device {name} does not exist"),
                    );
                }
            },
        };
        let size = probe.size.unwrap_or(SIZE).into();
        match Echo::open(probe.destination, probe.from, index, size) {
            Ok(echo) => {
                self.running = Running::Probe(Box::new(Probing {
                    probe,
                    echo,
                    course,
                }));
            }
            Err(error) => self.cannot_probe(&probe, &error),
        }
    }

    /// Reads answers, and sends the request that is due. Gives `false`: the caller has to wait.
    pub(super) fn probe(&mut self, mut probing: Box<Probing>) -> bool {
        let stopped = std::mem::take(&mut self.stop);
        for _ in 0..ANSWERS_PER_STEP {
            let answer = match probing.echo.receive() {
                Ok(Some(answer)) => answer,
                Ok(None) => break,
                Err(error) => {
                    self.cannot_probe(&probing.probe, &error);
                    return true;
                }
            };
            let now = Instant::now();
            let mut line = String::new();
            match &mut probing.course {
                Course::Ping(ping) => ping.answered(&answer, now, &mut line),
                Course::Traceroute(traceroute) => {
                    line.extend(traceroute.answered(&answer, now));
                }
            }
            self.told(&line);
        }
        let now = Instant::now();
        let (destination, echo) = (probing.probe.destination, &mut probing.echo);
        match &mut probing.course {
            Course::Ping(ping) if stopped || ping.is_over(now) => {
                let code = match ping.has_replies() {
                    true => codes::DONE,
                    false => codes::NO_REPLY,
                };
                self.status(code, format_args!("{destination}: {ping}"));
                return true;
            }
            Course::Ping(ping) => {
                if let Some(sequence) = ping.to_send(now) {
                    let sent = echo.send(sequence);
                    if let Err(error) = &sent {
                        // Later ones may be lost with a link that comes back.
                        if sequence == 1 {
                            self.cannot_probe(&probing.probe, error);
                            return true;
                        }
                        self.data(format_args!("seq {sequence} is not sent: {}", Said(error)));
                    }
                    let mut line = String::new();
                    ping.sent(sent.is_ok(), now, &mut line);
                    self.told(&line);
                }
            }
            Course::Traceroute(_) if stopped => {
                self.status(codes::STOPPED, format_args!("stopped"));
                return true;
            }
            Course::Traceroute(traceroute) => {
                if let Some(line) = traceroute.expire(now) {
                    self.told(&line);
                }
                if let Some(end) = traceroute.end() {
                    self.traced(&probing.probe, end);
                    return true;
                }
                if let Some((ttl, sequence)) = traceroute.to_send() {
                    let sent = echo.set_ttl(ttl).and_then(|()| echo.send(sequence));
                    if let Err(error) = sent {
                        self.cannot_probe(&probing.probe, &error);
                        return true;
                    }
                    traceroute.sent(now);
                }
            }
        }
        self.running = Running::Probe(probing);
        false
    }

    fn told(&mut self, line: &str) {
        if !line.is_empty() {
            self.data(format_args!("{line}"));
        }
    }

    fn traced(&mut self, probe: &Probe, end: End) {
        let destination = probe.destination;
        match end {
            End::Reached(hops) => {
                let hops = Counted(hops.into(), "hop");
                self.status(codes::DONE, format_args!("{destination}: {hops}"));
            }
            End::Rejected(text) => {
                self.status(codes::NO_REPLY, format_args!("{destination}: {text}"));
            }
            End::TooFar => self.status(
                codes::NO_REPLY,
                format_args!("{destination} is not reached within {HOPS_MAX} hops"),
            ),
        }
    }

    fn cannot_probe(&mut self, probe: &Probe, error: &io::Error) {
        let destination = probe.destination;
        match (error.raw_os_error(), probe.from) {
            (Some(libc::EADDRNOTAVAIL), Some(from)) => {
                self.status(codes::NO_ADDRESS, format_args!("{from} is not an address of this router"));
            }
            (Some(libc::EACCES | libc::EPERM), _) => self.status(
                codes::DENIED,
                format_args!(
                    "{destination}: not permitted: the route prohibits it, or net.ipv4.ping_group_range excludes this user"
                ),
            ),
            (errno, _) => {
                let code = Code::of_errno(errno.unwrap_or(0));
                self.status(code, format_args!("{destination}: {}", Said(error)));
            }
        }
    }
}

/// An error without its number, which the code of the status line stands for.
struct Said<'a>(&'a io::Error);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.raw_os_error() {
            Some(errno) => f.write_str(nix::errno::Errno::from_raw(errno).desc()),
            None => self.0.fmt(f),
        }
    }
}
