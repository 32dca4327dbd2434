// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs the command of a line.

use nl31_netlink::{Client, Transport};

use super::commit::Purpose;
use super::editor::{LINE_MAX, Line};
use super::reply::Counted;
use super::session::{Console, Peer, Running};
use crate::candidate::edit;
use crate::candidate::edit_log::Candidate;
use crate::grammar::codes;
use crate::grammar::{self, Action, Arguments, Command};

impl<T: Transport> Console<T> {
    pub(super) fn entered(&mut self) {
        if self.editor.overflowed() {
            self.too_long();
            return;
        }
        self.editor.remember();
        let line = self.editor.line().clone();
        self.execute(&line);
    }

    pub(super) fn too_long(&mut self) {
        self.commands += 1;
        self.status(
            codes::TOO_LONG,
            format_args!("the line is longer than {LINE_MAX} bytes"),
        );
    }

    pub(super) fn execute(&mut self, line: &Line) {
        let (command, start) = match grammar::command(line) {
            Ok(Some(found)) if !line.trim_start().starts_with('#') => found,
            Err(_) if line.trim_start().starts_with('#') => return self.ready(),
            Ok(_) => return self.ready(),
            Err(error) => {
                self.commands += 1;
                return self.misspelled(line, &error);
            }
        };
        if command.action.waits_for_config() && self.booting() {
            self.running = Running::Held(Box::new(line.clone()));
            return;
        }
        self.commands += 1;
        self.printed = 0;
        self.run(command, line, start);
    }

    pub(super) fn run(&mut self, command: &'static Command, line: &str, start: usize) {
        if matches!(command.arguments, Arguments::None)
            && let Err(error) = grammar::nothing(line, start)
        {
            return self.misspelled(line, &error);
        }
        if command.action == Action::Dhcp
            && let Some(json) = grammar::shows_dhcp(line, start)
        {
            return self.show_dhcp(json);
        }
        if command.action.shows_alone() && grammar::nothing(line, start).is_ok() {
            return match command.action {
                Action::Multipath => self.show_multipath(),
                _ => self.show_host_name(),
            };
        }
        if self.is_read_only() && !command.action.reads() {
            return self.status(codes::DENIED, format_args!("this line is read-only"));
        }
        if self.candidate.is_some() && edit::is_edit(command) {
            return self.edit(command, line, start);
        }
        match (command.action, &command.arguments) {
            (Action::Greet, _) => self.greet(line[start..].trim()),
            (action, &Arguments::Probe { words, optional }) => {
                match grammar::probe(line, start, words, optional) {
                    Err(error) => self.misspelled(line, &error),
                    Ok(None) => self.ping(),
                    Ok(Some(probe)) if action == Action::Ping => self.start_ping(probe),
                    Ok(Some(probe)) => self.start_traceroute(probe),
                }
            }
            (Action::RouteDel, Arguments::Route(syntax)) => self.delete(syntax, line, start),
            (action, Arguments::Route(syntax)) => {
                let how = edit::adds(action).expect("the others put a path into the table");
                self.add(how, syntax, line, start);
            }
            (Action::RouteGet, Arguments::Address(syntax)) => self.get(syntax, line, start),
            (Action::RouteShow, Arguments::Filter(syntax)) => self.start_show(syntax, line, start),
            (Action::RouteFlush, Arguments::Filter(syntax)) => self.flush(syntax, line, start),
            (action, _) if grammar::is_setting(action) => self.change_setting(command, line, start),
            (action, Arguments::Listed(json)) => self.start_links(line, start, json, action),
            (Action::NeighbourDel, _) => self.delete_neighbour(line, start),
            (Action::NeighbourFlush, _) => self.flush_neighbours(line, start),
            (Action::Show, _) => self.start_overview(),
            (Action::Setup, _) => self.start_setup(),
            (Action::ConfigShow, _) => self.start_config_show(),
            (Action::Begin, _) => self.begin(),
            (Action::Check, _) => self.start_edits(Purpose::Check),
            (Action::Commit, _) => self.start_commit(line, start),
            (Action::Confirm, _) => self.confirm(),
            (Action::Rollback, _) => self.rollback(),
            (Action::Save, _) => {
                if !self.is_unconfirmed() {
                    self.start_save(false);
                }
            }
            (Action::Load, _) => self.start_load(line, start),
            (Action::FactoryReset, _) => self.factory_reset(),
            (Action::Monitor, Arguments::Word(words)) => {
                match grammar::one_of(line, start, words) {
                    Err(error) => self.misspelled(line, &error),
                    Ok(word) => {
                        self.monitoring = word.unwrap_or(0) == 0;
                        let state = words[usize::from(!self.monitoring)].word;
                        self.status(codes::DONE, format_args!("monitor {state}"));
                    }
                }
            }
            (Action::Log, _) => match grammar::log(line, start) {
                Err(error) => self.misspelled(line, &error),
                Ok((log, first)) => self.running = Running::Log(log, first),
            },
            (action, Arguments::Word(words)) => {
                let said = match grammar::one_of(line, start, words) {
                    Err(error) => return self.misspelled(line, &error),
                    Ok(word) => word.is_some(),
                };
                match action {
                    Action::Stats => self.stats(said),
                    Action::Diff if self.candidate.is_some() => self.start_candidate_diff(said),
                    Action::Diff => self.start_config_diff(said),
                    Action::PortShow => self.start_ports(said),
                    Action::Version => self.version(said),
                    Action::Reboot => self.reboot(said),
                    _ => unreachable!("{action:?} does not take a word"),
                }
            }
            (Action::Help, _) => self.help(line, start),
            (Action::Terminal, _) => self.terminal(line, start),
            (Action::Exit, _) => self.exit(),
            (action, arguments) => unreachable!("{action:?} does not take {arguments:?}"),
        }
    }

