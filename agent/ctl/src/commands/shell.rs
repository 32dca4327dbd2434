// SPDX-License-Identifier: MIT OR Apache-2.0
//! `shell`: the agent's console over frames. The program sends each typed line as text: tabs
//! separate words; no other control character is sent.

use std::io::Write;

use nix::libc::SIGINT;
use nl31_wire::limits::LINE_MAX;
use nl31_wire::{Request, Response};

use super::lines::{Lines, Typed};
use crate::error::{Error, Refused, Status, output};
use crate::interrupt;
use crate::link::{Link, POLL_INTERVAL};
use crate::port::Port;

/// The code of an error in the console's status line.
pub type Failed = Option<u16>;

/// The console's code for a line that was not understood.
const SYNTAX: u16 = 400;
/// The console's code for a line that is too long.
const TOO_LONG: u16 = 414;

fn refused(code: u16, text: String) -> Error {
    Error::Refused(Refused {
        code,
        index: None,
        text,
    })
}

/// Executes one line on the agent's console; its output goes to `out`.
pub fn line<P: Port>(link: &mut Link<P>, text: &str, out: &mut dyn Write) -> Result<Failed, Error> {
    if text.len() > LINE_MAX {
        let len = text.len();
        let text = format!("the line has {len} bytes; the limit is {LINE_MAX}");
        return Err(refused(TOO_LONG, text));
    }
    let text = &text.replace('\t', " ");
    if let Some(column) = text.find(|c: char| c.is_control()) {
        let text = format!("column {}: a control character", column + 1);
        return Err(refused(SYNTAX, text));
    }
    // The last line of the output so far; in the end it is the status line.
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
            std::thread::sleep(POLL_INTERVAL);
        }
        request = Request::Next {};
    }
}

/// The code of a status line with an error.
fn failed(line: &[u8]) -> Failed {
    let status = Status::parse(std::str::from_utf8(line).ok()?)?;
    Some(status.code).filter(|_| status.severity == 'E')
}

/// Executes lines from a person or a pipe until there are no more. From a pipe, gives the
/// last error.
pub fn shell<P: Port>(
    link: &mut Link<P>,
    lines: &mut Lines,
    out: &mut dyn Write,
) -> Result<Failed, Error> {
    let person = lines.is_person();
    let mut last = None;
    let mut is_first = true;
    while let Some(typed) = lines.read()? {
        let may_have_mark = std::mem::take(&mut is_first);
        let failed = match typed {
            Typed::NotText => Err(refused(SYNTAX, "the line is not UTF-8 text".into())),
            Typed::Line(text) => {
                // Some editors begin a file with a byte order mark.
                let text = text
                    .strip_prefix('\u{feff}')
                    .filter(|_| may_have_mark)
                    .unwrap_or(&text);
                match text.trim() {
                    "" => continue,
                    "exit" | "quit" => break,
                    _ => line(link, text, out),
                }
            }
        };

        let failed = match failed {
            Err(Error::Refused(Refused { code, text, .. })) => {
                writeln!(out, "E{code} {text}").map_err(output)?;
                Some(code)
            }
            Err(Error::Interrupted(SIGINT)) if person => {
                interrupt::forget_ctrl_c();
                link.stop()?;
                let text = "stopped; open edits stay open";
                writeln!(out, "{text}").map_err(output)?;
                None
            }
            result => result?,
        };
        last = failed.filter(|_| !person).or(last);
    }
    Ok(last)
}
