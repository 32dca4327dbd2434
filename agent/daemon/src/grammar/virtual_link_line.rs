// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arguments of `link add`, in the words and the order of iproute2.

use nl31_netlink::rtnetlink::{LinkKind, VLAN_ID_MAX, VLAN_ID_MIN, VirtualLink};
use nl31_route::{DeviceName, Keyword, Value, Word, words};

use super::device_word::{DEV, index_in};
use super::errors::{GrammarError, GrammarErrorKind};
use super::parse::nothing;
use super::table::flag;

/// The words before the kind.
pub(super) static WORDS: [Keyword; 3] = [
    Keyword {
        word: "link",
        value: Value::Device,
        help: "the device that a VLAN is over",
    },
    Keyword {
        word: "name",
        value: Value::Device,
        help: "the name of the new link",
    },
    flag("type", "the kind of link"),
];

/// The words of [`WORDS`], by their index.
pub(super) const LINK: usize = 0;
pub(super) const NAME: usize = 1;

/// The kinds.
pub(super) static KINDS: [Keyword; 3] = [
    flag("vlan", "the packets of a device with a VLAN number"),
    flag("bridge", "a switch of its members, see `link set`"),
    flag("dummy", "a device that drops what is sent"),
];

/// The argument of a VLAN.
pub(super) static ID: [Keyword; 1] = [Keyword {
    word: "id",
    value: Value::Number,
    help: "the number of the VLAN",
}];

/// Whether a word before the name is a keyword: the name itself may be any other word, also one
/// that begins as a keyword does.
fn is_keyword(word: &str) -> bool {
    word == DEV || WORDS.iter().any(|keyword| keyword.word == word)
}

/// A word before the kind, as its index in [`WORDS`]; `None`: it is the name itself.
pub(super) fn word_before_kind(
    word: Word<'_>,
    has_name: bool,
    whole: bool,
) -> Result<Option<usize>, GrammarError> {
    match (has_name, word.text) {
        (_, DEV) => Ok(Some(NAME)),
        (false, text) if !is_keyword(text) => Ok(None),
        (false, _) => index_in(word, &WORDS, true).map(Some),
        (true, _) => index_in(word, &WORDS, whole).map(Some),
    }
}

/// A link that is made. `whole`: the words are written in full.
pub(super) fn virtual_link(
    line: &str,
    start: usize,
    whole: bool,
) -> Result<VirtualLink, GrammarError> {
    let (mut parent, mut name) = (None::<(DeviceName, Word<'_>)>, None);
    let mut words = words(line, start);
    loop {
        let Some(word) = words.next() else {
            let kind = match name {
                None => GrammarErrorKind::NoLinkName,
                Some(_) => GrammarErrorKind::NotOneOf(&WORDS),
            };
            return Err(GrammarError::at_end(line, kind));
        };
        match word_before_kind(word, name.is_some(), whole)? {
            None => name = Some(new_name(word)?),
            Some(LINK) => {
                let missing = || GrammarError::at_end(line, GrammarErrorKind::NoDevice);
                let word = words.next().ok_or_else(missing)?;
                let device = word.text.parse();
                let no_device = |_| GrammarError::at(word, GrammarErrorKind::NoDevice);
                parent = Some((device.map_err(no_device)?, word));
            }
            Some(NAME) => {
                let missing = || GrammarError::at_end(line, GrammarErrorKind::NoLinkName);
                name = Some(new_name(words.next().ok_or_else(missing)?)?);
            }
            Some(_) if name.is_none() => {
                return Err(GrammarError::at(word, GrammarErrorKind::NoLinkName));
            }
            Some(_) => break,
        }
    }
    let missing = || GrammarError::at_end(line, GrammarErrorKind::NotOneOf(&KINDS));
    let word = words.next().ok_or_else(missing)?;
    let kind = match (index_in(word, &KINDS, whole)?, parent) {
        (0, None) => return Err(GrammarError::at(word, GrammarErrorKind::NoParent)),
        (0, Some((parent, _))) => {
            let missing = || GrammarError::at_end(line, GrammarErrorKind::NotOneOf(&ID));
            index_in(words.next().ok_or_else(missing)?, &ID, whole)?;
            let missing = || GrammarError::at_end(line, GrammarErrorKind::NoVlanId);
            let word = words.next().ok_or_else(missing)?;
            let digits = word.text.bytes().all(|byte| byte.is_ascii_digit());
            let id = word.text.parse().ok().filter(|_| digits);
            let id = id.filter(|id| (VLAN_ID_MIN..=VLAN_ID_MAX).contains(id));
            let wrong = || GrammarError::at(word, GrammarErrorKind::NoVlanId);
            LinkKind::Vlan {
                parent,
                id: id.ok_or_else(wrong)?,
            }
        }
        (_, Some((_, word))) => return Err(GrammarError::at(word, GrammarErrorKind::Parent)),
        (1, None) => LinkKind::Bridge,
        (_, None) => LinkKind::Dummy,
    };
    if let Some(excess) = words.next() {
        nothing(line, excess.column)?;
    }
    let device = name.expect("the kind stands behind the name");
    Ok(VirtualLink { device, kind })
}

/// The name of a new link. Linux takes one with `%` for a pattern.
fn new_name(word: Word<'_>) -> Result<DeviceName, GrammarError> {
    let name = word.text.parse().ok();
    let name = name.filter(|name: &DeviceName| !name.as_bytes().contains(&b'%'));
    name.ok_or_else(|| GrammarError::at(word, GrammarErrorKind::NoLinkName))
}

/// The line without the words of the command; read back as the same link.
pub(super) struct Written<'a>(pub(super) &'a VirtualLink);

impl std::fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let VirtualLink { device, kind } = self.0;
        match kind {
            LinkKind::Vlan { parent, id } => write!(
                f,
                "link {} name {} type vlan id {id}",
                NoComment(parent),
                NoComment(device)
            ),
            LinkKind::Bridge | LinkKind::Dummy => {
                let text = device.to_string();
                let name = if is_keyword(&text) { "name " } else { "" };
                write!(f, "{name}{} type {}", NoComment(device), kind.word())
            }
        }
    }
}

