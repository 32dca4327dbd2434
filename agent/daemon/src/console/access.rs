// SPDX-License-Identifier: MIT OR Apache-2.0
//! Access to the serial line: a PIN, and read-only. An option of the image, in
//! `/etc/nl31/console.conf`.
//!
//! ```text
//! # made by: nl31-agent --hash-pin
//! pin 50000 5b1f0c… 9a3e77…
//! read-only
//! ```
//!
//! `pin` keeps people and programs off the line until the PIN is typed; the file has its
//! PBKDF2-HMAC-SHA256: rounds, salt, hash. `read-only` refuses every change. The local
//! socket is for root and has no limits.
//!
//! A file with a mistake may mean any limit. With a `pin` line that can be read, that PIN
//! holds and the line is read-only; without one the line stays locked, and says why. The
//! image's `post-build.sh` refuses such a file by the same rules.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::Sha256;

use crate::platform::atomic_file::{remove, write_whole};

/// Rounds of a new hash: half a second on a small board.
const ROUNDS: u32 = 50_000;
/// More rounds would block the agent for too long.
const ROUNDS_MAX: u32 = 1_000_000;

/// Longest file, in bytes: comments, and a line of some 120 bytes.
const FILE_MAX: usize = 16 * 1024;

/// Longest PIN in bytes.
pub const PIN_MAX: usize = 64;

/// Lockout after the first wrong PIN; each further wrong PIN doubles it.
const LOCKOUT: Duration = Duration::from_secs(1);
/// Longest lockout.
const LOCKOUT_MAX: Duration = Duration::from_secs(300);

/// The lock of a line, shared by its console and its programs.
#[derive(Debug, Default)]
pub struct LineLock {
    access: RefCell<Access>,
    locked: Cell<bool>,
    /// File that keeps the number of wrong PINs.
    wrong: Option<PathBuf>,
}

/// The hash of a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PinHash {
    rounds: u32,
    salt: [u8; 16],
    hash: [u8; 32],
}

/// The rules of `console.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pin: Pin,
    /// Every change is refused.
    pub read_only: bool,
    mistake: Option<Mistake>,
    wrong: u32,
    not_before: Option<Instant>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Pin {
    #[default]
    None,
    Hash(PinHash),
    /// The file has a mistake, and no PIN that could be typed.
    Unreadable,
}

/// Line and column, from 1, the column in bytes; `None` for a file that cannot be read at
/// all.
type Place = Option<(usize, usize)>;

/// What is wrong with the file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    path: PathBuf,
    place: Place,
    what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {}", self.what)
    }
}

/// The result of checking a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinCheck {
    /// The PIN is right.
    Right,
    /// The PIN is wrong, or was not checked because the lockout was not over. The next
    /// PIN is checked after this time.
    Wrong(Duration),
    /// The file has this mistake: no PIN unlocks the line.
    Impossible(Mistake),
}

