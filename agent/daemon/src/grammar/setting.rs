// SPDX-License-Identifier: MIT OR Apache-2.0
//! Settings: what a config says besides its routes. A line of it is the command that makes the
//! setting on the console.

use std::fmt;

use nl31_netlink::PortSpec;
use nl31_netlink::rtnetlink::{InterfaceAddress, LinkKind, LinkSpec, Master, VirtualLink};
use nl31_route::{DeviceName, Keyword, SETTINGS, Value, words};

use super::device_word;
use super::dhcp_line;
use super::errors::{GrammarError, GrammarErrorKind};
use super::host_name::{self, HostName};
use super::link_line;
use super::parse::command;
use super::port_line;
use super::table::{Action, Command, MULTIPATH, flag};
use super::virtual_link_line::{self, NoComment, Written};

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `hostname …`
    HostName(HostName),
    /// `multipath on`
    Multipath,
    /// `link add …`
    VirtualLink(VirtualLink),
    /// `link set …`
    Link(LinkSpec),
    /// `address add …`
    Address(InterfaceAddress, DeviceName),
    /// `port set …`
    Port(PortSpec),
    /// `dhcp … on`
    Dhcp(DeviceName),
}

/// The words that make a setting, by the words of [`SETTINGS`]; none where its values follow
/// at once.
static VERBS: [&[Keyword]; SETTINGS.len()] = [
    &[],
    &[],
    &[
        flag(
            "add",
            "make a VLAN over a device, a bridge or a dummy device",
        ),
        flag(
            "set",
            "switch a device on or off, set its MTU or MAC address",
        ),
    ],
    &[flag("add", "give a device an address")],
    &[flag("set", "forward the packets that come in on a device")],
    &[],
];

impl Setting {
    /// Its device, if it has one.
    pub fn device(&self) -> Option<&DeviceName> {
        match self {
            Self::HostName(_) | Self::Multipath => None,
            Self::VirtualLink(link) => Some(&link.device),
            Self::Link(spec) => Some(&spec.device),
            Self::Address(_, device) => Some(device),
            Self::Port(spec) => Some(&spec.device),
            Self::Dhcp(device) => Some(device),
        }
    }

    /// Whether the agent makes it in the kernel. The others are read from the agent's file of
    /// settings, by a service of the image with more rights.
    pub fn is_in_kernel(&self) -> bool {
        !matches!(self, Self::HostName(_) | Self::Dhcp(_))
    }

    /// The devices that it needs: those that have to exist before it can be made.
    pub fn needs(&self) -> impl Iterator<Item = &DeviceName> {
        let (first, master) = match self {
            Self::VirtualLink(link) => (link.parent(), None),
            Self::Link(spec) => (Some(&spec.device), spec.master.as_ref()),
            _ => (self.device(), None),
        };
        let master = master.and_then(|master| match master {
            Master::Device(master) => Some(master),
            Master::None => None,
        });
        first.into_iter().chain(master)
    }

    /// The device whose arrival has it made: a VLAN comes with the device that it is over.
    pub fn arrives_with(&self) -> Option<&DeviceName> {
        match self {
            Self::VirtualLink(link) => link.parent().or(Some(&link.device)),
            _ => self.device(),
        }
    }

