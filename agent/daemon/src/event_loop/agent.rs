// SPDX-License-Identifier: MIT OR Apache-2.0
//! The main thread: one loop over the serial line, the control socket, signals,
//! timers and what the receiver thread heard. It alone changes state and sends.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nl31_netlink::Transport;
use nl31_wire::Line;

use super::arrivals::Arrivals;
use super::leases::Leases;
use super::line_speed::LineSpeed;
use super::retry::Retry;
use super::stall::Stall;
use crate::candidate::confirmed_commit::{self, LaterChanges};
use crate::config::boot::Boot;
use crate::config::locations::Files;
use crate::console::access::{Access, LineLock};
use crate::console::shared::Shared;
use crate::console::{Console, Peer};
use crate::frames::control_socket::Control;
use crate::frames::host::{Host, System};
use crate::frames::session::Program;
use crate::platform::atomic_file::folder;
use crate::platform::devices::SystemDevices;
use crate::platform::instance::Instance;
use crate::platform::receiver::Events;
use crate::platform::sandbox::{User, Writable};
use crate::platform::serial::{Choice, Serial};
use crate::platform::watchdog::Watchdog;
use crate::platform::{exit_reason, kernel_log, reboot, sandbox};

/// The arguments of the agent.
#[derive(Clone, Debug)]
pub struct Options {
    /// The terminal to serve.
    pub serial: Choice,
    /// The config, unless it is that of the appliance.
    pub config: Option<PathBuf>,
    /// The file with the access rules of the serial line, see [`Access`].
    pub access: PathBuf,
    /// Folder for state that lasts until the next boot. The control socket stands beside it,
    /// with its name and `.sock`.
    pub run: PathBuf,
    /// The board's watchdog device; `None`: no watchdog is pinged.
    pub watchdog: Option<PathBuf>,
}

pub(super) struct Agent {
    pub(super) options: Options,
    pub(super) shared: Rc<Shared>,
    /// When a failed roll-back is tried again.
    pub(super) undo_retry: Retry,
    pub(super) console: Console<Box<dyn Transport>>,
    pub(super) serial: Option<Serial>,
    pub(super) serial_retry: Retry,
    /// Whether the line takes output.
    pub(super) stall: Stall,
    /// Init started this agent as root; root can open a terminal that the agent's user
    /// cannot.
    pub(super) confined: bool,
    /// Separates frames from text on the serial line.
    pub(super) line: Line,
    /// The speed of the serial line.
    pub(super) speed: LineSpeed,
    /// When the serial line last received a byte.
    pub(super) heard: Instant,
    /// When a command on the serial line last did a step.
    pub(super) worked: Instant,
    /// The session with a program on the serial line.
    pub(super) program: Program<System>,
    pub(super) control: Option<Control>,
    pub(super) watchdog: Option<Watchdog>,
    /// Only the resident agent makes settings of devices that come.
    pub(super) arrivals: Option<Arrivals>,
    /// Only the resident agent makes what DHCP teaches.
    pub(super) leases: Option<Leases>,
    pub(super) events: Option<Events>,
    pub(super) kernel_retry: Retry,
    /// The last notice of the kernel's absence, so that it is printed once.
    pub(super) absence: Option<String>,
    pub(super) signals: SignalFd,
    pub(super) terminated: bool,
}

