// SPDX-License-Identifier: MIT OR Apache-2.0
//! The log of a disk's writes and flushes that QEMU's blklogwrites keeps, in the format of
//! Linux's dm-log-writes (drivers/md/dm-log-writes.c), and disks as a power cut leaves them.
//!
//! What a disk has said to have flushed is on it. Of what was written since, any sectors may
//! be there or not: a disk writes its cache in an order of its own, and a write may be cut.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::disk::{Disk, SECTOR};

const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;

/// A request that the disk has done.
pub enum Entry {
    /// Bytes at an offset.
    Write {
        /// Where, in bytes.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// All writes before it are on the disk for good.
    Flush,
}

fn number(bytes: &[u8], index: usize) -> Result<u64> {
    let field = bytes.get(8 * index..8 * index + 8);
    let field = field.context("the log ends in the middle of an entry")?;
    Ok(u64::from_le_bytes(field.try_into().expect("8 bytes")))
}

/// The entries up to the last flush, of a log that may still be written.
pub fn read(log: &Path) -> Result<Vec<Entry>> {
    let bytes = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    if number(&bytes, 0)? != MAGIC || number(&bytes, 1)? != 1 {
        bail!("{} is no log of writes", log.display());
    }
    let sector = usize::try_from(SECTOR)?;
    let mut entries = Vec::new();
    let mut at = sector;
    for _ in 0..number(&bytes, 2)? {
        let header = bytes.get(at..).context("the log ends early")?;
        let (start, sectors, flags) = (number(header, 0)?, number(header, 1)?, number(header, 2)?);
        at += sector;
        if flags & DISCARD == 0 && sectors > 0 {
            let length = usize::try_from(sectors * SECTOR)?;
            let data = bytes.get(at..at + length).context("the log ends early")?;
            entries.push(Entry::Write {
                offset: start * SECTOR,
                bytes: data.to_vec(),
            });
            at += length;
        }
        if flags & FLUSH != 0 {
            entries.push(Entry::Flush);
        }
    }
    Ok(entries)
}

/// Makes disks as they are after a power cut, at later and later points of a log.
pub struct PowerCuts<'a> {
    entries: &'a [Entry],
    /// The disk with all that is on it for good before `flushed`.
    safe: Disk,
    flushed: usize,
}

impl<'a> PowerCuts<'a> {
    /// `disk` is what it was when the log began.
    pub fn new(disk: &Disk, entries: &'a [Entry]) -> Result<Self> {
        Ok(Self {
            entries,
            safe: Disk::copy(disk.path())?,
            flushed: 0,
        })
    }

    /// The disk after a cut behind the first `count` entries; `survives` tells of each
    /// sector that was not flushed, numbered from 0 in its write, whether it is there.
    /// Counts must not go down.
    pub fn at(&mut self, count: usize, mut survives: impl FnMut(usize) -> bool) -> Result<Disk> {
        let entries = &self.entries[..count];
        let is_flush = |entry: &Entry| matches!(entry, Entry::Flush);
        let flushed = entries.iter().rposition(is_flush).unwrap_or(0);
        for entry in &entries[self.flushed.min(flushed)..flushed] {
            apply(entry, &self.safe, |_| true)?;
        }
        self.flushed = self.flushed.max(flushed);
        let disk = Disk::copy(self.safe.path())?;
        for entry in &entries[self.flushed..] {
            apply(entry, &disk, &mut survives)?;
        }
        Ok(disk)
    }
}

fn apply(entry: &Entry, disk: &Disk, mut survives: impl FnMut(usize) -> bool) -> Result<()> {
    let Entry::Write { offset, bytes } = entry else {
        return Ok(());
    };
    let sector = usize::try_from(SECTOR)?;
    let sectors: Vec<bool> = (0..bytes.len() / sector).map(&mut survives).collect();
    let mut at = 0;
    for run in sectors.chunk_by(|one, next| one == next) {
        let end = at + run.len() * sector;
        if run[0] {
            disk.write(offset + u64::try_from(at)?, &bytes[at..end])?;
        }
        at = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A write of sectors full of these.
    fn write(sector: u64, bytes: &[u8]) -> Entry {
        let sectors = bytes.iter().map(|&byte| [byte; SECTOR as usize]);
        Entry::Write {
            offset: sector * SECTOR,
            bytes: sectors.collect::<Vec<_>>().concat(),
        }
    }

    #[test]
    fn only_what_was_not_flushed_can_be_lost() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        file.as_file().set_len(5 * SECTOR).expect("a size");
        let disk = Disk::copy(file.path()).expect("a disk");
        let entries = [
            write(0, &[1]),
            Entry::Flush,
            write(1, &[2]),
            write(2, &[3, 4]),
            Entry::Flush,
            write(4, &[5]),
        ];
        let mut cuts = PowerCuts::new(&disk, &entries).expect("cuts");
        let mut after = |count: usize, survives: &mut dyn FnMut(usize) -> bool| {
            let disk = cuts.at(count, survives).expect("a disk");
            let content = fs::read(disk.path()).expect("to read");
            let sectors = content.chunks(SECTOR as usize);
            sectors.map(|sector| sector[0]).collect::<Vec<_>>()
        };
        assert_eq!(after(0, &mut |_| true), [0, 0, 0, 0, 0]);
        assert_eq!(after(1, &mut |_| false), [0, 0, 0, 0, 0]);
        assert_eq!(after(2, &mut |_| false), [1, 0, 0, 0, 0]);
        let mut second = [(0, false), (0, true), (1, false)].into_iter();
        let sectors = after(4, &mut |number| {
            let (expected, survives) = second.next().expect("three sectors");
            assert_eq!(number, expected, "in its write");
            survives
        });
        assert_eq!(sectors, [1, 0, 3, 0, 0]);
        assert_eq!(after(5, &mut |_| false), [1, 2, 3, 4, 0]);
        assert_eq!(after(6, &mut |_| false), [1, 2, 3, 4, 0]);
        assert_eq!(after(6, &mut |_| true), [1, 2, 3, 4, 5]);
    }
}