    /// Whether both are about one object, so that a config has only one of them.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::HostName(_), Self::HostName(_)) | (Self::Multipath, Self::Multipath) => true,
            (Self::VirtualLink(one), Self::VirtualLink(other)) => one.device == other.device,
            (Self::Link(one), Self::Link(other)) => one.device == other.device,
            (Self::Port(one), Self::Port(other)) => one.device == other.device,
            (Self::Address(..), Self::Address(..)) | (Self::Dhcp(_), Self::Dhcp(_)) => {
                self == other
            }
            _ => false,
        }
    }

    /// What it is, for a person: `port eth0`.
    pub fn name(&self) -> impl fmt::Display {
        struct Name<'a>(&'a Setting);
        impl fmt::Display for Name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    Setting::HostName(name) => write!(f, "host name {name}"),
                    Setting::Multipath => f.write_str("multipath"),
                    Setting::VirtualLink(link) => write!(f, "link {}", link.device),
                    Setting::Link(spec) => write!(f, "link {}", spec.device),
                    Setting::Address(address, device) => write!(f, "{address} dev {device}"),
                    Setting::Port(spec) => write!(f, "port {}", spec.device),
                    Setting::Dhcp(device) => write!(f, "DHCP on {device}"),
                }
            }
        }
        Name(self)
    }

    /// Adds what a later line about the same object says.
    pub fn merge(&mut self, later: &Self) {
        match (self, later) {
            (Self::HostName(name), Self::HostName(later)) => *name = later.clone(),
            (Self::Link(link), Self::Link(later)) => {
                link.up = later.up.or(link.up);
                link.mtu = later.mtu.or(link.mtu);
                link.mac = later.mac.or(link.mac);
                link.master = later.master.clone().or(link.master.take());
            }
            (Self::VirtualLink(link), Self::VirtualLink(later)) => *link = later.clone(),
            (Self::Port(port), Self::Port(later)) => {
                port.forwarding = later.forwarding.or(port.forwarding);
                port.urpf = later.urpf.or(port.urpf);
            }
            _ => {}
        }
    }
}

/// The line of a config.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostName(name) => write!(f, "hostname {name}"),
            Self::Multipath => f.write_str("multipath on"),
            Self::VirtualLink(link) => write!(f, "link add {}", Written(link)),
            Self::Link(spec) => {
                write!(f, "link set {}", Named(&spec.device))?;
                if let Some(up) = spec.up {
                    f.write_str(if up { " up" } else { " down" })?;
                }
                if let Some(mtu) = spec.mtu {
                    write!(f, " mtu {mtu}")?;
                }
                if let Some(mac) = spec.mac {
                    write!(f, " address {mac}")?;
                }
                match &spec.master {
                    Some(Master::Device(master)) => write!(f, " master {}", NoComment(master)),
                    Some(Master::None) => f.write_str(" nomaster"),
                    None => Ok(()),
                }
            }
            Self::Address(address, device) => write!(f, "address add {address} dev {device}"),
            Self::Dhcp(device) => write!(f, "dhcp {} on", Named(device)),
            Self::Port(spec) => {
                write!(f, "port set {}", Named(&spec.device))?;
                if let Some(forwarding) = spec.forwarding {
                    write!(f, " forwarding {}", if forwarding { "on" } else { "off" })?;
                }
                match spec.urpf {
                    Some(urpf) => write!(f, " urpf {urpf}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// A device in a line, after `dev` where its name alone would be a comment or that word.
pub struct Named<'a>(pub &'a DeviceName);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.as_bytes();
        let dev = if name.starts_with(b"#") || name == b"dev" {
            "dev "
        } else {
            ""
        };
        write!(f, "{dev}{}", self.0)
    }
}

/// A change of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingChange {
    /// The setting; of one that ends, only the object counts.
    pub setting: Setting,
    /// Whether it is made; otherwise it ends.
    pub made: bool,
}

impl SettingChange {
    /// Makes a setting.
    pub fn make(setting: Setting) -> Self {
        Self {
            setting,
            made: true,
        }
    }

    /// Ends a setting.
    pub fn end(setting: Setting) -> Self {
        Self {
            setting,
            made: false,
        }
    }

    /// Whether it makes the link of this name.
    pub fn makes(&self, device: &DeviceName) -> bool {
        self.made && matches!(&self.setting, Setting::VirtualLink(link) if link.device == *device)
    }
}

/// Whether a command changes a setting.
pub fn is_setting(action: Action) -> bool {
    matches!(
        action,
        Action::Dhcp
            | Action::HostName
            | Action::Multipath
            | Action::LinkAdd
            | Action::LinkSet
            | Action::LinkDel
            | Action::AddressAdd
            | Action::AddressDel
            | Action::PortSet
            | Action::PortDel
    )
}

