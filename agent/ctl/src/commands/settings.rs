// SPDX-License-Identifier: MIT OR Apache-2.0
//! Settings of a file and of the agent: the lines of a config besides its routes.

use nl31_wire::{Request, Response};

use super::console;
use super::file::RouteFile;
use crate::error::Error;
use crate::link::Link;
use crate::output::Output;
use crate::port::Port;

/// The agent's code for a line that it does not understand.
const UNKNOWN_LINE: u16 = 400;

/// Adds the settings of a file to the open transaction; gives them as the agent writes them.
/// With `replace` they replace all that are configured.
pub fn stage<P: Port>(
    link: &mut Link<P>,
    file: &RouteFile,
    replace: bool,
) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    for (number, line) in file.settings() {
        let answer = link.call(
            &Request::Setting { replace, line },
            |response| match response {
                Response::Output { text, .. } => Ok(String::from_utf8_lossy(text).into_owned()),
                _ => Err(Error::Unexpected),
            },
        );
        lines.push(answer.map_err(|error| match error {
            Error::Refused(refused) => {
                let text = format!("E{} {}", refused.code, refused.text);
                Error::RefusedLine(file.path().into(), *number, refused.code, text)
            }
            error => error,
        })?);
    }
    Ok(lines)
}

/// The settings that the agent has configured, as lines.
pub fn configured<P: Port>(link: &mut Link<P>) -> Result<Vec<String>, Error> {
    let mut sink = std::io::sink();
    let mut out = Output::new(&mut sink, false, true);
    let mut lines = Vec::new();
    let listed = console::read(link, "config show", &mut out, &mut |line| {
        lines.push(line.to_owned());
    });
    match listed {
        // An older agent does not know settings.
        Err(Error::Console(status)) if status.code == UNKNOWN_LINE => Ok(Vec::new()),
        listed => listed.map(|()| lines),
    }
}

/// The lines by which the configured settings differ from those of a file: `-` what would be
/// gone, `+` what would be new. A file without settings leaves those that are configured.
pub fn difference<P: Port>(
    link: &mut Link<P>,
    file: &RouteFile,
) -> Result<Vec<(char, String)>, Error> {
    if file.settings().is_empty() {
        return Ok(Vec::new());
    }
    link.done(&Request::Begin { replace: false })?;
    let staged = stage(link, file, true);
    link.done(&Request::Abort {})?;
    let wanted = staged?;
    for (at, line) in wanted.iter().enumerate() {
        if wanted[..at]
            .iter()
            .any(|other| object(other) == object(line))
        {
            let (number, _) = file.settings()[at];
            let text = "an earlier line is about the same object".into();
            return Err(Error::Line(file.path().into(), number, 1, text));
        }
    }
    let now = configured(link)?;
    let gone = now.iter().filter(|line| !wanted.contains(line));
    let gone = gone.map(|line| ('-', line.clone()));
    let new = wanted.iter().filter(|line| !now.contains(line));
    Ok(gone.chain(new.map(|line| ('+', line.clone()))).collect())
}

/// The words of a line that name what it is about: `port set eth0`, or the whole line of an
/// address.
fn object(line: &str) -> Vec<&str> {
    let mut words: Vec<_> = line.split(' ').collect();
    if words[0] == "hostname" {
        words.truncate(1);
    }
    if words.get(1) == Some(&"set") {
        words.truncate(if words.get(2) == Some(&"dev") { 4 } else { 3 });
    }
    words
}
