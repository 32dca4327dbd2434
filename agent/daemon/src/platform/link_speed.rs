// SPDX-License-Identifier: MIT OR Apache-2.0
//! Speed and duplex of a link, as sysfs has them.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nl31_route::DeviceName;

/// The folder with a folder for each network device.
const DEVICES: &str = "/sys/class/net";

/// What a link has agreed on with the other end; `None` where the device cannot tell, as while
/// it is down or has no carrier, or if it is virtual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkSpeed {
    /// Mbit/s.
    pub megabits: Option<u32>,
    /// `full` or `half`.
    pub duplex: Option<&'static str>,
}

impl LinkSpeed {
    /// That of a device.
    pub fn of(device: &DeviceName) -> Self {
        let name = std::ffi::OsStr::from_bytes(device.as_bytes());
        Self::read(&Path::new(DEVICES).join(name))
    }

    /// Reads the files of a device's folder.
    fn read(folder: &Path) -> Self {
        let mut bytes = [0; 16];
        let mut word = |name: &str| {
            // A device that cannot tell makes an error of it.
            let length = File::open(folder.join(name)).ok()?.read(&mut bytes).ok()?;
            let text = std::str::from_utf8(&bytes[..length]).ok()?;
            Some(text.trim_ascii().to_owned())
        };
        let speed: Option<u32> = word("speed").and_then(|speed| speed.parse().ok());
        let duplex = word("duplex");
        Self {
            // Or it says -1, or 0.
            megabits: speed.filter(|megabits| *megabits > 0),
            duplex: ["full", "half"]
                .into_iter()
                .find(|word| duplex.as_deref() == Some(word)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::atomic_file::tests::Folder;

    #[test]
    fn speed_is_what_the_device_tells() {
        let folder = Folder::new("link-speed");
        let none = LinkSpeed::default();
        assert_eq!(LinkSpeed::read(&folder.0), none);
        for (speed, duplex, expected) in [
            ("-1\n", "unknown\n", none),
            ("0\n", "\n", none),
            (
                "10\n",
                "half\n",
                LinkSpeed {
                    megabits: Some(10),
                    duplex: Some("half"),
                },
            ),
            (
                "100000\n",
                "full\n",
                LinkSpeed {
                    megabits: Some(100_000),
                    duplex: Some("full"),
                },
            ),
        ] {
            folder.file("speed", speed);
            folder.file("duplex", duplex);
            assert_eq!(LinkSpeed::read(&folder.0), expected, "{speed:?}");
        }
    }
}
