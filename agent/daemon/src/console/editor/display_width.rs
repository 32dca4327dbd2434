// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many columns of a terminal a text occupies, as most terminals compute it (Unicode's
//! annex 11): names and greetings may be in any script, and a wrong cursor position garbles
//! the row.

/// Stands for the second column of a wide character.
pub const SECOND: char = '\0';

/// Characters that occupy two columns.
static WIDE: [(u32, u32); 13] = [
    (0x1100, 0x115f),
    (0x2e80, 0x303e),
    (0x3041, 0xa4cf),
    (0xa960, 0xa97f),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfe30, 0xfe6f),
    (0xff01, 0xff60),
    (0xffe0, 0xffe6),
    (0x1f300, 0x1f64f),
    (0x1f680, 0x1f6ff),
    (0x1f900, 0x1f9ff),
    (0x20000, 0x3fffd),
];

/// Characters that occupy no column, or change the direction of the characters around them.
static NONE: [(u32, u32); 11] = [
    (0x00ad, 0x00ad),
    (0x0300, 0x036f),
    (0x1160, 0x11ff),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x20d0, 0x20ff),
    (0xfe00, 0xfe0f),
    (0xfe20, 0xfe2f),
    (0xfeff, 0xfeff),
    (0xe0000, 0xe0fff),
];

fn among(c: char, ranges: &[(u32, u32)]) -> bool {
    let c = u32::from(c);
    ranges
        .iter()
        .any(|&(first, last)| (first..=last).contains(&c))
}

/// Whether a character occupies two columns.
pub fn is_wide(c: char) -> bool {
    among(c, &WIDE)
}

/// The character in each column of a text. A character without a column is shown as `?`, so
/// that the user can see and delete it.
pub fn cells(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(|c| {
        let shown = if among(c, &NONE) { '?' } else { c };
        let second = is_wide(c).then_some(SECOND);
        [Some(shown), second].into_iter().flatten()
    })
}

/// How many columns a text occupies.
pub fn columns(text: &str) -> usize {
    cells(text).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_a_terminal() {
        for (text, wide) in [
            ("route", 5),
            ("äöü€ß", 5),
            ("маршрут", 7),
            ("路由", 4),
            ("경로", 4),
            ("ｗｉｄｅ", 8),
            ("😀", 2),
            ("e\u{301}", 2),
        ] {
            assert_eq!(columns(text), wide, "{text}");
        }
        let shown: String = cells("a\u{202e}路b").collect();
        assert_eq!(shown, "a?路\0b");
    }
}
