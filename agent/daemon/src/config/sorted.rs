// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the routes of a config, apart from its settings, in the order of the kernel's dumps, in
//! bounded memory for any size and order of the file.
//!
//! A first pass checks the file. A file in order, as `save` writes it, is then read once
//! more, merged with up to [`CHUNK`] routes that were added at its end by hand. Any other
//! file is read once more too, and sorted in [`Runs`].

use std::io;
use std::path::{Path as FilePath, PathBuf};

use nl31_netlink::{PATHS_MAX, Path, Prefix};
use nl31_route::{DeviceName, append_index};

use crate::config::file::{ConfigError, ConfigErrorKind, Entry, Fault, Lines};
use crate::config::runs::{ROUTES_PER_RUN, Runs};
use crate::config::settings::Settings;
use crate::config::settings::error::{SettingError, SettingErrorKind};
use crate::grammar::{Setting, SettingChange};

/// Routes out of order that are kept in memory.
const CHUNK: usize = 512;
/// Lines read in one step.
const LINES_PER_STEP: usize = 512;

/// A prefix and its paths, the one in use first.
pub type Group = (Prefix, Vec<Path<DeviceName>>);

/// Where a route stands in the order: those of a prefix by their lines.
type Key = (Prefix, u32);

#[derive(Debug, PartialEq)]
enum State {
    /// Checks whether the file is in order.
    Check,
    /// Reads a file that is in order up to a line, merged with the routes kept from there on.
    Stream,
    /// Sorts a file that is not in order.
    Sort,
    /// Reads the sorted routes.
    Merge,
    Ended,
}

/// The result of a step.
#[derive(Debug)]
pub enum Step {
    /// The next prefix.
    Group(Group),
    /// Call again.
    Busy,
    /// The end.
    End,
}

/// Reads a config in order, a step at a time.
#[derive(Debug)]
pub struct Sorted {
    path: PathBuf,
    lines: Lines,
    state: State,
    /// The first line that is not in order.
    disorder: Option<u32>,
    /// The next route of the ordered part.
    head: Option<(Key, Path<DeviceName>)>,
    /// The key of the last route in order.
    last: Option<Key>,
    /// The routes out of order, the lowest first; in [`State::Stream`] the lowest last.
    chunk: Vec<(Key, Path<DeviceName>)>,
    /// More routes are out of order than the chunk holds.
    more: bool,
    /// The folder of the file of `runs`.
    folder: PathBuf,
    /// The routes read for the next run.
    unsorted: Vec<(Prefix, Path<DeviceName>)>,
    /// The sorted routes, from [`State::Sort`] on.
    runs: Option<Box<Runs>>,
    group: Option<Group>,
    settings: Settings,
}

