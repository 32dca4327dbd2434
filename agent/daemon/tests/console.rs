// SPDX-License-Identifier: MIT OR Apache-2.0
//! Console sessions as transcripts, over a kernel in memory that speaks the real
//! bytes. Lines that begin with `> ` are typed, the others are the replies.
#![allow(missing_docs)]

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nl31_agent::config::boot::Boot;
use nl31_agent::config::locations::Files;
use nl31_agent::console::access::{Access, Gate};
use nl31_agent::console::shared::Shared;
use nl31_agent::console::{Console, PROMPT, Peer};
use nl31_agent::platform::devices::Devices;
use nl31_netlink::{Client, Device, FakeDevice, FakeKernel};
use nl31_route::DeviceName;
use proptest::prelude::*;

/// `lo` is 1, `eth0` is 2, `eth1` is 3 but unknown to the kernel.
struct TestDevices;

const DEVICES: [&str; 3] = ["lo", "eth0", "eth1"];

impl Devices for TestDevices {
    fn index(&self, name: &DeviceName) -> Option<u32> {
        DEVICES
            .iter()
            .position(|&device| device.as_bytes() == name.as_bytes())
            .map(|at| at as u32 + 1)
    }

    fn name(&self, index: u32) -> Option<DeviceName> {
        DEVICES
            .get(index as usize - 1)
            .map(|name| name.parse().unwrap())
    }

    fn names(&self, each: &mut dyn FnMut(&str)) {
        DEVICES.iter().for_each(|name| each(name));
    }
}

