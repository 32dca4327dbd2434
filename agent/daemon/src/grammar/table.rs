// SPDX-License-Identifier: MIT OR Apache-2.0
//! The commands: one table for parsing, completion, help and the README's list.

use nl31_route::{Keyword, Syntax, Value};

/// The action of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Action {
    Greet,
    Ping,
    Traceroute,
    Show,
    RouteAdd,
    RouteReplace,
    RouteChange,
    RouteAppend,
    RouteDel,
    RouteGet,
    RouteShow,
    RouteFlush,
    LinkAdd,
    LinkSet,
    LinkDel,
    LinkShow,
    AddressAdd,
    AddressDel,
    AddressShow,
    NeighbourShow,
    NeighbourDel,
    NeighbourFlush,
    PortSet,
    PortDel,
    PortShow,
    Dhcp,
    ConfigShow,
    HostName,
    Setup,
    Multipath,
    Begin,
    Diff,
    Check,
    Commit,
    Confirm,
    Rollback,
    Save,
    Load,
    FactoryReset,
    Monitor,
    Stats,
    Log,
    Version,
    Help,
    Terminal,
    Exit,
    Reboot,
}

impl Action {
    /// Whether the command is about what the config sets, so that it waits until the config is
    /// loaded.
    pub fn waits_for_config(self) -> bool {
        !matches!(
            self,
            Self::Greet
                | Self::Ping
                | Self::Traceroute
                | Self::Show
                | Self::LinkShow
                | Self::AddressShow
                | Self::NeighbourShow
                | Self::NeighbourDel
                | Self::NeighbourFlush
                | Self::PortShow
                | Self::Monitor
                | Self::Stats
                | Self::Log
                | Self::Version
                | Self::Help
                | Self::Terminal
                | Self::Exit
                | Self::Reboot
        )
    }

    /// Whether the command without arguments shows what it sets with them.
    pub fn shows_alone(self) -> bool {
        matches!(self, Self::Dhcp | Self::HostName | Self::Multipath)
    }

    /// Whether the command must not be abbreviated, so that a typing error cannot run it.
    pub(super) fn is_written_out(self) -> bool {
        matches!(self, Self::FactoryReset | Self::Reboot)
    }

    /// Whether the command changes neither routes nor files.
    pub fn reads(self) -> bool {
        matches!(
            self,
            Self::Greet
                | Self::Ping
                | Self::Traceroute
                | Self::Show
                | Self::RouteGet
                | Self::RouteShow
                | Self::LinkShow
                | Self::AddressShow
                | Self::NeighbourShow
                | Self::PortShow
                | Self::ConfigShow
                | Self::Diff
                | Self::Monitor
                | Self::Stats
                | Self::Log
                | Self::Version
                | Self::Help
                | Self::Terminal
                | Self::Exit
        )
    }
}