/// Reads the arguments of a command that changes a setting. `whole`: words are written in full.
pub fn setting_change(
    command: &Command,
    line: &str,
    start: usize,
    whole: bool,
) -> Result<SettingChange, GrammarError> {
    match command.action {
        Action::HostName => host_name::host_name(line, start)
            .map(|name| SettingChange::make(Setting::HostName(name))),
        Action::Multipath => Ok(SettingChange {
            setting: Setting::Multipath,
            made: device_word::switch(line, start, &MULTIPATH, whole)?,
        }),
        Action::Dhcp => {
            let (device, made) = dhcp_line::dhcp(line, start, whole)?;
            Ok(SettingChange {
                setting: Setting::Dhcp(device),
                made,
            })
        }
        Action::LinkAdd => virtual_link_line::virtual_link(line, start, whole)
            .map(|link| SettingChange::make(Setting::VirtualLink(link))),
        Action::LinkDel => {
            let device = device_word::device(line, start)?;
            // The name says which; the kind does not count.
            let kind = LinkKind::Dummy;
            let link = VirtualLink { device, kind };
            Ok(SettingChange::end(Setting::VirtualLink(link)))
        }
        Action::LinkSet => {
            link_line::link(line, start, whole).map(|link| SettingChange::make(Setting::Link(link)))
        }
        Action::AddressAdd => {
            let (address, device) = link_line::new_address(line, start, whole)?;
            Ok(SettingChange::make(Setting::Address(address, device)))
        }
        Action::AddressDel => {
            let (address, device) = link_line::address(line, start, whole)?;
            Ok(SettingChange::end(Setting::Address(address, device)))
        }
        Action::PortDel => {
            let device = device_word::device(line, start)?;
            Ok(SettingChange::end(Setting::Port(PortSpec {
                device,
                forwarding: None,
                urpf: None,
            })))
        }
        _ => {
            port_line::port(line, start, whole).map(|port| SettingChange::make(Setting::Port(port)))
        }
    }
}

/// The link that a line of the console makes, if it does.
pub fn made_link(line: &str) -> Option<DeviceName> {
    let (command, start) = command(line).ok().flatten()?;
    if command.action != Action::LinkAdd {
        return None;
    }
    let link = virtual_link_line::virtual_link(line, start, false).ok()?;
    Some(link.device)
}

