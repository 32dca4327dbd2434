// SPDX-License-Identifier: MIT OR Apache-2.0
//! The image's DHCP service: its script leaves leases that the agent reads, whatever a server
//! says, and one client runs for each device of the agent's settings.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use nl31_agent::config::lease::ClientState;
use nl31_agent::platform::devices::Devices;
use nl31_route::DeviceName;

/// Enough for the slowest machine; what is awaited is looked at often.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file of the image.
fn image(path: &str) -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    project.join("rootfs-overlay").join(path)
}

/// A temporary folder; deleted when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("nl31-dhcp-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("leases")).unwrap();
        Self(path)
    }

    fn leases(&self) -> PathBuf {
        self.0.join("leases")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Every device exists.
struct AllDevices;

impl Devices for AllDevices {
    fn index(&self, _: &DeviceName) -> Option<u32> {
        Some(1)
    }

    fn name(&self, _: u32) -> Option<DeviceName> {
        None
    }

    fn names(&self, _: &mut dyn FnMut(&str)) {}
}

/// Runs the script as udhcpc does; gives what the agent reads.
fn told(folder: &Folder, event: &str, values: &[(&str, &str)]) -> String {
    let ended = Command::new("sh")
        .arg(image("usr/share/udhcpc/lease.script"))
        .arg(event)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("NL31_LEASES", folder.leases())
        .env("interface", "eth0")
        .envs(values.iter().copied())
        .status();
    assert!(ended.expect("sh").success());
    let device = "eth0".parse().unwrap();
    // Before any lease ends.
    let state = ClientState::read(&folder.leases(), &device, &AllDevices, 0);
    let told = state.line(0).to_string();
    told.split(" seconds ").next().unwrap().to_owned()
}

const LEASE: [(&str, &str); 6] = [
    ("ip", "192.0.2.10"),
    ("subnet", "255.255.255.0"),
    ("router", "192.0.2.1 192.0.2.3"),
    ("serverid", "192.0.2.2"),
    ("lease", "3600"),
    ("mask", "24"),
];

const BOUND: &str = "bound 192.0.2.10/24 via 192.0.2.1 server 192.0.2.2";

#[test]
fn script_leaves_lease_and_removes_it() {
    let folder = Folder::new();
    assert_eq!(told(&folder, "deconfig", &[]), "searching");
    assert_eq!(told(&folder, "bound", &LEASE), BOUND);
    // No server has answered, or one refuses: the client itself says when that ends a lease.
    assert_eq!(told(&folder, "leasefail", &[]), BOUND);
    assert_eq!(told(&folder, "nak", &[("message", "no")]), BOUND);
    let mut renewed = LEASE;
    renewed[2].1 = "192.0.2.4";
    let bound = BOUND.replace("192.0.2.1 ", "192.0.2.4 ");
    assert_eq!(told(&folder, "renew", &renewed), bound);
    assert_eq!(told(&folder, "deconfig", &[]), "searching");
}

#[test]
fn hostile_value_of_server_is_left_out() {
    let hostile = [
        "",
        " ",
        "$(reboot)",
        "`reboot`",
        "1;reboot",
        "1\nsince 9",
        "192.0.2.1\naddress 10.0.0.1",
        "../../x",
        "-n",
        "*",
        "é",
        "1234567890123456",
        "\x1b[2J",
    ];
    let long = "1".repeat(100_000);
    for hostile in hostile.into_iter().chain([long.as_str()]) {
        for at in 0..LEASE.len() {
            let mut values = LEASE;
            values[at].1 = hostile;
            let folder = Folder::new();
            let told = told(&folder, "bound", &values);
            let expected = match LEASE[at].0 {
                "router" => BOUND.replace(" via 192.0.2.1", ""),
                "serverid" => BOUND.replace(" server 192.0.2.2", ""),
                "mask" => BOUND.into(),
                "subnet" => "refused: the server gave no subnet mask from /8 to /32".into(),
                _ => "refused: the value of an option is malformed".into(),
            };
            assert_eq!(told, expected, "{}: {hostile:.40?}", LEASE[at].0);
            let text = fs::read_to_string(folder.leases().join("eth0")).unwrap();
            assert!(text.len() < 200, "{text}");
            let files = fs::read_dir(folder.leases()).unwrap();
            assert_eq!(files.count(), 1);
        }
    }
}

/// The service with devices and a client of the test's.
struct Service {
    folder: Folder,
    group: Pid,
}

impl Service {
    /// No device of this machine has such a name, in case that the client is a real one.
    fn start(settings: &str) -> Self {
        let folder = Folder::new();
        let path = folder.0.join("udhcpc");
        // It is known by the name of its process, as the real one is.
        let client = "#!/bin/sh\necho \"$@\" >>\"$NL31_LEASES/../log\"\n\
                      while :; do sleep 0.1; done\n";
        fs::write(&path, client).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        for (name, index) in [("w0", 2), ("#b", 3), ("a$b", 4), ("dev", 5)] {
            let device = folder.0.join("devices").join(name);
            fs::create_dir_all(&device).unwrap();
            fs::write(device.join("ifindex"), format!("{index}\n")).unwrap();
        }
        fs::create_dir(folder.0.join("outside")).unwrap();
        fs::write(folder.0.join("outside/ifindex"), "6\n").unwrap();
        fs::write(folder.0.join("settings"), settings).unwrap();
        let mut service = Command::new("sh")
            .arg(image("etc/init.d/S30dhcp"))
            .arg("start")
            .env("PATH", format!("{}:/usr/bin:/bin", folder.0.display()))
            .env("NL31_SETTINGS", folder.0.join("settings"))
            .env("NL31_DEVICES", folder.0.join("devices"))
            .env("NL31_SCRIPT", "SCRIPT")
            .env("NL31_LEASES", folder.leases())
            .process_group(0)
            .spawn()
            .expect("sh");
        let group = Pid::from_raw(service.id() as i32);
        assert!(service.wait().unwrap().success(), "it goes on by itself");
        Self { folder, group }
    }

    /// Replaces the settings, as the agent does.
    fn set(&self, settings: &str) {
        fs::write(self.folder.0.join("new"), settings).unwrap();
        fs::rename(self.folder.0.join("new"), self.folder.0.join("settings")).unwrap();
    }

    /// The devices of the clients that were started, each as often.
    fn started(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.0.join("log")).unwrap_or_default();
        let device = |line: &str| {
            let (_, rest) = line.split_once(" -i ")?;
            let (device, options) = rest.split_once(' ')?;
            assert_eq!(options, "-s SCRIPT -o -O subnet -O router");
            Some(device.to_owned())
        };
        log.lines().filter_map(device).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = killpg(self.group, Signal::SIGKILL);
    }
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn service_runs_one_client_for_each_device_that_is_on() {
    let service = Service::start(
        "revision 3\nport set w0\ndhcp w0 on\ndhcp w0 on\ndhcp dev #b on\ndhcp a$b on\n\
         dhcp dev dev on\ndhcp ../outside on\ndhcp .. on\ndhcp on\ndhcp usb0 on\n",
    );
    wait_until("all clients", || service.started().len() >= 4);
    let mut first = service.started();
    first.sort();
    assert_eq!(first, ["#b", "a$b", "dev", "w0"]);
    let lease = |name: &str| service.folder.leases().join(name);
    for name in ["w0", "#b"] {
        fs::write(lease(name), "").unwrap();
    }
    // A client that is switched off ends, and its lease with it; the others go on.
    service.set("dhcp dev #b on\n");
    wait_until("the end of a lease", || !lease("w0").exists());
    assert!(lease("#b").exists());
    service.set("dhcp w0 on\ndhcp dev #b on\n");
    wait_until("a client again", || service.started().len() >= 5);
    assert_eq!(service.started()[4], "w0");
    // The device was plugged in again.
    fs::write(service.folder.0.join("devices/w0/ifindex"), "7\n").unwrap();
    wait_until("a client anew", || service.started().len() >= 6);
    assert_eq!(service.started()[4..], ["w0", "w0"]);
}
