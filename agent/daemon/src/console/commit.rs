// SPDX-License-Identifier: MIT OR Apache-2.0
//! `begin`, edits, `diff`, `check`, `commit`, `confirm`, `rollback`.

use std::io;
use std::rc::Rc;

use nl31_netlink::{Error, Load, Mode, Prefix, Transport};

use super::reply::{Counted, Reason};
use super::session::{Console, LINES_PER_STEP, Running};
use crate::candidate::affected::{self, FLUSHED_MAX, PreviewError};
use crate::candidate::confirmed_commit::{self, LaterChanges};
use crate::candidate::edit::{self, Edit, Fault};
use crate::candidate::edit_log::{Candidate, CandidateError};
use crate::config::file::Lines;
use crate::config::settings::error::{Left, SettingError};
use crate::config::settings::transaction::Transaction;
use crate::grammar::codes::{self, Code};
use crate::grammar::{self, Command, SettingChange};
use crate::platform::devices::Cached;

/// What to do with the edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Check,
    Commit,
    /// With the seconds to confirm.
    Confirmed(u32),
}

/// A check or commit in progress.
#[derive(Debug)]
pub(super) struct Commit {
    purpose: Purpose,
    lines: Lines,
    pub(super) load: Load,
    /// The edits of settings, staged.
    settings: Option<Box<Transaction>>,
    /// The kernel has all edits: the undo file is being written, so far up to this prefix.
    undo: Option<(confirmed_commit::Writer, Option<Prefix>)>,
}

impl<T: Transport> Console<T> {
    pub(super) fn begin(&mut self) {
        if let Some(candidate) = &self.candidate {
            let edits = candidate.edits();
            return self.status(
                codes::LOCKED,
                format_args!("edits are open already ({edits}): `commit` or `rollback` ends them"),
            );
        }
        match Candidate::begin(&self.shared.config.files.candidate()) {
            Ok(candidate) => {
                self.candidate = Some(candidate);
                self.status(
                    codes::DONE,
                    format_args!("edits wait for `commit` from now on"),
                );
            }
            Err(error) => self.candidate_failed(&error),
        }
    }

    /// Appends a line to the edits.
    pub(super) fn edit(&mut self, command: &Command, line: &str, start: usize) {
        let made = self.candidate.as_ref().map_or(&[][..], Candidate::made);
        let devices = &mut Cached::with_made(&*self.devices, made);
        let passed_over = match edit::edit(command, line, start, devices) {
            Ok((_, passed_over)) => passed_over,
            Err(fault) => return self.faulty(line, &fault),
        };
        let Some(candidate) = &mut self.candidate else {
            return self.nothing_open();
        };
        match candidate.push(line) {
            Ok(number) => self.done(passed_over, format_args!("edit {number}")),
            Err(error) => self.candidate_failed(&error),
        }
    }

    fn candidate_failed(&mut self, error: &CandidateError) {
        match error {
            CandidateError::Busy => self.status(
                codes::LOCKED,
                format_args!("another session has edits open"),
            ),
            CandidateError::Full => self.status(
                codes::FULL,
                format_args!("the edits are too large for one commit: `commit` them first"),
            ),
            CandidateError::Io(error) => self.file_failed(error),
        }
    }

    pub(super) fn file_failed(&mut self, error: &io::Error) {
        let path = self.shared.config.files.run.display();
        let text = format!("{path}: {error}");
        self.status(codes::of_io(error), format_args!("{text}"));
    }

    fn nothing_open(&mut self) {
        self.status(
            codes::NOT_OPEN,
            format_args!("no edits are open: `begin` first"),
        );
    }

    /// Whether a commit waits for its confirmation; prints the refusal if so.
    pub(super) fn is_unconfirmed(&mut self) -> bool {
        let left = self.shared.left();
        if let Some(left) = left {
            let seconds = left.div_ceil(1000);
            let how = match self.shared.config.resident {
                true => "`confirm` keeps it; `rollback` rolls it back",
                false => "`confirm` or `rollback` it on the serial console, or with nl31ctl",
            };
            self.status(
                codes::LOCKED,
                format_args!("a commit waits {seconds} s more: {how}"),
            );
        }
        left.is_some()
    }

    pub(super) fn start_commit(&mut self, line: &str, start: usize) {
        match grammar::confirmed(line, start) {
            Err(error) => self.misspelled(line, &error),
            Ok(Some(_)) if !self.shared.config.resident => self.status(
                codes::DENIED,
                format_args!("this agent ends with its input: use the serial console, or nl31ctl"),
            ),
            Ok(Some(seconds)) => self.start_edits(Purpose::Confirmed(seconds)),
            Ok(None) => self.start_edits(Purpose::Commit),
        }
    }

