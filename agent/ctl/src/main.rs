// SPDX-License-Identifier: MIT OR Apache-2.0
//! `nl31ctl`: see the library.

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use clap_complete::CompleteEnv;
use nl31_ctl::arguments::Arguments;
use nl31_ctl::run::run;
use nl31_ctl::{Error, interrupt};
use serde_json::json;

fn main() -> ExitCode {
    // Answers and ends where a shell asks for completions.
    CompleteEnv::with_factory(Arguments::command).complete();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && wants_json() => {
            return failed(&Error::Usage(mistake(&error)), true);
        }
        // Help and the version, too.
        Err(error) => error.exit(),
    };
    let as_json = arguments.json;
    match run(&arguments, &mut std::io::stdout()) {
        Ok(()) | Err(Error::Closed) => ExitCode::SUCCESS,
        Err(error) => {
            if let Error::Interrupted(signal) = error {
                interrupt::end(signal);
            }
            failed(&error, as_json)
        }
    }
}

/// Whether `--json` is among arguments that clap refuses.
fn wants_json() -> bool {
    std::env::args_os()
        .skip(1)
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--json")
}

/// The text of an error in the arguments.
fn mistake(error: &clap::Error) -> String {
    // The text of this error is the help.
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing: see --help".into();
    }
    let text = error.to_string();
    text.strip_prefix("error: ").unwrap_or(&text).trim().into()
}

/// Prints an error; gives its exit status.
fn failed(error: &Error, as_json: bool) -> ExitCode {
    let text = if as_json {
        let value = json!({
            "error": error.to_string(), "code": error.code(), "status": error.status(),
        });
        value.to_string()
    } else {
        format!("nl31ctl: {error}")
    };
    if as_json || !matches!(error, Error::Said(_)) {
        // If the write fails, the exit status still reports the error.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
    ExitCode::from(error.status())
}
