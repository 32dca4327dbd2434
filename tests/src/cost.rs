// SPDX-License-Identifier: MIT OR Apache-2.0
//! What tests and builds cost: seconds by the clock, and seconds of processors. Each is a line
//! `KIND NAME WALL CPU` in the file that [`VARIABLE`] names; `.ci/run` prints the sums.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, SysconfVar, sysconf};

/// Names the file.
pub const VARIABLE: &str = "NL31_COSTS";

/// Waits for `child` to end; tells its exit status, and the time that it and the processes which
/// it has waited for took of processors. The test that calls this has spent that time.
pub fn wait(child: &mut Child) -> io::Result<(ExitStatus, Duration)> {
    let taken = taken(child);
    TEST.with(|test| test.taken.set(test.taken.get() + taken));
    Ok((child.wait()?, taken))
}

/// [`Command::output`] of a command that the calling test spends time on.
pub fn output(command: &mut Command) -> io::Result<Output> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut pipe = child.stderr.take().expect("piped");
    let errors = std::thread::spawn(move || {
        let mut stderr = Vec::new();
        pipe.read_to_end(&mut stderr).map(|_| stderr)
    });
    let mut stdout = Vec::new();
    let read = child.stdout.take().expect("piped").read_to_end(&mut stdout);
    let (status, _) = wait(&mut child)?;
    read?;
    let stderr = errors.join().expect("no panic")?;
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

/// What `work` takes by the clock is no time of the calling test: it is the first to need what all
/// tests share, or waits for the first.
pub fn shared<T>(work: impl FnOnce() -> T) -> T {
    let (started, taken) = TEST.with(|test| (Instant::now(), test.taken.get()));
    let result = work();
    TEST.with(|test| {
        test.shared.set(test.shared.get() + started.elapsed());
        test.taken.set(taken);
    });
    result
}

/// The calling thread's test has begun, at the latest now.
pub fn begin() {
    TEST.with(|_| ());
}

/// Adds a line to the file, if there is one.
pub fn record(kind: &str, name: &str, wall: Duration, taken: Duration) {
    let Some(file) = std::env::var_os(VARIABLE) else {
        return;
    };
    let line = format!(
        "{kind} {name} {:.1} {:.1}\n",
        wall.as_secs_f64(),
        taken.as_secs_f64()
    );
    // a table that lacks a line is no reason to fail
    let _ = File::options()
        .append(true)
        .create(true)
        .open(file)
        .and_then(|mut file| file.write_all(line.as_bytes()));
}

/// Processor time of a child, when it has ended. While it has not been waited for, its entry in
/// /proc is there.
fn taken(child: &Child) -> Duration {
    let id = i32::try_from(child.id()).expect("a PID");
    let ended = waitid(
        Id::Pid(Pid::from_raw(id)),
        WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT,
    );
    ended.map_or(Duration::ZERO, |_| up_to_now(child))
}

/// Processor time that `child`, which has not been waited for, has taken up to now.
pub fn up_to_now(child: &Child) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    let ticks = ticks(&stat).unwrap_or_default();
    let second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    Duration::from_secs_f64(ticks as f64 / second as f64)
}

/// Clock ticks in user and system mode of a process and of its children, by its `stat` in /proc.
fn ticks(stat: &str) -> Option<u64> {
    // the name, in parentheses, may hold anything; field 3 comes behind it
    let (_, fields) = stat.rsplit_once(") ")?;
    fields
        .split(' ')
        .skip(14 - 3)
        .take(4)
        .map(|field| field.parse::<u64>().ok())
        .sum()
}

/// A test, which is a thread with the test's name.
struct Test {
    begun: Instant,
    shared: Cell<Duration>,
    taken: Cell<Duration>,
}

thread_local! {
    static TEST: Test = Test {
        begun: Instant::now(),
        shared: Cell::default(),
        taken: Cell::default(),
    };
}

impl Drop for Test {
    fn drop(&mut self) {
        let thread = std::thread::current();
        let Some((suite, _)) = thread.name().and_then(|name| name.split_once("::")) else {
            return;
        };
        let own =
            clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from);
        let wall = self.begun.elapsed().saturating_sub(self.shared.get());
        record("suite", suite, wall, self.taken.get() + own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_those_of_a_process_and_its_children() {
        let stat = "7 (a) name) S 1 7 7 0 -1 4194560 9 8 7 6 100 20 3 4 20 0 1 0 5\n";
        assert_eq!(ticks(stat), Some(127));
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn a_child_is_charged_with_what_its_own_children_took() {
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; exit 3",
        ]);
        let (status, taken) = wait(&mut shell.spawn().expect("a shell")).expect("its end");
        assert_eq!(status.code(), Some(3));
        assert!(taken > Duration::ZERO);
    }

    #[test]
    fn the_output_of_a_command_is_both_of_its_streams() {
        let mut shell = Command::new("sh");
        let output = output(shell.args(["-c", "echo out; echo err >&2"])).expect("to run");
        assert_eq!(
            (&*output.stdout, &*output.stderr),
            (&b"out\n"[..], &b"err\n"[..])
        );
    }
}
