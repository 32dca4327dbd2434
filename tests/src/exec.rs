// SPDX-License-Identifier: MIT OR Apache-2.0
//! Shell commands in the guest. guest/S50lab reads a line `NONCE BASE64` from the
//! request port, runs the decoded command with its output on two more ports, and then
//! writes `NONCE STATUS` to the one and `NONCE` to the other. The nonce is random, so
//! output can be anything, and what an earlier command's leftovers say is told apart.

use std::io::Write;

use anyhow::{Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a command left.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its exit status, 128 + the signal that ended it.
    pub status: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// A command that runs.
pub struct Request {
    nonce: String,
}

impl Request {
    /// A request, and the line to send for it.
    pub fn new(command: &str) -> Result<(Self, String)> {
        let mut random = [0; 16];
        std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut random)?;
        let nonce: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = format!("{nonce} {}\n", STANDARD.encode(command));
        Ok((Self { nonce }, line))
    }

    /// Passes output on from `received` to `to`, up to the mark. Returns what the mark
    /// says, once it has come.
    pub fn pass(&self, received: &mut Vec<u8>, to: &mut dyn Write) -> Result<Option<String>> {
        let mark = self.nonce.as_bytes();
        let Some(at) = received
            .windows(mark.len())
            .position(|window| window == mark)
        else {
            // the last bytes may be the mark's first
            let ready = received.len().saturating_sub(mark.len() - 1);
            to.write_all(&received[..ready])?;
            received.drain(..ready);
            return Ok(None);
        };
        let rest = &received[at + mark.len()..];
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
            return Ok(None);
        };
        let said = String::from_utf8_lossy(&rest[..end]).trim().to_owned();
        to.write_all(&received[..at])?;
        received.drain(..at + mark.len() + end + 1);
        Ok(Some(said))
    }

    /// The exit status in what the mark on standard output said.
    pub fn status(said: &str) -> Result<i32> {
        match said.parse() {
            Ok(status) => Ok(status),
            Err(_) => bail!("the guest said {said:?} instead of an exit status"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_passed_whole_however_it_is_cut() {
        let (request, line) = Request::new("true").expect("a request");
        let nonce = line.split(' ').next().expect("a nonce");
        let sent = format!("\0\u{ff}no newline{nonce} 7\n");
        let (mut received, mut output, mut said) = (Vec::new(), Vec::new(), None);
        for byte in sent.bytes() {
            assert_eq!(said, None);
            received.push(byte);
            said = request.pass(&mut received, &mut output).expect("to write");
        }
        assert_eq!(said.as_deref(), Some("7"));
        assert_eq!(output, "\0\u{ff}no newline".as_bytes());
        assert!(received.is_empty());
    }
}
