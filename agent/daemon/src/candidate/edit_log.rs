// SPDX-License-Identifier: MIT OR Apache-2.0
//! The edits since `begin`, which a commit makes together.
//!
//! A file of the run folder keeps them as typed lines: after a kill, the next agent reads
//! them again, and the agent's memory does not grow. The session with the open candidate
//! holds a lock on the file, so only one candidate is open at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nl31_route::DeviceName;

use crate::config::file::Lines;
use crate::config::settings::VIRTUAL_LINKS_MAX;
use crate::grammar;
use crate::platform::atomic_file::MODE;

/// Most bytes of all edits: some 20,000 of them.
pub const BYTES_MAX: u64 = 1024 * 1024;

/// An open candidate. Dropping it deletes its edits.
#[derive(Debug)]
pub struct Candidate {
    file: Flock<File>,
    path: PathBuf,
    edits: u32,
    bytes: u64,
    /// Links that the edits make, the first [`VIRTUAL_LINKS_MAX`].
    made: Vec<DeviceName>,
}

/// Why a candidate cannot be opened or extended.
#[derive(Debug)]
pub enum CandidateError {
    /// Another session has an open candidate.
    Busy,
    /// The edits have [`BYTES_MAX`] bytes.
    Full,
    /// The file failed.
    Io(io::Error),
}

impl From<io::Error> for CandidateError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Candidate {
    /// Opens an empty candidate.
    pub fn begin(path: &Path) -> Result<Self, CandidateError> {
        let mut candidate = Self::lock(path)?;
        candidate.file.set_len(0)?;
        (candidate.edits, candidate.bytes) = (0, 0);
        candidate.made.clear();
        Ok(candidate)
    }

    /// Opens the candidate that a killed agent left, if any.
    pub fn resume(path: &Path) -> Option<Self> {
        if !path.exists() {
            return None;
        }
        let candidate = Self::lock(path).ok()?;
        Some(candidate).filter(|candidate| candidate.edits > 0)
    }

    fn lock(path: &Path) -> Result<Self, CandidateError> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(MODE)
            .open(path)?;
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((_, Errno::EWOULDBLOCK)) => return Err(CandidateError::Busy),
            Err((_, error)) => return Err(CandidateError::Io(error.into())),
        };
        // A last line without its end was cut off by the kill.
        let len = file.seek(SeekFrom::End(0))?;
        let (mut edits, mut bytes, mut made) = (0, 0, Vec::new());
        let mut lines = Lines::open(path)?;
        while let Ok(true) = lines.advance() {
            let end = bytes + lines.bytes().len() as u64 + 1;
            if end > len {
                break;
            }
            bytes = end;
            edits += 1;
            note(&mut made, &String::from_utf8_lossy(lines.bytes()));
        }
        file.set_len(bytes)?;
        Ok(Self {
            file,
            path: path.into(),
            edits,
            bytes,
            made,
        })
    }

    /// Adds an edit; gives its number, from 1.
    pub fn push(&mut self, line: &str) -> Result<u32, CandidateError> {
        let line = line.trim_ascii();
        let bytes = self.bytes + line.len() as u64 + 1;
        if bytes > BYTES_MAX {
            return Err(CandidateError::Full);
        }
        self.file.seek(SeekFrom::Start(self.bytes))?;
        let written = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.write_all(b"\n"));
        if let Err(error) = written {
            // Remove a part of the line.
            let _ = self.file.set_len(self.bytes);
            return Err(error.into());
        }
        self.bytes = bytes;
        self.edits += 1;
        note(&mut self.made, line);
        Ok(self.edits)
    }

    /// The links that the edits make, so that later ones may name them.
    pub fn made(&self) -> &[DeviceName] {
        &self.made
    }

    /// Number of edits.
    pub fn edits(&self) -> u32 {
        self.edits
    }

    /// The edits from the first on.
    pub fn lines(&self) -> io::Result<Lines> {
        Lines::open(&self.path)
    }
}

/// Adds the link that an edit makes.
fn note(made: &mut Vec<DeviceName>, line: &str) {
    if made.len() < VIRTUAL_LINKS_MAX
        && let Some(device) = grammar::made_link(line)
        && !made.contains(&device)
    {
        made.push(device);
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        // The file stays: a session that waits for its lock has this file open.
        let _ = self.file.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::atomic_file::tests::Folder;

    fn lines(candidate: &Candidate) -> Vec<String> {
        let mut lines = candidate.lines().unwrap();
        let mut all = Vec::new();
        while lines.advance().unwrap() {
            all.push(String::from_utf8(lines.bytes().to_vec()).unwrap());
        }
        all
    }

    #[test]
    fn one_at_a_time_and_gone_with_its_session() {
        let folder = Folder::new("candidate-one");
        let path = folder.0.join("run/candidate");
        assert!(Candidate::resume(&path).is_none());
        let mut candidate = Candidate::begin(&path).unwrap();
        assert_eq!(
            candidate.push(" route add 10.0.0.0/8 dev eth0 ").unwrap(),
            1
        );
        assert!(matches!(Candidate::begin(&path), Err(CandidateError::Busy)));
        drop(candidate);
        let candidate = Candidate::begin(&path).unwrap();
        assert_eq!(lines(&candidate), [""; 0]);
    }

    #[test]
    fn edits_outlive_an_agent_that_is_killed() {
        let folder = Folder::new("candidate-kill");
        let path = folder.file(
            "candidate",
            "route del 10.0.0.0/8\nip l a d0 type dummy\nlink add d1 type dum",
        );
        let mut candidate = Candidate::resume(&path).unwrap();
        assert_eq!((candidate.edits(), candidate.made().len()), (2, 1));
        assert_eq!(candidate.push("route flush all").unwrap(), 3);
        assert_eq!(candidate.push("link add d2 type dummy").unwrap(), 4);
        let made: Vec<_> = candidate.made().iter().map(ToString::to_string).collect();
        assert_eq!(made, ["d0", "d2"]);
        assert_eq!(
            lines(&candidate),
            [
                "route del 10.0.0.0/8",
                "ip l a d0 type dummy",
                "route flush all",
                "link add d2 type dummy"
            ]
        );
    }

    #[test]
    fn a_full_candidate_takes_no_more_and_keeps_what_it_has() {
        let folder = Folder::new("candidate-full");
        let mut candidate = Candidate::begin(&folder.0.join("candidate")).unwrap();
        let line = "x".repeat(511);
        for number in 1..=2048 {
            assert_eq!(candidate.push(&line).unwrap(), number);
        }
        assert!(matches!(candidate.push(""), Err(CandidateError::Full)));
        assert_eq!(candidate.edits(), 2048);
        assert_eq!(lines(&candidate).len(), 2048);
    }
}
