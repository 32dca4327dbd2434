// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decompresses bzip2, in some four megabytes.
//!
//! A reader of our own: of the crates, `bzip2-rs` ends at the first of several streams, which
//! `pbzip2` writes, and does not check the checksum of a stream; `libbz2-rs-sys` has a licence
//! that deny.toml does not allow; `bzip2-sys` is the C library.

use std::io::{self, Read};

/// Begins a block: the digits of pi.
const BLOCK: u64 = 0x3141_5926_5359;

/// Ends a stream: the digits of its root.
const END: u64 = 0x1772_4538_5090;

/// The longest code of a symbol in bits.
const CODE_MAX: usize = 20;

/// Symbols of a block: two for runs, the others of 256 bytes, one for the end.
const SYMBOLS_MAX: usize = 258;

/// Symbols that are coded alike.
const GROUP: usize = 50;

/// Whether data that starts so is compressed by bzip2.
pub fn is_bzip2(start: &[u8]) -> bool {
    let is_magic = |magic: u64| start.get(4..10) == Some(&magic.to_be_bytes()[2..]);
    start.starts_with(b"BZh") && (is_magic(BLOCK) || is_magic(END))
}

fn damaged<T>(what: &str) -> io::Result<T> {
    let text = format!("the bzip2 data is damaged: {what}");
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

/// Decompresses one stream or several.
pub struct Reader<R> {
    bits: Bits<R>,
    /// Largest block of this stream in bytes; `None` before a stream.
    block_max: Option<usize>,
    /// In the low byte a byte of the block; above it the index of the one that follows.
    block: Vec<u32>,
    next: u32,
    /// Bytes of the block that are not read yet.
    left: usize,
    in_block: bool,
    /// The last byte, and how often it came in succession.
    run: (u8, u8),
    /// How often the last byte is to be repeated.
    repeats: u8,
    crc: u32,
    block_crc: u32,
    stream_crc: u32,
    at_end: bool,
}

impl<R: Read> Reader<R> {
    /// Begins at the start of a stream.
    pub fn new(source: R) -> Self {
        Self {
            bits: Bits::new(source),
            block_max: None,
            block: Vec::new(),
            next: 0,
            left: 0,
            in_block: false,
            run: (0, 0),
            repeats: 0,
            crc: 0,
            block_crc: 0,
            stream_crc: 0,
            at_end: false,
        }
    }

    /// Goes on to the next block; says whether there is one.
    fn next_block(&mut self) -> io::Result<bool> {
        loop {
            if self.at_end {
                return Ok(false);
            }
            let block_max = match self.block_max {
                Some(max) => max,
                None => self.stream()?,
            };
            match self.bits.take(24)? << 24 | self.bits.take(24)? {
                BLOCK => {
                    self.read_block(block_max)?;
                    return Ok(true);
                }
                END => {
                    if self.bits.take(32)? != u64::from(self.stream_crc) {
                        return damaged("the checksum of a stream is wrong");
                    }
                    self.bits.align();
                    self.block_max = None;
                    self.at_end = self.bits.is_at_end()?;
                }
                _ => return damaged("a block is missing"),
            }
        }
    }

    /// Begins a stream; gives the largest size of its blocks.
    fn stream(&mut self) -> io::Result<usize> {
        let (name, level) = (self.bits.take(24)?, self.bits.take(8)? as u8);
        if name != 0x42_5a68 || !level.is_ascii_digit() || level == b'0' {
            return damaged("other data follows a stream");
        }
        let max = usize::from(level - b'0') * 100_000;
        self.block_max = Some(max);
        self.stream_crc = 0;
        Ok(max)
    }

    fn read_block(&mut self, block_max: usize) -> io::Result<()> {
        self.block_crc = self.bits.take(32)? as u32;
        if self.bits.take(1)? != 0 {
            return damaged("a block is randomised, as only bzip2 0.9.0 wrote it");
        }
        let first = self.bits.take(24)? as usize;
        let bytes = self.bytes_in_use()?;
        let (selectors, codes) = self.codes(bytes.len() + 2)?;
        let mut counts = [0_u32; 256];
        self.block.clear();
        self.symbols(block_max, bytes, &selectors, &codes, &mut counts)?;
        if first >= self.block.len() {
            return damaged("a block begins behind its end");
        }
        // The inverse Burrows-Wheeler transform: the first column is the last one, sorted.
        let mut sum = 0;
        for count in &mut counts {
            sum += std::mem::replace(count, sum);
        }
        for index in 0..self.block.len() {
            let place = &mut counts[(self.block[index] & 0xff) as usize];
            self.block[*place as usize] |= (index as u32) << 8;
            *place += 1;
        }
        self.next = self.block[first] >> 8;
        self.left = self.block.len();
        self.in_block = true;
        self.run = (0, 0);
        self.crc = u32::MAX;
        Ok(())
    }

    /// The bytes that the block has.
    fn bytes_in_use(&mut self) -> io::Result<Vec<u8>> {
        let ranges = self.bits.take(16)?;
        let mut bytes = Vec::with_capacity(256);
        for range in (0..16).filter(|range| ranges >> (15 - range) & 1 != 0) {
            let used = self.bits.take(16)?;
            let bits = (0..16).filter(|bit| used >> (15 - bit) & 1 != 0);
            bytes.extend(bits.map(|bit: u8| range << 4 | bit));
        }
        match bytes.is_empty() {
            true => damaged("a block has no bytes"),
            false => Ok(bytes),
        }
    }

    /// Which code each group of symbols has, and the codes.
    fn codes(&mut self, symbols: usize) -> io::Result<(Vec<u8>, Vec<Code>)> {
        let tables = self.bits.take(3)? as usize;
        if !(2..=6).contains(&tables) {
            return damaged("the number of codes is wrong");
        }
        let mut selectors = vec![0; self.bits.take(15)? as usize];
        let mut order = [0, 1, 2, 3, 4, 5];
        for selector in &mut selectors {
            let mut index = 0;
            while self.bits.take(1)? != 0 {
                index += 1;
                if index >= tables {
                    return damaged("a code is chosen that there is not");
                }
            }
            order[..=index].rotate_right(1);
            *selector = order[0];
        }
        let mut codes = Vec::with_capacity(tables);
        for _ in 0..tables {
            let mut lengths = [0; SYMBOLS_MAX];
            let mut length = self.bits.take(5)? as u8;
            for slot in &mut lengths[..symbols] {
                loop {
                    if !(1..=CODE_MAX as u8).contains(&length) {
                        return damaged("the length of a code is wrong");
                    }
                    if self.bits.take(1)? == 0 {
                        break;
                    }
                    match self.bits.take(1)? {
                        0 => length += 1,
                        _ => length -= 1,
                    }
                }
                *slot = length;
            }
            codes.push(Code::new(&lengths[..symbols])?);
        }
        Ok((selectors, codes))
    }

    /// Reads the symbols of a block, which move bytes to the front of a list.
    fn symbols(
        &mut self,
        block_max: usize,
        mut bytes: Vec<u8>,
        selectors: &[u8],
        codes: &[Code],
        counts: &mut [u32; 256],
    ) -> io::Result<()> {
        let end = bytes.len() + 1;
        let (mut run, mut weight) = (0, 1);
        for &selector in selectors {
            let code = &codes[usize::from(selector)];
            for _ in 0..GROUP {
                let symbol = code.read(&mut self.bits)?;
                if symbol < 2 {
                    run += weight << symbol;
                    weight <<= 1;
                    if run > block_max {
                        return damaged("a block is too long");
                    }
                    continue;
                }
                let len = self.block.len() + run;
                let is_end = symbol == end;
                if len + usize::from(!is_end) > block_max {
                    return damaged("a block is too long");
                }
                counts[usize::from(bytes[0])] += run as u32;
                self.block.resize(len, bytes[0].into());
                (run, weight) = (0, 1);
                if is_end {
                    return Ok(());
                }
                bytes[..symbol].rotate_right(1);
                counts[usize::from(bytes[0])] += 1;
                self.block.push(bytes[0].into());
            }
        }
        damaged("a block has no end")
    }

    fn end_block(&mut self) -> io::Result<()> {
        self.in_block = false;
        if !self.crc != self.block_crc {
            return damaged("the checksum of a block is wrong");
        }
        self.stream_crc = self.stream_crc.rotate_left(1) ^ self.block_crc;
        Ok(())
    }

    /// The next byte of the block that is one of the data.
    fn byte(&mut self) -> Option<u8> {
        loop {
            if self.repeats > 0 {
                self.repeats -= 1;
                return Some(self.run.0);
            }
            self.left = self.left.checked_sub(1)?;
            let entry = self.block[self.next as usize];
            self.next = entry >> 8;
            let byte = entry as u8;
            // Four equal bytes are followed by the number of further ones.
            let (last, times) = self.run;
            if times == 4 {
                self.repeats = byte;
                self.run.1 = 0;
                continue;
            }
            self.run = (byte, if byte == last { times + 1 } else { 1 });
            return Some(byte);
        }
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let mut len = 0;
            while let Some(slot) = buffer.get_mut(len)
                && let Some(byte) = self.byte()
            {
                *slot = byte;
                self.crc = self.crc << 8 ^ CRC[(self.crc >> 24) as usize ^ usize::from(byte)];
                len += 1;
            }
            if len > 0 {
                return Ok(len);
            }
            if self.in_block {
                self.end_block()?;
            }
            if !self.next_block()? {
                return Ok(0);
            }
        }
    }
}

