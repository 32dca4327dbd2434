// SPDX-License-Identifier: MIT OR Apache-2.0
//! The local control socket: the frames of the serial line, for programs on the target
//! itself.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::poll::PollFlags;
use nl31_netlink::Message;
use nl31_wire::Deframer;

use crate::candidate::confirmed_commit::RolledBack;
use crate::frames::host::System;
use crate::frames::session::Program;

/// Most programs at a time. Further ones wait in the kernel's queue.
pub const PROGRAMS_MAX: usize = 4;

/// The listening socket and its connected programs.
pub struct Control {
    listener: UnixListener,
    host: System,
    boot: u64,
    // On the heap: a program takes some 20 KiB, and mostly none is connected.
    programs: heapless::Vec<Box<Connected>, PROGRAMS_MAX>,
}

struct Connected {
    stream: UnixStream,
    deframer: Deframer,
    program: Program<System>,
    /// The program has left: its socket is closed after the last answer.
    leaving: bool,
    gone: bool,
}

impl Control {
    /// Listens at `path`; only the owner may connect. Replaces the socket of an earlier
    /// agent, whose sandbox did not let it remove the socket.
    pub fn open(path: &Path, host: System, boot: u64) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Bound under another name: no program can connect before the mode is set.
        let early = path.with_extension("new");
        match fs::remove_file(&early) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&early)?;
        fs::set_permissions(&early, fs::Permissions::from_mode(0o600))?;
        fs::rename(&early, path)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            host,
            boot,
            programs: heapless::Vec::new(),
        })
    }

    /// Calls `watch` with every descriptor and its poll events.
    pub fn watch<'a>(&'a self, watch: &mut dyn FnMut(BorrowedFd<'a>, PollFlags)) {
        if !self.programs.is_full() {
            watch(self.listener.as_fd(), PollFlags::POLLIN);
        }
        for connected in &self.programs {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, connected.listens());
            flags.set(PollFlags::POLLOUT, connected.pending());
            watch(connected.stream.as_fd(), flags);
        }
    }

    /// Reads and writes all sockets without waiting.
    pub fn work(&mut self) {
        while !self.programs.is_full() {
            match self.listener.accept() {
                Ok((stream, _)) => self.connect(stream),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => {
                    log::warn!("control socket: {error}");
                    break;
                }
            }
        }
        for connected in &mut self.programs {
            connected.work();
        }
        self.programs.retain(|connected| !connected.gone);
    }

    fn connect(&mut self, stream: UnixStream) {
        if let Err(error) = stream.set_nonblocking(true) {
            log::warn!("control socket: {error}");
            return;
        }
        let connected = Box::new(Connected {
            stream,
            deframer: Deframer::new(),
            program: Program::new(self.host.clone(), self.boot),
            leaving: false,
            gone: false,
        });
        // The caller has checked that there is room.
        let _ = self.programs.push(connected);
    }

    /// Passes on an event of the kernel.
    pub fn event(&mut self, message: &Message) {
        self.programs
            .iter_mut()
            .for_each(|connected| connected.program.event(message));
    }

    /// Whether an answer to any of the programs is not sent yet.
    pub fn pending(&self) -> bool {
        self.programs.iter().any(|connected| connected.pending())
    }

    /// Whether any of the programs wants the events.
    pub fn subscribe(&self) -> bool {
        let mut programs = self.programs.iter();
        programs.any(|connected| connected.program.subscribes())
    }

    /// Tells that a commit was rolled back.
    pub fn rolled_back(&mut self, done: RolledBack) {
        self.programs
            .iter_mut()
            .for_each(|connected| connected.program.rolled_back(done));
    }

    /// Tells that events were lost.
    pub fn events_lost(&mut self) {
        self.programs
            .iter_mut()
            .for_each(|connected| connected.program.events_lost());
    }
}

impl Connected {
    fn listens(&self) -> bool {
        !self.leaving && self.program.wants() > 0
    }

    fn pending(&self) -> bool {
        self.program.pending()
    }

    fn work(&mut self) {
        // A bounded number of reads: other sessions need the thread too.
        for _ in 0..8 {
            self.send();
            if self.gone || !self.listens() {
                return;
            }
            let mut buffer = [0; 512];
            let room = self.program.wants().min(buffer.len());
            match self.stream.read(&mut buffer[..room]) {
                Ok(0) => self.gone = true,
                Ok(len) => self.take(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.gone = true,
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match self.deframer.byte(byte) {
                None => {}
                Some(Ok(frame)) => self.program.frame(Ok(&frame)),
                Some(Err(error)) => self.program.frame(Err(error)),
            }
            self.leaving |= self.program.left();
        }
    }

    fn send(&mut self) {
        loop {
            // A loss is reported as soon as there is room, without a further event.
            self.program.tells();
            let out = self.program.out();
            if out.pending().is_empty() {
                break;
            }
            match self.stream.write(out.pending()) {
                Ok(len) => out.consume(len),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
        self.gone |= self.leaving;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::locations::Files;
    use crate::console::shared::Shared;
    use crate::platform::atomic_file::tests::Folder;
    use nl31_netlink::{Add, FakeKernel};
    use nl31_wire::limits::FRAME_MAX;
    use nl31_wire::{Request, Response};
    use std::rc::Rc;
    use std::time::Duration;

    /// The kernel's events of a deletion and an addition.
    fn changes() -> [Message; 2] {
        let mut client = nl31_netlink::Client::with_timeout(FakeKernel::default(), Duration::ZERO);
        let route: nl31_netlink::Route<nl31_route::DeviceName> =
            "10.0.0.0/8 via 192.0.2.1".parse().unwrap();
        let route = route.map_device(nl31_netlink::Device::Name);
        client.add(Add::Add, &route).unwrap();
        client.delete_prefix(route.prefix).unwrap();
        [(); 2].map(|()| client.transport().event().unwrap())
    }

    #[test]
    fn a_program_that_reads_again_is_told_what_it_missed_though_nothing_more_happens() {
        let folder = Folder::new("control-lost");
        let files = Files::new(None, &folder.0);
        let socket = folder.0.join("sock");
        let host = System(Rc::new(Shared::new(files, true, false)));
        let mut control = Control::open(&socket, host, 1).unwrap();
        let mut program = UnixStream::connect(&socket).unwrap();
        program.set_nonblocking(true).unwrap();
        let requests = [
            Request::Hello { session: 7 },
            Request::Subscribe { on: true },
        ];
        for (request, id) in requests.iter().zip(1..) {
            let mut bytes = [0; FRAME_MAX];
            let len = request.encode(id, &mut bytes).unwrap();
            program.write_all(&bytes[..len]).unwrap();
        }
        control.work();
        assert!(control.subscribe());

        // More than socket and agent can hold while the program does not read.
        let changes = changes();
        for change in changes.iter().cycle().take(100_000) {
            control.event(change);
            control.work();
        }
        let (mut events, mut lost) = (0, 0);
        let mut deframer = Deframer::new();
        let mut buffer = [0; 4096];
        // Read everything before the agent sends again.
        while lost == 0 {
            let mut silent = true;
            while let Ok(len) = program.read(&mut buffer) {
                silent = false;
                for &byte in &buffer[..len] {
                    match deframer.byte(byte).map(|frame| {
                        Response::decode(&frame.expect("a whole frame")).expect("a response")
                    }) {
                        Some(Response::Event { .. }) => events += 1,
                        Some(Response::Lost {}) => lost += 1,
                        _ => {}
                    }
                }
            }
            assert!(!silent, "{events} events, and nothing of the others");
            control.work();
        }
        assert!((1..100_000).contains(&events), "{events}");
    }
}
