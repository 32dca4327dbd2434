// SPDX-License-Identifier: MIT OR Apache-2.0
//! Opens a session: chooses the line or socket, says hello, unlocks the line. Opens another
//! session after one was lost.

use std::ffi::OsStr;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nl31_wire::Request;

use crate::arguments::{Arguments, Command, SerialLine};
use crate::discovery::{candidates, find};
use crate::error::{Error, PIN};
use crate::interrupt;
use crate::journal::Journal;
use crate::link::{Link, OPENING, SESSION};
use crate::output::Output;
use crate::port::{Place, Port, SOCKET};

/// The environment variable that names the line if `--serial` is missing.
pub const SERIAL: &str = "NL31_SERIAL";
/// The speed that a line begins with.
pub const BAUD: u32 = 115_200;

/// Pause between two attempts to get a session back.
const RETRY: Duration = Duration::from_millis(500);

/// If a session that replaced a lost one is lost this soon, another client uses the line; the
/// program leaves the line to that client.
const TAKEN: Duration = Duration::from_secs(10);

/// Opens sessions with one appliance.
pub struct Connector {
    place: Place,
    /// `--serial auto`: search the lines again, as an adapter that was unplugged may have a new
    /// name.
    auto: bool,
    baud: u32,
    pin: Option<String>,
    journal: Option<Rc<Journal>>,
    /// How long to try to reopen a lost session; `None`: for ever.
    limit: Option<Duration>,
    /// The agent's run, and when the last session was opened.
    last: Option<(u64, Instant)>,
    /// That session replaced a lost one.
    reopened: bool,
}

type Session = Link<Box<dyn Port>>;

impl Connector {
    /// Chooses the place. Only `--serial auto` opens lines to do so.
    pub fn new(arguments: &Arguments) -> Result<Self, Error> {
        let line = match (&arguments.serial, &arguments.socket) {
            (Some(line), _) => Some(line.clone()),
            (None, Some(_)) => None,
            (None, None) => {
                let text = std::env::var_os(SERIAL).filter(|text| !text.is_empty());
                text.map(|text| variable(&text)).transpose()?
            }
        };
        let place = match (&line, &arguments.socket) {
            (Some(line), _) => place(line, arguments.baud)?,
            (None, Some(path)) => Place::Socket(path.clone()),
            (None, None) => local(Path::new(SOCKET))?,
        };
        let journal = arguments.log.as_deref().map(|path| {
            let journal = Journal::open(path);
            journal.map_err(|error| Error::File(path.into(), error))
        });
        Ok(Self {
            place,
            auto: line == Some(SerialLine::Auto),
            baud: arguments.baud,
            pin: pin(arguments.pin_file.as_deref())?,
            journal: journal.transpose()?.map(Rc::new),
            limit: match arguments.command {
                Command::Feed(_) => None,
                _ => Some(Duration::from_secs(arguments.reconnect.into())),
            },
            last: None,
            reopened: false,
        })
    }

    /// Opens the place and a session. A line with a PIN is still locked.
    pub fn open(&mut self) -> Result<Session, Error> {
        let name = self.place.to_string();
        let open = |baud| {
            let port = self.place.open(baud);
            let port = port.map_err(|error| Error::Port(name.clone(), error))?;
            Link::open(port, &name, OPENING, SESSION)
        };
        let mut link = match open(BAUD) {
            Ok(mut link) => {
                if self.baud != BAUD {
                    link.want_speed(self.baud);
                }
                link
            }
            // Its console may have the wanted speed from the boot on.
            Err(Error::NoAnswer) if self.baud != BAUD => open(self.baud)?,
            Err(error) => return Err(error),
        };
        let agent = link.agent();
        self.last = Some((agent.boot, Instant::now()));
        if let Some(journal) = &self.journal {
            let (version, boot) = (&agent.version, agent.boot);
            journal.session(format_args!(
                "session on {name}: agent {version}, run {boot:016x}"
            ));
            link.set_journal(Rc::clone(journal));
        }
        Ok(link)
    }

    /// Unlocks a line that has a PIN, if one was given.
    pub fn unlock<P: Port>(&self, link: &mut Link<P>) -> Result<(), Error> {
        match &self.pin {
            Some(pin) => link.done(&Request::Unlock { pin }),
            None => Ok(()),
        }
    }

    /// Opens and unlocks another session after this error ended one, whose link must be
    /// dropped. Gives the error back where that is not wanted or fails for too long.
    pub fn reopen(&mut self, lost: Error, out: &Output<'_>) -> Result<Session, Error> {
        if let Some(journal) = &self.journal {
            journal.session(format_args!("{lost}"));
        }
        let (boot, opened) = self.last.unwrap_or((0, Instant::now()));
        let taken = lost.is_session_lost() && self.reopened && opened.elapsed() < TAKEN;
        let deadline = match self.limit {
            Some(limit) if limit.is_zero() || taken => return Err(lost),
            Some(limit) => {
                let seconds = limit.as_secs();
                out.warn(&format!("{lost}; reconnecting for up to {seconds} s"));
                Some(Instant::now() + limit)
            }
            None => {
                out.warn(&format!("{lost}; reconnecting"));
                None
            }
        };
        if taken {
            interrupt::pause(TAKEN)?;
        }
        self.reopened = true;
        loop {
            match self.reopen_once() {
                Ok(link) => {
                    let restarted = link.agent().boot != boot;
                    out.warn(match restarted {
                        true => "reconnected; the agent was restarted",
                        false => "reconnected",
                    });
                    return Ok(link);
                }
                Err(error) if error.is_link_lost() || matches!(error, Error::NoPort(_)) => {}
                Err(error) => return Err(error),
            }
            if deadline.is_some_and(|deadline| Instant::now() + RETRY >= deadline) {
                return Err(lost);
            }
            interrupt::pause(RETRY)?;
        }
    }

    fn reopen_once(&mut self) -> Result<Session, Error> {
        interrupt::check()?;
        if self.auto {
            self.place = place(&SerialLine::Auto, self.baud)?;
        }
        let mut link = self.open()?;
        self.unlock(&mut link)?;
        Ok(link)
    }
}

fn place(line: &SerialLine, baud: u32) -> Result<Place, Error> {
    Ok(match line {
        SerialLine::Device(path) => Place::Serial(path.clone()),
        SerialLine::Tcp(address) => Place::Tcp(address.clone()),
        SerialLine::Auto => {
            let ports: Vec<_> = candidates().into_iter().map(|port| port.path).collect();
            let found = match find(&ports, BAUD) {
                Err(Error::NoPort(_)) if baud != BAUD => find(&ports, baud),
                found => found,
            };
            Place::Serial(found?)
        }
    })
}

/// The line that the variable names.
fn variable(text: &OsStr) -> Result<SerialLine, Error> {
    let line = text.to_str().ok_or("not UTF-8 text".to_string());
    let line = line.and_then(str::parse);
    line.map_err(|error| Error::Usage(format!("{SERIAL}: {error}")))
}

/// The default place: never a serial line that the user did not name.
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
