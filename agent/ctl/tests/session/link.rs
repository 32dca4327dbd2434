// SPDX-License-Identifier: MIT OR Apache-2.0
//! A line that is lost, or answered by another agent, leaves no doubt about what was done.

use std::io;
use std::time::Duration;

use indicatif::ProgressBar;
use nl31_agent::frames::session::Program;
use nl31_ctl::commands::load::{Mode, load};
use nl31_ctl::commands::{console, route, shell};
use nl31_ctl::error::Error;
use nl31_ctl::link::Link;
use nl31_ctl::port::Port;
use nl31_wire::limits::FRAME_MAX;
use nl31_wire::{Deframer, ItemsBuffer, Op, Request, Response, RetryPolicy, code};

use crate::rig::{
    Kernel, Random, TestFile, TestPort, Wire, load_file, printed, routes, scattered, spec,
    with_folder,
};

#[test]
fn a_request_ends_the_list_or_output_of_before() {
    let port = TestPort::new(0);
    let file = TestFile::new("ended-from", &scattered(1000));
    let mut link = port.open();
    load_file(&mut link, &file);
    // Also one that cannot begin.
    let all = ItemsBuffer::default();
    let dump = Request::Dump {
        filter: all.items(),
        longer: true,
    };
    link.call(&dump, |_| Ok(())).unwrap();
    let refused = Request::Dump {
        filter: nl31_wire::Items::new(&[0xff]),
        longer: true,
    };
    let code = |result: Result<(), Error>| result.unwrap_err().code().unwrap();
    assert_eq!(code(link.call(&refused, |_| Ok(()))), code::BAD_MESSAGE);
    assert_eq!(
        code(link.call(&Request::Next {}, |_| Ok(()))),
        code::NOT_OPEN
    );

    link.call(&Request::Line { text: "help" }, |_| Ok(()))
        .unwrap();
    let mut said = Vec::new();
    shell::line(&mut link, "ping", &mut said).unwrap();
    assert_eq!(said, b"I200 the kernel is alive\n");
}

#[test]
fn an_unplugged_line_leaves_open_only_what_was_on_its_way() {
    let mut buffer = ItemsBuffer::default();
    buffer.push(Op::Add, &spec("10.0.0.0/8 dev lo")).unwrap();
    let change = Request::Change {
        items: buffer.items(),
    };
    for (before, then, status) in [
        (None, Request::Ping {}, 5),
        // The agent received half of the frame, and changes nothing.
        (None, change, 5),
        (Some(Request::Ping {}), Request::Ping {}, 5),
        (Some(change), Request::Ping {}, 7),
        (Some(Request::Line { text: "ping" }), Request::Next {}, 7),
    ] {
        let port = TestPort::new(0);
        let mut link = port.open();
        if let Some(before) = before {
            link.submit(&before).unwrap();
        }
        port.0.borrow_mut().unplugged = true;
        let error = link.submit(&then).unwrap_err();
        assert_eq!(error.status(), status, "{before:?} {then:?}: {error}");
    }
}

#[test]
fn a_session_that_is_over_is_noticed() {
    let port = TestPort::new(0);
    let mut first = port.open();
    first.done(&Request::Ping {}).unwrap();
    let mut second = port.open();
    // The line is the second one's; the first one changes nothing any more.
    assert!(matches!(
        first.done(&Request::Ping {}),
        Err(Error::SessionLost)
    ));
    let add = spec("10.0.0.0/8 dev lo");
    // (Its hello would be needed; nothing is repeated behind its back.)
    let error = route::change(&mut first, Op::Add, &add).unwrap_err();
    assert_eq!(error.status(), 7, "{error}");
    assert!(port.routes().is_empty());
    second.done(&Request::Ping {}).unwrap();
    // The agent is started anew.
    let kernel = port.kernel();
    port.0.borrow_mut().program = Program::new(kernel, 8);
    assert!(matches!(
        second.done(&Request::Ping {}),
        Err(Error::SessionLost)
    ));
    assert_eq!(port.open().agent().boot, 8);
}

#[test]
fn a_link_that_is_lost_in_the_middle_of_a_line_leaves_unknown_what_it_did() {
    let port = TestPort::to(Kernel::default(), 0);
    let file = TestFile::new("lost-from", &scattered(3000));
    for (request, status) in [
        (Request::Line { text: "route show" }, 7),
        (
            Request::Dump {
                filter: ItemsBuffer::default().items(),
                longer: true,
            },
            5,
        ),
    ] {
        let mut link = port.open();
        load(
            &mut link,
            &mut routes(&file),
            Mode::Replace,
            &ProgressBar::hidden(),
        )
        .unwrap();
        link.call(&request, |_| Ok(())).unwrap();
        let other = port.open();
        let error = link.call(&Request::Next {}, |_| Ok(())).unwrap_err();
        assert_eq!(error.status(), status, "{error}");
        other.leave().unwrap();
    }
}

#[test]
fn an_agent_with_other_messages_is_told_of() {
    let mut agent = TestPort::new(0).open().agent().clone();
    assert_eq!(agent.warning(), None);
    agent.same_schema = false;
    let warning = agent.warning().unwrap();
    assert!(warning.contains(&agent.version), "{warning}");
}

