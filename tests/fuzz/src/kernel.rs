// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel that this runs on, over real sockets, with KCOV for coverage. The program is the
//! kernel's init: there is no other process.

use std::fs::{self, File};
use std::io::Error;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::{NonNull, null};

use libc::{c_int, c_ulong, c_void};

use crate::exchange::{Kernel, LISTENER, OBSERVER};
use crate::message::{HEADER_LEN, Header, flag, kind};
use crate::model::DEVICES;
use crate::script::Device;

/// Where the file of the host is that is told what was tried last: the input of a kernel that
/// panicked. A length, then the input.
const LAST_INPUT: &str = "/dev/mmapper";
const LAST_INPUT_MAX: usize = 4096;

/// Basic blocks that are remembered of a run.
const TRACE_MAX: usize = 1 << 18;
const KCOV_INIT_TRACE: c_ulong = 0x8008_6301;
const KCOV_ENABLE: c_ulong = 0x6364;

const SOL_NETLINK: c_int = 270;
const NETLINK_ADD_MEMBERSHIP: c_int = 1;
const NETLINK_CAP_ACK: c_int = 10;
const NETLINK_EXT_ACK: c_int = 11;
const PROTOCOL: c_int = 31;
const GROUP_ROUTE: c_int = 1;

const NOBODY: u32 = 65534;
const DATAGRAM_MAX: usize = 1 << 18;

/// If this is init, the caller goes on in its only child; when that ends, its status is told and
/// the machine is switched off.
pub fn be_init() {
    if std::process::id() != 1 {
        // libFuzzer starts itself again to merge
        return;
    }
    for (what, at) in [
        (c"proc", c"/proc"),
        (c"sysfs", c"/sys"),
        (c"debugfs", c"/sys/kernel/debug"),
        (c"devtmpfs", c"/dev"),
    ] {
        // SAFETY: the strings live as long as the call
        let done = unsafe { libc::mount(what.as_ptr(), at.as_ptr(), what.as_ptr(), 0, null()) };
        assert_eq!(done, 0, "cannot mount {what:?}: {}", Error::last_os_error());
    }
    // SAFETY: there is one thread yet
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "cannot fork: {}", Error::last_os_error());
    if child == 0 {
        return;
    }
    let mut status = 0;
    // SAFETY: the child is ours, and `status` is written here only
    unsafe {
        while libc::waitpid(child, &mut status, 0) != child {}
        println!("nl31-fuzz: status {status}");
        libc::sync();
        libc::reboot(libc::RB_POWER_OFF);
    }
    unreachable!("the machine is off");
}

/// Where the kernel goes in a run.
#[derive(Debug)]
struct Trace {
    /// The number of entries, then those.
    area: NonNull<u64>,
    _device: File,
}

impl Trace {
    fn new() -> Self {
        let device = File::options()
            .read(true)
            .write(true)
            .open("/sys/kernel/debug/kcov");
        let device = device.expect("a kernel with KCOV");
        // SAFETY: what KCOV's documentation says: set the size, map it, switch it on for this
        // thread; the mapping lasts until the process ends
        unsafe {
            assert_eq!(
                libc::ioctl(device.as_raw_fd(), KCOV_INIT_TRACE, TRACE_MAX),
                0
            );
            let area = libc::mmap(
                std::ptr::null_mut(),
                TRACE_MAX * size_of::<u64>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                device.as_raw_fd(),
                0,
            );
            assert_ne!(area, libc::MAP_FAILED, "cannot map KCOV's trace");
            assert_eq!(libc::ioctl(device.as_raw_fd(), KCOV_ENABLE, 0), 0);
            Self {
                area: NonNull::new(area.cast()).expect("a mapping"),
                _device: device,
            }
        }
    }

    fn begin(&self) {
        // SAFETY: the kernel writes it in system calls of this thread only
        unsafe { self.area.write_volatile(0) };
    }

    /// Calls `each` with what was reached since.
    fn end(&self, mut each: impl FnMut(u64)) {
        // SAFETY: the first entry is the number of those that follow, less than there is room for
        unsafe {
            let count = self.area.read_volatile() as usize;
            for index in 1..=count.min(TRACE_MAX - 1) {
                each(self.area.add(index).read_volatile());
            }
        }
    }
}

/// Root, or a user without privileges.
fn become_user(root: bool) {
    let user = if root { 0 } else { NOBODY };
    // SAFETY: of this thread alone, which is what the C library's function would not do
    let done = unsafe { libc::syscall(libc::SYS_setresuid, u32::MAX, user, u32::MAX) };
    assert_eq!(
        done,
        0,
        "cannot change the user: {}",
        Error::last_os_error()
    );
}

#[derive(Debug)]
struct Socket {
    fd: OwnedFd,
    port: u32,
}

