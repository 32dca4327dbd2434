// SPDX-License-Identifier: MIT OR Apache-2.0
//! `neighbour del` and `neighbour flush`: Linux forgets the hardware addresses of hosts. They are
//! its state, and no part of the config.

use nix::libc;
use nl31_netlink::rtnetlink::{NEIGHBOURS_MAX, Neighbour};
use nl31_netlink::{Client, Error, Transport};
use nl31_route::{DeviceName, words};

use super::reply::{Counted, Reason};
use super::session::Console;
use crate::grammar::{self, codes};

/// Lists that a flush reads at most: Linux keeps some [`NEIGHBOURS_MAX`] of each family.
const ROUNDS_MAX: usize = 4;

impl<T: Transport> Console<T> {
    pub(super) fn delete_neighbour(&mut self, line: &str, start: usize) {
        let (address, device) = match grammar::neighbour(line, start) {
            Ok(neighbour) => neighbour,
            Err(error) => return self.misspelled(line, &error),
        };
        let Some(index) = self.devices.index(&device) else {
            return self.no_such_device(line, start, &device);
        };
        match self.ask(|client| client.delete_neighbour(index, address)) {
            Ok(()) => {
                self.status(
                    codes::DONE,
                    format_args!("deleted neighbour {address} dev {device}"),
                );
            }
            Err(error) => {
                self.failed(
                    &error,
                    format_args!("{address} dev {device}: {}", Reason(&error)),
                );
            }
        }
    }

    pub(super) fn flush_neighbours(&mut self, line: &str, start: usize) {
        let device = match grammar::any_device(line, start) {
            Ok(device) => device,
            Err(error) => return self.misspelled(line, &error),
        };
        let index = match device {
            None => None,
            Some(device) => match self.devices.index(&device) {
                None => return self.no_such_device(line, start, &device),
                index => index,
            },
        };
        match self.ask(|client| flush(client, index)) {
            Ok(count) => {
                let neighbours = Counted(count, "neighbour");
                self.status(codes::DONE, format_args!("deleted {neighbours}"));
            }
            Err(error) => self.failed(&error, format_args!("{}", Reason(&error))),
        }
    }

    fn no_such_device(&mut self, line: &str, start: usize, device: &DeviceName) {
        let is_named = |word: &nl31_route::Word<'_>| word.text.parse().as_ref() == Ok(device);
        if let Some(word) = words(line, start).filter(is_named).last() {
            self.caret(line, word.column, word.text.len());
        }
        self.status(
            codes::NO_DEVICE,
            format_args!("device {device} does not exist"),
        );
    }
}

/// Deletes the neighbours that Linux has learnt, of all devices or of one; gives their number.
fn flush<T: Transport>(client: &mut Client<T>, index: Option<u32>) -> Result<u64, Error> {
    let mut count = 0;
    for _ in 0..ROUNDS_MAX {
        let all = client.neighbours()?;
        let is_meant = |neighbour: &&Neighbour| {
            !neighbour.is_permanent() && index.is_none_or(|index| neighbour.index == index)
        };
        for neighbour in all.iter().filter(is_meant) {
            match client.delete_neighbour(neighbour.index, neighbour.address) {
                Ok(()) => count += 1,
                // It has gone by itself, or with its device.
                Err(error) if matches!(error.errno(), Some(libc::ENOENT | libc::ENODEV)) => {}
                Err(error) => return Err(error),
            }
        }
        if all.len() < NEIGHBOURS_MAX {
            break;
        }
    }
    Ok(count)
}
