"""The messages of the log, written from their documentation and not with the library: so the tests
hold the format to what it is said to be, and can send what no gateway would."""

import uuid
from datetime import datetime, timezone

FORMAT = 1
STATES = ["unknown", "success", "fail", "scriptError", "pending", "notApplicable"]
MASK = (1 << 64) - 1
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def partition(key: bytes, count: int) -> int:
    """FNV-1a of the bytes, mixed as MurmurHash3 ends, and taken to the range by multiplication."""
    value = 0xCBF29CE484222325
    for byte in key:
        value = (value ^ byte) * 0x100000001B3 & MASK
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ value >> 33) * factor & MASK
    return (value ^ value >> 33) * count >> 64


def record(device: str, user: str | None, state: str, at: datetime) -> bytes:
    """A report, users by the id of their state."""
    offset = int(at.utcoffset().total_seconds()) // 60
    head = STATES.index(state) | (8 if user else 0) | (offset + 2048) << 4
    since = at - EPOCH
    ticks = (since.days * 86_400 + since.seconds) * 10_000_000 + since.microseconds * 10
    keys = uuid.UUID(device).bytes + (uuid.UUID(user).bytes if user else b"")
    return head.to_bytes(2, "little") + ticks.to_bytes(8, "little", signed=True) + keys


def message(rollout: str, shard: int, name: str, written: bytes) -> bytes:
    """A message of one entry, of a configuration."""
    group = bytes([0]) + uuid.UUID(rollout).bytes + (1).to_bytes(2, "little")
    name_bytes = name.lower().encode()
    entry = bytes([0]) + shard.to_bytes(2, "little") + bytes([len(name_bytes)]) + name_bytes
    return bytes([FORMAT]) + group + entry + written
