// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands that change settings at once, and `config show`.

use nl31_netlink::{Client, Transport};
use nl31_route::words;

use super::info::on_off;
use super::json::JsonClient;
use super::reply::{Counted, Reason};
use super::session::{Console, LINES_PER_STEP, Running};
use crate::config::learnt;
use crate::config::settings::error::{SettingError, SettingErrorKind};
use crate::config::settings::file::Configured;
use crate::config::settings::transaction::Transaction;
use crate::grammar::codes;
use crate::grammar::{self, Command, Setting, SettingChange};
use crate::platform::system;

impl<T: Transport> Console<T> {
    /// Makes or ends a setting.
    pub(super) fn change_setting(&mut self, command: &Command, line: &str, start: usize) {
        let change = match grammar::setting_change(command, line, start, false) {
            Ok(change) => change,
            Err(error) => return self.misspelled(line, &error),
        };
        let Some(client) = &mut self.client else {
            return self.absent();
        };
        let path = self.shared.config.files.settings();
        let devices = &*self.devices;
        let mut ended = 0;
        let result = (|| {
            let mut transaction = Transaction::open(&path)?;
            transaction.stage(1, change.clone(), devices)?;
            ended = transaction.len() as u64 - 1;
            transaction.prepare(client, &path, None)?;
            transaction.apply(client, devices)?;
            Ok(transaction.finish(client))
        })();
        match result {
            Ok(left) if !left.is_empty() => {
                let text = left.text();
                log::error!("{text}");
                self.status(codes::PARTLY, format_args!("made, except: {text}"));
            }
            Ok(_) => self.setting_changed(&change, ended),
            Err(error) => self.setting_failed(line, start, &error),
        }
    }

    /// `ended`: settings that went with the one that ended.
    fn setting_changed(&mut self, SettingChange { setting, made }: &SettingChange, ended: u64) {
        match setting {
            Setting::VirtualLink(link) => {
                let device = &link.device;
                match (made, ended) {
                    (true, _) => self.status(codes::DONE, format_args!("added link {device}")),
                    (false, 0) => self.status(codes::DONE, format_args!("deleted link {device}")),
                    (false, _) => {
                        let settings = Counted(ended, "setting");
                        self.status(
                            codes::DONE,
                            format_args!("deleted link {device}, and {settings} with it"),
                        );
                    }
                }
            }
            Setting::Port(spec) if !made => {
                let device = &spec.device;
                self.status(codes::DONE, format_args!("deleted port {device}"));
            }
            Setting::Multipath => {
                self.status(codes::DONE, format_args!("multipath {}", on_off(*made)));
            }
            Setting::Dhcp(device) if !made => {
                self.status(codes::DONE, format_args!("DHCP on {device} is off"));
            }
            Setting::Address(address, device) if !made => {
                self.status(
                    codes::DONE,
                    format_args!("{device} has no address {address} any more"),
                );
            }
            setting => self.status(codes::DONE, format_args!("{}", setting.name())),
        }
    }

    fn setting_failed(&mut self, line: &str, start: usize, error: &SettingError) {
        log::debug!("{error:?}");
        if let SettingErrorKind::NoDevice(device) = &error.kind {
            let mut words = words(line, start);
            if let Some(word) = words.find(|word| word.text.parse().as_ref() == Ok(device)) {
                self.caret(line, word.column, word.text.len());
            }
        }
        self.status(error.code(), format_args!("{error}"));
    }

    /// The name of this host, as configured, or as the machine has it otherwise.
    pub(super) fn host_name(&self) -> Option<String> {
        let configured = self.shared.config.host_name();
        let configured = configured.map(|name| name.to_string());
        configured.or_else(|| system::host_name().map(|name| name.as_str().into()))
    }

    pub(super) fn show_host_name(&mut self) {
        match self.host_name() {
            Some(name) => {
                self.data(format_args!("{name}"));
                self.status(codes::DONE, format_args!("host name"));
            }
            None => self.status(codes::DONE, format_args!("this router has no host name")),
        }
    }

    /// Shows what DHCP servers have set; at most 16 lines.
    pub(super) fn show_dhcp(&mut self, json: bool) {
        let configured = match self.shared.config.configured() {
            Ok(configured) => configured.settings,
            Err(error) => return self.file_failed(&error),
        };
        let addresses = match self.ask(Client::addresses) {
            Ok(addresses) => addresses,
            Err(error) => return self.failed(&error, format_args!("{}", Reason(&error))),
        };
        let now = system::seconds_since_boot();
        let clients = learnt::clients(&configured, &*self.devices, &self.shared.config, now);
        let clients = learnt::told(clients, &*self.devices, &addresses);
        for (device, state) in &clients {
            match json {
                true => self.data(format_args!("{}", JsonClient(device, state, now))),
                false => self.data(format_args!("{device} {}", state.line(now))),
            }
        }
        let count = Counted(clients.len() as u64, "DHCP client");
        self.status(codes::DONE, format_args!("{count}"));
    }

    pub(super) fn start_config_show(&mut self) {
        match self.shared.config.configured() {
            Ok(configured) => self.running = Running::Config(Box::new((configured, 0))),
            Err(error) => self.file_failed(&error),
        }
    }

    /// Shows some more settings.
    pub(super) fn config_show(&mut self, mut list: Box<(Configured, usize)>) {
        if std::mem::take(&mut self.stop) {
            return self.status(codes::STOPPED, format_args!("stopped"));
        }
        for _ in 0..LINES_PER_STEP {
            if self.page_is_full() {
                self.pause(Running::Config(list));
                return;
            }
            let (configured, shown) = &mut *list;
            let Some(setting) = configured.settings.all().get(*shown) else {
                let settings = Counted(*shown as u64, "setting");
                return self.status(
                    codes::DONE,
                    format_args!("{settings}; `route show` lists the routes"),
                );
            };
            *shown += 1;
            self.data(format_args!("{setting}"));
        }
        self.running = Running::Config(list);
    }
}
