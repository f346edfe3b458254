//! The map of `sequential-storage`, which rolls over by itself.

use embassy_futures::block_on;
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};

use crate::{DEVICES, Event, Flash, Session, Value};

/// Aligned, as the flash wants it.
#[repr(align(4))]
struct Buffer([u8; 32]);

pub(crate) fn session(flash: &mut Flash, events: &[Event]) -> Session {
    let config = MapConfig::new(flash.range());
    let mut map = MapStorage::<u16, _, _>::new(flash, config, Cache::new_uncached());
    let Buffer(buffer) = &mut Buffer([0; 32]);
    block_on(async {
        let mut rows = vec![None; DEVICES];
        let Ok(mut items) = map.fetch_all_items(buffer).await else { return Session::FAILED };
        loop {
            match items.next::<Value>(buffer).await {
                Ok(Some((device, value))) => rows[usize::from(device)] = Some(value),
                Ok(None) => break,
                Err(_) => return Session::FAILED,
            }
        }
        let rows = Some(rows);
        for (done, event) in events.iter().enumerate() {
            if map.store_item(buffer, &event.device, &event.value).await.is_err() {
                return Session { rows, done };
            }
        }
        Session { rows, done: events.len() }
    })
}
