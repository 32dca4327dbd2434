// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tells the agent's frames from the other bytes on the line: messages of the kernel, damage, and
//! an echo of this program's own frames.

use nl31_wire::{Deframer, Frame, RESPONSE};

use crate::journal::{Garbage, Journal};

/// The receiving side of a line.
pub struct Incoming {
    deframer: Deframer,
    garbage: Garbage,
    damaged: u64,
}

impl Incoming {
    /// The side of a line on which nothing was received.
    pub fn new() -> Self {
        Self {
            deframer: Deframer::new(),
            garbage: Garbage::default(),
            damaged: 0,
        }
    }

    /// Runs of bytes between two delimiters that were no frame, so far.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Takes a byte; gives the agent's frame that it completes. Bytes outside of frames
    /// go to `journal`.
    pub fn byte(&mut self, byte: u8, journal: Option<&Journal>) -> Option<Frame<'_>> {
        self.garbage.push(byte);
        let frame = self.deframer.byte(byte)?;
        self.damaged += u64::from(frame.is_err());
        if let (Err(_), Some(journal)) = (&frame, journal) {
            self.garbage.tell(journal);
        }
        self.garbage.forget();
        frame.ok().filter(|frame| frame.kind >= RESPONSE)
    }
}

impl Default for Incoming {
    fn default() -> Self {
        Self::new()
    }
}
