// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many changes in few frames, and `load`: the routes of a file into the table.

use std::collections::{HashMap, VecDeque};

use indicatif::ProgressBar;
use nl31_route::{DeviceName, Family, Prefix, Route, Spec};
use nl31_wire::{ItemsBuffer, Op, Request, Response};

use super::file::RouteFile;
use super::list::generation;
use super::route::whole;
use crate::error::Error;
use crate::link::Link;
use crate::port::Port;

/// How routes of a file are put into the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// All or none of them are added, as one transaction.
    #[default]
    Add,
    /// They take the place of the whole table, as one transaction.
    Replace,
    /// Frame by frame: some 100 routes are added or none of them, and what was added
    /// before an error stays.
    Frames,
}

/// Changes on their way to the agent. Each carries a tag, by which [`Batches`] names
/// the one that failed.
pub struct Batches<'a, P> {
    link: &'a mut Link<P>,
    buffer: ItemsBuffer,
    tags: Vec<usize>,
    /// The tags of the frames on their way, oldest first.
    sent: VecDeque<Vec<usize>>,
    bar: &'a ProgressBar,
    count: u64,
}

/// A route, and its line in the file.
type Numbered = (usize, Route<DeviceName>);

/// The change with this tag failed, or which one is not known.
pub type Failed = (Option<usize>, Error);

impl<'a, P: Port> Batches<'a, P> {
    /// No changes yet. Nothing else may be on its way.
    fn new(link: &'a mut Link<P>, bar: &'a ProgressBar) -> Self {
        Self {
            link,
            buffer: ItemsBuffer::default(),
            tags: Vec::new(),
            sent: VecDeque::new(),
            bar,
            count: 0,
        }
    }

    /// Adds a change.
    pub fn push(&mut self, tag: usize, op: Op, spec: &Spec<DeviceName>) -> Result<(), Failed> {
        self.link.check().map_err(|error| (None, error))?;
        if self.buffer.push(op, spec).is_err() {
            self.send()?;
            let none = |_| (Some(tag), Error::Usage("a route needs a prefix".into()));
            self.buffer.push(op, spec).map_err(none)?;
        }
        self.tags.push(tag);
        Ok(())
    }

    fn send(&mut self) -> Result<(), Failed> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        while self.link.room() == 0 {
            self.take()?;
        }
        let request = Request::Change {
            items: self.buffer.items(),
        };
        self.link.submit(&request).map_err(|error| (None, error))?;
        self.sent.push_back(std::mem::take(&mut self.tags));
        self.buffer.clear();
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

    /// Takes the answers to what is still on its way behind a failure.
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

/// Makes changes as one transaction; gives their number. With `unchanged`, only if that
/// is still the number of the table's last change.
pub fn transaction<P: Port>(
    link: &mut Link<P>,
    replace: bool,
    unchanged: Option<u64>,
    bar: &ProgressBar,
    push: impl FnOnce(&mut Batches<'_, P>) -> Result<(), Failed>,
) -> Result<u64, Failed> {
    link.done(&Request::Begin { replace })
        .map_err(|error| (None, error))?;
    let result = batches(link, bar, push).and_then(|count| {
        // Nobody else can change it any more.
        let now = unchanged.map(|_| generation(link)).transpose();
        match now.map_err(|error| (None, error))? == unchanged {
            true => Ok(count),
            false => Err((None, Error::Changing)),
        }
    });
    match result {
        Ok(count) => link
            .call(&Request::Commit {}, |response| match response {
                // That replacing the table is a change too does not matter here.
                Response::Changed { .. } => Ok(count),
                _ => Err(Error::Unexpected),
            })
            .map_err(|error| (None, error)),
        Err(failed) => {
            // What failed first is what matters.
            let _ = link.done(&Request::Abort {});
            Err(failed)
        }
    }
}

/// Makes changes frame by frame; gives their number.
pub fn batches<P: Port>(
    link: &mut Link<P>,
    bar: &ProgressBar,
    push: impl FnOnce(&mut Batches<'_, P>) -> Result<(), Failed>,
) -> Result<u64, Failed> {
    let mut batches = Batches::new(link, bar);
    match push(&mut batches).and_then(|()| batches.flush()) {
        Ok(()) => Ok(batches.count),
        Err(failed) => {
            batches.drain();
            Err(failed)
        }
    }
}

/// Orders routes so that they take few bytes on the line: next to each other are those of
/// the same path, of the same length, and near each other. Prefixes with several paths
/// keep theirs in the file's order.
fn in_few_bytes(routes: Vec<Numbered>) -> Vec<Numbered> {
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
        in_few_bytes(chunk)
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

/// Loads a file, whose lines are checked; gives the number of routes.
pub fn load<P: Port>(
    link: &mut Link<P>,
    file: &mut RouteFile,
    mode: Mode,
    bar: &ProgressBar,
) -> Result<u64, Error> {
    let path = file.path().to_path_buf();
    bar.set_length(file.routes());
    let push = |batches: &mut Batches<'_, P>| push_file(file, batches);
    let result = match mode {
        Mode::Add => transaction(link, false, None, bar, push),
        Mode::Replace => transaction(link, true, None, bar, push),
        Mode::Frames => batches(link, bar, push),
    };
    result.map_err(|(line, error)| match (line, error) {
        (Some(line), Error::Refused(refused)) => {
            let text = format!("E{} {}", refused.code, refused.text);
            Error::RefusedLine(path, line, refused.code, text)
        }
        (_, error) => error,
    })
}
