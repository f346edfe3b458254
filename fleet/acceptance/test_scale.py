"""`fleet/scale`, small: the large one is the same."""

import os
import subprocess
import sys

from processes import BINARY, ROOT


def test_a_fleet_of_any_size_is_counted_exactly():
    command = [sys.executable, ROOT / "fleet/scale", "--no-build", "--devices", "20000", "--snapshot-every", "2"]
    environment = {**os.environ, "RUNTALLY_FLEET": str(BINARY)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kill -9 of a worker" in done.stderr
    assert done.stdout.endswith("exactly the recount of 60,000 events\n")
