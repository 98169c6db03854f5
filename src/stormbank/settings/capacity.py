"""Declared capacity: how many workers a process has, and how long each operation occupies one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stormbank.operations import OPERATIONS
from stormbank.settings.parse import pairs, whole
from stormbank.settings.reader import Reader

DEFAULT_MS = (
    "login=20,otp=10,bind=10,face=10,stepup=10,balance=8,transfer=15,payment=15,bills=40,checkin=120,confirm=8,"
    "products=8,advice=60,invest=15,voice=30,offers=20,score=4,"
    "credentials=2,bind_device=4,try_code=4,credit=15,keep_checkin=2"
)


@dataclass(frozen=True)
class Capacity:
    """`slots` workers of one process; `service_s` by operation, in seconds, of every operation of the bank."""

    slots: int
    service_s: Mapping[str, float]


def read_capacity(reader: Reader, slots: str = "BANK_SLOTS") -> Capacity:
    """Read the setting `slots` and the service times, which all services share."""
    unread: dict[str, float] = {}
    milliseconds = reader.read("BANK_SERVICE_MS", DEFAULT_MS, pairs(0), unread)
    return Capacity(
        slots=reader.read(slots, "2", whole(1), 1),
        service_s={name: value / 1000 for name, value in milliseconds.items()},
    )


def not_every_operation(capacity: Capacity) -> Iterator[str]:
    """Say so when a service time is missing, or of an operation that there is not."""
    every = {operation.name for operation in OPERATIONS}
    if set(capacity.service_s) != every:
        yield f"BANK_SERVICE_MS names {sorted(capacity.service_s)}, not {sorted(every)}"