    /// Sets the size of a terminal that does not report its size, as over a serial line.
    pub(super) fn terminal(&mut self, line: &str, start: usize) {
        match grammar::size(line, start) {
            Err(error) => return self.misspelled(line, &error),
            Ok([rows, columns]) => {
                self.rows = rows.unwrap_or(self.rows);
                if let Some(columns) = columns {
                    self.editor.set_width(columns);
                }
            }
        }
        let columns = self.editor.width();
        match self.rows {
            0 => self.status(
                codes::DONE,
                format_args!("{columns} columns; long output does not pause"),
            ),
            rows => self.status(
                codes::DONE,
                format_args!("{} of {columns} columns", Counted(rows as u64, "row")),
            ),
        }
    }

    pub(super) fn exit(&mut self) {
        // The rest of the input was meant for the session that has ended.
        self.input.clear();
        self.hurried = false;
        self.monitoring = false;
        let (columns, rows) = self.told;
        self.set_size(columns, rows);
        if self.peer != Peer::Line {
            self.ended = true;
            self.status(codes::DONE, format_args!("the session ends"));
        } else if self.lock.line_lock.lock() {
            self.editor.forget();
            self.status(codes::DONE, format_args!("locked"));
        } else {
            let text = format_args!("no PIN is set; the line stays unlocked");
            self.status(codes::DONE, text);
        }
    }

    /// Whether the table has changes that a reboot loses; `None` if unknown.
    pub(super) fn has_unsaved_changes(&mut self) -> Option<bool> {
        let table = self.ask(Client::table).ok()?;
        Some(self.shared.config.is_unsaved(table.generation))
    }

    pub(super) fn reboot(&mut self, now: bool) {
        if !self.shared.appliance {
            let text = format_args!("only the agent of an appliance restarts its machine");
            return self.status(codes::DENIED, text);
        }
        let edits = self.candidate.as_ref().map_or(0, Candidate::edits);
        if !now && edits > 0 {
            let edits = Counted(edits.into(), "edit");
            return self.status(
                codes::NOT_SAVED,
                format_args!("{edits} would be lost: `commit` and `save`, or `reboot now`"),
            );
        }
        if !now && self.has_unsaved_changes() == Some(true) {
            let remedy = match self.shared.config.files.in_memory {
                true => "this image keeps nothing; `reboot now` restarts it all the same",
                false => "`save` them, or `reboot now`",
            };
            return self.status(
                codes::NOT_SAVED,
                format_args!("changes would be lost: {remedy}"),
            );
        }
        self.shared.ask_for_reboot();
        self.status(codes::DONE, format_args!("restarting"));
    }
}
