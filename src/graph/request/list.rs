//! Lists: the rows behind the counts, a page at a time.

use super::problem::Problem;
use super::query::{Query, is_kept};
use super::uri::{is_plain, next_part};
use super::{Request, Settings};
use crate::graph::cursor::Cursor;

/// The rows of a list, by numbers that rise; so a walk along the links to the next page ends,
/// whatever comes and goes meanwhile, and meets every row that stays exactly once.
pub(super) trait Rows {
    /// The first row of this number or a higher one.
    fn next(&self, from: u16) -> Option<u16>;

    fn count(&self) -> usize;

    fn write(&self, number: u16, writer: &mut Cursor<'_>);
}

/// Writes a page: the rows from the query's on, as many as `$top` and the buffer allow.
pub(super) fn write(
    rows: &dyn Rows,
    query: &Query,
    request: &Request<'_>,
    settings: &Settings<'_>,
    writer: &mut Cursor<'_>,
) -> Result<(), Problem> {
    let link = [settings.origin, request.path, request.query];
    if !link.into_iter().all(is_plain) {
        return Err(Problem::NotEncoded);
    }
    // The most bytes that follow the last row.
    let tail =
        link.into_iter().fold(r#"],"@odata.nextLink":"?&$skiptoken=65535"}"#.len(), |sum, part| {
            sum.saturating_add(part.len())
        });

    writer.raw("{");
    if query.count {
        writer.raw("\"@odata.count\":");
        writer.number(rows.count() as u32);
        writer.raw(",");
    }
    writer.raw("\"value\":[");

    let mut next = rows.next(query.from);
    for _ in 0..query.skip {
        let Some(number) = next else { break };
        next = rows.next(number.saturating_add(1));
    }
    // A page of no rows would link to itself.
    if query.top == Some(0) {
        next = None;
    }
    let mut written = 0_u32;
    while let Some(number) = next
        && query.top.is_none_or(|top| written < top)
    {
        let before = writer.len();
        if written > 0 {
            writer.raw(",");
        }
        rows.write(number, writer);
        if !writer.has_room(tail) {
            writer.truncate(before);
            if written == 0 {
                return Err(Problem::AnswerTooLong);
            }
            break;
        }
        written = written.saturating_add(1);
        next = rows.next(number.saturating_add(1));
    }

    writer.raw("]");
    if let Some(number) = next {
        writer.raw(",\"@odata.nextLink\":\"");
        writer.raw(settings.origin);
        writer.raw(request.path);
        writer.raw("?");
        let mut rest = Some(request.query);
        while let Some(pair) = next_part(&mut rest, b'&') {
            if is_kept(pair) {
                writer.raw(pair);
                writer.raw("&");
            }
        }
        writer.raw("$skiptoken=");
        writer.number(number.into());
        writer.raw("\"");
    }
    writer.raw("}");
    Ok(())
}
