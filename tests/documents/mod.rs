//! JSON documents of the resources, valid and nearly so, from a stream of random numbers.

use fastrand::Rng;

/// What a property holds.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// The name of the resource's type.
    Type(&'static str),
    Guid,
    /// A nullable string of at most so many bytes.
    Text(usize),
    /// A nullable string that is cut after so many bytes.
    Echo(usize),
    /// A UPN, or null where it is not required.
    User,
    Count,
    Int32,
    DateTime,
    NullableDateTime,
    State,
}

pub(crate) struct Resource {
    pub(crate) name: &'static str,
    pub(crate) odata_type: &'static str,
    pub(crate) properties: &'static [(&'static str, Kind)],
    /// What a new one must have, not null.
    pub(crate) required: &'static [&'static str],
    /// What is written as null when there is none.
    pub(crate) always_written: &'static [&'static str],
}

pub(crate) const RESOURCES: [Resource; 6] = [
    Resource {
        name: "RunSummary",
        odata_type: "#microsoft.graph.hardwareConfigurationRunSummary",
        properties: &[
            ("@odata.type", Kind::Type("hardwareConfigurationRunSummary")),
            ("id", Kind::Guid),
            ("successfulDeviceCount", Kind::Count),
            ("failedDeviceCount", Kind::Count),
            ("pendingDeviceCount", Kind::Count),
            ("errorDeviceCount", Kind::Count),
            ("notApplicableDeviceCount", Kind::Count),
            ("unknownDeviceCount", Kind::Count),
            ("successfulUserCount", Kind::Count),
            ("failedUserCount", Kind::Count),
            ("pendingUserCount", Kind::Count),
            ("errorUserCount", Kind::Count),
            ("notApplicableUserCount", Kind::Count),
            ("unknownUserCount", Kind::Count),
            ("lastRunDateTime", Kind::NullableDateTime),
        ],
        required: &[
            "successfulDeviceCount",
            "failedDeviceCount",
            "pendingDeviceCount",
            "errorDeviceCount",
            "notApplicableDeviceCount",
            "unknownDeviceCount",
            "successfulUserCount",
            "failedUserCount",
            "pendingUserCount",
            "errorUserCount",
            "notApplicableUserCount",
            "unknownUserCount",
        ],
        always_written: &["lastRunDateTime"],
    },
    Resource {
        name: "UserState",
        odata_type: "#microsoft.graph.hardwareConfigurationUserState",
        properties: &[
            ("@odata.type", Kind::Type("hardwareConfigurationUserState")),
            ("id", Kind::Guid),
            ("upn", Kind::User),
            ("userEmail", Kind::Text(127)),
            ("userName", Kind::Text(127)),
            ("lastStateUpdateDateTime", Kind::DateTime),
            ("successfulDeviceCount", Kind::Count),
            ("failedDeviceCount", Kind::Count),
            ("pendingDeviceCount", Kind::Count),
            ("errorDeviceCount", Kind::Count),
            ("notApplicableDeviceCount", Kind::Count),
            ("unknownDeviceCount", Kind::Count),
        ],
        required: &[
            "upn",
            "lastStateUpdateDateTime",
            "successfulDeviceCount",
            "failedDeviceCount",
            "pendingDeviceCount",
            "errorDeviceCount",
            "notApplicableDeviceCount",
            "unknownDeviceCount",
        ],
        always_written: &["userEmail", "userName"],
    },
    Resource {
        name: "DeviceState",
        odata_type: "#microsoft.graph.hardwareConfigurationDeviceState",
        properties: &[
            ("@odata.type", Kind::Type("hardwareConfigurationDeviceState")),
            ("id", Kind::Guid),
            ("deviceName", Kind::Echo(255)),
            ("osVersion", Kind::Echo(255)),
            ("upn", Kind::Text(145)),
            ("internalVersion", Kind::Int32),
            ("lastStateUpdateDateTime", Kind::DateTime),
            ("configurationState", Kind::State),
            ("configurationOutput", Kind::Echo(8192)),
            ("configurationError", Kind::Echo(8192)),
            ("assignmentFilterIds", Kind::Echo(8192)),
            ("userId", Kind::Echo(255)),
        ],
        required: &["id", "lastStateUpdateDateTime", "configurationState"],
        always_written: &["upn"],
    },
    Resource {
        name: "ScriptRunSummary",
        odata_type: "#microsoft.management.services.api.deviceManagementScriptRunSummary",
        properties: &[
            ("@odata.type", Kind::Type("deviceManagementScriptRunSummary")),
            ("id", Kind::Guid),
            ("successDeviceCount", Kind::Count),
            ("errorDeviceCount", Kind::Count),
            ("successUserCount", Kind::Count),
            ("errorUserCount", Kind::Count),
        ],
        required: &["successDeviceCount", "errorDeviceCount", "successUserCount", "errorUserCount"],
        always_written: &[],
    },
    Resource {
        name: "ScriptUserState",
        odata_type: "#microsoft.graph.deviceManagementScriptUserState",
        properties: &[
            ("@odata.type", Kind::Type("deviceManagementScriptUserState")),
            ("id", Kind::Guid),
            ("successDeviceCount", Kind::Count),
            ("errorDeviceCount", Kind::Count),
            ("userPrincipalName", Kind::User),
        ],
        required: &["successDeviceCount", "errorDeviceCount", "userPrincipalName"],
        always_written: &[],
    },
    Resource {
        name: "ScriptDeviceState",
        odata_type: "#microsoft.graph.deviceManagementScriptDeviceState",
        properties: &[
            ("@odata.type", Kind::Type("deviceManagementScriptDeviceState")),
            ("id", Kind::Guid),
            ("runState", Kind::State),
            ("resultMessage", Kind::Echo(8192)),
            ("lastStateUpdateDateTime", Kind::DateTime),
            ("errorCode", Kind::Int32),
            ("errorDescription", Kind::Echo(8192)),
        ],
        required: &["id", "runState", "lastStateUpdateDateTime"],
        always_written: &[],
    },
];