/// A folder of its own for each session, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("nl31-console-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn config(&self) -> PathBuf {
        self.0.join("routes.conf")
    }

    fn files(&self) -> Files {
        Files::new(Some(&self.config()), &self.0.join("run"))
    }

    fn shared(&self) -> Rc<Shared> {
        Rc::new(Shared::new(self.files(), true, false))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn client() -> Client<FakeKernel> {
    Client::with_timeout(FakeKernel::default(), Duration::ZERO)
}

struct Session {
    console: Console<FakeKernel>,
    shared: Rc<Shared>,
    folder: Folder,
}

impl Session {
    fn new(interactive: bool) -> Self {
        let mut session = Self::without_kernel(interactive);
        session.console.attach(client());
        session.console.start();
        session.types("");
        session
    }

    fn without_kernel(interactive: bool) -> Self {
        let peer = if interactive {
            Peer::Line
        } else {
            Peer::Script
        };
        Self::with(Folder::new(), peer, None)
    }

    fn with(folder: Folder, peer: Peer, boot: Option<Boot>) -> Self {
        let shared = folder.shared();
        Self {
            console: Console::new(Box::new(TestDevices), boot, peer, Rc::clone(&shared)),
            shared,
            folder,
        }
    }

    /// A session that boots with a config.
    fn boots(config: &str) -> Self {
        let folder = Folder::new();
        fs::write(folder.config(), config).unwrap();
        let boot = Boot::new(&folder.files());
        let mut session = Self::with(folder, Peer::Script, Some(boot));
        session.console.attach(client());
        session
    }

    /// That of an agent beside the resident one, with a kernel of its own.
    fn guest(&self) -> Self {
        let mut guest = Self::new(false);
        guest.shared = Rc::new(Shared::new(self.folder.files(), false, false));
        let shared = Rc::clone(&guest.shared);
        guest.console = Console::new(Box::new(TestDevices), None, Peer::Script, shared);
        guest.console.attach(client());
        guest
    }

    /// The table, a path a line.
    fn table(&mut self) -> Vec<String> {
        self.kernel()
            .routes()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Plays a transcript in which FILE stands for the config.
    #[track_caller]
    fn plays_with_file(&mut self, transcript: &str) {
        let path = self.folder.config().display().to_string();
        self.plays(&transcript.replace("FILE", &path));
    }

    fn kernel(&mut self) -> &mut FakeKernel {
        self.console.client().unwrap().transport()
    }

    /// Types bytes as the serial line brings them, and gives what comes back.
    fn types(&mut self, bytes: impl AsRef<[u8]>) -> String {
        let mut rest = bytes.as_ref();
        let mut replies = Vec::new();
        loop {
            let (now, later) = rest.split_at(rest.len().min(self.console.wants()));
            self.console.feed(now);
            rest = later;
            let more = self.console.work();
            let out = self.console.out();
            let len = out.pending().len();
            replies.extend_from_slice(out.pending());
            out.consume(len);
            if !more && len == 0 && rest.is_empty() {
                assert_eq!(self.console.out().dropped(), 0);
                return String::from_utf8(replies).unwrap();
            }
        }
    }

    /// Types keys as a person does, one after the other.
    fn presses(&mut self, keys: &str) -> String {
        keys.chars()
            .map(|key| self.types(key.encode_utf8(&mut [0; 4])))
            .collect()
    }

    /// Sends what comes back to the console again, changed by `echo`, until it is silent.
    /// Gives how many bytes that were.
    fn loops(&mut self, bytes: &str, echo: impl Fn(&str) -> String) -> usize {
        let (mut circulates, mut total) = (self.types(bytes), 0);
        while !circulates.is_empty() {
            total += circulates.len();
            assert!(total < 100_000, "{circulates:?}");
            circulates = self.types(echo(&circulates));
        }
        total
    }

    /// Delivers the events of the fake kernel.
    fn hears(&mut self) -> String {
        while let Some(event) = self.kernel().event() {
            self.console.event(&event);
        }
        self.types("")
    }

    /// Plays a transcript: types its `> ` lines and compares the replies.
    #[track_caller]
    fn plays(&mut self, transcript: &str) {
        let mut played = String::new();
        let failures = self.console.failures();
        for line in transcript
            .lines()
            .map(|line| line.strip_prefix("        ").unwrap_or(line))
        {
            if let Some(typed) = line.strip_prefix("> ") {
                played.push_str(&format!("> {typed}\n"));
                played.push_str(&self.types(format!("{typed}\n")));
            }
        }
        let expected: String = transcript
            .lines()
            .map(|line| line.strip_prefix("        ").unwrap_or(line))
            .filter(|line| !line.is_empty())
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(
            played, expected,
            "\n--- played:\n{played}\n--- expected:\n{expected}"
        );
        assert_eq!(
            self.console.failures() - failures,
            played.matches("\nE").count() as u64
        );
    }
}

#[test]
fn a_route_is_added_read_changed_and_deleted() {
    Session::new(false).plays(
        "
        > greet hello
        hello, port 1234: hello
        I200 greeted as port 1234
        > ping
        I200 the kernel is alive
        > route add 10.0.0.0/8 via 192.0.2.1 dev eth0 metric 10
        I200 added 10.0.0.0/8
        > route get 10.1.2.3
        10.0.0.0/8 via 192.0.2.1 dev eth0 metric 10
        I200 found
        > route change 10.0.0.0/8 via 192.0.2.2 metric 10
        I200 changed 10.0.0.0/8
        > route replace blackhole 2001:db8::/32 proto static
        I200 replaced 2001:db8::/32
        > route show
        10.0.0.0/8 via 192.0.2.2 metric 10
        blackhole 2001:db8::/32 proto static
        I200 2 routes
        > route del 10.0.0.0/8
        I200 deleted 10.0.0.0/8
        > route get 10.1.2.3
        E404 no route to 10.1.2.3/32
        ",
    );
}

#[test]
fn commands_may_be_abbreviated_where_that_is_clear() {
    Session::new(false).plays(
        "
        > rou ad default v 192.0.2.1 d eth0 m 5
        I200 added 0.0.0.0/0
        > rou s d eth0
        0.0.0.0/0 via 192.0.2.1 dev eth0 metric 5
        I200 1 route
        > rou a 10.0.0.0/8 dev eth0
          rou a 10.0.0.0/8 dev eth0
              ^
        E400 column 5: ambiguous, write more of it: add or append
        ",
    );
}

#[test]
fn lines_of_iproute2s_lists_are_taken_and_what_they_only_tell_is_named() {
    let mut session = Session::new(false);
    session.plays(
        "
        > ip route add 198.51.100.0/24 dev eth0 proto kernel scope link linkdown
        W208 added 198.51.100.0/24; passed over: scope, linkdown
        > ip -6 ro ad 2001:db8:15::/64 dev eth0 protocol ra metric 1024 expires 86000sec pref medium
        W208 added 2001:db8:15::/64; passed over: pref, expires
        > ip -6 r a unreachable default dev lo metric 1024 error -113
        W208 added ::/0; passed over: error, dev lo
        > ip r a default via 192.0.2.1 dev eth0 proto dhcp metric 100
        I200 added 0.0.0.0/0
        > ip -4 r
        0.0.0.0/0 via 192.0.2.1 dev eth0 metric 100 proto dhcp
        198.51.100.0/24 dev eth0 proto kernel
        I200 2 routes
        > ip -6 route flush dev eth0 scope link
        W208 flushed; passed over: scope
        > route show
        0.0.0.0/0 via 192.0.2.1 dev eth0 metric 100 proto dhcp
        198.51.100.0/24 dev eth0 proto kernel
        unreachable ::/0 metric 1024
        I200 3 routes
        > ip -4 route add 2001:db8::/32 dev eth0
          ip -4 route add 2001:db8::/32 dev eth0
                          ^^^^^^^^^^^^^
        E400 column 17: `ip -4` takes IPv4 prefixes alone: remove -4, or write another prefix
        > ip route get 192.0.2.9 from 198.51.100.1
          ip route get 192.0.2.9 from 198.51.100.1
                                 ^^^^
        E400 column 24: routes are looked up by destination alone: write the address only
        > begin
        I200 edits wait for `commit` from now on
        > ip -6 route add default dev eth0 scope link
        W208 edit 1; passed over: scope
        > diff
        + ::/0 dev eth0
        I200 1 difference from the table
        > rollback
        I200 dropped 1 edit
        ",
    );
}

#[test]
fn what_a_config_has_of_iproute2s_lists_is_named_once() {
    let mut session =
        Session::boots("10.0.0.0/8 dev eth0 scope link\n11.0.0.0/8 dev eth0 scope link\n");
    let path = session.folder.config().display().to_string();
    assert_eq!(
        session.types(""),
        format!("* loaded 2 routes from {path}\n* {path}: passed over: scope\n")
    );
    session.plays_with_file("> load\nW208 loaded 2 routes from FILE; passed over: scope");
}

#[test]
fn an_empty_saved_config_is_not_loaded() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\n");
    fs::write(session.folder.config(), "").unwrap();
    let said = session.types("load\n");
    assert!(
        said.starts_with("E424 ") && said.contains("the saved config is empty"),
        "{said}"
    );
    assert_eq!(session.table(), ["10.0.0.0/8 dev eth0"]);
    // Whoever names it means it.
    session.plays_with_file("> load FILE\nI200 loaded 0 routes from FILE");
}

#[test]
fn a_byte_order_mark_before_a_command_is_passed_over() {
    let mut session = Session::new(false);
    assert_eq!(
        session
            .types("\u{feff}ping\nping\n")
            .matches("I200")
            .count(),
        2
    );
    let mut session = Session::new(true);
    assert!(session.types("\u{feff}ping\r").contains("I200"));
}

#[test]
fn a_replacement_that_is_there_already_says_so() {
    Session::new(false).plays(
        "
        > route add 10.0.0.0/8 via 192.0.2.1
        I200 added 10.0.0.0/8
        > route append 10.0.0.0/8 via 192.0.2.2
        I200 appended 10.0.0.0/8
        > route replace 10.0.0.0/8 via 192.0.2.2
        E409 path is there
        > terminal 1
        I200 1 row of 80 columns
        > terminal +5
          terminal +5
                   ^^
        E400 column 10: expected a number from 0 to 999
        ",
    );
}

#[test]
fn empty_lines_and_comments_are_no_commands() {
    Session::new(false)
        .plays("> \n>  \t \n> # nothing\n> #ping\n> ping\nI200 the kernel is alive\n");
}

#[test]
fn a_wrong_line_gets_a_caret_and_changes_nothing() {
    let mut session = Session::new(false);
    session.plays(
        "
        > rout
        E400 column 5: expected add, replace, change, append, del, get, show or flush
        "
        .replace(
            "        E400",
            "          rout\n              ^\n        E400",
        )
        .as_str(),
    );
    session.plays(
        "
        > restart
          restart
          ^^^^^^^
        E400 column 1: no such command: `help` lists them
        > ping me
          ping me
               ^^
        E400 column 6: expected the end of the line
        > route add
          route add
                   ^
        E400 column 10: a prefix is missing, like 10.0.0.0/8, 2001:db8::/32 or default
        > route add 10.0.0.1/8 dev eth0
          route add 10.0.0.1/8 dev eth0
                    ^^^^^^^^^^
        E400 column 11: bits are set beyond the prefix length, did you mean 10.0.0.0/8?
        > route add 10.0.0.0/33 dev eth0
          route add 10.0.0.0/33 dev eth0
                             ^^
        E400 column 20: the length of an IPv4 prefix is a number from 0 to 32
        > route add 2001:db8::/129 dev eth0
          route add 2001:db8::/129 dev eth0
                               ^^^
        E400 column 22: the length of an IPv6 prefix is a number from 0 to 128
        > route add 10.0.0.0/8 via 2001:db8::1
          route add 10.0.0.0/8 via 2001:db8::1
                                   ^^^^^^^^^^^
        E400 column 26: this gateway is IPv6, an IPv4 prefix needs one like 192.0.2.1
        > route add 10.0.0.0/8 dev eth7
          route add 10.0.0.0/8 dev eth7
                                   ^^^^
        E406 there is no device eth7
        > route add blackhole 10.0.0.0/8 dev eth0
          route add blackhole 10.0.0.0/8 dev eth0
                                             ^^^^
        E400 column 36: a route of kind blackhole has no next hop: remove via and dev, or the word blackhole
        > route get
          route get
                   ^
        E400 column 10: an address is missing, like 192.0.2.1 or 2001:db8::1
        > route get 10.0.0.1 via 192.0.2.1
          route get 10.0.0.1 via 192.0.2.1
                                 ^^^^^^^^^
        E400 column 24: expected an address alone
        > monitor maybe
          monitor maybe
                  ^^^^^
        E400 column 9: expected on or off
        > help nothing
          help nothing
               ^^^^^^^
        E400 column 6: no such command: `help` lists them
        > route show
        I200 0 routes
        ",
    );
    let reply = session.types(b"route add \xff\n");
    assert_eq!(reply, "E400 the line is not UTF-8 text\n");
    let reply = session.types(format!("greet {}\nping\n", "x".repeat(600)));
    assert_eq!(
        reply,
        "E414 the line is longer than 512 bytes\nI200 the kernel is alive\n"
    );
    let reply = session.types(format!("greet {}\n", "x".repeat(256)));
    assert_eq!(reply, "E414 a greeting has at most 255 bytes\n");
}

#[test]
fn what_the_kernel_refuses_is_explained_at_its_place() {
    let mut session = Session::new(false);
    session.plays(
        "
        > route add 10.0.0.0/8 via 224.0.0.1
          route add 10.0.0.0/8 via 224.0.0.1
                                   ^^^^^^^^^
        E422 the gateway is not the address of a host
        > route add 10.0.0.0/8 dev eth0
        I200 added 10.0.0.0/8
        > route add 10.0.0.0/8 via 192.0.2.1
        E409 10.0.0.0/8 has a route of metric 0 already, `route replace` takes its place
        > route append 10.0.0.0/8 dev eth0
        E409 10.0.0.0/8 has exactly this path already
        > route change 11.0.0.0/8 dev eth0
        E404 no such route: 11.0.0.0/8 of metric 0
        > route del 11.0.0.0/8
        E404 no such route: 11.0.0.0/8
        > route append 10.0.0.0/8 via 192.0.2.1
        I200 appended 10.0.0.0/8
        > route del 10.0.0.0/8
        E410 10.0.0.0/8 has several paths: say via, dev or metric, or `route flush 10.0.0.0/8`
        > route del 10.0.0.0/8 via 192.0.2.1
        I200 deleted 10.0.0.0/8
        > route show
        10.0.0.0/8 dev eth0
        I200 1 route
        ",
    );
    session.kernel().max_routes = 1;
    session.plays("> route add 11.0.0.0/8 dev eth0\nE507 table is full");
    session.kernel().admin = false;
    session.plays("> route del 10.0.0.0/8\nE403 CAP_NET_ADMIN is needed");
    session.kernel().mute = true;
    session.plays("> ping\nE504 the kernel did not answer in time");
    session.kernel().mute = false;
    session.kernel().overrun = true;
    session.plays("> ping\nE500 answers of the kernel were lost (receive buffer full)\n> ping\nI200 the kernel is alive");
}

#[test]
fn routes_are_shown_by_what_they_have() {
    let mut session = Session::new(false);
    session.types(
        "route add 10.0.0.0/8 dev eth0\nroute add 10.1.0.0/16 via 192.0.2.1\nroute add 10.1.0.0/16 dev eth0 metric 9\n\
         route add blackhole 10.1.2.0/24 proto bgp\nroute add ::/0 dev eth0\n",
    );
    session.plays(
        "
        > route show 10.1.0.0/16
        10.1.0.0/16 via 192.0.2.1
        10.1.0.0/16 dev eth0 metric 9
        I200 2 routes
        > route show 10.1.0.0/16 longer
        10.1.0.0/16 via 192.0.2.1
        10.1.0.0/16 dev eth0 metric 9
        blackhole 10.1.2.0/24 proto bgp
        I200 3 routes
        > route show dev eth0
        10.0.0.0/8 dev eth0
        10.1.0.0/16 dev eth0 metric 9
        ::/0 dev eth0
        I200 3 routes
        > route show blackhole
        blackhole 10.1.2.0/24 proto bgp
        I200 1 route
        > route show via 192.0.2.1
        10.1.0.0/16 via 192.0.2.1
        I200 1 route
        > route show default
        I200 0 routes
        > route show proto 186 metric 0
        blackhole 10.1.2.0/24 proto bgp
        I200 1 route
        ",
    );
    session.kernel().interrupt_dump = true;
    session.plays("> route show ::/0\n::/0 dev eth0\nW205 1 route, the table changed meanwhile");
}

#[test]
fn a_shown_route_can_be_typed_again() {
    let mut session = Session::new(false);
    let routes = "blackhole 10.1.2.0/24 metric 5 proto bgp\n::/0 via fe80::1 dev eth0\nprohibit 2001:db8::/32\n";
    for route in routes.lines() {
        session.types(format!("route add {route}\n"));
    }
    assert_eq!(
        session.types("route show\n"),
        format!("{routes}I200 3 routes\n")
    );
}

#[test]
fn a_flush_must_be_told_what() {
    let mut session = Session::new(false);
    let fill = "route add 10.0.0.0/8 dev eth0\nroute append 10.0.0.0/8 via 192.0.2.1\n\
        route append 10.0.0.0/8 via 192.0.2.2\nroute add 10.1.0.0/16 dev eth0\nroute add ::/0 dev eth0\n";
    session.types(fill);
    session.plays(
        "
        > route flush
          route flush
                     ^
        E400 column 12: say what to delete, like a prefix or dev eth0, or `all`
        > route flush all dev eth0
          route flush all dev eth0
                                  ^
        E400 column 25: `all` stands alone: leave it out, or the rest
        > route flush 10.0.0.0/8 dev lo
        W204 no route was like that
        > route flush 10.0.0.0/8 dev eth0
        I200 flushed
        > route show 10.0.0.0/8 longer
        10.0.0.0/8 via 192.0.2.1
        10.0.0.0/8 via 192.0.2.2
        10.1.0.0/16 dev eth0
        I200 3 routes
        > route flush 10.0.0.0/8
        I200 flushed
        > route flush 10.0.0.0/8
        W204 no route was like that
        > route flush dev eth0
        I200 flushed
        > route show
        I200 0 routes
        ",
    );
    session.types(fill);
    session.plays(
        "
        > route flush 10.0.0.0/8 longer
        I200 flushed
        > route flush all
        I200 flushed
        > route flush all
        W204 no route was like that
        ",
    );
}

#[test]
fn changes_are_shown_while_monitoring() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\n");
    assert_eq!(session.hears(), "");
    session.plays("> monitor\nI200 monitor on");
    session.types(
        "route replace 10.0.0.0/8 via 192.0.2.1\nroute del 10.0.0.0/8\nroute add ::/0 dev eth0\n",
    );
    assert_eq!(
        session.hears(),
        "* replaced 10.0.0.0/8 via 192.0.2.1\n* deleted 10.0.0.0/8 via 192.0.2.1\n* added ::/0 dev eth0\n"
    );
    session.plays("> monitor off\nI200 monitor off");
    session.types("route flush all\n");
    assert_eq!(session.hears(), "");
}

