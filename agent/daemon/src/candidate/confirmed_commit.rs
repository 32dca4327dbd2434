// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rolls back a commit that is not confirmed in time.
//!
//! Before such a commit, the agent writes the paths of every affected prefix to a file of
//! the run folder, with the deadline. After a kill, the next agent finds the file and goes
//! on. A reboot empties the folder, and the commit was not saved. After the commit the agent
//! adds a digest of the paths that each prefix has now.
//!
//! A user's roll-back restores these prefixes, whatever changed them since; other prefixes stay
//! as they are. The roll-back at the deadline leaves alone what another client of the kernel, or
//! a later command, has made of the prefixes, see [`LaterChanges::Keep`].

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write as _};
use std::path::Path as FilePath;

use nix::libc;
use nix::time::{ClockId, clock_gettime};
use nl31_netlink::{
    Add, Change, Client, Device, Error, ErrorKind, Load, Mode, Path, Paths, Prefix, Route, Spec,
    Transport,
};
use nl31_route::DeviceName;
use nl31_wire::limits::CONFIRM_PREFIXES_MAX;

use crate::config::file::Lines;
use crate::config::locations::Files;
use crate::config::saved_form::SavedForm;
use crate::config::settings::file::Locked;
use crate::config::settings::kernel;
use crate::config::settings::transaction::Before;
use crate::grammar::{self, SettingChange};
use crate::platform::atomic_file::{Replacement, remove};
use crate::platform::devices::{Cached, Devices};

/// Most prefixes that a commit to be confirmed may affect.
pub const PREFIXES_MAX: usize = CONFIRM_PREFIXES_MAX;

/// Begins the line of a prefix; its paths follow.
const PREFIX: &str = "prefix ";
/// Begin the lines of a setting that the kernel had and that was configured; `+` or `-`
/// follows, and a line of the object.
const KERNEL: &str = "kernel ";
const CONFIGURED: &str = "configured ";
/// Begins the line that arms the roll-back.
const UNTIL: &str = "until ";
/// Begin the lines behind it, one for each prefix; a digest of the paths after the commit follows.
const RESULT: &str = "result ";

/// Prefixes left alone by a roll-back that the log names.
const LEFT_NAMED: usize = 8;

/// Milliseconds since the boot, also while suspended.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map(std::time::Duration::from);
    now.map_or(0, |now| now.as_millis() as u64)
}

/// Writes the undo file.
#[derive(Debug)]
pub struct Writer {
    file: Replacement,
    prefixes: usize,
}

impl Writer {
    /// Creates the file.
    pub fn create(path: &FilePath) -> io::Result<Self> {
        let file = Replacement::create(path)?;
        Ok(Self { file, prefixes: 0 })
    }

    /// Adds a prefix with its paths; gives `false` beyond [`PREFIXES_MAX`].
    pub fn prefix(
        &mut self,
        prefix: Prefix,
        paths: &Paths,
        devices: &mut Cached<'_>,
    ) -> io::Result<bool> {
        if self.prefixes == PREFIXES_MAX {
            return Ok(false);
        }
        self.prefixes += 1;
        writeln!(self.file, "{PREFIX}{prefix}")?;
        for path in saved_form(prefix, paths, devices) {
            writeln!(self.file, "{}", Route { prefix, path })?;
        }
        Ok(true)
    }

    /// Adds settings as they were.
    pub fn settings(&mut self, before: &[Before]) -> io::Result<()> {
        before.iter().try_for_each(|before| {
            let mut line = |begin, change: &SettingChange| {
                let sign = if change.made { '+' } else { '-' };
                writeln!(self.file, "{begin}{sign}{}", change.setting)
            };
            line(KERNEL, &before.kernel)?;
            line(CONFIGURED, &before.configured)
        })
    }

    /// Puts the file into place. From now on the commit is rolled back at `until`.
    pub fn arm(mut self, until: u64) -> io::Result<()> {
        writeln!(self.file, "{UNTIL}{until}")?;
        self.file.finish()
    }
}

/// Writes the undo file for a transaction whose changes arrive one by one.
#[derive(Debug)]
pub struct Recorder {
    writer: Writer,
    recorded: BTreeSet<Prefix>,
    seconds: u32,
}

