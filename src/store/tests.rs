//! What no answer shows.

use uuid::Uuid;

use super::Store;

#[test]
fn every_table_is_seeded_also_those_that_come_later() {
    let [first, second] = [1, 2].map(Uuid::from_u128);
    let mut store: Store<2, 2, 4, 4> = Store::new();
    store.declare_configuration(first).unwrap();
    store.declare_script(first).unwrap();
    store.reseed(7);
    assert_eq!(store.configuration(&first).unwrap().tally().seeds(), [7; 2]);
    assert_eq!(store.script(&first).unwrap().tally().seeds(), [7; 2]);
    assert_eq!(store.declare_configuration(second).unwrap().tally().seeds(), [7; 2]);
    assert_eq!(store.declare_script(second).unwrap().tally().seeds(), [7; 2]);

    // One that has its own keeps it, however often the store is asked for it, until all is cleared.
    store.declare_configuration(first).unwrap().reseed(8);
    store.declare_script(first).unwrap().reseed(8);
    assert_eq!(store.declare_configuration(first).unwrap().tally().seeds(), [8; 2]);
    assert_eq!(store.declare_script(first).unwrap().tally().seeds(), [8; 2]);
    #[cfg(feature = "journal")]
    {
        store.clear();
        assert_eq!(store.declare_configuration(first).unwrap().tally().seeds(), [7; 2]);
    }
}
