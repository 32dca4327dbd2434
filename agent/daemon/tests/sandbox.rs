// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an agent in its sandbox can do, and what it cannot, each in a process of its own.
//! Tests that need root and a kernel of the appliance are ignored here; the system test
//! `resilience` runs this file in the image, those included.
#![allow(missing_docs)]

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::libc;
use nix::sys::eventfd::EventFd;
use nl31_agent::platform::bit_rate::{bit_rate, set_bit_rate};
use nl31_agent::platform::devices::{Devices, SystemDevices};
use nl31_agent::platform::exit_reason;
use nl31_agent::platform::icmp_echo::{AnswerKind, Echo};
use nl31_agent::platform::sandbox::{self, User, Writable, system_calls};
use nl31_netlink::rtnetlink::{LinkEvents, exchange};

/// A folder of its own for each test, gone with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Names the case for which a process was started.
const CASE: &str = "NL31_TEST_CASE";

/// The number of the agent's user in the image.
const AGENT: u32 = 31;

/// Runs this test again in a process of its own, which does `what` in the sandbox, as the
/// owner of a folder in which it may write; gives how it ended, and its last words.
fn run(case: &str, owner: Option<u32>, what: impl FnOnce(&Path)) -> Option<(ExitStatus, String)> {
    let folder = |process: u32| std::env::temp_dir().join(format!("nl31-sandbox-{process}-{case}"));
    if let Some(wanted) = std::env::var_os(CASE) {
        if wanted == case {
            let folder = folder(std::os::unix::process::parent_id());
            exit_reason::begin(&folder.join("exit-reason")).unwrap();
            let writable = Writable {
                folders: &[&folder],
                terminal: None,
            };
            sandbox::enter(User::of(&folder), writable).unwrap();
            what(&folder);
            exit_reason::end();
            std::process::exit(0);
        }
        return None;
    }
    let folder = Folder(folder(std::process::id()));
    fs::create_dir_all(&folder.0).unwrap();
    if let Some(owner) = owner {
        chown(&folder.0, Some(owner), Some(owner)).unwrap();
    }
    let this = thread::current().name().unwrap().to_owned();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([&this, "--exact", "--nocapture", "--include-ignored"])
        .env(CASE, case);
    let end = child.stdout(Stdio::null()).status().unwrap();
    let words = fs::read_to_string(folder.0.join("exit-reason")).unwrap_or_default();
    Some((end, words))
}

#[track_caller]
fn allowed_as(case: &str, owner: Option<u32>, what: impl FnOnce(&Path)) {
    let Some((end, words)) = run(case, owner, what) else {
        return;
    };
    assert!(end.success(), "{end:?}: {words}");
    assert_eq!(words, "");
}

#[track_caller]
fn allowed(case: &str, what: impl FnOnce(&Path)) {
    allowed_as(case, None, what);
}

#[track_caller]
fn forbidden(case: &str, call: libc::c_long, what: impl FnOnce()) {
    let Some((end, words)) = run(case, None, |_| what()) else {
        return;
    };
    assert_eq!(end.code(), Some(system_calls::STATUS), "{end:?}: {words}");
    assert_eq!(words, format!("seccomp blocked system call {call}"));
}

/// A terminal and what keeps it open: the image has no pseudo-terminals, but a serial line.
fn terminal() -> (OwnedFd, Option<OwnedFd>) {
    match nix::pty::openpty(None, None) {
        Ok(pty) => (pty.slave, Some(pty.master)),
        Err(_) => {
            let mut options = OpenOptions::new();
            options.read(true).write(true).custom_flags(libc::O_NOCTTY);
            let line = options.open("/dev/ttyS0");
            (line.expect("a serial line").into(), None)
        }
    }
}

#[test]
fn open_terminal_gets_another_bit_rate() {
    let (terminal, _master) = terminal();
    allowed("bit-rate", |_| {
        let own = bit_rate(&terminal).unwrap();
        set_bit_rate(&terminal, 57_600).unwrap();
        assert_eq!(bit_rate(&terminal).unwrap(), 57_600);
        set_bit_rate(&terminal, own).unwrap();
    });
}

