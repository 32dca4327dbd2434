// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keeps the board's table equal to the shadow table: lists the one, compares, and sends what
//! differs as transactions, for as long as the session lasts.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use nl31_route::{DeviceName, Prefix, Protocol, Route, Spec};
use nl31_wire::{Op, Request};

use super::status::Status;
use crate::commands::apply::{ATTEMPTS, OUTDATED};
use crate::commands::list::{generation, list};
use crate::commands::load::{Batches, Failed, transaction};
use crate::commands::route::whole;
use crate::error::{Error, Refused};
use crate::feed::path_list::PathList;
use crate::feed::shadow::Change;
use crate::feed::shared::Shared;
use crate::interrupt::{self, NOTICE};
use crate::link::Link;
use crate::output::Output;
use crate::port::Port;

/// Most routes of a transaction: changes that arrive meanwhile wait for its end, a second or less
/// at 115200 baud.
pub const TRANSACTION_MAX: usize = 16_384;

/// How long a deletion waits for a route in its place.
const HELD: Duration = Duration::from_millis(20);

/// The agent's code while another client changes the table, or the agent still loads its config.
const BUSY: u16 = 423;
/// Its code for a limit that is reached.
const FULL: u16 = 507;
/// Codes that no other route gets around: the line is locked or read-only.
const DENIED: [u16; 2] = [401, 403];

/// Times of the command.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Routes that the source has not sent again are deleted once it has sent nothing for this time.
    pub quiet: Duration,
    /// How often the board is asked whether its table has changed.
    pub poll: Duration,
    /// Pause after a refusal.
    pub pause: Duration,
}

/// The board's table, as far as this session knows it.
struct Board {
    /// The number of its last change.
    generation: u64,
    asked: Instant,
    /// Nothing was sent since the table was listed.
    fresh: bool,
    /// Most routes of the next transaction.
    limit: usize,
    /// Changes that did not fit the table; they are sent again once a route was deleted.
    without_room: Vec<Change>,
}

