//! Links to next pages: they lead on in the process they are from, and are refused by any other.
//!
//! The library's links hold the number of a row. Rows that were read from a database may have other
//! numbers than before, so a link from before a restart would skip rows or repeat them.

use std::borrow::Cow;

/// What the links of this process end with.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    epoch: String,
}

/// The link is not from this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stale;

const LINK: &[u8] = b",\"@odata.nextLink\":\"";

/// More bytes than a link has: it is an origin, a path and a query of a request's head.
const LONGEST: usize = 20 * 1024;

impl Pages {
    pub(crate) fn new() -> Self {
        // Two processes that share one are a restart in four thousand million.
        let epoch = getrandom::u32().unwrap_or_else(|_| std::process::id());
        Self { epoch: format!(".{epoch:08x}") }
    }

    /// Ends the link in this answer with the epoch, if there is one.
    pub(crate) fn with_epoch<'b>(&self, body: &'b [u8]) -> Cow<'b, [u8]> {
        // It is the last property of a list, and no text has a bare quote in it.
        let end = body.len().saturating_sub(LONGEST);
        let from = body[end..].windows(LINK.len()).rposition(|window| window == LINK);
        let Some((rest, link)) = from.map(|at| body.split_at(end + at + LINK.len())) else {
            return Cow::Borrowed(body);
        };
        match link.strip_suffix(b"\"}") {
            Some(link) if !link.contains(&b'"') => {
                Cow::Owned([rest, link, self.epoch.as_bytes(), b"\"}"].concat())
            }
            _ => Cow::Borrowed(body),
        }
    }

    /// The query as the library knows it.
    ///
    /// # Errors
    ///
    /// [`Stale`] if it has the token of a link of another process.
    pub(crate) fn without_epoch<'q>(&self, query: &'q str) -> Result<Cow<'q, str>, Stale> {
        let is_token = |pair: &str| {
            let name = decoded(pair.split_once('=').map_or(pair, |(name, _)| name));
            name.strip_prefix(b"$").unwrap_or(&name).eq_ignore_ascii_case(b"skiptoken")
        };
        if !query.split('&').any(is_token) {
            return Ok(Cow::Borrowed(query));
        }
        let pairs = query.split('&').map(|pair| {
            if is_token(pair) {
                pair.strip_suffix(self.epoch.as_str()).ok_or(Stale)
            } else {
                Ok(pair)
            }
        });
        Ok(Cow::Owned(pairs.collect::<Result<Vec<_>, _>>()?.join("&")))
    }
}

/// What a name says, however much of it is percent-encoded.
fn decoded(name: &str) -> Vec<u8> {
    let mut rest = name.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        let byte = (*first == b'%').then(|| str::from_utf8(after.get(..2)?).ok()).flatten();
        if let Some(byte) = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            decoded.push(byte);
            rest = &after[2..];
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_on_in_its_own_process_only() {
        let (own, other) = (Pages { epoch: ".1".to_owned() }, Pages { epoch: ".2".to_owned() });
        let body =
            br#"{"value":[{"a":"$skiptoken=3"}],"@odata.nextLink":"/x?$top=2&$skiptoken=7"}"#;
        let link = own.with_epoch(body);
        assert!(link.ends_with(br#"/x?$top=2&$skiptoken=7.1"}"#));
        for query in [
            "$top=2&$skiptoken=7.1",
            "$top=2&%24skiptoken=7.1",
            "SkipToken=7.1",
            "%24%73kip%54oken=7.1",
        ] {
            assert_eq!(
                own.without_epoch(query).expect("its own"),
                query.strip_suffix(".1").expect("it")
            );
            assert_eq!(other.without_epoch(query), Err(Stale));
        }
        for query in ["$skiptoken=7", "$skip%74oken=7", "%24%53KIPTOKEN=7", "skiptoken"] {
            assert_eq!(own.without_epoch(query), Err(Stale), "{query}");
        }
        for query in ["%", "%2", "%24skiptokens=7", "%24%2473kiptoken=7", "%é=7", "$skip=7"] {
            assert_eq!(own.without_epoch(query), Ok(Cow::Borrowed(query)));
        }
        assert_eq!(
            own.without_epoch("$top=2&a=$skiptoken"),
            Ok(Cow::Borrowed("$top=2&a=$skiptoken"))
        );
    }

    #[test]
    fn what_is_no_link_stays_as_it_is() {
        let own = Pages { epoch: ".1".to_owned() };
        for body in [
            &br#"{"value":[]}"#[..],
            br#"{"name":",\"@odata.nextLink\":\"/x?$skiptoken=7"}"#,
            br#"{"name":"$skiptoken=7"}"#,
            b"7",
            b"",
        ] {
            assert_eq!(own.with_epoch(body), Cow::Borrowed(body));
        }
    }
}
