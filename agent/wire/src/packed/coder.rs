// SPDX-License-Identifier: MIT OR Apache-2.0
//! The binary arithmetic coder: an interval of 32 bits, whose leading bytes are shifted out
//! once both ends agree in them, so there is no carry.

use crate::frame::Full;
use crate::items::ITEMS_BYTES;

/// Probability that a bit is 1, and how often it was adapted: 14 bits and 2 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bit(u16);

const COUNT_BITS: u32 = 2;
const ONE: u16 = 1 << (16 - COUNT_BITS);

impl Bit {
    pub(super) const HALF: Self = Self((ONE / 2) << COUNT_BITS);

    fn probability(self) -> u16 {
        self.0 >> COUNT_BITS
    }

    /// Moves the probability towards `bit`: by a quarter at first, by 1/32 from the fourth
    /// time on. It never comes to 0 or 1, where the shifted distance is 0.
    fn adapt(&mut self, bit: bool) {
        let (probability, count) = (self.probability(), self.0 & 3);
        let shift = count + 2;
        let probability = match bit {
            true => probability + ((ONE - probability) >> shift),
            false => probability - (probability >> shift),
        };
        self.0 = probability << COUNT_BITS | (count + 1).min(3);
    }
}

/// Where an interval is divided: the part up to this number, included, stands for 1.
fn middle(low: u32, high: u32, probability: u16) -> u32 {
    let range = u64::from(high - low);
    low + ((range * u64::from(probability)) >> (16 - COUNT_BITS)) as u32
}

/// One end of the coder. The encoder codes the bit that it is given, the decoder ignores that
/// and gives the one that was coded.
pub(super) trait Coder {
    /// A bit of this model, which adapts to it.
    fn bit(&mut self, models: &mut [Bit], index: usize, bit: bool) -> bool;

    /// A bit that is as often 0 as 1.
    fn even_bit(&mut self, bit: bool) -> bool;

    /// `width` such bits, highest first.
    fn even_bits(&mut self, width: u32, value: u128) -> u128 {
        (0..width).rev().fold(0, |read, at| {
            read << 1 | u128::from(self.even_bit(value >> at & 1 == 1))
        })
    }

    /// `width` bits, highest first, each with a model of its own for each value of those
    /// before it: 2^`width` models from `base` on, whose first one is not used.
    fn tree(&mut self, models: &mut [Bit], base: usize, width: u32, value: u8) -> u8 {
        let node = (0..width).rev().fold(1, |node, at| {
            let bit = self.bit(models, base + node, value >> at & 1 == 1);
            node << 1 | usize::from(bit)
        });
        (node - (1 << width)) as u8
    }
}

/// Most bits with a model in an item; those of [`Model::code`](super::model::Model::code).
pub(super) const MODELLED_MAX: usize = 48;

/// The encoding end, for one frame at a time.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    low: u32,
    high: u32,
    bytes: heapless::Vec<u8, ITEMS_BYTES>,
    overflow: bool,
    /// Models as they were before the item, oldest first.
    undo: heapless::Vec<(u16, Bit), MODELLED_MAX>,
}

/// State of the coder at the start of an item.
pub(super) struct Mark {
    low: u32,
    high: u32,
    len: usize,
}

impl Encoder {
    pub(super) const fn new() -> Self {
        Self {
            low: 0,
            high: u32::MAX,
            bytes: heapless::Vec::new(),
            overflow: false,
            undo: heapless::Vec::new(),
        }
    }

    /// Begins a frame.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    /// Begins an item.
    pub(super) fn begin(&mut self) -> Mark {
        self.undo.clear();
        self.overflow = false;
        Mark {
            low: self.low,
            high: self.high,
            len: self.bytes.len(),
        }
    }

    /// Ends an item. If the item does not fit, restores the state before it, models included.
    pub(super) fn end(&mut self, mark: &Mark, models: &mut [Bit]) -> Result<(), Full> {
        // One byte is kept for the end of the frame.
        if !self.overflow && self.bytes.len() < ITEMS_BYTES {
            return Ok(());
        }
        for &(index, before) in self.undo.iter().rev() {
            models[usize::from(index)] = before;
        }
        self.bytes.truncate(mark.len);
        (self.low, self.high) = (mark.low, mark.high);
        Err(Full)
    }

    /// The bytes of the frame so far and its end: with zeros behind, they are a number of
    /// the interval.
    pub(super) fn finish(&mut self) -> &[u8] {
        if self.low > 0 {
            // Both ends differ in this byte.
            let last = (self.low >> 24) as u8 + 1;
            self.bytes.push(last).expect("a byte was kept for it");
            (self.low, self.high) = (0, u32::MAX);
        }
        &self.bytes
    }

    fn divide(&mut self, probability: u16, bit: bool) {
        let middle = middle(self.low, self.high, probability);
        match bit {
            true => self.high = middle,
            false => self.low = middle + 1,
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.overflow |= self.bytes.push((self.low >> 24) as u8).is_err();
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
        }
    }
}

impl Coder for Encoder {
    fn bit(&mut self, models: &mut [Bit], index: usize, bit: bool) -> bool {
        let before = models[index];
        self.undo
            .push((index as u16, before))
            .expect("MODELLED_MAX are the most bits of an item");
        self.divide(before.probability(), bit);
        models[index].adapt(bit);
        bit
    }

    fn even_bit(&mut self, bit: bool) -> bool {
        self.divide(ONE / 2, bit);
        bit
    }
}

/// The decoding end, for one frame. Behind the end of its bytes it reads zeros.
#[derive(Clone, Debug)]
pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    /// Bytes read, with the zeros.
    at: usize,
    low: u32,
    high: u32,
    number: u32,
}

/// Bytes of the number that divides an interval.
const NUMBER: usize = 4;

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self {
            bytes,
            at: 0,
            low: 0,
            high: u32::MAX,
            number: 0,
        };
        (0..NUMBER).for_each(|_| decoder.shift());
        decoder
    }

    /// Bytes that can count for what was read.
    pub(super) fn offset(&self) -> usize {
        self.at.min(self.bytes.len())
    }

    /// Whether more was decoded than the bytes contain.
    pub(super) fn is_short(&self) -> bool {
        self.at > self.bytes.len() + NUMBER
    }

    /// Whether bytes are left undecoded.
    pub(super) fn has_more(&self) -> bool {
        self.at < self.bytes.len()
    }

    fn shift(&mut self) {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        self.number = self.number << 8 | u32::from(byte);
    }

    fn divide(&mut self, probability: u16) -> bool {
        let middle = middle(self.low, self.high, probability);
        let bit = self.number <= middle;
        match bit {
            true => self.high = middle,
            false => self.low = middle + 1,
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
            self.shift();
        }
        bit
    }
}

impl Coder for Decoder<'_> {
    fn bit(&mut self, models: &mut [Bit], index: usize, _: bool) -> bool {
        let bit = self.divide(models[index].probability());
        models[index].adapt(bit);
        bit
    }

    fn even_bit(&mut self, _: bool) -> bool {
        self.divide(ONE / 2)
    }
}
