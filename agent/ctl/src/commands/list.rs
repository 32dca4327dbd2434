// SPDX-License-Identifier: MIT OR Apache-2.0
//! A list of routes, part by part, with as many requests in flight as the agent takes.

use nl31_route::{DeviceName, Route, Spec};
use nl31_wire::{ItemsBuffer, Request, Response, Unpacker};

use super::route::routes;
use crate::error::Error;
use crate::link::Link;
use crate::port::Port;

/// Number of the table's last change.
pub fn generation<P: Port>(link: &mut Link<P>) -> Result<u64, Error> {
    link.call(&Request::Table {}, |response| match response {
        Response::Counters { generation, .. } => Ok(generation),
        _ => Err(Error::Unexpected),
    })
}

/// Calls `each` with every route that passes a filter; gives whether the table changed
/// meanwhile.
pub fn list<P: Port>(
    link: &mut Link<P>,
    filter: &Spec<DeviceName>,
    longer: bool,
    each: &mut dyn FnMut(Route<DeviceName>) -> Result<(), Error>,
) -> Result<bool, Error> {
    link.hurry()?;
    let listed = parts(link, filter, longer, each);
    match listed {
        Err(error) if error.is_link_lost() => Err(error),
        listed => link.unhurry().and(listed),
    }
}

fn parts<P: Port>(
    link: &mut Link<P>,
    filter: &Spec<DeviceName>,
    longer: bool,
    each: &mut dyn FnMut(Route<DeviceName>) -> Result<(), Error>,
) -> Result<bool, Error> {
    let filter = ItemsBuffer::filter(filter);
    let filter = filter.items();
    link.submit(&match link.can_pack() {
        true => Request::PackedDump { filter, longer },
        false => Request::Dump { filter, longer },
    })?;
    let mut unpacker = Unpacker::new();
    let mut end = None;
    let mut failed = None;
    loop {
        while end.is_none() && failed.is_none() && link.room() > 0 {
            link.submit(&Request::Next {})?;
        }
        if link.pending() == 0 {
            break;
        }
        let part = link.answer(|response| match response {
            Response::Routes {
                items,
                last,
                interrupted,
            } => Ok((routes(items.iter())?, last, interrupted)),
            Response::PackedRoutes {
                count,
                packed,
                last,
                interrupted,
            } => Ok((routes(unpacker.unpack(count, packed))?, last, interrupted)),
            _ => Err(Error::Unexpected),
        });
        match part {
            Ok((routes, last, interrupted)) if failed.is_none() => {
                if last {
                    end = Some(interrupted);
                }
                failed = routes.into_iter().try_for_each(&mut *each).err();
            }
            Ok(_) => {}
            // Requests that were sent before the end was known.
            Err(Error::Refused(_)) if end.is_some() || failed.is_some() => {}
            Err(error @ Error::Refused(_)) => failed = Some(error),
            Err(error) => return Err(error),
        }
    }
    match (failed, end) {
        (Some(error), None) => {
            let _ = link.done(&Request::Stop {});
            Err(error)
        }
        (Some(error), Some(_)) => Err(error),
        (None, end) => Ok(end.unwrap_or(false)),
    }
}
