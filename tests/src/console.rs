// SPDX-License-Identifier: MIT OR Apache-2.0
//! The agent's console as a person sees it: a prompt, what was typed, the reply.

use std::fmt;

use crate::channel::Channel;

/// What the agent says when it waits for a command, while the board has no name and nothing
/// is open or unsaved; see [`is_prompt`]. Transcripts have it in place of every prompt.
pub const PROMPT: &str = "nl31> ";

/// Whether a line is the first of a resident agent's greeting, behind which it reads commands.
pub fn is_greeting(line: &str) -> bool {
    line == "nl31 agent" || line.starts_with("nl31 agent ")
}

/// Whether a line is a prompt and nothing else: `NAME[(edit N)][*][!]> `.
pub fn is_prompt(line: &str) -> bool {
    let Some(marked) = line.strip_suffix("> ") else {
        return false;
    };
    let marked = marked.strip_suffix('!').unwrap_or(marked);
    let name = marked.strip_suffix('*').unwrap_or(marked);
    let name = match name
        .strip_suffix(')')
        .map(|edits| edits.split_once("(edit "))
    {
        Some(Some((name, edits))) if edits.parse::<u32>().is_ok() => name,
        Some(_) => return false,
        None => name,
    };
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A serial line with the agent at its other end.
pub struct Console {
    channel: Channel,
    seen: Vec<u8>,
    /// Where the current command's output starts.
    from: usize,
    unsent: Vec<u8>,
}

impl Console {
    /// The console on `channel`.
    pub fn new(channel: Channel) -> Self {
        Self {
            channel,
            seen: Vec::new(),
            from: 0,
            unsent: Vec::new(),
        }
    }

    /// The channel, to wait on.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The channel, for a test that speaks to the agent directly.
    pub fn channel_mut(&mut self) -> &mut Channel {
        &mut self.channel
    }

    /// All bytes so far.
    pub fn transcript(&self) -> &[u8] {
        &self.seen
    }

    /// Takes in what has arrived, and sends what can be sent; the number of bytes moved.
    pub fn pump(&mut self) -> usize {
        let received = self.channel.drain(&mut self.seen);
        let sent = self.channel.send(&self.unsent);
        self.unsent.drain(..sent);
        received + sent
    }

    /// Types `line` and return. What was there before belongs to the past.
    pub fn type_line(&mut self, line: &[u8]) {
        self.type_bytes(line);
        self.unsent.push(b'\r');
    }

    /// Types just these bytes.
    pub fn type_bytes(&mut self, bytes: &[u8]) {
        self.from = self.seen.len();
        self.unsent.extend_from_slice(bytes);
    }

    /// What is on the screen since the last time something was typed; the last line is
    /// the one the cursor is in.
    pub fn screen(&self) -> Vec<String> {
        render(&self.seen[self.from..])
    }

    /// True when the cursor stands behind a fresh prompt.
    pub fn at_prompt(&self) -> bool {
        // cheap first: a long output is asked about often
        self.seen.ends_with(b"> ") && self.screen().last().is_some_and(|line| is_prompt(line))
    }

    /// Lets what was said up to now belong to the past.
    pub fn forget(&mut self) {
        self.type_bytes(b"");
    }

    /// True when an agent has greeted since something was typed or forgotten, and waits for
    /// a command.
    pub fn is_greeted(&self) -> bool {
        self.at_prompt() && self.screen().iter().any(|line| is_greeting(line))
    }

    /// The reply to `line`, which was typed, once it is complete.
    pub fn reply(&self, line: &[u8]) -> Option<Reply> {
        if !self.unsent.is_empty() || !self.seen[self.from..].contains(&b'\n') || !self.at_prompt()
        {
            return None;
        }
        let mut screen = self.screen();
        screen.pop();
        let mut lines = screen.split_off(1);
        lines.retain(|shown| !is_drawn_again(shown, line));
        let status = lines.iter().rev().find_map(|line| Status::parse(line));
        (status.is_some() || is_silent(line)).then_some(Reply { lines, status })
    }
}

/// True for the typed line where the console draws it again, behind a notice that came meanwhile.
fn is_drawn_again(shown: &str, typed: &[u8]) -> bool {
    let typed = String::from_utf8_lossy(typed);
    !typed.is_empty() && shown.strip_suffix(&*typed).is_some_and(is_prompt)
}

/// True for what the agent answers with nothing but a new prompt.
fn is_silent(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    text.is_empty() || text.starts_with(b"#")
}

/// What the agent answered to one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// All lines, the status among them (the last but for events).
    pub lines: Vec<String>,
    /// The status; none after an empty line.
    pub status: Option<Status>,
}

