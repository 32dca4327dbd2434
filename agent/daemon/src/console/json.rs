// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replies as JSON, for scripts and programs. The fields of routes have the names of
//! iproute2, as in `nl31ctl`.

use std::fmt::{self, Write as _};

use nl31_netlink::{PathFlags, Route};
use nl31_route::DeviceName;

use crate::config::lease::ClientState;
use crate::grammar::Setting;

/// A route as one object: `{"type":"unicast","dst":"10.0.0.0/8","dev":"eth0",…}`.
/// Absent parts are left out.
pub struct Json<'a>(pub &'a Route<DeviceName>);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        fields(f, self.0)?;
        f.write_char('}')
    }
}

/// A path of a list: the object of a route. A path that is not in use has the reasons in
/// `"flags":["dead","linkdown"]`.
pub struct JsonListed<'a>(pub &'a Route<DeviceName>, pub PathFlags);

impl fmt::Display for JsonListed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(route, flags) = self;
        f.write_char('{')?;
        fields(f, route)?;
        let words = [
            (flags.is_dead(), "dead"),
            (flags.is_linkdown(), "linkdown"),
            (flags.is_standby(), "standby"),
        ];
        let mut separator = ",\"flags\":[";
        for (_, word) in words.into_iter().filter(|(set, _)| *set) {
            write!(f, "{separator}\"{word}\"")?;
            separator = ",";
        }
        f.write_str(if flags.is_empty() { "}" } else { "]}" })
    }
}

/// A route of a difference, removed (`-`) or added (`+`): the object of a route with
/// `"change":"-"`.
pub struct JsonChange<'a>(pub char, pub &'a Route<DeviceName>);

impl fmt::Display for JsonChange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"{{"change":"{}","#, self.0)?;
        fields(f, self.1)?;
        f.write_char('}')
    }
}

/// A setting of a difference: `{"change":"-","setting":"port set eth0"}`.
pub struct JsonSettingChange<'a>(pub char, pub &'a Setting);

impl fmt::Display for JsonSettingChange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.1.to_string();
        write!(
            f,
            r#"{{"change":"{}","setting":{}}}"#,
            self.0,
            Quoted(&line)
        )
    }
}

/// The DHCP client of a device, at so many seconds since the boot:
/// `{"dev":"eth0","state":"bound","address":"192.0.2.10","len":24,"gateway":"192.0.2.1",…}`.
/// Absent parts are left out.
pub struct JsonClient<'a>(pub &'a DeviceName, pub &'a ClientState, pub u64);

impl fmt::Display for JsonClient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(device, state, now) = self;
        let device = device.to_string();
        let word = state.word();
        write!(f, r#"{{"dev":{},"state":"{word}""#, Quoted(&device))?;
        if let ClientState::Refused(error) = state {
            let error = error.to_string();
            write!(f, r#","error":{}"#, Quoted(&error))?;
        }
        if let Some(lease) = state.lease() {
            let (address, len) = (lease.address.address(), lease.address.len());
            write!(f, r#","address":"{address}","len":{len}"#)?;
            for (name, host) in [
                ("gateway", lease.router),
                ("refused-gateway", lease.refused_router),
                ("server", lease.server),
            ] {
                if let Some(host) = host {
                    write!(f, r#","{name}":"{host}""#)?;
                }
            }
            if let Some(seconds) = lease.seconds(*now) {
                write!(f, r#","seconds":{seconds}"#)?;
            }
        }
        f.write_char('}')
    }
}

/// A line of the log and its number: `{"number":7,"uptime":12.345,"level":"INFO","text":"…"}`.
pub struct JsonLog<'a>(pub u64, pub &'a str);

impl fmt::Display for JsonLog<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, line) = self;
        write!(f, r#"{{"number":{number},"#)?;
        let stamped = line
            .strip_prefix('[')
            .and_then(|line| line.split_once("] "));
        let parts = stamped.and_then(|(uptime, rest)| Some((uptime, rest.split_once(' ')?)));
        let text = match parts {
            Some((uptime, (level, text))) => {
                let uptime = uptime.trim_ascii_start();
                write!(f, r#""uptime":{uptime},"level":{},"#, Quoted(level))?;
                text
            }
            None => line,
        };
        write!(f, r#""text":{}}}"#, Quoted(text))
    }
}

/// A text as a JSON string.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        string(f, self.0)
    }
}

/// The fields of a route.
fn fields(f: &mut fmt::Formatter<'_>, route: &Route<DeviceName>) -> fmt::Result {
    let Route { prefix, path } = route;
    write!(f, r#""type":"{}","dst":"{prefix}""#, path.kind.word())?;
    if let Some(gateway) = path.gateway {
        write!(f, r#","gateway":"{gateway}""#)?;
    }
    if let Some(device) = &path.device {
        f.write_str(r#","dev":"#)?;
        string(f, &device.to_string())?;
    }
    write!(
        f,
        r#","metric":{},"protocol":"{}""#,
        path.metric, path.protocol
    )
}

/// A device may be called almost anything.
fn string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        Json(&text.parse().unwrap()).to_string()
    }

    #[test]
    fn a_route_is_an_object() {
        assert_eq!(
            json("10.0.0.0/8 via 192.0.2.1 dev eth0 metric 5 proto bgp"),
            r#"{"type":"unicast","dst":"10.0.0.0/8","gateway":"192.0.2.1","dev":"eth0","metric":5,"protocol":"bgp"}"#
        );
        assert_eq!(
            json("blackhole ::/0"),
            r#"{"type":"blackhole","dst":"::/0","metric":0,"protocol":"unspec"}"#
        );
    }

    #[test]
    fn a_change_is_a_route_with_its_sign() {
        let change = JsonChange('+', &"blackhole ::/0".parse().unwrap()).to_string();
        assert_eq!(
            change,
            r#"{"change":"+","type":"blackhole","dst":"::/0","metric":0,"protocol":"unspec"}"#
        );
    }

    #[test]
    fn a_line_of_the_log_is_its_parts() {
        let line = JsonLog(7, "[   12.345] INFO agent \"0.1.0\" started").to_string();
        assert_eq!(
            line,
            r#"{"number":7,"uptime":12.345,"level":"INFO","text":"agent \"0.1.0\" started"}"#
        );
        assert_eq!(
            JsonLog(8, "cut").to_string(),
            r#"{"number":8,"text":"cut"}"#
        );
    }

    #[test]
    fn any_name_of_a_device_is_quoted() {
        let json = json(r#"::/0 dev a"b\x5cc"#);
        assert!(json.contains(r#""dev":"a\"b\\x5cc""#), "{json}");
    }
}