/// A name as a word that does not begin a comment.
pub(super) struct NoComment<'a>(pub(super) &'a DeviceName);

impl std::fmt::Display for NoComment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.to_string();
        match text.strip_prefix('#') {
            Some(rest) => write!(f, "\\x23{rest}"),
            None => f.write_str(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<String, (usize, String)> {
        match virtual_link(line, 8, false) {
            Ok(link) => Ok(Written(&link).to_string()),
            Err(error) => Err((error.column, error.kind.to_string())),
        }
    }

    #[test]
    fn link_is_named_in_the_ways_of_iproute2() {
        let vlan = "link eth0 name eth0.7 type vlan id 7";
        for line in [
            "link add link eth0 name eth0.7 type vlan id 7",
            "link add link eth0 eth0.7 type vlan id 7",
            "link add link eth0 dev eth0.7 t vl i 007",
            "link add name eth0.7 link eth0 type vlan id 7",
            "link add eth0.7 l eth0 type vlan id 7",
        ] {
            assert_eq!(read(line), Ok(vlan.into()), "{line}");
        }
        for (line, written) in [
            ("link add br0 type bridge", "br0 type bridge"),
            ("link add name d0 type dummy", "d0 type dummy"),
            // Words that are or begin as a keyword.
            ("link add name type type dummy", "name type type dummy"),
            ("link add dev dev ty bri", "name dev type bridge"),
            ("link add n type dummy", "n type dummy"),
            ("link add \\x23 type dummy", "\\x23 type dummy"),
        ] {
            assert_eq!(read(line), Ok(written.into()), "{line}");
        }
    }

    #[test]
    fn mistake_has_its_place() {
        let no_name = "expected a name of 1 to 15 bytes, without %, / and :";
        let no_id = "expected a number from 1 to 4094";
        for (line, column, text) in [
            ("link add", 8, no_name),
            ("link add type dummy", 9, no_name),
            ("link add name", 13, no_name),
            ("link add a234567890123456 type dummy", 9, no_name),
            ("link add a%d type dummy", 9, no_name),
            ("link add d0", 11, "expected link, name or type"),
            ("link add d0 dummy", 12, "expected link, name or type"),
            ("link add d0 type", 16, "expected vlan, bridge or dummy"),
            (
                "link add d0 type vxlan",
                17,
                "expected vlan, bridge or dummy",
            ),
            (
                "link add d0 type dummy id 7",
                23,
                "expected the end of the line",
            ),
            (
                "link add d0 type vlan id 7",
                17,
                "a VLAN needs the device that it is over: write link and its name before type",
            ),
            (
                "link add link eth0 d0 type dummy",
                14,
                "only a VLAN is over another device",
            ),
            ("link add link", 13, "expected the name of a device"),
            ("link add link eth0 name v type vlan", 35, "expected id"),
            ("link add link eth0 name v type vlan id", 38, no_id),
            ("link add link eth0 name v type vlan id 0", 39, no_id),
            ("link add link eth0 name v type vlan id 4095", 39, no_id),
            ("link add link eth0 name v type vlan id +1", 39, no_id),
        ] {
            assert_eq!(read(line), Err((column, text.into())), "{line}");
        }
        let last = "link eth0 name v type vlan id 4094";
        assert_eq!(read(&format!("link add {last}")), Ok(last.into()));
    }
}