impl Reply {
    /// False for an error.
    pub fn succeeded(&self) -> bool {
        self.status
            .as_ref()
            .is_none_or(|status| status.severity != Severity::Error)
    }

    /// The lines that are neither status nor event.
    pub fn data(&self) -> impl Iterator<Item = &str> {
        let lines = self.lines.iter().map(String::as_str);
        lines.filter(|line| !line.starts_with("* ") && Status::parse(line).is_none())
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// How bad a status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// `I`: done.
    Information,
    /// `W`: done, but.
    Warning,
    /// `E`: not done.
    Error,
}

/// A status line, such as `I200 added 10.0.0.0/8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its letter.
    pub severity: Severity,
    /// Its three digits.
    pub code: u16,
    /// What follows them.
    pub text: String,
}

impl Status {
    /// Reads a status line; none if it is another line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (code, text) = line.split_once(' ')?;
        let severity = match code.as_bytes().first()? {
            b'I' => Severity::Information,
            b'W' => Severity::Warning,
            b'E' => Severity::Error,
            _ => return None,
        };
        let digits = &code[1..];
        if digits.len() != 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        Some(Self {
            severity,
            code: digits.parse().ok()?,
            text: text.to_owned(),
        })
    }
}

/// The lines that a terminal of endless width would show.
pub fn render(bytes: &[u8]) -> Vec<String> {
    let mut screen = Screen {
        lines: vec![Vec::new()],
        column: 0,
    };
    vte::Parser::new().advance(&mut screen, bytes);
    screen.lines.into_iter().map(String::from_iter).collect()
}

struct Screen {
    lines: Vec<Vec<char>>,
    column: usize,
}

impl Screen {
    fn line(&mut self) -> &mut Vec<char> {
        self.lines.last_mut().expect("never empty")
    }
}

impl vte::Perform for Screen {
    fn print(&mut self, c: char) {
        let column = self.column;
        let line = self.line();
        if line.len() <= column {
            line.resize(column + 1, ' ');
        }
        line[column] = c;
        self.column += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.lines.push(Vec::new());
                self.column = 0;
            }
            b'\r' => self.column = 0,
            0x08 => self.column = self.column.saturating_sub(1),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, parameters: &vte::Params, _: &[u8], _: bool, action: char) {
        let first = parameters
            .iter()
            .next()
            .and_then(|sub| sub.first())
            .copied()
            .unwrap_or(0);
        let (column, count) = (self.column, usize::from(first.max(1)));
        match (action, first) {
            ('K', 0) | ('J', 0) => self.line().truncate(column),
            ('K', _) => self.line().clear(),
            ('C', _) => self.column += count,
            ('D', _) => self.column = column.saturating_sub(count),
            ('G', _) => self.column = count - 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_told_from_other_lines() {
        for prompt in [PROMPT, "nl31*> ", "router-7(edit 12)*!> ", "a!> "] {
            assert!(is_prompt(prompt), "{prompt}");
        }
        for other in [
            "",
            "> ",
            "nl31>",
            "nl31> x",
            "a b> ",
            "nl31(edit x)> ",
            "(edit 3)> ",
        ] {
            assert!(!is_prompt(other), "{other}");
        }
    }

    #[test]
    fn a_redrawn_line_shows_its_last_state() {
        let lines = render(b"nl31> abc\x08\x08\x1b[Kx\r\n* event\r\nnl31> \r\x1b[Knl31> ");
        assert_eq!(lines, ["nl31> ax", "* event", "nl31> "]);
    }

    #[test]
    fn a_line_drawn_again_is_no_part_of_the_reply() {
        assert!(is_drawn_again("nl31> route show", b"route show"));
        assert!(!is_drawn_again("route show", b"route show"));
        assert!(!is_drawn_again("nl31> ", b""));
    }

    #[test]
    fn a_status_has_a_letter_and_three_digits() {
        let status = Status::parse("E404 no such route").expect("a status");
        assert_eq!((status.severity, status.code), (Severity::Error, 404));
        assert_eq!(Status::parse("E4 no"), None);
        assert_eq!(Status::parse("Eabc no"), None);
        assert_eq!(Status::parse("10.0.0.0/8 via 192.0.2.1"), None);
    }
}
