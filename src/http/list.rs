//! Lists: the rows behind the counts, a page at a time.

use super::Request;
use super::cursor::Cursor;
use super::problem::Problem;
use super::query::{Query, is_kept};
use super::rows::Rows;
use super::uri::{is_plain, next_part};

/// One page of a list: the rows from the query's on, as many as `$top` and the buffer allow.
pub(super) struct Page<'a> {
    pub(super) rows: &'a dyn Rows,
    pub(super) query: &'a Query,
    pub(super) request: &'a Request<'a>,
    pub(super) origin: &'a str,
}

impl Page<'_> {
    #[inline(never)]
    pub(super) fn write(&self, body: &mut Cursor<'_>) -> Result<(), Problem<'static>> {
        let Self { rows, query, request, origin } = *self;
        let link = [origin, request.path, request.query];
        if !link.into_iter().all(is_plain) {
            return Err(Problem::NotEncoded);
        }
        // The most bytes that follow the last row.
        let tail = link
            .into_iter()
            .fold(r#"],"@odata.nextLink":"?&$skiptoken=65535"}"#.len(), |sum, part| {
                sum.saturating_add(part.len())
            });

        body.raw("{");
        if query.count {
            body.raw("\"@odata.count\":");
            body.number(rows.count() as u32);
            body.raw(",");
        }
        body.raw("\"value\":[");

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
            let before = body.len();
            if written > 0 {
                body.raw(",");
            }
            rows.write(number, body);
            if !body.has_room(tail) {
                body.truncate(before);
                if written == 0 {
                    return Err(Problem::AnswerTooLong);
                }
                break;
            }
            written = written.saturating_add(1);
            next = rows.next(number.saturating_add(1));
        }

        body.raw("]");
        if let Some(number) = next {
            body.raw(",\"@odata.nextLink\":\"");
            body.raw(origin);
            body.raw(request.path);
            body.raw("?");
            let mut rest = Some(request.query);
            while let Some(pair) = next_part(&mut rest, b'&') {
                if is_kept(pair) {
                    body.raw(pair);
                    body.raw("&");
                }
            }
            body.raw("$skiptoken=");
            body.number(number.into());
            body.raw("\"");
        }
        body.raw("}");
        Ok(())
    }
}
