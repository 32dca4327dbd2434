// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use nl31_route::Protocol;
use nl31_wire::limits::CONFIRM_MAX;

use crate::completion;
use crate::connect::BAUD;
use crate::feed::devices::DeviceMap;
use crate::feed::selection::{Lengths, MAX_ROUTES};
use crate::import::format::Format;
use crate::import::next_hop::NextHop;
use crate::manual;
use crate::port::{self, Address};

/// Drives an nl31 appliance over its serial line or its local socket.
///
/// The way to the appliance is the one that --serial or --socket names, else the line in
/// the variable NL31_SERIAL, which takes what --serial takes, else the local socket
/// /run/nl31.sock. No other line is opened, unless `--serial auto` asks for it.
#[derive(Clone, Debug, Parser)]
#[command(version, name = "nl31ctl", after_help = manual::after_help())]
pub struct Arguments {
    /// Serial line: its device; `tcp://HOST:PORT`, the raw port of a console server or of
    /// QEMU; or `auto`, which says hello on every serial line of this machine, modems
    /// included, and takes the one on which an agent answers.
    #[arg(long, value_name = "LINE", conflicts_with = "socket", global = true,
          add = ArgValueCompleter::new(completion::serial))]
    pub serial: Option<SerialLine>,

    /// Socket of the agent on this machine.
    #[arg(long, value_name = "PATH", global = true)]
    pub socket: Option<PathBuf>,

    /// Bit rate of the serial line for lists and batches. The line begins with 115200, and has
    /// that again at the end; a line that cannot have the other one keeps its own. Where no
    /// agent answers at 115200 the line is taken to have this rate from the boot on.
    #[arg(long, value_name = "BAUD", value_parser = port::baud, default_value_t = BAUD,
          global = true)]
    pub baud: u32,

    /// File with the PIN of a serial line that has one. Without this option the PIN is
    /// that of the variable NL31_PIN.
    #[arg(long, value_name = "PATH", global = true)]
    pub pin_file: Option<PathBuf>,

    /// Seconds for which a session that was lost is tried to get back, as when a cable was
    /// pulled or the board restarts; 0 for not at all. Only what the agent cannot have
    /// carried out is repeated.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, global = true)]
    pub reconnect: u32,

    /// Append what is sent and received to this file, with time stamps.
    #[arg(long, value_name = "FILE", global = true)]
    pub log: Option<PathBuf>,

    /// Print JSON, one object a line: see the end of this page.
    #[arg(long, global = true)]
    pub json: bool,

    /// Print no progress bar and no confirmation, only what was asked for.
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// What `--serial` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SerialLine {
    /// The line on which an agent answers.
    Auto,
    /// A device of this machine.
    Device(PathBuf),
    /// A line behind a TCP port.
    Tcp(Address),
}

