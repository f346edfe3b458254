//! Which shard a key belongs to.

/// The shard of a key, 0 to `count` - 1: a function that never changes, on any machine. 0 if `count`
/// is 0.
///
/// Of a device the key is its 16 bytes. Of a user it must be bytes that do not depend on how the
/// name was spelled: those of `graph::user_state_id` under one id for the whole roll-out, or those of
/// the folded name.
///
/// `count` must stay what it is for as long as snapshots or logs of the shards are kept. Choose many,
/// 256 to 4 096 a stage, and give each worker several: shards with neighbouring numbers make a group
/// if the group is `shard * groups / count`.
///
/// The hash is not seeded, so whoever may choose keys can choose them for one shard.
///
/// # The function
///
/// ```text
///  h = CBF2_9CE4_8422_2325                      FNV-1a, 64 bits
///  for each byte, the first one first:
///      h = (h xor byte) * 0000_0100_0000_01B3
///  h = (h xor h >> 33) * FF51_AFD7_ED55_8CCD    the finaliser of MurmurHash3
///  h = (h xor h >> 33) * C4CE_B9FE_1A85_EC53
///  h =  h xor h >> 33
///  shard = h * count >> 64                      the product has 96 bits
/// ```
///
/// Products but the last are modulo 2^64.
///
/// | key | h | of 7 | of 256 | of 4096 | of 65536 |
/// |---|---|---|---|---|---|
/// | none | `EFD01F60BA992926` | 6 | 239 | 3837 | 61392 |
/// | `61` | `82A2A958A9BECE5B` | 3 | 130 | 2090 | 33442 |
/// | `66 6F 6F 62 61 72` | `2C22194922D1672B` | 1 | 44 | 706 | 11298 |
/// | `00 01 02 … 0F` | `F110B958DA43F7E6` | 6 | 241 | 3857 | 61712 |
/// | `11 11 11 11 22 22 33 33 44 44 55 55 55 55 55 55` | `2B3E50A7C6471F39` | 1 | 43 | 691 | 11070 |
///
/// ```
/// use runtally::shard::partition;
///
/// assert_eq!(partition(b"foobar", 4096), 706);
/// assert!(partition(&[0; 16], 7) < 7);
/// ```
#[must_use]
pub const fn partition(key: &[u8], count: u32) -> u32 {
    ((hash(key) as u128).wrapping_mul(count as u128) >> 64) as u32
}

const fn hash(mut key: &[u8]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    while let Some((&byte, rest)) = key.split_first() {
        hash = (hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01B3);
        key = rest;
    }
    hash = (hash ^ hash >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    hash = (hash ^ hash >> 33).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::{hash, partition};

    #[test]
    fn the_function_is_what_it_was() {
        let ascending = core::array::from_fn::<u8, 16, _>(|byte| byte as u8);
        let id = 0x1111_1111_2222_3333_4444_5555_5555_5555_u128.to_be_bytes();
        for (key, expected, shards) in [
            (&b""[..], 0xEFD0_1F60_BA99_2926, [6, 239, 3837, 61392]),
            (b"a", 0x82A2_A958_A9BE_CE5B, [3, 130, 2090, 33442]),
            (b"foobar", 0x2C22_1949_22D1_672B, [1, 44, 706, 11298]),
            (&ascending, 0xF110_B958_DA43_F7E6, [6, 241, 3857, 61712]),
            (&id, 0x2B3E_50A7_C647_1F39, [1, 43, 691, 11070]),
        ] {
            assert_eq!(hash(key), expected, "{key:?}");
            assert_eq!([7, 256, 4096, 65536].map(|count| partition(key, count)), shards);
            assert_eq!([0, 1].map(|count| partition(key, count)), [0, 0]);
        }
    }

    #[test]
    fn consecutive_numbers_spread_over_all_shards() {
        for bytes in [u128::to_le_bytes, u128::to_be_bytes] {
            let mut shards = [0u32; 256];
            (0..65_536).for_each(|id| shards[partition(&bytes(id), 256) as usize] += 1);
            // 256 a shard: six standard deviations are 96.
            assert!(shards.iter().all(|devices| (160..352).contains(devices)), "{shards:?}");
        }
    }
}
