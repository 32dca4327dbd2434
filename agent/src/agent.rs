// SPDX-License-Identifier: MIT OR Apache-2.0
//! The main thread: one loop over the serial line, signals, timers and what the
//! receiver thread heard. It alone changes state and sends.

use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nl31_netlink::{Client, Error, ErrorKind};

use crate::boot::Boot;
use crate::console::{Console, Peer};
use crate::device::SystemDevices;
use crate::receiver::{Events, Receiver};
use crate::serial::{Choice, Input, Serial};

/// What the agent is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The terminal to serve.
    pub serial: Choice,
    /// The config, if not those of the appliance.
    pub config: Option<PathBuf>,
    /// Folder for what lasts until the next boot.
    pub run: PathBuf,
}

/// A thing to be tried again, at first soon and then less often.
#[derive(Debug)]
struct Retry {
    at: Instant,
    pause: Duration,
}

impl Retry {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(5);

    fn now() -> Self {
        Self {
            at: Instant::now(),
            pause: Self::FIRST,
        }
    }

    fn due(&self) -> bool {
        Instant::now() >= self.at
    }

    fn later(&mut self) {
        self.at = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(Self::LONGEST);
    }
}

struct Agent {
    options: Options,
    console: Console<Receiver>,
    serial: Option<Serial>,
    serial_retry: Retry,
    events: Option<Events>,
    kernel_retry: Retry,
    /// What was last said of the kernel's absence, so that it is said once.
    absence: Option<String>,
    signals: SignalFd,
    terminated: bool,
}

/// Serves until a signal ends it, or the end of standard input. Gives whether
/// every command succeeded.
pub fn run(options: Options) -> io::Result<bool> {
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGWINCH,
    ] {
        signals.add(signal);
    }
    // Before there is another thread, so that none of them gets these.
    signals.thread_block()?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;

    let boot = Boot::new(options.config.as_deref(), &options.run);
    let standard = options.serial == Choice::Standard;
    if !standard {
        // The only way to reach the appliance is the last to be killed when memory is
        // out; without the right to say so it is killed in its turn.
        let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
    }
    let serial = match Serial::open(&options.serial) {
        Ok(serial) => Some(serial),
        // Nobody would come and plug standard input in.
        Err(error) if standard => return Err(error),
        Err(error) => {
            log::error!("serial line: {error}");
            None
        }
    };
    let peer = match &serial {
        Some(serial) if standard && !serial.is_terminal() => Peer::Script,
        _ if standard => Peer::Shell,
        _ => Peer::Line,
    };
    let mut agent = Agent {
        console: Console::new(Box::new(SystemDevices), Some(boot), peer),
        options,
        serial,
        serial_retry: Retry::now(),
        events: None,
        kernel_retry: Retry::now(),
        absence: None,
        signals,
        terminated: false,
    };
    log::info!("agent {} started", env!("CARGO_PKG_VERSION"));
    if let Some(serial) = &agent.serial {
        agent.console.set_width(serial.width());
    }
    agent.console.start();
    agent.open_kernel();
    agent.serve()?;
    // A script that was cut short did not succeed.
    Ok(agent.console.failures() == 0 && !(standard && agent.terminated))
}

impl Agent {
    fn serve(&mut self) -> io::Result<()> {
        loop {
            let busy = self.work();
            self.write();
            let ended = match self.options.serial {
                Choice::Standard => self.console.finished() && !busy,
                _ => false,
            };
            if ended || self.terminated {
                return Ok(());
            }
            self.wait(busy || self.console.may_go_on())?;
        }
    }

    /// Does what there is to do; says whether there is more.
    fn work(&mut self) -> bool {
        if self.serial.is_none() && self.serial_retry.due() {
            self.open_serial();
        }
        // The console lets go of a kernel that fails it.
        if !self.console.attached() || self.events.as_ref().is_some_and(Events::failed) {
            if self.events.take().is_some() {
                self.console.detach();
                self.kernel_retry.later();
            }
            if self.kernel_retry.due() {
                self.open_kernel();
            }
        } else if !self.console.booting() {
            self.kernel_retry = Retry::now();
        }
        let more = self.take_events();
        self.console.work() || more
    }

    fn take_events(&mut self) -> bool {
        let Some(events) = &self.events else {
            return false;
        };
        events.reset();
        // Enough for a burst, and not so many that keys have to wait.
        for _ in 0..64 {
            if !self.console.listens() {
                // Goes on when the terminal has taken some of the output.
                events.again();
                return false;
            }
            match events.take() {
                Some(message) => self.console.event(&message),
                None => {
                    if events.lost() {
                        self.console.events_lost();
                    }
                    return false;
                }
            }
        }
        true
    }

