// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers that look random, and are the same each time.

/// Begins the numbers of a test: `NL31_SEED`, so that it can be tried with others.
pub fn seed() -> u64 {
    let Ok(text) = std::env::var("NL31_SEED") else {
        return 31;
    };
    text.parse()
        .unwrap_or_else(|_| panic!("NL31_SEED is {text:?}, and must be a number"))
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same for ever.
pub struct SplitMix(pub u64);

impl SplitMix {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }
}
