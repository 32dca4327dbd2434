// SPDX-License-Identifier: MIT OR Apache-2.0
//! The main thread: one loop over the serial line, the control socket, signals,
//! timers and what the receiver thread heard. It alone changes state and sends.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nl31_netlink::{Client, Error, ErrorKind, Transport};
use nl31_wire::limits::SILENCE_MS;
use nl31_wire::{Heard, Line, Silence};

use crate::candidate::confirmed_commit;
use crate::config::boot::Boot;
use crate::config::locations::Files;
use crate::console::access::{Access, Gate};
use crate::console::shared::Shared;
use crate::console::{Console, Peer};
use crate::frames::control_socket::{Control, PROGRAMS_MAX};
use crate::frames::host::{Host, System};
use crate::frames::session::Program;
use crate::platform::devices::SystemDevices;
use crate::platform::receiver::{Events, Receiver};
use crate::platform::serial::{Choice, Input, Serial};
use crate::platform::watchdog::Watchdog;
use crate::platform::{exit_reason, sandbox, system};

/// What the agent is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The terminal to serve.
    pub serial: Choice,
    /// The config, if not those of the appliance.
    pub config: Option<PathBuf>,
    /// Who may do what on the serial line.
    pub access: PathBuf,
    /// Folder for what lasts until the next boot. The control socket lies beside it,
    /// under its name and `.sock`.
    pub run: PathBuf,
    /// The board's watchdog, if it is to be fed.
    pub watchdog: Option<PathBuf>,
}

/// How long a program's frame may pause.
const SILENCE: Duration = Duration::from_millis(SILENCE_MS as u64);

/// How long a line with a PIN stays unlocked when nothing is heard on it.
const IDLE: Duration = Duration::from_secs(600);