#[test]
fn files_are_written_replaced_and_listed() {
    allowed("files", |folder| {
        let (new, path) = (folder.join("new"), folder.join("file"));
        // A folder that is there.
        fs::create_dir_all(folder).unwrap();
        let mut file = File::create(&new).unwrap();
        file.write_all(b"routes").unwrap();
        file.seek(SeekFrom::Start(2)).unwrap();
        file.set_len(3).unwrap();
        file.sync_all().unwrap();
        file.sync_data().unwrap();
        fs::rename(&new, &path).unwrap();
        File::open(folder).unwrap().sync_all().unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
        assert_eq!(path.metadata().unwrap().len(), 3);
        fs::remove_file(&path).unwrap();
        // `diff` sorts a config in a file without a name.
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_TMPFILE);
        let mut sorted = options.open(folder).unwrap();
        sorted.write_all(b"routes").unwrap();
        let mut part = [0; 3];
        assert_eq!(sorted.read_at(&mut part, 2).unwrap(), 3);
        assert_eq!(&part, b"ute");
    });
}

#[test]
fn threads_memory_and_time() {
    allowed("threads", |_| {
        let threads: Vec<_> = (0..8)
            .map(|size| {
                let grow = move || {
                    let mut bytes = vec![0u8; 1 << (size * 3)];
                    bytes.resize(bytes.len() * 2, 1);
                    thread::sleep(Duration::from_millis(1));
                    bytes.len()
                };
                let builder = thread::Builder::new().name("grow".into());
                builder.stack_size(64 * 1024).spawn(grow).unwrap()
            })
            .collect();
        let sizes: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        assert_eq!(sizes.len(), 8);
        EventFd::new().unwrap().write(1).unwrap();
        // It seeds a hash map's keys.
        let _ = std::hash::RandomState::new();
    });
}

#[test]
fn devices_and_the_kernels_sockets() {
    allowed("sockets", |_| {
        let mut found = false;
        SystemDevices.names(&mut |name| found |= name == "lo");
        assert!(found && SystemDevices.index(&"lo".parse().unwrap()).is_some());
        // Where the module is not there.
        let _ = nl31_netlink::Connection::open_events();
    });
}

#[test]
fn links_and_their_events() {
    allowed("rtnetlink", |_| {
        assert!(LinkEvents::open().unwrap().drain().is_ok());
        // RTM_GETLINK of all links, and an empty `struct ifinfomsg`.
        let mut request = [0; 32];
        request[0] = 32;
        request[4..6].copy_from_slice(&libc::RTM_GETLINK.to_ne_bytes());
        request[6..8].copy_from_slice(&0x301_u16.to_ne_bytes());
        let mut heard = 0;
        exchange(&request, &mut |datagram| {
            heard += datagram.len();
            true
        })
        .unwrap();
        assert!(heard > 32);
    });
}

#[test]
fn echo_requests_are_sent_where_linux_permits_them() {
    allowed("echo", |_| {
        for address in [IpAddr::from([127, 0, 0, 1]), Ipv6Addr::LOCALHOST.into()] {
            match Echo::open(address, Some(address), None, 56) {
                Ok(mut echo) => echo.set_ttl(7).and_then(|()| echo.send(1)).unwrap(),
                Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
            }
        }
    });
}

#[test]
#[ignore = "the image's net.ipv4.ping_group_range; the lab runs it in the image: cargo test resilience::sandbox"]
fn agent_pings_itself() {
    allowed_as("ping", Some(AGENT), |_| {
        for address in [IpAddr::from([127, 0, 0, 1]), Ipv6Addr::LOCALHOST.into()] {
            let mut echo = Echo::open(address, None, Some((1, b"lo")), 100).unwrap();
            echo.set_ttl(7).unwrap();
            echo.send(0x1234).unwrap();
            let answer = echo.receive().unwrap().expect("lo answers at once");
            assert_eq!((answer.sequence, answer.from), (0x1234, Some(address)));
            let kind = AnswerKind::Reply {
                bytes: 100,
                ttl: Some(64),
            };
            assert_eq!(answer.kind, kind);
            assert_eq!(echo.receive().unwrap(), None);
        }
    });
}

