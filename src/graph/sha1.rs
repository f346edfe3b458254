//! SHA-1, which a name-based UUID is made with; it protects nothing here.

/// The hash of a message of `len` bytes.
///
/// Source: RFC 3174, sections 4 and 6.1. A loop and not unrolled: that takes a sixth of the flash.
pub(super) fn sha1(message: impl Iterator<Item = u8>, len: u32) -> [u32; 5] {
    let mut hash = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    // A single one follows the message, then zeros, then the number of its bits.
    let mut padded = message.chain([0x80]);
    let last = len.saturating_add(8) / 64;
    for number in 0..=last {
        let mut block = [0_u32; 16];
        for word in &mut block {
            for _ in 0..4 {
                *word = *word << 8 | u32::from(padded.next().unwrap_or_default());
            }
        }
        if number == last {
            block[15] = len.saturating_mul(8);
        }
        hash_block(&mut hash, block);
    }
    hash
}

#[expect(clippy::indexing_slicing, reason = "sixteen words, and four bits of a number")]
#[expect(clippy::many_single_char_names, reason = "the RFC's")]
fn hash_block(hash: &mut [u32; 5], mut words: [u32; 16]) {
    let [mut a, mut b, mut c, mut d, mut e] = *hash;
    let mut t = 0_usize;
    for (phase, constant) in
        [0x5a82_7999, 0x6ed9_eba1, 0x8f1b_bcdc, 0xca62_c1d6].into_iter().enumerate()
    {
        for _ in 0..20 {
            let word = words[t & 15];
            // The word of sixteen steps later.
            let after = |steps: usize| words[t.wrapping_add(steps) & 15];
            words[t & 15] = (after(13) ^ after(8) ^ after(2) ^ word).rotate_left(1);
            let mixed = match phase {
                0 => d ^ (b & (c ^ d)),
                2 => b & c | d & (b | c),
                _ => b ^ c ^ d,
            };
            // What came last is added last: nothing else waits for it.
            let sum = word.wrapping_add(constant).wrapping_add(e).wrapping_add(mixed);
            (a, b, c, d, e) = (sum.wrapping_add(a.rotate_left(5)), a, b.rotate_left(30), c, d);
            t = t.wrapping_add(1);
        }
    }
    for (word, change) in hash.iter_mut().zip([a, b, c, d, e]) {
        *word = word.wrapping_add(change);
    }
}
