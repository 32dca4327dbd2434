// SPDX-License-Identifier: MIT OR Apache-2.0
//! The board's table follows a zebra, whatever happens to the connection, to the line and to
//! the board.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nl31_ctl::commands::feed::status::Status;
use nl31_ctl::commands::feed::sync::{Times, sync};
use nl31_ctl::error::Error;
use nl31_ctl::feed::devices::Devices;
use nl31_ctl::feed::listener::Listener;
use nl31_ctl::feed::selection::Selection;
use nl31_ctl::feed::shared::Shared;
use nl31_ctl::feed::source::{Metrics, Source};
use nl31_ctl::link::Link;
use nl31_ctl::output::Output;
use nl31_ctl::port::Port;
use nl31_wire::{Op, RetryPolicy};

use crate::rig::{Kernel, Random, TestPort, change};
use crate::zebra::{BGP, Zebra, by, delete, delete_hop, frame, group, hop, object, of_kind, via};

const TIMES: Times = Times {
    quiet: Duration::from_millis(300),
    poll: Duration::from_millis(5),
    pause: Duration::from_millis(5),
};

/// A machine under load may take this long for anything; what is longer is a hang.
const HANG: Duration = Duration::from_secs(60);

/// Looks at the board whenever the feed sends something, and pulls the cable when it has seen
/// enough.
type Look = Rc<RefCell<dyn FnMut(&[String]) -> bool>>;

struct Watched {
    port: TestPort,
    look: Look,
    deadline: Instant,
}

impl Port for Watched {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let routes = self.port.kernel().0.borrow().published_routes();
        let routes: Vec<_> = routes.iter().map(ToString::to_string).collect();
        if (self.look.borrow_mut())(&routes) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        assert!(Instant::now() < self.deadline, "{routes:#?}");
        self.port.send(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        self.port.receive(buffer, wait)
    }
}

/// A feed and its board.
pub(crate) struct Rig {
    pub(crate) shared: Arc<Shared>,
    listener: Listener,
    port: TestPort,
    said: String,
    times: Times,
}

impl Rig {
    fn new() -> Self {
        Self::with(Selection::default(), TestPort::new(0))
    }

    fn with(selection: Selection, port: TestPort) -> Self {
        Self::reading(selection, Metrics::One, port)
    }

    pub(crate) fn reading(selection: Selection, metrics: Metrics, port: TestPort) -> Self {
        let devices = Devices::new(vec!["v0=eth0".parse().unwrap()]);
        let source = Source::new(selection, metrics, devices);
        let shared = Arc::new(Shared::new(source));
        let listener = Listener::start("127.0.0.1:0".parse().unwrap(), Arc::clone(&shared));
        Self {
            shared,
            listener: listener.unwrap(),
            port,
            said: String::new(),
            times: TIMES,
        }
    }

    fn zebra(&self) -> Zebra {
        Zebra::connect(self.listener.address())
    }

    /// Feeds the board until it has been seen as it should be; `look` is called with each of
    /// its states.
    #[track_caller]
    pub(crate) fn run(&mut self, mut look: impl FnMut(&[String]) -> bool + 'static) {
        let opened = Rc::new(RefCell::new(false));
        let is_open = Rc::clone(&opened);
        let look = move |routes: &[String]| *is_open.borrow() && look(routes);
        let look: Look = Rc::new(RefCell::new(look));
        let noise = self.port.0.borrow().noise;
        let retry = RetryPolicy {
            timeout_ms: if noise == 0 { 60_000 } else { 20 },
            attempts: u8::MAX,
        };
        loop {
            *opened.borrow_mut() = false;
            let watched = Watched {
                port: self.port.clone(),
                look: Rc::clone(&look),
                deadline: Instant::now() + HANG,
            };
            let mut link = Link::open(watched, "test", retry, retry).unwrap();
            *opened.borrow_mut() = true;
            let mut text = Vec::new();
            let mut status = Status::new(Duration::from_millis(50));
            let ended = sync(
                &mut link,
                &self.shared,
                self.times,
                &mut status,
                &mut Output::new(&mut text, false, false),
            );
            self.said += &String::from_utf8(text).unwrap();
            // The agent closes the socket of a session that has ended.
            self.port.kernel().0.borrow_mut().hang_up();
            match ended.unwrap_err().cause() {
                Error::Port(..) => return,
                // The command opens another session.
                error if noise != 0 && error.is_link_lost() => {}
                error => panic!("{error}\n{}", self.said),
            }
        }
    }

