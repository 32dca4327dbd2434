// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many changes in few frames, and `load`: the routes of a file into the table.

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use indicatif::ProgressBar;
use nl31_route::{DeviceName, Family, Prefix, Route, Spec};
use nl31_wire::{Full, ItemsBuffer, Op, Packer, Request, Response};

use super::file::RouteFile;
use super::list::generation;
use super::route::whole;
use super::settings;
use crate::error::Error;
use crate::link::Link;
use crate::output::Output;
use crate::port::Port;

/// How routes of a file are put into the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Add all or none of them, as one transaction.
    #[default]
    Add,
    /// Replace the whole table by them, as one transaction.
    Replace,
    /// Add them frame by frame, each with some 100 routes: frames before an error stay.
    Frames,
}

/// Collects the changes of one frame.
enum Frame {
    Plain(Box<ItemsBuffer>),
    /// Only in a transaction.
    Packed(Box<Packer>),
}

impl Frame {
    fn push(&mut self, op: Op, spec: &Spec<DeviceName>) -> Result<(), Full> {
        match self {
            Self::Plain(buffer) => buffer.push(op, spec),
            Self::Packed(packer) => packer.push(op, spec),
        }
    }

    fn request(&mut self) -> Request<'_> {
        match self {
            Self::Plain(buffer) => Request::Change {
                items: buffer.items(),
            },
            Self::Packed(packer) => {
                let (count, packed) = packer.finish();
                Request::PackedChange { count, packed }
            }
        }
    }

    /// Begins the next frame.
    fn clear(&mut self) {
        match self {
            Self::Plain(buffer) => buffer.clear(),
            Self::Packed(packer) => packer.next_frame(),
        }
    }
}

/// Sends changes to the agent, many in a frame. Each has a tag; the tag of one that fails
/// is given back.
pub struct Batches<'a, P> {
    link: &'a mut Link<P>,
    frame: Frame,
    tags: Vec<usize>,
    /// The tags of the frames in flight, oldest first.
    sent: VecDeque<Vec<usize>>,
    bar: &'a ProgressBar,
    count: u64,
    /// Frames sent so far.
    frames: u32,
}

/// After so many frames the line is to have the wanted speed, also if it has lost it.
const HURRY_EVERY: u32 = 8;

/// A route, and its line in the file.
type Numbered = (usize, Route<DeviceName>);

/// The tag of the change that failed, if it is known, and why.
pub type Failed = (Option<usize>, Error);

impl<'a, P: Port> Batches<'a, P> {
    /// No changes yet. No other request may be in flight.
    fn new(link: &'a mut Link<P>, bar: &'a ProgressBar, frame: Frame) -> Self {
        Self {
            link,
            frame,
            tags: Vec::new(),
            sent: VecDeque::new(),
            bar,
            count: 0,
            frames: 0,
        }
    }

    /// Adds a change.
    pub fn push(&mut self, tag: usize, op: Op, spec: &Spec<DeviceName>) -> Result<(), Failed> {
        self.link.check().map_err(|error| (None, error))?;
        if self.frame.push(op, spec).is_err() {
            self.send()?;
            let none = |_| (Some(tag), Error::Usage("a route needs a prefix".into()));
            self.frame.push(op, spec).map_err(none)?;
        }
        self.tags.push(tag);
        Ok(())
    }

    /// Adds the settings of a file to the transaction.
    pub fn settings(&mut self, file: &RouteFile, replace: bool) -> Result<(), Failed> {
        self.flush()?;
        let staged = settings::stage(self.link, file, replace);
        staged.map(|_| ()).map_err(|error| (None, error))
    }

