// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who may do what on the serial line: an option of the image, in
//! `/etc/nl31/console.conf`.
//!
//! ```text
//! # made by: nl31-agent --hash-pin
//! pin 50000 5b1f0c… 9a3e77…
//! read-only
//! ```
//!
//! `pin` keeps people and programs off the line until it is typed; what is kept of it
//! is PBKDF2-HMAC-SHA256: rounds, salt, hash. `read-only` lets nothing be changed. A
//! file with a mistake lets nobody in. The local socket is for root, and not limited.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::Sha256;

use crate::platform::atomic_file::{remove, write_whole};

/// Rounds of a hash that is made here: half a second of a small board.
const ROUNDS: u32 = 50_000;
/// More would keep the agent from its other work.
const ROUNDS_MAX: u32 = 1_000_000;

/// Longest PIN in bytes.
pub const PIN_MAX: usize = 64;

/// Pause after the first wrong PIN; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Who may do what on a line now: what its console and its program have in common.
#[derive(Debug, Default)]
pub struct Gate {
    access: RefCell<Access>,
    locked: Cell<bool>,
    /// Where the number of wrong PINs is kept.
    wrong: Option<PathBuf>,
}

/// What is kept of a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PinHash {
    rounds: u32,
    salt: [u8; 16],
    hash: [u8; 32],
}

/// Who may do what on the serial line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pin: Pin,
    /// Nothing may be changed.
    pub read_only: bool,
    wrong: u32,
    not_before: Option<Instant>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Pin {
    #[default]
    None,
    Hash(PinHash),
    /// The file has a mistake.
    Never,
}

/// What comes of a PIN that was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It is the one.
    Right,
    /// It is not, or came too early and was not looked at. The next one is looked at
    /// after this time.
    Wrong(Duration),
}

/// What is wrong, for [`Attempt::Wrong`].
pub(crate) struct NotThePin(pub(crate) Duration);

impl fmt::Display for NotThePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_millis().div_ceil(1000);
        write!(f, "not the PIN, try again in {seconds} s")
    }
}

impl PinHash {
    fn of(pin: &[u8], salt: [u8; 16], rounds: u32) -> Self {
        let mut hash = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(pin, &salt, rounds, &mut hash);
        Self { rounds, salt, hash }
    }

    fn is(&self, pin: &[u8]) -> bool {
        let other = Self::of(pin, self.salt, self.rounds);
        // All of it is looked at, wherever it differs.
        let differences = self.hash.iter().zip(other.hash).map(|(a, b)| a ^ b);
        differences.fold(0, |all, difference| all | difference) == 0
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let rounds = words.next()?.parse().ok()?;
        let (salt, hash) = (unhex(words.next()?)?, unhex(words.next()?)?);
        let known = words.next().is_none() && (1..=ROUNDS_MAX).contains(&rounds);
        known.then_some(Self { rounds, salt, hash })
    }
}

/// As in the file.
impl fmt::Display for PinHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pin {}", self.rounds)?;
        for bytes in [self.salt.as_slice(), &self.hash] {
            f.write_char(' ')?;
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        Ok(())
    }
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

/// The line for a PIN, with a salt of its own.
pub fn hash_pin(pin: &str) -> io::Result<String> {
    if pin.is_empty() || pin.len() > PIN_MAX || pin.contains(|c: char| c.is_control()) {
        let what = format!("a PIN has 1 to {PIN_MAX} bytes, and no control characters");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let mut salt = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut salt)?;
    Ok(PinHash::of(pin.as_bytes(), salt, ROUNDS).to_string())
}

impl Access {
    /// Everybody is let in, to read or to do everything.
    pub fn without_pin(read_only: bool) -> Self {
        Self {
            read_only,
            ..Self::default()
        }
    }