impl Sorted {
    /// Opens a config. A missing file is empty. `folder` takes a temporary file if the config
    /// is not in order.
    pub fn open(path: &FilePath, folder: &FilePath) -> Result<Self, ConfigError> {
        let lines = match Lines::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Lines::none(),
            lines => lines,
        };
        Ok(Self {
            path: path.into(),
            lines: lines.map_err(|error| ConfigError {
                path: path.into(),
                place: None,
                kind: ConfigErrorKind::Io(error),
            })?,
            state: State::Check,
            disorder: None,
            head: None,
            last: None,
            chunk: Vec::new(),
            more: false,
            folder: folder.into(),
            unsorted: Vec::new(),
            runs: None,
            group: None,
            settings: Settings::default(),
        })
    }

    /// The settings of the file; `None` until all lines are checked, before the first route.
    pub fn settings(&self) -> Option<&Settings> {
        Some(&self.settings).filter(|_| self.state != State::Check)
    }

    /// Reads some lines.
    pub fn step(&mut self) -> Result<Step, ConfigError> {
        self.try_step().map_err(|(column, kind)| ConfigError {
            path: self.path.clone(),
            place: match kind {
                ConfigErrorKind::Io(_) => None,
                _ => Some((self.lines.number(), column + 1)),
            },
            kind,
        })
    }

    fn try_step(&mut self) -> Result<Step, Fault> {
        match self.state {
            State::Check => self.check(),
            State::Stream => self.stream(),
            State::Sort => self.sort(),
            State::Merge => self.merge(),
            State::Ended => Ok(self.group.take().map_or(Step::End, Step::Group)),
        }
    }

    /// The next route of the file, and its key; `None` at the end.
    fn advance(&mut self) -> Result<Option<(Key, Path<DeviceName>)>, Fault> {
        while self.lines.advance()? {
            let parsed = match self.lines.parse()? {
                Some(Entry::Route(parsed)) => parsed,
                Some(Entry::Setting(setting)) if self.state == State::Check => {
                    self.add_setting(setting)?;
                    continue;
                }
                _ => continue,
            };
            let prefix = parsed
                .spec
                .prefix
                .expect("parse() checked that it is a route");
            let key = (prefix, self.lines.number());
            return Ok(Some((key, parsed.spec.path())));
        }
        Ok(None)
    }

    fn add_setting(&mut self, setting: Setting) -> Result<(), Fault> {
        let changed = self.settings.change(&SettingChange::make(setting));
        changed.map_err(|limit| {
            let kind = SettingErrorKind::TooMany(limit);
            let error = SettingError::of_line(self.lines.number(), kind);
            (0, ConfigErrorKind::Setting(Box::new(error)))
        })
    }

    fn rewind(&mut self, state: State) -> Result<(), Fault> {
        // A file that is gone meanwhile was read as empty, or is an error here.
        if self.lines.number() > 1 {
            self.lines =
                Lines::open(&self.path).map_err(|error| (0, ConfigErrorKind::Io(error)))?;
        }
        self.state = state;
        Ok(())
    }

    fn check(&mut self) -> Result<Step, Fault> {
        for _ in 0..LINES_PER_STEP {
            let Some((key, path)) = self.advance()? else {
                self.last = None;
                let mut next = State::Stream;
                if self.more {
                    self.chunk = Vec::new();
                    next = State::Sort;
                }
                self.chunk.reverse();
                self.rewind(next)?;
                break;
            };
            if self.disorder.is_none() && self.last.is_none_or(|last| last.0 <= key.0) {
                self.last = Some(key);
            } else {
                self.disorder.get_or_insert(key.1);
                self.keep(key, path);
            }
        }
        Ok(Step::Busy)
    }

    fn stream(&mut self) -> Result<Step, Fault> {
        for _ in 0..LINES_PER_STEP {
            if self.head.is_none() {
                let end = self.disorder.unwrap_or(u32::MAX);
                self.head = self.advance()?.filter(|(key, _)| key.1 < end);
            }
            let kept = self.chunk.last().map(|(key, _)| *key);
            let next = match &self.head {
                Some((key, _)) if kept.is_none_or(|kept| *key < kept) => self.head.take(),
                _ => self.chunk.pop(),
            };
            let Some((key, path)) = next else {
                self.state = State::Ended;
                return Ok(Step::Busy);
            };
            if let Some(group) = self.collect(key.0, path) {
                return Ok(Step::Group(group));
            }
        }
        Ok(Step::Busy)
    }

    /// Keeps a route that is out of order.
    fn keep(&mut self, key: Key, path: Path<DeviceName>) {
        if self.chunk.len() == CHUNK {
            self.more = true;
            return;
        }
        let at = self.chunk.partition_point(|(other, _)| *other < key);
        self.chunk.insert(at, (key, path));
    }

    fn sort(&mut self) -> Result<Step, Fault> {
        let mut runs = match self.runs.take() {
            Some(runs) => runs,
            None => Box::new(Runs::create(&self.folder).map_err(of_io)?),
        };
        for _ in 0..LINES_PER_STEP {
            let next = self.advance()?;
            let ended = next.is_none();
            self.unsorted.extend(next.map(|(key, path)| (key.0, path)));
            if ended || self.unsorted.len() == ROUTES_PER_RUN {
                runs.add(&mut self.unsorted).map_err(of_io)?;
            }
            if ended {
                runs.rewind().map_err(of_io)?;
                self.unsorted = Vec::new();
                self.state = State::Merge;
                break;
            }
        }
        self.runs = Some(runs);
        Ok(Step::Busy)
    }

    fn merge(&mut self) -> Result<Step, Fault> {
        for _ in 0..LINES_PER_STEP {
            let runs = self.runs.as_mut();
            let next = runs.map_or(Ok(None), |runs| runs.next());
            let Some((prefix, path)) = next.map_err(of_io)? else {
                self.runs = None;
                self.state = State::Ended;
                break;
            };
            if let Some(group) = self.collect(prefix, path) {
                return Ok(Step::Group(group));
            }
        }
        Ok(Step::Busy)
    }

    /// Adds a path to the group; gives the previous group when the prefix changes.
    fn collect(&mut self, prefix: Prefix, path: Path<DeviceName>) -> Option<Group> {
        if let Some((same, paths)) = &mut self.group
            && *same == prefix
        {
            // No prefix has more paths; the list differs from the table anyway.
            if paths.len() <= PATHS_MAX {
                paths.insert(append_index(paths, path.metric), path);
            }
            return None;
        }
        self.group.replace((prefix, vec![path]))
    }
}