impl Socket {
    fn open(options: &[(c_int, c_int)]) -> Self {
        // SAFETY: the structures are ours, and as long as is said
        unsafe {
            let fd = libc::socket(
                libc::AF_NETLINK,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
                PROTOCOL,
            );
            assert!(
                fd >= 0,
                "cannot open a socket of protocol {PROTOCOL}: {}",
                Error::last_os_error()
            );
            let fd = OwnedFd::from_raw_fd(fd);
            let mut address: libc::sockaddr_nl = zeroed();
            address.nl_family = libc::AF_NETLINK as u16;
            let mut size = size_of::<libc::sockaddr_nl>() as u32;
            let to = (&raw mut address).cast();
            assert_eq!(libc::bind(fd.as_raw_fd(), to, size), 0);
            assert_eq!(libc::getsockname(fd.as_raw_fd(), to, &mut size), 0);
            for (level, option, value) in options
                .iter()
                .map(|&(option, value)| (SOL_NETLINK, option, value))
                .chain([(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 4 << 20)])
            {
                let value: *const c_void = (&raw const value).cast();
                assert_eq!(libc::setsockopt(fd.as_raw_fd(), level, option, value, 4), 0);
            }
            Self {
                fd,
                port: address.nl_pid,
            }
        }
    }
}

/// This machine.
#[derive(Debug)]
pub struct Machine {
    sockets: Vec<Socket>,
    trace: Trace,
    fail_nth: File,
    failing: bool,
    admin: bool,
    last_input: NonNull<u8>,
    ioctls: OwnedFd,
    buffer: Box<[u8]>,
}

impl Default for Machine {
    fn default() -> Self {
        // any allocation, also those that could wait
        for (name, value) in [("ignore-gfp-wait", "N"), ("verbose", "0")] {
            fs::write(format!("/sys/kernel/debug/failslab/{name}"), value)
                .expect("a kernel with FAILSLAB");
        }
        let fail_nth = File::options()
            .read(true)
            .write(true)
            .open("/proc/thread-self/fail-nth");
        let last_input = File::options().read(true).write(true).open(LAST_INPUT);
        let last_input = last_input.expect("a kernel with MMAPPER and a file for it");
        // SAFETY: the file is there until the machine ends, and so is the mapping
        let (last_input, ioctls) = unsafe {
            let area = libc::mmap(
                std::ptr::null_mut(),
                LAST_INPUT_MAX,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                last_input.as_raw_fd(),
                0,
            );
            assert_ne!(area, libc::MAP_FAILED, "cannot map {LAST_INPUT}");
            let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
            assert!(fd >= 0, "cannot open a socket: {}", Error::last_os_error());
            (
                NonNull::new(area.cast()).expect("a mapping"),
                OwnedFd::from_raw_fd(fd),
            )
        };
        let mut machine = Self {
            sockets: Vec::new(),
            trace: Trace::new(),
            fail_nth: fail_nth.expect("a kernel with FAULT_INJECTION"),
            failing: false,
            admin: true,
            last_input,
            ioctls,
            buffer: vec![0; DATAGRAM_MAX].into(),
        };
        machine.sockets = (0..=OBSERVER).map(|socket| machine.open(socket)).collect();
        machine
    }
}

impl Machine {
    fn open(&self, socket: usize) -> Socket {
        let (texts, capped) = self.options(socket);
        let mut options = vec![
            (NETLINK_EXT_ACK, texts.into()),
            (NETLINK_CAP_ACK, capped.into()),
        ];
        if socket == LISTENER {
            options.push((NETLINK_ADD_MEMBERSHIP, GROUP_ROUTE));
        }
        Socket::open(&options)
    }

    /// An empty table, new sockets, and a note of the input that follows.
    pub fn begin(&mut self, input: &[u8]) {
        let len = input.len().min(LAST_INPUT_MAX - 4);
        // SAFETY: there is room for so much, and no other code looks at it while this runs
        unsafe {
            self.last_input.cast::<u32>().write_volatile(len as u32);
            std::ptr::copy_nonoverlapping(input.as_ptr(), self.last_input.as_ptr().add(4), len);
        }
        self.admin(true);
        for socket in 0..LISTENER {
            self.reopen(socket);
        }
        let header = Header {
            len: HEADER_LEN as u32 + 8,
            kind: kind::NEWTABLE,
            flags: flag::REQUEST | flag::ACK | flag::REPLACE,
            seq: 1,
            port: 0,
        };
        let mut request = header.write().to_vec();
        request.extend([8, 0, 10, 0]);
        request.extend((4u32 << 20).to_ne_bytes());
        assert!(self.send(OBSERVER, &request, 0));
        let answer = self
            .receive(OBSERVER)
            .expect("no error")
            .expect("an answer");
        assert_eq!(
            answer[HEADER_LEN..][..4],
            [0; 4],
            "the table cannot be emptied"
        );
        while !matches!(self.receive(LISTENER), Ok(None)) {}
        self.trace.begin();
    }

