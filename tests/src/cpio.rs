// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writer of initramfs archives ("newc", Documentation/driver-api/early-userspace/
//! buffer-format.rst in the kernel's source). All belongs to root and has no time, so
//! that the same content gives the same bytes, and packing it takes no root.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

const DIRECTORY: u32 = 0o040_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;

/// An archive in memory. The kernel unpacks several that follow each other, and a
/// later file takes the place of an earlier one.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a folder. Its parent must be there, here or in an earlier archive.
    pub fn dir(&mut self, path: &str, permissions: u32) {
        self.entry(path.as_ref(), DIRECTORY | permissions, (0, 0), &[]);
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, permissions: u32, content: &[u8]) {
        self.entry(path.as_ref(), REGULAR | permissions, (0, 0), content);
    }

    /// Adds a symbolic link to `target`.
    pub fn symlink(&mut self, path: &str, target: &str) {
        self.entry(path.as_ref(), SYMLINK | 0o777, (0, 0), target.as_bytes());
    }

    /// Adds a character device.
    pub fn device(&mut self, path: &str, permissions: u32, major: u32, minor: u32) {
        self.entry(
            path.as_ref(),
            CHARACTER_DEVICE | permissions,
            (major, minor),
            &[],
        );
    }

    /// Adds all that is below `root`, in order of name.
    pub fn tree(&mut self, root: &Path) -> Result<()> {
        self.subtree(root, root, "")
    }

    /// Adds all that is below `root`, below the folder `prefix`, which must be there.
    pub fn tree_in(&mut self, prefix: &str, root: &Path) -> Result<()> {
        self.subtree(root, root, prefix)
    }

    fn subtree(&mut self, root: &Path, dir: &Path, prefix: &str) -> Result<()> {
        let entries =
            fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>>>()?;
        paths.sort();
        for path in paths {
            let meta = fs::symlink_metadata(&path)?;
            let name = Path::new(prefix).join(path.strip_prefix(root)?);
            let name = name.as_os_str();
            let permissions = meta.permissions().mode() & 0o7777;
            if meta.is_dir() {
                self.entry(name, DIRECTORY | permissions, (0, 0), &[]);
                self.subtree(root, &path, prefix)?;
            } else if meta.is_symlink() {
                let target = fs::read_link(&path)?;
                self.entry(name, SYMLINK | 0o777, (0, 0), target.as_os_str().as_bytes());
            } else if meta.is_file() {
                self.entry(name, REGULAR | permissions, (0, 0), &fs::read(&path)?);
            } else {
                bail!("{} is neither a file, a folder nor a link", path.display());
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &OsStr, mode: u32, (major, minor): (u32, u32), content: &[u8]) {
        self.entries += 1;
        let name = path.as_bytes();
        let size = u32::try_from(content.len()).expect("a file below 4 GiB");
        let name_size = u32::try_from(name.len() + 1).expect("a short name");
        self.bytes.extend_from_slice(b"070701");
        // inode, mode, uid, gid, links, time, size, device, special device, name, checksum
        for field in [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            major,
            minor,
            name_size,
            0,
        ] {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// The archive with its end mark.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!".as_ref(), 0, (0, 0), &[]);
        self.bytes
    }
}
