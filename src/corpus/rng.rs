//! The generator's own random numbers: xoshiro256** seeded through splitmix64 (Blackman and Vigna).
//!
//! Invariant: the same seed gives the same numbers on every machine and in every release; nothing here looks at a clock or
//! at the operating system. Not for secrets.

/// A small seeded random number generator.
#[derive(Debug, Clone)]
pub struct Rng([u64; 4]);

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Rng {
    /// Numbers that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        Self(std::array::from_fn(|_| splitmix(&mut state)))
    }

    /// Numbers of their own for the `index`-th case of a kind, whatever else was generated before.
    pub fn for_case(seed: u64, kind: &str, index: u64) -> Self {
        let mut state = seed;
        for byte in kind.bytes() {
            state = splitmix(&mut state) ^ u64::from(byte);
        }
        Self::new(splitmix(&mut state) ^ index)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number below `limit`; 0 when `limit` is 0. The bias of the multiplication is far below what a corpus could show.
    pub fn below(&mut self, limit: u64) -> u64 {
        u64::try_from((u128::from(self.draw()) * u128::from(limit)) >> 64).unwrap_or(0)
    }

    /// A number between `low` and `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// A size between `low` and `high`, small ones much commoner than big ones (uniform in the logarithm).
    pub fn size(&mut self, low: usize, high: usize) -> usize {
        let octaves = (high / low.max(1)).max(1).ilog2();
        let base = low << self.below(u64::from(octaves) + 1);
        let spread = usize::try_from(self.below(base as u64)).unwrap_or(0);
        (base + spread).min(high)
    }

    /// True `per_thousand` times in a thousand.
    pub fn chance(&mut self, per_thousand: u32) -> bool {
        self.below(1000) < u64::from(per_thousand)
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        &choices[index]
    }

    /// Bytes that do not compress.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.draw().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// `length` characters of `alphabet`.
    pub fn text(&mut self, length: usize, alphabet: &[u8]) -> String {
        (0..length).map(|_| char::from(*self.pick(alphabet))).collect()
    }

    /// `length` decimal digits.
    pub fn digits(&mut self, length: usize) -> String {
        self.text(length, b"0123456789")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_from_the_seed_and_the_case_alone() {
        let first: Vec<u64> = (0..4).map(|_| 0).scan(Rng::new(0), |rng, _: u64| Some(rng.draw())).collect();
        // Reference: xoshiro256** over splitmix64(0), computed with the authors' C code.
        assert_eq!(first[0], 0x99EC_5F36_CB75_F2B4);
        let mut a = Rng::for_case(7, "pec", 3);
        let mut b = Rng::for_case(7, "pec", 4);
        let mut c = Rng::for_case(7, "log", 3);
        let (a, b, c) = (a.draw(), b.draw(), c.draw());
        assert!(a != b && a != c && b != c);
    }

    #[test]
    fn ranges_hold() {
        let mut rng = Rng::new(1);
        for _ in 0..10_000 {
            assert!(rng.below(7) < 7);
            assert!((3..=9).contains(&rng.between(3, 9)));
            assert!((1000..=50_000).contains(&rng.size(1000, 50_000)));
        }
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.bytes(13).len(), 13);
    }
}
