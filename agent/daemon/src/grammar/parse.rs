// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parses lines into commands and their arguments.

use nl31_route::{Family, Keyword, Match, Word, match_word, words};

use super::errors::{GrammarError, GrammarErrorKind};
use super::level::Level;
use super::limits::{CONFIRM_SECONDS_MAX, TERMINAL_SIZE_MAX};
use super::table::{Action, COMMANDS, CONFIRMED, Command};

/// Names of other tools for our words.
static SYNONYMS: [(&str, &str); 4] = [
    ("delete", "del"),
    ("list", "show"),
    ("ls", "show"),
    ("quit", "exit"),
];

/// Stands before `route` in lines that were written for iproute2.
pub(super) const IP: &str = "ip";

/// Finds the command of a line: with its index in [`COMMANDS`], and the byte where
/// its arguments start. `None` if the line is empty.
pub fn command(line: &str) -> Result<Option<(&'static Command, usize)>, GrammarError> {
    if let Some(found) = shown(line) {
        return Ok(Some(found));
    }
    let mut level = Level::TOP;
    for word in words(line, 0) {
        level = descend(level, word)?;
        let command = &COMMANDS[level.index];
        if level.depth == command.words.len() {
            let full = command.words[level.depth - 1];
            if command.action.is_written_out() && word.text != full {
                return Err(GrammarError::at(word, GrammarErrorKind::Short(full)));
            }
            return Ok(Some((command, word.column + word.text.len())));
        }
    }
    if level == Level::TOP {
        return Ok(None);
    }
    let column = line.trim_ascii_end().len();
    // `ip route` alone is iproute2's way to list.
    if level.ip && level.depth > 0 {
        let mut commands = level.commands();
        let show = commands.find(|(_, command)| command.words[1] == "show");
        return Ok(show.map(|(_, show)| (show, column)));
    }
    Err(GrammarError {
        column,
        len: 0,
        kind: GrammarErrorKind::Incomplete(level),
    })
}

/// `show` of other devices: `show version` is `version`, `show routes` is `route show`.
fn shown(line: &str) -> Option<(&'static Command, usize)> {
    let mut words = words(line, 0);
    let show = words.next()?;
    let mut object = words.next()?;
    if show.text != "show" {
        return None;
    }
    if object.text == IP {
        object = words.next()?;
    }
    let action = |action| COMMANDS.iter().find(|command| command.action == action);
    let command = match object.text {
        "route" | "routes" => action(Action::RouteShow),
        "link" | "links" => action(Action::LinkShow),
        "address" | "addresses" => action(Action::AddressShow),
        "neighbour" | "neighbours" => action(Action::NeighbourShow),
        "port" | "ports" => action(Action::PortShow),
        text => COMMANDS
            .iter()
            .find(|command| *command.words == [text] && command.action.reads()),
    };
    Some((command?, object.column + object.text.len()))
}

/// The family of an option of `ip`.
pub(super) fn family_option(word: &str) -> Option<Family> {
    match word {
        "-4" => Some(Family::V4),
        "-6" => Some(Family::V6),
        _ => None,
    }
}

/// The first command with this second word.
fn second(word: &str) -> Option<&'static Command> {
    let mut commands = COMMANDS.iter();
    commands.find(|command| command.words.get(1) == Some(&word))
}

pub(super) fn descend(level: Level, word: Word<'_>) -> Result<Level, GrammarError> {
    let error = |kind| GrammarError::at(word, kind);
    if level == Level::TOP && word.text == IP {
        return Ok(Level { ip: true, ..level });
    }
    if level.ip && level.depth == 0 && family_option(word.text).is_some() {
        return Ok(level);
    }
    // iproute2 takes any beginning of its words.
    let is = |theirs: &str| theirs == word.text || (level.ip && theirs.starts_with(word.text));
    let ours = level.words().any(|(_, ours)| ours.starts_with(word.text));
    let synonym = SYNONYMS.iter().find(|(theirs, _)| !ours && is(theirs));
    let text = synonym.map_or(word.text, |&(_, ours)| ours);
    // `add 10.0.0.0/8` lacks its first word; it does not abbreviate `address`.
    if level == Level::TOP
        && !level.words().any(|(_, ours)| ours == text)
        && let Some(command) = second(text)
    {
        return Err(error(GrammarErrorKind::Second(command.words)));
    }
    match match_word(text, level.words().map(|(_, word)| word), true) {
        Match::One(nth) => {
            let (index, _) = level.words().nth(nth).expect("it was just found there");
            Ok(Level {
                index,
                depth: level.depth + 1,
                ..level
            })
        }
        Match::None => {
            let second = second(text).filter(|_| level.depth == 0);
            Err(error(match second {
                Some(command) => GrammarErrorKind::Second(command.words),
                None => GrammarErrorKind::Unknown(level),
            }))
        }
        // As iproute2 does: `a` is `add`.
        Match::Many if level.ip => {
            let mut words = level.words();
            let (index, _) = words
                .find(|(_, ours)| ours.starts_with(text))
                .expect("many are");
            Ok(Level {
                index,
                depth: level.depth + 1,
                ..level
            })
        }
        Match::Many => {
            let mut words = level.words().map(|(_, word)| word);
            let first = words.find(|possible| possible.starts_with(word.text));
            let (first, len) = (first.unwrap_or_default(), word.text.len());
            Err(error(GrammarErrorKind::Ambiguous(level, first, len)))
        }
    }
}

