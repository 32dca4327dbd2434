// SPDX-License-Identifier: MIT OR Apache-2.0
//! `setup`: asks its questions instead of commands, then types the commands that follow from the
//! answers. Ctrl-C, and a command that fails, end it.

use std::vec;

use nl31_netlink::rtnetlink::Link;
use nl31_netlink::{Client, Transport};

use super::editor::{Editor, LINE_MAX};
use super::reply::Reason;
use super::session::{Console, Running};
use super::setup::{LINKS_MAX, Setup};
use crate::grammar::codes;
use crate::platform::system;

/// What the console does instead of waiting for a command.
#[derive(Debug)]
pub(super) enum Dialogue {
    /// The next line is an answer.
    Asks(Setup),
    /// The lines that are left; and how many commands had failed before the first.
    Types(vec::IntoIter<String>, u64),
}

impl<T: Transport> Console<T> {
    pub(super) fn start_setup(&mut self) {
        if !self.interactive() {
            let text = format_args!("`setup` asks a person; a program sends the settings");
            return self.status(codes::DENIED, text);
        }
        if self.candidate.is_some() {
            return self.begin();
        }
        if self.is_unconfirmed() {
            return;
        }
        let links = match self.ask(Client::links) {
            Ok(links) => links,
            Err(error) => return self.failed(&error, format_args!("{}", Reason(&error))),
        };
        let configured = match self.shared.config.configured() {
            Ok(configured) => configured,
            Err(error) => return self.file_failed(&error),
        };
        // The others have no cable: the loopback device, and that of the router's own packets.
        let is_cabled = |link: &Link| !link.mac.is_empty() && link.device.as_bytes() != b"lo";
        let links = links.into_iter().filter(is_cabled);
        let links: Vec<_> = links.map(|link| link.device).collect();
        self.data(format_args!(
            "Enter alone takes the answer in brackets, `?` explains, Ctrl-C ends and changes nothing."
        ));
        if links.len() > LINKS_MAX {
            self.data(format_args!(
                "Only the first {LINKS_MAX} links are asked about."
            ));
        }
        let name = system::host_name().unwrap_or_default();
        let setup = Setup::new(&name, links, configured.settings.all());
        self.dialogue = Some(Box::new(Dialogue::Asks(setup)));
        self.explain_question();
        self.ready();
    }

    /// Whether the line that is typed is an answer.
    pub(super) fn is_asking(&self) -> bool {
        matches!(self.dialogue.as_deref(), Some(Dialogue::Asks(_)))
    }

    /// The question that stands in place of the prompt.
    pub(super) fn question(&self) -> Option<String> {
        match self.dialogue.as_deref() {
            Some(Dialogue::Asks(setup)) => Some(setup.prompt()),
            _ => None,
        }
    }

    pub(super) fn explain_question(&mut self) {
        if let Some(Dialogue::Asks(setup)) = self.dialogue.as_deref() {
            for line in setup.explanation() {
                self.data(format_args!("{line}"));
            }
        }
    }

    /// Takes the typed line as the answer.
    pub(super) fn answered(&mut self) {
        let text = match self.editor.overflowed() {
            true => return self.ask_again(format_args!("longer than {LINE_MAX} bytes")),
            false => self.editor.line().clone(),
        };
        let Some(Dialogue::Asks(setup)) = self.dialogue.as_deref_mut() else {
            return;
        };
        match setup.answer(&text) {
            Err(why) => self.ask_again(format_args!("{why}")),
            Ok(false) if setup.is_last() && !setup.changes() => {
                self.dialogue = None;
                let text = format_args!("all is set up like that already");
                self.status(codes::NOTHING, text);
            }
            Ok(false) => {
                self.explain_question();
                self.prompt();
            }
            Ok(true) => {
                let lines = setup.lines().into_iter();
                self.dialogue = Some(Box::new(Dialogue::Types(lines, self.failures)));
                self.prompt();
            }
        }
    }

    fn ask_again(&mut self, why: std::fmt::Arguments<'_>) {
        self.data(format_args!("{why}"));
        self.prompt();
    }

    /// Ends the questions without a change.
    pub(super) fn stop_setup(&mut self) {
        self.dialogue = None;
        let text = format_args!("`setup` has stopped; nothing was changed");
        self.status(codes::STOPPED, text);
    }

    /// Types the next line, if one is left. Gives whether there was one.
    pub(super) fn type_next(&mut self) -> bool {
        let Some(Dialogue::Types(lines, failures)) = self.dialogue.as_deref_mut() else {
            return false;
        };
        let failed = *failures != self.failures;
        let Some(line) = lines.next().filter(|_| !failed) else {
            self.dialogue = None;
            if failed && self.candidate.is_some() {
                self.notice(format_args!(
                    "`setup` has stopped at an error; `rollback` drops its edits"
                ));
            }
            return false;
        };
        self.insert(&line);
        self.draw(Editor::leave);
        self.entered();
        true
    }

    /// Whether lines are left to be typed.
    pub(super) fn types(&self) -> bool {
        matches!(self.dialogue.as_deref(), Some(Dialogue::Types(..)))
            && matches!(self.running, Running::Nothing)
    }
}
