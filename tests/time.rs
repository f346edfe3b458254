//! The date-time codec, held against jiff over the whole range.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::LazyLock;

use jiff::civil::{self, Date, Time};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use runtally::{DateTime, DateTimeError};

const TICKS_PER_MINUTE: i64 = 60 * DateTime::TICKS_PER_SECOND;
const TICKS_PER_DAY: i64 = 24 * 60 * TICKS_PER_MINUTE;
const FIRST_DAY: Date = civil::date(1, 1, 1);
const LAST_DAY: Date = civil::date(9999, 12, 31);

/// A date-time by jiff's account: nothing here is ours.
#[derive(Clone, Copy, Debug)]
struct Model {
    /// To the tick of 100 ns.
    local: civil::DateTime,
    offset: i16,
}

impl Model {
    fn ticks(self) -> i64 {
        let since_epoch = civil::date(1970, 1, 1).at(0, 0, 0, 0).duration_until(self.local);
        let local = i64::try_from(since_epoch.as_nanos() / 100).unwrap();
        local - i64::from(self.offset) * TICKS_PER_MINUTE
    }

    fn text(self) -> String {
        let (sign, minutes) = (if self.offset < 0 { '-' } else { '+' }, self.offset.abs());
        match self.offset {
            0 => format!("{}Z", self.local),
            _ => format!("{}{sign}{:02}:{:02}", self.local, minutes / 60, minutes % 60),
        }
    }
}

/// The shape of every text, digits as 0, with the place of its offset.
static SHAPES: LazyLock<HashMap<String, usize>> = LazyLock::new(|| {
    let fractions = (1..=12).map(|digits| format!(":00.{}", "0".repeat(digits)));
    let seconds: Vec<_> = [String::new(), ":00".to_owned()].into_iter().chain(fractions).collect();
    let mut shapes = HashMap::new();
    for t in ["T", "t"] {
        for seconds in &seconds {
            for offset in ["Z", "z", "+00:00", "-00:00"] {
                let local = format!("0000-00-00{t}00:00{seconds}");
                shapes.insert(format!("{local}{offset}"), local.len());
            }
        }
    }
    shapes
});

/// Reads a text another way: its shape is one of 112, the numbers are where the shape has them, and
/// jiff says whether they are a date and a time.
fn reference(text: &str) -> Option<(i64, i16)> {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let offset_at = *SHAPES.get(&shape)?;
    let number = |from: usize, to: usize| text[from..to].parse::<i16>().unwrap();
    let small = |from: usize| i8::try_from(number(from, from + 2)).unwrap();
    let (year, month, day) = (number(0, 4), small(5), small(8));
    let date = Date::new(year, month, day).ok().filter(|_| year >= 1)?;
    let second = if offset_at > 16 { small(17) } else { 0 };
    if second > 60 {
        return None;
    }
    let digits = if offset_at > 19 { &text[20..offset_at] } else { "" };
    let ticks: i32 = format!("{digits:0<7}")[..7].parse().unwrap();
    let time = Time::new(small(11), small(14), second.min(59), ticks * 100).ok()?;

    let offset = match &text[offset_at..] {
        "Z" | "z" => 0,
        _ => {
            let (hour, minute) =
                (number(offset_at + 1, offset_at + 3), number(offset_at + 4, offset_at + 6));
            if hour > 23 || minute > 59 {
                return None;
            }
            let minutes = hour * 60 + minute;
            if text.as_bytes()[offset_at] == b'-' { -minutes } else { minutes }
        }
    };
    Some((Model { local: date.to_datetime(time), offset }.ticks(), offset))
}

/// The verdict on a text is the reference's, and an error names the first byte that is wrong: what
/// stands before it can still become a date-time.
pub(crate) fn check_against_reference(text: &str) {
    match (DateTime::parse(text.as_bytes()), reference(text)) {
        (Ok(read), Some(expected)) => {
            assert_eq!((read.ticks(), read.offset()), expected, "{text:?}");
            assert_eq!(DateTime::from_ticks(read.ticks(), read.offset()), Ok(read), "{text:?}");
        }
        (Err(error), None) => {
            // One of this text's ends continues every beginning of a date-time.
            let ends = "2016-01-01T00:00:00.0+00:00";
            let good = &text[..error.at().unwrap()];
            let goes_on =
                (0..=ends.len()).any(|at| reference(&format!("{good}{}", &ends[at..])).is_some());
            assert!(goes_on, "{text:?}: {error}, but nothing continues {good:?}");
        }
        (ours, expected) => panic!("{text:?}: {ours:?}, but the reference says {expected:?}"),
    }
}

