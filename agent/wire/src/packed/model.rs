// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is coded of an item, and by which models: its operation, its prefix as a step from
//! the one before, and its path by how recently it was used.

use core::net::IpAddr;

use nl31_route::{Family, Prefix};

use super::coder::{Bit, Coder};
use crate::items::{Op, PathBytes};

/// Where a prefix is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind the one before, in the order of addresses.
    #[default]
    Next,
    /// The one before.
    Same,
    /// Anywhere.
    Anywhere,
}

/// What is coded of an item; what it does not have is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Symbols {
    /// Index of the operation in [`Op::ALL`], or what is none.
    pub(super) op: u8,
    pub(super) place: Place,
    /// [`Place::Anywhere`]: it is an IPv6 prefix.
    pub(super) six: bool,
    /// Length of the prefix, or more than there is.
    pub(super) len: u8,
    /// [`Place::Next`]: the prefix before covers it.
    pub(super) inside: bool,
    /// [`Place::Next`]: prefixes of its length that are left out.
    /// [`Place::Anywhere`]: the bits of its address that count.
    pub(super) number: u128,
    /// How many other paths were used since, or [`NEW`].
    pub(super) rank: u8,
}

/// A path that is not among those remembered: its bytes follow.
pub(super) const NEW: u8 = u8::MAX;

/// Classes of lengths.
const CLASSES: usize = 14;
/// Numbers of so many bits and more share the models of their highest bits.
const WIDE: u8 = 15;
/// Highest bits of a number that have models.
const LEADING: u32 = 3;

// Where the models of each symbol begin.
const OP: usize = 0;
const NEXT: usize = OP + Op::ALL.len() * 8;
const SAME: usize = NEXT + Op::ALL.len() * 3;
const SIX: usize = SAME + Op::ALL.len() * 3;
const LENGTH: usize = SIX + 1;
const LENGTH_LONG: usize = LENGTH + (CLASSES + 2) * 64;
const INSIDE: usize = LENGTH_LONG + 128;
const WIDTH_INSIDE: usize = INSIDE + CLASSES * 16;
const WIDTH_BEHIND: usize = WIDTH_INSIDE + 16 * 16;
const WIDTH_LONG: usize = WIDTH_BEHIND + CLASSES * 3 * 16;
const LEADING_INSIDE: usize = WIDTH_LONG + 2 * 128;
const LEADING_BEHIND: usize = LEADING_INSIDE + 16 * 8;
const RECENT: usize = LEADING_BEHIND + 16 * 8;
const RANK: usize = RECENT + 4;
pub(super) const MODELS: usize = RANK + 256;

fn class(family: Family, len: u8) -> usize {
    let class = match family {
        Family::V4 => len.saturating_sub(13),
        Family::V6 => len / 4,
    };
    usize::from(class).min(CLASSES - 1)
}

/// The state that both ends keep of previous items, apart from their paths.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) bits: [Bit; MODELS],
    op: u8,
    place: Place,
    pub(super) prefix: Prefix,
    /// The path was that of the item before.
    again: bool,
}

impl Model {
    pub(super) const fn new() -> Self {
        Self {
            bits: [Bit::HALF; MODELS],
            op: 0,
            place: Place::Next,
            prefix: Prefix::DEFAULT4,
            again: false,
        }
    }

    /// Codes the symbols of an item. Stops where the operation is none.
    pub(super) fn code(&mut self, coder: &mut impl Coder, mut item: Symbols) -> Symbols {
        let bits = &mut self.bits;
        item.op = coder.tree(bits, OP + usize::from(self.op) * 8, 3, item.op);
        let Some(op) = Op::ALL.get(usize::from(item.op)) else {
            return item;
        };
        let before = usize::from(item.op) * 3 + self.place as usize;
        item.place = if coder.bit(bits, NEXT + before, item.place == Place::Next) {
            Place::Next
        } else if coder.bit(bits, SAME + before, item.place == Place::Same) {
            Place::Same
        } else {
            Place::Anywhere
        };
        match item.place {
            Place::Next => self.code_next(coder, &mut item),
            Place::Same => {}
            Place::Anywhere => {
                item.six = coder.bit(bits, SIX, item.six);
                let class = CLASSES + usize::from(item.six);
                item.len = length(coder, bits, class, item.len);
                item.number = coder.even_bits(item.len.min(128).into(), item.number);
            }
        }
        if *op != Op::DeletePrefix {
            self.code_path(coder, &mut item);
        }
        item
    }

    fn code_next(&mut self, coder: &mut impl Coder, item: &mut Symbols) {
        let bits = &mut self.bits;
        let (family, before) = (self.prefix.family(), self.prefix.len());
        let class_before = class(family, before);
        item.len = length(coder, bits, class_before, item.len);
        let deeper = usize::from(item.len.saturating_sub(before)).min(15);
        item.inside = deeper > 0 && {
            let index = INSIDE + class_before * 16 + deeper;
            coder.bit(bits, index, item.inside)
        };
        let (width, long, leading) = match item.inside {
            true => (WIDTH_INSIDE + deeper * 16, WIDTH_LONG, LEADING_INSIDE),
            false => {
                let order = item.len.cmp(&before) as i8 + 1;
                let context = class(family, item.len) * 3 + order as usize;
                let width = WIDTH_BEHIND + context * 16;
                (width, WIDTH_LONG + 128, LEADING_BEHIND)
            }
        };
        item.number = number(coder, bits, [width, long, leading], item.number);
    }

    fn code_path(&mut self, coder: &mut impl Coder, item: &mut Symbols) {
        let same_prefix = item.place == Place::Same;
        let index = RECENT + usize::from(same_prefix) * 2 + usize::from(self.again);
        let again = coder.bit(&mut self.bits, index, item.rank == 0);
        item.rank = match again {
            true => 0,
            false => coder.tree(&mut self.bits, RANK, 8, item.rank),
        };
    }

