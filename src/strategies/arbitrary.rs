//! `arbitrary::Arbitrary`, for fuzz targets.

#[cfg(feature = "graph")]
use std::string::String;
#[cfg(feature = "graph")]
use std::vec::Vec;

use ::arbitrary::{Arbitrary, Result, Unstructured};

#[cfg(feature = "graph")]
use super::document::{Document, Parts, Value};
use super::{LOCAL, MEETING, counts_of, date_time};
use crate::{Change, Counts, DateTime, Event, RunState, Summary};

impl Arbitrary<'_> for RunState {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        u.choose(&Self::ALL).copied()
    }
}

impl Arbitrary<'_> for DateTime {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        if u.ratio(1, 4)? {
            return Ok(date_time(u.int_in_range(LOCAL)?, u.int_in_range(-1439..=1439)?));
        }
        let step = u.int_in_range(0..=3i64)?;
        let offset = *u.choose(&[0, 60, -480])?;
        let instant = MEETING.saturating_add(step.saturating_mul(2_500_000));
        let local = instant.saturating_add(super::MINUTE.saturating_mul(offset.into()));
        Ok(date_time(local, offset))
    }
}

impl Arbitrary<'_> for Counts {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let mut numbers = [0; 6];
        for number in &mut numbers {
            *number = match u.int_in_range(0..=7)? {
                0..=2 => 0,
                3..=5 => u.int_in_range(1..=8)?,
                6 => u.int_in_range(0..=Self::MAX)?,
                _ => u.int_in_range(Self::MAX.saturating_sub(3)..=Self::MAX)?,
            };
        }
        Ok(counts_of(numbers))
    }
}

impl Arbitrary<'_> for Summary {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(Self { devices: u.arbitrary()?, users: u.arbitrary()?, last_run: u.arbitrary()? })
    }
}

impl<'a, D: Arbitrary<'a>, U: Arbitrary<'a>> Arbitrary<'a> for Event<D, U> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            device: u.arbitrary()?,
            user: u.arbitrary()?,
            state: u.arbitrary()?,
            at: u.arbitrary()?,
        })
    }
}

impl<'a, D: Arbitrary<'a>, U: Arbitrary<'a>> Arbitrary<'a> for Change<D, U> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=19)? {
            0 | 1 => Self::Remove { device: u.arbitrary()?, at: u.arbitrary()? },
            2 | 3 => Self::Retire { device: u.arbitrary()? },
            4 => Self::Declare(u.arbitrary()?),
            5 | 6 => Self::DeclareUser {
                user: u.arbitrary()?,
                devices: u.arbitrary()?,
                last_update: u.arbitrary()?,
            },
            7 => Self::UndeclareUser { user: u.arbitrary()? },
            8 => Self::RunFrom(u.arbitrary()?),
            _ => Self::Event(u.arbitrary()?),
        })
    }
}

#[cfg(feature = "graph")]
impl Arbitrary<'_> for Document {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let parts = Parts {
            id: u.arbitrary()?,
            user: u.arbitrary()?,
            state: u.arbitrary()?,
            at: u.arbitrary()?,
            texts: u.arbitrary::<[Option<Option<String>>; 6]>()?.into(),
            version: u.arbitrary()?,
            unknown: unknown(u)?,
        };
        let mut properties = parts.properties();
        for last in (1..properties.len()).rev() {
            properties.swap(last, u.int_in_range(0..=last)?);
        }
        let hand: Vec<u8> = u.arbitrary()?;
        Ok(Self::spell(parts.event(), &properties, &hand))
    }
}

#[cfg(feature = "graph")]
fn unknown(u: &mut Unstructured<'_>) -> Result<Vec<(String, Value)>> {
    let mut unknown = Vec::new();
    while unknown.len() < 3 && u.arbitrary()? {
        unknown.push((u.arbitrary()?, value(u, 14)?));
    }
    Ok(unknown)
}

/// A value with at most `depth` levels.
#[cfg(feature = "graph")]
fn value(u: &mut Unstructured<'_>, depth: u8) -> Result<Value> {
    let Some(deeper) = depth.checked_sub(1) else { return Ok(Value::Null) };
    Ok(match u.int_in_range(0..=5)? {
        0 => Value::Null,
        1 => Value::Bool(u.arbitrary()?),
        2 => Value::Number(u.choose(&["0", "-0", "1e5", "0.5", "-12.25E+3", "1e999"])?),
        3 => Value::Text(u.arbitrary()?),
        4 => {
            let mut list = Vec::new();
            while list.len() < 3 && u.arbitrary()? {
                list.push(value(u, deeper)?);
            }
            Value::List(list)
        }
        _ => {
            let mut object = Vec::new();
            while object.len() < 3 && u.arbitrary()? {
                object.push((u.arbitrary()?, value(u, deeper)?));
            }
            Value::Object(object)
        }
    })
}
