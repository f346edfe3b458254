"""The command line: what is wrong is said, with what to do."""

import subprocess

import pytest

from processes import BINARY, CONFIGURATION, ENVIRONMENT, Fleet, Server
from traffic import device_id

BASE = f"/deviceManagement/hardwareConfigurations/{CONFIGURATION}"


def run(*arguments):
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "NATS_URL"}
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, env=environment, timeout=60)


def test_every_command_has_its_help():
    text = run("--help")
    assert text.returncode == 0
    commands = [line.split()[0] for line in text.stdout.splitlines() if line.startswith("  ") and line[2] != " "]
    commands = [name for name in commands if not name.startswith("-")]
    assert commands == ["init", "gateway", "ingest", "worker", "status", "audit"]
    for name in commands:
        told = run(name, "--help")
        assert told.returncode == 0 and f"Usage: runtally-fleet {name} --nats URL" in told.stdout
        assert run(name, "--version").stdout.startswith("runtally-fleet ")
    assert run("--version").stdout.startswith("runtally-fleet ")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["nothing"], "there is no command nothing"),
        (["worker"], "--nats URL is missing, and NATS_URL is not set"),
        (["init", "--nats", "x"], "--partitions N is missing"),
        (["init", "--nats", "x", "--partitions", "0"], "expected a number from 1 to 256"),
        (["init", "--nats", "x", "--partitions", "9", "--virtual-shards", "8"], "needs one at least"),
        (["worker", "--nats", "x", "--partitions", "9"], "invalid option '--partitions'"),
        (["gateway", "--nats", "x"], "give a --configuration GUID or a --script GUID"),
        (["ingest", "--nats", "x"], "give one --configuration GUID or one --script GUID"),
        (["gateway", "--nats", "x", "--configuration", CONFIGURATION, "--version-of", "7"], "expected GUID=N"),
        (["gateway", "--nats", "x", "--configuration", "7"], "--configuration 7: "),
        (["worker", "--nats", "x", "--metrics", "1"], "--metrics 1: "),
        (["status", "--nats", "x", "--log", "loud"], "--log loud: "),
    ],
)
def test_a_wrong_command_line_is_refused(arguments, said):
    told = run(*arguments)
    assert told.returncode == 2
    assert said in told.stderr and "--help" in told.stderr, told.stderr


def test_no_server_and_no_fleet_are_told_apart(tmp_path):
    told = run("worker", "--nats", "nats://127.0.0.1:1")
    assert told.returncode == 1 and "no server answers at 127.0.0.1:1:" in told.stderr
    server = Server(tmp_path)
    told = run("worker", "--nats", server.url)
    assert told.returncode == 1 and "run runtally-fleet init" in told.stderr
    server.kill()


def test_a_server_that_keeps_no_log_is_told_at_once(tmp_path):
    server = Server(tmp_path, lines=["max_connections: 64"])
    for command in (["worker"], ["init", "--partitions", "1"]):
        told = run(*command, "--nats", server.url)
        assert told.returncode == 1 and "start nats-server with --jetstream" in told.stderr, told.stderr
    server.kill()


def test_a_name_and_a_password_come_with_the_url_and_are_told_to_nobody(tmp_path):
    users = 'authorization { users: [{ user: "ada", password: "a-secret" }, { user: "b@x.org", password: "p@ss:1" }] }'
    server = Server(tmp_path, lines=[f'jetstream {{ store_dir: "{tmp_path}/jetstream" }}', users])
    known = server.url.replace("://", "://ada:a-secret@")
    assert run("init", "--nats", known, "--partitions", "1").returncode == 0
    encoded = server.url.replace("://", "://b%40x.org:p%40ss%3A1@")
    assert run("status", "--nats", encoded).returncode == 0
    for wrong in (server.url, server.url.replace("://", "://ada:another-secret@")):
        told = run("status", "--nats", wrong)
        assert told.returncode == 1 and "give nats://NAME:PASSWORD@HOST:PORT" in told.stderr
        assert "secret" not in told.stderr
    server.kill()


def test_a_worker_ends_when_it_is_told_to_though_the_server_is_away(tmp_path):
    with Fleet(tmp_path) as fleet:
        worker = fleet.worker()
        fleet.drain()
        fleet.servers[0].kill()
        worker.terminate()
        assert worker.wait(40) == 0


def test_init_does_no_harm_again_and_refuses_other_numbers(tmp_path):
    with Fleet(tmp_path, partitions=3, virtual_shards=7) as fleet:
        fleet.ingest([{"id": device_id(1), "configurationState": "fail", "lastStateUpdateDateTime": "2026-11-21T09:30Z"}])
        again = fleet.run("init", "--partitions", 3, "--virtual-shards", 7, "--lease", 3)
        assert again.returncode == 0, again.stderr
        assert sum(fleet.stored().values()) == 1
        for other in ((4, 7), (3, 8)):
            told = fleet.run("init", "--partitions", other[0], "--virtual-shards", other[1])
            assert told.returncode == 1
            assert "give --partitions 3 --virtual-shards 7" in told.stderr


def test_without_workers_events_are_taken_and_reads_are_to_be_repeated(tmp_path):
    with Fleet(tmp_path) as fleet:
        gateway = fleet.gateway()
        event = {"id": device_id(1), "configurationState": "fail", "lastStateUpdateDateTime": "2026-11-21T09:30Z"}
        assert gateway.ask("POST", f"{BASE}/deviceRunStates", event)[0] == 201
        status, headers, told = gateway.ask("GET", f"{BASE}/runSummary")
        assert status == 503 and headers["Retry-After"] == "1"
        assert "no worker answers for partition" in told["error"]["message"]
        assert "no worker answers" in fleet.run("status").stdout
        fleet.worker()
        fleet.drain()
        assert gateway.summary()["failedDeviceCount"] == 1


def test_lines_that_are_no_device_states_are_named_and_the_others_are_taken(tmp_path):
    with Fleet(tmp_path) as fleet:
        good = f'{{"id":"{device_id(1)}","configurationState":"fail","lastStateUpdateDateTime":"2026-11-21T09:30Z"}}'
        told = fleet.run("ingest", "--configuration", CONFIGURATION, text=f'{good}\n{{"id":7}}\n\n{good}')
        assert told.returncode == 1
        assert told.stderr.startswith("line 2: id at byte 6: expected a GUID")
        assert told.stdout == "2 device states are on the log, 1 lines were refused\n"
