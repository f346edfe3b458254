use core::hash::{Hash, Hasher};
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use super::{Fold32, Fold64, SALT};

type HashOf<K> = fn(u64, &K) -> u32;

fn fold64<K: Hash>(seed: u64, key: &K) -> u32 {
    let mut hasher = Fold64::new(seed);
    key.hash(&mut hasher);
    hasher.finish() as u32
}

fn fold32<K: Hash>(seed: u64, key: &K) -> u32 {
    let mut hasher = Fold32::new(seed);
    key.hash(&mut hasher);
    hasher.finish() as u32
}

fn both<K: Hash>() -> [HashOf<K>; 2] {
    [fold64, fold32]
}

/// How many keys are in each of twice as many buckets.
fn buckets<K>(hash: HashOf<K>, seed: u64, keys: &[K]) -> Vec<u32> {
    let heads = keys.len() * 2;
    let mut buckets = vec![0; heads];
    for key in keys {
        buckets[((u64::from(hash(seed, key)) * heads as u64) >> 32) as usize] += 1;
    }
    buckets
}

/// Keys compared to find each key once, per key, in hundredths; 125 for a perfect hash.
fn cost<K>(hash: HashOf<K>, seed: u64, keys: &[K]) -> u64 {
    let compared = |&bucket: &u32| u64::from(bucket) * (u64::from(bucket) + 1) / 2;
    100 * buckets(hash, seed, keys).iter().map(compared).sum::<u64>() / keys.len() as u64
}