#[test]
fn a_farewell_whose_answer_is_lost_gives_the_line_back_again() {
    let port = TestPort::new(0);
    let link = port.open();
    link.leave().unwrap();
    let mut wire = port.0.borrow_mut();
    assert!(!wire.line.frames());
    let mut again = [0; FRAME_MAX];
    let len = Request::Leave {}.encode(7, &mut again).unwrap();
    wire.hear(&again[..len]);
    assert!(!wire.line.frames());
    assert!(!wire.heard.is_empty(), "it is not answered");
    // Nothing but a farewell does that, nor that of a session that is over.
    let len = Request::Ping {}.encode(8, &mut again).unwrap();
    wire.hear(&again[..len]);
    assert!(wire.line.frames());
    drop(wire);
    let mut link = port.open();
    let len = Request::Leave {}.encode(9, &mut again).unwrap();
    port.clone().send(&again[..len]).unwrap();
    assert!(port.0.borrow().line.frames());
    port.0.borrow_mut().heard.clear();
    link.done(&Request::Ping {}).unwrap();
}

#[test]
fn a_line_without_an_agent_is_given_up() {
    struct Silent;
    impl Port for Silent {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }
        fn receive(&mut self, _: &mut [u8], wait: Duration) -> io::Result<usize> {
            std::thread::sleep(wait);
            Ok(0)
        }
    }
    let retry = RetryPolicy {
        timeout_ms: 5,
        attempts: 3,
    };
    let error = Link::open(Silent, "silent", retry, retry).err().unwrap();
    assert_eq!(error.status(), 5, "{error}");
}

#[test]
fn a_lost_link_leaves_no_doubt_about_a_command_that_reads() {
    let (port, _folder) = with_folder("reads");
    for (reads, status) in [(true, 5), (false, 7)] {
        let mut link = port.open();
        let _other = port.open();
        let error = printed(|out| match reads {
            true => console::show(&mut link, "diff", out),
            false => console::execute(&mut link, "rollback", out),
        });
        assert_eq!(error.unwrap_err().status(), status);
    }
}

/// A line on which each frame takes longer to send than the client waits for an answer.
struct SlowToSend(TestPort);

const TIME_LIMIT: u32 = 20;

impl Port for SlowToSend {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        std::thread::sleep(Duration::from_millis(u64::from(TIME_LIMIT) + 5));
        self.0.send(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        self.0.receive(buffer, wait)
    }
}

#[test]
fn answers_that_came_during_a_slow_send_are_heard_before_the_time_limit_counts() {
    let port = TestPort::new(0);
    let retry = RetryPolicy {
        timeout_ms: TIME_LIMIT,
        attempts: 3,
    };
    let mut link = Link::open(SlowToSend(port.clone()), "test", retry, retry).unwrap();
    let file = TestFile::new("slow", &scattered(1500));
    load(
        &mut link,
        &mut routes(&file),
        Mode::Add,
        &ProgressBar::hidden(),
    )
    .unwrap();
    assert_eq!(port.routes().len(), scattered(1500).len());
    link.leave().unwrap();
}

/// Frames, typed text, noise, halves and silences in any order.
fn anything(wire: &mut Wire, random: &mut Random) {
    let mut frame = [0; FRAME_MAX];
    let id = random.next() as u16;
    let request = match random.next() % 5 {
        0 => Request::Hello { session: 7 },
        1 => Request::Leave {},
        2 => Request::Line { text: "route show" },
        3 => Request::Begin { replace: false },
        _ => Request::Next {},
    };
    let len = request.encode(id, &mut frame).unwrap();
    match random.next() % 6 {
        0 => wire.hear(&frame[..len]),
        1 => {
            let damaged = wire.damaged(&frame[..len]);
            wire.hear(&damaged);
        }
        2 => wire.hear(&frame[..random.next() as usize % len]),
        3 => {
            let noise: Vec<_> = (0..random.next() % 700)
                .map(|_| random.next() as u8)
                .collect();
            wire.hear(&noise);
        }
        4 => wire.hear([&b"\r\n"[..], b"\0\r", b"\0\xff", b"ping"][random.next() as usize % 4]),
        _ => {
            wire.line.silence();
        }
    }
    if random.next().is_multiple_of(8) {
        // The person's session that follows.
        wire.program.reset();
    }
}

#[test]
fn whole_frame_is_answered_whatever_came_before() {
    let port = TestPort::new(50);
    let mut random = Random::seeded(18);
    for round in 0..20_000 {
        let mut wire = port.0.borrow_mut();
        for _ in 0..random.next() % 6 {
            anything(&mut wire, &mut random);
        }
        wire.heard.clear();
        wire.noise = 0;
        let mut hello = [0; FRAME_MAX];
        let session = random.next() as u32;
        let request = Request::Hello { session };
        let len = request.encode(round as u16, &mut hello).unwrap();
        wire.hear(&hello[..len]);
        let mut deframer = Deframer::new();
        let answered = wire.heard.iter().any(|&byte| {
            deframer.byte(byte).is_some_and(|frame| {
                let response = Response::decode(&frame.unwrap());
                matches!(response, Ok(Response::Welcome { .. }))
            })
        });
        assert!(answered, "round {round}");
        wire.noise = 50;
    }
}
