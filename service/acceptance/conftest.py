"""The service, started for one test each at a port of its own."""

import json
import os
import pathlib
import subprocess
import urllib.request
import uuid

import pytest

BINARY = os.environ.get("RUNTALLY_SERVICE") or str(
    pathlib.Path(__file__).parents[2] / "target" / "debug" / "runtally-service"
)


class Service:
    """A running service with one configuration and one script."""

    read_token = "reading-token"
    write_token = "writing-token"

    def __init__(self, *arguments, rollouts=True):
        self.configuration = str(uuid.uuid4())
        self.script = str(uuid.uuid4())
        known = ["--configuration", self.configuration, "--script", self.script]
        self.process = subprocess.Popen(
            [
                BINARY,
                *["--listen", "127.0.0.1:0", "--log", "warn"],
                *(known if rollouts else []),
                *arguments,
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "RUNTALLY_READ_TOKEN": self.read_token,
                "RUNTALLY_WRITE_TOKEN": self.write_token,
            },
        )
        first = self.process.stdout.readline().strip()
        self.origin = first.removeprefix("listening on ")
        assert self.origin.startswith("http://"), first

    def ask(self, method, path, body=None):
        """A request with the writing token; gives what the body says."""
        request = urllib.request.Request(
            f"{self.origin}/beta/deviceManagement/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.write_token}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            text = response.read()
        return json.loads(text) if text else None

    def report(self, device, upn, state, at="2026-11-21T09:30:00Z"):
        """One event of the configuration."""
        self.ask(
            "POST",
            f"hardwareConfigurations/{self.configuration}/deviceRunStates",
            {
                "id": str(uuid.UUID(int=device)),
                "upn": upn,
                "configurationState": state,
                "lastStateUpdateDateTime": at,
            },
        )

    def summary(self):
        body = self.ask("GET", f"hardwareConfigurations/{self.configuration}/runSummary")
        return body.get("value", body)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0


@pytest.fixture
def service():
    it = Service()
    yield it
    it.stop()


@pytest.fixture
def bare_service():
    it = Service("--bare")
    yield it
    it.stop()
