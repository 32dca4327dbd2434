// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread that hears the kernel.
//!
//! It owns both sockets' receiving sides: one for answers, which the main thread
//! asks for, and one for events, which come by themselves, so that a burst of
//! events never costs an answer. What it hears goes to the main thread through two
//! queues of fixed size, each with an eventfd that wakes it.
//!
//! - Answers: when the queue is full the thread stops reading that socket. The
//!   kernel makes a dump only as fast as it is read, and no more than one request
//!   is open besides, so nothing is lost.
//! - Events: the kernel does not wait, so when the queue is full, or the kernel
//!   itself had to drop some (`ENOBUFS`), that is marked, and the main thread reads
//!   what it missed.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use heapless::Deque;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nl31_netlink::{Connection, Inbox, Message, ReceiveError, Socket, Transport, rtnetlink};

/// Answers on their way; a few datagrams of a dump.
const ANSWERS: usize = 64;
/// Events on their way.
const EVENTS: usize = 256;

type Answer = Result<Message, ReceiveError>;

/// A queue of fixed size, and what wakes the one who takes.
struct Queue<T, const N: usize> {
    items: Mutex<Deque<T, N>>,
    ready: EventFd,
}

impl<T, const N: usize> Queue<T, N> {
    fn new() -> io::Result<Self> {
        Ok(Self {
            items: Mutex::new(Deque::new()),
            ready: eventfd()?,
        })
    }

    fn items(&self) -> MutexGuard<'_, Deque<T, N>> {
        // A panic ends the process, so no thread sees a half changed queue.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item without waking the taker; gives the item back when the queue is full.
    fn put(&self, item: T) -> Result<(), T> {
        self.items().push_back(item)
    }
}

struct Shared {
    /// Requests are sent here.
    requests: Socket,
    events: Socket,
    answers_queue: Queue<Answer, ANSWERS>,
    events_queue: Queue<Message, EVENTS>,
    /// Wakes the thread: there is room for answers again, it is to end, or to show that
    /// it is alive.
    room: EventFd,
    /// The thread waits for that room.
    stalled: AtomicBool,
    /// Events were lost since the main thread last asked.
    lost: AtomicBool,
    /// The main thread wants no more.
    closing: AtomicBool,
    /// The sockets failed; nothing more will come.
    failed: AtomicBool,
    /// Rounds of the thread.
    heartbeat: AtomicU32,
}

impl Shared {
    /// The next answer. The thread is woken when it has room for many: a dump has
    /// millions of answers, and to change to the other thread for each takes longer than
    /// all the rest.
    fn take_answer(&self) -> Option<Answer> {
        let mut items = self.answers_queue.items();
        let answer = items.pop_front();
        if items.is_empty() && self.stalled.swap(false, Ordering::AcqRel) {
            self.room.wake();
        }
        answer
    }
}

fn eventfd() -> io::Result<EventFd> {
    Ok(EventFd::from_flags(
        EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK,
    )?)
}

/// The main thread's end: sends requests, and takes answers and events.
pub struct Receiver {
    shared: Arc<Shared>,
}

impl Receiver {
    /// Opens the sockets and starts the thread.
    pub fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared {
            requests: Socket::open()?,
            events: Socket::open_events()?,
            answers_queue: Queue::new()?,
            events_queue: Queue::new()?,
            room: eventfd()?,
            stalled: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            heartbeat: AtomicU32::new(0),
        });
        let its = Arc::clone(&shared);
        thread::Builder::new()
            .name("receiver".into())
            .stack_size(64 * 1024)
            .spawn(move || {
                if let Err(error) = receive(&its) {
                    log::error!("receiver: {error}");
                }
                its.failed.store(true, Ordering::Release);
                its.answers_queue.ready.wake();
                its.events_queue.ready.wake();
            })?;
        Ok(Self { shared })
    }

    /// A further handle of the event queue.
    pub fn events(&self) -> Events {
        Events {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.room.wake();
    }
}

impl Transport for Receiver {
    fn rtnetlink(&mut self, request: &[u8], each: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<()> {
        rtnetlink::exchange(request, each)
    }

    fn another(&self) -> io::Result<Option<Box<dyn Transport>>> {
        Ok(Some(Box::new(Connection::open()?)))
    }

    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.shared.requests.send(datagram)
    }

