//! Lists: the rows behind the counts, a page at a time.

use super::problem::Problem;
use super::query::{Query, kept};
use super::uri::is_plain;
use super::writer::Writer;
use crate::graph::BufferFull;
use crate::graph::object::Shape;

/// Where a list is asked for, which the link to its next page repeats.
pub(super) struct Place<'a> {
    pub(super) origin: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
}

/// Writes a page: the rows from the query's on, as many as `$top` and the buffer allow.
///
/// `rows` come with their numbers, which rise; so a walk along the links ends, whatever comes and
/// goes meanwhile, and meets every row that stays exactly once.
pub(super) fn write<T>(
    place: &Place<'_>,
    query: &Query,
    shape: &Shape,
    total: usize,
    rows: impl Iterator<Item = (u16, T)>,
    write_row: impl Fn(&T, &mut Writer<'_>) -> Result<(), BufferFull>,
    writer: &mut Writer<'_>,
) -> Result<(), Problem> {
    let tail = place.tail()?;
    writer.text("{")?;
    if query.count {
        writer.text("\"@odata.count\":")?;
        writer.json(&(total as u32))?;
        writer.text(",")?;
    }
    writer.text("\"value\":[")?;

    let top = query.top.unwrap_or(u32::MAX);
    let mut written = 0u32;
    for (number, row) in rows.skip(query.skip as usize) {
        if written >= top {
            // A page of no rows would link to itself.
            return end(if top == 0 { None } else { Some(number) }, place, writer);
        }
        let before = writer.len();
        if written > 0 {
            writer.text(",")?;
        }
        let start = writer.len();
        let fits = write_row(&row, writer);
        query.select(shape, start, writer);
        if fits.is_err() || writer.room() < tail {
            writer.truncate(before);
            if written == 0 {
                return Err(Problem::AnswerTooLong);
            }
            return end(Some(number), place, writer);
        }
        written = written.saturating_add(1);
    }
    end(None, place, writer)
}

fn end(next: Option<u16>, place: &Place<'_>, writer: &mut Writer<'_>) -> Result<(), Problem> {
    writer.text("]")?;
    if let Some(number) = next {
        writer.text(",\"@odata.nextLink\":\"")?;
        writer.text(place.origin)?;
        writer.text(place.path)?;
        writer.text("?")?;
        for pair in kept(place.query) {
            writer.text(pair)?;
            writer.text("&")?;
        }
        writer.text("$skiptoken=")?;
        writer.json(&number)?;
        writer.text("\"")?;
    }
    writer.text("}")?;
    Ok(())
}

impl Place<'_> {
    /// The most bytes that follow the last row.
    fn tail(&self) -> Result<usize, Problem> {
        if ![self.origin, self.path, self.query].into_iter().all(is_plain) {
            return Err(Problem::NotEncoded);
        }
        Ok("],\"@odata.nextLink\":\"?&$skiptoken=65535\"}"
            .len()
            .saturating_add(self.origin.len())
            .saturating_add(self.path.len())
            .saturating_add(self.query.len()))
    }
}
