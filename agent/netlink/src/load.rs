// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many changes together: transactions, and loads into a table that has routes.

use std::time::Instant;

use nix::libc;
use nl31_route::Spec;

use crate::abi::*;
use crate::change::Change;
use crate::client::{Client, refused};
use crate::error::{Error, ErrorKind, Op};
use crate::message::Body;
use crate::request::{Datagram, Full, Request};
use crate::transport::Transport;

/// Bytes of a datagram: some 600 routes. This is well below the send buffer; if every
/// change fails, the answers still fit the receive buffer.
const BATCH: usize = 32 * 1024;

/// How a load treats the routes of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One transaction: all changes are applied, or none.
    Transaction,
    /// One transaction that starts from an empty table: it replaces the table.
    Replace,
    /// No transaction: adds the missing paths and leaves existing ones alone.
    Missing,
}

/// The result of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Changes that were made.
    pub added: u32,
    /// Paths that existed already.
    pub present: u32,
}

/// A load in progress. Each change has a tag, for example its line in a file; an error
/// names the change by it, see [`Load::tag`]. A transaction that is dropped without
/// [`Load::finish`] or [`Load::abort`] stays open until its socket is closed.
#[derive(Debug)]
pub struct Load {
    mode: Mode,
    batch: Datagram,
    /// The first sequence number.
    first: u32,
    /// Sequence number of tag 0.
    base: u32,
    /// Sequence number of the DONE.
    done: u32,
    /// Where in `batch` its last message starts.
    last_offset: usize,
    /// Messages in `batch`.
    in_batch: u32,
    pushed: bool,
    loaded: Loaded,
    /// The table's generation after the load.
    generation: Option<u64>,
}

impl Load {
    /// Starts a load whose tags are below `tags`.
    pub fn new<T: Transport>(client: &mut Client<T>, mode: Mode, tags: u32) -> Self {
        let tags = tags.min(u32::MAX / 2);
        let first = client.reserve(tags + 3);
        let mut load = Self {
            mode,
            batch: Datagram::new(BATCH),
            first,
            base: first + 1,
            done: first + 1 + tags,
            last_offset: 0,
            in_batch: 0,
            pushed: false,
            loaded: Loaded::default(),
            generation: None,
        };
        if mode == Mode::Replace {
            load.pushed = true;
            let empty = Request::NewTable {
                max_routes: None,
                multipath: None,
            };
            load.batch_push(&empty, NLM_F_MULTI | NLM_F_REPLACE, first)
                .expect("an empty batch has room");
        }
        load
    }

    /// The tag of the change that caused an error of this load.
    pub fn tag(&self, error: &Error) -> Option<u32> {
        match error.kind {
            ErrorKind::Kernel(_) if error.seq < self.done => error.seq.checked_sub(self.base),
            _ => None,
        }
    }

    /// The table's generation after [`Load::finish`]; `None` if the kernel did not tell it.
    pub fn generation(&self) -> Option<u64> {
        self.generation
    }

