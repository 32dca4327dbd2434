// SPDX-License-Identifier: MIT OR Apache-2.0
//! Restarts the machine. Only root may request that from init, and the running agent is not
//! root. So the agent writes a request into its run folder and ends; init starts it again;
//! the new agent, still root, passes the request on to init before anything else.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::atomic_file::{MODE, remove};

/// How long a shutdown may take before the agent serves its line again.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(60);

/// Whether init started this process and starts it again when it ends.
pub fn is_run_by_init() -> bool {
    std::os::unix::process::parent_id() == 1
}

fn path(run: &Path) -> PathBuf {
    run.join("reboot")
}

/// Requests that the next agent restarts the machine. This agent has to end then.
pub fn request(run: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(MODE);
    options.open(path(run)).map(drop)
}

/// Sends a reboot request of the previous agent to init, and waits for init to end this
/// process. Returns if there is no request, or if init does not restart the machine.
pub fn pass_on(run: &Path) -> io::Result<()> {
    if !path(run).exists() {
        return Ok(());
    }
    // BusyBox init restarts the machine on SIGTERM.
    let asked = kill(Pid::from_raw(1), Signal::SIGTERM);
    if asked.is_ok() {
        std::thread::sleep(SHUTDOWN_TIMEOUT);
    }
    remove(&path(run))?;
    asked?;
    let text = "init did not restart the machine as requested";
    Err(io::Error::new(io::ErrorKind::TimedOut, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::atomic_file::tests::Folder;

    #[test]
    fn pass_on_does_nothing_without_a_request() {
        let folder = Folder::new("reboot");
        pass_on(&folder.0).unwrap();
        // pass_on() would restart the machine that runs this test.
        request(&folder.0).unwrap();
        assert!(path(&folder.0).exists());
    }
}