const SEEDS: [&str; 8] = [
    "2016-12-31T23:57:28.499537-08:00",
    "2017-01-01T00:02:58.4418045-08:00",
    "2016-02-29t12:00z",
    "1900-02-28T23:59:60Z",
    "2000-02-29T00:00:00.123456789012+23:59",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.9999999-23:59",
    "2026-11-30T10:10-00:00",
];

fn offsets() -> impl Strategy<Value = i16> {
    prop_oneof![
        Just(0),
        (-14_i16..=14).prop_map(|hours| hours * 60),
        prop::sample::select(&[-1439_i16, -1, 1, 1439][..]),
        -1439_i16..=1439,
    ]
}

fn models() -> impl Strategy<Value = Model> {
    let days = prop_oneof![0..=3_652_058_i32, 0..=2_i32, 3_652_056..=3_652_058_i32,];
    let ticks_of_day = prop_oneof![
        0..TICKS_PER_DAY,
        (0..86_400_i64).prop_map(|second| second * DateTime::TICKS_PER_SECOND),
        (0..864_000_000_i64).prop_map(|milli| milli * 1000),
        0..=1_i64,
        TICKS_PER_DAY - 2..TICKS_PER_DAY,
    ];
    (days, ticks_of_day, offsets()).prop_map(|(days, ticks, offset)| {
        let midnight = FIRST_DAY.checked_add(days.days()).unwrap().at(0, 0, 0, 0);
        Model { local: midnight.checked_add((ticks * 100).nanoseconds()).unwrap(), offset }
    })
}

#[test]
fn what_graph_shows_comes_back_byte_for_byte() {
    for text in ["2016-12-31T23:57:28.499537-08:00", "2017-01-01T00:02:58.4418045-08:00"] {
        assert_eq!(text.parse::<DateTime>().unwrap().to_string(), text);
    }
}