/// Numbers without a pattern, always the same.
fn numbers() -> impl Iterator<Item = u64> {
    let mut state = 0x0123_4567_89AB_CDEF_u64;
    core::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

fn guid(number: u128) -> [u8; 16] {
    number.to_le_bytes()
}

fn assert_spread<K: Hash>(name: &str, keys: &[K]) {
    for (hasher, hash) in both::<K>().into_iter().enumerate() {
        let cost_of_default = cost(hash, 0, keys);
        assert!(cost_of_default <= 300, "{name}, hasher {hasher}: {cost_of_default}");
        let mut costs: Vec<u64> = numbers().take(40).map(|seed| cost(hash, seed, keys)).collect();
        costs.sort_unstable();
        let (usual, worst) = (costs[35], costs[39]);
        assert!(usual <= 200, "{name}, hasher {hasher}: nine in ten seeds cost up to {usual}");
        assert!(worst <= 700, "{name}, hasher {hasher}: one seed in forty costs {worst}");
    }
}

#[test]
fn numbers_that_follow_one_another_spread_under_any_seed() {
    let count = 1_024u16;
    assert_spread("u16", &(0..count).collect::<Vec<_>>());
    assert_spread("u32", &(0..u32::from(count)).collect::<Vec<_>>());
    assert_spread("usize", &(0..usize::from(count)).collect::<Vec<_>>());
    for shift in [0, 8, 16, 24, 32, 40, 48, 54] {
        let keys: Vec<u64> = (0..u64::from(count)).map(|key| key << shift).collect();
        assert_spread(&format!("u64 << {shift}"), &keys);
    }
    let keys: Vec<u64> = (0..u64::from(count)).map(|key| 0x0012_4B00_0000_0000 + key).collect();
    assert_spread("EUI-64 of one maker", &keys);
}

#[test]
fn guids_that_differ_in_any_two_bytes_spread_under_any_seed() {
    for shift in (0..=112).step_by(8) {
        let keys: Vec<_> = (0..1_024u128).map(|key| guid(0x74B9 + (key << shift))).collect();
        assert_spread(&format!("GUID << {shift}"), &keys);
        let keys: Vec<_> =
            (0..1_024u128).map(|key| u128::from_le_bytes(guid(key << shift))).collect();
        assert_spread(&format!("u128 << {shift}"), &keys);
    }
    let random = numbers().zip(numbers().skip(7));
    let keys: Vec<_> =
        random.take(1_024).map(|(a, b)| guid(u128::from(a) << 64 | u128::from(b))).collect();
    assert_spread("random GUIDs", &keys);
}

#[test]
fn texts_spread_under_any_seed() {
    let keys: Vec<String> = (0..1_024).map(|key| format!("user{key}@example.com")).collect();
    assert_spread("names that differ in front", &keys);
    let keys: Vec<String> = (0..1_024).map(|key| format!("somebody.or.other.{key}")).collect();
    assert_spread("names that differ at the end", &keys);
}

#[test]
fn the_largest_table_is_spread_as_evenly() {
    let keys: Vec<u16> = (0..65_534).collect();
    for hash in both() {
        assert!(cost(hash, 0, &keys) <= 150);
    }
    let keys: Vec<_> = (0..65_534u128).map(|key| guid(key << 112)).collect();
    for hash in both() {
        assert!(cost(hash, 0, &keys) <= 150);
    }
}

#[test]
fn a_flipped_bit_of_the_key_or_the_seed_changes_the_upper_half_of_the_hash() {
    fn upper_changes<K>(hash: HashOf<K>, flip: impl Fn(u64, u32) -> [(u64, K); 2]) -> u32 {
        let mut least = u32::MAX;
        for bit in 0..128 {
            let flips = numbers().take(256).filter(|&number| {
                let [(seed, key), (other_seed, other_key)] = flip(number, bit);
                hash(seed, &key) >> 16 != hash(other_seed, &other_key) >> 16
            });
            least = least.min(flips.count() as u32);
        }
        least
    }
    let key = |number: u64| guid(u128::from(number) << 61 ^ u128::from(number));
    for hash in both::<[u8; 16]>() {
        let of_key = upper_changes(hash, |number, bit| {
            let flipped = u128::from_le_bytes(key(number)) ^ 1 << bit;
            [(number, key(number)), (number, guid(flipped))]
        });
        assert!(of_key >= 240, "a bit of the key: {of_key} of 256");
        let of_seed = upper_changes(hash, |number, bit| {
            [(number, key(number)), (number ^ 1 << (bit % 64), key(number))]
        });
        assert!(of_seed >= 240, "a bit of the seed: {of_seed} of 256");
    }
}

/// Without the seed in both factors, these collided under any seed at all.
#[test]
fn keys_that_make_a_factor_zero_do_so_under_one_seed_only() {
    let keys: Vec<_> = (0..512u64)
        .map(|key| guid(u128::from(SALT[1]) << 64 | u128::from(key)))
        .chain((0..512).map(|key: u64| guid(u128::from(key) << 64 | u128::from(SALT[0]))))
        .collect();
    for hash in both() {
        for seed in numbers().take(64) {
            let cost = cost(hash, seed, &keys);
            assert!(cost <= 400, "seed {seed:#x}: {cost}");
        }
    }
}

#[test]
fn keys_chosen_to_collide_under_the_default_seed_spread_under_another() {
    for hash in both::<u64>() {
        // One bucket of 128, and then one value of the hash's upper half.
        for shift in [25, 16] {
            let wanted = hash(0, &7) >> shift;
            let chosen: Vec<u64> =
                (0..).filter(|key| hash(0, key) >> shift == wanted).take(64).collect();
            let longest = |seed| buckets(hash, seed, &chosen).into_iter().max().unwrap();
            assert_eq!(longest(0), 64, "all in one chain");
            for seed in numbers().take(64) {
                assert!(longest(seed) <= 12, "seed {seed:#x}: {} of 64", longest(seed));
            }
        }
    }
}

#[test]
fn keys_of_different_length_are_told_apart() {
    let zeros = [0u8; 40];
    for hash in [
        |bytes: &[u8]| {
            let mut hasher = Fold64::new(0);
            hasher.write(bytes);
            hasher.finish()
        },
        |bytes: &[u8]| {
            let mut hasher = Fold32::new(0);
            hasher.write(bytes);
            hasher.finish()
        },
    ] {
        let mut hashes: Vec<u64> = (0..=40).map(|length| hash(&zeros[..length])).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 41);
        // Every byte counts, wherever the blocks of 16 end.
        for length in 1..=40 {
            for at in 0..length {
                let mut bytes = zeros;
                bytes[at] = 1;
                assert_ne!(hash(&bytes[..length]), hash(&zeros[..length]), "byte {at} of {length}");
            }
        }
    }
}

/// A change here moves rows to other buckets, and the numbers in the benchmarks with them.
#[test]
fn the_hashes_are_what_they_were() {
    assert_eq!(fold64(0, &1u64), fold64(0, &1u16));
    assert_eq!(fold32(0, &1u64), fold32(0, &1u8));
    assert_eq!(
        [fold64(0, &1u64), fold64(1, &guid(1)), fold64(2, &"ada")],
        [3_733_945_892, 394_641_870, 1_726_782_189]
    );
    assert_eq!(
        [fold32(0, &1u64), fold32(1, &guid(1)), fold32(2, &"ada")],
        [185_541_943, 1_014_474_154, 2_295_115_755]
    );
}
