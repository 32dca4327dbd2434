// SPDX-License-Identifier: MIT OR Apache-2.0
//! Suggestions for Tab and `?`.

use nl31_route::{Keyword, Match, Protocol, Syntax, Value, Word, match_word, words};

use super::device_word::{DEV, index_in};
use super::dhcp_line;
use super::level::Level;
use super::link_line;
use super::log_line;
use super::parse::{command, descend};
use super::port_line;
use super::table::{Arguments, CODES, COMMANDS, CONFIRMED, Command};
use super::virtual_link_line;
use crate::platform::devices::Devices;

/// A word that may stand at the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suggestion<'a> {
    /// The word, or a placeholder like `PREFIX`.
    pub text: &'a str,
    /// One line for a person; may be empty.
    pub help: &'a str,
    /// Whether `text` itself may be typed there.
    pub literal: bool,
}

/// Calls `each` with every suggestion for the end of `left`, the line left of the cursor. An
/// unfinished word is not considered: the caller keeps the suggestions that start with it.
/// Gives the column of that word, or the end.
///
/// `devices` names the network devices.
pub fn suggestions(
    left: &str,
    devices: &dyn Devices,
    each: &mut dyn FnMut(Suggestion<'_>),
) -> usize {
    let begun = left
        .rfind(|c: char| c.is_ascii_whitespace())
        .map_or(0, |space| space + 1);
    let mut before = words(&left[..begun], 0);
    let mut level = Level::TOP;
    let mut literal = |text: &str, help: &str| {
        each(Suggestion {
            text,
            help,
            literal: true,
        })
    };
    let arguments = loop {
        let command = &COMMANDS[level.index];
        if level.depth > 0 && level.depth == command.words.len() {
            break &command.arguments;
        }
        let Some(word) = before.next() else {
            for (index, word) in level.words() {
                let command = &COMMANDS[index];
                let group = command.words.len() > level.depth + 1;
                literal(word, if group { "…" } else { command.help });
            }
            return begun;
        };
        match descend(level, word) {
            Ok(next) => level = next,
            Err(_) => return begun,
        }
    };
    match arguments {
        Arguments::None => {}
        Arguments::Text => each(Suggestion {
            text: "TEXT",
            help: "up to 255 bytes",
            literal: false,
        }),
        Arguments::Word(keywords) => {
            if before.next().is_none() {
                keywords
                    .iter()
                    .for_each(|keyword| literal(keyword.word, keyword.help));
            }
        }
        Arguments::Address(syntax) => {
            let json = &syntax.flags[0];
            match (before.next(), before.next()) {
                (None, _) => each(Suggestion {
                    text: "ADDRESS",
                    help: "an address like 192.0.2.1, or a prefix",
                    literal: false,
                }),
                (Some(_), None) => literal(json.word, json.help),
                _ => {}
            }
        }
        Arguments::Confirmed => match (before.next(), before.next()) {
            (None, _) => literal(CONFIRMED.word, CONFIRMED.help),
            (Some(_), None) => each(Suggestion {
                text: "SECONDS",
                help: "from 1 to 86400",
                literal: false,
            }),
            _ => {}
        },
        Arguments::File => {
            if before.next().is_none() {
                each(Suggestion {
                    text: "FILE",
                    help: "a path like /data/nl31/routes.conf",
                    literal: false,
                });
            }
        }
        Arguments::HostName => {
            if before.next().is_none() {
                each(Suggestion {
                    text: "NAME",
                    help: "letters, digits, and between them - and .",
                    literal: false,
                });
            }
        }
        Arguments::Size => {
            if let Some(text) = ["ROWS", "COLUMNS"].get(before.count()) {
                each(Suggestion {
                    text,
                    help: "from 0 to 999",
                    literal: false,
                });
            }
        }
        Arguments::Log => match (before.next(), before.next()) {
            (None, _) => log_line::LOGS
                .iter()
                .for_each(|keyword| literal(keyword.word, keyword.help)),
            (Some(word), None) if index_in(word, &log_line::LOGS, false) == Ok(log_line::FROM) => {
                each(Suggestion {
                    text: Value::Number.placeholder(),
                    help: "the number of a line, as `log json` shows it",
                    literal: false,
                });
            }
            _ => {}
        },
        Arguments::AnyDevice => match (before.next(), before.next()) {
            (None, _) => literal(link_line::DEVICE[0].word, ""),
            (Some(_), None) => devices.names(&mut |name| literal(name, "")),
            _ => {}
        },
        Arguments::DeviceAddress | Arguments::Neighbour => {
            match (before.next(), before.next(), before.next()) {
                (None, ..) => {
                    let (text, help) = match arguments {
                        Arguments::Neighbour => ("ADDRESS", Value::Address.expected()),
                        _ => (
                            "ADDRESS/LEN",
                            "an address with its length, like 192.0.2.1/24",
                        ),
                    };
                    each(Suggestion {
                        text,
                        help,
                        literal: false,
                    });
                }
                (_, None, _) => literal(link_line::DEVICE[0].word, link_line::DEVICE[0].help),
                (_, _, None) => devices.names(&mut |name| literal(name, "")),
                _ => {}
            }
        }
        Arguments::Listed(json) => {
            let mut names = true;
            for word in before {
                if word.text == json[0].word {
                    return begun;
                }
                names = word.text == DEV;
            }
            if names {
                devices.names(&mut |name| literal(name, ""));
            }
            literal(json[0].word, json[0].help);
        }
        Arguments::Probe { words, .. } => probe_suggestions(words, before, devices, each),
        Arguments::Device | Arguments::Dhcp | Arguments::Port | Arguments::Link => {
            let mut device = before.next();
            if device.is_some_and(|word| word.text == DEV) {
                device = before.next();
            }
            let [show, json] = &dhcp_line::SHOW;
            if device.is_none() {
                devices.names(&mut |name| literal(name, ""));
                if matches!(arguments, Arguments::Dhcp) {
                    literal(show.word, show.help);
                }
            } else if matches!(arguments, Arguments::Port) {
                port_suggestions(before, &mut literal);
            } else if matches!(arguments, Arguments::Link) {
                link_suggestions(before, devices, each);
            } else if matches!(arguments, Arguments::Dhcp) && before.next().is_none() {
                for switch in &dhcp_line::SWITCH {
                    literal(switch.word, switch.help);
                }
                if device.is_some_and(|word| word.text == show.word) {
                    literal(json.word, json.help);
                }
            }
        }
        Arguments::VirtualLink => virtual_link_suggestions(before, devices, each),
        Arguments::Command => {
            let mut level = Level::TOP;
            let mut first = true;
            for word in before {
                let Ok(next) = descend(level, word) else {
                    return begun;
                };
                level = next;
                first = false;
                if level.depth == COMMANDS[level.index].words.len() {
                    return begun;
                }
            }
            for (index, word) in level.words() {
                literal(word, COMMANDS[index].help);
            }
            if first {
                literal(CODES, "the codes that replies begin with");
            }
        }
        Arguments::Route(syntax) | Arguments::Filter(syntax) => {
            route_suggestions(syntax, before, devices, each);
        }
    }
    begun
}

/// Settings that are not given yet, or the values of the last one.
fn port_suggestions<'a>(
    mut before: impl Iterator<Item = Word<'a>>,
    literal: &mut impl FnMut(&str, &str),
) {
    let mut given = [false; port_line::SETTINGS.len()];
    while let Some(word) = before.next() {
        let Ok(setting) = port_line::setting(word, false) else {
            return;
        };
        given[setting] = true;
        if before.next().is_none() {
            let values = port_line::values(setting).iter();
            return values.for_each(|value| literal(value.word, value.help));
        }
    }
    for (setting, _) in port_line::SETTINGS
        .iter()
        .zip(given)
        .filter(|(_, given)| !given)
    {
        literal(setting.word, setting.help);
    }
}