impl FromStr for SerialLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("the name of the line is empty".into()),
            "auto" => Ok(Self::Auto),
            text if text.contains("://") => text.parse().map(Self::Tcp),
            text => {
                let path: Result<PathBuf, Infallible> = text.parse();
                Ok(Self::Device(path.unwrap_or_else(|never| match never {})))
            }
        }
    }
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Say hello to the kernel; it answers and names the agent's socket.
    Greet {
        /// Up to 255 bytes.
        text: Option<String>,
    },
    /// Ask whether the agent and the kernel's side answer.
    Ping,
    /// Read and change routes, in the words of `ip route`.
    #[command(subcommand)]
    Route(RouteCommand),
    /// Show the table's counters.
    Stats,
    /// Print what the appliance counts, in the text form of OpenMetrics, for Prometheus.
    Metrics {
        /// Replace this file by it, at once or not at all, as for the textfile collector of
        /// node_exporter.
        #[arg(long, value_name = "FILE", conflicts_with = "listen")]
        textfile: Option<PathBuf>,
        /// Answer `GET /metrics` at this address, until Ctrl-C, each request in a session of its
        /// own; without an address at 127.0.0.1:9131.
        #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, require_equals = true,
              default_missing_value = METRICS)]
        listen: Option<SocketAddr>,
    },
    /// Show changes of the table as they happen, until Ctrl-C.
    Monitor,
    /// Add the routes and settings of a file, all or none of them.
    Load {
        /// Lines with the arguments of `route add`, and settings like `port set eth0`; `-` is
        /// standard input.
        file: PathBuf,
        /// Replace the whole table by them, at once, and all settings if the file has any.
        #[arg(long)]
        replace: bool,
        /// Add them frame by frame: what was added before an error stays.
        #[arg(long, conflicts_with = "replace")]
        frames: bool,
    },
    /// Save table and settings as the appliance's config, or write them to a file here, as
    /// they are at one moment.
    Save {
        /// A file that `load` and `apply` read; `-` is standard output. Without this
        /// argument the appliance saves the table as the config of its next boot.
        file: Option<PathBuf>,
    },
    /// Make the table equal to a file, with the fewest changes, all at once; and the settings,
    /// if the file has any.
    Apply {
        /// Lines with the arguments of `route add`, and settings like `port set eth0`; `-` is
        /// standard input.
        file: PathBuf,
        /// Only show what would be changed.
        #[arg(long)]
        dry_run: bool,
        /// Roll the changes back after so many seconds, unless `confirm` keeps them; at
        /// most 4096 prefixes.
        #[arg(long, value_name = "SECONDS", conflicts_with = "dry_run",
              value_parser = clap::value_parser!(u32).range(1..=CONFIRM_MAX as i64))]
        confirm: Option<u32>,
    },
    /// Read the routes that another program printed or saved, as a config or into the table.
    ///
    /// A file compressed by gzip or bzip2 is decompressed. What is not understood is listed on
    /// standard error, with its line or byte and the reason, and left out. A file that ends
    /// too early is refused, and so is one without a route.
    #[command(after_long_help = IMPORT_HELP)]
    Import(Import),
    /// Have the table follow a routing daemon, until Ctrl-C: FRR's zebra, which sends its routes
    /// here, or any other by a table of Linux on this machine. What changes is sent to the board.
    ///
    /// Of the board's table, the feed owns the routes of the protocols that it carries: they
    /// become its source's. Routes of other protocols stay. When the feed ends, or has no
    /// zebra, the table stays as it is. A session with the board that is lost is tried to get
    /// back for as long as it takes.
    Feed(FeedArguments),
    /// Show how the table differs from the appliance's saved config.
    Diff,
    /// Keep what `apply --confirm` or the console's `commit confirmed` did, and save the
    /// table as the config.
    Confirm,
    /// Roll back what waits for `confirm`, at once.
    Rollback,
    /// Talk to the agent's console.
    Shell {
        /// Execute this line alone.
        line: Vec<String>,
    },
    /// Show the versions of nl31ctl, the agent, the image and the kernel module, and the
    /// appliance's name and boot.
    Version,
    /// Show the last lines of the agent's log.
    Log {
        /// Show what is logged from now on, until Ctrl-C.
        #[arg(long, short)]
        follow: bool,
    },
    /// Restart the appliance, unless that loses changes.
    Reboot {
        /// Restart, and lose the changes that are not saved.
        #[arg(long)]
        now: bool,
    },
    /// Delete the saved config, so that the next boot begins with the factory's.
    FactoryReset,
    /// List the serial lines of this machine that `--serial auto` would try. None of
    /// them is opened.
    Ports,
    /// Print shell completions or the manual page.
    #[command(subcommand, hide = true)]
    Generate(Generate),
}

/// What the formats give.
const IMPORT_HELP: &str = "\
Of MRT, one route of each prefix is taken. That is not always the one which BGP would choose:
the shortest AS path wins, then the first --next-hop, then the first entry of the dump. Without
--next-hop the routes of all peers are candidates, and their gateway is the next hop of the
dump, which is of use only where the board is in the network of the collector.

Of BIRD, the routes marked * are taken. Of FRR, a distance above 1 becomes the metric.

Examples:
  nl31ctl import --next-hop 64496=192.0.2.1 --output routes.conf rib.20251101.0000.bz2
  ip -json route | nl31ctl import -
  nl31ctl import --strict --replace /etc/frr/frr.conf";

/// The arguments of `import`.
#[derive(Args, Clone, Debug)]
pub struct Import {
    /// What is read; `-` is standard input.
    pub file: PathBuf,
    /// Its format, which is else recognised by its content.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write a config that `load`, `apply` and the agent read; `-`, the default, is standard
    /// output. The file is replaced at once, or not at all.
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Add the routes to the table, all or none of them.
    #[arg(long, conflicts_with = "output")]
    pub load: bool,
    /// Replace the whole table by them, at once.
    #[arg(long, conflicts_with_all = ["output", "load"])]
    pub replace: bool,
    /// Of MRT, take the routes of this peer alone, an address or an AS number, and send them by
    /// this gateway; `fe80::1%eth0` names a device, too. Repeat it for further peers, and for
    /// gateways of the other family.
    #[arg(long, value_name = "PEER=ADDRESS")]
    pub next_hop: Vec<NextHop>,
    /// Fail with status 1 and take nothing, if something is not understood.
    #[arg(long)]
    pub strict: bool,
}