/// A canonical Huffman code.
struct Code {
    /// By length: the first code, and where its symbol is.
    first: [(u32, u16); CODE_MAX + 1],
    /// By length: the number of codes.
    count: [u16; CODE_MAX + 1],
    /// By code.
    symbols: Vec<u16>,
}

impl Code {
    fn new(lengths: &[u8]) -> io::Result<Self> {
        let mut symbols: Vec<u16> = (0..lengths.len() as u16).collect();
        symbols.sort_by_key(|&symbol| lengths[usize::from(symbol)]);
        let mut count = [0; CODE_MAX + 1];
        for &length in lengths {
            count[usize::from(length)] += 1;
        }
        let mut first = [(0, 0); CODE_MAX + 1];
        let (mut code, mut index) = (0, 0);
        for length in 1..=CODE_MAX {
            code <<= 1;
            first[length] = (code, index);
            code += u32::from(count[length]);
            index += count[length];
            if code > 1 << length {
                return damaged("a code has too many symbols");
            }
        }
        Ok(Self {
            first,
            count,
            symbols,
        })
    }

    fn read(&self, bits: &mut Bits<impl Read>) -> io::Result<usize> {
        // The end of the stream has more bits than that.
        let ahead = bits.peek(CODE_MAX as u32)? as u32;
        for length in 1..=CODE_MAX {
            let (first, index) = self.first[length];
            let behind = (ahead >> (CODE_MAX - length)).wrapping_sub(first);
            if behind < u32::from(self.count[length]) {
                bits.skip(length as u32);
                return Ok(self.symbols[usize::from(index) + behind as usize].into());
            }
        }
        damaged("a code has no symbol")
    }
}

