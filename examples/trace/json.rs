//! How it is written: three families of clients, each with its own habits.

use jiff::Timestamp;
use jiff::tz::Offset;
use runtally::RunState;
use uuid::fmt::Hyphenated;
use uuid::{Uuid, uuid};

use crate::fleet::{Fleet, push_upn, user_id};
use crate::life::Report;

#[derive(Clone, Copy)]
enum Property {
    Type,
    Id,
    DeviceName,
    OsVersion,
    Upn,
    InternalVersion,
    LastStateUpdate,
    State,
    Output,
    Error,
    AssignmentFilters,
    UserId,
}
use Property::{
    AssignmentFilters, DeviceName, Error, Id, InternalVersion, LastStateUpdate, OsVersion, Output,
    State, Type, Upn, UserId,
};

impl Property {
    const fn name(self) -> &'static str {
        match self {
            Type => "@odata.type",
            Id => "id",
            DeviceName => "deviceName",
            OsVersion => "osVersion",
            Upn => "upn",
            InternalVersion => "internalVersion",
            LastStateUpdate => "lastStateUpdateDateTime",
            State => "configurationState",
            Output => "configurationOutput",
            Error => "configurationError",
            AssignmentFilters => "assignmentFilterIds",
            UserId => "userId",
        }
    }
}

/// What a string keeps as it is, beside what JSON always escapes.
#[derive(Clone, Copy)]
enum Escape {
    /// All of Unicode.
    Nothing,
    /// ASCII without HTML's signs, as System.Text.Json does.
    Html,
    /// ASCII, as Python's json does.
    NonAscii,
}

impl Escape {
    /// Whether a byte of a string is written as it is; all bytes of a character agree.
    fn keeps(self, byte: u8) -> bool {
        match byte {
            ..b' ' | b'"' | b'\\' | 0x7f => false,
            b'\'' | b'+' | b'&' | b'<' | b'>' => !matches!(self, Self::Html),
            0x80.. => matches!(self, Self::Nothing),
            _ => true,
        }
    }
}

/// The habits of a family of clients.
pub(crate) struct Client {
    order: &'static [Property],
    escape: Escape,
    colon: &'static str,
    comma: &'static str,
    /// Writes `null` where another leaves the property out.
    nulls: bool,
    /// How it writes an offset of zero.
    zero: &'static str,
    /// Digits of a second's fraction it writes at least.
    digits: usize,
}

const DOCUMENTED: &[Property] = &[
    Type,
    Id,
    DeviceName,
    OsVersion,
    Upn,
    InternalVersion,
    LastStateUpdate,
    State,
    Output,
    Error,
    AssignmentFilters,
    UserId,
];
const ALPHABETICAL: &[Property] = &[
    AssignmentFilters,
    Error,
    Output,
    State,
    DeviceName,
    Id,
    InternalVersion,
    LastStateUpdate,
    OsVersion,
    Upn,
    UserId,
];
const ESSENTIAL: &[Property] = &[State, LastStateUpdate, Id, Upn, DeviceName, Output, Error];

/// An agent on the device, close to the documentation.
static AGENT: Client = Client {
    order: DOCUMENTED,
    escape: Escape::Nothing,
    colon: ":",
    comma: ",",
    nulls: true,
    zero: "Z",
    digits: 0,
};
/// A program on a generated SDK.
static SDK: Client = Client {
    order: ALPHABETICAL,
    escape: Escape::Html,
    colon: ":",
    comma: ",",
    nulls: false,
    zero: "+00:00",
    digits: 0,
};
/// A script in a gateway.
static GATEWAY: Client = Client {
    order: ESSENTIAL,
    escape: Escape::NonAscii,
    colon: ": ",
    comma: ", ",
    nulls: true,
    zero: "+00:00",
    digits: 7,
};

impl Client {
    /// The client of a device, by a number below 100.
    pub(crate) fn of_device(percent: u8) -> &'static Self {
        match percent {
            0..20 => &AGENT,
            20..60 => &SDK,
            _ => &GATEWAY,
        }
    }

    pub(crate) fn gateway() -> &'static Self {
        &GATEWAY
    }
}

