// SPDX-License-Identifier: MIT OR Apache-2.0
//! QEMU's monitor protocol (docs/interop/qmp-spec.txt in QEMU's source): a line of
//! JSON each way, events in between.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};

use crate::channel::Channel;

/// How long QEMU itself may take for an answer, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A monitor.
pub struct Qmp {
    channel: Channel,
    received: Vec<u8>,
}

impl Qmp {
    /// Speaks on `channel`, whose other end has just been given to QEMU.
    pub fn new(channel: Channel) -> Result<Self> {
        let mut qmp = Self {
            channel,
            received: Vec::new(),
        };
        qmp.receive().context("QEMU did not start")?;
        qmp.call("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    fn receive(&mut self) -> Result<Value> {
        let started = Instant::now();
        loop {
            if let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return Ok(serde_json::from_slice(&line)?);
            }
            if !self.channel.is_open() {
                bail!("QEMU closed its monitor");
            }
            if started.elapsed() > PATIENCE {
                bail!("QEMU's monitor does not answer");
            }
            let mut fds = [PollFd::new(self.channel.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::from(1000u16))?;
            self.channel.drain(&mut self.received);
        }
    }

    /// Executes `command` and returns what it returns.
    pub fn call(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let mut request = json!({ "execute": command, "arguments": arguments }).to_string();
        request.push('\n');
        if self.channel.send(request.as_bytes()) != request.len() {
            bail!("QEMU's monitor does not read");
        }
        loop {
            let mut answer = self.receive()?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU refused {command}: {}", error["desc"]);
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    /// Executes a command of the monitor for people, and returns what it prints.
    pub fn human(&mut self, command: &str) -> Result<String> {
        let arguments = json!({ "command-line": command });
        let said = self.call("human-monitor-command", arguments)?;
        Ok(said.as_str().unwrap_or_default().to_owned())
    }

    /// Stops the machine and writes its state to `file`.
    pub fn save(&mut self, file: &Path) -> Result<()> {
        self.call("stop", json!({}))?;
        let uri = format!("exec:cat > {}", quoted(file)?);
        self.call("migrate", json!({ "uri": uri }))?;
        self.poll_until("query-migrate", |answer| match answer["status"].as_str() {
            Some("completed") => Ok(true),
            Some("failed" | "cancelled") => bail!("QEMU could not save the machine: {answer}"),
            _ => Ok(false),
        })
    }

    /// Lets a machine run that was started with a saved state.
    pub fn resume(&mut self) -> Result<()> {
        self.poll_until("query-status", |answer| Ok(answer["status"] != "inmigrate"))?;
        self.call("cont", json!({})).map(drop)
    }

    fn poll_until(&mut self, query: &str, done: impl Fn(&Value) -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if done(&self.call(query, json!({}))?)? {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("QEMU did not finish: {query}")
    }
}

/// The option that starts a machine with the state in `file`.
pub fn incoming(file: &Path) -> Result<String> {
    Ok(format!("exec:cat {}", quoted(file)?))
}

/// For a shell's command line.
fn quoted(file: &Path) -> Result<String> {
    let path = file
        .to_str()
        .with_context(|| format!("{} is not UTF-8", file.display()))?;
    Ok(format!("'{}'", path.replace('\'', r"'\''")))
}
