// SPDX-License-Identifier: MIT OR Apache-2.0
//! The codes of status lines. Scripts rely on them: a code never changes its meaning; new
//! codes may be added.

use std::fmt;

use nix::libc;
use nl31_netlink::{Error, ErrorKind, Op};

/// How a command ended: `I` success, `W` success with a warning, `E` failure without any
/// change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// The code of a status line, printed as `I200`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// How the command ended.
    pub severity: Severity,
    /// Three digits.
    pub number: u16,
    /// What it means, for [`ALL`].
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($name:ident = $severity:ident $number:literal $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $name: Code =
                Code { severity: Severity::$severity, number: $number, meaning: $meaning };
        )*
        /// Every code there is, in order.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    DONE = Info 200 "done";
    NOTHING = Warning 204 "nothing to do: the table has the wanted state already";
    INTERRUPTED = Warning 205 "the table changed while it was shown: the list mixes old and new routes";
    STOPPED = Warning 206 "stopped with Ctrl-C: the output is incomplete, and nothing was changed";
    UNSAVED = Warning 207 "confirmed, but the config could not be saved";
    PASSED_OVER = Warning 208 "done; words that only iproute2's lists show were ignored";
    PARTLY = Warning 209 "done, but for the settings that the text names";
    IN_MEMORY = Warning 210 "saved, but in memory only: the image has no disk, and a reboot loses what was saved";
    SYNTAX = Error 400 "the line was not understood";
    LOCKED_OUT = Error 401 "the line is locked until the PIN is typed";
    DENIED = Error 403 "not permitted here, or by the kernel: changes need CAP_NET_ADMIN";
    NO_ROUTE = Error 404 "no such route, or no route to the address";
    NO_ADDRESS = Error 405 "the device has no such address";
    NO_DEVICE = Error 406 "no such device";
    HAS_ADDRESS = Error 408 "the device has the address already";
    EXISTS = Error 409 "the route exists already";
    SEVERAL = Error 410 "the prefix has several paths: name one";
    NO_REPLY = Error 411 "the address did not answer";
    NOT_OPEN = Error 412 "no edits are open, or nothing waits to be confirmed";
    HAS_LINK = Error 413 "a device of this name, or a VLAN of this number, exists already";
    TOO_LONG = Error 414 "the line is too long and was ignored";
    NO_NEIGHBOUR = Error 415 "the device has no such neighbour";
    REFUSED = Error 422 "the kernel refused the request";
    LOCKED = Error 423 "another change of the table is in progress, or a commit waits to be confirmed";
    FILE = Error 424 "a file cannot be read or written, or has a mistake";
    NOT_SAVED = Error 428 "a reboot would lose changes: save or commit them, or use `reboot now`";
    BROKEN = Error 500 "a fault in the agent or the kernel";
    ABSENT = Error 503 "the kernel's nl31 module is missing";
    TIMEOUT = Error 504 "the kernel did not answer in time";
    FULL = Error 507 "a limit is reached, or memory is exhausted";
}

impl Code {
    /// The code for a request that failed.
    pub fn of(error: &Error) -> Self {
        match &error.kind {
            ErrorKind::Absent => ABSENT,
            ErrorKind::TimedOut => TIMEOUT,
            ErrorKind::Kernel(kernel) => match (error.op, kernel.errno) {
                (Op::AddressAdd, libc::EEXIST) => HAS_ADDRESS,
                (Op::AddressDelete, libc::EADDRNOTAVAIL) => NO_ADDRESS,
                (Op::LinkAdd, libc::EEXIST) => HAS_LINK,
                (Op::Neighbour, libc::ENOENT) => NO_NEIGHBOUR,
                (Op::Master, libc::EBUSY | libc::EEXIST) => REFUSED,
                (Op::Mac, libc::EBUSY) => REFUSED,
                (_, errno) => Self::of_errno(errno),
            },
            _ => BROKEN,
        }
    }

    /// The code for the kernel's error number.
    pub fn of_errno(errno: i32) -> Self {
        match errno {
            libc::EPERM | libc::EACCES => DENIED,
            libc::ENOENT | libc::ESRCH | libc::ENETUNREACH => NO_ROUTE,
            libc::ENODEV => NO_DEVICE,
            libc::EEXIST => EXISTS,
            libc::ENOTEMPTY => SEVERAL,
            libc::EBUSY => LOCKED,
            libc::ENOSPC | libc::E2BIG | libc::ENOMEM | libc::ENOBUFS => FULL,
            _ => REFUSED,
        }
    }
}

/// The code for a file that failed.
pub fn of_io(error: &std::io::Error) -> Code {
    match error.raw_os_error() {
        None if error.kind() == std::io::ErrorKind::ResourceBusy => LOCKED,
        Some(libc::ENOSPC | libc::EDQUOT | libc::ENOMEM) => FULL,
        _ => FILE,
    }
}

/// Why a request failed, for a person: the kernel's text if there is one. The log has the
/// details.
pub struct Reason<'a>(pub &'a Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            ErrorKind::Kernel(error) if !error.text.is_empty() => f.write_str(&error.text),
            kind => kind.fmt(f),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Info => 'I',
            Severity::Warning => 'W',
            Severity::Error => 'E',
        };
        write!(f, "{severity}{:03}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_three_digits_and_each_is_there_once() {
        assert!(ALL.is_sorted_by_key(|code| code.number));
        for pair in ALL.windows(2) {
            assert_ne!(pair[0].number, pair[1].number);
        }
        assert!(ALL.iter().all(|code| (200..600).contains(&code.number)));
        assert_eq!(DONE.to_string(), "I200");
        assert_eq!(INTERRUPTED.to_string(), "W205");
        assert_eq!(NO_ROUTE.to_string(), "E404");
    }
}