#[test]
fn no_program_is_started() {
    let path = CString::new("/bin/true").unwrap();
    let arguments = [path.as_ptr(), std::ptr::null()];
    forbidden("execve", libc::SYS_execve, || {
        // SAFETY: the path is a C string, the arguments end with a null.
        unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), arguments.as_ptr().add(1)) };
    });
    forbidden("fork", libc::SYS_clone, || {
        // SAFETY: it is ended before there is a child.
        unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    });
}

#[test]
fn no_memory_becomes_executable() {
    let rights = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    forbidden("mprotect", libc::SYS_mprotect, || {
        // SAFETY: it is ended before there is anything to protect.
        unsafe { libc::mprotect(std::ptr::null_mut(), 4096, rights) };
    });
}

#[test]
fn no_other_sockets_no_other_process_no_way_back() {
    forbidden("socket", libc::SYS_socket, || {
        let _ = std::net::UdpSocket::bind("127.0.0.1:0");
    });
    // As its neighbours in the filter, but with another protocol or another family.
    for (family, protocol) in [
        (libc::AF_INET, 0),
        (libc::AF_INET, libc::IPPROTO_ICMPV6),
        (libc::AF_INET6, libc::IPPROTO_UDP),
        (libc::AF_PACKET, libc::IPPROTO_ICMP),
    ] {
        let case = format!("socket-{family}-{protocol}");
        forbidden(&case, libc::SYS_socket, || {
            // SAFETY: takes no pointer; it is ended first.
            unsafe { libc::socket(family, libc::SOCK_DGRAM, protocol) };
        });
    }
    forbidden("connect", libc::SYS_connect, || {
        let _ = UnixStream::connect("/run/nl31.sock");
    });
    forbidden("chmod", libc::SYS_fchmodat, || {
        // SAFETY: it is ended first.
        unsafe { libc::syscall(libc::SYS_fchmodat, libc::AT_FDCWD, c"/".as_ptr(), 0o777) };
    });
    forbidden("symlink", libc::SYS_symlinkat, || {
        // SAFETY: it is ended first.
        unsafe { libc::symlinkat(c"/etc".as_ptr(), libc::AT_FDCWD, c"/tmp/etc".as_ptr()) };
    });
    forbidden("setuid", libc::SYS_setresuid, || {
        // Not by musl's function, which blocks the signal that tells of the violation.
        // SAFETY: it is ended first.
        unsafe { libc::syscall(libc::SYS_setresuid, 0, 0, 0) };
    });
    forbidden("mount", libc::SYS_mount, || {
        // SAFETY: it is ended first.
        unsafe { libc::syscall(libc::SYS_mount, 0, c"/".as_ptr(), c"tmpfs".as_ptr(), 0, 0) };
    });
    forbidden("reboot", libc::SYS_reboot, || {
        // SAFETY: it is ended first; without the magic numbers it would do nothing.
        unsafe { libc::syscall(libc::SYS_reboot, 0, 0, 0, 0) };
    });
    forbidden("kill", libc::SYS_kill, || {
        // SAFETY: asks only whether there is such a process.
        unsafe { libc::kill(1, 0) };
    });
    forbidden("ptrace", libc::SYS_ptrace, || {
        // SAFETY: it is ended first.
        unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    });
    forbidden("sigaction", libc::SYS_rt_sigaction, || {
        // SAFETY: the default action is always valid.
        unsafe { libc::signal(libc::SIGSYS, libc::SIG_DFL) };
    });
}

#[test]
fn capabilities_are_gone() {
    allowed("capabilities", |_| {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].trim().to_owned()
        };
        let kept = 1 << 12;
        for name in ["CapEff:", "CapPrm:"] {
            let set = u64::from_str_radix(&field(name), 16).unwrap();
            assert_eq!(set & !kept, 0, "{name} {set:x}");
        }
        for name in ["CapInh:", "CapAmb:"] {
            assert_eq!(u64::from_str_radix(&field(name), 16).unwrap(), 0, "{name}");
        }
        if u64::from_str_radix(&field("CapEff:"), 16).unwrap() != 0 {
            assert_eq!(u64::from_str_radix(&field("CapBnd:"), 16).unwrap(), 0);
        }
        assert_eq!(
            (field("NoNewPrivs:"), field("Seccomp:")),
            ("1".into(), "2".into())
        );
    });
}

