"""The gateway's wire: what was reported is listed and counted, a page at a time."""

import urllib.request
import uuid

import pytest

import recount
from processes import CONFIGURATION, READ, Fleet, until
from traffic import device_id, events

BASE = f"/beta/deviceManagement/hardwareConfigurations/{CONFIGURATION}"
SCRIPT = "7d4b3f85-9c3e-4a9b-9c76-3c4a7fae0d43"
SCRIPT_BASE = f"/deviceManagement/deviceManagementScripts/{SCRIPT}"
ROLLOUT = f"/rollouts/hardwareConfiguration/{CONFIGURATION}"


def event(number, state="success", at="2026-11-21T09:30:00Z", upn=None):
    made = {"id": device_id(number), "configurationState": state, "lastStateUpdateDateTime": at}
    return made | ({"upn": upn} if upn else {})


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Fleet(tmp_path_factory.mktemp("wire")) as fleet:
        fleet.worker()
        yield fleet


@pytest.fixture(scope="module")
def gateway(fleet):
    return fleet.gateway("--script", SCRIPT)


@pytest.fixture(scope="module")
def sent(fleet, gateway):
    sent = events(1_000, 3_000)
    fleet.ingest(sent)
    fleet.drain()
    return sent


def walk(gateway, path):
    """Every row, following links; and the number of pages."""
    rows, pages = [], 0
    while path:
        status, _, page = gateway.ask("GET", path, token=READ)
        assert status == 200, page
        rows += page["value"]
        pages += 1
        link = page.get("@odata.nextLink", "")
        path = link.removeprefix(f"http://{gateway.address}")
        assert link != path or not link, link
    return rows, pages


def test_lists_show_every_device_once_with_its_user(gateway, sent):
    expected = recount.greatest(CONFIGURATION, sent)
    for query, pages in (("", 3), ("?$top=50", None)):
        rows, seen = walk(gateway, f"{BASE}/deviceRunStates{query}")
        assert pages is None or seen == pages
        assert len(rows) == len(expected)
        for row in rows:
            wanted = expected[row["id"]]
            assert row["configurationState"] == wanted["configurationState"]
            assert (row["upn"] or "") == wanted.get("upn", "").lower()
            at = recount.instant(row["lastStateUpdateDateTime"])
            assert at == recount.instant(wanted["lastStateUpdateDateTime"])


def test_users_have_the_counts_of_their_devices(gateway, sent):
    expected = {}
    for row in recount.greatest(CONFIGURATION, sent).values():
        if row.get("upn"):
            user = expected.setdefault(row["upn"].lower(), {})
            counter = recount.COUNTERS[recount.STATES.index(row["configurationState"])]
            user[counter] = user.get(counter, 0) + 1
    rows, _ = walk(gateway, f"{BASE}/userRunStates")
    assert sorted(row["upn"] for row in rows) == sorted(expected)
    for row in rows:
        assert row["id"] == recount.user_id(CONFIGURATION, row["upn"])
        for counter in recount.COUNTERS:
            assert row[f"{counter}DeviceCount"] == expected[row["upn"]].get(counter, 0)
    one = max(rows, key=lambda row: sum(expected[row["upn"]].values()))
    status, _, alone = gateway.ask("GET", f"{BASE}/userRunStates/{one['id']}", token=READ)
    assert status == 200 and alone.pop("@odata.context", None) is None
    assert alone == one
    devices, _ = walk(gateway, f"{BASE}/userRunStates/{one['id']}/deviceRunStates?$top=1")
    assert len(devices) == sum(expected[one["upn"]].values())
    assert {row["upn"] for row in devices} == {one["upn"]}
    status, _, count = gateway.ask("GET", f"{BASE}/userRunStates/{one['id']}/deviceRunStates/$count")
    assert (status, int(count)) == (200, len(devices))


def test_a_user_with_many_devices_has_pages(fleet, gateway, sent):
    fleet.ingest([event(number, upn="many@example.com") for number in range(10_000, 12_500)])
    fleet.drain()
    user = recount.user_id(CONFIGURATION, "many@example.com")
    path = f"{BASE}/userRunStates/{user}/deviceRunStates"
    rows, pages = walk(gateway, path)
    assert pages == 7 and len({row["id"] for row in rows}) == 2_500
    rows, pages = walk(gateway, f"{path}?$skip=2050&$top=300")
    assert pages == 2 and len(rows) == 450
    for number in range(10_000, 12_500):
        status, _, _ = gateway.ask("DELETE", f"{BASE}/deviceRunStates/{device_id(number)}")
        assert status == 204
    fleet.drain()
    assert gateway.get(f"userRunStates/{user}")[0] == 404


