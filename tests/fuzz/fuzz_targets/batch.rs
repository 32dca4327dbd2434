// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes as packed frames of one transaction, and any plain items packed: what is read can be
//! packed again and is the same when it is read, and a frame with an error ends with it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nl31_wire::limits::PACKED_MAX;
use nl31_wire::{ITEMS_BYTES, Item, Items, Op, Packer, Unpacker};

/// What is left of an item: of a deletion of a prefix no path is packed.
fn arrives(item: &Item) -> Item {
    let mut item = item.clone();
    if item.op == Op::DeletePrefix {
        let prefix = item.route.prefix;
        item.route = Default::default();
        item.route.prefix = prefix;
    }
    item
}

/// Frames of these items, each as full as it can be, and read again.
fn survives(items: &[Item]) {
    let (mut packer, mut unpacker) = (Packer::new(), Unpacker::new());
    let mut arrived = items.iter().map(arrives);
    let mut end = |packer: &mut Packer| {
        let (count, bytes) = packer.finish();
        assert!(usize::from(count) <= PACKED_MAX && bytes.len() <= ITEMS_BYTES);
        for item in unpacker.unpack(count, bytes) {
            assert_eq!(item.ok(), arrived.next());
        }
        packer.next_frame();
    };
    for item in items {
        if packer.push(item.op, &item.route).is_err() {
            assert!(!packer.is_empty());
            end(&mut packer);
            packer
                .push(item.op, &item.route)
                .expect("an empty frame has room for any item");
        }
    }
    end(&mut packer);
    assert_eq!(arrived.next(), None);
}

fuzz_target!(|data: &[u8]| {
    let Some((&how, data)) = data.split_first() else {
        return;
    };
    let mut read = Vec::new();
    if how == 0 {
        // Parts as long as a frame of plain items, which has a memory of its own.
        for part in data.chunks(ITEMS_BYTES) {
            read.extend(Items::new(part).iter().map_while(Result::ok));
        }
        return survives(&read);
    }
    // Frames: two bytes that say how many items there are, then the items up to the next fe fe.
    let mut unpacker = Unpacker::new();
    let mut rest = data;
    while let Some((&[low, high], behind)) = rest.split_first_chunk::<2>() {
        let end = behind.windows(2).position(|two| two == [0xfe, 0xfe]);
        let len = end.unwrap_or(behind.len()).min(ITEMS_BYTES);
        let count = u16::from_le_bytes([low, high & 0x0f]);
        let mut left = usize::from(count);
        for item in unpacker.unpack(count, &behind[..len]) {
            match item {
                Ok(item) => {
                    left = left.checked_sub(1).expect("no more items than there are");
                    read.push(item);
                }
                Err(error) => {
                    assert!(error.offset <= len);
                    return survives(&read);
                }
            }
        }
        assert_eq!(left, 0, "some items are missing without an error");
        rest = behind.get(len + 2..).unwrap_or(&[]);
    }
    survives(&read);
});
