// SPDX-License-Identifier: MIT OR Apache-2.0
//! The speed of the serial line: a program may ask for another one. The line goes back to its
//! own with the end of the session, and after two seconds without a frame, so that a program
//! that is gone leaves no line at a speed that no terminal expects.

use std::time::{Duration, Instant};

use nl31_wire::limits::{SPEED_SILENCE_MS, speed_change_ms};

use super::agent::Agent;

/// How soon the agent looks again whether the line has sent everything.
const UNSENT: Duration = Duration::from_millis(5);

const SILENCE: Duration = Duration::from_millis(SPEED_SILENCE_MS as u64);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LineSpeed {
    /// The speed that was agreed; and from when on the line has it, which is known once the
    /// driver has sent the answer.
    next: Option<(u32, Option<Instant>)>,
    /// The line's own speed, while it has another one; and when it gets it back.
    own: Option<(u32, Instant)>,
}

impl LineSpeed {
    /// A whole frame has come.
    pub(super) fn heard(&mut self) {
        if let Some((_, until)) = &mut self.own {
            *until = Instant::now() + SILENCE;
        }
    }

    /// Whether the line has its own speed, and keeps it.
    pub(super) fn is_own(&self) -> bool {
        self.next.is_none() && self.own.is_none()
    }

    /// When there is something to do.
    pub(super) fn timer(&self) -> Option<Instant> {
        let next = self
            .next
            .map(|(_, at)| at.unwrap_or_else(|| Instant::now() + UNSENT));
        let back = self.own.map(|(_, until)| until);
        next.into_iter().chain(back).min()
    }
}

impl Agent {
    /// Tries and answers the speed that the last frame asked for, if it did.
    pub(super) fn agree_on_speed(&mut self) {
        self.speed.heard();
        if let Some(baud) = self.program.asks_for_speed() {
            let serial = self.serial.as_mut().expect("the frame has come over it");
            let tried = serial.try_speed(baud);
            self.program.answer_speed(tried);
        }
        if let Some(baud) = self.program.take_speed() {
            self.speed.next = Some((baud, None));
        }
    }

    /// Changes the speed once that is due.
    pub(super) fn change_speed(&mut self) {
        let now = Instant::now();
        if self.program.left()
            && self.speed.next.is_none()
            && let Some((own, _)) = self.speed.own
        {
            self.speed.next = Some((own, None));
        }
        let Some(serial) = &mut self.serial else {
            return;
        };
        match self.speed.next {
            Some((baud, None)) if !self.program.pending() && serial.unsent() == 0 => {
                let own = serial.speed().unwrap_or_default();
                // What the UART still holds.
                let left = Duration::from_millis(speed_change_ms(own).into());
                self.speed.next = Some((baud, Some(now + left)));
            }
            Some((baud, Some(at))) if now >= at => {
                self.speed.next = None;
                let before = serial.speed().unwrap_or_default();
                if let Err(error) = serial.set_speed(baud) {
                    log::warn!("serial line: {error}");
                }
                let own = self.speed.own.map_or(before, |(own, _)| own);
                self.speed.own = (own != baud).then_some((own, now + SILENCE));
            }
            _ => {}
        }
        if self.speed.own.is_some_and(|(_, until)| now >= until) {
            log::info!("serial line: no frame came; back to its own speed");
            self.own_speed();
        }
    }

    /// Gives the line its own speed at once.
    pub(super) fn own_speed(&mut self) {
        let speed = std::mem::take(&mut self.speed);
        if let (Some((own, _)), Some(serial)) = (speed.own, &mut self.serial)
            && let Err(error) = serial.set_speed(own)
        {
            log::warn!("serial line: {error}");
        }
    }
}
