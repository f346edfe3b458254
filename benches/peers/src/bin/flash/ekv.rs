//! `ekv`, with a transaction for each event.

use std::convert::Infallible;
use std::future::pending;

use ekv::flash::PageID;
use ekv::{Config, Database};
use embassy_futures::poll_once;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};

use crate::power::PowerCut;
use crate::{DEVICES, Event, Flash, Rows, Session};

pub(crate) fn session(flash: &mut Flash, events: &[Event]) -> Session {
    let is_new = flash.erases.iter().all(|&erases| erases == 0);
    let database = Database::<_, NoopRawMutex>::new(Pages(flash), Config::default());
    let mut session = Session::FAILED;
    // Pending once the power is off: it panics on some errors of the flash.
    let _ = poll_once(async {
        if is_new {
            database.format().await.expect("nothing goes wrong yet");
        }
        session.rows = rows(&database).await;
        if session.rows.is_none() {
            return;
        }
        for event in events {
            // Keys are in the order of their bytes.
            let key = event.device.to_be_bytes();
            let mut transaction = database.write_transaction().await;
            let written = transaction.write(&key, &event.value).await;
            if written.is_err() || transaction.commit().await.is_err() {
                return;
            }
            session.done += 1;
        }
    });
    session
}

async fn rows(database: &Database<Pages<'_>, NoopRawMutex>) -> Option<Rows> {
    database.mount().await.ok()?;
    let mut rows = vec![None; DEVICES];
    let transaction = database.read_transaction().await;
    let mut cursor = transaction.read_all().await.ok()?;
    let (mut key, mut value) = ([0; 2], [0; 12]);
    while cursor.next(&mut key, &mut value).await.ok()?.is_some() {
        rows[usize::from(u16::from_be_bytes(key))] = Some(value);
    }
    Some(rows)
}

struct Pages<'f>(&'f mut Flash);

fn offset(page: PageID, offset: usize) -> u32 {
    (page.index() * 4096 + offset) as u32
}

async fn or_off(result: Result<(), PowerCut>) -> Result<(), Infallible> {
    match result {
        Ok(()) => Ok(()),
        Err(PowerCut) => pending().await,
    }
}

impl ekv::flash::Flash for Pages<'_> {
    type Error = Infallible;

    fn page_count(&self) -> usize {
        self.0.erases.len()
    }

    async fn erase(&mut self, page: PageID) -> Result<(), Infallible> {
        or_off(self.0.erase(offset(page, 0), offset(page, 4096)).await).await
    }

    async fn read(&mut self, page: PageID, at: usize, bytes: &mut [u8]) -> Result<(), Infallible> {
        or_off(self.0.read(offset(page, at), bytes).await).await
    }

    async fn write(&mut self, page: PageID, at: usize, bytes: &[u8]) -> Result<(), Infallible> {
        or_off(self.0.write(offset(page, at), bytes).await).await
    }
}
