// SPDX-License-Identifier: MIT OR Apache-2.0
//! The load of the config at boot goes on between the commands, and tells of itself.

use std::fmt;

use nl31_netlink::Transport;
use nl31_route::DeviceName;

use super::reply::count_routes;
use super::session::{Console, REPLY_MAX, Running};
use crate::config::boot::{Boot, News};

impl<T: Transport> Console<T> {
    /// Whether routes of the config wait for a device.
    pub fn waits_for_devices(&self) -> bool {
        let replaced = self.shared.config.replaced.borrow().is_some();
        let waits = |boot: &Boot| boot.done() && (replaced || !boot.waits_for().is_empty());
        self.attached() && self.boot.as_ref().is_some_and(waits)
    }

    /// Looks whether one of these devices has come, unless a command is under way.
    pub fn look_for_devices(&mut self) {
        let free = match &self.running {
            Running::Nothing => true,
            // Somebody may be away; and whose list has a client of its own loses nothing.
            Running::Paused(inner) => match &**inner {
                Running::Show(show) => show.has_own(),
                inner => matches!(inner, Running::Log(..) | Running::Help(..)),
            },
            _ => false,
        };
        if let (true, Some(boot), Some(client)) = (free, &mut self.boot, &mut self.client) {
            // What waits goes with the table that it was to come to.
            if self.shared.config.replaced.borrow().is_some() {
                boot.replace(client, self.shared.config.deferred());
                self.shared.config.replaced.take();
            }
            boot.look_for_devices(client, &*self.devices);
        }
    }

    /// Whether the config is being loaded.
    pub fn booting(&self) -> bool {
        self.client.is_some() && self.shared.config.booting.get()
    }

    pub(super) fn tell_of_boot(&self) {
        if let Some(boot) = &self.boot {
            self.shared.config.booting.set(!boot.done());
        }
    }

    /// Whether the config is being loaded, or a copy of it kept, which nobody waits for.
    pub(super) fn boot_goes_on(&self) -> bool {
        self.client.is_some() && self.boot.as_ref().is_some_and(|boot| !boot.ended())
    }

    /// Goes on loading the config; says whether there is more to do.
    pub(super) fn boot_step(&mut self) -> bool {
        if !self.boot_goes_on() || !self.out.room(REPLY_MAX) {
            return false;
        }
        let (Some(client), Some(mut boot)) = (&mut self.client, self.boot.take()) else {
            return false;
        };
        let news = boot.step(client, &*self.devices);
        let instead = if boot.fell_back() { " instead" } else { "" };
        let mut failed = false;
        if matches!(news, News::Loaded(..)) && self.shared.forget_unconfirmed() {
            // Its edits went with the table.
            self.notice(format_args!(
                "the commit that waited for `confirm` is gone with the table"
            ));
        }
        match news {
            News::None => {}
            News::Kept(paths) => {
                log::info!("the config was loaded before; the table has {paths} paths");
            }
            News::Loaded(path, loaded, passed_over) => {
                let path = path.display();
                log::info!(
                    "{path}: {} routes added, {} present",
                    loaded.added,
                    loaded.present
                );
                let added = count_routes(u64::from(loaded.added));
                match loaded.present {
                    0 => self.notice(format_args!("loaded {added} from {path}{instead}")),
                    present => self.notice(format_args!(
                        "loaded {added} from {path}{instead}, {present} were there"
                    )),
                }
                if !passed_over.is_empty() {
                    log::warn!("{path}: passed over: {passed_over}");
                    self.notice(format_args!("{path}: passed over: {passed_over}"));
                }
                for device in boot.waits_for() {
                    log::warn!("{}", NotThere(device));
                    self.notice(format_args!("{}", NotThere(device)));
                }
            }
            News::LoadedDeferred(device, loaded) => {
                let added = count_routes(u64::from(loaded.added));
                log::info!("{device} has come: {added} added");
                self.notice(format_args!("{device} has come, loaded {added} over it"));
            }
            News::DeferredRefused(error) => {
                log::error!("{error}");
                self.notice(format_args!("config not loaded: {error}"));
            }
            News::Refused(error) => {
                log::error!("{error}");
                self.notice(format_args!("config not loaded: {error}"));
            }
            News::Empty if boot.fell_back() => {
                self.notice(format_args!("no config is loaded, the table is as it was"));
            }
            News::Empty => log::info!("there is no config"),
            News::Failed(error) => {
                log::error!("config: {error}");
                self.notice(format_args!("config not loaded: {}", error.kind));
                failed = true;
            }
        }
        if failed {
            // Asked for again when the kernel's side is opened again.
            self.client = None;
        }
        let more = !failed && !boot.ended();
        self.boot = Some(boot);
        self.tell_of_boot();
        more
    }
}

/// Told of a device whose routes wait.
pub(super) struct NotThere<'a>(pub(super) &'a DeviceName);

impl fmt::Display for NotThere<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no device {} yet, its routes wait for it",
            self.0
        )
    }
}
