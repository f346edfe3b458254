"""Totals and users that somebody writes: read back as written, moved by what is reported, and kept
when workers change."""

import pytest

import recount
from processes import CONFIGURATION, Fleet
from traffic import device_id

BASE = f"/beta/deviceManagement/hardwareConfigurations/{CONFIGURATION}"
SCRIPT = "7d4b3f85-9c3e-4a9b-9c76-3c4a7fae0d43"
SCRIPT_BASE = f"/deviceManagement/deviceManagementScripts/{SCRIPT}"
AT = "2026-11-22T00:00:00Z"


@pytest.fixture
def fleet(tmp_path):
    with Fleet(tmp_path) as fleet:
        fleet.first = fleet.worker()
        fleet.door = fleet.gateway("--script", SCRIPT)
        yield fleet


def report(fleet, number, state, upn, at="2026-11-21T09:30:00Z"):
    event = {"id": device_id(number), "configurationState": state, "lastStateUpdateDateTime": at}
    status, _, body = fleet.door.ask("POST", f"{BASE}/deviceRunStates", event | {"upn": upn})
    assert status == 201, body


def counts(of, **given):
    return {f"{counter}{of}Count": given.get(counter, 0) for counter in recount.COUNTERS}


def restart(fleet):
    fleet.drain()
    fleet.first.terminate()
    assert fleet.first.wait(30) == 0
    fleet.first = fleet.worker()
    fleet.drain()


def test_totals_are_read_as_written_and_moved_by_reports(fleet):
    report(fleet, 1, "fail", "ada@example.com")
    fleet.drain()
    written = counts("Device", failed=10, successful=5) | counts("User", failed=3)
    written["lastRunDateTime"] = AT
    status, _, told = fleet.door.ask("POST", f"{BASE}/runSummary", written)
    assert status == 201, told
    fleet.drain()
    assert fleet.door.summary().items() >= written.items()
    assert fleet.door.ask("POST", f"{BASE}/runSummary", written)[0] == 409
    report(fleet, 1, "success", "ada@example.com", at="2026-11-21T10:30:00Z")
    restart(fleet)
    moved = written | {"failedDeviceCount": 9, "successfulDeviceCount": 6}
    moved |= {"failedUserCount": 2, "successfulUserCount": 1}
    assert fleet.door.summary().items() >= moved.items()
    status, _, told = fleet.door.ask("PATCH", f"{BASE}/runSummary", {"failedDeviceCount": 100})
    assert status == 200, told
    fleet.drain()
    assert fleet.door.summary().items() >= (moved | {"failedDeviceCount": 100}).items()
    status, _, told = fleet.door.ask("PATCH", f"{BASE}/runSummary", {"successfulDeviceCount": 0})
    assert status == 409
    assert told["error"]["message"] == "successfulDeviceCount was declared as 0, but 1 are counted here"


def test_a_script_s_totals_are_declared_by_reference(fleet):
    written = {"successDeviceCount": 4, "errorDeviceCount": 2, "successUserCount": 1, "errorUserCount": 0}
    status, _, told = fleet.door.ask("POST", f"{SCRIPT_BASE}/runSummary/$ref", written)
    assert status == 204, told
    fleet.drain()
    status, _, told = fleet.door.ask("GET", f"{SCRIPT_BASE}/runSummary")
    assert status == 200 and told["value"].items() >= written.items()


def test_a_user_is_declared_updated_and_taken_back(fleet):
    report(fleet, 1, "fail", "ada@example.com")
    report(fleet, 2, "success", "ada@example.com")
    fleet.drain()
    one = f"{BASE}/userRunStates/{recount.user_id(CONFIGURATION, 'ada@example.com')}"
    written = {"upn": "Ada@example.com", "userName": "Ada", "userEmail": "ada@mail.example.com"}
    written |= {"lastStateUpdateDateTime": AT} | counts("Device", failed=5, successful=1)
    status, _, told = fleet.door.ask("POST", f"{BASE}/userRunStates", written)
    assert status == 201, told
    restart(fleet)
    status, _, told = fleet.door.ask("GET", one)
    assert status == 200 and told.items() >= (written | {"upn": "ada@example.com"}).items()
    assert fleet.door.ask("POST", f"{BASE}/userRunStates", written)[0] == 409
    report(fleet, 1, "success", "ada@example.com", at="2026-11-23T00:00:00Z")
    fleet.drain()
    _, _, told = fleet.door.ask("GET", one)
    assert (told["failedDeviceCount"], told["successfulDeviceCount"]) == (4, 2)
    status, _, told = fleet.door.ask("PATCH", one, {"userName": None, "pendingDeviceCount": 7})
    assert status == 200, told
    fleet.drain()
    _, _, told = fleet.door.ask("GET", one)
    assert told["userName"] is None and told["userEmail"] == "ada@mail.example.com"
    assert (told["failedDeviceCount"], told["pendingDeviceCount"]) == (4, 7)
    status, _, told = fleet.door.ask("PATCH", one, {"successfulDeviceCount": 1})
    assert status == 409 and "2 are counted here" in told["error"]["message"]
    assert fleet.door.summary()["failedUserCount"] == 1
    assert fleet.door.ask("DELETE", one)[0] == 204
    fleet.drain()
    _, _, told = fleet.door.ask("GET", one)
    assert (told["failedDeviceCount"], told["successfulDeviceCount"]) == (0, 2)
    assert told["userEmail"] is None
    assert fleet.door.summary()["failedUserCount"] == 0
    assert fleet.run("audit").returncode == 0


def test_a_user_without_devices_is_declared(fleet):
    written = {"upn": "eve@example.com", "lastStateUpdateDateTime": AT} | counts("Device", pending=2)
    status, _, told = fleet.door.ask("POST", f"{BASE}/userRunStates", written)
    assert status == 201, told
    fleet.drain()
    assert fleet.door.summary()["pendingUserCount"] == 1
    rows = fleet.door.ask("GET", f"{BASE}/userRunStates")[2]["value"]
    assert [row["upn"] for row in rows] == ["eve@example.com"]
    assert fleet.door.ask("DELETE", f"{BASE}/userRunStates/{rows[0]['id']}")[0] == 204
    fleet.drain()
    assert fleet.door.ask("GET", f"{BASE}/userRunStates")[2]["value"] == []