    /// Feeds the board until it has these routes.
    #[track_caller]
    pub(crate) fn until(&mut self, expected: &[&str]) {
        let expected: Vec<String> = expected.iter().map(|text| text.to_string()).collect();
        self.run(move |routes| routes == expected);
    }

    /// Waits until the shadow table and its connection are so.
    #[track_caller]
    fn wait(&self, is_so: impl Fn(&Shared) -> bool) {
        let deadline = Instant::now() + HANG;
        while !is_so(&self.shared) {
            assert!(Instant::now() < deadline, "{:#?}", self.shared.lock().peer);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn gone(&self) {
        self.wait(|shared| shared.lock().peer.is_none());
    }

    /// What was told, also that which no session has printed.
    fn told(&self) -> String {
        self.said.clone() + &self.shared.lock().take_notices().join("\n")
    }
}

#[test]
fn routes_of_all_kinds_reach_the_board() {
    let mut rig = Rig::new();
    let mut zebra = rig.zebra();
    zebra.say(&[hop(1, "192.0.2.1"), hop(2, "192.0.2.2"), group(7, &[1, 2])]);
    zebra.say(&[
        via("10.0.0.0/8", "192.0.2.1"),
        via("2001:db8::/32", "2001:db8:1::1"),
        object("11.0.0.0/8", 1),
        object("12.0.0.0/8", 7),
        of_kind(6, "13.0.0.0/8"),
        of_kind(7, "14.0.0.0/8"),
        // Neither kernel's nor static routes.
        by(2, "15.0.0.0/8", "192.0.2.1"),
        by(4, "16.0.0.0/8", "192.0.2.1"),
    ]);
    rig.until(&[
        "10.0.0.0/8 via 192.0.2.1 metric 20 proto bgp",
        "11.0.0.0/8 via 192.0.2.1 metric 20 proto bgp",
        "12.0.0.0/8 via 192.0.2.1 metric 20 proto bgp",
        "12.0.0.0/8 via 192.0.2.2 metric 20 proto bgp",
        "blackhole 13.0.0.0/8 metric 20 proto bgp",
        "unreachable 14.0.0.0/8 metric 20 proto bgp",
        "2001:db8::/32 via 2001:db8:1::1 metric 20 proto bgp",
    ]);
    // A group that changes, one hop of it that goes, and a route of another kind.
    zebra.say(&[group(7, &[2]), delete_hop(1), of_kind(8, "13.0.0.0/8")]);
    zebra.say(&[
        delete("10.0.0.0/8"),
        delete("14.0.0.0/8"),
        delete("2001:db8::/32"),
    ]);
    rig.until(&[
        "12.0.0.0/8 via 192.0.2.2 metric 20 proto bgp",
        "prohibit 13.0.0.0/8 metric 20 proto bgp",
    ]);
}

#[test]
fn update_by_two_messages_leaves_no_hole() {
    let mut rig = Rig::new();
    let mut zebra = rig.zebra();
    zebra.say(&[via("10.0.0.0/8", "192.0.2.1")]);
    rig.until(&["10.0.0.0/8 via 192.0.2.1 metric 20 proto bgp"]);
    // The end first: it is not told by a number that grows which update is the last one.
    let updates = std::thread::spawn(move || {
        for number in 2..200 {
            let route = via("10.0.0.0/8", &format!("192.0.2.{number}"));
            match number % 2 {
                0 => zebra.say(&[delete("10.0.0.0/8"), route]),
                // In frames of their own.
                _ => zebra.bytes(&[frame(&[delete("10.0.0.0/8")]), frame(&[route])].concat()),
            }
        }
        zebra
    });
    rig.run(|routes| {
        assert_eq!(routes.len(), 1, "a hole or two routes: {routes:?}");
        routes[0].contains("192.0.2.199")
    });
    updates.join().unwrap();
}

#[test]
fn routes_of_others_stay() {
    let mut rig = Rig::new();
    let mut link = rig.port.open();
    for route in [
        "10.0.0.0/8 via 198.51.100.1 metric 20",
        "10.0.0.0/8 via 198.51.100.2 proto static",
        "11.0.0.0/8 dev lo metric 20 proto bgp",
    ] {
        change(&mut link, Op::Append, route).unwrap();
    }
    drop(link);
    let mut zebra = rig.zebra();
    zebra.say(&[via("10.0.0.0/8", "192.0.2.1")]);
    rig.until(&[
        "10.0.0.0/8 via 198.51.100.2 proto static",
        "10.0.0.0/8 via 198.51.100.1 metric 20",
        "10.0.0.0/8 via 192.0.2.1 metric 20 proto bgp",
    ]);
    zebra.say(&[via("10.0.0.0/8", "192.0.2.9")]);
    rig.until(&[
        "10.0.0.0/8 via 198.51.100.2 proto static",
        "10.0.0.0/8 via 198.51.100.1 metric 20",
        "10.0.0.0/8 via 192.0.2.9 metric 20 proto bgp",
    ]);
    zebra.say(&[delete("10.0.0.0/8")]);
    rig.until(&[
        "10.0.0.0/8 via 198.51.100.2 proto static",
        "10.0.0.0/8 via 198.51.100.1 metric 20",
    ]);
}

#[test]
fn zebra_that_connects_again_replaces_what_it_does_not_say_again() {
    let mut rig = Rig::new();
    let mut zebra = rig.zebra();
    zebra.say(&[hop(1, "192.0.2.1"), object("10.0.0.0/8", 1)]);
    zebra.say(&[
        via("11.0.0.0/8", "192.0.2.1"),
        via("12.0.0.0/8", "192.0.2.1"),
    ]);
    let all = [
        "10.0.0.0/8 via 192.0.2.1 metric 20 proto bgp",
        "11.0.0.0/8 via 192.0.2.1 metric 20 proto bgp",
        "12.0.0.0/8 via 192.0.2.1 metric 20 proto bgp",
    ];
    rig.until(&all);
    drop(zebra);
    rig.gone();
    // The next one gives its objects other numbers.
    let mut zebra = rig.zebra();
    zebra.say(&[
        hop(1, "192.0.2.9"),
        hop(2, "192.0.2.1"),
        object("10.0.0.0/8", 2),
    ]);
    zebra.say(&[object("11.0.0.0/8", 1)]);
    let after = [
        "10.0.0.0/8 via 192.0.2.1 metric 20 proto bgp",
        "11.0.0.0/8 via 192.0.2.9 metric 20 proto bgp",
    ];
    rig.run(move |routes| {
        assert_eq!(routes[0], all[0]);
        assert!(routes.len() >= 2, "{routes:?}");
        routes == after
    });
    assert!(rig.told().contains("1 old ones go"), "{}", rig.said);
    // One that says nothing takes nothing away.
    drop(zebra);
    rig.gone();
    let silent = rig.zebra();
    rig.wait(|shared| shared.lock().peer.is_some());
    let end = Instant::now() + 2 * TIMES.quiet;
    rig.run(move |routes| {
        assert_eq!(routes, after);
        Instant::now() > end
    });
    drop(silent);
}

#[test]
fn second_zebra_is_refused() {
    let mut rig = Rig::new();
    let mut first = rig.zebra();
    first.say(&[via("10.0.0.0/8", "192.0.2.1")]);
    rig.wait(|shared| shared.lock().heard.is_some());
    let mut second = rig.zebra();
    assert!(second.is_closed());
    first.say(&[via("11.0.0.0/8", "192.0.2.1")]);
    rig.run(|routes| routes.len() == 2);
    assert!(rig.told().contains("refused 127.0.0.1:"), "{}", rig.said);
    drop(first);
    rig.gone();
    rig.zebra().say(&[via("12.0.0.0/8", "192.0.2.1")]);
    rig.run(|routes| routes.len() == 3);
}

#[test]
fn frame_that_is_wrong_ends_the_connection_and_keeps_the_table() {
    let mut rig = Rig::new();
    let expected = ["10.0.0.0/8 via 192.0.2.1 metric 20 proto bgp"];
    let mut long = via("11.0.0.0/8", "192.0.2.1");
    long[0] += 4;
    for (bad, why) in [
        (vec![2, 1, 0, 8, 0, 0, 0, 0], "version 2"),
        (vec![1, 2, 0, 8, 0, 0, 0, 0], "dplane_fpm_nl"),
        (vec![1, 1, 0, 3], "length 3"),
        (frame(&[long]), "wrong length"),
    ] {
        let mut zebra = rig.zebra();
        zebra.say(&[via("10.0.0.0/8", "192.0.2.1")]);
        zebra.bytes(&bad);
        assert!(zebra.is_closed(), "{why}");
        rig.gone();
        rig.until(&expected);
        assert!(rig.told().contains(why), "{why}: {}", rig.said);
    }
}

#[test]
fn connection_that_ends_at_any_byte_leaves_a_table_of_the_source() {
    let mut rig = Rig::new();
    rig.times.quiet = Duration::from_secs(3600);
    let stream = [
        frame(&[
            via("10.0.0.0/8", "192.0.2.1"),
            via("11.0.0.0/8", "192.0.2.1"),
        ]),
        frame(&[delete("10.0.0.0/8"), via("10.0.0.0/8", "192.0.2.2")]),
        frame(&[delete("11.0.0.0/8")]),
    ];
    let whole = stream.concat();
    for cut in 0..=whole.len() {
        let mut zebra = rig.zebra();
        rig.wait(|shared| shared.lock().peer.is_some());
        zebra.bytes(&whole[..cut]);
        drop(zebra);
        rig.gone();
        let frames = [
            stream[0].len(),
            stream[0].len() + stream[1].len(),
            whole.len(),
        ];
        let taken = frames.iter().filter(|&&end| end <= cut).count();
        let routes = rig.shared.lock().source.shadow().routes();
        // The last frame deletes a route that the first one of the next connection adds.
        let expected = [0, 2, 2, 1][taken];
        assert_eq!(routes, expected, "{cut}");
    }
    rig.until(&["10.0.0.0/8 via 192.0.2.2 metric 20 proto bgp"]);
}

#[test]
fn frames_of_any_content_are_survived() {
    let mut rig = Rig::new();
    let whole = [
        hop(1, "192.0.2.1"),
        group(7, &[1]),
        object("10.0.0.0/8", 7),
        via("11.0.0.0/8", "192.0.2.1"),
        delete("10.0.0.0/8"),
        delete_hop(1),
    ]
    .concat();
    let mut random = Random::seeded(1);
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.next() % 4 {
            let at = random.next() as usize % bytes.len();
            bytes[at] ^= 1 << (random.next() % 8);
        }
        let mut state = rig.shared.lock();
        let _ = state.source.bytes(&bytes);
        assert!(state.source.shadow().len() < 10_000);
    }
    rig.shared.lock().source.begin();
    let mut zebra = rig.zebra();
    zebra.say(&[via("10.0.0.0/8", "192.0.2.1")]);
    rig.until(&["10.0.0.0/8 via 192.0.2.1 metric 20 proto bgp"]);
}

/// Its routes reach the board over a line that damages frames.
#[test]
fn table_arrives_over_a_bad_line() {
    const ROUTES: u32 = 4000;
    let mut rig = Rig::with(Selection::default(), TestPort::new(2000));
    let mut zebra = rig.zebra();
    let prefix = |number: u32| {
        let address = std::net::Ipv4Addr::from_bits((1 << 24) + (number << 8));
        format!("{address}/24")
    };
    let sender = std::thread::spawn(move || {
        for number in 0..ROUTES {
            let gateway = format!("192.0.2.{}", 1 + number / 100 % 30);
            zebra.say(&[via(&prefix(number), &gateway)]);
        }
        zebra
    });
    rig.run(|routes| routes.len() == ROUTES as usize);
    assert!(rig.port.0.borrow().hits > 0, "the line was too good");
    sender.join().unwrap();
}

#[test]
fn another_board_and_another_user_are_noticed() {
    let mut rig = Rig::new();
    let mut zebra = rig.zebra();
    zebra.say(&[
        via("10.0.0.0/8", "192.0.2.1"),
        via("11.0.0.0/8", "192.0.2.1"),
    ]);
    let all = [
        "10.0.0.0/8 via 192.0.2.1 metric 20 proto bgp",
        "11.0.0.0/8 via 192.0.2.1 metric 20 proto bgp",
    ];
    rig.until(&all);
    // Another user deletes one and adds another one.
    let other = TestPort::to(rig.port.kernel(), 0);
    let mut changed = false;
    rig.run(move |routes| {
        if !std::mem::replace(&mut changed, true) {
            let mut link = other.open();
            change(&mut link, Op::Delete, "10.0.0.0/8").unwrap();
            change(&mut link, Op::Add, "12.0.0.0/8 dev lo proto bgp").unwrap();
            return false;
        }
        routes == all
    });
    // Another board, with an old table.
    rig.port = TestPort::to(Kernel::default(), 0);
    let mut link = rig.port.open();
    for route in [
        "10.0.0.0/8 via 192.0.2.7 metric 20 proto bgp",
        "13.0.0.0/8 dev lo proto bgp",
        "14.0.0.0/8 dev lo",
    ] {
        change(&mut link, Op::Add, route).unwrap();
    }
    drop(link);
    rig.run(move |routes| {
        let has = |prefix: &str| routes.iter().any(|route| route.starts_with(prefix));
        assert!(has("10.0.0.0/8") && has("14.0.0.0/8"), "a hole: {routes:?}");
        routes.len() == 3 && routes[..2] == all
    });
}

#[test]
fn what_the_board_refuses_is_told_and_the_rest_is_made() {
    let mut rig = Rig::new();
    rig.port.kernel().0.borrow_mut().max_routes = 2;
    let mut zebra = rig.zebra();
    let all = ["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"];
    zebra.say(&all.map(|prefix| via(prefix, "192.0.2.1")));
    rig.run(|routes| routes.len() == 2);
    zebra.say(&[delete("10.0.0.0/8"), via("12.0.0.0/8", "192.0.2.2")]);
    rig.run(|routes| {
        routes
            .iter()
            .any(|route| route.starts_with("12.0.0.0/8 via 192.0.2.2"))
    });
    assert!(
        rig.told().contains("set aside 12.0.0.0/8: E507"),
        "{}",
        rig.said
    );
}

#[test]
fn zebra_is_told_what_the_board_has_and_what_it_refuses() {
    let mut rig = Rig::new();
    rig.shared.lock().source.shadow().answer();
    rig.port.kernel().0.borrow_mut().max_routes = 2;
    let mut zebra = rig.zebra();
    let all = ["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"];
    zebra.say(&all.map(|prefix| via(prefix, "192.0.2.1")));
    rig.wait(|shared| shared.lock().source.shadow().routes() == 3);
    let is_empty = |shared: &Shared| {
        let mut state = shared.lock();
        state.source.shadow().answers().unwrap().is_empty()
    };
    assert!(is_empty(&rig.shared), "nothing is on the board");
    rig.run(|routes| routes.len() == 2);
    zebra.is_told(&[
        ("10.0.0.0/8", true),
        ("11.0.0.0/8", true),
        ("12.0.0.0/8", false),
    ]);
    // One that is said again, as by a zebra that comes back, and one for which there is room now.
    zebra.say(&[delete("11.0.0.0/8"), via("10.0.0.0/8", "192.0.2.1")]);
    rig.run(|routes| routes.len() == 2 && routes[1].starts_with("12.0.0.0/8"));
    zebra.is_told(&[("10.0.0.0/8", true), ("12.0.0.0/8", true)]);
}

#[test]
fn only_selected_routes_are_carried() {
    let selection = Selection {
        protocols: vec!["bgp".parse().unwrap()],
        lengths4: Some("8-24".parse().unwrap()),
        max_routes: 2,
        ..Selection::default()
    };
    let mut rig = Rig::with(selection, TestPort::new(0));
    let mut zebra = rig.zebra();
    zebra.say(&[
        by(188, "10.0.0.0/8", "192.0.2.1"),
        by(BGP, "10.0.0.1/32", "192.0.2.1"),
        by(BGP, "11.0.0.0/8", "192.0.2.1"),
        by(BGP, "12.0.0.0/8", "192.0.2.1"),
        by(BGP, "13.0.0.0/8", "192.0.2.1"),
    ]);
    rig.run(|routes| routes.len() == 2 && routes[1].starts_with("12.0.0.0/8"));
    assert!(rig.told().contains("--max-routes"), "{}", rig.said);
    // Another daemon's route is in its place.
    zebra.say(&[by(188, "11.0.0.0/8", "192.0.2.1")]);
    rig.run(|routes| routes.len() == 1);
}
