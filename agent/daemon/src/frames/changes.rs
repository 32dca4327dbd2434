// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes of the table: single ones, and transactions.

use std::io;
use std::path::Path;

use nl31_netlink::{Add, Change, Client, Device, Error, Load, Mode, Route, Spec, Transport};
use nl31_route::DeviceName;
use nl31_wire::limits::ITEMS_MAX;
use nl31_wire::{BadItems, Item, Items, Op, Request, Response, Unpacker, code};

use super::host::Host;
use super::refusal::{Refusal, Refused, Text, no_device};
use super::session::Program;
use crate::candidate::confirmed_commit::{self, Recorder};
use crate::candidate::flush::flush;
use crate::config::locations::Files;
use crate::config::settings::error::{CHANGES_MAX, SettingError};
use crate::config::settings::transaction::Transaction;
use crate::grammar::{self, CONFIRM_SECONDS_MAX, GrammarError, Setting, SettingChange, codes};
use crate::platform::devices::{Cached, Devices};

pub(super) enum Changes<T> {
    /// Each request takes effect at once.
    Single,
    /// Requests wait for the commit.
    Together(Box<Together<T>>),
    /// A request of the transaction failed, and the transaction was dropped. Requests of it
    /// that are still in flight must not take effect.
    Failed,
}

/// A transaction of several requests.
pub(super) struct Together<T> {
    client: Client<T>,
    load: Load,
    /// The transaction replaces the table, which counts as one change more.
    replaces: bool,
    /// Tag of the next change.
    next: u32,
    /// Records the paths for the roll-back of a commit that is not confirmed.
    recorder: Option<Recorder>,
    /// Unpacks the packed changes, from the first one on.
    unpacker: Option<Box<Unpacker>>,
    settings: Vec<SettingChange>,
    /// The settings replace those that are configured.
    replaces_settings: bool,
}

/// Pushes changes, the first under tag `first`.
fn push<T: Transport>(
    load: &mut Load,
    client: &mut Client<T>,
    first: u32,
    changes: &[Change],
) -> Result<(), Error> {
    for (index, change) in changes.iter().enumerate() {
        load.push(client, first.saturating_add(index as u32), change)?;
    }
    Ok(())
}

impl<T: Transport> Together<T> {
    fn begin(mut client: Client<T>, replaces: bool, recorder: Option<Recorder>) -> Refused<Self> {
        let mode = if replaces {
            Mode::Replace
        } else {
            Mode::Transaction
        };
        // Its client makes no other request, so all numbers are free for changes.
        let mut load = Load::new(&mut client, mode, u32::MAX);
        load.flush(&mut client)?;
        Ok(Self {
            client,
            load,
            replaces,
            next: 0,
            recorder,
            unpacker: None,
            settings: Vec::new(),
            replaces_settings: false,
        })
    }

    /// The links that the settings make.
    fn made(&self) -> Vec<DeviceName> {
        let settings = self.settings.iter().filter(|change| change.made);
        let links = settings.filter_map(|change| match &change.setting {
            Setting::VirtualLink(link) => Some(link.device.clone()),
            _ => None,
        });
        links.collect()
    }

    /// Stages the settings, and reads what is there before them.
    fn stage_settings(
        &mut self,
        devices: &dyn Devices,
        files: &Files,
    ) -> Result<Option<Transaction>, SettingError> {
        if self.settings.is_empty() && !self.replaces_settings {
            return Ok(None);
        }
        let path = files.settings();
        let mut transaction = Transaction::open(&path)?;
        if self.replaces_settings {
            let settings = self.settings.iter();
            let settings: Vec<_> = settings.map(|change| (0, change.setting.clone())).collect();
            transaction.replace(&settings)?;
        } else {
            for change in &self.settings {
                transaction.stage(0, change.clone(), devices)?;
            }
        }
        transaction.prepare(&mut self.client, &path, Some(&mut self.load))?;
        Ok(Some(transaction))
    }

    /// Sends changes to the kernel.
    fn push(&mut self, changes: &[Change]) -> Refused<()> {
        let Self { client, load, .. } = self;
        let pushed = push(load, client, self.next, changes).and_then(|()| load.flush(client));
        pushed.map_err(|error| {
            let index = load.tag(&error).and_then(|tag| tag.checked_sub(self.next));
            Refusal {
                index: index.map(|index| index as usize),
                ..error.into()
            }
        })?;
        self.next = self.next.saturating_add(changes.len() as u32);
        Ok(())
    }
}

