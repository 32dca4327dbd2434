// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread that receives the kernel's messages.
//!
//! The thread receives from two sockets: one for answers to the main thread's requests, one
//! for events. A burst of events therefore never drops an answer. The thread passes messages
//! to the main thread through two queues of fixed size; an eventfd of each queue wakes the
//! main thread.
//!
//! - Answers: while the queue is full, the thread does not read the socket. The kernel
//!   generates a dump only as fast as the socket is read, and at most one other request is
//!   unanswered, so no answer is lost.
//! - Events: the kernel does not wait for the reader. If the queue is full, or the kernel
//!   dropped events (`ENOBUFS`), the thread sets a flag, and the main thread reads the
//!   table's generation.

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

/// Capacity of the queue of answers; a few datagrams of a dump.
const ANSWERS: usize = 64;
/// Capacity of the queue of events.
const EVENTS: usize = 256;

type Answer = Result<Message, ReceiveError>;

/// A queue of fixed size, and the eventfd that wakes its reader.
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

    /// Adds an item without waking the reader; returns the item if the queue is full.
    fn put(&self, item: T) -> Result<(), T> {
        self.items().push_back(item)
    }
}

struct Shared {
    /// The main thread sends requests through this socket.
    requests: Socket,
    events: Socket,
    answers_queue: Queue<Answer, ANSWERS>,
    events_queue: Queue<Message, EVENTS>,
    /// Wakes the thread: the queue of answers has room again, the thread is to end, or to
    /// count a heartbeat.
    room: EventFd,
    /// The thread waits for room in the queue of answers.
    stalled: AtomicBool,
    /// Events were lost since the main thread last called [`Events::lost`].
    lost: AtomicBool,
    /// The main thread has dropped the [`Receiver`]; the thread is to end.
    closing: AtomicBool,
    /// A socket failed; the thread has ended.
    failed: AtomicBool,
    /// Rounds of the thread.
    heartbeat: AtomicU32,
}

impl Shared {
    /// The next answer. Wakes the thread only once the queue is empty: a dump has millions
    /// of answers, and a thread switch for each answer would take longer than all other work.
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

/// The main thread's end: sends requests and takes answers.
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
            // The queue is empty; the thread sets the eventfd again with the next answer.
            shared.answers_queue.ready.reset();
            if let Some(answer) = shared.take_answer() {
                // The queue may have further answers.
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

/// The main thread's end of the queue of events.
pub struct Events {
    shared: Arc<Shared>,
}

impl Events {
    /// Becomes readable when the queue may have events.
    pub fn ready(&self) -> &EventFd {
        &self.shared.events_queue.ready
    }

    /// Becomes readable when the queue may have answers.
    pub fn answers_ready(&self) -> &EventFd {
        &self.shared.answers_queue.ready
    }

    /// The next event.
    pub fn take(&self) -> Option<Message> {
        self.shared.events_queue.items().pop_front()
    }

    /// Whether events were lost since the last call.
    pub fn lost(&self) -> bool {
        self.shared.lost.swap(false, Ordering::AcqRel)
    }

    /// Whether the thread has ended, so that no further message arrives.
    pub fn failed(&self) -> bool {
        self.shared.failed.load(Ordering::Acquire)
    }

    /// Counts the rounds of the thread.
    pub fn heartbeat(&self) -> u32 {
        self.shared.heartbeat.load(Ordering::Relaxed)
    }

    /// Wakes the thread, so that it counts a heartbeat unless it hangs.
    pub fn wake(&self) {
        self.shared.room.wake();
    }

    /// Makes [`Events::ready`] readable: the caller has left events in the queue.
    pub fn again(&self) {
        self.shared.events_queue.ready.wake();
    }

    /// Makes [`Events::ready`] unreadable. Call it before [`Events::take`]: later events set
    /// it again.
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
        // Fails only if the counter is 2^64-1 already; then the reader wakes anyway.
        let _ = self.write(1);
    }

    fn reset(&self) {
        // Fails only if the counter is 0 already.
        let _ = self.read();
    }
}

/// The loop of the thread.
fn receive(shared: &Shared) -> io::Result<()> {
    let mut answers = Inbox::default();
    let mut events = Inbox::default();
    // An answer for which the queue had no room.
    let mut waiting: Option<Answer> = None;
    while !shared.closing.load(Ordering::Acquire) {
        shared.heartbeat.fetch_add(1, Ordering::Relaxed);
        // Events first: the kernel sends the event of a change before its answer; the main
        // thread must see them in this order.
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
            // The main thread may have emptied the queue before it could see `stalled`.
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

/// Moves received events into the queue. Stops after a number of datagrams: a flood of events
/// must not delay answers.
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
            // Not an event: events have sequence number 0.
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