/// Feeds the board until the session ends, which is an error, or the program is to end.
pub fn sync<P: Port>(
    link: &mut Link<P>,
    shared: &Shared,
    times: Times,
    status: &mut Status,
    out: &mut Output<'_>,
) -> Result<(), Error> {
    shared.lock().source.shadow().forget_board();
    let mut board = Board {
        generation: 0,
        asked: Instant::now(),
        fresh: true,
        limit: TRANSACTION_MAX,
        without_room: Vec::new(),
    };
    loop {
        link.check()?;
        tell(shared, times, status, out)?;
        if !shared.lock().source.shadow().is_board_known() {
            match read(link, shared) {
                Ok(generation) => board.generation = generation,
                Err(Error::Changing) => {
                    interrupt::pause(times.pause)?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            board.fresh = true;
            board.asked = Instant::now();
            board.without_room.clear();
        }
        let changes = shared.lock().take(board.limit);
        if changes.is_empty() {
            wait(link, shared, times, &mut board)?;
            continue;
        }
        let count = changes.len() as u64;
        match send(link, &changes, board.generation) {
            Ok(()) => {
                let has_room = changes.iter().any(|change| change.after.is_none());
                let mut state = shared.lock();
                state.source.shadow().made(changes);
                shared.wake();
                if has_room {
                    let again = std::mem::take(&mut board.without_room);
                    state.source.shadow().not_made(&again);
                }
                drop(state);
                status.sent(count);
                // Another client's change between the commit and this answer is seen with the
                // next one.
                board.generation = generation(link)?;
                board.asked = Instant::now();
                board.fresh = false;
                board.limit = (board.limit * 2).min(TRANSACTION_MAX);
            }
            Err(failed) => refused(failed, changes, shared, &mut board, times, status, out)?,
        }
    }
}

/// Prints notices and counters, and deletes the routes that the source has not sent again after
/// it reconnected.
pub fn tell(
    shared: &Shared,
    times: Times,
    status: &mut Status,
    out: &mut Output<'_>,
) -> Result<(), Error> {
    let (notices, swept) = {
        let mut state = shared.lock();
        (state.take_notices(), state.sweep(times.quiet))
    };
    for notice in notices {
        status.notice(&notice, out)?;
    }
    if let Some(count) = swept {
        status.notice(&format!("all routes are here; {count} old ones go"), out)?;
    }
    status.show(shared, out)
}

/// Lists the board's routes of the feed's protocols into the shadow table; gives the number of
/// the table's last change.
fn read<P: Port>(link: &mut Link<P>, shared: &Shared) -> Result<u64, Error> {
    let selection = shared.lock().source.selection().clone();
    let filter = Spec {
        protocol: match selection.protocols[..] {
            [one] => Some(one),
            _ => None,
        },
        ..Spec::default()
    };
    for _ in 0..ATTEMPTS {
        let before = generation(link)?;
        shared.lock().source.shadow().forget_board();
        let mut routes: Vec<Route<DeviceName>> = Vec::new();
        let key = |route: &Route<DeviceName>| (route.prefix, route.path.metric);
        let changed = list(link, &filter, false, &mut |route| {
            if !selection.has_protocol(route.path.protocol) {
                return Ok(());
            }
            if routes
                .first()
                .is_some_and(|first| key(first) != key(&route))
            {
                shared.lock().source.board_has(&routes);
                routes.clear();
            }
            routes.push(route);
            Ok(())
        })?;
        if !changed && generation(link)? == before {
            let mut state = shared.lock();
            state.source.board_has(&routes);
            state.source.shadow().board_is_known();
            return Ok(before);
        }
    }
    Err(Error::Changing)
}

/// Waits for something to send; asks the board now and then whether it is still as it was.
fn wait<P: Port>(
    link: &mut Link<P>,
    shared: &Shared,
    times: Times,
    board: &mut Board,
) -> Result<(), Error> {
    if shared.lock().source.has_more() {
        std::thread::sleep(HELD);
        return Ok(());
    }
    if board.asked.elapsed() < times.poll {
        shared.wait(NOTICE.min(times.poll));
        return Ok(());
    }
    board.asked = Instant::now();
    if generation(link)? != board.generation {
        shared.lock().source.shadow().forget_board();
    }
    Ok(())
}

/// Makes changes as one transaction, if the table has not changed meanwhile.
fn send<P: Port>(link: &mut Link<P>, changes: &[Change], generation: u64) -> Result<(), Failed> {
    let push = |batches: &mut Batches<'_, P>| {
        for (tag, change) in changes.iter().enumerate() {
            push(batches, tag, change)?;
        }
        Ok(())
    };
    let begin = Request::Begin { replace: false };
    let bar = ProgressBar::hidden();
    transaction(link, &begin, Some(generation), &bar, push).map(|_| ())
}

fn push<P: Port>(batches: &mut Batches<'_, P>, tag: usize, change: &Change) -> Result<(), Failed> {
    let (prefix, metric) = change.key;
    let paths = |list: &Option<PathList>| list.as_deref().cloned().unwrap_or_default();
    let (before, mut after) = (paths(&change.before), paths(&change.after));
    // Appends are enough if they lead to the wanted order.
    if after.starts_with(&before) {
        after.drain(..before.len());
    } else {
        // Paths of other protocols stay. All paths of the feed are deleted, in any order: readers
        // see the table only after the transaction.
        for path in &before {
            batches.push(tag, Op::Delete, &owned(prefix, metric, path.protocol))?;
        }
    }
    for path in after {
        batches.push(tag, Op::Append, &whole(&Route { prefix, path }))?;
    }
    Ok(())
}

fn owned(prefix: Prefix, metric: u32, protocol: Protocol) -> Spec<DeviceName> {
    Spec {
        prefix: Some(prefix),
        metric: Some(metric),
        protocol: Some(protocol),
        ..Spec::default()
    }
}

/// Goes on after a transaction that was not made, or gives the error that ends the session.
fn refused(
    (tag, error): Failed,
    mut changes: Vec<Change>,
    shared: &Shared,
    board: &mut Board,
    times: Times,
    status: &mut Status,
    out: &mut Output<'_>,
) -> Result<(), Error> {
    let (code, text) = match error {
        // Another client has changed the table, or this is the table of another board.
        Error::Changing => {
            shared.lock().source.shadow().forget_board();
            return Ok(());
        }
        Error::Refused(Refused { code, .. }) if DENIED.contains(&code) => return Err(error),
        Error::Refused(Refused { code, text, .. }) => (code, text),
        error => return Err(error),
    };
    if code == BUSY {
        shared.lock().source.shadow().not_made(&changes);
        status.notice(&format!("waiting: {text}"), out)?;
    } else if OUTDATED.contains(&code) && !board.fresh {
        shared.lock().source.shadow().forget_board();
        return Ok(());
    } else {
        // A route is set aside, until the source changes it or the table is listed again; of a
        // full table all behind it that would need room, too.
        let alone = (changes.len() == 1).then_some(0);
        match tag.or(alone) {
            Some(tag) => {
                let prefix = changes[tag].key.0;
                let numbered = changes.drain(..).enumerate();
                let (aside, rest): (Vec<_>, Vec<_>) = numbered.partition(|(index, change)| {
                    *index == tag || code == FULL && *index > tag && change.before.is_none()
                });
                changes.extend(rest.into_iter().map(|(_, change)| change));
                let mut state = shared.lock();
                for (_, change) in &aside {
                    state.source.shadow().refused(change);
                }
                drop(state);
                shared.wake();
                let count = aside.len() as u64;
                if code == FULL {
                    let aside = aside.into_iter().map(|(_, change)| change);
                    board.without_room.extend(aside);
                }
                status.set_aside(count);
                let others = match count {
                    1 => String::new(),
                    count => format!(" and {} others", count - 1),
                };
                let text = format!("set aside {prefix}{others}: E{code} {text}");
                status.notice(&text, out)?;
            }
            None => board.limit = (changes.len() / 2).max(1),
        }
        shared.lock().source.shadow().not_made(&changes);
        if code != FULL && tag.is_some() {
            return Ok(());
        }
    }
    interrupt::pause(times.pause)
}