#[test]
fn lost_events_are_counted_from_the_table() {
    let mut session = Session::new(false);
    session.types("monitor on\nroute add 10.0.0.0/8 dev eth0\n");
    session.hears();
    session.types("route add 11.0.0.0/8 dev eth0\nroute add 12.0.0.0/8 dev eth0\n");
    while session.kernel().event().is_some() {}
    session.console.events_lost();
    assert_eq!(
        session.types(""),
        "* 2 changes came too fast to be shown, see `route show`\n"
    );
    assert!(session.types("stats\n").contains("\nevents-lost 2\n"));
}

#[test]
fn a_list_is_whole_though_events_are_lost_meanwhile() {
    let mut session = Session::new(true);
    session.types(script(100));
    session.types("monitor on\r");
    session.types("terminal 50\r");
    let mut list = session.types("route show\r");
    assert!(list.ends_with("--more--"), "{list:?}");
    session.console.events_lost();
    while list.ends_with("--more--") {
        list += &session.types(" ");
    }
    assert_eq!(list.matches(" dev eth0\r\n").count(), 100, "{list:?}");
    assert!(list.contains("I200 100 routes"), "{list:?}");
}

#[test]
fn a_paste_is_whole_though_its_commands_have_long_output() {
    // In one piece, and a byte at a time, as a slow line brings it.
    let paste = "help\r# route flush all\rroute show\rroute add 11.0.0.0/8 dev eth0\r";
    for piece in [paste.len(), 1] {
        let mut session = Session::new(true);
        session.types(script(50));
        session.types("terminal 24 80\r");
        for bytes in paste.as_bytes().chunks(piece) {
            session.types(bytes);
        }
        let table = session.table();
        assert_eq!(table.len(), 51, "{piece}");
        assert!(table.contains(&"11.0.0.0/8 dev eth0".to_owned()), "{piece}");
    }
}

#[test]
fn a_line_that_takes_little_at_a_time_gets_every_line_of_a_list() {
    const ROUTES: usize = 1200;
    for (command, piece) in [
        ("route show json", 512),
        ("route show", 4095),
        ("diff", 100),
    ] {
        let mut session = Session::new(false);
        let path = "via fe80::1234:5678:9abc:def0 dev eth0 metric 1024 proto static";
        let lines: String = (0..ROUTES)
            .map(|i| format!("route add 2001:db8:1111:2222:3333:4444:5555:{i:x}/128 {path}\n"))
            .collect();
        session.types(&lines);
        session.types(format!("{command}\n"));
        session.console.feed(command.as_bytes());
        session.console.feed(b"\n");
        let mut heard = Vec::new();
        loop {
            let more = session.console.work();
            let out = session.console.out();
            let len = out.pending().len().min(piece);
            heard.extend_from_slice(&out.pending()[..len]);
            out.consume(len);
            if !more && len == 0 {
                break;
            }
        }
        assert_eq!(session.console.out().dropped(), 0, "{command}");
        let heard = String::from_utf8(heard).unwrap();
        assert_eq!(
            heard.matches("2001:db8:1111:2222:3333:").count(),
            ROUTES,
            "{command}"
        );
    }
}

#[test]
fn what_follows_ctrl_c_below_a_page_is_typed() {
    let mut session = Session::new(true);
    session.types("terminal 5\r");
    assert!(session.types("help\r").ends_with("--more--"));
    let typed = session.types("\x03version\r");
    assert!(typed.ends_with("I200 version\r\nnl31> "), "{typed:?}");
}

#[test]
fn a_gap_between_changes_is_shown_and_what_came_late_is_not() {
    let mut session = Session::new(false);
    session.types("monitor on\nroute add 10.0.0.0/8 dev eth0\nroute add 11.0.0.0/8 dev eth0\n");
    let late = session.kernel().event().unwrap();
    assert_eq!(
        session.hears(),
        "* 1 change came too fast to be shown, see `route show`\n\
         * added 11.0.0.0/8 dev eth0\n"
    );
    session.console.event(&late);
    assert_eq!(session.types(""), "");
    let stats = session.types("stats\n");
    assert!(
        stats.contains("\nevents-received 1\nevents-lost 1\n"),
        "{stats}"
    );
}

#[test]
fn without_the_module_the_console_is_there_and_says_so() {
    let mut session = Session::without_kernel(false);
    let absent = "E503 the kernel has no netlink protocol 31: the nl31 module is not there\n";
    for command in [
        "ping",
        "greet",
        "route show",
        "route get ::1",
        "route flush all",
        "stats",
    ] {
        assert_eq!(session.types(format!("{command}\n")), absent, "{command}");
    }
    assert!(session.types("help\n").ends_with("I200 help\n"));
    let client = Client::with_timeout(FakeKernel::default(), Duration::ZERO);
    session.console.attach(client);
    assert_eq!(session.types("ping\n"), "I200 the kernel is alive\n");
    session.console.detach();
    assert_eq!(session.types("ping\n"), absent);
}

#[test]
fn help_explains_every_command_and_code() {
    let mut session = Session::new(false);
    let all = session.types("help\n");
    for command in nl31_agent::grammar::COMMANDS {
        assert!(all.contains(command.help), "{}", command.help);
        let one = session.types(format!("help {}\n", command.words.join(" ")));
        assert!(one.starts_with(&format!("  {command}\n")), "{one}");
        assert!(one.ends_with("I200 help\n"));
    }
    let codes = session.types("help codes\n");
    for code in nl31_agent::grammar::codes::ALL {
        assert!(codes.contains(&format!("  {code}  {}\n", code.meaning)));
    }
    assert!(session.types("help route\n").contains("route flush"));
    assert!(
        session
            .types("version\n")
            .contains("module 0.0-fake abi 1\nI200 version\n")
    );
    assert!(session.types("log\n").ends_with("I200 log\n"));
}

/// The commands of a long script, and how often each reply comes.
fn script(lines: u32) -> String {
    (0..lines)
        .map(|i| format!("route add 10.{}.{}.0/24 dev eth0\n", i / 256, i % 256))
        .collect()
}

#[test]
fn a_paste_of_thousands_of_lines_loses_nothing() {
    for interactive in [false, true] {
        let mut session = Session::new(interactive);
        let replies = session.types(script(10_000));
        assert_eq!(replies.matches("I200 added").count(), 10_000);
        assert_eq!(session.kernel().routes().len(), 10_000);
    }
}

#[test]
fn a_paste_over_a_line_without_flow_control_loses_nothing() {
    let mut session = Session::new(true);
    // Both ways at the same rate, with the buffer of a terminal between.
    let mut buffer = std::collections::VecDeque::with_capacity(4096);
    for byte in script(10_000).bytes() {
        assert!(buffer.len() < 4096, "a byte is lost");
        buffer.push_back(byte);
        let len = buffer.len().min(session.console.wants());
        let taken: Vec<u8> = buffer.drain(..len).collect();
        session.console.feed(&taken);
        session.console.work();
        session.console.out().consume(1);
    }
    let rest: Vec<u8> = buffer.into_iter().collect();
    assert!(
        session
            .types(rest)
            .ends_with("I200 added 10.39.15.0/24\r\nnl31> ")
    );
    assert_eq!(session.kernel().routes().len(), 10_000);
    assert_eq!(
        session.types("ping\r"),
        "ping\r\nI200 the kernel is alive\r\nnl31> "
    );
}

#[test]
fn tabs_and_question_marks_of_a_paste_ask_for_nothing() {
    let line = |i: u32| format!("route\tadd\t10.{}.{}.0/24\tdev\teth0\r", i / 256, i % 256);
    let mut paste: String = (0..200).map(line).collect();
    paste += "# and now?\r";
    let mut session = Session::new(true);
    let replies = session.types(paste);
    assert_eq!(replies.matches("I200 added").count(), 200);
    assert!(!replies.contains("NAME"), "{replies}");
    assert!(!session.types("# why?").contains("help"));
}

/// What a terminal shows that knows CR, LF and backspace.
fn screen(bytes: &str) -> Vec<String> {
    let mut rows = vec![Vec::new()];
    let mut column = 0;
    for c in bytes.chars() {
        let row: &mut Vec<char> = rows.last_mut().unwrap();
        match c {
            '\r' => column = 0,
            '\n' => rows.push(Vec::new()),
            '\x08' => column -= 1,
            '\x07' => {}
            c => {
                row.resize(row.len().max(column + 1), ' ');
                row[column] = c;
                column += 1;
            }
        }
    }
    rows.iter()
        .map(|row| row.iter().collect::<String>().trim_end().to_string())
        .collect()
}

#[track_caller]
fn shows(session: &mut Session, keys: &str, expected: &[&str]) {
    let typed = session.presses(keys);
    assert_eq!(screen(&format!("{PROMPT}{typed}")), expected, "{keys:?}");
}

#[test]
fn a_person_gets_echo_prompt_and_crlf() {
    let mut session = Session::without_kernel(true);
    session.console.start();
    assert!(session.types("").ends_with("\r\nnl31> "));
    let mut session = Session::new(true);
    assert_eq!(
        session.types("ping\r"),
        "ping\r\nI200 the kernel is alive\r\nnl31> "
    );
    assert_eq!(session.types("\r\n"), "\r\nnl31> ");
    shows(
        &mut session,
        "route add 10.0.0.0/33 dev eth0\r",
        &[
            "nl31> route add 10.0.0.0/33 dev eth0",
            "                         ^^",
            "E400 column 20: the length of an IPv4 prefix is a number from 0 to 32",
            "nl31>",
        ],
    );
    // A line that is shown in part is shown again above its caret.
    let reply = screen(&session.types(format!("greet {}\x01x\x05\r", "y".repeat(100))));
    assert_eq!(
        reply[1..],
        [
            format!("  xgreet {}", "y".repeat(100)).as_str(),
            "  ^^^^^^",
            "E400 column 1: no such command: `help` lists them",
            "nl31>",
        ]
    );
}

/// A terminal that echoes shows control characters with a caret.
fn cooked(bytes: &str) -> String {
    let mut echo = String::new();
    for c in bytes.chars() {
        match c {
            '\r' | '\n' => echo += "\r\n",
            '\x00'..' ' => echo.extend(['^', char::from(c as u8 + 0x40)]),
            c => echo.push(c),
        }
    }
    echo
}