/// The one word that may follow a command, as its index in `keywords`.
pub fn one_of(
    line: &str,
    start: usize,
    keywords: &'static [Keyword],
) -> Result<Option<usize>, GrammarError> {
    let mut words = words(line, start);
    let Some(word) = words.next() else {
        return Ok(None);
    };
    if let Some(excess) = words.next() {
        return Err(GrammarError::at(excess, GrammarErrorKind::Excess));
    }
    match match_word(word.text, keywords.iter().map(|keyword| keyword.word), true) {
        Match::One(index) => Ok(Some(index)),
        _ => Err(GrammarError::at(word, GrammarErrorKind::NotOneOf(keywords))),
    }
}

/// The seconds after `commit confirmed`, if given.
pub fn confirmed(line: &str, start: usize) -> Result<Option<u32>, GrammarError> {
    let mut words = words(line, start);
    let Some(word) = words.next() else {
        return Ok(None);
    };
    if match_word(word.text, [CONFIRMED.word].into_iter(), true) != Match::One(0) {
        return Err(GrammarError::at(
            word,
            GrammarErrorKind::NotOneOf(&[CONFIRMED]),
        ));
    }
    let Some(word) = words.next() else {
        return Err(GrammarError::at_end(line, GrammarErrorKind::NoSeconds));
    };
    if let Some(excess) = words.next() {
        return Err(GrammarError::at(excess, GrammarErrorKind::Excess));
    }
    let digits = word.text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = word.text.parse().ok().filter(|_| digits);
    match seconds {
        Some(seconds) if (1..=CONFIRM_SECONDS_MAX).contains(&seconds) => Ok(Some(seconds)),
        _ => Err(GrammarError::at(word, GrammarErrorKind::NoSeconds)),
    }
}

/// The rows and columns after `terminal`, as far as given.
pub fn size(line: &str, start: usize) -> Result<[Option<usize>; 2], GrammarError> {
    let mut size = [None; 2];
    for (index, word) in words(line, start).enumerate() {
        let error = |kind| GrammarError::at(word, kind);
        let slot = size.get_mut(index);
        let slot = slot.ok_or_else(|| error(GrammarErrorKind::Excess))?;
        let number = word
            .text
            .parse()
            .ok()
            .filter(|&number| number <= TERMINAL_SIZE_MAX)
            .filter(|_| word.text.bytes().all(|byte| byte.is_ascii_digit()));
        *slot = Some(number.ok_or_else(|| error(GrammarErrorKind::NoSize))?);
    }
    Ok(size)
}

/// The one word that may follow a command as it stands.
pub fn one_word(line: &str, start: usize) -> Result<Option<&str>, GrammarError> {
    let mut words = words(line, start);
    let word = words.next();
    match words.next() {
        None => Ok(word.map(|word| word.text)),
        Some(excess) => Err(GrammarError::at(excess, GrammarErrorKind::Excess)),
    }
}

