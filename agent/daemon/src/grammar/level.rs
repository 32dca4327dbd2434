// SPDX-License-Identifier: MIT OR Apache-2.0
//! A position in the table of commands.

use super::table::{COMMANDS, Command};

/// A position in the table of commands: the commands still possible are those that share
/// their first `depth` words with the one at `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    pub(super) index: usize,
    pub(super) depth: usize,
    /// After `ip`: only commands that iproute2 has.
    pub(super) ip: bool,
}

/// First words of the commands that iproute2 has.
const IP_WORDS: [&str; 4] = ["route", "link", "address", "neighbour"];

impl Level {
    pub(super) const TOP: Self = Self {
        index: 0,
        depth: 0,
        ip: false,
    };

    pub(super) fn commands(self) -> impl Iterator<Item = (usize, &'static Command)> {
        let before = &COMMANDS[self.index].words[..self.depth];
        COMMANDS
            .iter()
            .enumerate()
            .filter(move |(_, command)| command.words.len() > self.depth)
            .filter(move |(_, command)| &command.words[..self.depth] == before)
            .filter(move |(_, command)| !self.ip || IP_WORDS.contains(&command.words[0]))
    }

    /// The possible next words, each with the index of its first command.
    pub(super) fn words(self) -> impl Iterator<Item = (usize, &'static str)> {
        let mut last = "";
        // Commands that share a word stand together in the table.
        self.commands().filter_map(move |(index, command)| {
            let word = command.words[self.depth];
            let new = word != last;
            last = word;
            new.then_some((index, word))
        })
    }
}