/// Settings that are not given yet, or the value of the last one.
fn link_suggestions<'a>(
    mut before: impl Iterator<Item = Word<'a>>,
    devices: &dyn Devices,
    each: &mut dyn FnMut(Suggestion<'_>),
) {
    let mut given = [false; link_line::SETTINGS.len()];
    while let Some(word) = before.next() {
        let Ok(setting) = link_line::setting(word, false) else {
            return;
        };
        given[setting] = true;
        // `up` and `down` exclude each other, as do `master` and `nomaster`.
        for (one, other) in [(0, 1), (4, 5)] {
            given[one] |= given[other];
            given[other] |= given[one];
        }
        let value = link_line::SETTINGS[setting].value;
        if value != Value::None && before.next().is_none() {
            return match value {
                Value::Device => devices.names(&mut |text| {
                    each(Suggestion {
                        text,
                        help: "",
                        literal: true,
                    });
                }),
                Value::Mac => placeholder(value, each),
                _ => each(Suggestion {
                    text: "NUMBER",
                    help: "bytes, from 68 to 65536",
                    literal: false,
                }),
            };
        }
    }
    for (setting, _) in link_line::SETTINGS
        .iter()
        .zip(given)
        .filter(|(_, given)| !given)
    {
        each(Suggestion {
            text: setting.word,
            help: setting.help,
            literal: true,
        });
    }
}