#[test]
fn a_text_reads_as_documented() {
    for (text, same) in [
        ("2016-12-31t23:57:28z", "2016-12-31T23:57:28Z"),
        ("2016-12-31T23:57Z", "2016-12-31T23:57:00Z"),
        ("2016-12-31T23:57+01:00", "2016-12-31T23:57:00+01:00"),
        ("2016-12-31T23:57:28.5000Z", "2016-12-31T23:57:28.5Z"),
        ("2016-12-31T23:57:28.000000000000Z", "2016-12-31T23:57:28Z"),
        ("2016-12-31T23:57:28.999999999999Z", "2016-12-31T23:57:28.9999999Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("2016-12-31T23:59:60.5Z", "2016-12-31T23:59:59.5Z"),
        ("2016-12-31T23:57:28+00:00", "2016-12-31T23:57:28Z"),
        ("2016-12-31T23:57:28-00:00", "2016-12-31T23:57:28Z"),
        ("2016-12-31T23:57:28-00:01", "2016-12-31T23:57:28-00:01"),
        ("2016-12-31T23:57:28+23:59", "2016-12-31T23:57:28+23:59"),
    ] {
        let read: DateTime = text.parse().unwrap();
        assert_eq!(read.to_string(), same, "from {text}");
        assert_eq!(format!("{read:?}"), same);
    }
}

#[test]
fn every_day_of_9999_years_is_read_and_written() {
    let mut ticks = Model { local: FIRST_DAY.at(0, 0, 0, 0), offset: 0 }.ticks();
    let mut days = 0;
    let (mut text, mut written) = (String::new(), String::new());
    for year in 1..=9999 {
        for month in 1..=12 {
            for day in 1..=civil::date(year, month, 1).days_in_month() {
                text.clear();
                write!(text, "{year:04}-{month:02}-{day:02}T00:00:00Z").unwrap();
                let first = DateTime::parse(text.as_bytes()).unwrap();
                assert_eq!(first.ticks(), ticks, "{text}");
                written.clear();
                write!(written, "{first}").unwrap();
                assert_eq!(written, text);

                ticks += TICKS_PER_DAY;
                let last = DateTime::from_ticks(ticks - 1, 0).unwrap();
                text.replace_range(10.., "T23:59:59.9999999Z");
                written.clear();
                write!(written, "{last}").unwrap();
                assert_eq!(written, text);
                days += 1;
            }
        }
    }
    assert_eq!(days, 3_652_059);
    assert_eq!(ticks - 1, Model { local: LAST_DAY.at(23, 59, 59, 999_999_900), offset: 0 }.ticks());
}

#[test]
fn only_dates_of_the_calendar_are_read() {
    for year in 0..=9999 {
        for month in 0..=13 {
            for day in [0, 1, 28, 29, 30, 31, 32, 99] {
                let text = format!("{year:04}-{month:02}-{day:02}T00:00Z");
                let exists = year > 0 && Date::new(year, month, day).is_ok();
                assert_eq!(DateTime::parse(text.as_bytes()).is_ok(), exists, "{text}");
            }
        }
    }
}

#[test]
fn every_number_of_two_digits_is_held_to_its_range() {
    for at in [11, 14, 17, 27, 30] {
        for number in 0..100 {
            let mut text = "2016-12-31T10:10:10.123456+10:10".to_owned();
            text.replace_range(at..at + 2, &format!("{number:02}"));
            check_against_reference(&text);
        }
    }
}

#[test]
fn one_changed_byte_is_judged_as_the_reference_does() {
    for seed in SEEDS {
        assert!(reference(seed).is_some(), "{seed}");
        for at in 0..=seed.len() {
            check_against_reference(&seed[..at]);
            for byte in 0..=0x7f_u8 {
                let byte = char::from(byte);
                let rest = &seed[at..];
                check_against_reference(&format!("{}{byte}{rest}", &seed[..at]));
                if let Some(rest) = rest.get(1..) {
                    check_against_reference(&format!("{}{byte}{rest}", &seed[..at]));
                    check_against_reference(&format!("{}{rest}", &seed[..at]));
                }
            }
        }
    }
}

#[test]
fn bytes_that_are_no_ascii_are_refused_where_they_stand() {
    for seed in SEEDS {
        for at in 0..seed.len() {
            for byte in 0x80..=0xff {
                let mut text = seed.as_bytes().to_vec();
                text[at] = byte;
                let error = DateTime::parse(&text).unwrap_err();
                // A number is named by its first digit, a fraction by its first.
                assert!(error.at().unwrap() <= at, "{text:?}: {error}");
            }
        }
    }
}

#[test]
fn an_error_says_what_was_expected_and_where() {
    for (text, message) in [
        ("", "expected a year from 0001 to 9999 at byte 0 of the date-time"),
        ("0000-01-01T00:00:00Z", "expected a year from 0001 to 9999 at byte 0 of the date-time"),
        (" 2016-12-31T23:57:28Z", "expected a year from 0001 to 9999 at byte 0 of the date-time"),
        ("+2016-12-31T23:57:28Z", "expected a year from 0001 to 9999 at byte 0 of the date-time"),
        ("12016-12-31T23:57:28Z", "expected `-` at byte 4 of the date-time"),
        ("20161231T235728Z", "expected `-` at byte 4 of the date-time"),
        ("2016-13-31T23:57:28Z", "expected a month from 01 to 12 at byte 5 of the date-time"),
        ("2016-1-31T23:57:28Z", "expected a month from 01 to 12 at byte 5 of the date-time"),
        ("2016-12/31T23:57:28Z", "expected `-` at byte 7 of the date-time"),
        ("2016-12-32T23:57:28Z", "expected a day from 01 to 31 at byte 8 of the date-time"),
        ("2016-12-00T23:57:28Z", "expected a day from 01 to 31 at byte 8 of the date-time"),
        ("2016-11-31T23:57:28Z", "expected a day from 01 to 30 at byte 8 of the date-time"),
        ("2016-02-30T23:57:28Z", "expected a day from 01 to 29 at byte 8 of the date-time"),
        ("1900-02-29T23:57:28Z", "expected a day from 01 to 28 at byte 8 of the date-time"),
        ("2016-12-31", "expected `T` at byte 10 of the date-time"),
        ("2016-12-31 23:57:28Z", "expected `T` at byte 10 of the date-time"),
        ("2016-12-31T24:00:00Z", "expected an hour from 00 to 23 at byte 11 of the date-time"),
        ("2016-12-31T23", "expected `:` at byte 13 of the date-time"),
        ("2016-12-31T23:60:28Z", "expected a minute from 00 to 59 at byte 14 of the date-time"),
        (
            "2016-12-31T23:57",
            "expected `:` or an offset (`Z`, `+hh:mm` or `-hh:mm`) at byte 16 of the date-time",
        ),
        (
            "2016-12-31T23:57.5Z",
            "expected `:` or an offset (`Z`, `+hh:mm` or `-hh:mm`) at byte 16 of the date-time",
        ),
        ("2016-12-31T23:57:61Z", "expected a second from 00 to 60 at byte 17 of the date-time"),
        (
            "2016-12-31T23:57:28",
            "expected `.` or an offset (`Z`, `+hh:mm` or `-hh:mm`) at byte 19 of the date-time",
        ),
        (
            "2016-12-31T23:57:28,5Z",
            "expected `.` or an offset (`Z`, `+hh:mm` or `-hh:mm`) at byte 19 of the date-time",
        ),
        (
            "2016-12-31T23:57:28.Z",
            "expected a fraction of 1 to 12 digits at byte 20 of the date-time",
        ),
        (
            "2016-12-31T23:57:28.1234567890123Z",
            "expected a fraction of 1 to 12 digits at byte 20 of the date-time",
        ),
        (
            "2016-12-31T23:57:28.4995",
            "expected an offset (`Z`, `+hh:mm` or `-hh:mm`) at byte 24 of the date-time",
        ),
        ("2016-12-31T23:57:28+24:00", "expected an hour from 00 to 23 at byte 20 of the date-time"),
        ("2016-12-31T23:57:28+0100", "expected `:` at byte 22 of the date-time"),
        ("2016-12-31T23:57:28+01", "expected `:` at byte 22 of the date-time"),
        (
            "2016-12-31T23:57:28-01:60",
            "expected a minute from 00 to 59 at byte 23 of the date-time",
        ),
        ("2016-12-31T23:57:28Z ", "expected the end at byte 20 of the date-time"),
        ("2016-12-31T23:57:28+01:00[Europe/Paris]", "expected the end at byte 25 of the date-time"),
    ] {
        assert_eq!(text.parse::<DateTime>().unwrap_err().to_string(), message, "{text:?}");
    }

    for (ticks, offset, message) in [
        (0, 1440, "the offset of 1440 minutes is not in -1439 to 1439"),
        (0, i16::MIN, "the offset of -32768 minutes is not in -1439 to 1439"),
        (i64::MAX, 0, "the local date-time is not in the years 0001 to 9999"),
        (
            DateTime::MIN.ticks(),
            DateTime::MIN.offset() - 1,
            "the local date-time is not in the years 0001 to 9999",
        ),
    ] {
        let error = DateTime::from_ticks(ticks, offset).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.at()), (message, None));
    }
}

