//! Ids that are derived, against the name-based UUIDs of the crate `uuid`.
#![cfg(feature = "graph")]

use runtally::graph::{Upn, summary_id, user_state_id};
use uuid::Uuid;

/// Names that end at every place of a block of the hash, and of the next one.
#[test]
fn an_id_is_the_name_based_uuid_of_the_name_in_lower_case() {
    for space in [Uuid::nil(), Uuid::max(), Uuid::from_u128(0x0123_4567_89ab_cdef)] {
        assert_eq!(summary_id(&space), Uuid::new_v5(&space, b""));
        for length in 1..=Upn::MAX_LEN {
            let name: String = "Ada@Example.com".chars().cycle().take(length).collect();
            let upn: Upn = name.parse().expect("not too long");
            let lower = name.to_ascii_lowercase();
            assert_eq!(user_state_id(&space, &upn), Uuid::new_v5(&space, lower.as_bytes()));
        }
    }
}

#[test]
fn only_ascii_letters_are_folded() {
    let upn: Upn = "ÄNNE@x.org".parse().expect("a name");
    let id = user_state_id(&Uuid::nil(), &upn);
    assert_eq!(id, Uuid::new_v5(&Uuid::nil(), "Änne@x.org".as_bytes()));
}
