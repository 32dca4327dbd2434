// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the routes that other programs print or save, in constant memory: a reader for each
//! format gives routes and what it does not understand to an [`Intake`].
//!
//! A file that ends early or whose compression is damaged is an error: a part of a table must
//! not pass for a whole one. A line or record that is not understood is skipped and told.

pub mod bird;
pub mod compression;
pub mod format;
pub mod frr;
pub mod intake;
pub mod ip_json;
pub mod ip_text;
pub mod lines;
pub mod mrt;
pub mod next_hop;

use std::io::{BufReader, Read};
use std::path::Path;

use crate::error::Error;
use format::Format;
use intake::{Counts, Intake, Take};
use next_hop::NextHop;

/// How a source is read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Without one, the content tells.
    pub format: Option<Format>,
    /// Only for MRT: whose routes are taken, and by which gateway they go.
    pub next_hops: Vec<NextHop>,
}

/// Reads all of `source`, which messages call `path`. Calls `take` with each route, and `tell`
/// with the first lines or records that are not understood.
pub fn import(
    path: &Path,
    source: impl Read,
    options: &Options,
    take: &mut Take<'_>,
    tell: &mut dyn FnMut(&str),
) -> Result<Counts, Error> {
    let failed = |error| intake::unreadable(path, 0, error);
    let mut source = compression::open(source).map_err(failed)?;
    let start = format::start(&mut source).map_err(failed)?;
    let format = options.format.or_else(|| Format::of(&start));
    let format = format.ok_or_else(|| {
        let text = "the format is not recognised; --format names it";
        Error::Offset(path.into(), 0, text.into())
    })?;
    if format != Format::Mrt && !options.next_hops.is_empty() {
        let text = format!("--next-hop is for MRT, and this file is of format {format}");
        return Err(Error::Usage(text));
    }
    let mut input = BufReader::with_capacity(64 * 1024, start.as_slice().chain(source));
    let mut intake = Intake::new(path, take, tell);
    match format {
        Format::Mrt => mrt::read(&mut input, &options.next_hops, &mut intake),
        Format::Ip => ip_text::read(&mut input, &mut intake),
        Format::IpJson => ip_json::read(&mut input, &mut intake),
        Format::Bird => bird::read(&mut input, &mut intake),
        Format::Frr => frr::read(&mut input, &mut intake),
    }?;
    Ok(intake.finish())
}

#[cfg(test)]
mod tests;
