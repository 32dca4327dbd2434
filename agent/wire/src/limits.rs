// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every limit of the protocol. A peer's [`Welcome`](crate::Response::Welcome) says
//! those that a client has to keep.

/// Version of the protocol, the first byte of a frame.
pub const VERSION: u8 = 1;

/// Bytes before the body: version, id (2), kind.
pub const HEADER_LEN: usize = 4;
/// Bytes behind the body: CRC-32C.
pub const CRC_LEN: usize = 4;

/// Most bytes of a frame from the version to the CRC, before COBS.
pub const RAW_MAX: usize = 504;
/// Most bytes of a body.
pub const BODY_MAX: usize = RAW_MAX - HEADER_LEN - CRC_LEN;
/// Most bytes of a frame on the line: COBS adds one byte for every 254, and a `00`
/// stands at both ends.
pub const FRAME_MAX: usize = RAW_MAX + RAW_MAX.div_ceil(254) + 2;

/// Most requests in flight. Four of the longest fit the receive
/// buffer of a Linux terminal (4095 bytes), and keep a line of 115200 baud busy.
pub const WINDOW: usize = 4;

/// Most changes in a frame.
pub const ITEMS_MAX: usize = 128;
/// Most items in a packed frame.
pub const PACKED_MAX: usize = 2048;
/// Paths of a frame that can be named again.
pub const PATHS_MAX: usize = 8;

/// Longest line of console text in bytes.
pub const LINE_MAX: usize = BODY_MAX - 2;
/// Longest greeting in bytes, which is the kernel's limit.
pub const GREETING_MAX: usize = 255;
/// Longest text of an error in bytes; longer text is cut.
pub const ERROR_MAX: usize = 200;

/// Most seconds for which a commit may wait to be confirmed: a day.
pub const CONFIRM_MAX: u32 = 86_400;
/// Most prefixes of a commit that has to be confirmed.
pub const CONFIRM_PREFIXES_MAX: usize = 4096;

/// Milliseconds of silence after which an incomplete frame is dropped and its bytes may count
/// as typed text.
pub const SILENCE_MS: u32 = 200;

/// Milliseconds without a whole frame after which each side gives a line back its own speed.
pub const SPEED_SILENCE_MS: u32 = 2000;

/// Milliseconds from the moment at which the driver has no byte of the answer any more until the
/// line has another speed: the time that 256 bytes in the UART take at this one, up to 300 ms.
pub const fn speed_change_ms(baud: u32) -> u32 {
    const BITS: u32 = 256 * 10;
    match baud {
        0..8534 => 300,
        baud => (BITS * 1000).div_ceil(baud),
    }
}
