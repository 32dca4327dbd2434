// SPDX-License-Identifier: MIT OR Apache-2.0
//! Routes as JSON, for scripts, with the names of iproute2, which `nl31ctl` has too.

use std::fmt::{self, Write as _};

use nl31_netlink::Route;
use nl31_route::DeviceName;

/// A route as one object: `{"type":"unicast","dst":"10.0.0.0/8","dev":"eth0",…}`.
/// What it does not have is left out.
pub struct Json<'a>(pub &'a Route<DeviceName>);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Route { prefix, path } = self.0;
        write!(f, r#"{{"type":"{}","dst":"{prefix}""#, path.kind.word())?;
        if let Some(gateway) = path.gateway {
            write!(f, r#","gateway":"{gateway}""#)?;
        }
        if let Some(device) = &path.device {
            f.write_str(r#","dev":"#)?;
            string(f, &device.to_string())?;
        }
        write!(
            f,
            r#","metric":{},"protocol":"{}"}}"#,
            path.metric, path.protocol
        )
    }
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
    fn any_name_of_a_device_is_quoted() {
        let json = json(r#"::/0 dev a"b\x5cc"#);
        assert!(json.contains(r#""dev":"a\"b\\x5cc""#), "{json}");
    }
}