/// The words of a new link that are not given yet, or the value of the last one.
fn virtual_link_suggestions<'a>(
    mut before: impl Iterator<Item = Word<'a>>,
    devices: &dyn Devices,
    each: &mut dyn FnMut(Suggestion<'_>),
) {
    let keyword = |keyword: &Keyword, each: &mut dyn FnMut(Suggestion<'_>)| {
        each(Suggestion {
            text: keyword.word,
            help: keyword.help,
            literal: true,
        });
    };
    let name = |each: &mut dyn FnMut(Suggestion<'_>)| {
        each(Suggestion {
            text: "NAME",
            help: "the name of the new link, up to 15 bytes",
            literal: false,
        });
    };
    let (mut parent, mut named) = (false, false);
    loop {
        let Some(word) = before.next() else {
            let [link, name_word, kind] = &virtual_link_line::WORDS;
            if !parent {
                keyword(link, each);
            }
            if !named {
                keyword(name_word, each);
                return name(each);
            }
            return keyword(kind, each);
        };
        match virtual_link_line::word_before_kind(word, named, false) {
            Err(_) => return,
            Ok(None) => named = true,
            Ok(Some(virtual_link_line::LINK)) => {
                parent = true;
                if before.next().is_none() {
                    return devices.names(&mut |text| {
                        each(Suggestion {
                            text,
                            help: "",
                            literal: true,
                        });
                    });
                }
            }
            Ok(Some(virtual_link_line::NAME)) => {
                named = true;
                if before.next().is_none() {
                    return name(each);
                }
            }
            Ok(Some(_)) => break,
        }
    }
    let [vlan, others @ ..] = &virtual_link_line::KINDS;
    let Some(kind) = before.next() else {
        return match parent {
            true => keyword(vlan, each),
            false => others.iter().for_each(|other| keyword(other, each)),
        };
    };
    let is_vlan = index_in(kind, &virtual_link_line::KINDS, false) == Ok(0);
    match (is_vlan, before.next(), before.next()) {
        (true, None, _) => keyword(&virtual_link_line::ID[0], each),
        (true, Some(_), None) => each(Suggestion {
            text: "NUMBER",
            help: "from 1 to 4094",
            literal: false,
        }),
        _ => {}
    }
}

