"""Every failure ends with the counts of an independent recount, exactly."""

import os
import signal
import threading

import pytest

import recount
from processes import CONFIGURATION, Fleet, until
from traffic import events

#: RUNTALLY_FLEET_EVENTS=1000000 makes the same tests large.
EVENTS = int(os.environ.get("RUNTALLY_FLEET_EVENTS", 20_000))
DEVICES = max(10, EVENTS // 10)


def exact(fleet, sent):
    """Drained, the gateway tells what a recount of all that was sent does."""
    table = fleet.drain()
    differences = recount.differences(
        recount.summary(CONFIGURATION, sent), fleet.gateway().summary()
    )
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