    /// What the file says; everything is allowed where there is none.
    pub fn read(path: &Path) -> Self {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            text => text.map_err(|error| error.to_string()),
        };
        let parsed = text.and_then(|text| Self::parse(&text));
        parsed.unwrap_or_else(|error| {
            log::error!("{}: {error}: nobody is let in", path.display());
            Self {
                pin: Pin::Never,
                ..Self::default()
            }
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut access = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match (line, line.strip_prefix("pin ").map(PinHash::parse)) {
                ("read-only", _) => access.read_only = true,
                (_, Some(Some(hash))) if access.pin == Pin::None => access.pin = Pin::Hash(hash),
                _ => return Err(format!("line {} is not understood", number + 1)),
            }
        }
        Ok(access)
    }

    /// Whether a PIN is needed.
    pub fn locks(&self) -> bool {
        self.pin != Pin::None
    }

    /// Takes a PIN that was typed at a time.
    pub fn attempt(&mut self, pin: &[u8], now: Instant) -> Attempt {
        let pause = self
            .not_before
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        if !pause.is_zero() {
            return Attempt::Wrong(pause);
        }
        if matches!(&self.pin, Pin::Hash(hash) if hash.is(pin)) {
            self.wrong = 0;
            self.not_before = None;
            return Attempt::Right;
        }
        let count = self.wrong.saturating_add(1);
        log::warn!("wrong PIN on the serial line, {count} in a row");
        Attempt::Wrong(self.has_seen_wrong(count, now))
    }

    /// So many PINs in a row were wrong, the last one now. Gives the pause until the next.
    fn has_seen_wrong(&mut self, count: u32, now: Instant) -> Duration {
        let doubled = count.saturating_sub(1).min(16);
        let pause = PAUSE.saturating_mul(1 << doubled).min(PAUSE_MAX);
        self.wrong = count;
        self.not_before = Some(now + pause);
        pause
    }
}

impl Gate {
    /// Locked, if that needs a PIN to be opened.
    pub fn new(access: Access) -> Self {
        Self {
            locked: Cell::new(access.locks()),
            access: RefCell::new(access),
            wrong: None,
        }
    }

    /// Keeps the number of wrong PINs in a file, so that an agent that is started again
    /// goes on with the pause that they have earned.
    pub fn with_memory(mut self, file: PathBuf) -> Self {
        let kept = fs::read_to_string(&file).ok();
        if let Some(count) = kept.and_then(|text| text.trim().parse().ok()) {
            self.access.get_mut().has_seen_wrong(count, Instant::now());
        }
        self.wrong = Some(file);
        self
    }

    /// Locks it, if that needs a PIN to be opened; says whether it was open.
    pub fn lock(&self) -> bool {
        let lockable = self.access.borrow().locks();
        lockable && !self.locked.replace(true)
    }

    /// Whether a PIN is to be typed first.
    pub fn is_locked(&self) -> bool {
        self.locked.get()
    }

    /// Whether there is a PIN, and it was typed.
    pub fn is_unlocked(&self) -> bool {
        !self.locked.get() && self.access.borrow().locks()
    }

    /// Whether nothing may be changed.
    pub fn is_read_only(&self) -> bool {
        self.access.borrow().read_only
    }