#[test]
fn unix_time_goes_from_the_year_1_to_9999() {
    let (first, last) = (-62_135_596_800, 253_402_300_799);
    let text =
        |seconds, nanoseconds| DateTime::from_unix(seconds, nanoseconds).unwrap().to_string();
    assert_eq!(text(first, 0), "0001-01-01T00:00:00Z");
    assert_eq!(text(last, 999_999_999), "9999-12-31T23:59:59.9999999Z");
    assert_eq!(text(0, 99), "1970-01-01T00:00:00Z");
    assert_eq!(text(-1, 999_999_900), "1969-12-31T23:59:59.9999999Z");
    for (seconds, nanoseconds, message) in [
        (first - 1, 999_999_999, "the local date-time is not in the years 0001 to 9999"),
        (last + 1, 0, "the local date-time is not in the years 0001 to 9999"),
        (i64::MIN, 0, "the local date-time is not in the years 0001 to 9999"),
        (i64::MAX, 999_999_999, "the local date-time is not in the years 0001 to 9999"),
        (0, 1_000_000_000, "1000000000 nanoseconds are not in 0 to 999999999"),
        (0, u32::MAX, "4294967295 nanoseconds are not in 0 to 999999999"),
    ] {
        let error = DateTime::from_unix(seconds, nanoseconds).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.at()), (message, None));
    }
}

