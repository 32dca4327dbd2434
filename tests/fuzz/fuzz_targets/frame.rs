// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes on the serial line: exactly the frames that a plain decoder finds are heard, and
//! what a message says is the same when it is written and read again.
#![no_main]

use crc::{CRC_32_ISCSI, Crc};
use libfuzzer_sys::fuzz_target;
use nl31_wire::limits::{FRAME_MAX, ITEMS_MAX, RAW_MAX, VERSION};
use nl31_wire::{Deframer, Frame, FrameError, Heard, Items, ItemsBuffer, Line, Request, Response};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Consistent Overhead Byte Stuffing, from its description.
fn cobs(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = raw;
    loop {
        let run = rest.iter().take(254).take_while(|&&byte| byte != 0).count();
        out.push(run as u8 + 1);
        out.extend_from_slice(&rest[..run]);
        if run == rest.len() {
            return out;
        }
        // a full block stands for no zero
        rest = &rest[run + usize::from(run < 254)..];
    }
}

/// What was stuffed, and whether its last block is whole.
fn uncobs(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    while let Some((&code, rest)) = bytes.split_first() {
        let run = usize::from(code) - 1;
        out.extend_from_slice(&rest[..run.min(rest.len())]);
        if run > rest.len() {
            return (out, false);
        }
        bytes = &rest[run..];
        if code < 0xff && !bytes.is_empty() {
            out.push(0);
        }
    }
    (out, true)
}

/// What is heard behind the first delimiter: frames from version to body, and faults.
fn expected(stream: &[u8]) -> Vec<Result<Vec<u8>, FrameError>> {
    let Some(start) = stream.iter().position(|&byte| byte == 0) else {
        return Vec::new();
    };
    let mut between: Vec<&[u8]> = stream[start + 1..].split(|&byte| byte == 0).collect();
    between.pop();
    let frame = |bytes: &&[u8]| {
        let (raw, whole) = uncobs(bytes);
        if raw.len() > RAW_MAX {
            return Err(FrameError::TooLong);
        }
        if !whole {
            return Err(FrameError::Damaged);
        }
        let (covered, crc) = raw.split_last_chunk::<4>().ok_or(FrameError::Damaged)?;
        if CRC.checksum(covered).to_le_bytes() != *crc || covered.len() < 4 {
            return Err(FrameError::Damaged);
        }
        Ok(covered.to_vec())
    };
    between
        .iter()
        .filter(|bytes| !bytes.is_empty())
        .map(frame)
        .collect()
}

/// What was written of a message is the same message.
fn decoded(frame: &Frame<'_>) {
    let mut out = [0; FRAME_MAX];
    let written = match (Request::decode(frame), Response::decode(frame)) {
        (Ok(request), Err(_)) => {
            if let Request::Change { items }
            | Request::Flush { filter: items, .. }
            | Request::Lookup { prefix: items }
            | Request::Dump { filter: items, .. } = request
            {
                check_items(items);
            }
            request.encode(frame.id, &mut out)
        }
        (Err(_), Ok(response)) => {
            if let Response::Routes { items, .. } | Response::Event { item: items, .. } = response {
                check_items(items);
            }
            response.encode(frame.id, &mut out)
        }
        (Err(_), Err(_)) => return,
        (Ok(_), Ok(_)) => panic!("kind {} is a request and a response", frame.kind),
    };
    let len = written.expect("what fits a frame fits one again");
    let mut deframer = Deframer::new();
    let (last, first) = out[..len].split_last().expect("a frame is not empty");
    for &byte in first {
        assert!(deframer.byte(byte).is_none());
    }
    let again = deframer
        .byte(*last)
        .expect("the end of a frame")
        .expect("a right one");
    // a number may have been written with more bytes than it takes
    assert_eq!(
        (again.version, again.id, again.kind),
        (VERSION, frame.id, frame.kind)
    );
    assert!(again.body.len() <= frame.body.len());
    assert_eq!(Request::decode(&again), Request::decode(frame));
    assert_eq!(Response::decode(&again), Response::decode(frame));
}

/// Items that can be read can be written, and are the same when they are read again.
fn check_items(items: Items<'_>) {
    let _ = items.filter();
    let mut read = Vec::new();
    for item in items.iter() {
        match item {
            Ok(item) => read.push(item),
            Err(error) => {
                assert!(error.offset <= items.bytes().len());
                assert_eq!(items.check(), Err(error));
                return;
            }
        }
    }
    assert!(read.len() <= ITEMS_MAX);
    assert_eq!(items.check(), Ok(read.len()));
    let mut buffer = ItemsBuffer::default();
    let mut written = 0;
    for item in &read {
        // theirs may have used a path that ours has forgotten by then
        if buffer.push(item.op, &item.route).is_err() {
            break;
        }
        written += 1;
    }
    let again: Vec<_> = buffer
        .items()
        .iter()
        .map(|item| item.expect("we wrote it"))
        .collect();
    assert_eq!(again, read[..written]);
    assert_eq!(buffer.len(), written);
}

fuzz_target!(|data: &[u8]| {
    let Some((&how, data)) = data.split_first() else {
        return;
    };
    let mut stream = Vec::new();
    if how & 1 == 0 {
        stream.extend_from_slice(data);
    } else {
        // version, id, kind and bodies that are right on the line, with what stands before
        // them as noise
        let (noise, bodies) = data.split_at(data.len().min(usize::from(how >> 1) % 16));
        stream.extend_from_slice(noise);
        for body in bodies.split(|&byte| byte == 0xfe) {
            let mut raw = if how & 0x80 == 0 {
                vec![VERSION, how, 0]
            } else {
                Vec::new()
            };
            raw.extend_from_slice(body);
            raw.extend_from_slice(&CRC.checksum(&raw).to_le_bytes());
            stream.push(0);
            stream.extend_from_slice(&cobs(&raw));
            stream.push(0);
        }
    }

    let mut line = Line::new();
    let mut heard = Vec::new();
    // What is typed is heard in its order, and without delimiters.
    let mut typed = stream.iter().filter(|&&byte| byte != 0);
    for &byte in &stream {
        let taken = line.frames();
        match line.byte(byte) {
            Heard::Nothing => {}
            Heard::Text(text) => {
                assert!(!taken);
                assert!(text.iter().all(|byte| typed.any(|next| next == byte)));
            }
            Heard::Bad(error) => {
                assert!(taken);
                heard.push(Err(error));
            }
            Heard::Frame(frame) => {
                let [low, high] = frame.id.to_le_bytes();
                let mut raw = vec![frame.version, low, high, frame.kind];
                raw.extend_from_slice(frame.body);
                heard.push(Ok(raw));
                decoded(&frame);
            }
        }
    }
    // The first frame of a version from 1 to 7 takes the line; what is before it does not count.
    let all = expected(&stream);
    let takes = |frame: &Result<Vec<u8>, _>| matches!(frame, Ok(raw) if (1..=7).contains(&raw[0]));
    let first = all.iter().position(takes).unwrap_or(all.len());
    assert_eq!(heard, all[first..]);
    assert_eq!(line.frames(), first < all.len());
});