#[test]
fn a_line_that_returns_the_output_falls_silent() {
    for echo in [|bytes: &str| bytes.to_owned(), cooked] {
        for typed in [
            "\r",
            "x",
            "x\r",
            "ping\r",
            "help\r",
            "\x08",
            &"y".repeat(600),
        ] {
            let mut session = Session::new(true);
            session.loops(typed, echo);
            // And again, without another word of it.
            let pause = std::time::Instant::now() + Duration::from_secs(2);
            session.console.feed_at(b"\r", pause);
            let said = session.types("");
            assert!(!said.contains("ignored"), "{said:?}");
            session.loops(&echo(&said), echo);
        }
    }
    let mut session = locked();
    session.loops("", str::to_owned);
    session.loops("x\r", cooked);
}

#[test]
fn a_pasted_transcript_is_ignored_and_a_person_goes_on_after_a_pause() {
    let mut session = Session::new(true);
    let said = session.types("nl31> route add 10.0.0.0/8 dev eth0\r\nI200 added 10.0.0.0/8\r\n");
    let notice =
        "* ignored until the line is quiet for 1 s: it sends back what this console prints";
    assert_eq!(screen(&format!("{PROMPT}{said}")), [notice, "nl31>"]);
    assert!(session.table().is_empty());
    let pause = std::time::Instant::now() + Duration::from_secs(1);
    session.console.feed_at(b"ping\r", pause);
    assert!(session.types("").contains("I200 the kernel is alive"));
}

#[test]
fn a_full_line_rings_once() {
    let mut session = Session::new(true);
    let said = session.presses(&"y".repeat(520));
    assert_eq!(said.matches('\x07').count(), 1);
    assert!(session.types("\r").contains("E414 "));
}

#[test]
fn a_line_feed_long_after_a_carriage_return_is_enter() {
    let mut session = Session::new(true);
    let now = std::time::Instant::now();
    for (bytes, seconds, prompts) in [(b"\r", 0, 1), (b"\n", 0, 0), (b"\r", 1, 1), (b"\n", 3, 1)] {
        session
            .console
            .feed_at(bytes, now + Duration::from_secs(seconds));
        assert_eq!(
            session.types("").matches(PROMPT).count(),
            prompts,
            "{seconds}"
        );
    }
}

#[test]
fn a_tab_of_a_paste_separates_words() {
    let mut session = Session::new(true);
    let said = session.types("route add 10.2.0.0/16\tvia 192.0.2.1\r");
    assert!(said.contains("I200 added 10.2.0.0/16"), "{said:?}");
    let mut session = Session::new(false);
    session.plays("> route\tadd 10.2.0.0/16\tvia 192.0.2.1\nI200 added 10.2.0.0/16");
}

#[test]
fn tab_completes_and_lists() {
    let mut session = Session::new(true);
    shows(&mut session, "gr\t\x15", &["nl31>"]);
    shows(
        &mut session,
        "rou\tsh\tdev e\t",
        &["nl31> route show dev eth"],
    );
    shows(
        &mut session,
        "\t",
        &["nl31>", "  eth0", "  eth1", "nl31> route show dev eth"],
    );
    shows(
        &mut session,
        "0 proto st\t\r",
        &["nl31> 0 proto static", "I200 0 routes", "nl31>"],
    );
    shows(
        &mut session,
        "route add 10.0.0.0/8 via \t",
        &[
            "nl31> route add 10.0.0.0/8 via",
            "  ADDRESS      an address like 192.0.2.1 or 2001:db8::1",
            "nl31> route add 10.0.0.0/8 via",
        ],
    );
}

#[test]
fn tab_completes_the_prefixes_that_are_there() {
    let mut session = Session::new(true);
    session.types(
        "route add 10.0.0.0/8 dev eth0\rroute add 10.16.0.0/12 dev eth0\r\
         route add 10.16.7.0/24 dev eth0\rroute append 10.16.7.0/24 dev lo\r\
         route add 2001:db8::/32 dev eth0\rroute add 11.0.0.0/8 dev eth0\r",
    );
    shows(
        &mut session,
        "route del 10.16.7\t",
        &["nl31> route del 10.16.7.0/24"],
    );
    // Up to where it is clear, then the list.
    session.types("\x15");
    shows(
        &mut session,
        "route get 10.1\t",
        &["nl31> route get 10.16."],
    );
    shows(
        &mut session,
        "\t",
        &[
            "nl31>",
            "  ADDRESS      an address like 192.0.2.1, or a prefix",
            "  10.16.0.0/12",
            "  10.16.7.0/24",
            "nl31> route get 10.16.",
        ],
    );
    session.types("\x15");
    assert!(session.types("route show 2001:\t").ends_with("db8::/32 "));
    // A shorter one, whose text begins so too.
    session.types("\x15route add 8.0.0.0/5 dev eth0\r");
    assert!(session.types("route show 8.\t").ends_with("0.0.0/5 "));
    session.types("\x15");
    // A route that is added is not to be there.
    assert!(!session.types("route add 10.16.7\t").contains("10.16.7.0"));
}

#[test]
fn tab_completes_the_configs_that_there_are() {
    let mut session = Session::new(true);
    let config = session.folder.config();
    fs::write(&config, "").unwrap();
    let said = session.presses("load /\t");
    assert!(
        screen(&said)[0].ends_with(config.to_str().unwrap()),
        "{said:?}"
    );
}

#[test]
fn the_prompt_tells_edits_unsaved_changes_and_an_unconfirmed_commit() {
    let mut session = Session::new(true);
    let prompts = |said: String| screen(&said).last().unwrap().clone();
    let typed = [
        ("save\r", "nl31>"),
        ("route add 10.0.0.0/8 dev eth0\r", "nl31*>"),
        ("begin\r", "nl31(edit 0)*>"),
        ("route add 11.0.0.0/8 dev eth0\r", "nl31(edit 1)*>"),
        ("commit confirmed 600\r", "nl31*!>"),
        ("confirm\r", "nl31>"),
        ("route del 10.0.0.0/8\r", "nl31*>"),
        ("load\r", "nl31>"),
        ("route del 10.0.0.0/8\r", "nl31*>"),
        ("factory-reset\r", "nl31>"),
    ];
    for (line, prompt) in typed {
        assert_eq!(prompts(session.types(line)), prompt, "{line}");
    }
    // A caret stands where the line is, and a narrow terminal keeps room for it.
    session.types("begin\r");
    let said = screen(&session.types("pong\r"));
    assert_eq!(said[1], "              ^^^^", "{said:?}");
    session.console.set_size(20, 0);
    assert_eq!(prompts(session.types("\r")), ">");
}

#[test]
fn a_reboot_does_not_lose_changes_unless_told() {
    let mut session = Session::new(false);
    let shared = Rc::new(Shared::new(session.folder.files(), true, true));
    session.console = Console::new(
        Box::new(TestDevices),
        None,
        Peer::Script,
        Rc::clone(&shared),
    );
    session.console.attach(client());
    session.plays(
        "
        > save
        I200 saved 0 routes
        > begin
        I200 edits wait for `commit` from now on
        > route add 10.0.0.0/8 dev eth0
        I200 edit 1
        > reboot
        E428 1 edit would be lost: `commit` and `save`, or `reboot now`
        > commit
        I200 committed 1 edit
        > reboot
        E428 changes would be lost: `save` them, or `reboot now`
        ",
    );
    assert!(session.types("version\n").contains("\nchanges unsaved\n"));
    assert_eq!(shared.reboot.get(), None);
    session.plays("> reboot now\nI200 restarting");
    assert!(shared.reboot.take().is_some());
    session.plays("> save\nI200 saved 1 route\n> reboot\nI200 restarting");
    assert!(shared.reboot.get().is_some());
    assert!(session.types("version\n").contains("\nchanges none\n"));
}

#[test]
fn what_is_loaded_at_boot_is_saved() {
    let mut session = Session::boots("10.0.0.0/8 dev eth0\n");
    session.types("");
    assert!(session.types("version\n").contains("\nchanges none\n"));
    session.types("route del 10.0.0.0/8\n");
    assert!(session.types("version\n").contains("\nchanges unsaved\n"));
}

#[test]
fn what_others_call_show_is_found_and_routes_are_counted() {
    let mut session = Session::new(false);
    session.plays(
        "
        > route add 10.0.0.0/8 dev eth0
        I200 added 10.0.0.0/8
        > route add 11.0.0.0/8 dev lo
        I200 added 11.0.0.0/8
        > show routes
        10.0.0.0/8 dev eth0
        11.0.0.0/8 dev lo
        I200 2 routes
        > show ip route dev lo
        11.0.0.0/8 dev lo
        I200 1 route
        > route show count
        I200 2 routes
        > route show dev eth0 count
        I200 1 route
        > shwo
          shwo
          ^^^^
        E400 column 1: no such command: `help` lists them
        ",
    );
    assert!(session.types("show version\n").ends_with("I200 version\n"));
    assert!(session.types("show log\n").ends_with("I200 log\n"));
}

#[test]
fn monitor_and_commands_do_not_end_silently() {
    let mut session = Session::new(true);
    session.types("monitor\r");
    session.console.restart();
    let said = session.types("");
    assert!(
        said.contains("* `monitor` is off: a program or another terminal"),
        "{said:?}"
    );
    session.console.restart();
    assert!(!session.types("").contains("took the line"));
    session.types("monitor\r");
    let said = session.types("exit\r");
    assert!(
        !session.console.monitors() && said.contains("I200"),
        "{said:?}"
    );
}

#[test]
fn text_of_others_does_not_steer_the_terminal() {
    let mut session = Session::new(false);
    let said = session.types("greet a\x1b[2J\u{9b}31m\rI200\n");
    assert!(said.contains("a?[2J?31m?I200\n"), "{said:?}");
    let said = session.types("load /no/\x1b]0;such\x07\n");
    assert!(said.starts_with("E424 /no/?]0;such?: "), "{said:?}");
    let said = session.types("route\tadd\t10.0.0.1/8\tdev eth0\n");
    assert!(
        said.starts_with("  route add 10.0.0.1/8 dev eth0\n            ^"),
        "{said:?}"
    );
}