/// For a person at the line.
impl fmt::Display for PinCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right => write!(f, "unlocked until `exit` or Ctrl-D"),
            Self::Wrong(lockout) => {
                let seconds = lockout.as_millis().div_ceil(1000);
                write!(f, "wrong PIN; try again in {seconds} s")
            }
            Self::Impossible(mistake) => {
                write!(
                    f,
                    "no PIN unlocks this line until the image is corrected: {mistake}"
                )
            }
        }
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
        // In constant time: every byte is compared.
        let differences = self.hash.iter().zip(other.hash).map(|(a, b)| a ^ b);
        differences.fold(0, |all, difference| all | difference) == 0
    }

    /// Parses the words after `pin`. An error has the index of the wrong word and what is
    /// expected there.
    fn parse(words: &[&str]) -> Result<Self, (usize, String)> {
        let word = |index: usize| words.get(index).copied().unwrap_or_default();
        let rounds = word(0).parse().ok();
        let rounds = rounds.filter(|rounds| (1..=ROUNDS_MAX).contains(rounds));
        let rounds = rounds.ok_or_else(|| (0, format!("expected rounds, 1 to {ROUNDS_MAX}")))?;
        let digits =
            |index, what, count| (index, format!("expected the {what}, {count} hex digits"));
        let salt = unhex(word(1)).ok_or_else(|| digits(1, "salt", 32))?;
        let hash = unhex(word(2)).ok_or_else(|| digits(2, "hash", 64))?;
        match words.len() {
            3 => Ok(Self { rounds, salt, hash }),
            _ => Err((3, "nothing may follow the hash".into())),
        }
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

/// Bytes below which a PIN can be found from its hash by trying all PINs.
pub const PIN_STRONG: usize = 12;

/// Makes the line of a PIN, with a random salt.
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
    /// Access without a PIN.
    pub fn without_pin(read_only: bool) -> Self {
        Self {
            read_only,
            ..Self::default()
        }
    }

    /// Reads the file. Without a file everything is allowed; for a file with a mistake see
    /// the module.
    pub fn read(path: &Path) -> Self {
        let read = fs::File::open(path).and_then(|file| {
            let mut text = Vec::new();
            file.take(FILE_MAX as u64 + 1).read_to_end(&mut text)?;
            Ok(text)
        });
        let (mut access, mistake) = match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(error) => (Self::default(), Some((None, error.to_string()))),
            Ok(text) => Self::parse(&text),
        };
        if let Some((place, what)) = mistake {
            let path = path.into();
            let mistake = Mistake { path, place, what };
            access.read_only = true;
            if access.pin == Pin::None {
                log::error!("{mistake}: the serial line stays locked");
                access.pin = Pin::Unreadable;
            } else {
                log::error!("{mistake}: the PIN holds, and the serial line is read-only");
            }
            access.mistake = Some(mistake);
        }
        access
    }

    /// Parses all lines that are valid; gives the first mistake besides.
    fn parse(text: &[u8]) -> (Self, Option<(Place, String)>) {
        let mut access = Self::default();
        let mut first = None;
        if text.len() > FILE_MAX {
            first = Some((None, format!("has more than {FILE_MAX} bytes")));
        }
        for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
            if let Err((column, what)) = access.parse_line(line) {
                first.get_or_insert((Some((number + 1, column + 1)), what));
            }
        }
        (access, first)
    }

    /// Parses a line. An error has the first wrong column, from 0, and the reason.
    fn parse_line(&mut self, line: &[u8]) -> Result<(), (usize, String)> {
        let line = line.trim_ascii_end();
        if line.trim_ascii_start().starts_with(b"#") {
            return Ok(());
        }
        let line = std::str::from_utf8(line)
            .map_err(|error| (error.valid_up_to(), "expected ASCII text".into()))?;
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        // A missing word is expected after the last one.
        let column = |index: usize| {
            let word = words.get(index);
            word.map_or(line.len(), |word| {
                word.as_ptr() as usize - line.as_ptr() as usize
            })
        };
        match words.first().copied() {
            None => Ok(()),
            Some("read-only") if words.len() == 1 => {
                self.read_only = true;
                Ok(())
            }
            Some("read-only") => Err((column(1), "nothing may follow `read-only`".into())),
            Some("pin") if self.pin != Pin::None => {
                Err((column(0), "only one line may give a PIN".into()))
            }
            Some("pin") => {
                let hash = PinHash::parse(&words[1..]);
                let hash = hash.map_err(|(index, what)| (column(index + 1), what))?;
                self.pin = Pin::Hash(hash);
                Ok(())
            }
            Some(_) => Err((column(0), "expected `pin` or `read-only`".into())),
        }
    }

    /// The first mistake of the file.
    pub fn mistake(&self) -> Option<&Mistake> {
        self.mistake.as_ref()
    }

    /// Whether a PIN is needed.
    pub fn locks(&self) -> bool {
        self.pin != Pin::None
    }

    /// Checks a PIN that was typed at `now`.
    pub fn check_pin(&mut self, pin: &[u8], now: Instant) -> PinCheck {
        if let (Pin::Unreadable, Some(mistake)) = (&self.pin, &self.mistake) {
            return PinCheck::Impossible(mistake.clone());
        }
        let lockout = self
            .not_before
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        if !lockout.is_zero() {
            return PinCheck::Wrong(lockout);
        }
        if matches!(&self.pin, Pin::Hash(hash) if hash.is(pin)) {
            self.wrong = 0;
            self.not_before = None;
            return PinCheck::Right;
        }
        let count = self.wrong.saturating_add(1);
        log::warn!("wrong PIN on the serial line, {count} in a row");
        PinCheck::Wrong(self.count_wrong(count, now))
    }

    /// Records that `count` PINs in a row were wrong, the last one now. Gives the lockout.
    fn count_wrong(&mut self, count: u32, now: Instant) -> Duration {
        let doubled = count.saturating_sub(1).min(16);
        let lockout = LOCKOUT.saturating_mul(1 << doubled).min(LOCKOUT_MAX);
        self.wrong = count;
        self.not_before = Some(now + lockout);
        lockout
    }
}

