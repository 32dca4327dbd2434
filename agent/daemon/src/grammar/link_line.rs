// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arguments of the commands that set up links and their addresses, in the words of iproute2.

use std::net::IpAddr;
use std::str::FromStr;

use nl31_netlink::rtnetlink::{InterfaceAddress, InvalidMac, LinkSpec, Master};
use nl31_route::{DeviceName, Keyword, Value, Word, is_host, words};

use super::device_word::{DEV, first_device, index_in};
use super::errors::{GrammarError, GrammarErrorKind};
use super::limits::{MTU_MAX, MTU_MIN};
use super::parse::nothing;
use super::table::flag;

/// The settings of a link.
pub(super) static SETTINGS: [Keyword; 6] = [
    flag("up", "switch it on"),
    flag("down", "switch it off"),
    Keyword {
        word: "mtu",
        value: Value::Number,
        help: "its largest packet in bytes",
    },
    Keyword {
        word: "address",
        value: Value::Mac,
        help: "its MAC address",
    },
    Keyword {
        word: "master",
        value: Value::Device,
        help: "make it a member of this bridge",
    },
    flag("nomaster", "of no bridge any more"),
];

/// The word before the device of an address.
pub(super) static DEVICE: [Keyword; 1] = [Keyword {
    word: DEV,
    value: Value::Device,
    help: "the device that has the address",
}];

/// The setting that a word names, by its index in [`SETTINGS`].
pub(super) fn setting(word: Word<'_>, whole: bool) -> Result<usize, GrammarError> {
    index_in(word, &SETTINGS, whole)
}

/// A device, and at least one setting. `whole`: the words are written in full.
pub(super) fn link(line: &str, start: usize, whole: bool) -> Result<LinkSpec, GrammarError> {
    let (device, end) = first_device(line, start)?;
    let mut spec = LinkSpec::of(device);
    let mut words = words(line, end).peekable();
    if words.peek().is_none() {
        let kind = GrammarErrorKind::NotOneOf(&SETTINGS);
        return Err(GrammarError::at_end(line, kind));
    }
    while let Some(word) = words.next() {
        match setting(word, whole)? {
            0 => spec.up = Some(true),
            1 => spec.up = Some(false),
            3 => {
                let missing = || GrammarError::at_end(line, InvalidMac::Form.into());
                let word = words.next().ok_or_else(missing)?;
                let wrong = |error: InvalidMac| GrammarError::at(word, error.into());
                spec.mac = Some(word.text.parse().map_err(wrong)?);
            }
            4 => {
                let missing = || GrammarError::at_end(line, GrammarErrorKind::NoDevice);
                let word = words.next().ok_or_else(missing)?;
                let master = word.text.parse();
                let wrong = |_| GrammarError::at(word, GrammarErrorKind::NoDevice);
                spec.master = Some(Master::Device(master.map_err(wrong)?));
            }
            5 => spec.master = Some(Master::None),
            _ => {
                let missing = || GrammarError::at_end(line, GrammarErrorKind::NoMtu);
                let word = words.next().ok_or_else(missing)?;
                let digits = word.text.bytes().all(|byte| byte.is_ascii_digit());
                let mtu = word.text.parse().ok().filter(|_| digits);
                let mtu = mtu.filter(|mtu| (MTU_MIN..=MTU_MAX).contains(mtu));
                let wrong = || GrammarError::at(word, GrammarErrorKind::NoMtu);
                spec.mtu = Some(mtu.ok_or_else(wrong)?);
            }
        }
    }
    Ok(spec)
}

/// An address, and behind `dev` its device.
pub(super) fn address(
    line: &str,
    start: usize,
    whole: bool,
) -> Result<(InterfaceAddress, DeviceName), GrammarError> {
    let (address, end) = first(line, start, GrammarErrorKind::NoAddress)?;
    Ok((address, behind_dev(line, end, whole)?))
}

/// The same, where the address is that of a host. The kernel takes others, and makes nothing of
/// some.
pub(super) fn new_address(
    line: &str,
    start: usize,
    whole: bool,
) -> Result<(InterfaceAddress, DeviceName), GrammarError> {
    let (own, device) = address(line, start, whole)?;
    if !is_host(own.address()) {
        let word = words(line, start).next().expect("the line has an address");
        return Err(GrammarError::at(word, GrammarErrorKind::NoHostAddress));
    }
    Ok((own, device))
}

/// A host, and behind `dev` the device behind which it is.
pub fn neighbour(line: &str, start: usize) -> Result<(IpAddr, DeviceName), GrammarError> {
    let (address, end) = first(line, start, GrammarErrorKind::NoHost)?;
    Ok((address, behind_dev(line, end, false)?))
}

/// A device behind `dev`, or nothing.
pub fn any_device(line: &str, start: usize) -> Result<Option<DeviceName>, GrammarError> {
    match words(line, start).next() {
        None => Ok(None),
        Some(_) => behind_dev(line, start, false).map(Some),
    }
}

/// The first word, and where it ends.
fn first<A: FromStr>(
    line: &str,
    start: usize,
    expected: GrammarErrorKind,
) -> Result<(A, usize), GrammarError> {
    let Some(word) = words(line, start).next() else {
        return Err(GrammarError::at_end(line, expected));
    };
    match word.text.parse() {
        Ok(address) => Ok((address, word.column + word.text.len())),
        Err(_) => Err(GrammarError::at(word, expected)),
    }
}

