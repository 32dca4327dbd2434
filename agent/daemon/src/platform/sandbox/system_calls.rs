// SPDX-License-Identifier: MIT OR Apache-2.0
//! Limits the started agent to the system calls of the lists below, by seccomp. A process
//! with this filter cannot start a program, open an internet socket but for ICMP echo requests,
//! or make memory executable. Part of the [sandbox](super).
//!
//! The filter is assembled here: the crate seccompiler does not know 32-bit Arm.

use std::io;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long, sock_filter};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::platform::exit_reason;

/// Exit status after a forbidden system call: that of a shell for the signal.
pub const STATUS: c_int = 128 + libc::SIGSYS;

/// Limits the process to its system calls, irreversibly. To be called while the process has
/// one thread.
pub fn restrict() -> io::Result<()> {
    nix::sys::prctl::set_no_new_privs()?;
    end_on_violation()?;
    install(&program())
}

/// The start of `siginfo_t` for SIGSYS.
#[repr(C)]
struct Violation {
    signal: c_int,
    errno: c_int,
    code: c_int,
    address: *const libc::c_void,
    call: c_int,
}

/// Makes a violation a signal whose handler writes the exit reason before the process ends.
fn end_on_violation() -> io::Result<()> {
    extern "C" fn violated(_: c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the kernel passes a siginfo_t, which for this signal begins so.
        let call = unsafe { (*info.cast::<Violation>()).call };
        exit_reason::say(format_args!("seccomp blocked system call {call}"));
        // SAFETY: takes no pointer, and is safe in a signal handler.
        unsafe { libc::_exit(STATUS) }
    }
    let action = SigAction::new(
        SigHandler::SigAction(violated),
        SaFlags::empty(),
        SigSet::all(),
    );
    // SAFETY: the handler calls nothing but what is safe in one.
    unsafe { sigaction(Signal::SIGSYS, &action) }?;
    Ok(())
}

/// A number of a system call in two bytes.
const fn short<const N: usize>(numbers: [c_long; N]) -> [u16; N] {
    let mut short = [0; N];
    let mut at = 0;
    while at < N {
        assert!(numbers[at] >> 16 == 0);
        short[at] = numbers[at] as u16;
        at += 1;
    }
    short
}

/// Allowed with any arguments; the most frequent calls first.
#[rustfmt::skip]
static SYSCALLS: &[u16] = &short([
    // the loop
    libc::SYS_read, libc::SYS_write, libc::SYS_ppoll, libc::SYS_futex,
    libc::SYS_clock_gettime, libc::SYS_sendto, libc::SYS_recvfrom,
    libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64, libc::SYS_pwrite64, libc::SYS_ioctl,
    libc::SYS_close, libc::SYS_clock_nanosleep, libc::SYS_nanosleep,
    libc::SYS_sched_yield, libc::SYS_restart_syscall,
    // sockets
    libc::SYS_bind, libc::SYS_accept4, libc::SYS_sendmsg,
    libc::SYS_recvmsg, libc::SYS_setsockopt, libc::SYS_getsockopt,
    libc::SYS_getsockname, libc::SYS_eventfd2,
    // files
    libc::SYS_openat, libc::SYS_statx, libc::SYS_getdents64, libc::SYS_fsync,
    libc::SYS_fdatasync, libc::SYS_mkdirat, libc::SYS_unlinkat, libc::SYS_renameat,
    libc::SYS_lseek, libc::SYS_ftruncate,
    libc::SYS_flock, libc::SYS_uname,
    // memory
    libc::SYS_munmap, libc::SYS_mremap, libc::SYS_brk, libc::SYS_madvise,
    libc::SYS_getrandom,
    // threads, panics and the end
    libc::SYS_exit, libc::SYS_exit_group, libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn, libc::SYS_sigaltstack, libc::SYS_tkill,
    libc::SYS_tgkill, libc::SYS_gettid, libc::SYS_getpid,
    libc::SYS_set_robust_list, libc::SYS_sched_getaffinity,
    libc::SYS_fcntl,
]);

/// Further calls of this architecture, or other names of the calls above.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
static ARCH_SYSCALLS: &[u16] = &short([
    libc::SYS_poll, libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_fstat,
    libc::SYS_newfstatat, libc::SYS_mkdir, libc::SYS_unlink, libc::SYS_rename,
    libc::SYS_rseq,
]);
#[cfg(target_arch = "aarch64")]
static ARCH_SYSCALLS: &[u16] = &short([libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_rseq]);
/// The numbers without a name are those that came with 64 bits of time, which the
/// crate does not name.
#[cfg(target_arch = "arm")]
#[rustfmt::skip]
static ARCH_SYSCALLS: &[u16] = &short([
    libc::SYS_poll, libc::SYS_open, libc::SYS_stat64, libc::SYS_lstat64,
    libc::SYS_fstat64, libc::SYS_fstatat64, libc::SYS_mkdir, libc::SYS_unlink,
    libc::SYS_rename, libc::SYS_fcntl64, libc::SYS__llseek,
    libc::SYS_ftruncate64, libc::SYS_send, libc::SYS_recv, libc::SYS_sigreturn,
    403, /* clock_gettime64 */ 407, /* clock_nanosleep_time64 */
    414, /* ppoll_time64 */ 422, /* futex_time64 */
]);

