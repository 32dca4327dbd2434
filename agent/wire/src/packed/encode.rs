// SPDX-License-Identifier: MIT OR Apache-2.0
//! Items to packed bytes.

use nl31_route::{DeviceName, Spec};

use super::coder::{Coder, Encoder};
use super::model::{Model, NEW, RecentPaths, Symbols};
use crate::frame::Full;
use crate::items::{Op, path_bytes};
use crate::limits::PACKED_MAX;

/// Packs the items of one transaction or list, frame by frame. The frames are to be sent in
/// their order, all of them. Takes some 18 KB.
#[derive(Clone, Debug)]
pub struct Packer {
    model: Model,
    paths: RecentPaths,
    encoder: Encoder,
    count: u16,
}

impl Default for Packer {
    fn default() -> Self {
        Self::new()
    }
}

impl Packer {
    /// At the start of a transaction or list, with an empty frame.
    pub fn new() -> Self {
        Self {
            model: Model::new(),
            paths: RecentPaths::default(),
            encoder: Encoder::new(),
            count: 0,
        }
    }

    /// Adds a change to the frame; nothing if there is no room for it. An empty frame has
    /// room for any. A route without a prefix is none, and is taken for one that has no
    /// room. Of [`Op::DeletePrefix`] the path is left out.
    pub fn push(&mut self, op: Op, route: &Spec<DeviceName>) -> Result<(), Full> {
        let prefix = route.prefix.ok_or(Full)?;
        if usize::from(self.count) == PACKED_MAX {
            return Err(Full);
        }
        let path = path_bytes(route);
        let rank = match op {
            Op::DeletePrefix => 0,
            _ => self.paths.rank(&path),
        };
        let symbols = Symbols {
            op: op as u8,
            rank,
            ..Symbols::of_prefix(self.model.prefix, prefix)
        };
        let mark = self.encoder.begin();
        self.model.code(&mut self.encoder, symbols);
        if rank == NEW {
            self.encoder.even_bits(6, path.len() as u128);
            for byte in &path {
                self.encoder.even_bits(8, u128::from(*byte));
            }
        }
        self.encoder.end(&mark, &mut self.model.bits)?;
        self.model.coded(&symbols, prefix);
        self.count += 1;
        match (op, rank) {
            (Op::DeletePrefix, _) => {}
            (_, NEW) => self.paths.add(path),
            (_, rank) => {
                self.paths.reuse(rank);
            }
        }
        Ok(())
    }

    /// Number of items in the frame.
    pub fn len(&self) -> usize {
        self.count.into()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Ends the frame: its number of items, and their bytes. The next frame begins with
    /// [`Packer::next_frame`].
    pub fn finish(&mut self) -> (u16, &[u8]) {
        (self.count, self.encoder.finish())
    }

    /// Begins the next frame.
    pub fn next_frame(&mut self) {
        self.encoder.clear();
        self.count = 0;
    }
}
