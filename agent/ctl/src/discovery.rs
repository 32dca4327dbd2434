// SPDX-License-Identifier: MIT OR Apache-2.0
//! The serial lines of this machine: listed from sysfs without opening one, or searched
//! for the one on which an agent answers.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::interrupt;
use crate::link::{LOOKING, Link, SESSION};
use crate::port::Place;

/// Folders of a system.
struct Folders<'a> {
    ttys: &'a Path,
    ids: &'a Path,
    devices: &'a Path,
}

/// A serial line on which an appliance may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Its device.
    pub path: PathBuf,
    /// A name that stays the same when the adapter is plugged in elsewhere.
    pub id: Option<PathBuf>,
    /// Manufacturer and product of a USB adapter.
    pub product: Option<String>,
    /// The kernel's driver.
    pub driver: Option<String>,
}

/// The serial lines that have hardware, by the kernel's list of terminals. The consoles
/// of this machine itself are left out: people may log in there. Nothing is opened.
pub fn candidates() -> Vec<Candidate> {
    candidates_of(&Folders {
        ttys: Path::new("/sys/class/tty"),
        ids: Path::new("/dev/serial/by-id"),
        devices: Path::new("/dev"),
    })
}

fn candidates_of(folders: &Folders<'_>) -> Vec<Candidate> {
    let consoles = fs::read_to_string(folders.ttys.join("console/active")).unwrap_or_default();
    let is_console = |name: &str| consoles.split_ascii_whitespace().any(|tty| tty == name);
    // Each name that udev has made from an adapter, and the device.
    let ids: Vec<_> = entries(folders.ids)
        .filter_map(|id| Some((id.clone(), id.canonicalize().ok()?)))
        .collect();
    let mut found: Vec<_> = entries(folders.ttys)
        .filter_map(|tty| {
            let name = tty.file_name()?.to_str()?;
            let usual = ["ttyUSB", "ttyACM", "ttyAMA", "ttyS"];
            if !usual.iter().any(|kind| name.starts_with(kind)) || is_console(name) {
                return None;
            }
            candidate(&tty, folders.devices.join(name), &ids)
        })
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn candidate(tty: &Path, path: PathBuf, ids: &[(PathBuf, PathBuf)]) -> Option<Candidate> {
    // Most of the ttyS are names without a chip: their type is 0.
    let absent = fs::read_to_string(tty.join("type")).is_ok_and(|kind| kind.trim() == "0");
    let device = tty.join("device").canonicalize().ok()?;
    if absent {
        return None;
    }
    let id = ids.iter().find(|(_, target)| *target == path);
    // The product is an attribute of the USB device, above its interface and port.
    let product = device.ancestors().take(3).find_map(|folder| {
        let text = fs::read_to_string(folder.join("product")).ok()?;
        Some(text.trim().chars().filter(|c| !c.is_control()).collect())
    });
    let driver = device.join("driver").canonicalize().ok();
    let driver = driver.and_then(|path| Some(path.file_name()?.to_str()?.to_string()));
    Some(Candidate {
        id: id.map(|(name, _)| name.clone()),
        path,
        product,
        driver,
    })
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

/// Says hello on each of these lines; gives the one on which an agent answers.
pub fn find(ports: &[PathBuf], baud: u32) -> Result<PathBuf, Error> {
    let (mut found, mut others) = (Vec::new(), Vec::new());
    let hello = |path: &Path| {
        let place = Place::Serial(path.into());
        let port = place.open(baud);
        let port = port.map_err(|error| Error::Port(place.to_string(), error))?;
        Link::open(port, &place.to_string(), LOOKING, SESSION).and_then(Link::leave)
    };
    std::thread::scope(|scope| {
        let tries: Vec<_> = ports
            .iter()
            .map(|path| scope.spawn(move || hello(path)))
            .collect();
        for (path, tried) in ports.iter().zip(tries) {
            let name = path.display();
            match tried.join().expect("the search does not panic") {
                Ok(()) => found.push(path),
                Err(Error::NoAnswer) => others.push(format!("{name}: no answer")),
                Err(error @ Error::Port(..)) => others.push(error.to_string()),
                Err(error) => others.push(format!("{name}: {error}")),
            }
        }
    });
    interrupt::check()?;
    match &found[..] {
        [path] => Ok(path.to_path_buf()),
        [] if ports.is_empty() => Err(Error::NoPort(
            "this machine has no serial line: name another way with --serial".into(),
        )),
        [] => Err(Error::NoPort(format!(
            "no agent answers on any serial line: name the line with --serial PATH\n  {}",
            others.join("\n  ")
        ))),
        _ => {
            let names: Vec<_> = found
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            Err(Error::NoPort(format!(
                "agents answer on {}: name one of them with --serial PATH",
                names.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn lines_with_hardware_are_candidates_and_consoles_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        // A USB adapter, a chip that is the console, a name without a chip, a terminal.
        write("usb1/product", "Cable\x1b 7\n");
        write("usb1/interface/port/ttyUSB0/dev", "");
        write("drivers/ftdi/x", "");
        symlink(
            root.join("drivers/ftdi"),
            root.join("usb1/interface/port/driver"),
        )
        .unwrap();
        write("tty/console/active", "tty0 ttyS0\n");
        for name in ["ttyUSB0", "ttyS0", "ttyS1", "tty1"] {
            write(
                &format!("tty/{name}/type"),
                if name == "ttyS1" { "0\n" } else { "4\n" },
            );
            symlink(
                root.join("usb1/interface/port"),
                root.join("tty").join(name).join("device"),
            )
            .unwrap();
            write(&format!("dev/{name}"), "");
        }
        fs::create_dir(root.join("id")).unwrap();
        symlink(root.join("dev/ttyUSB0"), root.join("id/usb-cable")).unwrap();
        let found = candidates_of(&Folders {
            ttys: &root.join("tty"),
            ids: &root.join("id"),
            devices: &root.join("dev"),
        });
        let expected = Candidate {
            path: root.join("dev/ttyUSB0"),
            id: Some(root.join("id/usb-cable")),
            product: Some("Cable 7".into()),
            driver: Some("ftdi".into()),
        };
        assert_eq!(found, [expected]);
    }
}