def test_counts_selections_and_skips(gateway, sent):
    number = len(recount.greatest(CONFIGURATION, sent))
    status, headers, count = gateway.ask("GET", f"{BASE}/deviceRunStates/$count", token=READ)
    assert (status, int(count)) == (200, number)
    assert headers["Content-Type"].startswith("text/plain")
    path = f"{BASE}/deviceRunStates?$count=true&$top=2&$select=id"
    _, _, page = gateway.ask("GET", path, token=READ)
    assert page["@odata.count"] == number and len(page["value"]) == 2
    assert all(set(row) <= {"id", "@odata.type"} for row in page["value"])
    rows, _ = walk(gateway, f"{BASE}/deviceRunStates?$skip={number - 3}")
    assert len(rows) == 3
    _, _, page = gateway.ask("GET", f"{BASE}/deviceRunStates?$skip={number}", token=READ)
    assert page["value"] == [] and "@odata.nextLink" not in page


@pytest.mark.parametrize(
    "method, path, body, status",
    [
        ("GET", f"{BASE}/deviceRunStates?$skiptoken=7", None, 400),
        ("GET", f"{BASE}/deviceRunStates?$skiptoken=x", None, 400),
        ("GET", f"{BASE}/deviceRunStates?$top=x", None, 400),
        ("GET", f"{BASE}/deviceRunStates/{uuid.uuid4()}", None, 404),
        ("GET", f"{BASE}/userRunStates/{uuid.uuid4()}", None, 404),
        ("GET", f"{BASE}/userRunStates/{uuid.uuid4()}/deviceRunStates", None, 404),
        ("GET", f"{BASE}/nothing", None, 404),
        ("GET", "/deviceManagement/hardwareConfigurations/7", None, 404),
        ("PUT", f"{BASE}/deviceRunStates", None, 405),
        ("POST", f"{BASE}/deviceRunStates", {"id": "7"}, 400),
        ("POST", f"{BASE}/deviceRunStates", {**event(1), "configurationState": "done"}, 400),
        ("DELETE", f"{BASE}/deviceRunStates/{uuid.uuid4()}", None, 404),
        ("POST", f"{ROLLOUT}/devices/{uuid.uuid4()}/retire", None, 404),
        ("POST", f"{ROLLOUT}/runFrom", {"runFrom": "yesterday"}, 400),
        ("DELETE", f"{ROLLOUT}/runFrom", None, 405),
    ],
)
def test_what_is_wrong_is_said_as_graph_says_it(gateway, sent, method, path, body, status):
    before = gateway.summary()
    told, _, answer = gateway.ask(method, path, body)
    assert told == status, answer
    assert answer["error"]["innerError"]["status"] == status
    assert answer["error"]["message"]
    assert gateway.summary() == before


def test_tokens_are_looked_at_first(gateway):
    assert gateway.ask("GET", f"{BASE}/runSummary", token="guess")[0] == 401
    assert gateway.ask("GET", "/rollouts", token="guess")[0] == 401
    assert gateway.ask("POST", f"{BASE}/deviceRunStates", event(1), token=READ)[0] == 403
    assert gateway.ask("POST", f"{ROLLOUT}/runFrom", token=READ)[0] == 403
    assert gateway.ask("GET", "/healthz", token="guess")[0] == 200


def test_the_page_is_there_and_what_it_asks_for(gateway, sent):
    status, headers, page = gateway.ask("GET", "/", token="none")
    assert status == 200 and "<title>" in page and "script-src" in headers["Content-Security-Policy"]
    status, _, known = gateway.ask("GET", "/rollouts", token=READ)
    assert status == 200 and known["access"] == "read"
    assert [it["kind"] for it in known["value"]] == ["hardwareConfiguration", "deviceManagementScript"]
    pending = [
        it
        for it in recount.greatest(CONFIGURATION, sent).values()
        if it["configurationState"] == "pending"
    ]
    assert known["value"][0]["overdue"] == len(pending)