const FILTERS: [Uuid; 2] =
    [uuid!("5b0c3d0e-8a55-4a39-9d3b-3f4c1a7e9b10"), uuid!("c2a1f6d4-71e8-4f0b-a6c5-0d9e8b7f2a34")];

/// Writes reports as lines, keeping its memory from one to the next.
pub(crate) struct Line<'a> {
    fleet: &'a Fleet,
    /// The string being put together, before it is escaped.
    text: String,
}

impl<'a> Line<'a> {
    pub(crate) fn new(fleet: &'a Fleet) -> Self {
        Self { fleet, text: String::new() }
    }

    pub(crate) fn append(&mut self, report: &Report, out: &mut Vec<u8>) {
        let client = report.client;
        let mut before = "{";
        for &property in client.order {
            self.text.clear();
            let there = self.say(property, report);
            if !there && !client.nulls {
                continue;
            }
            out.extend_from_slice(before.as_bytes());
            before = client.comma;
            out.push(b'"');
            out.extend_from_slice(property.name().as_bytes());
            out.push(b'"');
            out.extend_from_slice(client.colon.as_bytes());
            match property {
                _ if !there => out.extend_from_slice(b"null"),
                InternalVersion => out.extend_from_slice(self.text.as_bytes()),
                // Date-times keep their plus sign even where strings do not.
                LastStateUpdate => push_string(out, &self.text, Escape::Nothing),
                _ => push_string(out, &self.text, client.escape),
            }
        }
        out.extend_from_slice(b"}\n");
    }

    /// Puts the value of a property into `text`; false if there is none.
    fn say(&mut self, property: Property, report: &Report) -> bool {
        let text = &mut self.text;
        let device = &self.fleet.devices[usize::from(report.device)];
        match property {
            Type => text.push_str("#microsoft.graph.hardwareConfigurationDeviceState"),
            Id => push_guid(text, device.id, device.capitals),
            DeviceName => {
                text.push_str(device.site.name);
                text.push('-');
                text.push_str(device.kind);
                text.push('-');
                push_number(text, report.device.into(), 5);
            }
            OsVersion => {
                text.push_str("10.0.26100.");
                push_number(text, 1742 + 31 * report.build, 4);
            }
            Upn => match report.user {
                Some(user) => {
                    push_upn(text, user);
                    match report.salt % 8 {
                        0 => text.make_ascii_uppercase(),
                        1 | 2 => text.make_ascii_lowercase(),
                        _ => {}
                    }
                }
                None => return report.salt.is_multiple_of(2),
            },
            InternalVersion => push_number(text, report.attempt, 1),
            LastStateUpdate => {
                let offset = if report.utc { 0 } else { device.site.offset };
                let digits = report.client.digits.max(device.digits as usize);
                push_date_time(text, report.at, offset, digits, report.client.zero);
            }
            State => text.push_str(report.state.name()),
            Output => push_output(text, report),
            Error => return push_error(text, report),
            AssignmentFilters => match device.ring {
                0 => {
                    push_guid(text, FILTERS[0], false);
                    text.push(',');
                    push_guid(text, FILTERS[1], false);
                }
                1 => push_guid(text, FILTERS[1], false),
                _ => return false,
            },
            UserId => match report.user {
                Some(user) => push_guid(text, user_id(user), false),
                None => return false,
            },
        }
        true
    }
}

fn push_output(text: &mut String, report: &Report) {
    let (words, after) = match (report.state, report.salt / 8 % 4) {
        (RunState::Unknown, _) => ("no answer from the firmware 🤷 after ", " s"),
        (RunState::Success, 0) => ("✅ settings applied: ", ""),
        (RunState::Success, 1) => ("設定を適用しました (", ")"),
        (RunState::Success, 2) => ("Einstellungen übernommen: ", " 🎉"),
        (RunState::Success, _) => ("settings applied: ", ""),
        (RunState::Fail, 0 | 1) => ("BIOS password refused 🔒\nsetting ", ""),
        (RunState::Fail, _) => ("mot de passe du BIOS refusé, réglage ", ""),
        (RunState::ScriptError, _) => ("C:\\Windows\\Temp\\bios.log\tline ", ""),
        (RunState::Pending, 0) => ("🔁 waits for a restart, settings: ", ""),
        (RunState::Pending, _) => ("waits for a restart, settings: ", ""),
        (RunState::NotApplicable, _) => ("this model has none of \"", "\" settings"),
    };
    text.push_str(words);
    push_number(text, report.salt / 32 % 90 + 10, 2);
    text.push_str(after);
}