    /// Takes a PIN that was typed now.
    pub fn attempt(&self, pin: &[u8]) -> Attempt {
        let mut access = self.access.borrow_mut();
        let before = access.wrong;
        let attempt = access.attempt(pin, Instant::now());
        if let Some(file) = self.wrong.as_ref().filter(|_| access.wrong != before) {
            let kept = match access.wrong {
                0 => remove(file),
                count => write_whole(file, &mut count.to_string().as_bytes()),
            };
            if let Err(error) = kept {
                log::error!("{}: {error}", file.display());
            }
        }
        if attempt == Attempt::Right {
            self.locked.set(false);
        }
        attempt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "pin 1 73616c7473616c7473616c7473616c74 \
        3c1fcfbf0e3ee1b51c6e6b0b2ce0bbb4d92b5df4ec50ac6aaa13b6a0c1c0d8c6";

    fn with(pin: &str) -> Access {
        let hash = PinHash::of(pin.as_bytes(), [7; 16], 2);
        Access::parse(&format!("# x\n\n {hash} \n")).unwrap()
    }

    #[test]
    fn a_hash_is_that_of_rfc_7914() {
        // Of https://www.rfc-editor.org/rfc/rfc7914#section-11, its first 32 bytes.
        let mut hash = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(b"passwd", b"salt", 1, &mut hash);
        let expected = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc";
        assert_eq!(Some(hash), unhex(expected));
    }

    #[test]
    fn each_line_has_its_own_salt_and_knows_its_pin() {
        let (one, other) = (hash_pin("4711").unwrap(), hash_pin("4711").unwrap());
        assert_ne!(one, other);
        let mut access = Access::parse(&one).unwrap();
        assert!(access.locks() && !access.read_only);
        let now = Instant::now();
        assert!(matches!(access.attempt(b"4712", now), Attempt::Wrong(_)));
        let later = now + Duration::from_secs(1);
        assert_eq!(access.attempt(b"4711", later), Attempt::Right);
        assert!(
            hash_pin("").is_err()
                && hash_pin("a\nb").is_err()
                && hash_pin(&"x".repeat(65)).is_err()
        );
    }

    #[test]
    fn a_mistake_lets_nobody_in() {
        for text in [
            "pin",
            "pin 1 2 3",
            "pni",
            "read-only yes",
            "pin 0 x y",
            &format!("{LINE}0"),
        ] {
            assert!(Access::parse(text).is_err(), "{text}");
        }
        assert!(Access::parse(LINE).is_ok());
        assert!(Access::parse(&format!("{LINE}\n{LINE}")).is_err());
        assert!(Access::parse(&LINE.replace("pin 1 ", "pin 1000001 ")).is_err());
        let folder = crate::platform::atomic_file::tests::Folder::new("access");
        let mut access = Access::read(&folder.file("console.conf", "pni"));
        assert!(access.locks());
        assert!(matches!(
            access.attempt(b"", Instant::now()),
            Attempt::Wrong(_)
        ));
        assert_eq!(Access::read(&folder.0.join("none")), Access::default());
        assert!(Access::parse("# nothing\nread-only\n").unwrap().read_only);
    }

    #[test]
    fn wrong_pins_cost_more_and_more_time() {
        let mut access = with("4711");
        let mut now = Instant::now();
        let mut seconds = Vec::new();
        for _ in 0..12 {
            let Attempt::Wrong(pause) = access.attempt(b"0000", now) else {
                panic!("a wrong PIN is wrong");
            };
            seconds.push(pause.as_secs());
            // The right one is not looked at before its time.
            assert!(matches!(access.attempt(b"4711", now), Attempt::Wrong(_)));
            now += pause;
        }
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(access.attempt(b"4711", now), Attempt::Right);
        assert_eq!(access.attempt(b"0000", now), Attempt::Wrong(PAUSE));
    }

    #[test]
    fn an_agent_that_is_started_again_goes_on_with_the_pause() {
        let folder = crate::platform::atomic_file::tests::Folder::new("access-again");
        let file = folder.0.join("run/wrong-pins");
        let started = || Gate::new(with("4711")).with_memory(file.clone());
        for wrong in [1, 2, 3] {
            let gate = started();
            gate.access.borrow_mut().not_before = None;
            assert_eq!(
                gate.attempt(b"0000"),
                Attempt::Wrong(PAUSE * (1 << (wrong - 1)))
            );
        }
        let again = started();
        assert_eq!(again.access.borrow().wrong, 3);
        assert!(again.access.borrow().not_before.is_some());
        again.access.borrow_mut().not_before = None;
        assert_eq!(again.attempt(b"4711"), Attempt::Right);
        assert_eq!(started().attempt(b"4711"), Attempt::Right);
    }
}