/// Reads a line of a config; `None` if it is not a setting. Its words are written in full.
pub fn setting(line: &str) -> Result<Option<Setting>, GrammarError> {
    let mut words = words(line, 0);
    let first = words.next().map_or("", |word| word.text);
    let Some(at) = SETTINGS.iter().position(|&word| word == first) else {
        return Ok(None);
    };
    let verbs = VERBS[at];
    debug_assert!(verbs.iter().all(|verb| verb.value == Value::None));
    if !verbs.is_empty() {
        let kind = GrammarErrorKind::NotOneOf(verbs);
        let Some(second) = words.next() else {
            return Err(GrammarError::at_end(line, kind));
        };
        if !verbs.iter().any(|verb| verb.word == second.text) {
            return Err(GrammarError::at(second, kind));
        }
    }
    let found = command(line)?;
    let (command, start) = found.expect("the line has the words of a command");
    let change = setting_change(command, line, start, true)?;
    if !change.made {
        // `dhcp … off` or `multipath off`: what a config does not switch on is off.
        let word = self::words(line, 0).last().expect("it has words");
        let kind = GrammarErrorKind::NotOneOf(&dhcp_line::SWITCH[..1]);
        return Err(GrammarError::at(word, kind));
    }
    Ok(Some(change.setting))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        match setting(line) {
            Ok(None) => "a route".into(),
            Ok(Some(setting)) => setting.to_string(),
            Err(error) => format!("{}+{} {}", error.column, error.len, error.kind),
        }
    }

    #[test]
    fn setting_shown_reads_as_the_same() {
        for line in [
            "link add br0 type bridge",
            "link add link eth0 name eth0.7 type vlan id 7",
            "link add link \\x23wan name \\x23wan.7 type vlan id 7",
            "link set eth1 up mtu 1400 master br0",
            "link set eth1 address 02:00:00:00:00:01 nomaster",
            "link set eth1 nomaster",
            "link set dev dev master \\x23br",
            "port set eth0",
            "port set eth0 forwarding off",
            "port set eth0 forwarding on urpf strict",
            "port set dev #wan urpf loose",
            "port set dev dev",
            "link set eth0 down",
            "link set dev #wan up mtu 1400",
            "address add 192.0.2.1/24 dev eth0",
            "address add 2001:db8::1/64 dev #wan",
            "hostname r1.example.net",
            "multipath on",
            "dhcp eth0 on",
            "dhcp dev #wan on",
            "dhcp dev dev on",
        ] {
            assert_eq!(read(line), line);
        }
        assert_eq!(read(" port  set dev eth0 "), "port set eth0");
        assert_eq!(read("10.0.0.0/8 dev eth0"), "a route");
        assert_eq!(read("ports"), "a route");
    }

    #[test]
    fn config_mistake_names_its_place() {
        assert_eq!(read("port"), "4+0 expected set");
        assert_eq!(read("dhcp eth0 off"), "10+3 expected on");
        assert_eq!(read("dhcp eth0 o"), "10+1 expected on or off");
        assert_eq!(read("multipath off"), "10+3 expected on");
        assert_eq!(read("multipath of"), "10+2 expected on or off");
        assert_eq!(read("multipath"), "9+0 expected on or off");
        assert_eq!(read("multipath on x"), "13+1 expected the end of the line");
        assert_eq!(read("dhcp"), "4+0 expected the name of a device");
        assert_eq!(
            read("hostname r_1"),
            "9+3 expected a name of at most 64 characters: letters, digits, and between them - and ."
        );
        assert_eq!(read("port del eth0"), "5+3 expected set");
        assert_eq!(read("link del br0"), "5+3 expected add or set");
        assert_eq!(
            read("link add br0 ty bridge"),
            "13+2 expected link, name or type"
        );
        assert_eq!(
            read("link add br0 type bri"),
            "18+3 expected vlan, bridge or dummy"
        );
        assert_eq!(read("address del ::1/64 dev lo"), "8+3 expected add");
        assert_eq!(read("address add 192.0.2.1/24 de lo"), "25+2 expected dev");
        assert_eq!(
            read("link set eth0 u"),
            "14+1 expected up, down, mtu, address, master or nomaster"
        );
        assert_eq!(read("port set"), "8+0 expected the name of a device");
        assert_eq!(
            read("port set eth0 urp strict"),
            "14+3 expected forwarding or urpf"
        );
        assert_eq!(
            read("port set eth0 urpf str"),
            "19+3 expected off, loose, strict or feasible"
        );
    }

    #[test]
    fn later_line_adds_to_an_earlier_one() {
        let read = |line| setting(line).unwrap().unwrap();
        let mut port = read("port set eth0 urpf strict");
        port.merge(&read("port set eth0 forwarding off"));
        assert_eq!(port.to_string(), "port set eth0 forwarding off urpf strict");
        port.merge(&read("port set eth0 urpf off"));
        assert_eq!(port.to_string(), "port set eth0 forwarding off urpf off");
        let mut link = read("link set eth0 up");
        link.merge(&read("link set eth0 mtu 1400"));
        link.merge(&read("link set eth0 master br0"));
        assert_eq!(link.to_string(), "link set eth0 up mtu 1400 master br0");
        link.merge(&read("link set eth0 address 02:00:00:00:00:01 nomaster"));
        link.merge(&read("link set eth0 address 02:00:00:00:00:02"));
        assert_eq!(
            link.to_string(),
            "link set eth0 up mtu 1400 address 02:00:00:00:00:02 nomaster"
        );
        assert!(!link.is_same(&port));
        assert!(port.is_same(&read("port set eth0")));
        assert!(!port.is_same(&read("port set eth1")));
    }
}
