// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sender's index of a device to its name on the board.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::{Duration, Instant};

use nix::net::if_::if_indextoname;
use nl31_route::DeviceName;

/// How long a name is believed: Linux may give a device another one.
const BELIEVED: Duration = Duration::from_secs(5);

/// One `--map`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceMap {
    from: From,
    /// The device of the board; `None` leaves it to the board to find one for the gateway.
    to: Option<DeviceName>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum From {
    Any,
    Index(u32),
    Name(DeviceName),
}

/// `NAME=NAME`, `INDEX=NAME`, `*=NAME`; if the name behind `=` is empty, the routes name no
/// device.
impl FromStr for DeviceMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text
            .split_once('=')
            .ok_or("expected NAME=NAME, INDEX=NAME or *=NAME")?;
        let name = |text: &str| {
            text.parse::<DeviceName>()
                .map_err(|error| error.to_string())
        };
        let from = match from.parse() {
            _ if from == "*" => From::Any,
            Ok(index) => From::Index(index),
            Err(_) => From::Name(name(from)?),
        };
        let to = match to {
            "" => None,
            to => Some(name(to)?),
        };
        Ok(Self { from, to })
    }
}

/// A device of the sender, as a route of the board names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoardDevice {
    /// This one.
    Named(DeviceName),
    /// None: the board finds one for the gateway.
    None,
    /// This machine has no device of this index.
    Unknown,
}

/// What `--map` says, and the names of this machine's devices.
#[derive(Debug)]
pub struct Devices {
    maps: Vec<DeviceMap>,
    names: HashMap<u32, (Option<DeviceName>, Instant)>,
    name_of: fn(u32) -> Option<DeviceName>,
}

impl Devices {
    /// With these maps, the first that fits counts; one for any device fits last.
    pub fn new(maps: Vec<DeviceMap>) -> Self {
        Self::with_names(maps, |index| {
            let name = if_indextoname(index).ok()?;
            DeviceName::from_bytes(name.to_bytes()).ok()
        })
    }

    /// With names from elsewhere.
    pub fn with_names(maps: Vec<DeviceMap>, name_of: fn(u32) -> Option<DeviceName>) -> Self {
        Self {
            maps,
            names: HashMap::new(),
            name_of,
        }
    }

    /// The board's device for the sender's.
    pub fn find(&mut self, index: u32) -> BoardDevice {
        let name = self.name(index);
        let fits = |map: &&DeviceMap| match &map.from {
            From::Any => false,
            From::Index(from) => *from == index,
            From::Name(from) => name.as_ref() == Some(from),
        };
        let any = |map: &&DeviceMap| map.from == From::Any;
        let mut maps = self.maps.iter();
        match maps.clone().find(fits).or_else(|| maps.find(any)) {
            Some(map) => map.to.clone().map_or(BoardDevice::None, BoardDevice::Named),
            None => name.map_or(BoardDevice::Unknown, BoardDevice::Named),
        }
    }

    fn name(&mut self, index: u32) -> Option<DeviceName> {
        let now = Instant::now();
        if let Some((name, at)) = self.names.get(&index)
            && now.duration_since(*at) < BELIEVED
        {
            return name.clone();
        }
        // Indexes come from the sender, so their number is not known.
        if self.names.len() >= 4096 {
            self.names.clear();
        }
        let name = (self.name_of)(index);
        self.names.insert(index, (name.clone(), now));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(maps: &[&str], index: u32) -> String {
        let maps = maps.iter().map(|text| text.parse().unwrap()).collect();
        let name_of = |index| match index {
            1 => "lo".parse().ok(),
            2 => "ens3".parse().ok(),
            _ => None,
        };
        match Devices::with_names(maps, name_of).find(index) {
            BoardDevice::Named(name) => name.to_string(),
            BoardDevice::None => "none".into(),
            BoardDevice::Unknown => "unknown".into(),
        }
    }

    #[test]
    fn a_device_has_its_own_name_or_that_of_a_map() {
        assert_eq!(found(&[], 2), "ens3");
        assert_eq!(found(&[], 7), "unknown");
        let maps = ["*=", "ens3=eth0", "7=eth1"];
        assert_eq!(found(&maps, 2), "eth0");
        assert_eq!(found(&maps, 7), "eth1");
        assert_eq!(found(&maps, 1), "none");
        assert_eq!(found(&["*=eth2"], 9), "eth2");
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for text in ["", "eth0", "=eth0", "eth0=a/b", "a b=eth0"] {
            assert!(text.parse::<DeviceMap>().is_err(), "{text}");
        }
    }
}
