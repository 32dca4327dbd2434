// SPDX-License-Identifier: MIT OR Apache-2.0
//! `save`, `load`, `factory-reset`, and `diff` against the saved config.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nl31_netlink::{Dump, ErrorKind, Mode, Route, Step, Transport};
use nl31_route::{DeviceName, path_diff};

use super::session::{Console, LINES_PER_STEP, NotThere, Reason, Running, count_routes};
use crate::config::file::{ConfigError, ConfigErrorKind, Loading};
use crate::config::save::{Progress, SaveError, Saving};
use crate::config::sorted::{self, Group, Sorted};
use crate::grammar;
use crate::grammar::codes::{self, Code};
use crate::platform::devices::Cached;

/// A save under way.
#[derive(Debug)]
pub(super) struct Save {
    saving: Saving,
    /// It ends a `confirm`.
    confirms: bool,
}

/// How the table differs from a config, being shown: both come in address order.
#[derive(Debug)]
pub(super) struct ConfigDiff {
    path: PathBuf,
    saved: Sorted,
    saved_next: Option<Group>,
    saved_ended: bool,
    dump: Dump,
    /// A prefix whose paths may not be all here yet.
    open: Option<Group>,
    table_next: Option<Group>,
    table_ended: bool,
    interrupted: bool,
    lines: VecDeque<(char, Route<DeviceName>)>,
    shown: u64,
}

/// What a step of [`ConfigDiff`] waits for.
enum Wait {
    /// Nothing: there is more to do, or lines to show.
    No,
    /// The kernel.
    Kernel,
    /// It is over.
    Over,
}

impl<T: Transport> Console<T> {
    pub(super) fn start_save(&mut self, confirms: bool) {
        let Some(client) = &mut self.client else {
            return match confirms {
                true => self.confirmed_but(format_args!("{}", ErrorKind::Absent)),
                false => self.absent(),
            };
        };
        match Saving::begin(client, &self.shared) {
            Ok(saving) => self.running = Running::Save(Box::new(Save { saving, confirms })),
            Err(error) => self.save_failed(&error, confirms),
        }
    }

    /// Saves some more routes; says whether that needs no waiting.
    pub(super) fn save(&mut self, mut save: Box<Save>) -> bool {
        if std::mem::take(&mut self.stop) {
            match save.confirms {
                true => self.confirmed_but(format_args!("stopped")),
                false => self.status(
                    codes::STOPPED,
                    format_args!("stopped, the saved config is as it was"),
                ),
            }
            return true;
        }
        let Some(client) = &mut self.client else {
            return false;
        };
        match save.saving.step(client, &*self.devices, &self.shared) {
            Ok(Progress::Saved(paths)) => {
                self.shared.saved(paths, save.saving.late());
                for device in save.saving.late() {
                    self.data(format_args!("* with the routes that wait for {device}"));
                }
                let confirmed = if save.confirms { "confirmed and " } else { "" };
                self.status(
                    codes::DONE,
                    format_args!("{confirmed}saved {}", count_routes(paths)),
                );
            }
            Ok(progress) => {
                self.running = Running::Save(save);
                return progress == Progress::Busy;
            }
            Err(error) => self.save_failed(&error, save.confirms),
        }
        true
    }

    fn save_failed(&mut self, error: &SaveError, confirms: bool) {
        let path = self.shared.files.config.display().to_string();
        let (code, text) = match error {
            SaveError::Kernel(error) => (Code::of(error), format!("{}", Reason(error))),
            SaveError::Io(error) => (codes::of_io(error), format!("{path}: {error}")),
        };
        log::error!("not saved: {text}");
        match confirms {
            true => self.confirmed_but(format_args!("{text}")),
            false => self.status(code, format_args!("not saved: {text}")),
        }
    }

    /// The half of a `confirm` that was done.
    fn confirmed_but(&mut self, why: std::fmt::Arguments<'_>) {
        self.status(
            codes::UNSAVED,
            format_args!("confirmed but not saved: {why}"),
        );
    }

    pub(super) fn start_load(&mut self, line: &str, start: usize) {
        let file = match grammar::one_word(line, start) {
            Ok(file) => file,
            Err(error) => return self.misspelled(line, &error),
        };
        if self.candidate.is_some() {
            let text = format_args!("edits are open: `commit` or `rollback` them first");
            return self.status(codes::LOCKED, text);
        }
        if self.is_unconfirmed() {
            return;
        }
        if self.client.is_none() {
            return self.absent();
        }
        let path = file.map_or(self.shared.files.saved(), Path::new);
        match Loading::open(path, Mode::Replace) {
            Ok(mut loading) => {
                // Only the resident agent is there to add them.
                if self.shared.resident {
                    loading = loading.without_absent();
                }
                self.running = Running::Load(Box::new(loading));
            }
            Err(error) => self.config_failed(&error),
        }
    }

    /// Loads some more lines.
    pub(super) fn load(&mut self, mut loading: Box<Loading>) {
        let Some(client) = &mut self.client else {
            return;
        };
        if std::mem::take(&mut self.stop) {
            loading.abort(client);
            return self.status(
                codes::STOPPED,
                format_args!("stopped, the table is as it was"),
            );
        }
        match loading.step(client, &*self.devices) {
            Ok(None) => self.running = Running::Load(loading),
            Ok(Some(loaded)) => {
                let late = loading.late();
                for device in late.iter().flat_map(|late| &late.devices) {
                    self.data(format_args!("* {}", NotThere(device)));
                }
                self.shared.replace(late);
                let path = loading.path().display();
                let routes = count_routes(loaded.added.into());
                log::info!("{path}: {routes} take the place of the table");
                self.status(codes::DONE, format_args!("loaded {routes} from {path}"));
            }
            Err(error) => self.config_failed(&error),
        }
    }

