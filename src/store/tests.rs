//! What no answer shows.

use uuid::Uuid;

use super::{RolloutId, Store};

#[test]
fn every_table_is_seeded_also_those_that_come_later() {
    let [first, second] = [1, 2].map(Uuid::from_u128);
    let mut store: Store<2, 2, 4, 4> = Store::new();
    let kinds = [RolloutId::configuration, RolloutId::script];
    let seeds = |store: &Store<2, 2, 4, 4>, id| store.get(id).unwrap().tally().seeds();
    for kind in kinds {
        assert_eq!(store.insert(kind(first)), Ok(true));
    }
    store.reseed(7);
    for kind in kinds {
        assert_eq!(seeds(&store, kind(first)), [7; 2]);
        assert_eq!(store.insert(kind(second)), Ok(true));
        assert_eq!(seeds(&store, kind(second)), [7; 2]);

        // One that has its own keeps it, until all is cleared.
        store.tally_mut(kind(first)).unwrap().reseed(8);
        assert_eq!(store.insert(kind(first)), Ok(false));
        assert_eq!(seeds(&store, kind(first)), [8; 2]);
    }
    store.clear();
    for kind in kinds {
        assert_eq!(store.insert(kind(first)), Ok(true));
        assert_eq!(seeds(&store, kind(first)), [7; 2]);
    }
}
