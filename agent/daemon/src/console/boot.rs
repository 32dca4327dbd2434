// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loads the config at boot between the commands, and prints notices about it.

use nl31_netlink::Transport;

use super::reply::{And, count_routes};
use super::session::Console;
use crate::config::boot::{LoadedConfig, News};

impl<T: Transport> Console<T> {
    /// Whether the config is being loaded.
    pub fn booting(&self) -> bool {
        self.client.is_some() && self.shared.config.booting.get()
    }

    pub(super) fn tell_of_boot(&self) {
        if let Some(boot) = &self.boot {
            self.shared.config.booting.set(!boot.done());
        }
    }

    /// Whether the config is being loaded, or its backup copy being made; no command waits for
    /// the copy.
    pub(super) fn boot_goes_on(&self) -> bool {
        self.client.is_some() && self.boot.as_ref().is_some_and(|boot| !boot.ended())
    }

    /// Continues to load the config; gives whether there is more to do.
    pub(super) fn boot_step(&mut self) -> bool {
        if !self.boot_goes_on() {
            return false;
        }
        let (Some(client), Some(mut boot)) = (&mut self.client, self.boot.take()) else {
            return false;
        };
        let news = boot.step(client, &*self.devices);
        if matches!(news, News::Empty) {
            let generation = client.table().ok().map(|table| table.generation);
            let configured = self.shared.config.configured();
            let revision = configured.map(|configured| configured.revision);
            let state = generation.zip(revision.ok());
            self.shared.config.set_saved(state);
        }
        let instead = if boot.fell_back() { " instead" } else { "" };
        let mut failed = false;
        if matches!(news, News::Loaded(_)) && self.shared.forget_unconfirmed() {
            // The table is new; the edits of that commit are gone.
            self.notice(format_args!(
                "the unconfirmed commit was dropped: its table is gone"
            ));
        }
        match news {
            News::None => {}
            News::Kept(paths) => {
                log::info!("the config was loaded before; the table has {paths} paths");
            }
            News::Loaded(config) => {
                let LoadedConfig {
                    path,
                    routes: loaded,
                    settings,
                    waiting,
                    passed_over,
                    left,
                    state,
                } = *config;
                self.shared.config.set_saved(state);
                let path = path.display();
                log::info!(
                    "{path}: {} routes added, {} present, {settings} settings",
                    loaded.added,
                    loaded.present
                );
                let added = count_routes(u64::from(loaded.added));
                let and = And(settings);
                match loaded.present {
                    0 => self.notice(format_args!("loaded {added}{and} from {path}{instead}")),
                    present => self.notice(format_args!(
                        "loaded {added}{and} from {path}{instead}; {present} existed already"
                    )),
                }
                if !passed_over.is_empty() {
                    log::warn!("{path}: ignored: {passed_over}");
                    self.notice(format_args!("{path}: ignored: {passed_over}"));
                }
                if !left.is_empty() {
                    log::error!("{path}: {left}");
                    self.notice(format_args!("{path}: not made: {left}"));
                }
                if !waiting.is_empty() {
                    log::warn!("{waiting}");
                    self.notice(format_args!("{waiting}"));
                }
            }
            News::Refused(error) => {
                log::error!("{error}");
                self.notice(format_args!("config not loaded: {error}"));
            }
            News::Empty if boot.fell_back() => {
                self.notice(format_args!("no config loaded; the table is unchanged"));
            }
            News::Empty => log::info!("no config exists"),
            News::Failed(error) => {
                log::error!("config: {error}");
                self.notice(format_args!("config not loaded: {}", error.kind));
                failed = true;
            }
        }
        if failed {
            // The boot starts over when the kernel is connected again.
            self.client = None;
        }
        let more = !failed && !boot.ended();
        self.boot = Some(boot);
        self.tell_of_boot();
        more
    }
}