impl LineLock {
    /// A lock, locked if there is a PIN.
    pub fn new(access: Access) -> Self {
        Self {
            locked: Cell::new(access.locks()),
            access: RefCell::new(access),
            wrong: None,
        }
    }

    /// Keeps the number of wrong PINs in a file, so that a restarted agent goes on with the
    /// lockout.
    pub fn with_memory(mut self, file: PathBuf) -> Self {
        let kept = fs::read_to_string(&file).ok();
        if let Some(count) = kept.and_then(|text| text.trim().parse().ok()) {
            self.access.get_mut().count_wrong(count, Instant::now());
        }
        self.wrong = Some(file);
        self
    }

    /// Locks the line if there is a PIN. Gives whether the line was unlocked.
    pub fn lock(&self) -> bool {
        let lockable = self.access.borrow().locks();
        lockable && !self.locked.replace(true)
    }

    /// Whether the line waits for the PIN.
    pub fn is_locked(&self) -> bool {
        self.locked.get()
    }

    /// Whether there is a PIN and it was typed.
    pub fn is_unlocked(&self) -> bool {
        !self.locked.get() && self.access.borrow().locks()
    }

    /// Whether every change is refused.
    pub fn is_read_only(&self) -> bool {
        self.access.borrow().read_only
    }

    /// Checks a PIN that was typed now.
    pub fn check_pin(&self, pin: &[u8]) -> PinCheck {
        let mut access = self.access.borrow_mut();
        let before = access.wrong;
        let check = access.check_pin(pin, Instant::now());
        if let Some(file) = self.wrong.as_ref().filter(|_| access.wrong != before) {
            let kept = match access.wrong {
                0 => remove(file),
                count => write_whole(file, &mut count.to_string().as_bytes()),
            };
            if let Err(error) = kept {
                log::error!("{}: {error}", file.display());
            }
        }
        if check == PinCheck::Right {
            self.locked.set(false);
        }
        check
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "pin 1 73616c7473616c7473616c7473616c74 \
        3c1fcfbf0e3ee1b51c6e6b0b2ce0bbb4d92b5df4ec50ac6aaa13b6a0c1c0d8c6";

    fn with(pin: &str) -> Access {
        let hash = PinHash::of(pin.as_bytes(), [7; 16], 2);
        let (access, mistake) = Access::parse(format!("# x\n\n {hash} \n").as_bytes());
        assert_eq!(mistake, None);
        access
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
        let (mut access, _) = Access::parse(one.as_bytes());
        assert!(access.locks() && !access.read_only);
        let now = Instant::now();
        assert!(matches!(access.check_pin(b"4712", now), PinCheck::Wrong(_)));
        let later = now + Duration::from_secs(1);
        assert_eq!(access.check_pin(b"4711", later), PinCheck::Right);
        assert!(
            hash_pin("").is_err()
                && hash_pin("a\nb").is_err()
                && hash_pin(&"x".repeat(65)).is_err()
        );
    }

    /// The column of the first mistake in a line, and what it says.
    fn mistake(line: &str) -> Option<(usize, String)> {
        let (_, mistake) = Access::parse(line.as_bytes());
        mistake.map(|(place, what)| (place.expect("it has a place").1, what))
    }

    #[test]
    fn a_mistake_is_named_by_its_column() {
        for (line, column, what) in [
            ("pin", 4, "expected rounds, 1 to 1000000"),
            ("pin 0 x y", 5, "expected rounds, 1 to 1000000"),
            ("pin 1000001 x y", 5, "expected rounds, 1 to 1000000"),
            ("pin 1 2 3", 7, "expected the salt, 32 hex digits"),
            (
                LINE.rsplit_once(' ').unwrap().0,
                39,
                "expected the hash, 64 hex digits",
            ),
            (&format!("{LINE}0"), 40, "expected the hash, 64 hex digits"),
            (&format!("{LINE} 5"), 105, "nothing may follow the hash"),
            ("  pni", 3, "expected `pin` or `read-only`"),
            ("read-only yes", 11, "nothing may follow `read-only`"),
            ("read-only \u{e9}", 11, "nothing may follow `read-only`"),
        ] {
            assert_eq!(mistake(line), Some((column, what.into())), "{line}");
        }
        for fine in ["", " \t", "# pni", LINE, "\tread-only\r"] {
            assert_eq!(mistake(fine), None, "{fine:?}");
        }
        let (_, second) = Access::parse(format!("{LINE}\n{LINE}").as_bytes());
        let what = "only one line may give a PIN";
        assert_eq!(second, Some((Some((2, 1)), what.into())));
        let (_, long) = Access::parse(&[b'#'; FILE_MAX + 1]);
        assert_eq!(long.map(|(place, _)| place), Some(None));
    }

    #[test]
    fn a_mistake_without_a_pin_keeps_the_line_locked_and_is_told() {
        let folder = crate::platform::atomic_file::tests::Folder::new("access");
        for text in ["# x\nraed-only\n", "# x\npni 1 2 3\n"] {
            let path = folder.file("console.conf", text);
            let mut access = Access::read(&path);
            assert!(access.locks() && access.read_only);
            let told = access.check_pin(b"4711", Instant::now()).to_string();
            let path = path.display();
            let end = format!("corrected: {path}:2:1: expected `pin` or `read-only`");
            assert!(told.ends_with(&end), "{told}");
        }
        let mut folder_for_file = Access::read(&folder.0);
        let check = folder_for_file.check_pin(b"", Instant::now());
        assert!(matches!(check, PinCheck::Impossible(_)));
        assert_eq!(Access::read(&folder.0.join("none")), Access::default());
    }

    #[test]
    fn a_mistake_beside_a_pin_makes_the_line_read_only() {
        let folder = crate::platform::atomic_file::tests::Folder::new("access-pin");
        let pin = PinHash::of(b"4711", [7; 16], 2);
        let path = folder.file("console.conf", format!("{pin}\nraed-only\n"));
        let mut access = Access::read(&path);
        assert!(access.read_only);
        assert_eq!(access.check_pin(b"4711", Instant::now()), PinCheck::Right);
    }

    #[test]
    fn wrong_pins_cost_more_and_more_time() {
        let mut access = with("4711");
        let mut now = Instant::now();
        let mut seconds = Vec::new();
        for _ in 0..12 {
            let PinCheck::Wrong(lockout) = access.check_pin(b"0000", now) else {
                panic!("a wrong PIN is wrong");
            };
            seconds.push(lockout.as_secs());
            // The right one is not looked at before its time.
            assert!(matches!(access.check_pin(b"4711", now), PinCheck::Wrong(_)));
            now += lockout;
        }
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(access.check_pin(b"4711", now), PinCheck::Right);
        assert_eq!(access.check_pin(b"0000", now), PinCheck::Wrong(LOCKOUT));
    }

    #[test]
    fn an_agent_that_is_started_again_goes_on_with_the_pause() {
        let folder = crate::platform::atomic_file::tests::Folder::new("access-again");
        let file = folder.0.join("run/wrong-pins");
        let started = || LineLock::new(with("4711")).with_memory(file.clone());
        for wrong in [1, 2, 3] {
            let line_lock = started();
            line_lock.access.borrow_mut().not_before = None;
            assert_eq!(
                line_lock.check_pin(b"0000"),
                PinCheck::Wrong(LOCKOUT * (1 << (wrong - 1)))
            );
        }
        let again = started();
        assert_eq!(again.access.borrow().wrong, 3);
        assert!(again.access.borrow().not_before.is_some());
        again.access.borrow_mut().not_before = None;
        assert_eq!(again.check_pin(b"4711"), PinCheck::Right);
        assert_eq!(started().check_pin(b"4711"), PinCheck::Right);
    }
}
