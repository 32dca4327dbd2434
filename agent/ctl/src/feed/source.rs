// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the source says, carried out on the shadow table message by message.

use std::collections::BTreeMap;

use nl31_route::{DeviceName, Family, Path, PathKind, Protocol, Route};

use super::devices::Devices;
use super::next_hops::{NextHops, PathHead};
use super::path_list::PathLists;
use super::rtnetlink::{BadMessage, Message, RouteMessage, Via, messages};
use super::selection::Selection;
use super::shadow::{Change, Key, Resolved, Shadow, Wanted};

/// What a metric of a route means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metrics {
    /// A prefix has one route, whatever its metric: a forwarding table.
    One,
    /// A prefix has a route for each metric; one without a metric has 0: Linux's table.
    Each,
}

/// Counters of what was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that were understood.
    pub messages: u64,
    /// Routes that were passed over, and messages that were not understood, by the reason.
    pub passed_over: BTreeMap<&'static str, u64>,
}

/// The source's table, and what is needed to read it.
#[derive(Debug)]
pub struct Source {
    selection: Selection,
    metrics: Metrics,
    devices: Devices,
    next_hops: NextHops,
    lists: PathLists,
    shadow: Shadow,
    counts: Counts,
    /// Things to tell a person, each once.
    notices: Vec<String>,
}

impl Source {
    /// A source that has said nothing.
    pub fn new(selection: Selection, metrics: Metrics, devices: Devices) -> Self {
        Self {
            selection,
            metrics,
            devices,
            next_hops: NextHops::default(),
            lists: PathLists::default(),
            shadow: Shadow::default(),
            counts: Counts::default(),
            notices: Vec::new(),
        }
    }

    /// The shadow table.
    pub fn shadow(&mut self) -> &mut Shadow {
        &mut self.shadow
    }

    /// What was said so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Which routes are carried.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// What a person should know, each once.
    pub fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// The source begins to say all of its routes again.
    pub fn begin(&mut self) {
        let Self {
            next_hops,
            devices,
            lists,
            shadow,
            ..
        } = self;
        shadow.objects_changed(&next_hops.take_changed());
        shadow
            .begin_epoch(|key, id, protocol| resolve(next_hops, devices, lists, key, id, protocol));
        self.next_hops = NextHops::default();
    }

