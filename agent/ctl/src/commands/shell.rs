// SPDX-License-Identifier: MIT OR Apache-2.0
//! `shell`: the agent's console over frames.

use std::io::Write;

use nix::libc::SIGINT;
use nl31_wire::limits::LINE_MAX;
use nl31_wire::{Request, Response};

use super::lines::Lines;
use crate::error::{Error, Refused, output};
use crate::interrupt;
use crate::link::{Link, PAUSE};
use crate::port::Port;

/// The code of an error that the console's status line tells of.
type Failed = Option<u16>;

/// The console's code for a line that is too long.
const TOO_LONG: u16 = 414;

/// Executes one line on the agent's console; its output goes to `out`.
pub fn line<P: Port>(link: &mut Link<P>, text: &str, out: &mut dyn Write) -> Result<Failed, Error> {
    if text.len() > LINE_MAX {
        let text = format!(
            "the line is too long: it has {} bytes of {LINE_MAX}",
            text.len()
        );
        return Err(Error::Refused(Refused {
            code: TOO_LONG,
            index: None,
            text,
        }));
    }
    // The line that the output is in, which at the end is the status.
    let mut status = Vec::new();
    let mut request = Request::Line { text };
    loop {
        let (bytes, last) = link.call(&request, |response| match response {
            Response::Output { text, last } => Ok((text.to_vec(), last)),
            _ => Err(Error::Unexpected),
        })?;
        out.write_all(&bytes)
            .and_then(|()| out.flush())
            .map_err(output)?;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if status.ends_with(b"\n") {
                status.clear();
            }
            status.extend_from_slice(line);
        }
        if last {
            return Ok(failed(&status));
        }
        if bytes.is_empty() {
            std::thread::sleep(PAUSE);
        }
        request = Request::Next {};
    }
}

/// `E`, three digits and a space begin a status line that tells of an error.
fn failed(status: &[u8]) -> Failed {
    let text = std::str::from_utf8(status).ok()?.strip_prefix('E')?;
    text.split_once(' ')?.0.parse().ok()
}

/// Lines from a person, or from a pipe, until there are no more. From a pipe, gives the
/// last error.
pub fn shell<P: Port>(link: &mut Link<P>, out: &mut dyn Write) -> Result<Failed, Error> {
    let mut lines = Lines::new()?;
    let person = lines.is_person();
    let mut last = None;
    while let Some(text) = lines.read()? {
        let failed = match text.trim() {
            "" => continue,
            "exit" | "quit" => break,
            _ => line(link, &text, out),
        };
        let failed = match failed {
            Err(Error::Refused(Refused { code, text, .. })) => {
                writeln!(out, "E{code} {text}").map_err(output)?;
                Some(code)
            }
            Err(Error::Interrupted(SIGINT)) if person => {
                interrupt::forget_ctrl_c();
                link.stop()?;
                let text = "stopped; edits that wait for `commit` still do";
                writeln!(out, "{text}").map_err(output)?;
                None
            }
            result => result?,
        };
        last = failed.filter(|_| !person).or(last);
    }
    Ok(last)
}
