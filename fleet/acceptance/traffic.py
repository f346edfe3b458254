"""A simulated fleet: devices that report again and again, late, twice, out of order, and change
hands."""

import random
import uuid
from datetime import datetime, timedelta, timezone

STATES = ["unknown", "success", "fail", "scriptError", "pending", "notApplicable"]
BEGIN = datetime(2026, 11, 20, tzinfo=timezone.utc)
ZONES = [timezone.utc, timezone.utc, timezone(timedelta(hours=1)), timezone(timedelta(hours=-5))]


def device_id(number: int) -> str:
    return str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC834 + 7) % (1 << 128)))


def events(devices: int, reports: int, seed: int = 1, moves: float = 0.2) -> list[dict]:
    """As many events, in the order they are sent. One in 20 is sent twice, one in 10 is late, and
    one device in five changes hands; some have no user, and some names differ in case alone."""
    chance = random.Random(seed)
    owners = [chance.randrange(max(1, devices * 2 // 3)) for _ in range(devices)]
    sent = []
    clock = 0
    while len(sent) < reports:
        number = chance.randrange(devices)
        if chance.random() < moves * devices / reports:
            owners[number] = chance.randrange(max(1, devices * 2 // 3))
        clock += chance.choice([0, 0, 1, 1, 2])
        late = chance.randrange(600) if chance.random() < 0.1 else 0
        at = (BEGIN + timedelta(seconds=clock - late)).astimezone(chance.choice(ZONES))
        event = {
            "id": device_id(number),
            "configurationState": chance.choice(STATES),
            "lastStateUpdateDateTime": at.isoformat().replace("+00:00", "Z"),
        }
        if number % 17:
            upn = f"user{owners[number]}@example.com"
            event["upn"] = upn.title() if chance.random() < 0.1 else upn
        sent.append(event)
        if chance.random() < 0.05:
            sent.append(chance.choice(sent[-200:]))
    return sent[:reports]
