// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arguments of the commands about ports.

use nl31_netlink::{PortSpec, Urpf};
use nl31_route::{DeviceName, Keyword, Match, Value, Word, match_word, words};

use super::errors::{GrammarError, GrammarErrorKind};
use super::parse::nothing;
use super::table::flag;

/// The settings of a port.
pub(super) static SETTINGS: [Keyword; 2] = [
    flag(
        "forwarding",
        "whether the table forwards the packets that come in",
    ),
    flag("urpf", "check of source addresses by the table (RFC 3704)"),
];

static FORWARDING: [Keyword; 2] = [
    flag("on", "forward packets that come in"),
    flag("off", "leave them to Linux"),
];

static URPF: [Keyword; 4] = [
    flag("off", "no check"),
    flag("loose", "there is a route to the source"),
    flag(
        "strict",
        "the path in use to the source leads over the port",
    ),
    flag("feasible", "a path to the source leads over the port"),
];

/// The values of a setting, by its index in [`SETTINGS`].
pub(super) fn values(setting: usize) -> &'static [Keyword] {
    [&FORWARDING[..], &URPF[..]][setting]
}

/// The setting that a word names, by its index in [`SETTINGS`].
pub(super) fn setting(word: Word<'_>) -> Result<usize, GrammarError> {
    index_in(word, &SETTINGS)
}

/// A device and settings.
pub fn port(line: &str, start: usize) -> Result<PortSpec, GrammarError> {
    let (device, end) = first_device(line, start)?;
    let mut spec = PortSpec {
        device,
        forwarding: None,
        urpf: None,
    };
    let mut words = words(line, end);
    while let Some(word) = words.next() {
        let setting = setting(word)?;
        let values = values(setting);
        let value = words.next().ok_or(GrammarError {
            column: line.trim_ascii_end().len(),
            len: 0,
            kind: GrammarErrorKind::NotOneOf(values),
        })?;
        let value = index_in(value, values)?;
        match setting {
            0 => spec.forwarding = Some(value == 0),
            _ => spec.urpf = Some(Urpf::ALL[value]),
        }
    }
    Ok(spec)
}

/// A device.
pub fn device(line: &str, start: usize) -> Result<DeviceName, GrammarError> {
    let (device, end) = first_device(line, start)?;
    nothing(line, end)?;
    Ok(device)
}

/// The device, and where its word ends.
fn first_device(line: &str, start: usize) -> Result<(DeviceName, usize), GrammarError> {
    let error = |column, len| GrammarError {
        column,
        len,
        kind: GrammarErrorKind::NoDevice,
    };
    let word = words(line, start).next();
    let word = word.ok_or(error(line.trim_ascii_end().len(), 0))?;
    let (column, len) = (word.column, word.text.len());
    let device = word.text.parse().map_err(|_| error(column, len))?;
    Ok((device, column + len))
}

fn index_in(word: Word<'_>, keywords: &'static [Keyword]) -> Result<usize, GrammarError> {
    debug_assert!(keywords.iter().all(|keyword| keyword.value == Value::None));
    match match_word(word.text, keywords.iter().map(|keyword| keyword.word), true) {
        Match::One(index) => Ok(index),
        _ => Err(GrammarError {
            column: word.column,
            len: word.text.len(),
            kind: GrammarErrorKind::NotOneOf(keywords),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_that_the_line_names() {
        let spec = |line| port(line, 8).map_err(|error| (error.column, error.kind.to_string()));
        let eth0 = spec("port set eth0").unwrap();
        assert_eq!((eth0.forwarding, eth0.urpf), (None, None));
        let eth0 = spec("port set eth0 urpf loose for off").unwrap();
        assert_eq!(eth0.device.to_string(), "eth0");
        assert_eq!(
            (eth0.forwarding, eth0.urpf),
            (Some(false), Some(Urpf::Loose))
        );
        for (line, column, text) in [
            ("port set", 8, "expected the name of a device"),
            ("port set eth0 x", 14, "expected forwarding or urpf"),
            (
                "port set eth0 urpf",
                18,
                "expected off, loose, strict or feasible",
            ),
            ("port set eth0 forwarding maybe", 25, "expected on or off"),
        ] {
            assert_eq!(spec(line), Err((column, text.into())), "{line}");
        }
        assert_eq!(device("port del eth0", 8).unwrap().to_string(), "eth0");
        assert_eq!(device("port del eth0 x", 8).unwrap_err().column, 14);
    }
}