    fn config_failed(&mut self, error: &ConfigError) {
        let code = match &error.kind {
            ConfigErrorKind::Kernel(error) => Code::of(error),
            _ => codes::FILE,
        };
        self.status(code, format_args!("{error}"));
    }

    pub(super) fn factory_reset(&mut self) {
        match self.shared.files.forget() {
            Ok(()) => {
                log::warn!("the saved config was deleted");
                self.status(codes::DONE, format_args!(
                    "the next boot begins as the factory made it; the table is as it was, and `save` keeps it"
                ));
            }
            Err(error) => {
                let path = self.shared.files.config.display().to_string();
                self.status(codes::of_io(&error), format_args!("{path}: {error}"));
            }
        }
    }

    pub(super) fn start_config_diff(&mut self) {
        let path = self.shared.files.saved().to_path_buf();
        let saved = match Sorted::open(&path) {
            Ok(saved) => saved,
            Err(error) => return self.config_failed(&error),
        };
        match self.ask(|client| client.dump(&Default::default())) {
            Ok(dump) => {
                self.running = Running::ConfigDiff(Box::new(ConfigDiff {
                    path,
                    saved,
                    saved_next: None,
                    saved_ended: false,
                    dump,
                    open: None,
                    table_next: None,
                    table_ended: false,
                    interrupted: false,
                    lines: VecDeque::new(),
                    shown: 0,
                }));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    /// Shows some more differences; says whether that needs no waiting.
    pub(super) fn config_diff(&mut self, mut diff: Box<ConfigDiff>) -> bool {
        if std::mem::take(&mut self.stop) {
            self.status(codes::STOPPED, format_args!("stopped"));
            return true;
        }
        let devices = Rc::clone(&self.devices);
        let mut devices = Cached::new(&*devices);
        for _ in 0..LINES_PER_STEP {
            if self.page_is_full() {
                return self.pause(Running::ConfigDiff(diff));
            }
            if let Some((sign, route)) = diff.lines.pop_front() {
                self.data(format_args!("{sign} {route}"));
                diff.shown += 1;
                continue;
            }
            match self.compare(&mut diff, &mut devices) {
                Some(Wait::No) => {}
                Some(Wait::Kernel) => {
                    self.running = Running::ConfigDiff(diff);
                    return false;
                }
                Some(Wait::Over) if diff.interrupted => {
                    let text = format_args!("the table changed meanwhile: ask again");
                    self.status(codes::INTERRUPTED, text);
                    return true;
                }
                Some(Wait::Over) => {
                    let path = diff.path.display();
                    self.differences(diff.shown, format_args!("from {path}"));
                    return true;
                }
                None => return true,
            }
        }
        self.running = Running::ConfigDiff(diff);
        true
    }

    /// Goes on until there is a prefix of each side, and compares them. `None` after
    /// an error, which it tells.
    fn compare(&mut self, diff: &mut ConfigDiff, devices: &mut Cached<'_>) -> Option<Wait> {
        if diff.saved_next.is_none() && !diff.saved_ended {
            match diff.saved.step() {
                Ok(sorted::Step::Busy) => return Some(Wait::No),
                Ok(sorted::Step::Group(group)) => diff.saved_next = Some(group),
                Ok(sorted::Step::End) => diff.saved_ended = true,
                Err(error) => {
                    self.config_failed(&error);
                    return None;
                }
            }
        }
        while diff.table_next.is_none() && !diff.table_ended {
            let Some(client) = &mut self.client else {
                self.absent();
                return None;
            };
            match client.poll_next(&mut diff.dump) {
                Ok(Step::Route(route)) => {
                    let route = devices.named(route);
                    diff.of_table(route);
                }
                Ok(Step::Pending) => return Some(Wait::Kernel),
                Ok(Step::End { interrupted }) => {
                    diff.interrupted = interrupted;
                    diff.table_ended = true;
                    diff.table_next = diff.open.take();
                }
                Err(error) => {
                    self.failed(&error, format_args!("{}", Reason(&error)));
                    return None;
                }
            }
        }
        Some(diff.next_lines())
    }
}

impl ConfigDiff {
    /// Takes a path of the table.
    fn of_table(&mut self, route: Route<DeviceName>) {
        match &mut self.open {
            Some((prefix, paths)) if *prefix == route.prefix => paths.push(route.path),
            open => self.table_next = open.replace((route.prefix, vec![route.path])),
        }
    }

    /// Compares the lower of the two prefixes that come next.
    fn next_lines(&mut self) -> Wait {
        let saved = self.saved_next.as_ref().map(|(prefix, _)| *prefix);
        let table = self.table_next.as_ref().map(|(prefix, _)| *prefix);
        let Some(prefix) = saved.into_iter().chain(table).min() else {
            return Wait::Over;
        };
        let paths = |next: &mut Option<Group>| {
            let group = next.take_if(|(next, _)| *next == prefix);
            group.map_or_else(Vec::new, |(_, paths)| paths)
        };
        let (before, after) = (paths(&mut self.saved_next), paths(&mut self.table_next));
        path_diff(prefix, &before, &after, &mut |sign, route| {
            self.lines.push_back((sign, route));
        });
        Wait::No
    }
}