/// The arguments of `feed`.
#[derive(Args, Clone, Debug)]
pub struct FeedArguments {
    /// Where zebra's `dplane_fpm_nl` connects to; without an address it is 127.0.0.1:2620.
    /// A program that can connect there can change the table.
    #[arg(long, required_unless_present = "table", value_name = "ADDRESS:PORT",
          num_args = 0..=1, require_equals = true, default_missing_value = FPM)]
    pub fpm: Option<SocketAddr>,

    /// Follow this table of Linux on this machine, 254 for the main one; with --fpm carry the
    /// routes of this table of zebra.
    #[arg(long, value_name = "NUMBER")]
    pub table: Option<u32>,

    /// Have the board name this device for the sender's. The sender's is a name of this
    /// machine, an index, or `*` for all others; if the name behind `=` is empty, the board finds
    /// a device for the gateway by itself. A device without a `--map` keeps its name.
    #[arg(long, value_name = "DEVICE=NAME")]
    pub map: Vec<DeviceMap>,

    /// Carry and own routes of these protocols alone, as `bgp,ospf`; without this option those
    /// of zebra, bird, babel, and 186 to 199, which are FRR's.
    #[arg(long, value_name = "NAME|NUMBER", value_delimiter = ',', value_parser = protocol)]
    pub require_proto: Vec<Protocol>,

    /// Carry IPv4 prefixes of these lengths alone, as `8-24`.
    #[arg(long, value_name = "FIRST-LAST")]
    pub lengths4: Option<Lengths>,

    /// Carry IPv6 prefixes of these lengths alone, as `16-48`.
    #[arg(long, value_name = "FIRST-LAST")]
    pub lengths6: Option<Lengths>,

    /// Carry at most so many routes; more are passed over.
    #[arg(long, value_name = "NUMBER", default_value_t = MAX_ROUTES)]
    pub max_routes: usize,

    /// After zebra has connected again, delete what it has not sent again when it has sent
    /// nothing for so many seconds. More than the time that BGP takes to get its table back.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub sweep_after: u32,

    /// Tell zebra of each route once the board has it, or has refused it, by RTM_F_OFFLOAD and
    /// RTM_F_OFFLOAD_FAILED: for zebra with `--asic-offload=notify_on_offload`, and for bgpd
    /// with `bgp suppress-fib-pending`. FRR 8.4 reads and ignores it; later ones do not.
    #[arg(long, requires = "fpm")]
    pub offload: bool,

    /// Print the counters so often, if they have changed.
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub status: u32,
}

/// Where `metrics --listen` listens unless told otherwise.
const METRICS: &str = "127.0.0.1:9131";

/// Where `--fpm` listens unless told otherwise.
const FPM: &str = "127.0.0.1:2620";

fn protocol(text: &str) -> Result<Protocol, String> {
    let error = |()| "expected a protocol like bgp, or a number to 255".to_string();
    text.parse().map_err(error)
}

/// The commands of `route`.
#[derive(Clone, Debug, Subcommand)]
pub enum RouteCommand {
    /// Add a route; fails if the prefix has one of this metric.
    Add(Words),
    /// Put a route in place of the one of this metric, or add it.
    Replace(Words),
    /// Put a route in place of the one of this metric, which must be there.
    Change(Words),
    /// Add a further path behind those of this metric.
    Append(Words),
    /// Delete a route; name the path if the prefix has several.
    Del(Words),
    /// Show the route in use for an address.
    Get {
        /// An address or prefix.
        address: String,
    },
    /// List routes: all, or those that match the filter.
    Show(Filter),
    /// Delete all routes that match the filter, or `all`.
    Flush(Filter),
}

/// The arguments of a command that changes a route.
#[derive(Args, Clone, Debug)]
pub struct Words {
    /// [KIND] PREFIX [via ADDRESS] [dev NAME] [metric NUMBER] [proto NAME|NUMBER]
    #[arg(value_name = "ROUTE", add = ArgValueCompleter::new(completion::route))]
    pub words: Vec<String>,
}

/// The arguments of a command that selects routes.
#[derive(Args, Clone, Debug)]
pub struct Filter {
    /// [KIND] [PREFIX [longer]] [via ADDRESS] [dev NAME] [metric NUMBER] [proto NAME|NUMBER]; or, to
    /// flush every route, `all`
    #[arg(value_name = "FILTER", add = ArgValueCompleter::new(completion::filter))]
    pub words: Vec<String>,
}

/// The commands of `generate`.
#[derive(Clone, Debug, Subcommand)]
pub enum Generate {
    /// Completions for a shell. They ask this program for what fits, so they are to be
    /// generated anew with another version of it.
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
    /// The manual page.
    Man,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_line_is_a_device_or_a_tcp_port_or_auto() {
        let read = |text: &str| text.parse::<SerialLine>();
        assert_eq!(read("auto"), Ok(SerialLine::Auto));
        let device = SerialLine::Device("/dev/ttyUSB0".into());
        assert_eq!(read("/dev/ttyUSB0"), Ok(device));
        assert!(matches!(read("tcp://board:1"), Ok(SerialLine::Tcp(_))));
        for wrong in ["", "tcp://board", "telnet://board:23"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
