// SPDX-License-Identifier: MIT OR Apache-2.0
//! `diff`: what the edits change, or how the table differs from the saved config.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;

use nl31_netlink::{Device, Dump, Prefix, Route, Step, Transport};
use nl31_route::{DeviceName, path_diff};

use super::json::{JsonChange, JsonSettingChange};
use super::reply::{Counted, Reason};
use super::session::{Console, LINES_PER_STEP, Running};
use crate::candidate::affected::{self, PreviewError};
use crate::config::saved_form::SavedForm;
use crate::config::settings::Settings;
use crate::config::sorted::{self, Group, Sorted};
use crate::grammar::{Setting, codes};
use crate::platform::atomic_file::folder;
use crate::platform::devices::Cached;

/// Settings that differ, each with its sign.
type SettingLines = VecDeque<(char, Setting)>;

/// The differences that the edits make, while they are shown.
#[derive(Debug, Default)]
pub(super) struct CandidateDiff {
    settings: SettingLines,
    last: Option<Prefix>,
    ended: bool,
    lines: VecDeque<(char, Route<Device>)>,
    json: bool,
    shown: u64,
}

/// The differences of the table from a config, while they are shown. Both sides are read in
/// address order.
#[derive(Debug)]
pub(super) struct ConfigDiff {
    path: PathBuf,
    /// The configured settings, until they are compared.
    configured: Option<Settings>,
    settings: SettingLines,
    saved: Sorted,
    saved_next: Option<Group>,
    saved_ended: bool,
    dump: Dump,
    form: SavedForm,
    /// A prefix whose paths are not complete yet.
    open: Option<Group>,
    table_next: Option<Group>,
    table_ended: bool,
    interrupted: bool,
    lines: VecDeque<(char, Route<DeviceName>)>,
    json: bool,
    shown: u64,
}

/// What a step of [`ConfigDiff`] waits for.
enum Wait {
    /// Nothing: there is more work, or there are lines to show.
    No,
    /// The kernel's next messages.
    Kernel,
    /// The end.
    Over,
}

impl<T: Transport> Console<T> {
    pub(super) fn start_candidate_diff(&mut self, json: bool) {
        let before = match self.shared.config.configured() {
            Ok(configured) => configured.settings,
            Err(error) => return self.file_failed(&error),
        };
        let Some(candidate) = &self.candidate else {
            return self.ready();
        };
        let after = match affected::settings(before.clone(), &*self.devices, candidate) {
            Ok(after) => after,
            Err(error) => return self.preview_failed(&error),
        };
        self.running = Running::CandidateDiff(Box::new(CandidateDiff {
            settings: differing(&before, &after),
            json,
            ..CandidateDiff::default()
        }));
    }

    fn show_setting(&mut self, sign: char, setting: &Setting, json: bool) {
        match json {
            true => self.data(format_args!("{}", JsonSettingChange(sign, setting))),
            false => self.data(format_args!("{sign} {setting}")),
        }
    }

    fn show_difference(&mut self, sign: char, route: &Route<DeviceName>, json: bool) {
        match json {
            true => self.data(format_args!("{}", JsonChange(sign, route))),
            false => self.data(format_args!("{sign} {route}")),
        }
    }

    /// Shows the differences that the edits make.
    pub(super) fn candidate_diff(&mut self, mut diff: Box<CandidateDiff>) -> bool {
        if std::mem::take(&mut self.stop) {
            self.status(codes::STOPPED, format_args!("stopped"));
            return true;
        }
        let devices = Rc::clone(&self.devices);
        let mut devices = Cached::new(&*devices);
        for _ in 0..LINES_PER_STEP {
            if self.page_is_full() {
                return self.pause(Running::CandidateDiff(diff));
            }
            if let Some((sign, setting)) = diff.settings.pop_front() {
                self.show_setting(sign, &setting, diff.json);
                diff.shown += 1;
                continue;
            }
            let Some((sign, route)) = diff.lines.pop_front() else {
                break;
            };
            let route = devices.named(route);
            self.show_difference(sign, &route, diff.json);
            diff.shown += 1;
        }
        if diff.settings.is_empty() && diff.lines.is_empty() && diff.ended {
            self.differences(diff.shown, format_args!("from the table"));
            return true;
        }
        if diff.lines.is_empty()
            && let Err(error) = self.next_affected(&mut diff)
        {
            self.preview_failed(&error);
            return true;
        }
        self.running = Running::CandidateDiff(diff);
        true
    }