    pub(super) fn start_edits(&mut self, purpose: Purpose) {
        let Some(candidate) = &self.candidate else {
            return self.nothing_open();
        };
        let (edits, lines) = (candidate.edits(), candidate.lines());
        if purpose != Purpose::Check && self.is_unconfirmed() {
            return;
        }
        let lines = match lines {
            Ok(lines) => lines,
            Err(error) => return self.file_failed(&error),
        };
        // Edits are numbered from 1.
        let load = self.ask(|client| Ok(Load::new(client, Mode::Transaction, edits + 1)));
        match load {
            Ok(load) => {
                self.running = Running::Commit(Box::new(Commit {
                    purpose,
                    lines,
                    load,
                    settings: None,
                    undo: None,
                }));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    /// Continues a check or commit.
    pub(super) fn commit(&mut self, mut commit: Box<Commit>) {
        if std::mem::take(&mut self.stop) {
            self.abandon(&mut commit.load);
            return self.status(codes::STOPPED, format_args!("stopped; nothing was changed"));
        }
        if commit.undo.is_some() {
            return self.write_undo(commit);
        }
        let devices = Rc::clone(&self.devices);
        let made = self.candidate.as_ref().map_or(&[][..], Candidate::made);
        let made = made.to_vec();
        let mut devices = Cached::with_made(&*devices, &made);
        for _ in 0..4 * LINES_PER_STEP {
            match commit.lines.advance() {
                Ok(true) => {}
                Ok(false) => return self.pushed(commit),
                Err(_) => {
                    self.abandon(&mut commit.load);
                    return self.file_failed(&io::ErrorKind::InvalidData.into());
                }
            }
            let number = commit.lines.number();
            match edit::reread(commit.lines.text(), &mut devices) {
                Err(fault) => {
                    self.abandon(&mut commit.load);
                    return self.edit_faulty(number, &fault);
                }
                Ok(Edit::Setting(change)) => {
                    if let Err(error) = self.stage(&mut commit, number, change) {
                        self.abandon(&mut commit.load);
                        return self.setting_edit_failed(&error);
                    }
                }
                Ok(Edit::Route(change)) => {
                    let pushed = self.ask(|client| commit.load.push(client, number, &change));
                    if let Err(error) = pushed {
                        return self.edit_refused(&commit, &error);
                    }
                }
            }
        }
        self.running = Running::Commit(commit);
    }

    /// Stages an edit of a setting.
    fn stage(
        &mut self,
        commit: &mut Commit,
        number: u32,
        change: SettingChange,
    ) -> Result<(), SettingError> {
        let settings = match &mut commit.settings {
            Some(settings) => settings,
            settings => {
                let path = self.shared.config.files.settings();
                settings.insert(Box::new(Transaction::open(&path)?))
            }
        };
        settings.stage(number, change, &*self.devices)
    }

    /// The kernel has all edits of routes; its open transaction blocks other changes of the table.
    fn pushed(&mut self, mut commit: Box<Commit>) {
        if let (Some(settings), Some(client)) = (&mut commit.settings, &mut self.client) {
            let path = self.shared.config.files.settings();
            if let Err(error) = settings.prepare(client, &path, Some(&mut commit.load)) {
                self.abandon(&mut commit.load);
                return self.setting_edit_failed(&error);
            }
        }
        match commit.purpose {
            Purpose::Check => {
                let checked = self.ask(|client| commit.load.check(client));
                match checked {
                    Ok(()) => self.status(codes::DONE, format_args!("every edit can be made")),
                    Err(error) => self.edit_refused(&commit, &error),
                }
            }
            Purpose::Commit => self.finish(&mut commit),
            Purpose::Confirmed(_) => {
                match confirmed_commit::Writer::create(&self.shared.config.files.undo()) {
                    Ok(writer) => {
                        commit.undo = Some((writer, None));
                        self.running = Running::Commit(commit);
                    }
                    Err(error) => {
                        self.abandon(&mut commit.load);
                        self.file_failed(&error);
                    }
                }
            }
        }
    }

    /// Writes the undo file, a chunk at a time; then commits.
    fn write_undo(&mut self, mut commit: Box<Commit>) {
        let (Some((mut writer, last)), Some(candidate)) = (commit.undo.take(), &self.candidate)
        else {
            return self.nothing_open();
        };
        let Some(client) = &mut self.client else {
            return self.ready();
        };
        let chunk = match affected::before(client, &*self.devices, candidate, last) {
            Ok(chunk) => chunk,
            Err(error) => {
                self.abandon(&mut commit.load);
                return self.preview_failed(&error);
            }
        };
        let mut last = None;
        let devices = Rc::clone(&self.devices);
        let mut devices = Cached::new(&*devices);
        for affected in &chunk {
            last = Some(affected.prefix);
            match writer.prefix(affected.prefix, &affected.before, &mut devices) {
                Ok(true) => {}
                Ok(false) => {
                    self.abandon(&mut commit.load);
                    let max = confirmed_commit::PREFIXES_MAX;
                    return self.status(
                        codes::FULL,
                        format_args!(
                            "a commit to be confirmed takes at most {max} prefixes: commit in parts"
                        ),
                    );
                }
                Err(error) => {
                    self.abandon(&mut commit.load);
                    return self.file_failed(&error);
                }
            }
        }
        if chunk.len() == affected::CHUNK {
            commit.undo = Some((writer, last));
            self.running = Running::Commit(commit);
            return;
        }
        let Purpose::Confirmed(seconds) = commit.purpose else {
            return self.ready();
        };
        let until = confirmed_commit::now() + u64::from(seconds) * 1000;
        let before = commit.settings.as_ref().map_or(&[][..], |set| set.before());
        match writer.settings(before).and_then(|()| writer.arm(until)) {
            Ok(()) => {
                self.shared.unconfirmed.set(Some(until));
                self.finish(&mut commit);
            }
            Err(error) => {
                self.abandon(&mut commit.load);
                self.file_failed(&error);
            }
        }
    }

    /// Makes the settings, commits the kernel's transaction, and begins to forward.
    fn finish(&mut self, commit: &mut Commit) {
        if let (Some(settings), Some(client)) = (&mut commit.settings, &mut self.client)
            && let Err(error) = settings.apply(client, &*self.devices)
        {
            self.abandon(&mut commit.load);
            // Nothing is left of it, or the roll-back tries again.
            if error.left.is_empty() {
                self.shared.forget_unconfirmed();
            }
            return self.setting_edit_failed(&error);
        }
        match self.ask(|client| commit.load.finish(client)) {
            Ok(_) => {
                let left = match (commit.settings.take(), &mut self.client) {
                    (Some(settings), Some(client)) => settings.finish(client),
                    _ => Left::default(),
                };
                if let (Purpose::Confirmed(_), Some(client)) = (commit.purpose, &mut self.client) {
                    let path = self.shared.config.files.undo();
                    confirmed_commit::record_result(client, &*self.devices, &path);
                }
                let edits = self
                    .candidate
                    .take()
                    .map_or(0, |candidate| candidate.edits());
                let edits = Counted(edits.into(), "edit");
                log::info!("committed {edits}");
                match commit.purpose {
                    _ if !left.is_empty() => {
                        log::error!("commit: {}", left.text());
                        let text = left.text();
                        self.status(
                            codes::PARTLY,
                            format_args!("committed {edits}, except: {text}"),
                        );
                    }
                    _ if edits.0 == 0 => {
                        self.shared.forget_unconfirmed();
                        self.status(codes::NOTHING, format_args!("there were no edits"));
                    }
                    Purpose::Confirmed(seconds) => self.status(
                        codes::DONE,
                        format_args!(
                            "committed {edits}, for {seconds} s: `confirm` keeps and saves them"
                        ),
                    ),
                    _ => self.status(codes::DONE, format_args!("committed {edits}")),
                }
            }
            Err(error) => {
                let left = match (commit.settings.take(), &mut self.client) {
                    (Some(mut settings), Some(client)) => {
                        settings.take_back(client, &*self.devices)
                    }
                    _ => Left::default(),
                };
                if !left.is_empty() {
                    log::error!("commit{left}");
                    // The roll-back, if there is one, tries again.
                    return self.status(Code::of(&error), format_args!("{}{left}", Reason(&error)));
                }
                if error.errno().is_some() {
                    self.shared.forget_unconfirmed();
                }
                // Otherwise it is unknown whether the edits were made; the roll-back
                // then restores the old paths.
                self.edit_refused(commit, &error);
            }
        }
    }

    /// Aborts the kernel's transaction of a commit or load.
    pub(super) fn abandon(&mut self, load: &mut Load) {
        match self.ask(|client| load.abort(client)) {
            Err(error) if error.errno().is_none() => log::warn!("{error}"),
            _ => {}
        }
    }

    /// Shows an edit that cannot be made, with the reason.
    fn edit_refused(&mut self, commit: &Commit, error: &Error) {
        log::debug!("{error}");
        match commit.load.tag(error) {
            Some(number) => {
                self.edit_failed(number, Code::of(error), format_args!("{}", Reason(error)))
            }
            None => self.status(Code::of(error), format_args!("{}", Reason(error))),
        }
    }

    /// Shows an edit of a setting that cannot be made.
    fn setting_edit_failed(&mut self, error: &SettingError) {
        log::debug!("{error:?}");
        let unchanged = match error.left.is_empty() {
            true => "; nothing was changed",
            false => "",
        };
        match error.tag {
            Some(number) => {
                self.show_edit(number);
                self.status(
                    error.code(),
                    format_args!("edit {number}: {error}{unchanged}"),
                );
            }
            None => self.status(error.code(), format_args!("{error}{unchanged}")),
        }
    }

    fn edit_faulty(&mut self, number: u32, fault: &Fault) {
        self.edit_failed(number, fault.code(), format_args!("{fault}"));
    }

    fn edit_failed(&mut self, number: u32, code: Code, what: std::fmt::Arguments<'_>) {
        self.show_edit(number);
        self.status(
            code,
            format_args!("edit {number}: {what}; nothing was changed"),
        );
    }

    fn show_edit(&mut self, number: u32) {
        let lines = self
            .candidate
            .as_ref()
            .and_then(|candidate| candidate.lines().ok());
        if let Some(mut lines) = lines {
            while matches!(lines.advance(), Ok(true)) && lines.number() < number {}
            self.data(format_args!("  {}", lines.text()));
        }
    }

    pub(super) fn preview_failed(&mut self, error: &PreviewError) {
        match error {
            PreviewError::Edit(number, fault) => self.edit_faulty(*number, fault),
            PreviewError::Conflict(number, prefix, conflict) => {
                let code = Code::of_errno(conflict.errno(true));
                let why = std::io::Error::from_raw_os_error(conflict.errno(false));
                self.edit_failed(*number, code, format_args!("{prefix}: {why}"));
            }
            PreviewError::TooMany(number) => self.edit_failed(
                *number,
                codes::FULL,
                format_args!(
                    "the flushes up to here touch more than {FLUSHED_MAX} routes, too many to look \
                     at each"
                ),
            ),
            PreviewError::Full(number, limit) => {
                self.edit_failed(*number, codes::FULL, format_args!("{limit}"));
            }
            PreviewError::Kernel(error) => self.failed(error, format_args!("{}", Reason(error))),
            PreviewError::Io(error) => self.file_failed(error),
        }
    }

    pub(super) fn confirm(&mut self) {
        let waited = self.shared.unconfirmed.get().is_some();
        if !waited {
            return self.status(
                codes::NOT_OPEN,
                format_args!("no commit waits to be confirmed"),
            );
        }
        if let Err(error) = confirmed_commit::disarm(&self.shared.config.files.undo()) {
            return self.file_failed(&error);
        }
        self.shared.unconfirmed.set(None);
        log::info!("the commit is confirmed");
        self.start_save(true);
    }

    pub(super) fn rollback(&mut self) {
        if let Some(candidate) = self.candidate.take() {
            let edits = Counted(candidate.edits().into(), "edit");
            let waits = self.shared.unconfirmed.get().is_some();
            if !waits {
                return self.status(codes::DONE, format_args!("dropped {edits}"));
            }
            // Without edits the user means the commit.
            if candidate.edits() > 0 {
                return self.status(codes::DONE, format_args!(
                    "dropped {edits}; a commit waits for `confirm`: `rollback` again rolls it back"
                ));
            }
        }
        if self.shared.unconfirmed.get().is_none() {
            let text = format_args!("no edits are open, and no commit waits to be confirmed");
            return self.status(codes::NOT_OPEN, text);
        }
        let files = &self.shared.config.files;
        let Some(client) = &mut self.client else {
            return self.absent();
        };
        match confirmed_commit::roll_back(client, &*self.devices, files, LaterChanges::Undo) {
            Ok(done) => {
                self.shared.rolled_back(done);
                log::info!("{done}");
                self.status(codes::DONE, format_args!("{done}"));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }
}
