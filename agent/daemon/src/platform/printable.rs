// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replaces control characters in text from outside the agent: names, the kernel's texts,
//! system errors, greetings.

/// The printable form of a character: `?` for controls and for characters that change the
/// direction of text; a blank for a tab.
pub fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
        c if c.is_control() => '?',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_replaced() {
        let shown: String = "a\tb\x1b[2J\u{9b}1m\r\n\u{202e}é"
            .chars()
            .map(printable)
            .collect();
        assert_eq!(shown, "a b?[2J?1m???é");
    }
}
