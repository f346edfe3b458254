//! The options of a list that the shards are asked by. Whether they are well formed is the library's
//! to say, which has seen the query before.

use uuid::Uuid;

use crate::ask::Cursor;

/// What the query of a list asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) top: Option<usize>,
    pub(crate) skip: usize,
    pub(crate) count: bool,
    pub(crate) from: Cursor,
    /// What the library has to know.
    pub(crate) kept: String,
    /// What the link to the next page repeats.
    repeated: String,
}

/// An option of a query, if it is one of these.
fn option(pair: &str) -> Option<(&'static str, &str)> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let name = name.replace("%24", "$");
    let name = name.strip_prefix('$').unwrap_or(&name);
    let known = ["top", "skip", "count", "skiptoken"];
    let known = known.into_iter().find(|known| known.eq_ignore_ascii_case(name))?;
    Some((known, value))
}

/// The query as the library knows it: links of a gateway hold a cursor, and the library's a number.
pub(crate) fn with_number(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match option(pair) {
        Some(("skiptoken", value)) if cursor(value).is_some() => "$skiptoken=0",
        _ => pair,
    });
    pairs.collect::<Vec<_>>().join("&")
}

impl Query {
    /// None if it goes on from no page of a gateway.
    pub(crate) fn parse(query: &str) -> Option<Self> {
        let mut parsed = Self::default();
        let (mut kept, mut repeated) = (Vec::new(), Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match option(pair) {
                Some(("top", value)) => parsed.top = value.parse().ok(),
                Some(("skip", value)) => parsed.skip = value.parse().unwrap_or(0),
                Some(("count", value)) => parsed.count = value.eq_ignore_ascii_case("true"),
                Some((_, value)) => parsed.from = cursor(value)?,
                None => kept.push(pair),
            }
            if !matches!(option(pair), Some(("skip" | "skiptoken", _))) {
                repeated.push(pair);
            }
        }
        parsed.kept = kept.join("&");
        parsed.repeated = repeated.join("&");
        Some(parsed)
    }

    /// The query of the next page.
    pub(crate) fn link(&self, Cursor { shard, after }: Cursor) -> String {
        let and = if self.repeated.is_empty() { "" } else { "&" };
        let after = after.unwrap_or_default().simple();
        format!("{}{and}$skiptoken={shard:04x}{after}", self.repeated)
    }
}

fn cursor(token: &str) -> Option<Cursor> {
    let (shard, after) = token.split_at_checked(4)?;
    let shard = u16::from_str_radix(shard, 16).ok()?;
    Some(Cursor { shard, after: Some(Uuid::try_parse(after).ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_on() {
        let query = Query::parse("$top=2&$select=id&%24skip=3&$count=true").expect("a query");
        assert_eq!((query.top, query.skip, query.count), (Some(2), 3, true));
        assert_eq!(query.kept, "$select=id");
        let next = Cursor { shard: 300, after: Some(Uuid::from_u128(7)) };
        let link = query.link(next);
        assert_eq!(
            link,
            "$top=2&$select=id&$count=true&$skiptoken=012c00000000000000000000000000000007"
        );
        let query = Query::parse(&link).expect("a link");
        assert_eq!((query.from, query.skip), (next, 0));
        assert_eq!(with_number(&link), "$top=2&$select=id&$count=true&$skiptoken=0");
        assert_eq!(Query::parse("$skiptoken=7"), None);
    }
}