fn push_error(text: &mut String, report: &Report) -> bool {
    match report.state {
        RunState::Fail => text.push_str("0x80070005: access is denied"),
        RunState::ScriptError => text.push_str("0x87d00321: the script's time ran out"),
        _ => return false,
    }
    true
}

fn push_guid(text: &mut String, guid: Uuid, capitals: bool) {
    let mut buffer = [0; Hyphenated::LENGTH];
    let guid = guid.hyphenated();
    text.push_str(if capitals {
        guid.encode_upper(&mut buffer)
    } else {
        guid.encode_lower(&mut buffer)
    });
}

/// A decimal number of at least `width` digits.
fn push_number(text: &mut String, number: u32, width: usize) {
    let mut digits = [b'0'; 10];
    let (mut rest, mut first) = (number, digits.len());
    while rest > 0 || digits.len() - first < width {
        first -= 1;
        digits[first] += (rest % 10) as u8;
        rest /= 10;
    }
    text.push_str(str::from_utf8(&digits[first..]).expect("digits are ASCII"));
}

fn push_date_time(text: &mut String, ticks: i64, offset: i16, digits: usize, zero: &str) {
    let (second, fraction) = (ticks.div_euclid(10_000_000), ticks.rem_euclid(10_000_000));
    let instant = Timestamp::from_second(second).expect("the agenda ends before the calendar");
    let zone = Offset::from_seconds(i32::from(offset) * 60).expect("sites are within a day of UTC");
    let local = zone.to_datetime(instant);
    for (number, width, before) in [
        (local.year().unsigned_abs(), 4, ""),
        (local.month().unsigned_abs().into(), 2, "-"),
        (local.day().unsigned_abs().into(), 2, "-"),
        (local.hour().unsigned_abs().into(), 2, "T"),
        (local.minute().unsigned_abs().into(), 2, ":"),
        (local.second().unsigned_abs().into(), 2, ":"),
    ] {
        text.push_str(before);
        push_number(text, number.into(), width);
    }
    if digits > 0 {
        text.push('.');
        push_number(text, u32::try_from(fraction).expect("below ten million"), 7);
        text.truncate(text.len() - (7 - digits));
    }
    if offset == 0 {
        return text.push_str(zero);
    }
    text.push(if offset < 0 { '-' } else { '+' });
    push_number(text, (offset.unsigned_abs() / 60).into(), 2);
    text.push(':');
    push_number(text, (offset.unsigned_abs() % 60).into(), 2);
}

fn push_string(out: &mut Vec<u8>, text: &str, escape: Escape) {
    out.push(b'"');
    let mut rest = text;
    while let Some(end) = rest.bytes().position(|byte| !escape.keeps(byte)) {
        let (plain, special) = rest.split_at(end);
        out.extend_from_slice(plain.as_bytes());
        let mut chars = special.chars();
        match chars.next() {
            Some('\n') => out.extend_from_slice(b"\\n"),
            Some('\t') => out.extend_from_slice(b"\\t"),
            Some('\\') => out.extend_from_slice(b"\\\\"),
            Some('"') if !matches!(escape, Escape::Html) => out.extend_from_slice(b"\\\""),
            Some(char) => push_escape(out, char, escape),
            None => {}
        }
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

/// `\u` escapes, a surrogate pair where one is not enough.
fn push_escape(out: &mut Vec<u8>, char: char, escape: Escape) {
    let digits =
        if matches!(escape, Escape::Html) { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    for &mut unit in char.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(b"\\u");
        out.extend([12, 8, 4, 0].map(|shift| digits[usize::from(unit >> shift) & 15]));
    }
}
