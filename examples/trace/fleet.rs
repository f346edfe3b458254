//! Who takes part: the sites, their devices and the people using them.

use fastrand::Rng;
use runtally::RunState;
use uuid::{Builder, Uuid};

use crate::json::Client;

/// A place whose devices share a clock.
pub(crate) struct Site {
    pub(crate) name: &'static str,
    /// Minutes east of UTC in November.
    pub(crate) offset: i16,
}

pub(crate) const SITES: [Site; 16] = [
    Site { name: "Reykjavík", offset: 0 },
    Site { name: "London", offset: 0 },
    Site { name: "Zürich", offset: 60 },
    Site { name: "Łódź", offset: 60 },
    Site { name: "Αθήνα", offset: 120 },
    Site { name: "Nairobi", offset: 180 },
    Site { name: "बेंगलुरु", offset: 330 },
    Site { name: "काठमाडौँ", offset: 345 },
    Site { name: "上海", offset: 480 },
    Site { name: "東京", offset: 540 },
    Site { name: "Adelaide", offset: 630 },
    Site { name: "Auckland", offset: 780 },
    Site { name: "St. John's", offset: -210 },
    Site { name: "São Paulo", offset: -180 },
    Site { name: "Montréal", offset: -300 },
    Site { name: "Seattle", offset: -480 },
];

pub(crate) const KINDS: [&str; 8] =
    ["LT", "LT", "LT", "WS", "WS", "Dock", "Kiosk 🖥️", "R&D <\"bench\"> 🧪"];

const GIVEN: [&str; 64] = [
    "Aaliyah", "Adele", "Aiko", "Alex", "Amara", "Ana", "Anders", "Aoife", "Asha", "Astrid", "Ben",
    "Birgit", "Bjorn", "Carmen", "Chidi", "Chloe", "Dagny", "Daniel", "Diego", "Dina", "Elif",
    "Emeka", "Eva", "Farah", "Felix", "Fumiko", "Gita", "Goran", "Hana", "Hugo", "Ines", "Isaiah",
    "Ivana", "Jarek", "Joni", "Kwame", "Lars", "Leila", "Lidia", "Lynne", "Maja", "Marco", "Megan",
    "Mei", "Miguel", "Nestor", "Nia", "Nikos", "Noor", "Olga", "Omar", "Patti", "Pradeep",
    "Quentin", "Rafael", "Ravi", "Sanne", "Sofia", "Tariq", "Tomasz", "Uma", "Vera", "Yara",
    "Zoltan",
];

const FAMILY: [&str; 64] = [
    "Abebe", "Adeyemi", "Almeida", "Andersen", "Bauer", "Berger", "Bhatt", "Bianchi", "Bowen",
    "Castro", "Chen", "Cohen", "Costa", "Dahl", "Diallo", "Dubois", "Engel", "Eriksen", "Ferrari",
    "Fischer", "Fraser", "Garcia", "Grady", "Gupta", "Haas", "Haddad", "Hansen", "Horvat", "Ito",
    "Ivanov", "Jansen", "Johal", "Kaya", "Kimura", "Kowalski", "Lang", "Larsen", "Lemaire",
    "Lopez", "Mbeki", "Meyer", "Moreau", "Nagy", "Nguyen", "Novak", "O'Brien", "O'Neill", "Okafor",
    "Olsen", "Patel", "Pereira", "Popescu", "Rossi", "Sato", "Schmidt", "Silva", "Singh", "Suzuki",
    "Thapa", "Tran", "Vermeer", "Wagner", "Wilber", "Zhang",
];

const DOMAINS: [&str; 3] = ["Contoso.com", "fabrikam.com", "AdventureWorks.example"];

/// What does not change about a device.
pub(crate) struct Device {
    pub(crate) id: Uuid,
    pub(crate) site: &'static Site,
    pub(crate) kind: &'static str,
    pub(crate) client: &'static Client,
    /// Digits it writes of a second's fraction, 0 to 7.
    pub(crate) digits: u32,
    /// Whether it writes its id in capitals.
    pub(crate) capitals: bool,
    /// Whether it runs day and night.
    pub(crate) always_on: bool,
    /// Which wave of the roll-out it is in.
    pub(crate) ring: u8,
    /// What comes of the configuration here, sooner or later.
    pub(crate) fate: RunState,
    /// Who has it first.
    pub(crate) user: Option<u16>,
}

pub(crate) struct Fleet {
    pub(crate) devices: Vec<Device>,
    /// How many people there are; everything about one follows from a number below this.
    pub(crate) users: u16,
}

impl Fleet {
    pub(crate) fn new(devices: u16, users: u16, rng: &mut Rng) -> Self {
        Self {
            devices: (0..devices).map(|number| Device::new(number, users, rng)).collect(),
            users,
        }
    }
}

impl Device {
    fn new(number: u16, users: u16, rng: &mut Rng) -> Self {
        // Everybody has one device before anybody has a second.
        let owner = if number < users { number } else { rng.u16(..users) };
        Self {
            id: guid(rng),
            site: &SITES[usize::from(rng.u8(..16))],
            kind: KINDS[usize::from(rng.u8(..8))],
            client: Client::of_device(rng.u8(..100)),
            digits: [7, 7, 7, 6, 5, 4, 3, 3, 2, 1, 0, 0][usize::from(rng.u8(..12))],
            capitals: rng.u8(..4) == 0,
            always_on: rng.u8(..3) == 0,
            ring: match rng.u8(..100) {
                0..3 => 0,
                3..15 => 1,
                15..50 => 2,
                _ => 3,
            },
            fate: match rng.u8(..100) {
                0..5 => RunState::Fail,
                5..8 => RunState::ScriptError,
                8..14 => RunState::NotApplicable,
                14..16 => RunState::Unknown,
                _ => RunState::Success,
            },
            user: (rng.u8(..20) > 0).then_some(owner),
        }
    }
}

fn guid(rng: &mut Rng) -> Uuid {
    Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid()
}

pub(crate) fn user_id(user: u16) -> Uuid {
    guid(&mut Rng::with_seed(user.into()))
}

/// Appends the principal name of a user; no two share one, at most 16 384 users.
pub(crate) fn push_upn(text: &mut String, user: u16) {
    let number = usize::from(user);
    let given = number % 64;
    // The second term only shuffles: for one given name, 64 numbers in a row have 64 family names.
    let family = (number / 64 + given * 11) % 64;
    text.push_str(GIVEN[given]);
    text.push('.');
    text.push_str(FAMILY[family]);
    if number >= 4096 {
        text.push([' ', '2', '3', '4'][number / 4096 % 4]);
    }
    text.push('@');
    text.push_str(DOMAINS[number % 7 % 3]);
}