def test_metrics_have_the_counts(fleet, gateway, sent):
    assert gateway.ask("GET", "/metrics", token="guess")[0] == 401
    status, headers, text = gateway.ask("GET", "/metrics", token=READ)
    assert status == 200 and headers["Content-Type"].startswith("text/plain")
    failed = gateway.summary()["failedDeviceCount"]
    line = next(
        line
        for line in text.splitlines()
        if line.startswith("runtally_devices{") and CONFIGURATION in line and '"fail"' in line
    )
    assert int(line.split()[-1]) == failed
    worker = fleet.worker("--metrics", "127.0.0.1:0")
    address = worker.metrics.removeprefix("metrics on http://").removesuffix("/metrics\n")

    def told():
        with urllib.request.urlopen(f"http://{address}/metrics") as answer:
            text = answer.read().decode()
        return text if 'runtally_fleet_position{stage="devices"' in text else None

    text = until(20, "the worker tells of its partitions", told)
    for name in ("lag", "rows", "ghosts", "stopped", "recovery_seconds", "refusals_total", "snapshots_total"):
        assert f"runtally_fleet_{name}{{stage=" in text
    worker.terminate()
    assert worker.wait(30) == 0


def test_a_gateway_is_ready_while_the_log_is_there(tmp_path):
    with Fleet(tmp_path) as fleet:
        gateway = fleet.gateway()

        def ready():
            status, _, body = gateway.ask("GET", "/readyz")
            return status, body if status == 200 else body["error"]["code"]

        assert ready() == (200, "ok")
        fleet.servers[0].kill()
        until(20, "it is not ready", lambda: ready() == (503, "serviceNotAvailable"))
        assert gateway.ask("GET", "/healthz")[0] == 200
        fleet.servers[0].start()
        until(20, "it is ready again", lambda: ready() == (200, "ok"))


def test_an_answer_says_what_it_is_exact_at(fleet, gateway, sent):
    status, headers, _ = gateway.ask("POST", f"{BASE}/deviceRunStates", event(5_000))
    assert status == 201
    unit, sequence = headers["Runtally-Position"].split("=")
    partition = int(unit.split(".")[1])

    def counted():
        _, headers, _ = gateway.ask("GET", f"{BASE}/runSummary")
        devices, _ = headers["Runtally-Position"].split("; ")
        positions = devices.removeprefix("devices=").split(",")
        return int(positions[partition]) >= int(sequence)

    until(20, "the event is counted", counted)
    assert gateway.ask("GET", f"{BASE}/deviceRunStates/{device_id(5_000)}")[0] == 200
    assert gateway.ask("DELETE", f"{BASE}/deviceRunStates/{device_id(5_000)}")[0] == 204
    fleet.drain()


class Rest:
    """What the counts of one device more or less do."""

    def __init__(self, fleet, gateway):
        self.fleet, self.gateway = fleet, gateway

    def post(self, *args, **kwargs):
        status, _, body = self.gateway.ask("POST", f"{BASE}/deviceRunStates", event(*args, **kwargs))
        assert status == 201, body

    def counts(self, counter):
        self.fleet.drain()
        told = self.gateway.summary()
        return told[f"{counter}DeviceCount"], told[f"{counter}UserCount"]


def test_a_removed_device_stays_removed_until_a_later_report(fleet, gateway, sent):
    rest = Rest(fleet, gateway)
    before = rest.counts("failed")
    rest.post(6_000, "fail", upn="removed@example.com")
    assert rest.counts("failed") == (before[0] + 1, before[1] + 1)
    assert gateway.ask("DELETE", f"{BASE}/deviceRunStates/{device_id(6_000)}")[0] == 204
    assert rest.counts("failed") == before
    rest.post(6_000, "fail", upn="removed@example.com")
    assert rest.counts("failed") == before
    assert gateway.ask("GET", f"{BASE}/deviceRunStates/{device_id(6_000)}")[0] == 404
    rest.post(6_000, "fail", at="2036-11-21T09:30:00Z", upn="removed@example.com")
    fleet.drain()