    /// Takes the messages of a frame or datagram, all at once. Gives their number, or an error
    /// if they cannot be told apart; those before that one are taken.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<u64, BadMessage> {
        let mut count = 0;
        for message in messages(bytes) {
            match message {
                Ok(message) => self.message(message),
                Err(BadMessage::Content(reason)) => self.pass_over(reason, ""),
                Err(BadMessage::Length) => return Err(BadMessage::Length),
            }
            count += 1;
        }
        Ok(count)
    }

    fn message(&mut self, message: Message) {
        self.counts.messages += 1;
        match message {
            Message::NewRoute(route, append) => self.new_route(route, append),
            Message::DeleteRoute(route) => self.delete_route(&route),
            Message::NewNextHop(id, next_hop) => {
                if !self.next_hops.set(id, next_hop) {
                    self.pass_over("more next hops than this program keeps", "");
                }
            }
            Message::DeleteNextHop(id) => self.next_hops.delete(id),
            Message::Done(_) | Message::Error(_) | Message::Other(_) => {}
        }
    }

    fn new_route(&mut self, route: RouteMessage, append: bool) {
        if route.table != self.selection.table {
            return;
        }
        let prefix = route.prefix;
        let key = (prefix, route.metric.unwrap_or(0));
        // Linux uses the first route of a metric, and those behind it only when it is gone.
        // Of IPv6 it tells all paths of the metric.
        let behind = append && prefix.family() == Family::V4 && self.metrics == Metrics::Each;
        if behind && self.shadow.has(key) {
            return;
        }
        if self.metrics == Metrics::One {
            for metric in self.shadow.metrics(prefix) {
                if metric != key.1 {
                    self.shadow.delete((prefix, metric));
                }
            }
        }
        if !self.selection.has(&route) {
            return self.shadow.delete(key);
        }
        match self.wanted(key, &route) {
            Ok(wanted) => {
                if !self.shadow.set(key, wanted, self.selection.max_routes) {
                    self.refuse(key, &route);
                    self.pass_over("more routes than --max-routes", &prefix.to_string());
                }
            }
            Err(reason) => {
                self.shadow.delete(key);
                self.refuse(key, &route);
                self.pass_over(reason, &prefix.to_string());
            }
        }
    }

    /// Zebra is told, unless it has as many answers to read as it may have routes.
    fn refuse(&mut self, key: Key, route: &RouteMessage) {
        if let Some(answers) = self.shadow.answers()
            && answers.len() < self.selection.max_routes
        {
            answers.refuse(key, Protocol(route.protocol));
        }
    }

    fn wanted(&mut self, key: Key, route: &RouteMessage) -> Result<Wanted, &'static str> {
        let head = head(key, Protocol(route.protocol));
        let paths = match (PathKind::try_from(route.kind), &route.via) {
            (Ok(PathKind::Unicast), Via::Object(id)) => {
                self.next_hops.await_object(*id);
                return Ok(Wanted::Object(*id, head.protocol));
            }
            (Ok(PathKind::Unicast), Via::Hops(hops)) => head.through(hops, &mut self.devices)?,
            (Ok(kind), _) => vec![head.drops(kind)],
            (Err(()), _) => return Err("a route of a type that the board does not have"),
        };
        Ok(Wanted::Paths(self.lists.intern(paths)))
    }

    fn delete_route(&mut self, route: &RouteMessage) {
        if route.table != self.selection.table {
            return;
        }
        match self.metrics {
            Metrics::Each => self.delete_paths(route),
            Metrics::One => {
                for metric in self.shadow.metrics(route.prefix) {
                    self.shadow.delete((route.prefix, metric));
                }
            }
        }
    }

    /// Deletes a route of Linux's table. Of several IPv6 paths it may be one alone that goes.
    fn delete_paths(&mut self, route: &RouteMessage) {
        let key = (route.prefix, route.metric.unwrap_or(0));
        let Via::Hops(hops) = &route.via else {
            return self.shadow.delete(key);
        };
        let head = head(key, Protocol(route.protocol));
        let gone = head.through(hops, &mut self.devices).unwrap_or_default();
        let left: Vec<_> = match self.shadow.paths(key) {
            Some(paths) if route.prefix.family() == Family::V6 && paths.len() > gone.len() => {
                let stays = |path: &&Path<DeviceName>| !gone.contains(path);
                paths.iter().filter(stays).cloned().collect()
            }
            _ => Vec::new(),
        };
        if left.is_empty() || gone.is_empty() {
            return self.shadow.delete(key);
        }
        let wanted = Wanted::Paths(self.lists.intern(left));
        self.shadow.set(key, wanted, self.selection.max_routes);
    }

    /// Counts what is passed over; the first of each reason is told.
    fn pass_over(&mut self, reason: &'static str, of: &str) {
        let count = self.counts.passed_over.entry(reason).or_default();
        *count += 1;
        if *count == 1 {
            let of = match of {
                "" => String::new(),
                of => format!("{of}: "),
            };
            let text = format!("passed over: {of}{reason}; others like it are only counted");
            self.notices.push(text);
        }
    }

    /// A route of the board, while it is listed: its paths of one metric, in their order.
    pub fn board_has(&mut self, routes: &[Route<DeviceName>]) {
        if let Some(first) = routes.first() {
            let paths = routes.iter().map(|route| route.path.clone()).collect();
            let paths = self.lists.intern(paths);
            self.shadow
                .board_has((first.prefix, first.path.metric), paths);
        }
    }

    /// Whether something is to be compared or sent.
    pub fn has_more(&self) -> bool {
        self.shadow.backlog() > 0 || self.next_hops.has_changed()
    }

    /// Takes up to `limit` changes that are to be made on the board; `more` was said than was
    /// read, see [`Shadow::take`].
    pub fn take(&mut self, limit: usize, more: bool) -> Vec<Change> {
        let Self {
            next_hops,
            devices,
            lists,
            shadow,
            ..
        } = self;
        shadow.objects_changed(&next_hops.take_changed());
        shadow.take(limit, more, |key, id, protocol| {
            resolve(next_hops, devices, lists, key, id, protocol)
        })
    }
}

fn head((prefix, metric): Key, protocol: Protocol) -> PathHead {
    PathHead {
        prefix,
        metric,
        protocol,
    }
}

fn resolve(
    next_hops: &NextHops,
    devices: &mut Devices,
    lists: &mut PathLists,
    key: Key,
    id: u32,
    protocol: Protocol,
) -> Resolved {
    match next_hops.paths(id, head(key, protocol), devices) {
        Ok(paths) => Resolved::Paths(lists.intern(paths)),
        Err(_) if next_hops.has(id) => Resolved::Nothing,
        Err(_) => Resolved::Unknown,
    }
}

#[cfg(test)]
mod tests;