/// What stands for a value that cannot be listed.
fn placeholder(value: Value, each: &mut dyn FnMut(Suggestion<'_>)) {
    each(Suggestion {
        text: value.placeholder(),
        help: value.expected(),
        literal: false,
    });
}

/// The address, then words that are not given yet, or the value of the last one.
fn probe_suggestions<'a>(
    keywords: &'static [Keyword],
    mut before: impl Iterator<Item = Word<'a>>,
    devices: &dyn Devices,
    each: &mut dyn FnMut(Suggestion<'_>),
) {
    if before.next().is_none() {
        return placeholder(Value::Address, each);
    }
    let mut left: Vec<&Keyword> = keywords.iter().collect();
    while let Some(word) = before.next() {
        let Ok(index) = index_in(word, keywords, false) else {
            return;
        };
        left.retain(|keyword| keyword.word != keywords[index].word);
        if before.next().is_none() {
            return match keywords[index].value {
                Value::Device => devices.names(&mut |text| {
                    each(Suggestion {
                        text,
                        help: "",
                        literal: true,
                    });
                }),
                value => placeholder(value, each),
            };
        }
    }
    for keyword in left {
        each(Suggestion {
            text: keyword.word,
            help: keyword.help,
            literal: true,
        });
    }
}

fn route_suggestions<'a>(
    syntax: &'static Syntax,
    mut before: impl Iterator<Item = Word<'a>>,
    devices: &dyn Devices,
    each: &mut dyn FnMut(Suggestion<'_>),
) {
    let all = || Syntax::keywords().iter().chain(syntax.flags);
    // One bit for each of `all`, and whether the prefix was given.
    let mut used = 0u32;
    let mut prefix = false;
    while let Some(word) = before.next() {
        // After the prefix, an abbreviation cannot mean a kind.
        let possible = all().enumerate().map(|(index, keyword)| {
            let over = prefix && kinds() & (1 << index) != 0;
            if over { "" } else { keyword.word }
        });
        let found = match_word(word.text, possible, syntax.abbreviations);
        let Match::One(index) = found else {
            prefix = true;
            continue;
        };
        used |= 1 << index;
        let value = all()
            .nth(index)
            .map_or(Value::None, |keyword| keyword.value);
        if value != Value::None && before.next().is_none() {
            match value {
                Value::Device => devices.names(&mut |text| {
                    each(Suggestion {
                        text,
                        help: "",
                        literal: true,
                    });
                }),
                Value::Protocol => Protocol::names().for_each(|text| {
                    each(Suggestion {
                        text,
                        help: "",
                        literal: true,
                    });
                }),
                value => placeholder(value, each),
            }
            return;
        }
    }
    if !prefix {
        let help = "like 10.0.0.0/8 or 2001:db8::/32";
        each(Suggestion {
            text: "PREFIX",
            help,
            literal: false,
        });
        each(Suggestion {
            text: "default",
            help: "every address",
            literal: true,
        });
    }
    for (index, keyword) in all().enumerate() {
        let kind = keyword.value == Value::None && index < Syntax::keywords().len();
        // One kind at most, and only before the prefix.
        let kinds_over = prefix || used & kinds() != 0;
        if used & (1 << index) == 0 && !(kind && kinds_over) {
            each(Suggestion {
                text: keyword.word,
                help: keyword.help,
                literal: true,
            });
        }
    }
}

/// The bits of the kinds among [`Syntax::keywords`].
fn kinds() -> u32 {
    let keywords = Syntax::keywords().iter().enumerate();
    keywords
        .filter(|(_, keyword)| keyword.value == Value::None)
        .fold(0, |bits, (i, _)| bits | 1 << i)
}

/// Whether a `?` at the end of `left` is text.
pub fn in_text(left: &str) -> bool {
    let comment = left.trim_ascii_start().starts_with('#');
    comment
        || matches!(
            command(left),
            Ok(Some((Command { arguments: Arguments::Text, .. }, start))) if start < left.len()
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::errors::GrammarErrorKind;
    use crate::platform::devices::tests::TestDevices;
    use proptest::prelude::*;

    fn offered(left: &str) -> (usize, String) {
        let mut all = Vec::new();
        let begun = suggestions(left, &TestDevices::default(), &mut |suggestion| {
            all.push(suggestion.text.to_string())
        });
        (begun, all.join(" "))
    }

    #[test]
    fn every_place_offers_what_may_stand_there() {
        assert_eq!(
            offered(""),
            (
                0,
                "greet ping traceroute show route link address neighbour port dhcp config hostname setup multipath begin diff check commit confirm rollback save load factory-reset \
                 monitor stats log version help terminal exit reboot"
                    .into()
            )
        );
        assert_eq!(offered("ro").0, 0);
        assert_eq!(
            offered("route "),
            (6, "add replace change append del get show flush".into())
        );
        assert_eq!(offered("rou sh dev "), (11, "lo eth0".into()));
        assert_eq!(
            offered("route add 10.0.0.0/8 "),
            (21, "via dev metric proto".into())
        );
        assert_eq!(offered("route add 10.0.0.0/8 via "), (25, "ADDRESS".into()));
        assert_eq!(
            offered("route add 10.0.0.0/8 via 192.0.2.1 d").1,
            "dev metric proto"
        );
        assert_eq!(
            offered("route show "),
            (
                11,
                "PREFIX default unicast blackhole unreachable prohibit via dev metric proto longer json count"
                    .into()
            )
        );
        assert_eq!(
            offered("route show blackhole ").1,
            "PREFIX default via dev metric proto longer json count"
        );
        for proto in ["proto", "pro"] {
            let left = format!("route add 10.0.0.0/8 {proto} ");
            assert!(offered(&left).1.contains("static"), "{left}");
        }
        assert_eq!(offered("port "), (5, "set del show".into()));
        assert_eq!(offered("port set "), (9, "lo eth0".into()));
        assert_eq!(offered("port set eth0 "), (14, "forwarding urpf".into()));
        assert_eq!(offered("port set eth0 forwarding "), (25, "on off".into()));
        assert_eq!(offered("port set eth0 forwarding on ").1, "urpf");
        assert_eq!(offered("port del eth0 "), (14, "".into()));
        assert_eq!(offered("link set dev "), (13, "lo eth0".into()));
        assert_eq!(
            offered("link set eth0 "),
            (14, "up down mtu address master nomaster".into())
        );
        assert_eq!(offered("link set eth0 up master "), (24, "lo eth0".into()));
        assert_eq!(offered("link set eth0 up nomaster ").1, "mtu address");
        assert_eq!(offered("link set eth0 up address "), (25, "MAC".into()));
        for (left, right) in [
            ("link add ", "link name NAME"),
            ("link add link ", "lo eth0"),
            ("link add link eth0 ", "name NAME"),
            ("link add link eth0 name ", "NAME"),
            ("link add link eth0 name v ", "type"),
            ("link add link eth0 name v type ", "vlan"),
            ("link add link eth0 name v type vlan ", "id"),
            ("link add link eth0 name v type vlan id ", "NUMBER"),
            ("link add link eth0 name v type vlan id 7 ", ""),
            ("link add br0 ", "link type"),
            ("link add br0 type ", "bridge dummy"),
            ("link add br0 type bridge ", ""),
        ] {
            assert_eq!(offered(left).1, right, "{left}");
        }
        assert_eq!(offered("link set eth0 down mtu "), (23, "NUMBER".into()));
        assert_eq!(
            offered("link set eth0 down ").1,
            "mtu address master nomaster"
        );
        assert_eq!(offered("link show "), (10, "lo eth0 json".into()));
        assert_eq!(offered("address show eth0 ").1, "json");
        assert_eq!(offered("address show json ").1, "");
        assert_eq!(offered("neighbour del "), (14, "ADDRESS".into()));
        assert_eq!(offered("neighbour del ::1 ").1, "dev");
        assert_eq!(offered("neighbour del ::1 dev ").1, "lo eth0");
        assert_eq!(offered("neighbour flush "), (16, "dev".into()));
        assert_eq!(offered("neighbour flush dev ").1, "lo eth0");
        assert_eq!(offered("address add "), (12, "ADDRESS/LEN".into()));
        assert_eq!(offered("address add ::1/64 ").1, "dev");
        assert_eq!(offered("address add ::1/64 dev ").1, "lo eth0");
        assert_eq!(offered("multipath "), (10, "on off".into()));
        assert_eq!(offered("log "), (4, "json kernel from".into()));
        assert_eq!(offered("log from "), (9, "NUMBER".into()));
        assert_eq!(offered("log kernel ").1, "");
        assert_eq!(offered("log from 7 ").1, "");
        assert_eq!(offered("monitor "), (8, "on off".into()));
        assert_eq!(offered("monitor on "), (11, "".into()));
        assert_eq!(
            offered("help route "),
            (11, "add replace change append del get show flush".into())
        );
        assert!(offered("help ").1.ends_with("reboot codes"));
        assert_eq!(offered("dhcp "), (5, "lo eth0 show".into()));
        assert_eq!(offered("dhcp show ").1, "on off json");
        assert_eq!(offered("dhcp eth0 "), (10, "on off".into()));
        assert_eq!(offered("dhcp eth0 on ").1, "");
        assert_eq!(offered("hostname "), (9, "NAME".into()));
        assert_eq!(offered("hostname a ").1, "");
        assert_eq!(offered("commit "), (7, "confirmed".into()));
        assert_eq!(offered("commit confirmed "), (17, "SECONDS".into()));
        assert_eq!(offered("load "), (5, "FILE".into()));
        assert_eq!(offered("terminal 24 "), (12, "COLUMNS".into()));
        assert_eq!(offered("ip "), (3, "route link address neighbour".into()));
        assert_eq!(offered("route get 10.0.0.1 "), (19, "json".into()));
        assert_eq!(offered("ping "), (5, "ADDRESS".into()));
        assert_eq!(offered("ping ::1 "), (9, "from dev count size".into()));
        assert_eq!(offered("ping ::1 dev "), (13, "lo eth0".into()));
        assert_eq!(offered("ping ::1 count 1 size 7 "), (24, "from dev".into()));
        assert_eq!(offered("traceroute ::1 from "), (20, "ADDRESS".into()));
        assert_eq!(offered("exit "), (5, "".into()));
        assert_eq!(offered("nonsense "), (9, "".into()));
    }

    #[test]
    fn a_question_mark_is_text_where_text_is() {
        assert!(in_text("greet how are you"));
        assert!(in_text("greet "));
        assert!(in_text("# why"));
        for question in ["", "greet", "route ", "ping "] {
            assert!(!in_text(question), "{question:?}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_answered(line in "[a-z0-9 ./:?éß]{0,60}") {
            if let Err(error) = command(&line) {
                prop_assert!(line.is_char_boundary(error.column + error.len));
                prop_assert!(!error.kind.to_string().is_empty());
            }
            let (begun, _) = offered(&line);
            prop_assert!(line.is_char_boundary(begun));
        }

        #[test]
        fn what_is_offered_is_understood(
            choices in proptest::collection::vec(any::<proptest::sample::Index>(), 1..8),
        ) {
            let mut line = String::new();
            for choice in choices {
                let offered = offered(&line).1;
                let words: Vec<_> = offered.split(' ').filter(|word| !word.is_empty()).collect();
                if words.is_empty() {
                    break;
                }
                let word = match *choice.get(&words) {
                    "PREFIX" => "10.0.0.0/8",
                    "ADDRESS" => "192.0.2.1",
                    "NUMBER" => "7",
                    "NAME" => "br0",
                    "TEXT" => "hi",
                    "SECONDS" => "60",
                    "FILE" => "/data/x",
                    "ROWS" | "COLUMNS" => "24",
                    word => word,
                };
                line.push_str(word);
                line.push(' ');
            }
            match command(&line) {
                Ok(Some((Command { arguments: Arguments::Route(syntax) | Arguments::Filter(syntax), .. }, start))) => {
                    // The last keyword may lack its value.
                    if let Err(error) = syntax.parse(&line, start) {
                        prop_assert!(matches!(error.kind, nl31_route::ParseErrorKind::NoValue(_)), "{line}: {error}");
                    }
                }
                Ok(_) => {}
                Err(error) => prop_assert!(matches!(error.kind, GrammarErrorKind::Incomplete(_)), "{line}: {:?}", error),
            }
        }
    }
}