/// A process that can write one of these has the machine.
#[track_caller]
fn is_denied_what_would_take_over_the_machine() {
    let create = |path: &str| File::create_new(path).map(drop);
    let write = |path: &str| File::options().write(true).open(path).map(drop);
    let tries = [
        ("create a program", create("/usr/sbin/nl31-test")),
        ("change init's table", write("/etc/inittab")),
        ("write the raw disk", write(DISK)),
        ("write its own code", write("/proc/self/mem")),
        ("set a kernel parameter", write("/proc/sys/kernel/printk")),
        ("create a file in /run", create("/run/nl31-test")),
        ("create a file in /tmp", create("/tmp/nl31-test")),
        ("delete a script", fs::remove_file("/etc/init.d/rcS")),
        (
            "rename a script",
            fs::rename("/etc/init.d/rcS", "/etc/init.d/rcT"),
        ),
        ("make a folder", fs::create_dir("/etc/nl31-test")),
    ];
    for (what, tried) in tries {
        let kind = tried.map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::PermissionDenied), "{what}");
    }
    assert!(fs::read("/etc/inittab").is_ok(), "may read what anyone may");
}

/// A node of the first RAM disk. Without a driver root gets another error than denied.
const DISK: &str = "/dev/nl31-test-disk";

#[test]
#[ignore = "root and a kernel with Landlock; the lab runs it in the image: cargo test resilience::sandbox"]
fn landlock_alone_lets_root_write_nothing_else() {
    make_disk();
    allowed("landlock", |folder| {
        is_denied_what_would_take_over_the_machine();
        fs::write(folder.join("file"), "routes").unwrap();
        fs::create_dir(folder.join("folder")).expect_err("folders are not made");
    });
}

#[test]
#[ignore = "root; the lab runs it in the image: cargo test resilience::sandbox"]
fn agent_becomes_the_owner_of_its_run_folder_and_keeps_one_capability() {
    make_disk();
    allowed_as("user", Some(AGENT), |folder| {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let ids = format!("\t{AGENT}").repeat(4);
        for line in [
            format!("Uid:{ids}"),
            format!("Gid:{ids}"),
            "Groups:\t ".into(),
            "CapPrm:\t0000000000001000".into(),
            "CapEff:\t0000000000001000".into(),
            "CapBnd:\t0000000000000000".into(),
        ] {
            assert!(status.lines().any(|is| is == line), "{line} {status}");
        }
        is_denied_what_would_take_over_the_machine();
        fs::write(folder.join("file"), "routes").unwrap();
        let secret = File::open(DISK).map_err(|error| error.kind());
        assert_eq!(secret.map(drop), Err(ErrorKind::PermissionDenied));
        nl31_netlink::Connection::open().unwrap();
    });
}

fn make_disk() {
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
    let ram = nix::sys::stat::makedev(1, 0);
    match nix::sys::stat::mknod(DISK, nix::sys::stat::SFlag::S_IFBLK, mode, ram) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
        Err(error) => panic!("{DISK}: {error}"),
    }
}

#[test]
#[ignore = "root and PROC_MEM_NO_FORCE; the lab runs it in the image: cargo test resilience::sandbox"]
fn root_cannot_write_its_own_constants_through_proc_mem() {
    static CONSTANT: [u8; 8] = *b"constant";
    let mut memory = File::options().write(true).open("/proc/self/mem").unwrap();
    memory
        .seek(SeekFrom::Start(CONSTANT.as_ptr() as u64))
        .unwrap();
    memory.write(b"X").expect_err("the page is read-only");
    assert_eq!(std::hint::black_box(&CONSTANT), b"constant");
}

#[test]
fn a_panic_is_the_last_word() {
    let panics = |_: &Path| {
        let _ = thread::spawn(|| panic!("of two\nlines")).join();
        std::process::abort();
    };
    let (end, words) = run("panic", None, panics).expect("only this case");
    assert_eq!(end.signal(), Some(libc::SIGABRT), "{end:?}");
    assert!(
        words.contains("panicked at ") && words.ends_with("of two lines"),
        "{words}"
    );
}
