// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an agent may do when it has given up its privileges, each in a process of its
//! own.
#![allow(missing_docs)]

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::libc;
use nix::sys::eventfd::EventFd;
use nl31_agent::platform::devices::{Devices, SystemDevices};
use nl31_agent::platform::{exit_reason, sandbox};

/// A folder of its own for each test, gone with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Names the case for which a process was started.
const CASE: &str = "NL31_TEST_CASE";

/// Runs this test again in a process of its own, which does `what` without privileges;
/// gives how it ended, and its last words.
fn restricted(case: &str, what: impl FnOnce(&Path)) -> Option<(ExitStatus, String)> {
    let folder =
        |process: u32| std::env::temp_dir().join(format!("nl31-privileges-{process}-{case}"));
    if let Some(wanted) = std::env::var_os(CASE) {
        if wanted == case {
            let folder = folder(std::os::unix::process::parent_id());
            exit_reason::begin(&folder.join("last-words")).unwrap();
            sandbox::restrict().unwrap();
            what(&folder);
            exit_reason::end();
            std::process::exit(0);
        }
        return None;
    }
    let folder = Folder(folder(std::process::id()));
    fs::create_dir_all(&folder.0).unwrap();
    let this = thread::current().name().unwrap().to_owned();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([&this, "--exact", "--nocapture"])
        .env(CASE, case);
    let end = child.stdout(Stdio::null()).status().unwrap();
    let words = fs::read_to_string(folder.0.join("last-words")).unwrap_or_default();
    Some((end, words))
}

#[track_caller]
fn allowed(case: &str, what: impl FnOnce(&Path)) {
    let Some((end, words)) = restricted(case, what) else {
        return;
    };
    assert!(end.success(), "{end:?}: {words}");
    assert_eq!(words, "");
}

#[track_caller]
fn forbidden(case: &str, call: libc::c_long, what: impl FnOnce()) {
    let Some((end, words)) = restricted(case, |_| what()) else {
        return;
    };
    assert_eq!(end.code(), Some(sandbox::STATUS), "{end:?}: {words}");
    assert_eq!(
        words,
        format!("it made system call {call}, which it has no need of")
    );
}

#[test]
fn files_are_written_replaced_and_listed() {
    allowed("files", |folder| {
        let (new, path) = (folder.join("new"), folder.join("data/file"));
        fs::create_dir_all(folder.join("data")).unwrap();
        let mut file = File::create(&new).unwrap();
        file.write_all(b"routes").unwrap();
        file.seek(SeekFrom::Start(2)).unwrap();
        file.set_len(3).unwrap();
        file.sync_all().unwrap();
        file.sync_data().unwrap();
        fs::rename(&new, &path).unwrap();
        File::open(folder).unwrap().sync_all().unwrap();
        assert_eq!(fs::read_dir(folder.join("data")).unwrap().count(), 1);
        assert_eq!(path.metadata().unwrap().len(), 3);
        fs::remove_file(&path).unwrap();
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
fn the_control_socket_and_the_devices() {
    allowed("sockets", |folder| {
        let path = folder.join("agent.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, mode).unwrap();
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
        let mut found = false;
        SystemDevices.names(&mut |name| found |= name == "lo");
        assert!(found && SystemDevices.index(&"lo".parse().unwrap()).is_some());
        // Where the module is not there.
        let _ = nl31_netlink::Connection::open_events();
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
    forbidden("connect", libc::SYS_connect, || {
        let _ = UnixStream::connect("/run/nl31.sock");
    });
    forbidden("kill", libc::SYS_kill, || {
        // SAFETY: asks only whether there is such a process; init alone may be sent one.
        unsafe { libc::kill(2, 0) };
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

#[test]
fn a_panic_is_the_last_word() {
    let panics = |_: &Path| {
        let _ = thread::spawn(|| panic!("of two\nlines")).join();
        std::process::abort();
    };
    let (end, words) = restricted("panic", panics).expect("only this case");
    assert_eq!(end.signal(), Some(libc::SIGABRT), "{end:?}");
    assert!(
        words.contains("panicked at ") && words.ends_with("of two lines"),
        "{words}"
    );
}