/// Serves until a signal or the end of standard input. Gives whether every command
/// succeeded.
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
    // Before the first thread is started: threads inherit the blocked signals.
    signals.thread_block()?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;

    let files = Files::new(options.config.as_deref(), &options.run);
    let standard = options.serial.is_standard();
    let _instance = match standard {
        true => None,
        false => Some(Instance::claim(&options.run)?),
    };
    if !standard && let Err(error) = reboot::pass_on(&options.run) {
        log::error!("reboot: {error}");
    }
    // An agent on standard input runs beside the resident agent, and only that loads the
    // config at boot.
    let boot = (!standard).then(|| Boot::new(&files));
    let under_init = reboot::is_run_by_init();
    let appliance = matches!(options.serial, Choice::Auto) && under_init;
    let shared = Rc::new(Shared::new(files, !standard, appliance));
    if !standard {
        // The agent is the only way to reach the appliance, so the OOM killer takes it last.
        // Without the right to set this, the agent has the usual score.
        let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
        match exit_reason::begin(&options.run.join("exit-reason")) {
            Ok(None) => {}
            Ok(Some(text)) => log::warn!("the previous agent has ended: {text}"),
            Err(error) => log::warn!("{}: {error}", options.run.display()),
        }
    }
    let mut serial_denied = false;
    let serial = match Serial::open(&options.serial) {
        Ok(serial) => Some(serial),
        // Standard input cannot be opened again.
        Err(error) if standard => return Err(error),
        Err(error) => {
            log::error!("serial line: {error}");
            serial_denied = error.kind() == io::ErrorKind::PermissionDenied;
            None
        }
    };
    let user = User::of(&options.run);
    // A device that refuses root would refuse the next agent too.
    let confined = user.is_some() && under_init && !serial_denied;
    if let (Some(user), Some(serial)) = (user, &serial)
        && let Err(error) = serial.give_to(user)
    {
        log::error!("serial line: cannot be reopened after a hangup: {error}");
    }
    let peer = match &serial {
        Some(serial) if standard && !serial.is_terminal() => Peer::Script,
        _ if standard => Peer::Shell,
        _ => Peer::Line,
    };
    // Programs detect a restart of the agent by this number.
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
    let line_lock = (!standard).then(|| {
        let line_lock = LineLock::new(Access::read(&options.access));
        Rc::new(line_lock.with_memory(options.run.join("wrong-pins")))
    });
    if let Err(error) = kernel_log::open() {
        log::info!("the kernel's log: {error}");
    }
    // Everything that only root may open is open now.
    let writable = Writable {
        folders: &[&options.run, folder(&shared.config.files.config)],
        terminal: serial.as_ref().and_then(Serial::device),
    };
    if let Err(error) = sandbox::enter(user, writable) {
        // The agent is the only way to reach the appliance, so it goes on without the sandbox.
        log::error!("cannot give up privileges: {error}");
    }
    let mut agent = Agent {
        console: Console::new(Box::new(SystemDevices), boot, peer, Rc::clone(&shared)),
        options,
        serial,
        serial_retry: Retry::now(),
        stall: Stall::default(),
        confined,
        line: Line::new(),
        speed: LineSpeed::default(),
        heard: Instant::now(),
        worked: Instant::now(),
        program: Program::new(System(Rc::clone(&shared)), run_id),
        shared,
        undo_retry: Retry::now(),
        control,
        watchdog,
        arrivals: (!standard).then(Arrivals::open),
        leases: (!standard).then(Leases::new),
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
        agent.program.set_line_with_speed(serial.is_terminal());
    }
    if let Some(line_lock) = line_lock {
        agent.program.set_line_lock(Rc::clone(&line_lock));
        agent.console.set_line_lock(line_lock);
    }
    agent.console.start();
    agent.open_kernel();
    agent.serve()?;
    exit_reason::end();
    if let Some(watchdog) = agent.watchdog.take()
        && !under_init
    {
        // Under init the watchdog stays armed: the next agent takes it over, and a shutdown
        // that hangs ends in a reset.
        watchdog.stop();
    }
    // A script gets exit status 0 if every command succeeded; a script that was cut short did
    // not. The resident agent serves many users and ends with 0.
    Ok(!standard || (agent.console.failures() == 0 && !agent.terminated))
}

impl Agent {
    pub(super) fn serve(&mut self) -> io::Result<()> {
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

    /// Does the pending work once; gives whether there is more.
    pub(super) fn work(&mut self) -> bool {
        self.ping_watchdog();
        if self.serial.is_none() && self.serial_retry.due() {
            self.open_serial();
        }
        // The console closes a kernel connection that failed.
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
        self.change_speed();
        self.give_line_back();
        if self.console.works() {
            // A long list is in progress.
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
        self.make_arrived();
        let more = self.take_events();
        let more = self.console.work() || more;
        // After the command that may have changed the settings.
        self.renew_leases();
        if self.console.pin_tried()
            && let Some(serial) = &self.serial
        {
            serial.discard_input();
        }
        more
    }

    /// Rolls back a commit whose time to confirm is over.
    pub(super) fn take_back(&mut self) {
        if self.shared.left() != Some(0) || !self.undo_retry.due() {
            return;
        }
        if !self.console.attached() || self.console.booting() {
            return;
        }
        // A new client: the console's may be in the middle of a list.
        let host = System(Rc::clone(&self.shared));
        let done = host.connect().and_then(|mut client| {
            let files = &self.shared.config.files;
            confirmed_commit::roll_back(&mut client, &SystemDevices, files, LaterChanges::Keep)
        });
        match done {
            Ok(done) => {
                self.shared.rolled_back(done);
                self.undo_retry = Retry::now();
                log::warn!("not confirmed in time; {done}");
                self.console
                    .notice(format_args!("not confirmed in time; {done}"));
            }
            Err(error) => {
                if self.undo_retry.pause == Retry::FIRST {
                    log::error!("{error}");
                    self.console.notice(format_args!(
                        "an unconfirmed commit cannot be rolled back yet: {}",
                        error.kind
                    ));
                }
                self.undo_retry.later();
            }
        }
    }

    /// Restarts the machine if a session requested it and the answers are sent or their time
    /// is over.
    pub(super) fn reboot(&mut self) {
        let Some(deadline) = self.shared.reboot.get() else {
            return;
        };
        let answered = self.console.out().pending().is_empty()
            && !self.program.pending()
            && !self.control.as_ref().is_some_and(Control::pending);
        if answered || Instant::now() >= deadline {
            self.shared.reboot.set(None);
            if let Err(error) = reboot::request(&self.options.run) {
                return self.console.notice(format_args!("cannot restart: {error}"));
            }
            if let Some(watchdog) = &mut self.watchdog {
                watchdog.allow_shutdown();
            }
            self.terminated = true;
        }
    }

    pub(super) fn ping_watchdog(&mut self) {
        let Some(watchdog) = &mut self.watchdog else {
            return;
        };
        if watchdog.ping(self.events.as_ref().map(Events::heartbeat))
            && let Some(events) = &self.events
        {
            // So that the receive thread completes a round before the next ping.
            events.wake();
        }
    }
}