    fn receive(&mut self, deadline: Instant) -> Result<Option<Message>, ReceiveError> {
        let shared = &*self.shared;
        loop {
            if let Some(answer) = shared.take_answer() {
                return answer.map(Some);
            }
            // There was nothing: what comes after this sets it again.
            shared.answers_queue.ready.reset();
            if let Some(answer) = shared.take_answer() {
                // There may be more.
                shared.answers_queue.ready.wake();
                return answer.map(Some);
            }
            if shared.failed.load(Ordering::Acquire) {
                return Err(ReceiveError::Io(io::ErrorKind::NotConnected.into()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(
                shared.answers_queue.ready.as_fd(),
                PollFlags::POLLIN,
            )];
            match poll(&mut fds, timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(ReceiveError::Io(error.into())),
            }
        }
    }
}

/// Takes the events.
pub struct Events {
    shared: Arc<Shared>,
}

impl Events {
    /// Becomes readable when there may be something to take.
    pub fn ready(&self) -> &EventFd {
        &self.shared.events_queue.ready
    }

    /// Becomes readable when there may be an answer.
    pub fn answers_ready(&self) -> &EventFd {
        &self.shared.answers_queue.ready
    }

    /// The next event.
    pub fn take(&self) -> Option<Message> {
        self.shared.events_queue.items().pop_front()
    }

    /// Whether events were lost since this was last asked.
    pub fn lost(&self) -> bool {
        self.shared.lost.swap(false, Ordering::AcqRel)
    }

    /// Whether nothing more will come.
    pub fn failed(&self) -> bool {
        self.shared.failed.load(Ordering::Acquire)
    }

    /// Counts the rounds of the thread.
    pub fn heartbeat(&self) -> u32 {
        self.shared.heartbeat.load(Ordering::Relaxed)
    }

    /// Has the thread make a round, if it still can.
    pub fn wake(&self) {
        self.shared.room.wake();
    }

    /// There are events left to take.
    pub fn again(&self) {
        self.shared.events_queue.ready.wake();
    }

    /// To be called before events are taken after a wake-up.
    pub fn reset(&self) {
        self.shared.events_queue.ready.reset();
    }
}

trait Wake {
    fn wake(&self);
    fn reset(&self);
}

impl Wake for EventFd {
    fn wake(&self) {
        // Fails only when it counts 2^64-1 wake-ups already.
        let _ = self.write(1);
    }

    fn reset(&self) {
        // Fails only when there was no wake-up.
        let _ = self.read();
    }
}

/// The thread.
fn receive(shared: &Shared) -> io::Result<()> {
    let mut answers = Inbox::default();
    let mut events = Inbox::default();
    // An answer that found no room.
    let mut waiting: Option<Answer> = None;
    while !shared.closing.load(Ordering::Acquire) {
        shared.heartbeat.fetch_add(1, Ordering::Relaxed);
        // Events first: the kernel sends that of a change before its answer, and
        // so it shall be known here.
        drain_events(shared, &mut events)?;
        hand_over(shared, &mut answers, &mut waiting);

        let mut fds = [
            PollFd::new(shared.room.as_fd(), PollFlags::POLLIN),
            PollFd::new(shared.events.as_fd(), PollFlags::POLLIN),
            PollFd::new(shared.requests.as_fd(), PollFlags::POLLIN),
        ];
        let watched = if waiting.is_some() { 2 } else { 3 };
        match poll(&mut fds[..watched], PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        shared.room.reset();
        if watched == 3 && fds[2].any().unwrap_or(false) {
            match answers.fill(&shared.requests) {
                Ok(_) => {}
                Err(ReceiveError::Io(error)) => return Err(error),
                Err(error) => waiting = Some(Err(error)),
            }
        }
    }
    Ok(())
}

/// Moves answers into the queue until it is full.
fn hand_over(shared: &Shared, answers: &mut Inbox, waiting: &mut Option<Answer>) {
    let mut some = false;
    loop {
        let answer = match waiting.take() {
            Some(answer) => answer,
            None => match answers.take() {
                Ok(Some(message)) => Ok(message),
                Ok(None) => break,
                Err(error) => Err(error.into()),
            },
        };
        some = true;
        if let Err(answer) = shared.answers_queue.put(answer) {
            shared.stalled.store(true, Ordering::Release);
            // The main thread may have made room before it could see that.
            match shared.answers_queue.put(answer) {
                Ok(()) => shared.stalled.store(false, Ordering::Release),
                Err(answer) => {
                    *waiting = Some(answer);
                    break;
                }
            }
        }
    }
    if some {
        shared.answers_queue.ready.wake();
    }
}

/// Moves the events that are there into the queue. Ends although more may come:
/// a flood of them must not keep answers waiting.
fn drain_events(shared: &Shared, events: &mut Inbox) -> io::Result<()> {
    for _ in 0..EVENTS {
        match events.fill(&shared.events) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(ReceiveError::Io(error)) => return Err(error),
            Err(_) => mark_lost(shared),
        }
        take_events(shared, events);
    }
    Ok(())
}

fn take_events(shared: &Shared, events: &mut Inbox) {
    loop {
        match events.take() {
            // Anything else is no event: those have sequence number 0.
            Ok(Some(message)) if message.header.seq != 0 => {}
            Ok(Some(message)) => match shared.events_queue.put(message) {
                Ok(()) => shared.events_queue.ready.wake(),
                Err(_) => mark_lost(shared),
            },
            Ok(None) => return,
            Err(_) => mark_lost(shared),
        }
    }
}

fn mark_lost(shared: &Shared) {
    shared.lost.store(true, Ordering::Release);
    shared.events_queue.ready.wake();
}
