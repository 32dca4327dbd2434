// SPDX-License-Identifier: MIT OR Apache-2.0
//! A routing daemon of Debian's feeds the appliance through `nl31ctl feed` and a serial cable.
//! Network namespaces keep the daemons apart from this machine.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nl31_lab::cable::{Cable, Quality};
use nl31_lab::{Arch, Guest, Image, Setup, cross};

mod bird;
mod frr;

/// A machine under load may take this long for anything; what is longer is a hang.
const HANG: Duration = Duration::from_secs(600);

/// A router: a shell in namespaces of its own; with its end all of its programs end.
struct Router {
    folder: PathBuf,
    shell: Child,
    input: ChildStdin,
}

impl Router {
    /// `shell` carries out what it reads, in the folder.
    fn new(folder: PathBuf, shell: &str) -> Self {
        let mut shell = Command::new("unshare")
            .args([
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-c",
                shell,
            ])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .expect("unshare, as root");
        let input = shell.stdin.take().expect("piped");
        // Until then its network is this machine's, and so would be what nsenter makes there.
        let network = |process: &str| fs::read_link(format!("/proc/{process}/ns/net"));
        let own = network("self").expect("to look at a namespace");
        let deadline = Instant::now() + HANG;
        while network(&shell.id().to_string()).expect("unshare runs") == own {
            assert!(Instant::now() < deadline, "unshare makes no namespace");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self {
            folder,
            shell,
            input,
        }
    }

    /// Has the shell carry a line out.
    fn run(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the router's shell");
    }

    /// A command in the router's network, with this machine's processes.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/proc/{}/ns/net", self.shell.id()))
            .arg(program);
        command
    }

    /// What is in these files of the folder.
    fn logs(&self, names: &[&str]) -> String {
        let log = |name| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        names.iter().map(log).collect()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Connects two routers by devices `veth0`: the first one is 192.0.2.254 and 2001:db8:ffff::254,
/// the second one 192.0.2.1 and 2001:db8:ffff::1.
fn connect(first: &mut Router, second: &mut Router) {
    let peer = second.shell.id().to_string();
    let status = first
        .command(Path::new("ip"))
        .args(["link", "add", "veth0", "type", "veth"])
        .args(["peer", "name", "veth0", "netns", &peer])
        .status();
    assert!(status.expect("ip").success());
    for (router, number) in [(first, 254), (second, 1)] {
        router.run("ip link set veth0 up");
        router.run(&format!("ip address add 192.0.2.{number}/24 dev veth0"));
        router.run(&format!(
            "ip -6 address add 2001:db8:ffff::{number}/64 dev veth0 nodad"
        ));
    }
}

/// A board, and the cable from it, which is always found by the same name.
struct Board {
    setup: Setup,
    /// None only while its power is cut.
    guest: Option<Guest>,
    cable: Option<Cable>,
    line: PathBuf,
    nl31ctl: PathBuf,
    _share: tempfile::TempDir,
}

impl Board {
    /// The line is a file of this folder.
    fn start(folder: &Path) -> Self {
        let nl31ctl = cross::static_binary(Arch::X86_64, "nl31-ctl").expect("nl31ctl");
        let share = tempfile::tempdir().expect("a folder");
        fs::copy(&nl31ctl, share.path().join("nl31ctl")).expect("to share nl31ctl");
        let setup = Setup {
            share: Some(share.path().to_owned()),
            ..Setup::default()
        };
        let guest = Guest::start(Image::shared(), &setup).expect("a guest");
        let mut board = Self {
            setup,
            guest: Some(guest),
            cable: None,
            line: folder.join("line"),
            nl31ctl,
            _share: share,
        };
        board.plug();
        board
    }

    fn guest(&mut self) -> &mut Guest {
        self.guest.as_mut().expect("the board has power")
    }

    fn plug(&mut self) {
        let cable = self.guest().plug(Quality::default()).expect("a cable");
        let _ = fs::remove_file(&self.line);
        symlink(cable.path(), &self.line).expect("to name the line");
        self.cable = Some(cable);
    }

    fn unplug(&mut self) {
        let cable = self.cable.take().expect("a cable");
        self.guest().unplug(cable);
    }

    /// Cuts the board off its power; the next one begins with an empty table.
    fn cut_power(&mut self) {
        drop(self.cable.take());
        // Its place is needed: one that keeps it and waits for another would wait for ever for a
        // test that does the same.
        self.guest = None;
        self.guest = Some(Guest::start(Image::shared(), &self.setup).expect("a guest"));
        self.plug();
    }

    /// Starts a feed in a router's network, whose device `veth0` is the board's `eth0`.
    fn feed(&self, router: &Router, arguments: &[&str]) -> Feed {
        let log = self.line.with_file_name("feed");
        let output = fs::File::create(&log).expect("to write");
        let errors = output.try_clone().expect("a file");
        let child = router
            .command(&self.nl31ctl)
            .arg("--serial")
            .arg(&self.line)
            .args(["feed", "--map", "veth0=eth0", "--status", "1"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn();
        Feed {
            child: child.expect("nsenter"),
            log,
        }
    }

    /// The board's routes.
    fn routes(&mut self) -> BTreeSet<String> {
        let list = self.guest().exec("/mnt/share/nl31ctl route show");
        let list = list.expect("to list");
        assert_eq!(list.status, 0, "{}", String::from_utf8_lossy(&list.stderr));
        let text = String::from_utf8(list.stdout).expect("UTF-8");
        text.lines().map(str::to_owned).collect()
    }
}

/// `nl31ctl feed`, which ends with the test.
struct Feed {
    child: Child,
    log: PathBuf,
}

impl Feed {
    /// What it has printed.
    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    #[track_caller]
    fn is_running(&mut self) {
        let ended = self.child.try_wait().expect("to ask for the feed");
        assert!(
            ended.is_none(),
            "the feed has ended: {ended:?}\n{}",
            self.said()
        );
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the board has the daemon's routes, these are as many as expected, and it stays so;
/// gives their number. `said` is what the programs have logged.
#[track_caller]
fn settled(
    board: &mut Board,
    daemon: impl Fn() -> BTreeSet<String>,
    expected: impl Fn(usize) -> bool,
    said: impl Fn() -> String,
) -> usize {
    let deadline = Instant::now() + HANG;
    let mut same = 0;
    loop {
        let (wanted, has) = (daemon(), board.routes());
        if has == wanted && expected(wanted.len()) {
            same += 1;
            if same == 3 {
                return wanted.len();
            }
        } else {
            same = 0;
        }
        if Instant::now() > deadline {
            let lacks: Vec<_> = wanted.difference(&has).take(5).collect();
            let more: Vec<_> = has.difference(&wanted).take(5).collect();
            panic!(
                "the daemon has {} routes, the board {}; lacks {lacks:?}, has more {more:?}\n{}",
                wanted.len(),
                has.len(),
                said()
            );
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}
