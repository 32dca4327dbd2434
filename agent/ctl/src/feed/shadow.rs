// SPDX-License-Identifier: MIT OR Apache-2.0
//! The shadow table: for each route, what the source wants and what the board has. What may
//! differ waits in order of addresses to be sent, each route once however often it changed.
//!
//! A route is a prefix and a metric, as in Linux; it takes some 100 bytes. Of the board's
//! routes only those are here that the feed owns.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use nl31_route::{Prefix, Protocol};

use super::answers::Answers;
use super::next_hops::Changed;
use super::path_list::PathList;

/// Fewest rounds for which a deletion is held.
const HELD_MIN: u8 = 1;
/// Most of them, as a source may say more for ever.
const HELD_MAX: u8 = 50;

/// Prefix and metric.
pub type Key = (Prefix, u32);

/// What the source wants of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It has not said: the board's paths stay.
    Unknown,
    /// No such route.
    Nothing,
    /// These paths.
    Paths(PathList),
    /// The paths of a next-hop object, with this protocol.
    Object(u32, Protocol),
}

impl Wanted {
    fn is_route(&self) -> bool {
        matches!(self, Self::Paths(_) | Self::Object(..))
    }
}

#[derive(Clone, Debug)]
struct Entry {
    wanted: Wanted,
    board: Option<PathList>,
    /// The connection in which the source has last said this.
    epoch: u32,
    /// Rounds for which the sender has held the route's deletion, for one in its place.
    held: u8,
}

/// What is to be done on the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The route.
    pub key: Key,
    /// Its paths on the board.
    pub before: Option<PathList>,
    /// Those that it is to have.
    pub after: Option<PathList>,
}

/// The paths of an object, see [`Shadow::take`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The object is not known yet: the board's paths stay.
    Unknown,
    /// The board cannot have the route.
    Nothing,
    /// These.
    Paths(PathList),
}

/// The table.
#[derive(Debug, Default)]
pub struct Shadow {
    entries: BTreeMap<Key, Entry>,
    dirty: BTreeSet<Key>,
    /// Where the next round begins, so that no part of the table waits for another one that
    /// keeps changing.
    next: Option<Key>,
    routes: usize,
    epoch: u32,
    swept: bool,
    board_known: bool,
    /// What the source is to be told of its routes, if it wants to.
    answers: Option<Answers>,
}

impl Shadow {
    /// The source is to be told of each route, also of one that the board has had before.
    pub fn answer(&mut self) {
        self.answers = Some(Answers::default());
    }

    /// What it is to be told.
    pub fn answers(&mut self) -> Option<&mut Answers> {
        self.answers.as_mut()
    }

    /// Routes that the source wants.
    pub fn routes(&self) -> usize {
        self.routes
    }

    /// Routes that wait to be compared or sent.
    pub fn backlog(&self) -> usize {
        self.dirty.len()
    }

    /// Routes, also those that only the board has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the board's routes are known.
    pub fn is_board_known(&self) -> bool {
        self.board_known
    }

    /// Whether what the source has not said in this connection was deleted.
    pub fn is_swept(&self) -> bool {
        self.swept
    }

    /// The source begins to say all of its routes again, and may give its objects other
    /// numbers: the routes so far get the paths that they have.
    pub fn begin_epoch(&mut self, mut resolve: impl FnMut(Key, u32, Protocol) -> Resolved) {
        self.epoch = self.epoch.wrapping_add(1);
        self.swept = false;
        if let Some(answers) = &mut self.answers {
            answers.clear();
        }
        for (key, entry) in &mut self.entries {
            if let Wanted::Object(id, protocol) = entry.wanted {
                entry.wanted = match resolve(*key, id, protocol) {
                    Resolved::Paths(paths) => Wanted::Paths(paths),
                    Resolved::Unknown | Resolved::Nothing => Wanted::Unknown,
                };
                self.routes -= usize::from(!entry.wanted.is_route());
            }
        }
    }

    /// Deletes what the source has not said since [`Shadow::begin_epoch`]; gives how many.
    pub fn sweep(&mut self) -> usize {
        self.swept = true;
        let stale = |(key, entry): (&Key, &Entry)| {
            (entry.epoch != self.epoch && entry.wanted != Wanted::Nothing).then_some(*key)
        };
        let keys: Vec<_> = self.entries.iter().filter_map(stale).collect();
        for key in &keys {
            self.delete(*key);
        }
        keys.len()
    }