impl Recorder {
    /// Creates the file of a commit that has to be confirmed within `seconds`.
    pub fn begin(path: &FilePath, seconds: u32) -> io::Result<Self> {
        Ok(Self {
            writer: Writer::create(path)?,
            recorded: BTreeSet::new(),
            seconds,
        })
    }

    /// Records the published paths of a prefix once; gives `false` beyond [`PREFIXES_MAX`].
    /// The kernel's transaction must be open already, so that no other socket can change the
    /// prefix.
    pub fn record<T: Transport>(
        &mut self,
        client: &mut Client<T>,
        devices: &mut Cached<'_>,
        prefix: Prefix,
    ) -> Result<bool, Error> {
        if self.recorded.contains(&prefix) {
            return Ok(true);
        }
        let paths = client.paths(prefix)?;
        let has_room = self.writer.prefix(prefix, &paths, devices);
        let has_room = has_room.map_err(from_io)?;
        if has_room {
            self.recorded.insert(prefix);
        }
        Ok(has_room)
    }

    /// Adds settings as they were.
    pub fn settings(&mut self, before: &[Before]) -> io::Result<()> {
        self.writer.settings(before)
    }

    /// Puts the file into place; gives the time of the roll-back.
    pub fn arm(self) -> io::Result<u64> {
        let until = now() + u64::from(self.seconds) * 1000;
        self.writer.arm(until)?;
        Ok(until)
    }
}

/// The paths of a prefix as the file has them.
fn saved_form(prefix: Prefix, paths: &Paths, devices: &mut Cached<'_>) -> Vec<Path<DeviceName>> {
    let mut form = SavedForm::default();
    let paths = paths.all().iter().cloned();
    let routes = paths.filter_map(|path| form.next(Route { prefix, path }, devices));
    routes.map(|route| route.path).collect()
}

/// A digest of the paths of a prefix.
fn digest(paths: &[Path<DeviceName>], prefix: Prefix) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        let path = path.clone();
        Route { prefix, path }.to_string().hash(&mut hasher);
    }
    hasher.finish()
}

/// Adds to the undo file what the commit has made of each prefix. Without that, as after a kill,
/// the roll-back at the deadline restores all prefixes.
pub fn record_result<T: Transport>(client: &mut Client<T>, devices: &dyn Devices, path: &FilePath) {
    let recorded = current_digests(client, devices, path).and_then(|digests| {
        let mut text = String::new();
        for digest in digests {
            let _ = writeln!(text, "{RESULT}{digest:016x}");
        }
        let file = File::options().append(true).open(path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(from_io)
    });
    if let Err(error) = recorded {
        let path = path.display();
        log::warn!("{path}: {error}; changes from now on would be rolled back, too");
    }
}

/// Digests of the paths that the prefixes of the file have now.
fn current_digests<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    path: &FilePath,
) -> Result<Vec<u64>, Error> {
    let mut devices = Cached::new(devices);
    let mut lines = Lines::open(path).map_err(from_io)?;
    let mut digests = Vec::new();
    while lines.advance().map_err(|_| damaged())? {
        if let Some(prefix) = prefix_of(lines.text()) {
            let paths = client.paths(prefix)?;
            digests.push(digest(&saved_form(prefix, &paths, &mut devices), prefix));
        }
    }
    Ok(digests)
}

/// The prefix of a line that begins one.
fn prefix_of(line: &str) -> Option<Prefix> {
    line.strip_prefix(PREFIX)?.parse().ok()
}

/// The digests of the file; none if not all were written.
fn recorded_digests(path: &FilePath) -> Result<Vec<u64>, Error> {
    let mut lines = Lines::open(path).map_err(from_io)?;
    let (mut prefixes, mut digests) = (0, Vec::new());
    while lines.advance().map_err(|_| damaged())? {
        let line = lines.text();
        prefixes += usize::from(prefix_of(line).is_some());
        let digest = line
            .strip_prefix(RESULT)
            .filter(|digest| digest.len() == 16);
        digests.extend(digest.and_then(|digest| u64::from_str_radix(digest, 16).ok()));
    }
    match digests.len() == prefixes {
        true => Ok(digests),
        false => Ok(Vec::new()),
    }
}

