//! The hash of the tables: one multiply for a key of 16 bytes, seedable.
//!
//! A GUID from a client is not random: it can be chosen. So the hash takes a seed, and a chosen
//! set of keys collides under the seed it was chosen for only: both factors of the product hold
//! the seed, or a key could make one of them zero whatever the other is. Multiplying and folding
//! the two halves of the product is the idea of Wang Yi's wyhash, cut down to what a table of at
//! most 65 534 rows needs.
//!
//! Of a product, the bits about its middle depend on the most bits of the factors, and a bucket is
//! picked by the highest bits of the hash. So the upper half is turned until its lowest bits are
//! there, where they meet the highest ones of the lower half.

use core::hash::Hasher;

/// Fractional digits of pi: numbers with nothing up their sleeve.
const SALT: [u64; 2] = [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344];

/// The widest multiply that costs one instruction here.
#[cfg(target_pointer_width = "64")]
pub(super) type KeyHasher = Fold64;
/// The widest multiply that costs one instruction here.
#[cfg(not(target_pointer_width = "64"))]
pub(super) type KeyHasher = Fold32;

/// For 64-bit cores: 64 x 64 bits.
#[cfg(any(test, target_pointer_width = "64"))]
pub(super) struct Fold64 {
    state: u64,
    seed: u64,
}

#[cfg(any(test, target_pointer_width = "64"))]
impl Fold64 {
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed ^ SALT[0], seed: seed.rotate_left(32) ^ SALT[1] }
    }

    const fn mix(&mut self, low: u64, high: u64) {
        let product = ((low ^ self.state) as u128).wrapping_mul((high ^ self.seed) as u128);
        self.state = product as u64 ^ ((product >> 64) as u64).rotate_left(56);
    }

    pub(super) const fn hash(&self) -> u32 {
        (self.state >> 32) as u32
    }
}

/// For 32-bit cores: two times 32 x 32 bits.
#[cfg(any(test, not(target_pointer_width = "64")))]
pub(super) struct Fold32 {
    state: [u32; 2],
    seed: [u32; 2],
}

#[cfg(any(test, not(target_pointer_width = "64")))]
impl Fold32 {
    pub(super) const fn new(seed: u64) -> Self {
        const fn halves(word: u64) -> [u32; 2] {
            [word as u32, (word >> 32) as u32]
        }
        Self { state: halves(seed ^ SALT[0]), seed: halves(seed.rotate_left(32) ^ SALT[1]) }
    }

    const fn mix(&mut self, low: u64, high: u64) {
        // Each product pairs one word of each half, so keys that differ in one half only still
        // change both.
        let ([a, b], [c, d]) = (self.state, self.seed);
        let first = times(low as u32 ^ a, high as u32 ^ c);
        let second = times((low >> 32) as u32 ^ b, (high >> 32) as u32 ^ d);
        self.state = [
            first as u32 ^ ((second >> 32) as u32).rotate_left(16),
            second as u32 ^ ((first >> 32) as u32).rotate_left(16),
        ];
    }

    pub(super) const fn hash(&self) -> u32 {
        let [a, b] = self.state;
        a.wrapping_add(b)
    }
}

#[cfg(any(test, not(target_pointer_width = "64")))]
const fn times(a: u32, b: u32) -> u64 {
    (a as u64).wrapping_mul(b as u64)
}

macro_rules! hasher {
    ($name:ident) => {
        impl Hasher for $name {
            #[inline]
            fn write(&mut self, bytes: &[u8]) {
                let (blocks, rest) = bytes.as_chunks::<16>();
                for block in blocks {
                    let block = u128::from_le_bytes(*block);
                    self.mix(block as u64, (block >> 64) as u64);
                }
                if !rest.is_empty() {
                    let word = |bytes: &[u8]| {
                        bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
                    };
                    let (low, high) = rest.split_at_checked(8).unwrap_or((rest, &[]));
                    // The length keeps a tail of zeros apart from a shorter tail.
                    self.mix(word(low), word(high) ^ (rest.len() as u64) << 56);
                }
            }

            #[inline]
            fn write_u8(&mut self, word: u8) {
                self.write_u64(word.into());
            }

            #[inline]
            fn write_u16(&mut self, word: u16) {
                self.write_u64(word.into());
            }

            #[inline]
            fn write_u32(&mut self, word: u32) {
                self.write_u64(word.into());
            }

            #[inline]
            fn write_u64(&mut self, word: u64) {
                self.mix(word, 0);
            }

            #[inline]
            fn write_u128(&mut self, word: u128) {
                self.mix(word as u64, (word >> 64) as u64);
            }

            #[inline]
            fn write_usize(&mut self, word: usize) {
                self.write_u64(word as u64);
            }

            #[inline]
            fn finish(&self) -> u64 {
                self.hash().into()
            }
        }
    };
}

#[cfg(any(test, target_pointer_width = "64"))]
hasher!(Fold64);
#[cfg(any(test, not(target_pointer_width = "64")))]
hasher!(Fold32);

#[cfg(test)]
mod tests;