/// `dev` and a device, and nothing else.
fn behind_dev(line: &str, start: usize, whole: bool) -> Result<DeviceName, GrammarError> {
    let mut words = words(line, start);
    let missing = || GrammarError::at_end(line, GrammarErrorKind::NotOneOf(&DEVICE));
    let word = words.next().ok_or_else(missing)?;
    index_in(word, &DEVICE, whole)?;
    let missing = || GrammarError::at_end(line, GrammarErrorKind::NoDevice);
    let word = words.next().ok_or_else(missing)?;
    let device = word.text.parse();
    let device = device.map_err(|_| GrammarError::at(word, GrammarErrorKind::NoDevice))?;
    nothing(line, word.column + word.text.len())?;
    Ok(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS_EXPECTED: &str = "expected up, down, mtu, address, master or nomaster";
    const MAC_EXPECTED: &str = "expected a MAC address like 02:00:00:00:00:01";

    #[test]
    fn link_settings_are_those_that_the_line_names() {
        let spec =
            |line| link(line, 8, false).map_err(|error| (error.column, error.kind.to_string()));
        let eth0 = spec("link set dev eth0 mtu 1400 up").unwrap();
        assert_eq!((eth0.up, eth0.mtu), (Some(true), Some(1400)));
        assert_eq!(spec("link set eth0 do").unwrap().up, Some(false));
        assert_eq!(
            spec("link set eth0 master br0 up").unwrap().master,
            Some(Master::Device("br0".parse().unwrap()))
        );
        let none = spec("link set eth0 nom").unwrap();
        assert_eq!((none.up, none.master), (None, Some(Master::None)));
        let mac = spec("link set eth0 a 02:00:00:00:00:0A up").unwrap();
        assert_eq!(mac.mac.unwrap().to_string(), "02:00:00:00:00:0a");
        for (line, column, text) in [
            ("link set eth0 address", 21, MAC_EXPECTED),
            ("link set eth0 address 192.0.2.1", 22, MAC_EXPECTED),
            (
                "link set eth0 address 33:33:00:00:00:01",
                22,
                "a multicast address is that of no device: the first byte must be even",
            ),
            (
                "link set eth0 address 00:00:00:00:00:00",
                22,
                "all zeros are the address of no device",
            ),
            ("link set", 8, "expected the name of a device"),
            ("link set eth0", 13, SETTINGS_EXPECTED),
            ("link set eth0 on", 14, SETTINGS_EXPECTED),
            ("link set eth0 m", 14, SETTINGS_EXPECTED),
            ("link set eth0 master", 20, "expected the name of a device"),
            ("link set eth0 mtu", 17, "expected bytes, from 68 to 65536"),
            (
                "link set eth0 mtu 67",
                18,
                "expected bytes, from 68 to 65536",
            ),
            (
                "link set eth0 mtu +99",
                18,
                "expected bytes, from 68 to 65536",
            ),
        ] {
            assert_eq!(spec(line), Err((column, text.into())), "{line}");
        }
    }

    #[test]
    fn only_the_address_of_a_host_is_added() {
        let read = |line: &str| {
            let read = new_address(line, 11, false);
            read.map_err(|error| (error.column, error.len, error.kind))
        };
        for good in ["192.0.2.0/24", "127.0.0.2/8", "::1/128", "fe80::1/64"] {
            assert!(
                read(&format!("address add {good} dev lo")).is_ok(),
                "{good}"
            );
        }
        for bad in [
            "0.0.0.0/0",
            "0.0.0.0/24",
            "224.0.0.1/24",
            "255.255.255.255/32",
            "::/128",
            "ff02::1/64",
        ] {
            let error = read(&format!("address add {bad} dev eth0")).unwrap_err();
            assert_eq!(error, (12, bad.len(), GrammarErrorKind::NoHostAddress));
            // One that is there can be taken away.
            let line = format!("address del {bad} dev eth0");
            assert!(address(&line, 11, false).is_ok(), "{bad}");
        }
    }

    #[test]
    fn address_names_its_length_and_device() {
        let read =
            |line| address(line, 11, false).map_err(|error| (error.column, error.kind.to_string()));
        let (address, device) = read("address add 192.0.2.1/24 dev eth0").unwrap();
        assert_eq!(
            (address.to_string(), device.to_string()),
            ("192.0.2.1/24".into(), "eth0".into())
        );
        let no_address = "expected an address with its length, like 192.0.2.1/24";
        for (line, column, text) in [
            ("address add", 11, no_address),
            ("address add 192.0.2.1 dev eth0", 12, no_address),
            ("address add 192.0.2.1/24", 24, "expected dev"),
            ("address add 192.0.2.1/24 eth0", 25, "expected dev"),
            (
                "address add 192.0.2.1/24 dev",
                28,
                "expected the name of a device",
            ),
            (
                "address add ::1/64 dev eth0 x",
                28,
                "expected the end of the line",
            ),
        ] {
            assert_eq!(read(line), Err((column, text.into())), "{line}");
        }
    }
}
