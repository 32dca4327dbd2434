// SPDX-License-Identifier: MIT OR Apache-2.0
//! The connection to the kernel: reopened after a failure; its events go to all sessions.

use nl31_netlink::{Client, Error, ErrorKind, Transport};

use super::agent::Agent;
use crate::frames::control_socket::Control;
use crate::platform::receiver::Receiver;

impl Agent {
    pub(super) fn take_events(&mut self) -> bool {
        let Some(events) = &self.events else {
            return false;
        };
        events.reset();
        // Enough for a burst; few enough that keys need not wait.
        for _ in 0..64 {
            let heard = self.console.listens();
            if !heard && !self.programs_subscribe() {
                // Continues after the terminal has taken some of the output.
                events.again();
                return false;
            }
            match events.take() {
                Some(message) => {
                    // Programs get events even if the terminal takes none.
                    match heard {
                        true => self.console.event(&message),
                        false => self.console.missed(),
                    }
                    self.program.event(&message);
                    if let Some(control) = &mut self.control {
                        control.event(&message);
                    }
                }
                None => {
                    if events.lost() {
                        self.console.events_lost();
                        self.program.events_lost();
                        if let Some(control) = &mut self.control {
                            control.events_lost();
                        }
                    }
                    return false;
                }
            }
        }
        true
    }

    /// Whether a program wants the events.
    pub(super) fn programs_subscribe(&self) -> bool {
        let control = self.control.as_ref();
        self.program.subscribes() || control.is_some_and(Control::subscribe)
    }

    pub(super) fn open_kernel(&mut self) {
        let opened = Receiver::start().map_err(Error::from).and_then(|receiver| {
            let events = receiver.events();
            let mut client = Client::new(Box::new(receiver) as Box<dyn Transport>);
            let greeting = client.greet(None)?;
            Ok((events, client, greeting))
        });
        match opened {
            Ok((events, client, greeting)) => {
                log::info!("nl31 module {}, port {}", greeting.version, greeting.port);
                if self.absence.take().is_some() {
                    self.console
                        .notice(format_args!("the kernel's nl31 module is present now"));
                }
                self.events = Some(events);
                self.console.attach(client);
                // Subscribers missed the events of the meantime.
                self.program.events_lost();
                if let Some(control) = &mut self.control {
                    control.events_lost();
                }
            }
            Err(error) => {
                self.kernel_retry.later();
                let reason = match error.kind {
                    ErrorKind::Absent => {
                        self.shared.config.booting.set(false);
                        "the kernel's nl31 module is missing".to_string()
                    }
                    _ => error.to_string(),
                };
                if self.absence.as_ref() != Some(&reason) {
                    log::error!("{error}");
                    self.console
                        .notice(format_args!("{reason}; trying again every few seconds"));
                    self.absence = Some(reason);
                }
            }
        }
    }
}