/// Documents without end, each with the seed it came from. Most may be read, some not.
pub(crate) fn documents(resource: &'static Resource) -> impl Iterator<Item = (u64, Vec<u8>)> {
    (0..).map(move |seed| {
        (seed, Writer { rng: Rng::with_seed(seed), out: String::new() }.document(resource))
    })
}

/// The same document with a few bytes wrong.
pub(crate) fn mutate(seed: u64, json: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let json = json.to_vec();
    let mut rng = Rng::with_seed(!seed);
    std::iter::repeat_with(move || {
        let mut json = json.clone();
        for _ in 0..rng.usize(1..=3) {
            let at = rng.usize(0..=json.len());
            let until = (at + rng.usize(0..8)).min(json.len());
            match rng.u8(0..6) {
                0 => json.truncate(at),
                1 => json.insert(
                    at,
                    *rng.choice(b"\"\\{}[]:,u0eE-+.n \n\x00\x1f\x7f\x80\xc3\xff").unwrap(),
                ),
                2 => drop(json.drain(at..until)),
                3 => {
                    let copy = json[at..until].to_vec();
                    let to = rng.usize(0..=json.len());
                    json.splice(to..to, copy);
                }
                4 if at < json.len() => json[at] ^= 1 << rng.u8(0..8),
                _ if at < json.len() => json[at] = rng.u8(..),
                _ => {}
            }
        }
        json
    })
}

struct Writer {
    rng: Rng,
    out: String,
}

impl Writer {
    fn document(mut self, resource: &Resource) -> Vec<u8> {
        let mut properties: Vec<_> = resource
            .properties
            .iter()
            .filter(|(name, _)| {
                let is_needed = resource.required.contains(name);
                if is_needed { !self.rare(100) } else { self.rng.bool() }
            })
            .copied()
            .map(|(name, kind)| (name.to_owned(), Some(kind)))
            .collect();
        for _ in 0..self.rng.usize(0..3) {
            let name = *self.rng.choice(UNKNOWN).unwrap();
            properties.push((name.to_owned(), None));
        }
        if self.rare(30) && !properties.is_empty() {
            let double = properties[self.rng.usize(0..properties.len())].clone();
            properties.push(double);
        }
        if !self.rare(4) {
            self.rng.shuffle(&mut properties);
        }
        self.space();
        self.out.push('{');
        for (number, (name, kind)) in properties.into_iter().enumerate() {
            if number > 0 {
                self.out.push(',');
            }
            self.space();
            self.string(&name);
            self.space();
            self.out.push(':');
            self.space();
            match kind {
                Some(kind) if !self.rare(80) => self.known(kind, resource),
                _ => {
                    let depth = if self.rare(20) { 17 } else { 3 };
                    self.unknown(depth);
                }
            }
            self.space();
        }
        self.out.push('}');
        self.space();
        self.out.into_bytes()
    }

    /// True once in `n` times.
    fn rare(&mut self, n: u32) -> bool {
        self.rng.u32(0..n) == 0
    }

    fn space(&mut self) {
        while self.rare(3) {
            self.out.push(*self.rng.choice(&[' ', '\t', '\n', '\r']).unwrap());
        }
    }

