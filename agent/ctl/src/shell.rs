// SPDX-License-Identifier: MIT OR Apache-2.0
//! `shell`: the agent's console over frames.

use std::io::{IsTerminal, Write};

use nl31_wire::limits::LINE_MAX;
use nl31_wire::{Request, Response};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

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
pub fn shell<P: Port>(link: &mut Link<P>) -> Result<Failed, Error> {
    let person = std::io::stdin().is_terminal();
    let mut last = None;
    let mut editor = DefaultEditor::new().map_err(|error| Error::Usage(error.to_string()))?;
    loop {
        let text = editor.readline("nl31> ");
        // The editor catches it for itself.
        interrupt::catch();
        match text {
            Ok(text) if matches!(text.trim(), "exit" | "quit") => return Ok(last),
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                // Fails only without a history.
                let _ = editor.add_history_entry(&text);
                let failed = match line(link, &text, &mut std::io::stdout()) {
                    Err(Error::Refused(Refused { code, text, .. })) => {
                        println!("E{code} {text}");
                        Some(code)
                    }
                    Err(Error::Interrupted(_)) if person => {
                        interrupt::catch();
                        link.stop()?;
                        println!("stopped; edits that wait for `commit` still do");
                        None
                    }
                    result => result?,
                };
                last = failed.filter(|_| !person).or(last);
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(last),
            Err(error) => {
                link.check()?;
                return Err(Error::Usage(error.to_string()));
            }
        }
    }
}