#[test]
fn a_question_mark_explains_at_any_point() {
    let mut session = Session::new(true);
    shows(
        &mut session,
        "mon?",
        &[
            "nl31> mon",
            "  monitor      show changes of the table as they happen, until `monitor off`",
            "nl31> mon",
        ],
    );
    shows(
        &mut session,
        "itor ?\x15",
        &[
            "nl31> itor",
            "  on           show changes as they happen",
            "  off          no more",
            "nl31>",
        ],
    );
    shows(
        &mut session,
        "ping ?\x15",
        &["nl31> ping", "  nothing is expected here", "nl31>"],
    );
    shows(
        &mut session,
        "greet how are you?\r",
        &[
            "nl31> greet how are you?",
            "hello, port 1234: how are you?",
            "I200 greeted as port 1234",
            "nl31>",
        ],
    );
}

#[test]
fn a_notice_leaves_what_is_being_typed() {
    let mut session = Session::new(true);
    session.types("monitor on\rroute add 10.0.0.0/8 dev eth0\rroute sh");
    let event = session.hears();
    assert_eq!(
        screen(&format!("nl31> route sh{event}")),
        ["* added 10.0.0.0/8 dev eth0", "nl31> route sh"]
    );
    assert!(
        session
            .types("ow\r")
            .contains("10.0.0.0/8 dev eth0\r\nI200 1 route\r\n")
    );
}

#[test]
fn ctrl_c_stops_a_long_list_and_drops_what_was_typed_ahead() {
    let mut session = Session::new(true);
    session.types(script(5_000));
    session.console.feed(b"route show\rping\r");
    session.console.work();
    session.console.feed(b"\x03");
    let reply = session.types("ping\r");
    assert!(
        reply.starts_with("^C\r\n"),
        "no route that was not sent: {reply}"
    );
    let status: Vec<_> = reply.lines().filter(|line| line.contains("20")).collect();
    assert!(
        status
            .iter()
            .any(|line| line.starts_with("W206 stopped after ")),
        "{reply}"
    );
    assert_eq!(reply.matches("I200 the kernel is alive").count(), 1);
    // The rest of the stopped list does not come into the next one.
    assert!(
        session
            .types("route show 10.0.7.0/24\r")
            .ends_with("10.0.7.0/24 dev eth0\r\nI200 1 route\r\nnl31> ")
    );
}

#[test]
fn what_is_left_of_a_list_that_was_stopped_is_not_kept_by_the_kernel() {
    let mut session = Session::new(true);
    session.types(script(5_000));
    for command in ["route show", "save"] {
        session.console.feed(format!("{command}\r").as_bytes());
        session.console.work();
        session.console.feed(b"\x03");
        session.console.work();
        assert!(session.kernel().dumps(), "{command}");
        // Nobody types anything.
        session.types("");
        assert!(!session.kernel().dumps(), "{command}");
    }
}

#[test]
fn ctrl_d_ends_a_shell_and_not_the_serial_line() {
    for (peer, ends) in [(Peer::Shell, true), (Peer::Line, false)] {
        let mut session = Session::with(Folder::new(), peer, None);
        // What follows was meant for a session that is over.
        let typed = session.types("x\x04\x03\x04ping\r");
        assert_eq!(session.console.input_ended(), ends);
        assert_eq!(typed.contains("ping"), !ends, "{typed:?}");
    }
}

#[test]
fn exit_ends_what_has_an_end_and_locks_what_has_a_pin() {
    for (peer, reply) in [
        (Peer::Script, "I200 the session ends\n"),
        (Peer::Shell, "I200 the session ends\r\n"),
        (
            Peer::Line,
            "I200 this line has no PIN, it stays open\r\nnl31> ",
        ),
    ] {
        let mut session = Session::with(Folder::new(), peer, None);
        let typed = session.types("exit\nping\n");
        assert!(typed.ends_with(reply), "{typed:?}");
        assert_eq!(session.console.input_ended(), peer != Peer::Line);
    }
    let mut session = locked();
    session.types("4711\r");
    session.types("monitor\r");
    let exit = session.types("quit\r");
    assert!(exit.ends_with("I200 locked\r\nPIN: "), "{exit:?}");
    // Neither the history nor the monitor outlive it.
    assert!(session.types("4711\r").ends_with("nl31> "));
    assert_eq!(session.types("\x1b[A"), "\x07");
    let route: nl31_netlink::Route<DeviceName> = "10.0.0.0/8 dev eth0".parse().unwrap();
    let client = session.console.client().unwrap();
    client
        .add(nl31_netlink::Add::Add, &route.map_device(Device::Name))
        .unwrap();
    assert_eq!(session.hears(), "");
}

#[test]
fn what_was_typed_of_a_pin_is_forgotten_with_the_line() {
    let mut session = locked();
    session.types("4711");
    session.console.lock();
    session.console.restart();
    assert!(session.types("\r").ends_with("PIN: "));
    session.types("noise");
    session.console.suspend();
    session.console.restart();
    let unlocked = session.types("4711\r");
    assert!(unlocked.contains("I200 unlocked"), "{unlocked:?}");
}

#[test]
fn a_line_that_a_program_had_is_as_it_was_with_its_history_and_size() {
    let mut session = Session::new(true);
    session.console.set_size(40, 0);
    session.types("ping\r");
    session.types("terminal 24 100\r");
    session.types("unfinished");
    session.console.suspend();
    session.console.restart();
    let back = session.types("");
    assert!(back.ends_with("\r\nnl31> "), "{back:?}");
    let again = session.types("\x1b[A\x1b[A\r");
    assert!(again.contains("I200 the kernel is alive"), "{again:?}");
    let size = session.types("terminal\r");
    assert!(
        size.contains("I200 40 columns; long output does not pause"),
        "{size:?}"
    );
}

#[test]
fn a_data_line_never_looks_like_a_status_line() {
    let mut session = Session::new(false);
    for text in ["E404 x", "I200 done", "* x"] {
        let reply = session.types(format!("greet {text}\n"));
        assert_eq!(
            reply
                .lines()
                .filter(|line| line.starts_with("I200"))
                .count(),
            1,
            "{reply}"
        );
    }
}

#[test]
fn commands_on_routes_wait_for_the_config() {
    let mut session = Session::boots(&script(3_000).replace("route add ", ""));
    let replies = session.types("ping\nroute show 10.0.7.0/24\n");
    let path = session.folder.config();
    let expected = format!(
        "I200 the kernel is alive\n* loaded 3000 routes from {}\n10.0.7.0/24 dev eth0\nI200 1 route\n",
        path.display()
    );
    assert_eq!(replies, expected);
}

#[test]
fn routes_over_a_device_that_is_not_there_wait_in_the_table_and_are_saved() {
    const CONFIG: &str = "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev usb0\n12.0.0.0/8 dev usb1 # later\n";
    let mut session = Session::boots(CONFIG);
    let told = session.types("");
    let waits = "* 2 routes wait for a device that is not there: usb0, usb1\n";
    assert!(told.contains(waits), "{told}");
    session.plays_with_file(
        "
        > route show
        10.0.0.0/8 dev eth0
        11.0.0.0/8 dev usb0 dead linkdown
        12.0.0.0/8 dev usb1 dead linkdown
        I200 3 routes
        > save
        I200 saved 3 routes
        > diff
        I200 no difference from FILE
        > route flush all
        I200 flushed
        > load
        * 2 routes wait for a device that is not there: usb0, usb1
        I200 loaded 3 routes from FILE
        > route del 11.0.0.0/8 dev usb0
        I200 deleted 11.0.0.0/8
        > route flush dev usb1
        I200 flushed
        > save
        I200 saved 1 route
        ",
    );
    let saved = fs::read_to_string(session.folder.config()).unwrap();
    assert!(saved.ends_with("\n10.0.0.0/8 dev eth0\n"), "{saved}");
}

#[test]
fn what_waits_is_saved_though_the_file_that_it_came_from_is_gone() {
    let mut session = Session::boots("10.0.0.0/8 dev eth0\n");
    session.types("");
    let other = session.folder.0.join("other");
    fs::write(&other, "11.0.0.0/8 dev usb0\n").unwrap();
    session.types(format!("load {}\n", other.display()));
    fs::remove_file(other).unwrap();
    assert_eq!(session.types("save\n"), "I200 saved 1 route\n");
    let saved = fs::read_to_string(session.folder.config()).unwrap();
    assert!(saved.ends_with("\n11.0.0.0/8 dev usb0\n"), "{saved}");
}

#[test]
fn a_device_that_goes_and_comes_back_keeps_its_routes() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\nroute add 10.0.0.0/8 via 192.0.2.1 metric 5\n");
    let by_index: nl31_netlink::Route<DeviceName> = "11.0.0.0/8 dev eth0".parse().unwrap();
    let by_index = by_index.map_device(|_| Device::Index(2));
    let client = session.console.client().unwrap();
    client.add(nl31_netlink::Add::Add, &by_index).unwrap();
    session.plays(
        r#"
        > route show json
        {"type":"unicast","dst":"10.0.0.0/8","dev":"eth0","metric":0,"protocol":"unspec"}
        {"type":"unicast","dst":"10.0.0.0/8","gateway":"192.0.2.1","metric":5,"protocol":"unspec","flags":["standby"]}
        {"type":"unicast","dst":"11.0.0.0/8","dev":"eth0","metric":0,"protocol":"unspec"}
        I200 3 routes
        > route show dev eth0
        10.0.0.0/8 dev eth0
        11.0.0.0/8 dev eth0
        I200 2 routes
        "#,
    );
    session.kernel().devices[1].up = false;
    session.plays(
        "
        > route show dev eth0
        10.0.0.0/8 dev eth0 linkdown
        11.0.0.0/8 dev eth0 linkdown
        I200 2 routes
        ",
    );
    session.kernel().unplug("eth0");
    session.plays(
        r#"
        > route show json
        {"type":"unicast","dst":"10.0.0.0/8","dev":"eth0","metric":0,"protocol":"unspec","flags":["dead","linkdown"]}
        {"type":"unicast","dst":"10.0.0.0/8","gateway":"192.0.2.1","metric":5,"protocol":"unspec"}
        I200 2 routes
        > route get 10.0.0.1
        10.0.0.0/8 via 192.0.2.1 metric 5
        I200 found
        > save
        I200 saved 2 routes
        "#,
    );
    let saved = fs::read_to_string(session.folder.config()).unwrap();
    assert!(saved.contains("\n10.0.0.0/8 dev eth0\n"), "{saved}");
    session.kernel().devices.push(FakeDevice::new(7, "eth0"));
    session.plays(
        "
        > route get 10.0.0.1
        10.0.0.0/8 dev eth0
        I200 found
        ",
    );
    // What a list shows of a path may be typed.
    session.types("route flush all\n");
    session.types("route add 10.0.0.0/8 dev eth0 dead linkdown\n");
    assert_eq!(session.table(), ["10.0.0.0/8 dev eth0"]);
}

