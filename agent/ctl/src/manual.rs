// SPDX-License-Identifier: MIT OR Apache-2.0
//! The manual page and the shell completions, made from the arguments.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::env::Shells;

use crate::arguments::{Arguments, Generate};
use crate::error::{Error, STATUSES, output};

/// The program.
const NAME: &str = "nl31ctl";

/// What is printed with --json.
const JSON: &str = "\
greet             {\"text\", \"port\", \"module\", \"abi\"}
ping              {\"agent\"}, its version
route get, show   a route: {\"type\", \"dst\", \"metric\", \"protocol\"}, and \"gateway\" and
                  \"dev\" if it has them, as `ip -json route` names them
stats             numbers by their names
metrics           nothing else: always the text of OpenMetrics
monitor           a route with \"event\": \"added\", \"replaced\" or \"deleted\", and
                  \"generation\"; {\"event\": \"lost\"};
                  {\"event\": \"rolled-back\", \"prefixes\", \"lost\"}
load, save, import
                  {\"loaded\"}, {\"saved\"} or {\"imported\"}, a number of routes; the text, where
                  that is what is printed
apply, diff       a route with \"change\": \"-\" or \"+\" for each that goes or comes
feed              {\"source\", \"routes\", \"backlog\", \"sent\", \"rate\", \"passed-over\",
                  \"set-aside\"} now and then; the source is an address or null;
                  {\"notice\"} for what happens
version           {\"nl31ctl\", \"agent\", \"uptime\", \"memory\"}, and if known \"image\",
                  \"host\", \"boot\", \"changes\", \"storage\", \"module\", \"abi\"; all are
                  texts
log               {\"number\", \"uptime\", \"level\", \"text\"} for each line; the number counts
                  from 0 when the agent starts, uptime is in seconds; with --follow
                  {\"event\": \"lost\", \"lines\"} and {\"event\": \"restarted\"}
confirm, rollback, reboot, factory-reset
                  {\"code\", \"text\"}, the console's status
ports             {\"port\"}, and \"id\", \"product\" and \"driver\" if it has them
others            nothing; `shell` the console's text
on an error       to standard error: {\"error\", \"code\", \"status\"}; the code is the
                  agent's or null; {\"warning\"} for what is not an error, like a
                  table that changed while it was listed";

/// The end of `--help` and of the manual page.
pub fn after_help() -> String {
    let indented =
        |text: &str| -> String { text.lines().map(|line| format!("\n  {line}")).collect() };
    format!(
        "Exit status:{}\n\nOutput with --json:{}",
        indented(STATUSES),
        indented(JSON)
    )
}

/// Prints completions or the manual page to `out`.
pub fn generate(what: &Generate, out: &mut dyn Write) -> Result<(), Error> {
    let mut text = Vec::new();
    match what {
        Generate::Completions { shell } => {
            let shells = Shells::builtins();
            let shell = shells.completer(&shell.to_string());
            let shell = shell.expect("the shells of both kinds of completions have the same names");
            shell
                .write_registration("COMPLETE", NAME, NAME, NAME, &mut text)
                .map_err(output)?;
        }
        Generate::Man => manual(Arguments::command(), &mut text).map_err(output)?,
    }
    let written = out.write_all(&text).and_then(|()| out.flush());
    match written.map_err(output) {
        Err(Error::Closed) => Ok(()),
        result => result,
    }
}

/// One page for all commands.
fn manual(command: clap::Command, out: &mut dyn Write) -> io::Result<()> {
    let man = clap_mangen::Man::new(command.clone());
    let mut out = out;
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    writeln!(out, ".SH COMMANDS")?;
    commands(&command, "nl31ctl", out)?;
    man.render_extra_section(&mut out)
}

fn commands(command: &clap::Command, name: &str, out: &mut dyn Write) -> io::Result<()> {
    for command in command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        let name = format!("{name} {}", command.get_name());
        if command.has_subcommands() {
            commands(command, &name, out)?;
            continue;
        }
        let help = command
            .clone()
            .disable_help_flag(true)
            .bin_name(&name)
            .render_long_help();
        // A line that begins with one of these is a request to roff.
        let text = help
            .to_string()
            .replace('\\', "\\e")
            .replace("\n.", "\n\\&.")
            .replace("\n'", "\n\\&'");
        write!(out, ".SS {name}\n.nf\n{text}.fi\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    const GENERATED: [Generate; 3] = [
        Generate::Man,
        Generate::Completions {
            shell: clap_complete::Shell::Bash,
        },
        Generate::Completions {
            shell: clap_complete::Shell::Zsh,
        },
    ];

    #[test]
    fn the_manual_names_every_command() {
        let mut out = Vec::new();
        generate(&Generate::Man, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for command in Arguments::command().get_subcommands() {
            let name = command.get_name();
            assert!(
                command.is_hide_set() || text.contains(&format!(".SS nl31ctl {name}")),
                "{name}"
            );
        }
    }

    #[test]
    fn every_shell_has_completions() {
        for &shell in clap_complete::Shell::value_variants() {
            let mut out = Vec::new();
            generate(&Generate::Completions { shell }, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains("COMPLETE"), "{shell}: {text}");
        }
    }

    #[test]
    fn a_full_output_is_an_error_and_a_closed_one_is_not() {
        struct Fails(std::io::ErrorKind);
        impl Write for Fails {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        for what in GENERATED {
            let error = generate(&what, &mut Fails(std::io::ErrorKind::StorageFull)).unwrap_err();
            assert_eq!(error.status(), 6, "{what:?}: {error}");
            generate(&what, &mut Fails(std::io::ErrorKind::BrokenPipe)).unwrap();
        }
    }
}
