// SPDX-License-Identifier: MIT OR Apache-2.0
//! `nl31ctl`: see the library for what it does.

use std::process::ExitCode;

use clap::Parser;
use nl31_ctl::cli::Arguments;
use nl31_ctl::{Error, interrupt};
use serde_json::json;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let as_json = arguments.json();
    match arguments.run(&mut std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Error::Interrupted(signal) = error {
                interrupt::end(signal);
            }
            if as_json {
                let value = json!({
                    "error": error.to_string(), "code": error.code(), "status": error.status(),
                });
                eprintln!("{value}");
            } else if !matches!(error, Error::Said(_)) {
                eprintln!("nl31ctl: {error}");
            }
            ExitCode::from(error.status())
        }
    }
}