#[test]
fn a_name_that_no_device_and_no_route_has_is_told() {
    let mut session = Session::new(false);
    session.plays(
        "
        > route add 10.0.0.0/8 dev eth0
        I200 added 10.0.0.0/8
        > route show dev eth7
        E406 there is no device eth7
        > route del 10.0.0.0/8 dev eth7
          route del 10.0.0.0/8 dev eth7
                                   ^^^^
        E406 there is no device eth7
        > route flush dev eth7
          route flush dev eth7
                          ^^^^
        E406 there is no device eth7
        > route flush 10.0.0.0/8 dev eth7
          route flush 10.0.0.0/8 dev eth7
                                     ^^^^
        E406 there is no device eth7
        ",
    );
}

#[test]
fn a_roll_back_gives_a_path_back_whose_device_has_gone() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\n");
    session.types("begin\nroute replace 10.0.0.0/8 dev lo\ncommit confirmed 60\n");
    session.kernel().unplug("eth0");
    session.plays(
        "
        > rollback
        I200 rolled back: 1 prefix has its paths of before
        > route show
        10.0.0.0/8 dev eth0 dead linkdown
        I200 1 route
        ",
    );
}

#[test]
fn edits_delete_a_path_over_the_index_of_their_device() {
    let mut session = Session::new(false);
    let by_index: nl31_netlink::Route<DeviceName> = "11.0.0.0/8 dev eth0".parse().unwrap();
    let by_index = by_index.map_device(|_| Device::Index(2));
    let client = session.console.client().unwrap();
    client.add(nl31_netlink::Add::Add, &by_index).unwrap();
    session.types("route add 10.0.0.0/8 dev eth0\n");
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > route flush dev eth0
        I200 edit 1
        > diff
        - 10.0.0.0/8 dev eth0
        - 11.0.0.0/8 dev eth0
        I200 2 differences from the table
        > commit
        I200 committed 1 edit
        > route show
        I200 0 routes
        ",
    );
}

#[test]
fn a_table_is_not_flushed_while_a_commit_waits() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\nroute add 11.0.0.0/8 dev eth0\n");
    session.types("begin\nroute del 10.0.0.0/8\ncommit confirmed 60\n");
    for flush in ["all", "dev eth0", "0.0.0.0/0 longer"] {
        let refused = session.types(format!("route flush {flush}\n"));
        assert!(
            refused.starts_with("E423 a commit waits "),
            "{flush}: {refused}"
        );
    }
    // One prefix is what a roll-back leaves alone, or takes back by itself.
    assert_eq!(session.types("route flush 11.0.0.0/8\n"), "I200 flushed\n");
    session.types("rollback\n");
    assert_eq!(session.types("route flush all\n"), "I200 flushed\n");
}

#[test]
fn a_guest_does_not_save_the_table_before_the_resident_agent_has_loaded_it() {
    let config: String = (0..3000)
        .map(|i| format!("10.{}.{}.0/24 dev eth0\n", i / 256, i % 256))
        .collect();
    let mut session = Session::boots(&config);
    session.console.work();
    session.console.out().consume(0);
    assert!(session.console.booting());
    let mut guest = session.guest();
    let refused = guest.types("save\n");
    assert!(refused.starts_with("E423 not saved: "), "{refused}");
    assert!(
        refused.ends_with(": the table is being changed, try again\n"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(session.folder.config()).unwrap(), config);
    session.types("");
    assert!(!session.console.booting());
    assert_eq!(guest.types("save\n"), "I200 saved 0 routes\n");
}

#[test]
fn a_bad_config_is_told_and_the_console_works() {
    let mut session = Session::boots("10.0.0.0/8 dev eth0\n10.0.0.0/8 via\n");
    let replies = session.types("route show\n");
    let path = session.folder.config();
    let expected = format!(
        "* config not loaded: {}:2:15: the line ends here, expected an address like 192.0.2.1 or 2001:db8::1\n\
         * no config is loaded, the table is as it was\nI200 0 routes\n",
        path.display()
    );
    assert_eq!(replies, expected);
}

#[test]
fn edits_wait_for_the_commit_and_are_made_at_once() {
    let mut session = Session::new(false);
    session.plays(
        "
        > route add 10.0.0.0/8 dev eth0
        I200 added 10.0.0.0/8
        > begin
        I200 edits wait for `commit` from now on
        > route replace 10.0.0.0/8 via 192.0.2.1
        I200 edit 1
        > route add 11.0.0.0/8 dev eth0 metric 5
        I200 edit 2
        > route append 11.0.0.0/8 via 192.0.2.2 metric 5
        I200 edit 3
        > route show
        10.0.0.0/8 dev eth0
        I200 1 route
        > diff
        - 10.0.0.0/8 dev eth0
        + 10.0.0.0/8 via 192.0.2.1
        + 11.0.0.0/8 dev eth0 metric 5
        + 11.0.0.0/8 via 192.0.2.2 metric 5
        I200 4 differences from the table
        > check
        I200 every edit can be made
        > begin
        E423 edits are open already, 3 so far: `commit` or `rollback` ends them
        > commit
        I200 committed 3 edits
        > route show
        10.0.0.0/8 via 192.0.2.1
        11.0.0.0/8 dev eth0 metric 5
        11.0.0.0/8 via 192.0.2.2 metric 5
        I200 3 routes
        > commit
        E412 no edits are open: `begin` them
        > check
        E412 no edits are open: `begin` them
        ",
    );
}

#[test]
fn edits_can_be_dropped() {
    let mut session = Session::new(false);
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > diff
        I200 no difference from the table
        > route add 10.0.0.0/8 dev eth0
        I200 edit 1
        > rollback
        I200 dropped 1 edit
        > rollback
        E412 no edits are open, and no commit waits to be confirmed
        > begin
        I200 edits wait for `commit` from now on
        > commit
        W204 there were no edits
        > route show
        I200 0 routes
        ",
    );
}

#[test]
fn an_edit_that_makes_no_sense_is_refused_at_its_line_and_not_kept() {
    let mut session = Session::new(false);
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > route add 10.0.0.1/8 dev eth0
          route add 10.0.0.1/8 dev eth0
                    ^^^^^^^^^^
        E400 column 11: bits are set beyond the prefix length, did you mean 10.0.0.0/8?
        > route add 10.0.0.0/8 dev eth7
          route add 10.0.0.0/8 dev eth7
                                   ^^^^
        E406 there is no device eth7
        > route flush 10.0.0.0/8 dev eth0
          route flush 10.0.0.0/8 dev eth0
                                         ^
        E400 column 32: behind `begin` a prefix is flushed whole, or `longer`: else use `route del`
        > commit confirmed
          commit confirmed
                          ^
        E400 column 17: expected seconds, from 1 to 86400
        > commit confirmed 0
          commit confirmed 0
                           ^
        E400 column 18: expected seconds, from 1 to 86400
        > commit
        W204 there were no edits
        ",
    );
}

#[test]
fn an_edit_that_cannot_be_made_any_more_is_named_and_nothing_is_changed() {
    let mut session = Session::new(false);
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > route add 10.0.0.0/8 dev eth0
        I200 edit 1
        > route add 11.0.0.0/8 dev eth0
        I200 edit 2
        ",
    );
    // Somebody else is faster.
    let route: nl31_netlink::Route<DeviceName> = "11.0.0.0/8 via 192.0.2.1".parse().unwrap();
    let route = route.map_device(Device::Name);
    let client = session.console.client().unwrap();
    client.add(nl31_netlink::Add::Add, &route).unwrap();
    session.plays(
        "
        > diff
          route add 11.0.0.0/8 dev eth0
        E409 edit 2: 11.0.0.0/8: File exists (os error 17); nothing was changed
        > check
          route add 11.0.0.0/8 dev eth0
        E409 edit 2: prefix has a path of this metric; nothing was changed
        > commit
          route add 11.0.0.0/8 dev eth0
        E409 edit 2: prefix has a path of this metric; nothing was changed
        > route show
        11.0.0.0/8 via 192.0.2.1
        I200 1 route
        > rollback
        I200 dropped 2 edits
        > route add 12.0.0.0/8 dev eth0
        I200 added 12.0.0.0/8
        ",
    );
}

#[test]
fn edits_flush_by_what_routes_have() {
    let mut session = Session::new(false);
    session.types(
        "route add 10.0.0.0/8 dev eth0\nroute append 10.0.0.0/8 via 192.0.2.1\n\
         route add 10.1.0.0/16 dev eth0\nroute add ::/0 dev eth0\nroute add 12.0.0.0/8 via 192.0.2.1\n",
    );
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > route add 13.0.0.0/8 dev eth0
        I200 edit 1
        > route flush dev eth0
        I200 edit 2
        > route flush 12.0.0.0/8
        I200 edit 3
        > route add 12.0.0.0/8 dev lo
        I200 edit 4
        > diff
        - 10.0.0.0/8 dev eth0
        - 10.1.0.0/16 dev eth0
        - 12.0.0.0/8 via 192.0.2.1
        + 12.0.0.0/8 dev lo
        - ::/0 dev eth0
        I200 5 differences from the table
        > commit
        I200 committed 4 edits
        > route show
        10.0.0.0/8 via 192.0.2.1
        12.0.0.0/8 dev lo
        I200 2 routes
        ",
    );
}