    fn open_kernel(&mut self) {
        let opened = Receiver::start().map_err(Error::from).and_then(|receiver| {
            let events = receiver.events();
            let mut client = Client::new(receiver);
            let greeting = client.greet(None)?;
            Ok((events, client, greeting))
        });
        match opened {
            Ok((events, client, greeting)) => {
                log::info!("nl31 module {}, port {}", greeting.version, greeting.port);
                if self.absence.take().is_some() {
                    self.console
                        .notice(format_args!("the kernel's nl31 module is there now"));
                }
                self.events = Some(events);
                self.console.attach(client);
            }
            Err(error) => {
                self.kernel_retry.later();
                let reason = match error.kind {
                    ErrorKind::Absent => "the kernel's nl31 module is not there".to_string(),
                    _ => error.to_string(),
                };
                if self.absence.as_ref() != Some(&reason) {
                    log::error!("{error}");
                    self.console
                        .notice(format_args!("{reason}; trying again every few seconds"));
                    self.absence = Some(reason);
                }
            }
        }
    }

    fn open_serial(&mut self) {
        match Serial::open(&self.options.serial) {
            Ok(serial) => {
                log::info!("serial line is open");
                self.console.set_width(serial.width());
                self.serial = Some(serial);
                self.serial_retry = Retry::now();
                self.console.restart();
            }
            Err(error) => {
                if self.serial_retry.pause == Retry::FIRST {
                    log::error!("serial line: {error}");
                }
                self.serial_retry.later();
            }
        }
    }

    /// The line is gone: let go of it, and try it again later.
    fn hung_up(&mut self) {
        if self.options.serial == Choice::Standard {
            self.console.end_of_input();
            return;
        }
        log::warn!("serial line hung up");
        self.serial = None;
        self.serial_retry.later();
    }

    fn write(&mut self) {
        while let Some(serial) = &mut self.serial {
            let out = self.console.out();
            if out.pending().is_empty() {
                return;
            }
            match serial.write(out.pending()) {
                Ok(0) => return,
                Ok(len) => out.consume(len),
                Err(error) => {
                    log::warn!("serial line: {error}");
                    out.clear();
                    // Nobody reads the replies: the rest need not be done.
                    self.terminated = self.options.serial == Choice::Standard;
                    self.hung_up();
                    return;
                }
            }
            if self.options.serial == Choice::Standard {
                // One short write, then poll whether it takes more.
                return;
            }
        }
    }

    fn read(&mut self) {
        let Some(serial) = &mut self.serial else {
            return;
        };
        let mut buffer = [0; 1024];
        let room = self.console.wants().min(buffer.len());
        match serial.read(&mut buffer[..room]) {
            Ok(Input::Bytes(len)) => self.console.feed(&buffer[..len]),
            Ok(Input::Nothing) => {}
            Ok(Input::End) => self.hung_up(),
            Err(error) => {
                log::warn!("serial line: {error}");
                self.hung_up();
            }
        }
    }

    /// Waits for something to do; handles input and signals.
    fn wait(&mut self, busy: bool) -> io::Result<()> {
        let timeout = if busy {
            PollTimeout::ZERO
        } else {
            self.next_timer()
        };
        let pending = !self.console.out().pending().is_empty();
        let wants = self.console.wants() > 0 && !self.console.input_ended();
        let answers = self.console.waits_for_kernel();
        let listens = self.console.listens();

        let mut fds = heapless::Vec::<PollFd, 5>::new();
        let mut watch = |fd, flags| {
            let _ = fds.push(PollFd::new(fd, flags));
            fds.len() - 1
        };
        let signals = watch(self.signals.as_fd(), PollFlags::POLLIN);
        let (mut input, mut hangup) = (None, None);
        if let Some(serial) = &self.serial {
            if wants {
                input = Some(watch(serial.input(), PollFlags::POLLIN));
            }
            if pending {
                watch(serial.output(), PollFlags::POLLOUT);
            } else if !wants {
                // Nothing to do there, but a hangup is always reported.
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
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |index: usize| fds[index].any().unwrap_or(false);
        let signalled = ready(signals);
        let readable = input.is_some_and(ready);
        let gone = hangup.is_some_and(ready) && self.options.serial != Choice::Standard;
        drop(fds);
        if signalled {
            self.signal()?;
        }
        if readable {
            self.read();
        } else if gone {
            self.hung_up();
        }
        Ok(())
    }

    fn next_timer(&self) -> PollTimeout {
        let serial = self.serial.is_none().then_some(self.serial_retry.at);
        let kernel = (!self.console.attached()).then_some(self.kernel_retry.at);
        match serial.into_iter().chain(kernel).min() {
            None => PollTimeout::NONE,
            Some(at) => {
                let left = at.saturating_duration_since(Instant::now());
                PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX)
            }
        }
    }

    fn signal(&mut self) -> io::Result<()> {
        while let Some(info) = self.signals.read_signal()? {
            if info.ssi_signo == Signal::SIGWINCH as u32 {
                if let Some(serial) = &self.serial {
                    self.console.set_width(serial.width());
                }
            } else {
                log::info!("ended by signal {}", info.ssi_signo);
                self.terminated = true;
            }
        }
        Ok(())
    }
}