    fn next_affected(&mut self, diff: &mut CandidateDiff) -> Result<(), PreviewError> {
        let (Some(client), Some(candidate)) = (&mut self.client, &self.candidate) else {
            diff.ended = true;
            return Ok(());
        };
        let mut chunk = affected::before(client, &*self.devices, candidate, diff.last)?;
        affected::after(&mut chunk, &*self.devices, candidate)?;
        diff.ended = chunk.len() < affected::CHUNK;
        diff.last = chunk.last().map(|affected| affected.prefix);
        for affected in &chunk {
            let (before, after) = (affected.before.all(), affected.after.all());
            path_diff(affected.prefix, before, after, &mut |sign, route| {
                diff.lines.push_back((sign, route));
            });
        }
        Ok(())
    }

    pub(super) fn start_config_diff(&mut self, json: bool) {
        let path = self.shared.config.files.saved().to_path_buf();
        let folder = folder(&self.shared.config.files.config);
        let saved = match Sorted::open(&path, folder) {
            Ok(saved) => saved,
            Err(error) => return self.config_failed(&error),
        };
        let configured = match self.shared.config.configured() {
            Ok(configured) => configured.settings,
            Err(error) => return self.file_failed(&error),
        };
        match self.ask(|client| client.dump(&Default::default())) {
            Ok(dump) => {
                self.running = Running::ConfigDiff(Box::new(ConfigDiff {
                    path,
                    configured: Some(configured),
                    settings: SettingLines::new(),
                    saved,
                    saved_next: None,
                    saved_ended: false,
                    dump,
                    form: SavedForm::default(),
                    open: None,
                    table_next: None,
                    table_ended: false,
                    interrupted: false,
                    lines: VecDeque::new(),
                    json,
                    shown: 0,
                }));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    /// Shows further differences; gives `false` if the caller has to wait.
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
            if let Some((sign, setting)) = diff.settings.pop_front() {
                self.show_setting(sign, &setting, diff.json);
                diff.shown += 1;
                continue;
            }
            if let Some((sign, route)) = diff.lines.pop_front() {
                self.show_difference(sign, &route, diff.json);
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
                    let text = format_args!("the table changed meanwhile; try again");
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

    /// Reads until there is a prefix of each side, and compares them. `None` after an error,
    /// which is printed.
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
        if let Some(saved) = diff.saved.settings()
            && let Some(configured) = diff.configured.take()
        {
            diff.settings = differing(saved, &configured);
            return Some(Wait::No);
        }
        while diff.table_next.is_none() && !diff.table_ended {
            let Some(client) = &mut self.client else {
                self.absent();
                return None;
            };
            match client.poll_next(&mut diff.dump) {
                Ok(Step::Route(route, _)) => {
                    if let Some(route) = diff.form.next(route, devices) {
                        diff.of_table(route);
                    }
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

    pub(super) fn differences(&mut self, shown: u64, from: std::fmt::Arguments<'_>) {
        match shown {
            0 => self.status(codes::DONE, format_args!("no difference {from}")),
            _ => self.status(
                codes::DONE,
                format_args!("{} {from}", Counted(shown, "difference")),
            ),
        }
    }
}

fn differing(before: &Settings, after: &Settings) -> SettingLines {
    let mut lines = SettingLines::new();
    before.difference(after, &mut |sign, setting| {
        lines.push_back((sign, setting.clone()));
    });
    lines
}

impl ConfigDiff {
    /// Adds a path of the table.
    fn of_table(&mut self, route: Route<DeviceName>) {
        match &mut self.open {
            Some((prefix, paths)) if *prefix == route.prefix => paths.push(route.path),
            open => self.table_next = open.replace((route.prefix, vec![route.path])),
        }
    }

    /// Compares the lower one of the two next prefixes.
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
