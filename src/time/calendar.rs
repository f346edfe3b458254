//! Days and dates, ticks and times of day.
//!
//! Years are taken to begin in March, which makes the leap day the last of its year, and the months
//! before it 31, 30, 31, 30, 31 days long again and again: 153 days in five months. The idea is
//! Howard Hinnant's ("chrono-Compatible Low-Level Date Algorithms"); counting in quarters of a day
//! is Neri's and Schneider's ("Euclidean affine functions and their application to calendar
//! algorithms", 2022).
//!
//! Nothing here overflows for the years 0001 to 9999. Outside, where a damaged store or a text that
//! is refused anyway may lead, the result is of no use, and nothing panics.

pub(super) const TICKS_PER_SECOND: u32 = 10_000_000;
const TICKS_PER_MINUTE: u32 = 60 * TICKS_PER_SECOND;
const TICKS_PER_DAY: i64 = 24 * 60 * TICKS_PER_MINUTE as i64;

/// The [`day_number`] of the Unix epoch.
const UNIX_EPOCH: i64 = day_number(1970, 1, 1) as i64;

/// The number of a day, one more than that of the day before. 0001-01-01 is day 307.
pub(super) const fn day_number(year: u32, month: u32, day: u32) -> u32 {
    let (year, month) = if month > 2 {
        (year, month.wrapping_sub(3))
    } else {
        (year.wrapping_sub(1), month.wrapping_add(9))
    };
    let leap_days = (year / 4).wrapping_sub(year / 100).wrapping_add(year / 400);
    year.wrapping_mul(365)
        .wrapping_add(leap_days)
        .wrapping_add(days_before_month(month))
        .wrapping_add(day)
}

/// The year, month and day of a [`day_number`].
pub(super) const fn date(day_number: u32) -> (u32, u32, u32) {
    const DAYS_IN_400_YEARS: u32 = 146_097;
    const DAYS_IN_4_YEARS: u32 = 1461;
    // In quarters of a day, all centuries are equally long, and so are all years of a century.
    let quarters = day_number.wrapping_mul(4).wrapping_sub(1);
    let century = quarters / DAYS_IN_400_YEARS;
    let quarters = (quarters % DAYS_IN_400_YEARS) | 3;
    let year = century.wrapping_mul(100).wrapping_add(quarters / DAYS_IN_4_YEARS);
    let day = quarters % DAYS_IN_4_YEARS / 4;
    let month = day.wrapping_mul(5).wrapping_add(2) / 153;
    let day = day.wrapping_sub(days_before_month(month)).wrapping_add(1);
    if month < 10 {
        (year, month.wrapping_add(3), day)
    } else {
        (year.wrapping_add(1), month.wrapping_sub(9), day)
    }
}

/// The days of the year before a month; March is month 0.
const fn days_before_month(month: u32) -> u32 {
    month.wrapping_mul(153).wrapping_add(2) / 5
}

/// Of a month that is not in the calendar, anything.
pub(super) const fn days_in_month(year: u32, month: u32) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Ticks after 1970-01-01T00:00:00 on the same clock: of a day, minutes into it and ticks into the
/// minute.
pub(super) const fn local_ticks(day_number: u32, minutes: u32, ticks: u32) -> i64 {
    (day_number as i64)
        .wrapping_sub(UNIX_EPOCH)
        .wrapping_mul(TICKS_PER_DAY)
        .wrapping_add((minutes as i64).wrapping_mul(TICKS_PER_MINUTE as i64))
        .wrapping_add(ticks as i64)
}

/// The day, minutes and ticks that [`local_ticks`] was made of.
///
/// Without a 64-bit division, which 32-bit processors do not have.
pub(super) const fn split_local_ticks(local: i64) -> (u32, u32, u32) {
    const DAY: u64 = TICKS_PER_DAY.unsigned_abs();
    const RECIPROCAL: u64 = ((1 << 71) / DAY as u128) as u64;
    // From day 0 on, so not negative.
    let local = local.wrapping_add(UNIX_EPOCH.wrapping_mul(TICKS_PER_DAY)).cast_unsigned();

    // The lower 32 bits are less than a hundredth of a day, so this is right or one too few.
    let mut day = (local >> 32).wrapping_mul(RECIPROCAL) >> 39;
    let mut ticks = local.wrapping_sub(day.wrapping_mul(DAY));
    if ticks >= DAY {
        day = day.wrapping_add(1);
        ticks = ticks.wrapping_sub(DAY);
    }

    // A minute is a multiple of 2^9 ticks, and a day is less than 2^41.
    let minutes = (ticks >> 9) as u32 / (TICKS_PER_MINUTE >> 9);
    // Less than a minute is left, so the lower 32 bits say it all.
    let ticks = (ticks as u32).wrapping_sub(minutes.wrapping_mul(TICKS_PER_MINUTE));
    (day as u32, minutes, ticks)
}

pub(super) const fn ticks_of_offset(offset: i16) -> i64 {
    (offset as i64).wrapping_mul(TICKS_PER_MINUTE as i64)
}