    /// A value that a property of this kind most often takes.
    fn known(&mut self, kind: Kind, resource: &Resource) {
        match kind {
            Kind::Type(name) => {
                let other = format!("#other.space.{name}");
                let text = *self.rng.choice(&[resource.odata_type, name, &*other]).unwrap();
                self.string(text);
            }
            Kind::Guid => {
                let guid = uuid::Uuid::from_u128(self.rng.u128(..)).to_string();
                let guid = if self.rng.bool() { guid.to_uppercase() } else { guid };
                self.string(&guid);
            }
            Kind::Text(_) | Kind::Echo(_) | Kind::NullableDateTime if self.rare(6) => {
                self.out.push_str("null");
            }
            Kind::Text(limit) | Kind::Echo(limit) => self.text(limit),
            Kind::User => self.text(145),
            Kind::Count | Kind::Int32 => {
                let number = match self.rng.u8(0..20) {
                    0 if self.rare(5) => self.rng.i64(-4_294_967_297..=4_294_967_297),
                    1..6 if matches!(kind, Kind::Int32) => self.rng.i32(..).into(),
                    6..10 => i64::from(i32::MAX) - self.rng.i64(0..3),
                    _ => self.rng.i64(0..20),
                };
                self.out.push_str(&number.to_string());
                if self.rare(100) {
                    self.out.push_str(self.rng.choice(&["e0", ".0", "0000000000"]).unwrap());
                }
            }
            Kind::DateTime | Kind::NullableDateTime => {
                let texts = if self.rare(40) { NO_DATE_TIMES } else { DATE_TIMES };
                let text = *self.rng.choice(texts).unwrap();
                self.string(text);
            }
            Kind::State => {
                let state = *self.rng.choice(&runtally::RunState::ALL).unwrap();
                self.string(state.name());
            }
        }
    }

    /// A string that may hold anything and seldom is longer than `limit`.
    fn text(&mut self, limit: usize) {
        let length = match self.rng.u8(0..20) {
            0 => 0,
            1 => limit.min(300) - 3,
            2 if self.rare(6) => limit.min(300),
            _ => self.rng.usize(1..30),
        };
        let mut text = String::new();
        while text.len() < length {
            text.push(match self.rng.u8(0..12) {
                0 => *self.rng.choice(&['"', '\\', '/', '\n', '\0', '\u{1f}', '\u{7f}']).unwrap(),
                1 => self.rng.char(..),
                _ => self.rng.alphanumeric(),
            });
        }
        self.string(&text);
    }

    /// `text` as a JSON string, its characters escaped now and then in one of the ways there are.
    fn string(&mut self, text: &str) {
        let escapes_much = self.rare(8);
        self.out.push('"');
        for character in text.chars() {
            let short = match character {
                '"' => Some("\\\""),
                '\\' => Some("\\\\"),
                '/' => Some("\\/"),
                '\u{8}' => Some("\\b"),
                '\u{c}' => Some("\\f"),
                '\n' => Some("\\n"),
                '\r' => Some("\\r"),
                '\t' => Some("\\t"),
                _ => None,
            };
            let must = character < ' ' || matches!(character, '"' | '\\');
            let wants = if escapes_much { self.rng.bool() } else { self.rare(60) };
            match short {
                Some(short) if (must || wants) && self.rng.bool() => self.out.push_str(short),
                _ if must || wants => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        let escape = format!("\\u{unit:04x}");
                        // The `u` stays small.
                        let upper = format!("\\u{unit:04X}");
                        self.out.push_str(if self.rng.bool() { &escape } else { &upper });
                    }
                }
                _ => self.out.push(character),
            }
        }
        self.out.push('"');
    }

    /// Any value; `depth` is how many levels it opens at most.
    fn unknown(&mut self, depth: usize) {
        match self.rng.u8(0..if depth == 0 { 5 } else { 9 }) {
            0 => self.out.push_str("null"),
            1 => self.out.push_str(self.rng.choice(&["true", "false"]).unwrap()),
            2 => self.text(40),
            3 | 4 => {
                let numbers = ["0", "-0", "10", "-1.5", "1e5", "2E-300", "0.0e+1", "1e999999999"];
                self.out.push_str(self.rng.choice(&numbers).unwrap());
            }
            5 | 6 => {
                self.out.push('[');
                for number in 0..self.rng.usize(0..3) {
                    if number > 0 {
                        self.out.push(',');
                    }
                    self.space();
                    self.unknown(depth - 1);
                    self.space();
                }
                self.space();
                self.out.push(']');
            }
            _ => {
                self.out.push('{');
                for number in 0..self.rng.usize(0..3) {
                    if number > 0 {
                        self.out.push(',');
                    }
                    self.space();
                    self.text(10);
                    self.space();
                    self.out.push(':');
                    self.space();
                    self.unknown(depth - 1);
                    self.space();
                }
                self.space();
                self.out.push('}');
            }
        }
    }
}

/// Names that are none of any resource's, some of them nearly.
const UNKNOWN: &[&str] = &[
    "",
    "x",
    "ID",
    "Id",
    "i",
    "idd",
    "upn ",
    "@odata.context",
    "@odata.typ",
    "@odata.etag",
    "userid",
    "deviceNames",
    "aNameThatIsLongerThanAnyOfAnyResource",
    "na\u{efc}ve",
    "\u{1f600}",
];

const DATE_TIMES: &[&str] = &[
    "2017-01-01T00:02:58.4418045-08:00",
    "2016-12-31T23:57:28.499537-08:00",
    "2026-11-21T09:30:00Z",
    "2026-11-21t09:30:00.000+00:00",
    "2026-11-21T09:30z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999999999-14:00",
    "2024-02-29T12:00:00.1+05:45",
];

const NO_DATE_TIMES: &[&str] = &["2023-02-29T12:00:00Z", "2026-11-21T09:30:00", "yesterday", ""];