impl<H: Host> Program<H> {
    /// Drops the transaction that the refused request `kind` belongs to.
    pub(super) fn fail_transaction(&mut self, kind: u8) {
        let begins = [
            Request::Begin { replace: false },
            Request::BeginConfirmed { seconds: 0 },
        ];
        let begins = begins.iter().any(|request| request.kind() == kind);
        let changes = [
            Request::Change {
                items: Items::default(),
            },
            Request::PackedChange {
                count: 0,
                packed: &[],
            },
            Request::Setting {
                replace: false,
                line: "",
            },
        ];
        let changes = changes.iter().any(|request| request.kind() == kind);
        let single = matches!(self.changes, Changes::Single);
        if begins && single || changes && !single {
            self.changes = Changes::Failed;
        }
    }

    pub(super) fn change(&mut self, items: Items<'_>) -> Refused<()> {
        let mut items = items.iter();
        let changes = self.read_changes(&mut items)?;
        // What stands behind the last one that is read is an item too many, or none.
        if let Some(Err(excess)) = items.next() {
            return Err(Refusal {
                index: Some(changes.len()),
                ..excess.into()
            });
        }
        let count = self.apply(&changes)?;
        self.answer(&Response::Changed { count });
        Ok(())
    }

    pub(super) fn packed_change(&mut self, count: u16, packed: &[u8]) -> Refused<()> {
        let mut unpacker = match &mut self.changes {
            Changes::Single => return Err(no_transaction()),
            Changes::Together(together) => together.unpacker.take().unwrap_or_default(),
            Changes::Failed => return Err(transaction_failed()),
        };
        let mut items = unpacker.unpack(count, packed);
        let mut done = 0;
        loop {
            let behind = |refusal: Refusal| Refusal {
                index: refusal.index.map(|index| done + index),
                ..refusal
            };
            let changes = self.read_changes(&mut items).map_err(behind)?;
            if changes.is_empty() {
                break;
            }
            self.apply(&changes).map_err(behind)?;
            done += changes.len();
        }
        // After an error it is not put back: the transaction has failed then.
        if let Changes::Together(together) = &mut self.changes {
            together.unpacker = Some(unpacker);
        }
        let count = count.into();
        self.answer(&Response::Changed { count });
        Ok(())
    }

    /// Adds a change of a setting to the open transaction.
    pub(super) fn setting(&mut self, replace: bool, line: &str) -> Refused<()> {
        let together = match &mut self.changes {
            Changes::Single => return Err(no_transaction()),
            Changes::Failed => return Err(transaction_failed()),
            Changes::Together(together) => together,
        };
        together.replaces_settings |= replace;
        let line = line.trim_ascii();
        let mut text = String::new();
        if !(replace && line.is_empty()) {
            let change = setting_change(line, replace)?;
            let exists = |device: &DeviceName| {
                let mut before = together.settings.iter();
                self.devices.index(device).is_some() || before.any(|change| change.makes(device))
            };
            let missing = change.setting.needs().find(|device| !exists(device));
            if change.made
                && !replace
                && let Some(device) = missing
            {
                return Err(no_device(device));
            }
            if together.settings.len() == CHANGES_MAX {
                return Err(Refusal::new(
                    codes::FULL.number,
                    format_args!("a transaction has at most {CHANGES_MAX} settings"),
                ));
            }
            text = change.setting.to_string();
            together.settings.push(change);
        }
        self.answer(&Response::Output {
            text: text.as_bytes(),
            last: true,
        });
        Ok(())
    }

    /// Reads at most [`ITEMS_MAX`] changes.
    pub(super) fn read_changes(
        &self,
        items: &mut dyn Iterator<Item = Result<Item, BadItems>>,
    ) -> Refused<heapless::Vec<Change, ITEMS_MAX>> {
        let mut changes = heapless::Vec::<Change, ITEMS_MAX>::new();
        let made = match &self.changes {
            Changes::Together(together) => together.made(),
            _ => Vec::new(),
        };
        let mut devices = Cached::with_made(&*self.devices, &made);
        for item in items.take(ITEMS_MAX) {
            let index = changes.len();
            let change = item
                .map_err(Refusal::from)
                .and_then(|item| change(item, &mut devices));
            let change = change.map_err(|refusal| Refusal {
                index: Some(index),
                ..refusal
            })?;
            changes
                .push(change)
                .unwrap_or_else(|_| unreachable!("at most ITEMS_MAX are taken"));
        }
        Ok(changes)
    }

    /// Makes changes, or adds them to the open transaction; gives their number.
    pub(super) fn apply(&mut self, changes: &[Change]) -> Refused<u32> {
        match &mut self.changes {
            Changes::Single => {
                let mut index = None;
                self.ask(|client| {
                    let mut load = Load::new(client, Mode::Transaction, changes.len() as u32);
                    push(&mut load, client, 0, changes)
                        .and_then(|()| load.finish(client))
                        .inspect_err(|error| index = load.tag(error).map(|tag| tag as usize))
                })
                .map_err(|refusal| Refusal { index, ..refusal })?;
            }
            Changes::Together(together) => {
                together.push(changes)?;
                self.record(changes)?;
            }
            Changes::Failed => return Err(transaction_failed()),
        }
        Ok(changes.len() as u32)
    }

