// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes of the table: single ones, and transactions.

use nl31_netlink::{Add, Change, Client, Route, Spec, Transaction};
use nl31_wire::limits::ITEMS_MAX;
use nl31_wire::{Item, Items, Op, Request, Response, code};

use super::host::Host;
use super::refusal::{Refusal, Refused, no_device};
use super::session::Program;
use crate::candidate::flush::flush;
use crate::grammar::codes;
use crate::platform::devices::Cached;

pub(super) enum Changes<T> {
    /// Each request takes effect by itself.
    Single,
    /// They wait for the commit.
    Together(Client<T>, Transaction),
    /// One of those that waited failed, and all were dropped. What is on its way
    /// behind it must not take effect by itself.
    Failed,
}

impl<H: Host> Program<H> {
    /// Nothing of a transaction may take effect a part of which was refused.
    pub(super) fn fail_transaction(&mut self, kind: u8) {
        let begins = kind == Request::Begin { replace: false }.kind();
        let empty = Items::default();
        let goes_on = kind == Request::Change { items: empty }.kind()
            && !matches!(self.changes, Changes::Single);
        if begins && matches!(self.changes, Changes::Single) || goes_on {
            self.changes = Changes::Failed;
        }
    }

    pub(super) fn change(&mut self, items: Items<'_>) -> Refused<()> {
        let changes = self.read_changes(items)?;
        let count = self.apply(&changes)?;
        self.answer(&Response::Changed { count });
        Ok(())
    }

    pub(super) fn read_changes(
        &self,
        items: Items<'_>,
    ) -> Refused<heapless::Vec<Change, ITEMS_MAX>> {
        let mut changes = heapless::Vec::<Change, ITEMS_MAX>::new();
        let mut devices = Cached::new(&*self.devices);
        for item in items.iter() {
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
                .unwrap_or_else(|_| unreachable!("items are at most ITEMS_MAX"));
        }
        Ok(changes)
    }

    /// Makes changes, or has them wait for the commit; gives their number.
    pub(super) fn apply(&mut self, changes: &[Change]) -> Refused<u32> {
        match &mut self.changes {
            Changes::Single => {
                let mut index = None;
                self.ask(|client| {
                    let mut transaction = Transaction::begin(client, false)?;
                    transaction.push(client, changes).map_err(|failed| {
                        index = failed.index;
                        failed.error
                    })?;
                    transaction.commit(client)
                })
                .map_err(|refusal| Refusal { index, ..refusal })?;
            }
            Changes::Together(client, transaction) => {
                transaction.push(client, changes)?;
            }
            Changes::Failed => return Err(transaction_failed()),
        }
        Ok(changes.len() as u32)
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
        match self.ask(|client| flush(client, &spec, longer)) {
            Err(refusal) if refusal.code != codes::NO_ROUTE.number => return Err(refusal),
            _ => {}
        }
        if all {
            self.host.shared().config.replace(None);
        }
        self.answer(&Response::Done {});
        Ok(())
    }

    pub(super) fn begin(&mut self, replace: bool) -> Refused<()> {
        if !matches!(self.changes, Changes::Single) {
            return Err(in_transaction());
        }
        let mut client = self.host.connect()?;
        let transaction = Transaction::begin(&mut client, replace)?;
        self.changes = Changes::Together(client, transaction);
        self.answer(&Response::Done {});
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Refused<()> {
        match std::mem::replace(&mut self.changes, Changes::Single) {
            Changes::Single => Err(Refusal::new(
                code::NOT_OPEN,
                format_args!("no transaction is open"),
            )),
            Changes::Together(mut client, transaction) => {
                let replaces = transaction.replaces();
                let count = transaction.commit(&mut client)?;
                if replaces {
                    self.host.shared().config.replace(None);
                }
                self.answer(&Response::Changed { count });
                Ok(())
            }
            Changes::Failed => Err(transaction_failed()),
        }
    }
}

/// The change that an item is.
fn change(item: Item, devices: &mut Cached<'_>) -> Refused<Change> {
    let prefix = item.prefix();
    let spec = devices.indexed(item.route).map_err(no_device)?;
    let route = Route {
        prefix,
        path: spec.path(),
    };
    Ok(match item.op {
        Op::Add => Change::Add(Add::Add, route),
        Op::Replace => Change::Add(Add::Replace, route),
        Op::Change => Change::Add(Add::Change, route),
        Op::Append => Change::Add(Add::Append, route),
        Op::Delete => Change::Delete(spec),
        // Whatever path was said for the items before.
        Op::DeletePrefix => Change::DeletePrefix(Spec {
            prefix: Some(prefix),
            ..Spec::default()
        }),
    })
}

fn in_transaction() -> Refusal {
    let what = format_args!("a transaction is open: commit or abort it first");
    Refusal::new(code::IN_TRANSACTION, what)
}

fn transaction_failed() -> Refusal {
    let what = format_args!("the transaction failed before and was dropped");
    Refusal::new(code::TRANSACTION_FAILED, what)
}
