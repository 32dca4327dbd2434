// SPDX-License-Identifier: MIT OR Apache-2.0
//! The config's file: lines of settings, and lines with the arguments of `route add`; and its
//! errors.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use nix::libc;
use nl31_netlink::Op;
use nl31_route::{ParseErrorKind, Parsed, PassedOver, Syntax, without_comment};

use super::settings::error::{SettingError, SettingErrorKind};
use crate::grammar::{self, GrammarErrorKind, Setting};

/// Longest line in bytes, with what is behind `#`.
pub(super) const LINE_MAX: usize = 512;

/// The mark that some editors put before the first line.
pub(crate) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// An error of a config. Shown as `FILE:LINE:COLUMN: REASON`, counted from 1.
#[derive(Debug)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Line and column from 1, if the error has a place in the file. Columns count bytes.
    pub place: Option<(u32, usize)>,
    /// The reason.
    pub kind: ConfigErrorKind,
}

/// The reason of an error of a config.
#[derive(Debug, thiserror::Error)]
pub enum ConfigErrorKind {
    /// The file cannot be read.
    #[error("{0}")]
    Io(io::Error),
    /// A line is longer than 512 bytes.
    #[error("the line is longer than {LINE_MAX} bytes")]
    LineTooLong,
    /// A line is not UTF-8.
    #[error("the line is not UTF-8 text")]
    NoText,
    /// A line is not a route.
    #[error("{0}")]
    Parse(ParseErrorKind),
    /// A line of a setting has a mistake.
    #[error("{0}")]
    Grammar(GrammarErrorKind),
    /// A setting cannot be made.
    #[error("{0}")]
    Setting(Box<SettingError>),
    /// The kernel refused.
    #[error("{}", .0.kind)]
    Kernel(nl31_netlink::Error),
}

/// The lines of a file, one at a time in a buffer of fixed size.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<File>,
    /// Of fixed capacity: that of the longest line with its end.
    line: Vec<u8>,
    number: u32,
    passed_over: Cell<PassedOver>,
}

/// What a line says.
#[derive(Debug)]
pub enum Entry {
    /// A route.
    Route(Parsed),
    /// A setting.
    Setting(Setting),
}

/// A column from 0, and the error there.
pub type Fault = (usize, ConfigErrorKind);

impl Lines {
    /// Opens a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Devices and pipes may block or never end.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        File::open(path).map(Self::of)
    }

    /// The lines of a missing file: none.
    pub fn none() -> io::Result<Self> {
        File::open("/dev/null").map(Self::of)
    }

    fn of(file: File) -> Self {
        Self {
            reader: BufReader::new(file),
            line: Vec::with_capacity(LINE_MAX + 1),
            number: 0,
            passed_over: Cell::default(),
        }
    }

    /// The line, without its end.
    pub fn bytes(&self) -> &[u8] {
        &self.line
    }

    /// The line as text; empty if it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.line).unwrap_or_default()
    }

    /// The number of the line, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// An upper bound of the number of lines: the bytes of the file.
    pub(super) fn most(&self) -> u32 {
        let bytes = self
            .reader
            .get_ref()
            .metadata()
            .map_or(0, |file| file.len());
        u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Reads the next line; gives `false` at the end of the file.
    pub fn advance(&mut self) -> Result<bool, Fault> {
        self.line.clear();
        self.number = self.number.saturating_add(1);
        let mut reader = (&mut self.reader).take(LINE_MAX as u64 + 1);
        reader
            .read_until(b'\n', &mut self.line)
            .map_err(|error| (0, ConfigErrorKind::Io(error)))?;
        if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
            // Spaces, so that the columns stay right.
            self.line[..BYTE_ORDER_MARK.len()].fill(b' ');
        }
        if self.line.ends_with(b"\n") {
            self.line.pop();
            return Ok(true);
        }
        if self.line.len() > LINE_MAX {
            let text = text_before_comment(&self.line);
            if text.len() == self.line.len() {
                return Err((LINE_MAX, ConfigErrorKind::LineTooLong));
            }
            let text = text.len();
            self.line.truncate(text);
            self.skip_line()
                .map_err(|error| (0, ConfigErrorKind::Io(error)))?;
            return Ok(true);
        }
        Ok(!self.line.is_empty())
    }

    /// Parses the line; `None` for an empty line or a comment.
    pub fn parse(&self) -> Result<Option<Entry>, Fault> {
        // A comment may be in any encoding.
        let line = std::str::from_utf8(text_before_comment(&self.line))
            .map_err(|error| (error.valid_up_to(), ConfigErrorKind::NoText))?;
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let setting = grammar::setting(line)
            .map_err(|error| (error.column, ConfigErrorKind::Grammar(error.kind)))?;
        if let Some(setting) = setting {
            return Ok(Some(Entry::Setting(setting)));
        }
        let fault =
            |error: nl31_route::ParseError| (error.column, ConfigErrorKind::Parse(error.kind));
        let parsed = Syntax::CONFIG.parse(line, 0).map_err(fault)?;
        parsed.check_route().map_err(fault)?;
        self.passed_over
            .set(self.passed_over.get().and(parsed.passed_over()));
        Ok(Some(Entry::Route(parsed)))
    }

    /// The words of iproute2's lists that were ignored so far.
    pub fn passed_over(&self) -> PassedOver {
        self.passed_over.get()
    }

    /// Skips the rest of a line.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.reader.fill_buf()?;
            let (len, ended) = match bytes.iter().position(|&byte| byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (bytes.len(), bytes.is_empty()),
            };
            self.reader.consume(len);
            if ended {
                return Ok(());
            }
        }
    }
}

/// A line without its comment, which need not be UTF-8.
fn text_before_comment(line: &[u8]) -> &[u8] {
    let valid = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&line[..error.valid_up_to()]).unwrap_or_default(),
    };
    let text = without_comment(valid).as_bytes();
    if text.len() < valid.len() { text } else { line }
}

/// Refuses an empty saved config: `save` writes at least one line, so the file was damaged;
/// another config is safer than an empty table.
pub fn refuse_empty(path: &Path) -> Result<(), ConfigError> {
    match path.metadata() {
        Ok(file) if file.is_file() && file.len() == 0 => Err(ConfigError {
            path: path.into(),
            place: None,
            kind: ConfigErrorKind::Io(io::Error::other(
                "the saved config is empty, which `save` never writes; `save` the table again",
            )),
        }),
        _ => Ok(()),
    }
}

/// Whether the kernel would refuse again.
fn is_lasting(error: &nl31_netlink::Error) -> bool {
    match error.errno() {
        // Temporary: another socket's transaction, no memory, a late answer.
        Some(libc::EBUSY | libc::ENOMEM | libc::ENOBUFS | libc::ETIMEDOUT) => false,
        errno => errno.is_some(),
    }
}

impl ConfigError {
    /// Whether the config itself caused the error, so that another config may load.
    pub fn is_of_config(&self) -> bool {
        match &self.kind {
            ConfigErrorKind::Kernel(error) => is_lasting(error),
            ConfigErrorKind::Setting(error) => match &error.kind {
                // A device that another driver uses is busy for as long as it does; the table, while
                // another socket's transaction is open.
                SettingErrorKind::Kernel(error) => {
                    let is_busy = error.errno() == Some(libc::EBUSY);
                    is_lasting(error) || is_busy && error.op != Op::Table
                }
                kind => !matches!(kind, SettingErrorKind::Io(_)),
            },
            _ => true,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {}", self.kind)
    }
}

impl std::error::Error for ConfigError {}
