// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes of any kind that take effect at once or not at all.

use std::time::Instant;

use crate::abi::*;
use crate::change::Change;
use crate::client::{Client, refused};
use crate::error::{Error, Op};
use crate::message::Body;
use crate::request::{Datagram, Request};
use crate::transport::Transport;

/// Bytes sent at once; what is more goes in further datagrams.
const BATCH: usize = 16 * 1024;

/// A change that failed: its place among those that were given, if it is known,
/// and why. The whole transaction is undone.
#[derive(Debug)]
pub struct Failed {
    /// From 0.
    pub index: Option<usize>,
    /// Why.
    pub error: Error,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { index: None, error }
    }
}

/// A transaction under way. Its client is to do nothing else meanwhile. To give it up
/// close the socket: the kernel then drops it.
#[derive(Debug)]
pub struct Transaction {
    /// Something was sent, so there is something to close.
    open: bool,
}

impl Transaction {
    /// Begins a transaction; with `replace` from an empty table.
    pub fn begin<T: Transport>(client: &mut Client<T>, replace: bool) -> Result<Self, Error> {
        let mut transaction = Self { open: false };
        if replace {
            let seq = client.reserve(1);
            client.datagram.clear();
            let request = Request::NewTable { max_routes: None };
            client
                .datagram
                .push(&request, NLM_F_MULTI | NLM_F_REPLACE, seq)
                .expect("it is short");
            transaction.send(client, seq)?;
            transaction.early_error(client, seq)?;
        }
        Ok(transaction)
    }