    /// Remembers an item that was coded.
    pub(super) fn coded(&mut self, item: &Symbols, prefix: Prefix) {
        self.op = item.op;
        self.place = item.place;
        self.prefix = prefix;
        if usize::from(item.op) != Op::DeletePrefix as usize {
            self.again = item.rank == 0;
        }
    }
}

/// A length, which is up to 190 where it is none.
fn length(coder: &mut impl Coder, bits: &mut [Bit], class: usize, len: u8) -> u8 {
    escaped(coder, bits, LENGTH + class * 64, 6, LENGTH_LONG, len)
}

/// A small number by a tree of `width` bits, a larger one by its highest value and another
/// tree of 7 bits.
fn escaped(
    coder: &mut impl Coder,
    bits: &mut [Bit],
    base: usize,
    width: u32,
    long: usize,
    value: u8,
) -> u8 {
    let escape = (1 << width) - 1;
    match coder.tree(bits, base, width, value.min(escape)) {
        read if read < escape => read,
        _ => escape + coder.tree(bits, long, 7, value.saturating_sub(escape)),
    }
}

/// A number of any size: how many bits it has, then these but for the first, which is 1.
fn number(
    coder: &mut impl Coder,
    bits: &mut [Bit],
    [base, long, leading]: [usize; 3],
    value: u128,
) -> u128 {
    let width = (u128::BITS - value.leading_zeros()) as u8;
    let width = escaped(coder, bits, base, 4, long, width).min(128);
    let Some(below) = u32::from(width).checked_sub(1) else {
        return 0;
    };
    let modelled = below.min(LEADING);
    let leading = leading + usize::from(width.min(WIDE)) * 8;
    let rest = below - modelled;
    let high = coder.tree(bits, leading, modelled, (value >> rest) as u8 & 7);
    u128::from(high) << rest | 1 << below | coder.even_bits(rest, value)
}

/// The number of the leading `len` bits of an address.
fn leading_bits(address: IpAddr, len: u8) -> u128 {
    let (bits, width) = match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    bits.checked_shr(width - u32::from(len)).unwrap_or(0)
}

/// The prefix of these leading bits, if there is one.
fn from_leading_bits(family: Family, len: u8, number: u128) -> Option<Prefix> {
    let rest = family.bits().checked_sub(len)?;
    if len < 128 && number >> len != 0 {
        return None;
    }
    let bits = number.checked_shl(rest.into()).unwrap_or(0);
    let address = match family {
        Family::V4 => IpAddr::V4((bits as u32).into()),
        Family::V6 => IpAddr::V6(bits.into()),
    };
    Prefix::new(address, len).ok()
}

/// The first prefix of a length that is inside of another one, or behind it: its leading bits.
fn first(before: Prefix, len: u8, inside: bool) -> Option<u128> {
    if inside || len <= before.len() {
        let same = leading_bits(before.address(), len);
        return same.checked_add(u128::from(!inside));
    }
    let deeper = u32::from(len - before.len());
    let behind = leading_bits(before.address(), before.len()).checked_add(1)?;
    // All that is behind may be nothing.
    (behind >> before.len() == 0).then(|| behind << deeper)
}

impl Symbols {
    /// The symbols of a prefix after another one.
    pub(super) fn of_prefix(before: Prefix, prefix: Prefix) -> Self {
        let len = prefix.len();
        if before == prefix {
            return Self {
                place: Place::Same,
                ..Self::default()
            };
        }
        if before.family() == prefix.family() && before < prefix {
            let inside = before.covers(prefix);
            let first = first(before, len, inside).expect("a prefix is behind");
            return Self {
                len,
                inside,
                number: leading_bits(prefix.address(), len) - first,
                ..Self::default()
            };
        }
        Self {
            place: Place::Anywhere,
            six: prefix.family() == Family::V6,
            len,
            number: leading_bits(prefix.address(), len),
            ..Self::default()
        }
    }

    /// The prefix after another one, if there is one.
    pub(super) fn prefix(&self, before: Prefix) -> Option<Prefix> {
        match self.place {
            Place::Same => Some(before),
            Place::Next => {
                if self.len > before.family().bits() {
                    return None;
                }
                let first = first(before, self.len, self.inside)?;
                let number = first.checked_add(self.number)?;
                let prefix = from_leading_bits(before.family(), self.len, number)?;
                (before.covers(prefix) == self.inside).then_some(prefix)
            }
            Place::Anywhere => {
                let family = if self.six { Family::V6 } else { Family::V4 };
                from_leading_bits(family, self.len, self.number)
            }
        }
    }
}

/// Paths that were used, the last one first.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentPaths(heapless::Vec<PathBytes, { NEW as usize }>);

impl RecentPaths {
    /// The rank of a path, [`NEW`] where it is not among them.
    pub(super) fn rank(&self, path: &PathBytes) -> u8 {
        let place = self.0.iter().position(|known| known == path);
        place.map_or(NEW, |place| place as u8)
    }

    /// The path of a rank, which is the last one used then.
    pub(super) fn reuse(&mut self, rank: u8) -> Option<&PathBytes> {
        self.0.get_mut(..=usize::from(rank))?.rotate_right(1);
        self.0.first()
    }

    /// Adds a new one, which takes the place of the one that was not used for longest.
    pub(super) fn add(&mut self, path: PathBytes) {
        if let Err(path) = self.0.push(path) {
            *self.0.last_mut().expect("it is full") = path;
        }
        self.0.rotate_right(1);
    }
}
