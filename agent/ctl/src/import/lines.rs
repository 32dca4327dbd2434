// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lines of a text, each of bounded length.

use std::io::{self, BufRead, Read};

use nl31_route::without_comment;

use super::intake::{Intake, Place};
use crate::error::Error;

/// Longest line in bytes. A longer one is skipped.
pub const LINE_MAX: u64 = 64 * 1024;

/// Calls `each` with the number of a line, from 1, and the line without its comment and end;
/// not with empty ones.
pub fn each_line(
    input: &mut dyn BufRead,
    intake: &mut Intake<'_>,
    each: &mut dyn FnMut(u64, &str, &mut Intake<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut bytes = Vec::new();
    let mut read = 0;
    for number in 1.. {
        bytes.clear();
        let mut limited = (&mut *input).take(LINE_MAX);
        match limited.read_until(b'\n', &mut bytes) {
            Ok(0) => break,
            Ok(len) => read += len as u64,
            Err(error) => return Err(intake.unreadable(read, error)),
        }
        let start = Place::Line(number, 1);
        if bytes.len() as u64 == LINE_MAX && !bytes.ends_with(b"\n") {
            intake.skip(start, &format!("the line is longer than {LINE_MAX} bytes"))?;
            let rest = skip_line(input);
            read += rest.map_err(|error| intake.unreadable(read, error))?;
            continue;
        }
        let line = match std::str::from_utf8(&bytes) {
            Ok(line) => line,
            Err(error) => {
                let column = error.valid_up_to() + 1;
                intake.skip(Place::Line(number, column), &"the line is not UTF-8 text")?;
                continue;
            }
        };
        // Some editors begin a file with a byte order mark.
        let line = match number {
            1 => line.strip_prefix('\u{feff}').unwrap_or(line),
            _ => line,
        };
        let line = without_comment(line).trim_ascii_end();
        if !line.is_empty() {
            each(number, line, intake)?;
        }
    }
    Ok(())
}

/// Passes over the rest of a line; gives its length.
fn skip_line(input: &mut dyn BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let available = input.fill_buf()?;
        let end = available.iter().position(|&byte| byte == b'\n');
        let len = end.map_or(available.len(), |end| end + 1);
        let is_last = end.is_some() || available.is_empty();
        input.consume(len);
        skipped += len as u64;
        if is_last {
            return Ok(skipped);
        }
    }
}
