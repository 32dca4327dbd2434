// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes the settings of devices that come while the agent runs, and reports routes of devices
//! that go.

use std::io;
use std::rc::Rc;

use nl31_netlink::rtnetlink::LinkEvents;

use super::agent::Agent;
use super::retry::Retry;
use crate::config::departures::Departures;
use crate::config::settings::arrivals::make_arrived;
use crate::frames::host::{Host, System};
use crate::platform::devices::SystemDevices;

/// What tells of devices that come.
pub(super) struct Arrivals {
    /// `None` if the kernel's events cannot be had.
    pub(super) events: Option<LinkEvents>,
    /// Devices may have come since the settings were made.
    due: bool,
    retry: Retry,
    departures: Departures,
}

impl Arrivals {
    /// The devices that are there now are looked at first.
    pub(super) fn open() -> Self {
        Self {
            events: LinkEvents::open()
                .inspect_err(|error| log::error!("settings of late devices wait: {error}"))
                .ok(),
            due: true,
            retry: Retry::now(),
            departures: Departures::new(&SystemDevices),
        }
    }

    /// Reads events.
    pub(super) fn hear(&mut self) {
        match self.events.as_ref().map(LinkEvents::drain) {
            Some(Ok(changed)) => self.due |= changed,
            Some(Err(error)) => {
                log::error!("settings of late devices wait: {error}");
                self.events = None;
            }
            None => {}
        }
    }
}

impl Agent {
    /// Makes the settings of devices that have come, when the config is loaded.
    pub(super) fn make_arrived(&mut self) {
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        let ready = self.console.attached() && !self.console.booting();
        if !arrivals.due || !ready || !arrivals.retry.due() {
            return;
        }
        // A new client: the console's may be in the middle of a list.
        let host = System(Rc::clone(&self.shared));
        let path = self.shared.config.files.settings();
        let made = host
            .connect()
            .map_err(|error| io::Error::other(error.to_string()))
            .and_then(|mut client| {
                let gone = arrivals.departures.take(&mut client, &SystemDevices);
                for departure in gone.map_err(|error| io::Error::other(error.to_string()))? {
                    log::warn!("{departure}");
                    self.console.notice(format_args!("{departure}"));
                }
                make_arrived(&mut client, &SystemDevices, &path)
            });
        match made {
            Ok(all) => {
                (arrivals.due, arrivals.retry) = (false, Retry::now());
                for arrival in all {
                    log::info!("{arrival}");
                    self.console.notice(format_args!("{arrival}"));
                }
            }
            Err(error) => {
                if arrivals.retry.pause == Retry::FIRST
                    && error.kind() != io::ErrorKind::ResourceBusy
                {
                    log::error!("settings of late devices: {error}");
                }
                arrivals.retry.later();
            }
        }
    }

    /// When to try again.
    pub(super) fn arrivals_due(&self) -> Option<std::time::Instant> {
        let arrivals = self.arrivals.as_ref()?;
        arrivals.due.then_some(arrivals.retry.at)
    }
}