    /// Records the paths before the changes of a transaction that has to be confirmed.
    fn record(&mut self, changes: &[Change]) -> Refused<()> {
        let Changes::Together(together) = &mut self.changes else {
            return Ok(());
        };
        let Some(recorder) = &mut together.recorder else {
            return Ok(());
        };
        if self.client.is_none() {
            self.client = Some(self.host.connect()?);
        }
        let client = self.client.as_mut().expect("it is connected");
        let mut devices = Cached::new(&*self.devices);
        for (index, change) in changes.iter().enumerate() {
            let prefix = match change {
                Change::Add(_, route) => Some(route.prefix),
                Change::Delete(spec) | Change::DeletePrefix(spec) | Change::DeleteAll(spec) => {
                    spec.prefix
                }
            };
            let Some(prefix) = prefix else { continue };
            if !recorder.record(client, &mut devices, prefix)? {
                let max = confirmed_commit::PREFIXES_MAX;
                return Err(Refusal {
                    index: Some(index),
                    ..Refusal::new(
                        codes::FULL.number,
                        format_args!("a commit to be confirmed has at most {max} prefixes"),
                    )
                });
            }
        }
        Ok(())
    }

    /// Refuses to replace or save the whole table while a commit waits to be confirmed: a
    /// roll-back would put old routes into the new table, or leave the saved one with what
    /// was rolled back.
    pub(super) fn permit_whole_table(&self) -> Refused<()> {
        match self.host.shared().left() {
            Some(left) => Err(unconfirmed(left)),
            None => Ok(()),
        }
    }

    pub(super) fn flush(&mut self, filter: Items<'_>, longer: bool, all: bool) -> Refused<()> {
        match self.changes {
            Changes::Single => {}
            Changes::Together(..) => return Err(in_transaction()),
            Changes::Failed => return Err(transaction_failed()),
        }
        let spec = self.filter(filter)?;
        if all != (spec == Spec::default()) {
            let what = format_args!("`all` belongs to an empty filter, and to no other");
            return Err(Refusal::new(codes::SYNTAX.number, what));
        }
        if longer || spec.prefix.is_none() {
            self.permit_whole_table()?;
        }
        match self.ask(|client| flush(client, &spec, longer)) {
            Err(refusal) if refusal.code != codes::NO_ROUTE.number => return Err(refusal),
            _ => {}
        }
        self.answer(&Response::Done {});
        Ok(())
    }