    fn send(&mut self) -> Result<(), Failed> {
        if self.tags.is_empty() {
            return Ok(());
        }
        while self.link.room() == 0 {
            self.take()?;
        }
        // A few frames are faster than a change of the speed.
        self.frames += 1;
        if self.frames.is_multiple_of(HURRY_EVERY) {
            while !self.sent.is_empty() {
                self.take()?;
            }
            self.link.hurry().map_err(|error| (None, error))?;
        }
        let request = self.frame.request();
        self.link.submit(&request).map_err(|error| (None, error))?;
        self.sent.push_back(std::mem::take(&mut self.tags));
        self.frame.clear();
        Ok(())
    }

    fn take(&mut self) -> Result<(), Failed> {
        let tags = self.sent.pop_front().unwrap_or_default();
        let result = self.link.answer(|response| match response {
            Response::Changed { count } => Ok(count),
            _ => Err(Error::Unexpected),
        });
        match result {
            Ok(count) => {
                self.count += u64::from(count);
                self.bar.inc(count.into());
                Ok(())
            }
            Err(Error::Refused(refused)) => {
                let index = refused.index.map(usize::from);
                let tag = index.and_then(|index| tags.get(index).copied());
                Err((tag, Error::Refused(refused)))
            }
            Err(error) => Err((None, error)),
        }
    }

    /// Sends the rest, and waits for all answers.
    fn flush(&mut self) -> Result<(), Failed> {
        self.send()?;
        while !self.sent.is_empty() {
            self.take()?;
        }
        Ok(())
    }

    /// Takes the answers to the frames in flight after a failure.
    fn drain(&mut self) {
        while self.sent.pop_front().is_some() {
            if !matches!(
                self.link.answer(|_| Ok(())),
                Ok(()) | Err(Error::Refused(_))
            ) {
                return;
            }
        }
    }
}

