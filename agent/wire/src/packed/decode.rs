// SPDX-License-Identifier: MIT OR Apache-2.0
//! Items from packed bytes.

use nl31_route::Spec;

use super::coder::{Coder, Decoder};
use super::model::{Model, NEW, RecentPaths, Symbols};
use crate::items::{BadItems, Item, Op, PathBytes, path_from_bytes};
use crate::limits::PACKED_MAX;

/// Unpacks the items of one transaction or list, frame by frame in their order. After an
/// error it is of no more use. Takes some 17 KB.
#[derive(Clone, Debug)]
pub struct Unpacker {
    model: Model,
    paths: RecentPaths,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self::new()
    }
}

impl Unpacker {
    /// At the start of a transaction or list.
    pub fn new() -> Self {
        Self {
            model: Model::new(),
            paths: RecentPaths::default(),
        }
    }

    /// The items of the next frame, all of which have to be taken. Ends after the first error.
    pub fn unpack<'a>(&'a mut self, count: u16, packed: &'a [u8]) -> Unpacked<'a> {
        Unpacked {
            unpacker: self,
            decoder: Decoder::new(packed),
            left: count,
            first: true,
            ended: false,
        }
    }

    fn item(&mut self, decoder: &mut Decoder<'_>) -> Result<Item, &'static str> {
        let symbols = self.model.code(decoder, Symbols::default());
        let op = *Op::ALL
            .get(usize::from(symbols.op))
            .ok_or("unknown operation")?;
        let prefix = symbols
            .prefix(self.model.prefix)
            .ok_or("there is no such prefix")?;
        let path = match (op, symbols.rank) {
            (Op::DeletePrefix, _) => Spec::default(),
            (_, NEW) => {
                let bytes = new_path(decoder)?;
                let path = path_from_bytes(&bytes)?;
                self.paths.add(bytes);
                path
            }
            (_, rank) => {
                let bytes = self.paths.reuse(rank);
                path_from_bytes(bytes.ok_or("there is no such path")?)?
            }
        };
        if decoder.is_short() {
            return Err("more bytes were expected");
        }
        self.model.coded(&symbols, prefix);
        let route = Spec {
            prefix: Some(prefix),
            ..path
        };
        Ok(Item { op, route })
    }
}

fn new_path(decoder: &mut Decoder<'_>) -> Result<PathBytes, &'static str> {
    let mut bytes = PathBytes::new();
    for _ in 0..decoder.even_bits(6, 0) {
        let byte = decoder.even_bits(8, 0) as u8;
        bytes
            .push(byte)
            .map_err(|_| "more bytes than a path may have")?;
    }
    Ok(bytes)
}

/// See [`Unpacker::unpack`].
#[derive(Debug)]
pub struct Unpacked<'a> {
    unpacker: &'a mut Unpacker,
    decoder: Decoder<'a>,
    left: u16,
    first: bool,
    ended: bool,
}

impl Unpacked<'_> {
    fn item(&mut self) -> Result<Option<Item>, &'static str> {
        if core::mem::take(&mut self.first) && usize::from(self.left) > PACKED_MAX {
            return Err("more items than a frame may have");
        }
        let Some(left) = self.left.checked_sub(1) else {
            return match self.decoder.has_more() {
                true => Err("more bytes than the items take"),
                false => Ok(None),
            };
        };
        self.left = left;
        self.unpacker.item(&mut self.decoder).map(Some)
    }
}

impl Iterator for Unpacked<'_> {
    type Item = Result<Item, BadItems>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.item().map_err(|reason| {
            let offset = self.decoder.offset();
            BadItems { offset, reason }
        });
        self.ended = !matches!(item, Ok(Some(_)));
        item.transpose()
    }
}
