//! Any bytes as each resource of the wire: the verdict of `serde_json` and a model of the stricter
//! rules, and what is taken is written and read back as it was.
#![no_main]

#[allow(dead_code, unused_imports)]
#[path = "../../tests/json_differential.rs"]
mod differential;

use libfuzzer_sys::fuzz_target;
use runtally::graph::{
    DeviceState, RunSummaryUpdate, ScriptDeviceState, ScriptRunSummary, ScriptUserState,
    UserStateUpdate,
};

fuzz_target!(|json: &[u8]| {
    for resource in &differential::documents::RESOURCES {
        differential::compare(resource, json);
    }

    let mut buffer = [0; DeviceState::MAX_JSON];
    macro_rules! reads_back {
        ($given:expr, $decode:expr, $max:expr) => {
            if let Ok(given) = $given {
                let length = given.encode(&mut buffer).expect("fits");
                assert!(length <= $max);
                assert_eq!($decode(&buffer[..length]), Ok(given));
            }
        };
    }
    reads_back!(DeviceState::decode(json), DeviceState::decode, DeviceState::MAX_JSON);
    reads_back!(
        ScriptDeviceState::decode(json),
        ScriptDeviceState::decode,
        ScriptDeviceState::MAX_JSON
    );
    reads_back!(
        ScriptRunSummary::decode(json),
        ScriptRunSummary::decode,
        ScriptRunSummary::MAX_JSON
    );
    reads_back!(ScriptUserState::decode(json), ScriptUserState::decode, ScriptUserState::MAX_JSON);
    reads_back!(
        RunSummaryUpdate::decode(json).and_then(|update| update.complete()),
        |json| RunSummaryUpdate::decode(json).and_then(|update| update.complete()),
        runtally::graph::RunSummary::MAX_JSON
    );
    reads_back!(
        UserStateUpdate::decode(json).and_then(|update| update.complete()),
        |json| UserStateUpdate::decode(json).and_then(|update| update.complete()),
        runtally::graph::UserState::MAX_JSON
    );
});