/// Makes changes as one transaction that `begin` opens; gives their number. With
/// `unchanged`, only if that is still the number of the table's last change.
pub fn transaction<P: Port>(
    link: &mut Link<P>,
    begin: &Request<'_>,
    unchanged: Option<u64>,
    bar: &ProgressBar,
    push: impl FnOnce(&mut Batches<'_, P>) -> Result<(), Failed>,
) -> Result<u64, Failed> {
    link.done(begin).map_err(|error| (None, error))?;
    let frame = match link.can_pack() {
        true => Frame::Packed(Box::default()),
        false => Frame::Plain(Box::default()),
    };
    let result = batches(link, bar, frame, push).and_then(|count| {
        // From the first change on no other socket can change the table.
        let now = unchanged.map(|_| generation(link)).transpose();
        match now.map_err(|error| (None, error))? == unchanged {
            true => Ok(count),
            false => Err((None, Error::Changing)),
        }
    });
    match result {
        Ok(count) => link
            .call(&Request::Commit {}, |response| match response {
                // The agent counts the replacement of the table as one change more.
                Response::Changed { .. } => Ok(count),
                _ => Err(Error::Unexpected),
            })
            .map_err(|error| (None, error)),
        Err(failed) => {
            // The first error is the one that is told.
            let _ = link.done(&Request::Abort {});
            Err(failed)
        }
    }
}

/// Makes changes frame by frame; gives their number.
fn batches<P: Port>(
    link: &mut Link<P>,
    bar: &ProgressBar,
    frame: Frame,
    push: impl FnOnce(&mut Batches<'_, P>) -> Result<(), Failed>,
) -> Result<u64, Failed> {
    let mut batches = Batches::new(link, bar, frame);
    match push(&mut batches).and_then(|()| batches.flush()) {
        Ok(()) => {
            let count = batches.count;
            link.unhurry().map_err(|error| (None, error))?;
            Ok(count)
        }
        Err(failed) => {
            batches.drain();
            if !failed.1.is_link_lost() {
                // The first error is the one that is told.
                let _ = link.unhurry();
            }
            Err(failed)
        }
    }
}

/// Orders routes so that they take few bytes on the line in this kind of frame. Paths of one
/// prefix stay in the order of the file.
fn in_few_bytes(mut routes: Vec<Numbered>, frame: &Frame) -> Vec<Numbered> {
    match frame {
        Frame::Plain(_) => by_path(routes),
        Frame::Packed(_) => {
            routes.sort_by_key(|(_, route)| route.prefix);
            routes
        }
    }
}

/// By path, then by length, then by address. Prefixes with several paths come last, in the
/// order of the file.
fn by_path(routes: Vec<Numbered>) -> Vec<Numbered> {
    let mut lines = HashMap::<Prefix, u32>::with_capacity(routes.len());
    for (_, route) in &routes {
        *lines.entry(route.prefix).or_default() += 1;
    }
    let (mut single, several): (Vec<_>, Vec<_>) = routes
        .into_iter()
        .partition(|(_, route)| lines[&route.prefix] == 1);
    let mut paths = HashMap::new();
    for (_, route) in &single {
        let number = paths.len();
        paths.entry(route.path.clone()).or_insert(number);
    }
    single.sort_by_cached_key(|(_, Route { prefix, path })| {
        let family = prefix.family() == Family::V6;
        (paths[path], family, prefix.len(), prefix.address())
    });
    single.extend(several);
    single
}

/// Routes that are ordered at once; a whole table at once would need its size in memory.
const CHUNK: usize = 128 * 1024;

/// Adds the routes of a file to `batches`, in few bytes.
fn push_file<P: Port>(file: &mut RouteFile, batches: &mut Batches<'_, P>) -> Result<(), Failed> {
    let mut push = |chunk: Vec<Numbered>| {
        in_few_bytes(chunk, &batches.frame)
            .iter()
            .try_for_each(|(line, route)| batches.push(*line, Op::Append, &whole(route)))
    };
    let mut chunk = Vec::new();
    let mut failed = None;
    let read = file.read(&mut |line, route| {
        chunk.push((line, route));
        if chunk.len() < CHUNK {
            return Ok(());
        }
        push(std::mem::take(&mut chunk)).map_err(|(line, error)| {
            failed = line;
            error
        })
    });
    read.map_err(|error| (failed, error))?;
    push(chunk)
}

/// Loads a file, which `name` tells, and says how many routes it had.
pub fn execute<P: Port>(
    link: &mut Link<P>,
    file: &mut RouteFile,
    mode: Mode,
    name: &Path,
    out: &mut Output<'_>,
) -> Result<(), Error> {
    let bar = out.bar("load");
    let count = load(link, file, mode, &bar);
    bar.finish_and_clear();
    out.count("loaded", count?, &format_args!("from {}", name.display()))
}

/// Loads a file, whose lines are checked; gives the number of routes.
pub fn load<P: Port>(
    link: &mut Link<P>,
    file: &mut RouteFile,
    mode: Mode,
    bar: &ProgressBar,
) -> Result<u64, Error> {
    let path = file.path().to_path_buf();
    bar.set_length(file.routes());
    let has_settings = !file.settings().is_empty();
    if mode == Mode::Frames && has_settings {
        let settings = |batches: &mut Batches<'_, P>| batches.settings(file, false);
        let made = transaction(
            link,
            &Request::Begin { replace: false },
            None,
            bar,
            settings,
        );
        made.map_err(|(_, error)| error)?;
    }
    let push = |batches: &mut Batches<'_, P>| {
        if mode != Mode::Frames && has_settings {
            batches.settings(file, mode == Mode::Replace)?;
        }
        push_file(file, batches)
    };
    let result = match mode {
        Mode::Add => transaction(link, &Request::Begin { replace: false }, None, bar, push),
        Mode::Replace => transaction(link, &Request::Begin { replace: true }, None, bar, push),
        Mode::Frames => {
            let frame = Frame::Plain(Box::default());
            batches(link, bar, frame, push)
        }
    };
    result.map_err(|(line, error)| match (line, error) {
        (Some(line), Error::Refused(refused)) => {
            let text = format!("E{} {}", refused.code, refused.text);
            Error::RefusedLine(path, line, refused.code, text)
        }
        (_, error) => error,
    })
}