    /// What the source wants of a route. Gives `false` if it is a new one, and the source has
    /// `limit` of them; those that only the board has do not count.
    pub fn set(&mut self, key: Key, wanted: Wanted, limit: usize) -> bool {
        let entry = self.entries.get_mut(&key);
        let is_new = entry.as_ref().is_none_or(|entry| !entry.wanted.is_route());
        if is_new && self.routes >= limit {
            return false;
        }
        if let Some(entry) = entry {
            entry.epoch = self.epoch;
            if let Some(answers) = &mut self.answers {
                answers.remove(key);
                self.dirty.insert(key);
            }
            if entry.wanted != wanted {
                self.routes += usize::from(!entry.wanted.is_route());
                entry.wanted = wanted;
                entry.held = 0;
                self.dirty.insert(key);
            }
            return true;
        }
        let entry = Entry {
            wanted,
            board: None,
            epoch: self.epoch,
            held: 0,
        };
        self.entries.insert(key, entry);
        self.routes += 1;
        self.dirty.insert(key);
        true
    }

    /// The source has no such route.
    pub fn delete(&mut self, key: Key) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        entry.epoch = self.epoch;
        self.routes -= usize::from(entry.wanted.is_route());
        if let Some(answers) = &mut self.answers {
            answers.remove(key);
        }
        if !self.board_known && entry.board.is_none() {
            // Without a board nothing would remove the entries of a source that goes on.
            self.entries.remove(&key);
            self.dirty.remove(&key);
        } else if entry.wanted != Wanted::Nothing {
            entry.wanted = Wanted::Nothing;
            entry.held = 0;
            self.dirty.insert(key);
        }
    }

    /// The paths that the source wants of a route, unless it wants those of an object.
    pub fn paths(&self, key: Key) -> Option<PathList> {
        match &self.entries.get(&key)?.wanted {
            Wanted::Paths(paths) => Some(paths.clone()),
            _ => None,
        }
    }

    /// Whether the source wants such a route; one that is only to be deleted on the board is none.
    pub fn has(&self, key: Key) -> bool {
        let entry = self.entries.get(&key);
        entry.is_some_and(|entry| entry.wanted != Wanted::Nothing)
    }

    /// The metrics with which a prefix has routes.
    pub fn metrics(&self, prefix: Prefix) -> Vec<u32> {
        let keys = self.entries.range((prefix, 0)..=(prefix, u32::MAX));
        keys.map(|((_, metric), _)| *metric).collect()
    }

    /// Objects have changed: their routes are to be compared, and those of one that is gone are
    /// deleted.
    pub fn objects_changed(&mut self, changed: &Changed) {
        if changed.all.is_empty() {
            return;
        }
        let keys = self.entries.iter().filter_map(|(key, entry)| {
            let Wanted::Object(id, _) = entry.wanted else {
                return None;
            };
            let is_gone = changed.gone.contains(&id);
            changed.all.contains(&id).then_some((*key, is_gone))
        });
        for (key, is_gone) in keys.collect::<Vec<_>>() {
            match is_gone {
                false => {
                    self.dirty.insert(key);
                }
                true => {
                    let epoch = self.entries[&key].epoch;
                    self.delete(key);
                    if let Some(entry) = self.entries.get_mut(&key) {
                        entry.epoch = epoch;
                    }
                }
            }
        }
    }

    /// The board's routes are not known any more.
    pub fn forget_board(&mut self) {
        self.board_known = false;
        self.dirty.clear();
        self.entries.retain(|_, entry| {
            entry.board = None;
            entry.wanted.is_route()
        });
    }

    /// A route of the board, while it is listed.
    pub fn board_has(&mut self, key: Key, paths: PathList) {
        let entry = self.entries.entry(key).or_insert_with(|| Entry {
            wanted: match self.swept {
                true => Wanted::Nothing,
                false => Wanted::Unknown,
            },
            board: None,
            epoch: self.epoch.wrapping_sub(1),
            held: HELD_MAX,
        });
        entry.board = Some(paths);
    }

    /// All of the board's routes were listed.
    pub fn board_is_known(&mut self) {
        self.board_known = true;
        self.entries
            .retain(|_, entry| entry.wanted != Wanted::Nothing || entry.board.is_some());
        let differing = self
            .entries
            .iter()
            .filter(|(_, entry)| match &entry.wanted {
                Wanted::Unknown => false,
                Wanted::Nothing => true,
                Wanted::Paths(paths) => {
                    entry.board.as_ref() != Some(paths) || self.answers.is_some()
                }
                Wanted::Object(..) => true,
            });
        self.dirty = differing.map(|(key, _)| *key).collect();
    }

    /// Takes up to `limit` changes that are to be made on the board; `resolve` gives the paths
    /// of an object. A deletion is taken in the round after the one that has first found it, or
    /// some rounds later while the source has said `more` that was not read yet: so a route in
    /// its place may come in another message.
    pub fn take(
        &mut self,
        limit: usize,
        more: bool,
        mut resolve: impl FnMut(Key, u32, Protocol) -> Resolved,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        if !self.board_known {
            return changes;
        }
        let mut settled = Vec::new();
        let from = self.next.take().map_or(Bound::Unbounded, Bound::Included);
        let mut keys = self.dirty.range((from, Bound::Unbounded));
        for &key in &mut keys {
            let Some(entry) = self.entries.get_mut(&key) else {
                settled.push(key);
                continue;
            };
            let mut is_known = true;
            let after = match &entry.wanted {
                Wanted::Unknown => {
                    is_known = false;
                    entry.board.clone()
                }
                Wanted::Nothing => None,
                Wanted::Paths(paths) => Some(paths.clone()),
                Wanted::Object(id, protocol) => match resolve(key, *id, *protocol) {
                    Resolved::Unknown => {
                        is_known = false;
                        entry.board.clone()
                    }
                    Resolved::Nothing => None,
                    Resolved::Paths(paths) => Some(paths),
                },
            };
            let hold = if more { HELD_MAX } else { HELD_MIN };
            if after.is_none() && entry.board.is_some() && entry.held < hold {
                entry.held += 1;
                continue;
            }
            settled.push(key);
            if entry.board != after {
                let before = entry.board.clone();
                changes.push(Change { key, before, after });
            } else if entry.wanted == Wanted::Nothing {
                self.entries.remove(&key);
            } else if let Some(answers) = &mut self.answers
                && is_known
                && entry.epoch == self.epoch
            {
                match (&after, &entry.wanted) {
                    (Some(paths), _) => answers.add(key, paths, true),
                    (None, Wanted::Object(_, protocol)) => answers.refuse(key, *protocol),
                    (None, _) => {}
                }
            }
            if changes.len() == limit {
                break;
            }
        }
        self.next = keys.next().copied();
        for key in settled {
            self.dirty.remove(&key);
        }
        changes
    }

    /// The board has made these changes.
    pub fn made(&mut self, changes: Vec<Change>) {
        for Change { key, after, .. } in changes {
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            entry.board = after;
            // Of one that has changed meanwhile the source is told when that is made; of one that
            // it has not said in this connection, when it has.
            if let Some(answers) = &mut self.answers
                && entry.epoch == self.epoch
                && !self.dirty.contains(&key)
            {
                match (&entry.board, &entry.wanted) {
                    (Some(paths), _) => answers.add(key, paths, true),
                    (None, Wanted::Object(_, protocol)) => answers.refuse(key, *protocol),
                    (None, _) => {}
                }
            }
            if entry.board.is_none() && entry.wanted == Wanted::Nothing {
                self.entries.remove(&key);
                self.dirty.remove(&key);
            }
        }
    }

    /// The board has refused this change.
    pub fn refused(&mut self, change: &Change) {
        let entry = self.entries.get(&change.key);
        if let (Some(answers), Some(paths)) = (&mut self.answers, &change.after)
            && entry.is_some_and(|entry| entry.epoch == self.epoch)
            && !self.dirty.contains(&change.key)
        {
            answers.add(change.key, paths, false);
        }
    }

    /// These changes were not made.
    pub fn not_made(&mut self, changes: &[Change]) {
        self.dirty.extend(changes.iter().map(|change| change.key));
    }
}

#[cfg(test)]
mod tests;
