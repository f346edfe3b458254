"""Every failure ends with the counts of an independent recount, exactly."""

import http.client
import os
import signal
import threading
import urllib.request

import pytest

import recount
from processes import CONFIGURATION, Fleet, Nats, until
from traffic import events

#: RUNTALLY_FLEET_EVENTS=1000000 makes the same tests large.
EVENTS = int(os.environ.get("RUNTALLY_FLEET_EVENTS", 20_000))
DEVICES = max(10, EVENTS // 10)
POST = f"/deviceManagement/hardwareConfigurations/{CONFIGURATION}/deviceRunStates"


def exact(fleet, sent):
    """Drained, the gateway tells what a recount of all that was sent does."""
    table = fleet.drain()
    told = fleet.gateway().summary(table)
    differences = recount.differences(recount.summary(CONFIGURATION, sent), told)
    assert not differences, "\n".join(differences) + "\n" + table


class Feed(threading.Thread):
    """Puts events on the log a piece at a time, so that failures come in between."""

    def __init__(self, fleet, sent, pieces=20):
        super().__init__(daemon=True)
        self.fleet, self.sent, self.pieces = fleet, sent, pieces
        self.done, self.failure = 0, None
        self.start()

    def run(self):
        size = -(-len(self.sent) // self.pieces)
        try:
            for at in range(0, len(self.sent), size):
                self.fleet.ingest(self.sent[at : at + size])
                self.done += 1
        except BaseException as failure:
            self.failure = failure

    def reaches(self, part: float):
        until(300, f"{part} of the events are sent", lambda: self.failure or self.done >= self.pieces * part)
        if self.failure:
            raise self.failure

    def finish(self):
        self.join(300)
        if self.failure:
            raise self.failure
        assert not self.is_alive()


def test_nothing_fails(tmp_path):
    with Fleet(tmp_path) as fleet:
        fleet.worker()
        sent = events(DEVICES, EVENTS)
        fleet.ingest(sent)
        exact(fleet, sent)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    "point",
    ["after-apply", "after-publish", "after-acknowledgement", "after-object", "after-swap"],
)
def test_a_worker_is_killed(tmp_path, point, count):
    with Fleet(tmp_path) as fleet:
        dies = fleet.worker(RUNTALLY_FLEET_CRASH=f"{point}:{count}")
        sent = events(DEVICES, EVENTS)
        feed = Feed(fleet, sent)
        until(60, f"the worker ends {point}", lambda: dies.poll() is not None)
        assert dies.returncode == -signal.SIGABRT
        fleet.worker()
        feed.finish()
        exact(fleet, sent)


def test_a_worker_is_killed_before_its_first_snapshot(tmp_path):
    with Fleet(tmp_path) as fleet:
        dies = fleet.worker(snapshot_every=3600)
        sent = events(DEVICES, EVENTS)
        fleet.ingest(sent)
        fleet.drain()
        dies.kill()
        fleet.worker()
        exact(fleet, sent)


def test_a_worker_pauses_past_its_lease_and_comes_back(tmp_path):
    with Fleet(tmp_path) as fleet:
        workers = [fleet.worker(), fleet.worker()]
        sent = events(DEVICES, EVENTS)
        feed = Feed(fleet, sent)
        feed.reaches(0.2)
        workers[0].send_signal(signal.SIGSTOP)
        until(60, "the other has taken all over", lambda: len(shares(fleet)) == 1)
        feed.reaches(0.6)
        # It goes on where it was, with what it had not sent yet.
        workers[0].send_signal(signal.SIGCONT)
        feed.finish()
        exact(fleet, sent)


def test_the_broker_is_killed_and_comes_back(tmp_path):
    with Fleet(tmp_path) as fleet:
        fleet.worker()
        fleet.worker()
        sent = events(DEVICES, EVENTS)
        feed = Feed(fleet, sent)
        for part in (0.2, 0.5, 0.8):
            feed.reaches(part)
            fleet.servers[0].kill()
            fleet.servers[0].start()
        feed.finish()
        exact(fleet, sent)


def test_one_of_three_brokers_is_lost(tmp_path):
    with Fleet(tmp_path, servers=3, replicas=3, partitions=2) as fleet:
        fleet.worker()
        fleet.worker()
        sent = events(DEVICES, EVENTS)
        feed = Feed(fleet, sent)
        feed.reaches(0.3)
        fleet.servers[0].kill()
        feed.finish()
        exact(fleet, sent)


def test_workers_come_and_go(tmp_path):
    with Fleet(tmp_path, partitions=8, virtual_shards=32) as fleet:
        workers = [fleet.worker() for _ in range(3)]
        sent = events(DEVICES, EVENTS)
        feed = Feed(fleet, sent)
        feed.reaches(0.2)
        workers += [fleet.worker() for _ in range(2)]
        # Sixteen partitions, eight of each stage.
        until(60, "five workers share the partitions", lambda: are_shared(fleet, 5, 4))
        feed.reaches(0.6)
        for worker in workers[:2]:
            worker.terminate()
            assert worker.wait(30) == 0
        until(60, "three workers share the partitions", lambda: are_shared(fleet, 3, 6))
        feed.finish()
        exact(fleet, sent)


def test_a_gateway_is_killed_and_its_clients_repeat(tmp_path):
    with Fleet(tmp_path) as fleet:
        fleet.worker()
        gateways = [fleet.gateway()]
        sent = events(max(10, DEVICES // 10), EVENTS // 10)
        done, failures = [], []

        def report(mine):
            try:
                for event in mine:
                    while not posted(gateways[-1], event):
                        pass
                    done.append(event)
            except BaseException as failure:
                failures.append(failure)

        clients = [threading.Thread(target=report, args=(sent[at::8],)) for at in range(8)]
        for client in clients:
            client.start()
        for part in (0.3, 0.6):
            until(200, f"{part} are sent", lambda: failures or len(done) >= part * len(sent))
            gateways[-1].process.kill()
            gateways.append(fleet.gateway())
        for client in clients:
            client.join(200)
        assert not failures and len(done) == len(sent)
        exact(fleet, sent)


def test_the_log_is_trimmed_to_the_oldest_snapshot(tmp_path):
    with Fleet(tmp_path) as fleet:
        first = fleet.worker()
        sent = events(DEVICES, EVENTS)
        half = len(sent) // 2
        fleet.ingest(sent[:half])
        fleet.drain()
        first.terminate()
        assert first.wait(30) == 0
        # What its last snapshots hold is gone from the log, but for the message they end with.
        assert sum(fleet.stored().values()) <= 8, fleet.stored()
        fleet.ingest(sent[half:])
        second = fleet.worker()
        fleet.drain()
        second.kill()
        fleet.worker()
        exact(fleet, sent)


def test_no_snapshot_is_taken_before_the_log_has_what_follows(tmp_path):
    with Fleet(tmp_path) as fleet:
        # Nothing that is sent to stage 2 is acknowledged.
        removed = [fleet.remove(stream) for stream in fleet.stored() if "users" in stream]
        dies = fleet.worker()
        sent = events(DEVICES, EVENTS)
        fleet.ingest(sent)
        with pytest.raises(AssertionError, match="not within"):
            until(5, "a snapshot is taken", lambda: fleet.snapshots("devices"))
        dies.kill()
        for config in removed:
            fleet.make(config)
        fleet.worker()
        exact(fleet, sent)
        until(20, "snapshots are taken", lambda: fleet.snapshots("devices") == 4)


def test_what_the_broker_lost_of_the_log_is_noticed(tmp_path):
    """A log that ends before the snapshot, and goes on under the same numbers."""
    with Fleet(tmp_path) as fleet:
        first = fleet.worker()
        sent = events(DEVICES, EVENTS)
        half = len(sent) // 2
        fleet.ingest(sent[:half])
        fleet.drain()
        first.terminate()
        first.wait(30)
        for stream in fleet.stored():
            fleet.make(fleet.remove(stream))
        fleet.ingest(sent[half:])
        fleet.worker()
        exact(fleet, sent)


def test_a_worker_that_was_away_removes_nothing_of_a_log_made_anew(tmp_path):
    """It has a snapshot to take, and the log has other messages under the numbers it has read."""
    with Fleet(tmp_path) as fleet:
        worker = fleet.worker(snapshot_every=1)
        sent = events(DEVICES, EVENTS)
        pieces = [sent[at : at + EVENTS // 20] for at in range(0, len(sent), EVENTS // 20)]
        for piece in pieces[:15]:
            fleet.ingest(piece)
        fleet.drain()
        worker.send_signal(signal.SIGSTOP)
        for stream in fleet.stored():
            if "devices" in stream:
                fleet.make(fleet.remove(stream))
        for piece in pieces[15:]:
            fleet.ingest(piece)
        worker.send_signal(signal.SIGCONT)
        exact(fleet, sent)


def test_every_partition_has_its_turn_to_take_a_snapshot(tmp_path):
    """Though events never cease, and there is always one that waits."""
    with Fleet(tmp_path, partitions=8, virtual_shards=32) as fleet:
        worker = fleet.worker("--metrics", "127.0.0.1:0", snapshot_every=1)
        sent = events(DEVICES, EVENTS * 2)
        feed = Feed(fleet, sent, pieces=400)
        address = worker.metrics.split()[-1]

        def without():
            with urllib.request.urlopen(address) as told:
                lines = [line for line in told if line.startswith(b"runtally_fleet_snapshots_total{")]
            return len(lines) < 16 or any(line.split()[-1] == b"0" for line in lines)

        until(60, "all sixteen have a snapshot", lambda: feed.failure or not without())
        assert feed.is_alive(), "events ceased before"
        feed.finish()
        exact(fleet, sent)


def test_a_log_that_begins_after_the_snapshot_is_told(tmp_path):
    with Fleet(tmp_path) as fleet:
        sent = events(DEVICES, EVENTS)
        fleet.ingest(sent)
        assert Nats(fleet.servers[0]).api("STREAM.PURGE.runtally-devices-1", {"seq": 3})["success"]
        fleet.worker()
        told = fleet.run("status", "--wait", 5)
        assert told.returncode == 1
        line = next(line for line in told.stdout.splitlines() if line.startswith("devices.1 "))
        assert "the log begins at 3, and the snapshot ends at 0: what lies between is lost" in line
        assert "drained" in next(it for it in told.stdout.splitlines() if it.startswith("devices.2 "))


def shares(fleet) -> dict:
    """How many partitions each worker has."""
    found = {}
    for line in fleet.run("status").stdout.splitlines()[1:]:
        worker = line.split()[1]
        found[worker] = found.get(worker, 0) + 1
    return {} if "-" in found else found


def are_shared(fleet, workers: int, most: int) -> bool:
    """Whether so many workers have partitions, and none has more than so many."""
    found = shares(fleet)
    return len(found) == workers and max(found.values()) <= most


def posted(gateway, event) -> bool:
    try:
        status, _, body = gateway.ask("POST", POST, event)
    except OSError:
        return False
    except http.client.HTTPException:
        return False
    assert status in (201, 503), body
    return status == 201
