//! Ids: how they are read, and those that are derived, the same on every node and after every
//! restart, and kept nowhere.

use uuid::{Builder, Uuid};

use super::Upn;
use super::sha1::sha1;

/// The id of the summary of a configuration or script: a name-based UUID under its own id.
///
/// The name is empty, which no user's is.
///
/// Source: RFC 9562, section 5.5 (version 5).
///
/// ```
/// use runtally::graph::summary_id;
/// use runtally::uuid::{Uuid, uuid};
///
/// let configuration = uuid!("11111111-2222-3333-4444-555555555555");
/// assert_eq!(summary_id(&configuration), Uuid::new_v5(&configuration, b""));
/// ```
#[must_use]
pub fn summary_id(of: &Uuid) -> Uuid {
    named(of, "")
}

/// The id of a user's state in a configuration or script: a name-based UUID under its id, the name
/// being the UPN in [lower case](Upn::folded).
///
/// Source: RFC 9562, section 5.5 (version 5).
///
/// ```
/// use runtally::graph::user_state_id;
/// use runtally::uuid::uuid;
///
/// let configuration = uuid!("11111111-2222-3333-4444-555555555555");
/// let id = user_state_id(&configuration, &"Ada@example.com".parse()?);
/// assert_eq!(id, user_state_id(&configuration, &"ada@EXAMPLE.com".parse()?));
/// # Ok::<(), runtally::graph::Error>(())
/// ```
#[must_use]
pub fn user_state_id(of: &Uuid, user: &Upn) -> Uuid {
    named(of, user.as_str())
}

/// The UUID of a name, in lower case, under another.
fn named(space: &Uuid, name: &str) -> Uuid {
    let lower = name.bytes().map(|byte| byte.to_ascii_lowercase());
    let len = (name.len() as u32).saturating_add(16);
    let [a, b, c, d, _] = sha1(space.as_bytes().iter().copied().chain(lower), len);
    let [high, low] = [[a, b], [c, d]].map(|[high, low]| u64::from(high) << 32 | u64::from(low));
    Builder::from_sha1_bytes(Uuid::from_u64_pair(high, low).into_bytes()).into_uuid()
}

/// The GUID that a text of 36 characters is.
pub(crate) fn parse_guid(text: &str) -> Option<Uuid> {
    // Of the four spellings `Uuid` reads, this length leaves the hyphenated one.
    (text.len() == uuid::fmt::Hyphenated::LENGTH).then(|| Uuid::try_parse(text).ok())?
}