    /// Gives the kernel some changes. After an error the transaction is over.
    pub fn push<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        changes: &[Change],
    ) -> Result<(), Failed> {
        let count = u32::try_from(changes.len()).expect("a batch is in memory");
        let first = client.reserve(count);
        // Its own, as the client's has room for one request.
        let mut datagram = Datagram::new(BATCH);
        for (seq, change) in (first..).zip(changes) {
            let (request, flags) = change.request();
            let flags = flags | NLM_F_MULTI;
            if datagram.push(&request, flags, seq).is_err() {
                self.flush(client, &mut datagram, first)?;
                datagram
                    .push(&request, flags, seq)
                    .expect("an empty datagram has room");
            }
        }
        if !datagram.is_empty() {
            self.flush(client, &mut datagram, first)?;
        }
        Ok(())
    }

    fn flush<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        datagram: &mut Datagram,
        first: u32,
    ) -> Result<(), Failed> {
        client.send(Op::Transaction, first, datagram.bytes())?;
        self.open = true;
        datagram.clear();
        self.early_error(client, first).map_err(|error| Failed {
            index: error
                .errno()
                .and(error.seq.checked_sub(first))
                .map(|index| index as usize),
            error,
        })
    }

    fn send<T: Transport>(&mut self, client: &mut Client<T>, seq: u32) -> Result<(), Error> {
        let datagram = std::mem::replace(&mut client.datagram, Datagram::new(0));
        let sent = client.send(Op::Transaction, seq, datagram.bytes());
        client.datagram = datagram;
        self.open = true;
        sent
    }

    /// The answer to a transaction is its only one, so before its end it can only be
    /// an error. The kernel then discards all up to the DONE, which it must get.
    fn early_error<T: Transport>(&mut self, client: &mut Client<T>, seq: u32) -> Result<(), Error> {
        while let Some(message) = client.try_receive(Op::Transaction, seq, Instant::now())? {
            if matches!(message.body, Body::Error(_)) {
                self.done(client)?;
                return Err(refused(Op::Transaction, message.header.seq, message.body));
            }
        }
        Ok(())
    }

    fn done<T: Transport>(&mut self, client: &mut Client<T>) -> Result<u32, Error> {
        let seq = client.reserve(1);
        client.datagram.clear();
        client
            .datagram
            .push(&Request::Done, NLM_F_MULTI, seq)
            .expect("it is short");
        self.send(client, seq)?;
        self.open = false;
        Ok(seq)
    }

    /// Applies all of it; gives how many changes there were.
    pub fn commit<T: Transport>(mut self, client: &mut Client<T>) -> Result<u32, Error> {
        if !self.open {
            // A DONE alone closes no transaction.
            return Ok(0);
        }
        let seq = self.done(client)?;
        let deadline = client.deadline();
        loop {
            let message = client.receive(Op::Transaction, seq, deadline)?;
            match message.body {
                Body::Done(count) if message.header.seq == seq => {
                    return Ok(u32::try_from(count).unwrap_or(0));
                }
                Body::Error(_) => {
                    return Err(refused(Op::Transaction, message.header.seq, message.body));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FakeKernel;
    use crate::change::Add;
    use crate::device::Device;
    use nix::libc;
    use nl31_route::{DeviceName, Route, Spec};
    use std::time::Duration;

    fn client() -> Client<FakeKernel> {
        Client::with_timeout(FakeKernel::default(), Duration::ZERO)
    }

    fn route(text: &str) -> Route<Device> {
        text.parse::<Route<DeviceName>>()
            .unwrap()
            .map_device(Device::Name)
    }

    fn numbered(number: u32) -> Route<Device> {
        route(&format!(
            "10.{}.{}.0/24 via 192.0.2.1",
            number / 256,
            number % 256
        ))
    }

    fn prefix(text: &str) -> Spec<Device> {
        Spec {
            prefix: Some(text.parse().unwrap()),
            ..Spec::default()
        }
    }

    fn apply(client: &mut Client<FakeKernel>, changes: &[Change]) -> Result<u32, Failed> {
        let mut transaction = Transaction::begin(client, false)?;
        transaction.push(client, changes)?;
        Ok(transaction.commit(client)?)
    }

    #[test]
    fn changes_of_all_kinds_are_made_together() {
        let mut client = client();
        let changes = [
            Change::Add(Add::Add, route("10.0.0.0/8 via 192.0.2.1")),
            Change::Add(Add::Append, route("10.0.0.0/8 via 192.0.2.2")),
            Change::Add(Add::Add, route("11.0.0.0/8 via 192.0.2.1")),
            Change::Add(Add::Replace, route("11.0.0.0/8 via 192.0.2.3")),
            Change::Add(Add::Add, route("12.0.0.0/8 via 192.0.2.1")),
            Change::Delete(prefix("12.0.0.0/8")),
            Change::DeletePrefix(prefix("10.0.0.0/8")),
            Change::Add(Add::Add, route("13.1.0.0/16 via 192.0.2.1")),
            Change::DeleteAll(prefix("13.0.0.0/8")),
            Change::Add(Add::Change, route("11.0.0.0/8 via 192.0.2.4")),
        ];
        assert_eq!(apply(&mut client, &changes).unwrap(), 10);
        assert_eq!(
            client.transport().routes(),
            [route("11.0.0.0/8 via 192.0.2.4")]
        );
        assert_eq!(apply(&mut client, &[]).unwrap(), 0);
        client.ping().unwrap();
    }

    #[test]
    fn the_change_that_fails_is_named_and_nothing_is_made() {
        let mut client = client();
        client.add(Add::Add, &numbered(7)).unwrap();
        for at in [0, 1, 500, 999] {
            let mut changes: Vec<_> = (1000..2000)
                .map(|number| Change::Add(Add::Add, numbered(number)))
                .collect();
            changes[at] = Change::Add(Add::Add, numbered(7));
            let failed = apply(&mut client, &changes).unwrap_err();
            assert_eq!(failed.index, Some(at));
            assert_eq!(failed.error.errno(), Some(libc::EEXIST));
            assert_eq!(client.transport().routes(), [numbered(7)]);
            // The kernel got its DONE: the next change is not part of it.
            client.add(Add::Add, &numbered(8)).unwrap();
            client.delete(&prefix("10.0.8.0/24")).unwrap();
        }
    }

    #[test]
    fn a_prefix_with_several_paths_is_guarded() {
        let mut client = client();
        client
            .add(Add::Add, &route("10.0.0.0/8 via 192.0.2.1"))
            .unwrap();
        client
            .add(Add::Append, &route("10.0.0.0/8 via 192.0.2.2"))
            .unwrap();
        let failed = apply(&mut client, &[Change::Delete(prefix("10.0.0.0/8"))]).unwrap_err();
        assert_eq!(failed.error.errno(), Some(libc::ENOTEMPTY));
        apply(&mut client, &[Change::DeletePrefix(prefix("10.0.0.0/8"))]).unwrap();
        assert!(client.transport().routes().is_empty());
    }

    #[test]
    fn a_whole_table_is_replaced() {
        let mut client = client();
        client.add(Add::Add, &numbered(7)).unwrap();
        let mut transaction = Transaction::begin(&mut client, true).unwrap();
        for number in 100..110 {
            let change = Change::Add(Add::Add, numbered(number));
            transaction.push(&mut client, &[change]).unwrap();
        }
        transaction.commit(&mut client).unwrap();
        assert!(
            client
                .transport()
                .routes()
                .into_iter()
                .eq((100..110).map(numbered))
        );
    }
}
