//! Texts and UPNs beside the strings they stand for.
#![cfg(feature = "graph")]

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use fastrand::Rng;
use runtally::graph::{Text, Upn, UserStateUpdate};

/// A text as it is read from a document in which every character is spelled by `spell`.
fn with_text<R>(
    text: &str,
    spell: impl Fn(char) -> String,
    look: impl FnOnce(Text<'_, 127>) -> R,
) -> R {
    let spelled: String = text.chars().map(spell).collect();
    let json = format!("{{\"userName\":\"{spelled}\"}}");
    look(UserStateUpdate::decode(json.as_bytes()).unwrap().name.unwrap().unwrap())
}

fn as_units(character: char) -> String {
    match *character.encode_utf16(&mut [0; 2]) {
        [unit] => format!("\\u{unit:04x}"),
        [high, low] => format!("\\u{high:04x}\\u{low:04x}"),
        _ => panic!("one unit or two"),
    }
}

const TEXTS: [&str; 8] = [
    "",
    "a",
    "plain",
    "größe",
    "\u{1f600}",
    "tab\tquote\"backslash\\",
    "\u{0}\u{1f}\u{7f}\u{80}",
    "\u{ffff}\u{10ffff}",
];

#[test]
fn a_text_is_its_unescaped_characters_whatever_the_spelling() {
    let last_escaped = |c: char| if c.is_ascii_alphabetic() { c.to_string() } else { as_units(c) };
    for text in TEXTS {
        for spell in [as_units as fn(char) -> String, last_escaped] {
            with_text(text, spell, |read| {
                assert!(read.chars().eq(text.chars()));
                assert_eq!(read.to_string(), text);
                assert_eq!(read.len(), text.len());
                assert_eq!(read.is_empty(), text.is_empty());
                assert_eq!(read, text);
                assert_ne!(read, "other");
                assert_eq!(read, Text::try_from(text).unwrap());
                assert_eq!(format!("{read:?}"), format!("{text:?}"));
                assert_eq!(read.copied::<127, u8>().unwrap(), text);
                assert_eq!(read.copied::<127, usize>().unwrap(), text);
                assert_eq!(read.copied::<1, u8>().is_ok(), text.len() <= 1);
                let is_plain = text.chars().all(|c| spell(c) == c.to_string());
                assert_eq!(read.as_str(), is_plain.then_some(text));
            });
        }
    }
}

#[test]
fn a_backslash_in_a_rust_string_is_a_backslash() {
    let text: Text<'_, 8> = r"\u0041".try_into().unwrap();
    assert_eq!(text.len(), 6);
    assert_eq!(text.to_string(), r"\u0041");
    assert_eq!(text.as_str(), Some(r"\u0041"));
    assert!(text.chars().eq(r"\u0041".chars()));
}

#[test]
fn a_stored_string_is_lent_as_a_text() {
    let name: heapless::String<127, u8> = "Ada".try_into().unwrap();
    assert_eq!(Text::from(&name), "Ada");
    let upn: Upn = "Ada".parse().unwrap();
    assert_eq!(Text::from(&upn), "Ada");
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A name of letters, the characters beside them in ASCII, and some beyond it.
fn name(rng: &mut Rng) -> String {
    let length = rng.usize(1..=60);
    std::iter::repeat_with(|| {
        *rng.choice(&['a', 'A', 'z', 'Z', '@', '[', '`', '{', '\0', 'é', 'É']).unwrap()
    })
    .take(length)
    .collect()
}

#[test]
fn upns_compare_and_hash_as_their_lower_case() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..50_000 {
        let a = name(&mut rng);
        // Another spelling of the same name, or of one that differs in one place.
        let mut b: Vec<char> =
            a.chars().map(|c| if rng.bool() { c.to_ascii_uppercase() } else { c }).collect();
        if rng.bool() {
            let at = rng.usize(0..b.len());
            b[at] = *rng.choice(&['a', 'Z', '@', '`', '\u{e1}']).unwrap();
        }
        let b: String = b.into_iter().collect();
        let [lower_a, lower_b] = [&a, &b].map(|name| name.to_ascii_lowercase());
        let [upn_a, upn_b]: [Upn; 2] = [&a, &b].map(|name| name.parse().unwrap());
        assert_eq!(upn_a == upn_b, lower_a == lower_b, "{a:?} {b:?}");
        assert_eq!(upn_a.cmp(&upn_b), lower_a.as_bytes().cmp(lower_b.as_bytes()));
        assert_eq!(upn_a.partial_cmp(&upn_b), Some(upn_a.cmp(&upn_b)));
        // 64 bits: another name has another hash.
        assert_eq!(hash(&upn_a) == hash(&upn_b), lower_a == lower_b, "{a:?} {b:?}");
        assert_eq!(upn_a.as_str(), a);
        assert_eq!(upn_a.to_string(), a);
        assert_eq!(format!("{upn_a:?}"), format!("{a:?}"));
        assert_eq!(upn_a.folded().as_str(), lower_a);
    }
}

/// Keeps what it is given.
#[derive(Default)]
struct Given(Vec<u8>);

impl Hasher for Given {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

#[test]
fn a_hasher_is_given_the_lower_case_and_its_length() {
    let mut rng = Rng::with_seed(2);
    for _ in 0..10_000 {
        let name = name(&mut rng);
        let mut given = Given::default();
        name.parse::<Upn>().unwrap().hash(&mut given);
        let mut expected = name.to_ascii_lowercase().into_bytes();
        expected.resize(name.len() / 16 * 16 + 15, 0);
        expected.push(name.len() as u8);
        // A `u128` is written in the order of the machine.
        for block in expected.chunks_exact_mut(16) {
            let word = u128::from_le_bytes(block.try_into().unwrap());
            block.copy_from_slice(&word.to_ne_bytes());
        }
        assert_eq!(given.0, expected, "{name:?}");
    }
}

#[test]
fn every_byte_in_every_place_hashes_as_its_lower_case() {
    for length in 1..=33 {
        for at in 0..length {
            let mut hashes = HashSet::new();
            for byte in 0..0x80_u8 {
                let mut name = vec![b'x'; length];
                name[at] = byte;
                let name = String::from_utf8(name).unwrap();
                let upn: Upn = name.parse().unwrap();
                assert_eq!(hash(&upn), hash(&upn.clone().folded()), "{name:?}");
                hashes.insert(hash(&upn));
            }
            assert_eq!(hashes.len(), 0x80 - 26);
        }
    }
}

#[test]
fn a_zero_byte_is_not_the_end_of_a_upn() {
    let upns: Vec<Upn> =
        (1..=Upn::MAX_LEN).map(|length| "\0".repeat(length).parse().unwrap()).collect();
    let hashes: HashSet<u64> = upns.iter().map(hash).collect();
    assert_eq!(hashes.len(), upns.len());
}