    /// Adds a change. After an error the load is over, and its transaction dropped.
    pub fn push<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        tag: u32,
        change: &Change,
    ) -> Result<(), Error> {
        let (request, mut flags) = change.request();
        if self.mode != Mode::Missing {
            flags |= NLM_F_MULTI;
            self.loaded.added += 1;
        }
        self.push_request(client, tag, &request, flags)
    }

    /// Sets whether paths of the same metric share the load: together with the changes, at once
    /// with [`Mode::Missing`]. It does not count as one of them.
    pub fn set_multipath<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        tag: u32,
        on: bool,
    ) -> Result<(), Error> {
        if self.mode == Mode::Missing {
            self.flush(client)?;
            return client.set_multipath(on);
        }
        let settings = Request::NewTable {
            max_routes: None,
            multipath: Some(on),
        };
        self.push_request(client, tag, &settings, NLM_F_MULTI)
    }

    fn push_request<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        tag: u32,
        request: &Request<'_>,
        flags: u16,
    ) -> Result<(), Error> {
        // A file that grows has more lines than were counted: they share the last number;
        // no line has the number of the DONE.
        let seq = self.base.saturating_add(tag).min(self.done - 1);
        self.pushed = true;
        if self.batch_push(request, flags, seq).is_err() {
            self.flush(client)?;
            self.batch_push(request, flags, seq)
                .expect("an empty batch has room");
        }
        Ok(())
    }

    /// Applies all changes and ends the load.
    pub fn finish<T: Transport>(&mut self, client: &mut Client<T>) -> Result<Loaded, Error> {
        match self.mode {
            // The kernel refuses a DONE without a transaction.
            Mode::Transaction | Mode::Replace if self.pushed => {
                self.commit(client)?;
                self.generation = self.committed(client);
            }
            _ => {
                self.flush(client)?;
                self.generation = client.table().ok().map(|table| table.generation);
            }
        }
        Ok(self.loaded)
    }

    /// Finds out whether the kernel accepts every change, then aborts.
    pub fn check<T: Transport>(&mut self, client: &mut Client<T>) -> Result<(), Error> {
        if self.mode != Mode::Missing && self.pushed {
            self.flush(client)?;
        }
        self.abort(client)
    }

    /// Aborts the load; drops its transaction.
    pub fn abort<T: Transport>(&mut self, client: &mut Client<T>) -> Result<(), Error> {
        if self.mode == Mode::Missing || !self.pushed {
            return Ok(());
        }
        // A change that cannot be made, here one without a prefix, fails the transaction.
        self.batch.clear();
        let seq = self.done;
        self.batch
            .push(&Request::DelRoute(&Spec::default()), NLM_F_MULTI, seq)
            .expect("an empty batch has room");
        match self.commit(client) {
            Err(error) if error.errno().is_some() && error.seq == seq => Ok(()),
            // One of the changes had failed before.
            Err(error) => Err(error),
            Ok(()) => Err(Error {
                op: Op::Load,
                seq,
                kind: ErrorKind::Unexpected,
            }),
        }
    }

    fn batch_push(&mut self, request: &Request<'_>, flags: u16, seq: u32) -> Result<(), Full> {
        let offset = self.batch.len();
        self.batch.push(request, flags, seq)?;
        self.last_offset = offset;
        self.in_batch += 1;
        Ok(())
    }

    /// Sends the changes that were not sent yet, and takes an error that the kernel has
    /// answered so far.
    pub fn flush<T: Transport>(&mut self, client: &mut Client<T>) -> Result<(), Error> {
        if self.batch.is_empty() {
            return Ok(());
        }
        match self.mode {
            Mode::Transaction | Mode::Replace => {
                let sent = client.send(Op::Load, self.base, self.batch.bytes());
                self.batch.clear();
                self.in_batch = 0;
                let taken = sent.and_then(|()| self.early_error(client));
                if taken.as_ref().is_err_and(|error| error.errno().is_none()) {
                    // The kernel did not refuse, so its transaction is open and blocks other
                    // writers: end it, whatever the answer.
                    let _ = self.abort(client);
                }
                taken
            }
            Mode::Missing => self.flush_missing(client),
        }
    }

    /// Sends the batch with an ack on its last message, and counts the errors.
    fn flush_missing<T: Transport>(&mut self, client: &mut Client<T>) -> Result<(), Error> {
        self.batch.set_flags(self.last_offset, NLM_F_ACK);
        let header = &self.batch.bytes()[self.last_offset..];
        let last = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
        client.send(Op::Load, last, self.batch.bytes())?;
        self.batch.clear();
        let count = std::mem::take(&mut self.in_batch);
        let mut present = 0;
        let mut failed = None;
        loop {
            let message = client.receive(Op::Load, last, client.deadline())?;
            let seq = message.header.seq;
            if seq < self.base || seq > last {
                continue;
            }
            match message.body {
                Body::Ack => {}
                Body::Error(error) if error.is(libc::EEXIST) => present += 1,
                // The other changes of the batch are applied; report the first error.
                other => {
                    failed.get_or_insert(refused(Op::Load, seq, other));
                }
            }
            if seq == last {
                break;
            }
        }
        self.loaded.present += present;
        self.loaded.added += count - present;
        failed.map_or(Ok(()), Err)
    }

    /// A transaction has one answer, so before its DONE that can only be an error; then the
    /// rest need not be sent.
    fn early_error<T: Transport>(&mut self, client: &mut Client<T>) -> Result<(), Error> {
        while let Some(message) = client.try_receive(Op::Load, self.base, Instant::now())? {
            let seq = message.header.seq;
            if seq < self.first || seq > self.done {
                continue;
            }
            // The kernel discards everything until the DONE, so it needs one.
            self.batch.clear();
            self.batch
                .push(&Request::Done, NLM_F_MULTI, self.done)
                .expect("an empty batch has room");
            client.send(Op::Load, seq, self.batch.bytes())?;
            return Err(refused(Op::Load, seq, message.body));
        }
        Ok(())
    }

    /// Ends the transaction and asks for the table in one datagram, so that the kernel reads the
    /// generation directly after it has published the changes.
    fn commit<T: Transport>(&mut self, client: &mut Client<T>) -> Result<(), Error> {
        let done = self.done;
        if self.batch.len() + 2 * HEADER_LEN > BATCH {
            self.flush(client)?;
        }
        self.batch_push(&Request::Done, NLM_F_MULTI, done)
            .and_then(|()| self.batch_push(&Request::GetTable, 0, done + 1))
            .expect("the batch has room for two headers");
        client.send(Op::Load, done, self.batch.bytes())?;
        loop {
            let message = client.receive(Op::Load, done, client.deadline())?;
            let seq = message.header.seq;
            if seq < self.first || seq > done {
                continue;
            }
            return match message.body {
                Body::Done { .. } => Ok(()),
                other => Err(refused(Op::Load, seq, other)),
            };
        }
    }

    /// The table's generation after a commit. The changes are made, so an error is none of the
    /// load.
    fn committed<T: Transport>(&self, client: &mut Client<T>) -> Option<u64> {
        loop {
            let message = client.receive(Op::Table, self.done + 1, client.deadline());
            let message = message.ok()?;
            if message.header.seq == self.done + 1 {
                return match message.body {
                    Body::Table(table) => Some(table.generation),
                    _ => None,
                };
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
    use nl31_route::{DeviceName, Route};
    use std::time::Duration;

    const MANY: u32 = 3000;

    fn client() -> Client<FakeKernel> {
        Client::with_timeout(FakeKernel::default(), Duration::ZERO)
    }

    /// The route of a tag.
    fn route(tag: u32) -> Route<Device> {
        let text = format!("10.{}.{}.0/24 via 192.0.2.1", tag / 256, tag % 256);
        text.parse::<Route<DeviceName>>()
            .unwrap()
            .map_device(Device::Name)
    }

    fn appended(tag: u32) -> Change {
        Change::Add(Add::Append, route(tag))
    }

    fn load(
        client: &mut Client<FakeKernel>,
        mode: Mode,
        tags: &[u32],
    ) -> Result<Loaded, (u32, i32)> {
        let mut load = Load::new(client, mode, MANY);
        for &tag in tags {
            if let Err(error) = load.push(client, tag, &appended(tag)) {
                return Err((load.tag(&error).unwrap(), error.errno().unwrap()));
            }
        }
        load.finish(client)
            .map_err(|error| (load.tag(&error).unwrap(), error.errno().unwrap()))
    }

    fn all() -> Vec<u32> {
        (0..MANY).collect()
    }

    #[test]
    fn a_load_tells_its_generation_without_later_changes() {
        for mode in [Mode::Transaction, Mode::Replace] {
            let mut client = client();
            client.transport().change_between = Some(route(MANY));
            let mut load = Load::new(&mut client, mode, 2);
            for tag in 0..2 {
                load.push(&mut client, tag, &appended(tag)).unwrap();
            }
            load.finish(&mut client).unwrap();
            let now = client.table().unwrap();
            assert_eq!(now.paths4, 3);
            assert_eq!(load.generation(), Some(now.generation - 1));
        }
        for mode in [Mode::Transaction, Mode::Missing] {
            let mut client = client();
            client.add(Add::Add, &route(0)).unwrap();
            let mut load = Load::new(&mut client, mode, 0);
            load.finish(&mut client).unwrap();
            assert_eq!(load.generation(), Some(1), "nothing was loaded");
        }
    }

    #[test]
    fn a_transaction_spans_datagrams_and_answers_once() {
        let mut client = client();
        let loaded = load(&mut client, Mode::Transaction, &all());
        assert_eq!(
            loaded,
            Ok(Loaded {
                added: MANY,
                present: 0
            })
        );
        assert_eq!(client.transport().routes().len(), MANY as usize);
        assert!((3..10).contains(&client.transport().datagrams));
        client.ping().unwrap();
    }

    #[test]
    fn a_transaction_that_fails_names_its_route_and_changes_nothing() {
        for position in [0, 1, MANY as usize / 2, MANY as usize - 1] {
            let mut client = client();
            client.add(Add::Add, &route(7)).unwrap();
            let mut tags: Vec<_> = all().into_iter().filter(|&tag| tag != 7).collect();
            tags.insert(position, 7);
            let result = load(&mut client, Mode::Transaction, &tags);
            assert_eq!(result, Err((7, libc::EEXIST)));
            assert_eq!(client.transport().routes(), [route(7)]);
            // The kernel got its DONE: the next change is not part of it.
            client.add(Add::Add, &route(8)).unwrap();
            assert_eq!(client.transport().routes().len(), 2);
        }
    }

    #[test]
    fn a_transaction_given_up_is_undone() {
        let mut client = client();
        let mut load = Load::new(&mut client, Mode::Transaction, MANY);
        for tag in 0..MANY {
            load.push(&mut client, tag, &appended(tag)).unwrap();
        }
        load.abort(&mut client).unwrap();
        assert!(client.transport().routes().is_empty());
        client.add(Add::Add, &route(8)).unwrap();
    }

    #[test]
    fn a_load_takes_the_place_of_the_whole_table() {
        let mut client = client();
        load(&mut client, Mode::Transaction, &[2999, 1]).unwrap();
        let loaded = load(&mut client, Mode::Replace, &all()).unwrap();
        assert_eq!(loaded.added, MANY);
        assert!(
            client
                .transport()
                .routes()
                .into_iter()
                .eq(all().into_iter().map(route))
        );
        assert_eq!(
            load(&mut client, Mode::Replace, &[3, 3]),
            Err((3, libc::EEXIST))
        );
        assert_eq!(client.transport().routes().len(), MANY as usize);
        load(&mut client, Mode::Replace, &[]).unwrap();
        assert!(client.transport().routes().is_empty());
    }

    #[test]
    fn a_load_that_cannot_go_on_does_not_leave_its_transaction_open() {
        type Trouble = fn(&mut FakeKernel);
        let troubles: [Trouble; 2] = [
            |kernel| kernel.no_memory = true,
            |kernel| {
                kernel.overrun = true;
            },
        ];
        for trouble in troubles {
            let mut client = client();
            let mut load = Load::new(&mut client, Mode::Transaction, MANY);
            let pushed = (0..MANY).try_for_each(|tag| {
                // Some are with the kernel.
                if tag == MANY / 2 {
                    trouble(client.transport());
                }
                load.push(&mut client, tag, &appended(tag))
            });
            assert_eq!(load.tag(&pushed.unwrap_err()), None);
            assert!(client.transport().routes().is_empty());
            // It would be part of the transaction, or be refused.
            client.add(Add::Add, &route(8)).unwrap();
            assert_eq!(client.transport().routes(), [route(8)]);
        }
    }

    #[test]
    fn a_check_finds_what_would_fail_and_changes_nothing() {
        for tags in [vec![1, 2, 3], vec![1, 7, 3], all()] {
            let mut client = client();
            client.add(Add::Add, &route(7)).unwrap();
            let mut load = Load::new(&mut client, Mode::Transaction, MANY);
            let checked = tags
                .iter()
                .try_for_each(|&tag| load.push(&mut client, tag, &appended(tag)))
                .and_then(|()| load.check(&mut client));
            let fault = checked.err().map(|error| (load.tag(&error), error.errno()));
            let expected = tags.contains(&7).then_some((Some(7), Some(libc::EEXIST)));
            assert_eq!(fault, expected);
            assert_eq!(client.transport().routes(), [route(7)]);
            client.add(Add::Add, &route(8)).unwrap();
        }
    }

    fn prefix(text: &str) -> Spec<Device> {
        Spec {
            prefix: Some(text.parse().unwrap()),
            ..Spec::default()
        }
    }

    #[test]
    fn changes_of_all_kinds_are_made_together() {
        let mut client = client();
        let add = |how, text: &str| {
            let route: Route<DeviceName> = text.parse().unwrap();
            Change::Add(how, route.map_device(Device::Name))
        };
        let changes = [
            add(Add::Add, "10.0.0.0/8 via 192.0.2.1"),
            add(Add::Append, "10.0.0.0/8 via 192.0.2.2"),
            add(Add::Add, "11.0.0.0/8 via 192.0.2.1"),
            add(Add::Replace, "11.0.0.0/8 via 192.0.2.3"),
            add(Add::Add, "12.0.0.0/8 via 192.0.2.1"),
            Change::Delete(prefix("12.0.0.0/8")),
            Change::DeletePrefix(prefix("10.0.0.0/8")),
            add(Add::Add, "13.1.0.0/16 via 192.0.2.1"),
            Change::DeleteAll(prefix("13.0.0.0/8")),
            add(Add::Change, "11.0.0.0/8 via 192.0.2.4"),
        ];
        let mut load = Load::new(&mut client, Mode::Transaction, 10);
        for (tag, change) in (0..).zip(&changes) {
            load.push(&mut client, tag, change).unwrap();
        }
        assert_eq!(load.finish(&mut client).unwrap().added, 10);
        let left: Vec<_> = client.transport().routes();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].to_string(), "11.0.0.0/8 via 192.0.2.4");
        client.ping().unwrap();
    }

    #[test]
    fn multipath_is_set_with_the_changes_or_not_at_all() {
        for mode in [Mode::Transaction, Mode::Replace, Mode::Missing] {
            let mut client = client();
            let mut load = Load::new(&mut client, mode, 2);
            load.push(&mut client, 0, &appended(0)).unwrap();
            load.set_multipath(&mut client, 1, true).unwrap();
            let is_at_once = client.table().unwrap().multipath;
            assert_eq!(is_at_once, mode == Mode::Missing);
            assert_eq!(load.finish(&mut client).unwrap().added, 1, "routes alone");
            assert!(client.table().unwrap().multipath);
        }
        let mut client = client();
        for fails in [false, true] {
            let mut load = Load::new(&mut client, Mode::Transaction, 3);
            load.set_multipath(&mut client, 0, true).unwrap();
            load.push(&mut client, 1, &appended(0)).unwrap();
            if fails {
                load.push(&mut client, 2, &appended(0)).unwrap();
                let error = load.finish(&mut client).unwrap_err();
                assert_eq!(load.tag(&error), Some(2));
            } else {
                load.abort(&mut client).unwrap();
            }
            assert!(!client.table().unwrap().multipath);
            assert_eq!(client.transport().event(), None);
        }
    }

    #[test]
    fn delete_of_prefix_with_several_paths_is_refused() {
        let mut client = client();
        client.add(Add::Add, &route(0)).unwrap();
        let mut other = route(0);
        other.path.metric = 5;
        client.add(Add::Append, &other).unwrap();
        let mut apply = |change: Change| {
            let mut load = Load::new(&mut client, Mode::Transaction, 1);
            let pushed = load.push(&mut client, 0, &change);
            pushed.and_then(|()| load.finish(&mut client))
        };
        let spec = prefix("10.0.0.0/24");
        let error = apply(Change::Delete(spec.clone())).unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENOTEMPTY));
        apply(Change::DeletePrefix(spec)).unwrap();
        assert!(client.transport().routes().is_empty());
    }

    #[test]
    fn flush_sends_changes_and_names_the_one_refused() {
        let mut client = client();
        client.add(Add::Add, &route(7)).unwrap();
        let mut load = Load::new(&mut client, Mode::Transaction, MANY);
        for tag in [1, 2, 7] {
            load.push(&mut client, tag, &appended(tag)).unwrap();
        }
        let error = load.flush(&mut client).unwrap_err();
        assert_eq!(load.tag(&error), Some(7));
        assert_eq!(client.transport().routes(), [route(7)]);
        // The kernel got a DONE: the next change is not part of the transaction.
        client.add(Add::Add, &route(8)).unwrap();
    }

    #[test]
    fn a_tag_beyond_the_last_is_not_taken_for_the_end() {
        let mut client = client();
        client.add(Add::Add, &route(7)).unwrap();
        let mut load = Load::new(&mut client, Mode::Transaction, 2);
        load.push(&mut client, 7, &appended(7)).unwrap();
        let error = load.check(&mut client).unwrap_err();
        assert_eq!(
            (load.tag(&error), error.errno()),
            (Some(1), Some(libc::EEXIST))
        );
    }

    #[test]
    fn readers_see_the_old_table_and_writers_wait_while_a_load_is_open() {
        let mut client = client();
        client.add(Add::Add, &route(7)).unwrap();
        let mut load = Load::new(&mut client, Mode::Replace, MANY);
        for tag in 100..100 + 2000 {
            load.push(&mut client, tag, &appended(tag)).unwrap();
        }
        assert_eq!(client.table().unwrap().routes4, 1);
        let error = client.add(Add::Add, &route(8)).unwrap_err();
        assert_eq!(error.errno(), Some(libc::EBUSY));
        load.finish(&mut client).unwrap();
        assert_eq!(client.table().unwrap().routes4, 2000);
    }

    #[test]
    fn only_what_is_missing_is_added() {
        let mut client = client();
        let some: Vec<_> = all().into_iter().filter(|tag| tag % 3 == 0).collect();
        load(&mut client, Mode::Missing, &some).unwrap();
        while client.transport().event().is_some() {}
        let loaded = load(&mut client, Mode::Missing, &all()).unwrap();
        assert_eq!(
            loaded,
            Loaded {
                added: 2000,
                present: 1000
            }
        );
        assert_eq!(
            std::iter::from_fn(|| client.transport().event()).count(),
            2000
        );
        let loaded = load(&mut client, Mode::Missing, &all()).unwrap();
        assert_eq!(
            loaded,
            Loaded {
                added: 0,
                present: MANY
            }
        );
        assert!(client.transport().event().is_none());
    }

    #[test]
    fn adding_what_is_missing_reports_the_first_failure() {
        let mut client = client();
        client.transport().max_routes = 5;
        let result = load(&mut client, Mode::Missing, &[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(result, Err((6, libc::ENOSPC)));
        assert_eq!(client.transport().routes().len(), 5);
    }

    #[test]
    fn load_of_nothing_sends_no_change() {
        for mode in [Mode::Transaction, Mode::Missing] {
            let mut client = client();
            Load::new(&mut client, mode, 1).abort(&mut client).unwrap();
            assert_eq!(client.transport().datagrams, 0);
            assert_eq!(load(&mut client, mode, &[]), Ok(Loaded::default()));
            assert_eq!(
                client.transport().datagrams,
                1,
                "only the generation is read"
            );
        }
    }
}
