// SPDX-License-Identifier: MIT OR Apache-2.0
//! Opens a session: chooses the place, says hello, unlocks the line.

use std::ffi::OsStr;
use std::path::Path;

use nl31_wire::Request;

use crate::arguments::{Arguments, SerialLine};
use crate::discovery::{candidates, find};
use crate::error::{Error, PIN};
use crate::link::{Link, OPENING, PATIENCE};
use crate::port::{Place, Port, SOCKET};

/// The variable that names the line where `--serial` does not.
pub const SERIAL: &str = "NL31_SERIAL";
/// Opens sessions with one appliance.
pub struct Connector {
    place: Place,
    baud: u32,
    pin: Option<String>,
}

impl Connector {
    /// Chooses the place. Only `--serial auto` opens lines to do so.
    pub fn new(arguments: &Arguments) -> Result<Self, Error> {
        let place = match (&arguments.serial, &arguments.socket) {
            (Some(line), _) => place(line, arguments.baud)?,
            (None, Some(path)) => Place::Socket(path.clone()),
            (None, None) => match std::env::var_os(SERIAL).filter(|text| !text.is_empty()) {
                Some(text) => place(&variable(&text)?, arguments.baud)?,
                None => local(Path::new(SOCKET))?,
            },
        };
        Ok(Self {
            place,
            baud: arguments.baud,
            pin: pin(arguments.pin_file.as_deref())?,
        })
    }

    /// Opens the place and a session.
    pub fn open(&self) -> Result<Link<Box<dyn Port>>, Error> {
        let name = self.place.to_string();
        let port = self.place.open(self.baud);
        let port = port.map_err(|error| Error::Port(name.clone(), error))?;
        Link::open(port, &name, OPENING, PATIENCE)
    }

    /// Unlocks a line that has a PIN, if one was given.
    pub fn unlock<P: Port>(&self, link: &mut Link<P>) -> Result<(), Error> {
        match &self.pin {
            Some(pin) => link.done(&Request::Unlock { pin }),
            None => Ok(()),
        }
    }
}

fn place(line: &SerialLine, baud: u32) -> Result<Place, Error> {
    Ok(match line {
        SerialLine::Device(path) => Place::Serial(path.clone()),
        SerialLine::Tcp(address) => Place::Tcp(address.clone()),
        SerialLine::Auto => {
            let ports: Vec<_> = candidates().into_iter().map(|port| port.path).collect();
            Place::Serial(find(&ports, baud)?)
        }
    })
}

/// The line that the variable names.
fn variable(text: &OsStr) -> Result<SerialLine, Error> {
    let line = text.to_str().ok_or("not UTF-8 text".to_string());
    let line = line.and_then(str::parse);
    line.map_err(|error| Error::Usage(format!("{SERIAL}: {error}")))
}

/// The place where none was named: no serial line is opened on a guess.
fn local(socket: &Path) -> Result<Place, Error> {
    if socket.exists() {
        return Ok(Place::Socket(socket.into()));
    }
    let socket = socket.display();
    Err(Error::NoPort(format!(
        "no agent runs on this machine ({socket} is missing): name the appliance's line with \
         --serial or {SERIAL}; `nl31ctl ports` lists the serial lines"
    )))
}

fn pin(file: Option<&Path>) -> Result<Option<String>, Error> {
    let Some(path) = file else {
        return Ok(std::env::var(PIN).ok());
    };
    let text = std::fs::read_to_string(path).map_err(|error| Error::File(path.into(), error))?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unnamed_place_is_the_socket_or_an_error() {
        let there = Path::new("/dev/null");
        assert_eq!(local(there).unwrap(), Place::Socket(there.into()));
        let error = local(Path::new("/nonexistent.sock")).unwrap_err();
        assert_eq!(error.status(), 5);
        assert!(error.to_string().contains("/nonexistent.sock is missing"));
    }

    #[test]
    fn the_variable_takes_what_the_option_takes() {
        let read = |text: &str| variable(OsStr::new(text));
        assert_eq!(read("auto").unwrap(), SerialLine::Auto);
        let error = read("tcp://board").unwrap_err();
        assert_eq!(error.status(), 2, "{error}");
        assert!(error.to_string().starts_with("NL31_SERIAL: "), "{error}");
    }
}
