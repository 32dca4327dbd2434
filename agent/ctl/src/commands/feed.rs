// SPDX-License-Identifier: MIT OR Apache-2.0
//! `feed`: the board's table follows a routing daemon.

pub mod status;
pub mod sync;

use std::sync::Arc;
use std::time::Duration;

use self::status::Status;
use self::sync::Times;
use crate::arguments::FeedArguments;
use crate::error::Error;
use crate::feed::devices::Devices;
use crate::feed::kernel_table::KernelTable;
use crate::feed::listener::Listener;
use crate::feed::selection::{MAIN, Selection};
use crate::feed::shared::Shared;
use crate::feed::source::{Metrics, Source};
use crate::link::Link;
use crate::output::Output;
use crate::port::Port;

/// How often the board is asked whether its table has changed.
const POLL: Duration = Duration::from_secs(5);
/// Pause after the board has refused something.
const PAUSE: Duration = Duration::from_secs(1);

/// A feed: its source is read from its start on, over all sessions with the board.
pub struct Feed {
    shared: Arc<Shared>,
    times: Times,
    status: Status,
    /// Reads the source for as long as it is here.
    _reader: Reader,
}

/// What reads the source.
enum Reader {
    Zebra(#[expect(dead_code, reason = "it is only dropped")] Listener),
    Linux(#[expect(dead_code, reason = "it is only dropped")] KernelTable),
}

impl Feed {
    /// Begins to read the source.
    pub fn start(arguments: &FeedArguments, out: &mut Output<'_>) -> Result<Self, Error> {
        let selection = Selection {
            table: arguments.table.unwrap_or(MAIN),
            protocols: arguments.require_proto.clone(),
            lengths4: arguments.lengths4,
            lengths6: arguments.lengths6,
            max_routes: arguments.max_routes,
        };
        let devices = Devices::new(arguments.map.clone());
        let metrics = match arguments.fpm {
            Some(_) => Metrics::One,
            None => Metrics::Each,
        };
        let table = selection.table;
        let mut source = Source::new(selection, metrics, devices);
        if arguments.offload {
            source.shadow().answer();
        }
        let shared = Arc::new(Shared::new(source));
        let failed = |what: String| move |error| Error::Port(what, error);
        let (reader, text) = match arguments.fpm {
            Some(address) => {
                let listener = Listener::start(address, Arc::clone(&shared));
                let listener = listener.map_err(failed(address.to_string()))?;
                let text = format!("listening at {}", listener.address());
                (Reader::Zebra(listener), text)
            }
            None => {
                let text = format!("following table {table} of this machine");
                let reader = KernelTable::start(Arc::clone(&shared));
                (
                    Reader::Linux(reader.map_err(failed("rtnetlink".into()))?),
                    text,
                )
            }
        };
        let mut status = Status::new(Duration::from_secs(arguments.status.into()));
        status.notice(&text, out)?;
        Ok(Self {
            shared,
            times: Times {
                quiet: Duration::from_secs(arguments.sweep_after.into()),
                poll: POLL,
                pause: PAUSE,
            },
            status,
            _reader: reader,
        })
    }

    /// Feeds the board until the session ends.
    pub fn run<P: Port>(&mut self, link: &mut Link<P>, out: &mut Output<'_>) -> Result<(), Error> {
        sync::sync(link, &self.shared, self.times, &mut self.status, out)
    }
}
