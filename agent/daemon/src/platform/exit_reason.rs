// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why the last agent ended, for the log of the next one: the log itself is in memory
//! and dies with its agent.
//!
//! From the start, the file says that the agent was killed. Any other end overwrites the
//! text; an agent that ends in order removes the file.

use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::libc;

/// Longest text; the rest is cut.
const TEXT_MAX: usize = 160;

static FILE: OnceLock<(File, PathBuf)> = OnceLock::new();

/// Gives what the last agent had to say, and begins anew. From here on a panic is
/// written down.
pub fn begin(path: &Path) -> io::Result<Option<String>> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // Root opens it in a folder of the agent's user.
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    let mut said = Vec::new();
    (&mut file).take(TEXT_MAX as u64).read_to_end(&mut said)?;
    // A second call, which only tests make, changes nothing.
    let _ = FILE.set((file, path.into()));
    say(format_args!("it was killed"));
    std::panic::set_hook(Box::new(|panic| say(format_args!("{panic}"))));
    let said = String::from_utf8_lossy(&said).trim_end().to_owned();
    Ok(Some(said).filter(|said| !said.is_empty()))
}

/// Takes the place of what was said before. Allocates nothing and takes no lock: it is
/// called by a signal handler.
pub fn say(text: fmt::Arguments<'_>) {
    let Some((file, _)) = FILE.get() else { return };
    let mut line = Line::default();
    let _ = line.write_fmt(text);
    // A failure cannot be reported: this also runs in a signal handler.
    let _ = file.set_len(0);
    let _ = file.write_all_at(&line.0, 0);
}

/// The agent ends, and has nothing to say.
pub fn end() {
    if let Some((_, path)) = FILE.get() {
        // Fails only if it is gone.
        let _ = fs::remove_file(path);
    }
}

/// As much as there is room for, on one line.
#[derive(Default)]
struct Line(heapless::Vec<u8, TEXT_MAX>);

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            let byte = if byte == b'\n' { b' ' } else { byte };
            let _ = self.0.push(byte);
        }
        Ok(())
    }
}