    /// Calls `each` with the address of each basic block of the module that was reached.
    pub fn end(&mut self, each: impl FnMut(u64)) {
        self.trace.end(each);
        self.admin(true);
    }

    fn set_fail_nth(&mut self, nth: u8) {
        let nth = nth.to_string();
        let written = self.fail_nth.write_at(nth.as_bytes(), 0);
        assert_eq!(written.ok(), Some(nth.len()), "cannot write fail-nth");
    }

    fn interface(&self, index: usize) -> Option<libc::ifreq> {
        // SAFETY: the structure is ours; the kernel fills it
        unsafe {
            let mut request: libc::ifreq = zeroed();
            request.ifr_ifru.ifru_ifindex = index as c_int;
            if libc::ioctl(self.ioctls.as_raw_fd(), libc::SIOCGIFNAME, &mut request) != 0 {
                return None;
            }
            assert_eq!(
                libc::ioctl(self.ioctls.as_raw_fd(), libc::SIOCGIFFLAGS, &mut request),
                0
            );
            Some(request)
        }
    }
}

impl Kernel for Machine {
    fn port(&self, socket: usize) -> u32 {
        self.sockets[socket].port
    }

    fn options(&self, socket: usize) -> (bool, bool) {
        (socket != 2, socket == 1)
    }

    fn send(&mut self, socket: usize, datagram: &[u8], fail: u8) -> bool {
        if fail > 0 {
            self.set_fail_nth(fail);
            self.failing = true;
        }
        let fd = self.sockets[socket].fd.as_raw_fd();
        // SAFETY: the datagram is as long as is said
        let sent = unsafe {
            let mut kernel: libc::sockaddr_nl = zeroed();
            kernel.nl_family = libc::AF_NETLINK as u16;
            let size = size_of::<libc::sockaddr_nl>() as u32;
            libc::sendto(
                fd,
                datagram.as_ptr().cast(),
                datagram.len(),
                0,
                (&raw const kernel).cast(),
                size,
            )
        };
        // it has none for an empty one
        assert!(
            sent >= 0 || fail > 0 || datagram.is_empty(),
            "cannot send: {}",
            Error::last_os_error()
        );
        sent >= 0 && !datagram.is_empty()
    }

    fn failed(&mut self) -> bool {
        if !std::mem::take(&mut self.failing) {
            return false;
        }
        let mut left = [0; 8];
        let read = self.fail_nth.read_at(&mut left, 0);
        let read = read.expect("to read fail-nth");
        self.set_fail_nth(0);
        left[..read].trim_ascii() == b"0"
    }

    fn receive(&mut self, socket: usize) -> Result<Option<Vec<u8>>, i32> {
        let fd = self.sockets[socket].fd.as_raw_fd();
        let Self { buffer, .. } = self;
        // SAFETY: the buffer has room for so much
        let size = unsafe {
            libc::recv(
                fd,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                libc::MSG_TRUNC,
            )
        };
        let Ok(size) = usize::try_from(size) else {
            let error = Error::last_os_error()
                .raw_os_error()
                .expect("an error number");
            return if error == libc::EAGAIN {
                Ok(None)
            } else {
                Err(error)
            };
        };
        Ok(Some(buffer[..size].to_vec()))
    }

    fn reopen(&mut self, socket: usize) {
        // an open socket counts, too
        let admin = self.admin;
        become_user(true);
        self.sockets[socket] = self.open(socket);
        become_user(admin);
    }

    fn device(&self, index: usize) -> Option<bool> {
        let request = self.interface(index)?;
        // SAFETY: the kernel has filled in the flags
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        Some(c_int::from(flags) & libc::IFF_UP != 0)
    }

    fn device_name(&self, index: usize) -> Vec<u8> {
        let request = self.interface(index);
        let name = request.map_or([0; 16], |request| request.ifr_name);
        let name = name.iter().take_while(|&&byte| byte != 0);
        name.map(|&byte| byte as u8).collect()
    }

    fn set_device(&mut self, index: usize, change: Device) -> bool {
        let up = match change {
            Device::Up => libc::IFF_UP as i16,
            Device::Down => 0,
            Device::Gone => return false,
        };
        let Some(mut request) = self.interface(index).filter(|_| index <= DEVICES) else {
            return false;
        };
        // SAFETY: the kernel has filled in the flags
        unsafe {
            let flags = request.ifr_ifru.ifru_flags & !(libc::IFF_UP as i16) | up;
            request.ifr_ifru.ifru_flags = flags;
            libc::ioctl(self.ioctls.as_raw_fd(), libc::SIOCSIFFLAGS, &request) == 0
        }
    }

    fn idle(&mut self) -> bool {
        false
    }

    fn grace(&mut self) {}

    fn admin(&mut self, admin: bool) -> bool {
        become_user(admin);
        self.admin = admin;
        true
    }
}
