// SPDX-License-Identifier: MIT OR Apache-2.0
//! Takes zebra's connection, in threads of its own that never wait for the board's line: zebra
//! resets a connection that is not read for 15 seconds.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use super::fpm::{HEADER, payload_len};
use super::shared::Shared;

/// How soon the listener notices that it is to end.
const NOTICE: Duration = Duration::from_millis(100);

/// Seconds of silence after which a peer is asked whether it is still there, between two
/// questions, and the number of those: a host that was switched off must not keep its place.
const KEEP_ALIVE: (u32, u32, u32) = (10, 5, 3);

/// Answers that are sent at once.
const ANSWERS: usize = 1000;

/// How long zebra may leave them unread; it reads them whenever there are some.
const ANSWER: Duration = Duration::from_secs(30);

/// A listener; it ends when it is dropped.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    ends: Arc<Ends>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Ends {
    now: AtomicBool,
    /// The connection that is read.
    stream: Mutex<Option<TcpStream>>,
}

impl Ends {
    fn stream(&self) -> std::sync::MutexGuard<'_, Option<TcpStream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// Listens at an address.
    pub fn start(address: SocketAddr, shared: Arc<Shared>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let ends = Arc::new(Ends::default());
        let theirs = Arc::clone(&ends);
        let thread = std::thread::spawn(move || accept(&listener, &shared, &theirs));
        Ok(Self {
            address,
            ends,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ends.now.store(true, Ordering::SeqCst);
        if let Some(stream) = &*self.ends.stream() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Accepts connections, and refuses all but one at a time.
fn accept(listener: &TcpListener, shared: &Arc<Shared>, ends: &Arc<Ends>) {
    let mut reader: Option<JoinHandle<()>> = None;
    while !ends.now.load(Ordering::SeqCst) {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                let is_quiet = matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                );
                if !is_quiet {
                    shared
                        .lock()
                        .notice(format!("cannot accept a connection: {error}"));
                }
                std::thread::sleep(NOTICE);
                continue;
            }
        };
        if reader.as_ref().is_some_and(|reader| !reader.is_finished()) {
            let mut state = shared.lock();
            let first = state.peer.clone().unwrap_or_default();
            state.notice(format!("refused {peer}: {first} is connected"));
            continue;
        }
        match prepare(&stream).and_then(|()| stream.try_clone()) {
            Ok(clone) => *ends.stream() = Some(clone),
            Err(error) => {
                shared.lock().notice(format!("{peer}: {error}"));
                continue;
            }
        }
        let shared = Arc::clone(shared);
        reader = Some(std::thread::spawn(move || converse(stream, peer, &shared)));
    }
    if let Some(stream) = ends.stream().take() {
        let _ = stream.shutdown(Shutdown::Both);
    }
    if let Some(reader) = reader {
        let _ = reader.join();
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let (idle, interval, count) = KEEP_ALIVE;
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    setsockopt(stream, sockopt::TcpKeepIdle, &idle)?;
    setsockopt(stream, sockopt::TcpKeepInterval, &interval)?;
    setsockopt(stream, sockopt::TcpKeepCount, &count)?;
    Ok(())
}

/// Reads a connection to its end. The table stays, whatever ends it.
fn converse(stream: TcpStream, peer: SocketAddr, shared: &Shared) {
    {
        let mut state = shared.lock();
        state.source.begin();
        state.peer = Some(peer.to_string());
        state.heard = None;
        state.notice(format!("{peer} has connected"));
    }
    shared.wake();
    let ends = AtomicBool::new(false);
    let end = std::thread::scope(|scope| {
        if shared.lock().source.shadow().answers().is_some() {
            scope.spawn(|| answer(&stream, shared, &ends));
        }
        let end = read(&stream, shared);
        let _ = stream.shutdown(Shutdown::Both);
        ends.store(true, Ordering::SeqCst);
        shared.wake();
        end
    });
    let mut state = shared.lock();
    state.peer = None;
    state.heard = None;
    state.more = false;
    state.notice(format!("{peer}: {end}; the table is kept"));
    drop(state);
    shared.wake();
}

/// Tells zebra what the board has done. Where that fails, the connection ends.
fn answer(mut stream: &TcpStream, shared: &Shared, ends: &AtomicBool) {
    let is_ready = stream.set_write_timeout(Some(ANSWER));
    while !ends.load(Ordering::SeqCst) {
        let frames = shared.take_answers(ANSWERS, NOTICE);
        if is_ready.is_err() || stream.write_all(&frames).is_err() {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// Reads frames into the source until the stream ends; returns the reason.
pub fn read(stream: impl Read, shared: &Shared) -> String {
    let mut stream = BufReader::with_capacity(1 << 16, stream);
    let mut payload = vec![0; usize::from(u16::MAX)];
    loop {
        let mut header = [0; HEADER];
        match fill(&mut stream, &mut header) {
            Ok(HEADER) => {}
            Ok(0) => return "the connection was closed".into(),
            Ok(_) => return "the connection was closed within a frame".into(),
            Err(error) => return error.to_string(),
        }
        let payload = match payload_len(header) {
            Ok(len) => &mut payload[..len],
            Err(error) => return format!("{error}: closed the connection"),
        };
        match fill(&mut stream, payload) {
            Ok(len) if len == payload.len() => {}
            Ok(_) => return "the connection was closed within a frame".into(),
            Err(error) => return error.to_string(),
        }
        let mut state = shared.lock();
        let taken = state.source.bytes(payload);
        state.more = !stream.buffer().is_empty();
        if taken != Ok(0) {
            state.heard = Some(Instant::now());
        }
        drop(state);
        shared.wake();
        if let Err(error) = taken {
            return format!("{error}: closed the connection");
        }
    }
}

/// Fills a buffer; gives the number of bytes, which is less where the stream ends.
fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match stream.read(&mut buffer[len..]) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}
