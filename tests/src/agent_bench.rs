// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measures the agent: a load over a serial line and from a file, beside `ip -batch`;
//! the echo of keys meanwhile; and what memory it takes.

use std::fmt::{self, Write as _};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::arch::Arch;
use crate::bench::median;
use crate::cable::{BYTES_115200, Quality};
use crate::cross::static_binary;
use crate::figures;
use crate::prefixes::{self, Prefix};
use crate::progress::Step;
use crate::{Guest, Image, Setup, host};

/// Memory for Linux's table beside nl31's.
const MEMORY_MIB: u32 = 1024;

/// Commands that go to the guest at once; it is given up when it is silent for long.
const PORTION: usize = 20_000;

/// What to measure with.
pub struct Options {
    /// Routes that go over the line.
    pub line: usize,
    /// Routes that are loaded from a file by the agent and by `ip -batch`.
    pub file: usize,
    /// Routes in the largest table of which the agent's memory is looked at.
    pub routes: usize,
    /// Commands after which it is looked at again.
    pub commands: usize,
    /// How often to measure what takes time.
    pub runs: usize,
}

/// A goal: the value is to be at least or at most this.
enum Goal {
    Least(f64),
    Most(f64),
}

struct Figure {
    name: &'static str,
    says: String,
    unit: &'static str,
    value: f64,
    goal: Option<Goal>,
}

/// What was measured.
pub struct AgentBench {
    figures: Vec<Figure>,
}

impl AgentBench {
    /// Measures all of it.
    pub fn run(image: &Image, options: &Options) -> Result<Self> {
        let mut bench = Self {
            figures: Vec::new(),
        };
        let step = Step::new("bench of the agent");
        step.say("a load over the serial line");
        bench.line(image, options)?;
        step.say("a load from a file");
        bench.file(image, options)?;
        step.say("memory");
        bench.memory(image, options)?;
        step.done("measured");
        Ok(bench)
    }

    fn add(
        &mut self,
        name: &'static str,
        says: impl Into<String>,
        unit: &'static str,
        value: f64,
        goal: Option<Goal>,
    ) {
        self.figures.push(Figure {
            name,
            says: says.into(),
            unit,
            value,
            goal,
        });
    }

