// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files of routes: the agent's config, lines with the arguments of `route add`, and lines of
//! settings, which the agent checks.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::poll::PollFlags;
use nl31_route::{
    DeviceName, ParseError, Parsed, PassedOver, Route, SETTINGS, Syntax, without_comment, words,
};
use tempfile::NamedTempFile;

use crate::error::Error;
use crate::interrupt::{self, NOTICE};
use crate::port::wait_for;

/// Longest line in bytes. The agent's own limit for a config is lower.
const LINE_MAX: u64 = 64 * 1024;

/// Most bytes of standard input or a pipe, which are kept in memory: some six million
/// routes. A regular file of any size is read twice instead.
const PIPED_MAX: usize = 256 * 1024 * 1024;

/// Most lines of settings; the agent takes as many at once.
const SETTINGS_MAX: usize = 1024;

/// Called with the number of a line, from 1, and its route.
pub type Each<'a> = dyn FnMut(usize, Route<DeviceName>) -> Result<(), Error> + 'a;

/// A file of routes, all lines of which are right.
#[derive(Debug)]
pub struct RouteFile {
    path: PathBuf,
    content: Content,
    routes: u64,
    settings: Vec<(usize, String)>,
    passed_over: PassedOver,
}

#[derive(Debug)]
enum Content {
    /// A regular file.
    File(File),
    /// What came from a pipe or a device, which cannot be read twice.
    Text(Vec<u8>),
}

impl RouteFile {
    /// Reads a file to its end and checks each line. `-` is standard input.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::File(path.into(), error);
        let source = match path.to_str() {
            Some("-") => stdin(),
            _ => File::open(path),
        };
        Self::read_from(path, source.map_err(failed)?)
    }

    /// Reads an open file to its end; messages call it `path`.
    pub fn read_from(path: &Path, file: File) -> Result<Self, Error> {
        let failed = |error| Error::File(path.into(), error);
        let is_regular = file.metadata().map_err(failed)?.is_file();
        let mut routes = 0;
        let mut passed_over = PassedOver::default();
        let mut settings = Vec::new();
        let mut count = |number, line: FileLine<'_>| {
            let parsed = match line {
                FileLine::Route(parsed) => parsed,
                FileLine::Setting(_) if settings.len() == SETTINGS_MAX => {
                    let text = format!("at most {SETTINGS_MAX} settings change at once");
                    return Ok(Err(Error::Line(path.into(), number, 1, text)));
                }
                FileLine::Setting(line) => {
                    settings.push((number, line.to_owned()));
                    return Ok(Ok(()));
                }
            };
            parsed.check_route()?;
            passed_over = passed_over.and(parsed.passed_over());
            routes += 1;
            Ok(Ok(()))
        };
        let content = if is_regular {
            let mut file = file;
            read_lines(path, Interruptible(&mut file), None, &mut count)?;
            Content::File(file)
        } else {
            let mut text = Vec::new();
            let kept = Some((&mut text, PIPED_MAX));
            read_lines(path, Interruptible(file), kept, &mut count)?;
            Content::Text(text)
        };
        Ok(Self {
            path: path.into(),
            content,
            routes,
            settings,
            passed_over,
        })
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of routes.
    pub fn routes(&self) -> u64 {
        self.routes
    }

    /// Its settings, each with the number of its line, from 1.
    pub fn settings(&self) -> &[(usize, String)] {
        &self.settings
    }

    /// Words of iproute2's lists in it that mean nothing here.
    pub fn passed_over(&self) -> PassedOver {
        self.passed_over
    }

    /// The route of a line that has one.
    pub fn line(&mut self, line: usize) -> Result<String, Error> {
        let mut found = String::new();
        self.read(&mut |number, route| {
            if number == line {
                found = route.to_string();
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Calls `each` with every route.
    pub fn read(&mut self, each: &mut Each<'_>) -> Result<(), Error> {
        let each = &mut |number, line: FileLine<'_>| {
            let FileLine::Route(parsed) = line else {
                return Ok(Ok(()));
            };
            let route = parsed.route()?;
            Ok(each(number, route))
        };
        match &mut self.content {
            Content::File(file) => {
                file.rewind()
                    .map_err(|error| Error::File(self.path.clone(), error))?;
                read_lines(&self.path, Interruptible(file), None, each)
            }
            Content::Text(text) => read_lines(&self.path, &text[..], None, each),
        }
    }
}

/// What a line of a file says.
enum FileLine<'a> {
    Route(Parsed),
    /// The agent checks it.
    Setting(&'a str),
}

/// Called with the number of a line and what it says. The outer error is one of the line.
type EachLine<'a> = dyn FnMut(usize, FileLine<'_>) -> Result<Result<(), Error>, ParseError> + 'a;

/// Reads lines to the end of `source`; keeps them in `kept`, up to as many bytes.
fn read_lines(
    path: &Path,
    source: impl Read,
    mut kept: Option<(&mut Vec<u8>, usize)>,
    each: &mut EachLine<'_>,
) -> Result<(), Error> {
    let mut reader = BufReader::new(source);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let read = (&mut reader).take(LINE_MAX).read_until(b'\n', &mut bytes);
        interrupt::check()?;
        if read.map_err(|error| Error::File(path.into(), error))? == 0 {
            break;
        }
        let wrong = |column: usize, text: String| Error::Line(path.into(), number, column, text);
        if bytes.len() as u64 == LINE_MAX && !bytes.ends_with(b"\n") {
            return Err(wrong(
                1,
                format!("the line is longer than {LINE_MAX} bytes"),
            ));
        }
        if let Some((kept, max)) = &mut kept {
            if kept.len() + bytes.len() > *max {
                let text = format!(
                    "the input is longer than {max} bytes: write it to a file, and name that"
                );
                return Err(wrong(1, text));
            }
            kept.extend_from_slice(&bytes);
        }
        if number == 1 && bytes.starts_with(b"\x1f\x8b") {
            let text = "the file is compressed: pipe the output of zcat to `-`";
            return Err(wrong(1, text.into()));
        }
        let line =
            text(&bytes).map_err(|valid| wrong(valid + 1, "the line is not UTF-8 text".into()))?;
        // Some editors begin a file with a byte order mark.
        let line = line
            .strip_prefix('\u{feff}')
            .filter(|_| number == 1)
            .unwrap_or(line);
        let line = without_comment(line).trim_end();
        if line.trim_ascii().is_empty() {
            continue;
        }
        let first = words(line, 0).next().map_or("", |word| word.text);
        let taken = match SETTINGS.contains(&first) {
            true => each(number, FileLine::Setting(line.trim_ascii())),
            false => Syntax::CONFIG
                .parse(line, 0)
                .and_then(|parsed| each(number, FileLine::Route(parsed))),
        };
        taken.map_err(|error| wrong(error.column + 1, error.to_string()))??;
    }
    Ok(())
}