/// The arguments of a command.
#[derive(Debug)]
pub enum Arguments {
    /// Nothing.
    None,
    /// Text up to the end of the line, or nothing.
    Text,
    /// One of these words, or nothing.
    Word(&'static [Keyword]),
    /// An address or prefix.
    Address(&'static Syntax),
    /// The words of a route, from its prefix on.
    Route(&'static Syntax),
    /// Any words of a route, or none.
    Filter(&'static Syntax),
    /// An address, and some of these words with their values.
    Probe {
        /// The words.
        words: &'static [Keyword],
        /// Or nothing at all.
        optional: bool,
    },
    /// A device.
    Device,
    /// A device, and settings of a port.
    Port,
    /// A device, and settings of a link.
    Link,
    /// A new link: its name, its kind, and the device that it is over.
    VirtualLink,
    /// An address with its length, and a device.
    DeviceAddress,
    /// An address, and the device behind which it is.
    Neighbour,
    /// `dev` and a device, or nothing.
    AnyDevice,
    /// A device, or nothing; and `json`, or nothing.
    Listed(&'static [Keyword]),
    /// A device, and `on` or `off`; or `show`, alone or with `json`; or nothing.
    Dhcp,
    /// The name of this host, or nothing.
    HostName,
    /// The words of a command, or `codes`, or nothing.
    Command,
    /// `confirmed` and seconds, or nothing.
    Confirmed,
    /// The path of a file, or nothing.
    File,
    /// Rows and columns of a terminal, or rows, or nothing.
    Size,
    /// `json`, `kernel`, or `from` and the number of a line; or nothing.
    Log,
}

/// A command.
#[derive(Debug)]
pub struct Command {
    /// One or two words.
    pub words: &'static [&'static str],
    /// The action.
    pub action: Action,
    /// The arguments.
    pub arguments: Arguments,
    /// One line of help.
    pub help: &'static str,
}

pub(super) const fn flag(word: &'static str, help: &'static str) -> Keyword {
    Keyword {
        word,
        value: Value::None,
        help,
    }
}

/// The words of a route, which may be abbreviated.
static ROUTE: Syntax = Syntax {
    flags: &[],
    abbreviations: true,
};

/// The same with the flags [`LONGER`], [`JSON`] and [`COUNT`].
static SHOW: Syntax = Syntax {
    flags: &[
        LONGER_WORD,
        JSON_WORD,
        flag("count", "only the number of routes"),
    ],
    abbreviations: true,
};

/// The same with the flags [`LONGER`] and [`ALL`].
static FLUSH: Syntax = Syntax {
    flags: &[LONGER_WORD, flag("all", "every route")],
    abbreviations: true,
};

/// An address with the flag [`GET_JSON`].
static GET: Syntax = Syntax {
    flags: &[JSON_WORD],
    abbreviations: false,
};

pub(super) const JSON_WORD: Keyword = flag("json", "as JSON, one object a line");

const LONGER_WORD: Keyword = flag("longer", "with all longer prefixes inside of this one");

/// Bit of the word `longer` in [`nl31_route::Parsed::flags`].
pub const LONGER: u8 = 1;
/// Bit of the word `all`.
pub const ALL: u8 = 2;
/// Bit of the word `json` of `route show`.
pub const JSON: u8 = 2;
/// Bit of the word `count` of `route show`.
pub const COUNT: u8 = 4;
/// Bit of the word `json` of `route get`.
pub const GET_JSON: u8 = 1;

static AS_JSON: [Keyword; 1] = [JSON_WORD];

/// The argument of `reboot`.
static NOW: [Keyword; 1] = [flag("now", "even if changes are not saved")];

/// The argument of `commit`.
pub const CONFIRMED: Keyword = Keyword {
    word: "confirmed",
    value: Value::Number,
    help: "roll back after so many seconds without `confirm`",
};

pub(super) static ON_OFF: [Keyword; 2] = [
    flag("on", "show changes as they happen"),
    flag("off", "stop showing them"),
];

const FROM: Keyword = Keyword {
    word: "from",
    value: Value::Address,
    help: "the source address, one of this router",
};

const DEV: Keyword = Keyword {
    word: "dev",
    value: Value::Device,
    help: "the device that the packets leave by",
};

/// The words of `ping` behind the address.
pub(super) static PING: [Keyword; 4] = [
    FROM,
    DEV,
    Keyword {
        word: "count",
        value: Value::Number,
        help: "how many packets; 5 unless told",
    },
    Keyword {
        word: "size",
        value: Value::Number,
        help: "bytes behind the ICMP header; 56 unless told",
    },
];

/// The words of `traceroute` behind the address.
pub(super) static TRACEROUTE: [Keyword; 2] = [FROM, DEV];

/// The argument of `multipath`.
pub(super) static MULTIPATH: [Keyword; 2] = [
    flag("on", "paths of the same metric share the load"),
    flag("off", "the first of them serves"),
];

/// Word of `help` for the table of codes.
pub const CODES: &str = "codes";

macro_rules! commands {
    ($($($word:literal)+ => $action:ident, $arguments:expr, $help:literal;)*) => {
        /// Every command.
        pub static COMMANDS: &[Command] = &[$(Command {
            words: &[$($word),+],
            action: Action::$action,
            arguments: $arguments,
            help: $help,
        }),*];
    };
}

commands! {
    "greet" => Greet, Arguments::Text, "greet the kernel; its answer names this client";
    "ping" => Ping, Arguments::Probe { words: &PING, optional: true }, "send echo requests to an address; alone, check that the kernel's nl31 answers";
    "traceroute" => Traceroute, Arguments::Probe { words: &TRACEROUTE, optional: false }, "list the routers on the way to an address";
    "show" => Show, Arguments::None, "the router on one page: links, ports, table, memory, unsaved changes, deferred settings";
    "route" "add" => RouteAdd, Arguments::Route(&ROUTE), "add a route; fails if the prefix has one of this metric";
    "route" "replace" => RouteReplace, Arguments::Route(&ROUTE), "replace the route of this metric, or add one";
    "route" "change" => RouteChange, Arguments::Route(&ROUTE), "replace the route of this metric; fails if there is none";
    "route" "append" => RouteAppend, Arguments::Route(&ROUTE), "add a path after those of this metric";
    "route" "del" => RouteDel, Arguments::Route(&ROUTE), "delete a route; name the path if the prefix has several";
    "route" "get" => RouteGet, Arguments::Address(&GET), "show the route in use for an address";
    "route" "show" => RouteShow, Arguments::Filter(&SHOW), "list all routes, or those that match";
    "route" "flush" => RouteFlush, Arguments::Filter(&FLUSH), "delete all routes that match";
    "link" "add" => LinkAdd, Arguments::VirtualLink, "make a VLAN over a device, a bridge or a dummy device";
    "link" "set" => LinkSet, Arguments::Link, "switch a device on or off, set its MTU or MAC address, or make it a member of a bridge";
    "link" "del" => LinkDel, Arguments::Device, "delete a VLAN, bridge or dummy device, with its settings";
    "link" "show" => LinkShow, Arguments::Listed(&AS_JSON), "list devices with their state, speed, addresses and counters, or one";
    "address" "add" => AddressAdd, Arguments::DeviceAddress, "give a device an address";
    "address" "del" => AddressDel, Arguments::DeviceAddress, "take an address of a device away";
    "address" "show" => AddressShow, Arguments::Listed(&AS_JSON), "list addresses, or those of a device";
    "neighbour" "show" => NeighbourShow, Arguments::Listed(&AS_JSON), "list the hosts that Linux has met behind its devices, or behind one";
    "neighbour" "del" => NeighbourDel, Arguments::Neighbour, "have Linux forget a host behind a device";
    "neighbour" "flush" => NeighbourFlush, Arguments::AnyDevice, "have Linux forget all hosts, or those behind a device; the permanent ones stay";
    "port" "set" => PortSet, Arguments::Port, "forward the packets that come in on a device by the table, or change how";
    "port" "del" => PortDel, Arguments::Device, "leave the packets of a device to Linux again";
    "port" "show" => PortShow, Arguments::Word(&AS_JSON), "list ports, and count their packets";
    "dhcp" => Dhcp, Arguments::Dhcp, "have a server set address and default route of a device; `show` or alone, show what it has set";
    "config" "show" => ConfigShow, Arguments::None, "list the settings that are configured, as `save` writes them";
    "hostname" => HostName, Arguments::HostName, "show the name of this router, or set it: the prompt begins with it";
    "setup" => Setup, Arguments::None, "ask for the host name, addresses, ports and default routes, and commit them until `confirm`";
    "multipath" => Multipath, Arguments::Word(&MULTIPATH), "have all paths of the lowest metric share the load, by flows; alone, tell whether they do";
    "begin" => Begin, Arguments::None, "collect edits: changes of routes and settings wait for `commit`";
    "diff" => Diff, Arguments::Word(&AS_JSON), "what the edits would change; without edits, how table and settings differ from the saved config";
    "check" => Check, Arguments::None, "check whether the kernel accepts all edits; changes nothing";
    "commit" => Commit, Arguments::Confirmed, "make all edits at once, or none of them";
    "confirm" => Confirm, Arguments::None, "keep the changes of `commit confirmed`, and save the table as the config";
    "rollback" => Rollback, Arguments::None, "drop the edits; without edits, roll back `commit confirmed` at once";
    "save" => Save, Arguments::None, "save the table and the settings as the config of the next boot";
    "load" => Load, Arguments::File, "replace the whole table and all settings by the saved config, or by that of a file";
    "factory-reset" => FactoryReset, Arguments::None, "delete the saved config; the next boot starts with factory settings";
    "monitor" => Monitor, Arguments::Word(&ON_OFF), "show changes of the table as they happen, until `monitor off`";
    "stats" => Stats, Arguments::Word(&AS_JSON), "counters of the table and the agent";
    "log" => Log, Arguments::Log, "the agent's log, the last lines; `log kernel`: the kernel's";
    "version" => Version, Arguments::Word(&AS_JSON), "versions of the agent, the image and the kernel module; host name, boot, uptime, memory, unsaved changes, storage if it is memory only";
    "help" => Help, Arguments::Command, "list the commands, or explain one, or the reply codes";
    "terminal" => Terminal, Arguments::Size, "set the terminal's rows and columns, so that long output pauses; 0 means unknown";
    "exit" => Exit, Arguments::None, "lock the line if it has a PIN, or end the session";
    "reboot" => Reboot, Arguments::Word(&NOW), "restart the appliance; refused if changes are not saved, except as `reboot now`";
}
