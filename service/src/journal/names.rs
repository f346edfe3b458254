//! The e-mail addresses and names of a configuration's declared users: a place of the file for each.
//!
//! ```text
//!  place   crc32  lengths of UPN, address and name; 255 for one that is absent   the three texts
//!          u32    3 x u8                                                         up to 3 x 127 bytes
//! ```

use std::collections::HashMap;
use std::io;

use runtally::graph::Upn;

use super::log::Log;

/// Bytes of a place.
pub(super) const PLACE: usize = 512;

const ABSENT: u8 = u8::MAX;

pub(super) struct Names {
    start: u64,
    places: HashMap<Upn, u32>,
    free: Vec<u32>,
}

/// What a place holds.
pub(super) struct Entry {
    pub(super) user: Upn,
    pub(super) names: [Option<String>; 2],
}

impl Names {
    /// Reads all places, shows `each` what they hold, and keeps the users it says are declared.
    /// Gives the number of damaged ones as well.
    pub(super) fn open(
        log: &Log,
        start: u64,
        count: usize,
        mut each: impl FnMut(&Entry) -> bool,
    ) -> io::Result<(Self, u32)> {
        let mut names = Self { start, places: HashMap::new(), free: Vec::new() };
        let mut damaged = 0;
        let mut bytes = vec![0; count * PLACE];
        log.read(start, &mut bytes)?;
        for (number, place) in (0..).zip(bytes.chunks(PLACE)) {
            if place.iter().all(|&byte| byte == 0xff) {
                names.free.push(number);
                continue;
            }
            let entry = read(place);
            damaged += u32::from(entry.is_none());
            match entry {
                Some(entry) if !names.places.contains_key(&entry.user) && each(&entry) => {
                    names.places.insert(entry.user, number);
                }
                _ => names.free.push(number),
            }
        }
        // The first ones first.
        names.free.reverse();
        Ok((names, damaged))
    }

    /// Writes down what is known of a user; `None` if the user is not declared.
    pub(super) fn write(&mut self, log: &Log, user: &Upn, names: Option<[Option<&str>; 2]>) {
        let known = self.places.get(user).copied();
        if let Some(names) = names {
            // There are as many places as users; one more there is not.
            let Some(number) = known.or_else(|| self.free.pop()) else { return };
            self.places.insert(user.clone(), number);
            log.write(self.at(number), &write(user, names));
        } else if let Some(number) = known {
            self.places.remove(user);
            self.free.push(number);
            log.erase(self.at(number), PLACE as u32);
        }
    }

    fn at(&self, number: u32) -> u64 {
        self.start + u64::from(number) * PLACE as u64
    }
}

fn write(user: &Upn, [email, name]: [Option<&str>; 2]) -> Vec<u8> {
    let texts = [Some(user.as_str()), email, name];
    let mut bytes = vec![0; 4];
    bytes.extend(texts.map(|text| text.map_or(ABSENT, |text| text.len() as u8)));
    texts.into_iter().flatten().for_each(|text| bytes.extend_from_slice(text.as_bytes()));
    let checksum = crc32fast::hash(&bytes[4..]);
    bytes[..4].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn read(place: &[u8]) -> Option<Entry> {
    let (checksum, rest) = place.split_first_chunk()?;
    let (lens, mut texts): (&[u8; 3], _) = rest.split_first_chunk()?;
    let len = |len: u8| if len == ABSENT { 0 } else { usize::from(len) };
    let whole = rest.get(..3 + lens.iter().map(|&it| len(it)).sum::<usize>())?;
    if crc32fast::hash(whole).to_le_bytes() != *checksum {
        return None;
    }
    let [user, email, name] = lens.map(|it| {
        let (text, rest) = texts.split_at(len(it));
        texts = rest;
        (it != ABSENT).then(|| String::from_utf8(text.to_vec()).ok()).flatten()
    });
    Some(Entry { user: user?.as_str().try_into().ok()?, names: [email, name] })
}
