// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes from zebra's connection, which are cut, end and come back anywhere, beside a board
//! that takes changes, refuses them, restarts and has routes of its own: each change is what the
//! source wants at that moment, and in the end the board has what a plain model says.
#![no_main]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use nl31_ctl::feed::devices::{DeviceMap, Devices};
use nl31_ctl::feed::listener;
use nl31_ctl::feed::selection::Selection;
use nl31_ctl::feed::shadow::{Change, Key};
use nl31_ctl::feed::shared::Shared;
use nl31_ctl::feed::source::{Metrics, Source};
use nl31_fuzz::feed::{Expected, Model, Paths};
use nl31_route::{DeviceName, Route};

/// Steps are parted by this, so that what changes in one leaves the others.
const SEPARATOR: [u8; 2] = [0xaa, 0x55];
/// With `--max-routes` of this no input reaches it.
const MANY: usize = 1 << 20;
/// And with this, some do.
const FEW: usize = 3;
/// A source that says nothing has nothing to send after so many rounds.
const ROUNDS: usize = 200;
/// There are not so many reasons to pass a route over.
const NOTICES: usize = 64;

fuzz_target!(|data: &[u8]| {
    let Some((&how, data)) = data.split_first() else {
        return;
    };
    let metrics = match how & 1 {
        0 => Metrics::One,
        _ => Metrics::Each,
    };
    let mut selection = Selection {
        max_routes: if how & 2 == 0 { MANY } else { FEW },
        ..Selection::default()
    };
    if how & 4 != 0 {
        selection.lengths4 = Some("8-24".parse().expect("lengths"));
    }
    let devices = || {
        let maps: &[&str] = match how & 24 {
            0 => &[],
            8 => &["*="],
            _ => &["v0=eth0", "7=eth1"],
        };
        let map = |text: &&str| text.parse::<DeviceMap>().expect("a map");
        Devices::with_names(maps.iter().map(map).collect(), |index| match index {
            0 => None,
            1..=4 => format!("v{}", index - 1).parse().ok(),
            _ => None,
        })
    };
    let shared = Shared::new(Source::new(selection.clone(), metrics, devices()));
    let world = RefCell::new(World {
        model: Model::new(selection.clone(), metrics, devices()),
        has_limit: selection.max_routes == FEW,
        shared: &shared,
        steps: steps(data).into_iter(),
        board: BTreeMap::new(),
        under_way: Vec::new(),
    });
    shared.lock().source.shadow().board_is_known();
    while !world.borrow().steps.as_slice().is_empty() {
        shared.lock().source.begin();
        world.borrow_mut().model.begin();
        listener::read(&Connection(&world), &shared);
        world.borrow_mut().check();
    }
    world.borrow_mut().settle();
});

fn steps(data: &[u8]) -> Vec<&[u8]> {
    let mut steps = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(2).position(|pair| pair == SEPARATOR) {
        steps.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    steps.push(rest);
    steps
}

/// What is around the source.
struct World<'a> {
    model: Model,
    /// Some routes of the model may be passed over.
    has_limit: bool,
    shared: &'a Shared,
    steps: std::vec::IntoIter<&'a [u8]>,
    board: BTreeMap<Key, Paths>,
    /// Sent and not yet answered.
    under_way: Vec<Change>,
}

struct Connection<'a, 'b>(&'a RefCell<World<'b>>);

impl Read for &Connection<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut world = self.0.borrow_mut();
        world.check();
        while let Some(step) = world.steps.next() {
            let Some((&kind, rest)) = step.split_first() else {
                continue;
            };
            if kind % 9 == 3 {
                return match rest.first() {
                    Some(0) => Err(io::ErrorKind::ConnectionReset.into()),
                    _ => Ok(0),
                };
            }
            let bytes = world.carry_out(kind, rest);
            if !bytes.is_empty() {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                world.model.bytes(&bytes);
                return Ok(bytes.len());
            }
        }
        Ok(0)
    }
}

