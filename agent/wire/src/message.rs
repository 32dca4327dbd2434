// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages: the bodies of frames.

use crate::frame::{CRC, Frame, FrameWriter, Full};
use crate::items::Items;
use crate::limits::VERSION;

/// A frame that is right on the line, with a message that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// The frame is of another version of the protocol.
    #[error("a frame of version {0}; this is version {VERSION}")]
    Version(u8),
    /// There is no message of this kind.
    #[error("no message has kind {0:#04x}")]
    Kind(u8),
    /// The body is not that of its kind, or something is behind it.
    #[error("the body is not that of its kind of message")]
    Body,
}

macro_rules! messages {
    (
        $(#[$attribute:meta])* $name:ident<$life:lifetime>, $schema:ident;
        $($(#[$doc:meta])* $kind:literal $variant:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        })*
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name<$life> {
            $($(#[$doc])* $variant { $($(#[$field_doc])* $field: $type,)* },)*
        }

        impl<$life> $name<$life> {
            /// The kind, which the frame's header has.
            pub fn kind(&self) -> u8 {
                match self { $(Self::$variant { .. } => $kind,)* }
            }

            /// Writes the message as a whole frame to the start of `out`, with both
            /// delimiters; gives its length. [`FRAME_MAX`](crate::limits::FRAME_MAX)
            /// bytes are always enough, unless a field is longer than its limit.
            pub fn encode(&self, id: u16, out: &mut [u8]) -> Result<usize, Full> {
                let writer = FrameWriter::new(out, id, self.kind())?;
                #[allow(unused_mut)]
                let mut body = postcard::Serializer { output: writer };
                match self {
                    $(Self::$variant { $($field,)* } => {
                        $(serde::Serialize::serialize($field, &mut body).map_err(|_| Full)?;)*
                    })*
                }
                body.output.end()
            }

            /// Reads the message of a frame.
            pub fn decode(frame: &Frame<$life>) -> Result<Self, BadMessage> {
                if frame.version != VERSION {
                    return Err(BadMessage::Version(frame.version));
                }
                #[allow(unused_mut)]
                let mut rest = frame.body;
                let message = match frame.kind {
                    $($kind => {
                        $(
                            let $field;
                            ($field, rest) = postcard::take_from_bytes(rest)
                                .map_err(|_| BadMessage::Body)?;
                        )*
                        Self::$variant { $($field,)* }
                    })*
                    kind => return Err(BadMessage::Kind(kind)),
                };
                if rest.is_empty() { Ok(message) } else { Err(BadMessage::Body) }
            }
        }

        const $schema: &str = concat!(
            stringify!($name), "\n",
            $(stringify!($kind), " ", stringify!($variant),
              $(" ", stringify!($field), ":", stringify!($type),)* "\n",)*
        );
    };
}

messages! {
    /// What a client asks. Each is answered by exactly one [`Response`] of the same
    /// id, after it was carried out.
    Request<'a>, REQUESTS;

    /// Begins a session: the ids of what follows count from this one's. Ends what
    /// an earlier session left open. Answer: [`Response::Welcome`].
    0x01 Hello {
        /// Chosen at random by each client, to tell its own repeated hello from
        /// another client's.
        session: u32,
    }
    /// Asks whether the kernel's side is alive. Answer: [`Response::Done`].
    0x02 Ping {}
    /// Says hello to the kernel. Answer: [`Response::Greeting`].
    0x03 Greet {
        /// At most [`GREETING_MAX`](crate::limits::GREETING_MAX) bytes.
        text: &'a str,
    }
    /// Changes routes. All of a frame or nothing is applied; within a transaction
    /// all of it or nothing. Answer: [`Response::Changed`].
    0x04 Change {
        /// At most [`ITEMS_MAX`](crate::limits::ITEMS_MAX).
        items: Items<'a>,
    }
    /// Deletes all routes that pass a filter. Answer: [`Response::Done`].
    0x05 Flush {
        /// See [`Items::filter`].
        filter: Items<'a>,
        /// The filter's prefix stands for all longer ones in it too.
        longer: bool,
        /// Must be set if the filter is empty, so that a client cannot empty the table by
        /// leaving something out.
        all: bool,
    }
    /// The path in use for an address or a prefix. Answer: [`Response::Routes`].
    0x06 Lookup {
        /// One prefix.
        prefix: Items<'a>,
    }
    /// Opens a list of all routes that pass a filter, in address order, IPv4 first.
    /// Answer: [`Response::Routes`] with its first part; [`Request::Next`] gets
    /// each other part. Replaces a list or output that is open.
    0x07 Dump {
        /// See [`Items::filter`].
        filter: Items<'a>,
        /// See [`Request::Flush`].
        longer: bool,
    }
    /// A line of console text. Answer: [`Response::Output`] with the first part of
    /// what a script's console prints, status line last; [`Request::Next`] gets
    /// each other part. Replaces a list or output that is open.
    0x08 Line {
        /// Without control characters; at most
        /// [`LINE_MAX`](crate::limits::LINE_MAX) bytes.
        text: &'a str,
    }
    /// The next part of the list or output that is open; it may be empty and yet not
    /// the last one. Answer: as to what opened it.
    0x09 Next {}
    /// Ends the list or output that is open, if there is one; a command is stopped
    /// as by Ctrl-C. Answer: [`Response::Done`].
    0x0a Stop {}
    /// The table's counters. Answer: [`Response::Counters`].
    0x0b Table {}
    /// Opens a transaction: what [`Request::Change`] says from now on is applied at
    /// [`Request::Commit`]. When one of them fails all are dropped, and what follows up
    /// to the [`Request::Commit`] or [`Request::Abort`] is refused. The kernel drops a
    /// transaction that is silent for 30 s. Answer: [`Response::Done`].
    0x0c Begin {
        /// Starts from an empty table, so that the whole table is replaced at once.
        replace: bool,
    }
    /// Applies the transaction. Answer: [`Response::Changed`].
    0x0d Commit {}
    /// Drops the transaction, if one is open. Answer: [`Response::Done`].
    0x0e Abort {}
    /// Asks for [`Response::Event`] from now on, or for no more. Answer:
    /// [`Response::Done`].
    0x0f Subscribe {
        /// Whether events are wanted.
        on: bool,
    }
    /// Ends the session; a serial line returns to text. Answer: [`Response::Done`].
    0x10 Leave {}
    /// Saves the table as the config that the next boot begins with, whole or not at
    /// all. Answer: [`Response::Saving`] after a first part; [`Request::Next`] does each
    /// other part. Replaces a list or output that is open.
    0x11 Save {}
    /// Unlocks a serial line that has a PIN, until the session ends. Answer:
    /// [`Response::Done`], also where it is not locked. After a wrong PIN the next one is
    /// not looked at for a time that doubles.
    0x12 Unlock {
        /// The PIN.
        pin: &'a str,
    }
    /// Opens a transaction as [`Request::Begin`] does, whose [`Request::Commit`] is rolled
    /// back unless the console's `confirm` comes in time. It cannot replace the table.
    /// Answer: [`Response::Done`].
    0x13 BeginConfirmed {
        /// Seconds from the commit on; at most
        /// [`CONFIRM_MAX`](crate::limits::CONFIRM_MAX).
        seconds: u32,
    }
    /// Changes as [`Request::Change`], packed; only in a transaction, whose frames of this
    /// kind share one [`Packer`](crate::Packer). Answer: [`Response::Changed`].
    0x14 PackedChange {
        /// Items in the frame, at most [`PACKED_MAX`](crate::limits::PACKED_MAX).
        count: u16,
        /// See [`Packer::finish`](crate::Packer::finish).
        packed: &'a [u8],
    }
    /// As [`Request::Dump`]. Answer: [`Response::PackedRoutes`], also to each
    /// [`Request::Next`].
    0x15 PackedDump {
        /// See [`Items::filter`].
        filter: Items<'a>,
        /// See [`Request::Flush`].
        longer: bool,
    }
    /// Adds a change of a setting to the open transaction. Answer: [`Response::Output`]
    /// with the line as `save` writes it.
    0x16 Setting {
        /// The settings of the transaction replace all that are configured.
        replace: bool,
        /// A line of a config, like `port set eth0`; without `replace` also one that ends a
        /// setting, like `port del eth0`. May be empty with `replace`.
        line: &'a str,
    }
    /// Changes the speed of the serial line, for the session at most. No other request may be
    /// in flight. Answer: [`Response::Done`]; then both sides have the speed.
    0x17 Speed {
        /// Bits a second.
        baud: u32,
    }
}

messages! {
    /// What the agent says.
    Response<'a>, RESPONSES;

    /// A frame was not carried out. Its id is that of the request that the agent
    /// waits for: this one and all after it are to be sent again.
    0x80 Nak {
        /// Why.
        reason: Reason,
    }
    /// Answer to a hello.
    0x81 Welcome {
        /// Chosen at random when the agent starts: another number means that all
        /// sessions are gone.
        boot: u64,
        /// [`SCHEMA`] of the agent.
        schema: u32,
        /// [`RAW_MAX`](crate::limits::RAW_MAX) of the agent.
        raw_max: u16,
        /// [`WINDOW`](crate::limits::WINDOW) of the agent.
        window: u8,
        /// [`ITEMS_MAX`](crate::limits::ITEMS_MAX) of the agent.
        items_max: u16,
        /// Version of the agent.
        agent: &'a str,
    }
    /// It is done, and there is nothing more to say.
    0x82 Done {}
    /// It failed, and nothing was done.
    0x83 Failed {
        /// One of the console's codes, or of [`code`](crate::code).
        code: u16,
        /// Which change of the frame failed, from 0.
        index: Option<u16>,
        /// Byte of the kernel's request, or of the items, that it is about.
        offset: Option<u16>,
        /// For a person; at most [`ERROR_MAX`](crate::limits::ERROR_MAX) bytes.
        text: &'a str,
    }
    /// Answer to a greeting.
    0x84 Greeting {
        /// Port id by which the kernel knows the agent's socket.
        port: u32,
        /// Version of the kernel's ABI.
        abi: u32,
        /// Version of the kernel module.
        version: &'a str,
        /// The kernel's greeting.
        text: &'a str,
    }
    /// Changes were made, or in a transaction: taken.
    0x85 Changed {
        /// How many.
        count: u32,
    }
    /// Part of a list.
    0x86 Routes {
        /// Routes, one path each.
        items: Items<'a>,
        /// There is no more.
        last: bool,
        /// The table changed while it was listed, so the list mixes before and
        /// after; said with the last part.
        interrupted: bool,
    }
    /// Part of a console's output.
    0x87 Output {
        /// Text in UTF-8, which a part may end in the middle of a character. LF
        /// ends a line.
        text: &'a [u8],
        /// There is no more: the console waits for another line.
        last: bool,
    }
    /// The table's counters, see `enum nl31_table_attr` in `linux/nl31.h`.
    0x88 Counters {
        /// Number of the last change.
        generation: u64,
        /// IPv4 prefixes.
        routes4: u32,
        /// IPv6 prefixes.
        routes6: u32,
        /// Paths of the IPv4 prefixes.
        paths4: u32,
        /// Paths of the IPv6 prefixes.
        paths6: u32,
        /// Distinct lists of paths.
        nexthops: u32,
        /// Memory of the IPv4 trie.
        bytes4: u64,
        /// Memory of the IPv6 trie.
        bytes6: u64,
        /// Memory of the lists of paths.
        nexthop_bytes: u64,
        /// Limit for the number of prefixes.
        max_routes: u32,
        /// Addresses looked up.
        lookups: u64,
        /// Look-ups that found a path.
        hits: u64,
        /// Look-ups that found none.
        misses: u64,
        /// Requests that failed.
        errors: u64,
    }
    /// Part of a save.
    0x89 Saving {
        /// Routes written so far.
        routes: u64,
        /// All of them are, and will last.
        last: bool,
    }
    /// Part of a list, packed; the parts of a list share one [`Packer`](crate::Packer).
    0x8a PackedRoutes {
        /// Routes in the frame, one path each.
        count: u16,
        /// See [`Packer::finish`](crate::Packer::finish).
        packed: &'a [u8],
        /// See [`Response::Routes`].
        last: bool,
        /// See [`Response::Routes`].
        interrupted: bool,
    }
    /// The table changed. Sent by itself with id 0, see [`Request::Subscribe`].
    0xc0 Event {
        /// Number of the change. They follow each other; a gap means that some
        /// were lost.
        generation: u64,
        /// One item: [`Op::Add`](crate::Op::Add) for a new path,
        /// [`Op::Replace`](crate::Op::Replace) for one that took the place of
        /// another, [`Op::Delete`](crate::Op::Delete) for one that is gone.
        item: Items<'a>,
    }
    /// Events were lost because they came faster than the line takes them. Sent by
    /// itself with id 0.
    0xc1 Lost {}
    /// A `commit confirmed` was rolled back, by its deadline or by a user. Sent by itself with
    /// id 0, as events are.
    0xc2 RolledBack {
        /// Prefixes whose paths were restored.
        prefixes: u32,
        /// Prefixes that were left as they are: the table was changed since the commit.
        lost: u32,
    }
}

/// Kinds from here on are the agent's; it never answers them.
pub const RESPONSE: u8 = 0x80;
/// Kinds from here on are sent without being asked for.
pub const UNASKED: u8 = 0xc0;

/// Why a frame was not carried out. A number that is not known here is to be taken
/// like [`Reason::DAMAGED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Reason(pub u8);

impl Reason {
    /// It was damaged on the line.
    pub const DAMAGED: Self = Self(0);
    /// `FrameTooLong`: it was longer than the agent takes.
    pub const FRAME_TOO_LONG: Self = Self(1);
    /// One before it is missing.
    pub const MISSING: Self = Self(2);
    /// There is no session, or not this one any more: say hello.
    pub const NO_SESSION: Self = Self(3);
    /// It is of another version of the protocol; the Nak is of the agent's.
    pub const VERSION: Self = Self(4);
}

/// Number of this set of messages: CRC-32C of their description. Two sides of the
/// same version and another schema understand each other; one of them knows more
/// kinds.
pub const SCHEMA: u32 = {
    const LEN: usize = REQUESTS.len() + RESPONSES.len();
    let mut text = [0; LEN];
    let (mut from, mut to) = (0, 0);
    while from < LEN {
        let byte = if from < REQUESTS.len() {
            REQUESTS.as_bytes()[from]
        } else {
            RESPONSES.as_bytes()[from - REQUESTS.len()]
        };
        // How types are spaced is the compiler's choice.
        if byte != b' ' {
            text[to] = byte;
            to += 1;
        }
        from += 1;
    }
    CRC.checksum(text.split_at(to).0)
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::{String, ToString};
    use std::vec::Vec;

    const README: &str = include_str!("../README.md");

    /// A row of the README's tables for every kind, from the same words that make the
    /// schema.
    #[test]
    fn the_readme_has_every_message() {
        let mut rows = 0;
        for line in REQUESTS
            .lines()
            .chain(RESPONSES.lines())
            .filter(|line| line.starts_with("0x"))
        {
            let (kind, rest) = line.split_once(' ').unwrap();
            let (name, fields) = rest.split_once(' ').unwrap_or((rest, ""));
            // The types have spaces too.
            let mut body = String::new();
            for word in fields.split(' ').filter(|word| !word.is_empty()) {
                body += if word.contains(':') && !body.is_empty() {
                    ", "
                } else {
                    ""
                };
                body += word;
            }
            for (rust, plain) in [
                ("&'astr", "text"),
                ("&'a[u8]", "bytes"),
                ("Items<'a>", "items"),
                ("Reason", "u8"),
                ("Option<u16>", "option u16"),
                (":", ": "),
            ] {
                body = body.replace(rust, plain);
            }
            let row = match body.is_empty() {
                true => format!("| `{kind}` | {name} | |"),
                false => format!("| `{kind}` | {name} | {body} |"),
            };
            assert!(README.contains(&row), "the README lacks {row}");
            rows += 1;
        }
        assert_eq!(README.matches("\n| `0x").count(), rows);
        for (code, means) in crate::code::ALL {
            assert!(README.contains(&format!("| {code} | {means} |")), "{code}");
        }
    }

    #[test]
    fn the_readmes_limits_are_those_of_the_code() {
        use crate::limits::*;
        for text in [
            format!("at most {RAW_MAX} bytes"),
            format!("up to {WINDOW} requests"),
            format!("the last {WINDOW} requests"),
            format!("at most {ITEMS_MAX} items"),
            format!("at most {PACKED_MAX}, as [packed items]"),
            format!("at most {LINE_MAX} bytes"),
            format!("{SILENCE_MS} ms"),
            format!("1 to {CONFIRM_MAX}"),
            format!("at most {CONFIRM_PREFIXES_MAX} prefixes"),
            format!("the next of {PATHS_MAX} places"),
            format!("`version` is {VERSION}."),
            format!("schema {SCHEMA:08x}"),
        ] {
            assert!(README.contains(&text), "the README lacks {text:?}");
        }
    }

    /// The exchange at the end of the README, byte by byte.
    #[test]
    fn the_readmes_exchange_is_what_both_sides_say() {
        let exchange = README.split("## An exchange").nth(1).unwrap();
        let frames = exchange
            .lines()
            .filter(|line| line.starts_with("> 00") || line.starts_with("< 00"));
        let mut said = Vec::new();
        for line in frames {
            let mut deframer = crate::Deframer::new();
            let mut bytes = line[2..]
                .split(' ')
                .map(|byte| u8::from_str_radix(byte, 16).unwrap());
            let frame = bytes.find_map(|byte| {
                deframer.byte(byte).map(|frame| {
                    let frame = frame.unwrap();
                    let mut out = [0; crate::limits::FRAME_MAX];
                    let (text, len) = if line.starts_with('>') {
                        let request = Request::decode(&frame).unwrap();
                        (
                            format!("{request:?}"),
                            request.encode(frame.id, &mut out).unwrap(),
                        )
                    } else {
                        let response = Response::decode(&frame).unwrap();
                        (
                            format!("{response:?}"),
                            response.encode(frame.id, &mut out).unwrap(),
                        )
                    };
                    let again: Vec<_> = out[..len]
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect();
                    assert_eq!(again.join(" "), line[2..]);
                    (frame.id, text)
                })
            });
            said.push(frame.unwrap());
        }
        let route = |text: &str| nl31_route::Syntax::CONFIG.parse(text, 0).unwrap().spec;
        let mut items = crate::ItemsBuffer::default();
        for text in [
            "10.1.0.0/24 via 192.0.2.1",
            "10.1.1.0/24 via 192.0.2.1",
            "blackhole 2001:db8::/32",
        ] {
            items.push(crate::Op::Add, &route(text)).unwrap();
        }
        let change = format!(
            "{:?}",
            Request::Change {
                items: items.items()
            }
        );
        let welcome = Response::Welcome {
            boot: 0x2a,
            schema: SCHEMA,
            raw_max: 504,
            window: 4,
            items_max: 128,
            agent: "0.1.0",
        };
        let expected = [
            (256, format!("{:?}", Request::Hello { session: 7 })),
            (256, format!("{welcome:?}")),
            (257, change.to_string()),
            (
                257,
                format!(
                    "{:?}",
                    Response::Nak {
                        reason: Reason::DAMAGED
                    }
                ),
            ),
            (257, change),
            (257, format!("{:?}", Response::Changed { count: 3 })),
            (258, format!("{:?}", Request::Leave {})),
            (258, format!("{:?}", Response::Done {})),
        ];
        assert_eq!(said, expected);
    }

    /// The frames of the README's packed items, byte by byte.
    #[test]
    fn the_readmes_packed_frames_are_what_both_sides_say() {
        let section = README.split("## Packed items").nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let shown: Vec<_> = section
            .lines()
            .filter(|line| line.starts_with("> 00") || line.starts_with("< 00"))
            .collect();
        let mut packer = crate::Packer::new();
        let mut said = Vec::new();
        let mut say = |who: char, id: u16, frame: &dyn Fn(u16, &mut [u8]) -> usize| {
            let mut out = [0; crate::limits::FRAME_MAX];
            let len = frame(id, &mut out);
            let bytes = out[..len].iter().map(|byte| format!(" {byte:02x}"));
            said.push(format!("{who}{}", bytes.collect::<String>()));
        };
        let frames = [
            ["10.1.0.0/24 via 192.0.2.1", "10.1.1.0/24 via 192.0.2.1"],
            ["10.1.4.0/22 via 192.0.2.1", "blackhole 2001:db8::/32"],
        ];
        for (id, routes) in (300..).zip(frames) {
            for text in routes {
                let route = nl31_route::Syntax::CONFIG.parse(text, 0).unwrap().spec;
                packer.push(crate::Op::Add, &route).unwrap();
            }
            let (count, packed) = packer.finish();
            let change = Request::PackedChange { count, packed };
            say('>', id, &|id, out| change.encode(id, out).unwrap());
            let changed = Response::Changed { count: 2 };
            say('<', id, &|id, out| changed.encode(id, out).unwrap());
            packer.next_frame();
        }
        assert_eq!(shown, said);
    }
}