#[test]
fn what_diff_says_is_what_commit_does() {
    let mut session = Session::new(false);
    // Many more prefixes than are looked at together, named in no order.
    session.types(script(1500));
    let before = session.types("route show\n");
    session.types("begin\n");
    for i in (0..3000).rev() {
        let prefix = format!("10.{}.{}.0/24", i / 256, i % 256);
        let edit = match i % 3 {
            0 if i < 1500 => format!("route del {prefix}\n"),
            1 => format!("route replace {prefix} via 192.0.2.1\n"),
            _ => format!("route append {prefix} via 192.0.2.2\n"),
        };
        assert!(session.types(&edit).starts_with("I200 edit "));
    }
    let diff = session.types("diff\n");
    assert!(
        session
            .types("commit\n")
            .starts_with("I200 committed 3000 edits")
    );
    let after = session.types("route show\n");
    let lines = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with("I200"))
            .map(str::to_owned)
            .collect()
    };
    let (before, after) = (lines(&before), lines(&after));
    let mut expected: Vec<String> = Vec::new();
    expected.extend(
        before
            .iter()
            .filter(|line| !after.contains(line))
            .map(|line| format!("- {line}")),
    );
    expected.extend(
        after
            .iter()
            .filter(|line| !before.contains(line))
            .map(|line| format!("+ {line}")),
    );
    expected.sort();
    let mut found = lines(&diff);
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn one_session_at_a_time_has_edits() {
    let mut session = Session::new(false);
    session.types("begin\n");
    let shared = Rc::clone(&session.shared);
    let mut other = Console::new(Box::new(TestDevices), None, Peer::Script, shared);
    other.attach(client());
    other.feed(b"begin\nroute add 10.0.0.0/8 dev eth0\n");
    while other.work() {}
    assert_eq!(
        String::from_utf8_lossy(other.out().pending()),
        "E423 another session has edits open\nI200 added 10.0.0.0/8\n"
    );
    session.types("rollback\n");
    other.feed(b"begin\n");
    while other.work() {}
    assert!(
        other
            .out()
            .pending()
            .ends_with(b"I200 edits wait for `commit` from now on\n")
    );
}

#[test]
fn a_commit_that_is_confirmed_stays_and_is_saved() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\nsave\nbegin\nroute change 10.0.0.0/8 dev lo\n");
    assert_eq!(
        session.types("commit confirmed 60\n"),
        "I200 committed 1 edit, for 60 s: `confirm` keeps and saves them\n"
    );
    // Flash has the old one until then.
    let saved = |session: &Session| fs::read_to_string(session.folder.config()).unwrap();
    assert!(saved(&session).ends_with("\n10.0.0.0/8 dev eth0\n"));
    for refused in ["save", "load"] {
        let reply = session.types(format!("{refused}\n"));
        assert!(reply.starts_with("E423 a commit waits "), "{reply}");
    }
    session.plays(
        "
        > confirm
        I200 confirmed and saved 1 route
        > confirm
        E412 no commit waits to be confirmed
        > rollback
        E412 no edits are open, and no commit waits to be confirmed
        ",
    );
    assert!(saved(&session).ends_with("\n10.0.0.0/8 dev lo\n"));
    assert_eq!(session.shared.left(), None);
}

#[test]
fn a_guest_beside_the_resident_agent_leaves_its_unconfirmed_commit_alone() {
    let mut session = Session::new(false);
    session.types("begin\nroute add 10.0.0.0/8 dev eth0\ncommit confirmed 60\n");
    let mut guest = session.guest();
    for refused in ["save", "load"] {
        let reply = guest.types(format!("{refused}\n"));
        assert!(reply.starts_with("E423 a commit waits "), "{reply}");
        assert!(reply.contains("on the serial console"), "{reply}");
    }
    assert!(!session.folder.config().exists());
    session.types("rollback\n");
    assert_eq!(guest.types("save\n"), "I200 saved 0 routes\n");
}

#[test]
fn a_confirm_that_is_stopped_says_that_it_has_confirmed() {
    let mut session = Session::new(true);
    session.types("begin\rroute add 10.0.0.0/8 dev eth0\rcommit confirmed 60\r");
    session.console.feed(b"confirm\r");
    session.console.work();
    session.console.feed(b"\x03");
    let stopped = session.types("");
    assert!(
        stopped.contains("W207 confirmed but not saved: stopped\r\n"),
        "{stopped:?}"
    );
    let again = session.types("confirm\r");
    assert!(again.contains("E412 no commit waits"), "{again:?}");
}

#[test]
fn rollback_without_edits_takes_back_the_commit_that_waits() {
    let mut session = Session::new(false);
    session.plays(
        "
        > begin
        I200 edits wait for `commit` from now on
        > route add 10.0.0.0/8 dev eth0
        I200 edit 1
        > commit confirmed 60
        I200 committed 1 edit, for 60 s: `confirm` keeps and saves them
        > begin
        I200 edits wait for `commit` from now on
        > route add 11.0.0.0/8 dev eth0
        I200 edit 1
        > rollback
        I200 dropped 1 edit; a commit waits for `confirm`: `rollback` again takes it back
        > begin
        I200 edits wait for `commit` from now on
        > rollback
        I200 rolled back: 1 prefix has its paths of before
        ",
    );
    assert!(session.table().is_empty());
}

#[test]
fn a_commit_that_is_not_confirmed_is_taken_back_whatever_happened_since() {
    let mut session = Session::new(false);
    session.types(
        "route add 10.0.0.0/8 dev eth0\nroute append 10.0.0.0/8 via 192.0.2.1\n\
         route add 11.0.0.0/8 dev eth0\nroute add 12.0.0.0/8 dev eth0\n",
    );
    let before = session.table();
    session.types(
        "begin\nroute flush 10.0.0.0/8\nroute add 13.0.0.0/8 dev eth0\nroute del 11.0.0.0/8\n\
         commit confirmed 60\n",
    );
    assert!(session.shared.left().is_some());
    assert_eq!(
        session.table(),
        ["12.0.0.0/8 dev eth0", "13.0.0.0/8 dev eth0"]
    );
    session
        .types("route add 10.0.0.0/8 dev lo\nroute del 13.0.0.0/8\nroute add 14.0.0.0/8 dev lo\n");
    // Another agent takes over after a kill, and finds what to take back.
    let found = session.folder.shared();
    assert_eq!(found.unconfirmed.get(), session.shared.unconfirmed.get());
    session.plays(
        "
        > rollback
        I200 rolled back: 2 prefixes have their paths of before
        > rollback
        E412 no edits are open, and no commit waits to be confirmed
        ",
    );
    assert_eq!(session.table()[..4], before);
    assert_eq!(session.table()[4..], ["14.0.0.0/8 dev lo"]);
    assert!(session.folder.shared().unconfirmed.get().is_none());
}

#[test]
fn a_commit_to_be_confirmed_has_a_limit_and_changes_nothing_beyond_it() {
    let mut session = Session::new(false);
    session.types(script(4097));
    let before = session.table();
    session.types("begin\nroute flush all\n");
    assert_eq!(
        session.types("commit confirmed 60\n"),
        "E507 a commit to be confirmed takes at most 4096 prefixes: commit in parts\n"
    );
    assert_eq!(session.table(), before);
    assert_eq!(session.shared.left(), None);
    session.plays("> commit\nI200 committed 1 edit\n> route show\nI200 0 routes");
}

#[test]
fn a_table_is_saved_and_loaded_again() {
    let mut session = Session::new(false);
    session.types(script(2000));
    session.types(
        "route append 10.0.7.0/24 via 192.0.2.1\nroute add blackhole ::/0 metric 5 proto bgp\n",
    );
    let before = session.table();
    session.plays_with_file(
        "
        > save
        I200 saved 2002 routes
        > diff
        I200 no difference from FILE
        ",
    );
    session.types("route flush all\nroute add 99.0.0.0/8 dev lo\n");
    session.plays_with_file("> load\nI200 loaded 2002 routes from FILE");
    assert_eq!(session.table(), before);
    session.types("route del 10.0.5.0/24\nroute replace 10.0.7.0/24 via 192.0.2.9\nroute add 99.0.0.0/8 dev lo\n");
    session.plays_with_file(
        "
        > diff
        - 10.0.5.0/24 dev eth0
        - 10.0.7.0/24 dev eth0
        + 10.0.7.0/24 via 192.0.2.9
        + 99.0.0.0/8 dev lo
        I200 4 differences from FILE
        ",
    );
}

#[test]
fn a_config_with_a_mistake_is_not_loaded_and_the_place_is_named() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\n");
    fs::write(
        session.folder.config(),
        "11.0.0.0/8 dev eth0\n12.0.0.0/8 vai 192.0.2.1\n",
    )
    .unwrap();
    session.plays_with_file(
        "
        > load
        E424 FILE:2:12: expected via, dev, metric or proto
        > load /no/such/file
        E424 /no/such/file: No such file or directory (os error 2)
        > diff
        E424 FILE:2:12: expected via, dev, metric or proto
        ",
    );
    fs::write(
        session.folder.config(),
        "11.0.0.0/8 dev eth0\n11.0.0.0/8 dev eth0\n",
    )
    .unwrap();
    session.plays_with_file(
        "
        > load
        E409 FILE:2:1: path is there (File exists (os error 17))
        > route show
        10.0.0.0/8 dev eth0
        I200 1 route
        > begin
        I200 edits wait for `commit` from now on
        > load
        E423 edits are open: `commit` or `rollback` them first
        ",
    );
}

#[test]
fn a_factory_reset_deletes_what_was_saved_and_not_the_table() {
    let mut session = Session::boots("10.0.0.0/8 dev eth0\n");
    session.types("save\n");
    assert!(session.folder.0.join("routes.good").exists());
    session.plays(
        "
        > factory-reset
        I200 the next boot begins as the factory made it; the table is as it was, and `save` keeps it
        > route show
        10.0.0.0/8 dev eth0
        I200 1 route
        ",
    );
    assert!(!session.folder.config().exists() && !session.folder.0.join("routes.good").exists());
}

#[test]
fn only_the_appliance_is_rebooted() {
    let mut session = Session::new(false);
    session.plays("> reboot\nE403 this agent does not run the machine that it is on");
    assert_eq!(session.shared.reboot.get(), None);
}

#[test]
fn a_save_that_fails_leaves_the_config_of_before() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\nsave\nroute add 11.0.0.0/8 dev eth0\n");
    session.kernel().overrun = true;
    let reply = session.types("save\n");
    assert_eq!(
        reply,
        "E500 not saved: answers of the kernel were lost (receive buffer full)\n"
    );
    let saved = fs::read_to_string(session.folder.config()).unwrap();
    assert!(saved.ends_with("\n10.0.0.0/8 dev eth0\n"));
    assert_eq!(session.types("save\n"), "I200 saved 2 routes\n");
}

