// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two FRR with a BGP session between them; the second one's zebra feeds the appliance through
//! `nl31ctl feed` and a serial cable. Network namespaces keep them apart from this machine.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nl31_lab::cable::Quality;
use nl31_lab::{Arch, Guest, Image, Setup, cross, host, prefixes};
use serde_json::Value;

/// Prefixes that the first one announces.
const PREFIXES: usize = 50_000;

/// A machine under load may take this long for anything; what is longer is a hang.
const HANG: Duration = Duration::from_secs(600);

/// Started in namespaces of its own: carries out what it reads; with its end all of its
/// programs end.
const SHELL: &str = r#"
start() {
	program=$1
	shift
	/usr/lib/frr/$program -f "$PWD/$program.conf" -i "$PWD/$program.pid" -z "$PWD/zebra.api" \
		--vty_socket "$PWD" -u frr -g frr -P 0 "$@" >>"$program.log" 2>&1 &
}
ip link set lo up
while read -r line; do eval "$line"; done
"#;

/// A router with FRR.
struct Router {
    folder: PathBuf,
    shell: Child,
    input: ChildStdin,
}

impl Router {
    fn new(folder: PathBuf, zebra: &str, bgpd: &str) -> Self {
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("zebra.conf"), zebra).expect("to write");
        fs::write(folder.join("bgpd.conf"), bgpd).expect("to write");
        let id = |option: &str| -> u32 {
            let output = Command::new("id").args([option, "frr"]).output();
            let text = String::from_utf8(output.expect("id").stdout).expect("UTF-8");
            text.trim().parse().expect("the user of the package frr")
        };
        chown(&folder, Some(id("-u")), Some(id("-g"))).expect("to give the folder to FRR");
        let mut shell = Command::new("unshare")
            .args([
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-c",
                SHELL,
            ])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .expect("unshare, as root");
        let input = shell.stdin.take().expect("piped");
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

    /// What FRR answers, in JSON.
    fn show(&self, what: &str) -> Option<Value> {
        let output = Command::new("vtysh")
            .arg("--vty_socket")
            .arg(&self.folder)
            .args(["-c", &format!("show {what} json")])
            .output();
        serde_json::from_slice(&output.expect("vtysh").stdout).ok()
    }

    /// FRR's routes of bgp, as the board lists them.
    fn routes(&self) -> BTreeSet<String> {
        let mut routes = BTreeSet::new();
        for family in ["ip", "ipv6"] {
            let Some(Value::Object(found)) = self.show(&format!("{family} route bgp")) else {
                continue;
            };
            for (prefix, of_prefix) in found {
                for hop in of_prefix[0]["nexthops"].as_array().into_iter().flatten() {
                    let gateway = hop["ip"].as_str().expect("a gateway");
                    let rest = "dev eth0 metric 20 proto bgp";
                    routes.insert(format!("{prefix} via {gateway} {rest}"));
                }
            }
        }
        routes
    }

