//! Everything goes to other threads, and may be looked at from several.
#![cfg(all(feature = "alloc", feature = "graph", feature = "journal"))]

use runtally::http::{Reply, Request, Settings};
use runtally::journal::{self, Journal, Memory};
use runtally::shard::{DeviceShard, Full, Record, UserShard};
use runtally::snapshot::{Snapshot, SnapshotError, SnapshotReader};
use runtally::store::{Rollout, Store, StoreChange, StoreError};
use runtally::{
    Change, DateTimeError, DeviceHandle, Effect, Entry, Gate, Heap, Refusal, Tally, UserHandle,
    UserRow, Violation, graph,
};

#[path = "../examples/flash/mod.rs"]
#[allow(dead_code, unreachable_pub)]
mod flash;

type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;

const fn assert_send_and_sync<T: Send + Sync>() {}

const _: () = {
    assert_send_and_sync::<Tally<u16, String, 8, 8>>();
    assert_send_and_sync::<(Change<u16, String>, Entry<u16, String>, Effect, Refusal, Violation)>();
    assert_send_and_sync::<(DeviceHandle, UserHandle, UserRow<'_, u16>, Gate, DateTimeError)>();
    assert_send_and_sync::<(Snapshot<'_, Tally<u16, u16, 8, 8>>, SnapshotReader, SnapshotError)>();
    assert_send_and_sync::<Tally<u16, String, 8, 8, Heap>>();
    assert_send_and_sync::<(DeviceShard<u16, u16, 8>, DeviceShard<u16, String, 8, Heap>)>();
    assert_send_and_sync::<(UserShard<u16, u16, 8, 8>, UserShard<u16, String, 8, 8, Heap>)>();
    assert_send_and_sync::<(Record<u16, String>, Full)>();
    assert_send_and_sync::<(Store<1, 1, 8, 8>, Rollout<'_, 8, 8>, StoreChange<'_>, StoreError)>();
    assert_send_and_sync::<(Settings<'_>, Request<'_>, Reply<'_, '_>)>();
    assert_send_and_sync::<(graph::DeviceState, graph::UserState, graph::RunSummary)>();
    assert_send_and_sync::<(graph::ScriptDeviceState, graph::ScriptRunSummary, graph::Error)>();
    assert_send_and_sync::<Journal<'_, Flash, u16, u16, 8, 8>>();
    assert_send_and_sync::<(Memory<8, 8>, journal::Error<core::convert::Infallible>)>();
};