#[test]
fn routes_come_as_json() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 via 192.0.2.1 dev eth0\n");
    let route = r#"{"type":"unicast","dst":"10.0.0.0/8","gateway":"192.0.2.1","dev":"eth0","metric":0,"protocol":"unspec"}"#;
    assert_eq!(
        session.types("route show json\n"),
        format!("{route}\nI200 1 route\n")
    );
    assert_eq!(
        session.types("route get 10.1.1.1 json\n"),
        format!("{route}\nI200 found\n")
    );
    let stats = session.types("stats json\n");
    assert!(
        stats.starts_with(r#"{"routes-ipv4":1,"routes-ipv6":0,"#),
        "{stats}"
    );
    assert!(stats.ends_with("}\nI200 stats\n"), "{stats}");
}

#[test]
fn long_output_pauses_at_each_page_of_a_terminal_that_says_how_high_it_is() {
    let mut session = Session::new(true);
    session.console.set_size(80, 10);
    session.types(script(100));
    let line = |i: usize| format!("10.0.{i}.0/24 dev eth0");
    let page = session.types("route show\r");
    let mut expected = vec!["nl31> route show".to_string()];
    expected.extend((0..9).map(line));
    expected.push("--more--".into());
    assert_eq!(screen(&format!("nl31> {page}")), expected);
    // Enter shows a further line, space a further page; the mark goes away.
    assert_eq!(screen(&session.types("\r")), [line(9), "--more--".into()]);
    expected = (10..19).map(line).collect();
    expected.push("--more--".into());
    assert_eq!(screen(&session.types(" ")), expected);
    let end = session.types("q");
    assert_eq!(screen(&end), ["W206 stopped after 19 routes", "nl31>"]);
    // Any other key ends it too, and is not lost.
    session.types("route show\r");
    let end = session.types("x");
    assert_eq!(screen(&end), ["W206 stopped after 9 routes", "nl31> x"]);
    session.types("\x15");
    // So does help, and goes on where it was.
    for (topic, first, last) in [
        ("", "  greet", "`help COMMAND` tells more"),
        ("codes", "  I200  done", "  E507  "),
        ("route", "  route add ", "      delete all routes"),
        ("route add", "  route add ", "    proto"),
    ] {
        let mut help = session.types(format!("help {topic}\r"));
        let mut pages = 1;
        while help.ends_with("--more--") {
            help.truncate(help.len() - "--more--".len());
            help += session.types(" ").trim_start_matches("\r        \r");
            pages += 1;
        }
        let lines: Vec<_> = help.lines().skip(1).collect();
        assert!(lines[0].starts_with(first), "{topic}: {help}");
        let [.., end, status, _] = lines[..] else {
            panic!("{topic}: {help}");
        };
        assert!(end.starts_with(last), "{topic}: {help}");
        assert_eq!(status, "I200 help");
        // Long lines take two rows.
        assert!(pages >= (lines.len() - 2).div_ceil(9), "{topic}: {help}");
        assert!(pages > 1 || topic == "route add", "{topic}");
    }
    // A terminal that does not say it can be told of.
    session.console.set_size(0, 0);
    let told = session.types("terminal 10\r");
    assert!(told.contains("I200 10 rows of 80 columns\r\n"), "{told}");
    assert!(session.types("route show\r").ends_with("--more--"));
    session.types("q");
    let unknown = session.types("terminal 10 1000\r");
    assert!(
        unknown.contains("column 13: expected a number from 0 to 999"),
        "{unknown}"
    );
    // Short output does not pause, and what the terminal does not know neither.
    assert!(!session.types("route show 10.0.5.0/24\r").contains("more"));
    session.console.set_size(0, 0);
    assert!(
        session
            .types("route show\r")
            .ends_with("I200 100 routes\r\nnl31> ")
    );
}

#[test]
fn ctrl_c_stops_a_load_and_a_save_and_nothing_is_changed() {
    for (command, reply) in [
        ("load", "W206 stopped, the table is as it was"),
        ("save", "W206 stopped, the saved config is as it was"),
        ("commit", "W206 stopped, nothing was changed"),
        ("diff", "W206 stopped"),
    ] {
        let mut session = Session::new(true);
        let config = script(5000).replace("route add ", "");
        fs::write(session.folder.config(), &config).unwrap();
        session.types("route add 99.0.0.0/8 dev lo\r");
        if command == "save" {
            session.types(script(5000));
        } else if command == "commit" {
            session.types(format!("begin\r{}", script(5000)));
        }
        let before = session.table();
        session.console.feed(format!("{command}\r").as_bytes());
        session.console.work();
        session.console.work();
        session.console.feed(b"\x03");
        let out = session.types("");
        assert!(out.contains(reply), "{command}: {out}");
        assert_eq!(session.table(), before);
        assert_eq!(fs::read_to_string(session.folder.config()).unwrap(), config);
        assert!(
            session
                .types("rollback\rroute del 99.0.0.0/8\r")
                .contains("I200 deleted")
        );
    }
}

/// By Python's hashlib, with two rounds: the usual number takes long without
/// optimisation.
const PIN_4711: &str = "pin 2 07070707070707070707070707070707 \
     a969f071d2e4a3a03e2822e38baa1b6ca2900d76bd19cc9aa5084d802c1e1902";

/// A line that asks for the PIN 4711.
fn locked() -> Session {
    let mut session = Session::with(Folder::new(), Peer::Line, None);
    let file = session.folder.0.join("console.conf");
    fs::write(&file, PIN_4711).unwrap();
    let gate = Gate::new(Access::read(&file));
    session.console.set_gate(Rc::new(gate));
    session.console.attach(client());
    session.console.start();
    session
}

#[test]
fn a_line_with_a_pin_hears_nothing_else_before_and_does_not_show_it() {
    let mut session = locked();
    assert_eq!(session.types(""), "\r\nnl31 agent\r\nPIN: ");
    // Neither editor nor completion nor history are there.
    assert_eq!(session.types("\t\x1b[A\x04\x15"), "");
    assert_eq!(
        session.types("47\x7f7x\x7f11\r"),
        "\r\nI200 unlocked until `exit` or Ctrl-D\r\nnl31> "
    );
    assert!(
        session
            .types("ping\r")
            .ends_with("I200 the kernel is alive\r\nnl31> ")
    );
    session.types("monitor\r");
    // What was typed is forgotten, and nobody is told of changes.
    assert_eq!(session.types("rou\x15\x04"), "\r\n* locked\r\nPIN: ");
    assert_eq!(
        session.types("ping\r\r\r"),
        "\r\nE401 not the PIN, try again in 1 s\r\nPIN: "
    );
    // The right one is not looked at before its time, and is after it.
    let early = session.types("4711\r");
    assert!(
        early.contains("E401 not the PIN, try again in 1 s"),
        "{early:?}"
    );
    while !session.types("4711\r").contains("I200 unlocked") {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!session.types("\x1b[A").contains("ping"));
}

#[test]
fn a_pin_is_read_as_keys() {
    for typed in [
        "\x1b[200~4711\x1b[201~\r",
        "4711\r\n",
        "4\x1b[D711\r",
        "47\u{e9}\x7f11\n",
    ] {
        let mut session = locked();
        session.types("");
        assert_eq!(
            session.types(typed),
            "\r\nI200 unlocked until `exit` or Ctrl-D\r\nnl31> ",
            "{typed:?}"
        );
    }
    let mut session = locked();
    session.types("");
    assert!(session.types(b"4711\xff\r").contains("E401 "));
}

#[test]
fn what_is_typed_while_a_pin_is_checked_is_no_command() {
    let mut session = locked();
    session.types("");
    assert_eq!(
        session.types("4711\r4711\rping\r"),
        "\r\nI200 unlocked until `exit` or Ctrl-D\r\nnl31> "
    );
    assert_eq!(session.types("\x1b[A"), "\x07", "nothing in the history");
}

#[test]
fn a_line_that_is_read_only_changes_nothing() {
    let mut session = Session::new(false);
    session.types("route add 10.0.0.0/8 dev eth0\n");
    let gate = Gate::new(Access::without_pin(true));
    session.console.set_gate(Rc::new(gate));
    for line in [
        "route add 11.0.0.0/8 dev eth0",
        "route replace 11.0.0.0/8 dev eth0",
        "route change 10.0.0.0/8 dev lo",
        "route append 10.0.0.0/8 dev lo",
        "route del 10.0.0.0/8",
        "route flush all",
        "begin",
        "check",
        "commit",
        "confirm",
        "rollback",
        "save",
        "load",
        "factory-reset",
        "reboot",
    ] {
        assert_eq!(
            session.types(format!("{line}\n")),
            "E403 this line is read-only\n"
        );
    }
    session.plays("> route show\n10.0.0.0/8 dev eth0\nI200 1 route");
    assert!(!session.folder.config().exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_survived_and_each_command_gets_one_status_line(
        bytes in proptest::collection::vec(
            prop_oneof![
                2 => any::<u8>(),
                4 => 0x20..0x7fu8,
                2 => proptest::sample::select(b"\r\n\t?\x03\x1b[A".to_vec()),
            ],
            0..600,
        ),
        interactive in any::<bool>(),
    ) {
        let mut session = Session::new(interactive);
        session.types(&bytes);
        // Ends whatever was begun: a search, a string, a line.
        session.types("\x07\x07\x03\r\n");
        let reply = session.types("ping\r\n");
        let status = reply.lines().filter(|line| line.starts_with("I200 ")).count();
        prop_assert_eq!(status, 1, "{:?}", reply);
    }

    #[test]
    fn lines_of_commands_get_one_status_line_each(
        lines in proptest::collection::vec(
            proptest::sample::select(vec![
                "ping", "greet hi", "route", "route add 10.0.0.0/8 dev eth0", "route del 10.0.0.0/8",
                "route show", "route flush all", "route get 10.0.0.1", "stats", "help", "nonsense",
                "monitor", "log", "version", "route add 10.0.0.0/8 via", "begin", "diff", "check",
                "commit", "commit confirmed 9", "confirm", "rollback", "save", "load", "stats json",
                "factory-reset", "reboot",
            ]),
            0..20,
        ),
    ) {
        let mut session = Session::new(false);
        let script: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let replies = session.types(script);
        let is_status = |line: &&str| {
            line.len() > 5 && line.is_char_boundary(5) && matches!(line.as_bytes()[0], b'I' | b'W' | b'E')
                && line[1..4].bytes().all(|byte| byte.is_ascii_digit()) && line.as_bytes()[4] == b' '
        };
        prop_assert_eq!(replies.lines().filter(is_status).count(), lines.len(), "{}", replies);
    }
}
