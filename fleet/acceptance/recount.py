"""Counts a list of events once more, in a few lines that share nothing with the library: for each
device the greatest event, for each user the worst state of the devices that are the user's."""

import uuid
from datetime import datetime, timezone

STATES = ["unknown", "success", "fail", "scriptError", "pending", "notApplicable"]
COUNTERS = ["unknown", "successful", "failed", "error", "pending", "notApplicable"]
FINALITY = ["unknown", "pending", "notApplicable", "success", "fail", "scriptError"]
SEVERITY = ["notApplicable", "success", "unknown", "pending", "fail", "scriptError"]


def user_id(rollout: str, upn: str) -> str:
    return str(uuid.uuid5(uuid.UUID(rollout), upn.lower()))


def instant(text: str) -> tuple[datetime, int]:
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at.astimezone(timezone.utc), int(at.utcoffset().total_seconds())


def order(rollout: str, event: dict) -> tuple:
    at, offset = instant(event["lastStateUpdateDateTime"])
    upn = event.get("upn") or ""
    user = uuid.UUID(user_id(rollout, upn)).bytes if upn else b""
    return at, FINALITY.index(event["configurationState"]), offset, user


def greatest(rollout: str, events) -> dict:
    """The greatest event of every device."""
    devices = {}
    for event in events:
        known = devices.get(event["id"])
        if known is None or order(rollout, event) > order(rollout, known):
            devices[event["id"]] = event
    return devices


def summary(rollout: str, events) -> dict:
    """The counters of a runSummary, and the last run."""
    events = list(events)
    users, counts = {}, {}
    for state, counter in zip(STATES, COUNTERS):
        counts[f"{counter}DeviceCount"] = counts[f"{counter}UserCount"] = 0
    for event in greatest(rollout, events).values():
        state = event["configurationState"]
        counts[f"{COUNTERS[STATES.index(state)]}DeviceCount"] += 1
        if event.get("upn"):
            users.setdefault(event["upn"].lower(), set()).add(state)
    for states in users.values():
        worst = max(states, key=SEVERITY.index)
        counts[f"{COUNTERS[STATES.index(worst)]}UserCount"] += 1
    last = max((instant(event["lastStateUpdateDateTime"])[0] for event in events), default=None)
    counts["lastRunDateTime"] = last
    return counts


def differences(expected: dict, told: dict) -> list[str]:
    """What a runSummary says otherwise."""
    told = dict(told)
    if told.get("lastRunDateTime"):
        told["lastRunDateTime"] = instant(told["lastRunDateTime"])[0]
    return [
        f"{name}: {told.get(name)} instead of {value}"
        for name, value in expected.items()
        if told.get(name) != value
    ]
