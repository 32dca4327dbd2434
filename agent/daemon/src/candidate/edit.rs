// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parses lines of the console that change routes and settings.

use nl31_netlink::{Add, Change, Device, Route, Spec};
use nl31_route::{DeviceName, ParseError, Parsed, Part, PassedOver, Syntax, words};

use crate::grammar::codes::{self, Code};
use crate::grammar::{self, ALL, Action, Arguments, Command, GrammarError, LONGER, SettingChange};
use crate::platform::devices::Cached;

/// Why a line is not an edit, shown without the place. Columns are byte offsets into the
/// line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The line is not a command.
    #[error("{}", .0.kind)]
    Grammar(GrammarError),
    /// The words are not a route.
    #[error("{0}")]
    Parse(#[from] ParseError),
    /// The device does not exist.
    #[error("device {0} does not exist")]
    NoDevice(DeviceName, usize, usize),
    /// Something is missing or superfluous at this column.
    #[error("{1}")]
    At(usize, &'static str),
}

impl Fault {
    /// Column and length of what is wrong.
    pub fn place(&self) -> (usize, usize) {
        match self {
            Self::Grammar(error) => (error.column, error.len),
            Self::Parse(error) => (error.column, error.len),
            Self::NoDevice(_, column, len) => (*column, *len),
            Self::At(column, _) => (*column, 0),
        }
    }

    /// The code of the reply.
    pub fn code(&self) -> Code {
        match self {
            Self::NoDevice(..) => codes::NO_DEVICE,
            _ => codes::SYNTAX,
        }
    }
}

impl From<GrammarError> for Fault {
    fn from(error: GrammarError) -> Self {
        Self::Grammar(error)
    }
}

/// How a command adds a path; `None` for other commands.
pub fn adds(action: Action) -> Option<Add> {
    Some(match action {
        Action::RouteAdd => Add::Add,
        Action::RouteReplace => Add::Replace,
        Action::RouteChange => Add::Change,
        Action::RouteAppend => Add::Append,
        _ => return None,
    })
}

/// The fault of a line whose device does not exist.
pub fn missing_device(parsed: &Parsed, devices: &mut Cached<'_>) -> Option<Fault> {
    let name = parsed.spec.device.as_ref()?;
    if devices.exists(name) {
        return None;
    }
    let (column, len) = parsed.span(Part::Device).unwrap_or_default();
    Some(Fault::NoDevice(name.clone(), column, len))
}

/// Reads the arguments of `route add|replace|append|change`.
pub fn route(
    syntax: &Syntax,
    line: &str,
    start: usize,
    devices: &mut Cached<'_>,
) -> Result<(Parsed, Route<Device>), Fault> {
    let parsed = grammar::route_words(syntax, line, start)?;
    let route = parsed.route()?;
    // The kernel would let the route wait; the device of a typed route must exist.
    if let Some(fault) = missing_device(&parsed, devices) {
        return Err(fault);
    }
    Ok((parsed, route.map_device(Device::Name)))
}

/// Reads the arguments of `route del`.
pub fn path(
    syntax: &Syntax,
    line: &str,
    start: usize,
    devices: &mut Cached<'_>,
) -> Result<(Parsed, Spec<Device>), Fault> {
    let parsed = grammar::route_words(syntax, line, start)?;
    parsed.prefix()?;
    let spec = devices.filter(parsed.spec.clone());
    Ok((parsed, spec))
}

/// Reads the arguments of `route flush`.
pub fn flush(
    syntax: &Syntax,
    line: &str,
    start: usize,
    devices: &mut Cached<'_>,
) -> Result<(Parsed, Spec<Device>), Fault> {
    let mut parsed = grammar::route_words(syntax, line, start)?;
    let all = parsed.flags & ALL != 0;
    if all == (parsed.spec == Spec::default()) {
        grammar::within_family(&mut parsed, line, start);
        let spec = devices.filter(parsed.spec.clone());
        return Ok((parsed, spec));
    }
    let what = if all {
        "`all` takes no other words: remove it, or the others"
    } else {
        "say what to delete, like a prefix or dev eth0, or `all`"
    };
    Err(Fault::At(line.trim_ascii_end().len(), what))
}

/// An edit of a candidate.
#[derive(Debug)]
pub enum Edit {
    /// A change of routes.
    Route(Change),
    /// A change of a setting.
    Setting(SettingChange),
}

/// Whether a command can be an edit of a candidate.
pub fn is_edit(command: &Command) -> bool {
    adds(command.action).is_some()
        || matches!(command.action, Action::RouteDel | Action::RouteFlush)
        || grammar::is_setting(command.action)
}

/// The edit of a line, and the words of it that were ignored.
pub fn edit(
    command: &Command,
    line: &str,
    start: usize,
    devices: &mut Cached<'_>,
) -> Result<(Edit, PassedOver), Fault> {
    if grammar::is_setting(command.action) {
        let change = grammar::setting_change(command, line, start, false)?;
        // What waits for a device may be ended without it.
        let missing = change
            .setting
            .needs()
            .find(|device| !devices.exists(device));
        if let Some(device) = missing.filter(|_| change.made) {
            let mut words = words(line, start);
            let word = words.find(|word| word.text.parse().as_ref() == Ok(device));
            let (column, len) = word.map_or((start, 0), |word| (word.column, word.text.len()));
            return Err(Fault::NoDevice(device.clone(), column, len));
        }
        return Ok((Edit::Setting(change), PassedOver::default()));
    }
    let (change, passed_over) = change(command, line, start, devices)?;
    Ok((Edit::Route(change), passed_over))
}

/// The change of routes, and the words of its line that were ignored.
fn change(
    command: &Command,
    line: &str,
    start: usize,
    devices: &mut Cached<'_>,
) -> Result<(Change, PassedOver), Fault> {
    let (Arguments::Route(syntax) | Arguments::Filter(syntax)) = command.arguments else {
        return Err(Fault::At(start, "not an edit"));
    };
    if let Some(how) = adds(command.action) {
        let (parsed, route) = route(syntax, line, start, devices)?;
        return Ok((Change::Add(how, route), parsed.passed_over()));
    }
    if command.action == Action::RouteDel {
        let (parsed, spec) = path(syntax, line, start, devices)?;
        return Ok((Change::Delete(spec), parsed.passed_over()));
    }
    let (parsed, spec) = flush(syntax, line, start, devices)?;
    let longer = parsed.flags & LONGER != 0;
    let change = match spec.prefix {
        Some(_) if !longer && spec.has_path() => {
            // One change would delete only the first such path.
            let what = "after `begin`, flush takes a whole prefix, or `longer`; use `route del` for one path";
            return Err(Fault::At(line.trim_ascii_end().len(), what));
        }
        Some(_) if !longer => Change::DeletePrefix(spec),
        _ => Change::DeleteAll(spec),
    };
    Ok((change, parsed.passed_over()))
}

/// Reads a line of the edit log again.
pub fn reread(line: &str, devices: &mut Cached<'_>) -> Result<Edit, Fault> {
    match grammar::command(line)? {
        Some((command, start)) if is_edit(command) => {
            edit(command, line, start, devices).map(|(edit, _)| edit)
        }
        _ => Err(Fault::At(0, "not an edit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::devices::tests::TestDevices;

    fn read(line: &str) -> String {
        match reread(line, &mut Cached::new(&TestDevices::default())) {
            Ok(Edit::Route(Change::Add(how, route))) => format!("{how:?} {route}"),
            Ok(Edit::Route(Change::Delete(spec))) => format!("Delete {:?}", spec.prefix.unwrap()),
            Ok(Edit::Route(Change::DeletePrefix(spec))) => {
                format!("DeletePrefix {:?}", spec.prefix.unwrap())
            }
            Ok(Edit::Route(Change::DeleteAll(spec))) => {
                format!("DeleteAll {:?} {:?}", spec.prefix, spec.device)
            }
            Ok(Edit::Setting(SettingChange { setting, made })) => format!("{made} {setting}"),
            Err(fault) => format!("{:?} {fault}", fault.place()),
        }
    }

    #[test]
    fn each_edit_is_one_change() {
        assert_eq!(
            read("route add 10.0.0.0/8 dev eth0"),
            "Add 10.0.0.0/8 dev eth0"
        );
        assert_eq!(
            read("rou repl blackhole ::/0 m 5"),
            "Replace blackhole ::/0 metric 5"
        );
        assert_eq!(read("route del 10.0.0.0/8"), "Delete 10.0.0.0/8");
        assert_eq!(read("route flush 10.0.0.0/8"), "DeletePrefix 10.0.0.0/8");
        assert_eq!(
            read("route flush 10.0.0.0/8 longer"),
            "DeleteAll Some(10.0.0.0/8) None"
        );
        assert_eq!(
            read("route flush dev eth0"),
            "DeleteAll None Some(Index(2))"
        );
        assert_eq!(
            read("route flush dev eth7"),
            "DeleteAll None Some(Name(\"eth7\"))",
            "paths may wait for it"
        );
        assert_eq!(read("route flush all"), "DeleteAll None None");
        assert_eq!(read("po se eth0 u str"), "true port set eth0 urpf strict");
        assert_eq!(read("port del eth0"), "false port set eth0");
        assert_eq!(
            read("port set eth7 urpf off"),
            "(9, 4) device eth7 does not exist"
        );
    }

    #[test]
    fn what_is_no_edit_says_where_and_why() {
        assert_eq!(
            read("route add 10.0.0.0/8 dev eth7"),
            "(25, 4) device eth7 does not exist"
        );
        assert!(read("route flush").starts_with("(11, 0) say what to delete"));
        assert!(
            read("route flush 10.0.0.0/8 dev eth0")
                .starts_with("(31, 0) after `begin`, flush takes a whole prefix")
        );
        assert!(read("ping").starts_with("(0, 0) not an edit"));
        assert!(read("route add 10.0.0.1/8").starts_with("(10, 10) bits are set"));
    }
}
