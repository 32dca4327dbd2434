// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the thread that reads the source and the one that has the board's line share.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::shadow::Change;
use super::source::Source;

/// Notices that are kept until they are told.
const NOTICES_MAX: usize = 100;

/// The source and its connection.
#[derive(Debug)]
pub struct State {
    /// What it says.
    pub source: Source,
    /// Its address, while it is connected.
    pub peer: Option<String>,
    /// When it has last said something in this connection.
    pub heard: Option<Instant>,
    /// It has said more, which is not read yet.
    pub more: bool,
    notices: Vec<String>,
}

impl State {
    /// Takes up to `limit` changes that are to be made on the board.
    pub fn take(&mut self, limit: usize) -> Vec<Change> {
        self.source.take(limit, self.more)
    }

    /// Keeps a notice for a person.
    pub fn notice(&mut self, text: String) {
        if self.notices.len() < NOTICES_MAX {
            self.notices.push(text);
        }
    }

    /// The notices since the last call.
    pub fn take_notices(&mut self) -> Vec<String> {
        let mut notices = std::mem::take(&mut self.notices);
        notices.extend(self.source.take_notices());
        notices
    }

    /// Deletes what the source has not said again, if it has said something in this connection
    /// and then nothing for this time. Gives how many routes.
    pub fn sweep(&mut self, quiet: Duration) -> Option<usize> {
        let heard = self.heard.filter(|_| self.peer.is_some())?;
        let is_due = !self.source.shadow().is_swept() && heard.elapsed() >= quiet;
        is_due.then(|| self.source.shadow().sweep())
    }
}

/// See the module.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    /// Nothing was said yet.
    pub fn new(source: Source) -> Self {
        Self {
            state: Mutex::new(State {
                source,
                peer: None,
                heard: None,
                more: false,
                notices: Vec::new(),
            }),
            changed: Condvar::new(),
        }
    }

    /// The state. No one waits for a line or a peer while they hold it.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that has panicked ends the program, or a test.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the sender.
    pub fn wake(&self) {
        self.changed.notify_all();
    }

    /// Takes up to `limit` frames of what the source is to be told; waits for some until it is
    /// woken, or this time has passed.
    pub fn take_answers(&self, limit: usize, wait: Duration) -> Vec<u8> {
        let mut state = self.lock();
        if state
            .source
            .shadow()
            .answers()
            .is_none_or(|answers| answers.is_empty())
        {
            let waited = self.changed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let table = state.source.selection().table;
        let answers = state.source.shadow().answers();
        let answers = answers.map_or_else(Vec::new, |answers| answers.take(limit));
        drop(state);
        answers
            .iter()
            .flat_map(|answer| answer.frame(table))
            .collect()
    }

    /// Waits until it is woken, or this time has passed, unless something is to be sent.
    pub fn wait(&self, time: Duration) {
        let state = self.lock();
        if !state.source.has_more() {
            drop(self.changed.wait_timeout(state, time));
        }
    }
}
