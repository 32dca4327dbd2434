// SPDX-License-Identifier: MIT OR Apache-2.0
//! `import`: the routes of another program's file as a config, or into the table.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;

use super::file::{Interruptible, NewFile, RouteFile, stdin};
use super::load::{self, Mode};
use crate::arguments::Import;
use crate::error::{Error, output};
use crate::import::intake::{Counts, Take};
use crate::import::{self, Options};
use crate::link::Link;
use crate::output::{Output, counted};
use crate::port::Port;

/// Where the routes go.
pub enum Imported {
    /// They are written.
    Written,
    /// They are to be loaded.
    Routes(RouteFile),
}

/// Imports a file: writes the config, unless it is to be loaded.
pub fn import(arguments: &Import, out: &mut Output<'_>) -> Result<Imported, Error> {
    let Import {
        output: destination,
        ..
    } = arguments;
    match destination {
        Some(path) if path != Path::new("-") => {
            let mut file = NewFile::create(path)?;
            let counts = read(arguments, &mut |route| file.line(route), out)?;
            file.finish()?;
            out.count(
                "imported",
                counts.routes,
                &format_args!("to {}", path.display()),
            )?;
            Ok(Imported::Written)
        }
        _ => {
            let failed = |error| Error::File("a temporary file".into(), error);
            let mut writer = BufWriter::new(tempfile::tempfile().map_err(failed)?);
            read(
                arguments,
                &mut |route| writeln!(writer, "{route}").map_err(failed),
                out,
            )?;
            let mut file = writer.into_inner().map_err(|error| failed(error.into()))?;
            file.rewind().map_err(failed)?;
            if arguments.load || arguments.replace {
                let name = format!("{} as a config", arguments.file.display());
                return RouteFile::read_from(name.as_ref(), file).map(Imported::Routes);
            }
            print(file, out).map(|()| Imported::Written)
        }
    }
}

/// Loads what was imported.
pub fn load<P: Port>(
    link: &mut Link<P>,
    arguments: &Import,
    routes: &mut RouteFile,
    out: &mut Output<'_>,
) -> Result<(), Error> {
    let mode = match arguments.replace {
        true => Mode::Replace,
        false => Mode::Add,
    };
    let loaded = load::execute(link, routes, mode, &arguments.file, out);
    match loaded {
        // The line is one of a temporary file.
        Err(Error::RefusedLine(path, line, code, text)) => {
            let route = routes.line(line)?;
            Err(Error::RefusedLine(
                path,
                line,
                code,
                format!("{text}: {route}"),
            ))
        }
        result => result,
    }
}

fn print(mut file: File, out: &mut Output<'_>) -> Result<(), Error> {
    io::copy(&mut file, out)
        .and_then(|_| out.flush())
        .map_err(output)
}

/// Reads the source; calls `take` with each route, and tells the rest.
fn read(arguments: &Import, take: &mut Take<'_>, out: &Output<'_>) -> Result<Counts, Error> {
    let path = &arguments.file;
    let source = match path.to_str() {
        Some("-") => stdin(),
        _ => File::open(path),
    };
    let source = source.map_err(|error| Error::File(path.clone(), error))?;
    let options = Options {
        format: arguments.format,
        next_hops: arguments.next_hop.clone(),
    };
    let tell = &mut |text: &str| out.warn(text);
    let counts = import::import(path, Interruptible(source), &options, take, tell)?;
    for (what, count) in &counts.left_out {
        out.warn(&format!("left out: {count} {what}"));
    }
    if !counts.ignored.is_empty() {
        out.warn(&format!("ignored words: {}", counts.ignored.join(", ")));
    }
    out.passed_over(counts.passed_over);
    if arguments.strict && counts.skipped > 0 {
        let skipped = counted(counts.skipped, "place is", "places are");
        return Err(Error::NotUnderstood(path.clone(), skipped));
    }
    if counts.routes == 0 {
        let text = "no route was found";
        return Err(Error::File(path.clone(), io::Error::other(text)));
    }
    if counts.skipped > 0 {
        let skipped = counted(counts.skipped, "place was", "places were");
        out.warn(&format!(
            "{skipped} not understood; --strict refuses such a file"
        ));
    }
    Ok(counts)
}
