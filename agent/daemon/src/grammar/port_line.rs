// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arguments of the commands about ports.

use nl31_netlink::{PortSpec, Urpf};
use nl31_route::{Keyword, Word, words};

use super::device_word::{first_device, index_in};
use super::errors::{GrammarError, GrammarErrorKind};
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
pub(super) fn setting(word: Word<'_>, whole: bool) -> Result<usize, GrammarError> {
    index_in(word, &SETTINGS, whole)
}

/// A device and settings. `whole`: the words are written in full.
pub(super) fn port(line: &str, start: usize, whole: bool) -> Result<PortSpec, GrammarError> {
    let (device, end) = first_device(line, start)?;
    let mut spec = PortSpec {
        device,
        forwarding: None,
        urpf: None,
    };
    let mut words = words(line, end);
    while let Some(word) = words.next() {
        let setting = setting(word, whole)?;
        let values = values(setting);
        let missing = || GrammarError::at_end(line, GrammarErrorKind::NotOneOf(values));
        let value = words.next().ok_or_else(missing)?;
        let value = index_in(value, values, whole)?;
        match setting {
            0 => spec.forwarding = Some(value == 0),
            _ => spec.urpf = Some(Urpf::ALL[value]),
        }
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_that_the_line_names() {
        let spec =
            |line| port(line, 8, false).map_err(|error| (error.column, error.kind.to_string()));
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
        use crate::grammar::device_word::device;
        assert_eq!(device("port del eth0", 8).unwrap().to_string(), "eth0");
        assert_eq!(device("port del eth0 x", 8).unwrap_err().column, 14);
    }
}
