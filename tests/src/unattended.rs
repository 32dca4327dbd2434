// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kernels that run to their end by themselves, with their console as standard output:
//! user-mode Linux, or QEMU with its serial line there.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::{prctl, signal::Signal};

use crate::cost;
use crate::klog;
use crate::progress::Step;

/// A kernel that says nothing for so long hangs; the longest test takes a tenth of it.
const SILENCE_MAX: Duration = Duration::from_secs(900);

/// Lines of the console in an error.
const TAIL: usize = 80;

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
    let hangs = loop {
        match lines.recv_timeout(SILENCE_MAX) {
            Ok(line) => {
                if line.trim_start().starts_with("ok ") || line.starts_with("===") {
                    step.at(line.trim());
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
    if let Some(trouble) = output.lines().find(|line| klog::is_trouble(line)) {
        bail!("the kernel complains: {trouble}\n{}", tail(&output));
    }
    Ok(output)
}

/// The last lines of `output`.
pub fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
