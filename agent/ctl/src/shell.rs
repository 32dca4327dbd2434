// SPDX-License-Identifier: MIT OR Apache-2.0
//! `shell`: the agent's console over frames.

use std::io::Write;
use std::time::Duration;

use nl31_wire::{Request, Response};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::error::{Error, Refused};
use crate::link::Link;
use crate::port::Port;

/// Pause where the agent has nothing to say yet.
const PAUSE: Duration = Duration::from_millis(20);

/// Executes one line on the agent's console; its output goes to `out`.
pub fn line<P: Port>(link: &mut Link<P>, text: &str, out: &mut dyn Write) -> Result<(), Error> {
    let mut request = Request::Line { text };
    loop {
        let (bytes, last) = link.call(&request, |response| match response {
            Response::Output { text, last } => Ok((text.to_vec(), last)),
            _ => Err(Error::Unexpected),
        })?;
        // Whoever closes standard output wants no more.
        let _ = out.write_all(&bytes).and_then(|()| out.flush());
        if last {
            return Ok(());
        }
        if bytes.is_empty() {
            std::thread::sleep(PAUSE);
        }
        request = Request::Next {};
    }
}

/// Lines from a person, or from a pipe, until there are no more.
pub fn shell<P: Port>(link: &mut Link<P>) -> Result<(), Error> {
    let mut editor = DefaultEditor::new().map_err(|error| Error::Usage(error.to_string()))?;
    loop {
        match editor.readline("nl31> ") {
            Ok(text) if matches!(text.trim(), "exit" | "quit") => return Ok(()),
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                // Fails only without a history.
                let _ = editor.add_history_entry(&text);
                match line(link, &text, &mut std::io::stdout()) {
                    Err(Error::Refused(Refused { code, text, .. })) => println!("E{code} {text}"),
                    result => result?,
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(Error::Usage(error.to_string())),
        }
    }
}
