// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's log, as the guest forwards it from /dev/kmsg (Documentation/ABI/
//! testing/dev-kmsg in the kernel's source), and what in it fails a test.

/// Whatever a test is about, a kernel that says one of these has failed it. (`WARNING:`
/// counts at the start of a message only: the boot's notes on CPU bugs have it inside.)
const TROUBLE: &[&str] = &[
    "BUG:",
    "Oops",
    "Kernel panic",
    "general protection fault",
    "KASAN:",
    "UBSAN:",
    "KCSAN:",
    "kmemleak:",
    "refcount_t:",
    "self-detected stall",
    "detected stalls",
    "rcu_sched kthread starved",
    "INFO: task ",
    "INFO: trying to register non-static key",
    "segfault at",
    "Out of memory",
    "nobody cared",
    "unregister_netdevice: waiting",
];

/// What the leak detector says without having found anything.
const HARMLESS: &[&str] = &[
    "kmemleak: Kernel memory leak detector initialized",
    "kmemleak: Automatic memory scanning thread",
];

/// Log of one guest.
#[derive(Default)]
pub struct KernelLog {
    bytes: Vec<u8>,
    parsed: usize,
    trouble: Option<String>,
}

impl KernelLog {
    /// Where new bytes are put.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The first message that says something is wrong.
    pub fn trouble(&mut self) -> Option<&str> {
        while self.trouble.is_none() {
            let rest = &self.bytes[self.parsed..];
            let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
                break;
            };
            let record = String::from_utf8_lossy(&rest[..end]);
            self.trouble = message(&record)
                .filter(|text| is_trouble(text))
                .map(str::to_owned);
            self.parsed += end + 1;
        }
        self.trouble.as_deref()
    }

    /// The last `count` messages.
    pub fn tail(&self, count: usize) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let messages: Vec<&str> = text.lines().filter_map(message).collect();
        messages[messages.len().saturating_sub(count)..].join("\n")
    }
}

/// The text of a record `priority,number,microseconds,flags;text`.
fn message(record: &str) -> Option<&str> {
    let (header, text) = record.split_once(';')?;
    header
        .starts_with(|first: char| first.is_ascii_digit())
        .then_some(text)
}

/// True when `text` tells of a fault in the kernel.
pub fn is_trouble(text: &str) -> bool {
    let has = |sign: &&str| text.contains(*sign);
    text.starts_with("WARNING:") || TROUBLE.iter().any(has) && !HARMLESS.iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_trouble_and_the_detectors_start_is_not() {
        assert!(is_trouble(
            "kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)"
        ));
        assert!(!is_trouble(
            "kmemleak: Kernel memory leak detector initialized (mem pool available: 15854)"
        ));
    }

    #[test]
    fn a_warning_is_trouble_and_the_rcu_banner_is_not() {
        let mut log = KernelLog::default();
        log.bytes()
            .extend_from_slice(b"6,1,0,-;rcu: Hierarchical RCU implementation.\n");
        log.bytes()
            .extend_from_slice(b"4,2,9,-;Spectre V2 : WARNING: Unprivileged eBPF\n SUBSYSTEM=x\n");
        assert_eq!(log.trouble(), None);
        log.bytes()
            .extend_from_slice(b"4,3,9,-;WARNING: CPU: 0 PID: 1 at net/nl31/lpm.c:7\n6,4,");
        assert_eq!(
            log.trouble(),
            Some("WARNING: CPU: 0 PID: 1 at net/nl31/lpm.c:7")
        );
    }
}