    /// `nl31ctl` over a cable that is as slow as 115200 baud.
    fn line(&mut self, image: &Image, options: &Options) -> Result<()> {
        let nl31ctl = static_binary(Arch::X86_64, "nl31-ctl")?;
        let folder = tempfile::tempdir()?;
        let table = folder.path().join("table");
        // A few next hops, as from a few peers: each change of path takes bytes of its own.
        let hop = |(number, prefix): (usize, &Prefix)| match prefix.address.is_ipv4() {
            true => format!("{prefix} via 192.0.2.{}\n", 1 + number % 4),
            false => format!("{prefix} via fe80::{}\n", 1 + number % 4),
        };
        let made = prefixes::made(options.line);
        fs::write(&table, made.iter().enumerate().map(hop).collect::<String>())?;
        let quality = Quality {
            rate: Some(BYTES_115200),
            damaged: 0,
        };
        let (mut shares, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..options.runs {
            let mut guest = Guest::start(image, &Setup::default())?;
            let cable = guest.plug(quality)?;
            let started = Instant::now();
            let mut ctl = Command::new(&nl31ctl);
            ctl.arg("--serial").arg(cable.path());
            let output = ctl.arg("load").arg(&table).output()?;
            let taken = started.elapsed().as_secs_f64();
            let traffic = guest.unplug(cable);
            if !output.status.success() {
                bail!("nl31ctl: {}", String::from_utf8_lossy(&output.stderr));
            }
            shares.push(100.0 * traffic.sent as f64 / taken / f64::from(BYTES_115200));
            rates.push(options.line as f64 / taken);
        }
        let says = format!("load of {} routes at 115200 baud", options.line);
        let (share, rate) = (median(shares), median(rates));
        self.add(
            "line_share",
            &says,
            "% of the line",
            share,
            Some(Goal::Least(85.0)),
        );
        self.add(
            "line_rate",
            &says,
            "routes/s",
            rate,
            Some(Goal::Least(1500.0)),
        );
        Ok(())
    }

    /// `load` at the console and `ip -batch`, with the same routes in the same guest; and
    /// the echo of keys while a program loads.
    fn file(&mut self, image: &Image, options: &Options) -> Result<()> {
        let share = share()?;
        // `ip` takes no route without a device that is up, and IPv6 differs by far more.
        let four = |prefix: &Prefix| prefix.address.is_ipv4();
        let table: Vec<_> = prefixes::made(options.file * 5 / 4);
        let table: Vec<_> = table.into_iter().filter(four).take(options.file).collect();
        let routes: Vec<_> = table
            .iter()
            .map(|prefix| format!("{prefix} dev dummy0"))
            .collect();
        let batch: String = routes
            .iter()
            .map(|route| format!("route add {route}\n"))
            .collect();
        fs::write(share.path().join("routes.conf"), routes.join("\n") + "\n")?;
        fs::write(share.path().join("batch"), batch)?;
        iproute2(share.path())?;

        let setup = Setup {
            share: Some(share.path().to_owned()),
            memory_mib: Some(MEMORY_MIB),
            ..Setup::default()
        };
        let mut guest = Guest::start(image, &setup)?;
        let ip = "/mnt/share/ip/ld-linux-x86-64.so.2 --library-path /mnt/share/ip /mnt/share/ip/ip";
        shell(
            &mut guest,
            "cp /mnt/share/routes.conf /mnt/share/batch /tmp && \
             ip link add dummy0 type dummy && ip link set dummy0 up",
        )?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..options.runs {
            command(&mut guest, "route flush all")?;
            let started = Instant::now();
            command(&mut guest, "load /tmp/routes.conf")?;
            ours.push(table.len() as f64 / started.elapsed().as_secs_f64());
            // Its routes go with it.
            shell(
                &mut guest,
                "ip link set dummy0 down && ip link set dummy0 up",
            )?;
            let started = Instant::now();
            shell(&mut guest, &format!("{ip} -batch /tmp/batch"))?;
            theirs.push(table.len() as f64 / started.elapsed().as_secs_f64());
        }
        let (ours, theirs) = (median(ours), median(theirs));
        let says = format!("load of {} routes from a file", table.len());
        self.add("file_rate", &says, "routes/s", ours, None);
        self.add(
            "ip_batch_rate",
            "`ip -batch` with the same routes",
            "routes/s",
            theirs,
            None,
        );
        self.add(
            "file_ratio",
            says,
            "times `ip -batch`",
            ours / theirs,
            Some(Goal::Least(5.0)),
        );

        let idle = echo(&mut guest)?;
        shell(
            &mut guest,
            "(while [ ! -e /tmp/enough ]; do /mnt/share/nl31ctl -q load --replace \
             /tmp/routes.conf || break; done; touch /tmp/over) >/dev/null 2>&1 &",
        )?;
        let loading = echo(&mut guest)?;
        shell(
            &mut guest,
            "[ ! -e /tmp/over ]; over=$?; touch /tmp/enough; exit $over",
        )
        .context("the load meanwhile")?;
        for (name, says, (typical, worst)) in [
            ("echo_idle", "echo of a key", idle),
            (
                "echo_loading",
                "echo of a key while a program loads",
                loading,
            ),
        ] {
            self.add(name, format!("{says}, median"), "ms", typical, None);
            self.add(name, format!("{says}, longest"), "ms", worst, None);
        }
        Ok(())
    }

    fn memory(&mut self, image: &Image, options: &Options) -> Result<()> {
        let memory = Memory::measure(image, options.routes, options.commands)?;
        let (resident, grown) = (memory.at_first.resident, memory.grown());
        self.add(
            "resident",
            "memory of the agent",
            "KiB resident",
            resident as f64,
            Some(Goal::Most(figures::RESIDENT_LIMIT as f64)),
        );
        let says = format!("the same with {} routes, growth", options.routes);
        self.add(
            "grown_routes",
            says,
            "KiB",
            grown.0 as f64,
            Some(Goal::Most(64.0)),
        );
        let says = format!("the same after {} commands, growth", options.commands);
        self.add(
            "grown_commands",
            says,
            "KiB",
            grown.1 as f64,
            Some(Goal::Most(64.0)),
        );
        Ok(())
    }

    /// JSON, a line a figure.
    pub fn json(&self) -> String {
        let mut lines = String::new();
        for figure in &self.figures {
            let (least, most) = match figure.goal {
                Some(Goal::Least(least)) => (Some(least), None),
                Some(Goal::Most(most)) => (None, Some(most)),
                None => (None, None),
            };
            let line = json!({
                "measure": figure.name, "says": figure.says, "unit": figure.unit,
                "value": figure.value, "least": least, "most": most,
            });
            writeln!(lines, "{line}").expect("to write to a string");
        }
        lines
    }
}

impl fmt::Display for AgentBench {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(
            f,
            "| the agent | unit | | goal |\n| --- | --- | ---: | --- |"
        )?;
        for figure in &self.figures {
            let goal = match figure.goal {
                Some(Goal::Least(least)) => format!("at least {least}"),
                Some(Goal::Most(most)) => format!("at most {most}"),
                None => String::new(),
            };
            let (says, unit, value) = (&figure.says, figure.unit, figure.value);
            writeln!(f, "| {says} | {unit} | {value:.1} | {goal} |")?;
        }
        Ok(())
    }
}

/// What a process takes, in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// All that is in memory, its program too.
    pub resident: i64,
    /// What only this process has: heap, stacks, data.
    pub anonymous: i64,
}

/// The agent's memory, as its table and its age grow.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// With an empty table, when it has done once what it does later.
    pub at_first: Taken,
    /// With the routes.
    pub with_routes: Taken,
    /// After the commands.
    pub after_commands: Taken,
}