/// The deadline of an unconfirmed commit, if there is one.
pub fn until(path: &FilePath) -> Option<u64> {
    let mut lines = Lines::open(path).ok()?;
    while let Ok(true) = lines.advance() {
        if let Some(until) = lines.text().strip_prefix(UNTIL) {
            return until.parse().ok();
        }
    }
    None
}

/// What becomes of prefixes that were changed after the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaterChanges {
    /// They stay as they are: no user has asked for the roll-back. Where there is one, so do the
    /// prefixes that the commit has deleted: another client may have made the table anew,
    /// without them.
    Keep,
    /// They are restored.
    Undo,
}

/// The result of a roll-back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolledBack {
    /// Prefixes whose paths were restored.
    pub prefixes: usize,
    /// Prefixes that were left as they are, see [`LaterChanges::Keep`].
    pub left: usize,
    /// Settings that were restored.
    pub settings: usize,
    /// Whether the kernel has refused to restore some; the log has them.
    pub is_partial: bool,
}

impl fmt::Display for RolledBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.prefixes == 1 { "" } else { "es" };
        write!(
            f,
            "rolled back: restored the paths of {} prefix{plural}",
            self.prefixes
        )?;
        if self.settings > 0 {
            let plural = if self.settings == 1 { "" } else { "s" };
            write!(f, " and {} setting{plural}", self.settings)?;
        }
        if self.left > 0 {
            let plural = if self.left == 1 { "" } else { "es" };
            let left = self.left;
            write!(
                f,
                "; left {left} prefix{plural} as now: changed since the commit, see `log`"
            )?;
        }
        match self.is_partial {
            true => f.write_str("; some settings could not be restored: see `log`"),
            false => Ok(()),
        }
    }
}

/// Restores the paths of the prefixes of the file in one transaction, then its settings, and
/// removes the file.
pub fn roll_back<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    files: &Files,
    later: LaterChanges,
) -> Result<RolledBack, Error> {
    let path = &files.undo();
    let mut tries = 0;
    loop {
        match restore(client, devices, path, later) {
            // Another socket changed one of the prefixes after its paths were read.
            Err(error)
                if tries < 3
                    && matches!(
                        error.errno(),
                        Some(libc::EEXIST | libc::ENOENT | libc::ESRCH)
                    ) =>
            {
                tries += 1;
            }
            Err(error) => return Err(error),
            Ok(mut done) => {
                restore_settings(client, devices, files, &mut done)?;
                remove(path).map_err(from_io)?;
                return Ok(done);
            }
        }
    }
}

/// Restores the settings of the file, as far as the kernel permits.
fn restore_settings<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    files: &Files,
    done: &mut RolledBack,
) -> Result<(), Error> {
    let mut lines = Lines::open(&files.undo()).map_err(from_io)?;
    let (mut in_kernel, mut configured) = (Vec::new(), Vec::new());
    while lines.advance().map_err(|_| damaged())? {
        let line = lines.text();
        let (all, line) = if let Some(line) = line.strip_prefix(KERNEL) {
            (&mut in_kernel, line)
        } else if let Some(line) = line.strip_prefix(CONFIGURED) {
            (&mut configured, line)
        } else {
            continue;
        };
        let setting = line.get(1..).and_then(|line| grammar::setting(line).ok());
        all.push(SettingChange {
            setting: setting.flatten().ok_or_else(damaged)?,
            made: line.starts_with('+'),
        });
    }
    if in_kernel.is_empty() {
        return Ok(());
    }
    let mut file = Locked::open(&files.settings()).map_err(from_io)?;
    for was in &configured {
        let wanted = Some(&was.setting).filter(|_| was.made);
        let differs = file.configured.settings.find(&was.setting) != wanted;
        done.settings += usize::from(differs && !was.setting.is_in_kernel());
        let restored = file.configured.settings.restore(was);
        restored.map_err(|_| damaged())?;
    }
    file.configured.revision += 1;
    file.write().map_err(from_io)?;
    let (restored, left) = kernel::restore(client, devices, &in_kernel);
    if !left.is_empty() {
        log::error!("roll-back: {}", left.text());
    }
    done.settings += restored;
    done.is_partial = !left.is_empty();
    file.finish().map_err(from_io)
}

