"""Server, workers and gateways as processes of a test."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import installed

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("RUNTALLY_FLEET", ROOT / "target/debug/runtally-fleet"))
CONFIGURATION = "4a1e0c52-6f0b-4d6e-8f43-0f1d4c7b9a10"
READ, WRITE = "reading-token", "writing-token"
ENVIRONMENT = {**os.environ, "RUNTALLY_READ_TOKEN": READ, "RUNTALLY_WRITE_TOKEN": WRITE}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(seconds: float, what: str, look):
    """Waits for something true, and gives it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def seconds(pid: int) -> float:
    """The processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """The bytes of memory that a process has."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


class Server:
    """One nats-server, or one of a cluster."""

    def __init__(self, folder: Path, cluster: tuple[int, list[int]] | None = None, name="one", lines=None):
        self.folder, self.port, self.name = folder, free_port(), name
        folder.mkdir(parents=True, exist_ok=True)
        config = [
            f'server_name: "{name}"',
            f'listen: "127.0.0.1:{self.port}"',
        ]
        # What is acknowledged is on the disk.
        config += lines or [f'jetstream {{ store_dir: "{folder}/jetstream", sync_interval: always }}']
        if cluster:
            own, all_ports = cluster
            routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in all_ports)
            config.append(
                f'cluster {{ name: "fleet", listen: "127.0.0.1:{own}", routes: [{routes}] }}'
            )
        (folder / "server.conf").write_text("\n".join(config) + "\n")
        self.start()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self):
        log = open(self.folder / "log", "ab")
        command = [installed.server(), "-c", str(self.folder / "server.conf")]
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(20, "the server listens", self.listens)

    def listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Nats:
    """As much of a client as the tests need: publish, and ask."""

    def __init__(self, server: Server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        self.lines = self.socket.makefile("rb")
        self.lines.readline()
        self.socket.sendall(b'CONNECT {"verbose":false}\r\nSUB answers.* 1\r\n')

    def publish(self, subject: str, payload: bytes, reply: str = ""):
        head = f"PUB {subject} {reply} {len(payload)}\r\n".replace("  ", " ")
        self.socket.sendall(head.encode() + payload + b"\r\n")

    def ask(self, subject: str, payload: bytes) -> bytes:
        self.publish(subject, payload, "answers.x")
        while True:
            words = self.lines.readline().split()
            if words and words[0] == b"MSG":
                return self.lines.read(int(words[-1]) + 2)[:-2]
            if words and words[0] == b"PING":
                self.socket.sendall(b"PONG\r\n")

    def api(self, name: str, request: dict) -> dict:
        return json.loads(self.ask(f"$JS.API.{name}", json.dumps(request).encode()))


class Fleet:
    """A fleet on one server or several; `with` ends all its processes."""

    def __init__(self, folder: Path, partitions=4, virtual_shards=16, servers=1, lease=2, replicas=1):
        self.folder, self.children, self.logs = folder, [], 0
        if servers == 1:
            self.servers = [Server(folder / "server")]
        else:
            ports = [free_port() for _ in range(servers)]
            self.servers = [
                Server(folder / f"server{index}", (port, ports), name=f"n{index}")
                for index, port in enumerate(ports)
            ]
        options = ["--partitions", partitions, "--virtual-shards", virtual_shards]
        options += ["--lease", lease, "--replicas", replicas]
        # A cluster elects its leader first.
        until(60, "init succeeds", lambda: self.run("init", *options).returncode == 0)

    @property
    def url(self) -> str:
        return ",".join(server.url for server in self.servers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.kill()
        for child in self.children:
            child.wait()
        for server in self.servers:
            server.kill()

    def run(self, command: str, *options, text: str | None = None, timeout=400):
        arguments = [str(BINARY), command, "--nats", self.url, *map(str, options)]
        return subprocess.run(
            arguments, input=text, capture_output=True, text=True, timeout=timeout, env=ENVIRONMENT
        )

    def spawn(self, command: str, *options, **environment) -> subprocess.Popen:
        arguments = [str(BINARY), command, "--nats", self.url, *map(str, options)]
        self.logs += 1
        log = open(self.folder / f"{command}{self.logs}.log", "ab")
        child = subprocess.Popen(
            arguments,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**ENVIRONMENT, **environment},
        )
        self.children.append(child)
        return child

    def worker(self, *options, snapshot_every=1, **environment) -> subprocess.Popen:
        options = ["--snapshot-every", snapshot_every, "--log", "info", *options]
        child = self.spawn("worker", *options, **environment)
        child.metrics = child.stdout.readline() if "--metrics" in options else ""
        child.stdout.readline()
        return child

    def gateway(self, *options) -> "Gateway":
        options = ["--listen", "127.0.0.1:0", "--configuration", CONFIGURATION, *options]
        return Gateway(self.spawn("gateway", *options))

    def stored(self) -> dict:
        """How many messages the streams of all partitions hold."""
        told = Nats(self.servers[0]).api("STREAM.LIST", {})
        streams = {it["config"]["name"]: it["state"]["messages"] for it in told["streams"]}
        return {
            name: number
            for name, number in streams.items()
            if name.startswith(("runtally-devices-", "runtally-users-"))
        }

    def remove(self, stream: str) -> dict:
        """Removes a stream and what it holds; gives what it takes to make it again."""
        nats = Nats(self.servers[0])
        config = nats.api(f"STREAM.INFO.{stream}", {})["config"]
        assert nats.api(f"STREAM.DELETE.{stream}", {})["success"]
        return config

    def make(self, config: dict):
        """Makes a stream; its numbers begin at one."""
        assert Nats(self.servers[0]).api(f"STREAM.CREATE.{config['name']}", config)["config"]

    def snapshots(self, stage: str) -> int:
        """How many partitions of a stage have a snapshot."""
        subjects = {"subjects_filter": f"$KV.runtally-snapshots.{stage}.>"}
        told = Nats(self.servers[0]).api("STREAM.INFO.KV_runtally-snapshots", subjects)
        return len(told["state"].get("subjects") or {})

    def ingest(self, events) -> subprocess.CompletedProcess:
        lines = "".join(json.dumps(event) + "\n" for event in events)

        def ingested():
            done = self.run("ingest", "--configuration", CONFIGURATION, text=lines)
            # Without a server it is repeated, whole: that does no harm.
            is_away = "server" in done.stderr or "timed out" in done.stderr
            assert done.returncode == 0 or is_away, done.stderr[-2000:]
            return done if done.returncode == 0 else None

        return until(120, "the events are on the log", ingested)

    def drain(self, seconds=120) -> str:
        done = self.run("status", "--wait", seconds, timeout=seconds + 60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class Gateway:
    """A running gateway; what is asked of it is repeated until it is answered."""

    def __init__(self, process: subprocess.Popen):
        self.process = process
        line = process.stdout.readline()
        assert line.startswith("listening on http://"), line
        self.address = line.removeprefix("listening on http://").strip()

    def ask(self, method: str, path: str, body=None, token=WRITE):
        """The status, the headers and the body."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.status, answer.headers, json.loads(text) if is_json else text

    def get(self, rest: str, table: str = ""):
        """The status and the body; exact at the positions of this table of `status`, or later ones."""
        path = f"/beta/deviceManagement/hardwareConfigurations/{CONFIGURATION}/{rest}"
        least = positions(table)

        def answered():
            status, headers, body = self.ask("GET", path, token=READ)
            # While a partition changes workers, one that has not come as far may answer.
            reached = exact_at(headers.get("Runtally-Position", ""))
            is_behind = any(reached[unit] < position for unit, position in least.items())
            return (status, body) if status != 503 and not is_behind else None

        return until(60, f"GET {rest} is answered", answered)

    def summary(self, table: str = "") -> dict:
        status, body = self.get("runSummary", table)
        assert status == 200, body
        return body["value"]


def positions(table: str) -> dict[str, int]:
    """How far each partition was read, by a table of `status`."""
    rows = (line.split() for line in table.splitlines()[1:])
    return {row[0]: int(row[2]) for row in rows}


def exact_at(header: str) -> dict[str, int]:
    """How far each partition was read, by a header such as `devices=7,9; users=5,5`."""
    stages = (stage.split("=") for stage in header.split("; ") if stage)
    return {
        f"{stage}.{partition}": int(position)
        for stage, numbers in stages
        for partition, position in enumerate(numbers.split(","))
    }