    /// FRR's logs.
    fn logs(&self) -> String {
        let logs = ["zebra.log", "bgpd.log"].map(|name| {
            let text = fs::read_to_string(self.folder.join(name));
            text.unwrap_or_default()
        });
        logs.concat()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

const FIRST: &str = "\
router bgp 64500
 bgp router-id 192.0.2.254
 no bgp ebgp-requires-policy
 neighbor 192.0.2.1 remote-as 64512
 neighbor 192.0.2.1 timers connect 1
 address-family ipv4 unicast
  redistribute kernel
 exit-address-family
 address-family ipv6 unicast
  redistribute kernel
  neighbor 192.0.2.1 activate
 exit-address-family
";

const SECOND: &str = "\
router bgp 64512
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 neighbor 192.0.2.254 remote-as 64500
 neighbor 192.0.2.254 timers connect 1
 address-family ipv6 unicast
  neighbor 192.0.2.254 activate
 exit-address-family
";

/// The two, connected; the first one has the prefixes in its kernel.
fn routers(folder: &Path) -> (Router, Router) {
    let mut first = Router::new(folder.join("first"), "hostname first\n", FIRST);
    let fpm = "hostname second\nfpm address 127.0.0.1\n";
    let mut second = Router::new(folder.join("second"), fpm, SECOND);
    let lines: String = prefixes::made(PREFIXES)
        .iter()
        .map(|prefix| format!("route add blackhole {prefix}\n"))
        .collect();
    fs::write(first.folder.join("routes"), lines).expect("to write the routes");
    let peer = second.shell.id().to_string();
    let ip = Path::new("ip");
    let status = first
        .command(ip)
        .args(["link", "add", "veth0", "type", "veth"])
        .args(["peer", "name", "veth0", "netns", &peer])
        .status();
    assert!(status.expect("ip").success());
    for (router, number) in [(&mut first, 254), (&mut second, 1)] {
        router.run("ip link set veth0 up");
        router.run(&format!("ip address add 192.0.2.{number}/24 dev veth0"));
        router.run(&format!(
            "ip -6 address add 2001:db8:ffff::{number}/64 dev veth0 nodad"
        ));
    }
    first.run("ip -batch routes");
    first.run("start zebra; sleep 1; start bgpd");
    second.run("start zebra -M dplane_fpm_nl; sleep 1; start bgpd");
    (first, second)
}

/// `nl31ctl feed`, which ends with the test.
struct Feed(Child);

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The board's routes.
fn listed(guest: &mut Guest) -> BTreeSet<String> {
    let list = guest
        .exec("/mnt/share/nl31ctl route show")
        .expect("to list");
    assert_eq!(list.status, 0, "{}", String::from_utf8_lossy(&list.stderr));
    let text = String::from_utf8(list.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// Waits until the board has FRR's routes, these are as many as expected, and it stays so;
/// gives their number.
#[track_caller]
fn settled(
    guest: &mut Guest,
    second: &Router,
    expected: impl Fn(usize) -> bool,
    log: &Path,
) -> usize {
    let deadline = Instant::now() + HANG;
    let mut same = 0;
    loop {
        let (wanted, board) = (second.routes(), listed(guest));
        if board == wanted && expected(wanted.len()) {
            same += 1;
            if same == 3 {
                return wanted.len();
            }
        } else {
            same = 0;
        }
        if Instant::now() > deadline {
            let lacks: Vec<_> = wanted.difference(&board).take(5).collect();
            let more: Vec<_> = board.difference(&wanted).take(5).collect();
            let said = fs::read_to_string(log).unwrap_or_default();
            panic!(
                "FRR has {} routes, the board {}; lacks {lacks:?}, has more {more:?}\n{said}\n{}",
                wanted.len(),
                board.len(),
                second.logs()
            );
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
#[ignore = "5 minutes, and FRR: .ci/run runs it"]
fn table_of_bgp_is_on_the_board_after_every_failure() {
    host::require(&["frr", "iproute2"]).expect("the packages");
    let nl31ctl = cross::static_binary(Arch::X86_64, "nl31-ctl").expect("nl31ctl");
    let folder = tempfile::tempdir().expect("a folder");
    // FRR's user has to get there.
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("to open the folder");
    let share = tempfile::tempdir().expect("a folder");
    fs::copy(&nl31ctl, share.path().join("nl31ctl")).expect("to share nl31ctl");
    let setup = Setup {
        share: Some(share.path().to_owned()),
        ..Setup::default()
    };
    let mut guest = Guest::start(Image::shared(), &setup).expect("a guest");
    let mut cable = guest.plug(Quality::default()).expect("a cable");
    let line = folder.path().join("line");
    symlink(cable.path(), &line).expect("to name the line");
    let (_first, mut second) = routers(folder.path());
    let log = folder.path().join("feed");
    let output = fs::File::create(&log).expect("to write");
    let errors = output.try_clone().expect("a file");
    let feed = second
        .command(&nl31ctl)
        .arg("--serial")
        .arg(&line)
        .args(["feed", "--fpm", "--map", "veth0=eth0", "--status", "1"])
        .args(["--sweep-after", "20"])
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn();
    let mut feed = Feed(feed.expect("nsenter"));
    // Some of the prefixes are of kinds that a kernel or FRR does not take.
    let most = |count: usize| count > PREFIXES * 9 / 10;
    let count = settled(&mut guest, &second, most, &log);
    let all = |now: usize| now == count;
    // bgpd is killed, and started again.
    second.run("kill -9 $(cat bgpd.pid)");
    settled(&mut guest, &second, |now| now == 0, &log);
    second.run("start bgpd");
    settled(&mut guest, &second, all, &log);
    // zebra goes: the table stays. It comes back with a table of its own.
    second.run("kill -9 $(cat bgpd.pid) $(cat zebra.pid)");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(listed(&mut guest).len(), count);
    second.run("start zebra -M dplane_fpm_nl; sleep 1; start bgpd");
    settled(&mut guest, &second, all, &log);
    // The cable is pulled.
    guest.unplug(cable);
    std::thread::sleep(Duration::from_secs(3));
    cable = guest.plug(Quality::default()).expect("a cable");
    fs::remove_file(&line).expect("to name the line anew");
    symlink(cable.path(), &line).expect("to name the line");
    settled(&mut guest, &second, all, &log);
    // The board is cut off its power; the next one begins with an empty table.
    drop(cable);
    drop(guest);
    let mut guest = Guest::start(Image::shared(), &setup).expect("a guest");
    let cable = guest.plug(Quality::default()).expect("a cable");
    fs::remove_file(&line).expect("to name the line anew");
    symlink(cable.path(), &line).expect("to name the line");
    settled(&mut guest, &second, all, &log);
    let ended = feed.0.try_wait().expect("to ask for the feed");
    assert!(ended.is_none(), "the feed has ended: {ended:?}");
    guest.unplug(cable);
}