/// Refuses arguments of a command that takes none.
pub fn nothing(line: &str, start: usize) -> Result<(), GrammarError> {
    match words(line, start).next() {
        None => Ok(()),
        Some(word) => Err(GrammarError {
            column: word.column,
            len: line.trim_ascii_end().len() - word.column,
            kind: GrammarErrorKind::Excess,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::table::ON_OFF;

    fn found(line: &str) -> Result<Option<(Action, usize)>, String> {
        match command(line) {
            Ok(found) => Ok(found.map(|(command, start)| (command.action, start))),
            Err(error) => Err(format!("{}+{}: {}", error.column, error.len, error.kind)),
        }
    }

    #[test]
    fn commands_are_found_by_their_words() {
        assert_eq!(found(""), Ok(None));
        assert_eq!(found("  \t"), Ok(None));
        assert_eq!(found("ping"), Ok(Some((Action::Ping, 4))));
        assert_eq!(
            found(" route  add 10.0.0.0/8"),
            Ok(Some((Action::RouteAdd, 11)))
        );
        for command in COMMANDS {
            let line = command.words.join(" ");
            assert_eq!(found(&line), Ok(Some((command.action, line.len()))));
        }
    }

    #[test]
    fn abbreviations_are_unique_or_refused() {
        assert_eq!(found("rou sh"), Ok(Some((Action::RouteShow, 6))));
        assert_eq!(found("he"), Ok(Some((Action::Help, 2))));
        assert_eq!(
            found("reb"),
            Err("0+3: write the word in full: reboot".into())
        );
        assert_eq!(
            found("f"),
            Err("0+1: write the word in full: factory-reset".into())
        );
        assert_eq!(
            found("ro show"),
            Err("0+2: ambiguous; write more of the word: route or rollback".into())
        );
        assert_eq!(
            found("rou a"),
            Err("4+1: ambiguous; write more of the word: add or append".into())
        );
    }

    #[test]
    fn lines_for_other_tools_are_understood_or_answered_with_ours() {
        for (line, action) in [
            ("ip route add default via 192.0.2.1", Action::RouteAdd),
            ("ip r show", Action::RouteShow),
            ("ip ro ls", Action::RouteShow),
            ("ip r a default via 192.0.2.1", Action::RouteAdd),
            ("ip ro ad default via 192.0.2.1", Action::RouteAdd),
            ("ip r app default via 192.0.2.1", Action::RouteAppend),
            ("ip -6 route add default via fe80::1", Action::RouteAdd),
            ("ip -4 r d 10.0.0.0/8", Action::RouteDel),
            ("ip r delet 10.0.0.0/8", Action::RouteDel),
            ("ip r l", Action::RouteShow),
            ("ip r r 10.0.0.0/8 dev eth0", Action::RouteReplace),
            ("ip route", Action::RouteShow),
            ("ip -6 r", Action::RouteShow),
            ("ip addr", Action::AddressShow),
            ("ip l", Action::LinkShow),
            ("ip neigh", Action::NeighbourShow),
            ("ip a a 192.0.2.1/24 dev eth0", Action::AddressAdd),
            ("ip link set eth0 up", Action::LinkSet),
            ("route delete 10.0.0.0/8", Action::RouteDel),
            ("route list", Action::RouteShow),
            ("quit", Action::Exit),
        ] {
            let found = command(line).map(|found| found.unwrap().0.action);
            assert_eq!(found, Ok(action), "{line}");
        }
        for (line, action, start) in [
            ("show", Action::Show, 4),
            // Refused for what follows.
            ("show reboot", Action::Show, 4),
            ("show version", Action::Version, 12),
            ("show log", Action::Log, 8),
            ("show stats json", Action::Stats, 10),
            ("show route 10.0.0.0/8", Action::RouteShow, 10),
            ("show ip routes", Action::RouteShow, 14),
            ("show links", Action::LinkShow, 10),
            ("show ip address", Action::AddressShow, 15),
        ] {
            assert_eq!(found(line), Ok(Some((action, start))), "{line}");
        }
        for (line, command) in [
            ("add 10.0.0.0/8 via 192.0.2.1", "route add"),
            ("append 10.0.0.0/8 dev eth0", "route append"),
            ("delete 10.0.0.0/8", "route del"),
        ] {
            let first = line.split(' ').next().unwrap().len();
            let text = format!("0+{first}: no such command; did you mean {command}?");
            assert_eq!(found(line), Err(text));
        }
        assert_eq!(found("addr show"), Ok(Some((Action::AddressShow, 9))));
        assert_eq!(found("ip add show"), Ok(Some((Action::AddressShow, 11))));
        let expected = "expected route, link, address or neighbour";
        assert_eq!(found("ip port"), Err(format!("3+4: {expected}")));
        assert_eq!(found("ip"), Err(format!("2+0: {expected}")));
        assert!(found("route quit").unwrap_err().contains("expected add"));
    }

    #[test]
    fn errors_say_what_was_expected_where() {
        let top = "no such command: `help` lists them";
        assert_eq!(found("foo bar"), Err(format!("0+3: {top}")));
        assert_eq!(
            found("route  "),
            Err("5+0: expected add, replace, change, append, del, get, show or flush".into())
        );
        assert_eq!(nothing("ping a b ", 4).unwrap_err().column, 5);
        assert_eq!(nothing("ping a b ", 4).unwrap_err().len, 3);
        for wrong in ["terminal +5", "terminal 24 -1", "terminal 1000"] {
            assert_eq!(size(wrong, 8).unwrap_err().kind, GrammarErrorKind::NoSize);
        }
        let error = one_of("monitor x", 7, &ON_OFF).unwrap_err();
        assert_eq!(error.kind.to_string(), "expected on or off");
        assert_eq!(one_of("monitor of", 7, &ON_OFF), Ok(Some(1)));
        let seconds =
            |line| confirmed(line, 6).map_err(|error| (error.column, error.kind.to_string()));
        assert_eq!(seconds("commit"), Ok(None));
        assert_eq!(seconds("commit conf 86400"), Ok(Some(86_400)));
        for (line, column) in [
            ("commit confirmed", 16),
            ("commit confirmed +5", 17),
            ("commit confirmed 86401", 17),
        ] {
            assert_eq!(
                seconds(line),
                Err((column, "expected seconds, from 1 to 86400".into()))
            );
        }
        assert_eq!(seconds("commit now"), Err((7, "expected confirmed".into())));
        assert_eq!(one_of("monitor on x", 7, &ON_OFF).unwrap_err().column, 11);
    }
}