impl World<'_> {
    /// Does what a step says; gives what it has zebra say.
    fn carry_out(&mut self, kind: u8, rest: &[u8]) -> Vec<u8> {
        let number = usize::from(rest.first().copied().unwrap_or(0));
        match kind % 9 {
            // Bytes.
            0 => return rest.to_vec(),
            // A frame.
            1 => return frame(rest),
            // A frame of one message.
            2 => {
                let mut message = rest.to_vec();
                let len = (message.len() as u32).to_ne_bytes();
                if let Some(first) = message.first_chunk_mut() {
                    *first = len;
                }
                return frame(&message);
            }
            4 => {
                self.answer(true);
                self.take(1 + number % 16, number & 16 != 0);
            }
            5 => self.answer(true),
            6 => self.answer(false),
            7 => {
                self.model.sweep();
                self.shared.lock().source.shadow().sweep();
            }
            _ => self.list(rest),
        }
        Vec::new()
    }

    fn take(&mut self, limit: usize, more: bool) {
        self.model.settle();
        self.under_way = self.shared.lock().source.take(limit, more);
        assert!(self.under_way.len() <= limit);
        for Change { key, before, after } in &self.under_way {
            assert_eq!(before.as_deref(), self.board.get(key), "{key:?}");
            match (after, self.model.expected(*key)) {
                (Some(after), Expected::Paths(paths)) => assert_eq!(**after, paths, "{key:?}"),
                (None, Expected::Nothing) => {}
                (None, _) if self.has_limit => {}
                (after, expected) => panic!("{key:?}: {after:?}, not {expected:?}"),
            }
            for path in after.iter().flat_map(|paths| paths.iter()) {
                let prefix = key.0;
                let path = path.clone();
                let route = Route { prefix, path };
                let read = route.to_string().parse::<Route<DeviceName>>();
                assert_eq!(read.as_ref().ok(), Some(&route), "{route}");
            }
        }
    }

    /// The board has made the changes, or has not.
    fn answer(&mut self, made: bool) {
        let changes = std::mem::take(&mut self.under_way);
        if !made {
            return self.shared.lock().source.shadow().not_made(&changes);
        }
        for Change { key, after, .. } in &changes {
            match after {
                Some(paths) => self.board.insert(*key, paths.to_vec()),
                None => self.board.remove(key),
            };
        }
        self.shared.lock().source.shadow().made(changes);
    }

    /// The board has restarted, or another client has changed it: it is listed anew.
    fn list(&mut self, what: &[u8]) {
        self.under_way.clear();
        match what {
            [] => self.board.clear(),
            [0, number, ..] => {
                let count = self.board.len().max(1);
                if let Some(&key) = self.board.keys().nth(usize::from(*number) % count) {
                    self.board.remove(&key);
                }
            }
            [number, ..] => {
                let metric = u32::from(number & 3) * 20;
                let text = format!(
                    "10.{}.0.0/16 via 192.0.2.9 metric {metric} proto bgp",
                    number >> 2
                );
                let route: Route<DeviceName> = text.parse().expect("a route");
                self.board.insert((route.prefix, metric), vec![route.path]);
            }
        }
        let mut state = self.shared.lock();
        state.source.shadow().forget_board();
        self.model.forget_board();
        for (key, paths) in &self.board {
            let route = |path: &nl31_route::Path<DeviceName>| Route {
                prefix: key.0,
                path: path.clone(),
            };
            let routes: Vec<_> = paths.iter().map(route).collect();
            state.source.board_has(&routes);
            self.model.board_has(*key);
        }
        state.source.shadow().board_is_known();
    }

    /// What holds at any time.
    fn check(&mut self) {
        let mut state = self.shared.lock();
        assert!(state.take_notices().len() < NOTICES);
        let shadow = state.source.shadow();
        match self.has_limit {
            true => assert!(shadow.routes() <= FEW),
            false => assert_eq!(shadow.routes(), self.model.routes()),
        }
    }

    /// The source says no more: the board has all that is wanted.
    fn settle(&mut self) {
        self.answer(true);
        let mut rounds = 0;
        while self.shared.lock().source.has_more() {
            self.take(16, false);
            self.answer(true);
            rounds += 1;
            assert!(rounds < ROUNDS, "it never ends");
        }
        let len = self.shared.lock().source.shadow().len();
        assert!(len <= self.model.keys().len() + self.board.len());
        let mut keys = self.model.keys();
        keys.extend(self.board.keys());
        for key in keys {
            let has = self.board.get(&key);
            match self.model.expected(key) {
                Expected::Kept => {}
                Expected::Nothing => assert_eq!(has, None, "{key:?}"),
                // It may be passed over, and the board keep an old one.
                Expected::Paths(_) if self.has_limit => {}
                Expected::Paths(paths) => assert_eq!(has, Some(&paths), "{key:?}"),
            }
        }
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let len = (4 + payload.len()) as u16;
    [&[1, 1][..], &len.to_be_bytes(), payload].concat()
}
