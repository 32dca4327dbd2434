// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files of routes: the agent's config, lines with the arguments of `route add`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::poll::PollFlags;
use nl31_route::{DeviceName, Route, Syntax, without_comment};

use crate::error::Error;
use crate::interrupt::{self, NOTICE};
use crate::port::wait_for;

/// Calls `each` with every route of a file and the number of its line. `-` is
/// standard input.
pub fn read(
    path: &Path,
    each: &mut dyn FnMut(usize, Route<DeviceName>) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |error| Error::File(path.into(), error);
    let source = match path.to_str() {
        Some("-") => stdin(),
        _ => File::open(path),
    };
    let mut reader = BufReader::new(Interruptible(source.map_err(failed)?));
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let read = reader.read_until(b'\n', &mut bytes);
        interrupt::check()?;
        if read.map_err(failed)? == 0 {
            break;
        }
        if number == 1 && bytes.starts_with(b"\x1f\x8b") {
            let text = "this is compressed: zcat it to `-`, which is standard input";
            return Err(Error::Line(path.into(), 1, 1, text.into()));
        }
        let line = std::str::from_utf8(&bytes).map_err(|error| {
            let text = "this is no text in UTF-8";
            Error::Line(path.into(), number, error.valid_up_to() + 1, text.into())
        })?;
        // Some editors put a mark before all else.
        let line = line
            .strip_prefix('\u{feff}')
            .filter(|_| number == 1)
            .unwrap_or(line);
        let line = without_comment(line).trim_end();
        if line.trim_ascii().is_empty() {
            continue;
        }
        let route = Syntax::CONFIG
            .parse(line, 0)
            .and_then(|parsed| parsed.route());
        let route = route.map_err(|error| {
            Error::Line(path.into(), number, error.column + 1, error.to_string())
        })?;
        each(number, route)?;
    }
    Ok(())
}

/// Standard input, without a buffer that would be filled behind our back.
pub fn stdin() -> io::Result<File> {
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

/// Lets Ctrl-C end a read that waits.
pub struct Interruptible<R>(pub R);

impl<R: Read + AsFd> Read for Interruptible<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            interrupt::check().map_err(io::Error::other)?;
            // A signal that comes just before it does not end a read.
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

/// A file that takes the place of another one when it is whole, and else is gone when this
/// is dropped.
pub struct Replacement {
    writer: BufWriter<File>,
    new: PathBuf,
    path: PathBuf,
    renamed: bool,
}

impl Replacement {
    /// Begins beside `path`.
    pub fn create(path: &Path) -> Result<Self, Error> {
        // A link stays one, and a device is not to be replaced by a file.
        let path = path.canonicalize().unwrap_or_else(|_| path.into());
        if path.exists() && !path.is_file() {
            let text = "this is no file that could be replaced; `-` is standard output";
            let error = io::Error::new(io::ErrorKind::InvalidInput, text);
            return Err(Error::File(path, error));
        }
        let mut number = 0;
        let (file, new) = loop {
            let mut new = path.as_os_str().to_owned();
            new.push(format!(".{}-{number}.new", std::process::id()));
            let new = PathBuf::from(new);
            match File::create_new(&new) {
                Ok(file) => break (file, new),
                // Somebody else's.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(Error::File(new, error)),
            }
        };
        Ok(Self {
            writer: BufWriter::new(file),
            new,
            path,
            renamed: false,
        })
    }

    /// Writes a line.
    pub fn line(&mut self, route: &Route<DeviceName>) -> Result<(), Error> {
        writeln!(self.writer, "{route}").map_err(|error| Error::File(self.new.clone(), error))
    }

    /// Begins anew.
    pub fn restart(&mut self) -> Result<(), Error> {
        *self = Self::create(&self.path)?;
        Ok(())
    }

    /// Puts it into place.
    pub fn finish(mut self) -> Result<(), Error> {
        let finish = |this: &mut Self| {
            this.writer.flush()?;
            this.writer.get_ref().sync_all()?;
            fs::rename(&this.new, &this.path)
        };
        finish(&mut self).map_err(|error| Error::File(self.path.clone(), error))?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.renamed {
            // Fails only if it is gone.
            let _ = fs::remove_file(&self.new);
        }
    }
}
