// SPDX-License-Identifier: MIT OR Apache-2.0
//! `save`: writes settings and table to a file here, or has the appliance save it as its config.

use std::io::Write;
use std::path::Path;

use indicatif::ProgressBar;
use nl31_route::{Protocol, Spec};
use nl31_wire::{Request, Response};

use super::apply::ATTEMPTS;
use super::file::NewFile;
use super::list::list;
use super::settings;
use crate::error::{Error, output};
use crate::link::{Link, POLL_INTERVAL};
use crate::port::Port;

/// Saves the table, as it was at one moment, without what DHCP has taught; gives the number of routes.
pub fn save<P: Port>(link: &mut Link<P>, path: &Path, bar: &ProgressBar) -> Result<u64, Error> {
    let mut file = NewFile::create(path)?;
    for _ in 0..ATTEMPTS {
        bar.set_position(0);
        for line in settings::configured(link)? {
            file.line(&line)?;
        }
        let mut count = 0;
        let result = list(link, &Spec::default(), false, &mut |route| {
            if route.path.protocol == Protocol::DHCP {
                return Ok(());
            }
            count += 1;
            bar.inc(1);
            file.line(&route)
        });
        match result? {
            false => return file.finish().map(|()| count),
            true => file.restart()?,
        }
    }
    Err(Error::Changing)
}

/// Prints what [`save`] writes to `out`, once all of it is received.
pub fn save_to<P: Port>(
    link: &mut Link<P>,
    out: &mut dyn Write,
    bar: &ProgressBar,
) -> Result<(), Error> {
    for _ in 0..ATTEMPTS {
        bar.set_position(0);
        let mut text = String::new();
        for line in settings::configured(link)? {
            text += &format!("{line}\n");
        }
        let changed = list(link, &Spec::default(), false, &mut |route| {
            if route.path.protocol == Protocol::DHCP {
                return Ok(());
            }
            bar.inc(1);
            text += &format!("{route}\n");
            Ok(())
        })?;
        if !changed {
            bar.finish_and_clear();
            return out.write_all(text.as_bytes()).map_err(output);
        }
    }
    Err(Error::Changing)
}

/// The agent's code for a config that is saved in memory only.
pub const IN_MEMORY: u16 = 210;

/// Has the agent save the table as its config; gives the number of routes. [`IN_MEMORY`] is
/// a refusal that tells of success.
pub fn save_there<P: Port>(link: &mut Link<P>, bar: &ProgressBar) -> Result<u64, Error> {
    let mut request = Request::Save {};
    loop {
        let before = bar.position();
        let (routes, last) = link.call(&request, |response| match response {
            Response::Saving { routes, last } => Ok((routes, last)),
            _ => Err(Error::Unexpected),
        })?;
        if last {
            return Ok(routes);
        }
        if routes == before {
            std::thread::sleep(POLL_INTERVAL);
        }
        bar.set_position(routes);
        request = Request::Next {};
    }
}
