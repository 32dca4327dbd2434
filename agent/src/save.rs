// SPDX-License-Identifier: MIT OR Apache-2.0
//! Saves the running table as the config: a picture of one moment, read and written
//! a part at a time, so that it takes no memory however large the table is.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::Path;

use nix::libc;
use nl31_netlink::{Client, Dump, Error, Step, Transport};

use crate::device::{Cached, Devices};
use crate::files::Replacement;
use crate::shared::Shared;

/// Routes in one step.
const ROUTES_PER_STEP: usize = 256;
/// How often a table that changed too much meanwhile is begun again.
const TRIES: u32 = 5;

/// A save under way.
#[derive(Debug)]
pub struct Saving {
    dump: Dump,
    file: Option<Replacement>,
    paths: u64,
    tries: u32,
}

/// Why nothing was saved. The file of before is there.
#[derive(Debug)]
pub enum SaveError {
    /// The kernel failed.
    Kernel(Error),
    /// The file failed.
    Io(io::Error),
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(error) => error.kind.fmt(f),
            Self::Io(error) => write!(f, "the config cannot be written: {error}"),
        }
    }
}

impl From<Error> for SaveError {
    fn from(error: Error) -> Self {
        Self::Kernel(error)
    }
}

impl From<io::Error> for SaveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What a step of a save has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    Busy,
    /// The kernel's next part is to be waited for.
    Waiting,
    /// So many paths are saved.
    Saved(u64),
}

impl Saving {
    /// Begins to save to `path`.
    pub fn begin<T: Transport>(client: &mut Client<T>, path: &Path) -> Result<Self, SaveError> {
        Ok(Self {
            file: Some(begin(path)?),
            dump: client.snapshot()?,
            paths: 0,
            tries: 1,
        })
    }

    /// Paths written so far.
    pub fn paths(&self) -> u64 {
        self.paths
    }

    /// Goes on with a part. After an error it is over.
    pub fn step<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &dyn Devices,
        shared: &Shared,
    ) -> Result<Progress, SaveError> {
        let mut devices = Cached::new(devices);
        let mut line = heapless::String::<256>::new();
        for _ in 0..ROUTES_PER_STEP {
            match client.poll_next(&mut self.dump) {
                Ok(Step::Route(route)) => {
                    line.clear();
                    writeln!(line, "{}", devices.named(route)).expect("a route is shorter");
                    if let Some(file) = &mut self.file {
                        file.write_all(line.as_bytes())?;
                    }
                    self.paths += 1;
                }
                Ok(Step::Pending) => return Ok(Progress::Waiting),
                Ok(Step::End { interrupted: false }) => {
                    self.file.take().map_or(Ok(()), Replacement::finish)?;
                    return Ok(Progress::Saved(self.paths));
                }
                Ok(Step::End { interrupted: true }) => self.again(client, shared, None)?,
                Err(error) if error.errno() == Some(libc::ESTALE) => {
                    self.again(client, shared, Some(error))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Progress::Busy)
    }

    fn again<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        shared: &Shared,
        error: Option<Error>,
    ) -> Result<(), SaveError> {
        // What is in the table now may be a commit that nobody has confirmed yet.
        if self.tries == TRIES || shared.left().is_some() {
            return Err(error.map_or_else(
                || io::Error::from(io::ErrorKind::ResourceBusy).into(),
                SaveError::Kernel,
            ));
        }
        self.tries += 1;
        self.paths = 0;
        // Both have the same temporary name.
        self.file = None;
        self.file = Some(begin(&shared.files.config)?);
        self.dump = client.snapshot()?;
        Ok(())
    }
}

fn begin(path: &Path) -> io::Result<Replacement> {
    let mut file = Replacement::create(path)?;
    writeln!(file, "# saved by nl31-agent {}", env!("CARGO_PKG_VERSION"))?;
    Ok(file)
}
