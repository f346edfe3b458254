//! The queue of `sequential-storage`. When it is full, a push that begins a page erases the oldest;
//! so the rows that only the oldest page has are pushed again as soon as a page was begun.

use embassy_futures::block_on;
use sequential_storage::Error;
use sequential_storage::cache::{Cache, CacheImpl};
use sequential_storage::queue::{QueueConfig, QueueStorage};

use crate::power::PowerCut;
use crate::{DEVICES, Event, Flash, Rows, Session, Value};

/// Aligned, as the flash wants it, and with room for whole words.
#[repr(align(4))]
struct Item([u8; 32]);

/// An item with its head of 8 bytes, in words.
const ITEM_LEN: u32 = 24;

/// The most items of a page, which has a word at either end.
const PAGE_ITEMS: usize = (4096 - 2 * 4) / ITEM_LEN as usize;

struct Log<'f, C: CacheImpl<()>> {
    queue: QueueStorage<&'f mut Flash, C>,
    rows: Rows,
}

pub(crate) fn session(flash: &mut Flash, events: &[Event]) -> Session {
    let config = QueueConfig::new(flash.range());
    let queue = QueueStorage::new(flash, config, Cache::new_uncached());
    let mut log = Log { queue, rows: vec![None; DEVICES] };
    block_on(async {
        // The power may have gone before all were pushed again.
        if log.keep_oldest().await.is_err() {
            return Session::FAILED;
        }
        let rows = Some(log.rows.clone());
        for (done, event) in events.iter().enumerate() {
            if log.record(event).await.is_err() {
                return Session { rows, done };
            }
        }
        Session { rows, done: events.len() }
    })
}

impl<C: CacheImpl<()>> Log<'_, C> {
    async fn record(&mut self, event: &Event) -> Result<(), Error<PowerCut>> {
        if self.push(event.device.into(), event.value).await? {
            self.keep_oldest().await?;
        }
        Ok(())
    }

    /// Reads all items, then pushes the rows again that only the oldest page has.
    async fn keep_oldest(&mut self) -> Result<(), Error<PowerCut>> {
        let mut begun = true;
        while std::mem::take(&mut begun) {
            let mut only_there = [false; DEVICES];
            let mut item = Item([0; 32]);
            let mut items = self.queue.iter().await?;
            for number in 0.. {
                let Some(entry) = items.next(&mut item.0).await? else { break };
                if let Some(([low, high], value)) = entry.split_first_chunk() {
                    let device = usize::from(u16::from_le_bytes([*low, *high]));
                    self.rows[device] = value.try_into().ok();
                    only_there[device] = number < PAGE_ITEMS;
                }
            }
            for device in (0..DEVICES).filter(|&device| only_there[device]) {
                if let Some(value) = self.rows[device] {
                    begun |= self.push(device, value).await?;
                }
            }
        }
        Ok(())
    }

    /// True if a page was begun.
    async fn push(&mut self, device: usize, value: Value) -> Result<bool, Error<PowerCut>> {
        let mut item = Item([0; 32]);
        item.0[..2].copy_from_slice(&(device as u16).to_le_bytes());
        item.0[2..14].copy_from_slice(&value);
        let begins = self.queue.space_left().await? < ITEM_LEN;
        self.queue.push(&item.0[..14], true).await?;
        Ok(begins)
    }
}