#[cfg(not(target_arch = "arm"))]
use nix::libc::SYS_mmap as SYS_MMAP;
#[cfg(target_arch = "arm")]
use nix::libc::SYS_mmap2 as SYS_MMAP;

/// Allowed if these arguments compare so.
#[rustfmt::skip]
static RULES: &[(c_long, &[(u8, CmpOp)])] = &[
    (libc::SYS_socket, &[(0, CmpOp::Equal(libc::AF_NETLINK))]),
    // The control socket, and one that asks for the names of devices.
    (libc::SYS_socket, &[(0, CmpOp::Equal(libc::AF_UNIX))]),
    // Echo requests: a raw socket of these protocols needs a capability that the agent lacks.
    (libc::SYS_socket, &[(0, CmpOp::Equal(libc::AF_INET)), (2, CmpOp::Equal(libc::IPPROTO_ICMP))]),
    (libc::SYS_socket, &[(0, CmpOp::Equal(libc::AF_INET6)), (2, CmpOp::Equal(libc::IPPROTO_ICMPV6))]),
    (SYS_MMAP, &[(2, CmpOp::BitsClear(libc::PROT_EXEC))]),
    (libc::SYS_mprotect, &[(2, CmpOp::BitsClear(libc::PROT_EXEC))]),
    // Threads only, no processes.
    (libc::SYS_clone, &[(0, CmpOp::BitsSet(libc::CLONE_THREAD))]),
    // abort() restores the default action of SIGABRT; the action of SIGSYS must stay.
    (libc::SYS_rt_sigaction, &[(0, CmpOp::Equal(libc::SIGABRT))]),
    (libc::SYS_prctl, &[(0, CmpOp::Equal(libc::PR_SET_NAME))]),
];

/// How an argument is compared, on its lower 32 bits.
#[derive(Clone, Copy)]
enum CmpOp {
    Equal(c_int),
    BitsSet(c_int),
    BitsClear(c_int),
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
#[cfg(target_arch = "arm")]
const ARCHITECTURE: u32 = 0x4000_0028;

/// The filter: instructions of the classic packet filter over `struct seccomp_data`.
type Program = heapless::Vec<sock_filter, 256>;

/// Offsets in `struct seccomp_data`; of the arguments the lower halves.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

fn program() -> Program {
    let mut program = Program::new();
    let mut add = |code: u32, yes: u8, no: u8, k: u32| {
        let instruction = sock_filter {
            code: code as u16,
            jt: yes,
            jf: no,
            k,
        };
        // A test builds the program, so it fits.
        let _ = program.push(instruction);
    };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let with = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
    let end = libc::BPF_RET | libc::BPF_K;
    add(load, 0, 0, ARCH);
    add(equal, 1, 0, ARCHITECTURE);
    add(end, 0, 0, libc::SECCOMP_RET_KILL_PROCESS);
    add(load, 0, 0, NUMBER);
    for &number in SYSCALLS.iter().chain(ARCH_SYSCALLS) {
        add(equal, 0, 1, number as u32);
        add(end, 0, 0, libc::SECCOMP_RET_ALLOW);
    }
    for &(number, conditions) in RULES {
        // Two instructions for each condition, then the result and the load of the number.
        let mut left = 2 * conditions.len() as u8;
        add(equal, 0, left + 2, number as u32);
        for &(argument, op) in conditions {
            left -= 2;
            add(load, 0, 0, ARGUMENTS + 8 * u32::from(argument));
            match op {
                CmpOp::Equal(value) => add(equal, 0, left + 1, value as u32),
                CmpOp::BitsSet(bits) => add(with, 0, left + 1, bits as u32),
                CmpOp::BitsClear(bits) => add(with, left + 1, 0, bits as u32),
            }
        }
        add(end, 0, 0, libc::SECCOMP_RET_ALLOW);
        add(load, 0, 0, NUMBER);
    }
    // The arguments of clone3() are in memory, which the filter cannot read; glibc falls back.
    add(equal, 0, 1, libc::SYS_clone3 as u32);
    add(end, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32);
    add(end, 0, 0, libc::SECCOMP_RET_TRAP);
    program
}

fn install(program: &Program) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel reads the program, which is there until the call returns.
    let result = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &program,
            0,
            0,
        )
    };
    Errno::result(result)?;
    Ok(())
}
