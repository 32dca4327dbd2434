// SPDX-License-Identifier: MIT OR Apache-2.0
//! The syntax of a command as text, and the README's lists of commands and codes.

use std::fmt;

use nl31_route::{Keyword, Syntax, Value};

use super::codes;
use super::port_line;
use super::table::{Arguments, CODES, COMMANDS, CONFIRMED, Command};

/// The syntax of the command.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words.iter().enumerate() {
            write!(f, "{}{word}", if index > 0 { " " } else { "" })?;
        }
        match &self.arguments {
            Arguments::None => Ok(()),
            Arguments::Text => f.write_str(" [TEXT]"),
            Arguments::Word(keywords) => alternatives(f, keywords.iter()),
            Arguments::Address(syntax) => write!(f, " ADDRESS [{}]", syntax.flags[0].word),
            Arguments::Confirmed => write!(f, " [{} SECONDS]", CONFIRMED.word),
            Arguments::File => f.write_str(" [FILE]"),
            Arguments::Size => f.write_str(" [ROWS [COLUMNS]]"),
            Arguments::Log => f.write_str(" [json|kernel|from NUMBER]"),
            Arguments::Probe { words, optional } => {
                f.write_str(if *optional { " [ADDRESS" } else { " ADDRESS" })?;
                for keyword in words.iter() {
                    write!(f, " [{} {}]", keyword.word, keyword.value.placeholder())?;
                }
                f.write_str(if *optional { "]" } else { "" })
            }
            Arguments::Device => f.write_str(" NAME"),
            Arguments::Link => {
                f.write_str(" NAME [up|down] [mtu NUMBER] [address MAC] [master NAME|nomaster]")
            }
            Arguments::VirtualLink => {
                f.write_str(" [link NAME] NAME type vlan|bridge|dummy [id NUMBER]")
            }
            Arguments::DeviceAddress => f.write_str(" ADDRESS/LEN dev NAME"),
            Arguments::Neighbour => f.write_str(" ADDRESS dev NAME"),
            Arguments::AnyDevice => f.write_str(" [dev NAME]"),
            Arguments::Listed(json) => write!(f, " [NAME] [{}]", json[0].word),
            Arguments::Port => {
                f.write_str(" NAME")?;
                for (index, setting) in port_line::SETTINGS.iter().enumerate() {
                    write!(f, " [{}", setting.word)?;
                    let words = port_line::values(index).iter().map(|value| value.word);
                    for (index, word) in words.enumerate() {
                        write!(f, "{}{word}", if index == 0 { " " } else { "|" })?;
                    }
                    f.write_str("]")?;
                }
                Ok(())
            }
            Arguments::Dhcp => f.write_str(" [show [json]|NAME on|off]"),
            Arguments::HostName => f.write_str(" [NAME]"),
            Arguments::Command => write!(f, " [COMMAND|{CODES}]"),
            Arguments::Route(syntax) => route_synopsis(f, syntax, " PREFIX"),
            Arguments::Filter(syntax) => route_synopsis(f, syntax, " [PREFIX]"),
        }
    }
}

fn alternatives<'a>(
    f: &mut fmt::Formatter<'_>,
    keywords: impl Iterator<Item = &'a Keyword>,
) -> fmt::Result {
    for (index, keyword) in keywords.enumerate() {
        write!(f, "{}{}", if index == 0 { " [" } else { "|" }, keyword.word)?;
    }
    f.write_str("]")
}

fn route_synopsis(f: &mut fmt::Formatter<'_>, syntax: &Syntax, prefix: &str) -> fmt::Result {
    let (kinds, others): (Vec<_>, Vec<_>) = Syntax::keywords()
        .iter()
        .partition(|keyword| keyword.value == Value::None);
    alternatives(f, kinds.into_iter())?;
    f.write_str(prefix)?;
    for keyword in syntax.flags {
        write!(f, " [{}]", keyword.word)?;
    }
    for keyword in others {
        write!(f, " [{} {}]", keyword.word, keyword.value.placeholder())?;
    }
    Ok(())
}

/// The commands and codes as Markdown, for the README.
pub fn markdown() -> impl fmt::Display {
    struct Markdown;
    impl fmt::Display for Markdown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            writeln!(f, "| command | does |\n| --- | --- |")?;
            for command in COMMANDS {
                let synopsis = command.to_string().replace('|', "\\|");
                writeln!(f, "| `{synopsis}` | {} |", command.help)?;
            }
            writeln!(f, "\n| code | means |\n| --- | --- |")?;
            for code in codes::ALL {
                writeln!(f, "| `{code}` | {} |", code.meaning)?;
            }
            Ok(())
        }
    }
    Markdown
}

#[cfg(test)]
mod tests {
    use crate::grammar::parse::command;

    #[test]
    fn synopses() {
        let synopsis = |line: &str| command(line).unwrap().unwrap().0.to_string();
        assert_eq!(synopsis("exit"), "exit");
        assert_eq!(
            synopsis("ping"),
            "ping [ADDRESS [from ADDRESS] [dev NAME] [count NUMBER] [size NUMBER]]"
        );
        assert_eq!(
            synopsis("traceroute"),
            "traceroute ADDRESS [from ADDRESS] [dev NAME]"
        );
        assert_eq!(synopsis("monitor"), "monitor [on|off]");
        assert_eq!(
            synopsis("route flush"),
            "route flush [unicast|blackhole|unreachable|prohibit] [PREFIX] [longer] [all] \
             [via ADDRESS] [dev NAME] [metric NUMBER] [proto NAME|NUMBER]"
        );
    }
}
