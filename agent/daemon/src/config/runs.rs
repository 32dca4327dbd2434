// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sorts more routes than fit into memory: sorts runs of [`ROUTES_PER_RUN`] routes, writes them
//! to a file, and merges them. Each route is written once and read once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path as FilePath;
use std::rc::Rc;

use nix::libc;
use nl31_netlink::{Path, Prefix, Route};
use nl31_route::{DeviceName, ParseError};

use crate::platform::atomic_file::MODE;

/// Routes that are sorted in memory: some 300 KiB.
pub(super) const ROUTES_PER_RUN: usize = 4096;
/// Most runs: one buffer each is read at a time.
const RUNS_MAX: usize = 1024;
/// Bytes of the buffer of a run.
const BUFFER: usize = 1024;

/// A part of the file.
#[derive(Debug)]
struct Section {
    file: Rc<File>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let len = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += len as u64;
        Ok(len)
    }
}

/// Routes in order.
#[derive(Debug)]
struct Run {
    lines: BufReader<Section>,
    /// The path of the run's next route; its prefix is in [`Runs::next_prefixes`].
    path: Option<Path<DeviceName>>,
}

/// The file and its runs.
#[derive(Debug)]
pub(super) struct Runs {
    file: Rc<File>,
    /// Bytes written.
    len: u64,
    /// The runs while they are written.
    sections: Vec<Section>,
    /// The runs while they are read.
    runs: Vec<Run>,
    /// Prefix of the next route of each run that is not read to its end. Routes of a prefix keep
    /// the order in which they were added, which is that of the runs.
    next_prefixes: BinaryHeap<Reverse<(Prefix, usize)>>,
    line: String,
}

impl Runs {
    /// Creates the file. It has no name, so it goes with the agent, however that ends.
    pub(super) fn create(folder: &FilePath) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(MODE);
        let file = options.custom_flags(libc::O_TMPFILE).open(folder)?;
        Ok(Self {
            file: Rc::new(file),
            len: 0,
            sections: Vec::new(),
            runs: Vec::new(),
            next_prefixes: BinaryHeap::new(),
            line: String::new(),
        })
    }

    /// Sorts these routes, at most [`ROUTES_PER_RUN`], and moves them to a new run.
    pub(super) fn add(&mut self, routes: &mut Vec<(Prefix, Path<DeviceName>)>) -> io::Result<()> {
        if self.sections.len() == RUNS_MAX {
            let most = RUNS_MAX * ROUTES_PER_RUN;
            return Err(io::Error::other(format!("more than {most} routes")));
        }
        // Stable: routes of a prefix keep their order.
        routes.sort_by_key(|(prefix, _)| *prefix);
        let mut out = BufWriter::new(&*self.file);
        let at = self.len;
        for (prefix, path) in routes.drain(..) {
            self.line.clear();
            writeln!(self.line, "{}", Route { prefix, path }).expect("a string grows");
            out.write_all(self.line.as_bytes())?;
            self.len += self.line.len() as u64;
        }
        out.flush()?;
        let file = Rc::clone(&self.file);
        let end = self.len;
        self.sections.push(Section { file, at, end });
        Ok(())
    }

    /// Ends the writes and reads the first route of each run.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        for (number, section) in std::mem::take(&mut self.sections).into_iter().enumerate() {
            self.runs.push(Run {
                lines: BufReader::with_capacity(BUFFER, section),
                path: None,
            });
            self.read(number)?;
        }
        Ok(())
    }

    /// The lowest route of all runs, after [`Runs::rewind`]; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(Prefix, Path<DeviceName>)>> {
        let Some(Reverse((prefix, number))) = self.next_prefixes.pop() else {
            return Ok(None);
        };
        let path = self.runs[number].path.take();
        self.read(number)?;
        Ok(path.map(|path| (prefix, path)))
    }

    /// Reads the next route of a run.
    fn read(&mut self, number: usize) -> io::Result<()> {
        let run = &mut self.runs[number];
        self.line.clear();
        if run.lines.read_line(&mut self.line)? == 0 {
            return Ok(());
        }
        let route: Route<DeviceName> = self
            .line
            .trim_end()
            .parse()
            .map_err(|error: ParseError| io::Error::other(error.to_string()))?;
        run.path = Some(route.path);
        self.next_prefixes.push(Reverse((route.prefix, number)));
        Ok(())
    }
}