/// The text of a line, whose comment may be in any encoding; else the number of bytes
/// that are UTF-8.
fn text(line: &[u8]) -> Result<&str, usize> {
    match std::str::from_utf8(line) {
        Ok(text) => Ok(text),
        Err(error) => {
            let valid = error.valid_up_to();
            let before = std::str::from_utf8(&line[..valid]).map_err(|_| valid)?;
            let text = without_comment(before);
            match text.len() < before.len() {
                true => Ok(text),
                false => Err(valid),
            }
        }
    }
}

/// Standard input, without std's buffer: bytes in it would be lost to other readers.
pub fn stdin() -> io::Result<File> {
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

/// A reader that a signal ends while it waits.
#[derive(Debug)]
pub struct Interruptible<R>(pub R);

impl<R: Read + AsFd> Read for Interruptible<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            interrupt::check().map_err(io::Error::other)?;
            // A signal that comes just before `poll` does not end it: look again soon.
            if !wait_for(self.0.as_fd(), PollFlags::POLLIN, NOTICE)? {
                continue;
            }
            match self.0.read(buffer) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                    ) => {}
                result => return result,
            }
        }
    }
}

/// A file of routes that replaces another one when it is complete. Dropped before, it
/// leaves nothing.
#[derive(Debug)]
pub struct NewFile {
    writer: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl NewFile {
    /// Begins beside `path`.
    pub fn create(path: &Path) -> Result<Self, Error> {
        // A symbolic link stays one, and a device is not replaced by a file.
        let path = path.canonicalize().unwrap_or_else(|_| path.into());
        if path.exists() && !path.is_file() {
            let text = "not a regular file; `-` is standard output";
            let error = io::Error::new(io::ErrorKind::InvalidInput, text);
            return Err(Error::File(path, error));
        }
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let name = path.file_name().unwrap_or_default();
        let file = tempfile::Builder::new()
            .prefix(name)
            .suffix(".new")
            // Less what the user's mask takes away.
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(folder.unwrap_or(Path::new(".")));
        let file = file.map_err(|error| Error::File(path.clone(), error))?;
        Ok(Self {
            writer: BufWriter::new(file),
            path,
        })
    }

    /// Writes a line.
    pub fn line(&mut self, line: &dyn Display) -> Result<(), Error> {
        writeln!(self.writer, "{line}").map_err(|error| Error::File(self.path.clone(), error))
    }

    /// Deletes the unfinished file.
    pub fn restart(&mut self) -> Result<(), Error> {
        *self = Self::create(&self.path)?;
        Ok(())
    }

    /// Replaces the file by this one.
    pub fn finish(self) -> Result<(), Error> {
        let path = self.path;
        let finish = |writer: BufWriter<NamedTempFile>| -> io::Result<()> {
            let file = writer
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        finish(self.writer).map_err(|error| Error::File(path.clone(), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], max: usize) -> Result<usize, String> {
        let mut kept = Vec::new();
        let path = Path::new("-");
        let read = read_lines(path, text, Some((&mut kept, max)), &mut |_, _| Ok(Ok(())));
        read.map(|()| kept.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_endless_line_or_input_is_refused_in_bounded_memory() {
        let endless = vec![0; 2 * LINE_MAX as usize];
        assert_eq!(
            read(&endless, usize::MAX).unwrap_err(),
            "-:1:1: the line is longer than 65536 bytes"
        );
        let lines = b"blackhole ::/0\n".repeat(3);
        assert_eq!(read(&lines, lines.len()), Ok(lines.len()));
        let error = read(&lines, lines.len() - 1).unwrap_err();
        assert!(
            error.starts_with("-:3:1: the input is longer than 44 bytes"),
            "{error}"
        );
    }
}
