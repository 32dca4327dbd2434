// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events reach a client in order, and their loss is told.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use nl31_agent::console::access::{Access, LineLock};
use nl31_agent::grammar::codes;
use nl31_ctl::commands::list::generation;
use nl31_ctl::commands::monitor::{Pace, monitor};
use nl31_ctl::link::{Event, Link};
use nl31_ctl::port::Port;
use nl31_netlink::Client;
use nl31_route::{DeviceName, Route};
use nl31_wire::{Op, Request, RetryPolicy};

use crate::rig::{TestFile, TestPort, change};

#[test]
fn events_arrive_in_order_and_losses_are_told() {
    let port = TestPort::new(0);
    let mut link = port.open();
    change(&mut link, Op::Add, "10.0.0.0/8 dev lo").unwrap();
    port.tell();
    link.done(&Request::Subscribe { on: true }).unwrap();
    change(&mut link, Op::Replace, "10.0.0.0/8 dev eth0 metric 0").unwrap();
    change(&mut link, Op::Add, "blackhole ::/0").unwrap();
    change(&mut link, Op::Delete, "10.0.0.0/8").unwrap();
    port.tell();
    port.0.borrow_mut().answer();
    let mut generations = Vec::new();
    let mut heard = Vec::new();
    while let Some(event) = link.event(Duration::ZERO).unwrap() {
        if let Event::Change { generation, .. } = event {
            generations.push(generation);
        }
        heard.push(nl31_ctl::commands::monitor::text(event, false));
    }
    let expected = [
        "replaced 10.0.0.0/8 dev eth0",
        "added blackhole ::/0",
        "deleted 10.0.0.0/8 dev eth0",
    ];
    assert_eq!(heard, expected);
    assert!(generations.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    // Faster than the line takes them: some are dropped, answers are not.
    for number in 0..1000 {
        let line = format!("11.{}.{}.0/24 dev lo", number / 256, number % 256);
        let added = Client::with_timeout(port.kernel(), Duration::ZERO).add(
            nl31_netlink::Add::Add,
            &line
                .parse::<Route<DeviceName>>()
                .unwrap()
                .map_device(nl31_netlink::Device::Name),
        );
        added.unwrap();
    }
    port.tell();
    assert_eq!(port.0.borrow_mut().program.out().dropped(), 0);
    port.0.borrow_mut().answer();
    assert!(port.0.borrow_mut().program.tells());
    link.done(&Request::Ping {}).unwrap();
    let mut all = Vec::new();
    while let Some(event) = link.event(Duration::ZERO).unwrap() {
        all.push(event);
    }
    assert!((10..1000).contains(&all.len()), "{}", all.len());
    assert_eq!(all.last(), Some(&Event::Lost));
}

/// Something happens whenever the client waits, so many times; then the line is locked.
struct Busy {
    port: TestPort,
    events: u64,
}

impl Port for Busy {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.port.send(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        if self.port.0.borrow().heard.is_empty() && !wait.is_zero() {
            let Some(events) = self.events.checked_sub(1) else {
                // A PIN file that the agent cannot read locks the line.
                let file = TestFile::new("busy-access", &["pin".into()]);
                let line_lock = Rc::new(LineLock::new(Access::read(&file.0)));
                self.port.0.borrow_mut().program.set_line_lock(line_lock);
                return self.port.receive(buffer, wait);
            };
            self.events = events;
            std::thread::sleep(Duration::from_millis(1));
            let add = nl31_netlink::Add::Replace;
            let route = "10.0.0.0/8 dev lo".parse::<Route<DeviceName>>().unwrap();
            Client::with_timeout(self.port.kernel(), Duration::ZERO)
                .add(add, &route.map_device(nl31_netlink::Device::Name))
                .unwrap();
            self.port.tell();
            self.port.0.borrow_mut().answer();
        }
        self.port.receive(buffer, wait)
    }
}

#[test]
fn who_watches_is_heard_of_while_things_happen_and_told_that_the_line_is_locked() {
    let retry = RetryPolicy {
        timeout_ms: 60_000,
        attempts: 1,
    };
    let busy = Busy {
        port: TestPort::new(0),
        events: 200,
    };
    let mut link = Link::open(busy, "test", retry, retry).unwrap();
    let before = link.traffic().0;
    generation(&mut link).unwrap();
    let request = link.traffic().0 - before;
    let pace = Pace {
        silence: Duration::from_millis(1),
        longest: Duration::from_millis(20),
    };
    let mut out = Vec::new();
    let before = link.traffic().0;
    let error = monitor(&mut link, pace, false, &mut out).unwrap_err();
    assert_eq!(error.code(), Some(codes::LOCKED_OUT.number), "{error}");
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out.lines().count(), 200, "{out}");
    let requests = (link.traffic().0 - before) / request;
    assert!(requests > 6, "{requests}");
}