/// How often devices are looked for that the config names and that are not there.
const LOOK: Duration = Duration::from_secs(1);

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
    shared: Rc<Shared>,
    /// When to take a commit back is to be tried again.
    undo_retry: Retry,
    console: Console<Box<dyn Transport>>,
    serial: Option<Serial>,
    serial_retry: Retry,
    /// Tells who talks on the serial line.
    line: Line,
    /// When something was last heard there.
    heard: Instant,
    /// When a command last went on there by itself.
    worked: Instant,
    /// When devices were last looked for.
    looked: Instant,
    /// The session with a program there.
    program: Program<System>,
    /// That program has left; its last answer is on its way.
    leaving: bool,
    control: Option<Control>,
    watchdog: Option<Watchdog>,
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

    let files = Files::new(options.config.as_deref(), &options.run);
    let standard = options.serial.is_standard();
    // An agent for standard input is a guest beside the resident one, whose work the
    // boot is: another one would begin it over, or get in its way.
    let boot = (!standard).then(|| Boot::new(&files));
    let appliance = matches!(options.serial, Choice::Auto);
    let shared = Rc::new(Shared::new(files, !standard, appliance));
    if !standard {
        // The only way to reach the appliance is the last to be killed when memory is
        // out; without the right to say so it is killed in its turn.
        let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
        match exit_reason::begin(&options.run.join("last-words")) {
            Ok(None) => {}
            Ok(Some(text)) => log::warn!("the agent before this one has ended: {text}"),
            Err(error) => log::warn!("{}: {error}", options.run.display()),
        }
    }
    if let Err(error) = sandbox::restrict() {
        // The only way to reach the appliance stays open all the same.
        log::error!("cannot give up privileges: {error}");
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
    // Programs learn from it that an agent was restarted.
    let run_id = RandomState::new().hash_one(std::process::id());
    let control = (!standard).then(|| options.run.with_extension("sock"));
    let control = control.and_then(|path| {
        Control::open(&path, System(Rc::clone(&shared)), run_id)
            .inspect_err(|error| log::error!("{}: {error}", path.display()))
            .ok()
    });
    let watchdog = options.watchdog.as_deref().and_then(|path| {
        Watchdog::open(path).unwrap_or_else(|error| {
            log::error!("{}: {error}", path.display());
            None
        })
    });
    let mut agent = Agent {
        console: Console::new(Box::new(SystemDevices), boot, peer, Rc::clone(&shared)),
        options,
        serial,
        serial_retry: Retry::now(),
        line: Line::new(),
        heard: Instant::now(),
        worked: Instant::now(),
        looked: Instant::now(),
        program: Program::new(System(Rc::clone(&shared)), run_id),
        shared,
        undo_retry: Retry::now(),
        leaving: false,
        control,
        watchdog,
        events: None,
        kernel_retry: Retry::now(),
        absence: None,
        signals,
        terminated: false,
    };
    log::info!("agent {} started", env!("CARGO_PKG_VERSION"));
    if let Some(serial) = &agent.serial {
        let (columns, rows) = serial.size();
        agent.console.set_size(columns, rows);
    }
    if !standard {
        let gate = Gate::new(Access::read(&agent.options.access));
        let gate = Rc::new(gate.with_memory(agent.options.run.join("wrong-pins")));
        agent.program.set_gate(Rc::clone(&gate));
        agent.console.set_gate(gate);
    }
    agent.console.start();
    agent.open_kernel();
    agent.serve()?;
    exit_reason::end();
    if let Some(watchdog) = agent.watchdog.take() {
        watchdog.stop();
    }
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
            self.reboot();
            self.wait(busy || self.console.may_go_on())?;
        }
    }

    /// Does what there is to do; says whether there is more.
    fn work(&mut self) -> bool {
        self.feed_watchdog();
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
        self.give_line_back();
        if self.console.works() {
            // A long list is being read.
            self.worked = Instant::now();
        }
        if self.idle().is_some_and(|idle| idle.is_zero()) {
            self.console.lock();
        }
        self.take_back();
        if let Some(done) = self.shared.rolled_back.take() {
            self.program.rolled_back(done);
            if let Some(control) = &mut self.control {
                control.rolled_back(done);
            }
        }
        if self.console.waits_for_devices() && self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            self.console.look_for_devices();
        }
        let more = self.take_events();
        self.console.work() || more
    }

    /// Time until an unlocked line is locked again because nobody uses it.
    fn idle(&self) -> Option<Duration> {
        let lockable = self.serial.is_some() && self.console.locks_when_idle();
        lockable.then(|| IDLE.saturating_sub(self.heard.max(self.worked).elapsed()))
    }

    /// Returns to text when a program has left, or a person has come.
    fn give_line_back(&mut self) {
        if self.leaving && !self.program.pending() {
            self.line.leave();
        } else if !self.line.begun() || self.heard.elapsed() < SILENCE {
            return;
        } else {
            match self.line.silence() {
                Silence::Nothing => return,
                Silence::Text(byte) => return self.console.feed(&[byte]),
                Silence::Person => {}
            }
        }
        self.leaving = false;
        self.program.reset();
        self.console.restart();
    }

    /// Takes a commit back that nobody has confirmed in time.
    fn take_back(&mut self) {
        if self.shared.left() != Some(0) || !self.undo_retry.due() {
            return;
        }
        if !self.console.attached() || self.console.booting() {
            return;
        }
        // A client of its own: the console may be in the middle of a list.
        let host = System(Rc::clone(&self.shared));
        let done = host.connect().and_then(|mut client| {
            confirmed_commit::roll_back(
                &mut client,
                &SystemDevices,
                &self.shared.config.files.undo(),
            )
        });
        match done {
            Ok(done) => {
                self.shared.rolled_back(done);
                self.undo_retry = Retry::now();
                log::warn!("not confirmed in time, {done}");
                self.console
                    .notice(format_args!("not confirmed in time, {done}"));
            }
            Err(error) => {
                if self.undo_retry.pause == Retry::FIRST {
                    log::error!("{error}");
                    self.console.notice(format_args!(
                        "a commit was not confirmed and cannot be taken back yet: {}",
                        error.kind
                    ));
                }
                self.undo_retry.later();
            }
        }
    }

    /// Restarts the machine if that was asked for, and the answer was sent.
    fn reboot(&mut self) {
        let answered = self.console.out().pending().is_empty() && !self.program.pending();
        if answered && self.shared.reboot.take() {
            log::warn!("restarting");
            if let Err(error) = system::reboot() {
                self.console.notice(format_args!("cannot restart: {error}"));
            }
        }
    }

    fn feed_watchdog(&mut self) {
        let Some(watchdog) = &mut self.watchdog else {
            return;
        };
        if watchdog.feed(self.events.as_ref().map(Events::beat))
            && let Some(events) = &self.events
        {
            // So that it has turned by the next time.
            events.prod();
        }
    }

    fn take_events(&mut self) -> bool {
        let Some(events) = &self.events else {
            return false;
        };
        events.reset();
        // Enough for a burst, and not so many that keys have to wait.
        for _ in 0..64 {
            let heard = self.console.listens();
            if !heard && !self.programs_subscribe() {
                // Goes on when the terminal has taken some of the output.
                events.again();
                return false;
            }
            match events.take() {
                Some(message) => {
                    // A terminal that takes nothing keeps none from programs.
                    match heard {
                        true => self.console.event(&message),
                        false => self.console.missed(),
                    }
                    self.program.event(&message);
                    if let Some(control) = &mut self.control {
                        control.event(&message);
                    }
                }
                None => {
                    if events.lost() {
                        self.console.events_lost();
                        self.program.events_lost();
                        if let Some(control) = &mut self.control {
                            control.events_lost();
                        }
                    }
                    return false;
                }
            }
        }
        true
    }

    /// Whether a program wants the events.
    fn programs_subscribe(&self) -> bool {
        let control = self.control.as_ref();
        self.program.subscribes() || control.is_some_and(Control::subscribe)
    }

    fn open_kernel(&mut self) {
        let opened = Receiver::start().map_err(Error::from).and_then(|receiver| {
            let events = receiver.events();
            let mut client = Client::new(Box::new(receiver) as Box<dyn Transport>);
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
                // Who has subscribed has heard nothing meanwhile.
                self.program.events_lost();
                if let Some(control) = &mut self.control {
                    control.events_lost();
                }
            }
            Err(error) => {
                self.kernel_retry.later();
                let reason = match error.kind {
                    ErrorKind::Absent => {
                        self.shared.config.booting.set(false);
                        "the kernel's nl31 module is not there".to_string()
                    }
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
                let (columns, rows) = serial.size();
                self.console.set_size(columns, rows);
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
        if self.options.serial.is_standard() {
            self.console.end_of_input();
            return;
        }
        log::warn!("serial line hung up");
        // Who comes next may be somebody else.
        self.console.lock();
        self.serial = None;
        self.line = Line::new();
        self.program.reset();
        self.leaving = false;
        self.serial_retry.later();
    }

    fn write(&mut self) {
        if self.serial.is_none() {
            // Nobody is there to read it, and others would wait for room.
            self.console.out().clear();
        }
        while let Some(serial) = &mut self.serial {
            let mut out = self.console.out();
            if self.line.frames() {
                // Nobody is there to read it.
                out.clear();
                self.program.tells();
                out = self.program.out();
            }
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
                    self.terminated = self.options.serial.is_standard();
                    self.hung_up();
                    return;
                }
            }
            if self.options.serial.is_standard() {
                // One short write, then poll whether it takes more.
                return;
            }
        }
    }

    /// Bytes that may be read from the serial line.
    fn wants(&self) -> usize {
        if self.line.frames() {
            return self.program.wants();
        }
        if self.console.input_ended() {
            return 0;
        }
        self.console.wants().min(self.program.wants())
    }

    /// Takes what came over the serial line.
    fn hear(&mut self, bytes: &[u8]) {
        if !self.serial.as_ref().is_some_and(Serial::is_terminal) {
            return self.console.feed(bytes);
        }
        for &byte in bytes {
            let text = !self.line.frames();
            match self.line.byte(byte) {
                Heard::Nothing => {}
                Heard::Text(typed) => self.console.feed(typed),
                Heard::Frame(frame) => {
                    if text {
                        // A program begins to talk: no echo, no prompt, no text from now on.
                        self.console.suspend();
                    }
                    self.program.frame(Ok(&frame));
                }
                Heard::Bad(error) => self.program.frame(Err(error)),
            }
            self.leaving |= self.program.left();
        }
        // Only now: what came while a frame was carried out is not behind a silence.
        self.heard = Instant::now();
    }

    fn read(&mut self) {
        // What comes behind a program's farewell is a person's.
        self.give_line_back();
        let mut buffer = [0; 1024];
        let room = self.wants().min(buffer.len());
        let Some(serial) = &mut self.serial else {
            return;
        };
        match serial.read(&mut buffer[..room]) {
            Ok(Input::Bytes(len)) => self.hear(&buffer[..len]),
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
        let pending = match self.line.frames() {
            true => self.program.pending(),
            false => !self.console.out().pending().is_empty(),
        };
        let wants = self.wants() > 0;
        let answers = self.console.waits_for_kernel();
        let listens = self.console.listens() || self.programs_subscribe();

        let mut fds = heapless::Vec::<PollFd, { 6 + PROGRAMS_MAX }>::new();
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
        let programs = (own..fds.len()).any(ready);
        let gone = hangup.is_some_and(ready) && !self.options.serial.is_standard();
        drop(fds);
        if signalled {
            self.signal()?;
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

    fn next_timer(&self) -> PollTimeout {
        let serial = self.serial.is_none().then_some(self.serial_retry.at);
        let kernel = (!self.console.attached()).then_some(self.kernel_retry.at);
        let silence = self.line.begun().then(|| self.heard + SILENCE);
        // Nothing can be taken back, and no route added, before the kernel is there.
        let ready = self.console.attached() && !self.console.booting();
        let undo = self.shared.left().filter(|_| ready);
        let undo =
            undo.map(|left| (Instant::now() + Duration::from_millis(left)).max(self.undo_retry.at));
        let look = self.console.waits_for_devices().then(|| self.looked + LOOK);
        let idle = self.idle().map(|idle| Instant::now() + idle);
        let watchdog = self.watchdog.as_ref().map(Watchdog::due);
        // A kernel that says nothing is to be noticed.
        let answer = self.console.waits_for_kernel();
        let answer = answer.then(|| Instant::now() + LOOK);
        let timers = [serial, kernel, silence, undo, look, idle, watchdog, answer]
            .into_iter()
            .flatten();
        match timers.min() {
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