def test_a_retired_device_counts_and_is_not_listed(fleet, gateway, sent):
    rest = Rest(fleet, gateway)
    before = rest.counts("failed")
    rest.post(7_000, "fail", upn="retired@example.com")
    rest.counts("failed")
    path = f"{ROLLOUT}/devices/{device_id(7_000)}/retire"
    assert gateway.ask("POST", path)[0] == 204
    assert rest.counts("failed") == (before[0] + 1, before[1] + 1)
    assert gateway.ask("GET", f"{BASE}/deviceRunStates/{device_id(7_000)}")[0] == 404
    assert gateway.ask("POST", path)[0] == 404
    rest.post(7_000, "success", at="2026-11-22T09:30:00Z", upn="retired@example.com")
    assert rest.counts("failed") == before
    assert gateway.ask("GET", f"{BASE}/deviceRunStates/{device_id(7_000)}")[0] == 200


def test_scripts_are_counted_apart(fleet, gateway, sent):
    before = gateway.summary()
    body = {
        "id": device_id(1),
        "runState": "fail",
        "lastStateUpdateDateTime": "2026-11-21T09:30:00Z",
    }
    status, _, answer = gateway.ask("POST", f"{SCRIPT_BASE}/deviceRunStates", body)
    assert status == 201, answer
    fleet.drain()
    status, _, told = gateway.ask("GET", f"{SCRIPT_BASE}/runSummary", token=READ)
    assert status == 200 and told["value"]["errorDeviceCount"] == 1
    assert gateway.summary() == before


def test_a_roll_out_begins_anew_in_every_shard_and_after_a_restart(tmp_path):
    with Fleet(tmp_path) as fleet:
        worker = fleet.worker()
        gateway = fleet.gateway()
        sent = events(200, 1_000)
        fleet.ingest(sent)
        fleet.drain()
        at = "2026-11-20T00:10:00Z"
        assert gateway.ask("POST", f"{ROLLOUT}/runFrom", {"runFrom": at})[0] == 204
        # New shards know it, too.
        sent += events(400, 400, seed=2)
        fleet.ingest(sent[1_000:])

        def check():
            fleet.drain()
            begun = [
                {**it, "configurationState": "pending"}
                if recount.instant(it["lastStateUpdateDateTime"]) < recount.instant(at)
                else it
                for it in recount.greatest(CONFIGURATION, sent).values()
            ]
            expected = recount.summary(CONFIGURATION, begun)
            expected["lastRunDateTime"] = recount.summary(CONFIGURATION, sent)["lastRunDateTime"]
            assert not recount.differences(expected, gateway.summary())

        check()
        worker.terminate()
        assert worker.wait(30) == 0
        fleet.worker()
        check()


def test_a_full_shard_stops_its_partition_by_name_and_loses_nothing(tmp_path):
    with Fleet(tmp_path, partitions=2, virtual_shards=2) as fleet:
        small = fleet.worker("--shard-rows", 50)
        gateway = fleet.gateway()
        sent = events(400, 2_000)
        fleet.ingest(sent)

        def stopped():
            done = fleet.run("status")
            return done.stdout if "no room for another device: all 50 rows" in done.stdout else None

        table = until(20, "a partition stops", stopped)
        assert "shard 0" in table or "shard 1" in table
        _, headers, _ = gateway.ask("GET", f"{BASE}/runSummary")
        assert "devices." in headers["Runtally-Stopped"]
        small.terminate()
        assert small.wait(30) == 0
        fleet.worker()
        fleet.drain()
        differences = recount.differences(recount.summary(CONFIGURATION, sent), gateway.summary())
        assert not differences


def test_pages_lead_on_while_workers_change(tmp_path):
    with Fleet(tmp_path) as fleet:
        first = fleet.worker()
        gateway = fleet.gateway()
        fleet.ingest([event(number) for number in range(500)])
        fleet.drain()
        status, _, page = gateway.ask("GET", f"{BASE}/deviceRunStates?$top=100", token=READ)
        rows = page["value"]
        first.terminate()
        assert first.wait(30) == 0
        fleet.worker()
        fleet.drain()
        rest, _ = walk(gateway, page["@odata.nextLink"].removeprefix(f"http://{gateway.address}"))
        assert sorted(row["id"] for row in rows + rest) == sorted(map(device_id, range(500)))