/// The config cannot be sorted.
fn of_io(error: io::Error) -> Fault {
    let text = format!(
        "the routes are not in order and cannot be sorted: {error}; `save` writes them in order"
    );
    (0, ConfigErrorKind::Io(io::Error::new(error.kind(), text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::atomic_file::tests::Folder;
    use nl31_netlink::Route;

    fn open(path: &FilePath) -> Sorted {
        Sorted::open(path, path.parent().unwrap()).unwrap()
    }

    fn read(path: &FilePath) -> Result<Vec<String>, String> {
        let mut sorted = open(path);
        let mut all = Vec::new();
        loop {
            match sorted.step().map_err(|error| error.to_string())? {
                Step::Busy => {
                    assert!(sorted.chunk.len() <= CHUNK && sorted.unsorted.len() < ROUTES_PER_RUN)
                }
                Step::End => return Ok(all),
                Step::Group((prefix, paths)) => all.extend(
                    paths
                        .into_iter()
                        .map(|path| Route { prefix, path }.to_string()),
                ),
            }
        }
    }

    #[test]
    fn routes_come_in_address_order_whatever_the_order_of_the_file() {
        let folder = Folder::new("sorted");
        let line = |i: usize| format!("10.{}.{}.0/24 dev eth0", i / 256, i % 256);
        let expected: Vec<_> = (0..3000).map(line).collect();
        // 1999 and 3000 have no divisor in common: each line comes once. The last ones are
        // in order but for a few, as many as are kept in memory, and one more.
        let orders: [fn(usize) -> usize; 6] = [
            |i| i,
            |i| 2999 - i,
            |i| i * 1999 % 3000,
            |i| (i + 2) % 3000,
            |i| (i + CHUNK) % 3000,
            |i| (i + CHUNK + 1) % 3000,
        ];
        for (number, order) in orders.into_iter().enumerate() {
            let text: String = (0..3000).map(|i| line(order(i)) + "\n").collect();
            let path = folder.file(&number.to_string(), text);
            assert_eq!(read(&path).unwrap(), expected);
        }
    }

    #[test]
    fn steps_of_an_unsorted_file_grow_with_its_lines() {
        let folder = Folder::new("sorted-unsorted");
        // Two runs and a part; 7919 is a prime. Every third prefix has two paths.
        let count = 2 * ROUTES_PER_RUN + 17;
        let line = |i: usize, metric| {
            let (high, low) = (i / 256, i % 256);
            format!("10.{high}.{low}.0/24 dev eth0{metric}")
        };
        let order = || (0..count).map(|i| i * 7919 % count);
        let first = order().map(|i| line(i, ""));
        let second = order()
            .filter(|i| i % 3 == 0)
            .map(|i| line(i, " proto static"));
        let text: Vec<_> = first.chain(second).collect();
        let lines = text.len();
        let path = folder.file("routes.conf", text.join("\n"));
        let mut sorted = open(&path);
        let mut steps = 0;
        while !matches!(sorted.step().unwrap(), Step::End) {
            steps += 1;
        }
        assert!(steps < count + 2 * (lines / LINES_PER_STEP + 2), "{steps}");
        let all = read(&path).unwrap();
        assert_eq!(all.len(), lines);
        assert_eq!(
            all[..3],
            [line(0, ""), line(0, " proto static"), line(1, "")]
        );
        assert_eq!(all[lines - 1], line(count - 1, " proto static"));
        let files = std::fs::read_dir(&folder.0).unwrap().count();
        assert_eq!(files, 1, "the temporary file is gone");
    }

    #[test]
    fn an_unsorted_file_without_room_to_sort_is_refused() {
        let folder = Folder::new("sorted-refused");
        let line = |i: usize| format!("10.{}.{}.0/24 dev eth0\n", i / 256, i % 256);
        let text: String = (0..2 * CHUNK).rev().map(line).collect();
        let path = folder.file("routes.conf", text);
        let mut sorted = Sorted::open(&path, &folder.0.join("none")).unwrap();
        let error = loop {
            if let Err(error) = sorted.step() {
                break error.to_string();
            }
        };
        assert!(error.contains("cannot be sorted: "), "{error}");
    }

    #[test]
    fn the_paths_of_a_prefix_keep_their_order_within_a_metric() {
        let folder = Folder::new("sorted-paths");
        let path = folder.file(
            "routes.conf",
            "11.0.0.0/8 dev b\n10.0.0.0/8 dev c metric 5\n10.0.0.0/8 dev b\n# x\n10.0.0.0/8 dev a\n",
        );
        assert_eq!(
            read(&path).unwrap(),
            [
                "10.0.0.0/8 dev b",
                "10.0.0.0/8 dev a",
                "10.0.0.0/8 dev c metric 5",
                "11.0.0.0/8 dev b"
            ]
        );
    }

    #[test]
    fn a_file_with_some_lines_behind_its_order_is_read_twice() {
        let folder = Folder::new("sorted-behind");
        let routes: String = (0..30_000)
            .map(|i| format!("10.{}.{}.0/24 dev eth0\n", i / 256, i % 256))
            .collect();
        let late =
            "9.0.0.0/8 dev usb0\n10.0.7.0/24 dev usb0\n11.0.0.0/8 dev usb0\n8.0.0.0/8 dev usb0\n";
        let path = folder.file("routes.conf", routes + late);
        let mut sorted = open(&path);
        let mut steps = 0;
        while !matches!(sorted.step().unwrap(), Step::End) {
            steps += 1;
        }
        assert!(steps < 30_000 + 200, "{steps}");
        let all = read(&path).unwrap();
        assert_eq!(all.len(), 30_004);
        assert_eq!(all[..2], ["8.0.0.0/8 dev usb0", "9.0.0.0/8 dev usb0"]);
        assert_eq!(all[9..11], ["10.0.7.0/24 dev eth0", "10.0.7.0/24 dev usb0"]);
        assert_eq!(all[30_003], "11.0.0.0/8 dev usb0");
    }

    #[test]
    fn a_mistake_is_found_before_anything_is_given() {
        let folder = Folder::new("sorted-bad");
        let path = folder.file("routes.conf", "10.0.0.0/8 dev b\nx\n");
        assert!(read(&path).unwrap_err().contains("routes.conf:2:1: "));
        assert_eq!(read(&folder.0.join("none")).unwrap(), [""; 0]);
    }
}
