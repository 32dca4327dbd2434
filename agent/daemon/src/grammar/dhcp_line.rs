// SPDX-License-Identifier: MIT OR Apache-2.0
//! The arguments of `dhcp`.

use nl31_route::{DeviceName, Keyword, words};

use super::device_word::{first_device, switch};
use super::errors::{GrammarError, GrammarErrorKind};
use super::table::flag;

/// The words behind the device.
pub(super) static SWITCH: [Keyword; 2] = [
    flag("on", "a server sets address and default route"),
    flag("off", "remove them; ask no server any more"),
];

/// The word that shows the clients, and what may follow it.
pub(super) static SHOW: [Keyword; 2] = [
    flag("show", "what the servers have set"),
    flag("json", "as JSON, one object a line"),
];

/// Whether the clients are to be shown, which no word asks for too; and whether as JSON.
pub fn shows_dhcp(line: &str, start: usize) -> Option<bool> {
    let [show, json] = &SHOW;
    let mut words = words(line, start).map(|word| word.text);
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Some(false),
        (Some(first), None, _) if first == show.word => Some(false),
        (Some(first), Some(next), None) if first == show.word && next == json.word => Some(true),
        _ => None,
    }
}

/// A device, and whether it is switched on. Its name is an argument of the DHCP client, and
/// stands in the config as the kernel has it.
pub(super) fn dhcp(
    line: &str,
    start: usize,
    whole: bool,
) -> Result<(DeviceName, bool), GrammarError> {
    let (device, end) = first_device(line, start)?;
    if device.to_string().as_bytes() != device.as_bytes() {
        let mut words = words(line, start);
        let word = words.find(|word| word.text.parse().as_ref() == Ok(&device));
        let word = word.expect("the line names the device");
        return Err(GrammarError::at(word, GrammarErrorKind::NoPlainDevice));
    }
    Ok((device, switch(line, end, &SWITCH, whole)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dhcp_without_switch_shows_clients() {
        for (line, shows) in [
            ("dhcp", Some(false)),
            ("dhcp show ", Some(false)),
            ("dhcp show json", Some(true)),
            ("dhcp json", None),
            ("dhcp show on", None),
            ("dhcp show json on", None),
            ("dhcp eth0", None),
        ] {
            assert_eq!(shows_dhcp(line, 4), shows, "{line}");
        }
    }

    #[test]
    fn dhcp_names_device_and_switch() {
        let read =
            |line| dhcp(line, 4, false).map_err(|error| (error.column, error.kind.to_string()));
        for (line, name, on) in [
            ("dhcp eth0 on", "eth0", true),
            ("dhcp eth0 of", "eth0", false),
            ("dhcp dev #wan on", "#wan", true),
            ("dhcp dev dev off", "dev", false),
            ("dhcp show on", "show", true),
        ] {
            assert_eq!(read(line), Ok((name.parse().unwrap(), on)), "{line}");
        }
        for (line, column, text) in [
            ("dhcp", 4, "expected the name of a device"),
            ("dhcp eth0", 9, "expected on or off"),
            ("dhcp eth0 up", 10, "expected on or off"),
            ("dhcp eth0 o", 10, "expected on or off"),
            ("dhcp eth0 on x", 13, "expected the end of the line"),
            ("dhcp a/b on", 5, "expected the name of a device"),
            (
                "dhcp dev a\\x1b on",
                9,
                "expected a device whose name has no \\xHH",
            ),
        ] {
            assert_eq!(read(line), Err((column, text.into())), "{line}");
        }
    }
}
