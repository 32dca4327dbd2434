// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any session at the console, over a kernel in memory that fails now and then: nothing but
//! text reaches the terminal, no output is lost, and whatever was typed, a command that follows
//! is carried out.
#![no_main]

use std::rc::Rc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use nl31_agent::config::locations::Files;
use nl31_agent::console::shared::Shared;
use nl31_agent::console::{Console, Peer};
use nl31_fuzz::devices::TwoDevices;
use nl31_fuzz::terminal::Terminal;
use nl31_netlink::{Client, FakeKernel};

/// Behind this byte, which is in no text, stands what happens.
const HAPPENS: u8 = 0xff;

struct Session {
    console: Console<FakeKernel>,
    terminal: Terminal,
    interactive: bool,
    output: Vec<u8>,
}

impl Session {
    fn attach(&mut self) {
        let client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
        self.console.attach(client);
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            let (now, later) = rest.split_at(rest.len().min(self.console.wants()));
            self.console.feed(now);
            rest = later;
            let more = self.console.work();
            let sent = self.console.out().pending().to_vec();
            self.console.out().consume(sent.len());
            if self.interactive {
                self.terminal.write(&sent);
            }
            self.output.extend_from_slice(&sent);
            if !more && sent.is_empty() && rest.is_empty() {
                return;
            }
        }
    }

    fn happens(&mut self, what: u8) {
        let mut kernel = self.console.client().map(Client::transport);
        match (what % 10, &mut kernel) {
            (0, Some(kernel)) => {
                let mut events = Vec::new();
                while let Some(event) = kernel.event() {
                    events.push(event);
                }
                for event in events {
                    if self.console.listens() {
                        self.console.event(&event);
                    }
                }
            }
            (1, Some(kernel)) => kernel.overrun = true,
            (2, Some(kernel)) => kernel.interrupt_dump = true,
            (3, Some(kernel)) => kernel.mute = !kernel.mute,
            (4, Some(kernel)) => kernel.admin = !kernel.admin,
            (5, Some(kernel)) => kernel.max_routes = u32::from(what / 10),
            (6, _) => self.console.events_lost(),
            (7, _) => self.console.detach(),
            (8, _) => self.attach(),
            (9, _) => self.console.restart(),
            (_, _) => {}
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&how, typed)) = data.split_first() else {
        return;
    };
    let peer = [Peer::Script, Peer::Shell, Peer::Line][usize::from(how) % 3];
    let folder = std::env::temp_dir().join(format!("nl31-fuzz-{}", std::process::id()));
    let files = Files::new(Some(&folder.join("routes.conf")), &folder);
    let shared = Rc::new(Shared::new(files, true, false));
    let mut session = Session {
        console: Console::new(Box::new(TwoDevices), None, peer, shared),
        terminal: Terminal::default(),
        interactive: peer != Peer::Script,
        output: Vec::new(),
    };
    session.console.set_size(how.into(), usize::from(how) % 40);
    session.attach();
    session.console.start();
    let mut rest = typed;
    while !rest.is_empty() {
        let len = rest.iter().position(|&byte| byte == HAPPENS);
        let (text, behind) = rest.split_at(len.unwrap_or(rest.len()));
        session.feed(text);
        if let Some(&what) = behind.get(1) {
            session.happens(what);
        }
        rest = behind.get(2..).unwrap_or_default();
    }

    // `exit` and Ctrl-D end a session that has an end; nothing is typed into it any more
    if session.console.input_ended() {
        return;
    }

    // out of any sequence of keys and search, then give up what was begun
    session.attach();
    let over: &[u8] = if session.interactive {
        b"\x1b]\x07\x07\x03\x03"
    } else {
        b"\n"
    };
    session.feed(over);
    session.output.clear();
    session.feed(b"ping\n");
    let output = String::from_utf8_lossy(&session.output);
    assert!(output.contains("I200 the kernel is alive"), "{output:?}");
    assert_eq!(session.console.out().dropped(), 0);
    session.console.end_of_input();
    session.feed(b"");
    assert!(session.console.finished());
});
