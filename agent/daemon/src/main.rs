// SPDX-License-Identifier: MIT OR Apache-2.0
//! `nl31-agent`: see the library for what it does.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use nl31_agent::console::access;
use nl31_agent::event_loop::{self, Options};
use nl31_agent::platform::serial::Choice;
use nl31_agent::platform::{exit_reason, log_ring, reboot};

/// Loads routes into the kernel's nl31 table and serves it on a serial line.
#[derive(Parser)]
// Written out: for computing it, clap would take 8 KB of flash.
#[command(version, override_usage = "nl31-agent [OPTIONS]")]
struct Arguments {
    /// Terminal to serve: a device, `auto` for the kernel's console, or `-` for
    /// standard input and output. With `-` no config is loaded; and if input is no
    /// terminal each line is a command, and the exit status is 1 if one of them failed.
    #[arg(long, value_name = "auto|PATH|-", default_value = "auto")]
    serial: Choice,

    /// Routes to load, instead of /data/nl31/routes.conf or else
    /// /etc/nl31/routes.conf.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,

    /// Folder for what lasts until the next boot; with `.sock` behind it, the local socket.
    #[arg(long, value_name = "PATH", default_value = "/run/nl31")]
    run: PathBuf,

    /// What the serial line may do: a PIN, read-only, a time after which it locks.
    #[arg(long, value_name = "PATH", default_value = "/etc/nl31/console.conf")]
    access: PathBuf,

    /// Read a PIN from standard input, print its line for the file of `--access`, and
    /// exit.
    #[arg(long)]
    hash_pin: bool,

    /// Watchdog to ping while the agent works; without such a device the agent pings none.
    #[arg(long, value_name = "PATH")]
    watchdog: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.hash_pin {
        return hash_pin();
    }
    log_ring::init();
    let Arguments {
        serial,
        config,
        run,
        access,
        watchdog,
        ..
    } = arguments;
    match event_loop::run(Options {
        serial,
        config,
        run,
        access,
        watchdog,
    }) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            exit_reason::say(format_args!("{error}"));
            eprintln!("nl31-agent: {error}");
            if reboot::is_run_by_init() {
                // Init starts it again at once, and would do nothing else.
                std::thread::sleep(Duration::from_secs(1));
            }
            ExitCode::from(2)
        }
    }
}

fn hash_pin() -> ExitCode {
    let mut pin = String::new();
    let hash = std::io::stdin()
        .read_line(&mut pin)
        .and_then(|_| access::hash_pin(pin.trim_end_matches(['\r', '\n'])));
    match hash {
        Ok(line) => {
            println!("{line}");
            if pin.trim_ascii_end().len() < access::PIN_STRONG {
                eprintln!(
                    "nl31-agent: a short PIN: four digits are found within minutes by a reader \
                     of the image; take {} characters or more where that matters",
                    access::PIN_STRONG
                );
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("nl31-agent: {error}");
            ExitCode::from(2)
        }
    }
}