#[test]
fn beyond_the_calendar_utc_is_an_offset_that_is_in_it() {
    for (text, utc) in [
        ("0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00+23:59"),
        ("0001-01-01T00:00:30+01:00", "0001-01-01T22:59:30+23:59"),
        ("0001-01-01T00:59:59.9999999+01:00", "0001-01-01T23:58:59.9999999+23:59"),
        ("0001-01-01T01:00:00+01:00", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.9999999-23:59", "9999-12-31T23:59:59.9999999-23:59"),
        ("9999-12-31T23:30:00-01:00", "9999-12-31T00:31:00-23:59"),
        ("9999-12-31T22:59:59.9999999-01:00", "9999-12-31T23:59:59.9999999Z"),
        ("2026-11-21T00:30:00+01:00", "2026-11-20T23:30:00Z"),
    ] {
        let at: DateTime = text.parse().unwrap();
        assert_eq!(at.to_utc().to_string(), utc, "{text}");
    }
}

#[test]
fn an_error_is_small_and_goes_where_errors_go() {
    assert!(size_of::<DateTimeError>() <= 8);
    let error = DateTime::parse(b"").unwrap_err();
    let boxed: Box<dyn std::error::Error + Send + Sync> = error.into();
    assert_eq!(boxed.to_string(), error.to_string());
}

#[test]
fn min_and_max_are_the_ends_of_the_order() {
    assert_eq!("0001-01-01T00:00+23:59".parse(), Ok(DateTime::MIN));
    assert_eq!("9999-12-31T23:59:59.9999999-23:59".parse(), Ok(DateTime::MAX));
    assert_eq!(DateTime::MAX.to_string().len(), DateTime::MAX_LEN);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_date_time_is_what_jiff_says(model in models()) {
        let ours = DateTime::from_ticks(model.ticks(), model.offset).unwrap();
        prop_assert_eq!((ours.ticks(), ours.offset()), (model.ticks(), model.offset));

        let text = ours.to_string();
        prop_assert_eq!(&text, &model.text());
        prop_assert!(text.len() <= DateTime::MAX_LEN);
        prop_assert_eq!(text.parse(), Ok(ours));
        prop_assert!(DateTime::MIN <= ours && ours <= DateTime::MAX);

        // jiff's instants end two days before ours.
        if let Ok(instant) = text.parse::<Timestamp>() {
            prop_assert_eq!(i128::from(ours.ticks()) * 100, instant.as_nanosecond());
        } else {
            prop_assert!(model.local.date() >= civil::date(9999, 12, 29));
        }
    }

    #[test]
    fn a_fraction_is_cut_after_seven_digits(
        model in models(),
        digits in "[0-9]{1,14}",
    ) {
        let local = model.local.with().subsec_nanosecond(0).build().unwrap();
        let whole = Model { local, ..model };
        let text = whole.text().replacen(&local.to_string(), &format!("{local}.{digits}"), 1);
        let read = text.parse::<DateTime>();
        if digits.len() > 12 {
            prop_assert_eq!(read.unwrap_err().at(), Some(20));
        } else {
            let ticks: i64 = format!("{digits:0<7}")[..7].parse().unwrap();
            prop_assert_eq!(read.map(DateTime::ticks), Ok(whole.ticks() + ticks));
        }
    }

    #[test]
    fn ticks_and_an_offset_are_accepted_exactly_in_range(
        (ticks, offset) in prop_oneof![
            (any::<i64>(), any::<i16>()),
            (any::<i64>(), offsets()),
            (models().prop_map(Model::ticks), any::<i16>()),
            (-2 * TICKS_PER_DAY..=2 * TICKS_PER_DAY, offsets())
                .prop_map(|(d, offset)| (DateTime::MIN.ticks() + d, offset)),
            (-2 * TICKS_PER_DAY..=2 * TICKS_PER_DAY, offsets())
                .prop_map(|(d, offset)| (DateTime::MAX.ticks() + d, offset)),
            (-1..=1_i64, offsets()).prop_map(|(d, offset)| {
                (Model { local: FIRST_DAY.at(0, 0, 0, 0), offset }.ticks() + d, offset)
            }),
            (-1..=1_i64, offsets()).prop_map(|(d, offset)| {
                (Model { local: LAST_DAY.at(23, 59, 59, 999_999_900), offset }.ticks() + d, offset)
            }),
        ],
    ) {
        let at = |local| Model { local, offset: 0 }.ticks();
        let local = i128::from(ticks) + i128::from(offset) * i128::from(TICKS_PER_MINUTE);
        let in_range = (-1439..=1439).contains(&offset)
            && local >= i128::from(at(FIRST_DAY.at(0, 0, 0, 0)))
            && local <= i128::from(at(LAST_DAY.at(23, 59, 59, 999_999_900)));
        let made = DateTime::from_ticks(ticks, offset);
        prop_assert_eq!(made.is_ok(), in_range);
        if let Ok(made) = made {
            prop_assert_eq!(made.to_string().parse(), Ok(made));
        }
    }

    #[test]
    fn unix_time_is_what_jiff_says(
        (seconds, nanoseconds) in prop_oneof![
            (-62_135_596_800..=253_402_207_200_i64, 0..=999_999_999_i32),
            (-3..=3_i64, 0..=999_999_999_i32),
        ],
    ) {
        let ours = DateTime::from_unix(seconds, nanoseconds.unsigned_abs()).unwrap();
        // jiff's nanoseconds have the sign of the seconds.
        let theirs = Timestamp::from_second(seconds).unwrap() + nanoseconds.nanoseconds();
        let ticks = theirs.as_nanosecond().div_euclid(100);
        prop_assert_eq!((i128::from(ours.ticks()), ours.offset()), (ticks, 0));
    }

    #[test]
    fn a_date_time_in_utc_is_the_same_instant(model in models()) {
        let ours: DateTime = model.text().parse().unwrap();
        let utc = ours.to_utc();
        prop_assert_eq!(utc.ticks(), ours.ticks());
        prop_assert_eq!(utc.to_utc(), utc);
        prop_assert_eq!(utc.to_string().parse(), Ok(utc), "its text can be read");
        let local = model.local.checked_sub((i64::from(model.offset) * 60).seconds());
        if let Ok(local) = local && local.year() >= 1 {
            prop_assert_eq!(utc.offset(), 0);
            prop_assert_eq!(utc.to_string(), Model { local, offset: 0 }.text());
        } else {
            prop_assert!(DateTime::from_ticks(utc.ticks(), 0).is_err());
            let is_early = model.local.year() == 1;
            prop_assert_eq!(utc.offset(), if is_early { 1439 } else { -1439 });
        }
    }

    #[test]
    fn the_order_is_by_instant_and_then_by_offset(
        one in models(),
        other in models(),
        offset in offsets(),
        near in -1..=1_i64,
    ) {
        let read = |model: Model| model.text().parse::<DateTime>().unwrap();
        let key = |at: DateTime| (at.ticks(), at.offset());
        let (one, other) = (read(one), read(other));
        prop_assert_eq!(one.cmp(&other), key(one).cmp(&key(other)));
        if let Ok(other) = DateTime::from_ticks(one.ticks() + near, offset) {
            prop_assert_eq!(one.cmp(&other), key(one).cmp(&key(other)));
            prop_assert_eq!(one == other, near == 0 && one.offset() == offset);
        }
    }

    #[test]
    fn mutated_texts_are_judged_as_the_reference_does(
        model in models(),
        lower in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[0-9TtZz:.+ -]{0,3}", 0..3_usize), 0..4),
    ) {
        let mut text = model.text();
        if lower {
            text.make_ascii_lowercase();
        }
        for (at, new, cut) in edits {
            let at = at.index(text.len() + 1);
            text.replace_range(at..(at + cut).min(text.len()), &new);
        }
        check_against_reference(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused_within_the_text(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        if let Err(error) = DateTime::parse(&bytes) {
            prop_assert!(error.at().unwrap() <= bytes.len());
        }
    }
}

#[cfg(feature = "serde")]
mod serde {
    use super::*;

    #[test]
    fn a_date_time_is_a_string_in_json() {
        let at: DateTime = "2017-01-01T00:02:58.4418045-08:00".parse().unwrap();
        let json = serde_json::to_string(&at).unwrap();
        assert_eq!(json, r#""2017-01-01T00:02:58.4418045-08:00""#);
        assert_eq!(serde_json::from_str::<DateTime>(&json).unwrap(), at);
        // From a reader no borrowed string can be had, and an escape must be undone first.
        let escaped = json.replace('T', r"\u0054");
        assert_eq!(serde_json::from_reader::<_, DateTime>(escaped.as_bytes()).unwrap(), at);
    }

    #[test]
    fn a_refused_value_says_why() {
        let refusal = |json| serde_json::from_str::<DateTime>(json).unwrap_err().to_string();
        assert_eq!(
            refusal(r#""2017-02-29T00:00:00Z""#),
            "expected a day from 01 to 28 at byte 8 of the date-time at line 1 column 22"
        );
        assert_eq!(
            refusal("1483228648"),
            "invalid type: integer `1483228648`, expected a date-time with offset at line 1 column 10"
        );
    }
}