/// Bits of the compressed data, the highest of a byte first.
struct Bits<R> {
    source: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// The next `count` bits are the lowest ones.
    ahead: u64,
    count: u32,
}

impl<R: Read> Bits<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; 64 * 1024].into(),
            start: 0,
            end: 0,
            ahead: 0,
            count: 0,
        }
    }

    /// Whether there are no more bits.
    fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.count == 0 && !self.fill()?)
    }

    /// Reads bytes if there are none; says whether there are some.
    fn fill(&mut self) -> io::Result<bool> {
        while self.start == self.end {
            match self.source.read(&mut self.buffer) {
                Ok(0) => return Ok(false),
                Ok(len) => (self.start, self.end) = (0, len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// The next `count` bits, at most 32.
    fn peek(&mut self, count: u32) -> io::Result<u64> {
        while self.count < count {
            if !self.fill()? {
                let text = "the bzip2 data ends too early";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
            self.ahead = self.ahead << 8 | u64::from(self.buffer[self.start]);
            self.start += 1;
            self.count += 8;
        }
        Ok(self.ahead >> (self.count - count) & ((1 << count) - 1))
    }

    /// Passes over bits that were seen.
    fn skip(&mut self, count: u32) {
        self.count -= count;
    }

    /// Reads `count` bits, at most 32.
    fn take(&mut self, count: u32) -> io::Result<u64> {
        let bits = self.peek(count)?;
        self.skip(count);
        Ok(bits)
    }

    /// Passes over the rest of a byte.
    fn align(&mut self) {
        self.count -= self.count % 8;
    }
}

/// The checksum of each byte: the polynomial of IEEE 802.3, the highest bit first.
const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc >> 31 != 0 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};