fn restore<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    path: &FilePath,
    later: LaterChanges,
) -> Result<RolledBack, Error> {
    let left = match later {
        LaterChanges::Keep => changed_since(client, devices, path)?,
        LaterChanges::Undo => Vec::new(),
    };
    let mut load = Load::new(client, Mode::Transaction, 1);
    let restored = put_all_back(client, &mut load, devices, path, &left);
    if restored.is_err()
        && let Err(error) = load.abort(client)
    {
        log::debug!("{error}");
    }
    restored
}

/// For each prefix of the file, whether the roll-back at the deadline leaves it alone.
fn changed_since<T: Transport>(
    client: &mut Client<T>,
    devices: &dyn Devices,
    path: &FilePath,
) -> Result<Vec<bool>, Error> {
    let result = recorded_digests(path)?;
    if result.is_empty() {
        return Ok(Vec::new());
    }
    let now = current_digests(client, devices, path)?;
    if result == now {
        return Ok(Vec::new());
    }
    let deleted = DefaultHasher::new().finish();
    let pairs = result.iter().zip(&now);
    Ok(pairs
        .map(|(result, now)| result != now || *result == deleted)
        .collect())
}

/// Restores all prefixes but those that `left` marks.
fn put_all_back<T: Transport>(
    client: &mut Client<T>,
    load: &mut Load,
    devices: &dyn Devices,
    path: &FilePath,
    left: &[bool],
) -> Result<RolledBack, Error> {
    let mut lines = Lines::open(path).map_err(from_io)?;
    let mut devices = Cached::new(devices);
    let mut done = RolledBack::default();
    let mut left = left.iter();
    let mut named = Vec::new();
    let mut group: Option<(Prefix, Vec<Path<DeviceName>>)> = None;
    loop {
        let advanced = lines.advance();
        let more = advanced.map_err(|_| damaged())?;
        let text = if more { lines.text() } else { "" };
        if more && let Ok(route) = text.parse::<Route<DeviceName>>() {
            if let Some((_, paths)) = &mut group {
                paths.push(route.path);
            }
            continue;
        }
        if let Some((prefix, wanted)) = group.take() {
            if left.next() == Some(&true) {
                done.left += 1;
                named.push(prefix);
                named.truncate(LEFT_NAMED);
            } else if put_back(client, load, prefix, wanted, &mut devices)? {
                done.prefixes += 1;
            }
        }
        if !more {
            break;
        }
        group = prefix_of(text).map(|prefix| (prefix, Vec::new()));
    }
    load.finish(client)?;
    for prefix in named {
        log::warn!("roll-back: {prefix} stays as it is: the table was changed since the commit");
    }
    Ok(done)
}

/// Restores a prefix; gives whether that was necessary. Its paths then name their devices:
/// a path that was given by index now waits when the device goes.
fn put_back<T: Transport>(
    client: &mut Client<T>,
    load: &mut Load,
    prefix: Prefix,
    wanted: Vec<Path<DeviceName>>,
    devices: &mut Cached<'_>,
) -> Result<bool, Error> {
    let present = client.paths(prefix)?;
    if saved_form(prefix, &present, devices) == wanted {
        return Ok(false);
    }
    if !present.all().is_empty() {
        let spec = Spec {
            prefix: Some(prefix),
            ..Spec::default()
        };
        load.push(client, 0, &Change::DeletePrefix(spec))?;
    }
    for path in wanted {
        let route = Route { prefix, path }.map_device(Device::Name);
        load.push(client, 0, &Change::Add(Add::Append, route))?;
    }
    Ok(true)
}

fn damaged() -> Error {
    from_io(io::ErrorKind::InvalidData.into())
}

fn from_io(error: io::Error) -> Error {
    Error {
        op: nl31_netlink::Op::Load,
        seq: 0,
        kind: ErrorKind::Io(error),
    }
}

/// Removes the undo file: the commit stays.
pub fn disarm(path: &FilePath) -> io::Result<()> {
    remove(path)
}

#[cfg(test)]
mod tests;