impl Memory {
    /// Loads so many routes at the console, lists them over the socket, and has so many
    /// commands executed.
    pub fn measure(image: &Image, routes: usize, commands: usize) -> Result<Self> {
        let share = share()?;
        let write =
            |name: &str, count| fs::write(share.path().join(name), lines(&prefixes::made(count)));
        write("few", 1000)?;
        write("many", routes)?;
        let words = [
            "ping",
            "greet hello",
            "route replace 203.0.113.0/24 dev lo",
            "route get 203.0.113.1",
            "route show 203.0.113.0/24 json",
            "route del 203.0.113.0/24",
            "stats",
            "version",
        ];
        let script = |count: usize| -> String {
            let words = words.iter().cycle().take(count);
            words.flat_map(|word| [word, "\n"]).collect()
        };
        fs::write(share.path().join("some"), script(200))?;
        fs::write(share.path().join("more"), script(commands.min(PORTION)))?;
        let setup = Setup {
            share: Some(share.path().to_owned()),
            memory_mib: Some(MEMORY_MIB),
            ..Setup::default()
        };
        let mut guest = Guest::start(image, &setup)?;
        let mut work = |table: &str, commands: &str, times: usize| -> Result<(Taken, Taken)> {
            command(&mut guest, &format!("load /mnt/share/{table}"))?;
            shell(&mut guest, "/mnt/share/nl31ctl route show >/dev/null")?;
            let loaded = taken(&mut guest)?;
            for _ in 0..times {
                shell(
                    &mut guest,
                    &format!("/mnt/share/nl31ctl shell </mnt/share/{commands} >/dev/null"),
                )?;
            }
            Ok((loaded, taken(&mut guest)?))
        };
        // Twice: what is allocated once, and what is left in the allocator's places.
        work("few", "some", 1)?;
        work("few", "some", 1)?;
        let (at_first, _) = work("few", "some", 1)?;
        let (with_routes, after_commands) = work("many", "more", commands.div_ceil(PORTION))?;
        Ok(Self {
            at_first,
            with_routes,
            after_commands,
        })
    }

    /// KiB that it has grown by with the routes, and by the end.
    pub fn grown(&self) -> (i64, i64) {
        let first = self.at_first.anonymous;
        (
            self.with_routes.anonymous - first,
            self.after_commands.anonymous - first,
        )
    }
}

fn taken(guest: &mut Guest) -> Result<Taken> {
    let rollup = shell(guest, "cat /proc/$(pidof nl31-agent)/smaps_rollup")?;
    let field = |name: &str| -> Result<i64> {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name));
        let value = line.and_then(|line| line.split_ascii_whitespace().next());
        Ok(value
            .with_context(|| format!("no {name} in {rollup}"))?
            .parse()?)
    };
    Ok(Taken {
        resident: field("Rss:")?,
        anonymous: field("Anonymous:")?,
    })
}

/// Median and longest time from a key to its echo, in ms.
fn echo(guest: &mut Guest) -> Result<(f64, f64)> {
    let mut times = Vec::new();
    for _ in 0..100 {
        guest.console.type_bytes(b"x");
        let started = Instant::now();
        guest.expect("an echo", |screen| {
            screen.last().filter(|line| line.contains('x')).map(drop)
        })?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        guest.console.type_bytes(b"\x15");
        guest.expect("a line cleared", |screen| {
            Some(()).filter(|()| screen != [String::new()])
        })?;
        // Not in step with what else happens.
        std::thread::sleep(Duration::from_millis(times.len() as u64 % 23));
    }
    let longest = times.iter().copied().fold(0.0, f64::max);
    Ok((median(times), longest))
}

fn lines(table: &[Prefix]) -> String {
    let routes = prefixes::routes(table);
    routes.iter().map(|route| format!("{route}\n")).collect()
}

/// A folder for guests, with `nl31ctl`.
fn share() -> Result<tempfile::TempDir> {
    let dir = tempfile::tempdir()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
    fs::copy(
        static_binary(Arch::X86_64, "nl31-ctl")?,
        dir.path().join("nl31ctl"),
    )?;
    Ok(dir)
}

/// Puts this machine's `ip` and its libraries below `share`: BusyBox's has no `-batch`.
fn iproute2(share: &Path) -> Result<()> {
    host::require(&["iproute2"])?;
    let dir = share.join("ip");
    fs::create_dir(&dir)?;
    fs::copy("/bin/ip", dir.join("ip")).context("no /bin/ip, of the package iproute2")?;
    let output = Command::new("ldd")
        .arg("/bin/ip")
        .output()
        .context("cannot run ldd")?;
    for word in String::from_utf8_lossy(&output.stdout).split_ascii_whitespace() {
        let path = Path::new(word);
        if let (true, Some(name)) = (path.is_absolute(), path.file_name()) {
            fs::copy(path, dir.join(name)).with_context(|| format!("cannot copy {word}"))?;
        }
    }
    Ok(())
}

fn shell(guest: &mut Guest, command: &str) -> Result<String> {
    let output = guest.exec(command)?;
    if output.status != 0 {
        bail!("{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn command(guest: &mut Guest, line: &str) -> Result<()> {
    guest.console.type_line(line.as_bytes());
    // A million routes are loaded without a word.
    let reply = guest.wait(line, 20, |guest| Ok(guest.console.reply(line.as_bytes())))?;
    if !reply.succeeded() {
        bail!("{line}: {reply}");
    }
    Ok(())
}