    pub(super) fn begin(&mut self, replace: bool, confirm: Option<u32>) -> Refused<()> {
        if !matches!(self.changes, Changes::Single) {
            return Err(in_transaction());
        }
        if replace || confirm.is_some() {
            self.permit_whole_table()?;
        }
        let recorder = match confirm {
            None => None,
            Some(seconds @ 1..=CONFIRM_SECONDS_MAX) => {
                let path = self.host.shared().config.files.undo();
                let recorder = Recorder::begin(&path, seconds);
                Some(recorder.map_err(|error| file_failed(&path, &error))?)
            }
            Some(_) => {
                let max = CONFIRM_SECONDS_MAX;
                return Err(Refusal::new(
                    codes::SYNTAX.number,
                    format_args!("the time to confirm is 1 to {max} seconds"),
                ));
            }
        };
        let client = self.host.connect()?;
        let together = Together::begin(client, replace, recorder)?;
        self.changes = Changes::Together(Box::new(together));
        self.answer(&Response::Done {});
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Refused<()> {
        match std::mem::replace(&mut self.changes, Changes::Single) {
            Changes::Single => Err(no_transaction()),
            Changes::Together(mut together) => {
                let shared = self.host.shared();
                let files = &shared.config.files;
                let staged = together.stage_settings(&*self.devices, files);
                let mut settings = staged.inspect_err(|_| {
                    let Together { client, load, .. } = &mut *together;
                    abandon(load, client);
                })?;
                let Together {
                    mut client,
                    mut load,
                    replaces,
                    recorder,
                    settings: changes,
                    ..
                } = *together;
                let confirms = recorder.is_some();
                if let Some(mut recorder) = recorder {
                    let before = settings.as_ref().map_or(&[][..], |set| set.before());
                    let recorded = recorder.settings(before);
                    recorded.map_err(|error| file_failed(&files.undo(), &error))?;
                    let until = recorder.arm();
                    let until =
                        until.map_err(|error| file_failed(&shared.config.files.undo(), &error))?;
                    shared.unconfirmed.set(Some(until));
                }
                if let Some(settings) = &mut settings
                    && let Err(error) = settings.apply(&mut client, &*self.devices)
                {
                    // Nothing is left of it, or the roll-back tries again.
                    if confirms && error.left.is_empty() {
                        shared.forget_unconfirmed();
                    }
                    abandon(&mut load, &mut client);
                    return Err(error.into());
                }
                let count = match load.finish(&mut client) {
                    Ok(loaded) => {
                        if confirms {
                            let path = files.undo();
                            confirmed_commit::record_result(&mut client, &*self.devices, &path);
                        }
                        if let Some(settings) = settings {
                            let left = settings.finish(&mut client);
                            if !left.is_empty() {
                                log::error!("commit: {}", left.text());
                                return Err(Refusal::new(
                                    codes::PARTLY.number,
                                    format_args!("committed, except: {}", left.text()),
                                ));
                            }
                        }
                        loaded.added + u32::from(replaces) + changes.len() as u32
                    }
                    Err(error) => {
                        let left = settings
                            .map(|mut settings| settings.take_back(&mut client, &*self.devices));
                        let left = left.unwrap_or_default();
                        // After the kernel's refusal there is nothing to roll back.
                        if confirms && error.errno().is_some() && left.is_empty() {
                            shared.forget_unconfirmed();
                        }
                        let refusal = Refusal::from(error);
                        if left.is_empty() {
                            return Err(refusal);
                        }
                        log::error!("commit{left}");
                        let text = Text::of(format_args!("{}{left}", refusal.text.0));
                        return Err(Refusal { text, ..refusal });
                    }
                };
                if confirms && count == 0 {
                    shared.forget_unconfirmed();
                }
                self.answer(&Response::Changed { count });
                Ok(())
            }
            Changes::Failed => Err(transaction_failed()),
        }
    }
}

/// Aborts a transaction whose settings were refused.
fn abandon<T: Transport>(load: &mut Load, client: &mut Client<T>) {
    if let Err(error) = load.abort(client) {
        log::debug!("{error}");
    }
}

/// The change of a setting that a line says.
fn setting_change(line: &str, of_config: bool) -> Refused<SettingChange> {
    let misspelled = |error: GrammarError| Refusal {
        offset: Some(error.column),
        ..Refusal::new(codes::SYNTAX.number, error.kind)
    };
    if of_config {
        let setting = grammar::setting(line).map_err(misspelled)?;
        return setting.map(SettingChange::make).ok_or_else(no_setting);
    }
    match grammar::command(line).map_err(misspelled)? {
        Some((command, start)) if grammar::is_setting(command.action) => {
            grammar::setting_change(command, line, start, false).map_err(misspelled)
        }
        _ => Err(no_setting()),
    }
}

fn no_setting() -> Refusal {
    Refusal::new(codes::SYNTAX.number, format_args!("not a setting"))
}

/// The change of an item.
fn change(item: Item, devices: &mut Cached<'_>) -> Refused<Change> {
    let how = match item.op {
        Op::Add => Add::Add,
        Op::Replace => Add::Replace,
        Op::Change => Add::Change,
        Op::Append => Add::Append,
        Op::Delete => return Ok(Change::Delete(devices.filter(item.route))),
        // The path of earlier items does not count.
        Op::DeletePrefix => {
            return Ok(Change::DeletePrefix(Spec {
                prefix: Some(item.prefix()),
                ..Spec::default()
            }));
        }
    };
    // The kernel would let the route wait; the device of a program's route must exist.
    if let Some(name) = &item.route.device
        && !devices.exists(name)
    {
        return Err(no_device(name));
    }
    let route = Route {
        prefix: item.prefix(),
        path: item.route.path(),
    };
    Ok(Change::Add(how, route.map_device(Device::Name)))
}

fn unconfirmed(left: u64) -> Refusal {
    let seconds = left.div_ceil(1000);
    Refusal::new(
        codes::LOCKED.number,
        format_args!("a commit waits {seconds} s more to be confirmed or rolled back"),
    )
}

fn file_failed(path: &Path, error: &io::Error) -> Refusal {
    Refusal::new(
        codes::of_io(error).number,
        format_args!("{}: {error}", path.display()),
    )
}

fn in_transaction() -> Refusal {
    let what = format_args!("a transaction is open: commit or abort it first");
    Refusal::new(code::IN_TRANSACTION, what)
}

fn no_transaction() -> Refusal {
    let what = format_args!("no transaction is open");
    Refusal::new(code::NOT_OPEN, what)
}

fn transaction_failed() -> Refusal {
    let what = format_args!("the transaction failed before and was dropped");
    Refusal::new(code::TRANSACTION_FAILED, what)
}
