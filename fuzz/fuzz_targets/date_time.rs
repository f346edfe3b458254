//! Any text as a date-time, beside jiff; and any ticks and offset, written and read again.
#![no_main]

#[allow(dead_code, unused_imports)]
#[path = "../../tests/time.rs"]
mod time;

use libfuzzer_sys::fuzz_target;
use runtally::DateTime;

fuzz_target!(|bytes: &[u8]| {
    match str::from_utf8(bytes) {
        Ok(text) => time::check_against_reference(text),
        Err(_) => assert!(DateTime::parse(bytes).is_err()),
    }
    if let Some((ticks, rest)) = bytes.split_first_chunk()
        && let Some((offset, _)) = rest.split_first_chunk()
    {
        let (ticks, offset) = (i64::from_le_bytes(*ticks), i16::from_le_bytes(*offset));
        if let Ok(at) = DateTime::from_ticks(ticks, offset) {
            assert_eq!((at.ticks(), at.offset()), (ticks, offset));
            let text = at.to_string();
            assert!(text.len() <= DateTime::MAX_LEN);
            assert_eq!(text.parse(), Ok(at), "{text}");
            time::check_against_reference(&text);
        }
    }
});
