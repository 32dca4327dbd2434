// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kernels that run to their end by themselves, with their console as standard output:
//! user-mode Linux, or QEMU with its serial line there.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::{prctl, signal::Signal};

use crate::cost;
use crate::klog;
use crate::progress::Step;

/// A kernel that says nothing for so long hangs; the longest test takes a tenth of it.
const SILENCE_MAX: Duration = Duration::from_secs(900);

/// What a guest of several steps prints before the name of one.
pub const BEGIN: &str = "=== begin ";

/// And behind it, before its name and exit status.
pub const END: &str = "=== end ";

/// Lines of the console in an error.
const EXCERPT: usize = 80;

/// Runs `command` to its end and returns what the console said. An error if it hangs or if
/// the kernel complained.
pub fn run(command: &mut Command, step: &Step) -> Result<String> {
    // SAFETY: between fork and exec only prctl is called, which is safe there, and nothing is
    // allocated.
    unsafe {
        command.pre_exec(|| Ok(prctl::set_pdeathsig(Signal::SIGKILL)?));
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().to_string_lossy()))?;

    let stdout = child.stdout.take().expect("piped");
    let (sender, lines) = mpsc::sync_channel(1024);
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let mut output = String::new();
    let mut begun = (Instant::now(), Duration::ZERO);
    let hangs = loop {
        match lines.recv_timeout(SILENCE_MAX) {
            Ok(line) => {
                if klog::is_trouble(&line) {
                    step.say(&line);
                } else if line.trim_start().starts_with("ok ") || line.starts_with("===") {
                    step.at(line.trim());
                }
                if line.starts_with(BEGIN) {
                    begun = (Instant::now(), cost::up_to_now(&child));
                } else if let Some(end) = line.strip_prefix(END) {
                    let name = end.split(' ').next().unwrap_or_default();
                    let taken = cost::up_to_now(&child).saturating_sub(begun.1);
                    cost::record("debug-step", name, begun.0.elapsed(), taken);
                }
                output += &line;
                output.push('\n');
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break false,
            Err(mpsc::RecvTimeoutError::Timeout) => break true,
        }
    };
    if hangs {
        child.kill()?;
    }
    cost::wait(&mut child)?;

    if hangs {
        bail!(
            "the kernel has said nothing for {} s\n{}",
            SILENCE_MAX.as_secs(),
            tail(&output)
        );
    }
    match complaint(&output) {
        Some(complaint) => bail!("the kernel complains: {complaint}"),
        None => Ok(output),
    }
}

/// The first complaint in `output` with the lines behind it: where it comes from.
fn complaint(output: &str) -> Option<String> {
    let lines: Vec<&str> = output.lines().collect();
    let first = lines.iter().position(|line| klog::is_trouble(line))?;
    let end = lines.len().min(first + EXCERPT);
    Some(lines[first..end].join("\n"))
}

/// The last lines of `output`.
pub fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(EXCERPT)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_shown_with_what_it_comes_from() {
        let rest = "ok\n".repeat(2 * EXCERPT);
        let output = format!("{rest}WARNING: suspicious RCU usage\n lookup+0x1\n{rest}");
        let complaint = complaint(&output).expect("there is one");
        assert!(complaint.starts_with("WARNING: suspicious RCU usage\n lookup+0x1\nok"));
        assert_eq!(complaint.lines().count(), EXCERPT);
        assert_eq!(super::complaint(&rest), None);
    }
}
