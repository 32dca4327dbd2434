// SPDX-License-Identifier: MIT OR Apache-2.0
//! Deletes all routes that match a filter.

use nl31_netlink::{Client, Device, Error, Spec, Transport};

use crate::grammar::codes::{self, Code};

/// Deletes every path that matches `spec`. Its prefix selects itself alone, or with `longer`
/// every prefix that it covers.
pub fn flush<T: Transport>(
    client: &mut Client<T>,
    spec: &Spec<Device>,
    longer: bool,
) -> Result<(), Error> {
    match spec.prefix {
        // The kernel's bulk delete covers a prefix and all prefixes inside it.
        Some(prefix) if !longer && !spec.has_path() => client.delete_prefix(prefix),
        Some(_) if !longer => delete_each(client, spec),
        _ => client.delete_all(spec),
    }
}

/// Deletes every path of a prefix that matches `spec`.
fn delete_each<T: Transport>(client: &mut Client<T>, spec: &Spec<Device>) -> Result<(), Error> {
    client.delete(spec)?;
    loop {
        match client.delete(spec) {
            Ok(()) => {}
            Err(error) if Code::of(&error) == codes::NO_ROUTE => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
