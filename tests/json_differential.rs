//! The door beside `serde_json` and a model of the stricter rules: the same documents are taken and
//! refused, and the same values come out.
#![cfg(feature = "graph")]

pub(crate) mod documents;

use documents::{Kind, RESOURCES, Resource, documents, mutate};
use runtally::graph::{
    DeviceState, Error, RunSummary, RunSummaryUpdate, ScriptDeviceState, ScriptRunSummary,
    ScriptUserState, UserStateUpdate,
};
use runtally::{Counts, DateTime, RunState, Summary};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

/// A document's properties, doubles included.
struct Properties(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Properties;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Properties, M::Error> {
                let mut all = Vec::new();
                while let Some(property) = map.next_entry()? {
                    all.push(property);
                }
                Ok(Properties(all))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// How many containers are open at once.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(values) => 1 + values.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// What a resource's value must read as, if it is one.
fn model_value(kind: Kind, value: &Value) -> Option<Value> {
    let int = |least: i64| {
        let digits = value.as_number()?.to_string();
        let number: i64 = digits.parse().ok()?;
        let is_literal =
            digits.strip_prefix('-').unwrap_or(&digits).bytes().all(|b| b.is_ascii_digit());
        let in_range = (least..=i64::from(i32::MAX)).contains(&number);
        (is_literal && in_range && digits != "-0").then(|| number.into())
    };
    match kind {
        Kind::Type(name) => {
            (value.as_str()?.rsplit(['.', '#']).next() == Some(name)).then(|| value.clone())
        }
        Kind::Guid => {
            let guid = value.as_str()?;
            let is_guid = guid.len() == 36
                && guid.bytes().enumerate().all(|(at, byte)| match at {
                    8 | 13 | 18 | 23 => byte == b'-',
                    _ => byte.is_ascii_hexdigit(),
                });
            is_guid.then(|| guid.to_lowercase().into())
        }
        Kind::Text(_) | Kind::Echo(_) | Kind::User | Kind::NullableDateTime if value.is_null() => {
            Some(Value::Null)
        }
        Kind::Text(limit) => (value.as_str()?.len() <= limit).then(|| value.clone()),
        Kind::Echo(limit) => {
            let text = value.as_str()?;
            let end = (0..=limit.min(text.len())).rfind(|&end| text.is_char_boundary(end))?;
            Some(text[..end].into())
        }
        Kind::User => (1..=145).contains(&value.as_str()?.len()).then(|| value.clone()),
        Kind::Count => int(0),
        Kind::Int32 => int(i32::MIN.into()),
        Kind::DateTime | Kind::NullableDateTime => {
            Some(value.as_str()?.parse::<DateTime>().ok()?.to_string().into())
        }
        Kind::State => {
            let name = value.as_str()?;
            RunState::ALL.iter().any(|state| state.name() == name).then(|| value.clone())
        }
    }
}

/// The known properties that a document gives, if it may be read.
fn model(resource: &Resource, json: &[u8]) -> Option<Map<String, Value>> {
    let Properties(properties) = serde_json::from_slice(json).ok()?;
    let mut known = Map::new();
    for (name, value) in properties {
        if depth(&value) > 15 {
            return None;
        }
        if let Some((_, kind)) = resource.properties.iter().find(|(known, _)| *known == name)
            && known.insert(name, model_value(*kind, &value)?).is_some()
        {
            return None;
        }
    }
    Some(known)
}

/// The same with everything that a new resource needs, as it is written.
fn model_whole(resource: &Resource, mut known: Map<String, Value>) -> Option<Map<String, Value>> {
    known.insert("@odata.type".into(), resource.odata_type.into());
    for required in resource.required {
        if known.get(*required).is_none_or(Value::is_null) {
            return None;
        }
    }
    for nullable in resource.always_written {
        known.entry(*nullable).or_insert(Value::Null);
    }
    if resource.name == "DeviceState" && known["upn"] == "" {
        known["upn"] = Value::Null;
    }
    known.retain(|name, value| !value.is_null() || resource.always_written.contains(&&**name));
    Some(known)
}

fn written(encode: impl Fn(&mut [u8]) -> usize) -> Map<String, Value> {
    let mut buffer = [0; 10_000];
    let length = encode(&mut buffer);
    serde_json::from_slice(&buffer[..length]).unwrap()
}

/// Reads a whole resource and writes it again.
fn echo(resource: &Resource, json: &[u8]) -> Result<Map<String, Value>, Error> {
    Ok(match resource.name {
        "RunSummary" => {
            let whole = RunSummaryUpdate::decode(json)?.complete()?;
            written(|buffer| whole.encode(buffer).unwrap())
        }
        "UserState" => {
            let whole = UserStateUpdate::decode(json)?.complete()?;
            written(|buffer| whole.encode(buffer).unwrap())
        }
        "DeviceState" => {
            let whole = DeviceState::decode(json)?;
            written(|buffer| whole.encode(buffer).unwrap())
        }
        "ScriptRunSummary" => {
            let whole = ScriptRunSummary::decode(json)?;
            written(|buffer| whole.encode(buffer).unwrap())
        }
        "ScriptUserState" => {
            let whole = ScriptUserState::decode(json)?;
            written(|buffer| whole.encode(buffer).unwrap())
        }
        "ScriptDeviceState" => {
            let whole = ScriptDeviceState::decode(json)?;
            written(|buffer| whole.encode(buffer).unwrap())
        }
        name => panic!("no resource {name}"),
    })
}

/// Compares one document; gives whether it was taken.
pub(crate) fn compare(resource: &Resource, json: &[u8]) -> bool {
    let shown = || String::from_utf8_lossy(json).into_owned();
    let known = model(resource, json);
    let expected = known.clone().and_then(|known| model_whole(resource, known));
    let given = echo(resource, json);
    match (&given, &expected) {
        (Ok(given), Some(expected)) => assert_eq!(given, expected, "{}", shown()),
        (Ok(_), None) => panic!("taken, but should be refused: {}", shown()),
        (Err(error), Some(_)) => panic!("refused ({error}), but should be taken: {}", shown()),
        (Err(error), None) => {
            assert!(error.at <= json.len());
            assert!(!error.to_string().is_empty());
            let is_known = |name| resource.properties.iter().any(|(known, _)| *known == name);
            assert!(error.property.is_none_or(is_known));
        }
    }
    // What only some of is given updates a summary: the rest stays.
    if resource.name == "RunSummary" {
        let counts = |count| {
            RunState::ALL
                .into_iter()
                .fold(Counts::ZERO, |counts, state| counts.with(state, count).unwrap())
        };
        let last_run = Some("2000-01-01T00:00:00Z".parse().unwrap());
        let before = Summary { devices: counts(70), users: counts(80), last_run };
        let update = RunSummaryUpdate::decode(json);
        assert_eq!(update.is_ok(), known.is_some(), "{}", shown());
        if let (Ok(update), Some(known)) = (update, known) {
            let summary =
                |id, summary| written(|buffer| RunSummary { id, summary }.encode(buffer).unwrap());
            let mut expected = summary(None, before);
            expected.extend(known);
            expected.insert("@odata.type".into(), resource.odata_type.into());
            assert_eq!(summary(update.id, update.apply_to(before)), expected, "{}", shown());
        }
    }
    given.is_ok()
}

#[test]
fn documents_and_their_mutations_are_judged_as_the_model_judges_them() {
    let (mut taken, mut refused) = (0, 0);
    for resource in &RESOURCES {
        for (seed, json) in documents(resource).take(1_000) {
            let mut count = |is_taken| if is_taken { taken += 1 } else { refused += 1 };
            count(compare(resource, &json));
            for mutation in mutate(seed, &json).take(5) {
                count(compare(resource, &mutation));
            }
        }
    }
    // Both happen often, or the comparison says little.
    assert!(taken > 5_000 && refused > 20_000, "{taken} taken, {refused} refused");
}

#[test]
fn a_document_with_any_one_byte_changed_is_judged_as_the_model_judges_it() {
    let json = br#" {"id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974" ,"x":[true,false,null,{"y":-1.5e+7},"\u0041"],"failedUserCount":10}"#;
    for at in 0..json.len() {
        for byte in 0..=0xff {
            let mut changed = json.to_vec();
            changed[at] = byte;
            compare(&RESOURCES[0], &changed);
        }
        compare(&RESOURCES[0], &[&json[..at], &json[at + 1..]].concat());
    }
}

#[test]
fn every_pair_of_characters_in_a_string_is_judged_as_serde_json_judges_it() {
    // Enough before the pair that it lies across words of 4 and of 8 bytes.
    for before in ["", "abc", "abcdefg"] {
        for first in 0..=0x80_u8 {
            for second in 0..=0x80_u8 {
                let pair: String = [first, second].map(char::from).iter().collect();
                let json = format!("{{\"x\":\"{before}{pair}n0041\"}}");
                let expected = serde_json::from_str::<Value>(&json).is_ok();
                let given = RunSummaryUpdate::decode(json.as_bytes()).is_ok();
                assert_eq!(given, expected, "{json:?}");
            }
        }
    }
}

#[test]
fn every_escape_is_unescaped_as_serde_json_does() {
    let decode = |text: &str| {
        let json = format!("{{\"userName\":\"{text}\"}}");
        let update = UserStateUpdate::decode(json.as_bytes()).ok()?;
        Some(update.name.unwrap().unwrap().to_string())
    };
    let expect = |text: &str| serde_json::from_str::<String>(&format!("\"{text}\"")).ok();
    for after in 0..0x80_u8 {
        let text = format!("a\\{}b", char::from(after));
        assert_eq!(decode(&text), expect(&text), "{text}");
    }
    for unit in 0..=0xffff_u32 {
        let text = format!("a\\u{unit:04x}b");
        assert_eq!(decode(&text), expect(&text), "{text}");
    }
    let edges = [0, 0x41, 0xd7ff, 0xd800, 0xd83d, 0xdbff, 0xdc00, 0xde00, 0xdfff, 0xe000, 0xffff];
    for high in edges {
        for low in edges {
            for between in ["", "\\", "\\\\", "\\n", "u", " "] {
                let text = format!("\\u{high:04X}{between}\\u{low:04x}");
                assert_eq!(decode(&text), expect(&text), "{text}");
            }
        }
    }
}
