"""The audit finds nothing where nothing is wrong, and names the device where something is."""

import json
import threading
import uuid
from datetime import datetime, timezone

import recount
import wire
from processes import CONFIGURATION, Fleet, Nats
from traffic import device_id, events

PARTITIONS, SHARDS = 4, 16


def tamper(fleet, number: int, upn: str, state: str, at: datetime):
    """A record that no device sent, straight to the shard of a user."""
    user = recount.user_id(CONFIGURATION, upn)
    shard = wire.partition(uuid.UUID(user).bytes, SHARDS)
    written = wire.record(device_id(number), user, state, at)
    payload = wire.message(CONFIGURATION, shard, upn, written)
    subject = f"runtally.users.{shard * PARTITIONS // SHARDS}"
    assert b'"seq"' in Nats(fleet.servers[0]).ask(subject, payload)


def test_what_was_tampered_with_is_named(tmp_path):
    with Fleet(tmp_path, PARTITIONS, SHARDS) as fleet:
        fleet.worker()
        fleet.worker()
        fleet.ingest(events(300, 1_500))
        fleet.drain()
        clean = fleet.run("audit")
        assert clean.returncode == 0 and "0 differences" in clean.stdout, clean.stdout + clean.stderr
        assert int(clean.stdout.split()[0]) > 200
        at = datetime(2036, 1, 2, tzinfo=timezone.utc)
        tamper(fleet, 3, "user5@example.com", "scriptError", at)
        fleet.drain()
        found = fleet.run("audit")
        assert found.returncode == 1
        lines = [line for line in found.stdout.splitlines() if line.startswith("device ")]
        assert lines and all(device_id(3) in line for line in lines), found.stdout
        assert "scriptError at 2036-01-02T00:00:00Z" in found.stdout


def test_nothing_differs_while_devices_report(tmp_path):
    with Fleet(tmp_path, PARTITIONS, SHARDS) as fleet:
        fleet.worker()
        sent = events(500, 20_000)
        fleet.ingest(sent[:2_000])

        def report():
            for at in range(2_000, len(sent), 1_000):
                fleet.ingest(sent[at : at + 1_000])

        feed = threading.Thread(target=report)
        feed.start()
        while feed.is_alive():
            audit = fleet.run("audit")
            assert audit.returncode == 0, audit.stdout + audit.stderr
        feed.join()
        fleet.drain()


def test_a_device_in_the_log_written_by_hand_is_counted(tmp_path):
    """The format is what its documentation says."""
    with Fleet(tmp_path, PARTITIONS, SHARDS) as fleet:
        fleet.worker()
        gateway = fleet.gateway()
        device, user = device_id(1), recount.user_id(CONFIGURATION, "Ada@example.com")
        shard = wire.partition(uuid.UUID(device).bytes, SHARDS)
        at = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=timezone.utc)
        payload = wire.message(
            CONFIGURATION, shard, "Ada@example.com", wire.record(device, user, "fail", at)
        )
        subject = f"runtally.devices.{shard * PARTITIONS // SHARDS}"
        assert b'"seq"' in Nats(fleet.servers[0]).ask(subject, payload)
        fleet.drain()
        status, row = gateway.get(f"deviceRunStates/{device}")
        assert status == 200
        assert (row["upn"], row["configurationState"]) == ("ada@example.com", "fail")
        assert row["lastStateUpdateDateTime"] == "2026-11-21T09:30:00.123456Z"


def test_what_is_no_message_stops_its_partition_until_it_is_removed(tmp_path):
    with Fleet(tmp_path, PARTITIONS, SHARDS) as fleet:
        first = fleet.worker()
        sent = events(100, 400)
        fleet.ingest(sent[:200])
        fleet.drain()
        told = json.loads(Nats(fleet.servers[0]).ask("runtally.devices.2", b"\x07nonsense"))
        fleet.ingest(sent[200:])
        status = fleet.run("status", "--wait", 3)
        assert status.returncode == 1
        assert f"message {told['seq']}: the message is not one of this program's format" in status.stdout
        delete = f"STREAM.MSG.DELETE.{told['stream']}"
        assert Nats(fleet.servers[0]).api(delete, {"seq": told["seq"]})["success"]
        first.terminate()
        assert first.wait(30) == 0
        fleet.worker()
        fleet.drain()
        differences = recount.differences(
            recount.summary(CONFIGURATION, sent), fleet.gateway().summary()
        )
        assert not differences
